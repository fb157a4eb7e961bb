"""Schedules: learning rates that change as training goes on.

Each is a formula for the rate at step t (an epoch or a batch: whatever :meth:`Schedule.step`
is called after), from the rate that the optimiser began with.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Self

import autodiff as ad
from nn.calls import Checked, typed
from nn.checks import check_numbers, check_size
from nn.optim.optimizer import Optimizer, check_at_least

__all__ = [
    "ChainedScheduler",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "SequentialLR",
    "StepLR",
    "warmup_cosine",
]


_KINDS: tuple[Any, ...] = (bool, Real, str, (list, tuple))
"""What the values of states are; a tuple is a list to some formats."""


class Resumable(Checked):
    """What every schedule has: its rates, and a state that is saved and loaded."""

    unsaved: tuple[str, ...] = ("optimizer",)
    """What is no part of the state: it is given anew, or follows from the rest."""

    optimizer: Any
    _last_lr: list[float]
    _schedulers: Sequence[Any] = ()
    """The schedules it is made of, whose states are part of its own."""

    def check(self) -> None:
        """Raise if the attributes make no sense: a new schedule's, or those that are loaded."""

    def check_groups(self, *per_group: str) -> None:
        """Raise unless lists of these names have a number of 0 or more for each group."""
        groups = len(self.optimizer.param_groups)
        for name in per_group:
            values = vars(self)[name]
            if len(values) != groups:
                message = f"{type(self).__name__}: {name} has {len(values)} numbers"
                raise ad.OptionError(
                    f"{message} for {groups} groups of parameters. "
                    "Give one for each, and make schedules after all groups were added."
                )
            for value in values:
                check_at_least(type(self).__name__, {name: value}, 0, name)

    def get_last_lr(self) -> list[float]:
        """Return the groups' rates as the last step left them."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser, whose own state has the rates, and functions."""
        state = {
            name: list(value) if isinstance(value, list) else value
            for name, value in self.__dict__.items()
            if name not in self.unsaved
        }
        if self._schedulers:
            state["_schedulers"] = [schedule.state_dict() for schedule in self._schedulers]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, here or in PyTorch.

        Raises
        ------
        OptionError
            If it is no state of such a schedule.
        DomainError
            If a number is out of its range. Nothing was loaded then.
        """
        self.become(self.loaded(state_dict))

    def loaded(self, saved: Any) -> Self:
        """Return a copy that has a saved state; raise if that makes no sense."""
        own = self.state_dict()
        check_saved(self, {name: vars(self).get(name, own[name]) for name in own}, saved)
        new = copy.copy(self)
        for name in own:
            value = saved[name]
            setattr(new, name, list(value) if isinstance(value, list) else value)
        if self._schedulers:
            states = zip(self._schedulers, saved["_schedulers"], strict=True)
            vars(new)["_schedulers"] = [_part_loaded(part, state) for part, state in states]
        new.check()
        return new

    def become(self, new: Self) -> None:
        """Take over another's attributes, each part those of the other's part."""
        schedulers = self._schedulers
        for own, part in zip(schedulers, new._schedulers, strict=True):
            own.become(part)
        vars(self).update(vars(new))
        if schedulers:
            self._schedulers = schedulers


class LRScheduler(Resumable):
    """The base of all schedules.

    A subclass defines :meth:`rate`. Several schedules of one optimiser multiply: where the
    rate is not what this schedule left, a step scales it by the ratio of the formula's
    values.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        The step to go on from; -1 to begin.

    Attributes
    ----------
    base_lrs : list of float
        The groups' rates at first, kept in the groups as "initial_lr".
    last_epoch : int
        The number t of the step.

    Raises
    ------
    OptionError
        If it is not an optimiser, or goes on from a step of one that has not begun.
    """

    absolute = False
    """Whether the formula says the rate whatever others did to it."""

    floor = 0.0
    """What is below the part of the rate that is scaled."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            message = f"{type(self).__name__}: a {type(optimizer).__name__} is no optimiser"
            raise ad.OptionError(f"{message}. Give one of nn.optim.")
        self.optimizer = optimizer
        groups = optimizer.param_groups
        if last_epoch != -1 and not all("initial_lr" in group for group in groups):
            message = f"{type(self).__name__}: last_epoch is {last_epoch}, but a group has no"
            raise ad.OptionError(f"{message} 'initial_lr'. Load the optimiser's state first.")
        begun = [group for group in groups if "initial_lr" not in group]
        for group in begun:
            group["initial_lr"] = group["lr"]  # which a formula may read
        self.base_lrs = [group["initial_lr"] for group in groups]
        self.last_epoch: float = last_epoch
        self._last_lr = [group["lr"] for group in groups]
        try:
            self.check()
            self.step()
        except BaseException:
            for group in begun:
                del group["initial_lr"]
            raise

    def check(self) -> None:
        """Raise if an option makes no sense, or the rates are of other groups."""
        check_at_least(type(self).__name__, vars(self), -1, "last_epoch")
        self.check_groups("base_lrs", "_last_lr")

    def rate(self, base: float, t: float, index: int) -> float:
        """Return the rate at step t of a group that began with ``base``, by its index."""
        raise NotImplementedError(f"{type(self).__name__} does not define rate.")

    def following(self, lr: float, base: float, t: float, index: int) -> float:
        """Return the rate at step t + 1 of a group whose rate is ``lr`` after step t."""
        new = self.rate(base, t + 1, index)
        if self.absolute:
            return new
        old = self.rate(base, t, index) if t >= 0 else base
        if old in (lr, self.floor):
            return new
        return self.floor + (lr - self.floor) * (new - self.floor) / (old - self.floor)

    @typed
    def step(self, epoch: float | None = None) -> None:
        """Go to the next step, or to one that is named, and set the groups' rates."""
        self.check_groups("base_lrs")
        former, named = self.last_epoch, epoch is not None
        now = self._next(epoch)
        rates = []
        for i, (group, base) in enumerate(
            zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        ):
            new = self.rate(base, now, i) if named else self.following(group["lr"], base, former, i)
            rates.append(new)
        for new in rates:
            check_at_least(type(self).__name__, {"the rate": new}, 0, "the rate")
        self.last_epoch = now
        for group, new in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = new
        self._last_lr = rates

    def _next(self, epoch: float | None) -> float:
        """Return the step to go to: one that is named must be a number of 0 or more."""
        if epoch is None:
            return self.last_epoch + 1
        check_at_least(type(self).__name__, {"epoch": epoch}, 0, "epoch")
        return epoch

    def __repr__(self) -> str:
        hidden = {"base_lrs", "_last_lr"}
        options = [f"{k}={v}" for k, v in self.state_dict().items() if k not in hidden]
        return f"{type(self).__name__}({', '.join(options)})"


