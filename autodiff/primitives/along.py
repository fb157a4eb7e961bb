"""Indices and checks for operations along one axis."""

from __future__ import annotations

import operator
from typing import Any

from autodiff.engine.primitive import Array
from autodiff.errors import AxisError, describe
from autodiff.namespace import Namespace

__all__: list[str] = []


def axis_of(operation: str, x: Array, axis: int | None) -> int:
    """Return the axis counted from 0; the only one where none is given."""
    if axis is not None and -x.ndim <= axis < x.ndim:
        return axis % x.ndim  # type: ignore[no-any-return]
    if axis is None and x.ndim == 1:
        return 0
    what = "no axis is given" if axis is None else f"there is no axis {axis}"
    message = f"{operation}(x: {describe(x)}): {what}"
    raise AxisError(f"{message}. Give an axis from -ndim to ndim - 1 of an array that has one.")


def axes_of(axes: Any) -> tuple[int, ...]:
    """Return axes as a tuple, of one where a whole number is given."""
    try:
        return (operator.index(axes),)
    except TypeError:
        return tuple(map(operator.index, axes))


def along(axis: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    """Return the index that slices one axis: ``x[along(1, 0, n)]`` is ``x[:, 0:n]``."""
    return (*[slice(None)] * axis, slice(start, stop, step))


def reversed_along(x: Array, axis: int) -> Array:
    """Return the elements from the last to the first along an axis."""
    return x[along(axis, None, None, -1)]


def first_entry(xp: Namespace, x: Array, axis: int, value: complex) -> Array:
    """Return one entry of the given value for each row along an axis."""
    shape = tuple([1 if i == axis else n for i, n in enumerate(x.shape)])
    return xp.full(shape, value, dtype=x.dtype)


def places_along(xp: Namespace, indices: Array, axis: int) -> tuple[Array, ...]:
    """Return the index that reads an array at ``indices`` along an axis.

    ``x[places_along(xp, indices, axis)]`` is ``xp.take_along_axis(x, indices, axis=axis)``.
    """
    ndim = len(indices.shape)
    grid = [
        xp.reshape(xp.arange(size), (*[1] * i, size, *[1] * (ndim - i - 1)))
        for i, size in enumerate(indices.shape)
    ]
    grid[axis] = indices
    return tuple(grid)
