"""What a gradient may be at a kink.

Where one operation bends, any number between the one-sided slopes is a subgradient. Where
several do at once each chooses a subgradient of its own, and what the chain rule makes of
those choices may lie beyond f's own slopes, although nothing is wrong: the gradient 0 of
``relu(x) - relu(-x) / 2`` at 0, say, where the slopes are a half and one. So outputs that bend
are judged one by one, and an output that is made of several bends may have any slope that its
operations' choices give. Where f has a derivative all the same, as ``relu(x) - relu(-x)`` has,
only that is right; whether it has one, points around tell: the second of three equal numbers
that are sorted does not move with any of them, but next to the tie it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.checking.differences import Differences, Estimate, Line
from autodiff.checking.function import Function, numbers_of
from autodiff.checking.precision import stack
from autodiff.checking.verdict import KINK, SKIPPED, UNRESOLVED, WRONG

if TYPE_CHECKING:
    from autodiff.checking.check import Checker

__all__ = ["AtKink", "Sets", "judge_at_kink"]

Array = np.ndarray[Any, Any]

_JUMPS = "f jumps here, or is infinitely steep"

_ALONE = 16
"""So many outputs that bend along one line are judged one by one; the others together."""

_NEAR = -6
"""Operations' own slopes are taken at the step times two to this."""

_AROUND = 128.0
"""How far off, in units of that step, the points around are; and how many there are, besides
two at which no two neighbours in an array are moved alike."""
_POINTS = 6

_BENT = 1e-3
"""By which part slopes around differ at least where something bends: more than curvature."""


class AtKink(NamedTuple):
    """What was found at a kink, for each set of cotangents."""

    computed: Array
    estimate: Estimate
    tolerance: Array
    verdict: Array
    reasons: list[str]
    crossed: frozenset[int]


class Sets(NamedTuple):
    """A function weighed by some sets of cotangents, and all that is known for each."""

    function: Function
    line: Line
    differences: Differences
    computed: Array
    slack: Array
    size: Array
    names: list[str]


def judge_at_kink(checker: Checker, k: int, sets: Sets, *, single: bool) -> AtKink | None:
    """Judge at a kink; None where there is none.

    Parameters
    ----------
    checker : Checker
    k : int
        The variable that moves.
    sets : Sets
        The function as the checker weighs it.
    single : bool
        Whether one entry moves, and not many.
    """
    below, above = sets.differences.slopes()
    crossed = below.crossed | above.crossed
    jump = abs(above.value - below.value)
    allowance = 3 * np.maximum(above.error, below.error)
    if not crossed and not ((sets.differences.bend(-4) > 0.75) & (jump > allowance)).any():
        return None
    crossed = crossed or frozenset({len(sets.function.trace.steps)})
    if single and not sets.function.single:
        alone = _one_by_one(checker, k, sets)
        if alone is not None:
            sets = alone
            below, above = sets.differences.slopes()
            allowance = 3 * np.maximum(above.error, below.error)
    low, high = np.minimum(below.value, above.value), np.maximum(below.value, above.value)
    largest = np.maximum(abs(low), abs(high))
    tolerance = allowance + sets.slack + checker.rtol * largest + checker.atol
    computed = sets.computed
    noise = sets.differences.noise
    change = allowance - 24 * noise / np.maximum(below.step, above.step)
    jumps = ~(change <= 0.1 * np.fmax.reduce(np.fmax(largest, sets.size)))
    jumps &= (allowance > 100 * noise) & ~sets.differences.flattening()
    outside = ~(abs(computed - np.clip(computed, low, high)) <= tolerance)
    if (outside & ~jumps).any():
        least, most, curved = _choices(checker, sets, crossed, below.value, above.value)
        low, high = np.minimum(low, least), np.maximum(high, most)
        tolerance = tolerance + curved
    nearest = np.clip(computed, low, high)
    inside = abs(computed - nearest) <= tolerance
    verdict = np.where(inside, KINK, WRONG)
    undefined = np.isnan(computed)
    verdict = np.where(jumps & ~undefined, UNRESOLVED, verdict)
    unit = float(np.ravel(sets.line.direction)[0]) if single else 1.0
    reasons = []
    for i, name in enumerate(sets.names):
        left, right = sorted((float(below.value[i] / unit), float(above.value[i] / unit)))
        reason = f"at a kink with slopes {left:.6g} and {right:.6g}"
        reasons.append(_JUMPS if jumps[i] else reason + name)
    if checker.settings.kinks == "fail":
        farther = abs(below.value - computed) > abs(above.value - computed)
        nearest = np.where(farther, below.value, above.value)
        verdict = np.full(verdict.shape, WRONG)
        reasons = [f"{reason}, and kinks='fail'" for reason in reasons]
    elif checker.settings.kinks == "skip":
        verdict = np.full(verdict.shape, SKIPPED)
    estimate = Estimate(nearest, allowance, above.step, crossed, True)
    return AtKink(computed, estimate, tolerance, verdict, reasons, crossed)


