"""Batches of a dataset, in an order that can be repeated and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import autodiff as ad
from nn.calls import Checked
from nn.checks import check_numbers, check_size
from nn.data.collate import default_collate, pad_collate
from nn.data.dataset import Dataset, check_dataset
from nn.data.order import cut, shuffled
from nn.data.prefetch import ahead

__all__ = ["DataLoader"]


class DataLoader(Checked):
    """Batches of a dataset.

    Each ``for`` loop over it is one epoch. The order depends on the seed and the number of
    the epoch alone. A loop that is left early ends its epoch: the next begins the next one.

    Parameters
    ----------
    dataset : Dataset
        Anything with ``__len__`` and ``__getitem__``.
    batch_size : int
    shuffle : bool
        Whether every epoch has an order of its own.
    seed : int
        Which orders.
    drop_last : bool
        Leave out the last batch where it is smaller.
    collate_fn : callable, optional
        Makes a batch of a list of examples; at first :func:`default_collate`, which stacks
        them. :func:`pad_collate` pads sequences. Without one, a dataset that takes several
        examples at once (``__getitems__``) is asked for whole batches.
    batch_sampler : iterable of sequences of int, optional
        Which examples make which batch, instead of ``batch_size``, ``shuffle`` and
        ``drop_last``: :class:`BucketBatchSampler` for example. Its ``set_epoch(epoch)`` is
        called before every epoch, if it has one.
    prefetch : int
        How many batches a thread prepares ahead. Worth it where examples are read or decoded
        by code that releases Python's lock. Examples that draw from a shared random generator
        are then not repeatable: draw from one seeded with epoch and index.

    Attributes
    ----------
    epoch : int
        The number of the epoch that is under way, or comes next.

    Raises
    ------
    OptionError
        If a size makes no sense, options contradict, or the dataset has no length.

    Notes
    -----
    An error in the dataset or in ``collate_fn`` reaches the loop as it is, with a note that
    says which example or batch it was.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> data = nn.TensorDataset(ad.arange(5))
    >>> loader = nn.DataLoader(data, batch_size=2, shuffle=True, seed=1)
    >>> len(loader)
    3
    >>> [batch.tolist() for (batch,) in loader]
    [[4, 0], [1, 2], [3]]
    >>> loader.set_epoch(0)
    >>> [batch.tolist() for (batch,) in loader]
    [[4, 0], [1, 2], [3]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        prefetch: int = 0,
    ) -> None:
        check_dataset("DataLoader", dataset)
        if batch_sampler is not None and (batch_size != 1 or shuffle or drop_last):
            message = (
                "DataLoader: batch_sampler goes with neither batch_size, shuffle nor drop_last"
            )
            raise ad.OptionError(f"{message}. Give those to the sampler.")
        if batch_sampler is not None and not hasattr(batch_sampler, "__len__"):
            message = f"DataLoader: the batch_sampler is a {type(batch_sampler).__name__}"
            raise ad.OptionError(
                f"{message}. Give a list of index lists, or a class with __len__ and __iter__."
            )
        if collate_fn is not None and not callable(collate_fn):
            message = f"DataLoader: collate_fn is a {type(collate_fn).__name__}"
            raise ad.OptionError(f"{message}. Give a function of a list of examples, or None.")
        self.dataset = dataset
        self.batch_size = check_size("DataLoader", "batch_size", batch_size, 1)
        self.shuffle, self.drop_last = shuffle, drop_last
        self.seed = check_size("DataLoader", "seed", seed)
        self.prefetch = check_size("DataLoader", "prefetch", prefetch)
        self.collate_fn = collate_fn
        self.batch_sampler = batch_sampler
        self.epoch = 0
        self._given = 0  # batches that the caller got in this epoch
        self._begun = False  # whether the epoch is some loop's already

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    # -- the position --------------------------------------------------------------------

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next loop goes through, from its beginning."""
        self.epoch = check_size("DataLoader", "epoch", epoch)
        self._given, self._begun = 0, False

    def state_dict(self) -> dict[str, Any]:
        """Return the position: the epoch, and how many of its batches were given out."""
        return {"epoch": self.epoch, "batch": self._given, **self._identity()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take up a position: the next loop gives what is left of that epoch.

        Raises
        ------
        OptionError
            If it is a position in other data: of another size, seed or batch size.
        """
        own = self._identity()
        found = state_dict if isinstance(state_dict, Mapping) else {}
        saved = {name: found.get(name) for name in own}
        if saved != own:
            message = f"DataLoader: the saved position is one in {saved}, the data here are {own}"
            raise ad.OptionError(f"{message}. Build the loader that the position was saved of.")
        epoch = check_size("DataLoader", "epoch", found.get("epoch"))
        given = check_size("DataLoader", "batch", found.get("batch"))
        if given > len(self):
            message = f"DataLoader: the saved position is batch {given} of {len(self)}"
            raise ad.OptionError(f"{message}. Build the loader that the position was saved of.")
        self.set_epoch(epoch)
        self._given = given

    def _identity(self) -> dict[str, Any]:
        """Return what decides the order, besides the epoch."""
        if self.batch_sampler is not None:
            sampler = self.batch_sampler
            seed = getattr(sampler, "seed", None)
            return {"examples": len(self.dataset), "sampler": type(sampler).__name__, "seed": seed}
        return {
            "examples": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "seed": self.seed,
        }

    # -- the batches -----------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        if self._begun:
            self.set_epoch(self.epoch + 1)
        self._begun = True
        for part in (self.dataset, self.batch_sampler):
            tell = getattr(part, "set_epoch", None)
            if tell is not None:
                tell(self.epoch)
        return self._batches(self.epoch, self._given)

    def _batches(self, epoch: int, first: int) -> Iterator[Any]:
        batches = self._order(epoch)[first:]
        calls = (partial(self._take, epoch, i, batch) for i, batch in enumerate(batches, first))
        if self.prefetch:
            dtype = ad.get_default_dtype()  # a thread has a mode of its own
            taken = ahead((partial(_with_dtype, dtype, call) for call in calls), self.prefetch)
        else:
            taken = (call() for call in calls)
        for i, batch in enumerate(taken, first):
            if self.epoch == epoch:  # else another loop has begun, whose position counts
                self._given = i + 1
            yield batch
        if self.epoch == epoch and self._begun:
            self.set_epoch(epoch + 1)

    def _order(self, epoch: int) -> list[Any]:
        if self.batch_sampler is not None:
            return list(self.batch_sampler)
        count = len(self.dataset)
        order = shuffled(count, self.seed, epoch) if self.shuffle else range(count)
        return cut(order, self.batch_size, self.drop_last)

    def _take(self, epoch: int, number: int, indices: Any) -> Any:
        """Make one batch. Errors get a note that says where they came from."""
        place = f"batch {number} of epoch {epoch}"
        indices = list(check_numbers("DataLoader", f"{place}, of the batch_sampler,", indices))
        if self.collate_fn is None and hasattr(self.dataset, "__getitems__"):
            taken = _noted(f"taking {place}, examples {_brief(indices)}", self._whole, indices)
            if not isinstance(taken, list):
                return taken
        else:
            taken = [
                _noted(f"taking example {i}, for {place}", self.dataset.__getitem__, i)
                for i in indices
            ]
        collate: Callable[..., Any] = self.collate_fn or default_collate
        if getattr(collate, "func", collate) in (default_collate, pad_collate):
            collate = partial(collate, indices=indices)
        return _noted(f"collating {place}, examples {_brief(indices)}", collate, taken)

    def _whole(self, indices: list[int]) -> Any:
        return self.dataset.__getitems__(indices)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        data = f"{len(self.dataset)} examples of {type(self.dataset).__name__}"
        return f"DataLoader({data}, {len(self)} batches, epoch {self.epoch})"


def _noted(doing: str, call: Callable[..., Any], argument: Any) -> Any:
    try:
        return call(argument)
    except StopIteration as error:  # it would end the loop in silence
        message = f"StopIteration while {doing}"
        raise RuntimeError(f"{message}. Let __getitem__ raise another error.") from error
    except Exception as error:
        error.add_note(f"while {doing}")
        raise


def _brief(indices: list[int]) -> str:
    return ", ".join(map(str, indices[:10])) + (", ..." if len(indices) > 10 else "")


def _with_dtype(dtype: Any, call: Callable[[], Any]) -> Any:
    with ad.default_dtype(dtype):
        return call()
