# ruff: noqa: INP001 - a program beside the pages, no module of a package
"""The code of a page, run as a reader runs it: block after block, in one namespace.

A block of ``python`` is executed. One of ``pycon``, with its ``>>>``, must give what it shows.

    python docs/examples.py docs/tour.md      put what the blocks give now into the page
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class WrongExampleError(AssertionError):
    """A page shows what its code does not give."""


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """Give each block's language, code and line."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield found[1], found[2], text[: found.start()].count("\n") + 1


def run(page: Path) -> dict[str, Any]:
    """Run a page's blocks in the current folder; return the namespace that they leave."""
    namespace: dict[str, Any] = {"__name__": "documentation"}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for language, code, line in blocks(page):
        if language == "python":
            exec(compile("\n" * line + code, str(page), "exec"), namespace)  # noqa: S102
            continue
        whole = re.sub(r"\n(?=\n(?!>>>))", "\n<BLANKLINE>", code.rstrip("\n")) + "\n"
        test = doctest.DocTestParser().get_doctest(whole, {}, page.name, str(page), line)
        test.globs = namespace
        said: list[str] = []
        if runner.run(test, out=said.append, clear_globs=False).failed:
            raise WrongExampleError("".join(said))
    return namespace


def fill(page: Path) -> None:
    """Write what the ``pycon`` blocks give into the page."""
    namespace: dict[str, Any] = {"__name__": "documentation"}

    def replaced(found: re.Match[str]) -> str:
        language, code = found[1], found[2]
        if language == "python":
            exec(code, namespace)  # noqa: S102
            return found[0]
        lines = []
        for example in doctest.DocTestParser().get_examples(code):
            source = example.source.rstrip("\n").split("\n")
            lines += [f"{'>>>' if i == 0 else '...'} {line}" for i, line in enumerate(source)]
            given = _given(example, namespace)
            shortened = "..." in example.want and not example.want.startswith("Traceback")
            lines += example.want.rstrip("\n").split("\n") if shortened else given
        return "```pycon\n" + "\n".join(line.rstrip() for line in lines) + "\n```"

    text = page.read_text(encoding="utf-8")
    page.write_text(_FENCE.sub(replaced, text), encoding="utf-8")


def _given(example: doctest.Example, namespace: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(example.source, "<page>", "single"), namespace)  # noqa: S102
        except Exception as error:  # noqa: BLE001 - pages show errors, too
            name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
            out.write(f"Traceback (most recent call last):\n    ...\n{name}: {error}")
    return out.getvalue().rstrip("\n").split("\n") if out.getvalue() else []


if __name__ == "__main__":
    for name in sys.argv[1:]:
        fill(Path(name))
