"""Borders and windows: padding, sliding windows and their overlapping sums."""

from __future__ import annotations

import math
import operator
from itertools import product
from typing import Any

import numpy as np

from autodiff.engine.primitive import Array, primitive
from autodiff.errors import OptionError, ShapeError, describe
from autodiff.namespace import Namespace
from autodiff.primitives.along import axes_of

__all__ = ["overlap_add", "pad", "sliding_window_view"]

Shape = tuple[int, ...]

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@primitive
def pad(
    xp: Namespace, x: Array, /, pad_width: Any, mode: str = "constant", constant_values: Any = 0
) -> Array:
    """Put a border around an array.

    Parameters
    ----------
    x : (N_1, N_2, ...)
    pad_width : int, (before, after), or ((before_1, after_1), (before_2, after_2), ...)
        How many elements to add at each end: the same for all axes, or one pair for each.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What the border holds: ``constant_values``; the element at the edge; the elements
        mirrored at it, without it (reflect) or with it (symmetric); those of the other end.
    constant_values : number, or pairs as for ``pad_width``

    Returns
    -------
    (before_1 + N_1 + after_1, ...)

    Raises
    ------
    OptionError
        If the mode is unknown.
    ShapeError
        If ``pad_width`` does not fit the axes or is negative, or there is nothing to mirror.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.pad([1, 2, 3], (2, 1))
    tensor([0, 0, 1, 2, 3, 0], dtype=int64)
    >>> ad.pad([1, 2, 3], (2, 1), mode="reflect")
    tensor([3, 2, 1, 2, 3, 2], dtype=int64)
    """
    if mode not in _MODES:
        message = f"pad(x: {describe(x)}): the mode {mode!r} is unknown"
        raise OptionError(f"{message}. Give one of {', '.join(map(repr, _MODES))}.")
    widths = _pairs(pad_width, len(x.shape))
    if any(width < 0 for pair in widths for width in pair):
        message = f"pad(x: {describe(x)}): the negative pad_width {pad_width}"
        raise ShapeError(f"{message} would cut elements off. Use a slice for that.")
    if mode != "constant":
        return xp.pad(x, widths, mode=mode) if x.ndim else x
    if isinstance(constant_values, list | tuple) or len(getattr(constant_values, "shape", ())):
        return xp.pad(x, widths, constant_values=constant_values)
    shape = [before + n + after for (before, after), n in zip(widths, x.shape, strict=True)]
    out = xp.full(tuple(shape), constant_values, dtype=x.dtype)
    out[_inside(widths, x.shape)] = x
    return out


@pad.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, pad_width: Any, mode: str) -> Array:
    widths = _pairs(pad_width, len(x_shape))
    if mode == "constant":
        return g[_inside(widths, x_shape)]
    # Along one axis after the other: the border is folded back onto what it was copied from.
    for axis, ((before, after), n) in enumerate(zip(widths, x_shape, strict=True)):
        if not before + after:
            continue
        lead = (slice(None),) * axis
        # Where each element came from: integers for an index, in NumPy whatever x is in.
        source = np.pad(np.arange(n), (before, after), mode=mode)  # type: ignore[call-overload]
        border = np.delete(source, slice(before, before + n))
        ends = [g[(*lead, slice(None, before))], g[(*lead, slice(before + n, None))]]
        inside = g[(*lead, slice(before, before + n))]
        folded = xp.scatter(xp.concat(ends, axis=axis), (*lead, border), tuple(inside.shape))
        g = inside + folded
    return g


