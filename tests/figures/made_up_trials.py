"""Records of experiments, made up: the networks differ, and so do conditions, seeds and moments."""

from dataclasses import replace

import numpy as np

from bnviz.config import TRIALS, DepthConfig, Experiment
from bnviz.records import AMOUNTS, MOMENTS, Depth, Run, Trials
from tests.figures import made_up_runs as made_up


def a_trials(
    experiment: Experiment, seeds: int = 3, known: int | None = None, diverged: tuple[int, int] | None = None
) -> Trials:
    """An experiment of which the first `known` runs (all unless given) are measured.

    `diverged` is the (competitor, condition) of a network that has no accuracy at the end.
    """
    config = replace(TRIALS[experiment], seeds=seeds)
    rng = np.random.default_rng(1)
    k, x = len(config.competitors), len(config.conditions)
    layers = config.conditions[0].settings.model.hidden_layers
    final = np.linspace(0.5, 0.95, x)[None, :] - 0.04 * np.arange(k)[:, None]  # [k, x]
    final = final[:, :, None] + rng.normal(0, 0.004, (k, x, seeds))
    accuracy = 0.1 + (final[..., None] - 0.1) * (1 - np.exp(-6 * MOMENTS))
    accuracy[..., -1] = final
    c, a = AMOUNTS.shape if experiment is Experiment.TEST_TIME else (0, 0)
    changed = np.linspace(0.95, 0.1, a)[None, None, None, :, None] - 0.02 * np.arange(k)[:, None, None, None, None]
    trials = Trials(
        config=config,
        done=1.0,
        steps=np.array([one.steps for one in config.conditions]),
        accuracy=accuracy,
        batch_accuracy=final + 0.02,
        training_accuracy=np.minimum(final + 0.03, 1.0),
        diverged_step=np.zeros((k, x, seeds)),
        spread=np.abs(rng.normal(1, 0.2, (k, x, seeds, 2, layers))),
        changed_accuracy=np.clip(changed + np.zeros((k, seeds, c, a, 2)) + [0, 0.03], 0, 1),
        changed_digits=rng.uniform(0, 1, (c, a, 28, 28)),
    )
    for array in (
        trials.accuracy,
        trials.batch_accuracy,
        trials.training_accuracy,
        trials.spread,
        trials.diverged_step,
    ):
        for turn in range(x * seeds if known is not None else 0):
            if turn >= (known or 0):
                array[:, turn % x, turn // x] = np.nan
    if diverged:
        network, condition = diverged
        trials.accuracy[network, condition, :, 4:] = np.nan
        trials.spread[network, condition, :, 1] = np.nan
        trials.batch_accuracy[network, condition] = trials.training_accuracy[network, condition] = np.nan
        trials.diverged_step[network, condition] = 50
    if known is not None:
        trials.changed_accuracy[:] = np.nan
    return replace(trials, done=1.0 if known is None else known / (x * seeds))


def a_depth(depth: int = 30, is_whole: bool = True) -> Depth:
    layers = np.arange(depth)[::-1]
    factors = np.array([[1.0, 1.46], [2.5, 1.1]])
    gradient = factors[..., None] ** layers
    spread = np.ones((2, 2, depth)) * np.array([[0.2, 0.6], [5.0, 2.0]])[..., None]
    if not is_whole:
        gradient[1], spread[1] = np.nan, np.nan
    return Depth(DepthConfig(depth=depth), 1.0 if is_whole else 0.5, gradient, spread)


def a_run_with(study: Trials | Depth) -> Run:
    run = made_up.a_run(0)
    return run.replace(study=study, status=replace(run.status, step=0))
