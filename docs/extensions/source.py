"""The role ``source``: a link to a function in its file, as these pages show it.

``{source}`autodiff.engine.backward.fit``` leads to that function in the highlighted file that
``sphinx.ext.viewcode`` makes. A name that does not exist is a warning, and so fails the build;
that the page is there is what ``docs/links.py`` looks at.
"""

from __future__ import annotations

import importlib
from typing import Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)


def find(path: str) -> tuple[str, str]:
    """Split a dotted path into a module and what is in it; raise where there is none."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return ".".join(parts[:cut]), ".".join(parts[cut:])
    raise AttributeError(path)


class SourceRole(SphinxRole):
    """The role of that name."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make the link."""
        try:
            module, name = find(self.text)
        except AttributeError:
            logger.warning("there is no %s", self.text, location=self.get_location())
            return [nodes.literal(self.text, self.text)], []
        page = "_modules/" + module.replace(".", "/")
        link = self.env.app.builder.get_relative_uri(self.env.docname, page)
        if name:
            link += f"#{name}"
        shown = name.rpartition(".")[2] or module.replace(".", "/") + ".py"
        literal = nodes.literal(shown, shown)
        where = f"{module.replace('.', '/')}.py"
        return [nodes.reference("", "", literal, refuri=link, reftitle=where, internal=True)], []


def setup(app: Any) -> dict[str, Any]:
    """Register the role."""
    app.add_role("source", SourceRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
