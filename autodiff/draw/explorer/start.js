/* Everything put together. */

for (const problem of data.problems) {
  for (const index of problem.kind === "nonfinite" ? [problem.began] : problem.boxes)
    boxes[index].trouble = true;
}

byId("title").textContent = data.title;
byId("counts").textContent = [
  count(data.forward.length, "operation"),
  groups.length ? count(groups.length, "module") : "",
]
  .filter(Boolean)
  .join(" · ");
const located = data.problems.length;
if (located) {
  byId("problems").hidden = false;
  byId("problems").textContent = `! ${count(located, "problem")}`;
  byId("problems").title = "Next problem (p)";
  byId("problems").addEventListener("click", () => {
    if (data.problems.some((one) => one.boxes.length)) nextProblem();
    else escape_();
  });
}
byId("colour").replaceChildren(...COLOURS.map(([name, text]) => el("option", {value: name, text})));
byId("colour").addEventListener("change", (event) => setColour(event.target.value));
byId("search").addEventListener("input", search);
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
});
byId("collapse").addEventListener("click", () => setAll(false));
byId("expand").addEventListener("click", () => setAll(true));
byId("direction").addEventListener("click", turn);
byId("fit").addEventListener("click", () => fit(true));
byId("theme").addEventListener("click", nextTheme);
byId("help").addEventListener("click", showKeys);

/* The drawing of what is open, turned the way in which more of it can be read. */
function turnedToFit() {
  const [down, right] = ["down", "right"].map((direction) => {
    state.direction = direction;
    const geometry = layOutVisible();
    return {direction, geometry, scale: fittingScale(geometry), open: state.open.size};
  });
  return down.scale < 0.75 && right.scale > 1.2 * down.scale ? right : down;
}

/* Open as much as can be read at once: level by level, then the larger modules alone.
   A small graph opens as a whole, whatever the window. */
const SMALL = 40;

function openToFit() {
  const LEGIBLE = 0.45;
  let best = null;
  if (data.forward.length <= SMALL) {
    state.open = new Set(groups.map((group) => group.id));
    best = turnedToFit();
    state.direction = best.direction;
    redraw(best.geometry);
    fit(false, READABLE);
    return;
  }
  for (const most of [60, 36, 24, 16, 10, 0]) {
    openSome(most);
    if (best && state.open.size === best.open) continue;
    best = turnedToFit();
    if (best.scale > LEGIBLE) break;
  }
  const size = (group) => allBoxes(group).length;
  const closed = groups.filter((group) => !isOpen(group) && ancestors(group).every(isOpen));
  for (const group of closed.sort((a, b) => size(b) - size(a)).slice(0, 4)) {
    if (group.boxes.length + group.groups.length > 40) continue;
    state.open.add(group.id);
    const more = turnedToFit();
    if (more.scale > LEGIBLE) best = more;
    else state.open.delete(group.id);
  }
  state.direction = best.direction;
  redraw(best.geometry);
  fit();
}

// On paper: the whole graph, on white.
let former = null;
addEventListener("beforeprint", () => {
  former = {...view};
  cull(true);
  graph.setAttribute("viewBox", `-8 -8 ${drawn.w + 16} ${drawn.h + 16}`);
  world.style.transform = "none";
});
addEventListener("afterprint", () => {
  graph.removeAttribute("viewBox");
  moveTo(former.x, former.y, former.scale);
});

startTransport();
showLegend(); // the drawing leaves room for it
openToFit();
setColour(data.check ? "check" : boxes.some((box) => box.difference) ? "difference" : "kind");
showPanel();
