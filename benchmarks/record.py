"""Records of runs: what was measured, with what, on what machine; for the documentation's figures.

python -m benchmarks.overhead --json docs/benchmarks/overhead.json --machine "a laptop, idle"
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "torch", "autograd", "mygrad", "micrograd")


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows ``--json`` and ``--machine``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write a record there")
    parser.add_argument("--machine", default=machine(), help="the record's words for the machine")
    parser.add_argument(
        "--processor-time",
        dest="clock",
        action="store_const",
        const=time.process_time,
        default=time.perf_counter,
        help="count the processor's time, not the clock's: for machines that others use, too",
    )
    return parser


def machine() -> str:
    """Describe this machine: its processor, and how many of its cores may be used."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    model = found[1].strip() if found else platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"


def versions() -> dict[str, str]:
    """Return the versions of what was compared, as far as it is installed."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write(file: Path | None, tables: list[dict[str, Any]], words: str) -> None:
    """Write a record, where one was asked for."""
    if file is None:
        return
    record = {"machine": words, "versions": versions(), "tables": tables}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
