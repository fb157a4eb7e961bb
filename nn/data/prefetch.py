"""Calls made ahead of time by a thread, their results given in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["ahead"]

_IDLE = 5.0
"""Seconds after which a thread that nobody asks anything of ends; it is started anew if need be."""


class _Work:
    """What the thread and its owner share. The thread knows nothing of the owner."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.asked: deque[Callable[[], Any]] = deque()
        self.done: deque[tuple[Any, BaseException | None]] = deque()
        self.closed = False
        self.thread: threading.Thread | None = None

    def ask(self, call: Callable[[], Any]) -> None:
        with self.changed:
            self.asked.append(call)
            if self.thread is None:
                self.thread = threading.Thread(
                    target=_labour, args=(self,), name="autodiff-prefetch", daemon=True
                )
                self.thread.start()
            self.changed.notify_all()

    def result(self) -> Any:
        with self.changed:
            while not self.done:
                self.changed.wait()
            value, error = self.done.popleft()
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame: not a cycle
        return value

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.asked.clear()
            thread = self.thread
            self.changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()


def _labour(work: _Work) -> None:
    while True:
        with work.changed:
            if not work.asked and not work.closed:
                work.changed.wait(_IDLE)
            if not work.asked:
                work.thread = None
                return
            call = work.asked.popleft()
        value, failure = None, None
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asked
            failure = error
        with work.changed:
            work.done.append((value, failure))
            work.changed.notify_all()
        del call, value, failure


def ahead(calls: Iterable[Callable[[], Any]], count: int) -> Iterator[Any]:
    """Give the result of each call in turn, up to ``count`` of which are made ahead.

    The thread ends with the iteration: when it is exhausted, closed or forgotten, when a call
    raises (which this raises then), and when nothing was asked for some seconds.
    """
    work = _Work()
    calls = iter(calls)
    open_ = 0
    try:
        for call in calls:
            work.ask(call)
            open_ += 1
            if open_ > count:
                open_ -= 1
                yield work.result()
        for _ in range(open_):
            yield work.result()
    finally:
        work.close()
