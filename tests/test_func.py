"""Derivatives of functions: values, structures, and how they nest."""

# ruff: noqa: ARG005 - hooks and functions that ignore their argument
from __future__ import annotations

import math
import threading
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import DTypeError, GraphError, NoGradientError, OptionError, ShapeError
from autodiff.func import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

TRANSFORMS = {
    "grad": lambda f, x: grad(f)(x),
    "value_and_grad": lambda f, x: value_and_grad(f)(x),
    "vjp": vjp,
    "jvp": lambda f, x: jvp(f, (x,), (x,)),
    "jacobian": lambda f, x: jacobian(f)(x),
    "hessian": lambda f, x: hessian(f)(x),
    "hvp": lambda f, x: hvp(f, (x,), (x,)),
}

Point = namedtuple("Point", "x y")  # noqa: PYI024 - any named tuple will do


@pytest.fixture(autouse=True)
def _double():
    with ad.default_dtype(ad.float64):
        yield


def cube(x):
    return x * x * x


def bowl(x):
    """A function of a vector with a dense, non-constant Hessian."""
    return (ad.exp(x) * x).sum() * ad.sin(x).sum()


def bowl_gradient(x):
    e, s = np.exp(x), np.sin(x)
    return e * (x + 1) * s.sum() + (e * x).sum() * np.cos(x)


def bowl_hessian(x):
    e, s, c = np.exp(x), np.sin(x), np.cos(x)
    first, second = e * (x + 1), e * (x + 2)
    cross = np.outer(first, c)
    return np.diag(second * s.sum() - (e * x).sum() * s) + cross + cross.T


X = np.array([0.3, -0.7, 1.1])
V = np.array([1.0, 2.0, -0.5])


# -- values ------------------------------------------------


def test_grad():
    g = grad(bowl)(X)
    assert isinstance(g, ad.Tensor)
    assert not g.requires_grad
    np.testing.assert_allclose(g.numpy(), bowl_gradient(X))


def test_value_and_grad():
    value, g = value_and_grad(bowl)(X)
    np.testing.assert_allclose(value.numpy(), (np.exp(X) * X).sum() * np.sin(X).sum())
    np.testing.assert_allclose(g.numpy(), bowl_gradient(X))
    assert not value.requires_grad


def test_vjp():
    value, pullback = vjp(lambda x, y: x * y, X, V)
    np.testing.assert_allclose(value.numpy(), X * V)
    for u in (np.ones(3), np.arange(3.0)):
        gx, gy = pullback(u)
        np.testing.assert_allclose(gx.numpy(), u * V)
        np.testing.assert_allclose(gy.numpy(), u * X)
    assert isinstance(vjp(cube, X)[1](V), tuple)


def test_jvp():
    value, tangent = jvp(lambda x, y: ad.sin(x) * y, (X, 2.0), (V, 3.0))
    np.testing.assert_allclose(value.numpy(), np.sin(X) * 2)
    np.testing.assert_allclose(tangent.numpy(), np.cos(X) * V * 2 + np.sin(X) * 3)


def test_jvp_agrees_with_the_jacobian():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((4, 3))

    def f(x):
        return ad.tanh(ad.asarray(a) @ x) * x.sum()

    np.testing.assert_allclose(
        jvp(f, (X,), (V,))[1].numpy(), jacobian(f)(X).numpy() @ V, rtol=1e-12
    )


def test_jvp_of_a_complex_result():
    _, tangent = jvp(lambda t: ad.exp(t * (2 + 3j)), (0.5,), (2.0,))
    np.testing.assert_allclose(tangent.numpy(), 2 * (2 + 3j) * np.exp(0.5 * (2 + 3j)))


def test_jacobian():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jacobian(lambda x: ad.asarray(a) @ x)(X).numpy(), a)
    shaped = jacobian(lambda x: ad.reshape(x, (2, 1, 3)) ** 2)(np.arange(6.0).reshape(3, 2))
    assert shaped.shape == (2, 1, 3, 3, 2)
    np.testing.assert_allclose(shaped.numpy().reshape(6, 6), np.diag(2 * np.arange(6.0)))


def test_jacobian_of_a_scalar_is_the_gradient():
    np.testing.assert_allclose(jacobian(bowl)(X).numpy(), bowl_gradient(X))


