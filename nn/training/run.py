"""All that changes while a trainer fits, as one state that a checkpoint holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import autodiff as ad
from nn.calls import Checked
from nn.module import Module
from nn.optim.optimizer import Optimizer
from nn.saving import FileFormatError, load, require_safetensors, save
from nn.training.callbacks import Callback
from nn.training.history import History
from nn.training.interrupts import Interrupts
from nn.training.metrics import Means
from nn.training.randomness import check_random_state, random_state, set_random_state
from nn.training.states import (
    ANY,
    COUNT,
    DICT,
    FOREIGN,
    MEANS,
    NUMBER,
    SWITCH,
    check_state,
    or_none,
    reason,
)

__all__ = ["Run"]

_MOMENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))

_FORMAT = "autodiff trainer 1"

_STATE = {
    "model": DICT,
    "optimizer": ANY,  # the parts look at their own states
    "scheduler": ANY,
    "random": DICT,
    "history": DICT,
    "callbacks": DICT,
    "position": DICT,
}

_POSITION = {
    "epoch": COUNT,
    "step": COUNT,
    "batch": COUNT,
    "first": or_none(COUNT),
    "stopped": SWITCH,
    "seconds": NUMBER,
    "means": MEANS,
    "data": ANY,
    "epoch_random": or_none(DICT),
}


class Run(Checked):
    """The state of a training: of its parts, and the position in the data."""

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        scheduler: Any,
        callbacks: Iterable[Any],
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        if not isinstance(callbacks, Iterable):
            message = f"Trainer: the callbacks are a {type(callbacks).__name__}"
            raise ad.OptionError(f"{message}. Give a list of them.")
        if scheduler is not None and not callable(getattr(scheduler, "step", None)):
            message = f"Trainer: the scheduler is a {type(scheduler).__name__}"
            raise ad.OptionError(f"{message}. Give one of nn.optim, or None.")
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not any(hasattr(callback, name) for name in _MOMENTS):
                message = f"Trainer: a callback is a {type(callback).__name__}"
                raise ad.OptionError(f"{message}. Give it one of {', '.join(_MOMENTS)}.")
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        if self.checkpoint is not None:  # found now, not after an epoch
            require_safetensors()
            self._check_parts()
            if self.checkpoint.is_dir():
                message = f"Trainer: the checkpoint {os.fspath(self.checkpoint)!r} is a folder"
                raise ad.OptionError(f"{message}. Give a file, as 'run.safetensors'.")
            if not self.checkpoint.parent.is_dir():
                message = f"Trainer: there is no folder {str(self.checkpoint.parent)!r}"
                raise ad.OptionError(f"{message} for the checkpoint. Make it first.")
        self.history = History()
        self.epoch = self.step = 0
        self.resumed = False
        self._stopped = False
        self._first: int | None = None  # the epoch that the fit under way began with
        self._batch = 0  # batches of this epoch that are behind us
        self._means = Means()
        self._seconds = 0.0
        self._position: Any = None  # of the data, as it says itself
        self._epoch_random: Any = None  # the random state at the beginning of the epoch
        self._interrupts = Interrupts()

    def _check_parts(self) -> None:
        """Raise OptionError unless every part can be saved and loaded."""
        remembering = [one for one in self.callbacks if hasattr(one, "state_dict")]
        for part in (self.optimizer, self.scheduler, *remembering):
            for name in ("state_dict", "load_state_dict"):
                if part is not None and not callable(getattr(part, name, None)):
                    message = f"Trainer: the {type(part).__name__} has no {name}"
                    raise ad.OptionError(
                        f"{message}, without which there is no checkpoint. Define it."
                    )

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fit needs to go on: what a checkpoint holds.

        Raises
        ------
        OptionError
            If a part of the trainer has no ``state_dict`` or no ``load_state_dict``.
        """
        self._check_parts()
        return {
            "format": _FORMAT,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": random_state(self.model),
            "history": self.history.state_dict(),
            "callbacks": {
                name: callback.state_dict()
                for name, callback in self._named_callbacks()
                if hasattr(callback, "state_dict")
            },
            "position": {
                "epoch": self.epoch,
                "step": self.step,
                "batch": self._batch,
                "first": self._first,
                "stopped": self._stopped,
                "seconds": self._seconds,
                "means": self._means.state_dict(),
                "data": self._position,
                "epoch_random": None if self._position is not None else self._epoch_random,
            },
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, of a trainer that was built alike.

        Raises
        ------
        AutodiffError
            If a part doesn't fit. Nothing was loaded then.
        """
        if not _is_of_trainer(state_dict):
            raise FileFormatError("Trainer: this is no trainer's state. Give one of a checkpoint.")
        check_state("Trainer", state_dict, _STATE)
        check_state("Trainer: position", state_dict["position"], _POSITION)
        check_random_state(self.model, state_dict["random"])
        if state_dict["position"]["epoch_random"] is not None:
            check_random_state(self.model, state_dict["position"]["epoch_random"])
        former = self.state_dict()
        former["model"] = {name: tensor.clone() for name, tensor in former["model"].items()}
        give_back = _way_back(self.optimizer, former["optimizer"])
        try:
            _load_part(self.optimizer, state_dict["optimizer"])
            self._take(state_dict)
        except BaseException:
            give_back()
            self._take(former)
            raise

    def _take(self, state: Mapping[str, Any]) -> None:
        _load_part(self.model, state["model"])
        if (self.scheduler is None) != (state["scheduler"] is None):
            has = "a" if self.scheduler is None else "no"
            message = f"Trainer: the saved run had {has} schedule, this one differs"
            raise ad.OptionError(f"{message}. Build the trainer as the saved one.")
        if self.scheduler is not None:
            _load_part(self.scheduler, state["scheduler"])
        _load_part(self.history, state["history"])
        for name, callback in self._named_callbacks():
            if name in state["callbacks"]:
                _load_part(callback, state["callbacks"][name])
        position = state["position"]
        self.epoch, self.step = position["epoch"], position["step"]
        self._batch, self._first = position["batch"], position["first"]
        self._stopped, self._seconds = position["stopped"], position["seconds"]
        self._means = Means(position["means"])
        self._position, self._epoch_random = position["data"], position["epoch_random"]
        set_random_state(self.model, state["random"])

    def _named_callbacks(self) -> Iterator[tuple[str, Any]]:
        counts: Counter[str] = Counter()
        for callback in self.callbacks:
            name = type(callback).__name__
            counts[name] += 1
            yield f"{name} {counts[name]}", callback

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write a checkpoint, whole or not at all; at first to the trainer's own path."""
        if path is None and self.checkpoint is None:
            raise ad.OptionError("Trainer.save: where to? Give a path.")
        to = self.checkpoint if path is None else path
        save(self.state_dict(), to)  # type: ignore[arg-type]

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read a checkpoint; the next fit goes on where it stood.

        Raises
        ------
        FileFormatError
            If the file is damaged, or no checkpoint.
        AutodiffError
            If it is one of a model or an optimiser that was built otherwise. Nothing was
            loaded then.
        """
        state = load(path)
        if not _is_of_trainer(state):
            message = f"Trainer.load: {os.fspath(path)!r} is no trainer's checkpoint"
            raise FileFormatError(
                f"{message}. For weights alone: model.load_state_dict(nn.load(path))."
            )
        self.load_state_dict(state)

    def stop(self) -> None:
        """End the fit after this epoch; for callbacks."""
        self._stopped = True

    def running(self) -> dict[str, float]:
        """Return the means of loss and metrics in the epoch so far."""
        return self._means.values()

    def _rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _call(self, method: str) -> None:
        for callback in self.callbacks:
            function = getattr(callback, method, None)
            if function is not None:
                function(self)


def _is_of_trainer(state: Any) -> bool:
    return isinstance(state, Mapping) and str(state.get("format")) == _FORMAT


def _way_back(optimizer: Any, former: Mapping[str, Any]) -> Callable[[], None]:
    """Return what gives an optimiser its state back, even one that it would not load."""
    known = getattr(optimizer, "state", {})
    groups = [dict(group) for group in optimizer.param_groups]

    def give_back() -> None:
        with suppress(ad.AutodiffError):
            optimizer.load_state_dict(former)
        if isinstance(optimizer, Optimizer):
            optimizer.state = known
        for group, options in zip(optimizer.param_groups, groups, strict=True):
            group.clear()  # loading adds entries, and takes none away
            group.update(options)

    return give_back


def _load_part(part: Any, state: Any) -> None:
    """Load the state of a part; name it where it just fails."""
    try:
        part.load_state_dict(state)
    except FOREIGN as error:
        if isinstance(error, ad.AutodiffError):
            raise
        message = f"Trainer: the saved state of the {type(part).__name__} makes no sense"
        raise FileFormatError(f"{message} ({reason(error)}). Take another copy.") from error
