"""The half that writes: one token after the other, from a state and what was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autodiff as ad
from nn.attention.scores import BahdanauAttention, LuongAttention
from nn.checks import check_known, check_probability, check_size
from nn.dropout import dropout as drop
from nn.embedding import Embedding
from nn.linear import Linear
from nn.module import Module
from nn.recurrent.recurrences import State
from nn.seq2seq.encoder import CELLS, check_tokens

__all__ = ["Carried", "Decoder", "Memory"]


class Memory(NamedTuple):
    """What a decoder looks at.

    Attributes
    ----------
    keys : Tensor (N, S, M)
        The encoder's outputs.
    mask : Tensor of bool (N, S) or None
        True where they are no padding.
    """

    keys: ad.Tensor
    mask: ad.Tensor | None = None


class Carried(NamedTuple):
    """What a decoder carries from step to step; every tensor has the batch in front.

    Attributes
    ----------
    states : list of tuples of Tensors (N, H)
        Each layer's state.
    fed : Tensor (N, H) or None
        With input feeding, what the last step's output was computed of.
    """

    states: list[State]
    fed: ad.Tensor | None = None

    def taken(self, index: ad.Tensor) -> Carried:
        """Return the rows of a batch at an index: the hypotheses of a beam that go on."""
        states = [tuple([ad.take(s, index, axis=0) for s in state]) for state in self.states]
        return Carried(states, None if self.fed is None else ad.take(self.fed, index, axis=0))


Advance = Callable[[ad.Tensor, Carried], tuple[ad.Tensor, ad.Tensor | None, Carried]]


class Decoder(Module):
    r"""A recurrent decoder of token sequences, with or without attention.

    Without attention all that it knows of the source is the state that it starts from
    (Sutskever, Vinyals and Le 2014):

    .. math::
        s_t &= \mathrm{RNN}(E_{y_{t-1}}, s_{t-1}) \\
        \log p(y_t) &= \log\mathrm{softmax}(W_o s_t + b_o)

    With additive attention (Bahdanau, Cho and Bengio 2015, appendix A.2.2; their maxout layer
    is an affine one here) the state before the step asks, and the step reads the answer:

    .. math::
        c_t &= \mathrm{attention}(s_{t-1}, h) \\
        s_t &= \mathrm{RNN}([E_{y_{t-1}}; c_t], s_{t-1}) \\
        \log p(y_t) &= \log\mathrm{softmax}(W_o [s_t; c_t; E_{y_{t-1}}] + b_o)

    With multiplicative attention (Luong, Pham and Manning 2015, equations 5 and 6) the state
    after the step asks:

    .. math::
        s_t &= \mathrm{RNN}(E_{y_{t-1}}, s_{t-1}),\qquad
        c_t = \mathrm{attention}(s_t, h) \\
        \tilde s_t &= \tanh(W_c [c_t; s_t]) \\
        \log p(y_t) &= \log\mathrm{softmax}(W_o \tilde s_t + b_o)

    and with ``input_feeding`` (their section 3.3) the next step reads
    :math:`[E_{y_t}; \tilde s_t]`. Without it, steps whose inputs are known run at once.

    Parameters
    ----------
    vocabulary_size : int
        V, the number of tokens.
    embedding_size : int
        The size of a token's vector.
    hidden_size : int
        H, the size of the state.
    cell : {"gru", "lstm", "rnn"}
    num_layers : int
    attention : {"bahdanau", "luong"} or Module, optional
        A module is called as :class:`LuongAttention` is; a :class:`BahdanauAttention` is asked
        before the step, any other after it.
    memory_size : int, optional
        M, the number of features of what is attended to: ``encoder.output_size``. Needed with
        attention.
    input_feeding : bool
        Only with attention that is asked after the step.
    dropout : float
        With what probability, in training, an element of an embedding, between layers, or
        before the last affine map is set to zero.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    embedding : Embedding
    rnn : RNN, LSTM or GRU
    attention : Module or None
    W_c : Linear
        ``(H, M + H)``, for attention after the step.
    out : Linear
        :math:`W_o, b_o`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> from nn.seq2seq.decoder import Memory
    >>> decoder = nn.Decoder(10, 4, 8, attention="luong", memory_size=6)
    >>> memory = Memory(ad.ones((2, 5, 6)))
    >>> logits, weights = decoder([[1, 2, 3], [4, 5, 6]], (ad.zeros((1, 2, 8)),), memory)
    >>> logits.shape, weights.shape
    ((2, 3, 10), (2, 3, 5))
    """

    attention: Module | None

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        cell: str = "gru",
        num_layers: int = 1,
        attention: str | Module | None = None,
        memory_size: int | None = None,
        input_feeding: bool = False,
        dropout: float = 0.0,
        dtype: Any = None,
    ) -> None:
        self.cell = check_known(self, "cell", cell, CELLS)
        self.vocabulary_size = check_size(self, "vocabulary_size", vocabulary_size, 1)
        self.dropout = check_probability(self, "dropout", dropout)
        self.memory_size = self._memory_size(attention, memory_size)
        self.input_feeding = bool(input_feeding)
        self.embedding = Embedding(vocabulary_size, embedding_size, dtype=dtype)
        if isinstance(attention, str):
            check_known(self, "attention", attention, ("bahdanau", "luong"))
            kind = BahdanauAttention if attention == "bahdanau" else LuongAttention
            attention = kind(hidden_size, self.memory_size, dtype=dtype)
        self._asks_before = isinstance(attention, BahdanauAttention)
        if input_feeding and (attention is None or self._asks_before):
            message = f"{self.location()}: input_feeding, but nothing attends after the step"
            raise ad.OptionError(f"{message}. Leave it out, or give attention='luong'.")
        inputs = embedding_size + hidden_size * self.input_feeding
        read = hidden_size
        if self._asks_before:
            inputs += self.memory_size
            read += self.memory_size + embedding_size
        self.rnn = CELLS[cell](
            inputs, hidden_size, num_layers, batch_first=True, dropout=dropout, dtype=dtype
        )
        self.attention = attention
        if attention is not None and not self._asks_before:
            self.W_c = Linear(self.memory_size + hidden_size, hidden_size, bias=False, dtype=dtype)
        self.out = Linear(read, vocabulary_size, dtype=dtype)

    def _memory_size(self, attention: Any, memory_size: Any) -> int:
        if attention is not None and not isinstance(attention, (str, Module)):
            message = f"{self.location()}: attention can't be a {type(attention).__name__}"
            raise ad.OptionError(f"{message}. Give 'bahdanau', 'luong', a module or None.")
        if attention is not None and memory_size is None:
            message = f"{self.location()}: attention to a memory of unknown size"
            raise ad.OptionError(f"{message}. Give memory_size=encoder.output_size.")
        return 0 if memory_size is None else check_size(self, "memory_size", memory_size, 1)

    def forward(
        self, tokens: Any, state: tuple[ad.Tensor, ...], memory: Memory | None = None
    ) -> tuple[ad.Tensor, ad.Tensor | None]:
        """Compute what follows each token, where all tokens are known.

        Parameters
        ----------
        tokens : integer Tensor (N, T)
            The start token, and then what was written: a step's input, not its output.
        state : tuple of Tensors (L, N, H)
            Where to start from.
        memory : Memory, optional
            Needed with attention.

        Returns
        -------
        Tensor (N, T, V)
            Logits of the next token.
        Tensor (N, T, S) or None
            The attention's weights.

        Raises
        ------
        ShapeError, DTypeError, DomainError, OptionError
            If tokens, state or memory don't fit.
        """
        tokens = check_tokens(self, "tokens", tokens)
        self._check(tokens.shape[0], state, memory)
        embedded = self.embed(tokens)
        if not self._asks_before and not self.input_feeding:
            hx = state if self.cell == "lstm" else state[0]
            output, _ = self.rnn(embedded, hx)
            features, weights = self._read(output, memory)
            return self.logits(features), weights
        advance, carried = self.begin(state, memory)
        read, looked = [], []
        for x in ad.unstack(embedded, axis=1):
            features, weights, carried = advance(x, carried)
            read.append(features)
            looked.append(weights)
        return self.logits(ad.stack(read, axis=1)), ad.stack(looked, axis=1)

    def embed(self, tokens: ad.Tensor) -> ad.Tensor:
        """Look tokens ``(...)`` up: ``(..., embedding_size)``."""
        return drop(self.embedding(tokens), self.dropout, self.training)

    def logits(self, features: ad.Tensor) -> ad.Tensor:
        """Map what steps read ``(..., *)`` to logits ``(..., V)``."""
        logits: ad.Tensor = self.out(drop(features, self.dropout, self.training))
        return logits

    def begin(
        self, state: tuple[ad.Tensor, ...], memory: Memory | None = None
    ) -> tuple[Advance, Carried]:
        """Get ready to run step by step.

        Returns
        -------
        advance : callable
            ``advance(x, carried)`` takes embedded tokens ``(N, embedding_size)`` and returns
            what :meth:`logits` takes, the attention's weights ``(N, S)`` or None, and what to
            carry on. What depends on the parameters and the memory alone was computed before.
        Carried
            What the first step takes.
        """
        attention: Any = self.attention
        step = self.rnn.stepper()
        layers = zip(*[ad.unstack(member) for member in state], strict=True)
        fed = ad.zeros_like(state[0][-1]) if self.input_feeding else None
        projected = None
        if memory is not None and hasattr(attention, "project_keys"):
            projected = attention.project_keys(memory.keys)
        options = {} if projected is None else {"projected_keys": projected}

        def advance(x: ad.Tensor, carried: Carried) -> tuple[ad.Tensor, ad.Tensor | None, Carried]:
            if memory is not None and self._asks_before:
                query = carried.states[-1][0]
                context, weights = attention(query, memory.keys, memory.mask, **options)
                h, states = step(ad.concat([x, context], axis=-1), carried.states)
                return ad.concat([h, context, x], axis=-1), weights, Carried(states)
            if carried.fed is not None:
                x = ad.concat([x, carried.fed], axis=-1)
            h, states = step(x, carried.states)
            features, weights = self._read(h, memory, **options)
            return features, weights, Carried(states, features if self.input_feeding else None)

        return advance, Carried(list(layers), fed)

    def _read(
        self, h: ad.Tensor, memory: Memory | None, **options: Any
    ) -> tuple[ad.Tensor, ad.Tensor | None]:
        """Attend after the step, from states ``(N, H)`` or those of all steps ``(N, T, H)``."""
        if self.attention is None or memory is None:
            return h, None
        context, weights = self.attention(h, memory.keys, memory.mask, **options)
        return ad.tanh(self.W_c(ad.concat([context, h], axis=-1))), weights

    def _check(self, batch: int, state: Any, memory: Memory | None) -> None:
        members = 2 if self.cell == "lstm" else 1
        shape = (self.rnn.num_layers, batch, self.rnn.hidden_size)
        if not isinstance(state, tuple) or [getattr(s, "shape", None) for s in state] != (
            [shape] * members
        ):
            given = state if isinstance(state, tuple) else [state]
            found = ", ".join(ad.errors.describe(s) for s in given)
            message = f"{self.location()}: the state is {found}"
            raise ad.ShapeError(f"{message}. Give a tuple of {members}, each {shape}.")
        if self.attention is not None and memory is None:
            message = f"{self.location()}: there is attention, but nothing to attend to"
            raise ad.OptionError(f"{message}. Give memory=Memory(outputs, mask).")

    def extra_repr(self) -> str:
        """Return the kind of cell, and whether outputs are fed back."""
        return f"cell={self.cell!r}" + ", input_feeding=True" * self.input_feeding
