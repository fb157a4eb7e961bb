"""The affine layer, and the network made of nothing else but it and a nonlinearity."""

from __future__ import annotations

import copy
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import autodiff as ad
from nn import init
from nn.activations import Function, Identity, ReLU, Sigmoid, Tanh
from nn.containers import Sequential
from nn.module import Module, Parameter

__all__ = ["MLP", "Linear"]


class Linear(Module):
    r"""An affine map of the last axis, :math:`y = x W^\top + b`.

    The weight starts as Xavier's uniform distribution (Glorot and Bengio 2010, eq. 16),

    .. math:: W \sim U\left[-\frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}},
       \frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}}\right],

    and the bias as zeros; :mod:`nn.init` has other beginnings. (PyTorch's default, a
    uniform distribution of variance ``1 / (3 n_in)``, is ``kaiming_uniform_(a=sqrt(5))``.)

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axis of input and output.
    bias : bool
        Whether there is a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(out_features, in_features)``.
    bias : Parameter or None
        ``(out_features,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.Linear(3, 2)
    >>> layer(ad.ones((5, 7, 3))).shape
    (5, 7, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        self.in_features = _size("in_features", in_features)
        self.out_features = _size("out_features", out_features)
        dtype = dtype or ad.get_default_dtype()
        self.weight = Parameter(ad.zeros((self.out_features, self.in_features), dtype=dtype))
        self.bias = Parameter(ad.zeros((self.out_features,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.xavier_uniform_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x: Any) -> ad.Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``.

        Parameters
        ----------
        x : Tensor or array_like

        Raises
        ------
        DTypeError
            If the input is no array and can't become one.
        ShapeError
            If the last axis has another size. Both messages have the path of the module.
        """
        if not isinstance(x, ad.Tensor):
            try:
                x = ad.asarray(x)
            except ad.AutodiffError as error:
                raise type(error)(f"{self.location()}: {error}") from error
        if not x.shape or x.shape[-1] != self.in_features:
            size = f"{x.shape[-1]} features" if x.shape else "no axis of features"
            message = (
                f"{self.location()}: the input {ad.errors.describe(x)} has {size}, the weight "
                f"{self.weight.shape} takes {self.in_features}"
            )
            raise ad.ShapeError(f"{message}. Give an input of shape (..., {self.in_features}).")
        y: ad.Tensor = x @ self.weight.mT
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Return the sizes."""
        without = ", bias=False" if self.bias is None else ""
        return f"{self.in_features}, {self.out_features}{without}"


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


def _size(name: str, value: Any) -> int:
    try:
        size = operator.index(value)
    except TypeError:
        size = -1
    if size < 0 or isinstance(value, bool):
        raise ad.OptionError(f"Linear: {name} is {value!r}. Give a whole number, 0 or more.")
    return size
