# ruff: noqa: INP001 - a program beside the pages, no module of a package
"""Draw the benchmarks' figures from the records of their runs: ``python docs/figures.py``.

``docs/benchmarks/*.json`` are what ``python -m benchmarks.overhead --json FILE`` and
``python -m benchmarks.training_step --json FILE`` wrote; beside them the figures are put, whose
colours are the page's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent / "benchmarks"
WIDTH, LEFT, RIGHT, ROW = 760, 190, 90, 20
SHOWN = {
    "autodiff": "ours",
    "autodiff, nn": "ours",
    "autodiff, basic operations": "ours",
    "PyTorch eager": "base",
    "PyTorch, same operations": "base",
}


class Bar(NamedTuple):
    """A row of a figure: a name, lengths that are stacked, and what is written behind."""

    name: str
    lengths: Sequence[float]
    text: str


def figure(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], unit: float | None) -> str:
    """Return an SVG of groups of bars, each group in a scale of its own unless there is a unit.

    With a unit, all lengths have one scale, and a line stands at it.
    """
    body: list[str] = []
    y = 6.0
    longest = max(sum(bar.lengths) for _, bars in groups for bar in bars)
    for heading, bars in groups:
        y += 16
        body.append(f'<text class="title" x="0" y="{y:g}">{escape(heading)}</text>')
        y += 8
        largest = longest if unit else max(sum(bar.lengths) for bar in bars)
        scale = (WIDTH - LEFT - RIGHT) / largest
        if unit:
            at, end = LEFT + unit * scale, y + ROW * len(bars)
            body.append(f'<path class="one" d="M{at:.1f} {y:g}V{end:g}"/>')
        for bar in bars:
            body.append(f'<g class="{SHOWN.get(bar.name, "")}">')
            middle = y + ROW / 2
            name = escape(bar.name)
            body.append(f'<text x="{LEFT - 8}" y="{middle + 4:g}" text-anchor="end">{name}</text>')
            x = float(LEFT)
            for i, length in enumerate(bar.lengths):
                width = max(length * scale, 0.5)
                kind = "bar second" if i else "bar"
                body.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{y + 3:g}" width="{width:.1f}" '
                    f'height="{ROW - 6}" rx="2"/>'
                )
                x += width
            body.append(f'<text x="{x + 6:.1f}" y="{middle + 4:g}">{escape(bar.text)}</text></g>')
            y += ROW
        y += 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure-bars" viewBox="0 0 {WIDTH} {y:g}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def overhead(record: dict[str, Any]) -> str:
    """Draw microseconds per small operation: forward, and behind it backward."""
    groups = []
    for table in record["tables"]:
        heading = table["title"].removesuffix("  [µs per operation]")
        bars = []
        for name, row in table["rows"].items():
            parts = [row["forward"], *([row["backward"]] if "backward" in row else [])]
            bars.append(Bar(name, parts, f"{sum(parts):.2f} µs"))
        groups.append((heading, bars))
    title = "Microseconds per operation in chains of 1,000 small operations, forward and backward"
    return figure(title, groups, None)


def ratios(record: dict[str, Any], column: str, what: str) -> str:
    """Draw a column of the training steps, as a ratio to PyTorch's same operations."""
    groups = []
    for table in record["tables"]:
        base = table["rows"][table["base"]].get(column)
        bars = [
            Bar(name, [row[column] / base], f"{row[column] / base:.2f}")
            for name, row in table["rows"].items()
            if column in row
        ]
        groups.append((table["title"].removeprefix("training step, "), bars))
    return figure(f"{what} of a training step, relative to PyTorch eager", groups, 1.0)


def drawings() -> dict[str, str]:
    """Return every figure by its file's name."""
    record = json.loads((FOLDER / "overhead.json").read_text(encoding="utf-8"))
    made = {"overhead.svg": overhead(record)}
    record = json.loads((FOLDER / "training_step.json").read_text(encoding="utf-8"))
    made["time.svg"] = ratios(record, "step, ms", "Time")
    # Of the smallest model the growth is a few pages, which says nothing.
    large = [
        table for table in record["tables"] if table["rows"][table["base"]]["peak memory, MiB"] > 4
    ]
    made["memory.svg"] = ratios({"tables": large}, "peak memory, MiB", "Peak memory")
    return made


if __name__ == "__main__":
    for name, svg in drawings().items():
        (FOLDER / name).write_text(svg, encoding="utf-8")
