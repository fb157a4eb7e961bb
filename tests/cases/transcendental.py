"""Cases of ``autodiff/primitives/`` transcendental and error_function."""

from __future__ import annotations

from functools import partial

import pytest

from tests.cases import Case, away, normal
from tests.cases.arithmetic import _torch, apart, between, binary, positive, unary


def scipys(name, *operands):
    return getattr(pytest.importorskip("scipy.special"), name)(*operands)


CASES = [
    *[
        case
        for name in (
            "exp",
            "expm1",
            "sin",
            "cos",
            "tan",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "sinc",
        )
        for case in unary(name, between(-1.4, 1.4), torch=_torch(name))
    ],
    *[
        case
        for name in ("log", "log2", "log10", "log1p")
        for case in unary(name, positive, torch=_torch(name))
    ],
    *[
        case
        for name in ("asin", "acos", "atanh")
        for case in unary(name, between(-0.9, 0.9), torch=_torch(name))
    ],
    *unary("acosh", between(1.1, 3.0), torch=_torch("acosh")),
    *binary("atan2", away, away, torch=_torch("atan2")),
    *binary("logaddexp", torch=_torch("logaddexp")),
    *binary("xlogy", normal, positive, torch=_torch("xlogy"), reference=partial(scipys, "xlogy")),
    Case("logaddexp", (normal(3), 0.0), name="scalar"),
    Case("atan2", (apart(3), 0.5), name="scalar"),
    Case(
        "xlogy",
        (2.0, positive(3)),
        torch=_torch("xlogy"),
        reference=partial(scipys, "xlogy"),
        name="scalar",
    ),
    *unary("erf", torch=_torch("erf"), reference=partial(scipys, "erf")),
    *unary("erfc", torch=_torch("erfc"), reference=partial(scipys, "erfc")),
    *unary("erf", between(-6, 6), torch=_torch("erf"), reference=partial(scipys, "erf")),
]
