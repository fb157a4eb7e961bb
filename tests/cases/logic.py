"""Cases of ``autodiff/primitives/logic.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, integers, normal
from tests.cases.arithmetic import binary, chosen, torch_function, unary


def small(*shape):
    return integers(*shape, low=0, high=3)


CASES = [
    *[
        case
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
        for case in [*binary(name, small, small), *binary(name)]
    ],
    *[
        case
        for name in ("logical_and", "logical_or", "logical_xor")
        for case in [
            *binary(name, chosen, chosen, torch=torch_function(name)),
            *binary(name, small, small),
        ]
    ],
    *[
        case
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
        for case in [*binary(name, chosen, chosen), *binary(name, small, small)]
    ],
    *binary("bitwise_left_shift", small, small),
    *binary("bitwise_right_shift", small, small),
    *unary("logical_not", chosen),
    *unary("bitwise_invert", chosen),
    *unary("bitwise_invert", small),
    *unary("signbit"),
    *[
        Case(
            name,
            (np.array([1.0, np.nan, np.inf, -np.inf, 0.0]),),
            torch=torch_function(name),
            name="all",
        )
        for name in ("isnan", "isinf", "isfinite", "signbit")
    ],
    *unary("isnan", small),
    Case("less", (normal(3), 0), name="scalar"),
]
