// One chart's plot: a spec and the present theme, size and switches become one call of Plotly.react.

import { count } from "./dom.js";
import { arrange } from "./labels.js";
import { paperSize, stretch } from "./paper.js";
import { Camera, scenesOf } from "./scenes.js";
import { resolve } from "./theme.js";

const ROOT_PIXELS = 14; // the page's type size for which specs state their sizes; Present mode has a larger one
const MOST_TICKS = 8;
const PIXELS_A_TICK = 40;
const DIGIT_WIDTH = 0.53; // of the type's size, commas included
const LABEL_GAP = 8; // px between two labels
const EVEN_COLUMNS = 160;
const NARROW_PIXELS = 600; // as the style sheet's container query
const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", showTips: false, scrollZoom: false };

const loading = new Map();

/** The plotly.js at an address, loaded once a page: there is all of it, and a bundle for pages without surfaces. */
export function loadPlotly(address) {
  if (!loading.has(address)) loading.set(address, load(address));
  return loading.get(address);
}

function load(address) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL(address, document.baseURI).href;
    script.onload = () => done(window.Plotly);
    script.onerror = () => {
      loading.delete(address); // so that the next frame tries again
      failed(new Error("plotly.js could not be loaded."));
    };
    document.head.append(script);
  });
}

export class Plot {
  /**
   * @param {HTMLElement} target  the element to draw into; it has the size that the style sheet gives it
   * @param {string} library  the address of the plotly.js that draws it
   */
  constructor(target, library) {
    this.target = target;
    this.library = library;
    this.Plotly = undefined; // as soon as it is loaded
    this.isLogX = false;
    this.thickness = 1;
    this.isOnPaper = false;
    this.size = undefined; // as last drawn on the screen
    this.camera = new Camera();
  }

  /** What Plotly is given: roles resolved, sizes in pixels, the browser's own switches applied. */
  figure(tokens, size = { width: this.target.clientWidth, height: this.target.clientHeight }) {
    const { data, layout } = resolve(this.spec, tokens);
    const root = getComputedStyle(this.target);
    const scale = parseFloat(root.fontSize) / ROOT_PIXELS;
    const uirevision = `${layout.uirevision} ${this.isLogX}`; // while it stays, so does the visitor's zoom
    Object.assign(layout, size, { autosize: false, uirevision });
    delete layout.title; // the card shows it
    layout.font = { ...layout.font, family: root.fontFamily };
    if (scale !== 1) enlarge(layout, data, scale);
    if (this.thickness !== 1) data.forEach((trace) => thicken(trace, this.thickness));
    if (this.isLogX) logarithmic(data, layout);
    data.filter((trace) => trace.type === "heatmap").forEach((trace) => evenColumns(trace, layout));
    arrangeNarrow(layout, size.width / scale);
    thinTicks(layout, size.width);
    this.camera.keep(layout, size);
    return { data, layout };
  }

  async load() {
    this.Plotly ??= await loadPlotly(this.library);
    return this.Plotly;
  }

  /** Draw the spec with the library loaded; the plot before stays until this one is complete. */
  async draw(tokens) {
    if (!this.isOnPaper) {
      if (!this.target.clientWidth || !this.target.clientHeight) return; // hidden: drawn when it shows
      this.size = { width: this.target.clientWidth, height: this.target.clientHeight };
    }
    const size = this.isOnPaper ? paperSize(this.size) : this.size;
    stretch(this.target, null); // labels are measured where nothing is stretched
    const { data, layout } = this.figure(tokens, size);
    const isFirst = !this.target.classList.contains("js-plotly-plot");
    this.tokens = tokens;
    forgetRanges(this.target._fullLayout);
    const drawing = this.Plotly.react(this.target, data, layout, CONFIG);
    if (this.isOnPaper) stretch(this.target, size); // printing waits for nothing
    await drawing;
    if (this.isOnPaper) stretch(this.target, size); // a first drawing has nothing to stretch before
    if (isFirst) {
      this.target.on("plotly_afterplot", () => arrange(this.target, this.tokens)); // after a zoom as well
      this.camera.listen(this.target);
      arrange(this.target, tokens);
    }
  }
}

/** Plotly.react, unlike a relayout, goes on from the ranges that axes with a scale anchor had at their first drawing. */
function forgetRanges(full) {
  for (const [name, axis] of Object.entries(full ?? {})) if (/^[xy]axis\d*$/.test(name)) delete axis._inputRange;
}

/** Where a phone has no room for all panels side by side: the places that the spec keeps for it. */
function arrangeNarrow(layout, width) {
  const narrow = layout.meta?.narrow;
  if (!narrow || width > NARROW_PIXELS) return;
  for (const [axis, domain] of Object.entries(narrow.domains)) layout[axis].domain = domain;
}

