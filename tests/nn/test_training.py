"""The trainer: steps, metrics, validation, schedules, callbacks, failures, the history."""

import copy
import csv
import io
import itertools
import math
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import autodiff as ad
import nn


def problem(n=48, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)


def loader(n=48, batch_size=8, **options):
    return nn.DataLoader(nn.TensorDataset(*problem(n)), batch_size, **options)


def classifier(dropout=0.0, seed=0):
    ad.random.seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))


def trainer(model=None, lr=0.1, momentum=0.9, **options):
    model = classifier() if model is None else model
    optimizer = nn.SGD(model.parameters(), lr=lr, momentum=momentum)
    return nn.Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)


def weights(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def plain(state):
    """A state in lists and numbers, which can be compared."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [plain(value) for value in state]
    return state.tolist() if hasattr(state, "tolist") else state


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


# -- fitting -------------------------------------------------------------------------------------


def test_fit_is_the_plain_loop():
    model, data = classifier(), loader(shuffle=True, seed=3)
    optimizer = nn.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(3):
        for x, y in data:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    other = trainer()
    history = other.fit(loader(shuffle=True, seed=3), epochs=3)
    assert_same(weights(model), weights(other.model))
    assert history.losses == losses
    assert history["epoch"] == [1, 2, 3]
    assert history["step"] == [6, 12, 18]
    np.testing.assert_allclose(history["loss"], np.reshape(losses, (3, 6)).mean(1), rtol=1e-12)
    assert all(parameter.grad is None for parameter in other.model.parameters())


def test_metrics_are_weighted_means_over_the_examples():
    x, y = problem(50)

    def share(outputs, targets):
        return (outputs[:, 1] > outputs[:, 0]).astype("float32").mean()

    one = trainer(metrics={"accuracy": nn.accuracy, "ones": share})
    found = one.evaluate(nn.DataLoader(nn.TensorDataset(x, y), 16))
    z = one.model(x).detach().numpy()
    assert found["accuracy"] == pytest.approx((z.argmax(1) == y).mean())
    assert found["ones"] == pytest.approx(z.argmax(1).mean())
    whole = nn.functional.cross_entropy(one.model(x), y).item()
    assert found["loss"] == pytest.approx(whole, rel=1e-6)
    listed = trainer(metrics=[nn.accuracy])
    assert listed.fit([(x, y)], 1).names == ["epoch", "step", "lr", "loss", "accuracy", "seconds"]


@pytest.mark.parametrize(
    ("outputs", "targets", "expected"),
    [
        ([[2.0, 1.0], [0.0, 3.0]], [0, 0], 0.5),
        ([1.0, -1.0, 0.5, -2.0], [1, 0, 1, 1], 0.75),
        ([[[2.0, 0.0], [1.0, 3.0]]], [[0, 1]], 1.0),
        (np.eye(3)[None, [0, 2]], [[0, 2]], 1.0),
    ],
)
def test_accuracy(outputs, targets, expected):
    assert nn.accuracy(ad.asarray(outputs), ad.asarray(targets)).item() == expected


def test_accuracy_of_shapes_that_do_not_fit():
    with pytest.raises(ad.ShapeError, match=r"accuracy: outputs \(3, 2\) .* targets \(4,\)"):
        nn.accuracy(np.zeros((3, 2)), np.zeros(4, int))


def test_validation_is_in_evaluation_mode_and_changes_nothing():
    modes = []

    class Spy(nn.Module):
        def __init__(self):
            self.inner = classifier(dropout=0.5)

        def forward(self, x):
            modes.append((self.training, ad.is_grad_enabled()))
            return self.inner(x)

    model = Spy()
    model.inner[2].eval()  # frozen by the user
    one = trainer(model, metrics=[nn.accuracy])
    history = one.fit(loader(8), epochs=2, validation=loader(16, 8))
    assert modes == [(True, True), (False, False), (False, False)] * 2
    assert not model.inner[2].training
    assert model.training
    assert one.evaluate(loader(16))["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
    assert "val_accuracy" in history.names


def test_inputs_of_several_parts():
    class Pair(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter([1.0])

        def forward(self, a, b):
            return (a * b * self.scale).sum(axis=-1)

    a, y = np.ones((4, 2), np.float32), np.full(4, 6.0, np.float32)
    for batch in ((a, a, y), ((a, a), y)):
        model = Pair()
        one = nn.Trainer(model, nn.MSELoss(), nn.SGD(model.parameters(), lr=0.1))
        one.fit([batch], 50)
        assert model.scale.item() == pytest.approx(3.0, rel=1e-3)


def test_a_class_of_ones_own():
    class Dictionaries(nn.Trainer):
        def compute(self, batch):
            outputs = self.model(batch["x"])
            return self.loss(outputs, batch["y"]), outputs, batch["y"]

    x, y = problem()
    examples = [{"x": a, "y": int(b)} for a, b in zip(x, y, strict=True)]
    model = classifier()
    one = Dictionaries(model, nn.CrossEntropyLoss(), nn.SGD(model.parameters(), lr=0.1))
    one.fit(nn.DataLoader(examples, 8), 1)
    plain = trainer(momentum=0.0)
    plain.fit(loader(), 1)
    assert_same(weights(model), weights(plain.model))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sizes", [(16, 16, 16), (20, 20, 8)])
def test_accumulation_is_the_big_batch(sizes, reduction):
    x, y = problem()
    cuts = np.cumsum((0, *sizes))
    parts = [(x[a:b], y[a:b]) for a, b in itertools.pairwise(cuts)]
    models = []
    for batches, accumulate in (([(x, y)], 1), (parts, 3), (parts, 7)):
        model = classifier()
        optimizer = nn.Adam(model.parameters(), lr=0.01)
        loss = nn.CrossEntropyLoss(reduction=reduction)
        one = nn.Trainer(model, loss, optimizer, accumulate=accumulate, clip_norm=0.5)
        history = one.fit(batches, 5)
        assert one.step == 5
        models.append((weights(model), history))
    for found, history in models[1:]:
        for name, value in models[0][0].items():
            np.testing.assert_allclose(found[name], value, atol=2e-6)
        np.testing.assert_allclose(history["loss"], models[0][1]["loss"], rtol=1e-5)
        np.testing.assert_allclose(history.losses, models[0][1].losses, rtol=1e-5)


def test_the_last_group_may_be_smaller():
    one = trainer(accumulate=4)
    one.fit(loader(), 2)
    assert one.step == 4


def test_clipping():
    before = weights(classifier())
    for options, bound in (({"clip_norm": 0.1}, 0.1), ({"clip_value": 1e-3}, None)):
        one = trainer(lr=1.0, momentum=0.0, **options)
        one.fit([problem()], 1)
        steps = [weights(one.model)[name] - before[name] for name in before]
        if bound:
            norm = math.sqrt(sum((step**2).sum() for step in steps))
            assert norm == pytest.approx(bound, rel=1e-3)
        else:
            assert max(abs(step).max() for step in steps) == pytest.approx(1e-3, rel=1e-2)


def test_an_optimiser_that_looks_at_the_loss_several_times():
    x, y = problem()
    model, other = classifier(), classifier()
    optimizer = nn.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    again = nn.optim.LBFGS(other.parameters(), line_search_fn="strong_wolfe")
    one = nn.Trainer(other, nn.CrossEntropyLoss(), again, accumulate=2)
    one.fit([(x, y)], 3)
    assert_same(weights(model), weights(other))

    class Bad(nn.Module):
        calls = 0

        def forward(self, outputs, targets):
            self.calls += 1
            factor = math.nan if self.calls > 2 else 1.0
            return nn.functional.cross_entropy(outputs, targets) * factor

    model = classifier()
    before = weights(model)
    optimizer = nn.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    bad = Bad()
    with pytest.raises(nn.DivergenceError):
        nn.Trainer(model, bad, optimizer).fit([(x, y)], 1)
    assert bad.calls == 3  # in the middle of the step
    assert_same(weights(model), before)


@pytest.mark.parametrize("steps", [0, 3])
def test_an_error_in_the_middle_of_a_step_leaves_what_lbfgs_knew(steps):
    x, y = problem()

    class Failing(nn.Module):
        calls = 0

        def forward(self, outputs, targets):
            self.calls -= 1
            if self.calls == 0:
                raise ZeroDivisionError
            return nn.functional.cross_entropy(outputs, targets)

    model, loss = classifier(), Failing()
    optimizer = nn.optim.LBFGS(model.parameters(), max_iter=4, history_size=3)
    one = nn.Trainer(model, loss, optimizer)
    if steps:
        one.fit([(x, y)], steps)
    before = copy.deepcopy(optimizer.state_dict())
    loss.calls = 4
    with pytest.raises(ZeroDivisionError):
        one.fit([(x, y)], 1)
    assert plain(optimizer.state_dict()) == plain(before)
    one.fit([(x, y)], 1)
    whole = trainer()
    whole.optimizer = nn.optim.LBFGS(whole.model.parameters(), max_iter=4, history_size=3)
    whole.fit([(x, y)], steps + 1)
    assert_same(weights(model), weights(whole.model))


def test_a_schedule_that_follows_what_is_not_there():
    model = classifier()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    schedule = nn.optim.ReduceLROnPlateau(optimizer)
    one = nn.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule, monitor="accuracy"
    )
    with pytest.raises(ad.OptionError, match=r"no 'accuracy' for the schedule. Give monitor="):
        one.fit([problem()], 1)


# -- schedules -----------------------------------------------------------------------------------


class Halving:
    """A schedule as PyTorch has them."""

    def __init__(self, optimizer):
        self.optimizer, self.count = optimizer, 0

    def step(self):
        self.count += 1
        self.optimizer.param_groups[0]["lr"] /= 2

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Following(Halving):
    seen = ()

    def step(self, metrics):
        self.seen = (*self.seen, metrics)


def test_schedules_move_every_epoch_or_step():
    for every, expected in (("epoch", [0.1, 0.05, 0.025]), ("step", [0.1 / 64, 0.1 / 64**2])):
        one = trainer(schedule_every=every)
        one.scheduler = Halving(one.optimizer)
        history = one.fit(loader(), len(expected))
        np.testing.assert_allclose(history["lr"], expected)


def test_a_schedule_that_follows_a_number_gets_it():
    model = classifier()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    schedule = Following(optimizer)
    one = nn.Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule)
    history = one.fit(loader(), 3, validation=loader(16))
    assert list(schedule.seen) == history["val_loss"]
    with pytest.raises(ad.OptionError, match=r"follows 'val_loss'. Give validation="):
        one.fit(loader(), 3)
    with pytest.raises(ad.OptionError, match="schedule_every='epoch'"):
        nn.Trainer(
            model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule, schedule_every="step"
        )
    other = nn.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, scheduler=Following(optimizer), monitor="loss"
    )
    assert list(other.fit(loader(), 2)["loss"]) == list(other.scheduler.seen)


class Ending(Halving):
    """A schedule that has an end, and raises behind it."""

    def step(self):
        if self.count == 3:
            raise ad.OptionError("no rate for step 4")
        super().step()


def test_a_step_is_complete_where_the_schedule_behind_it_raises():
    batches = [(x[None], y[None]) for x, y in zip(*problem(8), strict=True)]
    one = trainer(schedule_every="step", momentum=0.5)
    one.scheduler = Ending(one.optimizer)
    with pytest.raises(ad.OptionError, match="no rate for step 4"):
        one.fit(batches, 1)
    assert one.step == len(one.history.losses) == 4
    one.scheduler = None
    one.fit(batches, 1)
    whole = trainer(momentum=0.5)
    for lr, batch in zip([0.1, 0.05, 0.025, *[0.0125] * 5], batches, strict=True):
        whole.optimizer.param_groups[0]["lr"] = lr
        whole.fit([batch], 1)
    assert one.history.losses == whole.history.losses
    assert_same(weights(one.model), weights(whole.model))


@pytest.mark.parametrize("wrong", ["position", "rate"])
def test_what_raises_before_an_update_leaves_no_trace_of_the_step(wrong):
    class Positions:
        broken = False

        def __iter__(self):
            return iter([problem(8)] * 4)

        def state_dict(self):
            if self.broken:
                raise ZeroDivisionError
            return {}

    data = Positions()

    def break_it(trainer):
        if trainer.step == 2 and wrong == "position":
            data.broken = True
        elif trainer.step == 2:
            trainer.optimizer.param_groups[1]["lr"] = math.nan

    class Breaking:
        on_step_end = staticmethod(break_it)

    model = classifier(dropout=0.5)
    groups = [{"params": model[0].parameters()}, {"params": model[3].parameters()}]
    optimizer = nn.SGD(groups, lr=0.1, momentum=0.5)
    one = nn.Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=[Breaking()])
    seen = []
    one.callbacks.append(SimpleNamespace(on_step_end=lambda _: seen.append(moment(one))))
    with pytest.raises((ZeroDivisionError, ad.DomainError)):
        one.fit(data, 1)
    assert moment(one) == seen[-1]
    assert one.step == len(seen) == 2


def moment(one):
    state = one.optimizer.state_dict()["state"]
    return plain([one.model.state_dict(), state, ad.random.get_state(), one.history.losses])


# -- callbacks -----------------------------------------------------------------------------------


def test_callbacks_are_called_in_order():
    class Noting:
        def __init__(self):
            self.calls = []

        def __getattr__(self, name):
            if not name.startswith("on_"):
                raise AttributeError(name)
            return lambda _: self.calls.append(name)

    class Only:  # has one of the methods
        def on_fit_end(self, trainer):
            self.epochs = trainer.epoch

    noting, only = Noting(), Only()
    trainer(callbacks=[noting, only, nn.Callback()]).fit(loader(16, 8), 2)
    epoch = ["on_epoch_start", "on_step_end", "on_step_end", "on_epoch_end"]
    assert noting.calls == ["on_fit_start", *epoch, *epoch, "on_fit_end"]
    assert only.epochs == 2


class Script(nn.Callback):
    """Sets the last row's number, so that early stopping sees a script."""

    def __init__(self, values):
        self.values = values
        self.weights = []

    def on_epoch_end(self, trainer):
        trainer.history[-1]["score"] = self.values[trainer.epoch - 1]
        self.weights.append(weights(trainer.model))


@pytest.mark.parametrize(
    ("options", "values", "epochs", "best"),
    [
        ({"patience": 2}, [5, 4, 4, 4, 1], 4, 1),
        ({"patience": 2}, [5, 4, 5, 3, 2, 2, 2], 7, 4),
        ({"patience": 1, "mode": "max"}, [1, 2, 2], 3, 1),
        ({"patience": 1, "min_delta": 0.5}, [1.0, 0.6, 0.1], 2, 0),
        ({"patience": 9}, [3, 1, 2], 3, 1),
        ({"patience": 2}, [math.nan, 2, math.nan, math.nan], 4, 1),
    ],
)
def test_early_stopping_goes_back_to_the_best_weights(options, values, epochs, best):
    script = Script(values)
    stopping = nn.EarlyStopping("score", **options)
    one = trainer(callbacks=[script, stopping])
    history = one.fit(loader(), len(values))
    assert len(history) == epochs
    assert stopping.best_epoch == best + 1
    assert_same(weights(one.model), script.weights[best])


def test_early_stopping_without_going_back():
    script = Script([1, 2])
    one = trainer(callbacks=[script, nn.EarlyStopping("score", 1, restore_best=False)])
    one.fit(loader(), 5)
    assert_same(weights(one.model), script.weights[1])


def test_a_second_fit_starts_afresh():
    stopping = nn.EarlyStopping("score", 1)
    script = Script([1, 2, 7, 6, 6, 0])
    one = trainer(callbacks=[script, stopping])
    one.fit(loader(), 5)
    assert one.epoch == 2
    one.fit(loader(), 5)
    assert one.epoch == 5
    assert stopping.best_epoch == 4


def test_early_stopping_on_a_column_that_is_not_there():
    with pytest.raises(ad.OptionError, match=r"no 'val_loss'. Monitor one of .*validation="):
        trainer(callbacks=[nn.EarlyStopping()]).fit(loader(), 2)
    for options in ({"mode": "least"}, {"patience": -1}):
        with pytest.raises(ad.OptionError, match="EarlyStopping: "):
            nn.EarlyStopping(**options)


def test_csv_log(tmp_path):
    path = tmp_path / "log.csv"
    one = trainer(metrics=[nn.accuracy], callbacks=[nn.CSVLog(path)])
    history = one.fit(loader(), 3, validation=loader(16))
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]
    assert list(rows[0]) == history.names


