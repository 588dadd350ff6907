"""Recordings of the paper's Figure 1, made up: the networks differ, and so do learning rates, scales and seeds."""

from dataclasses import replace

import numpy as np

from bnviz.config import FIGURE_ONE_STEPS, FigureOneConfig, recorded_configs
from bnviz.records import Badge, FigureOne, Health, Replica, Run, Status, recorded_units
from bnviz.records.status import Phase
from bnviz.training.schedule import is_scheduled
from tests.figures import made_up_runs as made_up

STEPS = np.array([*(step for step in range(FIGURE_ONE_STEPS) if is_scheduled(step)), FIGURE_ONE_STEPS], np.float64)


def a_replica(config: FigureOneConfig, pace: float = 1.0, final: tuple[float, float] = (0.975, 0.981)) -> Replica:
    """One that learns faster at higher rates, and with BN three times as fast, `pace` times as fast without."""
    rng = np.random.default_rng(config.seed)
    units = recorded_units(3, 100)
    speed = config.learning_rate * np.array([pace, 3.0]) * (1 + 0.1 * config.seed) * (config.init_scale / 0.1) ** 0.5
    rise = 1 - np.exp(-((STEPS[:, None] * speed / 300) ** 0.7))
    accuracy = 0.1 + (np.array(final) - 0.1) * rise
    middle = rng.normal(0, 1, (2, 3, units.shape[1])) * rise[:, :, None, None]  # [m, k, l, u]
    bands = np.stack([middle - 1, middle, middle + 1 + rise[:, :, None, None]], axis=-1)
    return Replica(
        config=config,
        step=STEPS,
        accuracy=accuracy.astype(np.float32),
        loss=(2.3 * (1 - rise) + 0.05).astype(np.float32),
        units=units,
        bands=bands.astype(np.float16),
        health=(Health(), Health()),
        origin="made up",
    )


def a_study(
    config: FigureOneConfig | None = None,
    pace: float = 1.0,
    final: tuple[float, float] = (0.975, 0.981),
    only: int | None = None,
) -> FigureOne:
    """All recordings, or the first few of them."""
    config = config or FigureOneConfig()
    replicas = [a_replica(one, pace, final) for one in recorded_configs()][:only]
    shown = next((one for one in replicas if one.config == config), None)
    curves = tuple(replace(one, bands=None) for one in replicas)
    return FigureOne(config, curves, shown, "" if shown else "The recording is missing: record it again.")


def a_recorded_run(study: FigureOne | None = None) -> Run:
    """The run that carries them on the page."""
    study = study or a_study()
    run = made_up.a_run(0)
    status = Status(Phase.PAUSED, 0, FIGURE_ONE_STEPS, 0.0, "", (Health(), Health()))
    return run.replace(
        study=study, status=status, badge=Badge.RECORDED, origin="made up", settings=study.config.settings
    )


def a_live_run(study: FigureOne | None = None, points: int = 40) -> Run:
    """A visitor's own of the same settings, some points on its way, which comes to what was recorded."""
    study = study or a_study()
    assert study.shown is not None
    run = made_up.a_run(points, steps=int(STEPS[points - 1]))
    history = replace(run.history, step=STEPS[:points], accuracy=study.shown.accuracy[:points])
    return run.replace(history=history, study=study, settings=study.config.settings, badge=Badge.MEASURED)
