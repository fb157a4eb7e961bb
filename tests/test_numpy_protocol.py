"""NumPy's functions and operators on tensors."""
# ruff: noqa: PLW0108, SIM905 - tables of calls and of names

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import (
    DTypeError,
    GraphError,
    MutationError,
    ShapeError,
    UnsupportedFunctionError,
)

A = np.random.default_rng(0).uniform(0.1, 0.9, (3, 3))
B = np.random.default_rng(1).uniform(0.1, 0.9, (3, 3))
V = np.random.default_rng(2).uniform(0.1, 0.9, 3)
T3 = np.random.default_rng(3).uniform(0.1, 0.9, (2, 3, 4))
SPD = A @ A.T + 3 * np.eye(3)

UNARY = """
    absolute arccos arccosh arcsin arcsinh arctan arctanh conjugate cos cosh exp expm1 fabs log
    log10 log1p log2 negative positive reciprocal sin sinh sqrt square tan tanh
    abs acos asin atan conj acosh asinh atanh
""".split()
STEPS = "ceil floor rint sign trunc".split()
BINARY = """
    add arctan2 copysign divide floor_divide hypot logaddexp maximum minimum multiply
    power pow remainder mod subtract true_divide matmul atan2
""".split()
BOOLEAN = """
    equal greater greater_equal less less_equal logical_and logical_or logical_xor not_equal
""".split()


@pytest.mark.parametrize("name", UNARY + STEPS)
def test_unary_ufuncs(name):
    x = A + 1 if name in ("arccosh", "acosh") else A
    check(getattr(np, name), x, gradient=name not in STEPS)


@pytest.mark.parametrize("name", BINARY)
def test_binary_ufuncs(name):
    function = getattr(np, name)
    check(function, A, B)
    check(lambda x: function(x, B), A)
    check(lambda x: function(A, x), B)
    check(lambda x: function(x, np.float32(0.5) if name != "matmul" else B), A)


@pytest.mark.parametrize("name", BOOLEAN)
def test_boolean_ufuncs(name):
    made = getattr(np, name)(ad.tensor(A, requires_grad=True), B)
    assert isinstance(made, ad.Tensor)
    assert made.dtype == np.bool_
    assert not made.requires_grad
    np.testing.assert_array_equal(made, getattr(np, name)(A, B))


