"""Losses: how far an output is from its target, as functions and as layers."""

from nn.losses.cross_entropy import cross_entropy

__all__ = ["cross_entropy"]
