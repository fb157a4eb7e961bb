"""Which functions a rule's ``xp`` holds: NumPy's (or CuPy's) own, completed by ours.

A derivative rule is written once, over a namespace ``xp``, and read several times:

* with an array library's namespace it computes on raw arrays, at that library's speed;
* with :data:`tensors`, whose functions take and record tensors, the same rule yields a
  result that can be differentiated again.

``library(numpy)`` looks a name up in NumPy first; a name that NumPy does not have
(``erf``, ``scatter_add``) is the primitive's own forward function, bound to that same
namespace. So a rule may use every function of the package, whoever reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["NUMPY", "Namespace", "forwards", "library", "namespace_of", "tensors"]

forwards: dict[str, Callable[..., Any]] = {}
"""Name (``"erf"``, ``"linalg.solve"``) to forward function, called as ``forward(xp, ...)``."""


class Namespace:
    """Array functions by their standard names: ``xp.exp``, ``xp.linalg.solve``.

    Parameters
    ----------
    module : module or None
        The array library whose functions come first; None for a namespace that holds
        only what is set on it (see :data:`tensors`).
    prefix : str
        ``""`` at the top, ``"linalg."`` and ``"fft."`` below.
    """

    linalg: Any
    fft: Any

    def __init__(self, module: Any, prefix: str = "") -> None:
        self._module = module
        self._prefix = prefix
        self._root: Namespace = self

    def __getattr__(self, name: str) -> Any:
        """Find ``name`` once; afterwards it is an ordinary attribute."""
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._module, name, None)
        if isinstance(found, ModuleType):
            found = Namespace(found, f"{name}.")
            found._root = self
        if found is None:
            forward = forwards.get(self._prefix + name)
            if forward is None:
                where = getattr(self._module, "__name__", "tensors")
                message = f"neither {where} nor autodiff has a function {self._prefix + name!r}"
                raise AttributeError(message)
            found = partial(forward, self._root)
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return f"<namespace {getattr(self._module, '__name__', 'tensors')}>"


NUMPY = Namespace(np)
_NUMPYS = (np.ndarray, np.generic, int, float, complex)

tensors = Namespace(None)
"""The namespace of tensors: every public function, set here where it is defined."""
tensors.linalg = Namespace(None, "linalg.")
tensors.fft = Namespace(None, "fft.")

_libraries: dict[str, Namespace] = {"numpy": NUMPY}


def library(module: ModuleType) -> Namespace:
    """Return the one namespace that completes an array library's module.

    >>> import numpy
    >>> library(numpy) is NUMPY
    True
    """
    name = module.__name__
    if name not in _libraries:
        _libraries[name] = Namespace(module)
    return _libraries[name]


def namespace_of(array: Any) -> Namespace:
    """Return the namespace that an array, or a NumPy or Python scalar, belongs to."""
    if type(array) is np.ndarray or isinstance(array, _NUMPYS):
        return NUMPY
    find = getattr(array, "__array_namespace__", None)
    return NUMPY if find is None else library(find())
