"""Shapes and joining beyond the cases: errors, views, options, several results."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import (
    AutodiffError,
    AxisError,
    DomainError,
    DTypeError,
    IndexingError,
    OptionError,
    ShapeError,
)


def ones(*shape):
    return ad.ones(shape)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.reshape(ones(2, 3), (4,)), ShapeError, r"reshape\(x: \(2, 3\) float32\)"),
        (lambda: ad.reshape(ones(2, 3), (-1, -1)), ShapeError, "reshape"),
        (lambda: ad.reshape(ones(2, 3).T, (6,), copy=False), ShapeError, "copy=False"),
        (lambda: ad.flatten(ones(2, 3), 2), AxisError, r"flatten\(x: \(2, 3\) float32\)"),
        (lambda: ad.flatten(ones(2, 3), 1, 0), ShapeError, "start_axis 1 comes after end_axis 0"),
        (lambda: ad.permute_dims(ones(2, 3), (0, 2)), AxisError, "permute_dims"),
        (lambda: ad.permute_dims(ones(2, 3), (0,)), ShapeError, "permute_dims"),
        (lambda: ad.permute_dims(ones(2, 3), (0, 0)), AxisError, "permute_dims.*each axis once"),
        (lambda: ad.matrix_transpose(ones(3)), ShapeError, "matrix_transpose"),
        (lambda: ad.swapaxes(ones(2, 3), 0, 2), AxisError, "swapaxes"),
        (lambda: ad.moveaxis(ones(2, 3), 2, 0), AxisError, "moveaxis"),
        (lambda: ad.moveaxis(ones(2, 3), (0, 1), 0), ShapeError, "moveaxis"),
        (lambda: ad.expand_dims(ones(2, 3), axis=4), AxisError, "expand_dims"),
        (lambda: ad.squeeze(ones(2, 3), axis=0), ShapeError, "squeeze"),
        (lambda: ad.squeeze(ones(2, 3), axis=2), AxisError, "squeeze"),
        (lambda: ad.broadcast_to(ones(2, 3), (2, 4)), ShapeError, "broadcast_to"),
        (lambda: ad.broadcast_arrays(ones(2), ones(3)), ShapeError, r"\(2,\) float32, \(3,\)"),
        (lambda: ad.flip(ones(2), axis=1), AxisError, "flip"),
        (lambda: ad.roll(ones(2), 1, axis=1), AxisError, "roll"),
        (lambda: ad.concat([]), ShapeError, "concat"),
        (lambda: ad.concat([ones(2), ones(2, 2)]), ShapeError, r"\(2,\) float32, \(2, 2\) float32"),
        (lambda: ad.concat([ones(2, 3), ones(2, 2)]), ShapeError, "concat"),
        (lambda: ad.concat([ones(2)], axis=1), AxisError, "concat"),
        (lambda: ad.concat(3.0), DTypeError, "concat joins a sequence of arrays"),
        (lambda: ad.stack([ones(2), ones(3)]), ShapeError, r"stack\(\(2,\) float32, \(3,\) float"),
        (lambda: ad.stack([]), ShapeError, "stack"),
        (lambda: ad.stack([ones(2)], axis=2), AxisError, "stack"),
        (lambda: ad.unstack(ones(2), axis=1), AxisError, "unstack"),
        (lambda: ad.split(ones(5), 2), OptionError, "2 equal pieces of an axis of size 5"),
        (lambda: ad.split(ones(5), 0), OptionError, "0 equal pieces"),
        (lambda: ad.split(ones(5), [3, 1]), OptionError, "don't ascend"),
        (lambda: ad.split(ones(5), 5, axis=1), AxisError, "split"),
        (lambda: ad.split(ones(5), [1.5]), OptionError, "split.*whole numbers"),
        (lambda: ad.chunk(ones(5), 0), OptionError, "0 pieces"),
        (lambda: ad.chunk(ones(5), 2, axis=1), AxisError, "split"),
        (lambda: ad.repeat(ones(5), -1), DomainError, "repeat"),
        (lambda: ad.repeat(ones(5), [1, 2]), ShapeError, "repeat"),
        (lambda: ad.repeat(ones(5), 2, axis=1), AxisError, "repeat"),
        (lambda: ad.pad(ones(5), 1, mode="linear"), OptionError, "mode 'linear' is unknown"),
        (lambda: ad.pad(ones(5), -1), ShapeError, "negative"),
        (lambda: ad.pad(ones(5), ((1, 1), (1, 1))), ShapeError, "pad"),
        (lambda: ad.pad(ones(5), 1.5), OptionError, "integers"),
        (lambda: ad.pad(ones(0), 1, mode="edge"), ShapeError, "pad"),
        (lambda: ad.sliding_window_view(ones(5), 6), ShapeError, "sliding_window_view"),
        (lambda: ad.sliding_window_view(ones(5), 2, axis=1), AxisError, "sliding_window_view"),
        (lambda: ad.sliding_window_view(ones(5), (2, 2)), ShapeError, "sliding_window_view"),
        (lambda: ad.sliding_window_view(ones(5), 2, step=0), OptionError, "step is 0"),
        (lambda: ad.sliding_window_view(ones(5), 2, dilation=1.5), OptionError, "dilation is 1.5"),
        (lambda: ad.sliding_window_view(ones(5), 3, dilation=3), ShapeError, "sliding_window_view"),
        (lambda: ad.sliding_window_view(ones(5), (2, 2), 0, step=2), ShapeError, "does not fit"),
        (lambda: ad.sliding_window_view(ones(5), (2, 2), (0, 0), step=2), OptionError, "repeat"),
        (lambda: ad.overlap_add(ones(3, 2), (4,), step=2), ShapeError, "not the windows"),
        (lambda: ad.overlap_add(ones(3, 2), (5,)), ShapeError, "not the windows"),
        (lambda: ad.overlap_add(ones(3, 2), (4, 5)), ShapeError, "not the windows"),
        (lambda: ad.overlap_add(ones(3, 2), (4,), 1), AxisError, "overlap_add"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message) as raised:
        call()
    assert isinstance(raised.value, AutodiffError)


def test_reshape_copies_as_told():
    x = ad.tensor(np.arange(6.0).reshape(2, 3))
    assert np.may_share_memory(ad.reshape(x, (3, 2)).numpy(), x.numpy())
    assert np.may_share_memory(ad.reshape(x, (3, 2), copy=False).numpy(), x.numpy())
    assert not np.may_share_memory(ad.reshape(x, (3, 2), copy=True).numpy(), x.numpy())
    assert ad.reshape(ad.zeros((0, 2)).T, (0,), copy=False).shape == (0,)
    assert ad.reshape(3.0, (1, 1)).shape == (1, 1)


def test_flatten_and_ravel():
    x = ad.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    assert x.flatten().shape == (24,)
    assert ad.flatten(x, 1).shape == (2, 12)
    assert ad.flatten(x, 0, 1).shape == (6, 4)
    assert ad.flatten(x, -2, -2).shape == (2, 3, 4)
    assert ad.flatten(1.0).shape == (1,)
    assert ad.ravel(1.0).shape == (1,)
    assert ad.flatten(ad.zeros((2, 0, 3)), 1).shape == (2, 0)
    assert ad.ravel([[1, 2], [3, 4]]).tolist() == [1, 2, 3, 4]
    (ad.ravel(x) * np.arange(24.0)).sum().backward()
    assert x.grad.numpy().ravel().tolist() == list(range(24))


def test_broadcast_arrays():
    x = ad.tensor([[1.0], [2.0]], requires_grad=True)
    y = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, c = ad.broadcast_arrays(x, y, 1)
    assert a.shape == b.shape == c.shape == (2, 3)
    (a * b).sum().backward()
    assert x.grad.tolist() == [[6.0], [6.0]]
    assert y.grad.tolist() == [3.0, 3.0, 3.0]
    assert ad.broadcast_arrays() == []


def test_concat_of_anything_in_sequence():
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert ad.concat(x).tolist() == [1, 2, 3, 4]
    assert ad.concat((x, np.ones((1, 2), np.float32))).dtype == np.float32
    assert ad.stack(t for t in (x, x)).shape == (2, 2, 2)
    ad.concat([x, x, x[:1]], axis=None).sum().backward()
    assert x.grad.tolist() == [[3, 3], [2, 2]]


def test_pieces_share_one_gradient_buffer():
    x = ad.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
    first, _, third, _ = ad.unstack(x)
    (first * 2 + first + third.sum()).sum().backward()
    assert x.grad.tolist() == [[3] * 3, [0] * 3, [3] * 3, [0] * 3]
    x.zero_grad()
    a, _, c = ad.split(x, [1, 3])
    (a.sum() + (c * c).sum()).backward()
    assert x.grad.tolist() == [[1] * 3, [0] * 3, [0] * 3, [18, 20, 22]]


def test_pieces_in_second_order():
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, _ = ad.unstack(x)
    (g,) = ad.grad(a * a * b, [x], create_graph=True)
    assert g.tolist() == [4.0, 1.0, 0.0]
    (h,) = ad.grad(g.sum(), [x])
    assert h.tolist() == [6.0, 2.0, 0.0]


def test_no_pieces():
    x = ad.zeros((2, 0), requires_grad=True)
    assert ad.unstack(x, axis=1) == ()
    assert list(ad.zeros((0, 3), requires_grad=True)) == []


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("chunks", [1, 2, 3, 10])
def test_chunk_is_pytorchs(size, chunks):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = np.arange(2.0 * size).reshape(2, size)
    expected = torch.tensor(x).chunk(chunks, 1)
    pieces = ad.chunk(x, chunks, axis=-1)
    assert [p.shape for p in pieces] == [tuple(p.shape) for p in expected]
    for piece, other in zip(pieces, expected, strict=True):
        np.testing.assert_array_equal(piece.numpy(), other.numpy())


def test_split_is_numpys():
    x = np.arange(7.0)
    for cuts in ([2, 9], [-3, -1], [0, 0, 7], [], (3,), np.array([1, 2])):
        pieces = ad.split(x, cuts)
        for piece, other in zip(pieces, np.split(x, cuts), strict=True):
            np.testing.assert_array_equal(piece.numpy(), other)
    assert [p.shape for p in ad.split(x, ad.tensor(7))] == [(1,)] * 7


def test_repeats_have_no_gradient_but_may_be_tensors():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = ad.repeat(x, ad.tensor([3, 1]))
    assert y.tolist() == [1, 1, 1, 2]
    (y * y).sum().backward()
    assert x.grad.tolist() == [6.0, 4.0]


def test_windows_are_views():
    x = ad.tensor(np.zeros((1000,)))
    view = ad.sliding_window_view(x, 500)
    assert view.shape == (501, 500)
    assert np.may_share_memory(view.numpy(), x.numpy())


def test_method_names():
    x = ad.tensor(np.arange(6.0).reshape(2, 3))
    assert x.T.shape == x.mT.shape == x.permute(1, 0).shape == x.swapaxes(0, 1).shape == (3, 2)
    assert [t.shape for t in x.chunk(2, 1)] == [(2, 2), (2, 1)]
    assert x.take([1], axis=1).tolist() == [[1], [4]]
    assert x.repeat(2, axis=0).shape == (4, 3)
    assert x.flip().tolist() == [[5, 4, 3], [2, 1, 0]]
    assert x.gather(1, [[0], [2]]).tolist() == [[0], [5]]
    with pytest.raises(IndexingError):
        x.gather(1, [[3], [0]])


@pytest.mark.parametrize("join", [ad.concat, ad.stack])
def test_the_axis_of_a_join_is_given_by_position_too(join):
    x = ad.ones((2, 3))
    assert join([x, x], 1).shape == join([x, x], axis=1).shape


def test_numbers_are_stacked_in_the_dtype_of_the_arrays_beside_them():
    """Python's numbers widen nothing."""
    x = ad.tensor(1.0, requires_grad=True)
    y = ad.stack([x, 2.0, 3])
    assert y.dtype == ad.float32
    assert y.tolist() == [1.0, 2.0, 3.0]
    y.sum().backward()
    assert x.grad.item() == 1.0
    assert ad.stack([np.float64(1), 2.0]).dtype == ad.float64
    assert ad.stack([ad.tensor(1), 2.5]).dtype == ad.float64
    assert ad.stack([ad.tensor(1.0, dtype=ad.float16), 2j]).dtype == ad.complex64


@pytest.mark.parametrize(
    "call",
    [
        lambda x, i: ad.gather(x, i, 1),
        lambda x, i: ad.scatter_add(x, 1, i, x),
        lambda x, i: ad.index_add(x, i, 1, x),
    ],
)
def test_an_array_as_the_axis_says_where_the_order_stands(call):
    with pytest.raises(ad.AxisError, match=r"the axis is \(2, .*arguments' order"):
        call(ad.ones((2, 3)), ad.zeros((2, 1), dtype=ad.int64))
