"""Arithmetic, element by element: sums, products, powers, roots, signs.

Every rule is the mathematics and nothing else. An operand that was broadcast gets its
gradient summed, and cast to its dtype, by the engine.
"""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, primitive, standard
from autodiff.namespace import Namespace

__all__ = [
    "abs", "add", "astype", "copy", "divide", "floor_divide", "multiply", "negative", "positive",
    "pow", "remainder", "square", "subtract",
]  # fmt: skip


@standard
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


@standard
def subtract(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Difference ``x1 - x2``."""


@subtract.vjp("x1")
def _(xp: Namespace, g: Array) -> Array:
    return g


@subtract.vjp("x2")
def _(xp: Namespace, g: Array) -> Array:
    return -g


@standard
def multiply(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Product ``x1 * x2``."""


@multiply.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array) -> Array:
    return g * x2


@multiply.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array) -> Array:
    return g * x1


@standard
def divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Quotient ``x1 / x2``."""


@divide.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array) -> Array:
    return g / x2


@divide.vjp("x2")
def _(xp: Namespace, g: Array, x2: Array, out: Array) -> Array:
    return -g * out / x2


@standard
def floor_divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Quotient rounded towards minus infinity. Its derivative is 0 wherever it has one."""


@floor_divide.vjp("x1", "x2")
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


@standard
def remainder(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Remainder of floored division, with the sign of ``x2``."""


@remainder.vjp("x1")
def _(xp: Namespace, g: Array) -> Array:
    return g


@remainder.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return -g * xp.floor_divide(x1, x2)


@standard
def pow(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Power ``x1 ** x2``; see the gradient at a base of 0 in the notes.

    Notes
    -----
    ``d/dx1 = x2 * x1 ** (x2 - 1)``, and 0 where ``x2`` is 0. ``d/dx2 = out * log(x1)``, and
    0 where ``x1`` is 0 and ``x2 >= 0`` (the limit of ``0 ** y``).
    """


@pow.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    return g * xp.where(x2 == 0, 0, x2 * x1 ** xp.where(x2 == 0, 1, x2 - 1))


@pow.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array, out: Array) -> Array:
    return g * out * xp.log(xp.where(x1 == 0, 1, x1))


@standard
def negative(xp: Namespace, x: Array, /) -> Array:
    """Negative ``-x``."""


@negative.vjp
def _(xp: Namespace, g: Array) -> Array:
    return -g


@standard
def positive(xp: Namespace, x: Array, /) -> Array:
    """``+x``: the same values."""


@positive.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard
def abs(xp: Namespace, x: Array, /) -> Array:
    """Absolute value. At 0 the subgradient 0 is chosen."""


@abs.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.sign(x)


@standard
def square(xp: Namespace, x: Array, /) -> Array:
    """Square ``x * x``."""


@square.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (2 * x)


@primitive
def astype(
    xp: Namespace, x: Array, /, dtype: Any, *, copy: bool = True, device: Any = None
) -> Array:
    """Cast to a dtype. The gradient is cast back."""
    return x.astype(dtype, copy=copy)


@astype.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@standard
def copy(xp: Namespace, x: Array, /) -> Array:
    """Copy. Gradients flow through it."""


@copy.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g
