"""Several operations that bend at one point: no false alarm, and no wrong choice is missed."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from tests.gradcheck.planted import seeds_in, some_and_all

SEEDS = 100


@ad.primitive
def wrong_relu(xp, x, /):
    """The relu, whose rule gives 1.3 at 0."""
    return xp.maximum(x, 0)


@wrong_relu.vjp
def _(xp, g, x):
    return g * xp.where(x == 0, 1.3, x > 0)


@wrong_relu.branches
def _(out, x):
    return np.sign(x)


def _stack(rng):
    return lambda x: ad.stack([ad.relu(x), -2 * ad.abs(x), ad.leaky_relu(3 * x)]), np.zeros(2)


def _layer(rng):
    weight = rng.standard_normal((2, 3))
    return lambda x: ad.relu(x @ weight), np.zeros((1, 2))


def _weight(rng):
    x = rng.standard_normal((3, 2))
    return lambda w: ad.relu(x @ w), np.zeros((2, 1))


def _network(rng):
    first, second = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    return lambda x: ad.relu(x @ first) @ second, np.zeros((1, 2))


def _loss(rng):
    first, second = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    return lambda x: ad.tanh(ad.relu(x @ first) @ second).sum() + x.sum(), np.zeros((1, 2))


def _deep(rng):
    a, b, c = rng.standard_normal((2, 3)), rng.standard_normal((3, 2)), rng.standard_normal((2, 2))
    return lambda x: ad.leaky_relu(ad.leaky_relu(x @ a, 0.1) @ b, 0.2) @ c, np.zeros((1, 2))


def _ties(rng):
    w, v = rng.standard_normal(4), rng.standard_normal((4, 2))
    return lambda x: ad.concat([ad.sort(x) * w, ad.sort(x) @ v]), np.array([1.0, 1.0, 2.0, 1.0])


def _numbers(rng):
    return lambda x: (ad.relu(x), ad.abs(x) + 1j * ad.relu(-x), x * x), np.zeros(2)


RIGHT = {
    "outputs": _stack,
    "a layer at zeros": _layer,
    "a weight of zeros": _weight,
    "a network at zeros": _network,
    "a loss at zeros": _loss,
    "kinks of kinks": _deep,
    "a sort with ties": _ties,
    "several outputs, one complex": _numbers,
}


@some_and_all
@pytest.mark.parametrize("kind", RIGHT)
def test_kinks_that_meet_are_no_false_alarm(kind, part):
    for seed in seeds_in(part, SEEDS):
        f, x = RIGHT[kind](np.random.default_rng(seed))
        mode = ("full", "fast")[seed % 2]
        report = ad.gradcheck(f, x, mode=mode, raises=False, seed=seed)
        assert report.ok, f"seed {seed}\n{report}"
        assert report.kinks


def _wrong_beside(rng):
    return lambda x: ad.stack([wrong_relu(x), ad.abs(x)]), np.zeros(2)


def _wrong_layer(rng):
    weight = rng.standard_normal((2, 3))
    return lambda x: wrong_relu(x @ weight), np.zeros((1, 2))


def _wrong_network(rng):
    first, second = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    return lambda x: (wrong_relu(x @ first) @ second).sum(), np.zeros((1, 2))


WRONG = {"outputs": _wrong_beside, "a layer": _wrong_layer, "a network": _wrong_network}


@some_and_all
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_choice_among_kinks_that_meet_is_caught_and_named(kind, part):
    for seed in seeds_in(part, SEEDS):
        f, x = WRONG[kind](np.random.default_rng(seed))
        mode = ("full", "fast")[seed % 2]
        report = ad.gradcheck(f, x, mode=mode, raises=False, seed=seed)
        assert report.wrong, f"seed {seed}\n{report}"
        assert report.guilty.operation == "wrong_relu"
        text = " ".join(str(report).split())
        assert "wrong_relu for its operand 'x' gives 1.3 at a kink, which is no subgradient" in text
        assert "(the nearest is 1): called at" in text
        assert "test_gradcheck_kinks_meet.py:" in text


def test_choices_that_together_are_none_of_f():
    report = ad.gradcheck(lambda x: ad.relu(x) - ad.relu(-x), np.zeros(2), raises=False)
    assert len(report.wrong) == 2
    assert report.guilty is None
    assert "together they give none of f's" in " ".join(str(report).split())


def test_an_output_at_a_kink_is_named():
    report = ad.gradcheck(lambda x: ad.stack([wrong_relu(x), ad.abs(x)]), np.zeros(1), raises=False)
    (entry,) = report.wrong
    assert (entry.computed, entry.expected) == (pytest.approx(1.3), pytest.approx(1.0))
    assert "slopes 0 and 1 of output [0, 0] alone" in entry.reason


def test_kinks_fail_says_why():
    report = ad.gradcheck(ad.relu, np.zeros(1), kinks="fail", raises=False)
    (entry,) = report.wrong
    assert (entry.computed, entry.expected, entry.error) == (0.0, 1.0, 1.0)
    assert entry.ratio > 1
    assert "at a kink with slopes 0 and 1, and kinks='fail'" in " ".join(str(report).split())


def test_a_choice_of_operations_is_none_of_f_but_right():
    report = ad.gradcheck(lambda x: ad.relu(x) - ad.relu(-x) / 2, np.zeros(2))
    assert {entry.verdict for entry in report.entries} == {"kink"}
    assert all("at a kink with slopes" in entry.reason for entry in report.entries)


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_networks_of_small_integers_have_kinks_everywhere(mode):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, w = rng.integers(-1, 2, (2, 3)) * 1.0, rng.integers(-1, 2, (3, 3)) * 1.0
        v = rng.standard_normal((3, 2))
        report = ad.gradcheck(lambda x, w, v: ad.relu(x @ w) @ v, (x, w, v), mode=mode, seed=seed)
        assert report.ok
