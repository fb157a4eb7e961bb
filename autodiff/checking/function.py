"""The function under check, evaluated at any point in any precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.kinks import Trace, Watch
from autodiff.checking.variables import Arguments, captured_by
from autodiff.engine.backward import propagate
from autodiff.engine.modes import enable_grad, no_grad, observe
from autodiff.engine.node import Handle, Leaf
from autodiff.errors import OptionError

__all__ = ["Function", "Sample", "gradient_projection", "outputs_of"]

Array = np.ndarray[Any, Any]

__tracebackhide__ = True  # as in the driver: a failing test shows the user's line

Point = Sequence[Array]


class Sample(NamedTuple):
    """The function at one point, weighed by every set of cotangents.

    Attributes
    ----------
    values : ndarray (K,)
        ``<v_k, f(x)>``.
    scale : ndarray (K,)
        The sum of the absolute terms: what rounding errors are relative to.
    crossed : frozenset of int
        The operations that branched otherwise than at the point of the check.
    """

    values: Array
    scale: Array
    crossed: frozenset[int]


def outputs_of(result: Any) -> list[Any]:
    """Return the floating tensors of whatever structure a function returned."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [output for item in result for output in outputs_of(item)]
    if isinstance(result, Handle):
        return [result] if result.array.dtype.kind in "fc" else []
    if result is None:
        return []
    message = f"gradcheck: the function returned a {type(result).__name__}"
    raise OptionError(f"{message}, not a tensor. Return the tensor itself: no .item(), .numpy().")


class Function:
    """The user's function on given variables, weighed into K numbers.

    Parameters
    ----------
    f : callable
        Of tensors, to a tensor or a structure of them.
    arguments : Arguments
        How it is called, and what is varied.
    count : int
        How many sets of cotangents, where the output has several entries.
    generator : numpy.random.Generator
        Draws the cotangents.
    point : sequence of ndarray
        Where: an array for each variable. The function is evaluated in float64.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Arguments,
        count: int,
        generator: np.random.Generator,
        point: Point,
    ) -> None:
        self.f = f
        self.variables = arguments.variables
        self.point: list[Array] = [np.array(x, np.float64) for x in point]
        self.evaluations = 0
        self._positional = arguments.positional
        self.captured = [] if arguments.captured is None else arguments.captured
        self._trace = Trace(self.variables)
        coarse = _CoarseLeaves()
        outputs = self.run(self.point, self._trace, coarse)
        if arguments.captured is not None and self._trace.epsilon > np.finfo(np.float64).eps:
            own = {variable.tensor.node for variable in self.variables}
            leaves = coarse.found - own
            if leaves:
                cast = captured_by(leaves)
                self.captured += cast
                for leaf in cast:
                    leaf.cast_up()
                self._trace = Trace(self.variables)
                outputs = self.run(self.point, self._trace)
        self.outputs = [output.array for output in outputs]
        if not self.outputs:
            message = "gradcheck: the function returned no floating tensor"
            raise OptionError(f"{message}, so there is nothing to differentiate.")
        y = self.outputs[0]
        self.single = len(self.outputs) == 1 and y.size == 1 and y.dtype.kind == "f"
        self.cotangents = _cotangents(self.outputs, count, generator, self.single)
        self.center = self.weigh(self.outputs, frozenset())

    @property
    def trace(self) -> Trace:
        """What happened at the point of the check."""
        return self._trace

    def run(self, point: Point, *observers: Callable[..., None]) -> list[Any]:
        """Call the function with the variables' arrays in place, and return its outputs."""
        self.evaluations += 1
        for variable, array in zip(self.variables, point, strict=True):
            variable.tensor.array = array
            variable.tensor.node = Leaf(array.shape, array.dtype)
        with enable_grad(), ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observe(observer))
            return outputs_of(self.f(*self._positional))

    def sample(self, point: Point) -> Sample:
        """Evaluate at a point nearby."""
        watch = Watch(self._trace)
        outputs = self.run(point, watch)
        return self.weigh([output.array for output in outputs], watch.finish())

    def imaginary(self, point: Point) -> Sample:
        """Evaluate at a complex point, and weigh the imaginary parts of the outputs."""
        self.evaluations += 1
        for variable, array in zip(self.variables, point, strict=True):
            variable.tensor.array = array.astype(np.complex128)
            variable.tensor.node = None
        try:
            with no_grad(), warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                outputs = outputs_of(self.f(*self._positional))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            message = "gradcheck: f can't be evaluated at complex inputs, so there is no complex"
            raise OptionError(f"{message} step ({error}). Use estimator='richardson'.") from error
        return self.weigh([np.imag(output.array) for output in outputs], frozenset())

    def weigh(self, outputs: list[Array], crossed: frozenset[int]) -> Sample:
        """Multiply outputs with each set of cotangents, and sum up."""
        values, scale = [], []
        with np.errstate(all="ignore"):
            for cotangents in self.cotangents:
                terms = [
                    (np.conj(v) * y).real if y.dtype.kind == "c" else v * y
                    for v, y in zip(cotangents, outputs, strict=True)
                ]
                values.append(sum(float(term.sum(dtype=np.float64)) for term in terms))
                scale.append(sum(float(abs(term).sum(dtype=np.float64)) for term in terms))
        return Sample(np.array(values), np.array(scale), crossed)

    def gradients(
        self, point: Point, jitter: Callable[[Array], Array] | None = None
    ) -> tuple[list[list[Array]], list[bool], frozenset[int]]:
        """Let the engine differentiate at a point, in the precision of its arrays.

        Parameters
        ----------
        point : sequence of ndarray
        jitter : callable, optional
            Changes every upstream gradient on its way, as rounding would.

        Returns
        -------
        gradients : list (K) of list of ndarray
            For each set of cotangents, the gradient of each variable (in float64).
        reached : list of bool
            For each variable, whether any gradient arrived.
        crossed : frozenset of int
            The operations that branched otherwise than at the point of the check.
        """
        watch = Watch(self._trace)
        observers = [watch] if jitter is None else [watch, _Jitter(jitter)]
        outputs = self.run(point, *observers)
        leaves: list[Any] = [variable.tensor.node for variable in self.variables]
        gradients, reached = [], [False] * len(leaves)
        for cotangents in self.cotangents:
            upstream: dict[Any, Any] = {}
            for output, v in zip(outputs, cotangents, strict=True):
                if output.node is not None:
                    g = v.astype(output.array.dtype)
                    g = g if jitter is None else jitter(g)
                    known = upstream.get(output.node)
                    upstream[output.node] = g if known is None else known + g
            found = propagate(upstream, leaves, retain_graph=True) if upstream else {}
            parts = [found.get(leaf) for leaf in leaves]
            reached = [r or part is not None for r, part in zip(reached, parts, strict=True)]
            gradients.append(
                [
                    np.zeros(x.shape) if part is None else np.array(part, np.float64)
                    for part, x in zip(parts, self.point, strict=True)
                ]
            )
        return gradients, reached, watch.finish()


