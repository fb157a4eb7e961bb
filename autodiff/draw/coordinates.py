"""How far to the right each vertex lies: long paths straight, fans centred, scopes apart."""

from __future__ import annotations

from itertools import pairwise

from autodiff.draw.geometry import INSIDE, MOST_SWEEPS, Frame, Place, Scope, distance

__all__ = ["assign_x", "part_scopes", "spines"]

_STRAIGHT = 30.0  # how much more a straight path counts than a short one


def spines(places: list[Place], above: list[list[int]]) -> list[int]:
    """Return for each vertex the one above it that continues its longest path, -1 for none.

    That path is drawn straight; what joins it from the side gives way.
    """
    depth = [0] * len(places)
    spine = [-1] * len(places)
    for vertex in sorted(range(len(places)), key=lambda v: places[v].rank):
        ranked = sorted(above[vertex], key=lambda v: -depth[v])
        if ranked:
            depth[vertex] = depth[ranked[0]] + 1
            if len(ranked) == 1 or depth[ranked[0]] > depth[ranked[1]]:
                spine[vertex] = ranked[0]
    return spine


def assign_x(
    layers: list[list[int]],
    places: list[Place],
    above: list[list[int]],
    below: list[list[int]],
    spine: list[int],
    frame: Frame,
) -> None:
    """Place every rank as near to its neighbours as the distances allow, by sweeps."""
    distances = [
        [distance(places[a], places[b], frame) for a, b in pairwise(layer)] for layer in layers
    ]
    for layer, apart in zip(layers, distances, strict=True):
        x = -sum(apart) / 2
        for vertex, step in zip(layer, [0.0, *apart], strict=True):
            x += step
            places[vertex].x = x
    on_spine = {v for v in range(len(places)) if spine[v] >= 0} | {v for v in spine if v >= 0}

    def weight(upper: int, lower: int) -> float:
        return _STRAIGHT if spine[lower] == upper else 1.0

    size = sum(map(len, layers))
    sweeps = max(2, min(MOST_SWEEPS, 20_000 // max(1, size)))
    for sweep in range(sweeps):
        down = sweep % 2 == 0
        for rank in range(len(layers)) if down else reversed(range(len(layers))):
            wanted, weights = [], []
            for vertex in layers[rank]:
                near = [(places[n].x, weight(n, vertex)) for n in above[vertex]]
                near += [(places[n].x, weight(vertex, n)) for n in below[vertex]]
                total = sum(w for _, w in near)
                wanted.append(sum(x * w for x, w in near) / total if near else places[vertex].x)
                weights.append(_STRAIGHT if vertex in on_spine or places[vertex].dummy else 1.0)
            placed = _nearest(wanted, weights, distances[rank])
            for vertex, x in zip(layers[rank], placed, strict=True):
                places[vertex].x = x
    _straighten(layers, places, distances, spine)


def _straighten(
    layers: list[list[int]],
    places: list[Place],
    distances: list[list[float]],
    spine: list[int],
) -> None:
    """Make the long paths straight lines, the longest first, downward and then upward."""
    length = _lengths(spine, layers)
    onward = {vertex: vertex for vertex in range(len(places))}
    for vertex in sorted(range(len(places)), key=lambda v: length[v]):
        if spine[vertex] >= 0:
            onward[spine[vertex]] = vertex
    ranks = list(zip(layers, distances, strict=True))
    for ordered, follow in (
        (ranks, {v: spine[v] if spine[v] >= 0 else v for v in range(len(places))}),
        (ranks[::-1], onward),
    ):
        for layer, apart in ordered:
            wanted = [places[follow[v]].x for v in layer]
            weights = [float(length[v]) ** 4 for v in layer]
            for vertex, x in zip(layer, _nearest(wanted, weights, apart), strict=True):
                places[vertex].x = x


def _lengths(spine: list[int], layers: list[list[int]]) -> list[int]:
    """Return for each vertex how long the straight path through it is."""
    length = [1] * len(spine)
    for layer in layers:
        for vertex in layer:
            if spine[vertex] >= 0:
                length[vertex] = length[spine[vertex]] + 1
    for layer in reversed(layers):
        for vertex in layer:
            if spine[vertex] >= 0:
                length[spine[vertex]] = max(length[spine[vertex]], length[vertex])
    return length


def _nearest(wanted: list[float], weights: list[float], apart: list[float]) -> list[float]:
    """Return the positions nearest to the wanted ones that keep the distances.

    The weighted least squares under ``x[i + 1] - x[i] >= apart[i]``: without the distances,
    an isotonic regression, which pooling adjacent violators solves exactly.
    """
    offsets = [0.0]
    for step in apart:
        offsets.append(offsets[-1] + step)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, members = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, other_total, other_members = blocks.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total += other_total
            members += other_members
        blocks.append((mean, total, members))
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def part_scopes(layers: list[list[int]], places: list[Place], frame: Frame) -> None:
    """Move scopes that lie beside one another apart, so that each can have its frame."""
    rows: dict[Scope, list[list[int]]] = {}  # the members of each scope in each of its ranks
    for layer in layers:
        begun: set[Scope] = set()
        for vertex in layer:
            scope = places[vertex].scope
            for depth in range(len(scope) + 1):
                parent = scope[:depth]
                if parent not in begun:
                    begun.add(parent)
                    rows.setdefault(parent, []).append([])
                rows[parent][-1].append(vertex)
    parents = {place.scope[:depth] for place in places for depth in range(len(place.scope))}
    for parent in sorted(parents, key=lambda scope: (-len(scope), scope)):
        _part_siblings(rows[parent], places, len(parent), frame)
    for layer in layers:  # what lies outside of the moved scopes makes room in turn
        apart = [distance(places[a], places[b], frame) for a, b in pairwise(layer)]
        wanted = [places[vertex].x for vertex in layer]
        for vertex, x in zip(layer, _nearest(wanted, [1.0] * len(layer), apart), strict=True):
            places[vertex].x = x


def _part_siblings(rows: list[list[int]], places: list[Place], depth: int, frame: Frame) -> None:
    """Part what lies directly in a scope: its inner scopes, and vertices of its own."""
    items: dict[object, list[int]] = {}
    follows: dict[object, set[object]] = {}
    for row in rows:
        former: object = None
        for vertex in row:
            scope = places[vertex].scope
            item: object = scope[depth] if len(scope) > depth else vertex
            items.setdefault(item, []).append(vertex)
            if former is not None and former != item:
                follows.setdefault(former, set()).add(item)
            former = item
    spans = {
        item: span
        for item, members in items.items()
        if (span := _span([places[vertex] for vertex in members], depth, frame)) is not None
    }
    inner = [item for item in spans if isinstance(item, str)]
    beside = _beside(spans)
    for _ in range(4 * len(inner)):
        moved = False
        for name in inner:
            for item in beside[name]:
                overlap = _overlap(spans[name], spans[item])
                if overlap > 0.0:
                    moved |= _push(places, items, spans, follows, name, item, overlap)
        if not moved:
            break


class _Span:
    """Where an item is: its borders, which move, and its ranks."""

    __slots__ = ("bottom", "left", "right", "top")

    def __init__(self, left: float, right: float, top: int, bottom: int) -> None:
        self.left, self.right, self.top, self.bottom = left, right, top, bottom


def _span(members: list[Place], depth: int, frame: Frame) -> _Span | None:
    solid = [place for place in members if not place.dummy]
    if not solid:
        return None
    inside = [max(0, len(place.scope) - depth) for place in solid]
    left = min(p.left - frame.left * n for p, n in zip(solid, inside, strict=True))
    right = max(p.right + frame.right * n for p, n in zip(solid, inside, strict=True))
    ranks = [place.rank for place in solid]
    return _Span(left, right, min(ranks), max(ranks))


def _beside(spans: dict[object, _Span]) -> dict[object, list[object]]:
    """Return for every item those that it shares a rank with, in the items' order."""
    in_rank: dict[int, list[object]] = {}
    for item, span in spans.items():
        for rank in range(span.top, span.bottom + 1):
            in_rank.setdefault(rank, []).append(item)
    place = {item: i for i, item in enumerate(spans)}
    found: dict[object, list[object]] = {}
    for item, span in spans.items():
        if isinstance(item, str):  # only scopes push
            near = {other for r in range(span.top, span.bottom + 1) for other in in_rank[r]}
            found[item] = sorted(near - {item}, key=place.__getitem__)
    return found


def _overlap(one: _Span, other: _Span) -> float:
    """Return by how much two items would have to part."""
    if one.left + one.right <= other.left + other.right:
        return max(0.0, one.right - other.left + INSIDE)
    return max(0.0, other.right - one.left + INSIDE)


def _push(
    places: list[Place],
    items: dict[object, list[int]],
    spans: dict[object, _Span],
    follows: dict[object, set[object]],
    first: object,
    second: object,
    distance: float,
) -> bool:
    """Move one of two items, and all that is right of it, to the right; tell whether."""

    def centre(item: object) -> float:
        return sum(places[vertex].x for vertex in items[item]) / len(items[item])

    beyond: dict[object, set[object]] = {}
    for item in (first, second):
        found = {item}
        waiting = [item]
        while waiting:
            for other in follows.get(waiting.pop(), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        beyond[item] = found
    movers = [
        item for item, other in ((first, second), (second, first)) if other not in beyond[item]
    ]
    if not movers:
        return False  # each is right of the other somewhere
    mover = max(movers, key=centre)
    for item in beyond[mover]:
        for vertex in items[item]:
            places[vertex].x += distance
        if item in spans:
            spans[item].left += distance
            spans[item].right += distance
    return True
