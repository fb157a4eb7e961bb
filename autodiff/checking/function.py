"""The function under check, evaluated at any point in any precision."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from autodiff.checking.kinks import Trace, Watch
from autodiff.checking.state import tensors_of
from autodiff.checking.variables import Arguments, captured_by
from autodiff.engine.backward import collect, propagate
from autodiff.engine.modes import enable_grad, no_grad, observe
from autodiff.engine.node import Handle, Leaf
from autodiff.errors import OptionError

__all__ = ["Function", "Sample", "gradient_projection", "numbers_of", "outputs_of"]

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


def numbers_of(outputs: Iterable[Array]) -> Array:
    """Return all real numbers of some arrays in a row, real parts before imaginary ones."""
    parts = [part for y in outputs for part in ((y.real, y.imag) if y.dtype.kind == "c" else (y,))]
    return np.concatenate([np.ravel(part).astype(np.float64) for part in parts])


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
        self._count = [0]  # shared with what :meth:`weighed_by` returns
        self._positional, self._named = arguments.positional, arguments.named
        self.captured = [] if arguments.captured is None else arguments.captured
        outputs, coarse = self._first_run()
        for near in (True, False):  # those that f refers to, and only then whoever holds one
            if arguments.captured is None or not coarse:
                break
            held = (arguments.module, *self._positional, *self._named.values())
            cast = captured_by(coarse, tensors_of(f, *held) if near else None)
            self.captured += cast
            for leaf in cast:
                leaf.cast_up()
            if cast:
                outputs, coarse = self._first_run()
        self.outputs = [output.array for output in outputs]
        if not self.outputs:
            message = "gradcheck: the function returned no floating tensor"
            raise OptionError(f"{message}, so there is nothing to differentiate.")
        y = self.outputs[0]
        self.single = len(self.outputs) == 1 and y.size == 1 and y.dtype.kind == "f"
        self.cotangents = _cotangents(self.outputs, count, generator, self.single)
        self.weights = _rows(self.cotangents)
        self.center = self.weigh(self.outputs, frozenset())

    def _first_run(self) -> tuple[list[Any], set[Leaf]]:
        """Evaluate for the trace; return also what makes the results coarser than float64."""
        self._trace = Trace(self.variables)
        observer = _CoarseLeaves()
        outputs = self.run(self.point, self._trace, observer)
        fine = self._trace.epsilon <= np.finfo(np.float64).eps
        own = {variable.tensor.node for variable in self.variables}
        return outputs, set() if fine else observer.found - own

    @property
    def trace(self) -> Trace:
        """What happened at the point of the check."""
        return self._trace

    @property
    def evaluations(self) -> int:
        """How often the user's function was called."""
        return self._count[0]

    def run(self, point: Point, *observers: Callable[..., None]) -> list[Any]:
        """Call the function with the variables' arrays in place, and return its outputs."""
        self._count[0] += 1
        for variable, array in zip(self.variables, point, strict=True):
            variable.tensor.array = array
            variable.tensor.node = Leaf(array.shape, array.dtype)
        with enable_grad(), ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observe(observer))
            return outputs_of(self.f(*self._positional, **self._named))

    def sample(self, point: Point) -> Sample:
        """Evaluate at a point nearby."""
        watch = Watch(self._trace)
        outputs = self.run(point, watch)
        return self.weigh([output.array for output in outputs], watch.finish())

    def outputs_at(self, point: Point) -> list[Array]:
        """Evaluate, and return the outputs themselves."""
        return [output.array for output in self.run(point)]

    def results_at(
        self, point: Point, positions: Collection[int]
    ) -> tuple[Array, dict[tuple[int, int], Array]]:
        """Evaluate; return also the results of the operations at some positions of the trace.

        The keys are the position and, of an operation with several results, which.
        """
        taps = _Taps(positions)
        outputs = self.run(point, taps)
        return self.weigh([output.array for output in outputs], frozenset()).values, taps.results

    def arriving(
        self, point: Point, positions: Collection[int]
    ) -> list[dict[tuple[int, int], Array]]:
        """Return, for each set of cotangents, the gradients that arrive at some operations."""
        taps = _Taps(positions)
        outputs = self.run(point, taps)
        order = collect([output.node for output in outputs if output.node is not None])
        found: dict[tuple[int, int], Array] = {}
        for node in order:
            place = taps.place(node)
            if place is not None:
                node.annotated().hooks[-1] = partial(_keep, found, place)
        leaves = [variable.tensor.node for variable in self.variables]
        gradients = []
        for cotangents in self.cotangents:
            found.clear()
            _pull_back(outputs, cotangents, leaves)
            gradients.append(dict(found))
        return gradients

    def weighed_by(self, cotangents: list[list[Array]]) -> Function:
        """Return the same function with other sets of cotangents."""
        other = copy.copy(self)
        other.cotangents = cotangents
        other.weights = _rows(cotangents)
        other.center = other.weigh(self.outputs, frozenset())
        return other

    def _places(self) -> list[tuple[int, int, complex]]:
        """For each number of the outputs: which output, where in it, and the unit it counts."""
        return [
            (i, flat, unit)
            for i, y in enumerate(self.outputs)
            for unit in ((1.0, 1j) if y.dtype.kind == "c" else (1.0,))
            for flat in range(y.size)
        ]

    def unit(self, number: int) -> list[Array]:
        """Return the cotangents that pick out one number of the outputs."""
        i, flat, unit = self._places()[number]
        cotangents = [np.zeros(y.shape, y.dtype) for y in self.outputs]
        cotangents[i].reshape(-1)[flat] = unit
        return cotangents

    def place(self, number: int) -> str:
        """Say where in the outputs one of their numbers is."""
        i, flat, unit = self._places()[number]
        index = [str(int(n)) for n in np.unravel_index(flat, self.outputs[i].shape)]
        which = f"{i}" if len(self.outputs) > 1 else ""
        where = f"[{', '.join(index)}]" if index else ""
        return f"{which}{where}{' (imaginary part)' if unit == 1j else ''}" or "0"

    def without(self, numbers: Collection[int]) -> list[list[Array]]:
        """Return the sets of cotangents with zeros for some numbers; none if nothing is left."""
        places = self._places()
        if len(numbers) == len(places):
            return []
        sets = [[v.copy() for v in cotangents] for cotangents in self.cotangents]
        for number in numbers:
            i, flat, unit = places[number]
            for cotangents in sets:
                v = cotangents[i].reshape(-1)
                v[flat] = v[flat].real if unit == 1j else v[flat] - v[flat].real
        return sets

    def imaginary(self, point: Point) -> Sample:
        """Evaluate at a complex point, and weigh the imaginary parts of the outputs."""
        self._count[0] += 1
        for variable, array in zip(self.variables, point, strict=True):
            variable.tensor.array = array.astype(np.complex128)
            variable.tensor.node = None
        try:
            with no_grad(), warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                outputs = outputs_of(self.f(*self._positional, **self._named))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            message = "gradcheck: f can't be evaluated at complex inputs, so there is no complex"
            raise OptionError(f"{message} step ({error}). Use estimator='richardson'.") from error
        return self.weigh([np.imag(output.array) for output in outputs], frozenset())

    def weigh(self, outputs: list[Array], crossed: frozenset[int]) -> Sample:
        """Multiply outputs with each set of cotangents, and sum up."""
        values, scale = np.zeros(len(self.cotangents)), np.zeros(len(self.cotangents))
        for v, y in zip(self.weights, outputs, strict=True):
            flat = y.reshape(-1)
            terms = (np.conj(v) * flat).real if y.dtype.kind == "c" else v * flat
            values += terms.sum(axis=1, dtype=np.float64)
            scale += np.abs(terms).sum(axis=1, dtype=np.float64)
        return Sample(values, scale, crossed)

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
            found = _pull_back(outputs, cotangents, leaves, jitter)
            parts = [found.get(leaf) for leaf in leaves]
            reached = [r or part is not None for r, part in zip(reached, parts, strict=True)]
            gradients.append(
                [
                    np.zeros(x.shape) if part is None else np.array(part, np.float64)
                    for part, x in zip(parts, self.point, strict=True)
                ]
            )
        return gradients, reached, watch.finish()


