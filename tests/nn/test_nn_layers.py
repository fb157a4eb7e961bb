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
    np.testing.assert_allclose(layer(ad.tensor([[1, 2]])).tolist(), expected, rtol=1e-5)
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


@with_torch
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(), (5,), (2, 4), (0,)])
@precisions
def test_bilinear_is_pytorchs(bias, lead, dtype, tolerance):
    theirs = torch.nn.Bilinear(3, 4, 2, bias=bias, dtype=getattr(torch, dtype))
    ours = nn.Bilinear(3, 4, 2, bias=bias, dtype=getattr(ad, dtype))
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(*lead, n)).astype(dtype) for n in (3, 4))
    assert_same_as_torch(ours, theirs, [x, y], tolerance=tolerance)


@with_torch
def test_functions_are_pytorchs():
    rng = np.random.default_rng(0)
    x, y, w, b = (rng.normal(size=s) for s in ((5, 3), (5, 4), (2, 3, 4), (2,)))
    ours, theirs = nn.functional, torch.nn.functional
    assert_same_as_torch(ours.bilinear, theirs.bilinear, [x, y, w, b], tolerance=1e-10)
    assert_same_as_torch(ours.linear, theirs.linear, [x, w[:, :, 0], b], tolerance=1e-10)


@with_torch
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda nn: nn.Flatten(), (2, 3, 4)),
        (lambda nn: nn.Flatten(0, 1), (2, 3, 4)),
        (lambda nn: nn.Flatten(0), (3,)),
        (lambda nn: nn.Flatten(-2), (0, 3, 4)),
        (lambda nn: nn.Unflatten(1, (2, 3)), (4, 6)),
        (lambda nn: nn.Unflatten(-1, (2, -1)), (4, 6)),
    ],
)
def test_reshaping_is_pytorchs(make, shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    assert_same_as_torch(make(nn), make(torch.nn), [x], tolerance=0)


@with_torch
@precisions
def test_mlp_with_norm_and_dropout_is_a_sequential_of_pytorchs(dtype, tolerance):
    made = torch.nn
    theirs = made.Sequential(
        made.Linear(4, 6), made.BatchNorm1d(6), made.GELU(), made.Dropout(0.3),
        made.Linear(6, 5), made.BatchNorm1d(5), made.GELU(), made.Dropout(0.3),
        made.Linear(5, 2),
    ).to(getattr(torch, dtype))  # fmt: skip
    ours = nn.MLP([4, 6, 5, 2], "gelu", "batch", 0.3, dtype=getattr(ad, dtype))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = np.random.default_rng(1).normal(size=(7, 4)).astype(dtype)
    assert_same_as_torch(ours.eval(), theirs.eval(), [x], tolerance=tolerance)


def test_options_of_an_mlp():
    x = ad.ones((3, 2))
    for norm in ("layer", "rms", "batch", nn.LayerNorm, lambda n: nn.GroupNorm(2, n)):
        assert nn.MLP([2, 4, 1], norm=norm)(x).shape == (3, 1)
    for name in ("leakyrelu", "leaky_relu", "prelu", "selu", "mish"):
        assert nn.MLP([2, 4, 1], name, dtype=ad.float64)(x.astype(ad.float64)).dtype == ad.float64
    model = nn.MLP([2, 2, 2], init="orthogonal")
    weight = model[0].weight.detach().numpy()
    np.testing.assert_allclose(weight @ weight.T, np.eye(2), atol=1e-6)
    assert (nn.MLP([2, 2], init=nn.init.ones_)[0].weight.detach().numpy() == 1).all()
    ad.random.seed(0)
    weight = nn.MLP([300, 200], init="kaiming_normal")[0].weight
    np.testing.assert_allclose(weight.detach().numpy().std(), (2 / 300) ** 0.5, rtol=0.02)
    for options in ({"norm": "group"}, {"norm": 3}, {"init": "kaiming"}, {"init": 2}):
        with pytest.raises(ad.OptionError, match=f"the {next(iter(options))} .* is unknown"):
            nn.MLP([2, 3, 2], **options)
    with pytest.raises(ad.DomainError, match="dropout"):
        nn.MLP([2, 3, 2], dropout=2)


def test_more_bad_input():
    with pytest.raises(ad.ShapeError, match="differ before the last axis"):
        nn.Bilinear(3, 4, 2)(ad.ones((5, 3)), ad.ones((6, 4)))
    with pytest.raises(ad.ShapeError, match="has 5 features"):
        nn.Bilinear(3, 4, 2)(ad.ones((5, 5)), ad.ones((5, 4)))
    with pytest.raises(ad.ShapeError, match="has no axes from 1 to -1"):
        nn.Flatten()(ad.ones(3))
    with pytest.raises(ad.ShapeError, match=r"axis 1 of the input \(2, 5\) float32 can't be split"):
        nn.Unflatten(1, (2, 3))(ad.ones((2, 5)))
    with pytest.raises(ad.OptionError, match="ambiguous"):
        nn.Unflatten(1, (-1, -1))


def test_bad_input_of_functions_and_reshaping():
    with pytest.raises(ad.ShapeError, match=r"bilinear: the weight \(2, 4\) float32 does not fit"):
        nn.functional.bilinear(ad.ones(3), ad.ones(3), ad.ones((2, 4)))
    for make in (lambda: nn.Flatten("a"), lambda: nn.Unflatten(0, ()), lambda: nn.MLP("ab")):
        with pytest.raises(ad.OptionError, match="Give"):
            make()
    with pytest.raises(ad.DTypeError, match=r"Embedding 'a': an operand of type str"):
        nn.Sequential({"a": nn.Embedding(3, 2)})("text")
