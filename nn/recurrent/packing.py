r"""Batches of sequences of different lengths: padded, and packed.

A *padded* batch is one array ``(T, N, *)`` in which sequence ``n`` fills the first
:math:`\ell_n` of ``T`` steps; what stands behind them is padding. A *packed* batch holds the
elements of the sequences and nothing else, step by step: with the sequences sorted so that
:math:`\ell_0 \ge \ell_1 \ge \dots`, step ``t`` has the elements of the first

.. math:: b_t = |\{n : \ell_n > t\}|

sequences, and ``data`` is ``(sum of b_t, *)``. A network that runs over packed data computes
nothing for padding, so nothing that stands in padding can reach a result or a gradient.

Names and meanings are those of ``torch.nn.utils.rnn``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import autodiff as ad
from nn.calls import typed
from nn.checks import as_input, check_known, check_size, name_of

__all__ = [
    "PackedSequence",
    "as_lengths",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "permuted",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: ad.Tensor
    batch_sizes: ad.Tensor
    sorted_indices: ad.Tensor | None
    unsorted_indices: ad.Tensor | None


class PackedSequence(_Packed):
    """The elements of several sequences, step by step and without padding.

    Made by :func:`pack_padded_sequence` and :func:`pack_sequence`, taken and given by
    recurrent layers, taken apart by :func:`pad_packed_sequence`.

    Parameters
    ----------
    data : Tensor ``(sum of the lengths, *)``
        The first elements of all sequences, then the second elements, ...
    batch_sizes : integer Tensor (T,)
        How many sequences have a step ``t``; never grows.
    sorted_indices : integer Tensor (N,), optional
        The batch's sequences in order of descending length; None where it was sorted.
    unsorted_indices : integer Tensor (N,), optional
        The inverse permutation; computed where it is not given.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> packed = nn.utils.rnn.pack_sequence([ad.tensor([1, 2, 3]), ad.tensor([4, 5])])
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1, 4, 2, 5, 3], [2, 2, 1])
    """

    __slots__ = ()

    @typed
    def __new__(
        cls,
        data: Any,
        batch_sizes: Any,
        sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> Self:
        """Check that the sizes fit the data, and complete the permutations."""
        data, sizes = as_input("PackedSequence", data), as_input("PackedSequence", batch_sizes)
        counts = _integers("PackedSequence", "batch_sizes", sizes)
        shrinking = all(a >= b for a, b in itertools.pairwise(counts))
        if not counts or counts[-1] < 1 or not shrinking:
            message = f"PackedSequence: the batch sizes are {_brief(counts)}"
            raise ad.DomainError(f"{message}. Give numbers of at least 1 that never grow.")
        if data.ndim == 0 or sum(counts) != data.shape[0]:
            message = f"PackedSequence: the batch sizes add up to {sum(counts)}"
            raise ad.ShapeError(
                f"{message}, the data is {ad.errors.describe(data)}. Give data with as many rows."
            )
        order = None if sorted_indices is None else as_input("PackedSequence", sorted_indices)
        inverse = None if unsorted_indices is None else as_input("PackedSequence", unsorted_indices)
        if order is not None and inverse is None:
            inverse = invert_permutation(order)
        return super().__new__(cls, data, sizes, order, inverse)

    @property
    def lengths(self) -> ad.Tensor:
        """The sequences' lengths, in the order in which they were given."""
        sizes: list[int] = self.batch_sizes.tolist()
        lengths: list[int] = []
        for t in reversed(range(len(sizes))):
            lengths += [t + 1] * (sizes[t] - len(lengths))
        found = ad.asarray(lengths)
        return found if self.unsorted_indices is None else ad.take(found, self.unsorted_indices)


