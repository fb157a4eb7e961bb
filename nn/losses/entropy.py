"""Cross-entropy from logits, and the negative log-likelihood that it is made of."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import check_probability
from nn.losses.loss import Loss, check_reduction, describe_call

__all__ = ["CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss"]

_NAMES = ("input", "target")


@typed
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> ad.Tensor:
    r"""Cross-entropy between softmax of the logits and the target classes.

    .. math:: \ell = -\sum_c y_c \log \hat y_c, \qquad \hat y = \mathrm{softmax}(x), \qquad
       \frac{\partial \ell}{\partial x} = \hat y - y

    It is computed from the logits, through ``log_softmax``: neither large nor small ones
    overflow or lose digits.

    Parameters
    ----------
    input : Tensor
        Logits, ``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)``.
    target : Tensor or array_like
        Class indices of an integer dtype, ``()``, ``(N,)`` or ``(N, d1, ...)``; or
        probabilities of a floating dtype and of the logits' shape.
    weight : Tensor, optional
        ``(C,)``, a factor for each class.
    ignore_index : int
        Where the target has this value, the loss is 0 and does not count in the mean.
    reduction : {"mean", "sum", "none"}
        The mean is weighted where there are weights. Without any target that counts it
        is 0.
    label_smoothing : float
        The share of the target probability, from 0 to 1, that is spread over all classes.

    Returns
    -------
    Tensor
        A scalar; of the target indices' shape for ``reduction="none"``.

    Raises
    ------
    DTypeError
        If the target is of neither kind.
    ShapeError
        If the shapes do not fit.
    DomainError
        If a class index is out of range.
    OptionError
        For an unknown reduction or a smoothing outside of 0 to 1.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> logits = ad.tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    >>> loss = nn.cross_entropy(logits, [0, 1])
    >>> loss.backward()
    >>> bool(ad.max(ad.abs(2 * logits.grad - (ad.softmax(logits) - ad.eye(2)))) < 1e-6)
    True
    """
    logits, target = _operands("cross_entropy", input, target)
    if not 0 <= label_smoothing <= 1:
        message = f"{_describe('cross_entropy', logits, target)}: label_smoothing is"
        raise ad.OptionError(f"{message} {label_smoothing}. Give a number from 0 to 1.")
    axis = _class_axis("cross_entropy", logits, weight, reduction)
    weight = None if weight is None else ad.asarray(weight, dtype=logits.dtype)
    with ad.name_scope("cross_entropy"):
        log_probabilities = ad.log_softmax(logits, axis=axis)
        if target.dtype.kind == "f" and target.shape == logits.shape:
            if label_smoothing:
                target = target * (1 - label_smoothing) + label_smoothing / logits.shape[axis]
            terms = _weighted(target * log_probabilities, weight, axis)
            return _reduced(ad.sum(terms, axis=axis, keepdims=True), None, axis, reduction)
        counts = _counting("cross_entropy", logits, target, axis, ignore_index)
        chosen, share = _chosen(log_probabilities, target, counts, weight, axis)
        if label_smoothing:
            terms = _weighted(log_probabilities, weight, axis)
            spread = ad.mean(terms, axis=axis, keepdims=True)
            if counts is not None:
                spread = ad.masked(spread, ad.expand_dims(counts, axis=axis))
            chosen = (1 - label_smoothing) * chosen + label_smoothing * spread
        return _reduced(chosen, share, axis, reduction)


@typed
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> ad.Tensor:
    r"""Negative log-likelihood of the target classes under given log-probabilities.

    .. math:: \ell = -w_y\, x_y, \qquad
       \frac{\partial \ell}{\partial x_c} = -w_y\, [c = y]

    Parameters
    ----------
    input : Tensor
        Log-probabilities, as :func:`autodiff.log_softmax` gives them: ``(C,)``, ``(N, C)``
        or ``(N, C, d1, ...)``.
    target : Tensor or array_like
        Class indices of an integer dtype, ``()``, ``(N,)`` or ``(N, d1, ...)``.
    weight, ignore_index, reduction
        As of :func:`cross_entropy`.

    Raises
    ------
    DTypeError
        If the target has no integers.
    ShapeError
        If the shapes do not fit.
    DomainError
        If a class index is out of range.
    OptionError
        For an unknown reduction.

    Examples
    --------
    >>> import nn
    >>> nn.nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [1, 0], reduction="none").tolist()
    [2.0, 3.0]
    """
    log_probabilities, target = _operands("nll_loss", input, target)
    axis = _class_axis("nll_loss", log_probabilities, weight, reduction)
    weight = None if weight is None else ad.asarray(weight, dtype=log_probabilities.dtype)
    with ad.name_scope("nll_loss"):
        counts = _counting("nll_loss", log_probabilities, target, axis, ignore_index)
        chosen, share = _chosen(log_probabilities, target, counts, weight, axis)
        return _reduced(chosen, share, axis, reduction)


def _chosen(
    log_probabilities: ad.Tensor,
    target: ad.Tensor,
    counts: ad.Tensor | None,
    weight: ad.Tensor | None,
    axis: int,
) -> tuple[ad.Tensor, ad.Tensor | None]:
    """Return the targets' log-probabilities times their weight, and the weights.

    The axis of the classes stays, with size 1. Where a target does not count both are 0;
    weights that are all 1 are None.
    """
    if counts is not None:
        target = ad.where(counts, target, 0)
        counts = ad.expand_dims(counts, axis=axis)
    index = ad.expand_dims(target, axis=axis)
    chosen = ad.take_along_axis(log_probabilities, index, axis=axis)
    share = None if counts is None else ad.astype(counts, chosen.dtype)
    if weight is not None:
        each = ad.take(weight, index.reshape(-1)).reshape(index.shape)
        share = each if share is None else share * each
    if counts is not None:  # an ignored log-probability may be -inf
        chosen = ad.masked(chosen, counts)
    return chosen if weight is None else chosen * share, share


def _reduced(
    likelihoods: ad.Tensor, share: ad.Tensor | None, axis: int, reduction: str
) -> ad.Tensor:
    """Negate and reduce; the mean is weighted by the targets' shares.

    ``axis`` is the one of the classes, of size 1.
    """
    if reduction == "none":
        likelihoods = ad.squeeze(likelihoods, axis=axis)
        return 0.0 - likelihoods  # unlike -likelihoods it makes 0 of 0, not -0
    if reduction == "mean" and share is None and likelihoods.size:
        return 0.0 - ad.mean(likelihoods)
    total = 0.0 - ad.sum(likelihoods)
    if reduction == "sum":
        return total
    count = 1 if share is None else ad.sum(share).item() or 1
    return total / count


def _weighted(terms: ad.Tensor, weight: Any, axis: int) -> ad.Tensor:
    if weight is None:
        return terms
    shape = [1] * terms.ndim
    shape[axis] = -1
    return terms * ad.asarray(weight).reshape(shape)


def _describe(operation: str, *operands: ad.Tensor) -> str:
    return describe_call(operation, list(operands), _NAMES)


def _operands(operation: str, input: Any, target: Any) -> tuple[ad.Tensor, ad.Tensor]:
    """Make tensors of the operands; lists of floats take the dtype of the logits."""
    try:
        logits, y = ad.asarray(input), ad.asarray(target)
    except ad.AutodiffError as error:
        raise type(error)(f"{operation}: {error}") from error
    if hasattr(target, "dtype") or y.dtype.kind != "f":
        return logits, y
    return logits, ad.asarray(target, dtype=logits.dtype)


def _class_axis(operation: str, logits: ad.Tensor, weight: Any, reduction: str) -> int:
    """Return the axis of the classes; raise unless the input has one, of the weights' size."""
    check_reduction(operation, reduction)
    if logits.ndim == 0 or logits.dtype.kind != "f":
        problem = "the input is no array of real logits. Give floats of shape (N, C)."
        raise ad.DTypeError(f"{_describe(operation, logits)}: {problem}")
    axis = min(1, logits.ndim - 1)
    classes: int = logits.shape[axis]
    if weight is not None and ad.asarray(weight).shape != (classes,):
        problem = f"the weight is {ad.errors.describe(ad.asarray(weight))}"
        remedy = f"Give one number for each of the {classes} classes."
        raise ad.ShapeError(f"{_describe(operation, logits)}: {problem}. {remedy}")
    return axis


