"""The backward pass: upstream gradient times local gradient, in topological order.

:func:`propagate` is all of it. It collects the nodes that the outputs depend on, sorts them
by descending number, which is a topological order, and for each node hands every parent the
contribution that the parent's rule computes. Contributions that meet are added.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import local
from autodiff.engine.node import Leaf, Node, changed_since, last_change
from autodiff.engine.outputs import pick_outputs
from autodiff.errors import AnomalyError, GraphError, MutationError, RuleError, describe
from autodiff.namespace import Namespace, namespace_of, tensors

__all__ = ["accumulate", "collect", "propagate"]

_number = attrgetter("number")


def collect(roots: Collection[Node]) -> list[Node]:
    """Return every node that the roots depend on, themselves included, newest first."""
    seen = set(roots)
    pending = list(seen)
    order = []
    while pending:
        node = pending.pop()
        order.append(node)
        for parent in node.inputs:
            if parent is not None and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    order.sort(key=_number, reverse=True)
    return order


def propagate(
    upstream: Mapping[Node, Any],
    wanted: Collection[Node] | None = None,
    *,
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
        The nodes whose gradients to return; all leaves where None. With ``wanted``, only
        paths that lead to one of them are computed.
    retain_graph : bool
        Keep what nodes saved, so that they can be passed through again.
    create_graph : bool
        Run the rules on tensors, so that the gradients are recorded themselves.

    Returns
    -------
    dict of Node to array or Tensor
        Without an entry for a node that no gradient reached.
    """
    order = collect(upstream.keys())
    needed = None if wanted is None else _leading_to(wanted, order)
    _validate(order, needed)
    grads: dict[Node, Any] = dict(upstream)
    xp = tensors if create_graph else namespace_of(next(iter(grads.values())))
    owned: set[Node] = set()  # whose gradient is a sum that only this function holds
    found: dict[Node, Any] = {}
    anomaly = local.mode.anomaly
    # An infinite derivative (of sqrt at 0, say) is a value, not an accident: no warnings.
    with np.errstate(all="ignore"):
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node.notes is not None:
                g = _run_hooks(node, g, create_graph)
            inputs: Any = node.inputs  # those of the plan's steps are not None
            if wanted is not None:
                if node in wanted:
                    found[node] = g
            elif not inputs:
                found[node] = g
            if not inputs:
                continue
            saved: Any = node.saved
            if create_graph:
                saved = _as_tensors(node)
            conjugate = node.dtype.kind == "c"
            for position, call in node.plan.steps:
                parent = inputs[position]
                if needed is not None and parent not in needed:
                    continue
                if conjugate:  # rules are written for analytic functions; see _conjugated
                    part = _conjugated(xp, call, g, saved)
                else:
                    part = call(xp, g, saved)
                if part.shape != parent.shape or part.dtype is not parent.dtype:
                    part = _fit(xp, part, node, parent)
                if anomaly:
                    _check_finite(part, node, position)
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
            if not retain_graph:
                node.saved = None
    return found


def _leading_to(wanted: Collection[Node], order: list[Node]) -> set[Node]:
    """Return the nodes from which a wanted node can be reached, themselves included."""
    needed = set(wanted)
    for node in reversed(order):
        if node not in needed:
            for parent in node.inputs:
                if parent in needed:
                    needed.add(node)
                    break
    return needed


def _validate(order: list[Node], needed: set[Node] | None) -> None:
    """Refuse before anything is changed: freed nodes, arrays that were overwritten."""
    changed = last_change()
    for node in order:
        if needed is not None and node not in needed:
            continue
        if node.saved is None:
            message = f"backward reached {node.describe()}, whose saved arrays were freed"
            raise GraphError(
                f"{message} by an earlier backward pass. "
                "Pass retain_graph=True to every backward pass but the last."
            )
        if node.number < changed:
            _check_unchanged(node)


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
    part = call(xp, xp.conj(g), saved)
    return xp.conj(part) if part.dtype.kind == "c" else part


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
            part = xp.astype(part, parent.dtype)
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


def _run_hooks(node: Node, g: Any, create_graph: bool) -> Any:
    notes = node.notes
    if notes is None:
        return g
    if notes.hooks:
        for hook in list(notes.hooks.values()):
            replaced = hook(g if create_graph else make_tensor(g))
            if replaced is None:
                continue
            if replaced.shape != node.shape:
                message = f"a hook on {node.describe()} gave a gradient of shape {replaced.shape}"
                raise GraphError(f"{message} for a tensor of shape {node.shape}. Keep its shape.")
            g = replaced if create_graph else replaced.array.astype(node.dtype, copy=False)
    if notes.retains_grad:
        _add_grad(notes, g if create_graph else np.array(g))
    return g


def _check_finite(part: Any, node: Node, position: int) -> None:
    array = getattr(part, "array", part)
    if isinstance(array, np.ndarray | np.generic) and not np.isfinite(array).all():
        kind = "NaN" if np.isnan(array).any() else "an infinity"
        primitive = node.plan.primitive
        name = primitive.arrays[0 if primitive.variadic else position]
        where = (
            node.origin or "a line that was not noted (build the graph inside detect_anomaly too)"
        )
        message = f"the backward of {node.describe()} made {kind} in the gradient of {name!r}"
        raise AnomalyError(f"{message} ({describe(array)}). It was called at {where}")


# Who holds a gradient that nobody else can reach when `_release` counts: the dictionary of
# gradients, the caller's and the callee's variable, and the counting call's argument.
_SOLE_HOLDERS = 4


def _release(g: Any) -> Any:
    """Return an array that nothing else refers to: ``g`` itself if that is so, or a copy.

    A rule may well return the upstream gradient itself, a view of it or a saved array;
    none of them may become a ``.grad``.
    """
    if type(g) is np.ndarray and g.base is None and sys.getrefcount(g) <= _SOLE_HOLDERS:
        return g
    return np.array(g) if isinstance(g, np.ndarray | np.generic) else g.copy()


def _add_grad(holder: Any, g: Any) -> None:
    """Add a gradient to ``holder.grad``, out of place: a former ``.grad`` stays as it was."""
    part = g if hasattr(g, "node") else make_tensor(g)
    if holder.grad is not None:
        part = holder.grad + part
        if not hasattr(g, "node"):
            part = make_tensor(part.array)
    holder.grad = part


def accumulate(
    upstream: Mapping[Node, Any], *, retain_graph: bool = False, create_graph: bool = False
) -> None:
    """Run a backward pass and add each leaf's gradient to its ``.grad``.

    Leaves are changed only after the whole pass succeeded.
    """
    found = propagate(upstream, retain_graph=retain_graph, create_graph=create_graph)
    for node in found:
        g = found[node]
        if isinstance(node, Leaf):
            _add_grad(node, tensors.copy(g) if create_graph else _release(g))
