"""How parameters start: each function fills a tensor in place and returns it.

The aim of the named schemes is that signals keep their variance from layer to layer, forward
or backward. ``fan_in`` is the number of inputs to a unit of the layer, ``fan_out`` the number
of units that an input reaches; for a weight of shape ``(out, in, *kernel)`` they are
``in * prod(kernel)`` and ``out * prod(kernel)``.

References
----------
- X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
  neural networks", AISTATS 2010.
- K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers: surpassing
  human-level performance on ImageNet classification", ICCV 2015.
- Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, "Efficient BackProp", 1998.
- A. Saxe, J. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
  learning in deep linear neural networks", ICLR 2014.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import autodiff as ad
from nn.calls import typed

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

T = TypeVar("T", bound=ad.Tensor)


def _fill(tensor: T, values: Any) -> T:
    _check_tensor(tensor)
    with ad.no_grad():
        tensor.copy_(values)
    return tensor


def _check_tensor(tensor: Any) -> None:
    if not isinstance(tensor, ad.Tensor):
        message = f"nn.init fills tensors in place, not a {type(tensor).__name__}"
        raise ad.DTypeError(f"{message}. Give a parameter, or autodiff.zeros(shape).")


def _check_finite(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ad.DomainError(f"{operation}: {name} is {number}. Give a finite number.")


@typed
def constant_(tensor: T, val: float) -> T:
    """Fill with one value."""
    return _fill(tensor, val)


@typed
def zeros_(tensor: T) -> T:
    """Fill with zeros."""
    return _fill(tensor, 0.0)


@typed
def ones_(tensor: T) -> T:
    """Fill with ones."""
    return _fill(tensor, 1.0)


@typed
def eye_(tensor: T) -> T:
    """Fill a matrix with ones on the diagonal and zeros elsewhere: a layer that hands on.

    Raises
    ------
    ShapeError
        If the tensor is no matrix.
    """
    _check_tensor(tensor)
    if tensor.ndim != 2:
        message = f"eye_: {ad.errors.describe(tensor)} is no matrix"
        raise ad.ShapeError(f"{message}. Give a tensor of two axes.")
    return _fill(tensor, ad.eye(*tensor.shape, dtype=tensor.dtype))


@typed
def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Any = None) -> T:
    """Fill from the uniform distribution on ``[a, b)``.

    Parameters
    ----------
    tensor : Tensor
        Changed in place.
    a, b : float
        The interval.
    generator : numpy.random.Generator, optional
        The source of randomness; at first the one that ``autodiff.random.seed`` sets.

    Returns
    -------
    Tensor
        The same tensor.
    """
    _check_tensor(tensor)
    _check_finite("uniform_", a=a, b=b)
    if not a <= b:
        raise ad.DomainError(f"uniform_: the interval is from {a} to {b}. Give a <= b.")
    return _fill(
        tensor, ad.random.uniform(a, b, tensor.shape, dtype=tensor.dtype, generator=generator)
    )


@typed
def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> T:
    """Fill from the normal distribution.

    Parameters
    ----------
    tensor : Tensor
        Changed in place.
    mean, std : float
        The mean and the standard deviation.
    generator : numpy.random.Generator, optional
        The source of randomness; at first the one that ``autodiff.random.seed`` sets.

    Returns
    -------
    Tensor
        The same tensor.
    """
    _check_tensor(tensor)
    _check_finite("normal_", mean=mean, std=std)
    if not std >= 0:
        raise ad.DomainError(f"normal_: std is {std}. Give a standard deviation of 0 or more.")
    return _fill(
        tensor, ad.random.normal(mean, std, tensor.shape, dtype=tensor.dtype, generator=generator)
    )


@typed
def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> T:
    """Fill from the normal distribution, given that the value lies in ``[a, b]``.

    Parameters
    ----------
    tensor : Tensor
        Changed in place.
    mean, std : float
        Mean and standard deviation before truncation.
    a, b : float
        The bounds, in the units of the result (not in standard deviations).
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor
        The same tensor.

    Raises
    ------
    DomainError
        If ``mean`` or ``std`` is not finite, ``std`` not positive or ``a`` not below ``b``.
    """
    _check_tensor(tensor)
    _check_finite("trunc_normal_", mean=mean, std=std)
    draw = ad.random.truncated_normal
    return _fill(
        tensor, draw(mean, std, a, b, tensor.shape, dtype=tensor.dtype, generator=generator)
    )


_GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
    **dict.fromkeys([f"conv{'_transpose' * t}{n}d" for t in (False, True) for n in (1, 2, 3)], 1.0),
}


@typed
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity wants its weights' standard deviation grown.

    Parameters
    ----------
    nonlinearity : str
        "linear", "identity", "conv1d" and the like (1); "sigmoid" (1), "tanh" (5/3), "relu"
        (the root of 2), "leaky_relu" (``sqrt(2 / (1 + slope**2))``), "selu" (3/4).
    param : float, optional
        The negative slope of "leaky_relu", 0.01 at first.

    Raises
    ------
    OptionError
        For any other name.

    Examples
    --------
    >>> from nn import init
    >>> init.calculate_gain("relu") ** 2  # relu halves the second moment
    2.0000000000000004
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            message = f"calculate_gain: the slope of leaky_relu is {slope!r}"
            raise ad.OptionError(f"{message}. Give a number.")
        _check_finite("calculate_gain", slope=slope)
        return math.sqrt(2) / math.hypot(1, slope)
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ad.OptionError(f"calculate_gain: {nonlinearity!r} is unknown. Known are {known}.")
    return _GAINS[nonlinearity]


def _fans(tensor: ad.Tensor, operation: str) -> tuple[int, int]:
    _check_tensor(tensor)
    if tensor.ndim < 2:
        message = f"{operation}: {ad.errors.describe(tensor)} has no fan-in and fan-out"
        raise ad.ShapeError(f"{message}. Give a weight of shape (out, in, ...).")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


@typed
def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Any = None) -> T:
    r"""Fill with Glorot and Bengio's "normalised" initialisation (2010), their equation 16.

    .. math:: W \sim U\left[-\frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}},
       \frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}}\right]

    Its variance ``2 / (fan_in + fan_out)`` is a compromise between keeping the signals'
    variance (``1 / fan_in``) and the gradients' (``1 / fan_out``).

    Parameters
    ----------
    tensor : Tensor
        Of shape ``(out, in, ...)``; changed in place.
    gain : float
        Scales the interval; see :func:`calculate_gain`.
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor
        The same tensor.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn import init
    >>> w = init.xavier_uniform_(ad.zeros((300, 300)))
    >>> bool(ad.max(ad.abs(w)) <= (6 / 600) ** 0.5)
    True
    """
    fan_in, fan_out = _fans(tensor, "xavier_uniform_")
    _check_finite("xavier_uniform_", gain=gain)
    bound = gain * math.sqrt(6 / max(1, fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


@typed
def xavier_normal_(tensor: T, gain: float = 1.0, generator: Any = None) -> T:
    """Fill from the normal distribution of Glorot and Bengio's variance (2010).

    ``std = gain * sqrt(2 / (fan_in + fan_out))``. Parameters as of
    :func:`xavier_uniform_`.
    """
    fan_in, fan_out = _fans(tensor, "xavier_normal_")
    _check_finite("xavier_normal_", gain=gain)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(1, fan_in + fan_out)), generator)


def _kaiming_std(tensor: ad.Tensor, a: float, mode: str, nonlinearity: str, name: str) -> float:
    fan_in, fan_out = _fans(tensor, name)
    if mode not in ("fan_in", "fan_out"):
        raise ad.OptionError(f"{name}: mode {mode!r} is unknown. Give 'fan_in' or 'fan_out'.")
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))


@typed
def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> T:
    """Fill from ``U(-b, b)``, ``b = gain * sqrt(3 / fan)``, for rectifiers (He et al., 2015).

    Parameters
    ----------
    tensor : Tensor
        Of shape ``(out, in, ...)``; changed in place.
    a : float
        The negative slope of the rectifier after this layer.
    mode : {"fan_in", "fan_out"}
        Whether the variance of the signals is kept or that of the gradients.
    nonlinearity : str
        See :func:`calculate_gain`.
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor
        The same tensor.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


