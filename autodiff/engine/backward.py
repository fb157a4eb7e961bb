"""The backward pass: upstream gradient times local gradient, in topological order.

:func:`propagate` is all of it. It collects the nodes that the outputs depend on, sorts them
by descending number, which is a topological order, and for each node hands every parent the
contribution that the parent's rule computes. Contributions that meet are added.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.checks import (
    check_finite,
    check_step,
    check_unchanged,
    failed,
    freed,
    validate,
)
from autodiff.engine.handover import add_grad, release, run_hooks
from autodiff.engine.modes import enable_grad, local
from autodiff.engine.node import Leaf, Node, Notes, last_change
from autodiff.engine.outputs import Cotangents, pick_outputs
from autodiff.errors import AutodiffError, RuleError
from autodiff.namespace import Namespace, namespace_of, tensors

__all__ = ["accumulate", "collect", "conjugate", "conjugated", "fit", "propagate"]

_number = attrgetter("number")


def collect(roots: Collection[Node], since: int = 0) -> list[Node]:
    """Return every node that the roots depend on, themselves included, newest first.

    Of nodes with numbers below ``since`` only the roots are among them.
    """
    seen = set(roots)
    pending = list(seen)
    order = []
    while pending:
        node = pending.pop()
        order.append(node)
        for parent in node.inputs:
            if parent is not None and parent not in seen and parent.number >= since:
                seen.add(parent)
                pending.append(parent)
    order.sort(key=_number, reverse=True)
    return order


def propagate(
    upstream: Mapping[Node, Any],
    wanted: Collection[Node] | None = None,
    *,
    since: int = 0,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Node, Any]:
    """Carry gradients from output nodes to the nodes that want them.

    Parameters
    ----------
    upstream : mapping of Node to array or Tensor
        The gradient of the final result with respect to each output node: arrays, or
        tensors where ``create_graph``.
    wanted : collection of Node, optional
        The nodes whose gradients to return; where None, all at which the graph ends. With
        ``wanted``, only paths that lead to one of them are computed.
    since : int
        Nodes with smaller numbers are where the graph ends: nothing is handed through them.
    retain_graph : bool
        Keep what nodes saved, so that they can be passed through again.
    create_graph : bool
        Run the rules on tensors and record them, also inside ``no_grad``, so that the
        gradients can be differentiated themselves.

    Returns
    -------
    dict of Node to array or Tensor
        Without an entry for a node that no gradient reached. The arrays may be shared with
        others: see :func:`~autodiff.engine.handover.release`.
    """
    if create_graph and not local.mode.recording:
        with enable_grad():
            return propagate(
                upstream, wanted, since=since, retain_graph=retain_graph, create_graph=True
            )
    order = collect(upstream.keys(), since)
    wanted = None if wanted is None else frozenset(wanted)
    running: Collection[Node] = () if wanted is None else _leading_to(wanted, order)
    if wanted is None:
        validate(order, None)
    else:
        validate([node for node in order if node in running], {*wanted, *running})
    grads: dict[Node, Any] = dict(upstream)
    xp = tensors if create_graph else namespace_of(next(iter(grads.values())))
    owned: set[Node] = set()  # whose gradient is a sum that only this function holds
    found: dict[Node, Any] = {}
    retained: list[tuple[Notes, Any]] = []
    passed: list[Node] = []
    anomaly = local.mode.anomaly
    # Where a user's code may raise on the way, freeing waits until the pass has succeeded.
    free_at_end = anomaly or any(
        (node.notes is not None and node.notes.hooks)
        or (node.inputs and not node.plan.primitive.ours)
        for node in order
    )
    checked = last_change()
    if anomaly:
        for node, g in upstream.items():
            check_finite(g, f"the gradient given for the result of {node.describe()} holds", node)
    # An infinite derivative (of sqrt at 0, say) is a value, not an accident: no warnings.
    with np.errstate(all="ignore"):
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node.notes is not None:
                g = run_hooks(node, g, create_graph=create_graph, retained=retained)
            inputs: Any = node.inputs  # those of the plan's steps are not None
            if wanted is None:
                if not inputs:
                    found[node] = g
                    continue
            else:
                if node in wanted:
                    found[node] = g
                if node not in running:
                    continue
            saved: Any = node.saved
            if saved is None:  # since `_validate`: by a hook, or by another thread
                raise freed(node)
            if create_graph:
                saved = _as_tensors(node)
            if last_change() > checked:  # a hook, or another thread, has written since
                check_unchanged(node)
            conjugate = node.dtype.kind == "c"
            position = -1
            try:
                adder = node.plan.adder
                if adder is not None and not create_graph and _in_place(g, node, anomaly):
                    parent = inputs[0]
                    if wanted is None or parent in running or parent in wanted:
                        total = grads.get(parent)
                        if total is None:
                            total = xp.zeros(parent.shape, dtype=parent.dtype)
                        elif parent not in owned:
                            total = xp.array(total)
                        adder(xp, total, g, saved)
                        grads[parent] = total
                        owned.add(parent)
                    steps: Any = ()
                else:
                    steps = node.plan.steps
                for position, call in steps:
                    parent = inputs[position]
                    if wanted is not None and parent not in running and parent not in wanted:
                        continue
                    if conjugate:  # rules are written for analytic functions; see conjugated
                        part = conjugated(xp, call, g, saved)
                    else:
                        part = call(xp, g, saved)
                    if part.shape != parent.shape or part.dtype is not parent.dtype:
                        part = fit(xp, part, node, parent)
                    if anomaly:
                        check_step(part, node, position)
                    if parent not in grads:
                        grads[parent] = part
                    elif parent in owned:
                        total = grads[parent]
                        total += part
                        grads[parent] = total
                    else:
                        grads[parent] = grads[parent] + part
                        if not create_graph:
                            owned.add(parent)
            except AutodiffError:
                raise
            except Exception as error:
                if node.plan.primitive.ours:  # what a checkpointed function raises is the user's
                    error.add_note(f"in the backward pass of {node.describe()}")
                    raise
                raise failed(node, position, error) from error
            if free_at_end:
                passed.append(node)
            elif not retain_graph and node.plan.saves_arrays:
                node.saved = None
    # What an error must not leave half done comes last.
    if not retain_graph:
        for node in passed:
            if node.plan.saves_arrays:
                node.saved = None
    for notes, g in retained:
        add_grad(notes, g)
    if wanted is None:
        found.update(grads)  # what arrived at nodes older than `since`
    return found


def _in_place(g: Any, node: Node, anomaly: bool) -> bool:
    """Tell whether a gradient can be added into its operand's as it is, unseen by others."""
    parent: Any = node.inputs[0]
    return not anomaly and g.dtype == parent.dtype and parent.dtype.kind != "c"


