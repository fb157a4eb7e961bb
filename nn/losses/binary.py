"""Cross-entropy of yes-or-no targets, from probabilities and from logits."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.losses.loss import Loss, check_reduction, describe_call, operands, reduced, same_shapes

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]


@typed
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean"
) -> ad.Tensor:
    r"""Cross-entropy of probabilities and yes-or-no targets.

    .. math:: \ell = -w \left(y \log x + (1 - y) \log(1 - x)\right), \qquad
       \frac{\partial \ell}{\partial x} = w\, \frac{x - y}{x (1 - x)}

    Logarithms are cut off at -100, as PyTorch's; there the gradient is 0. Prefer
    :func:`binary_cross_entropy_with_logits`, which needs no cut and keeps its gradient.

    Parameters
    ----------
    input : Tensor
        Probabilities, of any shape.
    target : Tensor or array_like
        From 0 to 1, of the same shape.
    weight : Tensor or array_like, optional
        A factor of each loss; broadcast.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    DomainError
        If an input is not a probability.
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> round(nn.binary_cross_entropy([0.5, 0.5], [0, 1]).item(), 4) == round(0.693147, 4)
    True
    """
    check_reduction("binary_cross_entropy", reduction)
    with ad.name_scope("binary_cross_entropy"):
        x, y = same_shapes("binary_cross_entropy", input, target)
        values = x.detach()
        if not bool(ad.all((values >= 0) & (values <= 1))):  # a NaN is not
            message = describe_call("binary_cross_entropy", [x, y], ("input", "target"))
            raise ad.DomainError(
                f"{message}: an input is not from 0 to 1. Give probabilities, or logits to "
                "binary_cross_entropy_with_logits."
            )
        losses = -(y * _log(x) + (1 - y) * _log(1 - x))
        return reduced(_times(losses, weight, "binary_cross_entropy", "weight"), reduction)


def _log(x: ad.Tensor) -> ad.Tensor:
    """Return the logarithm, at least -100, also of 0."""
    least = x > 3.7835e-44  # exp(-100); no such number is 0 in float32
    return ad.where(least, ad.log(ad.where(least, x, 1.0)), -100.0)


@typed
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> ad.Tensor:
    r"""Cross-entropy of yes-or-no targets, from logits: large ones neither overflow nor round.

    .. math:: \ell = -w \left(p\, y \log \sigma(x) + (1 - y) \log(1 - \sigma(x))\right)

    which without weights is :math:`\operatorname{softplus}(x) - x y`, and its gradient

    .. math:: \frac{\partial \ell}{\partial x} = \sigma(x) - y

    Parameters
    ----------
    input : Tensor
        Logits, of any shape.
    target : Tensor or array_like
        From 0 to 1, of the same shape.
    weight : Tensor or array_like, optional
        A factor w of each loss; broadcast.
    reduction : {"mean", "sum", "none"}
    pos_weight : Tensor or array_like, optional
        A factor p of the positive part, mostly one for each class ``(C,)``; broadcast.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> x = ad.tensor([0.0, 1e4], requires_grad=True)
    >>> nn.binary_cross_entropy_with_logits(x, [1, 0], reduction="sum").backward()
    >>> x.grad.tolist()
    [-0.5, 1.0]
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    with ad.name_scope(name):
        x, y = same_shapes(name, input, target)
        if pos_weight is None:
            losses = ad.softplus(x, threshold=math.inf) - x * y
        else:
            # log(1 - sigmoid(x)) = log sigmoid(x) - x, so that one softplus does for both
            factor = 1 - y + _times(y, pos_weight, name, "pos_weight")
            losses = (1 - y) * x + factor * ad.softplus(-x, threshold=math.inf)
        return reduced(_times(losses, weight, name, "weight"), reduction)


def _times(losses: ad.Tensor, weight: Any, operation: str, name: str) -> ad.Tensor:
    """Multiply by a weight that broadcasts to the losses."""
    if weight is None:
        return losses
    names = ("input", name)
    losses, weight = operands(operation, losses, weight, names=names)
    product: ad.Tensor = losses * weight
    if product.shape != losses.shape:
        message = f"{describe_call(operation, [losses, weight], names)}: the {name} is too large"
        raise ad.ShapeError(f"{message}. Give one that broadcasts to {losses.shape}.")
    return product


class BCELoss(Loss):
    r"""Cross-entropy of probabilities: :func:`binary_cross_entropy` as a layer.

    .. math:: \ell = -w \left(y \log x + (1 - y) \log(1 - x)\right)

    Parameters
    ----------
    weight, reduction
        As of :func:`binary_cross_entropy`; a weight is a buffer.

    Examples
    --------
    >>> import nn
    >>> nn.BCELoss(reduction="sum")([1.0, 0.0], [1, 0]).item()
    0.0
    """

    weight: ad.Tensor | None

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", None if weight is None else ad.asarray(weight))

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    r"""Cross-entropy of logits: :func:`binary_cross_entropy_with_logits` as a layer.

    .. math:: \ell = -w \left(p\, y \log \sigma(x) + (1 - y) \log(1 - \sigma(x))\right), \qquad
       \frac{\partial \ell}{\partial x} = w \left(\sigma(x) - y\right) \text{ for } p = 1

    Parameters
    ----------
    weight, reduction, pos_weight
        As of :func:`binary_cross_entropy_with_logits`; a weight is a buffer.

    Examples
    --------
    >>> import nn
    >>> nn.BCEWithLogitsLoss(reduction="none")([1e4, -1e4], [0, 0]).tolist()
    [10000.0, 0.0]
    """

    weight: ad.Tensor | None
    pos_weight: ad.Tensor | None

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", None if weight is None else ad.asarray(weight))
        self.register_buffer("pos_weight", None if pos_weight is None else ad.asarray(pos_weight))

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )
