"""Wrong arguments of every constructor and function: typed errors that show what is wanted."""

import inspect
import math

import numpy as np
import pytest

import autodiff as ad
import nn

BAD = [
    "text", -1, 0, 1.5, -0.5, math.nan, math.inf, True, None, object(), [], {},
    (1, 2, 3), [1, "a"], np.ones(3), ad.ones(2),
]  # fmt: skip

MODULES = {
    "AdaptiveAvgPool1d": (2,), "AdaptiveAvgPool2d": (2,), "AvgPool1d": (2,), "AvgPool2d": (2,),
    "BahdanauAttention": (4, 4, 5), "BatchNorm1d": (4,), "BatchNorm2d": (4,),
    "Bilinear": (2, 3, 4), "Conv1d": (2, 4, 3), "Conv2d": (2, 4, 3),
    "ConvTranspose1d": (2, 4, 3), "ConvTranspose2d": (2, 4, 3), "Decoder": (5, 4, 4),
    "Embedding": (5, 3), "Encoder": (5, 4, 4), "Function": (ad.sin,), "GRU": (3, 4),
    "GRUCell": (3, 4), "GroupNorm": (2, 4), "LSTM": (3, 4), "LSTMCell": (3, 4),
    "LayerNorm": (4,), "LearnedPositions": (8, 4), "Linear": (3, 4), "LuongAttention": (4, 4),
    "MLP": ([3, 4, 2],), "MaxPool1d": (2,), "MaxPool2d": (2,), "Maxout": (3, 4, 2),
    "MultiheadAttention": (4, 2), "RMSNorm": (4,), "RNN": (3, 4), "RNNCell": (3, 4),
    "RotaryPositions": (4,), "SinusoidalPositions": (4,), "Threshold": (1.0, 2.0),
    "Transformer": (4, 2, 1, 1, 4), "TransformerDecoderLayer": (4, 2, 4),
    "TransformerEncoderLayer": (4, 2, 4), "Unflatten": (1, (2, 2)),
}  # fmt: skip
"""Arguments that make a small one, where there must be some."""

MADE = {
    "GPT": lambda: (nn.GPTConfig(5, 8, 1, 2, 4),),
    "Seq2Seq": lambda: (nn.Encoder(5, 4, 4), nn.Decoder(5, 4, 4), 1, 2),
    "TransformerDecoder": lambda: (nn.TransformerDecoderLayer(4, 2, 4), 1),
    "TransformerEncoder": lambda: (nn.TransformerEncoderLayer(4, 2, 4), 1),
}

SCHEDULES = {
    "CosineAnnealingLR": (5,), "CosineAnnealingWarmRestarts": (5,), "ExponentialLR": (0.9,),
    "LambdaLR": (float,), "LinearLR": (), "MultiStepLR": ([2, 3],),
    "OneCycleLR": (0.1, 10), "ReduceLROnPlateau": (), "StepLR": (2,),
}  # fmt: skip

OTHERS = {
    "BucketBatchSampler": ([1, 2, 3], 2), "CSVLog": ("log.csv",), "DataLoader": ([1, 2, 3],),
    "EarlyStopping": (), "GPTConfig": (5, 8, 1, 2, 4), "KeyValueCache": (1, 4),
    "Subset": ([1, 2], [0]), "TensorDataset": ([1, 2],),
}  # fmt: skip


def parameters():
    return [nn.Parameter([1.0, 2.0])]


def subjects():
    """Give name, class and a function that makes its arguments, of all that users make."""
    for name in sorted({*nn.__all__}):
        kind = getattr(nn, name)
        if (
            isinstance(kind, type)
            and issubclass(kind, nn.Module)
            and name not in ("Module", "Loss")
        ):
            yield name, kind, MADE.get(name, lambda name=name: MODULES.get(name, ()))
        elif isinstance(kind, type) and issubclass(kind, nn.Optimizer) and kind is not nn.Optimizer:
            yield name, kind, lambda: (parameters(),)
    for name, args in SCHEDULES.items():
        yield (
            name,
            getattr(nn.optim, name),
            lambda args=args: (nn.SGD(parameters(), lr=0.1, momentum=0.5), *args),
        )
    for name, args in OTHERS.items():
        yield name, getattr(nn, name), lambda args=args: args


SUBJECTS = {name: (kind, make) for name, kind, make in subjects()}


