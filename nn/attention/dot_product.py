"""Scaled dot-product attention, of any number of heads at once."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn.attention.masks import (
    Bias,
    attention_weights,
    bias_of,
    causal_bias,
    causal_mask,
    check_mask,
    joined,
)
from nn.calls import typed
from nn.checks import as_floats, check_probability
from nn.dropout import dropout

__all__ = ["attend", "scaled_dot_product_attention"]


@typed
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> ad.Tensor:
    r"""Weighted means of the values, by how well their keys fit the queries [1]_.

    .. math:: \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}} + M\right) V

    Parameters
    ----------
    query : (..., T, D)
    key : (..., S, D)
    value : (..., S, V)
        The axes before broadcast: the examples of a batch, the heads.
    attn_mask : Tensor or array_like, optional
        Broadcasts to the scores ``(..., T, S)``. Booleans: **True where a key takes part**
        (the masks of :class:`nn.MultiheadAttention` say the opposite, in PyTorch as here).
        Floats are added to the scores, and get a gradient.
    dropout_p : float
        The probability of dropping a weight. The function knows no evaluation mode: pass 0.
    is_causal : bool
        Query ``t`` looks at the keys up to ``t`` alone; with a mask, both hold.
    scale : float, optional
        In place of ``1 / sqrt(D)``.

    Returns
    -------
    Tensor
        ``(..., T, V)``. A query that may look nowhere gets zeros, and so do its gradients.

    Raises
    ------
    ShapeError, DTypeError
        If shapes don't fit, or the mask holds neither booleans nor floats.
    DomainError
        If ``dropout_p`` is no probability.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn.functional import scaled_dot_product_attention
    >>> values = ad.tensor([[1.0], [2.0], [6.0]])
    >>> scaled_dot_product_attention(ad.zeros((3, 4)), ad.ones((3, 4)), values, is_causal=True)
    tensor([[1. ],
            [1.5],
            [3. ]], dtype=float32)
    """
    name = "scaled_dot_product_attention"
    q, k, v = [as_floats(name, x) for x in (query, key, value)]
    _check_shapes(name, q, k, v)
    dropout_p = check_probability(name, "dropout_p", dropout_p)
    queries, keys = q.shape[-2], k.shape[-2]
    with ad.name_scope(name):
        mask = None
        if attn_mask is not None:
            scores = (*_batch(name, q, k), queries, keys)
            mask = check_mask(name, "attn_mask", attn_mask, scores, "bool or float")
            mask = joined(mask, causal_mask(queries, keys) if is_causal else None)
        bias = None
        if mask is not None:
            bias = bias_of(mask, q.dtype)
        elif is_causal:
            bias = causal_bias(queries, keys, 0, q.dtype)
        return attend(q, k, v, bias, dropout_p, scale)[0]


def attend(
    q: ad.Tensor,
    k: ad.Tensor,
    v: ad.Tensor,
    bias: Bias | None,
    dropout_p: float = 0.0,
    scale: float | None = None,
) -> tuple[ad.Tensor, ad.Tensor]:
    """Return the contexts ``(..., T, V)`` and the weights ``(..., T, S)``."""
    if scale is None:
        scale = 1 / math.sqrt(max(1, q.shape[-1]))
    # Scaling the queries is cheaper than scaling the scores, which are more.
    weights = attention_weights((q * scale) @ k.mT, bias)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return weights @ v, weights


def _check_shapes(name: str, q: ad.Tensor, k: ad.Tensor, v: ad.Tensor) -> None:
    found = ", ".join(
        f"{part} {ad.errors.describe(x)}" for part, x in (("query", q), ("key", k), ("value", v))
    )
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ad.ShapeError(f"{name}: {found}. Give shapes (..., T, D), (..., S, D), (..., S, V).")
    if q.shape[-1] != k.shape[-1]:
        message = f"{name}: {found}: queries have {q.shape[-1]} features, keys {k.shape[-1]}"
        raise ad.ShapeError(f"{message}. Make the last axes equal.")
    if k.shape[-2] != v.shape[-2]:
        message = f"{name}: {found}: there are {k.shape[-2]} keys and {v.shape[-2]} values"
        raise ad.ShapeError(f"{message}. Give one value for each key.")


def _batch(name: str, q: ad.Tensor, k: ad.Tensor) -> tuple[int, ...]:
    """Return what the axes before the last two broadcast to."""
    first, second = q.shape[:-2], k.shape[:-2]
    length = max(len(first), len(second))
    pairs = zip(
        (1,) * (length - len(first)) + first, (1,) * (length - len(second)) + second, strict=True
    )
    sizes = [(a, b, b if a == 1 else a) for a, b in pairs]
    if any(1 not in (a, b) and a != b for a, b, _ in sizes):
        message = f"{name}: query {ad.errors.describe(q)} and key {ad.errors.describe(k)}"
        raise ad.ShapeError(f"{message}: the axes before the last two don't broadcast.")
    return tuple(size for _, _, size in sizes)
