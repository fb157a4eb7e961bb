"""Which line of the user's source called the package."""

from __future__ import annotations

import linecache
import sys
from typing import Any

__all__ = ["caller", "note_origin"]

_INSIDE = ("autodiff", "nn")


def caller() -> str:
    """Return ``file:line: source`` of the nearest frame outside of ``autodiff`` and ``nn``.

    A function that carries out what a user wrote elsewhere, an expression for example, says
    where in a variable ``__origin__``.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - the one documented way to the calling frame
    while frame.f_back is not None:
        if "__origin__" in frame.f_code.co_varnames:
            return str(frame.f_locals["__origin__"])
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in _INSIDE:
            break
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line).strip()
    return f"{file}:{line}: {source}" if source else f"{file}:{line}"


def note_origin(primitive: Any, values: Any, out: Any, options: Any, node: Any) -> None:
    """Observe a node that was made: note the line that made it."""
    node.annotated().origin = caller()
