"""What every primitive is tested on: one list of cases a family, in a module of its name.

A :class:`Case` names a primitive and gives operands; ``tests/test_primitives.py`` does the
rest for all of them alike: value, dtype, shape, gradients of first and second order, float32
beside float64, strided memory, PyTorch. A primitive without a case fails the suite.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Make = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Case:
    """One primitive on one set of operands.

    Attributes
    ----------
    operation : str
        The primitive's name: ``"exp"``, ``"linalg.inv"``.
    operands : tuple
        For each array operand: a function of a random generator that makes it (in float64),
        or the value itself (an array or a Python number, which then is no variable).
    options : dict
        The options of the call.
    torch : callable or None
        The same on PyTorch tensors, ``torch(*operands)``; the result is compared in value
        and in gradient.
    reference : callable or None
        The expected value on ndarrays; NumPy's function of the same name where None and
        where NumPy has one.
    view : callable or None
        ``view(xp, result)`` picks from a result what is well-defined and differentiable
        (the eigenvectors' sign is not); all of its floating parts where None.
    second : bool
        Whether second derivatives exist and are compared.
    float32 : bool
        Whether the case is run in float32 too.
    tolerance : float
        Relative tolerance of float64 gradients against differences.
    name : str
        Distinguishes cases of one operation.
    """

    operation: str
    operands: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    torch: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None
    view: Callable[..., Any] | None = None
    second: bool = True
    float32: bool = True
    tolerance: float = 1e-6
    name: str = ""

    def __str__(self) -> str:
        return f"{self.operation}-{self.name}" if self.name else self.operation


def normal(*shape: int, scale: float = 1.0, shift: float = 0.0) -> Make:
    """Standard normal entries, scaled and shifted."""
    return lambda rng: shift + scale * rng.standard_normal(shape)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Make:
    """Entries uniform between two bounds."""
    return lambda rng: rng.uniform(low, high, shape)


def away(
    *shape: int, kinks: Iterable[float] = (0.0,), scale: float = 1.0, gap: float = 0.05
) -> Make:
    """Normal entries, each at least ``gap`` from every kink."""

    def make(rng: np.random.Generator) -> Any:
        x = scale * rng.standard_normal(shape)
        for kink in kinks:
            close = np.abs(x - kink) < gap
            x = np.where(close, kink + np.where(x < kink, -1, 1) * (gap + np.abs(x - kink)), x)
        return x

    return make


def distinct(*shape: int, scale: float = 1.0) -> Make:
    """Entries that all differ by at least a tenth: for sorts and maxima."""

    def make(rng: np.random.Generator) -> Any:
        size = int(np.prod(shape))
        return scale * (rng.permutation(size).reshape(shape) / 4.0 - size / 8 + 0.03)

    return make


def integers(*shape: int, low: int = 0, high: int = 5) -> Make:
    """Entries uniform among the integers ``low .. high - 1``."""
    return lambda rng: rng.integers(low, high, shape)


def positive_definite(*shape: int) -> Make:
    """Well-conditioned symmetric positive definite matrices."""

    def make(rng: np.random.Generator) -> Any:
        a = rng.standard_normal(shape)
        return a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])

    return make


def well_conditioned(*shape: int) -> Make:
    """Square matrices far from singular."""
    return lambda rng: rng.standard_normal(shape) + 3 * np.eye(shape[-2], shape[-1])


def all_cases() -> list[Case]:
    """Return the cases of every family module beside this file."""
    cases: list[Case] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        cases += importlib.import_module(f"{__name__}.{module.name}").CASES
    return cases
