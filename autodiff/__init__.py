"""Arrays like NumPy, gradients like PyTorch, graphs you can watch."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from numpy import bool_ as bool
from numpy import (  # noqa: F401
    complex64,
    complex128,
    e,
    float16,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    nan,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)

from autodiff import fft, linalg, random
from autodiff.creation import *  # noqa: F403
from autodiff.inspection import *  # noqa: F403
from autodiff.creation import ones, zeros
from autodiff.checkpointing import checkpoint
from autodiff.engine.modes import (
    default_dtype,
    detect_anomaly,
    enable_grad,
    get_default_dtype,
    is_grad_enabled,
    name_scope,
    no_grad,
    set_default_dtype,
    set_grad_enabled,
)
from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import *  # noqa: F403
from autodiff import func
from autodiff.func.gradients import grad
from autodiff.namespace import tensors as _tensors
from autodiff.tensor import Tensor, asarray, tensor

from autodiff.version import __version__


if _TYPE_CHECKING:
    from autodiff.checking import GradientReport, gradcheck

_LATER = {"GradientReport": "autodiff.checking", "gradcheck": "autodiff.checking"}
"""What is imported when it is first asked for, since not every program needs it."""


def __getattr__(name: str) -> object:
    if name in _LATER:
        found = globals()[name] = getattr(_import_module(_LATER[name]), name)
        return found
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(_tensors, name)
