# ruff: noqa: RUF001, RUF002 - the signs of mathematics are meant
"""The passes of a graph for a terminal: a line for every operation, forward and backward."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.draw.description import Description, Names, describe_graph
from autodiff.draw.expressions import expression, name_vertices, visible
from autodiff.draw.labels import number
from autodiff.draw.statistics import statistics
from autodiff.draw.steps import BackwardStep, Contribution, backward_steps, gradients
from autodiff.errors import typed_calls

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

__all__ = ["text"]

_WIDTH = 100
_MOST_ENTRIES = 3  # of an array that is written out
_LONGEST_ARRAY = 22

Row = tuple[str, str, str, str]


class Line(NamedTuple):
    """What there is to write of one contribution."""

    operation: str  # empty where the line above says it
    target: str
    sign: str
    rule: str
    upstream: Any
    contribution: Contribution


@typed_calls
def text(output: Tensor, names: Names | None = None) -> str:
    """Write out how a tensor was computed, and how its gradient comes about.

    The forward pass and then the backward pass, a line for every operation; in the backward
    pass ``upstream × local = contribution`` for each operand, with ``+=`` and the running sum
    where contributions meet. Arrays are written as shapes and norms where their numbers
    don't fit, with the rule as a formula.

    Parameters
    ----------
    output : Tensor
    names : mapping or iterable of pairs, optional
        Names for tensors: ``model.named_parameters()``.

    Returns
    -------
    str
        Lines of at most 100 characters.

    Raises
    ------
    GraphError
        If no operation was recorded for the tensor.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(2.0, requires_grad=True, name="x")
    >>> w = ad.tensor(-3.0, requires_grad=True, name="w")
    >>> with ad.record():
    ...     y = x * w + x
    >>> print(ad.draw.text(y))
    forward
      x                 = 2
      w                 = −3
      v1  = x × w       = −6
      out = v1 + x      = −4
    <BLANKLINE>
    backward              upstream × local = contribution
      v1 + x     dv1  =        1 ×  1 =  1               dout
                 dx   =        1 ×  1 =  1               dout
      x × w      dx  +=        1 × −3 = −3   sum −2      dv1 · w
                 dw   =        1 ×  2 =  2               dv1 · x
    <BLANKLINE>
    gradients
      dx = −2
      dw = 2
    """
    description = describe_graph(output, names)
    steps = backward_steps(output, description)
    called = name_vertices(description)
    parts = [_forward(description, called), _backward(description, called, steps)]
    parts.append(_gradients(description, called, steps))
    notes = _notes(description, steps)
    if output.shape:
        notes.insert(0, f"The result has shape {output.shape}: these are its sum's gradients.")
    return "\n\n".join("\n".join(part) for part in [*parts, notes] if part)


# -- forward ------------------------------------------------------------------------------


def _forward(description: Description, called: list[str]) -> list[str]:
    inputs: list[Row] = []
    computed: list[tuple[tuple[str, ...], Row]] = []
    several = _with_several_results(description)
    for i, vertex in enumerate(description.vertices):
        value = "" if i in several else _value(vertex.value, vertex.shape)
        if vertex.kind == "operation":
            said = expression(description, i, called)
            computed.append((vertex.scope, (called[i], "=", said, value)))
        elif vertex.operation == "leaf" or (vertex.kind == "constant" and vertex.name):
            inputs.append((called[i], "", "", value))
    rows = [*inputs, *(row for _, row in computed)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    widths[2] = min(widths[2], _WIDTH - widths[0] - widths[3] - 8)

    def line(name: str, sign: str, said: str, value: str) -> str:
        shown = f"  {name:{widths[0]}}"
        if computed:
            shown += f" {sign:1} {_cut(said, widths[2]):{widths[2]}}"
        return f"{shown} = {value}" if value else shown

    lines = [line(*row) for row in inputs]
    # What was computed in one scope is under its name.
    former: tuple[str, ...] = ()
    for scope, row in computed:
        if scope != former:
            lines.append(
                _cut(f"  in {visible(' / '.join(scope))}", _WIDTH) if scope else "  outside"
            )
        lines.append(line(*row))
        former = scope
    return ["forward", *_even(lines)]


def _with_several_results(description: Description) -> set[int]:
    """Return the operations whose results are picked out by operations of their own."""
    vertices = description.vertices
    picks = {i for i, v in enumerate(vertices) if v.kind == "operation" and v.operation == "output"}
    return {edge.source for edge in description.edges if edge.target in picks}


def _even(lines: list[str]) -> list[str]:
    return [line.rstrip()[:_WIDTH] for line in lines]


def _value(value: Any, shape: tuple[int, ...] | None) -> str:
    """Write a value: a number, a few numbers, or a shape and a norm."""
    if value is None:
        return "" if shape is None else ("?" if shape == () else f"{_shape(shape)}  ?")
    said = _inline(value)
    if said:
        return said
    whole = np.asarray(value).dtype.kind in "iub"
    return f"{_shape(np.shape(value))}  {np.asarray(value).dtype if whole else _norm(value)}"


def _shape(shape: tuple[int, ...]) -> str:
    return str(tuple(shape)).replace(" ", "")


def _inline(value: Any) -> str:
    """Write a number or a short array out; empty where it does not fit."""
    if value is None or isinstance(value, tuple):
        return ""
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array)
    if array.ndim > 1 or not 0 < array.size <= _MOST_ENTRIES:
        return ""
    written = f"[{', '.join(number(entry) for entry in array)}]"
    return written if len(written) <= _LONGEST_ARRAY else ""


def _norm(value: Any) -> str:
    """Write an array's Euclidean norm, and what is not finite in it."""
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(np.asarray(value).ravel()) if np.asarray(value).size else 0.0
    if 1e-15 < norm < 1e15:  # no square has overflowed, or vanished
        return f"‖{number(norm)}‖"
    found = statistics(value)
    bad = [f"{found.nans} NaN" if found.nans else "", f"{found.infinities} inf"]
    said = ", ".join(bad[: 1 + bool(found.infinities)]).strip(", ")
    return f"‖{number(found.norm)}‖{f' {said}' if said else ''}"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


