"""The tensor: the handle a user holds, with NumPy's operators and PyTorch's autograd verbs.

A tensor is an array, and the node of the graph that made it. Its operators and most of its
methods *are* functions of the package: :mod:`autodiff.operators` and :mod:`autodiff.methods` list
which.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autodiff import methods, numpy_protocol, operators
from autodiff.arguments import is_operand, to_array
from autodiff.engine.apply import make_tensor, use_handle
from autodiff.engine.backward import accumulate
from autodiff.engine.modes import local
from autodiff.engine.node import Handle, Leaf, Node, clock, mark_changed
from autodiff.engine.operands import constant
from autodiff.errors import (
    DomainError,
    DTypeError,
    GraphError,
    NoGradientError,
    OptionError,
    ScalarError,
    ShapeError,
    describe,
    explain,
    typed_calls,
)
from autodiff.names import TENSOR, CalledHere
from autodiff.namespace import namespace_of, tensors
from autodiff.primitives import arithmetic, indexing, joining, logic, products, shapes

__all__ = ["Tensor"]


class RemovableHandle:
    """What ``register_hook`` returns: ``remove()`` takes the hook off again."""

    def __init__(self, hooks: dict[int, Callable[[Any], Any]], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        self._hooks.pop(self._key, None)


class Tensor(Handle, operators.Operators, methods.Methods):
    """An n-dimensional array that remembers how it was computed.

    Parameters
    ----------
    data : number, nested list of numbers, ndarray, Tensor, or another library's array
        Copied. Python floats become the default dtype (float32 unless changed), ints
        int64; arrays keep their dtype.
    requires_grad : bool
        Whether ``backward()`` shall compute a gradient for it. Real floating dtypes only.
    dtype : dtype, optional
        Cast to it.
    name : str, optional
        A name for pictures and messages.

    Attributes
    ----------
    array : numpy.ndarray
        The raw array, for reading. Writes into it can't be seen: a backward pass that needs
        the former values would be silently wrong. Write ``with no_grad(): t[...] = value``.
    node : Node or None
        The node of the graph through which its gradient flows.

    Raises
    ------
    DTypeError
        If the data holds no numbers, or a gradient is asked for integers or complex numbers.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    tensor([2., 4., 6.], dtype=float32)
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        array = to_array(data, dtype)
        if array is data or np.may_share_memory(array, getattr(data, "array", data)):
            array = array.copy()
        self.array = array
        self.node = None
        if requires_grad:
            self.node = _leaf(array)
        if name is not None:
            self.name = name

    # -- what it is --------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.array.nbytes  # type: ignore[no-any-return]

    @property
    def device(self) -> Any:
        """Where the array lives: ``"cpu"`` for NumPy's."""
        return getattr(self.array, "device", "cpu")

    @property
    def data(self) -> Any:
        """The array, detached from the graph.

        Assigning (``t.data = array``, ``t.data -= step``) changes the value behind the
        graph's back. Either counts as overwriting the former array, even where another one
        takes its place: the tensor no longer has the value that the graph was computed with,
        and a backward pass that needs it raises :class:`~autodiff.errors.MutationError`.
        Writes into the array itself (``t.data[0] = 1``) can't be seen; use
        ``with no_grad(): t[0] = 1`` instead.

        Raises
        ------
        ShapeError, DTypeError
            If the tensor takes part in a graph and the array is of another shape or dtype.
        """
        return self.array

    @data.setter
    def data(self, value: Any) -> None:
        array = to_array(value, None)
        node = self.node
        if node is not None and (array.shape != node.shape or array.dtype != node.dtype):
            message = f"data: {describe(array)} can't replace {describe(self.array)}"
            misfit = DTypeError if array.shape == node.shape else ShapeError
            raise misfit(f"{message} in a tensor that takes part in a graph. Detach it first.")
        mark_changed(self.array)
        self.array = array

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, value: bool = True) -> Tensor:
        """Ask for a gradient, or no longer; returns the tensor itself."""
        if value and self.node is None:
            self.node = _leaf(self.array)
            if self.name is not None:
                self.node.annotated().name = self.name
        elif not value and self.node is not None:
            if not self.is_leaf:
                message = f"the result of {self.node.operation} can't stop requiring a gradient"
                raise GraphError(f"{message}. Use .detach() for a tensor outside of the graph.")
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None or isinstance(self.node, Leaf)

    @property
    def name(self) -> str | None:
        """The name shown in pictures and messages."""
        try:
            return self.label
        except AttributeError:
            return None

    @name.setter
    def name(self, value: str | None) -> None:
        if value is not None and not isinstance(value, str):
            raise DTypeError(f"name: {value!r} is no text. Give a str, or None for no name.")
        self.label = value
        if self.node is not None:
            self.node.annotated().name = value

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have accumulated, or None.

        Only leaves have one, and tensors on which ``retain_grad()`` was called.
        """
        node = self.node
        if isinstance(node, Leaf):
            return node.grad  # type: ignore[no-any-return]
        return node.notes.grad if node is not None and node.notes is not None else None

    @grad.setter
    def grad(self, value: Any) -> None:
        node = self.node
        if node is None:
            if value is None:
                return
            message = "grad can't be set on a tensor that does not require one"
            raise GraphError(f"{message}. Set requires_grad = True first.")
        if value is not None:
            value = value.detach().clone() if isinstance(value, Tensor) else Tensor(value)
            message = f"grad: {describe(value)} does not fit the tensor's {describe(self)}"
            if value.shape != node.shape:
                raise ShapeError(f"{message}. Give a gradient of the same shape.")
            if value.dtype != node.dtype:
                raise DTypeError(f"{message}. Cast it with .astype(autodiff.{node.dtype}).")
        holder: Any = node if isinstance(node, Leaf) else node.annotated()
        holder.grad = value

    # -- gradients ---------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Compute the gradient of this tensor with respect to every leaf it depends on.

        Each leaf's is added to its ``.grad``.

        Parameters
        ----------
        gradient : array_like, optional
            The upstream gradient, of this tensor's shape. May be left out for a tensor of
            one element: then it is 1.
        retain_graph : bool, optional
            Keep what the graph saved, for another backward pass; at first as
            ``create_graph``.
        create_graph : bool
            Record the backward pass too, so that gradients can be differentiated again.

        Raises
        ------
        GraphError
            If no gradient flows here, the graph was freed, or a gradient is needed and
            missing.
        MutationError
            If an array that a rule needs was overwritten.
        ShapeError
            If the gradient's shape is not the tensor's.

        Notes
        -----
        A pass that raises changes no ``.grad``. What the graph saved stays where a hook or a
        rule of the user's may raise; elsewhere a part of it may be gone.

        Examples
        --------
        >>> import autodiff as ad
        >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
        >>> (x ** 2).backward([1.0, 10.0])
        >>> x.grad
        tensor([ 2., 40.], dtype=float32)
        """
        node = self._required_node("backward from")
        upstream = upstream_gradient(self, gradient, "backward")
        accumulate(
            {node: upstream if create_graph else upstream.array},
            retain_graph=create_graph if retain_graph is None else retain_graph,
            create_graph=create_graph,
        )

    def zero_grad(self) -> None:
        """Forget the accumulated gradient."""
        self.grad = None

    def retain_grad(self) -> None:
        """Keep this tensor's gradient in ``.grad`` although it is not a leaf."""
        node = self._required_node("retain_grad on")
        if not self.is_leaf:
            node.annotated().retains_grad = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(gradient)`` when a backward pass has this tensor's gradient.

        Where the hook returns a tensor, that takes the gradient's place.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook off.

        Examples
        --------
        >>> import autodiff as ad
        >>> x = ad.tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> (x * x).backward()
        >>> x.grad.item()
        60.0
        """
        if not callable(hook):
            message = f"register_hook: {hook!r} can't be called"
            raise OptionError(f"{message}. Give a function of the gradient.")
        hooks = self._required_node("register_hook on").annotated().hooks
        key = clock()  # never given twice: a handle removes its own hook alone
        hooks[key] = hook
        return RemovableHandle(hooks, key)

    def _required_node(self, what: str) -> Node:
        """Return the node, or say that no gradient flows here and ``what`` needs one."""
        if self.node is None:
            message = f"{what} a tensor ({describe(self)}) that does not require a gradient"
            raise GraphError(f"{message}. Set requires_grad=True on what it is computed from.")
        return self.node

    def detach(self) -> Tensor:
        """Return a tensor of the same array, outside of the graph."""
        return make_tensor(self.array)

    def clone(self) -> Tensor:
        """Return a copy; gradients flow through it."""
        return arithmetic.copy(self)

    # -- out of the engine -------------------------------------------------------------

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the NumPy array itself, not a copy.

        Raises
        ------
        GraphError
            If the tensor requires a gradient: say ``.detach().numpy()``.
        """
        if self.node is not None:
            message = "a tensor that requires a gradient can't become an ndarray"
            raise GraphError(f"{message}: its graph would be lost. Use .detach().numpy().")
        return np.asarray(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return np.array(array, dtype=dtype, copy=copy)

    def item(self, *index: int) -> Any:
        """Return one element as a Python number.

        Raises
        ------
        ShapeError
            If there are several elements, or none, and no index says which.
        IndexingError
            If the index is out of range.
        """
        if not index and self.size != 1:
            raise self._not_one_element("item")
        try:
            return self.array.item(*index)
        except (ValueError, IndexError) as error:
            raise explain("item", [self], error) from error

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return self.array.tolist()

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.ndim:
            message = f"only a 0-d integer tensor can be an index, not {describe(self)}"
            raise DTypeError(f"{message}. Use .item() or .astype(int).")
        return int(self.array)

    def _scalar(self, kind: str) -> Any:
        if self.size != 1:
            raise self._not_one_element(kind)
        value = self.array.reshape(())[()]
        if kind != "complex" and self.dtype.kind == "c":
            message = f"{kind}(): {describe(self)} is complex"
            raise DTypeError(f"{message}. Take .real, .imag or abs() first.")
        return value

    def _not_one_element(self, kind: str) -> ScalarError:
        message = f"{kind}(): only a tensor of one element converts, not {describe(self)}"
        return ScalarError(f"{message}. Index it, or reduce it with .sum() or .mean().")

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name not in TENSOR]

    def __round__(self, decimals: int | None = None) -> Tensor:
        return tensors.round(self, decimals=decimals or 0)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        if self.size != 1:
            message = f"bool(): the truth value of {describe(self)} is ambiguous"
            raise ScalarError(f"{message}. Use .any() or .all(), or .size for emptiness.")
        return bool(self.array)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise DTypeError("len() of a 0-d tensor: it has no axis. Use .size.")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            message = "iteration over a 0-d tensor"
            raise DTypeError(f"{message}. Use .item() for its value.")
        return iter(joining.unstack(self))

    def __contains__(self, value: Any) -> bool:
        return is_operand(value) and bool((self.array == constant(value)).any())

    # Comparison is elementwise, but with what is no array or number (``t == None``) it is
    # Python's, False; hashing stays by identity, so that tensors can be keys.

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return logic.equal(self, other) if is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return logic.not_equal(self, other) if is_operand(other) else NotImplemented

    __hash__ = object.__hash__

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return other // self, other % self

    def __copy__(self) -> Tensor:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            message = f"deepcopy of the result of {self.node.operation}"  # type: ignore[union-attr]
            raise GraphError(
                f"{message}: only leaves can be copied deeply. Use .detach() or .clone()."
            )
        copied = _restore(type(self), self.array.copy(), self.requires_grad, self.name)
        if self.grad is not None:
            copied.grad = self.grad
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            message = f"pickling the result of {self.node.operation}"  # type: ignore[union-attr]
            raise GraphError(f"{message}: only leaves can be pickled. Use .detach() first.")
        return _restore, (type(self), self.array, self.requires_grad, self.name)

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self.array), separator=", ", prefix="tensor(")
        parts = [body, f"dtype={self.dtype}"]
        if self.size == 0 and self.ndim > 1:
            parts.insert(1, f"shape={self.shape}")
        if self.node is not None:
            parts.append("requires_grad=True")
            if not self.is_leaf:
                parts.append(f"op={self.node.operation}")
        if self.name is not None:
            parts.append(f"name={self.name!r}")
        return f"tensor({', '.join(parts)})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self.item(), spec)

    # -- indexing ----------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Tensor:
        return indexing.getitem(self, index=indexing.plain_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_rebindable("x[i] = v")
        index = indexing.plain_index(index)
        if local.mode.recording:
            self._rebind(indexing.setitem(self, value, index=index))
            return
        raw = constant(value, [self])
        try:
            indexing.write(namespace_of(self.array), self.array, index, raw)
        except Exception as error:
            self._check_writable("x[i] = v")
            raise explain("setitem", [self, raw], error, ["x", "value"]) from error
        mark_changed(self.array)

    def _rebind(self, result: Tensor) -> None:
        """Become another tensor: what an in-place operator does while recording."""
        self.array = result.array
        self.node = result.node
        if self.node is not None and self.name is not None:
            self.node.annotated().name = self.name

    def _check_rebindable(self, what: str) -> None:
        if isinstance(self.node, Leaf) and local.mode.recording:
            message = f"{what} on a leaf that requires a gradient would cut it off from its .grad"
            raise GraphError(
                f"{message}. Update it inside `with no_grad():`, or work on x.clone()."
            )

    def _check_writable(self, what: str) -> None:
        if isinstance(self.array, np.ndarray) and not self.array.flags.writeable:
            message = f"{what}: the memory of {describe(self)} is read-only, as a broadcast's is"
            raise DomainError(f"{message}. Work on x.clone().")

    def _in_place(self, operation: Callable[..., Any], other: Any) -> Tensor:
        """``x op= y``: a new node while recording; else a write into the array itself."""
        name = operation.__name__
        if not local.mode.recording:
            value = other.array if isinstance(other, Tensor) else constant(other, [self])
            try:
                kernel = getattr(namespace_of(self.array), name)
                if operation is products.matmul:  # its out= would broadcast the result
                    result = kernel(self.array, value)
                    if np.shape(result) != self.shape:
                        message = f"the result has shape {np.shape(result)}"
                        raise ValueError(message)  # noqa: TRY301 - explained below
                    np.copyto(self.array, result)
                else:
                    kernel(self.array, value, out=self.array)
            except Exception as error:
                self._check_writable(f"an in-place {name}")
                raise explain(f"in-place {name}", [self, value], error) from error
            mark_changed(self.array)
            return self
        self._check_rebindable(f"an in-place {name}")
        result = operation(self, other)
        if result.shape != self.shape or not np.can_cast(result.dtype, self.dtype, "same_kind"):
            message = f"in-place {name}: {describe(self)} and {describe(other)}"
            misfit = DTypeError if result.shape == self.shape else ShapeError
            raise misfit(
                f"{message} give {describe(result)}, which does not fit in place. "
                f"Write x = {name}(x, y)."
            )
        self._rebind(arithmetic.astype(result, self.dtype, copy=False))
        return self

    def copy_(self, source: Any) -> Tensor:
        """Write another array's values into this tensor, cast and broadcast to fit."""
        self[...] = source
        return self

    # -- the array API standard ----------------------------------------------------------

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2022.12", "2023.12", "2024.12"):
            message = f"array API version {api_version!r} is not supported. Use '2024.12'."
            raise DTypeError(message)
        # The package imports this module, which so can't import the package.
        return sys.modules["autodiff"]

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()  # type: ignore[no-any-return]

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:  # noqa: ARG002
        """Return the tensor on a device; there is one, ``"cpu"``."""
        if device != self.device:
            message = (
                f"to_device: {device!r} is not available. The tensor lives on {self.device!r}."
            )
            raise DTypeError(message)
        return self

    # -- NumPy's functions on tensors ------------------------------------------------------

    __array_ufunc__ = numpy_protocol.array_ufunc
    __array_function__ = numpy_protocol.array_function

    # -- shapes under NumPy's names ----------------------------------------------------------

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        if self.ndim == 2:
            return shapes.matrix_transpose(self)
        return shapes.permute_dims(self, tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The tensor with its last two axes exchanged."""
        return shapes.matrix_transpose(self)

    def reshape(self, *shape: Any) -> Tensor:
        """Return it in another shape: ``t.reshape(2, 3)`` or ``t.reshape((2, -1))``."""
        return shapes.reshape(self, _flat(shape))

    view = reshape

    def transpose(self, *axes: Any) -> Tensor:
        """Return it with its axes permuted, or reversed where none are given (as NumPy)."""
        order = _flat(axes)
        if not order or order == (None,):
            return self.T
        return shapes.permute_dims(self, order)

    def permute(self, *axes: Any) -> Tensor:
        """Return it with its axes permuted: ``t.permute(2, 0, 1)``."""
        return shapes.permute_dims(self, _flat(axes))

    @property
    def real(self) -> Tensor:
        """The real parts."""
        return tensors.real(self)  # type: ignore[no-any-return]

    @property
    def imag(self) -> Tensor:
        """The imaginary parts."""
        return tensors.imag(self)  # type: ignore[no-any-return]


def _restore(cls: type[Tensor], array: Any, requires_grad: bool, name: str | None) -> Tensor:
    """Make a copied or unpickled leaf, whatever parameters a subclass has."""
    made = object.__new__(cls)
    made.array = array
    made.node = _leaf(array) if requires_grad else None
    if name is not None:
        made.name = name
    return made


def _flat(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Let ``t.reshape(2, 3)`` and ``t.reshape((2, 3))`` mean the same."""
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return tuple(arguments[0])
    return arguments


def _leaf(array: Any) -> Leaf:
    if array.dtype.kind != "f":
        message = f"requires_grad: {describe(array)} is not a real floating dtype"
        remedy = "Cast it with .astype(autodiff.float32)"
        if array.dtype.kind == "c":
            remedy = "Differentiate with respect to its real and imaginary parts: z = re + 1j * im"
        raise DTypeError(f"{message}, and only those have gradients. {remedy}.")
    return Leaf(array.shape, array.dtype)


def upstream_gradient(output: Tensor, gradient: Any, operation: str) -> Tensor:
    """Check and complete the upstream gradient of an output: ones for one element."""
    if gradient is None:
        if output.size != 1:
            message = f"{operation} from a tensor of several elements ({describe(output)})"
            raise GraphError(
                f"{message} needs a gradient of that shape. "
                "Reduce it first (.sum(), .mean()), or pass the gradient."
            )
        if output.dtype.kind == "c":
            message = f"{operation} from a complex tensor ({describe(output)})"
            raise NoGradientError(
                f"{message}: a loss must be real. Take its abs, real or imag part first."
            )
        xp = namespace_of(output.array)
        return make_tensor(xp.ones(output.shape, dtype=output.dtype))
    given = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
    if given.shape != output.shape:
        message = f"{operation}: the gradient is {describe(given)}, the tensor {describe(output)}"
        raise ShapeError(f"{message}. Give a gradient of the tensor's shape.")
    if given.dtype != output.dtype:
        if given.dtype.kind not in "biuf" and output.dtype.kind == "f":
            message = (
                f"{operation}: the gradient is {describe(given)}, the tensor {describe(output)}"
            )
            raise DTypeError(f"{message}. Give a real gradient.")
        given = arithmetic.astype(given, output.dtype)
    return given


def _lead_to_ours(cls: type[Tensor]) -> None:
    """Let what a tensor has under another name say so."""
    for name, advice in TENSOR.items():
        hint = CalledHere(advice)
        hint.__set_name__(cls, name)
        setattr(cls, name, hint)


typed_calls(Tensor)
_lead_to_ours(Tensor)
use_handle(Tensor)
operators.attach(Tensor)
methods.attach(Tensor)
