"""Tensors from nothing: zeros, ranges, grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.namespace import tensors
from autodiff.tensor import Tensor


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros."""
    return make_tensor(np.zeros(shape, dtype=dtype or np.float32))


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones."""
    return make_tensor(np.ones(shape, dtype=dtype or np.float32))


for _function in (zeros, ones):
    setattr(tensors, _function.__name__, _function)
