"""The explorer's data: what the page is given is what the engine computed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import draw
from autodiff.draw.explorer.arrays import show
from autodiff.draw.explorer.groups import group_operations
from autodiff.errors import DTypeError, GraphError, OptionError
from tests.draw.graphs import neuron, perceptron, recurrence, transformer, translation

FILES = Path(draw.__file__).parent / "explorer"


def embedded(html):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text[1])


def boxes(data, op):
    return [box for box in data["boxes"] if box["op"] == op]


def named(data, name):
    return next(box for box in data["boxes"] if box["name"] == name)


def problems(page, kind):
    return [problem for problem in page.data["problems"] if problem["kind"] == kind]


def test_one_file_holds_everything(tmp_path):
    page = draw.explore(neuron(), tmp_path / "new" / "neuron.html")
    assert page.path == tmp_path / "new" / "neuron.html"
    html = page.path.read_text(encoding="utf-8")
    assert html == page.html
    assert html.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)\s*=|@import|url\((?!#)""", html.split("<script>")[0])
    assert embedded(html) == json.loads(json.dumps(page.data))


def test_values_and_gradients_are_the_engines():
    y = neuron()
    data = draw.explore(y).data
    y.backward()
    for name in ("x", "w", "b"):
        leaf = next(v for v in draw.describe_graph(y).vertices if v.name == name)
        assert named(data, name)["gradient"]["v"] == pytest.approx(float(leaf.gradient), rel=1e-6)
    assert named(data, "y")["value"]["v"] == pytest.approx(float(y), rel=1e-6)
    assert boxes(data, "tanh")[0]["gradient"]["v"] == 2.0


def test_it_changes_nothing():
    y = neuron()
    draw.explore(y)
    leaf = next(v for v in draw.describe_graph(y).vertices if v.name == "w")
    assert leaf.gradient is None
    y.backward()


def test_every_operation_is_a_step_and_contributions_meet():
    data = draw.explore(neuron()).data
    assert [data["boxes"][i]["op"] for i in data["forward"]] == [
        "multiply",
        "add",
        "tanh",
        "multiply",
    ]
    assert [data["boxes"][s["box"]]["op"] for s in data["backward"]] == [
        "multiply", "tanh", "add", "multiply",
    ]  # fmt: skip
    to_x = [c for s in data["backward"] for c in s["to"] if data["boxes"][c[0]]["name"] == "x"]
    assert [c[6:] for c in to_x] == [[1, 2], [2, 2]]
    up, local, value = data["backward"][0]["up"], to_x[0][3], to_x[0][4]
    assert value == pytest.approx(up * local)
    assert to_x[1][5] == pytest.approx(to_x[0][4] + to_x[1][4])


def test_rules_have_the_actual_shapes():
    loss, names = perceptron()
    data = draw.explore(loss, names=names).data
    assert "dX = dY @ Wᵀ : (5,3)@(3,6) → (5,6)" in data["rules"]


def test_modules_are_groups_with_their_parameters():
    loss, names = perceptron()
    data = draw.explore(loss, names=names).data
    names_of = [group["name"] for group in data["groups"]]
    assert names_of == ["MLP", "0: Linear", "2: Linear", "cross_entropy"]
    assert data["groups"][0]["parameters"] == 8 * 6 + 6 + 6 * 3 + 3
    weight = named(data, "0.weight")
    assert data["groups"][weight["group"]]["name"] == "0: Linear"
    assert named(data, "digits")["group"] == -1
    assert boxes(data, "relu")[0]["line"][1] > 0


def test_scopes_that_are_entered_again_are_groups_of_their_own():
    first, again, inner = ("a",), tuple(["a"]), ("a", "b")  # noqa: C409 - not the same tuple
    groups, group_of = group_operations([first, inner, first, again, (), again])
    assert [group.name for group in groups] == ["a", "b", "a", "a"]
    assert group_of == [0, 1, 0, 2, -1, 3]


def test_time_steps_are_a_series_with_falling_gradients():
    data = draw.explore(recurrence()).data
    (series,) = data["series"]
    assert (series["name"], len(series["groups"])) == ("step", 8)
    arriving = [data["groups"][i]["arriving"] for i in series["groups"]]
    assert arriving[-1] > 10 * arriving[0] > 0


def test_time_steps_without_scopes_are_found():
    layer = nn.LSTM(3, 4)
    with ad.record():
        out, _ = layer(ad.ones((6, 2, 3)))
        loss = (out[-1] ** 2).sum()
    data = draw.explore(loss, names=layer.named_parameters()).data
    (series,) = data["series"]
    names = [data["groups"][i]["name"] for i in series["groups"]]
    assert names == [f"step {t}" for t in range(6)]
    weight = named(data, "weight_hh_l0")
    assert data["groups"][weight["group"]]["name"] == "LSTM"
    assert data["missing"] is None  # an operation with several results lacks nothing