@typed
def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch.

    Parameters
    ----------
    input : Tensor ``(T, N, *)``, or ``(N, T, *)`` where ``batch_first``
    lengths : sequence of int (N,)
        Each from 1 to T.
    batch_first : bool
    enforce_sorted : bool
        Whether the lengths must descend. With False they may have any order: the sequences
        are sorted, and the permutation is kept in the result.

    Raises
    ------
    ShapeError
        If the batch has fewer than two axes, or the number of lengths is not that of its
        sequences.
    DomainError
        If a length is below 1 or beyond the padding, or they don't descend.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> padded = ad.tensor([[1, 2, 0], [3, 4, 5]])
    >>> packed = nn.utils.rnn.pack_padded_sequence(padded, [2, 3], True, enforce_sorted=False)
    >>> packed.data.tolist(), packed.batch_sizes.tolist(), packed.sorted_indices.tolist()
    ([3, 1, 4, 2, 5], [2, 2, 1], [1, 0])
    """
    owner = "pack_padded_sequence"
    x = _padded(owner, input)
    x = x.swapaxes(0, 1) if batch_first else x
    counts = as_lengths(owner, lengths, x.shape[1], x.shape[0])
    descending = all(a >= b for a, b in itertools.pairwise(counts))
    order = inverse = None
    if enforce_sorted:
        if not descending:
            message = f"{owner}: the lengths {_brief(counts)} don't descend"
            raise ad.DomainError(f"{message}. Pass enforce_sorted=False, or sort the batch.")
    else:
        ranks = sorted(range(len(counts)), key=counts.__getitem__, reverse=True)
        order = ad.asarray(ranks)
        inverse = invert_permutation(order)
        counts = [counts[n] for n in ranks]
        if not descending:
            x = permuted(x, inverse, axis=1)
    return PackedSequence(x[_valid(counts, x.shape[0])], _sizes(counts), order, inverse)


@typed
def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[ad.Tensor, ad.Tensor]:
    """Pad a packed batch: the inverse of :func:`pack_padded_sequence`.

    Parameters
    ----------
    sequence : PackedSequence
    batch_first : bool
        Whether the result is ``(N, T, *)`` rather than ``(T, N, *)``.
    padding_value : float
        What stands behind a sequence's end.
    total_length : int, optional
        T; at first the longest sequence's length.

    Returns
    -------
    Tensor ``(T, N, *)`` or ``(N, T, *)``
    Tensor (N,)
        The lengths, in the order in which the sequences were packed.

    Raises
    ------
    DTypeError
        If the argument is no packed sequence.
    DomainError
        If ``total_length`` is below the longest length.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> packed = nn.utils.rnn.pack_sequence([ad.tensor([1, 2, 3]), ad.tensor([4, 5])])
    >>> padded, lengths = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    >>> padded.tolist(), lengths.tolist()
    ([[1, 2, 3], [4, 5, 0]], [3, 2])
    """
    owner = "pad_packed_sequence"
    if not isinstance(sequence, PackedSequence):
        message = f"{owner}: a {type(sequence).__name__} is not a PackedSequence"
        raise ad.DTypeError(f"{message}. Make one with pack_padded_sequence(batch, lengths).")
    longest = sequence.batch_sizes.shape[0]
    steps = longest if total_length is None else check_size(owner, "total_length", total_length)
    if steps < longest:
        message = f"{owner}: total_length is {steps}, the longest sequence has {longest} steps"
        raise ad.DomainError(f"{message}. Give at least that, or leave total_length out.")
    lengths = sequence.lengths
    ranked = lengths if (order := sequence.sorted_indices) is None else ad.take(lengths, order)
    times, ranks = ad.nonzero(_valid(ranked.tolist(), steps))
    members = ranks if order is None else ad.take(order, ranks)
    data = sequence.data
    lead = (members, times) if batch_first else (times, members)
    sizes = (len(lengths), steps) if batch_first else (steps, len(lengths))
    out = ad.scatter(data, lead, (*sizes, *data.shape[1:]), unique=True)
    if padding_value != 0:
        valid = ad.arange(steps) < lengths[:, None]
        valid = (valid if batch_first else valid.mT).reshape((*sizes, *(1 for _ in data.shape[1:])))
        out = ad.where(valid, out, padding_value)
    return out, lengths


@typed
def pad_sequence(
    sequences: Sequence[Any],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> ad.Tensor:
    """Join sequences of different lengths to one padded batch.

    Parameters
    ----------
    sequences : sequence of Tensors ``(L_n, *)``
        Alike in all axes but the first.
    batch_first : bool
        Whether the result is ``(N, T, *)`` rather than ``(T, N, *)``; T is the largest L.
    padding_value : float
    padding_side : {"right", "left"}
        Where the padding stands.

    Raises
    ------
    ShapeError
        If there are no sequences, or their elements differ in shape.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.utils.rnn.pad_sequence([ad.tensor([1, 2, 3]), ad.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]], dtype=int64)
    """
    owner = "pad_sequence"
    check_known(owner, "padding_side", padding_side, ("right", "left"))
    members = _members(owner, sequences)
    lengths = [len(member) for member in members]
    count, steps = len(members), max(lengths)
    ends = [steps if padding_side == "left" else length for length in lengths]
    times = [t for length, end in zip(lengths, ends, strict=True) for t in range(end - length, end)]
    owners = [n for n, length in enumerate(lengths) for _ in range(length)]
    index = (ad.asarray(owners, dtype=ad.int64), ad.asarray(times, dtype=ad.int64))
    element = members[0].shape[1:]
    sizes = (count, steps) if batch_first else (steps, count)
    lead = index if batch_first else index[::-1]
    out = ad.scatter(ad.concat(members), lead, (*sizes, *element), unique=True)
    if padding_value != 0:
        valid = ad.scatter(ad.ones((len(times),), dtype=bool), lead, sizes, unique=True)
        out = ad.where(valid.reshape((*sizes, *(1 for _ in element))), out, padding_value)
    return out


@typed
def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths.

    Parameters
    ----------
    sequences : sequence of Tensors ``(L_n, *)``
        Alike in all axes but the first.
    enforce_sorted : bool
        Whether the lengths must descend; see :func:`pack_padded_sequence`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.utils.rnn.pack_sequence([ad.tensor([1, 2]), ad.tensor([3])]).data.tolist()
    [1, 3, 2]
    """
    members = _members("pack_sequence", sequences)
    lengths = [len(member) for member in members]
    return pack_padded_sequence(pad_sequence(members), lengths, enforce_sorted=enforce_sorted)