def _pairs(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Spell ``pad_width`` out as one pair for each axis."""
    pairs = np.asarray(pad_width)  # NumPy spells out a few Python numbers; x has no part in it
    if pairs.dtype.kind not in "iu":
        raise OptionError(f"pad: pad_width must hold integers, not {pad_width!r}.")
    return [(int(before), int(after)) for before, after in np.broadcast_to(pairs, (ndim, 2))]


def _inside(widths: list[tuple[int, int]], shape: Shape) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for (before, _), n in zip(widths, shape, strict=True))


@primitive
def sliding_window_view(
    xp: Namespace,
    x: Array,
    /,
    window_shape: Any,
    axis: Any = None,
    *,
    step: Any = 1,
    dilation: Any = 1,
) -> Array:
    """All windows of a shape, at every position: a view, nothing is copied.

    Parameters
    ----------
    x : (N_1, N_2, ...)
    window_shape : int or tuple of int
        The sizes K of the window along the axes it slides on.
    axis : int or tuple of int, optional
        Those axes; None: all, and ``window_shape`` has as many entries.
    step : int or tuple of int
        How far it moves from one position to the next, along each of those axes.
    dilation : int or tuple of int
        How far its elements lie apart.

    Returns
    -------
    (N_1 - K_1 + 1, N_2 - K_2 + 1, ..., K_1, K_2, ...)
        For each position the window that starts there. With a step S and a dilation D there
        are ``(N - (K - 1) D - 1) // S + 1`` positions. (NumPy's function has neither: there
        the result is sliced, here too with the same values, but the gradient is faster so.)

    Raises
    ------
    ShapeError, AxisError
        If the window is longer than its axis, or does not fit the axes.
    OptionError
        If a step or a dilation is not a whole number of at least 1.

    Notes
    -----
    The gradient is :func:`overlap_add`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sliding_window_view([1, 2, 3, 4], 3)
    tensor([[1, 2, 3],
            [2, 3, 4]], dtype=int64)
    """
    if step == 1 and dilation == 1:
        return xp.lib.stride_tricks.sliding_window_view(x, window_shape, axis)
    axes = _axes(axis, x.ndim)
    sizes = (window_shape,) if isinstance(window_shape, int) else tuple(window_shape)
    steps, dilations = _each("step", step, axes), _each("dilation", dilation, axes)
    if len(sizes) != len(axes):
        message = f"sliding_window_view(x: {describe(x)}): the window {sizes} does not fit"
        raise ShapeError(f"{message} the axes {axes}. Give one size for each.")
    reach = tuple((k - 1) * d + 1 for k, d in zip(sizes, dilations, strict=True))
    view = xp.lib.stride_tricks.sliding_window_view(x, reach, axes)
    cut = [slice(None)] * x.ndim
    for a, s in zip(axes, steps, strict=True):
        cut[a] = slice(None, None, s)
    return view[(*cut, *(slice(None, None, d) for d in dilations))]


@sliding_window_view.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, axis: Any, step: Any, dilation: Any) -> Array:
    return xp.overlap_add(g, x_shape, axis, step=step, dilation=dilation)


@primitive
def overlap_add(
    xp: Namespace,
    x: Array,
    /,
    shape: Shape,
    axis: Any = None,
    *,
    step: Any = 1,
    dilation: Any = 1,
) -> Array:
    """Add windows up where they came from: the transpose of :func:`sliding_window_view`.

    Parameters
    ----------
    x : (N_1 - K_1 + 1, N_2 - K_2 + 1, ..., K_1, K_2, ...)
    shape : tuple of int
        The result's, ``(N_1, N_2, ...)``.
    axis : int or tuple of int, optional
        The axes on which the window slid; None: all.
    step, dilation : int or tuple of int
        As of :func:`sliding_window_view`.

    Raises
    ------
    ShapeError
        If the windows are not those of an array of that shape.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.overlap_add([[1, 2, 3], [10, 20, 30]], (4,))
    tensor([ 1, 12, 23, 30], dtype=int64)
    """
    shape = tuple(shape)
    positions, window = x.shape[: len(shape)], x.shape[len(shape) :]
    axes = _axes(axis, len(shape))
    steps, dilations = _each("step", step, axes), _each("dilation", dilation, axes)
    expected = list(shape)
    if len(axes) == len(window):
        for a, k, s, d in zip(axes, window, steps, dilations, strict=True):
            expected[a] = (expected[a] - (k - 1) * d - 1) // s + 1
    if len(axes) != len(window) or tuple(expected) != positions:
        message = f"overlap_add(x: {describe(x)}): these are not the windows"
        raise ShapeError(f"{message} of an array of shape {shape} along the axes {axes}.")
    out = xp.zeros(shape, dtype=x.dtype)
    # One addition for each place in the window (all windows at once), or one for each
    # window: whichever are fewer.
    if len(set(axes)) == len(axes) and _fewer(positions, axes, window):
        whole = [slice(None)] * len(shape)
        for start in product(*(range(positions[a]) for a in axes)):
            here, there = list[Any](whole), list(whole)
            for a, i, k, s, d in zip(axes, start, window, steps, dilations, strict=True):
                here[a], there[a] = i, slice(i * s, i * s + (k - 1) * d + 1, d)
            ends = tuple(range(-len(axes), 0))
            out[tuple(there)] += xp.moveaxis(x[tuple(here)], ends, axes)
        return out
    for offset in product(*map(range, window)):
        starts, strides = [0] * len(shape), [1] * len(shape)
        for a, o, s, d in zip(axes, offset, steps, dilations, strict=True):
            starts[a] += o * d
            strides[a] = s
        there = [
            slice(start, start + (n - 1) * stride + 1, stride)
            for start, n, stride in zip(starts, positions, strides, strict=True)
        ]
        out[tuple(there)] += x[(..., *offset)]
    return out


@overlap_add.vjp
def _(
    xp: Namespace, g: Array, x_shape: Shape, shape: Shape, axis: Any, step: Any, dilation: Any
) -> Array:
    axes = _axes(axis, len(shape))
    return xp.sliding_window_view(g, x_shape[len(shape) :], axes, step=step, dilation=dilation)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes on which a window slides, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    axes = axes_of(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    return tuple(a % ndim for a in axes)


def _each(name: str, value: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return one whole number for each axis on which a window slides."""
    given = tuple(value) if isinstance(value, tuple | list) else (value,) * len(axes)
    whole = all(hasattr(n, "__index__") and n > 0 for n in given)
    if len(given) != len(axes) or not whole:
        message = f"sliding windows: {name} is {value!r}"
        raise OptionError(f"{message}. Give a whole number of at least 1, or one for each axis.")
    if len(set(axes)) < len(axes) and any(n > 1 for n in given):
        message = f"sliding windows: {name} is {value!r} and the axes {axes} repeat"
        raise OptionError(f"{message}. Leave it at 1, or slice the result.")
    return tuple(map(operator.index, given))


def _fewer(positions: Shape, axes: tuple[int, ...], window: Shape) -> bool:
    return math.prod(positions[a] for a in axes) < math.prod(window)
