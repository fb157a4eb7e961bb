"""Cases of ``autodiff/primitives/fft.py``. The driver weighs real and imaginary parts."""

from __future__ import annotations

from tests.cases import Case, normal

ONE = [
    ((4,), {}), ((5,), {}), ((1,), {}), ((2,), {}), ((3, 4), {"axis": 0}), ((0, 3), {}),
    ((5,), {"n": 3}), ((5,), {"n": 4}), ((4,), {"n": 7}), ((4,), {"n": 6}), ((3, 2), {"axis": -2}),
    ((4,), {"norm": "ortho"}), ((5,), {"norm": "forward"}), ((2, 3, 4), {"n": 2, "axis": 1}),
]  # fmt: skip
LENGTHS = [((2, 4), {"n": 1}), ((1,), {"n": 2}), ((3,), {"n": 1})]


def torch_options(options):
    names = {"axis": "dim", "axes": "dim"}
    return {names.get(name, name): value for name, value in options.items()}


def oracle(name, options):
    def call(x):
        import torch

        result = getattr(torch.fft, name)(x, **torch_options(options))
        return result.resolve_conj() if result.is_complex() else result

    return call


def real_parts(xp, result):
    """Real and imaginary part, which PyTorch's results are compared by."""
    return xp.real(result), xp.imag(result)


def transforms(name, pairs):
    return [
        Case(f"fft.{name}", (normal(*shape),), options, name=f"{shape} {options}",
             view=None if name == "irfft" else real_parts,
             torch=None if 0 in shape else oracle(name, options))
        for shape, options in pairs
    ]  # fmt: skip


CASES = [
    *transforms("fft", ONE + LENGTHS),
    *transforms("ifft", ONE + LENGTHS),
    *transforms("rfft", ONE + LENGTHS),
    *transforms("irfft", [pair for pair in ONE if pair[0] != (1,)] + LENGTHS),
    *(Case(f"fft.{name}", (normal(*shape),), options, name=f"{shape} {options}")
      for name in ("fftshift", "ifftshift")
      for shape, options in [((4,), {}), ((3, 4), {}), ((3, 5), {"axes": 1}), ((0,), {}),
                             ((3, 5, 2), {"axes": (0, -1)})]),
]  # fmt: skip
