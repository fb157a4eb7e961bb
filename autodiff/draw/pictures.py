"""The three ways to a picture: SVG text, a file, a graph for Graphviz."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from autodiff.draw.collapse import collapse
from autodiff.draw.description import Description, Names, describe_graph
from autodiff.draw.dot import Graph, build_graph
from autodiff.draw.labels import Show
from autodiff.draw.svg import render_svg
from autodiff.errors import DTypeError, OptionError, typed_calls

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = ["graph", "save", "svg"]

Direction = Literal["TB", "LR"]


@typed_calls
def graph(
    output: Tensor,
    names: Names | None = None,
    *,
    direction: Direction = "TB",
    depth: int | None = None,
    shapes: bool = True,
    values: bool = True,
    gradients: bool = True,
) -> Graph:
    """Return the graph that computed a tensor, for Graphviz.

    Operations are round, tensors boxed: leaves blue, constants dashed, the output orange;
    scopes are frames, or green boxes where they are closed. It shows itself in a notebook,
    and saves itself as SVG, also where no ``dot`` program is.

    Parameters
    ----------
    output : Tensor
        What was computed: the loss, for example.
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.
    direction : {"TB", "LR"}
        From top to bottom or from left to right.
    depth : int, optional
        How many levels of scopes to open: with 1, a model's layers are one box each. Equal
        boxes in a row become one that says how many they are, and so do equal open scopes
        of a graph of more than 200 boxes, unless the depth opens every scope. At first all
        levels, or as many as leave no more than 200 boxes.
    shapes, values, gradients : bool
        What to write into the boxes: an array's value and gradient are its norms.

    Returns
    -------
    Graph
        A ``graphviz.Digraph``: its ``source`` is DOT text, ``svg()`` and ``save("loss.svg")``
        give the package's own drawing, ``render()`` runs ``dot``.

    Raises
    ------
    GraphError
        If no operation was recorded for the tensor.
    OptionError
        If the direction is unknown, or the depth negative.

    Examples
    --------
    >>> import autodiff as ad
    >>> from autodiff import draw
    >>> w = ad.tensor(2.0, requires_grad=True, name="w")
    >>> "w" in draw.graph(ad.exp(w)).source
    True
    """
    description = _description("graph", output, names, direction, depth)
    return build_graph(description, Show(shapes, values, gradients), direction)


@typed_calls
def svg(
    output: Tensor,
    names: Names | None = None,
    *,
    direction: Direction = "TB",
    depth: int | None = None,
    shapes: bool = True,
    values: bool = True,
    gradients: bool = True,
) -> str:
    """Return a drawing of the graph that computed a tensor, as SVG text.

    The package lays it out itself. It follows the page's light or dark scheme.

    Parameters
    ----------
    output : Tensor
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.
    direction, depth, shapes, values, gradients
        As for :func:`graph`.

    Returns
    -------
    str

    Raises
    ------
    GraphError
        If no operation was recorded for the tensor.
    OptionError
        If the direction is unknown, or the depth negative.
    """
    description = _description("svg", output, names, direction, depth)
    return render_svg(description, Show(shapes, values, gradients), direction)


@typed_calls
def save(
    output: Tensor,
    file: str | os.PathLike[str],
    names: Names | None = None,
    *,
    direction: Direction = "TB",
    depth: int | None = None,
    shapes: bool = True,
    values: bool = True,
    gradients: bool = True,
) -> Path:
    """Write a drawing of the graph that computed a tensor into a file.

    Parameters
    ----------
    output : Tensor
    file : path
        Ending in ``.svg``, or in ``.dot`` or ``.gv`` for DOT text. Its folder is made if
        there is none.
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.
    direction, depth, shapes, values, gradients
        As for :func:`graph`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DTypeError
        If the output is no tensor, or the file no file's name.
    OptionError
        If the file's name ends otherwise, the direction is unknown, or the depth negative.
    GraphError
        If no operation was recorded for the tensor.
    """
    if not isinstance(file, str | os.PathLike):
        message = f"save: a {type(file).__name__} is no file's name"
        raise DTypeError(f"{message}. Write save(loss, 'loss.svg').")
    path = Path(file)
    kind = path.suffix.lower()
    if kind not in (".svg", ".dot", ".gv"):
        message = f"save: {path.name!r} ends in no known format"
        raise OptionError(f"{message}. Give a file that ends in .svg, .dot or .gv.")
    description = _description("save", output, names, direction, depth)
    show = Show(shapes, values, gradients)
    if kind == ".svg":
        text = render_svg(description, show, direction)
    else:
        text = build_graph(description, show, direction).source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _description(
    function: str, output: Tensor, names: Names | None, direction: str, depth: int | None
) -> Description:
    if direction not in ("TB", "LR"):
        raise OptionError(f"{function}: direction {direction!r} is unknown. Give 'TB' or 'LR'.")
    if depth is not None and (type(depth) is not int or depth < 0):
        message = f"{function}: depth {depth!r} is no number of levels"
        raise OptionError(f"{message}. Give 0, 1, 2, ..., or None for all.")
    description = describe_graph(output, names)
    if not description.recorded:  # then norms are known of some arrays: all or none are shown
        for vertex in description.vertices:
            if vertex.kind != "output" and np.ndim(vertex.value):
                vertex.value = None
    return collapse(description, depth)
