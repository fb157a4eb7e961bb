"""Losses as functions of tensors."""

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
    classes = _check(logits, target, weight, ignore_index, reduction, label_smoothing)
    with ad.name_scope("cross_entropy"):
        axis = min(1, logits.ndim - 1)
        log_probabilities = ad.log_softmax(logits, axis=axis)
        if target.dtype.kind == "f":
            if label_smoothing:
                target = target * (1 - label_smoothing) + label_smoothing / classes
            terms = target * log_probabilities
            losses = -ad.sum(_weighted(terms, weight, axis), axis=axis)
            if reduction != "mean":
                return ad.sum(losses) if reduction == "sum" else losses
            return ad.sum(losses) / max(1, logits.size // classes)
        index = ad.expand_dims(target, axis=axis)
        counts = target != ignore_index
        plain = weight is None and bool(ad.all(counts))
        if not plain:
            index = ad.where(index == ignore_index, 0, index)
        chosen = ad.take_along_axis(log_probabilities, index, axis=axis)
        losses = -ad.squeeze(chosen, axis=axis)
        if label_smoothing:
            spread = -ad.mean(_weighted(log_probabilities, weight, axis), axis=axis)
        if plain:
            if label_smoothing:
                losses = (1 - label_smoothing) * losses + label_smoothing * spread
            if reduction == "mean" and losses.size:
                return ad.mean(losses)
            return losses if reduction == "none" else ad.sum(losses)
        share = ad.astype(counts, logits.dtype)
        if weight is not None:
            share = share * ad.squeeze(
                ad.take(ad.asarray(weight), index.reshape(-1)).reshape(index.shape), axis=axis
            )
        losses = losses * share
        if label_smoothing:
            spread = ad.where(counts, spread, 0.0)
            losses = (1 - label_smoothing) * losses + label_smoothing * spread
        if reduction == "none":
            return losses
        total = ad.sum(share)
        if reduction == "sum" or not bool(total):
            return ad.sum(losses)
        return ad.sum(losses) / total


def _weighted(terms: ad.Tensor, weight: Any, axis: int) -> ad.Tensor:
    if weight is None:
        return terms
    shape = [1] * terms.ndim
    shape[axis] = -1
    return terms * ad.asarray(weight).reshape(shape)


def _check(
    logits: ad.Tensor,
    target: ad.Tensor,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> int:
    """Check the operands of a cross-entropy; return the number of classes."""
    what = (
        f"cross_entropy(input: {ad.errors.describe(logits)}, target: {ad.errors.describe(target)})"
    )
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
            return classes
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
    bad = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bool(ad.any(bad)):
        at = int(ad.argmax(ad.astype(bad.reshape(-1), ad.int64)))
        where = ""
        if labels:
            place = []
            for size in reversed(labels):
                at, rest = divmod(at, size)
                place.append(rest)
            position = tuple(reversed(place))
            value = target[position].item()
            where = f" at index {position[0] if len(position) == 1 else position}"
        else:
            value = target.item()
        message = f"{what}: the label {value}{where} is not one of the {classes} classes"
        raise ad.DomainError(f"{message}. Give labels from 0 to {classes - 1}.")
    return classes
