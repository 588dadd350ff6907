// Below the cards: the settings that were changed while the run went on, and what the run is.

import { count, element, setText } from "./dom.js";

const COLUMNS = [
  ["step", (one) => count(one.step)],
  ["setting", (one) => one.setting],
  ["from", (one) => one.old],
  ["to", (one) => one.new],
];

export class Foot {
  constructor() {
    this.rows = element("tbody");
    this.table = element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...COLUMNS.map(([name]) => element("th", { scope: "col" }, name)))),
      this.rows,
    );
    this.none = element("p", {}, "None: no live setting was changed in this run.");
    this.summary = element("p");
    this.changes = element(
      "section",
      { class: "bnviz-interventions" },
      element("h3", {}, "Interventions"),
      this.table,
      this.none,
    );
    this.heading = element("h3");
    const what = element("section", { class: "bnviz-run" }, this.heading, this.summary);
    this.root = element("div", { class: "bnviz-foot" }, this.changes, what);
    this.show([], "", "", true);
  }

  show(interventions, subject, summary, canChange) {
    setText(this.heading, subject);
    setText(this.summary, summary);
    this.changes.hidden = !canChange;
    this.table.hidden = interventions.length === 0;
    this.none.hidden = interventions.length > 0;
    const state = JSON.stringify(interventions);
    if (state === this.state) return;
    this.state = state;
    const row = (one) => element("tr", {}, ...COLUMNS.map(([, text]) => element("td", {}, text(one))));
    this.rows.replaceChildren(...interventions.map(row));
  }
}
