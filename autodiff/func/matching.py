"""What transforms are given, checked against what it goes with, and results in its structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff.engine.modes import enable_grad
from autodiff.errors import DTypeError, OptionError, ShapeError, describe
from autodiff.func.linearize import summary
from autodiff.namespace import tensors
from autodiff.tensor import Tensor

__all__ = [
    "Argnums",
    "check_arguments",
    "check_function",
    "matching",
    "per_argument",
]

Argnums = int | Sequence[int]


def check_function(transform: str, func: Any) -> None:
    """Refuse what can't be called."""
    if not callable(func):
        message = f"{transform}: the first argument must be a function, not {describe(func)}"
        raise OptionError(f"{message}. autodiff.grad differentiates tensors.")


def check_arguments(transform: str, primals: Any, tangents: Any) -> None:
    """Refuse primals and tangents that are not given as tuples of arguments."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            message = f"{transform}: {name} must be a tuple of positional arguments"
            raise OptionError(f"{message}, not {describe(given)}. Write ({name[:-1]},) for one.")


def matching(
    transform: str, name: str, given: Any, tree: Any, like: Sequence[Tensor]
) -> list[Tensor]:
    """Return what a tree holds at the leaves of another, as tensors of given shapes and dtypes."""
    pairs = zip(_aligned(transform, given, tree, name), like, strict=True)
    return [_fitting(transform, path, leaf, wanted) for (path, leaf), wanted in pairs]


def _aligned(transform: str, given: Any, tree: Any, path: str) -> list[tuple[str, Any]]:
    """Return what stands in ``given`` where ``tree`` has leaves, with its paths."""
    if tree is None:
        return []
    if not isinstance(tree, dict | list | tuple):
        return [(path, given)]
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    kind = dict if isinstance(tree, dict) else (list, tuple)
    if not isinstance(given, kind) or len(given) != len(keys):
        message = f"{transform}: {path} is {summary(given)}, where {summary(tree)} belongs"
        raise ShapeError(f"{message}. Give the structure of what it goes with.")
    missing = [key for key in keys if isinstance(tree, dict) and key not in given]
    if missing:
        message = f"{transform}: {path} has no {missing[0]!r}"
        raise ShapeError(f"{message}. Give the structure of what it goes with.")
    return [
        leaf
        for key in keys
        for leaf in _aligned(transform, given[key], tree[key], f"{path}[{key!r}]")
    ]


def _fitting(transform: str, path: str, leaf: Any, wanted: Tensor) -> Tensor:
    try:
        value = leaf if isinstance(leaf, Tensor) else Tensor(leaf)
    except DTypeError as error:
        message = f"{transform}: {path} is {describe(leaf)}"
        raise DTypeError(f"{message}. Give a tensor, an array or a number.") from error
    if value.shape != wanted.shape or (value.dtype.kind == "c" and wanted.dtype.kind != "c"):
        message = f"{transform}: {path} is {describe(value)}, where {describe(wanted)} belongs"
        raise ShapeError(f"{message}. Give the shape of what it goes with, and real numbers.")
    if value.dtype != wanted.dtype and wanted.dtype.kind in "fc":
        with enable_grad():
            value = tensors.astype(value, wanted.dtype)
    return value


def per_argument(results: list[Any], argnums: Argnums | None) -> Any:
    """Return the one result where ``argnums`` is one number, a tuple otherwise."""
    return tuple(results) if argnums is None or isinstance(argnums, list | tuple) else results[0]
