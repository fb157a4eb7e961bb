# ruff: noqa: INP001 - a program, no module of a package
"""Make the pictures of these pages: ``python docs/pictures.py``, from the repository's root.

``neuron.svg`` is what the README's first block of code saves.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(folder: Path = ROOT / "docs") -> None:
    """Run the README's first block in a folder: it saves its picture there."""
    sys.path.insert(0, str(ROOT))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)[0]
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(None):
            exec(compile(block, "<README>", "exec"), {"__name__": "documentation"})  # noqa: S102
    finally:
        os.chdir(before)
        sys.path.remove(str(ROOT))


if __name__ == "__main__":
    main()
