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
from autodiff.primitives.products import dense

__all__ = ["einsum"]

Labels = tuple[str, ...]
Shape = tuple[int, ...]


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
def read(subscripts: str, shapes: tuple[Shape, ...]) -> Expression:
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


class Arrangement(NamedTuple):
    """How an operand is made ready for a product; None where a step is not needed."""

    dropped: Shape | None  # its shape without the axes of size 1 that are broadcast
    diagonals: tuple[tuple[int, int], ...]
    summed: tuple[int, ...]
    order: tuple[int, ...] | None
    shape: Shape | None


class Product(NamedTuple):
    """One step of a contraction: which two operands, how they are arranged, what comes out."""

    first: int
    second: int
    left: Arrangement
    right: Arrangement
    by_matmul: bool
    shape: Shape | None


class _Operand:
    """The labels and shape of an operand while its arrangement is planned."""

    def __init__(self, labels: Labels, shape: Shape) -> None:
        self.labels, self.shape = list(labels), list(shape)
        self.dropped: Shape | None = None
        self.diagonals: list[tuple[int, int]] = []
        self.summed: tuple[int, ...] = ()

    def drop_ones(self, others: Sequence[str], sizes: dict[str, int]) -> None:
        """Drop axes of size 1 that another operand has under the same label and larger."""
        pairs = list(zip(self.labels, self.shape, strict=True))
        kept = [
            (label, n) for label, n in pairs if n != 1 or sizes[label] == 1 or label not in others
        ]
        if len(kept) < len(pairs):
            self.labels, self.shape = [label for label, _ in kept], [n for _, n in kept]
            self.dropped = tuple(self.shape)

    def reduce(self, needed: set[str]) -> None:
        """Take the diagonal of repeated labels, sum over those that nobody else needs."""
        for label in dict.fromkeys(self.labels):
            while self.labels.count(label) > 1:
                i = self.labels.index(label)
                j = self.labels.index(label, i + 1)
                self.diagonals.append((i, j))
                n = self.shape[i]
                for k in (j, i):
                    del self.labels[k], self.shape[k]
                self.labels.append(label)
                self.shape.append(n)
        self.summed = tuple(i for i, label in enumerate(self.labels) if label not in needed)
        for i in reversed(self.summed):
            del self.labels[i], self.shape[i]

    def arranged(self, wanted: Sequence[str], shape: Sequence[int] | None = None) -> Arrangement:
        """Order the axes; then, where a shape is given, reshape."""
        order = tuple(self.labels.index(label) for label in wanted)
        ordered = [self.shape[i] for i in order]
        return Arrangement(
            self.dropped,
            tuple(self.diagonals),
            self.summed,
            None if order == tuple(range(len(order))) else order,
            None if shape is None or list(shape) == ordered else tuple(shape),
        )


def _arrange(xp: Namespace, x: Array, how: Arrangement) -> Array:
    if how.dropped is not None:
        x = xp.reshape(x, how.dropped)
    for i, j in how.diagonals:
        x = xp.diagonal(x, 0, i, j)
    if how.summed:
        x = xp.sum(x, axis=how.summed, dtype=x.dtype)
    if how.order is not None:
        x = xp.permute_dims(x, how.order)
    return x if how.shape is None else xp.reshape(x, how.shape)


@lru_cache(maxsize=1024)
def planned(
    inputs: tuple[Labels, ...], output: Labels, shapes: tuple[Shape, ...]
) -> tuple[tuple[Product, ...], Arrangement]:
    """Plan a contraction: its products, and how the last result is arranged."""
    sizes: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, n in zip(labels, shape, strict=True):
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    pending = list(zip(inputs, shapes, strict=True))
    steps = []
    for i, j in order_of(inputs, output, tuple(sizes.items())):
        y, x = _Operand(*pending.pop(j)), _Operand(*pending.pop(i))
        needed = {*output}.union(*(labels for labels, _ in pending))
        step, labels, shape = _product(i, j, x, y, needed, sizes, output)
        steps.append(step)
        pending.append((labels, shape))
    last = _Operand(*pending[0])
    last.reduce({*output})
    return tuple(steps), last.arranged(output)


