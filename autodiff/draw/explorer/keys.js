/* A key for everything. */

const KEYS = [
  [
    "Walk through the passes",
    [
      [
        "→ ←",
        "one step on, one step back; a closed module opens for it",
        {ArrowRight: () => goTo(state.step + 1), ArrowLeft: () => goTo(state.step - 1)},
      ],
      [
        "Shift → ←",
        "past all that is inside a module",
        {"Shift ArrowRight": () => stepOver(1), "Shift ArrowLeft": () => stepOver(-1)},
      ],
      ["Space", "play and pause", {" ": () => play()}],
      ["] [", "play faster, slower", {"]": () => setPace(1 / 1.5), "[": () => setPace(1.5)}],
      ["Home End", "to the beginning, to the end", {Home: () => goTo(0), End: () => goTo(last)}],
      ["b", "to where the backward pass begins", {b: () => goTo(firstBackward)}],
    ],
  ],
  [
    "Boxes and modules",
    [
      ["↓ ↑", "next box, previous box", {ArrowDown: () => walk(1), ArrowUp: () => walk(-1)}],
      [
        "Enter",
        "open or close the module that is selected, or the one around",
        {Enter: () => toggleSelected()},
      ],
      ["x c", "open all modules, close all", {x: () => setAll(true), c: () => setAll(false)}],
      ["/", "search; Enter there goes from hit to hit", {"/": () => byId("search").focus()}],
      ["n Shift n", "next hit, previous hit", {n: () => nextHit(1), "Shift N": () => nextHit(-1)}],
      ["p", "next problem", {p: () => nextProblem()}],
      ["Esc", "select nothing; again: back to rest", {Escape: () => escape_()}],
    ],
  ],
  [
    "View",
    [
      ["+ −", "zoom", {"+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8)}],
      [
        "w a s d",
        "move the view (Shift d turns the graph)",
        {
          w: () => pan(0, 80),
          s: () => pan(0, -80),
          a: () => pan(80, 0),
          d: () => pan(-80, 0),
        },
      ],
      ["0", "show the whole graph", {0: () => fit(true)}],
      ["Shift d", "top to bottom, or left to right", {"Shift D": () => turn()}],
      ["g", "next meaning of colours", {g: () => nextColour()}],
      ["t", "light, dark, as the system", {t: () => nextTheme()}],
      [
        "m",
        "minimap",
        {
          m: () => {
            state.hideMap = !state.hideMap;
            frameMinimap();
          },
        },
      ],
      ["i", "to the details", {i: () => panel.focus()}],
      ["?", "these keys", {"?": () => showKeys()}],
    ],
  ],
];
const ACTIONS = new Map(
  KEYS.flatMap(([, rows]) => rows.flatMap(([, , keys]) => Object.entries(keys))),
);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const {target} = event;
  if (target.matches("input[type=search], select, textarea")) {
    if (event.key === "Escape") graph.focus();
    return;
  }
  // Buttons keep their own keys, and the slider has arrows that do the same as here.
  if (target.matches("button") && (event.key === "Enter" || event.key === " ")) return;
  const letter = event.key.length === 1 && event.key.toLowerCase() !== event.key.toUpperCase();
  const named = event.key.startsWith("Arrow");
  const key = event.shiftKey && (letter || named) ? `Shift ${event.key}` : event.key;
  const action = ACTIONS.get(key);
  if (!action) return;
  event.preventDefault();
  action();
});

const pan = (x, y) => moveTo(view.x + x, view.y + y, view.scale, true);

function toggleSelected() {
  const thing = state.selected && things.get(state.selected);
  if (!thing) return;
  const shown = visible(thing);
  if (isGroup(shown)) toggle(shown.id);
  else if (isGroup(thing)) toggle(thing.id);
  else if (thing.group >= 0) toggle(groups[thing.group].id);
}

function escape_() {
  state.path = null;
  if (state.hits.length || byId("search").value) {
    byId("search").value = "";
    search();
  } else if (state.selected && resting()) {
    select(null);
  } else {
    play(false);
    state.selected = null;
    goTo(0);
  }
}

