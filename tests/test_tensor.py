"""The tensor: what it is made from, its attributes, operators, methods, conversions, text."""

from __future__ import annotations

import copy
import gc
import inspect
import operator
import pickle
import re
import weakref

import numpy as np
import pytest

import autodiff as ad
from autodiff import methods, names
from autodiff.errors import (
    AutodiffError,
    AxisError,
    DomainError,
    DTypeError,
    GraphError,
    IndexingError,
    OptionError,
    ShapeError,
)
from tests.differences import derivative

# -- making ----------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (3, "int64"),
        (True, "bool"),
        (1j, "complex64"),
        ([1.0, 2], "float32"),
        ([1, 2], "int64"),
        ([[True], [False]], "bool"),
        ([], "float32"),
        ((1.0, 2.0), "float32"),
        ([1j, 2.0], "complex64"),
        (np.float64(1.5), "float64"),
        (np.int8(3), "int8"),
        ([np.float64(1.5), np.float64(2)], "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.uint8), "uint8"),
        (range(3), "int64"),
    ],
    ids=repr,
)
def test_dtypes_of_data(data, dtype):
    for made in (ad.Tensor(data), ad.tensor(data)):
        assert made.dtype == dtype
        np.testing.assert_array_equal(made.numpy(), np.asarray(data))
    assert ad.asarray(data).dtype == dtype
    assert ad.tensor(ad.tensor(data)).dtype == dtype


@pytest.mark.parametrize("value", [0.1, 1e300, 0.1j, -0.1 + 1e-9j])
def test_numbers_are_rounded_once_to_the_dtype_that_is_asked_for(value):
    dtype = ad.complex128 if isinstance(value, complex) else ad.float64
    for made in (ad.tensor, ad.asarray):
        assert made(value, dtype=dtype).item() == value
        assert made([[value]], dtype=dtype).item() == value
    assert ad.full((1,), value, dtype=dtype).item() == value
    assert ad.full_like(ad.zeros(1, dtype=dtype), value).item() == value


def test_default_dtype():
    with ad.default_dtype(ad.float64):
        assert ad.tensor([1.0]).dtype == np.float64
        assert ad.tensor(1j).dtype == np.complex128
        assert (ad.tensor([1], dtype=ad.float32) * 2.0).dtype == np.float32
    assert ad.tensor(1.0).dtype == np.float32
    ad.set_default_dtype("float16")
    try:
        assert ad.tensor(1.0).dtype == np.float16
    finally:
        ad.set_default_dtype(ad.float32)
    with pytest.raises(DTypeError, match="default dtype"):
        ad.set_default_dtype(ad.int32)


def test_data_is_copied():
    array = np.zeros(2)
    made = ad.Tensor(array)
    array[0] = 1
    assert made.tolist() == [0, 0]
    other = ad.tensor(made)
    with ad.no_grad():
        made += 1
    assert other.tolist() == [0, 0]


@pytest.mark.parametrize("data", ["abc", None, {}, [object()], [[1.0], [1.0, 2.0]], np.array("a")])
def test_data_that_holds_no_numbers(data):
    for make in (ad.Tensor, ad.tensor, ad.asarray):
        with pytest.raises(AutodiffError):
            make(data)


def test_list_of_tensors_names_stack():
    with pytest.raises(DTypeError, match="stack"):
        ad.tensor([ad.tensor(1.0), ad.tensor(2.0)])


def test_requires_grad_wants_floats():
    assert ad.Tensor([1.0], True).requires_grad
    for data in ([1], [True]):
        with pytest.raises(DTypeError, match="astype"):
            ad.tensor(data, requires_grad=True)
    with pytest.raises(DTypeError, match="imaginary"):
        ad.tensor([1j], requires_grad=True)
    with pytest.raises(DTypeError, match="not a dtype"):
        ad.tensor([1.0], dtype="float31")
    assert ad.tensor([1], dtype=ad.float64, requires_grad=True).dtype == np.float64


def test_asarray():
    array = np.arange(3.0)
    shared = ad.asarray(array)
    array[0] = 7
    assert shared[0].item() == 7
    assert ad.asarray(shared) is shared
    assert ad.asarray(shared, copy=True) is not shared
    assert ad.asarray(array, dtype=ad.float32).dtype == np.float32
    assert ad.asarray(array, copy=False)[0].item() == 7
    leaf = ad.tensor([1.0], requires_grad=True)
    assert ad.asarray(leaf, dtype=ad.float64).requires_grad
    copied = ad.asarray(leaf, copy=True)
    copied.sum().backward()
    assert leaf.grad.tolist() == [1]
    assert ad.asarray(memoryview(b"ab")).tolist() == [97, 98]
    for bad in ([1.0], 1.0):
        with pytest.raises(DomainError, match="copy"):
            ad.asarray(bad, copy=False)
    with pytest.raises(DomainError, match="copy"):
        ad.asarray(shared, dtype=ad.int8, copy=False)
    with pytest.raises(DomainError, match="copy"):
        ad.asarray(array, dtype=ad.int8, copy=False)
    with pytest.raises(DTypeError, match="not available"):
        ad.asarray(array, device="cuda")


