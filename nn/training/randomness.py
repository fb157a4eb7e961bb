"""The state of every shared source of random numbers, taken and put back as one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import autodiff as ad
from nn.module import Module
from nn.saving import FileFormatError
from nn.training.states import FOREIGN, reason

__all__ = ["check_random_state", "random_state", "set_random_state"]

_WORDS, _BUFFER = 624, 4
"""How much MT19937 and Philox hold; a position in it may be its end."""


def random_state(model: Module) -> dict[str, Any]:
    """Return the states of ``autodiff.random``, Python's, NumPy's and the layers' generators."""
    version, words, gauss = random.getstate()
    return {
        "autodiff": ad.random.get_state(),
        "python": [version, words, gauss],
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 - users' code may draw from it
        "layers": {name: own.bit_generator.state for name, own in _generators(model)},
    }


def set_random_state(model: Module, state: Mapping[str, Any]) -> None:
    """Put all of them back into a state that :func:`random_state` returned."""
    ad.random.set_state(state["autodiff"])
    version, words, gauss = state["python"]
    if not (gauss is None or isinstance(gauss, float)):  # Python takes anything
        raise TypeError(f"a normal number of Python's is {gauss!r}")
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(_for_numpy(state["numpy"]))  # noqa: NPY002
    for name, own in _generators(model):
        if name in state["layers"]:
            own.bit_generator.state = _for_numpy(state["layers"][name])


def check_random_state(model: Module, state: Any) -> None:
    """Raise FileFormatError unless every generator can be put into a state; none is changed."""
    now = random_state(model)
    try:
        set_random_state(model, state)
    except FOREIGN as error:
        message = "Trainer: the saved state of the random generators makes no sense"
        raise FileFormatError(
            f"{message} ({reason(error)}). Take another copy, for a model built alike."
        ) from error
    finally:
        set_random_state(model, now)


def _generators(model: Module) -> Iterator[tuple[str, np.random.Generator]]:
    """Give the generators that layers hold: dropout's, for example."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                yield f"{path}.{name}", value


def _for_numpy(saved: Any) -> Any:
    """Return a generator's state as NumPy takes it.

    NumPy reads its memory wherever a state says that it stands: here is the only check.
    """
    state = _as_arrays(saved)
    inner = state["state"]
    if "pos" in inner:
        key = inner["key"]
        if key.shape != (_WORDS,) or key.dtype != np.uint32:
            raise ValueError(f"a key is {ad.errors.describe(key)}, not {_WORDS} words of uint32")
        _check_position(inner["pos"], _WORDS)
    if "buffer_pos" in state:
        _check_position(state["buffer_pos"], _BUFFER)
    return state


def _check_position(position: Any, end: int) -> None:
    if type(position) is not int or not 0 <= position <= end:
        raise ValueError(f"a position is {position!r}, not from 0 to {end}")


def _as_arrays(state: Any) -> Any:
    """Make arrays of tensors again, which is what a loaded file has in their place."""
    if isinstance(state, Mapping):
        return {key: _as_arrays(value) for key, value in state.items()}
    return state.numpy() if isinstance(state, ad.Tensor) else state