FUNCTIONS = {
    "sum": lambda x: np.sum(x),
    "sum-axis": lambda x: np.sum(x, axis=0),
    "sum-positional": lambda x: np.sum(x, 1),
    "sum-keepdims": lambda x: np.sum(x, axis=(0, 1), keepdims=True),
    "sum-dtype": lambda x: np.sum(x, dtype=np.float64, out=None),
    "prod": lambda x: np.prod(x, axis=-1),
    "mean": lambda x: np.mean(x, 0, keepdims=True),
    "std": lambda x: np.std(x, axis=1, ddof=1),
    "var": lambda x: np.var(x),
    "max": lambda x: np.max(x, axis=0),
    "min": lambda x: np.min(x),
    "amax": lambda x: np.amax(x, 1),
    "amin": lambda x: np.amin(x, axis=0),
    "median": lambda x: np.median(x, axis=1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0),
    "cumsum": lambda x: np.cumsum(x),
    "cumsum-axis": lambda x: np.cumsum(x, axis=1),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "clip": lambda x: np.clip(x, 0.2, 0.6),
    "clip-names": lambda x: np.clip(x, a_min=None, a_max=0.5),
    "round": lambda x: 0 * np.round(x) + x,
    "reshape": lambda x: np.reshape(x, (1, 9)),
    "reshape-int": lambda x: np.reshape(x, -1),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "transpose-axes": lambda x: np.transpose(x, (1, 0)),
    "permute_dims": lambda x: np.permute_dims(x, (1, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 1)),
    "squeeze-axis": lambda x: np.squeeze(np.expand_dims(x, axis=0), axis=0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "flip": lambda x: np.flip(x, axis=1),
    "flip-all": lambda x: np.flip(x),
    "roll": lambda x: np.roll(x, 1),
    "roll-axis": lambda x: np.roll(x, (1, 2), axis=(0, 1)),
    "tile": lambda x: np.tile(x, (2, 1)),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "repeat-flat": lambda x: np.repeat(x, 2),
    "pad": lambda x: np.pad(x, 1),
    "take": lambda x: np.take(x, [0, 2], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [2], [1]]), axis=1),
    "diag": lambda x: np.diag(x),
    "diagonal": lambda x: np.diagonal(x),
    "trace": lambda x: np.trace(x),
    "tril": lambda x: np.tril(x),
    "triu": lambda x: np.triu(x, 1),
    "sort": lambda x: np.sort(x, axis=0),
    "diff": lambda x: np.diff(x, axis=0),
    "where": lambda x: np.where(x > 0.5, x, 0.0),
    "concatenate": lambda x: np.concatenate([x, A]),
    "concatenate-axis": lambda x: np.concatenate((A, x, x), axis=1),
    "concatenate-flat": lambda x: np.concatenate((A, x), axis=None),
    "stack": lambda x: np.stack([x, x], axis=1),
    "vstack": lambda x: np.vstack([x, V]),
    "hstack": lambda x: np.hstack([x, x]),
    "hstack-vectors": lambda x: np.hstack([x[0], 1.5, V]),
    "dstack": lambda x: np.dstack([x, x]),
    "column_stack": lambda x: np.column_stack([x, V]),
    "atleast_1d": lambda x: np.atleast_1d(x),
    "atleast_2d": lambda x: np.atleast_2d(x[0]),
    "atleast_3d": lambda x: np.atleast_3d(x),
    "atleast_3d-vector": lambda x: np.atleast_3d(x[0]),
    "append": lambda x: np.append(x, 1.5),
    "divmod": lambda x: np.divmod(x, 0.2)[1],
    "flipud": lambda x: np.flipud(x),
    "fliplr": lambda x: np.fliplr(x),
    "percentile": lambda x: np.percentile(x, 30),
    "percentile-method": lambda x: np.percentile(x, 30, method="lower"),
    "percentile-axis": lambda x: np.percentile(x, [30, 60], axis=1, keepdims=True),
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=0),
    "split": lambda x: np.split(x, [1], axis=1)[1],
    "around": lambda x: 0 * np.around(x, decimals=1) + x,
    "round-decimals": lambda x: 0 * np.round(x, 2) + x,
    "copy": lambda x: np.copy(x),
    "nan_to_num": lambda x: np.nan_to_num(x),
    "real": lambda x: np.real(x),
    "dot": lambda x: np.dot(x, B),
    "dot-vectors": lambda x: np.dot(x[0], V),
    "dot-scalar": lambda x: np.dot(x, 2.0),
    "dot-3d": lambda x: np.dot(x, np.ones((2, 3, 4))),
    "inner": lambda x: np.inner(x, B),
    "vdot": lambda x: np.vdot(x, B),
    "outer": lambda x: np.outer(x, V),
    "kron": lambda x: np.kron(x, V),
    "cross": lambda x: np.cross(x, B),
    "tensordot": lambda x: np.tensordot(x, B, 1),
    "tensordot-axes": lambda x: np.tensordot(x, B, axes=([0], [1])),
    "vecdot": lambda x: np.vecdot(x, B),
    "einsum": lambda x: np.einsum("ij,jk", x, B),
    "einsum-out": lambda x: np.einsum("ij,kj->ik", B, x),
    "linalg.norm": lambda x: np.linalg.norm(x),
    "linalg.norm-axis": lambda x: np.linalg.norm(x, axis=1),
    "linalg.vector_norm": lambda x: np.linalg.vector_norm(x, axis=0),
    "linalg.inv": lambda x: np.linalg.inv(x + 3 * np.eye(3)),
    "linalg.solve": lambda x: np.linalg.solve(x + 3 * np.eye(3), B),
    "linalg.det": lambda x: np.linalg.det(x),
    "linalg.slogdet": lambda x: np.linalg.slogdet(x)[1],
    "linalg.matrix_power": lambda x: np.linalg.matrix_power(x, 3),
    "linalg.svdvals": lambda x: np.linalg.svdvals(x),
    "linalg.cholesky": lambda x: np.linalg.cholesky(x @ np.matrix_transpose(x) + 3 * np.eye(3)),
    "linalg.eigvalsh": lambda x: np.linalg.eigvalsh(x @ np.matrix_transpose(x)),
    "linalg.pinv": lambda x: np.linalg.pinv(x),
    "linalg.trace": lambda x: np.linalg.trace(x),
    "fft": lambda x: np.real(np.fft.fft(x)),
    "rfft": lambda x: np.imag(np.fft.rfft(x, axis=0)),
    "irfft": lambda x: np.fft.irfft(np.fft.rfft(x), n=3),
    "fftn": lambda x: np.real(np.fft.fftn(x, axes=(0, 1))),
    "fftshift": lambda x: np.fft.fftshift(x),
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce-axis": lambda x: np.add.reduce(x, axis=1, keepdims=True),
    "multiply.reduce": lambda x: np.multiply.reduce(x, 1),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=None),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "array * t": lambda x: B * x,
    "array @ t": lambda x: B @ x,
    "array - t": lambda x: V - x,
    "array / t": lambda x: V / x,
    "array ** t": lambda x: B**x,
    "array % t": lambda x: B % x,
    "scalar * t": lambda x: np.float32(2) * x,
    "float64 + t": lambda x: np.float64(2) + x,
    "int64 - t": lambda x: np.int64(2) - x,
    "0-d array * t": lambda x: np.array(2.0) * x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    check(FUNCTIONS[name], A)


