"""The explorer in a real browser: Chromium, if there is one."""

# ruff: noqa: RUF001 - the page writes real minus and multiplication signs
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
from autodiff import draw
from tests.draw.graphs import neuron, perceptron, recurrence, transformer, translation

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the explorer's browser tests need `pip install playwright`"
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser: install Chromium (Debian: apt-get install chromium)"
)

# Samples every edge along its way, and asks which boxes that it does not belong to it crosses.
CROSSINGS = """() => {
  const found = [];
  const boxes = [...document.querySelectorAll(".card")].map((card) => {
    const at = card.transform.baseVal.consolidate().matrix;
    const face = card.querySelector(".face");
    return {id: card.id, x: at.e, y: at.f, w: +face.getAttribute("width"),
      h: +face.getAttribute("height")};
  });
  const inside = (p, b) => p.x > b.x + 1 && p.x < b.x + b.w - 1 &&
    p.y > b.y + 1 && p.y < b.y + b.h - 1;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    if (a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h) {
      found.push(`${a.id} overlaps ${b.id}`);
    }
  }));
  for (const path of document.querySelectorAll(".edge")) {
    const length = path.getTotalLength();
    const [first, last] = [path.getPointAtLength(0), path.getPointAtLength(length)];
    if (last.x <= first.x && last.y <= first.y) found.push("an edge runs backward");
    for (let at = 0; at <= length; at += 8) {
      const p = path.getPointAtLength(at);
      for (const box of boxes) if (inside(p, box)) found.push(`an edge crosses ${box.id}`);
    }
  }
  return found;
}"""


# Declarations and selectors that mean nothing; those for other browsers are left out.
UNKNOWN_TO_CSS = """(style) => {
  const found = [];
  const plain = style.replace(/\\/\\*[^]*?\\*\\//g, "").replace(/@page[^}]*}/g, "");
  for (const [, selectors, body] of plain.matchAll(/([^{};]+){([^{}]*)}/g)) {
    if (!selectors.includes("-moz-") && !CSS.supports(`selector(${selectors.trim()})`) &&
        selectors.split(/,(?![^(]*\\))/).some((one) => !CSS.supports(`selector(${one.trim()})`))) {
      found.push(selectors.trim());
    }
    for (const line of body.split(";").map((one) => one.trim()).filter(Boolean)) {
      const [name, ...value] = line.split(":");
      if (!CSS.supports(name.trim(), value.join(":").replace("!important", "").trim())) {
        found.push(line);
      }
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        # No sandbox: containers that run tests as root have none.
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Return a function that opens a page; nothing may be logged or fetched meanwhile."""
    noise, opened = [], []

    def open_page(exploration, **options):
        file = exploration.save(tmp_path / "page.html")
        context = browser.new_context(viewport={"width": 1440, "height": 860}, **options)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                noise.append(request.url)
                if not request.url.startswith(("file:", "data:"))
                else None
            ),
        )
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in opened:
        context.close()
    assert noise == []


@pytest.fixture(scope="module")
def explored():
    loss, names = perceptron()
    return draw.explore(loss, names=names, title="two layers")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def step_of(page):
    return int(page.input_value("#slider"))


def test_stepping_to_the_end_and_back(visit):
    page = visit(draw.explore(neuron()))
    last = int(page.get_attribute("#slider", "max"))
    assert last == 4 + 4 + 1  # forward, backward, and one sum
    sentences = []
    for _ in range(last):
        press(page, "ArrowRight")
        sentences.append(page.inner_text("#sentence"))
    assert sentences[0].startswith("Forward")
    assert "x × w = 2 × (−3) = −6" in sentences[0]
    assert sentences[4].startswith("Backward")
    assert any(sentence.startswith("Sum") for sentence in sentences)
    assert step_of(page) == last
    press(page, "ArrowRight")
    assert step_of(page) == last
    assert page.is_disabled("#next")
    for _ in range(last):
        press(page, "ArrowLeft")
    assert step_of(page) == 0
    assert page.is_disabled("#back")
    press(page, "End")
    assert step_of(page) == last
    press(page, "Home")
    assert step_of(page) == 0


