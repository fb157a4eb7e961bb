"""Cases of ``autodiff/primitives/indexing.py``, ``taking.py`` and ``diagonals.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, normal

MASK = np.array([[True, False, True], [False, False, True]])
A = np.array

INDICES = {
    "int": ((4,), 2),
    "negative": ((4, 2), -1),
    "slice": ((5,), slice(1, 4)),
    "backwards": ((5, 2), slice(None, None, -2)),
    "empty slice": ((5,), slice(3, 3)),
    "ellipsis": ((2, 3, 4), (..., 1)),
    "only ellipsis": ((2, 3), ...),
    "0-d": ((), ()),
    "0-d none": ((), (None, ...)),
    "none": ((2, 3), (None, slice(None), None, 1)),
    "mixed basic": ((3, 4, 5), (1, ..., slice(None, None, 2), None)),
    "array": ((4,), A([0, 2, 2, -2])),
    "list": ((4, 2), [3, 0, 3]),
    "array of one": ((4,), A([1])),
    "2-d array": ((4, 2), A([[0, 1, 1], [3, 1, 0]])),
    "array on the last": ((2, 4), (slice(None), A([1, 1, 3]))),
    "array in the middle": ((2, 4, 3), (slice(None), A([1, 1, 3]), slice(1, 3))),
    "array after ellipsis": ((2, 3, 4), (..., A([1, 1, 3]))),
    "array between ellipsis and slice": ((2, 3, 4), (..., A([1, 1, 2]), slice(None))),
    "array and trailing": ((4, 2, 3), (A([1, 1, 3]), slice(None), ...)),
    "two arrays": ((3, 4), (A([0, 0, 2]), A([1, 1, -1]))),
    "two arrays broadcast": ((3, 4, 2), (A([[0], [2]]), A([1, 1, 3]))),
    "separated arrays": ((3, 4, 2), (A([0, 0, 2]), slice(None), A([1, 1, 0]))),
    "separated by none": ((3, 4), (A([0, 0]), None, A([1, 1]))),
    "array and int": ((3, 4, 2), (A([0, 0, 2]), slice(1, 3), 1)),
    "int and array": ((3, 4, 2), (1, slice(None), A([1, 1, 0]))),
    "array and none": ((3, 4), (None, A([0, 0]), None)),
    "mask": ((2, 3), MASK),
    "mask of rows": ((3, 2), A([True, False, True])),
    "mask of columns": ((2, 3), (slice(None), A([True, False, True]))),
    "mask list": ((3,), [True, False, True]),
    "mask of nothing": ((3,), A([False, False, False])),
    "mask, more axes": ((2, 3, 2), MASK),
    "mask and int": ((3, 2), (A([True, False, True]), 1)),
    "mask and array": ((3, 3), (A([True, False, True]), A([1, 1]))),
    "mask and broadcast array": ((3, 3), (A([False, False, True]), A([1, 1]))),
    "mask of two axes and array": ((2, 3, 4), (MASK, A([2, 2, 0]))),
    "true": ((2,), True),
    "false": ((2,), False),
    "numpy bool": ((2, 2), (np.True_, 1)),
    "empty list": ((3,), []),
    "empty array": ((3, 2), A([], dtype=int)),
    "array of an empty axis": ((3, 0), A([1, 1])),
    "0-d array": ((3, 2), A(1)),
    "unsigned": ((4,), A([0, 2, 2], dtype=np.uint8)),
}
NOT_IN_TORCH = {
    "backwards", "separated by none", "int and array", "false", "true", "numpy bool", "unsigned",
}  # fmt: skip


def got(name, shape, index):
    torch = None if name in NOT_IN_TORCH else lambda x: x[_for_torch(index)]
    return Case(
        "getitem",
        (normal(*shape),),
        {"index": index},
        torch=torch,
        reference=lambda x: x[index],
        name=name,
    )


def _for_torch(index):
    import torch

    if isinstance(index, tuple):
        return tuple(_for_torch(item) for item in index)
    if isinstance(index, list) and not index:
        return torch.tensor([], dtype=torch.int64)
    return torch.tensor(index) if isinstance(index, np.ndarray | list) else index


def scattered(name, shape, index):
    taken = np.zeros(shape)[index].shape

    def reference(x):
        out = np.zeros(shape)
        np.add.at(out, index, x)
        return out

    options = {"index": index, "shape": shape}
    return Case("scatter", (normal(*taken),), options, reference=reference, name=name)


def written(name, shape, index, value=None):
    """A case of setitem: the value as the index takes it, or of the given shape."""
    taken = np.zeros(shape)[index].shape if value is None else value

    def reference(x, v):
        out = x.copy()
        out[index] = v
        return out

    return Case(
        "setitem",
        (normal(*shape), normal(*taken)),
        {"index": index},
        reference=reference,
        name=f"{name} {value}" if value is not None else name,
    )


def took(shape, indices, axis=None):
    def torch(x, i):
        return x.take(i) if axis is None else x[(slice(None),) * (axis % x.ndim) + (i,)]

    return Case(
        "take",
        (normal(*shape), A(indices, dtype=np.int64)),
        {"axis": axis},
        torch=torch if np.min(indices, initial=0) >= 0 or axis is not None else None,
        name=f"{shape} {indices} {axis}",
    )


def along(shape, indices, axis=-1):
    def torch(x, i):
        import torch

        return torch.take_along_dim(x, i, axis)

    indices = A(indices, dtype=np.int64)
    return Case(
        "take_along_axis",
        (normal(*shape), indices),
        {"axis": axis},
        torch=torch if indices.min(initial=0) >= 0 else None,
        name=f"{shape} {indices.tolist()} {axis}",
    )


def of_matrices(operation, shape, torch=None, **options):
    return Case(operation, (normal(*shape),), options, torch=torch, name=f"{shape} {options}")


CASES = [
    *[got(name, *given) for name, given in INDICES.items()],
    *[scattered(name, *given) for name, given in INDICES.items()],
    Case(
        "scatter",
        (normal(2),),
        {"index": A([2, 0]), "shape": (3,), "unique": True},
        reference=lambda x: A([x[1], 0, x[0]]),
        name="unique",
    ),
    Case(
        "scatter",
        (normal(1, 2),),
        {"index": A([2, 2, 0]), "shape": (3, 2)},
        reference=lambda x: A([x[0], [0, 0], 2 * x[0]]),
        name="broadcast",
    ),
    *[written(name, *given) for name, given in INDICES.items()],
    written("slice", (5, 2), slice(1, 4), ()),
    written("slice", (5, 2), slice(1, 4), (2,)),
    written("slice", (5, 2), slice(1, 4), (3, 1)),
    written("slice", (5,), slice(1, 4), (1, 1, 3)),
    written("mask", (2, 3), MASK, ()),
    written("duplicates", (4, 2), A([1, 3, 1]), (2,)),
    written("duplicates", (4, 2), A([1, 3, 1]), (3, 1)),
    written("duplicates", (4, 2), (A([1, 3, 1]), A([0, 0, 0])), (1, 3)),
    Case(
        "setitem",
        (normal(3), 2.5),
        {"index": 1},
        reference=lambda x, v: A([x[0], v, x[2]]),
        name="number",
    ),
    took((), 0),
    took((4,), 2),
    took((4,), [0, 2, 2, 1]),
    took((4,), [-1, 3]),
    took((2, 3), [5, 0, 5]),
    took((2, 3), [1, 1], 0),
    took((2, 3), [[1, 1], [0, 2]], -1),
    took((2, 3, 2), [-1, 2, 0], 1),
    took((2, 3), 1, 0),
    took((3,), [], 0),
    took((0, 3), [2, 2], 1),
    along((4,), [0, 2, 2], 0),
    along((2, 3), [[0, 0], [2, 1]]),
    along((2, 3), [[0, -1], [-1, 1]]),
    along((2, 3), [[1, 1, 0]], 0),
    along((2, 3), [[1], [2]], 1),
    along((2, 3), [[1]], 1),
    along((1, 3), [[0, 0], [2, 1]], 1),
    along((2, 3), [4, 4, 0], None),
    along((), [0, 0], None),
    along((0, 2), np.zeros((0, 1), int), 1),
    along((2, 3), np.zeros((2, 0), int), 1),
    of_matrices("diagonal", (3, 3), lambda x: x.diagonal()),
    of_matrices("diagonal", (2, 4), lambda x: x.diagonal(1), offset=1),
    of_matrices("diagonal", (4, 2), lambda x: x.diagonal(-2), offset=-2),
    of_matrices("diagonal", (2, 3), offset=5),
    of_matrices("diagonal", (2, 3, 4), lambda x: x.diagonal(1, 0, 2), offset=1, axis1=0, axis2=2),
    of_matrices("diagonal", (2, 3, 4), lambda x: x.diagonal(0, -1, -2), axis1=-1, axis2=-2),
    of_matrices("diagonal", (0, 3), lambda x: x.diagonal()),
    of_matrices("tril", (3, 3), lambda x: x.tril()),
    of_matrices("tril", (2, 3, 4), lambda x: x.tril(1), k=1),
    of_matrices("tril", (0, 3), lambda x: x.tril()),
    of_matrices("triu", (2, 0), lambda x: x.triu()),
    of_matrices("triu", (3, 3), lambda x: x.triu()),
    of_matrices("triu", (2, 4, 3), lambda x: x.triu(-1), k=-1),
]