def _pull_back(
    outputs: list[Any],
    cotangents: list[Array],
    leaves: list[Any],
    jitter: Callable[[Array], Array] | None = None,
) -> dict[Any, Any]:
    """Run one backward pass, which keeps the graph."""
    upstream: dict[Any, Any] = {}
    for output, v in zip(outputs, cotangents, strict=True):
        if output.node is not None:
            g = v.astype(output.array.dtype)
            g = g if jitter is None else jitter(g)
            known = upstream.get(output.node)
            upstream[output.node] = g if known is None else known + g
    return propagate(upstream, leaves, retain_graph=True) if upstream else {}


def _rows(cotangents: list[list[Array]]) -> list[Array]:
    """Return, for each output, a matrix whose rows are its parts of the sets of cotangents."""
    return [np.stack([v.reshape(-1) for v in of_one]) for of_one in zip(*cotangents, strict=True)]


def _keep(found: dict[tuple[int, int], Array], place: tuple[int, int], g: Any) -> None:
    found[place] = np.array(g.array)


class _Taps:
    """Observes an evaluation: the results and the nodes of the operations at some positions."""

    def __init__(self, positions: Collection[int]) -> None:
        self.results: dict[tuple[int, int], Array] = {}
        self._positions = frozenset(positions)
        self._nodes: dict[Any, tuple[int, bool]] = {}
        self._position = -1

    def __call__(self, _: Any, values: Any, out: Any, options: Any, node: Any) -> None:  # noqa: ARG002
        self._position += 1
        if self._position in self._positions:
            several = isinstance(out, tuple)
            self._nodes[node] = self._position, several
            for i, part in enumerate(out if several else (out,)):
                if part.dtype.kind in "fc":
                    self.results[self._position, i] = np.array(part)

    def place(self, node: Any) -> tuple[int, int] | None:
        """Return where the result that a node stands for was found; None elsewhere."""
        position, several = self._nodes.get(node, (-1, True))
        if not several:
            return position, 0
        parent = node.inputs[0] if len(node.inputs) == 1 else None
        position, several = self._nodes.get(parent, (-1, False))
        return (position, node.saved[0]) if several else None


