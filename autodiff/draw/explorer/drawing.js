/* The drawing of all that is visible, and what the state of the page changes in it. */

/* -- the whole drawing ----------------------------------------------------------- */

/* Where everything visible goes; nothing is drawn yet. */
function layOutVisible() {
  const {tree, edges} = visibleTree();
  const leaves = [];
  const frames = [];
  (function walk(item) {
    if (!item.items) {
      leaves.push(item);
      return;
    }
    if (item.id !== "root") frames.push(item);
    item.items.forEach(walk);
  })(tree);
  const compact = leaves.length > MANY;
  const turned = state.direction === "right";
  const cards = new Map();
  for (const item of leaves) {
    const card = sizeCard(things.get(item.id), compact);
    cards.set(item.id, card);
    [item.w, item.h] = turned ? [card.h, card.w] : [card.w, card.h];
  }
  for (const item of frames) {
    item.least = turned ? 0 : textWidth(things.get(item.id).name, 12, 600) + 64;
  }
  const pads = turned
    ? {start: PADS.before + 8, end: PADS.after, before: PADS.start, after: PADS.end}
    : PADS;
  SPACE.gap = turned ? 62 : 44;
  const began = performance.now();
  const found = arrange(tree, edges, pads);
  byId("graph").dataset.layoutMs = (performance.now() - began).toFixed(0);
  const swap = ({x, y, w, h}) => (turned ? {x: y, y: x, w: h, h: w} : {x, y, w, h});
  const places = new Map([...found.boxes].map(([id, box]) => [id, swap(box)]));
  const {w, h} = swap({x: 0, y: 0, w: found.w, h: found.h});
  return {cards, frames, edges, routes: found.routes, places, turned, w, h};
}

function redraw(geometry = layOutVisible()) {
  const {cards, frames, edges, routes, places, turned} = geometry;
  const layer = {};
  for (const name of ["frames", "edges", "captions", "cards", "notes"]) {
    layer[name] = svg("g", {class: name});
  }
  drawn = {
    cards: new Map(),
    edges: [],
    frames: new Map(),
    places,
    layer,
    turned,
    w: geometry.w,
    h: geometry.h,
  };
  for (const {id} of frames) {
    const {x, y, w, h} = places.get(id);
    const group = things.get(id);
    const frame = svg("rect", {class: "frame", x, y, width: w, height: h, rx: 12});
    layer.frames.append(frame);
    const caption = svg("g", {
      class: "caption",
      id,
      role: "button",
      "aria-label": spoken(group),
      transform: `translate(${x + 9} ${y + 8})`,
    });
    const wide = Math.min(textWidth(group.name, 12, 600) + 30, w - 14);
    const text = shorten(group.name, Math.max(6, Math.floor(wide / 6.6) - 4));
    caption.style.setProperty("--far", `${fitting(text, w - 36, 17).toFixed(1)}px`);
    caption.append(
      svg("rect", {class: "ground", width: wide, height: 21, rx: 6}),
      svg("path", {class: "chevron", d: "M7.5 8.5l4 4.5 4-4.5"}),
      svg("text", {x: 21, y: 15, text}),
      svg("rect", {class: "opener", width: 21, height: 21, "data-open": id}),
      svg("title", {text: `${group.name}: close it with enter or a double click`}),
    );
    layer.captions.append(caption);
    drawn.frames.set(id, {frame, caption, group});
  }
  const only = new Map(edges.map(([source, target, mark]) => [`${source} ${target}`, mark]));
  for (const {source, target, runs} of routes) {
    const path = svg("path", {
      class: `edge ${only.get(`${source} ${target}`)}`,
      d: curve(runs, turned),
    });
    layer.edges.append(path);
    const across = runs.map(([x]) => x);
    const along = runs.flatMap(([, top, bottom]) => [top, bottom]);
    const x = Math.min(...across);
    const y = Math.min(...along);
    const place = {x, y, w: Math.max(...across) - x, h: Math.max(...along) - y};
    if (turned) [place.x, place.y, place.w, place.h] = [y, x, place.h, place.w];
    drawn.edges.push({source, target, runs, path, place});
  }
  for (const [id, card] of cards) {
    const {x, y} = places.get(id);
    const made = drawCard(things.get(id), card);
    made.group.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    layer.cards.append(made.group);
    drawn.cards.set(id, made);
  }
  world.replaceChildren(...Object.values(layer));
  drawMinimap();
  update();
}

