"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least, check_rates, follow

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""Steps divided by a running root mean square of the gradients [1]_.

    .. math:: v \leftarrow \alpha v + (1 - \alpha) g^2,\qquad
       \theta \leftarrow \theta - \eta\, \frac{g}{\sqrt{v} + \epsilon}

    With ``centered`` the running mean's square is taken off, :math:`v - m^2`: the variance
    [2]_. With momentum the quotients are gathered, :math:`b \leftarrow \mu b + g / (\sqrt v +
    \epsilon)`, and the step is along ``b``.

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        The learning rate, eta.
    alpha : float
        The decay rate of the running means, from 0 to below 1.
    eps : float
        Keeps the denominator from 0.
    weight_decay : float
        The factor of the L2 penalty's gradient.
    momentum : float
        The share mu of former steps that is kept.
    centered : bool
        Divide by the standard deviation instead of the root mean square.
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
    .. [1] T. Tieleman and G. Hinton, "Neural networks for machine learning", lecture 6.5,
       2012.
    .. [2] A. Graves, "Generating sequences with recurrent neural networks", 2013, eq. 38-45.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -200.0])
    >>> optimizer = nn.optim.RMSprop([w], lr=0.5, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 3) for value in w.tolist()]
    [0.0, -199.0]
    """

    counted = ("step",)
    squares = ("square_avg",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_at_least("RMSprop", options, 0, "eps", "momentum")
        check_rates("RMSprop", options, "alpha")

    def memory(self, group: dict[str, Any]) -> dict[str, float]:
        """Remember the mean square, and what the variants need."""
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] else []
        names += ["grad_avg"] if group["centered"] else []
        return dict.fromkeys(names, 0.0)

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Count the step; return the options."""
        state["step"] = state.get("step", 0) + 1
        return group

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Update the running means and step along the quotient."""
        group, square, others = numbers, memory[0], memory[1:]
        follow(square, gradient * gradient, group["alpha"])
        if group["centered"]:
            mean = others.pop()
            follow(mean, gradient, group["alpha"])
            # Rounding can make the variance of equal gradients a little negative.
            square = ad.maximum(square - mean * mean, 0.0)
        scale = ad.sqrt(square)
        scale += group["eps"]
        step = gradient / scale
        for velocity in others:
            velocity *= group["momentum"]  # noqa: PLW2901 - in place
            velocity += step  # noqa: PLW2901
            step = velocity
        parameter -= group["lr"] * step
