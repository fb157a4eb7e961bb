"""The three ways to a picture: SVG text, a file, a graph for Graphviz."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autodiff.draw.description import Names, describe_graph
from autodiff.draw.dot import Graph, build_graph
from autodiff.draw.svg import render_svg
from autodiff.errors import OptionError

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = ["graph", "save", "svg"]


def graph(
    output: Tensor, names: Names | None = None, *, direction: Literal["TB", "LR"] = "TB"
) -> Graph:
    """Return the graph that computed a tensor, for Graphviz.

    Operations are round, tensors boxed: leaves blue, constants dashed, the output orange;
    scopes are frames. It shows itself in a notebook, also where no ``dot`` program is.

    Parameters
    ----------
    output : Tensor
        What was computed: the loss, for example.
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.
    direction : {"TB", "LR"}
        From top to bottom or from left to right, when ``dot`` lays it out.

    Returns
    -------
    Graph
        A ``graphviz.Digraph``; its ``source`` is DOT text.

    Raises
    ------
    GraphError
        If no operation was recorded for the tensor.

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff import draw
    >>> w = ad.tensor(2.0, requires_grad=True, name="w")
    >>> "w" in draw.graph(ad.exp(w)).source
    True
    """
    if direction not in ("TB", "LR"):
        raise OptionError(f"graph: direction {direction!r} is unknown. Give 'TB' or 'LR'.")
    return build_graph(describe_graph(output, names), direction)


def svg(output: Tensor, names: Names | None = None) -> str:
    """Return a drawing of the graph that computed a tensor, as SVG text.

    The package lays it out itself, forward from top to bottom. It follows the page's light
    or dark scheme.

    Parameters
    ----------
    output : Tensor
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.

    Returns
    -------
    str

    Raises
    ------
    GraphError
        If no operation was recorded for the tensor.
    """
    return render_svg(describe_graph(output, names))


def save(output: Tensor, file: str | os.PathLike[str], names: Names | None = None) -> Path:
    """Write a drawing of the graph that computed a tensor into a file.

    Parameters
    ----------
    output : Tensor
    file : path
        Ending in ``.svg``, or in ``.dot`` or ``.gv`` for DOT text. Its folder is made if
        there is none.
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OptionError
        If the file's name ends otherwise.
    GraphError
        If no operation was recorded for the tensor.
    """
    path = Path(file)
    if path.suffix.lower() == ".svg":
        text = svg(output, names)
    elif path.suffix.lower() in (".dot", ".gv"):
        text = graph(output, names).source
    else:
        message = f"save: {path.name!r} ends in no known format"
        raise OptionError(f"{message}. Give a file that ends in .svg, .dot or .gv.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
