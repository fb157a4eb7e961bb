"""Sequence to sequence: padding, teacher forcing, greedy and beam decoding, bad input."""

from __future__ import annotations

import gc
import itertools
import math

import numpy as np
import pytest

import autodiff as ad
import nn
from nn.seq2seq.decoder import Memory

START, END = 5, 6
SOURCE = ad.asarray([[1, 2, 3, 4], [4, 3, 0, 0], [2, 0, 0, 0]])
SOURCE_LENGTHS = [4, 2, 1]
TARGET = ad.asarray([[1, 2, END, 0, 0], [1, 2, 3, 4, END], [END, 0, 0, 0, 0]])
TARGET_LENGTHS = [3, 5, 1]

VARIANTS = [
    {},
    {"attention": "bahdanau"},
    {"attention": "luong"},
    {"attention": "luong", "input_feeding": True},
]
variants = pytest.mark.parametrize("options", VARIANTS, ids=str)
cells = pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])


def build(cell="gru", bidirectional=True, seed=0, layers=1, dtype=ad.float64, **options):
    ad.random.seed(seed)
    encoder = nn.Encoder(7, 3, 4, cell, layers, bidirectional, dtype=dtype)
    if options.get("attention") is not None:
        options["memory_size"] = encoder.output_size
    forcing = options.pop("teacher_forcing", 1.0)
    hidden = options.pop("hidden", 8)
    decoder = nn.Decoder(
        7, 3, hidden, cell, options.pop("decoder_layers", layers), dtype=dtype, **options
    )
    model = nn.Seq2Seq(encoder, decoder, START, END, forcing)
    with ad.no_grad():  # so that what is decoded depends on the source
        for parameter in model.parameters():
            parameter.copy_(2 * parameter)
    return model


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=tolerance)


# -- the parts -------------------------------------------------------------------------------


@cells
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_encoder_reads_each_sequence_as_if_alone(cell, layers, bidirectional):
    encoder = nn.Encoder(7, 3, 4, cell, layers, bidirectional, dtype=ad.float64)
    memory, states = encoder(SOURCE, SOURCE_LENGTHS)
    assert memory.shape == (3, 4, encoder.output_size)
    assert len(states) == 1 + (cell == "lstm")
    for n, length in enumerate(SOURCE_LENGTHS):
        alone, last = encoder(SOURCE[n : n + 1, :length])
        close(memory[n, :length], alone[0])
        assert (memory[n, length:] == 0).all()
        for a, b in zip(states, last, strict=True):
            assert a.shape == (layers, 3, encoder.output_size)
            close(a[:, n], b[:, 0])


@variants
@cells
def test_a_decoder_is_its_steps(options, cell):
    model = build(cell, **options)
    decoder = model.decoder
    state, memory = model._read(SOURCE, SOURCE_LENGTHS)
    tokens = ad.asarray([[5, 1, 2], [5, 3, 3], [5, 0, 4]])
    logits, weights = decoder(tokens, state, memory)
    advance, carried = decoder.begin(state, memory)
    for t in range(3):
        features, looked, carried = advance(decoder.embed(tokens[:, t]), carried)
        close(decoder.logits(features), logits[:, t])
        if weights is None:
            assert looked is None
        else:
            close(looked, weights[:, t])
            close(looked.sum(-1), ad.ones(3))
            assert (looked[1, 2:] == 0).all()


def test_luong_by_hand():
    model = build("gru", attention="luong")
    decoder = model.decoder
    state, memory = model._read(SOURCE[:1], None)
    h, _ = decoder.rnn(decoder.embedding(ad.asarray([[START]])), state[0])
    scores = (memory.keys[0] @ (decoder.attention.W_a.weight.mT @ h[0, 0])).softmax()
    context = scores @ memory.keys[0]
    read = ad.tanh(decoder.W_c.weight @ ad.concat([context, h[0, 0]]))
    logits, weights = decoder(ad.asarray([[START]]), state, memory)
    close(weights[0, 0], scores)
    close(logits[0, 0], decoder.out.weight @ read + decoder.out.bias)