def check(function, *arrays, gradient=True):
    """The same value as on arrays, as a tensor, with a gradient; also without asking for one."""
    expected = function(*arrays)
    leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
    made = function(*leaves)
    assert isinstance(made, ad.Tensor)
    np.testing.assert_allclose(made.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    assert made.dtype == np.asarray(expected).dtype
    if gradient:
        made.sum().backward()
        for leaf in leaves:
            assert leaf.grad is not None
            assert leaf.grad.shape == leaf.shape
    plain = function(*[ad.tensor(x) for x in arrays])
    assert isinstance(plain, ad.Tensor)
    assert not plain.requires_grad
    np.testing.assert_allclose(plain.numpy(), expected, rtol=1e-12, atol=1e-12)


INTEGERS = {
    "argmax": lambda x: np.argmax(x, axis=1),
    "argmax-flat": lambda x: np.argmax(x),
    "argmin": lambda x: np.argmin(x, 0),
    "argsort": lambda x: np.argsort(x, axis=-1),
    "count_nonzero": lambda x: np.count_nonzero(x > 0.5, axis=1),
    "any": lambda x: np.any(x > 0.5, axis=0),
    "all": lambda x: np.all(x > 0.5),
    "nonzero": lambda x: np.nonzero(x > 0.5)[0],
    "where": lambda x: np.where(x > 0.5)[1],
    "isnan": np.isnan,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
    "logical_not": lambda x: np.logical_not(x > 0.5),
    "invert": lambda x: np.invert(x > 0.5),
    "bitwise_and": lambda x: np.bitwise_and(x > 0.5, B > 0.5),
    "left_shift": lambda x: np.left_shift(np.argsort(x), 1),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x > 0.5),
    "zeros_like": lambda x: np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x, dtype=np.int8),
    "full_like": lambda x: np.full_like(x, 2.0),
    "searchsorted": lambda x: np.searchsorted(np.sort(V), x[0]),
    "unique": lambda x: np.unique(x > 0.5),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_functions_without_a_gradient(name):
    made = INTEGERS[name](ad.tensor(A, requires_grad=True))
    assert isinstance(made, ad.Tensor)
    assert not made.requires_grad
    expected = INTEGERS[name](A)
    np.testing.assert_array_equal(made.numpy(), expected)
    assert made.dtype == np.asarray(expected).dtype


