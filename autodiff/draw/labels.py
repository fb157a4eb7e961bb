"""What is written on a vertex, whichever picture it is in, and how much room that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.draw.statistics import statistics

if TYPE_CHECKING:
    from autodiff.draw.description import Vertex

__all__ = ["Label", "Show", "label", "number", "shorten", "text_width"]

_TIMES = "\N{MULTIPLICATION SIGN}"

_SYMBOLS = {
    "add": "+",
    "subtract": "\N{MINUS SIGN}",
    "multiply": _TIMES,
    "divide": "\N{DIVISION SIGN}",
    "matmul": "@",
    "matrix_transpose": "transpose",
    "permute_dims": "permute",
}

_LONGEST = 32


class Show(NamedTuple):
    """What is written on vertices beside their names."""

    shapes: bool = True
    values: bool = True
    gradients: bool = True


class Label(NamedTuple):
    """A title, a detail beside it, and rows of a word and a number: ``("gradient", "0.5")``."""

    title: str
    detail: str
    rows: tuple[tuple[str, str], ...]


def label(vertex: Vertex, show: Show = Show()) -> Label:  # noqa: B008 - immutable
    """Return what is written on a vertex.

    >>> from autodiff.draw.description import Vertex
    >>> label(Vertex("leaf", "leaf", "bias", (32,), "float32", gradient=[0.3, 0.4]))
    Label(title='bias', detail='(32,)', rows=(('‖gradient‖', '0.5'),))
    >>> label(Vertex("operation", "add", None, (), "float32"))
    Label(title='+', detail='', rows=())
    """
    detail = ""  # a shape as Python writes it: "+ (2,)", since "+ 2" would be another operation
    if vertex.shape and show.shapes:
        kind = "" if not vertex.dtype or vertex.dtype.startswith("float") else f" {vertex.dtype}"
        detail = f"{vertex.shape}{kind}"
    if vertex.kind == "operation":
        if vertex.operation == "output" and "position" in vertex.options:
            return Label(f"[{vertex.options['position']}]", detail, ())
        return Label(_SYMBOLS.get(vertex.operation, vertex.operation), detail, ())
    if vertex.kind == "constant" and vertex.shape == () and vertex.value is not None:
        return Label(vertex.name or number(vertex.value), "", ())
    rows: list[tuple[str, str]] = []
    if vertex.kind == "module":
        if vertex.count > 1:
            detail = f"{detail} {_TIMES}{vertex.count}".strip()
        if vertex.options.get("parameters"):
            rows.append(("parameters", f"{vertex.options['parameters']:,}"))
    elif vertex.value is not None and show.values and _has_norm(vertex):
        rows.append(_row("value", vertex.value))
    if vertex.gradient is not None and show.gradients:
        rows.append(_row("gradient", vertex.gradient))
    fallback = "" if vertex.kind == "result" else vertex.kind
    return Label(shorten(vertex.name or fallback), detail, tuple(rows))


def _has_norm(vertex: Vertex) -> bool:
    """Tell whether a value says something in one number: labels and masks don't."""
    return vertex.shape == () or np.asarray(vertex.value).dtype.kind in "fc"


def _row(word: str, value: Any) -> tuple[str, str]:
    """Write a value or gradient as its number, or an array's as its Euclidean norm."""
    if np.shape(value) == ():
        return word, number(value)
    return f"‖{word}‖", number(statistics(value).norm)


def number(value: Any) -> str:
    """Write a number as briefly as it can be read.

    >>> number(0.70710678), number(12345678.0), number(True)
    ('0.7071', '1.235e+07', 'True')
    """
    scalar = np.asarray(value)[()]
    if scalar.dtype.kind not in "iufc":
        return str(scalar)
    return f"{scalar:.4g}".replace("-", "\N{MINUS SIGN}")


def shorten(text: str) -> str:
    """Cut a long text in its middle."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]}…{text[-half + 1 :]}"


_NARROW = frozenset("ijl.,:;'|!()[]ftrI -/ ")
_WIDE = frozenset("mwMW@%—‖…")


def text_width(text: str, size: float) -> float:
    """Estimate a text's width in a sans-serif font, rather more than less."""
    width = 0.0
    for character in text:
        if character in _NARROW:
            width += 0.36
        elif character in _WIDE:
            width += 0.92
        elif ord(character) > 0x2E80:
            width += 1.05
        elif character.isupper():
            width += 0.72
        else:
            width += 0.6
    return width * size
