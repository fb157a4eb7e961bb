"""Many elements to one."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@standard
def sum(
    xp: Namespace, x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False
) -> Array:
    """Sum of the elements."""


@sum.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...], axis: Any, keepdims: bool) -> Array:
    return xp.broadcast_to(restored(xp, g, x_shape, axis, keepdims), x_shape)


def restored(xp: Namespace, g: Array, shape: tuple[int, ...], axis: Any, keepdims: bool) -> Array:
    """Give a reduced array its reduced axes back, each of size 1."""
    if keepdims:
        return g
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    reduced = {a % len(shape) for a in axes} if shape else set()
    return xp.reshape(g, tuple(1 if i in reduced else n for i, n in enumerate(shape)))


@standard
def mean(xp: Namespace, x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Mean of the elements."""


@mean.vjp
def _(
    xp: Namespace, g: Array, x_shape: tuple[int, ...], axis: Any, keepdims: bool, out: Array
) -> Array:
    import math

    n = math.prod(x_shape) // max(1, math.prod(out.shape))
    return xp.broadcast_to(restored(xp, g / n, x_shape, axis, keepdims), x_shape)
