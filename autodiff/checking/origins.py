"""Which line of the user's an operation belongs to, also where a derivative rule made it."""

from __future__ import annotations

import sys
from typing import Any

from autodiff.engine.backward import propagate
from autodiff.engine.origin import caller

__all__ = ["Origins"]


class Origins:
    """The user's line for every operation of an evaluation, asked for as it is recorded.

    What a rule does while gradients are differentiated is done for the operation whose rule
    it is: that operation's line is the user's.
    """

    def __init__(self) -> None:
        self._known: dict[int, str] = {}  # by a node's number: to hold no graph

    def of(self, node: Any) -> str:
        """Return ``file:line: source`` for an operation's new node."""
        running = _running()
        origin = None
        if running is not None:
            at = self._known.get(running.number)
            if at is None and running.inputs and running.inputs[0] is not None:
                at = self._known.get(running.inputs[0].number)  # one of several results
            if at is not None:
                inside = f" (in the derivative of {running.operation})"
                origin = at if " (in the derivative of " in at else at + inside
        origin = origin or caller()
        self._known[node.number] = origin
        return origin


def _running() -> Any:
    """Return the node whose rule is running, if one is."""
    frame = sys._getframe(2)  # noqa: SLF001 - the one documented way to the calling frames
    while frame is not None:
        if frame.f_code is propagate.__code__:
            return frame.f_locals.get("node")
        frame = frame.f_back  # type: ignore[assignment]
    return None
