"""The order of vertices in each rank: few crossings, scopes together."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

from autodiff.draw.geometry import MOST_SWEEPS, Place, neighbours

__all__ = ["initial_order", "reorder"]


def initial_order(
    places: list[Place], edges: Sequence[tuple[int, int]], links: list[tuple[int, int]]
) -> list[list[int]]:
    """Order ranks by a walk from the ends upward that visits operands in their order."""
    above, _ = neighbours(len(places), links)
    has_targets = {source for source, _ in edges}
    layers: list[list[int]] = [[] for _ in range(max((p.rank for p in places), default=-1) + 1)]
    seen = [False] * len(places)
    ends = [v for v, place in enumerate(places) if v not in has_targets and not place.dummy]
    waiting = ends[::-1]
    while waiting:
        vertex = waiting.pop()
        if not seen[vertex]:
            seen[vertex] = True
            layers[places[vertex].rank].append(vertex)
            waiting.extend(reversed(above[vertex]))
    return [
        _together(layer, places, {v: float(i) for i, v in enumerate(layer)}) for layer in layers
    ]


def _together(
    layer: list[int], places: list[Place], keys: dict[int, float], depth: int = 0
) -> list[int]:
    """Sort a rank by keys, the members of every scope staying together."""
    groups: dict[object, list[int]] = {}
    for vertex in layer:
        scope = places[vertex].scope
        group: object = scope[depth] if len(scope) > depth else (vertex,)
        groups.setdefault(group, []).append(vertex)
    if len(groups) == len(layer):
        return sorted(layer, key=lambda vertex: keys[vertex])
    means = {
        group: sum(keys[v] for v in members) / len(members) for group, members in groups.items()
    }
    ordered: list[int] = []
    for group in sorted(groups, key=lambda group: means[group]):
        members = groups[group]
        ordered += members if len(members) == 1 else _together(members, places, keys, depth + 1)
    return ordered


def reorder(
    layers: list[list[int]],
    places: list[Place],
    above: list[list[int]],
    below: list[list[int]],
) -> list[list[int]]:
    """Sweep down and up by barycenters; return the best order met."""
    size = sum(map(len, layers))
    sweeps = max(2, min(MOST_SWEEPS, 20_000 // max(1, size)))
    best, fewest = layers, _crossings(layers, below)
    current = [list(layer) for layer in layers]
    for sweep in range(sweeps):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        neighbours = above if down else below
        position: dict[int, float] = {}
        for layer in current:
            position.update((vertex, float(i)) for i, vertex in enumerate(layer))
        for rank in range(len(current)) if down else reversed(range(len(current))):
            keys = {
                vertex: sum(position[n] for n in neighbours[vertex]) / len(neighbours[vertex])
                if neighbours[vertex]
                else position[vertex]
                for vertex in current[rank]
            }
            current[rank] = _together(current[rank], places, keys)
            position.update((vertex, float(i)) for i, vertex in enumerate(current[rank]))
        crossings = _crossings(current, below)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in current], crossings
    return best


def _crossings(layers: list[list[int]], below: list[list[int]]) -> int:
    """Count the pairs of links that cross."""
    total = 0
    for upper, lower in pairwise(layers):
        position = {vertex: i for i, vertex in enumerate(lower)}
        passed: list[int] = []
        for vertex in upper:
            ends = sorted(position[target] for target in below[vertex])
            for end in ends:
                total += len(passed) - bisect_right(passed, end)
            for end in ends:
                insort(passed, end)
    return total
