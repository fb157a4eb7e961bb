"""Positions: attention is blind to order, so something must say which token stands where.

All three take ``(..., T, D)`` whose last axis but one counts positions from ``start`` on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import autodiff as ad
from nn import init
from nn.attention.tables import table_length
from nn.checks import as_floats, check_positive, check_size, name_of
from nn.module import Module, Parameter

__all__ = ["LearnedPositions", "RotaryPositions", "SinusoidalPositions"]


@lru_cache(maxsize=32)
def _waves(length: int, dim: int, base: float, dtype: Any) -> tuple[ad.Tensor, ad.Tensor]:
    """Return cosine and sine of ``t * base**(-2 i / dim)``, both ``(length, dim / 2)``."""
    with ad.no_grad():
        rates = base ** (-2 / dim * ad.arange(dim // 2, dtype=ad.float64))
        angles = ad.expand_dims(ad.arange(length, dtype=ad.float64), axis=1) * rates
        return ad.astype(ad.cos(angles), dtype), ad.astype(ad.sin(angles), dtype)


@lru_cache(maxsize=32)
def _sinusoids(length: int, dim: int, base: float, dtype: Any) -> ad.Tensor:
    cosine, sine = _waves(length, dim, base, dtype)
    return ad.stack([sine, cosine], axis=2).reshape(length, dim)


@lru_cache(maxsize=32)
def _rotation(length: int, dim: int, base: float, dtype: Any) -> tuple[ad.Tensor, ad.Tensor]:
    cosine, sine = _waves(length, dim, base, dtype)
    return ad.concat([cosine, cosine], axis=1), ad.concat([-sine, sine], axis=1)


def _even(owner: Module, dim: Any) -> int:
    size = check_size(owner, "dim", dim, least=2)
    if size % 2:
        message = f"{owner.location()}: dim is {size}, and features go in pairs"
        raise ad.OptionError(f"{message}. Give an even number.")
    return size


def _checked(owner: Module, x: Any, dim: int, start: Any) -> tuple[ad.Tensor, int, int]:
    """Return the input and the positions, from the first to behind the last."""
    x = as_floats(owner, x)
    if x.ndim < 2 or x.shape[-1] != dim:
        message = f"{name_of(owner)}: the input is {ad.errors.describe(x)}"
        raise ad.ShapeError(f"{message}. Give a shape (..., T, {dim}).")
    start = check_size(owner, "start", start)
    return x, start, start + x.shape[-2]


class SinusoidalPositions(Module):
    r"""Add fixed waves, from short to long ones, to the features [1]_.

    .. math:: y_{t,2i} = x_{t,2i} + \sin\left(t / b^{2i/D}\right),\qquad
       y_{t,2i+1} = x_{t,2i+1} + \cos\left(t / b^{2i/D}\right)

    There is nothing to learn and no longest sequence.

    Parameters
    ----------
    dim : int
        The number D of features; even.
    base : float
        The b of the formula.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.SinusoidalPositions(2)(ad.zeros((2, 2))).round(4)
    tensor([[0.    , 1.    ],
            [0.8415, 0.5403]], dtype=float32)
    """

    def __init__(self, dim: int, base: float = 10000.0) -> None:
        self.dim = _even(self, dim)
        self.base = check_positive(self, "base", base)

    def forward(self, x: Any, start: int = 0) -> ad.Tensor:
        """Add the positions ``start, start + 1, ...`` to ``(..., T, D)``."""
        x, start, stop = _checked(self, x, self.dim, start)
        y: ad.Tensor = x + _sinusoids(table_length(stop), self.dim, self.base, x.dtype)[start:stop]
        return y

    def extra_repr(self) -> str:
        """Return the size."""
        return f"{self.dim}"


class LearnedPositions(Module):
    r"""Add a learned vector for each position, :math:`y_t = x_t + W_t`.

    Parameters
    ----------
    max_length : int
        How many positions there are.
    dim : int
        The number D of features.
    dtype : dtype, optional
        Of the parameter; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(max_length, D)``; at first normal with standard deviation 0.02.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.LearnedPositions(8, 4)(ad.zeros((2, 5, 4))).shape
    (2, 5, 4)
    """

    def __init__(self, max_length: int, dim: int, dtype: Any = None) -> None:
        self.max_length = check_size(self, "max_length", max_length, least=1)
        self.dim = check_size(self, "dim", dim, least=1)
        self.weight = Parameter(ad.zeros((self.max_length, self.dim), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        init.normal_(self.weight, std=0.02)

    def forward(self, x: Any, start: int = 0) -> ad.Tensor:
        """Add the vectors of the positions ``start, start + 1, ...`` to ``(..., T, D)``.

        Raises
        ------
        ShapeError
            If there are more positions than vectors.
        """
        x, start, stop = _checked(self, x, self.dim, start)
        if stop > self.max_length:
            message = f"{self.location()}: the input {ad.errors.describe(x)} has positions"
            raise ad.ShapeError(
                f"{message} {start} to {stop - 1}, and {self.max_length} are learned. "
                "Give a shorter sequence, or build the layer with a larger max_length."
            )
        y: ad.Tensor = x + self.weight[start:stop]
        return y

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.max_length}, {self.dim}"


class RotaryPositions(Module):
    r"""Rotate pairs of features by angles that grow with the position [1]_.

    .. math:: \begin{pmatrix} y_{t,i} \\ y_{t,i+D/2} \end{pmatrix} =
       \begin{pmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta \end{pmatrix}
       \begin{pmatrix} x_{t,i} \\ x_{t,i+D/2} \end{pmatrix},\qquad \theta = t\, b^{-2i/D}

    Queries and keys that are both rotated have a product that depends on their distance
    alone. Feature ``i`` is paired with ``i + D/2``, as GPT-NeoX and LLaMA do; the paper
    pairs neighbours, which is the same up to the order of a weight's rows.

    Parameters
    ----------
    dim : int
        The number D of features, of one head; even.
    base : float
        The b of the formula.

    References
    ----------
    .. [1] J. Su et al., "RoFormer: enhanced transformer with rotary position embedding",
       arXiv:2104.09864, equation 34.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.RotaryPositions(2)(ad.tensor([[1.0, 0.0], [1.0, 0.0]])).round(4)
    tensor([[1.    , 0.    ],
            [0.5403, 0.8415]], dtype=float32)
    """

    def __init__(self, dim: int, base: float = 10000.0) -> None:
        self.dim = _even(self, dim)
        self.base = check_positive(self, "base", base)

    def forward(self, x: Any, start: int = 0) -> ad.Tensor:
        """Rotate ``(..., T, D)`` for the positions ``start, start + 1, ...``."""
        x, start, stop = _checked(self, x, self.dim, start)
        cosine, sine = _rotation(table_length(stop), self.dim, self.base, x.dtype)
        # Rolling by half the features brings each one's partner to its place.
        partner = ad.roll(x, self.dim // 2, axis=-1)
        y: ad.Tensor = x * cosine[start:stop] + partner * sine[start:stop]
        return y

    def extra_repr(self) -> str:
        """Return the size."""
        return f"{self.dim}"
