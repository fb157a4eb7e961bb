"""Optimisers: how parameters follow their gradients."""

from nn.optim.adam import Adam, AdamW, NAdam
from nn.optim.clipping import clip_grad_norm_, clip_grad_value_
from nn.optim.optimizer import Optimizer
from nn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "NAdam", "Optimizer", "clip_grad_norm_", "clip_grad_value_"]
