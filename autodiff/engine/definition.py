"""What a primitive is: a forward function, its operands, its options and its rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from autodiff.engine.plan import Plan, Rule
from autodiff.errors import NoGradientError, OptionError, describe
from autodiff.namespace import Namespace

__all__ = ["Primitive", "StandardPrimitive"]


class Primitive:
    """An operation's declaration: its forward function, its operands, options and rules.

    Attributes
    ----------
    name : str
        The public name, ``"linalg.inv"``.
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
        Argument name to :class:`Rule`.
    """

    def __init__(self, name: str, forward: Callable[..., Any], *, differentiable: bool) -> None:
        self.name = name
        self.forward = forward
        self.differentiable = differentiable
        self.rules: dict[str, Rule] = {}
        self._plans: dict[tuple[bool, ...], Plan] = {}
        parameters = list(inspect.signature(forward).parameters.values())[1:]
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
        self._positional = [p.name for p in options if p.kind is not kinds.KEYWORD_ONLY]
        self._required = tuple(p.name for p in options if p.default is p.empty)
        reserved = {"xp", "g", "out", "options"} | ({"position"} if self.variadic else set())
        reserved &= {*self.arrays, *self.options}
        if reserved:
            message = f"primitive {name}: the parameter names {sorted(reserved)} are reserved"
            raise OptionError(message)

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join([*self.arrays, *self.options])})>"

    def add_rule(self, argument: str, function: Callable[..., Any]) -> None:
        """Declare the derivative with respect to one argument."""
        known = {*self.arrays, *(f"{name}_shape" for name in self.arrays), *self.options, "out"}
        known |= {"position"} if self.variadic else set()
        reads = tuple(inspect.signature(function).parameters)[2:]
        unknown = [name for name in reads if name not in known]
        if argument not in self.arrays or unknown:
            what = f"has no array operand {argument!r}" if not unknown else f"can't give {unknown}"
            message = f"{self.name} {what}: a rule may name {', '.join(sorted(known))}"
            raise OptionError(message)
        self.rules[argument] = Rule(argument, function, reads)
        self._plans.clear()

    def rule(self, position: int) -> Rule:
        """Return the rule of the operand at a position; one that raises if there is none."""
        name = self.arrays[0 if self.variadic else position]
        rule = self.rules.get(name)
        if rule is None:
            rule = Rule(name, partial(_no_gradient, self.name, name), ())
        return rule

    def plan(self, mask: tuple[bool, ...]) -> Plan:
        """Return the plan for the operands that the mask says need gradients."""
        plan = self._plans.get(mask)
        if plan is None:
            plan = self._plans[mask] = Plan(self, mask)
        return plan

    def kernel(self, xp: Namespace) -> Callable[..., Any]:
        """Return the forward function on the raw arrays of one library."""
        return partial(self.forward, xp)

    def bind(
        self, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort a call's arguments into operands and options, all options filled in."""
        if self.variadic:
            return args, self._options(args, {}, named)
        count = len(self.arrays)
        if len(args) == count:  # by far the most calls
            return args, self._options(args, {}, named) if named else self._defaults(args)
        operands, rest = args[:count], args[count:]
        if len(operands) < count:
            operands = self._fill(operands, args, named)
            named = {name: value for name, value in named.items() if name not in self.arrays}
        if len(rest) > len(self._positional):
            most = count + len(self._positional)
            message = f"{self.name} takes at most {most} positional arguments, got {len(args)}"
            raise OptionError(f"{message}: {self._signature(args)}")
        return operands, self._options(args, dict(zip(self._positional, rest, strict=False)), named)

    def _defaults(self, args: tuple[Any, ...]) -> dict[str, Any]:
        return self._options(args, {}, {}) if self._required else self.options

    def _fill(
        self, operands: tuple[Any, ...], args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, ...]:
        missing = self.arrays[len(operands) :]
        defaults = dict(zip(reversed(self.arrays), reversed(self.optional), strict=False))
        absent = [name for name in missing if name not in named and name not in defaults]
        if absent:
            message = f"{self.name} needs the operand {absent[0]!r}"
            raise OptionError(f"{message}: {self._signature(args)}")
        return (*operands, *(named[name] if name in named else defaults[name] for name in missing))

    def _options(
        self, args: tuple[Any, ...], given: dict[str, Any], named: dict[str, Any]
    ) -> dict[str, Any]:
        if given:
            twice = [name for name in named if name in given]
            if twice:
                message = f"{self.name} got twice the option {twice[0]!r}"
                raise OptionError(f"{message}: {self._signature(args)}")
            named = {**given, **named}
        options = {**self.options, **named}
        if len(options) > len(self.options):
            unknown = next(name for name in named if name not in self.options)
            message = f"{self.name} has no option {unknown!r}"
            raise OptionError(f"{message}: {self._signature(args)}")
        for name in self._required:
            if name not in named:
                message = f"{self.name} needs the option {name!r}"
                raise OptionError(f"{message}: {self._signature(args)}")
        return options

    def _signature(self, args: tuple[Any, ...]) -> str:
        given = ", ".join(describe(arg) for arg in args[: len(self.arrays)])
        parameters = list(inspect.signature(self.forward).parameters.values())[1:]
        bare = inspect.Signature([p.replace(annotation=p.empty) for p in parameters])
        return f"called on {given or 'nothing'}; its signature is {self.name}{bare}"


class StandardPrimitive(Primitive):
    """A primitive whose forward function is the array library's own function of its name."""

    def __init__(self, name: str, forward: Callable[..., Any], *, differentiable: bool) -> None:
        super().__init__(name, forward, differentiable=differentiable)
        self.forward = self._look_up
        self._declared = forward

    def _look_up(self, xp: Namespace, *arrays: Any, **options: Any) -> Any:
        return self.kernel(xp)(*arrays, **options)

    def kernel(self, xp: Namespace) -> Callable[..., Any]:
        """Return the library's own function."""
        function: Any = xp
        for part in self.name.split("."):
            function = getattr(function, part)
        return function  # type: ignore[no-any-return]

    def _signature(self, args: tuple[Any, ...]) -> str:
        self.forward, forward = self._declared, self.forward
        try:
            return super()._signature(args)
        finally:
            self.forward = forward


def _no_gradient(operation: str, argument: str, xp: Namespace, g: Any) -> Any:
    message = f"{operation} has no derivative with respect to {argument!r}"
    raise NoGradientError(
        f"{message}. Call .detach() on the operand if its gradient is not meant to flow here."
    )