def test_the_gradient_is_right():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    (np.array([3.0, 4.0]) * np.exp(x)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [3, 4] * np.exp(np.float32([1, 2])), rtol=1e-6)
    assert x.grad.dtype == np.float32


def test_float32_stays_with_scalars():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    for made in (np.float32(2) * x, np.multiply(2, x), np.mean(x), np.add(x, 1.5)):
        assert made.dtype == np.float32


def test_lists_of_tensors_keep_their_graph():
    parts = [ad.tensor([float(i)], requires_grad=True) for i in range(3)]
    np.stack(parts).sum().backward()
    np.concatenate(parts).sum().backward()
    assert [part.grad.item() for part in parts] == [2, 2, 2]


UNSUPPORTED = {
    "interp": lambda x: np.interp(x, V, V),
    "digitize": lambda x: np.digitize(x, [0.0]),
    "nanmean": lambda x: np.nanmean(x),
    "linalg.cond": lambda x: np.linalg.cond(x),
    "frexp": lambda x: np.frexp(x),
    "fmax": lambda x: np.fmax(x, 0.5),  # differs from maximum at NaN
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "add.outer": lambda x: np.add.outer(x, x),
    "add.reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    "subtract.reduce": lambda x: np.subtract.reduce(x),
    "subtract.accumulate": lambda x: np.subtract.accumulate(x),
    "add.at": lambda x: np.add.at(np.zeros(3), [0], x[0, 0]),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_no_counterpart(name, requires_grad):
    x = ad.tensor(A, requires_grad=requires_grad)
    with pytest.raises(TypeError) as caught:
        UNSUPPORTED[name](x)
    assert isinstance(caught.value, UnsupportedFunctionError)
    assert f"numpy.{name}(" in str(caught.value)
    assert "float64" in str(caught.value)
    assert "detach().numpy()" in str(caught.value)


def test_unknown_options():
    x = ad.tensor(A)
    with pytest.raises(UnsupportedFunctionError, match="'where'"):
        np.sum(x, where=A > 0.5)
    with pytest.raises(UnsupportedFunctionError, match="'initial'"):
        np.sum(x, initial=1.0)
    with pytest.raises(UnsupportedFunctionError, match="where"):
        np.add(x, x, where=A > 0.5)
    with pytest.raises(UnsupportedFunctionError, match="dtype"):
        np.exp(x, dtype=np.float32)
    with pytest.raises(UnsupportedFunctionError, match="'order'"):
        np.ravel(x, order="F")
    with pytest.raises(UnsupportedFunctionError, match="order='F'"):
        np.reshape(x, (9,), order="F")
    assert np.exp(x, where=True, casting="same_kind").shape == (3, 3)
    with pytest.raises(UnsupportedFunctionError, match="'order'"):
        np.einsum("ij->ji", x, order="F")
    with pytest.raises(UnsupportedFunctionError, match="order='F'"):
        np.transpose(np.reshape(x, (9,), order="F"))
    with pytest.raises(UnsupportedFunctionError, match="order='F'"):
        np.copy(x, order="F")
    with pytest.raises(UnsupportedFunctionError, match="'dtype'"):
        np.concatenate([x, x], dtype=np.float32)
    with pytest.raises(
        UnsupportedFunctionError, match=r"numpy\.hstack.*'casting', 'dtype'|'dtype', 'casting'"
    ):
        np.hstack([x, x], dtype=np.float32, casting="unsafe")
    with pytest.raises(UnsupportedFunctionError, match="'overwrite_input'"):
        np.percentile(x, 50, overwrite_input=True)
    with pytest.raises(UnsupportedFunctionError, match="too many positional"):
        np.percentile(x, 50, None, np.zeros(()))
    assert np.concatenate([x, x], dtype=None, casting="same_kind").shape == (6, 3)


def test_writing_into_an_array():
    x = ad.tensor(V, requires_grad=True)
    array = V.copy()
    with pytest.raises(UnsupportedFunctionError, match=r"array = array \+ tensor.*no_grad"):
        array += x
    with pytest.raises(UnsupportedFunctionError, match=r"out=.*detach\(\)\.numpy\(\)"):
        np.exp(x, out=array)
    with pytest.raises(UnsupportedFunctionError, match="out"):
        np.sum(ad.tensor(A), axis=0, out=array)
    with pytest.raises(UnsupportedFunctionError, match="'out'"):
        np.cumsum(x, out=array)
    with pytest.raises(UnsupportedFunctionError, match="'out'"):
        np.round(x, 1, out=array)
    with pytest.raises(UnsupportedFunctionError, match="'out'"):
        np.concatenate([x], out=array)
    with pytest.raises(UnsupportedFunctionError, match="out="):
        np.add(V, V, out=x)
    with pytest.raises(RuntimeError, match="detach"):
        array[:] = x
    np.testing.assert_array_equal(array, V)


def test_writing_values_into_an_array():
    t = ad.tensor(V)
    array = V.copy()
    same = array
    array += t
    assert array is same
    np.testing.assert_array_equal(array, V + V)
    assert np.exp(t, out=array) is array
    np.testing.assert_array_equal(array, np.exp(V))
    np.add.reduce(ad.tensor(A), axis=0, out=array)
    np.testing.assert_array_equal(array, A.sum(0))
    np.multiply(t, 2, out=array, where=t > 0.5)
    with pytest.raises(ShapeError, match=r"numpy\.add\(\(3,\) float64, \(2,\) float32\)"):
        array += ad.ones(2)
    counts = np.arange(3)
    with pytest.raises(DTypeError, match="astype"):
        counts += t
    np.testing.assert_array_equal(counts, [0, 1, 2])


def test_steps_through_data():
    """PyTorch's idiom: the graph is not told, but a backward pass finds it out."""
    w = ad.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    stale = (w * w).sum()
    array = w.array
    w.data -= 0.25 * w.grad
    assert w.array is array
    assert w.tolist() == [0.5, 1.0]
    with pytest.raises(MutationError):
        stale.backward()


def test_writing_into_an_array_that_a_tensor_shares_is_found():
    array = V.copy()
    x = ad.tensor(V, requires_grad=True)
    y = (x * ad.asarray(array)).sum()
    array += ad.tensor(V)
    with pytest.raises(MutationError):
        y.backward()


def test_saving(tmp_path):
    x = ad.tensor(A)
    state = {"a": x, "b.c": ad.tensor([1.0, 2.0])}
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "x.txt", x)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), A)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "x.txt"), A)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", x, **state)
        with np.load(tmp_path / "x.npz") as loaded:
            assert sorted(loaded) == ["a", "arr_0", "b.c"]
            np.testing.assert_array_equal(loaded["a"], A)
            assert loaded["b.c"].dtype == np.float32
    x.requires_grad = True
    for save in (
        lambda: np.save(tmp_path / "y.npy", x),
        lambda: np.savez(tmp_path / "y.npz", x=x),
        lambda: np.savetxt(tmp_path / "y.txt", x),
    ):
        with pytest.raises(GraphError, match=r"detach\(\)\.numpy\(\)"):
            save()
    assert not list(tmp_path.glob("y.*"))