class LambdaLR(LRScheduler):
    r"""Any function of the step: :math:`\eta_t = \eta_0 f(t)`.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable or list of callable
        The function f of t, or one for each group. Functions are not part of the state.
    last_epoch : int
        The step to go on from; -1 to begin.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=0.5)
    >>> schedule = nn.optim.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    absolute = True
    unsaved = ("optimizer", "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 0
        several = isinstance(lr_lambda, (list, tuple))
        functions = list(lr_lambda) if several else [lr_lambda] * groups
        if len(functions) != groups or not all(map(callable, functions)):
            message = f"LambdaLR: lr_lambda is {lr_lambda!r}"
            raise ad.OptionError(f"{message}. Give a function, or one for each of {groups} groups.")
        self.lr_lambdas: list[Callable[[float], float]] = functions
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: float, index: int) -> float:
        """Return ``base * f(t)``."""
        factor = self.lr_lambdas[index](t)
        name = f"the factor of step {t}"
        check_at_least("LambdaLR", {name: factor}, 0, name)
        return float(base * factor)


class StepLR(LRScheduler):
    r"""A factor every so many steps: :math:`\eta_t = \eta_0 \gamma^{\lfloor t / s \rfloor}`.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        The number s of steps between changes.
    gamma : float
        The factor.
    last_epoch : int
        The step to go on from; -1 to begin.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=0.5)
    >>> schedule = nn.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.125
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if an option is out of its range."""
        super().check()
        check_size("StepLR", "step_size", self.step_size, least=1)
        check_at_least("StepLR", vars(self), 0, "gamma")

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return ``base * gamma ** (t // step_size)``."""
        return _scaled(base, self.gamma, t // self.step_size)


class MultiStepLR(LRScheduler):
    r"""A factor at each milestone: :math:`\eta_t = \eta_0 \gamma^{|\{m \le t\}|}`.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
        The steps m at which the rate changes.
    gamma : float
        The factor.
    last_epoch : int
        The step to go on from; -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = milestones, gamma
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if an option is out of its range; sort the milestones."""
        super().check()
        self.milestones = sorted(check_numbers("MultiStepLR", "milestones", self.milestones))
        check_at_least("MultiStepLR", vars(self), 0, "gamma")

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return ``base`` times one factor for each milestone that was reached."""
        return _scaled(base, self.gamma, bisect_right(self.milestones, t))

    def loaded(self, saved: Any) -> Self:
        """Return a copy that has a saved state; PyTorch counts its milestones."""
        if isinstance(saved, Mapping) and isinstance(saved.get("milestones"), Mapping):
            saved = {**saved, "milestones": list(Counter(saved["milestones"]).elements())}
        return super().loaded(saved)


class ExponentialLR(LRScheduler):
    r"""A factor at every step: :math:`\eta_t = \eta_0 \gamma^t`.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor.
    last_epoch : int
        The step to go on from; -1 to begin.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if the factor is below 0."""
        super().check()
        check_at_least("ExponentialLR", vars(self), 0, "gamma")

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return ``base * gamma ** t``."""
        return _scaled(base, self.gamma, t)


class LinearLR(LRScheduler):
    r"""From one factor to another along a line: the usual warm-up.

    .. math:: \eta_t = \eta_0 \left(a + (b - a) \frac{\min(t, T)}{T}\right)

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        The factors a, above 0 and up to 1, and b, from 0 to 1.
    total_iters : int
        The number T of steps between them.
    last_epoch : int
        The step to go on from; -1 to begin.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> for _ in range(3):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.75]
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if an option is out of its range."""
        super().check()
        if not (0 < self.start_factor <= 1 and 0 <= self.end_factor <= 1):
            message = f"LinearLR: the factors are {self.start_factor} and {self.end_factor}"
            raise ad.DomainError(f"{message}. Give numbers from 0 to 1, the first above 0.")
        check_size("LinearLR", "total_iters", self.total_iters, least=1)

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return ``base`` times a factor between both."""
        share = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class CosineAnnealingLR(LRScheduler):
    r"""Down along half a cosine [1]_, and up again where there are more steps.

    .. math:: \eta_t = \eta_\text{min} + \frac{\eta_0 - \eta_\text{min}}2
       \left(1 + \cos \frac{\pi t}{T}\right)

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        The number T of steps until the rate is least.
    eta_min : float
        The least rate.
    last_epoch : int
        The step to go on from; -1 to begin.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm
       restarts", ICLR 2017, eq. 5.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.CosineAnnealingLR(optimizer, T_max=2, eta_min=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    unsaved = ("optimizer", "floor")

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if an option is out of its range."""
        super().check()
        check_size("CosineAnnealingLR", "T_max", self.T_max, least=1)
        check_at_least("CosineAnnealingLR", vars(self), 0, "eta_min")
        self.floor = self.eta_min

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return the cosine's value."""
        return _cosine(base, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""Down along half a cosine, again and again, each time ``T_mult`` times as long [1]_.

    .. math:: \eta_t = \eta_\text{min} + \frac{\eta_0 - \eta_\text{min}}2
       \left(1 + \cos \frac{\pi\, t_i}{T_i}\right)

    with :math:`t_i` the steps since the last restart and :math:`T_i = T_0\, m^i`.

    Parameters
    ----------
    optimizer : Optimizer
    T_0 : int
        The steps until the first restart.
    T_mult : int
        The factor m, 1 or more.
    eta_min : float
        The least rate.
    last_epoch : int
        The step to go on from; -1 to begin.

    Notes
    -----
    After every batch, ``step(epoch + batch / batches)`` names a step between two epochs.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm
       restarts", ICLR 2017.
    """

    absolute = True

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise if an option is out of its range."""
        super().check()
        name = "CosineAnnealingWarmRestarts"
        check_size(name, "T_0", self.T_0, least=1)
        check_size(name, "T_mult", self.T_mult, least=1)
        check_at_least(name, vars(self), 0, "eta_min")

    def rate(self, base: float, t: float, index: int) -> float:  # noqa: ARG002
        """Return the cosine's value since the last restart."""
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t -= length
            length *= self.T_mult
        return _cosine(base, self.eta_min, t / length)


class SequentialLR(LRScheduler):
    """One schedule after another, each counting its steps from 0.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        Of this optimiser, all made before.
    milestones : sequence of int
        The steps at which the second, third, ... begin.
    last_epoch : int
        The step to go on from; -1 to begin.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> warmup = nn.optim.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = nn.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = nn.optim.SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> for _ in range(4):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.75]
    [1.0]
    [0.5]
    """

    _schedulers: list[LRScheduler]

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self._schedulers = _of_one("SequentialLR", schedulers, optimizer)
        self._milestones = milestones
        super().__init__(optimizer, last_epoch)

    def check(self) -> None:
        """Raise unless there is a step between each two schedules, and they rise."""
        super().check()
        count, given = len(self._schedulers), self._milestones
        steps = self._milestones = list(given) if isinstance(given, Iterable) else []
        numbers = all(isinstance(step, Real) and step >= 0 for step in steps)
        if len(steps) != count - 1 or not numbers or sorted(steps) != steps:
            message = f"SequentialLR: {count} schedules and the milestones {given}"
            raise ad.OptionError(
                f"{message}. Give one rising step, 0 or more, between each two schedules."
            )

    def loaded(self, saved: Any) -> Self:
        """Return a copy that has a saved state; PyTorch's has no rates at the beginning."""
        if isinstance(saved, Mapping):
            saved = {"base_lrs": self.base_lrs, **saved}
        return super().loaded(saved)

    def rate(self, base: float, t: float, index: int) -> float:
        """Return the rate of the schedule whose turn it is."""
        schedule, start = self._turn(t)
        return schedule.rate(base, t - start, index)

    def following(self, lr: float, base: float, t: float, index: int) -> float:
        """Let the schedule whose turn it is go on from the rate; each begins with its own."""
        schedule, start = self._turn(t + 1)
        if t + 1 == start:
            return schedule.rate(base, 0, index)
        return schedule.following(lr, base, t - start, index)

    def _turn(self, t: float) -> tuple[LRScheduler, int]:
        turn = bisect_right(self._milestones, t)
        return self._schedulers[turn], self._milestones[turn - 1] if turn else 0


class ChainedScheduler(Resumable):
    """Several schedules at once: their factors multiply.

    Parameters
    ----------
    schedulers : sequence of LRScheduler
        Of one optimiser. One step goes through them in this order; a formula that says the
        rate whatever others did (``LambdaLR``, warm restarts) must be the first.
    optimizer : Optimizer, optional
        At first the schedules'.
    """

    _schedulers: list[LRScheduler]

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        several = isinstance(schedulers, Sequence) and len(schedulers) > 0
        first = getattr(schedulers[0], "optimizer", None) if several else None
        self.optimizer = optimizer or first
        self._schedulers = _of_one("ChainedScheduler", schedulers, self.optimizer)

    def step(self) -> None:
        """Step through all schedules."""
        changed = [*self.optimizer.param_groups, *map(vars, self._schedulers)]
        before = [dict(each) for each in changed]
        try:
            for schedule in self._schedulers:
                schedule.step()
        except Exception:
            for each, values in zip(changed, before, strict=True):
                each.clear()
                each.update(values)
            raise

    def get_last_lr(self) -> list[float]:
        """Return the groups' rates as the last step left them."""
        return self._schedulers[-1].get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return the schedules' states."""
        return {"_schedulers": [schedule.state_dict() for schedule in self._schedulers]}


@typed
def warmup_cosine(
    optimizer: Optimizer, warmup_steps: int, total_steps: int, eta_min: float = 0.0
) -> SequentialLR:
    """Rise along a line, then fall along half a cosine: what Transformers are trained with.

    Parameters
    ----------
    optimizer : Optimizer
    warmup_steps : int
        The step at which the optimiser's own rate is reached, 1 or more; step t before has
        ``(t + 1) / (warmup_steps + 1)`` of it.
    total_steps : int
        The step at which the rate is least.
    eta_min : float
        The least rate.

    Examples
    --------
    >>> import nn
    >>> optimizer = nn.optim.AdamW([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.warmup_cosine(optimizer, 1, 3)
    >>> for _ in range(4):
    ...     print(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    0.5
    1.0
    0.5
    0.0
    """
    warmup_steps = check_size("warmup_cosine", "warmup_steps", warmup_steps, least=1)
    total_steps = check_size("warmup_cosine", "total_steps", total_steps, least=warmup_steps + 1)
    check_at_least("warmup_cosine", {"eta_min": eta_min}, 0, "eta_min")
    warmup = LinearLR(optimizer, 1 / (warmup_steps + 1), total_iters=warmup_steps)
    decay = CosineAnnealingLR(optimizer, total_steps - warmup_steps, eta_min)
    return SequentialLR(optimizer, [warmup, decay], [warmup_steps])


def check_saved(schedule: Any, own: Mapping[str, Any], saved: Any) -> None:
    """Raise OptionError unless a saved state has all that a schedule's own has, of its kind."""
    name = type(schedule).__name__
    if not isinstance(saved, Mapping):
        message = f"{name}: a {type(saved).__name__} is no saved state"
        raise ad.OptionError(f"{message}. Give what state_dict() returns.")
    given, needed = saved.get("_schedulers", ()), own.get("_schedulers", ())
    if isinstance(given, (list, tuple)) and len(given) != len(needed):
        message = f"{name}: the saved state has {len(given)} schedules, these are {len(needed)}"
        raise ad.OptionError(f"{message}. Build the same schedules first.")
    missing = [key for key in own if key not in saved]
    if missing:
        message = f"{name}: the saved state has no {missing[0]!r}"
        raise ad.OptionError(f"{message}. Load the state of the same kind of schedule.")
    for key, value in own.items():
        kind = next((kind for kind in _KINDS if isinstance(value, kind)), object)
        if not isinstance(saved[key], kind):
            message = f"{name}: the saved {key!r} is a {type(saved[key]).__name__}"
            raise ad.OptionError(f"{message}. Give what state_dict() returns.")


def _cosine(highest: float, lowest: float, share: float) -> float:
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * (share % 2))) / 2


def _scaled(base: float, factor: float, times: float) -> float:
    """Return ``base * factor ** times``: infinity, which is no rate, where it is too large."""
    try:
        return base * math.pow(factor, times)
    except OverflowError:
        return math.inf if base else 0.0


def _part_loaded(part: Any, saved: Any) -> Any:
    """Return a copy of a part that has a saved state, taken over as the part does it."""
    if type(part).load_state_dict is Resumable.load_state_dict:
        return part.loaded(saved)
    new = copy.copy(part)
    new.load_state_dict(saved)
    return new


def _of_one(name: str, schedulers: Sequence[Any], optimizer: Any) -> list[LRScheduler]:
    """Return the schedules as a list; raise unless there are some, all of the optimiser."""
    given = schedulers if isinstance(schedulers, Sequence) else []
    fit = [isinstance(s, LRScheduler) and s.optimizer is optimizer for s in given]
    if not fit or not all(fit):
        message = (
            f"{name}: there is no schedule"
            if not fit
            else (f"{name}: schedule {fit.index(False)} is not one of this optimiser")
        )
        raise ad.OptionError(f"{message}. Give schedules such as LinearLR(optimizer, ...).")
    for schedule in schedulers:
        schedule.check_groups("base_lrs")
    return list(schedulers)
