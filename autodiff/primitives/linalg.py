"""Solving, inverting, decomposing: the functions of ``autodiff.linalg``."""

from __future__ import annotations

from autodiff.namespace import tensors
from autodiff.primitives import products, shapes

# The standard's names for functions that stand elsewhere.
for _function in (
    products.cross,
    products.matmul,
    products.outer,
    products.tensordot,
    products.vecdot,
    shapes.matrix_transpose,
):
    setattr(tensors.linalg, _function.__name__, _function)
