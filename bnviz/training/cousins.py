"""The paper's scaled-down cousins: every condition trained from every seed, without BN and with it in lock-step.

Shapes as in `records.cousins`; i = test images.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np

from bnviz.config import CLASSES, Condition, CousinsConfig
from bnviz.config.cousins import cousins_milliseconds
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.compute_time import Clock
from bnviz.records import COUSIN_MOMENTS, Cousins, Floats, Ints, nothing_of_cousins
from bnviz.records import Condition as State
from bnviz.training.moments import PARTS, moments_of, on_all, parts_of
from bnviz.training.trainer import Trainer

ITEM_MILLISECONDS: Final = 20.0  # estimated work between two items


def run_cousins(config: CousinsConfig, mnist: Mnist, clock: Clock | None = None) -> Iterator[Cousins]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    All conditions are run from the first seed before any is from the second. Between two items lie some tens of ms of
    work. The same arguments give the same items, but for the times; without a clock there are none.
    """
    running = _Running(config, mnist, clock)
    turns = [(x, r) for r in range(config.seeds) for x in range(len(config.conditions))]
    for turn, (x, r) in enumerate(turns):
        for share in running.run(config.conditions[x], x, r):
            yield running.record(min((turn + share) / len(turns), 0.999))
    yield running.record(1.0)


class _Running:
    """The runs, and what is known of them so far."""

    def __init__(self, config: CousinsConfig, mnist: Mnist, clock: Clock | None) -> None:
        self._config, self._mnist, self._clock = config, mnist, clock
        self._unfinished = nothing_of_cousins(config)
        self._ensembles: dict[int, Ensembles] = {}  # by condition
        self._tests: list[TestAccuracy] = []

    def record(self, done: float) -> Cousins:
        """All there is so far; later work changes nothing in it."""
        arrays: dict[str, Any] = {
            one.name: value.copy()
            for one in fields(Cousins)
            if isinstance(value := getattr(self._unfinished, one.name), np.ndarray)
        }
        return replace(self._unfinished, done=done, **arrays)

    def run(self, condition: Condition, x: int, r: int) -> Iterator[float]:
        """Train and measure one run; yields the share of it that is done."""
        settings = condition.with_seed(r)
        trainer = Trainer(settings, self._mnist, self._config.competitors, self._clock)
        yield 0.0
        found, tests = self._unfinished, self._test_parts(trainer)
        moments = moments_of(condition.steps, COUSIN_MOMENTS)
        pause = max(round(ITEM_MILLISECONDS / cousins_milliseconds(self._config)), 1)
        seconds: list[Floats] = []
        for step in range(condition.steps + 1):
            for t in moments.get(step, ()):
                seconds.append(trainer.seconds_a_step())
                for _ in on_all(found.accuracy[:, x, r, t], tests, trainer.accuracy_on):
                    yield step / condition.steps
            if step % pause == 0:
                yield step / condition.steps
            if step < condition.steps and not trainer.is_finished:
                trainer.step(settings.hyper)
        found.step_milliseconds[:, x, r] = _median(1e3 * np.stack(seconds))
        yield from self._ask_together(trainer, x, r)
        # Last, since it says that all of this run is known.
        for k, health in enumerate(trainer.health):
            is_diverged = health.condition is State.DIVERGED
            found.diverged_step[k, x, r] = (health.since_step or 0) if is_diverged else 0

    def _test_parts(self, trainer: Trainer) -> list[TestAccuracy]:
        """The same for all runs."""
        if not self._tests:
            self._tests = parts_of(trainer.settings.model, *trainer.test_set)
        return self._tests

    def _ask_together(self, trainer: Trainer, x: int, r: int) -> Iterator[float]:
        """The ensembles of this condition, with the networks of this run as their newest members."""
        outputs = []
        for part in self._test_parts(trainer):
            outputs.append(trainer.probabilities_on(part))
            yield 1.0
        labels = trainer.test_set[1].cpu().numpy()
        in_parts = np.concatenate([labels[i::PARTS] for i in range(PARTS)])
        ensembles = self._ensembles.setdefault(x, Ensembles(len(self._config.competitors), in_parts))
        self._unfinished.ensemble_accuracy[:, x, r] = ensembles.add(np.concatenate(outputs, axis=1))


class Ensembles:
    """Networks of one kind that answer together: the arithmetic mean of their softmax outputs, as in the paper.

    Args:
        count: kinds.
        labels: [i].
    """

    def __init__(self, count: int, labels: Ints) -> None:
        self._labels = labels
        self._sum: Floats = np.zeros((count, len(labels), CLASSES))

    def add(self, outputs: Floats) -> Floats:
        """One more member of each kind, unless its outputs are not finite; the accuracy of each ensemble.

        NaN of one without a member.

        Args:
            outputs: softmax outputs, [k, i, 10].

        Returns:
            [k]
        """
        is_member = np.isfinite(outputs).all(axis=(1, 2))
        self._sum[is_member] += outputs[is_member]
        share = (self._sum.argmax(axis=2) == self._labels).mean(axis=1)
        has_members = self._sum.any(axis=(1, 2))
        accuracy: Floats = np.where(has_members, share, np.nan)
        return accuracy


def _median(values: Floats) -> Floats:
    """Of the rows that are known, column by column; NaN where none is. [n, k] to [k]"""
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if column.size else np.nan for column in known])
