"""What a thread is doing right now: recording or not, inside which scope, watched or not.

A :class:`Mode` is immutable; a context manager replaces the thread's mode with a changed
copy and puts the former one back, whatever happens in between. Every node keeps the mode
under which it was made, so that graphs know their scopes.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np

from autodiff.engine.origin import note_origin
from autodiff.errors import DTypeError, OptionError, typed_calls

__all__ = [
    "Mode",
    "default_dtype",
    "detect_anomaly",
    "enable_grad",
    "get_default_dtype",
    "is_grad_enabled",
    "local",
    "name_scope",
    "no_grad",
    "observe",
    "set_default_dtype",
    "set_grad_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])

_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))


class Mode(NamedTuple):
    """One thread's settings at one moment.

    Attributes
    ----------
    recording : bool
        Whether operations make nodes.
    scope : tuple of str
        The names of the scopes that are open, outermost first.
    anomaly : bool
        Whether a NaN or infinity that a backward rule makes is an error.
    observers : tuple of callable
        Each is called as ``observer(primitive, values, out, options, node)`` for every node
        that is made.
    dtype : numpy.dtype or None
        The dtype that Python floats get here; None for the process-wide default.
    """

    recording: bool = True
    scope: tuple[str, ...] = ()
    anomaly: bool = False
    observers: tuple[Callable[..., None], ...] = ()
    dtype: np.dtype[Any] | None = None


class _Local(threading.local):
    mode: Mode = Mode()

    def __init__(self) -> None:
        self.entered: list[tuple[_ModeContext, Mode]] = []


local = _Local()
"""``local.mode`` is the calling thread's mode, ``local.entered`` the contexts that it is inside
of, each with the mode to go back to."""


class _ModeContext:
    """Changes the thread's mode inside a ``with`` block or a decorated function.

    Re-entrant, also by several threads at once: what is to be restored lies on a stack
    that belongs to the thread. Modules enter a scope at every call, so this is a fast path.
    """

    def _changed(self, mode: Mode) -> Mode:
        """Return the mode inside: what a subclass defines."""
        raise NotImplementedError

    def __enter__(self) -> None:
        mode = local.mode
        local.entered.append((self, mode))
        local.mode = self._changed(mode)

    def __exit__(self, *exception: object) -> None:
        # Nearly always the last: generators that are left suspended inside can interleave.
        entered = local.entered
        if entered and entered[-1][0] is self:
            local.mode = entered.pop()[1]
            return
        for i in range(len(entered) - 1, -1, -1):
            if entered[i][0] is self:
                local.mode = entered.pop(i)[1]
                return

    def __call__(self, function: F) -> F:
        """Decorate a function, or a generator function, to run in this mode."""
        name = type(self).__name__
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            message = f"{name} can't decorate the asynchronous {function.__qualname__}"
            remedy = "other tasks would run in its mode. Use a with block without await inside"
            raise OptionError(f"{message}: {remedy}.")
        if inspect.isclass(function) or not callable(function):
            message = f"{name} decorates functions, not {getattr(function, '__name__', function)}"
            raise OptionError(f"{message}. Decorate the methods, or use a with block.")
        if inspect.isgeneratorfunction(function):
            return self._resuming(function)  # type: ignore[return-value]

        @wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return within  # type: ignore[return-value]

    def _resuming(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Enter the mode whenever the generator runs, and leave it at every ``yield``."""

        @wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            inner = function(*args, **kwargs)
            resume, given = inner.send, None
            while True:
                try:
                    with self:
                        value = resume(given)
                except StopIteration as stop:
                    return stop.value
                try:
                    given = yield value
                    resume = inner.send
                except GeneratorExit:
                    with self:
                        inner.close()
                    raise
                except BaseException as error:
                    resume, given = inner.throw, error

        return generator


@typed_calls
class _PlainContext(_ModeContext):
    """A context without parameters, which decorates without parentheses too."""

    def __new__(cls, function: Any = None) -> Any:
        """Return the context, or the function decorated."""
        made = super().__new__(cls)
        if function is None:
            return made
        if callable(function):
            return made(function)
        name = cls.__name__
        raise OptionError(f"{name} takes no argument, got {function!r}. Write `with {name}():`.")


class no_grad(_PlainContext):  # noqa: N801 - PyTorch's name, used like a function
    """Record nothing: a context manager and a decorator.

    In-place operators write into the array itself here, which is how optimisers update
    parameters.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> with ad.no_grad():
    ...     w -= 0.5
    >>> w.tolist(), w.is_leaf, (w * 2).requires_grad
    ([0.5, 1.5], True, True)
    """

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(recording=False)


class enable_grad(_PlainContext):  # noqa: N801
    """Record again, inside a :class:`no_grad` block: a context manager and a decorator.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor(2.0, requires_grad=True)
    >>> with ad.no_grad(), ad.enable_grad():
    ...     (w * w).requires_grad
    True
    """

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(recording=True)


