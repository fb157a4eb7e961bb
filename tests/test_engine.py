"""Declaring operations: binding, plans, what nodes keep, several results, errors."""

from __future__ import annotations

import enum
import gc

import numpy as np
import pytest

import autodiff as ad
from autodiff.engine.modes import observe
from autodiff.engine.primitive import composite, primitives
from autodiff.namespace import NUMPY, library, namespace_of, tensors


def leaf(*shape, value=1.5):
    return ad.tensor(np.full(shape, value), requires_grad=True)


# -- operations of one's own ----------------------------------------------------------------


def scaled_sine():
    @ad.primitive
    def scaled_sine(xp, x, y, /, factor, *, shift=0.0):
        return factor * xp.sin(x) * y + shift

    @scaled_sine.vjp("x")
    def _(xp, g, x, y, factor):
        return g * factor * xp.cos(x) * y

    @scaled_sine.vjp("y")
    def _(xp, g, x, factor):
        return g * factor * xp.sin(x)

    return scaled_sine


def test_options_by_position_and_by_name():
    f = scaled_sine()
    x, y = leaf(3), leaf(3)
    a = f(x, y, 2.0, shift=1.0)
    b = f(x, y, factor=2.0, shift=1.0)
    np.testing.assert_array_equal(a.detach().numpy(), 2 * np.sin(1.5) * 1.5 + 1)
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_own_operation_differentiates_twice():
    f = scaled_sine()
    x, y = leaf(3), leaf(3)
    (g,) = ad.grad(f(x, y, 2.0).sum(), [x], create_graph=True)
    (gg,) = ad.grad(g.sum(), [x])
    np.testing.assert_allclose(gg.numpy(), -2 * np.sin(1.5) * 1.5)


def test_own_operations_stay_out_of_the_registry():
    scaled_sine()
    assert "scaled_sine" not in primitives
    assert not hasattr(tensors, "scaled_sine")


def test_without_a_slash_operands_are_what_has_no_default():
    @ad.primitive
    def stretch(xp, x, by=2.0):
        return x * by

    @stretch.vjp
    def _(xp, g, by):
        return g * by

    x = leaf(2)
    stretch(x, by=3.0).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_function_name_signature_and_text_are_kept():
    f = scaled_sine()
    assert f.__name__ == "scaled_sine"
    assert list(f.__signature__.parameters) == ["x", "y", "factor", "shift"]
    assert repr(f.primitive) == "<primitive scaled_sine(x, y, factor, shift)>"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x: f(x, x), r"missing 1 required positional argument: 'factor'"),
        (lambda f, x: f(x), "missing 2 required positional arguments: 'y' and 'factor'"),
        (lambda f, _: f(), "missing 3 required.*called on nothing"),
        (lambda f, x: f(x, x, 1.0, 2.0), "takes 3 positional arguments but 4 were given"),
        (
            lambda f, x: f(x, x, 1.0, bogus=2),
            r"unexpected keyword argument 'bogus'.*\(3,\) float64, \(3,\)",
        ),
        (lambda f, x: f(x, x, 1.0, factor=2), "multiple values for argument 'factor'"),
    ],
)
def test_wrong_calls_name_the_operation_and_its_signature(call, message):
    with pytest.raises(ad.OptionError, match=message) as caught:
        call(scaled_sine(), leaf(3))
    assert "scaled_sine" in str(caught.value)


def test_an_unknown_option_of_a_library_function_shows_its_signature():
    with pytest.raises(ad.OptionError, match=r"keyword argument .axes.*sum\(.*axis=None"):
        ad.sum(leaf(3), axes=0)


def test_reserved_parameter_names_are_refused():
    with pytest.raises(ad.OptionError, match="reserved"):

        @ad.primitive
        def bad(xp, out, /):
            return out


def test_what_rules_read_of_an_operand_is_no_option():
    with pytest.raises(ad.OptionError, match=r"'x_strides'.*reserved"):

        @ad.primitive
        def bad(xp, x, /, *, x_strides=None):
            return x


