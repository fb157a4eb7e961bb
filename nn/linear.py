"""Affine layers, of one input and of two."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn import init
from nn.calls import typed
from nn.checks import as_input, check_features, check_size, name_of
from nn.module import Module, Parameter

__all__ = ["Bilinear", "Linear"]


class Linear(Module):
    r"""An affine map of the last axis, :math:`y = x W^\top + b`.

    The weight starts as Xavier's uniform distribution (Glorot and Bengio 2010, eq. 16),

    .. math:: W \sim U\left[-\frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}},
       \frac{\sqrt 6}{\sqrt{n_\text{in} + n_\text{out}}}\right],

    and the bias as zeros; :mod:`nn.init` has other beginnings. (PyTorch's default, a
    uniform distribution of variance ``1 / (3 n_in)``, is ``kaiming_uniform_(a=sqrt(5))``.)

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axis of input and output.
    bias : bool
        Whether there is a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(out_features, in_features)``.
    bias : Parameter or None
        ``(out_features,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> layer = nn.Linear(3, 2)
    >>> layer(ad.ones((5, 7, 3))).shape
    (5, 7, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        self.in_features = check_size(self, "in_features", in_features)
        self.out_features = check_size(self, "out_features", out_features)
        dtype = dtype or ad.get_default_dtype()
        self.weight = Parameter(ad.zeros((self.out_features, self.in_features), dtype=dtype))
        self.bias = Parameter(ad.zeros((self.out_features,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.xavier_uniform_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x: Any) -> ad.Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``.

        Parameters
        ----------
        x : Tensor or array_like

        Raises
        ------
        DTypeError
            If the input is no array and can't become one.
        ShapeError
            If the last axis has another size. Both messages have the path of the module.
        """
        x = as_input(self, x)
        check_features(self, x, self.in_features, self.weight)
        y: ad.Tensor = x @ self.weight.mT
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Return the sizes."""
        without = ", bias=False" if self.bias is None else ""
        return f"{self.in_features}, {self.out_features}{without}"


class Bilinear(Module):
    r"""A form in two inputs, :math:`y_o = x_1^\top A_o\, x_2 + b_o`.

    Weight and bias start from ``U(-k, k)`` with ``k = 1 / sqrt(in1_features)``, as PyTorch's.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        The sizes of the last axes of the inputs and of the output.
    bias : bool
        Whether there is a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(out_features, in1_features, in2_features)``.
    bias : Parameter or None
        ``(out_features,)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Bilinear(3, 4, 2)(ad.ones((5, 3)), ad.ones((5, 4))).shape
    (5, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.in1_features = check_size(self, "in1_features", in1_features, 1)
        self.in2_features = check_size(self, "in2_features", in2_features)
        self.out_features = check_size(self, "out_features", out_features)
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = Parameter(ad.zeros(shape, dtype=dtype))
        self.bias = Parameter(ad.zeros((self.out_features,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters(recurse=False):
            init.uniform_(parameter, -bound, bound)

    def forward(self, x1: Any, x2: Any) -> ad.Tensor:
        """Map ``(..., in1_features)`` and ``(..., in2_features)`` to ``(..., out_features)``.

        Raises
        ------
        ShapeError
            If a last axis has another size, or the others are not the same.
        """
        x1, x2 = as_input(self, x1), as_input(self, x2)
        check_features(self, x1, self.in1_features, self.weight)
        check_features(self, x2, self.in2_features, self.weight)
        if x1.shape[:-1] != x2.shape[:-1]:
            message = f"{name_of(self)}: the inputs {ad.errors.describe(x1)} and "
            message += f"{ad.errors.describe(x2)} differ before the last axis"
            raise ad.ShapeError(f"{message}. Give as many of one as of the other.")
        y = bilinear(x1, x2, self.weight)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Return the sizes."""
        without = ", bias=False" if self.bias is None else ""
        return f"{self.in1_features}, {self.in2_features}, {self.out_features}{without}"


@typed
def linear(input: Any, weight: Any, bias: Any = None) -> ad.Tensor:
    """Map the last axis by a matrix: ``input @ weight.mT + bias``.

    Parameters
    ----------
    input : Tensor or array_like
        ``(..., in)``.
    weight : Tensor or array_like
        ``(out, in)`` or ``(in,)``.
    bias : Tensor, optional
        ``(out,)``.

    Examples
    --------
    >>> from nn.functional import linear
    >>> linear([1.0, 2.0], [[3.0, 4.0]], [0.5])
    tensor([11.5], dtype=float32)
    """
    weight = ad.asarray(weight)
    y: ad.Tensor = ad.asarray(input) @ (weight if weight.ndim == 1 else weight.mT)
    return y if bias is None else y + bias


@typed
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> ad.Tensor:
    r"""Compute :math:`x_1^\top A_o\, x_2 + b_o` for each output; see :class:`nn.Bilinear`.

    Parameters
    ----------
    input1, input2 : Tensor or array_like
        ``(..., in1)`` and ``(..., in2)``.
    weight : Tensor or array_like
        ``(out, in1, in2)``.
    bias : Tensor, optional
        ``(out,)``.

    Examples
    --------
    >>> from nn.functional import bilinear
    >>> bilinear([1.0, 2.0], [3.0], [[[1.0], [10.0]]])
    tensor([63.], dtype=float32)
    """
    first, second, weight = ad.asarray(input1), ad.asarray(input2), ad.asarray(weight)
    if weight.ndim != 3 or weight.shape[1:] != (*first.shape[-1:], *second.shape[-1:]):
        message = f"bilinear: the weight {ad.errors.describe(weight)} does not fit the inputs "
        message += f"{ad.errors.describe(first)} and {ad.errors.describe(second)}"
        raise ad.ShapeError(f"{message}. Give (out, in1, in2).")
    outputs, in1, in2 = weight.shape
    # One matrix product for all outputs, and a small one for each example.
    flat = ad.permute_dims(weight, (1, 0, 2)).reshape(in1, outputs * in2)
    products = (first @ flat).reshape(*first.shape[:-1], outputs, in2)
    y = ad.squeeze(products @ ad.expand_dims(second, axis=-1), axis=-1)
    return y if bias is None else y + bias