# -- backward -----------------------------------------------------------------------------


def _backward(description: Description, called: list[str], steps: list[BackwardStep]) -> list[str]:
    """Write the steps with their numbers, or, where those don't fit, with rules and norms."""
    table: list[Line] = []
    for step in steps:
        operation = _briefly(expression(description, step.vertex, called), 22)
        for contribution in step.contributions:
            target = _cut(f"d{called[contribution.source]}", 18)
            sign = "=" if contribution.arrival == 1 else "+="
            rule = _named(contribution.rule, description, called, step)
            table.append(Line(operation, target, sign, rule, step.upstream, contribution))
            operation = ""
    if not table:
        return []
    lines = _with_numbers(table)
    if lines is None or max(map(len, lines)) > _WIDTH:
        lines = _with_rules(table)
    return lines


def _with_numbers(table: list[Line]) -> list[str] | None:
    """Write ``upstream × local = contribution`` in numbers; None where some don't fit."""
    cells: list[list[str]] = []
    for *_, upstream, contribution in table:
        written = [_inline(upstream), _inline(contribution.local), _inline(contribution.value)]
        if contribution.value is None:
            written = ["", "", "?"]
        elif not all(written):
            return None
        cells.append([*written, _running(contribution, _inline)])
    operations = max(len(row.operation) for row in table)
    targets = max(len(row.target) for row in table)
    up, local, value, running = (max(len(row[i]) for row in cells) for i in range(4))
    title = f"backward{' ' * max(2, operations + targets)}upstream × local = contribution"
    lines = [title]
    for (operation, target, sign, rule, *_), row in zip(table, cells, strict=True):
        times, equals = ("×", "=") if row[0] else (" ", " ")
        line = f"  {operation:{operations}}  {target:{targets}} {sign:>2} {row[0]:>{up}} {times}"
        line += f" {row[1]:>{local}} {equals} {row[2]:>{value}}"
        lines.append(f"{line}{f'  {row[3]:{running}}' if running else ''}   {rule}".rstrip())
    return lines


def _with_rules(table: list[Line]) -> list[str]:
    """Write each rule as a formula, and norms in place of arrays."""
    cells: list[list[str]] = []
    for *_, upstream, contribution in table:
        if contribution.value is None:
            cells.append(["", "", "?", ""])
            continue
        local = _scalar(contribution.local)
        both = local and _scalar(upstream) and _scalar(contribution.value)
        sign = f"× {local} =" if both else "→"
        ends = [_short(upstream), _short(contribution.value)]
        cells.append([ends[0], sign, ends[1], _running(contribution, _short)])
    up, between, value, running = (max(len(row[i]) for row in cells) for i in range(4))
    numbers = up + between + value + running + 2 + 2 * bool(running)
    operations = max(len(row.operation) for row in table)
    targets = max(len(row.target) for row in table)
    rules = max(len(row.rule) for row in table)
    spare = _WIDTH - numbers - targets - rules - 11
    operations = max(12, min(operations, operations + spare))
    rules = min(rules, _WIDTH - numbers - targets - operations - 11)
    head, tail = f"backward{' ' * (operations + targets)}rule", "upstream → contribution"
    lines = [f"{head:{max(len(head) + 2, operations + targets + rules + 9 + numbers - len(tail))}}"]
    lines[0] += tail
    for (operation, target, sign, rule, *_), row in zip(table, cells, strict=True):
        line = f"  {_briefly(operation, operations):{operations}}  {target:{targets}} {sign:>2} "
        line += f"{_cut(rule, rules):{rules}}  "
        line += f"{row[0]:>{up}} {row[1]:^{between}} {row[2]:>{value}}"
        lines.append(f"{line}{f'  {row[3]}' if row[3] else ''}".rstrip())
    return lines


