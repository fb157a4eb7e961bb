"""The affine layer."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn import init
from nn.checks import as_input, check_features, check_size
from nn.module import Module, Parameter

__all__ = ["Linear"]


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