def test_hessian():
    np.testing.assert_allclose(hessian(bowl)(X).numpy(), bowl_hessian(X), rtol=1e-12)
    assert hessian(lambda x: (x**3).sum())(np.ones((2, 3))).shape == (2, 3, 2, 3)


def test_hessian_of_two_arguments():
    h = hessian(lambda x, y: (x * x * y).sum(), argnums=(0, 1))(X, V)
    np.testing.assert_allclose(h[0][0].numpy(), np.diag(2 * V))
    np.testing.assert_allclose(h[0][1].numpy(), np.diag(2 * X))
    np.testing.assert_allclose(h[1][0].numpy(), np.diag(2 * X))
    np.testing.assert_allclose(h[1][1].numpy(), np.zeros((3, 3)))


def test_hvp():
    value, (product,) = hvp(bowl, (X,), (V,))
    np.testing.assert_allclose(value.item(), (np.exp(X) * X).sum() * np.sin(X).sum())
    np.testing.assert_allclose(product.numpy(), bowl_hessian(X) @ V, rtol=1e-12)
    _, products = hvp(lambda x, y: (x * x * y).sum(), (X, V), (V, X))
    np.testing.assert_allclose(products[0].numpy(), 2 * V * V + 2 * X * X)
    np.testing.assert_allclose(products[1].numpy(), 2 * X * V)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x = X.astype(dtype)
    for result in (
        grad(bowl)(x), jvp(bowl, (x,), (V,))[1], vjp(bowl, x)[1](1.0)[0], jacobian(bowl)(x),
        hessian(bowl)(x), hvp(bowl, (x,), (V,))[1][0],
    ):  # fmt: skip
        assert result.dtype == dtype


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_empty_arrays(shape):
    x = np.zeros(shape)
    assert grad(lambda x: (x * x).sum())(x).shape == shape
    assert jacobian(lambda x: x * x)(x).shape == shape * 2
    assert hessian(lambda x: (x**3).sum())(x).shape == shape * 2
    assert jvp(lambda x: x * x, (x,), (x,))[1].shape == shape
    assert hvp(lambda x: (x * x).sum(), (x,), (x,))[1][0].shape == shape


# -- arguments and structures ------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: 2.0, lambda: np.float64(2.0), lambda: np.array(2.0), lambda: ad.tensor(2.0),
        lambda: ad.tensor(2.0, requires_grad=True),
    ],
)  # fmt: skip
def test_kinds_of_numbers(make):
    assert grad(cube)(make()).item() == 12.0


def test_argnums():
    def f(x, y, z):
        return x * y * y * z

    assert grad(f, argnums=1)(2.0, 3.0, 5.0).item() == 60.0
    assert grad(f, argnums=-1)(2.0, 3.0, 5.0).item() == 18.0
    result = grad(f, argnums=(2, 0))(2.0, 3.0, 5.0)
    assert isinstance(result, tuple)
    assert [g.item() for g in result] == [18.0, 45.0]
    assert grad(f, argnums=np.int64(1))(2.0, 3.0, 5.0).item() == 60.0
    assert len(grad(f, argnums=(np.int8(1), 0))(2.0, 3.0, 5.0)) == 2
    assert isinstance(grad(f, argnums=[0])(2.0, 3.0, 5.0), tuple)


def test_other_arguments_pass_untouched():
    marker = object()

    def f(x, other, *, scale, flag=None):
        assert other is marker
        assert flag == "yes"
        return x * scale

    assert grad(f)(2.0, marker, scale=3.0, flag="yes").item() == 3.0


def test_trees():
    tree = {"w": [ad.tensor([1.0, 2.0]), np.array([3.0])], "b": (4.0, None), "e": {}}
    g = grad(lambda p: (p["w"][0] * p["w"][1]).sum() * p["b"][0])(tree)
    assert list(g) == ["w", "b", "e"]
    assert isinstance(g["w"], list)
    assert isinstance(g["b"], tuple)
    assert g["b"][1] is None
    assert g["e"] == {}
    assert g["w"][0].tolist() == [12.0, 12.0]
    assert g["w"][1].tolist() == [12.0]
    assert g["b"][0].item() == 9.0
    assert isinstance(tree["b"][0], float)


