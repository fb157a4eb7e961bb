"""Tensors made from nothing: zeros, ranges, grids.

Every function takes ``dtype`` (None: the default float dtype, or what the arguments say),
``device`` (None or ``"cpu"``) and ``requires_grad``, which makes the result a leaf. Shapes are
an int or a tuple of ints. A bad shape raises :class:`~autodiff.errors.ShapeError`, a bad dtype
or device :class:`~autodiff.errors.DTypeError`.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from autodiff.arguments import check_device, to_dtype, to_shape
from autodiff.conversion import asarray
from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import get_default_dtype
from autodiff.engine.operands import constant, strong
from autodiff.errors import (
    DTypeError,
    NoGradientError,
    OptionError,
    ShapeError,
    describe,
    explain,
    typed_calls,
)
from autodiff.namespace import tensors
from autodiff.primitives import arithmetic, shapes
from autodiff.tensor import Tensor

__all__ = [
    "arange", "empty", "empty_like", "eye", "full", "full_like", "linspace",
    "logspace", "meshgrid", "ones", "ones_like", "zeros", "zeros_like",
]  # fmt: skip


def _made(array: Any, requires_grad: bool = False) -> Tensor:
    result = make_tensor(array)
    return result.requires_grad_() if requires_grad else result


def _checked(operation: str, shape: Any, dtype: Any, device: Any) -> tuple[Any, Any]:
    check_device(operation, device)
    sizes = to_shape(operation, shape)
    return sizes, get_default_dtype() if dtype is None else to_dtype(operation, dtype)


def zeros(
    shape: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of zeros.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional
        At first the default float dtype.
    device : optional
        ``"cpu"`` or None.
    requires_grad : bool
        Whether it is a leaf to compute gradients for.

    Raises
    ------
    ShapeError, DTypeError
        If there is no such shape, dtype or device.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.zeros((2, 2))
    tensor([[0., 0.],
            [0., 0.]], dtype=float32)
    """
    return _made(np.zeros(*_checked("zeros", shape, dtype, device)), requires_grad)


