"""A first training run: ``python -m autodiff demo``.

A multilayer perceptron learns to read scikit-learn's bundled handwritten digits; then every
entry of its gradient is compared with finite differences, and the graph of its loss is drawn.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import autodiff as ad
import nn

__all__ = ["Digits", "accuracy", "build", "load", "loss_of", "main", "train"]

_BATCH = 32
_HIDDEN = 64
_OPTIMIZERS: dict[str, Callable[[Iterable[Any]], nn.Optimizer]] = {
    "adam": lambda parameters: nn.Adam(parameters, lr=3e-3, weight_decay=1e-4),
    "sgd": lambda parameters: nn.SGD(
        parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
}


class Digits(NamedTuple):
    """Images as rows of 64 pixels, float32, centred; and which digit each shows."""

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any


def load(seed: int) -> Digits:
    """Load the digits and split off a fifth, stratified, for the test.

    Pixels go from 0 to 1, less the mean of the training images.
    """
    datasets = _imported("sklearn.datasets", "scikit-learn")
    selection = _imported("sklearn.model_selection", "scikit-learn")
    found = datasets.load_digits()
    images = (found.data / 16).astype(np.float32)
    parts = selection.train_test_split(
        images, found.target, test_size=0.2, stratify=found.target, random_state=seed
    )
    train_images, test_images, train_labels, test_labels = parts
    mean = train_images.mean(axis=0)
    return Digits(train_images - mean, train_labels, test_images - mean, test_labels)


def _imported(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ad.MissingExtraError("the demo", package, "examples") from error


def build(seed: int) -> nn.MLP:
    """Make the network; its weights start as Xavier's uniform distribution."""
    ad.random.seed(seed)
    return nn.MLP([64, _HIDDEN, 10], activation="relu")


def loss_of(model: nn.MLP, images: Any, labels: Any) -> ad.Tensor:
    """Compute the loss: that of the training, of the gradient check and of the drawing."""
    return nn.cross_entropy(model(ad.asarray(images)), labels)


def train(model: nn.MLP, digits: Digits, optimizer: str, epochs: int, seed: int) -> float:
    """Train with a learning rate that falls along half a cosine; return the last batch's loss.

    Without an epoch that is NaN. A progress bar shows loss and time left where standard error
    is a terminal.
    """
    tqdm = _imported("tqdm", "tqdm").tqdm
    updates = _OPTIMIZERS[optimizer](model.parameters())
    highest = updates.param_groups[0]["lr"]
    generator = np.random.default_rng(seed)
    images, labels = digits.train_images, digits.train_labels
    starts = range(0, len(images), _BATCH)
    steps = epochs * len(starts)
    bar = tqdm(total=steps, desc="training", unit="step", ncols=80, disable=not sys.stderr.isatty())
    value = math.nan
    with bar:
        for step in range(steps):
            if step % len(starts) == 0:
                order = generator.permutation(len(images))
            batch = order[starts[step % len(starts)] :][:_BATCH]
            updates.param_groups[0]["lr"] = highest * (1 + math.cos(math.pi * step / steps)) / 2
            updates.zero_grad()
            loss = loss_of(model, images[batch], labels[batch])
            loss.backward()
            updates.step()
            value = loss.item()
            if step % len(starts) == 0:
                bar.set_postfix(loss=f"{value:.3f}", refresh=False)
            bar.update()
    return value


def accuracy(model: nn.MLP, images: Any, labels: Any) -> tuple[int, int]:
    """Return how many images are read right, and how many there are."""
    with ad.no_grad():
        found = ad.argmax(model(ad.asarray(images)), axis=1)
    return int(ad.count_nonzero(found == labels)), len(labels)


