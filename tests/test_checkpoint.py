"""Checkpoints: the same gradients, less memory."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import AnomalyError, GraphError, MutationError, OptionError
from autodiff.func import grad, hessian, jvp

RNG = np.random.default_rng(3)


def leaf(*shape):
    return ad.tensor(RNG.standard_normal(shape), requires_grad=True)


def block(x, w):
    return ad.tanh(x @ w) * x


def same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-14)
        assert a.dtype == b.dtype


def test_values_and_gradients():
    x, w = leaf(4, 3), leaf(3, 3)
    plain, saving = block(x, w), ad.checkpoint(block, x, w)
    same([saving], [plain])
    assert saving.requires_grad
    assert not saving.is_leaf
    same(ad.grad(saving.sum(), (x, w)), ad.grad(plain.sum(), (x, w)))


def test_gradients_of_what_is_closed_over():
    x, w, b = leaf(4, 3), leaf(3, 3), leaf(3)
    result = ad.checkpoint(lambda x: block(x, w) + b, x)
    same(ad.grad((result**2).sum(), (x, w, b)), ad.grad(((block(x, w) + b) ** 2).sum(), (x, w, b)))


def test_backward_accumulates_in_leaves():
    x, w = leaf(4, 3), leaf(3, 3)
    for _ in range(2):
        ad.checkpoint(block, x, w).sum().backward()
    expected = ad.grad(block(x, w).sum(), (x, w))
    same([x.grad, w.grad], [2 * g for g in expected])


def test_an_operand_that_leads_to_another():
    """Each path is counted once, although one thing used depends on another."""
    x = leaf(3)
    h = x * x
    saving = ad.checkpoint(lambda h: h * x + x, h)
    same(ad.grad(saving.sum(), x, retain_graph=True), ad.grad((h * x + x).sum(), x))


def test_fan_out_and_chains():
    x, w = leaf(4, 3), leaf(3, 3)
    y, z = x, x
    for _ in range(5):
        y = ad.checkpoint(block, y, w) + y
        z = block(z, w) + z
    same(ad.grad((y * y).sum(), (x, w)), ad.grad((z * z).sum(), (x, w)))


def test_trees_of_arguments_and_results():
    x, w = leaf(4, 3), leaf(3, 3)

    def f(arguments, *, power):
        y = block(arguments["x"], arguments["more"][0])
        return {"first": y**power, "rest": (y.sum(), "label", 7, None), "same": arguments["x"]}

    def total(result):
        return (result["first"] ** 2).sum() * result["rest"][0] + result["same"].sum()

    saving = ad.checkpoint(f, {"x": x, "more": [w]}, power=2)
    plain = f({"x": x, "more": [w]}, power=2)
    assert saving["rest"][1:] == ("label", 7, None)
    same(ad.grad(total(saving), (x, w)), ad.grad(total(plain), (x, w)))


def test_only_some_results_are_used():
    x = leaf(3)
    first, second = ad.checkpoint(lambda x: (x * x, ad.exp(x)), x)
    same(ad.grad(second.sum(), x), [ad.exp(x)])
    assert first.requires_grad


def test_one_tensor_twice_among_the_results():
    x = leaf(3)

    def f(x):
        y = x * x
        return y, y

    first, second = ad.checkpoint(f, x)
    same(ad.grad((first + 2 * second).sum(), x), [6 * x])


def test_operands_that_no_gradient_reaches():
    x, w = leaf(3), leaf(3)
    first, second = ad.checkpoint(lambda x, w: (x * x, w * w), x, w)
    gx, gw = ad.grad(first.sum(), (x, w), allow_unused=True)
    same([gx], [2 * x])
    assert gw is None or not gw.numpy().any()
    assert second.requires_grad


def test_a_keyword_named_function():
    x = leaf(3)
    y = ad.checkpoint(lambda x, *, function: function(x) * x, x, function=ad.exp)
    same(ad.grad(y.sum(), x), [ad.exp(x) * (x + 1)])


def test_nothing_to_differentiate():
    x = ad.tensor([1.0, 2.0])
    result = ad.checkpoint(lambda x: (x * 2, ad.argmax(x)), x)
    assert [r.requires_grad for r in result] == [False, False]
    assert ad.checkpoint(lambda: 3) == 3


def test_integer_results_beside_others():
    x = leaf(3)
    y, i = ad.checkpoint(lambda x: (x * 2, ad.argmax(x)), x)
    assert not i.requires_grad
    same(ad.grad(y.sum(), x), [ad.full(3, 2.0, dtype=np.float64)])


def test_a_leaf_made_inside():
    def f(x):
        return x * ad.tensor(np.ones(3), requires_grad=True)

    x = leaf(3)
    same(ad.grad(ad.checkpoint(f, x).sum(), x), [ad.ones(3, dtype=np.float64)])
    alone = ad.checkpoint(lambda: f(ad.tensor(np.ones(3))))
    assert alone.requires_grad


def test_without_recording_it_is_a_plain_call():
    x, w = leaf(4, 3), leaf(3, 3)
    calls = []
    with ad.no_grad():
        result = ad.checkpoint(lambda: (calls.append(1), block(x, w))[1])
    assert not result.requires_grad
    assert calls == [1]


def test_the_function_runs_once_more():
    x = leaf(3)
    calls = []

    def f(x):
        calls.append(1)
        return x * x * x

    y = ad.checkpoint(f, x).sum()
    assert len(calls) == 1
    y.backward(retain_graph=True)
    assert len(calls) == 2
    y.backward()
    assert len(calls) == 3
    with pytest.raises(GraphError, match=r"checkpoint.*freed.*retain_graph=True"):
        y.backward()


def test_second_order():
    x, w = leaf(4, 3), leaf(3, 3)

    def second(result):
        gx, gw = ad.grad((result**2).sum(), (x, w), create_graph=True)
        return ad.grad((gx**3).sum() + (gw**2).sum(), (x, w))

    same(second(ad.checkpoint(block, x, w)), second(block(x, w)))


def test_third_order_and_functional_forms():
    w = leaf(3)

    def f(x):
        return (ad.exp(x) * w * x).sum()

    def g(x):
        return ad.checkpoint(f, x)

    x = RNG.standard_normal(3)
    same([grad(g)(x)], [grad(f)(x)])
    same([hessian(g)(x)], [hessian(f)(x)])
    same([jvp(g, (x,), (x,))[1]], [jvp(f, (x,), (x,))[1]])
    third = [jvp(lambda x, h=h: hessian(h)(x), (x,), (x,))[1] for h in (f, g)]
    same([third[0]], [third[1]])
    inner = ad.checkpoint(grad(f), ad.tensor(x))
    same(ad.grad(inner.sum(), w), ad.grad(grad(f)(x).sum(), w))


def test_transforms_inside_a_recomputed_function():
    """The recomputation happens while an outer transform's variable is open."""

    def f(x):
        return ad.checkpoint(lambda: grad(lambda y: y * y * x)(3.0) * x)

    assert grad(f)(2.0).item() == pytest.approx(6 * 2 * 2.0)


