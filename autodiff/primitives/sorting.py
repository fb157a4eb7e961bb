"""Order: sorting, ranking, searching.

Gradients go back through the indices: an element's place in the order is constant where
the elements are distinct, so sorting is a permutation there. Among equal elements the
stable order's permutation is the one that is taken.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, NamedTuple

from autodiff.engine.primitive import Array, primitive
from autodiff.errors import DomainError, DTypeError, describe
from autodiff.namespace import Namespace, tensors
from autodiff.primitives.along import along, axis_of, places_along, reversed_along
from autodiff.primitives.pieces import by_order

__all__ = ["argsort", "nonzero", "searchsorted", "sort", "topk"]


def named_results(operation: Callable[..., Any], kind: Callable[..., Any]) -> Callable[..., Any]:
    """Return the public form of an operation whose results have names, as a named tuple."""

    def call(*args: Any, **options: Any) -> Any:
        return kind(*operation(*args, **options))

    update_wrapper(call, operation)
    setattr(tensors, operation.__name__, call)
    return call


def _order(xp: Namespace, x: Array, axis: int, descending: bool, stable: bool = True) -> Array:
    """Return the indices that sort; descending is ascending from the other end, ties too."""
    if not descending:
        return xp.argsort(x, axis=axis, stable=stable)
    axis %= x.ndim
    backward = xp.argsort(reversed_along(x, axis), axis=axis, stable=stable)
    return x.shape[axis] - 1 - reversed_along(backward, axis)


@primitive
def sort(
    xp: Namespace, x: Array, /, axis: int = -1, *, descending: bool = False, stable: bool = True
) -> Array:
    """Sort the elements along an axis. NaNs count as the largest.

    Parameters
    ----------
    x : (..., N, ...)
    axis : int
    descending : bool
        From the largest to the smallest.
    stable : bool
        Of no consequence for the values; which of equal elements comes first matters to
        :func:`argsort` alone.

    Raises
    ------
    AxisError
        If there is no such axis.

    Notes
    -----
    The gradient of each element is the upstream gradient at the place where it went; equal
    elements went there in their order.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sort([3, 1, 2], descending=True)
    tensor([3, 2, 1], dtype=int64)
    """
    axis = axis_of("sort", x, axis)
    out = xp.sort(x, axis=axis)
    return reversed_along(out, axis) if descending else out


@sort.vjp
def _(xp: Namespace, g: Array, x: Array, axis: int, descending: bool) -> Array:
    axis %= x.ndim
    order = _order(xp, x, axis, descending)
    return xp.scatter(g, places_along(xp, order, axis), x.shape, unique=True)


sort.branches(by_order)


@primitive(differentiable=False)
def argsort(
    xp: Namespace, x: Array, /, axis: int = -1, *, descending: bool = False, stable: bool = True
) -> Array:
    """Find the indices that sort the elements along an axis.

    Parameters
    ----------
    x : (..., N, ...)
    axis : int
    descending : bool
        From the largest to the smallest.
    stable : bool
        Whether equal elements must keep their order, in both directions.

    Raises
    ------
    AxisError
        If there is no such axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.argsort([3.0, 1.0, 2.0])
    tensor([1, 2, 0], dtype=int64)
    """
    return _order(xp, x, axis_of("argsort", x, axis), descending, stable)


class TopK(NamedTuple):
    """What :func:`topk` returns."""

    values: Any
    indices: Any


@primitive(name="topk")
def _topk(
    xp: Namespace, x: Array, /, k: int, axis: int = -1, *, largest: bool = True
) -> tuple[Array, Array]:
    """Largest (or smallest) ``k`` elements along an axis, and where they are.

    Parameters
    ----------
    x : (..., N, ...)
    k : int
        How many, from 0 to ``N``.
    axis : int
    largest : bool
        False for the smallest.

    Returns
    -------
    values : (..., k, ...)
        Sorted, the most extreme first.
    indices : (..., k, ...), integers
        Where ``x`` has them. Which of equal elements are among them is not determined.

    Raises
    ------
    DomainError
        If there are fewer than ``k`` elements.
    AxisError
        If there is no such axis.

    Notes
    -----
    The gradient goes to the chosen elements, 0 to the others. NaNs count as the largest.

    Examples
    --------
    >>> import autodiff as ad
    >>> values, indices = ad.topk([1.0, 9.0, 5.0], 2)
    >>> indices
    tensor([1, 2], dtype=int64)
    """
    axis = axis_of("topk", x, axis)
    size = x.shape[axis]
    k = operator.index(k)
    if not 0 <= k <= size:
        message = f"topk(x: {describe(x)}): axis {axis} has {size} elements, not k = {k}"
        raise DomainError(f"{message}. Give a k from 0 to {size}.")
    # All of them to one side of the k-th, then only those in order.
    start, stop = (size - k, size) if largest else (0, k)
    edge = start if largest else stop - 1
    indices = xp.argpartition(x, edge, axis=axis) if 0 < k < size else xp.argsort(x, axis=axis)
    indices = xp.sort(indices[along(axis, start, stop)], axis=axis)
    order = _order(xp, xp.take_along_axis(x, indices, axis=axis), axis, largest)
    indices = xp.take_along_axis(indices, order, axis=axis)
    return xp.take_along_axis(x, indices, axis=axis), indices


@_topk.vjp
def _(xp: Namespace, g: Any, x_shape: tuple[int, ...], out: Any, axis: int) -> Array:
    to_values, _ = g.filled(xp)
    places = places_along(xp, out[1], axis % len(x_shape))
    return xp.scatter(to_values, places, x_shape, unique=True)


_topk.branches(by_order)


topk = named_results(_topk, TopK)


@primitive(differentiable=False)
def searchsorted(
    xp: Namespace, x1: Array, x2: Array, /, *, side: str = "left", sorter: Any = None
) -> Array:
    """Where to insert elements so that a sorted array stays sorted.

    Parameters
    ----------
    x1 : (N,)
        Ascending, or to be made so by ``sorter``.
    x2 : (...)
        What would be inserted.
    side : {"left", "right"}
        Before or after the elements of ``x1`` that are equal.
    sorter : (N,) integers, optional
        The indices that sort ``x1``.

    Returns
    -------
    (...), integers from 0 to N

    Raises
    ------
    ShapeError
        If ``x1`` is not 1-d.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.searchsorted([1.0, 2.0, 3.0], [2.0, 9.0])
    tensor([1, 3], dtype=int64)
    """
    return xp.searchsorted(x1, x2, side=side, sorter=getattr(sorter, "array", sorter))


@primitive(differentiable=False)
def nonzero(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """Find the indices of the elements that are not 0: one array for each axis.

    Raises
    ------
    DTypeError
        If the array is 0-d.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.nonzero([[0, 7], [8, 0]])
    (tensor([0, 1], dtype=int64), tensor([1, 0], dtype=int64))
    """
    if x.ndim == 0:
        message = f"nonzero(x: {describe(x)}): a 0-d array has no indices"
        raise DTypeError(f"{message}. Reshape it to (1,) first.")
    return tuple(xp.nonzero(x))
