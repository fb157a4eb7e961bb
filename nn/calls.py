"""Calls whose arguments must fit the signature and its annotations.

What a constructor or a function says of its arguments in its signature (``bias: bool``) is
held here, once for all of them; what depends on more than the kind of an argument, it checks.
"""

from __future__ import annotations

import inspect
import math
import numbers
import operator
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import autodiff as ad
from nn.names import options_here

__all__ = ["Checked", "checked", "is_switch", "shown", "typed"]


F = TypeVar("F", bound=Callable[..., Any])

_WIDEST = 200
"""Bits of a whole number that a message spells out."""


class Checked:
    """The base of classes whose constructor's misuse is a typed error.

    Arguments that are unknown, missing or too many are an OptionError that shows the
    signature, for every class derived from this one. The annotations ``bool``, ``float``,
    ``int``, ``str`` and ``Module``, and those with ``| None``, are held for the classes of
    this package, and so are dtypes and generators.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap a constructor: raise OptionError for arguments that do not fit its signature."""
    signature = inspect.signature(init)
    own = init.__module__.partition(".")[0] == __name__.partition(".")[0]
    held = _held(signature) if own else []

    @wraps(init)
    def call(self: Any, *args: Any, **options: Any) -> None:
        try:
            given = signature.bind(self, *args, **options).arguments
        except TypeError as misfit:
            raise _misfit(type(self).__name__, misfit, signature, options) from None
        _hold(type(self).__name__, held, given)
        init(self, *args, **options)

    return call


def typed(function: F) -> F:
    """Make a typed error of what a function raises for arguments that are no such things.

    They are looked at only where the function fails with an error of Python, so that calls
    cost nothing more.
    """
    signature = inspect.signature(function)
    held = _held(signature)
    name = function.__qualname__

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            if isinstance(error, ad.AutodiffError):
                raise
            try:
                given = signature.bind(*args, **options).arguments
            except TypeError as misfit:
                raise _misfit(name, misfit, signature, options) from error
            _hold(name, held, given)
            raise

    return call  # type: ignore[return-value]


def _misfit(
    name: str, error: TypeError, signature: inspect.Signature, options: dict[str, Any]
) -> ad.OptionError:
    """Return the error of a call that does not fit the signature, which it shows."""
    said = options_here(options, signature.parameters)
    call = f"{name}{ad.errors.bare_signature(signature)}"
    return ad.OptionError(f"{name}: {error}{said}. Call {call}.")


def _held(signature: inspect.Signature) -> list[tuple[str, _Kind]]:
    """Return the parameters whose annotation (or name) says what they must be."""
    held = []
    for parameter in signature.parameters.values():
        one = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        said = parameter.name if parameter.name in _NAMED else parameter.annotation
        if one and said in _KINDS:
            held.append((parameter.name, _KINDS[said]))
    return held


def _hold(owner: str, held: list[tuple[str, _Kind]], given: dict[str, Any]) -> None:
    """Raise for the first argument that is not what it must be."""
    for name, asked in held:
        if name in given and not asked.fits(given[name]):
            value = given[name]
            raise asked.error(f"{owner}: {name} is {shown(value)}. Give {asked.wanted}.")


def shown(value: Any) -> str:
    """Return a wrong argument as a message shows it."""
    if isinstance(value, int) and value.bit_length() > _WIDEST:
        return f"a whole number of {value.bit_length():,} bits"
    return ad.errors.describe(value) if getattr(value, "shape", ()) else repr(value)


class _Kind(NamedTuple):
    """What an annotation asks of a value."""

    fits: Callable[[Any], bool]
    wanted: str
    error: type[ad.AutodiffError]


def is_switch(value: Any) -> bool:
    """Tell whether a value is True or False, or an array of no axes that is."""
    array = getattr(getattr(value, "dtype", None), "kind", "") == "b" and value.shape == ()
    return isinstance(value, bool) or array


def _is_number(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        return real and not math.isnan(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_whole(value: Any) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_path(value: Any) -> bool:
    try:
        return isinstance(value, (str, os.PathLike)) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_module(value: Any) -> bool:
    return isinstance(value, Checked) and callable(getattr(value, "forward", None))


def _is_generator(value: Any) -> bool:
    return hasattr(value, "bit_generator")


def _is_floating(dtype: Any) -> bool:
    try:
        return dtype is None or bool(ad.asarray(0, dtype=dtype).dtype.kind == "f")
    except ad.AutodiffError:
        return False


def _or_none(kind: _Kind) -> _Kind:
    def fits(value: Any) -> bool:
        return value is None or kind.fits(value)

    return kind._replace(fits=fits, wanted=f"{kind.wanted}, or None")


_KINDS = {
    "bool": _Kind(is_switch, "True or False", ad.OptionError),
    "float": _Kind(_is_number, "a number", ad.DomainError),
    "int": _Kind(_is_whole, "a whole number", ad.OptionError),
    "str": _Kind(_is_text, "a string", ad.OptionError),
    "str | os.PathLike[str]": _Kind(_is_path, "a path, without NUL", ad.OptionError),
    "Module": _Kind(_is_module, "a module", ad.DTypeError),
}
"""By annotation."""

_KINDS |= {f"{name} | None": _or_none(kind) for name, kind in _KINDS.items()}

_NAMED = {
    "dtype": _Kind(_is_floating, "a floating dtype, as autodiff.float32", ad.DTypeError),
    "generator": _or_none(_Kind(_is_generator, "a numpy.random.Generator", ad.OptionError)),
}
"""By the parameter's name, where its type is not a class of this package."""

_KINDS |= _NAMED
