"""The attention of sequence-to-sequence models: additive (Bahdanau) and multiplicative (Luong).

A query, the decoder's state, is compared with every key, the encoder's states; the softmax
of the scores weighs the values, whose weighted mean is the context.
"""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.attention.masks import attention_weights, bias_of, check_mask
from nn.checks import as_floats, as_input, check_known, check_size
from nn.linear import Linear
from nn.module import Module

__all__ = ["BahdanauAttention", "LuongAttention"]


class _ScoredAttention(Module):
    """What both share: the checks, the softmax over the keys, the weighted mean."""

    query_size: int
    key_size: int

    def project_keys(self, keys: Any) -> ad.Tensor | None:
        """Compute what the scores need of the keys alone, once for all queries.

        Returns
        -------
        Tensor or None
            For the argument ``projected_keys`` of calls with the same keys: a decoder that
            asks once a step so spares the projection. None where there is none.
        """
        raise NotImplementedError

    def score(self, query: ad.Tensor, keys: ad.Tensor, projected: ad.Tensor | None) -> ad.Tensor:
        """Compare queries ``(N, T, query_size)`` with keys ``(N, S, key_size)``: ``(N, T, S)``."""
        raise NotImplementedError

    def forward(
        self,
        query: Any,
        keys: Any,
        mask: Any = None,
        *,
        values: Any = None,
        projected_keys: ad.Tensor | None = None,
    ) -> tuple[ad.Tensor, ad.Tensor]:
        """Attend to the values whose keys fit the query.

        Parameters
        ----------
        query : (N, query_size) or (N, T, query_size)
            The decoder's state, or those of all steps at once.
        keys : (N, S, key_size)
            The encoder's states.
        mask : (N, S), (N, T, S) or (N, 1, S), optional
            Booleans, True where a key may be attended. A query that may look nowhere gets
            the context 0 and the weights 0, and so do their gradients.
        values : (N, S, V), optional
            What is averaged; the keys themselves where None.
        projected_keys : Tensor, optional
            What :meth:`project_keys` made of these keys.

        Returns
        -------
        context : (N, V) or (N, T, V)
        weights : (N, S) or (N, T, S)
            They are not negative and sum to 1 over the keys.

        Raises
        ------
        ShapeError, DTypeError
            If shapes don't fit or the mask is not boolean.
        """
        query, keys = as_floats(self, query), as_floats(self, keys)
        values = keys if values is None else as_floats(self, values)
        self._check(query, keys, values)
        single = query.ndim == 2
        if single:
            query = ad.expand_dims(query, axis=1)
        bias = None
        if mask is not None:
            mask = as_input(self, mask)
            if mask.ndim == 2:
                mask = ad.expand_dims(mask, axis=1)
            shape = (*query.shape[:2], keys.shape[1])
            bias = bias_of(check_mask(self, "mask", mask, shape, "bool"), query.dtype)
        weights = attention_weights(self.score(query, keys, projected_keys), bias)
        context = weights @ values
        if single:
            return ad.squeeze(context, axis=1), ad.squeeze(weights, axis=1)
        return context, weights

    def _check(self, query: ad.Tensor, keys: ad.Tensor, values: ad.Tensor) -> None:
        given = [("query", query, self.query_size), ("keys", keys, self.key_size)]
        where = self.location()
        for name, x, size in given:
            letters = "(N, T, {})" if name == "query" else "(N, S, {})"
            if x.ndim not in ((2, 3) if name == "query" else (3,)) or x.shape[-1] != size:
                message = f"{where}: {name} is {ad.errors.describe(x)}"
                either = f" or (N, {size})" if name == "query" else ""
                raise ad.ShapeError(f"{message}. Give a shape {letters.format(size)}{either}.")
        if query.shape[0] != keys.shape[0]:
            message = f"{where}: query is {ad.errors.describe(query)}, keys are"
            raise ad.ShapeError(
                f"{message} {ad.errors.describe(keys)}: their batches differ. "
                "Give both the same first axis."
            )
        if values.ndim != 3 or values.shape[:2] != keys.shape[:2]:
            message = f"{where}: values are {ad.errors.describe(values)}, keys are"
            raise ad.ShapeError(
                f"{message} {ad.errors.describe(keys)}. "
                f"Give one value for each key, a shape {(*keys.shape[:2], 'V')}."
            )


class BahdanauAttention(_ScoredAttention):
    r"""Additive attention [1]_: a small network compares the query with every key.

    .. math:: e_j = v_a^\top \tanh(W_a s + U_a h_j),\qquad
       \alpha = \mathrm{softmax}(e),\qquad c = \sum_j \alpha_j h_j

    Parameters
    ----------
    query_size : int
        Of the query, the decoder's state ``s``.
    key_size : int
        Of the keys, the encoder's states ``h_j``.
    hidden_size : int, optional
        Of the network between; that of the query where None.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    W_a : Linear
        ``W_a.weight`` is ``(hidden_size, query_size)``.
    U_a : Linear
        ``U_a.weight`` is ``(hidden_size, key_size)``.
    v_a : Linear
        ``v_a.weight`` is ``(1, hidden_size)``. None of the three has a bias, as in the paper.

    References
    ----------
    .. [1] D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning
       to align and translate", ICLR 2015, section 3.1 and appendix A.1.2.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> attention = nn.BahdanauAttention(4, 6)
    >>> context, weights = attention(ad.ones((2, 4)), ad.ones((2, 5, 6)))
    >>> context.shape, weights.shape
    ((2, 6), (2, 5))
    """

    def __init__(
        self, query_size: int, key_size: int, hidden_size: int | None = None, dtype: Any = None
    ) -> None:
        self.query_size = check_size(self, "query_size", query_size, least=1)
        self.key_size = check_size(self, "key_size", key_size, least=1)
        hidden_size = self.query_size if hidden_size is None else hidden_size
        self.hidden_size = check_size(self, "hidden_size", hidden_size, least=1)
        self.W_a = Linear(self.query_size, self.hidden_size, bias=False, dtype=dtype)
        self.U_a = Linear(self.key_size, self.hidden_size, bias=False, dtype=dtype)
        self.v_a = Linear(self.hidden_size, 1, bias=False, dtype=dtype)

    def project_keys(self, keys: Any) -> ad.Tensor:
        r"""Compute :math:`U_a h_j`, once for all queries: ``(N, S, hidden_size)``."""
        projected: ad.Tensor = self.U_a(keys)
        return projected

    def score(self, query: ad.Tensor, keys: ad.Tensor, projected: ad.Tensor | None) -> ad.Tensor:
        """Compare queries ``(N, T, query_size)`` with keys ``(N, S, key_size)``: ``(N, T, S)``."""
        projected = self.project_keys(keys) if projected is None else projected
        return _additive(self.W_a(query), projected, self.v_a)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.query_size}, {self.key_size}, {self.hidden_size}"


