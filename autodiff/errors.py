"""Every error that the package raises on purpose, and the words they share.

Each class also derives from the built-in exception that a NumPy or Python user would
already catch, so ``except ValueError`` keeps working; ``except AutodiffError`` catches
exactly what this package has to say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from autodiff.names import options_here

__all__ = [
    "AnomalyError",
    "AutodiffError",
    "AxisError",
    "DTypeError",
    "DomainError",
    "GradientCheckError",
    "GraphError",
    "IndexingError",
    "LinAlgError",
    "MissingExtraError",
    "MutationError",
    "NoGradientError",
    "OptionError",
    "RuleError",
    "ScalarError",
    "ShapeError",
    "UnsupportedFunctionError",
    "bare_signature",
    "describe",
    "explain",
    "reraise",
    "typed_calls",
]


F = TypeVar("F", bound=Callable[..., Any])


class AutodiffError(Exception):
    """The base of all errors of this package."""


class ShapeError(AutodiffError, ValueError):
    """Operands whose shapes do not fit together or do not fit the operation."""


class ScalarError(ShapeError, TypeError):
    """A tensor of several elements where a single number is needed.

    NumPy raises a TypeError for ``float(array)`` and a ValueError for ``bool(array)``: this
    is both.
    """


class DTypeError(AutodiffError, TypeError):
    """An operand of a type or dtype that the operation can't take."""


class DomainError(AutodiffError, ValueError):
    """A value outside of what the operation accepts."""


class AxisError(AutodiffError, np.exceptions.AxisError):
    """An axis that the array does not have."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class IndexingError(AutodiffError, IndexError):
    """An index out of range, or of a kind that can't index."""


class LinAlgError(AutodiffError, np.linalg.LinAlgError):
    """A matrix that the decomposition or the solver can't handle."""


class OptionError(AutodiffError, TypeError):
    """An unknown, missing or repeated argument."""


class UnsupportedFunctionError(AutodiffError, TypeError):
    """A NumPy function that has no counterpart on tensors."""


class GraphError(AutodiffError, RuntimeError):
    """A backward pass asked of a graph that can't give it."""


class MutationError(GraphError):
    """An array that a backward rule needs was overwritten after the operation read it."""


class NoGradientError(GraphError):
    """A gradient asked of an operation, or for a tensor, that has none."""


class RuleError(AutodiffError, RuntimeError):
    """A primitive's derivative rule that broke its contract."""


class AnomalyError(AutodiffError, ArithmeticError):
    """A NaN or an infinity that anomaly detection found in a backward pass."""


class GradientCheckError(AutodiffError, AssertionError):
    """A gradient that differs from what finite differences say.

    Attributes
    ----------
    report : GradientReport
        What was found; its text is the error's message.
    """

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


class MissingExtraError(AutodiffError, ImportError):
    """A feature whose optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install {package}; or all that the extra autodiff[{extra}] "
            f"names, in the repository, with: pip install -e '.[{extra}]'"
        )


def describe(value: Any) -> str:
    """Name an operand as error messages do: shape and dtype, a Python number, or its type.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3), np.float32))
    '(2, 3) float32'
    >>> describe(2.5)
    'Python float'
    >>> describe("text"), describe(None)
    ('str', 'None')
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        kind = "None" if value is None else type(value).__name__
        return f"Python {kind}" if isinstance(value, int | float | complex) else kind
    return f"{tuple(shape)} {dtype}"


class _Remedy(NamedTuple):
    """What becomes of an error of the array library that has one of some words in it."""

    caught: type[Exception]
    words: tuple[str, ...]  # any of them; () for every error of the class
    raised: type[AutodiffError]
    advice: str


