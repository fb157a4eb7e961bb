"""What a backward pass adds where, and what it refuses."""

# ruff: noqa: ARG005 - hooks and functions that ignore their argument
from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import (
    AnomalyError,
    DTypeError,
    GraphError,
    MutationError,
    NoGradientError,
    OptionError,
    RuleError,
    ShapeError,
)


def leaf(*values, dtype=np.float64, name=None):
    return ad.tensor(np.array(values, dtype), requires_grad=True, name=name)


def shares(*tensors):
    """Whether any two of the tensors show the same memory."""
    return any(
        np.shares_memory(a.array, b.array) for i, a in enumerate(tensors) for b in tensors[:i]
    )


# -- accumulation ------------------------------------------------


def test_fan_out_adds_every_path():
    x = leaf(2.0, 3.0)
    y = x * x
    (y * x + y + x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * x.array**2 + 2 * x.array + 1)


def test_one_operand_in_both_places():
    x = leaf(2.0, 3.0)
    (x + x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_many_uses_of_one_tensor():
    x = leaf(1.0)
    total = sum(x * i for i in range(100))
    total.sum().backward()
    assert x.grad.tolist() == [4950.0]


def test_passes_accumulate():
    x = leaf(2.0)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [12.0]
    x.zero_grad()
    assert x.grad is None


def test_accumulation_leaves_a_kept_gradient_alone():
    x = leaf(2.0)
    (x * x).sum().backward()
    kept = x.grad
    (x * x).sum().backward()
    assert kept.tolist() == [4.0]
    assert x.grad.tolist() == [8.0]


def test_a_leaf_is_its_own_derivative():
    x = ad.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_gradient_of_a_tensor_and_of_what_it_is_made_of():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [12.0]
    assert x.grad.tolist() == [36.0]


def test_only_leaves_have_gradients():
    x = leaf(2.0)
    y = x * 3
    y.sum().backward()
    assert y.grad is None
    assert not x.grad.requires_grad


def test_float32_and_float64_meet():
    x = ad.tensor(np.float32([1, 2]), requires_grad=True)
    y = leaf(3.0, 4.0)
    (x * y).sum().backward()
    assert x.grad.dtype == np.float32
    assert y.grad.dtype == np.float64


def test_no_gradient_reaches_a_detached_operand():
    x = leaf(2.0)
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [2.0]


# -- .grad belongs to nobody else ------------------------------------------------

IDENTITIES = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "reshape": lambda x, y: (x + y).reshape(-1),
    "transpose": lambda x, y: x.T + y.T,
    "broadcast": lambda x, y: ad.broadcast_to(x, (4, *x.shape)) + y,
    "positive": lambda x, y: (+x) + (+y),
    "copy": lambda x, y: x.clone() + y,
    "astype": lambda x, y: x.astype(np.float64) + y,
    "stack": lambda x, y: ad.stack([x, y, x]),
    "concat": lambda x, y: ad.concat([x, y]),
    "getitem": lambda x, y: x[:] + y[:, :],
    "expand_dims": lambda x, y: ad.expand_dims(x, axis=0) + y,
    "unstack": lambda x, y: sum(ad.unstack(x)) + sum(ad.unstack(y)),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", IDENTITIES)
def test_gradients_never_share_memory(name, create_graph):
    x, y = (ad.tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    out = IDENTITIES[name](x, y)
    upstream = ad.tensor(np.ones(out.shape))
    out.backward(upstream, create_graph=create_graph)
    assert x.grad is not y.grad
    assert not shares(x, y, x.grad, y.grad, upstream)
    before = y.grad.tolist()
    with ad.no_grad():
        x.grad *= 100.0
    assert y.grad.tolist() == before
    assert upstream.tolist() == np.ones(out.shape).tolist()
    gx, gy = ad.grad(IDENTITIES[name](x, y), (x, y), upstream, create_graph=create_graph)
    assert gx is not gy
    assert not shares(x, y, gx, gy, upstream)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_argument_is_not_kept(create_graph):
    x = leaf(1.0, 2.0)
    upstream = np.array([3.0, 4.0])
    (+x).backward(upstream, create_graph=create_graph)
    upstream[:] = 0
    assert x.grad.tolist() == [3.0, 4.0]
    other = ad.tensor([5.0, 6.0], dtype=np.float64)
    x.grad = None
    x.backward(other, create_graph=create_graph)
    assert x.grad is not other
    assert not shares(x.grad, other)


def test_setting_grad_copies():
    x, g = leaf(1.0), np.array([2.0])
    x.grad = g
    g[:] = 0
    assert x.grad.tolist() == [2.0]
    with pytest.raises(ShapeError, match=r"grad: \(2,\) float64 does not fit"):
        x.grad = np.zeros(2)
    with pytest.raises(GraphError, match=r"can't be set on a tensor that does not require one"):
        ad.tensor(1.0).grad = 1.0


def test_retained_gradient_is_a_copy():
    x = leaf(1.0, 2.0)
    y = +x
    y.retain_grad()
    z = +y
    z.sum().backward()
    assert not shares(y.grad, x.grad)


# -- retain_graph, and passes that fail ------------------------------------------------


def test_a_freed_graph_is_refused_and_nothing_changes():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward()
    before = x.grad
    with pytest.raises(GraphError, match=r"multiply\(.*\(1,\) float64.*freed.*retain_graph=True"):
        y.backward()
    assert x.grad is before
    with pytest.raises(GraphError, match=r"retain_graph=True"):
        ad.grad(y, x)


def test_a_graph_is_retained():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(GraphError):
        y.backward()


def test_two_losses_share_what_saved_no_arrays():
    """As in PyTorch: a transpose has nothing to free."""
    w = ad.tensor(np.ones((2, 3)), requires_grad=True)
    transposed = w.T + 1
    (transposed * 2).sum().backward()
    (transposed * 3).sum().backward()
    assert w.grad.tolist() == np.full((2, 3), 5.0).tolist()


def test_a_partial_failure_leaves_every_leaf_alone():
    x, y = leaf(1.0), leaf(2.0)
    shared = y * y
    shared.sum().backward()
    y.grad = None
    total = (x * x).sum() + shared.sum()
    with pytest.raises(GraphError):
        total.backward()
    assert x.grad is None
    assert y.grad is None


def test_freeing_spares_what_was_not_passed():
    """Only nodes that a pass ran through are freed: the graph above the input is kept."""
    x = leaf(2.0)
    middle = x * x
    top = middle * middle
    (g,) = ad.grad(top.sum(), middle)
    assert g.tolist() == [8.0]
    middle.sum().backward()
    assert x.grad.tolist() == [4.0]


def test_freed_below_the_input_does_not_matter():
    x = leaf(2.0)
    middle = x * x
    middle.sum().backward()
    (g,) = ad.grad((middle * middle).sum(), middle)
    assert g.tolist() == [8.0]


def test_backward_frees_saved_arrays():
    x = leaf(2.0)
    y = ad.exp(x)
    node = y.node
    assert node.saved
    y.sum().backward()
    assert node.saved is None


# -- what the gradient must be ------------------------------------------------


def test_several_elements_need_a_gradient():
    with pytest.raises(GraphError, match=r"backward from .*\(2,\) float64.*\.sum\(\)"):
        (leaf(1.0, 2.0) * 2).backward()


def test_one_element_needs_none():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.tolist() == [6.0]


@pytest.mark.parametrize("shape", [(3,), (2, 1), (), (1, 2)])
def test_a_gradient_of_the_wrong_shape(shape):
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"the gradient is .*, the tensor \(2,\) float64"):
        (x * 2).backward(np.ones(shape))
    assert x.grad is None


def test_a_gradient_of_another_dtype():
    x = leaf(1.0, 2.0)
    (x * 2).backward(np.array([1, 2]))
    assert x.grad.tolist() == [2.0, 4.0]
    assert x.grad.dtype == np.float64
    with pytest.raises(DTypeError, match=r"Give a real gradient"):
        (x * 2).backward(np.array([1j, 2]))


def test_nothing_requires_a_gradient():
    with pytest.raises(GraphError, match=r"\(\) float32.*Set requires_grad=True"):
        ad.tensor(1.0).backward()
    with pytest.raises(GraphError, match=r"does not require a gradient"):
        ad.tensor(1.0).retain_grad()
    with pytest.raises(GraphError, match=r"does not require a gradient"):
        ad.tensor(1.0).register_hook(print)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8, np.complex64])
