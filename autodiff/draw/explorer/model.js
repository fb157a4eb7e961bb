/* The graph's data, what follows from it, and the state of the page. */

const data = JSON.parse(document.getElementById("data").textContent);
const {boxes, groups} = data;

boxes.forEach((box, i) => {
  box.id = `b${i}`;
  box.index = i;
  box.users = [];
});
groups.forEach((group, i) => {
  Object.assign(group, {id: `g${i}`, index: i, boxes: [], groups: []});
  if (group.parent >= 0) groups[group.parent].groups.push(group);
});
for (const box of boxes) {
  for (const [source] of box.sources) {
    if (!boxes[source].users.includes(box.index)) boxes[source].users.push(box.index);
  }
  if (box.group >= 0) groups[box.group].boxes.push(box);
}

const SYMBOLS = {
  add: "+",
  subtract: "−",
  multiply: "×",
  divide: "÷",
  matmul: "@",
  negative: "−",
  sqrt: "√",
  sum: "Σ",
};

const state = {
  open: new Set(), // ids of expanded groups
  lent: new Set(), // those of them that only the step opened, and that close again behind it
  step: 0, // 0 is the graph at rest; steps count from 1
  selected: null, // a box's or a group's id
  colour: "kind",
  direction: "down", // or "right"
  hits: [],
  path: null, // boxes of the problem that is shown
};

/* -- the steps ------------------------------------------------------------------- */

const steps = [null];
const totals = boxes.map(() => []); // [step, gradient so far], in order
for (const index of data.forward) steps.push({phase: "forward", box: index});
const firstBackward = steps.length;
data.backward.forEach((found, k) => {
  const contributions = found.to.map(
    ([box, operand, rule, local, value, total, arrival, arrivals]) => ({
      box,
      operand,
      rule: data.rules[rule],
      local,
      value,
      total,
      arrival,
      arrivals,
    }),
  );
  if (k === 0) totals[found.box].push([steps.length, found.up]);
  steps.push({phase: "backward", ...found, to: contributions});
  for (const one of contributions) {
    if (one.arrival === 1) totals[one.box].push([steps.length - 1, one.total]);
  }
  for (const one of contributions) {
    if (one.arrival < 2) continue;
    const before = totals[one.box].length ? totals[one.box][totals[one.box].length - 1][1] : null;
    totals[one.box].push([steps.length, one.total]);
    steps.push({phase: "sum", box: one.box, from: found.box, one, before});
  }
});
const ranAt = new Map(data.forward.map((index, k) => [index, k + 1]));

const resting = () => state.step === 0;
const isComputed = (box) =>
  resting() || !ranAt.has(box.index) || ranAt.get(box.index) <= state.step;

/* A box's gradient as it stands: a number, [norm] or [norm, how many are not finite]. */
function gradientNow(box) {
  const at = totals[box.index];
  if (resting()) return at.length ? at[at.length - 1][1] : digest(box.gradient);
  let found;
  for (const [step, total] of at) if (step <= state.step) found = total;
  return found;
}

function digest(array) {
  if (!array) return undefined;
  if (isNumber(array.v)) return array.v;
  return [array.s[3]];
}

/* -- groups ---------------------------------------------------------------------- */

const things = new Map([...boxes, ...groups].map((thing) => [thing.id, thing]));
const isGroup = (thing) => thing.boxes !== undefined;
const isOpen = (group) => state.open.has(group.id);

function ancestors(thing) {
  const found = [];
  let at = isGroup(thing) ? thing.parent : thing.group;
  for (; at >= 0; at = groups[at].parent) found.push(groups[at]);
  return found; // innermost first
}

/* What stands for a box or group in the drawing: itself, or the outermost closed group. */
function visible(thing) {
  let shown = thing;
  for (const group of ancestors(thing)) if (!isOpen(group)) shown = group;
  return shown;
}

function allBoxes(group) {
  group.inside = group.inside || [...group.boxes, ...group.groups.flatMap(allBoxes)];
  return group.inside;
}

const roots = {
  boxes: boxes.filter((box) => box.group < 0),
  groups: groups.filter((group) => group.parent < 0),
};

/* Open modules from outside inward, level by level, as long as the drawing stays small. */
function openSome(most) {
  state.open.clear();
  let shown = roots.boxes.length + roots.groups.length;
  let level = roots.groups;
  while (level.length) {
    for (const group of level) shown += group.boxes.length + group.groups.length - 1;
    if (shown > most) break;
    for (const group of level) state.open.add(group.id);
    level = level.flatMap((group) => group.groups);
  }
}

/* The drawing as a tree of visible things, and the edges between its leaves. */
function visibleTree() {
  const tree = (holder, id) => ({
    id,
    items: [...holder.boxes, ...holder.groups.filter((group) => !isOpen(group))]
      .sort((a, b) => first(a) - first(b))
      .concat(holder.groups.filter(isOpen))
      .map((thing) => (isGroup(thing) && isOpen(thing) ? tree(thing, thing.id) : {id: thing.id})),
  });
  const edges = new Map();
  for (const box of boxes) {
    const target = visible(box);
    for (const [source, , only] of box.sources) {
      const from = visible(boxes[source]);
      const key = `${from.id} ${target.id}`;
      if (from === target || edges.has(key)) continue;
      edges.set(key, [from.id, target.id, only || ""]);
    }
  }
  return {tree: tree(roots, "root"), edges: [...edges.values()]};
}
const first = (thing) => (isGroup(thing) ? allBoxes(thing)[0].index : thing.index);

/* -- numbers and words ----------------------------------------------------------- */

const isNumber = (value) => typeof value === "number" || ["nan", "inf", "-inf"].includes(value);

/* As %.4g writes it, with a real minus sign. */
function format(value, digits = 4) {
  if (value === null || value === undefined) return "?";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") {
    return {nan: "NaN", inf: "∞", "-inf": "−∞"}[value] || value;
  }
  if (value === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  let text;
  if (power < -4 || power >= 6) {
    text = value
      .toExponential(digits - 1)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e");
  } else {
    text = String(Number(value.toPrecision(digits)));
  }
  return text.replaceAll("-", "−");
}

const shapeText = (shape) =>
  !shape ? "" : shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
const isScalar = (thing) => thing.shape && thing.shape.length === 0;

function titleOf(thing) {
  if (isGroup(thing)) return thing.name;
  if (thing.kind === "operation") {
    const own = thing.op === "output" ? `part of ${boxes[thing.sources[0][0]].op}` : thing.op;
    return thing.name ? `${thing.name} = ${own}` : own;
  }
  if (thing.name) return thing.name;
  if (thing.kind === "constant" && thing.value && isScalar(thing)) return format(thing.value.v);
  return thing.kind === "leaf" ? "tensor" : "constant";
}

const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/* Write what a step hands on: a number, or an array's norm. */
function digestText(found) {
  if (found === null || found === undefined) return "?";
  if (!Array.isArray(found)) return format(found);
  if (found.length > 1) return `‖${format(found[0])}‖, ${found[1]} not finite`;
  return `‖${format(found[0])}‖`;
}

/* -- elements -------------------------------------------------------------------- */

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") element.style.cssText = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
const el = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);
