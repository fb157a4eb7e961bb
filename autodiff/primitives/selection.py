"""Choosing between elements: by a condition, by size, by bounds.

Where an element was not taken its gradient is exactly 0, whatever the upstream gradient
is: an infinity or NaN there does not leak. See :func:`masked`.
"""

from __future__ import annotations

from autodiff.engine.operands import strong_all
from autodiff.engine.primitive import Array, primitive, standard
from autodiff.namespace import Namespace
from autodiff.primitives.pieces import by_bounds, by_side

__all__ = ["clip", "masked", "maximum", "minimum", "nan_to_num", "where"]

_BITS = {"e": "i2", "f": "i4", "d": "i8"}


@primitive
def masked(xp: Namespace, x: Array, mask: Array, /) -> Array:
    """``x`` where the mask is true, and 0 elsewhere.

    The same as ``where(mask, x, 0)``, and unlike ``x * mask`` exactly 0 where ``x`` is
    infinite or NaN.

    Parameters
    ----------
    x : array_like
    mask : array_like of bool
        Broadcast against ``x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.masked([1.0, ad.inf], [True, False])
    tensor([1., 0.], dtype=float32)
    """
    (x,) = strong_all([x])
    bits = _BITS.get(x.dtype.char)
    if bits is None or mask.dtype != bool:
        return xp.where(mask, x, x.dtype.type(0))
    # The bits of x, or none: on a mask without a pattern NumPy's `where` takes thirty times
    # as long, because the processor mispredicts its branches.
    return (x.view(bits) & -mask.astype(bits)).view(x.dtype)


@masked.vjp("x")
def _(xp: Namespace, g: Array, mask: Array) -> Array:
    return xp.masked(g, mask)


@primitive
def where(xp: Namespace, condition: Array, x1: Array, x2: Array, /) -> Array:
    """Elements of ``x1`` where the condition holds, of ``x2`` elsewhere.

    Parameters
    ----------
    condition : array_like of bool
    x1, x2 : array_like or number
        All three broadcast against each other. Two Python floats give the default dtype.

    Notes
    -----
    The gradient of what was not taken is exactly 0. It may become NaN further up all the
    same, where an operation's derivative is infinite: ``where(x > 0, log(x), 0)`` at 0
    multiplies that 0 by ``1 / 0``. Choose inside too:
    ``where(x > 0, log(where(x > 0, x, 1)), 0)``. PyTorch is alike in both.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([-1.0, 2.0])
    >>> ad.where(x > 0, x, 0.0)
    tensor([0., 2.], dtype=float32)
    """
    if not hasattr(x1, "dtype") and not hasattr(x2, "dtype"):
        # The condition takes no part in the dtype: two numbers meet no array.
        x1, x2 = strong_all([x1, x2])
    return xp.where(condition, x1, x2)


@where.vjp("x1")
def _(xp: Namespace, g: Array, condition: Array) -> Array:
    return xp.masked(g, condition)


@where.vjp("x2")
def _(xp: Namespace, g: Array, condition: Array) -> Array:
    return xp.masked(g, xp.logical_not(condition))


@where.branches
def _(out: Array, condition: Array, x1: Array, x2: Array) -> Array:
    return condition


@standard
def maximum(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Larger of two elements; NaN where either is.

    Where both are equal they share the gradient equally, half each, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.maximum([1.0, 5.0], [3.0, 2.0])
    tensor([3., 5.], dtype=float32)
    """


@maximum.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return _shared(xp, g, x1 > x2, x1 == x2)


@maximum.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return _shared(xp, g, x2 > x1, x1 == x2)


maximum.branches(by_side)


@standard
def minimum(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Smaller of two elements; NaN where either is.

    Where both are equal they share the gradient equally, half each, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.minimum([1.0, 5.0], [3.0, 2.0])
    tensor([1., 2.], dtype=float32)
    """


@minimum.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return _shared(xp, g, x1 < x2, x1 == x2)


@minimum.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return _shared(xp, g, x2 < x1, x1 == x2)


minimum.branches(by_side)


def _shared(xp: Namespace, g: Array, taken: Array, tied: Array) -> Array:
    """Give the whole gradient where an operand was taken, half of it at a tie."""
    half = g / 2
    return xp.masked(half, taken | tied) + xp.masked(half, taken)


@primitive
def clip(xp: Namespace, x: Array, min: Array = None, max: Array = None, /) -> Array:
    """Limit to bounds: ``minimum(maximum(x, min), max)``.

    Parameters
    ----------
    x : array_like
    min, max : array_like, number or None
        The bounds, also by name; None for no bound. Where ``min > max`` the result is
        ``max``.

    Notes
    -----
    On a bound the whole gradient goes to ``x`` (PyTorch's choice); outside it goes to the
    bound that was taken, if that is a tensor that requires one.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.clip([-1.0, 0.5, 3.0], 0.0, max=1.0)
    tensor([0. , 0.5, 1. ], dtype=float32)
    """
    if min is None and max is None:
        return xp.copy(x)
    return xp.clip(x, min, max)


@clip.vjp("x")
def _(xp: Namespace, g: Array, x: Array, min: Array, max: Array) -> Array:
    if min is None and max is None:
        return g
    if min is None:
        return xp.masked(g, x <= max)
    return xp.masked(g, x >= min if max is None else (x >= min) & (x <= max))


@clip.vjp("min")
def _(xp: Namespace, g: Array, x: Array, min: Array, max: Array) -> Array:
    return xp.masked(g, x < min if max is None else (x < min) & (min <= max))


@clip.vjp("max")
def _(xp: Namespace, g: Array, x: Array, min: Array, max: Array) -> Array:
    return xp.masked(g, x > max if min is None else (x > max) | (min > max))


clip.branches(by_bounds)


@primitive
def nan_to_num(
    xp: Namespace,
    x: Array,
    /,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Array:
    """Numbers in the place of NaN and infinities.

    Parameters
    ----------
    x : array_like
    nan : float
        What replaces NaN.
    posinf, neginf : float, optional
        What replaces the infinities; at first the dtype's largest and smallest number.

    Notes
    -----
    The gradient is 0 where an element was replaced.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.nan_to_num([1.0, ad.nan, ad.inf], posinf=9.0)
    tensor([1., 0., 9.], dtype=float32)
    """
    return xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@nan_to_num.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return xp.masked(g, xp.isfinite(x))
