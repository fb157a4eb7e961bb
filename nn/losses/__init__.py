"""Losses: how far an output is from its target, as functions and as layers."""

# ruff: noqa: F403, F405 - every file's public names, each listed in its __all__
from nn.losses.binary import *
from nn.losses.entropy import *
from nn.losses.loss import Loss
from nn.losses.regression import *

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]
