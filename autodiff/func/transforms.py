"""Functions to functions: gradients, products with Jacobians, Jacobians, Hessians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from autodiff.engine.apply import make_tensor
from autodiff.engine.modes import enable_grad
from autodiff.engine.node import Node, clock
from autodiff.errors import DTypeError, NoGradientError, OptionError, ShapeError, describe
from autodiff.func.linearize import Linearized, select, summary, variable
from autodiff.namespace import namespace_of, tensors
from autodiff.tensor import Tensor
from autodiff.trees import flatten, rebuild

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Argnums = int | Sequence[int]


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
        If a leaf of a chosen argument is not of a real floating dtype.
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
    _check_function(transform, func)

    @wraps(func, updated=())
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = select(transform, argnums, len(args))
        with Linearized(transform, func, args, chosen, kwargs, has_aux=has_aux) as run:
            output = run.scalar()
            create = run.wants_graph([output])
            aux = [leaf for _, leaf in flatten(run.aux) if isinstance(leaf, Tensor)]
            gradients = run.pull(
                [_ones(output)], create_graph=create, retain_graph=create or run.wants_graph(aux)
            )
            value, kept, gradients = run.finish(output, run.aux, gradients)
            result = _per_argument(run.split(gradients), argnums)
            return ((value, kept) if has_aux else value), result

    return with_gradient


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


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    r"""Compute ``func(*primals)``, and a function for products with its transposed Jacobian.

    Parameters
    ----------
    func : callable
        Takes trees of tensors, and returns a tree of tensors.
    *primals : trees
        The arguments, all of which are differentiated.
    has_aux : bool
        Whether ``func`` returns a pair ``(result, aux)``.

    Returns
    -------
    result : tree of Tensor
        ``func(*primals)``.
    pullback : callable
        ``pullback(cotangent)``, for a cotangent :math:`u` of the structure and shapes of the
        result, is the tuple of :math:`u^\top \partial f / \partial x_i`, one for each primal
        and of its structure. It can be called many times.
    aux : Any
        Where ``has_aux``.

    Raises
    ------
    DTypeError
        If a leaf of a primal is not of a real floating dtype.
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
    _check_function("vjp", func)
    with Linearized("vjp", func, primals, range(len(primals)), {}, has_aux=has_aux) as run:
        value, aux = run.finish(run.value(), run.aux)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        upstream = _matching("vjp", "cotangent", cotangent, run.result, run.outputs)
        with run.reopen() as again:
            create = again.wants_graph([*again.outputs, *upstream])
            gradients = again.pull(upstream, create_graph=create, retain_graph=True)
            return tuple(again.split(again.finish(gradients)))

    return (value, pullback, aux) if has_aux else (value, pullback)


