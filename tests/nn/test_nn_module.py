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


def test_load_state_dict_knows_a_trainers_checkpoint():
    model = nn.Linear(2, 1)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    checkpoint = nn.Trainer(model, nn.MSELoss(), optimizer).state_dict()
    with pytest.raises(nn.StateDictError, match=r'a Trainer.s checkpoint.*\(state\["model"\]\)'):
        model.load_state_dict(checkpoint)
    assert model.load_state_dict(checkpoint["model"]) == ([], [])


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


def test_scopes_follow_a_module_that_changes_its_class():
    class Other(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(2, 2))
    model(ad.ones(2))
    model[0].__class__ = Other
    assert model(ad.ones(2)).node.scope == ("Sequential", "0: Other")


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


def test_parts_by_path():
    model = Model()
    assert model.get_submodule("block.inner") is model.block.inner
    assert model.get_submodule("") is model
    assert model.get_parameter("block.inner.bias") is model.block.inner.bias
    assert model.get_buffer("block.count") is model.block.count
    with pytest.raises(ad.OptionError, match=r"Block 'block' has no submodule 'outer'.*inner"):
        model.get_submodule("block.outer")
    with pytest.raises(ad.OptionError, match=r"Linear has no parameter 'w'\. It has weight, bias"):
        model.get_parameter("first.w")
    with pytest.raises(ad.OptionError, match="no buffer 'weight'"):
        model.get_buffer("first.weight")


def test_casting_keeps_the_parameters_themselves():
    model = Model()
    model(ad.ones((2, 2))).sum().backward()
    before = list(model.parameters())
    assert model.double() is model
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    assert {p.dtype.name for p in model.parameters()} == {"float64"}
    assert {p.grad.dtype.name for p in model.parameters()} == {"float64"}
    assert model.block.count.dtype.name == "float64"
    assert model(ad.ones((2, 2), dtype=ad.float64)).dtype.name == "float64"
    assert model.half().first.weight.dtype.name == "float16"
    assert model.float().first.weight.dtype.name == "float32"
    frozen = nn.Linear(2, 2).requires_grad_(False).double()
    assert not frozen.weight.requires_grad
    assert nn.BatchNorm1d(2).double().num_batches_tracked.dtype.name == "int64"
    for wrong in ("cpu", ad.int32, None, ad.complex64, 5):
        with pytest.raises(ad.DTypeError, match="no real floating dtype"):
            model.to(wrong)


def test_hooks():
    model = Model()
    seen = []
    handle = model.block.register_forward_hook(lambda m, args, y: seen.append((m, args, y)))
    x = ad.ones((1, 2))
    y = model(x)
    assert seen[0][0] is model.block
    assert seen[0][2] is y
    handle.remove()
    handle.remove()
    model(x)
    assert len(seen) == 1
    with model.register_forward_pre_hook(lambda _, args: args[0] * 0):
        assert model(x).tolist() == model(x * 0).tolist()
    with model.register_forward_hook(lambda *_: 7):
        assert model(x) == 7
    assert model(x).tolist() == y.tolist()
    with pytest.raises(ad.OptionError, match="can't be called"):
        model.register_forward_hook(3)


def test_a_module_is_no_part_of_itself():
    model = Model()
    with pytest.raises(ad.GraphError, match=r"Linear\.parent would .* as parent\. "):
        model.block.inner.parent = model.block.inner
    with pytest.raises(ad.GraphError, match=r"as parent\.block\.inner\. Keep .*tuple"):
        model.block.inner.parent = model
    model.block.inner.parent = (model,)
    assert len(list(model.modules())) == 4


def test_bad_states():
    layer = nn.Linear(2, 1)
    for state in (5, None, [1.0], "text"):
        with pytest.raises(nn.StateDictError, match=r"is no state of a Linear\. Give a mapping"):
            layer.load_state_dict(state)
    with pytest.raises(nn.StateDictError, match=r"misshapen .*weight: .*str"):
        layer.load_state_dict({"weight": "text", "bias": [1.0]})
    with pytest.raises(nn.StateDictError, match=r"unexpected \(1\): 5"):
        layer.load_state_dict({**layer.state_dict(), 5: 1})