/** Larger type, margins and distances, as Present mode has them. */
function enlarge(layout, data, scale) {
  const times = (owner, key) => {
    if (typeof owner?.[key] === "number") owner[key] *= scale;
  };
  for (const side of ["l", "r", "t", "b"]) times(layout.margin, side);
  times(layout.font, "size");
  for (const [name, part] of Object.entries(layout)) {
    if (/^[xy]axis\d*$/.test(name)) {
      times(part.tickfont, "size");
      times(part.title?.font, "size");
    }
    if (/^coloraxis\d*$/.test(name)) times(part.colorbar?.tickfont, "size"), times(part.colorbar, "thickness");
  }
  for (const name of scenesOf(layout)) {
    for (const axis of ["xaxis", "yaxis", "zaxis"]) {
      times(layout[name][axis]?.tickfont, "size");
      times(layout[name][axis]?.title?.font, "size");
    }
  }
  const inScenes = scenesOf(layout).flatMap((name) => layout[name].annotations ?? []);
  for (const note of [...(layout.annotations ?? []), ...inScenes]) {
    times(note.font, "size");
    for (const key of ["xshift", "yshift", "ax", "ay"]) times(note, key);
    if (note.text) note.text = note.text.replace(/font-size:\s*([\d.]+)px/g, (m, px) => `font-size:${px * scale}px`);
  }
  for (const trace of data) {
    times(trace.textfont, "size");
    times(trace.marker?.colorbar?.tickfont, "size");
  }
}

function thicken(trace, factor) {
  if (typeof trace.line?.width === "number") trace.line.width *= factor;
  if (typeof trace.marker?.size === "number") trace.marker.size *= factor;
}

/** Logarithmic axes over time: what happened at 0 has no place on them and is left out. */
function logarithmic(data, layout) {
  for (const name of layout.meta?.time_axes ?? []) {
    const id = name.replace("axis", ""); // "xaxis2" is "x2" to traces and annotations
    const ends = positiveEnds(data.filter((trace) => (trace.xaxis ?? "x") === id));
    const axis = { ...layout[name], type: "log", dtick: 1 };
    for (const key of ["tickvals", "ticktext", "tickmode", "tick0", "nticks", "rangemode"]) delete axis[key];
    // No range of our own: Plotly keeps a zoom only while the range it is given stays the same.
    axis.autorangeoptions = { include: ends, clipmin: ends[0], clipmax: ends[1] };
    layout[name] = axis;
    for (const note of layout.annotations ?? []) {
      if (note.xref === id) note.x = Math.log10(Math.max(note.x, ends[0])); // as Plotly places annotations
    }
  }
}

function positiveEnds(traces) {
  let first = Infinity;
  let last = 0;
  for (const { x = [] } of traces) {
    for (const value of x) {
      if (value > 0 && value < first) first = value;
      if (value > last) last = value;
    }
  }
  return last > 0 ? [first, Math.max(last, 10 * first)] : [1, 10];
}

/**
 * A heat map over time on evenly spaced columns, each with the values of the nearest measured one: Plotly then paints a
 * pixel a cell and stretches the picture, instead of filling every cell at its size on the screen. Hovering still says
 * where the values were measured.
 */
function evenColumns(trace, layout) {
  const name = (trace.xaxis ?? "x").replace("x", "xaxis");
  const axis = layout[name];
  if (!layout.meta?.time_axes?.includes(name)) return;
  const { x, z } = trace;
  if (!x || x.length < 3 || !(x[x.length - 1] > x[0]) || axis?.type === "log") return;
  const even = Float64Array.from({ length: EVEN_COLUMNS }, (_, i) => x[0] + ((x[x.length - 1] - x[0]) * i) / (EVEN_COLUMNS - 1));
  const nearest = new Uint16Array(EVEN_COLUMNS);
  for (let i = 0, j = 0; i < EVEN_COLUMNS; i++) {
    while (j + 1 < x.length && Math.abs(x[j + 1] - even[i]) <= Math.abs(x[j] - even[i])) j += 1;
    nearest[i] = j;
  }
  trace.x = even;
  trace.z = z.map((row) => Float32Array.from(nearest, (j) => row[j]));
  trace.zsmooth = "fast";
  const measured = Array.from(nearest, (j) => count(+x[j].toPrecision(6)));
  trace.text = z.map(() => measured);
  trace.hovertemplate = trace.hovertemplate?.replace(/%\{x(:[^}]*)?\}/, "%{text}");
}

/** As many ticks as a panel has room for: at most one in 40 pixels. */
function thinTicks(layout, width) {
  const inner = width - (layout.margin?.l ?? 0) - (layout.margin?.r ?? 0);
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^xaxis\d*$/.test(name) || axis.tickvals || axis.dtick) continue;
    const [from, to] = axis.domain ?? [0, 1];
    const pixels = inner * (to - from);
    const most = Math.min(MOST_TICKS, Math.floor(pixels / PIXELS_A_TICK) + 1, Math.floor(pixels / labelPixels(axis)));
    axis.nticks = Math.max(2, most);
  }
}

/** What a tick's label and a gap take: Plotly sets ticks as close as the axis's length over their number. */
function labelPixels(axis) {
  const end = axis.autorangeoptions?.clipmax;
  if (axis.type === "log" || end === undefined) return PIXELS_A_TICK / 2; // a log axis labels decades
  return Math.round(end).toLocaleString("en").length * DIGIT_WIDTH * (axis.tickfont?.size ?? 11) + LABEL_GAP;
}
