"""The same elements in another shape or order: reshaping, permuting, broadcasting, flipping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.errors import AxisError, ShapeError, describe, explain
from autodiff.namespace import Namespace

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = [
    "broadcast_arrays", "broadcast_to", "expand_dims", "flatten", "flip", "matrix_transpose",
    "moveaxis", "permute_dims", "ravel", "reshape", "roll", "squeeze", "swapaxes",
]  # fmt: skip

Shape = tuple[int, ...]


def axis_of(operation: str, x: Array, axis: int, *, extra: int = 0) -> int:
    """Return an axis counted from the front, or raise the typed error that names the operand.

    ``extra`` is by how many axes the result, which the axis is meant of, exceeds ``x``.
    """
    ndim = len(x.shape) + extra
    if getattr(axis, "shape", ()):
        message = f"{operation}: the axis is {describe(axis)}, an array"
        raise AxisError(f"{message}. See help(autodiff.{operation}) for the arguments' order.")
    if not -ndim <= axis < ndim:
        raise explain(operation, [x], np.exceptions.AxisError(axis, ndim), ["x"])
    return axis % ndim


@primitive(analytic=True)
def reshape(xp: Namespace, x: Array, /, shape: Any, *, copy: bool | None = None) -> Array:
    """Give the elements, in row-major order, another shape.

    Parameters
    ----------
    x : (any shape)
    shape : int or tuple of int
        One of them may be -1: it is then found from the others.
    copy : bool, optional
        True: always copy. False: never, raise where that can't be. None: where needed.

    Raises
    ------
    ShapeError
        If the number of elements differs, or a copy would be needed and ``copy`` is False.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    """
    out = x.reshape(shape)
    if copy:
        return xp.copy(out)
    if copy is False and out.size and not xp.may_share_memory(x, out):
        message = f"reshape(x: {describe(x)}): shape {shape} needs a copy of strided memory"
        raise ShapeError(f"{message}. Leave copy=False out.")
    return out


@reshape.vjp
def _(xp: Namespace, g: Array, x_shape: Shape) -> Array:
    return g.reshape(x_shape)


@composite
def flatten(xp: Namespace, x: Array, /, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Join the axes from ``start_axis`` to ``end_axis``, both included, into one.

    A 0-d tensor becomes one of shape ``(1,)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.flatten(ad.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    if not x.shape:
        x = xp.reshape(x, (1,))
    shape = tuple(x.shape)
    start, end = axis_of("flatten", x, start_axis), axis_of("flatten", x, end_axis)
    if start > end:
        message = (
            f"flatten(x: {describe(x)}): start_axis {start_axis} comes after end_axis {end_axis}"
        )
        raise ShapeError(f"{message}. Exchange them.")
    joined = math.prod(shape[start : end + 1])
    flat: Tensor = xp.reshape(x, (*shape[:start], joined, *shape[end + 1 :]))
    return flat


@composite
def ravel(xp: Namespace, x: Array, /) -> Any:
    """All elements in one axis, in row-major order: shape ``(size,)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.ravel([[1, 2], [3, 4]])
    tensor([1, 2, 3, 4], dtype=int64)
    """
    return xp.reshape(x, (math.prod(x.shape),))


@primitive(analytic=True)
def permute_dims(xp: Namespace, x: Array, /, axes: Sequence[int]) -> Array:
    """Axes in another order: axis ``i`` of the result is axis ``axes[i]`` of ``x``.

    Raises
    ------
    ShapeError, AxisError
        If ``axes`` is not a permutation of the axes.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.permute_dims(ad.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return x.transpose(axes)


@permute_dims.vjp
def _(xp: Namespace, g: Array, axes: Sequence[int]) -> Array:
    inverse = sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))
    return xp.permute_dims(g, tuple(inverse))


@primitive(analytic=True)
def matrix_transpose(xp: Namespace, x: Array, /) -> Array:
    """Exchange the last two axes: ``(..., M, N)`` becomes ``(..., N, M)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.matrix_transpose(ad.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """
    if x.ndim < 2:
        message = f"matrix_transpose(x: {describe(x)}): the operand has {x.ndim} axes, not two"
        raise ShapeError(f"{message} or more. Insert one with expand_dims.")
    return x.mT


@matrix_transpose.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g.mT