class Subclass(np.ndarray):
    pass


def test_arrays_of_others():
    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0])

    for make in (ad.tensor, ad.asarray):
        assert make(Column()).dtype == np.float64
        assert make(bytearray(b"ab")).tolist() == [97, 98]
        assert type(make(np.zeros(1).view(Subclass)).array) is np.ndarray
        with pytest.raises(DTypeError, match="filled"):
            make(np.ma.array([1.0, 2.0], mask=[0, 1]))


def test_arrays_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.ones(2)
    copied, shared = ad.tensor(theirs), ad.asarray(theirs)
    theirs[0] = 5
    assert (copied.tolist(), shared.tolist()) == ([1, 1], [5, 1])
    with pytest.raises(DTypeError, match="exchanged"):
        ad.tensor(torch.ones(2, requires_grad=True))


# -- attributes ----------------------------------------


def test_attributes():
    x = ad.tensor(np.zeros((2, 3, 4), np.float32), requires_grad=True, name="x")
    assert (x.shape, x.ndim, x.size, x.nbytes) == ((2, 3, 4), 3, 24, 96)
    assert x.dtype == np.float32
    assert x.device == "cpu"
    assert x.name == "x"
    assert x.is_leaf
    assert x.requires_grad
    assert x.grad is None
    assert isinstance(x.data, np.ndarray)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    y = x * 2
    assert not y.is_leaf
    assert y.name is None
    y.name = "y"
    assert y.name == y.node.name == "y"
    assert ad.tensor(1.0).is_leaf
    with pytest.raises(AttributeError):
        x.nothing = 1
    with pytest.raises(ShapeError, match="matrix_transpose"):
        ad.tensor([1.0]).mT
    z = ad.tensor([1 + 2j])
    assert (z.real.tolist(), z.imag.tolist()) == ([1], [2])
    assert x.real.requires_grad


def test_requires_grad_switch():
    x = ad.tensor([1.0], name="x")
    x.requires_grad = True
    assert x.requires_grad
    assert x.node.name == "x"
    y = x * 2
    with pytest.raises(GraphError, match="detach"):
        y.requires_grad = False
    assert x.requires_grad_(False) is x
    assert not x.requires_grad


def test_grad_setter():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    x.grad = [3.0, 4.0]
    assert x.grad.tolist() == [3, 4]
    g = ad.tensor([5.0, 6.0])
    x.grad = g
    assert x.grad is not g
    with pytest.raises(ShapeError, match="grad"):
        x.grad = [1.0]
    with pytest.raises(DTypeError, match=r"float64.*astype\(autodiff.float32\)"):
        x.grad = np.ones(2)
    assert x.grad.tolist() == [5, 6]
    x.zero_grad()
    assert x.grad is None
    plain = ad.tensor([1.0])
    plain.grad = None
    with pytest.raises(GraphError, match="requires_grad"):
        plain.grad = [1.0]


def test_data_setter():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    x.data = x.data * 2
    assert x.tolist() == [2, 4]
    for bad, error in (([1.0], ShapeError), (np.ones(2), DTypeError)):
        with pytest.raises(error, match="data"):
            x.data = bad
    plain = ad.tensor([1.0])
    plain.data = np.ones((2, 2))
    assert plain.shape == (2, 2)


# -- operators ----------------------------------------

ARITHMETIC = "add sub mul truediv floordiv mod pow matmul".split()  # noqa: SIM905
BITS = "and_ or_ xor lshift rshift".split()  # noqa: SIM905
A = np.array([[1.5, 2.5], [0.75, 3.0]])
B = np.array([[0.5, 1.5], [2.0, 0.25]])


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize(
    "other", [B, B.astype(np.float32), 2.0, 2, np.float64(2), B.tolist(), [[2, 1], [1, 2]]], ids=str
)
def test_arithmetic(name, other):
    """Tensor with tensor, array, scalar and list, both ways round, and in place."""
    function = getattr(operator, name)
    if name == "matmul" and np.ndim(other) == 0:
        with pytest.raises(ShapeError, match="matmul"):
            function(ad.tensor(A), other)
        return
    array = np.asarray(other)
    others = [other, ad.tensor(other)] if isinstance(other, np.ndarray) else [other]
    for operand in others:
        for left, right, wanted in [
            (ad.tensor(A, requires_grad=True), operand, function(A, array)),
            (operand, ad.tensor(A, requires_grad=True), function(array, A)),
        ]:
            made = function(left, right)
            assert isinstance(made, ad.Tensor)
            assert made.requires_grad
            assert made.dtype == np.float64
            np.testing.assert_allclose(made.detach().numpy(), wanted, rtol=1e-6)
        x = start = ad.tensor(A, requires_grad=True) * 1
        x = getattr(operator, f"i{name}")(x, operand)
        assert x is start
        np.testing.assert_allclose(x.detach().numpy(), function(A, array), rtol=1e-6)