def _table(report: ad.GradientReport) -> str:
    """Write a gradient report as a table, one row for each parameter tensor."""
    header = ("parameter", "shape", "entries", "largest error", "tolerance", "verdict")
    rows = []
    for row in report.inputs:
        worst = row.worst
        error, allowed = (f"{worst.error:.1e}", f"{worst.tolerance:.1e}") if worst else ("", "")
        rows.append((row.name, str(row.shape), row.checked, error, allowed, row.verdict))
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for cells in (header, *rows):
        aligned = [
            f"{cell:<{width}}" if i in (0, 1, 5) else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:]])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="autodiff demo",
        description="Train an MLP on 1,797 handwritten digits, compare every entry of its "
        "gradient with finite differences, and draw the graph of its loss.",
    )
    parser.add_argument("--seed", type=_natural, default=0, help="of split, weights and batches")
    parser.add_argument("--optimizer", choices=list(_OPTIMIZERS), default="adam")
    parser.add_argument("--epochs", type=_natural, default=40, help="passes over the digits (40)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the drawing")
    return parser.parse_args(arguments)


def _natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return value


def _checked(drawing: Path) -> Path:
    """Make the drawing's folder; raise, before any work, if the drawing can't be written."""
    try:
        drawing.parent.mkdir(parents=True, exist_ok=True)
        existed = drawing.exists()
        with drawing.open("ab"):
            pass
        if not existed:
            drawing.unlink()
    except OSError as error:
        message = f"{drawing} can't be written ({error.strerror})"
        raise ad.OptionError(f"{message}. Give another folder with --out.") from error
    return drawing


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return 0, or 1 if a gradient is wrong.

    Raises
    ------
    OptionError
        If the drawing can't be written where it was asked for.
    MissingExtraError
        If a package that only the demo needs is not installed.
    """
    options = _arguments(arguments)
    began = time.perf_counter()
    drawing = _checked(options.out / "digits-loss.svg")
    digits = load(options.seed)
    model = build(options.seed)
    print("Reading handwritten digits with an engine of NumPy arrays\n")
    print(
        f"Data: {len(digits.train_images):,} digits of 8 x 8 pixels to learn from, "
        f"{len(digits.test_images)} for the test (seed {options.seed})"
    )
    print(f"Model, from Xavier's initialisation:\n{_indented(repr(model))}\n", flush=True)

    started = time.perf_counter()
    loss = train(model, digits, options.optimizer, options.epochs, options.seed)
    seconds = time.perf_counter() - started
    right, count = accuracy(model, digits.test_images, digits.test_labels)
    if options.epochs:
        epochs = "1 epoch" if options.epochs == 1 else f"{options.epochs} epochs"
        how = f"{epochs} with {options.optimizer} in {seconds:.1f} s"
        print(f"Trained {how}; the last batch's loss {loss:.3f}")
    else:
        print("Not trained, for 0 epochs: the weights are as they were drawn")
    print(f"Test accuracy: {right / count:.1%} ({right} of {count} digits)\n", flush=True)

    images = ad.asarray(digits.train_images[:_BATCH])
    labels = ad.asarray(digits.train_labels[:_BATCH])

    def compute_loss() -> ad.Tensor:
        return loss_of(model, images, labels)

    started = time.perf_counter()
    report = ad.gradcheck(compute_loss, model.named_parameters(), mode="full", raises=False)
    seconds = time.perf_counter() - started
    entries = sum(parameter.size for parameter in model.parameters())
    print(f"Every entry of the gradient against finite differences ({seconds:.1f} s):")
    print(_indented(_table(report)))
    if report.ok:
        print(f"All {entries:,} entries agree.\n")
    else:
        print(f"\n{report}\n")

    model.zero_grad()
    loss_now = compute_loss()
    loss_now.name = "loss"
    loss_now.backward(retain_graph=True)
    named = [*model.named_parameters(), ("digits", images), ("labels", labels)]
    ad.draw.save(loss_now, drawing, named)
    print(f"Graph of the loss: {drawing}")
    print(f"({time.perf_counter() - began:.1f} s in all)")
    return 0 if report.ok else 1