@typed_calls
class set_grad_enabled(_ModeContext):  # noqa: N801
    """Record or not, as ``enabled`` says: a function, a context manager and a decorator.

    A plain call takes effect at once, for the rest of the thread or of the enclosing block;
    as a context manager and as a decorator it is undone at the end.

    Parameters
    ----------
    enabled : bool

    Raises
    ------
    OptionError
        If ``enabled`` is no bool.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor(2.0, requires_grad=True)
    >>> with ad.set_grad_enabled(False):
    ...     (w * w).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        if not isinstance(enabled, bool | np.bool_):
            message = f"set_grad_enabled needs True or False, got {enabled!r}"
            raise OptionError(f"{message}. Write set_grad_enabled(False), also as a decorator.")
        self._enabled = bool(enabled)
        # What a plain call changed, in its thread, until a with block takes that over.
        self._former: tuple[int, Mode] | None = (threading.get_ident(), local.mode)
        local.mode = self._changed(local.mode)

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(recording=self._enabled)

    def _taken_over(self) -> Mode | None:
        """Return, once, the mode before the plain call; None in other threads and later."""
        if self._former is None or self._former[0] != threading.get_ident():
            return None
        former, self._former = self._former[1], None
        return former

    def __enter__(self) -> None:
        former = self._taken_over()
        if former is None:
            super().__enter__()
        else:
            local.entered.append((self, former))

    def __call__(self, function: F) -> F:
        """Undo the call's own effect, and decorate the function."""
        local.mode = self._taken_over() or local.mode
        return super().__call__(function)


@typed_calls
def is_grad_enabled() -> bool:
    """Tell whether this thread records operations.

    >>> is_grad_enabled()
    True
    """
    return local.mode.recording


class name_scope(_ModeContext):  # noqa: N801
    """Give the nodes made inside a name; scopes nest.

    Parameters
    ----------
    name : str
        The scope's name, a part of ``node.scope``.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(1.0, requires_grad=True)
    >>> with ad.name_scope("encoder"), ad.name_scope("block"):
    ...     y = ad.exp(x)
    >>> y.node.scope
    ('encoder', 'block')
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            message = f"name_scope needs a name, got {name!r}"
            raise OptionError(f"{message}. Write name_scope('block'), also as a decorator.")
        self._name = name

    def _changed(self, mode: Mode) -> Mode:
        recording, scope, anomaly, observers, dtype = mode  # _replace takes twice as long
        return Mode(recording, (*scope, self._name), anomaly, observers, dtype)


class observe(_ModeContext):  # noqa: N801
    """Call a function for every node that this thread makes inside the block.

    It costs nothing when no observer is there. Observers add up; see below for what
    they are given.

    Parameters
    ----------
    observer : callable
        ``observer(primitive, values, out, options, node)``: the operation's declaration, its
        operands' raw values, the raw result (a tuple where there are several), the options,
        and the new node.

    Examples
    --------
    >>> import autodiff as ad
    >>> names = []
    >>> x = ad.tensor(1.0, requires_grad=True)
    >>> with ad.observe(lambda primitive, *_: names.append(primitive.name)):
    ...     y = x * x + 1
    >>> names
    ['multiply', 'add']
    """

    def __init__(self, observer: Callable[..., None]) -> None:
        self._observer = observer

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(observers=(*mode.observers, self._observer))


class detect_anomaly(_PlainContext):  # noqa: N801
    """Find the operation whose backward first makes a NaN or an infinity.

    Nodes made inside remember the line of source that made them; a backward pass inside
    raises :class:`~autodiff.errors.AnomalyError`, which names that operation and line.
    Recording lines and testing every gradient is slow: for debugging only.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(0.0, requires_grad=True)
    >>> with ad.detect_anomaly():
    ...     ad.sqrt(x).backward()
    Traceback (most recent call last):
        ...
    autodiff.errors.AnomalyError: the backward of sqrt... made an infinity ...
    """

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(anomaly=True, observers=(*mode.observers, note_origin))


_process_dtype = np.dtype(np.float32)


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        found: Any = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found not in _FLOATS:
        message = (
            f"the default dtype must be float16, float32 or float64, not {found or repr(dtype)}"
        )
        raise DTypeError(message)
    return found  # type: ignore[no-any-return]


@typed_calls
def set_default_dtype(dtype: Any) -> None:
    """Set the dtype that Python floats become, in every thread (at first float32).

    Parameters
    ----------
    dtype : float16, float32 or float64

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.set_default_dtype(ad.float64)
    >>> ad.tensor(1.0).dtype
    dtype('float64')
    >>> ad.set_default_dtype(ad.float32)
    """
    global _process_dtype
    _process_dtype = _float_dtype(dtype)


@typed_calls
def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype that Python floats become here.

    >>> get_default_dtype()
    dtype('float32')
    """
    return local.mode.dtype or _process_dtype


@typed_calls
class default_dtype(_ModeContext):  # noqa: N801
    """Change the default dtype in this thread: a context manager and a decorator.

    Examples
    --------
    >>> import autodiff as ad
    >>> with ad.default_dtype(ad.float64):
    ...     ad.tensor([0.5]).dtype
    dtype('float64')
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = _float_dtype(dtype)

    def _changed(self, mode: Mode) -> Mode:
        return mode._replace(dtype=self._dtype)
