"""Recurrent layers over sequences: several layers, both directions, different lengths.

Internally every batch runs *packed* (see :mod:`nn.recurrent.packing`): the rows of all steps
one after the other, so that the product with the inputs' weights is one product for all
steps, and step ``t`` computes only the sequences that are that long. A batch without
``lengths`` is the case in which all are.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import autodiff as ad
from nn.checks import as_floats, check_features, check_probability, check_size
from nn.dropout import dropout
from nn.module import Module, Parameter
from nn.recurrent.cells import check_forget_bias
from nn.recurrent.packing import (
    PackedSequence,
    as_lengths,
    pack_padded_sequence,
    pad_packed_sequence,
    permuted,
)
from nn.recurrent.parameters import (
    check_nonlinearity,
    check_pair,
    check_state,
    collect,
    declare,
    start,
)
from nn.recurrent.recurrences import Parameters, Recurrence, State, elman, gru, lstm

__all__ = ["GRU", "LSTM", "RNN"]


class _Layers(Module):
    """What the recurrent layers share: parameters, layouts, the loops over layers and time."""

    weight_ih_l0: Parameter
    weight_hh_l0: Parameter
    _gates = 1
    _states: tuple[str, ...] = ("h_0",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: Any,
        proj_size: int = 0,
        **extras: bool,
    ) -> None:
        self.input_size = check_size(self, "input_size", input_size)
        self.hidden_size = check_size(self, "hidden_size", hidden_size, 1)
        self.num_layers = check_size(self, "num_layers", num_layers, 1, sys.maxsize)
        self.bias, self.batch_first = bool(bias), bool(batch_first)
        self.dropout = check_probability(self, "dropout", dropout)
        self.bidirectional = bool(bidirectional)
        self.proj_size = check_size(self, "proj_size", proj_size)
        if self.proj_size >= self.hidden_size:
            message = f"{self.location()}: proj_size is {proj_size}, hidden_size {hidden_size}"
            raise ad.OptionError(f"{message}. Give a smaller proj_size, or 0 for no projection.")
        for layer, direction in itertools.product(range(num_layers), range(self._directions)):
            inputs = self.output_size if layer else self.input_size
            declare(
                self, _suffix(layer, direction), inputs, self.hidden_size, self._gates,
                bias=self.bias, projected=self.proj_size, dtype=dtype, **extras,
            )  # fmt: skip
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """The number of features of the output: ``D * H``, or ``D * proj_size``."""
        return self._directions * (self.proj_size or self.hidden_size)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        start(self, self.hidden_size)

    def _recurrence(self, parameters: Parameters) -> Recurrence:
        raise NotImplementedError

    # -- in and out ----------------------------------------------------------------------

    def _run(
        self, x: Any, given: tuple[Any, ...] | None, lengths: Any
    ) -> tuple[Any, tuple[ad.Tensor, ...]]:
        """Bring any input into packed form, run it, and bring the results back."""
        if isinstance(x, PackedSequence):
            if lengths is not None:
                message = f"{self.location()}: a PackedSequence and lengths"
                raise ad.OptionError(f"{message}. Leave lengths out; the packed input has them.")
            self._check(as_floats(self, x.data), (2,))
            state = self._state(given, x.batch_sizes.tolist()[0], x.unsorted_indices)
            rows, final = self._packed(x.data, x.batch_sizes.tolist(), state)
            packed = PackedSequence(rows, *x[1:])
            return packed, _reordered(final, x.sorted_indices)
        x = as_floats(self, x)
        self._check(x, (2, 3))
        if x.ndim == 2:
            return self._unbatched(x, given, lengths)
        steps, batch = (x.shape[1::-1]) if self.batch_first else x.shape[:2]
        if steps == 0:
            message = f"{self.location()}: the input {ad.errors.describe(x)} has no time step"
            raise ad.ShapeError(f"{message}. Give sequences of at least one step.")
        counts = [] if lengths is None else as_lengths(self, lengths, batch, steps)
        if any(count != steps for count in counts):
            self._state(given, batch, None)  # a wrong one is found before anything is computed
            packed = pack_padded_sequence(x, counts, self.batch_first, enforce_sorted=False)
            packed, final = self._run(packed, given, None)
            return pad_packed_sequence(packed, self.batch_first, total_length=steps)[0], final
        state = self._state(given, batch, None)
        major = x.swapaxes(0, 1) if self.batch_first else x
        rows, final = self._packed(
            major.reshape((steps * batch, self.input_size)), [batch] * steps, state
        )
        out = rows.reshape((steps, batch, self.output_size))
        return (out.swapaxes(0, 1) if self.batch_first else out), final

    def _unbatched(
        self, x: ad.Tensor, given: tuple[Any, ...] | None, lengths: Any
    ) -> tuple[ad.Tensor, tuple[ad.Tensor, ...]]:
        if lengths is not None:
            message = f"{self.location()}: lengths for the unbatched input {ad.errors.describe(x)}"
            raise ad.OptionError(f"{message}. Leave them out, or give a batch of three axes.")
        if given is not None:
            shapes = self._state_shapes(None)
            checked = [
                check_state(self, name, s, shape)
                for name, s, shape in zip(self._states, given, shapes, strict=True)
            ]
            given = tuple([ad.expand_dims(s, 1) for s in checked])
        out, final = self._run(ad.expand_dims(x, 0 if self.batch_first else 1), given, None)
        return ad.squeeze(out, 0 if self.batch_first else 1), tuple([s.squeeze(1) for s in final])

    def _check(self, x: ad.Tensor, ranks: tuple[int, ...]) -> None:
        if x.ndim not in ranks:
            layout = "(N, T, F)" if self.batch_first else "(T, N, F)"
            wanted = "packed rows (R, F)" if ranks == (2,) else f"{layout}, or (T, F) without batch"
            message = f"{self.location()}: the input is {ad.errors.describe(x)}"
            raise ad.ShapeError(f"{message}. Give {wanted}, where F is {self.input_size}.")
        check_features(self, x, self.input_size, self.weight_ih_l0)

    def _state_shapes(self, batch: int | None) -> list[tuple[int, ...]]:
        lead = (self.num_layers * self._directions, *(() if batch is None else (batch,)))
        return [
            (*lead, (self.proj_size or self.hidden_size) if i == 0 else self.hidden_size)
            for i in range(len(self._states))
        ]

    def _state(
        self, given: tuple[Any, ...] | None, batch: int, inverse: ad.Tensor | None
    ) -> tuple[ad.Tensor, ...]:
        """Return the initial states, in the order of the packed sequences."""
        shapes = self._state_shapes(batch)
        if given is None:
            dtype = self.weight_hh_l0.dtype
            return tuple([ad.zeros(shape, dtype=dtype) for shape in shapes])
        named = zip(self._states, given, shapes, strict=True)
        state = tuple([check_state(self, name, s, shape) for name, s, shape in named])
        return _reordered(state, inverse)

    # -- the loops -----------------------------------------------------------------------

    def _packed(
        self, rows: ad.Tensor, sizes: list[int], state: tuple[ad.Tensor, ...]
    ) -> tuple[ad.Tensor, tuple[ad.Tensor, ...]]:
        """Run all layers over packed rows ``(R, F)``."""
        starts = list(zip(*[ad.unstack(s) for s in state], strict=True))
        finals: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                rows = dropout(rows, self.dropout)
            outputs = []
            for direction in range(self._directions):
                recurrence = self._recurrence(collect(self, _suffix(layer, direction)))
                out, final = _scan(recurrence, rows, sizes, starts[len(finals)], direction == 1)
                outputs.append(out)
                finals.append(final)
            rows = ad.concat(outputs, axis=-1) if len(outputs) > 1 else outputs[0]
        return rows, tuple([ad.stack(members) for members in zip(*finals, strict=True)])

    def stepper(self) -> Callable[[ad.Tensor, list[State]], tuple[ad.Tensor, list[State]]]:
        """Return a function that advances all layers by one step.

        ``advance(x, states)`` takes ``x`` ``(N, F)`` and for each layer its state, ``(h,)`` or
        ``(h, c)``, and returns the last layer's output and the new states. What depends on
        the parameters alone is computed once, here: for loops whose inputs depend on former
        outputs. Dropout acts as in :meth:`forward`.

        Raises
        ------
        OptionError
            If the layers run in both directions.
        """
        if self.bidirectional:
            message = f"{self.location()}: the reverse direction can't be run step by step"
            raise ad.OptionError(f"{message}. Use a network with bidirectional=False.")
        recurrences = [
            self._recurrence(collect(self, _suffix(layer, 0))) for layer in range(self.num_layers)
        ]

        def advance(x: ad.Tensor, states: list[State]) -> tuple[ad.Tensor, list[State]]:
            found = []
            for layer, (recurrence, state) in enumerate(zip(recurrences, states, strict=True)):
                if layer and self.dropout and self.training:
                    x = dropout(x, self.dropout)
                found.append(recurrence.step(recurrence.inputs(x), state))
                x = found[-1][0]
            return x, found

        return advance

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not the defaults."""
        shown = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {
            "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False, "proj_size": 0, "nonlinearity": "tanh",
            "forget_bias": None, "peepholes": False, "layer_norm": False,
        }  # fmt: skip
        for name, default in defaults.items():
            value = getattr(self, name, default)
            if value != default:
                shown.append(f"{name}={value!r}")
        return ", ".join(shown)


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}" + "_reverse" * direction


