// One chart's card: title, badge, "?", menu, finding, switches, plot, text alternative.

import { Choices } from "./choices.js";
import { element, setText } from "./dom.js";
import { Drag } from "./drag.js";
import { menuButton } from "./menu.js";
import { Pick } from "./pick.js";
import { Scrubber } from "./scrubber.js";
import { setMarked } from "./sentence.js";

const ALTERNATIVE_EVERY_MS = 5000;

const WHOLE_RANGE = { field: "is_whole_range", label: "Range", options: [["From 70 %", false], ["All", true]] };

// The switches of each chart. "log_x" is the browser's alone, "directions" the run's; the others are fields of the view.
const SWITCHES = {
  accuracy: [{ field: "log_x", label: "log x" }],
  loss: [{ field: "log_x", label: "log x" }],
  "whitening-loss": [{ field: "log_x", label: "log x" }],
  "figure-one-accuracy": [{ field: "log_x", label: "log x" }, WHOLE_RANGE],
  "figure-one-bands": [{ field: "log_x", label: "log x" }],
  "figure-one-rates": [{ field: "log_x", label: "log x" }, WHOLE_RANGE],
  "drift-distance": [
    { field: "is_path", label: "Distance", options: [["Net", false], ["Path", true]] },
    { field: "is_standardised", label: "Units", options: [["Plain", false], ["Standardised", true]] },
  ],
  "gradient-histogram": [
    { field: "is_gradient_standardised", label: "Units", options: [["Plain", false], ["Standardised", true]] },
  ],
  "gradient-layers": [
    { field: "is_gradient_standardised", label: "Units", options: [["Plain", false], ["Standardised", true]] },
  ],
  "gradient-steps": [{ field: "is_offset", label: "Histograms", options: [["Offset", true], ["Overlaid", false]] }],
  "covariate-shift": [
    {
      field: "shift_measure",
      label: "Measure",
      options: [["Change", "change"], ["Relative", "relative"], ["Cosine", "cosine"]],
    },
  ],
  "loss-contour": [
    { field: "contour_seconds", label: "Refreshed", options: [["On pause", 0], ["Every 10 s", 10]] },
    { field: "directions", label: "Directions", options: [["Paths", "paths"], ["Random", "random"]] },
  ],
  landscape: [{ field: "is_surface", label: "Drawn as", options: [["Contour", false], ["Surface", true]] }],
  "landscape-cut": [{ field: "is_between", label: "Line", options: [["Start to now", false], ["Twin to twin", true]] }],
};
// What changes the run itself, and so belongs to its owner.
const OWNERS = ["directions", "contour_seconds"];

export class Card {
  /**
   * @param {string} name  of the chart
   * @param {{onExplain: () => void, onSwitch: (field: string, value: any) => void, menu: () => object[]}} actions
   */
  constructor(name, actions) {
    this.name = name;
    this.instead = {};
    this.title = element("h3", { id: `bnviz-title-${name}` });
    this.badge = element("span", { class: "bnviz-badge" });
    const explain = element(
      "button",
      { class: "bnviz-icon", type: "button", "aria-label": "About this chart", onclick: actions.onExplain },
      "?",
    );
    this.menu = menuButton("Chart menu", actions.menu);
    this.finding = element("p", { class: "bnviz-finding" });
    this.switches = (SWITCHES[name] ?? []).map((one) => makeSwitch(one, actions.onSwitch));
    this.choices = new Choices(actions.onSwitch);
    this.scrubber = new Scrubber(actions.onSwitch);
    this.drag = new Drag((value) => actions.onSwitch("start", value));
    this.pick = new Pick((value) => actions.onSwitch("cell", value));
    this.formulas = element("div", { class: "bnviz-formulas", hidden: "" });
    this.plot = element("div", { class: "bnviz-plot" });
    this.picture = element("div", { class: "bnviz-picture", role: "img" }, this.plot);
    this.root = element(
      "section",
      { class: `bnviz-card bnviz-card-${name}`, id: `chart-${name}`, "data-chart": name, "aria-labelledby": this.title.id },
      element("header", {}, this.title, this.badge, explain, this.menu.wrap),
      element(
        "div",
        { class: "bnviz-subline" },
        this.finding,
        element("div", { class: "bnviz-switches" }, ...this.switches.map((one) => one.group), this.choices.root),
      ),
      this.formulas,
      this.picture,
      this.scrubber.root,
    );
  }

