"""``autodiff.gradcheck``: from the user's function and inputs to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from autodiff.checking.check import Checker, Settings
from autodiff.checking.choices import find_wrong_choice
from autodiff.checking.function import Function, gradient_projection
from autodiff.checking.kinks import CONTROL_FLOW
from autodiff.checking.locate import all_records_at, find_guilty, find_infinite, first_random
from autodiff.checking.modes import VariableCheck, fast, full
from autodiff.checking.plot import sweep
from autodiff.checking.progress import progress_bar
from autodiff.checking.report import Entry, GradientReport, Guilty, InputRow, Kink
from autodiff.checking.second import find_guilty_again
from autodiff.checking.state import kept
from autodiff.checking.variables import Arguments, arguments_of, lent
from autodiff.errors import GradientCheckError, OptionError, typed_calls

__all__ = ["CHOICES", "gradcheck"]

Array = np.ndarray[Any, Any]

__tracebackhide__ = True  # a failing test shows the user's line and the report, not this file

_HIDDEN = (
    "So small beside the others that an error of one per cent in them would not show in a "
    "projection: {}. mode='full' checks each."
)

_TOGETHER = (
    "Every operation's own choice at its kink is a subgradient of it, but together they give "
    "none of f's."
)

_INFINITE = (
    "The gradient is NaN: the derivative of {} for its operand {!r} is infinite here, called at "
    "{}, and infinity times zero is NaN. Keep its operand away from such values: by where before "
    "the operation, not after it."
)

_FULL_UP_TO = 2000
"""``mode="auto"`` checks every entry of functions with at most so many."""

CHOICES = {
    "mode": ("auto", "full", "fast"),
    "kinks": ("report", "fail", "skip"),
    "estimator": ("richardson", "central", "complex", "taylor"),
    "order": (1, 2),
}


@typed_calls
def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    mode: str = "auto",
    order: int = 1,
    h: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    probes: int = 3,
    kinks: str = "report",
    estimator: str = "richardson",
    raises: bool = True,
    seed: int = 0,
    progress: bool | None = None,
) -> GradientReport:
    """Compare the gradients that the engine computes with finite differences.

    The function is differenced in float64 whatever the inputs' dtype; their arrays, and those
    of float32 leaves (weights) that the function captured where they would make it coarser, are
    cast up for it. All that the user holds is as it was afterwards: the inputs, also on an
    exception, and the buffers, tensors and numbers of modules that f closes over, reads as
    globals or is bound to, and the random states (``autodiff.checking.state`` says which).

    An entry is right if computed ``a`` and differenced ``R`` satisfy
    ``|a - R| <= 3 E + S + rtol max(|a|, |R|) + atol``. Both measured terms are the entry's own:
    the difference's error ``E = |D(h/2) - D(h)| / 3 + 4 noise / h``, with ``noise`` how far a
    value of f is off by rounding (at least ``eps`` times the sum of the absolute terms), and
    ``S``, how far rounding puts the computed gradient off: ten times what it changes by if the
    point and all upstream gradients do in their last digits. In a projection the maximum is of
    the root of the sum of squares of the entries' parts, as those may cancel. Agreement within
    a tolerance of which ``3 E + S`` alone is more than a hundredth of the numbers says nothing:
    such an entry is *unresolved*, neither right nor wrong.

    Parameters
    ----------
    f : callable
        Of tensors, to a tensor or to a tuple, list or dict of tensors of any shape. It must
        give the same for the same inputs.
    inputs : tensor, array, sequence, dict, module or pairs of names and tensors
        Where to check. A sequence holds f's arguments. With a module or with
        ``model.named_parameters()`` f is called without arguments if it needs none. Tensors
        are varied in place, as f may have closed over them, and restored.
    mode : {"auto", "full", "fast"}
        Compare every entry; or random projections of each input's gradient, and where these
        differ look for the wrong entries by bisection; or choose by size (full up to 2,000
        entries).
    order : {1, 2}
        2 checks second derivatives too, as the gradient of a projection of the gradient.
    h : float, optional
        The step relative to an entry's scale (its size, or the root mean square of its
        input where that is larger). At first chosen for each entry.
    rtol, atol : float, optional
        Tolerances on top of what the differences and rounding are measured to be off by. At
        first 1e-10 and 0, and a hundred roundings between a float32 gradient and float64.
    probes : int
        Projections for each input in fast mode, and sets of output gradients.
    kinks : {"report", "fail", "skip"}
        At a kink: accept any subgradient (of each output, and of each operation that bends
        there) and report it; fail; or do not compare.
    estimator : {"richardson", "central", "complex", "taylor"}
        How derivatives are estimated; ``"complex"`` needs analytic operations alone, a user's
        declared with ``@primitive(analytic=True)``, and first derivatives;
        ``"taylor"`` tests that ``|f(x + hd) - f(x) - h <g, d>|`` falls with the square of h.
    raises : bool
        Raise where the check fails; else return the report.
    seed : int
        Of the random directions.
    progress : bool, optional
        Show a progress bar (tqdm's, where it is installed); at first in a terminal or a
        notebook, on full checks that take longer than a second.

    Returns
    -------
    GradientReport
        True if nothing is wrong and something was verified; printed, it is a table.

    Raises
    ------
    GradientCheckError
        If a gradient is wrong, f is not deterministic, or nothing was verified: no entry
        could be resolved, or all were skipped at kinks. Its message is the report.
    DTypeError
        If an input is complex or an integer.
    OptionError
        For unknown options, and for an f that is no function or returns no tensor.

    Examples
    --------
    >>> import autodiff as ad, numpy as np
    >>> report = ad.gradcheck(lambda x: ad.exp(x).sum(), np.array([0.0, 1.0]))
    >>> report.ok, report.mode
    (True, 'full')
    """
    if not callable(f):
        message = f"gradcheck: f is a {type(f).__name__}, not a function"
        raise OptionError(
            f"{message}. Give a function of tensors, which can be called at other points: "
            "gradcheck(lambda x: (x * x).sum(), x), or gradcheck(lambda: loss(model), model)."
        )
    options: dict[str, Any] = {"mode": mode, "kinks": kinks, "estimator": estimator, "order": order}
    for option, value in options.items():
        if value not in CHOICES[option]:
            known = ", ".join(map(repr, CHOICES[option]))
            raise OptionError(f"gradcheck: {option}={value!r} is none of {known}")
    if estimator == "complex" and order == 2:
        message = "gradcheck: estimator='complex' is of first derivatives only, and order=2"
        raise OptionError(f"{message}. Use estimator='richardson'.")
    _check_numbers(h=h, rtol=rtol, atol=atol, probes=probes, seed=seed)
    settings = Settings(h, rtol, atol, max(1, int(probes)), kinks, estimator, seed)
    arguments = arguments_of(f, inputs)._replace(captured=[])
    with (
        kept(f, arguments.positional, arguments.named, arguments.module),
        lent(arguments),
        np.errstate(all="ignore"),
    ):
        given = [np.array(variable.tensor.array) for variable in arguments.variables]
        report = _check(f, arguments, settings, mode, 1, progress, given)
        if order == 2 and report.ok:
            second = _second(f, arguments, settings, mode, progress, given)
            report = _with_second(report, second)
    if raises and not report.ok:
        raise GradientCheckError(report)
    return report


def _check_numbers(**given: Any) -> None:
    """Refuse steps that are none, and tolerances, counts and seeds below the least there is."""
    least = {"h": ("above 0", 0.0, True), "probes": ("at least 1", 1, False)}
    for name, value in given.items():
        words, bound, strict = least.get(name, ("at least 0", 0, False))
        if value is None and name in ("h", "rtol", "atol"):
            continue
        real = isinstance(value, int | np.integer) or (
            name in ("h", "rtol", "atol") and isinstance(value, float | np.floating)
        )
        if not real or not (value > bound or (value == bound and not strict)):
            kind = "a number" if name in ("h", "rtol", "atol") else "an integer"
            raise OptionError(f"gradcheck: {name}={value!r} is not {kind} {words}")


def _check(
    f: Callable[..., Any],
    arguments: Arguments,
    settings: Settings,
    mode: str,
    order: int,
    progress: bool | None,
    given: list[Array],
) -> GradientReport:
    generator = np.random.default_rng(settings.seed)
    function = Function(f, arguments, settings.probes, generator, given)
    total = sum(x.size for x in given)
    chosen = mode if mode != "auto" else "full" if total <= _FULL_UP_TO else "fast"
    drawn = partial(sweep, f, arguments, settings, given)
    build = partial(_report, function, given, chosen, order, settings, drawn)
    if not np.isfinite(function.center.values).all():
        note = "f is not finite at this point, so it has no derivative here."
        return build([], {}, notes=(note,))
    randomness = first_random(function)
    if randomness is not None:
        return build([], {}, notes=(randomness,))
    if settings.estimator == "complex":
        _refuse_unless_analytic(function)
    checker = Checker(function, given, settings)
    if checker.wavering:
        note = "f's backward pass is not deterministic: two passes at the same point differ by "
        randomness = first_random(function, tries=3) or f"{note}{checker.wavering:.3g}."
        return build([], {}, notes=(randomness,))
    checks = []
    with progress_bar(total, progress if chosen == "full" else False) as bar:
        for k, variable in enumerate(function.variables):
            if chosen == "full":
                checks.append(full(checker, k, partial(bar.over, name=variable.name)))
            else:
                checks.append(fast(checker, k))
    notes = list(checker.notes)
    guilty = None
    hidden = [
        f"{check.hidden:,} of {x.size:,} entries of {variable.name}"
        for variable, x, check in zip(function.variables, given, checks, strict=True)
        if check.hidden
    ]
    if hidden:
        notes.append(_HIDDEN.format(", ".join(hidden)))
    if not {check.verdict for check in checks} <= {"ok", "kink", "skipped"}:
        randomness = first_random(function, tries=3)
        if randomness is not None:
            return build([], {}, notes=(randomness,))
    checks, chosen_wrong = _judge_choices(checker, checks)
    if any(check.verdict == "WRONG" for check in checks):
        guilty, hint = find_guilty(function, given)
        wrong = [entry for check in checks for entry in check.entries if entry.verdict == "WRONG"]
        at_kinks = all("kink" in entry.reason for entry in wrong)
        if guilty is None and any(np.isnan(entry.computed) for entry in wrong):
            infinite = find_infinite(function)
            if infinite is not None:
                hint, at_kinks = _INFINITE.format(*infinite[:3]), False
        if guilty is None and chosen_wrong is None and at_kinks and settings.kinks != "fail":
            chosen_wrong = _wrong_choice(checker, every=True)
        if guilty is None and chosen_wrong is not None:
            guilty, hint = chosen_wrong[1], ""
        if hint and not at_kinks:
            notes.append(hint)
        elif hint and settings.kinks != "fail":
            notes.append(_TOGETHER)
        if not function.single:
            notes.append("The numbers are of f's outputs, weighed by random output gradients.")
        unreached = [
            variable.name
            for variable, check, reached in zip(
                function.variables, checks, checker.reached, strict=True
            )
            if check.verdict == "WRONG" and not reached
        ]
        if unreached:
            names = ", ".join(unreached)
            notes.append(f"No gradient at all reached {names}, although f depends on it.")
    return build(checks, checker.kinked, notes=tuple(notes), guilty=guilty)


def _judge_choices(
    checker: Checker, checks: list[VariableCheck]
) -> tuple[list[VariableCheck], tuple[int, Guilty] | None]:
    """Tell of every operation with a kink whether what it chooses is a subgradient.

    Where several bend at once, f's own slopes may be too far apart to tell.
    """
    if not checker.kinked or checker.settings.kinks == "skip":
        return checks, None
    found = _wrong_choice(checker)
    if found is None:
        return checks, None
    place, guilty = found
    names = set(checker.kinked.get(place, ()))
    reason = f"{guilty.operation} has no such subgradient"

    def judged(entry: Entry) -> Entry:
        if entry.verdict != "kink" or entry.place not in names:
            return entry
        return replace(entry, verdict="WRONG", reason=f"{entry.reason}; {reason}")

    return [check.revised(judged) for check in checks], found


def _wrong_choice(checker: Checker, *, every: bool = False) -> tuple[int, Guilty] | None:
    """Return where an operation chooses no subgradient, of those at whose kink the point lies."""
    records = list(enumerate(all_records_at(checker.function, checker.function.point)))
    places = [place for place in sorted(checker.kinked) if 0 <= place < len(records)]
    suspects = [records[place] for place in places] if places else records
    return find_wrong_choice(suspects, every=every)


def _refuse_unless_analytic(function: Function) -> None:
    for step in function.trace.steps:
        if not step.primitive.analytic:
            message = f"gradcheck: {step.primitive.name}, called at {step.origin}"
            declare = "" if step.primitive.ours else "; @ad.primitive(analytic=True) declares it"
            raise OptionError(
                f"{message}, is not known to be analytic{declare}, so there is no complex step. "
                "Use estimator='richardson'."
            )


def _report(
    function: Function,
    given: list[Array],
    mode: str,
    order: int,
    settings: Settings,
    drawn: Callable[..., Any],
    checks: list[VariableCheck],
    kinked: dict[int, list[str]],
    *,
    notes: tuple[str, ...],
    guilty: Any = None,
) -> GradientReport:
    shown = checks or [VariableCheck([], Counter(), "0")] * len(given)
    rows = tuple(
        InputRow(
            v.name, x.shape, str(x.dtype), check.checked, check.worst,
            check.verdict if checks else "unchecked", dict(check.counts),
        )
        for v, x, check in zip(function.variables, given, shown, strict=True)
    )  # fmt: skip
    verdicts = {verdict for check in checks for verdict in check.counts}
    return GradientReport(
        ok="WRONG" not in verdicts and bool(verdicts & {"ok", "kink"}),
        inputs=rows,
        entries=tuple(entry for check in checks for entry in check.entries),
        kinks=tuple(_kink(function, position, where) for position, where in kinked.items()),
        guilty=guilty,
        notes=notes,
        mode=mode,
        order=order,
        estimator=settings.estimator,
        evaluations=function.evaluations,
        sweep=drawn,
    )


def _kink(function: Function, position: int, where: list[str]) -> Kink:
    steps = function.trace.steps
    if position == CONTROL_FLOW:
        operation, origin = "f itself", "a branch of its Python code (other operations ran)"
    elif position >= len(steps):
        operation, origin = "an operation", "a place that declares no branches (the slopes tell)"
    else:
        operation, origin = steps[position].primitive.name, steps[position].origin
    names = list(dict.fromkeys(where))
    return Kink(operation, origin, len(names), names[0])


def _second(
    f: Callable[..., Any],
    arguments: Arguments,
    settings: Settings,
    mode: str,
    progress: bool | None,
    given: list[Array],
) -> GradientReport:
    generator = np.random.default_rng(settings.seed + 1)
    function = Function(f, arguments, settings.probes, generator, given)
    projected = gradient_projection(f, function, generator)
    try:
        report = _check(projected, arguments, settings, mode, 2, progress, given)
    except Exception as error:
        guilty = find_guilty_again(function)
        if guilty is None:
            raise
        drawn = partial(sweep, projected, arguments, settings, given)
        note = f"The gradient can't be differentiated ({type(error).__name__}): {error}"
        return _report(
            function, given, "full", 2, settings, drawn, [], {}, notes=(note,), guilty=guilty
        )
    if not report.wrong:
        return report
    guilty = find_guilty_again(function) or report.guilty
    return replace(report, guilty=guilty, notes=() if guilty is not None else report.notes)


def _with_second(first: GradientReport, second: GradientReport) -> GradientReport:
    """Join the reports of both orders: what one asks of the whole is of both."""
    entries = tuple(replace(entry, order=2) for entry in second.entries)
    second = replace(second, entries=entries)

    def drawn(entry: Entry) -> Any:
        report = second if entry.order == 2 else first
        return report.sweep(entry) if report.sweep is not None else None

    return replace(
        first,
        ok=first.ok and second.ok,
        entries=first.entries + entries,
        kinks=first.kinks + second.kinks,
        guilty=second.guilty,
        notes=first.notes + second.notes,
        order=2,
        evaluations=first.evaluations + second.evaluations,
        first=first,
        second=second,
        sweep=drawn,
    )
