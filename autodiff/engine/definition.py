"""What a primitive is: a forward function, its operands, its options and its rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autodiff.engine.node import Handle
from autodiff.engine.plan import Plan, Rule, facts_of
from autodiff.errors import NoGradientError, OptionError, describe
from autodiff.names import options_here
from autodiff.namespace import Namespace

__all__ = ["Primitive", "Sorter", "StandardPrimitive", "parameters_of"]


_FREQUENT = {(True,): 0, (True, False): 0, (False, True): 1, (True, True): 2}


def is_ours(function: Callable[..., Any]) -> bool:
    """Tell whether a function is this package's, and not its user's."""
    return (function.__module__ or "").startswith("autodiff.")


class Primitive:
    """An operation's declaration: its forward function, its operands, options and rules.

    Attributes
    ----------
    name : str
        The public name, ``"linalg.inv"``.
    ours : bool
        Whether it belongs to the package.
    forward : callable
        ``forward(xp, *arrays, **options)`` on raw arrays.
    arrays : tuple of str
        The names of the array operands (one name where they are variadic).
    variadic : bool
        Whether the operands are given as ``*arrays``.
    optional : tuple
        Default values of trailing array operands that may be left out.
    options : dict
        The names of the options with their defaults (``inspect.Parameter.empty``: required).
    rules : dict
        Argument name to :class:`~autodiff.engine.plan.Rule`.
    branches : callable or None
        ``branches(out, *arrays, **options)`` of a piecewise operation: an array that is
        constant within a smooth piece (signs, an order, a mask). None for a smooth one.
    adder : callable or None
        ``adder(xp, total, g, ...)`` adds the first operand's gradient into an array, in place.
    analytic : bool
        Whether the forward is an analytic function, and computes it of complex arrays too: what
        gradient checking's complex step needs.
    """

    branches: Callable[..., Any] | None = None
    adder: Callable[..., Any] | None = None
    analytic = False

    def __init__(self, name: str, forward: Callable[..., Any], *, differentiable: bool) -> None:
        self.name = name
        self.forward = forward
        self.differentiable = differentiable
        self.ours = is_ours(forward)
        self.rules: dict[str, Rule] = {}
        self._plans: dict[tuple[bool, ...], Plan] = {}
        self.frequent_plans: list[Plan | None] = [None, None, None]
        parameters = parameters_of(name, forward)
        kinds = inspect.Parameter
        operands = [
            p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.VAR_POSITIONAL)
        ]
        if not operands:  # no "/" in the signature: operands are what has no default
            operands = [
                p
                for p in parameters
                if p.default is p.empty and p.kind is kinds.POSITIONAL_OR_KEYWORD
            ]
        options = [p for p in parameters if p not in operands]
        self.variadic = any(p.kind is kinds.VAR_POSITIONAL for p in operands)
        self.arrays = tuple(p.name for p in operands)
        self.optional = tuple(p.default for p in operands if p.default is not p.empty)
        self.options = {p.name: p.default for p in options}
        self._sort = Sorter(name, operands, options)
        reserved = {"xp", "g", "out", "options"} | ({"position"} if self.variadic else set())
        reserved = reserved.union(*map(facts_of, self.arrays)) & {*self.arrays, *self.options}
        if reserved:
            message = f"primitive {name}: the parameter names {sorted(reserved)} are reserved"
            raise OptionError(message)

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join([*self.arrays, *self.options])})>"

    def add_rule(self, argument: str, function: Callable[..., Any]) -> None:
        """Declare the derivative with respect to one argument."""
        known = {*self.arrays, *self.options, "out"}
        known = known.union(*map(facts_of, self.arrays))
        known |= {"position"} if self.variadic else set()
        reads = tuple(inspect.signature(function).parameters)[2:]
        unknown = [name for name in reads if name not in known]
        if argument not in self.arrays or unknown:
            what = f"has no array operand {argument!r}" if not unknown else f"can't give {unknown}"
            message = f"{self.name} {what}: a rule may name {', '.join(sorted(known))}"
            raise OptionError(message)
        self.rules[argument] = Rule(argument, function, reads)
        self._plans.clear()
        self.frequent_plans[:] = [None, None, None]

    def rule(self, position: int) -> Rule:
        """Return the rule of the operand at a position; one that raises if there is none."""
        name = self.arrays[0 if self.variadic else position]
        rule = self.rules.get(name)
        if rule is None:
            rule = Rule(name, partial(_no_gradient, self, name), ())
        return rule

    def plan(self, mask: tuple[bool, ...]) -> Plan:
        """Return the plan for the operands that the mask says need gradients."""
        plan = self._plans.get(mask)
        if plan is None:
            plan = self._plans[mask] = Plan(self, mask)
            if mask in _FREQUENT:
                self.frequent_plans[_FREQUENT[mask]] = plan
        return plan

    def kernel(self, xp: Namespace) -> Callable[..., Any]:
        """Return the forward function on the raw arrays of one library."""
        return partial(self.forward, xp)

    def bind(
        self, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort a call's arguments into operands and options, all options filled in."""
        operands, options = self._sort(args, named)
        for key, value in options.items():
            if type(value) not in _CONSTANT and isinstance(value, _CHANGEABLE):
                if isinstance(value, Handle) and value.node is not None:
                    message = f"{self.name} has no derivative with respect to its option {key!r}"
                    raise NoGradientError(f"{message}. Call .detach() on it, or give a number.")
                options[key] = _fixed(value)
        return operands, options


