"""Operations with several results.

The operation's node stands for the tuple; each result has a node of its own that hands its
gradient up into the tuple's.
"""

from __future__ import annotations

from typing import Any, Self

from autodiff.engine.definition import Primitive
from autodiff.engine.node import Node, make_node
from autodiff.namespace import Namespace

__all__ = ["Cotangents", "dtype_of_several", "pick_outputs"]


def dtype_of_several(dtypes: list[Any]) -> Any:
    """Return the dtype that stands for a tuple's: a complex one if there is one.

    By it the backward pass knows that rules are to be conjugated.
    """
    return next((dtype for dtype in dtypes if dtype.kind == "c"), dtypes[0])


class Cotangents:
    """The gradients of a tuple's members, by position, as far as they have arrived.

    It has the shape and dtype of the tuple's node, and adds, so that the backward loop
    treats it like any gradient.
    """

    __slots__ = ("dtype", "parts", "shape", "specs")

    def __init__(self, parts: dict[int, Any], specs: tuple[Any, ...], dtype: Any) -> None:
        self.parts = parts
        self.specs = specs
        self.shape = ()
        self.dtype = dtype

    def __add__(self, other: Cotangents) -> Cotangents:
        total = Cotangents(self.parts.copy(), self.specs, self.dtype)
        total += other
        return total

    def __iadd__(self, other: Cotangents) -> Self:
        # Only the members that arrive are looked at: a thousand results, whose gradients
        # come one by one, then take a thousand steps and not a million.
        parts = self.parts
        for position, part in other.parts.items():
            parts[position] = parts[position] + part if position in parts else part
        return self

    def filled(self, xp: Namespace) -> tuple[Any, ...]:
        """Return the gradients with zeros for what did not arrive."""
        return tuple(
            self.parts[i] if i in self.parts else xp.zeros(shape, dtype=dtype)
            for i, (shape, dtype) in enumerate(self.specs)
        )


def _pick(xp: Namespace, x: Any, /, position: int, specs: tuple[Any, ...], whole: Any) -> Any:
    return x[position]


def _put(xp: Namespace, g: Any, position: int, specs: tuple[Any, ...], whole: Any) -> Cotangents:
    return Cotangents({position: g}, specs, whole)


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
        saved = (position, specs, node.dtype)
        picked.append(make_node(plan, (node,), saved, shape, dtype, node.scope))
    return picked
