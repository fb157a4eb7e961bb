"""What is wrong with a graph: found, explained, and traced back to where it began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.draw.explorer.arrays import Shown
from autodiff.draw.explorer.scene import Scene, leaf_path, module_path
from autodiff.draw.steps import BackwardStep

__all__ = ["find_problems"]

_VANISHED = 1e-4  # of the median of what comes after it
_VANISHED_END = 1e-6  # without weights: of the largest
_EXPLODED = 1e6
"""Ratios of gradients' norms beyond which they are reported."""

_STAGES = 3  # so many stages between large and vanished make a decay of it

_HUGE = 1e4  # an entry of a gradient that is too large for any step size
_DEAD = ("relu", "relu6", "maximum", "hardsigmoid", "hardtanh", "clip")
_MOST_NAMED = 6


def find_problems(
    scene: Scene,
    values: Sequence[Shown | None],
    steps: Sequence[BackwardStep],
    unreached: Sequence[tuple[str, tuple[int, ...]]],
) -> list[dict[str, Any]]:
    """Return the problems of a graph, the gravest first.

    Returns
    -------
    list of dict
        ``kind``, ``title``, ``text``; ``boxes`` where it is; ``path`` from the box where it
        began to where it was seen, for numbers that are not finite.
    """
    return [
        *_not_finite_values(scene, values),
        *_not_finite_gradients(scene, steps),
        *_extreme_gradients(scene, steps),
        *_unreached(scene, unreached),
        *_dead_units(scene, values),
    ]


def _odd(shown: Any) -> str:
    if isinstance(shown, tuple):  # the gradients of several results
        return next((word for part in shown if (word := _odd(part))), "")
    if not isinstance(shown, Shown):
        return ""
    if shown.statistics.nans:
        return "NaN"
    return "infinity" if shown.statistics.infinities else ""


def _label(scene: Scene, box: int) -> str:
    found = scene.boxes[box]
    made = found.vertex.operation if found.kind == "operation" else found.kind
    name = leaf_path(found) if found.kind == "leaf" else found.name
    return f"{made} ({name})" if name else made


def _problem(kind: str, title: str, text: str, boxes: list[int], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "title": title, "text": text, "boxes": boxes, **more}


def _not_finite_values(scene: Scene, values: Sequence[Shown | None]) -> list[dict[str, Any]]:
    """Find where a NaN or an infinity comes into the forward pass."""
    odd = [_odd(value) for value in values]
    origins = [
        i
        for i, word in enumerate(odd)
        if word
        and not any(odd[source] for source, _ in scene.boxes[i].sources)
        # An infinite constant is meant: a mask, for example.
        and scene.boxes[i].kind != "constant"
    ]
    targets = _targets(scene)
    found = []
    for origin in origins[:_MOST_NAMED]:
        end, path = origin, [origin]
        seen = {origin}
        while True:
            onward = [t for t in targets[end] if odd[t] and t not in seen]
            if not onward:
                break
            end = onward[-1]
            seen.add(end)
            path.append(end)
        where = _label(scene, origin)
        text = f"{where} is the first operation with a result that holds {odd[origin]}"
        if scene.boxes[origin].kind == "leaf":
            text = f"The tensor {where} itself holds {odd[origin]}"
        text += ": its operands are finite." if scene.boxes[origin].kind == "operation" else "."
        if len(path) > 1:
            text += f" From there it runs through {len(path) - 1} more, to {_label(scene, end)}."
        title = f"{odd[origin]} in the forward pass"
        boxes = [i for i, word in enumerate(odd) if word]
        found.append(_problem("nonfinite", title, text, boxes, path=path, began=origin))
    return found


def _targets(scene: Scene) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in scene.boxes]
    for i, box in enumerate(scene.boxes):
        for source, _ in box.sources:
            if i not in found[source]:
                found[source].append(i)
    return found


def _not_finite_gradients(scene: Scene, steps: Sequence[BackwardStep]) -> list[dict[str, Any]]:
    """Find the operations whose rule makes a NaN or an infinity from a finite upstream."""
    found: list[dict[str, Any]] = []
    for step in steps:
        if _odd(step.upstream):
            continue
        for c in step.contributions:
            word = _odd(c.value)
            if not word or len(found) >= _MOST_NAMED:
                continue
            place, target = scene.box_of[step.vertex], scene.box_of[c.source]
            path = [place, target]
            while True:  # on to where it ends, against the forward direction
                onward = [
                    source
                    for source, _ in scene.boxes[path[-1]].sources
                    if _odd(scene.boxes[source].gradient) and source not in path
                ]
                if not onward:
                    break
                path.append(onward[0])
            made = _label(scene, place)
            text = (
                f"The gradient that arrives at {made} is finite; what its rule for "
                f"{c.operand} makes of it holds {word}. It reaches {_label(scene, path[-1])}."
            )
            boxes = [i for i, box in enumerate(scene.boxes) if _odd(box.gradient)]
            title = f"{word} in the backward pass"
            found.append(
                _problem("nonfinite", title, text, [place, *boxes], path=path, began=place)
            )
            break
    return found


