"""A description as an SVG that the package lays out by itself, without the ``dot`` program."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from autodiff.draw.geometry import ACROSS, DOWN, Shelves
from autodiff.draw.labels import Label, Show, label, shorten, text_width
from autodiff.draw.layout import Cluster, Layout, Place, Segment, arrange

if TYPE_CHECKING:
    from autodiff.draw.description import Description, Vertex

__all__ = ["lay_out", "render_svg"]

_TITLE = 13.0
_ROW = 11.0
_LINE = 15.0
_MARGIN = 20.0
_SPACE = 6.0  # between a title and its detail

# Light and dark; the page decides. The paper is painted, so that the drawing is readable
# wherever it is embedded.
_STYLE = """
.autodiff-graph{--paper:#fff;--ink:#1c2230;--soft:#5d6678;--line:#8a94a6;--op:#fff;
--op-line:#8a94a6;--leaf:#e6f0fd;--leaf-line:#3f7fd0;--constant-line:#a7afbd;--output:#fff0d9;
--output-line:#d9821b;--cluster:#5b6b8c;--module:#eaf4ec;--module-line:#4f9a63;
font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){.autodiff-graph{--paper:#14171e;--ink:#e8ebf2;--soft:#a0a9ba;
--line:#7d8798;--op:#1d222c;--op-line:#7d8798;--leaf:#17304f;--leaf-line:#5b9cec;
--constant-line:#626c7d;--output:#46300f;--output-line:#f0a243;--cluster:#9fb0d4;
--module:#173321;--module-line:#6cba80}}
.autodiff-graph .paper{fill:var(--paper)}
.autodiff-graph text{fill:var(--ink);text-anchor:middle}
.autodiff-graph .title{font-size:13px;font-weight:600}
.autodiff-graph .row{font-size:11px;font-variant-numeric:tabular-nums}
.autodiff-graph .word{fill:var(--soft)}
.autodiff-graph .operation .title{font-weight:500}
.autodiff-graph .detail{font-size:11px;font-weight:400;fill:var(--soft)}
.autodiff-graph .symbol .title{font-size:16px}
.autodiff-graph .box{stroke-width:1.3}
.autodiff-graph .operation .box{fill:var(--op);stroke:var(--op-line)}
.autodiff-graph .leaf .box{fill:var(--leaf);stroke:var(--leaf-line)}
.autodiff-graph .result .box{fill:var(--paper);stroke:var(--line)}
.autodiff-graph .constant .box{fill:var(--paper);stroke:var(--constant-line);stroke-dasharray:4 3}
.autodiff-graph .output .box{fill:var(--output);stroke:var(--output-line);stroke-width:2}
.autodiff-graph .module .box{fill:var(--module);stroke:var(--module-line)}
.autodiff-graph .edge{fill:none;stroke:var(--line);stroke-width:1.3}
.autodiff-graph .arrow{fill:var(--line)}
.autodiff-graph .cluster{fill:var(--cluster);fill-opacity:.06;stroke:var(--cluster);
stroke-opacity:.35}
.autodiff-graph .caption{fill:var(--soft);font-size:11px}
.autodiff-graph .crossed{stroke:var(--paper);stroke-width:4px;stroke-linejoin:round;
paint-order:stroke}
"""


def _size(vertex: Vertex, text: Label) -> tuple[float, float]:
    """Return a vertex's width and height."""
    bold = 1.0 if vertex.kind == "operation" else 1.08
    first = bold * text_width(text.title, _TITLE) + text_width(text.detail, _ROW)
    widths = [first + (_SPACE if text.title and text.detail else 0.0)]
    widths += [text_width(f"{word} {value}", _ROW) for word, value in text.rows]
    lines = len(text.rows) + bool(text.title or text.detail)
    if vertex.kind == "operation":
        return max(30.0, max(widths) + 24.0), 30.0
    return max(44.0, max(widths) + 22.0), 13.0 + lines * _LINE


def lay_out(description: Description, show: Show = Show(), direction: str = "TB") -> Layout:  # noqa: B008
    """Return the geometry of a description's drawing.

    From left to right, it is that of the drawing before it is turned: ``x`` and ``width`` go
    down the page, ``y`` and ``height`` to the right.
    """
    sizes = [_size(vertex, label(vertex, show)) for vertex in description.vertices]
    if direction == "LR":
        sizes = [(height, width) for width, height in sizes]
    edges = [(edge.source, edge.target) for edge in description.edges]
    scopes = [vertex.scope for vertex in description.vertices]
    frame = ACROSS if direction == "LR" else DOWN
    return arrange(sizes, edges, scopes, lambda scope: text_width(shorten(scope[-1]), _ROW), frame)


def render_svg(
    description: Description,
    show: Show = Show(),  # noqa: B008 - immutable
    direction: str = "TB",
) -> str:
    """Return a description's drawing as SVG text."""
    return _Drawing(description, show, direction).text()


class _Drawing:
    """Writes a layout as SVG, turned where it runs from left to right."""

    def __init__(self, description: Description, show: Show, direction: str) -> None:
        self.description = description
        self.show = show
        self.turned = direction == "LR"
        self.layout = lay_out(description, show, direction)
        self.shelves: Shelves[Segment] = Shelves()
        for segment in self.layout.segments:
            self.shelves.add(segment.y1, segment.y2, segment)

    def text(self) -> str:
        layout, vertices = self.layout, self.description.vertices
        size = (layout.height, layout.width) if self.turned else (layout.width, layout.height)
        width, height = (_n(length + 2 * _MARGIN) for length in size)
        count = sum(vertex.kind == "operation" for vertex in vertices)
        parts = [
            (
                '<svg xmlns="http://www.w3.org/2000/svg" class="autodiff-graph" '
                f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
                f'role="img" aria-label="Computation graph of {count} operations">'
            ),
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
            f'<g transform="translate({_n(_MARGIN)} {_n(_MARGIN)})">',
        ]
        parts += [self._cluster(cluster) for cluster in layout.clusters]
        parts += [self._edge(segment) for segment in layout.segments]
        parts += [self._caption(cluster) for cluster in layout.clusters]
        parts += [
            self._vertex(vertex, place)
            for vertex, place in zip(vertices, layout.places, strict=False)
        ]
        parts.append("</g></svg>\n")
        return "\n".join(parts)

    def _point(self, x: float, y: float) -> str:
        return f"{_n(y)} {_n(x)}" if self.turned else f"{_n(x)} {_n(y)}"

    def _cluster(self, cluster: Cluster) -> str:
        x, y, right, bottom = self._box(cluster)
        return (
            f'<rect class="cluster" x="{_n(x)}" y="{_n(y)}" rx="8" '
            f'width="{_n(right - x)}" height="{_n(bottom - y)}"/>'
        )

    def _box(self, cluster: Cluster) -> tuple[float, float, float, float]:
        _, left, top, right, bottom = cluster
        return (top, left, bottom, right) if self.turned else (left, top, right, bottom)

    def _edge(self, s: Segment) -> str:
        """Draw a link: straight on, a curve with ends along the flow, straight on."""
        target = self.layout.places[s.target]
        tip = s.y2
        if s.arrow and self.description.vertices[s.target].kind == "operation":
            radius = min(target.width, target.height) / 2
            beyond = abs(s.x2 - target.x) - (target.width / 2 - radius)
            if beyond > 0:
                tip += radius - math.sqrt(max(0.0, radius**2 - beyond**2))
        end, enter = (tip - 5.0, min(s.enter, tip - 7.0)) if s.arrow else (tip, s.enter)
        along = "H" if self.turned else "V"
        start = f"M{self._point(s.x1, s.y1)}"
        if abs(s.x1 - s.x2) < 0.05:
            path = f"{start}{along}{_n(end)}"
        else:
            middle = (s.leave + enter) / 2
            path = (
                f"{start}{along}{_n(s.leave)}C{self._point(s.x1, middle)} "
                f"{self._point(s.x2, middle)} {self._point(s.x2, enter)}{along}{_n(end)}"
            )
        drawn = f'<path class="edge" d="{path}"/>'
        if s.arrow:
            across = "v" if self.turned else "h"
            head = f"M{self._point(s.x2 - 4, tip - 7)}{across}8L{self._point(s.x2, tip)}z"
            drawn += f'<path class="arrow" d="{head}"/>'
        return drawn

    def _caption(self, cluster: Cluster) -> str:
        """Write a scope's name in the corner that edges leave free, the left one if both do."""
        text = shorten(cluster.scope[-1])
        room = text_width(text, _ROW) + 14.0
        left, top, right, _ = self._box(cluster)
        y = top + 11.0
        taken_left = self._is_crossed(left, left + room, y)
        taken_right = self._is_crossed(right - room, right, y)
        at_right = taken_left and not taken_right
        x = right - 9 if at_right else left + 9
        anchor = "end" if at_right else "start"
        crossed = " crossed" if taken_left and taken_right else ""
        return (
            f'<text class="caption{crossed}" style="text-anchor:{anchor}" x="{_n(x)}" '
            f'y="{_n(y + 4)}">{_text(text)}</text>'
        )

    def _is_crossed(self, left: float, right: float, y: float) -> bool:
        """Tell whether an edge passes through a line of text."""
        if not self.turned:
            at = (segment.at(y) for segment in self.shelves.near(y, y))
            return any(x is not None and left < x < right for x in at)
        for segment in self.shelves.near(left, right):
            first, last = max(left, segment.y1), min(right, segment.y2)
            if first < last:
                ends = [segment.at(first), segment.at((first + last) / 2), segment.at(last)]
                found = [x for x in ends if x is not None]
                if found and min(found) < y + 6.0 and max(found) > y - 6.0:
                    return True
        return False

    def _vertex(self, vertex: Vertex, place: Place) -> str:
        x, y, width, height = place.x, place.y, place.width, place.height
        if self.turned:
            x, y, width, height = y, x, height, width
        return _box(vertex, label(vertex, self.show), x, y, width, height)


def _box(vertex: Vertex, text: Label, x: float, y: float, width: float, height: float) -> str:
    kind = vertex.kind
    radius = height / 2 if kind == "operation" else 5.0
    symbol = " symbol" if kind == "operation" and len(text.title) == 1 else ""
    shadow = ""
    if vertex.count > 1:  # several in one: the next one looks out behind it
        shadow = (
            f'<rect class="box" x="{_n(x - width / 2 + 4)}" y="{_n(y - height / 2 + 4)}" '
            f'width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"/>'
        )
    parts = [
        (
            f'<g class="{kind}{symbol}"><title>{_text(_tooltip(vertex))}</title>{shadow}'
            f'<rect class="box" x="{_n(x - width / 2)}" y="{_n(y - height / 2)}" '
            f'width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"/>'
        )
    ]
    first = bool(text.title or text.detail)
    baseline = y - (len(text.rows) + first - 1) * _LINE / 2 + 4.5
    if first:
        drop = 1.0 if symbol and not text.detail else 0.0
        detail = ""
        if text.detail:
            space = f' dx="{_n(_SPACE)}"' if text.title else ""
            detail = f'<tspan class="detail"{space}>{_text(text.detail)}</tspan>'
        parts.append(
            f'<text class="title" x="{_n(x)}" y="{_n(baseline + drop)}">'
            f"{_text(text.title)}{detail}</text>"
        )
        baseline += _LINE
    for word, value in text.rows:
        said = f'<tspan class="word">{_text(word)}</tspan> {_text(value)}' if word else _text(value)
        parts.append(f'<text class="row" x="{_n(x)}" y="{_n(baseline - 0.5)}">{said}</text>')
        baseline += _LINE
    parts.append("</g>")
    return "".join(parts)


def _tooltip(vertex: Vertex) -> str:
    """Return what appears under the pointer: all that is known in words."""
    lines = [vertex.name or vertex.operation]
    if vertex.kind == "module":
        lines.append(f"{vertex.options['operations']} operations")
    if vertex.shape is not None:
        lines.append(f"shape {vertex.shape}, {vertex.dtype}")
    if vertex.scope:
        lines.append("in " + " / ".join(vertex.scope))
    source = vertex.source
    if source is not None and source.text:
        lines.append(f"{PurePath(source.file).name}:{source.line}: {source.text}")
    return "\n".join(lines)


def _text(text: str) -> str:
    """Escape text; drop what XML can't hold."""
    allowed = "".join(c for c in text if c in "\t\n" or (ord(c) >= 0x20 and c.isprintable()))
    return escape(allowed, {'"': "&quot;"})


def _n(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text