def test_only_real_floating_leaves(dtype):
    with pytest.raises(DTypeError, match=f"{np.dtype(dtype)} is not a real floating dtype"):
        ad.tensor(np.ones(2, dtype), requires_grad=True)


def test_a_complex_loss():
    x = leaf(2.0)
    with pytest.raises(NoGradientError, match=r"a loss must be real"):
        (x * 1j).backward()
    z = x * (1 + 2j)
    (ad.real(z) * 3 + ad.imag(z)).backward()
    assert x.grad.tolist() == [5.0]
    assert x.grad.dtype == np.float64


def test_complex_between_real_ends():
    """|(3 + 4i) x|^2 = 25 x^2."""
    x = leaf(2.0)
    z = x * (3 + 4j)
    ad.real(z * ad.conj(z)).sum().backward()
    assert x.grad.tolist() == [100.0]


def test_complex_tuples():
    """An operation with several complex results."""
    x = leaf(1.0, 2.0)
    first, second = ad.unstack(x * (1 + 2j))
    (ad.imag(first * second)).backward()
    z = (1 + 2j) ** 2
    np.testing.assert_allclose(x.grad.numpy(), [2 * z.imag, z.imag])


def test_results_of_integers_carry_no_gradient():
    x = leaf(1.0, 2.0)
    assert not ad.argmax(x).requires_grad
    assert not (x > 1).requires_grad
    assert not x.astype(np.int64).requires_grad


