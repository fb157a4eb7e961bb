"""Linear algebra beyond its cases: singular and degenerate matrices, complex ones, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
from autodiff import linalg
from autodiff.errors import LinAlgError, NoGradientError, OptionError, ShapeError
from tests.differences import derivative

RNG = np.random.default_rng(11)


def gradient(function, x):
    leaf = ad.tensor(x, requires_grad=True)
    function(leaf).backward()
    return leaf.grad.numpy()


def check(function, x, tolerance=1e-7):
    """The gradient of a scalar function against differences."""
    expected = derivative(lambda v: float(function(ad.tensor(v))), [x], 0)
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(gradient(function, x), expected, atol=tolerance * scale)


def orthogonal(n):
    return np.linalg.qr(RNG.standard_normal((n, n)))[0]


# -- the namespace ------------------------------------------------------------------------


STANDARD = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_extension_is_complete(name):
    assert name in linalg.__all__
    assert getattr(ad.linalg, name) is getattr(ad.namespace.tensors.linalg, name)


def test_results_are_the_standard_s_named_tuples():
    x = np.eye(2)
    assert linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert linalg.qr(x)._fields == ("Q", "R")
    assert linalg.svd(x)._fields == ("U", "S", "Vh")
    assert linalg.slogdet(x)._fields == ("sign", "logabsdet")


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 4, 2)])
def test_svd_full_matrices_by_default(shape):
    *batch, m, n = shape
    u, s, vh = linalg.svd(RNG.standard_normal(shape))
    assert (u.shape, s.shape, vh.shape) == ((*batch, m, m), (*batch, min(m, n)), (*batch, n, n))


def test_numpy_functions_on_tensors():
    x = ad.tensor(RNG.standard_normal((3, 3)), requires_grad=True)
    np.linalg.det(x).backward()
    expected = np.linalg.det(x.detach().numpy()) * np.linalg.inv(x.detach().numpy()).T
    np.testing.assert_allclose(x.grad.numpy(), expected)


# -- determinants ---------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_cofactors_of_singular_matrices(rank):
    """Each element is the determinant of what remains without its row and column."""
    n = 3
    x = RNG.standard_normal((n, rank)) @ RNG.standard_normal((rank, n))
    minors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)]
        for i in range(n)
    ]
    np.testing.assert_allclose(linalg.cofactors(x).numpy(), minors, atol=1e-12)
    np.testing.assert_allclose(gradient(linalg.det, x), minors, atol=1e-12)


def test_det_with_repeated_singular_values_to_second_order():
    x = ad.tensor(orthogonal(3), requires_grad=True)
    (g,) = ad.grad(linalg.det(x), [x], create_graph=True)
    direction = RNG.standard_normal((3, 3))
    (product,) = ad.grad((g * direction).sum(), [x])

    def slope(h):
        return gradient(linalg.det, x.detach().numpy() + h * direction)

    np.testing.assert_allclose(product.numpy(), (slope(1e-5) - slope(-1e-5)) / 2e-5, atol=1e-8)


def test_slogdet_of_huge_and_of_singular_matrices():
    x = 1e30 * np.eye(20, dtype=np.float32)
    result = linalg.slogdet(x)
    assert result.logabsdet.item() == pytest.approx(20 * math.log(1e30), rel=1e-6)
    singular = ad.tensor(np.ones((2, 2)), requires_grad=True)
    result = linalg.slogdet(singular)
    assert result.sign.item() == 0
    assert result.logabsdet.item() == -math.inf
    with pytest.raises(LinAlgError, match=r"gradient of linalg.slogdet.*\(2, 2\) float64"):
        result.logabsdet.backward()


def test_the_sign_of_a_determinant_has_gradient_zero():
    assert not gradient(lambda x: linalg.slogdet(x).sign, np.eye(2)).any()


# -- degenerate decompositions ----------------------------------------------------------------


def test_eigh_with_repeated_eigenvalues():
    """A loss that does not depend on the choice of eigenvectors has a gradient."""
    q = orthogonal(4)
    x = q @ np.diag([1.0, 1.0, 1.0, 3.0]) @ q.T
    x = (x + x.T) / 2

    exact = np.diag([1.0, 2.0, 2.0])  # eigenvalues that are equal to the last bit

    def projector(x):  # onto the space of the two equal ones
        vectors = linalg.eigh(x).eigenvectors[:, 1:]
        return ((vectors @ vectors.mT) * np.arange(9.0).reshape(3, 3)).sum()

    check(projector, exact, tolerance=1e-6)
    check(lambda x: 2 - projector(x), exact, tolerance=1e-6)
    check(lambda x: (linalg.eigvalsh(x) ** 3).sum(), x, tolerance=1e-6)
    assert np.isfinite(gradient(lambda x: (linalg.eigh(x)[1] ** 2).sum(), np.eye(3))).all()


def test_svd_with_repeated_and_zero_singular_values():
    def nuclear(x):
        return linalg.svd(x, full_matrices=False).S.sum()

    check(nuclear, 2.0 * orthogonal(3), tolerance=1e-6)

    def polar(x):  # the nearest orthogonal matrix does not depend on the choice of vectors
        u, _, vh = linalg.svd(x, full_matrices=False)
        return ((u @ vh) * np.arange(9.0).reshape(3, 3)).sum()

    check(polar, np.eye(3), tolerance=1e-6)
    check(polar, np.diag([2.0, 2.0, 1.0]), tolerance=1e-6)
    rank_one = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])
    assert np.isfinite(gradient(nuclear, rank_one)).all()
    assert np.isfinite(gradient(polar, np.zeros((3, 3)))).all()
    tall = np.zeros((3, 2))
    assert np.isfinite(gradient(lambda x: linalg.svd(x, full_matrices=False).U[0, 0], tall)).all()


def test_svd_without_the_vectors_of_full_matrices():
    x = RNG.standard_normal((4, 2))

    def through_thin(x):
        u, s, vh = linalg.svd(x)
        return (u[:, :2] * s @ vh * np.arange(8.0).reshape(4, 2)).sum() + (u[:, :2] ** 4).sum()

    check(through_thin, x)
    leaf = ad.tensor(x, requires_grad=True)
    with pytest.raises(NoGradientError, match="full_matrices=False"):
        (linalg.svd(leaf).U ** 4).sum().backward()


def test_qr_complete_of_a_tall_matrix_has_no_gradient():
    x = ad.tensor(RNG.standard_normal((3, 2)), requires_grad=True)
    q, _ = linalg.qr(x, mode="complete")
    assert q.shape == (3, 3)
    with pytest.raises(NoGradientError, match="mode='reduced'"):
        q.sum().backward()


@pytest.mark.parametrize(
    "function", [linalg.cholesky, lambda x: linalg.eigh(x)[0], linalg.eigvalsh]
)
def test_the_symmetric_part_is_decomposed(function):
    """A function of every element, with a symmetric gradient."""
    x = RNG.standard_normal((3, 3)) + 4 * np.eye(3)
    np.testing.assert_array_equal(function(x).numpy(), function((x + x.T) / 2).numpy())
    g = gradient(lambda x: (function(x) ** 3).sum(), x)
    np.testing.assert_allclose(g, g.T)


def test_pinv_of_rank_deficient_matrices_keeping_their_rank():
    a, b = RNG.standard_normal((4, 2)), RNG.standard_normal((2, 3))
    weight = RNG.standard_normal((3, 4))
    check(lambda a: (linalg.pinv(a @ ad.tensor(b)) * weight).sum(), a, tolerance=1e-6)


@pytest.mark.parametrize("offset", [0, 1, -1])
def test_trace_and_diagonal_take_the_last_two_axes(offset):
    x = RNG.standard_normal((2, 3, 4))
    diagonals = linalg.diagonal(x, offset=offset)
    np.testing.assert_array_equal(diagonals.numpy(), np.linalg.diagonal(x, offset=offset))
    np.testing.assert_allclose(linalg.trace(x, offset=offset).numpy(), diagonals.numpy().sum(-1))
    check(lambda x: (linalg.trace(x, offset=offset) ** 2).sum(), x)
    check(lambda x: (linalg.diagonal(x, offset=offset) ** 2).sum(), x)


# -- powers, norms ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 7])
def test_matrix_power(n):
    x = RNG.standard_normal((2, 3, 3)) + 2 * np.eye(3)
    result = linalg.matrix_power(x, n)
    np.testing.assert_allclose(result.numpy(), np.linalg.matrix_power(x, n), rtol=1e-11, atol=1e-11)
    if n:
        weight = RNG.standard_normal(x.shape)
        check(lambda x: (linalg.matrix_power(x, n) * weight).sum(), x, tolerance=1e-6)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norm(ord, keepdims):
    x = RNG.standard_normal((2, 3, 4))
    result = linalg.matrix_norm(x, ord=ord, keepdims=keepdims)
    expected = np.linalg.matrix_norm(x, ord=ord, keepdims=keepdims)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13)
    check(lambda x: (linalg.matrix_norm(x, ord=ord) * np.array([1.0, 2.0])).sum(), x)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3,), {}), ((2, 3), {}), ((2, 3, 4), {}), ((), {}), ((3,), {"ord": 3}),
        ((2, 3), {"ord": "fro"}), ((2, 3), {"ord": 2}), ((2, 3), {"axis": 0, "ord": 1}),
        ((2, 3, 4), {"axis": (0, 2), "ord": "nuc"}), ((2, 3, 4), {"axis": (2, 0), "ord": 1}),
        ((2, 3, 4), {"axis": (-1, 0), "ord": np.inf, "keepdims": True}),
        ((2, 3, 4), {"axis": (1, 2)}), ((3,), {"ord": np.inf, "keepdims": True}),
        ((2, 3), {"ord": 2, "keepdims": True}),
    ],
)  # fmt: skip
def test_norm_follows_numpy(shape, options):
    x = RNG.standard_normal(shape)
    result = ad.norm(x, **options)
    expected = np.linalg.norm(x, **options)
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13)
    check(lambda x: ad.norm(x, **options).sum(), x)
    assert ad.linalg.norm is ad.norm


@pytest.mark.parametrize("ord", [0, 0.5, 1, 1.5, 2, 3, np.inf, -np.inf, "fro", "nuc"])
def test_norms_at_zero_have_gradient_zero(ord):
    shape = (2, 2) if isinstance(ord, str) else (3,)
    for function in (lambda x: ad.norm(x, ord=ord), lambda x: ad.norm(x, ord=ord) ** 2):
        assert not gradient(function, np.zeros(shape, np.float32)).any()


def test_norm_beside_a_zero_vector_to_second_order():
    x = ad.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    (g,) = ad.grad(linalg.vector_norm(x, axis=-1).sum(), [x], create_graph=True)
    (second,) = ad.grad((g * g).sum() + g.sum(), [x])
    assert np.isfinite(second.numpy()).all()
    np.testing.assert_allclose(g.detach().numpy(), [[0, 0], [0.6, 0.8]], rtol=1e-6)


def test_norms_share_ties():
    x = np.array([3.0, -3.0, 1.0])
    np.testing.assert_allclose(gradient(lambda x: ad.norm(x, ord=np.inf), x), [0.5, -0.5, 0])


def test_norms_of_large_float32_neither_overflow_nor_warn():
    x = np.full(3, 1e4, np.float32)
    for ord in (1, 2, 3, 0.5, np.inf):
        g = gradient(lambda x, p=ord: ad.norm(x, ord=p), x)
        assert g.dtype == np.float32
        assert np.isfinite(g).all()


def test_norm_of_complex_vectors():
    a, b = RNG.standard_normal(3), RNG.standard_normal(3)
    for ord in (1, 2, 3, np.inf):
        check(lambda a, p=ord: ad.norm(a + 1j * ad.tensor(b), ord=p), a)
        check(lambda b, p=ord: ad.norm(ad.tensor(a) + 1j * b, ord=p), b)


# -- complex matrices ---------------------------------------------------------------------------


def hermitian():
    x = RNG.standard_normal((3, 3)) + 1j * RNG.standard_normal((3, 3))
    return x @ x.conj().T + np.eye(3)


def test_complex_matrices_are_decomposed():
    x = hermitian()
    np.testing.assert_allclose(linalg.cholesky(x).numpy(), np.linalg.cholesky(x))
    np.testing.assert_allclose(linalg.eigvalsh(x).numpy(), np.linalg.eigvalsh(x))
    values, vectors = linalg.eigh(x)
    np.testing.assert_allclose(((vectors * values) @ ad.conj(vectors.mT)).numpy(), x)
    u, s, vh = linalg.svd(x)
    np.testing.assert_allclose(((u * s) @ vh).numpy(), x)
    q, r = linalg.qr(x)
    np.testing.assert_allclose((q @ r).numpy(), x)
    np.testing.assert_allclose(linalg.pinv(x).numpy(), np.linalg.inv(x))
    np.testing.assert_allclose(linalg.slogdet(x).logabsdet.numpy(), np.linalg.slogdet(x)[1])


ANALYTIC = [
    ("inv", linalg.inv),
    ("det", linalg.det),
    ("solve", lambda z: linalg.solve(z, np.array([1.0, 2.0, 3.0]))),
    ("matrix_power", lambda z: linalg.matrix_power(z, -2)),
    ("cofactors", linalg.cofactors),
]


@pytest.mark.parametrize(("name", "function"), ANALYTIC, ids=[name for name, _ in ANALYTIC])
def test_analytic_functions_of_complex_matrices(name, function):
    a, b = RNG.standard_normal((2, 3, 3))

    def loss(z):
        y = function(z)
        return (ad.real(y) + 2 * ad.imag(y)).sum()

    check(lambda a: loss(a + 1j * ad.tensor(b)), a, tolerance=1e-6)
    check(lambda b: loss(ad.tensor(a) + 1j * b), b, tolerance=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        linalg.cholesky, linalg.eigvalsh, linalg.svdvals, linalg.pinv,
        lambda z: linalg.eigh(z).eigenvalues, lambda z: linalg.eigh(z).eigenvectors,
        lambda z: linalg.qr(z).Q, lambda z: linalg.qr(z).R,
        lambda z: linalg.svd(z).U, lambda z: linalg.svd(z).S,
        lambda z: linalg.slogdet(z).logabsdet, lambda z: linalg.slogdet(z).sign,
    ],
)  # fmt: skip
def test_gradients_of_complex_decompositions_are_refused(function):
    re = ad.tensor(hermitian().real, requires_grad=True)
    result = function(re + 1j * np.zeros((3, 3)))
    with pytest.raises(NoGradientError, match=r"linalg\.\w+ of complex matrices"):
        ad.abs(result).sum().backward()
    assert re.grad is None


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: linalg.inv(np.zeros((2, 2))), LinAlgError, r"linalg.inv\(x: \(2, 2\) float64"),
        (lambda: linalg.inv(np.zeros((2, 3))), LinAlgError, r"linalg.inv.*\(2, 3\).*square"),
        (lambda: linalg.inv(np.zeros(3)), LinAlgError, "linalg.inv"),
        (lambda: linalg.solve(np.zeros((2, 2)), np.zeros(2)), LinAlgError,
         r"linalg.solve\(x1: \(2, 2\) float64, x2: \(2,\) float64\): Singular"),
        (lambda: linalg.solve(np.eye(2), np.zeros(3)), ShapeError, "linalg.solve"),
        (lambda: linalg.det(np.zeros((2, 3))), LinAlgError, "linalg.det"),
        (lambda: linalg.cholesky(-np.eye(2)), LinAlgError, "linalg.cholesky.*not positive def"),
        (lambda: linalg.cholesky(np.zeros((1, 3))), LinAlgError, "linalg.cholesky.*not square"),
        (lambda: linalg.eigh(np.zeros(3)), LinAlgError, "linalg.eigh.*not square"),
        (lambda: linalg.cofactors(np.zeros((2, 3))), LinAlgError, "linalg.cofactors"),
        (lambda: linalg.svd(np.zeros(3)), LinAlgError, "linalg.svd"),
        (lambda: linalg.qr(np.eye(2), mode="r"), OptionError, "linalg.qr.*'r' is unknown"),
        (lambda: linalg.matrix_power(np.zeros((2, 3)), 2), LinAlgError, "linalg.matrix_power"),
        (lambda: linalg.matrix_power(np.eye(2), 0.5), OptionError, "0.5 is not an integer"),
        (lambda: linalg.matrix_power(np.zeros((2, 2)), -1), LinAlgError, "linalg.inv"),
        (lambda: linalg.matrix_norm(np.eye(2), ord=3), OptionError, "ord 3 is unknown"),
        (lambda: linalg.matrix_norm(np.zeros(2)), ShapeError, "two axes"),
        (lambda: ad.norm(np.zeros((2, 2, 2)), ord=1), ShapeError, "neither a vector nor"),
        (lambda: ad.norm(np.zeros(2), ord="nuc"), OptionError, "no such norm"),
        (lambda: linalg.svd(np.full((2, 2), np.nan)), LinAlgError, "linalg.svd"),
    ],
)  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_norms_of_negative_order_at_a_zero():
    x = ad.tensor(np.array([0.0, 1.0, -2.0]), requires_grad=True)
    with np.errstate(divide="ignore"):
        ad.linalg.vector_norm(x, ord=-1).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
