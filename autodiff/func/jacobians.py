"""Jacobians and Hessians of functions, whole or as products, by differentiating pullbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from autodiff.engine.modes import enable_grad
from autodiff.engine.node import Node, clock
from autodiff.errors import NoGradientError, describe, typed_calls
from autodiff.func.linearize import (
    Linearized,
    ones_like,
    select,
    select_or_all,
    variable,
    zeros_like,
)
from autodiff.func.matching import (
    Argnums,
    check_arguments,
    check_function,
    matching,
    per_argument,
)
from autodiff.namespace import tensors
from autodiff.tensor import Tensor
from autodiff.trees import rebuild

__all__ = ["hessian", "hvp", "jacobian", "jvp"]


@typed_calls
def jvp(
    func: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    r"""Compute ``func(*primals)`` and the product of its Jacobian with the tangents.

    The pullback :math:`u \mapsto u^\top J` is linear in :math:`u`, so its own pullback at
    :math:`v` is :math:`J v`: the product needs no rules beside those of the backward pass.

    Parameters
    ----------
    func : callable
        Takes trees of tensors, and returns a tree of tensors.
    primals : tuple or list of trees
        The positional arguments.
    tangents : tuple or list of trees
        The direction :math:`v`: one for each chosen primal, of its structure and shapes.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate with respect to; all of them where None.
    has_aux : bool
        Whether ``func`` returns a pair ``(result, aux)``.

    Returns
    -------
    result : tree of Tensor
        ``func(*primals)``.
    tangent : tree of Tensor
        :math:`\sum_i (\partial f / \partial x_i) v_i`, of the structure of the result.
    aux : Any
        Where ``has_aux``.

    Raises
    ------
    DTypeError
        If a leaf of a primal is not of a real floating dtype,
        or one of the result is not floating.
    OptionError
        If primals or tangents are not tuples or lists.
    ShapeError
        If the tangents' structure or shapes are not the primals'.

    Examples
    --------
    >>> import autodiff as ad
    >>> value, tangent = ad.func.jvp(lambda x, y: x * x * y, (3.0, 2.0), (1.0, 10.0))
    >>> value.item(), tangent.item()
    (18.0, 102.0)
    """
    check_function("jvp", func)
    check_arguments("jvp", primals, tangents)
    chosen = select_or_all("jvp", argnums, len(primals))
    with Linearized("jvp", func, primals, chosen, {}, has_aux=has_aux) as run:
        varied = tuple(primals[i] for i in chosen)
        directions = matching("jvp", "tangents", tuple(tangents), varied, run.variables)
        # The cotangents are variables at 0: their values do not matter.
        since = clock()
        cotangents = [variable(zeros_like(output).array) for output in run.outputs]
        own: list[Any] = [u.node for u in cotangents]
        pulled = run.pull(cotangents, create_graph=True, retain_graph=True)
        create = run.wants_graph([*run.outputs, *directions], own)
        products = run.carry(
            _by_node(pulled, directions, create_graph=create),
            cotangents,
            since=since,
            create_graph=create,
            retain_graph=True,
        )
        value, aux, products = run.finish(run.value(), run.aux, products, own=own)
        for node in own:
            node.open = 0
        tangent = rebuild(run.result, products)
        return (value, tangent, aux) if has_aux else (value, tangent)


@typed_calls
def jacobian(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    r"""Return a function that computes the Jacobian of ``func``.

    It takes one backward pass for each element of the result.

    Parameters
    ----------
    func : callable
        Takes trees of tensors, and returns a tree of real tensors.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether ``func`` returns a pair ``(result, aux)``; the new function then returns
        ``(jacobian, aux)``.

    Returns
    -------
    callable
        Called like ``func``, it returns, for a result of shape ``(O,)`` and an argument of
        shape ``(I,)``, :math:`J_{oi} = \partial f_o / \partial x_i` of shape ``(O, I)``; ``O``
        and ``I`` stand for any number of axes. For trees it returns the tree of the result,
        with the tree of the argument in place of each leaf.

    Raises
    ------
    DTypeError
        If a leaf of a chosen argument is not of a real floating dtype,
        or one of the result is not floating.
    NoGradientError
        If the result is complex.
    OptionError
        If ``argnums`` names an argument that the call does not have.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.func.jacobian(lambda x: x * x)(ad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]], dtype=float32)
    """
    return _jacobian("jacobian", func, argnums, has_aux)


def _jacobian(
    transform: str, func: Callable[..., Any], argnums: Argnums, has_aux: bool
) -> Callable[..., Any]:
    check_function(transform, func)

    @wraps(func, updated=())
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen = select(transform, argnums, len(args))
        with Linearized(transform, func, args, chosen, kwargs, has_aux=has_aux) as run:
            for path, output in zip(run.output_paths, run.outputs, strict=True):
                if output.dtype.kind == "c":
                    message = f"{transform}: {path} is complex ({describe(output)})"
                    remedy = "Return its real and imaginary parts, or use jvp"
                    raise NoGradientError(f"{message}. {remedy}.")
            create = run.wants_graph(run.outputs)
            blocks = [_rows(run, k, create_graph=create) for k in range(len(run.outputs))]
            blocks, aux = run.finish(blocks, run.aux)
            split = [per_argument(run.split(block), argnums) for block in blocks]
            result = rebuild(run.result, split)
            return (result, aux) if has_aux else result

    return jacobian_of


def _rows(run: Linearized, k: int, *, create_graph: bool) -> list[Tensor]:
    """Return the derivatives of the k-th output with respect to each variable."""
    output = run.outputs[k]
    upstream: list[Tensor | None] = [None] * len(run.outputs)
    rows = []
    for i in range(output.size):
        unit = zeros_like(output)
        unit.array.reshape(-1)[i] = 1
        upstream[k] = unit
        rows.append(run.pull(upstream, create_graph=create_graph, retain_graph=True))
    blocks = []
    for i, x in enumerate(run.variables):
        shape = (*output.shape, *x.shape)
        if not rows:
            blocks.append(zeros_like(x, shape))
        else:
            with enable_grad():
                blocks.append(tensors.stack([row[i] for row in rows]).reshape(shape))
    return blocks


@typed_calls
def hessian(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    r"""Return a function that computes the Hessian of ``func``: the Jacobian of its Jacobian.

    Parameters
    ----------
    func : callable
        Usually returns a real scalar; see :func:`jacobian`, also for what is raised.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether ``func`` returns a pair ``(result, aux)``; the new function then returns
        ``(hessian, aux)``.

    Returns
    -------
    callable
        Called like ``func``, it returns
        :math:`H_{ij} = \partial^2 f / \partial x_i \partial x_j` of shape ``(I, I)`` for an
        argument of shape ``(I,)``; for trees, the tree of the argument with the tree of the
        argument in place of each leaf.

    Examples
    --------
    >>> import autodiff as ad
    >>> ad.func.hessian(lambda x: (x ** 3).sum())(ad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]], dtype=float32)
    """
    inner = _jacobian("hessian", func, argnums, has_aux)
    return _jacobian("hessian", inner, argnums, has_aux)


@typed_calls
def hvp(
    func: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    r"""Compute ``func(*primals)`` and the product of its Hessian with the tangents.

    It takes two backward passes, whatever the size of the Hessian, which is never formed.

    Parameters
    ----------
    func : callable
        Takes trees of tensors, and returns a real scalar.
    primals : tuple or list of trees
        The positional arguments.
    tangents : tuple or list of trees
        The direction :math:`v`: one for each chosen primal, of its structure and shapes.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate with respect to; all of them where None.
    has_aux : bool
        Whether ``func`` returns a pair ``(scalar, aux)``.

    Returns
    -------
    value : Tensor
        ``func(*primals)``.
    product : tuple of trees of Tensor
        :math:`\sum_j (\partial^2 f / \partial x_i \partial x_j) v_j`, one for each chosen
        primal (that alone where ``argnums`` is one number).
    aux : Any
        Where ``has_aux``.

    Raises
    ------
    DTypeError
        If a leaf of a primal is not of a real floating dtype,
        or one of the result is not floating.
    OptionError
        If primals or tangents are not tuples or lists.
    ShapeError
        If the result is not a scalar, or the tangents' structure or shapes are not the
        primals'.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0])
    >>> v = ad.tensor([1.0, 10.0])
    >>> value, (product,) = ad.func.hvp(lambda x: (x ** 3).sum(), (x,), (v,))
    >>> value.item(), product.tolist()
    (9.0, [6.0, 120.0])
    """
    check_function("hvp", func)
    check_arguments("hvp", primals, tangents)
    chosen = select_or_all("hvp", argnums, len(primals))
    with Linearized("hvp", func, primals, chosen, {}, has_aux=has_aux) as run:
        output = run.scalar()
        varied = tuple(primals[i] for i in chosen)
        directions = matching("hvp", "tangents", tuple(tangents), varied, run.variables)
        first = run.pull([ones_like(output)], create_graph=True, retain_graph=True)
        create = run.wants_graph([output, *directions])
        products = run.carry(
            _by_node(first, directions, create_graph=create),
            run.variables,
            since=run.since,
            create_graph=create,
            retain_graph=True,
        )
        value, aux, products = run.finish(output, run.aux, products)
        result = per_argument(run.split(products), argnums)
        return (value, result, aux) if has_aux else (value, result)


def _by_node(
    outputs: Sequence[Tensor], upstream: Sequence[Tensor], *, create_graph: bool
) -> dict[Node, Any]:
    """Return the upstream gradients of the outputs that are part of a graph."""
    pairs = zip(outputs, upstream, strict=True)
    return {y.node: g if create_graph else g.array for y, g in pairs if y.node is not None}
