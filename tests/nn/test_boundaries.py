"""``nn`` is made of graph operations alone: of autodiff's public names, and no array arithmetic."""

import ast
from pathlib import Path

import pytest

import autodiff as ad
import nn

FILES = sorted(Path(nn.__file__).parent.rglob("*.py"))
ROOT = Path(nn.__file__).parent

ARRAYS = {"data", "saving.py", "training/randomness.py", "transformer/gpt.py"}
"""Where NumPy may be imported: examples before they are tensors, bytes of files, generators."""


def names(file):
    """Give every dotted name that begins with ``ad.`` or is imported from autodiff."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "autodiff":
            for alias in node.names:
                yield f"{node.module.replace('autodiff', 'ad', 1)}.{alias.name}"
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("ad."):
            yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_public_names_of_autodiff(file):
    for name in names(file):
        first, *rest = name.partition("(")[0].split(".")[1:]
        assert first in ad.__all__, name
        assert not any(part.startswith("_") for part in rest), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_numpy_only_where_no_graph_is(file):
    path = file.relative_to(ROOT)
    if {str(path), path.parts[0]} & ARRAYS:
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert "numpy" not in [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] != "numpy"


def test_gpt_takes_only_a_generator_from_numpy():
    text = (ROOT / "transformer" / "gpt.py").read_text()
    assert [part.partition("(")[0] for part in text.split("np.")[1:]] == ["random.default_rng"]
