"""An array in a few numbers, for boxes and lines where its entries don't fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Statistics", "statistics"]


class Statistics(NamedTuple):
    """What there is to know of an array at a glance.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    minimum, maximum, mean : float or None
        Of the finite entries; None where there are none. Of a complex array's magnitudes.
    norm : float
        The Euclidean norm of the finite entries.
    zeros : float
        The share of entries that are zero.
    nans, infinities : int
        How many entries are no finite numbers.
    """

    shape: tuple[int, ...]
    dtype: str
    minimum: float | None
    maximum: float | None
    mean: float | None
    norm: float
    zeros: float
    nans: int
    infinities: int


def statistics(array: Any) -> Statistics:
    """Return an array's statistics, computed in float64.

    >>> found = statistics([3.0, 4.0, 0.0, float("inf")])
    >>> found.minimum, found.maximum, found.norm, found.zeros, found.infinities
    (0.0, 4.0, 5.0, 0.25, 1)
    """
    given = np.asarray(getattr(array, "array", array))
    if given.dtype.kind not in "biufc":
        return Statistics(given.shape, str(given.dtype), None, None, None, 0.0, 0.0, 0, 0)
    entries = abs(given) if given.dtype.kind == "c" else given
    entries = entries.astype(np.float64).reshape(-1)
    nans, infinities = int(np.isnan(entries).sum()), int(np.isinf(entries).sum())
    finite = entries[np.isfinite(entries)] if nans or infinities else entries
    zeros = float(np.mean(entries == 0)) if entries.size else 0.0
    size = float(abs(finite).max()) if finite.size else 0.0
    # Scaled, so that neither the squares of large entries nor their sum overflow.
    with np.errstate(over="ignore"):
        norm = size * float(np.sqrt(np.sum((finite / size) ** 2))) if size else 0.0
        mean = size * float(np.mean(finite / size)) if size else 0.0
    return Statistics(
        given.shape,
        str(given.dtype),
        float(finite.min()) if finite.size else None,
        float(finite.max()) if finite.size else None,
        mean if finite.size else None,
        norm,
        zeros,
        nans,
        infinities,
    )
