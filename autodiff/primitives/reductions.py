"""Many elements to one: sums, products, extremes, and where they are.

Every rule here first gives the upstream gradient the reduced axes back, with
:func:`restored`, and then lets broadcasting spread it.
"""

from __future__ import annotations

import math
from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace
from autodiff.primitives.pieces import by_extremum

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min",
    "prod", "sum",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def reduced_axes(ndim: int, axis: Axis) -> tuple[int, ...]:
    """Return the axes that a reduction takes away, counted from 0."""
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def restored(xp: Namespace, g: Array, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """Give a reduced array its reduced axes back, so that it broadcasts to ``shape``."""
    if keepdims or axis is None:  # what has no axes left broadcasts as it is
        return g
    reduced = reduced_axes(len(shape), axis)
    return xp.reshape(g, tuple([1 if i in reduced else n for i, n in enumerate(shape)]))


def reduced_size(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many elements a reduction makes one of."""
    return math.prod(shape if axis is None else [shape[a] for a in reduced_axes(len(shape), axis)])


def added_up(xp: Namespace, x: Array, axis: Axis, keepdims: bool) -> Array:
    """Sum a raw array: along the rows of a large matrix as a product with ones.

    That is several times as fast as the library's sum, and as exact while rows are no
    longer than here; of longer ones the library, which adds in pairs, loses less.
    """
    if x.size >= 8192 and axis in (-1, x.ndim - 1) and x.dtype.char in "fd":
        n = x.shape[-1]
        if 16 <= n <= 1024 and x.flags.c_contiguous:
            out = x.reshape(-1, n) @ xp.ones(n, dtype=x.dtype)
            return out.reshape((*x.shape[:-1], 1) if keepdims else x.shape[:-1])
    return x.sum(axis=axis, keepdims=keepdims)


@primitive(analytic=True)
def sum(
    xp: Namespace, x: Array, /, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False
) -> Array:
    """Sum of the elements.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Sum over these axes; over all of them where None.
    dtype : dtype, optional
        Of the result. Floats keep theirs; small integers become int64.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Returns
    -------
    Tensor
        The sum of nothing is 0.

    Notes
    -----
    Each element's gradient is the upstream gradient of the sum that it went into.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sum([[1, 2], [3, 4]], axis=0)
    tensor([4, 6], dtype=int64)
    """
    if dtype is None:
        return added_up(xp, x, axis, keepdims)
    return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)


@sum.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    return xp.broadcast_to(restored(xp, g, x_shape, axis, keepdims), x_shape)


@primitive(analytic=True)
def mean(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Arithmetic mean of the elements, ``sum(x) / n``.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Average over these axes; over all of them where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Notes
    -----
    The gradient is ``g / n`` for each element. float16 is added up in float32. The mean of
    nothing is NaN, with NumPy's warning.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.mean([[1.0, 2.0], [3.0, 6.0]], axis=1)
    tensor([1.5, 4.5], dtype=float32)
    """
    if x.dtype.kind == "f" and x.dtype.itemsize >= 4 and x.size:
        total = added_up(xp, x, axis, keepdims)  # what xp.mean does, at a sixth of its cost
        return total / (x.size // total.size)
    return xp.mean(x, axis=axis, keepdims=keepdims)


@mean.vjp
def _(xp: Namespace, g: Array, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    n = reduced_size(x_shape, axis) or 1
    # Times 1 / n, not divided by n, which float16 can't hold beyond 65504.
    return xp.broadcast_to(restored(xp, g * (1 / n), x_shape, axis, keepdims), x_shape)


@primitive(analytic=True)
def prod(
    xp: Namespace, x: Array, /, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False
) -> Array:
    """Product of the elements.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Multiply over these axes; over all of them where None.
    dtype : dtype, optional
        Of the result. Floats keep theirs; small integers become int64.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Returns
    -------
    Tensor
        The product of nothing is 1.

    Notes
    -----
    The gradient of each element is ``g`` times the product of all others. It is computed as
    such, without a division, so that it is right where elements are 0, to every order.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([2.0, 0.0, 5.0], requires_grad=True)
    >>> ad.prod(x).backward()
    >>> x.grad
    tensor([ 0., 10.,  0.], dtype=float32)
    """
    return x.prod(axis=axis, dtype=dtype, keepdims=keepdims)


@prod.vjp
def _(xp: Namespace, g: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    rows, order = rows_of(xp, x, axis)
    others = from_rows(xp, _product_of_others(xp, rows), x.shape, order)
    return restored(xp, g, x.shape, axis, keepdims) * others


def _product_of_others(xp: Namespace, x: Array) -> Array:
    """Return for each entry along the last axis the product of all others.

    Entries are paired off and multiplied; what goes for a pair goes for each of the two
    after a multiplication by the other. So log2(n) levels do, the deepest of one entry.
    """
    size = x.shape[-1]
    if size <= 1:
        return xp.ones_like(x)
    half = size // 2
    first, second, single = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    others = _product_of_others(xp, xp.concat([first * second, single], axis=-1))
    of_pairs = others[..., :half]
    return xp.concat([of_pairs * second, of_pairs * first, others[..., half:]], axis=-1)


def rows_of(xp: Namespace, x: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
    """Join the reduced axes into one, the last; return also the order the axes were put in."""
    reduced = reduced_axes(x.ndim, axis)
    kept = tuple([i for i in range(x.ndim) if i not in reduced])
    order = (*kept, *reduced)
    shape = (*[x.shape[i] for i in kept], reduced_size(x.shape, axis))
    return xp.reshape(xp.permute_dims(x, order), shape), order


def from_rows(xp: Namespace, rows: Array, shape: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Undo :func:`rows_of`."""
    inverse = tuple(sorted(range(len(order)), key=order.__getitem__))
    return xp.permute_dims(xp.reshape(rows, tuple([shape[i] for i in order])), inverse)


@primitive
def max(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Largest element. NaN, and so its gradient, where there is a NaN.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Compare along these axes; all elements where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Raises
    ------
    ShapeError
        If there are no elements to compare.

    Notes
    -----
    The gradient goes to the largest element. Where several are equally large they share
    it equally: of the subgradients, the mean.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 3.0, 3.0], requires_grad=True)
    >>> ad.max(x).backward()
    >>> x.grad
    tensor([0. , 0.5, 0.5], dtype=float32)
    """
    return x.max(axis=axis, keepdims=keepdims)


@primitive
def min(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Smallest element. NaN, and so its gradient, where there is a NaN.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Compare along these axes; all elements where None.
    keepdims : bool
        Leave the reduced axes in the result with size 1.

    Raises
    ------
    ShapeError
        If there are no elements to compare.

    Notes
    -----
    The gradient goes to the smallest element. Where several are equally small they share
    it equally: of the subgradients, the mean.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.min([[4.0, 2.0], [1.0, 8.0]], axis=1)
    tensor([2., 1.], dtype=float32)
    """
    return x.min(axis=axis, keepdims=keepdims)


@max.vjp
@min.vjp
def _(xp: Namespace, g: Array, x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    chosen = x == restored(xp, out, x.shape, axis, keepdims)
    ties = xp.sum(chosen, axis=axis, dtype=g.dtype, keepdims=True)
    return chosen * (restored(xp, g, x.shape, axis, keepdims) / ties)


min.branches(by_extremum)


max.branches(by_extremum)


@composite
def amax(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Largest element: NumPy's and PyTorch's other name of :func:`max`."""
    return xp.max(x, axis=axis, keepdims=keepdims)


@composite
def amin(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Smallest element: NumPy's and PyTorch's other name of :func:`min`."""
    return xp.min(x, axis=axis, keepdims=keepdims)


@standard(differentiable=False)
def argmax(xp: Namespace, x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the largest element, the first of equal ones; of the flattened array without axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.argmax([[1.0, 9.0], [7.0, 3.0]], axis=1)
    tensor([1, 0], dtype=int64)
    """


@standard(differentiable=False)
def argmin(xp: Namespace, x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the smallest element, the first of equal ones; see :func:`argmax`."""


@standard(differentiable=False)
def all(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Whether all elements are true (not 0). True of nothing.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.all([[1, 1], [0, 1]], axis=0)
    tensor([False,  True], dtype=bool)
    """


@standard(differentiable=False)
def any(xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Whether any element is true (not 0). False of nothing."""


@standard(differentiable=False)
def count_nonzero(
    xp: Namespace, x: Array, /, axis: Axis = None, *, keepdims: bool = False
) -> Array:
    """Count the elements that are not 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.count_nonzero([0.0, 2.0, 3.0])
    tensor(2, dtype=int64)
    """
