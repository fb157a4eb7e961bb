"""Neural networks from graph operations alone."""

from nn import functional, init, optim
from nn.activations import Function, Identity, ReLU, Sigmoid, Tanh
from nn.containers import Sequential
from nn.functional import cross_entropy
from nn.linear import MLP, Linear
from nn.module import Module, Parameter, StateDictError
from nn.optim import SGD, Adam, Optimizer

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Function",
    "Identity",
    "Linear",
    "Module",
    "Optimizer",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "StateDictError",
    "Tanh",
    "cross_entropy",
    "functional",
    "init",
    "optim",
]