def test_rules_may_read_only_what_there_is():
    f = scaled_sine()
    with pytest.raises(ad.OptionError, match="can't give"):

        @f.vjp("x")
        def _(xp, g, nonsense):
            return g

    with pytest.raises(ad.OptionError, match="no array operand 'z'"):

        @f.vjp("z")
        def _(xp, g):
            return g

    with pytest.raises(ad.OptionError, match="has several operands"):

        @f.vjp
        def _(xp, g):
            return g


def test_a_missing_rule_is_an_error_only_when_a_gradient_is_asked_for():
    @ad.primitive
    def ruleless(xp, x, y, /):
        return x * y

    x = leaf(2)
    out = ruleless(x, x)
    with pytest.raises(
        ad.NoGradientError, match=r"ruleless has no derivative with respect to .x.*@ruleless.vjp"
    ):
        out.sum().backward()
    assert x.grad is None


def test_a_rule_of_the_wrong_shape_is_named():
    @ad.primitive
    def flat(xp, x, /):
        return x.sum()

    @flat.vjp
    def _(xp, g):
        return g  # forgets to give each element its share

    x = leaf(2, 3)
    with pytest.raises(ad.RuleError, match=r"flat\(x: \(2, 3\) float64\).*shape \(\)"):
        flat(x).backward()
    assert x.grad is None


def test_optional_operands():
    @ad.primitive
    def affine(xp, x, scale, shift=None, /):
        return x * scale if shift is None else x * scale + shift

    @affine.vjp("x")
    def _(xp, g, scale):
        return g * scale

    @affine.vjp("scale")
    def _(xp, g, x):
        return g * x

    @affine.vjp("shift")
    def _(xp, g):
        return g

    x, scale, shift = leaf(2), leaf(), leaf(2)
    affine(x, scale).sum().backward()
    assert shift.grad is None
    affine(x, scale, shift=shift).sum().backward()
    assert shift.grad.tolist() == [1.0, 1.0]
    assert scale.grad.item() == pytest.approx(6.0)


def test_variadic_operands_get_their_position():
    @ad.primitive
    def weighted(xp, *arrays):
        return sum((i + 1) * a for i, a in enumerate(arrays))

    @weighted.vjp("arrays")
    def _(xp, g, position, arrays_shape):
        assert arrays_shape == ((2,), (2,), ())
        return (position + 1) * g

    x, y, z = leaf(2), leaf(2), leaf()
    weighted(x, y, z).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad.tolist() == [2.0, 2.0]
    assert z.grad.item() == 6.0
    with pytest.raises(ad.OptionError, match="unexpected keyword argument 'axis'"):
        weighted(x, axis=0)


def test_variadic_operands_saved_and_differentiated_twice():
    @ad.primitive
    def product(xp, *arrays):
        out = 1.0
        for a in arrays:
            out = out * a
        return out

    @product.vjp("arrays")
    def _(xp, g, position, arrays):
        for i, a in enumerate(arrays):
            if i != position:
                g = g * a
        return g

    x, y = leaf(2), leaf(2, value=3.0)
    (gx,) = ad.grad(product(x, y, y).sum(), [x], create_graph=True)
    gx.sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), 2 * 3.0)


def polar():
    @ad.primitive
    def polar(xp, x, y, /):
        return xp.sqrt(x * x + y * y), xp.atan2(y, x)

    @polar.vjp("x")
    def _(xp, g, x, y, out):
        gr, ga = g.filled(xp)
        return gr * x / out[0] - ga * y / out[0] ** 2

    @polar.vjp("y")
    def _(xp, g, x, y, out):
        gr, ga = g.filled(xp)
        return gr * y / out[0] + ga * x / out[0] ** 2

    return polar