def test_modules_that_are_called_again_are_numbered():
    layer = nn.Linear(3, 3)
    with ad.record():
        loss = layer(layer(ad.ones((2, 3)))).sum()
    data = draw.explore(loss).data
    assert [group["name"] for group in data["groups"]] == ["Linear [0]", "Linear [1]"]


def test_groups_come_before_those_inside_of_them():
    """Steps that are found get groups after the modules that they hold."""
    data = draw.explore(translation()[0]).data
    assert {"step 0", "step 1"} <= {group["name"] for group in data["groups"]}
    assert all(group["parent"] < i for i, group in enumerate(data["groups"]))
    assert any(group["name"] == "attention: BahdanauAttention" for group in data["groups"])


def test_runs_are_named_after_what_repeats():
    loss, names = transformer(layers=3)
    assert [run["name"] for run in draw.explore(loss, names=names).data["series"]] == ["Block"]


def test_scopes_without_a_name_have_one():
    x = ad.tensor(1.0, requires_grad=True)
    with ad.record(), ad.name_scope(""):
        y = ad.sin(ad.exp(x))
    assert [group["name"] for group in draw.explore(y).data["groups"]] == ["(no name)"]


def test_names_are_escaped_wherever_they_stand():
    nasty = "</script><script>alert(1)</script><!--{{data}}\u2028\ud800"
    x = ad.tensor([1.0, 2.0], requires_grad=True, name=nasty)
    with ad.record(), ad.name_scope(nasty):
        y = (x * x).sum()
    html = draw.explore(y, title=nasty).html
    assert html.count("<script") == 2
    assert html.count("</script>") == 2
    assert "&lt;script&gt;alert(1)" in html
    html.encode("utf-8")
    assert named(embedded(html), nasty)["kind"] == "leaf"


def test_what_was_not_recorded_is_said():
    loss, names = perceptron(record=False)
    data = draw.explore(loss, names=names).data
    assert data["missing"]["values"] > 0
    assert data["missing"]["steps"] == 0  # the rules still have what they read
    loss.backward()
    data = draw.explore(loss, names=names).data
    assert data["missing"]["steps"] > 0
    assert "autodiff.record()" in data["missing"]["why"]
    assert draw.explore(neuron()).data["missing"] is None


def test_a_nan_is_traced_to_where_it_began():
    x = ad.tensor([1.0, -1.0], requires_grad=True, name="x")
    with ad.record(), np.errstate(all="ignore"):
        loss = (ad.log(x) * 2 + 1).sum()
    page = draw.explore(loss)
    forward, *rest = problems(page, "nonfinite")
    assert page.data["boxes"][forward["began"]]["op"] == "log"
    path = [page.data["boxes"][i]["op"] for i in forward["path"]]
    assert path == ["log", "multiply", "add", "sum"]
    assert forward["title"] == "NaN in the forward pass"
    assert not rest


def test_an_infinite_gradient_is_traced_to_its_rule():
    x = ad.tensor(0.0, requires_grad=True, name="x")
    with ad.record():
        loss = ad.sqrt(x) * 3
    (problem,) = problems(draw.explore(loss), "nonfinite")
    assert "infinity in the backward pass" in problem["title"]
    assert "sqrt" in problem["text"]


def test_vanishing_and_exploding_gradients_are_found():
    for factor, kind in ((1e-3, "vanishing"), (1e3, "exploding")):
        x = ad.tensor(np.ones(3), requires_grad=True, name="x")
        with ad.record():
            y = x
            for _ in range(6):
                y = y * factor
            loss = y.sum()
        assert problems(draw.explore(loss), kind), kind
    assert not draw.explore(recurrence()).data["problems"]


def test_problems_say_in_which_module_they_are():
    model = nn.MLP([4] * 14 + [1], activation="sigmoid")
    with ad.record():
        loss = model(ad.ones((3, 4))).mean()
    (problem,) = problems(draw.explore(loss), "vanishing")
    assert problem["text"].startswith("The gradient of the weights of 0")
    assert "hardly learn" in problem["text"]
    with ad.record():
        dead = ad.relu(nn.Linear(3, 2)(-ad.ones((4, 3))) - 100.0).sum()
    assert "of relu for all 4" in problems(draw.explore(dead), "dead")[0]["text"]


