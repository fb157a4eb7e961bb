"""One comparison: along a line, of what the engine and what differences say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.differences import (
    SMALLEST,
    Differences,
    Estimate,
    Line,
    complex_step,
    default_step,
    noise_level,
)
from autodiff.checking.function import Function, Sample, numbers_of
from autodiff.checking.precision import ROUNDINGS, OwnPrecision, median, rms, roundoff, stack
from autodiff.checking.report import Entry
from autodiff.checking.subgradients import Sets, judge_at_kink
from autodiff.checking.verdict import KINK, OK, RANK, RESOLUTION, UNRESOLVED, WRONG, judge

__all__ = ["Checker", "Compared", "Settings", "gravity"]

Array = np.ndarray[Any, Any]
Index = tuple[int, ...]

_RELATIVE = 1e-10
"""The default rtol of gradients in float64: far above rounding, far below any real error."""

_ATTEMPTS = 6
"""How often to look for points without a kink between them, each time four times closer."""

_SLOPE = 1.5
"""Between one, where a gradient is wrong, and two, where the Taylor remainder is right."""


class Settings(NamedTuple):
    """The options of a check, sorted out."""

    h: float | None
    rtol: float | None
    atol: float | None
    probes: int
    kinks: str
    estimator: str
    seed: int


class Compared(NamedTuple):
    """What one comparison found.

    Attributes
    ----------
    entry : Entry
    crossed : frozenset of int
        The operations at whose kink the point lies.
    off : ndarray (K,) or None
        By how much the derivatives differ, for each set of cotangents; None where that is not
        what was judged.
    allowed : ndarray (K,)
        By how much they may.
    """

    entry: Entry
    crossed: frozenset[int]
    off: Array | None
    allowed: Array


class Checker:
    """Compares the engine's gradients of one function with differences, at one point."""

    def __init__(self, function: Function, point: list[Array], settings: Settings) -> None:
        self.function = function
        self.settings = settings
        self.notes: list[str] = []
        self.kinked: dict[int, list[str]] = {}
        self._generator = np.random.default_rng(settings.seed)
        trace = function.trace
        gradients, self.reached, _ = function.gradients(function.point)
        self.double = [stack(gradients, k) for k in range(len(function.point))]
        self.epsilon = trace.epsilon
        self.wavering = self._wavering()
        self.slack = roundoff(
            function,
            function.point,
            self.double,
            trace.epsilon,
            frozenset(),
            self._generator,
            median,
        )
        self.own: OwnPrecision | None = None
        if function.captured or any(x.dtype != np.float64 for x in point):
            self.own = OwnPrecision(self, point, self._generator)
        self.scales = [_scale(x) for x in function.point]
        self.h = settings.h if settings.h is not None else default_step(self.epsilon)
        self.noise = self._noise(function.sample, function.center)

    def _wavering(self) -> float:
        """Return by how much two backward passes at the same point differ; 0 for rounding."""
        gradients, _, _ = self.function.gradients(self.function.point)
        differences = [abs(stack(gradients, k) - known) for k, known in enumerate(self.double)]
        worst = 0.0
        for known, difference in zip(self.double, differences, strict=True):
            largest = float(difference.max(initial=0.0))
            if largest > 1000 * self.epsilon * rms(known):
                worst = max(worst, largest)
        return worst

    def _noise(self, at: Callable[[list[Array]], Sample], center: Sample) -> Array:
        """Measure the noise of f's values along a random direction of all variables.

        On either side of the point, as there may be a kink at it; the quieter side counts.
        Where kinks are so near that both sides cross one, other directions and points that
        are closer are tried: a noise taken too low would call right gradients wrong.
        """
        for attempt in range(_ATTEMPTS):
            directions = [
                self._generator.uniform(-1, 1, x.shape) * scale
                for x, scale in zip(self.function.point, self.scales, strict=True)
            ]
            reach = self.h / 4 / 4**attempt
            levels = []
            for side in (-reach, reach):
                samples = (at(self._moved(side * (4 + i), directions)) for i in range(10))
                levels.append(noise_level(samples, center, self.epsilon))
            known = [level for level in levels if level is not None]
            if known:
                return np.asarray(np.min(known, axis=0))
        return np.asarray(self.epsilon * center.scale)

    def _moved(self, t: float, directions: list[Array]) -> list[Array]:
        return [x + t * d for x, d in zip(self.function.point, directions, strict=True)]

    @cached_property
    def output_noise(self) -> Array:
        """How far each number of the outputs may be off by rounding."""
        center = numbers_of(self.function.outputs)

        def at(point: list[Array]) -> Sample:
            return Sample(numbers_of(self.function.outputs_at(point)), abs(center), frozenset())

        return self._noise(at, Sample(center, abs(center), frozenset()))

    # -- one line ---------------------------------------------------------------------------

    def measure(self, k: int, support: Array, units: Array, index: Index | None) -> Compared:
        """Judge the derivative along a direction, given in units of the entries' scales.

        An entry's scale is its size or, where that is larger, its fellows'. Where such a
        step leaves f's domain or crosses a kink, the entry's own size is tried.
        """
        scale = self.scales[k].reshape(-1)[support]
        found = self.compare(k, self.line(k, units * scale, support), index)
        if found.entry.verdict in (UNRESOLVED, KINK) and self.settings.h is None:
            own = abs(self.function.point[k].reshape(-1)[support])
            closer = (own > 0) & (own < 0.1 * scale)
            if closer.any():
                direction = units * np.where(closer, own, scale)
                again = self.compare(k, self.line(k, direction, support), index)
                if again.entry.verdict in (OK, WRONG):
                    found = again._replace(off=None)  # of another direction
        if found.entry.verdict != OK and len(support) == 1:
            for position in found.crossed:
                self.kinked.setdefault(position, []).append(found.entry.place)
        return found

    def line(self, k: int, direction: Array, support: Array) -> tuple[Line, Differences]:
        """Return a line of one variable, and the differences along it."""
        finest = self.h * 2.0**SMALLEST
        line = Line(self.function, k, direction, support, finest)
        return line, Differences(line.at, self.function.center, self.noise, self.h)

    @property
    def rtol(self) -> float:
        """The relative tolerance between the engine and the differences."""
        given = self.settings.rtol
        return max(_RELATIVE, ROUNDINGS * self.epsilon) if given is None else given

    @property
    def atol(self) -> float:
        """The absolute tolerance; none but the measured ones unless given."""
        return self.settings.atol or 0.0

    def compare(self, k: int, along: tuple[Line, Differences], index: Index | None) -> Compared:
        """Judge the derivative along a line, trying other steps where the first does not do."""
        line, differences = along
        gradients = self.double[k]
        computed = np.array([line.along(g) for g in gradients])
        slack = np.array([line.norm(g) for g in self.slack[k]])
        size = np.array([line.norm(g) for g in gradients])
        if self.settings.estimator == "complex":
            estimate = complex_step(line)
            tolerance, verdict = self._judge(computed, estimate, slack, size)
            entry = self._entry(k, line, index, computed, estimate, tolerance, verdict, "")
            return Compared(entry, frozenset(), computed - estimate.value, tolerance)
        extrapolate = self.settings.estimator != "central"
        estimate = differences.richardson(extrapolate=extrapolate)
        tolerance, verdict = self._judge(computed, estimate, slack, size)
        bent = bool((differences.bend() > 0.75).any())
        smooth = not estimate.crossed and not bent
        reason = ""
        if (verdict != OK).any() or not smooth:
            certain = smooth and estimate.finite and (verdict == WRONG).any()
            certain = certain and _resolved(estimate, size)
            if not certain:
                better: Estimate | None = estimate
                if self.settings.h is None:
                    better = differences.best(extrapolate=extrapolate)
                elif estimate.crossed or not estimate.finite:
                    better = None
                if better is not None:
                    estimate = better
                    tolerance, verdict = self._judge(computed, estimate, slack, size)
                if better is None or bent or not (verdict == OK).all():
                    sets = Sets(
                        self.function, line, differences, computed, slack, size,
                        [""] * len(computed),
                    )  # fmt: skip
                    kink = judge_at_kink(self, k, sets, single=index is not None)
                    if kink is not None:
                        entry = self._entry(
                            k, line, index, kink.computed, kink.estimate, kink.tolerance,
                            kink.verdict, kink.reasons,
                        )  # fmt: skip
                        return Compared(entry, kink.crossed, None, kink.tolerance)
                    if better is None:
                        verdict = np.full(verdict.shape, UNRESOLVED)
                        reason = "f is not finite around here"
        if self.settings.estimator == "taylor" and not reason:
            slopes = differences.taylor(computed, slack + self.rtol * size + self.atol)
            verdict = np.where(slopes > _SLOPE, OK, WRONG)
            reason = f"a Taylor slope of {slopes.min():.2f}, 2 is right"
            if np.isinf(slopes).all():
                reason = "no remainder at all"
        entry = self._entry(k, line, index, computed, estimate, tolerance, verdict, reason)
        off = None if reason else computed - estimate.value
        return Compared(entry, frozenset(), off, tolerance)

    def _judge(
        self, computed: Array, estimate: Estimate, slack: Array, size: Array
    ) -> tuple[Array, Array]:
        return judge(
            computed, estimate.value, estimate.error, slack,
            rtol=self.rtol, atol=self.atol, size=size,
        )  # fmt: skip

    def _entry(
        self,
        k: int,
        line: Line,
        index: Index | None,
        computed: Array,
        estimate: Estimate,
        tolerance: Array,
        verdict: Array,
        reason: str | list[str],
    ) -> Entry:
        """Make an entry of what the worst set of cotangents gave; the first where they tie."""
        name = self.function.variables[k].name
        # A projection's step is relative to the entries' scales; so are its two numbers.
        unit = 1.0 if index is None else float(np.ravel(line.direction)[0])
        error = abs(computed - estimate.value)
        reasons = [reason] * len(computed) if isinstance(reason, str) else reason
        found = [
            Entry(
                name, index, float(computed[i] / unit), float(estimate.value[i] / unit),
                float(error[i] / abs(unit)), float(tolerance[i] / abs(unit)), str(verdict[i]),
                float(estimate.step[i] * abs(unit)), reasons[i],
            )
            for i in range(len(computed))
        ]  # fmt: skip
        return max(found, key=lambda entry: RANK[entry.verdict])

    # -- what the modes are made of ---------------------------------------------------------

    def draw(self, size: int) -> Array:
        """Draw a direction of normal numbers: with signs, two errors that are alike may cancel.

        Over 150 seeds signs missed such a pair 11 times, in three projections; these never.
        """
        return self._generator.standard_normal(size)

    def project(self, k: int, support: Array, units: Array) -> Compared:
        """Compare one projection of some entries, along a direction in units of their scales."""
        return self.measure(k, support, units, None)

    def hidden(self, k: int, projections: list[Entry]) -> int:
        """Count the entries in which an error of one per cent would not show in projections."""
        tolerances = [e.tolerance for e in projections if e.index is None and e.verdict == OK]
        if not tolerances:
            return 0  # nothing was verified at all, and that is said
        parts = (abs(self.double[k]) * self.scales[k]).max(axis=0)
        return int(((parts > 0) & (RESOLUTION * parts < min(tolerances))).sum())

    def single_entry(self, k: int, position: int) -> Entry:
        """Compare one entry."""
        shape = self.function.point[k].shape
        index = tuple(int(i) for i in np.unravel_index(position, shape))
        entry = self.measure(k, np.array([position]), np.ones(1), index).entry
        return entry if self.own is None else self.own.compare(k, position, entry)


def _scale(x: Array) -> Array:
    """Return each entry's scale: its size, or its fellows' where it is smaller."""
    typical = rms(x) or 1.0
    return np.asarray(np.maximum(abs(x), typical))


def _resolved(estimate: Estimate, size: Array) -> bool:
    return bool((3 * estimate.error <= RESOLUTION * np.maximum(abs(estimate.value), size)).all())


def gravity(entry: Entry) -> tuple[int, float]:
    """Return what sorts entries by how grave their verdict is, then by their error."""
    return RANK[entry.verdict], entry.ratio
