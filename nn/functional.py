"""The functions that layers are made of, in one place: ``nn.functional.cross_entropy(...)``.

Each stands in its family's file, beside the layer that calls it. Activation functions that are
operations of their own are ``autodiff``'s.
"""

from autodiff import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
)
from nn.activations import (
    glu,
    hardshrink,
    log_softmax,
    prelu,
    rrelu,
    softmax,
    softmin,
    softshrink,
    tanhshrink,
    threshold,
)
from nn.attention.dot_product import scaled_dot_product_attention
from nn.convolution import conv1d, conv2d
from nn.dropout import dropout
from nn.embedding import embedding
from nn.linear import bilinear, linear
from nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from nn.normalization import group_norm, layer_norm, rms_norm

__all__ = [
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mish",
    "mse_loss",
    "nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rrelu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]
