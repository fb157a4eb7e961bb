"""Every primitive, on every case: one test for all of them, driven by the registry."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.engine.primitive import primitives
from autodiff.namespace import tensors
from tests.cases import Case, all_cases
from tests.differences import derivative

CASES = all_cases()

NEEDS_AN_AXIS = "works along an axis, which a number has not"
NEEDS_A_MATRIX = "works on matrices"
NEEDS_A_VECTOR = "works on vectors"
WITHOUT_SCALARS = {
    **dict.fromkeys(
        [
            "cumulative_max", "cumulative_prod", "cumulative_sum", "fft.fft", "fft.fftshift",
            "fft.ifft", "fft.ifftshift", "fft.irfft", "fft.rfft", "sort", "split", "swapaxes",
            "topk", "unstack",
        ],
        NEEDS_AN_AXIS,
    ),
    **dict.fromkeys(
        [
            "diagonal", "linalg.cholesky", "linalg.cofactors", "linalg.det", "linalg.eigh",
            "linalg.eigvalsh", "linalg.inv", "linalg.pinv", "linalg.qr", "linalg.slogdet",
            "linalg.solve", "linalg.svd", "linalg.svdvals", "matrix_transpose", "trace", "tril",
            "triu",
        ],
        NEEDS_A_MATRIX,
    ),
    **dict.fromkeys(["cross", "matmul", "vecdot"], NEEDS_A_VECTOR),
}  # fmt: skip
"""Differentiable primitives without a case of a 0-d variable, and why."""
WITHOUT_EMPTY: dict[str, str] = {}
"""Differentiable primitives without a case of an empty variable, and why."""


def seeded(case: Case) -> np.random.Generator:
    return np.random.default_rng(sum(map(ord, str(case))))


def operands_of(case: Case, dtype=np.float64):
    rng = seeded(case)
    made = [np.asarray(make(rng)) if callable(make) else make for make in case.operands]
    return [x.astype(dtype) if variable(x) else x for x in made]


def variable(x) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def operation(case: Case):
    found = tensors
    for part in case.operation.split("."):
        found = getattr(found, part)
    if primitives[case.operation].variadic and not hasattr(found, "primitive"):
        return lambda *arrays, **options: found(arrays, **options)  # concat takes a sequence
    return found


def apply(case: Case, operands):
    result = operation(case)(*operands, **case.options)
    return result if case.view is None else case.view(ad, result)


def parts(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def floating(result):
    return [part for part in parts(result) if part.dtype.kind in "fc"]


def weights(case: Case, result):
    rng = np.random.default_rng(len(str(case)))
    return [rng.uniform(0.5, 1.5, part.shape) for part in floating(result)]


def weighed(result, cotangents):
    """A scalar that depends on all of a result, each entry with another weight."""
    total = 0.0
    for part, weight in zip(floating(result), cotangents, strict=True):
        real = part if part.dtype.kind == "f" else ad.real(part) + 2 * ad.imag(part)
        total = total + (real * weight.astype(real.dtype)).sum()
    return total


def leaf(x):
    """A variable on the array itself, in its memory: a copy would not be strided."""
    made = ad.asarray(x)
    made.requires_grad = True
    return made


def first_gradients(case: Case, arrays, *, create_graph=False):
    leaves = [leaf(x) if variable(x) else x for x in arrays]
    inputs = [x for x in leaves if isinstance(x, ad.Tensor)]
    result = apply(case, leaves)
    scalar = weighed(result, weights(case, result))
    if not isinstance(scalar, ad.Tensor) or not scalar.requires_grad:
        return result, inputs, None
    scalar.backward(create_graph=create_graph)
    return result, inputs, [x.grad for x in inputs]


def differentiable(case: Case) -> bool:
    return bool(primitives[case.operation].rules) and any(map(variable, operands_of(case)))


def test_every_primitive_has_a_case():
    missing = set(primitives) - {case.operation for case in CASES}
    assert not missing, f"primitives without test inputs: {sorted(missing)}"


def test_every_case_names_a_primitive():
    assert {case.operation for case in CASES} <= set(primitives)


def variables_by_primitive():
    """For each differentiable primitive what its cases vary: pairs of argument and array."""
    found = {name: [] for name, p in primitives.items() if p.rules}
    for case in CASES:
        primitive = primitives[case.operation]
        if primitive.rules:
            for i, x in enumerate(operands_of(case)):
                if variable(x):
                    found[case.operation].append((primitive.arrays[min(i, last(primitive))], x))
    return found


def last(primitive) -> int:
    return len(primitive.arrays) - 1


def test_every_rule_has_a_case():
    """Each argument with a rule is a variable in some case."""
    for name, varied in variables_by_primitive().items():
        missing = set(primitives[name].rules) - {argument for argument, _ in varied}
        assert not missing, f"{name}: rules that no case uses: {sorted(missing)}"


@pytest.mark.parametrize(
    ("is_so", "exempt"),
    [
        pytest.param(lambda x: x.ndim == 0, WITHOUT_SCALARS, id="0-d"),
        pytest.param(lambda x: x.size == 0, WITHOUT_EMPTY, id="empty"),
    ],
)
def test_every_differentiable_primitive_has_a_case(is_so, exempt):
    """A case of a 0-d variable and one of an empty variable, or a reason why not."""
    without = {
        name
        for name, varied in variables_by_primitive().items()
        if not any(is_so(x) for _, x in varied)
    }
    assert without == set(exempt)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value(case):
    """The value against a reference; dtype kept; strided operands alike."""
    arrays = operands_of(case)
    result = operation(case)(*arrays, **case.options)
    reference = case.reference or _numpy_function(case)
    if reference is not None:
        expected = reference(*arrays, **({} if case.reference else case.options))
        for part, wanted in zip(parts(result), parts(expected), strict=True):
            np.testing.assert_allclose(part.numpy(), wanted, rtol=1e-12, atol=1e-12)
            assert part.shape == np.shape(wanted)
    for part in parts(result):
        assert isinstance(part.array, np.ndarray)
        if part.dtype.kind == "f":
            assert part.dtype == np.float64 or "dtype" in case.options
    strided = operation(case)(*map(spread, arrays), **case.options)
    for part, other in zip(parts(result), parts(strided), strict=True):
        np.testing.assert_allclose(part.numpy(), other.numpy(), rtol=1e-12, atol=1e-13)


def _numpy_function(case: Case):
    found = np
    for name in case.operation.split("."):
        found = getattr(found, name, None)
    return found


def spread(x):
    """The same values in memory that is neither contiguous nor in order."""
    if not isinstance(x, np.ndarray) or x.ndim == 0:
        return x
    room = np.zeros(tuple(2 * n for n in reversed(x.shape)), x.dtype).T
    view = room[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


@pytest.mark.parametrize("case", [c for c in CASES if differentiable(c)], ids=str)
def test_strided_gradients(case):
    """Gradients of operands in strided memory are those of contiguous ones."""
    arrays = operands_of(case)
    _, _, grads = first_gradients(case, arrays)
    _, inputs, others = first_gradients(case, list(map(spread, arrays)))
    assert all(x.size < 2 or not x.array.flags.contiguous for x in inputs)
    for g, other in zip(grads, others, strict=True):
        assert (g is None) == (other is None)
        if g is not None:
            assert g.shape == other.shape
            np.testing.assert_allclose(g.numpy(), other.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("case", [c for c in CASES if c.float32], ids=str)
def test_float32_stays(case):
    """Values and gradients of float32 operands are float32, and close to float64's."""
    single = operands_of(case, np.float32)
    result, inputs, grads = first_gradients(case, single)
    double = [x.astype(np.float64) if variable(x) else x for x in single]
    exact, _, exact_grads = first_gradients(case, double)
    kinds = {"f": np.float32, "c": np.complex64}
    for part, wanted in zip(parts(result), parts(exact), strict=True):
        if part.dtype.kind in kinds and "dtype" not in case.options:
            assert part.dtype == kinds[part.dtype.kind]
        np.testing.assert_allclose(
            part.detach().numpy(), wanted.detach().numpy(), rtol=2e-3, atol=2e-4
        )
    for x, g, wanted in zip(inputs, grads or (), exact_grads or (), strict=False):
        assert (g is None) == (wanted is None)
        if g is not None:
            assert g.dtype == np.float32
            assert g.shape == x.shape
            np.testing.assert_allclose(g.numpy(), wanted.numpy(), rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize("case", [c for c in CASES if differentiable(c)], ids=str)
def test_first_order(case):
    """The gradient of every operand against Richardson-extrapolated differences."""
    arrays = operands_of(case)
    result, _, grads = first_gradients(case, arrays)
    cotangents = weights(case, result)
    positions = [i for i, x in enumerate(arrays) if variable(x)]

    def scalar(*values):
        filled = list(arrays)
        for i, value in zip(positions, values, strict=True):
            filled[i] = value
        return float(weighed(apply(case, filled), cotangents))

    variables = [arrays[i] for i in positions]
    assert grads is not None, "the result does not depend on its operands"
    for k, g in enumerate(grads):
        expected = derivative(scalar, variables, k)
        actual = np.zeros_like(expected) if g is None else g.numpy()
        assert actual.shape == expected.shape
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(
            actual, expected, rtol=case.tolerance, atol=case.tolerance * scale
        )


@pytest.mark.parametrize("case", [c for c in CASES if differentiable(c) and c.second], ids=str)
def test_second_order(case):
    """A Hessian-vector product, backward over backward, against differences of gradients."""
    arrays = operands_of(case)
    _, inputs, grads = first_gradients(case, arrays, create_graph=True)
    rng = np.random.default_rng(7)
    directions = [rng.standard_normal(x.shape) for x in inputs]
    total = sum((g * u).sum() for g, u in zip(grads, directions, strict=True) if g is not None)
    if isinstance(total, ad.Tensor) and total.requires_grad:
        products = ad.grad(total, inputs, allow_unused=True)
    else:
        products = [None] * len(inputs)

    def along(h):
        moved, k = [], 0
        for x in arrays:
            if variable(x):
                moved.append(np.asarray(x + h * directions[k]))
                k += 1
            else:
                moved.append(x)
        return [
            np.zeros(x.shape) if g is None else g.numpy()
            for x, g in zip(inputs, first_gradients(case, moved)[2], strict=True)
        ]

    h = 1e-4
    for k, product in enumerate(products):
        coarse = (along(h)[k] - along(-h)[k]) / (2 * h)
        fine = (along(h / 2)[k] - along(-h / 2)[k]) / h
        expected = (4 * fine - coarse) / 3
        actual = np.zeros_like(expected) if product is None else product.numpy()
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("case", [c for c in CASES if c.torch], ids=str)
def test_against_pytorch(case):
    """Value and gradients against PyTorch's."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    arrays = operands_of(case)
    theirs = [
        torch.tensor(x, requires_grad=variable(x)) if isinstance(x, np.ndarray) else x
        for x in arrays
    ]
    expected = case.torch(*theirs)
    result, _, grads = first_gradients(case, arrays)
    picked = expected if case.view is None else case.view(torch, expected)
    for part, other in zip(parts(result), parts(picked), strict=True):
        np.testing.assert_allclose(
            part.detach().numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-10
        )
    if grads is None:
        return
    cotangents = weights(case, result)
    total = sum(
        (part * torch.tensor(weight)).sum()
        for part, weight in zip(
            [p for p in parts(picked) if p.is_floating_point()], cotangents, strict=True
        )
    )
    variables = [x for x in theirs if isinstance(x, torch.Tensor) and x.requires_grad]
    their_grads = torch.autograd.grad(total, variables, allow_unused=True)
    for g, other in zip(grads, their_grads, strict=True):
        if other is None:
            assert g is None or not g.numpy().any()
        else:
            np.testing.assert_allclose(g.numpy(), other.numpy(), rtol=1e-8, atol=1e-9)
