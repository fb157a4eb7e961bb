"""The training loop: steps, validation, schedules, checkpoints, and what happens when it fails."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import autodiff as ad
from nn.checks import check_known, check_size
from nn.module import Module
from nn.optim.clipping import clip_grad_norm_, clip_grad_value_
from nn.optim.lbfgs import LBFGS
from nn.optim.optimizer import Optimizer
from nn.saving import FileFormatError, load, save
from nn.training.batches import examples, is_batches, nonfinite
from nn.training.history import History
from nn.training.interrupts import Interrupts
from nn.training.metrics import Means
from nn.training.progress import Progress
from nn.training.randomness import random_state, set_random_state

__all__ = ["DivergenceError", "Trainer"]

_FORMAT = "autodiff trainer 1"


class DivergenceError(ad.AnomalyError):
    """A loss or a gradient that is NaN or infinite; the model is as before that step.

    Attributes
    ----------
    step, epoch : int
        Which step of the training (from 1), in which epoch (from 1).
    """

    def __init__(self, message: str, step: int, epoch: int) -> None:
        super().__init__(message)
        self.step, self.epoch = step, epoch


class Trainer:
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
        Functions of output and target, like :func:`accuracy`, by name. An epoch's number is
        the mean over its batches, weighted by their size.
    scheduler : optional
        A learning-rate schedule: anything with ``step()``. One whose ``step`` takes a value,
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
    and buffers back. Weights, optimiser, schedule, random generators, the position in the
    data, history and callbacks are all restored, so the final weights are, byte for byte,
    those of a run that was never interrupted, on the same machine with the same number of
    threads. That needs data whose order depends on epoch and seed (:class:`DataLoader`), or
    on the shared random generators.

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
        if not isinstance(model, Module) or not callable(loss) or not hasattr(optimizer, "step"):
            kinds = ", ".join(type(part).__name__ for part in (model, loss, optimizer))
            raise ad.OptionError(
                f"Trainer: got {kinds}. Give a module, a loss function and an optimiser, in order."
            )
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.metrics = _by_name(metrics)
        self.scheduler = scheduler
        self.schedule_every = check_known(
            "Trainer", "schedule_every", schedule_every, ("epoch", "step")
        )
        self.monitor = monitor
        self._follows = scheduler is not None and _takes_value(scheduler.step)
        if self._follows and schedule_every == "step":
            message = f"Trainer: {type(scheduler).__name__} follows {monitor!r}, an epoch's number"
            raise ad.OptionError(f"{message}. Give schedule_every='epoch'.")
        self.accumulate = check_size("Trainer", "accumulate", accumulate, 1)
        for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if bound is not None and not bound > 0:
                raise ad.DomainError(f"Trainer: {name} is {bound}. Give a number above 0, or None.")
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.callbacks = list(callbacks)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        if checkpoint_every is not None:
            check_size("Trainer", "checkpoint_every", checkpoint_every, 1)
            if checkpoint is None:
                message = "Trainer: checkpoint_every without a checkpoint"
                raise ad.OptionError(f"{message}. Give checkpoint='run.safetensors', say.")
        self.checkpoint_every = checkpoint_every
        self.progress = progress
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
        self._validation_position: Any = None
        self._interrupts = Interrupts()

    # -- what a subclass may define ----------------------------------------------------------

    def compute(self, batch: Any) -> tuple[ad.Tensor, Any, Any]:
        """Return the loss of a batch, and the output and target for the metrics."""
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            message = f"Trainer: a batch is {ad.errors.describe(batch)}, not (inputs, targets)"
            raise ad.OptionError(
                f"{message}. Let the data give such tuples, or define compute(batch) in a "
                "class of your own that derives from Trainer."
            )
        *inputs, targets = batch
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            inputs = list(inputs[0])
        outputs = self.model(*inputs)
        return self.loss(outputs, targets), outputs, targets

    # -- fitting -----------------------------------------------------------------------------

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
            How many. Those of an interrupted fit count among them.
        validation : iterable of batches, optional
            Evaluated after every epoch.
        resume : bool
            Whether to load the checkpoint first, if there is one.

        Returns
        -------
        History

        Raises
        ------
        DivergenceError
            If a loss or gradient is NaN or infinite. The model is as before that step.
        OptionError
            If the data give no batches, or can't be gone through again.
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
                self._call("on_fit_end")
            except KeyboardInterrupt:
                if self.checkpoint is not None:
                    with self._interrupts.held():
                        self.save(self.checkpoint)
                raise
            finally:
                progress.close()
        self._first = None
        return self.history

    def stop(self) -> None:
        """End the fit after this epoch; for callbacks."""
        self._stopped = True

    def running(self) -> dict[str, float]:
        """Return the means of loss and metrics in the epoch so far."""
        return self._means.values()

    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """Return the means of loss and metrics over the data, in evaluation mode.

        Nothing of the model changes, its training mode neither.
        """
        is_batches("data", data)
        means = Means()
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with ad.no_grad():
                for batch in data:
                    loss, outputs, targets = self._computed(batch)
                    size = examples(batch)
                    means.add("loss", loss.item() / (size if self._sums else 1), size)
                    self._measure(means, outputs, targets, size)
        finally:
            for module, mode in modes:
                module.training = mode
        found = means.values()
        if not found:
            raise ad.OptionError("evaluate: the data gave no batches. Give at least one.")
        return found

    @property
    def _sums(self) -> bool:
        """Whether the loss is a sum over the examples, not their mean."""
        return getattr(self.loss, "reduction", "mean") == "sum"

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
        set_random_state(self.model, self._epoch_random)
        batches: Iterator[Any] = iter(data)
        for _ in itertools.islice(batches, self._batch):
            pass
        set_random_state(self.model, now)
        return batches

    def _step(self, data: Any, batches: Iterator[Any]) -> bool:
        """Make one step, completely or not at all; return whether there was a batch left."""
        randomness: dict[str, Any] | None = random_state(self.model)
        buffers = [(name, buffer.clone()) for name, buffer in self.model.named_buffers()]
        try:
            group = list(itertools.islice(batches, self.accumulate))
            if not group:
                return False
            means = Means(self._means.state_dict())
            loss = self._gradients(group, means)
            with self._interrupts.held():
                self._update(group, loss)
                if self.scheduler is not None and self.schedule_every == "step":
                    self.scheduler.step()
                self._means = means
                self.history.losses.append(loss)
                self.step += 1
                self._batch += len(group)
                if hasattr(data, "state_dict"):
                    self._position = data.state_dict()
                self.optimizer.zero_grad()
                randomness = None  # from here on the step is done
                self._call("on_step_end")
        except BaseException:
            if randomness is not None:
                set_random_state(self.model, randomness)
                with ad.no_grad():
                    now = dict(self.model.named_buffers())
                    for name, buffer in buffers:
                        now[name].copy_(buffer)
                self.optimizer.zero_grad()
            raise
        return True

    def _update(self, group: list[Any], loss: float) -> None:
        """Let the optimiser step; LBFGS asks for the loss at other places on its way."""
        if not isinstance(self.optimizer, LBFGS):
            self.optimizer.step()
            return
        before = [(parameter, parameter.detach().clone()) for parameter in self.model.parameters()]
        known = [loss]
        try:
            self.optimizer.step(lambda: known.pop() if known else self._gradients(group, Means()))
        except BaseException:
            with ad.no_grad():
                for parameter, value in before:
                    parameter.copy_(value)
            self.optimizer.state.clear()  # what it knew of the curvature is half updated
            raise

    def _gradients(self, group: list[Any], means: Means) -> float:
        """Compute the gradients of a step; return its loss."""
        sizes = [examples(batch) for batch in group]
        total = sum(sizes)
        value = 0.0
        self.optimizer.zero_grad()
        for batch, size in zip(group, sizes, strict=True):
            loss, outputs, targets = self._computed(batch)
            one = loss.item()
            if not math.isfinite(one):
                loss.backward()  # inside detect_anomaly that names the operation
                raise self._diverged(f"the loss is {one}", batch)
            share = 1.0 if self._sums or len(group) == 1 else size / total
            (loss if share == 1 else loss * share).backward()
            value += one * share
            means.add("loss", one / (size if self._sums else 1), size)
            self._measure(means, outputs, targets, size)
            del loss, outputs, targets  # and with them the graph, before the next is built
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        if self.clip_norm is None or self.clip_value is not None:
            self._check_gradients(parameters)
        if self.clip_value is not None:
            clip_grad_value_(parameters, self.clip_value)
        if self.clip_norm is not None:
            try:
                clip_grad_norm_(parameters, self.clip_norm, error_if_nonfinite=True)
            except ad.DomainError as error:
                self._check_gradients(parameters)
                raise self._diverged("the gradients' norm is infinite") from error
        return value

    def _computed(self, batch: Any) -> tuple[ad.Tensor, Any, Any]:
        loss, outputs, targets = self.compute(batch)
        if getattr(loss, "shape", None) != () or not isinstance(loss, ad.Tensor):
            message = f"Trainer: the loss is {ad.errors.describe(loss)}, not a scalar tensor"
            raise ad.ShapeError(f"{message}. Give a loss that is a mean over the batch.")
        return loss, outputs, targets

    def _check_gradients(self, parameters: list[Any]) -> None:
        for parameter in parameters:
            if not ad.all(ad.isfinite(parameter.grad)):
                names = {id(own): name for name, own in self.model.named_parameters()}
                what = f"the gradient of {names[id(parameter)]!r} has a NaN or an infinity"
                raise self._diverged(what)

    def _diverged(self, what: str, batch: Any = None) -> DivergenceError:
        step, epoch = self.step + 1, self.epoch + 1
        inputs = nonfinite(batch)
        cause = f" The batch itself holds {inputs}: clean the data." if inputs else ""
        for name, parameter in self.model.named_parameters():
            if not ad.all(ad.isfinite(parameter)):
                cause += f" The parameter {name!r} was not finite before it."
                break
        return DivergenceError(
            f"{what} at step {step} (epoch {epoch}, batch {self._batch + 1}, learning rate "
            f"{self._rate():g}). The model is as it was before this step.{cause} Lower the "
            "learning rate or warm it up, clip the gradients (clip_norm=1.0), check the data; to "
            "find the operation, fit inside `with autodiff.detect_anomaly():`.",
            step,
            epoch,
        )

    def _measure(self, means: Means, outputs: Any, targets: Any, size: int) -> None:
        if self.metrics:
            with ad.no_grad():
                for name, metric in self.metrics.items():
                    means.add(name, float(metric(outputs, targets)), size)

    def _validated(self, validation: Any) -> dict[str, float]:
        if hasattr(validation, "set_epoch"):
            validation.set_epoch(self.epoch)
        return {f"val_{name}": value for name, value in self.evaluate(validation).items()}

    def _rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _call(self, method: str) -> None:
        for callback in self.callbacks:
            function = getattr(callback, method, None)
            if function is not None:
                function(self)

    # -- checkpoints -------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fit needs to go on: what a checkpoint holds."""
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
        if not isinstance(state_dict, Mapping) or state_dict.get("format") != _FORMAT:
            raise FileFormatError("Trainer: this is no trainer's state. Give one of a checkpoint.")
        former = self.state_dict()
        former["model"] = {name: tensor.clone() for name, tensor in former["model"].items()}
        try:
            self._take(state_dict)
        except BaseException:
            self._take(former)
            raise

    def _take(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if (self.scheduler is None) != (state["scheduler"] is None):
            has = "a" if self.scheduler is None else "no"
            message = f"Trainer: the saved run had {has} schedule, this one differs"
            raise ad.OptionError(f"{message}. Build the trainer as the saved one.")
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.history.load_state_dict(state["history"])
        for name, callback in self._named_callbacks():
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])
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
        save(self.state_dict(), path or self.checkpoint)  # type: ignore[arg-type]

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
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            message = f"Trainer.load: {os.fspath(path)!r} is no trainer's checkpoint"
            raise FileFormatError(
                f"{message}. For weights alone: model.load_state_dict(nn.load(path))."
            )
        self.load_state_dict(state)


def _by_name(metrics: Any) -> dict[str, Callable[..., Any]]:
    if callable(metrics):
        metrics = [metrics]
    if not isinstance(metrics, Mapping):
        metrics = {getattr(f, "__name__", type(f).__name__): f for f in metrics}
    for name, metric in metrics.items():
        if not callable(metric) or name == "loss":
            message = f"Trainer: the metric {name!r} is a {type(metric).__name__}"
            raise ad.OptionError(
                f"{message}. Give functions of output and target; 'loss' is shown anyway."
            )
    return dict(metrics)


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
