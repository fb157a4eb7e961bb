"""Tensors made of what is there already: numbers, lists, arrays of NumPy and of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.arguments import adopted, check_device, to_array
from autodiff.engine.apply import make_tensor
from autodiff.errors import DomainError, DTypeError, typed_calls
from autodiff.namespace import tensors
from autodiff.primitives import arithmetic
from autodiff.tensor import Tensor

__all__ = ["asarray", "from_dlpack", "tensor"]


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Make a tensor of a copy of the data.

    Parameters
    ----------
    data : number, nested list of numbers, ndarray or Tensor
    dtype : dtype, optional
        At first: float32 for Python floats, int64 for ints, an array's own.
    requires_grad : bool
        Whether it is a leaf to compute gradients for.
    name : str, optional
        A name for pictures and messages.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]], dtype=int64)
    """
    return Tensor(data, requires_grad, dtype=dtype, name=name)


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Tensor:
    """Make a tensor that shares the data's memory where it can.

    Parameters
    ----------
    obj : number, nested list of numbers, ndarray, Tensor, or an object with a buffer or DLPack
    dtype : dtype, optional
    device : optional
        ``"cpu"`` or None.
    copy : bool, optional
        True: always copy. False: never, raise where that can't be. None: where needed.

    Raises
    ------
    DomainError
        If a copy would be needed and ``copy`` is False.
    DTypeError
        If the data holds no numbers.

    Examples
    --------
    >>> import autodiff as ad, numpy as np
    >>> a = np.zeros(2)
    >>> t = ad.asarray(a)
    >>> a[0] = 7.0
    >>> t
    tensor([7., 0.], dtype=float64)
    """
    check_device("asarray", device)
    if isinstance(obj, Tensor) and copy is not True and dtype in (None, obj.dtype):
        return obj
    if isinstance(obj, Tensor):
        if copy is False:
            message = f"asarray: a cast from {obj.dtype} needs a copy. Leave copy=False out."
            raise DomainError(message)
        return arithmetic.astype(obj, dtype or obj.dtype)
    obj = adopted(obj)
    array = to_array(obj, dtype)
    shared = isinstance(obj, np.ndarray) and np.may_share_memory(array, obj)
    if copy is False and not shared:
        message = f"asarray: {type(obj).__name__} can't become a tensor without a copy"
        raise DomainError(f"{message}. Leave copy=False out.")
    if copy is True and shared:
        array = array.copy()
    return make_tensor(array)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor that shares the memory of another library's array.

    Parameters
    ----------
    x : object with ``__dlpack__``
        A NumPy, PyTorch, JAX, ... array in main memory.
    device : optional
        ``"cpu"`` or None.
    copy : bool, optional
        True: copy. False or None: share.

    Raises
    ------
    DTypeError
        If ``x`` can't be exchanged this way.

    Examples
    --------
    >>> import autodiff as ad, numpy as np
    >>> ad.from_dlpack(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    check_device("from_dlpack", device)
    try:
        array = np.from_dlpack(x)
    except (AttributeError, BufferError, TypeError) as error:
        message = f"from_dlpack: {type(x).__name__} can't be exchanged: {error}"
        raise DTypeError(f"{message}. Give an array in main memory with __dlpack__.") from error
    return make_tensor(array.copy() if copy else array)


for _name in __all__:
    globals()[_name] = typed_calls(globals()[_name])
for _name in ("asarray", "from_dlpack"):
    setattr(tensors, _name, globals()[_name])
