"""Elementwise functions where differences can't see: kinks, edges, dtypes, complex numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
from autodiff.namespace import tensors

INF, NAN = math.inf, math.nan


def gradients(function, *operands, upstream=None):
    """The gradients of a function's result with respect to all of its operands."""
    leaves = [ad.tensor(np.array(x, np.float64), requires_grad=True) for x in operands]
    with np.errstate(all="ignore"):  # log(0) warns, as NumPy's does
        result = function(*leaves)
    result.backward(np.ones(result.shape) if upstream is None else upstream)
    return [x.grad.numpy() for x in leaves]


def gradient(function, *operands, upstream=None):
    return gradients(function, *operands, upstream=upstream)[0]


def second(function, x):
    """The second derivative of a function of one array."""
    leaf = ad.tensor(np.array(x, np.float64), requires_grad=True)
    function(leaf).sum().backward(create_graph=True)
    (twice,) = ad.grad(leaf.grad.sum(), [leaf])
    return twice.numpy()


# -- kinks and edges -------------------------------------------------------------------------

KINKS = [
    ("sqrt", [0.0], [INF]),
    ("log", [0.0], [INF]),
    ("abs", [-1.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    ("sign", [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
    ("floor", [0.5, 1.0], [0.0, 0.0]),
    ("round", [0.5, 1.0], [0.0, 0.0]),
    ("asin", [1.0, -1.0], [INF, INF]),
    ("acos", [1.0, -1.0], [-INF, -INF]),
    ("acosh", [1.0], [INF]),
    ("atanh", [1.0, -1.0], [INF, INF]),
    ("sinc", [0.0], [0.0]),
    ("nan_to_num", [INF, -INF, NAN, 1.0], [0.0, 0.0, 0.0, 1.0]),
    ("tanh", [1e4, -1e4], [0.0, 0.0]),
    ("erf", [0.0, INF, -INF], [2 / math.sqrt(math.pi), 0.0, 0.0]),
    ("expm1", [-1e4], [0.0]),
]


@pytest.mark.parametrize(("name", "at", "expected"), KINKS, ids=[k[0] for k in KINKS])
def test_derivative_at_the_edge(name, at, expected):
    np.testing.assert_array_equal(gradient(getattr(tensors, name), at), expected)


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        (0.0, 0.0, (0.0, 0.0)),
        (0.0, 1.0, (1.0, 0.0)),
        (0.0, 2.0, (0.0, 0.0)),
        (0.0, 0.5, (INF, 0.0)),
        (0.0, -1.0, (-INF, -INF)),
        (2.0, 0.0, (0.0, math.log(2))),
        (-2.0, 2.0, (-4.0, NAN)),
    ],
)
def test_power_at_the_edge(base, exponent, expected):
    """The derivatives PyTorch gives, with the exponent an array and a number."""
    torch = pytest.importorskip("torch")
    actual = gradients(ad.pow, base, exponent)
    by_number = gradient(lambda x: x**exponent, base)
    of_number = gradient(lambda y: base**y, exponent)
    np.testing.assert_allclose(actual, expected)
    np.testing.assert_allclose([by_number, of_number], expected)
    x = torch.tensor(base, requires_grad=True)
    y = torch.tensor(exponent, requires_grad=True)
    (x**y).backward()
    np.testing.assert_allclose([x.grad.item(), y.grad.item()], expected, rtol=1e-6)


@pytest.mark.parametrize("exponent", [-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 5, 2.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_by_a_number_is_numpys(exponent, dtype):
    x = np.array([0.3, 1.0, 2.5, 7.0], dtype)
    leaf = ad.tensor(x, requires_grad=True)
    out = leaf**exponent
    out.backward(np.ones(4, dtype))
    assert out.dtype == leaf.grad.dtype == dtype
    close = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(out.detach().numpy(), x.astype(np.float64) ** exponent, rtol=close)
    exact = exponent * x.astype(np.float64) ** (exponent - 1)
    np.testing.assert_allclose(leaf.grad.numpy(), exact, rtol=close)


def test_power_of_integers():
    x = ad.tensor([1, 2, 3])
    for exponent in (0, 1, 2, 3, 4, 5):
        out = x**exponent
        assert out.dtype == np.int64
        assert out.tolist() == [k**exponent for k in (1, 2, 3)]
    with pytest.raises(ad.DomainError, match="negative integer powers"):
        _ = x**-2


def test_mixed_second_derivative_of_a_power_at_exponent_zero():
    x = ad.tensor(2.0, dtype=ad.float64, requires_grad=True)
    y = ad.tensor(0.0, dtype=ad.float64, requires_grad=True)
    (x**y).backward(create_graph=True)
    (mixed,) = ad.grad(x.grad, [y])
    assert mixed.item() == pytest.approx(0.5)


def test_where_lets_nothing_leak():
    """Infinite and NaN upstream gradients and operands of the branch not taken."""
    condition = np.array([True, False, True])
    upstream = np.array([1.0, INF, NAN])
    first, other = gradients(
        lambda a, b: ad.where(condition, a, b), [1.0, NAN, 2.0], [INF, 1.0, -INF], upstream=upstream
    )
    np.testing.assert_array_equal(first, [1.0, 0.0, NAN])
    np.testing.assert_array_equal(other, [0.0, INF, 0.0])
    np.testing.assert_array_equal(
        gradient(lambda x: ad.sqrt(ad.where(x > 0, x, 0.0)), [4.0, -1.0]), [0.25, 0.0]
    )
    inside = gradient(lambda x: ad.where(x > 0, ad.log(ad.where(x > 0, x, 1.0)), 0.0), [0.0, 2.0])
    np.testing.assert_array_equal(inside, [0.0, 0.5])


def test_where_of_numbers():
    condition = ad.tensor([True, False])
    for first, other, dtype in [
        (1.0, 0.0, np.float32),
        (1, 0.0, np.float32),
        (1.0, 0, np.float32),
        (1, 0, np.int64),
        (True, False, np.bool_),
        (1j, 0.0, np.complex64),
    ]:
        out = ad.where(condition, first, other)
        assert out.dtype == dtype
        assert out.tolist() == [first, other]


def test_where_ignores_a_condition_of_numbers():
    x = ad.tensor([0.0, 2.0], requires_grad=True)
    ad.where(x.detach(), x, 5.0).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.complex64])
def test_masked(dtype):
    x = np.array([[1, 2, -3], [4, 5, 6]]).astype(dtype)
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(ad.masked(x, mask).numpy(), np.where(mask, x, 0))
    assert ad.masked(x, mask).dtype == dtype
    np.testing.assert_array_equal(ad.masked(x.T, mask[:, None]).numpy(), ad.masked(x, mask).T)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_equally(name):
    function = getattr(tensors, name)
    first, other = gradients(function, [1.0, 2.0, INF], [1.0, 5.0, INF])
    taken = 0.0 if name == "maximum" else 1.0
    np.testing.assert_array_equal(first, [0.5, taken, 0.5])
    np.testing.assert_array_equal(other, [0.5, 1 - taken, 0.5])
    number = gradient(lambda x: function(x, 1.0), [1.0, 1.0], upstream=[2.0, INF])
    np.testing.assert_array_equal(number, [1.0, INF])
    untaken = gradient(
        lambda x: function(x, -INF if name == "minimum" else INF), [1.0], upstream=[INF]
    )
    assert untaken.item() == 0.0


def test_clip_on_its_bounds():
    np.testing.assert_array_equal(
        gradient(lambda x: ad.clip(x, 0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0]), [0, 1, 1, 1, 0]
    )
    x, low, high = gradients(
        ad.clip, [0.0, 1.0, 0.5, -1.0, 3.0], [0.0, 0.0, 2.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]
    )
    np.testing.assert_array_equal(x, [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(low, [0, 0, 0, 1, 0])
    np.testing.assert_array_equal(high, [0, 0, 1, 0, 1])


def test_clip_takes_bounds_by_name():
    x = ad.tensor([-2.0, 0.0, 2.0])
    assert ad.clip(x, min=-1).tolist() == [-1.0, 0.0, 2.0]
    assert ad.clip(x, max=1.0).tolist() == [-2.0, 0.0, 1.0]
    assert x.clip(-1, 1).tolist() == [-1.0, 0.0, 1.0]
    assert ad.clip(x).tolist() == x.tolist()
    assert ad.clip(x, -1, 1).dtype == np.float32
    bound = ad.tensor(1.0, requires_grad=True)
    ad.clip(x, max=bound).sum().backward()
    assert bound.grad.item() == 1.0


def test_xlogy_at_zero():
    assert ad.xlogy([0.0, 0.0, 0.0], [0.0, -1.0, INF]).tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(ad.xlogy(0.0, NAN).item())
    x, y = gradients(ad.xlogy, [0.0, 0.0, 2.0], [0.0, 2.0, 4.0])
    np.testing.assert_allclose(x, [0.0, math.log(2), math.log(4)])
    np.testing.assert_allclose(y, [0.0, 0.0, 0.5])


def test_logaddexp_of_infinities():
    first, other = [-INF, -INF, INF, INF, 0.0, 1e4], [-INF, 0.0, INF, 0.0, INF, -1e4]
    out = ad.logaddexp(np.array(first, np.float32), np.array(other, np.float32))
    assert out.tolist() == [-INF, 0.0, INF, INF, INF, 1e4]
    x, y = gradients(ad.logaddexp, first, other)
    np.testing.assert_array_equal(x, [0.5, 0.0, 0.5, 1.0, 0.0, 1.0])
    np.testing.assert_array_equal(y, [0.5, 1.0, 0.5, 0.0, 1.0, 0.0])
    assert math.isnan(ad.logaddexp(NAN, 0.0).item())
    np.testing.assert_allclose(second(lambda x: ad.logaddexp(x, 0.0), [0.0]), [0.25])


@pytest.mark.parametrize("name", ["hypot", "atan2"])
def test_origin(name):
    x, y = gradients(getattr(tensors, name), 0.0, 0.0)
    assert (x, y) == (0.0, 0.0)
    for scale in (1e-30, 1e30):  # squares would leave float32
        leaves = [ad.tensor(np.float32(v * scale), requires_grad=True) for v in (3.0, 4.0)]
        getattr(tensors, name)(*leaves).backward()
        expected = [0.6, 0.8] if name == "hypot" else [0.16 / scale, -0.12 / scale]
        np.testing.assert_allclose([leaf.grad.item() for leaf in leaves], expected, rtol=1e-5)


def test_sinc_near_zero():
    """Its derivative keeps its digits, and so does the second."""
    x = [1e-9, 1e-5, 1e-3, 0.049, 0.051, 0.3, -1e-4]
    exact = [
        sum(
            (-1) ** k * 2 * k * math.pi ** (2 * k) * v ** (2 * k - 1) / math.factorial(2 * k + 1)
            for k in range(1, 20)
        )
        for v in x
    ]
    np.testing.assert_allclose(gradient(ad.sinc, x), exact, rtol=1e-12)
    np.testing.assert_allclose(second(ad.sinc, [0.0, 1e-3]), -(math.pi**2) / 3, rtol=1e-5)


def test_copysign_follows_the_change_of_sign():
    x, y = gradients(ad.copysign, [1.0, -1.0, 1.0, 0.0], [-2.0, -2.0, -0.0, 1.0])
    np.testing.assert_array_equal(x, [-1.0, 1.0, -1.0, 0.0])
    np.testing.assert_array_equal(y, 0.0)


# -- the error function ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["erf", "erfc"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_error_functions_are_exact_to_a_few_digits_of_the_last_place(name, dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate([
        rng.uniform(-6, 6, 5000), rng.uniform(-0.5, 0.5, 1000), 10.0 ** rng.uniform(-30, 0, 500),
        rng.uniform(0, 26 if dtype == np.float64 else 9, 2000), [0.0, 0.46875, 4.0, -4.0],
    ]).astype(dtype)  # fmt: skip
    exact = [getattr(math, name)(v) for v in x.tolist()]
    actual = getattr(ad, name)(x)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual.numpy(), exact, rtol=5 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_error_functions_far_out(dtype):
    x = np.array([0.0, INF, -INF, NAN, 1e4, -1e4], dtype)
    np.testing.assert_array_equal(ad.erf(x).numpy(), np.array([0, 1, -1, NAN, 1, -1], dtype))
    np.testing.assert_array_equal(ad.erfc(x).numpy(), np.array([1, 0, 2, NAN, 0, 2], dtype))
    assert ad.erf(x).dtype == ad.erfc(x).dtype == dtype


def test_error_functions_of_integers_and_complex_numbers():
    assert ad.erf(ad.tensor([0, 1])).dtype == np.float64
    assert ad.erf(ad.tensor(2)).shape == ()
    for function in (ad.erf, ad.erfc):
        with pytest.raises(ad.DTypeError, match=r"\(2,\) complex64.*real operand"):
            function(ad.tensor([1j, 2.0]))


# -- dtypes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x**2, lambda x: x**0.5, lambda x: 2**x, lambda x: 2.0**x, lambda x: x**-1,
        lambda x: ad.where(x > 0, x, 0.0), lambda x: ad.where(x > 0, 0, x),
        lambda x: ad.maximum(x, 0.0), lambda x: ad.minimum(1, x), lambda x: ad.clip(x, 0, 1),
        lambda x: ad.lerp(x, 2 * x, 0.5), lambda x: ad.logaddexp(x, 0.0),
        lambda x: ad.atan2(x, 1.0), lambda x: ad.hypot(1, x), lambda x: ad.xlogy(x, 2.0),
        lambda x: ad.xlogy(2, x),
        lambda x: ad.copysign(x, -1.0), lambda x: ad.remainder(x, 2.0), lambda x: 1 / x,
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_numbers_are_weak(compute, dtype, shape):
    x = ad.tensor(np.full(shape, 0.75, dtype), requires_grad=True)
    out = compute(x)
    out.backward(np.ones(shape, dtype), create_graph=True)
    assert out.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "tanh", "divide", "log1p", "sinc"])
