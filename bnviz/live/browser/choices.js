// Switches that a spec itself offers, because they depend on the run: meta.choices = [{field, label, options, others}].
// One option is shown at a time, with its neighbours a button away; `others` stand beside them.

import { element, setText } from "./dom.js";

export class Choices {
  /** @param {(field: string, value: any) => void} onSwitch */
  constructor(onSwitch) {
    this.onSwitch = onSwitch;
    this.root = element("div", { class: "bnviz-choices", hidden: "" });
    this.made = [];
    this.values = {};
  }

  /** @param {{field: string, label: string, options: [string, any][], others?: [string, any][]}[]} [offered] */
  offer(offered = []) {
    const text = JSON.stringify(offered);
    if (text === this.text) return;
    this.text = text;
    this.made = offered.map((one) => stepper(one, this.onSwitch));
    this.root.replaceChildren(...this.made.map((one) => one.group));
    this.root.hidden = !offered.length;
    this.set(this.values);
  }

  set(values) {
    this.values = values;
    for (const one of this.made) one.set(values[one.field]);
  }
}

function stepper({ field, label, options, others = [] }, onSwitch) {
  let place = 0; // of the option that is shown, or was before one of the others
  const go = (to) => onSwitch(field, options[(to + options.length) % options.length][1]);
  const button = (text, attributes, act) => element("button", { type: "button", ...attributes, onclick: act }, text);
  const what = label.toLowerCase();
  const before = button("‹", { "aria-label": `Previous ${what}` }, () => go(place - 1));
  const shown = button("", { class: "bnviz-shown" }, () => go(place));
  const after = button("›", { "aria-label": `Next ${what}` }, () => go(place + 1));
  const beside = others.map(([text, value]) => ({ value, button: button(text, {}, () => onSwitch(field, value)) }));
  const buttons = [before, shown, after, ...beside.map((one) => one.button)];
  const group = element("div", { class: "bnviz-switch bnviz-stepper", role: "group", "aria-label": label }, ...buttons);
  const set = (value) => {
    const other = beside.find((one) => one.value === value);
    const found = options.findIndex((one) => one[1] === value);
    // The nearest one where it is not offered, as the chart takes it.
    if (!other) place = found >= 0 ? found : value === undefined ? 0 : options.length - 1;
    setText(shown, options[place][0]);
    shown.setAttribute("aria-pressed", String(!other));
    for (const one of beside) one.button.setAttribute("aria-pressed", String(one === other));
  };
  return { field, group, set };
}
