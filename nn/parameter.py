"""The tensor that a module learns."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.calls import checked

__all__ = ["Parameter"]


class Parameter(ad.Tensor):
    """A tensor that a module learns: it requires a gradient and is found by the module.

    Parameters
    ----------
    data : array_like
        Copied.
    requires_grad : bool
        False for a frozen parameter.
    dtype : dtype, optional
    name : str, optional
        At first the attribute that it is assigned to.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    __slots__ = ()

    @checked
    def __init__(
        self,
        data: Any,
        requires_grad: bool = True,
        *,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(data, requires_grad, dtype=dtype, name=name)
