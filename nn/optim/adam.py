"""Adam and its kin: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.optim.optimizer import Optimizer, check_at_least, check_rates, follow

__all__ = ["Adam", "AdamW", "NAdam"]


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
    amsgrad : bool
        Divide by the largest second moment so far, so that steps never grow for lack of
        gradients [2]_.
    maximize : bool
        Climb instead of descending.
    decoupled_weight_decay : bool
        Shrink the parameters by the decay instead of adding a penalty to the gradient:
        :class:`AdamW`.

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
    .. [2] S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond",
       ICLR 2018.

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

    counted = ("step",)
    squares = ("exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_at_least(type(self).__name__, options, 0, "eps")
        check_rates(type(self).__name__, options, "betas", 2)

    def memory(self, group: dict[str, Any]) -> dict[str, float]:
        """Remember both moments, and the largest second one where it counts."""
        moments = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        return {**moments, "max_exp_avg_sq": 0.0} if group["amsgrad"] else moments

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Count the step; return the decay rates, epsilon and the size of the step.

        The corrections of both moments are numbers: they scale the step and epsilon, not
        the arrays (end of section 2 of [1]).
        """
        step = state["step"] = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        root = (1 - beta2**step) ** 0.5
        return beta1, beta2, group["eps"] * root, group["lr"] * root / (1 - beta1**step)

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Update the moments and step along their quotient."""
        beta1, beta2, eps, size = numbers
        first, second, *largest = memory
        follow(first, gradient, beta1)
        follow(second, gradient * gradient, beta2)
        for most in largest:
            most[...] = second = ad.maximum(most, second)
        scale = ad.sqrt(second)
        scale += eps
        step = first / scale
        step *= size
        parameter -= step


class AdamW(Adam):
    r"""Adam whose weight decay is decoupled from the gradient [1]_.

    .. math:: \theta \leftarrow (1 - \eta\lambda)\,\theta - \eta\,
       \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    The decay is the same for every parameter; as a penalty in the gradient, Adam would
    divide it by the size of the gradients.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize
        As of :class:`Adam`.
    weight_decay : float
        The share lambda, times the learning rate, that every parameter loses in a step.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
       algorithm 2.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> w = nn.Parameter([8.0])
    >>> optimizer = nn.optim.AdamW([w], lr=0.5, weight_decay=0.5)
    >>> (w * 0).sum().backward()
    >>> optimizer.step()
    >>> w.item()
    6.0
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range, or the state is one of Adam."""
        super().check(options)
        if not options["decoupled_weight_decay"]:
            message = "AdamW: decoupled_weight_decay is False"
            raise ad.OptionError(f"{message}. Use Adam, whose decay is a penalty.")


class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum [1]_.

    With :math:`\mu_t = \beta_1 (1 - \tfrac12\, 0.96^{t \psi})` and
    :math:`\Pi_t = \prod_{i \le t} \mu_i`

    .. math:: \theta \leftarrow \theta - \frac{\eta}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}
       \left(\frac{1 - \mu_t}{1 - \Pi_t}\, g + \frac{\mu_{t+1}}{1 - \Pi_{t+1}}\, m\right)

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, maximize, decoupled_weight_decay
        As of :class:`Adam`.
    momentum_decay : float
        The factor psi: how fast the momentum grows from half of ``betas[0]`` to all of it.

    References
    ----------
    .. [1] T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0])
    >>> optimizer = nn.optim.NAdam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item() < 1
    True
    """

    counted = ("step", "mu_product")
    squares = ("exp_avg_sq",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if a number is out of its range."""
        super().check(options)
        check_at_least("NAdam", options, 0, "eps", "momentum_decay")
        check_rates("NAdam", options, "betas", 2)

    def check_state(self, number: int, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Raise if the product of momenta, each below 1, is above 1."""
        super().check_state(number, state, group)
        if state["mu_product"] > 1:
            message = f"NAdam: the state of parameter {number}: mu_product is"
            raise ad.DomainError(f"{message} {state['mu_product']}. Give a number from 0 to 1.")

    def memory(self, group: dict[str, Any]) -> dict[str, float]:  # noqa: ARG002
        """Remember both moments."""
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def numbers(self, state: dict[str, Any], group: dict[str, Any]) -> Any:
        """Count the step, multiply the momenta; return the factors of gradient and moment."""
        step = state["step"] = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        now, then = (
            beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1)
        )
        product = state["mu_product"] = state.get("mu_product", 1.0) * now
        root = (1 - beta2**step) ** 0.5
        size = group["lr"] * root
        of_gradient = size * (1 - now) / (1 - product)
        of_moment = size * then / (1 - product * then)
        return beta1, beta2, group["eps"] * root, of_gradient, of_moment

    def update(
        self, parameter: ad.Tensor, gradient: ad.Tensor, memory: list[ad.Tensor], numbers: Any
    ) -> None:
        """Update the moments and step along both gradient and first moment."""
        beta1, beta2, eps, of_gradient, of_moment = numbers
        first, second = memory
        follow(first, gradient, beta1)
        follow(second, gradient * gradient, beta2)
        scale = ad.sqrt(second)
        scale += eps
        step = of_gradient * gradient
        step += of_moment * first
        step /= scale
        parameter -= step
