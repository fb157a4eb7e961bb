"""The backward pass: upstream gradient times local gradient, in topological order.

:func:`propagate` is all of it. It collects the nodes that the outputs depend on, sorts them
by descending number, which is a topological order, and for each node hands every parent the
contribution that the parent's rule computes. Contributions that meet are added.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import enable_grad, local
from autodiff.engine.node import Handle, Leaf, Node, Notes, changed_since, last_change
from autodiff.engine.operands import constant
from autodiff.engine.outputs import Cotangents, pick_outputs
from autodiff.errors import AnomalyError, GraphError, MutationError, RuleError, describe
from autodiff.namespace import Namespace, namespace_of, tensors

__all__ = ["accumulate", "collect", "conjugate", "propagate", "release"]

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
        others: see :func:`release`.
    """
    if create_graph and not local.mode.recording:
        with enable_grad():
            return propagate(
                upstream, wanted, since=since, retain_graph=retain_graph, create_graph=True
            )
    order = collect(upstream.keys(), since)
    wanted = None if wanted is None else frozenset(wanted)
    running = None if wanted is None else _leading_to(wanted, order)
    _validate(order, wanted, running)
    grads: dict[Node, Any] = dict(upstream)
    xp = tensors if create_graph else namespace_of(next(iter(grads.values())))
    owned: set[Node] = set()  # whose gradient is a sum that only this function holds
    found: dict[Node, Any] = {}
    retained: list[tuple[Notes, Any]] = []
    passed: list[Node] = []
    anomaly = local.mode.anomaly
    if anomaly:
        for node, g in upstream.items():
            _check_finite(g, f"the gradient given for the result of {node.describe()} holds", node)
    # An infinite derivative (of sqrt at 0, say) is a value, not an accident: no warnings.
    with np.errstate(all="ignore"):
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node.notes is not None:
                g = _run_hooks(node, g, create_graph=create_graph, retained=retained)
            inputs: Any = node.inputs  # those of the plan's steps are not None
            if wanted is None:
                if not inputs:
                    found[node] = g
                    continue
            else:
                if node in wanted:
                    found[node] = g
                if node not in running:  # type: ignore[operator]
                    continue
            saved: Any = node.saved
            if saved is None:  # since `_validate`: by a hook, or by another thread
                raise _freed(node)
            if create_graph:
                saved = _as_tensors(node)
            conjugate = node.dtype.kind == "c"
            for position, call in node.plan.steps:
                parent = inputs[position]
                if wanted is not None and parent not in running and parent not in wanted:  # type: ignore[operator]
                    continue
                if conjugate:  # rules are written for analytic functions; see _conjugated
                    part = _conjugated(xp, call, g, saved)
                else:
                    part = call(xp, g, saved)
                if part.shape != parent.shape or part.dtype is not parent.dtype:
                    part = _fit(xp, part, node, parent)
                if anomaly:
                    _check_step(part, node, position)
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
            if anomaly:
                passed.append(node)
            elif not retain_graph and node.plan.saves_arrays:
                node.saved = None
    # What an error must not leave half done comes last.
    if not retain_graph:
        for node in passed:
            if node.plan.saves_arrays:
                node.saved = None
    for notes, g in retained:
        _add_grad(notes, g)
    if wanted is None:
        found.update(grads)  # what arrived at nodes older than `since`
    return found


def _leading_to(wanted: Collection[Node], order: list[Node]) -> set[Node]:
    """Return the nodes with a parent that is wanted or leads to a wanted node."""
    running: set[Node] = set()
    for node in reversed(order):
        for parent in node.inputs:
            if parent in wanted or parent in running:
                running.add(node)
                break
    return running


def _validate(
    order: list[Node], wanted: Collection[Node] | None, running: set[Node] | None
) -> None:
    """Refuse before anything is changed: freed nodes, missing rules, overwritten arrays."""
    changed = last_change()
    for node in order:
        if running is not None and node not in running:
            continue
        if node.saved is None:
            raise _freed(node)
        if node.inputs and node.plan.missing:
            for position, call in node.plan.steps:
                parent = node.inputs[position]
                if position in node.plan.missing and (
                    wanted is None or parent in wanted or parent in (running or ())
                ):
                    call(None, None, ())  # raises
        if node.number < changed:
            _check_unchanged(node)


def _freed(node: Node) -> GraphError:
    message = f"backward reached {node.describe()}, whose saved arrays were freed"
    return GraphError(
        f"{message} by an earlier backward pass. "
        "Pass retain_graph=True to every backward pass but the last."
    )


def _check_unchanged(node: Node) -> None:
    if not node.saved or not node.inputs:
        return
    for name, value in zip(node.plan.reads, node.saved, strict=False):
        for array in value if isinstance(value, tuple) else (value,):
            if isinstance(array, np.ndarray) and changed_since(array, node.number):
                what = "its result" if name == "out" else f"its operand {name!r}"
                message = f"{node.describe()} needs {what} ({describe(array)}) for backward"
                raise MutationError(
                    f"{message}, but that array was overwritten after the operation had read it. "
                    "Change it after backward(), or use x = x + y in place of writing into x."
                )


