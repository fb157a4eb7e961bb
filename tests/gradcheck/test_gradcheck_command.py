"""``python -m autodiff check``."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff.__main__ import main as program
from autodiff.checking.command import main

SOURCE = """
import autodiff as ad
import numpy as np

def energy(x, w):
    return ad.tanh(x @ w).sum()

def right(x):
    return (x * x).sum()

w = ad.tensor(np.ones((3, 3)), requires_grad=True)

def loss():
    return (w * w.detach()).sum()

def pairs():
    return [("w", w)]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users_model.py"
    path.write_text(SOURCE)
    return path


def test_random_inputs_of_given_shapes(file, capsys):
    status = main([f"{file}:energy", "--input", "2,3", "--input", "3,4", "--dtype", "float32"])
    out = capsys.readouterr().out
    assert status == 0
    assert out.startswith("Gradient ok")
    assert "(2, 3)  float32" in out


def test_shapes_that_fit_are_found(file, capsys):
    assert main([f"{file}:energy"]) == 0
    assert main([f"{file}:right", "--input", "()"]) == 0
    capsys.readouterr()


def test_inputs_from_arrays_and_from_the_file(file, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.arange(3.0))
    assert main([f"{file}:right", "--input", str(tmp_path / "x.npy")]) == 0
    assert main([f"{file}:loss", "--inputs", "pairs"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "Gradient WRONG" in out
    assert "return (w * w.detach()).sum()" in out
    assert "operand 'x2' of multiply" in out


def test_html_and_plot_files(file, tmp_path, capsys):
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    matplotlib.use("Agg")
    html, plot = tmp_path / "report.html", tmp_path / "plot.png"
    assert main([f"{file}:right", "--html", str(html), "--plot", str(plot), "--order", "2"]) == 0
    assert "<table>" in html.read_text()
    assert plot.stat().st_size > 1000
    assert "Second derivatives ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("{file}", "does not say which function"),
        ("{file}:nothing", "It has energy, right, loss, pairs"),
        ("missing.py:f", "no Python file"),
        ("{file}:loss", "takes no arguments"),
    ],
)
def test_mistakes_are_explained(file, target, words):
    with pytest.raises(ad.OptionError, match=words):
        main([target.format(file=file)])


def test_what_no_shape_mends_is_said(file, tmp_path):
    path = tmp_path / "returns_a_float.py"
    path.write_text("def f(x):\n    return float((x * x).sum())\n")
    with pytest.raises(ad.OptionError, match="the function returned a float, not a tensor"):
        main([f"{path}:f"])
    for dtype in ("int64", "text"):
        with pytest.raises(ad.OptionError, match=f"--dtype {dtype} is no floating dtype"):
            main([f"{file}:right", "--dtype", dtype])
        with pytest.raises(ad.OptionError, match=f"--dtype {dtype} is no floating dtype"):
            main([f"{file}:right", "--input", "3", "--dtype", dtype])
    path.write_text("def f(x):\n    return x.reshape((7, 5)).sum()\n")
    with pytest.raises(ad.OptionError, match=r"no shape that was tried .*last one failed with Sha"):
        main([f"{path}:f"])


def test_a_shape_that_is_none(file):
    with pytest.raises(ad.OptionError, match="neither a shape nor an array file"):
        main([f"{file}:right", "--input", "a,b"])


def test_a_missing_function_is_said_once(file, capsys):
    assert program(["check", f"{file}:nothing"]) == 1
    assert capsys.readouterr().err.startswith(f"autodiff check: {file} has no function 'nothing'")
