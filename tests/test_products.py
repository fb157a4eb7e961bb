"""Products beyond their cases: composites, complex operands, memory, errors."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import AxisError, DomainError, OptionError, ShapeError
from autodiff.primitives.einsum import order_of
from tests.differences import derivative

RNG = np.random.default_rng(5)


def check(function, *arrays, value=None, tolerance=1e-7):
    """Value against a reference, gradients against differences; complex results too."""
    leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
    result = function(*leaves)
    if value is not None:
        np.testing.assert_allclose(result.detach().numpy(), value, rtol=1e-12, atol=1e-12)
    weight = RNG.uniform(0.5, 1.5, result.shape)

    def scalar(*values):
        out = function(*values)
        if out.dtype.kind == "c":
            out = ad.real(out) + 2 * ad.imag(out)
        return (out * weight).sum()

    grads = ad.grad(scalar(*leaves), leaves)
    for k, g in enumerate(grads):
        expected = derivative(lambda *values: float(scalar(*values)), arrays, k)
        np.testing.assert_allclose(g.numpy(), expected, rtol=tolerance, atol=tolerance * 10)


PAIRS = [
    ("dot", (3,), (3,)), ("dot", (2, 3), (3,)), ("dot", (2, 3), (3, 4)), ("dot", (), (2, 3)),
    ("dot", (2, 3), ()), ("dot", (2, 3), (4, 3, 2)), ("dot", (5, 2, 3), (3, 4)),
    ("outer", (3,), (2,)), ("outer", (2, 2), (3,)), ("outer", (0,), (3,)), ("outer", (), (3,)),
    ("inner", (3,), (3,)), ("inner", (2, 3), (4, 3)), ("inner", (), (3,)), ("inner", (2, 3), (3,)),
    ("kron", (2,), (3,)), ("kron", (2, 3), (3, 2)), ("kron", (2,), (3, 2)), ("kron", (2, 0), (2,)),
    ("kron", (2, 1, 2), (3, 2)), ("kron", (), (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape1", "shape2"), PAIRS, ids=str)
def test_composites(name, shape1, shape2):
    x, y = RNG.standard_normal(shape1), RNG.standard_normal(shape2)
    check(getattr(ad, name), x, y, value=getattr(np, name)(x, y))


@pytest.mark.parametrize("name", ["dot", "outer", "inner", "kron"])
def test_composites_keep_float32_beside_a_python_number(name):
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    result = getattr(ad, name)(x, 3.0)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.numpy() if not result.requires_grad else
                                  result.detach().numpy().ravel(), [3.0, 6.0])  # fmt: skip


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (ad.matmul, [(2, 3), (3, 4)]),
        (ad.matmul, [(5, 2, 3), (3, 4)]),
        (ad.matmul, [(3,), (3,)]),
        (ad.vecdot, [(2, 3), (3,)]),
        (ad.cross, [(2, 3), (3,)]),
        (lambda x, y: ad.tensordot(x, y, axes=1), [(2, 3), (3, 2)]),
        (lambda x, y: ad.einsum("ij,jk->ik", x, y), [(2, 3), (3, 2)]),
        (lambda x, y: ad.einsum("i,j->i", x, y), [(3,), (2,)]),
        (ad.outer, [(2,), (3,)]),
        (lambda x, y: ad.trace(x @ y), [(2, 3), (3, 2)]),
    ],
)
def test_complex_intermediates(function, shapes):
    """Gradients with respect to real and imaginary parts of both operands."""
    parts = [RNG.standard_normal(shape) for shape in shapes for _ in range(2)]
    check(lambda a, b, c, d: function(a + 1j * b, c - 1j * d), *parts)
    check(lambda a, b, c: function(a, b + 1j * c), parts[0], *parts[2:])


def test_vecdot_conjugates_its_first_operand():
    x, y = np.array([1 + 2j, 3j]), np.array([2 - 1j, 1 + 1j])
    assert ad.vecdot(x, y).item() == np.vecdot(x, y)


def test_einsum_follows_numpy_on_integers_and_booleans():
    x, y = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    for text, operands in [
        ("ij,jk->ik", (x, y)),
        ("ij->", (x.astype(np.int8),)),
        ("ij->j", (x > 2,)),
    ]:
        expected = np.einsum(text, *operands)
        result = ad.einsum(text, *operands)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.numpy(), expected)


def test_einsum_spaces_and_optimize():
    x = RNG.standard_normal((2, 3))
    result = ad.einsum(" i j , j k -> i k ", x, x.T, optimize="greedy")
    np.testing.assert_allclose(result.numpy(), x @ x.T)


def random_expression(rng):
    """An expression of up to four operands: repeated and size-1 axes, labels used once."""
    size = dict(zip("abcde", rng.integers(1, 4, 5), strict=True))
    terms = [
        "".join(rng.choice(list("abcde"), rng.integers(0, 4))) for _ in range(rng.integers(1, 5))
    ]
    used = sorted(set("".join(terms)))
    kept = "".join(rng.permutation(used)[: rng.integers(0, len(used) + 1)])
    arrays = []
    for term in terms:
        ones = len(set(term)) == len(term) and rng.random() < 0.2
        arrays.append(
            rng.standard_normal([1 if ones and rng.random() < 0.5 else size[c] for c in term])
        )
    return ",".join(terms) + ("->" + kept if rng.random() < 0.8 else ""), arrays


@pytest.mark.parametrize("seed", range(20))
def test_random_einsums(seed):
    """Values against NumPy; gradients by linearity: an einsum is linear in each operand."""
    rng = np.random.default_rng(seed)
    for _ in range(10):
        text, arrays = random_expression(rng)
        expected = np.einsum(text, *arrays)
        leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
        result = ad.einsum(text, *leaves)
        np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-11, err_msg=text)
        weight = rng.standard_normal(expected.shape)
        for k, g in enumerate(ad.grad((result * weight).sum(), leaves)):
            step = rng.standard_normal(arrays[k].shape)
            moved = np.einsum(text, *arrays[:k], step, *arrays[k + 1 :])
            np.testing.assert_allclose(
                (g.numpy() * step).sum(), (moved * weight).sum(), atol=1e-10, err_msg=text
            )


@pytest.mark.parametrize("seed", range(20))
def test_random_batches_of_matmul(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        full = rng.integers(1, 4, 3)
        n, k, m = rng.integers(0 if rng.random() < 0.1 else 1, 6, 3)
        batches = [
            [1 if rng.random() < 0.4 else size for size in full][rng.integers(0, 4) :] for _ in "xy"
        ]
        arrays = [
            rng.standard_normal((*batches[0], n, k)),
            rng.standard_normal((*batches[1], k, m)),
        ]
        if rng.random() < 0.3:  # not contiguous
            arrays[0] = np.swapaxes(np.swapaxes(arrays[0], -1, -2).copy(), -1, -2)
        expected = np.matmul(*arrays)
        leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
        result = leaves[0] @ leaves[1]
        np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-12)
        weight = rng.standard_normal(expected.shape)
        grads = ad.grad((result * weight).sum(), leaves)
        for i, g in enumerate(grads):
            step = rng.standard_normal(arrays[i].shape)
            moved = np.matmul(*(step if j == i else arrays[j] for j in range(2)))
            np.testing.assert_allclose((g.numpy() * step).sum(), (moved * weight).sum(), atol=1e-10)


def test_einsum_through_numpy():
    x = ad.tensor(RNG.standard_normal((2, 3)), requires_grad=True)
    np.einsum("ij,ij->", x, x).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())


def test_einsum_contracts_in_an_order_that_keeps_intermediates_small():
    # (matrix @ matrix) @ vector would make a matrix; matrix @ (matrix @ vector) does not.
    inputs = (("i", "j"), ("j", "k"), ("k",))
    sizes = (("i", 50), ("j", 50), ("k", 50))
    assert order_of(inputs, ("i",), sizes)[0] == (1, 2)


def peak(function):
    function()
    tracemalloc.start()
    function()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_gradient_of_a_shared_matrix_makes_no_batch_of_matrices():
    batch, n, k, m = 64, 2, 64, 64
    x = np.ones((batch, n, k), np.float32)
    w = ad.tensor(np.ones((k, m), np.float32), requires_grad=True)
    used = peak(lambda: (x @ w).sum().backward())
    assert used < batch * k * m * 4 / 4  # batched products would hold batch * k * m of them
    w = ad.tensor(np.ones((1, 1, k, m), np.float32), requires_grad=True)
    folded = peak(lambda: (x[:, None] @ w).sum().backward())
    assert folded < batch * k * m * 4 / 4


def test_einsum_attention_needs_no_more_than_its_result():
    shape = (2, 4, 64, 8)
    q = np.ones(shape, np.float32)
    assert peak(lambda: ad.einsum("bhqd,bhkd->bhqk", q, q)) < 1.5 * 2 * 4 * 64 * 64 * 4


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x, w: x @ w.mT, (5, 3)),
        (lambda x, w: w @ x.mT, (5, 3)),
        (lambda x, w: w.mT @ ad.concat([x.mT, x[:, :2].mT]), (5, 3)),
        (lambda x, w: ad.stack([x, x]) @ w.mT, (5, 3)),
        (lambda x, w: ad.stack([x, x]) @ w.mT, (2, 5, 3)),
        (lambda x, w: ad.expand_dims(ad.stack([x, x]), axis=0) @ w.mT, (4, 2, 5, 3)),
        (lambda x, w: x @ w, (3, 5)),
    ],
)
def test_a_gradient_lies_in_memory_as_its_operand_does(call, shape):
    x = ad.tensor(RNG.standard_normal((4, 3)))
    w = ad.tensor(RNG.standard_normal(shape), requires_grad=True)
    call(x, w).sum().backward()
    assert w.grad.numpy().strides == w.detach().numpy().strides


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ad.matmul(np.zeros((2, 3)), np.zeros((2, 3))), ShapeError, "matmul.*(2, 3)"),
        (lambda: ad.matmul(np.zeros((5, 2, 3)), np.zeros((2, 3))), ShapeError, "(5, 2, 3)"),
        (lambda: ad.matmul(np.zeros((2, 2, 3)), np.zeros((3, 3, 2))), ShapeError, "don't broad"),
        (lambda: ad.zeros((2, 1)) @ ad.zeros((3, 2)), ShapeError, "size 1, the last but one .* 3"),
        (lambda: ad.zeros((3, 2, 1)) @ ad.zeros((2, 1, 2)), ShapeError, "don't broad"),
        (lambda: ad.matmul(ad.tensor(1.0), np.zeros(3)), ShapeError, r"matmul\(x1: \(\) float32"),
        (lambda: ad.tensor([1.0]) @ 2.0, ShapeError, r"Python float.*x1 \* x2"),
        (lambda: 2.0 @ ad.tensor([1.0]), ShapeError, "Python float"),
        (lambda: ad.zeros((2, 3)) @ ad.zeros(2), ShapeError, "size 3, the only axis of x2 2"),
        (lambda: ad.tensordot(np.zeros((2, 3)), np.zeros((2, 3)), axes=1), ShapeError, "tensordot"),
        (lambda: ad.vecdot(np.zeros(2), np.zeros(3)), ShapeError, "vecdot"),
        (lambda: ad.cross(np.zeros(2), np.zeros(2)), ShapeError, "cross"),
        (lambda: ad.trace(np.zeros(2)), ShapeError, "trace"),
        (lambda: ad.trace(np.zeros((2, 2)), axis1=4), AxisError, "trace"),
        (lambda: ad.dot(np.zeros((2, 3)), np.zeros((2, 3))), ShapeError, "matmul"),
        (lambda: ad.inner(np.zeros((2, 3)), np.zeros(2)), ShapeError, "tensordot"),
        (lambda: ad.einsum("ij,jk", np.zeros((2, 3))), DomainError, "2 operands, 1"),
        (lambda: ad.einsum("i;j", np.zeros((2, 3))), DomainError, "'i;j'"),
        (lambda: ad.einsum("ij->k", np.zeros((2, 3))), DomainError, "'k' in the result"),
        (lambda: ad.einsum("ij->ii", np.zeros((2, 3))), DomainError, "twice"),
        (lambda: ad.einsum("i->j->k", np.zeros(2)), DomainError, "not made of letters"),
        (lambda: ad.einsum("....i", np.zeros(2)), DomainError, "not made of letters"),
        (lambda: ad.einsum("...i->i", np.zeros((2, 3))), DomainError, "'...' are missing"),
        (lambda: ad.einsum("ij", np.zeros(2)), ShapeError, "names 2 axes"),
        (lambda: ad.einsum("i", np.zeros((2, 3))), ShapeError, "Name each"),
        (lambda: ad.einsum("ij,jk", np.zeros((2, 3)), np.zeros((2, 3))), ShapeError, "3 and 2"),
        (lambda: ad.einsum("...i,...i", np.zeros((2, 3)), np.zeros((4, 3))), ShapeError, "'...'"),
        (lambda: ad.einsum("ii", np.zeros((2, 3))), ShapeError, "square"),
        (lambda: ad.einsum(np.zeros(2), "i"), OptionError, "not a string"),
        (lambda: ad.einsum("i"), DomainError, "no operands"),
    ],
)  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("function", [ad.dot, ad.inner, ad.outer, ad.kron])
@pytest.mark.parametrize("number", [2.5, 0.1, 3, 1j])
@pytest.mark.parametrize("dtype", ["int64", "float16", "float32", "float64"])
def test_numbers_are_as_weak_in_products_as_in_multiply(function, number, dtype):
    x = ad.tensor([1, 2, 3], dtype=dtype)
    for operands in ((x, number), (number, x)):
        found, expected = function(*operands), ad.multiply(*operands)
        assert found.dtype == expected.dtype
        assert found.reshape(-1).tolist() == expected.tolist()


def test_none_is_no_operand_of_a_product():
    with pytest.raises(ad.DTypeError, match=r"dot.*an operand that is None"):
        ad.dot(None, ad.ones(3))
