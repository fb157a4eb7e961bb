"""Masks: where attention may look, as what is added to the scores before the softmax.

A boolean mask becomes a bias of 0 where a key takes part and of minus infinity where it does
not: one small array, added to the scores in the same pass whatever the number of heads, and
the softmax then gives exactly 0. A query that may look nowhere has no distribution; its
weights, its context and their gradients are 0, never NaN.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import autodiff as ad
from nn.attention.tables import table_length
from nn.checks import as_input, name_of
from nn.module import Module

__all__ = [
    "Bias", "attention_weights", "bias_of", "causal_bias", "causal_mask", "check_mask",
    "check_mask_shape", "joined",
]  # fmt: skip


class Bias(NamedTuple):
    """What a mask adds to the scores.

    Attributes
    ----------
    values : Tensor
        Broadcasts to the scores ``(..., T, S)``; 0 in the rows that are masked entirely.
    alive : Tensor or None
        ``(..., T, 1)``, False for the rows that are masked entirely; None where none is.
    """

    values: ad.Tensor
    alive: ad.Tensor | None


def bias_of(mask: ad.Tensor, dtype: Any) -> Bias:
    """Make the bias of a mask.

    Parameters
    ----------
    mask : Tensor
        ``(..., T, S)``: booleans, True where a key takes part, or numbers to be added.
    dtype : dtype
        Of the scores.
    """
    takes_part = mask if mask.dtype == ad.bool else mask > -ad.inf
    alive = ad.any(takes_part, axis=-1, keepdims=True)
    complete = bool(ad.all(alive))
    if mask.dtype != ad.bool:
        values = ad.astype(mask, dtype, copy=False)
        return Bias(values, None) if complete else Bias(ad.where(alive, values, 0.0), alive)
    none, some = ad.zeros((), dtype=dtype), ad.full((), -ad.inf, dtype=dtype)
    if complete:
        return Bias(ad.where(mask, none, some), None)
    return Bias(ad.where(mask | ~alive, none, some), alive)


def causal_bias(queries: int, keys: int, offset: int, dtype: Any) -> Bias:
    """Make the bias that lets query ``t`` look at the keys up to ``t + offset``."""
    stop = offset + queries
    table = _causal_table(table_length(max(stop, keys)), dtype)
    return Bias(table[offset:stop, :keys], None)


@lru_cache(maxsize=8)
def _causal_table(length: int, dtype: Any) -> ad.Tensor:
    with ad.no_grad():
        return bias_of(causal_mask(length, length), dtype).values


def causal_mask(queries: int, keys: int, offset: int = 0) -> ad.Tensor:
    """Return ``(queries, keys)`` booleans, True where ``key <= query + offset``."""
    return ad.arange(keys) <= ad.expand_dims(ad.arange(queries), axis=1) + offset


def joined(*masks: ad.Tensor | None) -> ad.Tensor | None:
    """Return the mask of what all masks let through: ``and`` of booleans, sum of biases."""
    found: ad.Tensor | None = None
    for mask in masks:
        if mask is None or found is None:
            found = mask if found is None else found
        elif mask.dtype == ad.bool and found.dtype == ad.bool:
            found = found & mask
        else:
            found = _numbers(found, mask) + _numbers(mask, found)
    return found


def _numbers(mask: ad.Tensor, other: ad.Tensor) -> ad.Tensor:
    if mask.dtype != ad.bool:
        return mask
    dtype = other.dtype
    return ad.where(mask, ad.zeros((), dtype=dtype), ad.full((), -ad.inf, dtype=dtype))


def attention_weights(scores: ad.Tensor, bias: Bias | None) -> ad.Tensor:
    """Return the softmax of the scores ``(..., T, S)`` over the keys that take part."""
    if bias is None:
        return ad.softmax(scores)
    weights: ad.Tensor = ad.softmax(scores + bias.values)
    if bias.alive is not None:
        weights = ad.masked(weights, bias.alive)
    return weights


def check_mask(
    owner: Module | str, name: str, mask: Any, scores: tuple[int, ...], takes: str
) -> ad.Tensor:
    """Return a mask as a tensor; raise unless it is one and broadcasts to the scores' shape.

    Parameters
    ----------
    owner : Module or str
        Whose mask it is, for the message.
    name : str
        The argument.
    mask : array_like
    scores : tuple of int
        The scores' shape.
    takes : str
        ``"bool"``, or ``"bool or float"`` where numbers may be added as well.

    Raises
    ------
    DTypeError, ShapeError
    """
    given = _typed_mask(owner, name, mask, takes)
    pairs = zip(reversed(given.shape), reversed(scores), strict=False)
    if given.ndim > len(scores) or any([size not in (1, goal) for size, goal in pairs]):
        found = f"{name_of(owner)}: {name} is {ad.errors.describe(given)}, the scores are {scores}"
        raise ad.ShapeError(f"{found}. Give a mask that broadcasts to that shape.")
    return given


def check_mask_shape(
    owner: Module | str, name: str, mask: Any, *shapes: tuple[int, ...]
) -> ad.Tensor:
    """Return a mask of booleans or floats as a tensor; raise unless it has one of the shapes."""
    given = _typed_mask(owner, name, mask, "bool or float")
    if given.shape not in shapes:
        found = f"{name_of(owner)}: {name} is {ad.errors.describe(given)}"
        raise ad.ShapeError(f"{found}. Give a mask of shape {' or '.join(map(str, shapes))}.")
    return given


def _typed_mask(owner: Module | str, name: str, mask: Any, takes: str) -> ad.Tensor:
    given = as_input(owner, mask)
    if given.dtype != ad.bool and not (given.dtype.kind == "f" and "float" in takes):
        found = f"{name_of(owner)}: {name} is {ad.errors.describe(given)}"
        remedy = "Cast zeros and ones with mask.astype(autodiff.bool)"
        raise ad.DTypeError(f"{found}, its dtype must be {takes}. {remedy}.")
    return given
