"""Packed and padded batches: PyTorch's data, batch sizes, permutations and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)
from tests.nn import to_torch, torch, with_torch

LENGTHS = [[5, 3, 1], [1, 5, 3], [2, 2, 2], [4, 5, 5], [5, 5, 5]]


def values(shape, dtype="float64"):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def same_packed(ours, theirs):
    np.testing.assert_array_equal(ours.data.detach().numpy(), theirs.data.detach().numpy())
    assert ours.batch_sizes.tolist() == theirs.batch_sizes.tolist()
    for name in ("sorted_indices", "unsorted_indices"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (other is None)
        assert mine is None or mine.tolist() == other.tolist()


@with_torch
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_packing_and_padding_are_pytorchs(lengths, batch_first, shape):
    rnn = torch.nn.utils.rnn
    x = values((3, 5, *shape) if batch_first else (5, 3, *shape))
    mine, other = ad.tensor(x, requires_grad=True), to_torch(x)
    ours = pack_padded_sequence(mine, lengths, batch_first, enforce_sorted=False)
    theirs = rnn.pack_padded_sequence(other, torch.tensor(lengths), batch_first, False)
    same_packed(ours, theirs)
    for options in ({}, {"padding_value": -2.5}, {"total_length": 7, "batch_first": True}):
        a, n = pad_packed_sequence(ours, **options)
        b, m = rnn.pad_packed_sequence(theirs, **options)
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        assert n.tolist() == m.tolist() == lengths
        weights = values(a.shape)
        (a * weights).sum().backward()
        (b * torch.tensor(weights)).sum().backward(retain_graph=True)
    np.testing.assert_array_equal(mine.grad.numpy(), other.grad.numpy())


@with_torch
def test_a_sorted_batch_keeps_no_permutation():
    x = values((5, 3, 2))
    ours = pack_padded_sequence(ad.asarray(x), [5, 3, 3])
    same_packed(ours, torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(x), [5, 3, 3]))
    assert ours.sorted_indices is None
    assert ours.lengths.tolist() == [5, 3, 3]


@with_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_sequences_are_padded_as_pytorch_does(batch_first, side, value):
    members = [values((n, 2)) for n in (2, 4, 1)]
    mine = [ad.tensor(m, requires_grad=True) for m in members]
    ours = pad_sequence(mine, batch_first, value, side)
    theirs = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(m) for m in members], batch_first, value, side
    )
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.numpy())
    (ours * ours).sum().backward()
    for tensor, member in zip(mine, members, strict=True):
        np.testing.assert_allclose(tensor.grad.numpy(), 2 * member)


@with_torch
def test_sequences_are_packed_as_pytorch_does():
    members = [values((n, 2)) for n in (2, 4, 1)]
    ours = pack_sequence(members, enforce_sorted=False)
    theirs = torch.nn.utils.rnn.pack_sequence([torch.tensor(m) for m in members], False)
    same_packed(ours, theirs)
    for back, member in zip(unpack_sequence(ours), members, strict=True):
        np.testing.assert_array_equal(back.numpy(), member)


def test_padding_is_taken_off_again():
    members = [ad.asarray(values((n, 2))) for n in (2, 4, 1)]
    for batch_first in (False, True):
        padded = pad_sequence(members, batch_first)
        parts = unpad_sequence(padded, [2, 4, 1], batch_first)
        assert all((a == b).all() for a, b in zip(parts, members, strict=True))


def test_integers_stay_integers():
    packed = pack_sequence([ad.tensor([3, 1, 2]), ad.tensor([5])])
    assert packed.data.dtype == np.int64
    assert pad_packed_sequence(packed, True, padding_value=9)[0].tolist() == [[3, 1, 2], [5, 9, 9]]


def test_lengths_may_be_any_integers():
    x = ad.asarray(values((5, 2)))
    for lengths in ([5, 2], (5, 2), np.array([5, 2], np.int32), ad.tensor([5, 2])):
        assert pack_padded_sequence(x, lengths).lengths.tolist() == [5, 2]


def test_permutations_are_inverted():
    assert invert_permutation(ad.tensor([2, 0, 1])).tolist() == [1, 2, 0]
    packed = PackedSequence(ad.zeros((4, 1)), ad.tensor([3, 1]), ad.tensor([2, 0, 1]))
    assert packed.unsorted_indices.tolist() == [1, 2, 0]
    assert packed.lengths.tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("lengths", "error", "text"),
    [
        ([5, 0, 1], ad.DomainError, r"lengths\[1\] is 0, the sequences are padded to 5 steps"),
        ([6, 2, 1], ad.DomainError, r"lengths\[0\] is 6.*Give lengths from 1 to 5"),
        ([5, -1, 1], ad.DomainError, r"lengths\[1\] is -1"),
        ([5, 2], ad.ShapeError, "2 lengths for a batch of 3 sequences"),
        ([[5, 2, 1]], ad.ShapeError, r"lengths are \(1, 3\) int64.*one axis"),
        ([5.0, 2.0, 1.0], ad.DTypeError, "whole numbers"),
        ([True, True, True], ad.DTypeError, "whole numbers"),
        ("abc", ad.DTypeError, "str"),
        ([1, 5, 3], ad.DomainError, r"\[1, 5, 3\] don't descend.*enforce_sorted=False"),
    ],
)
def test_bad_lengths(lengths, error, text):
    with pytest.raises(error, match=f"(?s)pack_padded_sequence.*{text}"):
        pack_padded_sequence(ad.zeros((5, 3, 2)), lengths)


def test_bad_batches():
    with pytest.raises(ad.ShapeError, match=r"\(5,\) float32\. Give at least two axes"):
        pack_padded_sequence(ad.zeros(5), [5])
    with pytest.raises(ad.DTypeError, match="a Tensor is not a PackedSequence"):
        pad_packed_sequence(ad.zeros((5, 3)))
    packed = pack_padded_sequence(ad.zeros((5, 2)), [4, 1])
    with pytest.raises(ad.DomainError, match="total_length is 3, the longest sequence has 4"):
        pad_packed_sequence(packed, total_length=3)
    with pytest.raises(ad.DTypeError, match="pack_sequence: a int is no list of sequences"):
        pack_sequence(3)
    with pytest.raises(ad.ShapeError, match="the sequences are none"):
        pad_sequence([])
    with pytest.raises(ad.ShapeError, match=r"\(2, 3\) float32, \(2, 4\) float32"):
        pad_sequence([ad.zeros((2, 3)), ad.zeros((2, 4))])
    with pytest.raises(ad.OptionError, match="padding_side 'top'"):
        pad_sequence([ad.zeros(2)], padding_side="top")
    with pytest.raises(ad.DomainError, match="don't descend"):
        pack_sequence([ad.zeros(1), ad.zeros(2)])
    with pytest.raises(ad.ShapeError, match=r"add up to 3, the data is \(4, 1\)"):
        PackedSequence(ad.zeros((4, 1)), [2, 1])
    for sizes in ([1, 3], [4, 0], []):
        with pytest.raises(ad.DomainError, match="numbers of at least 1 that never grow"):
            PackedSequence(ad.zeros((4, 1)), sizes)
