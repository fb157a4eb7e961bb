"""Normalisation: over the features of an example, over the examples of a batch, or in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.checks import as_floats, check_positive, check_size, name_of
from nn.module import Module, Parameter

__all__ = ["LayerNorm", "RMSNorm"]


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
    return _layer_norm("layer_norm", input, tuple(normalized_shape), weight, bias, eps)


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
    return _rms_norm("rms_norm", input, tuple(normalized_shape), weight, eps)


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
    # A product of vectors and not the mean of squares: no second large array.
    power = ad.vecdot(rows, rows, axis=-1) / max(1, rows.shape[-1])
    return rows * ad.expand_dims((power + eps) ** -0.5, axis=-1)
