"""A bar for checks that take long: one for all inputs, shown after a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Progress", "progress_bar"]

_AFTER, _EVERY = 1.0, 0.2  # seconds


class Progress:
    """Counts entries; without tqdm it writes one line of text over and over."""

    def __init__(self, total: int, *, shown: bool, after: float) -> None:
        self._total = total
        self._shown = shown
        self._done = 0
        self._next = time.perf_counter() + after
        self._written = 0

    def over(self, positions: Iterable[int], name: str) -> Iterator[int]:
        """Yield the positions of one input's entries, and count them."""
        for position in positions:
            yield position
            self._done += 1
            if self._shown and time.perf_counter() >= self._next:
                self._next = time.perf_counter() + _EVERY
                self.write(f"gradcheck {name}: {self._done:,} of {self._total:,} entries")

    def write(self, text: str) -> None:
        """Write a line over the former one."""
        text = text[:78]
        sys.stderr.write(f"\r{text.ljust(self._written)}\r{text}")
        sys.stderr.flush()
        self._written = len(text)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._written:
            self.write("")


class _Bar(Progress):
    """The same, drawn by tqdm."""

    def __init__(self, total: int, tqdm: Any, after: float) -> None:
        super().__init__(total, shown=True, after=after)
        self._at_once = not after
        self._bar = tqdm(total=total, desc="gradcheck", leave=False, unit=" entries", delay=after)

    def over(self, positions: Iterable[int], name: str) -> Iterator[int]:
        self._bar.set_description(f"gradcheck {name[-30:]}", refresh=self._at_once)
        for position in positions:
            yield position
            self._bar.update()

    def close(self) -> None:
        self._bar.close()


@contextmanager
def progress_bar(total: int, wanted: bool | None) -> Iterator[Progress]:
    """Give a bar for so many entries: asked for, or in a terminal or a notebook after a second."""
    seen = sys.stderr.isatty() or "ipykernel" in sys.modules
    shown = seen if wanted is None else wanted
    after = _AFTER if wanted is None else 0.0
    bar = Progress(total, shown=shown, after=after)
    if shown:
        try:
            from tqdm import tqdm  # noqa: PLC0415 - optional
        except ImportError:
            pass
        else:
            bar = _Bar(total, tqdm, after)
    try:
        yield bar
    finally:
        bar.close()
