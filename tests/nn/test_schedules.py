"""Schedules: PyTorch's rates over several groups, chains, state dicts, bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import optim
from nn.optim import lr_scheduler
from tests.nn import torch, with_torch

SCHEDULES = [
    ("LambdaLR", {"lr_lambda": lambda t: 0.95**t}),
    ("LambdaLR", {"lr_lambda": [lambda t: 1 / (1 + t), lambda t: 0.9**t]}),
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [30, 5, 5, 12], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 40}),
    ("CosineAnnealingLR", {"T_max": 50}),
    ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.02}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("OneCycleLR", {"max_lr": 2.0, "total_steps": 60}),
    ("OneCycleLR", {"max_lr": [2.0, 0.3], "epochs": 6, "steps_per_epoch": 11}),
    ("OneCycleLR", {"max_lr": 2.0, "total_steps": 64, "three_phase": True, "pct_start": 0.25}),
    ("OneCycleLR", {"max_lr": 2.0, "total_steps": 70, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 2.0, "total_steps": 61, "div_factor": 3.0, "final_div_factor": 7.0}),
]


def make(library, kind="SGD"):
    tensor = nn.Parameter if library is optim else torch.nn.Parameter
    array = np.ones if library is optim else torch.ones
    groups = [{"params": [tensor(array(2))], "lr": 0.8}, {"params": [tensor(array(3))]}]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(library, kind)(groups, lr=0.1, **options)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def momenta(optimizer):
    return [group.get("momentum", group.get("betas")) for group in optimizer.param_groups]


class Both:
    """Schedules of our optimiser and of PyTorch's, made by one function."""

    def __init__(self, build, kind="SGD"):
        self.mine, self.other = make(optim, kind), make(torch.optim, kind)
        self.ours = build(lr_scheduler, self.mine)
        self.theirs = build(torch.optim.lr_scheduler, self.other)
        self.compare()

    def compare(self):
        np.testing.assert_allclose(rates(self.mine), rates(self.other), rtol=1e-12, atol=1e-15)
        for mine, other in zip(momenta(self.mine), momenta(self.other), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12)
        ours = self.ours if isinstance(self.ours, list) else [self.ours]
        theirs = self.theirs if isinstance(self.theirs, list) else [self.theirs]
        np.testing.assert_allclose(ours[-1].get_last_lr(), theirs[-1].get_last_lr(), rtol=1e-12)

    def run(self, steps=55, **changed):
        for _ in range(steps):
            self.other.step()  # PyTorch warns otherwise
            for schedules in (self.ours, self.theirs):
                for schedule in schedules if isinstance(schedules, list) else [schedules]:
                    schedule.step(**changed)
            self.compare()


@with_torch
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_rates_are_pytorchs(name, options, kind):
    Both(lambda library, optimizer: getattr(library, name)(optimizer, **options), kind).run()


@with_torch
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_states_load_from_here_and_from_pytorch(name, options):
    def build(library, optimizer):
        return getattr(library, name)(optimizer, **options)

    both = Both(build)
    both.run(20)
    optimizer = make(optim)
    resumed = build(lr_scheduler, optimizer)
    optimizer.load_state_dict(both.mine.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(both.ours.state_dict())))
    both.mine, both.ours = optimizer, resumed
    both.run(10)
    optimizer = make(optim)
    resumed = build(lr_scheduler, optimizer)
    optimizer.load_state_dict(both.other.state_dict())
    resumed.load_state_dict(both.theirs.state_dict())
    both.mine, both.ours = optimizer, resumed
    both.run(20)


@with_torch
@pytest.mark.parametrize("as_a_file_has_it", [False, True])
@pytest.mark.parametrize("named", ["warm_up", "chained", "a_sequence_in_a_chain"])
def test_states_of_several_schedules_load_from_pytorch(named, as_a_file_has_it, tmp_path):
    """PyTorch's sequence keeps no rates; its counted milestones are a plain dict in a file."""
    both = Both(globals()[named])
    both.run(20)
    states = both.other.state_dict(), both.theirs.state_dict()
    if as_a_file_has_it:
        nn.save(states[1], tmp_path / "schedule")
        states = states[0], nn.load(tmp_path / "schedule")
    optimizer = make(optim)
    resumed = globals()[named](lr_scheduler, optimizer)
    optimizer.load_state_dict(states[0])
    resumed.load_state_dict(states[1])
    both.mine, both.ours = optimizer, resumed
    both.run(40)