def test_a_backward_step_shows_upstream_times_local_on_every_edge(visit):
    page = visit(draw.explore(neuron()))
    press(page, "b")
    notes = page.locator(".note")
    assert notes.count() == 2
    assert sorted(notes.all_text_contents()) == ["1 × 0.7071= 0.7071", "1 × 2= 2"]
    assert page.locator(".edge.lit").count() == 2
    assert page.locator(".card.active").get_attribute("aria-label").startswith("Operation y =")
    factors = page.locator(".product").first.inner_text().split()
    assert factors == ["1", "upstream", "×", "2", "local", "=", "2", "contribution"]


def test_norms_of_arrays_are_not_multiplied(visit, explored):
    page = visit(explored)
    press(page, "b")
    seen = []
    for _ in range(20):
        products = page.locator(".product").all_inner_texts()
        seen += [text.split() for text in products if "‖contribution‖" in text]
        press(page, "ArrowRight")
    assert len(seen) > 5
    for words in seen:
        assert words[1:3] == ["‖upstream‖", "→"]
        assert "×" not in words


def test_the_running_sum_is_a_step_of_its_own(visit):
    page = visit(draw.explore(neuron()))
    press(page, "End")
    assert "grad of x += −3 : 0.7071 + (−3) = −2.293" in page.inner_text("#sentence")
    assert page.locator("#panel .sum").count() == 1
    x = page.locator('.card[aria-label^="Tensor x"] .gradient .number')
    assert x.text_content() == "−2.293"
    press(page, "ArrowLeft")
    assert x.text_content() == "0.7071"


def test_numbers_on_the_page_are_the_engines(visit):
    y = neuron()
    page = visit(draw.explore(y))
    y.backward()
    for vertex in draw.describe_graph(y).vertices:
        if vertex.kind != "leaf":
            continue
        page.locator(f'.card[aria-label^="Tensor {vertex.name}"]').click()
        shown = [
            float(part) for part in page.locator("#panel .big").evaluate_all(
                "found => found.map(one => one.dataset.exact)"
            )
        ]  # fmt: skip
        expected = [float(vertex.value), float(vertex.gradient.item())]
        assert shown == pytest.approx(expected, rel=1e-6)


def test_statistics_on_the_page_are_the_arrays(visit, explored):
    page = visit(explored)
    press(page, "x")
    page.locator('.card[aria-label*="0.weight"]').click()
    weight = next(box for box in explored.data["boxes"] if box["name"] == "0.weight")
    text = page.locator("#panel section.gradient .statistics").inner_text().split()
    shown = dict(zip(text[::2], text[1::2], strict=False))
    assert float(shown["norm"].replace("−", "-")) == pytest.approx(weight["gradient"]["s"][3], 1e-3)
    assert page.locator("#panel section.value img.heatmap").count() == 1


def test_rules_show_the_actual_shapes(visit, explored):
    page = visit(explored)
    press(page, "x", "b")
    for _ in range(12):
        if "dX = dY @ Wᵀ" in page.inner_text("#panel"):
            break
        press(page, "ArrowRight")
    assert "dX = dY @ Wᵀ : (5,3)@(3,6) → (5,6)" in page.inner_text("#panel")
    assert "(5,3)@(3,6) → (5,6)" in "".join(page.locator(".note").all_text_contents())


def test_modules_open_and_close_in_place(visit, explored):
    page = visit(explored)
    press(page, "c")
    assert page.locator(".card.module").count() == 2
    assert page.locator(".caption").count() == 0
    card = page.locator('.card.module[aria-label^="Module MLP"]')
    card.click()
    assert page.inner_text("#panel h2") == "MLP"
    press(page, "Enter")
    assert page.locator('.caption[aria-label^="Module MLP"]').count() == 1
    assert page.locator(".card.module").count() == 3
    page.locator('.caption[aria-label^="Module MLP"] .opener').click()
    assert page.locator(".caption").count() == 0
    press(page, "x")
    assert page.locator(".card.module").count() == 0
    assert page.locator(".caption").count() == 4


