/* Moving about: zoom, pan, what is selected, modules opened and closed in place, the minimap. */

const graph = byId("graph");
const minimap = byId("minimap");
const view = {x: 0, y: 0, scale: 1};
const READABLE = 0.55; // the scale from which numbers on cards can be read
const LARGE = 400; // cards beyond which a drawing is large
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function moveTo(x, y, scale, glide) {
  Object.assign(view, {x, y, scale: Math.min(4, Math.max(0.02, scale))});
  const smooth = Boolean(glide) && !calm.matches && drawn.cards.size < LARGE;
  world.classList.toggle("gliding", smooth);
  world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  graph.classList.toggle("far", view.scale < 0.48);
  frameMinimap();
  cull();
}

/* Of a large drawing, only what is in view or near it is shown: browsers draw no faster. */
function cull(all = drawn.cards.size < LARGE) {
  if (all && !drawn.culled) return;
  drawn.culled = !all;
  const {width, height} = stageSize();
  const [left, top] = [(-view.x - width / 2) / view.scale, (-view.y - height / 2) / view.scale];
  const [right, bottom] = [left + (2 * width) / view.scale, top + (2 * height) / view.scale];
  const show = (thing, element, {x, y, w, h}) => {
    const seen = all || (x < right && x + w > left && y < bottom && y + h > top);
    if (seen === !thing.hidden) return;
    thing.hidden = !seen;
    element.style.display = seen ? "" : "none";
  };
  for (const [id, card] of drawn.cards) show(card, card.group, drawn.places.get(id));
  for (const edge of drawn.edges) show(edge, edge.path, edge.place);
}

function stageSize() {
  const {width, height} = graph.getBoundingClientRect();
  return {width: width || 900, height: height || 600};
}

function fittingScale({w, h}) {
  const {width, height} = stageSize();
  return Math.min(1.35, (width - 48) / w, (height - 32) / h);
}

/* Show all of the drawing, or, where that were too small to be read, as much as there is room
   for from its beginning on, beside the minimap. */
function fit(glide, least = 0) {
  const {width, height} = stageSize();
  const scale = Math.max(least, fittingScale(drawn));
  const [w, h] = [drawn.w * scale, drawn.h * scale];
  let [across, top] = [width, 0];
  if (h > height - 31) across -= minimap.clientWidth + 28;
  else if (w > width - 47) top = minimap.clientHeight + 16;
  moveTo(Math.max(24, (across - w) / 2), Math.max(top + 16, (top + height - h) / 2), scale, glide);
}

function zoom(factor, x, y) {
  const {width, height} = stageSize();
  const [cx, cy] = [x ?? width / 2, y ?? height / 2];
  const scale = Math.min(4, Math.max(0.02, view.scale * factor));
  const ratio = scale / view.scale;
  moveTo(cx - (cx - view.x) * ratio, cy - (cy - view.y) * ratio, scale);
}

/* Bring things into view if they are not, at a scale at which they can be read. */
function reveal(...ids) {
  const found = ids.map((id) => drawn.places.get(id)).filter(Boolean);
  if (!found.length) return;
  const {width: across, height: down} = stageSize();
  const around = (some) => {
    const x = Math.min(...some.map((box) => box.x));
    const y = Math.min(...some.map((box) => box.y));
    return {
      x,
      y,
      w: Math.max(...some.map((box) => box.x + box.w)) - x,
      h: Math.max(...some.map((box) => box.y + box.h)) - y,
    };
  };
  let place = around(found); // the first of them is what counts if all are too far apart
  const room = Math.max(view.scale, 0.5);
  if (place.w * room > across - 60 || place.h * room > down - 60) place = around(found.slice(0, 1));
  const {width, height} = stageSize();
  let {x, y, scale} = view;
  if (scale < 0.5) {
    scale = 0.9;
    x = width / 2 - (place.x + place.w / 2) * scale;
    y = height / 2 - (place.y + place.h / 2) * scale;
  } else {
    const margin = 24;
    const [left, top] = [view.x + place.x * scale, view.y + place.y * scale];
    const [right, bottom] = [left + place.w * scale, top + place.h * scale];
    const outside =
      left < margin || right > width - margin || top < margin || bottom > height - margin;
    if (!outside) return;
    const roomy = right - left < width - 2 * margin && bottom - top < height - 2 * margin;
    if (
      !roomy &&
      right > margin &&
      left < width - margin &&
      bottom > margin &&
      top < height - margin
    )
      return;
    x = width / 2 - (place.x + place.w / 2) * scale;
    y = height / 2 - (place.y + place.h / 2) * scale;
    // Only as far along each axis as it takes.
    if (left >= margin && right <= width - margin) x = view.x;
    if (top >= margin && bottom <= height - margin) y = view.y;
  }
  moveTo(x, y, scale, true);
}

/* -- selection and modules ------------------------------------------------------- */

function select(id) {
  state.selected = id;
  update();
  showPanel();
}

function toggle(id, open = !state.open.has(id)) {
  const group = things.get(id);
  const before = drawn.places.get(visible(group).id);
  state.lent.delete(id);
  if (open) {
    // Where there is nothing but one more module inside, that one is meant.
    for (let inner = group; inner; inner = inner.boxes.length ? null : inner.groups[0]) {
      state.open.add(inner.id);
      if (inner.groups.length !== 1) break;
    }
  } else {
    state.open.delete(id);
    if (state.selected && visible(things.get(state.selected)) === group) state.selected = id;
  }
  redraw();
  keepInPlace(group, before);
  showPanel();
}

/* What was opened or closed stays where it was. */
function keepInPlace(group, before) {
  const after = drawn.places.get(visible(group).id);
  if (!before || !after) return;
  const {scale} = view;
  moveTo(
    view.x + (before.x + before.w / 2 - after.x - after.w / 2) * scale,
    view.y + (before.y - after.y) * scale,
    scale,
  );
}

