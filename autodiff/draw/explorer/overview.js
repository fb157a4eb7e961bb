/* The panel for the graph as a whole: what is missing, what is wrong, where gradients are. */

/* -- the whole ------------------------------------------------------------------- */

function overview() {
  const leaves = boxes.filter((box) => box.kind === "leaf");
  const entries = leaves.reduce((sum, box) => sum + box.shape.reduce((a, b) => a * b, 1), 0);
  const parts = [
    el(
      "section",
      {class: "head"},
      el("h2", {text: data.title}),
      el("p", {
        class: "facts",
        text: [
          count(data.forward.length, "operation"),
          groups.length ? count(groups.length, "module") : "",
          `${count(leaves.length, "tensor")} with gradient, ${count(entries, "number")}`,
        ]
          .filter(Boolean)
          .join(" · "),
      }),
    ),
  ];
  if (data.missing) parts.push(missingSection(data.missing));
  parts.push(problemSection());
  if (data.check) parts.push(checkSummary());
  if (boxes.some((box) => box.difference)) parts.push(differenceSummary());
  for (const run of data.series) {
    parts.push(seriesChart(run));
  }
  parts.push(normBars("Gradient by module", mainGroups()));
  parts.push(parameterBars(leaves));
  if (data.cut.arrays) {
    parts.push(
      el("p", {
        class: "soft pad",
        text:
          `${data.cut.arrays} of ${data.cut.of} arrays are larger than ` +
          `${data.cut.side} × ${data.cut.side}: their heatmaps leave evenly spaced rows and ` +
          "columns out, and histograms of more than 4,096 entries count an evenly spaced part " +
          "of them. All other numbers are of all entries.",
      }),
    );
  }
  return parts;
}

function missingSection(missing) {
  const words = [];
  if (missing.values) {
    words.push(`${missing.values} of ${count(boxes.length, "value")} were not recorded.`);
  }
  if (missing.steps)
    words.push(`${count(missing.steps, "backward step")} can't be shown: ${missing.why}`);
  return el(
    "section",
    {class: "notice"},
    el("h3", {text: "Not all of this graph was recorded"}),
    el("p", {text: words.join(" ")}),
    el("p", {text: "Record it to see every number:"}),
    el("pre", {
      text: 'with autodiff.record():\n    loss = model(x)  # …\ndraw.explore(loss, "backprop.html")',
    }),
  );
}

function problemSection() {
  if (!data.problems.length) {
    return data.missing
      ? null
      : el("p", {
          class: "fine pad",
          text: "✓ No problems: every number is finite, and gradients arrive everywhere.",
        });
  }
  return section(count(data.problems.length, "problem"), ...data.problems.map(problemCard));
}

function problemCard(problem) {
  const where = problem.began ?? problem.boxes[0];
  return el(
    "div",
    {class: `problem ${problem.kind}`},
    el("h4", {text: problem.title}),
    el("p", {text: problem.text}),
    where === undefined
      ? null
      : el("button", {
          type: "button",
          class: "link",
          text: problem.path ? "Show the path" : "Show it",
          onclick: () => showProblem(problem),
        }),
  );
}

function showProblem(problem) {
  goTo(0);
  const shown = problem.path || problem.boxes;
  for (const index of shown.slice(0, 60)) openAround(boxes[index]);
  state.path = shown;
  go(boxes[problem.began ?? problem.boxes[0]].id);
}

function problemsOf(box) {
  return data.problems
    .filter(
      (problem) => problem.boxes.includes(box.index) || (problem.path || []).includes(box.index),
    )
    .map(problemCard);
}

function checkSummary() {
  const verdicts = data.check.boxes.filter(Boolean);
  const wrong = boxes.filter(
    (box) => data.check.boxes[box.index] && data.check.boxes[box.index][0] === "wrong",
  );
  const right = verdicts.filter(([verdict]) => verdict === "right").length;
  const text = wrong.length
    ? `${count(wrong.length, "operation")} of ${verdicts.length} hand up a gradient that ` +
      "finite differences contradict."
    : `${right} of ${verdicts.length} operations were checked alone, and their rules agree ` +
      "with finite differences.";
  return section(
    "Gradient check",
    el("p", {class: `verdict ${wrong.length ? "wrong" : "right"}`, text}),
    wrong.length
      ? el("ul", {class: "neighbours"}, ...wrong.slice(0, 20).map((box) => el("li", {}, link(box))))
      : null,
  );
}

function differenceSummary() {
  const by = (kind) => boxes.filter((box) => box.difference[0] === kind);
  const rows = [
    ["differs", "≠ differ in value or gradient"],
    ["first", "− only in the first graph"],
    ["second", "+ only in the second graph"],
  ];
  return section(
    "Comparison",
    ...rows.map(([kind, words]) => {
      const found = by(kind);
      return el(
        "div",
        {class: `difference ${kind}`},
        el("p", {text: `${found.length} ${words}`}),
        found.length
          ? el(
              "ul",
              {class: "neighbours"},
              ...found
                .slice(0, 8)
                .map((box) =>
                  el("li", {}, link(box), el("span", {class: "soft", text: box.difference[1]})),
                ),
            )
          : null,
      );
    }),
    el("p", {class: "soft", text: `${by("same").length} of ${boxes.length} boxes are the same.`}),
  );
}

