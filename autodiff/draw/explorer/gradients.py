"""Gradients beyond single operations: by module, by time step, and checked rule by rule."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from autodiff.checking.locate import check_operation
from autodiff.draw.explorer.arrays import Shown, number
from autodiff.draw.explorer.scene import Scene
from autodiff.engine.backward import collect
from autodiff.engine.node import Handle

__all__ = ["check_rules", "group_gradients", "time_series"]


def _norm(scene: Scene, members: list[int]) -> float | None:
    """Return the norm of several boxes' gradients together; None where none is known."""
    found = [
        gradient.statistics
        for member in members
        if isinstance(gradient := scene.boxes[member].gradient, Shown)
    ]
    if not found:
        return None
    if any(each.nans or each.infinities for each in found):
        return math.nan
    return math.hypot(*(each.norm for each in found))


def _inside(scene: Scene) -> list[list[int]]:
    """Return the boxes that lie in each group, however deep."""
    found: list[list[int]] = [[] for _ in scene.groups]
    for i, box in enumerate(scene.boxes):
        for group in scene.chain(box.group):
            found[group].append(i)
    return found


def group_gradients(scene: Scene) -> list[dict[str, Any]]:
    """Return for each group the norms of the gradients of its results and its parameters.

    Its results are what others take from it: their gradient is what arrives at the group.
    """
    inside = _inside(scene)
    results: list[set[int]] = [set() for _ in scene.groups]
    for box in scene.boxes:
        own = set(scene.chain(box.group))
        for source, _ in box.sources:
            for group in scene.chain(scene.boxes[source].group):
                if group not in own and scene.boxes[source].kind == "operation":
                    results[group].add(source)
    for i, box in enumerate(scene.boxes):
        if box.output:
            for group in scene.chain(box.group):
                results[group].add(i)
    found = []
    for members, out in zip(inside, results, strict=True):
        leaves = [i for i in members if scene.boxes[i].kind == "leaf"]
        shapes = [scene.boxes[i].vertex.shape or () for i in leaves]
        found.append(
            {
                "results": sorted(out),
                "arriving": number(_norm(scene, sorted(out))),
                "parameters": sum(math.prod(shape) for shape in shapes),
                "received": number(_norm(scene, leaves)),
            }
        )
    return found


_DIGITS = re.compile(r"\d+")


def time_series(scene: Scene) -> list[dict[str, Any]]:
    """Return runs of groups that do the same again and again: time steps, stacked blocks.

    Groups of one parent whose names differ in numbers only, at least three of them.
    """
    runs: dict[tuple[int, str], list[int]] = {}
    for i, group in enumerate(scene.groups):
        runs.setdefault((group.parent, _DIGITS.sub("#", group.name)), []).append(i)
    return [
        {"name": _kind(name), "groups": members}
        for (_, name), members in runs.items()
        if len(members) >= 3
    ]


def _kind(name: str) -> str:
    """Name what is numbered: "layers.#: Block" are Blocks, "step #" are steps."""
    kind = name.partition("#: ")[2] or name
    return kind.replace("#", "").strip(" .:_-[]()") or "step"


def check_rules(output: Handle, scene: Scene) -> dict[str, Any]:
    """Check every operation's own rule against finite differences.

    Returns
    -------
    dict
        ``boxes``: for each box ``[verdict, text]``, where the verdict is ``"right"``,
        ``"wrong"`` or ``"unchecked"``, None for tensors.
    """
    numbers = {box.vertex.number: i for i, box in enumerate(scene.boxes) if box.sources}
    verdicts: list[Any] = [None] * len(scene.boxes)
    for node in collect([output.node] if output.node is not None else []):
        place = numbers.get(node.number)
        if place is None or scene.boxes[place].kind != "operation":
            continue
        recorded = None if node.notes is None else node.notes.recorded
        if node.plan.primitive.name == "output":
            verdicts[place] = ["unchecked", "It only hands on one of several results."]
        elif recorded is None:
            verdicts[place] = ["unchecked", "It was not computed inside autodiff.record()."]
        else:
            verdicts[place] = _verdict(node, recorded)
    return {"boxes": verdicts}


def _verdict(node: Any, recorded: Any) -> list[str]:
    with np.errstate(all="ignore"):
        checked, guilty = check_operation(
            node, recorded.operands, recorded.out, recorded.options, recorded.saved
        )
    if guilty:
        text = "; ".join(
            f"d{each.operand}: the rule says {each.computed:.6g}, differences {each.expected:.6g}"
            for each in guilty
        )
        return ["wrong", f"{text} (along a random direction)"]
    if not checked:
        return ["unchecked", "No operand is a floating array."]
    return ["right", f"The rules of {', '.join(checked)} agree with finite differences."]