@pytest.mark.parametrize("name", BITS)
def test_bits(name):
    function = getattr(operator, name)
    a, b = np.array([1, 2, 3]), np.array([3, 1, 0])
    for left, right in [(ad.tensor(a), ad.tensor(b)), (ad.tensor(a), b), (a, ad.tensor(b))]:
        np.testing.assert_array_equal(function(left, right).numpy(), function(a, b))
    assert function(ad.tensor(a), 1).tolist() == function(a, 1).tolist()
    assert function(1, ad.tensor(a)).tolist() == function(1, a).tolist()
    x = ad.tensor(a)
    x = getattr(operator, f"i{name.rstrip('_')}")(x, b)
    assert x.tolist() == function(a, b).tolist()
    with pytest.raises(DTypeError):
        function(ad.tensor([1.0]), 1)


def test_unary_operators():
    x = ad.tensor(A - 2, requires_grad=True)
    np.testing.assert_array_equal((-x).detach().numpy(), 2 - A)
    np.testing.assert_array_equal((+x).detach().numpy(), A - 2)
    np.testing.assert_array_equal(abs(x).detach().numpy(), abs(A - 2))
    assert (~ad.tensor([True, False])).tolist() == [False, True]
    assert (~ad.tensor([0])).tolist() == [-1]
    quotient, remainder = divmod(x, 0.7)
    np.testing.assert_allclose(quotient.detach().numpy(), (A - 2) // 0.7)
    np.testing.assert_allclose(remainder.detach().numpy(), (A - 2) % 0.7)
    quotient, remainder = divmod(7, ad.tensor([2, 3]))
    assert (quotient.tolist(), remainder.tolist()) == ([3, 2], [1, 1])


def test_reflected_gradients():
    for function in (operator.sub, operator.truediv, operator.pow, operator.matmul):
        x = ad.tensor(A, requires_grad=True)
        function(B, x).sum().backward()
        expected = derivative(lambda a, f=function: float(f(B, a).sum()), [A], 0)
        np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


def test_weak_scalars():
    x = ad.tensor([1.0], dtype=ad.float16)
    assert (x * 2.0).dtype == (2 + x).dtype == (x**2).dtype == np.float16
    assert (ad.tensor([1]) * 2.0).dtype == np.float64
    assert (ad.tensor([1], dtype=ad.int8) + 1).dtype == np.int8


def test_comparison():
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for other in (2, 2.0, np.full(3, 2.0), ad.tensor(2.0), [2, 2, 2]):
        for name in ("eq", "ne", "lt", "le", "gt", "ge"):
            compare = getattr(operator, name)
            for made, wanted in [
                (compare(x, other), compare(np.array([1, 2, 3]), 2)),
                (compare(other, x), compare(2, np.array([1, 2, 3]))),
            ]:
                assert isinstance(made, ad.Tensor)
                assert made.dtype == np.bool_
                assert not made.requires_grad
                assert made.tolist() == wanted.tolist()


def test_comparison_with_what_is_no_number():
    x = ad.tensor([1.0, 2.0])
    for other in (None, "a", object(), {}):
        assert (x == other) is False
        assert (x != other) is True
        with pytest.raises(TypeError):
            x < other  # noqa: B015


def test_hash_by_identity():
    a, b = ad.tensor([1.0]), ad.tensor([1.0])
    assert hash(a) == hash(a)
    assert len({a, b}) == 2
    assert {a: 1, b: 2}[b] == 2
    weakref.ref(a)


@pytest.mark.parametrize("name", [*ARITHMETIC, *BITS])
@pytest.mark.parametrize("other", ["a", object(), {}, None, {1}], ids=lambda x: type(x).__name__)
def test_unknown_operands(name, other):
    function = getattr(operator, name)
    pairs = [(ad.tensor([1.0]), other), (other, ad.tensor([1.0]))]
    if (name, other) == ("mod", "a"):
        del pairs[1]  # a string's % is formatting
    for operands in pairs:
        with pytest.raises((DTypeError, ShapeError), match=r"float32|neither a tensor"):
            function(*operands)
    x = ad.tensor([1.0])
    with pytest.raises((DTypeError, ShapeError)):
        getattr(operator, f"i{name.rstrip('_')}")(x, other)
    assert x.tolist() == [1]


def test_in_place():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="no_grad"):
        x += 1
    y = x * 1
    y *= x
    y -= 1
    y.sum().backward()
    assert x.grad.tolist() == [2, 4]
    with ad.no_grad():
        array = x.array
        x -= 0.5
        assert x.array is array
    assert x.is_leaf
    z = ad.tensor([1, 2])
    for other, error in ((0.5, DTypeError), ([[1], [2]], ShapeError)):
        with pytest.raises(error, match="in-place"):
            operator.iadd(z, other)
        with ad.no_grad(), pytest.raises(error, match="in-place"):
            operator.iadd(z, other)
    assert z.tolist() == [1, 2]


