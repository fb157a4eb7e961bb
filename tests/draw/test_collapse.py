"""Scopes drawn as one box, and equal boxes in a row as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw
from autodiff.draw.collapse import collapse
from autodiff.draw.description import Description, Edge, Vertex, _settle_leaves
from autodiff.draw.folding import fold
from tests.draw.test_pictures import texts


class Block(nn.Module):
    def __init__(self):
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(ad.gelu(self.up(x)))


class Stack(nn.Module):
    def __init__(self, count=12):
        self.embed = nn.Linear(4, 8)
        self.blocks = nn.Sequential(*[Block() for _ in range(count)])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.blocks(self.embed(x)))


class Steps(nn.Module):
    """A recurrent network whose steps are scopes."""

    def __init__(self, count=8):
        self.count = count
        self.x, self.h = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, xs):
        h = ad.zeros((2, 4))
        for t in range(self.count):
            with ad.name_scope(f"step {t}"):
                h = ad.tanh(self.x(xs[:, t]) + self.h(h))
        return h


def deep(count=12):
    return Stack(count)(ad.ones((5, 4))).sum()


def kinds(description):
    return [(v.name, v.count) for v in description.vertices if v.kind == "module"]


def check(whole, small):
    """Every edge points forward, and every vertex and edge is somewhere."""
    assert all(edge.source < edge.target for edge in small.edges)
    assert [e.target for e in small.edges] == sorted(e.target for e in small.edges)
    kept = {id(vertex): place for place, vertex in enumerate(small.vertices)}
    inside = {i: p for p, vertex in enumerate(small.vertices) for i in vertex.members}
    place = [inside.get(i, kept.get(id(vertex))) for i, vertex in enumerate(whole.vertices)]
    assert None not in place
    between = {(place[e.source], place[e.target]) for e in whole.edges}
    between = {(s, t) for s, t in between if s != t}
    assert {(e.source, e.target) for e in small.edges} == between


def test_equal_blocks_in_a_row_are_one_box():
    whole = draw.describe_graph(deep())
    small = collapse(whole, 2)
    check(whole, small)
    assert kinds(small) == [("0…11: Block", 12)]
    found = texts(draw.svg(deep(), depth=2))
    assert "0…11: Block(5, 8) x12" in found
    assert f"parameters {12 * (8 * 16 + 16 + 16 * 8 + 8):,}" in found
    assert "embed: Linear" in found  # open, as a frame


def test_collapsed_dot_is_the_text_that_it_was():
    expected = Path(__file__).with_name("expected_collapsed.dot").read_text(encoding="utf-8")
    assert draw.graph(deep(), depth=2, direction="LR", values=False).source == expected


def test_each_depth_opens_one_level_more():
    whole = draw.describe_graph(deep())
    assert kinds(collapse(whole, 0)) == [("Stack", 1)]
    names = [("embed: Linear", 1), ("blocks: Sequential", 1), ("head: Linear", 1)]
    assert kinds(collapse(whole, 1)) == names
    assert len(kinds(collapse(whole, 3))) == 24
    assert collapse(whole, 4) is whole
    assert collapse(whole, None) is whole
    for depth in range(4):
        check(whole, collapse(whole, depth))


def test_steps_of_a_recurrent_network_are_one_box():
    with ad.record():
        loss = Steps()(ad.ones((2, 8, 3))).sum()
    small = collapse(draw.describe_graph(loss), 1)
    assert kinds(small) == [("step 0…7", 8)]
    leaves = [v.name for v in small.vertices if v.kind == "leaf"]
    assert sorted(leaves) == ["bias", "bias", "weight", "weight"]  # used by all steps: outside


def test_blocks_that_differ_stay_apart():
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(3)], *[nn.Linear(4, 5)])
    small = collapse(draw.describe_graph(model(ad.ones((2, 4)))), 1)
    assert kinds(small) == [("0…2: Linear", 3), ("3: Linear", 1)]
    two = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    assert [n for _, n in kinds(collapse(draw.describe_graph(two(ad.ones((2, 4)))), 1))] == [1, 1]


def test_blocks_whose_results_are_used_elsewhere_stay_apart():
    layers = nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)])
    h, total = ad.ones((2, 4)), 0.0
    for i, layer in enumerate(layers.children()):
        h = layer(h)
        if i == 2:
            total = ad.exp(h)
    whole = draw.describe_graph((h + total).sum())
    check(whole, collapse(whole, 0))
    assert max(v.count for v in collapse(whole, 0).vertices) <= 3


def test_a_scope_that_is_entered_again_is_two_boxes():
    layer = nn.Linear(3, 3)
    x = ad.ones((2, 3), requires_grad=True)
    whole = draw.describe_graph(ad.exp(layer(ad.exp(layer(x)))))
    small = collapse(whole, 0)
    check(whole, small)
    assert [name for name, _ in kinds(small)] == ["Linear", "Linear"]


def test_large_graphs_are_closed_without_being_asked_to():
    loss = deep(60)
    assert len(draw.describe_graph(loss).vertices) > 200
    assert "0…59: Block" in draw.svg(loss)
    assert "0…59: Block" not in draw.svg(loss, depth=99)


def edges_of(description):
    """Edges between what stands there: names, or operations."""
    words = [v.name or v.operation for v in description.vertices]
    return [(words[e.source], words[e.target], e.operand) for e in description.edges]


def test_equal_open_blocks_in_a_row_are_drawn_once():
    loss = deep(60)
    loss.backward()
    found = texts(draw.svg(loss))
    assert "0…59: Block x60" in found
    assert found.count("gelu(5, 16)") == 1  # and open all the same
    small = collapse(draw.describe_graph(loss), 3)
    assert {"0…59: Block \N{MULTIPLICATION SIGN}60"} == {
        v.scope[2] for v in small.vertices if len(v.scope) > 2
    }
    assert kinds(small) == [("up: Linear", 1), ("down: Linear", 1)]
    assert all(e.source < e.target for e in small.edges)
    assert [e.target for e in small.edges] == sorted(e.target for e in small.edges)
    assert "\N{MULTIPLICATION SIGN}60" in draw.graph(loss, depth=3).source
    assert draw.svg(loss, depth=99).count("gelu") > 60  # all of them, where that is asked for


def test_one_block_stands_for_all_with_the_norm_of_their_gradients():
    model = Stack(60)
    loss = model(ad.ones((5, 4))).sum()
    loss.backward()
    small = collapse(draw.describe_graph(loss, model.named_parameters()), None)
    weight = next(v for v in small.vertices if v.name == "blocks.0…59.up.weight")
    norm = np.linalg.norm([block.up.weight.grad for block in model.blocks])
    np.testing.assert_allclose(weight.gradient, [norm], rtol=1e-5)
    assert not [v for v in small.vertices if len(v.scope) > 2 and v.value is not None]


def test_steps_of_a_long_recurrence_are_drawn_once():
    with ad.record():
        loss = Steps(40)(ad.ones((2, 40, 3))).sum()
    found = texts(draw.svg(loss))
    assert any(text.endswith((" x40", " x39")) for text in found), found
    assert sum(text.startswith("tanh") for text in found) in (1, 2)  # the first is fed otherwise


def test_blocks_that_are_joined_differently_are_all_drawn():
    h = ad.tensor(np.ones((2, 2)), requires_grad=True, name="x")
    for i in range(80):
        with ad.name_scope(f"block {i}"):
            a = ad.exp(h)
            h = ad.sin(a) * (a if i % 2 else h)
    whole = draw.describe_graph(h)
    blocks = [[] for _ in range(80)]
    for i, vertex in enumerate(whole.vertices):
        if vertex.scope:
            blocks[int(vertex.scope[0].split()[1])].append(i)
    assert fold(whole, 0, [blocks]).vertices == whole.vertices


@pytest.mark.parametrize("seed", range(30))
def test_folded_random_graphs_point_forward_and_have_all_operands(seed, monkeypatch):
    monkeypatch.setattr("autodiff.draw.collapse.MOST_BOXES", 10)
    rng = np.random.default_rng(seed)
    steps = [int(step) for step in rng.integers(0, 4, 3)]
    hs = [ad.tensor(np.ones(2), requires_grad=True, name="x")]
    shared = ad.exp(hs[0])
    for i in range(12):
        with ad.name_scope(f"block {i}"):
            y = hs[-1]
            for step in steps:
                if step == 0:
                    y = y * shared
                elif step == 1:
                    with ad.name_scope("inner"):
                        y = ad.sin(y) + y
                elif step == 2:
                    y = y + ad.tensor(np.ones(2), requires_grad=True, name=f"w.{i}")
                else:
                    y = ad.tanh(y) * 2
            hs.append(y)
    loss = (sum(hs[3:]) if rng.random() < 0.3 else hs[-1]).sum()
    for depth in (None, 1):
        small = collapse(draw.describe_graph(loss), depth)
        assert all(e.source < e.target for e in small.edges)
        assert small.vertices[-1].kind == "output"
        for i, vertex in enumerate(small.vertices):
            into = [edge.operand for edge in small.edges_into(i)]
            if vertex.kind == "operation" and depth is None:
                assert len(set(into)) == {"sum": 1, "tanh": 1, "sin": 1, "exp": 1}.get(
                    vertex.operation, 2
                )


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_keep_their_edges(seed):
    rng = np.random.default_rng(seed)
    names = [(), ("a",), ("a", "b"), ("a", "c"), ("d",), ("d", "b", "e")]
    description = Description()
    for i in range(int(rng.integers(1, 60))):
        kind = "leaf" if rng.random() < 0.3 else "operation"
        description.add(Vertex(kind, "f", f"v{i}", (), "float32", names[rng.integers(6)]))
        if kind == "operation":
            for source in sorted(set(rng.integers(0, i, 2).tolist())) if i else ():
                description.edges.append(Edge(source, i))
    _settle_leaves(description)
    for depth in range(4):
        check(description, collapse(description, depth))


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3])
def test_every_depth_and_direction_is_drawn(direction, depth):
    options = {"direction": direction, "depth": depth}
    assert draw.svg(deep(), **options).count("<g class=") >= 3
    assert f"rankdir={direction}" in draw.graph(deep(), **options).source


def test_bad_depths_are_refused():
    for depth in (-1, 1.5, "2", True):
        with pytest.raises(ad.OptionError, match=r"is no number of levels. Give 0, 1, 2"):
            draw.svg(deep(), depth=depth)
