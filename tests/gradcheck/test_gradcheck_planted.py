"""Planted errors of many kinds are caught, honest functions pass: over many seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import autodiff as ad
from autodiff.checking.check import Checker
from tests.gradcheck.planted import (
    RIGHT,
    WRONG,
    dropout,
    off_by_one_percent,
    second_order_lost,
    seeds_in,
    some_and_all,
)

SEEDS = 200
"""For each kind, half of them in full mode and half in fast mode."""

LONG = {"an MLP", "an MLP, float32", "an MLP with relu", "an MLP with relu, float32"}
LONG |= {"a mean of 300, float32"}
NAMED = {"relu at exactly 0", "a sort with ties", "layer norm of large numbers, float32"}


def seeds_of(kind):
    """So many seeds that the honest functions, of which some are slow, take half a minute."""
    return SEEDS if kind in NAMED else SEEDS // 5 if kind in LONG else SEEDS // 2


def mode_of(seed):
    return ("full", "fast")[seed % 2]


CUT = {"a missing accumulation": ("multiply", "x2"), "no gradient at all": ("add", "x1")}
GUILTY = {
    "one entry off by 1 %": ("off_by_one_percent", "x"),
    "one entry off by 1 %, float32": ("off_by_one_percent", "x"),
    "a transposed gradient": ("transposing_matmul", "a"),
    "a missing un-broadcast sum": ("rows_plus_bias", "bias"),
    "a wrong sign": ("wrong_sign", "x2"),
    "upstream ignored": ("upstream_ignored", "x"),
    "upstream ignored, 0-d": ("upstream_ignored", "x"),
    "upstream clipped": ("upstream_clipped", "x"),
    "a mean for an un-broadcast sum": ("row_plus_bias", "bias"),
    "two entries off alike": ("two_off_alike", "x"),
    "a rule wrong in float32 only": ("wrong_in_float32", "x"),
    "a rule wrong in float32 only, by a captured weight": ("wrong_in_float32", "x"),
}


@some_and_all
@pytest.mark.parametrize("kind", WRONG)
def test_planted_errors_are_caught(kind, part):
    operation, operand = (GUILTY | CUT)[kind]
    if kind in GUILTY:
        words = f"the derivative rule of {operation} for its operand '{operand}' is wrong: called"
    else:
        words = f"no gradient flows through the operand '{operand}' of {operation}, although it"
    for seed in seeds_in(part, SEEDS):
        f, inputs = WRONG[kind](np.random.default_rng(seed))
        report = ad.gradcheck(f, inputs, mode=mode_of(seed), raises=False, seed=seed)
        assert not report.ok, f"missed at seed {seed}\n{report}"
        assert report.wrong
        text = " ".join(str(report).split())
        assert text.startswith("Gradient WRONG")
        assert f"({mode_of(seed)} mode, richardson, {report.evaluations:,} evaluations)" in text
        assert f"Where: {words}" in text
        assert "planted.py:" in text
        assert "worst at" in text
        assert (report.guilty.operation, report.guilty.operand) == (operation, operand)


@some_and_all
@pytest.mark.parametrize("kind", RIGHT)
def test_right_gradients_are_not_called_wrong(kind, part):
    for seed in seeds_in(part, seeds_of(kind)):
        f, inputs = RIGHT[kind](np.random.default_rng(seed))
        report = ad.gradcheck(f, inputs, mode=mode_of(seed), raises=False, seed=seed)
        assert not report.wrong, f"false alarm at seed {seed}\n{report}"
        assert report.ok or kind == "cancellation", f"unresolved at seed {seed}\n{report}"
        if report.ok:
            assert str(report).startswith("Gradient ok")
        if kind.endswith(("float32 layer", "float32 network")):
            assert not report.unresolvable, f"unresolved at seed {seed}\n{report}"


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_only_the_wrong_entry_is_named(mode):
    for seed in range(SEEDS // 4):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((3, 4))
        where = int(rng.integers(x.size))
        report = ad.gradcheck(
            lambda x, where=where: off_by_one_percent(ad.tanh(x), where), x, mode=mode, raises=False
        )
        (entry,) = report.wrong
        assert entry.index == np.unravel_index(where, x.shape)
        assert entry.computed == pytest.approx(1.01 * entry.expected, rel=1e-7)


def test_one_wrong_entry_of_thousands_is_named_in_tens_of_evaluations():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 99))
    where = int(rng.integers(x.size))
    report = ad.gradcheck(
        lambda x: ad.tanh(off_by_one_percent(x, where)).sum(), x, mode="fast", raises=False
    )
    assert [entry.index for entry in report.wrong] == [np.unravel_index(where, x.shape)]
    assert report.evaluations < 300


def test_bisection_takes_tens_of_evaluations():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, 128))
    where = 9999

    def evaluations(f):
        return ad.gradcheck(f, x, mode="fast", probes=1, raises=False).evaluations

    right = evaluations(lambda x: ad.tanh(x).sum())
    wrong = evaluations(lambda x: ad.tanh(off_by_one_percent(x, where)).sum())
    assert wrong - right < 70  # four for each of 14 halvings; 65,536 find it one by one


@pytest.mark.parametrize("count", [2, 3, 7])
def test_several_wrong_entries_are_all_named_by_bisection(count):
    for seed in range(SEEDS // 10):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((20, 21))
        where = rng.permutation(x.size)[:count]

        def f(x, where=where):
            for position in where:
                x = off_by_one_percent(x, int(position))
            return ad.tanh(x).sum()

        report = ad.gradcheck(f, x, mode="fast", raises=False, seed=seed)
        expected = {np.unravel_index(int(position), x.shape) for position in where}
        assert {entry.index for entry in report.wrong} == expected, f"seed {seed}\n{report}"


def test_a_wrong_projection_is_not_passed_where_no_entry_stands_out(monkeypatch):
    single = Checker.single_entry

    def passed(self, k, position):
        return replace(single(self, k, position), verdict="ok")

    monkeypatch.setattr(Checker, "single_entry", passed)
    x = np.random.default_rng(0).standard_normal(9)
    report = ad.gradcheck(lambda x: off_by_one_percent(x, 2), x, mode="fast", raises=False)
    assert [entry.index for entry in report.wrong] == [None]
    assert "worst at a random projection" in str(report)


@some_and_all
def test_dropout_is_found_and_suspected(part):
    for seed in seeds_in(part, SEEDS):
        f, x = dropout(np.random.default_rng(seed))
        report = ad.gradcheck(f, x, mode=mode_of(seed), raises=False)
        assert not report.ok
        text = " ".join(str(report).split())
        assert "not deterministic" in text
        assert "dropout?" in text
        assert "first operation that differs is multiply at" in text
        assert "planted.py:" in text


@some_and_all
def test_second_order_errors_are_found_after_the_first_order_passed(part):
    for seed in seeds_in(part, SEEDS):
        x = np.random.default_rng(seed).uniform(0.5, 2, 2)
        report = ad.gradcheck(second_order_lost, x, order=2, raises=False)
        assert not report.ok
        assert report.first.ok
        assert report.second is not None
        assert report.second.wrong
        text = " ".join(str(report).split())
        assert text.startswith("Gradient ok; second derivatives WRONG")
        assert "rule of second_order_lost for its operand 'x' is right, but its own" in text
        assert ad.gradcheck(lambda x: x * x * x, x, order=2)


def test_a_random_backward_pass_is_found():
    rng = np.random.default_rng(0)

    @ad.primitive
    def noisy(xp, x, /):
        return x * 1.0

    @noisy.vjp
    def _(xp, g):
        return g * rng.uniform(0.9, 1.1, g.shape)

    report = ad.gradcheck(noisy, np.ones(4), raises=False)
    assert not report.ok
    assert "backward pass is not deterministic" in str(report)
