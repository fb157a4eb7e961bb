"""Modules that hold modules."""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

import autodiff as ad
from nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Listed(Module):
    """What lists of modules share: places, of which each is the name of the module there."""

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns the container."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; returns the container."""
        added = self._listed(modules)
        for module in added:
            self._check_module(module)
        start = len(self)
        for i, module in enumerate(added, start):
            self.register_module(str(i), module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before a place; those behind it move up by one.

        The place may be one past the end. A negative one counts from the end, as in a list.
        """
        modules = list(self)
        place = self._whole(index)
        if not -len(modules) <= place <= len(modules):
            raise self._no_place(index)
        modules.insert(place, module)
        self._replace(modules)

    def pop(self, index: int = -1) -> Module:
        """Take the module at a place out, and return it; those behind it move down by one."""
        module: Module = self[self._whole(index)]
        del self[index]
        return module

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __contains__(self, module: object) -> bool:
        return any(found is module for found in self)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._like(list(self.named_children())[index])
        return vars(self)[self._name_at(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self._check_module(module)
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        if not isinstance(index, slice):
            self._name_at(index)
        del modules[index]
        self._replace(modules)

    def __add__(self, other: Iterable[Module]) -> Any:
        return self._like(
            [(str(i), module) for i, module in enumerate([*self, *self._listed(other)])]
        )

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def _like(self, named: list[tuple[str, Module]]) -> Any:
        raise NotImplementedError

    def _name_at(self, index: int) -> str:
        names = [name for name, _ in self.named_children()]
        place = self._whole(index)
        if not -len(names) <= place < len(names):
            raise self._no_place(index)
        return names[place]

    def _listed(self, modules: Any) -> list[Module]:
        if not isinstance(modules, Iterable):
            message = f"{type(self).__name__}: a {type(modules).__name__} is no list of modules"
            raise ad.OptionError(f"{message}. Give [module, ...].")
        return list(modules)

    def _whole(self, index: Any) -> int:
        try:
            return operator.index(index)
        except TypeError:
            message = f"{type(self).__name__}: the place is {index!r}, a {type(index).__name__}"
            raise ad.IndexingError(f"{message}. Give a whole number.") from None

    def _no_place(self, index: int) -> ad.IndexingError:
        message = f"{type(self).__name__}[{index}]: there are {len(self)} modules"
        return ad.IndexingError(f"{message}. Give an index below that.")

    def _check_module(self, module: Any) -> None:
        if not isinstance(module, Module):
            kind = f"class {module.__name__}" if isinstance(module, type) else type(module).__name__
            message = f"{type(self).__name__}: a {kind} is not a module"
            raise ad.DTypeError(f"{message}. Give an instance of nn.Module.")

    def _replace(self, modules: list[Module]) -> None:
        """Hold these modules, numbered anew."""
        for module in modules:
            self._check_module(module)
        for name in [name for name, _ in self.named_children()]:
            delattr(self, name)
        for i, module in enumerate(modules):
            self.register_module(str(i), module)


class Sequential(_Listed):
    """Modules applied one after the other.

    It is a list too: indices, slices (a Sequential with the same names), ``append``,
    ``extend``, ``insert``, ``pop``, ``del``, ``+``.

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
        if len(modules) == 1 and isinstance(modules[0], (list, tuple)):
            message = "Sequential: the modules are in a list"
            raise ad.DTypeError(f"{message}. Give them one by one: nn.Sequential(*modules).")
        for name, module in named:
            self._check_module(module)
            self.register_module(name, module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self.children():
            x = module(x)
        return x

    def _like(self, named: list[tuple[str, Module]]) -> Sequential:
        return Sequential(dict(named))


class ModuleList(_Listed):
    """A list of modules that are parts of the module that holds it; it can't be called.

    A plain list would hide them: no parameters, no modes, no state. Indices, slices,
    ``append``, ``extend``, ``insert``, ``pop``, ``del`` and ``+`` are a list's.

    Parameters
    ----------
    modules : iterable of Module
        They are called "0", "1", ...

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> class Stack(nn.Module):
    ...     def __init__(self):
    ...         self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
    ...
    ...     def forward(self, x):
    ...         for layer in self.layers:
    ...             x = ad.tanh(layer(x))
    ...         return x
    >>> [name for name, _ in Stack().named_parameters()][:2]
    ['layers.0.weight', 'layers.0.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002
        """Raise: a list does not say in which way its modules are applied."""
        raise _not_called(self, "for module in modules: x = module(x)")

    def _like(self, named: list[tuple[str, Module]]) -> ModuleList:
        return ModuleList(module for _, module in named)


class ModuleDict(Module):
    """A dict of modules that are parts of the module that holds it; it can't be called.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of such pairs, optional
        A key is the module's name: not empty, without a dot, and none of this class's own.

    Examples
    --------
    >>> import nn
    >>> heads = nn.ModuleDict({"mean": nn.Linear(4, 1), "scale": nn.Linear(4, 1)})
    >>> heads["width"] = heads.pop("scale")
    >>> list(heads.keys())
    ['mean', 'width']
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        self.update({} if modules is None else modules)

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002
        """Raise: a dict does not say which of its modules is applied."""
        raise _not_called(self, "y = modules[key](x)")

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of those of the same keys."""
        try:
            named = dict(modules)
        except (TypeError, ValueError):
            message = f"{type(self).__name__}: a {type(modules).__name__} has no modules by name"
            raise ad.OptionError(f"{message}. Give a dict, or pairs of name and module.") from None
        for key, module in named.items():
            self._check_part(key, module)
        for key, module in named.items():
            self[key] = module

    def pop(self, key: str) -> Module:
        """Take a module out, and return it."""
        module: Module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for key in list(self.keys()):
            del self[key]

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._modules().keys()

    def values(self) -> ValuesView[Module]:
        """Return the modules."""
        return self._modules().values()

    def items(self) -> ItemsView[str, Module]:
        """Return pairs of name and module."""
        return self._modules().items()

    def __len__(self) -> int:
        return len(self._modules())

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._modules()

    def __getitem__(self, key: str) -> Any:
        modules = self._modules()
        if not isinstance(key, str) or key not in modules:
            known = ", ".join(map(repr, modules)) or "none"
            message = f"{type(self).__name__}[{key!r}]: there is no such module"
            raise ad.IndexingError(f"{message}. Its keys are: {known}.")
        return modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self._check_part(key, module)
        setattr(self, key, module)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises where there is none
        delattr(self, key)

    def _modules(self) -> dict[str, Module]:
        return dict(self.named_children())

    def _check_part(self, key: Any, module: Any) -> None:
        if not isinstance(key, str):
            message = f"{type(self).__name__}: the key {key!r} is a {type(key).__name__}"
            raise ad.OptionError(f"{message}. Give names.")
        self._check_name(key)
        if not isinstance(module, Module):
            message = f"{type(self).__name__}: {key!r} is a {type(module).__name__}, not a module"
            raise ad.DTypeError(f"{message}. Give an instance of nn.Module.")


def _not_called(module: Module, instead: str) -> Exception:
    message = f"{module.location()} holds modules and can't be called"
    return ad.UnsupportedFunctionError(f"{message}. Say how to apply them: {instead}.")
