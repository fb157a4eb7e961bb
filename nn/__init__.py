"""Neural networks from graph operations alone."""

# ruff: noqa: F403 - every family's public names, each listed in its __all__
from nn import (
    activations,
    attention,
    containers,
    convolution,
    data,
    dropout,
    embedding,
    functional,
    init,
    linear,
    losses,
    mlp,
    module,
    normalization,
    optim,
    overview,
    pooling,
    recurrent,
    reshaping,
    saving,
    seq2seq,
    training,
    transformer,
    transposed_convolution,
    utils,
)
from nn import names as _names
from nn.activations import *
from nn.attention import *
from nn.containers import *
from nn.convolution import *
from nn.data import *
from nn.dropout import *
from nn.embedding import *
from nn.linear import *
from nn.losses import *
from nn.mlp import *
from nn.module import *
from nn.normalization import *
from nn.optim import *
from nn.overview import *
from nn.pooling import *
from nn.recurrent import *
from nn.reshaping import *
from nn.saving import *
from nn.seq2seq import *
from nn.training import *
from nn.transformer import *
from nn.transposed_convolution import *

__all__ = ["functional", "init", "optim", "utils"]
__all__ += activations.__all__
__all__ += attention.__all__
__all__ += containers.__all__
__all__ += convolution.__all__
__all__ += data.__all__
__all__ += dropout.__all__
__all__ += embedding.__all__
__all__ += linear.__all__
__all__ += losses.__all__
__all__ += mlp.__all__
__all__ += module.__all__
__all__ += normalization.__all__
__all__ += optim.__all__
__all__ += overview.__all__
__all__ += pooling.__all__
__all__ += recurrent.__all__
__all__ += reshaping.__all__
__all__ += saving.__all__
__all__ += seq2seq.__all__
__all__ += training.__all__
__all__ += transformer.__all__
__all__ += transposed_convolution.__all__


def __getattr__(name: str) -> object:
    if name in functional.__all__:
        said = f"; it is nn.functional.{name}"
    else:
        said = _names.called_here(name, _names.LAYERS)
    raise AttributeError(f"module 'nn' has no attribute {name!r}{said}", name=name)
