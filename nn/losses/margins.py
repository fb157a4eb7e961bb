"""Losses that are 0 once a margin is kept."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.losses.loss import Loss, check_reduction, describe_call, operands, reduced, same_shapes

__all__ = [
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "MultiMarginLoss",
    "TripletMarginLoss",
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "multi_margin_loss",
    "triplet_margin_loss",
]


@typed
def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean"
) -> ad.Tensor:
    r"""Distances that should be small for like pairs and beyond a margin for unlike ones.

    .. math:: \ell = \begin{cases} x & y = 1 \\ \max(0, m - x) & y = -1 \end{cases}, \qquad
       \frac{\partial \ell}{\partial x} = \begin{cases} 1 & y = 1 \\ -[x < m] & y = -1
       \end{cases}

    Parameters
    ----------
    input : Tensor
        Distances, of any shape.
    target : Tensor or array_like
        1 or -1, of the same shape.
    margin : float
        The margin m.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError
        If the shapes differ.
    DomainError
        If a target is neither 1 nor -1.

    Examples
    --------
    >>> import nn
    >>> nn.hinge_embedding_loss([0.25, 0.25], [1, -1], reduction="none").tolist()
    [0.25, 0.75]
    """
    check_reduction("hinge_embedding_loss", reduction)
    with ad.name_scope("hinge_embedding_loss"):
        x, y = same_shapes("hinge_embedding_loss", input, target)
        like = _like("hinge_embedding_loss", y)
        return reduced(ad.where(like, x, ad.relu(margin - x)), reduction)


@typed
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean"
) -> ad.Tensor:
    r"""Vectors that should point the same way for like pairs, and not for unlike ones.

    .. math:: \ell = \begin{cases} 1 - c & y = 1 \\ \max(0, c - m) & y = -1 \end{cases},
       \qquad c = \frac{a \cdot b}{\lVert a \rVert \lVert b \rVert}, \qquad
       \frac{\partial c}{\partial a} = \frac{1}{\lVert a \rVert} \left(
       \frac{b}{\lVert b \rVert} - c\, \frac{a}{\lVert a \rVert}\right)

    Parameters
    ----------
    input1, input2 : Tensor
        The vectors a and b, ``(N, D)`` or ``(D,)``.
    target : Tensor or array_like
        1 or -1, ``(N,)`` or ``()``.
    margin : float
        The margin m, from -1 to 1.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DomainError
        If a target is neither 1 nor -1.

    Notes
    -----
    1e-12 is added to both squared norms: the cosine with a vector of zeros is 0.

    Examples
    --------
    >>> import nn
    >>> a, b = [[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]]
    >>> nn.cosine_embedding_loss(a, b, [1, -1], reduction="none").tolist()
    [1.0, 1.0]
    """
    name, names = "cosine_embedding_loss", ("input1", "input2", "target")
    check_reduction(name, reduction)
    with ad.name_scope(name):
        a, b, y = operands(name, input1, input2, target, names=names)
        if a.ndim not in (1, 2) or a.shape != b.shape or y.shape != a.shape[:-1]:
            what = describe_call(name, [a, b, y], names)
            message = f"{what}: the shapes do not fit"
            raise ad.ShapeError(f"{message}. Give vectors (N, D) twice and targets (N,).")
        squares = (ad.vecdot(a, a) + 1e-12) * (ad.vecdot(b, b) + 1e-12)
        cosine = ad.vecdot(a, b) / ad.sqrt(squares)
        like = _like(name, y)
        return reduced(ad.where(like, 1 - cosine, ad.relu(cosine - margin)), reduction)


@typed
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    *,
    reduction: str = "mean",
) -> ad.Tensor:
    r"""Hinge of several classes: the target's score above all others by a margin [1]_.

    .. math:: \ell = \frac{w_y}{C} \sum_{i \ne y} \max(0, m - x_y + x_i)^p

    The gradient of :math:`x_i` is, for p = 1, :math:`w_y / C` wherever the margin is not
    kept; the target's is minus their sum.

    Parameters
    ----------
    input : Tensor
        Scores, ``(N, C)`` or ``(C,)``.
    target : Tensor or array_like
        Class indices, ``(N,)`` or ``()``.
    p : {1, 2}
        The power.
    margin : float
        The margin m.
    weight : Tensor or array_like, optional
        ``(C,)``, a factor w for each class.
    reduction : {"mean", "sum", "none"}
        The mean is over N, also with weights.

    Raises
    ------
    OptionError
        For another power.
    ShapeError
        If the shapes do not fit.
    DTypeError
        If the target has no integers.
    DomainError
        If a class index is out of range.

    References
    ----------
    .. [1] K. Crammer and Y. Singer, "On the algorithmic implementation of multiclass
       kernel-based vector machines", JMLR 2 (2001).

    Examples
    --------
    >>> import nn
    >>> nn.multi_margin_loss([0.5, 1.0, 0.0, 0.0], 1).item()
    0.125
    """
    name, names = "multi_margin_loss", ("input", "target", "weight")
    check_reduction(name, reduction)
    if p not in (1, 2):
        raise ad.OptionError(f"{name}: p is {p!r}. Give 1 or 2.")
    with ad.name_scope(name):
        (x,) = operands(name, input, names=("input",))
        y = ad.asarray(target)
        what = describe_call(name, [x, y], names)
        if x.ndim not in (1, 2) or y.shape != x.shape[:-1]:
            message = f"{what}: the shapes do not fit"
            raise ad.ShapeError(f"{message}. Give scores (N, C) and class indices (N,).")
        if y.dtype.kind not in "iu":
            message = f"{what}: class indices must be integers"
            raise ad.DTypeError(f"{message}. Cast them with target.astype(autodiff.int64).")
        classes = x.shape[-1]
        if bool(ad.any((y < 0) | (y >= classes))):
            message = f"{what}: a label is not one of the {classes} classes"
            raise ad.DomainError(f"{message}. Give labels from 0 to {classes - 1}.")
        index = ad.expand_dims(y, axis=-1)
        own = ad.take_along_axis(x, index, axis=-1)
        short = ad.masked(ad.relu(margin - own + x), ad.arange(classes) != index)
        losses = ad.sum(short if p == 1 else ad.square(short), axis=-1) / classes
        if weight is not None:
            _, w = operands(name, x, weight, names=("input", "weight"))
            if w.shape != (classes,):
                message = f"{describe_call(name, [x, y, w], names)}: the weight does not fit"
                raise ad.ShapeError(f"{message}. Give one for each of the {classes} classes.")
            losses = losses * ad.take(w, y.reshape(-1)).reshape(y.shape)
        return reduced(losses, reduction)


@typed
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> ad.Tensor:
    r"""Hinge of distances: an anchor nearer to a like vector than to an unlike one [1]_.

    .. math:: \ell = \max(0, d(a, b) - d(a, n) + m), \qquad
       d(a, b) = \lVert a - b + \epsilon \rVert_p

    Where the margin is not kept the gradient pulls the like vector towards the anchor and
    pushes the unlike one away, each by the gradient of its distance.

    Parameters
    ----------
    anchor, positive, negative : Tensor
        The vectors a, b and n, ``(N, D)`` or ``(D,)``.
    margin : float
        The margin m, above 0.
    p : float
        The order of the norm.
    eps : float
        Added to each difference, as PyTorch does: it keeps the norm's gradient finite.
    swap : bool
        Take the distance of positive and negative where that is less than the anchor's.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError
        If the shapes differ.

    References
    ----------
    .. [1] V. Balntas et al., "Learning local feature descriptors with triplets and shallow
       convolutional neural networks", BMVC 2016.

    Examples
    --------
    >>> import nn
    >>> round(nn.triplet_margin_loss([0.0, 0.0], [0.0, 3.0], [4.0, 0.0]).item(), 4)
    0.0
    """
    name, names = "triplet_margin_loss", ("anchor", "positive", "negative")
    check_reduction(name, reduction)
    with ad.name_scope(name):
        a, b, n = operands(name, anchor, positive, negative, names=names)
        if not a.ndim or not a.shape == b.shape == n.shape:
            message = f"{describe_call(name, [a, b, n], names)}: the shapes differ"
            raise ad.ShapeError(f"{message}. Give three arrays of vectors, (N, D).")

        def distance(x: ad.Tensor, y: ad.Tensor) -> ad.Tensor:
            return ad.linalg.vector_norm(x - y + eps, ord=p, axis=-1)

        away = distance(a, n)
        if swap:
            away = ad.minimum(away, distance(b, n))
        return reduced(ad.relu(distance(a, b) - away + margin), reduction)


def _like(operation: str, target: ad.Tensor) -> ad.Tensor:
    """Return where the target is 1; raise DomainError where it is neither 1 nor -1."""
    if bool(ad.any(ad.abs(target.detach()) != 1)):
        message = f"{operation}: a target is neither 1 nor -1"
        raise ad.DomainError(f"{message}. Give 1 for like and -1 for unlike pairs.")
    like: ad.Tensor = target.detach() == 1
    return like


class HingeEmbeddingLoss(Loss):
    r"""Distances of like and unlike pairs: :func:`hinge_embedding_loss` as a layer.

    .. math:: \ell = \begin{cases} x & y = 1 \\ \max(0, m - x) & y = -1 \end{cases}

    Parameters
    ----------
    margin, reduction
        As of :func:`hinge_embedding_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.HingeEmbeddingLoss(margin=2.0)([0.5], [-1]).item()
    1.5
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    r"""Cosines of like and unlike pairs: :func:`cosine_embedding_loss` as a layer.

    .. math:: \ell = \begin{cases} 1 - c & y = 1 \\ \max(0, c - m) & y = -1 \end{cases},
       \qquad c = \frac{a \cdot b}{\lVert a \rVert \lVert b \rVert}

    Parameters
    ----------
    margin, reduction
        As of :func:`cosine_embedding_loss`.

    Examples
    --------
    >>> import nn
    >>> nn.CosineEmbeddingLoss()([[1.0, 0.0]], [[0.0, 1.0]], [1]).item()
    1.0
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class MultiMarginLoss(Loss):
    r"""The multi-class hinge: :func:`multi_margin_loss` as a layer.

    .. math:: \ell = \frac{w_y}{C} \sum_{i \ne y} \max(0, m - x_y + x_i)^p

    Parameters
    ----------
    p, margin, weight, reduction
        As of :func:`multi_margin_loss`; a weight is a buffer.

    Examples
    --------
    >>> import nn
    >>> nn.MultiMarginLoss(p=2)([[0.5, 0.5]], [1]).item()
    0.5
    """

    weight: ad.Tensor | None

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        if p not in (1, 2):
            raise ad.OptionError(f"MultiMarginLoss: p is {p!r}. Give 1 or 2.")
        self.p, self.margin = p, margin
        self.register_buffer("weight", None if weight is None else ad.asarray(weight))

    def forward(self, input: Any, target: Any) -> ad.Tensor:
        """Return the loss."""
        return multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class TripletMarginLoss(Loss):
    r"""Distances to a like and an unlike vector: :func:`triplet_margin_loss` as a layer.

    .. math:: \ell = \max(0, d(a, b) - d(a, n) + m), \qquad
       d(a, b) = \lVert a - b + \epsilon \rVert_p

    Parameters
    ----------
    margin, p, eps, swap, reduction
        As of :func:`triplet_margin_loss`.

    Examples
    --------
    >>> import nn
    >>> round(nn.TripletMarginLoss()([[0.0, 0.0]], [[0.0, 3.0]], [[3.0, 0.0]]).item(), 4)
    1.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> ad.Tensor:
        """Return the loss."""
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )
