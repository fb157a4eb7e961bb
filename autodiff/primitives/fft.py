"""Discrete Fourier transforms: the functions of ``autodiff.fft``.

A transform is a symmetric matrix ``F``, so its rule is the transform again, of the upstream
gradient; ``n`` first crops or pads, so the rule last pads or crops. A real transform gives
half of a spectrum whose other half mirrors it: all of its frequencies but the first and, for
even ``n``, the last stand for two. A real loss of real leaves may go through any of them::

    (abs(ad.fft.rfft(x)) ** 2).sum()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import get_default_dtype
from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import AxisError, DomainError, OptionError, describe, typed_calls
from autodiff.namespace import Namespace, tensors
from autodiff.primitives.along import axes_of

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip

Axes = int | tuple[int, ...] | None
Shape = tuple[int, ...]

_DUAL = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The normalisation under which the other direction has this direction's factor."""


def _require(operation: str, x: Array, axes: Any) -> None:
    """Refuse an axis that is not there, which NumPy's transforms call a tuple index."""
    for axis in () if axes is None else axes_of(axes):
        if not -x.ndim <= axis < x.ndim:
            message = f"{operation}(x: {describe(x)}): there is no axis {axis}"
            raise AxisError(f"{message}. Give an axis from -ndim to ndim - 1.")


def _fitted(xp: Namespace, x: Array, size: int, axis: int) -> Array:
    """Crop an axis, or pad it with zeros, at its end."""
    have = x.shape[axis]
    if have == size:
        return x
    before = (slice(None),) * (axis % len(x.shape))
    if have > size:
        return x[(*before, slice(size))]
    shape = tuple(size - have if i == len(before) else n for i, n in enumerate(x.shape))
    return xp.concat([x, xp.zeros(shape, dtype=x.dtype)], axis=axis)


def _doubled(xp: Namespace, g: Array, size: int, axis: int, factor: float) -> Array:
    """Multiply the frequencies that stand for two in a real spectrum of ``size`` points."""
    weights = [factor] * g.shape[axis]
    weights[0] = 1.0
    if size % 2 == 0:
        weights[-1] = 1.0
    shape = tuple(len(weights) if i == axis % len(g.shape) else 1 for i in range(len(g.shape)))
    return g * xp.reshape(xp.asarray(weights, dtype=abs(g[..., :0]).dtype), shape)


