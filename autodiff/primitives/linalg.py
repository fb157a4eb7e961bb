"""Solving, inverting, determinants, powers: functions of ``autodiff.linalg``.

The gradients are those of M. Giles, "Collected matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008), unless a function's notes say otherwise.
All of them take stacks of matrices: what is written for ``(N, N)`` holds for ``(..., N, N)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.errors import LinAlgError, NoGradientError, OptionError, describe, explain
from autodiff.namespace import Namespace, tensors
from autodiff.primitives.products import cross, matmul, outer, tensordot, vecdot
from autodiff.primitives.shapes import matrix_transpose

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = [
    "SlogdetResult", "cofactors", "cross", "det", "diagonal", "inv", "matmul", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "refuse_complex", "slogdet", "solve",
    "tensordot", "trace", "vecdot",
]  # fmt: skip

# The standard has these both at the top and here, under the same names.
for _function in (cross, matmul, matrix_transpose, outer, tensordot, vecdot):
    setattr(tensors.linalg, _function.__name__, _function)


def refuse_complex(operation: str, x: Array) -> None:
    """Raise, in a rule that holds for real matrices only, if the matrix is complex."""
    if x.dtype.kind == "c":
        message = f"{operation} of complex matrices ({describe(x)}) has no gradient here"
        raise NoGradientError(
            f"{message}: it is no analytic function. Call .detach() on its operand, "
            "or write the complex matrix as the real one [[re, -im], [im, re]]."
        )


@standard(name="linalg.inv", analytic=True)
def inv(xp: Namespace, x: Array, /) -> Array:
    """Inverse matrix.

    Parameters
    ----------
    x : (..., N, N)

    Returns
    -------
    (..., N, N)

    Raises
    ------
    LinAlgError
        If a matrix is singular or not square.

    Notes
    -----
    ``dL/dx = -outᵀ g outᵀ``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]], dtype=float32)
    """


@inv.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return -(out.mT @ g @ out.mT)


@standard(name="linalg.solve", analytic=True)
def solve(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Solve ``x1 @ out = x2``.

    Parameters
    ----------
    x1 : (..., N, N)
    x2 : (N,) or (..., N, K)
        One vector if it has one axis, else a stack of matrices (NumPy 2's rule): give a
        stack of vectors as ``(..., N, 1)``.

    Returns
    -------
    (..., N) or (..., N, K)

    Raises
    ------
    LinAlgError
        If a matrix is singular or not square.
    ShapeError
        If the sizes don't fit.

    Notes
    -----
    With ``b = solve(x1ᵀ, g)``: ``dL/dx2 = b`` and ``dL/dx1 = -b outᵀ``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    tensor([1. , 0.5], dtype=float32)
    """


@solve.vjp("x1")
def _(xp: Namespace, g: Array, x1: Array, out: Array, x2_shape: tuple[int, ...]) -> Array:
    if len(x2_shape) == 1:
        g, out = g[..., None], out[..., None]
    return -(xp.linalg.solve(x1.mT, g) @ out.mT)


@solve.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array, x2_shape: tuple[int, ...]) -> Array:
    if len(x2_shape) == 1:
        return xp.linalg.solve(x1.mT, g[..., None])[..., 0]
    return xp.linalg.solve(x1.mT, g)


@standard(name="linalg.det", analytic=True)
def det(xp: Namespace, x: Array, /) -> Array:
    """Compute the determinant.

    Parameters
    ----------
    x : (..., N, N)

    Returns
    -------
    (...)

    Raises
    ------
    LinAlgError
        If the matrices are not square.

    Notes
    -----
    ``dL/dx = g cofactors(x)``, which exists at singular matrices too; first and second
    derivatives are right there (see :func:`cofactors`).

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([[1.0, 0.0], [0.0, 0.0]], requires_grad=True)
    >>> ad.linalg.det(x).backward()
    >>> abs(x.grad)
    tensor([[0., 0.],
            [0., 1.]], dtype=float32)
    """


@det.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g[..., None, None] * xp.linalg.cofactors(x)


