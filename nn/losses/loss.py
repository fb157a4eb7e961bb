"""What all losses share: the reduction, the checks of their operands, the layer's base."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.checks import located
from nn.module import Module

__all__ = ["Loss", "check_positive", "check_reduction", "operands", "reduced", "same_shapes"]

REDUCTIONS: tuple[str, ...] = ("mean", "sum", "none")


class Loss(Module):
    """The base of the losses' layers: they keep options and call the function.

    An error says where the layer is (``CTCLoss 'head.loss': ctc_loss(...): ...``).

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        The mean of the losses (0 if there are none), their sum, or the losses themselves.
    """

    reductions = REDUCTIONS

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in vars(cls):
            cls.forward = located(cls.forward)  # type: ignore[method-assign]

    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(type(self).__name__, reduction, self.reductions)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the options, where they are numbers, words or switches."""
        hidden = {"training"}
        return ", ".join(
            f"{name}={value!r}"
            for name, value in self.__dict__.items()
            if isinstance(value, (bool, int, float, str)) and name not in hidden
        )


def check_reduction(operation: str, reduction: str, known: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise OptionError for an unknown reduction."""
    if not isinstance(reduction, str) or reduction not in known:
        message = f"{operation}: the reduction {reduction!r} is unknown"
        raise ad.OptionError(f"{message}. Give {', '.join(map(repr, known))}.")


def check_positive(operation: str, name: str, value: float) -> None:
    """Raise DomainError unless an option is above 0."""
    if not isinstance(value, (int, float)) or not value > 0:
        raise ad.DomainError(f"{operation}: {name} is {value!r}. Give a number above 0.")


def operands(operation: str, *given: Any, names: tuple[str, ...]) -> list[ad.Tensor]:
    """Make tensors of a loss's operands; the first decides the dtype of what has none.

    Lists and integers take the dtype of the input, so that labels in integers do not make a
    float32 loss a float64 one.

    Raises
    ------
    DTypeError
        If one is no array of numbers, or the input is not of real floats.
    """
    tensors: list[ad.Tensor] = []
    for value, name in zip(given, names, strict=True):
        dtype = tensors[0].dtype if tensors else None
        try:
            tensor = ad.asarray(value, dtype=None if hasattr(value, "dtype") else dtype)
        except ad.AutodiffError as error:
            raise type(error)(f"{operation}: {name}: {error}") from error
        if tensors and tensor.dtype.kind in "biu":
            tensor = ad.astype(tensor, dtype)
        if tensor.dtype.kind != "f":
            described = describe_call(operation, [*tensors, tensor], names)
            message = f"{described}: the {name} is not of real floats"
            raise ad.DTypeError(f"{message}. Cast it with .astype(autodiff.float32).")
        tensors.append(tensor)
    return tensors


def same_shapes(operation: str, input: Any, target: Any) -> tuple[ad.Tensor, ad.Tensor]:
    """Make tensors of input and target; raise unless their shapes are the same.

    They are not broadcast: ``(N, 1)`` against ``(N,)`` would silently compare every output
    with every target.
    """
    names = ("input", "target")
    x, y = operands(operation, input, target, names=names)
    if x.shape != y.shape:
        message = f"{describe_call(operation, [x, y], names)}: the shapes differ"
        raise ad.ShapeError(f"{message}. Reshape the target to {x.shape}.")
    return x, y


def reduced(losses: ad.Tensor, reduction: str) -> ad.Tensor:
    """Take the mean (0 of nothing), the sum, or the losses as they are."""
    if reduction == "none":
        return losses
    if reduction == "sum" or not losses.size:
        return ad.sum(losses)
    return ad.mean(losses)


def describe_call(operation: str, tensors: list[ad.Tensor], names: tuple[str, ...]) -> str:
    """Name a call as error messages do: ``mse_loss(input: (2,) float32, ...)``."""
    described = zip(names, map(ad.errors.describe, tensors), strict=False)
    return f"{operation}({', '.join(f'{name}: {text}' for name, text in described)})"
