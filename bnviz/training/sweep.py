"""The cells of a sweep: several short runs of one shape, trained as one computation.

Cells of one batch (see `config.sweep.batches`) see the same mini-batches and differ in learning rate and initial scale
alone, so all their networks stand in one stack; each trains bit for bit as in a run of the lab with its own settings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bnviz.config import Competitor, Settings, SweepCell, SweepConfig, lineup
from bnviz.config.settings import step_milliseconds
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.records import MOMENTS, CellResult, Condition, Floats, Health, Outcome
from bnviz.training.moments import moments_of, on_all, parts_of
from bnviz.training.trainer import Trainer

ITEM_MILLISECONDS: Final = 20.0  # estimated work between two items


def train_cells(config: SweepConfig, cells: Sequence[SweepCell], mnist: Mnist) -> Iterator[tuple[CellResult, ...]]:
    """Train the cells of one batch side by side; nothing again and again, some tens of ms apart, at last their results.

    The same arguments give the same results.
    """
    settings = [config.settings_of(cell) for cell in cells]
    by_cell = [with_own(own) for own in settings]
    # Neighbours of one kind are computed together: all without BN, then all with it.
    trainer = Trainer(settings[0], mnist, [one for networks in zip(*by_cell, strict=True) for one in networks])
    yield ()
    accuracy = np.full((len(trainer.competitors), len(MOMENTS)), np.nan)
    for _ in _train(trainer, config.steps, accuracy):
        yield ()
    yield tuple(
        _result(cell, trainer.health[place :: len(cells)], accuracy[place :: len(cells)])
        for place, cell in enumerate(cells)
    )


def with_own(settings: Settings) -> list[Competitor]:
    """The networks of one run, with what it has of its own and another run beside it in one stack may not."""
    return [
        replace(
            one,
            learning_rate=settings.hyper.learning_rate if one.learning_rate is None else one.learning_rate,
            init_scale=settings.model.init_scale if one.init_scale is None else one.init_scale,
        )
        for one in lineup(settings.model)
    ]


def _train(trainer: Trainer, steps: int, accuracy: Floats) -> Iterator[None]:
    """All steps, and the accuracy of every network at every moment: [k, t]."""
    hyper, moments = trainer.settings.hyper, moments_of(steps)
    tests: list[TestAccuracy] = parts_of(trainer.settings.model, *trainer.test_set)
    estimate = step_milliseconds(trainer.settings, len(trainer.competitors))
    pause = max(round(ITEM_MILLISECONDS / estimate), 1)
    for step in range(steps):
        for t in moments.get(step, ()):
            accuracy[:, t] = trainer.accuracy_on(tests[0])
        if step in moments or step % pause == 0:
            yield
        if not trainer.is_finished:
            trainer.step(hyper)
    yield from on_all(accuracy[:, -1], tests, trainer.accuracy_on)


def _result(cell: SweepCell, healths: Sequence[Health], accuracy: Floats) -> CellResult:
    """What has come of one cell's networks. accuracy: [k, t]"""
    outcome = np.array([_OUTCOMES[one.condition] for one in healths])
    since = np.array([np.nan if one.since_step is None else one.since_step for one in healths], dtype=np.float64)
    return CellResult(cell, outcome, since, accuracy[:, -1].copy(), accuracy.copy())


_OUTCOMES: Final = {
    Condition.TRAINING: Outcome.TRAINED,
    Condition.STALLED: Outcome.STALLED,
    Condition.DIVERGED: Outcome.DIVERGED,
}
