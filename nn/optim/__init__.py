"""Optimisers: how parameters follow their gradients."""

# ruff: noqa: F403 - the schedules' public names, listed in their __all__
from nn.optim import lr_scheduler
from nn.optim.adagrad import Adadelta, Adagrad
from nn.optim.adam import Adam, AdamW, NAdam
from nn.optim.clipping import clip_grad_norm_, clip_grad_value_
from nn.optim.lbfgs import LBFGS
from nn.optim.lion import Lion
from nn.optim.lr_scheduler import *
from nn.optim.optimizer import Optimizer
from nn.optim.rmsprop import RMSprop
from nn.optim.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]
__all__ += lr_scheduler.__all__
