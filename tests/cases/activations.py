"""Cases of ``autodiff/primitives/activations.py``."""

from __future__ import annotations

from tests.cases import Case
from tests.cases.arithmetic import beside, unary


def _functional(name, **options):
    def call(x):
        import torch

        return getattr(torch.nn.functional, name)(x, **options)

    return call


def activation(name, *kinks, **options):
    """One activation on all shapes, or on one where it is given options."""
    torch = _functional(name, **options)
    if not options:
        return unary(name, beside(*kinks), torch=torch)
    return [Case(name, (beside(*kinks)(2, 3),), options, torch=torch, name=f"{options}")]


CASES = [
    *activation("relu", 0),
    *activation("relu6", 0, 6),
    *activation("hardtanh", -1, 1),
    *activation("hardtanh", -0.5, 2, min_val=-0.5, max_val=2.0),
    *activation("leaky_relu", 0),
    *activation("leaky_relu", 0, negative_slope=0.3),
    *activation("elu", 0),
    *activation("elu", 0, alpha=0.5),
    *activation("selu", 0),
    *activation("celu", 0),
    *activation("celu", 0, alpha=2.0),
    *activation("sigmoid"),
    *activation("logsigmoid"),
    *activation("softplus"),
    *activation("softplus", 0.5, beta=3.0, threshold=1.5),
    *activation("softsign", 0),
    *activation("gelu"),
    *activation("gelu", approximate="tanh"),
    *activation("silu"),
    *activation("mish"),
    # PyTorch's own multiplies its float64 gradient by 1/6 in float32.
    *unary("hardsigmoid", beside(-3, 3), torch=lambda x: _functional("relu6")(x + 3) / 6),
    *activation("hardswish", -3, 3),
]
