"""What a saved state must hold: checked whole, before anything of it is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import autodiff as ad
from nn.saving import FileFormatError

__all__ = [
    "ANY", "ARRAYS", "COUNT", "DICT", "FOREIGN", "MEANS", "NUMBER", "NUMBERS", "ROWS", "SWITCH",
    "check_state", "or_none", "reason",
]  # fmt: skip

FOREIGN = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What is raised by code that takes over a state, unchecked, which is not its own."""

_LARGEST = 2**63
"""Whole numbers from here on are none of ours, and the largest of them are no floats."""


class Kind(NamedTuple):
    """What an entry must be."""

    wanted: str
    fits: Callable[[Any], bool]


def or_none(kind: Kind) -> Kind:
    """Let an entry be None, too."""
    return Kind(f"{kind.wanted}, or None", lambda value: value is None or kind.fits(value))


def check_state(owner: str, state: Any, wanted: Mapping[str, Kind]) -> None:
    """Raise FileFormatError unless a state has every entry that is wanted, each of its kind."""
    remedy = "Give what state_dict() returned, or the nn.load of it."
    if not isinstance(state, Mapping):
        message = f"{owner}: a {type(state).__name__} is no saved state"
        raise FileFormatError(f"{message}. {remedy}")
    for name, kind in wanted.items():
        if name not in state:
            raise FileFormatError(f"{owner}: the saved state has no {name!r}. {remedy}")
        if not kind.fits(state[name]):
            message = f"{owner}: the saved {name!r} is {ad.errors.describe(state[name])}"
            raise FileFormatError(f"{message}, not {kind.wanted}. {remedy}")


def reason(error: BaseException) -> str:
    """Say briefly why a state could not be taken over."""
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)[:200]


def _is_whole(value: Any) -> bool:
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) < _LARGEST
    )


def _is_count(value: Any) -> bool:
    return _is_whole(value) and int(value) >= 0


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, Real) and not isinstance(value, Integral))


def _are_numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_number, value))
    return _is_array(value) and len(value.shape) == 1 and value.dtype.kind in "fiu"


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _are_arrays(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_array, value.values()))


def _are_means(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and isinstance(pair, (list, tuple))
        and len(pair) == 2
        and all(map(_is_number, pair))
        for name, pair in value.items()
    )


def _are_rows(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(row, Mapping) and all(isinstance(name, str) for name in row) for row in value
    )


ANY = Kind("anything", lambda _: True)
COUNT = Kind("a whole number of 0 or more", _is_count)
NUMBER = Kind("a number", _is_number)
SWITCH = Kind("True or False", lambda value: isinstance(value, bool))
NUMBERS = Kind("an array of numbers", _are_numbers)
ARRAYS = Kind("a dict of arrays", _are_arrays)
DICT = Kind("a dict", lambda value: isinstance(value, Mapping))
MEANS = Kind("a dict of pairs of numbers", _are_means)
ROWS = Kind("a list of dicts with names as keys", _are_rows)
