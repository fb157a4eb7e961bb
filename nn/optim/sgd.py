"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum and Nesterov's variant [1]_.

    .. math:: g \leftarrow \nabla L + \lambda\theta,\qquad
       v \leftarrow \mu v + (1 - \tau) g,\qquad
       \theta \leftarrow \theta - \eta v

    (the first ``v`` is ``g``); with ``nesterov`` the step is along ``g + momentum * v``.

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        The learning rate, eta.
    momentum : float
        The share mu of the former velocity that is kept.
    dampening : float
        The share tau of the gradient that does not enter the velocity.
    weight_decay : float
        The factor lambda of the L2 penalty's gradient.
    nesterov : bool
        Look ahead along the velocity; needs momentum and no dampening.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    DomainError
        If a number is negative.
    OptionError
        See :class:`Optimizer`.

    References
    ----------
    .. [1] I. Sutskever et al., "On the importance of initialization and momentum in deep
       learning", ICML 2013.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> w = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist() == ad.tensor([0.8, -1.6]).tolist()
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is negative, or Nesterov's variant has nothing to look ahead along."""
        super().check(options)
        check_at_least("SGD", options, 0, "momentum")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            message = f"SGD: nesterov with momentum {options['momentum']}"
            raise ad.OptionError(
                f"{message} and dampening {options['dampening']}. "
                "Give a momentum above 0 and no dampening."
            )

    def memory(self, group: dict[str, Any]) -> dict[str, float]:
        """Remember the velocity where there is momentum."""
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Return rate, momentum, the gradient's share in the velocity, and the variant."""
        first = "momentum_buffer" not in state
        share = 1 if first else 1 - group["dampening"]
        return group["lr"], group["momentum"], share, group["nesterov"]

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Step along the velocity."""
        rate, momentum, share, nesterov = numbers
        for velocity in memory:
            velocity *= momentum  # noqa: PLW2901 - in place
            velocity += gradient if share == 1 else share * gradient  # noqa: PLW2901
            gradient = gradient + momentum * velocity if nesterov else velocity
        parameter -= rate * gradient
