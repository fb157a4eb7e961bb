"""The error function and its complement, by rational approximation.

W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of
Computation 23 (1969), 631-637: three intervals, a quotient of polynomials on each, close to
the last digit in float64. Everything is computed in the operand's own dtype.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autodiff.engine.primitive import Array, primitive
from autodiff.errors import DTypeError, describe
from autodiff.namespace import Namespace

__all__ = ["erf", "erfc"]

# Coefficients by descending powers. |x| <= 0.46875: erf(x) = x P(x^2) / Q(x^2).
_NEAR = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
# Up to 4: erfc(x) = exp(-x^2) P(x) / Q(x).
_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
# Beyond: erfc(x) = exp(-x^2) / x (1 / sqrt(pi) - s P(s) / Q(s)) with s = 1 / x^2.
_FAR = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242,
        1.87295284992346725,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    total = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        total += coefficient
        total *= x
    total += coefficients[-1]
    return total


def _quotient(pair: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    total = _horner(pair[0], x)
    total /= _horner(pair[1], x)
    return total


def _tail(xp: Namespace, x: Array) -> Array:
    """erfc(x) for a vector of ``x > 0.46875``."""
    x = xp.minimum(x, 30)  # where it is 0 in float64 too
    value = _quotient(_MIDDLE, xp.minimum(x, 4))
    far = x > 4
    y = x[far]
    s = 1 / (y * y)
    value[far] = (1 / math.sqrt(math.pi) - s * _quotient(_FAR, s)) / y
    # x^2 = head^2 + rest, with a head of so few digits that its square is exact.
    head = xp.trunc(x * 16) / 16
    value *= xp.exp(-head * head)
    value *= xp.exp((head - x) * (head + x))
    return value


def _prepared(x: Array, operation: str) -> tuple[Array, Any]:
    """Return the elements as a vector of a dtype to compute in, and the result's dtype."""
    if x.dtype.kind == "c":
        message = f"{operation} of {describe(x)} is not supported"
        raise DTypeError(f"{message}. Give a real operand.")
    x = x if x.dtype.kind == "f" else x * 1.0
    vector = x.reshape(-1)
    return (vector.astype("float32") if x.dtype.itemsize < 4 else vector), x.dtype


@primitive
def erf(xp: Namespace, x: Array, /) -> Array:
    """Error function ``2 / sqrt(pi) * integral of exp(-t ** 2) from 0 to x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.erf([0.0, 1.0]).round(4)
    tensor([0.    , 0.8427], dtype=float32)
    """
    vector, dtype = _prepared(x, "erf")
    near = xp.abs(vector) <= 0.46875
    distant = ~near
    out = xp.empty_like(vector)
    small, large = vector[near], vector[distant]
    out[near] = small * _quotient(_NEAR, small * small)
    out[distant] = xp.copysign(1 - _tail(xp, xp.abs(large)), large)
    return out.reshape(x.shape).astype(dtype, copy=False)


@erf.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (2 / math.sqrt(math.pi) * xp.exp(-x * x))


@primitive
def erfc(xp: Namespace, x: Array, /) -> Array:
    """Complementary error function ``1 - erf(x)``, exact where that difference is not.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.erfc([0.0, 1.0]).round(4)
    tensor([1.    , 0.1573], dtype=float32)
    """
    vector, dtype = _prepared(x, "erfc")
    near = xp.abs(vector) <= 0.46875
    distant = ~near
    out = xp.empty_like(vector)
    small, large = vector[near], vector[distant]
    out[near] = 1 - small * _quotient(_NEAR, small * small)
    tail = _tail(xp, xp.abs(large))
    out[distant] = xp.where(large < 0, 2 - tail, tail)
    return out.reshape(x.shape).astype(dtype, copy=False)


@erfc.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (-2 / math.sqrt(math.pi) * xp.exp(-x * x))
