"""Arrays like NumPy, gradients like PyTorch, graphs you can watch.

The functions of the array API standard stand here under its names, with what deep learning
adds; gradients are asked for with PyTorch's words::

    import autodiff as ad

    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = (ad.exp(x) * x).sum()
    y.backward()
    x.grad

``linalg``, ``fft``    linear algebra, Fourier transforms
``random``             random tensors
``func``               derivatives as functions of functions
``errors``             every error that is raised on purpose
"""

# ruff: noqa: F403 - the families' public names, each listed in its __all__
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from numpy import bool_ as bool
from numpy import (
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

from autodiff import creation, errors, fft, func, inspection, linalg, primitives, random
from autodiff.checkpointing import checkpoint
from autodiff.conversion import asarray, from_dlpack, tensor
from autodiff.creation import *
from autodiff.engine.allocator import keep_freed_memory as _keep_freed_memory
from autodiff.engine.modes import (
    default_dtype,
    detect_anomaly,
    enable_grad,
    get_default_dtype,
    is_grad_enabled,
    name_scope,
    no_grad,
    observe,
    set_default_dtype,
    set_grad_enabled,
)
from autodiff.engine.primitive import composite, primitive
from autodiff.errors import (
    AnomalyError,
    AutodiffError,
    AxisError,
    DomainError,
    DTypeError,
    GradientCheckError,
    GraphError,
    IndexingError,
    LinAlgError,
    MissingExtraError,
    MutationError,
    NoGradientError,
    OptionError,
    RuleError,
    ScalarError,
    ShapeError,
    UnsupportedFunctionError,
)
from autodiff.gradients import grad
from autodiff.inspection import *
from autodiff.inspection import __array_namespace_info__ as __array_namespace_info__
from autodiff.names import called_here as _called_here
from autodiff.primitives import *
from autodiff.tensor import Tensor
from autodiff.version import __version__

if _TYPE_CHECKING:
    from autodiff import draw
    from autodiff.checking import GradientReport, gradcheck
    from autodiff.draw import record

__array_api_version__ = "2024.12"

__all__ = [
    "AnomalyError", "AutodiffError", "AxisError", "DTypeError", "DomainError",
    "GradientCheckError", "GradientReport", "GraphError", "IndexingError", "LinAlgError",
    "MissingExtraError", "MutationError", "NoGradientError", "OptionError", "RuleError",
    "ScalarError", "ShapeError", "Tensor", "UnsupportedFunctionError", "__array_api_version__",
    "__version__",
    "asarray", "bool", "checkpoint", "complex64", "complex128", "composite", "default_dtype",
    "detect_anomaly", "draw", "e", "enable_grad", "errors", "fft", "float16", "float32",
    "float64", "from_dlpack", "func", "get_default_dtype", "grad", "gradcheck", "inf", "int8",
    "int16", "int32", "int64", "is_grad_enabled", "linalg", "name_scope", "nan", "newaxis",
    "no_grad", "observe", "pi", "primitive", "random", "record", "set_default_dtype",
    "set_grad_enabled", "tensor", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
__all__ += creation.__all__
__all__ += inspection.__all__
__all__ += primitives.__all__

_keep_freed_memory()

_LATER = {
    "GradientReport": "autodiff.checking",
    "draw": "autodiff.draw",
    "gradcheck": "autodiff.checking",
    "record": "autodiff.draw",
}
"""What is imported when it is first asked for, since not every program needs it."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        message = f"module 'autodiff' has no attribute {name!r}{_called_here(name)}"
        raise AttributeError(message, name=name)
    module = _import_module(_LATER[name])
    found = module if module.__name__ == f"autodiff.{name}" else getattr(module, name)
    globals()[name] = found
    return found
