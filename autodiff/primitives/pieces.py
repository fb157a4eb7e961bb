"""On which of its pieces a piecewise operation is: what ``.branches`` declares, shared.

Each reader takes ``(out, *arrays, **options)``, as the operation was called, and returns an
array that is constant within a smooth piece. Gradient checking compares it between
evaluations: where it differs there is a kink in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.engine.primitive import Array

__all__ = ["by_extremum", "by_knots", "by_order", "by_sign", "by_value", "by_zero"]


def by_sign(out: Array, x: Array, *_: Any, **__: Any) -> Array:
    """Tell the sign of each entry."""
    return np.sign(x)


def by_value(out: Array, *_: Any, **__: Any) -> Array:
    """Tell the value: a step function's is its piece."""
    return out


def by_zero(out: Array, *_: Any, **__: Any) -> Array:
    """Tell where the result is 0, as a norm is at its one kink."""
    return np.equal(out, 0)


def by_knots(*knots: float) -> Callable[..., Array]:
    """Tell between which knots, or exactly on which, each entry lies."""

    def branches(out: Array, x: Array, *_: Any, **__: Any) -> Array:
        return np.searchsorted(knots, x, "left") + np.searchsorted(knots, x, "right")

    return branches


def by_extremum(
    out: Array, x: Array, *, axis: Any = None, keepdims: bool = False, **_: Any
) -> Array:
    """Tell which entries are the extremum along the axes that were reduced."""
    if axis is not None and not keepdims:
        out = np.expand_dims(out, axis)
    return np.equal(x, out)


def by_order(out: Array, x: Array, *, axis: Any = -1, **_: Any) -> Array:
    """Tell the order of the entries along an axis, ties included."""
    x = np.ravel(x) if axis is None or np.ndim(x) == 0 else np.asarray(x)
    along = -1 if axis is None or isinstance(axis, tuple) or x.ndim == 1 else axis
    order = np.argsort(x, axis=along, kind="stable")
    ties = np.diff(np.take_along_axis(x, order, along), axis=along) == 0
    return np.concatenate([order, ties], axis=along)


def by_side(out: Array, x1: Array, x2: Array) -> Array:
    """Tell which of two operands is the larger, entry by entry."""
    return np.sign(np.subtract(x1, x2))


def by_signs(out: Array, x1: Array, x2: Array) -> Array:
    """Tell the signs of two operands."""
    return 3 * np.sign(x1) + np.sign(x2)


def by_quotient(out: Array, x1: Array, x2: Array) -> Array:
    """Tell how often the second operand goes into the first."""
    return np.floor_divide(x1, x2)


def by_bounds(out: Array, x: Array, *bounds: Any, **options: Any) -> Array:
    """Tell on which side of each bound the entries are, operands or options."""
    limits = [*bounds, options.get("min_val"), options.get("max_val")]
    sides = [1 + np.sign(np.subtract(x, limit)) for limit in limits if limit is not None]
    return sum((3**i * side for i, side in enumerate(sides)), np.zeros(np.shape(x)))


def by_record(out: Array, x: Array, *_: Any, **__: Any) -> Array:
    """Tell where a running extremum is set anew."""
    return np.equal(np.reshape(x, np.shape(out)), out)