def test_states_are_handed_over_where_they_fit():
    fitting = build("lstm")
    assert not hasattr(fitting, "bridge")
    assert build("lstm", hidden=5).bridge.weight.shape == (10, 8)
    assert build("gru", decoder_layers=2).bridge.weight.shape == (16, 8)
    encoder = nn.Encoder(7, 3, 8, "gru")
    mixed = nn.Seq2Seq(encoder, nn.Decoder(7, 3, 8, "lstm"), START, END)
    assert mixed(SOURCE, TARGET).shape == (3, 5, 7)
    assert not hasattr(nn.Seq2Seq(nn.Encoder(7, 3, 8, "lstm"), nn.Decoder(7, 3, 8), 5, 6), "bridge")
    for model in (build("lstm", hidden=5), build("gru", decoder_layers=2)):
        assert model(SOURCE, TARGET, SOURCE_LENGTHS).shape == (3, 5, 7)


def test_any_module_reads():
    class Bag(nn.Module):
        output_size = 3

        def __init__(self):
            self.embedding = nn.Embedding(7, 3)

        def forward(self, tokens, lengths):
            assert lengths is None
            vectors = self.embedding(tokens)
            return vectors, (ad.expand_dims(vectors.mean(1), 0),)

    decoder = nn.Decoder(7, 3, 4, "lstm", 2, attention="luong", memory_size=3)
    model = nn.Seq2Seq(Bag(), decoder, START, END)
    assert model(SOURCE, TARGET).shape == (3, 5, 7)
    assert model.beam_search(SOURCE, beam_width=2, max_length=3).tokens.shape[:2] == (3, 2)


def test_any_module_attends():
    class Mean(nn.Module):
        def forward(self, query, keys, mask):
            assert mask is None
            weights = ad.ones(keys.shape[:2], dtype=keys.dtype) / keys.shape[1]
            if query.ndim == 3:
                weights = ad.expand_dims(weights, 1) * ad.ones((1, query.shape[1], 1))
                return weights @ keys, weights
            return keys.mean(1), weights

    model = build(attention=Mean())
    assert model(SOURCE, TARGET).shape == (3, 5, 7)
    assert model.greedy(SOURCE, max_length=3).attention.shape[2] == 4


# -- training --------------------------------------------------------------------------------


@variants
@cells
def test_padding_changes_nothing(options, cell):
    model = build(cell, **options)
    found = []
    for fill in (0, 4, -100, 10**6):
        model.zero_grad()
        source, target = SOURCE.numpy().copy(), TARGET.numpy().copy()
        for rows, lengths in ((source, SOURCE_LENGTHS), (target, TARGET_LENGTHS)):
            for row, length in zip(rows, lengths, strict=True):
                row[length:] = fill
        loss = model.loss(source, target, SOURCE_LENGTHS, TARGET_LENGTHS)
        loss.backward()
        found.append(
            [loss.item(), *(p.grad.tolist() for p in model.parameters() if p.grad is not None)]
        )
    assert found[0] == found[1] == found[2] == found[3]


@variants
@cells
def test_each_pair_is_as_if_alone(options, cell):
    model = build(cell, layers=2, **options)
    logits = model(SOURCE, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS)
    wide = np.pad(SOURCE.numpy(), ((0, 0), (0, 3)))
    close(model(wide, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS), logits)
    for n, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        alone = model(SOURCE[n : n + 1, :s], TARGET[n : n + 1, :t])
        close(logits[n, :t], alone[0])


@variants
def test_gradients_are_right(options):
    model = build(**options)
    chosen = ("weight_hh_l0", "W_a.weight", "W_c.weight", "decoder.embedding.weight")
    names = [(n, p) for n, p in model.named_parameters() if n.endswith(chosen)]
    assert ad.gradcheck(
        lambda: model.loss(SOURCE, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS), names, mode="fast"
    )


