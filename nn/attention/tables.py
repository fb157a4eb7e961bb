"""How long the tables are that are computed once and kept: causal masks, waves."""

from __future__ import annotations

__all__ = ["table_length"]


def table_length(stop: int) -> int:
    """Round a length up to a power of two, so that sequences that grow need few tables."""
    length = 64
    while length < stop:
        length *= 2
    return length