def warm_up(library, optimizer):
    parts = [
        library.LinearLR(optimizer, start_factor=0.1, total_iters=8),
        library.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.01),
        library.ExponentialLR(optimizer, gamma=0.9),
    ]
    return library.SequentialLR(optimizer, parts, milestones=[8, 40])


def chained(library, optimizer):
    parts = [
        library.LinearLR(optimizer, start_factor=0.1, total_iters=20),
        library.StepLR(optimizer, step_size=9, gamma=0.5),
        library.ExponentialLR(optimizer, gamma=0.95),
        library.CosineAnnealingLR(optimizer, T_max=70, eta_min=0.001),
    ]
    return library.ChainedScheduler(parts)


def one_after_another(library, optimizer):
    return [
        library.ExponentialLR(optimizer, gamma=0.95),
        library.MultiStepLR(optimizer, milestones=[3, 20], gamma=0.3),
    ]


def a_sequence_in_a_chain(library, optimizer):
    parts = [library.StepLR(optimizer, 100), library.ExponentialLR(optimizer, gamma=0.9)]
    sequence = library.SequentialLR(optimizer, parts, milestones=[7])
    return library.ChainedScheduler([sequence, library.MultiStepLR(optimizer, [4, 9], gamma=0.1)])


@with_torch
@pytest.mark.parametrize("build", [warm_up, chained, one_after_another, a_sequence_in_a_chain])
def test_several_schedules_are_pytorchs(build):
    Both(build).run()


@with_torch
def test_a_sequence_of_a_saved_state_goes_on():
    both = Both(warm_up)
    both.run(20)
    optimizer = make(optim)
    resumed = warm_up(lr_scheduler, optimizer)
    optimizer.load_state_dict(both.mine.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(both.ours.state_dict())))
    both.mine, both.ours = optimizer, resumed
    both.run(30)


def test_a_chain_of_a_saved_state_goes_on():
    through = make(optim)
    chain = chained(lr_scheduler, through)
    for _ in range(10):
        chain.step()
    optimizer = make(optim)
    resumed = chained(lr_scheduler, optimizer)
    optimizer.load_state_dict(through.state_dict())
    resumed.load_state_dict(chain.state_dict())
    for _ in range(10):
        chain.step()
        resumed.step()
        assert rates(optimizer) == rates(through)
    assert resumed.get_last_lr() == rates(through)
    with pytest.raises(ad.OptionError, match="has 0 schedules, these are 4"):
        chain.load_state_dict({})


@with_torch
@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "LinearLR", "CosineAnnealingLR"])
def test_a_rate_that_the_user_changed_is_scaled_as_pytorchs(name):
    options = dict(SCHEDULES[::-1])[name]
    both = Both(lambda library, optimizer: getattr(library, name)(optimizer, **options))
    both.run(4)
    for optimizer in (both.mine, both.other):
        optimizer.param_groups[0]["lr"] *= 0.3
    both.run(8)


@with_torch
def test_a_rate_that_the_user_changed_is_scaled_in_a_sequence_as_pytorchs():
    both = Both(warm_up)
    for steps in (4, 8, 20, 16):  # in every part, and across the milestones
        both.run(steps)
        for optimizer in (both.mine, both.other):
            optimizer.param_groups[0]["lr"] *= 0.3
    both.run(8)


@with_torch
def test_fractions_of_epochs_restart_as_pytorchs():
    both = Both(lambda library, optimizer: library.CosineAnnealingWarmRestarts(optimizer, 3, 2))
    for i in range(60):
        both.run(1, epoch=i / 5)