def test_writes_into_shared_memory():
    x = ad.broadcast_to(ad.tensor([1.0]), (3,))
    with ad.no_grad():
        for write in (lambda: operator.iadd(x, 1.0), lambda: operator.setitem(x, 0, 1.0)):
            with pytest.raises(DomainError, match=r"read-only.*clone"):
                write()
        y = x.clone()
        y += 1.0
    assert y.tolist() == [2, 2, 2]


def test_in_place_results_keep_the_name():
    y = ad.tensor([1.0, 2.0], requires_grad=True) * 2
    y.name = "h"
    y += 1
    assert y.name == y.node.name == "h"
    y[0] = 0.0
    assert y.node.name == "h"


# -- indexing ----------------------------------------


def test_item_assignment():
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = ad.tensor(5.0, requires_grad=True)
    y = x * 1
    y[1:] = v
    (y * y).sum().backward()
    assert x.grad.tolist() == [2, 0, 0]
    assert v.grad.item() == 20
    with pytest.raises(GraphError, match="clone"):
        x[0] = 1.0
    with ad.no_grad():
        x[0] = 9.0
    assert x.tolist() == [9, 2, 3]
    for index, value in [(5, 1.0), (slice(None), [1.0, 2.0]), ("a", 1.0), (0, "a")]:
        with pytest.raises(AutodiffError):
            y[index] = value
        with ad.no_grad(), pytest.raises(AutodiffError):
            x[index] = value
    with pytest.raises(IndexingError, match="getitem"):
        x[5]
    with ad.no_grad():
        assert x.copy_([1.0, 2.0, 3.0]).tolist() == [1, 2, 3]


def test_iteration_and_containment():
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3, 4], [1, 2]]
    assert len(x) == 2
    assert 3.0 in x
    assert 7 not in x
    assert "a" not in x
    assert None not in x
    assert ad.tensor(4.0) in x
    scalar = ad.tensor(1.0)
    with pytest.raises(TypeError, match="0-d"):
        len(scalar)
    with pytest.raises(TypeError, match="0-d"):
        iter(scalar)


# -- out of the engine ----------------------------------------


def test_python_numbers():
    x = ad.tensor([2.5], requires_grad=True)
    assert float(x) == 2.5
    assert int(x) == 2
    assert complex(x) == 2.5
    assert bool(x)
    assert not bool(ad.tensor(0))
    assert x.item() == 2.5
    assert type(x.item()) is float
    assert round(x).tolist() == [2]
    assert round(ad.tensor([1.234], dtype=ad.float64), 2).tolist() == [1.23]
    assert ad.tensor([[1, 2]]).item(0, 1) == 2
    assert ad.tensor([[1, 2]]).tolist() == [[1, 2]]
    assert [10, 20, 30][ad.tensor(1)] == 20
    assert f"{x:.2f}" == "2.50"
    assert f"{ad.tensor([1, 2])}" == str(ad.tensor([1, 2]))


def test_conversions_that_fail():
    many = ad.tensor([1.0, 2.0])
    for convert in (float, int, complex):
        with pytest.raises(ShapeError, match=r"one element.*\(2,\) float32"):
            convert(many)
    with pytest.raises(ValueError, match=r"truth value of \(2,\) float32 is ambiguous"):
        bool(many)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(ad.zeros(0))
    for bad in (many, ad.zeros(0)):
        with pytest.raises(ShapeError, match=r"item\(\): only a tensor of one element"):
            bad.item()
    with pytest.raises(IndexingError, match="item"):
        many.item(7)
    for convert in (float, int):
        with pytest.raises(DTypeError, match="complex"):
            convert(ad.tensor(1j))
    for bad in (ad.tensor(1.0), ad.tensor([1])):
        with pytest.raises(TypeError, match="0-d integer"):
            operator.index(bad)
    with pytest.raises(ShapeError):
        f"{many:.2f}"


def test_numpy():
    x = ad.tensor([1.0])
    assert x.numpy() is x.array
    x = ad.tensor([1.0], requires_grad=True)
    for convert in (x.numpy, lambda: np.asarray(x), x.__dlpack__):
        with pytest.raises(GraphError, match=r"\.detach\(\)\.numpy\(\)"):
            convert()
    assert x.detach().numpy() is x.array
    assert x.detach().__dlpack_device__() == np.ones(1).__dlpack_device__()


def test_detach_and_clone():
    x = ad.tensor([1.0], requires_grad=True)
    assert not x.detach().requires_grad
    assert x.detach().array is x.array
    y = x.clone()
    assert y.array is not x.array
    y.sum().backward()
    assert x.grad.tolist() == [1]


