"""Kinks: seen, named, and judged by the one-sided slopes."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.engine.primitive import primitives
from tests.gradcheck.planted import black_box_abs

TIES = np.array([[1.0, 1.0, -2.0], [0.5, -2.0, -2.0]])
ZEROS = np.array([0.0, 1.5, -0.5, 0.0])

AT_A_KINK = {
    "abs": (ad.abs, ZEROS),
    "relu": (ad.relu, ZEROS),
    "leaky_relu": (ad.leaky_relu, ZEROS),
    "elu": (lambda x: ad.elu(x, alpha=0.5), ZEROS),
    "selu": (ad.selu, ZEROS),
    "relu6": (ad.relu6, ZEROS * 4),
    "hardtanh": (ad.hardtanh, np.array([-1.0, 1.0, 0.3])),
    "hardsigmoid": (ad.hardsigmoid, np.array([-3.0, 3.0, 0.3])),
    "hardswish": (ad.hardswish, np.array([-3.0, 3.0, 0.3])),
    "clip": (lambda x: ad.clip(x, -1.0, 1.0), np.array([-1.0, 1.0, 0.3])),
    "maximum": (lambda x: ad.maximum(x, 1.0), TIES),
    "minimum": (lambda x: ad.minimum(x, 1.0), TIES),
    "max": (lambda x: ad.max(x, axis=1), TIES),
    "min": (lambda x: ad.min(x, axis=1, keepdims=True), TIES),
    "sort": (lambda x: ad.sort(x, axis=0) * np.arange(1.0, 7).reshape(2, 3), TIES.T.reshape(2, 3)),
    "topk": (lambda x: ad.topk(x, 2)[0] * np.array([1.0, 3.0]), TIES),
    "cumulative_max": (ad.cumulative_max, TIES[0]),
    "linalg.vector_norm": (ad.linalg.vector_norm, np.zeros(3)),
    "std": (ad.std, np.ones(3)),
    "hypot": (lambda x: ad.hypot(x, 0.0), np.zeros(2)),
}


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("name", AT_A_KINK)
def test_a_subgradient_is_accepted_and_the_kink_is_reported(name, mode):
    f, x = AT_A_KINK[name]
    report = ad.gradcheck(lambda x: f(x).sum(), x, mode=mode, raises=False)
    assert not report.wrong, str(report)
    # In `sort(...).sum()` and the like a tie may cancel: then there is nothing to report.
    for kink in report.kinks:
        assert kink.operation == name
        assert "test_gradcheck_kinks.py:" in kink.origin
    if name in {"abs", "relu", "clip", "max", "linalg.vector_norm", "maximum"}:
        assert report.kinks, str(report)
        assert report.ok
        assert f"{name} at" in str(report)


@pytest.mark.parametrize("name", AT_A_KINK)
def test_beside_a_kink_all_is_smooth(name):
    f, x = AT_A_KINK[name]
    moved = x + 1e-3 * np.random.default_rng(0).uniform(0.1, 1, x.shape)
    report = ad.gradcheck(lambda x: f(x).sum(), moved, raises=False)
    assert report.ok, str(report)
    assert not report.kinks, str(report)


def test_kinks_may_fail_or_be_skipped():
    x = np.array([0.0, 1.0])
    with pytest.raises(ad.GradientCheckError, match="at a kink with slopes -1 and 1"):
        ad.gradcheck(lambda x: abs(x).sum(), x, kinks="fail")
    report = ad.gradcheck(lambda x: abs(x).sum(), x, kinks="skip")
    assert {entry.verdict for entry in report.entries} == {"skipped", "ok"}
    assert ad.gradcheck(lambda x: abs(x).sum(), x[1:], kinks="fail")


@ad.primitive
def wrong_abs(xp, x, /):
    """The absolute value, whose rule is no subgradient at 0."""
    return xp.abs(x)


@wrong_abs.vjp
def _(xp, g, x):
    return g * xp.where(x == 0, 1.5, xp.sign(x))


@wrong_abs.branches
def _(out, x):
    return np.sign(x)


def test_the_slopes_tell_a_kink_that_no_operation_declares():
    report = ad.gradcheck(lambda x: black_box_abs(x).sum(), ZEROS)
    assert [kink.operation for kink in report.kinks] == ["an operation"]
    assert report.kinks[0].entries == 2
    assert "the slopes tell" in str(report)
    assert not ad.gradcheck(lambda x: black_box_abs(x).sum(), ZEROS + 0.01).kinks


def test_no_subgradient_is_wrong_also_at_a_kink():
    report = ad.gradcheck(lambda x: wrong_abs(x).sum(), np.array([0.0, 1.0]), raises=False)
    assert [(entry.index, entry.computed) for entry in report.wrong] == [((0,), 1.5)]
    assert report.kinks[0].operation == "wrong_abs"


def test_relu_minus_relu_is_smooth_but_its_gradient_is_wrong_at_zero():
    """``relu(x) - relu(-x)`` is x: the sum of two subgradients is none, and that is said."""
    report = ad.gradcheck(lambda x: ad.relu(x) - ad.relu(-x), np.zeros(1), raises=False)
    assert not report.ok
    assert report.wrong[0].expected == pytest.approx(1.0)
    assert {kink.operation for kink in report.kinks} == {"relu"}


def test_a_jump_is_not_passed():
    report = ad.gradcheck(lambda x: ad.floor(x) + x, np.array([1.0]), raises=False)
    assert not report.ok
    assert not report.wrong
    assert "f jumps here" in str(report)


def test_a_branch_in_python_at_its_edge_is_reported():
    def f(x):
        return (2 * x).sum() if float(x.array[0]) >= 1 else (x * 1.0).sum() + 1.0

    report = ad.gradcheck(f, np.array([1.0]))
    assert [kink.operation for kink in report.kinks] == ["f itself"]
    assert "a branch of its Python code" in str(report)


def test_branches_and_analyticity_are_declared_beside_the_rules():
    piecewise = {name for name, p in primitives.items() if p.branches is not None}
    analytic = {name for name, p in primitives.items() if p.analytic}
    assert {"abs", "relu", "max", "min", "sort", "where", "clip", "topk"} <= piecewise
    assert {"exp", "matmul", "sigmoid", "softmax", "linalg.inv"} <= analytic
    assert piecewise & analytic == {"reciprocal"}


@ad.primitive(analytic=True)
def swish(xp, x, /):
    """``x sigmoid(x)``, a user's own."""
    return x / (1 + xp.exp(-x))


