"""The one-cycle schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.checks import check_known, check_size
from nn.optim.optimizer import Optimizer, check_at_least
from nn.optim.schedules import LRScheduler

__all__ = ["OneCycleLR"]


class OneCycleLR(LRScheduler):
    r"""Up to a large rate and down to a tiny one, in one cycle; the momentum goes against it [1]_.

    The rate rises from ``max_lr / div_factor`` to ``max_lr`` over the first ``pct_start`` of
    all steps, then falls to ``max_lr / (div_factor * final_div_factor)``; from a to b as

    .. math:: \eta = b + \frac{a - b}2 (1 + \cos \pi p), \qquad
       \text{or} \qquad \eta = a + (b - a)\, p

    with p the share of the phase that is over. Call :meth:`step` after every batch.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or sequence of float
        The largest rate, of all groups or of each.
    total_steps : int, optional
        The number of batches; or give ``epochs`` and ``steps_per_epoch``.
    pct_start : float
        The share of the steps in which the rate rises, from 0 to 1.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
        Whether the momentum (``momentum``, or the first of ``betas``) moves too, from
        ``max_momentum`` to ``base_momentum`` and back.
    base_momentum, max_momentum : float or sequence of float
    div_factor, final_div_factor : float
        How far below are the first rate and, below that, the last.
    three_phase : bool
        Fall to the first rate as slowly as it rose, then to the last.
    last_epoch : int
        The step to go on from; -1 to begin.

    Raises
    ------
    DomainError
        If a number is out of its range.
    OptionError
        Without a number of steps, or a momentum to move; if stepped more often than that.

    References
    ----------
    .. [1] L. Smith and N. Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", 2017.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], momentum=0.9)
    >>> schedule = nn.optim.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]
    (1.0, 0.85)
    """

    absolute = True
    unsaved = ("optimizer", "ends", "levels")

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        name = "OneCycleLR"
        if total_steps is None:
            epochs = check_size(name, "epochs (without total_steps)", epochs, least=1)
            steps_per_epoch = check_size(name, "steps_per_epoch", steps_per_epoch, least=1)
            total_steps = epochs * steps_per_epoch
        self.total_steps = check_size(name, "total_steps", total_steps, least=1)
        if not 0 <= pct_start <= 1:
            raise ad.DomainError(f"{name}: pct_start is {pct_start}. Give a number from 0 to 1.")
        factors = {"div_factor": div_factor, "final_div_factor": final_div_factor}
        check_at_least(name, factors, 1, "div_factor", "final_div_factor")
        self._anneal_func_type = check_known(
            name, "anneal_strategy", anneal_strategy, ("cos", "linear")
        )
        self.cycle_momentum = cycle_momentum
        self.ends, self.levels = _phases(self.total_steps, pct_start, three_phase)
        groups = optimizer.param_groups if isinstance(optimizer, Optimizer) else []
        highest = _for_each(name, "max_lr", max_lr, len(groups))
        momenta = [
            _for_each(name, "max_momentum", max_momentum, len(groups)),
            _for_each(name, "base_momentum", base_momentum, len(groups)),
        ]
        for group in groups:
            if cycle_momentum and not ("betas" in group or "momentum" in group):
                message = f"{name}: {type(optimizer).__name__} has no momentum to move"
                raise ad.OptionError(f"{message}. Give cycle_momentum=False.")
            if last_epoch != -1 and "max_lr" not in group:
                message = f"{name}: last_epoch is {last_epoch}, but a group has no 'max_lr'"
                raise ad.OptionError(f"{message}. Load the optimiser's state first.")
        for i, group in enumerate(groups):
            if last_epoch == -1:
                first = highest[i] / div_factor
                least = first / final_div_factor
                group.update(initial_lr=first, max_lr=highest[i], min_lr=least)
                if cycle_momentum:
                    group.update(max_momentum=momenta[0][i], base_momentum=momenta[1][i])
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if the state is one of a cycle of another length."""
        super().check()
        check_known("OneCycleLR", "anneal_strategy", self._anneal_func_type, ("cos", "linear"))
        steps = int(self.ends[-1]) + 1
        if self.total_steps != steps:
            message = f"OneCycleLR: the saved cycle has {self.total_steps} steps, this one {steps}"
            raise ad.OptionError(f"{message}. Build the same schedule first.")

    def rate(self, base: float, t: float, index: int) -> float:
        """Return the rate on the way from one level to the next."""
        group = self.optimizer.param_groups[index]
        levels = {"first": base, "most": group["max_lr"], "least": group["min_lr"]}
        return self._between([levels[level] for level in self.levels], t)

    def step(self, epoch: float | None = None) -> None:
        """Go on by a batch, and set the groups' rates and momenta."""
        t = self._next(epoch)
        if t > self.total_steps:
            message = f"OneCycleLR: step {t} of a cycle of {self.total_steps}"
            raise ad.OptionError(f"{message}. Give a larger total_steps.")
        super().step(epoch)
        if not self.cycle_momentum:
            return
        for group in self.optimizer.param_groups:
            high, low = group["max_momentum"], group["base_momentum"]
            momentum = self._between([low if at == "most" else high for at in self.levels], t)
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _between(self, levels: list[float], t: float) -> float:
        """Return the value at a step; levels are those at the phases' ends."""
        phase = sum(t > end for end in self.ends[1:-1])
        start, end = self.ends[phase : phase + 2]
        share = min(1.0, (t - start) / (end - start)) if end != start else 1.0
        a, b = levels[phase : phase + 2]
        if self._anneal_func_type == "cos":
            return b + (a - b) * (1 + math.cos(math.pi * share)) / 2
        return a + (b - a) * share


def _phases(total: int, share: float, three: bool) -> tuple[list[float], list[str]]:
    """Return the steps at which phases end, from 0 on, and the rates' levels there."""
    peak = float(share * total) - 1
    if three:
        return [0.0, peak, 2 * peak, total - 1.0], ["first", "most", "first", "least"]
    return [0.0, peak, total - 1.0], ["first", "most", "least"]


def _for_each(name: str, option: str, value: Any, groups: int) -> list[float]:
    """Return one number for each group."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        message = f"{name}: {option} has {len(values)} numbers for {groups} groups"
        raise ad.OptionError(f"{message}. Give one number, or one for each group.")
    for each in values:
        check_at_least(name, {option: each}, 0, option)
    return values
