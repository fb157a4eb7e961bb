"""The distributions that parameters start from, against the papers' formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
from nn import init
from tests.nn import torch, with_torch

IN, OUT = 300, 200


def weight(*kernel):
    return ad.zeros((OUT, IN, *kernel), dtype=ad.float64)


def is_uniform(values, bound):
    assert np.abs(values).max() <= bound
    assert abs(values.mean()) < 0.02 * bound
    np.testing.assert_allclose(values.std(), bound / math.sqrt(3), rtol=0.02)


def is_normal(values, std):
    assert abs(values.mean()) < 0.02 * std
    np.testing.assert_allclose(values.std(), std, rtol=0.02)
    np.testing.assert_allclose((np.abs(values) < std).mean(), 0.6827, atol=0.01)


def test_xavier():
    is_uniform(init.xavier_uniform_(weight()).numpy(), math.sqrt(6 / (IN + OUT)))
    is_uniform(init.xavier_uniform_(weight(2), gain=3.0).numpy(), 3 * math.sqrt(3 / (IN + OUT)))
    is_normal(init.xavier_normal_(weight()).numpy(), math.sqrt(2 / (IN + OUT)))


def test_kaiming():
    is_uniform(init.kaiming_uniform_(weight()).numpy(), math.sqrt(6 / IN))
    is_uniform(init.kaiming_uniform_(weight(), a=math.sqrt(5)).numpy(), math.sqrt(1 / IN))
    is_normal(
        init.kaiming_normal_(weight(), mode="fan_out", nonlinearity="relu").numpy(),
        math.sqrt(2 / OUT),
    )


def test_plain_distributions_and_constants():
    is_uniform(init.uniform_(weight(), -2, 2).numpy(), 2)
    is_normal(init.normal_(weight(), std=0.5).numpy(), 0.5)
    assert (init.ones_(weight()).numpy() == 1).all()
    assert (init.constant_(weight(), 3).numpy() == 3).all()
    assert (init.zeros_(init.ones_(weight())).numpy() == 0).all()


def test_in_place_under_no_grad_and_from_a_seed():
    parameter = ad.zeros((4, 4), requires_grad=True)
    assert init.xavier_uniform_(parameter) is parameter
    assert parameter.is_leaf
    ad.random.seed(3)
    first = init.normal_(ad.zeros(8)).numpy().copy()
    ad.random.seed(3)
    assert (init.normal_(ad.zeros(8)).numpy() == first).all()
    a, b = (init.uniform_(ad.zeros(8), generator=np.random.default_rng(1)) for _ in range(2))
    assert (a.numpy() == b.numpy()).all()


@with_torch
@pytest.mark.parametrize(
    "name", ["linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu", "conv2d"]
)
def test_gains_are_pytorchs(name):
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))


def test_bad_input():
    with pytest.raises(ad.ShapeError, match=r"xavier_uniform_: \(3,\) float32 has no fan-in"):
        init.xavier_uniform_(ad.zeros(3))
    with pytest.raises(ad.OptionError, match="fan_in"):
        init.kaiming_normal_(weight(), mode="fan")
    with pytest.raises(ad.OptionError, match="swoosh"):
        init.calculate_gain("swoosh")
    with pytest.raises(ad.DomainError, match="std"):
        init.normal_(weight(), std=-1)


def test_lecun_normal():
    is_normal(init.lecun_normal_(weight()).numpy(), math.sqrt(1 / IN))


def test_truncated_normal():
    values = init.trunc_normal_(weight(), mean=0.5, std=0.25, a=0.0, b=1.0).numpy()
    assert values.min() >= 0
    assert values.max() <= 1
    # of a normal cut at two deviations: 1 - 4 phi(2) / (Phi(2) - Phi(-2))
    variance = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
    np.testing.assert_allclose(values.std(), 0.25 * math.sqrt(variance), rtol=0.02)
    assert abs(values.mean() - 0.5) < 0.005
    with pytest.raises(ad.DomainError):
        init.trunc_normal_(weight(), a=1, b=0)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (3, 2, 2, 2), (1, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(ad.float32, 1e-6), (ad.float64, 1e-14)])
def test_orthogonal(shape, dtype, tolerance):
    w = init.orthogonal_(ad.zeros(shape, dtype=dtype), gain=2.0).numpy()
    matrix = w.reshape(shape[0], -1) / 2
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(small @ small.T, np.eye(len(small)), atol=10 * tolerance)


def test_orthogonal_matrices_are_spread_evenly():
    """Without the signs of R's diagonal the trace would lean to one side."""
    rng = np.random.default_rng(0)
    traces = [
        np.trace(init.orthogonal_(ad.zeros((3, 3)), generator=rng).numpy()) for _ in range(2000)
    ]
    assert abs(np.mean(traces)) < 0.1
    np.testing.assert_allclose(np.var(traces), 1, rtol=0.1)


def test_eye():
    assert (init.eye_(ad.zeros((2, 3))).numpy() == np.eye(2, 3)).all()
    with pytest.raises(ad.ShapeError, match="no matrix"):
        init.eye_(ad.zeros(3))


@with_torch
@pytest.mark.parametrize("slope", [None, 0.2, 0, 1])
def test_gain_of_leaky_relu_is_pytorchs(slope):
    expected = torch.nn.init.calculate_gain("leaky_relu", slope)
    assert init.calculate_gain("leaky_relu", slope) == pytest.approx(expected)


def test_more_bad_input():
    with pytest.raises(ad.OptionError, match="slope of leaky_relu is 'x'"):
        init.calculate_gain("leaky_relu", "x")
    with pytest.raises(ad.ShapeError, match="no matrix"):
        init.orthogonal_(ad.zeros(3))
    assert init.orthogonal_(ad.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("name", [n for n in init.__all__ if n.endswith("_") and n != "constant_"])
def test_only_tensors_are_filled(name):
    with pytest.raises(ad.DTypeError, match="not a ndarray"):
        getattr(init, name)(np.zeros((2, 2)))


def test_an_orthogonal_matrix_is_of_floats():
    with pytest.raises(ad.DTypeError, match="real floating dtype"):
        init.orthogonal_(ad.zeros((2, 2), dtype=ad.int64))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("uniform_", "a"), ("uniform_", "b"), ("normal_", "mean"), ("normal_", "std"),
        ("trunc_normal_", "mean"), ("trunc_normal_", "std"), ("xavier_uniform_", "gain"),
        ("xavier_normal_", "gain"), ("kaiming_uniform_", "a"), ("kaiming_normal_", "a"),
        ("orthogonal_", "gain"),
    ],
)  # fmt: skip
def test_numbers_that_are_not_finite_change_nothing(name, option, value):
    tensor = ad.ones((2, 2))
    with pytest.raises(ad.DomainError, match=f"is {value}. Give a finite number"):
        getattr(init, name)(tensor, **{option: value})
    assert tensor.tolist() == [[1, 1], [1, 1]]


def test_a_normal_distribution_is_cut_at_one_end_alone():
    values = init.trunc_normal_(ad.zeros(1000), a=0.5, b=math.inf)
    assert 0.5 <= values.min().item() < values.max().item() < math.inf
