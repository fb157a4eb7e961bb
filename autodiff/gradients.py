"""``autodiff.grad``: the gradients of tensors with respect to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.backward import collect, propagate
from autodiff.engine.handover import release
from autodiff.engine.modes import enable_grad
from autodiff.errors import DTypeError, GraphError, OptionError, describe, typed_calls
from autodiff.tensor import Tensor, upstream_gradient

__all__ = ["grad"]


@typed_calls
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    r"""Compute the gradients of outputs with respect to inputs, and return them.

    For outputs :math:`y_k` with upstream gradients :math:`g_k` it returns for each input
    :math:`x_i`

    .. math:: \sum_k \left(\frac{\partial y_k}{\partial x_i}\right)^{\!\top} g_k .

    No tensor's ``.grad`` is changed.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        What to differentiate. One tensor may stand there several times.
    inputs : Tensor or sequence of Tensor
        With respect to what: leaves, or tensors in the middle of the graph.
    grad_outputs : array_like, or sequence of array_like or None, optional
        The upstream gradient of each output, of its shape. None means 1, for outputs of one
        element.
    retain_graph : bool, optional
        Keep what the graph saved, for another backward pass; at first as ``create_graph``.
    create_graph : bool
        Record the backward pass too, so that the gradients can be differentiated again.
    allow_unused : bool
        Return None for an input that the outputs do not depend on, rather than raise.

    Returns
    -------
    tuple of Tensor or None
        One gradient for each input, of its shape and dtype; a tuple also for one input.

    Raises
    ------
    GraphError
        If an output or an input does not require a gradient, the outputs do not depend on
        an input, the graph was freed, or an output of several elements has no upstream
        gradient.
    MutationError
        If an array that a rule needs was overwritten.
    ShapeError
        If an upstream gradient has not its output's shape.

    See Also
    --------
    autodiff.func.grad : the same for functions in place of tensors.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> (first,) = ad.grad(x ** 3, x, create_graph=True)
    >>> (second,) = ad.grad(first, x)
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    results = _listed("outputs", outputs)
    variables = _listed("inputs", inputs)
    for name, tensors in (("outputs", results), ("inputs", variables)):
        for i, tensor in enumerate(tensors):
            _check_in_graph(f"{name}[{i}]", tensor)
    upstream: dict[Any, Any] = {}
    given = _upstream(results, grad_outputs)
    for output, g in zip(results, given, strict=True):
        part = g if create_graph else g.array
        if output.node in upstream:
            with enable_grad():
                part = upstream[output.node] + part
        upstream[output.node] = part
    if not upstream or not variables:
        return ()
    if not allow_unused:  # before anything is freed
        reached = set(collect(upstream))
        for i, variable in enumerate(variables):
            if variable.node not in reached:
                raise _unused(i, variable)
    found = propagate(
        upstream,
        {variable.node for variable in variables if variable.node is not None},
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    for i, variable in enumerate(variables):
        if variable.node not in found and not allow_unused:
            raise _unused(i, variable)
    return tuple(_owned(found, variable.node, create_graph) for variable in variables)


def _unused(i: int, variable: Any) -> GraphError:
    message = f"grad: the outputs do not depend on inputs[{i}] ({_called(variable)})"
    return GraphError(
        f"{message}. Take it out of inputs, pass allow_unused=True to get None for it, "
        "or check that it was not replaced or detached on the way."
    )


def _owned(found: dict[Any, Any], node: Any, create_graph: bool) -> Tensor | None:
    if node not in found:
        return None
    g = found[node]
    if create_graph:
        with enable_grad():
            return release(g)  # type: ignore[no-any-return]
    return make_tensor(release(g))


def _listed(name: str, given: Any) -> list[Any]:
    tensors = [given] if isinstance(given, Tensor) else given
    if not isinstance(tensors, list | tuple):
        try:
            tensors = list(tensors)  # a generator, model.parameters() say
        except TypeError:
            tensors = [given]
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            message = f"grad: {name}[{i}] is not a tensor but {describe(tensor)}"
            remedy = "Give a Tensor or a sequence of them. autodiff.func.grad takes functions"
            raise DTypeError(f"{message}. {remedy}.")
    return list(tensors)


def _check_in_graph(where: str, tensor: Any) -> None:
    if tensor.node is None:
        message = f"grad: {where} ({_called(tensor)}) does not require a gradient"
        remedy = "Set requires_grad=True on it before it is used in the computation"
        if where.startswith("outputs"):
            remedy = (
                "Set requires_grad=True on what it is computed from, and compute it outside of "
                "no_grad() and without detach()"
            )
        raise GraphError(f"{message}. {remedy}.")


def _called(tensor: Any) -> str:
    named = f"{tensor.name!r}, " if tensor.name is not None else ""
    return f"{named}{describe(tensor)}"


def _upstream(outputs: list[Any], given: Any) -> list[Tensor]:
    if given is None:
        gradients: list[Any] = [None] * len(outputs)
    elif isinstance(given, list | tuple) and not (len(outputs) == 1 and _is_one_array(given)):
        gradients = list(given)
    else:
        gradients = [given]
    if len(gradients) != len(outputs):
        message = f"grad: {len(outputs)} outputs, but {len(gradients)} grad_outputs"
        raise OptionError(f"{message}. Give one for each output; None stands for 1.")
    pairs = enumerate(zip(outputs, gradients, strict=True))
    return [upstream_gradient(output, g, f"grad: outputs[{i}]") for i, (output, g) in pairs]


def _is_one_array(given: Any) -> bool:
    """Tell a list of numbers, which is one gradient, from a list of gradients."""
    first = given[0] if given else None
    return len(given) != 1 and isinstance(first, int | float | np.generic)
