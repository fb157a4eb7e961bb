"""The tables of operations, each with its derivative rules, one file a family.

Importing this package declares all of them.
"""

from autodiff.primitives import (
    activations,
    arithmetic,
    complex,
    diagonals,
    einsum,
    error_function,
    fft,
    indexing,
    joining,
    linalg,
    logic,
    products,
    reductions,
    rounding,
    scans,
    selection,
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
    "complex",
    "diagonals",
    "einsum",
    "error_function",
    "fft",
    "indexing",
    "joining",
    "linalg",
    "logic",
    "products",
    "reductions",
    "rounding",
    "scans",
    "selection",
    "shapes",
    "softmax",
    "sorting",
    "statistics",
    "taking",
    "transcendental",
]
