"""The graph as the page has it: one box for an operation and its result, in groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autodiff.draw.description import Description, Vertex
from autodiff.draw.explorer.groups import Group, group_operations
from autodiff.draw.explorer.repeats import longest_repeat

__all__ = ["Box", "Scene", "build_scene", "leaf_path", "module_path"]


@dataclass(slots=True)
class Box:
    """A leaf, a constant, or an operation together with its result.

    Attributes
    ----------
    vertex : Vertex
        The operation's, or the tensor's.
    name : str or None
        The tensor's, be it an operation's result.
    sources : list of (int, str)
        The boxes that it takes, and as which operands.
    group : int
        -1 for none.
    output : bool
        Whether it is what was explored.
    gradient : Shown, array or None
        The gradient of the pass that the page shows.
    given : bool
        Whether the name is one that was given for the drawing: a path as it is.
    """

    vertex: Vertex
    name: str | None
    sources: list[tuple[int, str]] = field(default_factory=list)
    group: int = -1
    output: bool = False
    gradient: Any = None
    given: bool = False

    @property
    def kind(self) -> str:
        """``"operation"``, ``"leaf"`` or ``"constant"``."""
        operation = self.vertex.operation
        return operation if operation in ("leaf", "constant") else "operation"


@dataclass(slots=True)
class Scene:
    """Boxes in forward order, groups of them, and each vertex's box."""

    boxes: list[Box]
    groups: list[Group]
    box_of: list[int]

    def chain(self, group: int) -> list[int]:
        """Return the groups around and with one, outermost first."""
        found = []
        while group >= 0:
            found.append(group)
            group = self.groups[group].parent
        return found[::-1]

    def names(self) -> list[str]:
        """Return the groups' names; those of one name in one place are numbered."""
        count: dict[tuple[int, str], int] = {}
        names = []
        for group in self.groups:
            key = (group.parent, group.name)
            names.append(f"{group.name} [{count.get(key, 0)}]")
            count[key] = count.get(key, 0) + 1
        return [
            name if count[group.parent, group.name] > 1 else group.name or "(no name)"
            for name, group in zip(names, self.groups, strict=True)
        ]


_SUBMODULE = re.compile(r"([\w.\[\]-]+): \w+")  # "layers.0: Linear" is such a module's scope


def module_path(scopes: Sequence[str]) -> str:
    """Return a module's path in its model, from the scopes that it was called in.

    Examples
    --------
    >>> module_path(["MLP", "layers.0: Block", "linear: Linear"])
    'layers.0.linear'
    """
    return ".".join(found[1] for scope in scopes if (found := _SUBMODULE.fullmatch(scope)))


def leaf_path(box: Box) -> str | None:
    """Return a parameter's name with its module's path, None for what has no name."""
    name = box.name
    if name is None or box.group < 0 or box.given or "." in name:
        return name
    around = module_path(box.vertex.scope)
    return f"{around}.{name}" if around else name


def build_scene(description: Description) -> Scene:
    """Return a description with each operation's result in the operation's own box."""
    vertices = description.vertices
    made_by = {edge.target: edge.source for edge in description.edges}
    boxes: list[Box] = []
    box_of: list[int] = []
    constants: dict[int, int] = {}
    for i, vertex in enumerate(vertices):
        former = made_by.get(i)
        if vertex.kind in ("result", "output") and former is not None:
            box = boxes[box_of[former]]
            box.name, box.output = vertex.name or box.name, vertex.kind == "output"
            if box.vertex.value is None:
                box.vertex.value = vertex.value
            if box.vertex.gradient is None:
                box.vertex.gradient = vertex.gradient
            box_of.append(box_of[former])
            continue
        if vertex.kind == "constant" and vertex.shape and vertex.value is not None:
            if id(vertex.value) in constants:  # one array, used in several places
                box_of.append(constants[id(vertex.value)])
                continue
            constants[id(vertex.value)] = len(boxes)
        box_of.append(len(boxes))
        boxes.append(Box(vertex, vertex.name, output=vertex.kind == "output"))
    for edge in description.edges:
        source, target = box_of[edge.source], box_of[edge.target]
        if source != target:
            boxes[target].sources.append((source, edge.operand))
    scene = Scene(boxes, [], box_of)
    _group(scene)
    return scene


def _group(scene: Scene) -> None:
    boxes = scene.boxes
    operations = [i for i, box in enumerate(boxes) if box.kind == "operation"]
    groups, group_of = group_operations([boxes[i].vertex.scope for i in operations])
    for i, group in zip(operations, group_of, strict=True):
        boxes[i].group = group
    scene.groups = groups
    _fold_repeats(scene)
    users: list[list[int]] = [[] for _ in boxes]
    for i, box in enumerate(boxes):
        for source, _ in box.sources:
            users[source].append(i)
    for i, box in enumerate(boxes):
        # A weight lies in its layer; named arrays without a gradient are data: outside.
        if box.kind == "leaf" or (box.kind == "constant" and not (box.vertex.shape and box.name)):
            chains = [scene.chain(boxes[user].group) for user in users[i]]
            box.group = _deepest_common(chains)
    _dissolve(scene)


def _fold_repeats(scene: Scene) -> None:
    """Put what is done again and again, a recurrent layer's time steps, into groups of its own.

    Many layers run their steps without a scope for each.
    """
    children: dict[int, list[tuple[int, bool]]] = {}  # of each group: boxes, and groups, in order
    seen: set[int] = set()
    for i, box in enumerate(scene.boxes):
        if box.kind != "operation":
            continue
        chain = scene.chain(box.group)
        children.setdefault(box.group, []).append((i, False))
        for around, inner in zip([-1, *chain], chain, strict=False):
            if inner not in seen:
                seen.add(inner)
                children.setdefault(around, []).append((inner, True))
    for around, found in children.items():
        words = [
            ("group", scene.groups[i].name)
            if is_group
            else (scene.boxes[i].vertex.operation, scene.boxes[i].vertex.shape)
            for i, is_group in found
        ]
        start, period, times = longest_repeat(words)
        if period < 4 or times < 3 or period * times < 0.6 * len(words):
            continue
        if len(set(words[start : start + period])) < 3:
            continue
        for step in range(times):
            scene.groups.append(Group(f"step {step}", around))
            begin = start + step * period
            for i, is_group in found[begin : begin + period]:
                if is_group:
                    scene.groups[i].parent = len(scene.groups) - 1
                else:
                    scene.boxes[i].group = len(scene.groups) - 1


def _deepest_common(chains: Sequence[list[int]]) -> int:
    deepest = -1
    for level in zip(*chains, strict=False):
        if len(set(level)) > 1:
            break
        deepest = level[0]
    return deepest


def _dissolve(scene: Scene) -> None:
    """Take away groups of one member, around which a frame would say nothing new.

    Those around come before those inside, in the order of what they hold.
    """
    groups = scene.groups
    members = [0] * len(groups)
    order: dict[int, None] = {}
    for box in scene.boxes:
        for group in scene.chain(box.group):
            members[group] += 1
            order[group] = None
    kept = [i for i in order if members[i] > 1]
    place = {group: k for k, group in enumerate(kept)}

    def survivor(group: int) -> int:
        while group >= 0 and group not in place:
            group = groups[group].parent
        return place.get(group, -1)

    for box in scene.boxes:
        box.group = survivor(box.group)
    scene.groups = [Group(groups[i].name, survivor(groups[i].parent)) for i in kept]
    for i, box in enumerate(scene.boxes):
        if box.group >= 0:
            scene.groups[box.group].members.append(i)
