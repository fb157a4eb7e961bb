"""Where a second derivative is wrong: each operation's rule, differentiated once more, alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.checking.differences import Differences, default_step
from autodiff.checking.function import Function, Sample
from autodiff.checking.locate import Record, cast_up, draw, guilty_of, records_at
from autodiff.checking.report import Guilty
from autodiff.checking.verdict import WRONG, judge
from autodiff.engine.apply import apply_any, make_tensor
from autodiff.engine.backward import propagate
from autodiff.engine.modes import enable_grad
from autodiff.engine.node import Leaf

__all__ = ["find_guilty_again"]

Array = np.ndarray[Any, Any]

_EPSILON = float(np.finfo(np.float64).eps)


def find_guilty_again(function: Function) -> Guilty | None:
    """Return the first operation of f whose rule is right, but not its own derivative.

    Parameters
    ----------
    function : Function
        The user's, not the projection of its gradient.
    """
    rng = np.random.default_rng(0)
    for record in records_at(function, function.point):
        for position, _ in record.node.plan.steps:
            guilty = _check(record, position, rng)
            if guilty is not None:
                return guilty._replace(again=True)
    return None


def _check(record: Record, position: int, rng: np.random.Generator) -> Guilty | None:
    """Differentiate one operand's rule by all that it depends on, along one random line."""
    operands = [cast_up(x) for x in record.values]
    moved = [i for i, _ in record.node.plan.steps if operands[i].dtype.kind in "fc"]
    parts = record.out if isinstance(record.out, tuple) else (record.out,)
    floating = [cast_up(np.asarray(part)) for part in parts if part.dtype.kind in "fc"]
    start = [*(operands[i] for i in moved), *(draw(part, rng) for part in floating)]
    if position not in moved or not all(x.size for x in start):
        return None
    weights = draw(operands[position], rng)
    apply = apply_any(record.primitive)

    def evaluate(values: list[Array]) -> tuple[Any, list[Leaf]]:
        """Return ``<weights, rule>`` as a tensor, and the leaves it may depend on."""
        leaves = [Leaf(x.shape, x.dtype) for x in values]
        tensors = [make_tensor(x, leaf) for x, leaf in zip(values, leaves, strict=True)]
        given: list[Any] = list(operands)
        for i, tensor in zip(moved, tensors, strict=False):
            given[i] = tensor
        with enable_grad(), np.errstate(all="ignore"):
            out = apply(*given, **record.options)
            outputs = [y for y in (out if isinstance(out, tuple) else (out,)) if y.node is not None]
            upstream = dict(zip([y.node for y in outputs], tensors[len(moved) :], strict=False))
            wanted = leaves[moved.index(position)]
            found: dict[Any, Any] = propagate(
                upstream, [wanted], retain_graph=True, create_graph=True
            )
            if wanted not in found:
                return None, leaves
            return (found[wanted] * weights).real.sum(), leaves

    def value(t: float) -> Sample:
        total, _ = evaluate([x + t * d for x, d in zip(start, directions, strict=True)])
        number = np.array([0.0 if total is None else float(total.array)])
        return Sample(number, abs(number), frozenset())

    directions = []
    for x in start:
        typical = float(np.sqrt(np.square(abs(x)).mean())) or 1.0
        signs = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        directions.append(signs * np.maximum(abs(x), typical))
    try:
        total, leaves = evaluate(start)
        found = {}
        if total is not None and total.node is not None:
            found = propagate({total.node: np.ones(())}, leaves)
    except Exception:  # noqa: BLE001 - whatever a user's rule raises is its fault
        return guilty_of(record, position, float("nan"), 0.0, "")
    terms = [
        np.real(np.conj(np.asarray(found[leaf])) * d)
        for leaf, d in zip(leaves, directions, strict=True)
        if leaf in found
    ]
    computed = np.array([sum(float(term.sum()) for term in terms)])
    size = np.array([np.sqrt(sum(float(np.square(term).sum()) for term in terms))])
    center = value(0.0)
    scale = max(float(center.scale[0]), float(size[0]))
    step = default_step(_EPSILON)
    differences = Differences(value, center, np.array([8 * _EPSILON * scale]), step)
    estimate = differences.best()
    if estimate is None or (differences.bend(-4) > 0.75).any():
        return None
    _, verdict = judge(
        computed, estimate.value, estimate.error, rtol=1e-6, atol=1e-9 * scale, size=size
    )
    if verdict[0] != WRONG:
        return None
    return guilty_of(record, position, float(computed[0]), float(estimate.value[0]), "")
