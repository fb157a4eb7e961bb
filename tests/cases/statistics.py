"""Cases of ``autodiff/primitives/statistics.py``."""

from __future__ import annotations

from tests.cases.reductions import AXES, NOTHING, reduction

SPREAD = [(shape, axis) for shape, axis in AXES if shape and axis != ()]

CASES = [
    *reduction("var", torch=lambda x, d, k: x.var(d, correction=0, keepdim=k)),
    *reduction("std", torch=lambda x, d, k: x.std(d, correction=0, keepdim=k), axes=SPREAD),
    *reduction("var", axes=NOTHING),  # PyTorch warns
    *reduction("std", axes=NOTHING),
    *reduction("std", axes=[((), None), ((2, 3), ())]),  # of one number always 0; PyTorch: NaN
]
for _operation in ("var", "std"):
    CASES += reduction(
        _operation,
        torch=lambda x, d, k, name=_operation: getattr(x, name)(d, correction=1, keepdim=k),
        axes=[((4,), None), ((2, 3), -1), ((2, 3, 2), (0, 2))],
        options={"correction": 1},
    )