def test_the_loss_is_the_mean_over_tokens():
    model = build(attention="luong")
    logits = model(SOURCE, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS)
    log_p = ad.log_softmax(logits, axis=-1)
    picked = [log_p[n, t, TARGET[n, t].item()] for n in range(3) for t in range(TARGET_LENGTHS[n])]
    expected = -sum(p.item() for p in picked) / 9
    assert abs(model.loss(SOURCE, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS).item() - expected) < 1e-12
    everything = model.loss(SOURCE, TARGET, SOURCE_LENGTHS)
    assert abs(everything.item() - expected) > 1e-6


@variants
def test_teacher_forcing(options):
    model = build(teacher_forcing=0.0, **options)
    free = model(SOURCE, TARGET, SOURCE_LENGTHS)
    written = model.greedy(SOURCE, SOURCE_LENGTHS, max_length=5).tokens
    chosen = free.argmax(-1)
    for n in range(3):  # without a teacher the model reads what it writes
        length = written.shape[1]
        row = written[n].tolist()
        length = row.index(END) + 1 if END in row else len(row)
        assert chosen[n, :length].tolist() == row[:length]
    model.teacher_forcing = 1.0
    forced = model(SOURCE, TARGET, SOURCE_LENGTHS)
    close(free[:, 0], forced[:, 0])
    model.teacher_forcing = 0.5
    ad.random.seed(3)
    first = model(SOURCE, TARGET, SOURCE_LENGTHS)
    ad.random.seed(3)
    assert (model(SOURCE, TARGET, SOURCE_LENGTHS) == first).all()
    model.eval()
    close(model(SOURCE, TARGET, SOURCE_LENGTHS), forced)


def test_teacher_forcing_all_the_time_is_the_same_step_by_step():
    for options in VARIANTS:
        model = build(teacher_forcing=1 - 1e-12, **options)
        slow = model(SOURCE, TARGET, SOURCE_LENGTHS)
        model.teacher_forcing = 1
        close(model(SOURCE, TARGET, SOURCE_LENGTHS), slow)


def test_teacher_forcing_follows_a_schedule():
    asked = []

    def schedule(step):
        asked.append(step)
        return max(0.0, 1 - step / 2)

    model = build(teacher_forcing=schedule)
    for _ in range(3):
        model(SOURCE, TARGET)
    model.eval()
    model(SOURCE, TARGET)
    assert asked == [0, 1, 2]
    assert model.state_dict()["steps"].item() == 3
    model.train()
    model.teacher_forcing = lambda _: 2.0
    with pytest.raises(
        ad.DomainError, match=r"teacher_forcing is 2\.0\. Give a number from 0 to 1"
    ):
        model(SOURCE, TARGET)
    assert model.steps.item() == 3


# -- decoding --------------------------------------------------------------------------------


def log_probability(model, n, sequence):
    """Of a whole sequence, by one teacher-forced pass over the one source."""
    model.eval()
    source = SOURCE[n : n + 1, : SOURCE_LENGTHS[n]]
    log_p = ad.log_softmax(model(source, ad.asarray([sequence])), axis=-1)[0]
    return sum(log_p[t, token].item() for t, token in enumerate(sequence))


@variants
@cells
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_of_one_is_greedy(options, cell, penalty):
    for seed in range(3):
        model = build(cell, seed=seed, **options)
        greedy = model.greedy(SOURCE, SOURCE_LENGTHS, max_length=6)
        beam = model.beam_search(
            SOURCE, SOURCE_LENGTHS, max_length=6, beam_width=1, length_penalty=penalty
        )
        best = beam.best()
        assert beam.tokens.shape == (3, 1, greedy.tokens.shape[1])
        assert best.tokens.tolist() == greedy.tokens.tolist()
        assert best.lengths.tolist() == greedy.lengths.tolist()
        expected = greedy.scores / ((5 + greedy.lengths) / 6) ** penalty
        close(best.scores, expected)
        assert best.sequences() == greedy.sequences()
        if greedy.attention is not None:
            close(best.attention, greedy.attention)


