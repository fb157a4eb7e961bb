"""Activation functions as layers, and as functions where ``autodiff`` has none of that name.

Each docstring says what the function cures, and what it costs. What is weighed:

- **Saturation.** Where the slope is almost 0 a unit hardly learns, and gradients vanish
  through several such layers.
- **Zero-centring.** Outputs of one sign give all weights of a unit gradients of one sign, so
  that descent zigzags (LeCun et al., "Efficient BackProp", 1998).
- **The kink.** Where there is no derivative one is chosen; curvature is 0 on both sides.
- **Dead units.** A unit whose slope is 0 for every example gets no gradient any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import autodiff as ad
from nn.checks import as_input, check_features, check_positive, check_size, name_of
from nn.linear import Linear
from nn.module import Module, Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Function",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip


# -- functions ---------------------------------------------------------------------------------


def hardshrink(input: Any, lambd: float = 0.5) -> ad.Tensor:
    """``x`` where ``abs(x) > lambd``, and 0 elsewhere.

    >>> from nn.functional import hardshrink
    >>> hardshrink([-1.0, 0.5, 2.0])
    tensor([-1.,  0.,  2.], dtype=float32)
    """
    x = ad.asarray(input)
    return ad.masked(x, ad.logical_not(ad.abs(x) <= lambd))


def softshrink(input: Any, lambd: float = 0.5) -> ad.Tensor:
    """``x`` moved towards 0 by ``lambd``, and 0 where it would cross 0.

    >>> from nn.functional import softshrink
    >>> softshrink([-1.0, 0.5, 2.0])
    tensor([-0.5,  0. ,  1.5], dtype=float32)
    """
    x = ad.asarray(input)
    y: ad.Tensor = x - ad.clip(x, -lambd, lambd)
    return y


def tanhshrink(input: Any) -> ad.Tensor:
    """``x - tanh(x)``.

    >>> from nn.functional import tanhshrink
    >>> tanhshrink([0.0, 100.0])
    tensor([ 0., 99.], dtype=float32)
    """
    x = ad.asarray(input)
    y: ad.Tensor = x - ad.tanh(x)
    return y


def threshold(input: Any, threshold: float, value: float) -> ad.Tensor:
    """``x`` where it is above the threshold, ``value`` elsewhere.

    >>> from nn.functional import threshold
    >>> threshold([0.0, 2.0], 1.0, -1.0)
    tensor([-1.,  2.], dtype=float32)
    """
    x = ad.asarray(input)
    return ad.where(x <= threshold, value, x)


def prelu(input: Any, weight: Any) -> ad.Tensor:
    """``x`` where it is positive, ``weight * x`` elsewhere.

    Parameters
    ----------
    input : Tensor or array_like
        ``(N, C, ...)``, or anything for a weight of one number.
    weight : Tensor
        ``(C,)`` or ``(1,)``.

    >>> from nn.functional import prelu
    >>> prelu([-1.0, 2.0], [0.5])
    tensor([-0.5,  2. ], dtype=float32)
    """
    x, slope = ad.asarray(input), ad.asarray(weight)
    if slope.size != 1:
        channels = x.shape[1] if x.ndim > 1 else 1
        if slope.shape != (channels,):
            message = f"prelu: the weight {slope.shape} has not the {channels} channels of the"
            message += f" input {ad.errors.describe(x)}"
            raise ad.ShapeError(f"{message}. Give one number, or one for each channel.")
        slope = slope.reshape(-1, *(1,) * (x.ndim - 2))
    return _leaking(x, slope)


def rrelu(
    input: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> ad.Tensor:
    """``x`` where it is positive, ``a x`` elsewhere, with a random slope while training.

    ``a`` is drawn for each element between ``lower`` and ``upper``; it is their mean where
    ``training`` is False.

    >>> from nn.functional import rrelu
    >>> rrelu([-1.0, 2.0], 0.25, 0.75)
    tensor([-0.5,  2. ], dtype=float32)
    """
    x = ad.asarray(input)
    if not training:
        return ad.leaky_relu(x, (lower + upper) / 2)
    slope = ad.random.uniform(lower, upper, x.shape, dtype=x.dtype, generator=generator)
    return _leaking(x, slope)


def _leaking(x: ad.Tensor, slope: ad.Tensor) -> ad.Tensor:
    # Not with `where`, which is many times slower where signs have no pattern.
    y: ad.Tensor = ad.relu(x) + slope * ad.masked(x, x <= 0)
    return y


def glu(input: Any, dim: int = -1) -> ad.Tensor:
    """Gate one half of an axis with the other: ``a * sigmoid(b)``.

    >>> from nn.functional import glu
    >>> glu([3.0, 0.0])
    tensor([1.5], dtype=float32)
    """
    x = ad.asarray(input)
    if not x.ndim or not -x.ndim <= dim < x.ndim or x.shape[dim] % 2:
        message = f"glu: {ad.errors.describe(x)} has no even axis {dim}"
        raise ad.ShapeError(f"{message}. Give an axis of twice the wanted size.")
    a, b = ad.split(x, 2, axis=dim)
    y: ad.Tensor = a * ad.sigmoid(b)
    return y


def softmax(input: Any, dim: int = -1) -> ad.Tensor:
    """``autodiff.softmax`` along the axis ``dim``, under PyTorch's name for it."""
    return ad.softmax(input, axis=dim)


