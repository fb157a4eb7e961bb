"""Convolution over one axis and two, as one matrix product over all windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn import init
from nn.calls import typed
from nn.checks import as_floats, check_known, check_size, name_of
from nn.module import Module, Parameter
from nn.windows import Sizes, batched, one_for_each, padded, windows

__all__ = ["Conv1d", "Conv2d"]

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Convolution(Module):
    """What the convolutions share; they differ in the number of axes and in the direction."""

    _axes: int
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        axes = self._axes
        self.in_channels = check_size(self, "in_channels", in_channels, 1)
        self.out_channels = check_size(self, "out_channels", out_channels, 1)
        self.kernel_size = one_for_each(self, "kernel_size", kernel_size, axes, 1)
        self.stride = one_for_each(self, "stride", stride, axes, 1)
        self.dilation = one_for_each(self, "dilation", dilation, axes, 1)
        self.groups = check_size(self, "groups", groups, 1)
        self.padding = _padding(self, padding, self.stride)
        self.padding_mode = check_known(self, "padding_mode", padding_mode, list(_MODES))
        if self.in_channels % self.groups or self.out_channels % self.groups:
            message = f"{name_of(self)}: {in_channels} channels to {out_channels} can't be split "
            raise ad.OptionError(f"{message}into {groups} groups. Give a number that divides both.")
        self.weight = Parameter(ad.zeros(self._weight_shape(), dtype=dtype))
        self.bias = Parameter(ad.zeros((self.out_channels,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def _weight_shape(self) -> Sizes:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
        for parameter in self.parameters(recurse=False):
            init.uniform_(parameter, -bound, bound)

    def forward(self, x: Any) -> ad.Tensor:
        """Convolve ``(N, C, ...)`` or ``(C, ...)``.

        Raises
        ------
        ShapeError
            If the axes or channels are not those of the layer, the kernel is larger than the
            padded input, or the padding takes more from the input than there is.
        """
        return _convolved(
            self,
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.padding_mode,
        )

    def extra_repr(self) -> str:
        """Return the sizes, and what is not usual."""
        parts = [str(self.in_channels), str(self.out_channels)]
        ones, zeros = (1,) * self._axes, (0,) * self._axes
        usual: dict[str, Any] = {"stride": ones, "padding": zeros, "dilation": ones}
        usual |= {"output_padding": zeros, "groups": 1}
        parts.append(f"kernel_size={self.kernel_size}")
        for name, common in usual.items():
            if getattr(self, name, common) != common:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        return ", ".join(parts)


class Conv2d(Convolution):
    r"""A linear layer on every window of an image, with the same weights everywhere.

    .. math:: y_{o,i,j} = b_o + \sum_{c,u,v} w_{o,c,u,v}\, x_{c,\; s i + d u - p,\; s j + d v - p}

    with the stride s, the dilation d and the padding p (so it is a correlation: the kernel is
    not mirrored). The weights start from ``U(-k, k)`` with ``k = 1 / sqrt(fan_in)``, biases
    too, as PyTorch's. LeCun et al., "Gradient-based learning applied to document
    recognition", 1998.

    Parameters
    ----------
    in_channels, out_channels : int
        The numbers C and O of channels of input and output.
    kernel_size : int or (int, int)
        The size of the window.
    stride : int or (int, int)
        The step between windows.
    padding : int, (int, int), "valid" or "same"
        How much is put around the input at either end: nothing for "valid"; for "same" as
        much as gives an output of the input's size, which needs a stride of 1.
    dilation : int or (int, int)
        The step between the elements of a window.
    groups : int
        Divides the channels: each group of outputs sees one group of inputs alone.
    bias : bool
        Whether there is a ``b``.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding holds.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(O, C / groups, K_1, K_2)``.
    bias : Parameter or None
        ``(O,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.Conv2d(3, 16, 5, stride=2, padding=2)
    >>> layer(ad.zeros((8, 3, 32, 32))).shape
    (8, 16, 16, 16)
    """

    _axes = 2


class Conv1d(Convolution):
    r"""A linear layer on every window of a sequence, with the same weights everywhere.

    .. math:: y_{o,i} = b_o + \sum_{c,u} w_{o,c,u}\, x_{c,\; s i + d u - p}

    Everything as of :class:`Conv2d`, for inputs ``(N, C, L)`` or ``(C, L)``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of :class:`Conv2d`, for one axis.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(O, C / groups, K)``.
    bias : Parameter or None
        ``(O,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Conv1d(3, 16, 5, padding="same")(ad.zeros((8, 3, 32))).shape
    (8, 16, 32)
    """

    _axes = 1


@typed
def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> ad.Tensor:
    """Convolve sequences ``(N, C, L)`` with a weight ``(O, C / groups, K)``.

    Parameters as of :class:`nn.Conv1d`.

    Examples
    --------
    >>> from nn.functional import conv1d
    >>> conv1d([[1.0, 2.0, 3.0, 4.0]], [[[-1.0, 1.0]]])
    tensor([[1., 1., 1.]], dtype=float32)
    """
    return _function("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@typed
def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> ad.Tensor:
    """Convolve images ``(N, C, H, W)`` with a weight ``(O, C / groups, K_1, K_2)``.

    Parameters as of :class:`nn.Conv2d`.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn.functional import conv2d
    >>> conv2d(ad.ones((1, 3, 3)), ad.ones((1, 1, 2, 2)))
    tensor([[[4., 4.],
             [4., 4.]]], dtype=float32)
    """
    return _function("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def _function(
    name: str,
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> ad.Tensor:
    """Check what a layer checks when it is made."""
    weight, groups = check_weight(name, axes, weight, groups, "O, C")
    bias = check_bias(name, bias, weight, weight.shape[0])
    stride = one_for_each(name, "stride", stride, axes, 1)
    dilation = one_for_each(name, "dilation", dilation, axes, 1)
    padding = _padding(name, padding, stride)
    with ad.name_scope(name):
        return _convolved(name, x, weight, bias, stride, padding, dilation, groups, "zeros")


def check_weight(
    name: str, axes: int, weight: Any, groups: Any, channels: str
) -> tuple[ad.Tensor, int]:
    """Return a function's weight and groups; raise ShapeError where they do not fit."""
    weight = as_floats(name, weight)
    groups = check_size(name, "groups", groups, 1)
    if weight.ndim != axes + 2 or not weight.size or weight.shape[0] % groups:
        message = f"{name}: the weight {ad.errors.describe(weight)} does not fit {groups} groups"
        kernel = "K" if axes == 1 else "K_1, K_2"
        raise ad.ShapeError(f"{message}. Give ({channels} / groups, {kernel}).")
    return weight, groups


def check_bias(name: str, bias: Any, weight: ad.Tensor, outputs: int) -> ad.Tensor | None:
    """Return a function's bias; raise ShapeError unless it has a number for each output."""
    if bias is None:
        return None
    tensor = as_floats(name, bias)
    if tensor.shape != (outputs,):
        message = f"{name}: the bias {ad.errors.describe(tensor)} does not fit the weight "
        raise ad.ShapeError(f"{message}{weight.shape}. Give one number for each output channel.")
    return tensor


def check_channels(owner: Module | str, x: ad.Tensor, weight: ad.Tensor, inside: int) -> None:
    """Raise ShapeError unless ``(N, C, ...)`` has the channels that the weight takes."""
    if x.shape[1] != inside:
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} has {x.shape[1]} channels, "
        message += f"the weight {weight.shape} takes {inside}"
        raise ad.ShapeError(f"{message}. Give an input of shape (N, {inside}, ...).")


def _padding(owner: Module | str, padding: Any, stride: Sizes) -> Sizes | str:
    """Return the padding for each axis, or the word that stands for it."""
    if not isinstance(padding, str):
        return one_for_each(owner, "padding", padding, len(stride))
    check_known(owner, "padding", padding, ("valid", "same"))
    if padding == "same" and any(step != 1 for step in stride):
        message = f"{name_of(owner)}: padding='same' with the stride {stride}"
        raise ad.OptionError(f"{message} is not defined. Give a stride of 1, or a padding.")
    return padding


def _convolved(
    owner: Module | str,
    x: Any,
    weight: ad.Tensor,
    bias: ad.Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    padding_mode: str,
) -> ad.Tensor:
    x, added = batched(owner, as_floats(owner, x), len(stride))
    outputs, size = weight.shape[0], weight.shape[2:]
    check_channels(owner, x, weight, weight.shape[1] * groups)
    widths = _widths(padding, size, dilation)
    _check_widths(owner, x, widths, padding_mode)
    # Channels first, in memory too: so lies the output, and so the gradient will.
    x = padded(ad.moveaxis(x, 0, 1), widths, _MODES[padding_mode])
    view = windows(owner, x, size, stride, dilation)
    _, batch, *places = view.shape[: 2 + len(size)]
    # All windows as columns, (groups, C / groups * K, N * positions): then one product for
    # each group gives all of the output, and one its gradients.
    axes = range(1, view.ndim)
    order = (0, *axes[1 + len(size) :], *axes[: 1 + len(size)])
    columns = ad.permute_dims(view, order).reshape(
        groups, weight.size // outputs, batch * math.prod(places)
    )
    if groups == 1:
        y = weight.reshape(outputs, -1) @ columns.reshape(columns.shape[1:])
    else:
        y = weight.reshape(groups, outputs // groups, -1) @ columns
        y = y.reshape(outputs, columns.shape[-1])
    if bias is not None:
        y = y + ad.expand_dims(bias, axis=-1)
    y = ad.moveaxis(y.reshape(outputs, batch, *places), 0, 1)
    return ad.squeeze(y, axis=0) if added else y


def _widths(padding: Sizes | str, size: Sizes, dilation: Sizes) -> list[tuple[int, int]]:
    """Return how much is put before and behind each axis."""
    if padding == "valid":
        return [(0, 0)] * len(size)
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(int(width), int(width)) for width in padding]


def _check_widths(
    owner: Module | str, x: ad.Tensor, widths: list[tuple[int, int]], mode: str
) -> None:
    """Raise ShapeError where the padding would hold an element of the input twice."""
    if mode not in ("reflect", "circular"):
        return
    spared = 1 if mode == "reflect" else 0  # a mirror does not repeat the border
    if any(max(ends) > max(0, n - spared) for ends, n in zip(widths, x.shape[2:], strict=True)):
        message = f"{name_of(owner)}: padding_mode={mode!r} takes the padding {widths} from the "
        raise ad.ShapeError(
            f"{message}input {ad.errors.describe(x)}, which is too small. "
            "Give a larger input, a smaller padding, or another padding_mode."
        )
