/* Layered layout of nested boxes.

   Every expanded group is laid out by itself, innermost first, and is one box to the level
   around it. An edge that enters or leaves a group passes through a port on its border. On
   each level the method of Sugiyama, Tagawa and Toda places the boxes: ranks by longest path,
   a free lane in every rank that an edge passes, order by barycenters, coordinates by least
   squares. Lanes keep clear of boxes, and between the ranks there are none: so no edge ever
   runs through a box that it does not belong to.

   All here counts "down" as forward; a drawing from left to right swaps the axes at the end. */

const SPACE = {
  beside: 22, // between neighbours in a rank
  lane: 14, // between an edge that passes and its neighbour
  gap: 46, // between ranks
  steep: 0.1, // more gap for edges that run far sideways
  port: 15, // between the ends of edges at one box
};
const MOST_SWEEPS = 24;

/* tree: {id, items: [{id, w, h} or such a tree]}, edges: [[source id, target id], ...] between
   leaves of the tree, in the order of the operands.
   pads: {start, end, before, after} of a group: above, below, left and right of its items.
   Returns {boxes: Map(id -> {x, y, w, h}), routes: [{source, target, runs}], w, h}; a run is
   a vertical line [x, top, bottom], and curves lead from each to the next. */
function arrange(tree, edges, pads) {
  const parent = new Map();
  const groups = new Map([[tree.id, tree]]);
  (function walk(group) {
    for (const item of group.items) {
      parent.set(item.id, group.id);
      if (item.items) {
        groups.set(item.id, item);
        walk(item);
      }
    }
  })(tree);
  const chain = (id) => {
    const found = [];
    for (let at = parent.get(id); at !== undefined; at = parent.get(at)) found.push(at);
    return found; // innermost first
  };

  // What each level has to connect. The same source has one trunk on a level.
  const links = new Map([...groups.keys()].map((id) => [id, new Map()]));
  const hops = edges.map(([source, target]) => {
    const up = chain(source);
    const down = chain(target);
    const common = up.find((id) => down.includes(id));
    const path = [];
    const add = (level, from, to) => {
      const key = `${source}\n${from}\n${to}`;
      if (!links.get(level).has(key)) links.get(level).set(key, {source, from, to});
      path.push({level, key});
    };
    let inner = source;
    for (const level of up) {
      if (level === common) break;
      add(level, inner, `out ${source}`);
      inner = level;
    }
    const way = down.slice(0, down.indexOf(common)).reverse();
    const stops = [...way, target];
    add(common, inner, stops[0]);
    way.forEach((level, i) => add(level, `in ${source}`, stops[i + 1]));
    return {source, target, path};
  });

  const levels = new Map();
  (function layOut(group) {
    for (const item of group.items) if (item.items) layOut(item);
    const sized = group.items.map((item) => (item.items ? levels.get(item.id) : item));
    const inside = group === tree ? {start: 0, end: 0, before: 0, after: 0} : pads;
    levels.set(group.id, layOutLevel(group, sized, [...links.get(group.id)], inside));
  })(tree);

  // From each level's own coordinates to the drawing's.
  const boxes = new Map();
  const origin = new Map([[tree.id, [0, 0]]]);
  (function place(group) {
    const level = levels.get(group.id);
    const [left, top] = origin.get(group.id);
    for (const item of group.items) {
      const box = level.places.get(item.id);
      const at = {x: left + box.x - box.w / 2, y: top + box.y - box.h / 2, w: box.w, h: box.h};
      boxes.set(item.id, at);
      if (item.items) {
        origin.set(item.id, [at.x, at.y]);
        place(item);
      }
    }
  })(tree);
  const routes = hops.map(({source, target, path}) => {
    const runs = [];
    for (const {level, key} of path) {
      const [left, top] = origin.get(level);
      for (const [x, from, to] of levels.get(level).runs.get(key)) {
        const last = runs[runs.length - 1];
        if (last && Math.abs(last[0] - left - x) < 0.01) last[2] = top + to;
        else runs.push([left + x, top + from, top + to]);
      }
    }
    return {source, target, runs};
  });
  const whole = levels.get(tree.id);
  return {boxes, routes, w: whole.w, h: whole.h};
}