def test_several_results_of_which_one_is_used():
    x, y = leaf(value=3.0), leaf(value=4.0)
    r, a = polar()(x, y)
    assert (r.requires_grad, a.requires_grad) == (True, True)
    r.backward(retain_graph=True)
    assert (x.grad.item(), y.grad.item()) == (0.6, 0.8)
    x.grad = y.grad = None
    (r * a).backward()
    angle = np.arctan2(4, 3)
    assert x.grad.item() == pytest.approx(0.6 * angle - 5 * 4 / 25)


def test_several_results_to_second_order():
    x, y = leaf(value=3.0), leaf(value=4.0)
    r, a = polar()(x, y)
    (gx,) = ad.grad(r * a, [x], create_graph=True)
    (gxy,) = ad.grad(gx, [y])

    def slope(v):
        xx, yy = leaf(value=3.0), leaf(value=v)
        rr, aa = polar()(xx, yy)
        return ad.grad(rr * aa, [xx])[0].item()

    assert gxy.item() == pytest.approx((slope(4.001) - slope(3.999)) / 0.002, rel=1e-6)


def test_several_results_under_no_grad():
    with ad.no_grad():
        r, a = polar()(leaf(value=3.0), leaf(value=4.0))
    assert not r.requires_grad
    assert not a.requires_grad


def test_a_rule_added_after_the_first_call_is_found():
    @ad.primitive
    def late(xp, x, /):
        return x * 2

    @ad.primitive
    def late_with_options(xp, x, /, factor=2.0):
        return x * factor

    for operation in (late, late_with_options):
        x = leaf(2)
        with pytest.raises(ad.NoGradientError):
            operation(x).sum().backward()

        @operation.vjp
        def _(xp, g):
            return g * 2

        operation(x).sum().backward()
        assert x.grad.tolist() == [2.0, 2.0]


def test_results_of_integers_and_booleans_have_no_node():
    @ad.primitive
    def positive(xp, x, /):
        return x > 0

    @ad.primitive
    def larger(xp, x, y, /):
        return x > y

    assert not positive(leaf(2)).requires_grad
    assert not larger(leaf(2), 1.0).requires_grad
    assert not larger(1.0, leaf(2)).requires_grad


def test_one_of_several_results_names_its_operation():
    r, _ = polar()(leaf(value=3.0), leaf(value=4.0))
    assert r.node.operation == "polar"
    assert "op=polar" in repr(r)


def test_real_parts_of_complex_gradients_keep_their_sign():
    x = ad.tensor(1.0, requires_grad=True)
    ad.real(x * (-2 + 1j)).backward()
    assert x.grad.item() == -2.0


def test_what_holds_no_numbers_is_refused():
    with pytest.raises(ad.DTypeError, match=r"where\(.*an operand that is None"):
        ad.where(ad.tensor([True, False]), leaf(2), None)
    for x in (leaf(2), ad.ones(2)):
        with pytest.raises(ad.DTypeError, match=r"astype\(.*dtype object"):
            ad.astype(x, object)


def test_errors_of_values_are_not_called_errors_of_shapes():
    with pytest.raises(ad.DomainError, match=r"pow\(.*negative integer powers.*values"):
        ad.tensor([2, 3]) ** -1


def test_options_are_kept_as_they_were():
    x = leaf(4)
    axis, shift, index = [0], [1], np.array([0, 0, 1])
    rolled, taken = ad.roll(x, shift, axis=axis), x[index]
    shift[0], index[:] = 2, 3
    weights = np.arange(4.0)
    (gradient,) = ad.grad((rolled * weights).sum(), [x])
    assert gradient.tolist() == [1.0, 2.0, 3.0, 0.0]
    (gradient,) = ad.grad(taken.sum(), [x])
    assert gradient.tolist() == [2.0, 1.0, 0.0, 0.0]


def test_options_may_be_tensors_but_not_variables():
    assert type(ad.elu(leaf(2), alpha=ad.tensor(0.5)).array) is np.ndarray
    with pytest.raises(ad.NoGradientError, match=r"elu.*option 'alpha'"):
        ad.elu(leaf(2), alpha=leaf())


