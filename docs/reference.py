# ruff: noqa: INP001 - a program beside the pages, no module of a package
"""The pages of the reference, made from the packages' ``__all__``: nothing is listed twice.

Each :class:`Page` names the modules whose public names it shows, under the name by which a
user calls them. :func:`write` makes the files; ``tests/test_documentation.py`` holds that every
public name is on exactly one of them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes
    ----------
    title, about : str
        Its heading, and what stands under it.
    modules : tuple of str
        Where the names come from.
    public : str
        Under which module a user calls them.
    names : tuple of str
        Only these of them; empty: all.
    """

    title: str
    about: str
    modules: tuple[str, ...]
    public: str = "autodiff"
    names: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The page's file, without its ending."""
        words = self.title.replace("`", "").replace(".", " ").replace(",", "").lower().split()
        return "-".join(words)


@dataclass(frozen=True)
class Chapter:
    """A group of pages."""

    title: str
    pages: tuple[Page, ...] = field(default_factory=tuple)


def _operations(title: str, about: str, *files: str) -> Page:
    return Page(title, about, tuple(f"autodiff.primitives.{file}" for file in files))


def _layers(title: str, about: str, *modules: str) -> Page:
    return Page(title, about, tuple(f"nn.{module}" for module in modules), "nn")


CHAPTERS = (
    Chapter(
        "Tensors and gradients",
        (
            Page(
                "Tensor",
                "The array that remembers how it was made.",
                ("autodiff.tensor",),
            ),
            Page(
                "Making tensors",
                "From data, and from nothing.",
                ("autodiff.conversion", "autodiff.creation"),
            ),
            Page(
                "Random tensors",
                "One generator for all, seeded by one call.",
                ("autodiff.random",),
                "autodiff.random",
            ),
            Page(
                "Gradients",
                "Asking for derivatives, and saying what is recorded.",
                ("autodiff.gradients", "autodiff.checkpointing", "autodiff.engine.modes"),
                names=(
                    *("grad", "checkpoint", "no_grad", "enable_grad", "set_grad_enabled"),
                    *("is_grad_enabled", "detect_anomaly", "name_scope", "observe"),
                    *("default_dtype", "get_default_dtype", "set_default_dtype"),
                ),
            ),
            Page(
                "Derivatives of functions",
                "Functions in, functions out: derivatives of every order.",
                ("autodiff.func",),
                "autodiff.func",
            ),
            Page(
                "Gradient checking",
                "Finite differences against the engine.",
                ("autodiff.checking",),
            ),
            Page(
                "Drawing",
                "Pictures of a recorded graph, its passes as text, and the explorer.",
                ("autodiff.draw",),
                "autodiff.draw",
            ),
            Page(
                "Declaring operations",
                "What the package's own operations are declared with.",
                ("autodiff.engine.primitive",),
                names=("primitive", "composite"),
            ),
            Page("Dtypes", "What can be asked of dtypes.", ("autodiff.inspection",)),
            Page(
                "Errors",
                "Every error that is raised on purpose; each is a built-in or NumPy error too.",
                ("autodiff.errors",),
            ),
        ),
    ),
    Chapter(
        "Operations",
        (
            _operations("Arithmetic", "Element by element.", "arithmetic"),
            _operations(
                "Exponentials and trigonometry",
                "Element by element.",
                *("exponential", "trigonometric", "error_function"),
            ),
            _operations(
                "Activations and softmax",
                "The nonlinear functions of neural networks.",
                *("activations", "softmax"),
            ),
            _operations(
                "Reductions and scans",
                "Over axes, and along one.",
                *("reductions", "statistics", "scans"),
            ),
            _operations("Products", "Of vectors, matrices and more.", "products", "einsum"),
            _operations(
                "Shapes", "The same elements, otherwise arranged.", *("shapes", "diagonals")
            ),
            _operations("Joining and splitting", "Several arrays and one.", "joining"),
            _operations(
                "Indexing",
                "Elements picked out and put in.",
                *("indexing", "taking", "windows"),
            ),
            _operations(
                "Selection, sorting and sets",
                "Choosing among elements; their order; the different ones.",
                *("selection", "sorting", "sets"),
            ),
            _operations(
                "Logic and rounding",
                "Comparisons, tests, bits; signs and whole numbers.",
                *("logic", "rounding"),
            ),
            _operations("Complex numbers", "Their parts, and their conjugates.", "complex"),
            Page(
                "Linear algebra",
                "The array API standard's extension; everything takes stacks of matrices.",
                ("autodiff.linalg",),
                "autodiff.linalg",
            ),
            Page(
                "Fourier transforms",
                "The array API standard's extension.",
                ("autodiff.fft",),
                "autodiff.fft",
            ),
        ),
    ),
    Chapter(
        "Neural networks",
        (
            _layers(
                "Modules",
                "What every layer is; containers of them; a table of a model.",
                *("module", "containers", "overview", "saving"),
            ),
            _layers(
                "Linear layers",
                "Affine maps, perceptrons, tables of vectors.",
                *("linear", "mlp", "embedding", "dropout", "reshaping"),
            ),
            _layers("Activation layers", "What each cures, and what it costs.", "activations"),
            _layers("Normalization", "Of features, of batches, of groups.", "normalization"),
            _layers(
                "Convolution and pooling",
                "Over sequences and images.",
                *("convolution", "transposed_convolution", "pooling"),
            ),
            _layers("Recurrent networks", "A state carried from step to step.", "recurrent"),
            Page(
                "Sequences of different lengths",
                "PyTorch's ``nn.utils.rnn``.",
                ("nn.utils.rnn",),
                "nn.utils.rnn",
            ),
            _layers("Attention", "Weighted means of values.", "attention"),
            _layers("Transformers", "Encoder, decoder, and a language model.", "transformer"),
            _layers("Sequence to sequence", "Encoder and decoder of any cell.", "seq2seq"),
            _layers("Losses", "As functions and as layers.", "losses"),
            Page("Initialisation", "How parameters start.", ("nn.init",), "nn.init"),
            Page(
                "Functions",
                "What layers are made of, as functions of PyTorch's names; losses stand in "
                ":doc:`losses`, and are here too.",
                ("nn.functional",),
                "nn.functional",
            ),
            Page(
                "Optimisers",
                "How parameters follow their gradients, schedules of the rate, clipping.",
                ("nn.optim",),
                "nn.optim",
            ),
            _layers("Data", "Examples, in batches.", "data"),
            _layers("Training", "The loop, its history, its checkpoints.", "training"),
        ),
    ),
    Chapter(
        "Inside",
        (
            Page(
                "The engine",
                "Nodes, plans, recording and the backward pass: for those who read the code; "
                ":doc:`/guide/engine` walks through it. No user's program needs these names, and "
                "they may change.",
                (
                    *("autodiff.engine.node", "autodiff.engine.plan"),
                    *("autodiff.engine.definition", "autodiff.engine.apply"),
                    *("autodiff.engine.operands", "autodiff.engine.outputs"),
                    *("autodiff.engine.backward", "autodiff.engine.handover"),
                    *("autodiff.engine.checks", "autodiff.engine.origin", "autodiff.operators"),
                ),
                "",
            ),
        ),
    ),
)


