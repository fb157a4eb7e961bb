"""Cases of ``autodiff/primitives/`` rounding and complex."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, away, uniform
from tests.cases.arithmetic import beside, binary, torch_function, unary

CASES = [
    *binary("copysign", away, away, torch=torch_function("copysign")),
    *binary("nextafter", tolerance=1e-5),
    *[
        case
        for name in ("floor", "ceil", "round", "trunc", "sign")
        for case in unary(name, beside(*np.arange(-20, 20) / 2), torch=torch_function(name))
    ],
    Case("round", (uniform(2, 3, low=0.106, high=0.114),), {"decimals": 2}, name="decimals"),
    # complex.py
    *unary("real"),
    *unary("imag", reference=np.zeros_like),
    *unary("conj", torch=torch_function("conj")),
]
