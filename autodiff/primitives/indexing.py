"""Elements by index."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@primitive
def getitem(xp: Namespace, x: Array, /, index: Any) -> Array:
    """x."""
    return x[index]


@getitem.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...], index: Any) -> Array:
    return xp.scatter(g, index, x_shape)


@primitive
def scatter(xp: Namespace, x: Array, /, index: Any, shape: tuple[int, ...]) -> Array:
    """Add elements up at an index of zeros."""
    out = xp.zeros(shape, dtype=x.dtype)
    xp.add.at(out, index, x)
    return out


@scatter.vjp
def _(xp: Namespace, g: Array, index: Any) -> Array:
    return g[index]


@primitive
def setitem(xp: Namespace, x: Array, value: Array, /, index: Any) -> Array:
    """x."""
    out = xp.copy(x)
    out[index] = value
    return out


@setitem.vjp("x")
def _(xp: Namespace, g: Array, index: Any) -> Array:
    return xp.setitem(g, 0, index)


@setitem.vjp("value")
def _(xp: Namespace, g: Array, index: Any) -> Array:
    return g[index]


def plain_index(index: Any) -> Any:
    """Tensors in an index become arrays."""
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    return getattr(index, "array", index)