def test_integers_give_what_numpy_gives(name):
    x = np.array([1, 2, 3])
    operands = (x, x) if name == "divide" else (x,)
    out = getattr(tensors, name)(*map(ad.tensor, operands))
    expected = getattr(np, name)(*operands)
    assert out.dtype == expected.dtype == np.float64
    assert not out.requires_grad
    np.testing.assert_array_equal(out.numpy(), expected)


def test_results_without_gradient():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    for out in (x > 1, ad.isnan(x), ad.logical_not(x), ad.signbit(x), x.astype(int)):
        assert not out.requires_grad
    assert (x == 1).tolist() == [True, False]


def test_astype():
    x = ad.tensor([1.5, 2.5], requires_grad=True)
    y = x.astype(ad.float64)
    (y * y).sum().backward()
    assert y.dtype == np.float64
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [3.0, 5.0]
    assert ad.astype(x, ad.bool).dtype == np.bool_
    assert ad.astype(x, ad.float32, copy=False).array is x.array
    assert ad.astype(x, ad.float32).array is not x.array
    with pytest.raises(ad.DTypeError, match="imaginary part"):
        ad.astype(ad.tensor([1j]), ad.float32)
    with pytest.raises(ad.DTypeError, match="device"):
        ad.astype(x, ad.float32, device="gpu:0")


def test_shapes_that_do_not_fit():
    with pytest.raises(ad.ShapeError, match=r"maximum\(x1: \(2,\) float32, x2: \(3,\) float32\)"):
        ad.maximum(ad.zeros(2), ad.zeros(3))
    with pytest.raises(ad.DTypeError, match="bitwise_and"):
        ad.bitwise_and(ad.tensor([1.0]), 1)


# -- complex numbers -------------------------------------------------------------------------

ANALYTIC = [
    "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sqrt", "square", "reciprocal", "negative",
    "conj", "sign", "abs", "real", "imag", "positive",
]  # fmt: skip


@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.parametrize("shape", [(), (4,)])
def test_complex_functions(name, shape):
    """Value, first and second derivatives along the real and the imaginary part."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(len(name))
    a, b = rng.uniform(-1.5, 1.5, (2, *shape))
    function = getattr(tensors, name)
    theirs = getattr(torch, {"sign": "sgn"}.get(name, name), None)

    def loss(a, b, f, lib):
        z = f(a + 1j * b)
        if not (z.dtype.kind == "c" if lib is ad else z.is_complex()):
            return (z * (z + 0.5)).sum()
        return (lib.real(z) * (lib.imag(z) + 0.3) + 2 * lib.imag(z)).sum()

    x, y = ad.tensor(a, requires_grad=True), ad.tensor(b, requires_grad=True)
    out = loss(x, y, function, ad)
    out.backward(create_graph=True)
    mixed = ad.grad((x.grad * 0.7 + y.grad).sum(), [x, y], allow_unused=True)
    u, v = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    expected = loss(u, v, theirs, torch)
    first = torch.autograd.grad(expected, [u, v], create_graph=True)
    twice = torch.autograd.grad((first[0] * 0.7 + first[1]).sum(), [u, v], allow_unused=True)
    np.testing.assert_allclose(out.item(), expected.item())
    for actual, wanted in zip([x.grad, y.grad], first, strict=True):
        np.testing.assert_allclose(actual.detach().numpy(), wanted.detach().numpy(), atol=1e-12)
    for actual, wanted in zip(mixed, twice, strict=True):
        left = np.zeros(shape) if actual is None else actual.numpy()
        right = np.zeros(shape) if wanted is None else wanted.numpy()
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-10)


def test_parts_of_real_numbers():
    x = ad.tensor([1.0, -2.0], requires_grad=True)
    parts = ad.real(x), ad.imag(x), ad.conj(x)
    assert [part.tolist() for part in parts] == [[1.0, -2.0], [0.0, 0.0], [1.0, -2.0]]
    assert all(part.dtype == np.float32 for part in parts)
    sum(part.sum() for part in parts).backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with ad.no_grad():
        parts[1][0] = 5.0


@pytest.mark.parametrize("name", ["multiply", "divide", "pow", "add", "subtract"])
def test_complex_functions_of_two(name):
    torch = pytest.importorskip("torch")
    a, b, c, d = np.random.default_rng(1).uniform(0.3, 1.5, (4, 3))
    ours = [ad.tensor(x, requires_grad=True) for x in (a, b, c, d)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (a, b, c, d)]
    for lib, (p, q, r, s) in ((ad, ours), (torch, theirs)):
        z = getattr(lib, name)(p + 1j * q, r + 1j * s)
        (lib.real(z) + 2 * lib.imag(z)).sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64", "bool"])
def test_logaddexp_of_whole_numbers_does_not_wrap_around(dtype):
    largest = 1 if dtype == "bool" else np.iinfo(dtype).max
    x = np.array([1, 0, largest, largest], dtype)
    y = np.array([0, 1, 0, largest], dtype)
    found = ad.logaddexp(ad.tensor(x), ad.tensor(y))
    np.testing.assert_allclose(found.numpy(), np.logaddexp(x, y), rtol=1e-3)


@pytest.mark.parametrize("exponent", [2.5, 1.5, 3, -0.5, -1, -2, -3, 4])
@pytest.mark.parametrize("at", [0.0, 1e-14, 1e30, np.inf])
def test_second_derivatives_of_powers_far_out(exponent, at):
    """Where ``1 / (x * x)`` overflows or is inf times 0."""
    x = ad.tensor(at, requires_grad=True)
    with np.errstate(all="ignore"):
        (slope,) = ad.grad(x**exponent, x, create_graph=True)
        (found,) = ad.grad(slope, x)
        expected = np.float32(exponent * (exponent - 1) * np.float64(at) ** (exponent - 2))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-40)


@pytest.mark.parametrize("at", [0.0, 1e-3, 0.3, 1e6, 1e8, 1e20])
def test_the_second_derivative_of_sinc_far_out(at):
    x = ad.tensor(at, requires_grad=True)
    (slope,) = ad.grad(ad.sinc(x), x, create_graph=True)
    (found,) = ad.grad(slope, x)
    assert np.isfinite(found.item())


def test_the_second_derivative_of_hypot_at_the_origin_is_norms():
    """There is none: 0 is chosen, as for the first."""
    x = ad.tensor(0.0, requires_grad=True)
    (slope,) = ad.grad(ad.hypot(x, x / 2), x, create_graph=True)
    assert slope.item() == 0
    assert ad.grad(slope, x)[0].item() == 0
