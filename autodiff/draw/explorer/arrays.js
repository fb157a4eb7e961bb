/* Pictures of arrays: heatmaps, histograms, colours on a log scale. */

/* Blue below zero, vermilion above, pale at zero: told apart with every kind of colour vision. */
const BELOW = [
  [246, 246, 244],
  [146, 190, 226],
  [38, 120, 190],
  [8, 58, 112],
];
const ABOVE = [
  [246, 246, 244],
  [246, 180, 130],
  [213, 94, 20],
  [122, 44, 4],
];
const ODD = [204, 0, 160];
/* Cividis, from small to large. */
const SCALE = [
  [0, 34, 78],
  [60, 77, 110],
  [124, 123, 120],
  [187, 174, 111],
  [254, 232, 56],
];

function between(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((c, i) => Math.round(c + (stops[low + 1][i] - c) * (at - low)));
}

/* Levels 1..255 stand for -limit..limit, 0 for what is no finite number. */
function levelColour(level) {
  if (level === 0) return ODD;
  const share = (level - 128) / 127;
  return share < 0 ? between(BELOW, -share) : between(ABOVE, share);
}
const PALETTE = Array.from({length: 256}, (_, level) => levelColour(level));

function pixels([rows, columns, text]) {
  const bytes = atob(text);
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < bytes.length; i++) {
    const [r, g, b] = PALETTE[bytes.charCodeAt(i)];
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function thumbnail(array) {
  array.image = array.image || pixels(array.m).toDataURL();
  return array.image;
}

function heatmap(array, label) {
  const [rows, columns, , limit] = array.m;
  const cell = Math.max(2, Math.min(22, Math.floor(300 / columns), Math.floor(220 / rows)));
  const image = el("img", {
    class: "heatmap",
    src: thumbnail(array),
    alt: `Heatmap of ${label}`,
    width: columns * cell,
    height: rows * cell,
  });
  const bar = el(
    "div",
    {class: "colourbar", "aria-hidden": "true"},
    el("span", {text: `−${format(limit)}`}),
    el("i"),
    el("span", {text: format(limit)}),
  );
  return el(
    "figure",
    {},
    image,
    limit ? bar : null,
    el("figcaption", {text: array.cut ? `Shown: ${array.cut}` : ""}),
  );
}

function histogram(array, label) {
  const [low, high, counts] = array.h;
  const most = Math.max(...counts);
  const w = 300;
  const h = 54;
  const wide = w / counts.length;
  const picture = svg("svg", {
    class: "histogram",
    viewBox: `0 0 ${w} ${h}`,
    role: "img",
    "aria-label": `Histogram of ${label} from ${format(low)} to ${format(high)}`,
  });
  counts.forEach((n, i) => {
    const tall = n ? Math.max(1.5, (n / most) * (h - 2)) : 0;
    picture.append(
      svg(
        "rect",
        {x: i * wide + 0.75, y: h - tall, width: wide - 1.5, height: tall, rx: 1},
        svg("title", {text: `${n}`}),
      ),
    );
  });
  if (low < 0 && high > 0) {
    const x = (-low / (high - low)) * w;
    picture.append(svg("line", {x1: x, x2: x, y1: 0, y2: h, class: "zero"}));
  }
  return el(
    "figure",
    {},
    picture,
    el(
      "div",
      {class: "ends", "aria-hidden": "true"},
      el("span", {text: format(low)}),
      el("span", {text: format(high)}),
    ),
  );
}

/* Small arrays as a table of numbers. */
function table(array, kind) {
  const rows = Array.isArray(array.v[0]) ? array.v : [array.v];
  if (Array.isArray(rows[0][0]) || rows[0].length > 8 || rows.length > 12) return null;
  return el(
    "div",
    {class: "scroll"},
    el(
      "table",
      {class: `numbers ${kind}`},
      el(
        "tbody",
        {},
        ...rows.map((row) => el("tr", {}, ...row.map((value) => el("td", {text: format(value)})))),
      ),
    ),
  );
}

/* -- gradients' norms as colours ------------------------------------------------- */

const normOf = (thing) => {
  if (isGroup(thing)) return thing.arriving;
  if (!thing.gradient) return undefined;
  return thing.gradient.s[5] || thing.gradient.s[6] ? "nan" : thing.gradient.s[3];
};
// Single parameters with next to no gradient, by their nature, don't set the scale.
const scaled = [...boxes.filter((box) => box.kind === "operation"), ...groups];
const norms = scaled.map(normOf).filter((n) => typeof n === "number" && n > 0);
const normRange = norms.length
  ? [Math.floor(Math.log10(Math.min(...norms))), Math.ceil(Math.log10(Math.max(...norms)))]
  : [0, 1];
if (normRange[0] === normRange[1]) normRange[1] += 1;
const normShare = (norm) => (Math.log10(norm) - normRange[0]) / (normRange[1] - normRange[0]);
const rgb = (c) => `rgb(${c.join(" ")})`;
const normColour = (norm) => rgb(between(SCALE, normShare(norm)));

/* Colour a card by what the reader chose. */
function paint(card) {
  const {group, thing} = card;
  const marks = [
    "tone",
    "dark",
    "tonezero",
    "toneodd",
    "right",
    "wrong",
    "unchecked",
    "same",
    "differs",
    "first",
    "second",
  ];
  if (card.painted === state.colour) return;
  card.painted = state.colour;
  group.classList.remove(...marks);
  let mark = "";
  group.style.removeProperty("--tone");
  const inside = isGroup(thing) ? allBoxes(thing) : [thing];
  if (state.colour === "gradient") {
    const norm = normOf(thing);
    if (norm === undefined || norm === null) group.classList.add("unchecked");
    else if (typeof norm === "string") group.classList.add("toneodd");
    else if (norm === 0) group.classList.add("tonezero");
    else {
      group.classList.add("tone");
      group.classList.toggle("dark", normShare(norm) < 0.55);
      group.style.setProperty("--tone", normColour(norm));
    }
  } else if (state.colour === "check") {
    const verdicts = inside.map((box) => data.check.boxes[box.index]).filter(Boolean);
    const has = (word) => verdicts.some(([verdict]) => verdict === word);
    if (verdicts.length) {
      const verdict = has("wrong") ? "wrong" : has("right") ? "right" : "unchecked";
      group.classList.add(verdict);
      mark = {right: "✓", wrong: "✗"}[verdict];
    }
  } else if (state.colour === "difference") {
    const kinds = new Set(inside.map((box) => box.difference[0]));
    const only = kinds.size === 1 ? [...kinds][0] : "differs";
    group.classList.add(only);
    mark = {differs: "≠", first: "−", second: "+"}[only];
  }
  card.mark.textContent = mark || ""; // for those who don't see the colours
}