# -- failures ------------------------------------------------------------------------------------


class Failing(nn.Module):
    """Counts its calls in a buffer and gives NaN, or raises, at one of them."""

    def __init__(self, at, error=None):
        self.inner = classifier(dropout=0.5)
        self.register_buffer("calls", ad.zeros(()))
        self.register_buffer("seen", ad.zeros(0))
        self.at, self.error = at, error

    def forward(self, x):
        y = self.inner(x)
        with ad.no_grad():
            self.calls += 1
            self.seen = ad.concat([self.seen, self.calls.reshape(1)])
        if self.calls.item() == self.at:
            self.at = None
            if self.error is not None:
                raise self.error
            return y * math.nan
        return y


def test_a_loss_that_is_no_number_stops_and_leaves_the_model_as_it_was():
    model = Failing(at=9)
    one = trainer(model, lr=0.25)
    seen = []

    class Noting:
        def on_step_end(self, trainer):
            seen.append((weights(trainer.model), ad.random.get_state()))

    one.callbacks.append(Noting())
    with pytest.raises(nn.DivergenceError) as caught:
        one.fit(loader(shuffle=True), 2)
    text = str(caught.value)
    for part in ("loss is nan", "step 9", "epoch 2, batch 3", "learning rate 0.25", "clip_norm",
                 "detect_anomaly"):  # fmt: skip
        assert part in text
    assert (caught.value.step, caught.value.epoch) == (9, 2)
    assert_same(weights(model), seen[-1][0])
    assert ad.random.get_state() == seen[-1][1]
    assert all(p.grad is None for p in model.parameters())
    assert len(one.history.losses) == 8
    assert isinstance(caught.value, ad.AnomalyError)


