"""Same elements, other shape."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@standard
def reshape(
    xp: Namespace, x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None
) -> Array:
    """Same elements in another shape."""


@reshape.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...]) -> Array:
    return xp.reshape(g, x_shape)


@standard
def permute_dims(xp: Namespace, x: Array, /, axes: tuple[int, ...]) -> Array:
    """Axes in another order."""


@permute_dims.vjp
def _(xp: Namespace, g: Array, axes: tuple[int, ...]) -> Array:
    inverse = sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))
    return xp.permute_dims(g, tuple(inverse))


@standard
def matrix_transpose(xp: Namespace, x: Array, /) -> Array:
    """Last two axes exchanged."""


@matrix_transpose.vjp
def _(xp: Namespace, g: Array) -> Array:
    return xp.matrix_transpose(g)


@standard
def broadcast_to(xp: Namespace, x: Array, /, shape: tuple[int, ...]) -> Array:
    """x."""


@broadcast_to.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard
def expand_dims(xp: Namespace, x: Array, /, *, axis: int = 0) -> Array:
    """x."""


@expand_dims.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...]) -> Array:
    return xp.reshape(g, x_shape)


@primitive
def unstack(xp: Namespace, x: Array, /, *, axis: int = 0) -> Array:
    """x."""
    return tuple(xp.moveaxis(x, axis, 0))


@unstack.vjp
def _(xp: Namespace, g: Any, axis: int) -> Array:
    return xp.stack(g.filled(xp), axis=axis)


@primitive(name="stack")
def _stack(xp: Namespace, *arrays: Array, axis: int = 0) -> Array:
    return xp.stack(arrays, axis=axis)


@_stack.vjp("arrays")
def _(xp: Namespace, g: Array, position: int, axis: int) -> Array:
    return xp.take(g, position, axis=axis)


def flatten(x: Array, start_axis: int = 0, end_axis: int = -1) -> Any:
    """x."""
    n = x.ndim
    a, b = start_axis % n, end_axis % n
    return reshape(x, (*x.shape[:a], -1, *x.shape[b + 1 :]))
