"""How long drawings take and how large they are, by the number of operations.

``python -m benchmarks.drawing``. The graph is a stack of residual blocks in scopes, recorded;
`closed` is the picture in which its scopes are closed (``depth=0``), `text` holds both passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import autodiff as ad
from autodiff import draw

SIZES = (1, 10, 500, 1_000, 10_000)
OPERATIONS_OF_A_BLOCK = 5


def graph(count: int) -> ad.Tensor:
    """Return a recorded tensor that a number of operations made."""
    x = ad.tensor([0.1, 0.2], requires_grad=True, name="x")
    y, made, block = x, 0, 0
    with ad.record():
        while made < count:
            with ad.name_scope(f"block {block}"):
                w = ad.tensor([1.0, -1.0], requires_grad=True, name=f"w{block}")
                for operation in (lambda h, w=w: h * w, ad.sin, ad.exp, lambda h: h / 3):
                    y = operation(y)
                    made += 1
                    if made == count:
                        return y
                y = y + x
                made += 1
            block += 1
    return y


def measure(function: Callable[[], Any]) -> tuple[float, int]:
    """Return the best of three times, in milliseconds, and the length of the text in bytes."""
    times, size = [], 0
    for _ in range(3):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
        size = len(result.encode()) if isinstance(result, str) else 0
    return 1000 * min(times), size


def main() -> None:
    """Print a row for each size of graph."""
    print("\nDrawing a graph, by its operations  [ms, and kB of text]")
    columns = ("description", "steps", "text", "svg", "closed", "dot")
    print("  operations" + "".join(f"{column:>18}" for column in columns))
    for count in SIZES:
        y = graph(count)
        views: list[Callable[[], Any]] = [
            lambda y=y: draw.describe_graph(y),
            lambda y=y: draw.backward_steps(y),
            lambda y=y: draw.text(y),
            lambda y=y: draw.svg(y, depth=99),
            lambda y=y: draw.svg(y, depth=0),
            lambda y=y: draw.graph(y, depth=99).source,
        ]
        cells = []
        for view in views:
            milliseconds, size = measure(view)
            kilobytes = f"{size / 1000:8,.1f}" if size else " " * 8
            cells.append(f"{milliseconds:10,.1f}{kilobytes}")
        print(f"  {count:10,}" + "".join(cells))


if __name__ == "__main__":
    main()