def test_named_tuples_and_dictionaries_keep_their_types():
    g = grad(lambda p: p.x * p.y)(Point(2.0, 3.0))
    assert isinstance(g, Point)
    assert (g.x.item(), g.y.item()) == (3.0, 2.0)
    ordered = grad(lambda p: p["b"] * p["a"])(OrderedDict(b=2.0, a=3.0))
    assert isinstance(ordered, OrderedDict)
    assert [g.item() for g in ordered.values()] == [3.0, 2.0]


def test_trees_of_results():
    def f(x, y):
        return {"sum": x + y, "parts": [x * y, 2 * x]}

    value, pullback = vjp(f, X, V)
    assert list(value) == ["sum", "parts"]
    gx, gy = pullback({"sum": np.ones(3), "parts": [np.ones(3), np.zeros(3)]})
    np.testing.assert_allclose(gx.numpy(), 1 + V)
    np.testing.assert_allclose(gy.numpy(), 1 + X)
    _, tangent = jvp(f, (X, V), (np.ones(3), np.zeros(3)))
    np.testing.assert_allclose(tangent["parts"][0].numpy(), V)
    jac = jacobian(f, argnums=(0, 1))(X, V)
    np.testing.assert_allclose(jac["parts"][0][1].numpy(), np.diag(X))
    np.testing.assert_allclose(jac["sum"][0].numpy(), np.eye(3))


def test_jacobian_of_a_tree_by_a_tree():
    jac = jacobian(lambda p: (p["a"] * p["b"], p["a"].sum()))({"a": X, "b": 2.0})
    np.testing.assert_allclose(jac[0]["a"].numpy(), 2 * np.eye(3))
    np.testing.assert_allclose(jac[0]["b"].numpy(), X)
    np.testing.assert_allclose(jac[1]["a"].numpy(), np.ones(3))
    assert jac[1]["b"].item() == 0.0


def test_aux():
    def f(x):
        return (x * x).sum(), {"twice": 2 * x, "note": "kept"}

    g, aux = grad(f, has_aux=True)(X)
    np.testing.assert_allclose(g.numpy(), 2 * X)
    np.testing.assert_allclose(aux["twice"].numpy(), 2 * X)
    assert aux["note"] == "kept"
    (value, aux), g = value_and_grad(f, has_aux=True)(X)
    assert value.item() == pytest.approx((X * X).sum())
    assert not aux["twice"].requires_grad
    assert jacobian(f, has_aux=True)(X)[1]["note"] == "kept"
    assert hessian(f, has_aux=True)(X)[1]["note"] == "kept"
    assert vjp(f, X, has_aux=True)[2]["note"] == "kept"
    assert jvp(f, (X,), (V,), has_aux=True)[2]["note"] == "kept"
    assert hvp(f, (X,), (V,), has_aux=True)[2]["note"] == "kept"


def test_what_the_result_does_not_depend_on_has_zero_derivatives():
    assert grad(lambda x, y: ad.exp(x), argnums=1)(2.0, X).tolist() == [0.0, 0.0, 0.0]
    assert grad(lambda x: ad.tensor(3.0))(2.0).item() == 0.0
    assert jvp(lambda x: ad.tensor([1.0, 2.0]), (2.0,), (1.0,))[1].tolist() == [0.0, 0.0]
    assert jacobian(lambda x: ad.ones(2))(X).tolist() == np.zeros((2, 3)).tolist()
    assert vjp(lambda x: ad.tensor(1.0), X)[1](1.0)[0].tolist() == [0.0] * 3
    assert hessian(lambda x: x.sum())(X).tolist() == np.zeros((3, 3)).tolist()
    assert hvp(lambda x: x.sum(), (X,), (V,))[1][0].tolist() == [0.0] * 3


@pytest.mark.parametrize("name", TRANSFORMS)
def test_integer_results_are_refused(name):
    """A zero for a count would hide that nothing was differentiated."""
    transform = TRANSFORMS[name]
    with pytest.raises(DTypeError, match=rf"{name}: the result is .*int64.*Cast it.*has_aux"):
        transform(ad.argmax, X)
    with pytest.raises(DTypeError, match=rf"{name}: the result\[1\] is .*bool"):
        transform(lambda x: (x, x > 0), X)


def test_integer_results_beside_the_result():
    _, tangent, count = jvp(lambda x: (x * 2, ad.argmax(x)), (X,), (V,), has_aux=True)
    np.testing.assert_allclose(tangent.numpy(), 2 * V)
    assert count.dtype == np.int64


