"""The report: its text, its HTML, its plot, and its estimators."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import autodiff as ad
from autodiff.checking.differences import default_step
from tests.gradcheck.planted import WRONG, mlp, off_by_one_percent


def wrong_report(**options):
    f, x = WRONG["one entry off by 1 %"](np.random.default_rng(0))
    return ad.gradcheck(f, x, raises=False, **options)


def test_a_table_of_80_columns():
    inputs = {
        f"encoder.blocks.{i}.attention.projection.weight_{'long' * 9}": np.ones((2, 3, 1, 4))
        for i in range(3)
    }
    report = ad.gradcheck(lambda p: sum(ad.exp(x).sum() for x in p.values()), inputs)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"Gradient ok (full mode, richardson, {report.evaluations:,} evaluations)"
    assert lines[1].split() == ["input", "shape", "dtype", "checked", "error", "allowed", "verdict"]
    assert all(line.endswith("ok") for line in lines[3::2])
    assert all(line.startswith("  worst at [") for line in lines[4::2])
    assert max(map(len, str(wrong_report()).splitlines())) <= 80


def test_many_inputs_take_a_line_each():
    inputs = [np.ones(2) for _ in range(20)]
    report = ad.gradcheck(lambda *xs: sum(ad.exp(x).sum() for x in xs), inputs)
    assert len(str(report).splitlines()) == 23


def test_the_message_of_the_error_is_the_report():
    f, x = WRONG["one entry off by 1 %"](np.random.default_rng(0))
    with pytest.raises(ad.GradientCheckError) as caught:
        ad.gradcheck(f, x)
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == str(caught.value.report)
    text = str(caught.value)
    assert "one entry" not in text
    assert "Where: the derivative rule of off_by_one_percent for its operand 'x' is" in text


def test_truth_worst_and_verdicts():
    report = wrong_report()
    assert not report
    assert len(report.wrong) == 1
    assert report.worst(1) == list(report.wrong)
    (entry,) = report.wrong
    assert entry.computed == pytest.approx(1.01 * entry.expected, rel=1e-6)
    assert entry.error == pytest.approx(abs(entry.computed - entry.expected))
    assert entry.ratio > 1e4
    assert str(entry).startswith("x[")
    assert report.worst(0) == []
    assert bool(ad.gradcheck(lambda x: x * x, np.ones(2)))


def test_unresolvable_is_not_passed():
    report = ad.gradcheck(lambda x: (x * 1e-9).sum() + 1e6, np.ones(2), raises=False)
    assert not report.ok
    assert not report.wrong
    assert len(report.unresolvable) == 2
    assert "NOT RESOLVED" in str(report)
    assert "drowned in the differences'" in str(report)
    with pytest.raises(ad.GradientCheckError):
        ad.gradcheck(lambda x: (x * 1e-9).sum() + 1e6, np.ones(2))
    # Beside entries that are resolved it is reported, and the check passes.
    mixed = ad.gradcheck(lambda x: (x * np.array([1e-12, 1.0])).sum(), np.ones(2))
    assert [entry.index for entry in mixed.unresolvable] == [(0,)]


def test_html_escapes_and_holds_every_row():
    report = ad.gradcheck(lambda p: p["<b>"] * 2.0, {"<b>": np.ones(2)})
    html = report._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("<b>Gradient", "")
    assert html.count("<tr>") == 2
    assert "font-weight:bold" in wrong_report()._repr_html_()


def test_h_rtol_and_atol_are_taken():
    f, x = WRONG["one entry off by 1 %"](np.random.default_rng(0))
    assert ad.gradcheck(f, x, rtol=0.02).ok
    assert ad.gradcheck(f, x, atol=1.0).ok
    report = ad.gradcheck(lambda x: ad.exp(x).sum(), np.array([2.0]), h=2.0**-10)
    assert report.entries[0].step == pytest.approx(2.0**-9, rel=1e-6)
    default = ad.gradcheck(lambda x: ad.exp(x).sum(), np.array([2.0])).entries[0].step
    assert default == pytest.approx(2 * default_step(2.0**-52), rel=1e-6)


@pytest.mark.parametrize("estimator", ["richardson", "central", "complex", "taylor"])
@pytest.mark.parametrize("mode", ["full", "fast"])
def test_every_estimator_tells_right_from_wrong(estimator, mode):
    _, x = mlp(np.random.default_rng(0), sizes=(3, 4, 2), batch=3)

    def smooth(*parameters):
        return ad.exp(ad.tanh(parameters[0]) @ parameters[2]).sum()

    assert ad.gradcheck(smooth, x, estimator=estimator, mode=mode).ok

    def cut_off(*parameters):
        return (ad.exp(parameters[1]) * parameters[1].detach()).sum()

    report = ad.gradcheck(cut_off, x, estimator=estimator, mode=mode, raises=False)
    assert not report.ok
    assert report.wrong
    assert f", {estimator}," in str(report)
    if estimator == "taylor":
        assert "a Taylor slope of 1.0" in " ".join(str(report).split())


def test_the_complex_step_refuses_what_is_not_analytic():
    with pytest.raises(ad.OptionError, match=r"abs, called at .*not known to be analytic"):
        ad.gradcheck(ad.abs, np.ones(2), estimator="complex")


def test_the_complex_step_is_of_first_derivatives_only():
    with pytest.raises(ad.OptionError, match="of first derivatives only"):
        ad.gradcheck(ad.exp, np.ones(2), estimator="complex", order=2)
    report = ad.gradcheck(ad.exp, np.ones(2), order=2)
    first, second = report.entries[0], report.entries[-1]
    assert (first.order, second.order) == (1, 2)
    assert report.sweep(first).errors["complex step"].max() < 1e-14
    assert "complex step" not in report.sweep(second).errors


def test_the_same_seed_gives_the_same_report():
    f, x = mlp(np.random.default_rng(0))
    one, other = (str(ad.gradcheck(f, x, mode="fast", seed=3)) for _ in range(2))
    assert one == other


def test_auto_chooses_by_size():
    assert ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(100)).mode == "full"
    assert ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(3000)).mode == "fast"


def test_progress_bar(capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(20), progress=True)
    assert "gradcheck x" in capsys.readouterr().err
    # Many small inputs are as long as a large one: one bar for all.
    inputs = [np.ones(2) for _ in range(10)]
    ad.gradcheck(lambda *xs: sum(ad.exp(x).sum() for x in xs), inputs, progress=True)
    assert "/20" in capsys.readouterr().err
    ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(20))
    assert not capsys.readouterr().err


def test_progress_in_a_notebook_needs_no_widgets(monkeypatch):
    # tqdm.auto warns in a notebook where ipywidgets is missing: on the first check, in red.
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.delitem(sys.modules, "tqdm.auto", raising=False)
    assert ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(2))
    assert "tqdm.auto" not in sys.modules


def test_progress_without_tqdm(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(20), progress=True)
    shown = capsys.readouterr().err
    assert "gradcheck x: 1 of 20 entries" in shown
    assert shown.endswith("\r")


def test_a_long_check_shows_the_bar_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("autodiff.checking.progress._AFTER", 0.0)
    ad.gradcheck(lambda *xs: sum(ad.exp(x).sum() for x in xs), [np.ones(2)] * 4)
    assert "of 8 entries" in capsys.readouterr().err


def test_plot_shows_orders_and_levels_off_where_it_is_wrong():
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    report = ad.gradcheck(lambda x: ad.exp(ad.sin(x)).sum(), np.array([0.4, 1.3]))
    found = report.sweep(report.entries[0])
    assert set(found.errors) == {"forward", "central", "Richardson", "complex step"}
    coarse = slice(2, 5)
    for name, order in (("forward", 1), ("central", 2), ("Richardson", 4)):
        slope = np.polyfit(np.log(found.steps[coarse]), np.log(found.errors[name][coarse]), 1)[0]
        assert slope == pytest.approx(order, abs=0.3)
    assert found.errors["complex step"].max() < 1e-14
    ax = report.plot()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(found.errors)
    assert any("slope" in text.get_text() for text in ax.texts)

    labels = {text.get_text() for text in ax.texts}
    assert {"slope 1", "slope 2", "slope 4", "step used"} <= labels
    for mode in ("full", "fast"):
        # The worst of a fast check that passes is a projection; of one that fails an entry.
        smooth = ad.gradcheck(lambda x: ad.exp(ad.sin(x)).sum(), np.linspace(0, 1, 9), mode=mode)
        for report in (smooth, wrong_report(mode=mode)):
            labels = {text.get_text() for text in report.plot().texts}
            assert {"slope 1", "slope 2", "slope 4", "step used"} <= labels
    of_float32 = ad.gradcheck(lambda x: ad.exp(x).sum(), np.ones(9, np.float32), mode="fast")
    for entry in of_float32.entries:
        assert "step used" in {text.get_text() for text in of_float32.plot(entry).texts}

    wrong = wrong_report()
    level = wrong.sweep(wrong.worst(1)[0]).errors["central"][10:25]
    np.testing.assert_allclose(level, 0.01 / 1.01, rtol=1e-3)
    assert wrong.plot(ax=plt.subplots()[1]) is not None
    plt.close("all")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ad.MissingExtraError, match=r"autodiff\[plot\]"):
        wrong_report().plot()


def test_second_order_is_skipped_where_the_first_is_wrong():
    f, x = WRONG["one entry off by 1 %"](np.random.default_rng(0))
    report = ad.gradcheck(f, x, order=2, raises=False)
    assert report.second is None
    report = ad.gradcheck(ad.exp, np.ones(2), order=2)
    assert report.second.ok
    assert "Second derivatives ok" in str(report)


def test_a_guilty_operation_in_the_middle_of_many():
    x = np.random.default_rng(0).standard_normal((4, 5))

    def f(x):
        h = ad.sin(ad.exp(x) * 2)
        h = off_by_one_percent(h, 7)
        return ad.tanh(h @ np.ones((5, 3))).sum()

    report = ad.gradcheck(f, x, raises=False)
    assert report.guilty.operation == "off_by_one_percent"
    assert "h = off_by_one_percent(h, 7)" in report.guilty.origin


def test_a_hook_that_changes_a_gradient_is_suspected():
    def f(x):
        y = x * x
        y.register_hook(lambda g: g * 2)
        return y.sum()

    report = ad.gradcheck(f, np.ones(3), raises=False)
    assert not report.ok
    assert "a hook that changes a gradient?" in " ".join(str(report).split())


LEFT = {
    "math": (lambda x: math.sin(x[0]) * x[0], "multiply"),
    "float": (lambda x: float(x[1]) * x.sum(), "multiply"),
    "item": (lambda x: x[0].item() * x.sum(), "multiply"),
    "tolist": (
        lambda x: sum((v * ad.sin(x).sum() for v in x.tolist()), ad.tensor(0.0)),
        "multiply",
    ),
}


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("kind", LEFT)
def test_numbers_that_left_the_graph_are_found(kind, mode):
    f, operation = LEFT[kind]
    report = ad.gradcheck(f, np.array([0.5, 1.5, 2.0]), mode=mode, raises=False)
    assert report.wrong
    assert report.guilty is not None
    assert report.guilty.operation == operation
    text = " ".join(str(report).split())
    assert "Look for float(), .item(), .tolist(), math.*" in text
    assert "test_gradcheck_report.py:" in text
    assert "backward pass itself" not in text


def test_a_result_that_left_the_graph_as_a_whole():
    def f(x):
        return ad.tensor([math.sin(v) for v in x.tolist()])

    report = ad.gradcheck(f, np.array([0.5, 1.5]), raises=False)
    text = " ".join(str(report).split())
    assert "Did something leave the graph? Look for float(), .item(), .tolist(), math.*" in text
    assert "No gradient at all reached x" in text


def test_the_repr_is_the_table():
    report = wrong_report()
    assert repr(report) == str(report)
    assert repr(report).startswith("Gradient WRONG")


def test_a_failing_test_shows_the_report_alone(tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text(
        "import autodiff as ad, numpy as np\n"
        "def test_it():\n"
        "    assert ad.gradcheck(lambda x: x * x.detach(), np.ones(2))\n"
        "def test_options():\n"
        "    assert ad.gradcheck(lambda x: x, 'text')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    root = str(Path(ad.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "Gradient WRONG" in ran.stdout
    assert "is a str, not an array" in ran.stdout
    for hidden in (
        "Parameters\n",
        "raise GradientCheckError",
        "def _lift",
        "def arguments_of",
        "callee",
    ):
        assert hidden not in ran.stdout


def test_the_five_worst_of_all_inputs_are_ranked():
    rng = np.random.default_rng(0)
    report = ad.gradcheck(lambda x, y: ad.exp(x) * y, (rng.standard_normal(8), rng.uniform(size=8)))
    worst = report.worst()
    assert len(worst) == 5
    ratios = [entry.ratio for entry in report.entries]
    assert [entry.ratio for entry in worst] == sorted(ratios, reverse=True)[:5]
    assert {entry.verdict for entry in worst} == {"ok"}
    assert len({entry.index for entry in worst}) > 1
    # A large error in units of a larger tolerance is no bad one.
    assert worst[0].ratio < 1
    many = ad.gradcheck(lambda x: ad.exp(x).sum(), rng.standard_normal(1500))
    assert len(many.entries) == 10
    assert len(many.worst(8)) == 8


def test_80_columns_with_long_names_and_unresolved_entries():
    names = [f"encoder.blocks.{i}.{'very_' * 12}long.weight" for i in range(2)]

    def f(p):
        return (p[names[0]] * 1e-12).sum() + off_by_one_percent(ad.exp(p[names[1]]), 3).sum()

    for mode, size in (("full", 50), ("fast", 1000)):
        inputs = {name: np.ones((size, 1, 2)) for name in names}
        report = ad.gradcheck(f, inputs, mode=mode, raises=False)
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= 80
        rows = [line for line in lines if "float64" in line]
        assert rows[0].endswith("unresolved")
        assert rows[1].endswith("WRONG")
        assert all(row.startswith("enc") and "…" in row and "weight" in row for row in rows)
        assert all(len(entry.name) == len(names[0]) for entry in report.entries)


def test_the_headline_counts_what_is_not_verified():
    def f(x):
        return (x * np.array([1e-12, 1.0, 1e-12])).sum()

    report = ad.gradcheck(f, np.ones(3))
    assert str(report).startswith("Gradient ok, but 2 of 3 entries could not be resolved (full")
    assert report.inputs[0].counts == {"unresolved": 2, "ok": 1}
    report = ad.gradcheck(lambda x: abs(x).sum(), np.array([0.0, 1.0]), kinks="skip")
    assert str(report).startswith("Gradient ok, but 1 of 2 entries skipped at kinks (full")
    report = ad.gradcheck(lambda x, y: (x * 1e-12).sum() + y * y, (np.ones(2), 1.0))
    assert str(report).startswith("Gradient ok, but 2 of 3 entries could not be resolved")
    assert [row.verdict for row in report.inputs] == ["unresolved", "ok"]


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_a_check_that_verified_nothing_fails(mode):
    options = {"mode": mode, "raises": False}
    report = ad.gradcheck(lambda x: abs(x).sum(), np.zeros(2), kinks="skip", **options)
    assert not report.ok
    assert "NOT CHECKED: 2 of 2" in str(report)
    assert "skipped at kinks" in str(report).splitlines()[0]
    report = ad.gradcheck(lambda x: ad.floor(x).sum(), np.array([1.0, 2.0]), **options)
    assert not report.ok
    assert not report.wrong
    assert "NOT RESOLVED: 2 of 2" in str(report)
    assert "f jumps here" in str(report)
    with pytest.raises(ad.GradientCheckError, match="NOT RESOLVED"):
        ad.gradcheck(lambda x: ad.floor(x).sum(), np.array([1.0]), mode=mode)


def test_fast_mode_tells_what_is_too_small_for_it():
    weights = np.where(np.arange(3000) % 10, 1.0, 1e-11)
    report = ad.gradcheck(lambda x: (ad.exp(x) * weights).sum(), np.zeros(3000))
    text = " ".join(str(report).split())
    assert "an error of one per cent in them would not show" in text
    assert "300 of 3,000 entries of x" in text
    assert "mode='full' checks each" in text
    report = ad.gradcheck(lambda x: ad.exp(x).sum(), np.zeros(3000))
    assert "would not show" not in str(report)


def test_one_other_line_is_one_line():
    def f(x):
        y = off_by_one_percent(x, 0)
        return off_by_one_percent(y * y, 1).sum()

    text = str(ad.gradcheck(f, np.ones(3), raises=False))
    assert "and more at 1 other line" in text
    assert "1 other lines" not in text


def test_kinks_are_skipped_one_by_one_in_fast_mode_too():
    x = np.random.default_rng(0).standard_normal(64)
    x[5] = 0.0
    report = ad.gradcheck(lambda x: ad.relu(x).sum(), x, mode="fast", kinks="skip")
    assert [entry.index for entry in report.entries if entry.verdict == "skipped"] == [(5,)]
    assert report.inputs[0].counts["ok"] > 5
    bad = ad.gradcheck(
        lambda x: off_by_one_percent(ad.relu(x), 63).sum() + x[63] * 0.5,
        abs(x),
        mode="fast",
        kinks="skip",
        raises=False,
    )
    assert [entry.index for entry in bad.wrong] == [(63,)]
