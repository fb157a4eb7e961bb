# ruff: noqa: RUF001 - the signs of mathematics are meant
"""The passes as text: against stored expectations, and what holds for all graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw
from tests.draw.test_pictures import mlp_loss, neuron


def expected(name):
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def steady_mlp():
    """Return a loss whose numbers are the same on every machine, recorded."""

    def numbers(*shape, name=None):
        values = (7 * np.arange(np.prod(shape)).reshape(shape) % 5 - 1) / 4
        return ad.tensor(values, requires_grad=name is not None, name=name)

    w1, b1 = numbers(3, 4, name="hidden.weight"), numbers(3, name="hidden.bias")
    w2, b2 = numbers(2, 3, name="out.weight"), numbers(2, name="out.bias")
    images, labels = numbers(5, 4), ad.asarray(np.array([[0], [1], [0], [1], [0]]))
    with ad.record():
        with ad.name_scope("MLP"), ad.name_scope("hidden: Linear"):
            h = ad.relu(images @ w1.mT + b1)
        with ad.name_scope("MLP"), ad.name_scope("out: Linear"):
            scores = h @ w2.mT + b2
        with ad.name_scope("cross_entropy"):
            picked = ad.take_along_axis(ad.log_softmax(scores, axis=1), labels, axis=1)
            loss = -picked.mean()
    return loss, [("digits", images), ("labels", labels)]


def test_a_neuron_is_written_as_it_was():
    assert draw.text(neuron()) + "\n" == expected("expected_neuron.txt")


def test_a_network_is_written_as_it_was():
    loss, names = steady_mlp()
    assert draw.text(loss, names) + "\n" == expected("expected_mlp.txt")


def test_contributions_that_meet_are_added_up():
    x = ad.tensor(3.0, requires_grad=True, name="x")
    with ad.record():
        y = x * x + x
    lines = draw.text(y).splitlines()
    meeting = [line.split() for line in lines if "dx" in line and "×" in line]
    assert [line[line.index("dx") + 1] for line in meeting] == ["=", "+=", "+="]
    assert [line[line.index("sum") + 1] for line in meeting[1:]] == ["4", "7"]
    assert lines[-1] == "  dx = 7"


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("freed", [False, True])
def test_lines_are_at_most_100_characters(recorded, freed):
    model = nn.Sequential({"a_rather_long_name_for_a_layer_" * 2: nn.Linear(4, 300)})

    def compute():
        h = model(ad.ones((5, 4)))
        parts = ad.split(ad.concat([h, h, ad.exp(h)], axis=1), 3, axis=1)
        return (parts[0] @ parts[2].mT)[1:4, ::2].sum() * 1e-30

    if recorded:
        with ad.record():
            loss = compute()
    else:
        loss = compute()
    if freed:
        loss.backward()
    lines = draw.text(loss, model.named_parameters()).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert ("record()" in " ".join(lines)) == (not recorded)
    assert any("‖" in line for line in lines)


def test_what_was_not_kept_is_said():
    loss, names = mlp_loss()
    loss.backward()
    said = draw.text(loss, names[:4])
    assert "values were not kept. Compute them inside `with autodiff.record():`." in said
    assert "its rule reads was freed by a backward pass" in said
    assert "(.grad)" in said


def test_names_that_several_have_are_told_apart():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    said = draw.text(model(ad.ones((1, 2))).sum())
    assert {"0.weight", "0.bias", "1.weight", "1.bias"} <= set(said.split())


def test_names_cannot_break_lines_or_be_mistaken():
    a = ad.tensor(1.0, requires_grad=True, name="two\nlines\x1b[31m")
    b = ad.tensor(2.0, requires_grad=True, name="v1")
    said = draw.text(a * b + 1)
    assert "two�lines�[31m" in said
    assert "\x1b" not in said
    assert said.splitlines()[3].split()[0] == "v2"  # v1 is taken


def test_operations_are_written_as_expressions():
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    with ad.record():
        first, _ = ad.unstack(-x)
        y = ad.clip(first[0:1], None, 3.0).sum(axis=0) + ad.square(x.mT).mean() % 3
    said = [line.split(" = ")[1].strip() for line in draw.text(y).splitlines()[2:11]]
    assert said == [
        "−x", "unstack(v1)", "v2[0]", "v3[0:1]", "clip(v4, 3)", "sum(v5, axis=0)", "xᵀ",
        "v7²", "mean(v8)",
    ]  # fmt: skip


def test_a_leaf_and_an_infinite_gradient():
    assert draw.text(ad.tensor(1.0, requires_grad=True, name="w")).splitlines() == [
        "forward", "  w = 1", "", "gradients", "  dw = 1",
    ]  # fmt: skip
    x = ad.tensor([0.0] * 5, requires_grad=True, name="x")
    with ad.record():
        y = ad.sqrt(x).sum()
    assert "5 inf" in draw.text(y)


@pytest.mark.parametrize("count", [1, 10, 1_000, 10_000])
def test_graphs_of_any_size(count):
    x = ad.tensor(1.0, requires_grad=True, name="x")
    with ad.record():
        y = x
        for _ in range(count):
            y = y * 1.0
    lines = draw.text(y).splitlines()
    assert len(lines) == 2 * count + 7
    assert lines[-1] == "  dx = 1"


def test_names_of_scopes_break_no_line_and_can_be_written():
    x = ad.tensor(2.0, requires_grad=True)
    with ad.record(), ad.name_scope("two\nlines\ud800"):
        y = ad.sin(ad.exp(x))
    written = draw.text(y)
    assert "two\N{REPLACEMENT CHARACTER}lines\N{REPLACEMENT CHARACTER}" in written
    written.encode("utf-8")
    draw.graph(y).source.encode("utf-8")
