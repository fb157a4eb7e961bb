"""Where a wrong gradient comes from: each recorded operation is checked alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.differences import Differences, Estimate, default_step
from autodiff.checking.function import Function, Sample
from autodiff.checking.origins import Origins
from autodiff.checking.report import LEAVING, Guilty
from autodiff.checking.variables import own_precision
from autodiff.checking.verdict import WRONG, judge
from autodiff.engine.backward import propagate
from autodiff.engine.node import Leaf, Node, clock
from autodiff.engine.outputs import Cotangents
from autodiff.namespace import NUMPY

__all__ = [
    "Record", "all_records_at", "cast_up", "check_operation", "draw", "find_guilty",
    "find_infinite", "first_random", "guilty_of", "records_at", "rule_alone",
]  # fmt: skip

Array = np.ndarray[Any, Any]


_DIRECTIONS = 4
"""How many random directions a rule must be right in."""


class Record(NamedTuple):
    """Everything that running one operation again takes."""

    primitive: Any
    values: tuple[Any, ...]
    out: Any
    options: dict[str, Any]
    node: Any
    origin: str


class _Recorder:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self._origins = Origins()

    def __call__(
        self, primitive: Any, values: Any, out: Any, options: dict[str, Any], node: Any
    ) -> None:
        origin = self._origins.of(node)
        self.records.append(Record(primitive, tuple(values), out, options, node, origin))


def find_guilty(function: Function, given: list[Array]) -> tuple[Guilty | None, str]:
    """Check the rule of every operation that the outputs depend on against differences.

    Parameters
    ----------
    function : Function
    given : list of ndarray
        The point in the user's own precision, where the rules are tried too.

    Returns
    -------
    guilty : Guilty or None
        The first operation, in the order they ran, whose rule is wrong.
    hint : str
        What to look for where every rule is right.
    """
    records = records_at(function, function.point)
    runs = [records]
    if function.captured or any(x.dtype != np.float64 for x in given):
        with own_precision(function.captured):
            runs.append(records_at(function, given))
    for run in runs:
        rng = np.random.default_rng(0)
        found: list[Guilty] = []
        for record in run:
            wrong = (
                _check_rule(record, position, rng)
                for position, _ in record.node.plan.steps
                for _ in range(_DIRECTIONS)
            )
            found += [guilty for guilty in wrong if guilty is not None][:1]
        if found:
            others = len({guilty.origin for guilty in found}) - 1
            return found[0]._replace(others=others), ""
    cut = _find_cut(function, records)
    if cut is not None:
        return cut, ""
    hooked = any(record.node.notes is not None and record.node.notes.hooks for record in records)
    cause = "Is it a hook that changes a gradient?"
    if not hooked:
        cause = (
            f"Did something leave the graph? Look for {LEAVING}. "
            "If there is none, the error is in the engine's backward pass itself."
        )
    return None, f"Every operation's own derivative rule is right here. {cause}"


def find_infinite(function: Function) -> Guilty | None:
    """Return the last operation whose derivative is not finite: what makes a gradient NaN."""
    for record in reversed(records_at(function, function.point)):
        parts = record.out if isinstance(record.out, tuple) else (record.out,)
        ones = [np.ones(part.shape, part.dtype) for part in parts]
        for position, _ in record.node.plan.steps:
            value = record.values[position]
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                gradient = rule_alone(record, position, ones)
                if not np.isfinite(gradient).all():
                    return guilty_of(record, position, 0.0, 0.0, "")
    return None


def check_operation(
    node: Node, operands: tuple[Any, ...], out: Any, options: dict[str, Any], saved: Any
) -> tuple[list[str], list[Guilty]]:
    """Check one recorded operation's rules against differences of that operation alone.

    Parameters
    ----------
    node : Node
    operands : tuple
        The values that it was given.
    out : array, or tuple of them
    options : dict
    saved : tuple
        What its rules read, which the node itself may have freed.

    Returns
    -------
    checked : list of str
        The operands whose rules could be checked: floating arrays that are not empty.
    guilty : list of Guilty
        One for each operand whose rule is wrong.
    """
    alive = Node()
    alive.number, alive.plan, alive.inputs, alive.saved = clock(), node.plan, node.inputs, saved
    alive.shape, alive.dtype, alive.scope, alive.notes = node.shape, node.dtype, node.scope, None
    record = Record(node.plan.primitive, operands, out, options, alive, node.origin or "")
    rng = np.random.default_rng(0)
    checked: list[str] = []
    guilty: list[Guilty] = []
    for position, _ in node.plan.steps:
        value = operands[position]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
            continue
        checked.append(guilty_of(record, position, 0.0, 0.0, "").operand)
        tried = (_check_rule(record, position, rng) for _ in range(_DIRECTIONS))
        guilty += [wrong for wrong in tried if wrong is not None][:1]
    return checked, guilty


def all_records_at(function: Function, point: list[Array]) -> list[Record]:
    """Evaluate, and return every operation that was recorded, in order."""
    recorder = _Recorder()
    function.run(point, recorder)
    return recorder.records


def records_at(function: Function, point: list[Array]) -> list[Record]:
    """Evaluate, and return the operations that the outputs depend on, in order."""
    recorder = _Recorder()
    outputs = function.run(point, recorder)
    reached = _ancestors([output.node for output in outputs if output.node is not None])
    return [record for record in recorder.records if record.node in reached]


def _find_cut(function: Function, records: list[Record]) -> Guilty | None:
    """Find the first operand that depends on the inputs, but through which no gradient flows."""
    rng = np.random.default_rng(0)
    nearby = [x * (1 + 1e-3 * rng.uniform(0.5, 1, x.shape)) + 1e-3 for x in function.point]
    for one, other in zip(records, records_at(function, nearby), strict=False):
        if one.primitive is not other.primitive:
            return None
        for position, (value, moved) in enumerate(zip(one.values, other.values, strict=False)):
            known = isinstance(value, np.ndarray | np.inexact | float | complex)
            if one.node.inputs[position] is not None or not known:
                continue
            floating = np.asarray(value).dtype.kind in "fc"
            if floating and not np.array_equal(value, moved, equal_nan=True):
                return guilty_of(one, position, 0.0, 0.0, "")._replace(cut_off=True)
    return None


def _ancestors(roots: list[Any]) -> set[Any]:
    seen = set(roots)
    pending = list(seen)
    while pending:
        for parent in pending.pop().inputs:
            if parent is not None and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return seen


def _check_rule(record: Record, position: int, rng: np.random.Generator) -> Guilty | None:
    """Compare one operand's rule with differences, in float64, of that operation alone."""
    value = record.values[position]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return None
    parts = record.out if isinstance(record.out, tuple) else (record.out,)
    epsilon = max(float(np.finfo(x.dtype).eps) for x in (value, *parts) if x.dtype.kind in "fc")
    weights = [draw(part, rng) for part in parts]
    try:
        gradient = rule_alone(record, position, weights)
    except Exception as error:  # noqa: BLE001 - whatever a user's rule raises is its fault
        return guilty_of(record, position, float("nan"), 0.0, f" (it raised {error!r})")
    read = record.primitive.branches
    values = [cast_up(x) for x in record.values]
    start = values[position]
    direction = rng.uniform(0.5, 1.5, value.shape) * rng.choice([-1.0, 1.0], value.shape)
    typical = float(np.sqrt(np.square(start).mean())) or 1.0
    direction = direction * np.maximum(abs(start), typical)

    def evaluate(moved: Any) -> tuple[Any, Any]:
        operands = [*values[:position], np.asarray(moved), *values[position + 1 :]]
        with np.errstate(all="ignore"):
            out = record.primitive.kernel(NUMPY)(*operands, **record.options)
        return out, None if read is None else np.asarray(read(out, *operands, **record.options))

    out, before = evaluate(start)

    def at(t: float) -> Sample:
        moved, now = evaluate(start + t * direction)
        same = before is None or np.array_equal(before, now)
        return _weigh(moved, weights, frozenset() if same else frozenset({0}))

    center = _weigh(out, weights, frozenset())
    results = out if isinstance(out, tuple) else (out,)
    kinds = [part.dtype for part in map(np.asarray, results) if part.dtype.kind in "fc"]
    exact = max([float(np.finfo(dtype).eps) for dtype in kinds])  # a cast rounds to its dtype
    step = default_step(exact)
    rtol = max(1e-7, 200 * epsilon)

    def compare() -> tuple[Guilty | None, bool]:
        """Compare along the direction; tell also whether a kink left it open."""
        differences = Differences(at, center, exact * center.scale, step)
        computed = np.array([float((gradient * direction).sum())])
        size = np.array([float(np.sqrt(np.square(gradient * direction).sum()))])

        def wrong(estimate: Estimate) -> bool:
            value, error = estimate.value, estimate.error
            verdict = judge(computed, value, error, rtol=rtol, atol=0.0, size=size)[1]
            return bool(verdict[0] == WRONG)

        first = differences.richardson()
        if first.finite and not first.crossed and not wrong(first):
            return None, False
        estimate = differences.best()
        if estimate is None:
            return None, bool(first.crossed)
        if not wrong(estimate):
            return None, False
        if (differences.bend(-4) > 0.75).any():
            return None, True
        accused = guilty_of(record, position, float(computed[0]), float(estimate.value[0]), "")
        return accused, False

    guilty, bent = compare()
    if bent and before is not None and before.shape == start.shape:
        # The entries that are not at the kink must be right without those that are.
        steady = np.ones(start.shape, bool)
        for side in (-step, step):
            steady &= evaluate(start + side / 16 * direction)[1] == before
        direction = direction * steady
        guilty, _ = compare()
    return guilty


