"""Connectionist temporal classification: sequences of labels without an alignment."""

from __future__ import annotations

import itertools
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.losses.loss import Loss, check_reduction, describe_call, operands, reduced

__all__ = ["CTCLoss", "ctc_loss"]


@typed
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> ad.Tensor:
    r"""Negative log-probability of label sequences, summed over all their alignments [1]_.

    An alignment gives each time step a label or the blank; leaving out repetitions, then
    blanks, makes the label sequence of it. With :math:`l'` the labels with blanks between
    and around, the probability of all alignments' beginnings follows from

    .. math:: \alpha_t(s) = y^t_{l'_s} \left(\alpha_{t-1}(s) + \alpha_{t-1}(s - 1)
       + [l'_s \ne \text{blank}, l'_s \ne l'_{s-2}]\, \alpha_{t-1}(s - 2)\right), \qquad
       \ell = -\log(\alpha_T(|l'|) + \alpha_T(|l'| - 1))

    computed with logarithms. With respect to the logits :math:`u` of
    ``log_probs = log_softmax(u)`` the gradient is

    .. math:: \frac{\partial \ell}{\partial u^t_k} = y^t_k - p(\text{label } k \text{ at } t
       \mid l)

    Parameters
    ----------
    log_probs : Tensor
        Log-probabilities, ``(T, N, C)`` or ``(T, C)``.
    targets : Tensor or array_like
        Labels other than the blank: ``(N, S)``, padded with anything, or all of them one
        after the other, ``(sum(target_lengths),)``.
    input_lengths, target_lengths : Tensor, array_like or int
        ``(N,)``: how many steps and labels of each sequence count; an int or ``()`` for
        ``(T, C)``.
    blank : int
        The class of the blank.
    reduction : {"mean", "sum", "none"}
        For the mean each loss is divided by its number of labels (at least 1) first.
    zero_infinity : bool
        Whether the loss of a sequence that is too long for its input, which no alignment
        fits, is 0 instead of infinite.

    Returns
    -------
    Tensor
        A scalar; ``(N,)``, or ``()`` for ``(T, C)``, with ``reduction="none"``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DTypeError
        If labels or lengths are no integers.
    DomainError
        If a label or a length is out of range.

    Notes
    -----
    The gradient of an infinite loss is 0 (PyTorch: NaN, unless ``zero_infinity``). The
    gradient with respect to ``log_probs`` itself is minus the labels' posterior; PyTorch
    hands on the logits' gradient there, which after ``log_softmax`` is the same.

    References
    ----------
    .. [1] A. Graves et al., "Connectionist temporal classification: labelling unsegmented
       sequence data with recurrent neural networks", ICML 2006, eq. 5-8.

    Examples
    --------
    Two steps, one label: "a", with alignments "aa", "a-" and "-a" of 1/4 each.

    >>> import autodiff as ad, nn
    >>> log_probs = ad.log_softmax(ad.zeros((2, 1, 2)))
    >>> round(ad.exp(-nn.ctc_loss(log_probs, [[1]], [2], [1])).item(), 4)
    0.75
    """
    check_reduction("ctc_loss", reduction)
    with ad.name_scope("ctc_loss"):
        x, labels, steps, counts = _prepared(
            log_probs, targets, input_lengths, target_lengths, blank
        )
        losses = -_log_probability(x, labels, steps, counts, blank)
        if zero_infinity:
            losses = ad.where(losses.detach() == ad.inf, 0.0, losses)
        if reduction == "mean":
            losses = losses / ad.maximum(ad.astype(counts, losses.dtype), 1.0)
        if reduction == "none" and ad.asarray(log_probs).ndim == 2:
            return losses[0]
        return reduced(losses, reduction)


def _log_probability(
    log_probs: ad.Tensor, labels: ad.Tensor, steps: ad.Tensor, counts: ad.Tensor, blank: int
) -> ad.Tensor:
    """Run the forward recursion; return the logarithm of each sequence's probability, (N,)."""
    duration, batch, _ = log_probs.shape
    positions = 2 * labels.shape[1] + 1
    extended = ad.full((batch, positions), blank, dtype=ad.int64)
    extended[:, 1::2] = labels
    emitted = ad.take_along_axis(
        log_probs, ad.broadcast_to(extended, (duration, batch, positions)), axis=2
    )
    uneven = duration > 0 and bool(ad.any(steps != duration))
    if uneven:  # what stands in the padding, NaN perhaps, must reach nothing
        counting = ad.expand_dims(ad.arange(duration), axis=1) < steps
        emitted = ad.masked(emitted, ad.expand_dims(counting, axis=2))
    # Skipping a blank is allowed between different labels: others cost infinity.
    different = (extended[:, 2:] != extended[:, :-2]) & (extended[:, 2:] != blank)
    skip = ad.where(different, 0.0, -ad.inf).astype(log_probs.dtype)
    # Before the first step the path stands on the first blank; two columns of zero
    # probability in front let all three shifts be slices.
    alpha = ad.where(ad.arange(positions + 2) == 2, 0.0, -ad.inf).astype(log_probs.dtype)
    alpha = ad.broadcast_to(alpha, (batch, positions + 2))
    nothing = ad.full((batch, 2), -ad.inf, dtype=log_probs.dtype)
    skip = ad.concat([nothing, skip], axis=1)[:, :positions]
    alphas = [alpha]
    for emission in ad.unstack(emitted):
        ways = [alpha[:, 2:], alpha[:, 1:-1], alpha[:, :-2] + skip]
        arrived = ad.logsumexp(ad.stack(ways), axis=0) + emission
        alpha = ad.concat([nothing, arrived], axis=1)
        alphas.append(alpha)
    if uneven:
        alpha = ad.stack(alphas)[steps, ad.arange(batch)]
    # The last blank or the last label; without labels that is column 1, of probability 0.
    last = ad.expand_dims(2 * counts + 2, axis=1)
    ends = ad.take_along_axis(alpha, ad.concat([last, last - 1], axis=1), axis=1)
    return ad.logsumexp(ends, axis=1)


