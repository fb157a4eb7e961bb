"""Windows that slide over the last axes: what convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autodiff as ad
from nn.checks import check_size, name_of
from nn.module import Module

__all__ = ["batched", "one_for_each", "padded", "windows"]

Sizes = tuple[int, ...]


def one_for_each(owner: Module | str, name: str, value: Any, axes: int, least: int = 0) -> Sizes:
    """Return one whole number for each axis; raise OptionError for anything else."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) == 1:
            value = value[0]
        elif len(value) != axes:
            message = f"{name_of(owner)}: {name} is {value!r}"
            raise ad.OptionError(f"{message}. Give one number, or one for each of {axes} axes.")
        else:
            return tuple(check_size(owner, name, each, least) for each in value)
    return (check_size(owner, name, value, least),) * axes


def batched(owner: Module | str, x: ad.Tensor, axes: int) -> tuple[ad.Tensor, bool]:
    """Return ``(N, C, *axes)``, and whether N had to be added."""
    if x.ndim not in (axes + 1, axes + 2):
        names = ", ".join(["L"] if axes == 1 else ["D", "H", "W"][-axes:])
        message = f"{name_of(owner)}: the input {ad.errors.describe(x)} has {x.ndim} axes"
        raise ad.ShapeError(f"{message}. Give (N, C, {names}) or (C, {names}).")
    added = x.ndim == axes + 1
    return (ad.expand_dims(x, axis=0) if added else x), added


def padded(
    x: ad.Tensor, widths: Sequence[tuple[int, int]], mode: str = "constant", value: float = 0.0
) -> ad.Tensor:
    """Put borders around the last axes."""
    if not any(before or after for before, after in widths):
        return x
    lead = [(0, 0)] * (x.ndim - len(widths))
    return ad.pad(x, (*lead, *widths), mode=mode, constant_values=value)


def windows(
    owner: Module | str, x: ad.Tensor, size: Sizes, stride: Sizes, dilation: Sizes
) -> ad.Tensor:
    """Return the windows of ``(N, C, *axes)``: ``(N, C, *positions, *size)``; or ``(C, N, ...)``.

    Nothing is copied.

    Raises
    ------
    ShapeError
        If a window is longer than its axis.
    """
    axes = len(size)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True))
    if any(r > n for r, n in zip(reach, x.shape[2:], strict=True)):
        message = f"{name_of(owner)}: the window {reach} is larger than the input with its "
        raise ad.ShapeError(f"{message}padding, {x.shape[2:]}. Give a larger input or padding.")
    if stride == size == reach:  # they do not overlap: only the shape changes
        counts = [n // k for n, k in zip(x.shape[2:], size, strict=True)]
        used = tuple(c * k for c, k in zip(counts, size, strict=True))
        if used != x.shape[2:]:
            x = x[(..., *(slice(n) for n in used))]
        split = [part for pair in zip(counts, size, strict=True) for part in pair]
        x = ad.reshape(x, (*x.shape[:2], *split))
        order = (*range(2, 2 + 2 * axes, 2), *range(3, 3 + 2 * axes, 2))
        return ad.permute_dims(x, (0, 1, *order))
    places = tuple(range(2, 2 + axes))
    return ad.sliding_window_view(x, size, places, step=stride, dilation=dilation)
