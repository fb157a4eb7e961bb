"""Reductions, softmax, statistics and scans at the edges: kinks, empties, dtypes, errors."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.namespace import NUMPY
from tests.differences import derivative


def gradient(function, x):
    """The gradient of the sum of a function's result."""
    leaf = ad.tensor(x, requires_grad=True)
    function(leaf).sum().backward()
    return leaf.grad.numpy()


def check_gradient(function, x):
    """Against differences, each entry of the result with another weight."""
    x = np.asarray(x, np.float64)
    shape = function(ad.tensor(x)).shape
    weights = np.random.default_rng(1).uniform(0.5, 1.5, shape)
    expected = derivative(lambda x: float((function(ad.tensor(x)) * weights).sum()), [x], 0)
    np.testing.assert_allclose(gradient(lambda t: function(t) * weights, x), expected, atol=1e-8)


# -- axes and dtypes ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "var", "std", "logsumexp"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype(name, dtype):
    x = ad.tensor(np.arange(6, dtype=dtype).reshape(2, 3) + 1, requires_grad=True)
    result = getattr(x, name)(axis=1)
    result.sum().backward()
    assert result.dtype == x.grad.dtype == dtype


def test_the_axis_may_be_given_by_position():
    x = ad.tensor(np.arange(6.0).reshape(2, 3))
    assert x.sum(0).tolist() == [3.0, 5.0, 7.0]
    assert x.max(-1).tolist() == [2.0, 5.0]
    assert x.softmax(0).shape == (2, 3)


def test_numpy_integers_are_axes():
    x = ad.tensor(np.ones((2, 3)), requires_grad=True)
    x.sum(axis=np.int64(1)).sum().backward()
    assert x.grad.shape == (2, 3)


def test_mean_of_many_halves_has_a_gradient():
    """1 / n is a float16 where n is not."""
    g = gradient(ad.mean, np.ones(100_000, np.float16))
    np.testing.assert_allclose(g, 1e-5, rtol=1e-2)


def test_mean_of_integers_is_a_float():
    assert ad.mean([1, 2]).item() == 1.5
    assert ad.mean(np.array([1 + 1j, 3])).item() == 2 + 0.5j


def test_the_gradient_of_a_sum_takes_no_memory():
    for operation in (ad.sum, ad.mean):
        rule = operation.primitive.rules["x"].function
        g = rule(NUMPY, np.ones(100), (100, 100), 0, keepdims=False)
        assert g.shape == (100, 100)
        assert g.strides == (0, 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(600, 16), (9, 1000), (8, 1024), (4, 5000), (3, 50, 100)])
def test_sums_along_rows_are_as_exact_as_numpys(shape, dtype):
    """Large ones are computed as a product with ones."""
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(dtype)
    exact = x.astype(np.longdouble).sum(axis=-1)
    for axis in (-1, len(shape) - 1):
        result = ad.sum(x, axis=axis)
        assert result.dtype == dtype
        np.testing.assert_allclose(result.numpy(), exact, rtol=4 * np.finfo(dtype).eps)
        kept = ad.sum(x, axis=axis, keepdims=True)
        np.testing.assert_array_equal(kept.numpy()[..., 0], result.numpy())
        n = shape[-1]
        np.testing.assert_allclose(
            ad.mean(x, axis=axis).numpy(), exact / n, rtol=5 * np.finfo(dtype).eps
        )
    flipped = x[:, ::-1]
    np.testing.assert_allclose(ad.sum(flipped, axis=-1).numpy(), flipped.sum(axis=-1), rtol=1e-6)


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_exponentials_of_integers_are_floats(name):
    x = np.array([[1, 2], [3, 1000]])
    result = getattr(ad, name)(x, axis=1)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, getattr(ad, name)(x.astype(np.float64), axis=1))
    assert getattr(ad, name)(2.0, axis=-1).shape == ()


def test_softmax_of_many_rows():
    x = np.random.default_rng(0).standard_normal((90, 100)).astype(np.float32)
    np.testing.assert_allclose(ad.softmax(x).numpy().sum(axis=-1), 1, rtol=1e-6)
    total = ad.logsumexp(x, axis=-1, keepdims=True)
    np.testing.assert_allclose((ad.log_softmax(x) + total).numpy(), x, atol=2e-6)


def test_no_rule_leaves_a_gradient_that_can_not_be_written():
    x = ad.tensor(np.ones(3), requires_grad=True)
    x.sum().backward()
    x.grad.numpy()[0] = 7.0


