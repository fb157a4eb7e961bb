/* Where the boxes of a layer go, and the way of each edge between them. */

function assignX(vertices, layers, above, below, spine) {
  const apart = layers.map((layer) =>
    layer.slice(1).map((v, i) => {
      const [a, b] = [vertices[layer[i]], vertices[v]];
      const thin = (one) => one.lane || one.port;
      const between = thin(a) || thin(b) ? SPACE.lane : SPACE.beside;
      return (a.w + b.w) / 2 + between;
    }),
  );
  layers.forEach((layer, rank) => {
    let x = -apart[rank].reduce((a, b) => a + b, 0) / 2;
    layer.forEach((v, i) => {
      if (i) x += apart[rank][i - 1];
      vertices[v].x = x;
    });
  });
  const long = spineLengths(spine, layers);
  // Where a vertex would have to lie for the edge from or to a neighbour to be straight.
  const fromAbove = (v, {vertex, source}) =>
    vertices[vertex].x + leaves(vertices[vertex], source) - (vertices[v].enter.get(source) || 0);
  const fromBelow = (v, {vertex, source}) =>
    vertices[vertex].x + (vertices[vertex].enter.get(source) || 0) - leaves(vertices[v], source);
  const sweeps = Math.min(MOST_SWEEPS, Math.max(4, Math.round(12000 / vertices.length)));
  const ranks = layers.map((_, rank) => rank);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const rank of sweep % 2 ? [...ranks].reverse() : ranks) {
      const wanted = [];
      const weights = [];
      for (const v of layers[rank]) {
        let sum = 0;
        let total = 0;
        for (const link of above[v]) {
          const weight = spine[v] === link.vertex ? 30 : 1;
          sum += weight * fromAbove(v, link);
          total += weight;
        }
        for (const link of below[v]) {
          const weight = spine[link.vertex] === v ? 30 : 1;
          sum += weight * fromBelow(v, link);
          total += weight;
        }
        wanted.push(total ? sum / total : vertices[v].x);
        weights.push(long[v] > 1 || vertices[v].lane ? 30 : 1);
      }
      nearest(wanted, weights, apart[rank]).forEach((x, i) => {
        vertices[layers[rank][i]].x = x;
      });
    }
  }
  // The long paths straight, downward and then upward; what lies beside them gives way.
  const onward = new Map();
  for (const v of [...vertices.keys()].sort((a, b) => long[a] - long[b])) {
    if (spine[v] >= 0) onward.set(spine[v], v);
  }
  const linkTo = (list, vertex) => list.find((link) => link.vertex === vertex);
  for (const down of [true, false]) {
    for (const rank of down ? ranks : [...ranks].reverse()) {
      const wanted = layers[rank].map((v) => {
        if (down) return spine[v] >= 0 ? fromAbove(v, linkTo(above[v], spine[v])) : vertices[v].x;
        return onward.has(v) ? fromBelow(v, linkTo(below[v], onward.get(v))) : vertices[v].x;
      });
      const weights = layers[rank].map((v) => long[v] ** 4);
      nearest(wanted, weights, apart[rank]).forEach((x, i) => {
        vertices[layers[rank][i]].x = x;
      });
    }
  }
}

/* For each vertex the one above that continues its longest path, -1 for none. */
function findSpines(vertices, layers, above) {
  const depth = vertices.map(() => 0);
  const spine = vertices.map(() => -1);
  for (const layer of layers) {
    for (const v of layer) {
      // Lanes of weights that are used everywhere are long too, but not what a graph is about.
      const rated = (i) => depth[i] - (vertices[i].lane && !vertices[v].lane ? 0.5 : 0);
      const ranked = above[v].map(({vertex}) => vertex).sort((a, b) => rated(b) - rated(a));
      if (!ranked.length) continue;
      depth[v] = Math.max(...ranked.map((i) => depth[i])) + 1;
      if (ranked.length === 1 || rated(ranked[0]) > rated(ranked[1])) spine[v] = ranked[0];
    }
  }
  return spine;
}

