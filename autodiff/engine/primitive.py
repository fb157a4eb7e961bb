"""How an operation is declared, applied and recorded.

``@primitive`` turns a forward function over a namespace ``xp`` into an operation on
tensors; ``.vjp`` adds one derivative rule for each differentiable argument::

    @primitive
    def multiply(xp, x1, x2, /):
        return xp.multiply(x1, x2)

    @multiply.vjp("x1")
    def _(xp, g, x2):           # what a rule reads, it names; nothing else is kept
        return g * x2

Parameters before the ``/`` are array operands, those after it are options. A rule takes
``xp``, the upstream gradient ``g``, and then, by name, whatever it reads:

=================  ===========================================================
``x``              the operand of that name (its array is kept until backward)
``x_shape``        that operand's shape (the array is not kept)
``out``            the operation's result (a tuple where there are several)
``axis``           the option of that name
``position``       for operands given as ``*arrays``: which of them is meant
=================  ===========================================================

From those names a :class:`Plan` is compiled for each set of operands that need a
gradient: what a node keeps, and how each rule is called with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NamedTuple,
    ParamSpec,
    TypeVar,
    overload,
)

import numpy as np

from autodiff.engine.modes import get_default_dtype, local
from autodiff.engine.node import Handle, Node, clock
from autodiff.engine.origin import caller
from autodiff.errors import DTypeError, NoGradientError, OptionError, describe, explain
from autodiff.namespace import NUMPY, Namespace, forwards, namespace_of, tensors

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = [
    "Array",
    "Operation",
    "Plan",
    "Primitive",
    "Rule",
    "composite",
    "constant",
    "make_tensor",
    "primitive",
    "primitives",
    "standard",
    "use_handle",
]

Array = Any
"""An array of whichever library reads the rule: the annotation of operands and results."""

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

primitives: dict[str, Primitive] = {}
"""Every primitive of this package by its public name, ``"exp"`` or ``"linalg.inv"``."""

_new = object.__new__
_Tensor: type[Any] = Handle


def use_handle(handle: type[Handle]) -> None:
    """Make operations return handles of this class: the layer above gives its own."""
    global _Tensor
    _Tensor = handle


def make_tensor(array: Any, node: Node | None = None) -> Tensor:
    """Wrap an array, without a copy, in a tensor whose gradient goes to ``node``."""
    result = _new(_Tensor)
    result.array = array if type(array) is np.ndarray else _as_array(array)
    result.node = node
    return result  # type: ignore[no-any-return]


def _as_array(value: Any) -> Any:
    """Wrap a scalar back into a 0-d array; leave other libraries' arrays alone."""
    return np.asarray(value) if isinstance(value, np.generic | int | float | complex) else value


_SCALARS = (bool, int, float, complex)


def constant(value: Any) -> Any:
    """Return a non-tensor operand as the kernels take it.

    Python scalars stay as they are, because they are weak in promotions; lists take the
    default dtypes; arrays pass through.
    """
    if value is None or type(value) in _SCALARS or isinstance(value, np.ndarray | np.generic):
        return value
    if isinstance(value, Handle):
        return value.array
    if isinstance(value, list | tuple):
        return array_from_sequence(value)
    if hasattr(value, "__array_namespace__"):
        return value
    if isinstance(value, bool | int | float | complex):
        return value
    message = f"an operand of type {type(value).__name__} is neither a tensor nor a number"
    raise DTypeError(f"{message}. Give a tensor, an ndarray, a Python number or a list of them.")


def strong(value: Any) -> Any:
    """Give a Python scalar that meets no array the default dtype of its kind."""
    if type(value) is float:
        return np.asarray(value, get_default_dtype())
    if type(value) is complex:
        return np.asarray(value, np.result_type(get_default_dtype(), np.complex64))
    return np.asarray(value) if type(value) in _SCALARS else value