def test_a_gradient_that_is_no_number_stops():
    class Root(nn.Module):
        def __init__(self):
            self.w = nn.Parameter([0.0, 1.0])

        def forward(self, x):
            return ad.sqrt(self.w) * x

    for options in ({}, {"clip_norm": 1.0}, {"clip_value": 1.0}):
        model = Root()
        one = nn.Trainer(model, nn.MSELoss(), nn.SGD(model.parameters(), lr=0.1), **options)
        with pytest.raises(nn.DivergenceError, match="gradient of 'w' has"):
            one.fit([(ad.ones((1, 2)), ad.ones((1, 2)))], 1)
        assert model.w.tolist() == [0.0, 1.0]


def test_a_batch_that_holds_nan_is_named():
    x, y = problem()
    x[3, 1] = np.nan
    with pytest.raises(nn.DivergenceError, match=r"batch itself holds a NaN .* array 0, \(48, 4\)"):
        trainer().fit([(x, y)], 1)


def test_anomaly_detection_names_the_operation():
    with ad.detect_anomaly(), pytest.raises(ad.AnomalyError, match=r"backward of .* made a NaN"):
        trainer(Failing(at=1)).fit(loader(), 1)


def test_parameters_that_are_no_numbers_are_named():
    one = trainer()
    with ad.no_grad():
        one.model[3].bias[0] = math.inf
    with pytest.raises(nn.DivergenceError, match=r"parameter '3\.bias' was not finite before"):
        one.fit(loader(), 1)


