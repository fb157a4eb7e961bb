"""What is varied: the inputs' tensors under their names, lent to the check and given back.

A check moves the tensors themselves, since a closure or a module that the user holds reads
those very handles. :func:`lent` puts everything back as it was, whatever happened.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from autodiff.conversion import tensor
from autodiff.engine.node import Handle, Leaf
from autodiff.errors import DTypeError, OptionError, describe
from autodiff.tensor import Tensor

__all__ = [
    "Arguments",
    "Captured",
    "Variable",
    "arguments_of",
    "captured_by",
    "lent",
    "own_precision",
]

__tracebackhide__ = True  # as in the driver: a failing test shows the user's line


class Variable(NamedTuple):
    """One tensor that is varied, under the name that the report gives it."""

    name: str
    tensor: Tensor


class Captured(NamedTuple):
    """A coarser leaf that the function reads besides its inputs, and what it held."""

    tensor: Handle
    array: Any
    node: Any

    def cast_up(self) -> None:
        """Put the same numbers in double precision in place."""
        self.tensor.array = self.array.astype(np.float64)
        self.tensor.node = Leaf(self.array.shape, self.tensor.array.dtype)

    def give_back(self) -> None:
        """Put what it held in place."""
        self.tensor.array, self.tensor.node = self.array, self.node


def captured_by(leaves: Collection[Leaf], known: Iterable[Handle] | None = None) -> list[Captured]:
    """Return the tensors that hold these leaves: the graph points to no tensor itself.

    They are looked for among the known ones; where none are given, among all that there are,
    which takes long.
    """
    found = [
        handle
        for handle in (gc.get_referrers(*leaves) if known is None else known)
        if isinstance(handle, Handle)
    ]
    return [
        Captured(handle, handle.array, handle.node)
        for handle in found
        if isinstance(handle.array, np.ndarray) and handle.node in leaves
    ]


@contextmanager
def own_precision(captured: list[Captured]) -> Iterator[None]:
    """Give what was cast up back for a while."""
    for leaf in captured:
        leaf.give_back()
    try:
        yield
    finally:
        for leaf in captured:
            leaf.cast_up()


class Arguments(NamedTuple):
    """How to call the function, what is varied meanwhile, and what was cast up for it."""

    positional: tuple[Any, ...]
    variables: tuple[Variable, ...]
    module: Any = None
    captured: list[Captured] | None = None
    named: dict[str, Any] = {}  # noqa: RUF012 - never written to


def arguments_of(f: Callable[..., Any], inputs: Any) -> Arguments:
    """Sort out what the user gave as inputs.

    ======================================  ==============================================
    ``inputs``                              the function is called as
    ======================================  ==============================================
    a tensor, an array, a number            ``f(input)``
    a dict of inputs, also nested           ``f(dict)``
    a dict whose keys are f's parameters    ``f(**dict)``, if f can't take it as one
    a module                                ``f(module)``, or ``f()`` if it takes nothing
    pairs of names and tensors              ``f()``, or ``f(*tensors)`` if it takes them
    any other sequence                      ``f(*inputs)``
    ======================================  ==============================================

    Raises
    ------
    OptionError
        If f can't be called so.
    """
    arguments = _sorted_out(f, inputs)
    if not _fits(f, arguments.positional, arguments.named):
        given = f"{len(arguments.positional)} argument{'s'[: len(arguments.positional) != 1]}"
        message = f"gradcheck: f{inspect.signature(f)} can't be called with {given}"
        if _fits(f, (), {}):
            raise OptionError(
                f"{message}. For an f that takes none, give pairs of names and tensors, as "
                "model.named_parameters() does, or the model."
            )
        raise OptionError(
            f"{message}: a sequence gives f's arguments, gradcheck(f, (a, b)); an array is one "
            "argument, and so is a dict unless its keys are f's parameters. Close over the "
            "rest: gradcheck(lambda x: f(x, other), x)."
        )
    return arguments


def _fits(f: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> bool:
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        return True  # it does not tell
    try:
        signature.bind(*positional, **named)
    except TypeError:
        return False
    return True


def _sorted_out(f: Callable[..., Any], inputs: Any) -> Arguments:
    names, needs = _parameters(f)
    if hasattr(inputs, "named_parameters"):
        pairs = list(inputs.named_parameters())
        positional: tuple[Any, ...] = (inputs,) if needs else ()
        return Arguments(positional, _variables(pairs), inputs)
    if isinstance(inputs, Iterator) or (hasattr(inputs, "__iter__") and not _is_single(inputs)):
        items = list(inputs.items()) if isinstance(inputs, Mapping) else list(inputs)
        if not isinstance(inputs, Mapping) and items and all(map(_is_pair, items)):
            tensors = tuple(handle for _, handle in items)
            return Arguments(tensors if needs else (), _variables(items))
    else:
        items = [inputs]
    if isinstance(inputs, Mapping):
        found: list[tuple[str, Any]] = []
        lifted = _lift("", inputs, found)
        by_name = not _fits(f, (lifted,), {}) and _fits(f, (), lifted)
        if by_name:
            return Arguments((), _variables(found), named=lifted)
        return Arguments((lifted,), _variables(found))
    found = []
    names += [f"input {i}" for i in range(len(names), len(items))]
    arguments = tuple(_lift(name, item, found) for name, item in zip(names, items, strict=False))
    return Arguments(arguments, _variables(found))


def _is_single(value: Any) -> bool:
    return isinstance(value, Handle | np.ndarray | np.generic | int | float | complex | str)


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], Handle)
    )


def _parameters(f: Callable[..., Any]) -> tuple[list[str], bool]:
    """Return the names of the parameters given by position, and whether f needs any."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return [], True
    kinds = inspect.Parameter
    named = [
        p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    open_ended = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
    return [p.name for p in named], open_ended or any(p.default is p.empty for p in named)


def _lift(name: str, value: Any, found: list[tuple[str, Any]]) -> Any:
    """Turn every array of a structure into a tensor, and list those tensors by name."""
    if isinstance(value, Mapping):
        prefix = f"{name}." if name else ""
        return {key: _lift(f"{prefix}{key}", item, found) for key, item in value.items()}
    if hasattr(value, "named_parameters"):
        found += [(f"{name}.{key}", item) for key, item in value.named_parameters()]
        return value
    if isinstance(value, list | tuple) and any(
        isinstance(item, Handle | np.ndarray | Mapping) for item in value
    ):
        return [_lift(f"{name}[{i}]", item, found) for i, item in enumerate(value)]
    if value is None or isinstance(value, str | bytes):
        message = f"gradcheck: the input {name!r} is a {type(value).__name__}, not an array"
        raise OptionError(f"{message}. Close over it: gradcheck(lambda x: f(x, other), x).")
    lifted = value if isinstance(value, Tensor) else tensor(value)
    found.append((lifted.name or name, lifted))
    return lifted


def _variables(pairs: list[tuple[str, Any]]) -> tuple[Variable, ...]:
    """Name each tensor once, refusing what has no real derivative."""
    variables: list[Variable] = []
    seen: set[int] = set()
    for name, handle in pairs:
        if id(handle) in seen:  # one tensor given twice, tied weights: one variable
            continue
        seen.add(id(handle))
        if handle.dtype.kind != "f":
            message = f"gradcheck: the input {name!r} is {describe(handle)}"
            if handle.dtype.kind == "c":
                message += ", and gradients are of real inputs. Check its two parts: "
                raise DTypeError(f"{message}gradcheck(lambda re, im: f(re + 1j * im), (re, im)).")
            message += ", which has no derivative. Cast it to a floating dtype, or close over it: "
            raise DTypeError(f"{message}gradcheck(lambda x: f(x, labels), x).")
        if not np.isfinite(handle.array).all():
            message = f"gradcheck: the input {name!r} holds a NaN or an infinity"
            raise OptionError(f"{message}. Check at a point where the function is finite.")
        variables.append(Variable(name, handle))
    if not sum(variable.tensor.size for variable in variables):
        message = "gradcheck got no entry to vary"
        raise OptionError(f"{message}: give at least one floating tensor with entries.")
    return tuple(variables)


@contextmanager
def lent(arguments: Arguments) -> Iterator[None]:
    """Give every variable its array and node back at the end.

    What the function captured and was cast up meanwhile is given back, too.
    """
    held = [(v.tensor, v.tensor.array, v.tensor.node) for v in arguments.variables]
    try:
        yield
    finally:
        while arguments.captured:
            arguments.captured.pop().give_back()
        for handle, array, node in held:
            handle.array = array
            handle.node = node
