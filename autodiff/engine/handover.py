"""Gradients that leave the engine: to hooks, and into ``.grad``.

Inside a backward pass gradients are shared wherever that is right: a sum hands one array to
both operands. What a user can reach is never shared with anything.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.checks import check_finite
from autodiff.engine.modes import local
from autodiff.engine.node import Handle, Node, Notes
from autodiff.engine.operands import constant
from autodiff.errors import GraphError, describe
from autodiff.namespace import tensors

__all__ = ["add_grad", "release", "run_hooks"]


def run_hooks(node: Node, g: Any, *, create_graph: bool, retained: list[tuple[Notes, Any]]) -> Any:
    """Let a node's hooks see, and replace, its gradient; put what it retains on a list.

    Retained gradients are stored by the caller, once the whole pass has succeeded.
    """
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
        check_finite(array, f"a hook on the result of {node.describe()} returned", node)
    if create_graph:
        return result if array.dtype == node.dtype else tensors.astype(result, node.dtype)
    return array.astype(node.dtype, copy=False)


def _copy(g: Any) -> Any:
    if isinstance(g, Handle):
        return tensors.copy(g)
    return np.array(g) if isinstance(g, np.ndarray | np.generic) else g.copy()


def _holders(g: Any) -> tuple[int, int]:
    """Count who holds an array now, and who holds the array whose memory it shows."""
    return sys.getrefcount(g), sys.getrefcount(g.base)


def _count_sole_holders() -> tuple[int, int]:
    """Count the holders, as `release` does, of a gradient that nobody else can reach.

    They are the dictionary of gradients, the variables of three functions, and what the
    interpreter adds, which differs between its versions; and of what it is a view of, the view.
    """

    def count(g: Any) -> tuple[int, int]:
        return _holders(g)

    found = {0: np.empty((1, 2)).T}
    g = found[0]
    return count(g)


_SOLE_HOLDERS = _count_sole_holders()


def _shows_all(g: Any, base: Any) -> bool:
    """Tell whether a view shows every element of an array once, as a transpose does."""
    return (
        type(base) is np.ndarray
        and base.base is None
        and base.size == g.size
        and base.dtype == g.dtype
        and g.flags.forc  # no element twice, none backwards
        and g.flags.writeable
    )


def release(g: Any) -> Any:
    """Return an array, or a tensor, that nothing else refers to.

    A rule may well return the upstream gradient itself, a view of it or a saved array;
    none of them may become a ``.grad``. So a copy is returned, except of an array that
    is held by the dictionary and the variable of the caller alone; or of a view of the whole
    of such an array, which is held by the view alone.
    """
    if type(g) is np.ndarray:
        holders, holders_of_base = _holders(g)
        if holders <= _SOLE_HOLDERS[0]:
            base = g.base
            if base is None or (holders_of_base <= _SOLE_HOLDERS[1] and _shows_all(g, base)):
                return g
    return _copy(g)


def add_grad(holder: Any, g: Any) -> None:
    """Add a gradient to ``holder.grad``, out of place: a former ``.grad`` stays as it was."""
    part = g if isinstance(g, Handle) else make_tensor(g)
    if holder.grad is not None:
        part = holder.grad + part
        if not isinstance(g, Handle):
            part = make_tensor(part.array)
    holder.grad = part
