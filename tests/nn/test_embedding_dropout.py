"""Embedding and dropout."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch


@with_torch
@pytest.mark.parametrize("padding", [None, 0, 3, -1])
@pytest.mark.parametrize("shape", [(), (5,), (2, 4), (0,)])
@precisions
def test_embedding_is_pytorchs(padding, shape, dtype, tolerance):
    theirs = torch.nn.Embedding(7, 3, padding, dtype=getattr(torch, dtype))
    ours = nn.Embedding(7, 3, padding, dtype=getattr(ad, dtype))
    assert ours.padding_idx == theirs.padding_idx
    if padding is not None:
        assert (ours.weight.detach().numpy()[padding] == 0).all()
    theirs.weight.data += 1.0  # the padding's vector too is looked up, whatever it is
    index = np.random.default_rng(0).integers(0, 7, shape)
    if index.size:
        index[...] = np.where(np.arange(index.size).reshape(shape) % 3 == 0, 0, index)
    assert_same_as_torch(ours, theirs, [index], tolerance=tolerance)


def test_embedding_takes_lists_and_pretrained_vectors():
    table = np.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert layer([2, 0]).tolist() == [[4, 5], [0, 1]]
    assert layer([]).shape == (0, 2)
    assert not layer.weight.requires_grad
    table[:] = 0
    assert layer.weight.detach().numpy()[2, 1] == 5
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    assert functional.embedding([1], table, padding_idx=1).shape == (1, 2)
    assert repr(nn.Embedding(3, 2, 1)) == "Embedding(3, 2, padding_idx=1)  6 parameters"


def test_embedding_refuses_what_is_outside_of_the_vocabulary():
    model = nn.Sequential({"inner": nn.Sequential(nn.Embedding(10, 2))})
    message = r"Embedding 'inner\.0': the index 10 at position \(1, 2\) is outside of the .* of 10"
    with pytest.raises(ad.DomainError, match=message):
        model(np.array([[1, 2, 3], [4, 5, 10]]))
    with pytest.raises(ad.DomainError, match="the index -1 at position 1 is"):
        nn.Embedding(10, 2)([0, -1])
    with pytest.raises(ad.DomainError, match="the index 12 is outside"):
        nn.Embedding(10, 2)(12)
    with pytest.raises(ad.DTypeError, match=r"the indices are \(1,\) float32\. Give integers"):
        nn.Embedding(10, 2)([1.0])
    for padding in (10, -11, 1.5, True):
        with pytest.raises(ad.OptionError, match="padding_idx"):
            nn.Embedding(10, 2, padding)
    with pytest.raises(ad.ShapeError, match="no table"):
        nn.Embedding.from_pretrained([1.0])
    with pytest.raises(ad.ShapeError, match="no table"):
        functional.embedding([0], [1.0])
    with pytest.raises(ad.OptionError, match="num_embeddings"):
        nn.Embedding(-1, 2)


def test_dropout_keeps_the_mean_and_drops_its_share():
    ad.random.seed(0)
    x = ad.ones(100_000, requires_grad=True)
    y = nn.Dropout(0.2)(x)
    values = y.detach().numpy()
    assert set(np.unique(values)) == {0, np.float32(1.25)}
    assert abs((values == 0).mean() - 0.2) < 0.005
    y.sum().backward()
    assert (x.grad.numpy() == values).all()
    assert y.node.operation == "multiply"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dropout_keeps_the_dtype(dtype):
    x = ad.ones((3, 4), dtype=getattr(ad, dtype))
    assert nn.Dropout(0.3)(x).dtype == x.dtype
    assert (nn.Dropout(1.0)(x).numpy() == 0).all()
    assert nn.Dropout(0.0)(x) is x
    assert nn.Dropout(0.3).eval()(x) is x


def test_dropout_from_a_seed():
    a, b = (nn.Dropout(0.5, generator=np.random.default_rng(1))(ad.ones(50)) for _ in "ab")
    assert a.tolist() == b.tolist()


def test_bad_dropout():
    for p in (-0.1, 1.1, "half", None, float("nan")):
        with pytest.raises(ad.DomainError, match="Dropout: p is"):
            nn.Dropout(p)
    with pytest.raises(ad.DTypeError, match=r"Dropout 'a': the input \(2,\) int64 holds no floats"):
        nn.Sequential({"a": nn.Dropout()})([1, 2])
