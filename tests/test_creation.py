"""Tensors made from nothing."""
# ruff: noqa: ARG005 - functions that ignore the shape they are given

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff import creation
from autodiff.errors import AutodiffError, DTypeError, NoGradientError, OptionError, ShapeError
from tests.differences import derivative

BY_SHAPE = [ad.zeros, ad.ones, creation.empty]
LIKE = [creation.zeros_like, creation.ones_like, creation.empty_like]
BAD_SHAPES = [-1, (2, -1), 1.5, (2, 1.5), "ab", None, {}]


@pytest.mark.parametrize("make", BY_SHAPE)
@pytest.mark.parametrize("shape", [0, 3, (), (2,), (2, 0, 3), [4, 1]])
def test_by_shape(make, shape):
    made = make(shape)
    assert isinstance(made, ad.Tensor)
    assert made.shape == np.zeros(shape).shape
    assert made.dtype == np.float32
    assert not made.requires_grad
    assert make(shape, dtype=ad.int8).dtype == np.int8
    assert make(shape, dtype="float64", device="cpu").dtype == np.float64
    with ad.default_dtype(ad.float64):
        assert make(shape).dtype == np.float64


def test_values():
    assert ad.zeros((2, 2)).tolist() == [[0, 0], [0, 0]]
    assert ad.ones(2).tolist() == [1, 1]
    assert creation.eye(2).tolist() == [[1, 0], [0, 1]]
    assert creation.eye(2, 3, k=-1, dtype=ad.int64).tolist() == [[0, 0, 0], [1, 0, 0]]
    assert creation.eye(3, 0).shape == (3, 0)


@pytest.mark.parametrize("make", [*BY_SHAPE, lambda s, **o: creation.full(s, 1.0, **o)])
@pytest.mark.parametrize("shape", BAD_SHAPES, ids=str)
def test_bad_shapes(make, shape):
    with pytest.raises(ShapeError, match="shape"):
        make(shape)


@pytest.mark.parametrize(
    "make",
    [
        *BY_SHAPE,
        lambda s, **o: creation.full(s, 1.0, **o),
        lambda s, **o: creation.eye(*s, **o),
        lambda s, **o: creation.arange(3, **o),
        lambda s, **o: creation.linspace(0, 1, 3, **o),
        lambda s, **o: creation.zeros_like(np.zeros(s), **o),
        lambda s, **o: creation.full_like(np.zeros(s), 1, **o),
    ],
)
def test_options(make):
    with pytest.raises(DTypeError, match="not a dtype"):
        make((2, 2), dtype="float31")
    with pytest.raises(DTypeError, match="holds no numbers"):
        make((2, 2), dtype=object)
    with pytest.raises(DTypeError, match="not available"):
        make((2, 2), device="cuda")
    leaf = make((2, 2), dtype=ad.float64, requires_grad=True)
    assert leaf.is_leaf
    assert leaf.requires_grad
    with pytest.raises(DTypeError, match="only those have gradients"):
        make((2, 2), dtype=ad.int32, requires_grad=True)


@pytest.mark.parametrize("make", LIKE)
@pytest.mark.parametrize(
    "x", [np.zeros((2, 3), np.float16), np.zeros((), np.int8), [1.0, 2.0], 3, 2.5]
)
def test_like(make, x):
    for like in (x, ad.tensor(x)):
        made = make(like)
        assert made.shape == ad.tensor(x).shape
        assert made.dtype == ad.tensor(x).dtype
        assert make(like, dtype=ad.float64).dtype == np.float64
    with pytest.raises(DTypeError):
        make("abc")
    with pytest.raises(DTypeError):
        make(None)


def test_like_does_not_record():
    assert not creation.zeros_like(ad.ones(3, requires_grad=True)).requires_grad


def test_full():
    assert creation.full(2, 7).dtype == np.int64
    assert creation.full(2, 7.0).dtype == np.float32
    assert creation.full(2, True).dtype == np.bool_
    assert creation.full(2, 1j).dtype == np.complex64
    assert creation.full((2, 2), np.float64(3)).tolist() == [[3, 3], [3, 3]]
    assert creation.full((2, 2), ad.tensor([1.0, 2.0])).tolist() == [[1, 2], [1, 2]]
    assert creation.full_like(ad.zeros(2), 7).dtype == np.float32
    with pytest.raises(ShapeError, match="full"):
        creation.full(3, [1.0, 2.0])


def test_full_carries_gradients():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    made = creation.full((3, 2), x)
    (made * made).sum().backward()
    assert x.grad.tolist() == [6, 12]
    x = ad.tensor(1.0, requires_grad=True)
    creation.full_like(np.zeros((2, 2)), x).sum().backward()
    assert x.grad.item() == 4
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    "args", [(5,), (0,), (-2,), (2, 5), (5, 2), (5, 2, -1), (0, 1, 0.25), (0.5, 3), (3.0,)]
)
def test_arange(args):
    made = creation.arange(*args)
    expected = np.arange(*args)
    np.testing.assert_allclose(made.numpy(), expected)
    assert made.dtype == (np.int64 if expected.dtype.kind == "i" else np.float32)


