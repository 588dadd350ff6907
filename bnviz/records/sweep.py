"""A sweep as far as its cells have come in, and the deltas that make it up.

Shapes: k = competitors, y = rows, x = columns, s = seeds, t = moments of a run, the `MOMENTS`. What is not measured,
not yet, or of a network that has diverged, is NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import SweepCell, SweepConfig
from bnviz.records.arrays import Floats, Ints
from bnviz.records.trials import MOMENTS

USABLE_ACCURACY: Final = 0.8  # at the end, of a learning rate that can be used: SCIENCE, section 3


class Outcome(IntEnum):
    """How far one network of one run is, and how it fared."""

    WAITING = 0
    TRAINING = 1
    TRAINED = 2
    STALLED = 3  # at the end: chance accuracy over the last 200 steps
    DIVERGED = 4  # a non-finite loss
    FAILED = 5  # its run could not be computed: see `Sweep.failures`


class SweepPhase(StrEnum):
    """What a sweep is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"  # for good; what has come in stays
    FINISHED = "finished"  # every cell has come in or failed
    INTERRUPTED = "interrupted"  # the server ended meanwhile: resume goes on


@dataclass(frozen=True)
class SweepStatus:
    """What a sweep is doing now. A cell is done when all its seeds are; a run is one seed of a cell.

    Attributes:
        steps_per_second: networks' steps that came in, over the last seconds of running; 0 otherwise.
        seconds_left: estimated at that speed; NaN while that is not known.
        notice: one sentence for the visitor, such as why it waits; empty if there is none.
    """

    phase: SweepPhase
    cells_done: int
    cells_failed: int  # of which at least one seed failed
    cells_all: int
    runs_done: int  # come in or failed
    runs_all: int
    steps_per_second: float = 0.0
    seconds_left: float = float("nan")
    notice: str = ""


@dataclass(frozen=True, eq=False)
class CellResult:
    """One run that has come in: the delta by which a worker tells of it."""

    cell: SweepCell
    outcome: Ints  # [k] of `Outcome`: TRAINED, STALLED or DIVERGED
    since_step: Floats  # [k] at which that condition began; NaN where trained
    accuracy: Floats  # [k] at the end on the 10,000 test images, at inference, in [0, 1]; NaN where diverged
    accuracy_over_steps: Floats  # [k, t] the same on every fifth test image before the last moment


@dataclass(frozen=True)
class CellFailure:
    """One run that could not be computed, and why."""

    cell: SweepCell
    reason: str


@dataclass(frozen=True, eq=False)
class Sweep:
    """All that is known of one sweep: what figures draw and downloads hold."""

    sweep_id: str
    config: SweepConfig
    status: SweepStatus
    outcome: NDArray[np.uint8]  # [k, y, x, s] of `Outcome`
    since_step: Floats  # [k, y, x, s] at which stalled or diverged began
    accuracy: Floats  # [k, y, x, s] at the end
    accuracy_over_steps: Floats  # [k, y, x, s, t]
    failures: tuple[CellFailure, ...] = ()

    @property
    def done(self) -> float:
        """Share of the runs that have come in or failed, in [0, 1]."""
        return self.status.runs_done / max(self.status.runs_all, 1)

    @property
    def is_whole(self) -> bool:
        """Whether every run has come in, and none has failed: a cell that could not be computed says nothing."""
        return self.done == 1 and not self.status.cells_failed

    @property
    def steps(self) -> Ints:
        """Taken at each moment. [t]"""
        return np.round(MOMENTS * self.config.steps).astype(np.int64)

    @property
    def score(self) -> Floats:
        """Accuracy, where a network that has diverged, which answers nothing, has 0: for medians. [k, y, x, s]"""
        return np.where(self.outcome == Outcome.DIVERGED, 0.0, self.accuracy)

    @cached_property
    def median(self) -> Floats:
        """Of the score over the seeds that have come in; NaN before the first. [k, y, x]"""
        return _over_seeds(self.score, 0.5)

    @property
    def spread(self) -> Floats:
        """The smallest and the largest score of the seeds that have come in. [2, k, y, x]"""
        return np.stack([_over_seeds(self.score, level) for level in (0.0, 1.0)])

    def share_of(self, outcome: Outcome) -> Floats:
        """Of the seeds that have come in, how many fared like that, in [0, 1]; NaN before the first. [k, y, x]"""
        has_come = np.isin(self.outcome, (Outcome.TRAINED, Outcome.STALLED, Outcome.DIVERGED))
        with np.errstate(invalid="ignore"):
            share: Floats = (has_come & (self.outcome == outcome)).sum(axis=-1) / has_come.sum(axis=-1)
        return share

    def best_cell(self, k: int) -> tuple[int, int] | None:
        """Row and column of a network's largest median, the first of equals; None before any run has come in."""
        median = self.median[k]
        if np.isnan(median).all():
            return None
        row, column = np.unravel_index(int(np.nanargmax(median)), median.shape)
        return int(row), int(column)

    def usable(self, k: int, setting: str) -> tuple[Any, ...]:
        """The values of this axis at which a network's median is above `USABLE_ACCURACY`, the other axis best tuned.

        Raises:
            ValueError: the sweep has no such axis.
        """
        if setting not in (self.config.y.setting, self.config.x.setting):
            raise ValueError(f"{setting} is no axis of this sweep")
        is_x = setting == self.config.x.setting
        axis = self.config.x if is_x else self.config.y
        best = np.max(np.nan_to_num(self.median[k], nan=0.0), axis=0 if is_x else 1)
        return tuple(value for value, score in zip(axis.values, best, strict=True) if score > USABLE_ACCURACY)


