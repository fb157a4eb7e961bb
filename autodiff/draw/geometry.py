"""What layouts are made of: places, edges in segments, frames, and the distances between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

__all__ = [
    "ACROSS",
    "DOWN",
    "GAP",
    "INSIDE",
    "MOST_SWEEPS",
    "Cluster",
    "Frame",
    "Layout",
    "Place",
    "Scope",
    "Segment",
    "Shelves",
    "common_prefix",
    "distance",
    "neighbours",
]

Scope = tuple[str, ...]
T = TypeVar("T")

SEPARATION = 24.0  # between neighbours in a rank
INSIDE = 10.0  # between a cluster's border and its members
CAPTION = 22.0  # above a cluster's members
GAP = 27.0  # between ranks
MOST_SWEEPS = 40  # of the heuristics that pass over all ranks again and again


class Frame(NamedTuple):
    """How much room a cluster's border takes on each side of its members."""

    top: float
    bottom: float
    left: float
    right: float


DOWN = Frame(CAPTION, INSIDE, INSIDE, INSIDE)
"""For drawings from top to bottom."""

ACROSS = Frame(INSIDE, INSIDE, CAPTION, INSIDE)
"""For drawings from left to right, which are laid out downward and then turned: what is left
here is on top there."""


@dataclass(slots=True)
class Place:
    """A vertex's or a dummy's place: centre, size, rank and scope."""

    x: float
    y: float
    width: float
    height: float
    rank: int
    scope: Scope
    dummy: bool = False

    @property
    def left(self) -> float:
        """The left border."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The right border."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """The upper border."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The lower border."""
        return self.y + self.height / 2


class Segment(NamedTuple):
    """A part of an edge between neighbouring ranks, by the positions of its ends.

    It runs straight down from ``(x1, y1)`` to the end of its rank at ``leave``, curves to the
    next rank's beginning at ``enter`` and runs straight down to ``(x2, y2)``.
    """

    source: int
    target: int
    x1: float
    y1: float
    leave: float
    enter: float
    x2: float
    y2: float
    arrow: bool

    def at(self, y: float) -> float | None:
        """Return where it is at a height; None above its beginning and below its end."""
        if not self.y1 <= y <= self.y2:
            return None
        if y <= self.leave:
            return self.x1
        if y >= self.enter:
            return self.x2
        # The curve's controls lie half way down, below the start and above the end: its
        # height is monotone, so bisection finds the place.
        low, high = 0.0, 1.0
        for _ in range(30):
            t = (low + high) / 2
            share = 1.5 * t * (1 - t) + t**3  # of the height, passed at t
            low, high = (
                (t, high) if share < (y - self.leave) / (self.enter - self.leave) else (low, t)
            )
        return self.x1 + (self.x2 - self.x1) * (3 * t * t - 2 * t**3)


class Cluster(NamedTuple):
    """The box around a scope's members."""

    scope: Scope
    left: float
    top: float
    right: float
    bottom: float


@dataclass(slots=True)
class Layout:
    """A drawing's geometry: ``places[i]`` is vertex ``i``; dummies follow."""

    places: list[Place] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


class Shelves(Generic[T]):
    """Things by the heights that they span, so that neighbours are found among few."""

    _SIZE = 64.0

    def __init__(self) -> None:
        self._shelves: dict[int, list[T]] = {}

    def add(self, top: float, bottom: float, thing: T) -> None:
        """Put a thing on every shelf that it reaches."""
        for shelf in range(int(top // self._SIZE), int(bottom // self._SIZE) + 1):
            self._shelves.setdefault(shelf, []).append(thing)

    def near(self, top: float, bottom: float) -> Iterator[T]:
        """Give what may be between two heights, some of it more than once."""
        for shelf in range(int(top // self._SIZE), int(bottom // self._SIZE) + 1):
            yield from self._shelves.get(shelf, ())


def common_prefix(scopes: list[Scope]) -> Scope:
    """Return the scopes that all have in common, outermost first."""
    length = 0
    for parts in zip(*scopes, strict=False):
        if len(set(parts)) > 1:
            break
        length += 1
    return scopes[0][:length]


def distance(left: Place, right: Place, frame: Frame = DOWN) -> float:
    """Return how far apart the centres of neighbours must be: borders of scopes take room."""
    shared = len(common_prefix([left.scope, right.scope]))
    borders = (len(left.scope) - shared) * frame.right + (len(right.scope) - shared) * frame.left
    return (left.width + right.width) / 2 + SEPARATION + borders


def neighbours(count: int, links: list[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Return for each place those that it is linked to in the rank above, and below."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    return above, below
