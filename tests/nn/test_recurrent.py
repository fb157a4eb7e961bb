"""Recurrent cells and layers: PyTorch's values and gradients, LSTM's options, bad input."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.engine.modes import observe
from nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

KINDS = ["RNN", "LSTM", "GRU"]
kinds = pytest.mark.parametrize("kind", KINDS)


def values(shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pair(kind, dtype, *args, **options):
    """The same layer, ours and PyTorch's."""
    torch.manual_seed(0)
    ours = getattr(nn, kind)(*args, **options, dtype=getattr(ad, dtype))
    return ours, getattr(torch.nn, kind)(*args, **options, dtype=getattr(torch, dtype))


def with_state(model, kind):
    """Call with the state spread out, so that all arrays are positional."""
    if kind.startswith("LSTM"):
        return lambda x, h, c: model(x, (h, c))
    return model


# -- cells ---------------------------------------------------------------------------------


@with_torch
@kinds
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 3)])
@pytest.mark.parametrize("given", [True, False])
@precisions
def test_cells_are_pytorchs(kind, bias, shape, given, dtype, tolerance):
    ours, theirs = pair(f"{kind}Cell", dtype, 3, 4, bias)
    x = values(shape, dtype)
    if not given:
        assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)
        return
    states = [values((*shape[:-1], 4), dtype, seed=i) for i in range(1 + (kind == "LSTM"))]
    ours.load_state_dict(theirs.state_dict())
    assert_same_as_torch(
        with_state(ours, kind), with_state(theirs, kind), [x, *states], tolerance=tolerance
    )


@with_torch
@precisions
def test_a_relu_cell_is_pytorchs(dtype, tolerance):
    ours, theirs = pair("RNNCell", dtype, 3, 4, nonlinearity="relu")
    assert_same_as_torch(ours, theirs, [values((5, 3), dtype)], tolerance=tolerance)


@kinds
def test_a_layer_is_its_cell_step_by_step(kind):
    layer = getattr(nn, kind)(3, 4, dtype=ad.float64)
    cell = getattr(nn, f"{kind}Cell")(3, 4, dtype=ad.float64)
    cell.load_state_dict({n.removesuffix("_l0"): p for n, p in layer.state_dict().items()})
    x = ad.asarray(values((6, 2, 3)))
    output, _ = layer(x)
    state = None
    for t in range(6):
        state = cell(x[t], state)
        h = state[0] if kind == "LSTM" else state
        np.testing.assert_allclose(h.detach().numpy(), output[t].detach().numpy(), atol=1e-12)


# -- layers --------------------------------------------------------------------------------


CONFIGURATIONS = [
    {},
    {"num_layers": 3},
    {"bias": False},
    {"bidirectional": True},
    {"batch_first": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
]
configurations = pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)


@with_torch
@kinds
@configurations
@pytest.mark.parametrize("shape", [(5, 2, 3), (1, 1, 3), (7, 3)], ids=str)
@precisions
def test_layers_are_pytorchs(kind, options, shape, dtype, tolerance):
    ours, theirs = pair(kind, dtype, 3, 4, **options)
    assert_same_as_torch(ours, theirs, [values(shape, dtype)], tolerance=tolerance)


@with_torch
@kinds
@configurations
@pytest.mark.parametrize("batched", [True, False])
def test_initial_states_are_pytorchs(kind, options, batched):
    ours, theirs = pair(kind, "float64", 3, 4, **options)
    ours.load_state_dict(theirs.state_dict())
    lead = ours.num_layers * (1 + ours.bidirectional)
    batch = (2,) if batched else ()
    states = [values((lead, *batch, 4), seed=i + 1) for i in range(1 + (kind == "LSTM"))]
    if not batched:
        x = values((5, 3))
    else:
        x = values((2, 5, 3) if ours.batch_first else (5, 2, 3))
    assert_same_as_torch(
        with_state(ours, kind), with_state(theirs, kind), [x, *states], tolerance=1e-10
    )