def refused(call):
    """Call; return whether it was refused. What is no typed error fails the test."""
    try:
        call()
    except ad.AutodiffError:
        return True
    return False


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_wrong_argument_of_a_constructor_is_a_typed_error(name):
    kind, make = SUBJECTS[name]
    kind(*make())
    taken = list(inspect.signature(kind.__init__).parameters.values())[1:]
    places = [p for p in taken if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for place, parameter in enumerate(places):
        for bad in BAD:
            args, options = list(make()), {}
            if place < len(args):
                args[place] = bad
            else:
                options[parameter.name] = bad
            was_refused = refused(lambda args=args, options=options: kind(*args, **options))
            if parameter.annotation in ("bool", "float", "int") and isinstance(bad, (str, list)):
                assert was_refused, f"{parameter.name}={bad!r}"


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name != "Identity"])
def test_arguments_that_do_not_fit_the_signature_show_it(name):
    kind, make = SUBJECTS[name]
    with pytest.raises(ad.OptionError, match=rf"{name}: .*'no_such_option'.*Call {name}\("):
        kind(*make(), no_such_option=1)
    if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(kind).parameters.values()):
        return
    with pytest.raises(ad.OptionError, match=f"{name}: too many positional arguments"):
        kind(*make(), *[None] * 30)
    if make() and name != "Transformer":
        with pytest.raises(ad.OptionError, match=f"{name}: missing a required argument"):
            kind()


def test_a_class_of_ones_own_has_its_signature_checked_and_nothing_else():
    class Scale(nn.Module):
        def __init__(self, size: int, factor: float = 1.0):
            self.size, self.factor = size, factor

        def forward(self, x):
            return x * self.factor

    class Plain(nn.Module):
        def forward(self, x):
            return x

    assert Scale("any", factor="thing").size == "any"
    with pytest.raises(ad.OptionError, match=r"Call Scale\(size, factor=1.0\)"):
        Scale()
    with pytest.raises(ad.OptionError, match=r"Plain: too many positional arguments"):
        Plain(3)

    class Odd(nn.Module):
        def __init__(self):
            raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        Odd()


def test_calls_that_do_not_fit_forward_name_the_module():
    with pytest.raises(ad.OptionError, match=r"Linear: missing .*'x'.*Give \(x\)"):
        nn.Linear(3, 4)()
    with pytest.raises(ad.OptionError, match=r"MSELoss: missing .*'target'.*Python float"):
        nn.MSELoss()(1.0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Bilinear(4, 3, 2))
    with pytest.raises(ad.OptionError, match=r"Bilinear '1': .*'x2'.*\(5, 4\) float32"):
        model(ad.ones((5, 3)))

    class Odd(nn.Module):
        def forward(self, x):
            return len(x, x)

    with pytest.raises(TypeError, match="exactly one argument") as caught:
        Odd()(3)
    assert not isinstance(caught.value, ad.AutodiffError)


def test_losses_take_their_operands_by_name():
    assert nn.MSELoss()(target=[1.0], input=[3.0]).item() == 4.0
    assert "log_probs" in inspect.signature(nn.CTCLoss.forward).parameters


def optimizer(**options):
    return nn.SGD([nn.Parameter([1.0, 2.0])], lr=0.5, **options)


def trained(**options):
    model = nn.Linear(2, 1)
    return nn.Trainer(
        model, nn.MSELoss(), nn.SGD(model.parameters(), lr=0.1), progress=False, **options
    )


def with_rate(rate):
    sgd = optimizer()
    sgd.param_groups[0]["lr"] = rate
    return sgd