/* The outermost modules; where there is only one, those in it. */
function mainGroups() {
  let found = roots.groups;
  while (found.length === 1 && found[0].groups.length) found = found[0].groups;
  return found;
}

function normBars(title, found) {
  const rows = found.filter((group) => known(group.arriving) || known(group.received));
  if (rows.length < 2) return null;
  return section(
    title,
    el("p", {
      class: "soft",
      text: "Norm of the gradient that arrives at each module's results, log scale",
    }),
    ...rows.slice(0, 60).map((group) => bar(group, group.name, group.arriving ?? group.received)),
  );
}

function parameterBars(leaves) {
  const rows = leaves.filter((box) => box.gradient);
  if (rows.length < 2) return null;
  return section(
    "Gradient by parameter",
    el("p", {class: "soft", text: "Norm, log scale"}),
    ...rows.slice(0, 40).map((box) => bar(box, box.path || titleOf(box), normOf(box))),
    rows.length > 40 ? el("p", {class: "soft", text: `and ${rows.length - 40} more`}) : null,
  );
}

function bar(thing, name, norm) {
  const share = typeof norm === "number" && norm > 0 ? 0.04 + 0.96 * normShare(norm) : 0;
  const colour = typeof norm === "number" && norm > 0 ? normColour(norm) : "transparent";
  return el(
    "button",
    {type: "button", class: "barrow", onclick: () => go(thing.id), title: name},
    el("span", {class: "name"}, el("bdi", {text: name})),
    el(
      "span",
      {class: "barbox"},
      el("i", {style: `width:${(100 * share).toFixed(1)}%;background:${colour}`}),
    ),
    el("span", {class: "value", text: format(norm, 3)}),
  );
}

/* Norms along repeated modules: a recurrent net's time steps, a stack of blocks. */
function seriesChart(run) {
  const rows = run.groups.map((index) => groups[index]);
  const values = rows.map((group) => group.arriving ?? group.received);
  const finite = values.filter((v) => typeof v === "number" && v > 0);
  if (finite.length < 2) return null;
  const logs = finite.map(Math.log10);
  let [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  if (low === high) high += 1;
  const w = 300;
  const h = 92;
  const x = (i) => 40 + (i * (w - 52)) / Math.max(1, rows.length - 1);
  const y = (v) => 8 + (1 - (Math.log10(v) - low) / (high - low)) * (h - 30);
  const chart = svg("svg", {
    class: "series",
    viewBox: `0 0 ${w} ${h}`,
    role: "img",
    "aria-label": `Gradient norm over ${rows.length} × ${run.name}: ${values.map((v) => format(v, 3)).join(", ")}`,
  });
  for (const power of new Set([low, high, Math.round((low + high) / 2)])) {
    const at = y(10 ** power);
    chart.append(
      svg("line", {class: "rule", x1: 34, x2: w, y1: at, y2: at}),
      svg("text", {class: "tick", x: 30, y: at + 3, text: `1e${String(power).replace("-", "−")}`}),
    );
  }
  const points = values.map((v, i) => (typeof v === "number" && v > 0 ? [x(i), y(v)] : null));
  chart.append(
    svg("polyline", {
      class: "curve",
      points: points
        .filter(Boolean)
        .map((p) => p.join(","))
        .join(" "),
    }),
  );
  points.forEach((p, i) => {
    if (!p) return;
    chart.append(
      svg(
        "circle",
        {
          class: "point",
          cx: p[0],
          cy: p[1],
          r: 4.5,
          style: `fill:${normColour(values[i])}`,
          onclick: () => go(rows[i].id),
        },
        svg("title", {text: `${rows[i].name}: ${format(values[i])}`}),
      ),
    );
  });
  chart.append(
    svg("text", {class: "tick start", x: x(0), y: h - 5, text: shorten(rows[0].name, 18)}),
    svg("text", {class: "tick", x: w - 6, y: h - 5, text: shorten(rows[rows.length - 1].name, 18)}),
  );
  const ratio = finite[0] / finite[finite.length - 1];
  const words =
    ratio < 1e-3 || ratio > 1e3
      ? `From the last ${run.name} back to the first the gradient changes by a factor of ${format(ratio, 2)}.`
      : "";
  const around = groups[rows[0].parent];
  return section(
    `Gradient along ${rows.length} × ${run.name}${around ? ` of ${around.name}` : ""}`,
    el("p", {class: "soft", text: "Norm of the gradient that arrives at each one's results"}),
    chart,
    words ? el("p", {class: "soft", text: words}) : null,
  );
}
