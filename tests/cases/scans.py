"""Cases of ``autodiff/primitives/scans.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, distinct, normal
from tests.cases.reductions import zeros_at

ALONG = [
    ((3,), None),
    ((4,), 0),
    ((2, 3), -1),
    ((5, 2), 0),
    ((2, 3, 2), 1),
    ((0,), None),
    ((2, 0), 1),
    ((0, 2), 1),
]


def scan(operation, reference, torch=None, make=normal, **options):
    """Cases over shapes and axes."""
    return [
        Case(
            operation,
            (make(*shape),),
            {"axis": axis},
            reference=lambda x, axis=axis: reference(x, axis=axis or 0),
            torch=(lambda x, axis=axis: torch(x, axis or 0)) if 0 not in shape else None,
            name=f"{shape}-{axis}",
            **options,
        )
        for shape, axis in ALONG
    ]


def initial(operation, reference, value):
    """Cases with ``include_initial``."""

    def expected(x, axis):
        return np.insert(reference(x, axis=axis), 0, value, axis=axis)

    return [
        Case(
            operation,
            (normal(*shape),),
            {"axis": axis, "include_initial": True},
            reference=lambda x, axis=axis: expected(x, axis or 0),
            name=f"{shape}-{axis}-initial",
        )
        for shape, axis in ALONG
    ]


CASES = [
    *scan("cumulative_sum", np.cumsum, lambda x, d: x.cumsum(d)),
    *initial("cumulative_sum", np.cumsum, 0),
    *scan("cumulative_prod", np.cumprod, lambda x, d: x.cumprod(d)),
    *initial("cumulative_prod", np.cumprod, 1),
    *scan("cumulative_max", np.maximum.accumulate, lambda x, d: x.cummax(d)[0], distinct),
    *(
        Case(
            "cumulative_prod",
            (zeros_at(*indices, shape=(2, 6)),),
            {"axis": axis},
            torch=lambda x, axis=axis: x.cumprod(axis),
            name=f"zeros{indices}-{axis}",
        )
        for indices in [(0,), (2, 4), (5, 6, 8, 11)]
        for axis in (0, 1)
    ),
]
