"""Equal blocks in a row, of which a drawing shows one: a Transformer's layers, time steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from itertools import groupby

import numpy as np

from autodiff.draw.description import Description, Edge, Vertex
from autodiff.draw.statistics import statistics

__all__ = ["LEAST_REPEATED", "fold", "span"]

LEAST_REPEATED = 3
"""How many equal scopes in a row are one."""

_TIMES = "\N{MULTIPLICATION SIGN}"


def fold(
    description: Description, level: int, chains: Sequence[Sequence[list[int]]]
) -> Description:
    """Return a description with one block in place of every run of equal ones.

    Parameters
    ----------
    description : Description
    level : int
        How many scopes are around the blocks.
    chains : sequence of runs; a run is a sequence of blocks, a block the positions in it
        Blocks that are not the same operation by operation stay as they are.

    Returns
    -------
    Description
        In it the first block stands for its run: what comes out of any of them comes out of
        it, its scope's name says how many there are, and it has the norm of all their
        gradients. Numbers in which they differ are left out.
    """
    vertices: list[Vertex | None] = list(description.vertices)
    stands_for: dict[int, int] = {}
    for chain in (run for whole in chains for run in _equal_runs(description, level, whole)):
        first, last = (description.vertices[chain[i][0]].scope[level] for i in (0, -1))
        name = f"{span(first, last)} {_TIMES}{len(chain)}"
        for alike in zip(*chain, strict=True):
            copies = [description.vertices[i] for i in alike]
            vertices[alike[0]] = _folded(copies, level, name)
            for i in alike[1:]:
                vertices[i] = None
                stands_for[i] = alike[0]
    edges = [
        Edge(stands_for.get(edge.source, edge.source), edge.target, edge.operand)
        for edge in description.edges
        if vertices[edge.target] is not None  # the first block has the same ones
    ]
    return _reachable(description, vertices, _without_repetitions(edges, set(stands_for.values())))


def _equal_runs(
    description: Description, level: int, chain: Sequence[list[int]]
) -> list[list[list[int]]]:
    """Part a run where the vertices or how they are joined change: a first step often differs."""

    def form(block: list[int]) -> list[object]:
        places = {i: place for place, i in enumerate(block)}
        found: list[object] = []
        for i in block:
            v = description.vertices[i]
            into = [(places.get(e.source), e.operand) for e in description.edges_into(i)]
            found.append((v.kind, v.operation, v.shape, v.dtype, v.scope[level + 1 :], into))
        return found

    runs = [list(run) for _, run in groupby(chain, form)]
    return [run for run in runs if len(run) >= LEAST_REPEATED]


def _folded(copies: list[Vertex], level: int, name: str) -> Vertex:
    made = copy(copies[0])
    made.scope = (*made.scope[:level], name, *made.scope[level + 1 :])
    if made.name and copies[-1].name and made.name != copies[-1].name:
        made.name = span(made.name, copies[-1].name)
    if not _is_same(copies):
        made.value = None
    known = [v.gradient for v in copies if v.gradient is not None]
    norms = [statistics(gradient).norm for gradient in known]
    made.gradient = np.asarray([np.linalg.norm(norms)]) if len(known) == len(copies) else None
    return made


def _is_same(copies: list[Vertex]) -> bool:
    """Tell whether vertices have one value: a number is compared, an array is not."""
    values = [v.value for v in copies]
    return all(np.ndim(value) == 0 for value in values) and len({repr(v) for v in values}) == 1


def _without_repetitions(edges: list[Edge], folded: set[int]) -> list[Edge]:
    """Leave out what came from several blocks of a run into the same place."""
    found: dict[tuple[int, int, str | None], Edge] = {}
    for edge in edges:
        operand = None if edge.source in folded else edge.operand
        found.setdefault((edge.source, edge.target, operand), edge)
    return list(found.values())


def _reachable(
    description: Description, vertices: list[Vertex | None], edges: list[Edge]
) -> Description:
    """Return what the output still depends on."""
    sources: dict[int, list[int]] = {}
    for edge in edges:
        sources.setdefault(edge.target, []).append(edge.source)
    waiting = [i for i, vertex in enumerate(vertices) if vertex and vertex.kind == "output"]
    reached = set(waiting)
    while waiting:
        fresh = [i for i in sources.get(waiting.pop(), ()) if i not in reached]
        reached.update(fresh)
        waiting += fresh
    made = Description(recorded=description.recorded)
    places = {}
    for i, vertex in enumerate(vertices):
        if vertex is not None and i in reached:
            places[i] = made.add(vertex)
    made.edges = [
        Edge(places[edge.source], places[edge.target], edge.operand)
        for edge in edges
        if edge.target in places
    ]
    return made


_NUMBER = re.compile(r"\d+")


def span(first: str, last: str) -> str:
    """Name what goes from one to another: ``blocks 0…11``.

    >>> span("0: Block", "11: Block"), span("encoder", "decoder")
    ('0…11: Block', 'encoder…decoder')
    """
    for one, other in zip(_NUMBER.finditer(first), _NUMBER.finditer(last), strict=False):
        if one[0] != other[0]:
            left, right = first[: one.start()], first[one.end() :]
            if last == f"{left}{other[0]}{right}":
                return f"{left}{one[0]}…{other[0]}{right}"
    return f"{first}…{last}"
