"""Sorting, ranking and sets at the edges: ties, NaNs, names, errors."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad


def gradient(function, x):
    """The gradient of the result with weights 1, 2, 3, ... on its elements."""
    leaf = ad.tensor(x, requires_grad=True)
    result = function(leaf)
    (result * np.arange(1.0, result.size + 1).reshape(result.shape)).sum().backward()
    return leaf.grad.tolist()


def test_equal_elements_keep_their_order():
    x = np.array([1.0, 0.0, 1.0, 0.0])
    assert ad.argsort(x).tolist() == [1, 3, 0, 2]
    assert ad.argsort(x, descending=True).tolist() == [0, 2, 1, 3]
    assert gradient(ad.sort, x) == [3.0, 1.0, 4.0, 2.0]
    assert gradient(lambda t: ad.sort(t, descending=True), x) == [1.0, 3.0, 2.0, 4.0]


def test_the_gradient_of_ties_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = np.random.default_rng(0).integers(0, 4, (5, 9)).astype(np.float64)
    for descending in (False, True):
        theirs = torch.tensor(x, requires_grad=True)
        values, _ = theirs.sort(dim=-1, descending=descending, stable=True)
        (values * torch.arange(1.0, 46).reshape(5, 9)).sum().backward()
        ours = gradient(lambda t, descending=descending: ad.sort(t, descending=descending), x)
        assert ours == theirs.grad.tolist()


def test_unstable_sorts_sort():
    x = np.random.default_rng(0).standard_normal((3, 50))
    for descending in (False, True):
        order = ad.argsort(x, descending=descending, stable=False)
        values = ad.sort(x, descending=descending, stable=False)
        np.testing.assert_array_equal(np.take_along_axis(x, order.numpy(), axis=-1), values.numpy())


def test_nans_are_the_largest():
    x = np.array([2.0, np.nan, 1.0])
    np.testing.assert_array_equal(ad.sort(x).numpy(), [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(ad.sort(x, descending=True).numpy(), [np.nan, 2.0, 1.0])
    assert ad.topk(x, 2).indices.tolist() == [1, 0]
    assert ad.topk(x, 2, largest=False).indices.tolist() == [2, 0]


def test_topk_has_names_and_a_gradient():
    result = ad.topk(np.array([1.0, 9.0, 5.0]), 2)
    assert result.values.tolist() == [9.0, 5.0]
    assert result.indices.tolist() == [1, 2]
    assert gradient(lambda t: t.topk(2).values, np.array([1.0, 9.0, 5.0])) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("k", [0, 1, 7, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_topk_of_many(k, dtype):
    x = np.random.default_rng(0).permutation(200)[:100].reshape(1, 100).astype(dtype)
    np.testing.assert_array_equal(ad.topk(x, k).values.numpy(), -np.sort(-x.astype(int))[:, :k])
    np.testing.assert_array_equal(ad.topk(x, k, largest=False).values.numpy(), np.sort(x)[:, :k])


@pytest.mark.parametrize("k", [-1, 4])
def test_topk_of_too_few(k):
    with pytest.raises(ad.DomainError, match=rf"\(2, 3\) float64\): axis 1 has 3 .* not k = {k}"):
        ad.topk(np.zeros((2, 3)), k)


@pytest.mark.parametrize("name", ["sort", "argsort", "topk"])
def test_an_axis_that_is_not_there(name):
    k = (1,) if name == "topk" else ()
    with pytest.raises(ad.AxisError, match=rf"{name}\(x: \(3,\) float64\): there is no axis 1"):
        getattr(ad, name)(np.zeros(3), *k, axis=1)
    with pytest.raises(ad.AxisError, match="there is no axis -1"):
        getattr(ad, name)(np.array(1.0), *k)


def test_sorts_of_integers_have_no_gradient():
    assert not ad.argsort(ad.tensor([1.0, 0.0], requires_grad=True)).requires_grad


def test_searchsorted_takes_tensors_throughout():
    order = ad.argsort([3.0, 1.0, 2.0])
    found = ad.searchsorted(ad.tensor([3.0, 1.0, 2.0]), ad.tensor([2.5]), sorter=order)
    assert found.tolist() == [2]
    with pytest.raises(ad.ShapeError, match="searchsorted"):
        ad.searchsorted(np.zeros((2, 2)), [1.0])


def test_nonzero_of_a_number():
    with pytest.raises(ad.DTypeError, match="0-d array has no indices"):
        ad.nonzero(1.0)


def test_sets_have_the_standards_names():
    x = np.array([[3, 1], [3, 2]])
    both = ad.unique_all(x)
    assert both._fields == ("values", "indices", "inverse_indices", "counts")
    assert both.values.tolist() == [1, 2, 3]
    assert both.indices.tolist() == [1, 3, 0]
    assert both.inverse_indices.tolist() == [[2, 0], [2, 1]]
    assert both.counts.tolist() == [1, 1, 2]
    assert ad.unique_counts(x).counts.tolist() == [1, 1, 2]
    assert ad.unique_inverse(x).inverse_indices.shape == (2, 2)
    assert ad.unique_values(x).tolist() == ad.unique(x).tolist() == [1, 2, 3]


def test_nans_are_all_distinct():
    assert ad.unique_counts([np.nan, 1.0, np.nan]).counts.tolist() == [1, 1, 1]


def test_sets_have_no_gradient_and_say_so():
    x = ad.tensor([1.0, 2.0, 1.0], requires_grad=True)
    with pytest.raises(ad.NoGradientError, match="unique_all has no derivative"):
        ad.unique_values(x).sum().backward()
    assert x.grad is None
    ad.unique_values(x.detach())
