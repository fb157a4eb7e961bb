/* The panel at the side: the graph as a whole, or all there is to know of one box. */

const panel = byId("panel");

function showPanel() {
  const step = steps[state.step];
  const thing = state.selected ? things.get(state.selected) : null;
  const parts = [];
  if (step) parts.push(stepCard(step));
  if (!thing) parts.push(...overview());
  else if (isGroup(thing)) parts.push(...groupPanel(thing));
  else parts.push(...boxPanel(thing));
  panel.replaceChildren(...parts.flat().filter(Boolean));
  panel.scrollTop = 0;
}

const section = (title, ...children) =>
  el("section", {}, title ? el("h3", {text: title}) : null, ...children);

function link(thing, text) {
  return el("button", {
    type: "button",
    class: "link",
    text: text || titleOf(thing),
    onclick: () => go(thing.id),
  });
}

/* -- the step -------------------------------------------------------------------- */

function stepCard(step) {
  const box = boxes[step.box];
  const card = el("section", {class: `step ${step.phase}`});
  if (step.phase === "forward") {
    card.append(
      el("h3", {text: `Forward ${ranAt.get(step.box)} of ${data.forward.length}`}),
      el("p", {class: "formula", text: forwardText(box)}),
    );
    return card;
  }
  if (step.phase === "sum") {
    const {one} = step;
    card.append(
      el("h3", {text: "Contributions meet: +="}),
      el("p", {class: "formula", text: sumText(step)}),
      el("p", {
        class: "soft",
        text: `${one.arrival} of ${one.arrivals} contributions to ${titleOf(box)} have arrived.`,
      }),
    );
    return card;
  }
  card.append(el("h3", {text: `Backward: ${titleOf(box)}`}));
  card.append(
    el(
      "p",
      {class: "soft"},
      "upstream gradient ",
      el("b", {text: digestText(step.up)}),
      isScalar(box) ? "" : ` of shape ${shapeText(box.shape)}`,
    ),
  );
  if (step.missing) card.append(el("p", {class: "missing", text: step.missing}));
  if (step.note) card.append(el("p", {class: "soft", text: step.note}));
  for (const one of step.to) {
    const row = el(
      "div",
      {class: "contribution"},
      el("div", {class: "to"}, "to ", link(boxes[one.box]), el("i", {text: one.operand})),
    );
    row.append(el("p", {class: "rule", text: one.rule}));
    if (isNumber(one.value) && isNumber(one.local) && isNumber(step.up)) {
      row.append(
        el(
          "p",
          {class: "product"},
          factor("upstream", step.up),
          el("i", {text: "×"}),
          factor("local", one.local),
          el("i", {text: "="}),
          factor("contribution", one.value),
        ),
      );
    } else if (one.value !== null && one.value !== undefined) {
      // Norms do not multiply: only from which to which it goes.
      row.append(
        el(
          "p",
          {class: "product"},
          factor("‖upstream‖", bare(step.up)),
          el("i", {text: "→"}),
          factor("‖contribution‖", bare(one.value)),
        ),
      );
    }
    if (one.arrivals > 1) {
      row.append(
        el("p", {
          class: "soft",
          text: `contribution ${one.arrival} of ${one.arrivals}, running sum ${digestText(one.total)}`,
        }),
      );
    }
    card.append(row);
  }
  return card;
}
const bare = (found) => (Array.isArray(found) ? found[0] : found);
const factor = (word, value) =>
  el(
    "span",
    {class: `factor ${word.replaceAll("‖", "")}`},
    el("b", {text: format(value)}),
    el("small", {text: word}),
  );

/* -- a box ----------------------------------------------------------------------- */

function boxPanel(box) {
  const kind = {operation: "Operation", leaf: "Tensor with gradient", constant: "Constant"}[
    box.kind
  ];
  const facts = [
    kind,
    box.shape ? `shape ${shapeText(box.shape) || "()"}` : "shape not known",
    box.dtype,
  ].filter(Boolean);
  const parts = [
    el(
      "section",
      {class: "head"},
      crumbs(box),
      el("h2", {text: titleOf(box)}),
      el("p", {class: "facts", text: facts.join(" · ")}),
      box.options ? el("p", {class: "options", text: box.options}) : null,
      box.line ? sourceLine(box.line) : null,
    ),
  ];
  parts.push(...problemsOf(box));
  if (data.check && data.check.boxes[box.index])
    parts.push(checkSection(data.check.boxes[box.index]));
  if (box.difference && box.difference[0] !== "same") {
    parts.push(
      section(
        "Comparison",
        el("p", {class: `difference ${box.difference[0]}`, text: box.difference[1]}),
      ),
    );
  }
  const computed = isComputed(box);
  parts.push(
    arraySection(
      "Value",
      "value",
      computed ? box.value : null,
      box,
      computed ? null : "The forward pass has not come here yet.",
    ),
  );
  if (box.other && box.other.value)
    parts.push(arraySection("Value in the second graph", "value", box.other.value, box));
  if (box.kind !== "constant") {
    const known = gradientNow(box);
    const final = resting() || sameDigest(known, digest(box.gradient));
    if (final) {
      parts.push(arraySection("Gradient", "gradient", box.gradient, box));
    } else {
      parts.push(
        section(
          "Gradient",
          el("p", {
            class: "soft",
            text:
              known === undefined || known === null
                ? "The backward pass has not come here yet."
                : `So far ${digestText(known)}: more contributions are to come.`,
          }),
        ),
      );
    }
    if (box.other && box.other.gradient) {
      parts.push(arraySection("Gradient in the second graph", "gradient", box.other.gradient, box));
    }
    if (box.stored !== undefined && resting()) {
      parts.push(
        el("p", {
          class: "soft pad",
          text: `Its .grad has norm ${format(box.stored)}: it holds another pass, or several added up.`,
        }),
      );
    }
  }
  parts.push(
    neighbours(
      "Takes",
      box.sources.map(([source, operand]) => [boxes[source], operand]),
    ),
  );
  parts.push(
    neighbours(
      "Flows into",
      box.users.map((user) => [boxes[user], ""]),
    ),
  );
  return parts;
}
const sameDigest = (a, b) =>
  JSON.stringify(Array.isArray(a) ? a[0] : a) === JSON.stringify(Array.isArray(b) ? b[0] : b) &&
  a !== undefined;

