// A slider under a chart through what is kept of the past: a spec's meta.scrub says of which field, and which values.

import { count, element, setText } from "./dom.js";

export class Scrubber {
  /** @param {(field: string, value: number) => void} onSwitch */
  constructor(onSwitch) {
    this.input = element("input", { type: "range", min: "0", step: "1" });
    this.input.addEventListener("input", () => {
      const index = Number(this.input.value);
      this.isHeld = index < this.values.length - 1; // at the right end it follows the run
      this.name(index);
      onSwitch(this.field, this.isHeld ? this.values[index] : this.newest);
    });
    this.text = element("output", { class: "bnviz-scrubbed" });
    this.root = element("label", { class: "bnviz-scrubber", hidden: "" }, this.input, this.text);
    this.values = [];
  }

  /** @param {{field: string, label: string, values: number[], value: number, newest: number}} [scrub] */
  show(scrub) {
    this.root.hidden = !scrub || scrub.values.length < 2;
    if (this.root.hidden) return;
    const held = this.values[Number(this.input.value)];
    Object.assign(this, { field: scrub.field, label: scrub.label, values: scrub.values, newest: scrub.newest });
    this.input.max = String(scrub.values.length - 1);
    this.input.setAttribute("aria-label", scrub.label);
    // The visitor's own place, as long as it is kept: what the chart shows may be a moment behind the slider.
    const place = this.isHeld ? nearest(scrub.values, document.activeElement === this.input ? held : scrub.value) : -1;
    this.input.value = String(place < 0 ? scrub.values.length - 1 : place);
    this.name(Number(this.input.value));
  }

  name(index) {
    const value = `${this.label} ${count(this.values[index])}`;
    setText(this.text, this.isHeld ? value : `${value}, the newest`);
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
