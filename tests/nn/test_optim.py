"""Optimisers: PyTorch's trajectories, groups, state dicts, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
import nn
import nn.utils
from nn import optim
from tests.nn import precisions, torch, with_torch

CONFIGURATIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.02, "amsgrad": True}),
    ("Adam", {"lr": 0.02, "maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.02}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("NAdam", {"lr": 0.02}),
    ("NAdam", {"lr": 0.02, "weight_decay": 0.1, "momentum_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.8, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.8, "eps": 1e-3}),
    ("RMSprop", {"momentum": 0.8, "centered": True, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
]
FIRST = [next(c for c in CONFIGURATIONS if c[0] == name) for name in dict(CONFIGURATIONS)]
SHAPES = [(3, 4), (5,), ()]


@pytest.fixture(autouse=True)
def _pytorch_counts_in_float64():
    """PyTorch's NAdam keeps its product of momenta in the default dtype: 1e-7 is not enough."""
    if torch is None:
        yield
        return
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Both:
    """An optimiser and PyTorch's, over parameters of the same values and noisy quadratics."""

    def __init__(self, name, options, dtype="float64", groups=()):
        rng = np.random.default_rng(5)
        values = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
        self.rng, self.name, self.options, self.groups = rng, name, options, groups
        self.ours = [nn.Parameter(value) for value in values]
        self.theirs = [torch.tensor(value, requires_grad=True) for value in values]
        self.mine, self.other = self.make(optim, self.ours), self.make(torch.optim, self.theirs)

    def make(self, library, parameters):
        if self.groups:
            parameters = [
                {"params": [parameter], **group}
                for parameter, group in zip(parameters, self.groups, strict=True)
            ]
        return getattr(library, self.name)(parameters, **self.options)

    def run(self, steps, tolerance):
        for step in range(steps):
            for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
                noise = self.rng.normal(size=p.shape).astype(p.dtype)
                p.grad, q.grad = ad.asarray(p.detach() * 0.5 + noise), q.detach() * 0.5
                q.grad += torch.tensor(noise)
                if i == 1 and step % 3 == 0:
                    p.grad = q.grad = None
            self.mine.step()
            self.other.step()
            for p, q in zip(self.ours, self.theirs, strict=True):
                expected = q.detach().numpy()
                bound = tolerance * max(1, np.abs(expected).max())
                np.testing.assert_allclose(p.detach().numpy(), expected, rtol=0, atol=bound)


@with_torch
@precisions
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=str)
def test_fifty_steps_are_pytorchs(name, options, dtype, tolerance):
    Both(name, options, dtype).run(50, tolerance)


@with_torch
@pytest.mark.parametrize(("name", "options"), FIRST, ids=str)
def test_groups_have_their_own_options_as_pytorchs(name, options):
    groups = [{}, {"lr": 0.3, "weight_decay": 0.2}, {"lr": 0.0}]
    Both(name, options, groups=groups).run(50, 1e-10)


@with_torch
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=str)
def test_pytorchs_state_loads(name, options):
    both = Both(name, options, groups=[{}, {"lr": 0.03}, {"weight_decay": 0.1}])
    both.run(20, 1e-10)
    both.options, both.groups = {}, [{}, {}, {}]
    both.mine = both.make(optim, both.ours)
    both.mine.load_state_dict(both.other.state_dict())
    both.run(30, 1e-10)


@with_torch
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=str)
def test_pytorch_loads_our_state(name, options):
    def converted(value):
        return torch.from_dlpack(value).clone() if isinstance(value, ad.Tensor) else value

    both = Both(name, options, groups=[{}, {"lr": 0.03}, {"weight_decay": 0.1}])
    both.run(20, 1e-10)
    both.options, both.groups = {}, [{}, {}, {}]
    both.other = both.make(torch.optim, both.theirs)
    saved = both.mine.state_dict()
    saved["state"] = {
        number: {key: converted(value) for key, value in state.items()}
        for number, state in saved["state"].items()
    }
    both.other.load_state_dict(saved)
    both.run(30, 1e-10)


