"""Training: the loop, its metrics, callbacks, history and checkpoints."""

from nn.training.callbacks import Callback, CSVLog, EarlyStopping
from nn.training.history import History
from nn.training.metrics import accuracy
from nn.training.step import DivergenceError
from nn.training.trainer import Trainer

__all__ = [
    "CSVLog",
    "Callback",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "Trainer",
    "accuracy",
]
