"""The module: parameters, buffers and submodules under names, and a forward function.

A module finds its parts by looking at its attributes: a :class:`Parameter` is a parameter,
a :class:`Module` a submodule, a tensor that was registered as one a buffer. Their names are
the attributes' names, joined by dots, exactly as in PyTorch.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import autodiff as ad
from nn.calls import Checked, checked, typed
from nn.parameter import Parameter
from nn.state import IncompatibleKeys, StateDictError, join, load, own_buffers, own_parameters, walk
from nn.state import state as state_of

__all__ = ["HookHandle", "IncompatibleKeys", "Module", "Parameter", "StateDictError"]

_OWN = ("training", "_persistent", "_places", "_hooks")
"""Attributes that every module has, and which so can't name a part."""


class _Calls(threading.local):
    """The modules that are being called in this thread, outermost first, each with its name."""

    def __init__(self) -> None:
        self.modules: list[tuple[Module, str]] = []


_calls = _Calls()


_Place = tuple[str, ad.name_scope]
"""A module's name for messages, and the scope of its operations, entered at each call."""


def _alone(module: Module) -> _Place:
    """Return the place of a module that is not below the one that calls it."""
    kind = type(module).__name__
    return kind, ad.name_scope(kind)


class _Structure:
    """How often any module has got, lost or exchanged a submodule: what paths depend on."""

    version = 0


class HookHandle:
    """What registering a hook returns: ``remove()``, or the end of a with block, takes it off."""

    def __init__(self, hooks: list[Callable[..., Any]], hook: Callable[..., Any]) -> None:
        self._hooks = hooks
        self._hook: Callable[..., Any] | None = hook

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        if self._hook is not None:
            self._hooks.remove(self._hook)
            self._hook = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class _Hooks(NamedTuple):
    """A module's hooks, in the order in which they were registered."""

    before: list[Callable[..., Any]]
    after: list[Callable[..., Any]]


