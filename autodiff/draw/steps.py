"""The passes of a graph as plain data: what ran, and how each gradient came about.

The backward steps run every operation's own rules once more, on what recording or the graph
itself kept, in the engine's order: so their numbers are the engine's, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autodiff.draw.description import (
    Description,
    describe_graph,
    operand_shapes,
    operands_of,
)
from autodiff.draw.rules import ELEMENTWISE, rule_text
from autodiff.engine.backward import collect, conjugated, fit
from autodiff.engine.checks import check_unchanged
from autodiff.engine.modes import no_grad
from autodiff.engine.node import Handle, Leaf, Node
from autodiff.engine.outputs import Cotangents
from autodiff.errors import AutodiffError, ShapeError
from autodiff.namespace import Namespace, namespace_of

__all__ = ["BackwardStep", "Contribution", "backward_steps", "forward_steps", "gradients"]


@dataclass(slots=True)
class Contribution:
    """What one operation hands to one of its operands in the backward pass.

    Attributes
    ----------
    source : int
        The vertex that it goes to: the source of the edge that it goes up along.
    operand : str
        As which the operation took it.
    rule : str
        The rule as a formula with the actual shapes.
    local : array or None
        The local derivative, for an elementwise operation (of the result's shape) or a
        scalar result (of the operand's shape): ``upstream * local`` is the contribution,
        before an operand that was broadcast gets it summed.
    value : array, tuple or None
        The contribution itself; None where something is missing (see the step).
    total : array, tuple or None
        The sum of what has arrived at ``source`` so far, this one included.
    arrival, arrivals : int
        Its place among those that arrive at ``source``, from 1, and how many there are.
    """

    source: int
    operand: str
    rule: str
    local: Any = None
    value: Any = None
    total: Any = None
    arrival: int = 1
    arrivals: int = 1


@dataclass(slots=True)
class BackwardStep:
    """One operation's part of the backward pass.

    Attributes
    ----------
    vertex : int
        The operation.
    operation : str
        Its name.
    upstream : array, tuple or None
        The gradient of the output with respect to its result; a tuple for an operation with
        several results, None where it is not known.
    contributions : list of Contribution
        One for every operand that a gradient flows to, in the order in which they are added.
    missing : str
        What is missing, and how to get it; empty where nothing is.
    note : str
        What else there is to know: hooks that were not run.
    """

    vertex: int
    operation: str
    upstream: Any = None
    contributions: list[Contribution] = field(default_factory=list)
    missing: str = ""
    note: str = ""


def forward_steps(description: Description) -> list[int]:
    """Return the positions of the operations in the order in which they ran."""
    vertices = description.vertices
    return [i for i, vertex in enumerate(vertices) if vertex.kind == "operation"]


def backward_steps(
    output: Handle,
    description: Description | None = None,
    *,
    gradient: Any = None,
    keep: Callable[[Any], Any] | None = None,
) -> list[BackwardStep]:
    """Return every operation's part of the backward pass from a tensor, in its order.

    It changes nothing: no ``.grad``, no freed array; hooks are not run. It needs what the
    rules read: a graph that was computed inside ``with autodiff.record():`` has it always,
    another until ``backward()`` has freed it. What is missing, the steps say.

    Parameters
    ----------
    output : Tensor
    description : Description, optional
        The output's, whose positions the steps name; made where it is not given.
    gradient : array_like, optional
        The gradient that the pass starts with: ones at first, as if the output were summed.
    keep : callable, optional
        What to store in place of each array, a summary for example: ``keep(array)``.

    Returns
    -------
    list of BackwardStep

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff.draw import backward_steps
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> for step in backward_steps(x * x):
    ...     for c in step.contributions:
    ...         print(f"{step.upstream:g} * {c.local:g} = {c.value:g}, sum {c.total:g}: {c.rule}")
    1 * 3 = 3, sum 3: dx1 = dy · x2
    1 * 3 = 3, sum 6: dx2 = dy · x1
    """
    if description is None:
        description = describe_graph(output)
    root: Any = output.node
    kept = keep or (lambda array: array)
    operations, results = _positions(description)
    grads: dict[Node, Any] = {root: _seed(output, gradient)}
    unknown: set[Node] = set()
    arrived: dict[Node, list[Contribution]] = {}
    steps = []
    for node in collect([root]):
        if isinstance(node, Leaf):
            continue
        g = None if node in unknown else grads.get(node)
        step = BackwardStep(operations[node.number], node.plan.primitive.name)
        step.upstream = None if g is None else _plain(g, kept)
        step.note = _hooks(node)
        saved, step.missing = _saved(node, g)
        steps.append(step)
        names = [name for name, _ in operands_of(node)]
        shapes = operand_shapes(node)
        shape = None if isinstance(g, Cotangents) or step.operation == "output" else node.shape
        # An infinite derivative (of sqrt at 0, say) is a value, not an accident: no warnings.
        with np.errstate(all="ignore"), no_grad():
            for position, call in node.plan.steps:
                parent: Any = node.inputs[position]
                part = local = None
                if g is not None and saved is not None:
                    part, local, step.missing = _run(node, parent, call, g, saved)
                rule = rule_text(step.operation, names[position], position, shapes, shape)
                contribution = Contribution(results[parent.number], names[position], rule)
                if part is None or parent in unknown:
                    unknown.add(parent)
                elif parent in grads:
                    grads[parent] = grads[parent] + part
                else:
                    grads[parent] = part
                if part is not None:
                    contribution.value = _plain(part, kept)
                    contribution.local = None if local is None else kept(local)
                if parent not in unknown:
                    contribution.total = _plain(grads[parent], kept)
                if not isinstance(part, Cotangents):  # whose members don't meet
                    arrived.setdefault(parent, []).append(contribution)
                step.contributions.append(contribution)
        grads.pop(node, None)
    for contributions in arrived.values():
        for arrival, contribution in enumerate(contributions, 1):
            contribution.arrival, contribution.arrivals = arrival, len(contributions)
    return steps


def gradients(steps: list[BackwardStep]) -> dict[int, Any]:
    """Return the gradient that each vertex ends up with, where it is known.

    >>> import autodiff as ad
    >>> from autodiff.draw import backward_steps, gradients
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> gradients(backward_steps(x * x))[0].item()
    6.0
    """
    found = {}
    for step in steps:
        for contribution in step.contributions:
            found[contribution.source] = contribution.total
    return {vertex: total for vertex, total in found.items() if total is not None}


def _positions(description: Description) -> tuple[dict[int, int], dict[int, int]]:
    """Return, by a node's number, the operation's vertex and that of its result."""
    operations: dict[int, int] = {}
    results: dict[int, int] = {}
    for i, vertex in enumerate(description.vertices):
        if vertex.number is not None:
            operations.setdefault(vertex.number, i)
            results[vertex.number] = i
    return operations, results


def _seed(output: Handle, gradient: Any) -> Any:
    array = output.array
    if gradient is None:
        return namespace_of(array).ones(array.shape, dtype=array.dtype)
    given = getattr(gradient, "array", gradient)
    seed = np.asarray(given, array.dtype)
    if seed.shape != array.shape:
        message = f"backward_steps: the gradient has shape {seed.shape}"
        raise ShapeError(f"{message}, the tensor {array.shape}. Give one of the tensor's shape.")
    return seed


def _saved(node: Node, g: Any) -> tuple[tuple[Any, ...] | None, str]:
    """Return what the rules read, or None and why it is missing."""
    if node.notes is not None and node.notes.recorded is not None:
        return node.notes.recorded.saved, ""
    remedy = "Compute it inside `with autodiff.record():`"
    if node.saved is None:
        return None, f"what its rule reads was freed by a backward pass. {remedy}."
    try:
        check_unchanged(node)
    except AutodiffError:
        return None, f"an array that its rule reads was overwritten since. {remedy}."
    if g is None:
        return None, "its upstream gradient is not known, since a step before lacks something."
    return node.saved, ""


def _hooks(node: Node) -> str:
    count = 0 if node.notes is None else len(node.notes.hooks)
    if not count:
        return ""
    return f"{count} {'hook' if count == 1 else 'hooks'} on its result, not run here"


def _run(node: Node, parent: Node, call: Any, g: Any, saved: Any) -> tuple[Any, Any, str]:
    """Run a rule: return the contribution, the local derivative if there is one, what failed."""
    first = next(iter(g.parts.values())) if isinstance(g, Cotangents) else g
    xp = namespace_of(first)
    try:
        part = fit(xp, _called(xp, node, call, g, saved), node, parent)
        local = None
        several = isinstance(g, Cotangents) or isinstance(part, Cotangents)
        if not several and (node.plan.primitive.name in ELEMENTWISE or node.shape == ()):
            ones = xp.ones(node.shape, dtype=node.dtype)
            local = _called(xp, node, call, ones, saved)
    except Exception as error:  # noqa: BLE001 - the user's own rule may raise anything
        return None, None, f"its rule failed: {error}"
    return part, local, ""


def _called(xp: Namespace, node: Node, call: Any, g: Any, saved: Any) -> Any:
    return conjugated(xp, call, g, saved) if node.dtype.kind == "c" else call(xp, g, saved)


def _plain(g: Any, keep: Callable[[Any], Any]) -> Any:
    """Return a gradient as plain data: a tuple for those of several results."""
    if not isinstance(g, Cotangents):
        return keep(g)
    parts = (g.parts.get(position) for position in range(len(g.specs)))
    return tuple(None if part is None else keep(part) for part in parts)