def _prepared(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[ad.Tensor, ad.Tensor, ad.Tensor, ad.Tensor]:
    """Check everything; return (T, N, C) log-probabilities, (N, S) labels and both lengths."""
    names = ("log_probs", "targets")
    (x,) = operands("ctc_loss", log_probs, names=names[:1])
    y = ad.asarray(targets)
    what = describe_call("ctc_loss", [x, y], names)
    if y.size == 0 and y.dtype.kind == "f":  # an empty list has no integers to tell
        y = y.astype(ad.int64)
    if y.dtype.kind not in "iu":
        message = f"{what}: labels must be integers"
        raise ad.DTypeError(f"{message}. Cast them with targets.astype(autodiff.int64).")
    single = x.ndim == 2
    if x.ndim not in (2, 3):
        raise ad.ShapeError(f"{what}: give log-probabilities of shape (T, N, C) or (T, C).")
    x = ad.expand_dims(x, axis=1) if single else x
    duration, batch, classes = x.shape
    if not 0 <= blank < classes:
        message = f"{what}: blank is {blank}"
        raise ad.DomainError(f"{message}. Give one of the classes, 0 to {classes - 1}.")
    steps = _lengths(what, "input_lengths", input_lengths, batch, duration)
    concatenated = y.ndim == 1
    limit = y.shape[-1] if y.ndim else 0
    counts = _lengths(what, "target_lengths", target_lengths, batch, limit)
    if concatenated:
        y = _padded(what, y, counts)
    elif y.ndim != 2 or y.shape[0] != batch:
        message = f"{what}: the targets do not fit {batch} sequences"
        raise ad.ShapeError(f"{message}. Give labels (N, S), or all in a row.")
    valid = ad.arange(y.shape[1]) < ad.expand_dims(counts, axis=1)
    bad = valid & ((y < 0) | (y >= classes) | (y == blank))
    if bool(ad.any(bad)):
        label = y[bad].tolist()[0]
        message = f"{what}: the label {label} is the blank or none of the {classes} classes"
        raise ad.DomainError(f"{message}. Give others, from 0 to {classes - 1}.")
    longest = max(counts.tolist(), default=0)
    return x, ad.where(valid, y, blank)[:, :longest], steps, counts


def _lengths(what: str, name: str, value: Any, batch: int, limit: int) -> ad.Tensor:
    """Return lengths as (N,) integers; raise unless they are, within the limit."""
    lengths = ad.asarray(value)
    if lengths.size == 0:
        lengths = lengths.astype(ad.int64)
    if lengths.dtype.kind not in "iu":
        raise ad.DTypeError(f"{what}: {name} must be integers. Cast them with .astype(int).")
    if lengths.ndim == 0 and batch == 1:
        lengths = lengths.reshape(1)
    if lengths.shape != (batch,):
        message = f"{what}: {name} has the shape {lengths.shape}"
        raise ad.ShapeError(f"{message}. Give one length for each of {batch} sequences.")
    values = lengths.tolist()
    if min(values, default=0) < 0 or max(values, default=0) > limit:
        message = f"{what}: {name} is {values}"
        raise ad.DomainError(f"{message}. Give lengths from 0 to {limit}.")
    return lengths.astype(ad.int64)


def _padded(what: str, labels: ad.Tensor, counts: ad.Tensor) -> ad.Tensor:
    """Make rows of labels that stand one after the other."""
    ends = list(itertools.accumulate(counts.tolist(), initial=0))
    if ends[-1] != labels.shape[0]:
        message = f"{what}: target_lengths sum to {ends[-1]}"
        raise ad.ShapeError(f"{message}. Give lengths that sum to {labels.shape[0]}.")
    longest = max(counts.tolist(), default=0)
    index = ad.expand_dims(ad.asarray(ends[:-1]).astype(ad.int64), axis=1) + ad.arange(longest)
    return ad.take(labels, ad.minimum(index, max(0, labels.shape[0] - 1)).reshape(-1)).reshape(
        len(ends) - 1, longest
    )


class CTCLoss(Loss):
    r"""Connectionist temporal classification as a layer: :func:`ctc_loss`.

    .. math:: \ell = -\log \sum_{\text{alignments } \pi \text{ of } l} \prod_t y^t_{\pi_t}

    Parameters
    ----------
    blank, reduction, zero_infinity
        As of :func:`ctc_loss`.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> log_probs = ad.log_softmax(ad.zeros((1, 1, 2)))
    >>> impossible = nn.CTCLoss(zero_infinity=True)(log_probs, [[1, 1]], [1], [2])
    >>> impossible.item()
    0.0
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> ad.Tensor:
        """Return the loss."""
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
