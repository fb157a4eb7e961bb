"""L-BFGS: a quasi-Newton method for the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import autodiff as ad
from nn.checks import check_size
from nn.optim.line_search import Point, strong_wolfe
from nn.optim.optimizer import Optimizer, check_at_least

__all__ = ["LBFGS"]

_LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    r"""Steps along :math:`-H g`, where H is an inverse Hessian made of former steps [1]_.

    Of the last steps :math:`s = \theta' - \theta` and changes of the gradient
    :math:`y = g' - g` it remembers ``history_size``; two loops over them give
    :math:`H g` without H. For smooth losses of whole batches: gradients of changing batches
    would look like curvature.

    A step runs up to ``max_iter`` iterations and calls the closure for each anew. All
    parameters are one vector; there is one group.

    Parameters
    ----------
    params : iterable
        Of parameters or ``(name, parameter)`` pairs.
    lr : float
        The size of a step, or with a line search the first to try.
    max_iter : int
        Iterations in one call of :meth:`step`.
    max_eval : int, optional
        Calls of the closure in one call of :meth:`step`; at first ``max_iter * 5 // 4``.
    tolerance_grad : float
        Stop where no element of the gradient is larger.
    tolerance_change : float
        Stop where neither loss nor parameters change by more.
    history_size : int
        How many steps are remembered.
    line_search_fn : {None, "strong_wolfe"}
        How the size of a step is found.

    Raises
    ------
    DomainError
        If a number is out of its range.
    OptionError
        For another line search, or several groups; see :class:`Optimizer` too.

    References
    ----------
    .. [1] D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale
       optimization", Mathematical Programming 45 (1989).

    Examples
    --------
    >>> import nn
    >>> w = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w * [1.0, 100.0]).sum()
    ...     loss.backward()
    ...     return loss
    >>> before = optimizer.step(closure)
    >>> closure().item() < 1e-8
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add the one group there is."""
        if self.param_groups:
            message = "LBFGS: there can be only one group of parameters, they are one vector"
            raise ad.OptionError(f"{message}. Give a list of all parameters.")
        super().add_param_group(group)

    def check(self, options: dict[str, Any]) -> None:
        """Raise if an option is out of its range or unknown."""
        check_at_least("LBFGS", options, 0, "lr", "tolerance_grad", "tolerance_change")
        for name in ("max_iter", "max_eval", "history_size"):
            check_at_least("LBFGS", options, 1, name)
            check_size("LBFGS", name, options[name], least=1)
        search = options["line_search_fn"]
        if search is not None and not (isinstance(search, str) and search == "strong_wolfe"):
            message = f"LBFGS: the line search {search!r} is unknown"
            raise ad.OptionError(f"{message}. Give 'strong_wolfe' or None.")

    def restored(self, name: str, value: Any, parameter: ad.Tensor, group: dict[str, Any]) -> Any:
        """Copy a saved value: numbers, vectors of all parameters, and lists of either."""
        if isinstance(value, (list, tuple)):
            return [
                self.restored(name, each, parameter, group) for each in value if each is not None
            ]
        if not hasattr(value, "shape"):
            return value
        if tuple(value.shape) == ():
            return value.item()
        size = sum(p.size for p in group["params"])
        if tuple(value.shape) == (size,):
            return ad.asarray(value, dtype=parameter.dtype, copy=True)
        message = f"LBFGS: the saved {name} is {ad.errors.describe(value)}"
        raise ad.ShapeError(
            f"{message}, the parameters have {size} elements together. "
            "Load the state of the same parameters in the same order."
        )

    def check_state(self, number: int, state: dict[str, Any], group: dict[str, Any]) -> None:  # noqa: ARG002
        """Raise unless a state has its counts, and all of its last iteration if there was one."""
        if set(state) <= {"func_evals", "n_iter"}:
            self.check_parts(number, state, ("func_evals", "n_iter"), {})
            return
        numbers = ("func_evals", "n_iter", "t", "H_diag")
        self.check_parts(number, state, numbers, {"d": 0.0, "prev_flat_grad": 0.0})
        history: list[Any] = [state.get(name) for name in ("old_dirs", "old_stps", "ro")]
        if not all(isinstance(part, list) for part in history) or len(set(map(len, history))) > 1:
            message = f"LBFGS: in the state of parameter {number} 'old_dirs', 'old_stps' and 'ro'"
            raise ad.OptionError(f"{message} are no lists of one length. Load a whole state.")
        for change, step, inverse in zip(*history, strict=True):
            past = {"old_dirs": change, "old_stps": step, "ro": inverse}
            self.check_parts(number, past, ("ro",), {"old_dirs": 0.0, "old_stps": 0.0})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Iterate until a tolerance or a limit is met.

        Parameters
        ----------
        closure : callable
            Forgets the gradients, computes the loss, runs backward, returns the loss.

        Returns
        -------
        Tensor
            The loss before the step.

        Raises
        ------
        OptionError
            Without a closure.
        """
        if not callable(closure):
            message = "LBFGS: step needs a closure, since it computes the loss several times"
            raise ad.OptionError(f"{message}. Give a function that returns it after backward().")
        group = self.param_groups[0]
        self.check(group)
        state = self.state.setdefault(group["params"][0], {"func_evals": 0, "n_iter": 0})
        with ad.no_grad():
            with ad.enable_grad():
                first = closure()
            state["func_evals"] += 1
            gradient = self._gradient()
            if _largest(gradient) > group["tolerance_grad"]:
                self._iterate(closure, Point(0.0, float(first), gradient, 0.0), state, group)
        return first

    def _iterate(
        self, closure: Callable[[], Any], here: Point, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = state["d"] = _direction(here.gradient, state, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = here.gradient, here.loss
            t = state["t"] = group["lr"]
            if state["n_iter"] == 1:
                total = ad.sum(ad.abs(here.gradient)).item()
                t = state["t"] = min(1.0, 1.0 / total) * group["lr"]
            slope = _dot(here.gradient, direction)
            if slope > -group["tolerance_change"]:
                return
            reach, former = _largest(direction), here
            if group["line_search_fn"]:
                here, count = strong_wolfe(
                    lambda t, direction=direction: self._look(closure, t, direction),  # type: ignore[misc]
                    Point(0.0, here.loss, here.gradient, slope),
                    t,
                    reach,
                    group["tolerance_change"],
                    group["max_eval"] - evaluations,
                )
                t = state["t"] = here.t
                self._move(t, direction)
            else:
                self._move(t, direction)
                if iteration == group["max_iter"]:  # the next step computes the loss anew
                    return
                with ad.enable_grad():
                    loss = closure()
                here, count = Point(t, float(loss), self._gradient(), 0.0), 1
            evaluations += count
            state["func_evals"] += count
            if (
                evaluations >= group["max_eval"]
                or _largest(here.gradient) <= group["tolerance_grad"]
                or reach * t <= group["tolerance_change"]
                or abs(here.loss - former.loss) < group["tolerance_change"]
            ):
                return

    def _gradient(self) -> ad.Tensor:
        """Return all gradients as one new vector; zeros where there is none."""
        parts = [
            (ad.zeros_like(p.detach()) if p.grad is None else p.grad.detach()).reshape(-1)
            for p in self.param_groups[0]["params"]
        ]
        return parts[0].clone() if len(parts) == 1 else ad.concat(parts)

    def _move(self, t: float, direction: ad.Tensor) -> None:
        """Add ``t * direction`` to the parameters."""
        start = 0
        for parameter in self.param_groups[0]["params"]:
            part = direction[start : start + parameter.size].reshape(parameter.shape)
            parameter += t * part  # noqa: PLW2901 - in place
            start += parameter.size

    def _look(self, closure: Callable[[], Any], t: float, direction: ad.Tensor) -> Point:
        """Evaluate the loss a step ahead, and come back."""
        parameters = self.param_groups[0]["params"]
        here = [parameter.detach().clone() for parameter in parameters]
        self._move(t, direction)
        try:
            with ad.enable_grad():
                loss = float(closure())
            gradient = self._gradient()
        finally:
            for parameter, values in zip(parameters, here, strict=True):
                parameter.copy_(values)
        return Point(t, loss, gradient, _dot(gradient, direction))


def _direction(gradient: ad.Tensor, state: dict[str, Any], history_size: int) -> ad.Tensor:
    """Remember the last step and return ``-H @ gradient`` (algorithm 7.4 of Nocedal and Wright).

    The state's lists, oldest first: changes of the gradient "old_dirs", steps "old_stps" and
    their inverse products "ro"; "H_diag" is the diagonal that H starts from.
    """
    changes, steps, inverses = (state.setdefault(k, []) for k in ("old_dirs", "old_stps", "ro"))
    if "prev_flat_grad" in state:
        change = gradient - state["prev_flat_grad"]
        step = state["d"] * state["t"]
        curvature = _dot(change, step)
        if curvature > _LEAST_CURVATURE:
            for remembered in (changes, steps, inverses):
                del remembered[: max(0, len(remembered) + 1 - history_size)]
            changes.append(change)
            steps.append(step)
            inverses.append(1.0 / curvature)
            state["H_diag"] = curvature / _dot(change, change)
    direction = -gradient
    history = list(zip(changes, steps, inverses, strict=True))
    shares = []
    for change, step, inverse in reversed(history):
        share = _dot(step, direction) * inverse
        direction -= share * change
        shares.append(share)
    direction *= state.setdefault("H_diag", 1.0)
    for (change, step, inverse), share in zip(history, reversed(shares), strict=True):
        direction += (share - _dot(change, direction) * inverse) * step
    return direction


def _dot(a: ad.Tensor, b: ad.Tensor) -> float:
    product: float = ad.vecdot(a, b).item()
    return product


def _largest(x: ad.Tensor) -> float:
    largest: float = ad.max(ad.abs(x)).item()
    return largest