function spineLengths(spine, layers) {
  const length = spine.map(() => 1);
  for (const layer of layers) {
    for (const v of layer) if (spine[v] >= 0) length[v] = length[spine[v]] + 1;
  }
  for (const layer of [...layers].reverse()) {
    for (const v of layer) {
      if (spine[v] >= 0) length[spine[v]] = Math.max(length[spine[v]], length[v]);
    }
  }
  return length;
}

/* The positions nearest to the wanted ones (weighted least squares) that keep the distances:
   pooling adjacent violators. */
function nearest(wanted, weights, apart) {
  const offsets = [0];
  for (const step of apart) offsets.push(offsets[offsets.length - 1] + step);
  const blocks = [];
  wanted.forEach((want, i) => {
    let block = {mean: want - offsets[i], total: weights[i], members: 1};
    while (blocks.length && blocks[blocks.length - 1].mean > block.mean) {
      const other = blocks.pop();
      const total = block.total + other.total;
      block = {
        mean: (block.mean * block.total + other.mean * other.total) / total,
        total,
        members: block.members + other.members,
      };
    }
    blocks.push(block);
  });
  const placed = [];
  for (const {mean, members} of blocks) {
    for (let i = 0; i < members; i++) placed.push(mean + offsets[placed.length]);
  }
  return placed;
}

/* Stack the ranks. A rank's members are centred in its band. */
function assignY(vertices, layers, below, pads) {
  let left = Infinity;
  let right = -Infinity;
  for (const vertex of vertices) {
    left = Math.min(left, vertex.x - vertex.w / 2);
    right = Math.max(right, vertex.x + vertex.w / 2);
  }
  if (!vertices.length) [left, right] = [0, 0];
  const bands = [];
  let y = 0;
  layers.forEach((layer, rank) => {
    const h = Math.max(0, ...layer.map((v) => vertices[v].h));
    const only = (port) => layer.length > 0 && layer.every((v) => vertices[v].port === port);
    if (rank === 0) y = only("in") ? 0 : pads.start;
    bands.push({top: y, bottom: y + h});
    for (const v of layer) vertices[v].y = y + h / 2;
    let spread = 0;
    for (const v of layer) {
      for (const {vertex, source} of below[v]) {
        const to = vertices[vertex].x + (vertices[vertex].enter.get(source) || 0);
        spread = Math.max(spread, Math.abs(vertices[v].x + leaves(vertices[v], source) - to));
      }
    }
    const border = only("in") ? pads.start + 6 : 0;
    const leaving =
      rank + 2 === layers.length && layers[rank + 1].every((v) => vertices[v].port === "out");
    const gap = only("in") || leaving ? border + (leaving ? pads.end + 8 : 0) : SPACE.gap;
    y += h + gap + Math.min(100, SPACE.steep * spread);
  });
  const last = layers[layers.length - 1] || [];
  const open = last.length > 0 && last.some((v) => vertices[v].port === "out");
  const bottom = bands.length ? bands[bands.length - 1].bottom : 0;
  const h = open ? bottom : bottom + pads.end;
  return {left, right, h, bands};
}

/* The vertical runs of one edge on one level: out of its source, down its lanes, into its
   target. */
function route(vertices, trunk, target, source, {bands, h}) {
  const from = vertices[trunk.from];
  const to = vertices[target];
  const bottom = (vertex) => bands[vertex.rank].bottom;
  const runs = [];
  const start = from.x + leaves(from, source);
  const begin = from.port === "in" ? 0 : from.y + from.h / 2;
  runs.push([start, begin, Math.max(begin, bottom(from))]);
  for (const lane of trunk.lanes.slice(0, Math.max(0, to.rank - from.rank - 1))) {
    const {x, rank} = vertices[lane];
    runs.push([x, bands[rank].top, bands[rank].bottom]);
  }
  const end = to.port === "out" ? h : to.y - to.h / 2;
  runs.push([to.x + (to.enter.get(source) || 0), Math.min(end, bands[to.rank].top), end]);
  return runs;
}
