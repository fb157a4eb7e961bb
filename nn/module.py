"""The module: parameters, buffers and submodules under names, and a forward function.

A module finds its parts by looking at its attributes: a :class:`Parameter` is a parameter,
a :class:`Module` a submodule, a tensor that was registered as one a buffer. Their names are
the attributes' names, joined by dots, exactly as in PyTorch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import autodiff as ad

__all__ = ["IncompatibleKeys", "Module", "Parameter", "StateDictError"]


class StateDictError(ad.AutodiffError, RuntimeError):
    """A state dict whose keys or shapes are not those of the module."""


class Parameter(ad.Tensor):
    """A tensor that a module learns: it requires a gradient and is found by the module.

    Parameters
    ----------
    data : array_like
        Copied.
    requires_grad : bool
        False for a frozen parameter.
    dtype : dtype, optional
    name : str, optional
        At first the attribute that it is assigned to.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        requires_grad: bool = True,
        *,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(data, requires_grad, dtype=dtype, name=name)


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class _Calls(threading.local):
    """The modules that are being called in this thread, outermost first, each with its name."""

    def __init__(self) -> None:
        self.modules: list[tuple[Module, str]] = []


_calls = _Calls()


class Module:
    """The base of all layers and models.

    A subclass assigns parameters and submodules to attributes and defines ``forward``.
    Calling the module runs ``forward`` inside a name scope (``"MLP"`` for the outermost
    module, ``"layers.0: Linear"`` for a submodule), so that every node of the graph knows
    which module made it.

    Only what is itself an attribute is found: modules and parameters inside a list or a dict
    are not parts, as in PyTorch. Put modules into a :class:`Sequential`, or give each its name
    with :meth:`register_module`.

    Attributes
    ----------
    training : bool
        Whether the module is in training mode; see :meth:`train`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> class Classifier(nn.Module):
    ...     def __init__(self):
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.out = nn.Linear(8, 3)
    ...
    ...     def forward(self, x):
    ...         return self.out(ad.relu(self.hidden(x)))
    >>> model = Classifier()
    >>> model
    Classifier               67 parameters
    ├─ hidden: Linear(4, 8)  40
    └─ out: Linear(8, 3)     27
    >>> model(ad.zeros((5, 4))).node.scope
    ('Classifier', 'out: Linear')
    """

    training: bool
    _persistent: dict[str, bool]
    _paths: dict[int, str]

    def __new__(cls, *args: Any, **options: Any) -> Self:  # noqa: ARG004
        """Prepare the instance, so that subclasses need not call ``super().__init__()``."""
        self = super().__new__(cls)
        self.__dict__.update(training=True, _persistent={}, _paths={})
        return self

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002
        """Compute the output: what a subclass defines."""
        message = f"{type(self).__name__} has no forward method"
        raise NotImplementedError(f"{message}. Define forward(self, ...) in the class.")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run :meth:`forward` inside the module's name scope."""
        modules = _calls.modules
        kind = type(self).__name__
        name = _path(modules[-1][0], self) if modules else ""
        modules.append((self, name or kind))
        try:
            with ad.name_scope(f"{name}: {kind}" if name else kind):
                return self.forward(*args, **options)
        finally:
            modules.pop()

    def location(self) -> str:
        """Name the module for a message: its class, and its path while it is being called."""
        names = [name for _, name in _calls.modules]
        calling = _calls.modules and _calls.modules[-1][0] is self
        kind = type(self).__name__
        return f"{kind} {'.'.join(names[1:])!r}" if calling and len(names) > 1 else kind

    # -- parts -------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        former = self.__dict__.get(name)
        if isinstance(former, Parameter) and not (value is None or isinstance(value, Parameter)):
            message = f"{type(self).__name__}.{name} is a parameter"
            raise ad.DTypeError(
                f"{message}; it can't become a {type(value).__name__}. Assign "
                "nn.Parameter(value), or write the values: "
                f"with autodiff.no_grad(): module.{name}.copy_(value)."
            )
        if isinstance(value, Parameter) and value.name is None:
            value.name = name
        if isinstance(value, Module) or isinstance(former, Module):
            self._paths.clear()
        super().__setattr__(name, value)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Assign a parameter, or None for one that is left out, to an attribute."""
        self._check_name(name)
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: ad.Tensor | None, persistent: bool = True) -> None:
        """Assign a tensor that is part of the module's state but not learned.

        Parameters
        ----------
        name : str
        tensor : Tensor or None
        persistent : bool
            Whether it belongs to the state dict.
        """
        self._check_name(name)
        if tensor is not None and not isinstance(tensor, ad.Tensor):
            message = f"register_buffer({name!r}): a {type(tensor).__name__} is not a tensor"
            raise ad.DTypeError(f"{message}. Give autodiff.asarray(value).")
        self._persistent[name] = persistent
        setattr(self, name, tensor)

    def register_module(self, name: str, module: Module | None) -> None:
        """Assign a submodule to an attribute; for names that are no identifiers."""
        self._check_name(name)
        if module is not None and not isinstance(module, Module):
            message = f"{type(self).__name__}: {name!r} is a {_kind(module)}, not a module"
            raise ad.DTypeError(f"{message}. Give an instance of nn.Module.")
        setattr(self, name, module)

    add_module = register_module

    def _check_name(self, name: str) -> None:
        if not name or "." in name:
            message = f"{name!r} can't name a part of {type(self).__name__}"
            raise ad.OptionError(f"{message}: give a name that is not empty and has no dot.")
        if hasattr(type(self), name):
            message = f"{type(self).__name__} has an attribute {name!r} already"
            raise ad.OptionError(f"{message}. Choose another name for the part.")

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Give the direct submodules with their names."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator[Module]:
        """Give the direct submodules."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Give the module itself and every one below it, each once, with its path."""
        seen: set[int] = set()
        for path, module in _walk(self, prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module

    def modules(self) -> Iterator[Module]:
        """Give the module itself and every one below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", *, recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Give every parameter once, with its path: ``("layers.0.weight", weight)``."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, parameter in _own_parameters(module):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield _join(path, name), parameter

    def parameters(self, *, recurse: bool = True) -> Iterator[Parameter]:
        """Give every parameter once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", *, recurse: bool = True
    ) -> Iterator[tuple[str, ad.Tensor]]:
        """Give every buffer with its path."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, buffer, _ in _own_buffers(module):
                yield _join(path, name), buffer

    def buffers(self, *, recurse: bool = True) -> Iterator[ad.Tensor]:
        """Give every buffer."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    # -- state -------------------------------------------------------------------------

    def state_dict(self) -> dict[str, ad.Tensor]:
        """Return parameters and persistent buffers by path, detached.

        The tensors share the module's memory, as PyTorch's do: later steps of an optimiser
        show in them. Take a snapshot with ``copy.deepcopy(module.state_dict())``.
        """
        return {name: tensor.detach() for name, tensor in _state(self)}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Write saved values into the parameters and buffers, cast to their dtypes.

        Parameters
        ----------
        state_dict : mapping
            Path to tensor, ndarray, or anything that becomes an array (PyTorch's tensors).
        strict : bool
            Whether missing and unexpected keys are errors. Wrong shapes always are.

        Returns
        -------
        IncompatibleKeys
            The missing and the unexpected keys.

        Raises
        ------
        StateDictError
            Names every missing, unexpected and misshapen key. Nothing was loaded then.
        """
        own = dict(_state(self))
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        found = {key: _detached(state_dict[key]) for key in own if key in state_dict}
        misfits = [
            f"{key}: {ad.errors.describe(value)} can't be loaded into "
            f"{ad.errors.describe(own[key])}"
            for key, value in found.items()
            if value.shape != own[key].shape
            or (value.dtype.kind == "c" and own[key].dtype.kind != "c")
        ]
        problems = [("misshapen", misfits)]
        if strict:
            problems = [("missing", missing), ("unexpected", unexpected), *problems]
        if any(keys for _, keys in problems):
            lines = [f"  {kind} ({len(keys)}): {_listing(keys)}" for kind, keys in problems if keys]
            remedy = "Build the module with the sizes of the saved one"
            if strict and not misfits:
                remedy += ", or pass strict=False to load what fits"
            message = f"load_state_dict: the state is not that of this {type(self).__name__}"
            raise StateDictError("\n".join([f"{message}.", *lines, f"{remedy}."]))
        with ad.no_grad():
            for key, value in found.items():
                own[key].copy_(value)
        return IncompatibleKeys(missing, unexpected)

    # -- modes and gradients -------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put the module and all below it in training mode (dropout drops, for example)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put the module and all below it in evaluation mode."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = ad.zeros_like(parameter.grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for gradients of all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call ``function(module)`` for every module below and then for this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -- looks -----------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return what the repr shows between the parentheses: the sizes, for example."""
        return ""

    def __repr__(self) -> str:
        rows = list(_tree(self, ""))
        label = max(len(label) for label, _ in rows)
        count = max(len(count) for _, count in rows)
        lines = [f"{row:{label}}  {size:>{count}}".rstrip() for row, size in rows]
        return "\n".join([f"{lines[0]} parameters", *lines[1:]])


def _walk(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """Give the module and every one below it, as often as it has a path."""
    yield prefix, module
    for name, child in module.named_children():
        yield from _walk(child, _join(prefix, name))


def _path(caller: Module, module: Module) -> str:
    """Return the path of attributes from a module to one below; ``""`` if it is not there."""
    paths: dict[int, str] = vars(caller)["_paths"]
    if id(module) not in paths:
        paths.clear()
        paths.update((id(found), name) for name, found in caller.named_modules())
    return paths.get(id(module), "")


def _own_parameters(module: Module) -> Iterator[tuple[str, Parameter]]:
    for name, value in vars(module).items():
        if isinstance(value, Parameter):
            yield name, value


def _own_buffers(module: Module) -> Iterator[tuple[str, ad.Tensor, bool]]:
    for name, persistent in vars(module)["_persistent"].items():
        value = vars(module).get(name)
        if value is not None:
            yield name, value, persistent


def _state(module: Module) -> Iterator[tuple[str, ad.Tensor]]:
    for path, found in _walk(module, ""):
        for name, parameter in _own_parameters(found):
            yield _join(path, name), parameter
        for name, buffer, persistent in _own_buffers(found):
            if persistent:
                yield _join(path, name), buffer


def _tree(module: Module, name: str) -> Iterator[tuple[str, str]]:
    """Give the rows of a module's repr: label and number of parameters."""
    extra = module.extra_repr()
    label = type(module).__name__ + (f"({extra})" if extra else "")
    count = _count(module)
    yield (f"{name}: {label}" if name else label), f"{count:,}" if count or not name else ""
    children = list(module.named_children())
    for i, (child_name, child) in enumerate(children, 1):
        first, rest = ("└─ ", "   ") if i == len(children) else ("├─ ", "│  ")
        for row, size in _tree(child, child_name):
            yield first + row, size
            first = rest


def _count(module: Module) -> int:
    return sum(parameter.size for parameter in module.parameters())


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _kind(value: Any) -> str:
    return f"class {value.__name__}" if isinstance(value, type) else type(value).__name__


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