/* -- search ---------------------------------------------------------------------- */

let hit = -1;

function search() {
  const words = byId("search").value.trim().toLowerCase();
  hit = -1;
  const text = (thing) =>
    (isGroup(thing) ? [thing.name] : [thing.op, thing.name || "", ...thing.scope])
      .join(" ")
      .toLowerCase();
  // A module that matches stands for what is in it; its boxes match only by their own names.
  const own = (box) => `${box.op} ${box.name || ""} ${shapeText(box.shape)}`.toLowerCase();
  state.hits = words
    ? [
        ...groups.filter((group) => text(group).includes(words)),
        ...boxes.filter((box) => own(box).includes(words)),
      ]
    : [];
  byId("hits").textContent = words ? String(state.hits.length) : "";
  update();
}

function nextHit(by) {
  if (!state.hits.length) return;
  hit = (hit + by + state.hits.length) % state.hits.length;
  go(state.hits[hit].id);
  byId("hits").textContent = `${hit + 1} of ${state.hits.length}`;
}

let problem = -1;
function nextProblem() {
  const found = data.problems.filter((one) => one.boxes.length);
  if (!found.length) return;
  problem = (problem + 1) % found.length;
  showProblem(found[problem]);
}

/* -- colours, direction, theme --------------------------------------------------- */

const COLOURS = [["kind", "Kind"]];
if (norms.length) COLOURS.push(["gradient", "Gradient norm"]);
if (data.check) COLOURS.push(["check", "Gradient check"]);
if (boxes.some((box) => box.difference)) COLOURS.push(["difference", "Comparison"]);

function setColour(name) {
  state.colour = name;
  byId("colour").value = name;
  byId("stage").dataset.colour = name;
  showLegend();
  update();
}
function nextColour() {
  const at = COLOURS.findIndex(([name]) => name === state.colour);
  setColour(COLOURS[(at + 1) % COLOURS.length][0]);
}

function showLegend() {
  const swatch = (kind, text) => el("span", {class: "swatch"}, el("i", {class: kind}), text);
  const legends = {
    kind: () => [
      swatch("leaf", "has a gradient"),
      swatch("constant", "constant"),
      swatch("operation", "operation"),
      groups.length ? swatch("module", "module") : null,
      swatch("output", "output"),
    ],
    gradient: () => [
      el("span", {text: `‖gradient‖  1e${String(normRange[0]).replace("-", "−")}`}),
      el("i", {
        class: "scale",
        style: `background:linear-gradient(90deg,${SCALE.map(rgb).join(",")})`,
      }),
      el("span", {text: `1e${String(normRange[1]).replace("-", "−")}`}),
      swatch("tonezero", "zero"),
      swatch("toneodd", "not finite"),
    ],
    check: () => [
      swatch("right", "✓ rule agrees"),
      swatch("wrong", "✗ rule is wrong"),
      swatch("unchecked", "not checked"),
    ],
    difference: () => [
      swatch("same", "same"),
      swatch("differs", "≠ differs"),
      swatch("first", "− only first"),
      swatch("second", "+ only second"),
    ],
  };
  byId("legend").replaceChildren(...legends[state.colour]().filter(Boolean));
}

function turn() {
  state.direction = state.direction === "down" ? "right" : "down";
  redraw();
  fit();
}

function nextTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function showKeys() {
  const dialog = byId("keys");
  dialog.replaceChildren(
    el("h2", {text: "Keys"}),
    el(
      "div",
      {class: "columns"},
      ...KEYS.map(([title, rows]) =>
        el(
          "section",
          {},
          el("h3", {text: title}),
          el(
            "dl",
            {},
            ...rows.flatMap(([keys, words]) => [
              el("dt", {}, ...keys.split(" ").map((key) => el("kbd", {text: key}))),
              el("dd", {text: words}),
            ]),
          ),
        ),
      ),
    ),
    el("form", {method: "dialog"}, el("button", {class: "wide", text: "Close"})),
  );
  dialog.showModal();
}
