"""Normalisation."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch


def random(*shape, dtype="float64", scale=1.0):
    return (scale * np.random.default_rng(0).normal(size=shape)).astype(dtype)


def randomized(module):
    """Give parameters values that are not ones and zeros."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return module


@with_torch
@pytest.mark.parametrize(
    ("shape", "sizes", "options"),
    [
        ((5, 4), 4, {}),
        ((4,), (4,), {"eps": 1e-3}),
        ((2, 3, 4), 4, {"bias": False}),
        ((2, 3, 4), (3, 4), {}),
        ((3, 4), (3, 4), {"elementwise_affine": False}),
        ((0, 4), 4, {}),
    ],
)
@precisions
def test_layer_norm_is_pytorchs(shape, sizes, options, dtype, tolerance):
    theirs = randomized(torch.nn.LayerNorm(sizes, dtype=getattr(torch, dtype), **options))
    ours = nn.LayerNorm(sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize(
    ("shape", "sizes", "options"),
    [
        ((5, 4), 4, {}),
        ((4,), (4,), {"eps": 1e-3}),
        ((2, 3, 4), (3, 4), {}),
        ((3, 4), 4, {"elementwise_affine": False}),
    ],
)
@precisions
def test_rms_norm_is_pytorchs(shape, sizes, options, dtype, tolerance):
    theirs = randomized(torch.nn.RMSNorm(sizes, dtype=getattr(torch, dtype), **options))
    ours = nn.RMSNorm(sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
def test_functions_are_pytorchs():
    x, w, b = random(3, 4), random(4), random(4)
    theirs = torch.nn.functional
    assert_same_as_torch(
        lambda *a: functional.layer_norm(a[0], (4,), *a[1:]),
        lambda *a: theirs.layer_norm(a[0], (4,), *a[1:]),
        [x, w, b],
        tolerance=1e-10,
    )
    assert_same_as_torch(
        lambda *a: functional.rms_norm(a[0], (4,), a[1]),
        lambda *a: theirs.rms_norm(a[0], (4,), a[1]),
        [x, w],
        tolerance=1e-10,
    )


def test_layer_norm_is_exact_far_from_zero():
    x = random(6, 50) + 1e6
    reference = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    y = nn.LayerNorm(50, elementwise_affine=False)(ad.asarray(x))
    np.testing.assert_allclose(y.numpy(), reference, atol=1e-9)


@with_torch
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (1, 3, 2)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": None},
        {"momentum": 0.3, "eps": 1e-3},
        {"affine": False},
        {"bias": False},
        {"track_running_stats": False},
    ],
)
@precisions
def test_batch_norm_is_pytorchs(shape, options, dtype, tolerance):
    theirs = torch.nn.BatchNorm1d(3, dtype=getattr(torch, dtype), **options)
    ours = nn.BatchNorm1d(3, dtype=getattr(ad, dtype), **options)
    x = random(*shape, dtype=dtype, scale=3) + 1
    x = x.astype(dtype)
    randomized(theirs)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)  # in training
    for i in range(3):
        y, z = ours(ad.asarray(x * i)), theirs(torch.tensor(x * i))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=3 * tolerance)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        found = ours.state_dict()[name]
        assert str(found.dtype) == str(value.dtype).removeprefix("torch.")
        np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=10 * tolerance, atol=1e-7)
    assert_same_as_torch(ours.eval(), theirs.eval(), [x], tolerance=tolerance)


@with_torch
@precisions
def test_batch_norm_of_images_is_pytorchs(dtype, tolerance):
    theirs = randomized(torch.nn.BatchNorm2d(3, dtype=getattr(torch, dtype)))
    ours = nn.BatchNorm2d(3, dtype=getattr(ad, dtype))
    x = random(2, 3, 4, 5, dtype=dtype)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)
    assert_same_as_torch(ours.eval(), theirs.eval(), [x], tolerance=tolerance)


def test_batch_norm_starts_anew():
    layer = nn.BatchNorm1d(2)
    layer(ad.random.normal(size=(5, 2)))
    assert layer.num_batches_tracked.item() == 1
    layer.reset_parameters()
    assert layer.num_batches_tracked.item() == 0
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.running_var.tolist() == [1, 1]
    assert repr(nn.BatchNorm1d(2, momentum=None, affine=False)).startswith(
        "BatchNorm1d(2, momentum=None, affine=False)"
    )