def test_what_cancels_by_its_nature_has_not_vanished():
    """A bias before a batch norm gets nothing but rounding, and so do layers before a norm."""
    rng = np.random.default_rng(0)
    images = ad.tensor(rng.normal(size=(4, 3, 8, 8)).astype("float32"))
    labels = ad.tensor(rng.integers(0, 3, size=4))
    blocks = [
        layer
        for channels in (3, 4, 4, 4, 4)
        for layer in (nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    ]
    for layers in (blocks[:3], blocks):
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 3))
        with ad.record():
            loss = nn.cross_entropy(model(images), labels)
        page = draw.explore(loss)
        bias = next(box for box in page.data["boxes"] if box.get("path") == "0.bias")
        assert bias["gradient"]["s"][3] < 1e-5
        assert not problems(page, "vanishing")
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16))
    with ad.record():
        loss = (encoder(ad.tensor(rng.normal(size=(2, 5, 16)).astype("float32"))) ** 2).mean()
    assert not problems(draw.explore(loss), "vanishing")


def test_parameters_have_their_modules_paths():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    with ad.record():
        loss = nn.TransformerEncoder(layer, 2)(ad.ones((1, 3, 8))).sum()
    paths = {box.get("path", box["name"]) for box in draw.explore(loss).data["boxes"]}
    assert {"layers.1.linear1.weight", "layers.0.self_attn.in_proj_bias"} <= paths
    with ad.record():
        loss = nn.MLP([2, 3, 1])(ad.ones((4, 2))).sum()
    boxes = draw.explore(loss).data["boxes"]
    found = {box["path"] for box in boxes if box["kind"] == "leaf"}
    assert found == {"0.weight", "0.bias", "2.weight", "2.bias"}
    x = ad.tensor(np.ones((4, 2)), requires_grad=True)
    with ad.record():
        loss = nn.MLP([2, 3, 1])(x).sum()
    boxes = draw.explore(loss, names={"x": x}).data["boxes"]
    assert not any(box["name"] == "x" and "path" in box for box in boxes)


def test_dead_units_and_parameters_without_gradient_are_found():
    x = ad.tensor(np.ones((4, 2)), requires_grad=True, name="x")
    w = ad.tensor([[1.0, -1.0], [1.0, -1.0]], requires_grad=True, name="w")
    unused = ad.tensor([1.0], requires_grad=True)
    with ad.record():
        loss = (ad.relu(x @ w) * ad.zeros((4, 2))).sum()
    page = draw.explore(loss, names={"unused": unused})
    (dead,) = problems(page, "dead")
    assert dead["title"] == "1 dead unit"
    outside, zero = problems(page, "unreached")
    assert "unused (1,)" in outside["text"]
    assert "(w)" in zero["text"]


def test_gradcheck_finds_the_wrong_rule():
    @ad.primitive
    def wrong_square(xp, x, /):
        return x * x

    @wrong_square.vjp
    def _(xp, g, x):
        return g * x  # should be 2 x

    x = ad.tensor([1.0, 2.0], requires_grad=True)
    with ad.record():
        loss = ad.exp(wrong_square(x)).sum()
    data = draw.explore(loss, gradcheck=True).data
    verdicts = {
        box["op"]: verdict[0]
        for box, verdict in zip(data["boxes"], data["check"]["boxes"], strict=True)
        if verdict
    }
    assert verdicts == {"wrong_square": "wrong", "exp": "right", "sum": "right"}
    loss, names = perceptron(record=False)
    data = draw.explore(loss, names=names, gradcheck=True).data
    assert {verdict[0] for verdict in data["check"]["boxes"] if verdict} == {"unchecked"}


def test_gradcheck_agrees_with_every_rule_of_a_transformer():
    loss, names = transformer()
    data = draw.explore(loss, names=names, gradcheck=True).data
    assert {verdict[0] for verdict in data["check"]["boxes"] if verdict} == {"right"}


def test_a_comparison_marks_what_differs():
    def graph(b, extra):
        x = ad.tensor([1.0, 2.0], requires_grad=True, name="x")
        with ad.record(), ad.name_scope("layer"):
            y = ad.tanh(x * 2) + b
            return (ad.exp(y) if extra else y).sum()

    same = draw.explore(graph(1.0, False), graph(1.0, False)).data
    assert {box["difference"][0] for box in same["boxes"]} == {"same"}
    data = draw.explore(graph(1.0, False), graph(1.5, True)).data
    marks = {box["op"]: box["difference"][0] for box in data["boxes"] if box["kind"] == "operation"}
    assert marks["add"] == "differs"
    assert marks["exp"] == "second"
    assert marks["sum"] == "differs"
    assert boxes(data, "exp")[0]["group"] == boxes(data, "add")[0]["group"]
    data = draw.explore(graph(1.0, True), graph(1.0, False)).data
    assert boxes(data, "exp")[0]["difference"][0] == "first"


