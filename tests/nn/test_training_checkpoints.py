"""Checkpoints: a run that was killed goes on byte for byte, however it was built."""

import copy
import math
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import autodiff as ad
import nn
from tests.nn.test_training import assert_same, classifier, plain, problem, weights

pytest.importorskip("safetensors")


class Drawing:
    """A dataset that draws from every shared source of random numbers."""

    def __init__(self):
        self.x, self.y = problem()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        noise = random.random() + np.random.random() + ad.random.random().item()  # noqa: NPY002, S311
        return self.x[i] + np.float32(noise), self.y[i]


def lists():
    x, y = problem()
    return [(x[i : i + 8], y[i : i + 8]) for i in range(0, 48, 8)]


class Drawn:
    """Batches in an order that is drawn from the shared generator, with no position of theirs."""

    def __iter__(self):
        batches = lists()
        for i in ad.random.permutation(len(batches)).tolist():
            yield batches[i]


def bucketed():
    sampler = nn.BucketBatchSampler(list(range(48)), 8, pool=2)
    return nn.DataLoader(nn.TensorDataset(*problem()), batch_sampler=sampler)


def shuffled(**options):
    return nn.DataLoader(nn.TensorDataset(*problem()), 8, True, seed=4, **options)


DATA = {
    "shuffled": shuffled,
    "prefetched": lambda: shuffled(prefetch=3),
    "bucketed": bucketed,
    "a list": lists,
    "drawn order": Drawn,
    "drawn examples": lambda: nn.DataLoader(Drawing(), 8, shuffle=True),
}


def build(path, *, seed=0, optimizer="sgd", scheduler="cycle", every=1, own=False, **options):
    ad.random.seed(seed)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )
    if own:
        model[3].generator = np.random.default_rng(seed)
    make = {
        "sgd": lambda p: nn.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
        "adamw": lambda p: nn.optim.AdamW(p, lr=0.01),
        "rmsprop": lambda p: nn.optim.RMSprop(p, lr=0.01, momentum=0.5),
    }
    steps = make[optimizer](model.parameters())
    schedules = {
        "cycle": lambda: nn.optim.OneCycleLR(steps, 0.2, total_steps=40),
        "cosine": lambda: nn.optim.CosineAnnealingWarmRestarts(steps, 2),
        "plateau": lambda: nn.optim.ReduceLROnPlateau(steps, factor=0.5, patience=0),
    }
    options["scheduler"] = schedules[scheduler]()
    options["schedule_every"] = "step" if scheduler == "cycle" else "epoch"
    return nn.Trainer(
        model,
        nn.CrossEntropyLoss(),
        steps,
        metrics=[nn.accuracy],
        callbacks=[nn.EarlyStopping("loss", 3)],
        checkpoint=path,
        checkpoint_every=every,
        **options,
    )


class Kill(BaseException):
    pass


class Killer:
    """Ends the run after some steps as a kill would: nothing of it is tidied up or saved."""

    def __init__(self, at):
        self.at = at

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            raise Kill


def without_seconds(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]


def assert_same_run(one, other):
    assert_same(weights(one.model), weights(other.model))
    assert without_seconds(one.history) == without_seconds(other.history)
    assert one.history.losses == other.history.losses
    assert (one.epoch, one.step) == (other.epoch, other.step)


def seed_everything():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "adamw", "scheduler": "cosine", "every": 4, "own": True},
        {
            "optimizer": "rmsprop",
            "scheduler": "plateau",
            "accumulate": 2,
            "every": 2,
            "clip_norm": 1.0,
        },
    ],
)
def test_a_run_that_was_killed_goes_on_byte_for_byte(data, options, tmp_path):
    seed_everything()
    whole = build(tmp_path / "whole", **options)
    whole.fit(DATA[data](), 4, validation=lists())
    each = whole.step // 4
    for at in (1, each, each + 1, 2 * each - 1, 4 * each):
        path = tmp_path / str(at)
        seed_everything()
        one = build(path, **options)
        one.callbacks.append(Killer(at))
        with pytest.raises(Kill):
            one.fit(DATA[data](), 4, validation=lists(), resume=True)
        if path.exists():
            seed = 9  # it must not matter
        else:
            seed_everything()
            seed = 0
        other = build(path, seed=seed, **options)
        other.fit(DATA[data](), 4, validation=lists(), resume=True)
        assert_same_run(other, whole)


