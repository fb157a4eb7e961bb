"""The parameters of recurrent networks: names, shapes, how they start, how they are checked."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn import init
from nn.calls import shown
from nn.checks import as_input, check_known
from nn.module import Module, Parameter
from nn.recurrent.recurrences import Parameters

__all__ = ["check_finite", "check_state", "collect", "declare", "start"]

NONLINEARITIES = ("tanh", "relu")


def declare(
    module: Module,
    suffix: str,
    inputs: int,
    hidden: int,
    gates: int,
    *,
    bias: bool,
    projected: int = 0,
    peepholes: bool = False,
    layer_norm: bool = False,
    dtype: Any = None,
) -> None:
    """Assign the parameters of one layer in one direction, PyTorch's first, to attributes."""
    rows, state = gates * hidden, projected or hidden
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, inputs),
        "weight_hh": (rows, state),
    }
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if projected:
        shapes["weight_hr"] = (projected, hidden)
    if peepholes:
        shapes["weight_peephole"] = (3 * hidden,)
    if layer_norm:
        shapes |= {"weight_norm_ih": (rows,), "weight_norm_hh": (rows,)}
        shapes["weight_norm_c"] = (hidden,)
        if bias:
            shapes["bias_norm_c"] = (hidden,)
    dtype = dtype or ad.get_default_dtype()
    for name, shape in shapes.items():
        setattr(module, name + suffix, Parameter(ad.zeros(shape, dtype=dtype)))


def start(module: Module, hidden: int, forget_bias: float | None = None) -> None:
    """Fill a module's own parameters as PyTorch does, from ``U(-1/sqrt(H), 1/sqrt(H))``.

    Scales of a layer normalisation start as ones, its shifts as zeros. A ``forget_bias`` is
    what both biases of the forget gate then add up to.
    """
    bound = 1 / math.sqrt(hidden) if hidden else 0.0
    for name, parameter in module.named_parameters(recurse=False):
        if name.startswith("weight_norm"):
            init.ones_(parameter)
        elif name.startswith("bias_norm"):
            init.zeros_(parameter)
        else:
            init.uniform_(parameter, -bound, bound)
        if forget_bias is not None and name.startswith(("bias_ih", "bias_hh")):
            with ad.no_grad():
                value = forget_bias if name.startswith("bias_ih") else 0.0
                parameter[hidden : 2 * hidden] = value


def collect(module: Module, suffix: str) -> Parameters:
    """Return a module's parameters whose names end so."""
    found = {name: getattr(module, name + suffix, None) for name in Parameters._fields}
    return Parameters(**found)  # type: ignore[arg-type]


def check_state(owner: Module, name: str, given: Any, shape: tuple[int, ...]) -> ad.Tensor:
    """Return an initial state as a tensor; raise unless it has the shape and holds floats."""
    if isinstance(given, (tuple, list)) and any(isinstance(s, ad.Tensor) for s in given):
        message = f"{owner.location()}: {name} is a {type(given).__name__} of tensors"
        raise ad.OptionError(f"{message}. Give one tensor of shape {shape}.")
    found = as_input(owner, given)
    message = f"{owner.location()}: {name} is {ad.errors.describe(found)}"
    if found.shape != shape:
        raise ad.ShapeError(f"{message}, this input needs {shape}. Give a state of that shape.")
    if found.dtype.kind not in "fc":
        raise ad.DTypeError(f"{message} and holds no floats. Cast it: h.astype(autodiff.float32).")
    return found


def check_pair(owner: Module, given: Any) -> tuple[Any, Any]:
    """Return an LSTM's state as ``(h, c)``; raise OptionError unless it is a pair."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        kind = f"{len(given)} members" if isinstance(given, (tuple, list)) else type(given).__name__
        message = f"{owner.location()}: the initial state is a pair (h_0, c_0), not {kind}"
        raise ad.OptionError(f"{message}. Give both, or neither for zeros.")
    return given[0], given[1]


def check_finite(owner: Module, name: str, value: Any) -> float:
    """Return a number as a float; raise DomainError unless it is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ad.DomainError(f"{owner.location()}: {name} is {shown(value)}. Give a finite number.")
    return float(value)


def check_nonlinearity(owner: Module, value: Any) -> str:
    """Return the name of an RNN's nonlinearity; raise OptionError unless it is known."""
    return check_known(owner, "nonlinearity", value, NONLINEARITIES)
