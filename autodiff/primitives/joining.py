"""Several arrays to one and one to several: stacking, splitting, repeating.

What takes one array apart is one operation with several results, so that the gradients of
the pieces are joined once, into one array, and not added up from zero-filled ones.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.engine.operands import beside, is_scalar
from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import DTypeError, OptionError, describe, typed_calls
from autodiff.namespace import Namespace, forwards, namespace_of, tensors
from autodiff.primitives.indexing import plain_index

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = ["chunk", "concat", "repeat", "split", "stack", "tile", "unstack"]

Shape = tuple[int, ...]


@primitive(name="concat", analytic=True)
def _concat(xp: Namespace, *arrays: Array, axis: int | None = 0) -> Array:
    return xp.concatenate(arrays, axis=axis)


@_concat.vjp("arrays")
def _(
    xp: Namespace, g: Array, position: int, arrays_shape: tuple[Shape, ...], axis: int | None
) -> Array:
    shape = arrays_shape[position]
    before = arrays_shape[:position]
    if axis is None:
        start = sum(map(math.prod, before))
        return g[start : start + math.prod(shape)].reshape(shape)
    axis = operator.index(axis) % len(shape)
    start = sum([other[axis] for other in before])
    return g[(slice(None),) * axis + (slice(start, start + shape[axis]),)]


@primitive(name="stack", analytic=True)
def _stack(xp: Namespace, *arrays: Array, axis: int = 0) -> Array:
    return xp.stack(arrays, axis=axis)


@_stack.vjp("arrays")
def _(xp: Namespace, g: Array, position: int, axis: int) -> Array:
    return g[(slice(None),) * (axis % len(g.shape)) + (position,)]


@typed_calls
def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Tensor:
    """Join arrays along an axis that they have.

    Parameters
    ----------
    arrays : sequence of (..., N_i, ...)
        Equal in all sizes but the one along ``axis``.
    axis : int, optional
        None: each is flattened first.

    Returns
    -------
    (..., sum of N_i, ...)

    Raises
    ------
    ShapeError, AxisError
        If there are no arrays, their shapes don't fit, or they don't have the axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.concat([[1, 2], [3]])
    tensor([1, 2, 3], dtype=int64)
    """
    return _concat(*_several("concat", arrays), axis=axis)


@typed_calls
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Tensor:
    """Join arrays of one shape along a new axis.

    Parameters
    ----------
    arrays : sequence of K arrays of one shape
    axis : int
        Where the result shall have the new axis, of size K.

    Raises
    ------
    ShapeError, AxisError
        If there are no arrays, their shapes differ, or the result has no such axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.stack([[1, 2], [3, 4]], axis=1)
    tensor([[1, 3],
            [2, 4]], dtype=int64)
    """
    given = list(_several("stack", arrays))
    return _stack(*[beside(x, given) if is_scalar(x) else x for x in given], axis=axis)


def _several(operation: str, arrays: Any) -> Any:
    if isinstance(arrays, int | float | complex | str):
        message = f"{operation} joins a sequence of arrays, not a {describe(arrays)}"
        raise DTypeError(f"{message}. Give a list of them.")
    return arrays


def _publish(name: str, public: Callable[..., Any], forward: Callable[..., Any]) -> None:
    """Give rules the function of a sequence, as NumPy has it, in place of the variadic one."""
    setattr(tensors, name, public)
    forwards[name] = lambda xp, arrays, **options: forward(xp, *arrays, **options)


_publish("concat", concat, _concat.primitive.forward)
_publish("stack", stack, _stack.primitive.forward)


@primitive(analytic=True)
def unstack(xp: Namespace, x: Array, /, axis: int = 0) -> Any:
    """Take an array apart along an axis, which is gone in the pieces.

    Returns
    -------
    tuple
        As many tensors as the axis is long.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.unstack([[1, 2], [3, 4]], axis=1)
    (tensor([1, 3], dtype=int64), tensor([2, 4], dtype=int64))
    """
    return tuple(xp.moveaxis(x, axis, 0))


@unstack.vjp
def _(xp: Namespace, g: Any, axis: int) -> Array:
    return xp.stack(g.filled(xp), axis=axis)


@primitive(analytic=True)
def split(xp: Namespace, x: Array, /, indices_or_sections: Any, axis: int = 0) -> Any:
    """Take an array apart along an axis, as ``numpy.split`` does.

    Parameters
    ----------
    x : (..., N, ...)
    indices_or_sections : int or sequence of int
        A number of equal pieces, which must divide N; or the indices at which to cut, in
        ascending order: ``[2, 3]`` gives ``x[:2], x[2:3], x[3:]``.
    axis : int

    Returns
    -------
    tuple
        The pieces. (PyTorch's ``split`` takes a piece's size instead; see :func:`chunk` for
        its other way.)

    Raises
    ------
    OptionError
        If the number of pieces does not divide N, or the indices don't ascend.

    Examples
    --------
    >>> import autodiff as ad
    >>> [piece.shape for piece in ad.split(ad.zeros((6, 2)), 3)]
    [(2, 2), (2, 2), (2, 2)]
    >>> [piece.tolist() for piece in ad.split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]
    """
    ndim = len(x.shape)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    size = x.shape[axis]
    cuts = plain_index(indices_or_sections)
    if isinstance(cuts, int):
        if cuts < 1 or size % cuts:
            message = f"split(x: {describe(x)}): {cuts} equal pieces of an axis of size {size}"
            raise OptionError(f"{message} can't be. Use chunk, or give the indices to cut at.")
        cuts = range(size // cuts, size, size // cuts) if size else [0] * (cuts - 1)
    edges = [0, *(slice(operator.index(cut)).indices(size)[1] for cut in cuts), size]
    if edges != sorted(edges):
        message = f"split(x: {describe(x)}): the indices {list(cuts)} don't ascend"
        raise OptionError(f"{message} along an axis of size {size}. Sort them.")
    before = (slice(None),) * (axis % ndim)
    return tuple([x[(*before, slice(a, b))] for a, b in pairwise(edges)])


@split.vjp
def _(xp: Namespace, g: Any, axis: int) -> Array:
    return xp.concat(g.filled(xp), axis=axis)


@composite
def chunk(xp: Namespace, x: Array, /, chunks: int, axis: int = 0) -> Any:
    """Take an array apart into at most so many pieces of one size, as ``torch.chunk`` does.

    Each is ``ceil(N / chunks)`` long; the last may be shorter, and there may be fewer.

    Examples
    --------
    >>> import autodiff as ad
    >>> [piece.tolist() for piece in ad.chunk([1, 2, 3, 4, 5], 3)]
    [[1, 2], [3, 4], [5]]
    """
    if chunks < 1:
        message = f"chunk(x: {describe(x)}): {chunks} pieces can't be"
        raise OptionError(f"{message}. Give a number of at least 1.")
    size = x.shape[axis] if -len(x.shape) <= axis < len(x.shape) else 1  # split raises else
    length = max(1, -(-size // chunks))
    cuts = list(range(length, size, length)) if size else [0] * (chunks - 1)
    return xp.split(x, cuts, axis=axis)


@primitive(analytic=True)
def repeat(xp: Namespace, x: Array, repeats: Array, /, axis: int | None = None) -> Array:
    """Repeat each element so many times, one copy beside the other.

    Parameters
    ----------
    x : (..., N, ...)
    repeats : int or integer array (N,)
        How many times all, or each, are repeated.
    axis : int, optional
        None: ``x`` is flattened first.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.repeat([1, 2], 2)
    tensor([1, 1, 2, 2], dtype=int64)
    >>> ad.repeat([1, 2, 3], [0, 2, 1])
    tensor([2, 2, 3], dtype=int64)
    """
    return xp.repeat(x, repeats, axis=axis)


@repeat.vjp("x")
def _(xp: Namespace, g: Array, x_shape: Shape, repeats: Any, axis: int | None) -> Array:
    shape = (math.prod(x_shape),) if axis is None else x_shape
    axis = 0 if axis is None else axis % len(shape)
    repeats = plain_index(repeats)
    if isinstance(repeats, int):
        # A product with ones adds copies up that lie close together much faster than `sum`.
        ones = xp.ones((repeats,), dtype=g.dtype)
        inner = math.prod(shape[axis + 1 :])
        if inner == 1:
            return (g.reshape((math.prod(shape), repeats)) @ ones).reshape(x_shape)
        return (ones @ g.reshape((math.prod(shape[: axis + 1]), repeats, inner))).reshape(x_shape)
    source = _sources(repeats, shape[axis])
    return xp.scatter(g, (slice(None),) * axis + (source,), shape).reshape(x_shape)


def _sources(repeats: Any, size: int) -> Any:
    """Return for each place along the repeated axis which element stands there."""
    library = namespace_of(repeats)
    return library.repeat(library.arange(size), repeats)


@primitive(analytic=True)
def tile(xp: Namespace, x: Array, /, repetitions: Any) -> Array:
    """Repeat an array as a whole, so many times along each axis.

    Parameters
    ----------
    x : (any shape)
    repetitions : int or tuple of int
        One for each axis, from the last; missing axes of either are taken as 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tile([1, 2], (2, 2))
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]], dtype=int64)
    """
    return xp.tile(x, repetitions)


@tile.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, repetitions: Any) -> Array:
    times = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    ndim = max(len(times), len(x_shape))
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - len(x_shape)) + x_shape
    pairs = [size for pair in zip(times, shape, strict=True) for size in pair]
    return xp.sum(g.reshape(tuple(pairs)), axis=tuple(range(0, 2 * ndim, 2))).reshape(x_shape)
