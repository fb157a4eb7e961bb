"""Strings reversed and dates rewritten: attention finds its place, one vector can't hold all."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest

import autodiff as ad
import nn


def padded(sequences):
    lengths = [len(sequence) for sequence in sequences]
    batch = np.zeros((len(sequences), max(lengths)), np.int64)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch, lengths


def train(attention, vocabulary, draw, steps):
    """Train on batches of 64 from ``draw(rng, count)``, which gives pairs of token lists.

    The outputs' tokens are 0 to 10; then come start and end.
    """
    start, end = 11, 12
    ad.random.seed(0)
    rng = np.random.default_rng(0)
    encoder = nn.Encoder(vocabulary, 16, 64, bidirectional=True)
    decoder = nn.Decoder(13, 16, 64, attention=attention, memory_size=encoder.output_size)
    model = nn.Seq2Seq(encoder, decoder, start, end)
    optimizer = nn.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(steps):
        (group,) = optimizer.param_groups
        group["lr"] = 5e-3 * min(1.0, 2 * (1 - step / steps))
        pairs = draw(rng, 64)
        source, source_lengths = padded([given for given, _ in pairs])
        target, target_lengths = padded([[*wanted, end] for _, wanted in pairs])
        optimizer.zero_grad()
        model.loss(source, target, source_lengths, target_lengths).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def right(written, pairs):
    """The share of sequences that are right from the first token to the last."""
    found = zip(written.sequences(), pairs, strict=True)
    return np.mean([row == wanted for row, (_, wanted) in found])


def sources(pairs):
    return padded([given for given, _ in pairs])


# -- strings of digits, the other way round ------------------------------------------------

LONGEST = 12


def strings(rng, count, shortest=3, held_out=False):
    """Random strings; those whose digits add up to a multiple of 5 are never trained on."""
    found = []
    while len(found) < count:
        digits = rng.integers(0, 10, rng.integers(shortest, LONGEST + 1)).tolist()
        if (sum(digits) % 5 == 0) == held_out:
            found.append((digits, digits[::-1]))
    return found


@pytest.fixture(scope="module")
def long():
    return strings(np.random.default_rng(2), 300, shortest=LONGEST - 1, held_out=True)


@pytest.mark.slow
def test_attention_reverses(long):
    everything = strings(np.random.default_rng(1), 500, held_out=True)
    model = train("bahdanau", 10, strings, steps=800)
    source, lengths = sources(everything)
    greedy = model.greedy(source, lengths)
    assert right(greedy, everything) >= 0.99
    beam = model.beam_search(source, lengths, beam_width=3, max_length=LONGEST + 2)
    assert right(beam, everything) >= 0.99
    assert right(model.greedy(*sources(long)), long) >= 0.97

    # What each step looks at goes back from the end. (The last step writes the end.)
    n = int(np.argmax(lengths))
    looked_at = greedy.attention[n, : lengths[n]].numpy().argmax(-1)
    assert abs(looked_at - np.arange(lengths[n])[::-1]).mean() <= 1


@pytest.mark.slow
def test_one_vector_forgets_long_strings(long):
    model = train(None, 10, strings, steps=800)
    assert right(model.greedy(*sources(long)), long) < 0.6


# -- "Saturday, 3 May 2025" to "2025-05-03" ---------------------------------------------------

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
]  # fmt: skip
LETTERS = sorted(set("".join(DAYS + MONTHS) + "0123456789, "))
FIRST, LAST = dt.date(1950, 1, 1).toordinal(), dt.date(2050, 1, 1).toordinal()


def in_words(date):
    return f"{DAYS[date.weekday()]}, {date.day} {MONTHS[date.month - 1]} {date.year}"


def dates(rng, count, held_out=False):
    """Random dates; every fifth day is never trained on."""
    found = []
    while len(found) < count:
        day = int(rng.integers(FIRST, LAST))
        if (day % 5 == 0) == held_out:
            date = dt.date.fromordinal(day)
            written = ["0123456789-".index(c) for c in date.isoformat()]
            found.append(([LETTERS.index(c) for c in in_words(date)], written))
    return found


@pytest.mark.slow
def test_dates_are_read_where_they_are_written():
    pairs = dates(np.random.default_rng(1), 300, held_out=True)
    model = train("bahdanau", len(LETTERS), dates, steps=250)
    source, lengths = sources(pairs)
    greedy = model.greedy(source, lengths)
    assert right(greedy, pairs) >= 0.99

    # From year to month to day the place that is looked at goes back, always to an earlier
    # one; within the year it goes from digit to digit.
    weights = greedy.attention.numpy()
    places = (weights * np.arange(weights.shape[2])).sum(-1)
    fields = [places[:, part].mean(1) for part in (slice(4), slice(5, 7), slice(8, 10))]
    falling = np.all([after < before for before, after in itertools.pairwise(fields)], axis=0)
    assert falling.mean() >= 0.95
    year = weights[:, :4].argmax(-1)
    assert (np.diff(year, axis=1) >= 0).mean() >= 0.95
