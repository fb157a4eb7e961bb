r"""Finite differences along a line, each with an honest error of its own.

With ``D(h) = (f(x + h d) - f(x - h d)) / 2h`` the estimators are

=============  ===============================  ==========================================
central        ``D(h/2)``                       error of order h squared
Richardson     ``(4 D(h/2) - D(h)) / 3``        error of order h to the fourth
complex step   ``imag f(x + i h d) / h``        exact to rounding, for analytic functions
=============  ===============================  ==========================================

and the error that a verdict has to allow for is
``E = |D(h/2) - D(h)| / 3 + 4 noise / h``: what extrapolation corrected, and what rounding
may have added. ``noise`` is how far a value of f may be off; :func:`noise_level` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import factorial
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.function import Function, Sample

__all__ = ["Differences", "Estimate", "Line", "complex_step", "default_step", "noise_level"]

Array = np.ndarray[Any, Any]

LARGEST, SMALLEST = 9, -12
"""The ladder: a step that does not serve is tried again times two to any of these powers."""

_FARTHEST = -3
"""No step is coarser than two to this of an entry's scale, unless the first one is: farther off
a function may have gone flat, and differences that agree there say nothing of the point."""


def default_step(epsilon: float) -> float:
    """Return the relative step for values of f known to a rounding unit, a power of two.

    The error E is smallest where h squared is about epsilon / h; a little more is safer
    against noise: 2 ** -15 in float64.
    """
    return float(2.0 ** round(np.log2(epsilon) * 15 / 52))


class Line:
    """The points ``x + t d`` of one variable, the others held still.

    The direction is rounded once, so that the points at every step of the ladder are exact
    in floating point: the step taken is the step that divides.

    Parameters
    ----------
    function : Function
    k : int
        Which variable.
    direction : ndarray
        One number for each entry in ``support``; the caller's scale is in it.
    support : ndarray of int, optional
        The flat positions of the entries that move; all of them where None.
    finest : float
        The smallest step that will be taken.
    """

    def __init__(
        self,
        function: Function,
        k: int,
        direction: Array,
        support: Array | None,
        finest: float,
    ) -> None:
        self.function = function
        self.k = k
        self.support = support
        self.finest = finest
        self._x = function.point[k]
        start = self._x if support is None else self._x.reshape(-1)[support]
        step = finest * direction
        realised = (start + step) - start
        self.direction = np.where(realised == 0, direction, realised / finest)
        self._start = start

    def at(self, t: float) -> Sample:
        """Evaluate at ``x + t d``."""
        return self.function.sample(self.moved(t))

    def moved(self, t: complex) -> list[Array]:
        """Return the point ``x + t d``."""
        moved = self._start + t * self.direction
        if self.support is not None:
            entries = self._x.astype(moved.dtype)
            entries.reshape(-1)[self.support] = moved
            moved = entries
        point = list(self.function.point)
        point[self.k] = np.asarray(moved)
        return point

    def along(self, gradient: Array) -> float:
        """Return the derivative along the line that a gradient of the variable implies."""
        g = gradient if self.support is None else gradient.reshape(-1)[self.support]
        return float((g * self.direction).sum())

    def norm(self, gradient: Array) -> float:
        """Return how large that derivative is where nothing cancels."""
        g = gradient if self.support is None else gradient.reshape(-1)[self.support]
        return float(np.sqrt(np.square(g * self.direction).sum()))


class Estimate(NamedTuple):
    """A derivative along a line, for each set of cotangents, and its error."""

    value: Array
    error: Array
    step: Array
    crossed: frozenset[int]
    finite: bool


class Differences:
    """Differences along a line at steps ``h * 2**j``, evaluated when first asked for."""

    def __init__(
        self, line: Callable[[float], Sample], center: Sample, noise: Array, h: float
    ) -> None:
        self._line = line
        self._center = center
        self.noise = noise
        self.h = h
        self._largest = max(1, min(LARGEST, int(_FARTHEST - np.log2(h))))
        self._samples: dict[int, tuple[Sample, Sample]] = {}

    def pair(self, j: int) -> tuple[Sample, Sample]:
        """Return the samples above and below at one step."""
        found = self._samples.get(j)
        if found is None:
            t = self.h * 2.0**j
            found = self._samples[j] = (self._line(t), self._line(-t))
        return found

    def central(self, j: int) -> Array:
        """Return the central difference at one step."""
        above, below = self.pair(j)
        return (above.values - below.values) / (2 * self.h * 2.0**j)

    def richardson(self, j: int = 0, *, extrapolate: bool = True) -> Estimate:
        """Return the estimate that the steps ``h 2**j`` and half of it give, and its error."""
        coarse, fine = self.central(j), self.central(j - 1)
        step = self.h * 2.0**j
        correction = (fine - coarse) / 3
        value = fine + correction if extrapolate else fine
        error = abs(correction) + 4 * self.noise / step
        crossed = frozenset[int]().union(
            *(sample.crossed for i in (j, j - 1) for sample in self.pair(i))
        )
        finite = bool(np.isfinite(value).all())
        return Estimate(value, error, np.full(value.shape, step), crossed, finite)

    def best(self, *, extrapolate: bool = True) -> Estimate | None:
        """Return the estimate of the whole ladder with the smallest error.

        Only steps count that cross no kink and meet no NaN; None where there is none.
        """
        if any(sample.crossed for sample in self.pair(SMALLEST)):
            return None  # a kink at the point itself: coarser steps cross it too
        found = [
            estimate
            for j in range(self._largest, SMALLEST, -1)
            if (estimate := self.richardson(j, extrapolate=extrapolate)).finite
            and not estimate.crossed
        ]
        return None if not found else _least(found)

    def slopes(self) -> tuple[Estimate, Estimate]:
        """Return the one-sided derivatives, below and above, of a function with a kink here."""
        sides = []
        for side in (1, 0):
            found = []
            for j in range(self._largest, SMALLEST, -3):
                coarse, fine = self._slope(j, side), self._slope(j - 1, side)
                step = self.h * 2.0**j
                error = abs(fine - coarse) + 8 * self.noise / step
                value = 2 * fine - coarse
                if np.isfinite(value).all():
                    crossed = self.pair(j)[side].crossed
                    found.append(Estimate(value, error, np.full(value.shape, step), crossed, True))
            nothing = np.full(self.noise.shape, np.nan)
            none = Estimate(nothing, nothing, nothing, frozenset(), False)
            sides.append(_least(found) if found else none)
        return sides[0], sides[1]

    def _slope(self, j: int, side: int) -> Array:
        sample, t = self.pair(j)[side], self.h * 2.0**j
        change = sample.values - self._center.values
        return (change if side == 0 else -change) / t

    def flattening(self) -> Array:
        """Tell whether the one-sided slopes tend to zero, as those of a squared relu at 0 do."""
        found = np.ones(self.noise.shape, bool)
        for side in (0, 1):
            coarse, fine = abs(self._slope(0, side)), abs(self._slope(-6, side))
            found &= (fine <= coarse / 2) | (fine <= 32 * self.noise / self.h)
        return found

    def bend(self, j: int = 0) -> Array:
        """Tell how the jump of the one-sided slopes shrinks from one step to half of it.

        The ratio ``J(h/2) / J(h)`` is a half for a smooth function and one at a kink; 0
        where the jump is lost in rounding.
        """
        coarse, fine = (self._slope(i, 0) - self._slope(i, 1) for i in (j, j - 1))
        seen = abs(fine) > 32 * self.noise / (self.h * 2.0**j)
        with np.errstate(all="ignore"):
            return np.where(seen, fine / coarse, 0.0)

    def taylor(self, derivative: Array, tolerance: Array) -> Array:
        """Return the slope of ``log |f(x + h d) - f(x) - h derivative|`` over ``log h``.

        Two or more where the derivative is right, one where it is not; infinite where
        there is no remainder but rounding, of f and of the derivative, which its tolerance
        stands for. The finest steps that rounding leaves decide.
        """
        remainders = []
        for j in range(self._largest, SMALLEST - 1, -1):
            above, t = self.pair(j)[0], self.h * 2.0**j
            remainder = abs(above.values - self._center.values - t * derivative)
            seen = remainder > 32 * self.noise + t * tolerance
            seen &= np.isfinite(remainder) & (not above.crossed)
            remainders.append(np.where(seen, remainder, np.nan))
        slopes = np.log2(np.array(remainders)[:-1] / np.array(remainders)[1:])
        found = []
        for column in slopes.T:
            known = column[np.isfinite(column)]
            found.append(float(np.median(known[-3:])) if known.size else np.inf)
        return np.array(found)


def complex_step(line: Line) -> Estimate:
    """Return ``imag f(x + i h d) / h``: nothing is subtracted, so h may be tiny."""
    function, h = line.function, 2.0**-100
    imaginary = function.imaginary(line.moved(1j * h))
    value, scale = imaginary.values / h, imaginary.scale / h
    error = 4 * np.finfo(np.float64).eps * scale
    finite = bool(np.isfinite(value).all())
    return Estimate(value, error, np.full(value.shape, h), frozenset(), finite)


def _least(found: list[Estimate]) -> Estimate:
    """Pick, for each set of cotangents, the estimate of least error."""
    errors = np.array([estimate.error for estimate in found])
    chosen = errors.argmin(axis=0)
    columns = np.arange(errors.shape[1])
    value = np.array([estimate.value for estimate in found])[chosen, columns]
    step = np.array([estimate.step for estimate in found])[chosen, columns]
    crossed = frozenset[int]().union(*(found[i].crossed for i in chosen))
    return Estimate(value, errors[chosen, columns], step, crossed, True)


def noise_level(samples: Iterable[Sample], center: Sample, epsilon: float) -> Array | None:
    """Measure how far values of f are off by rounding.

    Values at equidistant, close points are a polynomial of low degree plus noise; sixth
    differences leave the noise, which they amplify by a known factor (Hamming's difference
    table; Moré & Wild, "Estimating Computational Noise", SIAM J. Sci. Comput. 33, 2011).
    Never less than the rounding of the terms that are summed, and that where f is not finite.
    None where the points are known to lie on several smooth pieces: they say nothing then.
    """
    floor = epsilon * center.scale
    taken = list(samples)
    values = np.array([sample.values for sample in taken])
    if not np.isfinite(values).all():
        return np.asarray(floor)
    if len({sample.crossed for sample in taken}) > 1:
        return None
    levels = []
    for order in (4, 5, 6):
        gain = factorial(2 * order) / factorial(order) ** 2
        levels.append(np.sqrt(np.square(np.diff(values, order, axis=0)).mean(axis=0) / gain))
    return np.asarray(np.maximum(floor, 2 * np.min(levels, axis=0)))