@swish.vjp
def _(xp, g, x):
    s = 1 / (1 + xp.exp(-x))
    return g * (s + x * s * (1 - s))


@ad.primitive
def shrunk(xp, x, /):
    """Towards zero by one, a user's own with kinks at -1 and 1."""
    return xp.sign(x) * xp.maximum(xp.abs(x) - 1, 0)


@shrunk.vjp
def _(xp, g, x):
    return g * (xp.abs(x) > 1)


@shrunk.branches
def _(out, x):
    return np.sign(out)


SMOOTH = {
    "sigmoid": ad.sigmoid,
    "silu": ad.silu,
    "softmax": ad.softmax,
    "log_softmax": lambda x: ad.log_softmax(x, axis=0),
    "logsumexp": lambda x: ad.logsumexp(x, axis=1),
    "a user's own": swish,
}


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("name", SMOOTH)
def test_the_complex_step_through_what_is_declared_analytic(name, mode):
    x = np.random.default_rng(0).standard_normal((3, 4))
    report = ad.gradcheck(lambda x: SMOOTH[name](x) ** 2, x, estimator="complex", mode=mode)
    assert report.ok
    assert report.evaluations < 80
    for entry in report.entries:
        assert entry.error < 1e-14
    with pytest.raises(ad.OptionError, match=r"shrunk, called at .*@ad.primitive\(analytic=True\)"):
        ad.gradcheck(shrunk, x, estimator="complex")


