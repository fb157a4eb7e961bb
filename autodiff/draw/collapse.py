"""Large graphs made small: scopes drawn as one box, and equal boxes in a row as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from autodiff.draw.description import Description, Edge, Vertex
from autodiff.draw.folding import LEAST_REPEATED, fold, span
from autodiff.draw.statistics import statistics

__all__ = ["collapse"]

MOST_BOXES = 200
"""How many boxes a drawing has before its scopes are closed without being asked to."""


def collapse(description: Description, depth: int | None) -> Description:
    """Return a description in which scopes below a depth are boxes of their own.

    Parameters
    ----------
    description : Description
    depth : int or None
        How many levels of scopes are open: 0 shows each outermost scope as one box. None
        opens all of them, or as many as leave no more than 200 boxes. Of a graph of more
        than 200, one is shown in place of equal open scopes in a row; a depth that opens
        every scope shows every one.

    Returns
    -------
    Description
        Its ``"module"`` vertices name what they stand for: ``members`` are positions in the
        description that was given, or in the one without what repeats; ``count`` is how many
        equal scopes follow one another.

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff import draw
    >>> x = ad.tensor(0.1, requires_grad=True, name="x")
    >>> y = x * 2
    >>> for i in range(12):
    ...     with ad.name_scope(f"block {i}"):
    ...         y = ad.sin(y) * y
    >>> [(v.name, v.count) for v in collapse(draw.describe_graph(y), 0).vertices]
    [('x', 1), (None, 1), (None, 1), ('block 0…11', 12), (None, 1)]
    """
    deepest = max((len(vertex.scope) for vertex in description.vertices), default=0)
    large = len(description.vertices) > MOST_BOXES
    if depth is not None and depth >= deepest:
        return description
    if large:
        for level in range(deepest if depth is None else depth):
            description = fold(description, level, _Collapsed(description, level).chains)
    if depth is None:
        depth = deepest
        closed = description
        while depth and len(closed.vertices) > MOST_BOXES:
            depth -= 1
            closed = _Collapsed(description, depth).description()
        return closed
    return _Collapsed(description, depth).description()


class _Collapsed:
    """The groups that vertices belong to, by number, and the edges between groups."""

    def __init__(self, description: Description, depth: int) -> None:
        self.recorded = description.recorded
        self.vertices = description.vertices
        self.edges = description.edges
        self.depth = depth
        self.group: list[int] = []
        keys: dict[object, int] = {}
        for i, vertex in enumerate(self.vertices):
            closed = len(vertex.scope) > depth and vertex.kind != "output"
            key: object = vertex.scope[: depth + 1] if closed else i
            self.group.append(keys.setdefault(key, len(keys)))
        self._split_cycles()
        self._gather()
        self.count = Counter(dict.fromkeys(self.members, 1))
        chains = self._chains()
        self.chains = [[self.members[g] for g in chain] for chain in chains]
        for chain in chains:
            self.count[chain[-1]] = len(chain)
            self.members[chain[-1]] = [i for g in chain for i in self.members.pop(g)]
        merged = {i: g for g, members in self.members.items() for i in members}
        self.group = [merged[i] for i in range(len(self.vertices))]
        self.names = {g: self._name(g) for g in self.members}

    # -- groups --------------------------------------------------------------------------

    def _split_cycles(self) -> None:
        """Split a scope that was left and entered again, so that edges still point forward."""
        cyclic = _in_cycles(max(self.group, default=-1) + 1, self._links())
        if not cyclic:
            return
        fresh = max(self.group) + 1
        former = -1
        current: dict[int, int] = {}
        waiting: list[int] = []
        for i, vertex in enumerate(self.vertices):
            g = self.group[i]
            if g in cyclic:
                if vertex.kind == "operation":
                    if former != g:
                        current[g], fresh = fresh, fresh + 1
                elif vertex.kind in ("leaf", "constant"):
                    waiting.append(i)
                    continue
                self.group[i] = current[g]
            if vertex.kind == "operation":
                former = g
        targets: dict[int, int] = {}
        for edge in self.edges:
            targets.setdefault(edge.source, edge.target)
        for i in waiting:  # what an operation takes goes where it is first used
            self.group[i] = self.group[targets[i]] if i in targets else self.group[i]

    def _links(self) -> list[tuple[int, int]]:
        pairs = ((self.group[edge.source], self.group[edge.target]) for edge in self.edges)
        return list(dict.fromkeys((s, t) for s, t in pairs if s != t))

    def _gather(self) -> None:
        self.members: dict[int, list[int]] = {}
        for i, g in enumerate(self.group):
            self.members.setdefault(g, []).append(i)

    def _is_module(self, g: int) -> bool:
        vertex = self.vertices[self.members[g][0]]
        return len(vertex.scope) > self.depth and vertex.kind != "output"

    # -- repetitions ---------------------------------------------------------------------

    def _chains(self) -> list[list[int]]:
        """Return the runs of equal modules that follow one another and nothing else."""
        sources: dict[int, set[int]] = {g: set() for g in self.members}
        targets: dict[int, set[int]] = {g: set() for g in self.members}
        for s, t in self._links():
            sources[t].add(s)
            targets[s].add(t)
        modules = sorted(
            (g for g in self.members if self._is_module(g)), key=lambda g: self.members[g][-1]
        )
        signatures = {g: self._signature(g) for g in modules}
        chains = []
        taken: set[int] = set()
        for g in modules:
            if g in taken:
                continue
            chain = [g]
            while True:
                last = chain[-1]
                following = [t for t in targets[last] if signatures.get(t) == signatures[g]]
                if len(following) != 1 or following[0] in taken:
                    break
                if not self._continues(chain, following[0], sources, targets):
                    break
                chain.append(following[0])
            if len(chain) >= LEAST_REPEATED:
                chains.append(chain)
                taken.update(chain)
        return chains

    def _continues(
        self,
        chain: list[int],
        following: int,
        sources: dict[int, set[int]],
        targets: dict[int, set[int]],
    ) -> bool:
        """Tell whether a module, beside following the last, is fed and used like the others."""
        begin = self.members[chain[0]][0]
        end = self.members[following][-1]
        fed = sources[following] - {chain[-1]}
        used = targets[chain[-1]] - {following}
        early = all(self.members[s][-1] < begin or self._is_leaf(s) for s in fed)
        late = all(self.members[t][-1] > end for t in used)
        if len(chain) == 1:
            return early and late and fed <= sources[chain[0]] | self._leaves()
        like = sources[chain[-1]] - {chain[-2]} == fed
        return early and late and like and targets[chain[-2]] - {chain[-1]} == used

    def _is_leaf(self, g: int) -> bool:
        return all(self.vertices[i].kind in ("leaf", "constant") for i in self.members[g])

    def _leaves(self) -> set[int]:
        return {g for g in self.members if self._is_leaf(g)}

    def _signature(self, g: int) -> tuple[object, ...]:
        vertices = [self.vertices[i] for i in self.members[g]]
        operations = [(v.operation, v.shape, v.dtype) for v in vertices if v.kind == "operation"]
        leaves = sorted(str((v.shape, v.dtype)) for v in vertices if v.kind == "leaf")
        return (vertices[0].scope[: self.depth], tuple(operations), tuple(leaves))

    # -- what comes out ------------------------------------------------------------------

    def _name(self, g: int) -> str:
        if not self._is_module(g):
            return ""
        members = self.members[g]
        names = [self.vertices[i].scope[self.depth] for i in (members[0], members[-1])]
        return span(*names) if self.count[g] > 1 else names[1]

    def description(self) -> Description:
        """Return the description in which every group is a vertex."""
        links = self._links()
        order = _in_order(list(self.members), links, {g: m[-1] for g, m in self.members.items()})
        places = {g: place for place, g in enumerate(order)}
        made = Description(recorded=self.recorded)
        for g in order:
            made.add(self._module(g) if self._is_module(g) else self.vertices[self.members[g][0]])
        found: dict[tuple[int, int], Edge] = {}
        repeated: list[Edge] = []
        for edge in self.edges:
            source, target = places[self.group[edge.source]], places[self.group[edge.target]]
            if source == target:
                continue
            moved = Edge(source, target, edge.operand)
            simple = "module" not in (made.vertices[source].kind, made.vertices[target].kind)
            if simple:
                repeated.append(moved)  # x * x has two
            else:
                found.setdefault((source, target), moved)
        made.edges = sorted([*repeated, *found.values()], key=lambda edge: edge.target)
        return made

    def _module(self, g: int) -> Vertex:
        members = self.members[g]
        vertices = [self.vertices[i] for i in members]
        operations = [v for v in vertices if v.kind == "operation"]
        leaves = [v for v in vertices if v.kind == "leaf"]
        last = (operations or vertices)[-1]
        vertex = Vertex("module", "module", self.names[g], last.shape, last.dtype)
        vertex.scope, vertex.origin = last.scope[: self.depth], last.origin
        vertex.members, vertex.count = tuple(members), self.count[g]
        vertex.options = {
            "operations": len(operations),
            "parameters": sum(int(np.prod(v.shape or ())) for v in leaves),
        }
        norms = [statistics(v.gradient).norm for v in leaves if v.gradient is not None]
        if norms:
            vertex.gradient = np.asarray([np.linalg.norm(norms)])
        return vertex


def _in_cycles(count: int, links: Sequence[tuple[int, int]]) -> set[int]:
    """Return the groups on, or between, cycles: what is left when all ends are taken away."""
    left = set(range(count))
    for pairs in (links, [(t, s) for s, t in links]):
        targets: dict[int, list[int]] = {}
        waits: Counter[int] = Counter()
        for s, t in pairs:
            if s in left and t in left:
                targets.setdefault(s, []).append(t)
                waits[t] += 1
        ready = [g for g in left if not waits[g]]
        for g in ready:
            left.discard(g)
            for t in targets.get(g, ()):
                waits[t] -= 1
                if not waits[t]:
                    ready.append(t)
    return left


def _in_order(
    groups: list[int], links: Sequence[tuple[int, int]], position: dict[int, int]
) -> list[int]:
    """Sort groups so that edges point forward, and otherwise as they were computed."""
    targets: dict[int, list[int]] = {}
    waits: Counter[int] = Counter()
    for s, t in links:
        targets.setdefault(s, []).append(t)
        waits[t] += 1
    ready = [(position[g], g) for g in groups if not waits[g]]
    heapify(ready)
    order = []
    while ready:
        _, g = heappop(ready)
        order.append(g)
        for t in targets.get(g, ()):
            waits[t] -= 1
            if not waits[t]:
                heappush(ready, (position[t], t))
    return order
