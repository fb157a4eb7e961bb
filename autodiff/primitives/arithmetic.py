"""Arithmetic, element by element: sums, products, quotients, powers, roots.

Every rule is the mathematics and nothing else. An operand that was broadcast gets its
gradient summed, and cast to its dtype, by the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autodiff.engine.node import Handle
from autodiff.engine.primitive import Array, primitive, standard
from autodiff.errors import DTypeError, describe
from autodiff.namespace import Namespace
from autodiff.primitives.pieces import by_quotient, by_sign, by_value, by_zero

__all__ = [
    "abs", "add", "astype", "copy", "divide", "floor_divide", "hypot", "lerp", "multiply",
    "negative", "positive", "pow", "reciprocal", "remainder", "sqrt", "square", "subtract",
]  # fmt: skip


@standard(analytic=True)
def add(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Sum ``x1 + x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.add([1.0, 2.0], 3.0)
    tensor([4., 5.], dtype=float32)
    """


@add.vjp("x1", "x2")
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard(analytic=True)
def subtract(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Difference ``x1 - x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.subtract([1.0, 2.0], 3.0)
    tensor([-2., -1.], dtype=float32)
    """


@subtract.vjp("x1")
def _(xp: Namespace, g: Array) -> Array:
    return g


@subtract.vjp("x2")
def _(xp: Namespace, g: Array) -> Array:
    return -g


@standard(analytic=True)
def multiply(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Product ``x1 * x2``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.multiply([1.0, 2.0], [3.0, 4.0])
    tensor([3., 8.], dtype=float32)
    """


@multiply.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array) -> Array:
    return g * x2


@multiply.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array) -> Array:
    return g * x1


@standard(analytic=True)
def divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Quotient ``x1 / x2``; integers give a floating result.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.divide([1.0, 2.0], 4.0)
    tensor([0.25, 0.5 ], dtype=float32)
    """


@divide.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array) -> Array:
    return g / x2


@divide.vjp("x2")
def _(xp: Namespace, g: Array, x2: Array, out: Array) -> Array:
    return -g * out / x2


@standard
def floor_divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Quotient rounded towards minus infinity.

    A step function: its derivative is 0, and at the steps 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.floor_divide([7.0, -7.0], 2.0)
    tensor([ 3., -4.], dtype=float32)
    """


@floor_divide.vjp("x1", "x2")
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


floor_divide.branches(by_value)


@standard
def remainder(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Remainder ``x1 - floor(x1 / x2) * x2``, which has the sign of ``x2``.

    At its jumps (``x1`` a multiple of ``x2``) the derivative from the right is taken.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.remainder([7.0, -7.0], 4.0)
    tensor([3., 1.], dtype=float32)
    """


@remainder.vjp("x1")
def _(xp: Namespace, g: Array) -> Array:
    return g


@remainder.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return -g * xp.floor_divide(x1, x2)


remainder.branches(by_quotient)


@primitive(analytic=True)
def pow(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Power ``x1 ** x2``.

    Notes
    -----
    ``d/dx1 = x2 * x1 ** (x2 - 1)``, which is 0 where ``x2`` is 0, at ``x1 = 0`` too.
    ``d/dx2 = out * log(x1)``, and 0 where ``x1`` is 0 and ``x2 >= 0``, which is what it
    tends to for ``x2 > 0``. Both as PyTorch has them. An integer raised to a negative
    integer is refused, as NumPy does.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.pow([1.0, 2.0, 3.0], 2)
    tensor([1., 4., 9.], dtype=float32)
    """
    return _power(x1, x2)


@pow.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    if type(x2) in (int, float):  # the common powers, without masks
        if x2 == 0:
            return xp.zeros_like(g)
        return g * (2 * x1) if x2 == 2 else g * (x2 * _power(x1, x2 - 1))
    exponent = xp.where((x1 == 0) & (x2 == 0), 1, x2 - 1)
    return g * (x2 * x1**exponent)


@pow.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array, out: Array) -> Array:
    if type(x1) in (int, float) and x1 > 0:
        return g * (out * math.log(x1))
    return g * (out * xp.log(xp.where((x1 == 0) & (xp.real(x2) >= 0), 1, x1)))


# What NumPy computes by its general power, some fifty times as slowly. (Its operator, unlike
# its function `pow`, knows shortcuts for -1, 0, 0.5, 1 and 2 itself.)
_SHORTCUTS: dict[float, Callable[[Array], Array]] = {
    3: lambda x: x * x * x,
    1.5: lambda x: x * x**0.5,
    -0.5: lambda x: 1 / x**0.5,
    -1.5: lambda x: 1 / (x * x**0.5),
    -2: lambda x: 1 / (x * x),
    -3: lambda x: 1 / (x * x * x),
}


def _power(x1: Array, x2: Array) -> Array:
    # A tensor, in a rule that is differentiated again, takes its own power: one operation,
    # whose rule knows 0 and infinity.
    plain = type(x2) in (int, float) and not isinstance(x1, Handle)
    if plain and x2 in _SHORTCUTS and x1.dtype.kind == "f":
        return _SHORTCUTS[x2](x1)
    return x1**x2


