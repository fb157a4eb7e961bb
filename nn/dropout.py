"""Dropout."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.checks import as_floats, check_probability
from nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    r"""Set each element to zero with probability ``p`` while training.

    .. math:: y = \frac{m \odot x}{1 - p}, \qquad m_i \sim \mathrm{Bernoulli}(1 - p)

    Units can't rely on each other any more, which regularises; training takes longer for it.
    What is kept is scaled up ("inverted dropout"), so that the mean stays and evaluation,
    where nothing is dropped, needs no correction. Srivastava et al., "Dropout: a simple way
    to prevent neural networks from overfitting", JMLR 2014.

    Parameters
    ----------
    p : float
        The probability of dropping an element, from 0 to 1.
    inplace : bool
        Taken as PyTorch's layer takes it; the input is never written into.
    generator : numpy.random.Generator, optional
        The source of randomness; at first the one that ``autodiff.random.seed`` sets.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> y = nn.Dropout(0.5)(ad.ones(1000))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    >>> nn.Dropout(0.5).eval()(ad.ones(2))
    tensor([1., 1.], dtype=float32)
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: Any = None) -> None:
        del inplace
        self.p = check_probability(self, "p", p)
        self.generator = generator

    def forward(self, x: Any) -> ad.Tensor:
        """Drop elements of ``x``; return it as it is in evaluation mode."""
        return dropout(as_floats(self, x), self.p, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p:g}"


@typed
def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> ad.Tensor:
    """Set each element to zero with probability ``p`` and scale the others by ``1 / (1 - p)``.

    Parameters
    ----------
    input : Tensor or array_like
    p : float
        From 0 to 1.
    training : bool
        Where False, the input is returned as it is.
    inplace : bool
        Taken as PyTorch's function takes it; the input is never written into.
    generator : numpy.random.Generator, optional

    Raises
    ------
    DomainError
        If ``p`` is no probability.

    Examples
    --------
    >>> import autodiff as ad
    >>> from nn.functional import dropout
    >>> dropout(ad.ones(3), 1.0)
    tensor([0., 0., 0.], dtype=float32)
    """
    del inplace
    p = check_probability("dropout", "p", p)
    x = as_floats("dropout", input)
    if not training or p == 0:
        return x
    kept = ad.random.bernoulli(1 - p, x.shape, dtype=x.dtype, generator=generator)
    if 0 < p < 1:
        kept *= 1 / (1 - p)  # the mask is new, and no gradient flows to it
    return x * kept