@precisions
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("sign", [1, -1])
def test_lion_is_its_papers_algorithm(dtype, tolerance, decay, sign):
    rng = np.random.default_rng(1)
    expected = rng.normal(size=(4, 3)).astype(dtype)
    p = nn.Parameter(expected)
    optimizer = optim.Lion([p], lr=0.01, betas=(0.8, 0.95), weight_decay=decay, maximize=sign < 0)
    momentum = np.zeros_like(expected)
    for _ in range(50):
        g = sign * (expected + rng.normal(size=(4, 3)).astype(dtype))
        p.grad = ad.asarray(sign * g)
        optimizer.step()
        update = np.sign(0.8 * momentum + (1 - 0.8) * g)
        expected = expected - np.asarray(0.01 * (update + decay * expected), dtype)
        momentum = 0.95 * momentum + (1 - 0.95) * g
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=0, atol=tolerance)


@with_torch
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Adadelta"])
@pytest.mark.parametrize("shape", [(70_000,), (300, 200), (2, 3, 20_000), (40_000, 2)], ids=str)
def test_large_parameters_are_updated_whole(name, shape):
    rng = np.random.default_rng(2)
    value, gradient = rng.normal(size=shape), rng.normal(size=shape)
    for order in "CF":
        p = nn.Parameter(np.asarray(value, order=order))
        q = torch.tensor(value, requires_grad=True)
        mine, other = getattr(optim, name)([p]), getattr(torch.optim, name)([q])
        p.grad, q.grad = ad.asarray(gradient), torch.tensor(gradient)
        for _ in range(2):
            mine.step()
            other.step()
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=0, atol=1e-13)
        assert np.array_equal(p.grad.numpy(), gradient)


def rosenbrock(x, y):
    return ((1 - x) * (1 - x)).sum() + (100 * (y - x * x) * (y - x * x)).sum()


LBFGS = [
    {},
    {"lr": 0.5, "max_iter": 5, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 3, "history_size": 2, "lr": 0.7},
    {"line_search_fn": "strong_wolfe", "max_eval": 4},
]


class BothLBFGS:
    """L-BFGS and PyTorch's on two parameters; a closure for each."""

    def __init__(self, options, function=rosenbrock):
        values = np.array([-1.2, 0.7]), np.array([1.0, 0.3])
        self.function = function
        self.ours = [nn.Parameter(v) for v in values]
        self.theirs = [torch.tensor(v, requires_grad=True) for v in values]
        self.mine = optim.LBFGS(self.ours, **options)
        self.other = torch.optim.LBFGS(self.theirs, **options)

    def run(self, steps):
        for _ in range(steps):
            losses = []
            for optimizer, (x, y) in ((self.mine, self.ours), (self.other, self.theirs)):

                def closure(optimizer=optimizer, x=x, y=y):
                    optimizer.zero_grad()
                    loss = self.function(x, y)
                    loss.backward()
                    return loss

                losses.append(optimizer.step(closure).item())
            scale = max(1.0, abs(losses[1]))
            assert abs(losses[0] - losses[1]) <= 1e-8 * scale
            for p, q in zip(self.ours, self.theirs, strict=True):
                expected = q.detach().numpy()
                bound = 1e-7 * max(1.0, np.abs(expected).max())
                np.testing.assert_allclose(p.detach().numpy(), expected, rtol=0, atol=bound)


def bowl(x, y):
    return (x * x * x * x).sum() + ((y - 2) * (y - 2)).sum() + (x * y).sum() * 0.1


@with_torch
@pytest.mark.parametrize(
    ("function", "options"),
    # the valley needs a line search: without one both diverge
    [(bowl, o) for o in LBFGS] + [(rosenbrock, o) for o in LBFGS if "line_search_fn" in o],
)
def test_lbfgs_is_pytorchs(function, options):
    both = BothLBFGS(options, function)
    both.run(12)
    state, theirs = both.mine.state[both.ours[0]], both.other.state[both.theirs[0]]
    assert state["n_iter"] == theirs["n_iter"]
    assert state["func_evals"] == theirs["func_evals"]


