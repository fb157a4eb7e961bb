"""How examples become a batch: stacked, or padded to the longest and stacked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import autodiff as ad
from nn.calls import typed
from nn.checks import check_numbers

__all__ = ["default_collate", "pad_collate"]


@typed
def default_collate(examples: Sequence[Any], *, indices: Sequence[int] | None = None) -> Any:
    """Stack examples along a new first axis.

    Parameters
    ----------
    examples : sequence
        Arrays, tensors, numbers and lists of numbers are stacked; of tuples and dicts, which
        must be alike, each entry is. Text, None and other objects come as a list.
    indices : sequence of int, optional
        The examples' places in the dataset, for messages; at first those in the batch.

    Returns
    -------
    Tensor, tuple, dict or list

    Raises
    ------
    ShapeError
        If the examples are not of one shape, or not of one structure.

    Examples
    --------
    >>> import nn
    >>> inputs, labels = nn.default_collate([([1.0, 2.0], 0), ([3.0, 4.0], 1)])
    >>> inputs
    tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    >>> labels
    tensor([0, 1], dtype=int64)
    """
    return _collated("default_collate", _stack, examples, indices)


@typed
def pad_collate(
    examples: Sequence[Any], *, padding_value: float = 0, indices: Sequence[int] | None = None
) -> Any:
    """Pad sequences to the longest of the batch; give them with their lengths.

    Parameters
    ----------
    examples : sequence
        As of :func:`default_collate`; but what has axes is a sequence along the first of
        them, of shape ``(L, ...)``, and ``L`` may differ from example to example.
    padding_value : number
        What stands behind the end of a shorter sequence.
    indices : sequence of int, optional
        The examples' places in the dataset, for messages.

    Returns
    -------
    Tensor, tuple, dict or list
        In the place of each sequence a pair: the padded batch of shape ``(N, max L, ...)``
        and the lengths of shape ``(N,)``. Of examples ``(sequence, label)`` that makes
        ``((padded, lengths), labels)``. With a padding value of one's own:
        ``functools.partial(nn.pad_collate, padding_value=-1)``.

    Raises
    ------
    ShapeError
        If axes other than the first differ, or the structures do.
    DomainError
        If the sequences' dtype can't hold the padding value: 0.5 between whole numbers.

    Examples
    --------
    >>> import nn
    >>> (padded, lengths), labels = nn.pad_collate([([1, 2, 3], 0), ([4], 1)])
    >>> padded
    tensor([[1, 2, 3],
            [4, 0, 0]], dtype=int64)
    >>> lengths
    tensor([3, 1], dtype=int64)
    """

    def pad(what: str, arrays: list[Any], places: Sequence[int]) -> Any:
        if not arrays[0].shape:
            return _stack(what, arrays, places)
        return _pad(what, arrays, places, padding_value)

    return _collated("pad_collate", pad, examples, indices)


_Join = Callable[[str, list[Any], Sequence[int]], Any]


def _collated(name: str, join: _Join, examples: Sequence[Any], indices: Any) -> Any:
    if not hasattr(examples, "__len__"):
        message = f"{name}: the examples are a {type(examples).__name__}"
        raise ad.OptionError(f"{message}. Give a list of them.")
    if not len(examples):
        raise ad.OptionError(f"{name}: there are no examples. Give at least one.")
    places = range(len(examples)) if indices is None else check_numbers(name, "indices", indices)
    if len(places) != len(examples):
        message = f"{name}: there are {len(examples)} examples and {len(places)} indices"
        raise ad.OptionError(f"{message}. Give one for each, or none.")
    return _walk(name, join, list(examples), places)


def _walk(what: str, join: _Join, parts: list[Any], places: Sequence[int]) -> Any:
    """Collate what stands in one place of every example; ``what`` says which place."""
    first = parts[0]
    if isinstance(first, (tuple, dict)):
        for part, place in zip(parts, places, strict=True):
            if not _alike(part, first):
                message = (
                    f"{what}: example {place} is {_structure(part)}, "
                    f"example {places[0]} is {_structure(first)}"
                )
                raise ad.ShapeError(f"{message}. Give every example the same structure.")
        keys = first.keys() if isinstance(first, dict) else range(len(first))
        values = [
            _walk(f"{what}, entry {key!r}", join, [part[key] for part in parts], places)
            for key in keys
        ]
        if isinstance(first, dict):
            return dict(zip(keys, values, strict=True))
        return type(first)(*values) if hasattr(first, "_fields") else tuple(values)
    if first is None or isinstance(first, (str, bytes)):
        return parts
    return join(
        what, [_array(what, part, i) for part, i in zip(parts, places, strict=True)], places
    )


def _alike(part: Any, first: Any) -> bool:
    if isinstance(first, dict):
        return isinstance(part, dict) and part.keys() == first.keys()
    return isinstance(part, tuple) and len(part) == len(first)


def _structure(part: Any) -> str:
    if isinstance(part, tuple):
        return f"a tuple of {len(part)}"
    if isinstance(part, dict):
        return f"a dict of {', '.join(map(repr, part))}"
    return ad.errors.describe(part)


def _array(what: str, part: Any, place: int) -> Any:
    if isinstance(part, (ad.Tensor, np.ndarray)):
        return part
    try:
        return ad.asarray(part)
    except ad.AutodiffError as error:
        message = f"{what}: example {place}, a {type(part).__name__}, is no array of numbers"
        raise ad.DTypeError(
            f"{message} ({error}). Give arrays, numbers, or tuples or dicts of them; "
            "or a collate_fn of your own."
        ) from error


def _stack(what: str, arrays: list[Any], places: Sequence[int]) -> ad.Tensor:
    for array, place in zip(arrays, places, strict=True):
        if array.shape != arrays[0].shape:
            message = (
                f"{what}: example {place} has shape {array.shape}, "
                f"example {places[0]} has {arrays[0].shape}: they don't stack"
            )
            raise ad.ShapeError(
                f"{message}. Give collate_fn=nn.pad_collate for sequences of different "
                "lengths, or make the examples of one size."
            )
    if any(isinstance(array, ad.Tensor) for array in arrays):
        return ad.stack([ad.asarray(array) for array in arrays])
    return ad.asarray(np.stack(arrays))


def _pad(what: str, arrays: list[Any], places: Sequence[int], value: float) -> Any:
    for array, place in zip(arrays, places, strict=True):
        if not array.shape or array.shape[1:] != arrays[0].shape[1:]:
            message = (
                f"{what}: example {place} has shape {array.shape}, "
                f"example {places[0]} has {arrays[0].shape}"
            )
            raise ad.ShapeError(
                f"{message}: only the first axis may differ. Move the axis of time to the "
                "front, or give a collate_fn of your own."
            )
    lengths = [array.shape[0] for array in arrays]
    dtype = np.result_type(*[array.dtype for array in arrays])
    if len(set(lengths)) > 1:
        _check_padding(what, value, dtype)
    else:
        value = 0  # there is nothing to pad: labels beside sequences, of another dtype
    counts = ad.asarray(np.asarray(lengths, np.int64))
    if any(isinstance(array, ad.Tensor) and array.requires_grad for array in arrays):
        rows = [_extended(ad.asarray(array), max(lengths), value, dtype) for array in arrays]
        return ad.stack(rows), counts
    padded = np.full((len(arrays), max(lengths), *arrays[0].shape[1:]), value, dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: array.shape[0]] = array.data if isinstance(array, ad.Tensor) else array
    return ad.asarray(padded), counts


def _extended(array: ad.Tensor, length: int, value: float, dtype: Any) -> ad.Tensor:
    """Pad one sequence so that gradients reach it."""
    behind = ad.full((length - array.shape[0], *array.shape[1:]), value, dtype=dtype)
    longer: ad.Tensor = ad.concat([array.astype(dtype), behind], axis=0)
    return longer


def _check_padding(what: str, value: Any, dtype: Any) -> None:
    """Raise DomainError unless the dtype holds the value, of floats but for rounding."""
    given = np.asarray(value)
    fits = given.shape == () and given.dtype.kind in ("biufc" if dtype.kind == "c" else "biuf")
    if fits and dtype.kind in "biufc":
        with np.errstate(all="ignore"):
            held = given.astype(dtype)
        if dtype.kind in "biu":
            fits = held == given
        else:
            fits = np.isfinite(held) == np.isfinite(given)
    if not fits:
        message = f"{what}: padding_value is {value!r}, which {dtype} can't hold"
        raise ad.DomainError(f"{message}. Give a number of that dtype, or cast the examples.")