def test_what_a_users_operation_raises_stays_what_it_is():
    @ad.primitive
    def picky(xp, x, /):
        message = "mine"
        raise KeyError(message)

    with pytest.raises(KeyError, match="mine") as caught:
        picky(leaf(2))
    assert caught.value.__cause__ is None
    assert "in the operation picky(x: (2,) float64)" in caught.value.__notes__


@pytest.mark.parametrize("gives", [None, 2.0, "text"])
def test_a_rule_that_gives_no_gradient_is_named(gives):
    @ad.primitive
    def lost(xp, x, /):
        return x * 2

    @lost.vjp
    def _(xp, g):
        return gives

    with pytest.raises(ad.RuleError, match=r"the rule of lost\(x: \(2,\) float64\).*'x' failed"):
        lost(leaf(2)).sum().backward()


def test_forward_functions_begin_with_xp():
    with pytest.raises(ad.OptionError, match="first parameter of a forward function must be xp"):

        @ad.primitive
        def bad(x, /):
            return x


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ad.exp(x, axis=1),
        lambda x: ad.exp(x, 1),
        lambda x: ad.add(x, x, 1),
        ad.multiply,
        lambda x: ad.median(x, axes=0),
        lambda x: ad.linalg.inv(x, full=True),
        lambda _: ad.exp(),
    ],
)
def test_wrong_calls_are_typed_for_every_kind_of_operation(call):
    with pytest.raises(ad.OptionError, match="its signature is"):
        call(leaf(2, 2))


def test_operands_by_name():
    assert ad.exp(x=ad.zeros(1)).item() == 1.0
    assert ad.add(ad.ones(1), x2=2.0).item() == 3.0


def test_errors_of_the_package_are_not_their_own_cause():
    with pytest.raises(ad.DTypeError) as caught:
        ad.where(ad.tensor([True, False]), leaf(2), None)
    assert caught.value.__cause__ is not caught.value


@pytest.mark.parametrize("bad", [np.array([1, 2], dtype=object), np.ma.masked_array([1.0, 2.0])])
def test_arrays_without_numbers_are_refused(bad):
    with pytest.raises(ad.DTypeError, match="an operand that is an array"):
        ad.multiply(leaf(2), bad)


def test_numbers_of_other_classes_are_weak_too():
    class Factor(enum.IntEnum):
        TWO = 2

    x = ad.tensor([1.0])
    assert (x * Factor.TWO).dtype == np.float32
    assert ad.tensor(Factor.TWO).item() == 2


def test_values_that_do_not_fit_the_dtype():
    with pytest.raises(ad.DomainError, match="fits the dtype"):
        ad.tensor([1], dtype=ad.int8) + 300


def test_nodes_of_an_observed_graph_are_in_no_cycle():
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            nodes = []
            with observe(lambda *made, keep=nodes.append: keep(made[-1])):
                _ = leaf(2) * 2
            del nodes
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- what nodes keep --------------------------------------------------------------------------


def kept(tensor):
    return [value for value in tensor.node.saved if isinstance(value, np.ndarray)]


def test_a_node_keeps_only_what_its_rules_read():
    x, y = leaf(1000), ad.tensor(np.ones(1000))
    assert kept(x + y) == []
    product = x * y  # only x needs a gradient: its rule reads y
    assert [a is y.array for a in kept(product)] == [True]
    out = ad.tanh(x)
    assert [a is out.array for a in kept(out)] == [True]
    assert kept(x.sum()) == []
    assert kept(x.reshape(10, 100)) == []


def test_nothing_is_recorded_without_need():
    y = ad.tensor(np.ones(3))
    assert (y * y).node is None
    assert (leaf(3) > 0).node is None
    assert leaf(3).astype(ad.int64).node is None
    with ad.no_grad():
        assert (leaf(3) * 2).node is None


