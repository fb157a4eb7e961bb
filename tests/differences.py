"""Finite differences that know nothing of the engine: the suite's own oracle."""

from __future__ import annotations

import numpy as np


def derivative(scalar, variables, k, h=1e-4):
    """Differentiate ``scalar(*variables)`` by each entry of the k-th, by Richardson's rule.

    The error of the central difference, of order h squared, is extrapolated away:
    ``(4 D(h/2) - D(h)) / 3``.
    """
    variables = [np.array(x, dtype=np.float64) for x in variables]
    x = variables[k]
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]

        def central(step, index=index, kept=kept):
            x[index] = kept + step
            above, up = scalar(*variables), x[index]
            x[index] = kept - step
            below, down = scalar(*variables), x[index]
            x[index] = kept
            return (above - below) / (up - down)

        step = h * max(1.0, abs(kept))
        out[index] = (4 * central(step / 2) - central(step)) / 3
    return out