_REMEDIES = [
    _Remedy(
        Exception,
        ("cannot be interpreted as an integer", "integer argument", "not supported between",
         "invalid literal for int"),
        OptionError,
        "Give whole numbers for axes, sizes and counts.",
    ),
    _Remedy(
        Exception,
        ("duplicate value in", "repeated axis", "axis1 and axis2"),
        AxisError,
        "Give each axis once.",
    ),
    _Remedy(
        np.exceptions.AxisError,
        (),
        AxisError,
        "Give an axis from -ndim to ndim - 1 of the operand, each at most once.",
    ),
    _Remedy(np.linalg.LinAlgError, (), LinAlgError, "Check the matrix: square, full rank, finite?"),
    _Remedy(
        IndexError,
        ("valid ind",),
        IndexingError,
        "Index with integers, slices, ..., None, or arrays of integers or booleans.",
    ),
    _Remedy(IndexError, (), IndexingError, "Give indices within the operand's shape."),
    _Remedy(
        ValueError,
        ("powers", "norm value", "sorted", "NaN", "probabilit", "negative", "convert string",
         "Maximum allowed"),
        DomainError,
        "Check the operands' values, and the options.",
    ),
    _Remedy(
        ValueError,
        ("squeeze out",),
        ShapeError,
        "Squeeze axes of size 1 only; without an axis all of them are.",
    ),
    _Remedy(
        ValueError,
        ("axes don't match array",),
        ShapeError,
        "Give every axis once, in the new order; swapaxes exchanges two.",
    ),
    _Remedy(
        ValueError,
        ("broadcast together with shapes",),
        ShapeError,
        "Make the shapes equal or 1, axis by axis from the right (see reshape, expand_dims).",
    ),
    _Remedy(
        ValueError,
        (),
        ShapeError,
        "Make the shapes fit (see reshape, expand_dims, permute_dims) and check the options.",
    ),
    _Remedy(OverflowError, (), DomainError, "Give a value that fits the dtype, or cast first."),
    _Remedy(TypeError, ("not understood",), DTypeError, "Give a dtype, such as autodiff.float32."),
    _Remedy(
        TypeError, (), DTypeError, "Cast the operands with .astype(dtype), and check the options."
    ),
]  # fmt: skip


def explain(
    operation: str,
    operands: Iterable[Any],
    error: Exception,
    names: Iterable[str] = (),
) -> Exception:
    """Turn what the array library raised into an error that says what, where and what to do.

    Parameters
    ----------
    operation : str
        The name of the operation that failed.
    operands : iterable
        Its operands; each is named by its shape and dtype.
    error : Exception
        What the array library raised. Errors that already are this package's, and
        errors of classes that say nothing of the operands, come back unchanged.
    names : iterable of str, optional
        The operands' names, in the same order.

    Returns
    -------
    Exception
        The error to raise instead, ``from`` the original.
    """
    if isinstance(error, AutodiffError):
        return error
    said = str(error).strip().rstrip(".")
    for caught, words, raised, advice in _REMEDIES:
        if isinstance(error, caught) and (not words or any(word in said for word in words)):
            return raised(f"{_call(operation, operands, names)}: {said}. {advice}")
    return error


def reraise(
    operation: str,
    operands: Iterable[Any],
    error: Exception,
    names: Iterable[str] = (),
    *,
    own: bool = True,
) -> NoReturn:
    """Raise, inside an ``except`` block, the error that :func:`explain` makes of another.

    What a user's own operation raises (``own=False``) stays as it is, with a note that
    says where it came from.
    """
    explained = explain(operation, operands, error, names) if own else error
    if explained is not error:
        raise explained from error
    if not own:
        error.add_note(f"in the operation {_call(operation, operands, names)}")
    raise error


def typed_calls(callee: F) -> F:
    """Make a call that does not fit the signature an OptionError that shows it.

    Of a class, the calls that make an instance and those of the methods that it defines.
    Primitives look after that themselves; this is for all else that users call.
    """
    if isinstance(callee, type):
        for name, member in list(vars(callee).items()):
            if isinstance(member, staticmethod) and name == "__new__":
                callee.__new__ = staticmethod(typed_calls(member.__func__))  # type: ignore[method-assign]
            elif inspect.isfunction(member) and name in ("__init__", name.lstrip("_")):
                setattr(callee, name, typed_calls(member))
        return callee
    signature = inspect.signature(callee)
    own = next(iter(signature.parameters), None) in ("self", "cls")
    bare = bare_signature(signature)
    called = callee.__qualname__.removesuffix(".__init__").removesuffix(".__new__")

    @wraps(callee)
    def call(*args: Any, **named: Any) -> Any:
        __tracebackhide__ = True  # a failing test shows the user's line
        try:
            return callee(*args, **named)
        except TypeError as error:
            try:
                signature.bind(*args, **named)
            except TypeError as misfit:
                operands = args[own:] if own and callee.__name__.startswith("__") else args
                given = ", ".join(map(describe, operands)) or "nothing"
                text = f"{called}() {misfit}{options_here(named, signature.parameters)}"
                sizes = len(operands) > 1 and all(isinstance(size, int) for size in operands)
                if sizes and "shape" in signature.parameters:
                    text += f"; a shape is one argument, such as {operands}"
                message = f"{text}: called on {given}; its signature is {called}{bare}"
                raise OptionError(message) from error
            raise

    return call  # type: ignore[return-value]


def bare_signature(signature: inspect.Signature) -> str:
    """Write a signature as it is called: without its self and the annotations."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    if parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _call(operation: str, operands: Iterable[Any], names: Iterable[str]) -> str:
    labels = list(names)
    described = [describe(operand) for operand in operands]
    if len(labels) == len(described):
        described = [f"{name}: {text}" for name, text in zip(labels, described, strict=True)]
    return f"{operation}({', '.join(described)})"