def test_arange_limits():
    assert creation.arange(ad.tensor(3)).tolist() == [0, 1, 2]
    assert creation.arange(np.int8(3)).dtype == np.int64
    assert creation.arange(3, dtype=ad.float16).dtype == np.float16
    with pytest.raises(NoGradientError, match="arange"):
        creation.arange(ad.tensor(3.0, requires_grad=True))
    with pytest.raises(ShapeError, match="steps of 0"):
        creation.arange(0, 3, 0)
    with pytest.raises(DTypeError, match="arange"):
        creation.arange("abc")
    with pytest.raises(AutodiffError, match="arange"):
        creation.arange(0, np.inf)


def test_arange_does_not_drift():
    """A hundred thousand tenths, each the float32 that is nearest."""
    exact = (np.arange(100_000) * 0.1).astype(np.float32)
    np.testing.assert_array_equal(creation.arange(0, 10_000, 0.1).numpy()[:100_000], exact)


def test_linspace():
    assert creation.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert creation.linspace(0, 1, 4, endpoint=False).tolist() == [0, 0.25, 0.5, 0.75]
    assert creation.linspace(0, 1, 5).dtype == np.float32
    assert creation.linspace(0, 1j, 2).dtype == np.complex64
    assert creation.linspace(0, 4, 5, dtype=ad.int64).tolist() == [0, 1, 2, 3, 4]
    assert creation.linspace(0, 1, 0).shape == (0,)
    assert creation.linspace(np.float64(0), 1.0, 3).dtype == np.float64
    assert creation.linspace([0.0, 1.0], 2.0, 3).shape == (3, 2)
    with pytest.raises(ShapeError, match="negative"):
        creation.linspace(0, 1, -1)


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("make", [creation.linspace, creation.logspace])
def test_linspace_carries_gradients(make, endpoint):
    a, b = np.array([0.1, -0.3]), np.array(0.7)
    start, stop = (ad.tensor(x, requires_grad=True) for x in (a, b))
    made = make(start, stop, 5, endpoint=endpoint)
    reference = getattr(np, make.__name__)
    np.testing.assert_allclose(made.detach().numpy(), reference(a, b, 5, endpoint=endpoint))
    weight = np.arange(10.0).reshape(5, 2)
    (made * weight).sum().backward()

    def scalar(x, y):
        return float((reference(x, y, 5, endpoint=endpoint) * weight).sum())

    for k, leaf in enumerate((start, stop)):
        np.testing.assert_allclose(leaf.grad.numpy(), derivative(scalar, [a, b], k), rtol=1e-6)


def test_linspace_is_exact_at_the_ends():
    a, b = ad.tensor(0.1), ad.tensor(0.7)
    made = creation.linspace(a, b, 7)
    assert made.dtype == np.float32
    assert made[0].item() == a.item()
    assert made[-1].item() == b.item()


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sizes", [(), (3,), (2, 3), (0, 2), (2, 3, 4)])
def test_meshgrid(indexing, sizes):
    vectors = [np.arange(float(n)) + i for i, n in enumerate(sizes)]
    grids = creation.meshgrid(*vectors, indexing=indexing)
    assert isinstance(grids, tuple)
    expected = np.meshgrid(*vectors, indexing=indexing)
    for grid, wanted in zip(grids, expected, strict=True):
        np.testing.assert_array_equal(grid.numpy(), wanted)


def test_meshgrid_carries_gradients():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = ad.tensor([3.0, 4.0, 5.0], requires_grad=True)
    u, v = creation.meshgrid(x, y)
    (u * v).sum().backward()
    assert x.grad.tolist() == [12, 12]
    assert y.grad.tolist() == [3, 3, 3]


def test_meshgrid_refuses():
    with pytest.raises(ShapeError, match="not a vector"):
        creation.meshgrid(np.zeros((2, 2)))
    with pytest.raises(OptionError, match="indexing"):
        creation.meshgrid([1.0], indexing="yx")


def test_from_dlpack():
    array = np.arange(3.0)
    shared = ad.from_dlpack(array)
    array[0] = 7
    assert shared[0].item() == 7
    copied = ad.from_dlpack(array, copy=True, device="cpu")
    array[0] = 8
    assert copied[0].item() == 7
    assert ad.from_dlpack(ad.tensor([1.0])).tolist() == [1]
    with pytest.raises(DTypeError, match="can't be exchanged"):
        ad.from_dlpack([1.0])
    with pytest.raises(RuntimeError, match="detach"):
        ad.from_dlpack(ad.ones(2, requires_grad=True))


def test_from_dlpack_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.arange(3.0)
    ours = ad.from_dlpack(theirs)
    assert ours.dtype == np.float32
    theirs[0] = 5
    assert ours[0].item() == 5
    assert torch.from_dlpack(ad.tensor([1.0, 2.0])).tolist() == [1, 2]


def test_linspace_of_tensors_takes_a_dtype():
    made = ad.linspace(ad.tensor(0.0, requires_grad=True), 1.0, 3, dtype=ad.float64)
    assert made.dtype == np.float64
    assert made.requires_grad
