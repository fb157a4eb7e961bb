"""Two graphs side by side in one: what both have, what differs, what only one has."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

import numpy as np

from autodiff.draw.description import describe_graph
from autodiff.draw.explorer.arrays import Shown, number, show
from autodiff.draw.explorer.scene import Box, Scene, build_scene
from autodiff.draw.steps import backward_steps, gradients
from autodiff.engine.node import Handle

__all__ = ["compare"]

_TOLERANCE = 1e-6


def compare(
    data: dict[str, Any],
    scene: Scene,
    values: list[Shown | None],
    other: Handle,
    names: list[Any],
    side: int,
) -> None:
    """Mark in the page's data what differs from another graph, whose own boxes are added.

    Boxes are matched in order, by operation, name, scope and shape. Each box of the data gets
    ``difference``: a list whose first member is ``"same"``, ``"differs"``, ``"first"`` (only
    the first graph has it) or ``"second"``, the second a text.
    """
    description = describe_graph(other, names)
    second = build_scene(description)
    steps = backward_steps(other, description, keep=lambda array: show(array, side))
    for vertex, gradient in gradients(steps).items():
        if isinstance(gradient, Shown):
            second.boxes[second.box_of[vertex]].gradient = gradient
    keys = [[_key(box) for box in each.boxes] for each in (scene, second)]
    matcher = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    partner: dict[int, int] = {}
    for one, two, size in matcher.get_matching_blocks():
        partner.update((two + i, one + i) for i in range(size))
    _match_rest(keys, partner)
    for box in data["boxes"]:
        box["difference"] = ["first", "Only the first graph has it."]
    for theirs, ours in partner.items():
        data["boxes"][ours]["difference"] = _difference(
            scene.boxes[ours], second.boxes[theirs], values[ours], side, data["boxes"][ours]
        )
    _add_rest(data, scene, second, partner, side)


def _key(box: Box) -> tuple[Any, ...]:
    vertex = box.vertex
    return (box.kind, vertex.operation, box.name, vertex.scope, vertex.shape)


def _match_rest(keys: list[list[Any]], partner: dict[int, int]) -> None:
    """Match tensors that were left, by name: leaves come in the order of their making."""
    taken = set(partner.values())
    free: dict[Any, list[int]] = {}
    for i, key in enumerate(keys[0]):
        if i not in taken and key[0] == "leaf":
            free.setdefault((key[0], key[2], key[4]), []).append(i)
    for i, key in enumerate(keys[1]):
        found = free.get((key[0], key[2], key[4]))
        if i not in partner and found:
            partner[i] = found.pop(0)


def _difference(
    ours: Box, theirs: Box, value: Shown | None, side: int, encoded: dict[str, Any]
) -> list[Any]:
    parts = []
    other = theirs.vertex.value
    if value is not None and other is not None and not isinstance(other, tuple):
        apart = _apart(ours.vertex.value, other)
        if apart:
            parts.append(f"value: {apart}")
            encoded["other"] = {"value": show(other, side).encode()}
    mine, its = ours.gradient, theirs.gradient
    if isinstance(mine, Shown) and isinstance(its, Shown):
        a, b = mine.statistics.norm, its.statistics.norm
        samples = mine.sample is not None and its.sample is not None
        apart = _apart(mine.sample, its.sample) if samples else ""
        if mine.exact is not None and its.exact is not None and not samples:
            apart = _apart(mine.exact, its.exact)
        if not apart and abs(a - b) > _TOLERANCE * max(abs(a), abs(b)):
            apart = f"norms {a:.4g} and {b:.4g}"
        if apart:
            parts.append(f"gradient: {apart}")
            encoded.setdefault("other", {})["gradient"] = its.encode()
    if ours.vertex.dtype != theirs.vertex.dtype:
        parts.append(f"dtype: {ours.vertex.dtype} and {theirs.vertex.dtype}")
    if not parts:
        return ["same", "Both graphs agree here."]
    return ["differs", "; ".join(parts)]


def _apart(one: Any, two: Any) -> str:
    """Say by how much two arrays differ, relative to their size; empty where they agree."""
    try:
        a, b = np.asarray(one, np.complex128), np.asarray(two, np.complex128)
    except (TypeError, ValueError):
        return ""
    if a.shape != b.shape:
        return f"shapes {a.shape} and {b.shape}"
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return ""
    with np.errstate(all="ignore"):
        most = float(abs(a - b).max())
        scale = float(max(abs(a).max(), abs(b).max()))
    if most <= _TOLERANCE * scale:
        return ""
    return f"differ by up to {number(float(f'{most:.3g}'))}"


def _common(scene: Scene, one: int, two: int) -> int:
    """Return the innermost group that holds both groups, -1 for none."""
    found = -1
    for a, b in zip(scene.chain(one), scene.chain(two), strict=False):
        if a != b:
            break
        found = a
    return found


def _add_rest(
    data: dict[str, Any], scene: Scene, second: Scene, partner: dict[int, int], side: int
) -> None:
    """Add the boxes that only the second graph has, behind its edges to matched ones.

    What is added goes into the groups of the first graph that are open both before and after
    it: so groups stay runs of consecutive operations, and no edge leads back into one.
    """
    place = dict(partner)
    near = -1
    for i, box in enumerate(second.boxes):
        if i in partner:
            near = scene.boxes[partner[i]].group if box.kind == "operation" else near
            continue
        place[i] = len(data["boxes"])
        vertex = box.vertex
        after = next(
            (
                scene.boxes[partner[j]].group
                for j in range(i + 1, len(second.boxes))
                if j in partner and second.boxes[j].kind == "operation"
            ),
            -1,
        )
        added: dict[str, Any] = {
            "kind": box.kind,
            "op": vertex.operation,
            "name": box.name,
            "group": _common(scene, near, after),
            "sources": [],
            "shape": None if vertex.shape is None else list(vertex.shape),
            "dtype": vertex.dtype,
            "scope": list(vertex.scope),
            "difference": ["second", "Only the second graph has it."],
        }
        if vertex.source is not None:
            added["line"] = [vertex.source.file, vertex.source.line, vertex.source.text]
        if vertex.value is not None and not isinstance(vertex.value, tuple):
            added["value"] = show(vertex.value, side).encode()
        if isinstance(box.gradient, Shown):
            added["gradient"] = box.gradient.encode()
        data["boxes"].append(added)
    for i, box in enumerate(second.boxes):
        target = data["boxes"][place[i]]
        known = {source for source, _ in target["sources"]}
        for source, operand in box.sources:
            if place[source] not in known:
                target["sources"].append([place[source], operand, "second"])
