"""Cases of ``autodiff/primitives/shapes.py`` and ``joining.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, normal


def one(operation, of, torch=None, /, **options):
    """A case of one operand of the given shape."""
    told = ", ".join(f"{key}={value}" for key, value in options.items())
    reference = REFERENCES.get(operation)
    if reference is not None:
        reference = _with_options(reference, options)
    return Case(
        operation,
        (normal(*of),),
        options,
        torch=torch,
        reference=reference,
        name=f"{of} {told}",
    )


def _with_options(reference, options):
    return lambda x: reference(x, **options)


def _unstack(x, axis=0):
    return tuple(np.moveaxis(x, axis, 0))


REFERENCES = {
    "split": np.split,
    "unstack": _unstack,
}


def reshaped(shape, to, **options):
    return Case(
        "reshape",
        (normal(*shape),),
        {"shape": to, **options},
        torch=lambda x: x.reshape(to),
        reference=lambda x: x.reshape(to),
        name=f"{shape} {to} {options}",
    )


def permuted(shape, axes):
    return one("permute_dims", shape, lambda x: x.permute(axes), axes=axes)


def joined(operation, shapes, torch=None, **options):
    return Case(
        operation,
        tuple(normal(*shape) for shape in shapes),
        options,
        torch=torch,
        reference=lambda *arrays: getattr(np, operation)(arrays, **options),
        name=f"{shapes} {options}",
    )


def concatenated(shapes, axis):
    return joined("concat", shapes, lambda *xs: _torch().cat(xs, axis), axis=axis)


def stacked(shape, count, axis):
    return joined("stack", (shape,) * count, lambda *xs: _torch().stack(xs, axis), axis=axis)


def repeated(shape, repeats, axis=None):
    def torch(x, _):
        times = repeats if isinstance(repeats, int) else _torch().tensor(repeats)
        return _torch().repeat_interleave(x, times, dim=axis)

    given = repeats if isinstance(repeats, int) else np.array(repeats)
    return Case(
        "repeat",
        (normal(*shape), given),
        {"axis": axis},
        torch=None if np.size(repeats) == 1 and not isinstance(repeats, int) else torch,
        name=f"{shape} {repeats} {axis}",
    )


def tiled(shape, times):
    def torch(x):
        return _torch().tile(x, (times,) if isinstance(times, int) else times)

    return Case(
        "tile",
        (normal(*shape),),
        {"repetitions": times},
        torch=torch,
        reference=lambda x: np.tile(x, times),
        name=f"{shape} {times}",
    )


def parted(shape, sections, axis=0):
    def torch(x):
        return _torch().tensor_split(x, sections, dim=axis)

    return one("split", shape, torch, indices_or_sections=sections, axis=axis)


def _torch():
    import torch

    return torch


CASES = [
    reshaped((), (1, 1)),
    reshaped((1,), ()),
    reshaped((2, 3), 6),
    reshaped((2, 3), (3, -1)),
    reshaped((2, 0), (0, 5)),
    reshaped((2, 3, 4), (4, 6), copy=True),
    permuted((), ()),
    permuted((3,), (0,)),
    permuted((2, 3, 4), (2, 0, 1)),
    permuted((2, 3, 4), (-1, 0, -2)),
    permuted((2, 0, 4), (1, 2, 0)),
    *[
        Case("matrix_transpose", (normal(*shape),), torch=lambda x: x.mT, name=f"{shape}")
        for shape in [(2, 3), (0, 2), (4, 1, 3)]
    ],
    one("swapaxes", (2, 3, 4), lambda x: x.swapaxes(0, -1), axis1=0, axis2=-1),
    one("swapaxes", (0, 2), lambda x: x.swapaxes(0, 1), axis1=0, axis2=1),
    one("swapaxes", (2, 3), lambda x: x.swapaxes(1, 1), axis1=1, axis2=1),
    one("moveaxis", (), lambda x: x, source=(), destination=()),
    one("moveaxis", (0, 2), lambda x: x.moveaxis(0, 1), source=0, destination=1),
    one("moveaxis", (2, 3, 4), lambda x: x.moveaxis(0, -1), source=0, destination=-1),
    one(
        "moveaxis",
        (2, 3, 4),
        lambda x: x.moveaxis((0, -1), (1, 0)),
        source=(0, -1),
        destination=(1, 0),
    ),
    one("expand_dims", (), lambda x: x[None], axis=0),
    one("expand_dims", (2, 3), lambda x: x.unsqueeze(-1), axis=-1),
    one("expand_dims", (2, 3), lambda x: x[None, :, None], axis=(0, 2)),
    one("expand_dims", (0,), lambda x: x[:, None], axis=1),
    one("squeeze", (1, 3, 1), lambda x: x.squeeze(0), axis=0),
    one("squeeze", (1, 3, 1), lambda x: x.squeeze((0, 2)), axis=(0, -1)),
    one("squeeze", (1, 3, 1), lambda x: x.squeeze()),
    one("squeeze", (1, 0), lambda x: x.squeeze(0), axis=0),
    one("squeeze", ()),
    *[
        one("broadcast_to", a, lambda x, b=b: x.broadcast_to(b), shape=b)
        for a, b in [((), (2,)), ((3,), (2, 3)), ((2, 1, 3), (2, 4, 3)), ((1,), (0,)), ((2,), (2,)),
                     ((0,), (2, 0))]
    ],
    one("flip", (), lambda x: x),
    one("flip", (3,), lambda x: x.flip(0)),
    one("flip", (2, 3), lambda x: x.flip((0, 1))),
    one("flip", (2, 3), lambda x: x.flip(-1), axis=-1),
    one("flip", (2, 3, 2), lambda x: x.flip((0, 2)), axis=(0, 2)),
    one("flip", (0, 2), axis=0),
    one("roll", (), shift=1),
    one("roll", (5,), lambda x: x.roll(2), shift=2),
    one("roll", (2, 3), lambda x: x.roll(-4), shift=-4),
    one("roll", (2, 3), lambda x: x.roll(1, -1), shift=1, axis=-1),
    one("roll", (2, 3), lambda x: x.roll((1, 2), (0, 1)), shift=(1, 2), axis=(0, 1)),
    one("roll", (0,), shift=3),
    concatenated(((2,), (3,)), 0),
    concatenated(((2, 1), (2, 3), (2, 0)), -1),
    concatenated(((2, 3),), 0),
    concatenated(((1, 2, 2), (3, 2, 2)), 0),
    joined(
        "concat",
        ((2, 3), (), (4,)),
        lambda *xs: _torch().cat([x.ravel() for x in xs]),
        axis=None,
    ),
    stacked((), 3, 0),
    stacked((2, 3), 2, 0),
    stacked((2, 3), 2, -1),
    stacked((2, 3), 3, 1),
    stacked((2, 0), 2, -2),
    stacked((3,), 1, 0),
    one("unstack", (3,), lambda x: x.unbind(), axis=0),
    one("unstack", (2, 3), lambda x: x.unbind(), axis=0),
    one("unstack", (2, 3, 2), lambda x: x.unbind(-2), axis=-2),
    one("unstack", (2, 0), lambda x: x.unbind(), axis=0),
    parted((6,), 3),
    parted((2, 6), 2, 1),
    parted((6, 2), [1, 4]),
    parted((6, 2), [0, 2, 2, 6], 0),
    parted((2, 5), [-2], -1),
    parted((0, 2), 2, 0),
    repeated((), 3),
    repeated((3,), 2),
    repeated((2, 3), 2),
    repeated((2, 3), 3, -1),
    repeated((2, 3), 0, 0),
    repeated((0, 3), 2, 0),
    repeated((3,), [0, 2, 1]),
    repeated((2, 3), [0, 2, 1], 1),
    repeated((2, 3), [3, 0], 0),
    repeated((2, 3), [2], 1),
    tiled((), 2),
    tiled((3,), 2),
    tiled((3,), (2, 2)),
    tiled((2, 3), 2),
    tiled((2, 3), (2, 1, 3)),
    tiled((2, 3), (0, 1)),
    tiled((0,), (2, 2)),
    tiled((2,), ()),
]  # fmt: skip
