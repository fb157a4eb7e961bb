"""Random programs: graphs of random operations with fan-out, broadcasting and reuse.

Each program is a list of steps that are drawn beforehand; it runs on this package, on PyTorch
and on NumPy alike. Values and gradients are compared with PyTorch's where it is installed, and
in any case with the complex step, which has no cancellation error, or with differences where
an operation is not analytic.
"""

# ruff: noqa: ARG005 - every step takes xp, whether it needs it or not
from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.func import hvp, jvp

TORCH = importlib.util.find_spec("torch") is not None

# -- what a program is made of --------------------------------------------------
# Every operation keeps values of moderate size in moderate size, and is smooth there.

UNARY = {
    "negative": (lambda xp, x: -x, True),
    "tanh": (lambda xp, x: xp.tanh(x), True),
    "sin": (lambda xp, x: xp.sin(x), True),
    "cos": (lambda xp, x: xp.cos(x), True),
    "exp": (lambda xp, x: xp.exp(-(x * x)), True),
    "log": (lambda xp, x: xp.log(x * x + 1.5), True),
    "sqrt": (lambda xp, x: xp.sqrt(x * x + 0.5), True),
    "reciprocal": (lambda xp, x: 1.0 / (x * x + 1.0), True),
    "cube": (lambda xp, x: xp.sin(x) ** 3, True),
    "abs": (lambda xp, x: xp.abs(x - 0.1234567), False),
    "identity": (lambda xp, x: x + 0.0, True),
}

BINARY = {
    "add": (lambda xp, x, y: x + y, True),
    "subtract": (lambda xp, x, y: x - y, True),
    "multiply": (lambda xp, x, y: xp.sin(x) * y, True),
    "divide": (lambda xp, x, y: x / (y * y + 2.0), True),
    "maximum": (lambda xp, x, y: xp.maximum(x, y + 0.0123), False),
    "where": (lambda xp, x, y: xp.where(x > y + 0.0321, x * 0.5, y), False),
}


class Numpy:
    """NumPy's functions, on complex arrays too, where comparisons look at the real parts."""

    name = "numpy"

    def __getattr__(self, name):
        return getattr(np, name)

    def permute(self, x, axes):
        return np.transpose(x, axes)

    def stack(self, xs, axis):
        return np.stack(xs, axis)

    def concat(self, xs, axis):
        return np.concatenate(xs, axis)


class Ours:
    name = "autodiff"

    def __getattr__(self, name):
        return getattr(ad, name)

    def permute(self, x, axes):
        return ad.permute_dims(x, axes)

    def stack(self, xs, axis):
        return ad.stack(xs, axis=axis)

    def concat(self, xs, axis):
        return ad.concat(xs, axis=axis)


class Torch:
    name = "torch"

    def __getattr__(self, name):
        import torch

        return getattr(torch, name)

    def permute(self, x, axes):
        return x.permute(axes)

    def stack(self, xs, axis):
        import torch

        return torch.stack(xs, axis)

    def concat(self, xs, axis):
        import torch

        return torch.concat(xs, axis)

    def sum(self, x, axis=None, keepdims=False):
        return x.sum() if axis is None else x.sum(axis, keepdim=keepdims)

    def mean(self, x, axis=None, keepdims=False):
        return x.mean() if axis is None else x.mean(axis, keepdim=keepdims)

    def broadcast_to(self, x, shape):
        return x.expand(shape)


def run(program, xp, leaves):
    """Run a program's steps; the result is one number that depends on every value."""
    values = list(leaves)
    for step, operands, _ in program["steps"]:
        values.append(step(xp, *[values[i] for i in operands]))
    total = 0.0
    for i in program["outputs"]:
        total = total + (values[i] * (0.3 + 0.1 * i)).sum()
    return total


# -- drawing one ----------------------------------------------------------------


@st.composite
def programs(draw, *, analytic):
    """Draw leaves and steps; shapes are followed, so that every step fits."""
    sizes = st.sampled_from([1, 2, 3])
    shapes = draw(st.lists(st.lists(sizes, max_size=3).map(tuple), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**16))
    known = list(shapes)
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["unary", "binary", "shape", "reduce", "index", "join"]))
        i = draw(st.integers(0, len(known) - 1))
        step, operands, shape = _DRAW[kind](draw, known, i, analytic)
        if math.prod(shape) <= 200:
            steps.append((step, operands, shape))
            known.append(shape)
    outputs = draw(st.lists(st.integers(0, len(known) - 1), min_size=1, max_size=3))
    return {
        "shapes": shapes,
        "seed": seed,
        "steps": steps,
        "outputs": sorted({*outputs, len(known) - 1}),
    }


