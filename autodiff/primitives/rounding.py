"""Rounding, signs and neighbours, element by element: mostly functions of steps.

Between its steps a step function's derivative is 0; at a step, where it has none, 0 is
chosen too, as PyTorch does.
"""

from __future__ import annotations

from autodiff.engine.primitive import Array, standard
from autodiff.namespace import Namespace
from autodiff.primitives.pieces import by_sign, by_signs, by_value

__all__ = ["ceil", "copysign", "floor", "nextafter", "round", "sign", "trunc"]


@standard
def floor(xp: Namespace, x: Array, /) -> Array:
    """Round towards minus infinity. The derivative is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.floor([1.7, -1.2])
    tensor([ 1., -2.], dtype=float32)
    """


@floor.vjp
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


floor.branches(by_value)


@standard
def ceil(xp: Namespace, x: Array, /) -> Array:
    """Round towards plus infinity. The derivative is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.ceil([1.2, -1.7])
    tensor([ 2., -1.], dtype=float32)
    """


@ceil.vjp
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


ceil.branches(by_value)


@standard
def trunc(xp: Namespace, x: Array, /) -> Array:
    """Round towards 0. The derivative is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.trunc([1.7, -1.7])
    tensor([ 1., -1.], dtype=float32)
    """


@trunc.vjp
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


trunc.branches(by_value)


@standard
def round(xp: Namespace, x: Array, /, decimals: int = 0) -> Array:
    """Round to the nearest integer, or decimal; halves to even. The derivative is 0.

    Parameters
    ----------
    x : array_like
    decimals : int
        How many decimals to keep; negative ones round to tens, hundreds, ...

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.round([0.5, 1.5, 2.6])
    tensor([0., 2., 3.], dtype=float32)
    """


@round.vjp
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


round.branches(by_value)


@standard
def sign(xp: Namespace, x: Array, /) -> Array:
    """Sign: -1, 0 or 1; of a complex number ``x / abs(x)``, and 0 at 0.

    The derivative of a real sign is 0. At 0 it is 0 for complex numbers too.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sign([-2.0, 0.0, 3.0])
    tensor([-1.,  0.,  1.], dtype=float32)
    """


@sign.vjp
def _(xp: Namespace, g: Array, x: Array, out: Array) -> Array:
    if x.dtype.kind != "c":
        return xp.zeros_like(g)
    # y = x / |x| moves only along the circle: dy = (dx - y**2 conj(dx)) / (2 |x|).
    size = xp.where(x == 0, 1, xp.abs(x))
    along = xp.conj(out)
    return (g - along * along * xp.conj(g)) * xp.where(x == 0, 0, 0.5 / size)


sign.branches(by_sign)


@standard
def copysign(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Magnitude of ``x1`` with the sign of ``x2``.

    ``d/dx1`` is 1 where ``x1`` keeps its sign, -1 where it changes, and 0 at 0;
    ``d/dx2`` is 0. As in PyTorch.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.copysign([1.0, 2.0], [-0.0, 3.0])
    tensor([-1.,  2.], dtype=float32)
    """


@copysign.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, out: Array) -> Array:
    return g * (xp.sign(x1) * xp.sign(out))


@copysign.vjp("x2")
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)


copysign.branches(by_signs)


@standard
def nextafter(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Next number that the dtype can represent after ``x1`` in the direction of ``x2``.

    It follows ``x1`` at the distance of one rounding: ``d/dx1`` is 1, ``d/dx2`` is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.nextafter(1.0, 2.0) - 1.0
    tensor(1.1920929e-07, dtype=float32)
    """


@nextafter.vjp("x1")
def _(xp: Namespace, g: Array) -> Array:
    return g


@nextafter.vjp("x2")
def _(xp: Namespace, g: Array) -> Array:
    return xp.zeros_like(g)
