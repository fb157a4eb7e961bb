# ruff: noqa: RUF001 - the signs of mathematics are meant
"""The passes as data: every number is the engine's, and what is missing is said."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw
from autodiff.draw.rules import ELEMENTWISE, rule_text
from autodiff.engine.primitive import primitives
from tests import test_primitives
from tests.draw.test_pictures import mlp_loss, neuron


def leaf_gradients(output):
    description = draw.describe_graph(output)
    found = draw.gradients(draw.backward_steps(output, description))
    return {
        vertex.name: found[i]
        for i, vertex in enumerate(description.vertices)
        if vertex.kind == "leaf" and i in found
    }


def test_forward_steps_are_the_operations_in_order():
    description = draw.describe_graph(neuron())
    names = [description.vertices[i].operation for i in draw.forward_steps(description)]
    assert names == ["multiply", "add", "tanh"]


def test_backward_steps_of_a_neuron():
    y = neuron()  # recorded, and freed by backward()
    description = draw.describe_graph(y)
    steps = draw.backward_steps(y, description)
    assert [step.operation for step in steps] == ["tanh", "add", "multiply"]
    assert not any(step.missing for step in steps)
    tanh = steps[0]
    assert float(tanh.upstream) == 1.0
    (only,) = tanh.contributions
    assert only.rule == "dx = dy · (1 − y²)"
    assert float(only.value) == pytest.approx(0.5, abs=1e-5)
    assert float(only.local) == pytest.approx(0.5, abs=1e-5)
    assert description.vertices[only.source].operation == "add"
    factors = steps[2].contributions
    assert [(c.operand, float(c.local)) for c in factors] == [("x1", -3.0), ("x2", 2.0)]
    assert [description.vertices[c.source].name for c in factors] == ["x", "w"]


def test_running_sums_are_in_order_of_arrival():
    x = ad.tensor(3.0, requires_grad=True, name="x")
    y = x * x + ad.exp(x)
    contributions = [c for step in draw.backward_steps(y) for c in step.contributions]
    into_x = [c for c in contributions if c.source == 0]
    assert [(c.arrival, c.arrivals) for c in into_x] == [(1, 3), (2, 3), (3, 3)]
    totals = [float(c.total) for c in into_x]
    assert totals == pytest.approx([np.exp(3), np.exp(3) + 3, np.exp(3) + 6], rel=1e-6)
    y.backward()
    assert into_x[-1].total == x.grad.array


@pytest.mark.parametrize("freed", [False, True])
def test_gradients_are_the_engines_to_the_last_bit(freed):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Linear(8, 3))
    with ad.record():
        h = model(ad.ones((5, 4)))
        q, k = ad.split(h, [1], axis=1)
        loss = nn.cross_entropy(h @ h.mT + q.sum() * k.mean(), ad.asarray(np.arange(5)))
    if freed:
        loss.backward()
    found = {id(p): p for p in model.parameters()}
    description = draw.describe_graph(loss, model.named_parameters())
    steps = draw.backward_steps(loss, description)
    assert not any(step.missing for step in steps)
    computed = draw.gradients(steps)
    if not freed:
        loss.backward()
    by_name = dict(model.named_parameters())
    leaves = {v.name: i for i, v in enumerate(description.vertices) if v.kind == "leaf"}
    assert set(leaves) == set(by_name)
    assert len(found) == len(leaves)
    for name, parameter in by_name.items():
        np.testing.assert_array_equal(computed[leaves[name]], parameter.grad.array)


@pytest.mark.parametrize("case", test_primitives.CASES, ids=str)
def test_every_primitive_is_walked_through_and_drawn(case):
    """On every case of the suite: the engine's numbers, text that fits, a picture."""
    with ad.record(), np.errstate(all="ignore"):
        leaves = [
            test_primitives.leaf(x) if test_primitives.variable(x) else x
            for x in test_primitives.operands_of(case)
        ]
        result = test_primitives.apply(case, leaves)
        scalar = test_primitives.weighed(result, test_primitives.weights(case, result))
    if not isinstance(scalar, ad.Tensor) or not scalar.requires_grad:
        return
    inputs = [x for x in leaves if isinstance(x, ad.Tensor) and x.node is not None]
    scalar.backward()
    description = draw.describe_graph(scalar, [(f"input {i}", x) for i, x in enumerate(inputs)])
    steps = draw.backward_steps(scalar, description)
    assert not any(step.missing for step in steps)
    found = draw.gradients(steps)
    names = {vertex.name: i for i, vertex in enumerate(description.vertices)}
    for i, x in enumerate(inputs):
        if x.grad is not None:
            np.testing.assert_array_equal(found[names[f"input {i}"]], x.grad.array)
    for step in steps:
        for c in step.contributions:
            if c.local is not None and step.operation in ELEMENTWISE:
                with np.errstate(all="ignore"):
                    product = step.upstream * c.local
                if np.isfinite(product).all():
                    total = np.sum(np.real(product)), np.sum(np.real(c.value))
                    np.testing.assert_allclose(*total, rtol=1e-6, atol=1e-6)
    assert max(map(len, draw.text(scalar).splitlines())) <= 100
    ET.fromstring(draw.svg(scalar))  # noqa: S314 - our own text