def test_array_namespace():
    x = ad.tensor([1.0])
    assert x.__array_namespace__() is ad
    assert x.__array_namespace__(api_version="2024.12") is ad
    with pytest.raises(DTypeError, match=r"2019\.01"):
        x.__array_namespace__(api_version="2019.01")
    assert x.to_device("cpu") is x
    with pytest.raises(DTypeError, match="not available"):
        x.to_device("cuda")


# -- copies ----------------------------------------


def test_copies():
    x = ad.tensor([1.0, 2.0], requires_grad=True, name="x")
    x.grad = [3.0, 4.0]
    deep = copy.deepcopy({"x": x, "again": x})
    assert deep["x"] is deep["again"]
    made = deep["x"]
    assert (made.name, made.requires_grad, made.is_leaf) == ("x", True, True)
    assert made.grad.tolist() == [3, 4]
    assert made.array is not x.array
    assert made.grad is not x.grad
    shallow = copy.copy(ad.tensor([1.0]))
    assert shallow.tolist() == [1]
    for picked in (pickle.loads(pickle.dumps(x)), pickle.loads(pickle.dumps(x.detach()))):  # noqa: S301
        assert picked.tolist() == [1, 2]
    assert pickle.loads(pickle.dumps(x)).requires_grad  # noqa: S301
    assert pickle.loads(pickle.dumps(x)).name == "x"  # noqa: S301
    y = x * 2
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy(y)
    with pytest.raises(GraphError, match="detach"):
        pickle.dumps(y)


class Parameter(ad.Tensor):
    def __init__(self, shape):
        super().__init__(np.zeros(shape), requires_grad=True)


def test_copies_of_subclasses():
    p = Parameter((2,))
    for made in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):  # noqa: S301
        assert type(made) is Parameter
        assert made.requires_grad
    assert type(p + 1) is ad.Tensor


# -- text ----------------------------------------


def test_repr():
    assert repr(ad.tensor(1.5)) == "tensor(1.5, dtype=float32)"
    x = ad.tensor([1.0, 2.0], requires_grad=True, name="x")
    assert repr(x) == "tensor([1., 2.], dtype=float32, requires_grad=True, name='x')"
    assert repr(ad.exp(x * 0)) == "tensor([1., 1.], dtype=float32, requires_grad=True, op=exp)"
    assert repr(ad.zeros((0, 3))) == "tensor([], shape=(0, 3), dtype=float32)"
    assert repr(ad.zeros(0)) == "tensor([], dtype=float32)"
    assert repr(ad.tensor([[1], [2]])) == "tensor([[1],\n        [2]], dtype=int64)"
    assert "..." in repr(ad.zeros(10_000))
    assert repr(ad.tensor([True])) == "tensor([ True], dtype=bool)"


# -- methods ----------------------------------------

