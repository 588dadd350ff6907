"""The cells of a sweep that train as one computation: each comes to what it would come to alone, bit for bit.

Shapes as in `records.sweep`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bnviz.config import Competitor, SweepCell, SweepConfig, step_milliseconds
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.records import MOMENTS, CellResult, Condition, Floats, Outcome
from bnviz.training.trainer import Trainer

ITEM_MILLISECONDS: Final = 15.0  # estimated work between two items
PART: Final = 5  # moments before the last are measured on every fifth test image
_OUTCOMES: Final = {
    Condition.TRAINING: Outcome.TRAINED,
    Condition.STALLED: Outcome.STALLED,
    Condition.DIVERGED: Outcome.DIVERGED,
}


def run_cells(config: SweepConfig, cells: Sequence[SweepCell], mnist: Mnist) -> Iterator[tuple[CellResult, ...]]:
    """Train these cells, one of `batches`, a little further at each item: nothing, and last the results of all.

    Their networks share the mini-batches, as the cells have one seed; a learning rate and an initial scale are each
    network's own. Final accuracies are measured cell by cell, so that no bit depends on what trained beside it.
    """
    settings = config.settings_of(cells[0])
    trainer = Trainer(settings, mnist, _competitors(config, cells))
    yield ()
    over = np.full((len(trainer.competitors), len(MOMENTS)), np.nan)
    images, labels = trainer.test_set
    part = TestAccuracy(settings.model, images[::PART].contiguous(), labels[::PART], is_shared=False)
    moments = {round(float(share) * config.steps): t for t, share in enumerate(MOMENTS)}
    pause = max(round(ITEM_MILLISECONDS / step_milliseconds(settings, len(trainer.competitors))), 1)
    for step in range(config.steps):
        if step in moments:
            over[:, moments[step]] = trainer.accuracy_on(part)
            yield ()
        elif step % pause == 0:
            yield ()
        if trainer.is_finished:
            break
        trainer.step(settings.hyper)
    whole, results = TestAccuracy(settings.model, images, labels), []
    for i, cell in enumerate(cells):
        results.append(_result(trainer, cell, range(i, len(over), len(cells)), whole, over))
        yield ()
    yield tuple(results)


def _competitors(config: SweepConfig, cells: Sequence[SweepCell]) -> list[Competitor]:
    """Network by network, cells within: those of one normalization stand side by side, which is fastest."""
    return [
        replace(
            one,
            name=f"{one.name} {i}",
            learning_rate=settings.hyper.learning_rate,
            init_scale=settings.model.init_scale if one.init_scale is None else one.init_scale,
        )
        for one in config.competitors
        for i, settings in enumerate(map(config.settings_of, cells))
    ]


def _result(
    trainer: Trainer, cell: SweepCell, networks: Sequence[int], whole: TestAccuracy, over: Floats
) -> CellResult:
    accuracy = trainer.accuracy_on(whole, networks=networks)[networks]
    health = [trainer.health[k] for k in networks]
    since = [np.nan if one.since_step is None else one.since_step for one in health]
    outcome = [_OUTCOMES[one.condition] for one in health]
    own = np.column_stack([over[networks, :-1], accuracy])
    return CellResult(cell, np.array(outcome, np.uint8), np.array(since, float), accuracy, own)
