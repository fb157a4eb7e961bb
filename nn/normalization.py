"""Normalisation: over the features of an example, over the examples of a batch, or in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn import init
from nn.calls import typed
from nn.checks import (
    as_floats,
    check_numbers,
    check_positive,
    check_probability,
    check_size,
    name_of,
)
from nn.module import Module, Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm", "RMSNorm"]


class _OverLastAxes(Module):
    """What LayerNorm and RMSNorm share: the last axes, whose sizes are those of the weight."""

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None,
        elementwise_affine: bool,
        dtype: Any,
    ) -> None:
        sizes = normalized_shape if isinstance(normalized_shape, Sequence) else [normalized_shape]
        self.normalized_shape = tuple(check_size(self, "normalized_shape", n, 1) for n in sizes)
        if not self.normalized_shape:
            message = f"{name_of(self)}: normalized_shape is empty"
            raise ad.OptionError(f"{message}. Give the size of the last axis.")
        self.eps = eps if eps is None else check_positive(self, "eps", eps, or_zero=True)
        self.elementwise_affine = bool(elementwise_affine)
        weight = ad.ones(self.normalized_shape, dtype=dtype) if elementwise_affine else None
        self.weight = None if weight is None else Parameter(weight)

    def extra_repr(self) -> str:
        """Return the sizes."""
        sizes = self.normalized_shape
        affine = "" if self.elementwise_affine else ", elementwise_affine=False"
        return f"{sizes[0] if len(sizes) == 1 else sizes}{affine}"


class LayerNorm(_OverLastAxes):
    r"""Normalise each example over its last axes.

    .. math:: y = \frac{x - \mathrm{E}[x]}{\sqrt{\mathrm{Var}[x] + \epsilon}} \odot w + b

    Mean and (population's) variance are taken over the last axes, of sizes
    ``normalized_shape``; nothing depends on the batch, so training and evaluation are alike.
    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes.
    eps : float
        Keeps the root away from 0.
    elementwise_affine : bool
        Whether there are a ``w`` and a ``b``.
    bias : bool
        Whether there is a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape ``normalized_shape``; at first ones and zeros.

    Examples
    --------
    >>> import nn
    >>> nn.LayerNorm(2)([[1.0, 3.0], [10.0, 30.0]])
    tensor([[-0.999995,  0.999995],
            [-1.      ,  1.      ]], dtype=float32, requires_grad=True, op=add)
    """

    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, dtype)
        zeros = ad.zeros(self.normalized_shape, dtype=dtype)
        self.bias = Parameter(zeros) if bias and elementwise_affine else None

    def forward(self, x: Any) -> ad.Tensor:
        """Normalise ``(..., *normalized_shape)``; raise ShapeError for another shape."""
        return _layer_norm(self, x, self.normalized_shape, self.weight, self.bias, self.eps or 0.0)


class RMSNorm(_OverLastAxes):
    r"""Scale each example to a root mean square of 1 over its last axes.

    .. math:: y = \frac{x}{\sqrt{\mathrm{E}[x^2] + \epsilon}} \odot w

    Layer normalisation without the centring, which it can often do without, and cheaper.
    Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes.
    eps : float, optional
        Keeps the root away from 0; at first the dtype's ``finfo(dtype).eps``, as PyTorch's.
    elementwise_affine : bool
        Whether there is a ``w``.
    dtype : dtype, optional
        Of the parameter; at first the default dtype.

    Attributes
    ----------
    weight : Parameter or None
        Of shape ``normalized_shape``; at first ones.

    Examples
    --------
    >>> import nn
    >>> nn.RMSNorm(2, elementwise_affine=False)([3.0, 4.0])
    tensor([0.84852815, 1.1313709 ], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, dtype)

    def forward(self, x: Any) -> ad.Tensor:
        """Scale ``(..., *normalized_shape)``; raise ShapeError for another shape."""
        return _rms_norm(self, x, self.normalized_shape, self.weight, self.eps)


class _BatchNorm(Module):
    """What the batch norms share; they differ in the numbers of axes that they take."""

    _axes: tuple[int, ...]
    _shapes: str
    weight: Parameter | None
    bias: Parameter | None
    running_mean: ad.Tensor | None
    running_var: ad.Tensor | None
    num_batches_tracked: ad.Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        size = self.num_features = check_size(self, "num_features", num_features)
        self.eps = check_positive(self, "eps", eps, or_zero=True)
        self.momentum = None if momentum is None else check_probability(self, "momentum", momentum)
        self.affine = bool(affine)
        self.track_running_stats = bool(track_running_stats)
        self.weight = Parameter(ad.ones(size, dtype=dtype)) if affine else None
        self.bias = Parameter(ad.zeros(size, dtype=dtype)) if affine and bias else None
        tracked = self.track_running_stats
        self.register_buffer("running_mean", ad.zeros(size, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ad.ones(size, dtype=dtype) if tracked else None)
        count = ad.asarray(0, dtype=ad.int64) if tracked else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Forget the statistics: mean 0, variance 1, no batch."""
        for name, buffer in self.named_buffers():
            with ad.no_grad():
                buffer.copy_(1 if name == "running_var" else 0)

    def reset_parameters(self) -> None:
        """Let everything start anew: weight 1, bias 0, no statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x: Any) -> ad.Tensor:
        """Normalise each channel, over the batch while training and as learned otherwise.

        Raises
        ------
        ShapeError
            If the axes or channels are not those of the layer; or if there is one value for
            each channel while training: then every one would become 0.
        """
        x = as_floats(self, x)
        found = ad.errors.describe(x)
        if x.ndim not in self._axes:
            message = f"{name_of(self)}: the input {found} has {x.ndim} axes"
            raise ad.ShapeError(f"{message}. Give {self._shapes}.")
        if x.shape[1] != self.num_features:
            message = f"{name_of(self)}: the input {found} has {x.shape[1]} channels, the layer "
            raise ad.ShapeError(f"{message}{self.num_features}. Give {self._shapes}.")
        share = self.momentum
        if self.training and self.num_batches_tracked is not None:
            count = self.num_batches_tracked
            share = 1 / (count.item() + 1) if share is None else share
        y = _batch_norm(
            self,
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            share or 0.0,
            self.eps,
        )
        if self.training and self.num_batches_tracked is not None:
            with ad.no_grad():
                count.copy_(count + 1)
        return y

    def extra_repr(self) -> str:
        """Return the number of channels, and what is not usual."""
        parts = [str(self.num_features)]
        if self.momentum != 0.1:
            parts.append(f"momentum={self.momentum}")
        parts += [
            f"{name}=False" for name in ("affine", "track_running_stats") if not getattr(self, name)
        ]
        return ", ".join(parts)


class BatchNorm1d(_BatchNorm):
    r"""Normalise each channel over the examples of the batch.

    .. math:: y = \frac{x - \mathrm{E}[x]}{\sqrt{\mathrm{Var}[x] + \epsilon}} \odot w + b

    While training, mean and (population's) variance are those of the batch (and of all
    positions in the sequence); running averages of them are kept, of the variance the
    unbiased estimate, and used in evaluation mode. It lets learning rates be larger; it costs
    a dependence of each example on the others, worst for small batches, and a difference
    between training and evaluation. Ioffe and Szegedy, ICML 2015.

    Parameters
    ----------
    num_features : int
        The number C of channels.
    eps : float
        Keeps the root away from 0.
    momentum : float or None
        The share of a new batch in the running statistics; None: they are the plain average
        over all batches.
    affine : bool
        Whether there are a ``w`` and a ``b``.
    track_running_stats : bool
        Whether there are running statistics. Without them evaluation too uses the batch's.
    dtype : dtype, optional
        Of parameters and buffers; at first the default dtype.
    bias : bool
        Whether ``w`` comes with a ``b``.

    Attributes
    ----------
    weight, bias : Parameter or None
        ``(C,)``; at first ones and zeros.
    running_mean, running_var : Tensor or None
        ``(C,)``, buffers; at first zeros and ones.
    num_batches_tracked : Tensor or None
        ``()``, a buffer.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.BatchNorm1d(2)
    >>> y = layer(ad.asarray([[1.0, 10.0], [3.0, 30.0]]))
    >>> y.round(3).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> layer.running_mean.round(3).tolist()
    [0.20000000298023224, 2.0]
    """

    _axes = (2, 3)
    _shapes = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images over the examples of the batch and all places.

    Everything as of :class:`BatchNorm1d`, for inputs ``(N, C, H, W)``.
    """

    _axes = (4,)
    _shapes = "(N, C, H, W)"


class GroupNorm(Module):
    r"""Normalise each example over groups of its channels, at all positions.

    .. math:: y = \frac{x - \mathrm{E}[x]}{\sqrt{\mathrm{Var}[x] + \epsilon}} \odot w + b

    It does for images what batch normalisation does, without depending on the batch. One
    group is layer normalisation (over channels and positions), a group for each channel
    instance normalisation. Wu and He, "Group normalization", ECCV 2018.

    Parameters
    ----------
    num_groups : int
        Divides the number of channels.
    num_channels : int
        The number C of channels.
    eps : float
        Keeps the root away from 0.
    affine : bool
        Whether there are a ``w`` and a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.
    bias : bool
        Whether ``w`` comes with a ``b``.

    Attributes
    ----------
    weight, bias : Parameter or None
        ``(C,)``; at first ones and zeros.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.GroupNorm(2, 6)(ad.random.normal(size=(4, 6, 5, 5))).shape
    (4, 6, 5, 5)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = check_size(self, "num_groups", num_groups, 1)
        self.num_channels = check_size(self, "num_channels", num_channels, 1)
        if self.num_channels % self.num_groups:
            message = f"GroupNorm: {num_channels} channels can't be split into {num_groups} groups"
            raise ad.OptionError(f"{message}. Give a number of groups that divides them.")
        self.eps = check_positive(self, "eps", eps, or_zero=True)
        self.affine = bool(affine)
        self.weight = Parameter(ad.ones(self.num_channels, dtype=dtype)) if affine else None
        shifted = affine and bias
        self.bias = Parameter(ad.zeros(self.num_channels, dtype=dtype)) if shifted else None

    def forward(self, x: Any) -> ad.Tensor:
        """Normalise ``(N, C, ...)``; raise ShapeError for other channels."""
        x = as_floats(self, x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            message = f"{name_of(self)}: the input {ad.errors.describe(x)} has not "
            raise ad.ShapeError(f"{message}{self.num_channels} channels. Give (N, C, ...).")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the sizes."""
        affine = "" if self.affine else ", affine=False"
        return f"{self.num_groups}, {self.num_channels}{affine}"


@typed
def layer_norm(
    input: Any,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> ad.Tensor:
    """Normalise over the last axes to mean 0 and variance 1; see :class:`nn.LayerNorm`.

    Parameters
    ----------
    input : Tensor or array_like
        ``(..., *normalized_shape)``.
    normalized_shape : sequence of int
    weight, bias : Tensor, optional
        Of that shape.
    eps : float

    Examples
    --------
    >>> from nn.functional import layer_norm
    >>> layer_norm([1.0, 3.0], (2,), eps=0)
    tensor([-1.,  1.], dtype=float32)
    """
    sizes = check_numbers("layer_norm", "normalized_shape", normalized_shape)
    return _layer_norm("layer_norm", input, sizes, weight, bias, eps)


@typed
def rms_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> ad.Tensor:
    """Scale to a root mean square of 1 over the last axes; see :class:`nn.RMSNorm`.

    Parameters
    ----------
    input : Tensor or array_like
        ``(..., *normalized_shape)``.
    normalized_shape : sequence of int
    weight : Tensor, optional
        Of that shape.
    eps : float, optional
        At first ``finfo(dtype).eps``.

    Examples
    --------
    >>> from nn.functional import rms_norm
    >>> rms_norm([1.0, -1.0], (2,), eps=0)
    tensor([ 1., -1.], dtype=float32)
    """
    sizes = check_numbers("rms_norm", "normalized_shape", normalized_shape)
    return _rms_norm("rms_norm", input, sizes, weight, eps)


@typed
def batch_norm(
    input: Any,
    running_mean: ad.Tensor | None,
    running_var: ad.Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> ad.Tensor:
    """Normalise each channel over the batch; see :class:`nn.BatchNorm1d`.

    Parameters
    ----------
    input : Tensor or array_like
        ``(N, C, ...)``.
    running_mean, running_var : Tensor or None
        ``(C,)``: what is used in evaluation, and changed in place while training.
    weight, bias : Tensor, optional
        ``(C,)``.
    training : bool
        Whether the batch's own statistics are used.
    momentum : float
        The share of the batch in the running statistics.
    eps : float

    Examples
    --------
    >>> from nn.functional import batch_norm
    >>> batch_norm([[1.0], [3.0]], None, None, training=True, eps=0)
    tensor([[-1.],
            [ 1.]], dtype=float32)
    """
    x = as_floats("batch_norm", input)
    channels = x.shape[1:2]
    parts = {"running_mean": running_mean, "running_var": running_var}
    for name, value in {**parts, "weight": weight, "bias": bias}.items():
        if not channels or (value is not None and ad.asarray(value).shape != channels):
            message = f"batch_norm: the {name} does not fit the input {ad.errors.describe(x)}"
            raise ad.ShapeError(f"{message}. Give (N, C, ...), and one number for each channel.")
    if not training and (running_mean is None or running_var is None):
        message = "batch_norm: in evaluation there is no running_mean or no running_var"
        raise ad.OptionError(f"{message}. Give both, or training=True.")
    weight, bias = (None if v is None else ad.asarray(v) for v in (weight, bias))
    return _batch_norm(
        "batch_norm", x, running_mean, running_var, weight, bias, training, momentum, eps
    )


@typed
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> ad.Tensor:
    """Normalise each example over groups of its channels; see :class:`nn.GroupNorm`.

    Parameters
    ----------
    input : Tensor or array_like
        ``(N, C, ...)``.
    num_groups : int
        Divides C.
    weight, bias : Tensor, optional
        ``(C,)``.
    eps : float

    Examples
    --------
    >>> from nn.functional import group_norm
    >>> group_norm([[1.0, 3.0, 5.0, 5.0]], 2, eps=0.0001).round(3)
    tensor([[-1.,  1.,  0.,  0.]], dtype=float32)
    """
    x = as_floats("group_norm", input)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        message = f"group_norm: the channels of {ad.errors.describe(x)} can't be split into "
        raise ad.ShapeError(f"{message}{num_groups} groups. Give (N, C, ...).")
    size = math.prod(x.shape[1:]) // num_groups
    y = _scaled(_centred(x.reshape(x.shape[0], num_groups, size)), eps).reshape(x.shape)
    return _affine(y, weight, bias)


def _layer_norm(
    owner: Module | str, x: Any, sizes: tuple[int, ...], weight: Any, bias: Any, eps: float
) -> ad.Tensor:
    rows, shape = _rows(owner, x, sizes)
    y = _scaled(_centred(rows), eps).reshape(shape)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def _rms_norm(
    owner: Module | str, x: Any, sizes: tuple[int, ...], weight: Any, eps: float | None
) -> ad.Tensor:
    rows, shape = _rows(owner, x, sizes)
    if eps is None:
        eps = float(ad.finfo(rows.dtype).eps)
    y = _scaled(rows, eps).reshape(shape)
    return y if weight is None else y * weight


def _rows(owner: Module | str, x: Any, sizes: tuple[int, ...]) -> tuple[ad.Tensor, tuple[int, ...]]:
    """Join the axes that are normalised into one; return the former shape too."""
    x = as_floats(owner, x)
    lead = x.ndim - len(sizes)
    if lead < 0 or x.shape[lead:] != sizes:
        expected = ", ".join(map(str, ("...", *sizes)))
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} does not end in {sizes}"
        raise ad.ShapeError(f"{message}. Give an input of shape ({expected}).")
    return (x if len(sizes) == 1 else x.reshape(*x.shape[:lead], math.prod(sizes))), x.shape


def _centred(rows: ad.Tensor) -> ad.Tensor:
    return rows - ad.mean(rows, axis=-1, keepdims=True)


def _scaled(rows: ad.Tensor, eps: float) -> ad.Tensor:
    """Divide the last axis by its root mean square."""
    wide = _wide(rows)
    # A product of vectors and not the mean of squares: no second large array.
    power = ad.vecdot(wide, wide, axis=-1) / max(1, rows.shape[-1])
    return _cast(wide * ad.expand_dims((power + eps) ** -0.5, axis=-1), rows.dtype)


def _wide(x: ad.Tensor) -> ad.Tensor:
    """Return float16, whose squares soon overflow, as float32; all else as it is."""
    return _cast(x, ad.float32) if x.dtype == ad.float16 else x


def _cast(x: ad.Tensor, dtype: Any) -> ad.Tensor:
    return x if x.dtype == dtype else x.astype(dtype)


def _batch_norm(
    owner: Module | str,
    x: ad.Tensor,
    running_mean: ad.Tensor | None,
    running_var: ad.Tensor | None,
    weight: ad.Tensor | None,
    bias: ad.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> ad.Tensor:
    """Normalise each channel; while training move the running statistics, at last."""
    if x.dtype.kind == "c":
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} has complex numbers"
        raise ad.DTypeError(f"{message}. Give their real and imaginary parts as channels.")
    dtype = ad.result_type(x, *[part for part in (weight, bias) if part is not None])
    wide = _wide(x)
    if not training and running_mean is not None and running_var is not None:
        centred, var = wide - _column(running_mean, x), _column(_wide(running_var), x)
        return _cast(_by_channel(centred, var, weight, bias, eps), dtype)
    if not x.size:  # nothing to learn from, and nothing to divide
        return _affine(x, weight, bias)
    count = x.size // x.shape[1]
    if count == 1:
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} has 1 value for each "
        message += "channel, which would become 0"
        raise ad.ShapeError(f"{message}. Give a larger batch, or evaluate: call eval().")
    axes = (0, *range(2, x.ndim))
    mean = ad.mean(wide, axis=axes, keepdims=True)
    centred = wide - mean
    var = ad.mean(centred * centred, axis=axes, keepdims=True)
    y = _cast(_by_channel(centred, var, weight, bias, eps), dtype)
    with ad.no_grad():
        # The running variance is of the unbiased estimates.
        for running, new in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
            if running is not None:
                running.copy_((1 - momentum) * running + momentum * new.reshape(-1))
    return y


def _by_channel(
    centred: ad.Tensor,
    var: ad.Tensor,
    weight: ad.Tensor | None,
    bias: ad.Tensor | None,
    eps: float,
) -> ad.Tensor:
    """Divide by the deviations of the channels; weight and bias follow."""
    scale = (var + eps) ** -0.5
    if weight is not None:  # into the small array first
        scale = scale * _column(weight, centred)
    y: ad.Tensor = centred * scale
    return y if bias is None else y + _column(bias, centred)


def _affine(x: ad.Tensor, weight: Any, bias: Any) -> ad.Tensor:
    if weight is not None:
        x = x * _column(ad.asarray(weight), x)
    return x if bias is None else x + _column(ad.asarray(bias), x)


def _column(values: Any, x: ad.Tensor) -> ad.Tensor:
    """Let one number for each channel broadcast against ``(N, C, ...)``."""
    column: ad.Tensor = values
    return column if x.ndim == 2 else column.reshape(-1, *(1,) * (x.ndim - 2))
