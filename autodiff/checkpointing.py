"""Recompute instead of store: memory for time.

A checkpointed function leaves two nodes in the graph in place of all that it did. Newest
first, as the backward pass meets them::

    results -> checkpoint -> checkpoint_inputs -> what the function depended on

The first recomputes the function, carries the gradients of the results through what was
recorded anew, and hands all that arrives at the outside to the second as one tuple; the second
deals it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autodiff import random
from autodiff.engine.apply import make_tensor
from autodiff.engine.backward import collect, conjugate, propagate
from autodiff.engine.definition import Primitive
from autodiff.engine.modes import Mode, local, observe
from autodiff.engine.node import Node, clock, make_node
from autodiff.engine.outputs import Cotangents, dtype_of_several, pick_outputs
from autodiff.errors import GraphError, OptionError, describe
from autodiff.namespace import Namespace, tensors
from autodiff.tensor import Tensor
from autodiff.trees import flatten, map_leaves, rebuild

__all__ = ["checkpoint"]


def checkpoint(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function so that its backward pass recomputes it, and nothing inside is kept.

    Of what the function computes only its result stays in memory. The backward pass calls it
    once more, with the random numbers that it drew the first time, and goes through what that
    records. Gradients flow to the arguments and to every tensor that the function uses besides
    (the parameters of a layer, say). Checkpoints may be nested, and differentiated twice.

    Parameters
    ----------
    function : callable
        It must compute the same each time it is called, apart from random numbers of
        :mod:`autodiff.random`. What else it does, such as updating running statistics, it
        does twice. An in-place operation on an argument is not seen by the caller.
    *args, **kwargs
        Its arguments: trees of tensors and anything else.

    Returns
    -------
    tree
        What the function returns: a tensor, or nested dicts, lists and tuples of tensors and
        other things.

    Raises
    ------
    GraphError
        In the backward pass: if the function did not compute the same again.
    MutationError
        In the backward pass: if a tensor that requires a gradient and that the function used,
        or any tensor among the arguments, was overwritten since. Other arrays that it uses
        must stay as they are until then.
    OptionError
        If ``function`` can't be called.

    Notes
    -----
    A chain of n layers, cut into checkpoints of k layers each, keeps n/k + k activations in
    place of n, for one more forward pass. Source: T. Chen et al., Training Deep Nets with
    Sublinear Memory Cost, 2016, section 3.

    Examples
    --------
    >>> import autodiff as ad
    >>> w = ad.tensor(2.0, requires_grad=True)
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> y = ad.checkpoint(lambda x: (x * w) * (x * w), x)
    >>> y.backward()
    >>> x.grad.item(), w.grad.item()
    (24.0, 36.0)
    """
    if not callable(function):
        message = f"checkpoint: the first argument must be a function, not {describe(function)}"
        raise OptionError(f"{message}. Write checkpoint(function, *its_arguments).")
    if not local.mode.recording:
        return function(*args, **kwargs)
    recipe = _Recipe(function, args, kwargs)
    return recipe.record()


