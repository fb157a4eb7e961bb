"""Activation functions as layers, and as functions where ``autodiff`` has none of that name.

Each docstring says what the function cures, and what it costs. What is weighed:

- **Saturation.** Where the slope is almost 0 a unit hardly learns, and gradients vanish
  through several such layers.
- **Zero-centring.** Outputs of one sign give all weights of a unit gradients of one sign, so
  that descent zigzags (LeCun et al., "Efficient BackProp", 1998).
- **The kink.** Where there is no derivative one is chosen; curvature is 0 on both sides.
- **Dead units.** A unit whose slope is 0 for every example gets no gradient any more.
"""

from nn.activations.activation import Function, Identity
from nn.activations.bounded import (
    GLU,
    Hardsigmoid,
    Hardtanh,
    LogSigmoid,
    LogSoftmax,
    Sigmoid,
    Softmax,
    Softmax2d,
    Softmin,
    Softsign,
    Tanh,
)
from nn.activations.rectifiers import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardswish,
    LeakyReLU,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    SiLU,
    Softplus,
    Threshold,
)
from nn.activations.shrinkage import Hardshrink, Softshrink, Tanhshrink

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Function",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]
