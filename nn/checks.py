"""Checks of arguments that all layers share: each error says which module, what, and the remedy.

``owner`` is a module, which a message names by its path while it is being called
(``"Linear 'encoder.layers.3.linear1'"``), or a name.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import autodiff as ad
from nn.module import Module

__all__ = ["as_input", "check_features", "check_known", "check_probability", "check_size"]


def check_size(owner: Module | str, name: str, value: Any, least: int = 0) -> int:
    """Return a size as an int; raise OptionError unless it is a whole number that large."""
    try:
        size = operator.index(value)
    except TypeError:
        size = least - 1
    if size < least or isinstance(value, bool):
        message = f"{_name(owner)}: {name} is {value!r}"
        raise ad.OptionError(f"{message}. Give a whole number, {least} or more.")
    return size


def check_probability(owner: Module | str, name: str, value: Any) -> float:
    """Return a probability; raise DomainError unless it lies from 0 to 1."""
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ad.DomainError(f"{_name(owner)}: {name} is {value!r}. Give a number from 0 to 1.")
    return float(value)


def check_known(owner: Module | str, name: str, value: Any, known: Collection[str]) -> str:
    """Return an option that is one of several words; raise OptionError otherwise."""
    if not isinstance(value, str) or value not in known:
        words = ", ".join(map(repr, known))
        raise ad.OptionError(f"{_name(owner)}: {name} {value!r} is unknown. Give one of {words}.")
    return value


def as_input(owner: Module | str, x: Any) -> ad.Tensor:
    """Make a tensor of an input; raise DTypeError, with the module's path, if it can't be one."""
    if isinstance(x, ad.Tensor):
        return x
    try:
        return ad.asarray(x)
    except ad.AutodiffError as error:
        raise type(error)(f"{_name(owner)}: {error}") from error


def check_features(owner: Module | str, x: ad.Tensor, size: int, weight: ad.Tensor) -> None:
    """Raise ShapeError unless the last axis has the size that the weight takes."""
    if x.shape and x.shape[-1] == size:
        return
    found = f"{x.shape[-1]} features" if x.shape else "no axis of features"
    message = (
        f"{_name(owner)}: the input {ad.errors.describe(x)} has {found}, the weight "
        f"{weight.shape} takes {size}"
    )
    raise ad.ShapeError(f"{message}. Give an input of shape (..., {size}).")


def _name(owner: Module | str) -> str:
    return owner if isinstance(owner, str) else owner.location()
