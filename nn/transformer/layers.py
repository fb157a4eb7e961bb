"""One layer of a Transformer: attention, then a network applied at each position by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import autodiff as ad
from nn.attention.cache import LayerCache
from nn.attention.multihead import MultiheadAttention
from nn.attention.positions import RotaryPositions
from nn.checks import as_floats, check_known, check_probability, check_size
from nn.dropout import Dropout
from nn.linear import Linear
from nn.module import Module
from nn.normalization import LayerNorm

__all__ = ["Activation", "TransformerDecoderLayer", "TransformerEncoderLayer", "check_activation"]

Activation = str | Callable[[Any], Any]

_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": ad.relu,
    "gelu": ad.gelu,
    "gelu_tanh": partial(ad.gelu, approximate="tanh"),
    "silu": ad.silu,
}


def check_activation(owner: Module | str, activation: Any) -> Callable[[Any], Any]:
    """Return the function that an activation's name stands for, or the function itself."""
    if callable(activation):
        return activation  # type: ignore[no-any-return]
    return _ACTIVATIONS[check_known(owner, "activation", activation, _ACTIVATIONS)]


class _Layer(Module):
    """What both layers share: sizes, checks, and the network at each position."""

    self_attn: MultiheadAttention
    linear1: Linear
    dropout: Dropout
    linear2: Linear
    dropout1: Dropout

    def _set_sizes(self, d_model: Any, dropout: Any, activation: Any, norm_first: Any) -> None:
        self.d_model = check_size(self, "d_model", d_model, least=1)
        check_probability(self, "dropout", dropout)
        self.activation = check_activation(self, activation)
        self.norm_first = bool(norm_first)

    def _set_network(self, dim_feedforward: Any, dropout: float, bias: bool, dtype: Any) -> None:
        size = check_size(self, "dim_feedforward", dim_feedforward, least=1)
        self.linear1 = Linear(self.d_model, size, bias=bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(size, self.d_model, bias=bias, dtype=dtype)

    def _attention(
        self, x: ad.Tensor, mask: Any, padding: Any, is_causal: bool, cache: LayerCache | None
    ) -> ad.Tensor:
        y, _ = self.self_attn(
            x, x, x, padding, need_weights=False, attn_mask=mask, is_causal=is_causal, cache=cache
        )
        dropped: ad.Tensor = self.dropout1(y)
        return dropped

    def _network(self, x: ad.Tensor) -> ad.Tensor:
        y: ad.Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return y

    def _sequence(self, name: str, x: Any) -> ad.Tensor:
        given = as_floats(self, x)
        if given.ndim not in (2, 3) or given.shape[-1] != self.d_model:
            message = f"{self.location()}: {name} is {ad.errors.describe(given)}"
            remedy = (
                f"Give a sequence of vectors of {self.d_model} features, with a batch or without"
            )
            raise ad.ShapeError(f"{message}. {remedy}.")
        return given

    def extra_repr(self) -> str:
        """Return what the parts don't show."""
        return "norm_first=True" if self.norm_first else ""


class TransformerEncoderLayer(_Layer):
    r"""Self-attention and a network at each position, both with a bypass [1]_.

    With ``norm_first`` the stream is normalised on its way into each part, which trains
    without a warm-up [2]_; without it, as in the paper, after each addition:

    .. math:: \text{first:}\quad & x \leftarrow x + \mathrm{SA}(\mathrm{norm}_1(x)),\quad
       x \leftarrow x + \mathrm{FF}(\mathrm{norm}_2(x))\\
       \text{after:}\quad & x \leftarrow \mathrm{norm}_1(x + \mathrm{SA}(x)),\quad
       x \leftarrow \mathrm{norm}_2(x + \mathrm{FF}(x))\\
       & \mathrm{FF}(x) = W_2\, \phi(W_1 x + b_1) + b_2

    Parameters
    ----------
    d_model : int
        The number of features.
    nhead : int
        The number of heads, which divides it.
    dim_feedforward : int
        The hidden size of the network.
    dropout : float
        The probability of dropping: attention weights, hidden units, what is added.
    activation : {"relu", "gelu", "gelu_tanh", "silu"} or callable
        The network's.
    layer_norm_eps : float
    batch_first : bool
        Whether inputs are ``(N, T, D)`` rather than ``(T, N, D)``.
    norm_first : bool
    bias : bool
        Whether linear layers and norms have biases.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.
    rotary : RotaryPositions, optional
        Positions for the attention's queries and keys. (Not one of PyTorch's.)

    Attributes
    ----------
    self_attn : MultiheadAttention
    linear1, linear2 : Linear
        ``linear1.weight`` is ``(dim_feedforward, d_model)``.
    norm1, norm2 : LayerNorm
    dropout, dropout1, dropout2 : Dropout

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1.
    .. [2] R. Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(ad.ones((4, 5, 8))).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
        *,
        rotary: RotaryPositions | None = None,
    ) -> None:
        self._set_sizes(d_model, dropout, activation, norm_first)
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rotary=rotary
        )
        self._set_network(dim_feedforward, dropout, bias, dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
        *,
        cache: LayerCache | None = None,
    ) -> ad.Tensor:
        """Map a sequence to one of the same shape.

        Parameters
        ----------
        src : (N, T, D), (T, N, D) or (T, D)
        src_mask : (T, T) or (N * H, T, T), optional
            True where a position may **not** look at another, or floats to be added.
        src_key_padding_mask : (N, T) or (T,), optional
            True where there is padding.
        is_causal : bool
            Whether each position looks only at itself and those before.
        cache : LayerCache, optional
            See :class:`nn.KeyValueCache`.

        Raises
        ------
        ShapeError, DTypeError
            If a shape or a mask's dtype does not fit.
        """
        x: ad.Tensor = self._sequence("src", src)
        given = (src_mask, src_key_padding_mask, is_causal, cache)
        if self.norm_first:
            x = x + self._attention(self.norm1(x), *given)
            x = x + self.dropout2(self._network(self.norm2(x)))
        else:
            x = self.norm1(x + self._attention(x, *given))
            x = self.norm2(x + self.dropout2(self._network(x)))
        return x


class TransformerDecoderLayer(_Layer):
    r"""Self-attention, attention to a memory, and a network at each position [1]_.

    .. math:: x \leftarrow x + \mathrm{SA}(\mathrm{norm}_1(x)),\quad
       x \leftarrow x + \mathrm{MA}(\mathrm{norm}_2(x), \text{memory}),\quad
       x \leftarrow x + \mathrm{FF}(\mathrm{norm}_3(x))

    with ``norm_first``; without it each norm comes after its addition, as in the paper.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first
        As of :class:`TransformerEncoderLayer`.
    norm_first, bias, dtype, rotary
        As there too. The positions turn self-attention alone.

    Attributes
    ----------
    self_attn, multihead_attn : MultiheadAttention
        To the sequence itself, and to the memory.
    linear1, linear2 : Linear
    norm1, norm2, norm3 : LayerNorm
    dropout, dropout1, dropout2, dropout3 : Dropout

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(ad.ones((4, 5, 8)), memory=ad.ones((4, 7, 8)), tgt_is_causal=True).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
        *,
        rotary: RotaryPositions | None = None,
    ) -> None:
        self._set_sizes(d_model, dropout, activation, norm_first)
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rotary=rotary
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
        )
        self._set_network(dim_feedforward, dropout, bias, dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        cache: LayerCache | None = None,
    ) -> ad.Tensor:
        """Map a sequence to one of the same shape, with a look at the memory.

        Parameters
        ----------
        tgt : (N, T, D), (T, N, D) or (T, D)
        memory : (N, S, D), (S, N, D) or (S, D)
        tgt_mask, memory_mask : optional
            ``(T, T)`` and ``(T, S)``, or with one for each example and head in front; True
            where a position may **not** look, or floats to be added.
        tgt_key_padding_mask, memory_key_padding_mask : optional
            ``(N, T)`` and ``(N, S)``; True where there is padding.
        tgt_is_causal, memory_is_causal : bool
            Whether each position looks only at those up to its own.
        cache : LayerCache, optional
            Of the self-attention; see :class:`nn.KeyValueCache`.

        Raises
        ------
        ShapeError, DTypeError
            If a shape or a mask's dtype does not fit.
        """
        x: ad.Tensor = self._sequence("tgt", tgt)
        memory = self._sequence("memory", memory)
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal, cache)
        other = (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = x + self._attention(self.norm1(x), *own)
            x = x + self._memory(self.norm2(x), *other)
            x = x + self.dropout3(self._network(self.norm3(x)))
        else:
            x = self.norm1(x + self._attention(x, *own))
            x = self.norm2(x + self._memory(x, *other))
            x = self.norm3(x + self.dropout3(self._network(x)))
        return x

    def _memory(
        self, x: ad.Tensor, memory: ad.Tensor, mask: Any, padding: Any, is_causal: bool
    ) -> ad.Tensor:
        y, _ = self.multihead_attn(
            x, memory, memory, padding, need_weights=False, attn_mask=mask, is_causal=is_causal
        )
        dropped: ad.Tensor = self.dropout2(y)
        return dropped
