"""Applying an operation: look at the operands, call the kernel, wrap, and link a node.

Four functions do the same. :func:`apply_any` with :func:`_record` is the reference: read it
first. The others spell it out for one operand, with options and without, and for two without,
because there, on small arrays, every attribute that is not touched is felt
(``benchmarks/overhead.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.engine.modes import Mode, local
from autodiff.engine.node import Handle, Node, clock, make_node
from autodiff.engine.operands import constant, strong, strong_all
from autodiff.engine.outputs import dtype_of_several, pick_outputs
from autodiff.errors import DTypeError, describe, explain, reraise
from autodiff.namespace import NUMPY, namespace_of

if TYPE_CHECKING:
    from autodiff.engine.definition import Primitive
    from autodiff.tensor import Tensor

__all__ = [
    "apply_any",
    "apply_one",
    "apply_one_with_options",
    "apply_two",
    "make_tensor",
    "use_handle",
]

_new = object.__new__
_NUMBERS = (np.generic, int, float, complex)  # made once: a union in isinstance is made anew
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
    return np.asarray(value) if isinstance(value, _NUMBERS) else value


_MISSING: Any = object()


def _misfit(
    apply: Callable[..., Any], primitive: Primitive, args: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Apply to operands that were given by name; raise where something is missing or unknown."""
    operands, _ = primitive.bind(tuple([x for x in args if x is not _MISSING]), named)
    return apply(*operands)


def _foreign(primitive: Primitive, operands: tuple[Any, ...], operand: Any) -> Any:
    """Return what an operand that is no tensor becomes; an error names all operands."""
    if operand is None and None in primitive.optional and operands[0] is not None:
        return None
    try:
        return constant(operand, operands)
    except DTypeError as error:
        call = f"{primitive.name}({', '.join(map(describe, operands))})"
        raise DTypeError(f"{call}: {error}") from None


def _observed(
    mode: Mode,
    primitive: Primitive,
    values: tuple[Any, ...],
    out: Any,
    options: dict[str, Any],
    node: Node,
) -> None:
    for observer in mode.observers:
        observer(primitive, values, out, options, node)


def apply_any(primitive: Primitive) -> Callable[..., Any]:
    """Return the operation on tensors of a primitive of any kind."""
    numpy_kernel = primitive.kernel(NUMPY)
    ndarray = np.ndarray

    def apply(*args: Any, **named: Any) -> Any:
        operands, options = primitive.bind(args, named)
        values = []
        parents: list[Node | None] = []
        kernel = numpy_kernel
        weak = True  # whether all operands are Python scalars
        for operand in operands:
            if isinstance(operand, Handle):
                value = operand.array
                parents.append(operand.node)
                if type(value) is not ndarray:
                    kernel = primitive.kernel(namespace_of(value))
                weak = False
            else:
                value = _foreign(primitive, operands, operand)
                parents.append(None)
                weak = weak and not hasattr(value, "dtype")
            values.append(value)
        if weak:
            values = strong_all(values)
        try:
            out = kernel(*values, **options)
        except Exception as error:
            names = () if primitive.variadic else primitive.arrays
            reraise(primitive.name, values, error, names, own=primitive.ours)
        return _record(primitive, values, parents, out, options)

    return apply


def _record(
    primitive: Primitive,
    values: list[Any],
    parents: list[Node | None],
    out: Any,
    options: dict[str, Any],
) -> Any:
    """Wrap a result, one or a tuple, and link a node to it if a gradient will flow."""
    mode = local.mode
    mask = tuple([parent is not None for parent in parents])
    recording = primitive.differentiable and mode.recording and True in mask
    if type(out) is tuple:
        out = tuple([_as_array(part) for part in out])
        if not recording or not out:
            return tuple([make_tensor(part) for part in out])
    else:
        if type(out) is not np.ndarray:
            out = _as_array(out)
        kind = out.dtype.kind
        if kind not in "biufc":
            raise explain(primitive.name, values, _no_number(out), primitive.arrays)
        if not recording or kind not in "fc":
            return make_tensor(out)
    plan = primitive.plan(mask)
    shape: tuple[int, ...]
    if plan.keep is None:
        saved: tuple[Any, ...] = ()
    elif primitive.variadic:
        saved = plan.keep(tuple(values), out, options)
    else:
        saved = plan.keep(*values, out, options)
    if type(out) is tuple:
        shape, dtype = (), dtype_of_several([part.dtype for part in out])
    else:
        shape, dtype = out.shape, out.dtype
    node = make_node(plan, tuple(parents), saved, shape, dtype, mode.scope)
    if mode.observers:
        _observed(mode, primitive, tuple(values), out, options, node)
    if type(out) is tuple:
        nodes = pick_outputs(node, out)
        return tuple([make_tensor(*pair) for pair in zip(out, nodes, strict=True)])
    return make_tensor(out, node)


def _no_number(out: Any) -> Exception:
    return TypeError(f"the result has dtype {out.dtype}, which holds no numbers")


