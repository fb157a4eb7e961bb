"""Cases of ``autodiff/primitives/windows.py``."""

from __future__ import annotations

import math

import numpy as np

from tests.cases import Case, normal


def padded(shape, pad_width, mode="constant", torch=None, **options):
    return Case(
        "pad",
        (normal(*shape),),
        {"pad_width": pad_width, "mode": mode, **options},
        torch=torch,
        reference=lambda x: np.pad(x, pad_width, mode, **options),
        name=f"{shape} {pad_width} {mode} {options}",
    )


def torch_pad(mode, *widths):
    """PyTorch's pad, which wants two leading axes for all modes but the constant one."""

    def call(x):
        import torch

        return torch.nn.functional.pad(x[None, None], widths, mode)[0, 0]

    return call


def windows(shape, window, axis=None, torch=None):
    return Case(
        "sliding_window_view",
        (normal(*shape),),
        {"window_shape": window, "axis": axis},
        torch=torch,
        reference=lambda x: np.lib.stride_tricks.sliding_window_view(x, window, axis),
        name=f"{shape} {window} {axis}",
    )


def stepping(shape, window, axis, step, dilation):
    """Windows that move by steps and are spread out, and their overlapping sums."""
    axes = (axis,) if isinstance(axis, int) else axis
    sizes, steps, spread = (
        (each,) * len(axes) if isinstance(each, int) else each for each in (window, step, dilation)
    )

    def taken(x):
        reach = [(k - 1) * d + 1 for k, d in zip(sizes, spread, strict=True)]
        cut = [slice(None)] * x.ndim
        for a, s in zip(axes, steps, strict=True):
            cut[a] = slice(None, None, s)
        cut += [slice(None, None, d) for d in spread]
        return np.lib.stride_tricks.sliding_window_view(x, reach, axes)[tuple(cut)]

    def added(x):
        out = np.zeros(math.prod(shape))
        np.add.at(out, taken(np.arange(math.prod(shape)).reshape(shape)), x)
        return out.reshape(shape)

    name = f"{shape} {window} {axis} step {step} dilation {dilation}"
    options = {"axis": axis, "step": step, "dilation": dilation}
    slid = {"window_shape": window, **options}
    windows = normal(*taken(np.zeros(shape)).shape)
    return [
        Case("sliding_window_view", (normal(*shape),), slid, reference=taken, name=name),
        Case("overlap_add", (windows,), {"shape": shape, **options}, reference=added, name=name),
    ]


STEPPING = [
    ((7,), 3, 0, 2, 1),
    ((8,), 3, 0, 2, 1),
    ((7,), 3, 0, 1, 2),
    ((9,), 2, 0, 3, 2),
    ((9,), 5, 0, 4, 2),
    ((9,), 2, 0, 4, 1),
    ((5, 6), (2, 3), (0, 1), (2, 1), (1, 2)),
    ((2, 6, 5), (3, 2), (1, 2), 2, 1),
    ((6, 2, 5), (4, 3), (-1, 0), (1, 2), 1),
    ((0, 5), 2, 1, 2, 2),
]


def overlapped(shape, window, axis=None):
    taken = np.lib.stride_tricks.sliding_window_view(np.zeros(shape), window, axis).shape

    def reference(x):
        places = np.arange(math.prod(shape)).reshape(shape)
        out = np.zeros(math.prod(shape))
        np.add.at(out, np.lib.stride_tricks.sliding_window_view(places, window, axis), x)
        return out.reshape(shape)

    options = {"shape": shape, "axis": axis}
    name = f"{shape} {window} {axis}"
    return Case("overlap_add", (normal(*taken),), options, reference=reference, name=name)


WINDOWS = [
    ((5,), 3),
    ((5,), 1),
    ((3,), 3),
    ((4,), (4,)),
    ((4, 5), (2, 3)),
    ((2, 5), 2, 1),
    ((2, 5, 3), 2, -2),
    ((2, 4, 5), (2, 3), (1, 2)),
    ((2, 4, 5), (4, 4), (-1, 1)),
    ((3, 2, 4), (3, 3), (2, 0)),
    ((6,), (2, 3), (0, 0)),
    ((0, 3), 2, 1),
    ((), (), ()),
]

CASES = [
    padded((3,), 2, torch=torch_pad("constant", 2, 2)),
    padded((3,), (1, 0), constant_values=5.0),
    padded((2, 3), ((1, 0), (0, 2)), torch=torch_pad("constant", 0, 2, 1, 0)),
    padded((2, 3), 1, constant_values=((1, 2), (3, 4))),
    padded((2, 0), 1),
    padded((), 3),
    padded((2, 3), 0),
    padded((3,), (2, 1), "edge", torch_pad("replicate", 2, 1)),
    padded((2, 3), ((1, 2), (0, 3)), "edge", torch_pad("replicate", 0, 3, 1, 2)),
    padded((4,), (3, 1), "reflect", torch_pad("reflect", 3, 1)),
    padded((2, 3), (5, 4), "reflect"),
    padded((3, 4), ((2, 1), (1, 3)), "reflect", torch_pad("reflect", 1, 3, 2, 1)),
    padded((1,), 2, "reflect"),
    padded((3,), (2, 7), "symmetric"),
    padded((2, 3), ((1, 0), (2, 1)), "symmetric"),
    padded((4,), (3, 4), "wrap", torch_pad("circular", 3, 4)),
    padded((2, 3), (5, 4), "wrap"),
    padded((0, 2), ((0, 0), (1, 1)), "wrap"),
    *[windows(*given) for given in WINDOWS],
    windows((7, 2), 3, 0, torch=lambda x: x.unfold(0, 3, 1)),
    *[overlapped(*given) for given in WINDOWS],
    *[case for given in STEPPING for case in stepping(*given)],
]