def test_an_argument_returned_as_it_is():
    value, pullback = vjp(lambda x: x, X)
    np.testing.assert_allclose(value.numpy(), X)
    np.testing.assert_allclose(pullback(V)[0].numpy(), V)
    np.testing.assert_allclose(jacobian(lambda x: x)(X).numpy(), np.eye(3))
    assert grad(lambda x: x)(2.0).item() == 1.0
    assert [j.item() for j in jacobian(lambda x: (x, x))(2.0)] == [1.0, 1.0]


def test_dictionaries_are_matched_by_key():
    _, pullback = vjp(lambda x: {"a": x, "b": 10 * x}, X)
    (g,) = pullback({"b": V, "a": X})
    np.testing.assert_allclose(g.numpy(), X + 10 * V)


def test_no_arguments():
    value, pullback = vjp(lambda: ad.tensor(2.0))
    assert value.item() == 2.0
    assert pullback(1.0) == ()
    assert grad(cube, argnums=())(2.0) == ()
    assert jvp(lambda: ad.tensor(2.0), (), ())[1].item() == 0.0


def test_one_tensor_twice_among_the_results():
    def f(x):
        y = x * x
        return y, {"again": y}, None

    value, pullback = vjp(f, X)
    assert value[2] is None
    (g,) = pullback((V, {"again": 10 * V}, None))
    np.testing.assert_allclose(g.numpy(), 22 * X * V)
    _, tangent = jvp(f, (X,), (V,))
    np.testing.assert_allclose(tangent[1]["again"].numpy(), 2 * X * V)


def test_functions_may_work_in_place():
    def f(x):
        x += 1.0
        x *= x
        return x.sum()

    given = ad.tensor(X)
    np.testing.assert_allclose(grad(f)(given).numpy(), 2 * (X + 1))
    np.testing.assert_allclose(given.numpy(), X)


def test_results_share_no_memory_with_arguments():
    x, u = ad.tensor(X), ad.tensor(V)
    (g,) = vjp(lambda x: x + 0.0, x)[1](u)
    assert not np.shares_memory(g.numpy(), u.numpy())
    _, t = jvp(lambda x: +x, (x,), (u,))
    assert not np.shares_memory(t.numpy(), u.numpy())


def test_a_pullback_outlives_changes_of_the_array():
    x = X.copy()
    _, pullback = vjp(lambda x: x * x, x)
    x[:] = 0
    np.testing.assert_allclose(pullback(np.ones(3))[0].numpy(), 2 * X)


def test_callable_objects():
    class Scale:
        """Scales."""

        def __init__(self):
            self.factor = 3.0

        def __call__(self, x):
            return x * self.factor

    transformed = grad(Scale())
    assert transformed(2.0).item() == 3.0
    assert not hasattr(transformed, "factor")


def test_transforms_keep_name_and_documentation():
    assert grad(cube).__name__ == "cube"
    assert jacobian(bowl).__doc__ == bowl.__doc__


# -- nesting ------------------------------------------------


def test_orders_to_the_sixth():
    f = ad.sin
    expected = [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos]
    for derivative in expected:
        f = grad(f)
        assert f(0.7).item() == pytest.approx(float(derivative(0.7)), rel=1e-12)