@primitive(name="linalg.cofactors")
def cofactors(xp: Namespace, x: Array, /) -> Array:
    """Matrix of cofactors: ``det(x) inv(x)ᵀ`` where ``x`` has an inverse, and its limit elsewhere.

    Parameters
    ----------
    x : (..., N, N)

    Returns
    -------
    (..., N, N)
        Element ``i, j`` is the derivative of the determinant by ``x[..., i, j]``.

    Raises
    ------
    LinAlgError
        If the matrices are not square.

    Notes
    -----
    With ``x = U diag(s) Vᴴ``: ``det(U) det(Vᴴ) conj(U) diag(d) Vᵀ``, where ``d[i]`` is the
    product of all singular values but ``s[i]``. Nothing is divided, so no matrix is special.
    Its own gradient is computed likewise from products of all but two singular values; third
    derivatives of the determinant go through those of the singular vectors, and so need
    distinct singular values.
    """
    _require_square("linalg.cofactors", x)
    return _in_singular_basis(xp, x, lambda s, _: _diagonal_matrix(xp, _without_one(xp, s)))


@cofactors.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    def derivative(s: Array, frame: Any) -> Array:
        # The second derivative of det at diag(s), in the directions E and F, is the sum over
        # i != j of p[i, j] (E[i, i] F[j, j] - E[i, j] F[j, i]), p lacking two singular values.
        pairs = _without_two(xp, s)
        inside = frame(g)
        ones = xp.eye(s.shape[-1], dtype=g.dtype)
        own = xp.sum(inside * ones, axis=-1)
        return _diagonal_matrix(xp, (pairs @ own[..., None])[..., 0]) - pairs * inside.mT

    return _in_singular_basis(xp, x, derivative)


def _in_singular_basis(xp: Namespace, x: Array, core: Any) -> Array:
    """Return ``det(U) det(Vᴴ) conj(U) core(s) Vᵀ`` for the singular values of a square matrix.

    ``core(s, frame)`` may use ``frame(g)``, a gradient in that basis: ``Uᴴ g V``.
    """
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    sign = xp.linalg.slogdet(u)[0] * xp.linalg.slogdet(vh)[0]
    left = xp.conj(u) if u.dtype.kind == "c" else u
    right = xp.conj(vh) if u.dtype.kind == "c" else vh
    inside = core(s, lambda g: left.mT @ g @ right.mT)
    return sign[..., None, None] * (left @ inside @ right)


def _diagonal_matrix(xp: Namespace, d: Array) -> Array:
    return d[..., None] * xp.eye(d.shape[-1], dtype=d.dtype)


def _without_one(xp: Namespace, s: Array) -> Array:
    """Return for each ``i`` the product of all elements but ``s[i]``."""
    omitted = xp.eye(s.shape[-1]) == 1
    return xp.prod(xp.where(omitted, 1.0, s[..., None, :]), axis=-1)


def _without_two(xp: Namespace, s: Array) -> Array:
    """Return for each ``i != j`` the product of all elements but those two; 0 for ``i == j``."""
    n = s.shape[-1]
    same = xp.eye(n) == 1
    omitted = same[:, None, :] | same[None, :, :]
    products = xp.prod(xp.where(omitted, 1.0, s[..., None, None, :]), axis=-1)
    return xp.where(same, 0.0, products)


def _require_square(operation: str, x: Array) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        message = f"{operation}(x: {describe(x)}): the matrices are not square"
        raise LinAlgError(f"{message}. Give an array of shape (..., N, N).")


