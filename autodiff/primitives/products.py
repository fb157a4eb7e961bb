"""Products of vectors, matrices and tensors (``einsum`` has a file of its own)."""

from __future__ import annotations

from math import prod
from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.errors import ShapeError, describe
from autodiff.namespace import Namespace

__all__ = ["cross", "dot", "inner", "kron", "matmul", "outer", "tensordot", "trace", "vecdot"]


Strides = tuple[int, ...] | None


@primitive(analytic=True)
def matmul(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Matrix product ``x1 @ x2`` over the last two axes; the axes before them broadcast.

    Parameters
    ----------
    x1 : (..., N, K) or (K,)
        A vector is taken as one row, which the result then lacks.
    x2 : (..., K, M) or (K,)
        A vector is taken as one column, which the result then lacks.

    Returns
    -------
    (..., N, M), (..., N), (..., M) or ()

    Raises
    ------
    ShapeError
        If an operand is 0-d, the inner sizes differ, or the leading axes don't broadcast.

    Notes
    -----
    ``d/dx1 = g x2ᵀ``, ``d/dx2 = x1ᵀ g``. Where a matrix was used for a whole batch, the sum
    over the batch is part of the product: one large product, no batch of small ones.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    tensor([21., 43.], dtype=float32)
    """
    try:
        # NumPy multiplies a batch matrix by matrix. Times one matrix, it is one tall matrix.
        if x1.ndim > 2 and x2.ndim == 2 and x1.flags.c_contiguous:
            *batch, rows, inner = x1.shape
            product = x1.reshape(prod(batch) * rows, inner) @ x2
            return product.reshape(*batch, rows, x2.shape[1])
        if x1.ndim > 1 < x2.ndim and x1.shape[-1] == 1 == x2.shape[-2]:
            return _product(x1, x2)
        return xp.matmul(x1, x2)
    except (ValueError, AttributeError) as error:
        raise _misfit(x1, x2) from error


def _misfit(x1: Array, x2: Array) -> ShapeError:
    """Say why two operands have no matrix product, in other words than gufuncs'."""
    call = f"matmul(x1: {describe(x1)}, x2: {describe(x2)})"
    shape1, shape2 = getattr(x1, "shape", ()), getattr(x2, "shape", ())
    if not shape1 or not shape2:
        return ShapeError(f"{call}: a 0-d operand has no axis to sum over. Multiply with x1 * x2.")
    axis = "last but one" if len(shape2) > 1 else "only"
    inner = shape1[-1], shape2[-2:][0]
    if inner[0] != inner[1]:
        message = f"{call}: the last axis of x1 has size {inner[0]}, the {axis} axis of x2"
        return ShapeError(f"{message} {inner[1]}. Make them equal; .mT transposes matrices.")
    message = f"{call}: the leading axes {shape1[:-2]} and {shape2[:-2]} don't broadcast"
    return ShapeError(f"{message}. Make them equal or 1 (see expand_dims).")


@matmul.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array, x1_shape: tuple[int, ...], x1_strides: Strides) -> Array:
    if x2.ndim == 1:
        return g[..., None] * x2
    if len(x1_shape) == 1:
        return (x2 @ g[..., None])[..., 0]
    g = dense(xp, g)
    if g.ndim == 2 == x2.ndim:
        return _laid_out(g, x2.mT, x1_strides)
    if x2.ndim == 2:
        return _tall(xp, g, x2.mT)
    summed = _summed(x2.shape, x1_shape)
    n, k, m = x1_shape[-2], x1_shape[-1], x2.shape[-1]
    if not summed or m * (n + k) > n * k:  # the copies would be larger than the unsummed result
        return _laid_out(g, x2.mT, x1_strides)
    left, right = _fold(xp, g, summed, -1), _fold(xp, x2, summed, -1)
    return xp.reshape(left @ right.mT, x1_shape)