@with_torch
def test_group_norm_without_shift_is_pytorchs():
    theirs, ours = torch.nn.GroupNorm(2, 6, bias=False), nn.GroupNorm(2, 6, bias=False)
    assert_same_as_torch(ours, theirs, [random(3, 6, 2, dtype="float32")], tolerance=1e-5)


@with_torch
@pytest.mark.parametrize("shape", [(3, 6, 2), (2, 6, 5), (2, 6, 3, 4), (0, 6, 2)])
@pytest.mark.parametrize("groups", [1, 2, 6])
@precisions
def test_group_norm_is_pytorchs(shape, groups, dtype, tolerance):
    theirs = randomized(torch.nn.GroupNorm(groups, 6, dtype=getattr(torch, dtype)))
    ours = nn.GroupNorm(groups, 6, dtype=getattr(ad, dtype))
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


def test_bad_batch_and_group_norm():
    model = nn.Sequential({"a": nn.BatchNorm1d(3)})
    before = {name: value.tolist() for name, value in model.state_dict().items()}
    with pytest.raises(ad.ShapeError, match=r"BatchNorm1d 'a': .* has 1 value for each channel, w"):
        model(ad.ones((1, 3)))
    with pytest.raises(ad.ShapeError, match=r"BatchNorm1d 'a': .* has 4 channels, the layer 3"):
        model(ad.ones((2, 4)))
    with pytest.raises(ad.ShapeError, match=r"has 4 axes\. Give \(N, C\) or \(N, C, L\)"):
        model(ad.ones((2, 3, 4, 5)))
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        model(ad.ones((2, 3), dtype=ad.int64))
    assert {name: value.tolist() for name, value in model.state_dict().items()} == before
    assert model.eval()(ad.ones((1, 3))).shape == (1, 3)
    with pytest.raises(ad.OptionError, match="num_features"):
        nn.BatchNorm1d(-1)
    with pytest.raises(ad.DomainError, match="momentum"):
        nn.BatchNorm1d(2, momentum=1.5)
    with pytest.raises(ad.OptionError, match="7 channels can't be split into 2 groups"):
        nn.GroupNorm(2, 7)
    with pytest.raises(ad.ShapeError, match=r"GroupNorm: the input .* has not 4 channels"):
        nn.GroupNorm(2, 4)(ad.ones((2, 6)))
    with pytest.raises(ad.ShapeError, match="can't be split"):
        functional.group_norm(ad.ones((2, 5)), 2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.LayerNorm(3, dtype=ad.float64),
        nn.RMSNorm(3, dtype=ad.float64),
        nn.BatchNorm1d(3, track_running_stats=False, dtype=ad.float64),
        nn.GroupNorm(1, 3, dtype=ad.float64),
    ],
)
def test_gradcheck(layer):
    assert ad.gradcheck(layer, (ad.tensor(random(4, 3), requires_grad=True),))


def test_bad_layer_norm():
    model = nn.Sequential({"a": nn.LayerNorm(4)})
    with pytest.raises(ad.ShapeError, match=r"LayerNorm 'a': the input \(2, 3\) float32 does not"):
        model(ad.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match=r"Give an input of shape \(\.\.\., 3, 4\)"):
        nn.RMSNorm((3, 4))(ad.ones(4))
    with pytest.raises(ad.OptionError, match="normalized_shape is empty"):
        nn.LayerNorm(())
    with pytest.raises(ad.OptionError, match="normalized_shape is -1"):
        nn.LayerNorm(-1)
    with pytest.raises(ad.DomainError, match="eps is -1"):
        nn.LayerNorm(3, eps=-1)
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        nn.LayerNorm(2)([1, 2])


@with_torch
@pytest.mark.parametrize("training", [True, False])
def test_batch_and_group_norm_functions_are_pytorchs(training):
    x, w, b = random(4, 6, 3), random(6), random(6) + 1
    means, variances = np.arange(6.0), np.arange(6.0) + 1
    mine, theirs = (
        (make(means.copy()), make(variances.copy())) for make in (ad.asarray, torch.tensor)
    )
    assert_same_as_torch(
        lambda *a: functional.batch_norm(a[0], *mine, *a[1:], training, 0.3, 1e-3),
        lambda *a: torch.nn.functional.batch_norm(a[0], *theirs, *a[1:], training, 0.3, 1e-3),
        [x, w, b],
        tolerance=1e-10,
    )
    for ours, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(ours.numpy(), other.numpy(), rtol=1e-12)
    assert_same_as_torch(
        lambda *a: functional.group_norm(a[0], 2, *a[1:]),
        lambda *a: torch.nn.functional.group_norm(a[0], 2, *a[1:]),
        [x, w, b],
        tolerance=1e-10,
    )


