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
        units = checker.draw(x.size)
        entry, _, off, allowed = checker.project(k, everything, units)
        entries.append(entry)
        if entry.verdict in _SUSPECT or (entry.verdict == UNRESOLVED and entry.reason):
            part = _Part(everything, units, entry, off, allowed)
            found = _bisect(checker, k, part)
            if not found or (_plainly_wrong(entry) and not any(map(_plainly_wrong, found))):
                found.append(entry)  # no entry stands out, which makes it no better
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


def _plainly_wrong(entry: Entry) -> bool:
    """Tell whether an entry is wrong where nothing bends: at a kink only single ones tell."""
    return entry.verdict == WRONG and "kink" not in entry.reason


class _Part(NamedTuple):
    """A projection of some entries: measured, or inferred from two others where entry is None."""

    support: Array
    units: Array
    entry: Entry | None
    off: Array | None
    allowed: Array

    @property
    def suspect(self) -> bool:
        if self.entry is not None:
            return self.entry.verdict in _SUSPECT
        return self.off is not None and not bool((abs(self.off) <= self.allowed).all())

    def without(self, other: _Part) -> _Part | None:
        """Infer what the other entries contribute, where the first were measured alone.

        None where derivatives do not add up, as at a kink.
        """
        judged = other.entry is not None and other.entry.verdict in (OK, WRONG)
        if not judged or self.off is None or other.off is None:
            return None
        count = len(other.support)
        allowed = self.allowed + other.allowed
        return _Part(self.support[count:], self.units[count:], None, self.off - other.off, allowed)


def _project(checker: Checker, k: int, support: Array, units: Array | None = None) -> _Part:
    units = checker.draw(len(support)) if units is None else units
    entry, _, off, allowed = checker.project(k, support, units)
    return _Part(support, units, entry, off, allowed)


def _bisect(checker: Checker, k: int, failed: _Part) -> list[Entry]:
    """Find the entries that make a projection fail, by halving its support.

    One half is measured, in the same direction; what the other contributes is the rest. Stops
    after some hundred projections; what is not resolved by then is noted.
    """
    size = checker.function.point[k].size
    pending = [failed]
    found: list[Entry] = []
    right: list[Entry] = []
    budget = max(40 + 8 * int(np.ceil(np.log2(size + 1))), min(4 * size, 500))
    while pending and budget > 0:
        part = pending.pop()
        support = part.support
        if len(support) <= 2:
            for position in support:
                budget -= 1
                entry = checker.single_entry(k, int(position))
                (right if entry.verdict == OK else found).append(entry)
            continue
        middle = len(support) // 2
        suspects: list[_Part] = []
        units: Array | None = part.units
        for _ in range(checker.settings.probes):  # a direction may weigh an entry too little
            first = _project(
                checker, k, support[:middle], None if units is None else units[:middle]
            )
            second = None if units is None else part.without(first)
            if second is None:
                budget -= 1
                second = _project(checker, k, support[middle:])
            budget -= 1
            entries = [half.entry for half in (first, second) if half.entry is not None]
            right += [entry for entry in entries if entry.verdict == OK]
            suspects = [half for half in (first, second) if half.suspect]
            if suspects:
                break
            units = None
        pending += reversed(suspects)
    if pending:
        left = sum(len(part.support) for part in pending)
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