@variants
@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_scores_are_log_probabilities(options, width, penalty):
    model = build(**options)
    found = model.beam_search(
        SOURCE, SOURCE_LENGTHS, max_length=5, beam_width=width, length_penalty=penalty
    )
    for n in range(3):
        scores = found.scores[n].tolist()
        assert scores == sorted(scores, reverse=True)
        seen = set()
        for k in range(width):
            length = found.lengths[n, k].item()
            row = found.tokens[n, k, :length].tolist()
            assert END not in row[:-1]
            assert row[-1] == END or length == 5
            assert found.tokens[n, k, length:].tolist() == [END] * (found.tokens.shape[2] - length)
            assert tuple(row) not in seen
            seen.add(tuple(row))
            expected = log_probability(model, n, row) / ((5 + length) / 6) ** penalty
            assert abs(scores[k] - expected) < 1e-10
        if found.attention is not None:
            assert found.attention.shape == (3, width, found.tokens.shape[2], 4)
            total = found.attention.sum(-1)
            valid = ad.arange(found.tokens.shape[2]) < found.lengths[:, :, None]
            close(total, valid.astype(ad.float64))
            assert (found.attention[1, :, :, 2:] == 0).all()


def test_attention_of_a_beam_is_its_own_hypothesis():
    model = build(attention="bahdanau")
    found = model.beam_search(SOURCE, SOURCE_LENGTHS, max_length=5, beam_width=6)
    state, memory = model._read(SOURCE, SOURCE_LENGTHS)
    for k in range(6):
        inputs = ad.concat([ad.full((3, 1), START), found.tokens[:, k, :-1]], axis=1)
        _, weights = model.decoder(inputs, state, memory)
        for n in range(3):
            length = found.lengths[n, k].item()
            close(found.attention[n, k, :length], weights[n, :length])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("attention", [None, "bahdanau"])
def test_a_wide_beam_is_brute_force(penalty, attention):
    """On four tokens, one of them the end, up to length 4, every sequence is tried."""
    ad.random.seed(2)
    encoder = nn.Encoder(7, 3, 4, dtype=ad.float64)
    decoder = nn.Decoder(4, 3, 4, attention=attention, memory_size=4, dtype=ad.float64)
    model = nn.Seq2Seq(encoder, decoder, start=0, end=3)
    with ad.no_grad():
        for parameter in model.parameters():
            parameter.copy_(3 * parameter)
    for n in range(3):
        every = {}
        for length in range(1, 5):
            for body in itertools.product(range(3), repeat=length - 1):
                for last in range(3) if length == 4 else ():
                    every[*body, last] = None
                every[*body, 3] = None
        for sequence in every:
            score = log_probability(model, n, list(sequence))
            every[sequence] = score / ((5 + len(sequence)) / 6) ** penalty
        ranking = sorted(every, key=lambda s: -every[s])
        found = model.beam_search(
            SOURCE[n : n + 1, : SOURCE_LENGTHS[n]],
            max_length=4,
            beam_width=len(every),
            length_penalty=penalty,
        )
        for k in range(len(every)):
            row = found.tokens[0, k, : found.lengths[0, k].item()].tolist()
            assert tuple(row) == ranking[k]
            assert abs(found.scores[0, k].item() - every[ranking[k]]) < 1e-10
        if penalty == 0:
            total = sum(math.exp(score) for score in every.values())
            assert abs(total - 1) < 1e-10
        else:
            narrow = model.beam_search(
                SOURCE[n : n + 1, : SOURCE_LENGTHS[n]], max_length=4, beam_width=6, length_penalty=1
            )
            assert narrow.scores[0, 0].item() <= every[ranking[0]] + 1e-12


def test_a_longer_penalty_gives_no_shorter_sequences():
    for seed in range(4):
        model = build(seed=seed, attention="luong")
        lengths = []
        for penalty in (0.0, 1.0, 3.0):
            found = model.beam_search(
                SOURCE, SOURCE_LENGTHS, max_length=8, beam_width=12, length_penalty=penalty
            )
            lengths.append(found.lengths[:, 0].numpy())
        assert (lengths[0] <= lengths[1]).all()
        assert (lengths[1] <= lengths[2]).all()


