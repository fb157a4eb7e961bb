"""An array as the page shows it: its numbers where they fit, a heatmap, a histogram, statistics."""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.draw.statistics import Statistics, statistics

__all__ = ["Shown", "number", "show"]

_MOST_NUMBERS = 64  # of an array that is written out
_BINS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page knows of an array.

    Attributes
    ----------
    statistics : Statistics
        Of all entries.
    exact : number, str, list or None
        All entries, where there are few.
    sample : ndarray or None
        Two axes of it, of at most ``side`` entries each, for the heatmap.
    cut : str
        What of it the heatmap leaves out; empty for nothing.
    entries : ndarray
        The finite ones that the histogram counts: evenly spaced where there are very many.
    """

    statistics: Statistics
    exact: Any
    sample: Any
    cut: str
    entries: Any

    def encode(self) -> dict[str, Any]:
        """Return it for the page's JSON; heatmaps as a byte an entry, from -limit to limit."""
        s = self.statistics
        extremes = (s.minimum, s.maximum, s.mean, s.norm, s.zeros)
        found: dict[str, Any] = {"s": [*map(number, extremes), s.nans, s.infinities]}
        if self.exact is not None:
            found["v"] = self.exact
        if self.sample is not None:
            finite = np.isfinite(self.sample)
            known = np.where(finite, self.sample, 0.0)
            limit = float(abs(known).max()) if known.size else 0.0
            scaled = 128.0 + 127.0 * (known / (limit or 1.0))
            levels = np.where(finite, np.rint(scaled), 0).astype(np.uint8)
            rows, columns = levels.shape
            text = b64encode(levels.tobytes()).decode("ascii")
            found["m"] = [rows, columns, text, number(limit)]
        if self.cut:
            found["cut"] = self.cut
        if self.entries.size > 8:
            low, high = float(self.entries.min()), float(self.entries.max())
            if 0.0 < high / 2 - low / 2 < 1e300:
                where = ((self.entries - low) * (_BINS / (high - low))).astype(np.int64)
                counts = np.bincount(np.minimum(where, _BINS - 1), minlength=_BINS)
                found["h"] = [number(low), number(high), counts.tolist()]
        return found


def show(array: Any, side: int) -> Shown:
    """Return what the page shows of an array.

    Parameters
    ----------
    array : array or number
    side : int
        How many rows and columns a heatmap has at most.

    Examples
    --------
    >>> import numpy as np
    >>> show(np.zeros((100, 30)), 32).cut
    'every 4th row'
    >>> show(2.5, 32).exact
    2.5
    """
    given = np.asarray(array)
    with np.errstate(all="ignore"):
        stats = statistics(given)
    if given.dtype.kind not in "biufc":
        return Shown(stats, str(array)[:80], None, "", np.empty(0))
    exact = _written(given) if given.size <= _MOST_NUMBERS else None
    if given.ndim == 0:
        return Shown(stats, exact, None, "", np.empty(0))
    real = abs(given) if given.dtype.kind == "c" else given
    sample, cut = _sample(real, side)
    flat = real.reshape(-1) if real.size <= 4096 else real.reshape(-1)[:: real.size // 4096]
    entries = flat.astype(np.float64)
    return Shown(stats, exact, sample, cut, entries[np.isfinite(entries)])


def _sample(array: Any, side: int) -> tuple[Any, str]:
    """Return two axes of an array with evenly spaced entries, and what was left out."""
    if not array.size:
        return None, ""
    cuts = []
    flat = array
    if flat.ndim > 2:
        cuts.append(f"[{', '.join('0' for _ in flat.shape[:-2])}] of {flat.shape}")
        flat = flat[(0,) * (flat.ndim - 2)]
    flat = flat.reshape(1, -1) if flat.ndim == 1 else flat
    rows, columns = (math.ceil(size / side) for size in flat.shape)
    if rows > 1:
        cuts.append(f"every {_ordinal(rows)} row")
    if columns > 1:
        cuts.append(f"every {_ordinal(columns)} {'column' if array.ndim > 1 else 'entry'}")
    return flat[::rows, ::columns].astype(np.float64), ", ".join(cuts)


def _ordinal(count: int) -> str:
    last = 0 if count % 100 in (11, 12, 13) else count % 10
    return f"{count}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def _written(array: Any) -> Any:
    """Return an array as nested lists of numbers that JSON can hold."""
    if array.ndim:
        return [_written(part) for part in array]
    return number(array[()])


def number(value: Any) -> Any:
    """Return a number as JSON can hold it: not-a-number and infinities as words.

    >>> number(float("inf")), number(0.1), number(None)
    ('inf', 0.1, None)
    """
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, complex | np.complexfloating):
        return f"{value:.6g}"
    if isinstance(value, int | np.integer):
        return int(value)
    given = float(value)
    if not math.isfinite(given):
        return "nan" if math.isnan(given) else "inf" if given > 0 else "-inf"
    short = float(f"{given:.7g}")  # as precise as float32
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
