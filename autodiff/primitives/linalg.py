"""Solving, inverting, decomposing: the functions of ``autodiff.linalg``."""
