"""A schedule that waits until nothing improves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import check_known, check_size
from nn.optim.optimizer import Optimizer, check_at_least
from nn.optim.schedules import Resumable

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Resumable):
    r"""A lower rate, :math:`\eta \leftarrow \max(f \eta, \eta_\text{min})`, when nothing improves.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether less or more of the metric is better.
    factor : float
        The factor f, from 0 to below 1.
    patience : int
        How many steps in a row may be no better before the rate falls.
    threshold : float
        How much better than the best counts.
    threshold_mode : {"rel", "abs"}
        Whether that is a share of the best or a difference.
    cooldown : int
        How many steps after a change do not count.
    min_lr : float or sequence of float
        The least rate, of all groups or of each.
    eps : float
        A change of the rate by less is left out.

    Raises
    ------
    DomainError
        If a number is out of its range.
    OptionError
        If it is not an optimiser, or for an unknown mode.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=0.5)
    >>> schedule = nn.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.25]
    """

    unsaved = ("optimizer", "_least")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            message = f"ReduceLROnPlateau: a {type(optimizer).__name__} is no optimiser"
            raise ad.OptionError(f"{message}. Give one of nn.optim.")
        groups = len(optimizer.param_groups)
        self.optimizer = optimizer
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor, self.patience, self.cooldown = factor, patience, cooldown
        self.threshold, self.eps = threshold, eps
        self._least: float | None = None
        if isinstance(min_lr, Sequence):
            self.min_lrs = list(min_lr)
        else:
            self._least, self.min_lrs = min_lr, [min_lr] * groups
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]
        self.check()

    def check(self) -> None:
        """Raise if an option is out of its range or unknown, or a count makes no sense."""
        name, own = "ReduceLROnPlateau", vars(self)
        check_known(name, "mode", self.mode, ("min", "max"))
        check_known(name, "threshold_mode", self.threshold_mode, ("rel", "abs"))
        if not 0 <= self.factor < 1:
            message = f"{name}: factor is {self.factor}"
            raise ad.DomainError(f"{message}. Give a number from 0 to below 1.")
        check_at_least(name, own, 0, "threshold", "eps")
        for count in ("patience", "cooldown", "num_bad_epochs", "cooldown_counter", "last_epoch"):
            check_size(name, count, own[count])
        if math.isnan(self.best):
            raise ad.DomainError(f"{name}: best is nan. Give a number.")
        for least in self.min_lrs:
            check_at_least(name, {"min_lr": least}, 0, "min_lr")
        self.check_groups("_last_lr", "min_lrs")

    @typed
    def step(self, metrics: Any) -> None:
        """Note a metric, a number; lower the rates if patience is over.

        A NaN is no better than anything.
        """
        try:
            value = float(metrics.detach() if isinstance(metrics, ad.Tensor) else metrics)
        except (TypeError, ValueError) as error:
            message = f"ReduceLROnPlateau: the metric is {ad.errors.describe(metrics)}"
            raise ad.DomainError(f"{message}. Give one number.") from error
        if self._least is not None:  # holds for groups that were added since, too
            added = len(self.optimizer.param_groups) - len(self.min_lrs)
            self.min_lrs = [*self.min_lrs, *[self._least] * added]
        self.check_groups("min_lrs")
        self.last_epoch += 1
        better = self._is_better(value)
        if better:
            self.best = value
        self.num_bad_epochs = 0 if better else self.num_bad_epochs + 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lower = max(group["lr"] * self.factor, least)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * value > sign * self.best * (1 + sign * self.threshold)
        return sign * value > sign * self.best + self.threshold
