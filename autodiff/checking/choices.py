"""Whether an operation's rule chooses a subgradient where the operation bends.

Each result that bends is looked at alone, along each operand entry alone: there the rule's
derivative must lie between the operation's own slopes, at the point or next to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff.checking.locate import Record, cast_up, guilty_of, rule_alone
from autodiff.checking.report import Guilty
from autodiff.namespace import NUMPY

__all__ = ["find_wrong_choice"]

Array = np.ndarray[Any, Any]

_RESULTS, _ENTRIES = 8, 48
"""So many results and entries of an operand are looked at, at most."""

_STEP = 2.0**-21


def find_wrong_choice(
    records: Iterable[tuple[int, Record]], *, every: bool = False
) -> tuple[int, Guilty] | None:
    """Return the first operation whose rule is no subgradient of it at a kink, and its place.

    With ``every`` also results are looked at that bend only in their second derivative.
    """
    for place, record in records:
        for position, _ in record.node.plan.steps:
            value = record.values[position]
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
                found = _check(record, position, every=every)
                if found is not None:
                    return place, found
    return None


def _check(record: Record, position: int, *, every: bool) -> Guilty | None:
    values = [cast_up(x) for x in record.values]
    start = values[position]
    scale = np.maximum(abs(start), float(np.sqrt(np.square(start).mean())) or 1.0)
    kernel = record.primitive.kernel(NUMPY)

    def evaluate(change: Any) -> Array:
        operands = [*values[:position], start + change, *values[position + 1 :]]
        with np.errstate(all="ignore"):
            out = kernel(*operands, **record.options)
        parts = [np.asarray(part) for part in (out if isinstance(out, tuple) else (out,))]
        floating = [part.ravel() for part in parts if part.dtype.kind == "f"]
        return np.concatenate([np.empty(0), *floating])

    center = evaluate(0.0)
    bent = list(range(center.size)) if every else []
    rng = np.random.default_rng(0)
    for signs in (np.ones(start.shape), rng.choice([-1.0, 1.0], start.shape)):
        step = _STEP * scale * signs
        coarse, fine = (abs(evaluate(s) + evaluate(-s) - 2 * center) for s in (step, step / 2))
        found = np.flatnonzero((fine > 0.35 * coarse) & (fine > 1e-14 * abs(center)))
        bent += [int(i) for i in found if int(i) not in bent]
    for result in bent[:_RESULTS]:
        gradient = _unit_gradient(record, position, result)
        if gradient is None:
            return None
        for entry in _candidates(gradient, start, center, result):
            found_wrong = _compare(evaluate, gradient, scale, entry, result)
            if found_wrong is not None:
                return guilty_of(record, position, *found_wrong, "")._replace(at_kink=True)
    return None


def _unit_gradient(record: Record, position: int, result: int) -> Array | None:
    """Return the rule's gradient of one number of the results."""
    parts = record.out if isinstance(record.out, tuple) else (record.out,)
    weights = [np.zeros(part.shape, part.dtype) for part in parts]
    for part in weights:
        if part.dtype.kind != "f":
            continue
        if result < part.size:
            part.reshape(-1)[result] = 1.0
            break
        result -= part.size
    try:
        return rule_alone(record, position, weights)
    except Exception:  # noqa: BLE001 - whatever a user's rule raises was reported before
        return None


def _candidates(gradient: Array, start: Array, center: Array, result: int) -> list[int]:
    if start.size <= _ENTRIES:
        return list(range(start.size))
    likely = [result] if center.size == start.size else []
    return [*likely, *(int(i) for i in np.flatnonzero(gradient)[:_ENTRIES])]


def _compare(
    evaluate: Any, gradient: Array, scale: Array, entry: int, result: int
) -> tuple[float, float] | None:
    """Return the rule's and the nearest derivative of one result by one entry, if they differ."""
    unit = np.zeros(scale.size)
    unit[entry] = 1.0
    unit = unit.reshape(scale.shape)
    t = _STEP * float(scale.reshape(-1)[entry])

    def slope(low: float, high: float, offset: Any = 0.0) -> float:
        ends = (evaluate(offset + s * t * unit)[result] for s in (low, high))
        before, after = ends
        return float((after - before) / ((high - low) * t))

    slopes = [slope(-1, 0), slope(0, 1)]
    computed = float(gradient.reshape(-1)[entry])

    def nearest() -> tuple[float, bool]:
        near = min(max(computed, min(slopes)), max(slopes))
        return near, not abs(computed - near) <= 1e-4 * max(1.0, *map(abs, slopes))

    if not np.isfinite(slopes).all() or max(map(abs, slopes)) > 1e5 or not nearest()[1]:
        return None  # a jump, or a subgradient
    rng = np.random.default_rng(0)
    ramp = (np.arange(1.0, scale.size + 1) / scale.size).reshape(scale.shape)
    far = 8 * _STEP * max(16.0, scale.size)
    offsets = [far * scale * ramp, -far * scale * ramp]
    offsets += [128 * _STEP * scale * rng.uniform(-1, 1, scale.shape) for _ in range(6)]
    slopes += [slope(-1, 1, offset) for offset in offsets]
    near, wrong = nearest()
    return (computed, near) if wrong and np.isfinite(slopes).all() else None
