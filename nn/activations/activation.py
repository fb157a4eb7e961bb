"""What activation layers share, and the layers of no function and of any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import autodiff as ad
from nn.checks import as_input, located
from nn.module import Module

__all__ = ["Activation", "Function", "Identity"]


class Activation(Module):
    """A function with options, which are attributes of the layer.

    ``inplace`` is taken as PyTorch's layers take it, and changes nothing: no layer writes
    into its input.
    """

    function: ClassVar[Callable[..., ad.Tensor]]
    _options: tuple[str, ...] = ()

    def __init__(self, inplace: bool = False) -> None:
        del inplace

    def _keep(self, inplace: bool = False, **options: Any) -> None:
        """Make attributes of the function's options."""
        del inplace
        self._options = tuple(options)
        vars(self).update(options)

    @located
    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function to every element (to every slice, for softmax and GLU)."""
        options = {name: getattr(self, name) for name in self._options}
        return type(self).function(as_input(self, x), **options)

    def extra_repr(self) -> str:
        """Return the options."""
        given = ((name, getattr(self, name)) for name in self._options)
        return ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in given
        )


class Identity(Module):
    """Hand the input on, ``y = x``; for the place of a layer that is left out.

    Arguments of the constructor are taken and ignored, as PyTorch's.

    Examples
    --------
    >>> import nn
    >>> nn.Identity(54, unused=True)([1.0])
    [1.0]
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        del args, options

    def forward(self, x: Any) -> Any:
        """Return ``x``."""
        return x


class Function(Module):
    """A function of tensors as a layer: ``Function(autodiff.sin)``.

    Parameters
    ----------
    function : callable
        From a tensor to a tensor.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Function(ad.square)(ad.asarray([3.0]))
    tensor([9.], dtype=float32)
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        if not callable(function):
            message = f"Function: {function!r} can't be called"
            raise ad.OptionError(f"{message}. Give a function of a tensor.")
        self.function = function

    def forward(self, x: Any) -> Any:
        """Return ``function(x)``."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", repr(self.function))
