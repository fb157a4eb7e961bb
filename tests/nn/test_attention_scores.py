"""Additive and multiplicative attention: their equations, masks, gradients and errors."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import gradcheck
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

if torch is not None:

    class TorchScores(torch.nn.Module):
        """The papers' equations, pair by pair, over the parameters of our module."""

        def __init__(self, ours, method, dtype):
            super().__init__()
            self.method = method
            for name, child in ours.named_children():
                rows, columns = child.weight.shape
                layer = torch.nn.Linear(columns, rows, bias=False, dtype=getattr(torch, dtype))
                self.add_module(name, layer)

        def forward(self, query, keys, mask=None, values=None):
            single = query.ndim == 2
            if single:
                query = query[:, None]
            rows = []
            for t in range(query.shape[1]):
                s = query[:, t]
                scores = [self.score(s, keys[:, j]) for j in range(keys.shape[1])]
                rows.append(torch.stack(scores, 1))
            scores = torch.stack(rows, 1)
            if mask is not None:
                mask = mask if mask.ndim == 3 else mask[:, None]
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = torch.softmax(scores, -1)
            context = weights @ (keys if values is None else values)
            return (context[:, 0], weights[:, 0]) if single else (context, weights)

        def score(self, s, h):
            if self.method == "bahdanau":
                return self.v_a(torch.tanh(self.W_a(s) + self.U_a(h)))[:, 0]
            if self.method == "concat":
                return self.v_a(torch.tanh(self.W_a(torch.cat([s, h], 1))))[:, 0]
            return (s * (self.W_a(h) if self.method == "general" else h)).sum(1)


METHODS = ["bahdanau", "dot", "general", "concat"]


def make(method, query_size=4, key_size=6, hidden_size=None, dtype="float64"):
    dtype = getattr(ad, dtype)
    if method == "bahdanau":
        return nn.BahdanauAttention(query_size, key_size, hidden_size, dtype=dtype)
    if method == "dot":
        return nn.LuongAttention(key_size, method="dot", dtype=dtype)
    hidden_size = hidden_size if method == "concat" else None
    return nn.LuongAttention(query_size, key_size, method, hidden_size, dtype=dtype)


