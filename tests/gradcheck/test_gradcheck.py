"""The checker on right and wrong gradients."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad


@ad.primitive
def cube(xp, x, /):
    """The third power, whose rule is off by one per cent at the largest entry."""
    return x * x * x


@cube.vjp
def _(xp, g, x):
    return g * 3 * x * x * xp.where(x == xp.max(x), 1.01, 1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_right_gradients_pass(dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4)).astype(dtype)
    y = rng.standard_normal(4).astype(dtype)
    report = ad.gradcheck(lambda x, y: ad.exp(x) * y, (x, y), order=2)
    assert report
    assert [row.name for row in report.inputs] == ["x", "y"]
    assert "ok" in str(report)


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_one_wrong_entry_is_named(mode):
    x = np.random.default_rng(1).standard_normal(50)
    with pytest.raises(ad.GradientCheckError) as caught:
        ad.gradcheck(lambda x: (cube(x) * 2).sum(), x, mode=mode)
    report = caught.value.report
    assert [entry.index for entry in report.wrong] == [(int(x.argmax()),)]
    assert report.guilty.operation == "cube"
    assert "cube for its operand 'x' is wrong" in str(caught.value)


def test_inputs_are_given_back():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    array, node = x.array, x.node

    def broken(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ad.gradcheck(broken, x)
    ad.gradcheck(lambda: ad.exp(x).sum(), [("x", x)])
    assert x.array is array
    assert x.node is node
    assert x.grad is None
