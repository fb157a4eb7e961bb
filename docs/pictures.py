# ruff: noqa: INP001 - a program, no module of a package
"""Make the pictures of these pages: ``python docs/pictures.py``, from the repository's root.

``neuron.svg`` is what the README's first block of code saves. ``explorer.png`` is the explorer at
a step of the backward pass, photographed in Chromium; it needs the extra ``test`` and a browser.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import autodiff as ad  # noqa: E402 - from this repository, wherever it is run
import nn  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZE = {"width": 1200, "height": 760}


def neuron(folder: Path = ROOT / "docs") -> None:
    """Run the README's first block in a folder: it saves its picture there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)[0]
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(None):
            exec(compile(block, "<README>", "exec"), {"__name__": "documentation"})  # noqa: S102
    finally:
        os.chdir(before)


def explorer(folder: Path = ROOT / "docs") -> None:
    """Photograph the explorer where a network's second layer hands gradients up."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(
            "explorer.png was not made: it is a photograph of a page in Chromium, and there is "
            "none. Install it (Debian: apt-get install chromium) or set CHROMIUM to its path."
        )
    try:
        from PIL import Image  # noqa: PLC0415 - only this picture needs them
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError as error:
        sys.exit(f"explorer.png was not made: {error}. Install them: pip install -e '.[test]'")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        file = two_layers().save(Path(temporary) / "explorer.html")
        # No sandbox: containers that run programs as root have none.
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(file.as_uri())
        page.keyboard.press("x")  # open everything
        for name in ("cross_entropy", "0: Linear"):  # so that the rest is larger
            page.locator(f'.caption[aria-label^="Module {name}"] .opener').click()
        page.keyboard.press("b")  # to where the backward pass begins
        while "dX = dY @ Wᵀ" not in page.inner_text("#panel"):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("0")  # the whole graph, as large as it goes
        page.evaluate("document.activeElement.blur()")
        picture = page.screenshot()
        chromium.close()
    Image.open(io.BytesIO(picture)).convert("RGB").save(folder / "explorer.png", optimize=True)


def two_layers() -> ad.draw.Exploration:
    """Return the page of a network of two layers and its cross entropy."""
    ad.random.seed(0)
    model = nn.MLP([64, 32, 10])
    digits, labels = ad.random.normal(size=(16, 64)), ad.random.integers(0, 10, size=16)
    names = [*model.named_parameters(), ("digits", digits), ("labels", labels)]
    with ad.record():
        loss = nn.cross_entropy(model(digits), labels)
    return ad.draw.explore(loss, names=names, title="A network of two layers")


if __name__ == "__main__":
    neuron()
    explorer()
