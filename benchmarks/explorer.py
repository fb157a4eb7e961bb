"""The explorer's page: how long it takes to make, how large it is, how fast it opens.

``python -m benchmarks.explorer``; the times in a browser need Playwright and Chromium.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

import autodiff as ad
import nn
from autodiff import draw

WIDTH, HEADS = 128, 4


def chain(operations):
    x = ad.tensor(1.0, requires_grad=True, name="x")
    with ad.record():
        y = x
        for _ in range(operations):
            y = ad.tanh(y)
    return y, None


def transformer_step(layers):
    """A language model's loss on 8 sequences of 64 tokens."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, dim_feedforward=4 * WIDTH, dropout=0.0, batch_first=True
    )
    model = nn.Sequential(nn.TransformerEncoder(layer, layers), nn.Linear(WIDTH, 50))
    rng = np.random.default_rng(0)
    x = ad.asarray(rng.normal(size=(8, 64, WIDTH)).astype(np.float32))
    labels = ad.asarray(rng.integers(0, 50, 8 * 64))
    with ad.record():
        loss = nn.cross_entropy(model(x).reshape((-1, 50)), labels)
    return loss, [*model.named_parameters(), ("embedded", x)]


def opened(file):
    """Return seconds to open a page, and to lay all its boxes out, and how many those are."""
    from playwright.sync_api import sync_playwright

    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1440, "height": 860})
        start = time.perf_counter()
        page.goto(file.as_uri())
        painted = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        page.evaluate(painted)
        seconds = time.perf_counter() - start
        page.keyboard.press("x")
        laid_out = int(page.get_attribute("#graph", "data-layout-ms")) / 1000
        count = page.locator(".card").count()
        start = time.perf_counter()
        page.keyboard.press("ArrowRight")
        page.evaluate(painted)
        step = time.perf_counter() - start
        chromium.close()
    return seconds, count, laid_out, step


def main():
    graphs = {f"chain of {n:,}": chain(n) for n in (1, 10, 1_000, 10_000)}
    graphs |= {f"Transformer of {n}": transformer_step(n) for n in (1, 8, 38)}
    head = ("graph", "operations", "make", "file", "open", "boxes", "layout", "step")
    print("{:<18}{:>11}{:>9}{:>10}{:>9}{:>8}{:>9}{:>9}".format(*head))
    with tempfile.TemporaryDirectory() as folder:
        for name, (loss, names) in graphs.items():
            start = time.perf_counter()
            page = draw.explore(loss, Path(folder) / "page.html", names=names)
            made = time.perf_counter() - start
            line = f"{name:<18}{len(page.data['forward']):>11,}{made:>7.2f} s"
            line += f"{page.path.stat().st_size / 1e6:>7.2f} MB"
            try:
                seconds, count, laid_out, step = opened(page.path)
                line += f"{seconds:>7.2f} s{count:>8,}{laid_out:>7.2f} s{step:>7.2f} s"
            except Exception as error:  # noqa: BLE001 - no browser: the rest still counts
                line += f"  not opened: {type(error).__name__}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
