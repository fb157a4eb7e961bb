"""Decoding: from the probabilities of the next token to a whole sequence."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import autodiff as ad
from nn.checks import check_logits
from nn.seq2seq.decoder import Decoder, Memory

__all__ = ["Decoded", "beam_search", "greedy_search"]


class Decoded(NamedTuple):
    """What a model wrote: one sequence for each source, or K of a beam.

    Attributes
    ----------
    tokens : integer Tensor (N, T) or (N, K, T)
        Behind a sequence's end stand end tokens.
    scores : Tensor (N,) or (N, K)
        The log-probability, of a beam divided by the length penalty.
    lengths : integer Tensor (N,) or (N, K)
        How many tokens there are, the end token included.
    attention : Tensor (N, T, S) or (N, K, T, S), or None
        What each step looked at; zeros behind the end.
    end : int
        The end token.
    """

    tokens: ad.Tensor
    scores: ad.Tensor
    lengths: ad.Tensor
    attention: ad.Tensor | None
    end: int

    def best(self) -> Decoded:
        """Return the best sequence for each source."""
        if self.tokens.ndim == 2:
            return self
        attention = None if self.attention is None else self.attention[:, 0]
        return Decoded(
            self.tokens[:, 0], self.scores[:, 0], self.lengths[:, 0], attention, self.end
        )

    def sequences(self) -> list[list[int]]:
        """Return the best sequences as lists of tokens, without the end tokens."""
        best = self.best()
        rows = zip(best.tokens.tolist(), best.lengths.tolist(), strict=True)
        cut = [row[:length] for row, length in rows]
        return [row[:-1] if row and row[-1] == self.end else row for row in cut]


def greedy_search(
    where: str,
    decoder: Decoder,
    state: tuple[ad.Tensor, ...],
    memory: Memory,
    start: int,
    end: int,
    max_length: int,
) -> Decoded:
    """Take the most likely token at each step, until all sequences have ended."""
    batch = memory.keys.shape[0]
    advance, carried = decoder.begin(state, memory)
    tokens = ad.full((batch,), start, dtype=ad.int64)
    running = ad.ones((batch,), dtype=bool)
    scores = ad.zeros((batch,), dtype=decoder.out.weight.dtype)
    lengths = ad.zeros((batch,), dtype=ad.int64)
    written: list[ad.Tensor] = []
    looked: list[ad.Tensor] = []
    for _ in range(max_length):
        features, weights, carried = advance(decoder.embed(tokens), carried)
        log_p = ad.log_softmax(decoder.logits(features), axis=-1)
        best = ad.argmax(log_p, axis=-1)
        tokens = ad.where(running, best, end)
        gained = ad.take_along_axis(log_p, best[:, None], axis=-1)[:, 0]
        gained = ad.masked(gained, running)
        check_logits(where, gained)
        scores = scores + gained
        lengths = lengths + running.astype(ad.int64)
        written.append(tokens)
        if weights is not None:
            looked.append(ad.masked(weights, running[:, None]))
        running = running & (tokens != end)
        if not bool(ad.any(running)):
            break
    attention = ad.stack(looked, axis=1) if looked else None
    return Decoded(ad.stack(written, axis=1), scores, lengths, attention, end)


class _Hypothesis(NamedTuple):
    """A sequence that left the beam, as the path back to its beginning."""

    score: float
    length: int
    slot: int


def beam_search(
    where: str,
    decoder: Decoder,
    state: tuple[ad.Tensor, ...],
    memory: Memory,
    start: int,
    end: int,
    max_length: int,
    width: int,
    penalty: float,
) -> Decoded:
    """Go on with the most likely hypotheses at each step; see :meth:`Seq2Seq.beam_search`."""
    batch, vocabulary = memory.keys.shape[0], decoder.vocabulary_size
    each = ad.asarray([n for n in range(batch) for _ in range(width)], dtype=ad.int64)
    mask = None if memory.mask is None else ad.take(memory.mask, each, axis=0)
    repeated = Memory(ad.take(memory.keys, each, axis=0), mask)
    advance, carried = decoder.begin(
        tuple([ad.take(member, each, axis=1) for member in state]), repeated
    )
    tokens = ad.full((batch * width,), start, dtype=ad.int64)
    # A slot without a hypothesis has the score -inf. At first all would be the same: one is.
    first = [[0.0] + [-math.inf] * (width - 1)] * batch
    scores = ad.asarray(first, dtype=decoder.out.weight.dtype)
    found: list[list[_Hypothesis]] = [[] for _ in range(batch)]
    parents: list[list[list[int]]] = []
    written: list[list[list[int]]] = []
    looked: list[ad.Tensor] = []
    for t in range(max_length):
        features, weights, carried = advance(decoder.embed(tokens), carried)
        log_p = ad.log_softmax(decoder.logits(features), axis=-1)
        best = ad.max(log_p, axis=-1).reshape((batch, width))
        check_logits(where, ad.masked(best, scores > -math.inf))
        totals = scores[:, :, None] + log_p.reshape((batch, width, vocabulary))
        kept, places = ad.topk(totals.reshape((batch, width * vocabulary)), width, axis=-1)
        if weights is not None:
            looked.append(weights.reshape((batch, width, -1)))
        chosen: list[list[float]] = kept.tolist()
        parents.append([[place // vocabulary for place in row] for row in places.tolist()])
        written.append([[place % vocabulary for place in row] for row in places.tolist()])
        for n, row in enumerate(chosen):
            room = width - len(found[n])
            for k, score in enumerate(row):
                if k >= room:
                    row[k] = -math.inf
                elif score > -math.inf and (written[t][n][k] == end or t + 1 == max_length):
                    normalised = score / ((5 + t + 1) / 6) ** penalty
                    found[n].append(_Hypothesis(normalised, t + 1, k))
                    row[k] = -math.inf
        if all(score == -math.inf for row in chosen for score in row):
            break
        scores = ad.asarray(chosen, dtype=scores.dtype)
        tokens = ad.asarray(written[t], dtype=ad.int64).reshape(-1)
        rows = [n * width + slot for n in range(batch) for slot in parents[t][n]]
        carried = carried.taken(ad.asarray(rows, dtype=ad.int64))
    return _ranked(found, parents, written, looked, width, end, scores.dtype)


def _ranked(
    found: list[list[_Hypothesis]],
    parents: list[list[list[int]]],
    written: list[list[list[int]]],
    looked: list[ad.Tensor],
    width: int,
    end: int,
    dtype: Any,
) -> Decoded:
    """Sort the hypotheses by score, and trace each back to its beginning."""
    longest = max(h.length for group in found for h in group)
    tokens: list[list[list[int]]] = []
    slots: list[list[list[int]]] = []  # whose attention each step's is
    ranked = [sorted(group, key=lambda h: -h.score) for group in found]
    for n, group in enumerate(ranked):
        tokens.append([[end] * longest for _ in range(width)])
        slots.append([[0] * longest for _ in range(width)])
        for k, hypothesis in enumerate(group):
            slot = hypothesis.slot
            for t in reversed(range(hypothesis.length)):
                tokens[n][k][t] = written[t][n][slot]
                slot = parents[t][n][slot]
                slots[n][k][t] = slot
    missing = [width - len(group) for group in ranked]
    scores = [
        [h.score for h in group] + [-math.inf] * lack
        for group, lack in zip(ranked, missing, strict=True)
    ]
    lengths = [
        [h.length for h in group] + [0] * lack for group, lack in zip(ranked, missing, strict=True)
    ]
    counts = ad.asarray(lengths, dtype=ad.int64)
    attention = None
    if looked:
        history = ad.stack(looked[:longest], axis=2)  # (N, K, T, S)
        index = ad.asarray(slots, dtype=ad.int64)[:, :, :, None]
        taken = ad.take_along_axis(history, index, axis=1)
        attention = ad.masked(taken, (ad.arange(longest) < counts[:, :, None])[:, :, :, None])
    return Decoded(
        ad.asarray(tokens, dtype=ad.int64), ad.asarray(scores, dtype=dtype), counts, attention, end
    )
