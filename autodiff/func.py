"""Gradients as functions."""

from __future__ import annotations

from typing import Any

from autodiff.engine.backward import propagate
from autodiff.engine.apply import make_tensor
from autodiff.errors import GraphError
from autodiff.tensor import Tensor, upstream_gradient


def gradients(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """``autodiff.grad``."""
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = (
        [None] * len(outputs)
        if grad_outputs is None
        else [grad_outputs]
        if isinstance(grad_outputs, Tensor)
        else list(grad_outputs)
    )
    upstream: dict[Any, Any] = {}
    for o, g in zip(outputs, given, strict=True):
        u = upstream_gradient(o, g, "grad")
        u = u if create_graph else u.array
        upstream[o.node] = upstream[o.node] + u if o.node in upstream else u
    found = propagate(
        upstream,
        [i.node for i in inputs],
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    result = [found.get(i.node) for i in inputs]
    if not allow_unused and any(g is None for g in result):
        raise GraphError("unused")
    return tuple(
        None if g is None else g if isinstance(g, Tensor) else make_tensor(g.copy()) for g in result
    )
