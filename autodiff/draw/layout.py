"""Where the boxes of a layered drawing go: forward from top to bottom, no edge through a box.

The method of Sugiyama, Tagawa and Toda in four steps:

1. **ranks**: every vertex lies as close above its consumers as it can, so a layer's weight
   lies beside the layer and not at the top of the page; each scope has ranks of its own;
2. **dummies**: an edge over several ranks gets a place in each; edges of one source share
   them, so that a tensor used in many places has one trunk with branches;
3. **order** in each rank by barycenters, sweeping down and up, the members of a scope
   staying together; the order with the fewest crossings is kept;
4. **coordinates** by sweeps too: each rank is placed as near to its neighbours' means as the
   distances allow (least squares, solved exactly by pooling adjacent violators).

Everything is deterministic.

References
----------
.. [1] K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical
   system structures", IEEE Trans. SMC 11(2), 1981.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Cluster", "Layout", "Place", "Segment", "arrange"]

Scope = tuple[str, ...]

_SEPARATION = 24.0  # between neighbours in a rank
_INSIDE = 10.0  # between a cluster's border and its members
_CAPTION = 22.0  # above a cluster's members
_GAP = 27.0  # between ranks
_PORT = 12.0  # between the ends of edges into one vertex
_MOST_SWEEPS = 40
_STRAIGHT = 30.0  # how much more a straight path counts than a short one


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


def arrange(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    scopes: Sequence[Scope],
    caption: Callable[[Scope], float] = lambda _: 0.0,
) -> Layout:
    """Lay a directed acyclic graph out.

    Parameters
    ----------
    sizes : sequence of (float, float)
        Each vertex's width and height.
    edges : sequence of (int, int)
        Source and target of each edge, in the order of the targets' operands. Sources come
        before their targets in the sequence of vertices.
    scopes : sequence of tuple of str
        Each vertex's scope.
    caption : callable
        The width that a cluster needs for its caption.

    Returns
    -------
    Layout
    """
    scopes = _worth_a_frame(scopes)
    ranks = _ranks(len(sizes), edges, scopes)
    places = [
        Place(0.0, 0.0, width, height, rank, scope)
        for (width, height), rank, scope in zip(sizes, ranks, scopes, strict=True)
    ]
    links = _insert_dummies(places, edges)
    layers = _initial_order(places, edges, links)
    above, below = _neighbours(len(places), links)
    layers = _reorder(layers, places, above, below)
    spine = _spines(places, above)
    _assign_x(layers, places, above, below, spine)
    layout = Layout(places)
    bands = _assign_y(layers, places, links)
    layout.segments = _route(places, links, bands, spine)
    layout.clusters = _clusters(places, caption)
    _shift_to_origin(layout)
    return layout


def _worth_a_frame(scopes: Sequence[Scope]) -> list[Scope]:
    """Drop scopes of a single vertex: a frame around it would say nothing new."""
    members: dict[Scope, int] = {}
    for scope in scopes:
        for depth in range(1, len(scope) + 1):
            members[scope[:depth]] = members.get(scope[:depth], 0) + 1
    kept = []
    for scope in scopes:
        while scope and members[scope] == 1:
            scope = scope[:-1]  # noqa: PLW2901
        kept.append(scope)
    return kept


# -- 1. ranks ----------------------------------------------------------------------------


def _ranks(count: int, edges: Sequence[tuple[int, int]], scopes: Sequence[Scope]) -> list[int]:
    """Return the ranks from 0 at the top: the longest path to the end, counted from there.

    A scope's members lie on consecutive ranks of their own, above what they flow into.
    """
    heights = [0] * count
    total = _stack(list(range(count)), list(edges), scopes, 0, heights)
    return [total - 1 - height for height in heights]


def _stack(
    members: list[int],
    edges: list[tuple[int, int]],
    scopes: Sequence[Scope],
    depth: int,
    heights: list[int],
) -> int:
    """Set the members' heights above the lowest of them; return how many ranks they take."""
    blocks = _blocks(members, edges, scopes, depth)
    inner: dict[int, list[tuple[int, int]]] = {}
    outer: list[tuple[int, int]] = []
    block_of = {vertex: i for i, block in enumerate(blocks) for vertex in block}
    for source, target in edges:
        i, j = block_of[source], block_of[target]
        if i == j:
            inner.setdefault(i, []).append((source, target))
        else:
            outer.append((i, j))
    sizes = [1] * len(blocks)
    for i, block in enumerate(blocks):
        if len(block) > 1:
            sizes[i] = _stack(block, inner.get(i, []), scopes, depth + 1, heights)
    flows_into: list[list[int]] = [[] for _ in blocks]
    has_sources = [False] * len(blocks)
    for i, j in outer:
        flows_into[i].append(j)
        has_sources[j] = True
    # What flows into a block from outside gets a rank of its own, beside no other block.
    fed = [False] * len(blocks)
    for i, j in outer:
        fed[j] |= sizes[j] > 1 and sizes[i] == 1 and not has_sources[i]
    lowest = [0] * len(blocks)
    for i in reversed(_topological(len(blocks), outer) or ()):
        for j in flows_into[i]:
            above = lowest[j] + sizes[j] + (fed[j] and (has_sources[i] or sizes[i] > 1))
            lowest[i] = max(lowest[i], above)
        for vertex in blocks[i]:
            heights[vertex] = lowest[i] + (heights[vertex] if sizes[i] > 1 else 0)
    return max((low + size for low, size in zip(lowest, sizes, strict=True)), default=0)