def apply_one_with_options(primitive: Primitive) -> Callable[..., Any]:
    """Return the operation on tensors of a primitive of one operand and options."""
    kernel = primitive.kernel(NUMPY)
    bind = primitive.bind
    ndarray = np.ndarray
    plans = primitive.frequent_plans

    def apply(*args: Any, **named: Any) -> Any:
        (x,), options = bind(args, named)
        if isinstance(x, Handle):
            value, parent = x.array, x.node
        else:
            value, parent = strong(_foreign(primitive, (x,), x)), None
        try:
            if type(value) is ndarray:
                out = kernel(value, **options)
            else:
                out = primitive.kernel(namespace_of(value))(value, **options)
        except Exception as error:
            reraise(primitive.name, [value], error, primitive.arrays, own=primitive.ours)
        if type(out) is tuple:
            return _record(primitive, [value], [parent], out, options)
        if type(out) is not ndarray:
            out = _as_array(out)
        kind = out.dtype.kind
        if parent is None or not (mode := local.mode).recording or kind not in "fc":
            if kind not in "biufc":
                raise explain(primitive.name, [value], _no_number(out), primitive.arrays)
            return make_tensor(out)
        plan = plans[0] or primitive.plan((True,))
        saved = () if plan.keep is None else plan.keep(value, out, options)
        node = make_node(plan, (parent,), saved, out.shape, out.dtype, mode.scope)
        if mode.observers:
            _observed(mode, primitive, (value,), out, options, node)
        return make_tensor(out, node)

    return apply


def apply_one(primitive: Primitive) -> Callable[..., Any]:
    """Return the operation on tensors of a primitive of one operand and no options."""
    kernel = primitive.kernel(NUMPY)
    ndarray = np.ndarray
    plans = primitive.frequent_plans

    def apply(x: Any = _MISSING, /, *more: Any, **named: Any) -> Any:
        if more or named or x is _MISSING:
            return _misfit(apply, primitive, (x, *more), named)
        if isinstance(x, Handle):
            value, parent = x.array, x.node
        else:
            value, parent = strong(_foreign(primitive, (x,), x)), None
        try:
            if type(value) is ndarray:
                out = kernel(value)
            else:
                out = primitive.kernel(namespace_of(value))(value)
        except Exception as error:
            reraise(primitive.name, [value], error, primitive.arrays, own=primitive.ours)
        if type(out) is not ndarray:
            if type(out) is tuple:
                return _record(primitive, [value], [parent], out, {})
            out = _as_array(out)
        result = _new(_Tensor)
        result.array = out
        if parent is None or not (mode := local.mode).recording:
            result.node = None
            return result
        dtype = out.dtype
        if dtype is not parent.dtype and dtype.kind not in "fc":
            result.node = None
            return result
        plan = plans[0] or primitive.plan((True,))
        result.node = node = _new(Node)
        node.number = clock()
        node.plan = plan
        node.inputs = (parent,)
        node.saved = () if plan.keep is None else plan.keep(value, out, None)
        node.shape = out.shape
        node.dtype = dtype
        node.scope = mode.scope
        node.notes = None
        if mode.observers:
            _observed(mode, primitive, (value,), out, {}, node)
        return result

    return apply


def apply_two(primitive: Primitive) -> Callable[..., Any]:
    """Return the operation on tensors of a primitive of two operands and no options."""
    kernel = primitive.kernel(NUMPY)
    ndarray = np.ndarray
    plans = primitive.frequent_plans

    def apply(x1: Any = _MISSING, x2: Any = _MISSING, /, *more: Any, **named: Any) -> Any:
        if more or named or x2 is _MISSING:
            return _misfit(apply, primitive, (x1, x2, *more), named)
        if isinstance(x1, Handle):
            value1, parent1 = x1.array, x1.node
        else:
            value1, parent1 = _foreign(primitive, (x1, x2), x1), None
        if isinstance(x2, Handle):
            value2, parent2 = x2.array, x2.node
        else:
            value2, parent2 = _foreign(primitive, (x1, x2), x2), None
        try:
            if type(value1) is ndarray or type(value2) is ndarray:
                out = kernel(value1, value2)  # NumPy hands other libraries' arrays on to them
            else:
                if not isinstance(x1, Handle) and not isinstance(x2, Handle):
                    value1, value2 = strong_all([value1, value2])
                out = primitive.kernel(namespace_of(value1))(value1, value2)
        except Exception as error:
            values = [value1, value2]
            reraise(primitive.name, values, error, primitive.arrays, own=primitive.ours)
        if type(out) is not ndarray:
            if type(out) is tuple:
                return _record(primitive, [value1, value2], [parent1, parent2], out, {})
            out = _as_array(out)
        result = _new(_Tensor)
        result.array = out
        if (parent1 is None and parent2 is None) or not (mode := local.mode).recording:
            result.node = None
            return result
        dtype = out.dtype
        parent: Any = parent1 or parent2
        if dtype is not parent.dtype and dtype.kind not in "fc":
            result.node = None
            return result
        if parent2 is None:
            plan = plans[0] or primitive.plan((True, False))
        elif parent1 is None:
            plan = plans[1] or primitive.plan((False, True))
        else:
            plan = plans[2] or primitive.plan((True, True))
        result.node = node = _new(Node)
        node.number = clock()
        node.plan = plan
        node.inputs = (parent1, parent2)
        node.saved = () if plan.keep is None else plan.keep(value1, value2, out, None)
        node.shape = out.shape
        node.dtype = dtype
        node.scope = mode.scope
        node.notes = None
        if mode.observers:
            _observed(mode, primitive, (value1, value2), out, {}, node)
        return result

    return apply
