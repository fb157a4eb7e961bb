"""Indexing beyond the cases: random mixtures, what is written last, errors, costs."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.errors import (
    AxisError,
    DTypeError,
    IndexingError,
    MutationError,
    OptionError,
    ShapeError,
)
from autodiff.primitives.indexing import may_repeat, plain_index

SIZES = st.integers(0, 4)


@st.composite
def shapes_and_indices(draw):
    """A shape, and any mixture of what may index it."""
    shape = tuple(draw(st.lists(SIZES, max_size=4)))
    together = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    trues = None
    items = []
    axis = 0
    while axis < len(shape):
        size = shape[axis]
        kinds = ["slice", "slice", "none", "stop", "bool"] + ["int", "array", "array"] * (size > 0)
        kind = draw(st.sampled_from([*kinds, "mask"]))
        if kind == "stop":
            break
        if kind == "none":
            items.append(None)
            continue
        if kind == "bool":
            # Scalars and masks join the arrays in broadcasting: at most one of them.
            if trues is None and together in ((), (1,)):
                trues = draw(st.booleans())
                items.append(draw(st.sampled_from([bool, np.bool_]))(trues))
            continue
        if kind == "slice":
            bound = st.none() | st.integers(-5, 5)
            step = draw(st.none() | st.integers(-3, 3).filter(bool))
            items.append(slice(draw(bound), draw(bound), step))
        elif kind == "int":
            items.append(draw(st.integers(-size, size - 1)))
        elif kind == "array":
            entry = st.integers(-size, size - 1)
            flat = draw(st.lists(entry, min_size=math.prod(together), max_size=math.prod(together)))
            array = np.array(flat, dtype=np.int64).reshape(together)
            order = draw(st.sampled_from(["C", "F", "list"]))
            items.append(array.tolist() if order == "list" else np.asarray(array, order=order))
        elif trues is None and together in ((), (1,)):
            count = draw(st.integers(1, len(shape) - axis))
            part = shape[axis : axis + count]
            flat = draw(st.lists(st.booleans(), min_size=math.prod(part), max_size=math.prod(part)))
            trues = np.array(flat, dtype=bool).reshape(part)
            items.append(trues)
            axis += count - 1
        else:
            items.append(slice(None))
        axis += 1
    if draw(st.booleans()):
        at = draw(st.integers(0, len(items)))
        tail = sum(map(axes_read, items[at:]))
        sizes = shape[len(shape) - tail :] if tail else ()
        if sizes == shape[axis - tail : axis]:
            items.insert(at, ...)
    index = tuple(items)
    if len(index) == 1 and draw(st.booleans()):
        index = index[0]
    return shape, index


def axes_read(item):
    if item is None or isinstance(item, bool | np.bool_):
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def taken_places(shape, index):
    """Where in memory each element of ``x[index]`` comes from; None if it can't be indexed."""
    try:
        return np.arange(math.prod(shape)).reshape(shape)[index]
    except IndexError:
        return None


@settings(max_examples=400)
@given(shapes_and_indices())
def test_gradient_of_any_index(given_index):
    """Every element gets the sum of the gradients of its copies, and second order agrees."""
    shape, index = given_index
    places = taken_places(shape, index)
    x = ad.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    if places is None:
        with pytest.raises(IndexingError):
            x[index]
        return
    y = x[index]
    np.testing.assert_array_equal(y.detach().numpy(), x.detach().numpy()[index])
    weight = np.random.default_rng(1).standard_normal(places.shape)
    (gradient,) = ad.grad((y * y * weight).sum(), [x], create_graph=True)
    expected = np.zeros(math.prod(shape))
    values = 2 * weight * y.detach().numpy()
    for place, value in zip(places.ravel(), np.ravel(values), strict=True):
        expected[place] += value
    np.testing.assert_allclose(gradient.detach().numpy(), expected.reshape(shape), atol=1e-12)
    (second,) = ad.grad(gradient.sum(), [x])
    expected = np.zeros(math.prod(shape))
    for place, value in zip(places.ravel(), weight.ravel(), strict=True):
        expected[place] += 2 * value
    np.testing.assert_allclose(second.numpy(), expected.reshape(shape), atol=1e-12)