class _CoarseLeaves:
    """Observes an evaluation: which leaves in less than double precision take part."""

    def __init__(self) -> None:
        self.found: set[Any] = set()

    def __call__(self, _: Any, values: Any, out: Any, options: Any, node: Any) -> None:  # noqa: ARG002
        for parent in node.inputs:
            if isinstance(parent, Leaf) and parent.dtype.kind == "f" and parent.dtype.itemsize < 8:
                self.found.add(parent)


class _Jitter:
    """Observes an evaluation: hooks a function of the upstream gradient to every node."""

    def __init__(self, jitter: Callable[[Array], Array]) -> None:
        self._jitter = jitter

    def __call__(self, _: Any, values: Any, out: Any, options: Any, node: Any) -> None:  # noqa: ARG002
        if not isinstance(out, tuple):
            node.annotated().hooks[-1] = lambda g: type(g)(self._jitter(g.array))


def _cotangents(
    outputs: list[Array], count: int, generator: np.random.Generator, single: bool
) -> list[list[Array]]:
    """Draw upstream gradients: uneven in size and sign, and exact in float16.

    For one real number the first is 1, so that the report shows the gradient itself; the
    second then finds rules that do not multiply by it.
    """
    if single:
        shape = outputs[0].shape
        return [[np.full(shape, 1.0)], [np.full(shape, -0.8125)]]

    def draw(y: Array) -> Any:
        parts = 2 if y.dtype.kind == "c" else 1
        sizes = generator.integers(256, 769, (parts, *y.shape)) / 512.0
        signed = sizes * generator.choice([-1.0, 1.0], sizes.shape)
        return signed[0] + 1j * signed[1] if parts == 2 else signed[0]

    return [[draw(y) for y in outputs] for _ in range(max(1, count))]


def gradient_projection(
    f: Callable[..., Any], function: Function, generator: np.random.Generator
) -> Callable[..., Any]:
    """Return the function whose gradient is a Hessian-vector product of ``f``.

    It maps the same variables to ``<u, gradient of <v, f>>`` for fixed random u and v.
    """
    weights = [generator.uniform(0.5, 1.5, x.shape) for x in function.point]
    cotangents = function.cotangents[-1]

    def projected(*positional: Any) -> Any:
        outputs = outputs_of(f(*positional))
        leaves: list[Any] = [variable.tensor.node for variable in function.variables]
        upstream: dict[Any, Any] = {}
        for output, v in zip(outputs, cotangents, strict=True):
            if output.node is not None:
                g = type(output)(v.astype(output.array.dtype))
                upstream[output.node] = upstream[output.node] + g if output.node in upstream else g
        found = {}
        if upstream:
            found = propagate(upstream, leaves, retain_graph=True, create_graph=True)
        total: Any = 0.0 * function.variables[0].tensor.sum()
        for leaf, u in zip(leaves, weights, strict=True):
            if leaf in found:
                total = total + (found[leaf] * np.asarray(u, leaf.dtype)).sum()
        return total

    return projected
