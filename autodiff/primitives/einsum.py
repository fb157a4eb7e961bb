"""Einstein summation: read the expression, contract the operands pair by pair.

Each pair becomes one (batched) matrix product, so the work is done by BLAS; so is that of
the gradient, which is an Einstein summation itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any, NamedTuple

from autodiff.engine.primitive import Array, composite, primitive
from autodiff.errors import DomainError, OptionError, ShapeError
from autodiff.namespace import Namespace

__all__ = ["einsum"]

Labels = tuple[str, ...]


class Expression(NamedTuple):
    """A summation, read: the labels of each operand's axes and of the result's.

    Attributes
    ----------
    inputs : tuple of tuple of str
        Axes that an ellipsis stands for are labelled ``"...1"`` for the last one,
        ``"...2"`` for the last but one, and so on.
    output : tuple of str
    sizes : dict of str to int
    """

    inputs: tuple[Labels, ...]
    output: Labels
    sizes: dict[str, int]


@lru_cache(maxsize=1024)
def read(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> Expression:
    """Read an expression for operands of the given shapes.

    Raises
    ------
    DomainError
        If the expression is malformed.
    ShapeError
        If it does not fit the shapes.
    """

    def refusal(kind: type[Exception], problem: str) -> Exception:
        described = ", ".join(map(str, shapes)) or "no operands"
        return kind(f"einsum({subscripts!r}) on {described}: {problem}")

    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    for term in [*terms, right]:
        letters = term.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            problem = f"{term!r} is not made of letters and at most one '...'"
            raise refusal(DomainError, f"{problem}. Write it like 'ij,jk->ik'.")
    if len(terms) != len(shapes):
        problem = f"the expression names {len(terms)} operands, {len(shapes)} were given"
        raise refusal(DomainError, f"{problem}. Write one term for each, between commas.")
    sizes: dict[str, int] = {}
    inputs = []
    for term, shape in zip(terms, shapes, strict=True):
        letters = term.replace("...", "")
        hidden = len(shape) - len(letters)
        if hidden < 0 or (hidden and "..." not in term):
            problem = f"{term!r} names {len(letters)} axes, the operand of shape {shape}"
            raise refusal(ShapeError, f"{problem} has {len(shape)}. Name each, or write '...'.")
        dots = tuple(f"...{i}" for i in range(hidden, 0, -1))
        before, _, after = term.partition("...")
        labels = (*before, *dots, *after)
        for i, (label, size) in enumerate(zip(labels, shape, strict=True)):
            if size != shape[labels.index(label)]:
                problem = f"the axes named {label!r} of the operand of shape {shape} differ"
                raise refusal(ShapeError, f"{problem} (axis {i}). A diagonal needs a square.")
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                name = "..." if label.startswith("...") else label
                problem = f"the axes named {name!r} have sizes {known} and {size}"
                raise refusal(ShapeError, f"{problem}. Make them equal.")
        inputs.append(labels)
    most = max((int(label[3:]) for label in sizes if label.startswith("...")), default=0)
    dots = tuple(f"...{i}" for i in range(most, 0, -1))
    if not arrow:
        once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
        return Expression(tuple(inputs), (*dots, *once), sizes)
    before, _, after = right.partition("...")
    output = (*before, *(dots if "..." in right else ()), *after)
    for label in output:
        if label not in sizes:
            problem = f"{label!r} in the result is in no operand"
            raise refusal(DomainError, f"{problem}. Take it out after '->'.")
        if output.count(label) > 1:
            problem = f"{label!r} is twice in the result"
            raise refusal(DomainError, f"{problem}. Name each axis of the result once.")
    if most and "..." not in right:
        problem = "the axes under '...' are missing in the result"
        raise refusal(DomainError, f"{problem}. Write '...' after '->' too, or sum them first.")
    return Expression(tuple(inputs), output, sizes)


@lru_cache(maxsize=1024)
def order_of(
    inputs: tuple[Labels, ...], output: Labels, sizes: tuple[tuple[str, int], ...]
) -> tuple[tuple[int, int], ...]:
    """Choose which pair to contract next, greedily: the one that shrinks the memory most."""
    size = dict(sizes)
    pending = [frozenset(labels) for labels in inputs]
    steps = []

    def elements(labels: frozenset[str]) -> int:
        return prod(size[label] for label in labels)

    def joined(i: int, j: int) -> frozenset[str]:
        others = [labels for k, labels in enumerate(pending) if k not in (i, j)]
        return (pending[i] | pending[j]) & frozenset(output).union(*others)

    def growth(pair: tuple[int, int]) -> tuple[int, int]:
        i, j = pair
        grown = elements(joined(i, j)) - elements(pending[i]) - elements(pending[j])
        return grown, elements(pending[i] | pending[j])  # of two alike, the fewer products

    while len(pending) > 1:
        i, j = min(combinations(range(len(pending)), 2), key=growth)
        result = joined(i, j)
        steps.append((i, j))
        del pending[j], pending[i]
        pending.append(result)
    return tuple(steps)


def contract(
    xp: Namespace, arrays: Sequence[Array], inputs: Sequence[Labels], output: Labels
) -> Array:
    """Sum products of arrays: axes of one label are paired, those not in ``output`` summed.

    A label of ``output`` must be a label of some operand.
    """
    if len(arrays) == 1:
        x, labels = _reduced(xp, arrays[0], inputs[0], output)
        return _permuted(xp, x, labels, output)
    sizes: dict[str, int] = {}
    for x, labels in zip(arrays, inputs, strict=True):
        for label, n in zip(labels, x.shape, strict=True):
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    pending = list(zip(arrays, inputs, strict=True))
    steps: tuple[tuple[int, int], ...] = ((0, 1),)
    if len(arrays) > 2:
        steps = order_of(tuple(inputs), output, tuple(sizes.items()))
    for i, j in steps:
        second, first = pending.pop(j), pending.pop(i)
        needed = {*output}.union(*(labels for _, labels in pending))
        pending.append(_product(xp, *first, *second, needed, sizes, output))
    x, labels = pending[0]
    return _permuted(xp, x, labels, output)


def _reduced(xp: Namespace, x: Array, labels: Labels, needed: Any) -> tuple[Array, Labels]:
    """Take the diagonal of repeated labels and sum over the ones that nobody else needs."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            x = xp.diagonal(x, 0, i, j)
            labels = (*(name for k, name in enumerate(labels) if k not in (i, j)), label)
    summed = tuple(i for i, label in enumerate(labels) if label not in needed)
    if summed:
        x = xp.sum(x, axis=summed, dtype=x.dtype)
        labels = tuple(label for label in labels if label in needed)
    return x, labels


