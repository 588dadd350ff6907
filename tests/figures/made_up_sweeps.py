"""Records of sweeps, made up: BN survives where the other networks diverge, and does best at larger rates."""

from dataclasses import replace

import numpy as np

from bnviz.config import RATE_AND_SCALE, SweepConfig
from bnviz.records import MOMENTS, CellResult, Outcome, Run, Sweep, SweepPhase, nothing_swept, with_results
from tests.figures import made_up_runs as made_up


def a_sweep(config: SweepConfig = RATE_AND_SCALE, known: int | None = None) -> Sweep:
    """A sweep of which the first `known` runs (all unless given) have come in."""
    cells = config.cells if known is None else config.cells[:known]
    phase = SweepPhase.RUNNING if len(cells) < len(config.cells) else SweepPhase.FINISHED
    return with_results(nothing_swept("made-up-sweep-0000", config, phase), map(_result(config), cells))


def _result(config: SweepConfig):
    rng = np.random.default_rng(2)

    def result(cell) -> CellResult:
        count = len(config.competitors)
        x, y = cell.column / max(len(config.x) - 1, 1), cell.row / max(len(config.y) - 1, 1)
        accuracy, outcome = np.empty(count), np.full(count, int(Outcome.TRAINED))
        for k in range(count):
            tuned = 0.8 if k else 0.45  # share of the x axis at which a network does best
            accuracy[k] = 0.975 - (0.25 if k else 1.5) * (x - tuned) ** 2 - (0.02 if k else 0.4) * (y - 0.6) ** 2
            accuracy[k] += rng.normal(0, 0.003)
            if k == 0 and x + y > 1.55:
                accuracy[k], outcome[k] = np.nan, int(Outcome.DIVERGED)
            elif accuracy[k] < 0.5:
                accuracy[k], outcome[k] = 0.1135, int(Outcome.STALLED)
        over_steps = 0.1 + (accuracy[:, None] - 0.1) * (1 - np.exp(-6 * MOMENTS))
        over_steps[:, -1] = accuracy
        since = np.where(outcome == Outcome.TRAINED, np.nan, 40.0)
        return CellResult(cell, outcome, since, accuracy, over_steps)

    return result


def a_run_with_sweep(sweep: Sweep) -> Run:
    run = made_up.a_run(0)
    return run.replace(run_id=sweep.sweep_id, study=sweep, status=replace(run.status, step=0))