class Module(Checked):
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
    _places: tuple[int, dict[int, _Place]]
    _hooks: _Hooks | None

    def __new__(cls, *args: Any, **options: Any) -> Self:  # noqa: ARG004
        """Prepare the instance, so that subclasses need not call ``super().__init__()``."""
        self = super().__new__(cls)
        self.__dict__.update(training=True, _persistent={}, _places=(-1, {}), _hooks=None)
        return self

    @checked
    def __init__(self) -> None:
        """Make the module; its class says what each argument is.

        This one takes none and does nothing: a subclass may call it or not.
        """

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002
        """Compute the output: what a subclass defines."""
        message = f"{type(self).__name__} has no forward method"
        raise NotImplementedError(f"{message}. Define forward(self, ...) in the class.")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run :meth:`forward` inside the module's name scope."""
        modules = _calls.modules
        name, scope = _place(modules[-1][0], self) if modules else _alone(self)
        modules.append((self, name))
        try:
            with scope:
                if self._hooks is not None:
                    return _call_with_hooks(self, self._hooks, args, options)
                return self.forward(*args, **options)
        except Exception as error:
            if isinstance(error, TypeError) and not isinstance(error, ad.AutodiffError):
                _check_call(self, args, options, error)
            # An error of an operation doesn't know the module; the innermost one says it.
            if len(modules) > 1 and not hasattr(error, "__notes__"):
                here = self.location()
                if here not in str(error):
                    error.add_note(f"raised in {here} of {modules[0][1]}")
            raise
        finally:
            modules.pop()

    def register_forward_pre_hook(
        self, hook: Callable[[Module, tuple[Any, ...]], Any]
    ) -> HookHandle:
        """Call ``hook(module, args)`` before :meth:`forward`.

        What it returns, unless None, takes the arguments' place: a tuple, or one argument.
        """
        return self._register(0, hook)

    def register_forward_hook(
        self, hook: Callable[[Module, tuple[Any, ...], Any], Any]
    ) -> HookHandle:
        """Call ``hook(module, args, output)`` after :meth:`forward`.

        What it returns, unless None, takes the output's place.

        Returns
        -------
        HookHandle
            Its ``remove()``, or the end of a ``with`` block, takes the hook off.

        Examples
        --------
        >>> import autodiff as ad, nn
        >>> layer = nn.Linear(2, 3)
        >>> with layer.register_forward_hook(lambda module, args, y: print(y.shape)):
        ...     y = layer(ad.ones((5, 2)))
        (5, 3)
        """
        return self._register(1, hook)

    def _register(self, when: int, hook: Any) -> HookHandle:
        if not callable(hook):
            message = f"{type(self).__name__}: the hook {hook!r} can't be called"
            raise ad.OptionError(f"{message}. Give a function.")
        if self._hooks is None:
            self._hooks = _Hooks([], [])
        self._hooks[when].append(hook)
        return HookHandle(self._hooks[when], hook)

    def location(self) -> str:
        """Name the module for a message: its class, and its path while it is being called."""
        names = [name for _, name in _calls.modules]
        calling = _calls.modules and _calls.modules[-1][0] is self
        kind = type(self).__name__
        return f"{kind} {'.'.join(names[1:])!r}" if calling and len(names) > 1 else kind

    # -- parts -------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        former = self.__dict__.get(name)
        kind = type(self).__name__
        if isinstance(former, Parameter) and not (value is None or isinstance(value, Parameter)):
            raise ad.DTypeError(
                f"{kind}.{name} is a parameter; it can't become a {type(value).__name__}. Assign "
                "nn.Parameter(value), or write the values: "
                f"with autodiff.no_grad(): module.{name}.copy_(value)."
            )
        if name in self._persistent and not (value is None or isinstance(value, ad.Tensor)):
            message = f"{kind}.{name} is a buffer; it can't become a {type(value).__name__}"
            raise ad.DTypeError(f"{message}. Assign autodiff.asarray(value).")
        if isinstance(value, Parameter) and value.name is None:
            value.name = name
        if isinstance(value, Module):
            for path, module in value.named_modules():
                if module is self:
                    inner = f"{name}.{path}" if path else name
                    message = f"{kind}.{name} would make the {kind} a part of itself, as {inner}"
                    raise ad.GraphError(f"{message}. Keep what is no part in a tuple: (module,).")
        if isinstance(value, Module) or isinstance(former, Module) or name == "__class__":
            _Structure.version += 1
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._persistent.pop(name, None)
        _Structure.version += 1

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy gets: everything but the paths, which hold the originals' ids."""
        return {**self.__dict__, "_places": (-1, {}), "_persistent": dict(self._persistent)}

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Assign a parameter, or None for one that is left out, to an attribute."""
        self._check_name(name)
        if param is not None and not isinstance(param, Parameter):
            message = f"{type(self).__name__}: {name!r} is a {_kind(param)}, not a parameter"
            raise ad.DTypeError(f"{message}. Give nn.Parameter(value).")
        setattr(self, name, param)

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
        setattr(self, name, tensor)
        self._persistent[name] = bool(persistent)

    def register_module(self, name: str, module: Module | None) -> None:
        """Assign a submodule to an attribute; for names that are no identifiers."""
        self._check_name(name)
        if module is not None and not isinstance(module, Module):
            message = f"{type(self).__name__}: {name!r} is a {_kind(module)}, not a module"
            raise ad.DTypeError(f"{message}. Give an instance of nn.Module.")
        setattr(self, name, module)

    add_module = register_module

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            message = f"{name!r} can't name a part of {type(self).__name__}"
            raise ad.OptionError(f"{message}: give a name that is not empty and has no dot.")
        if hasattr(type(self), name) or name in _OWN:
            message = f"{type(self).__name__} has an attribute {name!r} already"
            raise ad.OptionError(f"{message}. Choose another name for the part.")

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Give the direct submodules with their names."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator[Module]:
        """Give the direct submodules."""
        return (value for value in self.__dict__.values() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Give the module itself and every one below it, each once, with its path."""
        seen: set[int] = set()
        for path, module in walk(self, prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module

    def modules(self) -> Iterator[Module]:
        """Give the module itself and every one below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Give every parameter once, with its path: ``("layers.0.weight", weight)``."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, parameter in own_parameters(module):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield join(path, name), parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Give every parameter once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, ad.Tensor]]:
        """Give every buffer with its path."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, buffer, _ in own_buffers(module):
                yield join(path, name), buffer

    def buffers(self, recurse: bool = True) -> Iterator[ad.Tensor]:
        """Give every buffer."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    @typed
    def get_submodule(self, target: str) -> Module:
        """Return the module at a path, ``"layers.0"``; ``""`` is the module itself.

        Raises
        ------
        OptionError
            If there is none; names how far the path leads.
        """
        module = self
        for i, name in enumerate(target.split(".") if target else ()):
            found = vars(module).get(name)
            if not isinstance(found, Module):
                path = ".".join(target.split(".")[:i])
                at = f"{type(module).__name__} {path!r}" if path else type(module).__name__
                raise ad.OptionError(_missing(at, "submodule", name, dict(module.named_children())))
            module = found
        return module

    @typed
    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a path, ``"layers.0.weight"``; raises like get_submodule."""
        module, name = self._holder(target)
        found = dict(own_parameters(module))
        if name not in found:
            raise ad.OptionError(_missing(type(module).__name__, "parameter", name, found))
        return found[name]

    @typed
    def get_buffer(self, target: str) -> ad.Tensor:
        """Return the buffer at a path, ``"norm.running_mean"``; raises like get_submodule."""
        module, name = self._holder(target)
        found = {name: buffer for name, buffer, _ in own_buffers(module)}
        if name not in found:
            raise ad.OptionError(_missing(type(module).__name__, "buffer", name, found))
        return found[name]

    def _holder(self, target: str) -> tuple[Module, str]:
        path, _, name = target.rpartition(".")
        return self.get_submodule(path), name

    # -- state -------------------------------------------------------------------------

    def state_dict(self) -> dict[str, ad.Tensor]:
        """Return parameters and persistent buffers by path, detached.

        The tensors share the module's memory, as PyTorch's do: later steps of an optimiser
        show in them. Take a snapshot with ``copy.deepcopy(module.state_dict())``.
        """
        return {name: tensor.detach() for name, tensor in state_of(self)}

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
            Names every missing, unexpected and misshapen key, and every one whose memory is
            read-only. Nothing was loaded then.
        """
        return load(self, state_dict, strict=strict)

    # -- modes and gradients -------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put the module and all below it in training mode (dropout drops, for example)."""
        if not isinstance(mode, bool):
            message = f"{type(self).__name__}.train: the mode is {mode!r}"
            raise ad.OptionError(f"{message}. Give True, or False for evaluation.")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put the module and all below it in evaluation mode."""
        return self.train(False)

    def to(self, dtype: Any) -> Self:
        """Cast all parameters, their gradients, and the buffers of floating dtypes.

        The parameters stay the same objects, so an optimiser keeps them.

        Parameters
        ----------
        dtype : float16, float32 or float64

        Examples
        --------
        >>> import autodiff as ad, nn
        >>> nn.Linear(2, 3).to(ad.float64).weight.dtype
        dtype('float64')
        """
        try:
            kind = None if dtype is None else ad.asarray(0, dtype=dtype).dtype
        except ad.AutodiffError:
            kind = None
        if kind is None or kind.kind != "f":
            message = f"{type(self).__name__}.to: {dtype!r} is no real floating dtype"
            message = f"{message}. Give autodiff.float32, for example."
            if isinstance(dtype, str) and dtype.partition(":")[0] in ("cpu", "cuda", "mps"):
                message = f"{message} Tensors live on the CPU: leave the device out."
            raise ad.DTypeError(message)
        for tensor in [*self.parameters(), *self.buffers()]:
            if tensor.dtype.kind == "f" and tensor.dtype != kind:
                _cast(tensor, kind)
        return self

    def float(self) -> Self:
        """Cast to float32; see :meth:`to`."""
        return self.to(ad.float32)

    def double(self) -> Self:
        """Cast to float64; see :meth:`to`."""
        return self.to(ad.float64)

    def half(self) -> Self:
        """Cast to float16; see :meth:`to`."""
        return self.to(ad.float16)

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

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn(module)`` for every module below and then for this one."""
        if not callable(fn):
            message = f"{type(self).__name__}.apply: {fn!r} can't be called"
            raise ad.OptionError(f"{message}. Give a function of a module.")
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # -- looks -----------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return what the repr shows between the parentheses: the sizes, for example."""
        return ""

    def __repr__(self) -> str:
        rows = [
            (label, f"{size:,}" if size or not path else "") for path, label, _, size in tree(self)
        ]
        label = max(len(label) for label, _ in rows)
        count = max(len(count) for _, count in rows)
        lines = [f"{row:{label}}  {size:>{count}}".rstrip() for row, size in rows]
        return "\n".join([f"{lines[0]} parameters", *lines[1:]])


def being_called() -> list[Module]:
    """Return the modules that this thread is calling, outermost first."""
    return [module for module, _ in _calls.modules]


def tree(module: Module) -> Iterator[tuple[str, str, Module, int]]:
    """Give a module and every one below it: path, row of the tree, module, parameters."""
    size = sum(parameter.size for parameter in module.parameters())
    extra = module.extra_repr()
    yield "", type(module).__name__ + (f"({extra})" if extra else ""), module, size
    children = list(module.named_children())
    for i, (name, child) in enumerate(children, 1):
        first, rest = ("└─ ", "   ") if i == len(children) else ("├─ ", "│  ")
        for path, label, found, size in tree(child):
            row = rest + label if path else f"{first}{name}: {label}"
            yield join(name, path) if path else name, row, found, size


def _place(caller: Module, module: Module) -> _Place:
    """Return a module's path of attributes from the one that calls it, if it is below that."""
    version, places = caller._places  # noqa: SLF001
    if version != _Structure.version:
        version = _Structure.version
        places = {
            id(found): (path, ad.name_scope(f"{path}: {type(found).__name__}"))
            for path, found in caller.named_modules()
            if path
        }
        caller._places = (version, places)  # noqa: SLF001
    return places.get(id(module)) or _alone(module)


def _check_call(
    module: Module, args: tuple[Any, ...], options: dict[str, Any], error: TypeError
) -> None:
    """Raise OptionError where the arguments do not fit the forward function."""
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*args, **options)
    except TypeError as misfit:
        given = [*map(ad.errors.describe, args)]
        given += [f"{name}={ad.errors.describe(value)}" for name, value in options.items()]
        message = f"{module.location()}: {misfit}: it is called with ({', '.join(given)})"
        raise ad.OptionError(f"{message}. Give {ad.errors.bare_signature(signature)}.") from error


def _call_with_hooks(
    module: Module, hooks: _Hooks, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    for hook in tuple(hooks.before):
        changed = hook(module, args)
        if changed is not None:
            args = changed if isinstance(changed, tuple) else (changed,)
    output = module.forward(*args, **options)
    for hook in tuple(hooks.after):
        changed = hook(module, args, output)
        if changed is not None:
            output = changed
    return output


def _cast(tensor: ad.Tensor, dtype: Any) -> None:
    """Give a leaf another dtype, and its gradient too."""
    learned, gradient = tensor.requires_grad, tensor.grad
    tensor.requires_grad_(False)
    tensor.data = tensor.detach().astype(dtype)
    tensor.requires_grad_(learned)
    if gradient is not None:
        tensor.grad = gradient.astype(dtype)


def _missing(owner: str, kind: str, name: str, known: Mapping[str, Any]) -> str:
    names = ", ".join(known) or "none"
    return f"{owner} has no {kind} {name!r}. It has {names}."


def _kind(value: Any) -> str:
    return f"class {value.__name__}" if isinstance(value, type) else type(value).__name__
