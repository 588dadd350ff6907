// Text with marks into elements: **bold**, and {bn}, a competitor's name, becomes its swatch. Only text nodes, never
// markup from data.

import { element } from "./dom.js";

// As in bnviz/figures/theme.py.
const SWATCHES = {
  plain: "■", bn: "●", noisy: "◆", noise: "▲", layer: "▼", group: "✚", weight: "⬢", renorm: "★", decorrelated: "✖",
  dropout: "◀", bndropout: "▶", lsuv: "⬟", orthogonal: "⧓", he: "✦", glorot: "✶",
};
const MARKS = new RegExp(`\\*\\*(.+?)\\*\\*|\\{(${Object.keys(SWATCHES).join("|")})\\}`, "g");

/** Replace an element's contents by a marked text; does nothing when the text is the one it has. */
export function setMarked(target, text) {
  if (target.dataset.marked === text && target.hasChildNodes()) return;
  target.dataset.marked = text;
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(MARKS)) {
    parts.push(text.slice(end, match.index));
    parts.push(match[1] !== undefined ? element("b", {}, match[1]) : swatch(match[2]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  target.replaceChildren(...parts.filter((part) => part !== ""));
}

/**
 * The computed sentence, in no more lines than its place reserves (--bnviz-lines), so that nothing below it moves while
 * a run goes on: its last parts go first. What tells of a failure stays whole.
 */
export function setFitting(target, text, isWhole) {
  const width = target.clientWidth;
  const state = `${width} ${isWhole} ${text}`;
  if (target.dataset.fitted === state && target.hasChildNodes()) return;
  target.dataset.fitted = state;
  target.title = "";
  target.classList.remove("bnviz-clamped"); // while it is measured
  setMarked(target, text);
  const style = getComputedStyle(target);
  const room = parseFloat(style.lineHeight) * (parseInt(style.getPropertyValue("--bnviz-lines")) || 1);
  let parts = text.split(/(?<=\.) (?=[A-Z{*])/);
  while (!isWhole && parts.length > 1 && target.scrollHeight > room * 1.2) {
    parts = parts.slice(0, -1);
    setMarked(target, parts.join(" "));
    target.title = spoken(text);
  }
  if (isWhole || target.scrollHeight <= room * 1.2) return;
  target.classList.add("bnviz-clamped"); // one part alone that is too long, as in a wide typeface
  target.title = spoken(text);
}

/** The same text for ears: without marks. */
export function spoken(text) {
  return text.replace(MARKS, (match, bold) => bold ?? "").replace(/\s+/g, " ").trim();
}

function swatch(name) {
  return element("span", { class: `bnviz-swatch bnviz-${name}`, "aria-hidden": "true" }, SWATCHES[name]);
}
