"""Matrix decompositions: ``cholesky``, ``eigh``, ``qr``, ``svd`` and what they give.

Stacks of matrices throughout: what is written for ``(M, N)`` holds for ``(..., M, N)``.
Complex matrices are decomposed; a gradient asked of them raises ``NoGradientError``.

Singular and eigenvectors are determined up to their sign, and those of equal values up to
rotations: only a loss that does not depend on that choice has a derivative. The gradient
holds terms ``1 / (w[j] - w[i])``. Where two values are *equal* they are left out, which is
right if the loss depends on the vectors of equal values through the space they span alone.
A loss that mixes them with their values, ``V f(w) Vᵀ`` say, may be smooth there, but its
gradient can't be had this way. Where two values are merely close, the terms are large, and
so are their rounding errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import LinAlgError, NoGradientError, OptionError, describe
from autodiff.namespace import Namespace
from autodiff.primitives.linalg import refuse_complex

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = [
    "EighResult", "QRResult", "SVDResult", "cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals",
]  # fmt: skip


def _symmetric(xp: Namespace, operation: str, x: Array) -> Array:
    """Return the symmetric (Hermitian) part: exactly ``x`` itself if it is symmetric."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        message = f"{operation}(x: {describe(x)}): the matrices are not square"
        raise LinAlgError(f"{message}. Give an array of shape (..., N, N).")
    return (x + (xp.conj(x.mT) if x.dtype.kind == "c" else x.mT)) * 0.5


def _half(x: Array) -> Array:
    return (x + x.mT) * 0.5


@primitive(name="linalg.cholesky")
def cholesky(xp: Namespace, x: Array, /, *, upper: bool = False) -> Array:
    """Cholesky factor of positive definite matrices: ``x = L Lᴴ`` with ``L`` lower triangular.

    Parameters
    ----------
    x : (..., N, N)
        Its symmetric part ``(x + xᴴ) / 2`` is factored, which is ``x`` for the symmetric
        matrices that it is meant for; so the gradient is symmetric.
    upper : bool
        Return ``Lᴴ``.

    Returns
    -------
    (..., N, N)

    Raises
    ------
    LinAlgError
        If a matrix is not positive definite.
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    ``dL/dx`` is the symmetric part of ``L⁻ᵀ P L⁻¹``, where ``P`` is the lower triangle of
    ``Lᵀ g`` with its diagonal halved (I. Murray, "Differentiation of the Cholesky
    decomposition", 2016).

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.cholesky([[4.0, 2.0], [2.0, 2.0]])
    tensor([[2., 0.],
            [1., 1.]], dtype=float32)
    """
    return xp.linalg.cholesky(_symmetric(xp, "linalg.cholesky", x), upper=upper)


@cholesky.vjp
def _(xp: Namespace, g: Array, out: Array, upper: bool) -> Array:
    refuse_complex("linalg.cholesky", out)
    factor, g = (out.mT, g.mT) if upper else (out, g)
    n = factor.shape[-1]
    weight = xp.tril(xp.ones((n, n), dtype=g.dtype)) - 0.5 * xp.eye(n, dtype=g.dtype)
    inside = xp.linalg.solve(factor.mT, weight * (factor.mT @ g))
    return _half(xp.linalg.solve(factor.mT, inside.mT))


def _inverse(xp: Namespace, x: Array) -> Array:
    """Return ``1 / x``, and 0 where ``x`` is 0."""
    zero = x == 0
    return xp.where(zero, 0.0, 1 / xp.where(zero, 1.0, x))


def _skew(x: Array) -> Array:
    return x - x.mT


def _diagonal_matrix(xp: Namespace, d: Array) -> Array:
    return d[..., None] * xp.eye(d.shape[-1], dtype=d.dtype)


