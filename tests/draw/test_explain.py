# ruff: noqa: RUF001 - the signs of mathematics are meant
"""``python -m autodiff explain``: what it prints and refuses, and that it evaluates no code."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.__main__ import main as autodiff_main
from autodiff.draw.explain import main
from autodiff.draw.parsing import FUNCTIONS, ExpressionError, parse, read_value


def explained(capsys, *arguments):
    status = main(list(arguments))
    return status, capsys.readouterr()


def test_the_neuron_is_explained(capsys):
    status, printed = explained(capsys, "tanh(x*w + b)", "x=2", "w=-3", "b=6.88")
    assert status == 0
    lines = printed.out.splitlines()
    assert lines[0] == "tanh(x*w + b)"
    assert "  x × w     dx   = 0.501 ×    −3 = −1.503   dv1 · w" in lines
    assert "  Gradient ok (full mode, richardson, 41 evaluations)" in lines
    assert ad.get_default_dtype() == ad.float32


def test_the_command_is_known_to_the_program(capsys):
    assert autodiff_main(["explain", "-x**2", "x=3"]) == 0
    assert "  dx = −6" in capsys.readouterr().out.splitlines()


def test_arrays_are_explained(capsys):
    status, printed = explained(capsys, "sum(W @ x)", "W=[[1,2],[3,4]]", "x=[pi, 1/3]")
    assert status == 0
    assert "  dx = [4, 6]" in printed.out.splitlines()
    status, printed = explained(capsys, "x * [1, 2]", "x=[5, 6]")
    assert "these are its sum's gradients" in printed.out


def test_a_picture_is_written(capsys, tmp_path):
    file = tmp_path / "new" / "x.svg"
    assert main(["x*x + x", "x=3", "--svg", str(file)]) == 0
    picture = file.read_text(encoding="utf-8")
    assert "gradient</tspan> 7" in picture
    assert "expression:1: x*x" in picture
    ET.fromstring(picture)  # noqa: S314 - our own text
    assert f"Picture: {file}" in capsys.readouterr().out


def test_a_page_is_written(capsys, tmp_path):
    pytest.importorskip("autodiff.draw.explorer")
    file = tmp_path / "x.html"
    assert main(["tanh(x) * x", "x=3", "--html", str(file)]) == 0
    assert "tanh(x) * x" in file.read_text(encoding="utf-8")
    assert f"Explorer: {file}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "message", "marked"),
    [
        ("9**9**9*x", "is infinite, in float64 at least", "9**9**9"),
        ("1/0*x", "is infinite", "1/0"),
        ("(0-8)**0.5*x", "is no real number", "(0-8)**0.5"),
        ("1e999*x", "too large for a float64", "1e999"),
        ("tahn(x)", "no function 'tahn' here; did you mean 'tan'?", "tahn"),
        ("x + zz", "the variable 'zz' has no value. Give one: zz=2", "zz"),
        ("exp + x", "'exp' is a function: call it, exp(x)", "exp"),
        ("x.real", "attributes are not allowed", "x.real"),
        ("x[0]", "indices are not allowed", "x[0]"),
        ("x if x else 2", "conditions are not allowed", "x if x else 2"),
        ("x < 2", "comparisons are not allowed", "x < 2"),
        ("x and x", "`and` and `or` are not allowed", "x and x"),
        ("not x", "`not` and ~ are not allowed", "not x"),
        ("lambda: x", "functions are not allowed", "lambda: x"),
        ("[y for y in x]", "comprehensions are not allowed", "[y for y in x]"),
        ("(y := x)", "assignments are not allowed", "y := x"),
        ("{x: 1}", "dictionaries are not allowed", "{x: 1}"),
        ("(x, x)", "tuples are not allowed", "(x, x)"),
        ("'x' * 3", "strings are not allowed", "'x'"),
        ("x * True", "truth values are not allowed", "True"),
        ("x * 1j", "complex numbers are not allowed", "1j"),
        ("x^2 + 1", "only + - * / ** and @ are known here; write x**2 + 1", "x^2 + 1"),
        ("x // 2", "only + - * / ** and @ are known", "x // 2"),
        ("__import__('os').system('true')", "only functions can be called by name", None),
        ("__import__('os')", "no function '__import__' here", "__import__"),
        ("exp()", "exp() needs an operand", "exp()"),
        ("exp(*x)", "stars are not allowed", "exp(*x)"),
        ("exp(x, x)", "takes 1 positional argument", "exp(x, x)"),
        ("sum(x, foo=1)", "the option 'foo' is not known here", "foo=1"),
        ("sum(x, axis=x)", "an option is a number", "x"),
        ("sum(x, axis=3)", "axis 3 is out of bounds", "sum(x, axis=3)"),
        ("[1, 2] @ [1, 2, 3] * x", "matmul", "[1, 2] @ [1, 2, 3]"),
        ("[x, [x]] @ x", "different shapes", "[x, [x]]"),
        ("x +", "this can't be read", ""),
        ("(x", "'(' was never closed", "("),
        ("x; x", "invalid syntax", ";"),
        ("", "the expression is empty", None),
        ("é + x", "the variable 'é' has no value", "é"),
    ],
)
def test_what_is_not_allowed_is_shown(capsys, expression, message, marked):
    status, printed = explained(capsys, expression, "x=2")
    assert status == 2
    assert message in printed.err
    assert printed.out == ""
    if marked is not None:
        shown, carets = printed.err.splitlines()[-2:]
        assert shown == f"  {expression}"
        start, end = carets.index("^"), carets.rindex("^") + 1
        assert shown[start:end] == marked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "x"], "'x' gives no variable a value"),
        (["x", "x=1", "x=2"], "the variable 'x' is given twice"),
        (["x", "x=1", "y=2", "z=3"], "the expression does not use 'y', 'z'"),
        (["2 + 3"], "has no variable"),
        (["x", "if=3"], "'if' is no name"),
        (["x", "x=foo"], "the value of x: a number, or a list of numbers, is needed"),
        (["x", "x=[]"], "the value of x: empty lists"),
        (["x", "x=[1,[2]]"], "different shapes"),
        (["x", "x="], "the value of x: the expression is empty"),
        (
            ["x", "x=1,2,3"],
            "the value of x: tuples are not allowed in an expression. Write x=[1,2,3]",
        ),
        (["x", "x=(1,2)"], "Write x=[1,2]"),
        (["x", "x=1", "--svg", "x.png"], "does not end in .svg"),
        (["(" * 500 + "x" + ")" * 500, "x=1"], "too many nested parentheses"),
        (["x" + "+x" * 20_000, "x=1"], "up to 20,000 are read"),
    ],
)
def test_other_mistakes_are_named(capsys, arguments, message):
    status, printed = explained(capsys, *arguments)
    assert status == 2
    assert message in printed.err
    assert max(map(len, printed.err.splitlines())) < 120


def test_deep_expressions_are_read_or_refused(capsys):
    status, printed = explained(capsys, "-" * 500 + "x", "x=1")
    assert (status, printed.err) == (0, "")
    status, printed = explained(capsys, "+".join("x" * 5_000), "x=1")
    assert status in (0, 2)
    assert "Traceback" not in printed.err


def test_a_file_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    status, printed = explained(capsys, "x*x", "x=1", "--svg", str(tmp_path / "file" / "x.svg"))
    assert status == 2
    assert "can't be written" in printed.err


def test_a_reader_that_stops_reading_is_no_error():
    command = [sys.executable, "-m", "autodiff", "explain", "x*x", "x=3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 1


def test_a_minus_at_the_beginning_is_no_option(capsys):
    for expression in ("-x", "--x", "-exp(x)", "-(x)"):
        assert explained(capsys, expression, "x=3")[0] == 0


def test_missing_arguments_are_a_usage_error(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    with pytest.raises(SystemExit, match="2"):
        main(["x", "x=1", "--png", "x.png"])
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "EXPRESSION" in capsys.readouterr().out


def test_points_without_a_derivative_are_named(capsys):
    status, printed = explained(capsys, "sqrt(x)", "x=-1")
    assert status == 1
    assert "no derivative here" in printed.out
    assert explained(capsys, "log(x)", "x=[1,-1]")[0] == 1


def test_a_kink_is_placed_in_the_expression(capsys):
    status, printed = explained(capsys, "exp(relu(x))", "x=0")
    assert status == 0
    assert "relu at expression:1: relu(x): 1 entry" in printed.out


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_can_be_called(name):
    operands = (
        len(getattr(ad, name).primitive.arrays) if hasattr(getattr(ad, name), "primitive") else 1
    )
    option = ", axis=0" if name == "cumulative_sum" else ""
    call = f"{name}({', '.join('xyz'[:operands])}{option})"
    values = {letter: ad.tensor([[0.3, 0.4], [0.5, 0.6]]) for letter in "xyz"}
    with np.errstate(invalid="ignore"):
        found = parse(call, values).evaluate(values)
    assert np.isfinite(found.array).any() or name == "acosh"


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "w", "2", "0.5", "pi"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda part: f"-{part}"),
        inner.map(lambda part: f"tanh({part})"),
        inner.map(lambda part: f"({part})**2"),
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(EXPRESSIONS)
def test_expressions_have_pythons_value(text):
    variables = {"x": 1.25, "w": -0.5}
    with np.errstate(all="ignore"):
        try:
            known = eval(text, {"tanh": np.tanh, "pi": np.pi}, variables)  # noqa: S307
        except (ZeroDivisionError, OverflowError):
            return
        try:
            with ad.default_dtype(ad.float64):
                leaves = {name: ad.tensor(value) for name, value in variables.items()}
                found = parse(text, variables).evaluate(leaves)
        except ExpressionError:
            assert not np.isfinite(known)
            return
    np.testing.assert_allclose(float(found), known, rtol=1e-12)


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text, ["x"])
        read_value("x", text)
    except ExpressionError:
        return