@primitive(name="fft.fft")
def fft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Discrete Fourier transform along an axis.

    Parameters
    ----------
    x : array_like
        Real or complex.
    n : int, optional
        Crop the axis to this size, or pad it with zeros, first.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by 1, ``1 / sqrt(n)`` or ``1 / n``.

    Returns
    -------
    Tensor
        Complex, in the operand's precision, of size ``n`` along the axis.

    Raises
    ------
    ShapeError
        If the axis is empty, or ``n`` is not positive.

    Notes
    -----
    ``out[k] = sum over j of x[j] exp(-2 pi i j k / n)``. The matrix is symmetric, so the rule
    is the transform of the upstream gradient.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.fft([1.0, 0.0, 0.0])
    tensor([1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    _require("fft.fft", x, axis)
    return xp.fft.fft(x, n=n, axis=axis, norm=norm)


@fft.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, axis: int, norm: str) -> Array:
    return _fitted(xp, xp.fft.fft(g, axis=axis, norm=norm), x_shape[axis], axis)


@primitive(name="fft.ifft")
def ifft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Inverse of :func:`fft`.

    Parameters
    ----------
    x : array_like
        Real or complex.
    n : int, optional
        Crop the axis to this size, or pad it with zeros, first.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by ``1 / n``, ``1 / sqrt(n)`` or 1.

    Returns
    -------
    Tensor
        Complex, in the operand's precision, of size ``n`` along the axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.ifft([3.0, 0.0, 0.0])
    tensor([1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    _require("fft.ifft", x, axis)
    return xp.fft.ifft(x, n=n, axis=axis, norm=norm)


@ifft.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, axis: int, norm: str) -> Array:
    return _fitted(xp, xp.fft.ifft(g, axis=axis, norm=norm), x_shape[axis], axis)


def _sizes_and_axes(
    operation: str, x: Array, s: Shape | None, axes: Any
) -> tuple[list[int | None], list[int]]:
    """Return for each transformed axis, first to last, its size (None: as it is) and itself."""
    default = range(-x.ndim if s is None else -len(s), 0)
    axes = tuple(default) if axes is None else axes_of(axes)
    sizes: list[int | None] = (
        [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
    )
    if len(sizes) != len(axes):
        message = f"{operation}(x: {describe(x)}): {len(sizes)} sizes for {len(axes)} axes"
        raise OptionError(f"{message}. Give s one size for each of axes.")
    return sizes, list(axes)


def _along_each(
    transform: Any, x: Array, sizes: list[int | None], axes: list[int], norm: str
) -> Any:
    for n, axis in zip(reversed(sizes), reversed(axes), strict=True):
        x = transform(x, n=n, axis=axis, norm=norm)
    return x


@composite(name="fft.fftn")
def fftn(
    xp: Namespace, x: Array, /, *, s: Shape | None = None, axes: Axes = None, norm: str = "backward"
) -> Array:
    """Discrete Fourier transform along several axes: :func:`fft` along each.

    Parameters
    ----------
    x : array_like
        Real or complex.
    s : tuple of int, optional
        The size along each of ``axes``: cropped to or padded with zeros; -1 as it is.
    axes : tuple of int, optional
        All, or as many last ones as ``s`` has sizes.
    norm : {'backward', 'ortho', 'forward'}
        Multiply by 1, ``1 / sqrt(n)`` or ``1 / n``, ``n`` the product of the sizes.

    Returns
    -------
    Tensor
        Complex.

    Raises
    ------
    OptionError
        If ``s`` and ``axes`` differ in length.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.fftn([[1.0, 1.0], [1.0, 1.0]]).real
    tensor([[4., 0.],
            [0., 0.]], dtype=float32)
    """
    return _complex_along_each(xp, fft, "fft.fftn", x, s, axes, norm)


@composite(name="fft.ifftn")
def ifftn(
    xp: Namespace, x: Array, /, *, s: Shape | None = None, axes: Axes = None, norm: str = "backward"
) -> Array:
    """Inverse of :func:`fftn`, with the same parameters: :func:`ifft` along each axis.

    Parameters
    ----------
    x : array_like
    s, axes, norm
        As :func:`fftn` takes them.

    Returns
    -------
    Tensor
        Complex.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.ifftn([[4.0, 0.0], [0.0, 0.0]]).real
    tensor([[1., 1.],
            [1., 1.]], dtype=float32)
    """
    return _complex_along_each(xp, ifft, "fft.ifftn", x, s, axes, norm)


def _complex_along_each(
    xp: Namespace, transform: Any, operation: str, x: Array, s: Shape | None, axes: Axes, norm: str
) -> Array:
    sizes, along = _sizes_and_axes(operation, x, s, axes)
    if not along and x.dtype.kind != "c":  # a transform of no axis is complex all the same
        return x * xp.asarray(1, dtype=np.result_type(x.dtype, np.complex64))
    return _along_each(transform, x, sizes, along, norm)


@primitive(name="fft.rfft")
def rfft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Discrete Fourier transform of real values: the first half of the spectrum.

    Parameters
    ----------
    x : array_like
        Real.
    n : int, optional
        Crop the axis to this size, or pad it with zeros, first.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by 1, ``1 / sqrt(n)`` or ``1 / n``.

    Returns
    -------
    Tensor
        Complex, of size ``n // 2 + 1`` along the axis.

    Raises
    ------
    DTypeError
        If the operand is complex.

    Notes
    -----
    The gradient is ``n irfft`` of the upstream gradient, in which the frequencies that
    ``irfft`` counts twice are halved.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (abs(ad.fft.rfft(x)) ** 2).sum().backward()
    >>> x.grad.shape
    (3,)
    """
    _require("fft.rfft", x, axis)
    return xp.fft.rfft(x, n=n, axis=axis, norm=norm)


@rfft.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, n: int | None, axis: int, norm: str) -> Array:
    size = x_shape[axis] if n is None else n
    halved = _doubled(xp, xp.conj(g), size, axis, 0.5)
    part = xp.fft.irfft(halved, n=size, axis=axis, norm=_DUAL[norm])
    return _fitted(xp, part, x_shape[axis], axis)


@primitive(name="fft.irfft")
def irfft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Inverse of :func:`rfft`.

    Parameters
    ----------
    x : array_like
        Half of a spectrum. The imaginary part of the first element, and of the last for even
        ``n``, does not count: neither has it a gradient.
    n : int, optional
        The size of the result along the axis; at first ``2 * (m - 1)`` for ``m`` elements.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by ``1 / n``, ``1 / sqrt(n)`` or 1.

    Returns
    -------
    Tensor
        Real.

    Notes
    -----
    The gradient is ``rfft(g) / n``, the frequencies that stand for two doubled.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.irfft(ad.fft.rfft([1.0, 2.0, 3.0]), n=3)
    tensor([1., 2., 3.], dtype=float32)
    """
    _require("fft.irfft", x, axis)
    return xp.fft.irfft(x, n=n, axis=axis, norm=norm)


@irfft.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, axis: int, norm: str) -> Array:
    spectrum = xp.fft.rfft(g, axis=axis, norm=_DUAL[norm])
    doubled = _doubled(xp, spectrum, g.shape[axis], axis, 2.0)
    return _fitted(xp, doubled, x_shape[axis], axis)


@composite(name="fft.rfftn")
def rfftn(
    xp: Namespace, x: Array, /, *, s: Shape | None = None, axes: Axes = None, norm: str = "backward"
) -> Array:
    """Discrete Fourier transform of real values along several axes.

    :func:`rfft` along the last of ``axes``, then :func:`fft` along the others.

    Parameters
    ----------
    x : array_like
        Real.
    s, axes, norm
        As :func:`fftn` takes them.

    Returns
    -------
    Tensor
        Complex, of size ``n // 2 + 1`` along the last of ``axes``.

    Raises
    ------
    DTypeError
        If the operand is complex.
    DomainError
        If there is no axis to transform.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.rfftn(ad.ones((4, 4))).shape
    (4, 3)
    """
    sizes, along = _sizes_and_axes("fft.rfftn", x, s, axes)
    _require_axes("fft.rfftn", x, along)
    half = rfft(x, n=sizes[-1], axis=along[-1], norm=norm)
    return _along_each(fft, half, sizes[:-1], along[:-1], norm)


@composite(name="fft.irfftn")
def irfftn(
    xp: Namespace, x: Array, /, *, s: Shape | None = None, axes: Axes = None, norm: str = "backward"
) -> Array:
    """Inverse of :func:`rfftn`.

    :func:`ifft` along all but the last of ``axes``, then :func:`irfft` along that.

    Parameters
    ----------
    x : array_like
        Half of a spectrum.
    s : tuple of int, optional
        The result's size along each of ``axes``; at first ``2 * (m - 1)`` along the last.
    axes, norm
        As :func:`fftn` takes them.

    Returns
    -------
    Tensor
        Real.

    Raises
    ------
    DomainError
        If there is no axis to transform.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.irfftn(ad.fft.rfftn(ad.ones((4, 3))), s=(4, 3)).shape
    (4, 3)
    """
    sizes, along = _sizes_and_axes("fft.irfftn", x, s, axes)
    _require_axes("fft.irfftn", x, along)
    x = _along_each(ifft, x, sizes[:-1], along[:-1], norm)
    return irfft(x, n=sizes[-1], axis=along[-1], norm=norm)


def _require_axes(operation: str, x: Array, axes: list[int]) -> None:
    if not axes:
        message = f"{operation}(x: {describe(x)}): there is no axis to transform"
        raise DomainError(f"{message}. Give at least one, of an array that has it.")


@composite(name="fft.hfft")
def hfft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Discrete Fourier transform of a signal that mirrors itself: a real spectrum.

    Parameters
    ----------
    x : array_like
        The first half of the signal.
    n : int, optional
        The size of the result along the axis; at first ``2 * (m - 1)`` for ``m`` elements.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by 1, ``1 / sqrt(n)`` or ``1 / n``.

    Returns
    -------
    Tensor
        Real.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.hfft([1.0, 0.0, 0.0])
    tensor([1., 1., 1., 1.], dtype=float32)
    """
    return irfft(xp.conj(x), n=n, axis=axis, norm=_dual("fft.hfft", norm))


@composite(name="fft.ihfft")
def ihfft(
    xp: Namespace,
    x: Array,
    /,
    *,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    """Inverse of :func:`hfft`: the first half of the signal of a real spectrum.

    Parameters
    ----------
    x : array_like
        Real.
    n : int, optional
        Crop the axis to this size, or pad it with zeros, first.
    axis : int
    norm : {'backward', 'ortho', 'forward'}
        Multiply by ``1 / n``, ``1 / sqrt(n)`` or 1.

    Returns
    -------
    Tensor
        Complex, of size ``n // 2 + 1`` along the axis.

    Raises
    ------
    DTypeError
        If the operand is complex.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.ihfft([1.0, 1.0, 1.0, 1.0]).shape
    (3,)
    """
    return xp.conj(rfft(x, n=n, axis=axis, norm=_dual("fft.ihfft", norm)))


def _dual(operation: str, norm: str) -> str:
    if norm not in _DUAL:
        message = f"{operation}: norm {norm!r} is unknown"
        raise OptionError(f"{message}. Use 'backward', 'ortho' or 'forward'.")
    return _DUAL[norm]


@primitive(name="fft.fftshift")
def fftshift(xp: Namespace, x: Array, /, *, axes: Axes = None) -> Array:
    """Move the zero frequency from the start to the middle.

    Parameters
    ----------
    x : array_like
    axes : int or tuple of int, optional
        Along which axes; all of them where None.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.fftshift([0, 1, 2, -2, -1])
    tensor([-2, -1,  0,  1,  2], dtype=int64)
    """
    _require("fft.fftshift", x, axes)
    return xp.fft.fftshift(x, axes=axes)


@fftshift.vjp
def _(xp: Namespace, g: Array, axes: Axes) -> Array:
    return xp.fft.ifftshift(g, axes=axes)


@primitive(name="fft.ifftshift")
def ifftshift(xp: Namespace, x: Array, /, *, axes: Axes = None) -> Array:
    """Undo :func:`fftshift`.

    Parameters
    ----------
    x : array_like
    axes : int or tuple of int, optional
        Along which axes; all of them where None.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.ifftshift([-2, -1, 0, 1, 2])
    tensor([ 0,  1,  2, -2, -1], dtype=int64)
    """
    _require("fft.ifftshift", x, axes)
    return xp.fft.ifftshift(x, axes=axes)


@ifftshift.vjp
def _(xp: Namespace, g: Array, axes: Axes) -> Array:
    return xp.fft.fftshift(g, axes=axes)


@typed_calls
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """Frequencies of :func:`fft`'s elements, in cycles per unit of the sample spacing.

    Parameters
    ----------
    n : int
        How many points were transformed.
    d : float
        Their spacing.
    dtype : dtype, optional
        At first the default dtype.
    device : optional
        ``"cpu"`` or None.

    Returns
    -------
    (n,)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.fftfreq(4)
    tensor([ 0.  ,  0.25, -0.5 , -0.25], dtype=float32)
    """
    return _frequencies("fft.fftfreq", np.fft.fftfreq, n, d, dtype, device)


@typed_calls
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """Frequencies of :func:`rfft`'s elements, in cycles per unit of the sample spacing.

    Parameters
    ----------
    n : int
        How many points were transformed.
    d : float
        Their spacing.
    dtype : dtype, optional
        At first the default dtype.
    device : optional
        ``"cpu"`` or None.

    Returns
    -------
    (n // 2 + 1,)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.fft.rfftfreq(4)
    tensor([0.  , 0.25, 0.5 ], dtype=float32)
    """
    return _frequencies("fft.rfftfreq", np.fft.rfftfreq, n, d, dtype, device)


def _frequencies(
    operation: str, function: Any, n: int, d: float, dtype: Any, device: Any
) -> Tensor:
    if device not in (None, "cpu"):
        raise OptionError(f"{operation}: device {device!r} is not available. Use 'cpu'.")
    if not hasattr(n, "__index__") or n.__index__() < 1:
        message = f"{operation}: the number of points is {n!r}"
        raise DomainError(f"{message}. Give a positive int.")
    return make_tensor(function(n.__index__(), d).astype(dtype or get_default_dtype()))


for _function in (fftfreq, rfftfreq):
    setattr(tensors.fft, _function.__name__, _function)
