"""Activation functions as layers, and their functions."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import activations, functional
from nn.activations import functions
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

LAYERS = [
    ("Identity", ()),
    ("ReLU", ()),
    ("ReLU6", ()),
    ("LeakyReLU", ()),
    ("LeakyReLU", (0.3,)),
    ("PReLU", ()),
    ("PReLU", (4, 0.1)),
    ("ELU", ()),
    ("ELU", (0.5,)),
    ("CELU", (2.0,)),
    ("SELU", ()),
    ("GELU", ()),
    ("GELU", ("tanh",)),
    ("SiLU", ()),
    ("Mish", ()),
    ("Softplus", ()),
    ("Softplus", (2.0, 3.0)),
    ("Softsign", ()),
    ("Hardtanh", ()),
    ("Hardtanh", (-0.5, 2.0)),
    ("Hardsigmoid", ()),
    ("Hardswish", ()),
    ("Sigmoid", ()),
    ("LogSigmoid", ()),
    ("Tanh", ()),
    ("Tanhshrink", ()),
    ("Softshrink", ()),
    ("Softshrink", (1.0,)),
    ("Hardshrink", ()),
    ("Threshold", (0.5, -2.0)),
    ("Softmax", (1,)),
    ("Softmax", (-1,)),
    ("LogSoftmax", (0,)),
    ("Softmin", (1,)),
    ("GLU", ()),
    ("GLU", (1,)),
]


@with_torch
@pytest.mark.parametrize(("name", "options"), LAYERS)
@precisions
def test_layers_are_pytorchs(name, options, dtype, tolerance):
    theirs = getattr(torch.nn, name)(*options).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*options).to(getattr(ad, dtype))
    x = (3 * np.random.default_rng(0).normal(size=(5, 4, 6))).astype(dtype)
    x[0] = np.round(x[0])  # on kinks too
    if name == "Hardsigmoid":  # whose 1/6 PyTorch rounds to single precision
        tolerance = max(tolerance, 1e-7)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)


@with_torch
def test_softmax_over_channels():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    for images in (x, x[0]):
        assert_same_as_torch(nn.Softmax2d(), torch.nn.Softmax2d(), [images], tolerance=1e-10)


@with_torch
def test_random_rectifier():
    x = np.random.default_rng(0).normal(size=(50, 40))
    assert_same_as_torch(nn.RReLU().eval(), torch.nn.RReLU().eval(), [x], tolerance=1e-10)
    given = ad.tensor(x, requires_grad=True)
    y = nn.RReLU(0.2, 0.4)(given)
    slopes = (y.detach().numpy() / x)[x < 0]
    assert (slopes >= 0.2).all()
    assert (slopes <= 0.4).all()
    assert abs(slopes.mean() - 0.3) < 0.01
    y.sum().backward()
    np.testing.assert_allclose(given.grad.numpy()[x < 0], slopes)


@with_torch
def test_functions_stand_in_functional_under_pytorchs_names():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for name in functional.__all__:
        ours, theirs = getattr(functional, name), getattr(torch.nn.functional, name, None)
        own = getattr(functions, name, None) or getattr(ad, name, None)
        if own is not ours:
            continue
        options = {"threshold": (0.1, -3.0), "prelu": ()}.get(name, ())
        options = (1,) if "soft" in name and name.endswith(("max", "min")) else options
        arrays = [x, np.array([0.3])] if name == "prelu" else [x]
        assert_same_as_torch(
            lambda *a, f=ours, o=options: f(*a, *o),
            lambda *a, f=theirs, o=options: f(*a, *o),
            arrays,
            tolerance=1e-7 if name == "hardsigmoid" else 1e-10,
        )


@pytest.mark.parametrize(
    "layer",
    [nn.Maxout(3, 2, 4, dtype=ad.float64), nn.PReLU(3, dtype=ad.float64), nn.Tanhshrink()],
)
def test_gradcheck(layer):
    x = ad.tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)
    assert ad.gradcheck(layer, (x,))


def test_maxout_is_the_largest_of_its_pieces():
    layer = nn.Maxout(3, 2, 4)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    expected = (x @ weight.T + bias).reshape(5, 2, 4).max(-1)
    np.testing.assert_allclose(layer(ad.asarray(x)).detach().numpy(), expected, rtol=1e-6)
    assert repr(layer).splitlines()[0] == "Maxout(num_pieces=4)     32 parameters"
    assert layer.linear.bias.shape == (8,)


def test_options_are_attributes_and_shown():
    layer = nn.LeakyReLU(0.2, inplace=True)
    assert repr(layer) == "LeakyReLU(negative_slope=0.2)  0 parameters"
    layer.negative_slope = 0.5
    assert layer([-2.0]).tolist() == [-1.0]
    assert repr(nn.GELU("tanh")) == "GELU(approximate='tanh')  0 parameters"
    assert nn.ReLU(inplace=True)(ad.tensor([-1.0])).tolist() == [0.0]
    assert repr(nn.Function(ad.sin)) == "Function(sin)  0 parameters"


@pytest.mark.parametrize(
    "name", [n for n in activations.__all__ if n not in ("Function", "Maxout", "Identity")]
)
def test_every_layer_says_what_it_cures_or_costs(name):
    text = getattr(nn, name).__doc__
    assert any(word in text for word in ("cost", "cures", "saturates", "softmax")), text


def test_bad_options_and_inputs():
    for make in (
        lambda: nn.GELU("erf"),
        lambda: nn.PReLU(0),
        lambda: nn.Function(3),
    ):
        with pytest.raises(ad.OptionError):
            make()
    for make in (
        lambda: nn.Softplus(beta=0),
        lambda: nn.Softshrink(-1),
        lambda: nn.Hardtanh(1, -1),
        lambda: nn.RReLU(0.5, 0.1),
        lambda: nn.CELU(0),
    ):
        with pytest.raises(ad.DomainError):
            make()
    with pytest.raises(ad.ShapeError, match=r"prelu: the weight \(3,\) has not the 4 channels"):
        nn.PReLU(3)(ad.ones((2, 4)))
    with pytest.raises(ad.ShapeError, match=r"glu: \(2, 3\) float32 has no even axis"):
        nn.GLU()(ad.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match="no batch of images"):
        nn.Softmax2d()(ad.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match=r"Maxout: the input .* has 4 features"):
        nn.Maxout(3, 2)(ad.ones((2, 4)))
    with pytest.raises(ad.AxisError):
        nn.Softmax(2)(ad.ones((2, 3)))
    with pytest.raises(ad.DTypeError, match=r"ReLU 'b': "):
        nn.Sequential({"b": nn.ReLU()})("text")