class Stopper(list):
    """Validation batches that end the run, as a kill would, after some epochs."""

    def __iter__(self):
        if not self:
            raise Kill
        return iter([self.pop()])


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("accumulate", [3, 4, 7])  # of 6 batches: the last step is short, but for 3
def test_an_epoch_whose_last_step_is_short_is_not_repeated(data, accumulate, tmp_path):
    seed_everything()
    whole = build(tmp_path / "whole", accumulate=accumulate)
    whole.fit(DATA[data](), 3)
    seed_everything()
    one = build(tmp_path / "run", accumulate=accumulate)
    with pytest.raises(Kill):
        one.fit(DATA[data](), 3, validation=Stopper(lists()[:1]))
    resumed = build(tmp_path / "run", seed=9, accumulate=accumulate)
    resumed.fit(DATA[data](), 3, resume=True)
    assert resumed.step == whole.step
    assert_same(weights(resumed.model), weights(whole.model))
    assert resumed.history.losses == whole.history.losses


def test_the_finished_run_is_not_run_again_but_can_be_prolonged(tmp_path):
    one = build(tmp_path / "run")
    one.fit(shuffled(), 3)
    again = build(tmp_path / "run", seed=5)
    again.fit(shuffled(), 3, resume=True)
    assert again.step == one.step
    assert_same_run(again, one)
    longer = build(tmp_path / "run", seed=5)
    longer.fit(shuffled(), 5, resume=True)
    whole = build(tmp_path / "whole")
    whole.fit(shuffled(), 5)
    assert_same_run(longer, whole)


def test_an_early_stop_is_remembered(tmp_path):
    def stopping():
        one = build(tmp_path / "run", every=None)
        one.callbacks[:] = [nn.EarlyStopping("epoch", 2)]  # which only grows
        return one

    first, second = stopping(), stopping()
    first.fit(shuffled(), 9)
    second.fit(shuffled(), 9, resume=True)
    assert len(first.history) == 3
    assert_same_run(second, first)
    assert second.callbacks[0].best_epoch == 1
    second.fit(shuffled(), 9)  # begins anew, from there
    assert len(second.history) == 6


def test_resuming_without_a_checkpoint():
    model = classifier()
    one = nn.Trainer(model, nn.CrossEntropyLoss(), nn.SGD(model.parameters()))
    with pytest.raises(ad.OptionError, match="no checkpoint"):
        one.fit(lists(), 1, resume=True)
    with pytest.raises(ad.OptionError, match="where to"):
        one.save()


def snapshot(one):
    state = one.optimizer.state_dict()
    momenta = [s["momentum_buffer"].numpy().copy() for s in state["state"].values()]
    return weights(one.model), momenta, one.step, ad.random.get_state()


