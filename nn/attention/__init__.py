"""Attention: a weighted mean of values, weighted by how well their keys fit a query."""

from nn.attention.cache import KeyValueCache
from nn.attention.multihead import MultiheadAttention
from nn.attention.positions import LearnedPositions, RotaryPositions, SinusoidalPositions
from nn.attention.scores import BahdanauAttention, LuongAttention

__all__ = [
    "BahdanauAttention",
    "KeyValueCache",
    "LearnedPositions",
    "LuongAttention",
    "MultiheadAttention",
    "RotaryPositions",
    "SinusoidalPositions",
]