class EighResult(NamedTuple):
    """What :func:`eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@primitive(name="linalg.eigh")
def _eigh(xp: Namespace, x: Array, /) -> tuple[Array, Array]:
    return tuple(xp.linalg.eigh(_symmetric(xp, "linalg.eigh", x)))


@_eigh.vjp
def _(xp: Namespace, g: Any, out: tuple[Array, Array]) -> Array:
    values, vectors = out
    refuse_complex("linalg.eigh", vectors)
    g_values, g_vectors = g.parts.get(0), g.parts.get(1)
    if g_vectors is None:
        return (vectors * g_values[..., None, :]) @ vectors.mT
    inside = _inverse(xp, values[..., None, :] - values[..., :, None])
    inside = inside * (vectors.mT @ g_vectors)
    if g_values is not None:
        inside = inside + _diagonal_matrix(xp, g_values)
    return _half(vectors @ inside @ vectors.mT)


@composite(name="linalg.eigh")
def eigh(xp: Namespace, x: Array, /) -> EighResult:
    """Eigenvalues, ascending, and eigenvectors of symmetric (Hermitian) matrices.

    Parameters
    ----------
    x : (..., N, N)
        Its symmetric part ``(x + xᴴ) / 2`` is decomposed, which is ``x`` for the symmetric
        matrices that it is meant for; so the gradient is symmetric.

    Returns
    -------
    EighResult
        ``eigenvalues`` (..., N) and ``eigenvectors`` (..., N, N), one a column.

    Raises
    ------
    LinAlgError
        If the matrices are not square, or the iteration does not converge.
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    With ``x = V diag(w) Vᵀ``, ``dL/dx`` is the symmetric part of
    ``V (diag(g_w) + F * (Vᵀ g_V)) Vᵀ``, ``F[i, j] = 1 / (w[j] - w[i])`` off the diagonal
    (Giles 2008, section 3.1). Where two eigenvalues are equal, ``F`` is 0: right for a loss
    that depends on their vectors through the space that they span alone.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    tensor([1., 2.], dtype=float32)
    """
    return EighResult(*_eigh(x))


@primitive(name="linalg.eigvalsh")
def eigvalsh(xp: Namespace, x: Array, /) -> Array:
    """Eigenvalues, ascending, of symmetric (Hermitian) matrices.

    Parameters
    ----------
    x : (..., N, N)
        Its symmetric part is taken, as :func:`eigh` does.

    Returns
    -------
    (..., N)

    Raises
    ------
    LinAlgError
        If the matrices are not square, or the iteration does not converge.
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    ``dL/dx = V diag(g) Vᵀ``; the eigenvectors are computed at backward only.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.eigvalsh([[2.0, 0.0], [0.0, 1.0]])
    tensor([1., 2.], dtype=float32)
    """
    return xp.linalg.eigvalsh(_symmetric(xp, "linalg.eigvalsh", x))


@eigvalsh.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    refuse_complex("linalg.eigvalsh", x)
    vectors = xp.linalg.eigh(_half(x))[1]
    return (vectors * g[..., None, :]) @ vectors.mT


class QRResult(NamedTuple):
    """What :func:`qr` returns."""

    Q: Tensor
    R: Tensor


@primitive(name="linalg.qr")
def _qr(xp: Namespace, x: Array, /, *, mode: str = "reduced") -> tuple[Array, Array]:
    if mode not in ("reduced", "complete"):
        message = f"linalg.qr(x: {describe(x)}): mode {mode!r} is unknown"
        raise OptionError(f"{message}. Use 'reduced' or 'complete'.")
    return tuple(xp.linalg.qr(x, mode=mode))


@_qr.vjp
def _(xp: Namespace, g: Any, x: Array, out: tuple[Array, Array]) -> Array:
    q, r = out
    refuse_complex("linalg.qr", q)
    m, n = x.shape[-2:]
    if q.shape[-1] > n:
        message = f"linalg.qr(x: {describe(x)}, mode='complete') has no gradient"
        raise NoGradientError(
            f"{message}: the last {m - n} columns of Q are any basis. Use mode='reduced'."
        )
    g_q, g_r = g.filled(xp)
    if m >= n:
        return _through_qr(xp, q, r, g_q, g_r)
    # A wide matrix is [square, rest], its R is [R of the square, Qᵀ rest].
    rest, g_rest = x[..., m:], g_r[..., m:]
    g_square = _through_qr(xp, q, r[..., :m], g_q + rest @ g_rest.mT, g_r[..., :m])
    return xp.concat([g_square, q @ g_rest], axis=-1)


def _through_qr(xp: Namespace, q: Array, r: Array, g_q: Array, g_r: Array) -> Array:
    n = r.shape[-1]
    inside = r @ g_r.mT - g_q.mT @ q
    lower = xp.tril(xp.ones((n, n), dtype=q.dtype))
    inside = inside * lower + (inside * (lower - xp.eye(n, dtype=q.dtype))).mT
    return xp.linalg.solve(r, (g_q + q @ inside).mT).mT


@composite(name="linalg.qr")
def qr(xp: Namespace, x: Array, /, *, mode: str = "reduced") -> QRResult:
    """Factors of ``x = Q R``, ``Q`` with orthonormal columns, ``R`` upper triangular.

    Parameters
    ----------
    x : (..., M, N)
    mode : {'reduced', 'complete'}
        With ``K = min(M, N)``: ``Q`` (..., M, K) and ``R`` (..., K, N); or (..., M, M) and
        (..., M, N).

    Returns
    -------
    QRResult
        ``Q`` and ``R``.

    Raises
    ------
    OptionError
        If the mode is neither.
    LinAlgError
        At backward, if the first K columns are linearly dependent.
    NoGradientError
        At backward: if the matrices are complex, or ``M > N`` in mode ``'complete'``.

    Notes
    -----
    For ``M >= N``: ``dL/dx = (g_Q + Q S) R⁻ᵀ``, where ``S`` is the symmetric matrix with the
    lower triangle of ``R g_Rᵀ - g_Qᵀ Q`` (M. Seeger et al., "Auto-differentiating linear
    algebra", 2017). For ``M < N`` the square part and the rest are taken apart (D. Roberts
    and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms", 2020).

    Examples
    --------
    >>> import autodiff as ad
    >>> q, r = ad.linalg.qr([[1.0, 2.0], [0.0, 3.0]])
    >>> q @ r
    tensor([[1., 2.],
            [0., 3.]], dtype=float32)
    """
    return QRResult(*_qr(x, mode=mode))


class SVDResult(NamedTuple):
    """What :func:`svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@primitive(name="linalg.svd")
def _svd(xp: Namespace, x: Array, /, *, full_matrices: bool = True) -> tuple[Array, Array, Array]:
    return tuple(xp.linalg.svd(x, full_matrices=full_matrices))


@_svd.vjp
def _(xp: Namespace, g: Any, x_shape: tuple[int, ...], out: tuple[Array, Array, Array]) -> Array:
    u, s, vh = out
    refuse_complex("linalg.svd", u)
    m, n, k = *x_shape[-2:], s.shape[-1]
    g_u, g_s, g_vh = (g.parts.get(i) for i in range(3))
    u, vh = u[..., :k], vh[..., :k, :]
    g_u = None if g_u is None else _thin(g_u, x_shape, k)
    g_v = None if g_vh is None else _thin(g_vh.mT, x_shape, k)
    if g_u is None and g_v is None:
        return (u * g_s[..., None, :]) @ vh
    turn_u = 0 if g_u is None else _skew(u.mT @ g_u)
    turn_v = 0 if g_v is None else _skew(vh @ g_v)
    rows, columns = s[..., :, None], s[..., None, :]
    inside = (turn_u + turn_v) * _inverse(xp, columns - rows)
    inside = (inside + (turn_u - turn_v) * _inverse(xp, columns + rows)) * 0.5
    if g_s is not None:
        inside = inside + _diagonal_matrix(xp, g_s)
    result = u @ inside @ vh
    # What turns a vector out of the space that all K of them span.
    inverse = _inverse(xp, s)
    if g_u is not None and m > k:
        result = result + (g_u - u @ (u.mT @ g_u)) * inverse[..., None, :] @ vh
    if g_v is not None and n > k:
        result = result + (u * inverse[..., None, :]) @ (g_v - vh.mT @ (vh @ g_v)).mT
    return result


def _thin(g: Array, shape: tuple[int, ...], k: int) -> Array:
    """Cut the gradient of singular vectors to the first K, if there is none for the others."""
    if g.shape[-1] > k and (g[..., k:] != 0).any():
        message = f"linalg.svd of {shape} matrices with full_matrices=True: a gradient reached"
        raise NoGradientError(
            f"{message} singular vectors after the first {k}, which are any basis of a space. "
            "Use full_matrices=False, or slice them off."
        )
    return g[..., :k]


@composite(name="linalg.svd")
def svd(xp: Namespace, x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """Singular value decomposition ``x = U diag(S) Vh``, the values descending.

    Parameters
    ----------
    x : (..., M, N)
    full_matrices : bool
        Whether to complete ``U`` and ``Vh`` to square matrices. The vectors added are any
        basis of the rest of the space: no gradient flows through them.

    Returns
    -------
    SVDResult
        With ``K = min(M, N)``: ``U`` (..., M, M) or (..., M, K), ``S`` (..., K), ``Vh``
        (..., N, N) or (..., K, N).

    Raises
    ------
    LinAlgError
        If the iteration does not converge.
    NoGradientError
        At backward: if the matrices are complex, or a gradient reaches vectors that
        ``full_matrices=True`` added.

    Notes
    -----
    ``dL/dx = U (diag(g_S) + T) Vᵀ``, plus ``(1 - U Uᵀ) g_U S⁻¹ Vᵀ`` where ``M > N``, plus
    ``U S⁻¹ g_Vᵀ (1 - V Vᵀ)`` where ``M < N`` (J. Townsend, "Differentiating the singular
    value decomposition", 2016). With the antisymmetric parts ``A = Uᵀ g_U - g_Uᵀ U`` and
    ``B = Vᵀ g_V - g_Vᵀ V``, the turn is here split into one of both bases together and one
    against each other::

        2 T[i, j] = (A + B)[i, j] / (s[j] - s[i]) + (A - B)[i, j] / (s[j] + s[i])

    A loss that does not depend on the choice of the vectors of equal singular values has
    ``A + B = 0`` between them, and only that term is left out there; ``1 / s`` is taken as 0
    where ``s`` is 0.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.svd([[3.0, 0.0], [0.0, 4.0]]).S
    tensor([4., 3.], dtype=float32)
    """
    return SVDResult(*_svd(x, full_matrices=full_matrices))


@primitive(name="linalg.svdvals")
def svdvals(xp: Namespace, x: Array, /) -> Array:
    """Singular values, descending.

    Parameters
    ----------
    x : (..., M, N)

    Returns
    -------
    (..., K)
        ``K = min(M, N)``.

    Raises
    ------
    LinAlgError
        If the iteration does not converge.
    NoGradientError
        At backward, if the matrices are complex.

    Notes
    -----
    ``dL/dx = U diag(g) Vᵀ``; the singular vectors are computed at backward only.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linalg.svdvals([[3.0, 0.0], [0.0, 4.0]])
    tensor([4., 3.], dtype=float32)
    """
    return xp.linalg.svd(x, compute_uv=False)


@svdvals.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    refuse_complex("linalg.svdvals", x)
    u, _, vh = xp.linalg.svd(x, full_matrices=False)
    return (u * g[..., None, :]) @ vh
