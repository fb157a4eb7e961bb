"""A description as DOT text, in the objects of the ``graphviz`` package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphviz

from autodiff.draw.expressions import visible
from autodiff.draw.labels import Show, label, shorten
from autodiff.draw.svg import render_svg
from autodiff.errors import OptionError

if TYPE_CHECKING:
    from autodiff.draw.description import Description, Vertex

__all__ = ["Graph", "build_graph"]

_PICTURES = (".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ps", ".eps", ".html")

_STYLES: dict[str, dict[str, str]] = {
    "operation": {"shape": "box", "style": "rounded,filled", "fillcolor": "white"},
    "leaf": {"shape": "box", "style": "filled", "fillcolor": "#e6f0fd", "color": "#3f7fd0"},
    "constant": {"shape": "box", "style": "dashed"},
    "result": {"shape": "box"},
    "module": {
        "shape": "box",
        "style": "rounded,filled",
        "fillcolor": "#eaf4ec",
        "color": "#4f9a63",
    },
    "output": {
        "shape": "box",
        "style": "filled",
        "fillcolor": "#fff0d9",
        "color": "#d9821b",
        "penwidth": "2",
    },
}


class Graph(graphviz.Digraph):  # type: ignore[misc]
    """A ``graphviz.Digraph`` that shows itself in a notebook without the ``dot`` program.

    ``source`` is its DOT text; ``render`` and ``pipe`` run ``dot``, where there is one.

    Attributes
    ----------
    description : Description
        What it shows.
    """

    description: Description
    show: Show
    direction: str

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"image/svg+xml": self.svg()}

    def svg(self) -> str:
        """Return the drawing that the package lays out itself."""
        return render_svg(self.description, self.show, self.direction)

    def save(self, filename: Any = None, directory: Any = None, **options: Any) -> str:
        """Write a file: the package's own drawing if it ends in ``.svg``, else DOT text.

        Parameters
        ----------
        filename : path, optional
            At first the graph's name with ``.gv``.
        directory : path, optional
        **options
            Those of ``graphviz.Digraph.save``.

        Returns
        -------
        str
            The file's path.

        Raises
        ------
        OptionError
            If the file's name is that of another picture.
        """
        kind = Path(filename or "").suffix.lower()
        if kind in _PICTURES:  # it would be text all the same
            message = f"save: {os.fspath(filename)!r} is a name for a picture, and this writes text"
            raise OptionError(f"{message}. Give .svg or .gv, or call render(format={kind[1:]!r}).")
        if kind != ".svg":
            return str(super().save(filename, directory=directory, **options))
        path = Path(directory or "", filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg(), encoding="utf-8")
        return str(path)

    def render(
        self,
        filename: Any = None,
        directory: Any = None,
        *,
        format: str | None = None,
        outfile: Any = None,
        cleanup: bool = False,
        **options: Any,
    ) -> str:
        """Write DOT text and its picture; without ``dot``, the package's own drawing as SVG.

        Parameters
        ----------
        filename, directory, format, outfile, cleanup, **options
            Those of ``graphviz.Digraph.render``.

        Returns
        -------
        str
            The picture's path.

        Raises
        ------
        OptionError
            Without ``dot``, for another format than SVG.
        """
        if shutil.which(options.get("engine") or self.engine):
            options |= {"format": format, "outfile": outfile, "cleanup": cleanup}
            return str(super().render(filename, directory=directory, **options))
        self._check_format(format or (Path(outfile).suffix[1:] if outfile else self.format))
        source = Path(self.save(filename, directory))
        path = Path(outfile) if outfile else source.with_name(f"{source.name}.svg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg(), encoding="utf-8")
        if cleanup:
            source.unlink()
        return str(path)

    def pipe(self, format: str | None = None, encoding: str | None = None, **options: Any) -> Any:
        """Return the picture; without ``dot``, the package's own drawing as SVG.

        Parameters
        ----------
        format, encoding, **options
            Those of ``graphviz.Digraph.pipe``.

        Returns
        -------
        bytes, or str where there is an encoding

        Raises
        ------
        OptionError
            Without ``dot``, for another format than SVG.
        """
        if shutil.which(options.get("engine") or self.engine):
            return super().pipe(format=format, encoding=encoding, **options)
        self._check_format(format or self.format)
        return self.svg() if encoding else self.svg().encode()

    def _check_format(self, format: str) -> None:
        if format.lower() != "svg":
            message = f"a picture as {format.upper()} needs Graphviz's program {self.engine!r}"
            raise OptionError(
                f"{message}, which is not installed. Without it give format='svg', or "
                "graph.save('graph.svg')."
            )


def build_graph(description: Description, show: Show, direction: str) -> Graph:
    """Return a description as a graph in DOT."""
    graph = Graph("autodiff")
    graph.description, graph.show, graph.direction = description, show, direction
    graph.attr(rankdir=direction, fontname="Helvetica", fontsize="11")
    graph.attr("node", fontname="Helvetica", fontsize="12", height="0.3", margin="0.12,0.06")
    graph.attr("edge", arrowsize="0.7", color="#8a94a6")
    _add_scope(graph, graph, (), list(range(len(description.vertices))), ["0"])
    for edge in description.edges:
        graph.edge(f"v{edge.source}", f"v{edge.target}")
    return graph


def _add_scope(
    graph: Graph,
    into: Any,
    scope: tuple[str, ...],
    members: list[int],
    last: list[str],
) -> None:
    """Add the vertices of a scope, and the scopes inside it as clusters."""
    depth = len(scope)
    inner: dict[str, list[int]] = {}
    for i in members:
        vertex = graph.description.vertices[i]
        if len(vertex.scope) > depth:
            inner.setdefault(vertex.scope[depth], []).append(i)
        else:
            into.node(f"v{i}", _label(vertex, graph.show), **_style(vertex))
    for name, found in inner.items():
        last[0] = str(int(last[0]) + 1)
        with into.subgraph(name=f"cluster_{last[0]}") as cluster:
            cluster.attr(label=_plain(visible(shorten(name))), color="#b5bfd2", style="rounded")
            _add_scope(graph, cluster, (*scope, name), found, last)


def _style(vertex: Vertex) -> dict[str, str]:
    style = _STYLES[vertex.kind]
    if vertex.kind == "operation" and len(label(vertex).title) == 1 and not vertex.shape:
        return {**style, "shape": "circle", "style": "filled"}
    return {**style, "peripheries": "2"} if vertex.count > 1 else style


def _label(vertex: Vertex, show: Show) -> str:
    text = label(vertex, show)
    lines = [
        f"{visible(text.title)} {text.detail}".strip(),
        *(f"{word} {value}".strip() for word, value in text.rows),
    ]
    # Backslashes are commands in a label; the joining one is the only one that is meant.
    joined = "\\n".join(line.replace("\\", "\\\\") for line in lines if line)
    return str.__str__(graphviz.nohtml(joined)) if not _looks_like_html(joined) else _plain(joined)


def _looks_like_html(text: str) -> bool:
    return text.startswith("<") and text.endswith(">")


def _plain(text: str) -> str:
    """Return text that is no command and no HTML to ``dot``."""
    return graphviz.escape(text)  # type: ignore[no-any-return]
