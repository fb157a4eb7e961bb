"""Nested dicts, lists and tuples of arrays, as functions take and return them.

A *tree* is a dict, list, tuple or named tuple of trees, or a leaf: anything else. None holds
nothing: it is a tree without leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

__all__ = ["flatten", "map_leaves", "rebuild"]


def flatten(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the leaves in order, each with its path as one would write it.

    Examples
    --------
    >>> flatten({"w": [1.0, 2.0], "b": None}, "p")
    [("p['w'][0]", 1.0), ("p['w'][1]", 2.0)]
    """
    if tree is None:
        return []
    if isinstance(tree, dict):
        items: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        items = enumerate(tree)
    else:
        return [(path, tree)]
    return [leaf for key, branch in items for leaf in flatten(branch, f"{path}[{key!r}]")]


def rebuild(tree: Any, leaves: Iterable[Any]) -> Any:
    """Return a tree of the same structure with other leaves, in the order of `flatten`.

    Examples
    --------
    >>> rebuild({"w": [1.0, 2.0], "b": None}, "xy")
    {'w': ['x', 'y'], 'b': None}
    """
    return _filled(tree, iter(leaves))


def _filled(tree: Any, leaves: Iterator[Any]) -> Any:
    if tree is None:
        return None
    if isinstance(tree, dict):
        filled = copy(tree)  # keeps an OrderedDict's or a defaultdict's type
        for key, branch in tree.items():
            filled[key] = _filled(branch, leaves)
        return filled
    if isinstance(tree, list | tuple):
        branches = [_filled(branch, leaves) for branch in tree]
        if isinstance(tree, list):
            return branches
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    return next(leaves)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree with every leaf replaced by ``function(leaf)``.

    Examples
    --------
    >>> map_leaves(str, (1, [2]))
    ('1', ['2'])
    """
    return rebuild(tree, [function(leaf) for _, leaf in flatten(tree)])
