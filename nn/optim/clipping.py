"""Gradients cut down to size before a step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.module import Module

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@typed
def clip_grad_norm_(
    parameters: ad.Tensor | Iterable[ad.Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> ad.Tensor:
    r"""Scale all gradients together so that their norm is at most ``max_norm`` [1]_.

    .. math:: g \leftarrow g \cdot \min\left(1,
       \frac{c}{\lVert g \rVert + 10^{-6}}\right)

    where the norm is that of all gradients as one vector, so their direction stays. It
    tames the exploding gradients of recurrent networks.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are passed over.
    max_norm : float
        The bound, c.
    norm_type : float
        The order of the norm; ``inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Raise if the norm is NaN or infinite; otherwise the gradients are scaled by it, to
        NaN or 0.

    Returns
    -------
    Tensor
        The norm before: a scalar, 0 without gradients.

    Raises
    ------
    DomainError
        If ``max_norm`` is negative or NaN, or the norm is not finite and that is an error.
        The gradients are unchanged then.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent
       neural networks", ICML 2013, algorithm 1.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([3.0, 4.0])
    >>> (w * w).sum().backward()
    >>> nn.optim.clip_grad_norm_([w], 1.0).item()
    10.0
    >>> [round(value, 3) for value in w.grad.tolist()]
    [0.6, 0.8]
    """
    gradients = _gradients(parameters)
    max_norm, norm_type = float(max_norm), float(norm_type)
    if not max_norm >= 0:
        raise ad.DomainError(f"clip_grad_norm_: max_norm is {max_norm}. Give 0 or more.")
    if not norm_type > 0:
        raise ad.DomainError(f"clip_grad_norm_: norm_type is {norm_type}. Give a number above 0.")
    with ad.no_grad():
        if not gradients:
            return ad.asarray(0.0)
        norms = [_norm(gradient, norm_type) for gradient in gradients]
        total = norms[0] if len(norms) == 1 else _norm(ad.stack(norms), norm_type)
        if error_if_nonfinite and not math.isfinite(total.item()):
            message = f"clip_grad_norm_: the norm of the gradients is {total.item()}"
            raise ad.DomainError(
                f"{message}. Look for the NaN or infinity with autodiff.detect_anomaly(), or "
                "give error_if_nonfinite=False."
            )
        factor = max_norm / (total.item() + 1e-6)
        if not factor >= 1:
            for gradient in gradients:
                gradient *= factor  # noqa: PLW2901 - in place
    return total


@typed
def clip_grad_value_(parameters: ad.Tensor | Iterable[ad.Tensor], clip_value: float) -> None:
    """Clip every element of the gradients to ``-clip_value`` and ``clip_value``.

    It bounds each coordinate by itself, and so may turn the gradient's direction.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are passed over.
    clip_value : float

    Raises
    ------
    DomainError
        If the value is negative or NaN.

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([0.25, -4.0])
    >>> (w * w).sum().backward()
    >>> nn.optim.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [0.5, -1.0]
    """
    clip_value = float(clip_value)
    if not clip_value >= 0:
        raise ad.DomainError(f"clip_grad_value_: clip_value is {clip_value}. Give 0 or more.")
    with ad.no_grad():
        for gradient in _gradients(parameters):
            gradient[...] = ad.clip(gradient, -clip_value, clip_value)


def _gradients(parameters: Any) -> list[ad.Tensor]:
    """Return the gradients themselves, which share memory with what the parameters hold."""
    several = isinstance(parameters, Iterable) and not isinstance(parameters, (ad.Tensor, Module))
    given = list(parameters) if several else [parameters]
    for parameter in given:
        if not isinstance(parameter, ad.Tensor):
            message = f"the gradients of a {type(parameter).__name__} can't be clipped"
            raise ad.DTypeError(f"{message}. Give model.parameters().")
    gradients = [parameter.grad for parameter in given if parameter.grad is not None]
    return [gradient.detach() for gradient in gradients if gradient.size]


def _norm(x: ad.Tensor, order: float) -> ad.Tensor:
    flat = x.reshape(-1)
    if order == math.inf:
        return ad.max(ad.abs(flat))
    if order == 2:
        return ad.sqrt(ad.vecdot(flat, flat))
    return ad.sum(ad.abs(flat) ** order) ** (1 / order)