@typed
def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> T:
    """Fill from the normal distribution with ``std = gain / sqrt(fan)`` (He et al., 2015).

    Parameters as of :func:`kaiming_uniform_`.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_")
    return normal_(tensor, 0.0, std, generator)


@typed
def lecun_normal_(tensor: T, generator: Any = None) -> T:
    """Fill from the normal distribution with ``std = 1 / sqrt(fan_in)`` (LeCun), for SELU.

    It keeps the variance of signals through a linear layer. Parameters as of
    :func:`xavier_uniform_`.
    """
    fan_in, _ = _fans(tensor, "lecun_normal_")
    return normal_(tensor, 0.0, 1 / math.sqrt(max(1, fan_in)), generator)


@typed
def orthogonal_(tensor: T, gain: float = 1.0, generator: Any = None) -> T:
    """Fill with a random orthogonal matrix (Saxe et al.), which changes no vector's length.

    The distribution is uniform over all of them (Haar's): the Q of a normal matrix, with
    the signs of R's diagonal.

    Parameters
    ----------
    tensor : Tensor
        ``(out, in, ...)``, seen as a matrix ``(out, in * ...)``; changed in place. Its
        rows become orthonormal where there are no more of them than columns, its columns
        otherwise.
    gain : float
        Scales the matrix; see :func:`calculate_gain`.
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor
        The same tensor.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn import init
    >>> w = init.orthogonal_(ad.zeros((2, 3)))
    >>> bool(ad.max(ad.abs(w @ w.mT - ad.eye(2))) < 1e-6)
    True
    """
    _check_tensor(tensor)
    _check_finite("orthogonal_", gain=gain)
    if tensor.dtype.kind != "f":
        message = f"orthogonal_: {ad.errors.describe(tensor)} is not of a real floating dtype"
        raise ad.DTypeError(f"{message}. Give a tensor of floats.")
    if tensor.ndim < 2:
        message = f"orthogonal_: {ad.errors.describe(tensor)} is no matrix"
        raise ad.ShapeError(f"{message}. Give a weight of shape (out, in, ...).")
    if not tensor.size:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.size // rows
    shape = (max(rows, columns), min(rows, columns))
    q, r = ad.linalg.qr(ad.random.normal(size=shape, dtype=ad.float64, generator=generator))
    q = q * ad.where(ad.diagonal(r) < 0, -gain, gain)
    return _fill(tensor, (q if rows >= columns else q.mT).reshape(tensor.shape))
