"""What happened in a training, epoch by epoch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import autodiff as ad
from nn.calls import Checked
from nn.training.states import NUMBERS, ROWS, check_state

__all__ = ["OWN_COLUMNS", "History"]

_TRAIN, _VALIDATION = "#0072b2", "#d55e00"  # apart for colour-blind readers (Okabe & Ito)
_COUNTS = ("epoch", "step", "lr", "seconds")

OWN_COLUMNS = (*_COUNTS, "loss")
"""Names that no metric can have."""


class History(Checked):
    """What happened in a training: a row of numbers for every epoch.

    ``history["val_loss"]`` is a column, ``history[-1]`` a row, ``history.names`` the columns:
    "epoch", "step", "lr", "loss", the metrics, the same with ``"val_"`` before them, "seconds".

    Attributes
    ----------
    rows : list of dict
        One for each epoch.
    losses : list of float
        The training loss of every step.

    Examples
    --------
    >>> import nn
    >>> history = nn.History()
    >>> history.rows.append({"epoch": 1, "loss": 0.5})
    >>> history.rows.append({"epoch": 2, "loss": 0.25})
    >>> history["loss"]
    [0.5, 0.25]
    >>> history
    epoch    loss
        1  0.5000
        2  0.2500
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.losses: list[float] = []

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, key: str | int) -> Any:
        """Return a column by its name, or a row by its number."""
        if not isinstance(key, str):
            try:
                return self.rows[key]
            except (IndexError, TypeError) as error:
                message = f"History: there is no row {key!r} among {len(self.rows)}"
                raise ad.IndexingError(f"{message}. Give a number, or a column's name.") from error
        if key not in self.names:
            known = ", ".join(self.names) or "none yet"
            raise ad.OptionError(f"History: there is no {key!r}. Ask for one of: {known}.")
        return [row.get(key, math.nan) for row in self.rows]

    def csv(self) -> str:
        """Return the table as comma-separated values, every digit of the numbers there."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, self.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return stream.getvalue()

    def plot(self, axes: Any = None) -> Any:
        """Draw the loss and every metric against the epoch, training beside validation.

        Parameters
        ----------
        axes : sequence of matplotlib axes, optional
            One for the loss and one for each metric; at first those of a new figure.

        Returns
        -------
        list of matplotlib axes
            Their ``figure`` is ``axes[0].figure``.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        OptionError
            Before the first epoch is over, or with too few axes.
        """
        shown = [n for n in self.names if n not in _COUNTS and not n.startswith("val_")]
        if not shown:
            raise ad.OptionError("History.plot: there is no epoch yet. Train for at least one.")
        if axes is None:
            try:
                pyplot = import_module("matplotlib.pyplot")
            except ImportError as error:
                raise ad.MissingExtraError("History.plot", "matplotlib", "plot") from error
            size = (4.6 * len(shown), 3.6)
            _, grid = pyplot.subplots(
                1, len(shown), figsize=size, layout="constrained", squeeze=False
            )
            axes = grid[0]
        axes = list(axes)
        if len(axes) < len(shown):
            message = f"History.plot: {len(axes)} axes for {', '.join(shown)}"
            raise ad.OptionError(f"{message}. Give {len(shown)}.")
        for ax, name in zip(axes, shown, strict=False):
            self._draw(ax, name)
        return axes[: len(shown)]

    def _draw(self, ax: Any, name: str) -> None:
        epochs = self["epoch"]
        many = len(epochs) > 30
        style = {"linewidth": 1.6, "marker": "" if many else "o", "markersize": 3.5}
        ax.plot(epochs, self[name], color=_TRAIN, label="training", **style)
        if f"val_{name}" in self.names:
            column = self[f"val_{name}"]
            ax.plot(epochs, column, color=_VALIDATION, label="validation", **style)
            ax.legend(frameon=False, fontsize=9)
        ax.set_title(name, fontsize=11)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(visible=True, color="0.9", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)

    def __repr__(self) -> str:
        if not self.rows:
            return "History of no epoch"
        table = [self.names, *([_text(n, row.get(n)) for n in self.names] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in table
        ]
        if len(lines) > 41:
            lines[21:-20] = ["..."]
        return "\n".join(lines)

    def state_dict(self) -> dict[str, Any]:
        """Return rows and losses, to be saved."""
        losses = ad.asarray(self.losses, dtype=ad.float64)
        return {"rows": [dict(row) for row in self.rows], "losses": losses}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave.

        Raises
        ------
        FileFormatError
            If it is no such state. Nothing was loaded then.
        """
        check_state("History", state_dict, {"rows": ROWS, "losses": NUMBERS})
        self.rows[:] = [dict(row) for row in state_dict["rows"]]
        self.losses[:] = ad.asarray(state_dict["losses"]).tolist()


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "seconds":
        return f"{value:.1f}"
    return format_number(value) if isinstance(value, float) else str(value)


def format_number(value: float) -> str:
    """Write a number for a table: four decimals, or digits where that would show none."""
    return f"{value:.4f}" if value == 0 or 1e-2 <= abs(value) < 1e5 else f"{value:.3g}"