@with_torch
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [(), (1,), (3,)])
@pytest.mark.parametrize("masked", [None, "keys", "pairs"])
@pytest.mark.parametrize("own_values", [False, True])
@precisions
def test_equations(method, steps, masked, own_values, dtype, tolerance):
    ours = make(method, hidden_size=5, dtype=dtype)
    theirs = TorchScores(ours, method, dtype)
    rng = np.random.default_rng(0)
    query = rng.normal(size=(2, *steps, ours.query_size)).astype(dtype)
    keys = rng.normal(size=(2, 5, 6)).astype(dtype)
    options = {}
    if masked:
        shape = (2, 5) if masked == "keys" or not steps else (2, *steps, 5)
        options["mask"] = rng.random(shape) < 0.6
        options["mask"][..., 0] = True
    if own_values:
        options["values"] = rng.normal(size=(2, 5, 3)).astype(dtype)
    assert_same_as_torch(ours, theirs, [query, keys], tolerance=tolerance, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_are_finite_differences(method, order):
    ours = make(method, hidden_size=3)
    rng = np.random.default_rng(1)
    query, keys = rng.normal(size=(2, 2, ours.query_size)), rng.normal(size=(2, 3, 6))
    mask = np.array([[True, True, False], [True, True, True]])
    assert gradcheck(lambda q, k: ours(q, k, mask), (query, keys), order=order)


@pytest.mark.parametrize("method", METHODS)
def test_a_query_that_may_look_nowhere_gets_zeros(method):
    ours = make(method)
    query = ad.ones((2, ours.query_size), dtype=ad.float64, requires_grad=True)
    keys = ad.random.normal(size=(2, 3, 6), dtype=ad.float64, requires_grad=True)
    mask = [[False, False, False], [True, False, True]]
    context, weights = ours(query, keys, mask)
    assert context[0].tolist() == [0.0] * 6
    assert weights[0].tolist() == [0.0] * 3
    assert weights[1, 1].item() == 0.0
    assert weights[1].sum().item() == pytest.approx(1)
    (context.sum() + (weights * weights).sum()).backward()
    assert not ad.any(query.grad[0])
    assert not ad.any(keys.grad[0])
    for parameter in ours.parameters():
        assert ad.all(ad.isfinite(parameter.grad))


@pytest.mark.parametrize("method", METHODS)
def test_padding_never_changes_a_result_or_a_gradient(method):
    ours = make(method)
    rng = np.random.default_rng(2)
    query, keys = rng.normal(size=(1, ours.query_size)), rng.normal(size=(1, 3, 6))
    padded = np.concatenate([keys, 1e3 * rng.normal(size=(1, 2, 6))], axis=1)
    gradients = []
    for given, mask in ((keys, None), (padded, [[True] * 3 + [False] * 2])):
        ours.zero_grad()
        leaf = ad.tensor(given, requires_grad=True)
        context, weights = ours(query, leaf, mask)
        (context * context).sum().backward()
        gradients.append([context, weights[:, :3], leaf.grad[:, :3]])
        gradients[-1] += [p.grad for p in ours.parameters()]
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(other.detach().numpy(), one.detach().numpy(), atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_keys_are_projected_once_for_all_steps(method):
    ours = make(method)
    keys = ad.random.normal(size=(2, 5, 6), dtype=ad.float64)
    queries = ad.random.normal(size=(2, 3, ours.query_size), dtype=ad.float64)
    projected = ours.project_keys(keys)
    at_once, _ = ours(queries, keys)
    for t in range(3):
        context, _ = ours(queries[:, t], keys, projected_keys=projected)
        np.testing.assert_allclose(context.detach(), at_once[:, t].detach(), atol=1e-14)


def test_float32_stays_float32():
    for method in METHODS:
        ours = make(method, dtype="float32")
        context, weights = ours(
            ad.ones((1, ours.query_size)), ad.ones((1, 2, 6)), ad.asarray([[True, False]])
        )
        assert context.dtype == weights.dtype == ad.float32


def test_looks():
    assert repr(nn.BahdanauAttention(4, 6, 5)).startswith("BahdanauAttention(4, 6, 5)")
    assert repr(nn.LuongAttention(4)).startswith("LuongAttention(4, 4, method='general')")


def test_errors():
    class Model(nn.Module):
        def __init__(self):
            self.attention = nn.BahdanauAttention(4, 6)

        def forward(self, *args, **options):
            return self.attention(*args, **options)

    model = Model()
    query, keys = ad.ones((2, 4)), ad.ones((2, 5, 6))
    with pytest.raises(ad.ShapeError, match=r"'attention': query is \(2, 3\) float32\. Give a"):
        model(ad.ones((2, 3)), keys)
    with pytest.raises(ad.ShapeError, match=r"keys is \(5, 6\) float32\. Give a shape \(N, S, 6\)"):
        model(query, ad.ones((5, 6)))
    with pytest.raises(
        ad.DTypeError, match=r"'attention': the input \(2, 4\) int64 holds no floats"
    ):
        model(ad.ones((2, 4), dtype=ad.int64), keys)
    with pytest.raises(ad.ShapeError, match="their batches differ"):
        model(query, ad.ones((3, 5, 6)))
    with pytest.raises(ad.ShapeError, match="one value for each key"):
        model(query, keys, values=ad.ones((2, 4, 6)))
    with pytest.raises(ad.DTypeError, match=r"mask is \(2, 1, 5\) int64.*astype\(autodiff.bool\)"):
        model(query, keys, ad.ones((2, 5), dtype=ad.int64))
    with pytest.raises(ad.ShapeError, match=r"the scores are \(2, 1, 5\)\. Give a mask"):
        model(query, keys, ad.ones((2, 4), dtype=ad.bool))
    with pytest.raises(ad.OptionError, match="'general'"):
        nn.LuongAttention(4, 6, "dot")
    with pytest.raises(ad.OptionError, match="Give one of 'dot', 'general', 'concat'"):
        nn.LuongAttention(4, 6, "cosine")
    with pytest.raises(ad.OptionError, match="leave it out"):
        nn.LuongAttention(4, 6, "general", hidden_size=3)
    with pytest.raises(ad.OptionError, match="hidden_size is 0"):
        nn.BahdanauAttention(4, 6, 0)
