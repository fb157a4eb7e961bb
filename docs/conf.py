# ruff: noqa: INP001 - a program beside the pages, no module of a package
"""How Sphinx builds these pages: ``make docs``.

What the repository already says is gathered before the build, into folders that git ignores:
the course's notebooks, the reference from the packages' ``__all__``, explorer pages from code.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import gathering  # noqa: E402

import autodiff  # noqa: E402

project = "autodiff"
author = "the authors of autodiff"
project_copyright = "the authors of autodiff, MIT licence"
release = version = autodiff.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "extensions.mathml",
    "extensions.source",
]
exclude_patterns = ["_build", "_made"]
html_extra_path = ["_made"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
_record = json.loads((ROOT / "docs/benchmarks/overhead.json").read_text(encoding="utf-8"))
myst_substitutions = {
    "machine": _record["machine"],
    "versions": ", ".join(f"{name} {version}" for name, version in _record["versions"].items()),
}
nb_execution_mode = "off"  # notebooks are stored with what they gave; `make notebooks` runs them
nb_ipywidgets_js: dict[str, object] = {}  # nothing is fetched when a page is viewed
nb_merge_streams = True

nitpicky = True  # a name that leads nowhere is a warning, and warnings fail the build
nitpick_ignore_regex = [("py:.*", r"(numpy|np|graphviz|matplotlib)\..*")]  # other sites' names

autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's Parameters say it
numpydoc_show_class_members = False  # autodoc shows them
numpydoc_validation_checks: set[str] = set()

html_theme = "pydata_sphinx_theme"
html_title = "autodiff"
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["frames.js"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "tour": [], "faq": [], "benchmarks": []}
html_theme_options = {
    "logo": {"text": "autodiff"},
    "show_toc_level": 2,
    "navigation_depth": 2,
    "show_nav_level": 1,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
suppress_warnings = ["mystnb.unknown_mime_type"]


def signature_of(
    _app: object, what: str, _name: str, found: Any, _options: object, _shown: str, _result: str
) -> tuple[str, str] | None:
    """Show a class with the parameters of its ``__init__``, whatever stands before it."""
    if what != "class" or "__init__" not in vars(found):
        return None
    given = list(inspect.signature(found.__init__).parameters.values())[1:]
    bare = [p.replace(annotation=p.empty) for p in given]
    return str(inspect.Signature(bare)), ""


def without_ways_back(
    _app: object, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Take the links back from source to reference away: they miss what is shown elsewhere."""
    if page.startswith("_modules/"):
        context["body"] = re.sub(r'<a class="viewcode-back".*?</a>', "", context["body"])


def setup(app: Any) -> None:
    """Gather what the pages need before Sphinx looks for them."""
    app.connect("config-inited", lambda *_: gathering.main())
    app.connect("autodoc-process-signature", signature_of)
    app.connect("html-page-context", without_ways_back)
