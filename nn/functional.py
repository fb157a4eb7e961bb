"""The functions that layers are made of, in one place: ``nn.functional.cross_entropy(...)``.

Each stands in its family's file, beside the layer that calls it.
"""

from nn.dropout import dropout
from nn.embedding import embedding
from nn.losses.cross_entropy import cross_entropy
from nn.normalization import layer_norm, rms_norm

__all__ = ["cross_entropy", "dropout", "embedding", "layer_norm", "rms_norm"]
