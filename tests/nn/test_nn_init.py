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