@with_torch
@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "cooldown": 3, "min_lr": [0.01, 0.002]},
        {"mode": "max", "patience": 1, "threshold": 0.05},
        {"threshold_mode": "abs", "patience": 1, "threshold": 0.1, "eps": 1e-3},
        {"mode": "max", "threshold_mode": "abs", "patience": 3, "threshold": 0.2},
    ],
    ids=str,
)
def test_plateaus_are_pytorchs(options):
    rng = np.random.default_rng(3)
    both = Both(lambda library, o: library.ReduceLROnPlateau(o, **options))
    for i in range(60):
        metric = math.exp(-i / 10) + 0.3 * rng.normal() if i != 30 else math.nan
        both.run(1, metrics=metric)
        if i == 25:
            saved = json.loads(json.dumps(both.ours.state_dict()))
            both.ours = lr_scheduler.ReduceLROnPlateau(both.mine)
            both.ours.load_state_dict(saved if options.get("mode") else both.theirs.state_dict())


def test_a_tensor_is_a_metric():
    optimizer = make(optim)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(2):
        schedule.step(ad.tensor(2.0, requires_grad=True))
    assert rates(optimizer) == [0.8 * 0.1, 0.1 * 0.1]


def test_warmup_cosine_rises_and_falls():
    optimizer = make(optim)
    schedule = optim.warmup_cosine(optimizer, 10, 50, eta_min=0.01)
    seen = []
    for _ in range(51):
        seen.append(rates(optimizer)[0])
        schedule.step()
    assert seen[0] == pytest.approx(0.8 / 11)
    assert seen[10] == pytest.approx(0.8)
    assert seen[30] == pytest.approx((0.8 + 0.01) / 2)
    assert seen[50] == pytest.approx(0.01)
    assert sorted(seen[:11]) == seen[:11]
    assert sorted(seen[10:], reverse=True) == seen[10:]


def test_going_on_from_a_step():
    optimizer = make(optim)
    schedule = optim.StepLR(optimizer, 2, 0.5)
    for _ in range(5):
        schedule.step()
    again = optim.StepLR(optimizer, 2, 0.5, last_epoch=5)
    assert again.last_epoch == 6
    assert rates(optimizer) == [0.1, 0.0125]
    with pytest.raises(ad.OptionError, match="no 'initial_lr'"):
        optim.StepLR(make(optim), 2, last_epoch=5)


def test_repr():
    assert repr(optim.StepLR(make(optim), 2)) == "StepLR(step_size=2, gamma=0.1, last_epoch=0)"


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda _: optim.StepLR(nn.Linear(1, 1), 2), ad.OptionError, "a Linear is no optimiser"),
        (lambda o: optim.StepLR(o, 0), ad.OptionError, "StepLR: step_size is 0"),
        (lambda o: optim.StepLR(o, 2, gamma=-1), ad.DomainError, "StepLR: gamma is -1"),
        (lambda o: optim.ExponentialLR(o, math.nan), ad.DomainError, "gamma is nan"),
        (lambda o: optim.LambdaLR(o, 3), ad.OptionError, "LambdaLR: lr_lambda is 3"),
        (lambda o: optim.LambdaLR(o, [abs]), ad.OptionError, "one for each of 2 groups"),
        (lambda o: optim.LinearLR(o, start_factor=0), ad.DomainError, "factors are 0 and 1"),
        (lambda o: optim.CosineAnnealingLR(o, 0), ad.OptionError, "T_max is 0"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, 3, 0), ad.OptionError, "T_mult is 0"),
        (lambda o: optim.OneCycleLR(o, 1.0), ad.OptionError, r"epochs \(without total_steps\)"),
        (lambda o: optim.OneCycleLR(o, [1.0], 9), ad.OptionError, "1 numbers for 2 groups"),
        (lambda o: optim.OneCycleLR(o, -1.0, 9), ad.DomainError, "max_lr is -1"),
        (lambda o: optim.OneCycleLR(o, 1.0, 9, pct_start=2), ad.DomainError, "pct_start is 2"),
        (
            lambda o: optim.OneCycleLR(o, 1.0, 9, anneal_strategy="x"),
            ad.OptionError,
            "Give one of 'cos', 'linear'",
        ),
        (
            lambda _: optim.OneCycleLR(optim.Adagrad([nn.Parameter([1.0])]), 1.0, 9),
            ad.OptionError,
            "Adagrad has no momentum to move",
        ),
        (lambda o: optim.SequentialLR(o, [], []), ad.OptionError, "there is no schedule"),
        (
            lambda o: optim.SequentialLR(o, [optim.StepLR(make(optim), 2)], []),
            ad.OptionError,
            "schedule 0 is not one of this optimiser",
        ),
        (
            lambda o: optim.SequentialLR(o, [optim.StepLR(o, 2)], [3]),
            ad.OptionError,
            r"1 schedules and the milestones \[3\]",
        ),
        (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), ad.DomainError, "factor is 1.0"),
        (lambda o: optim.ReduceLROnPlateau(o, mode="up"), ad.OptionError, "mode 'up'"),
        (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0]), ad.OptionError, "1 numbers for 2"),
        (lambda _: optim.ReduceLROnPlateau(3), ad.OptionError, "a int is no optimiser"),
    ],
)
def test_bad_input(build, error, message):
    optimizer = make(optim)
    with pytest.raises(error, match=message):
        build(optimizer)
    assert rates(optimizer) == [0.8, 0.1]


