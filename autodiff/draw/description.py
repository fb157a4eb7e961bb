"""What there is to draw: one description of a recorded graph, which every picture reads.

A description is plain data, in forward order, and has no reference to the graph: drawing
never changes a graph, and a description stays right when the graph is freed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from autodiff.draw.geometry import common_prefix
from autodiff.engine.node import Handle, Leaf, Node
from autodiff.errors import DTypeError, GraphError, OptionError, describe

__all__ = [
    "Description", "Edge", "Kind", "Names", "Source", "Vertex", "describe_graph",
    "operand_shapes", "operands_of",
]  # fmt: skip

Kind = Literal["leaf", "constant", "operation", "result", "output", "module"]
Names = Mapping[str, Handle] | Iterable[tuple[str, Handle]]


class Source(NamedTuple):
    """A line of the user's source."""

    file: str
    line: int
    text: str


_ORIGIN = re.compile(r"(.*?):(\d+)(?:: (.*))?", re.DOTALL)


@dataclass(slots=True)
class Vertex:
    """An operation or a tensor.

    Attributes
    ----------
    kind : {"leaf", "constant", "operation", "result", "output", "module"}
        A leaf has a gradient, a constant none; a result is an operation's that has a name or
        a recorded value; the output is what was asked to be drawn; a module is a scope that
        was collapsed.
    operation : str
        The operation's name; that of the operation that made it for a result.
    name : str or None
        The tensor's name.
    shape : tuple of int or None
        None for a constant of which nothing was kept.
    dtype : str or None
    scope : tuple of str
        The scopes that it belongs to, outermost first.
    value, gradient : array, number or None
        Where they are known: see :class:`autodiff.draw.record`.
    origin : str or None
        The line of the user's source, ``file:line: text``, where it was noted; :attr:`source`
        is the same in parts.
    number : int or None
        That of the graph's node; an operation and the box of its result share it.
    options : dict
        The operation's options, where they were recorded and are no defaults; a module's
        numbers of ``operations`` and ``parameters``.
    members : tuple of int
        What a module stands for: positions in the description that was collapsed.
    count : int
        How many equal scopes in a row a module stands for.
    """

    kind: Kind
    operation: str
    name: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    scope: tuple[str, ...] = ()
    value: Any = None
    gradient: Any = None
    origin: str | None = None
    number: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    members: tuple[int, ...] = ()
    count: int = 1

    @property
    def source(self) -> Source | None:
        """Where the user's code called the operation."""
        found = _ORIGIN.fullmatch(self.origin or "")
        return Source(found[1], int(found[2]), found[3] or "") if found else None


class Edge(NamedTuple):
    """A value that flows from one vertex into another, which takes it as ``operand``."""

    source: int
    target: int
    operand: str = ""


_target = attrgetter("target")


@dataclass(slots=True)
class Description:
    """Vertices in forward order, and the edges between them by position.

    Attributes
    ----------
    vertices : list of Vertex
    edges : list of Edge
        In order of target, then of operand.
    recorded : bool
        Whether all of it was computed inside ``with autodiff.record():``. Else only those
        values are known that a derivative rule reads.
    """

    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    recorded: bool = True

    def add(self, vertex: Vertex) -> int:
        """Append a vertex; return its position."""
        self.vertices.append(vertex)
        return len(self.vertices) - 1

    def edges_into(self, position: int) -> list[Edge]:
        """Return the edges that end at a vertex, in order of its operands."""
        first = bisect_left(self.edges, position, key=_target)
        return self.edges[first : bisect_right(self.edges, position, key=_target)]

    def targets(self) -> list[list[int]]:
        """Return for every vertex the positions of those that it flows into."""
        found: list[list[int]] = [[] for _ in self.vertices]
        for edge in self.edges:
            found[edge.source].append(edge.target)
        return found


