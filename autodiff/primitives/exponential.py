"""Exponentials and logarithms, element by element."""

from __future__ import annotations

import math

from autodiff.engine.primitive import Array, primitive, standard
from autodiff.namespace import Namespace

__all__ = ["exp", "expm1", "log", "log1p", "log2", "log10", "logaddexp", "xlogy"]


@standard(analytic=True)
def exp(xp: Namespace, x: Array, /) -> Array:
    """Exponential ``e ** x``; its own derivative.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.exp([0.0, 1.0]).round(4)
    tensor([1.    , 2.7183], dtype=float32)
    """


@exp.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * out


@standard(analytic=True)
def expm1(xp: Namespace, x: Array, /) -> Array:
    """``exp(x) - 1``, exact near 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.expm1([0.0, 1e-8])
    tensor([0.e+00, 1.e-08], dtype=float32)
    """


@expm1.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (out + 1)


@standard(analytic=True)
def log(xp: Namespace, x: Array, /) -> Array:
    """Natural logarithm; its derivative ``1 / x`` is infinite at 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.log([1.0, 2.0]).round(4)
    tensor([0.    , 0.6931], dtype=float32)
    """


@log.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / x


@standard(analytic=True)
def log1p(xp: Namespace, x: Array, /) -> Array:
    """``log(1 + x)``, exact near 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.log1p([0.0, 1e-8])
    tensor([0.e+00, 1.e-08], dtype=float32)
    """


@log1p.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / (1 + x)


@standard(analytic=True)
def log2(xp: Namespace, x: Array, /) -> Array:
    """Logarithm to base 2.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.log2([1.0, 8.0])
    tensor([0., 3.], dtype=float32)
    """


@log2.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / (math.log(2) * x)


@standard(analytic=True)
def log10(xp: Namespace, x: Array, /) -> Array:
    """Logarithm to base 10.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.log10([1.0, 1000.0]).round(4)
    tensor([0., 3.], dtype=float32)
    """


@log10.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / (math.log(10) * x)


@primitive
def logaddexp(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``log(exp(x1) + exp(x2))``, without overflow on the way.

    Each operand's derivative is its share, ``exp(x1 - out) = sigmoid(x1 - x2)``. Equal
    operands have equal shares, half each, also where both are the same infinity (PyTorch
    gives NaN there).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logaddexp([0.0, 1000.0], [-ad.inf, 0.0])
    tensor([   0., 1000.], dtype=float32)
    """
    if xp.result_type(x1, x2).kind != "f":  # the difference of integers can wrap around
        return xp.logaddexp(x1, x2)
    # NumPy's own takes twenty times as long: one element at a time.
    top, bottom = xp.maximum(x1, x2), xp.minimum(x1, x2)
    gap = bottom - xp.masked(top, xp.isfinite(bottom))  # never inf - inf
    return top + xp.log1p(xp.exp(gap))


@logaddexp.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return g * xp.sigmoid(_difference(xp, x1, x2))


@logaddexp.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return g * xp.sigmoid(_difference(xp, x2, x1))


def _difference(xp: Namespace, x1: Array, x2: Array) -> Array:
    """Subtract; equal infinities give 0."""
    return xp.masked(x1 - x2, (x1 != x2) | xp.isfinite(x1))


@primitive
def xlogy(xp: Namespace, x: Array, y: Array, /) -> Array:
    """``x * log(y)``, and 0 where ``x`` is 0, unless ``y`` is NaN.

    ``d/dx = log(y)``, and 0 where ``x`` is 0 and ``y <= 0``, as in PyTorch; ``d/dy = x / y``,
    and 0 where ``x`` is 0 (PyTorch gives NaN where ``y`` is 0 too).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.xlogy([0.0, 2.0], [0.0, 1.0])
    tensor([0., 0.], dtype=float32)
    """
    y = _like(xp, y, x)
    return x * xp.log(xp.where((x == 0) & ~xp.isnan(y), 1, y))


@xlogy.vjp("x")
def _(xp: Namespace, g: Array, x: Array, y: Array) -> Array:
    y = _like(xp, y, x)
    return g * xp.log(xp.where((x == 0) & (y <= 0), 1, y))


@xlogy.vjp("y")
def _(xp: Namespace, g: Array, x: Array, y: Array) -> Array:
    return g * (x / xp.where((x == 0) & (y == 0), 1, y))


def _like(xp: Namespace, value: Array, x: Array) -> Array:
    """Make a Python number an array beside ``x``, since its logarithm would not be weak."""
    return value if hasattr(value, "dtype") else xp.zeros_like(x) + value
