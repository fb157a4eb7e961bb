"""Which rank each vertex lies on, and the dummies of edges that pass through ranks."""

from __future__ import annotations

from collections.abc import Sequence

from autodiff.draw.geometry import Place, Scope, common_prefix

__all__ = ["insert_dummies", "ranks", "worth_a_frame"]


def worth_a_frame(scopes: Sequence[Scope]) -> list[Scope]:
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


def ranks(count: int, edges: Sequence[tuple[int, int]], scopes: Sequence[Scope]) -> list[int]:
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
    # A leaf that flows in from beside gets a rank of its own, with no other scope in it.
    fed = [False] * len(blocks)
    for i, j in outer:
        fed[j] |= sizes[i] == 1 and not has_sources[i]
    lowest = [0] * len(blocks)
    for i in reversed(topological(len(blocks), outer) or ()):
        for j in flows_into[i]:
            beside = sizes[i] > 1 or (sizes[j] > 1 and has_sources[i])
            above = lowest[j] + sizes[j] + (fed[j] and beside)
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
        if topological(len(blocks), between) is None:
            return [[vertex] for vertex in members]
    return blocks


def topological(count: int, edges: list[tuple[int, int]]) -> list[int] | None:
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


def insert_dummies(places: list[Place], edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Split edges over several ranks; return the links between neighbouring ranks."""
    links: list[tuple[int, int]] = []
    trunks: dict[tuple[int, int], int] = {}
    targets_of: dict[int, list[int]] = {}
    for source, target in edges:
        targets_of.setdefault(source, []).append(target)
    for source, targets in targets_of.items():
        first = places[source].rank + 1
        by_rank = sorted(targets, key=lambda target: -places[target].rank)
        scopes: list[Scope] = []  # of the trunk, from its end up: what all beyond have in common
        scope = places[by_rank[0]].scope
        passed = 0
        for rank in reversed(range(first, places[by_rank[0]].rank)):
            while passed < len(by_rank) and places[by_rank[passed]].rank > rank:
                scope = common_prefix([scope, places[by_rank[passed]].scope])
                passed += 1
            scopes.append(common_prefix([places[source].scope, scope]))
        last = source
        for rank, scope in enumerate(reversed(scopes), first):
            trunks[source, rank] = len(places)
            places.append(Place(0.0, 0.0, 0.0, 0.0, rank, scope, dummy=True))
            links.append((last, len(places) - 1))
            last = len(places) - 1
    for source, target in edges:
        links.append((trunks.get((source, places[target].rank - 1), source), target))
    return links
