"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import autodiff as ad
from nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules applied one after the other.

    Parameters
    ----------
    *modules : Module
        Or one mapping of names to modules. Without names they are called "0", "1", ...

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> model(ad.zeros((7, 2))).shape
    (7, 1)
    >>> sorted(model.state_dict())
    ['0.bias', '0.weight', '2.bias', '2.weight']
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = list(modules[0].items())
        else:
            named = [(str(i), module) for i, module in enumerate(modules)]
        for name, module in named:
            self.register_module(name, module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self.children():
            x = module(x)
        return x

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the container."""
        self.register_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self.children())
        if isinstance(index, slice):
            return Sequential(*modules[index])
        try:
            return modules[index]
        except IndexError:
            message = f"{type(self).__name__}[{index}]: there are {len(modules)} modules"
            raise ad.IndexingError(f"{message}. Give an index below that.") from None