@with_torch
@pytest.mark.parametrize("options", LBFGS[1::2], ids=str)
def test_lbfgs_loads_pytorchs_state_and_the_other_way(options):
    both = BothLBFGS(options, bowl)
    both.run(3)
    saved = both.other.state_dict()
    ours = both.mine.state_dict()
    both.mine = optim.LBFGS(both.ours)
    both.mine.load_state_dict(saved)
    both.run(3)

    def converted(value):
        if isinstance(value, list):
            return [converted(v) for v in value]
        return torch.tensor(value.numpy()) if isinstance(value, ad.Tensor) else value

    ours = both.mine.state_dict()
    ours["state"][0] = {k: converted(v) for k, v in ours["state"][0].items()}
    both.other = torch.optim.LBFGS(both.theirs)
    both.other.load_state_dict(ours)
    both.run(3)


def test_lbfgs_bad_input():
    p = nn.Parameter([1.0])
    with pytest.raises(ad.OptionError, match="step needs a closure"):
        optim.LBFGS([p]).step()
    with pytest.raises(ad.OptionError, match="only one group"):
        optim.LBFGS([{"params": [p]}, {"params": [nn.Parameter([2.0])]}])
    with pytest.raises(ad.OptionError, match="line search 'armijo' is unknown"):
        optim.LBFGS([p], line_search_fn="armijo")
    with pytest.raises(ad.DomainError, match="max_iter is 0"):
        optim.LBFGS([p], max_iter=0)
    with pytest.raises(ad.ShapeError, match="the parameters have 1 elements"):
        optim.LBFGS([p]).load_state_dict(
            {
                "state": {0: {"d": ad.zeros(3)}},
                "param_groups": [{**optim.LBFGS([p]).defaults, "params": [0]}],
            }
        )


def test_lbfgs_comes_back_when_the_closure_fails():
    p = nn.Parameter([3.0, -2.0])
    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")
    calls = []

    def closure():
        calls.append(p.tolist())
        if len(calls) == 2:
            raise ZeroDivisionError
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with pytest.raises(ZeroDivisionError):
        optimizer.step(closure)
    assert calls[1] != [3.0, -2.0]
    assert p.tolist() == [3.0, -2.0]


@pytest.mark.parametrize(
    ("name", "options"), [*CONFIGURATIONS, ("Lion", {"lr": 0.1, "weight_decay": 0.1})], ids=str
)
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


@with_torch
@pytest.mark.parametrize("norm", [2.0, 1, 3.0, float("inf")])
@pytest.mark.parametrize("bound", [0.5, 1e3, 0.0])
def test_clipping_the_norm_is_pytorchs(norm, bound):
    rng = np.random.default_rng(0)
    shapes = [*SHAPES, (0, 2)] if norm < 3 else SHAPES  # PyTorch has no largest of nothing
    gradients = [rng.normal(size=shape) for shape in shapes]
    ours = [nn.Parameter(np.zeros_like(g)) for g in gradients] + [nn.Parameter([1.0])]
    theirs = [torch.zeros(g.shape, requires_grad=True) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=False):
        p.grad, q.grad = ad.asarray(g), torch.tensor(g)
    total = optim.clip_grad_norm_(ours, bound, norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, bound, norm)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for p, q in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)
    assert ours[-1].grad is None


def test_clipping_values_and_edges():
    p = nn.Parameter([1.0, 2.0, 3.0])
    assert nn.utils.clip_grad_norm_([p], 1.0).item() == 0
    p.grad = ad.tensor([-5.0, 0.5, 9.0])
    nn.utils.clip_grad_value_(p, 2)
    assert p.grad.tolist() == [-2.0, 0.5, 2.0]
    p.grad = ad.tensor([float("nan"), 1.0, 1.0])
    with pytest.raises(ad.DomainError, match=r"norm of the gradients is nan.*detect_anomaly"):
        nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[1:] == [1.0, 1.0]
    assert np.isnan(nn.utils.clip_grad_norm_([p], 1.0).item())
    assert np.isnan(p.grad.numpy()).all()
    with pytest.raises(ad.DomainError, match="max_norm is -1"):
        nn.utils.clip_grad_norm_([p], -1)
    with pytest.raises(ad.DomainError, match="clip_value is nan"):
        nn.utils.clip_grad_value_([p], float("nan"))


def test_zeroing_forgets_nans():
    p = nn.Parameter([1.0])
    p.grad = ad.tensor([float("nan")])
    optim.SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]