def _of(draw, table, analytic):
    return table[
        draw(st.sampled_from([k for k, (_, smooth) in table.items() if smooth >= analytic]))
    ][0]


def _unary(draw, known, i, analytic):
    return _of(draw, UNARY, analytic), (i,), known[i]


def _binary(draw, known, i, analytic):
    fitting = []
    for j, shape in enumerate(known):
        try:
            fitting.append((j, np.broadcast_shapes(known[i], shape)))
        except ValueError:
            continue
    j, shape = draw(st.sampled_from(fitting))
    pair = draw(st.permutations([i, j]))
    return _of(draw, BINARY, analytic), tuple(pair), shape


def _shape(draw, known, i, analytic):
    shape = known[i]
    kind = draw(st.sampled_from(["flatten", "permute", "broadcast", "expand"]))
    if kind == "flatten":
        return (lambda xp, x: xp.reshape(x, (-1,))), (i,), (math.prod(shape),)
    if kind == "permute":
        axes = tuple(draw(st.permutations(range(len(shape)))))
        return (lambda xp, x: xp.permute(x, axes)), (i,), tuple(shape[a] for a in axes)
    if kind == "broadcast":
        target = (2, *(3 if n == 1 else n for n in shape))
        return (lambda xp, x: xp.broadcast_to(x, target)), (i,), target
    axis = draw(st.integers(0, len(shape)))
    longer = (*shape[:axis], 1, *shape[axis:])
    return (lambda xp, x: xp.reshape(x, longer)), (i,), longer


def _reduce(draw, known, i, analytic):
    shape = known[i]
    name = draw(st.sampled_from(["sum", "mean"]))
    keepdims = draw(st.booleans())
    if not shape or draw(st.booleans()):
        return (lambda xp, x: getattr(xp, name)(x)), (i,), ()
    axes = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    axis = tuple(sorted(axes))
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes)
    return (lambda xp, x: getattr(xp, name)(x, axis=axis, keepdims=keepdims)), (i,), kept


def _index(draw, known, i, analytic):
    shape = known[i]
    if not shape:
        return (lambda xp, x: x * x), (i,), ()
    n = shape[0]
    kind = draw(st.sampled_from(["int", "slice", "list", "reversed", "last"]))
    if kind == "int":
        k = draw(st.integers(-n, n - 1))
        return (lambda xp, x: x[k]), (i,), shape[1:]
    if kind == "slice":
        start = draw(st.integers(0, n - 1))
        return (lambda xp, x: x[start:]), (i,), (n - start, *shape[1:])
    if kind == "list":
        picked = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4))
        return (lambda xp, x: x[np.array(picked)]), (i,), (len(picked), *shape[1:])
    if kind == "reversed":
        return (lambda xp, x: xp.flip(x, (0,))), (i,), shape
    return (lambda xp, x: x[..., -1]), (i,), shape[:-1]


def _join(draw, known, i, analytic):
    shape = known[i]
    same = [j for j, other in enumerate(known) if other == shape]
    operands = (i, *draw(st.lists(st.sampled_from(same), min_size=1, max_size=2)))
    if shape and draw(st.booleans()):
        axis = draw(st.integers(0, len(shape) - 1))
        joined = (*shape[:axis], shape[axis] * len(operands), *shape[axis + 1 :])
        return (lambda xp, *xs: xp.concat(xs, axis)), operands, joined
    axis = draw(st.integers(0, len(shape)))
    stacked = (*shape[:axis], len(operands), *shape[axis:])
    return (lambda xp, *xs: xp.stack(xs, axis)), operands, stacked


_DRAW = {
    "unary": _unary,
    "binary": _binary,
    "shape": _shape,
    "reduce": _reduce,
    "index": _index,
    "join": _join,
}


def arrays_of(program):
    rng = np.random.default_rng(program["seed"])
    return [np.array(rng.uniform(-1.5, 1.5, shape)) for shape in program["shapes"]]


def gradients(program, arrays):
    leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
    total = run(program, Ours(), leaves)
    if not total.requires_grad:
        return total, [None] * len(leaves)
    total.backward()
    return total, [x.grad for x in leaves]


def compared(actual, expected, tolerance):
    for g, wanted in zip(actual, expected, strict=True):
        zero = np.zeros_like(wanted)
        scale = max(1.0, np.abs(wanted).max(initial=0.0))
        np.testing.assert_allclose(
            zero if g is None else g.numpy(), wanted, rtol=tolerance, atol=tolerance * scale
        )


# -- comparing ----------------------------------------------------------------


