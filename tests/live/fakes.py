"""Stand-ins for the live tests: a run with plausible numbers, a hub in memory, a page without Streamlit."""

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnviz.config import TWINS, Directions, Settings
from bnviz.errors import RunError
from bnviz.records import (
    BAND_LEVELS,
    GRADIENT_BINS,
    QUANTILE_LEVELS,
    STANDARDISED_EDGES,
    Contour,
    Gradients,
    Health,
    History,
    HistoryBuilder,
    Intervention,
    Phase,
    Point,
    Run,
    Status,
    kept_units,
)

RUN_ID = "a-run-of-tests"
K = len(TWINS)


def point(step: int, settings: Settings) -> Point:
    """A point whose curves rise, fall and drift smoothly, so that a test can tell old data from new."""
    layers = settings.model.hidden_layers
    units = kept_units(layers, settings.model.width).shape[1]
    speed = np.array([0.4, 2.0])
    grown = 1 - np.exp(-step * speed / 200)  # [k]
    per_layer = grown[:, None] * np.linspace(1.0, 3.0, layers)  # [k, l]
    centre = per_layer[..., None] * np.linspace(-1, 1, units)
    levels = np.asarray(BAND_LEVELS) - 0.5
    return Point(
        step=step,
        images=60 * step,
        is_scheduled=True,
        compute_seconds=step * np.array([0.0005, 0.0007]),
        loss=2.3 * np.exp(-step * speed / 400) + 0.1,
        train_accuracy=np.full(K, 0.5),
        batch_accuracy=np.full(K, np.nan),
        accuracy=0.1 + 0.85 * grown,
        bands=centre[..., None] + 2 * levels,
        quantiles=per_layer[..., None] + 4 * (QUANTILE_LEVELS - 0.5),
        net_displacement=per_layer,
        path_length=2 * per_layer,
        standardised_net_displacement=per_layer / 2,
        standardised_path_length=per_layer,
        saturated=per_layer / 10,
        dead=per_layer / 30,
        update_ratio=0.01 * np.ones((K, layers + 1)),
    )


def history(steps: Sequence[int], settings: Settings) -> History:
    model = settings.model
    builder = HistoryBuilder(TWINS, kept_units(model.hidden_layers, model.width))
    for step in steps:
        builder.append(point(step, settings))
    return builder.history()


def gradients(step: int, settings: Settings) -> Gradients:
    weights = settings.model.hidden_layers + 1
    edges = np.tile(np.linspace(-0.02, 0.02, GRADIENT_BINS + 1), (weights, 1))
    middle = (STANDARDISED_EDGES[1:] + STANDARDISED_EDGES[:-1]) / 2
    counts = np.round(5000 * np.exp(-0.5 * middle**2))
    every = np.broadcast_to(counts, (K, weights, GRADIENT_BINS)).copy()
    one = np.ones((K, weights))
    return Gradients(step, edges, every, every, 0.003 * one, 0.5 * one, 6 * one, one, 9 * one, 0.1 * one)


def contour(step: int, directions: Directions = Directions.PATHS) -> Contour:
    axis = np.linspace(-1, 1, 21)
    bowl = 0.2 + axis[None, :] ** 2 + 2 * axis[:, None] ** 2
    path = np.stack([np.linspace(-0.6, 0, 12), np.linspace(0.4, 0, 12)], axis=1)
    return Contour(
        step, directions, 512, axis, axis, np.stack([bowl, 2 * bowl]), np.linspace(0, step, 12),
        np.stack([path, -path]), np.array([0.9, 0.88]),
    )  # fmt: skip


def run(
    steps: Sequence[int] = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400),
    settings: Settings | None = None,
    run_id: str = RUN_ID,
    phase: Phase = Phase.PAUSED,
    generation: int = 0,
    **more: Any,
) -> Run:
    settings = settings or Settings()
    last = steps[-1] if steps else 0
    status = Status(phase, generation, last, 640.0 if phase is Phase.PLAYING else 0.0, "CPU", (Health(), Health()))
    parts: dict[str, Any] = {}
    if steps:
        parts = {
            "gradients": (gradients(0, settings), gradients(last, settings)) if last else (gradients(0, settings),),
            "contour": contour(last),
        }
    return Run(run_id, settings, status, history(steps, settings), **(parts | more))


class FakeHub:
    """Runs in memory; `put` wakes whoever waits, from any thread."""

    def __init__(self, *runs: Run) -> None:
        self._lock = threading.Lock()
        self._versions = itertools.count(1)
        self._runs: dict[str, tuple[int, Run]] = {}
        self._wakes: list[Callable[[], None]] = []
        for one in runs:
            self.put(one)

    def put(self, one: Run) -> None:
        with self._lock:
            self._runs[one.run_id] = (next(self._versions), one)
        for wake in list(self._wakes):
            wake()

    @property
    def watchers(self) -> int:
        return len(self._wakes)

    def get(self, run_id: str) -> Run:
        return self._known(run_id)[1]

    def version(self, run_id: str) -> int:
        return self._known(run_id)[0]

    def _known(self, run_id: str) -> tuple[int, Run]:
        with self._lock:
            if run_id not in self._runs:
                raise RunError("There is no such run: start one of your own.")
            return self._runs[run_id]

    @contextmanager
    def watching(
        self,
        run_id: str,
        wake: Callable[[], None],
        charts: Callable[[], Collection[str]],
        next_at: Callable[[float], float],
    ) -> Iterator[None]:
        self._wakes.append(wake)
        try:
            yield
        finally:
            self._wakes.remove(wake)


INTERVENTION = Intervention(100, "learning_rate", 0.5, 2.0)
