"""Activations that make small inputs smaller, for sparse codes."""

from __future__ import annotations

from nn.activations.activation import Activation
from nn.activations.functions import hardshrink, softshrink, tanhshrink
from nn.checks import check_positive

__all__ = ["Hardshrink", "Softshrink", "Tanhshrink"]


class Tanhshrink(Activation):
    r"""What tanh takes away, :math:`y = x - \tanh(x)`.

    It shrinks small inputs (as :math:`x^3 / 3`) and keeps large ones, for sparse codes. It
    costs a slope of 0 at 0, where most inputs lie.

    Examples
    --------
    >>> import nn
    >>> nn.Tanhshrink()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.238,  0.   ,  1.036], dtype=float32)
    """

    function = staticmethod(tanhshrink)


class Softshrink(Activation):
    r"""Shrink towards 0, :math:`y = \mathrm{sign}(x) \max(|x| - \lambda, 0)`.

    The step of the lasso: it makes codes sparse, and biases what is left by ``lambd``. It
    costs two kinks, and inputs within ``lambd`` of 0 get no gradient.

    Parameters
    ----------
    lambd : float
        The :math:`\lambda`, at least 0.

    Examples
    --------
    >>> import nn
    >>> nn.Softshrink()([-1.0, 0.0, 2.0])
    tensor([-0.5,  0. ,  1.5], dtype=float32)
    """

    function = staticmethod(softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self._keep(lambd=check_positive(self, "lambd", lambd, or_zero=True))


class Hardshrink(Activation):
    r"""Keep what is large, :math:`y = x` where :math:`|x| > \lambda`, 0 elsewhere.

    It makes codes sparse without Softshrink's bias. It costs two jumps, and inputs within
    ``lambd`` of 0 get no gradient.

    Parameters
    ----------
    lambd : float
        The :math:`\lambda`.

    Examples
    --------
    >>> import nn
    >>> nn.Hardshrink()([-1.0, 0.0, 2.0])
    tensor([-1.,  0.,  2.], dtype=float32)
    """

    function = staticmethod(hardshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self._keep(lambd=lambd)
