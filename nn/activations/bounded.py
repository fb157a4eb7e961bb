"""Activations with bounded outputs: sigmoids, and probabilities."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.activations.activation import Activation
from nn.activations.functions import glu, log_softmax, softmax, softmin
from nn.checks import as_input, name_of
from nn.module import Module

__all__ = [
    "GLU",
    "Hardsigmoid",
    "Hardtanh",
    "LogSigmoid",
    "LogSoftmax",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softsign",
    "Tanh",
]


class Sigmoid(Activation):
    r"""The logistic function, :math:`y = 1 / (1 + e^{-x})`.

    Its output is a probability, or a gate between 0 and 1. It costs saturation on both sides,
    a slope :math:`y (1 - y)` of at most 1/4, and outputs that are all positive: as a hidden
    unit prefer the others.

    Examples
    --------
    >>> import nn
    >>> nn.Sigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([0.269, 0.5  , 0.881], dtype=float32)
    """

    function = staticmethod(ad.sigmoid)


class LogSigmoid(Activation):
    r"""The logarithm of a probability, :math:`y = \log \sigma(x) = -\log(1 + e^{-x})`.

    It cures the loss of digits of ``log(sigmoid(x))``, which is -inf where the sigmoid rounds
    to 0. It is for losses; as a hidden unit it saturates on the right.

    Examples
    --------
    >>> import nn
    >>> nn.LogSigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([-1.313, -0.693, -0.127], dtype=float32)
    """

    function = staticmethod(ad.logsigmoid)


class Hardsigmoid(Activation):
    r"""A sigmoid of straight lines, :math:`y = \min(\max(x + 3, 0), 6) / 6`.

    It cures the cost of the sigmoid. It costs two kinks, and saturates at once beyond -3 and
    3; its outputs are all positive. Courbariaux et al., NeurIPS 2015.

    Examples
    --------
    >>> import nn
    >>> nn.Hardsigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([0.333, 0.5  , 0.833], dtype=float32)
    """

    function = staticmethod(ad.hardsigmoid)


class Tanh(Activation):
    r"""The hyperbolic tangent, :math:`y = \tanh(x)`.

    It is smooth and cures the sigmoid's lack of zero-centring. It costs saturation: beyond
    ``|x| > 3`` its slope :math:`1 - y^2` is below 0.01, and gradients vanish through several
    such layers.

    Examples
    --------
    >>> import nn
    >>> nn.Tanh()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.762,  0.   ,  0.964], dtype=float32)
    """

    function = staticmethod(ad.tanh)


class Hardtanh(Activation):
    r"""A tanh of straight lines, :math:`y = \min(\max(x, -1), 1)`.

    It cures the cost of ``tanh``, and is centred on 0. It costs two kinks, and saturates at
    once: outside of the bounds the gradient is 0. Collobert, 2004.

    Parameters
    ----------
    min_val, max_val : float
        The bounds.

    Examples
    --------
    >>> import nn
    >>> nn.Hardtanh()([-1.0, 0.0, 2.0])
    tensor([-1.,  0.,  1.], dtype=float32)
    """

    function = staticmethod(ad.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not min_val < max_val:
            message = f"Hardtanh: min_val = {min_val!r} is not below max_val = {max_val!r}"
            raise ad.DomainError(f"{message}. Exchange them.")
        self._keep(inplace, min_val=min_val, max_val=max_val)


class Softsign(Activation):
    r"""A slower tanh, :math:`y = x / (1 + |x|)`.

    It cures the haste with which tanh saturates: it nears -1 and 1 only as ``1 / x``. It is
    centred on 0 and needs no exponential. It costs a slope of only 1/4 at ``x = 1``. Bergstra
    et al., 2009.

    Examples
    --------
    >>> import nn
    >>> nn.Softsign()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.5  ,  0.   ,  0.667], dtype=float32)
    """

    function = staticmethod(ad.softsign)


class Softmax(Activation):
    r"""Exponentials scaled to sum to 1, :math:`y_i = e^{x_i} / \sum_j e^{x_j}`.

    It makes probabilities of scores. It saturates: where one score leads by far, all slopes
    are almost 0. For a loss use the logits with :class:`CrossEntropyLoss`, which loses no
    digits.

    Parameters
    ----------
    dim : int
        The axis along which they sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.Softmax()([0.0, 1.0, -1000.0]).round(3)
    tensor([0.269, 0.731, 0.   ], dtype=float32)
    """

    function = staticmethod(softmax)

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)


class LogSoftmax(Activation):
    r"""The logarithm of the softmax, :math:`y_i = x_i - \log \sum_j e^{x_j}`.

    It cures the loss of digits of ``log(softmax(x))``: it is never -inf for finite scores,
    and its gradient does not vanish where the score of the right class is far too small.

    Parameters
    ----------
    dim : int
        The axis along which the probabilities sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.LogSoftmax()([0.0, 1.0, -1000.0]).round(3)
    tensor([-1.313000e+00, -3.130000e-01, -1.001313e+03], dtype=float32)
    """

    function = staticmethod(log_softmax)

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)


class Softmin(Activation):
    r"""The softmax of the negative, :math:`y_i = e^{-x_i} / \sum_j e^{-x_j}`.

    It makes probabilities of costs or distances; saturates as :class:`Softmax`.

    Parameters
    ----------
    dim : int
        The axis along which they sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.Softmin()([0.0, 1.0, 1000.0]).round(3)
    tensor([0.731, 0.269, 0.   ], dtype=float32)
    """

    function = staticmethod(softmin)

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)


class Softmax2d(Module):
    """The softmax over the channels at each place of images ``(N, C, H, W)`` or ``(C, H, W)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Softmax2d()(ad.zeros((1, 4, 2, 2)))[0, :, 0, 0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    def forward(self, x: Any) -> ad.Tensor:
        """Apply it; raise ShapeError for another number of axes."""
        x = as_input(self, x)
        if x.ndim not in (3, 4):
            message = f"{name_of(self)}: the input {ad.errors.describe(x)} is no batch of images"
            raise ad.ShapeError(f"{message}. Give (N, C, H, W) or (C, H, W).")
        return ad.softmax(x, axis=-3)


class GLU(Activation):
    r"""The gated linear unit, :math:`y = a \odot \sigma(b)` for the halves of an axis.

    It cures vanishing gradients: through ``a`` there is a linear path, which the gate ``b``
    opens and closes. It costs half of the features. Dauphin et al., ICML 2017.

    Parameters
    ----------
    dim : int
        The axis, of an even size 2H; the result has H there.

    Examples
    --------
    >>> import nn
    >>> nn.GLU()([1.0, 2.0, 0.0, 1000.0])
    tensor([0.5, 2. ], dtype=float32)
    """

    function = staticmethod(glu)

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)