def _check_indices(operation: str, logits: ad.Tensor, target: ad.Tensor, axis: int) -> None:
    """Raise unless the target has integers, one where the logits have a row of classes."""
    labels = (*logits.shape[:axis], *logits.shape[axis + 1 :])
    kind, shape = target.dtype.kind, target.shape
    if kind in "iu" and shape == labels:
        return
    misfit: type[ad.AutodiffError] = ad.DTypeError
    if kind == "f" and shape == labels:
        problem = "class indices must be integers. Cast them with target.astype(autodiff.int64)."
    elif kind == "f" and operation == "cross_entropy":
        misfit = ad.ShapeError
        problem = f"probabilities must have the shape of the logits, {logits.shape}."
    elif kind not in "iu":
        problem = "the target has neither class indices nor probabilities"
        problem = f"{problem}. Give integers, or floats of the input's shape."
    else:
        misfit = ad.ShapeError
        problem = f"the class indices do not fit the logits. Give a target of shape {labels}"
        if shape == logits.shape[:-1]:
            flat = f"input.reshape((-1, {logits.shape[-1]})) and target.reshape(-1)"
            problem = f"{problem}; or, if the classes are the last axis, {flat}"
        problem = f"{problem}."
    raise misfit(f"{_describe(operation, logits, target)}: {problem}")


