"""Descriptions, SVG and DOT of recorded graphs."""

from __future__ import annotations

import runpy
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw

SVG = "{http://www.w3.org/2000/svg}"


def neuron():
    x = ad.tensor(2.0, requires_grad=True, name="x")
    w = ad.tensor(-3.0, requires_grad=True, name="w")
    b = ad.tensor(6.8813735870195432, requires_grad=True, name="b")
    with draw.record():
        y = ad.tanh(x * w + b)
    y.name = "y"
    y.backward()
    return y


def mlp_loss():
    model = nn.MLP([4, 3, 2])
    x, labels = ad.ones((5, 4)), ad.asarray(np.array([0, 1, 0, 1, 0]))
    loss = nn.cross_entropy(model(x), labels)
    return loss, [*model.named_parameters(), ("digits", x), ("labels", labels)]


def texts(svg):
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    found = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    return [
        text.replace("\N{MINUS SIGN}", "-").replace("\N{MULTIPLICATION SIGN}", "x")
        for text in found
    ]


def test_a_recorded_graph_is_described_with_values_and_gradients():
    description = draw.describe_graph(neuron())
    kinds = Counter(vertex.kind for vertex in description.vertices)
    assert kinds == {"leaf": 3, "operation": 3, "result": 2, "output": 1}
    found = {
        v.name: (float(v.value), float(v.gradient.item())) for v in description.vertices if v.name
    }
    assert found["x"] == (2.0, pytest.approx(-1.5, abs=1e-5))
    assert found["w"] == (-3.0, pytest.approx(1.0, abs=1e-5))
    assert found["y"] == (pytest.approx(0.7071, abs=1e-4), 1.0)
    product = next(v for v in description.vertices if v.kind == "result")
    assert (product.operation, float(product.value)) == ("multiply", -6.0)
    assert float(product.gradient) == pytest.approx(0.5, abs=1e-5)


def test_edges_point_forward_and_follow_the_operands():
    description = draw.describe_graph(neuron())
    assert all(edge.source < edge.target for edge in description.edges)
    operands = [edge.operand for edge in description.edges if edge.operand]
    assert operands == ["x1", "x2", "x1", "x2", "x"]
    assert description.vertices[-1].kind == "output"


def test_a_graph_that_was_not_recorded_shows_operations_and_shapes():
    loss, names = mlp_loss()
    description = draw.describe_graph(loss, names)
    assert not any(vertex.kind == "result" for vertex in description.vertices)
    named = {vertex.name: vertex for vertex in description.vertices if vertex.name}
    assert named["0.weight"].shape == (3, 4)
    assert named["0.weight"].scope == ("MLP", "0: Linear")
    assert named["digits"].kind == "constant"
    assert named["digits"].shape == (5, 4)
    assert named["digits"].scope == ()
    assert named["labels"].dtype == "int64"
    names_of = [v.operation for v in description.vertices if v.kind == "operation"]
    assert names_of[:4] == ["matrix_transpose", "matmul", "add", "relu"]


def test_drawing_changes_nothing():
    loss, names = mlp_loss()
    before = repr(loss)
    draw.svg(loss, names)
    draw.graph(loss, names)
    assert repr(loss) == before
    loss.backward()
    assert all(p.grad is not None for _, p in names[:4])


def test_a_freed_graph_still_draws():
    loss, _ = mlp_loss()
    loss.backward()
    assert "constant" in draw.svg(loss)


def test_constants_show_their_shape_where_it_was_kept():
    w = ad.ones((3, 4), requires_grad=True)
    y = ad.concat([np.ones((5, 3)) @ w, np.ones((2, 4))]) + np.ones(4)
    found = [v.shape for v in draw.describe_graph(y).vertices if v.kind == "constant"]
    assert found == [(5, 3), (2, 4), None]  # a sum's rules read nothing of its operands
    with ad.record():
        y = w + np.ones(4, np.float32)
    found = texts(draw.svg(y))
    assert "constant(4,)" in found


def test_data_that_is_used_twice_is_one_box():
    x, w = ad.ones((2, 3)), ad.ones(3, requires_grad=True)
    with ad.record():
        y = x * w + x + np.ones((2, 3))
    description = draw.describe_graph(y)
    constants = [i for i, v in enumerate(description.vertices) if v.kind == "constant"]
    used = [sum(edge.source == i for edge in description.edges) for i in constants]
    assert used == [2, 1]
    assert all(edge.source < edge.target for edge in description.edges)