@with_torch
@precisions
def test_a_relu_network_is_pytorchs(dtype, tolerance):
    ours, theirs = pair("RNN", dtype, 3, 4, 2, "relu", bidirectional=True)
    assert_same_as_torch(ours, theirs, [values((5, 2, 3), dtype)], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_projections_are_pytorchs(options, bias):
    ours, theirs = pair("LSTM", "float64", 3, 5, bias=bias, proj_size=2, **options)
    assert_same_as_torch(ours, theirs, [values((6, 2, 3))], tolerance=1e-10)
    lead = ours.num_layers * (1 + ours.bidirectional)
    states = [values((lead, 2, 2)), values((lead, 2, 5))]
    assert_same_as_torch(
        with_state(ours, "LSTM"),
        with_state(theirs, "LSTM"),
        [values((6, 2, 3)), *states],
        tolerance=1e-10,
    )


@kinds
def test_parameters_start_as_pytorchs(kind):
    ad.random.seed(0)
    layer = getattr(nn, kind)(30, 100, 2, bidirectional=True)
    assert {p.dtype for p in layer.parameters()} == {np.dtype("float32")}
    for parameter in layer.parameters():
        array = parameter.detach().numpy()
        assert 0.08 < np.abs(array).max() <= 0.1
        assert abs(array.std() - 0.1 / math.sqrt(3)) < 0.01


# -- different lengths -----------------------------------------------------------------------

LENGTHS = [[6, 4, 1], [2, 6, 3], [3, 3, 3], [6, 6, 6], [1, 1, 4]]


@with_torch
@kinds
@configurations
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("given", [False, True])
def test_lengths_are_pytorchs_packed_sequences(kind, options, lengths, given):
    ours, theirs = pair(kind, "float64", 3, 4, **options)
    ours.load_state_dict(theirs.state_dict())
    first = ours.batch_first
    rnn = torch.nn.utils.rnn
    lead = ours.num_layers * (1 + ours.bidirectional)
    states = [values((lead, 3, 4), seed=i + 1) for i in range(1 + (kind == "LSTM"))] * given

    def reference(x, *state):
        packed = rnn.pack_padded_sequence(x, torch.tensor(lengths), first, enforce_sorted=False)
        hx = None if not state else state if kind == "LSTM" else state[0]
        out, last = theirs(packed, hx)
        return rnn.pad_packed_sequence(out, first, total_length=6)[0], last

    def with_lengths(x, *state):
        hx = None if not state else state if kind == "LSTM" else state[0]
        return ours(x, hx, lengths=lengths)

    def packed(x, *state):
        hx = None if not state else state if kind == "LSTM" else state[0]
        batch = pack_padded_sequence(x, lengths, first, enforce_sorted=False)
        out, last = ours(batch, hx)
        return pad_packed_sequence(out, first, total_length=6)[0], last

    x = values((3, 6, 3) if first else (6, 3, 3))
    for function in (with_lengths, packed):
        theirs.zero_grad()
        ours.zero_grad()
        assert_same_as_torch(function, reference, [x, *states], tolerance=1e-10)
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(
                mine.grad.numpy(), other.grad.numpy(), atol=1e-10, err_msg=name
            )


@kinds
@pytest.mark.parametrize("fill", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_changes_no_bit(kind, fill, batch_first):
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True, batch_first=batch_first)
    lengths = [2, 6, 3]
    plain = values((3, 6, 3), "float32")
    filled = plain.copy()
    for row, length in zip(filled, lengths, strict=True):
        row[length:] = fill
    found = []
    for array in (plain, filled):
        layer.zero_grad()
        x = ad.tensor(array if batch_first else array.swapaxes(0, 1), requires_grad=True)
        output, state = layer(x, lengths=lengths)
        state = state if kind == "LSTM" else (state,)
        ((output**2).sum() + sum((s**2).sum() for s in state)).backward()
        found.append([output, *state, x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        assert (a == b).all()
    output, gradient = found[1][0], found[1][-1 - len(list(layer.parameters()))]
    for tensor in (output, gradient):
        rows = tensor if batch_first else tensor.swapaxes(0, 1)
        assert all((row[n:] == 0).all() for row, n in zip(rows, lengths, strict=True))


@kinds
def test_each_sequence_is_as_if_alone(kind):
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True, dtype=ad.float64)
    x, lengths = values((6, 3, 3)), [2, 6, 3]
    output, state = layer(ad.asarray(x), lengths=lengths)
    state = state if kind == "LSTM" else (state,)
    for n, length in enumerate(lengths):
        alone, last = layer(ad.asarray(x[:length, n]))
        last = last if kind == "LSTM" else (last,)
        np.testing.assert_allclose(
            output[:length, n].detach().numpy(), alone.detach().numpy(), atol=1e-12
        )
        for a, b in zip(state, last, strict=True):
            np.testing.assert_allclose(a[:, n].detach().numpy(), b.detach().numpy(), atol=1e-12)


def test_a_batch_of_none():
    for lengths in (None, []):
        output, h = nn.GRU(3, 4)(ad.zeros((5, 0, 3)), lengths=lengths)
        assert output.shape == (5, 0, 4)
        assert h.shape == (1, 0, 4)


# -- the graph -------------------------------------------------------------------------------


@kinds
def test_the_input_projection_is_one_product(kind):
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True)
    names = []
    with observe(lambda primitive, *_: names.append(primitive.name)):
        layer(ad.ones((6, 2, 3)))
    assert names.count("matmul") == 4 * (1 + 6)


@kinds
def test_gradients_of_gradients(kind):
    layer = getattr(nn, kind)(2, 3, bidirectional=True, dtype=ad.float64)

    def f(x):
        output, _ = layer(x, lengths=[2, 3])
        return output

    x = ad.tensor(values((3, 2, 2)), requires_grad=True)
    assert ad.gradcheck(f, [x], order=2)


def test_no_cycles_hold_the_graph():
    layer = nn.LSTM(3, 4)
    layer(ad.ones((6, 2, 3)))[0].sum().backward()
    gc.collect()
    gc.disable()
    try:
        layer(ad.ones((6, 2, 3)))[0].sum().backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- dropout -----------------------------------------------------------------------------------


@kinds
def test_dropout_between_layers(kind):
    layer = getattr(nn, kind)(3, 16, 2, dropout=0.5)
    x = ad.asarray(values((5, 4, 3), "float32"))
    ad.random.seed(0)
    first, second = layer(x)[0], layer(x)[0]
    assert not (first == second).all()
    ad.random.seed(0)
    assert (layer(x)[0] == first).all()
    layer.eval()
    assert (layer(x)[0] == layer(x)[0]).all()
    single = getattr(nn, kind)(3, 4, dropout=0.5)  # there is nothing between layers
    assert (single(x)[0] == single(x)[0]).all()


def test_all_is_dropped():
    layer = nn.GRU(3, 4, 2, dropout=1.0)
    nothing, _ = layer(ad.ones((5, 2, 3)))
    layer.weight_ih_l1 = nn.Parameter(ad.zeros((12, 4)))
    assert (layer(ad.ones((5, 2, 3)))[0] == nothing).all()


# -- LSTM's options -----------------------------------------------------------------------------


def by_hand(layer, x):
    """The LSTM's equations in NumPy, one sequence, options as the layer has them."""
    p = {n.removesuffix("_l0"): v.numpy() for n, v in layer.state_dict().items()}
    H = layer.hidden_size
    h = c = np.zeros(H)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def norm(z, scale, shift):
        return scale * (z - z.mean()) / np.sqrt(z.var() + 1e-5) + shift

    outputs = []
    pi, pf, po = p.get("weight_peephole", np.zeros(3 * H)).reshape(3, H)
    for row in x:
        a, b = p["weight_ih"] @ row, p["weight_hh"] @ h
        if layer.layer_norm:
            a = norm(a, p["weight_norm_ih"], p["bias_ih"])
            b = norm(b, p["weight_norm_hh"], p["bias_hh"])
        else:
            a, b = a + p["bias_ih"], b + p["bias_hh"]
        i, f, g, o = (a + b).reshape(4, H)
        c = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * np.tanh(g)
        seen = norm(c, p["weight_norm_c"], p["bias_norm_c"]) if layer.layer_norm else c
        h = sigmoid(o + po * c) * np.tanh(seen)
        outputs.append(h)
    return np.stack(outputs), c


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_lstm_options_are_their_equations(peepholes, layer_norm):
    ad.random.seed(1)
    layer = nn.LSTM(3, 4, peepholes=peepholes, layer_norm=layer_norm, dtype=ad.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = values((6, 3))
    output, (_, c) = layer(ad.asarray(x))
    expected, last = by_hand(layer, x)
    np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(c.detach().numpy()[0], last, atol=1e-12)
    cell = nn.LSTMCell(3, 4, peepholes=peepholes, layer_norm=layer_norm, dtype=ad.float64)
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
    state = None
    for row in x:
        state = cell(ad.asarray(row), state)
    np.testing.assert_allclose(state[0].detach().numpy(), expected[-1], atol=1e-12)
    point = ad.tensor(x, requires_grad=True)
    assert ad.gradcheck(lambda: layer(point)[0], [("x", point), *layer.named_parameters()])


def test_options_off_leave_pytorchs_names():
    names = {name for name, _ in nn.LSTM(3, 4).named_parameters()}
    assert names == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    extra = nn.LSTM(3, 4, 2, bidirectional=True, peepholes=True, layer_norm=True)
    assert extra.weight_peephole_l1_reverse.shape == (12,)
    assert (extra.weight_norm_c_l1 == 1).all()
    assert (extra.bias_norm_c_l0_reverse == 0).all()
    assert not hasattr(nn.LSTM(3, 4, bias=False, layer_norm=True), "bias_norm_c_l0")
    x = ad.ones((5, 2, 3))
    assert nn.LSTM(3, 4, bias=False, layer_norm=True, peepholes=True)(x)[0].shape == (5, 2, 4)
    assert extra(x, lengths=[2, 4])[0].shape == (5, 2, 8)


@pytest.mark.parametrize("make", [nn.LSTM, nn.LSTMCell])
def test_forget_bias_is_what_the_biases_add_up_to(make):
    model = make(3, 4, forget_bias=1.5)
    both = [p for n, p in model.named_parameters() if n.startswith("bias")]
    total = sum(both).detach().numpy()
    assert (total[4:8] == 1.5).all()
    assert (total[:4] != 1.5).all()


# -- bad input ----------------------------------------------------------------------------------


class Wrapped(nn.Module):
    def __init__(self, rnn):
        self.inner = nn.Sequential({"rnn": rnn})

    def forward(self, *args, **options):
        return self.inner.rnn(*args, **options)


@kinds
def test_bad_inputs_name_the_module(kind):
    model = Wrapped(getattr(nn, kind)(3, 4))
    cases = [
        (ad.zeros((5, 2, 7)), ad.ShapeError, "7 features.*takes 3"),
        (ad.zeros((5, 2, 2, 3)), ad.ShapeError, r"\(5, 2, 2, 3\) float32\. Give \(T, N, F\)"),
        (ad.zeros(3), ad.ShapeError, r"\(3,\) float32\. Give \(T, N, F\), or \(T, F\) without"),
        (ad.zeros((0, 2, 3)), ad.ShapeError, "no time step"),
        ("text", ad.DTypeError, "str"),
    ]
    for x, error, text in cases:
        with pytest.raises(error, match=f"(?s){kind} 'inner.rnn': .*{text}"):
            model(x)


@kinds
def test_bad_states(kind):
    model = getattr(nn, kind)(3, 4, 2)
    x = ad.zeros((5, 2, 3))

    def given(*shape):
        return (ad.zeros(shape),) * 2 if kind == "LSTM" else ad.zeros(shape)

    for shape in ((1, 2, 4), (2, 2, 5), (2, 4), (2, 3, 4)):
        with pytest.raises(ad.ShapeError, match=r"h_0 is .* this input needs \(2, 2, 4\)"):
            model(x, given(*shape))
    with pytest.raises(ad.ShapeError, match=r"needs \(2, 4\)"):
        model(ad.zeros((5, 3)), given(2, 1, 4))
    with pytest.raises(ad.ShapeError, match=r"h_0 is .* needs \(2, 2, 4\)"):
        model(x, given(2, 3, 4), lengths=[5, 3])
    whole = ad.zeros((2, 2, 4), dtype=ad.int64)
    with pytest.raises(ad.DTypeError, match=r"h_0 is .* int64 and holds no floats"):
        model(x, (whole, whole) if kind == "LSTM" else whole)
    with pytest.raises(ad.DTypeError, match=rf"{kind}: an operand of type str"):
        model(x, ("a", "b") if kind == "LSTM" else "a")
    with pytest.raises(ad.OptionError, match=r"pair|tuple"):
        model(x, ad.zeros((2, 2, 4)) if kind == "LSTM" else (ad.zeros((2, 2, 4)),) * 2)


def test_bad_states_of_cells():
    with pytest.raises(ad.ShapeError, match=r"hx is \(2, 5\) float32, this input needs \(2, 4\)"):
        nn.GRUCell(3, 4)(ad.zeros((2, 3)), ad.zeros((2, 5)))
    with pytest.raises(ad.ShapeError, match=r"c is \(4,\) float32"):
        nn.LSTMCell(3, 4)(ad.zeros((2, 3)), (ad.zeros((2, 4)), ad.zeros(4)))
    with pytest.raises(ad.OptionError, match=r"pair \(h_0, c_0\), not 3 members"):
        nn.LSTMCell(3, 4)(ad.zeros((2, 3)), (ad.zeros((2, 4)),) * 3)
    with pytest.raises(ad.ShapeError, match=r"\(1, 2, 3\) float32. Give \(N, 3\), or \(3,\)"):
        nn.RNNCell(3, 4)(ad.zeros((1, 2, 3)))


@kinds
def test_bad_lengths(kind):
    model = Wrapped(getattr(nn, kind)(3, 4))
    x = ad.zeros((5, 2, 3))
    cases = [
        ([5, 0], ad.DomainError, r"lengths\[1\] is 0, the sequences are padded to 5 steps"),
        ([6, 1], ad.DomainError, r"lengths\[0\] is 6"),
        ([5], ad.ShapeError, "1 lengths for a batch of 2"),
        ([2.0, 3.0], ad.DTypeError, "whole numbers"),
    ]
    for lengths, error, text in cases:
        with pytest.raises(error, match=f"(?s){kind} 'inner.rnn': .*{text}"):
            model(x, lengths=lengths)
    with pytest.raises(ad.OptionError, match="lengths for the unbatched input"):
        model(ad.zeros((5, 3)), lengths=[5])
    packed = pack_padded_sequence(x, [5, 2])
    with pytest.raises(ad.OptionError, match="a PackedSequence and lengths"):
        model(packed, lengths=[5, 2])
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        model(pack_padded_sequence(ad.zeros((5, 2, 3), dtype=ad.int64), [5, 2]))
    with pytest.raises(ad.ShapeError, match="packed rows"):
        model(pack_padded_sequence(ad.zeros((5, 2)), [5, 2]))


def test_bad_options():
    with pytest.raises(ad.OptionError, match="hidden_size"):
        nn.GRU(3, 0)
    with pytest.raises(ad.OptionError, match="num_layers"):
        nn.GRU(3, 4, 0)
    with pytest.raises(ad.OptionError, match=r"nonlinearity 'sine' is unknown"):
        nn.RNN(3, 4, nonlinearity="sine")
    with pytest.raises(ad.DomainError, match=r"dropout is 1\.5"):
        nn.RNN(3, 4, dropout=1.5)
    with pytest.raises(ad.OptionError, match="proj_size is 4, hidden_size 4"):
        nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(ad.OptionError, match="there are no biases"):
        nn.LSTM(3, 4, bias=False, forget_bias=1.0)
    with pytest.raises(ad.DomainError, match="forget_bias is nan"):
        nn.LSTMCell(3, 4, forget_bias=math.nan)


def test_looks():
    layer = nn.LSTM(3, 4, 2, bidirectional=True, forget_bias=1.0)
    assert "LSTM(3, 4, num_layers=2, bidirectional=True, forget_bias=1.0)" in repr(layer)
    assert "GRUCell(3, 4, bias=False)" in repr(nn.GRUCell(3, 4, bias=False))


# -- step by step -------------------------------------------------------------------------------


@kinds
def test_a_stepper_is_the_layer(kind):
    layer = getattr(nn, kind)(3, 4, 2, dtype=ad.float64)
    x = ad.asarray(values((5, 2, 3)))
    output, _ = layer(x)
    advance = layer.stepper()
    count = 2 if kind == "LSTM" else 1
    states = [(ad.zeros((2, 4), dtype=ad.float64),) * count] * 2
    for t in range(5):
        h, states = advance(x[t], states)
        np.testing.assert_allclose(h.detach().numpy(), output[t].detach().numpy(), atol=1e-12)
    with pytest.raises(ad.OptionError, match="reverse direction"):
        getattr(nn, kind)(3, 4, bidirectional=True).stepper()
