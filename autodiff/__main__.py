"""The command line: ``python -m autodiff demo``.

Every command is a module with a ``main(arguments)`` of its own, imported when it is asked for.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from autodiff.errors import AutodiffError
from autodiff.version import __version__

__all__ = ["main"]

_COMMANDS = {
    "demo": (
        "autodiff.demo",
        "train on handwritten digits, check every gradient, draw the graph",
    ),
    "explain": (
        "autodiff.draw.explain",
        "print backpropagation through an expression, line by line",
    ),
    "check": ("autodiff.checking.command", "check the gradients of a function in a file"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the program's name; at first ``sys.argv[1:]``.

    Returns
    -------
    int
        The exit status: 0, 1 for a failure, 2 for a usage error, 130 when interrupted.
    """
    listing = "\n".join(f"  {name:8} {summary}" for name, (_, summary) in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="autodiff",
        description="Arrays like NumPy, gradients like PyTorch, graphs you can watch.",
        epilog=f"commands:\n{listing}\n\n'autodiff COMMAND --help' says more about each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"autodiff {__version__}")
    parser.add_argument("command", choices=list(_COMMANDS), metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    module, _ = _COMMANDS[parsed.command]
    try:
        status: int = import_module(module).main(parsed.rest)
    except AutodiffError as error:
        message = str(error).removeprefix(f"{parsed.command}: ")
        print(f"autodiff {parsed.command}: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nautodiff {parsed.command}: interrupted", file=sys.stderr)
        return 130  # as shells say it: 128 and the signal's number
    return status


if __name__ == "__main__":
    sys.exit(main())
