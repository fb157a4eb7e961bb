"""Pooling: one number for each window of an image or a sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import as_floats, check_size, name_of
from nn.module import Module
from nn.windows import Sizes, batched, one_for_each, padded, windows

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d",
]  # fmt: skip


class _Pooling(Module):
    """What pooling over windows shares: their size, step and padding."""

    _axes: int

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        axes = self._axes
        self.kernel_size = one_for_each(self, "kernel_size", kernel_size, axes, 1)
        step = kernel_size if stride is None else stride
        self.stride = one_for_each(self, "stride", step, axes, 1)
        self.padding = one_for_each(self, "padding", padding, axes)
        self.ceil_mode = bool(ceil_mode)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            message = f"{name_of(self)}: the padding {self.padding} is more than half of the window"
            raise ad.OptionError(f"{message} {self.kernel_size}: some would hold nothing else.")

    def extra_repr(self) -> str:
        """Return the size, and what is not usual."""
        parts = [f"kernel_size={_short(self.kernel_size)}"]
        if self.stride != self.kernel_size:
            parts.append(f"stride={_short(self.stride)}")
        if any(self.padding):
            parts.append(f"padding={_short(self.padding)}")
        return ", ".join(parts + ["ceil_mode=True"] * self.ceil_mode)


class _MaxPool(_Pooling):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.dilation = one_for_each(self, "dilation", dilation, self._axes, 1)

    def forward(self, x: Any) -> ad.Tensor:
        """Take the largest element of each window of ``(N, C, ...)`` or ``(C, ...)``."""
        x, added = batched(self, as_floats(self, x), self._axes)
        widths = _widths(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        x = padded(x, widths, value=-math.inf)
        view = windows(self, x, self.kernel_size, self.stride, self.dilation)
        y = _first_largest(view, self._axes)
        return ad.squeeze(y, axis=0) if added else y


class MaxPool2d(_MaxPool):
    """The largest element of each window of an image, channel by channel.

    It makes images smaller and what is found in them less dependent on where it is. The
    gradient goes to the largest element; of several to the first, as PyTorch's.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of the window.
    stride : int or (int, int), optional
        The step between windows; at first the window's size.
    padding : int or (int, int)
        How much of what is never the largest is put around the input at either end: at
        most half of the window.
    dilation : int or (int, int)
        The step between the elements of a window.
    ceil_mode : bool
        Whether a window may reach beyond the end, so that nothing is left over.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.MaxPool2d(2)(ad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]], dtype=float32)
    """

    _axes = 2


class MaxPool1d(_MaxPool):
    """The largest element of each window of a sequence; everything as of :class:`MaxPool2d`.

    Examples
    --------
    >>> import nn
    >>> nn.MaxPool1d(3, stride=1, padding=1)([[1.0, 5.0, 2.0, 3.0]])
    tensor([[5., 5., 5., 3.]], dtype=float32)
    """

    _axes = 1


class _AvgPool(_Pooling):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = bool(count_include_pad)
        if divisor_override is not None:
            divisor_override = check_size(self, "divisor_override", divisor_override, 1)
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> ad.Tensor:
        """Average over each window of ``(N, C, ...)`` or ``(C, ...)``."""
        x, added = batched(self, as_floats(self, x), self._axes)
        ones = (1,) * self._axes
        widths = _widths(x, self.kernel_size, self.stride, self.padding, ones, self.ceil_mode)
        lengths = x.shape[2:]
        view = windows(self, padded(x, widths), self.kernel_size, self.stride, ones)
        ends = tuple(range(view.ndim - self._axes, view.ndim))
        if self.divisor_override is not None:
            y = ad.sum(view, axis=ends) / self.divisor_override
        elif not any(before or after for before, after in widths):
            y = ad.mean(view, axis=ends)
        else:
            y = ad.sum(view, axis=ends) * self._shares(lengths, view.shape[2 : 2 + self._axes], x)
        return ad.squeeze(y, axis=0) if added else y

    def _shares(self, lengths: Sizes, places: Sizes, x: ad.Tensor) -> ad.Tensor:
        """Return one over the number of elements that count, for each window."""
        shares = ad.ones((), dtype=x.dtype)
        for length, count, k, s, p in zip(
            lengths, places, self.kernel_size, self.stride, self.padding, strict=True
        ):
            edge = p if self.count_include_pad else 0
            ends = [min(i * s - p + k, length + edge) for i in range(count)]
            starts = [max(i * s - p, -edge) for i in range(count)]
            counts = ad.asarray([e - b for e, b in zip(ends, starts, strict=True)], dtype=x.dtype)
            shares = ad.expand_dims(shares, axis=-1) * (1 / counts)
        return shares


class AvgPool2d(_AvgPool):
    """The mean of each window of an image, channel by channel.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of the window.
    stride : int or (int, int), optional
        The step between windows; at first the window's size.
    padding : int or (int, int)
        How many zeros are put around the input at either end: at most half of the window.
    ceil_mode : bool
        Whether a window may reach beyond the end, so that nothing is left over.
    count_include_pad : bool
        Whether the zeros of the padding count in the mean.
    divisor_override : int, optional
        What the sum of each window is divided by, whatever the number of its elements.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.AvgPool2d(2)(ad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5,  4.5],
             [10.5, 12.5]]], dtype=float32)
    """

    _axes = 2


class AvgPool1d(_AvgPool):
    """The mean of each window of a sequence; everything as of :class:`AvgPool2d`.

    Examples
    --------
    >>> import nn
    >>> nn.AvgPool1d(2)([[1.0, 5.0, 2.0, 3.0]])
    tensor([[3. , 2.5]], dtype=float32)
    """

    _axes = 1


class _AdaptiveAvgPool(Module):
    _axes: int

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        sizes = output_size if isinstance(output_size, Sequence) else [output_size] * self._axes
        if len(sizes) != self._axes:
            message = f"{name_of(self)}: output_size is {output_size!r}"
            raise ad.OptionError(f"{message}. Give one size, or one for each of {self._axes} axes.")
        self.output_size = tuple(
            None if n is None else check_size(self, "output_size", n, 1) for n in sizes
        )

    def forward(self, x: Any) -> ad.Tensor:
        """Average over the bins of ``(N, C, ...)`` or ``(C, ...)``."""
        x, added = batched(self, as_floats(self, x), self._axes)
        if 0 in x.shape[2:]:
            message = f"{name_of(self)}: the input {ad.errors.describe(x)} has nothing to average"
            raise ad.ShapeError(f"{message}. Give axes of size 1 or more.")
        if all(n == 1 for n in self.output_size):
            y = ad.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)
        else:
            y = x
            for axis, size in enumerate(self.output_size, 2):
                if size not in (None, y.shape[axis]):
                    y = _binned(y, axis, size)
        return ad.squeeze(y, axis=0) if added else y

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"output_size={_short(self.output_size)}"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    r"""Means over as many bins as are wanted, whatever the size of the image.

    Bin i of M along an axis of length L goes from :math:`\lfloor i L / M \rfloor` up to
    :math:`\lceil (i + 1) L / M \rceil`, so bins overlap where M does not divide L.

    Parameters
    ----------
    output_size : int, None or a pair of these
        The number of bins along each axis; None: as many as the input has.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.AdaptiveAvgPool2d((1, 3))(ad.ones((2, 8, 5, 7))).shape
    (2, 8, 1, 3)
    """

    _axes = 2


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over as many bins as are wanted, whatever the length; as :class:`AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import nn
    >>> nn.AdaptiveAvgPool1d(2)([[1.0, 2.0, 6.0]])
    tensor([[1.5, 4. ]], dtype=float32)
    """

    _axes = 1