# -- higher orders ------------------------------------------------


def test_create_graph():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.grad = None
    first.sum().backward()
    assert x.grad.tolist() == [12.0]


def test_create_graph_accumulates_into_a_recorded_gradient():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    (x**2).sum().backward(create_graph=True)
    (second,) = ad.grad(x.grad.sum(), x)
    assert second.tolist() == [12.0 + 2.0]


def test_a_plain_pass_detaches_a_recorded_gradient():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    (x**2).sum().backward()
    assert not x.grad.requires_grad
    assert x.grad.tolist() == [16.0]


def test_create_graph_inside_no_grad_records():
    x = leaf(2.0)
    y = (x**3).sum()
    with ad.no_grad():
        (first,) = ad.grad(y, x, create_graph=True)
    assert first.requires_grad
    assert ad.grad(first.sum(), x)[0].tolist() == [12.0]


def test_backward_with_create_graph_inside_no_grad():
    x = leaf(2.0)
    y, z = (x**3).sum(), (x**2).sum()
    with ad.no_grad():
        y.backward(create_graph=True)
        z.backward(create_graph=True)
    assert ad.grad(x.grad.sum(), x)[0].tolist() == [12.0 + 2.0]


def test_a_recorded_pass_does_not_touch_other_gradients():
    x, w = leaf(2.0), leaf(3.0)
    (g,) = ad.grad((w * x * x).sum(), x, create_graph=True)
    (g * g).sum().backward()
    assert w.grad.tolist() == [2 * 12.0 * 4.0]
    assert x.grad.tolist() == [2 * 12.0 * 6.0]


# -- autodiff.grad ------------------------------------------------


def test_grad_returns_a_tuple_and_adds_nowhere():
    x, y = leaf(2.0), leaf(3.0)
    result = ad.grad((x * y).sum(), (x, y))
    assert isinstance(result, tuple)
    assert [g.tolist() for g in result] == [[3.0], [2.0]]
    assert isinstance(ad.grad((x * y).sum(), x), tuple)
    assert x.grad is None
    assert y.grad is None
    assert not result[0].requires_grad


def test_grad_of_several_outputs_adds_them():
    x = leaf(2.0)
    y = x * x
    (g,) = ad.grad([y, x * 5, y], x, [None, [10.0], np.array([2.0])])
    assert g.tolist() == [3 * 4.0 + 50.0]


def test_grad_of_an_output_with_respect_to_itself():
    x = leaf(2.0, 3.0)
    y = x * x
    gy, gx = ad.grad(y, [y, x], ad.tensor([1.0, 10.0]))
    assert gy.tolist() == [1.0, 10.0]
    assert gx.tolist() == [4.0, 60.0]


def test_grad_of_intermediate_tensors():
    x = leaf(2.0)
    h = x * 3
    gh, gx = ad.grad((h * h).sum(), (h, x))
    assert (gh.item(), gx.item()) == (12.0, 36.0)


def test_grad_of_the_same_input_twice():
    x = leaf(2.0)
    first, second = ad.grad((x * x).sum(), (x, x))
    assert first.tolist() == second.tolist() == [4.0]
    assert not shares(first, second)


def test_grad_takes_a_generator_of_inputs():
    xs = [leaf(2.0), leaf(3.0)]
    assert [g.item() for g in ad.grad((xs[0] * xs[1]).sum(), (x for x in xs))] == [3.0, 2.0]


def test_grad_of_nothing():
    x = leaf(2.0)
    assert ad.grad((x * x).sum(), []) == ()


def test_grad_skips_what_leads_to_no_input():
    """A side branch that can't be passed (it was freed) is not passed."""
    x, w = leaf(2.0), leaf(3.0)
    side = ad.exp(w)
    side.sum().backward()
    (g,) = ad.grad((x * x * side).sum(), x)
    np.testing.assert_allclose(g.numpy(), 4 * np.exp(3.0))


def test_grad_unused():
    x, w = leaf(2.0), leaf(3.0, name="bias")
    y = (x * x).sum()
    with pytest.raises(GraphError, match=r"inputs\[1\] \('bias', \(1,\) float64\).*allow_unused"):
        ad.grad(y, (x, w))
    gx, gw = ad.grad((x * x).sum(), (x, w), allow_unused=True)
    assert gx.tolist() == [4.0]
    assert gw is None


def test_grad_says_who_does_not_require_a_gradient():
    x, c = leaf(2.0), ad.tensor([1.0, 2.0], name="c")
    with pytest.raises(GraphError, match=r"inputs\[1\] \('c', \(2,\) float32\) does not require"):
        ad.grad((x * c).sum(), (x, c))
    with pytest.raises(GraphError, match=r"outputs\[1\] \(\(2,\) float32\) does not require"):
        ad.grad([x.sum(), c * 2], x)


def test_grad_refuses_what_is_no_tensor():
    x = leaf(2.0)
    with pytest.raises(DTypeError, match=r"outputs\[0\] is not a tensor but function"):
        ad.grad(lambda x: x, x)
    with pytest.raises(DTypeError, match=r"inputs\[0\] is not a tensor but Python float"):
        ad.grad(x.sum(), [2.0])


def test_grad_outputs_are_checked():
    x = leaf(2.0, 3.0)
    with pytest.raises(OptionError, match=r"1 outputs, but 2 grad_outputs"):
        ad.grad(x * x, x, [np.ones(2), np.ones(2)])
    with pytest.raises(ShapeError, match=r"outputs\[0\].*\(3,\) float64.*\(2,\) float64"):
        ad.grad(x * x, x, np.ones(3))
    with pytest.raises(GraphError, match=r"outputs\[1\] from a tensor of several elements"):
        ad.grad([x.sum(), x * x], x)
    assert ad.grad(x * x, x, [1.0, 10.0])[0].tolist() == [4.0, 60.0]


def test_grad_retains():
    x = leaf(2.0)
    y = (x * x).sum()
    ad.grad(y, x, retain_graph=True)
    ad.grad(y, x, create_graph=True)
    ad.grad(y, x)
    with pytest.raises(GraphError, match=r"freed"):
        ad.grad(y, x)


# -- hooks ------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x + x).sum().backward()
    assert seen == [[5.0]]


