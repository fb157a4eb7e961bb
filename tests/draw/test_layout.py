"""Layouts of random and of large graphs: nothing overlaps, everything flows downward."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw
from autodiff.draw.collapse import collapse
from autodiff.draw.geometry import ACROSS, DOWN
from autodiff.draw.layout import arrange
from autodiff.draw.svg import lay_out
from tests.draw.test_collapse import Steps, deep

SLACK = 1e-6


def random_graph(seed, count, scopes=False):
    rng = np.random.default_rng(seed)
    sizes = [
        (float(rng.choice([30, 60, 140])), float(rng.choice([30, 43, 58]))) for _ in range(count)
    ]
    edges = []
    for target in range(1, count):
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            near = rng.random() < 0.8
            edges.append((int(rng.integers(max(0, target - 6) if near else 0, target)), target))
    names = [("a",), ("a", "b"), ("a", "c"), ("d",), ()]
    paths = [names[rng.integers(len(names))] if scopes else () for _ in range(count)]
    return sizes, edges, paths


GRAPHS = [
    (*random_graph(seed, 5 + 6 * seed, scopes), lambda _: 0.0, frame)
    for seed in range(12)
    for scopes, frame in ((False, DOWN), (True, DOWN), (True, ACROSS))
]


def str_of(graph):
    direction = "across" if graph[-1] == ACROSS else "down"
    return f"{len(graph[0])} vertices, {len(set(graph[2]))} scopes, {direction}"


def overlapping(a, b):
    return (
        a.left < b.right - SLACK
        and b.left < a.right - SLACK
        and a.top < b.bottom - SLACK
        and b.top < a.bottom - SLACK
    )


@pytest.mark.parametrize("graph", GRAPHS, ids=str_of)
def test_boxes_do_not_overlap_and_lie_inside(graph):
    layout = arrange(*graph)
    boxes = [place for place in layout.places if not place.dummy]
    assert len(boxes) == len(graph[0])
    for a, b in combinations(boxes, 2):
        assert not overlapping(a, b)
    for box in boxes:
        assert box.left >= -SLACK
        assert box.top >= -SLACK
        assert box.right <= layout.width + SLACK
        assert box.bottom <= layout.height + SLACK


@pytest.mark.parametrize("graph", GRAPHS, ids=str_of)
def test_every_edge_points_downward(graph):
    layout = arrange(*graph)
    for source, target in graph[1]:
        assert layout.places[source].bottom < layout.places[target].top
    for segment in layout.segments:
        assert segment.y1 <= segment.leave + SLACK
        assert segment.leave < segment.enter <= segment.y2 + SLACK


@pytest.mark.parametrize("graph", GRAPHS, ids=str_of)
def test_every_edge_arrives(graph):
    layout = arrange(*graph)
    below = {}
    for segment in layout.segments:
        below.setdefault(segment.source, set()).add(segment.target)

    def reached(vertex):
        found, waiting = set(), [vertex]
        while waiting:
            for target in below.get(waiting.pop(), ()):
                if layout.places[target].dummy:
                    waiting.append(target)
                else:
                    found.add(target)
        return found

    for vertex in range(len(graph[0])):
        assert reached(vertex) == {target for source, target in graph[1] if source == vertex}


@pytest.mark.parametrize("graph", GRAPHS, ids=str_of)
def test_no_edge_crosses_a_foreign_box(graph):
    layout = arrange(*graph)
    boxes = [(i, place) for i, place in enumerate(layout.places) if not place.dummy]
    for segment in layout.segments:
        own = {segment.source, segment.target}
        heights = [segment.y1 + (segment.y2 - segment.y1) * k / 40 for k in range(41)]
        points = [(segment.at(y), y) for y in heights]
        for i, box in boxes:
            if i not in own:
                assert not any(
                    box.left < x < box.right and box.top < y < box.bottom for x, y in points
                )


@pytest.mark.parametrize("graph", GRAPHS, ids=str_of)
def test_frames_hold_their_members_and_no_others(graph):
    layout = arrange(*graph)
    for cluster in layout.clusters:
        for place, scope in zip(layout.places, graph[2], strict=False):
            inside = (
                cluster.left <= place.left
                and place.right <= cluster.right
                and cluster.top <= place.top
                and place.bottom <= cluster.bottom
            )
            assert inside == (scope[: len(cluster.scope)] == cluster.scope)


def models():
    """Return descriptions of graphs as they are drawn: recurrent, residual, with attention."""
    model, data = Steps(), ad.ones((2, 8, 3))
    with ad.record():
        yield "recurrent", draw.describe_graph(model(data).sum(), model.named_parameters())
    yield "residual", draw.describe_graph(deep(4))
    yield "collapsed", collapse(draw.describe_graph(deep(6)), 3)
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    yield "attention", draw.describe_graph(layer(ad.ones((3, 2, 8))).sum())


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("graph", list(models()), ids=lambda graph: graph[0])
def test_models_are_laid_out_without_overlaps(graph, direction):
    _, description = graph
    layout = lay_out(description, direction=direction)
    boxes = [place for place in layout.places if not place.dummy]
    assert len(boxes) == len(description.vertices)
    assert not any(overlapping(a, b) for a, b in combinations(boxes, 2))
    for source, target, _ in description.edges:
        assert layout.places[source].bottom < layout.places[target].top
    for segment in layout.segments:
        heights = np.linspace(segment.y1, segment.y2, 25)
        points = [(segment.at(y), y) for y in heights]
        for i, box in enumerate(boxes):
            if i not in (segment.source, segment.target):
                assert not any(
                    box.left < x < box.right and box.top < y < box.bottom for x, y in points
                )


def test_layouts_are_deterministic():
    graph = random_graph(3, 60, scopes=True)
    assert arrange(*graph) == arrange(*graph)


def test_a_chain_is_a_straight_line_and_its_side_inputs_lie_beside():
    # 0 -> 2 -> 4 -> 6, each with a leaf: 1, 3, 5
    edges = [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6), (5, 6)]
    layout = arrange([(40, 30)] * 7, edges, [()] * 7)
    assert layout.places[2].x == layout.places[4].x == layout.places[6].x
    assert layout.places[1].rank == layout.places[0].rank == 0
    assert layout.places[5].rank == layout.places[4].rank


def test_scopes_that_follow_one_another_get_frames_below_one_another():
    scopes = [(), ("a",), ("a",), ("b",), ("b",), ()]
    edges = [(0, 2), (1, 2), (2, 4), (3, 4), (4, 5)]
    layout = arrange([(40, 30)] * 6, edges, scopes)
    first, second = layout.clusters
    assert (first.scope, second.scope) == (("a",), ("b",))
    assert first.bottom < second.top
    assert layout.places[0].bottom < first.top


def test_scopes_that_flow_into_one_another_are_still_laid_out():
    scopes = [("a",), ("b",), ("a",), ("b",)]
    layout = arrange([(40, 30)] * 4, [(0, 1), (1, 2), (2, 3)], scopes)
    assert [place.rank for place in layout.places] == [0, 1, 2, 3]


def test_long_edges_of_one_source_share_a_trunk():
    edges = [(i, i + 1) for i in range(5)] + [(0, 4), (0, 5)]
    layout = arrange([(40, 30)] * 6, edges, [()] * 6)
    assert sum(place.dummy for place in layout.places) == 4


def test_nothing_and_one_vertex():
    assert arrange([], [], []).segments == []
    assert arrange([(40, 30)], [], [()]).width == 40


@pytest.mark.slow
@pytest.mark.parametrize("count", [1_000, 10_000])
def test_large_graphs(count):
    sizes, edges, scopes = random_graph(0, count)
    near = [(source, target) for source, target in edges if target - source < 10]
    layout = arrange(sizes, near, scopes)
    assert len(layout.places) >= count