def _permuted(xp: Namespace, x: Array, labels: Labels, wanted: Sequence[str]) -> Array:
    if labels == tuple(wanted):
        return x
    return xp.permute_dims(x, tuple(labels.index(label) for label in wanted))


def _product(
    xp: Namespace,
    x: Array,
    x_labels: Labels,
    y: Array,
    y_labels: Labels,
    needed: set[str],
    sizes: dict[str, int],
    output: Labels,
) -> tuple[Array, Labels]:
    """Contract two operands; return the result and its labels."""
    # An axis of size 1 that the other operand has larger is no partner: it broadcasts.
    x, x_labels = _without_ones(xp, x, x_labels, y_labels, sizes)
    y, y_labels = _without_ones(xp, y, y_labels, x_labels, sizes)
    x, x_labels = _reduced(xp, x, x_labels, needed | {*y_labels})
    y, y_labels = _reduced(xp, y, y_labels, needed | {*x_labels})
    shared = [label for label in x_labels if label in y_labels]
    summed = [label for label in shared if label not in needed]
    batch = [label for label in shared if label in needed]
    rows = [label for label in x_labels if label not in y_labels]
    columns = [label for label in y_labels if label not in x_labels]
    if not summed:  # nothing to sum: an elementwise product
        found = {*x_labels, *y_labels}
        labels = (
            output if found == {*output} else (*x_labels, *(n for n in y_labels if n in columns))
        )
        return _spread(xp, x, x_labels, labels) * _spread(xp, y, y_labels, labels), labels
    sides = dict(zip(x_labels, x.shape, strict=True))
    sides |= dict(zip(y_labels, y.shape, strict=True))
    x = _permuted(xp, x, x_labels, [*batch, *rows, *summed])
    y = _permuted(xp, y, y_labels, [*batch, *summed, *columns])
    count = {
        name: tuple(sides[label] for label in group)
        for name, group in (("batch", batch), ("rows", rows), ("columns", columns), ("sum", summed))
    }
    inner = prod(count["sum"])
    x = xp.reshape(x, (*count["batch"], prod(count["rows"]), inner))
    y = xp.reshape(y, (*count["batch"], inner, prod(count["columns"])))
    shape = (*count["batch"], *count["rows"], *count["columns"])
    return xp.reshape(xp.matmul(x, y), shape), (*batch, *rows, *columns)