def test_a_hook_replaces():
    x = leaf(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert x.grad.tolist() == [33.0]


def test_a_hook_may_return_an_array_or_another_dtype():
    x = leaf(2.0)
    x.register_hook(lambda g: np.float32([7]))
    (x * x).sum().backward()
    assert x.grad.tolist() == [7.0]
    assert x.grad.dtype == np.float64


def test_hooks_are_removed():
    x = leaf(2.0)
    first = x.register_hook(lambda g: g * 10)
    first.remove()
    x.register_hook(lambda g: g * 2)
    first.remove()
    (x * x).sum().backward()
    assert x.grad.tolist() == [8.0]


def test_a_hook_may_remove_itself():
    x = leaf(2.0)
    calls = []
    handle = x.register_hook(lambda g: (calls.append(1), handle.remove())[0])
    for _ in range(2):
        (x * x).sum().backward()
    assert calls == [1]


def test_a_hook_that_writes_changes_nothing_else():
    x, y = leaf(2.0), leaf(3.0)

    def scribble(g):
        with ad.no_grad():
            g *= 100.0

    z = x + y
    z.register_hook(scribble)
    x.register_hook(scribble)
    z.sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [1.0]


def test_a_gradient_kept_by_a_hook_stays():
    x = leaf(2.0)
    kept = []
    x.register_hook(kept.append)
    (x + 1).sum().backward()
    with ad.no_grad():
        x.grad *= 0.0
    assert kept[0].tolist() == [1.0]


def test_hooks_of_a_recorded_pass_are_differentiated():
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = ad.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [18.0]
    assert ad.grad(g.sum(), x)[0].tolist() == [12.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_that_breaks_its_contract(create_graph):
    x = leaf(2.0, 3.0)
    y = x * x
    y.register_hook(lambda g: g.sum())
    with pytest.raises(GraphError, match=r"a hook on .*multiply.*\(\) float64.*Keep its shape"):
        y.sum().backward(create_graph=create_graph)
    assert x.grad is None
    z = x * x
    z.register_hook(lambda g: g * 1j)
    with pytest.raises(GraphError, match=r"complex128.*Return a real gradient"):
        z.sum().backward(create_graph=create_graph)


def test_hooks_and_retained_gradients_in_grad():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    x.register_hook(lambda g: g * 10)
    assert ad.grad(y.sum(), x)[0].tolist() == [40.0]
    assert y.grad.tolist() == [1.0]
    assert x.grad is None


def test_a_hook_that_passes_the_same_graph():
    x = leaf(2.0)
    y = x * x
    z = y * y
    z.register_hook(lambda g: y.sum().backward())
    with pytest.raises(GraphError, match=r"multiply.*freed.*retain_graph"):
        z.sum().backward()
    w = x * x
    v = w * w
    x.grad = None
    v.register_hook(lambda g: w.sum().backward(retain_graph=True))
    v.sum().backward()
    assert x.grad.tolist() == [4.0 + 32.0]


def test_retained_gradients_accumulate():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert y.grad.tolist() == [2.0]
    x.retain_grad()  # a leaf has its own


# -- mutation ------------------------------------------------


def overwrite_in_place(w):
    with ad.no_grad():
        w -= 0.5


def overwrite_by_index(w):
    with ad.no_grad():
        w[0] = 5.0


def overwrite_data(w):
    w.data = w.data * 2


def overwrite_data_in_place(w):
    w.data -= 0.5


def overwrite_through_copy(w):
    with ad.no_grad():
        w.copy_(np.zeros(2))


def overwrite_a_view(w):
    with ad.no_grad():
        w.detach().reshape(2, 1)[0] = 7.0


def overwrite_detached(w):
    with ad.no_grad():
        shared = w.detach()
        shared += 1.0


WAYS = [
    overwrite_in_place, overwrite_by_index, overwrite_data, overwrite_data_in_place,
    overwrite_through_copy, overwrite_a_view, overwrite_detached,
]  # fmt: skip


@pytest.mark.parametrize("overwrite", WAYS)
def test_an_overwritten_operand_is_found(overwrite):
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (w * x).sum()
    overwrite(w)
    with pytest.raises(MutationError, match=r"multiply.*operand 'x1' \(\(2,\) float64\).*overwrit"):
        y.backward()
    assert w.grad is None
    assert x.grad is None


@pytest.mark.parametrize("overwrite", WAYS)
def test_an_overwritten_result_is_found(overwrite):
    x = leaf(1.0, 2.0)
    y = ad.exp(x)
    z = y.sum()
    overwrite(y)
    with pytest.raises(MutationError, match=r"exp.*its result"):
        z.backward()


@pytest.mark.parametrize("overwrite", WAYS)
def test_no_alarm_for_what_no_rule_reads(overwrite):
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (w + x).sum()
    overwrite(w)
    y.backward()
    assert w.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("overwrite", WAYS)
def test_no_alarm_in_a_training_loop(overwrite):
    w, x = leaf(1.0, 2.0), ad.tensor([3.0, 4.0], dtype=np.float64)
    for _ in range(3):
        w.grad = None
        (w * w * x).sum().backward()
        np.testing.assert_allclose(w.grad.numpy(), 2 * w.array * x.array)
        overwrite(w)


def test_no_alarm_for_another_model():
    ours, theirs = leaf(1.0, 2.0), leaf(1.0, 2.0)
    y = (ours * ours).sum()
    (theirs * theirs).sum().backward()
    overwrite_in_place(theirs)
    y.backward()
    assert ours.grad.tolist() == [2.0, 4.0]


def test_views_of_views_are_followed():
    w = ad.tensor(np.arange(6.0), requires_grad=True)
    rows = w.reshape(2, 3)
    y = (rows[1] * rows[0]).sum()
    with ad.no_grad():
        w[4] = 0.0
    with pytest.raises(MutationError):
        y.backward()


def test_windows_are_followed():
    w = ad.tensor(np.arange(5.0), requires_grad=True)
    windows = ad.tensor(np.ones(3))
    y = (ad.sliding_window_view(w, 3) * ad.exp(windows)).sum()
    z = (ad.sliding_window_view(w, 3) ** 2).sum()
    with ad.no_grad():
        w[2] = 9.0
    y.backward()
    with pytest.raises(MutationError):
        z.backward()


def test_a_recorded_pass_finds_mutations_too():
    x = leaf(2.0)
    (g,) = ad.grad((x**3).sum(), x, create_graph=True)
    overwrite_in_place(x)
    with pytest.raises(MutationError):
        ad.grad(g.sum(), x)


def test_a_new_array_at_an_old_address_is_no_mutation():
    for _ in range(100):
        x = ad.tensor(np.ones(100), requires_grad=True)
        with ad.no_grad():
            x += 1.0
        y = (x * x).sum()
        other = ad.tensor(np.ones(100))
        with ad.no_grad():
            other += 1.0
        del other
        y.backward()


# -- writing in place while recording ------------------------------------------------


def test_in_place_operators_rebind():
    x = leaf(2.0, 3.0)
    y = x * x
    alias = y
    before = y.detach()
    y += 1.0
    y *= x
    assert y is alias
    assert before.tolist() == [4.0, 9.0]
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * x.array**2 + 1)


def test_in_place_on_a_plain_tensor_takes_the_gradient_up():
    x = leaf(2.0)
    total = ad.zeros(1, dtype=np.float64)
    for _ in range(3):
        total += x * x
    assert total.requires_grad
    total.backward()
    assert x.grad.tolist() == [12.0]


def test_assignment_is_differentiable_in_both():
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0, 6.0)
    y = x * 2
    y[1:] = v * 3
    (y * ad.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]
    assert v.grad.tolist() == [30.0, 300.0]


