// The live area: joins connection, cards and page. One of these for each place where the component is mounted.

import { Card } from "./card.js";
import { element } from "./dom.js";
import { downloadCsv, downloadPicture } from "./download.js";
import { loadPlotly, Plot } from "./draw.js";
import { enlarge } from "./enlarge.js";
import { Foot } from "./foot.js";
import { decode } from "./frames.js";
import { listenToKeys } from "./keys.js";
import { Linked } from "./linked.js";
import { watchPaper } from "./paper.js";
import { PhaseWatch } from "./phase.js";
import { hasWebGL, NO_SURFACE } from "./scenes.js";
import { Scheduler } from "./scheduler.js";
import { setFitting } from "./sentence.js";
import { FrameSocket } from "./socket.js";
import { percent, showStatus, Speaker, statusParts } from "./status.js";
import { takeStill } from "./stills.js";
import { setProperties, themeOf, watchTheme } from "./theme.js";

const FAR_EVERY_MS = 4000; // how often charts out of sight are brought up to date while a run plays
const RESTS_FOR = 3; // after being drawn a chart rests this many times as long, so that the page stays alive
const LONGEST_REST_MS = 600;
const SETTINGS_STAY_MS = 2000; // a rerun while the visitor moves a slider would be in the way
// Streamlit keeps one wish of a component at a time: of two that it has not yet taken in, the newer one alone. So what
// the visitor asked for goes first, and what the component reports by itself waits for so long.
const ASKED_MS = 3000;
const PRESENTING_THICKNESS = 1.2;
const VIEW_SWITCHES = [
  "is_path", "is_standardised", "is_gradient_standardised", "is_offset", "shift_measure", "step",
  "batch", "is_surface", "is_between", "descent_step", "anatomy_phase", "is_whole_range",
];

const mounted = new WeakMap();

/**
 * Streamlit calls this at mounting, and again whenever the page's rerun or a new theme changes what it hands over.
 * @returns {() => void}  called when the component leaves the page, but also for a call that a newer one overtook
 */
export default function mount(component, config) {
  const { parentElement } = component;
  const live = mounted.get(parentElement) ?? new Live(parentElement, config);
  mounted.set(parentElement, live);
  const call = live.update(component);
  return () =>
    setTimeout(() => {
      if (call !== live.calls) return; // overtaken: the newer call keeps it
      mounted.delete(parentElement);
      live.destroy();
    });
}

class Live {
  constructor(parent, config) {
    this.config = config;
    this.calls = 0;
    this.cards = new Map();
    this.plots = new Map();
    this.linked = new Linked(this.plots);
    this.late = new Set(); // charts with a newer spec than is drawn, out of sight
    this.near = new Set();
    this.switched = {}; // the view's fields that the cards' switches chose
    this.logX = {};
    this.connection = "connecting";
    this.farAt = 0;
    this.build(parent);
    this.theme = themeOf(this.root);
    this.applyTheme(this.theme);
    this.scheduler = new Scheduler((name) => this.draw(name));
    this.socket = new FrameSocket(config.frames, {
      onFrame: (buffer) => this.onFrame(buffer),
      onState: (state, reason) => this.onConnection(state, reason),
    });
    const mayReport = () => performance.now() - this.askedAt > ASKED_MS;
    this.askedAt = -Infinity;
    this.phases = new PhaseWatch((phase) => this.component.setTriggerValue("phase", phase), undefined, mayReport);
    this.settings = new PhaseWatch(
      (settings) => this.component.setTriggerValue("settings", settings), SETTINGS_STAY_MS, mayReport,
    );
    this.observe();
  }

  build(parent) {
    this.sentence = element("p", { class: "bnviz-sentence-own" });
    this.status = element("p", { class: "bnviz-status-own" });
    this.notice = element("p", { class: "bnviz-notice", hidden: "" });
    this.grid = element("div", { class: "bnviz-grid" });
    this.foot = new Foot();
    this.speaker = new Speaker();
    const head = element("div", { class: "bnviz-head" }, this.sentence, this.status);
    const inner = element("div", { class: "bnviz-inner" }, head, this.notice, this.grid, this.foot.root, this.speaker.region);
    this.root = element("div", { class: "bnviz-live" }, inner);
    parent.append(this.root);
  }

