"""Exponentials that share a sum: ``logsumexp``, ``softmax``, ``log_softmax``.

All three subtract the largest element first, so that no ``exp`` overflows.
"""

from __future__ import annotations

import math

from autodiff.engine.primitive import Array, primitive
from autodiff.namespace import Namespace
from autodiff.primitives.reductions import Axis, added_up, reduced_axes, restored

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _shifted(xp: Namespace, x: Array, axis: Axis) -> tuple[Array, Array]:
    """Return ``x - peak``, a new array, and the peak: the largest element, axes kept.

    Where the peak is infinite ``x - peak`` is made NaN: ``inf - inf`` is, but would warn.
    """
    if x.dtype.kind in "biu":
        x = x.astype(xp.float64)
    peak = x.max(axis=axis, keepdims=True)
    # 0-d results come as scalars, which can't be written to: asarray makes arrays of them.
    return xp.asarray(x - xp.where(xp.isinf(peak), math.nan, peak)), xp.asarray(peak)


@primitive(analytic=True)
def logsumexp(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Logarithm of the sum of exponentials, without overflow.

    ``log(sum(exp(x))) = c + log(sum(exp(x - c)))`` with ``c = max(x)``.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Sum over these axes; over all of them where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    The gradient is ``g * softmax(x)``. Entries of -inf weigh nothing and get the
    gradient 0; where there is nothing else (or nothing at all) the result is -inf.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logsumexp([1e4, 1e4])
    tensor(10000.693, dtype=float32)
    """
    if not x.size:
        return x.sum(axis=axis, keepdims=keepdims) - math.inf
    exps, peak = _shifted(xp, x, axis)
    total = added_up(xp, xp.exp(exps, out=exps), axis, keepdims=True)
    out = xp.where(xp.isinf(peak), peak, xp.log(total) + peak)
    return out if keepdims else xp.squeeze(out, axis=reduced_axes(x.ndim, axis))


@logsumexp.vjp
def _(xp: Namespace, g: Array, x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    finite = xp.where(out == -math.inf, 0, out)
    weights = xp.exp(x - restored(xp, finite, x.shape, axis, keepdims))
    weights *= restored(xp, g, x.shape, axis, keepdims)
    return weights


@primitive(analytic=True)
def softmax(xp: Namespace, x: Array, /, axis: Axis = -1) -> Array:
    """Exponentials scaled to sum to 1, ``exp(x) / sum(exp(x))``, without overflow.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
        The axis along which they sum to 1; all axes where None.

    Notes
    -----
    With ``y = softmax(x)`` the gradient is ``y * (g - sum(g * y))``. Entries of -inf get
    weight 0 and gradient 0: so positions are masked out. Where all entries are -inf there
    is no distribution: the result and its gradient are NaN, as PyTorch's.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.softmax([0.0, 0.0, -ad.inf])
    tensor([0.5, 0.5, 0. ], dtype=float32)
    """
    if not x.size:
        return xp.zeros_like(x)
    exps, _ = _shifted(xp, x, axis)
    xp.exp(exps, out=exps)
    exps /= added_up(xp, exps, axis, keepdims=True)
    return exps


@softmax.vjp
def _(xp: Namespace, g: Array, out: Array, axis: Axis) -> Array:
    part = g - _dot(xp, g, out, axis)
    part *= out  # it is new, and large: no need of another
    return part


def _dot(xp: Namespace, a: Array, b: Array, axis: Axis) -> Array:
    """Return ``sum(a * b)`` along axes, which are kept, without the product where possible."""
    if isinstance(axis, int) and len(b.shape) and b.dtype.kind == "f":
        return restored(xp, xp.vecdot(a, b, axis=axis), b.shape, axis, keepdims=False)
    return xp.sum(a * b, axis=axis, keepdims=True)


@primitive(analytic=True)
def log_softmax(xp: Namespace, x: Array, /, axis: Axis = -1) -> Array:
    """Logarithm of the softmax, ``x - logsumexp(x)``.

    More exact than ``log(softmax(x))``, which is -inf where a softmax rounds to 0.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
        The axis along which the softmax sums to 1; all axes where None.

    Notes
    -----
    With ``y = log_softmax(x)`` the gradient is ``g - exp(y) * sum(g)``. An entry of -inf has
    ``exp(y) = 0``, so it keeps its upstream gradient ``g`` as it is: mask it out of what is
    summed up after, or differentiate the softmax, where it gets 0. Where all entries are -inf
    the result and its gradient are NaN.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.log_softmax([0.0, 1e4])
    tensor([-10000.,      0.], dtype=float32)
    """
    if not x.size:
        return xp.zeros_like(x)
    out, _ = _shifted(xp, x, axis)
    out -= xp.log(added_up(xp, xp.exp(out), axis, keepdims=True))
    return out


@log_softmax.vjp
def _(xp: Namespace, g: Array, out: Array, axis: Axis) -> Array:
    part = xp.exp(out)
    part *= -xp.sum(g, axis=axis, keepdims=True)
    part += g
    return part