def test_assignment_broadcasts_its_value():
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = x * 2
    y[:2] = v
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 2.0]
    assert v.grad.tolist() == [2.0]


def test_assignment_does_not_disturb_earlier_uses():
    x = leaf(2.0, 3.0)
    y = x * 1
    z = (y * y).sum()
    y[0] = 100.0
    z.backward()
    assert x.grad.tolist() == [4.0, 6.0]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__iadd__(1.0),
        lambda x: x.__imul__(2.0),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.copy_(np.zeros(2)),
    ],
)
def test_a_leaf_is_not_rebound(write):
    x = leaf(1.0, 2.0)
    node = x.node
    with pytest.raises(GraphError, match=r"leaf that requires a gradient.*no_grad"):
        write(x)
    assert x.node is node
    assert x.tolist() == [1.0, 2.0]


def test_in_place_keeps_shape_and_dtype():
    x = leaf(1.0, 2.0)
    y = x * 1
    with pytest.raises(ShapeError, match=r"does not fit in place"):
        y += np.ones((3, 2))
    counts = ad.tensor([1, 2])
    with pytest.raises(DTypeError, match=r"does not fit in place"):
        counts += 0.5
    assert y.tolist() == [1.0, 2.0]
    assert counts.tolist() == [1, 2]


# -- anomalies ------------------------------------------------


def test_an_anomaly_is_named_with_its_line_and_changes_nothing():
    x = leaf(0.0, 1.0)
    with ad.detect_anomaly():
        h = x * 2
        y = ad.sqrt(h)  # the culprit
        z = (y * 3).sum()
        with pytest.raises(AnomalyError) as caught:
            z.backward()
    text = str(caught.value)
    assert "backward of sqrt(x: (2,) float64)" in text
    assert "an infinity in the gradient of 'x' ((2,) float64)" in text
    assert "test_backward.py" in text
    assert "y = ad.sqrt(h)  # the culprit" in text
    assert x.grad is None
    z.backward()  # nothing was freed
    assert x.grad.tolist()[1] == 3 / np.sqrt(2)


def test_an_anomaly_is_found_in_a_recorded_pass():
    x = leaf(0.0)
    with ad.detect_anomaly(), pytest.raises(AnomalyError, match=r"backward of sqrt"):
        ad.grad(ad.sqrt(x).sum(), x, create_graph=True)


def test_an_anomaly_whose_line_was_not_noted():
    x = leaf(0.0)
    y = ad.sqrt(x)
    with ad.detect_anomaly(), pytest.raises(AnomalyError, match=r"line that was not noted"):
        y.backward()


def test_a_nan_that_was_given_is_not_blamed_on_an_operation():
    x = leaf(1.0)
    with ad.detect_anomaly(), pytest.raises(AnomalyError, match=r"gradient given .* holds a NaN"):
        (x * 2).backward(np.array([np.nan]))


def test_a_nan_from_a_hook():
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: g * np.nan)
    with ad.detect_anomaly(), pytest.raises(AnomalyError, match=r"a hook on .* returned a NaN"):
        y.sum().backward()


def test_anomaly_detection_frees_after_success():
    x = leaf(1.0)
    y = x * x
    with ad.detect_anomaly():
        y.backward()
    with pytest.raises(GraphError, match=r"freed"):
        y.backward()


def test_an_anomaly_in_an_operation_with_several_results():
    x = leaf(0.0, 4.0)
    with ad.detect_anomaly():
        a, b = ad.unstack(x)
        y = ad.sqrt(a) + b
        with pytest.raises(AnomalyError, match=r"backward of sqrt"):
            y.backward()


