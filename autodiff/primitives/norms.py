"""Norms of vectors and matrices."""

from __future__ import annotations

from math import inf

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import OptionError, ShapeError, describe
from autodiff.namespace import Namespace, tensors
from autodiff.primitives.along import axes_of
from autodiff.primitives.pieces import by_extremum, by_sign, by_zero
from autodiff.primitives.reductions import restored

__all__ = ["matrix_norm", "norm", "vector_norm"]

Axis = int | tuple[int, ...] | None


@primitive(name="linalg.vector_norm")
def vector_norm(
    xp: Namespace, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Array:
    """Norm of vectors.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
        The axes whose elements make one vector; all of them where None.
    keepdims : bool
        Keep the reduced axes, with size 1.
    ord : float
        ``sum(abs(x) ** ord) ** (1 / ord)``. ``inf`` and ``-inf`` give the largest and the
        smallest absolute value, 0 the number of elements other than 0.

    Returns
    -------
    Tensor
        Real.

    Notes
    -----
    For ``ord`` 2 the gradient is ``g x / out``, in general
    ``g sign(x) (abs(x) / out) ** (ord - 1)``; at the zero vector, and where an element's
    derivative does not exist or is infinite (``ord`` up to 1, at 0), it is 0. Elements that
    tie for ``inf`` and ``-inf`` share it equally; for ``ord`` 0 it is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([3.0, 4.0], requires_grad=True)
    >>> ad.linalg.vector_norm(x).backward()
    >>> x.grad
    tensor([0.6, 0.8], dtype=float32)
    """
    return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


@vector_norm.vjp
def _(
    xp: Namespace, g: Array, x: Array, out: Array, axis: Axis, keepdims: bool, ord: float
) -> Array:
    g = restored(xp, g, x.shape, axis, keepdims)
    out = restored(xp, out, x.shape, axis, keepdims)
    if ord == 2:
        return x * (g / xp.where(out == 0, inf, out))
    if ord == 0:
        return xp.zeros_like(x)
    sign = xp.sign(x)
    if ord == 1:
        return g * sign
    size = xp.abs(x)
    if ord in (inf, -inf):
        ties = (size == out).astype(g.dtype)
        return sign * ties * (g / xp.sum(ties, axis=axis, keepdims=True))
    ratio = size / xp.where(out == 0, 1, out)
    powers = xp.where(ratio == 0, 1, ratio) ** (ord - 1)
    if ord < 0:  # an element that is 0 makes the norm 0, whatever the others are
        powers = xp.where(out == 0, 0, powers)
    return g * sign * powers  # sign is 0 where an element is


@vector_norm.branches
def _(out: Array, x: Array, *, axis: Axis, keepdims: bool, ord: float) -> Array:
    if ord == 2:
        return by_zero(out)
    if ord in (inf, -inf):
        return by_sign(out, x) * by_extremum(out, abs(x), axis=axis, keepdims=keepdims)
    return by_sign(out, x)


@composite(name="linalg.matrix_norm")
def matrix_norm(
    xp: Namespace, x: Array, /, *, keepdims: bool = False, ord: float | str = "fro"
) -> Array:
    """Norm of matrices.

    Parameters
    ----------
    x : (..., M, N)
    keepdims : bool
        Keep the last two axes, with size 1.
    ord : {'fro', 'nuc', 1, -1, 2, -2, inf, -inf}
        Frobenius; nuclear (the sum of the singular values); largest and smallest column sum
        of absolute values; largest and smallest singular value; largest and smallest row sum.

    Returns
    -------
    (...) or (..., 1, 1)

    Raises
    ------
    OptionError
        If ``ord`` is none of these.
    ShapeError
        If ``x`` has fewer than two axes.

    Notes
    -----
    The gradient is 0 at the zero matrix, and along singular vectors whose value is 0.
    Columns, rows and singular values that tie share theirs as :func:`autodiff.max` does.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.matrix_norm([[3.0, 0.0], [4.0, 1.0]], ord=1)
    tensor(7., dtype=float32)
    """
    if x.ndim < 2:
        message = f"linalg.matrix_norm(x: {describe(x)}): a matrix has two axes"
        raise ShapeError(f"{message}. Use vector_norm, or reshape.")
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in (1, -1, inf, -inf):
        sums = xp.sum(xp.abs(x), axis=-2 if abs(ord) == 1 else -1)
        result = xp.max(sums, axis=-1) if ord > 0 else xp.min(sums, axis=-1)
    elif ord in (2, -2, "nuc"):
        values = xp.abs(xp.linalg.svdvals(x))  # abs chooses the subgradient 0 where one is 0
        reduce = xp.sum if ord == "nuc" else xp.max if ord == 2 else xp.min
        result = reduce(values, axis=-1)
    else:
        message = f"linalg.matrix_norm(x: {describe(x)}): ord {ord!r} is unknown"
        raise OptionError(f"{message}. Use 'fro', 'nuc', 1, -1, 2, -2, inf or -inf.")
    return result[..., None, None] if keepdims else result


@composite(name="linalg.norm")
def norm(
    xp: Namespace,
    x: Array,
    /,
    ord: float | str | None = None,
    axis: Axis = None,
    keepdims: bool = False,
) -> Array:
    """Norm of vectors or matrices, in NumPy's sense.

    Parameters
    ----------
    x : array_like
    ord : float, 'fro', 'nuc' or None
        None: the square root of the sum of squares, over whatever axes. Otherwise see
        :func:`autodiff.linalg.vector_norm` and :func:`autodiff.linalg.matrix_norm`.
    axis : int, pair of int or None
        An int: norms of vectors. A pair: norms of matrices. None: of the whole array.
    keepdims : bool
        Keep the reduced axes, with size 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If ``ord`` is given for a whole array that is neither a vector nor a matrix.

    Notes
    -----
    The gradient is 0 where the norm is.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([0.0, 0.0], requires_grad=True)
    >>> ad.norm(x).backward()
    >>> x.grad
    tensor([0., 0.], dtype=float32)
    """
    if ord is None:
        return vector_norm(x, axis=axis, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axes_of(axis)
    if len(axes) == 1:
        if isinstance(ord, str):
            message = f"linalg.norm(x: {describe(x)}, ord={ord!r}): vectors have no such norm"
            raise OptionError(f"{message}. Give a number, or a pair of axes.")
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        message = f"linalg.norm(x: {describe(x)}, ord={ord!r}): neither a vector nor a matrix"
        raise ShapeError(f"{message}. Give one axis or a pair of axes, or leave ord out.")
    result = matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=ord)
    if not keepdims:
        return result
    kept = {axis % x.ndim for axis in axes}
    return xp.reshape(result, tuple(1 if i in kept else n for i, n in enumerate(x.shape)))


setattr(tensors, "norm", norm)  # noqa: B010 - the namespace's attributes are dynamic