function layOutLevel(group, items, links, pads) {
  // Vertices: items, then ports, then lanes. `x` is the centre.
  const vertices = items.map((item) => ({id: item.id, w: item.w, h: item.h, item, rank: 0}));
  const index = new Map(vertices.map((vertex, i) => [vertex.id, i]));
  const add = (vertex) => vertices.push({h: 0, w: 2, rank: 0, ...vertex}) - 1;
  const trunks = new Map(); // source -> {from, to: [{vertex, key}]}
  for (const [key, {source, from, to}] of links) {
    for (const [id, port] of [
      [from, "in"],
      [to, "out"],
    ]) {
      if (!index.has(id)) index.set(id, add({id, port}));
    }
    if (!trunks.has(source)) trunks.set(source, {from: index.get(from), to: []});
    trunks.get(source).to.push({vertex: index.get(to), key});
  }
  assignRanks(vertices, trunks);

  // Lanes: one for each rank that a trunk passes.
  const above = vertices.map(() => []);
  const below = vertices.map(() => []);
  const join = (upper, lower, source) => {
    below[upper].push({vertex: lower, source});
    above[lower].push({vertex: upper, source});
  };
  for (const [source, trunk] of trunks) {
    const first = vertices[trunk.from].rank;
    const last = Math.max(...trunk.to.map(({vertex}) => vertices[vertex].rank));
    trunk.lanes = [];
    let former = trunk.from;
    for (let rank = first + 1; rank < last; rank++) {
      const lane = add({id: `lane ${source} ${rank}`, lane: true, rank});
      above.push([]);
      below.push([]);
      join(former, lane, source);
      trunk.lanes.push(lane);
      former = lane;
    }
    for (const {vertex} of trunk.to) {
      const rank = vertices[vertex].rank;
      join(rank === first + 1 ? trunk.from : trunk.lanes[rank - first - 2], vertex, source);
    }
  }

  const layers = orderLayers(vertices, above, below);
  const spine = findSpines(vertices, layers, above);
  spreadPorts(vertices, above, layers, spine);
  assignX(vertices, layers, above, below, spine);
  const size = assignY(vertices, layers, below, pads);
  for (const vertex of vertices) vertex.x += pads.before - size.left;

  const places = new Map();
  const ins = new Map();
  const outs = new Map();
  for (const vertex of vertices) {
    if (vertex.item) places.set(vertex.id, vertex);
    if (vertex.port === "in") ins.set(vertex.id.slice(3), vertex.x);
    if (vertex.port === "out") outs.set(vertex.id.slice(4), vertex.x);
  }
  const w = Math.max(size.right - size.left + pads.before + pads.after, group.least || 0);
  const runs = new Map();
  for (const [source, trunk] of trunks) {
    for (const {vertex, key} of trunk.to) {
      runs.set(key, route(vertices, trunk, vertex, source, size));
    }
  }
  return {id: group.id, w, h: size.h, places, runs, ins, outs};
}

/* Ranks from 0 at the top: as close above what it flows into as a vertex can be, so that a
   weight lies beside its layer. Ports lie on ranks of their own. */
function assignRanks(vertices, trunks) {
  const targets = vertices.map(() => []);
  const waits = vertices.map(() => 0);
  for (const {from, to} of trunks.values()) {
    for (const {vertex} of to) {
      targets[from].push(vertex);
      waits[vertex] += 1;
    }
  }
  const ready = vertices.map((_, i) => i).filter((i) => !waits[i]);
  for (const i of ready) for (const j of targets[i]) if (--waits[j] === 0) ready.push(j);
  const height = vertices.map((vertex) => (vertex.port === "out" ? -1 : 0));
  let most = 0;
  for (const i of ready.reverse()) {
    for (const j of targets[i]) height[i] = Math.max(height[i], height[j] + 1);
    if (vertices[i].port !== "in") most = Math.max(most, height[i]);
  }
  const hasIn = vertices.some((vertex) => vertex.port === "in");
  vertices.forEach((vertex, i) => {
    vertex.rank = vertex.port === "in" ? 0 : most - height[i] + (hasIn ? 1 : 0);
  });
}

