"""Second order: the report is of both orders, and the user's line is named."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from tests.gradcheck.planted import second_order_lost


@ad.primitive
def through_numpy(xp, x, /):
    """The cube, whose rule leaves the graph for NumPy."""
    return x * x * x


@through_numpy.vjp
def _(xp, g, x):
    return g * 3 * np.square(np.asarray(x))


@ad.primitive
def fifth(xp, x, /):
    """``3 x ** 2``, whose rule is wrong."""
    return 3 * x * x


@fifth.vjp
def _(xp, g, x):
    return 5 * x * g


@ad.primitive
def wrong_again(xp, x, /):
    """The cube: its rule is right, and the derivative of its rule is wrong."""
    return x * x * x


@wrong_again.vjp
def _(xp, g, x):
    return g * (fifth(x) if isinstance(x, ad.Tensor) else 3 * x * x)


def checked(operation, **options):
    def f(x):
        y = ad.exp(x)
        z = operation(y)  # the guilty line
        return ad.tanh(z)

    return ad.gradcheck(f, np.array([0.3, -0.5]), order=2, raises=False, **options)


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("operation", [second_order_lost, wrong_again])
def test_the_second_order_is_part_of_the_report(operation, mode):
    report = checked(operation, mode=mode)
    name = operation.__name__
    assert not report.ok
    assert report.first.ok
    assert not report.second.ok
    text = " ".join(str(report).split())
    assert text.startswith(f"Gradient ok; second derivatives WRONG ({mode} mode, richardson, ")
    assert {entry.order for entry in report.wrong} == {2}
    assert report.worst(1) == [max(report.wrong, key=lambda entry: entry.ratio)]
    assert {entry.order for entry in report.entries} == {1, 2}
    assert (report.guilty.operation, report.guilty.operand) == (name, "x")
    assert f"rule of {name} for its operand 'x' is right, but its own derivative is wrong" in text
    assert "z = operation(y) # the guilty line" in text
    assert "test_gradcheck_second.py:" in report.guilty.origin
    assert report._repr_html_().count("<table>") == 2
    assert max(map(len, str(report).splitlines())) <= 80


def test_a_rule_that_can_not_be_differentiated_is_named():
    report = checked(through_numpy)
    text = " ".join(str(report).split())
    assert text.startswith("Gradient ok; second derivatives FAILED")
    assert not report.ok
    assert report.guilty.operation == "through_numpy"
    assert "its own derivative fails: called at" in text
    assert "z = operation(y)" in text
    assert "can't be differentiated (GraphError): a tensor that requires a gradient can't" in text


def test_an_error_of_the_users_own_is_raised():
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        if calls > 40:
            raise KeyError(calls)
        return (x * x).sum()

    with pytest.raises(KeyError):
        ad.gradcheck(f, np.ones(1), order=2)


def test_kinks_of_both_orders_name_the_users_line():
    report = ad.gradcheck(
        lambda x: (ad.relu(x) * x).sum() + (x * x).sum(), np.array([0.0, 1.0]), order=2
    )
    assert report.first.kinks or report.second.kinks
    assert len(report.kinks) == len(report.first.kinks) + len(report.second.kinks)
    for kink in report.kinks:
        assert "ad.relu(x) * x" in kink.origin


def test_a_kink_inside_a_derivative_is_the_operations():
    report = ad.gradcheck(
        lambda x: ad.sqrt(ad.square(ad.elu(x, 1.0) - 1)).sum(),
        np.array([0.0, 1.5]),
        order=2,
        raises=False,
    )
    assert all("ad.elu(x, 1.0)" in kink.origin for kink in report.kinks), report


def test_second_derivatives_that_cancel_in_float32_are_no_false_alarm():
    """A shift before a normalisation changes nothing: both its derivatives are rounding."""
    for seed in range(16):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((5, 3)).astype(np.float32)
        weight = rng.standard_normal((3, 2)).astype(np.float32)

        def f(shift, weight, x=x):
            h = (x + shift) @ weight
            h = h - ad.mean(h, axis=0)
            return ad.tanh(h / ad.sqrt(ad.mean(h * h, axis=0) + 1e-5)) ** 2

        shift = rng.standard_normal(3).astype(np.float32)
        mode = ("full", "fast")[seed % 2]
        report = ad.gradcheck(f, (shift, weight), order=2, mode=mode, seed=seed)
        assert report.ok
        assert report.first.ok
        assert report.second.ok


def test_both_orders_are_plotted():
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    report = checked(wrong_again)
    first, second = report.entries[0], report.wrong[0]
    assert report.sweep(first).errors["Richardson"].min() < 1e-9
    assert report.sweep(second).errors["Richardson"].min() > 1e-4
    assert "second derivative" in report.plot().get_title()
    assert "second derivative" not in report.plot(first).get_title()
    plt.close("all")
