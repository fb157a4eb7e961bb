"""Losses of real-valued targets: squared and absolute errors, and what lies between."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.losses.loss import Loss, check_positive, check_reduction, reduced, same_shapes

__all__ = [
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


@typed
def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> ad.Tensor:
    r"""Squared error.

    .. math:: \ell = (x - y)^2, \qquad \frac{\partial \ell}{\partial x} = 2 (x - y)

    Parameters
    ----------
    input : Tensor
        Of any shape.
    target : Tensor or array_like
        Of the same shape.
    reduction : {"mean", "sum", "none"}
        The mean of nothing is 0.

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.

    Examples
    --------
    >>> import nn
    >>> nn.mse_loss([1.0, 2.0], [1.0, 4.0]).item()
    2.0
    """
    check_reduction("mse_loss", reduction)
    with ad.name_scope("mse_loss"):
        x, y = same_shapes("mse_loss", input, target)
        return reduced(ad.square(x - y), reduction)


@typed
def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> ad.Tensor:
    r"""Absolute error.

    .. math:: \ell = |x - y|, \qquad
       \frac{\partial \ell}{\partial x} = \operatorname{sign}(x - y)

    Parameters and errors are :func:`mse_loss`'s; the gradient at 0 is 0.

    Examples
    --------
    >>> import nn
    >>> nn.l1_loss([1.0, 2.0], [1.0, 4.0]).item()
    1.0
    """
    check_reduction("l1_loss", reduction)
    with ad.name_scope("l1_loss"):
        x, y = same_shapes("l1_loss", input, target)
        return reduced(ad.abs(x - y), reduction)


@typed
def smooth_l1_loss(
    input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0
) -> ad.Tensor:
    r"""Squared error near 0, absolute error beyond ``beta`` [1]_.

    .. math:: \ell = \begin{cases} (x - y)^2 / 2\beta & |x - y| < \beta \\
       |x - y| - \beta / 2 & \text{else} \end{cases}, \qquad
       \frac{\partial \ell}{\partial x} = \operatorname{clip}\left(\frac{x - y}{\beta}, -1, 1
       \right)

    It is :func:`huber_loss` divided by ``beta``; with ``beta=0`` it is :func:`l1_loss`.

    Parameters
    ----------
    input, target, reduction
        As of :func:`mse_loss`.
    beta : float
        Where the square ends, from 0.

    Raises
    ------
    ShapeError
        If the shapes differ.
    DomainError
        If ``beta`` is negative.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015, eq. 3.

    Examples
    --------
    >>> import nn
    >>> nn.smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    if not beta >= 0:
        raise ad.DomainError(f"smooth_l1_loss: beta is {beta}. Give a number of 0 or more.")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    check_reduction("smooth_l1_loss", reduction)
    with ad.name_scope("smooth_l1_loss"):
        x, y = same_shapes("smooth_l1_loss", input, target)
        return reduced(_huber(x - y, beta) / beta, reduction)


@typed
def huber_loss(
    input: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0
) -> ad.Tensor:
    r"""Squared error near 0, absolute error beyond ``delta`` [1]_.

    .. math:: \ell = \begin{cases} (x - y)^2 / 2 & |x - y| < \delta \\
       \delta\, (|x - y| - \delta / 2) & \text{else} \end{cases}, \qquad
       \frac{\partial \ell}{\partial x} = \operatorname{clip}(x - y, -\delta, \delta)

    Outliers pull no harder than an error of ``delta``.

    Parameters
    ----------
    input, target, reduction
        As of :func:`mse_loss`.
    delta : float
        Where the square ends, above 0.

    Raises
    ------
    ShapeError
        If the shapes differ.
    DomainError
        If ``delta`` is not above 0.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
       Statistics 35 (1964).

    Examples
    --------
    >>> import nn
    >>> nn.huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none", delta=2.0).tolist()
    [0.125, 4.0]
    """
    check_positive("huber_loss", "delta", delta)
    check_reduction("huber_loss", reduction)
    with ad.name_scope("huber_loss"):
        x, y = same_shapes("huber_loss", input, target)
        return reduced(_huber(x - y, delta), reduction)


def _huber(error: ad.Tensor, delta: float) -> ad.Tensor:
    """With ``c = clip(error)`` both branches are ``c * (error - c / 2)``."""
    near = ad.clip(error, -delta, delta)
    return near * (error - 0.5 * near)


class MSELoss(Loss):
    r"""Squared error as a layer: :func:`mse_loss`.

    .. math:: \ell = (x - y)^2

    Parameters
    ----------
    reduction
        As of :func:`mse_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.MSELoss()([1.0, 2.0], [1.0, 4.0]).item()
    2.0
    """

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    r"""Absolute error as a layer: :func:`l1_loss`.

    .. math:: \ell = |x - y|

    Parameters
    ----------
    reduction
        As of :func:`l1_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.L1Loss()([1.0, 2.0], [1.0, 4.0]).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    r"""Squared error near 0, absolute beyond ``beta``: :func:`smooth_l1_loss` as a layer.

    .. math:: \ell = \begin{cases} (x - y)^2 / 2\beta & |x - y| < \beta \\
       |x - y| - \beta / 2 & \text{else} \end{cases}

    Parameters
    ----------
    reduction, beta
        As of :func:`smooth_l1_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.SmoothL1Loss(beta=0.5)([0.25], [0.0]).item()
    0.0625
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    r"""Squared error near 0, absolute beyond ``delta``: :func:`huber_loss` as a layer.

    .. math:: \ell = \begin{cases} (x - y)^2 / 2 & |x - y| < \delta \\
       \delta\, (|x - y| - \delta / 2) & \text{else} \end{cases}

    Parameters
    ----------
    reduction, delta
        As of :func:`huber_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.HuberLoss(delta=0.5)([2.0], [0.0]).item()
    0.875
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        check_positive("HuberLoss", "delta", delta)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)
