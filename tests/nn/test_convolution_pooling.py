"""Convolution and pooling."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch


def random(*shape, dtype="float64"):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


CONVOLUTIONS = [
    ((2, 3, 8, 9), (3, 4, 3), {}),
    ((3, 8, 9), (3, 4, 3), {"bias": False}),
    ((2, 3, 8, 9), (3, 4, (2, 3)), {"stride": 2}),
    ((2, 3, 8, 9), (3, 4, 3), {"stride": (1, 3), "padding": (2, 0)}),
    ((2, 3, 8, 9), (3, 4, 3), {"padding": "same"}),
    ((2, 3, 8, 9), (3, 4, (2, 4)), {"padding": "same", "dilation": (3, 1)}),
    ((2, 3, 8, 9), (3, 4, 3), {"padding": "valid", "dilation": 2}),
    ((2, 4, 8, 9), (4, 6, 3), {"groups": 2, "padding": 1}),
    ((2, 4, 8, 9), (4, 8, 3), {"groups": 4, "stride": 2, "dilation": 2}),
    ((2, 4, 8, 9), (4, 4, 3), {"groups": 4, "padding": 1}),
    ((4, 8, 9), (4, 4, (5, 2)), {"groups": 4, "padding": 2, "stride": (2, 1), "bias": False}),
    ((2, 4, 8, 9), (4, 12, 3), {"groups": 4, "padding": "same", "padding_mode": "circular"}),
    ((2, 4, 8, 9), (4, 4, 1), {"groups": 4}),
    ((2, 4, 8, 9), (4, 8, 1), {"groups": 4, "stride": 2}),
    ((1, 4, 3, 3), (4, 4, 3), {"groups": 4}),
    ((0, 4, 8, 9), (4, 4, 3), {"groups": 4}),
    ((2, 3, 8, 8), (3, 4, 2), {"stride": 2}),
    ((2, 3, 9, 9), (3, 4, 2), {"stride": 2}),
    ((2, 3, 5, 5), (3, 4, 1), {}),
    ((2, 3, 5, 5), (3, 4, 1), {"stride": 2}),
    ((2, 3, 5, 5), (3, 4, 5), {}),
    ((0, 3, 5, 5), (3, 4, 2), {}),
    ((2, 3, 6, 7), (3, 4, 3), {"padding": 2, "padding_mode": "reflect"}),
    ((2, 3, 6, 7), (3, 4, 3), {"padding": "same", "padding_mode": "replicate"}),
    ((2, 3, 6, 7), (3, 4, 3), {"padding": (1, 2), "padding_mode": "circular", "stride": 2}),
    ((2, 3, 10), (3, 4, 3), {}),
    ((3, 10), (3, 4, 3), {"stride": 2, "padding": 1}),
    ((2, 4, 11), (4, 4, 3), {"groups": 4, "dilation": 2, "padding": "same"}),
    ((2, 4, 10), (4, 4, 3), {"groups": 4, "padding": 1}),
    ((4, 10), (4, 8, 4), {"groups": 4, "stride": 3}),
    ((2, 3, 10), (3, 4, 5), {"stride": 5, "bias": False}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, of a copy it makes
@with_torch
@pytest.mark.parametrize(("shape", "sizes", "options"), CONVOLUTIONS)
@precisions
def test_convolutions_are_pytorchs(shape, sizes, options, dtype, tolerance):
    name = "Conv1d" if 10 in shape or 11 in shape else "Conv2d"
    theirs = getattr(torch.nn, name)(*sizes, dtype=getattr(torch, dtype), **options)
    ours = getattr(nn, name)(*sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
def test_convolution_functions_are_pytorchs():
    x, w, b = random(2, 4, 7, 8), random(6, 2, 3, 2), random(6)
    for options in ({}, {"stride": 2, "padding": (1, 0)}, {"padding": "same", "dilation": 2}):
        for f, arrays in (("conv2d", [x, w, b]), ("conv1d", [x[:, :, 0], w[:, :, 0], b])):
            given = {"stride": 2, "padding": 1} if f == "conv1d" and options else options
            assert_same_as_torch(
                lambda *a, f=f, o=given: getattr(functional, f)(*a, groups=2, **o),
                lambda *a, f=f, o=given: getattr(torch.nn.functional, f)(*a, groups=2, **o),
                arrays,
                tolerance=1e-10,
            )


MAX_POOLS = [
    ((2, 3, 8, 8), (2,), {}),
    ((3, 9, 8), (2,), {}),
    ((2, 3, 8, 9), ((3, 2),), {"stride": (1, 2)}),
    ((2, 3, 8, 9), (3,), {"stride": 2, "padding": 1}),
    ((2, 3, 8, 9), (3, 1), {"dilation": 2, "padding": 1}),
    ((2, 3, 8, 9), (3,), {"stride": 2, "ceil_mode": True}),
    ((2, 3, 7, 5), (2,), {"ceil_mode": True, "padding": 1}),
    ((2, 3, 3, 5), (4, 2), {"ceil_mode": True}),  # a window larger than the image
    ((2, 3, 7, 6), (4,), {"dilation": 2, "ceil_mode": True}),
    ((0, 3, 4, 4), (2,), {}),
    ((2, 3, 9), (2,), {}),
    ((3, 9), (3, 2), {"padding": 1, "ceil_mode": True}),
]


@with_torch
@pytest.mark.parametrize(("shape", "sizes", "options"), MAX_POOLS)
@precisions
def test_max_pooling_is_pytorchs(shape, sizes, options, dtype, tolerance):
    name = "MaxPool1d" if shape in ((2, 3, 9), (3, 9)) else "MaxPool2d"
    theirs, ours = (getattr(lib, name)(*sizes, **options) for lib in (torch.nn, nn))
    x = random(*shape, dtype=dtype)
    for values in (x, np.round(x), np.maximum(x, 0)):  # with ties too
        assert_same_as_torch(ours, theirs, [values], tolerance=tolerance)


AVG_POOLS = [
    ((2, 3, 8, 8), (2,), {}),
    ((3, 9, 8), (2,), {}),
    ((2, 3, 8, 9), ((3, 2),), {"stride": (1, 2)}),
    ((2, 3, 8, 9), (3,), {"stride": 2, "padding": 1}),
    ((2, 3, 8, 9), (3,), {"stride": 2, "padding": 1, "count_include_pad": False}),
    ((2, 3, 8, 9), (3,), {"stride": 2, "ceil_mode": True}),
    ((2, 3, 7, 5), (2,), {"ceil_mode": True, "padding": 1}),
    ((2, 3, 7, 5), (3,), {"ceil_mode": True, "padding": 1, "count_include_pad": False}),
    ((2, 3, 7, 5), (3,), {"ceil_mode": True, "padding": 1, "divisor_override": 5}),
    ((2, 3, 3, 5), (4, 2), {"ceil_mode": True}),
    ((2, 3, 2, 3), (4,), {"ceil_mode": True, "padding": 1, "count_include_pad": False}),
    ((2, 3, 9), (2,), {}),
    ((3, 9), (3, 2), {"padding": 1, "ceil_mode": True}),
]


@with_torch
@pytest.mark.parametrize(("shape", "sizes", "options"), AVG_POOLS)
@precisions
def test_mean_pooling_is_pytorchs(shape, sizes, options, dtype, tolerance):
    name = "AvgPool1d" if shape in ((2, 3, 9), (3, 9)) else "AvgPool2d"
    theirs, ours = (getattr(lib, name)(*sizes, **options) for lib in (torch.nn, nn))
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize("size", [1, 3, (2, 7), (None, 4), (8, 9), (10, 12)])
@pytest.mark.parametrize("shape", [(2, 3, 8, 9), (3, 7, 5)])
@precisions
def test_adaptive_pooling_is_pytorchs(size, shape, dtype, tolerance):
    x = random(*shape, dtype=dtype)
    theirs, ours = (lib.AdaptiveAvgPool2d(size) for lib in (torch.nn, nn))
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)
    if isinstance(size, int):
        theirs, ours = (lib.AdaptiveAvgPool1d(size) for lib in (torch.nn, nn))
        assert_same_as_torch(ours, theirs, [x[0]], tolerance=tolerance)


@with_torch
@precisions
def test_a_small_network_is_pytorchs(dtype, tolerance):
    def build(lib, **options):
        return lib.Sequential(
            lib.Conv2d(1, 4, 3, padding=1), lib.BatchNorm2d(4), lib.ReLU(), lib.MaxPool2d(2),
            lib.Conv2d(4, 8, 3), lib.ReLU(), lib.AdaptiveAvgPool2d(2), lib.Flatten(),
            lib.Linear(32, 5),
        )  # fmt: skip

    theirs = build(torch.nn).to(getattr(torch, dtype))
    ours = build(nn).to(getattr(ad, dtype))
    x = random(4, 1, 8, 8, dtype=dtype)
    assert_same_as_torch(ours, theirs, [x], tolerance=tolerance)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 4, 2, stride=(1, 2), padding=1, groups=2, dtype=ad.float64),
        nn.Conv2d(2, 2, 3, padding=1, groups=2, dtype=ad.float64),
        nn.MaxPool2d(2, 1),
        nn.AvgPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d((2, 3)),
    ],
)
def test_gradcheck(layer):
    assert ad.gradcheck(layer, (ad.tensor(random(2, 2, 4, 5), requires_grad=True),))


def test_a_convolution_is_one_product():
    y = nn.Conv2d(2, 4, 3)(ad.ones((1, 2, 5, 5)))
    names, nodes = [], [y.node]
    while nodes:
        node = nodes.pop()
        names.append(node.operation)
        nodes += [parent for parent in node.inputs if parent is not None]
    assert names.count("matmul") == 1


def test_start_as_pytorchs():
    ad.random.seed(0)
    layer = nn.Conv2d(16, 32, 3)
    bound = 1 / (16 * 9) ** 0.5
    for parameter in layer.parameters():
        values = np.abs(parameter.detach().numpy())
        assert 0.9 * bound < values.max() <= bound


def test_reprs():
    assert repr(nn.Conv2d(3, 8, 3, 2, 1)).startswith(
        "Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))"
    )
    assert "MaxPool2d(kernel_size=2)" in repr(nn.MaxPool2d(2))
    assert "AvgPool2d(kernel_size=(2, 3), stride=1)" in repr(nn.AvgPool2d((2, 3), 1))
    assert "AdaptiveAvgPool2d(output_size=(1, None))" in repr(nn.AdaptiveAvgPool2d((1, None)))


def test_bad_shapes_say_where_and_what():
    model = nn.Sequential({"features": nn.Sequential(nn.Conv2d(3, 4, 3))})
    message = r"Conv2d 'features\.0': the input \(2, 1, 8, 8\) float32 has 1 channels, the weight "
    with pytest.raises(ad.ShapeError, match=message):
        model(ad.ones((2, 1, 8, 8)))
    with pytest.raises(ad.ShapeError, match=r"has 2 axes\. Give \(N, C, H, W\) or \(C, H, W\)"):
        model(ad.ones((8, 8)))
    with pytest.raises(ad.ShapeError, match=r"the window \(3, 3\) is larger than .*\(2, 8\)"):
        model(ad.ones((1, 3, 2, 8)))
    with pytest.raises(ad.ShapeError, match=r"Give \(N, C, L\) or \(C, L\)"):
        nn.Conv1d(3, 4, 3)(ad.ones(3))
    with pytest.raises(ad.ShapeError, match=r"MaxPool2d: the window \(5, 5\) is larger"):
        nn.MaxPool2d(5)(ad.ones((1, 4, 4)))
    with pytest.raises(ad.ShapeError, match=r"AvgPool1d: .* has 4 axes"):
        nn.AvgPool1d(2)(ad.ones((1, 2, 4, 4)))
    with pytest.raises(ad.ShapeError, match="nothing to average"):
        nn.AdaptiveAvgPool2d(1)(ad.ones((1, 2, 0, 4)))
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        nn.Conv1d(1, 1, 1)([[1, 2]])
    with pytest.raises(ad.ShapeError, match=r"conv2d: the weight \(3,\) float32 does not fit"):
        functional.conv2d(ad.ones((1, 4, 4)), ad.ones(3))
    with pytest.raises(ad.ShapeError, match=r"conv1d: the bias \(2,\) float32 does not fit"):
        functional.conv1d(ad.ones((1, 4)), ad.ones((3, 1, 2)), ad.ones(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(0, 4, 3),
        lambda: nn.Conv2d(3, 4, 0),
        lambda: nn.Conv2d(3, 4, (1, 2, 3)),
        lambda: nn.Conv2d(3, 4, 3, stride=0),
        lambda: nn.Conv2d(3, 4, 3, padding=-1),
        lambda: nn.Conv2d(3, 4, 3, padding="full"),
        lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"),
        lambda: nn.Conv2d(3, 4, 3, groups=2),
        lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
        lambda: nn.Conv1d(3, 4, 2.5),
        lambda: nn.MaxPool2d(2, padding=2),
        lambda: nn.MaxPool2d(0),
        lambda: nn.AvgPool2d(2, stride=0),
        lambda: nn.AdaptiveAvgPool2d((1, 2, 3)),
        lambda: nn.AdaptiveAvgPool2d(0),
    ],
)
def test_bad_options(make):
    with pytest.raises(ad.OptionError, match=r"(Conv|Pool).*(Give|hold)"):
        make()


@with_torch
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("max_pool", (3, 2, 1)),
        ("avg_pool", (3, 2, 1, True, False)),
        ("adaptive_avg_pool", (3,)),
    ],
)
def test_pooling_functions_are_pytorchs(name, options):
    for axes in (1, 2):
        x = random(2, 3, *(7, 8)[:axes])
        ours, theirs = (getattr(lib, f"{name}{axes}d") for lib in (functional, torch.nn.functional))
        assert_same_as_torch(
            lambda a, f=ours: f(a, *options), lambda a, f=theirs: f(a, *options), [x],
            tolerance=1e-10,
        )  # fmt: skip


@with_torch
@pytest.mark.parametrize(("mode", "most"), [("reflect", 3), ("circular", 4), ("replicate", 9)])
def test_how_wide_a_padding_may_be_is_pytorchs(mode, most):
    x = random(1, 1, 4, dtype="float32")
    widest = {"padding": most, "padding_mode": mode}
    ours, theirs = nn.Conv1d(1, 1, 3, **widest), torch.nn.Conv1d(1, 1, 3, **widest)
    assert_same_as_torch(ours, theirs, [x], tolerance=1e-5)
    if mode == "replicate":  # as wide as one likes
        return
    wider = {"padding": most + 1, "padding_mode": mode}
    with pytest.raises(RuntimeError):
        torch.nn.Conv1d(1, 1, 3, **wider)(torch.tensor(x))
    with pytest.raises(ad.ShapeError, match=f"Conv1d: padding_mode='{mode}'.* too small"):
        nn.Conv1d(1, 1, 3, **wider)(x)