@pytest.mark.parametrize("wrong", ["weights", "model", "optimizer", "schedule", "cut"])
def test_a_checkpoint_that_does_not_fit_changes_nothing(wrong, tmp_path):
    path = tmp_path / "run"
    build(path).fit(shuffled(), 2)
    ours = build(tmp_path / "ours", seed=3)
    ours.fit(shuffled(), 1)
    before = snapshot(ours)
    state = nn.load(path)
    if wrong == "weights":
        nn.save(ours.model, path)
        error, message = nn.FileFormatError, "no trainer's checkpoint. For weights alone"
    elif wrong == "model":
        state["model"]["0.weight"] = np.zeros((8, 5))
        error, message = nn.module.StateDictError, r"misshapen.*0.weight"
    elif wrong == "optimizer":
        state["optimizer"]["param_groups"][0]["params"].pop()
        error, message = ad.OptionError, "the saved groups"
    elif wrong == "schedule":
        state["scheduler"] = None
        error, message = ad.OptionError, "had no schedule"
    else:
        path.write_bytes(path.read_bytes()[:-9])
        error, message = nn.FileFormatError, "no whole safetensors file"
    if wrong not in ("weights", "cut"):
        nn.save(state, path)
    with pytest.raises(error, match=f"(?s){message}"):
        ours.load(path)
    after = snapshot(ours)
    assert_same(before[0], after[0])
    for a, b in zip(before[1], after[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert before[2:] == after[2:]


def test_a_state_that_would_not_be_loaded_again_is_given_back_all_the_same(tmp_path):
    """The user's own is broken, as after a divergence; the one to load does not fit."""
    ours, other = build(tmp_path / "ours"), build(tmp_path / "other", scheduler="cosine")
    ours.fit(shuffled(), 1)
    other.fit(shuffled(), 2)
    momenta = [state["momentum_buffer"] for state in ours.optimizer.state.values()]
    for momentum in momenta:
        momentum[...] = math.nan
    before = snapshot(ours), [dict(group) for group in ours.optimizer.param_groups]
    with pytest.raises(ad.OptionError, match="OneCycleLR: the saved state has no"):
        ours.load_state_dict(other.state_dict())
    assert_same(before[0][0], weights(ours.model))
    assert ours.step == before[0][2]
    assert [dict(group) for group in ours.optimizer.param_groups] == before[1]
    kept = [state["momentum_buffer"] for state in ours.optimizer.state.values()]
    assert all(a is b for a, b in zip(kept, momenta, strict=True))


def own_generators(kind):
    """A trainer in the middle of an epoch whose dropout has a generator of its own."""
    model = classifier(dropout=0.3)
    model[2].generator = np.random.Generator(kind(5))
    one = nn.Trainer(model, nn.CrossEntropyLoss(), nn.SGD(model.parameters(), lr=0.1))
    one.callbacks.append(Killer(2))
    with pytest.raises(Kill):
        one.fit(lists(), 1)
    return one


def drawn(one):
    """What every generator gives next; they all are where they were after it."""
    state = one.state_dict()
    generator = one.model[2].generator
    found = random.random(), np.random.random(), ad.random.random().item(), generator.random()  # noqa: NPY002, S311
    one.load_state_dict(state)
    return found


MT, PHILOX = np.random.MT19937, np.random.Philox


@pytest.mark.parametrize("where", ["random", "epoch_random"])
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        *[(MT, ("numpy", "state", "pos"), value) for value in (10**9, 625, -1, "1", 0.5, None)],
        *[(MT, ("numpy", "state", "key"), value) for value in (np.zeros(9, np.uint32), [0], "k")],
        (MT, ("numpy", "state", "key"), np.zeros(624)),
        (MT, ("numpy", "gauss"), "x"),
        (MT, ("layers", "2.generator", "state", "pos"), 10**9),
        (MT, ("layers", "2.generator"), {}),
        (MT, ("layers", "2.generator", "bit_generator"), "PCG64"),
        (MT, ("layers",), None),
        (PHILOX, ("layers", "2.generator", "buffer_pos"), -(10**6)),
        (PHILOX, ("layers", "2.generator", "state", "counter"), np.zeros(1, np.uint64)),
        (np.random.PCG64, ("layers", "2.generator", "state", "inc"), -1),
        (np.random.SFC64, ("layers", "2.generator", "uinteger"), "x"),
        (MT, ("python",), None),
        (MT, ("python",), [3, [1, 2], None]),
        (MT, ("python", 2), "x"),
        (MT, ("autodiff",), {}),
        (MT, ("autodiff", "state", "state"), 10**99),
    ],
)
def test_random_states_that_make_no_sense(where, kind, path, value, tmp_path):
    one = own_generators(kind)
    before = drawn(one)
    state = copy.deepcopy(one.state_dict())
    entry = state["random"] if where == "random" else state["position"]["epoch_random"]
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    nn.save(state, tmp_path / "hostile")
    with pytest.raises(nn.FileFormatError, match="state of the random generators makes no sense"):
        one.load(tmp_path / "hostile")
    assert drawn(one) == before


