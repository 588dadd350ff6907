// Labels at the ends of lines, pushed apart in pixels after Plotly has drawn, whatever the zoom.

const GAP = 1;
const BELOW_AXIS = 4; // how far a label may hang below the plot: the axis's own words follow there
const LEADER_FROM = 5; // a label moved by less needs no line that leads back to its end

/**
 * Push the end labels of a drawn plot apart and lead each moved one back to the end of its line.
 * Moves Plotly's own SVG groups: a second layout pass would cost as much as drawing.
 */
export function arrange(target, tokens) {
  const full = target._fullLayout;
  if (!full) return;
  const layer = full._infolayer.node();
  layer.querySelectorAll(".bnviz-leader").forEach((old) => old.remove());
  const bottom = full._size.t + full._size.h + BELOW_AXIS;
  for (const column of columns(endLabels(target, full, layer))) {
    spread(column, 0, bottom);
    column.forEach((label) => place(label, layer, tokens));
  }
  alignUnits(target, full, layer);
}

/** The unit stands on one line with the numbers of its axis. */
function alignUnits(target, full, layer) {
  const tick = target.querySelector(".xaxislayer-above .xtick text, .xaxislayer-below .xtick text");
  if (!tick) return;
  const ticks = boxIn(target, tick);
  for (const [index, note] of (full.annotations ?? []).entries()) {
    if (note.name !== "x-unit") continue;
    const group = layer.querySelector(`.annotation[data-index="${index}"]`);
    if (!group) continue;
    group.removeAttribute("transform");
    const box = boxIn(target, group);
    group.setAttribute("transform", `translate(0, ${((ticks.top + ticks.bottom - box.top - box.bottom) / 2).toFixed(1)})`);
  }
}

/** How far labels were pushed, by annotation index: for exports, which draw anew. */
export function pushes(target) {
  const layer = target._fullLayout?._infolayer.node();
  const groups = layer?.querySelectorAll(".annotation[data-push]") ?? [];
  return new Map([...groups].map((group) => [Number(group.dataset.index), Number(group.dataset.push)]));
}

function endLabels(target, full, layer) {
  const labels = [];
  (full.annotations ?? []).forEach((note, index) => {
    if (note.name !== "end-label" || note.visible === false) return;
    const group = layer.querySelector(`.annotation[data-index="${index}"]`);
    const text = group?.querySelector(".annotation-text-g");
    if (!text) return;
    group.removeAttribute("transform");
    const box = boxIn(target, text);
    const middle = (box.top + box.bottom) / 2;
    labels.push({
      group,
      index,
      column: note.xref,
      left: box.left,
      drawn: middle,
      height: box.bottom - box.top,
      // The end of the line: a spec's own shifts are guesses for one size of plot.
      end: box.left - (note.xshift ?? 0),
      wish: middle + (note.yshift ?? 0),
    });
  });
  return labels;
}

function boxIn(target, node) {
  const outer = target.getBoundingClientRect();
  const box = node.getBoundingClientRect();
  return { left: box.left - outer.left, top: box.top - outer.top, bottom: box.bottom - outer.top };
}

function columns(labels) {
  const byColumn = new Map();
  for (const label of labels) byColumn.set(label.column, [...(byColumn.get(label.column) ?? []), label]);
  return byColumn.values();
}

/** Give every label of a column a `place`: the middle it wishes where there is room, else as near as the others allow. */
export function spread(column, top, bottom) {
  // Labels of lines that end on one point keep their order: what comes later stands above, as larger values do.
  column.sort((a, b) => Math.round(a.wish) - Math.round(b.wish) || b.index - a.index);
  const heaps = []; // labels that touch, each heap around the mean of where its labels want to be
  for (const label of column) {
    heaps.push({ labels: [label], height: label.height, wish: label.wish });
    settle(heaps[heaps.length - 1], top, bottom);
    while (heaps.length > 1 && overlap(heaps[heaps.length - 2], heaps[heaps.length - 1])) {
      const below = heaps.pop();
      const above = heaps.pop();
      const labels = [...above.labels, ...below.labels];
      const height = above.height + GAP + below.height;
      const heap = { labels, height, wish: labels.reduce((sum, one) => sum + one.wish, 0) / labels.length };
      settle(heap, top, bottom);
      heaps.push(heap);
    }
  }
  for (const heap of heaps) {
    let y = heap.top;
    for (const label of heap.labels) {
      label.place = y + label.height / 2;
      y += label.height + GAP;
    }
  }
}

function settle(heap, top, bottom) {
  heap.top = Math.max(top, Math.min(heap.wish - heap.height / 2, bottom - heap.height));
}

function overlap(above, below) {
  return above.top + above.height + GAP > below.top;
}

function place(label, layer, tokens) {
  const push = label.place - label.drawn;
  label.group.dataset.push = push.toFixed(1);
  if (Math.abs(push) >= 0.5) label.group.setAttribute("transform", `translate(0, ${push.toFixed(1)})`);
  if (Math.abs(label.place - label.wish) < LEADER_FROM) return;
  const leader = document.createElementNS("http://www.w3.org/2000/svg", "path");
  leader.setAttribute("class", "bnviz-leader");
  leader.setAttribute("d", `M${label.end + 6},${label.wish}L${label.left - 1},${label.place}`);
  leader.setAttribute("style", `stroke:${tokens.axis};stroke-width:1;fill:none`);
  layer.prepend(leader);
}