/* The order in each rank: a walk from the ends that visits operands in their order, improved
   by sweeps of barycenters; the order with the fewest crossings is kept. */
function orderLayers(vertices, above, below) {
  const layers = [];
  for (const {rank} of vertices) while (layers.length <= rank) layers.push([]);
  const seen = new Set();
  const waiting = vertices.map((_, i) => i).filter((i) => !below[i].length);
  waiting.reverse();
  while (waiting.length) {
    const i = waiting.pop();
    if (seen.has(i)) continue;
    seen.add(i);
    layers[vertices[i].rank].push(i);
    for (const {vertex} of [...above[i]].reverse()) waiting.push(vertex);
  }
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(best, below);
  const current = best.map((layer) => [...layer]);
  const sweeps = Math.min(MOST_SWEEPS, Math.max(4, Math.round(12000 / vertices.length)));
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? above : below;
    const position = [];
    current.forEach((layer) =>
      layer.forEach((v, i) => {
        position[v] = (i + 0.5) / layer.length;
      }),
    );
    const order = current.map((_, rank) => rank);
    if (!down) order.reverse();
    for (const rank of order) {
      const key = new Map(
        current[rank].map((v) => {
          const at = near[v].map(({vertex}) => position[vertex]);
          return [v, at.length ? at.reduce((a, b) => a + b, 0) / at.length : position[v]];
        }),
      );
      current[rank].sort((a, b) => key.get(a) - key.get(b));
      current[rank].forEach((v, i) => {
        position[v] = (i + 0.5) / current[rank].length;
      });
    }
    const count = crossings(current, below);
    if (count < fewest) {
      best = current.map((layer) => [...layer]);
      fewest = count;
    }
  }
  return best;
}

function crossings(layers, below) {
  let total = 0;
  for (let rank = 0; rank + 1 < layers.length; rank++) {
    const position = new Map(layers[rank + 1].map((v, i) => [v, i + 1]));
    const size = layers[rank + 1].length;
    const tree = Array.from({length: size + 1}, () => 0); // Fenwick: how many ends lie at or left of i
    let passed = 0;
    for (const v of layers[rank]) {
      const ends = below[v].map(({vertex}) => position.get(vertex));
      for (const end of ends) {
        let upTo = 0;
        for (let i = end; i > 0; i -= i & -i) upTo += tree[i];
        total += passed - upTo;
      }
      for (const end of ends) {
        for (let i = end; i <= size; i += i & -i) tree[i] += 1;
        passed += 1;
      }
    }
  }
  return total;
}

/* Where edges end at a box, from its centre: side by side in the order of what they come from;
   at a group, where its own layout put the ports. */
function spreadPorts(vertices, above, layers, spine) {
  const position = [];
  layers.forEach((layer) =>
    layer.forEach((v, i) => {
      position[v] = i;
    }),
  );
  vertices.forEach((vertex, i) => {
    vertex.enter = new Map();
    const {item} = vertex;
    if (item && item.ins) {
      for (const [source, x] of item.ins) vertex.enter.set(source, x - item.w / 2);
      return;
    }
    const sorted = [...above[i]].sort((a, b) => position[a.vertex] - position[b.vertex]);
    // What continues the longest path comes in at the centre: such paths are straight.
    const straight = sorted.findIndex((link) => link.vertex === spine[i]);
    const most = sorted.length - 1;
    const centre = straight >= 0 && most < 8 ? straight : most / 2;
    const room = Math.max(0, vertex.w / 2 - 12);
    const step = Math.min(SPACE.port, room / Math.max(centre, most - centre, 1));
    sorted.forEach(({source}, k) => {
      vertex.enter.set(source, (k - centre) * step);
    });
  });
}

const leaves = (vertex, source) =>
  vertex.item && vertex.item.outs ? vertex.item.outs.get(source) - vertex.item.w / 2 : 0;