def test_looking():
    x = ad.tensor(A, requires_grad=True)
    assert np.shape(x) == (3, 3)
    assert np.ndim(x) == 2
    assert np.size(x) == 9
    assert np.allclose(x, A)
    assert np.isclose(x, A).all()
    assert np.array_equal(x, A)
    assert not np.array_equal([x, x], A)
    assert np.result_type(x, np.float32) == np.float64
    assert not np.iscomplexobj(x)
    assert np.array_repr(x) == np.array_repr(A)


def test_arrays_of_tensors():
    x = ad.tensor(A)
    np.testing.assert_allclose(x, A)
    np.testing.assert_array_equal(np.asarray(x), A)
    assert np.shares_memory(np.asarray(x), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    x = ad.tensor(A, requires_grad=True)
    for convert in (np.array, np.asarray, lambda x: np.testing.assert_allclose(x, A)):
        with pytest.raises(RuntimeError, match=r"\.detach\(\)\.numpy\(\)"):
            convert(x)
    np.testing.assert_allclose(x.detach(), A)


def test_numpys_integers_are_axes_and_sizes():
    """As ``for axis in np.arange(x.ndim)`` gives them."""
    one = np.int64(1)
    x = ad.tensor(np.random.default_rng(0).normal(size=(4, 4)), requires_grad=True)
    for call in (
        lambda axis: ad.abs(np.fft.fft(x, axis=axis)),
        lambda axis: ad.abs(np.fft.fftn(x, axes=axis)),
        lambda axis: np.linalg.norm(x, 1, axis=axis),
        lambda axis: ad.sliding_window_view(x, 2, axis=axis),
        lambda axis: ad.sliding_window_view(x[0], 2, step=axis),
        lambda axis: ad.concat([x, x], axis=axis),
        lambda axis: np.median(x, axis=[0, axis]),
    ):
        for axis in (one, np.array(1), ad.tensor(1)):
            x.zero_grad()
            found = call(axis)
            found.sum().backward()
            gradient = x.grad.tolist()
            x.zero_grad()
            call(1).sum().backward()
            assert found.tolist() == call(1).tolist()
            assert gradient == x.grad.tolist()


@pytest.mark.parametrize("axes", [np.array([0, 1]), [0, 1], (np.int64(0), np.int64(1))])
def test_axes_come_in_arrays_and_lists_too(axes):
    x = ad.tensor(np.arange(16.0).reshape(4, 4))
    for call in (
        lambda axes: ad.abs(np.fft.fftn(x, axes=axes)),
        lambda axes: np.fft.fftshift(x, axes=axes),
        lambda axes: np.linalg.norm(x, "fro", axis=axes),
        lambda axes: ad.sliding_window_view(x, (2, 3), axis=axes),
    ):
        assert call(axes).tolist() == call((0, 1)).tolist()


@pytest.mark.parametrize("values", [[1, 2, 3], [1, 2, 3, 4], [True, False, True]])
def test_the_median_of_whole_numbers_has_one_dtype(values):
    found, expected = ad.median(ad.tensor(values)), np.median(values)
    assert found.dtype == expected.dtype
    assert found.item() == expected
    lowest = ad.quantile(ad.tensor(values), 0.5, method="lower")
    assert lowest.dtype == np.asarray(values).dtype


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: np.diff(x, axis=(0,)), ad.OptionError, "diff.*Give whole numbers for axes"),
        (lambda x: x.flatten("F"), ad.OptionError, "flatten.*Give whole numbers for axes"),
        (lambda x: x.std(ddof=1), ad.OptionError, "ddof is called correction here"),
    ],
)
def test_raw_errors_of_what_is_made_of_operations_are_typed(call, error, message):
    with pytest.raises(error, match=message):
        call(ad.ones((2, 3)))


@pytest.mark.parametrize("function", [np.sort, np.argsort])
def test_sorting_as_numpys_users_call_it(function):
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    for options in ({}, {"axis": 0}, {"axis": None}, {"kind": "stable"}, {"stable": True}):
        found = function(ad.tensor(x), **options)
        assert isinstance(found, ad.Tensor)
        np.testing.assert_array_equal(found.numpy(), function(x, **options))


def test_histograms_count_tensors_without_a_gradient():
    x = np.array([0.5, 1.5, 1.6])
    found, _ = np.histogram(ad.tensor(x), bins=2)
    np.testing.assert_array_equal(found, [1, 2])
    with pytest.raises(GraphError, match="detach"):
        np.histogram(ad.tensor(x, requires_grad=True))
