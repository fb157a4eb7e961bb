/* Random nested graphs, laid out: what no layout may show. Returns what was found wrong. */

function faults(trials) {
  let seed = 1;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  const found = [];
  for (let trial = 0; trial < trials; trial++) {
    const {tree, edges} = randomGraph(random);
    const pads = {start: 34, end: 14, before: 16, after: 16};
    const {boxes, routes} = arrange(tree, edges, pads);
    const around = new Map();
    (function walk(group) {
      for (const item of group.items) {
        around.set(item.id, [...(around.get(group.id) || []), item.id]);
        if (item.items) walk(item);
      }
    })(tree);
    const all = [...boxes];
    const report = (...words) => found.push([trial, ...words].join(" "));
    all.forEach(([a, one], i) => {
      for (const [b, two] of all.slice(i + 1)) {
        if (around.get(a).includes(b) || around.get(b).includes(a)) {
          const [inner, outer] = around.get(a).includes(b) ? [one, two] : [two, one];
          if (!contains(outer, inner)) report(a, "sticks out of or into", b);
        } else if (overlap(one, two)) report(a, "overlaps", b);
      }
    });
    for (const {source, target, runs} of routes) {
      const points = pointsOf(runs);
      if (points.some(([, y], i) => i && y < points[i - 1][1] - 0.01)) {
        report("an edge runs up from", source, "to", target);
      }
      for (const [id, box] of all) {
        const own = around.get(source).includes(id) || around.get(target).includes(id);
        if (!own && points.some((point) => inside(point, box))) {
          report("the edge from", source, "to", target, "crosses", id);
        }
      }
    }
  }
  return found;
}

/* Boxes in groups of consecutive ones, with edges from earlier to later ones. */
function randomGraph(random) {
  const count = 2 + Math.floor(random() * 60);
  let groups = 0;
  const build = (from, to, depth) => {
    const items = [];
    for (let i = from; i < to;) {
      if (depth < 3 && random() < 0.15 && to - i > 2) {
        const end = Math.min(to, i + 2 + Math.floor(random() * 10));
        items.push({id: `g${groups++}`, items: build(i, end, depth + 1), least: 120});
        i = end;
      } else {
        items.push({id: `n${i++}`, w: 40 + random() * 160, h: 28 + random() * 45});
      }
    }
    return items;
  };
  const tree = {id: "root", items: build(0, count, 0)};
  const edges = new Map();
  for (let target = 1; target < count; target++) {
    for (let k = Math.floor(random() * 4); k > 0; k--) {
      const near = Math.max(0, target - 1 - Math.floor(random() * 3));
      const source = random() < 0.6 ? near : Math.floor(random() * target);
      edges.set(`${source} ${target}`, [`n${source}`, `n${target}`]);
    }
  }
  return {tree, edges: [...edges.values()]};
}

function pointsOf(runs) {
  const points = [];
  runs.forEach(([x, top, bottom], i) => {
    if (i) {
      const [before, , y] = runs[i - 1];
      const middle = (y + top) / 2;
      for (let t = 0; t <= 1; t += 0.05) {
        const mix = (a, b, c, d) =>
          a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t * t * (1 - t) + d * t ** 3;
        points.push([mix(before, before, x, x), mix(y, middle, middle, top)]);
      }
    }
    for (let t = 0; t <= 1; t += 0.1) points.push([x, top + t * (bottom - top)]);
  });
  return points;
}

const overlap = (a, b) =>
  a.x < b.x + b.w - 0.01 && b.x < a.x + a.w - 0.01 && a.y < b.y + b.h - 0.01 && b.y < a.y + a.h - 0.01;
const contains = (a, b) =>
  b.x > a.x - 0.01 && b.x + b.w < a.x + a.w + 0.01 && b.y > a.y - 0.01 && b.y + b.h < a.y + a.h + 0.01;
const inside = ([x, y], b) =>
  x > b.x + 0.5 && x < b.x + b.w - 0.5 && y > b.y + 0.5 && y < b.y + b.h - 0.5;
