"""Records of the paper's cousins and of the cost of BN, made up: variants, seeds and repetitions differ."""

from dataclasses import replace

import numpy as np

from bnviz.config import BATCHES_TIMED, SHAPES, WIDTHS_TIMED, CostConfig, CousinsConfig
from bnviz.records import COUSIN_MOMENTS, LOOPS, Cost, Cousins, Run, nothing_of_cousins, nothing_timed
from tests.figures import made_up_runs as made_up

FINAL = np.array(
    [
        [0.970, 0.980, 0.950, 0.300, 0.100, 0.960],  # without BN
        [0.975, 0.986, 0.988, 0.984, 0.960, 0.983],  # with BN
    ]
)
SPEED = np.array([[4.0, 5.0, 4.0, 1.0, 1.0, 2.0], [6.0, 12.0, 18.0, 15.0, 5.0, 8.0]])
GAIN = 0.004  # of all networks of an ensemble together


def cousins_of(seeds: int = 6, known: int | None = None, diverged: tuple[int, int] | None = None) -> Cousins:
    """An experiment of which the first `known` runs (all unless given) are measured, seed by seed.

    `diverged` is the (competitor, condition) of a network that ends at the tenth moment, from every seed.
    """
    config = CousinsConfig(steps=1000, seeds=seeds)
    found = nothing_of_cousins(config)
    rng = np.random.default_rng(3)
    final = FINAL[:, :, None] + rng.normal(0, 0.0005, (*FINAL.shape, seeds))
    rise = 1 - np.exp(-SPEED[:, :, None, None] * COUSIN_MOMENTS)
    found.accuracy[:] = 0.1 + (final[..., None] - 0.1) * rise
    found.diverged_step[:] = 0
    found.step_milliseconds[:] = np.array([1.0, 1.5])[:, None, None] + rng.uniform(0, 0.02, found.diverged_step.shape)
    found.ensemble_accuracy[:] = final.max(axis=2, keepdims=True) + GAIN * np.arange(seeds) / max(seeds - 1, 1)
    if diverged:
        found.accuracy[diverged][:, 10:] = np.nan
        found.diverged_step[diverged] = 100
        found.ensemble_accuracy[diverged] = np.nan
    conditions = len(config.conditions)
    for turn in range(conditions * seeds if known is not None else 0):
        if turn >= (known or 0):
            x, r = turn % conditions, turn // conditions
            for one in (found.accuracy, found.diverged_step, found.step_milliseconds, found.ensemble_accuracy):
                one[:, x, r] = np.nan
    return replace(found, done=1.0 if known is None else known / (conditions * seeds))


def cost_of(repetitions: int = 5, known: int | None = None) -> Cost:
    """Steps that take longer with width and batch size, with BN 1.2 to 2 times as long; the first `known` places."""
    config = CostConfig(repetitions=repetitions)
    found = nothing_timed(config, threads=1, is_gpu=False)
    rng = np.random.default_rng(4)
    base = 0.2 + 0.05 * np.arange(len(SHAPES) * len(WIDTHS_TIMED[SHAPES[0]])).reshape(len(SHAPES), -1, 1, 1)
    base = base + 0.01 * np.arange(len(BATCHES_TIMED))[:, None] + 0.1 * np.arange(len(LOOPS))
    noise = rng.uniform(1, 1.05, found.milliseconds.shape)
    found.milliseconds[:] = base[..., None, None] * noise
    factor = 2 - 0.2 * np.arange(base.shape[1])[:, None, None, None]
    found.milliseconds[..., 1, :] *= factor
    if known is not None:
        flat = found.milliseconds.reshape(-1, *found.milliseconds.shape[3:])
        flat[known:] = np.nan
    return replace(found, done=1.0 if known is None else known / len(config.places))


def run_with(study: Cousins | Cost) -> Run:
    run = made_up.a_run(0)
    return run.replace(study=study, status=replace(run.status, step=0))
