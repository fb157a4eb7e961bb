"""What all transforms of functions share: one run of the function on fresh variables.

A transform runs the user's function on variables of its own: new nodes, linked to the node of
the argument where that is a part of somebody else's graph. Gradients are asked for those nodes
alone. So two transforms, however they are nested, can't mistake one's variable for the
other's; and nothing is ever added to the ``.grad`` of a tensor of the user's.

Who stands outside of a transform may want to differentiate its results further: an enclosing
transform, or a user who calls ``backward()``. That is so exactly where the recorded graph
reaches *outwards*, to a node that is not the transform's own. There the backward pass is
recorded itself, and results stay linked; everything else is handed back without a graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from threading import Lock
from typing import Any, Self

import numpy as np

from autodiff.engine.apply import make_tensor
from autodiff.engine.backward import collect, propagate
from autodiff.engine.definition import Primitive
from autodiff.engine.handover import release
from autodiff.engine.modes import enable_grad, local
from autodiff.engine.node import Node, clock
from autodiff.errors import DTypeError, OptionError, ShapeError, describe
from autodiff.namespace import Namespace, namespace_of
from autodiff.tensor import Tensor
from autodiff.trees import flatten, map_leaves, rebuild

__all__ = [
    "Linearized",
    "ones_like",
    "select",
    "select_or_all",
    "summary",
    "variable",
    "zeros_like",
]


def _variable(xp: Namespace, x: Any, /) -> Any:
    raise NotImplementedError  # it is only ever recorded


def _same(xp: Namespace, g: Any) -> Any:  # noqa: ARG001
    return g


_definition = Primitive("variable", _variable, differentiable=True)
_definition.add_rule("x", _same)


class Variable(Node):
    """What a transform differentiates with respect to: unlike a leaf it accumulates nothing.

    Attributes
    ----------
    open : int
        How many calls that differentiate with respect to it are under way.
    """

    __slots__ = ("open",)

    open: int


_opening = Lock()


def variable(array: Any, outer: Node | None = None) -> Tensor:
    """Return a tensor with a node of its own, which hands gradients on to ``outer``.

    Without ``outer`` a graph ends at it. It may be worked on in place.
    """
    node = Variable()
    node.number = clock()
    node.plan = _definition.plan((True,))
    node.inputs = () if outer is None else (outer,)
    node.saved = ()
    node.shape = array.shape
    node.dtype = array.dtype
    node.scope = local.mode.scope
    node.notes = None
    node.open = 1
    return make_tensor(array, node)


def select_or_all(
    transform: str, argnums: int | Sequence[int] | None, count: int
) -> tuple[int, ...]:
    """Return the positions that ``argnums`` names, all of them where it is None."""
    return tuple(range(count)) if argnums is None else select(transform, argnums, count)


def select(transform: str, argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return the positions that ``argnums`` names among ``count`` positional arguments."""
    given = argnums if isinstance(argnums, list | tuple) else (argnums,)
    chosen = []
    for each in given:
        number = _index(each)
        if number is None:
            message = f"{transform}: argnums must be an int or a tuple of ints, not {argnums!r}"
            raise OptionError(message)
        if not -count <= number < count:
            message = f"{transform}: argnums {argnums!r}, but the call has {count} positional"
            raise OptionError(
                f"{message} arguments. Give what shall be differentiated by position, "
                "and argnums below that count."
            )
        chosen.append(number % count)
    if len(set(chosen)) != len(chosen):
        raise OptionError(f"{transform}: argnums {argnums!r} names an argument twice")
    return tuple(chosen)


def _index(number: Any) -> int | None:
    """Return an integer of whichever type as Python's; None for anything else."""
    if isinstance(number, bool | np.ndarray | Tensor):
        return None
    try:
        return operator.index(number)
    except TypeError:
        return None


