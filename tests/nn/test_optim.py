"""Optimisers: PyTorch's trajectories, groups, state dicts, bad input."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import optim
from tests.nn import torch, with_torch

CONFIGURATIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
]


def problem():
    rng = np.random.default_rng(5)
    return rng.normal(size=(16, 4)), rng.integers(0, 3, 16), rng.normal(size=(3, 4)), np.zeros(3)


@with_torch
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=str)
def test_fifty_steps_are_pytorchs(name, options):
    x, target, weight, bias = problem()
    ours = [nn.Parameter(weight), nn.Parameter(bias)]
    theirs = [torch.tensor(weight, requires_grad=True), torch.tensor(bias, requires_grad=True)]
    mine = getattr(optim, name)(ours, **options)
    other = getattr(torch.optim, name)(theirs, **options)
    for _ in range(50):
        mine.zero_grad()
        other.zero_grad()
        nn.cross_entropy(ad.asarray(x) @ ours[0].mT + ours[1], target).backward()
        logits = torch.tensor(x) @ theirs[0].mT + theirs[1]
        torch.nn.functional.cross_entropy(logits, torch.tensor(target)).backward()
        mine.step()
        other.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=1e-10)


@with_torch
def test_groups_have_their_own_options_as_pytorchs():
    _, _, weight, bias = problem()
    ours = [nn.Parameter(weight), nn.Parameter(bias)]
    theirs = [torch.tensor(weight, requires_grad=True), torch.tensor(bias, requires_grad=True)]
    results = []
    for library, (w, b) in ((optim, ours), (torch.optim, theirs)):
        groups = [{"params": [w]}, {"params": b, "lr": 0.5, "weight_decay": 0.1}]
        optimizer = library.Adam(groups, lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            ((w * w).sum() + (b - 1).sum()).backward()
            optimizer.step()
        results.append([w.detach().numpy(), b.detach().numpy()])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


@with_torch
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS[1::3], ids=str)
def test_state_dicts_are_pytorchs(name, options):
    theirs = torch.tensor([1.0, -2.0], requires_grad=True)
    other = getattr(torch.optim, name)([theirs], **options)
    ours = nn.Parameter([1.0, -2.0])
    mine = getattr(optim, name)([ours], lr=9.0)
    for _ in range(3):
        (theirs * theirs).sum().backward()
        other.step()
    with ad.no_grad():
        ours.copy_(theirs.detach().numpy())
    saved = other.state_dict()
    known = set(mine.defaults) | {"params"}
    groups = [{k: v for k, v in g.items() if k in known} for g in saved["param_groups"]]
    mine.load_state_dict({"state": saved["state"], "param_groups": groups})
    ours.grad, theirs.grad = ad.tensor([0.5, 0.25]), torch.tensor([0.5, 0.25])
    mine.step()
    other.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=str)
def test_a_loaded_optimizer_continues_bit_for_bit(name, options):
    def steps(parameter, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            (parameter * parameter * parameter).sum().backward()
            optimizer.step()

    through = nn.Parameter([0.5, -0.7])
    optimizer = getattr(optim, name)([through], **options)
    steps(through, optimizer, 4)
    copied = nn.Parameter(through.detach())
    other = getattr(optim, name)([copied], lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    steps(through, optimizer, 4)
    steps(copied, other, 4)
    assert through.tolist() == copied.tolist()


def test_parameters_without_a_gradient_rest():
    a, b = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.Adam([("a", a), ("b", b)], lr=0.1)
    (a * 2).sum().backward()
    assert optimizer.step(lambda: 5.0) == 5.0
    assert a.item() != 1.0
    assert b.item() == 1.0
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.item() == 0
    assert b.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_dtype_and_identity_stay():
    p = nn.Parameter([1.0, 2.0])
    array = p.array
    for optimizer in (optim.SGD([p], momentum=0.9, nesterov=True), optim.Adam([p])):
        (p * p).sum().backward()
        optimizer.step()
        assert p.array is array
        assert p.dtype == np.float32
        assert all(
            s.dtype == np.float32 for s in optimizer.state[p].values() if hasattr(s, "dtype")
        )


def test_a_step_between_forward_and_backward_is_found():
    p = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([p], lr=0.1)
    (p * p).sum().backward()
    loss = (p * p).sum()
    optimizer.step()
    with pytest.raises(ad.MutationError, match="multiply"):
        loss.backward()


def test_repr():
    text = repr(optim.SGD(nn.Linear(2, 3).parameters(), lr=0.1))
    assert text.startswith("SGD(9 parameters, lr=0.1, momentum=0.0")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda _: optim.SGD([], lr=0.1), ad.OptionError, "SGD: there are no parameters"),
        (optim.SGD, ad.OptionError, "Give a list"),
        (lambda _: optim.SGD(3), ad.OptionError, "are one int. Give a list"),
        (
            lambda _: optim.SGD(nn.Linear(1, 1)),
            ad.OptionError,
            r"one Linear.*model\.param",
        ),
        (
            lambda _: optim.SGD([{"params": nn.Linear(1, 1)}]),
            ad.OptionError,
            r"one Linear.*module\.parameters\(\)",
        ),
        (lambda _: optim.SGD(["w"]), ad.DTypeError, "SGD: str can't be updated"),
        (lambda p: optim.SGD([p, p]), ad.OptionError, "given twice"),
        (lambda p: optim.SGD([p], lr=-1), ad.DomainError, "SGD: lr is -1. Give a number of 0"),
        (lambda p: optim.SGD([p], lr=float("nan")), ad.DomainError, "lr is nan"),
        (lambda p: optim.SGD([p], momentum=-0.1), ad.DomainError, "momentum is -0.1"),
        (lambda p: optim.SGD([p], nesterov=True), ad.OptionError, "Give a momentum above 0"),
        (lambda p: optim.Adam([p], lr=-1), ad.DomainError, "Adam: lr is -1"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ad.DomainError, "betas"),
        (lambda p: optim.Adam([p], eps=-1), ad.DomainError, "eps"),
        (lambda p: optim.Adam([p], weight_decay=-1), ad.DomainError, "weight_decay"),
        (lambda p: optim.Adam([{"params": [p], "rate": 1}]), ad.OptionError, "'rate'"),
        (lambda _: optim.Adam([{"lr": 1}]), ad.OptionError, "no 'params'"),
        (lambda p: optim.Adam([p * 2]), ad.DTypeError, "no operation made"),
        (lambda p: optim.Adam([p.detach()]), ad.DTypeError, "requires_grad=True"),
        (lambda _: optim.Adam([3.0]), ad.DTypeError, "Python float can't be updated"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make(nn.Parameter([1.0]))


def test_foreign_state_is_refused():
    p = nn.Parameter([1.0, 2.0])
    optimizer = optim.Adam([p])
    (p * p).sum().backward()
    optimizer.step()
    other = optim.Adam([nn.Parameter([1.0, 2.0, 3.0])])
    with pytest.raises(ad.ShapeError, match=r"exp_avg is \(2,\) float32, its parameter \(3,\)"):
        other.load_state_dict(optimizer.state_dict())
    assert other.state == {}
    with pytest.raises(ad.OptionError, match=r"have \[1\] parameters, these \[2\]"):
        optim.Adam([p, nn.Parameter([1.0])]).load_state_dict(optimizer.state_dict())
