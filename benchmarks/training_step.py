"""A training step of an MLP: forward, backward, SGD update; time, and peak memory.

The same weights and data everywhere, float32, losses checked to agree. Memory is measured in
a process of its own for each system: how far its resident size rises above what it held
before the steps, over four of them (Linux only).
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import interleaved, table

DIGITS = (64, 128, 64, 10)
WIDE = (784, 1024, 1024, 10)
Step = Callable[[], float]


def problem(sizes: tuple[int, ...], batch: int) -> tuple[list[Any], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights: list[Any] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        bound = (6 / (fan_in + fan_out)) ** 0.5
        weights.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32))
        weights.append(np.zeros(fan_out, np.float32))
    x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
    y = np.eye(sizes[-1], dtype=np.float32)[rng.integers(0, sizes[-1], batch)]
    return weights, x, y


def logits(weights: list[Any], x: Any, tanh: Callable[[Any], Any]) -> Any:
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        if i + 2 < len(weights):
            x = tanh(x)
    return x


def ours(weights: list[Any], x: Any, y: Any) -> Step:
    import autodiff as ad

    parameters = [ad.tensor(w, requires_grad=True) for w in weights]
    data, labels = ad.tensor(x), ad.tensor(y)

    def step() -> float:
        out = logits(parameters, data, ad.tanh)
        loss = -(ad.log_softmax(out, axis=-1) * labels).sum() / len(x)
        loss.backward()
        with ad.no_grad():
            for p in parameters:
                p -= 0.01 * p.grad  # noqa: PLW2901 - in place
                p.grad = None
        return float(loss)

    return step


def pytorch(weights: list[Any], x: Any, y: Any) -> Step:
    import torch

    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    data, labels = torch.tensor(x), torch.tensor(y)

    def step() -> float:
        out = logits(parameters, data, torch.tanh)
        loss = -(torch.log_softmax(out, -1) * labels).sum() / len(x)
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p -= 0.01 * p.grad  # noqa: PLW2901
                p.grad = None
        return loss.item()

    return step


def hips(weights: list[Any], x: Any, y: Any) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss_of(parameters: Any) -> Any:
        out = logits(parameters, x, anp.tanh)
        shifted = out - anp.max(out, axis=1, keepdims=True)
        normal = anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
        return -anp.sum((shifted - normal) * y) / len(x)

    parameters = [w.copy() for w in weights]
    run = value_and_grad(loss_of)

    def step() -> float:
        loss, grads = run(parameters)
        for p, g in zip(parameters, grads, strict=True):
            p -= np.float32(0.01) * g  # noqa: PLW2901
        return float(loss)

    return step


def mygrad(weights: list[Any], x: Any, y: Any) -> Step:
    import mygrad as mg

    parameters = [mg.tensor(w) for w in weights]

    def step() -> float:
        out = logits(parameters, x, mg.tanh)
        shifted = out - mg.max(out, axis=1, keepdims=True)
        normal = mg.log(mg.sum(mg.exp(shifted), axis=1, keepdims=True))
        loss = -((shifted - normal) * y).sum() / len(x)
        loss.backward()
        for p in parameters:
            p.data -= np.float32(0.01) * p.grad
        return float(loss.item())

    return step


SYSTEMS = {"autodiff": ours, "PyTorch eager": pytorch, "HIPS autograd": hips, "MyGrad": mygrad}


def available(sizes: tuple[int, ...], batch: int) -> dict[str, Step]:
    steps = {}
    for name, make in SYSTEMS.items():
        try:
            steps[name] = make(*problem(sizes, batch))
        except ImportError:
            continue
    return steps


def peak_growth(name: str) -> float:
    """Return, from a process of its own, how many MiB the peak grew over the steps."""
    command = [sys.executable, "-m", "benchmarks.training_step", name]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(output))


def resident(field: str) -> float:
    """Return the process's resident size (VmRSS) or its peak (VmHWM) in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024


def resident_steps(name: str) -> None:
    """Run in the child process: print the growth of the peak resident size in MiB."""
    SYSTEMS[name](*problem(DIGITS, 4))()  # imports and thread pools do not count
    step = SYSTEMS[name](*problem(WIDE, 2048))
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    for _ in range(4):
        step()
    print(json.dumps(resident("VmHWM") - before))


def main(rounds: int = 40) -> None:
    for sizes, batch in ((DIGITS, 64), (WIDE, 64)):
        steps = available(sizes, batch)
        losses = {name: step() for name, step in steps.items()}
        if max(losses.values()) - min(losses.values()) > 1e-4:
            message = f"the systems disagree on the first loss: {losses}"
            raise RuntimeError(message)
        medians = interleaved(steps, rounds)
        rows = {name: {"step": 1e3 * seconds} for name, seconds in medians.items()}
        name = f"training step, MLP {'-'.join(map(str, sizes))}, batch {batch}"
        table(name, rows, "ms", "PyTorch eager")
    rows = {name: {"peak growth": peak_growth(name)} for name in available(DIGITS, 4)}
    title = f"peak memory of training steps, MLP {'-'.join(map(str, WIDE))}, batch 2048"
    table(title, rows, "MiB", "PyTorch eager")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        resident_steps(sys.argv[1])
    else:
        main()
