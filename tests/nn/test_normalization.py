"""Normalisation."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch


def random(*shape, dtype="float64", scale=1.0):
    return (scale * np.random.default_rng(0).normal(size=shape)).astype(dtype)


def randomized(module):
    """Give parameters values that are not ones and zeros."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return module


@with_torch
@pytest.mark.parametrize(
    ("shape", "sizes", "options"),
    [
        ((5, 4), 4, {}),
        ((4,), (4,), {"eps": 1e-3}),
        ((2, 3, 4), 4, {"bias": False}),
        ((2, 3, 4), (3, 4), {}),
        ((3, 4), (3, 4), {"elementwise_affine": False}),
        ((0, 4), 4, {}),
    ],
)
@precisions
def test_layer_norm_is_pytorchs(shape, sizes, options, dtype, tolerance):
    theirs = randomized(torch.nn.LayerNorm(sizes, dtype=getattr(torch, dtype), **options))
    ours = nn.LayerNorm(sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize(
    ("shape", "sizes", "options"),
    [
        ((5, 4), 4, {}),
        ((4,), (4,), {"eps": 1e-3}),
        ((2, 3, 4), (3, 4), {}),
        ((3, 4), 4, {"elementwise_affine": False}),
    ],
)
@precisions
def test_rms_norm_is_pytorchs(shape, sizes, options, dtype, tolerance):
    theirs = randomized(torch.nn.RMSNorm(sizes, dtype=getattr(torch, dtype), **options))
    ours = nn.RMSNorm(sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
def test_functions_are_pytorchs():
    x, w, b = random(3, 4), random(4), random(4)
    theirs = torch.nn.functional
    assert_same_as_torch(
        lambda *a: functional.layer_norm(a[0], (4,), *a[1:]),
        lambda *a: theirs.layer_norm(a[0], (4,), *a[1:]),
        [x, w, b],
        tolerance=1e-10,
    )
    assert_same_as_torch(
        lambda *a: functional.rms_norm(a[0], (4,), a[1]),
        lambda *a: theirs.rms_norm(a[0], (4,), a[1]),
        [x, w],
        tolerance=1e-10,
    )


def test_layer_norm_is_exact_far_from_zero():
    x = random(6, 50) + 1e6
    reference = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    y = nn.LayerNorm(50, elementwise_affine=False)(ad.asarray(x))
    np.testing.assert_allclose(y.numpy(), reference, atol=1e-9)


@pytest.mark.parametrize(
    "layer", [nn.LayerNorm(3, dtype=ad.float64), nn.RMSNorm(3, dtype=ad.float64)]
)
def test_gradcheck(layer):
    assert ad.gradcheck(layer, (ad.tensor(random(2, 3), requires_grad=True),))


def test_bad_layer_norm():
    model = nn.Sequential({"a": nn.LayerNorm(4)})
    with pytest.raises(ad.ShapeError, match=r"LayerNorm 'a': the input \(2, 3\) float32 does not"):
        model(ad.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match=r"Give an input of shape \(\.\.\., 3, 4\)"):
        nn.RMSNorm((3, 4))(ad.ones(4))
    with pytest.raises(ad.OptionError, match="normalized_shape is empty"):
        nn.LayerNorm(())
    with pytest.raises(ad.OptionError, match="normalized_shape is -1"):
        nn.LayerNorm(-1)
    with pytest.raises(ad.DomainError, match="eps is -1"):
        nn.LayerNorm(3, eps=-1)
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        nn.LayerNorm(2)([1, 2])
