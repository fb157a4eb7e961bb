"""The equations of the recurrent cells: how a state goes from one step to the next.

Each function makes a :class:`Recurrence` of a cell's parameters: what depends on the inputs
alone, for all time steps at once, and the step that is left. Layers run it over sequences,
cells once. Gates lie in PyTorch's order along the rows of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import autodiff as ad
from nn.normalization import layer_norm

__all__ = ["Parameters", "Recurrence", "State", "elman", "gru", "lstm"]

State = tuple[ad.Tensor, ...]
"""What is handed from step to step: ``(h,)``, or an LSTM's ``(h, c)``; each ``(N, H)``."""


class Parameters(NamedTuple):
    """The parameters of one layer in one direction, by PyTorch's names; None where absent."""

    weight_ih: ad.Tensor
    weight_hh: ad.Tensor
    bias_ih: ad.Tensor | None = None
    bias_hh: ad.Tensor | None = None
    weight_hr: ad.Tensor | None = None
    weight_peephole: ad.Tensor | None = None
    weight_norm_ih: ad.Tensor | None = None
    weight_norm_hh: ad.Tensor | None = None
    weight_norm_c: ad.Tensor | None = None
    bias_norm_c: ad.Tensor | None = None


class Recurrence(NamedTuple):
    """A cell made ready to run.

    Attributes
    ----------
    inputs : callable
        ``inputs(x)`` maps rows ``(R, F)``, of any number of steps, to what the steps read of
        them: tensors ``(R, ...)``.
    step : callable
        ``step(read, state)`` returns the next state, whose first member is the output.
    """

    inputs: Callable[[ad.Tensor], tuple[ad.Tensor, ...]]
    step: Callable[[tuple[ad.Tensor, ...], State], State]


def elman(p: Parameters, nonlinearity: str) -> Recurrence:
    r"""Return the recurrence of a simple network (Elman 1990).

    .. math:: h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})
    """
    phi = ad.tanh if nonlinearity == "tanh" else ad.relu
    recurrent = p.weight_hh.mT
    bias = _total(p.bias_ih, p.bias_hh)

    def inputs(x: ad.Tensor) -> tuple[ad.Tensor, ...]:
        return (_affine(x, p.weight_ih, bias),)

    def step(read: tuple[ad.Tensor, ...], state: State) -> State:
        return (phi(read[0] + state[0] @ recurrent),)

    return Recurrence(inputs, step)


def lstm(p: Parameters) -> Recurrence:
    r"""Return the recurrence of long short-term memory; gates i, f, g, o.

    .. math::
        (a_i, a_f, a_g, a_o) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(a_f) \odot c_{t-1} + \sigma(a_i) \odot \tanh(a_g) \\
        h_t &= W_{hr} \, (\sigma(a_o) \odot \tanh(c_t))

    With peepholes, :math:`a_i` and :math:`a_f` get :math:`p_i \odot c_{t-1}` and
    :math:`p_f \odot c_{t-1}` added, and :math:`a_o` gets :math:`p_o \odot c_t`. With layer
    normalisation both products are normalised before the biases are added, and so is
    :math:`c_t` before its tanh.
    """
    recurrent = p.weight_hh.mT
    normed = p.weight_norm_ih is not None
    bias = p.bias_ih if normed else _total(p.bias_ih, p.bias_hh)
    peepholes = None if p.weight_peephole is None else ad.split(p.weight_peephole, 3)
    projection = None if p.weight_hr is None else p.weight_hr.mT

    def inputs(x: ad.Tensor) -> tuple[ad.Tensor, ...]:
        if p.weight_norm_ih is not None:
            return (_normalised(x @ p.weight_ih.mT, p.weight_norm_ih, bias),)
        return (_affine(x, p.weight_ih, bias),)

    def step(read: tuple[ad.Tensor, ...], state: State) -> State:
        h, c = state
        hidden = h @ recurrent
        if p.weight_norm_hh is not None:
            hidden = _normalised(hidden, p.weight_norm_hh, p.bias_hh)
        i, f, g, o = ad.split(read[0] + hidden, 4, axis=-1)
        if peepholes is not None:
            i = i + peepholes[0] * c
            f = f + peepholes[1] * c
        c = ad.sigmoid(f) * c + ad.sigmoid(i) * ad.tanh(g)
        if peepholes is not None:
            o = o + peepholes[2] * c
        seen = c if p.weight_norm_c is None else _normalised(c, p.weight_norm_c, p.bias_norm_c)
        h = ad.sigmoid(o) * ad.tanh(seen)
        return (h if projection is None else h @ projection), c

    return Recurrence(inputs, step)


def gru(p: Parameters) -> Recurrence:
    r"""Return the recurrence of the gated recurrent unit; gates r, z, n.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}
    """
    size = p.weight_hh.shape[1]
    recurrent = p.weight_hh.mT
    bias = bias_hidden = None
    if p.bias_ih is not None and p.bias_hh is not None:
        gates, new = ad.split(p.bias_ih, [2 * size])
        hidden_gates, bias_hidden = ad.split(p.bias_hh, [2 * size])
        bias = ad.concat([gates + hidden_gates, new])

    def inputs(x: ad.Tensor) -> tuple[ad.Tensor, ...]:
        gates, new = ad.split(_affine(x, p.weight_ih, bias), [2 * size], axis=-1)
        return gates, new

    def step(read: tuple[ad.Tensor, ...], state: State) -> State:
        (h,) = state
        gates, new = ad.split(h @ recurrent, [2 * size], axis=-1)
        r, z = ad.split(ad.sigmoid(read[0] + gates), 2, axis=-1)
        n = ad.tanh(read[1] + r * (new if bias_hidden is None else new + bias_hidden))
        return (n + z * (h - n),)

    return Recurrence(inputs, step)


def _affine(x: ad.Tensor, weight: ad.Tensor, bias: ad.Tensor | None) -> ad.Tensor:
    y: ad.Tensor = x @ weight.mT
    return y if bias is None else y + bias


def _total(first: ad.Tensor | None, second: ad.Tensor | None) -> ad.Tensor | None:
    return first if first is None or second is None else first + second


def _normalised(x: ad.Tensor, weight: ad.Tensor, bias: ad.Tensor | None) -> ad.Tensor:
    return layer_norm(x, weight.shape, weight, bias)
