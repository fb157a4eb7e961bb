"""Elements by index: reading them, adding up at them, writing them.

``getitem`` and ``scatter`` are each other's transposes: the gradient of ``x[index]`` is the
upstream gradient, added up at ``index`` into zeros, whose gradient is ``g[index]`` again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.engine.node import Handle
from autodiff.engine.primitive import Array, primitive
from autodiff.errors import DTypeError, describe
from autodiff.namespace import Namespace, namespace_of

__all__ = ["getitem", "scatter", "setitem"]

Shape = tuple[int, ...]

_PLAIN = frozenset({int, type(None), type(Ellipsis)})
_BASIC = _PLAIN | {slice}


def plain_index(index: Any) -> Any:
    """Turn the tensors in an index into arrays, and 0-d integer ones into ints.

    What is left of the graph would otherwise be kept alive by the nodes that save the index.

    Examples
    --------
    >>> import autodiff as ad
    >>> plain_index((ad.tensor(1), slice(ad.tensor(2), None), None, [ad.tensor(0), 3]))
    (1, slice(2, None, None), None, [0, 3])
    """
    kind = type(index)
    if kind in _PLAIN:
        return index
    if kind is slice:
        start, stop, step = index.start, index.stop, index.step
        if type(start) in _PLAIN and type(stop) in _PLAIN and type(step) in _PLAIN:
            return index
        return slice(plain_index(start), plain_index(stop), plain_index(step))
    if kind is tuple:
        return tuple([item if type(item) in _PLAIN else plain_index(item) for item in index])
    if isinstance(index, Handle):
        index = index.array
    if isinstance(index, np.ndarray | np.generic):
        # A 0-d integer array indexes as an int does, and an int needs no accumulating write.
        return int(index) if index.ndim == 0 and index.dtype.kind in "iu" else index
    if isinstance(index, list):
        return [plain_index(item) for item in index]
    return index


@primitive(analytic=True)
def getitem(xp: Namespace, x: Array, /, index: Any) -> Array:
    """Elements of ``x`` at an index: the function behind ``x[index]``.

    Parameters
    ----------
    x : (any shape)
    index : int, slice, ``...``, None, boolean mask, integer array, or a tuple that mixes them
        Read as NumPy reads it. The result shares memory with ``x`` where NumPy's does.

    Raises
    ------
    IndexingError
        If an index is out of range, of a kind that can't index, or there are too many.

    Notes
    -----
    The gradient is added up at ``index``: an element that was read twice gets both.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 2, 2]].sum().backward()
    >>> x.grad
    tensor([1., 0., 2.], dtype=float32)
    """
    return _read(x, index)


def _read(x: Array, index: Any) -> Array:
    try:
        return x[index]
    except (TypeError, ValueError) as error:  # a slice of floats, a step of 0, a ragged list
        raise IndexError(str(error)) from error


@getitem.vjp
def _(xp: Namespace, g: Array, x_shape: Shape, index: Any) -> Array:
    return xp.scatter(g, index, x_shape)


@getitem.adds
def _(xp: Namespace, total: Array, g: Array, index: Any) -> None:
    add_at(xp, total, plain_index(index), g)


@primitive
def scatter(xp: Namespace, x: Array, /, index: Any, shape: Shape, *, unique: bool = False) -> Array:
    """Add elements up at an index of an array of zeros: the transpose of ``x[index]``.

    Parameters
    ----------
    x : array of (or broadcast to) the shape of ``zeros(shape)[index]``
    index
        As for :func:`getitem`.
    shape : tuple of int
        The result's.
    unique : bool
        A promise that no element is indexed twice, under which plain writes do.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.scatter([1.0, 2.0, 3.0], [0, 2, 2], (4,))
    tensor([1., 0., 5., 0.], dtype=float32)
    """
    index = plain_index(index)
    out = xp.zeros(shape, dtype=x.dtype)
    if unique or not may_repeat(index):
        out[index] = x
    else:
        add_at(xp, out, index, x)
    return out


def add_at(xp: Namespace, total: Array, index: Any, x: Array) -> None:
    """Add elements up at an index of an array, in place."""
    if not may_repeat(index):
        total[index] += x
    elif not total.flags.c_contiguous:
        xp.add.at(total, index, x)
    else:
        rows, row = _rows(xp, index, tuple(total.shape))
        x = xp.broadcast_to(x, (*rows.shape, *row))
        size = math.prod(row)
        places = (rows * size)[..., None] + xp.arange(size) if row else rows
        # On one axis `add.at` is several times as fast as on more.
        xp.add.at(total.reshape(-1), places.reshape(-1), x.reshape(-1))


@scatter.vjp
def _(xp: Namespace, g: Array, index: Any) -> Array:
    return g[plain_index(index)]


def _items(index: Any) -> list[Any]:
    """Return an index's members, sequences of numbers as arrays."""
    items = index if isinstance(index, tuple) else (index,)
    return [
        item
        if _is_basic(item) or isinstance(item, bool) or hasattr(item, "dtype")
        else np.asarray(item, None if np.size(item) else np.intp)
        for item in items
    ]


