"""Encoder and decoder together: training with teacher forcing, decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import check_size
from nn.linear import Linear
from nn.losses.entropy import cross_entropy
from nn.module import Module
from nn.recurrent.packing import as_lengths
from nn.recurrent.parameters import check_finite
from nn.seq2seq.decoder import Decoder, Memory
from nn.seq2seq.encoder import Encoder, check_tokens
from nn.seq2seq.search import Decoded, beam_search, greedy_search

__all__ = ["Seq2Seq"]


class Seq2Seq(Module):
    r"""A model of one sequence given another of another length.

    .. math:: p(y \mid x) = \prod_t p(y_t \mid y_1, \dots, y_{t-1}, x)

    The encoder reads :math:`x`; the decoder starts from its final state and writes
    :math:`y`, of which the last token is the end token. Where the encoder's states have the
    shape of the decoder's they are handed over as they are. Otherwise an affine map of the
    encoder's last layer makes the decoder's states, :math:`s_0 = \tanh(W h_S + b)` (Bahdanau
    et al. 2015, appendix A.2.2), and without the tanh an LSTM's memory.

    Parameters
    ----------
    encoder : Module
        :class:`Encoder`, or what is called as it is, returns what it does, and has its
        ``output_size``.
    decoder : Decoder
    start : int
        The token that the decoder reads first.
    end : int
        The token with which it ends a sequence.
    teacher_forcing : float or callable
        With what probability, in training, a step reads the token that is right, rather than
        the one that the model thinks most likely; drawn for each step of each sequence
        (scheduled sampling, Bengio et al. 2015, arXiv:1506.03099). A callable gets the number
        of training steps so far: ``lambda step: max(0.5, 1 - step / 10_000)``.

    Attributes
    ----------
    steps : Tensor
        How many forward passes were made in training mode; part of the state dict.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> encoder = nn.Encoder(10, 4, 8, bidirectional=True)
    >>> decoder = nn.Decoder(12, 4, 8, attention="luong", memory_size=encoder.output_size)
    >>> model = nn.Seq2Seq(encoder, decoder, start=10, end=11)
    >>> source = ad.tensor([[1, 2, 3], [4, 5, 0]])
    >>> target = ad.tensor([[3, 2, 1, 11], [5, 4, 11, 0]])
    >>> model(source, target, [3, 2]).shape
    (2, 4, 12)
    >>> loss = model.loss(source, target, [3, 2], [4, 3])
    >>> decoded = model.beam_search(source, [3, 2], max_length=6, beam_width=4)
    >>> decoded.tokens.shape[:2]
    (2, 4)
    """

    steps: ad.Tensor

    def __init__(
        self,
        encoder: Module,
        decoder: Decoder,
        start: int,
        end: int,
        teacher_forcing: float | Callable[[int], float] = 1.0,
    ) -> None:
        if not isinstance(decoder, Decoder):
            message = f"{self.location()}: the decoder is a {type(decoder).__name__}"
            raise ad.DTypeError(f"{message}. Give an nn.Decoder.")
        if not hasattr(encoder, "output_size"):
            message = f"{self.location()}: the encoder, a {type(encoder).__name__}, has no"
            raise ad.OptionError(f"{message} output_size. Give an nn.Encoder, or set it.")
        self.encoder, self.decoder = encoder, decoder
        size = check_size(self, "encoder.output_size", encoder.output_size, 1)
        if decoder.attention is not None and decoder.memory_size != size:
            message = f"{self.location()}: the decoder attends to {decoder.memory_size} features"
            raise ad.OptionError(
                f"{message}, the encoder has {size}. Give memory_size=encoder.output_size."
            )
        self.start, self.end = self._token("start", start), self._token("end", end)
        self.teacher_forcing = teacher_forcing
        if not callable(teacher_forcing):
            self._ratio(teacher_forcing)
        members = 2 if decoder.cell == "lstm" else 1
        self._fits = (
            isinstance(encoder, Encoder)
            and (encoder.rnn.num_layers, size) == (decoder.rnn.num_layers, decoder.rnn.hidden_size)
            and (encoder.cell == "lstm" or members == 1)
        )
        if not self._fits:
            units = decoder.rnn.num_layers * decoder.rnn.hidden_size
            dtype = decoder.out.weight.dtype
            self.bridge = Linear(size, members * units, dtype=dtype)
        self.register_buffer("steps", ad.asarray(0))

    def _token(self, name: str, token: Any) -> int:
        number = check_size(self, name, token)
        if number >= self.decoder.vocabulary_size:
            message = f"{self.location()}: {name} is {number}, the decoder's vocabulary has"
            raise ad.DomainError(
                f"{message} {self.decoder.vocabulary_size} tokens. Give one of them."
            )
        return number

    def _check_known(self, target: ad.Tensor) -> None:
        """Raise unless the vocabulary has every token; the decoder does not read the last one."""
        size = self.decoder.vocabulary_size
        unknown = target[(target < 0) | (target >= size)]
        if unknown.size:
            message = f"{self.location()}: the target has the token {unknown[0].item()}"
            raise ad.DomainError(
                f"{message}, the decoder a vocabulary of {size}. Give tokens from 0 to {size - 1}, "
                "and target_lengths where there is padding."
            )

    def _ratio(self, ratio: Any) -> float:
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
            message = f"{self.location()}: teacher_forcing is {ratio!r}"
            raise ad.DomainError(f"{message}. Give a number from 0 to 1, or a callable that does.")
        return float(ratio)

    # -- training --------------------------------------------------------------------------

    def forward(
        self, source: Any, target: Any, source_lengths: Any = None, target_lengths: Any = None
    ) -> ad.Tensor:
        """Compute the logits of a target's tokens.

        In training mode the decoder's inputs are the target's tokens with the probability
        ``teacher_forcing``; in evaluation mode always.

        Parameters
        ----------
        source : integer Tensor (N, S)
        target : integer Tensor (N, T)
            What shall be written, the end tokens included and the start token not.
        source_lengths, target_lengths : sequence of int (N,), optional
            How many tokens are no padding. Any numbers may stand in padding.

        Returns
        -------
        Tensor (N, T, V)
            ``[:, t]`` are the logits of ``target[:, t]``. Those at padding mean nothing.

        Raises
        ------
        ShapeError, DTypeError, DomainError
            If tokens or lengths don't fit, or a token is not in the vocabulary.
        """
        target = check_tokens(self, "the target's tokens", target)
        batch, length = target.shape
        if target_lengths is not None:
            counts = ad.asarray(as_lengths(self, target_lengths, batch, length), dtype=ad.int64)
            target = ad.where(ad.arange(length) < counts[:, None], target, self.end)
        self._check_known(target)
        ratio = 1.0
        if self.training:
            given = self.teacher_forcing
            ratio = self._ratio(given(self.steps.item()) if callable(given) else given)
        state, memory = self._read(source, source_lengths, batch)
        first = ad.full((batch, 1), self.start, dtype=target.dtype)
        inputs = ad.concat([first, target[:, :-1]], axis=1)
        logits: ad.Tensor
        if ratio == 1:
            logits, _ = self.decoder(inputs, state, memory)
        else:
            logits = self._sampled(inputs, state, memory, ratio)
        if self.training:
            with ad.no_grad():
                self.steps.copy_(self.steps + 1)
        return logits

    def _sampled(
        self, inputs: ad.Tensor, state: tuple[ad.Tensor, ...], memory: Memory, ratio: float
    ) -> ad.Tensor:
        """Run step by step, each reading a given token or the model's own."""
        decoder = self.decoder
        batch, length = inputs.shape
        forced = ad.random.bernoulli(ratio, (length, batch)).astype(bool)
        advance, carried = decoder.begin(state, memory)
        rows: list[ad.Tensor] = []
        for t in range(length):
            tokens = inputs[:, t]
            if rows:
                tokens = ad.where(forced[t], tokens, ad.argmax(rows[-1].detach(), axis=-1))
            features, _, carried = advance(decoder.embed(tokens), carried)
            rows.append(decoder.logits(features))
        return ad.stack(rows, axis=1)

    def loss(
        self, source: Any, target: Any, source_lengths: Any = None, target_lengths: Any = None
    ) -> ad.Tensor:
        """Return the mean cross-entropy of the target's tokens, without those at padding.

        Parameters as of :meth:`forward`.
        """
        target = check_tokens(self, "the target's tokens", target)
        logits = self(source, target, source_lengths, target_lengths)
        if target_lengths is None:
            return cross_entropy(logits.reshape((-1, logits.shape[-1])), target.reshape(-1))
        batch, length = target.shape
        counts = ad.asarray(as_lengths(self, target_lengths, batch, length), dtype=ad.int64)
        valid = ad.arange(length) < counts[:, None]
        return cross_entropy(logits[valid], target[valid])

    def _read(
        self, source: Any, lengths: Any, batch: int | None = None
    ) -> tuple[tuple[ad.Tensor, ...], Memory]:
        """Run the encoder; return the decoder's initial state and what it may look at."""
        source = check_tokens(self, "the source's tokens", source)
        if batch is not None and source.shape[0] != batch:
            message = f"{self.location()}: {source.shape[0]} source sequences for {batch} targets"
            raise ad.ShapeError(f"{message}. Give as many of both.")
        keys, final = self.encoder(source, lengths)
        mask = None
        if lengths is not None:
            counts = ad.asarray(as_lengths(self, lengths, *source.shape), dtype=ad.int64)
            mask = ad.arange(source.shape[1]) < counts[:, None]
        members = 2 if self.decoder.cell == "lstm" else 1
        if self._fits:
            return final[:members], Memory(keys, mask)
        rnn = self.decoder.rnn
        made = self.bridge(final[0][-1]).reshape((-1, members, rnn.num_layers, rnn.hidden_size))
        h, *c = ad.unstack(made.swapaxes(0, 2), axis=1)
        return (ad.tanh(h), *c), Memory(keys, mask)

    # -- decoding --------------------------------------------------------------------------

    @typed
    def greedy(
        self, source: Any, source_lengths: Any = None, *, max_length: int | None = None
    ) -> Decoded:
        """Write the most likely token at each step.

        Dropout is off meanwhile, and nothing is recorded.

        Parameters
        ----------
        source : integer Tensor (N, S)
        source_lengths : sequence of int (N,), optional
        max_length : int, optional
            After how many tokens to stop; at first ``2 S + 10``.

        Returns
        -------
        Decoded
            Tokens ``(N, T)``, scores and lengths ``(N,)``, attention ``(N, T, S)`` or None.

        Raises
        ------
        DomainError
            If the logits are NaN or infinite, or the source does not fit.
        """
        with self._deciding():
            state, memory = self._read(source, source_lengths)
            steps = self._max_length(max_length, memory)
            where = f"{self.location()}.greedy"
            return greedy_search(where, self.decoder, state, memory, self.start, self.end, steps)

    @typed
    def beam_search(
        self,
        source: Any,
        source_lengths: Any = None,
        *,
        beam_width: int = 5,
        length_penalty: float = 0.0,
        max_length: int | None = None,
    ) -> Decoded:
        r"""Write several sequences at once, and keep the most likely.

        A hypothesis that ends leaves the beam, which is narrower from then on (Sutskever et
        al. 2014, section 3.2); so a width of 1 is :meth:`greedy`. At last hypotheses are
        ranked by Wu et al.'s score (2016, arXiv:1609.08144, equation 14, without coverage)

        .. math:: \frac{\log p(y \mid x)}{\mathrm{lp}(y)},\qquad
           \mathrm{lp}(y) = \left(\frac{5 + |y|}{6}\right)^\alpha,

        where :math:`|y|` counts the end token.

        Parameters
        ----------
        source : integer Tensor (N, S)
        source_lengths : sequence of int (N,), optional
        beam_width : int
            K, how many hypotheses there are for each source.
        length_penalty : float
            :math:`\alpha`, 0 or more: the larger, the longer the sequences.
        max_length : int, optional
            After how many tokens to stop; at first ``2 S + 10``. Hypotheses that have not
            ended by then are ranked as they are.

        Returns
        -------
        Decoded
            Tokens ``(N, K, T)``, scores and lengths ``(N, K)``, attention ``(N, K, T, S)`` or
            None; the best first. Where there are fewer than K, the last have the score
            ``-inf`` and the length 0.

        Raises
        ------
        DomainError
            As :meth:`greedy`.
        """
        width = check_size(self, "beam_width", beam_width, 1)
        penalty = check_finite(self, "length_penalty", length_penalty)
        if penalty < 0:
            message = f"{self.location()}: length_penalty is {length_penalty!r}"
            raise ad.DomainError(f"{message}. Give 0 or more.")
        with self._deciding():
            state, memory = self._read(source, source_lengths)
            steps = self._max_length(max_length, memory)
            where = f"{self.location()}.beam_search"
            return beam_search(
                where, self.decoder, state, memory, self.start, self.end, steps, width, penalty
            )

    def _max_length(self, given: int | None, memory: Memory) -> int:
        default = 2 * memory.keys.shape[1] + 10
        return default if given is None else check_size(self, "max_length", given, 1)

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """Without gradients and without dropout; every module's mode is restored."""
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            with ad.no_grad():
                yield
        finally:
            for module, mode in modes:
                module.training = mode

    def extra_repr(self) -> str:
        """Return the special tokens."""
        return f"start={self.start}, end={self.end}"
