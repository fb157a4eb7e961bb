"""Checks of arguments that all layers share: each error says which module, what, and the remedy.

``owner`` is a module, which a message names by its path while it is being called
(``"Linear 'encoder.layers.3.linear1'"``), or a name.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

import autodiff as ad
from nn.calls import shown
from nn.module import Module

__all__ = [
    "as_floats", "as_input", "check_features", "check_known",
    "check_logits", "check_numbers", "check_positive",
    "check_probability", "check_size", "located", "name_of",
]  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


def name_of(owner: Module | str) -> str:
    """Name a module by its path while it is being called; a name stays what it is."""
    return owner if isinstance(owner, str) else owner.location()


_PLAIN = (ad.ShapeError, ad.DTypeError, ad.DomainError, ad.OptionError, ad.AxisError)
"""Errors that are made of a message alone."""


def located(forward: F) -> F:
    """Let the errors of a forward function say where the module is."""

    @wraps(forward)
    def call(self: Module, *args: Any, **options: Any) -> Any:
        try:
            return forward(self, *args, **options)
        except _PLAIN as error:
            here = self.location()
            if str(error).startswith(here):
                raise
            raise type(error)(f"{here}: {error}") from error

    return call  # type: ignore[return-value]


def check_size(
    owner: Module | str, name: str, value: Any, least: int = 0, most: float = math.inf
) -> int:
    """Return a size as an int; raise OptionError unless it is a whole number in the range."""
    size = _whole(value)
    if size is None or not least <= size <= most:
        message = f"{name_of(owner)}: {name} is {shown(value)}"
        wanted = f"{least} or more" if most == math.inf else f"from {least} to {most}"
        raise ad.OptionError(f"{message}. Give a whole number, {wanted}.")
    return size


def check_numbers(owner: Module | str, name: str, values: Any) -> tuple[int, ...]:
    """Return whole numbers as a tuple; raise OptionError unless they are a sequence of such."""
    try:
        given = list(values)
    except TypeError:
        given = [None]
    numbers = tuple([number for number in map(_whole, given) if number is not None])
    if len(numbers) < len(given):
        message = f"{name_of(owner)}: {name} is {values!r}"
        raise ad.OptionError(f"{message}. Give a sequence of whole numbers.")
    return numbers


def _whole(value: Any) -> int | None:
    """Return a whole number as an int; None for all else, True and False among it."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_probability(owner: Module | str, name: str, value: Any) -> float:
    """Return a probability; raise DomainError unless it lies from 0 to 1."""
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ad.DomainError(
            f"{name_of(owner)}: {name} is {shown(value)}. Give a number from 0 to 1."
        )
    return float(value)


def check_positive(owner: Module | str, name: str, value: Any, *, or_zero: bool = False) -> float:
    """Return a number above 0 (or 0 too); raise DomainError for any other."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf or (value == 0 and not or_zero):
        wanted = "0 or more" if or_zero else "above 0"
        raise ad.DomainError(f"{name_of(owner)}: {name} is {shown(value)}. Give a number {wanted}.")
    return float(value)


def check_known(owner: Module | str, name: str, value: Any, known: Collection[str]) -> str:
    """Return an option that is one of several words; raise OptionError otherwise."""
    if not isinstance(value, str) or value not in known:
        words = ", ".join(map(repr, known))
        raise ad.OptionError(f"{name_of(owner)}: {name} {value!r} is unknown. Give one of {words}.")
    return value


def check_logits(owner: Module | str, likeliest: ad.Tensor) -> None:
    """Raise DomainError unless the likeliest token's logit, or score, is finite in every row."""
    if not bool(ad.all(ad.isfinite(likeliest))):
        message = f"{name_of(owner)}: the logits of the next token are NaN or infinite"
        raise ad.DomainError(
            f"{message}, so that no token is the likeliest. Check the parameters: a learning rate "
            "that is too large makes such ones, see nn.optim.clip_grad_norm_."
        )


def as_input(owner: Module | str, x: Any) -> ad.Tensor:
    """Make a tensor of an input; raise DTypeError, with the module's path, if it can't be one."""
    if isinstance(x, ad.Tensor):
        return x
    try:
        return ad.asarray(x)
    except ad.AutodiffError as error:
        raise type(error)(f"{name_of(owner)}: {error}") from error


def as_floats(owner: Module | str, x: Any) -> ad.Tensor:
    """Make a tensor of an input; raise DTypeError unless its dtype is a floating one."""
    tensor = as_input(owner, x)
    if tensor.dtype.kind not in "fc":
        message = f"{name_of(owner)}: the input {ad.errors.describe(tensor)} holds no floats"
        raise ad.DTypeError(f"{message}. Cast it with .astype(autodiff.float32).")
    return tensor


def check_features(owner: Module | str, x: ad.Tensor, size: int, weight: ad.Tensor) -> None:
    """Raise ShapeError unless the last axis has the size that the weight takes."""
    if x.shape and x.shape[-1] == size:
        return
    found = f"{x.shape[-1]} features" if x.shape else "no axis of features"
    message = (
        f"{name_of(owner)}: the input {ad.errors.describe(x)} has {found}, the weight "
        f"{weight.shape} takes {size}"
    )
    raise ad.ShapeError(f"{message}. Give an input of shape (..., {size}).")