/* Straight along every run, and a curve to the next. */
function curve(runs, turned) {
  const at = turned
    ? (x, y) => `${y.toFixed(1)} ${x.toFixed(1)}`
    : (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  let d = "";
  runs.forEach(([x, top, bottom], i) => {
    if (i === 0) {
      d = `M${at(x, top)}`;
    } else {
      const [before, , y] = runs[i - 1];
      const middle = (y + top) / 2;
      d += `C${at(before, middle)} ${at(x, middle)} ${at(x, top)}`;
    }
    if (bottom > top + 0.1) d += `L${at(x, bottom)}`;
  });
  return d;
}

/* -- what the state changes ------------------------------------------------------ */

function update() {
  const step = steps[state.step];
  const walking = Boolean(step);
  byId("stage").classList.toggle("walking", walking);
  byId("stage").dataset.phase = walking ? step.phase : "rest";
  const active = new Set();
  const near = new Set();
  if (step) {
    active.add(visible(boxes[step.box]).id);
    if (step.phase === "forward") {
      for (const [source] of boxes[step.box].sources) near.add(visible(boxes[source]).id);
    } else if (step.phase === "backward") {
      for (const {box} of step.to) near.add(visible(boxes[box]).id);
    } else {
      near.add(visible(boxes[step.from]).id);
    }
  }
  const hits = new Set(state.hits.map((thing) => visible(thing).id));
  const path = new Set((state.path || []).map((index) => visible(boxes[index]).id));
  const selected = state.selected && visible(things.get(state.selected)).id;
  for (const [id, card] of drawn.cards) {
    const {group, thing, numbers} = card;
    const computed = isGroup(thing) ? allBoxes(thing).some(isComputed) : isComputed(thing);
    const flags = {
      active: active.has(id),
      near: near.has(id),
      waiting: !computed,
      selected: selected === id,
      hit: hits.has(id),
      onpath: path.has(id),
      // A whole that is expanded stands for nothing less than what is in it.
      missed: state.hits.length > 0 && !hits.has(id),
    };
    for (const [name, on] of Object.entries(flags)) {
      if (on !== group.classList.contains(name)) group.classList.toggle(name, on);
    }
    paint(card);
    if (isGroup(thing)) {
      const here = thing.results.every((index) => gradientNow(boxes[index]) !== undefined);
      group.classList.toggle("nogradient", walking && !here);
      continue;
    }
    if (numbers.value) write(numbers.value, computed ? numbers.value.final : null);
    if (numbers.gradient) {
      const now = gradientNow(thing);
      const known = now !== undefined && now !== null;
      write(numbers.gradient, known ? format(Array.isArray(now) ? now[0] : now) : null);
      const partial = known && !resting() && !sameDigest(now, digest(thing.gradient));
      numbers.gradient.part.classList.toggle("partial", partial);
    }
  }
  for (const [id, {frame, caption}] of drawn.frames) {
    caption.classList.toggle("selected", selected === id);
    frame.classList.toggle("selected", selected === id);
  }
  const order = [];
  for (const edge of drawn.edges) {
    const lit =
      walking &&
      ((active.has(edge.target) && near.has(edge.source)) ||
        (step.phase === "sum" && active.has(edge.source) && near.has(edge.target)));
    edge.path.classList.toggle("lit", lit);
    const onpath = state.path && path.has(edge.source) && path.has(edge.target);
    edge.path.classList.toggle("onpath", Boolean(onpath));
    const touches = !walking && (edge.source === selected || edge.target === selected);
    edge.path.classList.toggle("touched", touches);
    if (lit || onpath || touches) order.push(edge.path);
  }
  order.forEach((lit) => drawn.layer.edges.append(lit)); // above the others
  drawNotes(step);
  byId("graph").setAttribute("aria-activedescendant", selected || "");
}

/* Write into a card's cell, if that changes anything; null for what is not there yet. */
function write(cell, text) {
  if (cell.shown === text) return;
  cell.shown = text;
  cell.number.textContent = text ?? "…";
  cell.part.classList.toggle("empty", text === null);
}

/* The small signs of a step: on every edge to a parent, what is handed up along it. */
function drawNotes(step) {
  const layer = drawn.layer.notes;
  layer.replaceChildren();
  if (!step || step.phase === "forward") {
    if (step) noteInside(step);
    return;
  }
  const target = visible(boxes[step.phase === "sum" ? step.from : step.box]).id;
  const from = step.phase === "sum" ? [step.one] : step.to;
  const bySource = new Map();
  for (const one of from) {
    const source = visible(boxes[one.box]).id;
    if (!bySource.has(source)) bySource.set(source, []);
    bySource.get(source).push(one);
  }
  const notes = [];
  for (const edge of drawn.edges) {
    if (edge.target !== target || !bySource.has(edge.source)) continue;
    const found = bySource.get(edge.source);
    const rows = found.flatMap((one) => noteRows(step, one));
    if (drawn.turned) rows.unshift([`to ${shorten(titleOf(boxes[found[0].box]))}`, "small"]);
    const px = (kind) => (kind === "small" ? 10.5 : 12);
    const w = 18 + Math.max(...rows.map(([text, kind]) => textWidth(text, px(kind), 600)));
    const h = 6 + rows.reduce((sum, [, kind]) => sum + (kind === "small" ? 14 : 16), 0);
    notes.push({rows, w, h, edge});
  }
  if (drawn.turned) placeBelow(notes, drawn.places.get(target));
  else placeInGaps(notes);
  for (const {rows, w, h, x, y} of notes) {
    const note = svg("g", {class: "note", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`});
    note.append(svg("rect", {width: w, height: h, rx: 7}));
    let line = 3;
    for (const [text, kind] of rows) {
      line += kind === "small" ? 14 : 16;
      note.append(svg("text", {class: kind, x: w / 2, y: line - 3.5, text}));
    }
    layer.append(note);
  }
  noteInside(step);
}

/* Every note in the gap below its parent, so that no card is covered. */
function placeInGaps(notes) {
  const byLine = new Map();
  for (const note of notes) {
    const [x, top] = note.edge.runs[0];
    note.along = x;
    note.y = top + Math.max(3, (SPACE.gap - note.h) / 2 - 3);
    const line = Math.round(note.y);
    if (!byLine.has(line)) byLine.set(line, []);
    byLine.get(line).push(note);
  }
  for (const line of byLine.values()) {
    line.sort((a, b) => a.along - b.along);
    const apart = line.slice(1).map((note, i) => (note.w + line[i].w) / 2 + 6);
    const wanted = line.map((note) => note.along);
    const weights = line.map(() => 1);
    nearest(wanted, weights, apart).forEach((at, i) => (line[i].x = at - line[i].w / 2));
  }
}

/* From left to right gaps are too narrow: in a column below the operation. */
function placeBelow(notes, place) {
  notes.sort((a, b) => a.edge.runs[0][0] - b.edge.runs[0][0]);
  let y = place.y + place.h + 8;
  for (const note of notes) {
    Object.assign(note, {x: place.x + place.w / 2 - note.w / 2, y});
    y += note.h + 5;
  }
}

function noteRows(step, one) {
  if (step.phase === "sum") {
    return [
      [`+= ${digestText(one.value)}`, "plain"],
      [`sum ${digestText(one.total)}`, "result"],
    ];
  }
  const known = one.value !== null && one.value !== undefined;
  if (known && isNumber(one.value) && isNumber(one.local) && isNumber(step.up)) {
    return [
      [`${format(step.up)} × ${wrapped(one.local)}`, "plain"],
      [`= ${format(one.value)}`, "result"],
    ];
  }
  const [formula, shapes] = one.rule.split(" : ");
  const rows = [[shorten(formula, 40), "plain"]];
  if (shapes) rows.push([shorten(shapes, 48), "small"]);
  return rows;
}
const wrapped = (value) =>
  typeof value === "number" && value < 0 ? `(${format(value)})` : format(value);

/* A step inside a closed module: its name on the module. */
function noteInside(step) {
  const box = boxes[step.box];
  const shown = visible(box);
  if (shown === box) return;
  const {x, y, w} = drawn.places.get(shown.id);
  const text = `inside: ${step.phase === "sum" ? "+=" : ""} ${titleOf(box)}`;
  const wide = textWidth(text, 11, 600) + 16;
  drawn.layer.notes.append(
    svg(
      "g",
      {class: "note inside", transform: `translate(${x + (w - wide) / 2} ${y - 12})`},
      svg("rect", {width: wide, height: 20, rx: 10}),
      svg("text", {class: "small", x: wide / 2, y: 14, text}),
    ),
  );
}
