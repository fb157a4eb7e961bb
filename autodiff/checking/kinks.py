"""Where a function is not smooth: which operations branch, and on which side they are.

A piecewise operation (``relu``, ``max``, ``sort``, ``where``) is smooth as long as its
*branches* stay the same: the signs, the order, the mask that chose the piece.
:data:`BRANCHES` says for each such operation how to read them off; an operation of the
user's own declares it beside its rules, with ``@operation.branches``.
Between two evaluations whose branches differ there is a kink, and a finite difference
across it is no derivative.
"""
# ruff: noqa: ARG001, ARG002 - every reader of branches and every observer takes the same

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.origins import Origins

__all__ = ["ANALYTIC", "BRANCHES", "CONTROL_FLOW", "Trace", "Watch", "branches_of"]

Branches = Callable[..., Any]

CONTROL_FLOW = -1
"""The position, in a comparison of traces, of a branch of the Python code itself."""


def _sign(out: Any, x: Any, *_: Any, **__: Any) -> Any:
    return np.sign(x)


def _side(out: Any, x1: Any, x2: Any) -> Any:
    return np.sign(np.subtract(x1, x2))


def _knots(*knots: float) -> Branches:
    """Tell between which knots (and whether exactly on one) each entry lies."""

    def branches(out: Any, x: Any, *_: Any, **__: Any) -> Any:
        return np.searchsorted(knots, x, "left") + np.searchsorted(knots, x, "right")

    return branches


def _extremum(out: Any, x: Any, *, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    if axis is not None and not keepdims:
        out = np.expand_dims(out, axis)
    return np.equal(x, out)


def _order(out: Any, x: Any, *, axis: Any = -1, **_: Any) -> Any:
    """Tell the order of the entries along an axis, ties included."""
    x = np.ravel(x) if axis is None or np.ndim(x) == 0 else np.asarray(x)
    along = -1 if axis is None or isinstance(axis, tuple) or x.ndim == 1 else axis
    order = np.argsort(x, axis=along, kind="stable")
    ties = np.diff(np.take_along_axis(x, order, along), axis=along) == 0
    return np.concatenate([order, ties], axis=along)


def _running(out: Any, x: Any, *_: Any, **__: Any) -> Any:
    return np.equal(np.reshape(x, np.shape(out)), out)


def _clip(out: Any, x: Any, *bounds: Any, **options: Any) -> Any:
    limits = [*bounds, options.get("min_val"), options.get("max_val")]
    sides = [1 + np.sign(np.subtract(x, limit)) for limit in limits if limit is not None]
    return sum((3**i * side for i, side in enumerate(sides)), np.zeros(np.shape(x)))


def _condition(out: Any, condition: Any, *_: Any, **__: Any) -> Any:
    return np.asarray(condition)


def _value(out: Any, *_: Any, **__: Any) -> Any:
    return out


def _quotient(out: Any, x1: Any, x2: Any) -> Any:
    return np.floor_divide(x1, x2)


def _signs(out: Any, x1: Any, x2: Any) -> Any:
    return 3 * np.sign(x1) + np.sign(x2)


def _is_zero(out: Any, *_: Any, **__: Any) -> Any:
    return np.equal(out, 0)


def _norm(
    out: Any, x: Any, *, axis: Any = None, keepdims: bool = False, ord: float = 2, **_: Any
) -> Any:
    if ord == 2:
        return np.equal(out, 0)
    if np.isinf(ord):
        return np.sign(x) * _extremum(out, np.abs(x), axis=axis, keepdims=keepdims)
    return np.sign(x)


BRANCHES: dict[str, Branches] = {
    **dict.fromkeys(["abs", "sign", "reciprocal"], _sign),
    **dict.fromkeys(["relu", "leaky_relu", "elu", "selu", "celu", "softsign"], _sign),
    **dict.fromkeys(["maximum", "minimum"], _side),
    **dict.fromkeys(["max", "min"], _extremum),
    **dict.fromkeys(["sort", "topk"], _order),
    **dict.fromkeys(["floor", "ceil", "round", "trunc", "floor_divide"], _value),
    **dict.fromkeys(["hypot", "std"], _is_zero),
    **dict.fromkeys(["hardsigmoid", "hardswish"], _knots(-3.0, 3.0)),
    **dict.fromkeys(["hardtanh", "clip"], _clip),
    "copysign": _signs,
    "cumulative_max": _running,
    "linalg.vector_norm": _norm,
    "relu6": _knots(0.0, 6.0),
    "remainder": _quotient,
    "where": _condition,
}
"""For each piecewise operation: ``branches(out, *operands, **options)``, an array that is
constant within a smooth piece."""


ANALYTIC = frozenset(
    """
    acos acosh add asin asinh atan atanh broadcast_to concat copy cos cosh cumulative_prod
    cumulative_sum diagonal divide einsum exp expand_dims expm1 flip getitem linalg.det
    linalg.inv linalg.solve log log10 log1p log2 matmul matrix_transpose mean moveaxis multiply
    negative permute_dims positive pow prod reciprocal repeat reshape roll setitem sin sinh
    split sqrt square squeeze stack subtract sum swapaxes take take_along_axis tan tanh tensordot
    tile trace tril triu unstack
    """.split()  # noqa: SIM905 - a paragraph reads better than forty quoted lines
)
"""The operations that are analytic functions, computed as such on complex arrays."""


def branches_of(primitive: Any) -> Branches | None:
    """Return how to read the branches of a primitive; None for a smooth one."""
    return primitive.branches or BRANCHES.get(primitive.name)


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
        read = branches_of(primitive)
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
            now = np.asarray(branches_of(primitive)(out, *values, **options))  # type: ignore[misc]
            if before.shape != now.shape or not (before == now).all():
                self.crossed.add(position)

    def finish(self) -> frozenset[int]:
        """Return what was crossed, once the evaluation is over."""
        if self._position != len(self._steps):
            self.crossed.add(CONTROL_FLOW)
        return frozenset(self.crossed)