@settings(max_examples=400)
@given(shapes_and_indices(), st.integers(0, 3), st.booleans())
def test_gradients_of_any_write(given_index, stretched, fortran):
    """The last write in row-major order stays, and only it gets a gradient."""
    shape, index = given_index
    places = taken_places(shape, index)
    if places is None:
        return
    value_shape = tuple(
        1 if i == stretched else n for i, n in enumerate(places.shape) if i >= stretched - 2
    )
    count, size = math.prod(shape), math.prod(value_shape)
    values = np.arange(count, count + size).reshape(value_shape)
    sources = np.arange(count)
    for place, value in zip(
        places.ravel(), np.broadcast_to(values, places.shape).ravel(), strict=True
    ):
        sources[place] = value
    x = ad.tensor(np.arange(count, dtype=float).reshape(shape), requires_grad=True)
    laid = np.asarray(values, dtype=float, order="F" if fortran else "C")
    v = ad.tensor(laid, requires_grad=True)
    out = ad.setitem(x, v, index)
    np.testing.assert_array_equal(out.detach().numpy(), sources.reshape(shape))
    weight = np.random.default_rng(0).standard_normal(shape)
    (out * weight).sum().backward()
    expected = np.bincount(sources, weight.ravel(), count + size)
    np.testing.assert_allclose(x.grad.numpy().ravel(), expected[:count], atol=1e-12)
    np.testing.assert_allclose(v.grad.numpy().ravel(), expected[count:], atol=1e-12)


def test_last_write_does_not_depend_on_memory_order():
    index = np.asfortranarray([[0, 1], [0, 0], [1, 0]])[:, ::-1]
    values = np.arange(6.0).reshape(3, 2)
    x = ad.zeros((2,))
    for laid in (values, np.asfortranarray(values)):
        np.testing.assert_array_equal(ad.setitem(x, laid, index).numpy(), [4, 5])