def test_a_cycle_ends():
    optimizer = make(optim)
    schedule = optim.OneCycleLR(optimizer, 1.0, total_steps=3, anneal_strategy="linear")
    for _ in range(3):
        schedule.step()
    assert min(rates(optimizer)) > 0
    with pytest.raises(ad.OptionError, match="step 4 of a cycle of 3"):
        schedule.step()


def test_foreign_states_are_refused():
    schedule = optim.StepLR(make(optim), 2)
    with pytest.raises(ad.OptionError, match="StepLR: the saved state has no 'step_size'"):
        schedule.load_state_dict(optim.ExponentialLR(make(optim), 0.5).state_dict())
    plateau = optim.ReduceLROnPlateau(make(optim))
    with pytest.raises(ad.OptionError, match="the saved state has no"):
        plateau.load_state_dict(schedule.state_dict())


def everything(optimizer, *schedules):
    """Return what a failed call must not change, as a text."""
    return str([optimizer.param_groups, *(schedule.state_dict() for schedule in schedules)])


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda o: optim.warmup_cosine(o, 5, 5), ad.OptionError, "total_steps is 5.*6 or more"),
        (lambda o: optim.warmup_cosine(o, -1, 3), ad.OptionError, "warmup_steps is -1"),
        (lambda o: optim.warmup_cosine(o, 2, 3, -1.0), ad.DomainError, "eta_min is -1"),
        (lambda o: optim.LambdaLR(o, lambda _: math.nan), ad.DomainError, "factor of step 0"),
        (lambda o: optim.OneCycleLR(o, [0.1, math.nan], 10), ad.DomainError, "max_lr is nan"),
        (lambda o: optim.OneCycleLR(o, [0.1, "x"], 10), ad.DomainError, "max_lr is 'x'"),
        (lambda o: optim.OneCycleLR(o, 0.1, 10, last_epoch=2), ad.OptionError, "no 'max_lr'"),
        (lambda o: optim.StepLR(o, 2, last_epoch=-2), ad.OptionError, "no 'initial_lr'"),
    ],
)
def test_a_schedule_that_can_not_be_made_leaves_the_optimizer_as_it_was(build, error, message):
    optimizer = make(optim)
    before = everything(optimizer)
    with pytest.raises(error, match=message):
        build(optimizer)
    assert everything(optimizer) == before


