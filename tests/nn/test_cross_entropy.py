"""Cross-entropy: PyTorch's values and gradients, and what is wrong with bad labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import autodiff as ad
import nn
from tests.nn import to_torch, torch, with_torch

SHAPES = [(5,), (4, 5), (3, 5, 2), (2, 5, 3, 2)]
OPTIONS = list(itertools.product(("mean", "sum", "none"), (False, True), (0.0, 0.1), (False, True)))


def labels(rng, shape):
    without = shape[1:] if len(shape) == 1 else (shape[0], *shape[2:])
    return np.asarray(rng.integers(0, 5, without if len(shape) > 1 else ()))


@with_torch
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("reduction", "weighted", "smoothing", "ignoring"), OPTIONS)
def test_class_indices_are_pytorchs(shape, reduction, weighted, smoothing, ignoring):
    rng = np.random.default_rng(7)
    x, target = rng.normal(size=shape), labels(rng, shape)
    if ignoring and target.size > 1:
        target.flat[1] = -100
    weight = rng.uniform(0.5, 2, 5) if weighted else None
    mine, other = ad.tensor(x, requires_grad=True), to_torch(x)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    ours = nn.cross_entropy(mine, target, weight, **options)
    theirs = torch.nn.functional.cross_entropy(
        other, torch.tensor(target), None if weight is None else torch.tensor(weight), **options
    )
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=1e-12)
    (ours * ours).sum().backward()
    (theirs * theirs).sum().backward()
    np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), atol=1e-12)


@with_torch
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("reduction", "weighted", "smoothing", "ignoring"), OPTIONS)
def test_probabilities_are_pytorchs(shape, reduction, weighted, smoothing, ignoring):
    if ignoring:
        return
    rng = np.random.default_rng(8)
    x, target = rng.normal(size=shape), rng.uniform(size=shape)
    weight = rng.uniform(0.5, 2, 5) if weighted else None
    mine, other = ad.tensor(x, requires_grad=True), to_torch(x)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    ours = nn.cross_entropy(mine, target, weight, **options)
    theirs = torch.nn.functional.cross_entropy(
        other, torch.tensor(target), None if weight is None else torch.tensor(weight), **options
    )
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=1e-12)
    (ours * ours).sum().backward()
    (theirs * theirs).sum().backward()
    np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), atol=1e-12)


def test_the_gradient_is_softmax_minus_target():
    rng = np.random.default_rng(0)
    logits = ad.tensor(rng.normal(size=(6, 4)), requires_grad=True)
    target = np.array([0, 1, 2, 3, 0, 2])
    nn.cross_entropy(logits, target, reduction="sum").backward()
    softmax = np.exp(logits.array) / np.exp(logits.array).sum(1, keepdims=True)
    np.testing.assert_allclose(logits.grad.numpy(), softmax - np.eye(4)[target], atol=1e-14)


def test_large_logits_are_safe():
    logits = ad.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = nn.cross_entropy(logits, [0, 0])
    loss.backward()
    assert loss.item() == 1e4
    assert logits.grad.tolist() == [[0.0, 0.0], [-0.5, 0.5]]
    assert loss.dtype == np.float32


def test_nothing_that_counts_gives_zero():
    logits = ad.ones((2, 3), requires_grad=True)
    loss = nn.cross_entropy(logits, [-100, -100])
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad.numpy() == 0).all()
    assert nn.cross_entropy(ad.ones((0, 3)), np.zeros(0, int)).item() == 0


def test_its_operations_are_a_scope():
    logits = ad.ones((2, 3), requires_grad=True)
    assert nn.cross_entropy(logits, [0, 1]).node.scope == ("cross_entropy",)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 3], ad.DomainError, "the label 3 at index 1 is not one of the 3 classes"),
        ([-1, 0], ad.DomainError, "the label -1 at index 0"),
        ([0.0, 1.0], ad.DTypeError, r"class indices must be integers. Cast them"),
        ([0, 1, 2], ad.ShapeError, r"Give a target of shape \(2,\)"),
        ([[0], [1]], ad.ShapeError, r"target: \(2, 1\) int64"),
        ([True, False], ad.DTypeError, "neither class indices nor probabilities"),
        ([[0.5, 0.5], [0.5, 0.5]], ad.ShapeError, "must have the shape of the logits"),
    ],
)
def test_bad_targets(target, error, message):
    with pytest.raises(error, match=message):
        nn.cross_entropy(ad.ones((2, 3)), target)


def test_other_bad_input():
    logits = ad.ones((2, 3))
    with pytest.raises(ad.OptionError, match="'avg' is unknown"):
        nn.cross_entropy(logits, [0, 1], reduction="avg")
    with pytest.raises(ad.OptionError, match="label_smoothing is 2"):
        nn.cross_entropy(logits, [0, 1], label_smoothing=2)
    with pytest.raises(ad.ShapeError, match="for each of the 3 classes"):
        nn.cross_entropy(logits, [0, 1], weight=[1.0, 2.0])
    with pytest.raises(ad.DTypeError, match="no array of real logits"):
        nn.cross_entropy(ad.tensor([[1, 2]]), [0])
    with pytest.raises(ad.DomainError, match=r"the label 9 at index \(0, 1\)"):
        nn.cross_entropy(ad.ones((2, 3, 2)), [[0, 9], [1, 1]])
    with pytest.raises(ad.DomainError, match="the label 9 is not one"):
        nn.cross_entropy(ad.ones(3), 9)


# By hand: the probabilities are (1/2, 1/2) and (3/4, 1/4), so that the losses of the labels
# (0, 1) are ln 2 and ln 4, and the second row's other class would lose ln 4/3.
LOGITS = np.log([[1.0, 1.0], [3.0, 1.0]])
LN2, LN4, LN4_3 = np.log([2, 4, 4 / 3])
SMOOTH = 0.8 * LN4 + 0.2 * (LN4 + LN4_3) / 2


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ([0, 1], {"reduction": "none"}, [LN2, LN4]),
        ([0, 1], {"reduction": "sum"}, LN2 + LN4),
        ([0, 1], {}, (LN2 + LN4) / 2),
        ([0, 1], {"weight": [1.0, 3.0], "reduction": "none"}, [LN2, 3 * LN4]),
        ([0, 1], {"weight": [1.0, 3.0]}, (LN2 + 3 * LN4) / 4),
        ([0, 1], {"label_smoothing": 0.2, "reduction": "none"}, [LN2, SMOOTH]),
        ([0, 1], {"label_smoothing": 1.0, "reduction": "none"}, [LN2, (LN4 + LN4_3) / 2]),
        # the share that is spread has each class's weight, the rest the label's
        (
            [0, 1],
            {"weight": [1.0, 3.0], "label_smoothing": 0.2, "reduction": "none"},
            [0.8 * LN2 + 0.2 * 2 * LN2, 0.8 * 3 * LN4 + 0.2 * (LN4_3 + 3 * LN4) / 2],
        ),
        (
            [0, 1],
            {"weight": [1.0, 3.0], "label_smoothing": 0.2},
            (1.2 * LN2 + 2.4 * LN4 + 0.1 * (LN4_3 + 3 * LN4)) / 4,
        ),
        ([-100, 1], {"reduction": "none"}, [0, LN4]),
        ([-100, 1], {}, LN4),
        ([0, 1], {"ignore_index": 0}, LN4),
        ([0, 1], {"ignore_index": 0, "weight": [1.0, 3.0], "reduction": "none"}, [0, 3 * LN4]),
        ([0, 1], {"ignore_index": 0, "weight": [1.0, 3.0]}, LN4),
        ([0, 1], {"ignore_index": 0, "label_smoothing": 0.2, "reduction": "sum"}, SMOOTH),
        ([0, 1], {"weight": [0.0, 0.0]}, 0),
        ([[1, 0], [0.5, 0.5]], {"reduction": "none"}, [LN2, (LN4 + LN4_3) / 2]),
        ([[1, 0], [0.0, 1]], {}, (LN2 + LN4) / 2),
        ([[1, 0], [0.0, 1]], {"reduction": "sum"}, LN2 + LN4),
        ([[1, 0], [0.0, 1]], {"label_smoothing": 0.2, "reduction": "none"}, [LN2, SMOOTH]),
        # probabilities: weights scale the terms, and the mean is over the rows
        ([[1, 0], [0.0, 1]], {"weight": [1.0, 3.0]}, (LN2 + 3 * LN4) / 2),
    ],
)
def test_losses_by_hand(target, options, expected):
    loss = nn.cross_entropy(ad.asarray(LOGITS), target, **options)
    np.testing.assert_allclose(loss.numpy(), expected, atol=1e-15)
    # positions behind the classes: as many rows of their own
    kind = np.asarray(target)
    behind = kind.reshape(1, *kind.shape) if kind.ndim == 1 else kind.T[None]
    loss = nn.cross_entropy(ad.asarray(LOGITS.T[None]), behind, **options)
    expected = np.reshape(expected, (1, 2)) if options.get("reduction") == "none" else expected
    np.testing.assert_allclose(loss.numpy(), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ([0, 1], {"reduction": "sum"}, [[-1 / 2, 1 / 2], [3 / 4, -3 / 4]]),
        ([0, 1], {}, [[-1 / 4, 1 / 4], [3 / 8, -3 / 8]]),
        ([0, 1], {"weight": [1.0, 3.0]}, [[-1 / 8, 1 / 8], [9 / 16, -9 / 16]]),
        ([-100, 1], {}, [[0, 0], [3 / 4, -3 / 4]]),
        # softmax less (0.9, 0.1) and (0.1, 0.9)
        ([0, 1], {"label_smoothing": 0.2, "reduction": "sum"}, [[-0.4, 0.4], [0.65, -0.65]]),
        ([[0.9, 0.1], [0.1, 0.9]], {"reduction": "sum"}, [[-0.4, 0.4], [0.65, -0.65]]),
    ],
)
def test_gradients_by_hand(target, options, expected):
    logits = ad.tensor(LOGITS, requires_grad=True)
    nn.cross_entropy(logits, target, **options).backward()
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-15)


def test_one_row_by_hand():
    logits = ad.asarray(LOGITS[1])
    np.testing.assert_allclose(nn.cross_entropy(logits, 1).numpy(), LN4)
    np.testing.assert_allclose(nn.cross_entropy(logits, [0.0, 1.0]).numpy(), LN4)
    assert nn.cross_entropy(logits, -100, reduction="none").item() == 0


@pytest.mark.parametrize("target", [np.zeros((0, 3)), np.zeros(0, int)], ids=["shares", "labels"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_rows(target, reduction):
    loss = nn.cross_entropy(ad.ones((0, 3)), target, reduction=reduction)
    assert loss.shape == ((0,) if reduction == "none" else ())
    assert float(loss.sum()) == 0


@pytest.mark.parametrize("options", [{"weight": [1.0, 2.0]}, {"label_smoothing": 0.1}, {}])
@pytest.mark.parametrize("target", [[0, 1], [[0.3, 0.7], [1.0, 0.0]]], ids=["labels", "shares"])
def test_finite_differences_agree(options, target):
    logits = ad.tensor(LOGITS, requires_grad=True)
    assert ad.gradcheck(lambda x: nn.cross_entropy(x, target, **options), [logits])


def test_the_scalar_input_is_described():
    with pytest.raises(ad.DTypeError, match=r"input: \(\) float32.*Give floats of shape \(N, C\)"):
        nn.cross_entropy(2.0, 0)
