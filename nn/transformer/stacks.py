"""Layers upon layers: encoder, decoder, and both as the Transformer of the paper."""

from __future__ import annotations

import copy
import sys
from typing import Any

import autodiff as ad
from nn import init
from nn.checks import check_size
from nn.containers import ModuleList
from nn.module import Module
from nn.normalization import LayerNorm
from nn.transformer.layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


class _Stack(Module):
    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        count = check_size(self, "num_layers", num_layers, 1, sys.maxsize)
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(count))
        self.num_layers = count
        self.norm = norm

    def _normed(self, x: ad.Tensor) -> ad.Tensor:
        if self.norm is not None:
            x = self.norm(x)
        return x


class TransformerEncoder(_Stack):
    """A stack of encoder layers.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer
        Copied ``num_layers`` times: all begin with its weights, as in PyTorch. (Draw them
        anew with :mod:`nn.init`; :class:`Transformer` does.)
    num_layers : int
    norm : Module, optional
        Applied at the end; layers with ``norm_first`` want one.

    Attributes
    ----------
    layers : ModuleList
        ``layers.0``, ``layers.1``, ...

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    >>> encoder = nn.TransformerEncoder(layer, num_layers=2, norm=nn.LayerNorm(8))
    >>> encoder(ad.ones((4, 5, 8))).shape
    (4, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Any,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> ad.Tensor:
        """Apply the layers; arguments as of :class:`TransformerEncoderLayer`.

        Unlike PyTorch in evaluation mode, positions of padding keep the numbers that the
        layers give them: they are not set to zero.
        """
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return self._normed(src)


class TransformerDecoder(_Stack):
    """A stack of decoder layers, all of which look at the same memory.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer
        Copied ``num_layers`` times: all begin with its weights, as in PyTorch.
    num_layers : int
    norm : Module, optional
        Applied at the end.

    Attributes
    ----------
    layers : ModuleList
        ``layers.0``, ``layers.1``, ...

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> decoder = nn.TransformerDecoder(layer, num_layers=2)
    >>> decoder(ad.ones((4, 5, 8)), ad.ones((4, 7, 8))).shape
    (4, 5, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

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
    ) -> ad.Tensor:
        """Apply the layers; arguments as of :class:`TransformerDecoderLayer`."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                tgt_is_causal,
                memory_is_causal,
            )
        return self._normed(tgt)


class Transformer(Module):
    """An encoder reads one sequence, a decoder writes another [1]_.

    Embeddings, positions and the final linear map are the model's around it.

    Parameters
    ----------
    d_model : int
        The number of features.
    nhead : int
        The number of heads, which divides it.
    num_encoder_layers, num_decoder_layers : int
    dim_feedforward, dropout, activation
        As of :class:`TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module, optional
        In place of those that would be built.
    layer_norm_eps, batch_first, norm_first, bias, dtype
        As of :class:`TransformerEncoderLayer`.

    Attributes
    ----------
    encoder : TransformerEncoder
    decoder : TransformerDecoder
        Both end with a norm. All matrices start from Xavier's uniform distribution.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> model = nn.Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> model(ad.ones((4, 7, 8)), ad.ones((4, 5, 8)), tgt_is_causal=True).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        sizes = (d_model, nhead, dim_feedforward, dropout, activation)
        options = (layer_norm_eps, batch_first, norm_first, bias, dtype)
        self.d_model = check_size(self, "d_model", d_model, least=1)
        self.nhead = nhead
        self.batch_first = bool(batch_first)
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            layer = TransformerEncoderLayer(*sizes, *options)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        self.encoder = custom_encoder
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            copied = TransformerDecoderLayer(*sizes, *options)
            custom_decoder = TransformerDecoder(copied, num_decoder_layers, norm)
        self.decoder = custom_decoder
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all matrices anew, each by itself."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> ad.Tensor:
        """Encode ``src``, decode ``tgt`` with a look at it; the result has the shape of ``tgt``.

        Parameters
        ----------
        src : (N, S, D), (S, N, D) or (S, D)
        tgt : (N, T, D), (T, N, D) or (T, D)
        src_mask, tgt_mask, memory_mask : optional
            ``(S, S)``, ``(T, T)`` and ``(T, S)``, or with one for each example and head in
            front; True where a position may **not** look, or floats to be added.
        src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask : optional
            ``(N, S)``, ``(N, T)`` and ``(N, S)``; True where there is padding. That of the
            memory is usually that of ``src`` again.
        src_is_causal, tgt_is_causal, memory_is_causal : bool
            Whether each position looks only at those up to its own.

        Raises
        ------
        ShapeError, DTypeError
            If a shape or a mask's dtype does not fit.
        """
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        decoded: ad.Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )
        return decoded

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: Any = None) -> ad.Tensor:
        """Return the mask of a causal model as floats: 0 up to the diagonal, -inf above.

        ``is_causal=True`` says the same and is kept from call to call.

        Parameters
        ----------
        sz : int
            The length of the sequence.
        dtype : dtype, optional
            At first the default dtype.

        Examples
        --------
        >>> import nn
        >>> nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[  0., -inf],
                [  0.,   0.]], dtype=float32)
        """
        size = check_size("generate_square_subsequent_mask", "sz", sz)
        return ad.triu(ad.full((size, size), -ad.inf, dtype=dtype), k=1)