def test_perturbation_confusion_of_siskind_and_pearlmutter():
    """d/dx [x * d/dy (x + y)] = 1, and not 2."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0).item() == 6.0
    assert grad(lambda x: x * grad(lambda y: y * y * x)(x))(3.0).item() == 3 * 2 * 9.0


def test_confusion_with_a_closure_that_escapes():
    """Manzyuk et al.: the derivative of a curried function must not capture a later variable.

    D (lambda x: lambda g: lambda y: g(x + y)), taken at 0, applied twice to exp: the escaped
    pullbacks are evaluated inside a later derivative.
    """
    functions = []

    def f(x):
        functions.append(lambda y: x * y)
        return x * x

    grad(f)(3.0)
    assert grad(lambda y: functions[0](y) * y)(2.0).item() == 12.0


def test_shadowed_names():
    """d/dx (d/dx' x'^3 at x' = x^2) = 6 x^2 * 2 x."""
    assert grad(lambda x: grad(cube)(x * x))(2.0).item() == pytest.approx(6 * 4 * 4)


def test_three_levels_that_close_over_each_other():
    def f(x):
        def g(y):
            def h(z):
                return x * y * y * z * z * z

            return x * grad(h)(y)  # x * 3 x y^2 y^2

        return grad(g)(x) * x  # 12 x^2 y^3 * x at y = x: 12 x^6

    assert grad(f)(1.5).item() == pytest.approx(72 * 1.5**5)


def test_forward_over_reverse_and_reverse_over_forward():
    along = jvp(grad(bowl), (X,), (V,))[1]
    np.testing.assert_allclose(along.numpy(), bowl_hessian(X) @ V, rtol=1e-12)
    back = grad(lambda x: jvp(bowl, (x,), (V,))[1])(X)
    np.testing.assert_allclose(back.numpy(), bowl_hessian(X) @ V, rtol=1e-12)


def test_forward_over_forward():
    """Also perturbation confusion's first home: d/dx [x * d/dy (x + y)] in forward mode."""

    def inner(x):
        return x * jvp(lambda y: x + y, (1.0,), (1.0,))[1]

    assert jvp(inner, (1.0,), (1.0,))[1].item() == 1.0
    second = jvp(lambda x: jvp(cube, (x,), (1.0,))[1], (2.0,), (1.0,))[1]
    assert second.item() == pytest.approx(12.0)


def test_jvp_is_differentiable_in_its_tangent():
    g = grad(lambda v: (jvp(ad.sin, (X,), (v,))[1] ** 2).sum())(V)
    np.testing.assert_allclose(g.numpy(), 2 * np.cos(X) ** 2 * V)


def test_vjp_is_differentiable_in_its_cotangent_and_its_point():
    def f(x, u):
        (g,) = vjp(ad.sin, x)[1](u)
        return (g * g).sum()

    gx, gu = grad(f, argnums=(0, 1))(X, V)
    np.testing.assert_allclose(gx.numpy(), -2 * V**2 * np.cos(X) * np.sin(X), rtol=1e-12)
    np.testing.assert_allclose(gu.numpy(), 2 * V * np.cos(X) ** 2, rtol=1e-12)


def test_a_pullback_that_is_called_inside_another_transform():
    _, pullback = vjp(lambda x: x * x, X)
    g = grad(lambda u: (pullback(u)[0] ** 2).sum())(V)
    np.testing.assert_allclose(g.numpy(), 8 * X**2 * V)


def test_hvp_and_hessian_inside_grad():
    third = grad(lambda x: hvp(cube, (x,), (1.0,))[1][0])(2.0)
    assert third.item() == pytest.approx(6.0)
    trace = grad(lambda x: ad.trace(hessian(lambda y: (y**4).sum())(x)))(X)
    np.testing.assert_allclose(trace.numpy(), 24 * X, rtol=1e-12)


def test_jacobian_of_a_gradient_is_the_hessian():
    np.testing.assert_allclose(jacobian(grad(bowl))(X).numpy(), bowl_hessian(X), rtol=1e-12)


def test_grad_through_an_inner_gradient_descent():
    """Differentiating the steps of an optimiser, by its learning rate."""

    def after(rate):
        x = ad.tensor(1.0)
        for _ in range(3):
            x = x - rate * grad(lambda x: x * x)(x)
        return x

    assert grad(after)(0.1).item() == pytest.approx(-6 * 0.8**2)


# -- other people's graphs ------------------------------------------------


def test_results_lead_to_leaves_that_were_closed_over():
    w = ad.tensor(V, requires_grad=True)
    g = grad(lambda x: (x * x * w).sum())(X)
    assert g.requires_grad
    assert w.grad is None
    (g * ad.tensor([1.0, 10.0, 100.0])).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * X * np.array([1, 10, 100]))


def test_results_lead_to_leaves_that_were_given():
    x = ad.tensor(X, requires_grad=True)
    g = grad(bowl)(x)
    assert x.grad is None
    (g * ad.tensor(V)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), bowl_hessian(X) @ V, rtol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_nothing_is_added_to_leaves(name):
    x, w = (ad.tensor(v, requires_grad=True) for v in (X, V))
    TRANSFORMS[name](lambda x: (x**3 * w).sum(), x)
    assert x.grad is None
    assert w.grad is None