def test_buffers_stay_tensors_and_names_are_free():
    block = Block()
    with pytest.raises(ad.DTypeError, match="count is a buffer"):
        block.count = 3
    block.count = None
    assert [name for name, _ in block.named_buffers()] == ["cache"]
    del block.cache
    assert not list(block.buffers())
    with pytest.raises(ad.OptionError, match="already"):
        block.register_module("training", nn.Identity())
    with pytest.raises(ad.OptionError, match="no dot"):
        block.register_module(3, nn.Identity())


def test_errors_of_operations_say_in_which_module():
    class Broken(nn.Module):
        def forward(self, x):
            return x @ ad.ones((9, 9))

    with pytest.raises(ad.ShapeError) as caught:
        nn.Sequential({"a": nn.Sequential(Broken())})(ad.ones((1, 2)))
    assert caught.value.__notes__ == ["raised in Broken 'a.0' of Sequential"]


def test_paths_follow_every_change_and_are_not_copied():
    model = nn.Sequential(nn.ModuleDict({"a": nn.Linear(2, 2)}))

    class Holder(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([nn.Linear(2, 2)])

        def forward(self, x):
            return self.layers[-1](x)

    model = Holder()
    assert model(ad.ones(2)).node.scope[-1] == "layers.0: Linear"
    model.layers.insert(0, nn.Identity())
    assert model(ad.ones(2)).node.scope[-1] == "layers.1: Linear"
    del model.layers[0]
    assert model(ad.ones(2)).node.scope[-1] == "layers.0: Linear"
    assert copy.deepcopy(model)(ad.ones(2)).node.scope[-1] == "layers.0: Linear"


def test_lists_of_modules():
    a, b, c = nn.Identity(), nn.ReLU(), nn.Tanh()
    found = nn.ModuleList([a])
    assert found.append(b) is found
    found += [c]
    assert list(found) == [a, b, c]
    assert found[1] is b
    assert found[-1] is c
    assert isinstance(found[1:], nn.ModuleList)
    assert list(found[::-1]) == [c, b, a]
    assert c in found
    assert nn.Identity() not in found
    found.insert(1, c)
    assert [name for name, _ in found.named_children()] == ["0", "1", "2", "3"]
    assert list(found) == [a, c, b, c]
    assert found.pop(0) is a
    assert found.pop() is c
    del found[:1]
    assert list(found) == [b]
    found[0] = a
    assert list(found + nn.ModuleList([b])) == [a, b]
    assert list(found) == [a]
    for act in (
        lambda: found[3],
        lambda: found.pop(5),
        lambda: found.insert(7, a),
        lambda: found.__setitem__(2, a),
        lambda: found.__delitem__(2),
        lambda: found["0"],
    ):
        with pytest.raises(ad.IndexingError, match="ModuleList"):
            act()
    for act in (
        lambda: found.append(3),
        lambda: found.extend([a, nn.ReLU]),
        lambda: found.insert(0, None),
        lambda: found.__setitem__(0, None),
        lambda: nn.ModuleList([1]),
    ):
        with pytest.raises(ad.DTypeError, match="not a module"):
            act()
    assert list(found) == [a]
    with pytest.raises(ad.UnsupportedFunctionError, match="holds modules and can't be called"):
        found(1)


def test_sequential_is_a_list_too():
    model = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.ReLU(), "c": nn.Linear(3, 1)})
    assert list(model[1:].state_dict()) == ["c.weight", "c.bias"]
    longer = model + nn.Sequential(nn.Tanh())
    assert isinstance(longer, nn.Sequential)
    assert len(longer) == 4
    assert longer[0] is model[0]
    model.insert(1, nn.Tanh())
    assert [name for name, _ in model.named_children()] == ["0", "1", "2", "3"]
    assert isinstance(nn.MLP([2, 3, 1])[:2], nn.Sequential)


