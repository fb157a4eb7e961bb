"""Discrete Fourier transforms: the functions of ``autodiff.fft``."""
