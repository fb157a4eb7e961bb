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
``x_strides``      that operand's strides in bytes; None where its library has none
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
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from autodiff.engine.apply import (
    apply_any,
    apply_one,
    apply_one_with_options,
    apply_two,
    make_tensor,
)
from autodiff.engine.definition import Primitive, Sorter, StandardPrimitive, is_ours, parameters_of
from autodiff.engine.node import Handle
from autodiff.engine.operands import beside, constant, is_scalar
from autodiff.errors import AutodiffError, OptionError, describe, reraise, typed_calls
from autodiff.namespace import forwards, tensors

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = ["Array", "Operation", "composite", "primitive", "primitives", "standard"]

Array = Any
"""An array of whichever library reads the rule: the annotation of operands and results."""

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

primitives: dict[str, Primitive] = {}
"""Every primitive of this package by its public name, ``"exp"`` or ``"linalg.inv"``."""


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

    def adds(self, function: F, /) -> F:
        """Declare how the gradient of the first operand is added into an array, in place.

        For a rule that writes into zeros, where most of the sum would be of zeros:
        ``function(xp, total, g, ...)`` reads by name what the rule reads. The backward pass
        of first order then keeps one array for all the slices of an operand.
        """
        raise NotImplementedError

    def branches(self, function: F, /) -> F:
        """Declare on which side of its kinks a piecewise operation is.

        ``function(out, *arrays, **options)`` returns an array that is constant within a
        smooth piece: ``np.sign(x)`` for ``abs``. Gradient checking compares it between
        evaluations.
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
            name = primitive.name
            message = f"{name} has several operands: name one, @{name}.vjp({names[0]!r})"
            raise OptionError(message)
        return declare(arguments[0])

    return vjp


def _adds(primitive: Primitive) -> Callable[[F], F]:
    def adds(function: F) -> F:
        primitive.adder = function
        return function

    return adds


def _branches(primitive: Primitive) -> Callable[[F], F]:
    def branches(function: F) -> F:
        primitive.branches = function
        return function

    return branches


def _declare(
    forward: Callable[..., Any],
    name: str | None,
    kind: type[Primitive],
    differentiable: bool,
    analytic: bool,
) -> Any:
    primitive = kind(name or forward.__name__, forward, differentiable=differentiable)
    primitive.analytic = analytic
    fixed = differentiable and not primitive.variadic and not primitive.optional
    if fixed and len(primitive.arrays) == 1:
        apply = (apply_one_with_options if primitive.options else apply_one)(primitive)
    elif fixed and len(primitive.arrays) == 2 and not primitive.options:
        apply = apply_two(primitive)
    else:
        apply = apply_any(primitive)
    _dress(apply, forward, primitive.name, by_name=True)
    vars(apply).update(
        primitive=primitive,
        vjp=_vjp(primitive),
        adds=_adds(primitive),
        branches=_branches(primitive),
    )
    if primitive.ours:
        primitives[primitive.name] = primitive
        _publish(primitive.name, apply, primitive.forward)
    return apply


def _dress(function: Any, forward: Callable[..., Any], name: str, *, by_name: bool = False) -> None:
    """Give a public function the name, documentation and signature of its forward.

    Operands of a primitive that may be left out may also be given by name.
    """
    update_wrapper(function, forward)
    del function.__wrapped__
    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    signature = inspect.signature(forward)
    parameters = list(signature.parameters.values())[1:]
    if by_name:
        kinds = inspect.Parameter
        parameters = [
            p.replace(kind=kinds.POSITIONAL_OR_KEYWORD)
            if p.kind is kinds.POSITIONAL_ONLY and p.default is not p.empty
            else p
            for p in parameters
        ]
    function.__signature__ = signature.replace(parameters=parameters)


def _publish(name: str, function: Any, forward: Callable[..., Any]) -> None:
    """Make a function of the package known to rules, under both kinds of reader."""
    forwards[name] = forward
    prefix, _, last = name.rpartition(".")
    setattr(getattr(tensors, prefix) if prefix else tensors, last, function)


@overload
def primitive(forward: Callable[Concatenate[Any, P], R], /) -> Operation[P, Tensor]: ...
@overload
def primitive(
    *, name: str | None = ..., differentiable: bool = ..., analytic: bool = ...
) -> Callable[[Callable[Concatenate[Any, P], Any]], Operation[P, Tensor]]: ...
def primitive(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    differentiable: bool = True,
    analytic: bool = False,
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
    analytic : bool
        Whether the forward is an analytic function, computed as such of complex arrays:
        then gradient checking may take its complex step through it.

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
        options: dict[str, Any] = {"differentiable": differentiable, "analytic": analytic}
        return partial(_declare, name=name, kind=Primitive, **options)
    return _declare(forward, name, Primitive, differentiable, analytic)


@overload
def standard(forward: Callable[Concatenate[Any, P], R], /) -> Operation[P, Tensor]: ...
@overload
def standard(
    *, name: str | None = ..., differentiable: bool = ..., analytic: bool = ...
) -> Callable[[Callable[Concatenate[Any, P], Any]], Operation[P, Tensor]]: ...
def standard(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    differentiable: bool = True,
    analytic: bool = False,
) -> Any:
    """Declare an operation that the array library has under the same name.

    Like :func:`primitive`, but the function gives only signature and documentation: the
    library's own function of that name is called, with nothing in between.
    """
    if forward is None:
        options: dict[str, Any] = {"differentiable": differentiable, "analytic": analytic}
        return partial(_declare, name=name, kind=StandardPrimitive, **options)
    return _declare(forward, name, StandardPrimitive, differentiable, analytic)


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
    turned into tensors first; None, and Python scalars that are not the first operand,
    excepted. (They stay weak in promotions; the first one takes the dtype that the others give.)
    """
    if forward is None:
        return partial(composite, name=name)
    public = name or forward.__name__
    kinds = inspect.Parameter
    parameters = parameters_of(public, forward)
    operands = [p for p in parameters if p.kind is kinds.POSITIONAL_ONLY]
    variadic = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
    ours = is_ours(forward)
    sort = None if variadic else Sorter(public, operands, parameters[len(operands) :])

    def call(*args: Any, **named: Any) -> Any:
        if sort is None:
            return forward(tensors, *args, **named)
        arrays, options = sort(args, named)
        try:
            first, *rest = arrays
            arrays = (_operand(first, rest), *[_later_operand(x, arrays) for x in rest])
            return forward(tensors, *arrays, **options)
        except AutodiffError as error:  # names one of the operations that this is made of
            if str(error).startswith(public):
                raise
            given = ", ".join(map(describe, arrays))
            raise type(error)(f"{public}({given}): {error}") from error
        except Exception as error:
            reraise(public, arrays, error, own=ours)

    _dress(call, forward, public)
    function = typed_calls(call) if variadic else call
    _publish(public, function, forward)
    return function


def _operand(value: Any, others: Sequence[Any]) -> Any:
    if isinstance(value, Handle):
        return value
    raw = constant(value, others)
    return make_tensor(beside(raw, others) if is_scalar(raw) else raw)


def _later_operand(value: Any, operands: Sequence[Any]) -> Any:
    return value if value is None or is_scalar(value) else _operand(value, operands)
