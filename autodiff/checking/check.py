"""The check itself: what is evaluated where, and what is made of the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
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
from autodiff.checking.function import Function
from autodiff.checking.kinks import Trace
from autodiff.checking.report import Entry
from autodiff.checking.verdict import OK, RESOLUTION, UNRESOLVED, WRONG, judge

__all__ = ["Checker", "Settings", "VariableCheck"]

Array = np.ndarray[Any, Any]
Index = tuple[int, ...]

KINK, SKIPPED = "kink", "skipped"

_RELATIVE = 1e-9
"""The default rtol of gradients in float64: far above rounding, far below any real error."""

_ROUNDINGS = 100
"""The default rtol in units of the rounding of the precision the gradient was computed in."""

_DRAWS = 3

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


class VariableCheck(NamedTuple):
    """What was found about one variable."""

    entries: list[Entry]
    worst: Entry | None
    verdict: str
    checked: str


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
        self.double = [_stack(gradients, k) for k in range(len(function.point))]
        self.slack = self._roundoff(function.point, self.double, trace.epsilon, frozenset())
        self.epsilon = trace.epsilon
        self.single: list[Array] | None = None
        if any(x.dtype != np.float64 for x in point):
            self._use_precision(point)
        self.scales = [_scale(x) for x in function.point]
        self.h = settings.h if settings.h is not None else default_step(self.epsilon)
        self.noise = self._noise()

    # -- gradients in the user's own precision ------------------------------------------

    def _use_precision(self, point: list[Array]) -> None:
        """Compute the gradients in the user's dtypes too, and how they scatter by rounding."""
        observed = Trace()
        self.function.run(point, observed)
        gradients, _, crossed = self.function.gradients(point)
        self.single = [_stack(gradients, k) for k in range(len(point))]
        self.single_epsilon = [max(observed.epsilon, float(np.finfo(x.dtype).eps)) for x in point]
        self.single_slack = self._roundoff(point, self.single, observed.epsilon, crossed)
        self.single_crossed = crossed

    def _roundoff(
        self, point: list[Array], gradients: list[Array], epsilon: float, crossed: frozenset[int]
    ) -> list[Array]:
        """Estimate how far rounding may put each gradient entry off.

        The gradient is computed again at points that differ from the given one in the last
        digits; where the same branches are taken, what changes is rounding and conditioning.
        """
        spread = [np.zeros_like(g) for g in gradients]
        for _ in range(_DRAWS):
            nearby = [
                np.asarray(x * (1 + 2 * epsilon * self._generator.integers(-1, 2, x.shape)))
                .astype(x.dtype)
                .reshape(x.shape)
                for x in point
            ]
            moved, _, now = self.function.gradients(nearby)
            if now == crossed:
                for k, known in enumerate(gradients):
                    change = abs(_stack(moved, k) - known)
                    # An entry may scatter little by chance: its fellows scatter for it.
                    typical = np.sqrt(np.square(change).mean(axis=-1, keepdims=True))
                    spread[k] = np.maximum(spread[k], np.maximum(change, typical))
        return [10 * np.nan_to_num(part, posinf=0.0) for part in spread]

    def _noise(self) -> Array:
        """Measure the noise of f's values along a random direction of all variables."""
        function = self.function
        directions = [
            self._generator.uniform(-1, 1, x.shape) * scale
            for x, scale in zip(function.point, self.scales, strict=True)
        ]
        reach = self.h / 4

        def samples() -> Iterator[Any]:
            for i in range(10):
                t = reach * (i - 4.5)
                yield function.sample(
                    [x + t * d for x, d in zip(function.point, directions, strict=True)]
                )

        with np.errstate(all="ignore"):
            return noise_level(samples(), function.center, self.epsilon)

    # -- one line ---------------------------------------------------------------------------

    def measure(self, k: int, support: Array, units: Array, index: Index | None) -> Entry:
        """Judge the derivative along a direction, given in units of the entries' scales.

        An entry's scale is its size or, where that is larger, its fellows'. Where such a
        step leaves f's domain or crosses a kink, the entry's own size is tried.
        """
        scale = self.scales[k].reshape(-1)[support]
        entry, crossed = self.compare(k, self.line(k, units * scale, support), index)
        if entry.verdict in (UNRESOLVED, KINK) and self.settings.h is None:
            own = abs(self.function.point[k].reshape(-1)[support])
            closer = (own > 0) & (own < 0.1 * scale)
            if closer.any():
                direction = units * np.where(closer, own, scale)
                again, now = self.compare(k, self.line(k, direction, support), index)
                if again.verdict in (OK, WRONG):
                    entry, crossed = again, now
        if entry.verdict != OK and len(support) == 1:
            for position in crossed:
                self.kinked.setdefault(position, []).append(_place(entry))
        return entry

    def line(self, k: int, direction: Array, support: Array) -> tuple[Line, Differences]:
        """Return a line of one variable, and the differences along it."""
        finest = self.h * 2.0**SMALLEST
        line = Line(self.function, k, direction, support, finest)
        return line, Differences(line.at, self.function.center, self.noise, self.h)

    @property
    def rtol(self) -> float:
        """The relative tolerance between the engine and the differences."""
        given = self.settings.rtol
        return max(_RELATIVE, _ROUNDINGS * self.epsilon) if given is None else given

    @property
    def atol(self) -> float:
        """The absolute tolerance; none but the measured ones unless given."""
        return self.settings.atol or 0.0

    def compare(
        self, k: int, along: tuple[Line, Differences], index: Index | None
    ) -> tuple[Entry, frozenset[int]]:
        """Judge the derivative along a line, trying other steps where the first does not do.

        Returns the entry, and the operations at whose kink the point lies.
        """
        line, differences = along
        gradients = self.double[k]
        computed = np.array([line.along(g) for g in gradients])
        slack = np.array([line.norm(g) for g in self.slack[k]])
        size = np.array([line.norm(g) for g in gradients])
        if self.settings.estimator == "complex":
            estimate = complex_step(line)
            tolerance, verdict = self._judge(computed, estimate, slack, size)
            entry = self._entry(k, line, index, computed, estimate, tolerance, verdict, "")
            return entry, frozenset()
        extrapolate = self.settings.estimator != "central"
        estimate = differences.richardson(extrapolate=extrapolate)
        tolerance, verdict = self._judge(computed, estimate, slack, size)
        smooth = not estimate.crossed and not (differences.bend() > 0.75).any()
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
                if better is None or not (verdict == OK).all():
                    kink = self._at_kink(k, line, differences, computed, slack, size, index)
                    if kink is not None:
                        return kink
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
        return entry, frozenset()

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
        reason: str,
    ) -> Entry:
        """Make an entry of what the worst set of cotangents gave; the first where they tie."""
        name = self.function.variables[k].name
        # A projection's step is relative to the entries' scales; so are its two numbers.
        unit = 1.0 if index is None else float(np.ravel(line.direction)[0])
        error = abs(computed - estimate.value)
        found = [
            Entry(
                name, index, float(computed[i] / unit), float(estimate.value[i] / unit),
                float(error[i] / abs(unit)), float(tolerance[i] / abs(unit)), str(verdict[i]),
                float(estimate.step[i] * abs(unit)), reason,
            )
            for i in range(len(computed))
        ]  # fmt: skip
        return max(found, key=lambda entry: _RANK[entry.verdict])

    # -- kinks ------------------------------------------------------------------------------

    def _at_kink(
        self,
        k: int,
        line: Line,
        differences: Differences,
        computed: Array,
        slack: Array,
        size: Array,
        index: Index | None,
    ) -> tuple[Entry, frozenset[int]] | None:
        """Judge at a kink: any number between the one-sided slopes is a subgradient."""
        below, above = differences.slopes()
        crossed = below.crossed | above.crossed
        jump = abs(above.value - below.value)
        allowance = 3 * np.maximum(above.error, below.error)
        if not crossed and not ((differences.bend(-4) > 0.75) & (jump > allowance)).any():
            return None
        crossed = crossed or frozenset({len(self.function.trace.steps)})
        low, high = np.minimum(below.value, above.value), np.maximum(below.value, above.value)
        nearest = np.clip(computed, low, high)
        tolerance = allowance + slack + self.rtol * np.maximum(abs(low), abs(high)) + self.atol
        inside = abs(computed - nearest) <= tolerance
        jumps = ~(allowance <= 0.1 * np.maximum(np.maximum(abs(low), abs(high)), size))
        jumps &= allowance > 100 * self.noise
        verdict = np.where(inside, KINK, WRONG)
        verdict = np.where(jumps, UNRESOLVED, verdict)
        if self.settings.kinks == "fail":
            verdict = np.full(verdict.shape, WRONG)
        elif self.settings.kinks == "skip":
            verdict = np.full(verdict.shape, SKIPPED)
        unit = 1.0 if index is None else float(np.ravel(line.direction)[0])
        left, right = sorted((float(below.value[0] / unit), float(above.value[0] / unit)))
        reason = f"at a kink with slopes {left:.6g} and {right:.6g}"
        if jumps.any():
            reason = "f jumps here"
        estimate = Estimate(nearest, allowance, above.step, crossed, True)
        entry = self._entry(k, line, index, computed, estimate, tolerance, verdict, reason)
        return entry, crossed

    # -- full mode ----------------------------------------------------------------------------

    def full(self, k: int, ticks: Callable[[Iterable[int]], Iterable[int]]) -> VariableCheck:
        """Compare every entry of one variable."""
        entries: list[Entry] = []
        worst: Entry | None = None
        counts: dict[str, int] = {}
        for position in ticks(range(self.function.point[k].size)):
            entry = self.single_entry(k, position)
            counts[entry.verdict] = counts.get(entry.verdict, 0) + 1
            if entry.verdict != OK:
                entries.append(entry)
            if worst is None or _gravity(entry) > _gravity(worst):
                worst = entry
        if worst is not None and worst.verdict == OK:
            entries.append(worst)
        checked = sum(counts.values())
        return VariableCheck(entries, worst, _overall(counts), f"{checked:,}")

    def _in_own_precision(self, k: int, position: int, entry: Entry) -> Entry:
        """Compare an entry's gradient in the user's dtype with the one in float64."""
        if self.single is None or entry.verdict == WRONG:
            return entry
        a = self.single[k].reshape(len(self.single[k]), -1)[:, position]
        b = self.double[k].reshape(len(self.double[k]), -1)[:, position]
        slack = (self.single_slack[k] + self.slack[k]).reshape(len(a), -1)[:, position]
        tolerance = self._own_tolerance(k, a, b, slack)
        wrong = ~(abs(a - b) <= tolerance)
        computed, expected = float(a[0]), entry.expected
        if not wrong.any():
            error = abs(computed - expected)
            allowed = max(entry.tolerance, float(tolerance[0]))
            if entry.verdict == OK and error == error:  # noqa: PLR0124 - not NaN
                return replace(entry, computed=computed, error=error, tolerance=allowed)
            return entry
        if self.single_crossed:
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

    def _own_tolerance(self, k: int, a: Array, b: Array, slack: Array) -> Array:
        rtol = self.settings.rtol
        if rtol is None:
            rtol = _ROUNDINGS * self.single_epsilon[k]
        atol = self.settings.atol
        if atol is None:
            atol = 10 * self.single_epsilon[k] * _rms(self.double[k])
        return np.asarray(slack + rtol * np.maximum(abs(a), abs(b)) + atol)

    # -- fast mode ------------------------------------------------------------------------------

    def fast(self, k: int) -> VariableCheck:
        """Compare random projections of one variable; where they differ, find the entries."""
        x = self.function.point[k]
        entries: list[Entry] = []
        everything = np.arange(x.size)
        for _ in range(self.settings.probes):
            entry = self.project(k, everything)
            entries.append(entry)
            if entry.verdict in (WRONG, KINK) or (entry.verdict == UNRESOLVED and entry.reason):
                found = self.bisect(k)
                worst = max([*found, *([entry] if not found else [])], key=_gravity)
                counts = {e.verdict: 1 for e in (found or [entry])}
                checked = f"{x.size:,} by {len(entries)}"
                return VariableCheck(found or entries, worst, _overall(counts), checked)
        entries += self._own_precision_entries(k)
        worst = max(entries, key=_gravity)
        counts = {entry.verdict: 1 for entry in entries}
        kept = [e for e in entries if e.verdict != OK] or [worst]
        return VariableCheck(kept, worst, _overall(counts), f"{x.size:,} by {len(entries)}")

    def project(self, k: int, support: Array) -> Entry:
        """Compare one random projection of some entries."""
        sizes = self._generator.uniform(0.5, 1.5, len(support))
        signs = self._generator.choice([-1.0, 1.0], len(support))
        return self.measure(k, support, sizes * signs, None)

    def single_entry(self, k: int, position: int) -> Entry:
        """Compare one entry."""
        shape = self.function.point[k].shape
        index = tuple(int(i) for i in np.unravel_index(position, shape))
        entry = self.measure(k, np.array([position]), np.ones(1), index)
        return self._in_own_precision(k, position, entry)

    def bisect(self, k: int) -> list[Entry]:
        """Find the entries that make a projection fail, by halving its support.

        Stops after about a hundred projections; what is not resolved by then is noted.
        """
        size = self.function.point[k].size
        pending = [np.arange(size)]
        found: list[Entry] = []
        budget = 40 + 8 * int(np.ceil(np.log2(size + 1)))
        while pending and budget > 0:
            support = pending.pop()
            if len(support) == 1:
                budget -= 1
                entry = self.single_entry(k, int(support[0]))
                if entry.verdict != OK:
                    found.append(entry)
                continue
            middle = len(support) // 2
            halves = [support[:middle], support[middle:]]
            suspects = []
            for half in halves:
                budget -= 1
                if len(half) == 1 or self.project(k, half).verdict not in (OK, UNRESOLVED):
                    suspects.append(half)
            pending += reversed(suspects)
        if pending:
            left = sum(len(support) for support in pending)
            name = self.function.variables[k].name
            self.notes.append(
                f"Of {name}, {len(found)} entries were found one by one; among {left:,} "
                "others there are more. mode='full' checks them all."
            )
        return found

    def _own_precision_entries(self, k: int) -> list[Entry]:
        """Compare all entries in the user's dtype with float64: no differences are needed."""
        if self.single is None:
            return []
        a, b = self.single[k], self.double[k]
        tolerance = self._own_tolerance(k, a, b, self.single_slack[k] + self.slack[k])
        with np.errstate(all="ignore"):
            ratio = np.where(tolerance > 0, abs(a - b) / tolerance, np.where(a == b, 0, np.inf))
        flat = int(np.argmax(np.nan_to_num(ratio, nan=np.inf)))
        i, *index = (int(n) for n in np.unravel_index(flat, a.shape))
        at = (i, *index)
        wrong = not ratio[at] <= 1
        verdict = OK if not wrong else KINK if self.single_crossed else WRONG
        reason = "computed in the inputs' own precision, against the engine in float64"
        name = self.function.variables[k].name
        return [
            Entry(
                name, tuple(index), float(a[at]), float(b[at]), float(abs(a[at] - b[at])),
                float(tolerance[at]), verdict, 0.0, reason,
            )
        ]  # fmt: skip