def _blocks(
    members: list[int], edges: list[tuple[int, int]], scopes: Sequence[Scope], depth: int
) -> list[list[int]]:
    """Group the members by the scope of that depth, unless scopes flow into one another."""
    groups: dict[object, list[int]] = {}
    for vertex in members:
        scope = scopes[vertex]
        group: object = scope[depth] if len(scope) > depth else (vertex,)
        groups.setdefault(group, []).append(vertex)
    blocks = list(groups.values())
    if len(blocks) < len(members):
        block_of = {vertex: i for i, block in enumerate(blocks) for vertex in block}
        between = [(block_of[source], block_of[target]) for source, target in edges]
        between = [(i, j) for i, j in between if i != j]
        if _topological(len(blocks), between) is None:
            return [[vertex] for vertex in members]
    return blocks


def _topological(count: int, edges: list[tuple[int, int]]) -> list[int] | None:
    """Return the positions in an order that follows the edges; None where they go round."""
    targets: list[list[int]] = [[] for _ in range(count)]
    waits_for = [0] * count
    for source, target in edges:
        targets[source].append(target)
        waits_for[target] += 1
    ready = [i for i in range(count) if not waits_for[i]]
    for i in ready:
        for target in targets[i]:
            waits_for[target] -= 1
            if not waits_for[target]:
                ready.append(target)
    return ready if len(ready) == count else None


# -- 2. dummies --------------------------------------------------------------------------


