"""Dot-product and multi-head attention: PyTorch's values and gradients; masks, caches, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import gradcheck
from nn.functional import scaled_dot_product_attention
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

E, H = 8, 2


def random(*shape, dtype="float64", seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def some(*shape, share=0.6):
    """Booleans of which the first in each row is true."""
    mask = np.random.default_rng(7).random(shape) < share
    mask[..., 0] = True
    return mask


# -- scaled_dot_product_attention ----------------------------------------------------------------


@with_torch
@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ((5, 4), (3, 4), (3, 6)),
        ((2, 5, 4), (2, 3, 4), (2, 3, 6)),
        ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
        ((2, 3, 1, 4), (2, 3, 7, 4), (2, 3, 7, 4)),
        ((2, 3, 5, 4), (2, 1, 7, 4), (2, 1, 7, 2)),
    ],
)
@pytest.mark.parametrize("mask", [None, "bool", "float", "causal", "rows"])
@pytest.mark.parametrize("scale", [None, 0.3])
@precisions
def test_dot_product_is_pytorchs(q, k, v, mask, scale, dtype, tolerance):
    arrays = [random(*shape, dtype=dtype, seed=i) for i, shape in enumerate((q, k, v))]
    scores = (*q[:-1], k[-2])
    options = {"scale": scale}
    if mask == "bool":
        options["attn_mask"] = some(*scores)
    elif mask == "float":
        options["attn_mask"] = random(*scores[-2:], dtype=dtype)
    elif mask == "rows":
        options["attn_mask"] = some(1, k[-2])
    elif mask == "causal":
        options["is_causal"] = True
    assert_same_as_torch(
        scaled_dot_product_attention,
        torch.nn.functional.scaled_dot_product_attention,
        arrays,
        tolerance=tolerance,
        **options,
    )


def test_gradients_are_finite_differences():
    arrays = (random(2, 3, 4), random(2, 5, 4), random(2, 5, 2))
    assert gradcheck(lambda q, k, v: scaled_dot_product_attention(q, k, v, some(3, 5)), arrays)
    bias = random(3, 5)
    bias[0, 1], bias[2] = -np.inf, -np.inf
    assert gradcheck(lambda q, k, v: scaled_dot_product_attention(q, k, v, bias), arrays)


def test_a_bias_is_learned():
    arrays = (random(2, 3, 4), random(2, 5, 4), random(2, 5, 2), random(3, 5))
    assert gradcheck(scaled_dot_product_attention, arrays)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_may_look_nowhere_gets_zeros(kind):
    leaves = [ad.tensor(random(3, 4, seed=i), requires_grad=True) for i in range(3)]
    mask = ad.asarray([[True, True, False], [False] * 3, [True, False, True]])
    if kind == "float":
        mask = ad.where(mask, 0.0, -ad.inf)
    y = scaled_dot_product_attention(*leaves, mask)
    assert y[1].tolist() == [0.0] * 4
    (y * y).sum().backward()
    assert not ad.any(leaves[0].grad[1])
    for leaf in leaves:
        assert ad.all(ad.isfinite(leaf.grad))


def test_causal_and_mask_both_hold():
    q, k, v = (random(4, 4, seed=i) for i in range(3))
    mask = some(4, 4)
    both = scaled_dot_product_attention(q, k, v, mask & np.tri(4, dtype=bool))
    given = scaled_dot_product_attention(q, k, v, mask, is_causal=True)
    assert given.tolist() == both.tolist()


def test_dropout_drops_weights_and_keeps_their_mean():
    q, k, v = (random(200, 4, seed=i) for i in range(3))
    ad.random.seed(0)
    dropped = scaled_dot_product_attention(q, k, np.ones((200, 1)), dropout_p=0.5)
    assert abs(ad.mean(dropped).item() - 1) < 0.02
    assert ad.std(dropped).item() > 0.05
    assert not ad.any(scaled_dot_product_attention(q, k, v, dropout_p=1.0))


def test_large_scores_do_not_overflow():
    x = np.full((2, 4), 1e4, np.float32)
    assert ad.all(ad.isfinite(scaled_dot_product_attention(x, x, x, is_causal=True)))


def test_no_keys_and_no_queries():
    empty = np.zeros((2, 0, 4))
    assert (
        scaled_dot_product_attention(random(2, 3, 4), empty, empty).tolist()
        == [[[0.0] * 4] * 3] * 2
    )
    assert scaled_dot_product_attention(empty, empty, empty, is_causal=True).shape == (2, 0, 4)


@pytest.mark.parametrize(
    ("arrays", "options", "error", "message"),
    [
        (((4,), (3, 4), (3, 4)), {}, ad.ShapeError, r"query \(4,\) float64"),
        (((5, 4), (3, 6), (3, 6)), {}, ad.ShapeError, "queries have 4 features, keys 6"),
        (((5, 4), (3, 4), (2, 4)), {}, ad.ShapeError, "3 keys and 2 values"),
        (
            ((5, 4), (3, 4), (3, 4)),
            {"attn_mask": np.ones((3, 5), bool)},
            ad.ShapeError,
            r"attn_mask is \(3, 5\) bool, the scores are \(5, 3\)",
        ),
        (
            ((5, 4), (3, 4), (3, 4)),
            {"attn_mask": np.ones((5, 3), int)},
            ad.DTypeError,
            r"must be bool or float.*mask\.astype\(autodiff\.bool\)",
        ),
        (((5, 4), (3, 4), (3, 4)), {"dropout_p": 1.5}, ad.DomainError, "dropout_p is 1.5"),
        (
            ((2, 5, 4), (3, 3, 4), (3, 3, 4)),
            {"attn_mask": np.ones((5, 3), bool)},
            ad.ShapeError,
            "before the last two don't broadcast",
        ),
    ],
)
def test_errors_of_the_function(arrays, options, error, message):
    with pytest.raises(error, match=message):
        scaled_dot_product_attention(*[random(*shape) for shape in arrays], **options)


# -- MultiheadAttention ----------------------------------------------------------------------------

KINDS = ["self", "memory", "three", "sizes"]


def pair(kind, dtype, **options):
    """Both modules and their distinct inputs' shapes (batch first), and how to call them."""
    if kind == "sizes":
        options |= {"kdim": 6, "vdim": 5}
    theirs = torch.nn.MultiheadAttention(E, H, dtype=getattr(torch, dtype), **options)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "bias" in name:
                parameter.normal_()
    return nn.MultiheadAttention(E, H, dtype=getattr(ad, dtype), **options), theirs


class Call:
    """Call an attention on its distinct inputs."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, module, *arrays, **options):
        if self.kind == "self":
            return module(arrays[0], arrays[0], arrays[0], **options)
        if self.kind == "memory":
            return module(arrays[0], arrays[1], arrays[1], **options)
        return module(*arrays, **options)


def compare(kind, ours, theirs, arrays, tolerance, **options):
    """Let both be called as the kind says, and compare them as modules of the same state."""

    class Ours(nn.Module):
        def __init__(self):
            self.attention = ours

        def forward(self, *inputs, **given):
            return Call(kind)(self.attention, *inputs, **given)

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = theirs

        def forward(self, *inputs, **given):
            return Call(kind)(self.attention, *inputs, **given)

    assert_same_as_torch(Ours(), Theirs(), arrays, tolerance=tolerance, **options)


def inputs(kind, batch_first, dtype, batched=True, queries=5, keys=3):
    sizes = {
        "self": [(queries, E)],
        "memory": [(queries, E), (keys, E)],
        "three": [(queries, E), (keys, E), (keys, E)],
        "sizes": [(queries, E), (keys, 6), (keys, 5)],
    }[kind]
    shapes = [((4, t, e) if batch_first else (t, 4, e)) if batched else (t, e) for t, e in sizes]
    return [random(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]


@with_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@precisions
def test_multihead_is_pytorchs(kind, batch_first, batched, bias, dtype, tolerance):
    ours, theirs = pair(kind, dtype, bias=bias, batch_first=batch_first)
    arrays = inputs(kind, batch_first, dtype, batched)
    compare(kind, ours, theirs, arrays, tolerance)


@with_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("padding", "mask"),
    [
        (p, m)
        for p, m in itertools.product([None, "bool", "float"], [None, "bool", "float", "heads"])
        if p or m
    ],
)
@precisions
def test_masks_are_pytorchs(kind, padding, mask, dtype, tolerance):
    ours, theirs = pair(kind, dtype, batch_first=True)
    arrays = inputs(kind, True, dtype)
    queries, keys = 5, 5 if kind == "self" else 3
    options = {}
    if padding:
        options["key_padding_mask"] = ~some(4, keys)
    if mask:
        shape = (4 * H, queries, keys) if mask == "heads" else (queries, keys)
        options["attn_mask"] = ~some(*shape)
    for name, kind_of_mask in (("key_padding_mask", padding), ("attn_mask", mask)):
        if kind_of_mask == "float" or (name in options and "float" in (padding, mask)):
            options[name] = np.where(options[name], -np.inf, random(*options[name].shape))
            options[name] = options[name].astype(dtype)
    compare(kind, ours, theirs, arrays, tolerance, **options)


@with_torch
@pytest.mark.parametrize("bias_kv", [False, True])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("masks", [(), ("attn_mask",), ("key_padding_mask", "attn_mask")])
@pytest.mark.parametrize("average", [False, True])
@precisions
def test_appended_keys_are_pytorchs(bias_kv, zero, masks, average, dtype, tolerance):
    ours, theirs = pair("memory", dtype, add_bias_kv=bias_kv, add_zero_attn=zero)
    shapes = {"attn_mask": (5, 3), "key_padding_mask": (4, 3)}
    options = {name: ~some(*shapes[name]) for name in masks}
    if masks and (bias_kv or zero):
        options["attn_mask"][2] = True  # nothing is left but what was appended
    arrays = inputs("memory", False, dtype)
    compare("memory", ours, theirs, arrays, tolerance, average_attn_weights=average, **options)


@with_torch
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@precisions
def test_causal_needs_no_mask(padded, need_weights, dtype, tolerance):
    ours, theirs = pair("self", dtype, batch_first=True)
    options = {"key_padding_mask": ~some(4, 5)} if padded else {}
    options["need_weights"] = need_weights
    causal = ~np.tri(5, dtype=bool)
    x = inputs("self", True, dtype)
    compare("self", ours, theirs, x, tolerance, attn_mask=causal, **options)
    x = ad.asarray(x[0])
    with_mask, _ = ours(x, x, x, attn_mask=causal, **options)
    without, _ = ours(x, x, x, is_causal=True, **options)
    both, _ = ours(x, x, x, attn_mask=causal, is_causal=True, **options)
    np.testing.assert_allclose(without.detach(), with_mask.detach(), atol=tolerance)
    np.testing.assert_allclose(both.detach(), with_mask.detach(), atol=tolerance)


def test_gradcheck_of_the_module():
    ours = nn.MultiheadAttention(4, 2, kdim=3, vdim=2, batch_first=True, dtype=ad.float64)
    arrays = (random(2, 3, 4), random(2, 2, 3), random(2, 2, 2))
    assert gradcheck(lambda q, k, v: ours(q, k, v, attn_mask=~some(3, 2)), arrays)


def test_a_query_that_may_look_nowhere_gets_the_bias():
    ours = nn.MultiheadAttention(E, H, batch_first=True)
    nn.init.normal_(ours.out_proj.bias)
    x = ad.tensor(random(2, 3, E, dtype="float32"), requires_grad=True)
    padding = ad.asarray([[True] * 3, [False, False, True]])
    y, weights = ours(x, x, x, key_padding_mask=padding)
    assert not ad.any(weights[0])
    assert y[0].tolist() == [ours.out_proj.bias.tolist()] * 3
    (y * y).sum().backward()
    assert not ad.any(x.grad[0])
    for parameter in ours.parameters():
        assert ad.all(ad.isfinite(parameter.grad))


def test_dropout_only_while_training():
    ours = nn.MultiheadAttention(E, H, dropout=0.5)
    x = ad.asarray(random(5, 4, E, dtype="float32"))
    _, weights = ours(x, x, x, average_attn_weights=False)
    assert 0.3 < ad.mean(weights == 0).item() < 0.7
    _, weights = ours.eval()(x, x, x, average_attn_weights=False)
    assert ad.all(weights > 0)


def test_projections_are_one_product_and_graphs_say_who_made_them():
    ours = nn.MultiheadAttention(E, H, batch_first=True)
    x = ad.ones((2, 3, E), requires_grad=True)
    y, _ = ours(x, x, x, need_weights=False)
    names = [node.operation for node in nodes(y)]
    assert names.count("matmul") == 4
    assert y.node.scope[-1] == "out_proj: Linear"


def nodes(tensor):
    seen, todo = {}, [tensor.node]
    while todo:
        node = todo.pop()
        if node is not None and id(node) not in seen:
            seen[id(node)] = node
            todo += node.inputs if hasattr(node, "inputs") else []
    return list(seen.values())


def test_looks():
    attention = nn.MultiheadAttention(8, 2, 0.1, kdim=6, batch_first=True)
    sizes = "8, num_heads=2, kdim=6, dropout=0.1, batch_first=True"
    assert repr(attention).startswith(f"MultiheadAttention({sizes})")
    assert repr(nn.RotaryPositions(4)).startswith("RotaryPositions(4)")
    assert repr(nn.SinusoidalPositions(4)).startswith("SinusoidalPositions(4)")
    assert repr(nn.LearnedPositions(9, 4)).startswith("LearnedPositions(9, 4)")


def test_errors_of_the_module():
    with pytest.raises(ad.OptionError, match="embed_dim 8 is not divisible by num_heads 3"):
        nn.MultiheadAttention(8, 3)
    with pytest.raises(ad.OptionError, match="num_heads is 0"):
        nn.MultiheadAttention(8, 0)
    with pytest.raises(ad.DomainError, match=r"dropout is 1\.5"):
        nn.MultiheadAttention(8, 2, 1.5)
    with pytest.raises(ad.OptionError, match="rotary turns 8 features, a head has 4"):
        nn.MultiheadAttention(8, 2, rotary=nn.RotaryPositions(8))

    class Model(nn.Module):
        def __init__(self, **options):
            self.self_attn = nn.MultiheadAttention(E, H, **options)

        def forward(self, *args, **options):
            return self.self_attn(*args, **options)

    model = Model(batch_first=True)
    x, other = ad.ones((2, 5, E)), ad.ones((2, 5, 7))
    with pytest.raises(ad.ShapeError, match=r"'self_attn': query is \(2, 5, 7\).*\(N, T, 8\) or"):
        model(other, x, x)
    with pytest.raises(ad.ShapeError, match=r"key is \(2, 5, 7\)"):
        model(x, other, x)
    with pytest.raises(ad.ShapeError, match="axis for the batch, or none"):
        model(x, x[0], x[0])
    with pytest.raises(ad.ShapeError, match="one value for each key"):
        model(x, x, x[:, :3])
    with pytest.raises(ad.ShapeError, match=r"batches differ in axis 0.*batch_first is True"):
        model(x, x[:1], x[:1])
    with pytest.raises(
        ad.ShapeError, match=r"key_padding_mask is \(2, 4\) bool\. Give a mask of shape \(2, 5\)\."
    ):
        model(x, x, x, key_padding_mask=np.ones((2, 4), bool))
    with pytest.raises(
        ad.ShapeError, match=r"attn_mask is \(5, 4\) bool.*\(5, 5\) or \(4, 5, 5\)\."
    ):
        model(x, x, x, attn_mask=np.ones((5, 4), bool))
    with pytest.raises(ad.DTypeError, match=r"attn_mask is .* int64"):
        model(x, x, x, attn_mask=np.ones((5, 5), np.int64))
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        model(np.ones((2, 5, E), int), x, x)
    with pytest.raises(ad.DTypeError, match="cache is a dict"):
        model(x, x, x, cache={})


# -- positions and cache ---------------------------------------------------------------------------


def test_sinusoids_are_the_papers():
    y = nn.SinusoidalPositions(6)(ad.zeros((2, 70, 6), dtype=ad.float64)).numpy()
    for t, i in itertools.product(range(70), range(3)):
        angle = t / 10000 ** (2 * i / 6)
        np.testing.assert_allclose(y[1, t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)])


def test_rotations_depend_on_the_distance_alone():
    rotary = nn.RotaryPositions(6)
    q, k = random(6), random(6, seed=1)
    rows = rotary(np.tile(q, (100, 1))), rotary(np.tile(k, (100, 1)))
    products = (rows[0] @ rows[1].mT).numpy()
    for distance in (-20, 0, 3):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rows[0].numpy(), axis=1), np.linalg.norm(q))
    assert gradcheck(rotary, (random(2, 3, 6),))


def test_rotation_is_multiplication_by_a_complex_number():
    x = random(2, 9, 6)
    turned = nn.RotaryPositions(6)(x, start=4).numpy()
    pairs = x[..., :3] + 1j * x[..., 3:]
    angles = np.outer(np.arange(4, 13), 10000.0 ** (-2 / 6 * np.arange(3)))
    expected = pairs * np.exp(1j * angles)
    np.testing.assert_allclose(turned[..., :3] + 1j * turned[..., 3:], expected, atol=1e-12)


@pytest.mark.parametrize(
    "positions",
    [nn.SinusoidalPositions(4), nn.LearnedPositions(80, 4), nn.RotaryPositions(4)],
    ids=lambda module: type(module).__name__,
)
def test_positions_go_on_from_a_start(positions):
    x = ad.asarray(random(2, 80, 4, dtype="float32"))
    whole = positions(x)
    parts = [positions(x[:, :7]), positions(x[:, 7:8], 7), positions(x[:, 8:], start=8)]
    assert ad.concat(parts, axis=1).tolist() == whole.tolist()
    assert whole.dtype == ad.float32
    with pytest.raises(ad.ShapeError, match=r"\(2, 80, 5\).*Give a shape \(\.\.\., T, 4\)"):
        positions(ad.ones((2, 80, 5)))
    with pytest.raises(ad.OptionError, match="start is -1"):
        positions(x, -1)


def test_errors_of_positions():
    with pytest.raises(ad.OptionError, match="even number"):
        nn.RotaryPositions(5)
    with pytest.raises(ad.ShapeError, match="positions 6 to 8, and 8 are learned"):
        nn.LearnedPositions(8, 4)(ad.ones((3, 4)), 6)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_cache_changes_nothing(rotary, batch_first):
    turning = nn.RotaryPositions(E // H) if rotary else None
    attention = nn.MultiheadAttention(
        E, H, batch_first=batch_first, dtype=ad.float64, rotary=turning
    )
    x = ad.asarray(random(2, 7, E))
    cache = nn.KeyValueCache(1, 7)
    with ad.no_grad():

        def call(part, **options):
            part = part if batch_first else ad.permute_dims(part, (1, 0, 2))
            y, _ = attention(part, part, part, is_causal=True, **options)
            return y if batch_first else ad.permute_dims(y, (1, 0, 2))

        whole = call(x)
        for _ in range(2):
            pieces = []
            for start, stop in ((0, 3), (3, 5), (5, 6), (6, 7)):
                pieces.append(call(x[:, start:stop], cache=cache[0]))
                cache.advance(stop - start)
            np.testing.assert_allclose(ad.concat(pieces, axis=1), whole, atol=1e-14)
            with pytest.raises(ad.ShapeError, match="7 positions were read, 1 are new"):
                call(x[:, :1], cache=cache[0])
            cache.clear()
    with pytest.raises(ad.GraphError, match="no_grad"):
        attention(x, x, x, cache=cache[0])
    assert repr(cache) == "KeyValueCache(layers=1, max_length=7, length=0)"