@matmul.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2_shape: tuple[int, ...], x2_strides: Strides) -> Array:
    if len(x2_shape) == 1:
        if x1.ndim == 1:
            return g * x1
        return xp.reshape(g, (-1,)) @ _rows(xp, x1)
    if x1.ndim == 1:
        return x1[:, None] * g[..., None, :]
    g = dense(xp, g)
    if x1.ndim == 2 == len(x2_shape):
        return _laid_out(x1.mT, g, x2_strides)
    if len(x2_shape) == 2:
        return _laid_out(_rows(xp, x1).mT, _rows(xp, g), x2_strides)
    summed = _summed(x1.shape, x2_shape)
    n, k, m = x1.shape[-2], x2_shape[-2], x2_shape[-1]
    if not summed or n * (k + m) > k * m:
        return _laid_out(x1.mT, g, x2_strides)
    left, right = _fold(xp, x1, summed, -2), _fold(xp, g, summed, -2)
    return xp.reshape(left.mT @ right, x2_shape)


def _laid_out(x1: Array, x2: Array, strides: Strides) -> Array:
    """Multiply; lay the product out in memory by columns if these strides are by columns.

    So the gradient of a weight ``(out, in)`` that was used as ``x @ weight.mT`` lies as the
    weight does: an update that reads the one by rows, the other by columns, is 5 times slower.
    """
    if strides is not None and 0 < strides[-2] < strides[-1]:
        return _product(x2.mT, x1.mT).mT
    return _product(x1, x2)


def _product(x1: Array, x2: Array) -> Array:
    """Multiply matrices; columns by rows element by element.

    Such outer products NumPy does without BLAS, up to ten times slower than by broadcasting.
    """
    return x1 * x2 if x1.shape[-1] == 1 else x1 @ x2


def dense(xp: Namespace, x: Array) -> Array:
    """Copy an array that repeats elements by strides of 0, as the gradient of a sum does.

    BLAS can't read it, and older versions of NumPy then multiply thirty times slower.
    """
    strides = getattr(x, "strides", ())
    if 0 in strides and any(s == 0 and n > 1 for s, n in zip(strides, x.shape, strict=True)):
        return xp.copy(x)
    return x


def _rows(xp: Namespace, x: Array) -> Array:
    """Stack all matrices of a batch into one tall matrix."""
    return xp.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _tall(xp: Namespace, x: Array, matrix: Array) -> Array:
    """Multiply every matrix of a batch by one matrix, as one product."""
    if x.ndim == 2:
        return _product(x, matrix)
    return xp.reshape(_product(_rows(xp, x), matrix), (*x.shape[:-1], matrix.shape[-1]))


def _summed(other: tuple[int, ...], own: tuple[int, ...]) -> list[int]:
    """Return the batch axes, counted from the end, along which an operand was broadcast."""
    own = (1,) * (len(other) - len(own)) + own
    return [a for a in range(-len(other), -2) if other[a] != 1 and own[a] == 1]


def _fold(xp: Namespace, x: Array, axes: list[int], into: int) -> Array:
    """Join batch axes with a matrix axis, so that a product over that one sums them too."""
    ndim = x.ndim
    joined = [axis + ndim for axis in axes]
    kept = [i for i in range(ndim - 2) if i not in joined]
    shape = [x.shape[i] for i in kept]
    size = prod(x.shape[i] for i in joined) * x.shape[into]
    if into == -2:
        order, shape = [*kept, *joined, ndim - 2, ndim - 1], [*shape, size, x.shape[-1]]
    else:
        order, shape = [*kept, ndim - 2, *joined, ndim - 1], [*shape, x.shape[-2], size]
    return xp.reshape(xp.permute_dims(x, tuple(order)), tuple(shape))