def _one_by_one(checker: Checker, k: int, sets: Sets) -> Sets | None:
    """Weigh each output that bends along the line alone; None where at most one does."""
    function, line = sets.function, sets.line
    center = numbers_of(function.outputs)
    t = checker.h * 2.0**_NEAR

    def second(t: float) -> Array:
        above, below = (numbers_of(function.outputs_at(line.moved(s))) for s in (t, -t))
        return np.asarray(abs(above + below - 2 * center))

    coarse, fine = second(t), second(t / 2)
    noise = checker.output_noise
    # What bends has a second difference that falls with the step, not with its square.
    bent = np.flatnonzero((fine > 0.35 * coarse) & (fine > 32 * noise))
    if len(bent) < 2:
        return None
    chosen = bent[np.argsort(-fine[bent], kind="stable")][:_ALONE]
    cotangents = [function.unit(int(i)) for i in chosen]
    names = [f" of output {function.place(int(i))} alone" for i in chosen]
    rest = function.without(chosen)
    if rest:
        cotangents += rest
        names += [""] * len(rest)
    weighed = function.weighed_by(cotangents)
    gradients = stack(weighed.gradients(function.point)[0], k)
    line = Line(weighed, k, line.direction, line.support, sets.line.finest)
    levels = np.append(noise[chosen], np.full(len(rest), sets.differences.noise.max()))
    return Sets(
        weighed,
        line,
        Differences(line.at, weighed.center, levels, checker.h),
        np.array([line.along(g) for g in gradients]),
        np.full(len(cotangents), sets.slack.max()),
        np.array([line.norm(g) for g in gradients]),
        names,
    )


def _choices(
    checker: Checker, sets: Sets, crossed: frozenset[int], below: Array, above: Array
) -> tuple[Array, Array, Array]:
    """Return the least and the largest slope that the crossed operations' choices give.

    The third result is how far both may be off.

    An operation's results have slopes of their own, on both sides and at points around;
    whatever is chosen between them reaches the output times the gradient that arrives there.
    """
    function, line = sets.function, sets.line
    t = sets.differences.h * 2.0**_NEAR
    seen = crossed if crossed <= set(range(len(function.trace.steps))) else frozenset[int]()

    far = _AROUND * t

    def evaluate(s: float, offset: list[Array] | None = None) -> tuple[Array, dict[Any, Array]]:
        point = line.moved(s)
        return function.results_at(point if offset is None else _moved(point, offset), seen)

    low, middle, high = (evaluate(s) for s in (-t, 0.0, t))
    pairs = [(low, middle, t), (middle, high, t)]
    pairs += [
        (evaluate(-t, offset), evaluate(t, offset), 2 * t) for offset in _offsets(checker, far)
    ]
    around = np.array([below, above, *((b[0] - a[0]) / width for a, b, width in pairs[2:])])
    least, most = around.min(axis=0), around.max(axis=0)
    rounding = sets.differences.noise / t
    bends = most - least > _BENT * np.maximum(abs(least), abs(most)) + 8 * rounding
    if bends.any() and all(a[1].keys() == b[1].keys() == low[1].keys() for a, b, _ in pairs):
        slopes = {
            place: np.array([(b[1][place] - a[1][place]) / width for a, b, width in pairs])
            for place in low[1]
        }
        # What arrives at one bend depends on what those behind it choose: also points around.
        points = [function.point, *(_moved(function.point, o) for o in _offsets(checker, far))]
        arriving = [function.arriving(point, seen) for point in points]
        for i in range(len(sets.computed)):
            fall, rise = np.zeros(2), np.zeros(2)
            for place, found in slopes.items():
                gradients = [one[i][place] for one in arriving if place in one[i]]
                if not gradients:
                    continue
                bent = abs(found - found[0]).max(axis=0) > _BENT * abs(found).max(axis=0)
                parts = np.real(np.conj(np.array(gradients))[:, None] * found)[:, :, bent]
                # Any choice in place of the one that either side of the point makes.
                fall += (parts.min(axis=1)[:, None] - parts[:, :2]).min(axis=0).sum(axis=1)
                rise += (parts.max(axis=1)[:, None] - parts[:, :2]).max(axis=0).sum(axis=1)
            sides = around[:2, i]
            least[i] = min(least[i], *(sides + fall))
            most[i] = max(most[i], *(sides + rise))
    curved = _BENT * np.maximum(abs(least), abs(most))  # slopes around are not those here
    none = np.zeros_like(curved)
    return (
        np.where(bends, least, below),
        np.where(bends, most, above),
        np.where(bends, curved, none),
    )


def _moved(point: Sequence[Array], offset: list[Array]) -> list[Array]:
    return [x + change for x, change in zip(point, offset, strict=True)]


def _offsets(checker: Checker, size: float) -> Iterator[list[Array]]:
    """Yield steps to points around, at which numbers that are alike at the point differ."""
    rng = np.random.default_rng(0)
    for sign in (1, -1):
        yield [
            sign * min(size * max(1.0, x.size / 16), 2.0**-8) * scale
            * (np.arange(1.0, x.size + 1) / max(1, x.size)).reshape(x.shape)
            for x, scale in zip(checker.function.point, checker.scales, strict=True)
        ]  # fmt: skip
    for _ in range(_POINTS):
        yield [size * scale * rng.uniform(-1, 1, scale.shape) for scale in checker.scales]
