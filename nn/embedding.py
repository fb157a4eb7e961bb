"""The table of vectors that are looked up by index."""

from __future__ import annotations

from typing import Any, Self

import autodiff as ad
from nn import init
from nn.calls import typed
from nn.checks import as_input, check_size, name_of
from nn.module import Module, Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    r"""A vector for each index of a vocabulary, :math:`y_i = W_{x_i}`.

    It is a linear layer on one-hot vectors, without the multiplications by zero. The vectors
    start from the normal distribution of variance 1, as PyTorch's.

    Parameters
    ----------
    num_embeddings : int
        The size V of the vocabulary.
    embedding_dim : int
        The length D of the vectors.
    padding_idx : int, optional
        The index that stands for padding: its vector starts as zeros and gets no gradient.
        A negative one counts from the end.
    dtype : dtype, optional
        Of the parameter; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(V, D)``.

    Examples
    --------
    >>> import nn
    >>> layer = nn.Embedding(10, 4, padding_idx=0)
    >>> layer([[1, 2, 0], [3, 0, 0]]).shape
    (2, 3, 4)
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: Any = None,
    ) -> None:
        self.num_embeddings = check_size(self, "num_embeddings", num_embeddings)
        self.embedding_dim = check_size(self, "embedding_dim", embedding_dim)
        self.padding_idx = _padding(self, padding_idx, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(ad.zeros(shape, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew; that of the padding is zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with ad.no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """Make a layer of given vectors.

        Parameters
        ----------
        embeddings : Tensor or array_like
            ``(V, D)``, copied.
        freeze : bool
            Whether they are learned no further.
        padding_idx : int, optional
            As of the class; that vector is kept as given.

        Raises
        ------
        ShapeError
            If they are no matrix.
        """
        vectors = ad.asarray(embeddings)
        if vectors.ndim != 2:
            message = f"{cls.__name__}.from_pretrained: {ad.errors.describe(vectors)} is no table"
            raise ad.ShapeError(f"{message}. Give one row for each index, (V, D).")
        layer = cls(vectors.shape[0], vectors.shape[1], padding_idx, dtype=vectors.dtype)
        layer.load_state_dict({"weight": vectors})
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, x: Any) -> ad.Tensor:
        """Map indices ``(...)`` to vectors ``(..., D)``.

        Parameters
        ----------
        x : Tensor or array_like
            Integers from 0 to V - 1.

        Raises
        ------
        DTypeError
            If they are no integers.
        DomainError
            If an index is outside of the vocabulary; names it, its position, the
            vocabulary's size and the path of the module.
        """
        return _looked_up(self, x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


@typed
def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> ad.Tensor:
    """Look vectors up by their indices.

    Parameters
    ----------
    input : Tensor or array_like
        Indices ``(...)`` from 0 to V - 1.
    weight : Tensor or array_like
        ``(V, D)``.
    padding_idx : int, optional
        Where the index is this, no gradient flows to the weight.

    Returns
    -------
    Tensor
        ``(..., D)``.

    Examples
    --------
    >>> from nn.functional import embedding
    >>> embedding([2, 0], [[1.0], [2.0], [3.0]])
    tensor([[3.],
            [1.]], dtype=float32)
    """
    weight = ad.asarray(weight)
    if weight.ndim != 2:
        message = f"embedding: the weight {ad.errors.describe(weight)} is no table of vectors"
        raise ad.ShapeError(f"{message}. Give one of shape (V, D).")
    return _looked_up(
        "embedding", input, weight, _padding("embedding", padding_idx, weight.shape[0])
    )


def _looked_up(
    owner: Module | str, x: Any, weight: ad.Tensor, padding_idx: int | None
) -> ad.Tensor:
    index = _indices(owner, x, weight.shape[0])
    found = ad.take(weight, index, axis=0)
    if padding_idx is not None and weight.requires_grad and ad.is_grad_enabled():
        padding = ad.expand_dims(index == padding_idx, axis=-1)
        if bool(ad.any(padding)):  # the same value, without a gradient
            found = ad.where(padding, weight.detach()[padding_idx], found)
    return found


def _indices(owner: Module | str, x: Any, vocabulary: int) -> ad.Tensor:
    """Return indices as a tensor; raise unless all are integers inside the vocabulary."""
    index = as_input(owner, x)
    if index.dtype.kind not in "iu":
        if index.size or index.dtype.kind == "b" or isinstance(x, ad.Tensor):
            message = f"{name_of(owner)}: the indices are {ad.errors.describe(index)}"
            raise ad.DTypeError(f"{message}. Give integers, e.g. x.astype(autodiff.int64).")
        index = index.astype(ad.int64)  # an empty list
    if not index.size:
        return index
    lowest, highest = ad.min(index).item(), ad.max(index).item()
    if lowest >= 0 and highest < vocabulary:
        return index
    bad = (index < 0) | (index >= vocabulary)
    where = tuple(axis[0].item() for axis in ad.nonzero(bad)) if index.ndim else ()
    at = f" at position {where[0] if index.ndim == 1 else where}" if index.ndim else ""
    message = f"{name_of(owner)}: the index {index[where].item()}{at}"
    raise ad.DomainError(
        f"{message} is outside of the vocabulary of {vocabulary}. "
        f"Give indices from 0 to {vocabulary - 1}."
    )


def _padding(owner: Module | str, padding_idx: int | None, vocabulary: int) -> int | None:
    if padding_idx is None:
        return None
    if (
        not isinstance(padding_idx, int)
        or isinstance(padding_idx, bool)
        or not -vocabulary <= padding_idx < vocabulary
    ):
        message = f"{name_of(owner)}: padding_idx is {padding_idx!r}"
        raise ad.OptionError(f"{message}. Give an index below the vocabulary's {vocabulary}.")
    return padding_idx % vocabulary
