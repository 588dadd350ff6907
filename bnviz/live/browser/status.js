// What the run is doing, in few words: step 1,240 · 640/s · CPU. Said aloud at a calm pace only.

import { count, element, setText } from "./dom.js";
import { spoken } from "./sentence.js";

const SPOKEN_EVERY_MS = 10000;
const WAITING = { lost: "connection lost, reconnecting", connecting: "connecting" };

const ROOMY = "(min-width: 1201px)"; // elsewhere the foot and the cards say it alone

/** The share of the time that goes into measuring. */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** The parts of the status line; the first is the step. */
export function statusParts(header, connection, reason, isStopped = false) {
  const parts = [];
  if (header && header.study !== null) {
    const isWhole = header.study >= 1;
    if (header.progress) parts.push([header.badge === "recorded" ? `${header.progress} · recorded` : header.progress]);
    else parts.push([isWhole ? header.badge : `${isStopped ? "stopped" : "measuring"}, ${percent(header.study)} done`]);
    if (header.device) parts.push([header.device]);
  } else if (header) {
    parts.push(["step ", count(header.step)]);
    parts.push([doing(header)]);
    if (header.progress) parts.push([header.progress]);
    if (header.device) parts.push([header.device]);
    if (matchMedia(ROOMY).matches) {
      if (header.landscape !== null && header.landscape < 1) parts.push([`landscape ${percent(header.landscape)}`]);
      if (header.measuring >= 0.01) parts.push([`${percent(header.measuring)} measuring`]);
    }
  }
  if (connection === "refused") parts.push([reason || "this run is not available"]);
  else if (WAITING[connection] && (header || connection === "lost")) parts.push([WAITING[connection]]);
  return parts;
}

function doing(header) {
  if (header.badge === "recorded") return "recorded";
  if (header.phase === "playing") {
    const speed = header.steps_per_second;
    return speed > 0 ? `${count(speed < 10 ? Number(speed.toFixed(1)) : Math.round(speed))}/s` : "starting";
  }
  if (header.phase === "queued" && header.place_in_queue) return `place ${header.place_in_queue} in the queue`;
  return header.phase;
}

/** Write the status into the place the page provides for it, else into our own. */
export function showStatus(own, parts) {
  const provided = document.querySelector(".bnviz-status");
  own.hidden = provided !== null;
  const target = provided ?? own;
  target.setAttribute("aria-live", "off"); // it changes four times a second; the speaker below says it calmly
  const text = parts.map((part) => part.join("")).join(" · ");
  if (target.dataset.said === text && target.hasChildNodes()) return;
  target.dataset.said = text;
  const nodes = parts.flatMap((part, index) => {
    const [words, number] = part;
    return [index ? " · " : "", words, ...(number === undefined ? [] : [element("b", {}, number)])];
  });
  target.replaceChildren(...nodes.filter((node) => node !== ""));
}

/** A polite live region that speaks when the phase changes, else at most every ten seconds. */
export class Speaker {
  constructor() {
    this.region = element("p", { class: "bnviz-hidden", "aria-live": "polite" });
    this.last = -Infinity;
    this.phase = "";
  }

  hear(header) {
    const now = performance.now();
    if (header.phase === this.phase && now - this.last < SPOKEN_EVERY_MS) return;
    this.last = now;
    this.phase = header.phase;
    setText(this.region, `Step ${count(header.step)}, ${doing(header)}. ${spoken(header.sentence)}`);
  }
}
