"""Saving and loading: tensors as safetensors, all else as JSON, in one file that is always whole.

A file is one of the safetensors library, which other libraries read too. What is not a tensor,
and how everything is nested, stands as JSON in its header. Nothing is ever unpickled, so that
loading a file can't run code.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import autodiff as ad
from nn.calls import typed
from nn.files import write_whole
from nn.module import Module

__all__ = ["FileFormatError", "load", "save"]

_KEY = "autodiff"
"""Under this name of the header's metadata stands the JSON."""

_DEEPEST = 100
"""Levels of nesting: far more than any state has, far fewer than Python's stack."""

_LONGEST_INT = 14_000
"""Bits of a whole number: Python's own limit for reading one is 4300 digits."""

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "C64": "complex64", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
}  # fmt: skip

_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x93NUMPY": "a NumPy .npy file: read it with numpy.load",
    b"PK\x03\x04": "a zip archive, as numpy.savez (read it with numpy.load) and torch.save make "
    "(load it in PyTorch and save it with safetensors.torch.save_file)",
    b"\x80": "a pickle, which can run code when it is loaded: it is never read here",
    b"\x1f\x8b": "a gzip archive",
    b"{": "JSON text",
    b"<": "a page of markup",
}


class FileFormatError(ad.AutodiffError, ValueError):
    """A file that is damaged, or none that :func:`save` or safetensors wrote."""