@typed
def max_pool1d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> ad.Tensor:
    """Apply :class:`nn.MaxPool1d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import max_pool1d
    >>> max_pool1d([[1.0, 5.0, 2.0, 3.0]], 2)
    tensor([[5., 3.]], dtype=float32)
    """
    return MaxPool1d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode).forward(input)


@typed
def max_pool2d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> ad.Tensor:
    """Apply :class:`nn.MaxPool2d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import max_pool2d
    >>> max_pool2d([[[1.0, 5.0], [2.0, 4.0]]], 2)
    tensor([[[5.]]], dtype=float32)
    """
    return MaxPool2d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode).forward(input)


@typed
def avg_pool1d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> ad.Tensor:
    """Apply :class:`nn.AvgPool1d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import avg_pool1d
    >>> avg_pool1d([[1.0, 5.0, 2.0, 3.0]], 2)
    tensor([[3. , 2.5]], dtype=float32)
    """
    return AvgPool1d(kernel_size, stride, padding, ceil_mode, count_include_pad).forward(input)


@typed
def avg_pool2d(
    input: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> ad.Tensor:
    """Apply :class:`nn.AvgPool2d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import avg_pool2d
    >>> avg_pool2d([[[1.0, 5.0], [2.0, 4.0]]], 2)
    tensor([[[3.]]], dtype=float32)
    """
    options = (ceil_mode, count_include_pad, divisor_override)
    return AvgPool2d(kernel_size, stride, padding, *options).forward(input)


@typed
def adaptive_avg_pool1d(
    input: Any,
    output_size: int | Sequence[int | None] | None,
) -> ad.Tensor:
    """Apply :class:`nn.AdaptiveAvgPool1d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import adaptive_avg_pool1d
    >>> adaptive_avg_pool1d([[1.0, 5.0, 2.0, 3.0]], 1)
    tensor([[2.75]], dtype=float32)
    """
    return AdaptiveAvgPool1d(output_size).forward(input)


@typed
def adaptive_avg_pool2d(
    input: Any,
    output_size: int | Sequence[int | None] | None,
) -> ad.Tensor:
    """Apply :class:`nn.AdaptiveAvgPool2d` with these options to an input.

    Examples
    --------
    >>> from nn.functional import adaptive_avg_pool2d
    >>> adaptive_avg_pool2d([[[1.0, 5.0], [2.0, 4.0]]], (1, 2))
    tensor([[[1.5, 4.5]]], dtype=float32)
    """
    return AdaptiveAvgPool2d(output_size).forward(input)


def _first_largest(view: ad.Tensor, axes: int) -> ad.Tensor:
    """Reduce the last axes to their largest element, the first of several."""
    flat = view.reshape(*view.shape[:-axes], math.prod(view.shape[-axes:]))
    chosen = ad.argmax(flat, axis=-1, keepdims=True)
    return ad.squeeze(ad.take_along_axis(flat, chosen, axis=-1), axis=-1)


def _binned(x: ad.Tensor, axis: int, size: int) -> ad.Tensor:
    """Average along one axis by a matrix product: row i of the matrix holds the shares of bin i."""
    length = x.shape[axis]
    rows = []
    for i in range(size):
        start, end = i * length // size, -((i + 1) * length // -size)
        rows.append([start <= j < end for j in range(length)])
    inside = ad.asarray(rows).astype(x.dtype)
    shares = inside / ad.sum(inside, axis=-1, keepdims=True)
    if axis == x.ndim - 1:
        return ad.matmul(x, shares.mT)
    return ad.moveaxis(ad.matmul(ad.moveaxis(x, axis, -1), shares.mT), -1, axis)


def _widths(
    x: ad.Tensor, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> list[tuple[int, int]]:
    """Return how much is put before and behind each axis."""
    widths = []
    for n, k, s, p, d in zip(x.shape[2:], size, stride, padding, dilation, strict=True):
        free = n + 2 * p - d * (k - 1) - 1  # how far the first window can move, if it fits
        after = p
        if ceil_mode and free > -s:
            last = -(free // -s) * s  # where the last window starts
            if last >= n + p:  # it would see the padding behind the end alone
                last -= s
            after += max(0, last - free)
        widths.append((p, after))
    return widths


def _short(sizes: tuple[Any, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else str(sizes)
