"""Running sums, products and extremes along an axis, and differences."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import AxisError, describe
from autodiff.namespace import Namespace

__all__ = ["cumprod", "cumsum", "cumulative_prod", "cumulative_sum"]


def _axis(operation: str, x: Array, axis: int | None) -> int:
    """Return the axis counted from 0; the only one where none is given."""
    if axis is not None and -x.ndim <= axis < x.ndim:
        return axis % x.ndim  # type: ignore[no-any-return]
    if axis is None and x.ndim == 1:
        return 0
    what = "no axis is given" if axis is None else f"there is no axis {axis}"
    message = f"{operation}(x: {describe(x)}): {what}"
    raise AxisError(f"{message}. Give an axis from -ndim to ndim - 1 of an array that has one.")


def _along(axis: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    """Return the index that slices one axis: ``x[_along(1, 0, n)]`` is ``x[:, 0:n]``."""
    return (*[slice(None)] * axis, slice(start, stop, step))


def _reversed(x: Array, axis: int) -> Array:
    return x[_along(axis, None, None, -1)]


def _first(xp: Namespace, x: Array, axis: int, value: float) -> Array:
    """Return one entry of the given value for each row along an axis."""
    shape = tuple([1 if i == axis else n for i, n in enumerate(x.shape)])
    return xp.full(shape, value, dtype=x.dtype)


@primitive
def cumulative_sum(
    xp: Namespace,
    x: Array,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
) -> Array:
    """Sum up along an axis: element ``i`` of the result is ``x[0] + ... + x[i]``.

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
    axis = _axis("cumulative_sum", x, axis)
    out = x.cumsum(axis=axis, dtype=dtype)
    return xp.concat([_first(xp, out, axis, 0), out], axis=axis) if include_initial else out


@cumulative_sum.vjp
def _(xp: Namespace, g: Array, axis: int | None, include_initial: bool) -> Array:
    axis = axis % len(g.shape) if axis else 0
    if include_initial:
        g = g[_along(axis, 1, None)]
    return _reversed(xp.cumulative_sum(_reversed(g, axis), axis=axis), axis)


@primitive
def cumulative_prod(
    xp: Namespace,
    x: Array,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
) -> Array:
    """Multiply up along an axis: element ``i`` of the result is ``x[0] * ... * x[i]``.

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
    axis = _axis("cumulative_prod", x, axis)
    out = x.cumprod(axis=axis, dtype=dtype)
    return xp.concat([_first(xp, out, axis, 1), out], axis=axis) if include_initial else out


@cumulative_prod.vjp
def _(
    xp: Namespace, g: Array, x: Array, out: Array, axis: int | None, include_initial: bool
) -> Array:
    axis = axis % x.ndim if axis else 0
    one = _first(xp, x, axis, 1)
    if include_initial:
        g, before = g[_along(axis, 1, None)], out[_along(axis, None, -1)]
    else:
        before = xp.concat([one, out], axis=axis)[_along(axis, None, -1)]
    following = xp.concat([x, one], axis=axis)[_along(axis, 1, None)]
    s = _linear_recurrence(xp, _reversed(following, axis), _reversed(g, axis), axis)
    return before * _reversed(s, axis)


def _linear_recurrence(xp: Namespace, a: Array, b: Array, axis: int) -> Array:
    """Return ``s`` with ``s[i] = a[i] * s[i - 1] + b[i]`` and ``s[-1] = 0``.

    By doubling: after k rounds ``b[i]`` holds what the last ``2 ** k`` terms contribute and
    ``a[i]`` the product of as many factors, so that log2(n) rounds on whole arrays do.
    """
    step, n = 1, a.shape[axis]
    while step < n:
        start, earlier = _along(axis, None, step), _along(axis, None, -step)
        later = _along(axis, step, None)
        b = xp.concat([b[start], b[later] + a[later] * b[earlier]], axis=axis)
        a = xp.concat([a[start], a[later] * a[earlier]], axis=axis)
        step *= 2
    return b


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
