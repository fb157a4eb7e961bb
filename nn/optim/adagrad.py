"""Adagrad, and Adadelta, which forgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least, check_rates, follow

__all__ = ["Adadelta", "Adagrad"]


class Adagrad(Optimizer):
    r"""Steps divided by the root of all squared gradients so far [1]_.

    .. math:: s \leftarrow s + g^2,\qquad
       \theta \leftarrow \theta - \frac{\eta}{1 + (t - 1)\, \delta}\, \frac{g}{\sqrt{s} + \epsilon}

    Rare features, whose gradients are mostly 0, keep long steps.

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        The learning rate, eta.
    lr_decay : float
        How fast the learning rate falls, delta.
    weight_decay : float
        The factor of the L2 penalty's gradient.
    initial_accumulator_value : float
        What the sum starts from.
    eps : float
        Keeps the denominator from 0.
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
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online
       learning and stochastic optimization", JMLR 12 (2011).

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -200.0])
    >>> optimizer = nn.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 3) for value in w.tolist()]
    [0.5, -199.5]
    """

    counted = ("step",)
    squares = ("sum",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is negative."""
        super().check(options)
        check_at_least("Adagrad", options, 0, "lr_decay", "initial_accumulator_value", "eps")

    def memory(self, group: dict[str, Any]) -> dict[str, float]:
        """Remember the sum of squares."""
        return {"sum": group["initial_accumulator_value"]}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Count the step; return epsilon and the rate that has decayed so far."""
        step = state["step"] = state.get("step", 0) + 1
        return group["eps"], group["lr"] / (1 + (step - 1) * group["lr_decay"])

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Add the squares and step along the quotient."""
        eps, rate = numbers
        (total,) = memory
        total += gradient * gradient
        scale = ad.sqrt(total)
        scale += eps
        step = gradient / scale
        step *= rate
        parameter -= step


class Adadelta(Optimizer):
    r"""Steps as large as former steps were for such gradients: without a unit of rate [1]_.

    .. math:: v \leftarrow \rho v + (1 - \rho) g^2,\qquad
       \Delta = \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}}\, g,\qquad
       u \leftarrow \rho u + (1 - \rho) \Delta^2,\qquad
       \theta \leftarrow \theta - \eta \Delta

    Parameters
    ----------
    params : iterable
        Of parameters, ``(name, parameter)`` pairs or groups; see :class:`Optimizer`.
    lr : float
        A factor of the steps, eta.
    rho : float
        The decay rate of both running means, from 0 to below 1.
    eps : float
        Starts the steps, and keeps the denominator from 0.
    weight_decay : float
        The factor of the L2 penalty's gradient.
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
    .. [1] M. D. Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -200.0])
    >>> optimizer = nn.optim.Adadelta([w], rho=0.75, eps=1e-2)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 3) for value in w.tolist()]
    [0.801, -199.8]
    """

    counted = ("step",)
    squares = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_at_least("Adadelta", options, 0, "eps")
        check_rates("Adadelta", options, "rho")

    def memory(self, group: dict[str, Any]) -> dict[str, float]:  # noqa: ARG002
        """Remember the mean squares of gradients and of steps."""
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Count the step; return rate, decay rate and epsilon."""
        state["step"] = state.get("step", 0) + 1
        return group["lr"], group["rho"], group["eps"]

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Update the mean squares and step."""
        rate, rho, eps = numbers
        squares, steps = memory
        follow(squares, gradient * gradient, rho)
        step = ad.sqrt(steps + eps)
        step /= ad.sqrt(squares + eps)
        step *= gradient
        follow(steps, step * step, rho)
        step *= rate
        parameter -= step
