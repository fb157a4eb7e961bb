"""The page: its HTML, style and scripts put together with a graph's data into one file."""

from __future__ import annotations

import json
import os
import re
from html import escape
from pathlib import Path
from typing import Any

from autodiff.draw.description import Names
from autodiff.draw.explorer.data import page_data
from autodiff.engine.node import Handle
from autodiff.errors import DTypeError, OptionError, typed_calls

__all__ = ["Exploration", "explore"]

_HERE = Path(__file__).parent
_SCRIPTS = (
    "layout",
    "coordinates",
    "model",
    "arrays",
    "cards",
    "drawing",
    "canvas",
    "steps",
    "panel",
    "overview",
    "keys",
    "start",
)
"""In the order in which they build on one another; together they are one script."""


class Exploration:
    """A page that shows a recorded graph; it shows itself in a notebook.

    Attributes
    ----------
    html : str
        The whole page.
    data : dict
        What it shows.
    path : pathlib.Path or None
        The file that it was written to last.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.path: Path | None = None

    @property
    def html(self) -> str:
        """The whole page."""
        return render(self.data)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page into a file, whose folder is made if there is none."""
        if not isinstance(path, str | os.PathLike):
            message = f"explore: a {type(path).__name__} is no file's name"
            raise DTypeError(f"{message}. Write page.save('page.html').")
        file = Path(path)
        if file.suffix.lower() not in (".html", ".htm"):
            message = f"explore: {file.name!r} is no name for a web page"
            raise OptionError(f"{message}. Give a file that ends in .html.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.html, encoding="utf-8")
        self.path = file
        return file

    def _repr_html_(self) -> str:
        """Show it in a notebook, in a frame of its own."""
        return (
            '<iframe style="width:100%;height:680px;border:1px solid #8884;border-radius:8px" '
            f'title="Backprop explorer" srcdoc="{escape(self.html)}"></iframe>'
        )

    def __repr__(self) -> str:
        operations = len(self.data["forward"])
        where = "" if self.path is None else f", {self.path}"
        return f"<Exploration of {operations} operations{where}>"


@typed_calls
def explore(
    output: Any,
    *others: Any,
    names: Names | None = None,
    gradcheck: bool = False,
    title: str | None = None,
) -> Exploration:
    """Make a page in which the graph that computed a tensor can be walked through.

    One file without anything beside it: no network, no server. It shows every operation's
    value and gradient, and walks through the forward and the backward pass one operation at
    a time. For intermediate values, compute inside ``with autodiff.record():``.

    Parameters
    ----------
    output : Tensor
        What was computed: the loss, for example. Its ``backward()`` need not have run: the
        page runs the rules itself, and changes nothing.
    *others : path, or Tensor
        A file to write, ending in ``.html``; a second tensor, whose graph is compared with
        the first one's.
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``. Those that the graph does not
        contain are reported.
    gradcheck : bool
        Colour every operation by whether its own derivative rule agrees with finite
        differences.
    title : str, optional
        The page's.

    Returns
    -------
    Exploration

    Raises
    ------
    GraphError
        If no operation was recorded for a tensor.
    DTypeError, OptionError
        If an argument is neither a tensor nor the name of a web page.

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff import draw
    >>> x = ad.tensor(2.0, requires_grad=True, name="x")
    >>> with ad.record():
    ...     y = ad.tanh(x * 3)
    >>> page = draw.explore(y)
    >>> page
    <Exploration of 2 operations>
    >>> page.html[:15]
    '<!doctype html>'
    """
    tensors, paths = [], []
    for each in others:
        if isinstance(each, Handle):
            tensors.append(each)
        elif isinstance(each, str | os.PathLike):
            paths.append(each)
        else:
            message = f"explore: a {type(each).__name__} is neither a tensor nor a file's name"
            raise DTypeError(f"{message}. Write explore(loss, 'page.html') or explore(a, b).")
    if len(tensors) > 1 or len(paths) > 1:
        message = f"explore: {1 + len(tensors)} tensors and {len(paths)} files were given"
        raise OptionError(f"{message}. Give two tensors and one file at most.")
    second = tensors[0] if tensors else None
    page = Exploration(page_data(output, second, names, gradcheck=gradcheck, title=title))
    for path in paths:
        page.save(path)
    return page


def render(data: dict[str, Any]) -> str:
    """Return the whole page for its data."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Inside a script element nothing is escaped, so that nothing may look like its end.
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    scripts = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    parts = {
        "title": escape(str(data["title"])),
        "style": _with_fallback(_read("explorer.css")),
        "data": text,
        "script": f'"use strict";\n(() => {{\n{scripts}\n}})();',
    }
    page = _read("explorer.html")
    pieces = []
    while "{{" in page:  # so that nothing in the data is taken for a place to fill
        before, _, rest = page.partition("{{")
        name, _, page = rest.partition("}}")
        pieces += [before, parts[name]]
    # Lone surrogates can't be written; in JSON their escapes mean the same.
    return "".join([*pieces, page]).encode("utf-8", "backslashreplace").decode("utf-8")


def _with_fallback(style: str) -> str:
    """Add the light colours for browsers from before 2024, which don't know ``light-dark()``."""
    light = re.findall(r"(--[a-z-]+: )light-dark\((#\w+), #\w+\);", style)
    colours = " ".join(f"{name}{colour};" for name, colour in light)
    return (
        f"{style}@supports not (color: light-dark(#fff, #000)) {{\n"
        f"  :root {{ color-scheme: light; {colours} }}\n}}\n"
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
