"""What may be done between the steps of a training."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autodiff as ad
from nn.calls import Checked
from nn.checks import check_known, check_size
from nn.files import write_whole
from nn.training.states import ARRAYS, COUNT, NUMBER, check_state, or_none

if TYPE_CHECKING:
    from nn.training.trainer import Trainer

__all__ = ["CSVLog", "Callback", "EarlyStopping"]


_STATE = {"best": NUMBER, "best_epoch": COUNT, "waited": COUNT, "weights": or_none(ARRAYS)}
"""What early stopping remembers."""


class Callback(Checked):
    """What may be done between the steps of a training: methods that the trainer calls.

    Deriving from this class is not needed: whichever of the methods an object has is called.
    One that remembers something defines ``state_dict()`` and ``load_state_dict(state)``, and
    is then part of the checkpoints.

    Examples
    --------
    >>> class Halve:
    ...     def on_epoch_end(self, trainer):
    ...         for group in trainer.optimizer.param_groups:
    ...             group["lr"] /= 2
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Before the first step; ``trainer.resumed`` tells whether a former fit goes on."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before an epoch's first step."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After every step of the optimiser."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """After an epoch; ``trainer.history[-1]`` has its numbers."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """After the last epoch; not where the fit was interrupted."""


class EarlyStopping(Callback):
    """Stop when a number no longer gets better, and go back to the best weights [1]_.

    Parameters
    ----------
    monitor : str
        A column of the history.
    patience : int
        After how many epochs in a row without an improvement to stop.
    min_delta : float
        What counts as one: more than this.
    mode : {"min", "max"}
        Whether less or more is better.
    restore_best : bool
        Whether the model gets the weights of its best epoch when the fit ends, early or not.

    Attributes
    ----------
    best : float
        The best value.
    best_epoch : int
        The epoch that had it.

    Raises
    ------
    OptionError
        If an option is unknown, or the history has no such column.

    References
    ----------
    .. [1] L. Prechelt, "Early stopping - but when?", 1998.

    Examples
    --------
    >>> import nn
    >>> stopping = nn.EarlyStopping("val_accuracy", patience=5, mode="max")
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        *,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = check_size("EarlyStopping", "patience", patience)
        self.mode = check_known("EarlyStopping", "mode", mode, ("min", "max"))
        if not min_delta >= 0:
            message = f"EarlyStopping: min_delta is {min_delta}"
            raise ad.DomainError(f"{message}. Give 0 or more.")
        self.min_delta = float(min_delta)
        self.restore_best = restore_best
        self._forget()

    def _forget(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch = 0
        self.waited = 0
        self._weights: dict[str, ad.Tensor] | None = None

    def on_fit_start(self, trainer: Trainer) -> None:
        """Forget a former fit, unless it goes on."""
        if not trainer.resumed:
            self._forget()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Look at the epoch's number; stop the trainer if it is time."""
        row = trainer.history[-1]
        if self.monitor not in row:
            message = f"EarlyStopping: the history has no {self.monitor!r}"
            hint = ", and give fit(validation=...)" if self.monitor.startswith("val_") else ""
            raise ad.OptionError(f"{message}. Monitor one of {', '.join(row)}{hint}.")
        value = float(row[self.monitor])
        gain = self.best - value if self.mode == "min" else value - self.best
        if gain > self.min_delta:
            self.best, self.best_epoch, self.waited = value, row["epoch"], 0
            if self.restore_best:
                state = trainer.model.state_dict()
                self._weights = {name: tensor.clone() for name, tensor in state.items()}
            return
        self.waited += 1
        if self.waited >= self.patience:
            trainer.stop()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self._weights is not None:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return what has been seen, the best weights among it."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave.

        Raises
        ------
        FileFormatError
            If it is no such state. Nothing was loaded then.
        """
        check_state("EarlyStopping", state_dict, _STATE)
        self.best = state_dict["best"]
        self.best_epoch = state_dict["best_epoch"]
        self.waited = state_dict["waited"]
        self._weights = state_dict["weights"]


class CSVLog(Callback):
    """Write the history to a file of comma-separated values after every epoch.

    The file is written anew and whole each time, so that it always agrees with the history,
    also after a run was killed and went on.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the file."""
        write_whole(self.path, trainer.history.csv().encode())
