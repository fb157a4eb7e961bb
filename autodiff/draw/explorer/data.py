"""Everything that the explorer's page shows, as plain data for its JSON."""

from __future__ import annotations

import math
from typing import Any
from weakref import ref

import numpy as np

from autodiff.draw.description import Names, describe_graph, pairs_of
from autodiff.draw.explorer.arrays import Shown, number, show
from autodiff.draw.explorer.comparison import compare
from autodiff.draw.explorer.gradients import check_rules, group_gradients, time_series
from autodiff.draw.explorer.problems import find_problems
from autodiff.draw.explorer.scene import Box, Scene, build_scene, leaf_path
from autodiff.draw.steps import BackwardStep, backward_steps, gradients
from autodiff.engine.node import Handle, Leaf

__all__ = ["page_data"]

_CELLS = 1_200_000
"""How many entries of heatmaps a page has at most, each of them four thirds of a byte."""


def page_data(
    output: Handle,
    other: Handle | None = None,
    names: Names | None = None,
    *,
    gradcheck: bool = False,
    title: str | None = None,
) -> dict[str, Any]:
    """Return what the page shows of the graph that computed a tensor.

    Parameters
    ----------
    output : Tensor
    other : Tensor, optional
        Another graph to compare with.
    names : mapping or iterable of pairs, optional
        Names for tensors. Parameters among them that are no part of the graph are problems.
    gradcheck : bool
        Whether to check every operation's own rule against finite differences.
    title : str, optional

    Returns
    -------
    dict
        For :func:`json.dumps`.
    """
    pairs = pairs_of(names)
    description = describe_graph(output, pairs)
    scene = build_scene(description)
    count = max(1, 2 * len(scene.boxes))
    side = int(min(32, max(8, math.isqrt(_CELLS // count))))
    steps = backward_steps(output, description, keep=_keeper(side))
    for vertex, gradient in gradients(steps).items():
        if isinstance(gradient, Shown):  # and no tuple of several results
            scene.boxes[scene.box_of[vertex]].gradient = gradient
    _fill_leaves(scene, pairs)
    root = next(box for box in reversed(scene.boxes) if box.output)
    if steps and isinstance(steps[0].upstream, Shown):
        root.gradient = steps[0].upstream
    values = [_value(box, side) for box in scene.boxes]
    for box in scene.boxes:
        if box.gradient is None and box.vertex.gradient is not None:
            box.gradient = show(box.vertex.gradient, side)
    rules: dict[str, int] = {}
    boxes = [_box(box, value) for box, value in zip(scene.boxes, values, strict=True)]
    data: dict[str, Any] = {
        "title": title or root.name or "computation graph",
        "boxes": boxes,
        "groups": [
            {"name": name, "parent": group.parent, **found}
            for name, group, found in zip(
                scene.names(), scene.groups, group_gradients(scene), strict=True
            )
        ],
        "forward": [i for i, box in enumerate(scene.boxes) if box.kind == "operation"],
        "backward": [_step(scene, step, rules) for step in steps],
        "series": time_series(scene),
        "problems": find_problems(scene, values, steps, _unreached(output, pairs)),
        "missing": _missing(scene, values, steps),
    }
    data["rules"] = list(rules)
    shown = [value for value in (*values, *(box.gradient for box in scene.boxes)) if value]
    data["cut"] = {"arrays": sum(bool(value.cut) for value in shown), "of": len(shown)}
    data["cut"]["side"] = side
    if gradcheck:
        data["check"] = check_rules(output, scene)
    if other is not None:
        compare(data, scene, values, other, pairs, side)
    return data


def _keeper(side: int) -> Any:
    """Return what summarises arrays, each once for as long as there is one.

    A value and a total are often the same array; and the members of several results, which
    stand in every total, arrive one by one.
    """
    known: dict[int, tuple[Any, Shown]] = {}

    def keep(array: Any) -> Shown:
        key = id(array)
        if key not in known:
            # A number can have no weak reference, and takes no space.
            weak = isinstance(array, np.ndarray)
            held = ref(array, lambda _: known.pop(key, None)) if weak else array
            known[key] = held, show(array, side)
        return known[key][1]

    return keep


def _fill_leaves(scene: Scene, pairs: list[Any]) -> None:
    """Give leaves the values of the named tensors that they are: a graph alone has them not.

    What is named on purpose is called just that.
    """
    arrays = {tensor.node.number: tensor.array for _, tensor in pairs if tensor.node is not None}
    for box in scene.boxes:
        box.given = box.vertex.number in arrays
        if box.kind == "leaf" and box.vertex.value is None:
            box.vertex.value = arrays.get(box.vertex.number or -1)


def _value(box: Box, side: int) -> Shown | None:
    value = box.vertex.value
    if value is None or isinstance(value, tuple):
        return None
    return show(value, side)


def _box(box: Box, value: Shown | None) -> dict[str, Any]:
    vertex = box.vertex
    found: dict[str, Any] = {
        "kind": box.kind,
        "op": vertex.operation,
        "name": box.name,
        "group": box.group,
        "sources": [[source, operand] for source, operand in box.sources],
        "shape": None if vertex.shape is None else list(vertex.shape),
        "dtype": vertex.dtype,
        "scope": list(vertex.scope),
    }
    if box.kind == "leaf" and (path := leaf_path(box)) != box.name:
        found["path"] = path
    if box.output:
        found["output"] = True
    if vertex.source is not None:
        found["line"] = [vertex.source.file, vertex.source.line, vertex.source.text]
    if vertex.options:
        found["options"] = ", ".join(f"{k}={_brief(v)}" for k, v in vertex.options.items())
    if value is not None:
        found["value"] = value.encode()
    if isinstance(box.gradient, Shown):
        found["gradient"] = box.gradient.encode()
        accumulated = vertex.gradient
        if box.kind == "leaf" and accumulated is not None:
            stored = show(accumulated, 8).statistics
            if not math.isclose(stored.norm, box.gradient.statistics.norm, rel_tol=1e-4):
                found["stored"] = number(stored.norm)
    return found


def _brief(value: Any) -> str:
    text = f"array {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _step(scene: Scene, step: BackwardStep, rules: dict[str, int]) -> dict[str, Any]:
    """Return a backward step; its contributions as lists, since there are many."""
    contributions = [
        [
            scene.box_of[c.source],
            c.operand,
            rules.setdefault(c.rule, len(rules)),
            _digest(c.local),
            _digest(c.value),
            _digest(c.total),
            c.arrival,
            c.arrivals,
        ]
        for c in step.contributions
    ]
    found = {"box": scene.box_of[step.vertex], "up": _digest(step.upstream), "to": contributions}
    if step.missing:
        found["missing"] = step.missing
    if step.note:
        found["note"] = step.note
    return found


def _digest(shown: Any) -> Any:
    """Return a number as it is, an array as its norm in a list; None for what is not known."""
    if not isinstance(shown, Shown):
        return None
    if shown.statistics.shape == ():
        return shown.exact
    odd = shown.statistics.nans + shown.statistics.infinities
    return [number(shown.statistics.norm), odd] if odd else [number(shown.statistics.norm)]


def _missing(
    scene: Scene, values: list[Shown | None], steps: list[BackwardStep]
) -> dict[str, Any] | None:
    """Say what was not recorded, and how to get it."""
    # Several results have no value of their own: each is a box, which has.
    several = {source for box in scene.boxes if _is_part(box) for source, _ in box.sources}
    without = sum(value is None and i not in several for i, value in enumerate(values))
    broken = [step for step in steps if step.missing]
    if not without and not broken:
        return None
    return {
        "values": without,
        "steps": len(broken),
        "why": broken[0].missing if broken else "",
    }


def _is_part(box: Box) -> bool:
    return box.vertex.operation == "output"


def _unreached(output: Handle, pairs: list[Any]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the named tensors that want a gradient, but that the output does not depend on."""
    reached = set()
    waiting: list[Any] = [output.node]
    while waiting:
        node = waiting.pop()
        if id(node) not in reached:
            reached.add(id(node))
            waiting.extend(parent for parent in node.inputs if parent is not None)
    return [
        (str(name), tensor.node.shape)
        for name, tensor in pairs
        if isinstance(tensor.node, Leaf) and id(tensor.node) not in reached
    ]