class Counting:
    """A callback that remembers something, and trusts what it is given."""

    count = 0

    def on_step_end(self, _):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *[((name,), None) for name in ("random", "history", "callbacks", "position")],
        *[((name,), 3) for name in ("model", "optimizer", "scheduler")],
        (("history",), {}),
        (("history", "rows"), [3]),
        (("history", "rows"), [{1: 2}]),
        (("history", "losses"), ["x"]),
        (("history", "losses"), np.zeros((2, 2))),
        *[(("position", name), "x") for name in ("epoch", "step", "batch", "first", "seconds")],
        *[(("position", name), -1) for name in ("epoch", "step", "batch", "first", "stopped")],
        (("position", "epoch"), True),
        (("position", "epoch"), 10**400),
        (("position", "step"), 1.5),
        *[(("position", "means"), value) for value in (3, {"loss": "x"}, {"loss": [1.0]})],
        *[(("position", "means", "loss"), value) for value in (["x", 1.0], [10**400, 1])],
        (("position", "epoch_random"), 3),
        (("callbacks", "EarlyStopping 1"), {}),
        (("callbacks", "EarlyStopping 1"), None),
        (("callbacks", "EarlyStopping 1", "best"), "x"),
        (("callbacks", "EarlyStopping 1", "waited"), None),
        (("callbacks", "EarlyStopping 1", "best_epoch"), 0.5),
        (("callbacks", "EarlyStopping 1", "weights"), [1]),
        (("callbacks", "EarlyStopping 1", "weights"), {"0.weight": "x"}),
        (("callbacks", "Counting 1"), {}),
        (("callbacks", "Counting 1"), 5),
    ],
)
def test_a_state_that_makes_no_sense_changes_nothing(path, value):
    one = build(None, every=None)
    one.callbacks += [Counting(), Killer(8)]
    with pytest.raises(Kill):
        one.fit(lists(), 3)
    state = one.state_dict()
    entry = hostile = copy.deepcopy(state)
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    for part in (one.model, one.optimizer, one.history, one.callbacks[-2]):
        disturb(part)
    before = plain(one.state_dict())
    with pytest.raises(ad.AutodiffError):
        one.load_state_dict(hostile)
    assert plain(one.state_dict()) == before
    one.load_state_dict(state)
    assert plain(one.state_dict()) == plain(state)


def disturb(part):
    """Make a part another than the saved one, so that loading it would be seen."""
    if isinstance(part, nn.Module):
        with ad.no_grad():
            part[0].bias += 1
    elif isinstance(part, nn.History):
        part.losses.append(0.0)
    elif isinstance(part, Counting):
        part.count = 99
    else:
        part.param_groups[0]["lr"] *= 2


def test_a_part_that_cannot_take_its_state_is_named():
    one = build(None, every=None)
    one.callbacks.append(Counting())
    state = one.state_dict()
    state["callbacks"]["Counting 1"] = {}
    message = "state of the Counting makes no sense .there is no 'count'"
    with pytest.raises(nn.FileFormatError, match=message):
        one.load_state_dict(state)


@pytest.mark.parametrize("state", [None, 3, {}, {"format": "autodiff trainer 1"}, {"format": 1}])
def test_what_is_no_state_of_a_trainer(state):
    one = build(None, every=None)
    with pytest.raises(nn.FileFormatError, match="Trainer: "):
        one.load_state_dict(state)


