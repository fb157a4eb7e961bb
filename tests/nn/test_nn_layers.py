"""Linear, MLP and activations: PyTorch's names, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from tests.nn import assert_same_as_torch, precisions, to_torch, torch, with_torch


@with_torch
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3)])
@precisions
def test_linear_is_pytorchs(bias, shape, dtype, tolerance):
    theirs = torch.nn.Linear(3, 4, bias=bias, dtype=getattr(torch, dtype))
    ours = nn.Linear(3, 4, bias=bias, dtype=getattr(ad, dtype))
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize("name", ["ReLU", "Tanh", "Sigmoid", "Identity"])
def test_mlp_is_a_sequential_of_pytorchs(name):
    act = getattr(torch.nn, name)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 6), act(), torch.nn.Linear(6, 5), act(), torch.nn.Linear(5, 2)
    ).double()
    ours = nn.MLP([4, 6, 5, 2], activation=name.lower(), dtype=ad.float64)
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(1).normal(size=(7, 4))
    y, z = ours(ad.asarray(x)), theirs(to_torch(x))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-12)
    (y * y).mean().backward()
    (z * z).mean().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), atol=1e-12)


def test_activations_of_an_mlp():
    x = ad.ones((1, 2))
    for given in (ad.sin, nn.Tanh, nn.Tanh(), lambda t: t * 2):
        assert nn.MLP([2, 3, 1], given)(x).shape == (1, 1)
    one = nn.Tanh()
    model = nn.MLP([2, 2, 2, 2], one)
    assert model[1] is not one
    assert model[1] is not model[3]
    assert "1: Function(sin)" in repr(nn.MLP([2, 2, 2], ad.sin))
    assert nn.MLP([2, 2], bias=False)[0].bias is None


def test_bad_sizes_and_activations():
    with pytest.raises(ad.OptionError, match="too short"):
        nn.MLP([3])
    with pytest.raises(ad.OptionError, match=r"'swoosh' is unknown\. Give one of 'identity'"):
        nn.MLP([3, 3, 3], "swoosh")
    with pytest.raises(ad.OptionError, match="can't be a int"):
        nn.MLP([3, 3, 3], 5)
    for sizes, activation in (([2, 3], "gelu?"), ([2, 3], 5)):  # no layer that would need it
        with pytest.raises(ad.OptionError, match="activation"):
            nn.MLP(sizes, activation)
    for size in (2.5, -1, "3", True):
        with pytest.raises(ad.OptionError, match="in_features"):
            nn.Linear(size, 2)


def test_linear_takes_what_becomes_an_array():
    layer = nn.Linear(2, 3)
    expected = layer(ad.tensor([[1.0, 2.0]])).tolist()
    assert layer([[1.0, 2.0]]).tolist() == expected
    assert layer(np.array([[1.0, 2.0]], np.float32)).tolist() == expected
    assert layer(ad.tensor([[1, 2]])).tolist() == expected
    model = nn.Sequential({"inner": nn.Sequential(layer)})
    with pytest.raises(ad.DTypeError, match=r"Linear 'inner\.0': an operand of type str"):
        model("text")
    with pytest.raises(ad.ShapeError, match=r"Linear 'inner\.0': asarray\(list\)"):
        model([[1.0, 2.0], [3.0]])
    with pytest.raises(ad.ShapeError, match=r"Linear 'inner\.0': the input \(\) float32"):
        model(2.0)


def test_default_dtype_is_the_parameters():
    with ad.default_dtype(ad.float64):
        assert {p.dtype for p in nn.MLP([2, 3, 1]).parameters()} == {np.dtype("float64")}


def test_linear_starts_as_xavier_and_zeros():
    layer = nn.Linear(300, 200)
    bound = (6 / 500) ** 0.5
    weight = layer.weight.detach().numpy()
    assert 0.99 * bound < np.abs(weight).max() <= bound
    assert (layer.bias.detach().numpy() == 0).all()


def test_activations_by_hand():
    x = ad.tensor([-1.0, 0.0, 2.0])
    assert nn.Identity()(x) is x
    assert nn.ReLU()(x).tolist() == [0, 0, 2]
    assert nn.Sigmoid()(ad.zeros(1)).tolist() == [0.5]
    np.testing.assert_allclose(nn.Tanh()(x).numpy(), np.tanh(x.numpy()), rtol=1e-6)
