"""The multilayer perceptron: affine layers with a nonlinearity between them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import autodiff as ad
from nn import activations
from nn import init as initial
from nn.activations import Function
from nn.checks import check_probability
from nn.containers import Sequential
from nn.dropout import Dropout
from nn.linear import Linear
from nn.module import Module
from nn.normalization import BatchNorm1d, LayerNorm, RMSNorm

__all__ = ["MLP"]

_ACTIVATIONS: dict[str, type[Module]] = {
    name.lower(): getattr(activations, name)
    for name in (
        "Identity", "ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "CELU", "SELU", "GELU",
        "SiLU", "Mish", "Softplus", "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish", "Sigmoid",
        "LogSigmoid", "Tanh",
    )
}  # fmt: skip
_ACTIVATIONS["leaky_relu"] = activations.LeakyReLU

_NORMS: dict[str, type[Module]] = {"batch": BatchNorm1d, "layer": LayerNorm, "rms": RMSNorm}

_INITS: dict[str, Callable[[Any], Any]] = {
    name: getattr(initial, f"{name}_")
    for name in ("xavier_uniform", "xavier_normal", "lecun_normal", "orthogonal")
}
_INITS["kaiming_uniform"] = lambda w: initial.kaiming_uniform_(w, nonlinearity="relu")
_INITS["kaiming_normal"] = lambda w: initial.kaiming_normal_(w, nonlinearity="relu")


class MLP(Sequential):
    """A multilayer perceptron: affine layers with a nonlinearity between them.

    Its parts are numbered as in ``torch.nn.Sequential(Linear, ReLU, Linear)``, whose state
    dict therefore fits. Between two affine layers stand, in this order, the normalisation,
    the activation and the dropout, where there are any.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, of units in each hidden layer, and of outputs.
    activation : str, callable or Module
        What follows every affine layer but the last: a name ("relu", "tanh", "gelu", ...),
        a function of a tensor, a class of modules, or a module (of which each place gets a
        copy).
    norm : str, callable or None
        "batch", "layer" or "rms", or what makes a module of the number of units.
    dropout : float
        The probability of dropping a unit; 0 for no such layers.
    init : str, callable or None
        How weights start: "xavier_uniform" (what None means), "xavier_normal",
        "kaiming_uniform" and "kaiming_normal" (with ReLU's gain), "lecun_normal",
        "orthogonal", or a function that fills a tensor, as those of :mod:`nn.init`.
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
        norm: str | Callable[[int], Module] | None = None,
        dropout: float = 0.0,
        init: str | Callable[[Any], Any] | None = None,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        if not isinstance(sizes, Sequence) or isinstance(sizes, str) or len(sizes) < 2:
            message = f"MLP: the sizes {sizes!r} are too short or no list"
            raise ad.OptionError(f"{message}. Give at least the number of inputs and of outputs.")
        fill = _initializer(init)
        dropout = check_probability("MLP", "dropout", dropout)
        between = partial(_between, activation=activation, norm=norm, dropout=dropout, dtype=dtype)
        _activation(activation, dtype)  # also where no layer needs it, a mistake in it is one
        if not callable(norm):
            between(1)
        modules: list[Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            if i:
                modules += between(inputs)
            layer = Linear(inputs, outputs, bias, dtype)
            if fill is not None:
                fill(layer.weight)
            modules.append(layer)
        super().__init__(*modules)


def _between(units: int, *, activation: Any, norm: Any, dropout: float, dtype: Any) -> list[Module]:
    """Make what follows an affine layer of so many units."""
    modules = [] if norm is None else [_norm(norm, units, dtype)]
    modules.append(_activation(activation, dtype))
    return [*modules, Dropout(dropout)] if dropout else modules


def _norm(given: Any, units: int, dtype: Any) -> Module:
    if isinstance(given, str) and given in _NORMS:
        return _NORMS[given](units, dtype=dtype)
    made = given(units) if callable(given) and not isinstance(given, Module) else None
    if not isinstance(made, Module):
        known = ", ".join(map(repr, _NORMS))
        message = f"MLP: the norm {given!r} is unknown"
        raise ad.OptionError(f"{message}. Give one of {known}, a class of modules, or None.")
    return made


def _initializer(given: Any) -> Callable[[Any], Any] | None:
    if given is None or (callable(given) and not isinstance(given, type)):
        return given
    if not isinstance(given, str) or given not in _INITS:
        known = ", ".join(map(repr, _INITS))
        message = f"MLP: the init {given!r} is unknown"
        raise ad.OptionError(f"{message}. Give one of {known}, or a function of nn.init.")
    return _INITS[given]


def _activation(given: Any, dtype: Any) -> Module:
    """Make the layer that is meant by a name, a function, a class or a module."""
    if isinstance(given, str):
        if given not in _ACTIVATIONS:
            known = ", ".join(map(repr, _ACTIVATIONS))
            message = f"MLP: the activation {given!r} is unknown"
            raise ad.OptionError(f"{message}. Give one of {known}, a function or a module.")
        kind = _ACTIVATIONS[given]
        return kind(dtype=dtype) if kind is activations.PReLU else kind()
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if isinstance(given, Module):
        return copy.deepcopy(given)
    if callable(given):
        return Function(given)
    message = f"MLP: an activation can't be a {type(given).__name__}"
    raise ad.OptionError(f"{message}. Give a name, a function or a module.")
