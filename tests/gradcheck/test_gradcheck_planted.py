"""Planted errors of many kinds are caught, honest functions pass: over many seeds."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from tests.gradcheck.planted import RIGHT, WRONG, dropout, second_order_lost

SEEDS = 25

CUT = {"a missing accumulation": ("multiply", "x2"), "no gradient at all": ("add", "x1")}
GUILTY = {
    "one entry off by 1 %": ("off_by_one_percent", "x"),
    "one entry off by 1 %, float32": ("off_by_one_percent", "x"),
    "a transposed gradient": ("transposing_matmul", "a"),
    "a missing un-broadcast sum": ("rows_plus_bias", "bias"),
    "a wrong sign": ("wrong_sign", "x2"),
    "upstream ignored": ("upstream_ignored", "x"),
    "upstream ignored, 0-d": ("upstream_ignored", "x"),
    "a rule wrong in float32 only": ("wrong_in_float32", "x"),
    "a rule wrong in float32 only, by a captured weight": ("wrong_in_float32", "x"),
}


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("kind", WRONG)
def test_planted_errors_are_caught(kind, mode):
    for seed in range(SEEDS):
        f, inputs = WRONG[kind](np.random.default_rng(seed))
        report = ad.gradcheck(f, inputs, mode=mode, raises=False, seed=seed)
        assert not report.ok, f"missed at seed {seed}\n{report}"
        assert report.wrong
        text = " ".join(str(report).split())
        assert text.startswith("Gradient WRONG")
        guilty = report.guilty
        assert guilty is not None, text
        operation, operand = (GUILTY | CUT)[kind]
        assert (guilty.operation, guilty.operand) == (operation, operand)
        assert "planted.py:" in guilty.origin
        if kind in GUILTY:
            assert f"the derivative rule of {operation} for its operand '{operand}' is" in text
        else:
            assert f"no gradient flows through the operand '{operand}' of {operation}" in text


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("kind", RIGHT)
def test_right_gradients_are_not_called_wrong(kind, mode):
    slow = 25 if kind.startswith("an MLP") or "300" in kind else 5 if "inputs" in kind else 1
    for seed in range(SEEDS // slow if mode == "full" else SEEDS):
        f, inputs = RIGHT[kind](np.random.default_rng(seed))
        report = ad.gradcheck(f, inputs, mode=mode, raises=False, seed=seed)
        assert not report.wrong, f"false alarm at seed {seed}\n{report}"
        assert report.ok or kind == "cancellation", f"unresolved at seed {seed}\n{report}"
        if kind.endswith(("float32 layer", "float32 network")):
            assert not report.unresolvable, f"unresolved at seed {seed}\n{report}"


def test_one_wrong_entry_of_thousands_is_named_in_tens_of_evaluations():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 99))
    where = int(rng.integers(x.size))
    operation = WRONG["one entry off by 1 %"].__globals__["off_by_one_percent"]
    report = ad.gradcheck(
        lambda x: ad.tanh(operation(x, where)).sum(), x, mode="fast", raises=False
    )
    assert [entry.index for entry in report.wrong] == [np.unravel_index(where, x.shape)]
    assert report.evaluations < 300


def test_dropout_is_found_and_suspected():
    for seed in range(SEEDS):
        f, x = dropout(np.random.default_rng(seed))
        report = ad.gradcheck(f, x, raises=False)
        if report.ok:  # the same mask every time
            continue
        text = " ".join(str(report).split())
        assert "not deterministic" in text
        assert "dropout?" in text
        assert "first operation that differs is multiply at" in text
        assert "planted.py:" in text


def test_second_order_errors_are_found_after_the_first_order_passed():
    for seed in range(SEEDS):
        x = np.random.default_rng(seed).standard_normal(4)
        assert ad.gradcheck(second_order_lost, x)
        report = ad.gradcheck(second_order_lost, x, order=2, raises=False)
        assert not report.ok
        assert report.second is not None
        assert report.second.wrong
        assert "Second derivatives WRONG" in str(report)
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
