"""A line search: how far to go along a direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import autodiff as ad

__all__ = ["Point", "strong_wolfe"]

_SUFFICIENT, _FLAT = 1e-4, 0.9
"""The constants of both conditions, c1 and c2, as usual for quasi-Newton methods."""


class Point(NamedTuple):
    """What is known at a step of size ``t``."""

    t: float
    loss: float
    gradient: ad.Tensor
    slope: float
    """The derivative of the loss along the direction."""


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    reach: float,
    tolerance: float,
    evaluations: int,
) -> tuple[Point, int]:
    r"""Find a step that fulfils the strong Wolfe conditions [1]_.

    .. math:: f(t) \le f(0) + c_1 t f'(0), \qquad |f'(t)| \le c_2 |f'(0)|

    First steps grow until two enclose such a point, then the interval shrinks around it;
    new steps are the minima of cubics through values and slopes at both ends.

    Parameters
    ----------
    evaluate : callable
        Gives the :class:`Point` at a step.
    start : Point
        At step 0, with a negative slope.
    t : float
        The first step to try.
    reach : float
        The direction's largest coordinate.
    tolerance : float
        Stop where no coordinate would move by more.
    evaluations : int
        Stop after so many.

    Returns
    -------
    point : Point
        The best that was found.
    count : int
        How often ``evaluate`` was called.

    References
    ----------
    .. [1] J. Nocedal and S. Wright, "Numerical optimization", 2nd edition, algorithms 3.5
       and 3.6.
    """

    def falls_short(point: Point) -> bool:
        return point.loss > start.loss + _SUFFICIENT * point.t * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -_FLAT * start.slope

    former, new, count = start, evaluate(t), 1
    while count <= evaluations:
        if falls_short(new) or (count > 2 and new.loss >= former.loss):
            break
        if is_flat(new):
            return new, count
        if new.slope >= 0:
            break
        ahead = new.t + 0.01 * (new.t - former.t), new.t * 10
        former, new = new, evaluate(_cubic_minimum(former, new, ahead))
        count += 1
    else:
        former = start
    low, high = (former, new) if former.loss <= new.loss else (new, former)

    stuck = False
    while count <= evaluations and abs(high.t - low.t) * reach >= tolerance:
        # In the order of their steps, as they were found, cubics of equal ends agree.
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = _cubic_minimum(low, high, (left, right))
        margin = 0.1 * (right - left)
        near_an_end = min(right - t, t - left) < margin
        if near_an_end and (stuck or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near_an_end = False
        stuck = near_an_end
        new = evaluate(t)
        count += 1
        if falls_short(new) or new.loss >= low.loss:
            high = new
            if high.loss < low.loss:
                low, high = high, low
            continue
        if is_flat(new):
            return new, count
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low, count


def _cubic_minimum(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """Return where the cubic through values and slopes is least, within bounds.

    It is their middle where the cubic has no minimum, or the numbers are not finite.
    """
    if a.t > b.t:
        a, b = b, a
    lowest, highest = bounds
    rise = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t) if a.t != b.t else math.nan
    square = rise * rise - a.slope * b.slope
    if square >= 0:
        root = math.sqrt(square)
        curve = b.slope - a.slope + 2 * root
        t: Any = b.t - (b.t - a.t) * ((b.slope + root - rise) / curve) if curve else math.nan
        if math.isfinite(t):
            return min(max(t, lowest), highest)  # type: ignore[no-any-return]
    return (lowest + highest) / 2
