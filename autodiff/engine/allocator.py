"""Let the C library keep the memory of freed arrays for the next ones.

A training step allocates and frees the same megabytes again and again. glibc's malloc maps a
large block from the system and gives it back as soon as it is free, and every page of a new
one costs a fault when it is first touched: in a small Transformer that was a third of the step.

But malloc learns: what was mapped and then freed, up to 32 MiB, it takes for a size that comes
and goes. From then on it serves such sizes from memory that it keeps, and gives back only what
exceeds twice the size (mallopt(3), "Dynamic adjustment of the mmap threshold").
"""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

_LARGEST = (1 << 25) - (1 << 16)
"""Bytes: just below the largest size that malloc learns from."""


def keep_freed_memory() -> None:
    """Free one block of the largest size that malloc learns from, untouched.

    It takes no memory, only addresses. The process then keeps up to 64 MiB of freed memory.
    Who sets the environment's ``MALLOC_MMAP_THRESHOLD_`` or ``MALLOC_TRIM_THRESHOLD_`` has
    switched the learning off, and their numbers hold. Other C libraries don't learn.
    """
    np.empty(_LARGEST, np.uint8)