@variants
@cells
def test_a_batch_is_decoded_as_one_by_one(options, cell):
    model = build(cell, **options)
    greedy = model.greedy(SOURCE, SOURCE_LENGTHS, max_length=6)
    beam = model.beam_search(SOURCE, SOURCE_LENGTHS, max_length=6, beam_width=4)
    garbage = SOURCE.numpy().copy()
    for row, length in zip(garbage, SOURCE_LENGTHS, strict=True):
        row[length:] = -1
    assert (
        model.beam_search(garbage, SOURCE_LENGTHS, max_length=6, beam_width=4).tokens.tolist()
        == beam.tokens.tolist()
    )
    for n, length in enumerate(SOURCE_LENGTHS):
        source = SOURCE[n : n + 1, :length]
        alone = model.greedy(source, max_length=6)
        assert alone.sequences()[0] == greedy.sequences()[n]
        close(alone.scores[0], greedy.scores[n])
        alone = model.beam_search(source, max_length=6, beam_width=4)
        close(alone.scores[0], beam.scores[n])
        for k in range(4):
            written = alone.lengths[0, k].item()
            assert written == beam.lengths[n, k].item()
            assert alone.tokens[0, k, :written].tolist() == beam.tokens[n, k, :written].tolist()


def test_a_beam_wider_than_there_are_sequences():
    ad.random.seed(0)
    model = nn.Seq2Seq(nn.Encoder(7, 3, 4), nn.Decoder(3, 3, 4), start=0, end=2)
    found = model.beam_search(SOURCE, SOURCE_LENGTHS, max_length=1, beam_width=5)
    assert found.lengths.tolist() == [[1, 1, 1, 0, 0]] * 3
    assert found.scores[:, 3:].tolist() == [[-math.inf] * 2] * 3
    assert sorted(found.tokens[0, :3, 0].tolist()) == [0, 1, 2]


def test_decoding_leaves_the_model_as_it_was():
    model = build(dropout=0.5, attention="luong", layers=2)
    model.encoder.eval()
    before = [module.training for module in model.modules()]
    first = model.greedy(SOURCE, max_length=4)
    assert (model.greedy(SOURCE, max_length=4).scores == first.scores).all()
    assert model.beam_search(SOURCE, max_length=2).scores.node is None
    assert [module.training for module in model.modules()] == before
    with pytest.raises(ad.DomainError):
        model.greedy([[99]])
    assert [module.training for module in model.modules()] == before
    assert model.steps.item() == 0


@variants
def test_no_cycles_hold_the_graph(options):
    model = build("lstm", teacher_forcing=0.5, **options)

    def everything():
        model.loss(SOURCE, TARGET, SOURCE_LENGTHS, TARGET_LENGTHS).backward()
        model.beam_search(SOURCE, SOURCE_LENGTHS, max_length=4)

    everything()
    gc.collect()
    gc.disable()
    try:
        everything()
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- bad input -------------------------------------------------------------------------------


def test_bad_parts():
    encoder = nn.Encoder(7, 3, 4)
    with pytest.raises(ad.OptionError, match=r"cell 'grue' is unknown\. Give one of 'rnn', 'lstm'"):
        nn.Encoder(7, 3, 4, "grue")
    with pytest.raises(ad.OptionError, match="attention 'dot' is unknown"):
        nn.Decoder(7, 3, 4, attention="dot", memory_size=4)
    with pytest.raises(ad.OptionError, match="attention can't be a int"):
        nn.Decoder(7, 3, 4, attention=3, memory_size=4)
    with pytest.raises(ad.OptionError, match=r"Give memory_size=encoder\.output_size"):
        nn.Decoder(7, 3, 4, attention="luong")
    with pytest.raises(ad.OptionError, match="nothing attends after the step"):
        nn.Decoder(7, 3, 4, attention="bahdanau", memory_size=4, input_feeding=True)
    with pytest.raises(ad.OptionError, match="attends to 5 features, the encoder has 4"):
        nn.Seq2Seq(encoder, nn.Decoder(7, 3, 4, attention="luong", memory_size=5), 5, 6)
    with pytest.raises(ad.OptionError, match="the encoder, a Linear, has no output_size"):
        nn.Seq2Seq(nn.Linear(2, 3), nn.Decoder(7, 3, 4), 5, 6)
    with pytest.raises(ad.DTypeError, match="the decoder is a Linear"):
        nn.Seq2Seq(encoder, nn.Linear(2, 3), 5, 6)
    with pytest.raises(ad.DomainError, match="end is 7, the decoder's vocabulary has 7 tokens"):
        nn.Seq2Seq(encoder, nn.Decoder(7, 3, 4), 5, 7)
    with pytest.raises(ad.DomainError, match=r"teacher_forcing is 1\.5"):
        nn.Seq2Seq(encoder, nn.Decoder(7, 3, 4), 5, 6, teacher_forcing=1.5)