def test_writing_through_the_tensor():
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = ad.tensor(5.0, requires_grad=True)
    y = x * 1
    y[1:] = v * 2
    y[[0, 0]] = ad.stack([v, v * 3])
    assert y.tolist() == [15.0, 10.0, 10.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    assert v.grad.item() == 7.0


def test_gradient_into_an_array_that_needs_none():
    v = ad.tensor([5.0, 6.0], requires_grad=True)
    y = ad.zeros((3,))
    y[ad.tensor([2, 0])] = v
    y[0] = 1.0
    y.sum().backward()
    assert v.grad.tolist() == [1.0, 0.0]


def test_tensors_in_indices():
    x = ad.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    i = ad.tensor(1)
    assert x[i].tolist() == x.detach().numpy()[1].tolist()
    assert x[ad.tensor([2, 0]), ad.tensor(1) : ad.tensor(3)].tolist() == [[9, 10], [1, 2]]
    assert x[[i, ad.tensor(0)]].tolist() == x.detach().numpy()[[1, 0]].tolist()
    assert x[x > 5].shape == (6,)
    assert x[range(2), (1, 2)].tolist() == [1.0, 6.0]
    (x[range(2), (1, 1)].sum() + x[(0, 0), :].sum()).backward()
    assert x.grad.tolist() == [[2, 3, 2, 2], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_plain_index_leaves_no_tensor():
    index = plain_index((ad.tensor([True, False]), slice(None, ad.tensor(2)), [ad.tensor(1)], ...))
    assert type(index[0]) is np.ndarray
    assert index[1:] == (slice(None, 2, None), [1], ...)
    assert type(plain_index(np.int8(3))) is int
    assert plain_index(np.True_) is np.True_


@pytest.mark.parametrize(
    ("index", "repeats"),
    [
        (1, False),
        ((slice(None), None, ..., np.int64(2)), False),
        (np.array([True, False]), False),
        ((True, [True, False]), False),
        ([3], False),
        (np.array([0, 1]), True),
        ((0, [0, 1]), True),
        (range(3), True),
        (((0, 1), slice(None)), True),
    ],
)
def test_only_integer_arrays_repeat(index, repeats):
    assert may_repeat(plain_index(index)) is repeats


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
def test_scatter_keeps_the_dtype(dtype):
    out = ad.scatter(np.ones((3, 2), dtype), np.array([1, 1, 0]), (4, 2))
    assert out.dtype == dtype
    assert out.numpy().real.tolist() == [[1, 1], [2, 2], [0, 0], [0, 0]]


def test_a_slice_does_not_copy():
    x = ad.tensor(np.zeros((1000, 100)))
    tracemalloc.start()
    pieces = [x[i : i + 10] for i in range(0, 1000, 10)] + list(x) + [x.T, x[None], x[..., ::2]]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(np.may_share_memory(piece.numpy(), x.numpy()) for piece in pieces)
    assert peak < x.nbytes / 2


@pytest.mark.parametrize(
    "index",
    [5, -4, (0, 4), (0, 0, 0), [0, 3], 1.0, "a", slice(0.5, None), slice(None, None, 0),
     np.array([0.0, 1.0]), np.array([True, False]), (..., ...), ad.tensor(1.5), [[0, 1], [2]]],
    ids=str,
)  # fmt: skip
def test_bad_index(index):
    x = ad.tensor(np.zeros((3, 4), np.float32), requires_grad=True)
    with pytest.raises(IndexingError, match=r"getitem\(x: \(3, 4\) float32\)"):
        x[index]
    y = x * 1
    for recording in (True, False):
        with (
            ad.set_grad_enabled(recording),
            pytest.raises(
                IndexingError, match=r"setitem\(x: \(3, 4\) float32, value: Python float"
            ),
        ):
            y[index] = 1.0
    assert y.tolist() == x.tolist()


def test_bad_value():
    x = ad.zeros((3, 4))
    with pytest.raises(ShapeError, match=r"setitem\(x: \(3, 4\) float32, value: \(3,\)"):
        ad.setitem(x, ad.ones((3,)), 0)
    with pytest.raises(ShapeError, match="setitem"):
        ad.setitem(x, ad.ones((2, 2, 4)), [0, 1])
    with pytest.raises(DTypeError, match="complex"):
        ad.setitem(x, 1j, 0)


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize(
    "value", [None, np.array(["1", "a", "2"]), np.array(["2020"], "M8[Y]"), np.array([1, None, 2])]
)
def test_writing_what_holds_no_numbers(value, recording):
    x = ad.zeros((3,))
    with ad.set_grad_enabled(recording), pytest.raises(DTypeError):
        x[:] = value
    assert x.tolist() == [0, 0, 0]


def test_writing_without_recording_is_the_same():
    x = ad.zeros((3,))
    array = x.array
    values = np.arange(6.0).reshape(3, 2)
    with ad.no_grad():
        for laid in (values, np.asfortranarray(values)):
            x[[[0, 1], [0, 0], [1, 0]]] = laid
            assert x.tolist() == [5, 4, 0]
        for value in (1j, [1j], ad.tensor(1j)):
            with pytest.raises(DTypeError, match="real part"):
                x[0] = value
        with pytest.raises(ShapeError, match=r"setitem\(x: \(3,\) float32, value: \(2,\)"):
            x[:] = [1.0, 2.0]
    assert x.array is array
    assert x.tolist() == [5, 4, 0]


def test_index_zero_dimensional():
    x = ad.tensor(2.0, requires_grad=True)
    assert x[()].shape == ()
    assert x[None].shape == (1,)
    with pytest.raises(IndexingError, match=r"x: \(\) float32"):
        x[0]
    (x[()] * x[..., None].sum() * x[x > 0].sum()).backward()
    assert x.grad.item() == 12.0


# -- along one axis ------------------------------------------------------------------------


def oracle(function, *arrays):
    """Value and gradients of a function of tensors, by PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    variables = [torch.tensor(a, requires_grad=True) for a in arrays]
    out = function(*variables)
    weight = torch.arange(1.0, out.numel() + 1, dtype=out.dtype).reshape(out.shape)
    grads = torch.autograd.grad((out * weight).sum(), variables)
    return out.detach().numpy(), [g.numpy() for g in grads]


def ours(function, *arrays):
    variables = [ad.tensor(a, requires_grad=True) for a in arrays]
    out = function(*variables)
    weight = np.arange(1.0, out.size + 1).reshape(out.shape)
    grads = ad.grad((out * weight).sum(), variables)
    return out.detach().numpy(), [g.numpy() for g in grads]


def compare(mine, theirs, *shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    value, grads = ours(mine, *arrays)
    expected, expected_grads = oracle(theirs, *arrays)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    for g, wanted in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-12, atol=1e-12)


def tensor_of(index):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    return torch.tensor(index)


@pytest.mark.parametrize(
    ("shape", "axis", "index"),
    [
        ((3, 4), 1, [[0, 0], [3, 1]]),
        ((3, 4), 0, [[0, 2], [2, 2]]),
        ((3, 4), -1, [[0], [1], [3]]),
        ((4,), 0, [1, 1, 2]),
        ((2, 3, 4), 1, [[[2, 0], [1, 1]]]),
    ],
)
def test_gather_and_scatter_add_are_pytorchs(shape, axis, index):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    compare(
        lambda x: ad.gather(x, axis, index) ** 2,
        lambda x: torch.gather(x, axis, tensor_of(index)) ** 2,
        shape,
    )
    taken = tuple(slice(n) for n in np.shape(index))  # PyTorch's own gradient wants it cut
    values = tuple(n + 1 for n in np.shape(index))
    compare(
        lambda x, v: ad.scatter_add(x, index, v, axis) ** 2,
        lambda x, v: torch.scatter_add(x, axis, tensor_of(index), v[taken]) ** 2,
        shape,
        values,
    )


@pytest.mark.parametrize(
    ("shape", "axis", "index"), [((3, 4), 0, [2, 0, 2]), ((3, 4), -1, [1]), ((5,), 0, [4, 4])]
)
def test_index_add_is_pytorchs(shape, axis, index):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    values = list(shape)
    values[axis] = len(index)
    compare(
        lambda x, v: ad.index_add(x, axis, index, v) ** 2,
        lambda x, v: torch.index_add(x, axis, tensor_of(index), v) ** 2,
        shape,
        tuple(values),
    )


def test_scatter_add_and_index_add_of_a_number():
    assert ad.scatter_add([1.0, 2.0], [1, 1], 0.5).tolist() == [1.0, 3.0]
    assert ad.index_add([1.0, 2.0], 0, [1, 1], 0.5).tolist() == [1.0, 3.0]
    assert ad.index_add(ad.ones((2,)), 0, [], 0.5).dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "index", "axis"),
    [((2, 3), [[2, 0], [1, 2]], 1), ((2, 3), [[1, 0, 1]], 0), ((2, 3), [5, 0], None)],
)
def test_put_along_axis_is_numpys(shape, index, axis):
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal(shape), rng.standard_normal(np.shape(index))
    expected = x.copy()
    np.put_along_axis(expected, np.array(index), v, axis)
    leaves = [ad.tensor(x, requires_grad=True), ad.tensor(v, requires_grad=True)]
    out = ad.put_along_axis(leaves[0], index, leaves[1], axis)
    np.testing.assert_array_equal(out.detach().numpy(), expected)
    out.sum().backward()
    np.testing.assert_array_equal(leaves[0].grad.numpy(), expected == x)
    np.testing.assert_array_equal(leaves[1].grad.numpy(), np.ones_like(v))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ad.take(x, [0, 3], axis=0),
        lambda x: ad.take_along_axis(x, np.array([[4]]), axis=1),
        lambda x: ad.gather(x, 0, [[3]]),
        lambda x: ad.scatter_add(x, [[3]], 1.0, axis=0),
        lambda x: ad.index_add(x, 1, [4], ad.ones((3, 1))),
        lambda x: ad.put_along_axis(x, [[4]], 1.0),
        lambda x: ad.gather(x, 0, [[0.5]]),
        lambda x: ad.take_along_axis(x, np.array([[0.5]]), axis=1),
    ],
)
def test_indices_out_of_range_or_not_integers(call):
    with pytest.raises(IndexingError):
        call(ad.zeros((3, 4)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ad.take(x, [0], axis=2),
        lambda x: ad.take_along_axis(x, np.array([[0]]), axis=-3),
        lambda x: ad.gather(x, 2, [[0]]),
        lambda x: ad.scatter_add(x, [[0]], 1.0, axis=2),
        lambda x: ad.index_add(x, 2, [0], 1.0),
        lambda x: ad.put_along_axis(x, [[0]], 1.0, axis=2),
        lambda x: ad.diagonal(x, axis1=0, axis2=2),
        lambda x: ad.diagonal(x, axis1=0, axis2=0),
    ],
)
def test_axes_that_are_not_there(call):
    with pytest.raises(AxisError, match=r"\(3, 4\) float32"):
        call(ad.zeros((3, 4)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ad.take_along_axis(x, np.array([0]), axis=1),
        lambda x: ad.gather(x, 0, [0]),
        lambda x: ad.gather(x, 0, [[0] * 5]),
        lambda x: ad.scatter_add(x, [[0, 0]], ad.ones((1, 1)), axis=0),
        lambda x: ad.index_add(x, 0, [[0]], 1.0),
        lambda x: ad.index_add(x, 0, [0], ad.ones((2, 5))),
        lambda x: ad.put_along_axis(x, [0], 1.0),
        lambda x: ad.diag(x[None]),
        lambda x: ad.diagonal(x[0]),
    ],
)
def test_shapes_that_do_not_fit(call):
    with pytest.raises(ShapeError):
        call(ad.zeros((3, 4)))


def test_diag():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    for k in (-1, 0, 2):
        m = ad.diag(x, k)
        np.testing.assert_array_equal(m.detach().numpy(), np.diag([1.0, 2.0], k))
        np.testing.assert_array_equal(ad.diag(m, k).tolist(), [1, 2])
    (ad.diag(ad.diag(x * x, 1) * 3, 1)).sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_take_without_option_name():
    assert ad.take([1, 2, 3], 1).item() == 2
    with pytest.raises(OptionError, match="mode"):
        ad.take([1, 2, 3], 1, mode="wrap")


def test_an_index_that_was_overwritten_does_no_harm():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    index = ad.tensor([0, 1])
    for y in (x[index], x[index, None]):
        with ad.no_grad():
            index[0] = 1
        (gradient,) = ad.grad(y.sum(), [x])
        assert gradient.tolist() == [1.0, 1.0]
        index[0] = 0
    y = ad.take(x, index, axis=0)  # here it is an operand, and kept as it is
    with ad.no_grad():
        index[0] = 1
    with pytest.raises(MutationError):
        y.sum().backward()
