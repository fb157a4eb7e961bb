"""Cases of ``autodiff/primitives/softmax.py``."""

from __future__ import annotations

import numpy as np
import scipy.special

from tests.cases import Case, normal
from tests.cases.reductions import AXES, NOTHING, reduction

ALONG = [((), -1), ((3,), 0), ((2, 3), -1), ((2, 3, 4), 1), ((2, 3), None), ((2, 3, 2), (0, 2))]
PLAIN = [(shape, axis) for shape, axis in ALONG if isinstance(axis, int)]


def along(operation, reference, torch=None):
    """Cases over shapes and axes; PyTorch takes one axis."""
    return [
        Case(
            operation,
            (normal(*shape, scale=2.0),),
            {"axis": axis},
            reference=lambda x, axis=axis: reference(x, axis=axis),
            torch=(lambda x, axis=axis: torch(x, axis)) if isinstance(axis, int) else None,
            name=f"{shape}-{axis}",
        )
        for shape, axis in ALONG
    ] + [
        Case(
            operation,
            (np.zeros(shape),),
            {"axis": axis},
            torch=lambda x: torch(x, -1),
            name=f"{shape}",
        )
        for shape, axis in [((0,), -1), ((2, 0), -1), ((0, 2), -1)]
    ]


CASES = [
    *reduction(
        "logsumexp",
        torch=lambda x, d, k: x.logsumexp(d, keepdim=k),
        axes=[a for a in AXES + NOTHING if a[1] != ()],
    ),
    Case("logsumexp", (normal(2, 3),), {"axis": -1}, name="(2, 3)",
         reference=lambda x: scipy.special.logsumexp(x, axis=-1)),
    *along("softmax", scipy.special.softmax, lambda x, d: x.softmax(d)),
    *along("log_softmax", scipy.special.log_softmax, lambda x, d: x.log_softmax(d)),
]  # fmt: skip
