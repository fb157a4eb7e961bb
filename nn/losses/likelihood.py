"""Losses that are a likelihood or a divergence of distributions."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.losses.loss import (
    REDUCTIONS,
    Loss,
    check_positive,
    check_reduction,
    describe_call,
    operands,
    reduced,
    same_shapes,
)

__all__ = [
    "GaussianNLLLoss",
    "KLDivLoss",
    "PoissonNLLLoss",
    "gaussian_nll_loss",
    "kl_div",
    "poisson_nll_loss",
]

_OF_BATCHES = (*REDUCTIONS, "batchmean")


@typed
def kl_div(
    input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False
) -> ad.Tensor:
    r"""Kullback-Leibler divergence of a distribution from the target, of log-probabilities.

    .. math:: \ell = y\, (\log y - x), \qquad \frac{\partial \ell}{\partial x} = -y

    with :math:`x` the logarithm of the probabilities. Summed over a distribution it is the
    divergence :math:`D(y \,\|\, e^x)`.

    Parameters
    ----------
    input : Tensor
        Log-probabilities, of any shape.
    target : Tensor or array_like
        Probabilities of the same shape, or their logarithms.
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean" divides the sum by the size of the first axis: with distributions along
        the last of two axes it is the mean divergence. "mean" divides by all elements.
    log_target : bool
        Whether the target holds logarithms too.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> log_p = ad.log_softmax([[0.0, 0.0]])
    >>> round(nn.kl_div(log_p, [[1.0, 0.0]], reduction="batchmean").item(), 4)
    0.6931
    """
    check_reduction("kl_div", reduction, _OF_BATCHES)
    with ad.name_scope("kl_div"):
        x, y = same_shapes("kl_div", input, target)
        losses = ad.exp(y) * (y - x) if log_target else ad.xlogy(y, y) - y * x
        if reduction == "batchmean":
            return ad.sum(losses) / max(1, x.shape[0] if x.shape else 1)
        return reduced(losses, reduction)


@typed
def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> ad.Tensor:
    r"""Negative log-likelihood of targets under Gaussians of given means and variances [1]_.

    .. math:: \ell = \frac12 \left(\log v + \frac{(x - y)^2}{v}\right), \qquad
       \frac{\partial \ell}{\partial x} = \frac{x - y}{v}, \qquad
       \frac{\partial \ell}{\partial v} = \frac{v - (x - y)^2}{2 v^2}

    Parameters
    ----------
    input : Tensor
        The means, of any shape.
    target : Tensor or array_like
        Of the same shape.
    var : Tensor or float
        The variances: of the same shape, of one that broadcasts to it, or without the last
        axis.
    full : bool
        Whether to add the constant :math:`\frac12 \log 2\pi`.
    eps : float
        The least variance. Below it the gradient passes through all the same.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DomainError
        If a variance is negative.

    References
    ----------
    .. [1] D. A. Nix and A. S. Weigend, "Estimating the mean and variance of the target
       probability distribution", ICNN 1994.

    Examples
    --------
    >>> import nn
    >>> nn.gaussian_nll_loss([1.0], [3.0], [1.0]).item()
    2.0
    """
    name, names = "gaussian_nll_loss", ("input", "target", "var")
    check_reduction(name, reduction)
    check_positive(name, "eps", eps)
    with ad.name_scope(name):
        x, y = same_shapes(name, input, target)
        _, v = operands(name, x, var, names=("input", "var"))
        if v.ndim and v.shape != x.shape and v.shape == x.shape[:-1]:
            v = ad.expand_dims(v, axis=-1)
        if bool(ad.any(v.detach() < 0)):
            raise ad.DomainError(f"{name}: a variance is negative. Give numbers of 0 or more.")
        v = v + ad.maximum(eps - v.detach(), 0.0)
        losses = 0.5 * (ad.log(v) + ad.square(x - y) / v)
        if losses.shape != x.shape:
            what = describe_call(name, [x, y, v], names)
            raise ad.ShapeError(f"{what}: var does not broadcast. Give one of shape {x.shape}.")
        return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@typed
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> ad.Tensor:
    r"""Negative log-likelihood of counts under Poisson distributions.

    .. math:: \ell = e^x - y x, \qquad \frac{\partial \ell}{\partial x} = e^x - y

    or, where the input is the rate itself, :math:`x - y \log(x + \epsilon)`.

    Parameters
    ----------
    input : Tensor
        Logarithms of the rates, or the rates, of any shape.
    target : Tensor or array_like
        Counts, of the same shape.
    log_input : bool
        Whether the input holds logarithms.
    full : bool
        Whether to add Stirling's approximation of :math:`\log y!` where the count is above 1.
    eps : float
        Keeps the logarithm finite.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import nn
    >>> nn.poisson_nll_loss([0.0], [3.0]).item()
    1.0
    """
    check_reduction("poisson_nll_loss", reduction)
    with ad.name_scope("poisson_nll_loss"):
        x, y = same_shapes("poisson_nll_loss", input, target)
        losses = ad.exp(x) - y * x if log_input else x - y * ad.log(x + eps)
        if full:
            many = ad.maximum(y, 1.0)
            stirling = many * ad.log(many) - many + 0.5 * ad.log(2 * math.pi * many)
            losses = losses + ad.masked(stirling, y > 1)
        return reduced(losses, reduction)


class KLDivLoss(Loss):
    r"""Kullback-Leibler divergence as a layer: :func:`kl_div`.

    .. math:: \ell = y\, (\log y - x)

    Parameters
    ----------
    reduction, log_target
        As of :func:`kl_div`.

    Examples
    --------
    >>> import nn
    >>> nn.KLDivLoss(reduction="batchmean")([[-1.0]], [[1.0]]).item()
    1.0
    """

    reductions = _OF_BATCHES

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class GaussianNLLLoss(Loss):
    r"""Negative log-likelihood of Gaussians: :func:`gaussian_nll_loss` as a layer.

    .. math:: \ell = \frac12 \left(\log v + \frac{(x - y)^2}{v}\right)

    Parameters
    ----------
    full, eps, reduction
        As of :func:`gaussian_nll_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.GaussianNLLLoss()([1.0], [3.0], [1.0]).item()
    2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Any, target: Any, var: Any) -> ad.Tensor:
        """Return the loss."""
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(Loss):
    r"""Negative log-likelihood of counts: :func:`poisson_nll_loss` as a layer.

    .. math:: \ell = e^x - y x

    Parameters
    ----------
    log_input, full, eps, reduction
        As of :func:`poisson_nll_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.PoissonNLLLoss(log_input=False)([1.0], [3.0]).item()
    1.0
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return poisson_nll_loss(
            input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )
