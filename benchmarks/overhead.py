"""Microseconds per small operation, forward and backward, in chains of 1,000 operations.

Two chains: ``x = x * w + b`` (every operand needs a gradient, so nothing is pruned), and
``x = tanh(x)``; each on shape (8,) and on 0-d arrays. Backward is the difference between the
whole (forward and backward) and the forward pass alone, medians of interleaved rounds.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import autodiff as ad
from benchmarks.record import options, write
from benchmarks.timing import interleaved, seconds, table

LENGTH = 1000
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def linear(x: Any, w: Any, b: Any) -> Any:
    for _ in range(LENGTH // 2):
        x = x * w + b
    return x


def curve(x: Any, tanh: Callable[[Any], Any]) -> Any:
    for _ in range(LENGTH):
        x = tanh(x)
    return x


def ours(start: np.ndarray, kind: str) -> Pair:
    x, w, b = (ad.tensor(v, requires_grad=True) for v in (start, start * 0 + 1, start * 0))

    def forward() -> Any:
        return linear(x, w, b) if kind == "x*w+b" else curve(x, ad.tanh)

    upstream = np.ones_like(start)
    return forward, lambda: forward().backward(upstream)


def pytorch(start: np.ndarray, kind: str) -> Pair:
    import torch

    x, w, b = (torch.tensor(v).requires_grad_() for v in (start, start * 0 + 1, start * 0))

    def forward() -> Any:
        return linear(x, w, b) if kind == "x*w+b" else curve(x, torch.tanh)

    upstream = torch.ones_like(x)
    return forward, lambda: forward().backward(upstream)


def hips(start: np.ndarray, kind: str) -> Pair:
    import autograd.numpy as anp
    from autograd import make_vjp

    w, b = start * 0 + 1, start * 0

    def function(values: Any) -> Any:
        return linear(*values) if kind == "x*w+b" else curve(values[0], anp.tanh)

    # It records only inside make_vjp, so its forward pass is timed through it.
    return (
        lambda: make_vjp(function)((start, w, b)),
        lambda: make_vjp(function)((start, w, b))[0](np.ones_like(start)),
    )


def mygrad(start: np.ndarray, kind: str) -> Pair:
    import mygrad as mg

    def forward() -> Any:
        # New leaves each time: a leaf keeps every graph that began at it.
        x, w, b = (mg.tensor(v) for v in (start, start * 0 + 1, start * 0))
        return linear(x, w, b) if kind == "x*w+b" else curve(x, mg.tanh)

    return forward, lambda: forward().backward(np.ones_like(start))


def micrograd(start: np.ndarray, kind: str) -> Pair:
    from micrograd.engine import Value

    if start.ndim or kind != "x*w+b":
        message = "micrograd has scalars only, and no tanh"
        raise ImportError(message)
    x, w, b = Value(1.0), Value(1.0), Value(0.0)
    # Its backward sorts by recursion, deeper than Python's default limit allows.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20 * LENGTH))
    return lambda: linear(x, w, b), lambda: linear(x, w, b).backward()


def bare(start: np.ndarray, kind: str) -> Callable[[], Any]:
    if kind == "x*w+b":
        return lambda: linear(start, start, start * 0)
    return lambda: curve(start, np.tanh)


SYSTEMS = {
    "autodiff": ours,
    "PyTorch eager": pytorch,
    "HIPS autograd": hips,
    "MyGrad": mygrad,
    "micrograd": micrograd,
}


def measure(shape: tuple[int, ...], kind: str, given: Namespace) -> dict[str, Any]:
    start = np.ones(shape, np.float32)
    runs: dict[str, Callable[[], Any]] = {"NumPy, no tape|forward": bare(start, kind)}
    for name, make in SYSTEMS.items():
        try:
            runs[f"{name}|forward"], runs[f"{name}|both"] = make(start, kind)
        except ImportError:
            continue
    timed = {key: partial(seconds, run, clock=given.clock) for key, run in runs.items()}
    each = {key: 1e6 * s / LENGTH for key, s in interleaved(timed, given.rounds).items()}
    rows: dict[str, dict[str, float]] = {}
    for name in SYSTEMS:
        if f"{name}|both" in each:
            forward, both = each[f"{name}|forward"], each[f"{name}|both"]
            rows[name] = {"forward": forward, "backward": both - forward, "both": both}
    rows["NumPy, no tape"] = {"forward": each["NumPy, no tape|forward"]}
    title = f"chain of {LENGTH} operations, {kind}, shape {shape}"
    return table(f"{title}  [µs per operation]", rows, "PyTorch eager")


def main(arguments: list[str]) -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args(arguments)
    kinds = ("x*w+b", "tanh")
    tables = [measure(shape, kind, given) for shape in ((8,), ()) for kind in kinds]
    write(given.json, tables, given.machine)


if __name__ == "__main__":
    main(sys.argv[1:])
