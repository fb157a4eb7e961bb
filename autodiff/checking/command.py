"""``python -m autodiff check FILE.py:FUNCTION``: check a function in a user's file."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autodiff.checking.driver import CHOICES, gradcheck
from autodiff.errors import AutodiffError, OptionError

__all__ = ["add_arguments", "main", "run"]

_GUESSES: tuple[tuple[int, ...], ...] = ((3,), (3, 3), (), (2, 3, 4))
"""The shapes that are tried for all parameters alike where none are given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.description = "Check the gradients of a function in a file against differences."
    parser.add_argument("target", metavar="FILE.py:FUNCTION")
    parser.add_argument(
        "--input",
        action="append",
        metavar="SHAPE|FILE.npy",
        help="one argument: a shape such as 3,4 (drawn at random; () for a number) or an array "
        "file; repeat it for several. Without it the file's variable `inputs` is taken, or "
        "else shapes that fit are tried",
    )
    parser.add_argument(
        "--inputs", metavar="NAME", help="a variable or function of the file that gives the inputs"
    )
    parser.add_argument("--dtype", default="float64", help="of random inputs (default: float64)")
    parser.add_argument("--order", type=int, choices=CHOICES["order"], default=1)
    for name, default in (("mode", "auto"), ("kinks", "report"), ("estimator", "richardson")):
        parser.add_argument(f"--{name}", choices=CHOICES[name], default=default)
    for name in ("h", "rtol", "atol"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--probes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as HTML")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw error against step size")


def run(arguments: argparse.Namespace) -> int:
    """Check, print the report, and return 0 if the gradients are right, else 1."""
    module, f = _load(arguments.target)
    names = ("mode", "order", "h", "rtol", "atol", "probes", "kinks", "estimator", "seed")
    options = {name: getattr(arguments, name) for name in names}
    inputs = _inputs(module, f, arguments)
    report = gradcheck(f, inputs, **options, raises=False)
    print(report)  # noqa: T201 - the command's result
    if arguments.html:
        arguments.html.write_text(report._repr_html_(), encoding="utf-8")
    if arguments.plot:
        report.plot().figure.savefig(arguments.plot)
    return 0 if report.ok else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command by itself."""
    parser = argparse.ArgumentParser(prog="autodiff check")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def _load(target: str) -> tuple[ModuleType, Callable[..., Any]]:
    file, colon, name = target.rpartition(":")
    if not colon or not name:
        message = f"check: {target!r} does not say which function"
        raise OptionError(f"{message}. Write FILE.py:FUNCTION.")
    path = Path(file)
    spec = spec_from_file_location(path.stem, path) if path.suffix == ".py" else None
    if spec is None or spec.loader is None or not path.is_file():
        raise OptionError(f"check: there is no Python file {file!r}")
    sys.path.insert(0, str(path.resolve().parent))
    module = module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    f: Any = module
    for part in name.split("."):
        f = getattr(f, part, None)
    if not callable(f):
        own = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        known = f"It has {', '.join(own)}." if own else "It defines no function."
        raise OptionError(f"check: {file} has no function {name!r}. {known}")
    return module, f


def _inputs(module: ModuleType, f: Callable[..., Any], arguments: argparse.Namespace) -> Any:
    rng = np.random.default_rng(arguments.seed)
    if arguments.input:
        return [_read(text, rng, arguments.dtype) for text in arguments.input]
    name = arguments.inputs or ("inputs" if hasattr(module, "inputs") else None)
    if name is not None:
        found = getattr(module, name, None)
        if found is None:
            raise OptionError(f"check: the file has no {name!r} to take inputs from")
        return found() if callable(found) else found
    return _guess(f, rng, arguments.dtype)


def _read(text: str, rng: np.random.Generator, dtype: str) -> Any:
    if text.endswith((".npy", ".npz")):
        loaded = np.load(text)
        return dict(loaded) if text.endswith(".npz") else loaded
    try:
        shape = tuple(int(part) for part in text.strip("() ").split(",") if part.strip())
    except ValueError:
        message = f"check: --input {text!r} is neither a shape nor an array file"
        raise OptionError(f"{message}. Write 3,4 or FILE.npy.") from None
    return _draw(shape, rng, dtype)


def _guess(f: Callable[..., Any], rng: np.random.Generator, dtype: str) -> Any:
    """Draw random arrays of a shape that the function takes."""
    kinds = inspect.Parameter
    count = sum(
        p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) and p.default is p.empty
        for p in inspect.signature(f).parameters.values()
    )
    if not count:
        message = "check: the function takes no arguments, so what it depends on can't be varied"
        raise OptionError(
            f"{message}. Let the file's variable `inputs` hold the tensors, or "
            "model.named_parameters()."
        )
    last: Exception | None = None
    for shape in _GUESSES:
        drawn = [_draw(shape, rng, dtype) for _ in range(count)]
        try:
            gradcheck(f, drawn, mode="fast", probes=1, raises=False)
        except (AutodiffError, ValueError, TypeError, IndexError) as error:
            if str(error).startswith("gradcheck:"):  # no shape mends that
                raise
            last = error
            continue
        return drawn
    shapes = ", ".join(map(str, _GUESSES))
    message = f"check: no shape that was tried ({shapes}) fits the function"
    why = f" The last one failed with {type(last).__name__}: {last}"
    raise OptionError(f"{message}. Give each argument's: --input 3,4 --input 4.{why}")


def _draw(shape: tuple[int, ...], rng: np.random.Generator, dtype: str) -> Any:
    try:
        floating = np.dtype(dtype).kind == "f"
    except TypeError:
        floating = False
    if not floating:
        message = f"check: --dtype {dtype} is no floating dtype, and others have no derivative"
        raise OptionError(f"{message}. Give float16, float32 or float64.")
    return np.asarray(rng.standard_normal(shape), dtype)
