"""The multilayer perceptron: affine layers with a nonlinearity between them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import autodiff as ad
from nn.activations import Function, Identity, ReLU, Sigmoid, Tanh
from nn.containers import Sequential
from nn.linear import Linear
from nn.module import Module

__all__ = ["MLP"]

_ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}


class MLP(Sequential):
    """A multilayer perceptron: affine layers with a nonlinearity between them.

    Its parts are numbered as in ``torch.nn.Sequential(Linear, ReLU, Linear)``, whose state
    dict therefore fits. The layers start as :class:`Linear` does (Xavier).

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, of units in each hidden layer, and of outputs.
    activation : str, callable or Module
        What follows every layer but the last: "relu", "tanh", "sigmoid", "identity", a
        function of a tensor, a class of modules, or a module (of which each place gets a
        copy).
    bias : bool
        Whether the layers have biases.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Examples
    --------
    >>> import nn
    >>> nn.MLP([64, 32, 10])
    MLP                   2,410 parameters
    ├─ 0: Linear(64, 32)  2,080
    ├─ 1: ReLU
    └─ 2: Linear(32, 10)    330
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Callable[[Any], Any] | Module | type[Module] = "relu",
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        sizes = list(sizes)
        if len(sizes) < 2:
            message = f"MLP: {sizes} is too short"
            raise ad.OptionError(f"{message}. Give at least the number of inputs and of outputs.")
        _activation(activation)  # also where no layer needs it, a mistake in it is one
        modules: list[Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            if i:
                modules.append(_activation(activation))
            modules.append(Linear(inputs, outputs, bias, dtype))
        super().__init__(*modules)


def _activation(given: Any) -> Module:
    """Make the layer that is meant by a name, a function, a class or a module."""
    if isinstance(given, str):
        if given not in _ACTIVATIONS:
            known = ", ".join(map(repr, _ACTIVATIONS))
            message = f"MLP: the activation {given!r} is unknown"
            raise ad.OptionError(f"{message}. Give one of {known}, a function or a module.")
        return _ACTIVATIONS[given]()
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if isinstance(given, Module):
        return copy.deepcopy(given)
    if callable(given):
        return Function(given)
    message = f"MLP: an activation can't be a {type(given).__name__}"
    raise ad.OptionError(f"{message}. Give a name, a function or a module.")