def _extreme_gradients(scene: Scene, steps: Sequence[BackwardStep]) -> list[dict[str, Any]]:
    """Find gradients that have vanished or exploded on the way back."""
    del steps
    known: list[tuple[float, float, int]] = []
    for i, box in enumerate(scene.boxes):
        if box.kind != "operation":
            continue
        if isinstance(box.gradient, Shown) and not _odd(box.gradient):
            stats = box.gradient.statistics
            size = max(abs(stats.minimum or 0.0), abs(stats.maximum or 0.0))
            entries = max(1, int(np.prod(stats.shape)))
            known.append((stats.norm / entries**0.5, size, i))
    typical = [rms for rms, _, _ in known if rms > 0]
    found = _vanished(scene)
    middle = float(np.median(typical)) if typical else 0.0
    exploded = [
        i for rms, size, i in known if size > _HUGE and (rms > _EXPLODED * middle or size > 1e6)
    ]
    if exploded:
        text = (
            f"{_places(scene, exploded)} entries of the gradient are beyond {_HUGE:g} "
            f"(median root mean square: {middle:.2g})."
        )
        found.append(_problem("exploding", "Exploding gradient", text, exploded))
    return found


def _vanished(scene: Scene) -> list[dict[str, Any]]:
    """Find gradients that decay step by step on the way back, until next to none is left.

    By the weights of one layer after the other, or, where there are few, by operations. One
    that is tiny beside large ones has not vanished: its terms cancel, as those of a bias
    before a batch norm or a softmax do by their nature, up to rounding.
    """
    layers = _layers(scene)
    if len(layers) > _STAGES + 1:
        norms = [max(_gradient_norm(scene, i) for i in boxes) for boxes in layers.values()]
        later = [float(np.median(norms[k + 1 :])) for k in range(len(norms) - _STAGES)]
        low = [
            k
            for k, middle in enumerate(later)
            if norms[k] < _VANISHED * middle and _decays(norms[k], norms[k + 1 :])
        ]
        if not low:
            return []
        names = list(layers)
        said = ", ".join(names[k] for k in low[:_MOST_NAMED])
        if len(low) > _MOST_NAMED:
            said += f" and {len(low) - _MOST_NAMED} more"
        text = (
            f"The gradient of the weights of {said} has a norm of only {norms[low[0]]:.2g}"
            f"{'' if len(low) == 1 else f' to {norms[low[-1]]:.2g}'} (largest of the layers after: "
            f"{max(norms[low[0] + 1 :]):.2g}): it shrinks from layer to layer on the way back, "
            "so that these hardly learn."
        )
        boxes = [i for k in low for i in layers[names[k]]]
        return [_problem("vanishing", "Vanishing gradient", text, boxes)]
    operations = [
        i
        for i, box in enumerate(scene.boxes)
        if box.kind == "operation" and _gradient_norm(scene, i) > 0
    ]
    sizes = [_gradient_norm(scene, i) for i in operations]
    vanished = [
        i
        for i, size in zip(operations, sizes, strict=True)
        if size < _VANISHED_END * max(sizes) and _decays(size, sizes)
    ]
    if not vanished:
        return []
    text = (
        f"{_places(scene, vanished)} the gradient's norm is below a millionth of the largest "
        f"({max(sizes):.2g}): it shrinks from operation to operation on the way back, so that "
        "what comes before hardly learns."
    )
    return [_problem("vanishing", "Vanishing gradient", text, vanished)]


def _decays(size: float, others: list[float]) -> bool:
    """Return whether it goes down to a size in several stages, none of them most of the way."""
    logs = np.log10([size, *(other for other in others if other > size)])
    logs.sort()
    gaps = np.diff(logs)
    stages = int((gaps > np.log10(2)).sum())
    return stages > _STAGES and bool(gaps.max() < 0.5 * (logs[-1] - logs[0]))