def _stack(gradients: list[list[Array]], k: int) -> Array:
    return np.stack([parts[k] for parts in gradients])


def _rms(x: Array) -> float:
    finite = x[np.isfinite(x)]
    return float(np.sqrt(np.square(finite).mean())) if finite.size else 0.0


def _scale(x: Array) -> Array:
    """Return each entry's scale: its size, or its fellows' where it is smaller."""
    typical = _rms(x) or 1.0
    return np.asarray(np.maximum(abs(x), typical))


def _resolved(estimate: Estimate, size: Array) -> bool:
    return bool((3 * estimate.error <= RESOLUTION * np.maximum(abs(estimate.value), size)).all())


_RANK = {OK: 0, SKIPPED: 1, KINK: 2, UNRESOLVED: 3, WRONG: 4}


def _place(entry: Entry) -> str:
    where = "" if entry.index is None else f"[{', '.join(map(str, entry.index))}]"
    return f"{entry.name}{where}"


def _gravity(entry: Entry) -> tuple[int, float]:
    return _RANK[entry.verdict], entry.ratio


def _overall(counts: dict[str, int]) -> str:
    """Sum the verdicts of one input's entries up: what fails first, what was checked next."""
    if WRONG in counts:
        return WRONG
    for verdict in (OK, KINK, UNRESOLVED, SKIPPED):
        if verdict in counts:
            return verdict
    return OK