def _conjugated(xp: Namespace, call: Any, g: Any, saved: Any) -> Any:
    """Apply an analytic rule where the result is complex.

    The gradient of a real loss with respect to ``z = a + ib`` is ``dL/da + i dL/db``, for
    which an analytic ``y = f(z)`` gives ``g * conj(f'(z))``. The rules say ``g * f'(z)``:
    conjugated before and after, they give that.
    """
    return conjugate(xp, call(xp, conjugate(xp, g), saved))


def conjugate(xp: Namespace, g: Any) -> Any:
    """Return the complex conjugate of a gradient, or of all gradients of a tuple."""
    if isinstance(g, Cotangents):
        return Cotangents({i: conjugate(xp, part) for i, part in g.parts.items()}, g.specs)
    return xp.conj(g) if g.dtype.kind == "c" else g


def _fit(xp: Namespace, part: Any, node: Node, parent: Node) -> Any:
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
        if extra >= 0 and stretched:
            part = xp.sum(part, axis=tuple(stretched), keepdims=True)
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


def _run_hooks(node: Node, g: Any, *, create_graph: bool, retained: list[tuple[Notes, Any]]) -> Any:
    notes = node.notes
    if notes is None:
        return g
    for hook in list(notes.hooks.values()):
        # A copy: a hook may keep it or write into it, and the engine's may be shared.
        replaced = hook(_copy(g) if create_graph else make_tensor(_copy(g)))
        if replaced is not None:
            g = _from_hook(node, replaced, create_graph=create_graph)
    if notes.retains_grad:
        retained.append((notes, _copy(g)))
    return g


def _from_hook(node: Node, replaced: Any, *, create_graph: bool) -> Any:
    """Check the gradient that a hook returned in place of the one it was given."""
    result = replaced if isinstance(replaced, Handle) else make_tensor(constant(replaced))
    array = result.array
    if array.shape != node.shape:
        message = f"a hook on the result of {node.describe()} returned {describe(replaced)}"
        raise GraphError(f"{message} for a tensor of shape {node.shape}. Keep its shape.")
    if array.dtype.kind == "c" and node.dtype.kind != "c":
        message = f"a hook on the result of {node.describe()} returned {describe(replaced)}"
        raise GraphError(f"{message} for a tensor of dtype {node.dtype}. Return a real gradient.")
    if local.mode.anomaly:
        _check_finite(array, f"a hook on the result of {node.describe()} returned", node)
    if create_graph:
        return result if array.dtype == node.dtype else tensors.astype(result, node.dtype)
    return array.astype(node.dtype, copy=False)


def _check_step(part: Any, node: Node, position: int) -> None:
    primitive = node.plan.primitive
    name = primitive.arrays[0 if primitive.variadic else position]
    for each in part.parts.values() if isinstance(part, Cotangents) else [part]:
        _check_finite(each, f"the backward of {node.describe()} made", node, f"of {name!r} ")


def _check_finite(g: Any, what: str, node: Node, operand: str = "") -> None:
    array = getattr(g, "array", g)
    if isinstance(array, np.ndarray | np.generic) and not np.isfinite(array).all():
        kind = "a NaN" if np.isnan(array).any() else "an infinity"
        where = (
            node.origin or "a line that was not noted (build the graph inside detect_anomaly too)"
        )
        message = f"{what} {kind} in the gradient {operand}({describe(array)})"
        raise AnomalyError(f"{message}. It was called at {where}")


def _copy(g: Any) -> Any:
    if isinstance(g, Handle):
        return tensors.copy(g)
    return np.array(g) if isinstance(g, np.ndarray | np.generic) else g.copy()


def _holders(g: Any) -> int:
    return sys.getrefcount(g)


def _count_sole_holders() -> int:
    """Count how many hold a gradient, while `release` counts, that nobody else can reach.

    They are the dictionary of gradients, the variables of the two functions, and what the
    interpreter adds, which differs between its versions.
    """
    found = {0: np.empty(0)}
    g = found[0]
    return _holders(g)


_SOLE_HOLDERS = _count_sole_holders()


def release(g: Any) -> Any:
    """Return an array, or a tensor, that nothing else refers to.

    A rule may well return the upstream gradient itself, a view of it or a saved array;
    none of them may become a ``.grad``. So a copy is returned, except of an array that
    is held by the dictionary and the variable of the caller alone.
    """
    if type(g) is np.ndarray and g.base is None and sys.getrefcount(g) <= _SOLE_HOLDERS:
        return g
    return _copy(g)


def _add_grad(holder: Any, g: Any) -> None:
    """Add a gradient to ``holder.grad``, out of place: a former ``.grad`` stays as it was."""
    part = g if isinstance(g, Handle) else make_tensor(g)
    if holder.grad is not None:
        part = holder.grad + part
        if not isinstance(g, Handle):
            part = make_tensor(part.array)
    holder.grad = part


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
                _add_grad(node, release(g))