@standard(analytic=True)
def negative(xp: Namespace, x: Array, /) -> Array:
    """Negative ``-x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.negative([1.0, -2.0])
    tensor([-1.,  2.], dtype=float32)
    """


@negative.vjp
def _(xp: Namespace, g: Array) -> Array:
    return -g


@standard(analytic=True)
def positive(xp: Namespace, x: Array, /) -> Array:
    """``+x``: a copy.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.positive([1.0, -2.0])
    tensor([ 1., -2.], dtype=float32)
    """


@positive.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard
def abs(xp: Namespace, x: Array, /) -> Array:
    """Absolute value; of a complex number its distance from 0, which is real.

    At 0 the subgradient 0 is chosen, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.abs([-1.0, 2.0])
    tensor([1., 2.], dtype=float32)
    """


@abs.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.sign(x)


abs.branches(by_sign)


@standard(analytic=True)
def square(xp: Namespace, x: Array, /) -> Array:
    """Square ``x * x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.square([2.0, -3.0])
    tensor([4., 9.], dtype=float32)
    """


@square.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (2 * x)


@standard(analytic=True)
def sqrt(xp: Namespace, x: Array, /) -> Array:
    """Square root; its derivative ``1 / (2 sqrt(x))`` is infinite at 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sqrt([4.0, 9.0])
    tensor([2., 3.], dtype=float32)
    """


@sqrt.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g / (2 * out)


@standard(analytic=True)
def reciprocal(xp: Namespace, x: Array, /) -> Array:
    """Reciprocal ``1 / x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.reciprocal([2.0, 4.0])
    tensor([0.5 , 0.25], dtype=float32)
    """


@reciprocal.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return -g * (out * out)


reciprocal.branches(by_sign)


@standard
def hypot(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Hypotenuse ``sqrt(x1 ** 2 + x2 ** 2)``, without overflow on the way.

    At the origin, where every direction is a subgradient, 0 is chosen (PyTorch gives NaN).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.hypot([3.0, 5.0], [4.0, 12.0])
    tensor([ 5., 13.], dtype=float32)
    """


@hypot.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, out: Array) -> Array:
    return g * xp.masked(x1 / xp.where(out == 0, 1, out), out != 0)


@hypot.vjp("x2")
def _(xp: Namespace, g: Array, x2: Array, out: Array) -> Array:
    return g * xp.masked(x2 / xp.where(out == 0, 1, out), out != 0)


hypot.branches(by_zero)


@primitive
def lerp(xp: Namespace, start: Array, end: Array, weight: Array, /) -> Array:
    """Linear interpolation ``start + weight * (end - start)``.

    Parameters
    ----------
    start, end : array_like
        What weights 0 and 1 give.
    weight : array_like or number
        Broadcast against both; may lie outside of 0 to 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.lerp([0.0, 10.0], [10.0, 20.0], 0.5)
    tensor([ 5., 15.], dtype=float32)
    """
    return start + weight * (end - start)


@lerp.vjp("start")
def _(xp: Namespace, g: Array, weight: Array) -> Array:
    return g * (1 - weight)


@lerp.vjp("end")
def _(xp: Namespace, g: Array, weight: Array) -> Array:
    return g * weight


@lerp.vjp("weight")
def _(xp: Namespace, g: Array, start: Array, end: Array) -> Array:
    return g * (end - start)


@primitive
def astype(
    xp: Namespace, x: Array, /, dtype: Any, *, copy: bool = True, device: Any = None
) -> Array:
    """Cast to a dtype; the gradient is cast back.

    Parameters
    ----------
    x : array_like
    dtype : dtype
        The new one. Gradients flow on where it is a floating one.
    copy : bool
        Whether to copy where the dtype is already that.
    device : optional
        The one where ``x`` is, or None.

    Raises
    ------
    DTypeError
        If ``x`` is complex and ``dtype`` is not: take ``real``, ``imag`` or ``abs``; or if
        ``x`` is not on that device.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.astype([1.5, -2.5], ad.int64)
    tensor([ 1, -2], dtype=int64)
    """
    if x.dtype.kind == "c" and xp.dtype(dtype).kind in "iuf":
        message = f"astype: {describe(x)} to {xp.dtype(dtype)} would drop the imaginary part"
        raise DTypeError(f"{message}. Take autodiff.real, imag or abs of it.")
    if device not in (None, getattr(x, "device", "cpu")):
        message = f"astype: device {device!r} is not that of the operand, {x.device!r}"
        raise DTypeError(f"{message}. Leave device out.")
    return x.astype(dtype, copy=copy)


@astype.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard(analytic=True)
def copy(xp: Namespace, x: Array, /) -> Array:
    """Copy. Gradients flow through it.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.copy(ad.tensor([1.0, 2.0]))
    tensor([1., 2.], dtype=float32)
    """


@copy.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g
