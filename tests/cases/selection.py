"""Cases of ``autodiff/primitives/selection.py``."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, distinct, normal
from tests.cases.arithmetic import apart, beside, binary, chosen, torch_function, unary

CASES = [
    *binary("maximum", normal, apart, torch=torch_function("maximum")),
    *binary("minimum", normal, apart, torch=torch_function("minimum")),
    Case("maximum", (beside(0)(2, 3), 0), torch=lambda x, _: x.clamp(min=0), name="scalar"),
    Case("where", (chosen(2, 3), normal(2, 3), normal(2, 3)), torch=torch_function("where")),
    Case(
        "where",
        (chosen(3), normal(2, 1), normal()),
        torch=torch_function("where"),
        name="broadcast",
    ),
    Case("where", (chosen(), normal(), normal()), torch=torch_function("where"), name="0-d"),
    Case(
        "where",
        (chosen(0, 3), normal(3), normal(0, 1)),
        torch=torch_function("where"),
        name="empty",
    ),
    Case("where", (chosen(2, 3), normal(2, 3), 0.0), torch=torch_function("where"), name="scalar"),
    Case("where", (chosen(2, 3), 1, normal(3)), torch=torch_function("where"), name="scalar1"),
    Case("masked", (normal(2, 3), chosen(2, 3)), reference=lambda x, m: np.where(m, x, 0)),
    Case("masked", (normal(), chosen(3)), reference=lambda x, m: np.where(m, x, 0), name="0-d"),
    Case(
        "masked", (normal(2, 0), chosen(0)), reference=lambda x, m: np.where(m, x, 0), name="empty"
    ),
    Case("clip", (beside(-1, 1)(3, 4), -1.0, 1.0), torch=torch_function("clip"), name="scalars"),
    Case(
        "clip",
        (beside(-1)(3, 4), -1),
        torch=torch_function("clip"),
        reference=np.maximum,
        name="min",
    ),
    Case("clip", (beside(1)(3, 4), None, 1), torch=torch_function("clip"), name="max"),
    Case("clip", (normal(3),), reference=lambda x: x, name="no bound"),
    Case(
        "clip",
        (distinct(3, 4), apart(4), lambda rng: 2.0 + rng.random((3, 1))),
        torch=torch_function("clip"),
        name="tensors",
    ),
    Case(
        "clip",
        (distinct(3, 4), apart(4)),
        torch=torch_function("clip"),
        reference=np.maximum,
        name="min tensor",
    ),
    Case("clip", (beside(-1, 1)(), -1.0, 1.0), torch=torch_function("clip"), name="0-d"),
    Case("clip", (normal(0, 3), -1.0, 1.0), torch=torch_function("clip"), name="empty"),
    *unary("nan_to_num", torch=torch_function("nan_to_num")),
]
