"""Experiments of several short runs each: every condition trained from every seed, its networks in lock-step.

Shapes as in `records.trials`.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any, Final

import numpy as np
from torch import Tensor

from bnviz.config import Condition, Experiment, TrialsConfig
from bnviz.config.trials import trials_milliseconds
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.changed_images import SIDE, changed
from bnviz.records import AMOUNTS, CHANGES, MOMENTS, STATISTICS, Trials
from bnviz.records import Condition as State
from bnviz.training.moments import moments_of, on_all, parts_of
from bnviz.training.trainer import Trainer

ITEM_MILLISECONDS: Final = 20.0  # estimated work between two items
CHANGED_IMAGES: Final = 2000  # test images on which changes are tried
TRAINING_IMAGES: Final = 10_000  # at most so many of them are tried at the end
DIGIT: Final = 0  # the test image that is shown changed


def run_trials(config: TrialsConfig, mnist: Mnist) -> Iterator[Trials]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    All conditions are run from the first seed before any is from the second. Between two items lie some tens of ms of
    work. The same arguments give the same items.
    """
    trials = _Running(config, mnist)
    conditions = config.conditions
    parts = [one.steps for one in conditions] * config.seeds
    before = 0.0
    for turn, part in enumerate(parts):
        seed, x = divmod(turn, len(conditions))
        for share in trials.run(conditions[x], x, seed):
            yield trials.record(min((before + share * part) / sum(parts), 0.999))
        before += part
    yield trials.record(1.0)


class _Running:
    """The runs, and what is known of them so far."""

    def __init__(self, config: TrialsConfig, mnist: Mnist) -> None:
        self._config, self._mnist = config, mnist
        self._unfinished = _nothing_yet(config)
        self._tests: list[TestAccuracy] = []
        if config.experiment is Experiment.TEST_TIME:
            self._note_digits()

    def record(self, done: float) -> Trials:
        """All there is so far; later work changes nothing in it."""
        arrays: dict[str, Any] = {
            one.name: value.copy()
            for one in fields(Trials)
            if isinstance(value := getattr(self._unfinished, one.name), np.ndarray)
        }
        return replace(self._unfinished, done=done, **arrays)

    def run(self, condition: Condition, x: int, r: int) -> Iterator[float]:
        """Train and measure one run; yields the share of it that is done."""
        settings = condition.with_seed(r)
        trainer = Trainer(settings, self._mnist, self._config.competitors)
        yield 0.0
        self._unfinished.spread[:, x, r, 0] = trainer.spread()
        moments, tests = moments_of(condition.steps), self._test_parts(trainer)
        pause = max(round(ITEM_MILLISECONDS / trials_milliseconds(self._config, condition)), 1)
        for step in range(condition.steps):
            for t in moments.get(step, ()):
                self._unfinished.accuracy[:, x, r, t] = trainer.accuracy_on(tests[0])
            if step in moments or step % pause == 0:
                yield step / condition.steps
            if not trainer.is_finished:
                trainer.step(settings.hyper)
        for _ in self._examine(trainer, x, r):
            yield 1.0

    def _test_parts(self, trainer: Trainer) -> list[TestAccuracy]:
        """The same for all runs."""
        if not self._tests:
            self._tests = parts_of(trainer.settings.model, *trainer.test_set)
        return self._tests

    def _examine(self, trainer: Trainer, x: int, r: int) -> Iterator[None]:
        """What is measured at the end of a run, bit by bit."""
        found, tests = self._unfinished, self._test_parts(trainer)
        found.spread[:, x, r, 1] = trainer.spread()
        yield from on_all(found.accuracy[:, x, r, -1], tests, trainer.accuracy_on)
        yield from on_all(found.batch_accuracy[:, x, r], tests, partial(trainer.accuracy_on, has_batch_statistics=True))
        if self._config.experiment is Experiment.DROPOUT:
            fitted = parts_of(trainer.settings.model, *_spaced(*trainer.training_set))
            yield from on_all(found.training_accuracy[:, x, r], fitted, trainer.accuracy_on)
        if self._config.experiment is Experiment.TEST_TIME:
            yield from self._try_changes(trainer, r)
        # Last, since it says that all of this run is known.
        for k, health in enumerate(trainer.health):
            is_diverged = health.condition is State.DIVERGED
            found.diverged_step[k, x, r] = (health.since_step or 0) if is_diverged else 0

    def _try_changes(self, trainer: Trainer, r: int) -> Iterator[None]:
        images, labels = (one[:CHANGED_IMAGES] for one in trainer.test_set)
        for c, change in enumerate(CHANGES):
            for a, amount in enumerate(AMOUNTS[c]):
                tried = changed(images, change, float(amount), seed=r)
                accuracy = TestAccuracy(trainer.settings.model, tried, labels, is_shared=False)
                for s in range(len(STATISTICS)):
                    self._unfinished.changed_accuracy[:, r, c, a, s] = trainer.accuracy_on(accuracy, bool(s))
                yield

    def _note_digits(self) -> None:
        digit: Tensor = self._mnist.test_images[DIGIT : DIGIT + 1].float() / 255
        for c, change in enumerate(CHANGES):
            for a, amount in enumerate(AMOUNTS[c]):
                image = changed(digit, change, float(amount)).view(SIDE, SIDE)
                self._unfinished.changed_digits[c, a] = image.cpu().numpy()


def _spaced(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Evenly spaced ones of these, no more than `TRAINING_IMAGES`, as many from even places as from odd ones.

    MNIST's training images alternate between two sources: networks err about twice as often on those in even places.
    """
    every = -(-len(labels) // TRAINING_IMAGES)
    every += every % 2 == 0
    return images[::every], labels[::every]


def _nothing_yet(config: TrialsConfig) -> Trials:
    """The record before anything is measured."""
    conditions = config.conditions
    k, x, r = len(config.competitors), len(conditions), config.seeds
    layers = conditions[0].settings.model.hidden_layers
    c, a = AMOUNTS.shape if config.experiment is Experiment.TEST_TIME else (0, 0)
    return Trials(
        config=config,
        done=0.0,
        steps=np.array([one.steps for one in conditions]),
        accuracy=np.full((k, x, r, len(MOMENTS)), np.nan),
        batch_accuracy=np.full((k, x, r), np.nan),
        training_accuracy=np.full((k, x, r), np.nan),
        diverged_step=np.full((k, x, r), np.nan),
        spread=np.full((k, x, r, 2, layers), np.nan),
        changed_accuracy=np.full((k, r, c, a, len(STATISTICS)), np.nan),
        changed_digits=np.full((c, a, SIDE, SIDE), np.nan),
    )
