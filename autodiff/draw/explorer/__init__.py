"""The explorer: one self-contained page in which a recorded graph is walked through."""

from autodiff.draw.explorer.page import Exploration, explore

__all__ = ["Exploration", "explore"]
