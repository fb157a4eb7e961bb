"""The tables of operations, each with its derivative rules, one file a family.

Importing this package declares all of them.
"""

from autodiff.primitives import (
    activations,
    arithmetic,
    diagonals,
    einsum,
    fft,
    indexing,
    joining,
    linalg,
    logic,
    products,
    reductions,
    scans,
    shapes,
    softmax,
    sorting,
    statistics,
    taking,
    transcendental,
)

__all__ = [
    "activations",
    "arithmetic",
    "diagonals",
    "einsum",
    "fft",
    "indexing",
    "joining",
    "linalg",
    "logic",
    "products",
    "reductions",
    "scans",
    "shapes",
    "softmax",
    "sorting",
    "statistics",
    "taking",
    "transcendental",
]