  /** Words of a new spec; the plot itself follows when it is drawn. */
  describe(layout, origin) {
    const meta = layout.meta ?? {};
    this.root.classList.remove("bnviz-failed");
    const title = typeof layout.title === "string" ? layout.title : (layout.title?.text ?? "");
    setText(this.title, title);
    setText(this.badge, meta.badge ?? "");
    this.scrubber.show(meta.scrub);
    this.showFormulas(meta.formulas);
    this.choices.offer(meta.choices);
    this.instead = meta.instead ?? {};
    this.showSwitches();
    this.badge.dataset.kind = this.badge.textContent;
    this.badge.title = [meta.how, origin && `Recorded: ${origin}`].filter(Boolean).join(" ");
    this.found = meta.finding ?? "";
    this.showFinding();
    this.alternative = `${title}. ${meta.alt ?? meta.finding ?? ""}`;
    this.speak();
  }

  /** @param {string[]} [formulas]  in MathML, of our own server's making */
  showFormulas(formulas = []) {
    const text = formulas.join("");
    if (text === this.formulaText) return;
    this.formulaText = text;
    this.formulas.hidden = !text;
    const parse = (one) => new DOMParser().parseFromString(one, "application/xml").documentElement;
    this.formulas.replaceChildren(...formulas.map((one) => document.importNode(parse(one), true)));
  }

  /** Something to know before the finding, such as why a switch does nothing here; empty to take it away. */
  warn(text) {
    if (text === this.warning) return;
    this.warning = text;
    this.showFinding();
  }

  showFinding() {
    setMarked(this.finding, [this.warning, this.found].filter(Boolean).join(" "));
    this.finding.title = this.finding.textContent; // whole, where the line is too short for it
  }

  /** The text alternative follows the numbers, but not faster than anyone can listen. */
  speak() {
    clearTimeout(this.speaking);
    const wait = ALTERNATIVE_EVERY_MS - (performance.now() - (this.spokenAt ?? -ALTERNATIVE_EVERY_MS));
    if (wait > 0) {
      this.speaking = setTimeout(() => this.speak(), wait);
      return;
    }
    this.spokenAt = performance.now();
    this.picture.setAttribute("aria-label", this.alternative);
  }

  fail() {
    setText(this.finding, "This chart could not be drawn; the others go on.");
    this.root.classList.add("bnviz-failed"); // what was drawn before is not of now
  }

  /** Show the switches as they stand. */
  set(values, isOwner) {
    this.values = values;
    this.isOwner = isOwner;
    this.showSwitches();
  }

  /** A chart may have to draw something else than was asked of it: meta.instead, by the field of a switch. */
  showSwitches() {
    if (!this.values) return;
    for (const { field, set } of this.switches) {
      const isFree = !(field in this.instead) && (this.isOwner || !OWNERS.includes(field));
      set(this.instead[field] ?? this.values[field], isFree);
    }
    this.choices.set(this.values);
  }

  destroy() {
    clearTimeout(this.speaking);
    this.scrubber.stop();
    this.menu.close();
    this.root.remove();
  }
}

/** A row of buttons of which one is pressed; without options a single button, pressed or not. */
function makeSwitch({ field, label, options }, onSwitch) {
  const buttons = (options ?? [[label, true]]).map(([text, value]) => {
    const button = element("button", { type: "button", "aria-pressed": "false" }, text);
    button.addEventListener("click", () => {
      const isPressed = button.getAttribute("aria-pressed") === "true";
      if (!options) onSwitch(field, !isPressed);
      else if (!isPressed) onSwitch(field, value);
    });
    return { button, value };
  });
  const group = element(
    "div",
    { class: "bnviz-switch", role: "group", "aria-label": label },
    ...buttons.map(({ button }) => button),
  );
  const set = (now, isEnabled) => {
    for (const { button, value } of buttons) {
      button.setAttribute("aria-pressed", String(now === value));
      button.disabled = !isEnabled;
    }
  };
  return { field, group, set };
}
