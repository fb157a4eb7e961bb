"""Which operations lie together in a box: each call of a module, each scope that was entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Group", "group_operations"]

Scope = tuple[str, ...]


@dataclass(slots=True)
class Group:
    """One time that a scope was entered.

    Attributes
    ----------
    name : str
    parent : int
        The position of the group around it, -1 for none.
    members : list of int
        What lies directly in it.
    """

    name: str
    parent: int
    members: list[int] = field(default_factory=list)


def group_operations(scopes: Sequence[Scope]) -> tuple[list[Group], list[int]]:
    """Group operations, given in the order in which they ran, by their scopes.

    A group is a run of consecutive operations: so no edge leads from a later group back to an
    earlier one, and each can be drawn as one box. A scope that is entered again, be it at
    once (every entry makes a new tuple), gets a group of its own.

    Parameters
    ----------
    scopes : sequence of tuple of str

    Returns
    -------
    groups : list of Group
        Those around come before those inside.
    group_of : list of int
        Each operation's group, -1 for none.

    Examples
    --------
    >>> groups, group_of = group_operations([(), ("a",), ("a", "b"), ("a",), (), ("a",)])
    >>> [group.name for group in groups], group_of
    (['a', 'b', 'a'], [-1, 0, 1, 0, -1, 2])
    """
    groups: list[Group] = []
    group_of: list[int] = []
    opened: list[int] = []
    entered: dict[int, int] = {}  # the tuple that a group's own operations share
    for position, scope in enumerate(scopes):
        same = 0
        while same < min(len(opened), len(scope)) and groups[opened[same]].name == scope[same]:
            same += 1
        if same == len(scope) and scope and entered.get(opened[same - 1], id(scope)) != id(scope):
            same -= 1
        del opened[same:]
        for name in scope[same:]:
            groups.append(Group(name, opened[-1] if opened else -1))
            opened.append(len(groups) - 1)
        group_of.append(opened[-1] if opened else -1)
        if opened:
            entered.setdefault(opened[-1], id(scope))
            groups[opened[-1]].members.append(position)
    return groups, group_of
