"""Transformer layers and stacks: PyTorch's values, gradients, names; masks and errors."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import gradcheck
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

D, HEADS, HIDDEN = 8, 2, 12


def random(*shape, dtype="float64", seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def hidden(*shape):
    """A mask as PyTorch's: True is masked out, never the first of a row."""
    mask = np.random.default_rng(7).random(shape) < 0.4
    mask[..., 0] = False
    return mask


def both(name, dtype, *args, **options):
    """Our module and PyTorch's, without dropout; its biases and norms are no zeros and ones."""
    given = dict(options)
    if options.get("activation") == "silu":
        given["activation"] = torch.nn.functional.silu
    theirs = getattr(torch.nn, name)(
        D, HEADS, *args, dim_feedforward=HIDDEN, dropout=0.0, dtype=getattr(torch, dtype), **given
    )
    disturb(theirs)
    ours = getattr(nn, name)(
        D, HEADS, *args, dim_feedforward=HIDDEN, dropout=0.0, dtype=getattr(ad, dtype), **options
    )
    return ours, theirs


def disturb(module):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(0.3 * noise)


def sequence(time, batch_first, dtype, seed=0, batched=True):
    shape = (3, time, D) if batch_first else (time, 3, D)
    return random(*(shape if batched else (time, D)), dtype=dtype, seed=seed)


CONFIGURATIONS = [
    {"activation": activation, "norm_first": norm_first, "batch_first": batch_first, "bias": bias}
    for activation, norm_first, batch_first, bias in [
        ("relu", False, False, True),
        ("relu", True, True, True),
        ("gelu", False, True, False),
        ("gelu", True, False, True),
        ("silu", True, True, False),
        ("relu", False, True, True),
    ]
]
configurations = pytest.mark.parametrize(
    "options", CONFIGURATIONS, ids=lambda o: "-".join(str(v) for v in o.values())
)


@with_torch
@configurations
@pytest.mark.parametrize("masks", [(), ("mask",), ("padding",), ("mask", "padding"), ("causal",)])
@precisions
def test_encoder_layer_is_pytorchs(options, masks, dtype, tolerance):
    ours, theirs = both("TransformerEncoderLayer", dtype, **options)
    given = {}
    if "mask" in masks:
        given["src_mask"] = hidden(5, 5)
    if "padding" in masks:
        given["src_key_padding_mask"] = hidden(3, 5)
    if "causal" in masks:
        given["src_mask"] = ~np.tri(5, dtype=bool)
        given["is_causal"] = True
    x = sequence(5, options["batch_first"], dtype)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance, **given)


@with_torch
@configurations
@pytest.mark.parametrize("masks", [(), ("mask",), ("padding",), ("mask", "padding"), ("causal",)])
@precisions
def test_decoder_layer_is_pytorchs(options, masks, dtype, tolerance):
    ours, theirs = both("TransformerDecoderLayer", dtype, **options)
    given = {}
    if "mask" in masks:
        given |= {"tgt_mask": hidden(5, 5), "memory_mask": hidden(5, 7)}
    if "padding" in masks:
        given |= {
            "tgt_key_padding_mask": hidden(3, 5),
            "memory_key_padding_mask": hidden(3, 7),
        }
    if "causal" in masks:
        given |= {"tgt_mask": ~np.tri(5, dtype=bool), "tgt_is_causal": True}
    arrays = [sequence(5, options["batch_first"], dtype)]
    arrays.append(sequence(7, options["batch_first"], dtype, seed=1))
    assert_same_as_torch(ours, theirs, arrays, tolerance=tolerance, **given)


