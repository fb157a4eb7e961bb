"""Which comparisons are made of one variable: all entries, or random projections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from heapq import nlargest
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.check import Checker, gravity
from autodiff.checking.report import Entry
from autodiff.checking.verdict import KINK, OK, SKIPPED, UNRESOLVED, WRONG

__all__ = ["KEPT", "VariableCheck", "fast", "full"]

Array = np.ndarray[Any, Any]


KEPT = 10
"""How many of one variable's entries that are right are kept: the worst."""


class VariableCheck(NamedTuple):
    """What was found about one variable.

    Attributes
    ----------
    entries : list of Entry
        What is kept: all that is not plainly right, and the worst of the rest.
    counts : Counter
        How many comparisons had each verdict.
    checked : str
        What was compared, as the table says it.
    hidden : int
        How many entries are too small for a projection to show an error in them.
    """

    entries: list[Entry]
    counts: Counter[str]
    checked: str
    hidden: int = 0

    @property
    def verdict(self) -> str:
        """What fails first, or what was checked next."""
        return _overall(self.counts)

    @property
    def worst(self) -> Entry | None:
        """The entry that stands for the verdict."""
        found = [entry for entry in self.entries if entry.verdict == self.verdict]
        return max(found, key=gravity, default=None)

    def revised(self, judged: Callable[[Entry], Entry]) -> VariableCheck:
        """Return the same with another judgement of every entry that was kept."""
        counts = Counter(self.counts)
        entries = []
        for entry in self.entries:
            again = judged(entry)
            counts[entry.verdict] -= 1
            counts[again.verdict] += 1
            entries.append(again)
        return self._replace(entries=entries, counts=+counts)


def full(
    checker: Checker, k: int, ticks: Callable[[Iterable[int]], Iterable[int]]
) -> VariableCheck:
    """Compare every entry of one variable."""
    entries: list[Entry] = []
    right: list[Entry] = []
    size = checker.function.point[k].size
    counts: Counter[str] = Counter()
    for position in ticks(range(size)):
        entry = checker.single_entry(k, position)
        counts[entry.verdict] += 1
        (right if entry.verdict == OK else entries).append(entry)
        if len(right) >= 100 * KEPT:
            right = nlargest(KEPT, right, key=gravity)
    return VariableCheck(entries + nlargest(KEPT, right, key=gravity), counts, f"{size:,}")


def fast(checker: Checker, k: int) -> VariableCheck:
    """Compare random projections of one variable; where they differ, find the entries."""
    x = checker.function.point[k]
    if not x.size:
        return VariableCheck([], Counter(), "0")
    entries: list[Entry] = []
    everything = np.arange(x.size)
    for _ in range(checker.settings.probes):
        entry = checker.project(k, everything)
        entries.append(entry)
        if entry.verdict in _SUSPECT or (entry.verdict == UNRESOLVED and entry.reason):
            found = _bisect(checker, k) or [entry]
            checked = f"{x.size:,} by {len(entries)}"
            counts = Counter(e.verdict for e in found)
            right = nlargest(KEPT, (e for e in found if e.verdict == OK), key=gravity)
            return VariableCheck([e for e in found if e.verdict != OK] + right, counts, checked)
    if checker.own is not None:
        entries.append(checker.own.worst(k))
    counts = Counter(entry.verdict for entry in entries)
    checked = f"{x.size:,} by {len(entries)}"
    return VariableCheck(entries, counts, checked, checker.hidden(k, entries))


_SUSPECT = (WRONG, KINK, SKIPPED)


def _suspect(entry: Entry, right: list[Entry]) -> bool:
    if entry.verdict == OK:
        right.append(entry)
    return entry.verdict in _SUSPECT


def _bisect(checker: Checker, k: int) -> list[Entry]:
    """Find the entries that make a projection fail, by halving its support.

    Stops after some hundred projections; what is not resolved by then is noted.
    """
    size = checker.function.point[k].size
    pending = [np.arange(size)]
    found: list[Entry] = []
    right: list[Entry] = []
    budget = max(40 + 8 * int(np.ceil(np.log2(size + 1))), min(4 * size, 500))
    while pending and budget > 0:
        support = pending.pop()
        if len(support) == 1:
            budget -= 1
            entry = checker.single_entry(k, int(support[0]))
            (right if entry.verdict == OK else found).append(entry)
            continue
        middle = len(support) // 2
        halves = [support[:middle], support[middle:]]
        suspects: list[Array] = []
        for _ in range(checker.settings.probes):  # a direction may weigh an entry too little
            for half in halves:
                budget -= 1
                if len(half) == 1 or _suspect(checker.project(k, half), right):
                    suspects.append(half)
            if suspects:
                break
        pending += reversed(suspects)
    if pending:
        left = sum(len(support) for support in pending)
        name = checker.function.variables[k].name
        checker.notes.append(
            f"Of {name}, {len(found)} entries were found one by one; among {left:,} "
            "others there are more. mode='full' checks them all."
        )
        if all(entry.verdict != WRONG for entry in found):  # too many kinks to look behind all
            reason = "there are too many kinks here for the fast mode"
            return [replace(entry, verdict=UNRESOLVED, reason=reason) for entry in found]
    return found + right


def _overall(verdicts: Collection[str]) -> str:
    """Sum the verdicts of one input's entries up: what fails first, what was checked next."""
    if WRONG in verdicts:
        return WRONG
    for verdict in (OK, KINK, UNRESOLVED, SKIPPED):
        if verdict in verdicts:
            return verdict
    return OK
