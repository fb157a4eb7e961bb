"""What a backward pass looks at before it starts, and, under anomaly detection, at each step.

It starts only if it can succeed: nothing freed, no rule missing, no array overwritten.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from autodiff.engine.node import Node, changed_since, last_change
from autodiff.engine.outputs import Cotangents
from autodiff.errors import AnomalyError, GraphError, MutationError, RuleError, describe

__all__ = ["check_finite", "check_step", "check_unchanged", "failed", "freed", "validate"]


def validate(order: list[Node], reached: Collection[Node] | None) -> None:
    """Refuse before anything is changed: freed nodes, missing rules, overwritten arrays.

    ``reached`` holds the nodes that gradients will be handed to; None means all.
    """
    changed = last_change()
    for node in order:
        if node.saved is None:
            raise freed(node)
        if node.inputs and node.plan.missing:
            for position, call in node.plan.steps:
                if position in node.plan.missing and (
                    reached is None or node.inputs[position] in reached
                ):
                    call(None, None, ())  # raises
        if node.number < changed:
            check_unchanged(node)


def freed(node: Node) -> GraphError:
    """Return the error of a node that an earlier backward pass has freed."""
    message = f"backward reached {node.describe()}, whose saved arrays were freed"
    return GraphError(
        f"{message} by an earlier backward pass (one that failed counts). "
        "Pass retain_graph=True to every backward pass but the last; or, if a state was carried "
        "over from an earlier step, detach() it there."
    )


def failed(node: Node, position: int, error: Exception) -> RuleError:
    """Return the error of a rule that raised, or gave what is no gradient."""
    primitive = node.plan.primitive
    name = primitive.arrays[0 if primitive.variadic else position]
    message = f"the rule of {node.describe()} for {name!r} failed: {error}"
    return RuleError(f"{message}. A rule returns an array, made of g and what it reads with xp.")


def check_unchanged(node: Node) -> None:
    """Raise if an array that a node saved was overwritten since."""
    if not node.saved or not node.inputs:
        return
    for name, value in zip(node.plan.reads, node.saved, strict=False):
        for array in value if isinstance(value, tuple) else (value,):
            if isinstance(array, np.ndarray) and changed_since(array, node.number):
                what = "its result" if name == "out" else f"its operand {name!r}"
                message = f"{node.describe()} needs {what} ({describe(array)}) for backward"
                raise MutationError(
                    f"{message}, but that array was overwritten, or replaced "
                    "through .data, after the operation had read it. "
                    "Change it after backward(), or use x = x + y in place of writing into x."
                )


def check_step(part: Any, node: Node, position: int) -> None:
    """Raise if a rule made a NaN or an infinity in the gradient of one operand."""
    primitive = node.plan.primitive
    name = primitive.arrays[0 if primitive.variadic else position]
    for each in part.parts.values() if isinstance(part, Cotangents) else [part]:
        check_finite(each, f"the backward of {node.describe()} made", node, f"of {name!r} ")


def check_finite(g: Any, what: str, node: Node, operand: str = "") -> None:
    """Raise if a gradient holds a NaN or an infinity; ``what`` says who made it."""
    array = getattr(g, "array", g)
    if isinstance(array, np.ndarray | np.generic) and not np.isfinite(array).all():
        kind = "a NaN" if np.isnan(array).any() else "an infinity"
        where = (
            node.origin or "a line that was not noted (build the graph inside detect_anomaly too)"
        )
        message = f"{what} {kind} in the gradient {operand}({describe(array)})"
        raise AnomalyError(f"{message}. It was called at {where}")
