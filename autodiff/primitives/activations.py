"""Activation functions of neural networks, element by element, with PyTorch's parameters.

At a kink each takes the subgradient that PyTorch takes. None overflows on the way.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np

from autodiff.engine.primitive import Array, primitive
from autodiff.errors import OptionError
from autodiff.namespace import Namespace
from autodiff.primitives.blocks import in_blocks
from autodiff.primitives.pieces import by_bounds, by_knots, by_sign

__all__ = [
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign",
]  # fmt: skip


def _floating(x: Array) -> Array:
    return x if x.dtype.kind in "fc" else x * 1.0


def _overflowing(xp: Namespace) -> AbstractContextManager[Any]:
    """Let ``exp`` overflow to infinity without a warning, where its reciprocal is meant."""
    # Libraries that never warn have no such switch.
    return xp.errstate(over="ignore") if hasattr(xp, "errstate") else nullcontext()


@primitive
def relu(xp: Namespace, x: Array, /) -> Array:
    """Rectified linear unit ``max(x, 0)``. At 0 the subgradient 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.relu([-1.0, 2.0])
    tensor([0., 2.], dtype=float32)
    """
    return _above(xp, x)


@relu.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return xp.masked(g, out > 0)


relu.branches(by_sign)


@primitive
def relu6(xp: Namespace, x: Array, /) -> Array:
    """``min(max(x, 0), 6)``. At 0 and 6 the subgradient 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.relu6([-1.0, 2.0, 8.0])
    tensor([0., 2., 6.], dtype=float32)
    """
    return xp.clip(x, 0, 6)


@relu6.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return xp.masked(g, (out > 0) & (out < 6))


relu6.branches(by_knots(0.0, 6.0))


@primitive
def hardtanh(xp: Namespace, x: Array, /, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """``min(max(x, min_val), max_val)``. On both bounds the subgradient 0 is chosen.

    (:func:`~autodiff.clip` is the same with the subgradient 1 there.)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.hardtanh([-2.0, 0.5, 3.0])
    tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    return xp.clip(x, min_val, max_val)


@hardtanh.vjp
def _(xp: Namespace, g: Array, out: Array, min_val: float, max_val: float) -> Array:
    return xp.masked(g, (out > min_val) & (out < max_val))


hardtanh.branches(by_bounds)


@primitive
def leaky_relu(xp: Namespace, x: Array, /, negative_slope: float = 0.01) -> Array:
    """``x`` where it is positive, ``negative_slope * x`` elsewhere.

    At 0 the derivative is ``negative_slope``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.leaky_relu([-1.0, 2.0], 0.1)
    tensor([-0.1,  2. ], dtype=float32)
    """
    return _above(xp, x) + negative_slope * _below(xp, x)


@leaky_relu.vjp
def _(xp: Namespace, g: Array, x: Array, negative_slope: float) -> Array:
    return xp.masked(g, x > 0) + negative_slope * xp.masked(g, x <= 0)


leaky_relu.branches(by_sign)


@primitive
def elu(xp: Namespace, x: Array, /, alpha: float = 1.0) -> Array:
    """Exponential linear unit: ``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere.

    At 0 the derivative is ``alpha``. Clevert et al., arXiv:1511.07289.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.elu([-1.0, 2.0]).round(4)
    tensor([-0.6321,  2.    ], dtype=float32)
    """
    x = _floating(x)
    return _above(xp, x) + alpha * xp.expm1(_below(xp, x))


@elu.vjp
def _(xp: Namespace, g: Array, x: Array, alpha: float) -> Array:
    return _elu_rule(xp, g, x, alpha)


elu.branches(by_sign)


def _elu_rule(xp: Namespace, g: Array, x: Array, alpha: float) -> Array:
    part = g * xp.exp(_below(xp, x))  # g itself where x > 0
    return xp.masked(part, x > 0) + alpha * xp.masked(part, x <= 0)


_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


@primitive
def selu(xp: Namespace, x: Array, /) -> Array:
    """Scaled ELU ``1.0507 * elu(x, 1.6733)``, which keeps mean 0 and variance 1.

    At 0 the derivative from the left is taken. Klambauer et al., arXiv:1706.02515.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.selu([-1.0, 2.0]).round(4)
    tensor([-1.1113,  2.1014], dtype=float32)
    """
    x = _floating(x)
    return _SELU_SCALE * (_above(xp, x) + _SELU_ALPHA * xp.expm1(_below(xp, x)))