def describe_graph(output: Handle, names: Names | None = None) -> Description:
    """Describe the graph that a tensor was computed by.

    Parameters
    ----------
    output : Tensor
    names : mapping or iterable of pairs, optional
        Names for tensors that have none, or other ones: ``model.named_parameters()``, and
        ``("digits", x)`` for data without a gradient.

    Returns
    -------
    Description

    Raises
    ------
    DTypeError
        If ``output`` is no tensor.
    GraphError
        If no operation was recorded for it.
    """
    if not isinstance(output, Handle):
        message = f"draw: a {type(output).__name__} has no graph"
        raise DTypeError(f"{message}. Give the tensor that was computed, the loss for example.")
    if output.node is None:
        message = f"draw: no operation was recorded for the tensor {describe(output)}"
        raise GraphError(
            f"{message}. Set requires_grad=True on what it is computed from, and compute it "
            "outside of no_grad."
        )
    nodes = _collect(output.node)
    values = _known_values(nodes)
    values[id(output.node)] = output.array
    given = _given_names(names)
    description = Description()
    description.recorded = all(
        isinstance(node, Leaf)
        or (node.notes is not None and node.notes.recorded is not None)
        or node.plan.primitive.name == "output"
        for node in nodes
    )
    places: dict[int, int] = {}
    for node in nodes:
        value = values.get(id(node))
        if isinstance(node, Leaf):
            name = given.get(id(node)) or node.name
            leaf = Vertex("leaf", "leaf", name, node.shape, str(node.dtype), node.scope, value)
            leaf.gradient, leaf.number = _array(node.grad), node.number
            places[id(node)] = description.add(leaf)
            continue
        places[id(node)] = _add_operation(description, node, places, given, value)
    _finish(description, output, places[id(output.node)], given)
    _settle_leaves(description)
    return description


def _collect(output: Node) -> list[Node]:
    """Return every node that the output depends on, in the order in which they were made."""
    seen = {id(output): output}
    waiting = [output]
    while waiting:
        for node in waiting.pop().inputs:
            if node is not None and id(node) not in seen:
                seen[id(node)] = node
                waiting.append(node)
    return sorted(seen.values(), key=lambda node: node.number)


def pairs_of(names: Names | None) -> list[tuple[str, Handle]]:
    """Return the names that were given for tensors, each with its tensor.

    Raises
    ------
    OptionError
        If they are anything else.
    """
    given: Any = names.items() if isinstance(names, Mapping) else () if names is None else names
    pairs = list(given) if isinstance(given, Iterable) else [given]
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Handle)):
            message = "draw: names must be a mapping of names to tensors, or pairs of both"
            raise OptionError(f"{message}. Give model.named_parameters(), for example.")
    return [(str(name), tensor) for name, tensor in pairs]


def _given_names(names: Names | None) -> dict[Hashable, str]:
    return {
        _memory(tensor.array) if tensor.node is None else id(tensor.node): name
        for name, tensor in pairs_of(names)
    }


def _memory(array: Any) -> tuple[int, int, int]:
    """Identify a constant's array, of which an operation may have kept a reshaped view.

    Where it begins and how much it holds tell rows of one array apart.
    """
    base = getattr(array, "base", None)
    pointer = getattr(array, "__array_interface__", {"data": (0,)})["data"][0]
    return id(array if base is None else base), pointer, getattr(array, "size", 1)


def operands_of(node: Node) -> list[tuple[str, Any]]:
    """Return name and value of each operand; the value is None where it was not kept."""
    primitive = node.plan.primitive
    kept = dict(zip(node.plan.reads, node.saved or (), strict=False))
    if node.notes is not None and node.notes.recorded is not None:
        operands = node.notes.recorded.operands
        if primitive.variadic:
            kept[primitive.arrays[0]] = operands
        else:
            kept.update(zip(primitive.arrays, operands, strict=False))
    if primitive.variadic:
        values = kept.get(primitive.arrays[0]) or [None] * len(node.inputs)
        return [(f"{primitive.arrays[0]}[{i}]", value) for i, value in enumerate(values)]
    return [(name, kept.get(name)) for name in primitive.arrays]


def _kept_shapes(node: Node) -> list[tuple[int, ...] | None]:
    """Return each operand's shape where a rule reads that alone, and not the operand."""
    primitive = node.plan.primitive
    kept = dict(zip(node.plan.reads, node.saved or (), strict=False))
    if primitive.variadic:
        return list(kept.get(f"{primitive.arrays[0]}_shape") or [None] * len(node.inputs))
    return [kept.get(f"{name}_shape") for name in primitive.arrays]


def operand_shapes(node: Node) -> list[tuple[int, ...] | None]:
    """Return each operand's shape, as far as it is known; () for a Python number."""
    shapes = _kept_shapes(node)
    found: list[tuple[int, ...] | None] = []
    for i, (_, value) in enumerate(operands_of(node)):
        parent = node.inputs[i]
        if parent is not None:
            found.append(parent.shape)
        else:
            found.append(shapes[i] if value is None else tuple(getattr(value, "shape", ())))
    return found


