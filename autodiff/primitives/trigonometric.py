"""Trigonometric and hyperbolic functions and their inverses, element by element."""

from __future__ import annotations

import math

from autodiff.engine.primitive import Array, standard
from autodiff.namespace import Namespace

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "sin", "sinc",
    "sinh", "tan", "tanh",
]  # fmt: skip


@standard(analytic=True)
def sin(xp: Namespace, x: Array, /) -> Array:
    """Sine.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sin([0.0, ad.pi / 2])
    tensor([0., 1.], dtype=float32)
    """


@sin.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.cos(x)


@standard(analytic=True)
def cos(xp: Namespace, x: Array, /) -> Array:
    """Cosine.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cos([0.0, ad.pi])
    tensor([ 1., -1.], dtype=float32)
    """


@cos.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return -g * xp.sin(x)


@standard(analytic=True)
def tan(xp: Namespace, x: Array, /) -> Array:
    """Tangent.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tan([0.0, 1.0]).round(4)
    tensor([0.    , 1.5574], dtype=float32)
    """


@tan.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (1 + out * out)


@standard(analytic=True)
def asin(xp: Namespace, x: Array, /) -> Array:
    """Inverse sine, in ``[-pi/2, pi/2]``; its derivative is infinite at -1 and 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.asin([0.0, 1.0]).round(4)
    tensor([0.    , 1.5708], dtype=float32)
    """


@asin.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / xp.sqrt((1 - x) * (1 + x))


@standard(analytic=True)
def acos(xp: Namespace, x: Array, /) -> Array:
    """Inverse cosine, in ``[0, pi]``; its derivative is infinite at -1 and 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.acos([1.0, 0.0]).round(4)
    tensor([0.    , 1.5708], dtype=float32)
    """


@acos.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return -g / xp.sqrt((1 - x) * (1 + x))


@standard(analytic=True)
def atan(xp: Namespace, x: Array, /) -> Array:
    """Inverse tangent, in ``[-pi/2, pi/2]``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.atan([0.0, 1.0]).round(4)
    tensor([0.    , 0.7854], dtype=float32)
    """


@atan.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / (1 + x * x)


@standard
def atan2(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Angle of the point with ordinate ``x1`` and abscissa ``x2``, in ``[-pi, pi]``.

    At the origin, where there is no derivative, 0 is chosen, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.atan2([1.0, 0.0], [0.0, -1.0]).round(4)
    tensor([1.5708, 3.1416], dtype=float32)
    """


@atan2.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    radius = _radius(xp, x1, x2)
    return g * (x2 / radius / radius)


@atan2.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    radius = _radius(xp, x1, x2)
    return -g * (x1 / radius / radius)


def _radius(xp: Namespace, x1: Array, x2: Array) -> Array:
    radius = xp.hypot(x1, x2)
    return xp.where(radius == 0, 1, radius)


@standard(analytic=True)
def sinh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic sine.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sinh([0.0, 1.0]).round(4)
    tensor([0.    , 1.1752], dtype=float32)
    """


@sinh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.cosh(x)


@standard(analytic=True)
def cosh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic cosine.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cosh([0.0, 1.0]).round(4)
    tensor([1.    , 1.5431], dtype=float32)
    """


@cosh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.sinh(x)


@standard(analytic=True)
def tanh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic tangent.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tanh([0.0, 1.0, 100.0]).round(4)
    tensor([0.    , 0.7616, 1.    ], dtype=float32)
    """


@tanh.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (1 - out * out)


@standard(analytic=True)
def asinh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic sine.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.asinh([0.0, 1.0]).round(4)
    tensor([0.    , 0.8814], dtype=float32)
    """


@asinh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / xp.sqrt(x * x + 1)


@standard(analytic=True)
def acosh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic cosine; its derivative is infinite at 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.acosh([1.0, 2.0]).round(4)
    tensor([0.   , 1.317], dtype=float32)
    """


@acosh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    # Two roots: the principal root of the product would take the wrong branch left of 0.
    return g / (xp.sqrt(x - 1) * xp.sqrt(x + 1))


@standard(analytic=True)
def atanh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic tangent; its derivative is infinite at -1 and 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.atanh([0.0, 0.5]).round(4)
    tensor([0.    , 0.5493], dtype=float32)
    """


@atanh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g / ((1 - x) * (1 + x))


@standard
def sinc(xp: Namespace, x: Array, /) -> Array:
    """Normalised cardinal sine ``sin(pi x) / (pi x)``, 1 at 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sinc([0.0, 0.5]).round(4)
    tensor([1.    , 0.6366], dtype=float32)
    """


@sinc.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    # (cos(pi x) - sinc(x)) / x loses its digits near 0, where the power series has them.
    near = xp.abs(x) < 0.05
    u = math.pi * xp.where(near, x, 0)  # what is not chosen must not overflow either
    s = u * u
    series = -math.pi * u * (1 / 3 - s * (1 / 30 - s * (1 / 840 - s * (1 / 45360))))
    distant = xp.where(near, 1, x)
    slope = (xp.cos(math.pi * distant) - xp.sinc(distant)) / distant
    return g * xp.where(near, series, slope)
