"""Ctrl-C at moments where nothing is half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, Self

__all__ = ["Interrupts"]


class Interrupts:
    """While entered, an interrupt (SIGINT) inside :meth:`held` waits until its end."""

    def __init__(self) -> None:
        self._handler: Any = None
        self._holding = False
        self._waiting: tuple[Any, ...] | None = None

    def __enter__(self) -> Self:
        # Only the main thread gets signals, and only it may say what becomes of them.
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._handler = handler
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self._handler = None

    def _handle(self, *arguments: Any) -> None:
        if self._holding:
            self._waiting = arguments
        else:
            self._handler(*arguments)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let interrupts wait until the end of the ``with`` block, however it ends."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            waiting, self._waiting = self._waiting, None
            if waiting is not None:  # an error on its way is the interrupt's context then
                self._handler(*waiting)
