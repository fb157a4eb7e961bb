"""What all optimisers share: groups of parameters, their state, saving and loading."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import autodiff as ad
from nn.calls import Checked, is_switch, typed
from nn.module import Module, Parameter

__all__ = ["Optimizer", "check_at_least"]


_BLOCK = 524_288
"""Bytes that are updated at a time: few enough that all temporaries stay in the cache."""

_TORCHS_OWN = {"capturable", "differentiable", "foreach", "fused", "param_names"}
"""Options in PyTorch's state dicts that say how PyTorch computes, not what."""

_RECENT = {"maximize", "decoupled_weight_decay"}
"""Options that state dicts of older versions of PyTorch lack."""

_SWITCHES = ("amsgrad", "centered", "decoupled_weight_decay", "maximize", "nesterov")
"""Options that are True or False."""


class Optimizer(Checked):
    """The base of all optimisers.

    A subclass gives its options' defaults, names what it remembers of each parameter
    (:meth:`memory`, :meth:`numbers`), and defines :meth:`update` for one block of a
    parameter.

    Parameters
    ----------
    params : iterable
        Of parameters, of ``(name, parameter)`` pairs, or of groups: dicts with "params" and
        options that differ from the defaults.
    defaults : dict
        The options of groups that do not give their own.

    Attributes
    ----------
    param_groups : list of dict
        "params" and the options, which may be changed between steps (``group["lr"]``).
    state : dict
        What is remembered for each parameter.

    Raises
    ------
    OptionError
        Without parameters, with one twice, or with an unknown option.
    DTypeError
        If something is neither a parameter nor a tensor that requires a gradient, or its
        memory is read-only.
    """

    counted: tuple[str, ...] = ()
    """The numbers that :meth:`numbers` keeps in a parameter's state, beside :meth:`memory`."""

    squares: tuple[str, ...] = ()
    """The arrays of :meth:`memory` that are sums of squares, whose root is taken."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[ad.Tensor, dict[str, Any]] = {}
        if isinstance(params, (ad.Tensor, Mapping, Module)) or not isinstance(params, Iterable):
            message = f"{self._name}: the parameters are one {type(params).__name__}"
            if isinstance(params, Module):
                raise ad.OptionError(f"{message}. Give its parameters: model.parameters().")
            raise ad.OptionError(f"{message}. Give a list: model.parameters(), or [tensor].")
        given = list(params)
        if not given:
            message = f"{self._name}: there are no parameters to update"
            raise ad.OptionError(f"{message}. Give model.parameters() of a model that has some.")
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)
        if not any(group["params"] for group in self.param_groups):
            message = f"{self._name}: the groups have no parameters to update"
            raise ad.OptionError(f"{message}. Give model.parameters() of a model that has some.")

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; those not given are the defaults."""
        if not isinstance(group, Mapping):
            message = f"{self._name}: a parameter group is a {type(group).__name__}"
            raise ad.OptionError(f"{message}. Give a dict: {{'params': module.parameters()}}.")
        unknown = [name for name in group if name not in self.defaults and name != "params"]
        if unknown or "params" not in group:
            what = f"unknown option {unknown[0]!r}" if unknown else "no 'params'"
            known = ", ".join(["params", *self.defaults])
            message = f"{self._name}: a parameter group has {what}"
            raise ad.OptionError(f"{message}. Its keys may be {known}.")
        given = group["params"]
        if isinstance(given, Module):
            message = f"{self._name}: the parameters of a group are one {type(given).__name__}"
            raise ad.OptionError(f"{message}. Give its parameters: module.parameters().")
        if not isinstance(given, Iterable):
            message = f"{self._name}: the 'params' of a group are a {type(given).__name__}"
            raise ad.OptionError(f"{message}. Give a list of parameters.")
        members = [given] if isinstance(given, ad.Tensor) else list(given)
        members = [m[1] if isinstance(m, tuple) and len(m) == 2 else m for m in members]
        for member in members:
            frozen = isinstance(member, Parameter)  # if it needs no gradient: until it does
            wanted = isinstance(member, ad.Tensor) and (member.requires_grad or frozen)
            if not wanted or not member.is_leaf:
                message = f"{self._name}: {ad.errors.describe(member)} can't be updated"
                raise ad.DTypeError(
                    f"{message}. Give tensors with requires_grad=True that no operation made."
                )
            if not member.detach().numpy().flags.writeable:
                message = f"{self._name}: {ad.errors.describe(member)} is on read-only memory"
                raise ad.DTypeError(f"{message}. Give a copy: nn.Parameter(tensor.clone()).")
        taken = {id(p) for other in self.param_groups for p in other["params"]}
        if len({id(p) for p in members} | taken) < len(members) + len(taken):
            message = f"{self._name}: a parameter was given twice"
            raise ad.OptionError(f"{message}. Put each parameter in one group, once.")
        options = {**self.defaults, **group, "params": members}
        self._check_new(options)
        self.param_groups.append(options)

    def _check_new(self, options: dict[str, Any]) -> None:
        """Check options that are added or loaded: their switches too, which steps trust."""
        for name in _SWITCHES:
            value = options.get(name, False)
            if not is_switch(value) and not (isinstance(value, int) and value in (0, 1)):
                message = f"{self._name}: {name} is {value!r}"
                raise ad.OptionError(f"{message}. Give True or False.")
        self.check(options)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if the options of a group make no sense."""
        for name in ("lr", "weight_decay"):
            if name in options:
                check_at_least(self._name, options, 0, name)

    # -- what a subclass defines -------------------------------------------------------

    def memory(self, group: dict[str, Any]) -> dict[str, float]:  # noqa: ARG002
        """Return the names of the arrays to remember for a parameter, and their first value."""
        return {}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:  # noqa: ARG002
        """Bring the numbers in a parameter's state forward; return what :meth:`update` needs.

        It is called once for each parameter and step, before new arrays are made.
        """
        return group["lr"]

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Change a block of a parameter, and of its memory, in place; the gradient stays.

        Temporaries are cheap here: blocks are small enough that they stay in the cache.
        """
        raise NotImplementedError(f"{self._name} does not define update.")

    # ----------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients anew; called first.

        Returns
        -------
        object
            What the closure returned.
        """
        loss = None
        for group in self.param_groups:
            self.check(group)  # a schedule, or a user, may have changed the rate
        if closure is not None:
            if not callable(closure):
                message = f"{self._name}: the closure is a {type(closure).__name__}"
                raise ad.OptionError(f"{message}. Give a function, or nothing.")
            with ad.enable_grad():
                loss = closure()
        with ad.no_grad():
            for group in self.param_groups:
                self._step(group)
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        """Update the parameters of a group, each block by block."""
        memory = self.memory(group)
        decay, maximize = group.get("weight_decay", 0), group.get("maximize", False)
        decoupled = group.get("decoupled_weight_decay", False)
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            state = self.state.setdefault(parameter, {})
            numbers = self.numbers(state, group)
            for name, value in memory.items():
                if name not in state:
                    state[name] = ad.full_like(parameter.detach(), value)
            remembered = [state[name] for name in memory]
            whole = [parameter.detach(), gradient.detach(), *remembered]
            try:
                for weights, slope, *part in _blocks(whole):
                    along = -slope if maximize else slope
                    if decay and decoupled:
                        weights *= 1 - group["lr"] * decay  # noqa: PLW2901 - in place
                    elif decay:
                        along = along + decay * weights
                    self.update(weights, along, part, numbers)
            except ad.ShapeError as error:
                raise self._misfit(parameter, whole[1:]) from error

    def _misfit(self, parameter: ad.Tensor, others: list[ad.Tensor]) -> ad.ShapeError:
        """Say which parameter does not have the shape of its gradient or of its memory."""
        members = [p for group in self.param_groups for p in group["params"]]
        number = next(i for i, member in enumerate(members) if member is parameter)
        shapes = ", ".join(str(other.shape) for other in others)
        message = f"{self._name}: parameter {number} is {ad.errors.describe(parameter)}, its"
        return ad.ShapeError(
            f"{message} gradient and memory are {shapes}. "
            "Make a new optimiser after giving a parameter another shape."
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                keep = not set_to_none and parameter.grad is not None
                parameter.grad = ad.zeros_like(parameter.detach()) if keep else None

    def state_dict(self) -> dict[str, Any]:
        """Return state and options, the parameters replaced by their numbers (as PyTorch)."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers[id(parameter)] = len(numbers)
            members = [numbers[id(parameter)] for parameter in group["params"]]
            groups.append({**_without_params(group), "params": members})
        state = {numbers[id(parameter)]: dict(found) for parameter, found in self.state.items()}
        return {"state": state, "param_groups": groups}

    @typed
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, for the same parameters in the same order.

        Raises
        ------
        OptionError
            If the groups differ in number or size, or are another optimiser's.
        DomainError
            If a saved option or number is out of its range, or an array has a NaN.
        ShapeError
            If a state does not have its parameter's shape. Nothing was loaded then.
        """
        saved = _saved_groups(self._name, state_dict)
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved]
        if sizes != saved_sizes:
            message = f"{self._name}: the saved groups have {saved_sizes} parameters"
            raise ad.OptionError(f"{message}, these {sizes}. Build the same groups first.")
        options, state = [], {}
        for group, other in zip(self.param_groups, saved, strict=True):
            missing = [name for name in self.defaults if name not in {*other, *_RECENT}]
            if missing:
                message = f"{self._name}: a saved group has no {missing[0]!r}"
                raise ad.OptionError(f"{message}. Load the state of the same kind of optimiser.")
            taken = {k: v for k, v in other.items() if k not in {"params", *_TORCHS_OWN}}
            changed = {**group, **taken}
            self._check_new(changed)
            options.append(changed)
            for number, parameter in zip(other["params"], group["params"], strict=True):
                found = state_dict["state"].get(number)
                if found is not None:
                    restored = {
                        name: self.restored(name, value, parameter, changed)
                        for name, value in found.items()
                        if value is not None
                    }
                    if restored:
                        self.check_state(number, restored, changed)
                        state[parameter] = restored
        for group, changed in zip(self.param_groups, options, strict=True):
            group.update(changed)
        self.state = state

    def restored(self, name: str, value: Any, parameter: ad.Tensor, group: dict[str, Any]) -> Any:
        """Copy a saved value; arrays get the parameter's dtype and must have its shape."""
        shape = getattr(value, "shape", None)
        if shape is None:
            return value
        if tuple(shape) == () and name not in self.memory(group):
            return value.item()  # PyTorch keeps the number of steps as a tensor
        if tuple(shape) == parameter.shape:
            return ad.asarray(value, dtype=parameter.dtype, copy=True)
        message = f"{self._name}: the saved {name} is {ad.errors.describe(value)}"
        raise ad.ShapeError(
            f"{message}, its parameter {ad.errors.describe(parameter)}. "
            "Load the state of the same parameters in the same order."
        )

    def check_state(self, number: int, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Raise if the restored state of a parameter, by its number, would fail a step."""
        kind = type(self)
        declared: Any = next(base for base in kind.__mro__ if "counted" in vars(base))
        counted = self.counted if kind.numbers is declared.numbers else ()
        self.check_parts(number, state, counted, self.memory(group))

    def check_parts(
        self,
        number: int,
        state: dict[str, Any],
        numbers: Iterable[str],
        arrays: Mapping[str, float],
    ) -> None:
        """Raise unless a state has these numbers, of 0 or more, and these arrays, without NaN.

        With the arrays' names stand the values that they begin with; a NaN among them means
        something.
        """
        where = f"{self._name}: the state of parameter {number}"
        missing = [name for name in [*numbers, *arrays] if name not in state]
        if missing:
            raise ad.OptionError(f"{where} has no {missing[0]!r}. Load a whole state.")
        for name in numbers:
            check_at_least(where, state, 0, name)
        for name, first in arrays.items():
            value = state[name]
            if not isinstance(value, ad.Tensor):
                message = f"{where} has {ad.errors.describe(value)} as {name!r}"
                raise ad.OptionError(f"{message}. Load what state_dict() returns.")
            below = name in self.squares and ad.any(value < 0)
            if below or (not math.isnan(first) and ad.any(ad.isnan(value))):
                what = "numbers below 0, but is a sum of squares" if below else "NaN"
                message = f"{where}: {name!r} has {what}"
                raise ad.DomainError(f"{message}. Load a state saved while all went well.")

    def __repr__(self) -> str:
        lines = []
        for group in self.param_groups:
            options = [f"{name}={value}" for name, value in _without_params(group).items()]
            size = sum(parameter.size for parameter in group["params"])
            lines.append(f"{self._name}({size:,} parameters, {', '.join(options)})")
        return "\n".join(lines)


def _blocks(arrays: list[ad.Tensor]) -> list[list[ad.Tensor]]:
    """Cut arrays of one shape into blocks of rows: views, into which updates write."""
    size = arrays[0].nbytes
    if size <= _BLOCK:
        return [arrays]
    length = arrays[0].shape[0]
    rows = math.ceil(length / math.ceil(size / _BLOCK))
    parts = [slice(start, start + rows) for start in range(0, length, rows)]
    return [[array[part] for array in arrays] for part in parts]


def _saved_groups(optimizer: str, saved: Any) -> list[Mapping[str, Any]]:
    """Return the groups of a saved state; raise OptionError unless it looks like one."""
    parts = saved if isinstance(saved, Mapping) else {}
    state, groups = parts.get("state"), parts.get("param_groups")
    if (
        isinstance(groups, (list, tuple))
        and all(isinstance(group, Mapping) and _has_numbers(group) for group in groups)
        and isinstance(state, Mapping)
        and all(isinstance(found, Mapping) for found in state.values())
    ):
        return list(groups)
    message = f"{optimizer}: a {type(saved).__name__} is no saved state"
    raise ad.OptionError(
        f"{message}. Give what state_dict() returns: a dict of 'state' and 'param_groups'."
    )


def _has_numbers(group: Mapping[str, Any]) -> bool:
    members = group.get("params")
    return isinstance(members, (list, tuple)) and all(isinstance(m, int) for m in members)


def _without_params(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def check_at_least(optimizer: str, options: dict[str, Any], least: float, *names: str) -> None:
    """Raise unless the options of these names are numbers of at least that."""
    for name in names:
        value = options[name]
        # The second test, of an abstract class, is slow.
        real = type(value) is float or _is_like_a_float(value)
        if not real or not least <= value < math.inf:
            message = f"{optimizer}: {name} is {value!r}"
            raise ad.DomainError(f"{message}. Give a number of {least} or more.")


def _is_like_a_float(value: Any) -> bool:
    """Tell whether a value is a real number; whole ones may be too large for a float."""
    too_large = isinstance(value, int) and value > sys.float_info.max
    return isinstance(value, Real) and not too_large


def check_rates(optimizer: str, options: dict[str, Any], name: str, count: int = 1) -> None:
    """Raise unless an option is a decay rate, from 0 to below 1, or a sequence of several."""
    given = options[name]
    rates = given if isinstance(given, (tuple, list)) else [given]
    if len(rates) != count or not all(_is_like_a_float(r) and 0 <= r < 1 for r in rates):
        message = f"{optimizer}: {name} is {options[name]}"
        wanted = "a number" if count == 1 else f"{count} numbers, each"
        raise ad.DomainError(f"{message}. Give {wanted} from 0 to below 1.")


def follow(average: ad.Tensor, value: ad.Tensor, rate: float) -> None:
    """Move a running average, in place: ``average = rate * average + (1 - rate) * value``."""
    average *= rate
    average += (1 - rate) * value
