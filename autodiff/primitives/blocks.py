"""Elementwise functions of many steps, carried out on one block of an array after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autodiff.engine.primitive import Array
from autodiff.namespace import Namespace

__all__ = ["in_blocks"]

_BLOCK = 32768
"""How many elements to carry through all steps at once: few enough to stay in the cache."""


def in_blocks(xp: Namespace, function: Callable[..., Array], x: Array, *others: Array) -> Array:
    """Compute ``function(xp, x, *others)`` so that its temporaries stay in the cache.

    The function works element by element. Only NumPy's arrays are cut up, and they must be of
    one shape and lie without gaps; of all else it is called as a whole.
    """
    arrays = (x, *others)
    if x.size <= _BLOCK or not all(
        type(a) is np.ndarray and a.shape == x.shape and a.flags.c_contiguous for a in arrays
    ):
        return function(xp, *arrays)
    vectors = [a.reshape(-1) for a in arrays]
    out: Array = None
    for start in range(0, x.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        part = function(xp, *[vector[block] for vector in vectors])
        if out is None:
            out = np.empty(x.size, part.dtype)
        out[block] = part
    return out.reshape(x.shape)
