"""The half that reads: from tokens to one vector for each of them, and a final state."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.checks import as_input, check_known, check_probability, check_size
from nn.dropout import dropout as drop
from nn.embedding import Embedding
from nn.module import Module
from nn.recurrent import GRU, LSTM, RNN
from nn.recurrent.packing import as_lengths, pack_padded_sequence, pad_packed_sequence

__all__ = ["CELLS", "Encoder", "check_tokens"]

CELLS: dict[str, type[Any]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


class Encoder(Module):
    r"""A recurrent encoder of token sequences.

    .. math:: h_1, \dots, h_S = \mathrm{RNN}(E_{x_1}, \dots, E_{x_S})

    With both directions, :math:`h_j` is that of the forward and that of the backward network
    joined: it sums up what stands around :math:`x_j` (Bahdanau et al. 2015, section 3.2).

    Parameters
    ----------
    vocabulary_size : int
        V, the number of tokens.
    embedding_size : int
        The size of a token's vector.
    hidden_size : int
        H, the size of the state in each direction.
    cell : {"gru", "lstm", "rnn"}
    num_layers : int
    bidirectional : bool
    dropout : float
        With what probability, in training, an element of an embedding, or between layers, is
        set to zero.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    embedding : Embedding
    rnn : RNN, LSTM or GRU
    output_size : int
        ``D * H``, the number of features of an output; D is 2 with both directions.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> encoder = nn.Encoder(10, 4, 8, bidirectional=True)
    >>> memory, (h,) = encoder(ad.tensor([[1, 2, 3], [4, 5, 0]]), [3, 2])
    >>> memory.shape, h.shape
    ((2, 3, 16), (1, 2, 16))
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        cell: str = "gru",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        dtype: Any = None,
    ) -> None:
        self.cell = check_known(self, "cell", cell, CELLS)
        self.dropout = check_probability(self, "dropout", dropout)
        self.embedding = Embedding(
            check_size(self, "vocabulary_size", vocabulary_size, 1), embedding_size, dtype=dtype
        )
        self.rnn = CELLS[cell](
            embedding_size, hidden_size, num_layers, batch_first=True, dropout=dropout,
            bidirectional=bidirectional, dtype=dtype,
        )  # fmt: skip
        self.output_size: int = self.rnn.output_size

    def forward(self, tokens: Any, lengths: Any = None) -> tuple[ad.Tensor, tuple[ad.Tensor, ...]]:
        """Read a batch of sequences.

        Parameters
        ----------
        tokens : integer Tensor (N, S)
        lengths : sequence of int (N,), optional
            How many tokens of each sequence are no padding. The padding is not even looked
            up: any numbers may stand there.

        Returns
        -------
        Tensor (N, S, D H)
            The outputs; zeros at padding.
        tuple of Tensors (L, N, D H)
            The final states of the layers, ``(h,)`` or an LSTM's ``(h, c)``, those of both
            directions joined.

        Raises
        ------
        ShapeError, DTypeError, DomainError
            If tokens or lengths don't fit, or a token is not in the vocabulary.
        """
        tokens = check_tokens(self, "tokens", tokens)
        batch, steps = tokens.shape
        counts = [] if lengths is None else as_lengths(self, lengths, batch, steps)
        if all(count == steps for count in counts):
            output, final = self.rnn(self._embedded(tokens))
        else:
            packed = pack_padded_sequence(tokens, counts, True, enforce_sorted=False)
            rows = self._embedded(packed.data)
            output, final = self.rnn(packed._replace(data=rows))
            output, _ = pad_packed_sequence(output, batch_first=True, total_length=steps)
        states = final if isinstance(final, tuple) else (final,)
        return output, tuple([self._joined(state) for state in states])

    def _embedded(self, tokens: ad.Tensor) -> ad.Tensor:
        return drop(self.embedding(tokens), self.dropout, self.training)

    def _joined(self, state: ad.Tensor) -> ad.Tensor:
        """Join the directions: ``(L D, N, H)`` to ``(L, N, D H)``."""
        if not self.rnn.bidirectional:
            return state
        joined: ad.Tensor = ad.concat([state[0::2], state[1::2]], axis=-1)
        return joined

    def extra_repr(self) -> str:
        """Return the kind of cell."""
        return f"cell={self.cell!r}"


def check_tokens(owner: Module, name: str, tokens: Any) -> ad.Tensor:
    """Return a batch of token sequences; raise a typed error unless it is integers ``(N, T)``."""
    found = as_input(owner, tokens)
    if found.ndim != 2 or found.shape[1] == 0:
        message = f"{owner.location()}: {name} are {ad.errors.describe(found)}"
        raise ad.ShapeError(f"{message}. Give integers (N, T), a row for each sequence.")
    if found.dtype.kind not in "iu":
        message = f"{owner.location()}: {name} are {ad.errors.describe(found)}"
        raise ad.DTypeError(f"{message}. Give tokens as integers (N, T).")
    return found