class SlogdetResult(NamedTuple):
    """What :func:`slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


@primitive(name="linalg.slogdet")
def _slogdet(xp: Namespace, x: Array, /) -> tuple[Array, Array]:
    return tuple(xp.linalg.slogdet(x))


@_slogdet.vjp
def _(xp: Namespace, g: Any, x: Array) -> Array:
    refuse_complex("linalg.slogdet", x)
    upstream = g.parts.get(1)
    if upstream is None:
        return xp.zeros_like(x)
    try:
        inverse = xp.linalg.inv(x)
    except Exception as error:
        raise explain("the gradient of linalg.slogdet", [x], error) from error
    return upstream[..., None, None] * inverse.mT


@composite(name="linalg.slogdet")
def slogdet(xp: Namespace, x: Array, /) -> SlogdetResult:
    """Sign of the determinant and logarithm of its absolute value: no overflow.

    Parameters
    ----------
    x : (..., N, N)

    Returns
    -------
    SlogdetResult
        ``sign`` (...) and ``logabsdet`` (...); 0 and minus infinity for singular matrices.

    Raises
    ------
    LinAlgError
        If the matrices are not square; at backward, if one is singular.
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    ``dL/dx = g_logabsdet inv(x)ᵀ``; the sign's derivative is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.slogdet([[-1.0, 0.0], [0.0, 1.0]]).sign
    tensor(-1., dtype=float32)
    """
    return SlogdetResult(*_slogdet(x))


@primitive(name="linalg.pinv")
def pinv(xp: Namespace, x: Array, /, *, rtol: Any = None) -> Array:
    """Moore-Penrose pseudo-inverse.

    Parameters
    ----------
    x : (..., M, N)
    rtol : float or array_like, optional
        Singular values below ``rtol`` times the largest count as 0; at first
        ``max(M, N)`` times the dtype's epsilon.

    Returns
    -------
    (..., N, M)

    Raises
    ------
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    The gradient is that of G. H. Golub and V. Pereyra, "The differentiation of
    pseudo-inverses and nonlinear least squares problems whose variables separate" (1973),
    equation 4.12. It holds where the rank stays the same nearby: the pseudo-inverse jumps
    where it changes.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.pinv([[2.0], [0.0]])
    tensor([[0.5, 0. ]], dtype=float32)
    """
    return xp.linalg.pinv(x, rtol=getattr(rtol, "array", rtol))


@pinv.vjp
def _(xp: Namespace, g: Array, x: Array, out: Array) -> Array:
    refuse_complex("linalg.pinv", x)
    p = out
    down = g.mT @ p @ p.mT  # (M, N)
    across = p.mT @ (p @ g.mT)  # (M, N)
    return (down - x @ (p @ down)) + (across - (across @ p) @ x) - p.mT @ g @ p.mT


@primitive(name="linalg.matrix_rank", differentiable=False)
def matrix_rank(xp: Namespace, x: Array, /, *, rtol: Any = None) -> Array:
    """Count the singular values that are not negligible. It has no gradient.

    Parameters
    ----------
    x : (..., M, N)
    rtol : float or array_like, optional
        Singular values up to ``rtol`` times the largest are negligible; at first
        ``max(M, N)`` times the dtype's epsilon.

    Returns
    -------
    (...), integers

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]).item()
    1
    """
    return xp.linalg.matrix_rank(x, rtol=getattr(rtol, "array", rtol))


@composite(name="linalg.matrix_power")
def matrix_power(xp: Namespace, x: Array, /, n: int) -> Array:
    """Power of a matrix, by repeated squaring.

    Parameters
    ----------
    x : (..., N, N)
    n : int
        0 gives the identity; a negative power is that of the inverse.

    Returns
    -------
    (..., N, N)

    Raises
    ------
    LinAlgError
        If the matrices are not square, or one is singular and ``n`` negative.
    OptionError
        If ``n`` is not an integer.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)
    tensor([[1., 5.],
            [0., 1.]], dtype=float32)
    """
    _require_square("linalg.matrix_power", x)
    if not hasattr(n, "__index__"):
        message = f"linalg.matrix_power(x: {describe(x)}): the power {n!r} is not an integer"
        raise OptionError(f"{message}. Give a Python int.")
    n = n.__index__()
    if n == 0:
        return xp.zeros_like(x) + xp.eye(x.shape[-1], dtype=x.dtype)
    square = xp.linalg.inv(x) if n < 0 else x
    n, result = abs(n), None
    while True:
        if n & 1:
            result = square if result is None else result @ square
        n >>= 1
        if not n:
            return result
        square = square @ square


@composite(name="linalg.diagonal")
def diagonal(xp: Namespace, x: Array, /, *, offset: int = 0) -> Array:
    """Diagonals of a stack of matrices.

    Parameters
    ----------
    x : (..., M, N)
    offset : int
        Which diagonal: above the main one if positive, below if negative.

    Returns
    -------
    (..., K)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.diagonal([[1.0, 2.0], [3.0, 4.0]], offset=1)
    tensor([2.], dtype=float32)
    """
    return xp.diagonal(x, offset=offset, axis1=-2, axis2=-1)


@composite(name="linalg.trace")
def trace(xp: Namespace, x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Sum along the diagonal of each matrix.

    Parameters
    ----------
    x : (..., M, N)
    offset : int
        Which diagonal: above the main one if positive, below if negative.
    dtype : dtype, optional
        In which to sum.

    Returns
    -------
    (...)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5., dtype=float32)
    """
    return xp.trace(x, offset=offset, axis1=-2, axis2=-1, dtype=dtype)
