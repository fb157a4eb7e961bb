"""Interleaved timing: what is compared runs in turn, in one run, so that drift hits all.

Absolute times depend on the machine and on the moment; ratios within one run are what counts.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(systems: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Let each system measure itself once per round, in turn; return the medians."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, measure in systems.items():
            times[name].append(measure())
    return {name: statistics.median(values) for name, values in times.items()}


def seconds(
    function: Callable[[], object],
    repeats: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how long a call takes where many follow each other, as in a training loop.

    One call before those that are timed fills the caches again, which the system that ran
    before, or the collector, has emptied. ``time.process_time`` as the clock counts the
    processor's time alone, of all threads: for machines that other programs use, with one
    thread for each system.
    """
    gc.collect()
    function()
    start = clock()
    for _ in range(repeats):
        function()
    return (clock() - start) / repeats


def table(
    title: str, rows: Mapping[str, Mapping[str, float]], base: str
) -> dict[str, str | Mapping[str, Mapping[str, float]]]:
    """Print one row a system: each column's figure, and its ratio to the base system's.

    What is returned is the same, to be recorded.
    """
    columns = list(next(iter(rows.values())))
    if base not in rows:  # a peer that is not installed
        base = next(iter(rows))
    print(f"\n{title}  [in brackets the ratio to {base}]")
    print("  " + " " * 26 + "".join(f"{column:>20}" for column in columns))
    for name, figures in rows.items():
        cells = []
        for column in columns:
            value, reference = figures.get(column), rows[base].get(column)
            if value is None:
                cells.append(f"{'':>20}")
            elif reference:
                cells.append(f"{value:>11.2f} ({value / reference:5.2f})".rjust(20))
            else:
                cells.append(f"{value:>20.2f}")
        print(f"  {name:<26}" + "".join(cells))
    return {"title": title, "base": base, "rows": rows}
