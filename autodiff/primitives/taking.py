"""Elements by index along one axis: taking, putting and adding them up.

Each is ``x[index]``, ``x[index] = v`` or ``x[index] += v`` with an index that spells out
where along the axis, and leaves the other axes alone.
"""

from __future__ import annotations

import math
from typing import Any

from autodiff.engine.operands import constant
from autodiff.engine.primitive import Array, composite, standard
from autodiff.errors import IndexingError, ShapeError, describe
from autodiff.namespace import Namespace, namespace_of
from autodiff.primitives.indexing import add_at, plain_index
from autodiff.primitives.shapes import axis_of

__all__ = ["gather", "index_add", "put_along_axis", "scatter_add", "take", "take_along_axis"]

Shape = tuple[int, ...]


@standard(analytic=True)
def take(xp: Namespace, x: Array, indices: Array, /, axis: int | None = None) -> Array:
    """Whole slices of ``x`` by their indices along an axis.

    Parameters
    ----------
    x : (..., N, ...)
    indices : integer array (I, J, ...)
        From ``-N`` to ``N - 1``.
    axis : int, optional
        None: ``x`` is flattened first (for one axis that is the same).

    Returns
    -------
    (..., I, J, ..., ...)
        The axes of ``indices`` take the place of ``axis``.

    Raises
    ------
    IndexingError, AxisError
        If an index is out of range, or there is no such axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.take([[1, 2], [3, 4], [5, 6]], [2, 0], axis=0)
    tensor([[5, 6],
            [1, 2]], dtype=int64)
    """


@take.vjp("x")
def _(xp: Namespace, g: Array, x_shape: Shape, indices: Any, axis: int | None) -> Array:
    indices = plain_index(indices)
    if axis is None:
        return xp.scatter(g, indices, (math.prod(x_shape),)).reshape(x_shape)
    return xp.scatter(g, (slice(None),) * (axis % len(x_shape)) + (indices,), x_shape)


@take.adds
def _(xp: Namespace, total: Array, g: Array, indices: Any, axis: int | None) -> None:
    if axis is None:
        places = xp.asarray(plain_index(indices)) % total.size  # from the front, not the end
        add_at(xp, total, xp.unravel_index(places, total.shape), g)
    else:
        add_at(xp, total, (slice(None),) * (axis % total.ndim) + (plain_index(indices),), g)


@standard(analytic=True)
def take_along_axis(xp: Namespace, x: Array, indices: Array, /, axis: int | None = -1) -> Array:
    """Elements of ``x`` by their indices along an axis, in each of the other places alike.

    ``out[i, j] = x[i, indices[i, j]]`` for two axes and ``axis=-1``.

    Parameters
    ----------
    x : (..., N, ...)
    indices : integer array (..., K, ...)
        Of as many axes as ``x``; they broadcast with each other in the others.
    axis : int, optional
        None: ``x`` is flattened first, and ``indices`` has one axis.

    Returns
    -------
    (..., K, ...)

    Raises
    ------
    IndexingError, AxisError
        If an index is out of range, or there is no such axis.
    ShapeError
        If the numbers of axes differ.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.take_along_axis([[3, 1, 2]], [[1, 2, 0]])
    tensor([[1, 2, 3]], dtype=int64)
    """


@take_along_axis.vjp("x")
def _(xp: Namespace, g: Array, x_shape: Shape, indices: Any, axis: int | None) -> Array:
    indices = plain_index(indices)
    if axis is None:
        return xp.scatter(g, indices, (math.prod(x_shape),)).reshape(x_shape)
    axis %= len(x_shape)
    index = _along(indices, x_shape, axis)
    places = (*x_shape[:axis], indices.shape[axis], *x_shape[axis + 1 :])
    unique = indices.shape[axis] <= 1 and g.shape == places
    return xp.scatter(g, index, x_shape, unique=unique)


def _along(indices: Any, shape: Shape, axis: int) -> tuple[Any, ...]:
    """Spell out an index along one axis as an index of all of them.

    ``shape`` tells how far the other axes are counted up.
    """
    xp = namespace_of(indices)
    ndim = len(shape)
    return tuple(
        indices if i == axis else xp.arange(n).reshape((1,) * i + (n,) + (1,) * (ndim - i - 1))
        for i, n in enumerate(shape)
    )


@composite
def put_along_axis(
    xp: Namespace, x: Array, /, indices: Any, values: Any, axis: int | None = -1
) -> Any:
    """Write elements by their indices along an axis into a copy of ``x``.

    ``out[i, indices[i, j]] = values[i, j]`` for two axes and ``axis=-1``: what
    ``numpy.put_along_axis`` writes in place. Differentiable in ``x`` and ``values``.

    Parameters
    ----------
    x : (..., N, ...)
    indices : integer array (..., K, ...)
        Of as many axes as ``x``.
    values : array that broadcasts to the shape of ``indices``
        Where an element is written more than once, the last write stays.
    axis : int, optional
        None: ``x`` is taken as flattened, and ``indices`` has one axis.

    Raises
    ------
    IndexingError, AxisError, ShapeError
        As for :func:`take_along_axis`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.put_along_axis([[10, 30, 20]], [[1]], 99, axis=1)
    tensor([[10, 99, 20]], dtype=int64)
    """
    shape = tuple(x.shape)
    indices = _integers("put_along_axis", indices)
    if axis is None:
        flat = xp.setitem(xp.reshape(x, (math.prod(shape),)), values, indices)
        return xp.reshape(flat, shape)
    axis = axis_of("put_along_axis", x, axis)
    _same_axes("put_along_axis", x, indices)
    return xp.setitem(x, values, _along(indices, shape, axis))


