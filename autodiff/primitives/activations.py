"""Activation functions of neural networks."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@primitive
def relu(xp: Namespace, x: Array, /) -> Array:
    """Rectified linear unit ``max(x, 0)``. At 0 the subgradient 0 is chosen."""
    return xp.maximum(x, 0)


@relu.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (out > 0)