def _reordered(state: tuple[ad.Tensor, ...], inverse: ad.Tensor | None) -> tuple[ad.Tensor, ...]:
    """Permute the sequences of states ``(L, N, H)`` by the permutation that ``inverse`` undoes."""
    return state if inverse is None else tuple([permuted(s, inverse, axis=1) for s in state])


def _scan(
    recurrence: Recurrence, rows: ad.Tensor, sizes: list[int], state: State, reverse: bool
) -> tuple[ad.Tensor, State]:
    """Run one layer in one direction over packed rows.

    Parameters
    ----------
    recurrence : Recurrence
    rows : Tensor (R, F)
    sizes : list of int
        How many sequences have each step: never more than the step before.
    state : tuple of Tensors (N, H)
    reverse : bool
        Whether to go from each sequence's end to its beginning.

    Returns
    -------
    Tensor (R, H)
        The outputs, in the order of the rows.
    tuple of Tensors (N, H)
        The state after each sequence's last step (in the reverse direction, its first).
    """
    uniform = sizes[0] == sizes[-1]
    cuts: Any = len(sizes) if uniform else list(itertools.accumulate(sizes))[:-1]
    read = [ad.split(part, cuts) for part in recurrence.inputs(rows)]
    steps: list[tuple[ad.Tensor, ...]] = list(zip(*read, strict=True))
    outputs: list[ad.Tensor] = []
    waiting: list[State] = []
    active = sizes[0]
    if reverse:
        steps.reverse()
        if not uniform:  # those that are shorter join later
            joins = sorted({size for size in sizes if size < active})
            parts = [ad.split(s, joins) for s in state]
            state, *waiting = zip(*parts, strict=True)
            waiting.reverse()
            active = sizes[-1]
    for size, inputs in zip(sizes[::-1] if reverse else sizes, steps, strict=True):
        if size < active:
            parts = [ad.split(s, [size]) for s in state]
            state, ended = zip(*parts, strict=True)
            waiting.append(ended)
        elif size > active:
            state = _joined([state, waiting.pop()])
        active = size
        state = recurrence.step(inputs, state)
        outputs.append(state[0])
    if reverse:
        outputs.reverse()
    elif waiting:
        state = _joined([state, *reversed(waiting)])
    if uniform:
        out = ad.stack(outputs)
        return out.reshape((out.shape[0] * out.shape[1], out.shape[2])), state
    return ad.concat(outputs), state


