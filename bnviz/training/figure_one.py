"""Figure 1 of Ioffe & Szegedy 2015, trained: runs of one seed, scale and update rule side by side.

They see the same mini-batches and differ in learning rate alone, so all their networks stand in one stack; each trains
bit for bit as in a run of the lab with its own settings.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bnviz.config import FIGURE_ONE_STEPS, FigureOneConfig
from bnviz.data import Mnist
from bnviz.records import Point, Replica, recorded_units
from bnviz.training.sweep import with_own
from bnviz.training.trainer import Trainer


def train_replicas(
    configs: Sequence[FigureOneConfig],
    mnist: Mnist,
    steps: int = FIGURE_ONE_STEPS,
    on_step: Callable[[int], None] = lambda step: None,
) -> tuple[Replica, ...]:
    """Train runs that differ in nothing but learning rate and initial scale, and measure them on the schedule.

    `on_step` is told now and then how far they are.

    Raises:
        ValueError: runs that do not see the same mini-batches, or not by the same update rule.
    """
    if len({(one.rule, one.seed) for one in configs}) != 1:
        raise ValueError("only runs of one seed and one update rule train side by side")
    settings = [one.settings for one in configs]
    networks = [with_own(one) for one in settings]
    # Neighbours of one kind are computed together: all without BN, then all with it.
    trainer = Trainer(settings[0], mnist, [one for kind in zip(*networks, strict=True) for one in kind])
    points = [trainer.measure(is_scheduled=False)]
    while trainer.step_count < steps and not trainer.is_finished:
        trainer.step(settings[0].hyper)
        if trainer.is_due or trainer.step_count == steps:
            points.append(trainer.measure(is_scheduled=False))
        if trainer.step_count % 10 == 0:
            on_step(trainer.step_count)
    return tuple(_replica(one, place, len(configs), trainer, points) for place, one in enumerate(configs))


def _replica(config: FigureOneConfig, place: int, count: int, trainer: Trainer, points: Sequence[Point]) -> Replica:
    """What has come of one run out of so many."""
    model = trainer.settings.model
    units = recorded_units(model.hidden_layers, model.width)
    kept = np.isin(trainer.units[0], units[0])
    own = slice(place, None, count)
    return Replica(
        config=config,
        step=np.array([one.step for one in points], np.float64),
        accuracy=np.stack([one.accuracy[own] for one in points]).astype(np.float32),
        loss=np.stack([one.loss[own] for one in points]).astype(np.float32),
        units=units,
        bands=np.stack([one.bands[own][:, :, kept] for one in points]).astype(np.float16),
        health=trainer.health[own],
    )
