"""What a thread is doing right now: recording or not, inside which scope, watched or not.

A :class:`Mode` is immutable; a context manager replaces the thread's mode with a changed
copy and puts the former one back, whatever happens in between. Every node keeps the mode
under which it was made, so that graphs know their scopes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autodiff.engine.origin import note_origin
from autodiff.errors import DTypeError

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

_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True, slots=True)
class Mode:
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


local = _Local()
"""``local.mode`` is the calling thread's mode."""


class _ModeContext(ContextDecorator):
    """Changes the thread's mode inside a ``with`` block or a decorated function.

    Re-entrant, also by several threads at once: what is to be restored lies on a stack
    that belongs to the thread.
    """

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._outer = threading.local()

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, **self._changes)

    def __enter__(self) -> None:
        stack = self._outer.__dict__.setdefault("stack", [])
        stack.append(local.mode)
        local.mode = self._changed(local.mode)

    def __exit__(self, *exception: object) -> None:
        local.mode = self._outer.stack.pop()


class no_grad(_ModeContext):  # noqa: N801 - PyTorch's name, used like a function
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

    def __init__(self) -> None:
        super().__init__(recording=False)


class enable_grad(_ModeContext):  # noqa: N801
    """Record again, inside a :class:`no_grad` block: a context manager and a decorator.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor(2.0, requires_grad=True)
    >>> with ad.no_grad(), ad.enable_grad():
    ...     (w * w).requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(recording=True)


class set_grad_enabled(_ModeContext):  # noqa: N801
    """Record or not, as ``enabled`` says: a context manager and a decorator.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor(2.0, requires_grad=True)
    >>> with ad.set_grad_enabled(False):
    ...     (w * w).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__(recording=bool(enabled))


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
        super().__init__()
        self._name = str(name)

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, scope=(*mode.scope, self._name))


class observe(_ModeContext):  # noqa: N801
    """Call a function for every node that this thread makes inside the block.

    It costs nothing when no observer is there. Observers add up; see :class:`Mode` for what
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
    >>> from autodiff.engine.modes import observe
    >>> names = []
    >>> x = ad.tensor(1.0, requires_grad=True)
    >>> with observe(lambda primitive, *_: names.append(primitive.name)):
    ...     y = x * x + 1
    >>> names
    ['multiply', 'add']
    """

    def __init__(self, observer: Callable[..., None]) -> None:
        super().__init__()
        self._observer = observer

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, observers=(*mode.observers, self._observer))


class detect_anomaly(_ModeContext):  # noqa: N801
    """Find the operation whose backward first makes a NaN or an infinity.

    Nodes made inside remember the line of source that made them; a backward pass inside
    raises :class:`~autodiff.errors.AnomalyError`, which names that operation and line.
    Recording lines and testing every gradient is slow: for debugging only.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(0.0, requires_grad=True)
    >>> with ad.detect_anomaly():
    ...     ad.log(x * 0 + 1).backward()  # finite: passes
    """

    def __init__(self) -> None:
        super().__init__()

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, anomaly=True, observers=(*mode.observers, note_origin))


_process_dtype = np.dtype(np.float32)


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(dtype)
    if found not in _FLOATS:
        message = f"the default dtype must be float16, float32 or float64, not {found}"
        raise DTypeError(message)
    return found


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


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype that Python floats become here.

    >>> get_default_dtype()
    dtype('float32')
    """
    return local.mode.dtype or _process_dtype


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
        super().__init__(dtype=_float_dtype(dtype))