def test_a_step_inside_a_closed_module_opens_it_and_closes_it_again(visit, explored):
    page = visit(explored)
    press(page, "c", "ArrowRight")
    assert page.locator(".card.active").get_attribute("aria-label").startswith("Operation")
    assert page.locator(".caption").count() > 0
    press(page, "Shift+ArrowRight")  # over the rest of the module, and into no other
    assert step_of(page) > 2
    assert page.locator(".caption").count() == 0
    assert page.locator(".card.module.active").count() == 1
    assert "inside" in page.locator(".note").text_content()
    press(page, "ArrowRight", "Home")
    assert page.locator(".caption").count() == 0


@pytest.mark.parametrize("size", [(1366, 650), (1200, 800), (700, 600)])
def test_small_graphs_open_expanded_and_can_be_read(visit, explored, size):
    page = visit(explored)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.reload()
    assert page.locator(".card.module").count() == 0
    assert "far" not in (page.get_attribute("#graph", "class") or "")
    graph, legend, map_ = (
        page.locator(part).bounding_box() for part in ("#graph", "#legend", "#minimap")
    )
    assert graph["y"] + graph["height"] <= legend["y"] + 1
    if map_ is not None:  # nor does the minimap cover anything
        for place in (card.bounding_box() for card in page.locator(".card").all()):
            assert (
                place["x"] + place["width"] <= map_["x"]
                or place["y"] >= map_["y"] + map_["height"]
                or place["x"] >= map_["x"] + map_["width"]
            )


def test_search_finds_and_goes_from_hit_to_hit(visit, explored):
    page = visit(explored)
    press(page, "c", "/")
    page.keyboard.type("weight")
    assert page.inner_text("#hits") == "2"
    assert page.locator(".card.hit").count() == 1  # both are in the closed module
    press(page, "Enter")
    assert page.inner_text("#hits") == "1 of 2"
    assert page.inner_text("#panel h2") == "0.weight"
    press(page, "Enter")
    assert page.inner_text("#panel h2") == "2.weight"
    press(page, "Escape", "Escape")
    assert page.input_value("#search") == ""
    assert page.locator(".card.hit").count() == 0


def test_every_key_does_something(visit, explored):
    page = visit(explored)
    press(page, "?")
    assert page.locator("#keys[open] kbd").count() > 20
    press(page, "Escape")
    assert page.locator("#keys[open]").count() == 0

    def world():
        return page.evaluate("document.getElementById('world').style.transform")

    for key in ("+", "-", "w", "a", "s", "d"):
        before = world()
        press(page, key)
        assert world() != before, key
    press(page, "0", "ArrowDown")
    assert page.locator(".card.selected").count() == 1
    selected = page.get_attribute("#graph", "aria-activedescendant")
    press(page, "ArrowDown")
    assert page.get_attribute("#graph", "aria-activedescendant") != selected
    ways = page.evaluate("document.querySelectorAll('.edge')[0].getAttribute('d')")
    press(page, "Shift+D")
    assert page.evaluate("document.querySelectorAll('.edge')[0].getAttribute('d')") != ways
    press(page, "g")
    assert page.input_value("#colour") == "gradient"
    assert page.locator(".card.tone").count() > 0
    press(page, "Space")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    for _ in range(60):
        page.wait_for_timeout(50)
        if step_of(page) > 1:
            break
    assert step_of(page) > 1
    press(page, "Space", "Escape")
    assert page.get_attribute("#play", "aria-label") == "Play"
    press(page, "i")
    assert page.evaluate("document.activeElement.id") == "panel"