def test_nested():
    x, w = leaf(4, 3), leaf(3, 3)

    def inner(x):
        return block(x, w)

    def outer(x):
        return ad.checkpoint(inner, ad.checkpoint(inner, x) * 2) + x

    plain = inner(inner(x) * 2) + x
    saving = ad.checkpoint(outer, x)
    same([saving], [plain])
    same(ad.grad(saving.sum(), (x, w)), ad.grad(plain.sum(), (x, w)))
    products = []
    for result in (ad.checkpoint(outer, x), inner(inner(x) * 2) + x):
        (g,) = ad.grad(result.sum(), x, create_graph=True)
        products.append(ad.grad((g * g).sum(), (x, w)))
    same(*products)


def test_complex_inside_and_outside():
    x = leaf(3)

    def f(z):
        return ad.exp(z) * z

    z = x * (1 + 2j)
    plain, saving = f(z), ad.checkpoint(f, z)
    same([saving], [plain])

    def loss(y):
        return (ad.real(y) * 2 + ad.imag(y)).sum()

    same(ad.grad(loss(saving), x, retain_graph=True), ad.grad(loss(plain), x))
    mixed = ad.checkpoint(lambda x: (ad.exp(x * 1j), x * x), x)
    expected = (ad.exp(x * 1j), x * x)
    same(
        ad.grad(loss(mixed[0]) + mixed[1].sum(), x),
        ad.grad(loss(expected[0]) + expected[1].sum(), x),
    )


def test_random_numbers_are_drawn_again():
    x = leaf(100)
    drawn = []

    def dropout(x):
        mask = ad.random.bernoulli(0.5, x.shape)
        drawn.append(mask.numpy().copy())
        return x * mask * x

    ad.random.seed(7)
    y = ad.checkpoint(dropout, x)
    after = ad.random.random(3).tolist()
    (g,) = ad.grad(y.sum(), x)
    assert (drawn[0] == drawn[1]).all()
    np.testing.assert_allclose(g.numpy(), 2 * x.array * drawn[0])
    ad.random.seed(7)
    dropout(x)
    assert ad.random.random(3).tolist() == after
    ad.random.seed(7)
    y = ad.checkpoint(dropout, x)
    ad.grad(y.sum(), x)
    assert ad.random.random(3).tolist() == after, "backward draws nothing from the stream"


def test_modes_are_the_first_call_s():
    x = leaf(3)
    seen = []

    def f(x):
        y = x * x
        seen.append((ad.is_grad_enabled(), y.node.scope, ad.tensor(1.0).dtype))
        return y

    with ad.name_scope("block"), ad.default_dtype(ad.float64):
        y = ad.checkpoint(f, x)
    assert y.node.scope == ("block",)
    total = y.sum()
    with ad.no_grad(), ad.name_scope("elsewhere"):
        total.backward()
        assert not ad.is_grad_enabled()
    assert seen == [(True, ("block",), np.float64)] * 2


def test_in_place_work_inside():
    x = leaf(3)

    def f(h):
        h += 1.0
        h *= h
        return h

    h = x * 2
    y = ad.checkpoint(f, h)
    same([h], [x * 2])
    h += 100.0
    same(ad.grad(y.sum(), x), [4 * (2 * x + 1)])


def test_an_overwritten_operand_is_found():
    for overwritten in range(3):
        x, w, b = leaf(4, 3), leaf(3, 3), leaf(3)
        c = ad.tensor(np.ones(3))
        y = ad.checkpoint(lambda x, c, w=w, b=b: block(x, w) + b * c, x, c)
        with ad.no_grad():
            (w, b, c)[overwritten][...] = 0.5
        with pytest.raises(MutationError, match=r"checkpoint.*overwritten"):
            y.sum().backward()
        assert w.grad is None


def test_an_overwritten_operand_of_a_nested_checkpoint_is_found():
    x, w = leaf(4, 3), leaf(3, 3)
    y = ad.checkpoint(lambda x: ad.checkpoint(block, x, w), x)
    with ad.no_grad():
        w += 1.0
    with pytest.raises(MutationError):
        y.sum().backward()


def test_a_function_that_does_not_repeat_itself():
    x, w = leaf(3), leaf(3)
    state = []

    def another_operand(x):
        state.append(1)
        return x * w if len(state) > 1 else x * x

    def another_shape(x):
        state.append(1)
        return ad.stack([x] * len(state))

    def no_dependence(x):
        state.append(1)
        return x * x if len(state) == 1 else x.detach()

    def fewer(x):
        state.append(1)
        return [x * x] * (3 - len(state))

    for function, pattern in (
        (another_operand, r"another_operand did not compute the same.*used the result of leaf"),
        (another_shape, r"its result 0 is \(2, 3\) float64 where it was \(1, 3\)"),
        (no_dependence, "its result 0 does not depend"),
        (fewer, "its result 1 is None where it was"),
    ):
        state.clear()
        y = ad.checkpoint(function, x)
        y = y if isinstance(y, ad.Tensor) else y[0] + y[1]
        with pytest.raises(GraphError, match=pattern):
            y.sum().backward()
        assert x.grad is None


def test_an_error_while_recomputing_restores_everything():
    x = leaf(3)
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) > 1:
            ad.random.random(3)
            raise ZeroDivisionError
        return x * x

    y = ad.checkpoint(f, x).sum()
    state = ad.random.get_state()
    with ad.no_grad(), pytest.raises(ZeroDivisionError):
        y.backward()
    assert ad.is_grad_enabled()
    assert ad.random.get_state() == state


def test_anomalies_inside_are_named():
    x = ad.tensor(np.zeros(2), requires_grad=True)
    with ad.detect_anomaly():
        y = ad.checkpoint(ad.sqrt, x).sum()
        with pytest.raises(AnomalyError, match=r"backward of sqrt"):
            y.backward()


def test_no_function():
    with pytest.raises(OptionError, match=r"\(3,\) float64.*Write checkpoint\(function"):
        ad.checkpoint(leaf(3), block)


def test_memory_is_saved():
    """A chain of 32 layers of 8 operations each, cut into layers."""

    def layer(x):
        for _ in range(8):
            x = ad.exp(x) - x
            x = x * 0.1
        return x

    def peak(run):
        x = ad.tensor(np.full(20_000, 0.1), requires_grad=True)
        gc.collect()
        tracemalloc.start()
        y = x
        for _ in range(32):
            y = run(y)
        held = tracemalloc.get_traced_memory()[0]
        y.sum().backward()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held, most, x.grad.numpy()

    plain_held, plain_most, expected = peak(layer)
    saving_held, saving_most, actual = peak(lambda x: ad.checkpoint(layer, x))
    np.testing.assert_allclose(actual, expected)
    assert saving_held < plain_held / 4
    assert saving_most < plain_most / 3


def test_nothing_is_kept_alive():
    gc.collect()
    x, w = leaf(3, 3), leaf(3, 3)
    y = ad.checkpoint(block, x, w).sum()
    y.backward()
    del y
    assert gc.collect() == 0


def test_observers_see_the_two_nodes():
    from autodiff.engine.modes import observe

    names = []
    x = leaf(3)
    with observe(lambda primitive, *_: names.append(primitive.name)):
        ad.checkpoint(lambda x: x * x, x)
    assert names[-2:] == ["checkpoint_inputs", "checkpoint"]


def test_many_checkpoints_take_linear_time():
    """A pass through one must not walk through all before it."""
    x = leaf(2)
    y = x
    for _ in range(3000):
        y = ad.checkpoint(lambda h: h * 0.999 + x * 0.001, y)
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
