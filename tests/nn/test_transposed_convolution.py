"""Transposed convolution."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch


def random(*shape, dtype="float64"):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


CASES = [
    (2, (2, 3, 5, 6), (3, 4, 3), {}),
    (2, (3, 5, 6), (3, 4, 3), {"bias": False}),
    (2, (2, 3, 4, 4), (3, 4, 2), {"stride": 2}),
    (2, (2, 3, 4, 5), (3, 4, (4, 2)), {"stride": 2, "padding": (1, 0)}),
    (2, (2, 3, 4, 5), (3, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    (2, (2, 3, 4, 5), (3, 4, 3), {"stride": (2, 3), "output_padding": (0, 2)}),
    (2, (2, 3, 4, 5), (3, 4, 2), {"dilation": (3, 1), "output_padding": (2, 0)}),
    (2, (2, 3, 4, 5), (3, 4, 3), {"padding": 2, "dilation": 2}),
    (2, (2, 3, 1, 2), (3, 4, 1), {"stride": 5, "padding": 2, "output_padding": 4}),
    (2, (2, 3, 4, 5), (3, 4, 1), {}),
    (2, (2, 3, 4, 5), (3, 4, 2), {"stride": 3}),
    (2, (2, 4, 4, 5), (4, 6, 3), {"groups": 2, "padding": 1}),
    (2, (2, 4, 4, 5), (4, 4, 3), {"groups": 4, "stride": 2, "output_padding": 1}),
    (2, (2, 4, 4, 5), (4, 12, 2), {"groups": 4}),
    (2, (0, 3, 4, 5), (3, 4, 2), {}),
    (1, (2, 3, 7), (3, 4, 3), {}),
    (1, (3, 7), (3, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    (1, (2, 4, 7), (4, 4, 3), {"groups": 4, "dilation": 2}),
    (1, (2, 3, 7), (3, 4, 5), {"stride": 5, "bias": False}),
    (1, (2, 3, 3), (3, 4, 3), {"padding": 2}),  # one element is left
]


def drawn(count):
    """Draw shapes, sizes and options that fit each other."""
    rng = np.random.default_rng(1)

    def below(ends):
        return tuple(int(rng.integers(0, end)) for end in ends)

    for _ in range(count):
        axes, groups = int(rng.integers(1, 3)), int(rng.integers(1, 4))
        inside, outside = (groups * int(rng.integers(1, 4)) for _ in range(2))
        stride, dilation, size, lengths = rng.integers(1, 4, size=(4, axes)).tolist()
        full = (np.array(lengths) - 1) * stride + np.array(dilation) * (np.array(size) - 1) + 1
        options = {
            "stride": tuple(stride),
            "dilation": tuple(dilation),
            "groups": groups,
            "padding": below((full + 1) // 2),
            "output_padding": below(np.maximum(stride, dilation)),
            "bias": bool(rng.integers(0, 2)),
        }
        lead = (int(rng.integers(1, 4)),) * int(rng.integers(0, 2))
        yield axes, (*lead, inside, *lengths), (inside, outside, tuple(size)), options


@with_torch
@pytest.mark.parametrize(("axes", "shape", "sizes", "options"), [*CASES, *drawn(40)])
@precisions
def test_transposed_convolutions_are_pytorchs(axes, shape, sizes, options, dtype, tolerance):
    name = f"ConvTranspose{axes}d"
    theirs = getattr(torch.nn, name)(*sizes, dtype=getattr(torch, dtype), **options)
    ours = getattr(nn, name)(*sizes, dtype=getattr(ad, dtype), **options)
    assert_same_as_torch(ours, theirs, [random(*shape, dtype=dtype)], tolerance=tolerance)


@with_torch
@pytest.mark.parametrize("axes", [1, 2])
def test_transposed_convolution_functions_are_pytorchs(axes):
    name = f"conv_transpose{axes}d"
    lengths, kernel = (5, 4)[:axes], (3, 2)[:axes]
    arrays = [random(2, 4, *lengths), random(4, 3, *kernel), random(6)]
    for options in ({}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2}):
        assert_same_as_torch(
            lambda *a, o=options: getattr(functional, name)(*a, groups=2, **o),
            lambda *a, o=options: getattr(torch.nn.functional, name)(*a, groups=2, **o),
            arrays,
            tolerance=1e-10,
        )


@with_torch
@pytest.mark.parametrize("lead", [(), (2,)])
def test_the_size_of_the_output_can_be_asked_for(lead):
    x = random(*lead, 3, 4, 5)
    for size in ((9, 13), [10, 15], (*lead, 8, 9, 14)):
        options = {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 1)}
        theirs = torch.nn.ConvTranspose2d(3, 8, 3, **options, dtype=torch.float64)
        ours = nn.ConvTranspose2d(3, 8, 3, **options, dtype=ad.float64)
        ours.load_state_dict(theirs.state_dict())
        given = {"output_size": size}
        assert_same_as_torch(
            lambda a, ours=ours, given=given: ours(a, **given),
            lambda a, theirs=theirs, given=given: theirs(a, **given),
            [x],
            tolerance=1e-10,
        )
        assert ours(x, size).shape == (*lead, 8, *size[-2:])
    for size in ((8, 15), (9, 18), (9,), (9, 15, 9, 15, 9), (-1, 15)):
        with pytest.raises(ad.OptionError, match=r"is .* from \(9, 15\) to \(10, 17\)"):
            nn.ConvTranspose2d(3, 8, 3, stride=(2, 3))(x, size)


def test_it_is_the_gradient_of_a_convolution():
    options = {"stride": (1, 2), "padding": (1, 2), "dilation": (2, 1), "groups": 2}
    x, w = ad.tensor(random(2, 4, 6, 7), requires_grad=True), random(6, 2, 2, 3)
    y = functional.conv2d(x, w, **options)
    g = random(*y.shape)
    expected = ad.grad(y, [x], ad.asarray(g))[0].numpy()
    spread = functional.conv_transpose2d(g, w, **options).numpy()
    np.testing.assert_allclose(spread, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("axes", "shapes", "options"),
    [
        (2, [(2, 2, 2, 3), (2, 2, 2, 3), (4,)], {"stride": (2, 1), "padding": 1, "groups": 2}),
        (1, [(4, 3), (4, 2, 2), (2,)], {"stride": 3, "output_padding": 2}),
    ],
)
def test_gradcheck_of_first_and_second_derivatives(axes, shapes, options):
    arrays = [ad.tensor(random(*shape), requires_grad=True) for shape in shapes]
    f = getattr(functional, f"conv_transpose{axes}d")
    assert ad.gradcheck(lambda x, w, b: f(x, w, b, **options), arrays, order=2)


def test_a_transposed_convolution_is_one_product():
    y = nn.ConvTranspose2d(2, 4, 3)(ad.ones((1, 2, 5, 5)))
    names, nodes = [], [y.node]
    while nodes:
        node = nodes.pop()
        names.append(node.operation)
        nodes += [parent for parent in node.inputs if parent is not None]
    assert names.count("matmul") == 1


def test_start_as_pytorchs():
    ad.random.seed(0)
    layer = nn.ConvTranspose2d(16, 32, 3)
    bound = 1 / (32 * 9) ** 0.5  # of the weight's second axis, which holds the outputs
    for parameter in layer.parameters():
        values = np.abs(parameter.detach().numpy())
        assert 0.9 * bound < values.max() <= bound


def test_reprs():
    assert repr(nn.ConvTranspose2d(3, 8, 3, 2, 1, 1)).startswith(
        "ConvTranspose2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), "
        "output_padding=(1, 1))"
    )
    layer = nn.ConvTranspose1d(4, 8, 3, dilation=2, groups=2, bias=False)
    expected = "ConvTranspose1d(4, 8, kernel_size=(3,), dilation=(2,), groups=2, bias=False)"
    assert repr(layer).startswith(expected)


def test_bad_shapes_say_where_and_what():
    model = nn.Sequential({"up": nn.Sequential(nn.ConvTranspose2d(3, 4, 3, padding=2))})
    message = (
        r"ConvTranspose2d 'up\.0': the input \(2, 1, 8, 8\) float32 has 1 channels, the weight "
    )
    with pytest.raises(ad.ShapeError, match=message):
        model(ad.ones((2, 1, 8, 8)))
    with pytest.raises(ad.ShapeError, match=r"has 2 axes\. Give \(N, C, H, W\) or \(C, H, W\)"):
        model(ad.ones((8, 8)))
    with pytest.raises(ad.ShapeError, match=r"'up\.0': .* has no output\. Give a larger input"):
        model(ad.ones((2, 3, 1, 2)))
    with pytest.raises(ad.ShapeError, match=r"'up\.0': .* has no output"):
        model(ad.ones((2, 3, 0, 2)))
    with pytest.raises(ad.DTypeError, match="holds no floats"):
        nn.ConvTranspose1d(1, 1, 1)([[1, 2]])
    with pytest.raises(ad.OptionError, match="output_size is 7"):
        nn.ConvTranspose1d(1, 1, 1)([[1.0, 2.0]], 7)
    with pytest.raises(ad.ShapeError, match=r"conv_transpose2d: the weight .*Give \(C, O / groups"):
        functional.conv_transpose2d(ad.ones((1, 4, 4)), ad.ones(3))
    with pytest.raises(ad.ShapeError, match=r"conv_transpose1d: the bias \(3,\) float32 does not"):
        functional.conv_transpose1d(ad.ones((3, 4)), ad.ones((3, 1, 2)), ad.ones(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ConvTranspose2d(0, 4, 3),
        lambda: nn.ConvTranspose2d(3, 4, 0),
        lambda: nn.ConvTranspose2d(3, 4, (1, 2, 3)),
        lambda: nn.ConvTranspose2d(3, 4, 3, stride=0),
        lambda: nn.ConvTranspose2d(3, 4, 3, padding=-1),
        lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"),
        lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1),
        lambda: nn.ConvTranspose2d(3, 4, 3, stride=(3, 2), output_padding=2),
        lambda: nn.ConvTranspose2d(3, 4, 3, groups=2),
        lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
        lambda: nn.ConvTranspose1d(3, 4, 2.5),
        lambda: functional.conv_transpose1d(ad.ones((3, 4)), ad.ones((3, 1, 2)), output_padding=1),
    ],
)
def test_bad_options(make):
    with pytest.raises(ad.OptionError, match=r"(ConvTranspose|conv_transpose1d).*Give"):
        make()
