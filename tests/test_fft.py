"""Fourier transforms beyond their cases: several axes, spectral losses, dtypes, errors."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
from autodiff import fft
from autodiff.errors import AxisError, DomainError, DTypeError, OptionError, ShapeError
from tests.differences import derivative

RNG = np.random.default_rng(3)


def weighed(result, weight):
    if result.dtype.kind == "c":
        result = ad.real(result) + 2 * ad.imag(result)
    return (result * weight).sum()


def check(function, *arrays):
    leaves = [ad.tensor(x, requires_grad=True) for x in arrays]
    weight = RNG.uniform(0.5, 1.5, function(*leaves).shape)
    grads = ad.grad(weighed(function(*leaves), weight), leaves)
    for k, g in enumerate(grads):
        expected = derivative(lambda *v: float(weighed(function(*v), weight)), arrays, k)
        np.testing.assert_allclose(g.numpy(), expected, atol=1e-7)


SEVERAL = [
    ((3, 4), {}), ((2, 3, 4), {}), ((3, 5), {"axes": (0,)}), ((2, 3, 4), {"axes": (0, -1)}),
    ((2, 3, 4), {"axes": (2, 0)}), ((3, 4), {"s": (2, 6), "axes": (0, 1)}),
    ((3, 4), {"s": (5, 3), "axes": (1, 0)}), ((3, 4), {"norm": "ortho"}),
    ((3, 5), {"norm": "forward"}), ((2, 3, 4), {"s": (-1, 3), "axes": (0, 1)}),
]  # fmt: skip


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(("shape", "options"), SEVERAL, ids=str)
def test_several_axes(name, shape, options):
    x = RNG.standard_normal(shape)
    result = getattr(fft, name)(x, **options)
    np.testing.assert_allclose(result.numpy(), getattr(np.fft, name)(x, **options), atol=1e-13)
    check(lambda x: getattr(fft, name)(x, **options), x)
    if name[0] != "r":
        check(lambda a, b: getattr(fft, name)(a + 1j * b, **options), x, RNG.standard_normal(shape))


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft"])
@pytest.mark.parametrize("options", [{}, {"n": 3}, {"n": 8}, {"n": 7}, {"n": 1}, {"norm": "ortho"},
                                     {"norm": "forward", "axis": 0}], ids=str)  # fmt: skip
def test_complex_operands(name, options):
    a, b = RNG.standard_normal((2, 3, 5))
    result = getattr(fft, name)(a + 1j * b, **options)
    np.testing.assert_allclose(
        result.numpy(), getattr(np.fft, name)(a + 1j * b, **options), atol=1e-13
    )
    check(lambda a, b: getattr(fft, name)(a + 1j * b, **options), a, b)


@pytest.mark.parametrize("options", [{}, {"n": 3}, {"n": 8}, {"n": 7}, {"norm": "ortho"},
                                     {"norm": "forward", "axis": 0}], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", ["hfft", "ihfft"])
def test_hermitian_transforms_of_real_operands(name, options):
    x = RNG.standard_normal((3, 5))
    result = getattr(fft, name)(x, **options)
    np.testing.assert_allclose(result.numpy(), getattr(np.fft, name)(x, **options), atol=1e-13)
    check(lambda x: getattr(fft, name)(x, **options), x)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_spectral_losses(n):
    """Parseval: the energy of a full spectrum is n times the signal's."""
    x = RNG.standard_normal(n)
    leaf = ad.tensor(x, requires_grad=True)
    (ad.abs(fft.fft(leaf)) ** 2).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), 2 * n * x, atol=1e-12)
    check(lambda x: (ad.abs(fft.rfft(x)) ** 2).sum(), x)
    check(lambda x: ad.log(1 + ad.abs(fft.rfft(x, n=2 * n)) ** 2), x)


def test_a_filter_in_the_frequency_domain():
    """irfft(rfft(x) * filter): the convolution theorem, and its gradients."""
    x, kernel = RNG.standard_normal(6), RNG.standard_normal(6)

    def convolved(x, kernel):
        return fft.irfft(fft.rfft(x) * fft.rfft(kernel), n=6)

    direct = [sum(x[j] * kernel[(i - j) % 6] for j in range(6)) for i in range(6)]
    np.testing.assert_allclose(convolved(x, kernel).numpy(), direct, atol=1e-13)
    check(convolved, x, kernel)


