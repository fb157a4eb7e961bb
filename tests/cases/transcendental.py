"""Cases of ``autodiff/primitives/`` exponential, trigonometric and error_function."""

from __future__ import annotations

from functools import partial

import pytest

from tests.cases import Case, away, normal
from tests.cases.arithmetic import apart, between, binary, positive, torch_function, unary


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
        for case in unary(name, between(-1.4, 1.4), torch=torch_function(name))
    ],
    *[
        case
        for name in ("log", "log2", "log10", "log1p")
        for case in unary(name, positive, torch=torch_function(name))
    ],
    *[
        case
        for name in ("asin", "acos", "atanh")
        for case in unary(name, between(-0.9, 0.9), torch=torch_function(name))
    ],
    *unary("acosh", between(1.1, 3.0), torch=torch_function("acosh")),
    *binary("atan2", away, away, torch=torch_function("atan2")),
    *binary("logaddexp", torch=torch_function("logaddexp")),
    *binary(
        "xlogy", normal, positive, torch=torch_function("xlogy"), reference=partial(scipys, "xlogy")
    ),
    Case("logaddexp", (normal(3), 0.0), name="scalar"),
    Case("atan2", (apart(3), 0.5), name="scalar"),
    Case(
        "xlogy",
        (2.0, positive(3)),
        torch=torch_function("xlogy"),
        reference=partial(scipys, "xlogy"),
        name="scalar",
    ),
    *unary("erf", torch=torch_function("erf"), reference=partial(scipys, "erf")),
    *unary("erfc", torch=torch_function("erfc"), reference=partial(scipys, "erfc")),
    *unary("erf", between(-6, 6), torch=torch_function("erf"), reference=partial(scipys, "erf")),
]
