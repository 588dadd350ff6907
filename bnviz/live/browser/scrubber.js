// A slider under a chart through what is kept of the past: a spec's meta.scrub says of which field, and which values.

import { count, element, setText } from "./dom.js";

const LEAST_MS = 90; // between two values when they are played through: a frame of the server's takes about that
const LONGEST_MS = 10000; // for all of them

export class Scrubber {
  /** @param {(field: string, value: number) => void} onSwitch */
  constructor(onSwitch) {
    this.input = element("input", { type: "range", min: "0", step: "1" });
    this.onSwitch = onSwitch;
    this.input.addEventListener("input", () => this.goTo(Number(this.input.value)));
    this.text = element("output", { class: "bnviz-scrubbed" });
    this.player = element("button", { type: "button", class: "bnviz-icon", onclick: () => this.toggle() });
    this.root = element("div", { class: "bnviz-scrubber", hidden: "" }, this.player, this.input, this.text);
    this.values = [];
    this.input.addEventListener("pointerdown", () => this.stop());
    this.stop();
  }

  goTo(index) {
    this.isHeld = this.newest === undefined || index < this.values.length - 1; // at the right end it follows the run
    this.input.value = String(index);
    this.name(index);
    this.onSwitch(this.field, this.isHeld ? this.values[index] : this.newest);
  }

  /** From where it stands, or from the start, to the end, value by value. */
  toggle() {
    if (this.playing) return this.stop();
    const at = Number(this.input.value);
    const from = this.isHeld && at < this.values.length - 1 ? at : 0;
    this.goTo(from);
    const every = this.every ?? Math.max(LEAST_MS, LONGEST_MS / this.values.length);
    const forward = this.every ? 1 : Math.max(1, Math.round((this.values.length * every) / LONGEST_MS)); // values a tick
    this.playing = setInterval(() => {
      const index = Math.min(Number(this.input.value) + forward, this.values.length - 1);
      this.goTo(index);
      if (index === this.values.length - 1) this.stop();
    }, every);
    this.showPlayer();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = undefined;
    this.showPlayer();
  }

  showPlayer() {
    setText(this.player, this.playing ? "\u275a\u275a" : "\u25b6\ufe0e");
    this.player.setAttribute("aria-label", this.playing ? "Stop" : "Play through, step by step");
  }

  /** @param {{field: string, label: string, values: number[], value: number, newest: number}} [scrub] */
  show(scrub) {
    this.root.hidden = !scrub || scrub.values.length < 2;
    if (this.root.hidden) return;
    const held = this.values[Number(this.input.value)];
    const { field, label, values, newest, end = "the newest", names, every_ms: every } = scrub;
    Object.assign(this, { field, label, values, newest, end, names, every });
    if (newest === undefined) this.isHeld = true; // nothing to follow
    this.input.max = String(scrub.values.length - 1);
    this.input.setAttribute("aria-label", scrub.label);
    this.player.hidden = !scrub.is_played;
    // The visitor's own place, as long as it is kept: what the chart shows may be a moment behind the slider.
    const place = this.isHeld ? nearest(scrub.values, document.activeElement === this.input ? held : scrub.value) : -1;
    this.input.value = String(place < 0 ? scrub.values.length - 1 : place);
    this.name(Number(this.input.value));
  }

  name(index) {
    const value = `${this.label} ${count(this.values[index])}`;
    const more = this.names?.[index] ?? (this.isHeld ? "" : this.end);
    setText(this.text, more ? `${value}, ${more}` : value);
    this.input.setAttribute("aria-valuetext", value);
  }
}

function nearest(values, value) {
  let best = 0;
  values.forEach((one, index) => {
    if (Math.abs(one - value) < Math.abs(values[best] - value)) best = index;
  });
  return best;
}
