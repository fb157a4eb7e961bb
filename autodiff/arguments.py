"""What users may say for a shape, a dtype, a device: checked in one place, with one wording."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from autodiff.errors import DTypeError, ShapeError

__all__ = ["check_device", "to_dtype", "to_shape"]


def to_shape(operation: str, shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of ints, or say what is wrong with it.

    >>> to_shape("zeros", 3)
    (3,)
    """
    try:
        sizes = tuple(map(index, shape)) if isinstance(shape, tuple | list) else (index(shape),)
    except TypeError as error:
        message = f"{operation}: {shape!r} is not a shape"
        raise ShapeError(f"{message}. Give an int, or a tuple of ints.") from error
    if any(size < 0 for size in sizes):
        message = f"{operation}: the shape {sizes} has a negative size"
        raise ShapeError(f"{message}. Give sizes of at least 0.")
    return sizes


def to_dtype(operation: str, dtype: Any) -> np.dtype[Any]:
    """Return a dtype of numbers, or say why there is none.

    >>> to_dtype("zeros", "float32")
    dtype('float32')
    """
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        message = f"{operation}: {dtype!r} is not a dtype"
        raise DTypeError(f"{message}. Use autodiff.float32, for instance.") from error
    if found.kind not in "biufc":
        message = f"{operation}: the dtype {found} holds no numbers"
        raise DTypeError(f"{message}. Use a boolean, integer, floating or complex dtype.")
    return found


def check_device(operation: str, device: Any) -> None:
    """Refuse every device but the CPU."""
    if device not in (None, "cpu"):
        message = f"{operation}: the device {device!r} is not available"
        raise DTypeError(f"{message}. Use 'cpu'.")
