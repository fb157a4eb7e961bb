"""What may be an operand besides a tensor, and what it becomes.

Python numbers stay as they are, because they are weak in promotions (``x * 2.5`` keeps
float32); lists take the default dtypes; arrays pass through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autodiff.engine.modes import get_default_dtype
from autodiff.engine.node import Handle
from autodiff.errors import DTypeError, describe, explain

__all__ = [
    "array_from_sequence", "beside", "constant", "is_scalar", "strong", "strong_all",
]  # fmt: skip

_SCALARS = (float, int, bool, complex)
_ARRAYS = (np.ndarray, np.generic)


def is_scalar(value: Any) -> bool:
    """Tell whether a value is a plain Python number, which is weak in promotions."""
    return type(value) in _SCALARS


def constant(value: Any, others: Iterable[Any] = ()) -> Any:
    """Return a non-tensor operand as the kernels take it.

    Python scalars stay as they are, because they are weak in promotions; lists take the
    default dtypes, or float64 where the result will have it beside the other operands;
    arrays pass through.
    """
    if type(value) in _SCALARS:
        return value
    if isinstance(value, _ARRAYS):
        if value.dtype.kind not in "biufc" or isinstance(value, np.ma.MaskedArray):
            what = "is masked" if isinstance(value, np.ma.MaskedArray) else "holds no numbers"
            message = f"an operand that is an array ({describe(value)}) {what}"
            raise DTypeError(
                f"{message}. Give an array of numbers; a masked one as a.filled(value)."
            )
        return value
    if isinstance(value, Handle):
        return value.array
    if isinstance(value, list | tuple):
        return array_from_sequence(value, _default_beside(others))
    if hasattr(value, "__array_namespace__"):
        return value
    for kind in (bool, int, float, complex):  # an enumeration's member, a unit's float
        if isinstance(value, kind):
            plain: Any = kind
            return plain(value)
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    what = "that is None" if value is None else f"of type {name}"
    message = f"an operand {what} is neither a tensor nor a number"
    if callable(getattr(value, "numpy", None)):  # another library's, maybe with a graph of its own
        raise DTypeError(f"{message} of this library. Give its array: .numpy().")
    raise DTypeError(f"{message}. Give a tensor, an ndarray, a Python number or a list of them.")


def _default_beside(others: Iterable[Any]) -> Any:
    """Return float64 where lists beside other operands must not be rounded; else None."""
    found = np.result_type(get_default_dtype(), *_dtypes(others))
    return np.float64 if found in (np.float64, np.complex128) else None


def beside(number: complex, others: Iterable[Any]) -> Any:
    """Give a Python scalar the dtype that arithmetic with arrays has; the default without any."""
    dtypes = _dtypes(others)
    return np.asarray(number, np.result_type(number, *dtypes)) if dtypes else strong(number)


def _dtypes(operands: Iterable[Any]) -> list[Any]:
    return [operand.dtype for operand in operands if hasattr(operand, "dtype")]


def strong(value: Any, default: Any = None) -> Any:
    """Give a Python scalar that meets no array the default dtype of its kind."""
    return strong_all([value], default)[0]


def strong_all(values: list[Any], default: Any = None) -> list[Any]:
    """Give Python scalars that meet no array one dtype: the default of their widest kind.

    ``default`` is the float dtype to take instead of the one that is set.

    >>> [value.dtype.name for value in strong_all([1, 2.5])]
    ['float32', 'float32']
    """
    scalars = [value for value in values if is_scalar(value)]
    if not scalars:
        return values
    dtype: Any = np.result_type(*scalars)
    default = get_default_dtype() if default is None else default
    if dtype.kind == "f":
        dtype = default
    elif dtype.kind == "c":
        dtype = np.result_type(default, np.complex64)
    return [np.asarray(value, dtype) if is_scalar(value) else value for value in values]


def array_from_sequence(value: Sequence[Any], default: Any = None) -> np.ndarray[Any, Any]:
    """Make an array of nested lists of numbers: int64, bool, or the default float dtype.

    ``default`` is the float dtype to take instead of the one that is set.
    """
    if _holds_tensor(value):
        message = "a list of tensors is not an array. Join them with autodiff.stack(list)."
        raise DTypeError(message)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise explain("asarray", [value], error) from error
    default = get_default_dtype() if default is None else default
    if array.dtype == np.float64 and not _holds_numpy(value):
        array = array.astype(default)
    elif array.dtype == np.complex128 and default != np.float64:
        array = array.astype(np.complex64)
    elif array.dtype.kind not in "biufc":
        message = f"a list that NumPy reads as dtype {array.dtype} holds no numbers"
        raise DTypeError(f"{message}. Give nested lists of numbers, all of one length per level.")
    return array


def _first(value: Any) -> Any:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return value


def _holds_numpy(value: Sequence[Any]) -> bool:
    """Tell whether the numbers in a list already carry a dtype of their own."""
    return isinstance(_first(value), np.ndarray | np.generic)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensor(item) for item in value if isinstance(item, list | tuple | Handle))
    return isinstance(value, Handle)
