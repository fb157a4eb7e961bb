"""Names, the order of arguments and defaults are PyTorch's; what differs is listed here."""

import inspect

import pytest

import nn

torch = pytest.importorskip("torch")

LAYERS = sorted(
    name
    for name in nn.__all__
    if isinstance(getattr(torch.nn, name, None), type)
    and issubclass(getattr(torch.nn, name), torch.nn.Module)
    and name not in ("Module", "Sequential", "ModuleList", "ModuleDict", "Identity")
)

MACHINE = {
    "device", "dtype", "_freeze", "_weight", "size_average", "reduce", "foreach", "fused",
    "capturable", "differentiable", "_stacklevel", "inplace",
}  # fmt: skip
"""Where PyTorch computes, what it no longer uses, and in-place variants."""

LEFT_OUT = {
    "Embedding": {"max_norm", "norm_type", "scale_grad_by_freq", "sparse"},
    "MaxPool1d": {"return_indices"},
    "MaxPool2d": {"return_indices"},
    "TransformerEncoder": {"enable_nested_tensor", "mask_check"},
    "embedding": {"max_norm", "norm_type", "scale_grad_by_freq", "sparse"},
    "huber_loss": {"weight"},
    "l1_loss": {"weight"},
    "mse_loss": {"weight"},
}

DEFAULTS = {
    "Hardtanh": {"min_value", "max_value"},  # deprecated
    "LogSoftmax": {"dim"},  # the last axis, where PyTorch guesses and warns
    "Softmax": {"dim"},
    "Softmin": {"dim"},
    "Transformer": {"activation"},  # a word for the function
    "TransformerDecoderLayer": {"activation"},
    "TransformerEncoderLayer": {"activation"},
    "log_softmax": {"dim"},
    "softmax": {"dim"},
    "softmin": {"dim"},
}


def compare(name, ours, theirs):
    own = dict(inspect.signature(ours).parameters)
    their = dict(inspect.signature(theirs).parameters)
    if "args" in their:  # no signature to compare with
        return
    skipped = MACHINE | LEFT_OUT.get(name, set()) | DEFAULTS.get(name, set())
    missing = [n for n in their if n not in own and n not in skipped]
    assert not missing, f"{name} lacks {missing}"
    place = 0
    for n, parameter in their.items():
        if n in skipped or n == "self":
            continue
        mine = own[n]
        assert mine.default == parameter.default or (
            mine.default is False and parameter.default is None
        ), f"{name}: {n} is {mine.default!r}, {parameter.default!r} in PyTorch"
    # What may be given by position has the place that it has in PyTorch, or none.
    positional = [n for n, p in own.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for place, n in enumerate(positional):
        if n in their and n not in MACHINE:
            assert list(their).index(n) == place, f"{name}: {n} is argument {place}"


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    compare(name, getattr(nn, name).__init__, getattr(torch.nn, name).__init__)


@pytest.mark.parametrize("name", sorted(nn.optim.__all__))
def test_optimisers_and_schedules(name):
    theirs = getattr(torch.optim, name, None) or getattr(torch.optim.lr_scheduler, name, None)
    if isinstance(theirs, type) and name not in ("Optimizer", "LRScheduler"):
        compare(name, getattr(nn.optim, name).__init__, theirs.__init__)


@pytest.mark.parametrize("name", sorted(nn.functional.__all__))
def test_functions(name):
    theirs = getattr(torch.nn.functional, name)
    ours = getattr(nn.functional, name)
    if inspect.isfunction(theirs) and ours.__module__.startswith("nn."):
        compare(name, ours, theirs)


@pytest.mark.parametrize("name", sorted(nn.init.__all__))
def test_initialisers(name):
    theirs = getattr(torch.nn.init, name, None)
    if theirs is not None:
        compare(name, getattr(nn.init, name), theirs)


@pytest.mark.parametrize("name", sorted(nn.utils.rnn.__all__))
def test_sequences(name):
    if name != "PackedSequence":
        compare(name, getattr(nn.utils.rnn, name), getattr(torch.nn.utils.rnn, name))


@pytest.mark.parametrize(
    "name",
    ["apply", "children", "eval", "get_parameter", "get_submodule", "modules", "named_children",
     "named_modules", "named_parameters", "parameters", "register_buffer", "register_parameter",
     "requires_grad_", "train", "zero_grad"],
)  # fmt: skip
def test_methods_of_modules(name):
    ours, theirs = getattr(nn.Module, name), getattr(torch.nn.Module, name)
    own, their = (list(inspect.signature(f).parameters) for f in (ours, theirs))
    their = [n for n in their if n not in ("memo", "remove_duplicate")]
    assert own == their
