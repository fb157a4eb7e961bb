# ruff: noqa: RUF001, RUF002 - the signs of mathematics are meant
"""Names for everything in a graph, and operations written as the expressions that they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.draw.labels import number, shorten

if TYPE_CHECKING:
    from autodiff.draw.description import Description, Vertex

__all__ = ["expression", "name_vertices", "visible"]

_INFIX = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "/",
    "matmul": "@",
    "pow": "^",
    "remainder": "%",
}
_PREFIX = {"negative": "−"}
_SUFFIX = {"matrix_transpose": "ᵀ", "square": "²"}


def name_vertices(description: Description) -> list[str]:
    """Return a name for every vertex: the user's, else ``v1``, ``v2``, ... in order.

    An operation has its result's name. Names that several have are told apart by the module
    that uses them, and by a number where that is not enough.
    """
    vertices = description.vertices
    names: list[str] = [""] * len(vertices)
    results: dict[int, int] = {}  # by number, the last vertex: a result's or the output's box
    for i, vertex in enumerate(vertices):
        if vertex.number is not None:
            results[vertex.number] = i
    own = Counter(vertex.name for vertex in vertices if vertex.name and vertex.kind != "operation")
    taken = set(own)
    used: Counter[str] = Counter()
    fresh = 0
    for i, vertex in enumerate(vertices):
        if vertex.kind == "result" or (vertex.kind == "output" and vertex.operation != "leaf"):
            continue  # named like the operation, below
        if vertex.kind == "operation" and vertex.number is not None:
            shown = vertices[results[vertex.number]]
            name = shown.name or ("out" if shown.kind == "output" else "")
        else:
            name = vertex.name or ("constant" if vertex.kind == "constant" else "")
        if not name:
            fresh += 1
            while f"v{fresh}" in taken:
                fresh += 1
            name = f"v{fresh}"
        elif own[name] > 1 and vertex.kind == "leaf":
            module = vertex.scope[-1].partition(": ")[0] if vertex.scope else ""
            name = f"{module}.{name}" if module else name
            used[name] += 1
            name = name if used[name] == 1 else f"{name}({used[name]})"
        names[i] = visible(shorten(name))
    for i in range(len(vertices)):
        if not names[i]:
            (edge,) = description.edges_into(i)
            names[i] = names[edge.source]
    return names


def visible(name: str) -> str:
    """Replace what would break a line, and what can't be written into a file."""
    return "".join(character if character.isprintable() else "�" for character in name)


def expression(description: Description, position: int, names: list[str]) -> str:
    """Write an operation with the names of its inputs: ``x × w``, ``sum(v3, axis=0)``."""
    vertex = description.vertices[position]
    inputs = [
        _input(description.vertices[edge.source], names[edge.source])
        for edge in description.edges_into(position)
    ]
    name = vertex.operation
    if name in _INFIX and len(inputs) == 2:
        return f"{inputs[0]} {_INFIX[name]} {inputs[1]}"
    if name in _PREFIX and len(inputs) == 1:
        return f"{_PREFIX[name]}{inputs[0]}"
    if name in _SUFFIX and len(inputs) == 1:
        return f"{inputs[0]}{_SUFFIX[name]}"
    if name == "output" and inputs:
        return f"{inputs[0]}[{vertex.options.get('position', '?')}]"
    if name == "getitem" and inputs and "index" in vertex.options:
        return f"{inputs[0]}[{_index(vertex.options['index'])}]"
    options = [f"{key}={_option(value)}" for key, value in vertex.options.items()]
    return f"{name}({', '.join([*inputs, *options])})"


def _input(vertex: Vertex, name: str) -> str:
    if vertex.kind == "constant" and vertex.name is None:
        if vertex.shape == () and vertex.value is not None:
            return number(vertex.value)
        if vertex.shape:
            return f"constant{vertex.shape}".replace(" ", "")
    return name


def _index(index: Any) -> str:
    """Write an index as it stands between brackets."""
    if isinstance(index, tuple):
        return ", ".join(_index(part) for part in index) or "()"
    if isinstance(index, slice):
        parts = ["" if part is None else str(part) for part in (index.start, index.stop)]
        step = "" if index.step is None else f":{index.step}"
        return f"{parts[0]}:{parts[1]}{step}"
    if index is Ellipsis:
        return "..."
    return _option(index)


def _option(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}".replace(" ", "") if value.ndim else str(value)
    if isinstance(value, np.generic):
        return str(value)
    if callable(value):
        return str(getattr(value, "__name__", "function"))
    said = repr(value)
    return said if len(said) <= 24 else f"{said[:23]}…"
