"""A table of a model: its layers, what they give, their parameters and their work."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import autodiff as ad
from nn.calls import typed
from nn.module import Module, being_called, tree

__all__ = ["Summary", "SummaryRow", "summary"]

_WIDTH = 80


@dataclass(frozen=True)
class SummaryRow:
    """One module of a model.

    Attributes
    ----------
    path : str
        Its path; ``""`` for the model itself.
    label : str
        Its place in the tree, and its sizes.
    calls : int
        How often it was called.
    output : str
        The shape of its last output, or of each where there are several; ``""`` if it was
        not called.
    parameters : int
        The number of its parameters, and of those below it. One that several modules share
        counts in each of them.
    multiply_adds : int
        Those of matrix products (matmul, tensordot, einsum), its own and those below it, in
        all calls.
    """

    path: str
    label: str
    calls: int
    output: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class Summary:
    """What :func:`summary` returns; its text is the table.

    Attributes
    ----------
    rows : list of SummaryRow
        The model, and every module below it.
    parameters, frozen : int
        The number of parameters, and of those that need no gradient. Each counts once.
    nbytes : int
        The memory of parameters and buffers, in bytes.
    multiply_adds : int
        Those of the whole forward pass.
    """

    rows: list[SummaryRow]
    parameters: int
    frozen: int
    nbytes: int
    multiply_adds: int

    def __repr__(self) -> str:
        head = ("layer", "output", "parameters", "multiply-adds")
        cells = [
            (
                row.label,
                row.output + (f" × {row.calls}" if row.calls > 1 else ""),  # noqa: RUF001
                f"{row.parameters:,}" if row.parameters else "",
                f"{row.multiply_adds:,}" if row.multiply_adds else "",
            )
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [head, *cells]) for i in range(4)]
        free = _WIDTH - sum(widths[2:]) - 6  # two spaces between columns
        widths[1] = min(widths[1], max(len(head[1]), free - widths[0], free // 2))
        widths[0] = min(widths[0], free - widths[1])
        lines = [_line(line, widths) for line in [head, *cells]]
        rule = "─" * max(map(len, lines))
        frozen = f" ({self.frozen:,} frozen)" if self.frozen else ""
        totals = [
            f"{self.parameters:,} parameters{frozen}, {_memory(self.nbytes)} with buffers",
            f"{self.multiply_adds:,} multiply-adds in a forward pass",
        ]
        return "\n".join([lines[0], rule, *lines[1:], rule, *totals])


@typed
def summary(model: Module, *inputs: Any, **options: Any) -> Summary:
    """Call a model once, and tabulate what its modules give and cost.

    Multiply-adds are counted from the matrix products in the recorded graph, in whatever
    way a forward function is written; those inside ``no_grad`` and ``checkpoint`` leave no
    graph and do not count.

    Parameters
    ----------
    model : Module
    *inputs : Tensor or array_like
        What the model is called with.
    **options
        Options of the call.

    Returns
    -------
    Summary
        Its repr is the table, 80 columns wide.

    Notes
    -----
    The call is made in evaluation mode. Afterwards modes, buffers, gradients and the shared
    random generator are what they were.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.summary(nn.MLP([64, 32, 10]), ad.zeros((16, 64)))
    layer                 output    parameters  multiply-adds
    ─────────────────────────────────────────────────────────
    MLP                   (16, 10)       2,410         37,888
    ├─ 0: Linear(64, 32)  (16, 32)       2,080         32,768
    ├─ 1: ReLU            (16, 32)
    └─ 2: Linear(32, 10)  (16, 10)         330          5,120
    ─────────────────────────────────────────────────────────
    2,410 parameters, 9.4 KiB with buffers
    37,888 multiply-adds in a forward pass
    """
    if not isinstance(model, Module):
        message = f"summary: {type(model).__name__} is not a module"
        raise ad.DTypeError(f"{message}. Give an instance of nn.Module, and inputs for it.")
    shapes: dict[Module, str] = {}
    calls: Counter[Module] = Counter()
    work: Counter[Module] = Counter()

    def note(module: Module, args: tuple[Any, ...], output: Any) -> None:
        del args
        shapes[module] = _shape(output)
        calls[module] += 1

    def count(primitive: Any, values: Any, out: Any, options: Any, node: Any) -> None:
        del node
        amount = _multiply_adds(primitive.name, values, out, options)
        if amount:
            for module in set(being_called()):
                work[module] += amount

    with ExitStack() as stack:
        stack.enter_context(_unchanged(model))
        for module in model.modules():
            stack.enter_context(module.register_forward_hook(note))
        stack.enter_context(ad.enable_grad())
        stack.enter_context(ad.observe(count))
        _call(model, inputs, options)
    rows = [
        SummaryRow(path, label, calls[found], shapes.get(found, ""), size, work[found])
        for path, label, found, size in tree(model)
    ]
    parameters = list(model.parameters())
    return Summary(
        rows,
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if not p.requires_grad),
        sum(t.nbytes for t in [*parameters, *model.buffers()]),
        work[model],
    )


def _call(model: Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    try:
        model(*map(_traced, inputs), **options)
    except ad.AutodiffError as error:
        for given in inputs:
            if isinstance(given, tuple) and given and all(type(size) is int for size in given):
                message = f"summary: {given} is an input of shape ({len(given)},), which fails"
                raise ad.OptionError(
                    f"{message}: {error} Give an example array, not a shape: "
                    f"autodiff.zeros({given})."
                ) from error
        raise


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """Let a model be called in evaluation mode, all recorded, and leave no trace in it."""
    modes = {module: module.training for module in model.modules()}
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in modes
        for name, buffer in module.named_buffers(recurse=False)
    ]
    frozen = [p for p in model.parameters() if not p.requires_grad]
    state = ad.random.get_state()
    try:
        model.eval()
        for parameter in frozen:
            parameter.requires_grad_()
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        for module, mode in modes.items():
            module.training = mode
        for module, name, buffer, value in buffers:
            if getattr(module, name) is not buffer:
                setattr(module, name, buffer)
            if not bool(ad.all(buffer == value)):
                with ad.no_grad():
                    buffer.copy_(value)
        ad.random.set_state(state)


def _traced(value: Any) -> Any:
    """Return an input from which operations are recorded; what is no array stays as it is."""
    if isinstance(value, ad.Tensor) and value.dtype.kind == "f":
        return value.detach().requires_grad_()
    return value


def _multiply_adds(name: str, values: Any, out: Any, options: dict[str, Any]) -> int:
    if name == "matmul":
        return int(out.size * values[0].shape[-1])
    if name == "tensordot":
        # Each summed size is in both operands, each of the others in one of them and the result.
        return math.isqrt(out.size * values[0].size * values[1].size)
    if name == "einsum":
        terms, arrow, result = options["subscripts"].replace(" ", "").partition("->")
        sizes: dict[str, int] = {}
        for term, value in zip(terms.split(","), values, strict=True):
            before, _, after = term.partition("...")
            sizes.update(zip(before, value.shape, strict=False))
            sizes.update(zip(reversed(after), reversed(value.shape), strict=False))
        if not arrow:
            result = "".join(label for label in sizes if terms.count(label) == 1)
        summed = (size for label, size in sizes.items() if label not in result)
        return int(out.size * math.prod(summed)) if len(values) > 1 else 0
    return 0


def _shape(output: Any) -> str:
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        parts = [_shape(part) for part in output if part is not None]
        return ", ".join(part for part in parts if part)
    return str(tuple(output.shape)) if hasattr(output, "shape") else ""


def _line(cells: tuple[str, str, str, str], widths: list[int]) -> str:
    label, output = (
        cell if len(cell) <= width else cell[: width - 1] + "…"
        for cell, width in zip(cells[:2], widths[:2], strict=True)
    )
    row = f"{label:{widths[0]}}  {output:{widths[1]}}  {cells[2]:>{widths[2]}}  "
    return (row + f"{cells[3]:>{widths[3]}}").rstrip()


def _memory(nbytes: int) -> str:
    amount, unit = float(nbytes), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