def _known_values(nodes: list[Node]) -> dict[int, Any]:
    """Return what recording, or the rules' own needs, kept: results by their node's id."""
    values: dict[int, Any] = {}
    for node in nodes:
        if isinstance(node, Leaf):
            continue
        kept = dict(zip(node.plan.reads, node.saved or (), strict=False))
        out = kept.get("out")
        if node.notes is not None and node.notes.recorded is not None:
            out = node.notes.recorded.out
        if out is not None and not isinstance(out, tuple):
            values[id(node)] = out
        for parent, (_, value) in zip(node.inputs, operands_of(node), strict=False):
            if parent is not None and value is not None and not isinstance(value, tuple):
                values.setdefault(id(parent), value)
    return values


def _add_operation(
    description: Description,
    node: Node,
    places: dict[int, int],
    given: dict[Hashable, str],
    value: Any,
) -> int:
    """Add an operation, the constants among its operands, and its result if that is shown."""
    primitive = node.plan.primitive
    name = given.get(id(node)) or node.name
    sources: list[tuple[int, str]] = []
    required = len(node.inputs) - len(primitive.optional)
    operands, shapes = operands_of(node), _kept_shapes(node)
    for i, parent in enumerate(node.inputs):
        operand, constant = operands[i] if i < len(operands) else ("", None)
        if parent is not None:
            sources.append((places[id(parent)], operand))
        elif operand == "captured" and primitive.name == "checkpoint":
            continue  # what the function closed over is no operand to a reader
        elif getattr(constant, "ndim", 0) and id(constant) in places:
            sources.append((places[id(constant)], operand))  # the same data, used again
        elif constant is not None or primitive.variadic or i < required:
            shape = shapes[i] if constant is None else getattr(constant, "shape", ())
            dtype = getattr(constant, "dtype", None)
            vertex = Vertex("constant", "constant", None, shape, dtype and str(dtype))
            vertex.scope, vertex.value = node.scope, constant
            vertex.name = given.get(_memory(constant))
            sources.append((description.add(vertex), operand))
            if getattr(constant, "ndim", 0):
                places[id(constant)] = sources[-1][0]
    operation = Vertex("operation", primitive.name, None, node.shape, str(node.dtype), node.scope)
    operation.origin, operation.number, operation.value = node.origin, node.number, value
    if node.notes is not None:
        operation.gradient = _array(node.notes.grad)
    kept = None if node.notes is None else node.notes.recorded
    if kept is not None:
        operation.options = _chosen(kept.options, primitive.options)
    if primitive.name == "output" and node.saved:
        operation.options = {"position": node.saved[0]}
    place = description.add(operation)
    description.edges += [Edge(source, place, operand) for source, operand in sources]
    shown = name is not None or (kept is not None and node.shape == () and value is not None)
    if not shown or primitive.name == "output":
        return place
    result = Vertex("result", primitive.name, name, node.shape, str(node.dtype), node.scope, value)
    result.gradient, result.number, result.origin = operation.gradient, node.number, node.origin
    description.edges.append(Edge(place, len(description.vertices)))
    return description.add(result)


def _chosen(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given other values than their defaults."""
    return {
        name: value
        for name, value in options.items()
        if value is not defaults.get(name) and repr(value) != repr(defaults.get(name))
    }


def _finish(
    description: Description, output: Handle, place: int, given: dict[Hashable, str]
) -> None:
    """Make the drawn tensor the last vertex, a box of its own."""
    node = output.node
    assert node is not None  # noqa: S101 - `describe_graph` has seen to it
    made = description.vertices[place]
    if made.kind == "operation":
        name = given.get(id(node)) or getattr(output, "label", None)
        vertex = Vertex("output", made.operation, name, made.shape, made.dtype)
        if node.notes is not None:
            vertex.gradient = _array(node.notes.grad)
        vertex.value, vertex.number = output.array, node.number
        description.edges.append(Edge(place, len(description.vertices)))
        description.add(vertex)
    else:
        made.kind, made.scope = "output", ()


def _settle_leaves(description: Description) -> None:
    """Put what was made outside into the scope that uses it: a layer's weight to its layer.

    Arrays without a gradient are a model's data. Those that have a name stay outside of all
    scopes; others lie beside the scope that uses them, in that of its caller.
    """
    targets = description.targets()
    for vertex, users in zip(description.vertices, targets, strict=True):
        if vertex.kind not in ("leaf", "constant"):
            continue
        scopes = [description.vertices[user].scope for user in users]
        scope = common_prefix(scopes) if scopes else ()
        if vertex.kind == "constant" and vertex.shape != ():
            scope = () if vertex.name else scope[:-1]
        vertex.scope = scope


def _array(tensor: Any) -> Any:
    return getattr(tensor, "array", tensor)
