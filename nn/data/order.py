"""In which order examples come, and which make a batch: by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import autodiff as ad
from nn.calls import Checked
from nn.checks import check_size

__all__ = ["BucketBatchSampler", "cut", "shuffled"]


def shuffled(count: int, seed: int, epoch: int) -> Any:
    """Return the numbers below ``count`` in the order of this seed and epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def cut(order: Any, batch_size: int, drop_last: bool) -> list[Any]:
    """Cut an order into batches; the last may be smaller, or left out."""
    stop = len(order) - len(order) % batch_size if drop_last else len(order)
    return [order[i : i + batch_size] for i in range(0, stop, batch_size)]


class BucketBatchSampler(Checked):
    """Batches of sequences of about one length, so that little is padded.

    The shuffled examples are taken in pools of many batches; in each pool the examples are
    sorted by length before they are cut into batches, and at last the batches are shuffled.

    Parameters
    ----------
    lengths : sequence of int
        Of every example of the dataset.
    batch_size : int
    shuffle : bool
        False sorts the whole dataset by length, every epoch alike.
    seed : int
    drop_last : bool
        Leave out the last batch where it is smaller.
    pool : int
        The number of batches that are sorted together: more pad less, fewer mix better.

    Raises
    ------
    OptionError, DomainError
        If a size is less than 1, or a length is no whole number or negative.

    Examples
    --------
    >>> import nn
    >>> words = ["a", "bb", "cc", "d"]
    >>> sampler = nn.BucketBatchSampler([len(word) for word in words], 2)
    >>> sorted(sorted(batch.tolist()) for batch in sampler)
    [[0, 3], [1, 2]]
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        pool: int = 50,
    ) -> None:
        try:
            self.lengths = np.asarray(lengths)
        except ValueError:
            message = "BucketBatchSampler: the lengths are nested"
            raise ad.DomainError(f"{message}. Give a whole number for each example.") from None
        if self.lengths.ndim != 1 or (self.lengths.size and self.lengths.dtype.kind not in "iu"):
            message = f"BucketBatchSampler: the lengths are {ad.errors.describe(self.lengths)}"
            raise ad.DomainError(f"{message}. Give a whole number for each example.")
        if (self.lengths < 0).any():
            place = int(np.argmin(self.lengths))
            message = f"BucketBatchSampler: the length of example {place} is {self.lengths[place]}"
            raise ad.DomainError(f"{message}. Give lengths of 0 or more.")
        self.batch_size = check_size("BucketBatchSampler", "batch_size", batch_size, 1)
        self.pool = check_size("BucketBatchSampler", "pool", pool, 1)
        self.seed = check_size("BucketBatchSampler", "seed", seed)
        self.shuffle, self.drop_last = shuffle, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = check_size("BucketBatchSampler", "epoch", epoch)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.lengths), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        count = len(self.lengths)
        size = self.pool * self.batch_size if self.shuffle else max(count, 1)
        order = shuffled(count, self.seed, self.epoch) if self.shuffle else np.arange(count)
        pools = [order[i : i + size] for i in range(0, count, size)]
        order = [i for pool in pools for i in pool[np.argsort(self.lengths[pool], kind="stable")]]
        batches = cut(np.asarray(order, np.intp), self.batch_size, self.drop_last)
        turns = shuffled(len(batches), self.seed + 1, self.epoch) if self.shuffle else None
        return iter(batches if turns is None else [batches[i] for i in turns])

    def __repr__(self) -> str:
        return f"BucketBatchSampler({len(self.lengths)} examples, batch_size={self.batch_size})"