WRONG = [
    (lambda: nn.cross_entropy("abc", [0]), "cross_entropy: an operand of type str"),
    (lambda: nn.cross_entropy([[1.0]], [0], label_smoothing="x"), "label_smoothing is 'x'"),
    (lambda: nn.cross_entropy([[1.0]], [0], ignore_index="x"), "ignore_index is 'x'"),
    (lambda: nn.binary_cross_entropy([math.nan], [1.0]), "an input is not from 0 to 1"),
    (lambda: nn.smooth_l1_loss([1.0], [1.0], beta="x"), "beta is 'x'"),
    (lambda: nn.functional.glu([1.0, 2.0], dim="x"), "dim is 'x'"),
    (lambda: nn.functional.layer_norm([1.0, 2.0], 2), "normalized_shape is 2"),
    (lambda: nn.Sequential(nn.GLU())(ad.ones(3)), r"GLU '0': glu: .* no even axis"),
    (lambda: nn.Sequential(nn.PReLU(3))(ad.ones((2, 4))), r"PReLU '0': prelu: the weight"),
    (lambda: nn.Sequential(nn.Softmax(2))(ad.ones(3)), "Softmax '0': softmax"),
    (
        lambda: nn.init.xavier_uniform_(nn.Parameter([[1.0]]), math.nan),
        "gain is nan. Give a finite",
    ),
    (lambda: nn.init.normal_(nn.Parameter([1.0]), std=math.nan), "std is nan"),
    (lambda: nn.utils.rnn.invert_permutation([0, 0]), "no permutation"),
    (lambda: nn.Parameter([1.0], requires_grad="x"), "requires_grad is 'x'"),
    (lambda: nn.Parameter([1.0], what=1), "unexpected keyword argument 'what'"),
    (lambda: nn.Linear(1, 1).get_submodule(7), "target is 7"),
    (lambda: nn.Linear(1, 1).register_parameter("w", ad.ones(1)), "'w' is a Tensor, not a par"),
    (lambda: nn.SGD([{"params": []}]), "the groups have no parameters"),
    (lambda: nn.SGD([{"params": 3}]), "'params' of a group are a int"),
    (lambda: optimizer().add_param_group(3), "a parameter group is a int"),
    (lambda: optimizer().step(3), "the closure is a int"),
    (lambda: nn.LBFGS(parameters()).step(3), "step needs a closure"),
    (lambda: optimizer().load_state_dict(None), "a NoneType is no saved state"),
    (lambda: optimizer().load_state_dict({"state": {}}), "a dict is no saved state"),
    (lambda: optimizer().load_state_dict({"state": {0: 1}, "param_groups": []}), "no saved state"),
    (lambda: with_rate("fast").step(), "lr is 'fast'"),
    (lambda: with_rate(math.nan).step(), "lr is nan"),
    (lambda: with_rate(-1.0).step(), "lr is -1.0"),
    (lambda: nn.SGD(parameters(), lr=math.inf), "lr is inf"),
    (lambda: nn.clip_grad_norm_(nn.Linear(1, 1), 1.0), "Linear can't be clipped"),
    (lambda: nn.clip_grad_norm_(parameters(), 1.0, norm_type=0), "norm_type is 0"),
    (lambda: nn.optim.StepLR(optimizer(), 2).load_state_dict(None), "NoneType is no saved state"),
    (lambda: nn.optim.StepLR(optimizer(), 2).step("x"), "epoch is 'x'"),
    (lambda: nn.optim.LambdaLR(optimizer(), lambda _: "x"), "factor of step 0 is 'x'"),
    (lambda: nn.optim.ReduceLROnPlateau(optimizer()).step("x"), "the metric is str"),
    (lambda: nn.optim.ReduceLROnPlateau(optimizer()).load_state_dict(3), "int is no saved state"),
    (lambda: nn.optim.ReduceLROnPlateau(optimizer(), min_lr="x"), "min_lr is 'x'"),
    (lambda: nn.optim.ChainedScheduler(3), "there is no schedule"),
    (lambda: trained(callbacks=3), "the callbacks are a int"),
    (lambda: trained(callbacks=[print]), "a callback is a builtin.*on_fit_start"),
    (lambda: nn.default_collate(3), "the examples are a int"),
    (lambda: trained(metrics=3), "the metrics are a int"),
    (lambda: trained(scheduler=3), "the scheduler is a int"),
    (lambda: trained(checkpoint=3), "checkpoint is 3. Give a path"),
    (lambda: nn.Trainer(nn.Linear(2, 1), nn.MSELoss(), optimizer()), "no parameter of the Linear"),
    (lambda: nn.History()[0], "there is no row 0"),
    (lambda: nn.DataLoader([1], collate_fn=3), "collate_fn is a int"),
    (lambda: nn.DataLoader([1]).load_state_dict(3), "the saved position"),
    (lambda: nn.random_split([1, 2], ["a", "b"]), "the lengths are"),
    (lambda: nn.KeyValueCache(1, 4)[3], "there is no layer 3"),
    (lambda: nn.KeyValueCache(1, 4).advance(5), "more than the 4"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_wrong_calls(call, words):
    with pytest.raises(ad.AutodiffError, match=words):
        call()


def test_a_step_with_a_wrong_rate_changes_nothing():
    first, second = parameters(), parameters()
    sgd = nn.SGD([{"params": first}, {"params": second, "lr": 0.5}], lr=0.5)
    for parameter in (*first, *second):
        parameter.grad = ad.ones(2)
    sgd.param_groups[1]["lr"] = math.nan
    with pytest.raises(ad.DomainError, match="lr is nan"):
        sgd.step()
    assert first[0].tolist() == [1.0, 2.0]


def test_a_schedule_that_gives_no_rate_changes_nothing():
    sgd = optimizer()
    schedule = nn.optim.LambdaLR(sgd, lambda t: 1.0 if t < 1 else math.nan)
    with pytest.raises(ad.DomainError, match="factor of step 1 is nan"):
        schedule.step()
    assert sgd.param_groups[0]["lr"] == 0.5
    assert schedule.last_epoch == 0


def test_a_fraction_is_not_loaded_into_a_count():
    layer = nn.BatchNorm1d(2)
    state = {**layer.state_dict(), "num_batches_tracked": 1.5}
    with pytest.raises(nn.StateDictError, match="num_batches_tracked"):
        layer.load_state_dict(state)


PUBLIC = [
    *(getattr(nn.functional, name) for name in nn.functional.__all__),
    *(getattr(nn.init, name) for name in nn.init.__all__),
    *(getattr(nn, name) for name in nn.__all__ if inspect.isfunction(getattr(nn, name))),
    *(f for f in vars(nn.utils.rnn).values() if inspect.isfunction(f)),
    *(f for f in vars(nn.utils).values() if inspect.isfunction(f)),
]


@pytest.mark.parametrize("function", sorted({*PUBLIC}, key=repr), ids=lambda f: f.__name__)
def test_unknown_arguments_of_functions_are_typed_errors(function):
    with pytest.raises(ad.OptionError, match=r"no_such_option|missing a required argument"):
        function(no_such_option=1)


@pytest.mark.parametrize(
    "call",
    [
        nn.Dropout,
        lambda huge: nn.LayerNorm(2, eps=huge),
        nn.ELU,
        lambda huge: nn.TripletMarginLoss(margin=huge),
        lambda huge: nn.functional.dropout([1.0], huge),
        lambda huge: nn.RNN(2, 2, num_layers=huge),
        lambda huge: nn.Encoder(3, 2, 2, num_layers=huge),
        lambda huge: nn.GPTConfig(5, 8, num_layers=huge),
        lambda huge: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 4), huge),
        lambda huge: nn.init.normal_(ad.zeros(2), huge),
    ],
)
@pytest.mark.parametrize("digits", [400, 5000])
def test_whole_numbers_beyond_all_floats(call, digits):
    with pytest.raises(ad.AutodiffError, match=r"is a whole number of .* bits. Give"):
        call(10**digits)