class Drawn:
    """Batches in an order that is drawn when an epoch begins, not when it is gone through."""

    def __iter__(self):
        x, y = problem()
        order = ad.random.permutation(6).tolist()
        return iter([(x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]) for i in order])


@pytest.mark.parametrize("make", [lambda: loader(shuffle=True), Drawn])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("oops")])
@pytest.mark.parametrize("at", [1, 6, 7, 9])
def test_an_interrupted_fit_goes_on_as_if_nothing_had_been(at, error, make):
    whole = trainer(Failing(at=None))
    whole.fit(make(), 3)
    one = trainer(Failing(at=at, error=error))
    data = make()
    with pytest.raises(type(error)):
        one.fit(data, 3)
    assert one.step == at - 1
    one.fit(data, 3)
    assert_same(weights(one.model), weights(whole.model))
    assert one.history.losses == whole.history.losses
    assert one.history["loss"] == whole.history["loss"]


class Interrupting(nn.SGD):
    """Is interrupted in the middle of a step."""

    at = 4

    def update(self, *arguments):
        super().update(*arguments)
        self.at -= 1
        if self.at == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """Interrupt on SIGINT as in a terminal: jobs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_the_end_of_an_update(tmp_path):
    model = classifier(dropout=0.5)
    path = tmp_path / "run"
    counted = []

    class Noting:
        def on_step_end(self, trainer):
            counted.append(trainer.step)

    one = nn.Trainer(
        model,
        nn.CrossEntropyLoss(),
        Interrupting(model.parameters(), lr=0.1, momentum=0.9),
        callbacks=[Noting()],
        checkpoint=path,
    )
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        one.fit(loader(shuffle=True), 2)
    assert signal.getsignal(signal.SIGINT) is before
    assert one.step == 1
    assert counted == [1]
    whole = trainer(classifier(dropout=0.5))
    whole.fit(loader(shuffle=True), 2)
    other = trainer(classifier(seed=7, dropout=0.5), checkpoint=path)
    other.fit(loader(shuffle=True), 2, resume=True)
    assert_same(weights(other.model), weights(whole.model))
    one.fit(loader(shuffle=True), 2)
    assert one.step == 12


def test_fit_in_another_thread():
    one = trainer()
    thread = threading.Thread(target=one.fit, args=(loader(), 1))
    thread.start()
    thread.join()
    assert one.epoch == 1


def test_a_checkpoint_without_safetensors_is_refused_at_once(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ad.MissingExtraError, match=r"autodiff\[nn\]"):
        trainer(checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"accumulate": 0}, ad.OptionError, "accumulate is 0"),
        ({"clip_norm": -1.0}, ad.DomainError, "clip_norm is -1.0"),
        ({"clip_value": math.nan}, ad.DomainError, "clip_value is nan"),
        ({"schedule_every": "day"}, ad.OptionError, "schedule_every 'day'"),
        ({"metrics": ["accuracy"]}, ad.OptionError, "metric 'str' is a str"),
        ({"metrics": {"loss": nn.accuracy}}, ad.OptionError, "'loss' is shown anyway"),
        *[
            ({"metrics": {name: nn.accuracy}}, ad.OptionError, f"can't be named {name!r}")
            for name in ("epoch", "step", "lr", "seconds", "val_loss", 3)
        ],
        (
            {"metrics": {"accuracy": nn.accuracy, "val_accuracy": nn.accuracy}},
            ad.OptionError,
            "can't be named 'val_accuracy'",
        ),
        ({"metrics": [nn.accuracy, nn.accuracy]}, ad.OptionError, "only accuracy .* Give a dict"),
        ({"metrics": [lambda *_: 1, lambda *_: 2]}, ad.OptionError, "of 2 metrics only <lambda>"),
        ({"checkpoint": "nowhere/run"}, ad.OptionError, "no folder 'nowhere'"),
        ({"checkpoint": ""}, ad.OptionError, "'.' is a folder"),
        ({"checkpoint": "/"}, ad.OptionError, "'/' is a folder"),
        ({"checkpoint": "a\0b"}, ad.OptionError, r"checkpoint is .a.x00b.\. Give a path"),
        ({"checkpoint_every": 3}, ad.OptionError, "without a checkpoint"),
        ({"checkpoint": "x", "checkpoint_every": 0}, ad.OptionError, "checkpoint_every is 0"),
    ],
)
def test_options_that_make_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        trainer(**options)


def test_a_metric_may_be_named_as_if_it_validated():
    one = trainer(metrics={"val_like": nn.accuracy})
    history = one.fit(loader(), 1, validation=loader())
    assert {"val_like", "val_val_like"} <= set(history.names)


def test_a_batch_may_have_an_empty_array():
    """A graph without edges has nodes."""

    class OfGraphs(nn.Trainer):
        def compute(self, batch):
            output = self.model(batch["x"])
            return self.loss(output, batch["y"]), output, batch["y"]

    model = classifier()
    one = OfGraphs(model, nn.CrossEntropyLoss(), nn.SGD(model.parameters(), lr=0.1))
    x, y = problem(8)
    batch = {"edges": np.zeros((0, 2)), "x": x, "y": y}
    assert one.fit([batch], 1)["loss"][0] == pytest.approx(one.history.losses[0])
    assert math.isfinite(one.evaluate([batch])["loss"])


def test_a_schedule_of_steps_sees_their_gradients():
    model = classifier()
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    class Watching:
        def step(self):
            seen.append(model[0].weight.grad is not None)

    seen, schedule = [], Watching()
    one = nn.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule, schedule_every="step"
    )
    one.fit(loader(), 1)
    assert seen == [True] * 6
    assert model[0].weight.grad is None


def test_parts_in_the_wrong_order():
    model = classifier()
    with pytest.raises(ad.OptionError, match="Give a module, a loss function and an optimiser"):
        nn.Trainer(model, nn.SGD(model.parameters()), nn.CrossEntropyLoss())


class Bare:
    """A schedule, and a callback, with what is needed for a fit and no more."""

    def step(self):
        pass

    def on_epoch_end(self, _):
        pass


class Forgetful(Bare):
    def state_dict(self):
        return {}


def test_parts_without_a_state_are_refused_where_a_checkpoint_needs_it(tmp_path):
    for options, missing in (
        ({"scheduler": Bare()}, "the Bare has no state_dict"),
        ({"scheduler": Forgetful()}, "the Forgetful has no load_state_dict"),
        ({"callbacks": [Forgetful()]}, "the Forgetful has no load_state_dict"),
    ):
        with pytest.raises(ad.OptionError, match=missing):
            trainer(checkpoint=tmp_path / "run", **options)
        one = trainer(**options)
        one.fit(loader(), 1)
        for needing in (one.state_dict, lambda one=one: one.save(tmp_path / "run")):
            with pytest.raises(ad.OptionError, match=missing):
                needing()
    trainer(checkpoint=tmp_path / "run", callbacks=[Bare()]).fit(loader(), 1)


def test_an_optimiser_that_lacks_a_part():
    model = classifier()
    for lacking in (Bare(), SimpleNamespace(step=1, zero_grad=1), SimpleNamespace(param_groups=[])):
        with pytest.raises(ad.OptionError, match="step, zero_grad and param_groups"):
            nn.Trainer(model, nn.CrossEntropyLoss(), lacking)


@pytest.mark.parametrize(
    ("data", "epochs", "message"),
    [
        (nn.TensorDataset(np.zeros((4, 4), np.float32)), 1, r"Give nn.DataLoader\(data"),
        (3, 1, "Give a DataLoader"),
        ([], 1, "no batches in epoch 1"),
        ((batch for batch in [problem()]), 2, "no batches in epoch 2"),
        ([np.zeros((4, 4), np.float32)], 1, r"not \(inputs, targets\)"),
        ([problem()], -1, "epochs is -1"),
    ],
)
def test_data_that_cannot_be_trained_on(data, epochs, message):
    with pytest.raises(ad.OptionError, match=message):
        trainer().fit(data, epochs)


def test_a_loss_that_is_no_scalar():
    model = classifier()
    loss = nn.CrossEntropyLoss(reduction="none")
    with pytest.raises(ad.ShapeError, match=r"the loss is \(48,\) float32, not a scalar"):
        nn.Trainer(model, loss, nn.SGD(model.parameters())).fit([problem()], 1)


def test_a_complex_loss():
    one = trainer()
    one.loss = lambda outputs, _: ad.mean(outputs * 1j)
    with pytest.raises(ad.DTypeError, match=r"the loss is \(\) complex64.*real"):
        one.fit([problem()], 1)


@pytest.mark.parametrize("found", [None, "x", 1j, np.zeros(2), ad.zeros((2, 3)), 10**400, [1]])
def test_a_metric_that_gives_no_number_is_named(found):
    one = trainer(metrics={"odd": lambda *_: found})
    for use in (one.evaluate, lambda data: one.fit(data, 1)):
        with pytest.raises(ad.OptionError, match=r"the metric 'odd' gave .* one real number"):
            use([problem()])
    assert one.step == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_empty_batch_is_named(accumulate, reduction):
    model = classifier()
    loss = nn.CrossEntropyLoss(reduction=reduction)
    one = nn.Trainer(model, loss, nn.SGD(model.parameters(), lr=0.1), accumulate=accumulate)
    whole, empty = problem(8), problem(0)
    with pytest.raises(ad.OptionError, match=r"fit: batch 3 of epoch 1 has no .* \(0, 4\) float32"):
        one.fit([whole, whole, empty, empty], 1)
    assert one.step == 2 // accumulate
    with pytest.raises(ad.OptionError, match=r"evaluate: batch 2 has no examples"):
        one.evaluate([whole, empty])


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_waited_while_another_error_came_is_not_kept_for_the_next_fit():
    class Clumsy:
        at = 2

        def on_step_end(self, trainer):
            if trainer.step == self.at:
                signal.raise_signal(signal.SIGINT)
                raise ZeroDivisionError

    one = trainer(callbacks=[Clumsy()])
    with pytest.raises(KeyboardInterrupt) as caught:
        one.fit(loader(), 1)
    assert isinstance(caught.value.__context__, ZeroDivisionError)
    one.fit(loader(), 1)
    assert one.step == 6


# -- what is shown -------------------------------------------------------------------------------


def test_progress(capsys):
    trainer().fit(loader(), 2)
    assert capsys.readouterr() == ("", "")  # no terminal, no bar
    trainer(metrics=[nn.accuracy], progress=True).fit(loader(), 2, validation=loader(16))
    out, shown = capsys.readouterr()
    assert out == ""
    for part in ("epoch 1: lr 0.1", "val_accuracy", "12/12", "step/s", "accuracy"):
        assert part in shown
    trainer(progress=True).fit((problem(8) for _ in range(3)), 1)
    assert "3step" in capsys.readouterr().err


def test_progress_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    trainer().fit(loader(), 1)
    assert "6/6" in terminal.getvalue()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    trainer().fit(loader(), 1)  # quiet
    with pytest.raises(ad.MissingExtraError, match=r"progress bar.*tqdm.*autodiff\[nn\]"):
        trainer(progress=True).fit(loader(), 1)


def test_history():
    history = trainer(metrics=[nn.accuracy]).fit(loader(), 2, validation=loader(16))
    assert len(history) == 2
    assert history[-1]["epoch"] == 2
    assert [row["step"] for row in history] == [6, 12]
    assert len(repr(history).splitlines()) == 3
    assert "val_accuracy" in repr(history)
    with pytest.raises(ad.OptionError, match=r"no 'f1'. Ask for one of: epoch"):
        history["f1"]
    other = nn.History()
    assert repr(other) == "History of no epoch"
    other.load_state_dict(history.state_dict())
    assert other.rows == history.rows
    assert other.losses == history.losses


def test_a_long_history_is_shortened():
    history = nn.History()
    history.rows += [{"epoch": i} for i in range(100)]
    lines = repr(history).splitlines()
    assert len(lines) == 42
    assert (lines[20].strip(), lines[21], lines[22].strip()) == ("19", "...", "80")


def test_history_plots_itself(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    history = trainer(metrics=[nn.accuracy]).fit(loader(), 2, validation=loader(16))
    axes = history.plot()
    assert [ax.get_title() for ax in axes] == ["loss", "accuracy"]
    assert [len(ax.lines) for ax in axes] == [2, 2]
    np.testing.assert_array_equal(axes[0].lines[1].get_ydata(), history["val_loss"])
    axes[0].figure.canvas.draw()
    assert history.plot(axes=axes)[0] is axes[0]
    with pytest.raises(ad.OptionError, match="1 axes for loss, accuracy"):
        history.plot(axes=axes[:1])
    with pytest.raises(ad.OptionError, match="no epoch yet"):
        nn.History().plot()
    matplotlib.pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ad.MissingExtraError, match=r"autodiff\[plot\]"):
        history.plot()