def cast_up(x: Any) -> Any:
    """Return an operand in double precision, if it is a floating array."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fc":
        return x
    return x.astype(np.float64 if x.dtype.kind == "f" else np.complex128)


def guilty_of(record: Record, position: int, computed: float, expected: float, more: str) -> Guilty:
    """Accuse an operation's rule for the operand at a position."""
    primitive = record.primitive
    name = primitive.arrays[0 if primitive.variadic else position]
    if primitive.variadic:
        name = f"{name}[{position}]"
    return Guilty(primitive.name, name, record.origin + more, computed, expected)


def draw(part: Array, rng: np.random.Generator) -> Array:
    """Draw upstream gradients of an array's shape and dtype."""

    def real() -> Any:
        return rng.uniform(0.5, 1.5, part.shape) * rng.choice([-1.0, 1.0], part.shape)

    if part.dtype.kind == "c":
        return np.asarray(real() + 1j * real(), part.dtype)
    return np.asarray(real(), part.dtype if part.dtype.kind == "f" else np.float64)


def _weigh(out: Any, weights: list[Array], crossed: frozenset[int]) -> Sample:
    value = scale = 0.0
    for part, weight in zip(out if isinstance(out, tuple) else (out,), weights, strict=True):
        if np.asarray(part).dtype.kind in "fc":
            terms = np.real(np.conj(weight) * part)
            value += float(terms.sum())
            scale += float(abs(terms).sum())
    return Sample(np.array([value]), np.array([scale]), crossed)