# -- operands and promotion ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_python_scalars_are_weak(dtype):
    x = ad.tensor(np.ones(3, dtype), requires_grad=True)
    for y in (x * 2, 2.5 * x, x / 3, x**2, 2.0**x, 1 - x, x + True):
        assert y.dtype == dtype
    (x * 2.5).sum().backward()
    assert x.grad.dtype == dtype


def test_scalars_that_meet_no_array_take_the_default_dtype():
    assert ad.exp(1.0).dtype == np.float32
    assert ad.add(1.0, 2).dtype == np.float32
    assert ad.add(1, 2).dtype == np.int64
    assert ad.sum([1.0, 2.0]).dtype == np.float32
    with ad.default_dtype(ad.float64):
        assert ad.exp(1.0).dtype == np.float64


def test_mixed_dtypes_promote_and_gradients_come_back():
    x = ad.tensor(np.ones(2, np.float32), requires_grad=True)
    y = ad.tensor(np.ones(2, np.float64), requires_grad=True)
    out = x * y
    assert out.dtype == np.float64
    out.sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("bad", ["text", object(), {"a": 1}, {1, 2}])
def test_other_operands_are_refused(bad):
    with pytest.raises(ad.DTypeError, match=r"add\(\(2,\) float64, .*operand of type"):
        ad.add(leaf(2), bad)
    with pytest.raises(ad.DTypeError, match=r"exp\(.*operand of type"):
        ad.exp(bad)
    with pytest.raises(ad.DTypeError, match=r"sum\(.*operand of type"):
        ad.sum(bad)


def test_lists_that_are_no_arrays_are_refused():
    with pytest.raises(ad.DTypeError, match="stack"):
        ad.tensor([leaf(2), leaf(2)])
    with pytest.raises(ad.DTypeError, match="holds no numbers"):
        ad.tensor(["a", "b"])
    with pytest.raises(ad.ShapeError, match="inhomogeneous"):
        ad.tensor([[1.0], [1.0, 2.0]])


# -- composites, namespaces, observers ---------------------------------------------------------


def test_composites_convert_their_operands():
    @composite
    def doubled(xp, x, y, /):
        return xp.add(x, y) * 2

    try:
        assert doubled([1.0, 2.0], 1.0).tolist() == [4.0, 6.0]
        x = leaf(2)
        doubled(x, 1.0).sum().backward()
        assert x.grad.tolist() == [2.0, 2.0]
        assert NUMPY.doubled(np.ones(2), 1.0).tolist() == [4.0, 4.0]
    finally:
        vars(tensors).pop("doubled", None)
        vars(NUMPY).pop("doubled", None)


def test_namespaces():
    assert library(np) is NUMPY
    assert namespace_of(np.ones(1)) is NUMPY
    assert namespace_of(2.0) is NUMPY
    assert NUMPY.linalg.solve is np.linalg.solve
    assert repr(NUMPY) == "<namespace numpy>"
    assert repr(tensors) == "<namespace tensors>"
    with pytest.raises(AttributeError, match="neither numpy nor autodiff has a function 'bogus'"):
        _ = NUMPY.bogus


def test_observers_see_every_node_and_add_up():
    seen, more = [], []
    x = leaf(2)
    with observe(lambda *made: seen.append((made[0].name, made[-1]))):
        y = ad.tanh(x) * 2
        with observe(lambda primitive, *_: more.append(primitive.name)):
            z = y.sum()
    x * x
    assert [name for name, _ in seen] == ["tanh", "multiply", "sum"]
    assert more == ["sum"]
    assert seen[-1][1] is z.node


def test_nodes_describe_themselves():
    x = leaf(2, 3)
    node = (x * 2).node
    assert node.describe() == "multiply(x1: (2, 3) float64, x2: constant) -> (2, 3) float64"
    assert "leaf" in x.node.describe()
    assert "multiply (2, 3) float64" in repr(node)


