"""Cross-entropy from logits."""

from __future__ import annotations

from typing import Any

import autodiff as ad

__all__ = ["cross_entropy"]


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
    logits, target = ad.asarray(input), ad.asarray(target)
    _check(logits, target, weight, reduction, label_smoothing)
    axis = min(1, logits.ndim - 1)
    with ad.name_scope("cross_entropy"):
        log_probabilities = ad.log_softmax(logits, axis=axis)
        if target.dtype.kind == "f":
            return _of_probabilities(
                log_probabilities, target, weight, axis, reduction, label_smoothing
            )
        counts = _counting(logits, target, axis, ignore_index)
        return _of_indices(
            log_probabilities, target, counts, weight, axis, reduction, label_smoothing
        )


def _of_probabilities(
    log_probabilities: ad.Tensor,
    target: ad.Tensor,
    weight: Any,
    axis: int,
    reduction: str,
    label_smoothing: float,
) -> ad.Tensor:
    classes = log_probabilities.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    losses = -ad.sum(_weighted(target * log_probabilities, weight, axis), axis=axis)
    if reduction == "none":
        return losses
    total = ad.sum(losses)
    return total / max(1, losses.size) if reduction == "mean" else total


def _of_indices(
    log_probabilities: ad.Tensor,
    target: ad.Tensor,
    counts: ad.Tensor | None,
    weight: Any,
    axis: int,
    reduction: str,
    label_smoothing: float,
) -> ad.Tensor:
    """Compute the losses where ``counts`` (None: everywhere) and reduce them."""
    if counts is not None:
        target = ad.where(counts, target, 0)
    index = ad.expand_dims(target, axis=axis)
    chosen = ad.take_along_axis(log_probabilities, index, axis=axis)
    losses = -ad.squeeze(chosen, axis=axis)
    share = None if counts is None else ad.astype(counts, losses.dtype)
    if weight is not None:
        each = ad.take(ad.asarray(weight), target.reshape(-1)).reshape(target.shape)
        share = each if share is None else share * each
    if share is not None:
        losses = losses * share
    if label_smoothing:
        spread = -ad.mean(_weighted(log_probabilities, weight, axis), axis=axis)
        if counts is not None:
            spread = ad.where(counts, spread, 0.0)
        losses = (1 - label_smoothing) * losses + label_smoothing * spread
    if reduction == "none":
        return losses
    if reduction == "sum" or not losses.size:
        return ad.sum(losses)
    if share is None:
        return ad.mean(losses)
    total = ad.sum(share)
    return ad.sum(losses) / total if bool(total) else ad.sum(losses)


def _weighted(terms: ad.Tensor, weight: Any, axis: int) -> ad.Tensor:
    if weight is None:
        return terms
    shape = [1] * terms.ndim
    shape[axis] = -1
    return terms * ad.asarray(weight).reshape(shape)


def _describe(logits: ad.Tensor, target: ad.Tensor) -> str:
    operands = f"input: {ad.errors.describe(logits)}, target: {ad.errors.describe(target)}"
    return f"cross_entropy({operands})"


def _check(
    logits: ad.Tensor, target: ad.Tensor, weight: Any, reduction: str, label_smoothing: float
) -> None:
    """Raise unless shapes, dtypes and options fit together."""
    what = _describe(logits, target)
    if reduction not in ("mean", "sum", "none"):
        message = f"{what}: the reduction {reduction!r} is unknown"
        raise ad.OptionError(f"{message}. Give 'mean', 'sum' or 'none'.")
    if not 0 <= label_smoothing <= 1:
        message = f"{what}: label_smoothing is {label_smoothing}"
        raise ad.OptionError(f"{message}. Give a number from 0 to 1.")
    if logits.ndim == 0 or logits.dtype.kind != "f":
        message = f"{what}: the input is no array of real logits"
        raise ad.DTypeError(f"{message}. Give floats of shape (N, C).")
    axis = min(1, logits.ndim - 1)
    classes: int = logits.shape[axis]
    if weight is not None and ad.asarray(weight).shape != (classes,):
        message = f"{what}: the weight is {ad.errors.describe(ad.asarray(weight))}"
        raise ad.ShapeError(f"{message}. Give one number for each of the {classes} classes.")
    labels = (*logits.shape[:axis], *logits.shape[axis + 1 :])
    if target.dtype.kind == "f":
        if target.shape == logits.shape:
            return
        if target.shape == labels:
            message = f"{what}: class indices must be integers"
            raise ad.DTypeError(f"{message}. Cast them with target.astype(autodiff.int64).")
        message = f"{what}: probabilities must have the shape of the logits"
        raise ad.ShapeError(f"{message}, {logits.shape}.")
    if target.dtype.kind not in "iu":
        message = f"{what}: the target has neither class indices nor probabilities"
        raise ad.DTypeError(f"{message}. Give integers, or floats of the input's shape.")
    if target.shape != labels:
        message = f"{what}: the class indices do not fit the logits"
        raise ad.ShapeError(f"{message}. Give a target of shape {labels}.")


def _counting(
    logits: ad.Tensor, target: ad.Tensor, axis: int, ignore_index: int
) -> ad.Tensor | None:
    """Return where a label counts, None for everywhere; raise for one that is no class."""
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
        message = f"{_describe(logits, target)}: the label {target[position].item()}{where}"
        raise ad.DomainError(
            f"{message} is not one of the {classes} classes. Give labels from 0 to {classes - 1}."
        )
    return counts
