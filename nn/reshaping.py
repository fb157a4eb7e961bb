"""Layers that only change the shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.checks import as_input, check_numbers, name_of
from nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Join neighbouring axes into one: from images to rows of features, for example.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last axis that are joined.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Flatten()(ad.ones((5, 3, 4, 4))).shape
    (5, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = operator.index(start_dim)
        self.end_dim = operator.index(end_dim)

    def forward(self, x: Any) -> ad.Tensor:
        """Join the axes; raise ShapeError where there are none from start to end."""
        x = as_input(self, x)
        ndim = max(1, x.ndim)
        ends = [d + ndim if d < 0 else d for d in (self.start_dim, self.end_dim)]
        if not 0 <= ends[0] <= ends[1] < ndim:
            message = f"{name_of(self)}: the input {ad.errors.describe(x)} has no axes from "
            message += f"{self.start_dim} to {self.end_dim}"
            raise ad.ShapeError(f"{message}. Give an input of more axes, or another start_dim.")
        start, end = ends
        size = math.prod(x.shape[start : end + 1])
        return ad.reshape(x, (*x.shape[:start], size, *x.shape[end + 1 :]))

    def extra_repr(self) -> str:
        """Return the axes, where they are not from 1 to the last."""
        usual = (self.start_dim, self.end_dim) == (1, -1)
        return "" if usual else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Module):
    """Split one axis into several: the inverse of :class:`Flatten`.

    Parameters
    ----------
    dim : int
        The axis.
    unflattened_size : sequence of int
        The sizes it is split into; one of them may be -1.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Unflatten(1, (3, -1))(ad.ones((5, 12))).shape
    (5, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = operator.index(dim)
        self.unflattened_size = check_numbers(self, "unflattened_size", unflattened_size)
        negative = [n for n in self.unflattened_size if n < 0]
        if not self.unflattened_size or negative not in ([], [-1]):
            message = f"Unflatten: the sizes {self.unflattened_size} are none or ambiguous"
            raise ad.OptionError(f"{message}. Give sizes of 0 or more, at most one of them -1.")

    def forward(self, x: Any) -> ad.Tensor:
        """Split the axis; raise ShapeError where the sizes do not multiply to its size."""
        x = as_input(self, x)
        known = math.prod(n for n in self.unflattened_size if n >= 0)
        size = x.shape[self.dim] if -x.ndim <= self.dim < x.ndim else None
        fits = size is not None and (
            (bool(known) and size % known == 0) if -1 in self.unflattened_size else size == known
        )
        if not fits:
            message = f"{name_of(self)}: axis {self.dim} of the input {ad.errors.describe(x)} "
            message += f"can't be split into {self.unflattened_size}"
            raise ad.ShapeError(f"{message}. Give sizes whose product is that of the axis.")
        place = self.dim % x.ndim
        return ad.reshape(x, (*x.shape[:place], *self.unflattened_size, *x.shape[place + 1 :]))

    def extra_repr(self) -> str:
        """Return axis and sizes."""
        return f"{self.dim}, {self.unflattened_size}"