@primitive(analytic=True)
def swapaxes(xp: Namespace, x: Array, /, axis1: int, axis2: int) -> Array:
    """Exchange two axes.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.swapaxes(ad.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


@swapaxes.vjp
def _(xp: Namespace, g: Array, axis1: int, axis2: int) -> Array:
    return xp.swapaxes(g, axis1, axis2)


@primitive(analytic=True)
def moveaxis(xp: Namespace, x: Array, /, source: Any, destination: Any) -> Array:
    """Move axes to other places; the others keep their order.

    Parameters
    ----------
    x : (any shape)
    source, destination : int or tuple of int
        As many places to go to as axes to move.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.moveaxis(ad.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return xp.moveaxis(x, source, destination)


@moveaxis.vjp
def _(xp: Namespace, g: Array, source: Any, destination: Any) -> Array:
    return xp.moveaxis(g, destination, source)


@primitive(analytic=True)
def expand_dims(xp: Namespace, x: Array, /, axis: Any = 0) -> Array:
    """Insert an axis of size 1 (several, for a tuple) where the result shall have it.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.expand_dims([1.0, 2.0], axis=1).shape
    (2, 1)
    """
    return xp.expand_dims(x, axis)


@expand_dims.vjp
def _(xp: Namespace, g: Array, x_shape: Shape) -> Array:
    return g.reshape(x_shape)


@primitive(analytic=True)
def squeeze(xp: Namespace, x: Array, /, axis: Any = None) -> Array:
    """Remove axes of size 1: the given one or ones, or all of them where None.

    Raises
    ------
    ShapeError
        If a given axis is not of size 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.squeeze(ad.zeros((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    return x.squeeze(axis)


@squeeze.vjp
def _(xp: Namespace, g: Array, x_shape: Shape) -> Array:
    return g.reshape(x_shape)


@standard(analytic=True)
def broadcast_to(xp: Namespace, x: Array, /, shape: Shape) -> Array:
    """Repeat along new axes and axes of size 1, without a copy, until the shape is reached.

    Raises
    ------
    ShapeError
        If the shape can't be reached by broadcasting.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.broadcast_to([1.0, 2.0], (2, 2))
    tensor([[1., 2.],
            [1., 2.]], dtype=float32)
    """


@broadcast_to.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g  # the engine sums what was broadcast


@composite
def broadcast_arrays(xp: Namespace, *arrays: Array) -> list[Any]:
    """Broadcast every array to the shape that they have together.

    Raises
    ------
    ShapeError
        If the shapes don't broadcast.

    Examples
    --------
    >>> import autodiff as ad
    >>> [x.shape for x in ad.broadcast_arrays([[1.0], [2.0]], [1.0, 2.0, 3.0])]
    [(2, 3), (2, 3)]
    """
    try:
        # NumPy's, whatever the arrays are in: shapes are Python's tuples in every library.
        shape = np.broadcast_shapes(*(np.shape(x) for x in arrays))
    except ValueError as error:
        raise explain("broadcast_arrays", arrays, error) from error
    return [xp.broadcast_to(x, shape) for x in arrays]


@primitive(analytic=True)
def flip(xp: Namespace, x: Array, /, axis: Any = None) -> Array:
    """Reverse the order along an axis, several axes, or all of them where None.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.flip([1, 2, 3])
    tensor([3, 2, 1], dtype=int64)
    """
    return xp.flip(x, axis=axis)


@flip.vjp
def _(xp: Namespace, g: Array, axis: Any) -> Array:
    return xp.flip(g, axis=axis)


@primitive(analytic=True)
def roll(xp: Namespace, x: Array, /, shift: Any, axis: Any = None) -> Array:
    """Shift elements along an axis; those that leave at the end come back at the start.

    Parameters
    ----------
    x : (any shape)
    shift : int or tuple of int
        By how many places, for each axis.
    axis : int or tuple of int, optional
        None: the elements are shifted in row-major order and the shape is kept.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.roll([1, 2, 3, 4], 1)
    tensor([4, 1, 2, 3], dtype=int64)
    """
    return xp.roll(x, shift, axis=axis)


@roll.vjp
def _(xp: Namespace, g: Array, shift: Any, axis: Any) -> Array:
    back = tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift
    return xp.roll(g, back, axis=axis)