  observe() {
    this.stopTheme = watchTheme(this.root, (theme) => this.applyTheme(theme));
    this.stopPaper = watchPaper((isPaper) => this.print(isPaper));
    this.stopKeys = listenToKeys(() => this.ask("explain", "keyboard"));
    this.sight = new IntersectionObserver((entries) => this.onSight(entries), { rootMargin: "0px" });
    this.sizes = new ResizeObserver((entries) => {
      for (const entry of entries) this.redraw(entry.target.closest("[data-chart]")?.dataset.chart);
    });
  }

  // --- what the page says -------------------------------------------------------------------------------------------

  update(component) {
    const before = this.data;
    this.component = component;
    this.data = component.data;
    this.library = loadPlotly(this.data.library);
    this.library.catch((error) => console.error("bnviz:", error));
    this.keepCards(this.data.charts);
    for (const [name, plot] of this.plots) if (plot.isDrawn) takeStill(name); // Streamlit may have put it there anew
    // A field that the page itself changed wins over a switch.
    for (const field of VIEW_SWITCHES) {
      if (before && before.view[field] !== this.data.view[field]) delete this.switched[field];
    }
    const wishes = { view: this.view };
    this.hurry();
    const { charts } = this.data; // the server offers those of all pages
    if (before?.run_id !== this.data.run_id) this.socket.watch(this.data.run_id, { ...wishes, charts });
    else if (JSON.stringify(wishes) !== this.wished) this.socket.wish(wishes);
    this.wished = JSON.stringify(wishes);
    this.phases.believe(this.data.run_id, this.data.phase);
    this.settings.believe(this.data.run_id, this.data.settings);
    this.setThickness(this.data.is_presenting ? PRESENTING_THICKNESS : 1);
    this.showSwitches();
    this.showHead();
    this.calls += 1;
    return this.calls;
  }

  get view() {
    const view = { ...this.data.view, ...this.switched };
    return view.is_surface && !hasWebGL() ? { ...view, is_surface: false } : view;
  }

  keepCards(names) {
    for (const [name, card] of this.cards) {
      if (names.includes(name)) continue;
      this.sight.unobserve(card.plot);
      this.sizes.unobserve(card.plot);
      clearTimeout(this.plots.get(name).resting);
      this.plots.get(name).Plotly?.purge(card.plot);
      card.destroy();
      this.cards.delete(name);
      this.plots.delete(name);
    }
    names.forEach((name, index) => {
      if (!this.cards.has(name)) this.addCard(name);
      const { root } = this.cards.get(name);
      if (!root.closest("dialog") && this.grid.children[index] !== root) {
        this.grid.insertBefore(root, this.grid.children[index] ?? null);
      }
    });
  }

  addCard(name) {
    const card = new Card(name, {
      onExplain: () => this.ask("explain", name),
      onSwitch: (field, value) => this.onSwitch(name, field, value),
      menu: () => this.menuOf(name),
    });
    this.cards.set(name, card);
    this.plots.set(name, new Plot(card.plot, this.data.library));
    this.grid.append(card.root);
    this.sight.observe(card.plot);
    this.sizes.observe(card.plot);
  }

  setThickness(thickness) {
    for (const [name, plot] of this.plots) {
      if (plot.thickness === thickness) continue;
      plot.thickness = thickness;
      this.redraw(name);
    }
  }

  // --- what the visitor does on the cards ---------------------------------------------------------------------------

  /** What a visitor wants of the page. */
  ask(name, value) {
    this.askedAt = performance.now();
    this.component.setTriggerValue(name, value);
  }

