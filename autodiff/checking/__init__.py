"""Finite differences against the engine: gradient checking."""

from autodiff.checking.driver import gradcheck
from autodiff.checking.report import Entry, GradientReport, Guilty, InputRow, Kink

__all__ = [
    "Entry",
    "GradientReport",
    "Guilty",
    "InputRow",
    "Kink",
    "gradcheck",
]