def rule_alone(record: Record, position: int, weights: list[Array]) -> Array:
    """Run an operation's rule as the backward pass would, on a graph of that node only."""
    node = record.node
    plan = node.plan
    leaves: list[Leaf | None] = [None] * len(node.inputs)
    for i, _ in plan.steps:
        leaves[i] = Leaf(record.values[i].shape, record.values[i].dtype)
    alone = Node()
    alone.number = clock()
    alone.plan = plan
    alone.inputs = tuple(leaves)
    alone.saved = node.saved
    alone.shape, alone.dtype = node.shape, node.dtype
    alone.scope, alone.notes = node.scope, None
    g: Any = weights[0]
    if isinstance(record.out, tuple):
        specs = tuple((part.shape, part.dtype) for part in record.out)
        floating = {i: w for i, w in enumerate(weights) if record.out[i].dtype.kind in "fc"}
        g = Cotangents(floating, specs, node.dtype)
    leaf: Any = leaves[position]
    found = propagate({alone: g}, [leaf])
    return np.array(found[leaf], np.float64)


def first_random(function: Function, tries: int = 1) -> str | None:
    """Evaluate again at the same point; say what differs, and where it began."""
    unit = 1000 * function.trace.epsilon * function.center.scale
    for _ in range(tries):
        again = function.sample(function.point)
        change = abs(again.values - function.center.values)
        if not (change <= unit).all() or again.crossed:
            break
    else:
        return None
    runs: list[list[tuple[str, float, str]]] = []
    for _ in range(4):
        recorder = _Recorder()
        function.run(function.point, recorder)
        runs.append([(r.primitive.name, _sum(r.out), r.origin) for r in recorder.records])
    message = (
        "f is not deterministic: two evaluations at the same point differ by "
        f"{float(change.max()):.3g}. Is it dropout? Other randomness?"
    )
    differing = [
        step
        for other in runs[1:]
        for step in zip(runs[0], other, strict=False)
        if step[0] != step[1]
    ]
    if differing:
        operation, _, origin = differing[0][0]
        message += f" The first operation that differs is {operation} at {origin}."
    return f"{message} Call model.eval(), or seed a generator inside f."


def _sum(out: Any) -> float:
    parts = out if isinstance(out, tuple) else (out,)
    return float(sum(np.abs(part).sum(dtype=np.float64) for part in parts))