METHODS = {
    "abs": lambda x: x.abs(),
    "add": lambda x: x.add(x),
    "all": lambda x: x.all(0),
    "amax": lambda x: x.amax(1),
    "amin": lambda x: x.amin((0, 1)),
    "any": lambda x: x.any(axis=-1, keepdims=True),
    "argmax": lambda x: x.argmax(1),
    "argmin": lambda x: x.argmin(),
    "argsort": lambda x: x.argsort(0),
    "astype": lambda x: x.astype(np.float32),
    "chunk": lambda x: x.chunk(2, 0)[0],
    "clip": lambda x: x.clip(0.3, 0.5),
    "cumulative_max": lambda x: x.cumulative_max(1),
    "cumulative_prod": lambda x: x.cumulative_prod(0),
    "cumulative_sum": lambda x: x.cumulative_sum(1),
    "cumulative_sum-initial": lambda x: x.cumulative_sum(1, include_initial=True),
    "chunk-names": lambda x: x.chunk(chunks=2, axis=0)[0],
    "split-names": lambda x: x.split(indices_or_sections=[1], axis=1)[1],
    "cumprod": lambda x: x.cumprod(0),
    "cumsum": lambda x: x.cumsum(1),
    "count_nonzero": lambda x: x.count_nonzero(0),
    "diagonal": lambda x: x.diagonal(1),
    "divide": lambda x: x.divide(2),
    "dot": lambda x: x.dot(x.T),
    "expand_dims": lambda x: x.expand_dims(0),
    "flatten": lambda x: x.flatten(),
    "flip": lambda x: x.flip(0),
    "gather": lambda x: x.gather(1, np.array([[0, 1], [2, 0]])),
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(0, keepdims=True),
    "matmul": lambda x: x.matmul(x.T),
    "max": lambda x: x.max(0),
    "maximum": lambda x: x.maximum(0.4),
    "mean": lambda x: x.mean(-1, keepdims=True),
    "median": lambda x: x.median(0),
    "min": lambda x: x.min(axis=1),
    "minimum": lambda x: x.minimum(0.4),
    "moveaxis": lambda x: x.moveaxis(0, 1),
    "multiply": lambda x: x.multiply(3),
    "nonzero": lambda x: x.nonzero()[0],
    "norm": lambda x: x.norm(axis=0),
    "outer": lambda x: x[0].outer(x[1]),
    "permute": lambda x: x.permute(1, 0),
    "pow": lambda x: x.pow(2),
    "prod": lambda x: x.prod(1),
    "quantile": lambda x: x.quantile(0.5, 0),
    "ravel": lambda x: x.ravel(),
    "repeat": lambda x: x.repeat(2),
    "repeat-axis": lambda x: x.repeat(2, axis=0),
    "reshape": lambda x: x.reshape(3, -1),
    "reshape-tuple": lambda x: x.reshape((6,)),
    "view": lambda x: x.view(6),
    "quantile-method": lambda x: x.quantile(0.4, 0, method="lower"),
    "roll": lambda x: x.roll(1, 0),
    "round": lambda x: x.round(),
    "round-decimals": lambda x: x.round(1),
    "softmax": lambda x: x.softmax(-1),
    "softmax-axis": lambda x: x.softmax(axis=0),
    "sort": lambda x: x.sort(0),
    "sort-descending": lambda x: x.sort(1, descending=True),
    "split": lambda x: x.split([1], axis=1)[1],
    "squeeze": lambda x: x.expand_dims(1).squeeze(),
    "squeeze-axis": lambda x: x.expand_dims(0).squeeze(0),
    "std": lambda x: x.std(),
    "std-axis": lambda x: x.std(0, correction=1),
    "subtract": lambda x: x.subtract(1),
    "sum": lambda x: x.sum(0),
    "sum-axis": lambda x: x.sum(axis=0),
    "sum-dtype": lambda x: x.sum(dtype=np.float32),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([0, 1], 1),
    "take_along_axis": lambda x: x.take_along_axis(np.array([[0], [2]]), 1),
    "tile": lambda x: x.tile((2, 1)),
    "topk": lambda x: x.topk(2)[0],
    "topk-smallest": lambda x: x.topk(2, largest=False)[0],
    "softplus": lambda x: x.softplus(2.0, threshold=30.0),
    "trace": lambda x: x.trace(),
    "transpose": lambda x: x.transpose(),
    "transpose-axes": lambda x: x.transpose(1, 0),
    "transpose-tuple": lambda x: x.transpose((1, 0)),
    "tril": lambda x: x.tril(-1),
    "tril-name": lambda x: x.tril(k=-1),
    "triu": lambda x: x.triu(1),
    "unstack": lambda x: x.unstack(1)[2],
    "var": lambda x: x.var(axis=1),
}
OURS = {  # what ndarrays have no method for, as a function
    "abs": np.abs,
    "add": lambda x: x + x,
    "amax": lambda x: np.max(x, 1),
    "amin": np.min,
    "chunk": lambda x: x[:1],
    "count_nonzero": lambda x: np.count_nonzero(x, 0),
    "cumulative_max": lambda x: np.maximum.accumulate(x, 1),
    "cumulative_prod": lambda x: np.cumprod(x, 0),
    "cumulative_sum": lambda x: np.cumsum(x, 1),
    "cumulative_sum-initial": lambda x: np.cumsum(np.pad(x, ((0, 0), (1, 0))), 1),
    "chunk-names": lambda x: x[:1],
    "split-names": lambda x: x[:, 1:],
    "divide": lambda x: x / 2,
    "expand_dims": lambda x: x[None],
    "flip": lambda x: x[::-1],
    "gather": lambda x: np.take_along_axis(x, np.array([[0, 1], [2, 0]]), 1),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "logsumexp": lambda x: np.log(np.exp(x).sum(0, keepdims=True)),
    "matmul": lambda x: x @ x.T,
    "maximum": lambda x: np.maximum(x, 0.4),
    "median": lambda x: np.median(x, 0),
    "minimum": lambda x: np.minimum(x, 0.4),
    "moveaxis": lambda x: x.T,
    "multiply": lambda x: x * 3,
    "norm": lambda x: np.linalg.norm(x, axis=0),
    "outer": lambda x: np.outer(x[0], x[1]),
    "permute": lambda x: x.T,
    "pow": lambda x: x**2,
    "quantile": lambda x: np.quantile(x, 0.5, 0),
    "quantile-method": lambda x: np.quantile(x, 0.4, 0, method="lower"),
    "view": lambda x: x.reshape(6),
    "roll": lambda x: np.roll(x, 1, 0),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "softmax-axis": lambda x: np.exp(x) / np.exp(x).sum(0),
    "sort": lambda x: np.sort(x, 0),
    "sort-descending": lambda x: -np.sort(-x, 1),
    "split": lambda x: x[:, 1:],
    "squeeze": lambda x: x,
    "squeeze-axis": lambda x: x,
    "std-axis": lambda x: np.std(x, 0, ddof=1),
    "subtract": lambda x: x - 1,
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [2]]), 1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "topk": lambda x: -np.sort(-x, 1)[:, :2],
    "topk-smallest": lambda x: np.sort(x, 1)[:, :2],
    "softplus": lambda x: np.log1p(np.exp(2 * x)) / 2,
    "tril": lambda x: np.tril(x, -1),
    "tril-name": lambda x: np.tril(x, -1),
    "triu": lambda x: np.triu(x, 1),
    "unstack": lambda x: x[:, 2],
}
ELEMENTWISE = [name for name, kind in vars(methods.Methods)["__annotations__"].items()
               if kind == "Unary" and name not in METHODS]  # fmt: skip