def test_a_users_operation_declares_its_kinks():
    report = ad.gradcheck(lambda x: shrunk(x).sum(), np.array([-1.0, 0.0, 1.0, 2.0]))
    assert [(kink.operation, kink.entries) for kink in report.kinks] == [("shrunk", 2)]


@pytest.mark.parametrize("power", [1.5, 2, 3])
@pytest.mark.parametrize("mode", ["full", "fast"])
def test_a_kink_of_the_second_derivative_is_no_jump(power, mode):
    report = ad.gradcheck(lambda x: (ad.relu(x) ** power).sum(), np.array([0.0, 0.3]), mode=mode)
    assert not report.unresolvable, str(report)
    report = ad.gradcheck(lambda x: ad.floor(x).sum(), np.array([1.0, 0.3]), raises=False)
    (entry,) = report.unresolvable
    assert "jumps here" in entry.reason


@ad.primitive
def squared_relu(xp, x, /):
    """The squared relu, whose rule is wrong at 0."""
    return xp.maximum(x, 0) ** 2


@squared_relu.vjp
def _(xp, g, x):
    return g * xp.where(x == 0, 0.01, 2 * xp.maximum(x, 0))


@squared_relu.branches
def _(out, x):
    return np.sign(x)


def test_a_wrong_derivative_where_only_the_second_one_bends_is_named():
    report = ad.gradcheck(lambda x: squared_relu(x).sum(), np.array([0.0, 1.5]), raises=False)
    (entry,) = report.wrong
    assert entry.index == (0,)
    assert report.guilty is not None
    assert report.guilty.operation == "squared_relu"
    assert "gives 0.01 at a kink, which is no subgradient" in " ".join(str(report).split())


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: ad.sqrt(ad.abs(x)).sum(),
        lambda x: ad.sqrt(x * x).sum(),
        lambda x: ad.where(x > 0, ad.sqrt(x), 0 * x).sum(),
    ],
)
def test_a_gradient_that_is_nan_is_wrong_and_its_origin_is_named(f, mode):
    report = ad.gradcheck(f, np.array([0.0, 0.5]), mode=mode, raises=False)
    assert [entry.index for entry in report.wrong] == [(0,)]
    text = " ".join(str(report).split())
    assert "The gradient is NaN: the derivative of sqrt for its operand 'x' is infinite" in text
    assert "Keep its operand away from such values" in text
    assert "leave the graph" not in text


def test_a_wrong_rule_is_named_beside_entries_at_its_kink():
    @ad.primitive
    def doubled(xp, x, /):
        return xp.maximum(x, 0)

    @doubled.branches
    def _(out, x):
        return x > 0

    @doubled.vjp
    def _(xp, g, x):
        return g * (xp.sign(x) + 1)  # 1 at the kink, and 2 where it is 1

    for point in ([0.0, 2.0], [-1.0, 0.0, 1e-7, 2.0]):
        report = ad.gradcheck(doubled, np.array(point), raises=False)
        assert not report.ok
        assert report.guilty is not None
        assert (report.guilty.operation, report.guilty.at_kink) == ("doubled", False)


@pytest.mark.parametrize("seed", range(20))
def test_kinks_on_every_side_do_not_hide_the_noise(seed):
    """Where all lines of points cross kinks, the noise is looked for closer by.

    The function's value cancels, so that its own rounding says nothing of its noise.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((3000, 5)), rng.uniform(-1, 1, 3000)
    w = rng.standard_normal(5)
    level = np.maximum(a @ w + b, 0).sum() * (1 - 1e-9)
    report = ad.gradcheck(lambda w: ad.relu(a @ w + b).sum() - level, w, raises=False)
    assert report.ok, report