class Linearized:
    """A function's value at a point, and its graph back to the variables of that point.

    A context: the variables are open until its end.

    Attributes
    ----------
    transform : str
        Whose run it is, for messages.
    recording : bool
        Whether the caller records, and so may want a graph of the derivatives.
    since : int
        The clock's time before the run: what it made has a number from there on.
    trees : list
        The chosen arguments, as they were given.
    variables : list of Tensor
        What stood in the place of the leaves of ``trees``, in their order.
    nodes : list of Variable
        Their nodes.
    own : set of Variable
        The same as a set.
    result : tree
        What the function returned.
    outputs : list of Tensor
        The result's leaves.
    output_paths : list of str
        What to call each of them in a message.
    aux : Any
        The second result, where ``has_aux``.
    """

    def __init__(
        self,
        transform: str,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        chosen: Sequence[int],
        options: Mapping[str, Any],
        *,
        has_aux: bool = False,
    ) -> None:
        self.transform = transform
        self.recording = local.mode.recording  # of the caller, who may want a graph
        self.since = clock()
        self.trees = [arguments[i] for i in chosen]
        filled = list(arguments)
        self.variables: list[Tensor] = []
        for i in chosen:
            leaves = flatten(arguments[i], f"argument {i}")
            made = [self._variable(path, value) for path, value in leaves]
            filled[i] = rebuild(arguments[i], made)
            self.variables += made
        self.nodes: list[Variable] = [x.node for x in self.variables]  # type: ignore[misc]
        self.own = set(self.nodes)
        # The function may rebind the handles it gets (x += y); these stay what they are.
        self.variables = [make_tensor(x.array, x.node) for x in self.variables]
        try:
            with enable_grad():
                self._take(function(*filled, **options), has_aux=has_aux)
        except BaseException:
            self.close()
            raise

    def _take(self, result: Any, *, has_aux: bool) -> None:
        self.aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                message = f"{self.transform}: with has_aux=True the function must return a pair"
                raise OptionError(f"{message} (result, aux), not {summary(result)}.")
            result, self.aux = result
        self.result = result
        leaves = flatten(result, "the result")
        self.output_paths = [path for path, _ in leaves]
        self.outputs = [self._output(path, value) for path, value in leaves]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Note that nothing is differentiated with respect to the variables any more."""
        self.count(-1)

    def reopen(self) -> Self:
        """Return the run again, as its caller's mode now wants it, until it is closed."""
        again = copy(self)
        again.recording = local.mode.recording
        again.count(1)
        return again

    def count(self, change: int) -> None:
        """Change the number of calls that differentiate with respect to the variables."""
        with _opening:  # a pullback may be called by several threads at once
            for node in self.nodes:
                node.open += change

    def _variable(self, path: str, value: Any) -> Tensor:
        outer = None
        if isinstance(value, Tensor):
            array = value.array
            outer = value.node if self.recording else None
        elif isinstance(value, np.ndarray | np.generic):
            array = np.array(value)
        elif type(value) is float:
            array = Tensor(value).array
        else:
            array = value
        kind = getattr(getattr(array, "dtype", None), "kind", None)
        if kind == "f":
            return variable(array, outer)
        message = f"{self.transform}: {path} is {describe(value)}"
        if kind == "c" or isinstance(value, complex):
            remedy = "Differentiate with respect to its real and imaginary parts: z = re + 1j * im"
        elif kind in tuple("biu") or isinstance(value, int):
            remedy = "Give floating-point numbers (2.0, or .astype(autodiff.float32)), or take"
            remedy += " the argument out of argnums"
        else:
            remedy = "Give tensors, arrays, floats, and dicts, lists and tuples of them, or take"
            remedy += " the argument out of argnums"
        raise DTypeError(f"{message}, and only real floating dtypes have gradients. {remedy}.")

    def _output(self, path: str, value: Any) -> Tensor:
        message = f"{self.transform}: {path} is {describe(value)}"
        if not self.variables and isinstance(value, np.ndarray | np.generic | int | float):
            value = Tensor(value)
        if not isinstance(value, Tensor):
            raise DTypeError(
                f"{message}. Return tensors, or dicts, lists and tuples of them: float(), .item(), "
                ".numpy() and math.* leave the graph. Other things may be returned beside them "
                "with has_aux=True."
            )
        if value.dtype.kind not in "fc":
            raise DTypeError(
                f"{message}, and only floating dtypes have derivatives. Cast it, or return it "
                "beside the result with has_aux=True."
            )
        return value

    def scalar(self) -> Tensor:
        """Return the result, which must be one real number."""
        if len(self.outputs) != 1 or self.outputs[0] is not self.result:
            one = len(self.outputs) == 1 and not isinstance(self.result, dict | list | tuple)
            if not one:
                message = f"{self.transform}: the function must return one scalar, not"
                raise ShapeError(
                    f"{message} {summary(self.result)}. Use has_aux=True to return more beside it."
                )
        (output,) = self.outputs
        if output.shape != ():
            message = f"{self.transform}: the function must return a scalar, not {describe(output)}"
            raise ShapeError(f"{message}. Reduce it (.sum(), .mean()), or use jacobian or vjp.")
        if output.dtype.kind == "c":
            message = f"{self.transform}: the function returned {describe(output)}"
            raise DTypeError(
                f"{message}, but a loss must be real. Take its abs, real or imag part first."
            )
        return output

    def pull(
        self,
        upstream: Sequence[Tensor | None],
        *,
        create_graph: bool,
        retain_graph: bool,
    ) -> list[Tensor]:
        """Carry upstream gradients of the outputs to the variables; zeros where none come."""
        given: dict[Node, Any] = {}
        for output, g in zip(self.outputs, upstream, strict=True):
            node = output.node
            if node is None or node.number < self.since or g is None:
                continue
            part: Any = g if create_graph else g.array
            if node in given:
                with enable_grad():
                    part = given[node] + part
            given[node] = part
        return self.carry(
            given,
            self.variables,
            since=self.since,
            create_graph=create_graph,
            retain_graph=retain_graph,
        )

    def carry(
        self,
        upstream: Mapping[Node, Any],
        variables: Sequence[Tensor],
        *,
        since: int,
        create_graph: bool,
        retain_graph: bool,
    ) -> list[Tensor]:
        """Carry gradients by node to variables; zeros where none come."""
        nodes = [x.node for x in variables if x.node is not None]  # all of them have one
        found: dict[Node, Any] = {}
        if upstream:
            found = propagate(
                upstream,
                nodes,
                since=since,
                create_graph=create_graph,
                retain_graph=retain_graph,
            )
        results = []
        with enable_grad():
            for x, node in zip(variables, nodes, strict=True):
                if node not in found:
                    results.append(zeros_like(x))
                    continue
                g = found[node]
                results.append(release(g) if create_graph else make_tensor(release(g)))
        return results

    def outward(self, tensors: Collection[Tensor], own: Collection[Node] = ()) -> set[Node]:
        """Return the nodes, of those the tensors depend on, that depend on the outside too.

        That is on a node made before the run, or on one that no operation made: a leaf, or
        the variable of another transform that is under way. Variables of transforms that are
        done are nobody's any more.
        """
        own = self.own.union(own)

        def outside(node: Node) -> bool:
            if node.inputs:
                return node.number < self.since
            return node not in own and (not isinstance(node, Variable) or node.open > 0)

        reaching: set[Node] = set()
        roots = {tensor.node for tensor in tensors if tensor.node is not None}
        for node in reversed(collect(roots, self.since)):
            if outside(node):
                reaching.add(node)
                continue
            for parent in node.inputs:
                if parent is not None and (
                    parent in reaching or (parent.number < self.since and outside(parent))
                ):
                    reaching.add(node)
                    break
        return reaching

    def wants_graph(self, tensors: Collection[Tensor], own: Collection[Node] = ()) -> bool:
        """Tell whether what is computed from the tensors may be differentiated from outside."""
        if not self.recording:
            return False
        kept = self.outward(tensors, own)
        return any(tensor.node in kept for tensor in tensors)

    def finish(self, *trees: Any, own: Collection[Node] = ()) -> tuple[Any, ...]:
        """Return the trees, their tensors with a graph exactly where it leads to the outside."""
        tensors = [leaf for tree in trees for _, leaf in flatten(tree) if isinstance(leaf, Tensor)]
        kept = self.outward(tensors, own) if self.recording else set()

        def finished(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            return make_tensor(leaf.array, leaf.node if leaf.node in kept else None)

        return tuple(map_leaves(finished, tree) for tree in trees)

    def value(self) -> Any:
        """Return the result with all its leaves as tensors."""
        return rebuild(self.result, self.outputs)

    def split(self, per_variable: Sequence[Any]) -> list[Any]:
        """Put one thing for each variable into the structure of the chosen arguments."""
        leaves = iter(per_variable)
        return [rebuild(tree, leaves) for tree in self.trees]


def ones_like(tensor: Tensor) -> Tensor:
    """Return ones of a tensor's shape and dtype, in an array of their own and without a graph."""
    return make_tensor(namespace_of(tensor.array).ones(tensor.shape, dtype=tensor.dtype))


def zeros_like(tensor: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
    """Return zeros of a tensor's dtype, and of its shape unless another is given, likewise."""
    shape = tensor.shape if shape is None else shape
    return make_tensor(namespace_of(tensor.array).zeros(shape, dtype=tensor.dtype))


def summary(result: Any) -> str:
    """Name a tree in a message.

    >>> summary((1.0, 2.0)), summary(2.0)
    ('a tuple of 2', 'Python float')
    """
    if isinstance(result, dict | list | tuple):
        return f"a {type(result).__name__} of {len(result)}"
    return describe(result)
