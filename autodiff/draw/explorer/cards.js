/* The graph as SVG: cards for boxes and closed modules, frames for open ones, edges between. */

const PADS = {start: 34, end: 14, before: 16, after: 16};
const MANY = 140; // visible things beyond which cards leave their numbers out

const world = byId("world");
const pen = document.createElement("canvas").getContext("2d");
const FAMILY = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

function textWidth(text, px, weight = 400) {
  pen.font = `${weight} ${px}px ${FAMILY}`;
  return pen.measureText(text).width;
}

function shorten(text, most = 26) {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  return `${text.slice(0, half)}…${text.slice(text.length - half + 1)}`;
}

let drawn = {cards: new Map(), edges: [], frames: new Map(), places: new Map(), w: 0, h: 0};

/* -- cards ----------------------------------------------------------------------- */

/* What stands on a card: a title, words beside it, and cells of a word and a number. */
function cardText(thing, compact) {
  const cells = [];
  if (isGroup(thing)) {
    const inside = allBoxes(thing).filter((box) => box.kind === "operation").length;
    const words = [count(inside, "operation")];
    if (thing.parameters) words.push(count(thing.parameters, "parameter"));
    const number = thing.arriving;
    if (number !== null && number !== undefined && !compact) {
      cells.push({kind: "gradient", word: "‖grad‖ arriving", text: format(number)});
      if (thing.received !== null && thing.received !== undefined) {
        cells.push({kind: "gradient", word: "of parameters", text: format(thing.received)});
      }
    }
    const [name, kind] = splitName(thing.name);
    return {
      symbol: "",
      title: shorten(kind || name),
      beside: kind ? name : "",
      below: words.join(" · "),
      cells,
    };
  }
  const scalar = isScalar(thing);
  const literal = thing.kind === "constant" && scalar && !thing.name;
  if (!compact && !literal) {
    if (thing.value) {
      cells.push({
        kind: "value",
        word: scalar ? "value" : "‖value‖",
        array: thing.value,
        text: format(scalar ? thing.value.v : thing.value.s[3]),
      });
    }
    if (thing.gradient && thing.kind !== "constant") {
      cells.push({
        kind: "gradient",
        word: scalar ? "grad" : "‖grad‖",
        array: thing.gradient,
        text: format(scalar ? thing.gradient.v : thing.gradient.s[3]),
      });
    }
  }
  const symbol = thing.kind === "operation" && !thing.name ? SYMBOLS[thing.op] || "" : "";
  return {
    symbol,
    title: shorten(shortTitle(thing)),
    beside: shapeText(scalar ? null : thing.shape),
    below: "",
    cells,
  };
}

/* Inside its module a parameter needs no more than the end of its path. */
function shortTitle(box) {
  const title = titleOf(box);
  return box.kind === "leaf" && box.group >= 0 ? title.slice(title.lastIndexOf(".") + 1) : title;
}

/* "layers.0: Linear" is what a submodule's scope is called. */
function splitName(name) {
  const at = name.indexOf(": ");
  return at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at + 2)];
}

const THUMB = 26;

function sizeCard(thing, compact) {
  const text = cardText(thing, compact);
  let top = textWidth(text.title, 13, 600);
  if (text.symbol) top += textWidth(text.symbol, 16, 600) + 7;
  if (text.beside) top += textWidth(text.beside, 11) + 7;
  if (isGroup(thing)) top += 18;
  let cells = 0;
  for (const cell of text.cells) {
    cell.thumb = Boolean(cell.array && cell.array.m && cell.array.m[0] * cell.array.m[1] > 1);
    const wide = Math.max(textWidth(cell.word, 9.5), textWidth(cell.text, 12.5, 500), 34);
    cell.w = wide + 14 + (cell.thumb ? THUMB + 7 : 0);
    cells += cell.w;
  }
  if (text.cells.length) cells += 6 * (text.cells.length - 1) + 12;
  const w = Math.ceil(Math.max(top + 24, textWidth(text.below, 11) + 24, cells, 44));
  const h = 28 + (text.below ? 15 : 0) + (text.cells.length ? 40 : 0);
  const free = w - cells;
  for (const cell of text.cells) cell.w += free / text.cells.length; // cells fill the card
  return {w, h, text};
}

/* From afar a title is larger, as far as it fits. */
function farSize(thing, {w, text}) {
  const room = w - (isGroup(thing) ? 26 : 8) - (text.symbol ? 7 : 0);
  return fitting(text.symbol + text.title, room, 18);
}

