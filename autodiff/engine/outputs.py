"""Operations with several results.

The operation's node stands for the tuple; each result has a node of its own that hands its
gradient up into the tuple's.
"""

from __future__ import annotations

from typing import Any

from autodiff.engine.definition import Primitive
from autodiff.engine.node import Node, clock
from autodiff.namespace import Namespace

__all__ = ["Cotangents", "pick_outputs"]


class Cotangents:
    """The gradients of a tuple's members, None where none has arrived.

    It has the shape and dtype of the tuple's node, and adds, so that the backward loop
    treats it like any gradient.
    """

    __slots__ = ("dtype", "parts", "shape", "specs")

    def __init__(self, parts: list[Any], specs: tuple[Any, ...]) -> None:
        self.parts = parts
        self.specs = specs
        self.shape = ()
        self.dtype = specs[0][1]

    def __add__(self, other: Cotangents) -> Cotangents:
        both = zip(self.parts, other.parts, strict=True)
        parts = [b if a is None else a if b is None else a + b for a, b in both]
        return Cotangents(parts, self.specs)

    def filled(self, xp: Namespace) -> tuple[Any, ...]:
        """Return the gradients with zeros for what did not arrive."""
        return tuple(
            xp.zeros(shape, dtype=dtype) if part is None else part
            for part, (shape, dtype) in zip(self.parts, self.specs, strict=True)
        )


def _pick(xp: Namespace, x: Any, /, position: int, specs: tuple[Any, ...]) -> Any:
    return x[position]


def _put(xp: Namespace, g: Any, position: int, specs: tuple[Any, ...]) -> Cotangents:
    parts = [None] * len(specs)
    parts[position] = g
    return Cotangents(parts, specs)


_output = Primitive("output", _pick, differentiable=True)
_output.add_rule("x", _put)


def pick_outputs(node: Node, out: tuple[Any, ...]) -> list[Node | None]:
    """Make a node for each member of a tuple result; None for members of integer dtype."""
    specs = tuple((part.shape, part.dtype) for part in out)
    plan = _output.plan((True,))
    picked: list[Node | None] = []
    for position, (shape, dtype) in enumerate(specs):
        if dtype.kind not in "fc":
            picked.append(None)
            continue
        output = Node()
        output.number = clock()
        output.plan = plan
        output.inputs = (node,)
        output.saved = (position, specs)
        output.shape = shape
        output.dtype = dtype
        output.mode = node.mode
        output.notes = None
        picked.append(output)
    return picked
