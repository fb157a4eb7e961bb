"""The course as it is stored: complete, light, and listed. `make notebooks` runs it anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def sources(notebook, kind):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_numbers_follow_one_another_and_all_is_light():
    assert [int(path.stem[:2]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 6e6


def test_each_opens_with_a_question_and_ends_with_exercises(notebook):
    text = sources(notebook, "markdown")
    assert re.match(r"# \d+ · .*\n\n> \*\*.*\?\*\*", text[0])
    assert sum(cell.count("<details>") for cell in text) >= 3
    assert all("</details>" in cell for cell in text if "<details>" in cell)


def test_each_is_stored_as_one_run_from_top_to_bottom(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell["outputs"] for cell in cells)
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell["outputs"])


def test_no_paths_of_the_machine_it_was_written_on(notebook):
    assert not re.search(r"/(tmp|home|root|work|Users)/", json.dumps(notebook))


def test_the_list_has_each_with_its_question():
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        first = sources(json.loads(path.read_text(encoding="utf-8")), "markdown")[0]
        question = " ".join(re.search(r"\*\*(.*\?)\*\*", first, flags=re.DOTALL)[1].split())
        assert f"({path.name})" in listed
        assert question in listed, path.name
