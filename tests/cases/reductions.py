"""Cases of ``autodiff/primitives/reductions.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, distinct, integers, normal

# Shape and axis: 0-d, empty, one axis, several, counted from either end, all of them.
AXES = [
    ((), None),
    ((3,), None),
    ((3,), 0),
    ((2, 3), None),
    ((2, 3), -1),
    ((2, 3), 0),
    ((2, 3, 4), 1),
    ((2, 3, 2), (0, 2)),
    ((2, 3, 2), (-1, 1)),
    ((2, 3), ()),
]
# Results without elements, of operations that nothing at all can't be given to.
NOTHING = [((0, 3), 1), ((2, 0, 3), -1)]
EMPTY = [((0,), None), ((2, 0), 1), ((0, 3), 0), ((0, 3), 1)]


def reduction(operation, make=normal, torch=None, axes=AXES, **options):
    """Cases over shapes and axes, with the axes kept and not; ``torch(x, dim, keepdim)``."""
    extra = options.pop("options", {})
    return [
        Case(
            operation,
            (make(*shape),),
            {"axis": axis, "keepdims": keepdims, **extra},
            torch=torch and _torch(torch, len(shape), axis, keepdims),
            name=f"{shape}-{axis}{'-keepdims' if keepdims else ''}",
            **options,
        )
        for shape, axis in axes
        for keepdims in (False, True)
    ]


def _torch(function, ndim, axis, keepdims):
    if axis == ():  # which PyTorch takes to mean all axes
        return None
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return lambda x: function(x, axes, keepdims)


def zeros_at(*indices, shape):
    """Normal entries with zeros at some places of the flattened array."""

    def make(rng):
        x = rng.standard_normal(shape)
        x.flat[list(indices)] = 0.0
        return x

    return make


def _torch_prod(x, axes, keepdims):
    for axis in sorted((a % max(x.ndim, 1) for a in axes), reverse=True):
        x = x.prod(axis, keepdim=keepdims)
    return x


CASES = [
    *reduction("sum", torch=lambda x, d, k: x.sum(d, keepdim=k), axes=AXES + EMPTY),
    *reduction("mean", torch=lambda x, d, k: x.mean(d, keepdim=k), axes=AXES + NOTHING),
    *reduction("prod", torch=_torch_prod, axes=AXES + EMPTY),
    *reduction("max", distinct, torch=lambda x, d, k: x.amax(d, keepdim=k), axes=AXES + NOTHING),
    *reduction("min", distinct, torch=lambda x, d, k: x.amin(d, keepdim=k), axes=AXES + NOTHING),
    *(
        Case(
            "prod",
            (zeros_at(*indices, shape=(2, 3, 2)),),
            {"axis": axis},
            torch=_torch(_torch_prod, 3, axis, False),
            name=f"zeros{indices}-{axis}",
        )
        for indices in [(1,), (1, 4), (0, 3, 5, 7)]
        for axis in (None, 1, (0, 2))
    ),
    Case("sum", (normal(2, 3),), {"dtype": np.float64}, torch=lambda x: x.sum(), name="dtype"),
    Case("prod", (normal(2, 3),), {"dtype": np.float64}, torch=lambda x: x.prod(), name="dtype"),
    *reduction("argmax", distinct, axes=[((3,), None), ((2, 3), 0), ((2, 3), -1)]),
    *reduction("argmin", distinct, axes=[((3,), None), ((2, 3), 0), ((2, 3), -1)]),
    *reduction("all", lambda *s: integers(*s, low=0, high=2), axes=AXES + EMPTY),
    *reduction("any", lambda *s: integers(*s, low=0, high=2), axes=AXES + EMPTY),
    *reduction("count_nonzero", lambda *s: integers(*s, low=0, high=2), axes=AXES + EMPTY),
]
