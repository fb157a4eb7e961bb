"""The next token, drawn from a language model's logits."""

from __future__ import annotations

import math
from typing import Any

import autodiff as ad
from nn.checks import check_size

__all__ = ["check_sampling", "sample"]

_COLDEST = 1e-200
"""Lower temperatures draw the same, the likeliest; but quotients would overflow."""


def check_sampling(owner: str, temperature: Any, top_k: Any, top_p: Any) -> None:
    """Raise unless the three numbers are in their ranges."""
    if not isinstance(temperature, (int, float)) or not 0 <= temperature < math.inf:
        message = f"{owner}: temperature is {temperature!r}"
        raise ad.DomainError(f"{message}. Give 0 (the likeliest token) or more.")
    if top_k is not None:
        check_size(owner, "top_k", top_k, least=1)
    if top_p is not None and not (isinstance(top_p, (int, float)) and 0 < top_p <= 1):
        message = f"{owner}: top_p is {top_p!r}"
        raise ad.DomainError(f"{message}. Give a probability above 0, up to 1.")


def sample(
    logits: ad.Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Any = None,
) -> ad.Tensor:
    r"""Draw an index for each row of logits from :math:`\mathrm{softmax}(x / \tau)`.

    Parameters
    ----------
    logits : (N, V)
    temperature : float
        The :math:`\tau`: towards 0 the likeliest alone, and exactly that at 0.
    top_k : int, optional
        Draw from the ``k`` likeliest alone.
    top_p : float, optional
        Draw from the likeliest alone, as few as together have at least this probability [1]_
        (after ``temperature`` and ``top_k``).
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor
        ``(N,)`` integers.

    Notes
    -----
    The largest of the logits plus Gumbel noise is a draw from their softmax: there is no sum
    to form and no bin to search.

    References
    ----------
    .. [1] A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020.
    """
    if temperature == 0:
        return ad.argmax(logits, axis=-1)
    ranked = ad.astype(logits, ad.float64) / max(temperature, _COLDEST)
    order = None
    if top_k is not None or top_p is not None:
        order = ad.argsort(logits, axis=-1, descending=True)[:, :top_k]
        ranked = ad.take_along_axis(ranked, order, axis=-1)
    if top_p is not None:
        probabilities = ad.softmax(ranked)
        before = ad.cumsum(probabilities, axis=-1) - probabilities
        ranked = ad.where(before < top_p, ranked, -ad.inf)
    noise = ad.random.exponential(size=ranked.shape, dtype=ranked.dtype, generator=generator)
    drawn = ad.argmax(ranked - ad.log(noise), axis=-1)
    if order is None:
        return drawn
    found = ad.take_along_axis(order, ad.expand_dims(drawn, axis=-1), axis=-1)
    return ad.squeeze(found, axis=-1)
