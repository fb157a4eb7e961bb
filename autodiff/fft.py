"""Discrete Fourier transforms: the array API standard's ``fft`` extension.

Complex intermediate results carry gradients; leaves and losses are real:

>>> import autodiff as ad
>>> x = ad.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
>>> energy = (abs(ad.fft.fft(x)) ** 2).sum() / 4
>>> energy.backward()
>>> x.grad
tensor([2., 4., 6., 8.], dtype=float32)
"""

from autodiff.primitives.fft import (
    fft,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfftn,
    rfft,
    rfftfreq,
    rfftn,
)

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]