def test_equal_gradients_have_no_variance():
    p = nn.Parameter(np.full(1000, 0.1, "float32"))
    optimizer = optim.RMSprop([p], centered=True, alpha=0.5)
    for _ in range(50):
        p.grad = ad.full((1000,), 0.1)
        optimizer.step()
    assert np.isfinite(p.detach().numpy()).all()


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
        (lambda p: optim.Adam([p], betas=(0.9, float("nan"))), ad.DomainError, "betas"),
        (lambda p: optim.Adam([p], betas=(0.9,)), ad.DomainError, "Give 2 numbers, each from 0"),
        (lambda p: optim.Adam([p], eps=-1), ad.DomainError, "eps"),
        (lambda p: optim.AdamW([p], lr=-1), ad.DomainError, "AdamW: lr is -1"),
        (lambda p: optim.NAdam([p], momentum_decay=-1), ad.DomainError, "NAdam: momentum_decay"),
        (lambda p: optim.RMSprop([p], alpha=1.0), ad.DomainError, "alpha is 1.0. Give a number fr"),
        (lambda p: optim.RMSprop([p], momentum=-1), ad.DomainError, "RMSprop: momentum is -1"),
        (lambda p: optim.Adagrad([p], lr_decay=-1), ad.DomainError, "Adagrad: lr_decay is -1"),
        (lambda p: optim.Adadelta([p], rho=2), ad.DomainError, "Adadelta: rho is 2"),
        (lambda p: optim.Lion([p], betas=(0.9, -1)), ad.DomainError, "Lion: betas is"),
        (lambda p: optim.LBFGS([p], lr=-1), ad.DomainError, "LBFGS: lr is -1"),
        (lambda p: optim.SGD([p], lr="fast"), ad.DomainError, "SGD: lr is 'fast'"),
        (lambda p: optim.Adam([p], weight_decay=-1), ad.DomainError, "weight_decay"),
        (lambda p: optim.Adam([{"params": [p], "rate": 1}]), ad.OptionError, "'rate'"),
        (lambda _: optim.Adam([{"lr": 1}]), ad.OptionError, "no 'params'"),
        (lambda p: optim.Adam([p * 2]), ad.DTypeError, "no operation made"),
        (lambda p: optim.Adam([p.detach()]), ad.DTypeError, "requires_grad=True"),
        (lambda _: optim.Adam([3.0]), ad.DTypeError, "Python float can't be updated"),
        (lambda _: optim.SGD([("w",)]), ad.DTypeError, "tuple can't be updated"),
        (lambda _: optim.SGD([()]), ad.DTypeError, "tuple can't be updated"),
        (lambda p: optim.SGD([{"params": p, "lr": 10**400}]), ad.DomainError, "SGD: lr is 10"),
        (lambda p: optim.Adam([{"params": p, "betas": (10**400, 0.9)}]), ad.DomainError, "betas"),
        (
            lambda p: optim.LBFGS([{"params": p, "line_search_fn": np.ones(2)}]),
            ad.OptionError,
            "the line search array",
        ),
        (lambda p: optim.LBFGS([p], history_size=0), ad.DomainError, "history_size is 0"),
        (
            lambda p: optim.LBFGS([{"params": p, "max_iter": 1.5}]),
            ad.OptionError,
            "LBFGS: max_iter is 1.5. Give a whole number",
        ),
        (
            lambda p: optim.Adam([{"params": p, "amsgrad": np.ones(3)}]),
            ad.OptionError,
            "Adam: amsgrad is .* Give True or False",
        ),
        (
            lambda p: optim.RMSprop([{"params": p, "centered": "no"}]),
            ad.OptionError,
            "RMSprop: centered is 'no'",
        ),
        (
            lambda _: optim.SGD([ad.asarray(np.broadcast_to(1.0, 3)).requires_grad_()]),
            ad.DTypeError,
            r"\(3,\) float64 is on read-only memory. Give a copy",
        ),
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
    half = optimizer.state_dict()
    del half["state"][0]["exp_avg_sq"]
    with pytest.raises(ad.OptionError, match=r"state of parameter 0 has no 'exp_avg_sq'"):
        optim.Adam([p]).load_state_dict(half)
    with pytest.raises(ad.OptionError, match=r"SGD: a saved group has no 'momentum'"):
        optim.SGD([nn.Parameter([1.0, 2.0])]).load_state_dict(optimizer.state_dict())
    with pytest.raises(ad.OptionError, match="Use Adam, whose decay is a penalty"):
        optim.AdamW([nn.Parameter([1.0, 2.0])]).load_state_dict(optimizer.state_dict())
    saved = optimizer.state_dict()
    saved["param_groups"][0]["lr"] = -1.0
    with pytest.raises(ad.DomainError, match="Adam: lr is -1"):
        optim.Adam([p]).load_state_dict(saved)
    with pytest.raises(ad.OptionError, match=r"have \[1\] parameters, these \[2\]"):
        optim.Adam([p, nn.Parameter([1.0])]).load_state_dict(optimizer.state_dict())


