"""What users of PyTorch look for in nn leads them to what is there."""

from __future__ import annotations

import re

import pytest

import autodiff as ad
import nn
from nn import names


def test_names_of_others_lead_to_ours():
    with pytest.raises(AttributeError, match=r"'InstanceNorm1d'; it is GroupNorm"):
        nn.InstanceNorm1d
    with pytest.raises(AttributeError, match=r"'conv2d'; it is nn\.functional\.conv2d"):
        nn.conv2d
    with pytest.raises(AttributeError, match=r"'pad'; it is autodiff\.pad here"):
        nn.functional.pad
    with pytest.raises(AttributeError, match=r"'relu_'; it is autodiff\.relu here"):
        nn.functional.relu_
    with pytest.raises(AttributeError, match=r"has no attribute 'Dog'$"):
        nn.Dog
    with pytest.raises(ad.DTypeError, match="leave the device out"):
        nn.Linear(1, 1).to("cuda:0")
    assert not [name for name in names.LAYERS if hasattr(nn, name)]
    assert not [name for name in names.FUNCTIONS if hasattr(nn.functional, name)]


@pytest.mark.parametrize("advice", [names.LAYERS, names.FUNCTIONS])
def test_the_advice_names_what_there_is(advice):
    for words in advice.values():
        for path in re.findall(r"autodiff\.([\w.]+)", words):
            owner, *inner = path.split(".")
            found = getattr(ad, owner)
            assert all(hasattr(found, name) for name in inner), path
        for name in re.findall(r"it is (\w+)(?:\(| here)", words):
            assert hasattr(nn, name) or hasattr(nn.Module, name), name


def test_classes_on_the_last_axis_are_named():
    logits, target = ad.ones((16, 64, 104)), ad.zeros((16, 64), dtype=ad.int64)
    with pytest.raises(ad.ShapeError, match=r"input\.reshape\(\(-1, 104\)\) and target\.reshape"):
        nn.cross_entropy(logits, target)
    nn.cross_entropy(logits.reshape((-1, 104)), target.reshape(-1))


def test_a_path_is_no_state():
    with pytest.raises(nn.StateDictError, match=r"read with nn\.load\(path\)"):
        nn.Identity().load_state_dict("weights.safetensors")


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: nn.DataLoader([1], pin_memory=True), "one device, the CPU: leave it out"),
        (lambda: nn.DataLoader([1], num_workers=4), "give prefetch=2"),
        (lambda: nn.Linear(2, 2, device="cuda"), "one device"),
        (lambda: nn.random_split([1], [1], generator=None), "give a seed"),
        (lambda: nn.SGD([nn.Parameter([1.0])], foreach=True), "one way to compute it"),
    ],
)
def test_options_that_are_not_needed_here_say_so(call, advice):
    with pytest.raises(ad.OptionError, match=advice):
        call()