def test_names_from_users_are_text(visit):
    nasty = "<script>alert(1)</script>"
    x = ad.tensor([1.0, 2.0], requires_grad=True, name=nasty)
    with ad.record(), ad.name_scope("<img src=x onerror=alert(2)>"):
        loss = (ad.exp(x) * x).sum()
    page = visit(draw.explore(loss, title=nasty))
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    assert page.title() == nasty
    assert page.inner_text("#title") == nasty
    press(page, "x", "/")
    page.keyboard.type("script")
    press(page, "Enter")
    assert page.inner_text("#panel h2") == nasty
    assert dialogs == []


def test_dark_mode_follows_the_system_and_the_button(visit):
    def paper(page):
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.strip("rgb()").split(","))

    light = visit(draw.explore(neuron()), color_scheme="light")
    dark = visit(draw.explore(neuron()), color_scheme="dark")
    assert paper(light) > 600
    assert paper(dark) < 150
    press(dark, "t")
    assert paper(dark) > 600


def test_browsers_that_know_no_two_colours_show_the_light_ones(browser, tmp_path):
    html = draw.explore(neuron()).html.replace("light-dark(", "no-such-function(")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page(color_scheme="dark")
    page.goto((tmp_path / "page.html").as_uri())
    colours = "(one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]"
    assert page.evaluate(f"({colours})(document.body)") == ["rgb(251, 251, 249)", "rgb(27, 33, 48)"]
    page.close()


def test_the_browser_understands_every_line_of_the_style(browser):
    """What it doesn't understand it leaves out, and says nothing."""
    style = (Path(draw.__file__).parent / "explorer" / "explorer.css").read_text(encoding="utf-8")
    page = browser.new_page()
    unknown = page.evaluate(UNKNOWN_TO_CSS, style)
    assert unknown == []
    assert page.evaluate(UNKNOWN_TO_CSS, "a { colour: red; color: rde; } b::beforr { color: red; }")
    page.close()


def test_layouts_of_random_graphs_have_no_faults(browser):
    """No boxes overlap, groups hold their own and nothing else, no edge crosses a box."""
    scripts = Path(draw.__file__).parent / "explorer"
    page = browser.new_page()
    for file in (
        scripts / "layout.js",
        scripts / "coordinates.js",
        Path(__file__).parent / "explorer_layouts.js",
    ):
        page.add_script_tag(content=file.read_text(encoding="utf-8"))
    assert page.evaluate("faults(60)") == []
    page.close()


@pytest.mark.parametrize("graph", [lambda: recurrence(3), lambda: transformer()[0]])
def test_no_edge_crosses_a_box(visit, graph):
    page = visit(draw.explore(graph()))
    for key in ("c", "x", "Shift+D"):
        press(page, key)
        assert page.evaluate(CROSSINGS) == [], key


def test_problems_are_shown_with_the_path(visit):
    x = ad.tensor([1.0, -1.0], requires_grad=True, name="x")
    with ad.record(), np.errstate(all="ignore"), ad.name_scope("net"):
        loss = (ad.log(x) * 2 + 1).sum()
    page = visit(draw.explore(loss))
    assert "1 problem" in page.inner_text("#problems")
    press(page, "p")
    assert page.inner_text("#panel h2") == "log"
    assert page.locator(".card.onpath").count() == 4
    assert page.locator(".edge.onpath").count() == 3


def test_checks_and_comparisons_are_coloured(visit):
    page = visit(draw.explore(neuron(), gradcheck=True))
    assert page.locator(".card.right").count() == 4
    x = ad.tensor(2.0, requires_grad=True, name="x")
    graphs = []
    for times in (2.0, 3.0):
        with ad.record():
            graphs.append(ad.exp(x * times) if times > 2 else ad.tanh(x * times))
    page = visit(draw.explore(*graphs))
    assert page.locator(".card.first").count() == 1
    assert page.locator(".card.second").count() == 1
    assert page.locator(".card.differs").count() >= 1


def test_what_is_missing_is_said(visit):
    loss, names = perceptron(record=False)
    loss.backward()
    page = visit(draw.explore(loss, names=names))
    assert "with autodiff.record():" in page.inner_text("#panel")
    press(page, "End", "Home")