@selu.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return _SELU_SCALE * _elu_rule(xp, g, x, _SELU_ALPHA)


selu.branches(by_sign)


@primitive
def celu(xp: Namespace, x: Array, /, alpha: float = 1.0) -> Array:
    """``x`` where positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere: smooth at 0.

    Barron, arXiv:1704.07483.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.celu([-1.0, 2.0], 2.0).round(4)
    tensor([-0.7869,  2.    ], dtype=float32)
    """
    x = _floating(x)
    return _above(xp, x) + alpha * xp.expm1(_below(xp, x) / alpha)


@celu.vjp
def _(xp: Namespace, g: Array, x: Array, alpha: float) -> Array:
    return g * xp.exp(_below(xp, x) / alpha)


celu.branches(by_sign)


@primitive(analytic=True)
def sigmoid(xp: Namespace, x: Array, /) -> Array:
    """Logistic function ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.sigmoid([0.0, 1.0, -1000.0]).round(4)
    tensor([0.5   , 0.7311, 0.    ], dtype=float32)
    """
    with _overflowing(xp):
        out = xp.exp(-_floating(x))
        out += 1
        return 1 / out


@sigmoid.vjp
def _(xp: Namespace, g: Array, out: Array) -> Array:
    return g * (out * (1 - out))


@primitive
def logsigmoid(xp: Namespace, x: Array, /) -> Array:
    """``log(sigmoid(x)) = -softplus(-x)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logsigmoid([-50.0, 0.0, 1000.0]).round(4)
    tensor([-50.    ,  -0.6931,   0.    ], dtype=float32)
    """
    x = _floating(x)
    return _below(xp, x) - xp.log1p(xp.exp(-xp.abs(x)))


@logsigmoid.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return g * xp.sigmoid(-x)


