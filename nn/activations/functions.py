"""Activation functions that ``autodiff`` does not have under these names."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import as_floats

__all__ = [
    "glu",
    "hardshrink",
    "log_softmax",
    "prelu",
    "rrelu",
    "softmax",
    "softmin",
    "softshrink",
    "tanhshrink",
    "threshold",
]


@typed
def hardshrink(input: Any, lambd: float = 0.5) -> ad.Tensor:
    """``x`` where ``abs(x) > lambd``, and 0 elsewhere.

    >>> from nn.functional import hardshrink
    >>> hardshrink([-1.0, 0.5, 2.0])
    tensor([-1.,  0.,  2.], dtype=float32)
    """
    x = ad.asarray(input)
    return ad.masked(x, ad.logical_not(ad.abs(x) <= lambd))


@typed
def softshrink(input: Any, lambd: float = 0.5) -> ad.Tensor:
    """``x`` moved towards 0 by ``lambd``, and 0 where it would cross 0.

    >>> from nn.functional import softshrink
    >>> softshrink([-1.0, 0.5, 2.0])
    tensor([-0.5,  0. ,  1.5], dtype=float32)
    """
    x = ad.asarray(input)
    y: ad.Tensor = x - ad.clip(x, -lambd, lambd)
    return y


@typed
def tanhshrink(input: Any) -> ad.Tensor:
    """``x - tanh(x)``.

    >>> from nn.functional import tanhshrink
    >>> tanhshrink([0.0, 100.0])
    tensor([ 0., 99.], dtype=float32)
    """
    x = ad.asarray(input)
    y: ad.Tensor = x - ad.tanh(x)
    return y


@typed
def threshold(input: Any, threshold: float, value: float) -> ad.Tensor:
    """``x`` where it is above the threshold, ``value`` elsewhere.

    >>> from nn.functional import threshold
    >>> threshold([0.0, 2.0], 1.0, -1.0)
    tensor([-1.,  2.], dtype=float32)
    """
    x = ad.asarray(input)
    return ad.where(x <= threshold, value, x)


@typed
def prelu(input: Any, weight: Any) -> ad.Tensor:
    """``x`` where it is positive, ``weight * x`` elsewhere.

    Parameters
    ----------
    input : Tensor or array_like
        ``(N, C, ...)``, or anything for a weight of one number.
    weight : Tensor
        ``(C,)`` or ``(1,)``.

    >>> from nn.functional import prelu
    >>> prelu([-1.0, 2.0], [0.5])
    tensor([-0.5,  2. ], dtype=float32)
    """
    x, slope = ad.asarray(input), ad.asarray(weight)
    if slope.size != 1:
        channels = x.shape[1] if x.ndim > 1 else 1
        if slope.shape != (channels,):
            message = f"prelu: the weight {slope.shape} has not the {channels} channels of the"
            message += f" input {ad.errors.describe(x)}"
            raise ad.ShapeError(f"{message}. Give one number, or one for each channel.")
        slope = slope.reshape(-1, *(1,) * (x.ndim - 2))
    return _leaking(x, slope)


@typed
def rrelu(
    input: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> ad.Tensor:
    """``x`` where it is positive, ``a x`` elsewhere, with a random slope while training.

    ``a`` is drawn for each element between ``lower`` and ``upper``; it is their mean where
    ``training`` is False. ``inplace`` changes nothing: the input is never written into.

    >>> from nn.functional import rrelu
    >>> rrelu([-1.0, 2.0], 0.25, 0.75)
    tensor([-0.5,  2. ], dtype=float32)
    """
    del inplace
    if not training:
        return ad.leaky_relu(ad.asarray(input), (lower + upper) / 2)
    x = as_floats("rrelu", input)
    slope = ad.random.uniform(lower, upper, x.shape, dtype=x.dtype, generator=generator)
    return _leaking(x, slope)


def _leaking(x: ad.Tensor, slope: ad.Tensor) -> ad.Tensor:
    # Not with `where`, which is many times slower where signs have no pattern.
    y: ad.Tensor = ad.relu(x) + slope * ad.masked(x, x <= 0)
    return y


@typed
def glu(input: Any, dim: int = -1) -> ad.Tensor:
    """Gate one half of an axis with the other: ``a * sigmoid(b)``.

    >>> from nn.functional import glu
    >>> glu([3.0, 0.0])
    tensor([1.5], dtype=float32)
    """
    x = ad.asarray(input)
    if not x.ndim or not -x.ndim <= dim < x.ndim or x.shape[dim] % 2:
        message = f"glu: {ad.errors.describe(x)} has no even axis {dim}"
        raise ad.ShapeError(f"{message}. Give an axis of twice the wanted size.")
    a, b = ad.split(x, 2, axis=dim)
    y: ad.Tensor = a * ad.sigmoid(b)
    return y


@typed
def softmax(input: Any, dim: int = -1) -> ad.Tensor:
    """``autodiff.softmax`` along the axis ``dim``, under PyTorch's name for it."""
    return ad.softmax(input, axis=dim)


@typed
def log_softmax(input: Any, dim: int = -1) -> ad.Tensor:
    """``autodiff.log_softmax`` along the axis ``dim``, under PyTorch's name for it."""
    return ad.log_softmax(input, axis=dim)


@typed
def softmin(input: Any, dim: int = -1) -> ad.Tensor:
    """``softmax(-x)``: the smallest gets the most.

    >>> from nn.functional import softmin
    >>> softmin([0.0, 1000.0])
    tensor([1., 0.], dtype=float32)
    """
    return ad.softmax(-ad.asarray(input), axis=dim)