@typed
def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a module's state, or any nested state, to a file.

    The file is whole at every moment: a process that is killed while it saves, or a disk that
    is full, leaves the former file. (The new one is written beside it, synced to the disk and
    then renamed. A killed process leaves what it had written as ``.NAME.*.tmp``, which a later
    save removes after an hour.)

    Parameters
    ----------
    state : Module, or nested dict, list or tuple
        Of a module its ``state_dict()`` is saved. Leaves are tensors, arrays, numbers, text,
        bools and None.
    path : path
        Usually with the suffix ``.safetensors``.

    Raises
    ------
    DTypeError
        If something in the state can't be saved; the message says where it stands.
    OSError
        If the file can't be written, or the path is that of a pipe, a device or a folder. The
        former one is untouched then.
    MissingExtraError
        Without the package safetensors.

    Examples
    --------
    >>> import nn, tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "model.safetensors"
    >>> model = nn.MLP([2, 3, 1])
    >>> nn.save(model, path)
    >>> model.load_state_dict(nn.load(path))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> folder.cleanup()
    """
    arrays: dict[str, Any] = {}
    state = state.state_dict() if isinstance(state, Module) else state
    tree = _described(state, (), arrays)
    text = json.dumps(tree, allow_nan=False, separators=(",", ":"))
    library, numpy_format = _library("safetensors"), _library("safetensors.numpy")
    try:
        data = numpy_format.save(arrays, metadata={_KEY: text})
    except library.SafetensorError as error:  # an older version lacks a dtype, for example
        raise ad.DTypeError(f"save: safetensors can't hold this ({error}). Cast it.") from error
    write_whole(path, data)


@typed
def load(path: str | os.PathLike[str]) -> Any:
    """Read a file that :func:`save` wrote, or any file of safetensors.

    Parameters
    ----------
    path : path

    Returns
    -------
    object
        What was saved, arrays as tensors. Of a file that another library wrote: a dict of
        tensors, with bfloat16 as float32, which holds it exactly.

    Raises
    ------
    FileFormatError
        If the file is truncated, damaged, or of another format.
    OSError
        If it can't be read.
    MissingExtraError
        Without the package safetensors.
    """
    library = _library("safetensors")
    name = os.fspath(path)
    data = Path(path).read_bytes()
    try:
        header = _header(data)
        tensors = {key: _tensor(name, key, entry) for key, entry in library.deserialize(data)}
    except FileFormatError:
        raise
    except (library.SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(_complaint(name, data, str(error))) from error
    metadata = header.get("__metadata__") or {}
    if _KEY not in metadata:
        return tensors
    try:
        return _rebuilt(_parsed(metadata[_KEY]), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(
            f"load: what {name!r} says of its structure makes no sense ({_reason(error)}). "
            "It is damaged, or was not written by nn.save."
        ) from error


def require_safetensors() -> None:
    """Raise MissingExtraError unless files can be written and read."""
    _library("safetensors")


def _library(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ad.MissingExtraError("nn.save and nn.load", "safetensors", "nn") from error


# -- nested states as JSON -----------------------------------------------------------------------


def _described(value: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> Any:
    """Return a value as JSON; arrays go into ``arrays``, under names made of their paths.

    Objects of one key that begins with "$" stand for what JSON has no notation of.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (ad.Tensor, np.ndarray)):
        return {"$tensor": _stored(value, path, arrays)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        if value.bit_length() > _LONGEST_INT:
            message = f"save: {_place(path)} is a whole number of {value.bit_length():,} bits"
            raise ad.DTypeError(f"{message}, which JSON readers refuse. Save hex(value).")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if len(path) >= _DEEPEST:
        message = f"save: the state is nested {len(path)} levels deep"
        raise ad.DTypeError(f"{message}, or contains itself. Save flatter state.")
    if isinstance(value, (list, tuple)):
        parts = [_described(part, (*path, i), arrays) for i, part in enumerate(value)]
        return parts if isinstance(value, list) else {"$tuple": parts}
    if isinstance(value, Mapping):
        parts = [
            [_described(key, (*path, "key"), arrays), _described(part, (*path, key), arrays)]
            for key, part in value.items()
        ]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(parts)
        return {"$dict": parts}
    message = f"save: {_place(path)} is a {type(value).__name__}"
    raise ad.DTypeError(
        f"{message}, which can't be saved. Save tensors, numbers, text, bools, None, and dicts, "
        "lists and tuples of them."
    )


def _place(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) or "the state itself"


def _stored(value: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> str:
    name = ".".join(map(str, path)) or "tensor"
    name = name.encode(errors="replace").decode()  # a lone surrogate is no UTF-8
    array = np.asarray(value.data if isinstance(value, ad.Tensor) else value)
    if array.dtype.name not in _DTYPES.values():
        message = f"save: {name} is {ad.errors.describe(array)}"
        raise ad.DTypeError(f"{message}; safetensors has no such dtype. Cast it with .astype.")
    while name in arrays or name == "__metadata__":
        name += "_"
    arrays[name] = np.array(array, array.dtype.newbyteorder("<"), order="C", copy=None)
    return name


def _rebuilt(tree: Any, tensors: dict[str, Any]) -> Any:
    if isinstance(tree, list):
        return [_rebuilt(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    kind = next(iter(tree), "")
    if len(tree) != 1 or not kind.startswith("$"):
        return {key: _rebuilt(part, tensors) for key, part in tree.items()}
    value = tree[kind]
    if kind == "$tensor":
        return tensors[value]
    if kind == "$float":
        return float(value)
    if kind in ("$tuple", "$dict") and not isinstance(value, list):
        raise TypeError(f"a {kind} of no list")
    if kind == "$tuple":
        return tuple(_rebuilt(part, tensors) for part in value)
    if kind == "$dict":
        pairs = [_rebuilt(pair, tensors) for pair in value]
        if not all(isinstance(pair, list) for pair in pairs):
            raise TypeError("an entry of a $dict is no pair")
        return _unique([(key, part) for key, part in pairs])
    raise ValueError(f"unknown kind {kind!r}")


# -- reading what may be hostile -----------------------------------------------------------------


def _header(data: bytes) -> dict[str, Any]:
    """Read the header, strictly: the library passes over a key that stands twice."""
    if len(data) < 8:
        raise ValueError(f"it has {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        message = f"its header would have {size:,} bytes"
        raise ValueError(f"{message}, the file has {len(data):,}")
    header = _parsed(data[8 : 8 + size].decode())
    if not isinstance(header, dict):
        raise TypeError("its header is no JSON object")
    return header


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r:.80} stands twice")
    return made


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _tensor(file: str, name: str, entry: Mapping[str, Any]) -> ad.Tensor:
    kind, shape, data = entry["dtype"], tuple(entry["shape"]), entry["data"]
    if kind == "BF16":  # the upper half of a float32
        words = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return ad.asarray(words.view(np.float32).reshape(shape))
    if kind not in _DTYPES:
        message = f"load: {name!r} in {file!r} is of dtype {kind}, which NumPy lacks"
        raise FileFormatError(f"{message}. Save it as F32, or another of {', '.join(_DTYPES)}.")
    dtype = np.dtype(_DTYPES[kind])
    array = np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)
    return ad.asarray(array.astype(dtype, copy=True))  # the buffer is read-only


def _complaint(name: str, data: bytes, reason: str) -> str:
    for start, what in _FOREIGN.items():
        if data.startswith(start) and data[8:9] != b"{":
            return f"load: {name!r} is no safetensors file; it looks like {what}."
    if not data:
        return f"load: {name!r} is empty. Save it anew, or take another copy."
    return (
        f"load: {name!r} is no whole safetensors file ({reason}). "
        "It is truncated, damaged or of another format: take another copy."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    return f"no tensor {error}" if isinstance(error, KeyError) else str(error)[:200]
