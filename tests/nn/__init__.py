"""Tests of nn; those against PyTorch skip where it isn't installed."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad

try:
    import torch
except ImportError:
    torch = None

with_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed: no oracle")
precisions = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)]
)


def to_torch(x, requires_grad=True):
    return torch.tensor(x, requires_grad=requires_grad and x.dtype.kind == "f")


def assert_same_as_torch(ours, theirs, arrays, *, tolerance, load=True, **options):
    """Give both the same weights and inputs; compare all outputs and all gradients.

    ``ours`` and ``theirs`` are modules (or functions) of the arrays and the options; arrays
    among the options go to both, without a gradient. Outputs may be nested tuples.
    """
    theirs_is_module = isinstance(theirs, torch.nn.Module)
    if load and theirs_is_module:
        ours.load_state_dict(theirs.state_dict())
    mine = [ad.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    other = [to_torch(a) for a in arrays]
    y = _flat(ours(*mine, **_options(options, ad.asarray)))
    z = _flat(theirs(*other, **_options(options, torch.tensor)))
    assert len(y) == len(z)
    rng = np.random.default_rng(0)
    loss, goal = 0.0, 0.0
    for a, b in zip(y, z, strict=True):
        expected = b.detach().numpy()
        assert a.shape == expected.shape
        assert a.dtype == expected.dtype
        _close(a.detach().numpy(), expected, tolerance, "output")
        if expected.dtype.kind == "f" and b.requires_grad:
            weights = rng.normal(size=expected.shape).astype(expected.dtype)
            loss = loss + (a * weights).sum()
            goal = goal + (b * torch.tensor(weights)).sum()
    if not isinstance(goal, torch.Tensor):
        return
    loss.backward()
    goal.backward()
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        if b.grad is not None:
            _close(a.grad.numpy(), b.grad.numpy(), tolerance, f"gradient of input {i}")
    if theirs_is_module:
        gradients = {name: p.grad for name, p in theirs.named_parameters()}
        assert [name for name, _ in ours.named_parameters()] == list(gradients)
        for name, parameter in ours.named_parameters():
            if gradients[name] is None:
                assert parameter.grad is None, name
            else:
                _close(parameter.grad.numpy(), gradients[name].numpy(), tolerance, name)


def _close(actual, expected, tolerance, what):
    """Compare to the tolerance, relative to the largest number where that is above 1."""
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def _flat(outputs):
    if isinstance(outputs, (tuple, list)):
        return [leaf for output in outputs for leaf in _flat(output)]
    return [] if outputs is None else [outputs]


def _options(options, convert):
    return {k: convert(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
