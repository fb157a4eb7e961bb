"""Numbers that say how well a model does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autodiff as ad
from nn.calls import typed

__all__ = ["Means", "accuracy"]


@typed
def accuracy(outputs: Any, targets: Any) -> ad.Tensor:
    """Return the share of targets that the outputs predict.

    Parameters
    ----------
    outputs : Tensor of shape (N, C), (N, C, ...) or (N, ..., C), or that of the targets
        Scores of the classes (logits or probabilities), the largest of which is the
        prediction. Of two classes the logit alone may be given, with the targets' shape: above
        0 predicts 1.
    targets : Tensor of shape (N,) or (N, ...)
        Class indices.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.accuracy(ad.tensor([[2.0, 1.0], [0.0, 3.0]]), ad.tensor([0, 0])).item()
    0.5
    """
    x, y = ad.asarray(outputs).detach(), ad.asarray(targets).detach()
    if x.shape == y.shape:
        found = x > 0
    elif x.ndim == y.ndim + 1 and x.shape[:1] + x.shape[2:] == y.shape:
        found = ad.argmax(x, axis=1)
    elif x.ndim == y.ndim + 1 and x.shape[:-1] == y.shape:
        found = ad.argmax(x, axis=-1)
    else:
        message = f"accuracy: outputs {ad.errors.describe(x)}, targets {ad.errors.describe(y)}"
        raise ad.ShapeError(
            f"{message}. Give scores of shape (N, C) and class indices of shape (N,)."
        )
    return ad.mean((found == y).astype(ad.float32))


class Means:
    """Running means of named numbers, each weighted: exact sums, which a file can hold."""

    def __init__(self, sums: Mapping[str, Any] | None = None) -> None:
        self._sums = {name: list(pair) for name, pair in (sums or {}).items()}

    def add(self, name: str, value: float, weight: float) -> None:
        """Add a number."""
        pair = self._sums.setdefault(name, [0.0, 0.0])
        pair[0] += value * weight
        pair[1] += weight

    def values(self) -> dict[str, float]:
        """Return the means."""
        return {name: total / weight for name, (total, weight) in self._sums.items() if weight}

    def state_dict(self) -> dict[str, list[float]]:
        """Return the sums and weights."""
        return {name: list(pair) for name, pair in self._sums.items()}