def test_a_checkpointed_function_is_one_step():
    x = ad.tensor([1.0, 2.0], requires_grad=True, name="x")
    with ad.record():
        y = ad.checkpoint(lambda v: ad.exp(v) * v, x).sum()
    y.backward()
    steps = draw.backward_steps(y)
    assert not any(step.missing for step in steps)
    np.testing.assert_array_equal(draw.gradients(steps)[0], x.grad.array)
    assert "checkpoint" in draw.text(y)
    assert "checkpoint" in draw.svg(y)


def test_a_gradients_own_graph_is_walked_through():
    x = ad.tensor([0.5, 2.0], requires_grad=True, name="x")
    with ad.record():
        (g,) = ad.grad((ad.sin(x) * x).sum(), [x], create_graph=True)
        y = ad.square(g).sum()
    y.backward()
    np.testing.assert_array_equal(draw.gradients(draw.backward_steps(y))[0], x.grad.array)


def test_upstream_times_local_is_the_contribution():
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = ad.tensor([0.5, 2.0], requires_grad=True)
    for step in draw.backward_steps((x * b / 3).sum()):
        for c in step.contributions:
            assert c.local is not None
            product = step.upstream * c.local
            axes = tuple(range(product.ndim - c.value.ndim))
            np.testing.assert_allclose(product.sum(axis=axes), c.value)


def test_complex_contributions_are_upstream_times_local():
    re = ad.tensor([1.0, 2.0], requires_grad=True)
    z = re + 1j * ad.asarray([2.0, 3.0])
    loss = ad.abs(z * z * (2 + 1j)).sum()
    steps = draw.backward_steps(loss)
    for step in steps:
        for c in step.contributions:
            if step.operation == "multiply":
                np.testing.assert_allclose(step.upstream * c.local, c.value)
    loss.backward()
    np.testing.assert_array_equal(draw.gradients(steps)[0], re.grad.array)


def test_what_is_missing_is_said_with_the_remedy():
    loss, _ = mlp_loss()
    steps = draw.backward_steps(loss)
    assert not any(step.missing for step in steps)
    loss.backward()
    steps = draw.backward_steps(loss)
    freed = [step for step in steps if "freed" in step.missing]
    assert freed
    assert all("with autodiff.record():" in step.missing for step in freed)
    assert all(c.rule for step in steps for c in step.contributions)
    assert leaf_gradients(loss) == {}


def test_overwritten_arrays_are_said():
    x = ad.tensor([2.0], requires_grad=True)
    w = ad.tensor([3.0], requires_grad=True)
    y = (x * w).sum()
    with ad.no_grad():
        w += 1
    assert any("overwritten" in step.missing for step in draw.backward_steps(y))
    with ad.record():
        y = (x * w).sum()
    with ad.no_grad():
        w += 1
    assert not any(step.missing for step in draw.backward_steps(y))
    assert draw.gradients(draw.backward_steps(y))[0].tolist() == [4.0]


