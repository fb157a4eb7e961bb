"""A character GPT on the English that comes with Python: it follows PyTorch's, and it writes."""

from __future__ import annotations

import math
import re
from pydoc_data.topics import topics

import numpy as np
import pytest

import autodiff as ad
import nn
from tests.nn import gpt_in_torch, torch, with_torch

TEXT = re.sub(r"\s+", " ", " ".join(topics[name] for name in sorted(topics)))
CHARACTERS = sorted(set(TEXT))
CODES = np.searchsorted(CHARACTERS, list(TEXT))
TRAINING, VALIDATION = np.split(CODES, [len(CODES) * 9 // 10])


def batches(codes, length, size, seed):
    """Windows of the text, and the characters that follow each of theirs."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(codes) - length, size)
        windows = codes[starts[:, None] + np.arange(length + 1)]
        yield windows[:, :-1], windows[:, 1:]


def loss_of(model, x, y):
    logits = model(x)
    return nn.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


@pytest.mark.slow
@with_torch
def test_validation_loss_follows_pytorchs_step_for_step():
    config = nn.GPTConfig(len(CHARACTERS), 32, num_layers=2, num_heads=2, embed_dim=32)
    ad.random.seed(0)
    ours, theirs = nn.GPT(config), gpt_in_torch.TorchGPT(config)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    options = {"lr": 3e-3, "betas": (0.9, 0.99), "weight_decay": 0.1}
    mine = nn.optim.AdamW(ours.parameters(), **options)
    other = torch.optim.AdamW(theirs.parameters(), **options)
    held_out = next(batches(VALIDATION, 32, 16, seed=1))
    held_out_there = [torch.tensor(part) for part in held_out]

    def torch_loss(x, y):
        return torch.nn.functional.cross_entropy(theirs(x).flatten(0, 1), y.flatten())

    differences = []
    for _, (x, y) in zip(range(200), batches(TRAINING, 32, 8, seed=2), strict=False):
        ours.zero_grad()
        loss_of(ours, x, y).backward()
        mine.step()
        other.zero_grad()
        torch_loss(torch.tensor(x), torch.tensor(y)).backward()
        other.step()
        with ad.no_grad():
            found = loss_of(ours, *held_out).item()
        with torch.no_grad():
            expected = torch_loss(*held_out_there).item()
        differences.append(abs(found - expected))
    assert max(differences) < 1e-3
    assert found < 2.7 < math.log(len(CHARACTERS))
    print(f"after 200 steps: {found:.4f}; largest difference of all: {max(differences):.1e}")  # noqa: T201


@pytest.mark.slow
def test_it_learns_to_write():
    """Most of the words that it writes are words of the text, and the text is not copied."""
    steps, rate = 1200, 4e-3
    config = nn.GPTConfig(len(CHARACTERS), 64, num_layers=2, embed_dim=96, positions="rotary")
    ad.random.seed(0)
    model = nn.GPT(config)
    optimizer = nn.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.1)
    known = set(words(TEXT))
    before = share_of_known(write(model), known)
    for step, (x, y) in zip(range(steps), batches(TRAINING, 64, 16, seed=0), strict=False):
        warm, left = min(1, (step + 1) / 50), (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.param_groups[0]["lr"] = rate * warm * max(left, 0.02)
        model.zero_grad()
        loss_of(model, x, y).backward()
        nn.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with ad.no_grad():
        loss = loss_of(model, *next(batches(VALIDATION, 64, 64, seed=1))).item()
    written = write(model)
    share = share_of_known(written, known)
    print(f"validation loss {loss:.3f}; {share:.0%} of the words exist ({before:.0%} before)")  # noqa: T201
    print(*written, sep="\n")  # noqa: T201
    assert loss < 1.75
    assert share > 0.8
    assert before < 0.1
    copied = [text for text in written if text[:60] in TEXT]
    assert not copied


def write(model, length=400):
    prompt = np.searchsorted(CHARACTERS, [["T"], ["I"], ["A"], ["F"]])
    rows = model.generate(prompt, length, temperature=0.6, seed=0).tolist()
    return ["".join(CHARACTERS[i] for i in row) for row in rows]


def words(text):
    """Words of at least three letters: of shorter ones nearly all exist."""
    return re.findall(r"[A-Za-z]{3,}", text)


def share_of_known(texts, known):
    found = [word for text in texts for word in words(text)]
    return sum(word in known for word in found) / max(1, len(found))