function crumbs(thing) {
  const around = ancestors(thing).reverse();
  if (!around.length) return null;
  return el(
    "nav",
    {class: "crumbs", "aria-label": "Modules"},
    ...around.flatMap((group, i) => [i ? el("i", {text: "›"}) : null, link(group, group.name)]),
  );
}

function sourceLine([file, line, text]) {
  const short = file.split(/[\\/]/).slice(-2).join("/");
  return el(
    "div",
    {class: "source", title: `${file}:${line}`},
    el("span", {text: `${short}:${line}`}),
    text ? el("code", {text}) : null,
  );
}

function arraySection(title, kind, array, box, why) {
  if (!array) {
    const text =
      why ||
      (kind === "value"
        ? "Not recorded. Compute inside `with autodiff.record():` to have it here."
        : "Not known.");
    return section(title, el("p", {class: "soft", text}));
  }
  const part = el("section", {class: kind}, el("h3", {text: title}));
  if (isNumber(array.v) || (typeof array.v !== "object" && array.v !== undefined)) {
    part.append(el("p", {class: "big", text: format(array.v, 7), "data-exact": String(array.v)}));
    return part;
  }
  if (array.v !== undefined) part.append(...[table(array, kind)].filter(Boolean));
  if (array.m && array.m[0] * array.m[1] > 1)
    part.append(heatmap(array, `${kind} of ${titleOf(box)}`));
  if (array.h) part.append(histogram(array, `${kind} of ${titleOf(box)}`));
  const [least, most, mean, norm, zeros, nans, infinities] = array.s;
  const rows = [
    ["min", format(least)],
    ["max", format(most)],
    ["mean", format(mean)],
    ["norm", format(norm)],
    ["zeros", `${format(100 * zeros, 3)} %`],
  ];
  if (nans) rows.push(["NaN", nans.toLocaleString("en")]);
  if (infinities) rows.push(["infinite", infinities.toLocaleString("en")]);
  part.append(
    el(
      "dl",
      {class: "statistics"},
      ...rows.map(([word, value]) =>
        el(
          "div",
          {class: word === "NaN" || word === "infinite" ? "odd" : ""},
          el("dt", {text: word}),
          el("dd", {text: value}),
        ),
      ),
    ),
  );
  return part;
}

function neighbours(title, found) {
  if (!found.length) return null;
  return section(
    title,
    el(
      "ul",
      {class: "neighbours"},
      ...found
        .slice(0, 40)
        .map(([box, operand]) =>
          el(
            "li",
            {},
            operand ? el("span", {class: "operand", text: operand}) : null,
            link(box),
            el("span", {class: "soft", text: shapeText(box.shape)}),
          ),
        ),
    ),
    found.length > 40 ? el("p", {class: "soft", text: `and ${found.length - 40} more`}) : null,
  );
}

function checkSection([verdict, text]) {
  const word = {
    right: "✓ The rule is right",
    wrong: "✗ The rule is wrong",
    unchecked: "Not checked",
  }[verdict];
  return section(
    "Gradient check",
    el("p", {class: `verdict ${verdict}`, text: word}),
    el("p", {class: "soft", text}),
  );
}

/* -- a module -------------------------------------------------------------------- */

function groupPanel(group) {
  const inside = allBoxes(group).filter((box) => box.kind === "operation").length;
  const facts = [count(inside, "operation")];
  if (group.parameters) facts.push(count(group.parameters, "parameter"));
  const rows = [];
  if (known(group.arriving))
    rows.push(["‖gradient‖ arriving at its results", format(group.arriving)]);
  if (known(group.received)) rows.push(["‖gradient‖ of its parameters", format(group.received)]);
  return [
    el(
      "section",
      {class: "head"},
      crumbs(group),
      el("h2", {text: group.name}),
      el("p", {class: "facts", text: `Module · ${facts.join(" · ")}`}),
      el("button", {
        type: "button",
        class: "wide",
        text: isOpen(group) ? "Close it" : "Open it",
        onclick: () => toggle(group.id),
      }),
    ),
    rows.length
      ? section(
          "Gradient",
          el(
            "dl",
            {class: "statistics long"},
            ...rows.map(([word, value]) =>
              el("div", {}, el("dt", {text: word}), el("dd", {text: value})),
            ),
          ),
        )
      : null,
    normBars("Modules in it", group.groups),
    neighbours(
      "Its results",
      group.results.map((index) => [boxes[index], ""]),
    ),
  ];
}
const known = (value) => value !== null && value !== undefined;