def tensors_in(result):
    return [
        leaf
        for _, leaf in __import__("autodiff.trees").trees.flatten(result)
        if isinstance(leaf, ad.Tensor)
    ]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_grad_gives_results_without_a_graph(name):
    x, w = (ad.tensor(v, requires_grad=True) for v in (X, V))

    def f(x):
        assert ad.is_grad_enabled()
        return (x**3 * w).sum()

    plain = tensors_in(TRANSFORMS[name](lambda x: (x**3 * w.detach()).sum(), X))
    with ad.no_grad():
        result = tensors_in(TRANSFORMS[name](f, x))
        assert not ad.is_grad_enabled()
    linked = tensors_in(TRANSFORMS[name](f, x))
    for a, b, c in zip(result, plain, linked, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy())
        np.testing.assert_allclose(c.detach().numpy(), b.numpy())
        assert not a.requires_grad
        assert c.requires_grad


@pytest.mark.parametrize("name", TRANSFORMS)
def test_results_have_no_graph_where_nobody_could_want_one(name):
    for result in tensors_in(TRANSFORMS[name](lambda x: (x**3).sum(), ad.tensor(X))):
        assert not result.requires_grad


def test_a_graph_for_those_results_alone_that_need_one():
    w = ad.tensor(2.0, requires_grad=True)
    gx, gy = grad(lambda x, y: x * x + w * y * y, argnums=(0, 1))(3.0, 5.0)
    assert not gx.requires_grad
    assert gy.requires_grad
    assert ad.grad(gy, w)[0].item() == 10.0


def test_hessian_that_closes_over_a_leaf():
    w = ad.tensor(2.0, requires_grad=True)
    h = hessian(lambda x: (w * w * x**3).sum())(X)
    np.testing.assert_allclose(h.detach().numpy(), np.diag(4 * 6 * X))
    (g,) = ad.grad(h.sum(), w)
    np.testing.assert_allclose(g.item(), (4 * 6 * X).sum())


def test_aux_stays_differentiable_after_the_pass():
    """The pass for the gradient must not free what a linked aux still needs."""
    w = ad.tensor(V, requires_grad=True)

    def f(x):
        h = ad.exp(x)
        return h.sum(), (h * w).sum()

    g, aux = grad(f, has_aux=True)(X)
    assert not g.requires_grad
    aux.backward()
    np.testing.assert_allclose(w.grad.numpy(), np.exp(X))


def test_outer_graph_is_not_freed():
    x = ad.tensor(X, requires_grad=True)
    h = ad.exp(x)
    with ad.no_grad():
        grad(lambda y: (y * h).sum())(h)
    h.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(X))


def test_backward_inside_a_function():
    """A function that uses the other verbs inside does so on its own."""
    w = ad.tensor(2.0, requires_grad=True)

    def f(x):
        (w * w).backward()
        return x * x

    assert grad(f)(3.0).item() == 6.0
    assert w.grad.item() == 4.0


def test_a_pullback_records_as_its_own_caller_does():
    w = ad.tensor(V, requires_grad=True)

    def f(x):
        return x * x * w

    _, pullback = vjp(f, X)
    assert pullback(np.ones(3))[0].requires_grad
    with ad.no_grad():
        assert not pullback(np.ones(3))[0].requires_grad
        value, quiet = vjp(f, X)
    assert not value.requires_grad
    (g,) = quiet(np.ones(3))
    np.testing.assert_allclose(ad.grad(g.sum(), w)[0].numpy(), 2 * X)


def test_a_stop_inside():
    def f(x):
        with ad.no_grad():
            y = grad(cube)(x)
        return x * y

    assert grad(f)(2.0).item() == 12.0
    assert grad(lambda x: x * grad(cube)(x).detach())(2.0).item() == 12.0


def test_hooks_on_variables():
    def f(x):
        x.register_hook(lambda g: g * 10)
        return x * x

    assert grad(f)(3.0).item() == 60.0


def test_modes_are_restored_after_an_error():
    with ad.no_grad():
        for transform in TRANSFORMS.values():
            with pytest.raises(ZeroDivisionError):
                transform(lambda x: 1 / 0, X)
            assert not ad.is_grad_enabled()