def array_from_sequence(value: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Make an array of nested lists of numbers: int64, bool, or the default float dtype."""
    if _holds_tensor(value):
        message = "a list of tensors is not an array. Join them with autodiff.stack(list)."
        raise DTypeError(message)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise explain("asarray", [value], error) from error
    if array.dtype == np.float64 and not _holds_numpy(value):
        array = array.astype(get_default_dtype())
    elif array.dtype == np.complex128 and get_default_dtype() != np.float64:
        array = array.astype(np.complex64)
    elif array.dtype.kind not in "biufc":
        message = f"a list that NumPy reads as dtype {array.dtype} holds no numbers"
        raise DTypeError(f"{message}. Give nested lists of numbers, all of one length per level.")
    return array


def _first(value: Any) -> Any:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return value


def _holds_numpy(value: Sequence[Any]) -> bool:
    """Tell whether the numbers in a list already carry a dtype of their own."""
    return isinstance(_first(value), np.ndarray | np.generic)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensor(item) for item in value if isinstance(item, list | tuple | Handle))
    return isinstance(value, Handle)


class Rule(NamedTuple):
    """A vector-Jacobian product for one argument, and the names of what it reads."""

    argument: str
    function: Callable[..., Any]
    reads: tuple[str, ...]


class Plan:
    """What nodes of one primitive keep and run when a given set of operands needs gradients.

    Attributes
    ----------
    primitive : Primitive
    reads : tuple of str
        The names of what ``keep`` returns, in order.
    keep : callable or None
        ``keep(values, out, options)`` is the tuple that a node saves; None for nothing.
    steps : tuple of (int, callable)
        For each operand that needs a gradient: its position, and its rule as
        ``call(xp, g, saved)``.
    """

    __slots__ = ("keep", "primitive", "reads", "steps")

    def __init__(self, primitive: Primitive, mask: tuple[bool, ...]) -> None:
        self.primitive = primitive
        rules = [(i, primitive.rule(i)) for i, wanted in enumerate(mask) if wanted]
        own = {"position"} if primitive.variadic else set()
        reads: list[str] = []
        for _, rule in rules:
            reads += [name for name in rule.reads if name not in reads and name not in own]
        self.reads = tuple(reads)
        self.keep = _compile_keep(primitive, reads) if reads else None
        self.steps = tuple((i, _compile_call(rule, reads, i)) for i, rule in rules)


# Both functions below write the tuple of arguments out as source, as dataclasses and named
# tuples do for their methods: a compiled ``(values[0], out)`` runs several times faster than
# a loop that looks each name up, and it runs for every operation.


def _compile_keep(primitive: Primitive, reads: list[str]) -> Callable[..., tuple[Any, ...]]:
    sources = {"out": "out"}
    sources |= {name: f"options[{name!r}]" for name in primitive.options}
    if primitive.variadic:
        (name,) = primitive.arrays
        sources |= {name: "values", f"{name}_shape": "tuple(shape(value) for value in values)"}
    else:
        for i, name in enumerate(primitive.arrays):
            sources |= {name: f"values[{i}]", f"{name}_shape": f"shape(values[{i}])"}
    text = "".join(f"{sources[name]}, " for name in reads)
    return eval(f"lambda values, out, options: ({text})", {"shape": np.shape})  # type: ignore[no-any-return] # noqa: S307


def _compile_call(rule: Rule, reads: list[str], position: int) -> Callable[..., Any]:
    arguments = [
        f"saved[{reads.index(name)}]" if name in reads else str(position) for name in rule.reads
    ]
    text = ", ".join(["xp", "g", *arguments])
    return eval(f"lambda xp, g, saved: rule({text})", {"rule": rule.function})  # type: ignore[no-any-return] # noqa: S307


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
        self._complete = not any(default is kinds.empty for default in self.options.values())
        reserved = {"xp", "g", "out"} | ({"position"} if self.variadic else set())
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
        operands, rest = args[:count], args[count:]
        if len(operands) < count:
            operands = self._fill(operands, args, named)
            named = {name: value for name, value in named.items() if name not in self.arrays}
        if not rest and not named and self._complete:
            return operands, self.options
        if len(rest) > len(self._positional):
            most = count + len(self._positional)
            message = f"{self.name} takes at most {most} positional arguments, got {len(args)}"
            raise OptionError(f"{message}: {self._signature(args)}")
        return operands, self._options(args, dict(zip(self._positional, rest, strict=False)), named)

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
        for name, value in named.items():
            if name not in self.options or name in given:
                what = "got twice the" if name in given else "has no"
                raise OptionError(f"{self.name} {what} option {name!r}: {self._signature(args)}")
            given[name] = value
        options = {**self.options, **given}
        if not self._complete:
            for name, value in options.items():
                if value is inspect.Parameter.empty:
                    message = f"{self.name} needs the option {name!r}: {self._signature(args)}"
                    raise OptionError(message)
        return options

    def _signature(self, args: tuple[Any, ...]) -> str:
        given = ", ".join(describe(arg) for arg in args[: len(self.arrays)])
        parameters = list(inspect.signature(self.forward).parameters.values())[1:]
        return f"called on {given or 'nothing'}; its signature is {self.name}({', '.join(map(str, parameters))})"


class _Standard(Primitive):
    """A primitive whose forward function is the array library's own function of its name."""

    def __init__(self, name: str, forward: Callable[..., Any], *, differentiable: bool) -> None:
        super().__init__(name, forward, differentiable=differentiable)
        self.forward = self._look_up
        self._declared = forward

    def _look_up(self, xp: Namespace, *arrays: Any, **options: Any) -> Any:
        return self.kernel(xp)(*arrays, **options)

    def kernel(self, xp: Namespace) -> Callable[..., Any]:
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


# ---------------------------------------------------------------------------------------
# Applying. Three functions do the same: look at the operands, call the kernel, wrap the
# result, and link a node if a gradient will flow. `_apply_any` is the reference; the
# other two spell it out for one and two operands without options, because there, on small
# arrays, every attribute that is not touched is felt (see benchmarks/overhead.py).
# ---------------------------------------------------------------------------------------


def _apply_one(primitive: Primitive) -> Callable[..., Any]:
    kernel = primitive.kernel(NUMPY)
    plan: Any = None
    ndarray = np.ndarray

    def apply(x: Any, /) -> Any:
        nonlocal plan
        if isinstance(x, Handle):
            value, parent = x.array, x.node
        else:
            value, parent = strong(constant(x)), None
        try:
            if type(value) is ndarray:
                out = kernel(value)
            else:
                out = primitive.kernel(namespace_of(value))(value)
        except Exception as error:
            raise explain(primitive.name, [value], error, primitive.arrays) from error
        result = _new(_Tensor)
        result.array = out if type(out) is ndarray else _as_array(out)
        result.node = None
        if parent is None or not (mode := local.mode).recording:
            return result
        if plan is None:
            plan = primitive.plan((True,))
        result.node = node = _new(Node)
        node.number = clock()
        node.plan = plan
        node.inputs = (parent,)
        node.saved = () if plan.keep is None else plan.keep((value,), result.array, None)
        node.shape = out.shape
        node.dtype = out.dtype
        node.mode = mode
        node.notes = None
        if mode.origins:
            node.annotated().origin = caller()
        return result

    return apply


def _apply_two(primitive: Primitive) -> Callable[..., Any]:
    kernel = primitive.kernel(NUMPY)
    ndarray = np.ndarray
    plans = primitive._plans

    def apply(x1: Any, x2: Any, /) -> Any:
        if isinstance(x1, Handle):
            value1, parent1 = x1.array, x1.node
        else:
            value1, parent1 = constant(x1), None
        if isinstance(x2, Handle):
            value2, parent2 = x2.array, x2.node
        else:
            value2, parent2 = constant(x2), None
        try:
            if type(value1) is ndarray or type(value2) is ndarray:
                out = kernel(value1, value2)  # NumPy hands other libraries' arrays on to them
            else:
                if not isinstance(x1, Handle) and not isinstance(x2, Handle):
                    value1, value2 = strong(value1), strong(value2)
                out = primitive.kernel(namespace_of(value1))(value1, value2)
        except Exception as error:
            raise explain(primitive.name, [value1, value2], error, primitive.arrays) from error
        result = _new(_Tensor)
        result.array = out if type(out) is ndarray else _as_array(out)
        result.node = None
        if parent1 is None and parent2 is None:
            return result
        mode = local.mode
        if not mode.recording:
            return result
        mask = (parent1 is not None, parent2 is not None)
        plan = plans.get(mask) or primitive.plan(mask)
        result.node = node = _new(Node)
        node.number = clock()
        node.plan = plan
        node.inputs = (parent1, parent2)
        node.saved = () if plan.keep is None else plan.keep((value1, value2), result.array, None)
        node.shape = out.shape
        node.dtype = out.dtype
        node.mode = mode
        node.notes = None
        if mode.origins:
            node.annotated().origin = caller()
        return result

    return apply


def _apply_any(primitive: Primitive) -> Callable[..., Any]:
    numpy_kernel = primitive.kernel(NUMPY)
    ndarray = np.ndarray
    differentiable = primitive.differentiable

    def apply(*args: Any, **named: Any) -> Any:
        operands, options = primitive.bind(args, named)
        values, parents = [], []
        kernel = numpy_kernel
        for operand in operands:
            if isinstance(operand, Handle):
                value = operand.array
                parents.append(operand.node)
                if type(value) is not ndarray:
                    kernel = primitive.kernel(namespace_of(value))
            else:
                value = constant(operand)
                parents.append(None)
            values.append(value)
        if not any([hasattr(value, "dtype") for value in values]):
            values = [strong(value) for value in values]
        try:
            out = kernel(*values, **options)
        except Exception as error:
            names = () if primitive.variadic else primitive.arrays
            raise explain(primitive.name, values, error, names) from error
        mode = local.mode
        mask = tuple([parent is not None for parent in parents])
        recording = differentiable and mode.recording and True in mask
        if type(out) is tuple:
            out = tuple([_as_array(part) for part in out])
            if not recording:
                return tuple([make_tensor(part) for part in out])
        else:
            out = _as_array(out)
            if not recording or out.dtype.kind not in "fc":
                return make_tensor(out)
        plan = primitive.plan(mask)
        node = _new(Node)
        node.number = clock()
        node.plan = plan
        node.inputs = tuple(parents)
        node.saved = () if plan.keep is None else plan.keep(values, out, options)
        node.mode = mode
        node.notes = None
        if mode.origins:
            node.annotated().origin = caller()
        if type(out) is tuple:
            node.shape = ()
            node.dtype = out[0].dtype
            return tuple(
                [
                    make_tensor(part, picked)
                    for part, picked in zip(out, pick_outputs(node, out), strict=True)
                ]
            )
        node.shape = out.shape
        node.dtype = out.dtype
        return make_tensor(out, node)

    return apply


# ---------------------------------------------------------------------------------------
# Several results. The operation's node stands for the tuple; each result has a node of its
# own that hands its gradient up into the tuple's.
# ---------------------------------------------------------------------------------------


class Cotangents:
    """The gradients of a tuple's members, None where none has arrived.

    It has the shape and dtype of the tuple's node, and adds, so that the backward loop
    treats it like any gradient.
    """

    __slots__ = ("dtype", "parts", "shape", "specs")

    def __init__(self, parts: list[Any], specs: tuple[Any, ...]) -> None:
        self.parts = parts
        self.specs = specs
        self.shape = ()
        self.dtype = specs[0][1]

    def __add__(self, other: Cotangents) -> Cotangents:
        both = zip(self.parts, other.parts, strict=True)
        parts = [b if a is None else a if b is None else a + b for a, b in both]
        return Cotangents(parts, self.specs)

    def filled(self, xp: Namespace) -> tuple[Any, ...]:
        """Return the gradients with zeros for what did not arrive."""
        return tuple(
            xp.zeros(shape, dtype=dtype) if part is None else part
            for part, (shape, dtype) in zip(self.parts, self.specs, strict=True)
        )


def _pick(xp: Namespace, x: Any, /, position: int, specs: tuple[Any, ...]) -> Any:
    return x[position]


def _put(xp: Namespace, g: Any, position: int, specs: tuple[Any, ...]) -> Cotangents:
    parts = [None] * len(specs)
    parts[position] = g
    return Cotangents(parts, specs)


_output = Primitive("output", _pick, differentiable=True)
_output.add_rule("x", _put)


def pick_outputs(node: Node, out: tuple[Any, ...]) -> list[Node | None]:
    """Make a node for each member of a tuple result; None for members of integer dtype."""
    specs = tuple((part.shape, part.dtype) for part in out)
    plan = _output.plan((True,))
    picked: list[Node | None] = []
    for position, (shape, dtype) in enumerate(specs):
        if dtype.kind not in "fc":
            picked.append(None)
            continue
        output = Node()
        output.number = clock()
        output.plan = plan
        output.inputs = (node,)
        output.saved = (position, specs)
        output.shape = shape
        output.dtype = dtype
        output.mode = node.mode
        output.notes = None
        picked.append(output)
    return picked


# ---------------------------------------------------------------------------------------
# Declaring.
# ---------------------------------------------------------------------------------------


class Operation(Generic[P, R]):
    """What ``@primitive`` returns: a function on tensors that also takes derivative rules.

    At run time it is a plain function with the attributes below (a function is called
    faster than an object); this class is its type.

    Attributes
    ----------
    primitive : Primitive
        The declaration.
    """

    primitive: Primitive
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Apply the operation to tensors, arrays, numbers and lists of numbers."""
        raise NotImplementedError

    @overload
    def vjp(self, rule: F, /) -> F: ...
    @overload
    def vjp(self, *arguments: str) -> Callable[[F], F]: ...
    def vjp(self, *arguments: Any) -> Any:
        """Declare the vector-Jacobian product for an argument, or for several alike.

        ``@op.vjp`` for an operation of one operand, ``@op.vjp("x1")`` otherwise.
        """
        raise NotImplementedError


def _vjp(primitive: Primitive) -> Callable[..., Any]:
    def vjp(*arguments: Any) -> Any:
        names = arguments if isinstance(arguments[0], str) else primitive.arrays

        def declare(rule: F) -> F:
            for name in names:
                primitive.add_rule(name, rule)
            return rule

        if isinstance(arguments[0], str):
            return declare
        if len(names) != 1:
            message = f"{primitive.name} has several operands: name one, @{primitive.name}.vjp({names[0]!r})"
            raise OptionError(message)
        return declare(arguments[0])

    return vjp


def _declare(
    forward: Callable[..., Any], name: str | None, kind: type[Primitive], differentiable: bool
) -> Any:
    primitive = kind(name or forward.__name__, forward, differentiable=differentiable)
    simple = not primitive.options and not primitive.variadic and not primitive.optional
    if simple and differentiable and len(primitive.arrays) == 1:
        apply = _apply_one(primitive)
    elif simple and differentiable and len(primitive.arrays) == 2:  # noqa: PLR2004
        apply = _apply_two(primitive)
    else:
        apply = _apply_any(primitive)
    _dress(apply, forward, primitive.name)
    vars(apply).update(primitive=primitive, vjp=_vjp(primitive))
    if _is_ours(forward):
        primitives[primitive.name] = primitive
        _publish(primitive.name, apply, primitive.forward)
    return apply


def _dress(function: Any, forward: Callable[..., Any], name: str) -> None:
    """Give a public function the name, documentation and signature of its forward."""
    update_wrapper(function, forward)
    del function.__wrapped__
    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    signature = inspect.signature(forward)
    parameters = list(signature.parameters.values())[1:]
    function.__signature__ = signature.replace(parameters=parameters)


def _is_ours(function: Callable[..., Any]) -> bool:
    return function.__module__.startswith("autodiff.")


def _publish(name: str, function: Any, forward: Callable[..., Any]) -> None:
    """Make a function of the package known to rules, under both kinds of reader."""
    forwards[name] = forward
    prefix, _, last = name.rpartition(".")
    setattr(getattr(tensors, prefix) if prefix else tensors, last, function)


@overload
def primitive(forward: Callable[Concatenate[Any, P], R], /) -> Operation[P, Tensor]: ...
@overload
def primitive(
    *, name: str | None = ..., differentiable: bool = ...
) -> Callable[[Callable[Concatenate[Any, P], Any]], Operation[P, Tensor]]: ...
def primitive(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    differentiable: bool = True,
) -> Any:
    """Declare an operation by its forward function over a namespace ``xp``.

    Parameters
    ----------
    forward : callable
        ``forward(xp, *arrays, **options)``; the parameters before ``/`` are the array
        operands (without a ``/``: those without a default). It may return a tuple of
        arrays, of which the operation then makes a tuple of tensors.
    name : str, optional
        The public name; at first the function's.
    differentiable : bool
        False for operations whose results are never differentiable (comparisons).

    Returns
    -------
    Operation
        The operation on tensors. Add rules with its ``.vjp``.

    Examples
    --------
    >>> import autodiff as ad
    >>> @ad.primitive
    ... def cube(xp, x, /):
    ...     return x * x * x
    >>> @cube.vjp
    ... def _(xp, g, x):
    ...     return g * 3 * x * x
    >>> x = ad.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad.item()
    12.0
    """
    if forward is None:
        return partial(_declare, name=name, kind=Primitive, differentiable=differentiable)
    return _declare(forward, name, Primitive, differentiable)


@overload
def standard(forward: Callable[Concatenate[Any, P], R], /) -> Operation[P, Tensor]: ...
@overload
def standard(
    *, name: str | None = ..., differentiable: bool = ...
) -> Callable[[Callable[Concatenate[Any, P], Any]], Operation[P, Tensor]]: ...
def standard(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    differentiable: bool = True,
) -> Any:
    """Declare an operation that the array library has under the same name.

    Like :func:`primitive`, but the function gives only signature and documentation: the
    library's own function of that name is called, with nothing in between.
    """
    if forward is None:
        return partial(_declare, name=name, kind=_Standard, differentiable=differentiable)
    return _declare(forward, name, _Standard, differentiable)


@overload
def composite(forward: Callable[Concatenate[Any, P], R], /) -> Callable[P, R]: ...
@overload
def composite(
    *, name: str | None = ...
) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[P, R]]: ...
def composite(forward: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Declare a function that is made of other operations, over the same ``xp``.

    It needs no rule: on tensors it runs with the namespace of tensors, which records what
    it is made of; rules may use it on raw arrays too. Its positional-only parameters are
    turned into tensors first; None, and Python scalars that are not the first operand (they
    stay weak in promotions), excepted.
    """
    if forward is None:
        return partial(composite, name=name)
    kinds = inspect.Parameter
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    count = sum(p.kind is kinds.POSITIONAL_ONLY for p in parameters)

    def call(*args: Any, **options: Any) -> Any:
        operands = [_operand(value, first=i == 0) for i, value in enumerate(args[:count])]
        return forward(tensors, *operands, *args[count:], **options)

    public = name or forward.__name__
    _dress(call, forward, public)
    _publish(public, call, forward)
    return call


def _operand(value: Any, *, first: bool) -> Any:
    if isinstance(value, Handle) or value is None or (type(value) in _SCALARS and not first):
        return value
    return make_tensor(strong(constant(value)))