NAN = [float("nan"), 1.0]
BROKEN = [
    ("Adam", {"step": -1}, ad.DomainError, "the state of parameter 0: step is -1"),
    ("Adam", {"step": float("nan")}, ad.DomainError, "step is nan"),
    ("Adam", {"step": "x"}, ad.DomainError, "step is 'x'"),
    ("Adam", {"step": None}, ad.OptionError, "parameter 0 has no 'step'"),
    ("Adam", {"exp_avg": "x"}, ad.OptionError, "parameter 0 has str as 'exp_avg'"),
    ("Adam", {"exp_avg": 2.0}, ad.OptionError, "has Python float as 'exp_avg'"),
    ("Adam", {"exp_avg": ad.tensor(2.0)}, ad.ShapeError, r"exp_avg is \(\) float32"),
    ("Adam", {"exp_avg": ad.tensor(NAN)}, ad.DomainError, "'exp_avg' has NaN"),
    ("Adam", {"exp_avg_sq": ad.tensor([1.0, -1.0])}, ad.DomainError, "has numbers below 0"),
    ("NAdam", {"mu_product": 1.5}, ad.DomainError, "mu_product is 1.5"),
    ("SGD", {"momentum_buffer": ad.tensor(NAN)}, ad.DomainError, "'momentum_buffer' has NaN"),
    ("Adagrad", {"sum": ad.tensor(NAN)}, ad.DomainError, "'sum' has NaN"),
    ("LBFGS", {"func_evals": None}, ad.OptionError, "has no 'func_evals'"),
    ("LBFGS", {"n_iter": "x"}, ad.DomainError, "n_iter is 'x'"),
    ("LBFGS", {"d": None}, ad.OptionError, "has no 'd'"),
    ("LBFGS", {"t": None}, ad.OptionError, "has no 't'"),
    ("LBFGS", {"d": 1.0}, ad.OptionError, "has Python float as 'd'"),
    ("LBFGS", {"ro": [1.0] * 99}, ad.OptionError, "no lists of one length"),
    ("LBFGS", {"old_dirs": 3}, ad.OptionError, "no lists of one length"),
    ("LBFGS", {"H_diag": -1.0}, ad.DomainError, "H_diag is -1.0"),
    (
        "LBFGS",
        {"old_dirs": [ad.zeros(2)], "old_stps": [ad.zeros(2)], "ro": ["x"]},
        ad.DomainError,
        "ro is 'x'",
    ),
]


def stepped(name):
    p = nn.Parameter([1.0, 2.0])
    optimizer = getattr(optim, name)([p], **({"momentum": 0.9} if name == "SGD" else {}))

    def closure():
        optimizer.zero_grad()
        loss = (p * p * p * p).sum()
        loss.backward()
        return loss

    if name == "LBFGS":
        optimizer.defaults["max_iter"] = optimizer.param_groups[0]["max_iter"] = 4
    for _ in range(2):
        optimizer.step(closure)
    return optimizer


@pytest.mark.parametrize(("name", "wrong", "error", "message"), BROKEN)
def test_a_broken_state_loads_nothing(name, wrong, error, message):
    saved, other = stepped(name).state_dict(), stepped(name)
    saved["param_groups"][0]["lr"] = 0.625
    saved["state"][0].update(wrong)
    before = str(other.state_dict())
    with pytest.raises(error, match=message):
        other.load_state_dict(saved)
    assert str(other.state_dict()) == before


