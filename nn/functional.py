"""The functions that layers are made of, in one place: ``nn.functional.cross_entropy(...)``.

Each stands in its family's file, beside the layer that calls it.
"""

from nn.attention.dot_product import scaled_dot_product_attention
from nn.dropout import dropout
from nn.embedding import embedding
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
from nn.normalization import layer_norm, rms_norm

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "mse_loss",
    "nll_loss",
    "rms_norm",
    "scaled_dot_product_attention",
    "smooth_l1_loss",
]
