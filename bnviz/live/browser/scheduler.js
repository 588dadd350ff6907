// Draws dirty charts a few at a time, so that no frame of the page holds them all and the pointer stays alive.

const BUDGET_MS = 24; // of one animation frame; a chart that is begun is finished

export class Scheduler {
  /** @param {(name: string) => Promise<void>} draw  draws one chart */
  constructor(draw) {
    this.draw = draw;
    this.dirty = new Set();
    this.waiters = [];
  }

  /** Draw this chart soon; asking twice draws it once. */
  mark(name) {
    this.dirty.add(name);
    this.request ??= requestAnimationFrame(() => this.work());
  }

  /** Fulfilled when nothing is left to draw. */
  settled() {
    if (!this.dirty.size && !this.request) return Promise.resolve();
    return new Promise((done) => this.waiters.push(done));
  }

  stop() {
    cancelAnimationFrame(this.request);
    this.dirty.clear();
  }

  async work() {
    const start = performance.now();
    while (this.dirty.size && performance.now() - start < BUDGET_MS) {
      const [name] = this.dirty;
      this.dirty.delete(name);
      try {
        await this.draw(name);
      } catch (error) {
        console.error(`bnviz: the chart ${name} could not be drawn.`, error);
      }
    }
    this.request = this.dirty.size ? requestAnimationFrame(() => this.work()) : undefined;
    if (!this.request) this.waiters.splice(0).forEach((done) => done());
  }
}
