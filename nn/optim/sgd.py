"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum and Nesterov's variant.

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

    Raises
    ------
    DomainError
        If a number is negative.
    OptionError
        See :class:`Optimizer`.

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
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
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

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, state: dict[str, Any], group: Any
    ) -> None:
        """Step along the velocity."""
        momentum = group["momentum"]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = gradient.clone()
            else:
                velocity *= momentum
                velocity += (1 - group["dampening"]) * gradient
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
        parameter -= group["lr"] * gradient
