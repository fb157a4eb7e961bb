"""A full training step of several models: forward, backward, update; time, and peak memory.

The same weights and data everywhere, float32, losses checked to agree. Each system has a
process of its own, so that no allocator and no pool of threads meets another's; the processes
take turns, and each runs its steps one after the other, as training does. Memory is how far the
resident size rises above what the process held before the steps, over three of them (Linux
only).

    python -m benchmarks.training_step               all models
    python -m benchmarks.training_step LSTM d128     those whose names have one of the words
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import re
import subprocess
import sys
from argparse import Namespace
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import process_time, sleep
from typing import Any, Self

from benchmarks.models import MODELS, Perceptron
from benchmarks.record import options, write
from benchmarks.systems import SYSTEMS
from benchmarks.timing import interleaved, seconds, table

BASE = "PyTorch, same operations"
PAUSE = 0.2
SMALL = Perceptron((8, 8, 2), batch=4)


class Worker:
    """A process that holds one system's step of one model, and measures it when it is asked."""

    def __init__(self, system: str, model: str) -> None:
        command = [sys.executable, "-m", "benchmarks.training_step", "--serve", system, model]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        answer = self._read()
        self.installed = answer is not None
        if self.installed:
            self.loss, self.memory = answer
        self.repeats = 1

    def _read(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def seconds(self, *, of_processor: bool) -> float:
        """Return the seconds of a step, once the others' threads have gone to sleep."""
        sleep(PAUSE)
        print(json.dumps([self.repeats, of_processor]), file=self.process.stdin, flush=True)
        return float(self._read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve(system: str, model: str) -> None:
    """Be a worker: say the first loss and the memory; then, for each line, the time."""
    try:
        SYSTEMS[system](SMALL)()  # imports and thread pools do not count
        step = SYSTEMS[system](MODELS[model])
    except (ImportError, NotImplementedError):
        print("null", flush=True)
        return
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what making the model has left free is not held
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    loss = step()
    for _ in range(2):
        step()
    print(json.dumps([loss, resident("VmHWM") - before]), flush=True)
    for line in sys.stdin:
        repeats, of_processor = json.loads(line)
        options = {"clock": process_time} if of_processor else {}
        print(json.dumps(seconds(step, repeats, **options)), flush=True)


def resident(field: str) -> float:
    """Return the process's resident size (VmRSS) or its peak (VmHWM) in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024


def measure(name: str, given: Namespace) -> dict[str, Any]:
    """Measure every system that is installed; raise if their first losses differ."""
    of_processor = given.clock is process_time
    with ExitStack() as stack:
        started = {system: stack.enter_context(Worker(system, name)) for system in SYSTEMS}
        workers = {system: worker for system, worker in started.items() if worker.installed}
        losses = {system: worker.loss for system, worker in workers.items()}
        known = [loss for loss in losses.values() if not math.isnan(loss)]
        if max(known) - min(known) > 1e-4:
            message = f"the systems disagree on the first loss: {losses}"
            raise RuntimeError(message)
        slowest = 0.0
        for worker in workers.values():  # a twentieth of a second at a time, or one step
            once = worker.seconds(of_processor=of_processor)
            worker.repeats = max(1, round(0.05 / once))
            slowest = max(slowest, once)
        rounds = given.rounds or (5 if slowest > 1 else 25)
        runs = {
            system: partial(worker.seconds, of_processor=of_processor)
            for system, worker in workers.items()
        }
        rows = {
            system: {"step, ms": 1e3 * median}
            for system, median in interleaved(runs, rounds).items()
        }
    for system, worker in workers.items():
        if not system.startswith("matmuls"):
            rows[system]["peak memory, MiB"] = worker.memory
    return table(f"training step, {name}", rows, BASE)


def main(arguments: list[str]) -> None:
    parser = options(__doc__)
    parser.add_argument("words", nargs="*", help="only models whose names have one of them")
    parser.add_argument("--rounds", type=int, help="how often; 25, or 5 where a step takes long")
    given = parser.parse_args(arguments)
    tables = []
    for name in MODELS:
        if not given.words or any(word in name for word in given.words):
            tables.append(measure(name, given))
            write(given.json, tables, given.machine)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        main(sys.argv[1:])