def _leading_to(wanted: Collection[Node], order: list[Node]) -> set[Node]:
    """Return the nodes with a parent that is wanted or leads to a wanted node."""
    running: set[Node] = set()
    for node in reversed(order):
        for parent in node.inputs:
            if parent in wanted or parent in running:
                running.add(node)
                break
    return running


def conjugated(xp: Namespace, call: Any, g: Any, saved: Any) -> Any:
    """Apply an analytic rule where the result is complex.

    The gradient of a real loss with respect to ``z = a + ib`` is ``dL/da + i dL/db``, for
    which an analytic ``y = f(z)`` gives ``g * conj(f'(z))``. The rules say ``g * f'(z)``:
    conjugated before and after, they give that.
    """
    return conjugate(xp, call(xp, conjugate(xp, g), saved))


def conjugate(xp: Namespace, g: Any) -> Any:
    """Return the complex conjugate of a gradient, or of all gradients of a tuple."""
    if isinstance(g, Cotangents):
        return Cotangents({i: conjugate(xp, part) for i, part in g.parts.items()}, g.specs, g.dtype)
    return xp.conj(g) if g.dtype.kind == "c" else g


def fit(xp: Namespace, part: Any, node: Node, parent: Node) -> Any:
    """Give a gradient its parent's shape and dtype: the one place where this is done.

    An operand that was broadcast gets the sum over the axes along which it was; a real
    operand of a complex result gets the real part.
    """
    shape = parent.shape
    if part.shape != shape:
        extra = len(part.shape) - len(shape)
        stretched = [
            axis
            for axis, size in enumerate(part.shape)
            if axis < extra or (size != 1 and shape[axis - extra] == 1)
        ]
        if extra > 0 and part.shape[extra:] == shape:  # as a bias: along new axes alone
            part = part.sum(axis=tuple(stretched))
        elif extra >= 0 and stretched:
            part = part.sum(axis=tuple(stretched), keepdims=True)
        if part.shape != shape:
            if part.shape[:extra] + shape != part.shape:
                message = f"a rule of {node.describe()} gave a gradient of shape {part.shape}"
                raise RuleError(f"{message} for an operand of shape {shape}")
            part = xp.reshape(part, shape)
    if part.dtype != parent.dtype:
        if part.dtype.kind == "c" and parent.dtype.kind != "c":
            part = xp.real(part)
        if part.dtype != parent.dtype:
            part = part.astype(parent.dtype)  # the method: NumPy 2.0's function refuses scalars
    return part


def _as_tensors(node: Node) -> tuple[Any, ...]:
    """Return what a node saved as tensors that are linked to the graph again."""
    primitive = node.plan.primitive

    def link(name: str, value: Any) -> Any:
        if name == "out":
            if not isinstance(value, tuple):
                return make_tensor(value, node)
            outputs = zip(value, pick_outputs(node, value), strict=True)
            return tuple(make_tensor(part, picked) for part, picked in outputs)
        if name not in primitive.arrays:
            return value
        if primitive.variadic:
            return tuple(_linked(v, n) for v, n in zip(value, node.inputs, strict=True))
        return _linked(value, node.inputs[primitive.arrays.index(name)])

    saved = node.saved or ()
    # A result's own node keeps its position and its siblings' shapes, which no rule names.
    if not node.plan.reads:
        return saved
    return tuple(link(name, value) for name, value in zip(node.plan.reads, saved, strict=True))


def _linked(value: Any, node: Node | None) -> Any:
    """Wrap an array; leave None and Python scalars, which are weak, alone."""
    return make_tensor(value, node) if hasattr(value, "dtype") else value


_accumulating = threading.RLock()
"""Held while leaves are added to, so that threads which share leaves lose nothing."""


def accumulate(
    upstream: Mapping[Node, Any], *, retain_graph: bool = False, create_graph: bool = False
) -> None:
    """Run a backward pass and add each leaf's gradient to its ``.grad``.

    Leaves are changed only after the whole pass succeeded.
    """
    if create_graph and not local.mode.recording:
        with enable_grad():
            accumulate(upstream, retain_graph=retain_graph, create_graph=True)
        return
    found = propagate(upstream, retain_graph=retain_graph, create_graph=create_graph)
    with _accumulating:
        for node in found:
            g = found[node]
            if isinstance(node, Leaf):
                add_grad(node, release(g))