def _joined(states: list[State]) -> State:
    """Join the states of several groups of sequences to that of all."""
    return tuple([ad.concat(members) for members in zip(*states, strict=True)])


class RNN(_Layers):
    r"""A simple recurrent network over sequences (Elman 1990).

    In each layer and direction, at each time step,

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    where :math:`x_t` is the input, or the output of the layer below.

    Parameters
    ----------
    input_size : int
        F, the number of features of an input.
    hidden_size : int
        H, the size of the state.
    num_layers : int
        L; each layer reads the outputs of the one before.
    nonlinearity : {"tanh", "relu"}
    bias : bool
    batch_first : bool
        Whether input and output are ``(N, T, *)`` rather than ``(T, N, *)``. States are
        ``(layers, N, *)`` always.
    dropout : float
        With what probability, in training, an element of the output of every layer but the
        last is set to zero.
    bidirectional : bool
        Whether D is 2: a second network runs from each sequence's end to its beginning, and
        the outputs of both are joined.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight_ih_l[k] : Parameter
        ``(H, F)``, above the first layer ``(H, D H)``. The other direction's names end in
        ``_reverse``.
    weight_hh_l[k] : Parameter
        ``(H, H)``.
    bias_ih_l[k], bias_hh_l[k] : Parameter
        ``(H,)`` each.

    Notes
    -----
    All parameters start from ``U(-1/sqrt(H), 1/sqrt(H))``, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> rnn = nn.RNN(3, 5, bidirectional=True)
    >>> output, h_n = rnn(ad.ones((7, 2, 3)), lengths=[7, 4])
    >>> output.shape, h_n.shape
    ((7, 2, 10), (2, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        self.nonlinearity = check_nonlinearity(self, nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        )

    def _recurrence(self, parameters: Parameters) -> Recurrence:
        return elman(parameters, self.nonlinearity)

    def forward(self, x: Any, hx: Any = None, lengths: Any = None) -> tuple[Any, ad.Tensor]:
        """Run over sequences.

        Parameters
        ----------
        x : Tensor (T, N, F), (N, T, F) where batch_first, (T, F), or PackedSequence
        hx : Tensor (D L, N, H), or (D L, H) without a batch, optional
            The initial states of layer 0, of layer 0 reverse, of layer 1, ...; zeros where
            None.
        lengths : sequence of int (N,), optional
            How many steps of each sequence are no padding, in any order. What stands in the
            padding changes nothing; the output there is 0.

        Returns
        -------
        Tensor (T, N, D H), (N, T, D H), (T, D H), or PackedSequence, as the input
            The last layer's outputs.
        Tensor (D L, N, H) or (D L, H)
            The states after each sequence's last step (its first, in the other direction).

        Raises
        ------
        ShapeError, DTypeError, DomainError, OptionError
            If input, state or lengths don't fit; the messages have the module's path.
        """
        output, (h,) = self._run(x, None if hx is None else (hx,), lengths)
        return output, h


class GRU(_Layers):
    r"""A network of gated recurrent units over sequences (Cho et al. 2014, arXiv:1406.1078).

    In each layer and direction, at each time step,

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        As for :class:`RNN`.

    Attributes
    ----------
    weight_ih_l[k] : Parameter
        ``(3 H, F)``, above the first layer ``(3 H, D H)``: the rows of r, z, n. The other
        direction's names end in ``_reverse``.
    weight_hh_l[k] : Parameter
        ``(3 H, H)``.
    bias_ih_l[k], bias_hh_l[k] : Parameter
        ``(3 H,)`` each.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> gru = nn.GRU(3, 5, num_layers=2, batch_first=True)
    >>> output, h_n = gru(ad.ones((2, 7, 3)))
    >>> output.shape, h_n.shape
    ((2, 7, 5), (2, 2, 5))
    """

    _gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        )

    def _recurrence(self, parameters: Parameters) -> Recurrence:
        return gru(parameters)

    def forward(self, x: Any, hx: Any = None, lengths: Any = None) -> tuple[Any, ad.Tensor]:
        """Run over sequences: parameters, results and errors as of :meth:`RNN.forward`."""
        output, (h,) = self._run(x, None if hx is None else (hx,), lengths)
        return output, h


class LSTM(_Layers):
    r"""Long short-term memory over sequences (Hochreiter and Schmidhuber 1997).

    In each layer and direction, at each time step,

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The forget gate is that of Gers, Schmidhuber and Cummins, "Learning to forget" (2000).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        As for :class:`RNN`.
    proj_size : int
        P, where positive: :math:`h_t = W_{hr} (o_t \odot \tanh(c_t))` has P elements (Sak et
        al. 2014, arXiv:1402.1128).
    forget_bias : float, optional
        What the forget gate's two biases add up to at the start. With 1 the memory is kept
        at first and gradients pass (Jozefowicz et al., "An empirical exploration of recurrent
        network architectures", 2015). None starts it like every other parameter.
    peepholes : bool
        Whether the gates see the memory (Gers and Schmidhuber, "Recurrent nets that time and
        count", 2000), with weights :math:`p` that are vectors:

        .. math::
            i_t &= \sigma(\dots + p_i \odot c_{t-1}) \\
            f_t &= \sigma(\dots + p_f \odot c_{t-1}) \\
            o_t &= \sigma(\dots + p_o \odot c_t)
    layer_norm : bool
        Whether the products and the memory are normalised (Ba, Kiros and Hinton 2016,
        arXiv:1607.06450, equations 20 to 22), over all four gates at once:

        .. math::
            (i, f, g, o) &= \mathrm{LN}(W_{ih} x_t; \alpha_{ih}) + b_{ih}
                + \mathrm{LN}(W_{hh} h_{t-1}; \alpha_{hh}) + b_{hh} \\
            h_t &= o_t \odot \tanh(\mathrm{LN}(c_t; \alpha_c, \beta_c)) \\
            \mathrm{LN}(z; \alpha, \beta) &= \alpha \odot
                \frac{z - \mathrm{mean}(z)}{\sqrt{\mathrm{var}(z) + 10^{-5}}} + \beta

    Attributes
    ----------
    weight_ih_l[k] : Parameter
        ``(4 H, F)``, above the first layer ``(4 H, D H)``: the rows of i, f, g, o. The other
        direction's names end in ``_reverse``.
    weight_hh_l[k] : Parameter
        ``(4 H, H)``, or ``(4 H, P)``.
    bias_ih_l[k], bias_hh_l[k] : Parameter
        ``(4 H,)`` each.
    weight_hr_l[k] : Parameter
        ``(P, H)``, where ``proj_size`` is positive.
    weight_peephole_l[k] : Parameter
        ``(3 H,)``, :math:`p_i, p_f, p_o`, where ``peepholes``.
    weight_norm_ih_l[k], weight_norm_hh_l[k], weight_norm_c_l[k], bias_norm_c_l[k] : Parameter
        :math:`\alpha_{ih}, \alpha_{hh}` of ``(4 H,)`` and :math:`\alpha_c, \beta_c` of
        ``(H,)``, where ``layer_norm``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> lstm = nn.LSTM(3, 5, forget_bias=1.0)
    >>> output, (h_n, c_n) = lstm(ad.ones((7, 2, 3)))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))
    """

    _gates = 4
    _states = ("h_0", "c_0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = None,
        *,
        forget_bias: float | None = None,
        peepholes: bool = False,
        layer_norm: bool = False,
    ) -> None:
        self.forget_bias = check_forget_bias(self, forget_bias, bias)
        self.peepholes, self.layer_norm = bool(peepholes), bool(layer_norm)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
            proj_size, peepholes=self.peepholes, layer_norm=self.layer_norm,
        )  # fmt: skip

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        start(self, self.hidden_size, self.forget_bias)

    def _recurrence(self, parameters: Parameters) -> Recurrence:
        return lstm(parameters)

    def forward(
        self, x: Any, hx: Any = None, lengths: Any = None
    ) -> tuple[Any, tuple[ad.Tensor, ad.Tensor]]:
        """Run over sequences: as :meth:`RNN.forward`, but the state is a pair.

        Parameters
        ----------
        x : Tensor (T, N, F), (N, T, F) where batch_first, (T, F), or PackedSequence
        hx : pair of Tensors (D L, N, H or P) and (D L, N, H), optional
            ``(h_0, c_0)``, without the axis of N where the input has no batch.
        lengths : sequence of int (N,), optional

        Returns
        -------
        Tensor or PackedSequence
        (Tensor, Tensor)
            ``(h_n, c_n)``.

        Raises
        ------
        ShapeError, DTypeError, DomainError, OptionError
            If input, state or lengths don't fit; the messages have the module's path.
        """
        given = None if hx is None else check_pair(self, hx)
        output, (h, c) = self._run(x, given, lengths)
        return output, (h, c)