/* Open the closed modules around a step's box, and close those that former steps opened. */
function openForStep(box, into) {
  const around = box ? ancestors(box) : [];
  const enter = into ? around.filter((group) => !isOpen(group)) : [];
  const leave = [...state.lent].map((id) => things.get(id)).filter((one) => !around.includes(one));
  if (!enter.length && !leave.length) return false;
  const anchor = enter.length ? enter[enter.length - 1] : leave[0];
  const before = drawn.places.get(visible(anchor).id);
  for (const {id} of leave) {
    state.open.delete(id);
    state.lent.delete(id);
  }
  for (const {id} of enter) {
    state.open.add(id);
    state.lent.add(id);
  }
  redraw();
  keepInPlace(anchor, before);
  return true;
}

function openAround(thing) {
  const closed = ancestors(thing).filter((group) => !isOpen(group));
  if (!closed.length) return;
  for (const group of closed) state.open.add(group.id);
  redraw();
}

function setAll(open) {
  state.open = new Set(open ? groups.map((group) => group.id) : []);
  state.lent.clear();
  redraw();
  fit(true);
  showPanel();
}

/* Walk from box to box in forward order. */
function walk(by) {
  const order = [...drawn.cards.keys()].sort((a, b) => first(things.get(a)) - first(things.get(b)));
  const shown = state.selected && visible(things.get(state.selected)).id;
  const at = order.indexOf(shown);
  const next =
    at < 0 ? (by > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, at + by));
  select(order[next]);
  reveal(order[next]);
}

function go(id) {
  const thing = things.get(id);
  openAround(thing);
  select(id);
  reveal(visible(thing).id);
}

/* -- pointer --------------------------------------------------------------------- */

graph.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const box = graph.getBoundingClientRect();
    const speed = event.deltaMode === 1 ? 0.05 : event.ctrlKey ? 0.01 : 0.0016;
    zoom(Math.exp(-event.deltaY * speed), event.clientX - box.left, event.clientY - box.top);
  },
  {passive: false},
);

const pointers = new Map();
let pressed = null;
graph.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  pressed = {target: event.target, moved: 0};
});
graph.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
  pressed.moved += Math.abs(dx) + Math.abs(dy);
  if (pressed.moved > 4 && !graph.hasPointerCapture(event.pointerId)) {
    graph.setPointerCapture(event.pointerId);
  }
  if (pointers.size === 2) {
    // a pinch
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
    const box = graph.getBoundingClientRect();
    zoom(
      apart([event.clientX, event.clientY]) / (apart(before) || 1),
      (event.clientX + other[0]) / 2 - box.left,
      (event.clientY + other[1]) / 2 - box.top,
    );
  } else if (pressed.moved > 4) {
    moveTo(view.x + dx, view.y + dy, view.scale);
  }
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
});
for (const name of ["pointerup", "pointercancel"]) {
  graph.addEventListener(name, (event) => pointers.delete(event.pointerId));
}
graph.addEventListener("click", (event) => {
  if (pressed && pressed.moved > 4) return;
  const opener = event.target.closest("[data-open]");
  if (opener) {
    toggle(opener.dataset.open);
    return;
  }
  const card = event.target.closest(".card, .caption");
  select(card ? card.id : null);
});
graph.addEventListener("dblclick", (event) => {
  const card = event.target.closest(".card.module, .caption");
  if (card && !event.target.closest("[data-open]")) toggle(card.id);
});

/* -- minimap --------------------------------------------------------------------- */

const MAP = {w: 180, h: 140};
let mapScale = 1;
let mapFrame = null;

function drawMinimap() {
  mapScale = Math.min(MAP.w / drawn.w, MAP.h / drawn.h);
  const shape = (id, kind) => {
    const {x, y, w, h} = drawn.places.get(id);
    return svg("rect", {
      class: kind,
      x: x * mapScale,
      y: y * mapScale,
      width: Math.max(1, w * mapScale),
      height: Math.max(1, h * mapScale),
    });
  };
  mapFrame = svg("rect", {class: "window"});
  minimap.replaceChildren(
    ...[...drawn.frames.keys()].map((id) => shape(id, "frame")),
    ...[...drawn.cards.values()].map(({thing}) =>
      shape(thing.id, isGroup(thing) ? "module" : thing.kind),
    ),
    mapFrame,
  );
  minimap.setAttribute("width", Math.max(24, drawn.w * mapScale));
  minimap.setAttribute("height", Math.max(24, drawn.h * mapScale));
}

function frameMinimap() {
  const {width, height} = stageSize();
  const [w, h] = [width / view.scale, height / view.scale];
  const all =
    -view.x <= 1 &&
    -view.y <= 1 &&
    view.x + drawn.w * view.scale <= width + 1 &&
    view.y + drawn.h * view.scale <= height + 1;
  minimap.classList.toggle("idle", all || state.hideMap === true);
  const attributes = {
    x: (-view.x / view.scale) * mapScale,
    y: (-view.y / view.scale) * mapScale,
    width: w * mapScale,
    height: h * mapScale,
  };
  if (mapFrame) fill(mapFrame, attributes, []);
}

function jump(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const box = minimap.getBoundingClientRect();
  const {width, height} = stageSize();
  const [x, y] = [(event.clientX - box.left) / mapScale, (event.clientY - box.top) / mapScale];
  moveTo(width / 2 - x * view.scale, height / 2 - y * view.scale, view.scale);
}
minimap.addEventListener("pointerdown", jump);
minimap.addEventListener("pointermove", jump);
addEventListener("resize", frameMinimap);