def test_dicts_of_modules():
    a, b, c = nn.Identity(), nn.ReLU(), nn.Tanh()
    found = nn.ModuleDict({"a": a})
    found["b"] = b
    found.update([("c", c)])
    assert list(found) == list(found.keys()) == ["a", "b", "c"]
    assert list(found.values()) == [a, b, c]
    assert list(found.items())[1] == ("b", b)
    assert len(found) == 3
    assert "b" in found
    assert "d" not in found
    assert found.pop("b") is b
    del found["c"]
    found["a"] = c
    assert dict(found.items()) == {"a": c}
    found.clear()
    assert len(found) == 0
    with pytest.raises(ad.IndexingError, match=r"\['x'\]: there is no such module\. Its keys"):
        found["x"]
    with pytest.raises(ad.OptionError, match="already"):
        found["keys"] = a
    with pytest.raises(ad.OptionError, match="Give names"):
        found[3] = a
    with pytest.raises(ad.DTypeError, match="not a module"):
        found.update({"a": a, "b": 3})
    assert len(found) == 0
    with pytest.raises(ad.UnsupportedFunctionError, match=r"y = modules\[key\]"):
        found(1)


def test_more_bad_calls():
    layer = nn.Linear(2, 2)
    with pytest.raises(ad.OptionError, match="train: the mode is 'no'"):
        layer.train("no")
    assert layer.training
    with pytest.raises(ad.OptionError, match="apply: 3 can't be called"):
        layer.apply(3)
    with pytest.raises(ad.DTypeError, match="NoneType is not a module"):
        nn.Sequential(layer, None)
    with pytest.raises(ad.OptionError, match=r"a ReLU is no list of modules\. Give \[module"):
        nn.ModuleList(nn.ReLU())
    with pytest.raises(ad.ShapeError, match="Linear '0'") as caught:
        nn.Sequential(layer)(ad.ones(3))
    assert not hasattr(caught.value, "__notes__")  # the message says it


@pytest.mark.parametrize("kind", ["buffer", "parameter"])
def test_a_state_that_meets_read_only_memory_is_not_half_loaded(kind):
    model = nn.Linear(2, 2)
    before = model.weight.tolist()
    if kind == "buffer":
        model.register_buffer("fixed", ad.asarray(np.broadcast_to(np.float32(1), (2,))))
    else:
        model.fixed = nn.Parameter(ad.ones(2))
        model.fixed.detach().numpy().flags.writeable = False
    state = {key: ad.zeros_like(value) for key, value in model.state_dict().items()}
    with pytest.raises(nn.StateDictError, match=r"read-only .*\(1\): fixed\nGive .*own memory"):
        model.load_state_dict(state)
    assert model.weight.tolist() == before


class Tied(nn.Module):
    def __init__(self, tied):
        self.first, self.last = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        if tied:
            self.last.weight = self.first.weight


def test_tied_weights_load_from_one_of_their_names():
    """As safetensors keeps them, once."""
    model = Tied(tied=True)
    model.load_state_dict({"last.weight": np.eye(2) * 3})
    assert model.first.weight.tolist() == [[3, 0], [0, 3]]
    with pytest.raises(nn.StateDictError, match=r"missing \(2\): first.weight, last.weight"):
        model.load_state_dict({})
    with pytest.raises(nn.StateDictError, match=r"(?s)misshapen \(1\).*Build the module with the"):
        model.load_state_dict({"last.weight": np.eye(3)})


def test_weights_that_were_not_tied_do_not_load_into_tied_ones():
    model = Tied(tied=True)
    before = model.first.weight.tolist()
    message = r"tied here, but not in the state \(1\): last.weight \(first.weight here\)"
    with pytest.raises(nn.StateDictError, match=rf"{message}[^.]*\n.*without tied weights"):
        model.load_state_dict(Tied(tied=False).state_dict())
    assert model.first.weight.tolist() == before
    nan = {name: np.full((2, 2), np.nan) for name in ("first.weight", "last.weight")}
    model.load_state_dict(nan)


def test_modules_in_a_list_say_what_to_write():
    with pytest.raises(ad.DTypeError, match=r"nn\.Sequential\(\*modules\)"):
        nn.Sequential([nn.ReLU(), nn.Tanh()])