def _is_basic(item: Any) -> bool:
    """Tell whether a member of an index only ever selects a view."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return True
    return hasattr(item, "__index__") and not isinstance(item, bool) and not hasattr(item, "shape")


def _is_mask(item: Any) -> bool:
    return isinstance(item, bool) or getattr(item, "dtype", np.dtype(int)).kind == "b"


def may_repeat(index: Any) -> bool:
    """Tell whether an index may name an element twice: only integer arrays can."""
    kind = type(index)
    if kind in _BASIC or (kind is tuple and _BASIC.issuperset(map(type, index))):
        return False  # most indices, fast
    return any(
        not _is_basic(item) and not _is_mask(item) and item.size > 1 for item in _items(index)
    )


def _rows(xp: Namespace, index: Any, shape: Shape) -> tuple[Any, Shape]:
    """Split a shape after the last axis that is indexed, and count the rows that are read.

    Returns
    -------
    The number of each row that ``index`` reads, in the order and shape in which it does, and
    the shape of a row.
    """
    items = _items(index)
    rest = 0
    while items and (items[-1] is Ellipsis or _is_full(items[-1])):
        rest += items.pop() is not Ellipsis
    if any(item is Ellipsis for item in items):
        indexed = len(shape) - rest
    else:
        indexed = sum(map(_axes_read, items))
    sizes, row = shape[:indexed], shape[indexed:]
    if items and all(hasattr(item, "__index__") and not _is_mask(item) for item in items):
        number: Any = 0  # only ints and integer arrays: their arithmetic is the fastest
        for item, size in zip(items, sizes, strict=True):
            at = xp.asarray(item, dtype=np.intp)
            number = number * size + at + size * (at < 0)
        return number, row
    return xp.arange(math.prod(sizes)).reshape(sizes)[tuple(items)], row


def _is_full(item: Any) -> bool:
    return isinstance(item, slice) and (item.start, item.stop, item.step) == (None, None, None)


def _axes_read(item: Any) -> int:
    if item is None:
        return 0
    return int(np.ndim(item)) if _is_mask(item) else 1


@primitive(analytic=True)
def setitem(xp: Namespace, x: Array, value: Array, /, index: Any) -> Array:
    """Copy ``x`` and write into the copy: the function behind ``x[index] = value``.

    Parameters
    ----------
    x : (any shape)
    value : number, or array that broadcasts to the shape of ``x[index]``
        Cast to the dtype of ``x``. Where an element is written more than once, the last
        write stays.
    index
        As for :func:`getitem`.

    Raises
    ------
    IndexingError
        As for :func:`getitem`.
    ShapeError
        If ``value`` does not broadcast to the shape of ``x[index]``.
    DTypeError
        If ``value`` is complex and ``x`` is not, or it holds no numbers.

    Notes
    -----
    The gradient of ``x`` is 0 where it was overwritten; that of ``value`` is the upstream
    gradient at the elements where its write stayed.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.setitem([1.0, 2.0, 3.0], 0.0, slice(1, None))
    tensor([1., 0., 0.], dtype=float32)
    """
    out = xp.array(x)
    write(xp, out, plain_index(index), value)
    return out


def write(xp: Namespace, array: Array, index: Any, value: Any) -> None:
    """Write into an array itself, which stays as it was where this raises.

    Parameters
    ----------
    array : (any shape)
    index
        Without tensors: of :func:`plain_index`.
    value : number, or array that broadcasts to the shape of ``array[index]``
        Of repeated elements the last write stays, in the order of the index.
    """
    wrong = ""
    if value is None or getattr(value, "dtype", array.dtype).kind not in "biufc":
        wrong = "the value holds no numbers. Give a number or an array of numbers."
    elif np.iscomplexobj(value) and array.dtype.kind != "c":
        wrong = "real elements can't hold complex values. Take its real part."
    if wrong:
        raise DTypeError(f"setitem(x: {describe(array)}, value: {describe(value)}): {wrong}")
    try:
        if getattr(value, "ndim", 0) and may_repeat(index):
            # NumPy writes in the order in which the value lies in memory, but which write is
            # the last must depend on the index alone.
            value = _laid_out(xp, value, array[index].shape)
        array[index] = value
    except (TypeError, ValueError):
        _read(array, index)  # raises if it was the index
        raise


def _laid_out(xp: Namespace, value: Array, shape: Shape) -> Array:
    """Broadcast a value to a shape as an assignment does, in row-major order in memory."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        value = value.reshape(value.shape[extra:])
    return xp.ascontiguousarray(xp.broadcast_to(value, shape))


@setitem.vjp("x")
def _(xp: Namespace, g: Array, index: Any) -> Array:
    return xp.setitem(g, 0, index)


@setitem.vjp("value")
def _(xp: Namespace, g: Array, x_shape: Shape, value_shape: Shape, index: Any) -> Array:
    index = plain_index(index)
    part = g[index]
    if may_repeat(index):
        part = xp.where(_last_writes(index, x_shape), part, 0)
    extra = len(value_shape) - len(part.shape)  # NumPy drops leading axes of size 1
    return part.reshape((1,) * extra + tuple(part.shape)) if extra > 0 else part


def _last_writes(index: Any, shape: Shape) -> Any:
    """Tell for each row that is written whether no later write goes to the same place.

    The result broadcasts to the shape of what is written.
    """
    arrays = [item for item in _items(index) if hasattr(item, "dtype")]
    xp = namespace_of(arrays[0])
    rows, row = _rows(xp, index, shape)
    number = rows.reshape(-1)
    order = xp.arange(number.size)
    writer = xp.zeros(math.prod(shape[: len(shape) - len(row)]), dtype=order.dtype)
    writer[number] = order
    return (writer[number] == order).reshape((*rows.shape, *(1 for _ in row)))
