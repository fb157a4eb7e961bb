"""The error function and its complement, to the last few bits, in the operand's own dtype.

For ``x >= 0`` the complement is ``exp(-x ** 2)`` times a function so tame that one polynomial in
``t = 1 / (1 + 0.3 * x)`` serves it everywhere: no branches, which would cost an array library more
than the arithmetic. (The idea is that of W. H. Press et al., Numerical Recipes, section 6.2, who
put the polynomial into the exponent.) Near 0, where ``erf(x) = 1 - erfc(x)`` would lose digits,
the quotient of W. J. Cody, "Rational Chebyshev approximations for the error function",
Mathematics of Computation 23 (1969), 631-637, takes over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from autodiff.engine.primitive import Array, primitive
from autodiff.errors import DTypeError, describe
from autodiff.namespace import Namespace
from autodiff.primitives.blocks import in_blocks

__all__ = ["erf", "erfc"]

# Coefficients by descending powers. exp(x ** 2) * erfc(x) = t * P(t) with P the interpolant at
# the Chebyshev nodes of 0 <= x <= 10 (float32: to 3e-8) and of 0 <= x <= 27 (to 2e-17). One
# of each is bent in its last digits so that erfc(0) comes out as exactly 1.
_SINGLE = (
    -0.130770802, 0.491934271, -0.526151663, 0.564514242, -0.106983362,
    0.220539169, 0.146796022, 0.17094912, 0.169173058,
)  # fmt: skip
_DOUBLE = (
    -0.00059158604429908277, 0.004627493255433129, -0.010740299917706536,
    -0.017827273029588106, 0.17240964825787947, -0.50851233811815085,
    0.90041563932809368, -1.1042587191077047, 1.014600573954168,
    -0.72618741355969308, 0.39984332701670814, -0.18457340012410548,
    0.071157025164986913, 0.0027347630324662065, 0.048009504782742938,
    0.069413333225873512, 0.098343761445765012, 0.12457380913328441,
    0.14640813443834975, 0.16164026508855726, 0.16925687673813217,
    0.16925687503880732,
)  # fmt: skip
# Cody's: erf(x) = x * P(x ** 2) / Q(x ** 2) for x <= 0.46875.
_NEAR = (
    1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
    3.77485237685302021e2, 3.20937758913846947e3,
)  # fmt: skip
_NEAR_DIVISOR = (
    1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
    2.84423683343917062e3,
)  # fmt: skip


@primitive
def erf(xp: Namespace, x: Array, /) -> Array:
    """Error function ``2 / sqrt(pi) * integral of exp(-t ** 2) from 0 to x``.

    Raises
    ------
    DTypeError
        If the operand is complex.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.erf([0.0, 1.0]).round(4)
    tensor([0.    , 0.8427], dtype=float32)
    """
    return _of_reals(xp, _erf, x, "erf")


@erf.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (2 / math.sqrt(math.pi) * xp.exp(-(x * x)))


@primitive
def erfc(xp: Namespace, x: Array, /) -> Array:
    """Complementary error function ``1 - erf(x)``, exact where that difference is not.

    Raises
    ------
    DTypeError
        If the operand is complex.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.erfc([0.0, 1.0]).round(4)
    tensor([1.    , 0.1573], dtype=float32)
    """
    return _of_reals(xp, _erfc, x, "erfc")


@erfc.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (-2 / math.sqrt(math.pi) * xp.exp(-(x * x)))


def _erfc(xp: Namespace, x: Array) -> Array:
    left = (x < 0).astype(x.dtype)
    return xp.abs(2 * left - _tail(xp, xp.abs(x)))  # 2 - erfc(-x) there


def _erf(xp: Namespace, x: Array) -> Array:
    size = xp.abs(x)
    near = size <= 0.46875
    inner = xp.clip(size, 0, 0.5)
    s = inner * inner
    within = inner * (_horner(_NEAR, s) / _horner(_NEAR_DIVISOR, s))
    value = xp.masked(within, near) + xp.masked(1 - _tail(xp, size), ~near)
    return xp.copysign(value, x)


def _tail(xp: Namespace, x: Array) -> Array:
    """erfc(x) for ``x >= 0``."""
    x = xp.clip(x, 0, 30)  # where it is 0
    t = 1 / (1 + 0.3 * x)
    value = _horner(_SINGLE if x.dtype.itemsize == 4 else _DOUBLE, t)
    value *= t
    # x ** 2 = head ** 2 + rest, with a head of so few digits that its square is exact.
    head = xp.trunc(x * 16) * 0.0625
    value *= xp.exp(-(head * head))
    value *= xp.exp((head - x) * (head + x))
    return value


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    value = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def _of_reals(
    xp: Namespace, function: Callable[[Namespace, Array], Array], x: Array, name: str
) -> Array:
    """Apply a function of floats of at least 32 bits, whose range the coefficients need."""
    if x.dtype.kind == "c":
        message = f"{name} of {describe(x)} is not supported"
        raise DTypeError(f"{message}. Give a real operand.")
    x = x if x.dtype.kind == "f" else x * 1.0
    wide = x.astype("float32") if x.dtype.itemsize < 4 else x
    return in_blocks(xp, function, wide).astype(x.dtype, copy=False)
