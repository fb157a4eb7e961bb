"""Products of matrices and tensors."""

from __future__ import annotations

from typing import Any

from autodiff.engine.primitive import Array, composite, primitive, standard
from autodiff.namespace import Namespace


@standard
def matmul(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Matrix product."""


@matmul.vjp("x1")
def _(xp: Namespace, g: Array, x2: Array) -> Array:
    return g @ xp.matrix_transpose(x2)


@matmul.vjp("x2")
def _(xp: Namespace, g: Array, x1: Array) -> Array:
    return xp.matrix_transpose(x1) @ g
