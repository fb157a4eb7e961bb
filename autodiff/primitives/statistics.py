"""Spread and quantiles."""

from __future__ import annotations

import math
from typing import Any

from autodiff.engine.operands import constant
from autodiff.engine.primitive import Array, composite, standard
from autodiff.errors import DomainError, OptionError, ShapeError, describe, explain
from autodiff.namespace import Namespace, namespace_of
from autodiff.primitives.pieces import by_zero
from autodiff.primitives.reductions import Axis, reduced_axes, reduced_size, restored, rows_of
from autodiff.primitives.shapes import axis_of

__all__ = ["median", "quantile", "std", "var"]


@standard
def var(
    xp: Namespace,
    x: Array,
    /,
    axis: Axis = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
) -> Array:
    """Variance: ``sum((x - mean(x)) ** 2) / (n - correction)``.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Over these axes; over all of them where None.
    correction : float
        0 for the population's variance, 1 for a sample's unbiased estimate.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    The gradient is ``2 * g * (x - mean(x)) / (n - correction)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.var([1.0, 2.0, 3.0], correction=1)
    tensor(1., dtype=float32)
    """


@var.vjp
def _(xp: Namespace, g: Array, x: Array, axis: Axis, correction: float, keepdims: bool) -> Array:
    scale = 2 * g / _freedom(x.shape, axis, correction)
    part = x - xp.mean(x, axis=axis, keepdims=True)
    part *= restored(xp, scale, x.shape, axis, keepdims)
    return part


@standard
def std(
    xp: Namespace,
    x: Array,
    /,
    axis: Axis = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
) -> Array:
    """Square root of the variance (:func:`var`): the standard deviation.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Over these axes; over all of them where None.
    correction : float
        0 for the population's deviation, 1 for a sample's.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    With ``s = std(x)`` the gradient is ``g * (x - mean(x)) / (s * (n - correction))``.
    Where all elements are equal ``s`` is 0 and has a kink: the subgradient 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.std([[1.0, 3.0], [5.0, 5.0]], axis=1)
    tensor([1., 0.], dtype=float32)
    """


@std.vjp
def _(
    xp: Namespace,
    g: Array,
    x: Array,
    out: Array,
    axis: Axis,
    correction: float,
    keepdims: bool,
) -> Array:
    scale = xp.where(out == 0, 0, g / xp.where(out == 0, 1, out))
    scale = scale / _freedom(x.shape, axis, correction)
    part = x - xp.mean(x, axis=axis, keepdims=True)
    part *= restored(xp, scale, x.shape, axis, keepdims)
    return part


std.branches(by_zero)


def _freedom(shape: tuple[int, ...], axis: Axis, correction: float) -> float:
    """Return the degrees of freedom: NumPy takes no fewer than 0."""
    return max(0, reduced_size(shape, axis) - correction)


_MEANS = ("linear", "midpoint")
_METHODS = (*_MEANS, "lower", "higher", "nearest")


@composite
def quantile(
    xp: Namespace,
    x: Array,
    /,
    q: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    method: str = "linear",
) -> Array:
    """Value below which a fraction ``q`` of the elements lies.

    Parameters
    ----------
    x : array_like
        Of real numbers.
    q : number or array of shape S
        Fractions from 0 (the smallest element) to 1 (the largest). Constants: no gradient
        flows to them.
    axis : int or tuple of int, optional
        Rank along these axes; all elements where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.
    method : {"linear", "lower", "higher", "nearest", "midpoint"}
        What to take where ``q * (n - 1)`` falls between two ranks.

    Returns
    -------
    ``(*S, ...)``
        NaN where there is a NaN among the elements.

    Raises
    ------
    DomainError
        If a fraction lies outside of 0 to 1.
    ShapeError
        If there are no elements to rank.
    OptionError
        If the method is unknown.

    Notes
    -----
    With ``r = q * (n - 1)`` and the elements sorted, linear interpolation gives
    ``(1 - w) x[floor(r)] + w x[ceil(r)]``, where ``w`` is the fractional part of ``r``. The
    gradient goes to those two elements with those weights.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.quantile([4.0, 1.0, 3.0, 2.0], [0.5, 1.0])
    tensor([2.5, 4. ], dtype=float32)
    """
    library = namespace_of(constant(x))  # for q and ranks: constants
    try:
        fractions = library.asarray(getattr(q, "array", q), dtype=library.float64)
    except ValueError as error:
        raise explain("quantile", [x], error) from error
    if axis is not None:
        axis = tuple(axis) if isinstance(axis, list) else axis
        for each in axis if isinstance(axis, tuple) else (axis,):
            axis_of("quantile", x, each)
    rows, _ = rows_of(xp, x, axis)
    size = rows.shape[-1]
    _check_quantile(x, fractions, size, method)
    low, high, weight = _ranks(library, fractions.reshape(-1) * (size - 1), method)
    ranked = xp.sort(rows, axis=-1)
    value = lower = ranked[..., low]
    if x.dtype.kind != "f" and method in _MEANS:
        value = lower = xp.astype(lower, library.float64)  # whatever the weights are
    if weight.any():
        weight = weight.astype(x.dtype if x.dtype.kind == "f" else library.float64)
        # `where` and not only a weight of 0, which would make a NaN of an infinite neighbour.
        value = xp.where(weight == 0, lower, (1 - weight) * lower + weight * ranked[..., high])
    if x.dtype.kind == "f":
        value = xp.where(xp.isnan(ranked[..., -1:]), math.nan, value)
    value = xp.permute_dims(value, (value.ndim - 1, *range(value.ndim - 1)))
    reduced = reduced_axes(x.ndim, axis)
    kept = [1 if i in reduced else n for i, n in enumerate(x.shape) if keepdims or i not in reduced]
    return xp.reshape(value, (*fractions.shape, *kept))


def _check_quantile(x: Any, fractions: Any, size: int, method: str) -> None:
    if method not in _METHODS:
        message = f"quantile(x: {describe(x)}) has no method {method!r}"
        raise OptionError(f"{message}. Give one of {', '.join(map(repr, _METHODS))}.")
    if not ((fractions >= 0) & (fractions <= 1)).all():
        message = f"quantile(x: {describe(x)}): q = {fractions.tolist()} is not between 0 and 1"
        raise DomainError(f"{message}. Give fractions, not percentages.")
    if size == 0:
        message = f"quantile(x: {describe(x)}): there are no elements to rank"
        raise ShapeError(f"{message} along the axis. Leave empty arrays out.")


def _ranks(library: Namespace, position: Any, method: str) -> tuple[Any, Any, Any]:
    """Return the ranks on both sides of a position, and the weight of the higher one."""
    low, high = library.floor(position), library.ceil(position)
    weight = position - low
    if method == "lower":
        weight = library.zeros_like(weight)
    elif method == "higher":
        low, weight = high, library.zeros_like(weight)
    elif method == "nearest":
        low, weight = library.rint(position), library.zeros_like(weight)
    elif method == "midpoint":
        weight = library.where(low == high, 0.0, 0.5)
    return low.astype(library.intp), high.astype(library.intp), weight


@composite
def median(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Middle element in order; of an even number the mean of the two in the middle.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Rank along these axes; all elements where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    The gradient goes to the middle element, or half of it to each of the two. This is
    NumPy's median; PyTorch's is the lower of the two.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.median([1.0, 9.0, 2.0, 4.0])
    tensor(3., dtype=float32)
    """
    return xp.quantile(x, 0.5, axis, keepdims=keepdims)