def _gradient_norm(scene: Scene, box: int) -> float:
    gradient = scene.boxes[box].gradient
    if not isinstance(gradient, Shown) or _odd(gradient):
        return 0.0
    return float(gradient.statistics.norm)


def _layers(scene: Scene) -> dict[str, list[int]]:
    """Return each layer's weights that have a gradient, in forward order; biases are none."""
    found: list[tuple[int, str, int]] = []
    for i, (box, users) in enumerate(zip(scene.boxes, _targets(scene), strict=True)):
        path = leaf_path(box) or ""
        around, _, name = path.rpartition(".")
        if box.kind == "leaf" and "bias" not in name and users and _gradient_norm(scene, i) > 0:
            found.append((min(users), around or path or "a tensor", i))
    layers: dict[str, list[int]] = {}
    for _, name, i in sorted(found):
        layers.setdefault(name, []).append(i)
    return layers


def _group_path(scene: Scene, group: int) -> str:
    """Return a module's path; what has none by its name, as the page shows it."""
    names = scene.names()
    return module_path([scene.groups[i].name for i in scene.chain(group)]) or names[group]


def _inside(scene: Scene, box: int) -> str:
    group = scene.boxes[box].group
    return f" in {_group_path(scene, group)}" if group >= 0 else ""


def _places(scene: Scene, boxes: list[int]) -> str:
    """Say where operations are: by their modules, or outside of all, one by one."""
    groups = [scene.boxes[box].group for box in boxes]
    outside = [_label(scene, box) for box, group in zip(boxes, groups, strict=True) if group < 0]
    inside = dict.fromkeys(_group_path(scene, group) for group in groups if group >= 0)
    words = [*inside, *outside]
    more = len(words) - _MOST_NAMED
    said = ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    count = len(boxes)
    operations = f"{count} operations" if count > 1 else "an operation"
    return f"At {operations}, in {said}," if inside else f"At {said}"


def _several(scene: Scene, boxes: list[int]) -> str:
    names = [_label(scene, box) for box in boxes[:_MOST_NAMED]]
    more = len(boxes) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _unreached(
    scene: Scene, unreached: Sequence[tuple[str, tuple[int, ...]]]
) -> list[dict[str, Any]]:
    """Find parameters without a gradient: outside of the graph, or all zeros."""
    found = []
    if unreached:
        names = ", ".join(f"{name} {shape}" for name, shape in unreached[:_MOST_NAMED])
        more = len(unreached) - _MOST_NAMED
        text = f"No path leads from them to the output: {names}" + (
            f" and {more} more." if more > 0 else "."
        )
        count = len(unreached)
        title = f"{count} parameter{'s' if count > 1 else ''} outside of the graph"
        found.append(_problem("unreached", title, text, []))
    zero = [
        i
        for i, box in enumerate(scene.boxes)
        if box.kind == "leaf"
        and isinstance(box.gradient, Shown)
        and box.gradient.statistics.zeros == 1.0
    ]
    if zero:
        text = f"The gradient is zero in every entry: {_several(scene, zero)}."
        count = len(zero)
        title = f"{count} parameter{'s' if count > 1 else ''} that no gradient reached"
        found.append(_problem("unreached", title, text, zero))
    return found


def _dead_units(scene: Scene, values: Sequence[Shown | None]) -> list[dict[str, Any]]:
    """Find units that are zero for every example: columns of an activation's result."""
    found: list[tuple[int, int, int, int]] = []  # box, dead units, units, examples
    for i, (box, value) in enumerate(zip(scene.boxes, values, strict=True)):
        if box.vertex.operation not in _DEAD or value is None:
            continue
        shape = value.statistics.shape
        if len(shape) < 2 or value.statistics.zeros == 0 or shape[-1] == 0:
            continue
        rows = np.asarray(box.vertex.value).reshape(-1, shape[-1])
        dead = int((rows == 0).all(axis=0).sum())
        if dead and len(rows) > 1:
            found.append((i, dead, shape[-1], len(rows)))
    if not found:
        return []
    parts = [
        f"{dead} of {units} units of {_label(scene, i)}{_inside(scene, i)} "
        f"for all {examples} examples"
        for i, dead, units, examples in found[:_MOST_NAMED]
    ]
    if len(found) > _MOST_NAMED:
        parts.append(f"and of {len(found) - _MOST_NAMED} more operations")
    text = f"They are 0 for every example, so that no gradient passes: {'; '.join(parts)}."
    count = sum(dead for _, dead, _, _ in found)
    title = f"{count} dead unit{'s' if count > 1 else ''}"
    return [_problem("dead", title, text, [i for i, *_ in found])]