def ones(
    shape: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of ones; parameters as of :func:`zeros`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.ones(2, requires_grad=True)
    tensor([1., 1.], dtype=float32, requires_grad=True)
    """
    return _made(np.ones(*_checked("ones", shape, dtype, device)), requires_grad)


def empty(
    shape: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of whatever the memory held; parameters as of :func:`zeros`.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.empty((2, 3)).shape
    (2, 3)
    """
    return _made(np.empty(*_checked("empty", shape, dtype, device)), requires_grad)


def full(
    shape: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor that holds one value everywhere.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : number or tensor
        Broadcast to the shape. Gradients flow to a tensor.
    dtype : dtype, optional
        At first that of the value: the default float dtype for a Python float, int64 for an int.
    device : optional
        ``"cpu"`` or None.
    requires_grad : bool
        Whether it is a leaf to compute gradients for.

    Raises
    ------
    ShapeError, DTypeError
        If there is no such shape, dtype or device.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(2.0, requires_grad=True)
    >>> ad.full(3, x).sum().backward()
    >>> x.grad
    tensor(3., dtype=float32)
    """
    check_device("full", device)
    sizes = to_shape("full", shape)
    if isinstance(fill_value, Tensor) and fill_value.requires_grad:
        value = fill_value if dtype is None else arithmetic.astype(fill_value, dtype)
        return arithmetic.copy(shapes.broadcast_to(value, sizes))
    if fill_value is None:
        raise DTypeError("full: the fill value is None. Give a number.")
    value = strong(constant(fill_value), None if dtype is None else np.float64)
    wanted = value.dtype if dtype is None else to_dtype("full", dtype)
    try:
        return _made(np.full(sizes, value, dtype=wanted), requires_grad)
    except ValueError as error:
        raise explain("full", [value], error, ["fill_value"]) from error


def _prototype(operation: str, x: Any, dtype: Any, device: Any) -> tuple[Any, Any]:
    """Return the shape and dtype that a ``*_like`` result has."""
    check_device(operation, device)
    array = strong(constant(x))
    if array is None:
        message = f"{operation}: None has no shape"
        raise DTypeError(f"{message}. Give a tensor.")
    return array.shape, array.dtype if dtype is None else to_dtype(operation, dtype)


def zeros_like(
    x: Any, /, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros in the shape, and at first the dtype, of ``x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.zeros_like([1, 2])
    tensor([0, 0], dtype=int64)
    """
    return _made(np.zeros(*_prototype("zeros_like", x, dtype, device)), requires_grad)


def ones_like(
    x: Any, /, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return ones in the shape, and at first the dtype, of ``x``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.ones_like(ad.zeros(2), dtype=ad.bool)
    tensor([ True,  True], dtype=bool)
    """
    return _made(np.ones(*_prototype("ones_like", x, dtype, device)), requires_grad)


def empty_like(
    x: Any, /, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of whatever the memory held, in the shape and dtype of ``x``."""
    return _made(np.empty(*_prototype("empty_like", x, dtype, device)), requires_grad)


def full_like(
    x: Any,
    /,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return one value everywhere, in the shape and dtype of ``x``. Gradients flow to the value.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.full_like(ad.zeros(3), 7)
    tensor([7., 7., 7.], dtype=float32)
    """
    shape, kept = _prototype("full_like", x, dtype, device)
    return full(shape, fill_value, dtype=kept, requires_grad=requires_grad)


def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return evenly spaced values: ``start, start + step, ...`` up to but without ``stop``.

    Parameters
    ----------
    start, stop, step : number
        With one argument, that is ``stop`` and the values start at 0.
    dtype : dtype, optional
        At first int64 if all are ints, otherwise the default float dtype.
    device : optional
        ``"cpu"`` or None.
    requires_grad : bool
        Whether it is a leaf to compute gradients for.

    Raises
    ------
    ShapeError
        If ``step`` is 0.
    NoGradientError
        If a limit requires a gradient.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.arange(1, 2, 0.25)
    tensor([1.  , 1.25, 1.5 , 1.75], dtype=float32)
    """
    check_device("arange", device)
    start, stop, step = (_limit("arange", value) for value in (start, stop, step))
    if stop is None:
        start, stop = 0, start
    if step == 0:
        message = f"arange: from {start} to {stop} in steps of 0"
        raise ShapeError(f"{message} never arrives. Give a step other than 0.")
    if dtype is None:
        whole = all(isinstance(value, int | np.integer) for value in (start, stop, step))
        dtype = np.int64 if whole else get_default_dtype()
    try:
        # Made in double precision and then cast: float16 and float32 accumulate errors.
        wide = np.arange(start, stop, step)
    except (TypeError, ValueError) as error:
        raise explain("arange", [start, stop, step], error, ["start", "stop", "step"]) from error
    return _made(wide.astype(to_dtype("arange", dtype), copy=False), requires_grad)


def _limit(operation: str, value: Any) -> Any:
    """Take a 0-d tensor as its number; refuse to drop a gradient."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            message = f"{operation} has no derivative with respect to its limits"
            raise NoGradientError(f"{message}. Scale and shift it: start + step * arange(n).")
        return value.item()
    return value


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``num`` evenly spaced values from ``start`` to ``stop``.

    Parameters
    ----------
    start, stop : number or tensor
        Gradients flow to tensors; shapes ``S`` that broadcast give a result ``(num, *S)``.
    num : int
        How many, at least 0.
    dtype : dtype, optional
        At first the default float dtype (complex for complex limits), or the tensors'.
    device : optional
        ``"cpu"`` or None.
    endpoint : bool
        Whether ``stop`` is the last value.
    requires_grad : bool
        Whether it is a leaf to compute gradients for.

    Raises
    ------
    ShapeError
        If ``num`` is negative.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    check_device("linspace", device)
    (count,) = to_shape("linspace", (num,))
    wanted = None if dtype is None else to_dtype("linspace", dtype)
    if isinstance(start, Tensor) or isinstance(stop, Tensor):
        return _between(start, stop, count, wanted, endpoint, requires_grad)
    first, last = constant(start), constant(stop)
    if wanted is None:
        wanted = np.result_type(get_default_dtype(), first, last)
        if wanted.kind == "f" and all(type(v) in (int, float) for v in (first, last)):
            wanted = get_default_dtype()
    made = np.linspace(first, last, count, endpoint=endpoint)
    return _made(made.astype(wanted, copy=False), requires_grad)


def _between(
    start: Any, stop: Any, count: int, dtype: Any, endpoint: bool, requires_grad: bool
) -> Tensor:
    """Weigh two tensors: ``(1 - w) * start + w * stop`` is exact at both ends."""
    like = start if isinstance(start, Tensor) else stop
    real = like.array.real.dtype if like.dtype.kind in "fc" else get_default_dtype()
    dims = max(np.ndim(constant(start)), np.ndim(constant(stop)))
    weight = np.linspace(0, 1, count, endpoint=endpoint).reshape(-1, *([1] * dims)).astype(real)
    made: Tensor = start * (1 - weight) + stop * weight
    if dtype is not None and dtype != made.dtype:
        made = arithmetic.astype(made, dtype)
    return made.requires_grad_() if requires_grad else made


def logspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    base: float = 10.0,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``base ** linspace(start, stop, num)``; gradients flow to tensors.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.], dtype=float32)
    """
    exponents = linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
    made: Tensor = arithmetic.pow(base, exponents)
    return made.requires_grad_() if requires_grad else made


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones on the ``k``-th diagonal and zeros elsewhere, of shape ``(n_rows, n_cols)``.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.eye(2, 3, k=1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]], dtype=float32)
    """
    size = (n_rows, n_rows if n_cols is None else n_cols)
    (rows, columns), kept = _checked("eye", size, dtype, device)
    return _made(np.eye(rows, columns, k=k, dtype=kept), requires_grad)


def meshgrid(*arrays: Any, indexing: Literal["xy", "ij"] = "xy") -> tuple[Tensor, ...]:
    """Return coordinate grids from coordinate vectors; gradients flow to the vectors.

    Parameters
    ----------
    *arrays : tensor
        Vectors of lengths ``M, N, P, ...`` (a 0-d tensor counts as one of length 1).
    indexing : {"xy", "ij"}
        Grids of shape ``(N, M, P, ...)`` (Cartesian) or ``(M, N, P, ...)`` (matrix).

    Returns
    -------
    tuple of Tensor
        One grid for each vector.

    Raises
    ------
    ShapeError
        If an array has more than one axis.

    Examples
    --------
    >>> import autodiff as ad
    >>> x, y = ad.meshgrid([1, 2, 3], [10, 20])
    >>> (x + y).tolist()
    [[11, 12, 13], [21, 22, 23]]
    """
    if indexing not in ("xy", "ij"):
        message = f"meshgrid: indexing {indexing!r} is unknown"
        raise OptionError(f"{message}. Use 'xy' or 'ij'.")
    vectors = [asarray(array) for array in arrays]
    for vector in vectors:
        if vector.ndim > 1:
            message = f"meshgrid: {describe(vector)} is not a vector"
            raise ShapeError(f"{message}. Give tensors of at most one axis.")
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = [1, 0]
    sizes = [0] * len(vectors)
    for place, vector in zip(places, vectors, strict=True):
        sizes[place] = vector.size
    grids = []
    for place, vector in zip(places, vectors, strict=True):
        line = [1] * len(vectors)
        line[place] = vector.size
        grid = shapes.broadcast_to(shapes.reshape(vector, tuple(line)), tuple(sizes))
        grids.append(arithmetic.copy(grid))
    return tuple(grids)


for _name in __all__:
    globals()[_name] = typed_calls(globals()[_name])
    setattr(tensors, _name, globals()[_name])