def test_it_works_inside_a_notebooks_frame(browser, tmp_path):
    file = tmp_path / "notebook.html"
    file.write_text(draw.explore(neuron())._repr_html_(), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    assert frame.locator(".card").count() == 7
    page.close()


def test_five_hundred_boxes_are_laid_out_in_time(visit):
    """The time is a benchmark's; here only that it is all there, and where it belongs."""
    loss, names = transformer(layers=8)
    page = visit(draw.explore(loss, names=names))
    press(page, "x")
    assert page.locator(".card").count() > 450
    assert json.loads(page.get_attribute("#graph", "data-layout-ms")) < 5000


def test_it_prints(visit, explored, tmp_path):
    page = visit(explored, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 249)"
    assert not page.is_visible("#transport")
    assert len(page.pdf()) > 5_000


def test_the_readmes_picture_of_it_is_made_by_a_command(tmp_path):
    docs = Path(__file__).parent.parent.parent / "docs"
    # A process of its own: two drivers of browsers do not fit into one.
    call = f"import runpy, pathlib; made = runpy.run_path({str(docs / 'pictures.py')!r});"
    call += f"made['explorer'](pathlib.Path({str(tmp_path)!r}))"
    environment = {**os.environ, "CHROMIUM": CHROMIUM}
    subprocess.run([sys.executable, "-c", call], check=True, timeout=60, env=environment)
    for file in (tmp_path / "explorer.png", docs / "explorer.png"):
        picture = file.read_bytes()
        assert picture[16:24] == (1200).to_bytes(4, "big") + (760).to_bytes(4, "big")
        assert len(picture) < 200_000


def test_a_sequence_model_opens_as_far_as_it_can_be_read(visit):
    loss, names = translation()
    page = visit(draw.explore(loss, names=names))
    assert page.locator('.caption[aria-label^="Module Seq2Seq"]').count() == 1
    assert "of rnn: GRU" in page.inner_text("#panel")
    press(page, "x", "End", "Home")
    assert page.locator(".card.module").count() == 0


@pytest.mark.parametrize("width", [480, 700, 900, 1200])
def test_narrow_windows_and_frames_show_the_whole_page(visit, explored, width):
    page = visit(explored)
    page.set_viewport_size({"width": width, "height": 620})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("#graph", "#panel", "#search", "#help", "#next"):
        place = page.locator(part).bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= width


def test_titles_fit_their_cards_from_afar(visit, explored):
    page = visit(explored)
    press(page, "x")
    while "far" not in (page.get_attribute("#graph", "class") or ""):
        press(page, "-")
    sticking_out = """() => [...document.querySelectorAll(".card")].filter((card) =>
      card.querySelector(".line").getBBox().width >
      card.querySelector(".face").getBBox().width).map((card) => card.id)"""
    assert page.evaluate(sticking_out) == []


def test_captions_fit_their_frames_from_afar(visit):
    x = ad.tensor(1.0, requires_grad=True)
    with ad.name_scope("a_module_with_a_name: OfSomeLength"):
        y = ad.exp(x)
    page = visit(draw.explore(y * y))
    press(page, "x")
    while "far" not in (page.get_attribute("#graph", "class") or ""):
        press(page, "-")
    room = """() => {
      const end = (part) => document.querySelector(part).getBoundingClientRect().right;
      return end(".frame") - end(".caption text");
    }"""
    assert page.evaluate(room) >= 0


def test_modules_show_a_gradient_when_it_has_arrived(visit, explored):
    page = visit(explored)
    press(page, "c", "b")
    module = page.locator('.card.module[aria-label^="Module MLP"]')
    assert "nogradient" in module.get_attribute("class")
    for _ in range(40):
        press(page, "Shift+ArrowRight")  # over modules, which stay closed
    assert page.is_disabled("#next")
    assert "nogradient" not in module.get_attribute("class")
