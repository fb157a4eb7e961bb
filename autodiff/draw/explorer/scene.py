"""The graph as the page has it: one box for an operation and its result, in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autodiff.draw.description import Description, Vertex
from autodiff.draw.explorer.groups import Group, group_operations

__all__ = ["Box", "Scene", "build_scene"]


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
    """

    vertex: Vertex
    name: str | None
    sources: list[tuple[int, str]] = field(default_factory=list)
    group: int = -1
    output: bool = False
    gradient: Any = None

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


def _deepest_common(chains: Sequence[list[int]]) -> int:
    deepest = -1
    for level in zip(*chains, strict=False):
        if len(set(level)) > 1:
            break
        deepest = level[0]
    return deepest


def _dissolve(scene: Scene) -> None:
    """Take away groups of one member, around which a frame would say nothing new."""
    groups = scene.groups
    members = [0] * len(groups)
    for box in scene.boxes:
        if box.group >= 0:
            members[box.group] += 1
    for i in reversed(range(len(groups))):  # those inside come after those around
        if groups[i].parent >= 0:
            members[groups[i].parent] += members[i]
    kept = [i for i, count in enumerate(members) if count > 1]
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
