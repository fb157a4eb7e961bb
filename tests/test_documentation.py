"""Every public function is documented, and every example in the documentation runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
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
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
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
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            if "://" not in target:
                assert (ROOT / target).exists(), f"{page} links to {target}"
