"""The methods of tensors that are functions of the package: ``t.exp()``, ``t.sum(0)``.

:class:`Methods` declares each with its calling convention, once: type checkers and editors
read the annotation, and :func:`attach` sets the function of that name on the class. Where a
function takes by keyword only what its method takes by position, ``t.tril(1)``, the
convention's ``__call__`` says which option is meant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autodiff.errors import OptionError, describe
from autodiff.namespace import tensors

if TYPE_CHECKING:
    from autodiff.tensor import Tensor

    Axis = int | tuple[int, ...] | None

__all__ = ["Methods", "attach"]


class Unary:
    """``t.exp()``."""

    def __call__(self) -> Tensor:
        raise NotImplementedError


class Binary:
    """``t.add(u)``."""

    def __call__(self, other: Any, /) -> Tensor:
        raise NotImplementedError


class Reduction:
    """``t.mean(0, keepdims=True)``: over one axis, several, or all."""

    def __call__(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        raise NotImplementedError


class Total:
    """``t.sum(0, dtype=float64)``."""

    def __call__(self, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False) -> Tensor:
        raise NotImplementedError


class Spread:
    """``t.var(0, correction=1)``."""

    def __call__(
        self, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False
    ) -> Tensor:
        raise NotImplementedError


class Quantile:
    """``t.quantile(0.9, axis=0)``."""

    def __call__(
        self, q: Any, axis: Axis = None, *, keepdims: bool = False, method: str = "linear"
    ) -> Tensor:
        raise NotImplementedError


class Norm:
    """``t.norm(axis=1)``."""

    def __call__(self, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
        raise NotImplementedError


class Position:
    """``t.argmax(1)``."""

    def __call__(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        raise NotImplementedError


class Running:
    """``t.cumsum(0)``."""

    def __call__(self, axis: int | None = None, *, dtype: Any = None) -> Tensor:
        raise NotImplementedError


class Cumulative:
    """``t.cumulative_sum(0, include_initial=True)``."""

    def __call__(
        self, axis: int | None = None, *, dtype: Any = None, include_initial: bool = False
    ) -> Tensor:
        raise NotImplementedError


class Extreme:
    """``t.cumulative_max(0)``."""

    def __call__(self, axis: int | None = None) -> Tensor:
        raise NotImplementedError


class AlongLast:
    """``t.softmax(-1)``."""

    def __call__(self, axis: int = -1) -> Tensor:
        raise NotImplementedError


class Ordering:
    """``t.sort(0, descending=True)``."""

    def __call__(self, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
        raise NotImplementedError


class Largest:
    """``t.topk(3)``: values and indices."""

    def __call__(self, k: int, axis: int = -1, *, largest: bool = True) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class Clip:
    """``t.clip(0, 1)``."""

    def __call__(self, min: Any = None, max: Any = None) -> Tensor:
        raise NotImplementedError


class Rounded:
    """``t.round(2)``."""

    def __call__(self, decimals: int = 0) -> Tensor:
        raise NotImplementedError


class Softplus:
    """``t.softplus(beta=2.0)``."""

    def __call__(self, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
        raise NotImplementedError


class Cast:
    """``t.astype(float32)``."""

    def __call__(self, dtype: Any, *, copy: bool = True, device: Any = None) -> Tensor:
        raise NotImplementedError


class Axes:
    """``t.squeeze(0)``, ``t.flip((0, 1))``."""

    def __call__(self, axis: Axis = None) -> Tensor:
        raise NotImplementedError


class NewAxis:
    """``t.expand_dims(0)``."""

    def __call__(self, axis: int | tuple[int, ...] = 0) -> Tensor:
        raise NotImplementedError


class TwoAxes:
    """``t.swapaxes(0, 1)``."""

    def __call__(self, axis1: int, axis2: int) -> Tensor:
        raise NotImplementedError


class Moved:
    """``t.moveaxis(0, -1)``."""

    def __call__(self, source: Any, destination: Any) -> Tensor:
        raise NotImplementedError


class Joined:
    """``t.flatten(1)``."""

    def __call__(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        raise NotImplementedError


class Repeated:
    """``t.repeat(2, axis=0)``."""

    def __call__(self, repeats: Any, /, axis: int | None = None) -> Tensor:
        raise NotImplementedError


class Tiled:
    """``t.tile((2, 1))``."""

    def __call__(self, repetitions: Any) -> Tensor:
        raise NotImplementedError


class Rolled:
    """``t.roll(1, axis=0)``."""

    def __call__(self, shift: Any, axis: Axis = None) -> Tensor:
        raise NotImplementedError


class Diagonal:
    """``t.diagonal(1)``."""

    def __call__(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        raise NotImplementedError


class Trace:
    """``t.trace(1)``."""

    def __call__(
        self, offset: int = 0, axis1: int = 0, axis2: int = 1, *, dtype: Any = None
    ) -> Tensor:
        raise NotImplementedError


class Triangle:
    """``t.tril(-1)``."""

    def __call__(self, k: int = 0) -> Tensor:
        raise NotImplementedError


class Taken:
    """``t.take(indices, axis=0)``."""

    def __call__(self, indices: Any, /, axis: int | None = None) -> Tensor:
        raise NotImplementedError


class TakenAlong:
    """``t.take_along_axis(indices, axis=0)``."""

    def __call__(self, indices: Any, /, axis: int | None = -1) -> Tensor:
        raise NotImplementedError


class Gathered:
    """``t.gather(1, index)``."""

    def __call__(self, axis: int, index: Any) -> Tensor:
        raise NotImplementedError


class Chunks:
    """``t.chunk(2, axis=1)``."""

    def __call__(self, chunks: int, axis: int = 0) -> list[Tensor]:
        raise NotImplementedError


class Sections:
    """``t.split([1, 3])``."""

    def __call__(self, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
        raise NotImplementedError


class Unstacked:
    """``t.unstack(1)``."""

    def __call__(self, axis: int = 0) -> tuple[Tensor, ...]:
        raise NotImplementedError


class Indices:
    """``t.nonzero()``: one tensor of indices for each axis."""

    def __call__(self) -> tuple[Tensor, ...]:
        raise NotImplementedError


class Methods:
    """What tensors inherit: the declarations, which :func:`attach` fills."""

    __slots__ = ()

    abs: Unary
    acos: Unary
    acosh: Unary
    add: Binary
    all: Reduction
    amax: Reduction
    amin: Reduction
    any: Reduction
    argmax: Position
    argmin: Position
    argsort: Ordering
    asin: Unary
    asinh: Unary
    astype: Cast
    atan: Unary
    atanh: Unary
    ceil: Unary
    chunk: Chunks
    clip: Clip
    conj: Unary
    cos: Unary
    cosh: Unary
    count_nonzero: Reduction
    cumprod: Running
    cumsum: Running
    cumulative_max: Extreme
    cumulative_prod: Cumulative
    cumulative_sum: Cumulative
    diagonal: Diagonal
    divide: Binary
    dot: Binary
    erf: Unary
    erfc: Unary
    exp: Unary
    expand_dims: NewAxis
    expm1: Unary
    flatten: Joined
    flip: Axes
    floor: Unary
    gather: Gathered
    isfinite: Unary
    isinf: Unary
    isnan: Unary
    log: Unary
    log10: Unary
    log1p: Unary
    log2: Unary
    log_softmax: AlongLast
    logsumexp: Reduction
    matmul: Binary
    max: Reduction
    maximum: Binary
    mean: Reduction
    median: Reduction
    min: Reduction
    minimum: Binary
    moveaxis: Moved
    multiply: Binary
    negative: Unary
    nonzero: Indices
    norm: Norm
    outer: Binary
    pow: Binary
    prod: Total
    quantile: Quantile
    ravel: Unary
    reciprocal: Unary
    relu: Unary
    repeat: Repeated
    roll: Rolled
    round: Rounded
    sigmoid: Unary
    sign: Unary
    sin: Unary
    sinh: Unary
    softmax: AlongLast
    softplus: Softplus
    sort: Ordering
    split: Sections
    sqrt: Unary
    square: Unary
    squeeze: Axes
    std: Spread
    subtract: Binary
    sum: Total
    swapaxes: TwoAxes
    take: Taken
    take_along_axis: TakenAlong
    tan: Unary
    tanh: Unary
    tile: Tiled
    topk: Largest
    trace: Trace
    tril: Triangle
    triu: Triangle
    trunc: Unary
    unstack: Unstacked
    var: Spread


def attach(cls: type[Methods]) -> None:
    """Set the declared methods on a class, each the function of its name."""
    for name, convention in inspect.get_annotations(Methods).items():
        setattr(cls, name, _method(name, getattr(tensors, name), globals()[convention]))


def _method(name: str, function: Callable[..., Any], convention: type[Any]) -> Callable[..., Any]:
    """Return the function itself if it takes what its method takes, a translation otherwise."""
    kinds = inspect.Parameter
    wanted = list(inspect.signature(convention.__call__).parameters.values())[1:]
    given = list(inspect.signature(function).parameters.values())[1:]
    places = [p for p in wanted if p.kind is not kinds.KEYWORD_ONLY]
    if all(p.kind is not kinds.KEYWORD_ONLY for p in given[: len(places)]):
        return function
    operands = sum(p.kind is kinds.POSITIONAL_ONLY for p in places)
    names = [p.name for p in places[operands:]]

    def method(self: Any, *args: Any, **options: Any) -> Any:
        for option, value in zip(names, args[operands:], strict=False):
            if option in options:
                raise OptionError(f"{name} of {describe(self)} got {option!r} twice")
            options[option] = value
        if len(args) > operands + len(names):
            message = f"{name} of {describe(self)} got {len(args)} positional arguments"
            raise OptionError(f"{message}. It takes {', '.join(names)}, the rest by name.")
        return function(self, *args[:operands], **options)

    method.__name__, method.__doc__ = name, function.__doc__
    method.__qualname__ = f"Tensor.{name}"
    method.__signature__ = inspect.signature(convention.__call__)  # type: ignore[attr-defined]
    return method