def pages() -> Iterator[Page]:
    """Give every page."""
    for chapter in CHAPTERS:
        yield from chapter.pages


def entries(page: Page) -> list[tuple[str, str]]:
    """Return the public names on a page, each with the module that has it."""
    found: dict[str, str] = {}
    public = set(import_module(page.public).__all__) if page.public else None
    for module in page.modules:
        for name in import_module(module).__all__:
            wanted = not page.names or name in page.names
            if page.public and page.public not in page.modules:
                wanted = wanted and name in public
            if page.title == "Functions" and name in import_module("nn").__all__:
                wanted = False
            if wanted and not inspect.ismodule(getattr(import_module(module), name)):
                found.setdefault(name if page.public else f"{module}.{name}", module)
    if page.names:
        return [(name, found[name]) for name in page.names]
    return list(found.items())


_SHOWN_ELSEWHERE = "BaseException, tuple, Module, Loss, Optimizer, LRScheduler, Sequential"
"""The bases whose members are not repeated at the classes derived from them."""


def _directive(found: Any) -> str:
    if inspect.isclass(found):
        return "autoclass"
    return "autofunction" if callable(found) else "autodata"


def _summary(module: str, name: str) -> str:
    """Return the first sentence of a docstring, without references to its literature."""
    found = getattr(import_module(module), name.rpartition(".")[2])
    lines = (inspect.getdoc(found) or "").partition("\n\n")[0].split()
    paragraph = re.sub(r" ?\[\d\]_", "", " ".join(lines))
    return re.split(r"(?<=[a-z`)])\. (?=[A-Z`])", paragraph)[0].rstrip(".") + "."


def text(page: Page) -> str:
    """Return a page: what it is about, a table of its names, and each in full."""
    rule = "=" * len(page.title)
    lines = [page.title, rule, "", page.about, ""]
    if page.title == "Modules":
        lines += [".. module:: nn", ""]
    if page.title == "Tensor":
        lines += [".. module:: autodiff", ""]
    listed = entries(page)
    if page.public:
        module = "automodule" if page.public in page.modules else "currentmodule"
        lines += [f".. {module}:: {page.public}", ""]
    lines += [".. list-table::", "   :class: summary", "   :widths: 30 70", ""]
    for name, module in listed:
        whole = f"{page.public}.{name}" if page.public else name
        lines += [f"   * - :py:obj:`~{whole}`", f"     - {_summary(module, name)}"]
    lines += [""]
    for name, module in listed:
        found = getattr(import_module(module), name.rpartition(".")[2])
        directive = _directive(found)
        lines += [f".. {directive}:: {name}"]
        if directive == "autoclass":
            lines += ["   :members:", "   :exclude-members: extra_repr"]
            lines += [f"   :inherited-members: {_SHOWN_ELSEWHERE}"]
        lines += [""]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Write all pages, and the one that lists them; leave what is unchanged untouched."""
    folder.mkdir(exist_ok=True)
    written = {"index": _index()}
    written |= {page.file: text(page) for page in pages()}
    for name, content in written.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in written:
            path.unlink()


def _index() -> str:
    lines = ["Reference", "=========", ""]
    lines += ["Every public name. The examples are run by the tests.", ""]
    for chapter in CHAPTERS:
        lines += [chapter.title, "-" * len(chapter.title), ""]
        for page in chapter.pages:
            lines += [f":doc:`{page.file}`", f"   {page.about}", ""]
            if page.public:
                names = [f":py:obj:`~{page.public}.{name}`" for name, _ in entries(page)]
                lines += ["   " + " ".join(names), ""]
        lines += [".. toctree::", "   :hidden:", f"   :caption: {chapter.title}", ""]
        lines += [f"   {page.file}" for page in chapter.pages] + [""]
    return "\n".join(lines)
