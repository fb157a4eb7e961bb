"""Gradients in the inputs' own precision, against the engine's in float64.

Whether the rules are right is decided in float64. What float32 adds is rounding, which must
not fail, and rules that are wrong in float32 only, which must: so both gradients are
compared, entry by entry, and how far rounding may put them apart is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.checking.function import Function
from autodiff.checking.kinks import CONTROL_FLOW, Trace
from autodiff.checking.report import Entry
from autodiff.checking.variables import own_precision
from autodiff.checking.verdict import KINK, OK, WRONG

if TYPE_CHECKING:
    from autodiff.checking.check import Checker

__all__ = ["ROUNDINGS", "OwnPrecision", "median", "rms", "roundoff", "stack"]

Array = np.ndarray[Any, Any]

ROUNDINGS = 100
"""The default rtol in units of the rounding of the precision the gradient was computed in."""

_DRAWS = 5


def stack(gradients: list[list[Array]], k: int) -> Array:
    """Return one variable's gradients for all sets of cotangents as an array."""
    return np.stack([parts[k] for parts in gradients])


def rms(x: Array) -> float:
    """Return the root mean square of the finite entries, 0 where there is none."""
    finite = x[np.isfinite(x)]
    return float(np.sqrt(np.square(finite).mean())) if finite.size else 0.0


def median(x: Array) -> float:
    """Return the median, 0 where there is none: like :func:`rms` where sizes differ widely."""
    return float(np.median(x)) if x.size else 0.0


def roundoff(
    function: Function,
    point: list[Array],
    gradients: list[Array],
    epsilon: float,
    crossed: frozenset[int],
    generator: np.random.Generator,
    typical: Callable[[Array], float],
) -> list[Array]:
    """Estimate how far rounding may put each gradient entry off.

    The gradient is computed again at points that differ from the given one in the last
    digits, with such changes to every upstream gradient too (stochastic arithmetic, after
    Vignes, 1993); where the same branches are taken, what changes is rounding.
    """

    def jitter(x: Array) -> Array:
        # Up or down, never neither: of a single number most draws could be without a change.
        sign = 2 * generator.integers(0, 2, x.shape) - 1
        return np.asarray(x * (1 + 2 * epsilon * sign), x.dtype)

    changes: list[list[Array]] = [[] for _ in gradients]
    hooked = True
    for _ in range(_DRAWS):
        nearby = [jitter(x) for x in point]
        moved, _, now = function.gradients(nearby, jitter if hooked else None)
        if hooked and CONTROL_FLOW in now - crossed:
            # A hook on a gradient that is differentiated itself records operations more.
            hooked = False
            moved, _, now = function.gradients(nearby)
        if now == crossed:
            for k, known in enumerate(gradients):
                change = np.nan_to_num(abs(stack(moved, k) - known), posinf=0.0)
                # An entry may scatter little by chance: its fellows scatter for it.
                changes[k].append(np.maximum(change, typical(change)))
    # The median: a draw that happens upon a jump of the gradient is no rounding.
    return [
        10 * np.median(found, axis=0) if found else np.zeros_like(known)
        for found, known in zip(changes, gradients, strict=True)
    ]


class OwnPrecision:
    """The engine's gradients at the inputs as they were given."""

    def __init__(
        self, checker: Checker, point: list[Array], generator: np.random.Generator
    ) -> None:
        function = checker.function
        observed = Trace(function.variables)
        with own_precision(function.captured):
            function.run(point, observed)
            gradients, _, self.crossed = function.gradients(point)
            self.own = [stack(gradients, k) for k in range(len(point))]
            spread = roundoff(
                function, point, self.own, observed.epsilon, self.crossed, generator, rms
            )
        self.double = checker.double
        self.epsilon = [max(observed.epsilon, float(np.finfo(x.dtype).eps)) for x in point]
        self.slack = [a + b for a, b in zip(spread, checker.slack, strict=True)]
        self._settings = checker.settings
        self._names = [variable.name for variable in function.variables]

    def compare(self, k: int, position: int, entry: Entry) -> Entry:
        """Compare an entry's gradient in the user's dtype with the one in float64."""
        if entry.verdict == WRONG:
            return entry
        a, b, slack = (
            x[k].reshape(len(x[k]), -1)[:, position] for x in (self.own, self.double, self.slack)
        )
        tolerance = self._tolerance(k, a, b, slack)
        wrong = ~(abs(a - b) <= tolerance)
        computed, expected = float(a[0]), entry.expected
        if not wrong.any():
            error = abs(computed - expected)
            allowed = max(entry.tolerance, float(tolerance[0]))
            if entry.verdict == OK and error == error:  # noqa: PLR0124 - not NaN
                return replace(entry, computed=computed, error=error, tolerance=allowed)
            return entry
        if self.crossed:
            return replace(
                entry, computed=computed, verdict=KINK, reason="float64 takes another branch here"
            )
        i = int(np.argmax(wrong))
        return replace(
            entry,
            computed=float(a[i]),
            expected=float(b[i]),
            error=float(abs(a[i] - b[i])),
            tolerance=float(tolerance[i]),
            verdict=WRONG,
            reason=f"in the inputs' own precision only; in float64 it is {b[i]:.8g}",
        )

    def _tolerance(self, k: int, a: Array, b: Array, slack: Array) -> Array:
        rtol = self._settings.rtol
        if rtol is None:
            rtol = ROUNDINGS * self.epsilon[k]
        atol = self._settings.atol
        if atol is None:
            atol = 10 * self.epsilon[k] * rms(self.double[k])
        return np.asarray(slack + rtol * np.maximum(abs(a), abs(b)) + atol)

    def worst(self, k: int) -> Entry:
        """Compare all entries in the user's dtype with float64: no differences are needed."""
        a, b = self.own[k], self.double[k]
        tolerance = self._tolerance(k, a, b, self.slack[k])
        with np.errstate(all="ignore"):
            ratio = np.where(tolerance > 0, abs(a - b) / tolerance, np.where(a == b, 0, np.inf))
        flat = int(np.argmax(np.nan_to_num(ratio, nan=np.inf)))
        i, *index = (int(n) for n in np.unravel_index(flat, a.shape))
        at = (i, *index)
        wrong = not ratio[at] <= 1
        verdict = OK if not wrong else KINK if self.crossed else WRONG
        reason = "computed in the inputs' own precision, against the engine in float64"
        return Entry(
            self._names[k], tuple(index), float(a[at]), float(b[at]), float(abs(a[at] - b[at])),
            float(tolerance[at]), verdict, 0.0, reason,
        )  # fmt: skip
