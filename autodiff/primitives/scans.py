"""Running sums, products and extremes along an axis, and differences."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import DomainError, describe
from autodiff.namespace import Namespace
from autodiff.primitives.along import along, axis_of, first_entry, places_along, reversed_along
from autodiff.primitives.pieces import by_record

__all__ = ["cumprod", "cumsum", "cumulative_max", "cumulative_prod", "cumulative_sum", "diff"]


@primitive(analytic=True)
def cumulative_sum(
    xp: Namespace,
    x: Array,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
) -> Array:
    """Sum up along an axis: element ``i`` of the result is the sum of ``x[0]`` to ``x[i]``.

    Parameters
    ----------
    x : array_like
    axis : int, optional
        May be left out for a 1-d array.
    dtype : dtype, optional
        Of the result. Floats keep theirs; small integers become int64.
    include_initial : bool
        Begin with the sum of nothing, 0: the result is then longer by one.

    Raises
    ------
    AxisError
        If the array does not have the axis, or has several (or none) and none is given.

    Notes
    -----
    The gradient is the running sum of the upstream gradient from the other end.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cumulative_sum([1, 2, 3], include_initial=True)
    tensor([0, 1, 3, 6], dtype=int64)
    """
    axis = axis_of("cumulative_sum", x, axis)
    out = x.cumsum(axis=axis, dtype=dtype)
    return xp.concat([first_entry(xp, out, axis, 0), out], axis=axis) if include_initial else out


@cumulative_sum.vjp
def _(xp: Namespace, g: Array, axis: int | None, include_initial: bool) -> Array:
    axis = axis % len(g.shape) if axis else 0
    if include_initial:
        g = g[along(axis, 1, None)]
    return reversed_along(xp.cumulative_sum(reversed_along(g, axis), axis=axis), axis)


@primitive(analytic=True)
def cumulative_prod(
    xp: Namespace,
    x: Array,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
) -> Array:
    """Multiply up along an axis: element ``i`` of the result is the product up to ``x[i]``.

    Parameters
    ----------
    x : array_like
    axis : int, optional
        May be left out for a 1-d array.
    dtype : dtype, optional
        Of the result. Floats keep theirs; small integers become int64.
    include_initial : bool
        Begin with the product of nothing, 1: the result is then longer by one.

    Raises
    ------
    AxisError
        If the array does not have the axis, or has several (or none) and none is given.

    Notes
    -----
    Element ``i`` gets ``x[0] ... x[i - 1]`` times ``s[i]``, where ``s[i] = g[i] + x[i + 1]
    s[i + 1]``. No division is in it: it is right where elements are 0, to every order.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cumulative_prod([1, 2, 3])
    tensor([1, 2, 6], dtype=int64)
    """
    axis = axis_of("cumulative_prod", x, axis)
    out = x.cumprod(axis=axis, dtype=dtype)
    return xp.concat([first_entry(xp, out, axis, 1), out], axis=axis) if include_initial else out


@cumulative_prod.vjp
def _(
    xp: Namespace, g: Array, x: Array, out: Array, axis: int | None, include_initial: bool
) -> Array:
    axis = axis % x.ndim if axis else 0
    one = first_entry(xp, x, axis, 1)
    if include_initial:
        g, before = g[along(axis, 1, None)], out[along(axis, None, -1)]
    else:
        before = xp.concat([one, out], axis=axis)[along(axis, None, -1)]
    following = xp.concat([x, one], axis=axis)[along(axis, 1, None)]
    s = _linear_recurrence(xp, reversed_along(following, axis), reversed_along(g, axis), axis)
    return before * reversed_along(s, axis)


def _linear_recurrence(xp: Namespace, a: Array, b: Array, axis: int) -> Array:
    """Return ``s`` with ``s[i] = a[i] * s[i - 1] + b[i]`` and ``s[-1] = 0``.

    By doubling: after k rounds ``b[i]`` holds what the last ``2 ** k`` terms contribute and
    ``a[i]`` the product of as many factors, so that log2(n) rounds on whole arrays do.
    """
    step, n = 1, a.shape[axis]
    while step < n:
        start, earlier = along(axis, None, step), along(axis, None, -step)
        later = along(axis, step, None)
        b = xp.concat([b[start], b[later] + a[later] * b[earlier]], axis=axis)
        a = xp.concat([a[start], a[later] * a[earlier]], axis=axis)
        step *= 2
    return b


@primitive
def cumulative_max(xp: Namespace, x: Array, /, axis: int | None = None) -> Array:
    """Go up with the largest element so far: element ``i`` is the largest of ``x[0]`` to ``x[i]``.

    Parameters
    ----------
    x : array_like
    axis : int, optional
        May be left out for a 1-d array.

    Raises
    ------
    AxisError
        If the array does not have the axis, or has several (or none) and none is given.

    Notes
    -----
    The gradient goes to the element that is the largest so far; of several equal ones to
    the latest, as in PyTorch. A NaN stays.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cumulative_max([1, 3, 2, 5])
    tensor([1, 3, 3, 5], dtype=int64)
    """
    return xp.maximum.accumulate(x, axis=axis_of("cumulative_max", x, axis))


@cumulative_max.vjp
def _(xp: Namespace, g: Array, x: Array, out: Array, axis: int | None) -> Array:
    axis = axis % x.ndim if axis else 0
    shape = [n if i == axis else 1 for i, n in enumerate(x.shape)]
    here = xp.reshape(xp.arange(x.shape[axis]), tuple(shape))
    latest = xp.cumulative_max(xp.where((x == out) | (x != x), here, 0), axis=axis)  # noqa: PLR0124
    return xp.scatter(g, places_along(xp, latest, axis), x.shape)


cumulative_max.branches(by_record)


@composite
def diff(
    xp: Namespace,
    x: Array,
    /,
    n: int = 1,
    axis: int = -1,
    *,
    prepend: Any = None,
    append: Any = None,
) -> Array:
    """Subtract from each element the one before it along an axis, ``n`` times.

    Parameters
    ----------
    x : (..., N, ...)
    n : int
        How many times.
    axis : int
    prepend, append : array_like, optional
        What to join to the ends first; a number stands for one entry a row.

    Returns
    -------
    (..., N - n, ...)
        Longer by what was joined. Of booleans: whether neighbours differ.

    Raises
    ------
    DomainError
        If ``n`` is negative.
    AxisError
        If there is no such axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.diff([1, 4, 9, 16], prepend=0)
    tensor([1, 3, 5, 7], dtype=int64)
    """
    axis = axis_of("diff", x, axis)
    if n < 0:
        message = f"diff(x: {describe(x)}): differences can't be taken n = {n} times"
        raise DomainError(f"{message}. Give an n of at least 0.")
    pieces = [_row(xp, prepend, x, axis), x, _row(xp, append, x, axis)]
    pieces = [piece for piece in pieces if piece is not None]
    x = xp.concat(pieces, axis=axis) if n and len(pieces) > 1 else x
    for _ in range(n):
        later, earlier = x[along(axis, 1, None)], x[along(axis, None, -1)]
        x = later != earlier if x.dtype.kind == "b" else later - earlier
    return x


def _row(xp: Namespace, end: Any, x: Array, axis: int) -> Array | None:
    """Return what to join to an end; a number is stretched to one entry for each row."""
    if isinstance(end, int | float | complex):
        return first_entry(xp, x, axis, end)
    if end is None or (end := xp.asarray(end)).ndim:
        return end
    return xp.broadcast_to(end, tuple([1 if i == axis else n for i, n in enumerate(x.shape)]))


@composite
def cumsum(xp: Namespace, x: Array, /, axis: int | None = None, *, dtype: Any = None) -> Array:
    """Sum up, under NumPy's name: the flattened array where no axis is given."""
    x, axis = (xp.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    return xp.cumulative_sum(x, axis=axis, dtype=dtype)


@composite
def cumprod(xp: Namespace, x: Array, /, axis: int | None = None, *, dtype: Any = None) -> Array:
    """Multiply up, under NumPy's name: the flattened array where no axis is given."""
    x, axis = (xp.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    return xp.cumulative_prod(x, axis=axis, dtype=dtype)