def _over_seeds(score: Floats, level: float) -> Floats:
    """The quantile over the last axis, of what is not NaN there; NaN where nothing is."""
    is_absent = np.asarray(np.isnan(score).all(axis=-1))
    found: Floats = np.nanquantile(np.where(is_absent[..., None], 0.0, score), level, axis=-1)
    return np.where(is_absent, np.nan, found)


def nothing_swept(sweep_id: str, config: SweepConfig, phase: SweepPhase = SweepPhase.RUNNING) -> Sweep:
    """The record before any cell has come in."""
    shape = (len(config.competitors), len(config.y), len(config.x), config.seeds)
    return with_status(
        Sweep(
            sweep_id,
            config,
            SweepStatus(phase, 0, 0, 0, 0, 0),
            outcome=np.zeros(shape, np.uint8),
            since_step=np.full(shape, np.nan),
            accuracy=np.full(shape, np.nan),
            accuracy_over_steps=np.full((*shape, len(MOMENTS)), np.nan),
        ),
        phase,
    )


def with_results(sweep: Sweep, results: Iterable[CellResult]) -> Sweep:
    """The record with these runs come in, each in place of what was known of it."""
    results = list(results)
    arrays = {name: getattr(sweep, name).copy() for name in _ARRAYS}
    for one in results:
        place = (slice(None), one.cell.row, one.cell.column, one.cell.seed)
        for name, array in arrays.items():
            array[place] = getattr(one, name)
    come = {one.cell for one in results}
    failures = tuple(one for one in sweep.failures if one.cell not in come)
    return with_status(replace(sweep, failures=failures, **arrays), sweep.status.phase)


def with_failures(sweep: Sweep, failures: Iterable[CellFailure]) -> Sweep:
    """The record with these runs failed."""
    failures = tuple(failures)
    failed = {one.cell for one in failures}
    marked = _marked(sweep, failed, Outcome.FAILED)
    kept = tuple(one for one in sweep.failures if one.cell not in failed)
    return with_status(replace(marked, failures=kept + failures), sweep.status.phase)


def with_training(sweep: Sweep, cells: Iterable[SweepCell], is_training: bool) -> Sweep:
    """The record with these runs on a worker, or waiting again, and not failed any more."""
    chosen = set(cells)
    marked = _marked(sweep, chosen, Outcome.TRAINING if is_training else Outcome.WAITING)
    kept = tuple(one for one in sweep.failures if one.cell not in chosen)
    return with_status(replace(marked, failures=kept), sweep.status.phase)


def _marked(sweep: Sweep, cells: Iterable[SweepCell], outcome: Outcome) -> Sweep:
    marked = sweep.outcome.copy()
    for one in cells:
        marked[:, one.row, one.column, one.seed] = outcome
    return replace(sweep, outcome=marked)


def with_status(sweep: Sweep, phase: SweepPhase, **changes: Any) -> Sweep:
    """The record in this phase, its cells counted."""
    outcome: NDArray[np.uint8] = sweep.outcome[0]  # the networks of a run come in together
    is_failed, is_over = np.asarray(outcome == Outcome.FAILED), np.asarray(outcome >= Outcome.TRAINED)
    status = replace(
        sweep.status,
        phase=phase,
        cells_done=int((is_over & ~is_failed).all(axis=-1).sum()),
        cells_failed=int(is_failed.any(axis=-1).sum()),
        cells_all=outcome.shape[0] * outcome.shape[1],
        runs_done=int(is_over.sum()),
        runs_all=outcome.size,
        **changes,
    )
    return replace(sweep, status=status)


def cells_in(sweep: Sweep, *outcomes: Outcome) -> list[SweepCell]:
    """The runs of which the first network is like that, in the order of the sweep."""
    return [one for one in sweep.config.cells if sweep.outcome[0, one.row, one.column, one.seed] in outcomes]


_ARRAYS: Final = ("outcome", "since_step", "accuracy", "accuracy_over_steps")