def test_norms_of_arrays_are_shown_where_all_are_known():
    x, w = ad.ones((2, 3)), ad.ones((3, 3), requires_grad=True)
    labels = ad.asarray(np.array([[0], [1]]))

    def compute():
        return ad.take_along_axis(x @ w, labels, axis=1).sum()

    assert not any("‖value‖" in text for text in texts(draw.svg(compute())))
    with ad.record():
        y = compute()
    assert draw.describe_graph(y).recorded
    found = [text for text in texts(draw.svg(y)) if "‖value‖" in text]
    assert sorted(found) == [
        "‖value‖ 2.449",
        "‖value‖ 3",
    ]  # of data and weight; labels have no norm


def test_rows_of_one_constant_keep_their_own_names():
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
    w = ad.tensor([1.0, 2.0], requires_grad=True)
    first, second = x[0], x[1]
    description = draw.describe_graph(w * first + w * second, {"first": first, "second": second})
    names = [vertex.name for vertex in description.vertices if vertex.kind == "constant"]
    assert names == ["first", "second"]


def test_names_given_to_intermediate_results_get_a_box():
    x = ad.ones(3, requires_grad=True)
    h = ad.exp(x)
    h.name = "hidden"
    kinds = [v.kind for v in draw.describe_graph(h.sum()).vertices]
    assert kinds == ["leaf", "operation", "result", "operation", "output"]
    assert "hidden(3,)" in texts(draw.svg(h.sum()))


def test_several_results_are_drawn():
    parts = ad.unstack(ad.ones((2, 3), requires_grad=True))
    operations = [v.operation for v in draw.describe_graph(parts[0] + parts[1]).vertices]
    assert operations.count("output") == 2


@pytest.mark.parametrize("recorded", [False, True])
def test_variadic_operations_are_drawn(recorded):
    x = ad.tensor([1.0, 1.0], requires_grad=True, name="x")
    if recorded:
        with ad.record():
            y = ad.stack([x, ad.zeros(2), x])
    else:
        y = ad.stack([x, ad.zeros(2), x])
    description = draw.describe_graph(y)
    assert [edge.operand for edge in description.edges[:3]] == [
        "arrays[0]",
        "arrays[1]",
        "arrays[2]",
    ]
    assert [vertex.kind for vertex in description.vertices].count("constant") == 1


def test_optional_operands_that_were_left_out_are_not_drawn():
    x = ad.ones(2, requires_grad=True)
    kinds = [vertex.kind for vertex in draw.describe_graph(ad.clip(x, None, 3.0)).vertices]
    assert kinds.count("constant") <= 1


def test_weights_that_several_layers_use_lie_outside_of_each():
    layer = nn.Linear(2, 2)
    model = nn.Sequential({"a": nn.Sequential(layer), "b": nn.Sequential(layer)})
    vertices = draw.describe_graph(model(ad.ones((1, 2)))).vertices
    assert {v.scope for v in vertices if v.name == "weight"} == {("Sequential",)}


def test_wide_and_long_names_have_room():
    name = "encoder.layers.3.self_attn.out_proj.weight"
    y = ad.exp(ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name=name))
    y.name = "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 5
    found = texts(draw.svg(y))
    assert found[0] == "encoder.layers.3…out_proj.weight(2, 2)"
    assert name in draw.svg(y)  # as a tooltip
    with ad.detect_anomaly():
        z = ad.where(ad.asarray(True), ad.exp(y), 0.0)
    assert "test_pictures.py" in draw.svg(z.sum())


def test_repeated_operands_are_two_edges():
    x = ad.tensor(3.0, requires_grad=True)
    description = draw.describe_graph(x * x)
    assert [(edge.source, edge.target) for edge in description.edges] == [(0, 1), (0, 1), (1, 2)]


def test_a_leaf_is_a_graph_of_one_box():
    description = draw.describe_graph(ad.tensor([1.0], requires_grad=True, name="w"))
    assert [vertex.kind for vertex in description.vertices] == ["output"]
    assert "w" in draw.svg(ad.tensor([1.0], requires_grad=True, name="w"))


def test_svg_says_everything_once():
    found = texts(draw.svg(neuron()))
    assert found == [
        "x", "value 2", "gradient -1.5", "w", "value -3", "gradient 1",
        "b", "value 6.881", "gradient 0.5", "x", "value -6", "gradient 0.5",
        "+", "value 0.8814", "gradient 0.5", "tanh", "y", "value 0.7071", "gradient 1",
    ]  # fmt: skip


def test_svg_frames_scopes_and_shows_shapes():
    loss, names = mlp_loss()
    loss.backward(retain_graph=True)
    found = texts(draw.svg(loss, names))
    assert {"MLP", "0: Linear", "2: Linear", "cross_entropy"} <= set(found)
    assert "0.weight(3, 4)" in found
    assert any(text.startswith("‖gradient‖ ") for text in found)