def test_bad_batches():
    model = build(attention="luong")
    cases = [
        (([1, 2], TARGET), {}, ad.ShapeError, r"source's tokens are \(2,\) int64"),
        ((SOURCE, [[1.0]] * 3), {}, ad.DTypeError, r"target's tokens are \(3, 1\) float32"),
        ((SOURCE, TARGET[:2]), {}, ad.ShapeError, "3 source sequences for 2 targets"),
        ((SOURCE + 7, TARGET), {}, ad.DomainError, "'encoder.embedding'.*vocabulary of 7"),
        ((SOURCE, TARGET + 7), {}, ad.DomainError, "Seq2Seq: the target has .*vocabulary of 7"),
        ((SOURCE, TARGET[:, :-1] * 0 - 100), {}, ad.DomainError, "token -100.*target_lengths"),
        ((SOURCE, TARGET), {"source_lengths": [4, 0, 1]}, ad.DomainError, r"lengths\[1\] is 0"),
        ((SOURCE, TARGET), {"target_lengths": [6, 1, 1]}, ad.DomainError, r"lengths\[0\] is 6"),
        ((SOURCE, TARGET), {"source_lengths": [4]}, ad.ShapeError, "1 lengths for a batch of 3"),
    ]
    for forcing in (1.0, 0.5):
        model.teacher_forcing = forcing
        for arguments, options, error, text in cases:
            with pytest.raises(error, match=f"(?s){text}"):
                model(*arguments, **options)
    assert model.steps.item() == 0


def test_bad_searches():
    model = build()
    with pytest.raises(ad.OptionError, match=r"beam_width is 0\. Give a whole number, 1 or more"):
        model.beam_search(SOURCE, beam_width=0)
    with pytest.raises(ad.OptionError, match="max_length is 0"):
        model.greedy(SOURCE, max_length=0)
    for penalty in (-1.0, math.nan, "1"):
        with pytest.raises(ad.DomainError, match="length_penalty is"):
            model.beam_search(SOURCE, length_penalty=penalty)


def test_bad_decoder_calls():
    decoder = nn.Decoder(7, 3, 4, "lstm", attention="luong", memory_size=2)
    memory = Memory(ad.zeros((1, 5, 2)))
    state = (ad.zeros((1, 1, 4)),) * 2
    with pytest.raises(ad.ShapeError, match=r"Give a tuple of 2, each \(1, 1, 4\)"):
        decoder([[1]], state[:1], memory)
    with pytest.raises(ad.ShapeError, match=r"the state is Tensor|the state is \(1, 1, 4\)"):
        decoder([[1]], state[0], memory)
    with pytest.raises(ad.OptionError, match="nothing to attend to"):
        decoder([[1]], state)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("search", ["greedy", "beam_search"])
def test_logits_that_are_not_finite_name_the_model(search, value):
    model = build()
    with ad.no_grad():
        model.decoder.out.bias[0] = value
    with pytest.raises(ad.DomainError, match=rf"Seq2Seq\.{search}: the logits .* NaN or infinite"):
        getattr(model, search)(ad.ones((2, 3), dtype=ad.int64))
