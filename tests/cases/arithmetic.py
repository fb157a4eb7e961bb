"""Cases of ``autodiff/primitives/arithmetic.py``, and what elementwise cases share."""

from __future__ import annotations

import operator

import numpy as np

from tests.cases import Case, away, normal, uniform

SHAPES = [(), (0,), (3,), (2, 3)]
BROADCAST = [((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2,)), ((1, 3), (2, 0, 3))]


def unary(operation, make=normal, torch=None, **settings):
    """Cases of a function of one array, over all shapes."""
    return [
        Case(operation, (make(*shape),), torch=torch, name=f"{shape}", **settings)
        for shape in SHAPES
    ]


def binary(operation, make1=normal, make2=normal, torch=None, **settings):
    """Cases of a function of two arrays, over equal and broadcast shapes."""
    pairs = [(shape, shape) for shape in SHAPES] + BROADCAST
    return [
        Case(operation, (make1(*a), make2(*b)), torch=torch, name=f"{a}-{b}", **settings)
        for a, b in pairs
    ]


def between(low, high):
    """Make uniform entries between two bounds."""
    return lambda *shape: uniform(*shape, low=low, high=high)


def beside(*kinks):
    """Make normal entries, twice as wide, away from kinks."""
    return lambda *shape: away(*shape, kinks=kinks, scale=2.0)


def positive(*shape):
    return uniform(*shape, low=0.3, high=2.0)


def apart(*shape):
    """Entries that none of `normal` comes close to, for two-sided kinks."""
    return lambda rng: np.round(rng.standard_normal(shape)) + 0.5


def off_whole(*shape):
    return lambda rng: rng.integers(-5, 5, shape) + 0.3


def one_or_two(*shape):
    return lambda rng: rng.integers(1, 3, shape) * 1.0


def chosen(*shape):
    return lambda rng: rng.random(shape) > 0.5


def torch_function(name):
    """PyTorch's function of that name, without importing PyTorch before it is used."""

    def call(*operands):
        import torch

        found = torch
        for part in name.split("."):
            found = getattr(found, part)
        return found(*[x if i == 0 else _tensor(torch, x) for i, x in enumerate(operands)])

    return call


def _tensor(torch, x):
    return torch.tensor(x) if isinstance(x, np.ndarray) else x


CASES = [
    *binary("add", torch=operator.add),
    *binary("subtract", torch=operator.sub),
    *binary("multiply", torch=operator.mul),
    *binary("divide", make2=away, torch=operator.truediv),
    *binary("pow", positive, normal, torch=operator.pow),
    *binary("floor_divide", off_whole, one_or_two),
    *binary(
        "remainder",
        beside(),
        lambda *s: uniform(*s, low=7.0, high=9.0),
        torch=torch_function("remainder"),
    ),
    *binary("hypot", away, torch=torch_function("hypot")),
    *unary("negative", torch=operator.neg),
    *unary("positive", torch=operator.pos),
    *unary("abs", away, torch=abs),
    *unary("square", torch=lambda x: x * x),
    *unary("sqrt", positive, torch=torch_function("sqrt")),
    *unary("reciprocal", away, torch=torch_function("reciprocal")),
    *unary("copy", torch=lambda x: x.clone()),
    Case("multiply", (normal(2, 3), 2.5), torch=operator.mul, name="scalar"),
    *[
        Case("pow", (away(2, 3), exponent), torch=operator.pow, name=f"scalar{exponent}")
        for exponent in (0, 1, 2, 3, -1, -2, 2.0, 0.0)
    ],
    Case("pow", (positive(2, 3), 0.5), torch=operator.pow, name="root"),
    Case("pow", (2, normal(2, 3)), torch=operator.pow, name="base2"),
    Case("pow", (2.5, normal()), torch=operator.pow, name="base2.5"),
    Case("divide", (1.0, away(2, 3)), torch=operator.truediv, name="scalar"),
    Case(
        "remainder", (beside(-3, 0, 3)(2, 5), 3.0), torch=torch_function("remainder"), name="scalar"
    ),
    Case("lerp", (normal(2, 3), normal(3), normal(2, 1)), torch=torch_function("lerp")),
    Case("lerp", (normal(3), normal(3), 0.25), torch=torch_function("lerp"), name="number"),
    Case("lerp", (normal(), normal(), normal()), name="0-d"),
    Case("lerp", (normal(0, 3), normal(3), 0.25), torch=torch_function("lerp"), name="empty"),
    Case(
        "astype",
        (normal(2, 3),),
        {"dtype": np.float64},
        reference=lambda x: x,
        torch=lambda x: x.double(),
    ),
    Case(
        "astype",
        (normal(),),
        {"dtype": np.float64, "copy": False},
        reference=lambda x: x,
        name="0-d",
    ),
    Case("astype", (normal(0, 2),), {"dtype": np.float64}, reference=lambda x: x, name="empty"),
]