def test_hessian_of_a_spectral_loss():
    x = ad.tensor(RNG.standard_normal(5), requires_grad=True)
    (g,) = ad.grad((ad.abs(fft.rfft(x)) ** 4).sum(), [x], create_graph=True)
    direction = RNG.standard_normal(5)
    (product,) = ad.grad((g * direction).sum(), [x])

    def gradient(h):
        moved = ad.tensor(x.detach().numpy() + h * direction, requires_grad=True)
        return ad.grad((ad.abs(fft.rfft(moved)) ** 4).sum(), [moved])[0].numpy()

    numeric = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    np.testing.assert_allclose(product.numpy(), numeric, rtol=1e-7, atol=1e-6)


def test_several_complex_results_of_one_operation():
    """Gradients of the parts of a spectrum that was taken apart are conjugated one by one."""

    def bands(x):
        low, high = ad.split(fft.rfft(x), 2)
        return low * ad.conj(high) + low * low

    check(bands, RNG.standard_normal(7))
    check(lambda x: ad.unstack(fft.fft(x))[1], RNG.standard_normal(3))


def test_one_axis_of_several():
    x = RNG.standard_normal((3, 4))
    np.testing.assert_allclose(fft.fftn(x, axes=0).numpy(), np.fft.fft(x, axis=0), atol=1e-13)


def test_roundtrips():
    x = ad.tensor(RNG.standard_normal((4, 5)))
    for there, back, options in [
        (fft.fft, fft.ifft, {}),
        (fft.fftn, fft.ifftn, {}),
        (fft.rfft, fft.irfft, {"n": 5}),
        (fft.rfftn, fft.irfftn, {"s": (4, 5)}),
        (fft.ihfft, fft.hfft, {"n": 5}),
        (fft.fftshift, fft.ifftshift, {}),
    ]:
        np.testing.assert_allclose(
            ad.real(back(there(x), **options)).numpy(), x.numpy(), atol=1e-13
        )


def test_float32_makes_complex64():
    x = ad.tensor(np.ones((2, 4), np.float32), requires_grad=True)
    for name in ("fft", "ifft", "rfft", "ihfft", "fftn", "ifftn", "rfftn"):
        assert getattr(fft, name)(x).dtype == np.complex64
    for name in ("irfft", "hfft", "irfftn"):
        assert getattr(fft, name)(x).dtype == np.float32
    (ad.abs(fft.rfft(x)) ** 2).sum().backward()
    assert x.grad.dtype == np.float32
    assert fft.fftn(x, axes=()).dtype == np.complex64


@pytest.mark.parametrize(("n", "d"), [(1, 1.0), (4, 0.5), (5, 2.0)])
def test_frequencies(n, d):
    np.testing.assert_allclose(fft.fftfreq(n, d=d).numpy(), np.fft.fftfreq(n, d), rtol=1e-6)
    np.testing.assert_allclose(fft.rfftfreq(n, d=d).numpy(), np.fft.rfftfreq(n, d), rtol=1e-6)
    assert fft.fftfreq(n).dtype == np.float32
    assert fft.rfftfreq(n, dtype=np.float64).dtype == np.float64


STANDARD = [
    "fft",
    "ifft",
    "fftn",
    "ifftn",
    "rfft",
    "irfft",
    "rfftn",
    "irfftn",
    "hfft",
    "ihfft",
    "fftfreq",
    "rfftfreq",
    "fftshift",
    "ifftshift",
]


@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_extension_is_complete(name):
    assert name in fft.__all__
    assert getattr(ad.fft, name) is getattr(ad.namespace.tensors.fft, name)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: fft.fft(ad.zeros(())), AxisError, "fft.fft.*no axis -1"),
        (lambda: fft.fft(ad.zeros((2, 0))), ShapeError, r"fft.fft\(x: \(2, 0\) float32\)"),
        (lambda: fft.fft(ad.zeros(3), n=0), ShapeError, "fft.fft"),
        (lambda: fft.fft(ad.zeros(3), axis=1), AxisError, "fft.fft.*no axis 1"),
        (lambda: fft.fft(ad.zeros(3), norm="unitary"), DomainError, "unitary"),
        (lambda: fft.rfft(ad.zeros(3) * 1j), DTypeError, "fft.rfft"),
        (lambda: fft.hfft(ad.zeros(3), norm="unitary"), OptionError, "fft.hfft.*'unitary'"),
        (lambda: fft.fftn(ad.zeros((2, 2)), s=(2,), axes=(0, 1)), OptionError, "1 sizes for 2"),
        (lambda: fft.rfftn(ad.zeros((2, 2)), axes=()), DomainError, "no axis to transform"),
        (lambda: fft.fftfreq(0), DomainError, "number of points is 0"),
        (lambda: fft.fftfreq(2, device="gpu"), OptionError, "'gpu' is not available"),
        (lambda: fft.fftshift(ad.zeros(3), axes=2), AxisError, "fft.fftshift.*no axis 2"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