  onSwitch(name, field, value) {
    if (field === "log_x") {
      this.logX[name] = value;
      this.plots.get(name).isLogX = value;
      this.hurry();
      this.redraw(name);
    } else if (field === "start" || field === "cell") {
      this.ask(field, value);
    } else if (field === "directions" || field === "contour_seconds") {
      this.data = { ...this.data, [field]: value }; // shown at once; the page confirms it with its rerun
      this.ask(field, value);
    } else {
      this.switched[field] = value;
      this.socket.wish({ view: this.view });
      this.wished = JSON.stringify({ view: this.view });
      this.hurry();
    }
    this.showSwitches();
  }

  showSwitches() {
    for (const [name, card] of this.cards) {
      const { directions, contour_seconds } = this.data;
      const values = { ...this.view, directions, contour_seconds, log_x: this.logX[name] ?? false };
      card.set(values, this.data.is_owner);
      const isRefused = (this.switched.is_surface ?? this.data.view.is_surface) && !values.is_surface;
      if (name === "landscape") card.warn(isRefused ? NO_SURFACE : "");
    }
  }

  menuOf(name) {
    const card = this.cards.get(name);
    const plot = this.plots.get(name);
    if (!plot.spec) return [];
    const fileName = `bnviz-${name}-step-${this.root.dataset.runStep ?? 0}`;
    const picture = (format) => async () => {
      const title = card.title.textContent;
      await downloadPicture(await plot.load(), plot, this.tokens, title, card.finding.textContent, format, fileName);
    };
    const isLarge = card.root.closest("dialog");
    return [
      isLarge
        ? { label: "Back to the page", act: () => isLarge.close() }
        : { label: "Enlarge", act: () => enlarge(card, this.root) },
      { label: "Download PNG", act: picture("png") },
      { label: "Download SVG", act: picture("svg") },
      { label: "Download CSV", act: () => downloadCsv(plot.spec, fileName) },
      { label: "Copy link", act: () => navigator.clipboard?.writeText(this.linkTo(name)) },
    ];
  }

  linkTo(name) {
    const link = new URL(location.href);
    link.hash = `chart-${name}`;
    return link.href;
  }

  // --- what the server says -----------------------------------------------------------------------------------------

  async onFrame(buffer) {
    const { header, charts } = decode(buffer);
    this.header = header;
    this.connection = "open";
    this.showHead();
    this.speaker.hear(header);
    const cost = header.measuring >= 0.01 ? ` Measuring takes ${percent(header.measuring)} of the time now.` : "";
    this.foot.show(header.interventions, header.subject, header.summary + cost, header.can_change);
    this.phases.see(header.run_id, header.phase);
    this.settings.see(header.run_id, header.settings);
    if (header.phase !== "playing") this.hurry(); // a step of the visitor's own is shown at once
    for (const name of header.failed) this.cards.get(name)?.fail();
    for (const [name, spec] of Object.entries(charts)) this.take(name, spec);
    await this.library.catch(() => {});
    await this.scheduler.settled();
    this.showDrawn(header);
    this.goToLinked();
    this.socket.askNext(this.wanted());
  }

  /** The charts of the next frame: those in sight, now and then all, and all when the run has come to rest. */
  wanted() {
    const now = performance.now();
    const isFarDue = this.header.phase !== "playing" || now - this.farAt > FAR_EVERY_MS;
    if (isFarDue) this.farAt = now;
    return this.data.charts.filter((name) => isFarDue || this.near.has(name) || !this.plots.get(name).spec);
  }

  take(name, spec) {
    const plot = this.plots.get(name);
    if (!plot) return; // a card that the page has taken away since
    plot.spec = spec;
    plot.step = this.header.drawn_step;
    // Words and lines of the same moment; where no lines are in sight, the words need not wait for them.
    if (!this.near.has(name)) this.cards.get(name).describe(spec.layout, this.header.origin);
    this.redraw(name);
  }

  onConnection(state, reason) {
    this.connection = state;
    this.reason = reason;
    this.showHead();
  }