def public_functions():
    for prefix, space in (("", tensors), ("linalg.", tensors.linalg), ("fft.", tensors.fft)):
        for name, function in sorted(vars(space).items()):
            if not name.startswith("_") and callable(function) and function is not space:
                yield pytest.param(function, id=prefix + name)


@pytest.mark.parametrize(
    "function", [p for p in public_functions() if p.id not in ("linalg", "fft")]
)
def test_an_unknown_option_of_any_function_is_typed(function):
    with pytest.raises(ad.OptionError, match=r"(unexpected|missing).*its signature is"):
        function(ad.ones((2, 2)), foo=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ad.ones(4).backward(foo=1),
        lambda: ad.ones(4).reshape(4, foo=1),
        lambda: ad.ones(4).detach(foo=1),
        lambda: ad.ones(4).register_hook(),
        lambda: ad.Tensor(1.0, foo=1),
        lambda: ad.random.normal(foo=1),
        lambda: ad.random.seed(1, 2),
        lambda: ad.grad([], [], foo=1),
        lambda: ad.func.grad(ad.sum, foo=1),
        lambda: ad.func.vjp(ad.sum, 1.0, foo=1),
        lambda: ad.no_grad(foo=1),
        lambda: ad.set_grad_enabled(foo=True),
        lambda: ad.default_dtype("float64", foo=1),
        ad.set_default_dtype,
        lambda: ad.record(foo=1),
    ],
)
def test_an_unknown_argument_of_anything_that_is_called_is_typed(call):
    with pytest.raises(ad.OptionError, match="its signature is"):
        call()


def test_a_type_error_of_a_users_function_stays_as_it_is():
    def broken(x):
        return x + len(5)

    with pytest.raises(TypeError, match="has no len") as raised:
        ad.func.grad(broken)(1.0)
    assert not isinstance(raised.value, ad.AutodiffError)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda x: ad.sum(x, axis=(0, 0)), ad.AxisError, "sum.*duplicate.*each axis once"),
        (lambda x: ad.sum(x, axis="a"), ad.OptionError, "sum.*whole numbers"),
        (lambda x: x.reshape(2.5), ad.OptionError, "reshape.*whole numbers"),
        (lambda x: ad.squeeze(x, axis=0), ad.ShapeError, "axes of size 1 only"),
        (lambda x: x["a"], ad.IndexingError, "Index with integers"),
        (lambda x: x + None, ad.DTypeError, "add.*an operand that is None"),
        (lambda _: ad.triu(None), ad.DTypeError, "triu.*an operand that is None"),
        (lambda _: ad.relu(None), ad.DTypeError, "relu.*an operand that is None"),
        (lambda x: ad.concat([x, None]), ad.DTypeError, "an operand that is None"),
        (lambda _: ad.clip(None, 0, 1), ad.DTypeError, "an operand that is None"),
        (lambda x: ad.matrix_transpose(x[0]), ad.ShapeError, "matrix_transpose.*expand_dims"),
        (lambda x: x[None].transpose(0, 1), ad.ShapeError, "swapaxes exchanges two"),
        (lambda x: ad.tril(x.sum()), ad.ShapeError, "Give matrices"),
        (
            lambda x: ad.dot(x, x),
            ad.ShapeError,
            r"dot\(\(2, 3\) float32, \(2, 3\) float32\): matmul",
        ),
        (lambda x: ad.amax(x, axis=7), ad.AxisError, "^amax"),
        (lambda _: ad.full(3, None), ad.DTypeError, "Give a number"),
        (lambda _: ad.zeros(10**20), ad.ShapeError, "smaller sizes"),
        (lambda x: ad.quantile(x, "a"), ad.DomainError, "string"),
    ],
)
def test_the_advice_fits_the_mistake(call, kind, words):
    with pytest.raises(kind, match=words):
        call(ad.ones((2, 3)))
