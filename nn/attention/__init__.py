"""Attention: a weighted mean of values, weighted by how well their keys fit a query."""

from nn.attention.scores import BahdanauAttention, LuongAttention

__all__ = ["BahdanauAttention", "LuongAttention"]
