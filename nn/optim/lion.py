"""Lion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_rates, follow

__all__ = ["Lion"]


class Lion(Optimizer):
    r"""Steps of one size, along the sign of a momentum [1]_.

    .. math:: \theta \leftarrow (1 - \eta\lambda)\,\theta
       - \eta \operatorname{sign}(\beta_1 m + (1 - \beta_1) g),\qquad
       m \leftarrow \beta_2 m + (1 - \beta_2) g

    It remembers half of what Adam does. All steps have the size ``lr``: give a third to a
    tenth of AdamW's, and as many times its weight decay.

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        The learning rate, eta.
    betas : (float, float)
        The share of the momentum in the step, and its decay rate, from 0 to below 1.
    weight_decay : float
        The share lambda, times the learning rate, that every parameter loses in a step.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    DomainError
        If a number is out of its range.
    OptionError
        See :class:`Optimizer`.

    References
    ----------
    .. [1] X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
       algorithm 2.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -200.0])
    >>> optimizer = nn.optim.Lion([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, -199.5]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": True,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_rates("Lion", options, "betas", 2)

    def memory(self, group: dict[str, Any]) -> dict[str, float]:  # noqa: ARG002
        """Remember the momentum."""
        return {"exp_avg": 0.0}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:  # noqa: ARG002
        """Return the rate and both shares."""
        return group["lr"], *group["betas"]

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Step along the sign, then move the momentum."""
        rate, beta1, beta2 = numbers
        (momentum,) = memory
        step = beta1 * momentum
        step += (1 - beta1) * gradient
        parameter -= rate * ad.sign(step)
        follow(momentum, gradient, beta2)