@with_torch
@pytest.mark.parametrize("norm_first", [False, True])
@precisions
def test_layers_without_a_batch(norm_first, dtype, tolerance):
    ours, theirs = both("TransformerEncoderLayer", dtype, norm_first=norm_first)
    x, memory = random(5, D, dtype=dtype), random(7, D, dtype=dtype, seed=1)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)
    ours, theirs = both("TransformerDecoderLayer", dtype, norm_first=norm_first)
    assert_same_as_torch(ours, theirs, [x, memory], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@precisions
def test_stacks_are_pytorchs(final, batch_first, norm_first, dtype, tolerance):
    options = {"batch_first": batch_first, "norm_first": norm_first}
    x = sequence(5, batch_first, dtype)
    memory = sequence(7, batch_first, dtype, seed=1)
    padding, other = hidden(3, 5), hidden(3, 7)
    causal = np.where(np.tri(5, dtype=bool), 0, -np.inf).astype(dtype)
    for name, stack, arrays, given in [
        ("Encoder", {"enable_nested_tensor": False}, [x], {"src_key_padding_mask": padding}),
        ("Encoder", {"enable_nested_tensor": False}, [x], {"mask": causal, "is_causal": True}),
        ("Decoder", {}, [x, memory], {"tgt_mask": causal, "memory_key_padding_mask": other}),
    ]:
        mine, other_layer = both(f"Transformer{name}Layer", dtype, **options)
        norms = (None, None)
        if final:
            kind = {"dtype": getattr(torch, dtype)}
            norms = nn.LayerNorm(D, dtype=getattr(ad, dtype)), torch.nn.LayerNorm(D, **kind)
        ours = getattr(nn, f"Transformer{name}")(mine, 2, norms[0])
        theirs = getattr(torch.nn, f"Transformer{name}")(other_layer, 2, norms[1], **stack)
        disturb(theirs)
        assert_same_as_torch(ours, theirs, arrays, tolerance=tolerance, **given)


@with_torch
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")  # of no matter here
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("training", [False, True])
@precisions
def test_transformer_is_pytorchs(batch_first, norm_first, training, dtype, tolerance):
    options = {"batch_first": batch_first, "norm_first": norm_first}
    ours, theirs = both("Transformer", dtype, 2, 2, **options)
    ours.train(training)
    theirs.train(training)
    arrays = [sequence(7, batch_first, dtype), sequence(5, batch_first, dtype, seed=1)]
    causal = ours.generate_square_subsequent_mask(5, dtype=getattr(ad, dtype)).numpy()
    reference = theirs.generate_square_subsequent_mask(5, dtype=getattr(torch, dtype))
    np.testing.assert_array_equal(causal, reference.numpy())
    padding = {}
    if training:  # PyTorch's evaluation uses nested tensors, and zeros where padding is
        padding = {"src_key_padding_mask": hidden(3, 7), "memory_key_padding_mask": hidden(3, 7)}
        # Both of one kind: PyTorch deprecates mixing booleans and floats.
        padding["tgt_key_padding_mask"] = np.where(hidden(3, 5), -np.inf, 0).astype(dtype)
    assert_same_as_torch(ours, theirs, arrays, tolerance=tolerance, tgt_mask=causal, **padding)


@with_torch
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("padded", [False, True])
@precisions
def test_evaluation_is_pytorchs_fast_path(padded, dtype, tolerance):
    """Where there is padding PyTorch gives zeros; what stands elsewhere is the same."""
    layers = both("TransformerEncoderLayer", dtype, batch_first=True)
    ours = nn.TransformerEncoder(layers[0], 2).eval()
    theirs = torch.nn.TransformerEncoder(layers[1], 2).eval()
    disturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = sequence(5, True, dtype)
    padding = np.arange(5) >= np.array([[5], [3], [4]]) if padded else np.zeros((3, 5), bool)
    with ad.no_grad(), torch.no_grad():
        y = ours(x, src_key_padding_mask=padding).numpy()
        z = theirs(torch.tensor(x), src_key_padding_mask=torch.tensor(padding)).numpy()
    np.testing.assert_allclose(y[~padding], z[~padding], atol=tolerance)


def test_causal_is_the_mask_of_its_name():
    model = nn.Transformer(D, HEADS, 1, 1, HIDDEN, 0.0, dtype=ad.float64)
    src, tgt = ad.asarray(random(7, 3, D)), ad.asarray(random(5, 3, D))
    mask = model.generate_square_subsequent_mask(5)
    np.testing.assert_allclose(
        model(src, tgt, tgt_is_causal=True).detach(),
        model(src, tgt, tgt_mask=mask).detach(),
        atol=1e-14,
    )


def test_padding_never_changes_a_result():
    model = nn.Transformer(
        D, HEADS, 2, 2, HIDDEN, 0.0, batch_first=True, norm_first=True, dtype=ad.float64
    )
    src, tgt = random(1, 4, D), random(1, 5, D)
    longer = np.concatenate([src, 100 * random(1, 3, D, seed=3)], axis=1)
    padding = np.array([[False] * 4 + [True] * 3])
    given = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    one = model(src, tgt, tgt_is_causal=True)
    other = model(longer, tgt, tgt_is_causal=True, **given)
    np.testing.assert_allclose(other.detach(), one.detach(), atol=1e-13)


def test_a_source_of_padding_alone_gives_numbers():
    model = nn.Transformer(D, HEADS, 2, 2, HIDDEN, 0.0, batch_first=True)
    src = ad.tensor(random(2, 4, D, dtype="float32"), requires_grad=True)
    padding = np.array([[True] * 4, [False, False, True, True]])
    given = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    y = model(src, random(2, 5, D, dtype="float32"), tgt_is_causal=True, **given)
    assert ad.all(ad.isfinite(y))
    (y * y).sum().backward()
    assert not ad.any(src.grad[0])
    for parameter in [src, *model.parameters()]:
        assert ad.all(ad.isfinite(parameter.grad))


@pytest.mark.parametrize("order", [1, 2])
def test_gradcheck_of_a_layer(order):
    layer = nn.TransformerDecoderLayer(4, 2, 6, 0.0, "gelu", norm_first=True, dtype=ad.float64)
    arrays = random(3, 2, 4), random(2, 2, 4)
    assert gradcheck(lambda x, m: layer(x, m, tgt_is_causal=True), arrays, order=order)


def test_dropout_acts_while_training():
    layer = nn.TransformerEncoderLayer(D, HEADS, HIDDEN, 0.5)
    x = ad.asarray(random(5, 3, D, dtype="float32"))
    assert ad.any(layer(x) != layer(x))
    layer.eval()
    assert ad.all(layer(x) == layer(x))


def test_layers_of_a_stack_are_copies_and_those_of_a_transformer_differ():
    layer = nn.TransformerEncoderLayer(D, HEADS, HIDDEN)
    stack = nn.TransformerEncoder(layer, 2)
    weights = [one.linear1.weight for one in stack.layers]
    assert weights[0] is not weights[1]
    assert weights[0].tolist() == weights[1].tolist() == layer.linear1.weight.tolist()
    model = nn.Transformer(D, HEADS, 2, 1, HIDDEN)
    weights = [one.linear1.weight for one in model.encoder.layers]
    assert weights[0].tolist() != weights[1].tolist()


def test_float32_stays_float32():
    model = nn.Transformer(D, HEADS, 1, 1, HIDDEN, activation=ad.tanh)
    x = ad.asarray(random(5, 3, D, dtype="float32"))
    y = model(x, x, tgt_is_causal=True)
    assert y.dtype == ad.float32
    y.sum().backward()
    assert all(p.grad.dtype == ad.float32 for p in model.parameters())


def test_errors_name_the_path_and_the_remedy():
    class Model(nn.Module):
        def __init__(self):
            self.encoder = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(D, HEADS, HIDDEN, batch_first=True), 2
            )

        def forward(self, *args, **options):
            return self.encoder(*args, **options)

    model, x = Model(), ad.ones((3, 5, D))
    with pytest.raises(ad.ShapeError, match=r"'encoder\.layers\.0': src is \(3, 5, 7\)"):
        model(ad.ones((3, 5, 7)))
    with pytest.raises(ad.ShapeError, match=r"'encoder\.layers\.0': src is \(8,\)"):
        model(ad.ones((D,)))
    with pytest.raises(
        ad.ShapeError, match=r"'encoder\.layers\.0\.self_attn': attn_mask is \(4, 4\)"
    ):
        model(x, np.ones((4, 4), bool))
    with pytest.raises(
        ad.ShapeError, match=r"'encoder\.layers\.0\.self_attn': key_padding_mask is \(5, 3\)"
    ):
        model(x, src_key_padding_mask=np.ones((5, 3), bool))
    with pytest.raises(ad.DTypeError, match=r"self_attn': attn_mask is \(5, 5\) int64"):
        model(x, np.ones((5, 5), int))
    with pytest.raises(ad.OptionError, match="not divisible by num_heads 3"):
        nn.TransformerEncoderLayer(D, 3)
    with pytest.raises(ad.OptionError, match="activation 'swoosh' is unknown"):
        nn.TransformerEncoderLayer(D, HEADS, activation="swoosh")
    with pytest.raises(ad.DomainError, match="dropout is -1"):
        nn.TransformerDecoderLayer(D, HEADS, dropout=-1)
    with pytest.raises(ad.OptionError, match="dim_feedforward is 0"):
        nn.TransformerDecoderLayer(D, HEADS, 0)
    with pytest.raises(ad.OptionError, match="num_layers is 0"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(D, HEADS), 0)
    with pytest.raises(ad.DTypeError, match=r"encoder_layer is 5\. Give a module"):
        nn.TransformerEncoder(5, 2)
    with pytest.raises(ad.ShapeError, match="batches differ"):
        nn.TransformerDecoderLayer(D, HEADS)(ad.ones((5, 3, D)), ad.ones((5, 2, D)))
