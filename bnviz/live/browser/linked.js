// The step under the cursor, shown in the other charts: a dot on every path, a line and dots on curves over time.
//
// A spec says in meta.cursor how steps map to its places: kind "time" has steps at x (per competitor, or one for all;
// without them x is the step itself), kind "path" has traces with their steps in customdata. `lines` are the traces that
// take a dot: [number, role of its colour, number of its competitor].

import { count } from "./dom.js";
import { projected } from "./scenes.js";

const SVG = "http://www.w3.org/2000/svg";
const DOT = 5.5;

export class Linked {
  /** @param {Map<string, import("./draw.js").Plot>} plots */
  constructor(plots) {
    this.plots = plots;
    this.heard = new WeakSet();
  }

  /** After each drawing of a plot: listen to it from the first time on, and show again what is shown. */
  follow(plot) {
    const { target } = plot;
    if (!target.on) return; // not drawn
    if (!this.heard.has(target)) {
      this.heard.add(target);
      target.on("plotly_hover", (event) => this.hover(plot, event));
      target.on("plotly_unhover", () => this.clear());
      target.on("plotly_afterplot", () => this.show(plot)); // after a zoom as well
      target.on("plotly_relayouting", () => erase(plot));
    }
    this.show(plot);
  }

  hover(plot, { points }) {
    const step = stepAt(plot.spec?.layout.meta, plot.spec?.data, points);
    if (step === undefined) return this.clear();
    this.source = plot;
    this.step = step;
    for (const one of this.plots.values()) this.show(one);
  }

  clear() {
    if (this.step === undefined) return;
    this.step = this.source = undefined;
    for (const one of this.plots.values()) erase(one);
  }

  /** What of this chart answers: paths always, curves over time only to a path, for they have a line of their own. */
  show(plot) {
    if (this.step === undefined || !plot.target._fullLayout || !plot.spec) return;
    const cursor = cursorOf(plot.spec.layout.meta);
    const isAnswer = cursor?.kind === "path" || (cursor && cursorOf(this.source.spec.layout.meta)?.kind === "path");
    if (isAnswer) draw(plot, cursor, this.step);
    else erase(plot);
  }
}

/** A chart over steps needs to say nothing more. */
function cursorOf(meta) {
  return meta?.cursor ?? (meta?.time_axes?.length && meta.x === "steps" ? { kind: "time", lines: [] } : undefined);
}

/** The step that hovered points belong to. */
function stepAt(meta, data, points = []) {
  const cursor = cursorOf(meta);
  if (!cursor || !points.length) return undefined;
  const known = new Map(cursor.lines.map((line) => [line[0], line]));
  const point = points.find((one) => known.has(one.curveNumber));
  if (cursor.kind === "path") return point && data[point.curveNumber].customdata[point.pointNumber];
  if (!cursor.steps) return Number((point ?? points[0]).x);
  const at = cursor.x[point ? Math.min(known.get(point.curveNumber)[2], cursor.x.length - 1) : 0];
  return between(at, cursor.steps, Number((point ?? points[0]).x));
}

function draw(plot, cursor, step) {
  const layer = layerOf(plot);
  const marks = cursor.kind === "path" ? onPaths(plot, cursor, step) : overTime(plot, cursor, step);
  layer.replaceChildren(...marks);
}

function erase(plot) {
  plot.cursorLayer?.replaceChildren();
}

/** Above the plot, in its own pixels; Plotly knows nothing of it. */
function layerOf(plot) {
  if (!plot.cursorLayer?.isConnected) {
    plot.cursorLayer = make("svg", { class: "bnviz-cursor", "aria-hidden": "true" });
    plot.target.after(plot.cursorLayer);
  }
  return plot.cursorLayer;
}

// --- on paths ---------------------------------------------------------------------------------------------------------