@primitive
def softplus(xp: Namespace, x: Array, /, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Smooth relu: ``log(1 + exp(beta * x)) / beta``.

    Parameters
    ----------
    x : array_like
    beta : float
        The larger, the sharper the bend at 0.
    threshold : float
        Where ``beta * x`` is above it, the result is ``x``. (At the 20 that PyTorch has it
        changes the result by 2e-9; nothing overflows without it either.)

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.softplus([-1000.0, 0.0, 50.0]).round(4)
    tensor([ 0.    ,  0.6931, 50.    ], dtype=float32)
    """
    scaled = x * beta
    bend = xp.log1p(xp.exp(-xp.abs(scaled)) * (scaled <= threshold))
    return (_above(xp, scaled) + bend) / beta


@softplus.vjp
def _(xp: Namespace, g: Array, x: Array, beta: float, threshold: float) -> Array:
    scaled = x * beta
    # True is 1, and more than any sigmoid.
    return g * xp.maximum(xp.sigmoid(scaled), scaled > threshold)


@primitive
def softsign(xp: Namespace, x: Array, /) -> Array:
    """``x / (1 + abs(x))``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.softsign([-1.0, 3.0])
    tensor([-0.5 ,  0.75], dtype=float32)
    """
    return x / (1.0 + xp.abs(x))


@softsign.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    root = 1.0 + xp.abs(x)
    return g / (root * root)


softsign.branches(by_sign)


@primitive
def gelu(xp: Namespace, x: Array, /, approximate: Literal["none", "tanh"] = "none") -> Array:
    """Gaussian error linear unit ``x * Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    x : array_like
    approximate : {"none", "tanh"}
        ``"tanh"`` for ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))``.

    Raises
    ------
    OptionError
        If ``approximate`` is neither.

    Notes
    -----
    Hendrycks and Gimpel, arXiv:1606.08415.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.gelu([-1.0, 2.0]).round(4)
    tensor([-0.1587,  1.9545], dtype=float32)
    """
    if approximate == "none":
        return x * _phi(xp, x)
    if approximate != "tanh":
        message = f"gelu: approximate={approximate!r} is unknown"
        raise OptionError(f"{message}. Give 'none' or 'tanh'.")
    return in_blocks(xp, _gelu_by_tanh, x)


@gelu.vjp
def _(xp: Namespace, g: Array, x: Array, approximate: str) -> Array:
    if approximate == "none":
        return in_blocks(xp, _gelu_rule, g, x)
    return in_blocks(xp, _gelu_by_tanh_rule, g, x)


_SLOPE = math.sqrt(2 / math.pi)
_CUBIC = _SLOPE * 0.044715


def _gelu_by_tanh(xp: Namespace, x: Array) -> Array:
    near = _unsaturated(xp, x)
    t = xp.tanh(near * (_SLOPE + _CUBIC * (near * near)))
    return x * (0.5 * t + 0.5)


def _gelu_by_tanh_rule(xp: Namespace, g: Array, x: Array) -> Array:
    x = _unsaturated(xp, x)
    t = xp.tanh(x * (_SLOPE + _CUBIC * (x * x)))
    return g * ((1 - t * t) * (x * (_SLOPE / 2 + 1.5 * _CUBIC * (x * x))) + 0.5 * t + 0.5)


def _gelu_rule(xp: Namespace, g: Array, x: Array) -> Array:
    return g * (_phi(xp, x) + x * (xp.exp(-0.5 * (x * x)) / math.sqrt(2 * math.pi)))


def _unsaturated(xp: Namespace, x: Array) -> Array:
    """Limit to where the tanh is not yet -1 or 1 in any dtype, lest cubes overflow."""
    return xp.clip(x, -10, 10)


def _phi(xp: Namespace, x: Array) -> Array:
    """Give the normal distribution function, to full precision far to the left too."""
    return 0.5 * xp.erfc(x * -math.sqrt(0.5))


@primitive(analytic=True)
def silu(xp: Namespace, x: Array, /) -> Array:
    """Swish ``x * sigmoid(x)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.silu([-1.0, 2.0]).round(4)
    tensor([-0.2689,  1.7616], dtype=float32)
    """
    return x * xp.sigmoid(x)


@silu.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    s = xp.sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@primitive
def mish(xp: Namespace, x: Array, /) -> Array:
    """``x * tanh(softplus(x))``. Misra, arXiv:1908.08681.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.mish([-1.0, 2.0]).round(4)
    tensor([-0.3034,  1.944 ], dtype=float32)
    """
    return x * xp.tanh(xp.softplus(x))


@mish.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    t = xp.tanh(xp.softplus(x))
    return g * (t + x * (xp.sigmoid(x) * (1 - t * t)))


@primitive
def hardsigmoid(xp: Namespace, x: Array, /) -> Array:
    """``relu6(x + 3) / 6``. At -3 and 3 the subgradient 0 is chosen.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.hardsigmoid([-4.0, 0.0, 1.5])
    tensor([0.  , 0.5 , 0.75], dtype=float32)
    """
    return xp.clip(x + 3.0, 0, 6) / 6


@hardsigmoid.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    return xp.masked(g / 6, (x > -3) & (x < 3))


hardsigmoid.branches(by_knots(-3.0, 3.0))


@primitive
def hardswish(xp: Namespace, x: Array, /) -> Array:
    """``x * hardsigmoid(x)``. At -3 the derivative 0 is chosen, at 3 the derivative 1.

    Howard et al., arXiv:1905.02244.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.hardswish([-4.0, 0.0, 1.5])
    tensor([-0.   ,  0.   ,  1.125], dtype=float32)
    """
    return x * (xp.clip(x + 3.0, 0, 6) / 6)


@hardswish.vjp
def _(xp: Namespace, g: Array, x: Array) -> Array:
    bent = xp.masked(g * (x / 3 + 0.5), (x > -3) & (x < 3))
    return bent + xp.masked(g, x >= 3)


hardswish.branches(by_knots(-3.0, 3.0))


# On large arrays NumPy's clip at an infinite bound is its `maximum` or `minimum` at six times
# the speed.


def _above(xp: Namespace, x: Array) -> Array:
    """max(x, 0)."""
    return _beside_zeros(xp.maximum, x) if _is_large(x) else xp.maximum(x, 0)


def _below(xp: Namespace, x: Array) -> Array:
    """min(x, 0)."""
    if _is_large(x):
        return _beside_zeros(xp.minimum, x)
    return x.clip(-math.inf, 0) if x.dtype.kind == "f" else xp.minimum(x, 0)


def _is_large(x: Array) -> bool:
    return type(x) is np.ndarray and x.size >= 2_000 and x.dtype.kind == "f"


def _beside_zeros(choose: Any, x: Array) -> Array:
    """Choose between x and 0: NumPy compares with many zeros twice as fast as with the number."""
    zeros = np.zeros_like(x)
    return choose(x, zeros, out=zeros)