_CHANGEABLE = (tuple, list, np.ndarray, Handle)
_CONSTANT = frozenset({type(None), bool, int, float, str, slice})


def _fixed(value: Any) -> Any:
    """Return an option as it is now: a rule will read it when its owner may have changed it."""
    if isinstance(value, list | tuple):
        items = [_fixed(item) if isinstance(item, _CHANGEABLE) else item for item in value]
        return items if isinstance(value, list) else tuple(items)
    array = value.array if isinstance(value, Handle) else value
    return array.copy()


def parameters_of(name: str, forward: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a forward function beside ``xp``, the first."""
    parameters = list(inspect.signature(forward).parameters.values())
    if not parameters or parameters[0].name not in ("xp", "_"):
        message = f"{name}: the first parameter of a forward function must be xp"
        raise OptionError(f"{message}, the namespace of array functions: def {name}(xp, x, /)")
    return parameters[1:]


class Sorter:
    """Sorts a call's arguments into operands and options, all options filled in.

    Parameters
    ----------
    name : str
        The operation's, for messages.
    operands, options : list of inspect.Parameter
        Operands come first; a variadic one is alone.
    """

    def __init__(
        self, name: str, operands: list[inspect.Parameter], options: list[inspect.Parameter]
    ) -> None:
        self.name = name
        bare = [p.replace(annotation=p.empty) for p in [*operands, *options]]
        self.signature = f"{name}{inspect.Signature(bare)}"
        self._count = len(operands)
        self._names = [p.name for p in bare]
        self._sort = _compile_sort(operands, options)

    def __call__(
        self, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the operands and the options of a call; raise where it does not fit."""
        try:
            return self._sort(*args, **named)  # type: ignore[no-any-return]
        except TypeError as error:
            text = str(error).replace("<lambda>()", f"{self.name}()")
            given = ", ".join(describe(arg) for arg in args[: self._count]) or "nothing"
            text += options_here(named, self._names)
            message = f"{text}: called on {given}; its signature is {self.signature}"
            raise OptionError(message) from None


def _compile_sort(
    operands: list[inspect.Parameter], options: list[inspect.Parameter]
) -> Callable[..., Any]:
    """Write out a function that sorts a call's arguments, as :mod:`autodiff.engine.plan` does.

    ``lambda x, axis=axis, *, keepdims=keepdims: ((x, ), {"axis": axis, "keepdims": keepdims})``:
    Python itself then finds what is missing, unknown or given twice.
    """
    kinds = inspect.Parameter
    text: list[str] = []
    for p in [*operands, *options]:
        if p.kind is kinds.KEYWORD_ONLY and "*" not in "".join(text):
            text.append("*")
        star = "*" if p.kind is kinds.VAR_POSITIONAL else ""
        text.append(f"{star}{p.name}" if p.default is p.empty else f"{p.name}={p.name}")
    if any(p.kind is kinds.VAR_POSITIONAL for p in operands):
        arrays = operands[0].name
    else:
        arrays = f"({''.join(f'{p.name}, ' for p in operands)})"
    taken = ", ".join(f"{p.name!r}: {p.name}" for p in options)
    defaults = {p.name: p.default for p in [*operands, *options] if p.default is not p.empty}
    return eval(f"lambda {', '.join(text)}: ({arrays}, {{{taken}}})", defaults)  # type: ignore[no-any-return] # noqa: S307


class StandardPrimitive(Primitive):
    """A primitive whose forward function is the array library's own function of its name."""

    def __init__(self, name: str, forward: Callable[..., Any], *, differentiable: bool) -> None:
        super().__init__(name, forward, differentiable=differentiable)
        self.forward = self._look_up

    def _look_up(self, xp: Namespace, *arrays: Any, **options: Any) -> Any:
        return self.kernel(xp)(*arrays, **options)

    def kernel(self, xp: Namespace) -> Callable[..., Any]:
        """Return the library's own function."""
        function: Any = xp
        for part in self.name.split("."):
            function = getattr(function, part)
        return function  # type: ignore[no-any-return]


def _no_gradient(primitive: Primitive, argument: str, xp: Namespace, g: Any) -> Any:
    message = f"{primitive.name} has no derivative with respect to {argument!r}"
    declare = "" if primitive.ours else f"Declare one with @{primitive.name}.vjp({argument!r}). "
    raise NoGradientError(
        f"{message}. {declare}"
        "Call .detach() on the operand if its gradient is not meant to flow here."
    )
