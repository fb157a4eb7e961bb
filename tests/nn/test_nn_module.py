"""Modules: their parts, their state, their names in graphs and messages."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import autodiff as ad
import nn


class Block(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(3, 3)
        self.register_buffer("count", ad.tensor(0.0))
        self.register_buffer("cache", ad.tensor([1.0]), persistent=False)

    def forward(self, x):
        return self.inner(x) + self.count


class Model(nn.Module):
    def __init__(self):
        self.first = nn.Linear(2, 3)
        self.block = Block()
        self.tied = self.first

    def forward(self, x):
        return self.block(self.first(x))


def test_parts_have_their_paths():
    model = Model()
    assert [name for name, _ in model.named_children()] == ["first", "block", "tied"]
    assert [name for name, _ in model.named_modules()] == ["", "first", "block", "block.inner"]
    names = [name for name, _ in model.named_parameters()]
    assert names == ["first.weight", "first.bias", "block.inner.weight", "block.inner.bias"]
    assert [name for name, _ in model.named_parameters(recurse=False)] == []
    assert next(name for name, _ in model.named_parameters("a")) == "a.first.weight"
    assert [name for name, _ in model.named_buffers()] == ["block.count", "block.cache"]
    assert len(list(model.parameters())) == 4
    assert len(list(model.modules())) == 4
    assert len(list(model.buffers())) == 2


def test_state_dict_has_every_path_and_persistent_buffers():
    model = Model()
    assert set(model.state_dict()) == {
        "first.weight", "first.bias", "block.count", "block.inner.weight", "block.inner.bias",
        "tied.weight", "tied.bias",
    }  # fmt: skip
    assert not any(value.requires_grad for value in model.state_dict().values())


def test_state_dict_shares_memory_and_its_deep_copy_does_not():
    layer = nn.Linear(2, 2)
    live, snapshot = layer.state_dict(), copy.deepcopy(layer.state_dict())
    with ad.no_grad():
        layer.weight += 1
    assert (live["weight"].numpy() == layer.weight.detach().numpy()).all()
    assert (snapshot["weight"].numpy() != layer.weight.detach().numpy()).all()


def test_load_state_dict_takes_arrays_and_casts():
    layer = nn.Linear(2, 3)
    weight = np.arange(6.0).reshape(3, 2)
    found = layer.load_state_dict({"weight": weight, "bias": [1.0, 2.0, 3.0]})
    assert found == ([], [])
    assert layer.weight.dtype == np.float32
    assert (layer.weight.detach().numpy() == weight).all()


def test_load_state_dict_names_everything_at_once_and_changes_nothing():
    model = nn.MLP([2, 3, 1])
    before = copy.deepcopy(model.state_dict())
    state = {"0.weight": np.zeros((9, 9)), "2.weight": np.zeros((1, 3)), "extra": np.zeros(1)}
    with pytest.raises(nn.StateDictError) as caught:
        model.load_state_dict(state)
    message = str(caught.value)
    assert "missing (2): 0.bias, 2.bias" in message
    assert "unexpected (1): extra" in message
    assert "0.weight: (9, 9) float64 can't be loaded into (3, 2) float32" in message
    for name, value in model.state_dict().items():
        assert (value.numpy() == before[name].numpy()).all()


def test_load_state_dict_not_strict_passes_over_keys_but_not_shapes():
    model = nn.Linear(2, 1)
    found = model.load_state_dict({"bias": [7.0], "extra": [1.0]}, strict=False)
    assert found.missing_keys == ["weight"]
    assert found.unexpected_keys == ["extra"]
    assert model.bias.tolist() == [7.0]
    with pytest.raises(nn.StateDictError, match="misshapen"):
        model.load_state_dict({"bias": [7.0, 8.0]}, strict=False)
    with pytest.raises(nn.StateDictError, match="complex"):
        model.load_state_dict({"bias": np.ones(1, complex)}, strict=False)


def test_long_listings_are_cut():
    with pytest.raises(nn.StateDictError, match="and 80 more"):
        nn.Identity().load_state_dict({f"k{i}": 0.0 for i in range(100)})


def test_graphs_know_which_module_made_what():
    y = Model()(ad.ones((1, 2)))
    assert y.node.scope == ("Model", "block: Block")
    assert y.node.inputs[0].scope == ("Model", "block: Block", "inner: Linear")
    assert nn.Linear(2, 2)(ad.ones(2)).node.scope == ("Linear",)


def test_submodules_that_are_replaced_or_unknown_still_have_a_scope():
    model = nn.Sequential(nn.Linear(2, 2))
    model(ad.ones(2))
    setattr(model, "0", nn.Linear(2, 2))
    assert model(ad.ones(2)).node.scope == ("Sequential", "0: Linear")

    class Hidden(nn.Module):
        def __init__(self):
            self.parts = [nn.Linear(2, 2)]

        def forward(self, x):
            return self.parts[0](x)

    assert Hidden()(ad.ones(2)).node.scope == ("Hidden", "Linear")


def test_scopes_close_when_forward_raises():
    class Broken(nn.Module):
        def forward(self, x):
            raise KeyError(x)

    with pytest.raises(KeyError):
        Broken()(1)
    x = ad.tensor(1.0, requires_grad=True)
    assert (x * 2).node.scope == ()
    assert nn.Linear(2, 2)(ad.ones(2)).node.scope == ("Linear",)


def test_wrong_feature_size_names_path_and_shapes():
    model = Model()
    model.block.inner = nn.Linear(4, 4)
    message = (
        r"Linear 'block\.inner': the input \(5, 3\) float32 has 3 features, the weight \(4, 4\)"
    )
    with pytest.raises(ad.ShapeError, match=message):
        model(ad.ones((5, 2)))
    with pytest.raises(ad.ShapeError, match=r"^Linear: the input \(\) float32 has no axis"):
        nn.Linear(2, 2)(ad.tensor(1.0))


def test_modes_gradients_and_apply():
    model = Model()
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())
    model(ad.ones((4, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad(set_to_none=False)
    assert all((p.grad.numpy() == 0).all() for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert not any(p.requires_grad for p in model.requires_grad_(False).parameters())
    assert all(p.requires_grad for p in model.requires_grad_().parameters())
    called = []
    model.block.apply(called.append)
    assert called == [model.block.inner, model.block]


def test_parameters_take_their_attribute_as_name():
    assert nn.Linear(2, 2).weight.name == "weight"
    frozen = nn.Parameter([1.0], requires_grad=False, name="mine")
    holder = nn.Module()
    holder.p = frozen
    assert frozen.name == "mine"
    assert not frozen.requires_grad
    assert isinstance(copy.deepcopy(nn.Linear(1, 1)).weight, nn.Parameter)


def test_a_parameter_is_replaced_only_by_a_parameter():
    layer = nn.Linear(2, 2)
    with pytest.raises(ad.DTypeError, match="weight is a parameter"):
        layer.weight = ad.ones((2, 2))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.register_parameter("bias", nn.Parameter([0.0, 0.0]))
    assert layer(ad.ones(2)).shape == (2,)


def test_bad_parts_are_refused():
    module = nn.Module()
    with pytest.raises(ad.OptionError, match="no dot"):
        module.register_parameter("a.b", None)
    with pytest.raises(ad.OptionError, match="already"):
        module.register_buffer("forward", None)
    with pytest.raises(ad.DTypeError, match="not a tensor"):
        module.register_buffer("b", 3)
    with pytest.raises(ad.DTypeError, match="class ReLU"):
        nn.Sequential(nn.ReLU)
    with pytest.raises(NotImplementedError, match="Define forward"):
        module(1)


def test_repr_is_a_tree_with_counts():
    assert repr(Model()).splitlines() == [
        "Model                      21 parameters",
        "├─ first: Linear(2, 3)      9",
        "├─ block: Block            12",
        "│  └─ inner: Linear(3, 3)  12",
        "└─ tied: Linear(2, 3)       9",
    ]
    assert repr(nn.ReLU()) == "ReLU  0 parameters"


def test_sequential():
    model = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.ReLU()})
    assert list(model.state_dict()) == ["a.weight", "a.bias"]
    model = nn.Sequential(nn.Linear(2, 3)).append(nn.Tanh())
    assert len(model) == 2
    assert isinstance(model[-1], nn.Tanh)
    assert len(model[:1]) == 1
    assert [type(m) for m in model] == [nn.Linear, nn.Tanh]
    with pytest.raises(ad.IndexingError, match="2 modules"):
        model[5]
