"""Transposed convolution over one axis and two: one matrix product, whose windows are added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import as_floats, check_known, check_numbers, name_of
from nn.convolution import Convolution, check_bias, check_channels, check_weight
from nn.module import Module
from nn.windows import Sizes, batched, one_for_each, padded

__all__ = ["ConvTranspose1d", "ConvTranspose2d"]


class _ConvTranspose(Convolution):
    """What the transposed convolutions share; they differ in the number of axes."""

    padding: Sizes

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        padding = one_for_each(self, "padding", padding, self._axes)  # no word, as "same"
        check_known(self, "padding_mode", padding_mode, ["zeros"])
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
        )
        self.output_padding = _output_padding(self, output_padding, self.stride, self.dilation)

    def _weight_shape(self) -> Sizes:
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> ad.Tensor:
        """Spread ``(N, C, ...)`` or ``(C, ...)``.

        Parameters
        ----------
        x : (N, C, ...) or (C, ...)
        output_size : sequence of int, optional
            The size of the result along the axes after the channels, or its whole shape: it
            takes the place of ``output_padding``.

        Raises
        ------
        ShapeError
            If the axes or channels are not those of the layer, there is nothing to spread, or
            the padding takes more from the result than there is.
        OptionError
            If no output padding gives that ``output_size``.
        """
        x = as_floats(self, x)
        extra = self.output_padding if output_size is None else self._missing(x, output_size)
        return _spread(
            self,
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.dilation,
            self.groups,
        )

    def _missing(self, x: ad.Tensor, output_size: Any) -> Sizes:
        """Return the output padding that gives an output of this size."""
        wanted = check_numbers(self, "output_size", output_size)
        lengths = batched(self, x, self._axes)[0].shape[2:]
        least = _lengths(lengths, self.kernel_size, self.stride, self.padding, self.dilation)
        extra = tuple(w - n for w, n in zip(wanted[-self._axes :], least, strict=False))
        most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
        fits = all(0 <= e < s for e, s in zip(extra, self.stride, strict=False))
        if len(wanted) not in (self._axes, x.ndim) or not fits:
            message = f"{name_of(self)}: output_size is {wanted}"
            raise ad.OptionError(f"{message}. Give a size from {least} to {most} for this input.")
        return extra


class ConvTranspose2d(_ConvTranspose):
    r"""The transpose of :class:`Conv2d`: every pixel puts its kernel down, and these add up.

    .. math:: y_{o,m,n} = b_o + \sum w_{c,o,u,v}\, x_{c,i,j} \quad\text{over all } c, i, j, u, v
              \text{ with } m = s i + d u - p,\; n = s j + d v - p

    with the stride s, the dilation d and the padding p. This is the gradient of :class:`Conv2d`
    with the same weight, so it undoes that layer's change of size: with a stride it makes
    images larger, as a decoder or a generator does. An axis of size L becomes one of size
    ``(L - 1) s - 2 p + d (K - 1) + output_padding + 1``. Weights start as :class:`Conv2d`'s,
    with ``fan_in`` of this weight's second axis, as PyTorch's. Dumoulin and Visin, "A guide
    to convolution arithmetic for deep learning", 2016, chapter 4.

    Parameters
    ----------
    in_channels, out_channels : int
        The numbers C and O of channels of input and output.
    kernel_size : int or (int, int)
        The size of the window.
    stride : int or (int, int)
        The step between windows of the output.
    padding : int or (int, int)
        How much is taken from the output at either end.
    output_padding : int or (int, int)
        How much of the output is added behind its end: a :class:`Conv2d` with a stride makes
        one size of several, and this says of which. Less than the stride or the dilation.
    groups : int
        Divides the channels: each group of outputs sees one group of inputs alone.
    bias : bool
        Whether there is a ``b``.
    dilation : int or (int, int)
        The step between the elements of a window.
    padding_mode : {"zeros"}
        As PyTorch's, which knows no other here.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(C, O / groups, K_1, K_2)``.
    bias : Parameter or None
        ``(O,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1)
    >>> layer(ad.zeros((8, 16, 16, 16))).shape
    (8, 3, 32, 32)
    >>> nn.ConvTranspose2d(16, 3, 3, stride=2)(ad.zeros((8, 16, 16, 16)), (34, 34)).shape
    (8, 3, 34, 34)
    """

    _axes = 2


class ConvTranspose1d(_ConvTranspose):
    r"""The transpose of :class:`Conv1d`: every element puts its kernel down, and these add up.

    .. math:: y_{o,m} = b_o + \sum w_{c,o,u}\, x_{c,i} \quad\text{over all } c, i, u
              \text{ with } m = s i + d u - p

    Everything as of :class:`ConvTranspose2d`, for inputs ``(N, C, L)`` or ``(C, L)``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
        As of :class:`ConvTranspose2d`, for one axis.
    padding_mode : {"zeros"}
        As PyTorch's, which knows no other here.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(C, O / groups, K)``.
    bias : Parameter or None
        ``(O,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.ConvTranspose1d(16, 3, 5, stride=2)(ad.zeros((8, 16, 14))).shape
    (8, 3, 31)
    """

    _axes = 1


@typed
def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> ad.Tensor:
    """Spread sequences ``(N, C, L)`` by a weight ``(C, O / groups, K)``.

    Parameters as of :class:`nn.ConvTranspose1d`.

    Examples
    --------
    >>> from nn.functional import conv_transpose1d
    >>> conv_transpose1d([[1.0, 2.0, 3.0]], [[[1.0, 10.0]]])
    tensor([[ 1., 12., 23., 30.]], dtype=float32)
    """
    options = (stride, padding, output_padding, dilation)
    return _function("conv_transpose1d", 1, input, weight, bias, groups, *options)


@typed
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> ad.Tensor:
    """Spread images ``(N, C, H, W)`` by a weight ``(C, O / groups, K_1, K_2)``.

    Parameters as of :class:`nn.ConvTranspose2d`.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn.functional import conv_transpose2d
    >>> conv_transpose2d(ad.ones((1, 2, 2)), ad.ones((1, 1, 2, 2)))
    tensor([[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]], dtype=float32)
    """
    options = (stride, padding, output_padding, dilation)
    return _function("conv_transpose2d", 2, input, weight, bias, groups, *options)


def _function(
    name: str,
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    groups: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
) -> ad.Tensor:
    """Check what a layer checks when it is made."""
    weight, groups = check_weight(name, axes, weight, groups, "C, O")
    bias = check_bias(name, bias, weight, weight.shape[1] * groups)
    stride = one_for_each(name, "stride", stride, axes, 1)
    padding = one_for_each(name, "padding", padding, axes)
    dilation = one_for_each(name, "dilation", dilation, axes, 1)
    extra = _output_padding(name, output_padding, stride, dilation)
    with ad.name_scope(name):
        return _spread(name, x, weight, bias, stride, padding, extra, dilation, groups)


def _output_padding(owner: Module | str, value: Any, stride: Sizes, dilation: Sizes) -> Sizes:
    """Return the output padding for each axis; raise OptionError where it is too large."""
    extra = one_for_each(owner, "output_padding", value, len(stride))
    most = tuple(max(s, d) - 1 for s, d in zip(stride, dilation, strict=True))
    if any(e > m for e, m in zip(extra, most, strict=True)):
        message = f"{name_of(owner)}: output_padding is {extra}, with the stride {stride} and the "
        raise ad.OptionError(f"{message}dilation {dilation}. Give less than one of them.")
    return extra


def _lengths(lengths: Sizes, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Sizes:
    """Return the output's size along each axis, without output padding."""
    return tuple(
        (n - 1) * s + d * (k - 1) + 1 - 2 * p
        for n, k, s, p, d in zip(lengths, size, stride, padding, dilation, strict=True)
    )


def _spread(
    owner: Module | str,
    x: Any,
    weight: ad.Tensor,
    bias: ad.Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> ad.Tensor:
    x, added = batched(owner, as_floats(owner, x), len(stride))
    check_channels(owner, x, weight, weight.shape[0])
    batch, inside, *places = x.shape
    outputs, size = weight.shape[1] * groups, weight.shape[2:]
    full = _lengths(x.shape[2:], size, stride, (0,) * len(size), dilation)
    ends = tuple(n - p + e for n, p, e in zip(full, padding, output_padding, strict=True))
    if 0 in places or any(p > end for p, end in zip(padding, ends, strict=True)):
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} with the padding {padding} "
        raise ad.ShapeError(f"{message}has no output. Give a larger input or a smaller padding.")
    # All pixels as columns, (C, N * positions): then one product for each group gives the
    # windows of all of the output, (O, K, N, positions), and one its gradients.
    columns = ad.moveaxis(x, 0, 1).reshape(inside, batch * math.prod(places))
    kernels = weight.reshape(inside, math.prod(weight.shape[1:]))
    if groups > 1:
        columns = columns.reshape(groups, inside // groups, -1)
        kernels = kernels.reshape(groups, inside // groups, -1)
    view = (kernels.mT @ columns).reshape(outputs, *size, batch, *places)
    axes = range(1, view.ndim)
    view = ad.permute_dims(view, (0, *axes[len(size) :], *axes[: len(size)]))
    shape, slid = (outputs, batch, *full), tuple(range(2, 2 + len(size)))
    y = ad.overlap_add(view, shape, slid, step=stride, dilation=dilation)
    y = padded(y, [(0, max(0, end - n)) for end, n in zip(ends, full, strict=True)])
    if any(padding):
        y = y[(..., *(slice(p, end) for p, end in zip(padding, ends, strict=True)))]
    if bias is not None:
        y = y + ad.expand_dims(bias, axis=tuple(range(1, y.ndim)))
    y = ad.moveaxis(y, 0, 1)
    return ad.squeeze(y, axis=0) if added else y
