// Tells the page when the run's phase, or its settings, are no longer what it was drawn for: once, and only if they stay so.

const STAYS_MS = 700; // a command is on its way for some of this time

export class PhaseWatch {
  /**
   * @param {(value: string) => void} report
   * @param {number} staysMs  for how long frames must say otherwise
   * @param {() => boolean} mayReport  whether now is the time; if not, it is tried again after as long
   */
  constructor(report, staysMs = STAYS_MS, mayReport = () => true) {
    this.report = report;
    this.staysMs = staysMs;
    this.mayReport = mayReport;
  }

  /** What the page takes the run to be doing, after each of its reruns. */
  believe(runId, phase) {
    if (runId === this.runId && phase === this.believed) return;
    this.runId = runId;
    this.believed = phase;
    this.reported = undefined;
    this.check();
  }

  /** What a frame says. */
  see(runId, phase) {
    this.seenRunId = runId;
    this.seen = phase;
    this.check();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  check() {
    const differs = this.believed && this.seenRunId === this.runId && this.seen !== this.believed;
    if (!differs || this.seen !== this.pending) this.stop();
    this.pending = differs ? this.seen : undefined;
    if (!differs || this.seen === this.reported || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (!this.mayReport()) return this.check();
      this.reported = this.seen;
      this.report(this.seen);
    }, this.staysMs);
  }
}