def _running(contribution: Contribution, write: Callable[[Any], str]) -> str:
    """Write the running sum where a contribution meets others that came before."""
    if contribution.arrival == 1 or contribution.total is None:
        return ""
    return f"sum {write(contribution.total)}"


def _briefly(said: str, width: int) -> str:
    """Shorten an operation to the function's name, if it is too long."""
    name, opened, _ = said.partition("(")
    return said if len(said) <= width else _cut(f"{name}(…)" if opened and name else said, width)


def _scalar(value: Any) -> str:
    return "" if value is None or isinstance(value, tuple) or np.ndim(value) else number(value)


def _short(value: Any) -> str:
    """Write a number, an array's norm, or how many of several results have a gradient."""
    if isinstance(value, tuple):
        return f"{sum(part is not None for part in value)} of {len(value)}"
    return _scalar(value) or _norm(value)


_WORD = re.compile(r"(?<![A-Za-z_])(d?)([A-Za-z_][A-Za-z_0-9]*)")
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,11}|−?[0-9.]{1,8}")


def _named(rule: str, description: Description, called: list[str], step: BackwardStep) -> str:
    """Return a rule without what it computes, the names of tensors in place of operands."""
    formula, colon, shapes = rule.partition(" = ")[2].partition(" : ")
    known = {"y": called[step.vertex]}
    for edge in description.edges_into(step.vertex):
        vertex = description.vertices[edge.source]
        constant = vertex.kind == "constant" and vertex.value is not None and not vertex.shape
        known[edge.operand] = number(vertex.value) if constant else called[edge.source]
    known = {
        name: text for name, text in known.items() if _SIMPLE.fullmatch(text) and text != "constant"
    }

    def replaced(match: re.Match[str]) -> str:
        prefix, name = match.groups()
        if prefix and name == "y" and name in known:
            return f"d{known[name]}"
        whole = prefix + name
        return known.get(whole, whole)

    return f"{_WORD.sub(replaced, formula)}{colon}{shapes}"


# -- what came of it ----------------------------------------------------------------------


def _gradients(description: Description, called: list[str], steps: list[BackwardStep]) -> list[str]:
    found = gradients(steps)
    rows = []
    for i, vertex in enumerate(description.vertices):
        if vertex.kind == "output" and vertex.operation == "leaf":
            found[i] = np.ones(vertex.shape or ())
        elif vertex.kind != "leaf":
            continue
        if i in found:
            known = _inline(found[i]) or f"{_shape(np.shape(found[i]))}  {_norm(found[i])}"
        else:
            known = "?" if vertex.gradient is None else f"{_value(vertex.gradient, None)} (.grad)"
        rows.append((f"d{called[i]}", known))
    if not rows:
        return []
    width = max(len(name) for name, _ in rows)
    return ["gradients", *_even([f"  {name:{width}} = {value}" for name, value in rows])]


def _notes(description: Description, steps: list[BackwardStep]) -> list[str]:
    """Say once what is missing, and how to get it."""
    notes: dict[str, list[str]] = {}
    for step in steps:
        for said in (step.missing, step.note):
            if said and not said.startswith("its upstream"):
                notes.setdefault(said, []).append(step.operation)
    several = _with_several_results(description)
    vertices = enumerate(description.vertices)
    operations = [v for i, v in vertices if v.kind == "operation" and i not in several]
    unknown = sum(vertex.value is None for vertex in operations)
    lines = []
    if unknown:
        lines.append(
            f"? {unknown} of {len(operations)} values were not kept. "
            "Compute them inside `with autodiff.record():`."
        )
    for said, found in notes.items():
        where = found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more"
        lines.append(f"{where}: {said}")
    return [part for line in lines for part in textwrap.wrap(line, _WIDTH)]