def test_threads():
    """Nested transforms in several threads at once, over one leaf and one pullback."""
    w = ad.tensor(V, requires_grad=True)
    _, pullback = vjp(lambda x: (x**3 * w).sum(), X)
    expected = np.diag(6 * X * V)
    failures = []

    def work():
        with ad.default_dtype(ad.float64):
            for _ in range(20):
                h = hessian(lambda x: (x**3 * w).sum())(X)
                (g,) = pullback(1.0)
                (linked,) = ad.grad(g.sum(), w)
                if not (
                    np.allclose(h.detach().numpy(), expected)
                    and np.allclose(g.detach().numpy(), 3 * X**2 * V)
                    and np.allclose(linked.numpy(), 3 * X**2)
                ):
                    failures.append(h)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert w.grad is None


def test_functions_that_record_less_inside():
    def f(x):
        ad.set_grad_enabled(False)
        return x * x

    assert grad(f)(3.0).item() == 0.0
    assert ad.is_grad_enabled()


# -- errors ------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    ("argument", "pattern"),
    [
        (3, r"argument 0 is Python int.*Give floating-point numbers"),
        (True, r"argument 0 is Python bool.*Give floating-point numbers"),
        ({"n": [np.ones(2), np.arange(2)]}, r"argument 0\['n'\]\[1\] is \(2,\) int64"),
        (ad.tensor([1, 2]), r"argument 0 is \(2,\) int64.*argnums"),
        (1j, r"argument 0 is Python complex.*real and imaginary parts"),
        (np.ones(2, np.complex64), r"argument 0 is \(2,\) complex64.*real and imaginary"),
        ("text", r"argument 0 is str.*Give tensors"),
    ],
)
def test_arguments_without_derivatives(name, argument, pattern):
    with pytest.raises(DTypeError, match=rf"^{name}: {pattern}"):
        TRANSFORMS[name](lambda x: x, argument)


def test_argument_positions_are_named():
    with pytest.raises(DTypeError, match=r"argument 2\['k'\] is Python int"):
        grad(lambda x, y, z: x, argnums=(0, 2))(1.0, 2, {"k": 3})


@pytest.mark.parametrize("argnums", [1, -2, (0, 5)])
def test_argnums_out_of_range(argnums):
    with pytest.raises(OptionError, match=r"grad: argnums .* has 1 positional arguments"):
        grad(cube, argnums)(2.0)


@pytest.mark.parametrize("argnums", [(0, 0), (0, -1)])
def test_argnums_twice(argnums):
    with pytest.raises(OptionError, match=r"twice"):
        grad(cube, argnums)(2.0)


@pytest.mark.parametrize("argnums", ["x", 1.0, (0, "y"), True, None])
def test_argnums_of_a_wrong_kind(argnums):
    with pytest.raises(OptionError, match=r"argnums must be an int or a tuple of ints"):
        grad(cube, argnums)(2.0)


def test_no_function():
    for transform in (grad, value_and_grad, jacobian, hessian, vjp):
        with pytest.raises(OptionError, match=r"must be a function.*autodiff.grad"):
            transform(ad.tensor(1.0))
    for transform in (jvp, hvp):
        with pytest.raises(OptionError, match=r"must be a function"):
            transform(2.0, (1.0,), (1.0,))


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "hvp"])
def test_results_that_are_no_scalars(name):
    transform = TRANSFORMS[name]
    with pytest.raises(ShapeError, match=rf"{name}: .*a scalar, not \(3,\) float64.*jacobian"):
        transform(lambda x: x, X)
    with pytest.raises(ShapeError, match=r"one scalar, not a tuple of 2.*has_aux"):
        transform(lambda x: (x.sum(), x), X)
    with pytest.raises(DTypeError, match=r"complex128.*must be real"):
        transform(lambda x: x.sum() * 1j, X)
    with pytest.raises(DTypeError, match=r"int64.*only floating"):
        transform(ad.argmax, X)


def test_results_of_a_wrong_kind():
    with pytest.raises(DTypeError, match=r"the result\['s'\] is str.*has_aux"):
        jacobian(lambda x: {"s": "text"})(X)
    with pytest.raises(OptionError, match=r"must return a pair"):
        grad(cube, has_aux=True)(2.0)
    with pytest.raises(NoGradientError, match=r"jacobian: the result is complex.*jvp"):
        jacobian(lambda x: x * 1j)(X)


