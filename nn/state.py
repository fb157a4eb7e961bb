"""What a module's parts are called, and how saved values get into them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import autodiff as ad
from nn.parameter import Parameter

if TYPE_CHECKING:
    from nn.module import Module

__all__ = ["IncompatibleKeys", "StateDictError"]


class StateDictError(ad.AutodiffError, RuntimeError):
    """A state dict whose keys or shapes are not those of the module."""


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(module: Module, saved: Any, *, strict: bool) -> IncompatibleKeys:
    """Write saved values into a module's parameters and buffers: all, or none and an error."""
    kind = type(module).__name__
    if not isinstance(saved, Mapping):
        message = f"load_state_dict: a {type(saved).__name__} is no state of a {kind}"
        read = " A file is read with nn.load(path)." if isinstance(saved, str | os.PathLike) else ""
        message = f"{message}. Give a mapping of names to arrays, as state_dict() does.{read}"
        raise StateDictError(message)
    if str(saved.get("format")).startswith("autodiff trainer"):
        message = (
            f"load_state_dict: this is a Trainer's checkpoint, not the state of a {kind} alone"
        )
        raise StateDictError(
            f'{message}. Load its weights with load_state_dict(state["model"]), '
            "or all of it with Trainer.load."
        )
    own = dict(state(module))
    tied: dict[int, list[str]] = {}
    for key, tensor in own.items():
        tied.setdefault(id(tensor), []).append(key)
    missing = [key for keys in tied.values() if not any(k in saved for k in keys) for key in keys]
    unexpected = [str(key) for key in saved if key not in own]
    found: dict[str, ad.Tensor] = {}
    unreadable = []
    for key in own:
        if key in saved:
            try:
                found[key] = _detached(saved[key])
            except ad.AutodiffError as error:
                unreadable.append(f"{key}: {error}")
    misfits = unreadable + [
        f"{key}: {ad.errors.describe(value)} can't be loaded into {ad.errors.describe(own[key])}"
        for key, value in found.items()
        if value.shape != own[key].shape or not _casts(value.dtype.kind, own[key].dtype.kind)
    ]
    apart = [
        f"{other} ({keys[0]} here)"
        for keys in ([key for key in keys if key in found] for keys in tied.values())
        for other in keys[1:]
        if not _same(found[keys[0]], found[other])
    ]
    fixed = [key for key in found if not getattr(own[key].data.flags, "writeable", True)]
    problems = [
        ("misshapen", misfits),
        ("tied here, but not in the state", apart),
        ("of read-only memory in the module", fixed),
    ]
    if strict:
        problems = [("missing", missing), ("unexpected", unexpected), *problems]
    if any(keys for _, keys in problems):
        lines = [f"  {kind} ({len(keys)}): {_listing(keys)}" for kind, keys in problems if keys]
        remedy = "Build the module with the sizes of the saved one"
        if unreadable:
            remedy = "Give arrays that NumPy can read"
        if apart:
            remedy = "Build the module without tied weights, as the saved one"
        elif fixed:
            remedy = "Give the module tensors of their own memory: autodiff.asarray(array.copy())"
        elif strict and not misfits:
            remedy += ", or pass strict=False to load what fits"
        message = f"load_state_dict: the state is not that of this {kind}"
        raise StateDictError("\n".join([f"{message}.", *lines, f"{remedy}."]))
    with ad.no_grad():
        for key, value in found.items():
            own[key].copy_(value)
    return IncompatibleKeys(missing, unexpected)


def _same(x: ad.Tensor, y: ad.Tensor) -> bool:
    """Whether arrays are equal, NaN for NaN."""
    return x.shape == y.shape and bool(ad.all((x == y) | (ad.isnan(x) & ad.isnan(y))))


def _casts(saved: str, own: str) -> bool:
    """Whether values of one kind of dtype go into one of another without losing a part."""
    order = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
    return order.get(saved, 4) <= order.get(own, 4)


def state(module: Module) -> Iterator[tuple[str, ad.Tensor]]:
    """Give parameters and persistent buffers, under every path that they have."""
    for path, found in walk(module, ""):
        for name, parameter in own_parameters(found):
            yield join(path, name), parameter
        for name, buffer, persistent in own_buffers(found):
            if persistent:
                yield join(path, name), buffer


def walk(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """Give the module and every one below it, as often as it has a path."""
    yield prefix, module
    for name, child in module.named_children():
        yield from walk(child, join(prefix, name))


def own_parameters(module: Module) -> Iterator[tuple[str, Parameter]]:
    """Give the parameters that are attributes of the module itself."""
    for name, value in vars(module).items():
        if isinstance(value, Parameter):
            yield name, value


def own_buffers(module: Module) -> Iterator[tuple[str, ad.Tensor, bool]]:
    """Give the buffers that are attributes of the module itself, and whether they are saved."""
    for name, persistent in vars(module)["_persistent"].items():
        value = vars(module).get(name)
        if value is not None:
            yield name, value, persistent


def join(prefix: str, name: str) -> str:
    """Put a name behind a path."""
    return f"{prefix}.{name}" if prefix else name


def _detached(value: Any) -> ad.Tensor:
    """Make a tensor of a saved value, whichever library saved it."""
    if hasattr(value, "detach"):
        value = value.detach()
    return value if isinstance(value, ad.Tensor) else ad.asarray(value)


def _listing(keys: list[str]) -> str:
    """List keys, or the first of them where they are many."""
    shown = keys[:20]
    more = f", and {len(keys) - len(shown)} more" if len(keys) > len(shown) else ""
    return ", ".join(shown) + more
