"""How often gradient checkers catch one wrong entry among 9,900, and cry wolf where none is.

    python -m benchmarks.gradcheck             # the table against the peers, 300 trials
    python -m benchmarks.gradcheck --planted --trials 100   # misses, false alarms, by kind
    python -m benchmarks.gradcheck --primitives --trials 3  # false alarms on all primitives

The network is an MLP 89-89-21 with tanh (9,900 parameters) and cross-entropy on eight
examples, in float64. In each trial the weights, the data and the entry whose gradient is one
per cent off are drawn anew. Every checker runs with its own default tolerances, in its mode
of random projections: PyTorch's ``gradcheck(fast_mode=True)``, JAX's and HIPS autograd's
``check_grads``. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from itertools import pairwise

import numpy as np

import autodiff as ad

SIZES = (89, 89, 21)
BATCH = 8


def draw(seed):
    """Weights, data, and which entry of which parameter is planted wrong."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((BATCH, SIZES[0]))
    labels = np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], BATCH)]
    parameters = []
    for m, n in pairwise(SIZES):
        parameters += [rng.standard_normal((m, n)) / np.sqrt(m), 0.1 * rng.standard_normal(n)]
    sizes = [p.size for p in parameters]
    flat = int(rng.integers(sum(sizes)))
    which = int(np.searchsorted(np.cumsum(sizes), flat, "right"))
    return x, labels, parameters, (which, flat - sum(sizes[:which]))


def scaled(gradient, where):
    """The gradient with one entry one per cent off."""
    flat = gradient.reshape(-1).copy()
    flat[where] *= 1.01
    return flat.reshape(gradient.shape)


def network(xp_tanh, log_softmax, x, labels, parameters):
    w1, b1, w2, b2 = parameters
    scores = xp_tanh(x @ w1 + b1) @ w2 + b2
    return -(labels * log_softmax(scores)).sum() / BATCH


def ours(seed, plant):
    x, labels, parameters, (which, where) = draw(seed)

    @ad.primitive
    def planted(xp, p, /):
        return p * 1.0

    @planted.vjp
    def _(xp, g):
        return scaled(g, where)

    def loss(*parameters):
        parameters = list(parameters)
        if plant:
            parameters[which] = planted(parameters[which])
        return network(ad.tanh, lambda s: ad.log_softmax(s, axis=-1), x, labels, parameters)

    report = ad.gradcheck(loss, parameters, mode="fast", raises=False, seed=seed)
    named = [(int(entry.name == f"input {which}"), entry.index) for entry in report.wrong]
    index = tuple(int(i) for i in np.unravel_index(where, parameters[which].shape))
    return report.ok, named == [(1, index)]


def torch(seed, plant):
    import torch

    x, labels, parameters, (which, where) = draw(seed)
    x, labels = torch.tensor(x), torch.tensor(labels)
    leaves = [torch.tensor(p, requires_grad=True) for p in parameters]

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, p):
            return p.clone()

        @staticmethod
        def backward(ctx, g):
            g = g.clone()
            g.view(-1)[where] *= 1.01
            return g

    def loss(*parameters):
        parameters = list(parameters)
        if plant:
            parameters[which] = Planted.apply(parameters[which])
        return network(torch.tanh, lambda s: torch.log_softmax(s, -1), x, labels, parameters)

    ok = torch.autograd.gradcheck(loss, leaves, fast_mode=True, raise_exception=False)
    return ok, False


def hips(seed, plant):
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive
    from autograd.scipy.special import logsumexp
    from autograd.test_util import check_grads

    x, labels, parameters, (which, where) = draw(seed)

    @primitive
    def planted(p):
        return p * 1.0

    defvjp(planted, lambda out, p: lambda g: scaled(g, where))

    def loss(*parameters):
        parameters = list(parameters)
        if plant:
            parameters[which] = planted(parameters[which])
        return network(
            anp.tanh,
            lambda s: s - logsumexp(s, axis=-1, keepdims=True),
            x,
            labels,
            parameters,
        )

    np.random.seed(seed)  # noqa: NPY002 - the peer draws from it
    try:
        check_grads(loss, modes=["rev"], order=1)(*parameters)
    except AssertionError:
        return False, False
    return True, False