class _Recipe:
    """How to compute a checkpoint again, and to what its gradients go.

    It refers only to what is older than the nodes that hold it: no cycle can arise.
    """

    __slots__ = ("arguments", "externals", "function", "mode", "random", "returned")

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self.function = function
        self.arguments = map_leaves(_frozen, (args, dict(kwargs)))
        self.mode: Mode = local.mode
        self.random = random.get_state()
        self.externals: dict[Node, int] = {}
        self.returned: tuple[int, ...] = ()

    def run(self) -> Any:
        args, kwargs = map_leaves(_frozen, self.arguments)
        return self.function(*args, **kwargs)

    def record(self) -> Any:
        """Run the function, forget how it went, and record the two nodes in its place."""
        since = clock()
        used: dict[Node, Any] = {}

        def note(_primitive: Any, values: Any, _out: Any, _options: Any, node: Node) -> None:
            pairs = zip(node.inputs, values, strict=False)
            used.update({p: value for p, value in pairs if p is not None and p.number < since})

        with observe(note):
            result = self.run()
        leaves = [leaf for _, leaf in flatten(result)]
        self.returned = tuple(
            i
            for i, leaf in enumerate(leaves)
            if isinstance(leaf, Tensor) and leaf.node is not None and leaf.node.number > since
        )
        graph = collect([leaves[i].node for i in self.returned], since)
        parents = [parent for node in graph for parent in node.inputs if parent is not None]
        outside = sorted({p for p in parents if p.number < since}, key=lambda node: node.number)
        if not outside:
            return result
        self.externals = {node: i for i, node in enumerate(outside)}
        values = tuple(used.get(node) for node in outside)
        inputs = _node(
            _inputs, tuple(outside), (), dtype_of_several([node.dtype for node in outside])
        )
        out = tuple(leaves[i].array for i in self.returned)
        captured = (*values, *_constants(self.arguments))
        node = _node(
            _checkpoint,
            (inputs, None),
            (self, captured),
            dtype_of_several([part.dtype for part in out]),
        )
        for observer in local.mode.observers:
            observer(_inputs, values, values, {}, inputs)
            observer(_checkpoint, (values, captured), out, {}, node)
        for i, picked in zip(self.returned, pick_outputs(node, out), strict=True):
            leaves[i] = make_tensor(leaves[i].array, picked)
        return rebuild(result, leaves)

    def pull(self, g: Cotangents, *, create_graph: bool) -> Cotangents:
        """Run the function again and carry the gradients of its results to the outside."""
        before, drawn = local.mode, random.get_state()
        local.mode = self.mode._replace(
            recording=True, anomaly=before.anomaly, observers=before.observers
        )
        try:
            random.set_state(self.random)
            since = clock()
            leaves = [leaf for _, leaf in flatten(self.run())]
            upstream = self._upstream(leaves, g, since)
            found = propagate(
                upstream, since=since, retain_graph=create_graph, create_graph=create_graph
            )
        finally:
            local.mode = before
            random.set_state(drawn)
        parts = {}
        for node, part in found.items():
            if node in self.externals:
                parts[self.externals[node]] = part
            elif node.number < since:
                self._differs(f"it used the result of {node.describe()}, which it did not before")
        specs = tuple((node.shape, node.dtype) for node in self.externals)
        return Cotangents(parts, specs, dtype_of_several([dtype for _, dtype in specs]))

    def _upstream(self, leaves: list[Any], g: Cotangents, since: int) -> dict[Node, Any]:
        upstream: dict[Node, Any] = {}
        for position, part in g.parts.items():
            i, (shape, dtype) = self.returned[position], g.specs[position]
            leaf = leaves[i] if i < len(leaves) else None
            if not isinstance(leaf, Tensor) or leaf.shape != shape or leaf.dtype != dtype:
                was = f"{shape} {dtype}"
                self._differs(f"its result {i} is {describe(leaf)} where it was {was}")
            node = leaf.node  # type: ignore[union-attr]
            if node is None or node.number < since:
                self._differs(f"its result {i} does not depend on its operands as it did")
            upstream[node] = upstream[node] + part if node in upstream else part
        return upstream

    def _differs(self, how: str) -> None:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        message = f"checkpoint: {name} did not compute the same when it was run again: {how}"
        raise GraphError(
            f"{message}. It must not depend on what changes between forward and backward."
        )


def _frozen(leaf: Any) -> Any:
    """Return a handle of its own: the caller's, or the function's, may be rebound."""
    return make_tensor(leaf.array, leaf.node) if isinstance(leaf, Tensor) else leaf


def _constants(arguments: Any) -> list[Any]:
    leaves = [leaf for _, leaf in flatten(arguments)]
    return [leaf.array for leaf in leaves if isinstance(leaf, Tensor) and leaf.node is None]


def _node(
    primitive: Primitive,
    inputs: tuple[Node | None, ...],
    saved: tuple[Any, ...],
    dtype: np.dtype[Any],
) -> Node:
    plan = primitive.plan(tuple(parent is not None for parent in inputs))
    return make_node(plan, inputs, saved, (), dtype, local.mode.scope)


def _joined(xp: Namespace, *arrays: Any) -> tuple[Any, ...]:  # noqa: ARG001
    return arrays


def _dealt(xp: Namespace, g: Cotangents, position: int) -> Any:
    part = g.parts.get(position)
    if part is None:
        shape, dtype = g.specs[position]
        return xp.zeros(shape, dtype=dtype)
    return part


def _forward(xp: Namespace, inputs: Any, captured: Any, /, recipe: _Recipe) -> Any:
    raise NotImplementedError


# `captured` is read so that it is kept: the backward pass then finds what was overwritten.
def _recomputed(xp: Namespace, g: Cotangents, recipe: _Recipe, captured: Any) -> Cotangents:  # noqa: ARG001
    create_graph = xp is tensors
    if g.dtype.kind != "c":
        return recipe.pull(g, create_graph=create_graph)
    # This rule is no analytic one: it undoes what the engine does around those.
    return conjugate(xp, recipe.pull(conjugate(xp, g), create_graph=create_graph))  # type: ignore[no-any-return]


_inputs = Primitive("checkpoint_inputs", _joined, differentiable=True)
_inputs.add_rule("arrays", _dealt)
_checkpoint = Primitive("checkpoint", _forward, differentiable=True)
_checkpoint.add_rule("inputs", _recomputed)