  showHead() {
    showStatus(this.status, statusParts(this.header, this.connection, this.reason, this.data.is_stopped));
    if (!this.header) return;
    const provided = document.querySelector(".bnviz-sentence");
    this.sentence.hidden = provided !== null;
    const hasFailure = this.header.health.some((one) => one.condition === "diverged");
    setFitting(provided ?? this.sentence, this.header.sentence, hasFailure);
    this.notice.hidden = !this.header.notice;
    this.notice.textContent = this.header.notice;
  }

  /** Only what stands on the screen: the step of the newest frame that is drawn as a whole. */
  showDrawn(header) {
    Object.assign(this.root.dataset, {
      runStep: header.drawn_step,
      runId: header.run_id,
      generation: header.generation,
      phase: header.phase,
    });
  }

  /** A link to one chart brings it into view, once. */
  goToLinked() {
    if (this.hasGone) return;
    this.hasGone = true;
    const card = this.cards.get(location.hash.replace("#chart-", ""));
    card?.root.scrollIntoView({ block: "center" });
  }

  // --- drawing ------------------------------------------------------------------------------------------------------

  redraw(name) {
    const plot = this.plots.get(name);
    if (!plot?.spec || plot.resting) return;
    const rest = (plot.restUntil ?? 0) - performance.now();
    if (plot.isDrawn && !this.near.has(name)) this.late.add(name);
    else if (rest <= 0) this.scheduler.mark(name);
    else {
      plot.resting = setTimeout(() => {
        plot.resting = undefined;
        this.redraw(name);
      }, rest);
    }
  }

  /** The visitor did something: no chart rests now. */
  hurry() {
    for (const [name, plot] of this.plots) {
      plot.restUntil = 0;
      if (!plot.resting) continue;
      clearTimeout(plot.resting);
      plot.resting = undefined;
      this.redraw(name);
    }
  }

  async draw(name) {
    const plot = this.plots.get(name);
    if (!plot) return;
    if (plot.target._dragging) {
      this.late.add(name); // a zoom box is being drawn; the next frame is not far
      return;
    }
    await plot.load();
    const start = performance.now();
    this.cards.get(name).describe(plot.spec.layout, this.header.origin);
    await plot.draw(this.tokens);
    const end = performance.now();
    plot.restUntil = end + Math.min((end - start) * RESTS_FOR, LONGEST_REST_MS);
    plot.isDrawn = true;
    this.linked.follow(plot);
    this.cards.get(name).drag.follow(plot);
    this.cards.get(name).pick.follow(plot);
    this.cards.get(name).root.dataset.step = plot.step;
    takeStill(name);
  }

  onSight(entries) {
    for (const entry of entries) {
      const { chart: name } = entry.target.closest("[data-chart]")?.dataset ?? {};
      if (entry.isIntersecting) this.near.add(name);
      else this.near.delete(name);
      if (entry.isIntersecting && this.late.delete(name)) this.redraw(name);
    }
  }

  applyTheme(theme) {
    this.root.dataset.theme = theme;
    this.tokens = this.config.tokens[theme];
    setProperties(this.root, this.tokens);
    this.hurry();
    for (const name of this.plots.keys()) this.redraw(name);
  }

  /** Draw every chart for paper, at once, in sight or not; afterwards as before. */
  print(isPaper) {
    for (const plot of this.plots.values()) plot.isOnPaper = isPaper;
    this.applyTheme(isPaper ? "light" : themeOf(this.root));
    if (!isPaper) return;
    for (const plot of this.plots.values()) if (plot.spec && plot.Plotly) plot.draw(this.tokens);
  }

  destroy() {
    this.socket.close();
    this.scheduler.stop();
    this.phases.stop();
    this.settings.stop();
    this.stopTheme();
    this.stopPaper();
    this.stopKeys();
    this.sight.disconnect();
    this.sizes.disconnect();
    for (const [name, card] of this.cards) {
      clearTimeout(this.plots.get(name).resting);
      this.plots.get(name).Plotly?.purge(card.plot);
      card.destroy();
    }
    this.root.remove();
  }
}
