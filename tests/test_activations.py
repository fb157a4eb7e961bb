"""Activations where differences can't see: kinks, large arguments, dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
from autodiff.namespace import tensors

SMOOTH = ["sigmoid", "logsigmoid", "softplus", "gelu", "silu", "mish", "celu", "softsign"]
KINKS = {
    "relu": [0.0],
    "relu6": [0.0, 6.0],
    "hardtanh": [-1.0, 1.0],
    "leaky_relu": [0.0],
    "elu": [0.0],
    "selu": [0.0],
    "hardsigmoid": [-3.0, 3.0],
    "hardswish": [-3.0, 3.0],
}
ALL = [*SMOOTH, *KINKS]


def gradient(function, x, dtype=np.float64, upstream=None):
    leaf = ad.tensor(np.array(x, dtype), requires_grad=True)
    out = function(leaf)
    out.backward(np.ones(out.shape, dtype) if upstream is None else upstream)
    return leaf.grad.numpy()


@pytest.mark.parametrize("name", ALL)
def test_kinks_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    at = [*KINKS.get(name, []), 0.0, -0.0, 0.5, -0.5]
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    getattr(torch.nn.functional, name)(x).sum().backward()
    np.testing.assert_allclose(gradient(getattr(ad, name), at), x.grad.numpy(), rtol=1e-7)


@pytest.mark.parametrize("name", [*ALL, "gelu tanh", "elu 0.3", "softplus 5"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_arguments(name, dtype):
    """No warning forward, no NaN backward or in the second derivative."""
    function = {
        "gelu tanh": lambda x: ad.gelu(x, approximate="tanh"),
        "elu 0.3": lambda x: ad.elu(x, 0.3),
        "softplus 5": lambda x: ad.softplus(x, beta=5.0),
    }.get(name) or getattr(ad, name)
    limit = 100.0 if dtype == np.float16 else 1e4
    at = np.array([-limit, -90.0, -20.0, 0.0, 20.0, 90.0, limit], dtype)
    x = ad.tensor(at, requires_grad=True)
    out = function(x)
    out.sum().backward(create_graph=True)
    assert out.dtype == x.grad.dtype == dtype
    assert np.isfinite(out.detach().numpy()).all()
    slopes = x.grad.detach().numpy()
    assert np.isfinite(slopes).all()
    if x.grad.requires_grad:
        (twice,) = ad.grad(x.grad.sum(), [x])
        assert np.isfinite(twice.numpy()).all()
    double = gradient(function, at.astype(np.float64))
    np.testing.assert_allclose(
        slopes, double, rtol=5e-3, atol=1e-3 if dtype == np.float16 else 1e-6
    )


@pytest.mark.parametrize("name", [*ALL, "tanh", "erf", "erfc"])
def test_largest_numbers(name):
    largest = float(np.finfo(np.float32).max) / 2
    x = ad.tensor([largest, -largest, 1e-40], requires_grad=True)
    out = getattr(ad, name)(x)
    out.sum().backward()
    assert np.isfinite(out.detach().numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_tails_keep_their_digits():
    """Far to the left float32 has a relative, not only an absolute, precision."""
    x = np.array([-5.0, -9.0, -12.0])
    for name, exact in {
        "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
        "softplus": lambda v: math.log1p(math.exp(v)),
        "silu": lambda v: v / (1 + math.exp(-v)),
        "gelu": lambda v: v * math.erfc(-v / math.sqrt(2)) / 2,
    }.items():
        out = getattr(ad, name)(x.astype(np.float32))
        np.testing.assert_allclose(out.numpy(), [exact(v) for v in x], rtol=2e-5)
    out = ad.logsigmoid(-x.astype(np.float32))
    np.testing.assert_allclose(out.numpy(), -np.log1p(np.exp(x)), rtol=1e-6)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_integers_stay(name):
    out = getattr(ad, name)(ad.tensor([-1, 0, 3, 9]))
    assert out.dtype == np.int64
    assert out.tolist() == ([0, 0, 3, 9] if name == "relu" else [0, 0, 3, 6])


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("relu", "relu6")])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integers_become_floating(name, dtype):
    x = np.array([0, 1, 1], dtype)
    out = getattr(ad, name)(x)
    wanted = getattr(ad, name)(x.astype(np.float64)).numpy()
    np.testing.assert_allclose(out.numpy().astype(np.float64), wanted)


def test_nan_goes_through():
    for name in ALL:
        assert math.isnan(getattr(ad, name)(math.nan).item()), name


def test_infinite_upstream_gradients_stop_at_relu():
    """sqrt(relu(x)): the infinite derivative at 0 does not become NaN."""
    np.testing.assert_array_equal(gradient(lambda x: ad.sqrt(ad.relu(x)), [-1.0, 4.0]), [0.0, 0.25])


def test_softplus_is_linear_above_its_threshold():
    x = [0.4, 0.6]
    out = ad.softplus(np.array(x), beta=2.0, threshold=1.0)
    assert out.tolist() == [math.log1p(math.exp(0.8)) / 2, 0.6]
    slopes = gradient(lambda t: ad.softplus(t, 2.0, 1.0), x)
    np.testing.assert_allclose(slopes, [1 / (1 + math.exp(-0.8)), 1.0])
    np.testing.assert_allclose(
        ad.softplus(np.array([-30.0, 25.0]), threshold=math.inf).numpy(),
        np.log1p(np.exp([-30.0, 25.0])),
        rtol=1e-15,
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", ["gelu", "gelu tanh", "erf", "erfc", "relu", "elu"])
def test_large_arrays_give_what_their_rows_give(name, transposed, dtype):
    """They take other ways: block by block, or beside many zeros."""
    function = {"gelu tanh": lambda x: ad.gelu(x, "tanh")}.get(name) or getattr(ad, name)
    array = np.random.default_rng(0).standard_normal((70, 1001)).astype(dtype)
    array[3, :2] = [np.nan, np.inf]
    array = array.T if transposed else array
    upstream = array[::-1].copy()
    whole = ad.tensor(array, requires_grad=True)
    out = function(whole)
    out.backward(upstream)
    rows = [ad.tensor(row, requires_grad=True) for row in array]
    results = [function(row) for row in rows]
    for result, g in zip(results, upstream, strict=True):
        result.backward(g)
    close = {"rtol": 4 * np.finfo(dtype).eps, "atol": np.finfo(dtype).eps}
    np.testing.assert_allclose(out.tolist(), [r.tolist() for r in results], **close)
    np.testing.assert_allclose(whole.grad.tolist(), [r.grad.tolist() for r in rows], **close)


@pytest.mark.parametrize("size", [2_500, 40_000])
@pytest.mark.parametrize("name", [*ALL, "gelu tanh", "erf", "erfc"])
def test_second_derivatives_of_large_arrays_are_those_of_their_rows(name, size):
    function = {"gelu tanh": lambda x: ad.gelu(x, "tanh")}.get(name) or getattr(ad, name)

    def second(array):
        x = ad.tensor(array, requires_grad=True)
        (slope,) = ad.grad((function(x) ** 2).sum(), x, create_graph=True)
        slope.sum().backward()
        return x.grad.numpy()

    array = np.random.default_rng(1).standard_normal(size)
    rows = [second(row) for row in array.reshape(-1, 500)]
    np.testing.assert_allclose(second(array), np.concatenate(rows), rtol=1e-12, atol=1e-14)


def test_gelu_has_two_forms():
    x = ad.tensor([-1.0, 0.5])
    assert ad.gelu(x).tolist() != ad.gelu(x, "tanh").tolist()
    with pytest.raises(ad.OptionError, match="'none' or 'tanh'"):
        ad.gelu(x, approximate="erf")


def test_gelu_second_derivative_at_zero():
    x = ad.tensor([0.0], dtype=ad.float64, requires_grad=True)
    ad.gelu(x).sum().backward(create_graph=True)
    (twice,) = ad.grad(x.grad.sum(), [x])
    assert twice.item() == pytest.approx(2 / math.sqrt(2 * math.pi))


@pytest.mark.parametrize("name", ["sigmoid", "silu", "softplus", "relu", "gelu", "erf"])
def test_usable_in_rules_of_both_readers(name):
    """A rule may call them on arrays, NumPy scalars and tensors."""
    from autodiff.namespace import NUMPY

    for x in (np.array([0.5, -1.0]), np.float32(0.5), np.array(0.5)):
        on_arrays = getattr(NUMPY, name)(x)
        np.testing.assert_allclose(on_arrays, getattr(tensors, name)(ad.tensor(x)).numpy())


@pytest.mark.parametrize("function", [ad.hardsigmoid, ad.hardswish, ad.softsign, ad.relu6])
def test_the_largest_whole_numbers_do_not_wrap_around(function):
    """Pixels are of 8 bits."""
    for dtype in ("uint8", "int8"):
        x = np.array([0, 1, np.iinfo(dtype).max], dtype)
        expected = function(ad.tensor(x.astype(np.float64)))
        np.testing.assert_allclose(function(ad.tensor(x)).numpy(), expected.numpy(), rtol=1e-3)