def test_large_arrays_are_cut_and_it_is_said():
    shown = show(np.arange(100.0 * 40).reshape(100, 40), 32)
    assert shown.sample.shape == (25, 20)
    assert shown.cut == "every 4th row, every 2nd column"
    assert shown.statistics.maximum == 3999.0
    assert show(np.zeros((3, 5, 7)), 32).cut == "[0] of (3, 5, 7)"
    x = ad.tensor(np.ones((100, 40)), requires_grad=True)
    with ad.record():
        loss = (x * 2).sum()
    assert draw.explore(loss).data["cut"]["arrays"] == 4


def test_odd_arrays_can_be_shown():
    for array in (np.zeros((0, 3)), np.array([np.nan, np.inf]), np.array([1 + 2j]), np.array(True)):
        json.dumps(show(array, 8).encode(), allow_nan=False)
    json.dumps(show(np.array([-1e308, 1e308] * 50), 8).encode(), allow_nan=False)


def test_other_graphs_draw_too():
    x = ad.tensor([[3.0, 1.0], [1.0, 2.0]], requires_grad=True)
    with ad.record():
        values, vectors = ad.linalg.eigh(x)
        loss = values.sum() + vectors[0, 0]
    assert draw.explore(loss).data["backward"]
    assert draw.explore(x).data["forward"] == []
    real = ad.tensor([1.0, 2.0], requires_grad=True)
    with ad.record():
        z = real + 1j
        loss = ad.abs(z * z).sum()
    assert draw.explore(loss).html


def test_arguments_are_checked(tmp_path):
    y = neuron()
    with pytest.raises(DTypeError, match="int is neither a tensor nor a file"):
        draw.explore(y, 3)
    with pytest.raises(OptionError, match=r"ends in \.html"):
        draw.explore(y, tmp_path / "page.pdf")
    with pytest.raises(OptionError, match="two tensors and one file at most"):
        draw.explore(y, y, y)
    with pytest.raises(GraphError, match="no operation was recorded"):
        draw.explore(ad.ones(3))


def test_it_shows_itself_in_a_notebook():
    shown = draw.explore(neuron())._repr_html_()
    assert shown.startswith("<iframe")
    assert "srcdoc=&quot;" not in shown
    assert shown.count('"') == shown.count('="') * 2


@pytest.mark.parametrize("file", sorted(FILES.glob("*.*s")), ids=lambda file: file.name)
def test_scripts_are_small_and_plain(file):
    """Short files and lines, and nothing that parses text; the rest is the linter's."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 420
    assert max(map(len, lines)) <= 118
    assert text.endswith("\n")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|https?://(?!www\.w3\.org)",
        text,
    )
    if file.suffix == ".js":
        assert "\t" not in text
        assert not re.search(r"\bvar\s|[^=!]==[^=]|console\.", text)


def test_the_pages_files_agree_on_their_names():
    """What is styled exists, what is looked up exists, and no colour is missing or idle."""
    style = (FILES / "explorer.css").read_text(encoding="utf-8")
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    html = (FILES / "explorer.html").read_text(encoding="utf-8")
    script = "".join(file.read_text(encoding="utf-8") for file in sorted(FILES.glob("*.js")))
    selectors = re.sub(r"\{[^{}]*\}", "{}", style)
    for name in set(re.findall(r"[.#]([a-z][\w-]*)", selectors)):
        assert re.search(rf"\b{name}\b", html + script), f"{name} is styled, and nowhere made"
    identifiers = re.findall(r'id="([\w-]+)"', html)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'byId\("([\w-]+)"\)', script)) <= set(identifiers)
    defined = set(re.findall(r"(--[a-z-]+)(?=:)", style + script))
    defined |= set(re.findall(r'"(--[a-z-]+)"', script))
    assert set(re.findall(r"var\((--[a-z-]+)", style)) <= defined
    assert set(re.findall(r"(--[a-z-]+)(?=:)", style)) <= set(
        re.findall(r"var\((--[a-z-]+)", style)
    )


def test_each_array_is_summarised_once(monkeypatch):
    """Of many results, each total has all that have arrived: together their square."""
    calls = []

    def counted(array, side):
        calls.append(array)
        return show(array, side)

    monkeypatch.setattr("autodiff.draw.explorer.data.show", counted)
    x = ad.tensor(np.arange(100.0), requires_grad=True)
    draw.explore(ad.stack([part * 2 for part in ad.unstack(x)]).sum())
    assert len(calls) < 1_000
