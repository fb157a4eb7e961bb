"""Where a sequence does the same again and again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["longest_repeat"]

_MOST = 4_000  # words up to which repeats are looked for, in quadratic time


def longest_repeat(words: Sequence[Hashable]) -> tuple[int, int, int]:
    """Return where the longest run of equal periods starts, the period and how many there are.

    Of two periods that cover as much the shorter one counts.

    Examples
    --------
    >>> longest_repeat("xabcabcabcy")
    (1, 3, 3)
    >>> longest_repeat("abcd")
    (0, 0, 0)
    """
    best = (0, 0, 0)
    if not 2 < len(words) <= _MOST:
        return best
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(word, len(numbers)) for word in words])
    for period in range(1, len(codes) // 2 + 1):
        different = np.flatnonzero(codes[period:] != codes[:-period])
        ends = np.concatenate([[-1], different, [len(codes) - period]])
        lengths = np.diff(ends) - 1
        longest = int(lengths.argmax())
        times = 1 + int(lengths[longest]) // period
        if times > 1 and times * period > best[1] * best[2]:
            best = (int(ends[longest]) + 1, period, times)
    return best