@pytest.mark.parametrize("milestones", [None, 5, [None], ["2"], [math.nan], [-1], [1, 2]])
def test_milestones_of_a_sequence_are_rising_steps(milestones):
    optimizer = make(optim)
    parts = [optim.StepLR(optimizer, 2), optim.ExponentialLR(optimizer, 0.5)]
    with pytest.raises(ad.OptionError, match=r"SequentialLR: .*milestones"):
        optim.SequentialLR(optimizer, parts, milestones)


@pytest.mark.parametrize(
    "build",
    [
        lambda o: optim.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        lambda o: optim.CosineAnnealingLR(o, 3),
        lambda o: optim.ExponentialLR(o, 0),
        lambda o: optim.OneCycleLR(o, 1.0, 9),
        lambda o: warm_up(optim, o),
    ],
)
@pytest.mark.parametrize("epoch", ["x", math.nan, math.inf, -5])
def test_a_named_step_is_a_number(build, epoch):
    optimizer = make(optim)
    schedule = build(optimizer)
    before = everything(optimizer, schedule)
    with pytest.raises(ad.DomainError, match=r"epoch is .* Give a number of 0 or more"):
        schedule.step(epoch)
    assert everything(optimizer, schedule) == before


def test_far_steps_have_a_rate_or_say_that_there_is_none():
    schedule = optim.ExponentialLR(make(optim), 2.0)
    with pytest.raises(ad.DomainError, match="the rate is inf"):
        schedule.step(1e6)
    assert schedule.last_epoch == 0
    for far in (
        optim.CosineAnnealingLR(make(optim), 3),
        optim.CosineAnnealingWarmRestarts(make(optim), 3, 2),
    ):
        far.step(1e308)
        assert all(0 <= rate <= 0.8 for rate in far.get_last_lr())


def test_far_steps_from_no_rate_have_none():
    optimizer = make(optim)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    schedule = optim.ExponentialLR(optimizer, gamma=10.0)
    schedule.step(10_000)
    assert schedule.get_last_lr() == [0.0] * len(optimizer.param_groups)


def test_milestones_of_a_sequence_may_be_fractions():
    """As ``0.1 * steps`` gives them."""
    optimizer = make(optim)
    parts = [optim.LinearLR(optimizer, 0.1, 1.0, 10), optim.ExponentialLR(optimizer, 0.9)]
    schedule = optim.SequentialLR(optimizer, parts, milestones=[0.1 * 100])
    for _ in range(12):
        schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(0.81 * schedule.base_lrs[0])


def test_a_formula_reads_the_rates_at_first():
    optimizer = make(optim)
    first = optimizer.param_groups[0]["lr"]
    schedule = optim.LambdaLR(optimizer, lambda t: optimizer.param_groups[0]["initial_lr"] + t)
    schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(first * (first + 1))


class Jittering(optim.LRScheduler):
    """A user's own: its state has a generator's, and a set as a list."""

    absolute = True

    def __init__(self, optimizer):
        self.generator, self.seen = np.random.default_rng(0), set()
        super().__init__(optimizer)

    def rate(self, base, t, index):  # noqa: ARG002
        self.seen.add(t)
        return base * self.generator.random()

    def state_dict(self):
        state = {**super().state_dict(), "seen": sorted(self.seen)}
        del state["generator"]
        return {**state, "random": self.generator.bit_generator.state}

    def load_state_dict(self, state):
        state = dict(state)
        self.generator.bit_generator.state = state.pop("random")
        own = {**state, "seen": set(state["seen"]), "generator": self.generator}
        for name, value in own.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    "build",
    [
        Jittering,
        lambda o: optim.ChainedScheduler([Jittering(o), optim.StepLR(o, 3)]),
        lambda o: optim.SequentialLR(o, [Jittering(o), optim.StepLR(o, 3)], [50]),
    ],
)
def test_a_users_way_of_loading_holds_for_parts_too(build):
    def rates(schedule, steps):
        found = []
        for _ in range(steps):
            schedule.step()
            found.append(schedule.get_last_lr())
        return found

    optimizer, other = make(optim), make(optim)
    schedule, resumed = build(optimizer), build(other)
    rates(schedule, 5)
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert rates(resumed, 5) == rates(schedule, 5)


