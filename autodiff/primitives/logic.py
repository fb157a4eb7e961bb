"""Comparison, logic and bits, element by element: results that have no gradient."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@standard(differentiable=False)
def equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """equal."""


@standard(differentiable=False)
def not_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """not_equal."""


@standard(differentiable=False)
def less(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """less."""


@standard(differentiable=False)
def less_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """less_equal."""


@standard(differentiable=False)
def greater(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """greater."""


@standard(differentiable=False)
def greater_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """greater_equal."""


@standard(differentiable=False)
def logical_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """logical_and."""


@standard(differentiable=False)
def logical_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """logical_or."""


@standard(differentiable=False)
def logical_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """logical_xor."""


@standard(differentiable=False)
def bitwise_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """bitwise_and."""


@standard(differentiable=False)
def bitwise_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """bitwise_or."""


@standard(differentiable=False)
def bitwise_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """bitwise_xor."""


@standard(differentiable=False)
def bitwise_left_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """bitwise_left_shift."""


@standard(differentiable=False)
def bitwise_right_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """bitwise_right_shift."""


@standard(differentiable=False)
def bitwise_invert(xp: Namespace, x: Array, /) -> Array:
    """bitwise_invert."""


@standard(differentiable=False)
def logical_not(xp: Namespace, x: Array, /) -> Array:
    """logical_not."""


@standard(differentiable=False)
def isnan(xp: Namespace, x: Array, /) -> Array:
    """isnan."""


@standard(differentiable=False)
def isinf(xp: Namespace, x: Array, /) -> Array:
    """isinf."""


@standard(differentiable=False)
def isfinite(xp: Namespace, x: Array, /) -> Array:
    """isfinite."""


@standard(differentiable=False)
def signbit(xp: Namespace, x: Array, /) -> Array:
    """signbit."""