@composite
def gather(xp: Namespace, x: Array, /, axis: int, index: Any) -> Any:
    """Elements of ``x`` by their indices along an axis, as ``torch.gather`` has it.

    Like :func:`take_along_axis`, but nothing is broadcast: along the other axes ``index``
    may be shorter than ``x``, and then only the first elements are looked at.

    Parameters
    ----------
    x : (..., N, ...)
    axis : int
    index : integer array (..., K, ...)
        Of as many axes as ``x``, nowhere but along ``axis`` longer than it.

    Returns
    -------
    Of the shape of ``index``.

    Raises
    ------
    IndexingError, AxisError
        If an index is out of range, or there is no such axis.
    ShapeError
        If the shape of ``index`` does not fit.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.gather([[1, 2], [3, 4]], 1, [[0, 0], [1, 0]])
    tensor([[1, 1],
            [4, 3]], dtype=int64)
    """
    index = _integers("gather", index)
    axis = axis_of("gather", x, axis)
    _within("gather", x, index, axis)
    return xp.getitem(x, _along(index, index.shape, axis))


@composite
def scatter_add(xp: Namespace, x: Array, /, index: Any, values: Any, axis: int = -1) -> Any:
    """Add values by their indices along an axis to a copy of ``x``, as ``torch.scatter_add``.

    ``out[i, index[i, j]] += values[i, j]`` for two axes and ``axis=-1``; an element that is
    named several times gets all of them.

    Parameters
    ----------
    x : (..., N, ...)
    index : integer array (..., K, ...)
        Of as many axes as ``x``, nowhere but along ``axis`` longer than it.
    values : array at least as long as ``index`` along each axis, or a number
        What exceeds ``index`` is not read.
    axis : int

    Raises
    ------
    IndexingError, AxisError
        If an index is out of range, or there is no such axis.
    ShapeError
        If the shapes of ``index`` and ``values`` don't fit.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.scatter_add([1.0, 2.0], [1, 1, 0], [10.0, 20.0, 30.0])
    tensor([31., 32.], dtype=float32)
    """
    index = _integers("scatter_add", index)
    axis = axis_of("scatter_add", x, axis)
    _within("scatter_add", x, index, axis)
    values = _like(x, values)
    if values.ndim:
        _within("scatter_add", values, index, None)
        values = values[tuple(slice(n) for n in index.shape)]
    spelled = _along(index, index.shape, axis)
    return x + xp.scatter(xp.broadcast_to(values, index.shape), spelled, tuple(x.shape))


@composite
def index_add(xp: Namespace, x: Array, /, axis: int, index: Any, values: Any) -> Any:
    """Add slices by their indices along an axis to a copy of ``x``, as ``torch.index_add``.

    Parameters
    ----------
    x : (..., N, ...)
    axis : int
    index : integer array (K,)
        An index that comes twice gets both slices.
    values : array that broadcasts to (..., K, ...)

    Raises
    ------
    IndexingError, AxisError
        If an index is out of range, or there is no such axis.
    ShapeError
        If ``index`` has not one axis, or ``values`` does not fit.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.index_add([0.0, 0.0, 0.0], 0, [2, 0, 2], [1.0, 2.0, 3.0])
    tensor([2., 0., 4.], dtype=float32)
    """
    index = _integers("index_add", index)
    axis = axis_of("index_add", x, axis)
    if index.ndim != 1:
        message = f"index_add(x: {describe(x)}, index: {describe(index)})"
        raise ShapeError(f"{message}: index must have one axis. Use scatter_add otherwise.")
    spelled = (slice(None),) * axis + (index,)
    return x + xp.scatter(_like(x, values), spelled, tuple(x.shape))


def _integers(operation: str, index: Any) -> Any:
    """Return an index as an integer array."""
    array = constant(index)
    library = namespace_of(array)
    array = library.asarray(array)
    if array.size == 0 and isinstance(index, list):
        array = array.astype(library.intp)
    if array.dtype.kind not in "iu":
        message = f"{operation}: an index of {describe(array)}"
        raise IndexingError(f"{message} can't index. Give integers.")
    return array


def _like(x: Any, values: Any) -> Any:
    """Return values as they come, Python numbers in the dtype of ``x``."""
    if hasattr(values, "dtype"):
        return values
    library = namespace_of(constant(x))
    return library.asarray(constant(values, [x]), dtype=x.dtype)


def _same_axes(operation: str, x: Any, index: Any) -> None:
    if len(x.shape) != index.ndim:
        message = f"{operation}(x: {describe(x)}, index: {describe(index)})"
        raise ShapeError(f"{message}: both must have the same number of axes.")


def _within(operation: str, x: Any, index: Any, axis: int | None) -> None:
    """Refuse an index that is longer than ``x`` along an axis other than the one given."""
    _same_axes(operation, x, index)
    if any(k > n for i, (k, n) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis):
        message = f"{operation}: an index of shape {index.shape} reaches beyond {describe(x)}"
        raise ShapeError(f"{message}. Shorten it along the axes other than the indexed one.")
