"""Random tensors, on :class:`numpy.random.Generator`.

One generator serves the process. It starts from fresh entropy; :func:`seed` makes everything
drawn afterwards repeatable, and :func:`get_state` and :func:`set_state` go back to a point.
It may be used by several threads at once, but which of them gets which numbers then depends
on how they are scheduled: for repeatable threads give each a ``numpy.random.Generator`` of
its own, with ``generator=``, which every function takes.

Results are of the default float dtype unless ``dtype`` says otherwise, and leaves where
``requires_grad``. Parameters of a distribution may be tensors: :func:`uniform`,
:func:`normal` and :func:`exponential` scale and shift standard samples, so gradients flow to
the parameters (the reparameterisation trick); samples of discrete distributions have none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.arguments import to_dtype, to_shape
from autodiff.conversion import asarray
from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import get_default_dtype
from autodiff.engine.operands import constant
from autodiff.errors import (
    AxisError,
    DomainError,
    DTypeError,
    ShapeError,
    describe,
    explain,
    typed_calls,
)
from autodiff.primitives import arithmetic
from autodiff.tensor import Tensor

__all__ = [
    "bernoulli", "choice", "exponential", "get_state", "integers", "normal", "permutation", "rand",
    "randn", "random", "seed", "set_state", "standard_normal", "truncated_normal", "uniform",
]  # fmt: skip

_shared: np.random.Generator | None = None


def _generator(generator: np.random.Generator | None = None) -> np.random.Generator:
    global _shared
    if generator is None:
        if _shared is None:
            _shared = np.random.default_rng()
        return _shared
    if not isinstance(generator, np.random.Generator):
        message = f"generator: {type(generator).__name__} is not a numpy.random.Generator"
        raise DTypeError(f"{message}. Make one with numpy.random.default_rng(seed).")
    return generator


def seed(value: int | None = None) -> None:
    """Start the shared generator anew, so that what is drawn afterwards is repeatable.

    Parameters
    ----------
    value : int, optional
        At least 0; None for fresh entropy.

    Raises
    ------
    DomainError
        If the value can't seed a generator.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.seed(0)
    >>> first = ad.random.normal(size=2)
    >>> ad.random.seed(0)
    >>> bool((ad.random.normal(size=2) == first).all())
    True
    """
    global _shared
    try:
        _shared = np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise DomainError(f"seed: {value!r} can't seed a generator. Give an int >= 0.") from error


def get_state() -> dict[str, Any]:
    """Return the shared generator's state: a dictionary that can be stored, as JSON too."""
    return dict(_generator().bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Put the shared generator back into a state that :func:`get_state` returned.

    Raises
    ------
    DomainError
        If it is no such state; the generator then stays as it was.

    Examples
    --------
    >>> import autodiff as ad
    >>> state = ad.random.get_state()
    >>> first = ad.random.random()
    >>> ad.random.set_state(state)
    >>> bool(ad.random.random() == first)
    True
    """
    global _shared
    fresh = np.random.default_rng(0)
    try:
        fresh.bit_generator.state = state
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        message = f"set_state: not a state of {type(fresh.bit_generator).__name__} ({error})"
        raise DomainError(f"{message}. Give what get_state() returned.") from error
    _shared = fresh


# -- continuous distributions -------------------------------------------------------------------


def _draw(
    operation: str, standard: str, size: Any, dtype: Any, generator: Any, *parameters: Any
) -> Tensor:
    """Draw standard samples, in the shape of the parameters where no size is given."""
    if size is None:
        size = np.broadcast_shapes(*[np.shape(constant(value)) for value in parameters])
    wanted = _float(operation, dtype)
    drawn = np.float64 if wanted == np.float64 else np.float32
    sample = getattr(_generator(generator), standard)(to_shape(operation, size), dtype=drawn)
    return make_tensor(np.asarray(sample).astype(wanted, copy=False))


def _float(operation: str, dtype: Any) -> np.dtype[Any]:
    wanted = get_default_dtype() if dtype is None else to_dtype(operation, dtype)
    if wanted not in (np.float16, np.float32, np.float64):
        message = f"{operation}: {wanted} is not a real floating dtype"
        raise DTypeError(f"{message}. Use float16, float32 or float64.")
    return wanted


def _finished(operation: str, made: Tensor, sample: Tensor, requires_grad: bool) -> Tensor:
    if made.shape != sample.shape:
        message = f"{operation}: the parameters broadcast to {made.shape}, the size is"
        raise ShapeError(f"{message} {sample.shape}. Give a size that the parameters fit.")
    if made.dtype != sample.dtype:
        made = arithmetic.astype(made, sample.dtype)
    return made.requires_grad_() if requires_grad else made


def random(
    size: Any = None, *, dtype: Any = None, generator: Any = None, requires_grad: bool = False
) -> Tensor:
    """Draw from the uniform distribution on ``[0, 1)``.

    Parameters
    ----------
    size : int or tuple of int, optional
        The shape; 0-d where None.
    dtype : dtype, optional
        At first the default float dtype.
    generator : numpy.random.Generator, optional
        At first the shared one.
    requires_grad : bool
        Whether the result is a leaf to compute gradients for.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.random((2, 3)).shape
    (2, 3)
    """
    sample = _draw("random", "random", size, dtype, generator)
    return _finished("random", sample, sample, requires_grad)


def rand(
    *shape: int, dtype: Any = None, generator: Any = None, requires_grad: bool = False
) -> Tensor:
    """Draw from the uniform distribution on ``[0, 1)``: ``rand(2, 3)`` is ``random((2, 3))``."""
    return random(shape, dtype=dtype, generator=generator, requires_grad=requires_grad)


def uniform(
    low: Any = 0.0,
    high: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the uniform distribution on ``[low, high)``.

    Parameters
    ----------
    low, high : number or tensor
        Gradients flow to tensors.
    size : int or tuple of int, optional
        The shape; that of the bounds where None.
    dtype, generator, requires_grad
        As of :func:`random`.

    Raises
    ------
    DomainError
        If a lower bound is above the upper one.

    Notes
    -----
    ``low + (high - low) u`` with ``u`` from ``[0, 1)``; rounding may give ``high`` itself.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.random.uniform(-1, 1, 1000)
    >>> bool((x >= -1).all()) and bool((x <= 1).all())
    True
    """
    if np.any(np.greater(constant(low), constant(high))):
        message = f"uniform: low = {_brief(low)} is above high = {_brief(high)}"
        raise DomainError(f"{message}. Exchange them.")
    sample = _draw("uniform", "random", size, dtype, generator, low, high)
    width = asarray(high) - low if isinstance(low, Tensor) else _minus(high, low)
    return _finished("uniform", sample * width + low, sample, requires_grad)


def _minus(high: Any, low: Any) -> Any:
    return high - low if isinstance(high, Tensor) else constant(high) - constant(low)


def _brief(value: Any) -> str:
    return describe(value) if np.ndim(constant(value)) else str(constant(value))


def standard_normal(
    size: Any = None, *, dtype: Any = None, generator: Any = None, requires_grad: bool = False
) -> Tensor:
    """Draw from the normal distribution of mean 0 and variance 1; as :func:`random`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.standard_normal((2, 3)).dtype
    dtype('float32')
    """
    sample = _draw("standard_normal", "standard_normal", size, dtype, generator)
    return _finished("standard_normal", sample, sample, requires_grad)


def randn(
    *shape: int, dtype: Any = None, generator: Any = None, requires_grad: bool = False
) -> Tensor:
    """Draw from the standard normal distribution: ``randn(2, 3)``."""
    return standard_normal(shape, dtype=dtype, generator=generator, requires_grad=requires_grad)


def normal(
    loc: Any = 0.0,
    scale: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from normal distributions.

    Parameters
    ----------
    loc, scale : number or tensor
        Mean and standard deviation. Gradients flow to tensors.
    size : int or tuple of int, optional
        The shape; that of the parameters where None.
    dtype, generator, requires_grad
        As of :func:`random`.

    Raises
    ------
    DomainError
        If a standard deviation is negative.

    Examples
    --------
    >>> import autodiff as ad
    >>> mean = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> ad.random.normal(mean, 0.1).sum().backward()
    >>> mean.grad
    tensor([1., 1.], dtype=float32)
    """
    _refuse_negative("normal", scale)
    sample = _draw("normal", "standard_normal", size, dtype, generator, loc, scale)
    return _finished("normal", sample * scale + loc, sample, requires_grad)


def exponential(
    scale: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the exponential distribution of mean ``scale``; gradients flow to it.

    Examples
    --------
    >>> import autodiff as ad
    >>> bool((ad.random.exponential(2.0, 5) >= 0).all())
    True
    """
    _refuse_negative("exponential", scale)
    sample = _draw("exponential", "standard_exponential", size, dtype, generator, scale)
    return _finished("exponential", sample * scale, sample, requires_grad)


def _refuse_negative(operation: str, scale: Any) -> None:
    if np.any(np.less(constant(scale), 0)):
        raise DomainError(f"{operation}: the scale {_brief(scale)} is negative. Give at least 0.")


_LEAST_ACCEPTED = 1e-3


def truncated_normal(
    loc: float = 0.0,
    scale: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from a normal distribution, given that the value lies in ``[low, high]``.

    Parameters
    ----------
    loc, scale : float
        Mean and standard deviation before truncation.
    low, high : float
        The bounds, in the units of the result.
    size, dtype, generator, requires_grad
        As of :func:`random`.

    Raises
    ------
    DomainError
        If the bounds are out of order, the scale is not positive, or the interval lies so
        far out that hardly any proposal is accepted.

    Notes
    -----
    Rejection: proposals come from the normal distribution, or from the uniform one on the
    interval where that accepts more of them.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.random.truncated_normal(0.0, 0.02, -0.04, 0.04, (3, 4))
    >>> bool((abs(x) <= 0.04).all())
    True
    """
    if not (scale > 0 and low < high):
        message = f"truncated_normal: scale {scale}, from {low} to {high}"
        raise DomainError(f"{message}. Give a positive scale, and low below high.")
    wanted = _float("truncated_normal", dtype)
    shape = to_shape("truncated_normal", () if size is None else size)
    a, b = (low - loc) / scale, (high - loc) / scale
    # The mass of a far tail is a difference of tiny numbers: take it on the negative side.
    upper, lower = (-a, -b) if a > 0 else (b, a)
    mass = 0.5 * (math.erfc(-upper / math.sqrt(2)) - math.erfc(-lower / math.sqrt(2)))
    nearest = min(max(0.0, a), b)
    peak = math.exp(-nearest * nearest / 2)
    flat = mass * math.sqrt(2 * math.pi) / ((b - a) * peak) if peak and b - a < math.inf else 0.0
    if max(mass, flat) < _LEAST_ACCEPTED:
        message = f"truncated_normal: [{low}, {high}] is too far from {loc} for the scale {scale}"
        raise DomainError(f"{message}. Choose bounds nearer to the mean.")
    rng = _generator(generator)
    made = np.empty(math.prod(shape))
    open_ = np.arange(made.size)
    while open_.size:
        if flat > mass:
            proposed = rng.uniform(a, b, open_.size)
            log_ratio = (nearest * nearest - proposed * proposed) / 2
            accepted = -rng.standard_exponential(open_.size) <= log_ratio
        else:
            proposed = rng.standard_normal(open_.size)
            accepted = (proposed >= a) & (proposed <= b)
        made[open_[accepted]] = proposed[accepted]
        open_ = open_[~accepted]
    # Clipped after scaling, since rounding may step over a bound.
    values = np.clip((made.reshape(shape) * scale + loc).astype(wanted), low, high)
    result = make_tensor(values)
    return result.requires_grad_() if requires_grad else result


# -- discrete distributions, order -----------------------------------------------------------------


def bernoulli(
    p: Any = 0.5, size: Any = None, *, dtype: Any = None, generator: Any = None
) -> Tensor:
    """Draw 1 with probability ``p`` and 0 otherwise. The result has no gradient.

    Parameters
    ----------
    p : number or tensor
        Probabilities, from 0 to 1.
    size : int or tuple of int, optional
        The shape; that of ``p`` where None.
    dtype : dtype, optional
        Of the zeros and ones: at first the default float dtype.
    generator : numpy.random.Generator, optional
        At first the shared one.

    Raises
    ------
    DomainError
        If a probability is not between 0 and 1.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.bernoulli([0.0, 1.0])
    tensor([0., 1.], dtype=float32)
    """
    probability = np.asarray(constant(p))
    if not ((probability >= 0) & (probability <= 1)).all():
        raise DomainError(f"bernoulli: p = {_brief(p)} is not a probability. Give 0 to 1.")
    wanted = get_default_dtype() if dtype is None else to_dtype("bernoulli", dtype)
    double = np.float64 if probability.dtype == np.float64 and probability.ndim else np.float32
    sample = _draw("bernoulli", "random", size, double, generator, p)
    if np.broadcast_shapes(sample.shape, probability.shape) != sample.shape:
        message = f"bernoulli: p is {describe(p)}, the size {sample.shape}"
        raise ShapeError(f"{message}. Give a size that the probabilities fit.")
    return make_tensor((sample.array < probability).astype(wanted))


def integers(
    low: Any,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = np.int64,
    endpoint: bool = False,
    generator: Any = None,
) -> Tensor:
    """Draw integers from ``low`` up to but without ``high``, all equally likely.

    Parameters
    ----------
    low, high : int
        With one bound, that is ``high`` and the lower one is 0.
    size : int or tuple of int, optional
        The shape; that of the bounds where None.
    dtype : dtype
        An integer dtype.
    endpoint : bool
        Whether ``high`` may be drawn too.
    generator : numpy.random.Generator, optional
        At first the shared one.

    Raises
    ------
    DomainError
        If there is no integer between the bounds.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.integers(0, 1, 3)
    tensor([0, 0, 0], dtype=int64)
    """
    shape = None if size is None else to_shape("integers", size)
    low, high = constant(low), None if high is None else constant(high)
    try:
        kind = to_dtype("integers", dtype)
        drawn = _generator(generator).integers(low, high, shape, dtype=kind, endpoint=endpoint)
    except ValueError as error:
        bounds = _brief(low) if high is None else f"{_brief(low)}, {_brief(high)}"
        message = f"integers({bounds}): {error}"
        raise DomainError(f"{message}. Give low below high, within the dtype.") from error
    except TypeError as error:
        raise explain("integers", [low, high], error, ["low", "high"]) from error
    return make_tensor(np.asarray(drawn))


def permutation(x: Any, *, axis: int = 0, generator: Any = None) -> Tensor:
    """Return ``x`` in random order along an axis; for an int ``n``, the numbers below it.

    Gradients flow to a tensor.

    Examples
    --------
    >>> import autodiff as ad
    >>> sorted(ad.random.permutation(4).tolist())
    [0, 1, 2, 3]
    """
    if isinstance(x, int | np.integer):
        (count,) = to_shape("permutation", x)
        return make_tensor(_generator(generator).permutation(count))
    x = asarray(x)
    place = _place("permutation", x, axis)
    order = _generator(generator).permutation(x.shape[place])
    return _taken(x, order, place)


def _place(operation: str, x: Tensor, axis: int) -> int:
    if not -x.ndim <= axis < x.ndim:
        message = f"{operation}: {describe(x)} has no axis {axis}"
        raise AxisError(f"{message}. Give an axis from {-x.ndim} to {x.ndim - 1}.")
    return axis % x.ndim


def _taken(x: Tensor, index: Any, place: int) -> Tensor:
    return x[(slice(None),) * place + (index,)]


def choice(
    a: Any,
    size: Any = None,
    replace: bool = True,
    p: Any = None,
    *,
    axis: int = 0,
    generator: Any = None,
) -> Tensor:
    """Draw entries of ``a`` along an axis; for an int ``n``, of the numbers below it.

    Parameters
    ----------
    a : int or tensor
        Gradients flow to a tensor's entries.
    size : int or tuple of int, optional
        How many; a single one where None.
    replace : bool
        Whether an entry may be drawn several times.
    p : tensor of shape (n,), optional
        The probabilities; all alike where None. Their sum may miss 1 by rounding.
    axis : int
        The axis along which ``a`` is drawn from.
    generator : numpy.random.Generator, optional
        At first the shared one.

    Raises
    ------
    DomainError
        If the probabilities do not sum to 1, or more are to be drawn than there are.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.random.choice(3, 4, p=[0.0, 1.0, 0.0])
    tensor([1, 1, 1, 1], dtype=int64)
    """
    whole = isinstance(a, int | np.integer)
    source = None if whole else asarray(a)
    place = 0 if source is None else _place("choice", source, axis)
    count = int(a) if source is None else source.shape[place]
    shape = None if size is None else to_shape("choice", size)
    if p is not None:
        p = np.asarray(constant(p), np.float64)
        total = p.sum()
        if abs(total - 1) < _ROUNDING:
            p = p / total
    try:
        index = _generator(generator).choice(count, shape, replace, p)
    except ValueError as error:
        message = f"choice from {count}: {error}"
        raise DomainError(f"{message}. Check size, replace and p.") from error
    if source is None:
        return make_tensor(np.asarray(index))
    return _taken(source, index, place)


_ROUNDING = 1e-2  # a float16 softmax over a thousand classes misses 1 by less


for _name in __all__:
    globals()[_name] = typed_calls(globals()[_name])
