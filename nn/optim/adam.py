"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least

__all__ = ["Adam"]


class Adam(Optimizer):
    r"""Steps scaled by running estimates of the gradient's first and second moments [1]_.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g,\qquad
       v \leftarrow \beta_2 v + (1 - \beta_2) g^2,\qquad
       \theta \leftarrow \theta - \eta\,
       \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        The learning rate, eta: about the size of a step in each coordinate.
    betas : (float, float)
        The decay rates of the moments, from 0 to below 1.
    eps : float
        Keeps the denominator from 0.
    weight_decay : float
        The factor of the L2 penalty's gradient.

    Raises
    ------
    DomainError
        If a number is out of its range.
    OptionError
        See :class:`Optimizer`.

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
       algorithm 1.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -200.0])
    >>> optimizer = nn.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # the first step has the size of lr, whatever the gradient's
    >>> [round(value, 3) for value in w.tolist()]
    [0.5, -199.5]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_at_least("Adam", options, 0, "eps")
        betas = options["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            message = f"Adam: betas is {betas}"
            raise ad.DomainError(f"{message}. Give two numbers, each from 0 to below 1.")

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, state: dict[str, Any], group: Any
    ) -> None:
        """Update the moments and step along their quotient."""
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        if not state:
            state["step"] = 0
            state["exp_avg"] = ad.zeros_like(gradient)
            state["exp_avg_sq"] = ad.zeros_like(gradient)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        first, second = state["exp_avg"], state["exp_avg_sq"]
        first *= beta1
        first += (1 - beta1) * gradient
        second *= beta2
        second += (1 - beta2) * gradient * gradient
        # The corrections of both moments are numbers: they scale the step, not the arrays.
        correction1 = 1 - beta1 ** state["step"]
        correction2 = 1 - beta2 ** state["step"]
        denominator = ad.sqrt(second)
        denominator /= correction2**0.5
        denominator += group["eps"]
        parameter -= (group["lr"] / correction1) * first / denominator
