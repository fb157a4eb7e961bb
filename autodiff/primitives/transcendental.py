"""Exponentials, logarithms, trigonometric and hyperbolic functions, the error function."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@standard
def exp(xp: Namespace, x: Array, /) -> Array:
    """Exponential."""


@exp.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * out


@standard
def log(xp: Namespace, x: Array, /) -> Array:
    """Natural logarithm."""


@log.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / x


@standard
def tanh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic tangent."""


@tanh.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (1 - out * out)
