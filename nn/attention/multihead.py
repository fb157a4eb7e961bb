"""Multi-head attention."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn import init
from nn.attention.cache import LayerCache, check_cache
from nn.attention.dot_product import attend
from nn.attention.masks import Bias, bias_of, causal_bias, causal_mask, check_mask_shape, joined
from nn.attention.positions import RotaryPositions
from nn.checks import as_floats, check_probability, check_size
from nn.linear import Linear
from nn.module import Module, Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    r"""Several attentions side by side, each in a space of its own [1]_.

    .. math:: \mathrm{MultiHead}(Q, K, V) = [\mathrm{head}_1; \dots; \mathrm{head}_H]\,W^{O\top}
       + b^O,\qquad \mathrm{head}_i = \mathrm{softmax}\left(\frac{Q W_i^{Q\top}
       (K W_i^{K\top})^\top}{\sqrt{d}} + M\right) V W_i^{V\top}

    with biases on all projections, and :math:`d = E / H`.

    Parameters
    ----------
    embed_dim : int
        The number E of features of queries and outputs; the heads divide it.
    num_heads : int
        The number H of heads.
    dropout : float
        The probability of dropping an attention weight while training.
    bias : bool
        Whether the projections have biases.
    add_bias_kv : bool
        Whether a learned key and value are appended to the others.
    add_zero_attn : bool
        Whether a key and value of zeros are appended.
    kdim, vdim : int, optional
        The numbers of features of keys and values; E where None.
    batch_first : bool
        Whether inputs are ``(N, T, E)`` rather than ``(T, N, E)``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.
    rotary : RotaryPositions, optional
        Rotates queries and keys of each head by their positions. (Not one of PyTorch's.)

    Attributes
    ----------
    in_proj_weight : Parameter or None
        ``(3 E, E)``, the projections of query, key and value; where all have E features.
    q_proj_weight, k_proj_weight, v_proj_weight : Parameter or None
        ``(E, E)``, ``(E, kdim)``, ``(E, vdim)`` otherwise.
    in_proj_bias : Parameter or None
        ``(3 E,)``.
    bias_k, bias_v : Parameter or None
        ``(1, 1, E)``.
    out_proj : Linear
        ``out_proj.weight`` is ``(E, E)``, ``out_proj.bias`` ``(E,)``.

    Notes
    -----
    The weights start from Xavier's uniform distribution, ``in_proj_weight`` as one matrix,
    and the biases as zeros. Where PyTorch gives NaN, for a query that may look nowhere, the
    weights are 0 and the output is ``out_proj.bias``.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.2.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x, memory = ad.ones((2, 5, 8)), ad.ones((2, 7, 8))
    >>> y, weights = attention(x, memory, memory)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 5, 7))
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: Any = None,
        *,
        rotary: RotaryPositions | None = None,
    ) -> None:
        size = self.embed_dim = check_size(self, "embed_dim", embed_dim, least=1)
        self.num_heads = check_size(self, "num_heads", num_heads, least=1)
        if size % self.num_heads:
            message = f"{self.location()}: embed_dim {size} is not divisible by num_heads"
            raise ad.OptionError(f"{message} {num_heads}. Choose sizes that divide.")
        self.head_dim = size // self.num_heads
        self.kdim = size if kdim is None else check_size(self, "kdim", kdim, least=1)
        self.vdim = size if vdim is None else check_size(self, "vdim", vdim, least=1)
        self.dropout = check_probability(self, "dropout", dropout)
        self.batch_first = bool(batch_first)
        self.add_zero_attn = bool(add_zero_attn)
        if rotary is not None and not isinstance(rotary, RotaryPositions):
            message = f"{self.location()}: rotary is a {type(rotary).__name__}"
            raise ad.OptionError(f"{message}. Give nn.RotaryPositions(size of a head), or None.")
        if rotary is not None and rotary.dim != self.head_dim:
            message = f"{self.location()}: rotary turns {rotary.dim} features, a head has"
            raise ad.OptionError(f"{message} {self.head_dim}. Give RotaryPositions of that size.")
        packed = self.kdim == size == self.vdim
        self.in_proj_weight = _zeros((3 * size, size), dtype) if packed else None
        self.q_proj_weight = None if packed else _zeros((size, size), dtype)
        self.k_proj_weight = None if packed else _zeros((size, self.kdim), dtype)
        self.v_proj_weight = None if packed else _zeros((size, self.vdim), dtype)
        self.in_proj_bias = _zeros((3 * size,), dtype) if bias else None
        self.bias_k = _zeros((1, 1, size), dtype) if add_bias_kv else None
        self.bias_v = _zeros((1, 1, size), dtype) if add_bias_kv else None
        self.out_proj = Linear(size, size, bias=bias, dtype=dtype)
        self.rotary = rotary
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew and set the biases to zero."""
        for weight in _present(
            self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        ):
            init.xavier_uniform_(weight)
        for bias in _present(self.in_proj_bias):
            init.zeros_(bias)
        for appended in _present(self.bias_k, self.bias_v):
            init.normal_(appended, std=self.embed_dim**-0.5)
        self.out_proj.reset_parameters()

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        cache: LayerCache | None = None,
    ) -> tuple[ad.Tensor, ad.Tensor | None]:
        """Attend from every query to the keys.

        Parameters
        ----------
        query : (N, T, E), (T, N, E) or (T, E)
            The second where not ``batch_first``; the last without a batch.
        key : (N, S, kdim), (S, N, kdim) or (S, kdim)
        value : (N, S, vdim), (S, N, vdim) or (S, vdim)
            Self-attention, with the same tensor three times, is projected in one product.
        key_padding_mask : (N, S) or (S,), optional
            Booleans, **True where a key is padding** and left out; or floats to be added.
        need_weights : bool
            Whether the weights are returned too; without them it is a little faster.
        attn_mask : (T, S), (N * H, T, S), optional
            Booleans, **True where a query may not look**; or floats to be added.
            (The mask of :func:`nn.functional.scaled_dot_product_attention` says the opposite.)
        average_attn_weights : bool
            Whether the weights returned are the mean over the heads.
        is_causal : bool
            Query ``t`` looks at the keys up to ``t`` alone; no ``attn_mask`` is needed.
        cache : LayerCache, optional
            Keys and values read before, to which these are appended; see
            :class:`nn.KeyValueCache`.

        Returns
        -------
        output : Tensor
            Of the query's shape.
        weights : Tensor or None
            ``(N, T, S)``, ``(N, H, T, S)`` where not averaged; without N where the inputs
            have none. None unless needed. After dropout.

        Raises
        ------
        ShapeError, DTypeError
            If shapes don't fit or a mask holds neither booleans nor floats.
        """
        same = query is key, key is value
        query = as_floats(self, query)
        key = query if same[0] else as_floats(self, key)
        value = key if same[1] else as_floats(self, value)
        self._check(query, key, value)
        batched = query.ndim == 3
        if not batched:
            axis = 0 if self.batch_first else 1
            query = ad.expand_dims(query, axis=axis)
            key = query if same[0] else ad.expand_dims(key, axis=axis)
            value = key if same[1] else ad.expand_dims(value, axis=axis)
        q, k, v = self._projected(query, key, value)
        cache = check_cache(self, cache)
        start = 0 if cache is None else cache.length
        if self.rotary is not None:
            q, k = self.rotary(q, start), self.rotary(k, start)
        masks = self._masks(key_padding_mask, attn_mask, q, k, start)
        if cache is not None:
            k, v = cache.extend(k, v)
        bias = self._bias(masks, q, k, is_causal, start)
        k, v, bias = self._appended(k, v, bias)
        context, weights = attend(q, k, v, bias, self.dropout if self.training else 0.0)
        order = (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)
        joined_heads = ad.permute_dims(context, order).reshape(query.shape)
        y = self.out_proj(joined_heads)
        if not batched:
            y = ad.squeeze(y, axis=0 if self.batch_first else 1)
        if not need_weights:
            return y, None
        if average_attn_weights:
            weights = ad.mean(weights, axis=1)
        return y, weights if batched else ad.squeeze(weights, axis=0)

    def _projected(
        self, query: ad.Tensor, key: ad.Tensor, value: ad.Tensor
    ) -> tuple[ad.Tensor, ad.Tensor, ad.Tensor]:
        """Project the inputs, each in as few products as can be: ``(N, H, T, D)``."""
        size = self.embed_dim
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and query is key and key is value:
            q, k, v = self._heads(query, weight, bias, 3)
        elif weight is not None and key is value:
            own, other = ad.split(weight, [size])
            own_bias, other_bias = (None, None) if bias is None else ad.split(bias, [size])
            (q,) = self._heads(query, own, own_bias, 1)
            k, v = self._heads(key, other, other_bias, 2)
        else:
            weights: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            weights = weights if weight is None else ad.split(weight, 3)
            biases: Any = (None,) * 3 if bias is None else ad.split(bias, 3)
            inputs = zip((query, key, value), weights, biases, strict=True)
            ((q,), (k,), (v,)) = [self._heads(x, w, b, 1) for x, w, b in inputs]
        return q, k, v

    def _heads(self, x: ad.Tensor, weight: Any, bias: Any, parts: int) -> list[ad.Tensor]:
        """Project ``x`` and give its parts as heads ``(N, H, T, D)``: views, nothing is moved."""
        y = x @ weight.mT
        if bias is not None:
            y = y + bias
        y = y.reshape(*x.shape[:2], parts, self.num_heads, self.head_dim)
        order = (2, 0, 3, 1, 4) if self.batch_first else (2, 1, 3, 0, 4)
        return list(ad.unstack(ad.permute_dims(y, order)))

    def _masks(
        self, padding: Any, attention: Any, q: ad.Tensor, k: ad.Tensor, start: int
    ) -> ad.Tensor | None:
        """Return both masks as one that says where keys take part, or what is added."""
        examples, heads, queries, _ = q.shape
        keys = start + k.shape[2]
        shapes: list[tuple[int, ...]]
        if padding is not None:
            shapes = [(examples, keys), (keys,)][: 1 if examples > 1 else 2]
            padding = check_mask_shape(self, "key_padding_mask", padding, *shapes)
            padding = _taking_part(padding).reshape(examples, 1, 1, keys)
        if attention is not None:
            shapes = [(queries, keys), (examples * heads, queries, keys)]
            attention = check_mask_shape(self, "attn_mask", attention, *shapes)
            attention = _taking_part(attention)
            if attention.ndim == 3:
                attention = attention.reshape(examples, heads, queries, keys)
        return joined(padding, attention)

    def _bias(
        self, mask: ad.Tensor | None, q: ad.Tensor, k: ad.Tensor, is_causal: bool, start: int
    ) -> Bias | None:
        queries, keys = q.shape[2], k.shape[2]
        is_causal = is_causal and not (queries == 1 and keys <= start + 1)
        if mask is None:
            return causal_bias(queries, keys, start, q.dtype) if is_causal else None
        if is_causal:
            mask = joined(mask, causal_mask(queries, keys, start))
        return None if mask is None else bias_of(mask, q.dtype)

    def _appended(
        self, k: ad.Tensor, v: ad.Tensor, bias: Bias | None
    ) -> tuple[ad.Tensor, ad.Tensor, Bias | None]:
        """Append the learned key and value and those of zeros, which all queries may see."""
        extra: list[tuple[Any, Any]] = []
        rows = (k.shape[0], self.num_heads, 1, self.head_dim)
        if self.bias_k is not None and self.bias_v is not None:
            shape = (1, *rows[1:])
            learned = [x.reshape(shape) for x in (self.bias_k, self.bias_v)]
            extra.append((ad.broadcast_to(learned[0], rows), ad.broadcast_to(learned[1], rows)))
        if self.add_zero_attn:
            extra.append((ad.zeros(rows, dtype=k.dtype), ad.zeros(rows, dtype=v.dtype)))
        if not extra:
            return k, v, bias
        k = ad.concat([k, *[key for key, _ in extra]], axis=2)
        v = ad.concat([v, *[value for _, value in extra]], axis=2)
        if bias is not None:
            values = bias.values
            if bias.alive is not None:  # no row is masked entirely any more
                values = ad.where(bias.alive, values, -ad.inf)
            width = [(0, 0)] * (values.ndim - 1) + [(0, len(extra))]
            bias = Bias(ad.pad(values, width), None)
        return k, v, bias

    def _check(self, query: ad.Tensor, key: ad.Tensor, value: ad.Tensor) -> None:
        given = [("query", query, self.embed_dim), ("key", key, self.kdim)]
        given.append(("value", value, self.vdim))
        batched = "N, {}" if self.batch_first else "{}, N"
        for name, x, size in given:
            if x.ndim not in (2, 3) or x.shape[-1] != size:
                letter = "T" if name == "query" else "S"
                remedy = f"Give a shape ({batched.format(letter)}, {size}) or ({letter}, {size})"
                message = f"{self.location()}: {name} is {ad.errors.describe(x)}"
                raise ad.ShapeError(f"{message}. {remedy}.")
        found = f"{self.location()}: " + ", ".join(
            f"{name} {ad.errors.describe(x)}" for name, x, _ in given
        )
        if not query.ndim == key.ndim == value.ndim:
            raise ad.ShapeError(f"{found}. Give all three with an axis for the batch, or none.")
        if key.shape[:-1] != value.shape[:-1]:
            raise ad.ShapeError(f"{found}. Give one value for each key.")
        axis = 0 if self.batch_first else 1
        if query.ndim == 3 and query.shape[axis] != key.shape[axis]:
            message = f"{found}: the batches differ in axis {axis}"
            which = "True" if self.batch_first else "False"
            raise ad.ShapeError(f"{message}. Make them equal (batch_first is {which}).")

    def extra_repr(self) -> str:
        """Return the sizes."""
        extra = "".join(
            f", {name}={getattr(self, name)}"
            for name in ("kdim", "vdim")
            if getattr(self, name) != self.embed_dim
        )
        dropout = f", dropout={self.dropout:g}" if self.dropout else ""
        first = ", batch_first=True" if self.batch_first else ""
        return f"{self.embed_dim}, num_heads={self.num_heads}{extra}{dropout}{first}"


def _taking_part(mask: ad.Tensor) -> ad.Tensor:
    """Turn "True is left out" into "True takes part"; numbers are added either way."""
    return ad.logical_not(mask) if mask.dtype == ad.bool else mask


def _zeros(shape: tuple[int, ...], dtype: Any) -> Parameter:
    return Parameter(ad.zeros(shape, dtype=dtype))


def _present(*parameters: Parameter | None) -> list[Parameter]:
    return [parameter for parameter in parameters if parameter is not None]
