"""The keys and values of what was read, kept while a sequence is generated."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import Checked
from nn.checks import check_size
from nn.module import Module

__all__ = ["KeyValueCache", "LayerCache", "check_cache"]


class _Extent:
    """How many positions were read and how many there is room for: the same for all layers."""

    def __init__(self, max_length: int) -> None:
        self.length = 0
        self.max_length = max_length


class LayerCache:
    """The part of a :class:`KeyValueCache` that one attention layer reads and writes."""

    def __init__(self, extent: _Extent) -> None:
        # Not the cache itself: the cycle would keep the arrays until a garbage collection.
        self._extent = extent
        self._keys: ad.Tensor | None = None
        self._values: ad.Tensor | None = None

    @property
    def length(self) -> int:
        """How many positions were read before."""
        return self._extent.length

    def extend(self, keys: ad.Tensor, values: ad.Tensor) -> tuple[ad.Tensor, ad.Tensor]:
        """Write what is new, ``(N, H, T, D)``; return all, ``(N, H, length + T, D)``."""
        start, stop = self.length, self.length + keys.shape[2]
        if keys.requires_grad:
            message = "KeyValueCache: it keeps numbers, and the keys are part of a graph"
            raise ad.GraphError(f"{message}. Generate inside `with autodiff.no_grad():`.")
        if stop > self._extent.max_length:
            message = f"KeyValueCache: {start} positions were read, {stop - start} are new"
            raise ad.ShapeError(
                f"{message}, there is room for {self._extent.max_length}. "
                "Make one with a larger max_length, or clear() it."
            )
        if self._keys is None or self._values is None or start == 0:
            self._keys, self._values = self._room(keys), self._room(values)
        _check_same(self._keys, keys)
        self._keys[:, :, start:stop] = keys
        self._values[:, :, start:stop] = values
        return self._keys[:, :, :stop], self._values[:, :, :stop]

    def _room(self, x: ad.Tensor) -> ad.Tensor:
        examples, heads, _, size = x.shape
        return ad.empty((examples, heads, self._extent.max_length, size), dtype=x.dtype)


def _check_same(kept: ad.Tensor, keys: ad.Tensor) -> None:
    """Raise unless new keys are of as many examples, heads and features as those before."""
    (*before, _, size), (*new, _, new_size) = kept.shape, keys.shape
    if (*before, size) != (*new, new_size):
        message = f"KeyValueCache: it holds {before[0]} examples with {before[1]} heads of {size}"
        raise ad.ShapeError(
            f"{message}, what is new are {new[0]} with {new[1]} heads of {new_size}. "
            "Go on with the same batch, or clear() the cache."
        )


class KeyValueCache(Checked):
    """Keys and values of every attention layer of a model, for the positions read so far.

    Without it each generated token costs a pass over all tokens before; with it, a pass over
    one. The room for ``max_length`` positions is taken once. What a call adds counts when
    the model says so with :meth:`advance`, after all layers: a call that failed left nothing.

    Parameters
    ----------
    layers : int
        How many attention layers the model has.
    max_length : int
        How many positions there is room for.

    Attributes
    ----------
    length : int
        How many positions were read.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> attention = nn.MultiheadAttention(4, 2, batch_first=True).eval()
    >>> cache = nn.KeyValueCache(layers=1, max_length=8)
    >>> x = ad.random.normal(size=(1, 3, 4))
    >>> with ad.no_grad():
    ...     whole, _ = attention(x, x, x, is_causal=True)
    ...     for t in range(3):
    ...         one = x[:, t : t + 1]
    ...         y, _ = attention(one, one, one, is_causal=True, cache=cache[0])
    ...         cache.advance(1)
    >>> bool(ad.max(ad.abs(y[:, 0] - whole[:, 2])) < 1e-6)
    True
    """

    def __init__(self, layers: int, max_length: int) -> None:
        count = check_size("KeyValueCache", "layers", layers, least=1)
        self._extent = _Extent(check_size("KeyValueCache", "max_length", max_length, least=1))
        self._layers = [LayerCache(self._extent) for _ in range(count)]

    @property
    def length(self) -> int:
        """How many positions were read."""
        return self._extent.length

    @property
    def max_length(self) -> int:
        """How many positions there is room for."""
        return self._extent.max_length

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, index: int) -> LayerCache:
        try:
            return self._layers[index]
        except (IndexError, TypeError) as error:
            message = f"KeyValueCache: there is no layer {index!r} among {len(self)}"
            raise ad.IndexingError(
                f"{message}. Make a cache of as many as the model has."
            ) from error

    def advance(self, positions: int) -> None:
        """Count the positions that all layers have written now."""
        count = check_size("KeyValueCache", "positions", positions)
        if self.length + count > self.max_length:
            message = f"KeyValueCache: {count} positions after {self.length} are more than"
            raise ad.ShapeError(f"{message} the {self.max_length} that there is room for.")
        self._extent.length += count

    def clear(self) -> None:
        """Forget everything that was read."""
        self._extent.length = 0

    def __repr__(self) -> str:
        sizes = f"layers={len(self)}, max_length={self.max_length}, length={self.length}"
        return f"KeyValueCache({sizes})"


def check_cache(owner: Module, cache: Any) -> LayerCache | None:
    """Return a layer's cache or None; raise DTypeError for anything else."""
    if cache is None or isinstance(cache, LayerCache):
        return cache
    message = f"{owner.location()}: cache is a {type(cache).__name__}"
    raise ad.DTypeError(f"{message}. Give one layer's part of a KeyValueCache, cache[i].")