def test_bad_batch_norm_function():
    x = ad.ones((4, 3))
    with pytest.raises(ad.OptionError, match="no running_mean"):
        functional.batch_norm(x, None, None)
    with pytest.raises(ad.ShapeError, match="the weight does not fit"):
        functional.batch_norm(x, None, None, ad.ones(2), training=True)
    with pytest.raises(ad.ShapeError, match=r"Give \(N, C, \.\.\.\)"):
        functional.batch_norm(ad.ones(3), None, None, training=True)


@pytest.mark.parametrize("layer", [nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(1, 4)])
def test_half_precision_does_not_overflow(layer):
    x = (1000 * random(3, 4)).astype("float16")
    y = layer.half()(ad.asarray(x))
    assert y.dtype.name == "float16"
    expected = layer.double()(ad.asarray(x.astype("float64"))).detach().numpy()
    np.testing.assert_allclose(y.detach().numpy(), expected, atol=5e-3)


def half_batches():
    shades = np.arange(8) % 2 + 1
    return {
        "constant": np.zeros((8, 2)),
        "large": np.stack([500 * shades, 1000 * shades], axis=1),
        "larger": np.stack([2500 * shades, 5000 * shades], axis=1),
        "images": 1000 * random(4, 2, 3, 3),
    }


@with_torch
@pytest.mark.filterwarnings("ignore:overflow")  # of a running variance beyond 65504
@pytest.mark.parametrize("name", half_batches())
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_in_half_precision_is_pytorchs(name, training):
    values = half_batches()[name].astype("float16")
    upstream = random(*values.shape).astype("float16")
    kind = f"BatchNorm{max(1, values.ndim - 2)}d"
    ours, theirs = (getattr(m, kind)(2).half().train(training) for m in (nn, torch.nn))
    x, their_x = ad.asarray(values).requires_grad_(), torch.tensor(values, requires_grad=True)
    y, their_y = ours(x), theirs(their_x)
    (y * ad.asarray(upstream)).sum().backward()
    (their_y * torch.tensor(upstream)).sum().backward()
    assert y.dtype == x.grad.dtype == ad.float16
    pairs = [(y, their_y.detach()), (x.grad, their_x.grad), (ours.weight.grad, theirs.weight.grad)]
    pairs += [(ours.running_mean, theirs.running_mean), (ours.running_var, theirs.running_var)]
    for mine, other in pairs:
        np.testing.assert_allclose(mine.detach().numpy(), other.numpy(), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(
    "layer", [nn.LayerNorm(2), nn.RMSNorm(2), nn.GroupNorm(1, 2), nn.BatchNorm1d(2)]
)
def test_constants_in_half_precision_have_gradients(layer):
    x = ad.asarray(np.zeros((8, 2), np.float16)).requires_grad_()
    (layer.half()(x) * ad.asarray(random(8, 2, dtype="float16"))).sum().backward()
    assert ad.all(ad.isfinite(x.grad))


@with_torch
@pytest.mark.parametrize("shape", [(0, 3), (4, 3, 0)])
def test_an_empty_batch_leaves_the_statistics(shape):
    ours, theirs = nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    y, their_y = ours(ad.zeros(shape)), theirs(torch.zeros(shape))
    y.sum().backward()
    their_y.sum().backward()
    assert y.shape == tuple(their_y.shape) == shape
    assert ours.weight.grad.tolist() == theirs.weight.grad.tolist()
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert mine.tolist() == other.tolist()


def test_batch_norm_of_complex_numbers_names_the_layer():
    model = nn.Sequential(nn.BatchNorm1d(2))
    with pytest.raises(ad.DTypeError, match=r"BatchNorm1d '0'.*complex.*real and imaginary"):
        model(ad.zeros((3, 2), dtype=ad.complex64))