def test_cotangents_and_tangents_are_checked():
    _, pullback = vjp(lambda x: {"a": x, "b": [x, x]}, X)
    with pytest.raises(ShapeError, match=r"cotangent has no 'b'|a dict of 1"):
        pullback({"a": X})
    with pytest.raises(ShapeError, match=r"cotangent has no 'b'"):
        pullback({"a": X, "c": [X, X]})
    with pytest.raises(ShapeError, match=r"cotangent\['b'\] is a list of 1"):
        pullback({"a": X, "b": [X]})
    with pytest.raises(ShapeError, match=r"cotangent\['b'\]\[0\] is \(2,\) float64.*\(3,\)"):
        pullback({"a": X, "b": [X[:2], X]})
    with pytest.raises(DTypeError, match=r"cotangent\['a'\] is str"):
        pullback({"a": "text", "b": [X, X]})
    for transform in (jvp, hvp):
        f = bowl if transform is hvp else cube
        with pytest.raises(ShapeError, match=r"tangents\[0\] is \(2,\)"):
            transform(f, (X,), (V[:2],))
        with pytest.raises(ShapeError, match=r"tangents is a tuple of 2"):
            transform(f, (X,), (V, V))
        with pytest.raises(OptionError, match=r"primals must be a tuple.*\(primal,\)"):
            transform(f, X, (V,))
        with pytest.raises(OptionError, match=r"tangents must be a tuple"):
            transform(f, (X,), V)
        with pytest.raises(ShapeError, match=r"real numbers"):
            transform(f, (X,), (V * 1j,))


def test_lists_of_numbers_stand_for_arrays():
    _, pullback = vjp(lambda x: x * x, X)
    np.testing.assert_allclose(pullback([1.0, 2.0, 3.0])[0].numpy(), 2 * X * [1, 2, 3])


def test_graph_errors_reach_the_user():
    x = ad.tensor(X, requires_grad=True)
    h = ad.exp(x)
    g = grad(lambda y: (y * h).sum())(X)
    h.sum().backward()
    with pytest.raises(GraphError, match=r"freed"):
        g.sum().backward()


@pytest.mark.parametrize(
    "leaves",
    [math.sin, lambda x: float(x) ** 2, lambda x: x.detach().numpy(), lambda _: 3.0],
)
def test_functions_that_leave_the_graph_are_refused(leaves):
    for transform in (ad.func.grad, ad.func.jacobian, ad.func.value_and_grad):
        with pytest.raises(ad.DTypeError, match="leave the graph"):
            transform(leaves)(1.0)


def test_an_unused_input_frees_nothing():
    x, z = ad.tensor(2.0, requires_grad=True), ad.tensor(1.0, requires_grad=True)
    y = x * x
    with pytest.raises(ad.GraphError, match="do not depend"):
        ad.grad(y, [x, z])
    assert ad.grad(y, [x])[0].item() == 4.0


def test_products_with_respect_to_chosen_arguments():
    def f(x, n, y):
        return x**2 * y * n

    x, y = ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0])
    n = np.array([2, 3])  # integers, which can't be differentiated, only passed
    value, pullback = ad.func.vjp(f, x, n, y, argnums=(0, 2))
    assert [g.tolist() for g in pullback([1.0, 1.0])] == [[12.0, 48.0], [2.0, 12.0]]
    _, pullback = ad.func.vjp(f, x, n, y, argnums=2)
    assert pullback([1.0, 1.0]).tolist() == [2.0, 12.0]
    other, tangent = ad.func.jvp(f, (x, n, y), ([1.0, 1.0],), argnums=-1)
    assert value.tolist() == other.tolist()
    assert tangent.tolist() == [2.0, 12.0]

    def total(*args):
        return f(*args).sum()

    _, (first, last) = ad.func.hvp(total, (x, n, y), ([1.0, 0.0], [0.0, 1.0]), argnums=(0, 2))
    assert first.tolist() == [12.0, 12.0]
    assert last.tolist() == [4.0, 0.0]
    assert ad.func.hvp(total, (x, n, y), ([1.0, 1.0],), argnums=0)[1].tolist() == [12.0, 24.0]
    with pytest.raises(ad.ShapeError, match="tangents"):
        ad.func.jvp(f, (x, n, y), ([1.0, 1.0], [1.0, 1.0]), argnums=0)
    with pytest.raises(ad.OptionError, match="argnums 3"):
        ad.func.vjp(f, x, n, y, argnums=3)
