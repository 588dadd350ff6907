// What a visitor takes along: a chart as PNG, SVG or CSV, made in the browser from what is drawn.

import { pushes } from "./labels.js";

const PIXELS_PER_PIXEL = 2; // of a PNG, so that it stands a projector and a page
const TITLE_SPACE = 68; // with one line of finding
const LINE = 17;
const CHARACTER = 6.4; // px a character of the finding, about

/** The chart as a picture, with its title and finding, as the theme shows it. */
export async function downloadPicture(Plotly, plot, tokens, title, finding, format, fileName) {
  const size = { width: plot.target.clientWidth, height: plot.target.clientHeight };
  const { data, layout } = plot.figure(tokens, size);
  for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
    const drawn = plot.target._fullLayout?.[axis];
    if (drawn) layout[axis] = { ...layout[axis], range: [...drawn.range], autorange: false }; // as zoomed
  }
  for (const [index, push] of pushes(plot.target)) {
    const note = layout.annotations[index];
    if (note) note.yshift = (note.yshift ?? 0) - push;
  }
  layout.paper_bgcolor = tokens.page;
  layout.plot_bgcolor = tokens.page;
  const lines = wrapped(finding, (size.width - 32) / CHARACTER);
  const space = TITLE_SPACE + LINE * (lines.length - 1);
  layout.title = {
    text: `<b>${title}</b>`,
    subtitle: { text: lines.join("<br>"), font: { size: 13, color: tokens.muted } },
    font: { size: 15.5, color: tokens.text },
    x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { l: 16, t: 18 },
  };
  layout.height += space;
  layout.margin = { ...layout.margin, t: (layout.margin?.t ?? 0) + space };
  const scale = format === "png" ? PIXELS_PER_PIXEL : 1;
  const options = { format, width: layout.width, height: layout.height, scale };
  save(await Plotly.toImage({ data, layout }, options), `${fileName}.${format}`);
}

/** Lines of at most so many characters, broken between words. */
function wrapped(text, characters) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last && last.length + 1 + word.length > characters) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

/** The chart's numbers: one row a point, in the order of its traces. */
export function downloadCsv(spec, fileName) {
  const address = URL.createObjectURL(new Blob([csvOf(spec)], { type: "text/csv" }));
  save(address, `${fileName}.csv`);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** "series,x,y" or "series,x,y,z", with every trace of the spec as one series. */
export function csvOf(spec) {
  const isGrid = spec.data.some((trace) => trace.z);
  const rows = [isGrid ? ["series", "x", "y", "z"] : ["series", "x", "y"]];
  spec.data.forEach((trace, index) => {
    const series = String(trace.name ?? trace.meta ?? `series ${index + 1}`).replace(/<[^>]*>/g, "");
    if (trace.z?.[0]?.length !== undefined) gridRows(rows, series, trace);
    else lineRows(rows, series, trace, isGrid);
  });
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function lineRows(rows, series, { x = [], y = [] }, isGrid) {
  const length = Math.max(x.length, y.length);
  for (let i = 0; i < length; i++) rows.push(isGrid ? [series, x[i], y[i], ""] : [series, x[i], y[i]]);
}

/** A plane's z is the logarithm of what its customdata holds in the measure's own unit. */
function gridRows(rows, series, { type, x = [], y = [], z, customdata }) {
  const values = type === "contour" || type === "surface" ? (customdata ?? z) : z;
  values.forEach((line, j) => {
    for (let i = 0; i < line.length; i++) rows.push([series, x[i] ?? i, y[j] ?? j, line[i]]);
  });
}

function cell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(+value.toPrecision(7)) : "";
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
