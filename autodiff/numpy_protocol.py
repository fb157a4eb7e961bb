"""NumPy's functions on tensors: ``np.exp(t)``, ``array * t``, ``np.concatenate([t, u])``.

NumPy hands a call that meets a tensor to :func:`array_ufunc` or :func:`array_function`. They
look up the function of this package that does the same, translate the arguments and call it:
so the result is a tensor, and it is recorded. Four tables say what is what:

* :data:`_NAMES`: where NumPy's name differs from ours;
* :data:`_ADAPTED`: where the arguments differ by more than names;
* :data:`_ON_VALUES`: functions that only look (``np.shape``, ``np.allclose``). Their results
  have no gradient, so they run on the arrays themselves, as ``t > 0`` does.

* :data:`_ON_ARRAYS`: functions that store or count values (``np.save``). They take tensors
  without a gradient, and say ``detach`` of others, as ``np.asarray`` does.

What NumPy writes into an array of its own (``array += t``, ``out=array``) may come from tensors
without a gradient too. Everything else raises
:class:`~autodiff.errors.UnsupportedFunctionError`: falling back to arrays silently would lose
the gradient.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.engine.node import Handle, mark_changed
from autodiff.engine.operands import beside, constant, is_scalar
from autodiff.errors import UnsupportedFunctionError, describe, explain
from autodiff.namespace import tensors

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["array_function", "array_ufunc"]

_NAMES = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "around": "round",
    "conjugate": "conj",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "lib.stride_tricks.sliding_window_view": "sliding_window_view",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "true_divide": "divide",
}

_OPTIONS = {
    "a_max": "max",
    "a_min": "min",
    "ddof": "correction",
    "newshape": "shape",
    "reps": "repetitions",
}
"""NumPy's parameter names to ours, where both take one by name."""

_REDUCTIONS = {
    "add": "sum",
    "logaddexp": "logsumexp",
    "logical_and": "all",
    "logical_or": "any",
    "maximum": "max",
    "minimum": "min",
    "multiply": "prod",
}
_SCANS = {"add": "cumulative_sum", "maximum": "cumulative_max", "multiply": "cumulative_prod"}


# -- ufuncs ---------------------------------------------------------------------------------


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:  # noqa: ARG001
    """Answer for ``np.exp(t)``, ``array * t`` and ``np.add.reduce(t)``: NumPy calls this."""
    name = ufunc.__name__
    if method != "__call__":
        name = f"{name}.{method}"
    out = options.pop("out", None)
    if out is not None:
        return _write(name, getattr(ufunc, method), inputs, out, options)
    options = {key: value for key, value in options.items() if not _idle(key, value)}
    if method in ("reduce", "accumulate"):
        table = _REDUCTIONS if method == "reduce" else _SCANS
        function = _find(table.get(ufunc.__name__))
        x, *rest = inputs
        options = {"axis": 0, **dict(zip(("axis", "dtype"), rest, strict=False)), **options}
        options = {k: v for k, v in options.items() if k != "dtype" or v is not None}
        if function is not None and not options.keys() - {"axis", "dtype", "keepdims"}:
            return function(x, **options)
        raise _unsupported(name, inputs)
    if name == "divmod" and not options:
        return tensors.floor_divide(*inputs), tensors.remainder(*inputs)
    function = _find(name)
    if function is None or method != "__call__":
        raise _unsupported(name, inputs)
    if options:
        raise _unsupported(
            name, inputs, f"it does not take {', '.join(sorted(options))} with tensors"
        )
    return function(*inputs)


def _idle(key: str, value: Any) -> bool:
    """Tell whether an option says what is so anyway."""
    idle = {"where": True, "casting": "same_kind", "order": "K", "subok": True}
    return (key in idle and value is idle[key]) or (value is None and key in _NOT_OURS)


