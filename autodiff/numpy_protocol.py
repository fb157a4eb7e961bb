"""NumPy's functions on tensors."""

from __future__ import annotations

from typing import Any

from autodiff.namespace import tensors


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """NumPy calls this for ``np.exp(t)`` and ``array * t``."""
    return getattr(tensors, ufunc.__name__)(*inputs, **options)


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """NumPy calls this for ``np.sum(t)``."""
    return getattr(tensors, function.__name__)(*args, **kwargs)
