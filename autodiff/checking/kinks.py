"""Where a function is not smooth: which operations branch, and on which side they are.

A piecewise operation (``relu``, ``max``, ``sort``, ``where``) is smooth as long as its
*branches* stay the same: the signs, the order, the mask that chose the piece.
Such an operation declares beside its rules how to read them off, with
``@operation.branches``, the package's own and a user's.
Between two evaluations whose branches differ there is a kink, and a finite difference
across it is no derivative.
"""
# ruff: noqa: ARG002 - every reader of branches and every observer takes the same

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.origins import Origins

__all__ = ["CONTROL_FLOW", "Trace", "Watch"]

CONTROL_FLOW = -1
"""The position, in a comparison of traces, of a branch of the Python code itself."""


class Step(NamedTuple):
    """What one recorded operation did."""

    primitive: Any
    branches: Any
    origin: str


class Trace:
    """Observes an evaluation: every operation, its branches, the user's line that called it.

    Attributes
    ----------
    steps : list of Step
    epsilon : float
        The coarsest rounding unit of any result that depends on the inputs. What is computed
        of constants alone, such as a captured float32 weight, is rounded alike every time.
    """

    def __init__(self, variables: Iterable[Any]) -> None:
        self.steps: list[Step] = []
        self.epsilon = float(np.finfo(np.float64).eps)
        self._variables = tuple(variables)
        self._origins = Origins()
        self._depending: dict[int, bool] = {}  # by a node's number: to hold no graph

    def __call__(
        self, primitive: Any, values: Any, out: Any, options: dict[str, Any], node: Any
    ) -> None:
        """Note an operation (an observer of the engine's)."""
        read = primitive.branches
        branches = None if read is None else np.asarray(read(out, *values, **options))
        self.steps.append(Step(primitive, branches, self._origins.of(node)))
        if not self._depending:
            self._depending = {v.tensor.node.number: True for v in self._variables}
        if self._depends(node):
            for part in out if isinstance(out, tuple) else (out,):
                if part.dtype.kind in "fc":
                    self.epsilon = max(self.epsilon, float(np.finfo(part.dtype).eps))

    def _depends(self, node: Any) -> bool:
        """Tell whether the graph leads from a node to one of the variables."""
        known = self._depending.get(node.number)
        if known is None:
            parents = [parent for parent in node.inputs if parent is not None]
            known = self._depending[node.number] = any([self._depends(p) for p in parents])
        return known


class Watch:
    """Observes an evaluation nearby: which of a trace's operations took other branches.

    Attributes
    ----------
    crossed : set of int
        Positions in the trace; :data:`CONTROL_FLOW` where other operations ran at all.
    """

    def __init__(self, trace: Trace) -> None:
        self.crossed: set[int] = set()
        self._steps = trace.steps
        self._position = 0

    def __call__(
        self, primitive: Any, values: Any, out: Any, options: dict[str, Any], node: Any
    ) -> None:
        """Compare an operation (an observer of the engine's)."""
        position = self._position
        self._position += 1
        if CONTROL_FLOW in self.crossed:
            return
        if position >= len(self._steps) or self._steps[position].primitive is not primitive:
            self.crossed.add(CONTROL_FLOW)
            return
        before = self._steps[position].branches
        if before is not None:
            now = np.asarray(primitive.branches(out, *values, **options))
            if before.shape != now.shape or not (before == now).all():
                self.crossed.add(position)

    def finish(self) -> frozenset[int]:
        """Return what was crossed, once the evaluation is over."""
        if self._position != len(self._steps):
            self.crossed.add(CONTROL_FLOW)
        return frozenset(self.crossed)
