"""Which comparisons are made of one variable: all entries, or random projections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.check import Checker, gravity
from autodiff.checking.report import Entry
from autodiff.checking.verdict import KINK, OK, SKIPPED, UNRESOLVED, WRONG

__all__ = ["VariableCheck", "fast", "full"]

Array = np.ndarray[Any, Any]


class VariableCheck(NamedTuple):
    """What was found about one variable."""

    entries: list[Entry]
    worst: Entry | None
    verdict: str
    checked: str


def full(
    checker: Checker, k: int, ticks: Callable[[Iterable[int]], Iterable[int]]
) -> VariableCheck:
    """Compare every entry of one variable."""
    entries: list[Entry] = []
    worst: dict[str, Entry] = {}
    size = checker.function.point[k].size
    for position in ticks(range(size)):
        entry = checker.single_entry(k, position)
        if entry.verdict != OK:
            entries.append(entry)
        known = worst.get(entry.verdict)
        if known is None or entry.ratio > known.ratio:
            worst[entry.verdict] = entry
    if OK in worst:
        entries.append(worst[OK])
    verdict = _overall(worst)
    return VariableCheck(entries, worst.get(verdict), verdict, f"{size:,}")


def fast(checker: Checker, k: int) -> VariableCheck:
    """Compare random projections of one variable; where they differ, find the entries."""
    x = checker.function.point[k]
    if not x.size:
        return VariableCheck([], None, OK, "0")
    entries: list[Entry] = []
    everything = np.arange(x.size)
    for _ in range(checker.settings.probes):
        entry = checker.project(k, everything)
        entries.append(entry)
        if entry.verdict in (WRONG, KINK) or (entry.verdict == UNRESOLVED and entry.reason):
            found = _bisect(checker, k)
            worst = max([*found, *([entry] if not found else [])], key=gravity)
            verdicts = {e.verdict for e in (found or [entry])}
            checked = f"{x.size:,} by {len(entries)}"
            return VariableCheck(found or entries, worst, _overall(verdicts), checked)
    if checker.own is not None:
        entries.append(checker.own.worst(k))
    worst = max(entries, key=gravity)
    verdict = _overall({entry.verdict for entry in entries})
    kept = [e for e in entries if e.verdict != OK] or [worst]
    return VariableCheck(kept, worst, verdict, f"{x.size:,} by {len(entries)}")


def _bisect(checker: Checker, k: int) -> list[Entry]:
    """Find the entries that make a projection fail, by halving its support.

    Stops after some hundred projections; what is not resolved by then is noted.
    """
    size = checker.function.point[k].size
    pending = [np.arange(size)]
    found: list[Entry] = []
    budget = max(40 + 8 * int(np.ceil(np.log2(size + 1))), min(4 * size, 500))
    while pending and budget > 0:
        support = pending.pop()
        if len(support) == 1:
            budget -= 1
            entry = checker.single_entry(k, int(support[0]))
            if entry.verdict != OK:
                found.append(entry)
            continue
        middle = len(support) // 2
        halves = [support[:middle], support[middle:]]
        suspects: list[Array] = []
        for _ in range(checker.settings.probes):  # a direction may weigh an entry too little
            for half in halves:
                budget -= 1
                if len(half) == 1 or checker.project(k, half).verdict in (WRONG, KINK):
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
            found = [replace(entry, verdict=UNRESOLVED, reason=reason) for entry in found]
    return found


def _overall(verdicts: Collection[str]) -> str:
    """Sum the verdicts of one input's entries up: what fails first, what was checked next."""
    if WRONG in verdicts:
        return WRONG
    for verdict in (OK, KINK, UNRESOLVED, SKIPPED):
        if verdict in verdicts:
            return verdict
    return OK