@pytest.mark.parametrize("members", [3, None, [[1]], "x"])
def test_a_group_without_numbers_of_parameters_is_no_state(members):
    optimizer = stepped("Adam")
    saved = optimizer.state_dict()
    saved["param_groups"][0]["params"] = members
    with pytest.raises(ad.OptionError, match="no saved state"):
        optimizer.load_state_dict(saved)


def test_saved_options_are_checked_as_new_ones():
    for name, wrong, message in [
        ("LBFGS", {"max_iter": 1.5}, "max_iter is 1.5"),
        ("Adam", {"maximize": np.ones(3)}, "maximize is"),
    ]:
        optimizer = stepped(name)
        saved = optimizer.state_dict()
        saved["param_groups"][0].update(wrong)
        with pytest.raises(ad.OptionError, match=message):
            optimizer.load_state_dict(saved)


def test_a_state_without_anything_is_none():
    p = nn.Parameter([1.0])
    optimizer = optim.LBFGS([p])
    saved = {**optimizer.state_dict(), "state": {0: {"func_evals": None}}}
    optimizer.load_state_dict(saved)
    assert optimizer.state == {}


def test_a_parameter_of_another_shape_is_named():
    a, b = nn.Parameter([1.0]), nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([{"params": [a]}, {"params": [b]}], momentum=0.9)
    b.grad = ad.ones(2)
    optimizer.step()
    b.requires_grad_(False).data = ad.ones(3)
    b.requires_grad_().grad = ad.ones(3)
    with pytest.raises(ad.ShapeError, match=r"SGD: parameter 1 is \(3,\) float32.*\(2,\)"):
        optimizer.step()


class Steady(optim.Adam):
    """A user's own: it counts nothing."""

    def numbers(self, state, group):  # noqa: ARG002
        return (*group["betas"], group["eps"], group["lr"])

    def update(self, parameter, gradient, memory, numbers):
        average, _ = memory
        average += gradient
        parameter -= numbers[-1] * average


class Signed(optim.Optimizer):
    """A user's own: what it calls a sum may be below 0, and NaN says that nothing was yet."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})

    def memory(self, group):  # noqa: ARG002
        return {"sum": 0.0, "last": math.nan}

    def update(self, parameter, gradient, memory, numbers):
        memory[0] -= ad.abs(gradient)
        parameter -= numbers * gradient


@pytest.mark.parametrize("kind", [Steady, Signed])
def test_a_users_own_optimizer_loads_its_state(kind):
    def run(optimizer, p, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
        return p.tolist()

    p, q = nn.Parameter([1.0, -2.0]), nn.Parameter([1.0, -2.0])
    optimizer, resumed = kind([p]), kind([q])
    run(optimizer, p, 3)
    with ad.no_grad():
        q.copy_(p)
    resumed.load_state_dict(optimizer.state_dict())
    assert run(resumed, q, 3) == run(optimizer, p, 3)


def test_a_switch_may_be_0_or_1():
    """As PyTorch takes it."""
    p = nn.Parameter([1.0])
    optimizer = optim.Adam([{"params": [p], "amsgrad": 1}])
    optimizer.param_groups[0]["maximize"] = 0
    optimizer.load_state_dict(optimizer.state_dict())
    with pytest.raises(ad.OptionError, match="amsgrad is 2"):
        optim.Adam([{"params": [p], "amsgrad": 2}])


def test_frozen_parameters_wait_in_the_optimizer():
    """For fine-tuning: they are thawed later. Numbered as PyTorch numbers them."""
    frozen, free = nn.Parameter([1.0]), nn.Parameter([1.0])
    frozen.requires_grad = False
    optimizer = optim.Adam([frozen, free], lr=0.1)
    (frozen * free).sum().backward()
    optimizer.step()
    assert frozen.tolist() == [1.0]
    assert list(optimizer.state_dict()["state"]) == [1]
    frozen.requires_grad = True
    optimizer.zero_grad()
    (frozen * free).sum().backward()
    optimizer.step()
    assert frozen.item() == pytest.approx(0.9)
    with pytest.raises(ad.DTypeError, match=r"can't be updated"):
        optim.Adam([ad.ones(3)])