@pytest.mark.parametrize("part", [nn.History, nn.EarlyStopping])
def test_parts_that_load_what_makes_no_sense(part):
    one = part()
    state = one.state_dict()
    for name in state:
        hostile = {**state, name: object()}
        with pytest.raises(nn.FileFormatError, match=f"{part.__name__}: the saved '{name}' is"):
            one.load_state_dict(hostile)
        del hostile[name]
        with pytest.raises(nn.FileFormatError, match=f"{part.__name__}: .* has no '{name}'"):
            one.load_state_dict(hostile)
    with pytest.raises(nn.FileFormatError, match="a list is no saved state"):
        one.load_state_dict([])
    assert plain(one.state_dict()) == plain(state)


def test_options_that_a_saved_run_had_are_not_left_behind():
    saved = build(None, every=None).state_dict()  # whose schedule noted an "initial_lr"
    model = build(None, every=None).model
    optimizer = nn.SGD(model.parameters(), lr=0.3)
    ours = nn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ad.OptionError, match="had a schedule"):
        ours.load_state_dict(saved)
    assert optimizer.param_groups == before


def test_a_position_in_other_data_is_refused(tmp_path):
    one = build(tmp_path / "run")
    one.callbacks.append(Killer(3))
    with pytest.raises(Kill):
        one.fit(shuffled(), 2)
    other = build(tmp_path / "run")
    smaller = nn.DataLoader(nn.TensorDataset(*problem(40)), 8, True, seed=4)
    with pytest.raises(ad.OptionError, match=r"'examples': 48.*'examples': 40"):
        other.fit(smaller, 2, resume=True)


RUN = """
import sys
import numpy as np
import autodiff as ad
import nn

rng = np.random.default_rng(0)
x = rng.normal(size=(96, 6)).astype(np.float32)
y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
ad.random.seed(0)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
optimizer = nn.SGD(model.parameters(), lr=0.05, momentum=0.9)

class Paced(nn.Callback):  # a step for each line, until there are no more: then as fast as it goes
    def on_step_end(self, trainer):
        print("step", flush=True)
        sys.stdin.readline()

schedule = nn.optim.OneCycleLR(optimizer, 0.1, total_steps=150)
trainer = nn.Trainer(
    model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule, schedule_every="step",
    checkpoint=sys.argv[1], checkpoint_every=3, accumulate=2,
    callbacks=[nn.EarlyStopping("val_loss", 100), nn.CSVLog(sys.argv[1] + ".csv"), Paced()],
)
data = nn.DataLoader(nn.TensorDataset(x, y), 8, shuffle=True, seed=1, prefetch=int(sys.argv[2]))
print("ready", flush=True)
trainer.fit(data, 25, validation=[(x, y)], resume=True)
nn.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, sys.argv[1] + ".end")
"""


@pytest.mark.slow
@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_killed_at_random_moments_ends_with_the_same_bytes(how, prefetch, tmp_path):
    def start(name):
        command = [sys.executable, "-c", RUN, tmp_path / name, str(prefetch)]
        pipe, silent = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=silent, text=True)

    def end(process):
        process.communicate()
        return process.returncode

    assert end(start("whole")) == 0
    rng = np.random.default_rng(prefetch)
    for _ in range(5):
        process = start("killed")
        steps = int(rng.integers(1, 15))
        process.stdin.write("\n" * (steps + 5))
        process.stdin.flush()
        for _ in range(1 + steps):
            assert process.stdout.readline()
        time.sleep(rng.random() / 100)
        process.send_signal(how)
        assert end(process) != 0
    assert end(start("killed")) == 0
    assert (tmp_path / "killed.end").read_bytes() == (tmp_path / "whole.end").read_bytes()
    rows = [
        [line.rpartition(",")[0] for line in (tmp_path / f"{name}.csv").read_text().splitlines()]
        for name in ("killed", "whole")
    ]
    assert rows[0] == rows[1]
