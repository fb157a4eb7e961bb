"""Gradients of functions, and products with their transposed Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from autodiff.errors import typed_calls
from autodiff.func.linearize import Linearized, ones_like, select, select_or_all
from autodiff.func.matching import Argnums, check_function, matching, per_argument
from autodiff.tensor import Tensor
from autodiff.trees import flatten

__all__ = ["grad", "value_and_grad", "vjp"]


@typed_calls
def value_and_grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    r"""Return a function that computes ``func`` and its gradient.

    Parameters
    ----------
    func : callable
        Takes tensors, arrays, floats, and nested dicts, lists and tuples of them (trees), and
        returns a real scalar. It is given tensors in their place.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether ``func`` returns a pair ``(scalar, aux)``, of which ``aux`` is handed back
        beside it.

    Returns
    -------
    callable
        Called like ``func``, it returns ``(value, gradients)``, or
        ``((value, aux), gradients)``. ``gradients`` has the structure of the argument (a
        tuple of such where ``argnums`` is a sequence), with tensors
        :math:`\partial f / \partial x` of the shape and dtype of each leaf; zeros for what
        the value does not depend on.

    Raises
    ------
    DTypeError
        If a leaf of a chosen argument is not of a real floating dtype,
        or the result is not.
    OptionError
        If ``argnums`` names an argument that the call does not have.
    ShapeError
        If the result is not a scalar.

    Notes
    -----
    Results can be differentiated again wherever they depend on tensors of an enclosing
    transform, or on tensors that require a gradient, unless inside ``no_grad``. The function
    itself always runs with recording on.

    Examples
    --------
    >>> import autodiff as ad
    >>> def loss(w, x):
    ...     return ((w["scale"] * x + w["shift"]) ** 2).sum()
    >>> value, gradient = ad.func.value_and_grad(loss)({"scale": 2.0, "shift": 1.0}, [1.0, 2.0])
    >>> value.item(), gradient["scale"].item(), gradient["shift"].item()
    (34.0, 26.0, 16.0)
    """
    return _value_and_grad("value_and_grad", func, argnums, has_aux)


def _value_and_grad(
    transform: str, func: Callable[..., Any], argnums: Argnums, has_aux: bool
) -> Callable[..., Any]:
    check_function(transform, func)

    @wraps(func, updated=())
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = select(transform, argnums, len(args))
        with Linearized(transform, func, args, chosen, kwargs, has_aux=has_aux) as run:
            output = run.scalar()
            create = run.wants_graph([output])
            aux = [leaf for _, leaf in flatten(run.aux) if isinstance(leaf, Tensor)]
            gradients = run.pull(
                [ones_like(output)],
                create_graph=create,
                retain_graph=create or run.wants_graph(aux),
            )
            value, kept, gradients = run.finish(output, run.aux, gradients)
            result = per_argument(run.split(gradients), argnums)
            return ((value, kept) if has_aux else value), result

    return with_gradient


@typed_calls
def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    r"""Return a function that computes the gradient of ``func``.

    Parameters
    ----------
    func : callable
        Returns a real scalar; see :func:`value_and_grad`, also for what is raised.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether ``func`` returns a pair ``(scalar, aux)``; the new function then returns
        ``(gradients, aux)``.

    Returns
    -------
    callable
        Called like ``func``, it returns :math:`\partial f / \partial x` in the structure of
        the argument.

    Examples
    --------
    >>> import autodiff as ad
    >>> cube = lambda x: x ** 3
    >>> ad.func.grad(cube)(2.0).item(), ad.func.grad(ad.func.grad(cube))(2.0).item()
    (12.0, 12.0)
    """
    both = _value_and_grad("grad", func, argnums, has_aux)

    @wraps(func, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


@typed_calls
def vjp(
    func: Callable[..., Any],
    *primals: Any,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    r"""Compute ``func(*primals)``, and a function for products with its transposed Jacobian.

    Parameters
    ----------
    func : callable
        Takes trees of tensors, and returns a tree of tensors.
    *primals : trees
        The arguments.
    argnums : int or sequence of int, optional
        Those to differentiate with respect to; all of them where None.
    has_aux : bool
        Whether ``func`` returns a pair ``(result, aux)``.

    Returns
    -------
    result : tree of Tensor
        ``func(*primals)``.
    pullback : callable
        ``pullback(cotangent)``, for a cotangent :math:`u` of the structure and shapes of the
        result, is the tuple of :math:`u^\top \partial f / \partial x_i`, one for each chosen
        primal and of its structure (that alone where ``argnums`` is one number). It can be
        called many times.
    aux : Any
        Where ``has_aux``.

    Raises
    ------
    DTypeError
        If a leaf of a primal is not of a real floating dtype,
        or one of the result is not floating.
    ShapeError
        If a cotangent's structure or shapes are not the result's.

    Examples
    --------
    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0])
    >>> result, pullback = ad.func.vjp(lambda x, y: x * y, x, 3.0)
    >>> [product.tolist() for product in pullback([1.0, 10.0])]
    [[3.0, 30.0], 21.0]
    """
    check_function("vjp", func)
    chosen = select_or_all("vjp", argnums, len(primals))
    with Linearized("vjp", func, primals, chosen, {}, has_aux=has_aux) as run:
        value, aux = run.finish(run.value(), run.aux)

    def pullback(cotangent: Any) -> Any:
        upstream = matching("vjp", "cotangent", cotangent, run.result, run.outputs)
        with run.reopen() as again:
            create = again.wants_graph([*again.outputs, *upstream])
            gradients = again.pull(upstream, create_graph=create, retain_graph=True)
            (gradients,) = again.finish(gradients)
            return per_argument(again.split(gradients), argnums)

    return (value, pullback, aux) if has_aux else (value, pullback)
