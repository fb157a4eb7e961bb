"""Many wrong entries, many kinks, and operations with several operands or results."""

from __future__ import annotations

import numpy as np

import autodiff as ad
from tests.gradcheck.planted import wrong_sign


@ad.primitive
def halves(xp, x, /):
    """Two results; the rule forgets that the second is doubled."""
    return x[:2] * 1.0, x[2:] * 2.0


@halves.vjp
def _(xp, g, x_shape):
    first, second = g.filled(xp)
    return xp.concat([first, second])


@ad.primitive
def total(xp, /, *arrays):
    """A sum of several arrays, whose rule is wrong for the second."""
    return sum(arrays)


@total.vjp("arrays")
def _(xp, g, position):
    return g * (1.5 if position == 1 else 1.0)


def test_of_very_many_wrong_entries_some_are_named():
    x = np.random.default_rng(0).standard_normal(5000)
    report = ad.gradcheck(lambda y: wrong_sign(1.0, ad.exp(y)).sum(), x, raises=False)
    assert report.mode == "fast"
    assert 5 < len(report.wrong) < 500
    assert report.evaluations < 3000
    text = " ".join(str(report).split())
    assert "others there are more. mode='full' checks them all" in text
    assert report.guilty.operation == "wrong_sign"


def test_too_many_kinks_for_the_fast_mode_are_not_passed():
    zeros = np.zeros(3000)
    report = ad.gradcheck(lambda x: ad.relu(x).sum(), zeros, mode="fast", raises=False)
    assert not report.ok
    assert not report.wrong
    assert "too many kinks here for the fast mode" in " ".join(str(report).split())
    assert ad.gradcheck(lambda x: ad.relu(x).sum(), zeros[:50], mode="fast").ok
    assert ad.gradcheck(lambda x: ad.relu(x).sum(), zeros[:300], mode="full").ok


def test_a_wrong_entry_among_kinks_is_found():
    x = np.random.default_rng(0).standard_normal(64)
    x[::5] = 0.0

    def f(x):
        return ad.relu(x).sum() + wrong_sign(0.0, x[7]) * 1e-3

    report = ad.gradcheck(f, x, mode="fast", raises=False)
    assert [entry.index for entry in report.wrong] == [(7,)]


def test_several_results_and_several_operands_are_located():
    report = ad.gradcheck(lambda x: sum(part.sum() for part in halves(x)), np.ones(5), raises=False)
    assert (report.guilty.operation, report.guilty.operand) == ("halves", "x")
    arrays = [np.ones(2), np.full(2, 2.0), np.ones(2)]
    report = ad.gradcheck(lambda *xs: ad.exp(total(*xs)), arrays, raises=False)
    assert [row.verdict for row in report.inputs] == ["ok", "WRONG", "ok"]
    assert (report.guilty.operation, report.guilty.operand) == ("total", "arrays[1]")
    assert ad.gradcheck(lambda x, y: ad.concat([x, y]) * 2.0, arrays[:2]).ok


def test_complex_results():
    x = np.random.default_rng(0).standard_normal((2, 4))
    assert ad.gradcheck(ad.fft.fft, x, order=2).ok
    assert ad.gradcheck(lambda re, im: abs(re + 1j * im), (x, x[::-1].copy())).ok


class Normalised:
    """A module whose forward pass changes a buffer."""

    def __init__(self):
        self.scale = ad.tensor(np.ones(3), requires_grad=True)
        self.calls = ad.tensor(np.zeros(1))

    def named_parameters(self):
        return iter([("scale", self.scale)])

    def named_buffers(self):
        return iter([("calls", self.calls)])

    def __call__(self, x):
        with ad.no_grad():
            self.calls += 1
        return x * self.scale


def test_a_module_gets_its_buffers_back():
    module = Normalised()
    assert ad.gradcheck(lambda m: m(np.arange(3.0)), module).ok
    assert module.calls.item() == 0.0


def test_inputs_that_are_read_through_a_callable_without_a_signature():
    assert ad.gradcheck(ad.exp, {"x": np.ones(2)}["x"]).ok
    assert ad.gradcheck(lambda pair: pair[0] * pair[1], [[np.ones(2), np.ones(2)]]).ok