@settings(max_examples=250)
@given(programs(analytic=True))
def test_against_the_complex_step(program):
    """``Im f(x + ih) / h`` is f' to the last digits, for h as small as one likes."""
    arrays = arrays_of(program)
    total, found = gradients(program, arrays)
    np.testing.assert_allclose(total.item(), run(program, Numpy(), arrays), rtol=1e-12)
    expected = []
    for k, x in enumerate(arrays):
        g = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            moved = [a.astype(complex) for a in arrays]
            moved[k][index] += 1e-30j
            g[index] = run(program, Numpy(), moved).imag / 1e-30
        expected.append(g)
    compared(found, expected, 1e-10)


@pytest.mark.skipif(not TORCH, reason="PyTorch is not installed")
@settings(max_examples=250)
@given(programs(analytic=False))
def test_against_pytorch(program):
    import torch

    arrays = arrays_of(program)
    total, found = gradients(program, arrays)
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    expected = run(program, Torch(), theirs)
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-12)
    grads = torch.autograd.grad(expected, theirs, allow_unused=True)
    compared(
        found,
        [np.zeros(x.shape) if g is None else g.numpy() for x, g in zip(arrays, grads, strict=True)],
        1e-10,
    )


@settings(max_examples=100)
@given(programs(analytic=False))
def test_against_differences(program):
    """Kinks, too, with no other library's help: along one random direction."""
    arrays = arrays_of(program)
    _, found = gradients(program, arrays)
    rng = np.random.default_rng(program["seed"] + 1)
    directions = [rng.standard_normal(x.shape) for x in arrays]

    def along(h):
        return run(program, Numpy(), [x + h * v for x, v in zip(arrays, directions, strict=True)])

    h = 1e-6
    slopes = [(along(h) - along(0.0)) / h, (along(0.0) - along(-h)) / h]
    actual = sum(
        float((g.numpy() * v).sum())
        for g, v in zip(found, directions, strict=True)
        if g is not None
    )
    scale = max(1.0, abs(actual))
    if abs(slopes[0] - slopes[1]) < 1e-3 * scale:  # else a kink lies between
        assert actual == pytest.approx(np.mean(slopes), rel=1e-4, abs=1e-4 * scale)


@settings(max_examples=100)
@given(programs(analytic=True))
def test_products_agree(program):
    """jvp against the gradient; hvp against the gradient's complex step, symmetric."""
    arrays = arrays_of(program)
    rng = np.random.default_rng(program["seed"] + 1)
    v, u = ([rng.standard_normal(x.shape) for x in arrays] for _ in range(2))
    total, found = gradients(program, arrays)

    def f(*leaves):
        return run(program, Ours(), leaves)

    def dot(a, b):
        return sum(float((p.numpy() * q).sum()) for p, q in zip(a, b, strict=True) if p is not None)

    value, tangent = jvp(f, tuple(arrays), tuple(v))
    assert value.item() == pytest.approx(total.item(), rel=1e-12)
    assert tangent.item() == pytest.approx(dot(found, v), rel=1e-9, abs=1e-9)
    _, product = hvp(f, tuple(arrays), tuple(v))
    _, other = hvp(f, tuple(arrays), tuple(u))
    assert dot(product, u) == pytest.approx(dot(other, v), rel=1e-8, abs=1e-8)
    h = 1e-5
    above, below = (
        gradients(program, [x + s * w for x, w in zip(arrays, v, strict=True)])[1] for s in (h, -h)
    )
    slope = (dot(above, u) - dot(below, u)) / (2 * h)
    assert dot(product, u) == pytest.approx(slope, rel=1e-5, abs=1e-5 * max(1.0, abs(slope)))


@settings(max_examples=60)
@given(programs(analytic=False), st.integers(0, 11))
def test_checkpoints_change_nothing(program, cut):
    """A part of the program inside a checkpoint, the rest outside."""
    arrays = arrays_of(program)
    steps = program["steps"]
    first, rest = steps[:cut], steps[cut:]
    _, expected = gradients(program, arrays)
    leaves = [ad.tensor(x, requires_grad=True) for x in arrays]

    def begin(*given_leaves):
        values = list(given_leaves)
        for step, operands, _ in first:
            values.append(step(Ours(), *[values[i] for i in operands]))
        return values

    values = ad.checkpoint(begin, *leaves)
    total = run({"steps": rest, "outputs": program["outputs"]}, Ours(), values)
    total.backward()
    compared(
        [x.grad for x in leaves],
        [
            np.zeros(x.shape) if g is None else g.numpy()
            for x, g in zip(arrays, expected, strict=True)
        ],
        1e-12,
    )
