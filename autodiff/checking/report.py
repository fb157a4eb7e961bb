"""What a check found: rows for the inputs, entries, kinks, and the guilty operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autodiff.checking.table import as_html, as_text

__all__ = ["LEAVING", "Entry", "GradientReport", "Guilty", "InputRow", "Kink"]

LEAVING = "float(), .item(), .tolist(), math.*, .detach(), .data, .numpy(), no_grad()"
"""What takes a value out of the graph, as a message lists it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One comparison: of one entry of a gradient, or of a projection of it.

    Attributes
    ----------
    name : str
        The input's name.
    index : tuple of int or None
        Where in the input; None for a random projection of all of its entries.
    computed, expected : float
        What the engine and what the differences say.
    error, tolerance : float
        ``|computed - expected|``, and how large it was allowed to be.
    verdict : str
        ``"ok"``, ``"WRONG"``, ``"unresolved"``, ``"kink"`` or ``"skipped"``.
    step : float
        The step of the difference, absolute.
    reason : str
        What else there is to say.
    order : int
        1 for an entry of the gradient, 2 for one of a second derivative.
    """

    name: str
    index: tuple[int, ...] | None
    computed: float
    expected: float
    error: float
    tolerance: float
    verdict: str
    step: float
    reason: str = ""
    order: int = 1

    @property
    def ratio(self) -> float:
        """The error in units of its tolerance: above one it is wrong."""
        if self.error != self.error:  # NaN
            return float("inf")
        if self.tolerance:
            return self.error / self.tolerance
        return float("inf") if self.error else 0.0

    @property
    def place(self) -> str:
        """The input's name and the index in it, ``w[0, 3]``."""
        return f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name

    def __str__(self) -> str:
        text = f"{self.place}: computed {self.computed:.8g}, differences {self.expected:.8g}"
        return f"{text} ({self.verdict}{', ' + self.reason if self.reason else ''})"


class Kink(NamedTuple):
    """An operation that branched differently on the two sides of the point."""

    operation: str
    origin: str
    entries: int
    example: str


class Guilty(NamedTuple):
    """The operation at which a gradient goes wrong.

    Attributes
    ----------
    operation, operand : str
    origin : str
        The user's line that called it.
    computed, expected : float
        The derivative along a random direction, by its rule and by differences of it alone.
    others : int
        How many more lines call an operation whose rule is wrong.
    cut_off : bool
        The rule is right, but the operand takes no part in the graph although it depends
        on the inputs.
    at_kink : bool
        The rule is wrong where the operation bends: what it chooses there is no subgradient.
    again : bool
        The rule is right, but differentiated once more it is wrong.
    """

    operation: str
    operand: str
    origin: str
    computed: float
    expected: float
    others: int = 0
    cut_off: bool = False
    at_kink: bool = False
    again: bool = False

    def __str__(self) -> str:
        if self.again:
            numbers = f"is wrong ({self.computed:.6g}, differences give {self.expected:.6g})"
            if math.isnan(self.computed):  # it raised
                numbers = "fails"
            return (
                f"the derivative rule of {self.operation} for its operand {self.operand!r} is "
                f"right, but its own derivative {numbers}: called at {self.origin}. A rule is "
                "differentiated if it uses operators, xp and other operations on what it reads: "
                "no .detach(), and nothing of NumPy itself."
            )
        if self.at_kink:
            return (
                f"the derivative rule of {self.operation} for its operand {self.operand!r} gives "
                f"{self.computed:.6g} at a kink, which is no subgradient (the nearest is "
                f"{self.expected:.6g}): called at {self.origin}"
            )
        if self.cut_off:
            return (
                f"no gradient flows through the operand {self.operand!r} of {self.operation}, "
                f"although it depends on the inputs: called at {self.origin}. "
                f"Look for {LEAVING} before it."
            )
        return (
            f"the derivative rule of {self.operation} for its operand {self.operand!r} is "
            f"wrong: called at {self.origin}"
        )


@dataclass(frozen=True)
class InputRow:
    """One input of the function, and its worst entry.

    Attributes
    ----------
    counts : dict
        How many comparisons (of entries; of projections in fast mode) had each verdict.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    checked: str
    worst: Entry | None
    verdict: str
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class GradientReport:
    """The result of :func:`autodiff.gradcheck`; true if the gradient is right.

    Attributes
    ----------
    ok : bool
        Nothing is wrong, and at least one comparison was made that says so: a check whose
        entries were all skipped at kinks or could not be resolved verified nothing, and fails.
        Where some could not be resolved the headline says how many, ``inputs[i].counts`` of
        which input. With ``order=2``, of both orders.
    inputs : tuple of InputRow
        One row for each input.
    entries : tuple of Entry
        The comparisons worth keeping: all that are not plainly right, and of each input the
        ten others with the largest errors. With ``order=2`` of both orders, as ``kinks``,
        ``guilty`` and ``notes`` are.
    kinks : tuple of Kink
        The operations with a kink at the point, with the user's line that called them.
    guilty : Guilty or None
        The operation whose own rule is wrong, where one was found.
    notes : tuple of str
        Whatever else was noticed.
    mode, order, estimator, evaluations
        How the check was made.
    first, second : GradientReport or None
        With ``order=2`` the reports of the gradient, and of the gradient's projection; no
        second one where the first failed.
    """

    ok: bool
    inputs: tuple[InputRow, ...]
    entries: tuple[Entry, ...]
    kinks: tuple[Kink, ...]
    guilty: Guilty | None
    notes: tuple[str, ...]
    mode: str
    order: int
    estimator: str
    evaluations: int
    first: GradientReport | None = None
    second: GradientReport | None = None
    sweep: Callable[..., Any] | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def unresolvable(self) -> tuple[Entry, ...]:
        """The entries whose true value is drowned in the differences' own error."""
        return tuple(entry for entry in self.entries if entry.verdict == "unresolved")

    @property
    def wrong(self) -> tuple[Entry, ...]:
        """The entries that failed."""
        return tuple(entry for entry in self.entries if entry.verdict == "WRONG")

    def worst(self, n: int = 5) -> list[Entry]:
        """Return the n entries with the largest errors in units of their tolerance.

        Of all inputs, passed or not; those that failed come first.
        """

        def gravity(entry: Entry) -> tuple[bool, float]:
            return entry.verdict == "WRONG", entry.ratio

        return sorted(self.entries, key=gravity, reverse=True)[:n]

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self)

    def plot(self, entry: Entry | None = None, *, ax: Any = None) -> Any:
        """Draw error against step size for the estimators, log-log, in Matplotlib.

        Where the computed gradient is right, the errors fall with the estimators' orders
        until rounding lifts them again; where it is wrong, they level off at its error.

        Parameters
        ----------
        entry : Entry, optional
            One of ``report.entries``; at first the worst.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingExtraError
            Without Matplotlib.
        """
        from autodiff.checking.plot import plot_report  # noqa: PLC0415 - Matplotlib is optional

        return plot_report(self, entry, ax)