@typed
def unpad_sequence(
    padded_sequences: Any, lengths: Any, batch_first: bool = False
) -> list[ad.Tensor]:
    """Take a padded batch apart: the inverse of :func:`pad_sequence`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> batch = ad.tensor([[1, 2, 3], [4, 0, 0]])
    >>> [x.tolist() for x in nn.utils.rnn.unpad_sequence(batch, [3, 1], batch_first=True)]
    [[1, 2, 3], [4]]
    """
    x = _padded("unpad_sequence", padded_sequences)
    x = x if batch_first else x.swapaxes(0, 1)
    counts = as_lengths("unpad_sequence", lengths, x.shape[0], x.shape[1], least=0)
    return [row[:count] for row, count in zip(ad.unstack(x), counts, strict=True)]


@typed
def unpack_sequence(packed_sequences: PackedSequence) -> list[ad.Tensor]:
    """Take a packed batch apart: the inverse of :func:`pack_sequence`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> packed = nn.utils.rnn.pack_sequence([ad.tensor([1, 2]), ad.tensor([3])])
    >>> [x.tolist() for x in nn.utils.rnn.unpack_sequence(packed)]
    [[1, 2], [3]]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


@typed
def invert_permutation(permutation: Any) -> ad.Tensor:
    """Return the permutation that undoes another.

    Examples
    --------
    >>> from nn.utils.rnn import invert_permutation
    >>> invert_permutation([2, 0, 1]).tolist()
    [1, 2, 0]
    """
    order = as_input("invert_permutation", permutation)
    inverse = ad.argsort(order)
    if order.ndim != 1 or bool(ad.any(ad.take(order, inverse) != ad.arange(order.size))):
        message = f"invert_permutation: {ad.errors.describe(order)} is no permutation"
        raise ad.DomainError(f"{message}. Give the numbers from 0 on, each once.")
    return inverse


def permuted(x: ad.Tensor, inverse: ad.Tensor, axis: int) -> ad.Tensor:
    """Permute along an axis: ``take(x, order, axis)``, where ``inverse`` undoes ``order``.

    It is written as the scatter that it also is: a permutation names no place twice, which
    a gather can't promise its gradient.
    """
    return ad.scatter(x, (slice(None),) * axis + (inverse,), x.shape, unique=True)


def as_lengths(owner: Any, lengths: Any, batch: int, steps: int, least: int = 1) -> list[int]:
    """Return the sequences' lengths as ints; raise a typed error if they can't be that."""
    name = name_of(owner)
    counts = _integers(owner, "lengths", as_input(owner, lengths))
    if len(counts) != batch:
        message = f"{name}: {len(counts)} lengths for a batch of {batch} sequences"
        raise ad.ShapeError(f"{message}. Give one length for each.")
    for n, count in enumerate(counts):
        if not least <= count <= steps:
            message = f"{name}: lengths[{n}] is {count}, the sequences are padded to {steps} steps"
            raise ad.DomainError(f"{message}. Give lengths from {least} to {steps}.")
    return counts


def _integers(owner: Any, what: str, values: ad.Tensor) -> list[int]:
    name = name_of(owner)
    if values.ndim != 1:
        message = f"{name}: {what} are {ad.errors.describe(values)}"
        raise ad.ShapeError(f"{message}. Give one axis: a whole number for each sequence.")
    if values.dtype.kind not in "iu" and values.size:
        message = f"{name}: {what} are {ad.errors.describe(values)}"
        raise ad.DTypeError(f"{message}. Give whole numbers, of an integer dtype.")
    found: list[int] = values.tolist()
    return found


def _padded(owner: str, x: Any) -> ad.Tensor:
    batch = as_input(owner, x)
    if batch.ndim < 2:
        message = f"{owner}: the batch is {ad.errors.describe(batch)}"
        raise ad.ShapeError(f"{message}. Give at least two axes: steps and sequences.")
    return batch


def _members(owner: str, sequences: Sequence[Any]) -> list[ad.Tensor]:
    if not isinstance(sequences, Iterable):
        message = f"{owner}: a {type(sequences).__name__} is no list of sequences"
        raise ad.DTypeError(f"{message}. Give one: [tensor, tensor].")
    members = [as_input(owner, sequence) for sequence in sequences]
    shapes = {member.shape[1:] for member in members}
    if not members or any(member.ndim == 0 for member in members) or len(shapes) > 1:
        found = ", ".join(ad.errors.describe(member) for member in members[:8]) or "none"
        message = f"{owner}: the sequences are {found}"
        raise ad.ShapeError(f"{message}. Give at least one, alike in all axes but the first.")
    return members


def _valid(lengths: list[int], steps: int) -> ad.Tensor:
    """Return which places of ``(T, N)`` are no padding."""
    valid: ad.Tensor = ad.arange(steps)[:, None] < ad.asarray(lengths, dtype=ad.int64)
    return valid


def _sizes(lengths: list[int]) -> ad.Tensor:
    """Return the batch sizes of descending lengths."""
    return ad.sum(_valid(lengths, lengths[0] if lengths else 0), axis=1)


def _brief(values: list[int]) -> str:
    return f"[{', '.join(map(str, values[:8]))}, ...]" if len(values) > 8 else f"{values}"
