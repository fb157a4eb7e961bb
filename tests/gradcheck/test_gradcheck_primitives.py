"""Every primitive, on every case, through the checker."""

from __future__ import annotations

import pytest

import autodiff as ad
from tests.test_primitives import CASES, apply, differentiable, floating, operands_of, variable


@pytest.mark.parametrize("case", [c for c in CASES if differentiable(c)], ids=str)
def test_checker_passes_every_primitive(case):
    """Nothing that the suite's own oracle finds right may be called wrong."""
    arrays = operands_of(case)
    positions = [i for i, x in enumerate(arrays) if variable(x) and x.size]
    if not positions:
        pytest.skip("no entries to vary")

    def f(*values):
        filled = list(arrays)
        for i, value in zip(positions, values, strict=True):
            filled[i] = value
        return floating(apply(case, filled))

    report = ad.gradcheck(f, [arrays[i] for i in positions], raises=False)
    assert not report.wrong, str(report)
    # What is not resolved is honestly next to nothing: a determinant's gradient of rank 2, say.
    assert report or max(abs(entry.computed) for entry in report.entries) < 1e-11, str(report)