def _without_ones(
    xp: Namespace, x: Array, labels: Labels, others: Labels, sizes: dict[str, int]
) -> tuple[Array, Labels]:
    """Drop axes of size 1 that another operand has under the same label and larger."""
    dropped = tuple(
        i
        for i, label in enumerate(labels)
        if x.shape[i] == 1 and sizes[label] != 1 and label in others
    )
    if not dropped:
        return x, labels
    kept = [i for i in range(len(labels)) if i not in dropped]
    return xp.reshape(x, tuple(x.shape[i] for i in kept)), tuple(labels[i] for i in kept)


def _spread(xp: Namespace, x: Array, labels: Labels, wanted: Labels) -> Array:
    """Order the axes as wanted, with axes of size 1 where a label is missing."""
    x = _permuted(xp, x, labels, [label for label in wanted if label in labels])
    if len(labels) == len(wanted):
        return x
    axes = iter(x.shape)
    return xp.reshape(x, tuple(next(axes) if label in labels else 1 for label in wanted))


@primitive(name="einsum")
def _einsum(xp: Namespace, *operands: Array, subscripts: str) -> Array:
    expression = read(subscripts, tuple([x.shape for x in operands]))
    return contract(xp, operands, expression.inputs, expression.output)


@_einsum.vjp("operands")
def _(
    xp: Namespace, g: Array, operands: tuple[Array, ...], subscripts: str, position: int
) -> Array:
    shapes = tuple([x.shape for x in operands])
    inputs, output, sizes = read(subscripts, shapes)
    own, shape = inputs[position], shapes[position]
    others = [i for i in range(len(operands)) if i != position]
    # Which labels the contraction can give: those of the upstream gradient or of another
    # operand, unless this operand's axis was broadcast, and so is summed here.
    full = {label for label, n in zip(own, shape, strict=True) if n == sizes[label]}
    given = {*output}.union(*(inputs[i] for i in others))
    target = tuple(label for label in dict.fromkeys(own) if label in full and label in given)
    part = contract(
        xp, [g, *(operands[i] for i in others)], [output, *(inputs[i] for i in others)], target
    )
    # Summed axes of this operand alone: every element has the same gradient.
    unique = tuple(dict.fromkeys(own))
    lengths = tuple(shape[own.index(label)] for label in unique)
    part = _spread(xp, part, target, unique)
    if part.shape != lengths:
        part = xp.broadcast_to(part, lengths)
    return part if unique == own else _on_diagonal(xp, part, unique, own, shape)


def _on_diagonal(
    xp: Namespace, part: Array, unique: Labels, own: Labels, shape: tuple[int, ...]
) -> Array:
    """Put elements where repeated labels agree, zeros elsewhere."""
    position = {label: own.index(label) for label in unique}
    part = xp.reshape(
        part,
        tuple(
            part.shape[unique.index(label)] if position[label] == i else 1
            for i, label in enumerate(own)
        ),
    )
    for i, label in enumerate(own):
        first = position[label]
        if i == first:
            continue
        ones = xp.eye(shape[i], dtype=part.dtype)
        part = part * xp.reshape(
            ones, tuple(shape[k] if k in (first, i) else 1 for k in range(len(own)))
        )
    return part


@composite
def einsum(xp: Namespace, subscripts: str, *operands: Array, optimize: Any = True) -> Array:
    """Sum products of the operands' elements, as a string says.

    Parameters
    ----------
    subscripts : str
        One letter for each axis of each operand, then ``->`` and the axes of the result:
        ``"ij,jk->ik"`` is the matrix product. Axes of one letter are paired; those that the
        result lacks are summed. A letter twice in one operand means its diagonal. ``...``
        stands for any number of axes, which broadcast. Without ``->`` the result has the
        axes under ``...``, then those named exactly once, in alphabetical order.
    *operands : array_like
    optimize : optional
        Taken as NumPy's function does and not needed: the operands are always contracted
        pair by pair, in an order chosen to keep intermediate results small.

    Returns
    -------
    Tensor

    Raises
    ------
    DomainError
        If the expression is malformed or does not name as many operands as there are.
    ShapeError
        If it does not fit the operands' shapes.

    Notes
    -----
    The gradient of an operand is the Einstein summation of the upstream gradient with the
    other operands.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ad.einsum("ij->j", x)
    tensor([4., 6.], dtype=float32)
    >>> ad.einsum("ii", x)
    tensor(5., dtype=float32)
    """
    if not isinstance(subscripts, str):
        message = f"einsum: the first argument is a {type(subscripts).__name__}, not a string"
        raise OptionError(f"{message}. Write einsum('ij,jk->ik', x, y).")
    return _einsum(*operands, subscripts=subscripts)


vars(einsum)["primitive"] = _einsum.primitive