def jvp(
    func: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
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
        The direction :math:`v`, of the same structure and shapes.
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
        If a leaf of a primal is not of a real floating dtype.
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
    _check_function("jvp", func)
    _check_arguments("jvp", primals, tangents)
    with Linearized("jvp", func, primals, range(len(primals)), {}, has_aux=has_aux) as run:
        directions = _matching("jvp", "tangents", tuple(tangents), tuple(primals), run.variables)
        # The cotangents are variables at 0: their values do not matter.
        since = clock()
        cotangents = [variable(_zeros_like(output)) for output in run.outputs]
        own: list[Any] = [u.node for u in cotangents]
        pulled = run.pull(cotangents, create_graph=True, retain_graph=True)
        create = run.wants_graph([*run.outputs, *directions], own)
        products = run.carry(
            _by_node(pulled, directions, create_graph=create),
            own,
            since=since,
            create_graph=create,
            retain_graph=True,
        )
        value, aux, products = run.finish(run.value(), run.aux, products, own=own)
        for node in own:
            node.open = 0
        tangent = rebuild(run.result, products)
        return (value, tangent, aux) if has_aux else (value, tangent)


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
        If a leaf of a chosen argument is not of a real floating dtype.
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
    _check_function(transform, func)

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
            split = [_per_argument(run.split(block), argnums) for block in blocks]
            result = rebuild(run.result, split)
            return (result, aux) if has_aux else result

    return jacobian_of


def _rows(run: Linearized, k: int, *, create_graph: bool) -> list[Tensor]:
    """Return the derivatives of the k-th output with respect to each variable."""
    output = run.outputs[k]
    upstream: list[Tensor | None] = [None] * len(run.outputs)
    rows = []
    for i in range(output.size):
        unit = _zeros_like(output)
        unit.reshape(-1)[i] = 1
        upstream[k] = make_tensor(unit)
        rows.append(run.pull(upstream, create_graph=create_graph, retain_graph=True))
    blocks = []
    for i, x in enumerate(run.variables):
        shape = (*output.shape, *x.shape)
        if not rows:
            blocks.append(make_tensor(namespace_of(x.array).zeros(shape, dtype=x.dtype)))
        else:
            with enable_grad():
                blocks.append(tensors.stack([row[i] for row in rows]).reshape(shape))
    return blocks


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


def hvp(
    func: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
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
        The direction :math:`v`, of the same structure and shapes.
    has_aux : bool
        Whether ``func`` returns a pair ``(scalar, aux)``.

    Returns
    -------
    value : Tensor
        ``func(*primals)``.
    product : tuple of trees of Tensor
        :math:`\sum_j (\partial^2 f / \partial x_i \partial x_j) v_j`, one for each primal.
    aux : Any
        Where ``has_aux``.

    Raises
    ------
    DTypeError
        If a leaf of a primal is not of a real floating dtype.
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
    _check_function("hvp", func)
    _check_arguments("hvp", primals, tangents)
    with Linearized("hvp", func, primals, range(len(primals)), {}, has_aux=has_aux) as run:
        output = run.scalar()
        directions = _matching("hvp", "tangents", tuple(tangents), tuple(primals), run.variables)
        first = run.pull([_ones(output)], create_graph=True, retain_graph=True)
        create = run.wants_graph([output, *directions])
        products = run.carry(
            _by_node(first, directions, create_graph=create),
            run.nodes,
            since=run.since,
            create_graph=create,
            retain_graph=True,
        )
        value, aux, products = run.finish(output, run.aux, products)
        result = tuple(run.split(products))
        return (value, result, aux) if has_aux else (value, result)


def _by_node(
    outputs: Sequence[Tensor], upstream: Sequence[Tensor], *, create_graph: bool
) -> dict[Node, Any]:
    """Return the upstream gradients of the outputs that are part of a graph."""
    pairs = zip(outputs, upstream, strict=True)
    return {y.node: g if create_graph else g.array for y, g in pairs if y.node is not None}


# -- checking what is given --------------------------------------------------------------


def _check_function(transform: str, func: Any) -> None:
    if not callable(func):
        message = f"{transform}: the first argument must be a function, not {describe(func)}"
        raise OptionError(f"{message}. autodiff.grad differentiates tensors.")


def _check_arguments(transform: str, primals: Any, tangents: Any) -> None:
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            message = f"{transform}: {name} must be a tuple of positional arguments"
            raise OptionError(f"{message}, not {describe(given)}. Write ({name[:-1]},) for one.")


def _matching(
    transform: str, name: str, given: Any, tree: Any, like: Sequence[Tensor]
) -> list[Tensor]:
    """Return what a tree holds at the leaves of another, as tensors of given shapes and dtypes."""
    pairs = zip(_aligned(transform, given, tree, name), like, strict=True)
    return [_fitting(transform, path, leaf, wanted) for (path, leaf), wanted in pairs]


def _aligned(transform: str, given: Any, tree: Any, path: str) -> list[tuple[str, Any]]:
    """Return what stands in ``given`` where ``tree`` has leaves, with its paths."""
    if tree is None:
        return []
    if not isinstance(tree, dict | list | tuple):
        return [(path, given)]
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    kind = dict if isinstance(tree, dict) else (list, tuple)
    if not isinstance(given, kind) or len(given) != len(keys):
        message = f"{transform}: {path} is {summary(given)}, where {summary(tree)} belongs"
        raise ShapeError(f"{message}. Give the structure of what it goes with.")
    missing = [key for key in keys if isinstance(tree, dict) and key not in given]
    if missing:
        message = f"{transform}: {path} has no {missing[0]!r}"
        raise ShapeError(f"{message}. Give the structure of what it goes with.")
    return [
        leaf
        for key in keys
        for leaf in _aligned(transform, given[key], tree[key], f"{path}[{key!r}]")
    ]


def _fitting(transform: str, path: str, leaf: Any, wanted: Tensor) -> Tensor:
    try:
        value = leaf if isinstance(leaf, Tensor) else Tensor(leaf)
    except DTypeError as error:
        message = f"{transform}: {path} is {describe(leaf)}"
        raise DTypeError(f"{message}. Give a tensor, an array or a number.") from error
    if value.shape != wanted.shape or (value.dtype.kind == "c" and wanted.dtype.kind != "c"):
        message = f"{transform}: {path} is {describe(value)}, where {describe(wanted)} belongs"
        raise ShapeError(f"{message}. Give the shape of what it goes with, and real numbers.")
    if value.dtype != wanted.dtype and wanted.dtype.kind in "fc":
        with enable_grad():
            value = tensors.astype(value, wanted.dtype)
    return value


def _per_argument(results: list[Any], argnums: Argnums) -> Any:
    return results[0] if isinstance(argnums, int) else tuple(results)


def _ones(tensor: Tensor) -> Tensor:
    return make_tensor(namespace_of(tensor.array).ones(tensor.shape, dtype=tensor.dtype))


def _zeros_like(tensor: Tensor) -> Any:
    return namespace_of(tensor.array).zeros(tensor.shape, dtype=tensor.dtype)
