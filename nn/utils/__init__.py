"""PyTorch's place for what works on parameters and sequences."""

from nn.optim.clipping import clip_grad_norm_, clip_grad_value_
from nn.utils import rnn

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]