def test_a_users_way_of_loading_may_change_what_is_kept():
    class Seen(optim.StepLR):
        def __init__(self, optimizer):
            self.seen = set()
            super().__init__(optimizer, 3)

        def rate(self, base, t, index):
            self.seen.add(t)
            return super().rate(base, t, index)

        def state_dict(self):
            return {**super().state_dict(), "seen": sorted(self.seen)}

        def load_state_dict(self, state):
            super().load_state_dict({**state, "seen": set(state["seen"])})

    schedule, resumed = Seen(make(optim)), Seen(make(optim))
    schedule.step()
    resumed.load_state_dict(schedule.state_dict())
    resumed.step()
    assert resumed.seen == {0, 1, 2}


def test_a_chain_saves_its_parts_alone():
    class Named(optim.ChainedScheduler):
        note = None

    optimizer = make(optim)
    schedule = Named([optim.StepLR(optimizer, 3)])
    schedule.note = abs
    assert list(schedule.state_dict()) == ["_schedulers"]


def test_a_least_rate_of_all_groups_holds_for_added_ones():
    optimizer = make(optim)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0, factor=0.1, min_lr=0.25)
    schedule.step(1.0)
    optimizer.add_param_group({"params": [nn.Parameter([1.0])], "lr": 1.0})
    for _ in range(3):
        schedule.step(1.0)
    assert optimizer.param_groups[-1]["lr"] == 0.25
    assert "_least" not in schedule.state_dict()


ANY = [
    *(
        lambda o, name=name, options=options: getattr(optim, name)(o, **options)
        for name, options in SCHEDULES
    ),
    lambda o: optim.ReduceLROnPlateau(o, patience=0, min_lr=[0.0, 0.0]),
    lambda o: warm_up(optim, o),
    lambda o: chained(optim, o),
]


@pytest.mark.parametrize("build", ANY)
def test_a_group_that_is_added_later_is_refused(build):
    optimizer = make(optim)
    schedule = build(optimizer)
    optimizer.add_param_group({"params": [nn.Parameter([1.0])]})
    before = everything(optimizer, schedule)
    metric = [1.0] if isinstance(schedule, optim.ReduceLROnPlateau) else []
    with pytest.raises(ad.OptionError, match="make schedules after all groups were added"):
        schedule.step(*metric)
    assert everything(optimizer, schedule) == before


def test_parts_of_other_groups_are_refused():
    optimizer = make(optim)
    part = optim.LambdaLR(optimizer, [abs, abs])
    optimizer.add_param_group({"params": [nn.Parameter([1.0])]})
    with pytest.raises(ad.OptionError, match="2 numbers for 3 groups"):
        optim.SequentialLR(optimizer, [part], [])


@pytest.mark.parametrize("build", ANY)
def test_states_that_are_none_load_nothing(build):
    optimizer = make(optim)
    schedule = build(optimizer)
    before = everything(optimizer, schedule)
    saved = schedule.state_dict()
    for state in [3, {}, None, *({**saved, name: {"wrong": 1}} for name in saved)]:
        with pytest.raises(ad.OptionError):
            schedule.load_state_dict(state)
        assert everything(optimizer, schedule) == before


@pytest.mark.parametrize(
    "build",
    [lambda o: optim.StepLR(o, 2), optim.ReduceLROnPlateau, lambda o: warm_up(optim, o)],
)
def test_a_state_of_other_groups_is_refused(build):
    optimizer = make(optim)
    schedule = build(optimizer)
    before = everything(optimizer, schedule)
    other = build(optim.SGD([nn.Parameter([1.0])]))
    with pytest.raises(ad.OptionError, match="has 1 numbers for 2 groups"):
        schedule.load_state_dict(other.state_dict())
    assert everything(optimizer, schedule) == before


