"""The functions that layers are made of, in one place: ``nn.functional.cross_entropy(...)``.

Each stands in its family's file, beside the layer that calls it.
"""

from nn.losses.cross_entropy import cross_entropy

__all__ = ["cross_entropy"]
