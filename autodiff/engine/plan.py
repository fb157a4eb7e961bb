"""From the names that rules read: what a node keeps, and how each rule is called with it.

A :class:`Plan` is compiled once for each primitive and each set of operands that need a
gradient. With ``multiply``'s rules ``(xp, g, x2)`` and ``(xp, g, x1)``, a product in which
only the first factor needs a gradient keeps the second factor and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from autodiff.engine.definition import Primitive

__all__ = ["Plan", "Rule", "facts_of"]

_FACTS = {"shape": (), "strides": None}
"""What a rule may ask of an operand (``x_shape``) without keeping the array, and what it is told
where the operand, a Python number or another library's array, has no such attribute."""


def facts_of(operand: str) -> set[str]:
    """Return the names by which a rule asks for what is known of an operand without its array."""
    return {f"{operand}_{fact}" for fact in _FACTS}


class Rule(NamedTuple):
    """A vector-Jacobian product for one argument, and the names of what it reads."""

    argument: str
    function: Callable[..., Any]
    reads: tuple[str, ...]


class Plan:
    """What nodes of one primitive keep and run when a given set of operands needs gradients.

    Attributes
    ----------
    primitive : Primitive
    reads : tuple of str
        The names of what ``keep`` returns, in order.
    keep : callable or None
        ``keep(*operands, out, options)`` is the tuple that a node saves; None for nothing.
        (Variadic operands are given as one sequence.)
    steps : tuple of (int, callable)
        For each operand that needs a gradient: its position, and its rule as
        ``call(xp, g, saved)``.
    saves_arrays : bool
        Whether operands or the result are kept, beside facts and options: only then is
        there something to free after a backward pass.
    adder : callable or None
        Where the first operand alone needs a gradient and the primitive says how to add it in
        place: ``adder(xp, total, g, saved)``.
    missing : tuple of int
        The positions, of those in ``steps``, whose rule was never declared: it raises.
    """

    __slots__ = ("adder", "keep", "missing", "primitive", "reads", "saves_arrays", "steps")

    def __init__(self, primitive: Primitive, mask: tuple[bool, ...]) -> None:
        self.primitive = primitive
        rules = [(i, primitive.rule(i)) for i, wanted in enumerate(mask) if wanted]
        own = {"position"} if primitive.variadic else set()
        reads: list[str] = []
        for _, rule in rules:
            reads += [name for name in rule.reads if name not in reads and name not in own]
        self.reads = tuple(reads)
        self.keep = _compile_keep(primitive, reads) if reads else None
        self.saves_arrays = any(name == "out" or name in primitive.arrays for name in reads)
        self.missing = tuple(i for i, rule in rules if rule.argument not in primitive.rules)
        self.steps = tuple((i, _compile_call(rule, reads, i)) for i, rule in rules)
        self.adder: Callable[..., Any] | None = None
        if primitive.adder is not None and [i for i, _ in rules] == [0]:
            names = tuple(inspect.signature(primitive.adder).parameters)[3:]
            self.adder = _compile_call(Rule("", primitive.adder, names), reads, 0, "total, g")


# Both functions below write a lambda out as source, as dataclasses and named tuples do for
# their methods: ``lambda x1, x2, out, options: (x2, )``. Compiled, it runs several times
# faster than a loop that looks each name up, and it runs for every operation.


def _compile_keep(primitive: Primitive, reads: list[str]) -> Callable[..., tuple[Any, ...]]:
    arrays = primitive.arrays
    sources = {"out": "out"}
    sources |= {name: f"options[{name!r}]" for name in primitive.options}
    sources |= {name: name for name in arrays}
    for fact, default in _FACTS.items():
        ask = f"getattr({{}}, {fact!r}, {default})"
        each = f"tuple([{ask.format('x')} for x in {{}}])" if primitive.variadic else ask
        sources |= {f"{name}_{fact}": each.format(name) for name in arrays}
    kept = "".join(f"{sources[name]}, " for name in reads)
    text = f"lambda {', '.join(arrays)}, out, options: ({kept})"
    return eval(text)  # type: ignore[no-any-return] # noqa: S307


def _compile_call(
    rule: Rule, reads: list[str], position: int, gradients: str = "g"
) -> Callable[..., Any]:
    arguments = [
        f"saved[{reads.index(name)}]" if name in reads else str(position) for name in rule.reads
    ]
    text = ", ".join(["xp", gradients, *arguments])
    return eval(f"lambda xp, {gradients}, saved: rule({text})", {"rule": rule.function})  # type: ignore[no-any-return] # noqa: S307