@pytest.mark.parametrize(
    "call",
    [
        lambda: nn.Sequential(nn.Linear(2, 2)).insert("x", nn.ReLU()),
        lambda: nn.ModuleList().insert(None, nn.ReLU()),
        lambda: nn.ModuleList() + 3,
        lambda: nn.ModuleList([nn.ReLU()]).pop("x"),
        lambda: nn.ModuleDict()[[]],
        lambda: nn.ModuleDict().pop([]),
    ],
)
def test_places_and_keys_that_containers_do_not_have(call):
    with pytest.raises(ad.AutodiffError, match=r"Sequential|ModuleList|ModuleDict"):
        call()


def test_a_random_slope_of_whole_numbers_names_the_layer():
    with pytest.raises(ad.DTypeError, match=r"RReLU '0': rrelu: .* holds no floats"):
        nn.Sequential(nn.RReLU())(ad.asarray([1, 2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Dropout(np.float64(1.5)), r"p is np\.float64\(1\.5\)"),
        (lambda: nn.Linear(np.int64(-3), 2), r"in_features is np\.int64\(-3\)"),
        (lambda: nn.Linear(np.ones((2, 2)), 2), r"in_features is \(2, 2\) float64"),
        (lambda: nn.ModuleList([nn.ReLU()]).pop(slice(0, 1)), "a slice. Give a whole number"),
    ],
)
def test_a_message_shows_what_was_given(call, message):
    with pytest.raises(ad.AutodiffError, match=message):
        call()


def test_a_state_that_numpy_can_not_read():
    torch = pytest.importorskip("torch")
    state = torch.nn.Linear(2, 2).to(torch.bfloat16).state_dict()
    with pytest.raises(nn.StateDictError, match=r"(?s)bfloat16.*Give arrays that NumPy can read"):
        nn.Linear(2, 2).load_state_dict(state)
