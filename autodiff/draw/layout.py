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

from collections.abc import Callable, Sequence

from autodiff.draw.coordinates import assign_x, part_scopes, spines
from autodiff.draw.geometry import (
    DOWN,
    GAP,
    INSIDE,
    Cluster,
    Frame,
    Layout,
    Place,
    Scope,
    Segment,
    Shelves,
    neighbours,
)
from autodiff.draw.ordering import initial_order, reorder
from autodiff.draw.ranks import insert_dummies, ranks, worth_a_frame

__all__ = ["Cluster", "Layout", "Place", "Segment", "arrange"]

_PORT = 12.0  # between the ends of edges into one vertex
_MOST_PARTED = 4_000  # places up to which scopes beside one another are moved apart


def arrange(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    scopes: Sequence[Scope],
    caption: Callable[[Scope], float] = lambda _: 0.0,
    frame: Frame = DOWN,
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
    frame : Frame
        The room of a cluster's border; with ``ACROSS``, for a drawing that is turned to run
        from left to right, the caption needs height.

    Returns
    -------
    Layout
    """
    scopes = worth_a_frame(scopes)
    ranked = ranks(len(sizes), edges, scopes)
    places = [
        Place(0.0, 0.0, width, height, rank, scope)
        for (width, height), rank, scope in zip(sizes, ranked, scopes, strict=True)
    ]
    links = insert_dummies(places, edges)
    layers = initial_order(places, edges, links)
    above, below = neighbours(len(places), links)
    layers = reorder(layers, places, above, below)
    spine = spines(places, above)
    assign_x(layers, places, above, below, spine, frame)
    if sum(map(len, layers)) <= _MOST_PARTED:
        part_scopes(layers, places, frame)
    layout = Layout(places)
    bands = _assign_y(layers, places, links, frame)
    layout.segments = _route(places, links, bands, spine)
    layout.clusters = _clusters(places, caption, frame)
    _shift_to_origin(layout)
    return layout


def _assign_y(
    layers: list[list[int]], places: list[Place], links: list[tuple[int, int]], frame: Frame
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
            y += GAP + min(44.0, 0.12 * spread[rank])
            y += closing[rank - 1] * frame.bottom
        y += opening[rank] * frame.top
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


def _clusters(
    places: list[Place], caption: Callable[[Scope], float], frame: Frame
) -> list[Cluster]:
    """Return the boxes around scopes, outermost first, without those that would lie."""
    boxes: dict[Scope, list[float]] = {}
    solid = [place for place in places if not place.dummy]
    inside: dict[Scope, list[Place]] = {}
    shelves: Shelves[Place] = Shelves()
    for place in solid:
        inside.setdefault(place.scope, []).append(place)
        shelves.add(place.top, place.bottom, place)
    scopes = {scope[:depth] for scope in inside for depth in range(1, len(scope) + 1)}
    nested: dict[Scope, list[list[float]]] = {}
    for scope in sorted(scopes, key=lambda scope: (-len(scope), scope)):
        own, inner = inside.get(scope, []), nested.get(scope, [])
        box = [
            min([p.left for p in own] + [b[0] for b in inner]) - frame.left,
            min([p.top for p in own] + [b[1] for b in inner]) - frame.top,
            max([p.right for p in own] + [b[2] for b in inner]) + frame.right,
            max([p.bottom for p in own] + [b[3] for b in inner]) + frame.bottom,
        ]
        end = 2 if frame == DOWN else 3
        box[end] = max(box[end], box[end - 2] + caption(scope) + 2 * INSIDE)
        boxes[scope] = box
        nested.setdefault(scope[:-1], []).append(box)
    kept: list[Cluster] = []
    others: Shelves[Cluster] = Shelves()
    for scope in sorted(boxes, key=lambda scope: (len(scope), scope)):
        left, top, right, bottom = boxes[scope]
        foreign = any(
            p.left < right and p.right > left and p.top < bottom and p.bottom > top
            for p in shelves.near(top, bottom)
            if p.scope[: len(scope)] != scope
        )
        overlaps = any(
            c.left < right and c.right > left and c.top < bottom and c.bottom > top
            for c in others.near(top, bottom)
            if c.scope != scope[: len(c.scope)]
        )
        if not foreign and not overlaps:
            kept.append(Cluster(scope, left, top, right, bottom))
            others.add(top, bottom, kept[-1])
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