@composite
def dot(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Dot product in NumPy's sense.

    For vectors and matrices the same as :func:`matmul`; a 0-d operand scales; for a second
    operand of more axes, the sum over the last axis of ``x1`` and the last but one of ``x2``
    with all other axes kept.

    Parameters
    ----------
    x1 : (..., K) or ()
    x2 : (K,), (..., K, M) or ()

    Raises
    ------
    ShapeError
        If the sizes of the summed axes differ.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.dot([1.0, 2.0], [3.0, 4.0])
    tensor(11., dtype=float32)
    """
    x2 = _tensor_like(xp, x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return x1 * x2
    if x2.ndim <= 2:
        return xp.matmul(x1, x2)
    return xp.tensordot(x1, x2, axes=((-1,), (-2,)))


def _tensor_like(xp: Namespace, x1: Array, x2: Array) -> Array:
    """Make an array of a Python scalar, which a composite gets as it is: weak, as in ``*``."""
    return x2 if hasattr(x2, "ndim") else xp.asarray(x2, dtype=xp.result_type(x1, x2))


@standard(analytic=True)
def tensordot(xp: Namespace, x1: Array, x2: Array, /, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes.

    Parameters
    ----------
    x1, x2 : array_like
    axes : int or pair of sequences of int
        An int: the last ``axes`` axes of ``x1`` with the first ones of ``x2``. A pair: the
        axes of ``x1``, and those of ``x2`` that they are paired with.

    Returns
    -------
    Tensor
        The remaining axes of ``x1``, then those of ``x2``.

    Raises
    ------
    ShapeError
        If paired axes differ in size.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tensordot(ad.ones((2, 3)), ad.ones((3, 4)), axes=1).shape
    (2, 4)
    """


def _paired(axes: Any, ndim1: int, ndim2: int) -> tuple[list[int], list[int]]:
    """Return the summed axes of both operands of a tensordot, none of them negative."""
    if isinstance(axes, tuple | list):
        first, second = ([a] if isinstance(a, int) else list(a) for a in axes)
    else:
        count = int(axes)
        first, second = list(range(ndim1 - count, ndim1)), list(range(count))
    return [a % ndim1 for a in first], [a % ndim2 for a in second]


@tensordot.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array, x1_shape: tuple[int, ...], axes: Any) -> Array:
    ndim = len(x1_shape)
    first, second = _paired(axes, ndim, x2.ndim)
    free1 = [a for a in range(ndim) if a not in first]
    free2 = [a for a in range(x2.ndim) if a not in second]
    part = xp.tensordot(g, x2, axes=(list(range(len(free1), len(g.shape))), free2))
    # Its axes are now: the free ones of x1, then x2's summed ones in x2's order.
    partner = dict(zip(second, first, strict=True))
    order = free1 + [partner[a] for a in sorted(second)]
    return xp.permute_dims(part, tuple(order.index(a) for a in range(ndim)))


@tensordot.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2_shape: tuple[int, ...], axes: Any) -> Array:
    ndim = len(x2_shape)
    first, second = _paired(axes, x1.ndim, ndim)
    free1 = [a for a in range(x1.ndim) if a not in first]
    free2 = [a for a in range(ndim) if a not in second]
    part = xp.tensordot(x1, g, axes=(free1, list(range(len(free1)))))
    partner = dict(zip(first, second, strict=True))
    order = [partner[a] for a in sorted(first)] + free2
    return xp.permute_dims(part, tuple(order.index(a) for a in range(ndim)))


