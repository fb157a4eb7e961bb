"""Recurrent cells: one step of one layer."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.checks import as_floats, check_features, check_size
from nn.module import Module, Parameter
from nn.recurrent.parameters import (
    check_finite,
    check_nonlinearity,
    check_pair,
    check_state,
    collect,
    declare,
    start,
)
from nn.recurrent.recurrences import Recurrence, State, elman, gru, lstm

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Module):
    """What the cells share: sizes, checks, one step."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None
    _gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, dtype: Any, **extras: Any
    ) -> None:
        self.input_size = check_size(self, "input_size", input_size)
        self.hidden_size = check_size(self, "hidden_size", hidden_size, 1)
        self.bias = bool(bias)
        declare(
            self, "", self.input_size, self.hidden_size, self._gates,
            bias=self.bias, dtype=dtype, **extras,
        )  # fmt: skip
        if not self.bias:
            self.bias_ih = self.bias_hh = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        start(self, self.hidden_size)

    def _recurrence(self) -> Recurrence:
        raise NotImplementedError

    def _step(self, x: Any, given: tuple[Any, ...] | None, names: tuple[str, ...]) -> State:
        """Run one step on a batch, or on one element as a batch of one."""
        x = as_floats(self, x)
        if x.ndim not in (1, 2):
            message = f"{self.location()}: the input is {ad.errors.describe(x)}"
            raise ad.ShapeError(f"{message}. Give (N, {self.input_size}), or ({self.input_size},).")
        check_features(self, x, self.input_size, self.weight_ih)
        shape = (*x.shape[:-1], self.hidden_size)
        if given is None:
            state: State = (ad.zeros(shape, dtype=self.weight_hh.dtype),) * len(names)
        else:
            pairs = zip(names, given, strict=True)
            state = tuple([check_state(self, name, s, shape) for name, s in pairs])
        recurrence = self._recurrence()
        if x.ndim == 2:
            return recurrence.step(recurrence.inputs(x), state)
        rows = tuple([s.reshape((1, self.hidden_size)) for s in state])
        found = recurrence.step(recurrence.inputs(x.reshape((1, self.input_size))), rows)
        return tuple([s.reshape(shape) for s in found])

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    r"""One step of a simple recurrent network (Elman 1990, "Finding structure in time").

    .. math:: h' = \tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})

    Parameters
    ----------
    input_size : int
        F, the number of features of ``x``.
    hidden_size : int
        H, the size of the state.
    bias : bool
    nonlinearity : {"tanh", "relu"}
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight_ih : Parameter
        ``(H, F)``.
    weight_hh : Parameter
        ``(H, H)``.
    bias_ih, bias_hh : Parameter or None
        ``(H,)`` each.

    Notes
    -----
    All parameters start from ``U(-1/sqrt(H), 1/sqrt(H))``, as in PyTorch.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> cell = nn.RNNCell(3, 5)
    >>> h = cell(ad.ones((2, 3)))
    >>> cell(ad.ones((2, 3)), h).shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = None,
    ) -> None:
        self.nonlinearity = check_nonlinearity(self, nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype)

    def _recurrence(self) -> Recurrence:
        return elman(collect(self, ""), self.nonlinearity)

    def forward(self, x: Any, hx: Any = None) -> ad.Tensor:
        """Return the next state.

        Parameters
        ----------
        x : Tensor (N, F) or (F,)
        hx : Tensor (N, H) or (H,), optional
            The state; zeros where None.

        Raises
        ------
        ShapeError
            If the input or the state has another shape.
        """
        return self._step(x, None if hx is None else (hx,), ("hx",))[0]


class GRUCell(_Cell):
    r"""One step of a gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

    .. math::
        r &= \sigma(W_{ir} x + b_{ir} + W_{hr} h + b_{hr}) \\
        z &= \sigma(W_{iz} x + b_{iz} + W_{hz} h + b_{hz}) \\
        n &= \tanh(W_{in} x + b_{in} + r \odot (W_{hn} h + b_{hn})) \\
        h' &= (1 - z) \odot n + z \odot h

    As in PyTorch, the reset gate acts on the product with the state and not on the state.

    Parameters
    ----------
    input_size : int
        F, the number of features of ``x``.
    hidden_size : int
        H, the size of the state.
    bias : bool
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight_ih : Parameter
        ``(3 H, F)``: the rows of r, z, n.
    weight_hh : Parameter
        ``(3 H, H)``.
    bias_ih, bias_hh : Parameter or None
        ``(3 H,)`` each.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.GRUCell(3, 5)(ad.ones((2, 3))).shape
    (2, 5)
    """

    _gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)

    def _recurrence(self) -> Recurrence:
        return gru(collect(self, ""))

    def forward(self, x: Any, hx: Any = None) -> ad.Tensor:
        """Return the next state.

        Parameters
        ----------
        x : Tensor (N, F) or (F,)
        hx : Tensor (N, H) or (H,), optional
            The state; zeros where None.

        Raises
        ------
        ShapeError
            If the input or the state has another shape.
        """
        return self._step(x, None if hx is None else (hx,), ("hx",))[0]


class LSTMCell(_Cell):
    r"""One step of long short-term memory (Hochreiter and Schmidhuber 1997; Gers 2000).

    .. math::
        i &= \sigma(W_{ii} x + b_{ii} + W_{hi} h + b_{hi}) \\
        f &= \sigma(W_{if} x + b_{if} + W_{hf} h + b_{hf}) \\
        g &= \tanh(W_{ig} x + b_{ig} + W_{hg} h + b_{hg}) \\
        o &= \sigma(W_{io} x + b_{io} + W_{ho} h + b_{ho}) \\
        c' &= f \odot c + i \odot g \\
        h' &= o \odot \tanh(c')

    Parameters
    ----------
    input_size : int
        F, the number of features of ``x``.
    hidden_size : int
        H, the size of both states.
    bias : bool
    forget_bias : float, optional
        See :class:`LSTM`, as for the next two.
    peepholes : bool
    layer_norm : bool
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    weight_ih : Parameter
        ``(4 H, F)``: the rows of i, f, g, o.
    weight_hh : Parameter
        ``(4 H, H)``.
    bias_ih, bias_hh : Parameter or None
        ``(4 H,)`` each.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> cell = nn.LSTMCell(3, 5)
    >>> h, c = cell(ad.ones((2, 3)))
    >>> h, c = cell(ad.ones((2, 3)), (h, c))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    _gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        forget_bias: float | None = None,
        peepholes: bool = False,
        layer_norm: bool = False,
    ) -> None:
        self.forget_bias = check_forget_bias(self, forget_bias, bias)
        self.peepholes, self.layer_norm = bool(peepholes), bool(layer_norm)
        super().__init__(
            input_size, hidden_size, bias, dtype, peepholes=peepholes, layer_norm=layer_norm
        )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        start(self, self.hidden_size, self.forget_bias)

    def _recurrence(self) -> Recurrence:
        return lstm(collect(self, ""))

    def forward(self, x: Any, hx: Any = None) -> tuple[ad.Tensor, ad.Tensor]:
        """Return the next state ``(h, c)``.

        Parameters
        ----------
        x : Tensor (N, F) or (F,)
        hx : pair of Tensors (N, H) or (H,), optional
            The state ``(h, c)``; zeros where None.

        Raises
        ------
        OptionError
            If the state is no pair.
        ShapeError
            If the input or the state has another shape.
        """
        given = None if hx is None else check_pair(self, hx)
        h, c = self._step(x, given, ("h", "c"))
        return h, c


def check_forget_bias(owner: Module, value: Any, bias: bool) -> float | None:
    """Return the forget gate's bias at the start; raise if it can't be one."""
    if value is None:
        return None
    if not bias:
        message = f"{owner.location()}: forget_bias is {value!r}, but there are no biases"
        raise ad.OptionError(f"{message}. Leave it out, or pass bias=True.")
    return check_finite(owner, "forget_bias", value)