def _insert_dummies(places: list[Place], edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Split edges over several ranks; return the links between neighbouring ranks."""
    links: list[tuple[int, int]] = []
    trunks: dict[tuple[int, int], int] = {}
    deepest: dict[int, list[int]] = {}
    for source, target in edges:
        deepest.setdefault(source, []).append(target)
    for source, targets in deepest.items():
        last = source
        for rank in range(places[source].rank + 1, max(places[target].rank for target in targets)):
            beyond = [places[target].scope for target in targets if places[target].rank > rank]
            scope = _common_prefix([places[source].scope, *beyond])
            trunks[source, rank] = len(places)
            places.append(Place(0.0, 0.0, 0.0, 0.0, rank, scope, dummy=True))
            links.append((last, len(places) - 1))
            last = len(places) - 1
    for source, target in edges:
        links.append((trunks.get((source, places[target].rank - 1), source), target))
    return links


def _common_prefix(scopes: list[Scope]) -> Scope:
    length = 0
    for parts in zip(*scopes, strict=False):
        if len(set(parts)) > 1:
            break
        length += 1
    return scopes[0][:length]


def _neighbours(
    count: int, links: list[tuple[int, int]]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    return above, below


# -- 3. order ----------------------------------------------------------------------------


def _initial_order(
    places: list[Place], edges: Sequence[tuple[int, int]], links: list[tuple[int, int]]
) -> list[list[int]]:
    """Order ranks by a walk from the ends upward that visits operands in their order."""
    above, _ = _neighbours(len(places), links)
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


def _reorder(
    layers: list[list[int]],
    places: list[Place],
    above: list[list[int]],
    below: list[list[int]],
) -> list[list[int]]:
    """Sweep down and up by barycenters; return the best order met."""
    size = sum(map(len, layers))
    sweeps = max(2, min(_MOST_SWEEPS, 20_000 // max(1, size)))
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


# -- 4. coordinates ----------------------------------------------------------------------


def _distance(left: Place, right: Place) -> float:
    """Return how far apart the centres of neighbours must be: borders of scopes take room."""
    shared = len(_common_prefix([left.scope, right.scope]))
    borders = len(left.scope) + len(right.scope) - 2 * shared
    return (left.width + right.width) / 2 + _SEPARATION + borders * _INSIDE


def _spines(places: list[Place], above: list[list[int]]) -> list[int]:
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


def _assign_x(
    layers: list[list[int]],
    places: list[Place],
    above: list[list[int]],
    below: list[list[int]],
    spine: list[int],
) -> None:
    distances = [[_distance(places[a], places[b]) for a, b in pairwise(layer)] for layer in layers]
    for layer, apart in zip(layers, distances, strict=True):
        x = -sum(apart) / 2
        for vertex, step in zip(layer, [0.0, *apart], strict=True):
            x += step
            places[vertex].x = x
    on_spine = {v for v in range(len(places)) if spine[v] >= 0} | {v for v in spine if v >= 0}

    def weight(upper: int, lower: int) -> float:
        return _STRAIGHT if spine[lower] == upper else 1.0

    size = sum(map(len, layers))
    sweeps = max(2, min(_MOST_SWEEPS, 20_000 // max(1, size)))
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


def _assign_y(
    layers: list[list[int]], places: list[Place], links: list[tuple[int, int]]
) -> list[tuple[float, float]]:
    """Stack the ranks; return top and bottom of each."""
    opening, closing = _borders(places, len(layers))
    spread = [0.0] * len(layers)
    for source, target in links:
        rank = places[target].rank
        spread[rank] = max(spread[rank], abs(places[source].x - places[target].x))
    bands: list[tuple[float, float]] = []
    y = 0.0
    for rank, layer in enumerate(layers):
        if rank:
            # A long way sideways takes more height, or its curve would lie flat.
            y += _GAP + min(44.0, 0.12 * spread[rank])
            y += closing[rank - 1] * _INSIDE
        y += opening[rank] * _CAPTION
        height = max((places[vertex].height for vertex in layer), default=0.0)
        for vertex in layer:
            places[vertex].y = y + height / 2
            if places[vertex].dummy:
                places[vertex].height = height
        bands.append((y, y + height))
        y += height
    return bands


def _borders(places: list[Place], count: int) -> tuple[list[int], list[int]]:
    """Return how many clusters, one inside the other, begin and end at each rank."""
    first: dict[Scope, int] = {}
    last: dict[Scope, int] = {}
    for place in places:
        if not place.dummy:
            for depth in range(1, len(place.scope) + 1):
                scope = place.scope[:depth]
                first[scope] = min(first.get(scope, place.rank), place.rank)
                last[scope] = max(last.get(scope, place.rank), place.rank)

    def deepest(ends: dict[Scope, int]) -> list[int]:
        most = [0] * count
        for scope, rank in ends.items():
            nested = sum(ends[scope[:depth]] == rank for depth in range(1, len(scope) + 1))
            most[rank] = max(most[rank], nested)
        return most

    return deepest(first), deepest(last)


# -- routes and clusters -----------------------------------------------------------------


def _route(
    places: list[Place],
    links: list[tuple[int, int]],
    bands: list[tuple[float, float]],
    spine: list[int],
) -> list[Segment]:
    """Draw each link once, entering a vertex side by side with its other operands."""
    incoming: dict[int, list[int]] = {}
    for i, (_, target) in enumerate(links):
        incoming.setdefault(target, []).append(i)
    shift: dict[int, float] = {}
    for target, found in incoming.items():
        ordered = sorted(found, key=lambda i: (places[links[i][0]].x, i))
        # The straight path enters in the middle, what joins it beside.
        middle = (len(ordered) - 1) / 2
        straight = [i for i, link in enumerate(ordered) if links[link][0] == spine[target]]
        if len(straight) == 1 and len(ordered) > 1:
            middle = float(straight[0])
        room = max(0.0, places[target].width / 2 - 4.0)
        furthest = max(middle, len(ordered) - 1 - middle)
        step = min(_PORT, room / furthest) if furthest else 0.0
        for i, link in enumerate(ordered):
            shift[link] = (i - middle) * step
    segments = []
    for i, (source, target) in enumerate(links):
        start, end = places[source], places[target]
        segments.append(
            Segment(
                source,
                target,
                start.x,
                start.top if start.dummy else start.bottom,
                bands[start.rank][1],
                bands[end.rank][0],
                end.x + shift[i],
                end.top,
                not end.dummy,
            )
        )
    return segments


def _clusters(places: list[Place], caption: Callable[[Scope], float]) -> list[Cluster]:
    """Return the boxes around scopes, outermost first, without those that would lie."""
    boxes: dict[Scope, list[float]] = {}
    solid = [place for place in places if not place.dummy]
    depths = {place.scope[:d] for place in solid for d in range(1, len(place.scope) + 1)}
    for scope in sorted(depths, key=lambda scope: (-len(scope), scope)):
        inside = [p for p in solid if p.scope == scope]
        nested = [box for other, box in boxes.items() if other[:-1] == scope]
        box = [
            min([p.left for p in inside] + [b[0] for b in nested]) - _INSIDE,
            min([p.top for p in inside] + [b[1] for b in nested]) - _CAPTION,
            max([p.right for p in inside] + [b[2] for b in nested]) + _INSIDE,
            max([p.bottom for p in inside] + [b[3] for b in nested]) + _INSIDE,
        ]
        box[2] = max(box[2], box[0] + caption(scope) + 2 * _INSIDE)
        boxes[scope] = box
    kept: list[Cluster] = []
    for scope in sorted(boxes, key=lambda scope: (len(scope), scope)):
        left, top, right, bottom = boxes[scope]
        foreign = any(
            p.left < right and p.right > left and p.top < bottom and p.bottom > top
            for p in solid
            if p.scope[: len(scope)] != scope
        )
        overlaps = any(
            c.left < right and c.right > left and c.top < bottom and c.bottom > top
            for c in kept
            if c.scope != scope[: len(c.scope)]
        )
        if not foreign and not overlaps:
            kept.append(Cluster(scope, left, top, right, bottom))
    return kept


def _shift_to_origin(layout: Layout) -> None:
    """Move everything so that it begins at (0, 0), and note its size."""
    boxes = [(p.left, p.top, p.right, p.bottom) for p in layout.places]
    boxes += [cluster[1:] for cluster in layout.clusters]
    if not boxes:
        return
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    layout.width = max(box[2] for box in boxes) - left
    layout.height = max(box[3] for box in boxes) - top
    for place in layout.places:
        place.x -= left
        place.y -= top
    layout.segments = [
        s._replace(
            x1=s.x1 - left,
            y1=s.y1 - top,
            leave=s.leave - top,
            enter=s.enter - top,
            x2=s.x2 - left,
            y2=s.y2 - top,
        )
        for s in layout.segments
    ]
    layout.clusters = [
        c._replace(left=c.left - left, right=c.right - left, top=c.top - top, bottom=c.bottom - top)
        for c in layout.clusters
    ]
