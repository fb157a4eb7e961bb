"""Error against step size, for every estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.checking.check import Checker, Settings
from autodiff.checking.differences import Differences, Line, complex_step
from autodiff.checking.function import Function
from autodiff.checking.state import kept
from autodiff.checking.variables import Arguments, lent
from autodiff.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from autodiff.checking.report import Entry, GradientReport

__all__ = ["Sweep", "plot_report", "sweep"]

_FINEST = 44
"""The steps are the entry's scale times 2 ** -1 to 2 ** -44."""


class Sweep(NamedTuple):
    """Relative errors of every estimator at many steps, against the computed gradient."""

    steps: np.ndarray[Any, Any]
    errors: dict[str, np.ndarray[Any, Any]]
    first: float  # the step that a check tries first


def sweep(
    f: Callable[..., Any],
    arguments: Arguments,
    settings: Settings,
    given: list[Any],
    entry: Entry,
) -> Sweep:
    """Evaluate the estimators for one entry at steps from half its scale to nothing."""
    with (
        kept(f, arguments.positional, arguments.named, arguments.module),
        lent(arguments),
        np.errstate(all="ignore"),
    ):
        generator = np.random.default_rng(settings.seed)
        function = Function(f, arguments, settings.probes, generator, given)
        checker = Checker(function, given, settings)
        k = [variable.name for variable in function.variables].index(entry.name)
        scale = checker.scales[k].reshape(-1)
        if entry.index is None:
            support = np.arange(len(scale))
            direction = generator.choice([-1.0, 1.0], len(scale)) * scale
        else:
            flat = np.ravel_multi_index(entry.index, given[k].shape) if entry.index else 0
            support = np.array([int(flat)])
            direction = scale[support]
        line = Line(function, k, direction, support, 2.0**-_FINEST)
        differences = Differences(line.at, function.center, checker.noise, 1.0)
        computed = line.along(checker.double[k][0])
        size = abs(computed) or 1.0
        unit = float(direction[0]) if entry.index is not None else 1.0
        powers = range(-1, -_FINEST - 1, -1)
        estimates: dict[str, list[float]] = {"forward": [], "central": [], "Richardson": []}
        for j in powers:
            above = differences.pair(j)[0].values[0] - function.center.values[0]
            estimates["forward"].append(above / 2.0**j)
            estimates["central"].append(differences.central(j)[0])
            estimates["Richardson"].append(differences.richardson(j).value[0])
        analytic = all(step.primitive.analytic for step in function.trace.steps)
        if analytic and entry.order == 1:  # a gradient has no complex step of its own
            estimates["complex step"] = [complex_step(line).value[0]] * len(powers)
        steps = np.array([2.0**j * abs(unit) for j in powers])
        errors = {
            name: abs(np.array(values) - computed) / size for name, values in estimates.items()
        }
        return Sweep(steps, errors, checker.h * abs(unit))


# Blue, vermilion, green and purple that stay apart for colour-blind readers (Okabe & Ito).
_COLOURS = {
    "forward": "#0072b2",
    "central": "#d55e00",
    "Richardson": "#009e73",
    "complex step": "#cc79a7",
}
_ORDERS = {"forward": 1, "central": 2, "Richardson": 4}
_FLOOR = 1e-17  # where an error of exactly zero is drawn


def plot_report(report: GradientReport, entry: Entry | None, ax: Any) -> Any:
    """Draw a sweep; see :meth:`GradientReport.plot`."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415 - optional
    except ImportError as error:
        feature, package = "GradientReport.plot", "matplotlib"
        raise MissingExtraError(feature, package, "plot") from error
    if entry is None:
        entry = next(iter(report.worst(1)), None)
    if entry is None or report.sweep is None:
        message = "this report compared nothing that could be drawn"
        raise OptionError(f"{message}. Give an entry of report.entries.")
    found = report.sweep(entry)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for name, errors in found.errors.items():
        shown = np.where(np.isfinite(errors), np.maximum(errors, _FLOOR), np.nan)
        style = {"linestyle": "--"} if name == "complex step" else {"marker": "o", "markersize": 3}
        ax.plot(found.steps, shown, color=_COLOURS[name], linewidth=1.5, label=name, **style)
        if name in _ORDERS:
            _guide(ax, found.steps, shown, _ORDERS[name])
    step = entry.step or found.first
    if step:
        ax.axvline(step, color="0.35", linestyle=":", linewidth=1.2)
        ax.annotate(
            "step used", (step, 1.0), xycoords=("data", "axes fraction"),
            xytext=(4, -12), textcoords="offset points", fontsize=8, color="0.35",
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(bottom=_FLOOR / 3)
    ax.set_xlabel("step h")
    ax.set_ylabel("|difference - computed| / |computed|")
    what = ", second derivative" if entry.order == 2 else ""
    ax.set_title(f"{entry.place}{what}: {entry.verdict}", fontsize=11)
    ax.grid(visible=True, which="major", color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax


def _guide(ax: Any, steps: Any, errors: Any, order: int) -> None:
    """Draw a short line of the estimator's slope beside its curve, and label it."""
    right = np.flatnonzero(np.isfinite(errors) & (errors > 1e-12))
    if len(right) < 4:
        return
    # The part that falls with h: from the coarse end to where it first rises again. Where
    # the gradient is wrong it hardly falls, and the line shows how it should.
    start = right[0]
    falling = start
    while falling + 1 < len(errors) and errors[falling + 1] < errors[falling]:
        falling += 1
    falls = falling - start >= 2 and errors[falling] <= 1e-2 * errors[start]
    middle = (start + falling) // 2 if falls else start + 2
    if falls:
        x = np.array([steps[middle] * 2, steps[middle] / 2])
        y = 4 * errors[middle] * (x / steps[middle]) ** order
    else:  # a fan below the level, each labelled at its own lower end
        x = steps[start] * np.array([0.5, 0.5 / 8])
        y = 0.1 * errors[middle] * (x / x[0]) ** order
    tip, offset = (0, (-2, 3)) if falls else (1, (-3, -8))
    ax.plot(x, y, color="0.5", linewidth=1)
    ax.annotate(
        f"slope {order}", (x[tip], y[tip]), xytext=offset, textcoords="offset points",
        fontsize=8, color="0.35", ha="right",
    )  # fmt: skip