class LuongAttention(_ScoredAttention):
    r"""Multiplicative attention [1]_: the query is multiplied with every key.

    .. math:: e_j = \begin{cases} s^\top h_j & \text{dot}\\
       s^\top W_a h_j & \text{general}\\
       v_a^\top \tanh(W_a [s; h_j]) & \text{concat}\end{cases}\qquad
       \alpha = \mathrm{softmax}(e),\qquad c = \sum_j \alpha_j h_j

    Parameters
    ----------
    query_size : int
        Of the query, the decoder's state ``s``.
    key_size : int, optional
        Of the keys, the encoder's states ``h_j``; that of the query where None.
    method : {"dot", "general", "concat"}
        How they are compared. "dot" has no parameters and needs equal sizes.
    hidden_size : int, optional
        Of "concat" alone, the size of ``v_a``; that of the query where None.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    W_a : Linear
        No bias. For "general" ``W_a.weight`` is ``(query_size, key_size)``, for "concat"
        ``(hidden_size, query_size + key_size)``.
    v_a : Linear
        For "concat", ``v_a.weight`` is ``(1, hidden_size)``.

    References
    ----------
    .. [1] M.-T. Luong, H. Pham and C. D. Manning, "Effective approaches to attention-based
       neural machine translation", EMNLP 2015, equations 7 and 8.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> attention = nn.LuongAttention(2, method="dot")
    >>> keys = ad.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> context, weights = attention(ad.tensor([[1e4, 0.0]]), keys)
    >>> weights
    tensor([[1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        query_size: int,
        key_size: int | None = None,
        method: str = "general",
        hidden_size: int | None = None,
        dtype: Any = None,
    ) -> None:
        self.query_size = check_size(self, "query_size", query_size, least=1)
        key_size = self.query_size if key_size is None else key_size
        self.key_size = check_size(self, "key_size", key_size, least=1)
        self.method = check_known(self, "method", method, ("dot", "general", "concat"))
        if method == "dot" and self.query_size != self.key_size:
            message = f"{self.location()}: dot multiplies queries of {query_size} features"
            raise ad.OptionError(
                f"{message} with keys of {key_size}. "
                "Make the sizes equal, or choose the method 'general'."
            )
        if method != "concat" and hidden_size is not None:
            message = f"{self.location()}: hidden_size is {hidden_size} for the method {method!r}"
            raise ad.OptionError(f"{message}. Only 'concat' has a hidden layer; leave it out.")
        if method == "general":
            self.W_a = Linear(self.key_size, self.query_size, bias=False, dtype=dtype)
        elif method == "concat":
            hidden_size = self.query_size if hidden_size is None else hidden_size
            hidden_size = check_size(self, "hidden_size", hidden_size, least=1)
            features = self.query_size + self.key_size
            self.W_a = Linear(features, hidden_size, bias=False, dtype=dtype)
            self.v_a = Linear(hidden_size, 1, bias=False, dtype=dtype)

    def project_keys(self, keys: Any) -> ad.Tensor | None:
        """Compute what "concat" needs of the keys, ``(N, S, hidden_size)``; None for the others."""
        if self.method != "concat":
            return None
        return as_floats(self, keys) @ self.W_a.weight[:, self.query_size :].mT

    def score(self, query: ad.Tensor, keys: ad.Tensor, projected: ad.Tensor | None) -> ad.Tensor:
        """Compare queries ``(N, T, query_size)`` with keys ``(N, S, key_size)``: ``(N, T, S)``."""
        if self.method == "concat":
            # W_a [s; h] = W_s s + W_h h: each part once, not once for every pair.
            projected = self.project_keys(keys) if projected is None else projected
            hidden = query @ self.W_a.weight[:, : self.query_size].mT
            return _additive(hidden, projected, self.v_a)
        if self.method == "general":
            query = query @ self.W_a.weight  # the queries are fewer than the keys
        return query @ keys.mT

    def extra_repr(self) -> str:
        """Return the sizes and the method."""
        return f"{self.query_size}, {self.key_size}, method={self.method!r}"


def _additive(query: ad.Tensor, keys: Any, v_a: Linear) -> ad.Tensor:
    """Return ``v_a tanh(query_t + key_s)`` for all pairs ``(N, T, S)``."""
    pairs = ad.tanh(ad.expand_dims(query, axis=2) + ad.expand_dims(keys, axis=1))
    return ad.squeeze(v_a(pairs), axis=-1)
