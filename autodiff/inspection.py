"""Questions about dtypes, and about this package as a namespace of the array API standard."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.arguments import check_device, to_dtype
from autodiff.engine.modes import get_default_dtype
from autodiff.engine.node import Handle
from autodiff.engine.operands import strong_all
from autodiff.errors import DTypeError, OptionError, typed_calls
from autodiff.namespace import tensors

__all__ = [
    "__array_namespace_info__", "can_cast", "finfo", "iinfo", "isdtype", "result_type",
]  # fmt: skip


def can_cast(from_: Any, to: Any, /) -> bool:
    """Tell whether a dtype (or a tensor's) can be cast to another without losing values.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.can_cast(ad.float32, ad.float64), ad.can_cast(ad.float64, ad.float32)
    (True, False)
    """
    return np.can_cast(_dtype_of("can_cast", from_), to_dtype("can_cast", to))


def _dtype_of(operation: str, value: Any) -> np.dtype[Any]:
    if isinstance(value, Handle | np.ndarray | np.generic):
        value = value.array.dtype if isinstance(value, Handle) else value.dtype
    return to_dtype(operation, value)


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """Return the dtype that operands are promoted to; Python scalars are weak.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.result_type(ad.ones(2), 1.5), ad.result_type(ad.float32, ad.int64)
    (dtype('float32'), dtype('float64'))

    Raises
    ------
    DTypeError
        If there is no common dtype, or nothing was given.
    """
    if not arrays_and_dtypes:
        message = "result_type() of nothing"
        raise DTypeError(f"{message}. Give tensors, dtypes or numbers.")
    scalars = (bool, int, float, complex)
    operands = [
        value if type(value) in scalars else _dtype_of("result_type", value)
        for value in arrays_and_dtypes
    ]
    if all(type(value) in scalars for value in operands):
        operands = strong_all(operands)
    return np.result_type(*operands)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Tell whether a dtype is of a kind.

    Parameters
    ----------
    dtype : dtype
    kind : str, dtype, or tuple of them
        ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
        ``"real floating"``, ``"complex floating"``, ``"numeric"``, or a dtype itself.

    Raises
    ------
    OptionError
        If there is no such kind.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.isdtype(ad.float32, "real floating"), ad.isdtype(ad.int8, ("bool", ad.int16))
    (True, False)
    """
    found = to_dtype("isdtype", dtype)
    try:
        return np.isdtype(found, kind)
    except (TypeError, ValueError) as error:
        message = f"isdtype: the kind {kind!r} is unknown"
        known = "'bool', 'signed integer', 'unsigned integer', 'integral', 'real floating'"
        raise OptionError(
            f"{message}. Use {known}, 'complex floating', 'numeric', a dtype, or a tuple of them."
        ) from error


def finfo(type: Any, /) -> np.finfo[Any]:
    """Return the limits of a floating dtype: ``bits eps max min smallest_normal dtype``.

    For a complex dtype, those of its parts.

    Examples
    --------
    >>> import autodiff as ad
    >>> float(ad.finfo(ad.float32).eps)
    1.1920928955078125e-07
    """
    found = _dtype_of("finfo", type)
    try:
        return np.finfo(found)
    except ValueError as error:
        raise DTypeError(f"finfo: {found} is not a floating dtype. Use iinfo.") from error


def iinfo(type: Any, /) -> np.iinfo[Any]:
    """Return the limits of an integer dtype: ``bits max min dtype``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.iinfo(ad.int8).max
    127
    """
    found = _dtype_of("iinfo", type)
    try:
        return np.iinfo(found)
    except ValueError as error:
        raise DTypeError(f"iinfo: {found} is not an integer dtype. Use finfo.") from error


_DTYPES = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS = {kind: (kind,) for kind in _DTYPES} | {
    "integral": ("signed integer", "unsigned integer"),
    "numeric": tuple(kind for kind in _DTYPES if kind != "bool"),
    None: tuple(_DTYPES),
}


class NamespaceInfo:
    """What this namespace can do, as the array API standard asks it."""

    def capabilities(self) -> dict[str, Any]:
        """Return which optional behaviours there are."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return the device on which tensors are made."""
        return "cpu"

    def devices(self) -> list[str]:
        """Return all devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """Return the dtypes that Python numbers get."""
        check_device("default_dtypes", device)
        real = get_default_dtype()
        return {
            "real floating": real,
            "complex floating": np.result_type(real, np.complex64),
            "integral": np.dtype(np.int64),
            "indexing": np.dtype(np.int64),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype[Any]]:
        """Return the standard's dtypes of a kind, or of several, by name."""
        check_device("dtypes", device)
        chosen: list[str] = []
        for one in kind if isinstance(kind, tuple) else (kind,):
            if one not in _KINDS:
                raise OptionError(f"dtypes: the kind {one!r} is unknown. Use those of isdtype().")
            chosen += _KINDS[one]
        return {name: np.dtype(name) for one in chosen for name in _DTYPES[one]}


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807 - the standard's name
    """Return what this namespace can do, as the array API standard asks it.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.__array_namespace_info__().default_device()
    'cpu'
    """
    return NamespaceInfo()


for _name in ("can_cast", "finfo", "iinfo", "isdtype", "result_type"):
    globals()[_name] = typed_calls(globals()[_name])
    setattr(tensors, _name, globals()[_name])
