"""Cases of ``autodiff/primitives/arithmetic.py``."""

from __future__ import annotations

import operator

from tests.cases import Case, away, normal, uniform

SHAPES = [(), (0,), (3,), (2, 3)]
BROADCAST = [((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2,)), ((1, 3), (2, 0, 3))]


def unary(operation, make=normal, torch=None, **options):
    """Cases of a function of one array, over all shapes."""
    return [
        Case(operation, (make(*shape),), torch=torch, name=f"{shape}", **options)
        for shape in SHAPES
    ]


def binary(operation, make1=normal, make2=normal, torch=None, **options):
    """Cases of a function of two arrays, over equal and broadcast shapes."""
    pairs = [(shape, shape) for shape in SHAPES] + BROADCAST
    return [
        Case(operation, (make1(*a), make2(*b)), torch=torch, name=f"{a}-{b}", **options)
        for a, b in pairs
    ]


CASES = [
    *binary("add", torch=operator.add),
    *binary("subtract", torch=operator.sub),
    *binary("multiply", torch=operator.mul),
    *binary("divide", make2=away, torch=operator.truediv),
    *binary("pow", lambda *s: uniform(*s, low=0.3, high=2.0), normal, torch=operator.pow),
    *unary("negative", torch=operator.neg),
    *unary("abs", away, torch=abs),
    *unary("square", torch=lambda x: x * x),
    Case("multiply", (normal(2, 3), 2.5), torch=operator.mul, name="scalar"),
]