def log_softmax(input: Any, dim: int = -1) -> ad.Tensor:
    """``autodiff.log_softmax`` along the axis ``dim``, under PyTorch's name for it."""
    return ad.log_softmax(input, axis=dim)


def softmin(input: Any, dim: int = -1) -> ad.Tensor:
    """``softmax(-x)``: the smallest gets the most.

    >>> from nn.functional import softmin
    >>> softmin([0.0, 1000.0])
    tensor([1., 0.], dtype=float32)
    """
    return ad.softmax(-ad.asarray(input), axis=dim)


# -- layers --------------------------------------------------------------------------------------


class _Activation(Module):
    """A function with options, which are attributes of the layer.

    ``inplace`` is taken as PyTorch's layers take it, and changes nothing: no layer writes
    into its input.
    """

    function: ClassVar[Callable[..., ad.Tensor]]
    _options: tuple[str, ...] = ()

    def __init__(self, inplace: bool = False, **options: Any) -> None:
        del inplace
        self._options = tuple(options)
        vars(self).update(options)

    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function to every element (to every slice, for softmax and GLU)."""
        options = {name: getattr(self, name) for name in self._options}
        return type(self).function(as_input(self, x), **options)

    def extra_repr(self) -> str:
        """Return the options."""
        given = ((name, getattr(self, name)) for name in self._options)
        return ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in given
        )


class Identity(Module):
    """Hand the input on, ``y = x``; for the place of a layer that is left out.

    Arguments of the constructor are taken and ignored, as PyTorch's.

    Examples
    --------
    >>> import nn
    >>> nn.Identity(54, unused=True)([1.0])
    [1.0]
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        del args, options

    def forward(self, x: Any) -> Any:
        """Return ``x``."""
        return x


class ReLU(_Activation):
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


class ReLU6(_Activation):
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


