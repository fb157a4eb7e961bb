# ruff: noqa: INP001 - a program beside the pages, no module of a package
"""What is gathered before the pages are built, into folders that git ignores.

``reference/``   pages from the packages' ``__all__``
``notebooks/``   the course's notebooks, and the page that lists them
``_made/``       pictures and explorer pages that the code of the pages saves
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import examples
import reference

DOCS = Path(__file__).resolve().parent
COURSE = DOCS.parent / "notebooks"
WITH_PICTURES = ("index.md", "tour.md", "guide/drawing.md")
"""The pages whose code saves pictures that they show."""


def main() -> None:
    """Gather everything."""
    reference.write(DOCS / "reference")
    notebooks(DOCS / "notebooks")
    pictures(DOCS / "_made" / "explorer")


def pictures(folder: Path) -> None:
    """Run the code of the pages that show what it saves, in the folder that the site takes over."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(None):
            for page in WITH_PICTURES:
                examples.run(DOCS / page)
    finally:
        os.chdir(before)
    for path in folder.iterdir():
        if path.suffix not in (".html", ".svg"):
            path.unlink()


def notebooks(folder: Path) -> None:
    """Mirror the course's notebooks, as they are stored: with what they gave."""
    folder.mkdir(exist_ok=True)
    there = sorted(COURSE.glob("[0-9]*.ipynb"))
    for path in folder.glob("*.ipynb"):
        if path.name not in {notebook.name for notebook in there}:
            path.unlink()
    for notebook in there:
        copy = folder / notebook.name
        if not copy.exists() or copy.read_bytes() != notebook.read_bytes():
            shutil.copyfile(notebook, copy)
    names = "\n".join(notebook.stem for notebook in there)
    text = (COURSE / "README.md").read_text(encoding="utf-8")
    text += f"\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    page = folder / "index.md"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")