def test_scopes_beside_one_another_have_their_frames():
    class Attention(nn.Module):
        def __init__(self):
            self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            scores = self.query(x) @ self.key(x).mT / 2.0
            return ad.softmax(scores, axis=-1) @ self.value(x)

    found = texts(draw.svg(Attention()(ad.ones((3, 4), requires_grad=True))))
    assert {"query: Linear", "key: Linear", "value: Linear"} <= set(found)


def test_svg_is_the_same_every_time():
    loss, names = mlp_loss()
    assert draw.svg(loss, names) == draw.svg(loss, names)


HOSTILE = "<script>alert(1)</script>&\"'\\n\x00\x1b"


def test_names_are_escaped_in_svg():
    w = ad.tensor(1.0, requires_grad=True, name=HOSTILE[:30])
    with ad.name_scope(HOSTILE):
        y = ad.exp(w) + ad.exp(w)
    svg = draw.svg(y)
    assert "<script" not in svg
    root = ET.fromstring(svg)  # noqa: S314
    assert any("<script>alert(1)</script>" in "".join(e.itertext()) for e in root.iter())


def test_names_are_escaped_in_dot():
    w = ad.tensor(1.0, requires_grad=True, name="<b>bold</b>")
    source = draw.graph(ad.exp(w)).source
    assert 'label="<b>bold</b>' in source
    v = ad.tensor(1.0, requires_grad=True, name='C:\\new "quoted"')
    assert r"C:\\new \"quoted\"" in draw.graph(ad.exp(v)).source


def test_dot_is_the_text_that_it_was():
    x = ad.tensor([1.0, 2.0], requires_grad=True, name="x")
    with ad.name_scope("layer"):
        y = ad.tanh(x * 2).sum()
    expected = Path(__file__).with_name("expected.dot").read_text(encoding="utf-8")
    assert draw.graph(y).source == expected


def test_a_graph_shows_itself_without_dot():
    y = neuron()
    graph = draw.graph(y, direction="LR")
    assert "rankdir=LR" in graph.source
    assert graph._repr_mimebundle_() == {"image/svg+xml": draw.svg(y, direction="LR")}


def test_a_graph_saves_itself_without_dot(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    graph = draw.graph(neuron())
    path = graph.save("y.svg", tmp_path / "new")
    assert Path(path).read_text(encoding="utf-8") == draw.svg(neuron())
    assert Path(graph.save(tmp_path / "y.gv")).read_text(encoding="utf-8") == graph.source
    monkeypatch.chdir(tmp_path)
    assert Path(graph.save()).exists()
    rendered = graph.render("z", tmp_path / "other", format="svg", cleanup=True)
    assert Path(rendered).read_text(encoding="utf-8") == draw.svg(neuron())
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["z.svg"]
    graph.render(outfile=tmp_path / "out.svg")
    assert (tmp_path / "out.svg").exists()
    assert graph.pipe(format="svg", encoding="utf-8") == draw.svg(neuron())
    assert graph.pipe(format="svg") == draw.svg(neuron()).encode()
    with pytest.raises(ad.OptionError, match=r"as PDF needs .* 'dot', which is not installed"):
        graph.render()
    with pytest.raises(ad.OptionError, match=r"as PNG needs .* give format='svg'"):
        graph.pipe("png")


def test_dot_is_run_where_it_is(tmp_path, monkeypatch):
    program = tmp_path / "dot"  # gives back what it is given
    program.write_text("#!/bin/sh\n[ $# = 2 ] && exec cat\nexec cp y y.svg\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    graph = draw.graph(neuron())
    assert graph.pipe(format="svg", encoding="utf-8") == graph.source
    path = graph.render("y", tmp_path / "new", format="svg")
    assert Path(path).read_text(encoding="utf-8") == graph.source


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")
def test_dot_renders_where_it_is(tmp_path):
    path = draw.graph(neuron(), depth=0).render("y", tmp_path, format="svg")
    assert Path(path).read_text(encoding="utf-8").count("<ellipse") >= 2
    assert draw.graph(neuron()).pipe(format="svg").startswith(b"<?xml")


def test_what_is_written_can_be_chosen():
    y = neuron()
    loss, names = mlp_loss()
    loss.backward()
    for draw_it in (draw.svg, lambda *args, **kwargs: draw.graph(*args, **kwargs).source):
        assert "value" not in draw_it(y, values=False)
        assert "gradient" in draw_it(y, values=False)
        assert "gradient" not in draw_it(y, gradients=False).replace("gradient]", "")
        assert "(3, 4)" in draw_it(loss, names)
        plain = (
            texts(draw_it(loss, names, shapes=False))
            if draw_it is draw.svg
            else [draw_it(loss, names, shapes=False)]
        )
        assert not any("(3, 4)" in text for text in plain)


def test_from_left_to_right_is_the_same_text_elsewhere():
    y = neuron()
    across, down = draw.svg(y, direction="LR"), draw.svg(y)
    assert sorted(texts(across)) == sorted(texts(down))
    width, height = (float(ET.fromstring(across).get(side)) for side in ("width", "height"))  # noqa: S314
    assert width > 2 * height
    loss, names = mlp_loss()
    found = texts(draw.svg(loss, names, direction="LR"))
    assert {"MLP", "0: Linear", "2: Linear", "cross_entropy"} <= set(found)


def test_save_writes_svg_and_dot(tmp_path):
    y = neuron()
    path = draw.save(y, tmp_path / "new" / "y.svg")
    assert path.read_text(encoding="utf-8") == draw.svg(y)
    assert draw.save(y, str(tmp_path / "y.dot")).read_text().startswith("digraph")
    with pytest.raises(ad.OptionError, match="ends in no known format"):
        draw.save(y, tmp_path / "y.png")


def test_the_readmes_picture_is_made_by_a_command(tmp_path):
    docs = Path(__file__).parent.parent.parent / "docs"
    runpy.run_path(str(docs / "pictures.py"))["neuron"](tmp_path)
    made = (tmp_path / "neuron.svg").read_text(encoding="utf-8")
    assert made == (docs / "neuron.svg").read_text(encoding="utf-8")


def test_without_a_browser_the_explorers_picture_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    docs = Path(__file__).parent.parent.parent / "docs"
    with pytest.raises(SystemExit, match="apt-get install chromium"):
        runpy.run_path(str(docs / "pictures.py"))["explorer"](tmp_path)


def test_bad_input():
    with pytest.raises(ad.DTypeError, match="a float has no graph"):
        draw.svg(3.0)
    with pytest.raises(ad.GraphError, match=r"was recorded for the tensor \(\) float32"):
        draw.svg(ad.tensor(3.0))
    with pytest.raises(ad.OptionError, match="pairs of both"):
        draw.svg(neuron(), ["x"])
    with pytest.raises(ad.OptionError, match="direction 'up'"):
        draw.graph(neuron(), direction="up")


def test_records_are_copies():
    x = ad.tensor([1.0], requires_grad=True, name="x")
    with draw.record():
        y = (x * 3).sum()
    with ad.no_grad():
        x += 100
    values = {v.operation: v.value for v in draw.describe_graph(y).vertices}
    assert values["leaf"].tolist() == [1.0]
    assert values["multiply"].tolist() == [3.0]


@pytest.mark.parametrize("count", [1, 10, 1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_graphs_of_any_size_are_drawn(count):
    x = ad.tensor(1.0, requires_grad=True, name="x")
    y = x
    for i in range(count):
        y = ad.sin(y) if i % 3 else ad.cos(y)
    assert draw.svg(y).count('<g class="operation') == count
    assert draw.graph(y).source.count("->") == count + 1


@pytest.mark.slow
def test_deep_graphs():
    x = ad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3_000):
        y = y + x
    description = draw.describe_graph(y)
    assert len(description.vertices) == 3_002
    assert draw.svg(y).count("<rect") > 3_000


def test_calls_that_do_not_fit_are_typed_errors(tmp_path):
    y = neuron()
    for call in (draw.text, draw.graph, draw.svg, draw.explore):
        with pytest.raises(ad.OptionError, match=f"{call.__name__}.. got an unexpected keyword"):
            call(y, colour="red")
        with pytest.raises(ad.OptionError, match="pairs of both"):
            call(y, names=3)
    for file in (None, 3):
        with pytest.raises(ad.DTypeError, match="is no file's name"):
            draw.save(y, file)
        with pytest.raises(ad.DTypeError, match="is no file's name"):
            draw.explore(y).save(file)
    with pytest.raises(ad.OptionError, match=r"this writes text. Give .svg or .gv, or call render"):
        draw.graph(y).save(tmp_path / "y.png")
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_their_squares_are_shown_without_a_warning():
    x = ad.tensor(np.full((2, 2), 1e308), requires_grad=True, name="x")
    with np.errstate(all="ignore"), draw.record():
        y = (x * 1e300).sum() + x.sum()
    assert "inf" in draw.text(y)
    found = draw.statistics(x)
    assert found.mean == pytest.approx(1e308)
    for each in (y, (x * 1e-8).sum()):
        draw.svg(each)
        draw.explore(each, gradcheck=True)


def test_a_model_under_checkpoint_is_drawn():
    """What the model's parameters are gathered by has several results, and no value of its own."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    with draw.record():
        loss = ad.checkpoint(model, ad.ones((5, 4))).sum()
    names = dict(model.named_parameters())
    assert "checkpoint" in draw.text(loss, names)
    assert "checkpoint" in draw.svg(loss, names)
    page = draw.explore(loss, names=names, gradcheck=True)
    assert "wrong" not in [found and found[0] for found in page.data["check"]["boxes"]]
