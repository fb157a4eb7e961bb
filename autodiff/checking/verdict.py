"""When two numbers agree, given how well each of them is known.

Computed ``a`` and differenced ``R`` agree if ``|a - R| <= 3 E + rtol max(|a|, |R|) + atol``,
where E is the difference's own error. Agreement says something only if that allowance is
small beside the numbers: where ``3 E`` and the rounding of ``a`` are together more than a
hundredth of them the entry is *unresolved*, not passed. So an entry that passed is right to
within one per cent plus the given tolerances, at the very least.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["KINK", "OK", "RANK", "RESOLUTION", "SKIPPED", "UNRESOLVED", "WRONG", "judge"]

Array = np.ndarray[Any, Any]

OK, WRONG, UNRESOLVED, KINK, SKIPPED = "ok", "WRONG", "unresolved", "kink", "skipped"

RANK = {OK: 0, SKIPPED: 1, KINK: 2, UNRESOLVED: 3, WRONG: 4}
"""How grave a verdict is."""

RESOLUTION = 0.01
"""How large the differences' error may be beside a number that passes."""


def judge(
    computed: Array,
    expected: Array,
    error: Array,
    slack: Array | float = 0.0,
    *,
    rtol: float,
    atol: float,
    size: Array | None = None,
) -> tuple[Array, Array]:
    """Compare, elementwise.

    Parameters
    ----------
    computed, expected : ndarray
        What the engine and what the differences say.
    error : ndarray
        E, the differences' own error.
    slack : ndarray
        What the computed number may be off by rounding.
    rtol, atol : float
    size : ndarray, optional
        How large the numbers are where nothing cancels; at first ``max(|a|, |R|)``.

    Returns
    -------
    tolerance : ndarray
        How far apart they were allowed to be.
    verdict : ndarray of str
        ``"ok"``, ``"WRONG"`` or ``"unresolved"``.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum(abs(computed), abs(expected))
        size = largest if size is None else np.maximum(size, largest)
        tolerance = 3 * error + slack + rtol * size + atol
        agree = abs(computed - expected) <= tolerance
        exact = (computed == expected) & np.isfinite(error)
        # A NaN among the differences decides nothing; one in the gradient is an error.
        known = np.isfinite(expected) & np.isfinite(error)
        drowned = ~exact & ~(3 * error + slack <= RESOLUTION * size)
        verdict = np.where(agree & ~drowned, OK, np.where(agree | ~known, UNRESOLVED, WRONG))
        verdict = np.where(known & ~np.isfinite(computed), WRONG, verdict)
    return tolerance, verdict
