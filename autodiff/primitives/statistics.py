"""Spread and quantiles."""

from __future__ import annotations

from autodiff.engine.primitive import Array, standard
from autodiff.namespace import Namespace
from autodiff.primitives.reductions import Axis, reduced_size, restored

__all__ = ["std", "var"]


@standard
def var(
    xp: Namespace,
    x: Array,
    /,
    axis: Axis = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
) -> Array:
    """Variance: ``sum((x - mean(x)) ** 2) / (n - correction)``.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Over these axes; over all of them where None.
    correction : float
        0 for the population's variance, 1 for a sample's unbiased estimate.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    The gradient is ``2 * g * (x - mean(x)) / (n - correction)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.var([1.0, 2.0, 3.0], correction=1)
    tensor(1., dtype=float32)
    """


@var.vjp
def _(xp: Namespace, g: Array, x: Array, axis: Axis, correction: float, keepdims: bool) -> Array:
    g = restored(xp, g / _freedom(x.shape, axis, correction), x.shape, axis, keepdims)
    return 2 * g * (x - xp.mean(x, axis=axis, keepdims=True))


@standard
def std(
    xp: Namespace,
    x: Array,
    /,
    axis: Axis = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
) -> Array:
    """Square root of the variance (:func:`var`): the standard deviation.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Over these axes; over all of them where None.
    correction : float
        0 for the population's deviation, 1 for a sample's.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    With ``s = std(x)`` the gradient is ``g * (x - mean(x)) / (s * (n - correction))``.
    Where all elements are equal ``s`` is 0 and has a kink: the subgradient 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.std([[1.0, 3.0], [5.0, 5.0]], axis=1)
    tensor([1., 0.], dtype=float32)
    """


@std.vjp
def _(
    xp: Namespace,
    g: Array,
    x: Array,
    out: Array,
    axis: Axis,
    correction: float,
    keepdims: bool,
) -> Array:
    scale = xp.where(out == 0, 0, g / xp.where(out == 0, 1, out))
    scale = scale / _freedom(x.shape, axis, correction)
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    return restored(xp, scale, x.shape, axis, keepdims) * centred


def _freedom(shape: tuple[int, ...], axis: Axis, correction: float) -> float:
    """Return the degrees of freedom: NumPy takes no fewer than 0."""
    return max(0, reduced_size(shape, axis) - correction)
