"""What users may say for data, a shape, a dtype, a device: checked in one place, in one wording."""

from __future__ import annotations

import sys
from operator import index
from typing import Any

import numpy as np

from autodiff.engine.node import Handle
from autodiff.engine.operands import array_from_sequence, constant, strong
from autodiff.errors import DTypeError, ShapeError, describe

__all__ = ["adopted", "check_device", "is_operand", "to_array", "to_dtype", "to_shape"]


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
    if any(size > sys.maxsize for size in sizes):
        message = f"{operation}: the shape {sizes} is larger than any memory"
        raise ShapeError(f"{message}. Give smaller sizes.")
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


_OPERANDS = (Handle, np.ndarray, np.generic, bool, int, float, complex, list, tuple)


def is_operand(value: Any) -> bool:
    """Tell whether a value is a tensor, an array, a number or a list: what operators take."""
    return isinstance(value, _OPERANDS) or hasattr(value, "__array_namespace__")


def adopted(data: Any) -> Any:
    """Take a buffer, or the array of a library that is none of ours, as an ndarray."""
    if is_operand(data) or isinstance(data, range):
        return data
    if hasattr(data, "__dlpack__"):
        try:
            return np.from_dlpack(data)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).rstrip(".")
            message = f"tensor: data of type {type(data).__name__} can't be exchanged: {reason}"
            raise DTypeError(
                f"{message}. Give an array in main memory, of a dtype that NumPy has (bfloat16 "
                "is none: cast it to float32)."
            ) from error
    if hasattr(data, "__array__") or isinstance(data, bytearray | memoryview):
        return np.asarray(data)
    return data


def to_array(data: Any, dtype: Any = None) -> Any:
    """Return data as an array of numbers, sharing its memory where that can be."""
    data = adopted(data)
    exact = None if dtype is None else np.float64  # rounded once, to the dtype that is asked for
    if isinstance(data, Handle):
        array = data.array
    elif isinstance(data, list | tuple | range):
        array = array_from_sequence(data, exact)
    else:
        array = strong(constant(data), exact)
    if isinstance(array, np.generic):
        array = np.asarray(array)
    if array is None or array.dtype.kind not in "biufc":
        what = "None" if array is None else f"dtype {array.dtype}"
        message = f"tensor: data of {what} holds no numbers"
        raise DTypeError(f"{message}. Give numbers, nested lists of numbers, or a numeric array.")
    if type(array) is not np.ndarray and isinstance(array, np.ndarray):
        if hasattr(array, "mask"):
            message = f"tensor: a masked array ({describe(array)}) would lose its mask"
            raise DTypeError(f"{message}. Fill it first: array.filled(value).")
        array = np.asarray(array)  # another subclass, a matrix
    return array if dtype is None else array.astype(to_dtype("tensor", dtype), copy=False)
