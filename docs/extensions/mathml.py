"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

A formula that can't be converted is a warning, and so fails the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

logger = logging.getLogger(__name__)


def mathml(node: nodes.Element, display: str) -> str:
    """Return a formula's MathML; its LaTeX, after a warning, where there is none."""
    source = node.astext()
    if display == "block" and "&" in source and r"\begin" not in source:
        source = rf"\begin{{aligned}}{source}\end{{aligned}}"  # as Sphinx and MathJax read it
    try:
        return str(convert(source, display=display))
    except Exception as error:  # noqa: BLE001 - whichever it is, the page's author must see it
        logger.warning("a formula is not understood (%r): %s", error, source, location=node)
        return source


def visit_math(writer: Any, node: nodes.Element) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def visit_math_block(writer: Any, node: nodes.Element) -> None:
    """Write a formula that stands by itself."""
    writer.body.append(writer.starttag(node, "div", CLASS="math-block"))
    writer.body.append(mathml(node, "block") + "</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer: ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
