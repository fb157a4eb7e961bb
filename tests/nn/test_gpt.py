"""The language model: against PyTorch, its beginning, generation with and without a cache."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest

import autodiff as ad
import nn
from nn.transformer.sampling import sample
from tests.nn import assert_same_as_torch, gpt_in_torch, precisions, torch, with_torch

SMALL = {"vocab_size": 11, "context_length": 8, "num_layers": 2, "num_heads": 2, "embed_dim": 8}


def model(dtype=ad.float64, **options):
    """A small model whose distributions are not flat."""
    made = nn.GPT(nn.GPTConfig(**{**SMALL, "dtype": dtype, **options}))
    rng = np.random.default_rng(0)
    for parameter in made.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.4, generator=rng)
    return made


def tokens(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, SMALL["vocab_size"], shape)


@with_torch
@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("tie_weights", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("length", [8, 5, 1])
@precisions
def test_logits_and_gradients_are_those_of_pytorch(
    positions, tie_weights, bias, length, dtype, tolerance
):
    config = nn.GPTConfig(
        **SMALL,
        positions=positions,
        tie_weights=tie_weights,
        bias=bias,
        dtype=getattr(ad, dtype),
    )
    ours, theirs = nn.GPT(config), gpt_in_torch.TorchGPT(config, dtype)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.3)
    assert_same_as_torch(ours, theirs, [tokens(3, length)], tolerance=tolerance)


def test_beginning_is_gpt2s():
    ad.random.seed(0)
    config = nn.GPTConfig(vocab_size=500, context_length=64, num_layers=8, embed_dim=128)
    made = nn.GPT(config)
    stds = {name: ad.std(p).item() for name, p in made.named_parameters() if p.ndim > 1}
    for name, std in stds.items():
        writes = "out_proj" in name or "linear2" in name
        goal = 0.02 / math.sqrt(16) if writes else 0.01 if name == "positions.weight" else 0.02
        assert std == pytest.approx(goal, rel=0.05), name
    for name, parameter in made.named_parameters():
        if parameter.ndim == 1:
            assert not ad.any(parameter - (0.0 if name.endswith("bias") else 1.0)), name
    x = ad.random.integers(0, 500, (4, 65))
    loss = nn.cross_entropy(made(x[:, :-1]).reshape(-1, 500), x[:, 1:].reshape(-1))
    assert loss.item() == pytest.approx(math.log(500), abs=0.1)
    assert made.lm_head.weight is made.token_embedding.weight
    assert "lm_head.weight" not in dict(made.named_parameters())
    assert "lm_head.weight" in made.state_dict()
    untied = nn.GPT(nn.GPTConfig(**SMALL, tie_weights=False))
    assert untied.lm_head.weight is not untied.token_embedding.weight


def test_gpt2s_sizes():
    config = nn.GPTConfig.gpt2(num_layers=1)
    assert (config.vocab_size, config.context_length, config.embed_dim) == (50257, 1024, 768)


def test_no_position_sees_the_future():
    made = model()
    x = ad.asarray(tokens(2, 8))
    whole = made(x)
    for t in range(1, 8):
        np.testing.assert_allclose(made(x[:, :t]).detach(), whole[:, :t].detach(), atol=1e-13)
    np.testing.assert_allclose(made(x[0]).detach(), whole[0].detach(), atol=1e-13)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_logits_with_a_cache_are_those_without(positions):
    made = model(positions=positions)
    x = ad.asarray(tokens(3, 8))
    with ad.no_grad():
        whole = made(x)
        cache = made.cache()
        parts = [made(x[:, a:b], cache) for a, b in ((0, 3), (3, 4), (4, 7), (7, 8))]
    np.testing.assert_allclose(ad.concat(parts, axis=1), whole, atol=1e-13)
    assert cache.length == 8


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("prompt", [(1,), (3,), (2, 3), (2, 8), (1, 12)])
@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"seed": 1},
        {"seed": 2, "temperature": 0.7, "top_k": 3},
        {"seed": 3, "top_p": 0.8},
        {"seed": 4, "top_k": 5, "top_p": 0.5, "eos": 2},
    ],
    ids=str,
)
def test_the_cache_changes_no_token(positions, prompt, options):
    made = model(positions=positions)
    x = tokens(*prompt)
    cached = made.generate(x, 9, **options)
    assert cached.tolist() == made.generate(x, 9, use_cache=False, **options).tolist()
    assert cached[..., : prompt[-1]].tolist() == x.tolist()
    assert cached.dtype.kind == "i"
    assert cached.shape[:-1] == prompt[:-1]
    if "eos" not in options:
        assert cached.shape[-1] == prompt[-1] + 9
        assert cached.tolist() == made.generate(x, 9, **options).tolist()


def test_greedy_generation_takes_the_likeliest_of_the_window():
    made = model()
    x = tokens(2, 5)
    out = made.generate(x, 7, temperature=0)
    for t in range(5, 12):
        logits = made(out[:, max(0, t - 8) : t])
        assert out[:, t].tolist() == ad.argmax(logits[:, -1], axis=-1).tolist()
    for row, single in zip(out, x, strict=True):
        assert made.generate(single, 7, temperature=0).tolist() == row.tolist()


def test_rows_that_ended_are_filled_up():
    made = model()
    for seed in range(20):
        out = made.generate(tokens(4, 2), 30, seed=seed, eos=3).tolist()
        ends = [row.index(3, 2) if 3 in row[2:] else None for row in out]
        for row, end in zip(out, ends, strict=True):
            assert end is None or set(row[end:]) == {3}
        if None not in ends:
            assert len(out[0]) == max(ends) + 1
    assert made.generate(tokens(2, 2), 0).tolist() == tokens(2, 2).tolist()


def test_generation_leaves_the_model_as_it_was():
    made = model(dropout=0.5)
    made.layers[0].eval()
    modes = [part.training for part in made.modules()]
    x = tokens(2, 3)
    assert (
        made.generate(x, 5, temperature=0).tolist() == made.generate(x, 5, temperature=0).tolist()
    )
    assert [part.training for part in made.modules()] == modes
    assert all(p.grad is None for p in made.parameters())
    ad.random.seed(5)
    first = made.generate(x, 5).tolist()
    assert made.generate(x, 5).tolist() != first
    ad.random.seed(5)
    assert made.generate(x, 5).tolist() == first


def test_a_cache_goes_with_its_last_reference():
    made = model()
    cache = made.cache()
    with ad.no_grad():
        made(tokens(2, 3), cache)
    layer = weakref.ref(cache[0])
    gc.disable()
    try:
        del cache
        assert layer() is None
    finally:
        gc.enable()


# -- sampling -----------------------------------------------------------------------------------


def frequencies(logits, count=20000, **options):
    rows = ad.broadcast_to(ad.asarray(logits), (count, len(logits)))
    drawn = sample(rows, generator=np.random.default_rng(0), **options).numpy()
    return np.bincount(drawn, minlength=len(logits)) / count


def test_draws_have_the_softmaxs_frequencies():
    logits = np.log([0.1, 0.4, 0.2, 0.3])
    np.testing.assert_allclose(frequencies(logits), [0.1, 0.4, 0.2, 0.3], atol=0.015)
    hot = np.array([0.1, 0.4, 0.2, 0.3]) ** 2
    np.testing.assert_allclose(frequencies(logits, temperature=0.5), hot / hot.sum(), atol=0.015)
    np.testing.assert_allclose(frequencies(logits, top_k=2), [0, 4 / 7, 0, 3 / 7], atol=0.015)
    np.testing.assert_allclose(frequencies(logits, top_k=9), [0.1, 0.4, 0.2, 0.3], atol=0.015)
    np.testing.assert_allclose(frequencies(logits, top_p=0.6), [0, 4 / 7, 0, 3 / 7], atol=0.015)
    np.testing.assert_allclose(frequencies(logits, top_p=1.0), [0.1, 0.4, 0.2, 0.3], atol=0.015)
    np.testing.assert_allclose(frequencies(logits, top_p=1e-9), [0, 1, 0, 0])
    np.testing.assert_allclose(frequencies(logits, top_k=1), [0, 1, 0, 0])
    np.testing.assert_allclose(frequencies(logits, temperature=1e-9), [0, 1, 0, 0])
    np.testing.assert_allclose(frequencies(logits, temperature=0), [0, 1, 0, 0])
    three = frequencies(logits, top_k=3, top_p=0.5)  # 4, 3, 2 ninths: two of them reach a half
    np.testing.assert_allclose(three, [0, 4 / 7, 0, 3 / 7], atol=0.015)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vocab_size": 0}, ad.OptionError, "vocab_size is 0"),
        ({"num_heads": 3}, ad.OptionError, "embed_dim 8 is not divisible by num_heads 3"),
        ({"num_layers": 0}, ad.OptionError, "num_layers is 0"),
        ({"dim_feedforward": 0}, ad.OptionError, "dim_feedforward is 0"),
        ({"dropout": 2}, ad.DomainError, "dropout is 2"),
        ({"positions": "none"}, ad.OptionError, "Give one of 'learned', 'rotary'"),
        ({"activation": "swoosh"}, ad.OptionError, "'swoosh' is unknown"),
        ({"num_heads": 8, "positions": "rotary"}, ad.OptionError, "even number"),
    ],
)
def test_errors_of_a_configuration(options, error, message):
    with pytest.raises(error, match=message):
        nn.GPT(nn.GPTConfig(**{**SMALL, **options}))


def test_errors_of_a_call_change_nothing():
    made = model()
    with pytest.raises(ad.DTypeError, match=r"config is a dict.*nn\.GPTConfig"):
        nn.GPT(SMALL)
    with pytest.raises(
        ad.DomainError, match=r"'token_embedding': the index 11 at position \(0, 1\)"
    ):
        made([[1, 11]])
    with pytest.raises(ad.DTypeError, match=r"'token_embedding'.*Give integers"):
        made(ad.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match=r"Give integers of shape \(N, T\)"):
        made(tokens(2, 2, 2))
    with pytest.raises(ad.ShapeError, match="9 tokens are more than the context_length of 8"):
        made(tokens(2, 9))
    with pytest.raises(ad.DTypeError, match=r"cache is a dict\. Give what model\.cache\(\)"):
        made(tokens(2, 2), {})
    with pytest.raises(ad.OptionError, match="the cache has 3 layers, the model 2"):
        made(tokens(2, 2), nn.KeyValueCache(3, 8))
    cache = made.cache()
    with ad.no_grad():
        x = ad.asarray(tokens(2, 4))
        made(x[:, :3], cache)
        with pytest.raises(ad.ShapeError, match="6 tokens after 3 of the cache are more"):
            made(tokens(2, 6), cache)
        with pytest.raises(ad.DomainError, match="outside of the vocabulary"):
            made([[1], [12]], cache)
        with pytest.raises(ad.ShapeError, match=r"it holds 2 examples .* what is new are 3"):
            made(tokens(3, 1), cache)
        assert cache.length == 3
        last = made(x[:, 3:], cache)
        np.testing.assert_allclose(last[:, 0], made(x)[:, 3], atol=1e-13)


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        ([], {}, ad.ShapeError, "at least one token"),
        ([[]], {}, ad.ShapeError, "at least one token"),
        ([[[1]]], {}, ad.ShapeError, "at least one token"),
        ([1.0], {}, ad.DTypeError, "Give integers"),
        ([1, 11], {}, ad.DomainError, "tokens from 1 to 11, the vocabulary 11"),
        ([-1], {}, ad.DomainError, "Give tokens from 0 to 10"),
        ([1], {"max_new_tokens": -1}, ad.OptionError, "max_new_tokens is -1"),
        ([1], {"temperature": -0.1}, ad.DomainError, r"temperature is -0\.1"),
        ([1], {"temperature": math.nan}, ad.DomainError, "temperature is nan"),
        ([1], {"top_k": 0}, ad.OptionError, "top_k is 0.*1 or more"),
        ([1], {"top_p": 0}, ad.DomainError, "top_p is 0.*above 0, up to 1"),
        ([1], {"top_p": 1.5}, ad.DomainError, r"top_p is 1\.5"),
        ([1], {"seed": -1}, ad.OptionError, "seed is -1"),
        ([1], {"eos": 11}, ad.DomainError, "eos is 11, the vocabulary 11"),
        ([1], {"eos": -1}, ad.OptionError, "eos is -1"),
    ],
)
def test_errors_of_generate(prompt, options, error, message):
    with pytest.raises(error, match=message):
        model().generate(prompt, **{"max_new_tokens": 1, **options})


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.5}])
def test_logits_that_are_not_finite_name_the_model(value, options):
    gpt = model().train()
    with ad.no_grad():
        gpt.norm.bias[:] = value
    with pytest.raises(ad.DomainError, match=r"GPT\.generate: the logits .* NaN or infinite"):
        gpt.generate(tokens(3), 2, **options)
    assert gpt.training


@pytest.mark.parametrize("temperature", [1e-300, 5e-324])
@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.9}])
def test_the_smallest_temperatures_take_the_likeliest(temperature, options):
    logits = ad.asarray([[1.0, 3.0, 2.0], [-5.0, -ad.inf, -4.0]])
    assert sample(logits, temperature, **options).tolist() == [1, 2]
