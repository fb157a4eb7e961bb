"""The parts of complex numbers: real, imaginary, conjugate.

The gradient of a real loss ``L`` with respect to ``z = a + ib`` is ``dL/da + i dL/db``.
"""

from __future__ import annotations

from autodiff.engine.primitive import Array, primitive, standard
from autodiff.namespace import Namespace

__all__ = ["conj", "imag", "real"]


@standard
def real(xp: Namespace, x: Array, /) -> Array:
    """Real part; a real operand itself.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.real([1.0 + 2.0j, 3.0])
    tensor([1., 3.], dtype=float32)
    """


@real.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g


@primitive
def imag(xp: Namespace, x: Array, /) -> Array:
    """Imaginary part; zeros of a real operand.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.imag([1.0 + 2.0j, 3.0])
    tensor([2., 0.], dtype=float32)
    """
    # NumPy's zeros for a real operand are read-only.
    return xp.imag(x) if x.dtype.kind == "c" else xp.zeros_like(x)


@imag.vjp
def _(xp: Namespace, g: Array) -> Array:
    return g * 1j  # in this order: NumPy lets a Python complex take its float64 scalars over


@standard
def conj(xp: Namespace, x: Array, /) -> Array:
    """Complex conjugate; a real operand's copy.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.conj([1.0 + 2.0j])
    tensor([1.-2.j], dtype=complex64)
    """


@conj.vjp
def _(xp: Namespace, g: Array) -> Array:
    # Not analytic, yet right under the engine's conjugations: dL/dz = conj(dL/dy).
    return xp.conj(g)