@standard
def vecdot(xp: Namespace, x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Dot products of the vectors along an axis, the first operand conjugated.

    Parameters
    ----------
    x1, x2 : (..., K)
        The vectors; all axes but ``axis`` broadcast.
    axis : int
        Where the vectors are, in each operand.

    Returns
    -------
    (...)

    Raises
    ------
    ShapeError
        If the vectors differ in length.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    tensor([3., 7.], dtype=float32)
    """


def _conj(xp: Namespace, x: Array) -> Array:
    return xp.conj(x) if x.dtype.kind == "c" else x


def _last(xp: Namespace, x: Array, axis: int) -> Array:
    return x if axis == -1 else xp.moveaxis(x, axis, -1)


def _back(xp: Namespace, x: Array, axis: int, ndim: int) -> Array:
    """Move the last axis to where it is in an operand; axes that broadcasting added lead."""
    axis = axis - ndim if axis >= 0 else axis
    return x if axis == -1 else xp.moveaxis(x, -1, axis)


@vecdot.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array, x1_shape: tuple[int, ...], axis: int) -> Array:
    part = _conj(xp, g[..., None] * _last(xp, x2, axis))  # not analytic in x1
    return _back(xp, part, axis, len(x1_shape))


@vecdot.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2_shape: tuple[int, ...], axis: int) -> Array:
    part = g[..., None] * _conj(xp, _last(xp, x1, axis))
    return _back(xp, part, axis, len(x2_shape))


@composite
def outer(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Outer product ``out[i, j] = x1[i] * x2[j]``; other operands than vectors are flattened.

    Parameters
    ----------
    x1 : (N,)
    x2 : (M,)

    Returns
    -------
    (N, M)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.outer([1.0, 2.0], [3.0, 4.0])
    tensor([[3., 4.],
            [6., 8.]], dtype=float32)
    """
    x2 = _tensor_like(xp, x1, x2)
    return xp.reshape(x1, (-1, 1)) * xp.reshape(x2, (1, -1))


@composite
def inner(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Sum of products over the last axes of both operands; a 0-d operand scales.

    Parameters
    ----------
    x1 : (..., K)
    x2 : (..., K)

    Returns
    -------
    Tensor
        The remaining axes of ``x1``, then those of ``x2``.

    Raises
    ------
    ShapeError
        If the last axes differ in size.
    """
    x2 = _tensor_like(xp, x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return x1 * x2
    return xp.tensordot(x1, x2, axes=((-1,), (-1,)))


@composite
def kron(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Kronecker product: blocks of ``x2``, each scaled by an element of ``x1``.

    Parameters
    ----------
    x1 : (..., N, M)
    x2 : (..., P, Q)
        The operand of fewer axes gets leading axes of size 1.

    Returns
    -------
    (..., N * P, M * Q)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.kron([1.0, 10.0], [1.0, 2.0])
    tensor([ 1.,  2., 10., 20.], dtype=float32)
    """
    x2 = _tensor_like(xp, x1, x2)
    ndim = max(x1.ndim, x2.ndim)
    shape1 = (1,) * (ndim - x1.ndim) + x1.shape
    shape2 = (1,) * (ndim - x2.ndim) + x2.shape
    spread1 = xp.reshape(x1, tuple(size for n in shape1 for size in (n, 1)))
    spread2 = xp.reshape(x2, tuple(size for n in shape2 for size in (1, n)))
    shape = tuple(n * p for n, p in zip(shape1, shape2, strict=True))
    return xp.reshape(spread1 * spread2, shape)


@primitive
def cross(xp: Namespace, x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Cross product of vectors of three components.

    Parameters
    ----------
    x1, x2 : (..., 3)
        All axes but ``axis`` broadcast.
    axis : int
        Where the components are, in each operand.

    Returns
    -------
    (..., 3)

    Raises
    ------
    ShapeError
        If the vectors have other than three components.

    Notes
    -----
    The triple product ``g . cross(x1, x2)`` is the same under cyclic exchange, so
    ``d/dx1 = cross(x2, g)`` and ``d/dx2 = cross(g, x1)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tensor([0., 0., 1.], dtype=float32)
    """
    return xp.linalg.cross(x1, x2, axis=axis)


@cross.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array, x1_shape: tuple[int, ...], axis: int) -> Array:
    part = xp.linalg.cross(_last(xp, x2, axis), _last(xp, g, axis))
    return _back(xp, part, axis, len(x1_shape))


@cross.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2_shape: tuple[int, ...], axis: int) -> Array:
    part = xp.linalg.cross(_last(xp, g, axis), _last(xp, x1, axis))
    return _back(xp, part, axis, len(x2_shape))


@primitive(analytic=True)
def trace(
    xp: Namespace,
    x: Array,
    /,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
) -> Array:
    """Sum along a diagonal.

    Parameters
    ----------
    x : array_like
        Of at least two axes.
    offset : int
        Which diagonal: above the main one if positive, below if negative.
    axis1, axis2 : int
        The rows and the columns. (``linalg.trace`` takes the last two axes.)
    dtype : dtype, optional
        In which to sum.

    Returns
    -------
    Tensor
        Without the two axes.

    Raises
    ------
    ShapeError
        If ``x`` has fewer than two axes.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5., dtype=float32)
    """
    return xp.trace(x, offset, axis1, axis2, dtype)


@trace.vjp
def _(
    xp: Namespace, g: Array, x_shape: tuple[int, ...], offset: int, axis1: int, axis2: int
) -> Array:
    ones = xp.eye(x_shape[axis1], x_shape[axis2], k=offset, dtype=g.dtype)
    return xp.moveaxis(g[..., None, None] * ones, (-2, -1), (axis1, axis2))