X = np.array([[0.25, 0.5, 0.375], [0.75, 0.125, 0.0625]])


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    made = METHODS[name](ad.tensor(X, requires_grad=True))
    wanted = OURS.get(name, METHODS[name])(X)
    np.testing.assert_allclose(made.detach().numpy(), wanted, rtol=1e-6)
    assert made.shape == np.shape(wanted)
    if made.dtype.kind == "f" and name != "round":
        assert made.requires_grad


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_methods(name):
    x = X + 1 if name == "acosh" else X
    made = getattr(ad.tensor(x), name)()
    np.testing.assert_array_equal(made.numpy(), getattr(ad, name)(x).numpy())


def test_every_method_is_tested():
    declared = set(inspect.get_annotations(methods.Methods))
    assert not declared - {name.partition("-")[0] for name in METHODS} - set(ELEMENTWISE)
    for name in declared:
        assert callable(getattr(ad.Tensor, name))
        assert getattr(ad.Tensor, name).__doc__


def test_conventions_are_the_functions():
    """A method takes what its function takes: the same names with the same defaults."""
    for name, kind in inspect.get_annotations(methods.Methods).items():
        assert options_of(getattr(methods, kind).__call__) == options_of(getattr(ad, name)), name


def options_of(function):
    """How many come by position alone after the first, and the others' names and defaults."""
    _, *parameters = inspect.signature(function).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    return len(parameters) - len(options), options


def test_names_of_others_lead_to_ours():
    with pytest.raises(AttributeError, match=r"no attribute 'cat'; it is called concat here"):
        ad.cat
    with pytest.raises(AttributeError, match=r"no attribute 'dog'$"):
        ad.dog
    with pytest.raises(AttributeError, match=r"no attribute 'nn'; write `import nn`$"):
        ad.nn
    for theirs, ours in names.PACKAGE.items():
        assert not hasattr(ad, theirs), theirs
        assert callable(operator.attrgetter(ours)(ad)), ours
    assert not [name for name in names.MODULE if hasattr(ad, name)]


@pytest.mark.parametrize("function", [ad.zeros, ad.ones, ad.empty])
def test_a_shape_is_one_argument(function):
    with pytest.raises(ad.OptionError, match=r"a shape is one argument, such as \(2, 3\)"):
        function(2, 3)


def test_attributes_of_others_lead_to_ours():
    x = ad.tensor(X)
    said = "'Tensor' object has no attribute 'unsqueeze'; it is expand_dims(axis) here"
    with pytest.raises(AttributeError, match=re.escape(said)):
        x.unsqueeze(0)
    with pytest.raises(
        AttributeError, match="type object 'Tensor' has no attribute 'dim'; it is nd"
    ):
        ad.Tensor.dim
    with pytest.raises(AttributeError, match=r"no attribute 'dog'$"):
        x.dog
    for name, advice in names.TENSOR.items():
        assert not hasattr(x, name), name
        assert not hasattr(ad.Tensor, name), name
        assert name not in dir(x)
        ours = re.match(r"it is (\w+)(\(|,| here)", advice)
        if ours:
            assert hasattr(x, ours[1]), advice
        for function in re.findall(r"autodiff\.([\w.]+)", advice):
            assert operator.attrgetter(function)(ad) is not None
    assert not hasattr(x, "__array_interface__")
    assert not hasattr(ad.Tensor, "__getattr__"), "it would slow every attribute down"


def test_a_subclass_may_have_what_tensors_lack():
    class Placed(ad.Tensor):
        __slots__ = ()

        def to(self, device):
            return device

    assert Placed([1.0]).to("cpu") == "cpu"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda x: x.sum(dim=0),
            "sum() got an unexpected keyword argument 'dim'; dim is called axis",
        ),
        (lambda x: x.mean(0, keepdim=True), "; keepdim is called keepdims here: called on"),
        (lambda x: ad.concat([x], dim=0), "; dim is called axis here"),
        (lambda x: ad.permute_dims(x, dims=(1, 0)), "; dims is called axes here"),
        (lambda x: ad.exp(input=x), "; operands such as input are given by position here"),
        (lambda x: x.add(other=x), "; operands such as other are given by position here"),
        (lambda x: ad.zeros(size=x.shape), "; size is called shape here"),
        (lambda x: x.exp(dim=0), "unexpected keyword argument 'dim': called on"),
    ],
)
def test_options_of_others_lead_to_ours(call, said):
    with pytest.raises(OptionError, match=re.escape(said)):
        call(ad.tensor(X))


