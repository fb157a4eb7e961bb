"""Cases of ``autodiff/primitives/sorting.py`` and ``sets.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, distinct, integers

ALONG = [((3,), 0), ((2, 3), -1), ((4, 2), 0), ((2, 3, 2), 1), ((0,), 0), ((2, 0), 1), ((0, 2), 1)]


def _along(x, indices, axis):
    return np.take_along_axis(x, indices, axis=axis)


def _only_indices(x, indices, axis):
    return indices


def _argsort(x, axis, descending):
    return np.argsort(-x if descending else x, axis=axis, stable=True)


def _topk(x, k, axis, largest):
    indices = _argsort(x, axis, largest).take(range(k), axis=axis)
    return _along(x, indices, axis), indices


CASES = [
    *(
        Case(
            operation,
            (distinct(*shape),),
            {"axis": axis, "descending": descending},
            reference=lambda x, axis=axis, descending=descending, pick=pick: pick(
                x, _argsort(x, axis, descending), axis
            ),
            torch=lambda x, axis=axis, descending=descending, k=k: x.sort(axis, descending)[k],
            name=f"{shape}-{axis}{'-descending' if descending else ''}",
        )
        for operation, pick, k in [
            ("sort", _along, 0),
            ("argsort", _only_indices, 1),
        ]
        for shape, axis in ALONG
        for descending in (False, True)
    ),
    *(
        Case(
            "topk",
            (distinct(*shape),),
            {"k": k, "axis": axis, "largest": largest},
            reference=lambda x, k=k, axis=axis, largest=largest: _topk(x, k, axis, largest),
            torch=lambda x, k=k, axis=axis, largest=largest: x.topk(k, axis, largest),
            name=f"{shape}-{k}-{axis}{'' if largest else '-smallest'}",
        )
        for shape, axis in ALONG
        for k in (0, 1, 2, shape[axis])
        if k <= shape[axis]
        for largest in (True, False)
    ),
    Case("searchsorted", (np.array([1.0, 2, 3]), np.array([[0.0, 2], [2.5, 9]]))),
    Case("searchsorted", (np.array([1.0, 2, 3]), np.array(2.0)), {"side": "right"}, name="right"),
    Case(
        "searchsorted",
        (np.array([3.0, 1, 2]), np.array([2.0, 9.0])),
        {"sorter": np.array([1, 2, 0])},
        name="sorter",
    ),
    Case("nonzero", (integers(4, high=2),), name="(4,)"),
    Case("nonzero", (integers(2, 3, high=2),), name="(2, 3)"),
    Case("unique_all", (integers(7),), name="(7,)"),
    Case("unique_all", (integers(3, 4),), name="(3, 4)"),
    Case("unique_all", (integers(0),), name="(0,)"),
]
