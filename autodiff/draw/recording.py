"""Keeping the values of intermediate results, which graphs by themselves do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.engine.modes import observe
from autodiff.engine.node import Node, Recorded
from autodiff.engine.origin import note_origin
from autodiff.errors import typed_calls

__all__ = ["record"]


@typed_calls
class record(observe):  # noqa: N801 - used like a function, as no_grad is
    """Keep every operation's operands, result, gradient and source line, for pictures.

    A context manager and a decorator. A graph by itself keeps only what its derivative
    rules read; what is computed inside keeps copies of all values, and backward passes keep
    the gradients of intermediate results too, as if ``retain_grad()`` had been called on
    each. The backward pass can still be looked at step by step when it has freed the graph.
    That costs memory and time: for looking at graphs.

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff import draw
    >>> x = ad.tensor(3.0, requires_grad=True, name="x")
    >>> with draw.record():
    ...     y = ad.exp(x * 2)
    >>> y.backward()
    >>> [v.value.item() for v in draw.describe_graph(y).vertices if v.kind == "result"]
    [6.0]
    """

    def __init__(self) -> None:
        super().__init__(_keep)


def _keep(
    primitive: Any, values: tuple[Any, ...], out: Any, options: dict[str, Any], node: Node
) -> None:
    """Note copies on the node: arrays may be overwritten later, and backward passes free."""
    note_origin(primitive, values, out, options, node)
    operands = tuple(
        np.array(value) if isinstance(value, np.ndarray) and parent is not None else value
        for value, parent in zip(values, node.inputs, strict=True)
    )
    result = out if isinstance(out, tuple) else np.array(out)
    if primitive.variadic:
        copies = {primitive.arrays[0]: operands, "out": result}
    else:
        copies = {**dict(zip(primitive.arrays, operands, strict=False)), "out": result}
    saved = node.saved or ()
    reads = node.plan.reads[: len(saved)]
    saved = tuple(copies.get(name, value) for name, value in zip(reads, saved, strict=False))
    notes = node.annotated()
    notes.recorded = Recorded(operands, result, saved, options)
    notes.retains_grad = not isinstance(out, tuple)
