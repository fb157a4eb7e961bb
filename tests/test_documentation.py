"""Every public function is documented, and every example in the documentation runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.namespace import tensors

ROOT = Path(__file__).parent.parent


def modules():
    for package in (ad, nn):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield module.name


def operations():
    """Operations are closures of the engine, which module-wise collection passes over."""
    for prefix, space in (("", tensors), ("linalg.", tensors.linalg), ("fft.", tensors.fft)):
        for name, function in sorted(vars(space).items()):
            if not name.startswith("_") and callable(function):
                yield prefix + name, function


def run(tests):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    ran = 0
    for test in tests:
        if test.examples:
            test.globs["__name__"] = "documentation"  # operations declared in examples are a user's
            lines = []
            outcome = runner.run(test, out=lines.append)
            assert not outcome.failed, "".join(lines)
            ran += outcome.attempted
    return ran


@pytest.fixture(autouse=True)
def _seeded():
    np.random.seed(0)  # noqa: NPY002 - examples may use it
    ad.set_default_dtype(ad.float32)


@pytest.mark.parametrize("name", list(modules()))
def test_examples_of_a_module(name):
    module = importlib.import_module(name)
    run(doctest.DocTestFinder(exclude_empty=True).find(module, name))


@pytest.mark.parametrize("name", [name for name, _ in operations()])
def test_operation_is_documented_and_its_example_runs(name):
    function = dict(operations())[name]
    text = function.__doc__ or ""
    assert len(text.split()) >= 3, f"{name} is not documented"
    assert text.strip() != f"{name}.", f"{name} has a placeholder for documentation"
    globs = {"ad": ad, "np": np, name.rpartition(".")[2]: function}
    run(doctest.DocTestFinder().find(function, name, module=False, globs=globs))


def python_blocks(file):
    return re.findall(
        r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), flags=re.DOTALL
    )


@pytest.mark.parametrize("file", ["README.md", "README.ko.md", "CONTRIBUTING.md"])
def test_code_blocks_run(file, tmp_path, monkeypatch):
    """The blocks of a page run one after another in one namespace."""
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(file)
    assert blocks
    namespace = {"__name__": "documentation"}
    for block in blocks:
        exec(compile(block, file, "exec"), namespace)  # noqa: S102 - our own pages
    for name, function in namespace.items():
        if name.startswith("test_"):
            function()


def test_the_readmes_picture_and_number_are_what_its_first_block_makes(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    block = python_blocks("README.md")[0]
    exec(compile(block, "<README>", "exec"), {"__name__": "documentation"})  # noqa: S102
    drawn = Path("neuron.svg").read_text(encoding="utf-8")
    assert drawn == (ROOT / "docs" / "neuron.svg").read_text(encoding="utf-8")
    assert f"# {capsys.readouterr().out.strip()}\n" in block


def test_the_readmes_models_learn_and_are_restored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "documentation"}
    for block in python_blocks("README.md"):
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102
        if "Adam(" in block:
            assert namespace["loss"].item() < 0.2
    saved, restored = namespace["model"], namespace["restored"]
    for one, other in zip(saved.parameters(), restored.parameters(), strict=True):
        assert one is not other
        assert one.tolist() == other.tolist()
    np.testing.assert_allclose(namespace["w"].detach().numpy(), [2, -1], atol=1e-3)


def test_links_in_pages_lead_to_files():
    for page in ("README.md", "README.ko.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8")):
            if "://" not in target:
                assert (ROOT / target).exists(), f"{page} links to {target}"


# -- the site --------------------------------------------------------------------------

DOCS = ROOT / "docs"
PAGES = [
    str(page.relative_to(DOCS))
    for page in sorted(DOCS.rglob("*.md"))
    if page.relative_to(DOCS).parts[0] not in ("_build", "_made", "notebooks", "reference")
]


@pytest.fixture
def program(monkeypatch):
    """Import one of the programs beside the pages."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module
    for name in ("examples", "figures", "reference"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", PAGES)
def test_pages_give_what_they_show(page, program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "import torch" in (DOCS / page).read_text(encoding="utf-8"):
        pytest.importorskip("torch", reason="the page compares with PyTorch")
    namespace = program("examples").run(DOCS / page)
    for name, function in namespace.items():
        if name.startswith("test_"):
            function()


def rows(page):
    """Give the rows of the table that compares two libraries: code beside code."""
    table = (DOCS / page).read_text(encoding="utf-8").partition("## What differs")[0]
    return re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", table, flags=re.MULTILINE)


def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.integers(0, 3, size=(3, 4))


def compared(given):
    """Return what expressions gave as ndarrays."""
    parts = given if isinstance(given, tuple) else (given,)
    return [
        np.asarray(part.detach().numpy() if hasattr(part, "detach") else part) for part in parts
    ]


def run_row(code, **known):
    return eval(code, known)  # noqa: S307 - our own pages


@pytest.mark.parametrize(("theirs", "ours"), rows("guide/numpy.md"))
def test_rows_for_users_of_numpy(theirs, ours):
    a, b, _ = arrays()
    expected = compared(run_row(theirs, np=np, a=a, b=b))
    given = run_row(ours, np=np, ad=ad, a=ad.tensor(a), b=ad.tensor(b))
    assert all(isinstance(part, ad.Tensor) for part in (given if type(given) is tuple else [given]))
    for one, other in zip(expected, compared(given), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(other, one, rtol=1e-6 if one.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("theirs", "ours"), rows("guide/pytorch.md"))
def test_rows_for_users_of_pytorch(theirs, ours):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    named = dict(zip(("x", "y", "index"), arrays(), strict=True))
    their_operands = {name: torch.tensor(value) for name, value in named.items()}
    our_operands = {name: ad.tensor(value) for name, value in named.items()}
    expected = compared(run_row(theirs, torch=torch, **their_operands))
    given = compared(run_row(ours, ad=ad, nn=nn, **our_operands))
    for one, other in zip(expected, given, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(other, one, rtol=1e-12)


def test_the_tables_are_there():
    assert len(rows("guide/numpy.md")) >= 20
    assert len(rows("guide/pytorch.md")) >= 19


def test_every_public_name_is_on_one_page_of_the_reference(program):
    reference = program("reference")
    shown = [
        f"{page.public}.{name}"
        for page in reference.pages()
        if page.public
        for name, _ in reference.entries(page)
    ]
    assert len(shown) == len(set(shown))
    spaces = {page.public for page in reference.pages() if page.public}
    missing = []
    for space in sorted(spaces):
        module = importlib.import_module(space)
        for name in module.__all__:
            found = getattr(module, name)
            if isinstance(found, type(np) | int | float | str | type(None)):
                continue  # modules, and constants such as pi
            if getattr(found, "__module__", "").startswith("numpy"):
                continue  # dtypes
            if not any(f"{other}.{name}" in shown for other in spaces):
                missing.append(f"{space}.{name}")
    assert not missing


def outline(file):
    """Return what a page is made of: its headings' levels, code, and tables' rows."""
    text = (ROOT / file).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    without_comments = [
        (language, re.sub(r"\s*#.*", "", code) if language == "python" else language)
        for language, code in blocks
    ]
    links = sorted(re.findall(r"\]\(([^)]+)\)", prose))
    return {
        "headings": re.findall(r"^#+", prose, flags=re.MULTILINE),
        "code": without_comments,
        "rows": len(re.findall(r"^\|", prose, flags=re.MULTILINE)),
        "points": len(re.findall(r"^- ", prose, flags=re.MULTILINE)),
        "links": [link for link in links if "README" not in link],  # but not to one another
    }


def test_the_korean_readme_follows_the_english_one():
    assert outline("README.ko.md") == outline("README.md")


def test_the_benchmarks_figures_are_drawn_from_their_records(program):
    figures = program("figures")
    for name, svg in figures.drawings().items():
        assert (figures.FOLDER / name).read_text(encoding="utf-8") == svg, (
            f"{name} is not what docs/figures.py draws from the records: run it"
        )