def _write(
    name: str,
    operation: Callable[..., Any],
    inputs: tuple[Any, ...],
    out: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """Let NumPy write values into its own arrays: ``array += t`` and ``np.exp(t, out=array)``."""
    if any(isinstance(x, Handle) for x in out):
        raise _unsupported(name, inputs, "it can't write into a tensor (out=)")
    if any(isinstance(x, Handle) and x.node is not None for x in inputs):
        raise _unsupported(
            name,
            inputs,
            "it can't write what requires a gradient into an array (out=, array += tensor)",
            "Write array = array + tensor, `with autodiff.no_grad(): tensor -= step` to update "
            "a parameter, or take the values with tensor.detach().numpy().",
        )
    try:
        made = operation(*_values(inputs), out=out, **_values(options))
    except Exception as error:
        raise explain(f"numpy.{name}", inputs, error) from error
    for array in out:
        if array is not None:
            mark_changed(array)  # a tensor may share its memory
    return made


# -- functions --------------------------------------------------------------------------------


class _Translation(NamedTuple):
    """How a call of one NumPy function becomes one of ours."""

    function: Callable[..., Any]
    signature: inspect.Signature
    operands: int  # how many come first, by position


def array_function(
    self: Any,  # noqa: ARG001
    function: Callable[..., Any],
    types: Any,  # noqa: ARG001
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Answer for ``np.sum(t)`` and ``np.linalg.inv(t)``: NumPy calls this."""
    name = _full_name(function)
    if name in _ON_VALUES:
        return function(*_values(args), **_values(kwargs))
    if name in _ON_ARRAYS:
        return function(*_values(args, detached=True), **_values(kwargs, detached=True))
    adapter = _ADAPTED.get(name)
    if adapter is not None:
        return _adapt(name, adapter, args, kwargs)
    translation = _translation(function)
    if translation is None:
        raise _unsupported(name, args)
    return _call(name, translation, args, kwargs)


def _full_name(function: Callable[..., Any]) -> str:
    """Return the name below ``numpy``: ``"sum"``, ``"linalg.inv"``."""
    module = (function.__module__ or "").removeprefix("numpy").removeprefix(".")
    return f"{module}.{function.__name__}" if module else function.__name__


def _find(name: str | None) -> Callable[..., Any] | None:
    """Return our function of a NumPy name, None where there is none."""
    found: Any = tensors
    if name is None:
        return None
    for part in _NAMES.get(name, name).split("."):
        found = getattr(found, part, None)
    return found if callable(found) else None


_signature = cache(inspect.signature)


def _anything(*args: Any, **kwargs: Any) -> None:
    """Have the signature that fits every call."""


@cache
def _translation(function: Callable[..., Any]) -> _Translation | None:
    ours = _find(_full_name(function))
    if ours is None:
        return None
    kinds = inspect.Parameter
    parameters = list(_signature(ours).parameters.values())
    operands = sum(p.kind is kinds.POSITIONAL_ONLY for p in parameters)
    try:
        signature = _signature(function)
    except ValueError:  # NumPy's compiled functions have none before 2.1: pass on as given
        signature = _signature(_anything)
    return _Translation(ours, signature, operands)


def _call(
    name: str, translation: _Translation, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    signature = translation.signature
    bound = signature.bind(*args, **kwargs).arguments
    operands: list[Any] = []
    options: dict[str, Any] = {}
    for key, value in bound.items():
        parameter = signature.parameters[key]
        if parameter.kind is parameter.VAR_POSITIONAL:
            operands += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            options.update(value)
        elif len(operands) < translation.operands:
            operands.append(value)
        elif value is not parameter.default and not (value is None and key in _NOT_OURS):
            options[_OPTIONS.get(key, key)] = value
    _check_known(name, translation.function, operands, options)
    return translation.function(*operands, **options)


def _adapt(
    name: str, adapter: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call an adapter, or say which argument of NumPy's it does not take."""
    signature = _signature(adapter)
    kwargs = {k: v for k, v in kwargs.items() if k in signature.parameters or not _idle(k, v)}
    _check_known(name, adapter, args, kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:  # more by position than it takes
        raise _unsupported(name, args, f"with tensors it has {error}") from error
    return adapter(*bound.args, **bound.kwargs)


def _check_known(
    name: str, function: Callable[..., Any], operands: Any, options: dict[str, Any]
) -> None:
    unknown = [key for key in options if key not in _signature(function).parameters]
    if unknown:
        what = f"it does not take {', '.join(map(repr, unknown))} with tensors"
        raise _unsupported(name, operands, what)


_NOT_OURS = frozenset({"dtype", "initial", "order", "out", "where"})


def _values(value: Any, *, detached: bool = False) -> Any:
    """Return the same arguments with arrays in place of tensors.

    Where ``detached``, those of tensors that require a gradient raise instead.
    """
    if isinstance(value, Handle):
        return np.asarray(value) if detached else value.array
    if isinstance(value, list | tuple):
        return type(value)(_values(item, detached=detached) for item in value)
    if isinstance(value, dict):
        return {key: _values(item, detached=detached) for key, item in value.items()}
    return value


def _unsupported(
    name: str, operands: Any, why: str = "it has no counterpart", remedy: str = ""
) -> UnsupportedFunctionError:
    described = ", ".join(
        f"[{', '.join(map(describe, x))}]" if isinstance(x, list | tuple) else describe(x)
        for x in operands
    )
    remedy = remedy or (
        "Use functions of autodiff, or leave the graph with tensor.detach().numpy()."
    )
    return UnsupportedFunctionError(f"numpy.{name}({described}) on tensors: {why}. {remedy}")


# -- functions that only look, and functions that store ------------------------------------------

_ON_VALUES = frozenset(
    {
        "allclose", "array2string", "array_equal", "array_equiv", "array_repr", "array_str",
        "can_cast", "common_type", "iscomplexobj", "isclose", "isrealobj", "may_share_memory",
        "min_scalar_type", "ndim", "result_type", "shape", "shares_memory", "size",
    }
)  # fmt: skip
_ON_ARRAYS = frozenset(
    {
        "histogram",
        "histogram2d",
        "histogram_bin_edges",
        "save",
        "savetxt",
        "savez",
        "savez_compressed",
    }
)


# -- arguments that differ by more than names ------------------------------------------------------


def _array(x: Any) -> Any:
    return x if isinstance(x, Handle) else tensors.asarray(constant(x))


def _transpose(a: Any, axes: Any = None) -> Any:
    a = _array(a)
    return tensors.permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else axes)


def _reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Any:
    if order != "C":
        raise _unsupported("reshape", [a], f"it does not take order={order!r} with tensors")
    a = _array(a)
    return tensors.reshape(a, shape if isinstance(shape, tuple | list) else (shape,), copy=copy)


def _where(condition: Any, *choices: Any) -> Any:
    return tensors.where(condition, *choices) if choices else tensors.nonzero(condition)


def _vdot(a: Any, b: Any) -> Any:
    return tensors.vecdot(tensors.ravel(a), tensors.ravel(b))


def _at_least(dims: int) -> Callable[..., Any]:
    def at_least(*arrays: Any) -> Any:
        made = [_with_axes(_array(x), dims) for x in arrays]
        return made[0] if len(made) == 1 else tuple(made)

    return at_least


def _with_axes(x: Any, dims: int) -> Any:
    missing = dims - x.ndim
    if missing <= 0:
        return x
    # NumPy's order: (n,) becomes (1, n), and (1, n, 1) for three axes.
    shape = (1,) * (missing - (dims == 3 and x.ndim > 0)) + x.shape
    return tensors.reshape(x, shape + (1,) * (dims - len(shape)))


def _stacked(dims: int, axis: int) -> Callable[..., Any]:
    def join(tup: Any) -> Any:
        arrays = [_with_axes(_array(x), dims) for x in tup]
        return tensors.concat(arrays, axis=0 if arrays[0].ndim <= axis else axis)

    return join


def _concatenate(arrays: Any, axis: int | None = 0) -> Any:
    return tensors.concat(arrays, axis=axis)


def _sorting(name: str) -> Callable[..., Any]:
    def ranked(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:  # noqa: ARG001 - it is stable
        function, a = getattr(tensors, name), _array(a)
        return function(tensors.ravel(a), axis=0) if axis is None else function(a, axis=axis)

    return ranked


def _column_stack(tup: Any) -> Any:
    arrays = [_array(x) for x in tup]
    arrays = [tensors.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in arrays]
    return tensors.concat(arrays, axis=1)


def _flip_axis(axis: int) -> Callable[..., Any]:
    return lambda m: tensors.flip(_array(m), axis=axis)


def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    number = is_scalar(values) and axis is None
    return tensors.concat([_array(arr), beside(values, [arr]) if number else values], axis=axis)


def _percentile(
    a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False
) -> Any:
    quantiles = np.asarray(constant(q)) / 100
    return tensors.quantile(a, quantiles, axis=axis, method=method, keepdims=keepdims)


def _copy(a: Any, order: str = "K", subok: bool = False) -> Any:  # noqa: ARG001 - what it makes is a Tensor
    if order != "K":
        raise _unsupported("copy", [a], f"it does not take order={order!r} with tensors")
    return tensors.copy(_array(a))


_ADAPTED: dict[str, Callable[..., Any]] = {
    "append": _append,
    "argsort": _sorting("argsort"),
    "atleast_1d": _at_least(1),
    "atleast_2d": _at_least(2),
    "atleast_3d": _at_least(3),
    "column_stack": _column_stack,
    "concatenate": _concatenate,
    "copy": _copy,
    "dstack": _stacked(3, 2),
    "fliplr": _flip_axis(1),
    "flipud": _flip_axis(0),
    "hstack": _stacked(1, 1),
    "percentile": _percentile,
    "reshape": _reshape,
    "sort": _sorting("sort"),
    "transpose": _transpose,
    "vdot": _vdot,
    "vstack": _stacked(2, 0),
    "where": _where,
}