def test_operands_of_other_libraries():
    class Theirs:
        def numpy(self):
            return np.ones(3)

    Theirs.__module__ = "theirs"
    Theirs.__name__ = "Tensor"
    said = r"operand of type theirs\.Tensor is neither .* of this library\. .*: \.numpy\(\)\."
    with pytest.raises(DTypeError, match=said):
        ad.multiply(ad.tensor(X), Theirs())
    with pytest.raises(DTypeError, match=r"an operand of type object is neither .* list of them"):
        ad.multiply(ad.tensor(X), object())


def test_shapes_that_do_not_broadcast():
    with pytest.raises(
        ShapeError, match=r"equal or 1, axis by axis from the right .*expand_dims\)\.$"
    ):
        ad.ones((3, 4)) + ad.ones((3,))


def test_bad_calls_of_methods():
    x = ad.tensor(X)
    for call in (
        lambda: x.tril(0, 1),
        lambda: x.tril(1, k=1),
        lambda: x.tril(j=1),
        lambda: x.sum(0, 1, 2),
        lambda: x.sum(0, axis=0),
        lambda: x.sum(dim=0),
        lambda: x.transpose(0, 1).exp().softmax(0, 1),
    ):
        with pytest.raises(OptionError):
            call()
    with pytest.raises(TypeError):
        x.exp(1)
    with pytest.raises(AxisError, match=r"sum.*\(2, 3\) float64"):
        x.sum(7)
    with pytest.raises(AutodiffError, match=r"reshape.*\(2, 3\) float64"):
        x.reshape(7)
    with pytest.raises(AutodiffError):
        x.transpose(0, 0)
    with pytest.raises(AutodiffError, match="astype"):
        x.astype("float31")


# -- gradients ----------------------------------------


def test_backward_refuses():
    with pytest.raises(GraphError, match="requires_grad=True"):
        ad.tensor(1.0).backward()
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="several elements"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match="shape"):
        (x * 2).backward([1.0])
    with pytest.raises(DTypeError, match="real"):
        (x * 2).backward(np.array([1j, 1j]))
    assert x.grad is None
    (x * 2).backward([1, 2])
    assert x.grad.tolist() == [2, 4]


def test_retain_grad_and_hooks():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    handle = y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert y.grad.tolist() == [10, 10]
    assert x.grad.tolist() == [20, 20]
    handle.remove()
    handle.remove()
    x.retain_grad()  # nothing to do on a leaf
    for call in (ad.tensor(1.0).retain_grad, lambda: ad.tensor(1.0).register_hook(print)):
        with pytest.raises(GraphError, match="requires_grad"):
            call()


def test_no_reference_cycle():
    gc.collect()
    gc.disable()
    try:
        x = ad.tensor([1.0], requires_grad=True)
        y = (x * 2).exp()
        seen = weakref.ref(y)
        y.sum().backward()
        del y
        assert seen() is None
    finally:
        gc.enable()


def test_in_place_matrix_products_keep_the_shape():
    w = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
    with ad.no_grad():
        with pytest.raises(ad.ShapeError, match="in-place matmul"):
            w @= np.ones(2, np.float32)
        assert w.tolist() == [[1.0, 2.0], [3.0, 4.0]]
        w @= w
    assert w.tolist() == [[7.0, 10.0], [15.0, 22.0]]


@pytest.mark.parametrize("convert", [float, int, complex, bool, ad.Tensor.item])
def test_conversion_of_several_elements_is_both_errors_of_numpy(convert):
    for error in (TypeError, ValueError, ad.ScalarError):
        with pytest.raises(error, match=r"one element|ambiguous"):
            convert(ad.tensor([1.0, 2.0]))


def test_names_are_text_and_hooks_are_functions():
    x = ad.tensor(1.0, requires_grad=True)
    with pytest.raises(ad.DTypeError, match="name: 5"):
        x.name = 5
    with pytest.raises(ad.DTypeError, match="name: 5"):
        ad.tensor(1.0, name=5)
    with pytest.raises(ad.OptionError, match="register_hook: 3"):
        x.register_hook(3)


def test_lists_beside_float64_are_rounded_to_nothing_else():
    x = ad.tensor(np.ones(2))
    given = [0.1, 0.2]
    assert (x * given).tolist() == given
    assert (ad.tensor([1, 1]) * given).tolist() == given
    assert np.concatenate([x, given]).tolist() == [1, 1, *given]
    assert np.append(x, 0.1).tolist() == [1, 1, 0.1]
    assert np.where([True, True], given, x).tolist() == given
    assert ad.dot(given, ad.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=ad.float64)).tolist() == given
    x[:] = given
    assert x.tolist() == given
    with ad.no_grad():
        x[:] = [0.3, 0.4]
        x -= given
    assert x.tolist() == [0.3 - 0.1, 0.4 - 0.2]
    assert (ad.ones(2) * given).dtype == ad.float32