def test_infinite_derivatives_warn_of_nothing():
    x = leaf(0.0)
    ad.sqrt(x).backward()
    assert np.isinf(x.grad.item())


# -- rules that break their contract ------------------------------------------------


def test_an_operation_without_a_rule():
    @ad.primitive
    def opaque(xp, x, /):
        return x * 2

    x = leaf(1.0)
    with pytest.raises(NoGradientError, match=r"opaque has no derivative .*'x'.*\.detach\(\)"):
        opaque(x).backward()


def test_an_operation_without_a_rule_changes_nothing():
    """Nothing was freed, and where no gradient need flow through it, it is no hindrance."""

    @ad.primitive
    def half_known(xp, x1, x2, /):
        return x1 * x2

    @half_known.vjp("x1")
    def _(xp, g, x2):
        return g * x2

    x, w = leaf(3.0), leaf(2.0)
    y = half_known(x * x, w)
    with pytest.raises(NoGradientError, match=r"half_known .*'x2'"):
        y.backward()
    assert x.grad is None
    with pytest.raises(NoGradientError):
        ad.grad(y, (x, w))
    assert ad.grad(y, x)[0].tolist() == [12.0]


def test_a_rule_that_gives_the_wrong_shape():
    @ad.primitive
    def careless(xp, x, /):
        return x * 2

    @careless.vjp
    def _(xp, g):
        return xp.reshape(g, (1, 1, 2))[:, :, :1]

    with pytest.raises(RuleError, match=r"rule of careless.*\(1, 1, 1\).*\(2,\)"):
        careless(leaf(1.0, 2.0)).backward(np.ones(2))

    @ad.primitive
    def flattening(xp, x, /):
        return x * 2

    @flattening.vjp
    def _(xp, g):
        return g.sum()

    with pytest.raises(RuleError, match=r"rule of flattening.*\(\).*\(2,\)"):
        flattening(leaf(1.0, 2.0)).backward(np.ones(2))


# -- threads ------------------------------------------------


def in_threads(count, work):
    errors = []

    def guarded(i):
        try:
            work(i)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_that_share_leaves_lose_no_gradient():
    w = ad.tensor(np.ones(100_000), requires_grad=True)  # NumPy lets others run meanwhile

    def work(i):
        for _ in range(50):
            (w * (i + 1)).sum().backward()

    in_threads(4, work)
    assert (w.grad.numpy() == 500).all()


def test_threads_may_share_a_retained_graph():
    w = leaf(1.0, 2.0)
    y = (ad.exp(w) * w).sum()
    expected = ad.grad(y, w, retain_graph=True)[0].tolist()
    found = [None] * 4

    def work(i):
        for _ in range(100):
            found[i] = ad.grad(y, w, retain_graph=True)[0].tolist()

    in_threads(4, work)
    assert found == [expected] * 4


def test_threads_have_graphs_of_their_own():
    results = {}

    def work(i):
        x = leaf(float(i))
        for _ in range(50):
            x.grad = None
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            y.sum().backward()
        results[i] = x.grad.item()

    in_threads(4, work)
    assert results == dict.fromkeys(range(4), 21.0)


# -- the graph as such ------------------------------------------------


def test_descending_numbers_are_a_topological_order():
    x = leaf(1.0)
    y = ad.exp(x) * x + x
    pending = [y.node]
    while pending:
        node = pending.pop()
        for parent in node.inputs:
            if parent is not None:
                assert parent.number < node.number
                pending.append(parent)


def test_no_cycles():
    gc.collect()
    x = leaf(1.0, 2.0)
    y = (ad.exp(x) * x + x).sum()
    y.backward(create_graph=True)
    del y
    x.grad = None
    assert gc.collect() == 0


