"""Connectionist temporal classification: PyTorch's values and gradients, brute force, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import autodiff as ad
import nn
from tests.nn import precisions, torch, with_torch

LENGTHS = [
    ([8, 8, 8], [3, 3, 3]),
    ([8, 5, 7], [3, 1, 2]),
    ([8, 4, 6], [0, 2, 3]),
    ([8, 8, 8], [0, 0, 0]),
    ([4, 8, 3], [3, 4, 1]),
]


def problem(steps, counts, dtype="float64", classes=5, blank=0):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(8, len(steps), classes)).astype(dtype) * 2
    others = [c for c in range(classes) if c != blank]
    labels = rng.choice(others, size=(len(steps), max([*counts, 1])))
    labels[0, 1:2] = labels[0, :1][: labels[0, 1:2].size]  # the same label twice in a row
    return logits, labels


def compare(logits, labels, steps, counts, tolerance, **options):
    mine = ad.tensor(logits, requires_grad=True)
    other = torch.tensor(logits, requires_grad=True)
    ours = nn.functional.ctc_loss(
        ad.log_softmax(mine, axis=-1), labels, np.array(steps), counts, **options
    )
    theirs = torch.nn.functional.ctc_loss(
        torch.log_softmax(other, -1),
        torch.tensor(labels),
        torch.tensor(steps),
        torch.tensor(counts),
        **options,
    )
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance)
    finite = bool(torch.isfinite(theirs).all())
    (ours * (1.0 + ad.arange(ours.size).reshape(ours.shape))).sum().backward()
    (theirs * (1.0 + torch.arange(theirs.numel()).reshape(theirs.shape))).sum().backward()
    if finite:
        bound = tolerance * max(1, np.abs(other.grad.numpy()).max())
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=0, atol=bound)
    assert np.isfinite(mine.grad.numpy()).all()


@with_torch
@precisions
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("steps", "counts"), LENGTHS, ids=str)
@pytest.mark.parametrize("blank", [0, 3])
def test_padded_targets_are_pytorchs(steps, counts, reduction, blank, dtype, tolerance):
    logits, labels = problem(steps, counts, dtype, blank=blank)
    options = {"reduction": reduction, "blank": blank}
    compare(logits, labels, steps, counts, tolerance, **options)
    compare(logits, labels, steps, counts, tolerance, zero_infinity=True, **options)


@with_torch
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("steps", "counts"), LENGTHS, ids=str)
def test_concatenated_targets_are_pytorchs(steps, counts, reduction):
    logits, labels = problem(steps, counts)
    row = np.concatenate([label[:count] for label, count in zip(labels, counts, strict=True)])
    compare(logits, row, steps, counts, 1e-10, reduction=reduction)


@with_torch
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_impossible_targets_are_infinite_or_nothing(reduction, zero_infinity):
    steps, counts = [8, 3, 4], [3, 4, 3]  # the second is too long, the others fit
    logits, labels = problem(steps, counts)
    compare(logits, labels, steps, counts, 1e-10, reduction=reduction, zero_infinity=zero_infinity)


@with_torch
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_one_sequence_is_pytorchs(reduction):
    logits, labels = problem([8], [3])
    ours = nn.functional.ctc_loss(
        ad.log_softmax(logits[:, 0]), labels[0], 6, 2 + 1, reduction=reduction
    )
    theirs = torch.nn.functional.ctc_loss(
        torch.log_softmax(torch.tensor(logits[:, 0]), -1),
        torch.tensor(labels[0]),
        torch.tensor(6),
        torch.tensor(3),
        reduction=reduction,
    )
    assert ours.shape == tuple(theirs.shape) == ()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)


def test_all_alignments_are_summed():
    logits, _ = problem([4], [2], classes=3)
    p = ad.softmax(logits[:4]).numpy()[:, 0]
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        merged = [label for label, _ in itertools.groupby(path)]
        if [label for label in merged if label != 0] == [2, 2]:
            total += np.prod(p[range(4), path])
    loss = nn.CTCLoss(reduction="sum")(ad.log_softmax(logits[:4]), [[2, 2]], [4], [2])
    assert loss.item() == pytest.approx(-np.log(total), rel=1e-12)


def test_padding_reaches_nothing():
    logits, labels = problem([8, 5], [3, 2])
    losses, gradients = [], []
    for value in (0.0, np.nan, -np.inf):
        log_probs = np.array(ad.log_softmax(logits).numpy())
        log_probs[5:, 1] = value
        labels[1, 2:] = 77
        x = ad.tensor(log_probs, requires_grad=True)
        loss = nn.functional.ctc_loss(x, labels, [8, 5], [3, 2])
        loss.backward()
        losses.append(loss.item())
        gradients.append(x.grad.numpy())
        assert (gradients[-1][5:, 1] == 0).all()
    assert losses[0] == losses[1] == losses[2]
    assert np.array_equal(gradients[0], gradients[1])
    assert np.array_equal(gradients[0], gradients[2])


def test_finite_differences_agree():
    logits, labels = problem([8, 5], [3, 2])
    x = ad.tensor(logits, requires_grad=True)
    assert ad.gradcheck(
        lambda x: nn.functional.ctc_loss(ad.log_softmax(x), labels, [8, 5], [3, 2]), [x]
    )


def test_no_sequences_and_no_steps():
    assert nn.functional.ctc_loss(ad.zeros((4, 0, 3)), np.zeros((0, 2), int), [], []).item() == 0
    nothing = nn.functional.ctc_loss(
        ad.zeros((0, 2, 3)), [[1], [1]], [0, 0], [0, 1], reduction="none"
    )
    assert nothing.tolist() == [0, np.inf]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (([[0, 1]] * 2, [4, 4], [2, 2]), ad.DomainError, "the label 0 is the blank or none of"),
        (([[1, 3]] * 2, [4, 4], [2, 2]), ad.DomainError, "the label 3"),
        (([[1, 2]] * 2, [5, 4], [2, 2]), ad.DomainError, r"input_lengths is \[5, 4\]"),
        (([[1, 2]] * 2, [4, 4], [2, 3]), ad.DomainError, "Give lengths from 0 to 2"),
        (([[1, 2]] * 2, [4, 4], [-1, 2]), ad.DomainError, r"target_lengths is \[-1, 2\]"),
        (([[1, 2]] * 2, [4], [2, 2]), ad.ShapeError, "Give one length for each of 2 sequences"),
        (([[1, 2]] * 3, [4, 4], [2, 2]), ad.ShapeError, "the targets do not fit 2 sequences"),
        (([1, 2, 1], [4, 4], [2, 2]), ad.ShapeError, "target_lengths sum to 4"),
        (([[1.0, 2.0]] * 2, [4, 4], [2, 2]), ad.DTypeError, "labels must be integers"),
        (([[1, 2]] * 2, [4.0, 4.0], [2, 2]), ad.DTypeError, "input_lengths must be integers"),
        (([[1, 2]] * 2, [4, 4], [2, 2], 3), ad.DomainError, "blank is 3"),
    ],
)
def test_bad_input(given, error, message):
    with pytest.raises(error, match=message):
        nn.functional.ctc_loss(ad.zeros((4, 2, 3)), *given)


def test_the_layer_says_where_it_is():
    with pytest.raises(ad.ShapeError, match=r"CTCLoss: ctc_loss\(log_probs: \(3,\) float32"):
        nn.CTCLoss()(ad.zeros(3), [1], [1], [1])
