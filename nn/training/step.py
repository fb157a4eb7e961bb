"""One step of a training: complete, or as if it had never begun."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import autodiff as ad
from nn.checks import check_known, check_size
from nn.optim.clipping import clip_grad_norm_, clip_grad_value_
from nn.optim.lbfgs import LBFGS
from nn.training.batches import examples, nonfinite
from nn.training.history import OWN_COLUMNS
from nn.training.metrics import Means
from nn.training.randomness import random_state, set_random_state
from nn.training.run import Run

__all__ = ["DivergenceError", "Stepping"]


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


class Stepping(Run):
    """A training that makes steps: the batches of one, their gradients, the update."""

    def __init__(
        self,
        loss: Callable[..., Any],
        metrics: Any,
        schedule_every: str,
        accumulate: int,
        clip_norm: float | None,
        clip_value: float | None,
        *state: Any,
    ) -> None:
        super().__init__(*state)
        self.loss = loss
        self.metrics = _by_name(metrics)
        self.schedule_every = check_known(
            "Trainer", "schedule_every", schedule_every, ("epoch", "step")
        )
        self.accumulate = check_size("Trainer", "accumulate", accumulate, 1)
        for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if bound is not None and not bound > 0:
                raise ad.DomainError(f"Trainer: {name} is {bound}. Give a number above 0, or None.")
        self.clip_norm, self.clip_value = clip_norm, clip_value

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

    def _step(self, data: Any, batches: Iterator[Any]) -> bool:
        """Make one step, completely or not at all; return whether there was a batch left."""
        randomness: dict[str, Any] | None = random_state(self.model)
        buffers = [(name, own, own.clone()) for name, own in self.model.named_buffers()]
        try:
            group, position = self._taken(data, batches)
            if not group:
                return False
            means = Means(self._means.state_dict())
            loss = self._gradients(group, means)
            with self._interrupts.held():
                self._update(group, loss)
                randomness = None  # from here on the step is done, whatever follows it
                self._means = means
                self.history.losses.append(loss)
                self.step += 1
                self._batch += len(group)
                self._position = position
                try:
                    if self.scheduler is not None and self.schedule_every == "step":
                        self.scheduler.step()
                finally:
                    self.optimizer.zero_grad()
                self._call("on_step_end")
        except BaseException:
            if randomness is not None:
                # Before an epoch's first step there is only what the data drew to begin it.
                set_random_state(self.model, randomness if self._batch else self._epoch_random)
                modules = dict(self.model.named_modules())
                with ad.no_grad():
                    for name, buffer, value in buffers:  # written to, or replaced by another
                        path, _, attribute = name.rpartition(".")
                        setattr(modules[path], attribute, buffer.copy_(value))
                self.optimizer.zero_grad()
            raise
        return True

    def _taken(self, data: Any, batches: Iterator[Any]) -> tuple[list[Any], Any]:
        """Return the batches of a step, and the data's position behind the last of them.

        Behind a short group the data are asked for a batch that there is not, and are at the
        next epoch then.
        """
        group, position = [], None
        for batch in itertools.islice(batches, self.accumulate):
            group.append(batch)
            if hasattr(data, "state_dict"):
                position = data.state_dict()
        return group, position

    def _update(self, group: list[Any], loss: float) -> None:
        """Let the optimiser step; LBFGS asks for the loss at other places on its way."""
        if not isinstance(self.optimizer, LBFGS):
            self.optimizer.step()
            return
        before = [(parameter, parameter.detach().clone()) for parameter in self.model.parameters()]
        known = {
            parameter: {k: list(v) if isinstance(v, list) else v for k, v in own.items()}
            for parameter, own in self.optimizer.state.items()
        }  # its tensors are never written to, its lists are
        first = [loss]
        try:
            self.optimizer.step(lambda: first.pop() if first else self._gradients(group, Means()))
        except BaseException:
            with ad.no_grad():
                for parameter, value in before:
                    parameter.copy_(value)
            self.optimizer.state = known
            raise

    def _gradients(self, group: list[Any], means: Means) -> float:
        """Compute the gradients of a step; return its loss."""
        sizes = [
            examples(batch, f"fit: batch {i} of epoch {self.epoch + 1}")
            for i, batch in enumerate(group, self._batch + 1)
        ]
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
        if loss.dtype.kind == "c":
            message = f"Trainer: the loss is {ad.errors.describe(loss)}, which has no minimum"
            raise ad.DTypeError(f"{message}. Give a real one: its autodiff.abs, or autodiff.real.")
        return loss, outputs, targets

    @property
    def _sums(self) -> bool:
        """Whether the loss is a sum over the examples, not their mean."""
        return getattr(self.loss, "reduction", "mean") == "sum"

    def _measure(self, means: Means, outputs: Any, targets: Any, size: int) -> None:
        if self.metrics:
            with ad.no_grad():
                for name, metric in self.metrics.items():
                    means.add(name, _number(name, metric(outputs, targets)), size)

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


def _by_name(metrics: Any) -> dict[str, Callable[..., Any]]:
    if callable(metrics):
        metrics = [metrics]
    if not isinstance(metrics, Iterable):
        message = f"Trainer: the metrics are a {type(metrics).__name__}"
        raise ad.OptionError(f"{message}. Give functions of output and target.")
    if not isinstance(metrics, Mapping):
        listed = list(metrics)
        metrics = {getattr(f, "__name__", type(f).__name__): f for f in listed}
        if len(metrics) < len(listed):
            message = f"Trainer: of {len(listed)} metrics only {', '.join(metrics)} have names"
            raise ad.OptionError(f"{message} of their own. Give a dict of names and functions.")
    taken = {*OWN_COLUMNS, *(f"val_{name}" for name in ("loss", *metrics))}
    for name, metric in metrics.items():
        if not callable(metric):
            message = f"Trainer: the metric {name!r} is a {type(metric).__name__}"
            raise ad.OptionError(f"{message}. Give functions of output and target.")
        if not isinstance(name, str) or name in taken:
            message = f"Trainer: a metric can't be named {name!r}, the history's own columns are"
            raise ad.OptionError(
                f"{message} {', '.join(OWN_COLUMNS)}, and those with 'val_' before a name. Give "
                "a dict with another name; 'loss' is shown anyway."
            )
    return dict(metrics)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"Trainer: the metric {name!r} gave {ad.errors.describe(value)}"
        raise ad.OptionError(f"{message}. Let it return one real number.") from error
