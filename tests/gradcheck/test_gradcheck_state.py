"""Nothing that the user holds is changed by a check, passed to it or not."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import autodiff as ad
import nn


class Normalised(nn.Module):
    """A module whose forward pass writes a buffer, binds another anew, and counts."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.register_buffer("mean", ad.tensor(np.zeros(3, np.float32)))
        self.register_buffer("last", ad.tensor(np.zeros(3, np.float32)))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        with ad.no_grad():
            self.mean += 1
        self.last = ad.tensor(np.full(3, self.calls, np.float32))
        return ad.asarray(x) * self.scale


class Trainer:
    def __init__(self, model):
        self.parts = {"models": [model]}

    def loss(self, x):
        return self.parts["models"][0](x).sum()

    def __call__(self, x):
        return self.loss(x)


MODEL = Normalised()


def through_a_global(x):
    return helper(x) * 2


def helper(x):
    return MODEL(x).sum()


def of_a_default(x, model=MODEL):
    return model(x).sum()


def given(model, x):
    return model(x).sum()


def closing(model):
    return lambda x: model(x).sum()


def calling(f):
    return lambda x: f(x) + 0.0


HOLDERS = {
    "a closure": closing(MODEL),
    "a closure of a closure": calling(closing(MODEL)),
    "a global of a function that it calls": through_a_global,
    "a default": of_a_default,
    "a partial": functools.partial(given, MODEL),
    "a bound method": Trainer(MODEL).loss,
    "a callable object": Trainer(MODEL),
    "the module itself": MODEL,
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("fails", [False, True])
def test_a_module_that_is_not_passed_is_given_back(holder, fails):
    f = HOLDERS[holder]
    mean, last, scale = MODEL.mean, MODEL.last, MODEL.scale
    held = mean.array, last.array, scale.array, scale.node
    x = np.ones(3, np.float32)
    if fails:
        inner = f

        def f(x, fuse=[8]):  # noqa: B006
            fuse[0] -= 1
            if not fuse[0]:
                raise KeyError
            return inner(x)

        with pytest.raises(KeyError):
            ad.gradcheck(f, x)
    else:
        assert ad.gradcheck(f, x).ok
    assert MODEL.calls == 0
    assert MODEL.mean is mean
    assert MODEL.last is last
    assert all(
        now is before
        for now, before in zip((mean.array, last.array, scale.array, scale.node), held, strict=True)
    )
    assert not mean.array.any()
    assert not last.array.any()


def test_a_captured_tensor_and_the_random_state_are_given_back():
    counter = ad.zeros(2)
    ad.random.seed(3)
    state, of_numpy = ad.random.get_state(), np.random.get_state()  # noqa: NPY002

    def f(x):
        nonlocal_counter = counter
        with ad.no_grad():
            nonlocal_counter += 1
        ad.random.rand(3)
        np.random.uniform()  # noqa: NPY002
        return x * x

    report = ad.gradcheck(f, np.ones(2))
    report.sweep(report.entries[0])
    assert counter.tolist() == [0.0, 0.0]
    assert ad.random.get_state() == state
    assert np.array_equal(np.random.get_state()[1], of_numpy[1])  # noqa: NPY002


def test_running_statistics_of_a_captured_layer():
    if not hasattr(nn, "BatchNorm1d"):
        pytest.skip("no batch norm")
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    before = {name: buffer.numpy().copy() for name, buffer in model.named_buffers()}
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert ad.gradcheck(lambda x: (model(x) * model(x)).sum() * 0.1 + x.sum(), x)
    for name, buffer in model.named_buffers():
        np.testing.assert_array_equal(buffer.numpy(), before[name])
