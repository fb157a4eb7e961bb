"""Activations that hand positive inputs on: ReLU, and what mends it."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from nn.activations.activation import Activation
from nn.activations.functions import prelu, rrelu, threshold
from nn.checks import as_input, check_features, check_positive, check_size, located
from nn.linear import Linear
from nn.module import Module, Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "Hardswish",
    "LeakyReLU",
    "Maxout",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Softplus",
    "Threshold",
]


class ReLU(Activation):
    r"""The rectified linear unit, :math:`y = \max(x, 0)`.

    It cures saturation: where a unit is active its slope is 1, however large the input; and
    it is cheap. It costs a kink at 0 (where the slope is taken as 0), outputs that are not
    centred on 0, and units that die: one that is negative for every example gets no gradient
    any more. Nair and Hinton, ICML 2010.

    Examples
    --------
    >>> import nn
    >>> nn.ReLU()([-1.0, 0.0, 2.0])
    tensor([0., 0., 2.], dtype=float32)
    """

    function = staticmethod(ad.relu)


class ReLU6(Activation):
    r"""The rectified linear unit with a ceiling, :math:`y = \min(\max(x, 0), 6)`.

    It cures what large activations do to arithmetic of few bits. It costs what ReLU costs,
    and saturates above 6. Krizhevsky, 2010.

    Examples
    --------
    >>> import nn
    >>> nn.ReLU6()([-1.0, 0.0, 2.0])
    tensor([0., 0., 2.], dtype=float32)
    """

    function = staticmethod(ad.relu6)


class LeakyReLU(Activation):
    r"""A rectifier that leaks, :math:`y = \max(x, 0) + a \min(x, 0)`.

    It cures dead units: the slope on the left is ``negative_slope`` and not 0. It costs the
    kink, and a number to choose; its outputs are nearer to zero-centred than ReLU's, but not
    centred. Maas, Hannun and Ng, ICML 2013.

    Parameters
    ----------
    negative_slope : float
        The ``a``.

    Examples
    --------
    >>> import nn
    >>> nn.LeakyReLU()([-1.0, 0.0, 2.0])
    tensor([-0.01,  0.  ,  2.  ], dtype=float32)
    """

    function = staticmethod(ad.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self._keep(inplace, negative_slope=negative_slope)


class PReLU(Module):
    r"""A rectifier that learns its leak, :math:`y = \max(x, 0) + a \min(x, 0)`.

    It cures dead units and the choice of the slope, by learning it. It costs the kink, a
    parameter (or one for each channel) and the danger of overfitting with it; leave weight
    decay off it, which would pull it to ReLU. He et al., ICCV 2015.

    Parameters
    ----------
    num_parameters : int
        One, or as many as there are channels: then the input is ``(N, C, ...)``.
    init : float
        Where the slopes start.
    dtype : dtype, optional
        Of the parameter; at first the default dtype.

    Attributes
    ----------
    weight : Parameter
        ``(num_parameters,)``, the ``a``.

    Examples
    --------
    >>> import nn
    >>> nn.PReLU()([-1.0, 0.0, 2.0])
    tensor([-0.25,  0.  ,  2.  ], dtype=float32, requires_grad=True, op=add)
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        self.num_parameters = check_size(self, "num_parameters", num_parameters, 1)
        self.init = init
        self.weight = Parameter(ad.full((self.num_parameters,), float(init), dtype=dtype))

    @located
    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function; raise ShapeError where the channels are not as many."""
        return prelu(as_input(self, x), self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Activation):
    r"""A rectifier with a random leak, :math:`y = \max(x, 0) + a \min(x, 0)`.

    It cures dead units, and regularises: while training ``a`` is drawn for each element from
    ``U(lower, upper)``; in evaluation it is their mean. It costs the kink, random numbers,
    and a difference between training and evaluation. Xu et al., arXiv:1505.00853.

    Parameters
    ----------
    lower, upper : float
        The bounds of the slope.

    Examples
    --------
    >>> import nn
    >>> nn.RReLU(0.25, 0.75).eval()([-1.0, 0.0, 2.0])
    tensor([-0.5,  0. ,  2. ], dtype=float32)
    """

    function = staticmethod(rrelu)

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        if not lower <= upper:
            message = f"RReLU: lower = {lower!r} is above upper = {upper!r}"
            raise ad.DomainError(f"{message}. Exchange them.")
        self._keep(inplace, lower=lower, upper=upper)

    @located
    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function, with random slopes while training."""
        return rrelu(as_input(self, x), self.lower, self.upper, self.training)

    lower: float
    upper: float


