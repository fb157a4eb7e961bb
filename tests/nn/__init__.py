"""Tests of nn; those against PyTorch skip where it isn't installed."""

from __future__ import annotations

import pytest

try:
    import torch
except ImportError:
    torch = None

with_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed: no oracle")


def to_torch(x, requires_grad=True):
    return torch.tensor(x, requires_grad=requires_grad and x.dtype.kind == "f")
