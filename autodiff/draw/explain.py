# ruff: noqa: T201 - what a command prints is its result
"""``python -m autodiff explain "tanh(x*w + b)" x=2 w=-3 b=6.88``: backpropagation, line by line.

It prints the forward and the backward pass, and checks the gradients with finite differences.
"""

from __future__ import annotations

import argparse
import keyword
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.checking import gradcheck
from autodiff.conversion import tensor
from autodiff.draw.parsing import FUNCTIONS, Expression, ExpressionError, parse, read_value
from autodiff.draw.pictures import save
from autodiff.draw.recording import record
from autodiff.draw.text import text
from autodiff.engine.modes import default_dtype
from autodiff.errors import AutodiffError

__all__ = ["main"]

_USAGE_ERROR = 2
_OPTION = re.compile(r"--[a-z]{2,}(=.*)?$|--?$|-h$")


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0; 1 where differences say that a gradient is wrong, or the result is not finite; 2 for
        what can't be read.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = _arguments(given)
    try:
        values = _values(options.variables)
        _check_file("--svg", options.svg, ".svg")
        _check_file("--html", options.html, ".html")
        expression = parse(options.expression, values)
        _check_names(expression, values)
        with default_dtype(np.float64):
            return _explain(expression, values, options)
    except ExpressionError as error:
        print(f"autodiff explain: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"autodiff explain: {error.filename} can't be written: {error.strerror}",
              file=sys.stderr)  # fmt: skip
        return _USAGE_ERROR


def _arguments(given: list[str]) -> argparse.Namespace:
    functions = ", ".join(sorted(FUNCTIONS))
    parser = argparse.ArgumentParser(
        prog="autodiff explain",
        usage='%(prog)s [--html FILE] [--svg FILE] "EXPRESSION" NAME=VALUE ...',
        description="Print the forward and the backward pass of an expression, step by step, "
        "and check its gradients with finite differences.",
        epilog=f"An expression has numbers, variables, + - * / ** @, lists and {functions}.",
    )
    parser.add_argument("expression", metavar="EXPRESSION", help='for example "tanh(x*w + b)"')
    parser.add_argument(
        "variables", nargs="*", metavar="NAME=VALUE", help="x=2, or an array: x=[1,2,3]"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the explorer, a page")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture")
    # An expression may begin with a minus, which would else be taken for an option's.
    shown = [f" {arg}" if arg.startswith("-") and not _OPTION.match(arg) else arg for arg in given]
    return parser.parse_intermixed_args(shown)


def _values(assignments: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.strip().partition("=")
        name = name.strip()
        if not equals:
            message = f"{assignment.strip()!r} gives no variable a value. Write x=2"
            raise ExpressionError(f"{message}, and the expression between quotation marks.")
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ExpressionError(f"{name!r} is no name for a variable.")
        if name in values:
            raise ExpressionError(f"the variable {name!r} is given twice.")
        values[name] = read_value(name, value)
    return values


def _check_file(option: str, file: Path | None, ending: str) -> None:
    if file is not None and file.suffix.lower() != ending:
        raise ExpressionError(f"{option}: {file.name!r} does not end in {ending}.")


def _check_names(expression: Expression, values: dict[str, Any]) -> None:
    unused = [name for name in values if name not in expression.names]
    if unused:
        raise ExpressionError(f"the expression does not use {', '.join(map(repr, unused))}.")
    if not expression.names:
        message = "the expression has no variable"
        raise ExpressionError(f"{message}, so there is nothing to differentiate by.")


def _explain(expression: Expression, values: dict[str, Any], options: argparse.Namespace) -> int:
    leaves = {name: tensor(value, requires_grad=True, name=name) for name, value in values.items()}

    def compute() -> Any:
        return expression.evaluate(leaves)

    with np.errstate(all="ignore"), record():
        result = compute()
    print(f"{expression.text.strip()}\n")
    print(text(result))
    print()
    status = _check(compute, leaves)
    result.backward(np.ones(result.shape))
    if options.svg:
        print(f"\nPicture: {save(result, options.svg)}")
    if options.html:
        print(f"\nExplorer: {_explore(result, options.html, expression.text.strip())}")
    return status if np.isfinite(result.array).all() else 1


def _check(compute: Callable[[], Any], leaves: dict[str, Any]) -> int:
    """Compare with finite differences; return the exit status."""
    print("check against finite differences")
    try:
        with np.errstate(all="ignore"):
            report = gradcheck(compute, list(leaves.items()), raises=False, progress=False)
    except AutodiffError as error:
        print(f"  not possible here: {error}")
        return 0
    for line in str(report).splitlines():
        print(f"  {line}".rstrip())
    return 1 if report.wrong else 0


def _explore(result: Any, file: Path, title: str) -> Path:
    """Write the explorer's page: its module is read only when it is asked for."""
    explorer: Any = import_module("autodiff.draw.explorer")
    explorer.explore(result, file, title=title, gradcheck=True)
    return file
