"""Activation functions as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autodiff as ad
from nn.module import Module

__all__ = ["Function", "Identity", "ReLU", "Sigmoid", "Tanh"]


class Identity(Module):
    """Hand the input on: ``y = x``."""

    def forward(self, x: Any) -> Any:
        """Return ``x``."""
        return x


class ReLU(Module):
    """The rectified linear unit, ``y = max(x, 0)``.

    It cures saturation: where a unit is active its slope is 1, however large the input. It
    costs a kink at 0 (where the slope is taken as 0), outputs that are not centred on 0, and
    units that die: one that is negative for every input gets no gradient any more.
    """

    def forward(self, x: Any) -> ad.Tensor:
        """Return ``max(x, 0)``."""
        return ad.relu(x)


class Tanh(Module):
    """The hyperbolic tangent, ``y = tanh(x)``.

    It is smooth and centred on 0. It costs saturation: beyond ``|x| > 3`` its slope
    ``1 - y**2`` is below 0.01, and gradients vanish through several such layers.
    """

    def forward(self, x: Any) -> ad.Tensor:
        """Return ``tanh(x)``."""
        return ad.tanh(x)


class Sigmoid(Module):
    """The logistic function, ``y = 1 / (1 + exp(-x))``.

    Its output is a probability. It costs saturation on both sides, a slope ``y * (1 - y)``
    of at most 1/4, and outputs that are all positive: as a hidden unit prefer the others.
    """

    def forward(self, x: Any) -> ad.Tensor:
        """Return ``1 / (1 + exp(-x))``."""
        return ad.sigmoid(x)


class Function(Module):
    """A function of tensors as a layer: ``Function(autodiff.sin)``.

    Parameters
    ----------
    function : callable
        From a tensor to a tensor.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        """Return ``function(x)``."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", repr(self.function))
