"""Datasets: anything that has a length and gives an example for an index."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

import autodiff as ad
from nn.calls import Checked, typed
from nn.checks import check_numbers, check_size

__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]


@runtime_checkable
class Dataset(Protocol):
    """What can be loaded in batches: ``len(dataset)`` examples, ``dataset[i]`` each one.

    Lists, arrays and tensors are datasets; a class of one's own need not derive from this
    one. An example is an array, a number, or a tuple or dict of such.

    A dataset may also offer ``__getitems__(indices)``, which takes a whole batch at once. It
    returns a list of examples, which are then collated, or anything else as the batch itself.
    With ``set_epoch(epoch)`` it hears of every epoch before its examples are taken, for
    augmentation that depends on the epoch and the index alone.

    Examples
    --------
    >>> import nn
    >>> class Squares:
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, i):
    ...         return i, i * i
    >>> isinstance(Squares(), nn.Dataset)
    True
    >>> for numbers, squares in nn.DataLoader(Squares(), batch_size=2):
    ...     print(numbers.tolist(), squares.tolist())
    [0, 1] [0, 1]
    [2, 3] [4, 9]
    """

    def __len__(self) -> int:
        """Return the number of examples."""

    def __getitem__(self, index: int, /) -> Any:
        """Return one example."""


class TensorDataset(Checked):
    """Tensors whose first axes count the same examples.

    A batch is taken by one index into each tensor, not example by example.

    Parameters
    ----------
    *tensors : array_like of shape (N, ...)

    Raises
    ------
    ShapeError
        If a tensor has no axes, or the numbers of examples differ.
    OptionError
        Without tensors.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> data = nn.TensorDataset(ad.zeros((5, 3)), ad.arange(5))
    >>> len(data)
    5
    >>> [part.shape for part in data[0]]
    [(3,), ()]
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ad.OptionError("TensorDataset: there are no tensors. Give at least one.")
        self.tensors = tuple(map(ad.asarray, tensors))
        lengths = {tensor.shape[:1] for tensor in self.tensors}
        if len(lengths) > 1 or () in lengths:
            found = ", ".join(map(ad.errors.describe, self.tensors))
            message = f"TensorDataset: the first axes of {found} don't count the same examples"
            raise ad.ShapeError(f"{message}. Give tensors of shapes (N, ...) with one N.")

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[ad.Tensor, ...]:
        """Return one example, or those of a slice: a tuple with an entry of each tensor."""
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices: Sequence[int]) -> tuple[ad.Tensor, ...]:
        """Return the batch of several examples: a tuple of tensors."""
        return self[np.asarray(indices, dtype=np.intp)]

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(map(ad.errors.describe, self.tensors))})"


class Subset(Checked):
    """Some examples of a dataset.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
        Which, and in which order.

    Raises
    ------
    IndexingError
        If an index is not one of the dataset's.

    Examples
    --------
    >>> import nn
    >>> list(nn.Subset("abcde", [4, 0]))
    ['e', 'a']
    """

    def __init__(self, dataset: Dataset, indices: Iterable[int]) -> None:
        check_dataset("Subset", dataset)
        self.dataset = dataset
        places = check_numbers("Subset", "indices", indices)
        _check_places(places, len(dataset))
        self.indices = np.asarray(places, dtype=np.intp)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        """Return one example; raise IndexingError where there is none."""
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            message = f"Subset: the index {index!r} is no whole number"
            raise ad.IndexingError(f"{message}. Give a place, or make a Subset of several.")
        place = operator.index(index)
        _check_places([place], len(self))
        return self.dataset[int(self.indices[place])]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Return several examples, as the dataset itself would."""
        chosen = self.indices[np.asarray(indices, dtype=np.intp)]
        whole = getattr(self.dataset, "__getitems__", None)
        if whole is not None:
            return whole(chosen)
        return [self.dataset[i] for i in chosen.tolist()]

    def set_epoch(self, epoch: int) -> None:
        """Tell the dataset of the epoch, if it wants to know."""
        tell = getattr(self.dataset, "set_epoch", None)
        if tell is not None:
            tell(epoch)

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {len(self.dataset)} examples)"


@typed
def random_split(dataset: Dataset, lengths: Sequence[float], seed: int = 0) -> list[Subset]:
    """Split a dataset at random into parts that don't overlap.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int or of float
        Either the sizes, whose sum is the dataset's, or the shares, whose sum is 1. What
        shares leave over by rounding goes to the parts in turn, the first one first.
    seed : int
        Which split: the same seed always gives the same one.

    Raises
    ------
    OptionError
        If the lengths don't sum to the number of examples, or to 1.

    Examples
    --------
    >>> import nn
    >>> train, validation = nn.random_split(range(10), [0.8, 0.2])
    >>> len(train), len(validation)
    (8, 2)
    >>> sorted([*train, *validation])
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    check_dataset("random_split", dataset)
    count = len(dataset)
    given = list(lengths) if isinstance(lengths, Iterable) else [lengths]
    given = [length.item() if isinstance(length, np.generic) else length for length in given]
    if not all(isinstance(length, (int, float)) and math.isfinite(length) for length in given):
        message = f"random_split: the lengths are {given}"
        raise ad.OptionError(f"{message}. Give whole numbers, or shares that sum to 1.")
    seed = check_size("random_split", "seed", seed)
    sizes = [int(length) for length in given]
    shares = any(isinstance(length, float) for length in given) and math.isclose(sum(given), 1)
    if shares:
        sizes = [math.floor(count * share + 1e-9) for share in given]
        for i in range(count - sum(sizes)):
            sizes[i % len(sizes)] += 1
    whole = shares or sizes == given
    if not whole or sum(sizes) != count or min(sizes, default=0) < 0:
        message = f"random_split: the lengths {given} don't fit the {count} examples"
        raise ad.OptionError(f"{message}. Give sizes that sum to {count}, or shares that sum to 1.")
    order = np.random.default_rng(seed).permutation(count)
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _check_places(places: Iterable[int], count: int) -> None:
    for place in places:
        if not -count <= place < count:
            message = f"Subset: the index {place} is not among the {count} examples"
            raise ad.IndexingError(f"{message}. Give indices from {-count} to {count - 1}.")


def check_dataset(owner: str, dataset: Any) -> None:
    """Raise OptionError unless it has a length and gives examples."""
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        message = f"{owner}: the dataset is a {type(dataset).__name__}"
        raise ad.OptionError(f"{message}. Give something with __len__ and __getitem__.")
    try:
        len(dataset)
    except TypeError:  # a number as an array
        message = f"{owner}: the dataset is {ad.errors.describe(dataset)}, without a first axis"
        raise ad.OptionError(f"{message}. Give an array of shape (N, ...).") from None
