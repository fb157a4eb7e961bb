"""The state of every shared source of random numbers, taken and put back as one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import autodiff as ad
from nn.module import Module

__all__ = ["random_state", "set_random_state"]


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
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(_as_arrays(state["numpy"]))  # noqa: NPY002
    for name, own in _generators(model):
        if name in state["layers"]:
            own.bit_generator.state = _as_arrays(state["layers"][name])


def _generators(model: Module) -> Iterator[tuple[str, np.random.Generator]]:
    """Give the generators that layers hold: dropout's, for example."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                yield f"{path}.{name}", value


def _as_arrays(state: Any) -> Any:
    """Make arrays of tensors again, which is what a loaded file has in their place."""
    if isinstance(state, Mapping):
        return {key: _as_arrays(value) for key, value in state.items()}
    return state.numpy() if isinstance(state, ad.Tensor) else state
