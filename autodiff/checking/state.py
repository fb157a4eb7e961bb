"""What a function holds besides its inputs, and may change while it runs: kept and given back.

A forward pass in training mode writes running statistics, counts calls, draws random numbers.
Found are the modules and tensors that a function refers to: in its closure, among the globals
that its code names, as the object of a bound method, in a ``functools.partial``, in defaults,
in lists and dicts and in the attributes of objects on the way, and those of the functions that
it calls by name. Their buffers, and the attributes of modules that are tensors or numbers, are
restored, and so are the random states of the package and of NumPy. What a function writes
elsewhere (a file, a list, an array) stays written.
"""

from __future__ import annotations

import random as random_of_python
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from autodiff import random
from autodiff.engine.node import Handle

__all__ = ["kept", "tensors_of"]

_PACKAGES = ("autodiff", "nn", "numpy", "builtins")
_DEPTH = 6
_LONGEST = 1000
_MOST = 10_000  # objects are looked at
_LARGEST = 2**26
"""No copy is made of a captured tensor that is larger, in bytes: it is data, not a state."""


@contextmanager
def kept(f: Callable[..., Any], *others: Any) -> Iterator[None]:
    """Put everything that a function holds back as it was, whatever happens."""
    modules, tensors = _holdings([f, *others])
    parts = [part for module in modules for part in _parts(module)]
    attributes = [(vars(part), dict(_state_of(part))) for part in parts]
    found = {id(value): value for _, held in attributes for value in held.values()}
    found |= {id(buffer): buffer for m in modules for _, buffer in m.named_buffers()}
    found |= {id(tensor): tensor for tensor in tensors}
    arrays = [
        (value, value.array, value.array.copy())
        for value in found.values()
        if isinstance(value, Handle) and value.array.nbytes <= _LARGEST
    ]
    states = random.get_state(), np.random.get_state(), random_of_python.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        for namespace, held in attributes:
            namespace.update(held)
        for handle, array, values in arrays:
            if not _same(array, values):
                array[...] = values
            handle.array = array
        random.set_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random_of_python.setstate(states[2])


def tensors_of(*seeds: Any) -> list[Handle]:
    """Return the tensors that functions refer to, themselves or through a module."""
    modules, tensors = _holdings(list(seeds))
    for module in modules:
        tensors += [handle for _, handle in module.named_parameters()]
        for part in _parts(module):
            tensors += [value for _, value in _state_of(part) if isinstance(value, Handle)]
    return list({id(handle): handle for handle in tensors}.values())


def _same(array: Any, values: Any) -> bool:
    return bool(np.array_equal(array, values, equal_nan=array.dtype.kind in "fc"))


def _parts(module: Any) -> Iterable[Any]:
    modules = getattr(module, "modules", None)
    return [part for part in (modules() if modules else [module]) if hasattr(part, "__dict__")]


def _state_of(part: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(part).items():
        if isinstance(value, Handle | int | float):
            yield name, value


def _holdings(seeds: list[Any]) -> tuple[list[Any], list[Handle]]:
    """Return the modules (whatever has named buffers) and the tensors that are referred to."""
    modules: list[Any] = []
    tensors: list[Handle] = []
    seen: set[int] = set()
    pending = deque((seed, 0) for seed in seeds)
    while pending:
        value, depth = pending.popleft()
        if id(value) in seen or depth > _DEPTH or len(seen) > _MOST:
            continue
        seen.add(id(value))
        if isinstance(value, Handle):
            tensors.append(value)
        elif hasattr(type(value), "named_buffers"):
            modules.append(value)
        else:
            pending += [(other, depth + 1) for other in _referred(value)]
    return modules, tensors


def _referred(value: Any) -> Iterable[Any]:
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, FunctionType):
        return _of_function(value)
    if isinstance(value, Mapping):
        return list(value.values()) if len(value) <= _LONGEST else []
    if isinstance(value, list | tuple | set | frozenset):
        return list(value) if len(value) <= _LONGEST else []
    if isinstance(value, type | ModuleType | np.ndarray):
        return []
    home = (type(value).__module__ or "").partition(".")[0]
    if home in _PACKAGES or not hasattr(value, "__dict__"):
        return []
    return [*vars(value).values(), getattr(type(value), "__call__", None)]  # noqa: B004


def _of_function(function: FunctionType) -> list[Any]:
    if (function.__module__ or "").partition(".")[0] in _PACKAGES:
        return []
    found: list[Any] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    names = _names(function.__code__)
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            if value.__name__.partition(".")[0] not in _PACKAGES:
                found += [vars(value)[other] for other in names if other in vars(value)]
        else:
            found.append(value)
    return found


def _names(code: CodeType) -> set[str]:
    """Return the names that code, and the functions defined in it, look up."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