def jax(seed, plant):
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    x, labels, parameters, (which, where) = draw(seed)

    @jax.custom_vjp
    def planted(p):
        return p * 1.0

    def backward(_, g):
        return (g.reshape(-1).at[where].multiply(1.01).reshape(g.shape),)

    planted.defvjp(lambda p: (planted(p), None), backward)

    def loss(*parameters):
        parameters = list(parameters)
        if plant:
            parameters[which] = planted(parameters[which])
        return network(jax.numpy.tanh, jax.nn.log_softmax, x, labels, parameters)

    try:
        check_grads(loss, tuple(map(jax.numpy.asarray, parameters)), 1, ("rev",))
    except AssertionError:
        return False, False
    return True, False


CHECKERS = {
    "autodiff.gradcheck(mode='fast')": (None, ours),
    "torch.autograd.gradcheck(fast_mode=True)": ("torch", torch),
    "HIPS autograd check_grads(modes=['rev'])": ("autograd", hips),
    "jax.test_util.check_grads(modes='rev')": ("jax", jax),
}


def table(trials):
    """Print how many of the planted errors each checker caught, and its false alarms."""
    print(f"one entry of 9,900 wrong by 1 %, {trials} trials; and {trials} without an error")
    print(f"{'checker':42}{'caught':>9}{'named':>9}{'alarms':>9}{'ms right':>10}{'wrong':>7}")
    for name, (package, check) in CHECKERS.items():
        if package is not None and importlib.util.find_spec(package) is None:
            print(f"{name:42}{'not installed':>18}")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(0, True)  # warm up
            start = time.perf_counter()
            right = [check(seed, False) for seed in range(trials)]
            passing = 1e3 * (time.perf_counter() - start) / trials
            start = time.perf_counter()
            wrong = [check(seed, True) for seed in range(trials)]
            failing = 1e3 * (time.perf_counter() - start) / trials
        caught = 100 * sum(not ok for ok, _ in wrong) / trials
        named = 100 * sum(found for _, found in wrong) / trials
        alarms = 100 * sum(not ok for ok, _ in right) / trials
        row = f"{name:42}{caught:7.1f} %{named:7.1f} %{alarms:7.1f} %{passing:10.1f}{failing:7.1f}"
        print(row, flush=True)


def planted(trials):
    """Print the rates on the suite's planted errors and on its hard but right functions."""
    from tests.gradcheck import test_gradcheck_kinks_meet as meeting
    from tests.gradcheck.planted import RIGHT, WRONG

    wrong = WRONG | {f"kinks that meet, {name}": make for name, make in meeting.WRONG.items()}
    right = RIGHT | {f"kinks that meet, {name}": make for name, make in meeting.RIGHT.items()}
    for heading, kinds, bad in (("missed", wrong, True), ("false alarms", right, False)):
        print(f"{heading + f', of {trials} seeds':52}{'full':>8}{'fast':>8}")
        total = np.zeros(2, int)
        for name, make in kinds.items():
            rates = []
            for mode in ("full", "fast"):
                count = 0
                for seed in range(trials):
                    f, inputs = make(np.random.default_rng(seed))
                    report = ad.gradcheck(f, inputs, mode=mode, raises=False, seed=seed)
                    count += report.ok if bad else bool(report.wrong)
                rates.append(count)
            total += rates
            print(f"{name:52}{rates[0]:8}{rates[1]:8}", flush=True)
        of = f"of all {len(kinds) * trials:,}"
        print(f"{of:52}{total[0]:8}{total[1]:8}", flush=True)


def primitives(trials):
    """Print how often a case of the suite's, with its operands drawn anew, is called wrong."""
    from tests.test_primitives import CASES, apply, differentiable, floating, variable

    checks = wrong = unresolved = 0
    for case in (case for case in CASES if differentiable(case)):
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            made = [np.asarray(make(rng)) if callable(make) else make for make in case.operands]
            positions = [i for i, x in enumerate(made) if variable(x) and x.size]
            if not positions:
                break

            def f(*values, case=case, made=made, positions=positions):
                filled = list(made)
                for i, value in zip(positions, values, strict=True):
                    filled[i] = value
                return floating(apply(case, filled))

            for dtype in (np.float64, np.float32):
                if dtype == np.float32 and not case.float32:
                    continue
                inputs = [made[i].astype(dtype) for i in positions]
                report = ad.gradcheck(f, inputs, raises=False, seed=seed)
                checks += 1
                unresolved += bool(report.unresolvable)
                if report.wrong:
                    wrong += 1
                    print(f"{case}, seed {seed}, {dtype.__name__}", flush=True)
    print(f"{checks:,} checks of {len(CASES):,} cases: {wrong} called wrong, ", end="")
    print(f"{unresolved:,} with entries that could not be resolved")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--primitives", action="store_true")
    options = parser.parse_args()
    chosen = planted if options.planted else primitives if options.primitives else table
    chosen(options.trials)
