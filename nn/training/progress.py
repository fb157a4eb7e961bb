"""The progress bar of a training."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import autodiff as ad
from nn.training.history import format_number

if TYPE_CHECKING:
    from nn.training.trainer import Trainer

__all__ = ["Progress"]


class Progress:
    """A bar over all steps, with the running numbers; a line above it for each epoch.

    Parameters
    ----------
    wanted : bool or None
        None shows it where standard error is a terminal and tqdm is installed.
    """

    def __init__(self, wanted: bool | None) -> None:
        self._tqdm: Any = None
        self._bar: Any = None
        if wanted or (wanted is None and sys.stderr is not None and sys.stderr.isatty()):
            try:
                self._tqdm = import_module("tqdm").tqdm
            except ImportError as error:
                if wanted:
                    raise ad.MissingExtraError("the progress bar", "tqdm", "nn") from error

    def start(self, steps: int | None, done: int) -> None:
        """Show the bar; ``steps`` is None where the number of batches is unknown."""
        if self._tqdm is not None:
            self._bar = self._tqdm(
                total=steps, initial=done, unit="step", desc="training", dynamic_ncols=True
            )

    def on_step_end(self, trainer: Trainer) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {trainer.epoch + 1}", refresh=False)
            self._bar.set_postfix_str(_line(trainer.running()), refresh=False)
            self._bar.update()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch's line."""
        if self._bar is not None:
            row = trainer.history[-1]
            shown = {name: row[name] for name in row if name not in ("epoch", "step", "seconds")}
            line = f"epoch {row['epoch']}: {_line(shown)} ({row['seconds']:.1f} s)"
            self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _line(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {format_number(value)}" for name, value in values.items())