def test_release_copies_only_what_others_hold():
    """The gradient of a large parameter is not copied without need."""
    from autodiff.engine.handover import release

    found = {0: np.ones(3)}
    g = found[0]
    assert release(g) is g
    other = g
    assert release(g) is not g
    del other
    view = g[:2]
    assert release(g) is not g
    del view
    assert release(g) is g
    whole = {0: np.ones((2, 3)).mT}  # a transpose that is all that shows its array
    g = whole[0]
    assert release(g) is g
    array = g.base
    assert release(g) is not g
    del array
    assert release(g) is g
    whole[0] = g = np.ones((2, 3))[:1]  # would keep the rest alive
    assert release(g).base is None
    assert release(np.broadcast_to(g, (2, 3))).base is None
    assert isinstance(release(np.float64(1.0)), np.ndarray)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: (ad.stack([x.sum(axis=0), ad.ones(4)]) ** 2).sum(),
        lambda x: x.sum(),
        lambda x: (ad.flip(x) ** 2).sum(),
        lambda x: (ad.cumulative_sum(x, axis=1) ** 2).sum(),
        lambda x: ad.real(x.astype("complex128") * (2 + 1j)).sum(),
        lambda x: (x.mT @ ad.ones((3, 2))).sum(),
    ],
    ids=["broadcast", "of a number", "flip", "cumulative_sum", "real", "transpose"],
)
def test_a_grad_is_an_array_of_its_own(call):
    """Never a view that shows an element twice, or backwards, or half of each."""
    x = ad.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    call(x).backward()
    grad = x.grad.numpy()
    assert grad.flags.writeable
    assert grad.flags.forc
    assert grad.base is None or (grad.base.base is None and grad.base.nbytes == grad.nbytes)
    grad[0, 0] = 5.0
    assert np.count_nonzero(grad == 5.0) == 1 + np.count_nonzero(grad.ravel()[1:] == 5.0)


def test_a_pass_that_a_hook_breaks_frees_nothing():
    x = ad.tensor(np.ones(3), requires_grad=True)
    y = (x * x).sum()
    hook = x.register_hook(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert x.grad is None
    hook.remove()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_write_by_a_hook_into_what_a_rule_will_read_is_found():
    x = ad.tensor(np.ones(3), requires_grad=True)
    y = x * x

    def meddle(_):
        with ad.no_grad():
            x[...] = 5.0

    y.register_hook(meddle)
    with pytest.raises(ad.MutationError):
        y.sum().backward()


def test_a_pass_that_a_users_rule_breaks_frees_nothing():
    broken = [True]

    @ad.primitive
    def moody(xp, x, /):
        return x * 2

    @moody.vjp
    def _(xp, g):
        return g[5:] if broken else 2 * g

    x = ad.tensor(np.ones(3), requires_grad=True)
    y = (moody(x * x) * x).sum()
    with pytest.raises(ad.RuleError, match="moody"):
        y.backward()
    assert x.grad is None
    broken.clear()
    y.backward()
    assert x.grad.tolist() == [6.0, 6.0, 6.0]


@pytest.mark.parametrize(
    "read",
    [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[..., i : i + 2, :],
        lambda x, i: x[[i, 0, i]],
        lambda x, i: x[:, [0, i, 0]],
        lambda x, i: x[x.detach() > 0],
        lambda x, i: ad.take(x, [i, i, -1], axis=1),
        lambda x, i: ad.take(x, [i, -i, 59], axis=None),
        lambda x, i: x.mT[i],
        lambda x, i: x[None][0, i] if i else x,
    ],
)
def test_the_gradients_of_slices_add_up(read):
    """Slices of one array share one gradient array; it is nobody else's."""
    data = np.random.default_rng(0).normal(size=(3, 4, 5))
    weights = np.random.default_rng(1).normal(size=(3,))

    def loss(x):
        return sum(((read(x, i) ** 2).sum() * weights[i] for i in range(3)), (x**3).sum())

    def dense(x):
        """Compute the same without the in-place way: operations that were made by one hand."""
        y = x * 1.0
        return sum(((read(y, i) ** 2).sum() * weights[i] for i in range(3)), (y**3).sum())

    one, other, kept = (ad.tensor(data, requires_grad=True) for _ in range(3))
    loss(one).backward()
    (gradient,) = ad.grad(dense(other), [other], create_graph=True)  # by rules on tensors
    np.testing.assert_allclose(one.grad.numpy(), gradient.detach().numpy(), rtol=1e-12)
    value = loss(kept)
    kept.grad = np.ones_like(data)
    before = kept.grad
    value.backward(retain_graph=True)
    value.backward()
    np.testing.assert_allclose(kept.grad.numpy(), 1 + 2 * one.grad.numpy(), rtol=1e-12)
    assert np.all(before.numpy() == 1)


def test_slices_do_not_write_into_a_gradient_that_others_hold():
    x = ad.tensor(np.arange(4.0), requires_grad=True)
    seed = np.ones(4)
    seen = []
    y = x * 1.0
    y.register_hook(seen.append)
    z = y + 0.0  # its gradient is its operand's too
    total = ad.concat([z, y[:2], y[1:3]])
    total.backward(ad.asarray(np.concatenate([seed, seed])))
    assert x.grad.tolist() == [2.0, 3.0, 2.0, 1.0]
    assert seen[0].tolist() == [2.0, 3.0, 2.0, 1.0]
    assert seed.tolist() == [1.0] * 4
