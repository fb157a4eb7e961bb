"""Reversing strings of digits: attention finds every digit, one vector can't hold them all."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn

START, END = 10, 11
SHORTEST, LONGEST = 3, 12


def strings(rng, count, held_out, shortest=SHORTEST):
    """Random strings; those whose digits add up to a multiple of 5 are never trained on."""
    found = []
    while len(found) < count:
        digits = rng.integers(0, 10, rng.integers(shortest, LONGEST + 1)).tolist()
        if (sum(digits) % 5 == 0) == held_out:
            found.append(digits)
    return found


def padded(sequences):
    lengths = [len(sequence) for sequence in sequences]
    batch = np.zeros((len(sequences), max(lengths)), np.int64)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch, lengths


def train(attention, steps):
    ad.random.seed(0)
    rng = np.random.default_rng(0)
    encoder = nn.Encoder(10, 16, 64, bidirectional=True)
    decoder = nn.Decoder(12, 16, 64, attention=attention, memory_size=encoder.output_size)
    model = nn.Seq2Seq(encoder, decoder, START, END)
    optimizer = nn.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(steps):
        (group,) = optimizer.param_groups
        group["lr"] = 5e-3 * min(1.0, 2 * (1 - step / steps))
        digits = strings(rng, 64, held_out=False)
        source, source_lengths = padded(digits)
        target, target_lengths = padded([[*row[::-1], END] for row in digits])
        optimizer.zero_grad()
        model.loss(source, target, source_lengths, target_lengths).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def right(written, digits):
    pairs = zip(written.sequences(), digits, strict=True)
    return np.mean([row == given[::-1] for row, given in pairs])


@pytest.fixture(scope="module")
def long():
    return strings(np.random.default_rng(2), 300, held_out=True, shortest=LONGEST - 1)


@pytest.mark.slow
def test_attention_reverses(long):
    everything = strings(np.random.default_rng(1), 500, held_out=True)
    model = train("bahdanau", steps=800)
    source, lengths = padded(everything)
    greedy = model.greedy(source, lengths)
    assert right(greedy, everything) >= 0.99
    beam = model.beam_search(source, lengths, beam_width=3, max_length=LONGEST + 2)
    assert right(beam, everything) >= 0.99
    assert right(model.greedy(*padded(long)), long) >= 0.97

    # What each step looks at goes back from the end. (The last step writes the end.)
    n = int(np.argmax(lengths))
    looked_at = greedy.attention[n, : lengths[n]].numpy().argmax(-1)
    assert abs(looked_at - np.arange(lengths[n])[::-1]).mean() <= 1


@pytest.mark.slow
def test_one_vector_forgets_long_strings(long):
    model = train(None, steps=800)
    assert right(model.greedy(*padded(long)), long) < 0.6
