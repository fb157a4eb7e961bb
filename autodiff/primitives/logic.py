"""Comparison, logic and bits, element by element: results that have no gradient."""

from __future__ import annotations

from autodiff.engine.primitive import Array, standard
from autodiff.namespace import Namespace

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal",
    "signbit",
]  # fmt: skip


@standard(differentiable=False)
def equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 == x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.equal([1.0, 2.0], 2.0)
    tensor([False,  True], dtype=bool)
    """


@standard(differentiable=False)
def not_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 != x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.not_equal([1.0, 2.0], 2.0)
    tensor([ True, False], dtype=bool)
    """


@standard(differentiable=False)
def less(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 < x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.less([1.0, 2.0], 2.0)
    tensor([ True, False], dtype=bool)
    """


@standard(differentiable=False)
def less_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 <= x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.less_equal([1.0, 2.0], 2.0)
    tensor([ True,  True], dtype=bool)
    """


@standard(differentiable=False)
def greater(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 > x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.greater([1.0, 2.0], 1.0)
    tensor([False,  True], dtype=bool)
    """


@standard(differentiable=False)
def greater_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 >= x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.greater_equal([1.0, 2.0], 1.0)
    tensor([ True,  True], dtype=bool)
    """


@standard(differentiable=False)
def logical_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether both operands are true (not 0).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logical_and([True, True], [True, False])
    tensor([ True, False], dtype=bool)
    """


@standard(differentiable=False)
def logical_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether at least one operand is true (not 0).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logical_or([True, False], [False, False])
    tensor([ True, False], dtype=bool)
    """


@standard(differentiable=False)
def logical_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether exactly one operand is true (not 0).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logical_xor([True, True], [True, False])
    tensor([False,  True], dtype=bool)
    """


@standard(differentiable=False)
def logical_not(xp: Namespace, x: Array, /) -> Array:
    """Whether the operand is false (0).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logical_not([True, False])
    tensor([False,  True], dtype=bool)
    """


@standard(differentiable=False)
def bitwise_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Bits that are set in both integers; ``and`` of booleans.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_and([6, 5], 3)
    tensor([2, 1], dtype=int64)
    """


@standard(differentiable=False)
def bitwise_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Bits that are set in at least one of two integers; ``or`` of booleans.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_or([6, 5], 3)
    tensor([7, 7], dtype=int64)
    """


@standard(differentiable=False)
def bitwise_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Bits that are set in exactly one of two integers; exclusive ``or`` of booleans.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_xor([6, 5], 3)
    tensor([5, 6], dtype=int64)
    """


@standard(differentiable=False)
def bitwise_left_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Bits of the integer ``x1`` moved up by ``x2`` places: ``x1 * 2 ** x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_left_shift([1, 3], 2)
    tensor([ 4, 12], dtype=int64)
    """


@standard(differentiable=False)
def bitwise_right_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Bits of the integer ``x1`` moved down by ``x2`` places: ``x1 // 2 ** x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_right_shift([4, 13], 2)
    tensor([1, 3], dtype=int64)
    """


@standard(differentiable=False)
def bitwise_invert(xp: Namespace, x: Array, /) -> Array:
    """All bits of an integer flipped; ``not`` of booleans.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.bitwise_invert([0, 5])
    tensor([-1, -6], dtype=int64)
    """


@standard(differentiable=False)
def isnan(xp: Namespace, x: Array, /) -> Array:
    """Whether it is not a number.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.isnan([1.0, ad.inf, ad.nan])
    tensor([False, False,  True], dtype=bool)
    """


@standard(differentiable=False)
def isinf(xp: Namespace, x: Array, /) -> Array:
    """Whether it is an infinity of either sign.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.isinf([1.0, -ad.inf, ad.nan])
    tensor([False,  True, False], dtype=bool)
    """


@standard(differentiable=False)
def isfinite(xp: Namespace, x: Array, /) -> Array:
    """Whether it is neither infinite nor NaN.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.isfinite([1.0, ad.inf, ad.nan])
    tensor([ True, False, False], dtype=bool)
    """


@standard(differentiable=False)
def signbit(xp: Namespace, x: Array, /) -> Array:
    """Whether the sign is negative, also of -0.0 and of NaN.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.signbit([1.0, -0.0, -2.0])
    tensor([False,  True,  True], dtype=bool)
    """