@pytest.mark.parametrize(
    ("build", "wrong", "message"),
    [
        (lambda o: optim.StepLR(o, 2), {"step_size": 0}, "step_size is 0"),
        (lambda o: optim.StepLR(o, 2), {"base_lrs": [1.0]}, "base_lrs has 1 numbers for 2"),
        (lambda o: optim.StepLR(o, 2), {"base_lrs": ["x", 1.0]}, "base_lrs is 'x'"),
        (lambda o: optim.StepLR(o, 2), {"last_epoch": -3}, "last_epoch is -3"),
        (lambda o: optim.StepLR(o, 2), {"last_epoch": math.nan}, "last_epoch is nan"),
        (lambda o: optim.MultiStepLR(o, [2]), {"milestones": "ab"}, "'milestones' is a str"),
        (lambda o: optim.MultiStepLR(o, [2]), {"milestones": [None]}, "whole numbers"),
        (optim.LinearLR, {"start_factor": 0}, "factors are 0"),
        (lambda o: optim.CosineAnnealingLR(o, 3), {"T_max": 1.5}, "T_max is 1.5"),
        (lambda o: optim.OneCycleLR(o, 1.0, 9), {"total_steps": 7}, "has 7 steps, this one 9"),
        (lambda o: optim.OneCycleLR(o, 1.0, 9), {"_anneal_func_type": "x"}, "'x' is unknown"),
        (optim.ReduceLROnPlateau, {"mode": "x"}, "mode 'x' is unknown"),
        (optim.ReduceLROnPlateau, {"best": math.nan}, "best is nan"),
        (optim.ReduceLROnPlateau, {"patience": 1.5}, "patience is 1.5"),
        (lambda o: warm_up(optim, o), {"_milestones": [40, 8]}, r"milestones \[40, 8\]"),
    ],
)
def test_states_are_checked_as_options_are(build, wrong, message):
    optimizer = make(optim)
    schedule = build(optimizer)
    before = everything(optimizer, schedule)
    with pytest.raises((ad.OptionError, ad.DomainError), match=message):
        schedule.load_state_dict({**schedule.state_dict(), **wrong})
    assert everything(optimizer, schedule) == before


@pytest.mark.parametrize("build", [warm_up, chained])
def test_a_bad_part_of_a_state_loads_no_other(build):
    optimizer = make(optim)
    schedule = build(optim, optimizer)
    saved = schedule.state_dict()
    saved["_schedulers"][0]["start_factor"] = 0.9
    saved["_schedulers"][1] = {"x": 1}
    before = everything(optimizer, schedule)
    with pytest.raises(ad.OptionError, match="the saved state has no"):
        schedule.load_state_dict(saved)
    assert everything(optimizer, schedule) == before


def test_a_loaded_state_is_a_copy_in_the_parts_that_a_user_holds():
    optimizer = make(optim)
    parts = [optim.StepLR(optimizer, 2), optim.ExponentialLR(optimizer, 0.5)]
    schedule = optim.SequentialLR(optimizer, parts, [4])
    saved = schedule.state_dict()
    saved["_schedulers"][1]["gamma"] = 0.25
    schedule.load_state_dict(saved)
    assert parts[1].gamma == 0.25
    saved["base_lrs"][0] = 99.0
    assert schedule.base_lrs == [0.8, 0.1]


def test_the_least_rate_of_a_cosine_is_loaded_whole():
    optimizer = make(optim)
    schedule = optim.CosineAnnealingLR(optimizer, 5)
    schedule.load_state_dict({**schedule.state_dict(), "eta_min": 0.05})
    for _ in range(5):
        schedule.step()
    assert rates(optimizer) == pytest.approx([0.05, 0.05])


def test_a_chain_steps_whole_or_not_at_all():
    optimizer = make(optim)
    first = optim.ExponentialLR(optimizer, 0.5)
    chain = optim.ChainedScheduler([first, optim.LambdaLR(optimizer, lambda t: 1.0 - 2 * t)])
    before = everything(optimizer, chain)
    with pytest.raises(ad.DomainError, match="factor of step 1 is -1"):
        chain.step()
    assert everything(optimizer, chain) == before
    assert first.last_epoch == 0