def test_looking_changes_nothing():
    loss, named = mlp_loss()
    draw.backward_steps(loss)
    assert all(p.grad is None for _, p in named[:4])
    loss.backward()


def test_a_gradient_to_start_with_and_a_summary_to_keep():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = ad.exp(x)
    steps = draw.backward_steps(y, gradient=[1.0, 0.0], keep=lambda array: float(np.sum(array)))
    assert steps[0].upstream == 1.0
    assert steps[0].contributions[0].value == pytest.approx(np.e)
    with pytest.raises(ad.ShapeError, match=r"has shape \(3,\), the tensor \(2,\)"):
        draw.backward_steps(y, gradient=[1.0, 2.0, 3.0])


def test_hooks_are_not_run_and_named():
    x = ad.tensor(2.0, requires_grad=True)
    y = x * 3
    y.register_hook(lambda _: 1 / 0)
    assert draw.backward_steps(ad.exp(y))[1].note == "1 hook on its result, not run here"


def test_a_users_rule_that_fails_is_said():
    @ad.primitive
    def odd(xp, x, /):
        return x * 1

    @odd.vjp
    def _(xp, g, x):
        raise ValueError("no idea")

    (step,) = draw.backward_steps(odd(ad.tensor(2.0, requires_grad=True)))
    assert step.missing == "its rule failed: no idea"
    assert step.contributions[0].rule == "dx = vjp of odd"


def test_recording_notes_the_line():
    x = ad.tensor(2.0, requires_grad=True)
    with ad.record():
        y = ad.exp(x)
    found = next(v for v in draw.describe_graph(y).vertices if v.kind == "operation").source
    assert (found.text, found.file) == ("y = ad.exp(x)", __file__)
    assert draw.describe_graph(ad.exp(x)).vertices[1].source is None


@pytest.mark.parametrize(
    ("x", "w", "rules"),
    [
        (
            (64, 128), (128, 10),
            ["dX = dY @ Wᵀ : (64,10)@(10,128) → (64,128)",
             "dW = Xᵀ @ dY : (128,64)@(64,10) → (128,10)"],
        ),
        ((4, 3), (3,), ["dX = dy ⊗ w : (4,)⊗(3,) → (4,3)", "dw = Xᵀ @ dy : (3,4)@(4,) → (3,)"]),
        ((3,), (3, 2), ["dx = dy @ Wᵀ : (2,)@(2,3) → (3,)", "dW = x ⊗ dy : (3,)⊗(2,) → (3,2)"]),
        ((3,), (3,), ["dx = dy · w : () → (3,)", "dw = dy · x : () → (3,)"]),
    ],
)  # fmt: skip
def test_matrix_products_are_written_with_their_shapes(x, w, rules):
    y = ad.ones(x, requires_grad=True) @ ad.ones(w, requires_grad=True)
    assert [c.rule for c in draw.backward_steps(y)[0].contributions] == rules


def test_the_table_of_rules_names_what_there_is():
    from autodiff.draw import rules

    for name, by_operand in {**rules._SEVERAL, **rules._OTHERS}.items():
        if name != "output":
            assert set(by_operand) <= set(primitives[name].rules)
    assert all(primitives[name].arrays == ("x",) for name in rules._UNARY)
    assert set(primitives) >= ELEMENTWISE
    assert rule_text("exp", "x", 0, [None], None) == "dx = dy · y"


def test_statistics():
    found = draw.statistics(np.array([1e300, -1e300], np.float64))
    assert found.norm == pytest.approx(np.sqrt(2) * 1e300)
    empty = draw.statistics(np.zeros((0, 3), np.float32))
    assert empty == ((0, 3), "float32", None, None, None, 0.0, 0.0, 0, 0)
    assert draw.statistics(ad.tensor([np.nan, 0.0])).nans == 1
    assert draw.statistics(np.array([3 + 4j])).maximum == 5.0