class _CoarseLeaves:
    """Observes an evaluation: which leaves in less than double precision take part."""

    def __init__(self) -> None:
        self.found: set[Any] = set()

    def __call__(self, _: Any, values: Any, out: Any, options: Any, node: Any) -> None:  # noqa: ARG002
        for parent in node.inputs:
            if isinstance(parent, Leaf) and parent.dtype.kind == "f" and parent.dtype.itemsize < 8:
                self.found.add(parent)


class _Jitter:
    """Observes an evaluation: changes every upstream gradient, and the results that rules read.

    A rule may subtract what it reads from 1, as tanh's ``1 - out**2`` does: where that nearly
    vanishes, the result's own rounding is all that is left of it.
    """

    def __init__(self, jitter: Callable[[Array], Array]) -> None:
        self._jitter = jitter

    def __call__(self, _: Any, values: Any, out: Any, options: Any, node: Any) -> None:  # noqa: ARG002
        if isinstance(out, tuple):
            return
        node.annotated().hooks[-1] = lambda g: type(g)(self._jitter(g.array))
        reads = node.plan.reads
        if "out" in reads and node.saved and node.dtype.kind == "f":
            # A logarithm of a sum that is about 1 is rounded as that sum is.
            shift = 1 if node.plan.primitive.name == "log_softmax" else 0
            place = reads.index("out")
            rounded = self._jitter(np.asarray(node.saved[place]) + shift) - shift
            node.saved = (*node.saved[:place], rounded, *node.saved[place + 1 :])


def _cotangents(
    outputs: list[Array], count: int, generator: np.random.Generator, single: bool
) -> list[list[Array]]:
    """Draw upstream gradients: uneven in size and sign, and exact in float16.

    Their sizes are from a half to three halves. Normal numbers would hide outputs (one in forty
    is below 0.03), and plain signs lose errors: where every upstream gradient is 1 or -1, a rule
    that clips it there is right, and one that takes the mean of two rows for their sum is where
    the two cancel. Over 150 seeds signs missed the first always and the second 18 times; these
    missed neither.

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

    def projected(*positional: Any, **named: Any) -> Any:
        outputs = outputs_of(f(*positional, **named))
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
