"""Interleaved timing: what is compared runs in turn, in one process, so that drift hits all.

Absolute times depend on the machine and on the moment; ratios within one run are what counts.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(
    systems: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time each callable once per round, in turn; return the median seconds of each.

    Before each timed call the same callable runs once untimed: what is compared is the steady
    state of a training loop, not how fast caches recover from the system that ran before.
    ``time.process_time`` as the clock counts the processor's time alone, of all threads: for
    machines that other programs use, with one thread for each system.
    """
    times: dict[str, list[float]] = {name: [] for name in systems}
    for function in systems.values():
        function()  # warm up: imports, caches, allocators
    for _ in range(rounds):
        for name, function in systems.items():
            function()
            gc.collect()
            start = clock()
            function()
            times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


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