class LeakyReLU(_Activation):
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
        super().__init__(inplace, negative_slope=negative_slope)


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

    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function; raise ShapeError where the channels are not as many."""
        return prelu(as_input(self, x), self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"


class RReLU(_Activation):
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
        super().__init__(inplace, lower=lower, upper=upper)

    def forward(self, x: Any) -> ad.Tensor:
        """Apply the function, with random slopes while training."""
        return rrelu(as_input(self, x), self.lower, self.upper, self.training)

    lower: float
    upper: float


class ELU(_Activation):
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
        super().__init__(inplace, alpha=alpha)


class CELU(_Activation):
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
        super().__init__(inplace, alpha=alpha)


class SELU(_Activation):
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


class GELU(_Activation):
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
        super().__init__(approximate=approximate)


class SiLU(_Activation):
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


class Mish(_Activation):
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


class Softplus(_Activation):
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
        super().__init__(beta=check_positive(self, "beta", beta), threshold=threshold)


class Softsign(_Activation):
    r"""A slower tanh, :math:`y = x / (1 + |x|)`.

    It cures the haste with which tanh saturates: it nears -1 and 1 only as ``1 / x``. It is
    centred on 0 and needs no exponential. It costs a slope of only 1/4 at ``x = 1``. Bergstra
    et al., 2009.

    Examples
    --------
    >>> import nn
    >>> nn.Softsign()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.5  ,  0.   ,  0.667], dtype=float32)
    """

    function = staticmethod(ad.softsign)


class Hardtanh(_Activation):
    r"""A tanh of straight lines, :math:`y = \min(\max(x, -1), 1)`.

    It cures the cost of ``tanh``, and is centred on 0. It costs two kinks, and saturates at
    once: outside of the bounds the gradient is 0. Collobert, 2004.

    Parameters
    ----------
    min_val, max_val : float
        The bounds.

    Examples
    --------
    >>> import nn
    >>> nn.Hardtanh()([-1.0, 0.0, 2.0])
    tensor([-1.,  0.,  1.], dtype=float32)
    """

    function = staticmethod(ad.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not min_val < max_val:
            message = f"Hardtanh: min_val = {min_val!r} is not below max_val = {max_val!r}"
            raise ad.DomainError(f"{message}. Exchange them.")
        super().__init__(inplace, min_val=min_val, max_val=max_val)


class Hardsigmoid(_Activation):
    r"""A sigmoid of straight lines, :math:`y = \min(\max(x + 3, 0), 6) / 6`.

    It cures the cost of the sigmoid. It costs two kinks, and saturates at once beyond -3 and
    3; its outputs are all positive. Courbariaux et al., NeurIPS 2015.

    Examples
    --------
    >>> import nn
    >>> nn.Hardsigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([0.333, 0.5  , 0.833], dtype=float32)
    """

    function = staticmethod(ad.hardsigmoid)


class Hardswish(_Activation):
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


class Sigmoid(_Activation):
    r"""The logistic function, :math:`y = 1 / (1 + e^{-x})`.

    Its output is a probability, or a gate between 0 and 1. It costs saturation on both sides,
    a slope :math:`y (1 - y)` of at most 1/4, and outputs that are all positive: as a hidden
    unit prefer the others.

    Examples
    --------
    >>> import nn
    >>> nn.Sigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([0.269, 0.5  , 0.881], dtype=float32)
    """

    function = staticmethod(ad.sigmoid)


class LogSigmoid(_Activation):
    r"""The logarithm of a probability, :math:`y = \log \sigma(x) = -\log(1 + e^{-x})`.

    It cures the loss of digits of ``log(sigmoid(x))``, which is -inf where the sigmoid rounds
    to 0. It is for losses; as a hidden unit it saturates on the right.

    Examples
    --------
    >>> import nn
    >>> nn.LogSigmoid()([-1.0, 0.0, 2.0]).round(3)
    tensor([-1.313, -0.693, -0.127], dtype=float32)
    """

    function = staticmethod(ad.logsigmoid)


class Tanh(_Activation):
    r"""The hyperbolic tangent, :math:`y = \tanh(x)`.

    It is smooth and cures the sigmoid's lack of zero-centring. It costs saturation: beyond
    ``|x| > 3`` its slope :math:`1 - y^2` is below 0.01, and gradients vanish through several
    such layers.

    Examples
    --------
    >>> import nn
    >>> nn.Tanh()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.762,  0.   ,  0.964], dtype=float32)
    """

    function = staticmethod(ad.tanh)


class Tanhshrink(_Activation):
    r"""What tanh takes away, :math:`y = x - \tanh(x)`.

    It shrinks small inputs (as :math:`x^3 / 3`) and keeps large ones, for sparse codes. It
    costs a slope of 0 at 0, where most inputs lie.

    Examples
    --------
    >>> import nn
    >>> nn.Tanhshrink()([-1.0, 0.0, 2.0]).round(3)
    tensor([-0.238,  0.   ,  1.036], dtype=float32)
    """

    function = staticmethod(tanhshrink)


class Softshrink(_Activation):
    r"""Shrink towards 0, :math:`y = \mathrm{sign}(x) \max(|x| - \lambda, 0)`.

    The step of the lasso: it makes codes sparse, and biases what is left by ``lambd``. It
    costs two kinks, and inputs within ``lambd`` of 0 get no gradient.

    Parameters
    ----------
    lambd : float
        The :math:`\lambda`, at least 0.

    Examples
    --------
    >>> import nn
    >>> nn.Softshrink()([-1.0, 0.0, 2.0])
    tensor([-0.5,  0. ,  1.5], dtype=float32)
    """

    function = staticmethod(softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=check_positive(self, "lambd", lambd, or_zero=True))


class Hardshrink(_Activation):
    r"""Keep what is large, :math:`y = x` where :math:`|x| > \lambda`, 0 elsewhere.

    It makes codes sparse without Softshrink's bias. It costs two jumps, and inputs within
    ``lambd`` of 0 get no gradient.

    Parameters
    ----------
    lambd : float
        The :math:`\lambda`.

    Examples
    --------
    >>> import nn
    >>> nn.Hardshrink()([-1.0, 0.0, 2.0])
    tensor([-1.,  0.,  2.], dtype=float32)
    """

    function = staticmethod(hardshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Threshold(_Activation):
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
        super().__init__(inplace, threshold=threshold, value=value)


class Softmax(_Activation):
    r"""Exponentials scaled to sum to 1, :math:`y_i = e^{x_i} / \sum_j e^{x_j}`.

    It makes probabilities of scores. It saturates: where one score leads by far, all slopes
    are almost 0. For a loss use the logits with :class:`CrossEntropyLoss`, which loses no
    digits.

    Parameters
    ----------
    dim : int
        The axis along which they sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.Softmax()([0.0, 1.0, -1000.0]).round(3)
    tensor([0.269, 0.731, 0.   ], dtype=float32)
    """

    function = staticmethod(softmax)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class LogSoftmax(_Activation):
    r"""The logarithm of the softmax, :math:`y_i = x_i - \log \sum_j e^{x_j}`.

    It cures the loss of digits of ``log(softmax(x))``: it is never -inf for finite scores,
    and its gradient does not vanish where the score of the right class is far too small.

    Parameters
    ----------
    dim : int
        The axis along which the probabilities sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.LogSoftmax()([0.0, 1.0, -1000.0]).round(3)
    tensor([-1.313000e+00, -3.130000e-01, -1.001313e+03], dtype=float32)
    """

    function = staticmethod(log_softmax)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmin(_Activation):
    r"""The softmax of the negative, :math:`y_i = e^{-x_i} / \sum_j e^{-x_j}`.

    It makes probabilities of costs or distances; saturates as :class:`Softmax`.

    Parameters
    ----------
    dim : int
        The axis along which they sum to 1.

    Examples
    --------
    >>> import nn
    >>> nn.Softmin()([0.0, 1.0, 1000.0]).round(3)
    tensor([0.731, 0.269, 0.   ], dtype=float32)
    """

    function = staticmethod(softmin)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmax2d(Module):
    """The softmax over the channels at each place of images ``(N, C, H, W)`` or ``(C, H, W)``.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Softmax2d()(ad.zeros((1, 4, 2, 2)))[0, :, 0, 0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    def forward(self, x: Any) -> ad.Tensor:
        """Apply it; raise ShapeError for another number of axes."""
        x = as_input(self, x)
        if x.ndim not in (3, 4):
            message = f"{name_of(self)}: the input {ad.errors.describe(x)} is no batch of images"
            raise ad.ShapeError(f"{message}. Give (N, C, H, W) or (C, H, W).")
        return ad.softmax(x, axis=-3)


class GLU(_Activation):
    r"""The gated linear unit, :math:`y = a \odot \sigma(b)` for the halves of an axis.

    It cures vanishing gradients: through ``a`` there is a linear path, which the gate ``b``
    opens and closes. It costs half of the features. Dauphin et al., ICML 2017.

    Parameters
    ----------
    dim : int
        The axis, of an even size 2H; the result has H there.

    Examples
    --------
    >>> import nn
    >>> nn.GLU()([1.0, 2.0, 0.0, 1000.0])
    tensor([0.5, 2. ], dtype=float32)
    """

    function = staticmethod(glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


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


class Function(Module):
    """A function of tensors as a layer: ``Function(autodiff.sin)``.

    Parameters
    ----------
    function : callable
        From a tensor to a tensor.

    Examples
    --------
    >>> import autodiff as ad, nn
    >>> nn.Function(ad.square)(ad.asarray([3.0]))
    tensor([9.], dtype=float32)
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        if not callable(function):
            message = f"Function: {function!r} can't be called"
            raise ad.OptionError(f"{message}. Give a function of a tensor.")
        self.function = function

    def forward(self, x: Any) -> Any:
        """Return ``function(x)``."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", repr(self.function))
