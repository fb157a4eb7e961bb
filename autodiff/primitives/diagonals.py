"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.errors import ShapeError, describe
from autodiff.namespace import Namespace

__all__ = ["diag", "diagonal", "tril", "triu"]

Shape = tuple[int, ...]


@standard(analytic=True)
def diagonal(xp: Namespace, x: Array, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Take a diagonal of the matrices that two axes make; it becomes the last axis.

    Parameters
    ----------
    x : (..., M, ..., N, ...)
    offset : int
        0: the main diagonal; above it where positive, below where negative.
    axis1, axis2 : int
        The axes of the matrices' rows and columns.

    Raises
    ------
    ShapeError, AxisError
        If there are fewer than two axes, or not those.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.diagonal([[1, 2], [3, 4]])
    tensor([1, 4], dtype=int64)
    """


@diagonal.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, offset: int, axis1: int, axis2: int) -> Array:
    ends = axis1 % len(x_shape), axis2 % len(x_shape)
    others = tuple(n for i, n in enumerate(x_shape) if i not in ends)
    matrices = (*others, x_shape[ends[0]], x_shape[ends[1]])
    placed = xp.scatter(g, (..., *_places(g.shape[-1], offset)), matrices, unique=True)
    return xp.moveaxis(placed, (-2, -1), ends)


def _places(length: int, offset: int) -> tuple[Any, Any]:
    """Return the rows and columns of a diagonal."""
    i = np.arange(length)  # integers for an index, in NumPy whatever is indexed
    return i + max(-offset, 0), i + max(offset, 0)


@composite
def diag(xp: Namespace, x: Array, /, k: int = 0) -> Any:
    """Make the square matrix with a given diagonal, or take a matrix's diagonal.

    Parameters
    ----------
    x : (N,) or (M, N)
    k : int
        Which diagonal: see the ``offset`` of :func:`diagonal`.

    Returns
    -------
    ``(N + |k|, N + |k|)``, zero elsewhere; or the diagonal

    Raises
    ------
    ShapeError
        If ``x`` has neither one axis nor two.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.diag([1, 2])
    tensor([[1, 0],
            [0, 2]], dtype=int64)
    """
    if len(x.shape) == 2:
        return xp.diagonal(x, offset=k)
    if len(x.shape) != 1:
        message = f"diag(x: {describe(x)}): neither a vector nor a matrix"
        raise ShapeError(f"{message}. For batches of matrices use diagonal.")
    (n,) = x.shape
    return xp.scatter(x, _places(n, k), (n + abs(k), n + abs(k)), unique=True)


def _with_axes(name: str, x: Array) -> Array:
    if x.ndim:
        return x
    message = f"{name}(x: {describe(x)}): a number has no diagonals"
    raise ShapeError(f"{message}. Give matrices, of shape (..., M, N).")


@primitive(analytic=True)
def tril(xp: Namespace, x: Array, /, *, k: int = 0) -> Array:
    """Lower triangles: matrices with zeros above their ``k``-th diagonal.

    Parameters
    ----------
    x : (..., M, N)
    k : int
        0 keeps the main diagonal and what is below it, 1 one diagonal more, ...

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tril([[1, 2], [3, 4]])
    tensor([[1, 0],
            [3, 4]], dtype=int64)
    """
    return xp.tril(_with_axes("tril", x), k=k)


@tril.vjp
def _(xp: Namespace, g: Array, k: int) -> Array:
    return xp.tril(g, k=k)


@primitive(analytic=True)
def triu(xp: Namespace, x: Array, /, *, k: int = 0) -> Array:
    """Upper triangles: matrices with zeros below their ``k``-th diagonal.

    Parameters
    ----------
    x : (..., M, N)
    k : int
        0 keeps the main diagonal and what is above it, -1 one diagonal more, ...

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.triu([[1, 2], [3, 4]])
    tensor([[1, 2],
            [0, 4]], dtype=int64)
    """
    return xp.triu(_with_axes("triu", x), k=k)


@triu.vjp
def _(xp: Namespace, g: Array, k: int) -> Array:
    return xp.triu(g, k=k)