class ELU(Activation):
    r"""The exponential linear unit, :math:`y = x` where positive, :math:`a (e^x - 1)` elsewhere.

    It cures dead units and the lack of zero-centring: it is negative on the left, down to
    ``-alpha``. It costs an exponential, and saturates there. With ``alpha=1`` there is no
    kink. Clevert, Unterthiner and Hochreiter, ICLR 2016.

    Parameters
    ----------
    alpha : float
        The ``a``.

    Examples
    --------
    >>> import nn
    >>> nn.ELU()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.632,  0.   ,  2.   ], dtype=float32)
    """

    function = staticmethod(ad.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._keep(inplace, alpha=alpha)


class CELU(Activation):
    r"""ELU without a kink, :math:`y = x` where positive, :math:`a (e^{x/a} - 1)` elsewhere.

    It cures the kink that ELU has for an ``alpha`` other than 1. It costs what ELU costs.
    Barron, arXiv:1704.07483.

    Parameters
    ----------
    alpha : float
        The ``a``, not 0.

    Examples
    --------
    >>> import nn
    >>> nn.CELU()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.632,  0.   ,  2.   ], dtype=float32)
    """

    function = staticmethod(ad.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        if not alpha:
            raise ad.DomainError("CELU: alpha is 0. Give another number.")
        self._keep(inplace, alpha=alpha)


class SELU(Activation):
    r"""The self-normalising unit, :math:`y = 1.0507\,\mathrm{ELU}(x; 1.6733)`.

    It cures drifting means and variances without a normalisation layer: at these constants
    mean 0 and variance 1 are a fixed point that deep stacks are drawn to. It costs an
    exponential and a kink, and holds only for weights from :func:`nn.init.lecun_normal_`.
    Klambauer et al., NeurIPS 2017.

    Examples
    --------
    >>> import nn
    >>> nn.SELU()([-1.0, 0.0, 2.0]).round(3)
    tensor([-1.111,  0.   ,  2.101], dtype=float32)
    """

    function = staticmethod(ad.selu)


class GELU(Activation):
    r"""The Gaussian error linear unit, :math:`y = x\,\Phi(x)`.

    It cures the kink and, mostly, dead units: it weighs its input by the probability that a
    normal variable is smaller. It costs an error function (or a ``tanh``), is not monotone,
    and its slope still vanishes far to the left. Hendrycks and Gimpel, arXiv:1606.08415.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" for the approximation that GPT-2 has.

    Examples
    --------
    >>> import nn
    >>> nn.GELU()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.159,  0.   ,  1.954], dtype=float32)
    """

    function = staticmethod(ad.gelu)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            message = f"GELU: approximate {approximate!r} is unknown"
            raise ad.OptionError(f"{message}. Give 'none' or 'tanh'.")
        self._keep(approximate=approximate)


class SiLU(Activation):
    r"""The sigmoid linear unit or swish, :math:`y = x\,\sigma(x)`.

    It cures the kink and, mostly, dead units, and is cheaper than GELU, which it is close to.
    It costs an exponential; not monotone, and its slope vanishes far to the left. Elfwing,
    Uchibe and Doya, 2018; Ramachandran, Zoph and Le, arXiv:1710.05941.

    Examples
    --------
    >>> import nn
    >>> nn.SiLU()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.269,  0.   ,  1.762], dtype=float32)
    """

    function = staticmethod(ad.silu)


class Mish(Activation):
    r"""A smooth rectifier, :math:`y = x \tanh(\mathrm{softplus}(x))`.

    It cures the kink and, mostly, dead units, as SiLU does. It costs more: three
    transcendental functions forward, and again backward. Misra, arXiv:1908.08681.

    Examples
    --------
    >>> import nn
    >>> nn.Mish()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.303,  0.   ,  1.944], dtype=float32)
    """

    function = staticmethod(ad.mish)


class Softplus(Activation):
    r"""A smooth rectifier, :math:`y = \frac1\beta \log(1 + e^{\beta x})`.

    It cures the kink, and never is 0 or negative: a scale or a variance wants that. It costs
    two transcendental functions, outputs that are all positive, and a vanishing slope on the
    left. Dugas et al., NeurIPS 2000.

    Parameters
    ----------
    beta : float
        The larger, the sharper the bend.
    threshold : float
        Where ``beta * x`` is above it, ``y`` is ``x``.

    Examples
    --------
    >>> import nn
    >>> nn.Softplus()([-1.0, 0.0, 2.0]).round(3)
    tensor([0.313, 0.693, 2.127], dtype=float32)
    """

    function = staticmethod(ad.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self._keep(beta=check_positive(self, "beta", beta), threshold=threshold)


class Hardswish(Activation):
    r"""A SiLU of straight lines, :math:`y = x \min(\max(x + 3, 0), 6) / 6`.

    It cures the cost of SiLU. It costs two kinks; units that are below -3 for every example
    are dead. Howard et al., arXiv:1905.02244.

    Examples
    --------
    >>> import nn
    >>> nn.Hardswish()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.333,  0.   ,  1.667], dtype=float32)
    """

    function = staticmethod(ad.hardswish)


class Threshold(Activation):
    """Replace what is not above a threshold: ``x`` where ``x > threshold``, else ``value``.

    A ReLU whose floor and step can be chosen. It costs dead units, and a jump where the two
    differ.

    Parameters
    ----------
    threshold, value : float

    Examples
    --------
    >>> import nn
    >>> nn.Threshold(1.0, -1.0)([-1.0, 0.0, 2.0])
    tensor([-1., -1.,  2.], dtype=float32)
    """

    function = staticmethod(threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self._keep(inplace, threshold=threshold, value=value)


class Maxout(Module):
    r"""The largest of several affine maps, :math:`y_i = \max_k (W_{ik} x + b_{ik})`.

    It cures dead and saturated units, and learns the activation function itself: any convex
    one, piece by piece. It costs ``num_pieces`` times the parameters and the work, and has
    kinks where the pieces meet (there the gradient is shared equally). Goodfellow et al.,
    "Maxout networks", ICML 2013.

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axis of input and output.
    num_pieces : int
        The number K of affine maps for each output.
    bias : bool
        Whether there is a ``b``.
    dtype : dtype, optional
        Of the parameters; at first the default dtype.

    Attributes
    ----------
    linear : Linear
        Of ``out_features * K`` outputs: those of one unit stand side by side.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Maxout(3, 2, 4)(ad.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_pieces: int = 2,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.out_features = check_size(self, "out_features", out_features)
        self.num_pieces = check_size(self, "num_pieces", num_pieces, 1)
        self.linear = Linear(in_features, self.out_features * self.num_pieces, bias, dtype)

    def forward(self, x: Any) -> ad.Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        x = as_input(self, x)
        check_features(self, x, self.linear.in_features, self.linear.weight)
        pieces = self.linear(x)
        pieces = pieces.reshape(*x.shape[:-1], self.out_features, self.num_pieces)
        return ad.max(pieces, axis=-1)

    def extra_repr(self) -> str:
        """Return the number of pieces."""
        return f"num_pieces={self.num_pieces}"
