"""The recorded graph: nodes that point to nodes, and the handle that a user holds.

A node is what one operation left behind: its derivative plan, the nodes of its inputs and
only those arrays that its rules will read. Handles (tensors) point to nodes, nodes never
point to handles: so no reference cycle exists, and a graph is freed the moment its last
handle is.
"""

from __future__ import annotations

import weakref
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.engine.modes import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from autodiff.engine.plan import Plan

__all__ = [
    "Handle",
    "Leaf",
    "Node",
    "Notes",
    "Recorded",
    "changed_since",
    "clock",
    "last_change",
    "make_node",
    "mark_changed",
]

clock: Callable[[], int] = count(1).__next__
"""The one counter: it numbers nodes as they are made and changes as they happen.

A node is always made after its inputs, so descending numbers are a topological order;
an array that was changed at a time later than a node's number was changed after that
node read it.
"""


class Recorded(NamedTuple):
    """What recording keeps of an operation beyond what its rules need.

    Attributes
    ----------
    operands : tuple
    out : array, or tuple of them
    saved : tuple
        What the node saved, as its plan lays it out, which backward passes don't free.
    options : dict
    """

    operands: tuple[Any, ...]
    out: Any
    saved: tuple[Any, ...]
    options: dict[str, Any]


class Notes:
    """What only few nodes have: hooks, a retained gradient, a name, values, their origin."""

    __slots__ = ("grad", "hooks", "name", "origin", "recorded", "retains_grad")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.retains_grad = False
        self.grad: Any = None
        self.name: str | None = None
        self.origin: str | None = None
        self.recorded: Recorded | None = None


class Node:
    """One recorded operation's result.

    Attributes
    ----------
    number : int
        From :data:`clock`; inputs have smaller numbers.
    plan : Plan
        Which rules to run, for which inputs, and what they read.
    inputs : tuple of Node or None
        One for each array operand; None where no gradient flows.
    saved : tuple or None
        What the rules read, as ``plan`` lays it out; None once it was freed.
    shape, dtype
        The result's.
    scope : tuple of str
        The names of the scopes that were open, outermost first.
    notes : Notes or None
        Hooks and other rarities.
    """

    __slots__ = (
        "dtype", "inputs", "notes", "number", "plan", "saved", "scope", "shape",
    )  # fmt: skip

    number: int
    plan: Plan
    inputs: tuple[Node | None, ...]
    saved: tuple[Any, ...] | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scope: tuple[str, ...]
    notes: Notes | None

    @property
    def operation(self) -> str:
        """The name of the operation that made this node; for one of several results, of them."""
        name = self.plan.primitive.name
        if name == "output" and self.inputs[0] is not None:
            return self.inputs[0].operation
        return name

    @property
    def name(self) -> str | None:
        """The name that the user gave to the tensor, if any."""
        return self.notes.name if self.notes is not None else None

    @property
    def origin(self) -> str | None:
        """``file:line: source`` of the user's code that made it, where it was noted."""
        return self.notes.origin if self.notes is not None else None

    def describe(self) -> str:
        """Name the operation, every operand's shape and dtype, and the result's.

        What was no part of the graph has left no trace but its absence: it is called constant.
        """
        if not self.inputs:
            return f"{self.operation} {self.shape} {self.dtype}"
        primitive = self.plan.primitive
        names = primitive.arrays * len(self.inputs) if primitive.variadic else primitive.arrays
        operands = [
            f"{name}: constant" if node is None else f"{name}: {node.shape} {node.dtype}"
            for name, node in zip(names, self.inputs, strict=False)
        ]
        return f"{self.operation}({', '.join(operands)}) -> {self.shape} {self.dtype}"

    def annotated(self) -> Notes:
        """Return the node's notes, made when first asked for."""
        if self.notes is None:
            self.notes = Notes()
        return self.notes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number} {self.operation} {self.shape} {self.dtype}>"


def make_node(
    plan: Plan,
    inputs: tuple[Node | None, ...],
    saved: tuple[Any, ...],
    shape: tuple[int, ...],
    dtype: Any,
    scope: tuple[str, ...],
) -> Node:
    """Make a node; :class:`~autodiff.engine.node.Node` says what it holds."""
    node = Node()
    node.number = clock()
    node.plan = plan
    node.inputs = inputs
    node.saved = saved
    node.shape = shape
    node.dtype = dtype
    node.scope = scope
    node.notes = None
    return node


class Leaf(Node):
    """A tensor that the user asked gradients for: where a backward pass ends.

    Attributes
    ----------
    grad : Tensor or None
        The gradient accumulated so far.
    """

    __slots__ = ("grad",)

    grad: Any

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.number = clock()
        self.inputs = ()
        self.saved = ()
        self.shape = shape
        self.dtype = dtype
        self.scope = local.mode.scope
        self.notes = None
        self.grad = None

    @property
    def operation(self) -> str:
        """A leaf was made by no operation."""
        return "leaf"


class Handle:
    """The part of a tensor that the engine knows: an array and the node that made it.

    Attributes
    ----------
    array : numpy.ndarray or another library's array
    node : Node or None
        None when no gradient flows through it.
    label : str or None
        The name that the user gave; unset until there is one.
    """

    __slots__ = ("__weakref__", "array", "label", "node")

    array: Any
    node: Node | None
    label: str | None


_changes: dict[int, tuple[weakref.ref[Any], int]] = {}
_latest = 0


def _owner(array: Any) -> Any:
    """Return the array that owns the memory which ``array`` shows.

    Most views name it as their base; strided ones (windows) do so through an object of NumPy's
    that stands in between.
    """
    base = getattr(array, "base", None)
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        base = getattr(base, "base", None)
    return array


def mark_changed(array: Any) -> None:
    """Note that an array's memory was overwritten now."""
    global _latest
    owner = _owner(array)
    key = id(owner)
    _latest = clock()
    noted = _changes.get(key)  # of this array: an entry goes when its array goes
    watch = noted[0] if noted else weakref.ref(owner, lambda _: _changes.pop(key, None))
    _changes[key] = (watch, _latest)


def last_change() -> int:
    """Return when any array was last changed: an upper bound that costs nothing to test."""
    return _latest


def changed_since(array: Any, number: int) -> bool:
    """Tell whether an array was overwritten after the node of that number had read it."""
    change = _changes.get(id(_owner(array)))
    return change is not None and change[1] > number