/** A dot at the kept point nearest to the step; none where the path ends before it. */
function onPaths({ spec, target, tokens }, { lines }, step) {
  return lines.flatMap(([number, role]) => {
    const trace = spec.data[number];
    const { customdata: steps, x, y, z, scene } = trace;
    if (step > steps[steps.length - 1]) return [];
    const i = nearest(steps, step);
    const full = target._fullLayout;
    const at = scene ? projected(full, scene, [x[i], y[i], z[i]]) : placeOf(full, trace, x[i], y[i]);
    return at && Number.isFinite(at.x + at.y) ? [dot(at, tokens[role], tokens)] : [];
  });
}

// --- over time --------------------------------------------------------------------------------------------------------

function overTime({ spec, target, tokens }, cursor, step) {
  const full = target._fullLayout;
  const at = (k) => (cursor.steps ? between(cursor.steps, cursor.x[Math.min(k, cursor.x.length - 1)], step) : step);
  const isOwn = (cursor.x?.length ?? 1) > 1; // each competitor reaches the step at its own moment
  const moments = isOwn ? cursor.lines.map(([, role, k]) => [at(k), tokens[role]]) : [[at(0), tokens.text]];
  const marks = [];
  for (const name of spec.layout.meta.time_axes) {
    for (const [x, color] of moments) marks.push(...upright(full, name, x, color));
  }
  for (const [number, role, k] of cursor.lines) {
    const trace = spec.data[number];
    const x = at(k);
    if (x > trace.x[trace.x.length - 1] * (1 + 1e-9)) continue; // it has stopped before
    const i = nearest(trace.x, x);
    const place = placeOf(full, trace, trace.x[i], trace.y[i]);
    if (place) marks.push(dot(place, tokens[role], tokens));
  }
  const line = marks.find((mark) => mark.tagName === "line");
  if (line) marks.push(words(`step ${count(Math.round(step))}`, line, full, tokens));
  return marks;
}

function upright(full, axisName, x, color) {
  const axis = full[axisName];
  const across = axis?.d2p(x);
  if (!(across >= 0 && across <= axis._length)) return []; // beyond what a zoom shows
  const other = full[axis.anchor.replace("y", "yaxis")];
  const left = axis._offset + across;
  const [top, bottom] = [other._offset, other._offset + other._length];
  return [make("line", { x1: left, x2: left, y1: top, y2: bottom, stroke: color, "stroke-width": 1 })];
}

function words(text, line, full, tokens) {
  const x = Number(line.getAttribute("x1"));
  const isRight = x > full._size.l + full._size.w / 2;
  const made = make("text", {
    x: x + (isRight ? -5 : 5),
    y: Number(line.getAttribute("y1")) + 12,
    "text-anchor": isRight ? "end" : "start",
    fill: tokens.text,
    stroke: tokens.page,
  });
  made.textContent = text;
  return made;
}

// --- places -----------------------------------------------------------------------------------------------------------

/** Pixels of a point of a trace, undefined outside of what its axes show. */
function placeOf(full, trace, x, y) {
  const across = full[(trace.xaxis ?? "x").replace("x", "xaxis")];
  const up = full[(trace.yaxis ?? "y").replace("y", "yaxis")];
  const [left, top] = [across?.d2p(x), up?.d2p(y)];
  const isInside = left >= -0.5 && left <= across._length + 0.5 && top >= -0.5 && top <= up._length + 0.5;
  return isInside ? { x: across._offset + left, y: up._offset + top } : undefined;
}

function dot({ x, y }, color, tokens) {
  return make("circle", { cx: x, cy: y, r: DOT, fill: color, stroke: tokens.page, "stroke-width": 2 });
}

function make(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Index of the value nearest to one of an ascending series. */
function nearest(values, value) {
  const after = firstFrom(values, value);
  if (after === 0) return 0;
  return after === values.length || value - values[after - 1] <= values[after] - value ? after - 1 : after;
}

/** Linear interpolation in two ascending series, the ends beyond them. */
function between(from, to, value) {
  const after = firstFrom(from, value);
  if (after === 0) return to[0];
  if (after === from.length) return to[to.length - 1];
  const share = (value - from[after - 1]) / (from[after] - from[after - 1] || 1);
  return to[after - 1] + share * (to[after] - to[after - 1]);
}

function firstFrom(values, value) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
