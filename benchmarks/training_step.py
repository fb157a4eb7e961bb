"""A full training step of several models: forward, backward, update; time, and peak memory.

The same weights and data everywhere, float32, losses checked to agree. Memory is measured in
a process of its own for each system: how far its resident size rises above what it held
before the steps, over three of them (Linux only).

    python -m benchmarks.training_step               all models
    python -m benchmarks.training_step LSTM d128     those whose names have one of the words
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.models import MODELS, Model, Perceptron
from benchmarks.record import options, write
from benchmarks.systems import SYSTEMS, Step
from benchmarks.timing import interleaved, table

BASE = "PyTorch, same operations"
SMALL = Perceptron((8, 8, 2), batch=4)


def available(model: Model) -> dict[str, Step]:
    """Make the steps of the systems that are installed; raise if their first losses differ."""
    steps = {}
    for name, make in SYSTEMS.items():
        try:
            steps[name] = make(model)
        except ImportError:
            continue
    losses = {name: step() for name, step in steps.items()}
    known = [loss for loss in losses.values() if not math.isnan(loss)]
    if max(known) - min(known) > 1e-4:
        message = f"the systems disagree on the first loss: {losses}"
        raise RuntimeError(message)
    return steps


def rounds(model: Model) -> int:
    """Return how often to time: more for what is quicker."""
    if isinstance(model, Perceptron):
        return 60 if model.batch < 1000 else 10
    return 5 if getattr(model, "width", 0) > 300 else 15


def peak_growth(system: str, model: str) -> float:
    """Return, from a process of its own, how many MiB the peak grew over the steps."""
    command = [sys.executable, "-m", "benchmarks.training_step", "--memory", system, model]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(output))


def resident(field: str) -> float:
    """Return the process's resident size (VmRSS) or its peak (VmHWM) in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024


def resident_steps(system: str, model: str) -> None:
    """Run in the child process: print the growth of the peak resident size in MiB."""
    SYSTEMS[system](SMALL)()  # imports and thread pools do not count
    step = SYSTEMS[system](MODELS[model])
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    for _ in range(3):
        step()
    print(json.dumps(resident("VmHWM") - before))


def main(arguments: list[str]) -> None:
    parser = options(__doc__)
    parser.add_argument("words", nargs="*", help="only models whose names have one of them")
    given = parser.parse_args(arguments)
    tables = []
    for name, model in MODELS.items():
        if given.words and not any(word in name for word in given.words):
            continue
        steps = available(model)
        medians = interleaved(steps, rounds(model), given.clock)
        rows = {}
        for system, seconds in medians.items():
            rows[system] = {"step, ms": 1e3 * seconds}
            if not system.startswith("matmuls"):
                rows[system]["peak memory, MiB"] = peak_growth(system, name)
        tables.append(table(f"training step, {name}", rows, BASE))
        write(given.json, tables, given.machine)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        resident_steps(*sys.argv[2:])
    else:
        main(sys.argv[1:])