# -- empty arrays -----------------------------------------------------------------------------


def test_reductions_of_nothing():
    empty = np.zeros((0,), np.float32)
    assert ad.sum(empty).item() == 0
    assert ad.prod(empty).item() == 1
    assert ad.all(empty).item()
    assert not ad.any(empty).item()
    assert ad.logsumexp(empty).item() == -np.inf
    assert ad.softmax(empty).shape == (0,)
    assert gradient(ad.logsumexp, empty).shape == (0,)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(ad.mean(empty).item())


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_the_extreme_of_nothing_is_an_error(name):
    with pytest.raises(ad.ShapeError, match=rf"{name}\(x: \(2, 0\) float64\)"):
        getattr(ad, name)(np.zeros((2, 0)), axis=1)


@pytest.mark.parametrize("name", ["sum", "max", "var", "logsumexp", "argmax", "softmax"])
def test_an_axis_that_is_not_there(name):
    with pytest.raises(ad.AxisError, match=rf"{name}\(x: \(3,\) float32\)"):
        getattr(ad, name)(np.zeros(3, np.float32), axis=1)


# -- extremes ----------------------------------------------------------------------------------


def test_ties_share_equally():
    x = np.array([[2.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(gradient(lambda t: t.max(axis=1), x), [[0.5, 0.5, 0], [1 / 3] * 3])
    np.testing.assert_allclose(gradient(ad.min, x), [[0, 0, 0], [1 / 3] * 3])
    np.testing.assert_allclose(gradient(ad.amax, x), [[0.5, 0.5, 0], [0, 0, 0]])
    np.testing.assert_allclose(gradient(ad.amin, x), [[0, 0, 0], [1 / 3] * 3])


def test_ties_share_as_in_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = np.random.default_rng(0).integers(0, 3, (4, 5)).astype(np.float64)
    theirs = torch.tensor(x, requires_grad=True)
    theirs.amax((0, 1)).sum().backward()
    np.testing.assert_allclose(gradient(ad.max, x), theirs.grad.numpy())


def test_the_maximum_of_a_nan_is_nan():
    x = np.array([1.0, np.nan])
    assert np.isnan(ad.max(x).item())
    assert np.isnan(gradient(ad.max, x)).all()


def test_arg_extremes_have_no_gradient():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    assert not x.argmax().requires_grad
    assert x.argmax().dtype == np.int64


# -- products ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", [(), (0,), (5,), (1, 4), (0, 1, 2)])
def test_products_with_zeros_differentiate_three_times(zeros):
    x = np.random.default_rng(0).uniform(0.5, 1.5, 6)
    x[list(zeros)] = 0.0
    leaf = ad.tensor(x, requires_grad=True)
    (g,) = ad.grad(leaf.prod(), [leaf], create_graph=True)
    (h,) = ad.grad(g[0], [leaf], create_graph=True)
    (t,) = ad.grad(h[2], [leaf])
    expected = [0.0 if i in (0, 2) else np.prod(np.delete(x, [0, 2, i])) for i in range(6)]
    np.testing.assert_allclose(t.numpy(), expected)


def test_running_product_of_many():
    """The doubling of the recurrence, at lengths around powers of two."""
    for n in (1, 2, 3, 7, 8, 9, 17):
        x = np.random.default_rng(n).uniform(-1.5, 1.5, n)
        x[n // 2] = 0.0
        check_gradient(ad.cumulative_prod, x)


# -- softmax -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_large_arguments_neither_overflow_nor_warn(name, dtype):
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        result = getattr(ad, name)(x, axis=-1)
        g = gradient(lambda t: getattr(ad, name)(t, axis=-1) * np.array(2.0, dtype), x)
    assert np.isfinite(result.numpy()).all()
    assert np.isfinite(g).all()
    exact = getattr(ad, name)(x.astype(np.float64), axis=-1).numpy()
    np.testing.assert_allclose(result.numpy(), exact, rtol=2e-3 if dtype == np.float16 else 1e-6)


def test_masked_entries_weigh_nothing():
    x = np.array([[0.5, -np.inf, 1.5], [-np.inf, 2.0, -np.inf]])
    y = ad.softmax(x).numpy()
    np.testing.assert_array_equal(y[x == -np.inf], 0.0)
    np.testing.assert_allclose(y.sum(axis=-1), 1.0)
    weights = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for function in (lambda t: ad.softmax(t) * weights, lambda t: ad.logsumexp(t, axis=-1)):
        g = gradient(function, x)
        np.testing.assert_array_equal(g[x == -np.inf], 0.0)
        assert np.isfinite(g).all()
    np.testing.assert_allclose(ad.logsumexp(x, axis=-1).numpy(), [np.logaddexp(0.5, 1.5), 2.0])


def test_masked_entries_in_second_order():
    leaf = ad.tensor(np.array([0.5, -np.inf, 1.5]), requires_grad=True)
    for function in (ad.logsumexp, lambda t: ad.softmax(t)[0]):
        (g,) = ad.grad(function(leaf), [leaf], create_graph=True)
        (h,) = ad.grad(g[0], [leaf])
        assert np.isfinite(h.numpy()).all()
        assert h.numpy()[1] == 0


def test_nothing_but_masked_entries():
    x = np.full((2, 3), -np.inf)
    np.testing.assert_array_equal(ad.logsumexp(x, axis=1).numpy(), -np.inf)
    np.testing.assert_array_equal(gradient(lambda t: ad.logsumexp(t, axis=1), x), 0.0)
    assert np.isnan(ad.softmax(x).numpy()).all()
    assert np.isnan(ad.log_softmax(x).numpy()).all()
    assert np.isnan(gradient(ad.softmax, x)).all()


def test_infinity_in_a_logsumexp():
    assert ad.logsumexp([np.inf, 1.0]).item() == np.inf
    assert np.isnan(ad.logsumexp([np.nan, 1.0]).item())


# -- statistics ----------------------------------------------------------------------------------


def test_no_spread_has_no_gradient():
    x = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
    g = gradient(lambda t: t.std(axis=1), x)
    np.testing.assert_array_equal(g[0], 0.0)
    assert (g[1] != 0).any()
    leaf = ad.tensor(np.ones(3), requires_grad=True)
    (first,) = ad.grad(leaf.std(), [leaf], create_graph=True)
    (second,) = ad.grad(first.sum(), [leaf])
    np.testing.assert_array_equal(second.numpy(), 0.0)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("n", [1, 4, 5])
@pytest.mark.parametrize("q", [0, 0.3, 0.5, 1.0, [0.25, 0.75], [[0.1, 0.6]]])
def test_quantile(method, n, q):
    x = np.random.default_rng(n).standard_normal((n, 2))
    for options in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1}):
        result = ad.quantile(x, q, method=method, **options)
        np.testing.assert_allclose(result.numpy(), np.quantile(x, q, method=method, **options))
    check_gradient(lambda t: ad.quantile(t, q, axis=0, method=method), x)


def test_quantile_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, q = np.random.default_rng(0).standard_normal((5, 4)), np.array([0.1, 0.5, 0.9])
    theirs = torch.tensor(x, requires_grad=True)
    torch.quantile(theirs, torch.tensor(q), dim=1).sum().backward()
    np.testing.assert_allclose(
        gradient(lambda t: ad.quantile(t, q, axis=1), x), theirs.grad.numpy()
    )


def test_quantile_at_the_edges():
    assert ad.quantile([1.0, np.inf], 0.0).item() == 1.0
    assert ad.quantile([1.0, np.inf], 1.0).item() == np.inf
    assert ad.quantile([1.0, np.inf, np.inf], [0.0, 0.75]).tolist() == [1.0, np.inf]
    assert np.isnan(ad.quantile([1.0, np.nan, 2.0], 0.0).item())
    assert ad.quantile([1, 2], 0.5).item() == 1.5
    assert ad.quantile(np.ones(3, np.float32), 0.3).dtype == np.float32
    assert ad.quantile([3.0, 1.0], ad.tensor([0.5])).tolist() == [2.0]


def test_what_quantile_refuses():
    with pytest.raises(ad.DomainError, match=r"50\.0 is not between 0 and 1"):
        ad.quantile([1.0, 2.0], 50)
    with pytest.raises(ad.OptionError, match="no method 'cubic'"):
        ad.quantile([1.0, 2.0], 0.5, method="cubic")
    with pytest.raises(ad.ShapeError, match="no elements"):
        ad.quantile(np.zeros((2, 0)), 0.5, axis=1)


def test_median():
    x = np.random.default_rng(0).standard_normal((4, 5))
    for options in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": (0, 1)}):
        np.testing.assert_allclose(ad.median(x, **options).numpy(), np.median(x, **options))
        check_gradient(lambda t, options=options: ad.median(t, **options), x)
    assert ad.tensor([1.0, 3.0]).median().item() == 2.0


# -- scans ---------------------------------------------------------------------------------------


def test_ties_of_a_running_maximum_go_to_the_latest():
    x = np.array([1.0, 3.0, 3.0, 2.0])
    assert gradient(ad.cumulative_max, x).tolist() == [1.0, 1.0, 2.0, 0.0]


def test_a_running_maximum_keeps_a_nan():
    x = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(ad.cumulative_max(x).numpy(), [1.0, np.nan, np.nan])
    assert gradient(ad.cumulative_max, x).tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod", "cumulative_max"])
def test_scans_of_several_axes_want_one(name):
    with pytest.raises(ad.AxisError, match=rf"{name}\(x: \(2, 3\) float64\): no axis is given"):
        getattr(ad, name)(np.zeros((2, 3)))
    with pytest.raises(ad.AxisError, match="there is no axis 2"):
        getattr(ad, name)(np.zeros((2, 3)), axis=2)
    with pytest.raises(ad.AxisError, match="no axis is given"):
        getattr(ad, name)(np.array(1.0))


def test_scans_under_numpys_names():
    x = np.arange(1.0, 7).reshape(2, 3)
    for options in ({}, {"axis": 1}, {"dtype": np.float32}):
        np.testing.assert_allclose(ad.cumsum(x, **options).numpy(), np.cumsum(x, **options))
        np.testing.assert_allclose(ad.cumprod(x, **options).numpy(), np.cumprod(x, **options))
    check_gradient(ad.cumprod, x)


def test_scans_take_a_dtype():
    x = ad.tensor(np.ones(3, np.float32), requires_grad=True)
    y = ad.cumulative_sum(x, dtype=np.float64, include_initial=True)
    y.sum().backward()
    assert y.dtype == np.float64
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 2},
        {"n": 0},
        {"axis": 0},
        {"n": 5},
        {"prepend": 0, "append": 9},
        {"prepend": np.ones((2, 2))},
    ],
)
def test_diff(options):
    x = np.random.default_rng(0).standard_normal((2, 4))
    result = ad.diff(x, **options)
    np.testing.assert_allclose(result.numpy(), np.diff(x, **options))
    check_gradient(lambda t: ad.diff(t, **options), x)
    assert ad.diff(x.astype(np.float32), n=2).dtype == np.float32


