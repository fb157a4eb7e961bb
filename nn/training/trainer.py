"""The training loop: epochs of steps, validation, schedules, checkpoints."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import check_size
from nn.module import Module
from nn.optim.optimizer import Optimizer
from nn.training.batches import examples, is_batches
from nn.training.history import History
from nn.training.metrics import Means
from nn.training.progress import Progress
from nn.training.randomness import random_state, set_random_state
from nn.training.step import Stepping

__all__ = ["Trainer"]


class Trainer(Stepping):
    """Fits a model to data.

    A batch is a tuple whose last entry is the target: ``(x, y)`` gives
    ``loss(model(x), y)``, ``((x, lengths), y)`` and ``(x, lengths, y)`` give
    ``loss(model(x, lengths), y)``. For anything else derive a class and define
    :meth:`compute`.

    Parameters
    ----------
    model : Module
    loss : callable
        Of the model's output and the target; gives a scalar, the mean over the examples
        unless its ``reduction`` is "sum".
    optimizer : Optimizer
    metrics : dict or sequence of callable, optional
        Functions of output and target, like :func:`accuracy`, by name; each gives a number. An
        epoch's is the mean over its batches, weighted by their size.
    scheduler : optional
        A learning-rate schedule: anything with ``step()``, and for checkpoints with
        ``state_dict()`` and ``load_state_dict(state)``. One whose ``step`` takes a value,
        like ``ReduceLROnPlateau``, gets the epoch's ``monitor``.
    schedule_every : {"epoch", "step"}
        When the schedule moves on.
    monitor : str
        The column of the history that such a schedule follows.
    accumulate : int
        How many batches make one step. Their gradients are weighted by size, so that the step
        is that of one big batch (for losses that are means over examples).
    clip_norm, clip_value : float, optional
        Bounds on the gradients' norm, and on each of their entries.
    callbacks : sequence
        See :class:`Callback`.
    checkpoint : path, optional
        Where to save everything after each epoch, and when the fit is interrupted.
    checkpoint_every : int, optional
        Save after so many steps, too.
    progress : bool, optional
        Whether to show a bar (tqdm); at first where standard error is a terminal.

    Attributes
    ----------
    epoch, step : int
        The epochs and the steps that are done.
    history : History
    resumed : bool
        Whether the fit goes on with one that was interrupted.

    Raises
    ------
    OptionError, DomainError
        If an option makes no sense.

    Notes
    -----
    A fit that was interrupted (Ctrl-C, an error, a killed process) goes on where it stood:
    in the same process with the next ``fit``, in another with ``fit(..., resume=True)``, which
    loads the checkpoint. A step is done completely or not at all: an interrupt waits for the
    end of an update, and one during the computation of gradients takes its random numbers
    and buffers back. What raises behind the update, a schedule or a callback, leaves a complete
    step, which is not repeated. (An optimiser of your own that raises in the middle of its
    ``step`` has to put back itself what it changed.) Weights, optimiser, schedule, random
    generators, the position in the data, history and callbacks are all restored, so the final
    weights are, byte for byte, those of a run that was never interrupted, on the same machine
    with the same number of threads. That needs data whose order depends on epoch and seed
    (:class:`DataLoader`), or on the shared random generators.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> ad.random.seed(0)
    >>> x = ad.random.normal(size=(64, 2))
    >>> data = nn.DataLoader(nn.TensorDataset(x, x @ ad.tensor([[1.0], [-2.0]])), 16, True)
    >>> model = nn.Linear(2, 1)
    >>> trainer = nn.Trainer(model, nn.MSELoss(), nn.SGD(model.parameters(), lr=0.2))
    >>> history = trainer.fit(data, epochs=20)
    >>> history["loss"][-1] < 1e-6
    True
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        *,
        metrics: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = (),
        scheduler: Any = None,
        schedule_every: str = "epoch",
        monitor: str = "val_loss",
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        callbacks: Iterable[Any] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        progress: bool | None = None,
    ) -> None:
        updates = all(hasattr(optimizer, name) for name in ("step", "zero_grad", "param_groups"))
        if not isinstance(model, Module) or not callable(loss) or not updates:
            kinds = ", ".join(type(part).__name__ for part in (model, loss, optimizer))
            raise ad.OptionError(
                f"Trainer: got {kinds}. Give a module, a loss function and an optimiser, in order "
                "(which has step, zero_grad and param_groups)."
            )
        _check_of_one(model, optimizer)
        super().__init__(
            loss,
            metrics,
            schedule_every,
            accumulate,
            clip_norm,
            clip_value,
            model,
            optimizer,
            scheduler,
            callbacks,
            checkpoint,
        )
        self.monitor = monitor
        self._follows = scheduler is not None and _takes_value(scheduler.step)
        if self._follows and schedule_every == "step":
            message = f"Trainer: {type(scheduler).__name__} follows {monitor!r}, an epoch's number"
            raise ad.OptionError(f"{message}. Give schedule_every='epoch'.")
        if checkpoint_every is not None:
            check_size("Trainer", "checkpoint_every", checkpoint_every, 1)
            if checkpoint is None:
                message = "Trainer: checkpoint_every without a checkpoint"
                raise ad.OptionError(f"{message}. Give checkpoint='run.safetensors', say.")
        self.checkpoint_every = checkpoint_every
        self.progress = progress

    @typed
    def fit(
        self,
        data: Iterable[Any],
        epochs: int,
        *,
        validation: Iterable[Any] | None = None,
        resume: bool = False,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        data : iterable of batches
            A :class:`DataLoader`, a list of batches, anything that can be gone through anew
            for every epoch.
        epochs : int
            How many. Those of a fit that is resumed count among them.
        validation : iterable of batches, optional
            Evaluated after every epoch.
        resume : bool
            Whether to load the checkpoint first, if there is one, and go on with the fit that
            wrote it: one that was at its end does the epochs that it is short of, one that was
            stopped early does none. Another ``fit``, without ``resume``, then trains on.

        Returns
        -------
        History

        Raises
        ------
        DivergenceError
            If a loss or gradient is NaN or infinite. The model is as before that step.
        OptionError
            If the data give no batches, or one without examples, or can't be gone through again.
        """
        check_size("fit", "epochs", epochs)
        is_batches("data", data)
        if validation is not None:
            is_batches("validation", validation)
        if self._follows and self.monitor.startswith("val_") and validation is None:
            message = f"fit: {type(self.scheduler).__name__} follows {self.monitor!r}"
            raise ad.OptionError(f"{message}. Give validation=, or the trainer monitor='loss'.")
        if resume:
            if self.checkpoint is None:
                message = "fit: resume=True, but the trainer has no checkpoint"
                raise ad.OptionError(f"{message}. Give Trainer(checkpoint='run.safetensors').")
            if self.checkpoint.exists():
                self.load(self.checkpoint)
        self.resumed = self._first is not None
        if self._first is None:
            self._first, self._stopped = self.epoch, False
        if not self.model.training:
            self.model.train()
        progress = Progress(self.progress)
        last = self._first + epochs
        with self._interrupts:
            try:
                self._call("on_fit_start")
                progress.start(*self._steps(data, last))
                while self.epoch < last and not self._stopped:
                    self._run_epoch(data, validation, progress)
            except KeyboardInterrupt:
                if self.checkpoint is not None:
                    with self._interrupts.held():
                        self.save(self.checkpoint)
                raise
            finally:
                progress.close()
        with self._interrupts, self._interrupts.held():
            self._call("on_fit_end")
            self._first = None
        return self.history

    @typed
    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """Return the means of loss and metrics over the data, in evaluation mode.

        Nothing of the model changes, its training mode neither.

        Raises
        ------
        OptionError
            If the data give no batches, or one without examples.
        """
        is_batches("data", data)
        means = Means()
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with ad.no_grad():
                for i, batch in enumerate(data, 1):
                    size = examples(batch, f"evaluate: batch {i}")
                    loss, outputs, targets = self._computed(batch)
                    means.add("loss", loss.item() / (size if self._sums else 1), size)
                    self._measure(means, outputs, targets, size)
        finally:
            for module, mode in modes:
                module.training = mode
        found = means.values()
        if not found:
            raise ad.OptionError("evaluate: the data gave no batches. Give at least one.")
        return found

    def _steps(self, data: Any, last: int) -> tuple[int | None, int]:
        """Return the number of steps until an epoch's beginning, and how many are done."""
        if not hasattr(data, "__len__"):
            return None, 0
        each = math.ceil(len(data) / self.accumulate)
        first = self._first or 0
        done = (self.epoch - first) * each + math.ceil(self._batch / self.accumulate)
        return (last - first) * each, done

    def _run_epoch(self, data: Any, validation: Any, progress: Progress) -> None:
        started = time.perf_counter() - self._seconds
        batches = self._batches(data)
        if not self._batch:
            self._call("on_epoch_start")
        while self._step(data, batches):
            self._seconds = time.perf_counter() - started
            progress.on_step_end(self)
            if self.checkpoint_every and self.step % self.checkpoint_every == 0:
                self.save(self.checkpoint)
        if not self._batch:
            message = f"fit: the data gave no batches in epoch {self.epoch + 1}"
            raise ad.OptionError(
                f"{message}. Give at least one; a generator can be gone through only once, "
                "a list or a DataLoader again and again."
            )
        found = {} if validation is None else self._validated(validation)
        with self._interrupts.held():
            row = {"epoch": self.epoch + 1, "step": self.step, "lr": self._rate()}
            row |= self._means.values() | found | {"seconds": time.perf_counter() - started}
            self._schedule(row)
            self.history.rows.append(row)
            self.epoch += 1
            self._batch, self._means, self._seconds = 0, Means(), 0.0
            self._position = self._epoch_random = None
            self._call("on_epoch_end")
        progress.on_epoch_end(self)
        if self.checkpoint is not None:
            self.save(self.checkpoint)

    def _schedule(self, row: Mapping[str, Any]) -> None:
        if self.scheduler is None or self.schedule_every != "epoch":
            return
        if not self._follows:
            self.scheduler.step()
        elif self.monitor in row:
            self.scheduler.step(row[self.monitor])
        else:
            message = f"Trainer: the history has no {self.monitor!r} for the schedule"
            raise ad.OptionError(f"{message}. Give monitor= one of {', '.join(row)}.")

    def _batches(self, data: Any) -> Iterator[Any]:
        """Begin the epoch, or take it up where it was left."""
        if self._position is not None and hasattr(data, "load_state_dict"):
            data.load_state_dict(self._position)
            return iter(data)
        if hasattr(data, "set_epoch"):
            data.set_epoch(self.epoch)
        if not self._batch:
            self._epoch_random = random_state(self.model)
            return iter(data)
        # Go through what has been, with the random numbers that it had.
        now = random_state(self.model)
        try:
            if self._epoch_random is not None:
                set_random_state(self.model, self._epoch_random)
            batches: Iterator[Any] = iter(data)
            for _ in itertools.islice(batches, self._batch):
                pass
        finally:
            set_random_state(self.model, now)
        return batches

    def _validated(self, validation: Any) -> dict[str, float]:
        if hasattr(validation, "set_epoch"):
            validation.set_epoch(self.epoch)
        return {f"val_{name}": value for name, value in self.evaluate(validation).items()}


def _check_of_one(model: Module, optimizer: Any) -> None:
    """Raise OptionError if the optimiser updates nothing of the model."""
    own = {id(parameter) for parameter in model.parameters()}
    updated = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    if updated and own.isdisjoint(updated):
        message = f"Trainer: the {type(optimizer).__name__} updates no parameter of the"
        message = f"{message} {type(model).__name__}"
        raise ad.OptionError(f"{message}. Make it of model.parameters() of this very model.")


def _takes_value(step: Callable[..., Any]) -> bool:
    """Whether a schedule's step needs a value."""
    parameters = list(inspect.signature(step).parameters.values())
    return (
        bool(parameters)
        and parameters[0].default is inspect.Parameter.empty
        and (
            parameters[0].kind
            in (parameters[0].POSITIONAL_ONLY, parameters[0].POSITIONAL_OR_KEYWORD)
        )
    )
