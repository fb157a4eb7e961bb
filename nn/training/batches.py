"""What a trainer asks of its data and of their batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import autodiff as ad

__all__ = ["examples", "is_batches", "nonfinite"]


def is_batches(name: str, data: Any) -> None:
    """Raise OptionError unless the data can be gone through in batches."""
    if hasattr(data, "__getitems__"):  # a dataset: going through it gives examples
        message = f"{name} is a {type(data).__name__}, which gives single examples"
        raise ad.OptionError(f"{message}. Give nn.DataLoader({name}, batch_size=32, shuffle=True).")
    if not hasattr(data, "__iter__"):
        message = f"{name} is {ad.errors.describe(data)}"
        raise ad.OptionError(f"{message}. Give a DataLoader, or a list of batches.")


def _leaves(batch: Any) -> Iterator[Any]:
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, (tuple, list)):
        for part in batch:
            yield from _leaves(part)
    elif hasattr(batch, "shape"):
        yield batch


def examples(batch: Any, place: str) -> int:
    """Return the number of examples in a batch: the first axis of its first array with any.

    Raises
    ------
    OptionError
        If there are none: neither a mean nor a gradient is defined then.
    """
    arrays = [leaf for leaf in _leaves(batch) if leaf.shape]
    sizes = [int(leaf.shape[0]) for leaf in arrays]
    if sizes and not any(sizes):
        message = f"{place} has no examples: {ad.errors.describe(arrays[0])}"
        raise ad.OptionError(f"{message}. Leave empty batches out of the data.")
    return next(filter(None, sizes), 1)


def nonfinite(batch: Any) -> str:
    """Say which array of a batch holds a NaN or an infinity; ``""`` if none does."""
    for i, leaf in enumerate(_leaves(batch)):
        x = ad.asarray(leaf).detach()
        if x.dtype.kind in "fc" and not ad.all(ad.isfinite(x)):
            return f"a NaN or an infinity in array {i}, {ad.errors.describe(x)}"
    return ""