def _product(
    i: int,
    j: int,
    x: _Operand,
    y: _Operand,
    needed: set[str],
    sizes: dict[str, int],
    output: Labels,
) -> tuple[Product, Labels, Shape]:
    """Plan the product of two operands; return also the labels and the shape of its result."""
    # An axis of size 1 that the other operand has larger is no partner: it broadcasts.
    x.drop_ones(y.labels, sizes)
    y.drop_ones(x.labels, sizes)
    x.reduce(needed | {*y.labels})
    y.reduce(needed | {*x.labels})
    # Not `sizes`: an axis of size 1 may be to meet a larger one only in a later product.
    length = {
        **dict(zip(x.labels, x.shape, strict=True)),
        **dict(zip(y.labels, y.shape, strict=True)),
    }
    place = {label: k for k, label in enumerate(output)}
    shared = [label for label in x.labels if label in y.labels]
    summed = [label for label in shared if label not in needed]
    kept = sorted({*x.labels, *y.labels} - {*summed}, key=lambda n: (place.get(n, len(output)), n))
    if not summed:  # an elementwise product
        left, right = (
            side.arranged(
                [label for label in kept if label in side.labels],
                [side.shape[side.labels.index(n)] if n in side.labels else 1 for n in kept],
            )
            for side in (x, y)
        )
        step = Product(i, j, left, right, by_matmul=False, shape=None)
        return step, tuple(kept), tuple(length[label] for label in kept)
    batch = [label for label in kept if label in shared]
    rows = [label for label in kept if label in x.labels and label not in shared]
    columns = [label for label in kept if label in y.labels and label not in shared]
    if columns and rows and place.get(columns[0], 0) < place.get(rows[0], 0):
        i, j, x, y, rows, columns = j, i, y, x, columns, rows  # what the result has first
    size = [prod(length[n] for n in group) for group in (rows, summed, columns)]
    stack = [length[label] for label in batch]
    labels = (*batch, *rows, *columns)
    shape = tuple(length[label] for label in labels)
    step = Product(
        i,
        j,
        x.arranged([*batch, *rows, *summed], [*stack, size[0], size[1]]),
        y.arranged([*batch, *summed, *columns], [*stack, size[1], size[2]]),
        by_matmul=True,
        shape=None if shape == (*stack, size[0], size[2]) else shape,
    )
    return step, labels, shape


def contract(
    xp: Namespace, arrays: Sequence[Array], inputs: tuple[Labels, ...], output: Labels
) -> Array:
    """Sum products of arrays: axes of one label are paired, those not in ``output`` summed.

    A label of ``output`` must be a label of some operand.
    """
    steps, last = planned(inputs, output, tuple([x.shape for x in arrays]))
    pending = list(arrays)
    for first, second, left, right, by_matmul, shape in steps:
        x, y = _arrange(xp, pending[first], left), _arrange(xp, pending[second], right)
        product = xp.matmul(dense(xp, x), dense(xp, y)) if by_matmul else x * y
        for k in sorted((first, second), reverse=True):
            del pending[k]
        pending.append(product if shape is None else xp.reshape(product, shape))
    return _arrange(xp, pending[0], last)


@primitive(name="einsum", analytic=True)
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
    others = (*operands[:position], *operands[position + 1 :])
    labels = (output, *inputs[:position], *inputs[position + 1 :])
    # Which labels the contraction can give: those of the upstream gradient or of another
    # operand, unless this operand's axis was broadcast, and so is summed here.
    given = set().union(*labels)
    unique = tuple(dict.fromkeys(own))
    length = dict(zip(own, shape, strict=True))
    target = tuple([n for n in unique if n in given and length[n] == sizes[n]])
    part = contract(xp, (g, *others), labels, target)
    if target != unique:
        found = dict(zip(target, part.shape, strict=True))
        part = xp.reshape(part, tuple([found.get(label, 1) for label in unique]))
    if part.shape != (lengths := tuple(length.values())):
        # Axes that were summed in this operand alone: every element has the same gradient.
        part = xp.broadcast_to(part, lengths)
    return part if unique == own else _on_diagonal(xp, part, unique, own)


def _on_diagonal(xp: Namespace, part: Array, unique: Labels, own: Labels) -> Array:
    """Put elements where repeated labels agree, zeros elsewhere."""
    length = dict(zip(unique, part.shape, strict=True))
    first = {label: own.index(label) for label in unique}

    def along(*axes: int) -> Shape:
        return tuple(length[label] if i in axes else 1 for i, label in enumerate(own))

    part = xp.reshape(part, along(*first.values()))
    for i, label in enumerate(own):
        if i != first[label]:
            ones = xp.eye(length[label], dtype=part.dtype)
            part = part * xp.reshape(ones, along(first[label], i))
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