/* The size, in pixels, at which a title fills the room; no more than the largest. */
function fitting(text, room, largest) {
  return Math.min(largest, (10 * room) / Math.max(textWidth(text, 10, 600), 1));
}

function drawCard(thing, card) {
  const {w, h, text} = card;
  const kind = isGroup(thing) ? "module" : thing.kind + (thing.output ? " output" : "");
  const group = svg("g", {
    class: `card ${kind}`,
    id: thing.id,
    role: "button",
    "aria-label": spoken(thing),
    style: `--middle: ${h / 2 - 14}px; --far: ${farSize(thing, card).toFixed(1)}px`,
  });
  const radius = kind.startsWith("operation") ? 13 : isGroup(thing) ? 8 : 4;
  if (isGroup(thing)) {
    group.append(svg("rect", {class: "behind", x: 5, y: 5, width: w, height: h, rx: radius}));
  }
  group.append(svg("rect", {class: "face", width: w, height: h, rx: radius}));
  // The title's line, centred as a whole.
  const line = svg("text", {class: "line", x: w / 2 + (isGroup(thing) ? 8 : 0), y: 19});
  if (text.symbol) line.append(svg("tspan", {class: "symbol", text: text.symbol}));
  line.append(svg("tspan", {class: "title", dx: text.symbol ? 7 : 0, text: text.title}));
  if (text.beside) line.append(svg("tspan", {class: "beside", dx: 7, text: text.beside}));
  group.append(line);
  if (isGroup(thing)) {
    group.append(svg("path", {class: "chevron", d: "M12 10.5l4.5 4.5-4.5 4.5"}));
    group.append(svg("rect", {class: "opener", width: 26, height: 30, "data-open": thing.id}));
    group.append(svg("text", {class: "below", x: w / 2, y: 35, text: text.below}));
  }
  const numbers = {};
  let x = 6;
  const y = h - 40;
  for (const cell of text.cells) {
    const part = svg("g", {class: `cell ${cell.kind}`, transform: `translate(${x} ${y})`});
    part.append(svg("rect", {class: "ground", width: cell.w, height: 34, rx: 6}));
    let left = 7;
    if (cell.thumb) {
      part.append(
        svg("image", {
          class: "thumb",
          x: 4,
          y: 4,
          width: THUMB,
          height: THUMB,
          preserveAspectRatio: "none",
          href: thumbnail(cell.array),
        }),
      );
      left = THUMB + 11;
    }
    const middle = (left + cell.w - 7) / 2;
    part.append(svg("text", {class: "word", x: middle, y: 12, text: cell.word}));
    const number = svg("text", {class: "number", x: middle, y: 27, text: cell.text});
    part.append(number);
    numbers[cell.kind] = numbers[cell.kind] || {number, part, final: cell.text};
    group.append(part);
    x += cell.w + 6;
  }
  const troubled = isGroup(thing) ? allBoxes(thing).some((box) => box.trouble) : thing.trouble;
  if (troubled) {
    group.append(
      svg(
        "g",
        {class: "badge", transform: `translate(${w - 3} 3)`},
        svg("circle", {r: 8.5}),
        svg("text", {y: 4, text: "!"}),
      ),
    );
  }
  const mark = svg("text", {class: "mark", x: 1, y: 6});
  group.append(mark, svg("title", {text: spoken(thing)}));
  return {thing, group, w, h, numbers, mark};
}

function spoken(thing) {
  if (isGroup(thing)) {
    const inside = allBoxes(thing).filter((box) => box.kind === "operation").length;
    return (
      `Module ${thing.name}, ${count(inside, "operation")}, ` +
      (isOpen(thing) ? "open" : "closed, enter opens it")
    );
  }
  const kind = {operation: "Operation", leaf: "Tensor", constant: "Constant"}[thing.kind];
  const words = [`${kind} ${titleOf(thing)}`];
  if (thing.shape && thing.shape.length) words.push(`shape ${shapeText(thing.shape)}`);
  if (isScalar(thing) && thing.value) words.push(`value ${format(thing.value.v)}`);
  if (isScalar(thing) && thing.gradient) words.push(`gradient ${format(thing.gradient.v)}`);
  if (thing.difference && thing.difference[0] !== "same") words.push(thing.difference[1]);
  return words.join(", ");
}