def _counting(
    operation: str, logits: ad.Tensor, target: ad.Tensor, axis: int, ignore_index: int
) -> ad.Tensor | None:
    """Return where a label counts, None for everywhere; raise for what is no class."""
    _check_indices(operation, logits, target, axis)
    if not target.size:
        return None
    classes: int = logits.shape[axis]
    lowest, highest = ad.min(target).item(), ad.max(target).item()
    if lowest >= 0 and highest < classes and not lowest <= ignore_index <= highest:
        return None
    counts = target != ignore_index
    bad = ((target < 0) | (target >= classes)) & counts
    if bool(ad.any(bad)):
        position = tuple(axis[0].item() for axis in ad.nonzero(bad)) if target.ndim else ()
        at = ", ".join(map(str, position))
        where = f" at index {at if target.ndim == 1 else f'({at})'}" if target.ndim else ""
        message = (
            f"{_describe(operation, logits, target)}: the label {target[position].item()}{where}"
        )
        raise ad.DomainError(
            f"{message} is not one of the {classes} classes. Give labels from 0 to {classes - 1}."
        )
    return counts


class _OfClasses(Loss):
    """What both layers keep: a weight for each class (a buffer) and what to ignore."""

    weight: ad.Tensor | None

    def __init__(self, weight: Any, ignore_index: int, reduction: str) -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", None if weight is None else ad.asarray(weight))
        self.ignore_index = ignore_index


class CrossEntropyLoss(_OfClasses):
    r"""Cross-entropy from logits: :func:`cross_entropy` as a layer.

    .. math:: \ell = -\sum_c y_c \log \hat y_c, \qquad \hat y = \mathrm{softmax}(x), \qquad
       \frac{\partial \ell}{\partial x} = \hat y - y

    Parameters
    ----------
    weight, ignore_index, reduction, label_smoothing
        As of :func:`cross_entropy`; the weight is a buffer.

    Examples
    --------
    >>> import nn
    >>> nn.CrossEntropyLoss(reduction="sum")([[100.0, 0.0], [0.0, 100.0]], [0, 1]).item()
    0.0
    """

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        check_probability(self, "label_smoothing", label_smoothing)
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_OfClasses):
    r"""Negative log-likelihood: :func:`nll_loss` as a layer.

    .. math:: \ell = -w_y\, x_y

    Parameters
    ----------
    weight, ignore_index, reduction
        As of :func:`nll_loss`; the weight is a buffer.

    Examples
    --------
    >>> import nn
    >>> nn.NLLLoss()([[-1.0, -2.0], [-3.0, -4.0]], [1, 0]).item()
    2.5
    """

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, ignore_index, reduction)

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return nll_loss(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )
