"""Distinct elements. Their number changes with the values, so they have no gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.namespace import Namespace
from autodiff.primitives.sorting import named_results

__all__ = ["unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


class UniqueAll(NamedTuple):
    """What :func:`unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What :func:`unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What :func:`unique_inverse` returns."""

    values: Any
    inverse_indices: Any


@primitive(name="unique_all")
def _unique_all(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """Distinct elements, where each is first, which of them each element is, and how often.

    Parameters
    ----------
    x : array_like
        Of any shape; it is read as if flattened. NaNs differ from each other.

    Returns
    -------
    values : (K,)
        Ascending.
    indices : (K,), integers
        Of the first occurrence of each value in the flattened ``x``.
    inverse_indices : shape of ``x``, integers
        ``values[inverse_indices]`` is ``x``.
    counts : (K,), integers

    Raises
    ------
    NoGradientError
        In a backward pass through the values. Read them at ``x[indices]`` instead.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.unique_all([3, 1, 3]).counts
    tensor([1, 2], dtype=int64)
    """
    return tuple(xp.unique_all(x))


unique_all = named_results(_unique_all, UniqueAll)


@composite
def unique_counts(xp: Namespace, x: Array, /) -> UniqueCounts:
    """Distinct elements, and how often each occurs; see :func:`unique_all`.

    Examples
    --------
    >>> import autodiff as ad
    >>> values, counts = ad.unique_counts([3, 1, 3])
    >>> values
    tensor([1, 3], dtype=int64)
    """
    values, _, _, counts = xp.unique_all(x)
    return UniqueCounts(values, counts)


@composite
def unique_inverse(xp: Namespace, x: Array, /) -> UniqueInverse:
    """Distinct elements, and which of them each element is; see :func:`unique_all`."""
    values, _, inverse, _ = xp.unique_all(x)
    return UniqueInverse(values, inverse)


@composite
def unique_values(xp: Namespace, x: Array, /) -> Array:
    """Distinct elements, ascending; see :func:`unique_all`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.unique_values([3, 1, 3])
    tensor([1, 3], dtype=int64)
    """
    return xp.unique_all(x)[0]


@composite
def unique(xp: Namespace, x: Array, /) -> Array:
    """Distinct elements, ascending: NumPy's name of :func:`unique_values`."""
    return xp.unique_values(x)