def test_diff_of_other_things():
    assert ad.diff([True, False, False]).tolist() == [True, False]
    assert ad.diff(np.ones(2, np.float32), prepend=0, append=1.5).dtype == np.float32
    end = ad.tensor(np.array(2.0), requires_grad=True)
    ad.diff(np.ones((3, 2)), prepend=end).sum().backward()
    assert end.grad.item() == -3.0
    with pytest.raises(ad.DomainError, match="n = -1"):
        ad.diff([1.0], n=-1)
    with pytest.raises(ad.AxisError, match="no axis"):
        ad.diff(1.0)


# -- under NumPy's functions ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (np.sum, (1,)), (np.mean, (0,)), (np.prod, (-1,)), (np.max, (0,)), (np.amin, (0,)),
        (np.std, (1,)), (np.var, ()), (np.median, (0,)), (np.quantile, (0.3, 1)),
        (np.cumsum, (0,)), (np.cumprod, ()), (np.diff, (1, 0)), (np.sort, (0,)),
        (np.argsort, (0,)), (np.argmax, (1,)), (np.all, (1,)), (np.any, ()),
        (np.count_nonzero, (1,)), (np.unique, ()), (np.unique_counts, ()),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)  # fmt: skip
def test_numpys_functions_give_tensors(function, arguments):
    x = np.random.default_rng(0).standard_normal((3, 4))
    results, expected = function(ad.tensor(x), *arguments), function(x, *arguments)
    for ours, theirs in zip(
        results if isinstance(results, tuple) else [results],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        assert isinstance(ours, ad.Tensor)
        np.testing.assert_allclose(ours.numpy(), theirs)


@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
@pytest.mark.parametrize("name", ["quantile", "median", "var", "std", "max", "logsumexp", "prod"])
def test_axes_out_of_range(name, axis):
    x = ad.ones((2, 3))
    options = {"q": 0.5} if name == "quantile" else {}
    with pytest.raises(ad.AxisError, match=r"\(2, 3\) float32"):
        getattr(ad, name)(x, axis=axis, **options)
