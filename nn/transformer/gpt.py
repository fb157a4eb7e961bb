"""A decoder-only language model."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import autodiff as ad
from nn import init
from nn.attention.cache import KeyValueCache
from nn.attention.positions import LearnedPositions, RotaryPositions
from nn.calls import checked, typed
from nn.checks import (
    as_input,
    check_known,
    check_logits,
    check_positive,
    check_probability,
    check_size,
)
from nn.containers import ModuleList
from nn.dropout import Dropout
from nn.embedding import Embedding
from nn.linear import Linear
from nn.module import Module
from nn.normalization import LayerNorm
from nn.transformer.layers import Activation, TransformerEncoderLayer, check_activation
from nn.transformer.sampling import check_sampling, sample

__all__ = ["GPT", "GPTConfig"]


@dataclass(frozen=True)
class GPTConfig:
    """The sizes and options of a :class:`GPT`; those of GPT-2 are ``GPTConfig.gpt2()``.

    Attributes
    ----------
    vocab_size : int
        How many tokens there are.
    context_length : int
        How many of them the model sees at once.
    num_layers, num_heads, embed_dim : int
        Layers, heads of each, and features; the heads divide the features.
    dim_feedforward : int, optional
        The hidden size of each layer's network; four times ``embed_dim`` where None.
    dropout : float
        The probability of dropping: embeddings, attention weights, hidden units, what is added.
    bias : bool
        Whether linear layers and norms have biases.
    activation : {"gelu_tanh", "gelu", "relu", "silu"} or callable
        The first is GPT-2's.
    positions : {"learned", "rotary"}
        A vector added for each position, or queries and keys rotated by it.
    tie_weights : bool
        Whether the embedding's weight is that of the last linear map, too [1]_.
    layer_norm_eps : float
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    References
    ----------
    .. [1] O. Press and L. Wolf, "Using the output embedding to improve language models",
       EACL 2017.
    """

    vocab_size: int
    context_length: int = 256
    num_layers: int = 4
    num_heads: int = 4
    embed_dim: int = 128
    dim_feedforward: int | None = None
    dropout: float = 0.0
    bias: bool = True
    activation: Activation = "gelu_tanh"
    positions: str = "learned"
    tie_weights: bool = True
    layer_norm_eps: float = 1e-5
    dtype: Any = None

    def __post_init__(self) -> None:
        """Raise OptionError or DomainError where a number or a word is not what it must be."""
        for name in ("vocab_size", "context_length", "num_layers", "num_heads", "embed_dim"):
            check_size("GPTConfig", name, getattr(self, name), 1, sys.maxsize)
        if self.dim_feedforward is not None:
            check_size("GPTConfig", "dim_feedforward", self.dim_feedforward, least=1)
        if self.embed_dim % self.num_heads:
            message = f"GPTConfig: embed_dim {self.embed_dim} is not divisible by num_heads"
            raise ad.OptionError(f"{message} {self.num_heads}. Choose sizes that divide.")
        check_probability("GPTConfig", "dropout", self.dropout)
        check_activation("GPTConfig", self.activation)
        check_known("GPTConfig", "positions", self.positions, ("learned", "rotary"))
        size = self.embed_dim // self.num_heads
        if self.positions == "rotary" and size % 2:
            message = f"GPTConfig: rotary positions turn pairs of features, a head has {size}"
            raise ad.OptionError(f"{message}. Choose embed_dim / num_heads to be an even number.")
        check_positive("GPTConfig", "layer_norm_eps", self.layer_norm_eps, or_zero=True)

    @classmethod
    def gpt2(cls, **changed: Any) -> GPTConfig:
        """Return the configuration of the smallest GPT-2, with changes.

        Examples
        --------
        >>> import nn
        >>> nn.GPTConfig.gpt2(dropout=0.0).num_layers
        12
        """
        sizes = {"vocab_size": 50257, "context_length": 1024, "num_layers": 12, "num_heads": 12}
        return cls(**{**sizes, "embed_dim": 768, "dropout": 0.1, **changed})


GPTConfig.__init__ = checked(GPTConfig.__init__)  # type: ignore[method-assign]


class GPT(Module):
    r"""A language model: each token's distribution, given those before it [1]_.

    .. math:: x^0 = \mathrm{dropout}(W_e[\text{tokens}] + W_p),\qquad
       x^{l+1} = \mathrm{layer}_l(x^l),\qquad \text{logits} = \mathrm{norm}(x^L)\, W_e^\top

    The layers are :class:`TransformerEncoderLayer` s with ``norm_first`` and ``is_causal``.

    Parameters
    ----------
    config : GPTConfig

    Attributes
    ----------
    config : GPTConfig
    token_embedding : Embedding
        ``weight`` is ``(vocab_size, embed_dim)``.
    positions : LearnedPositions or None
        ``weight`` is ``(context_length, embed_dim)``.
    dropout : Dropout
    layers : ModuleList
        Of :class:`TransformerEncoderLayer`.
    norm : LayerNorm
    lm_head : Linear
        Without a bias. Its ``weight`` is that of the embedding where ``tie_weights``.

    Notes
    -----
    Weights start as GPT-2's: normal with standard deviation 0.02 (learned positions 0.01);
    those that write into the stream, ``out_proj`` and ``linear2``, are divided by
    ``sqrt(2 * num_layers)``, so that it does not grow with depth; biases are zeros. At first
    the loss is so about ``log(vocab_size)``.

    References
    ----------
    .. [1] A. Radford et al., "Language models are unsupervised multitask learners", 2019.

    Examples
    --------
    >>> import nn
    >>> model = nn.GPT(nn.GPTConfig(vocab_size=10, context_length=8, num_layers=1, embed_dim=8))
    >>> model([[1, 2, 3]]).shape
    (1, 3, 10)
    >>> model.generate([[1, 2, 3]], max_new_tokens=4, seed=0).shape
    (1, 7)
    """

    def __init__(self, config: GPTConfig) -> None:
        if not isinstance(config, GPTConfig):
            message = f"GPT: config is a {type(config).__name__}"
            raise ad.DTypeError(f"{message}. Give an nn.GPTConfig(vocab_size=...).")
        self.config = config
        size, dtype = config.embed_dim, config.dtype
        learned = config.positions == "learned"
        self.token_embedding = Embedding(config.vocab_size, size, dtype=dtype)
        self.positions = (
            LearnedPositions(config.context_length, size, dtype=dtype) if learned else None
        )
        self.dropout = Dropout(config.dropout)
        self.layers = ModuleList(self._layer() for _ in range(config.num_layers))
        self.norm = LayerNorm(size, config.layer_norm_eps, bias=config.bias, dtype=dtype)
        self.lm_head = Linear(size, config.vocab_size, bias=False, dtype=dtype)
        if config.tie_weights:
            self.lm_head.weight = self.token_embedding.weight
        self.reset_parameters()

    def _layer(self) -> TransformerEncoderLayer:
        config = self.config
        rotary = None
        if config.positions == "rotary":
            rotary = RotaryPositions(config.embed_dim // config.num_heads)
        return TransformerEncoderLayer(
            config.embed_dim,
            config.num_heads,
            config.dim_feedforward or 4 * config.embed_dim,
            config.dropout,
            config.activation,
            config.layer_norm_eps,
            batch_first=True,
            norm_first=True,
            bias=config.bias,
            dtype=config.dtype,
            rotary=rotary,
        )

    def reset_parameters(self) -> None:
        """Draw the weights anew, as GPT-2's."""
        into_the_stream = 0.02 / math.sqrt(2 * self.config.num_layers)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                writes = name.endswith(("out_proj.weight", "linear2.weight"))
                placed = 0.01 if name == "positions.weight" else 0.02
                init.normal_(parameter, std=into_the_stream if writes else placed)
            elif name.endswith("bias"):
                init.zeros_(parameter)
            else:
                init.ones_(parameter)

    def forward(self, tokens: Any, cache: KeyValueCache | None = None) -> ad.Tensor:
        """Return the logits of the next token at each position.

        Parameters
        ----------
        tokens : (N, T) or (T,)
            Integers from 0 to ``vocab_size - 1``.
        cache : KeyValueCache, optional
            What was read before; these tokens are the next ones, and are added to it.

        Returns
        -------
        Tensor
            ``(N, T, vocab_size)`` or ``(T, vocab_size)``.

        Raises
        ------
        DomainError
            If a token is outside of the vocabulary.
        ShapeError
            If there are more than ``context_length`` tokens, with those of the cache.
        """
        logits: ad.Tensor = self.lm_head(self._features(tokens, cache))
        return logits

    def _features(self, tokens: Any, cache: KeyValueCache | None) -> ad.Tensor:
        tokens = as_input(self, tokens)
        if tokens.ndim not in (1, 2):
            message = f"{self.location()}: the tokens are {ad.errors.describe(tokens)}"
            raise ad.ShapeError(f"{message}. Give integers of shape (N, T) or (T,).")
        start = self._start(tokens.shape[-1], cache)
        x: ad.Tensor = self.token_embedding(tokens)
        if self.positions is not None:
            x = self.positions(x, start)
        x = self.dropout(x)
        for i, layer in enumerate(self.layers):
            x = layer(x, is_causal=True, cache=None if cache is None else cache[i])
        x = self.norm(x)
        if cache is not None:
            cache.advance(tokens.shape[-1])
        return x

    def _start(self, count: int, cache: KeyValueCache | None) -> int:
        """Return how many tokens were read before; raise where these are too many."""
        if cache is not None and not isinstance(cache, KeyValueCache):
            message = f"{self.location()}: cache is a {type(cache).__name__}"
            raise ad.DTypeError(f"{message}. Give what model.cache() returns.")
        if cache is not None and len(cache) != len(self.layers):
            message = f"{self.location()}: the cache has {len(cache)} layers"
            raise ad.OptionError(
                f"{message}, the model {len(self.layers)}. Give what model.cache() returns."
            )
        start = 0 if cache is None else cache.length
        if start + count > self.config.context_length:
            before = f" after {start} of the cache" if start else ""
            message = f"{self.location()}: {count} tokens{before} are more than the context_length"
            raise ad.ShapeError(
                f"{message} of {self.config.context_length}. "
                "Give the last ones alone, or build the model with a longer context."
            )
        return start

    def cache(self, max_length: int | None = None) -> KeyValueCache:
        """Make an empty cache of keys and values for this model.

        Parameters
        ----------
        max_length : int, optional
            How many tokens it has room for; ``context_length`` where None.
        """
        longest = self.config.context_length
        return KeyValueCache(len(self.layers), longest if max_length is None else max_length)

    @typed
    def generate(
        self,
        prompt: Any,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        *,
        eos: int | None = None,
        use_cache: bool = True,
    ) -> ad.Tensor:
        """Continue prompts, token by token, without dropout and without a graph.

        Parameters
        ----------
        prompt : (T,) or (N, T)
            Tokens, at least one.
        max_new_tokens : int
        temperature : float
            Divides the logits: below 1 the likelier tokens become likelier still. At 0 it is
            always the likeliest.
        top_k : int, optional
            Draw from the ``k`` likeliest tokens alone.
        top_p : float, optional
            Draw from the likeliest tokens alone, as few as together have this probability.
        seed : int, optional
            Makes the draws repeatable; where None they come from the shared generator, which
            ``autodiff.random.seed`` sets.
        eos : int, optional
            The token that ends a sequence. After it a row is filled up with it, and when all
            rows have ended nothing more is generated.
        use_cache : bool
            Whether keys and values are kept from token to token: the same tokens, sooner.

        Returns
        -------
        Tensor
            ``(T + new,)`` or ``(N, T + new)`` integers, the prompt and what follows it.

        Raises
        ------
        ShapeError, DTypeError, DomainError, OptionError
            If the prompt is empty or has tokens outside of the vocabulary, a number is out of
            its range, or the model's logits are not finite.

        Notes
        -----
        Each token is drawn given the last ``context_length`` tokens at most. Beyond that
        length positions move with the window, so that keys and values can't be kept: each
        token then costs a pass over the whole window.
        """
        where = f"{self.location()}.generate"
        tokens = as_input(self, prompt)
        self._check_prompt(where, tokens, eos)
        count = check_size(where, "max_new_tokens", max_new_tokens)
        check_sampling(where, temperature, top_k, top_p)
        generator = None if seed is None else np.random.default_rng(check_size(where, "seed", seed))
        single = tokens.ndim == 1
        if single:
            tokens = ad.expand_dims(tokens, axis=0)
        longest = self.config.context_length
        cache = self.cache(min(longest, tokens.shape[1] + count)) if use_cache and count else None
        ended = ad.zeros((tokens.shape[0],), dtype=ad.bool)
        with ad.no_grad(), _evaluating(self):
            for _ in range(count):
                if cache is not None and tokens.shape[1] <= longest:
                    features = self._features(tokens[:, cache.length :], cache)
                else:
                    features = self._features(tokens[:, -longest:], None)
                logits = self.lm_head(features[:, -1])
                check_logits(where, ad.max(logits, axis=-1))
                drawn = sample(logits, temperature, top_k, top_p, generator)
                drawn = ad.astype(drawn, tokens.dtype)
                if eos is not None:
                    drawn = ad.where(ended, eos, drawn)
                    ended = ended | (drawn == eos)
                tokens = ad.concat([tokens, ad.expand_dims(drawn, axis=1)], axis=1)
                if eos is not None and bool(ad.all(ended)):
                    break
        return ad.squeeze(tokens, axis=0) if single else tokens

    def _check_prompt(self, where: str, tokens: ad.Tensor, eos: int | None) -> None:
        found = f"{where}: the prompt is {ad.errors.describe(tokens)}"
        if tokens.ndim not in (1, 2) or not tokens.shape[-1]:
            raise ad.ShapeError(f"{found}. Give at least one token, shape (T,) or (N, T).")
        if tokens.dtype.kind not in "iu":
            raise ad.DTypeError(f"{found}. Give integers: tokens.astype(autodiff.int64).")
        size = self.config.vocab_size
        if tokens.size and not 0 <= ad.min(tokens).item() <= ad.max(tokens).item() < size:
            lowest, highest = ad.min(tokens).item(), ad.max(tokens).item()
            message = f"{where}: the prompt has tokens from {lowest} to {highest}"
            raise ad.DomainError(
                f"{message}, the vocabulary {size}. Give tokens from 0 to {size - 1}."
            )
        if eos is not None and check_size(where, "eos", eos) >= size:
            message = f"{where}: eos is {eos}, the vocabulary {size}"
            raise ad.DomainError(f"{message}. Give a token from 0 to {size - 1}.")

    def extra_repr(self) -> str:
        """Return the context's length."""
        return f"context_length={self.config.context_length}"


@contextmanager
def _evaluating(module: Module) -> Iterator[None]:
    """Put a module in evaluation mode, and each of its parts back into its own afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
