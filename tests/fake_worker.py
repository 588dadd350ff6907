"""Stand-ins for what is slow or far away: a trainer that only counts, a clock that only moves when told, a cluster
whose hosts live in this process and can be made to die.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch

from bnviz.config import (
    TWINS,
    AnatomyConfig,
    Directions,
    HyperParams,
    LandscapeConfig,
    Settings,
    SweepCell,
    SweepConfig,
    UntrainedConfig,
)
from bnviz.errors import EngineError
from bnviz.measure.weight_path import Walk
from bnviz.records import (
    GRADIENT_BINS,
    MOMENTS,
    STEP_SIZES,
    Anatomy,
    CellResult,
    Condition,
    Contour,
    Gradients,
    Health,
    Landscape,
    Outcome,
    Point,
    Sharpness,
    Shift,
    Smoothness,
    Untrained,
    kept_units,
    measure_shapes,
    no_anatomy,
)
from bnviz.worker import cells as worker_cells
from bnviz.worker.host import Host
from bnviz.worker.slices import Slices

SMALL = Settings().replace(hidden_layers=1, width=10)


class FakeClock:
    """Seconds that pass only when something takes them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Costs:
    """Seconds that a fake trainer takes, and the steps at which things happen to it."""

    step: float = 0.001
    measure: float = 0.01
    light_measure: float = 0.003  # without test accuracy
    gradients: float = 0.002
    shift: float = 0.004
    untrained_item: float = 0.005
    contour_item: float = 0.005
    contour_items: int = 10
    landscape_item: float = 0.005
    landscape_items: int = 10
    anatomy_item: float = 0.005
    anatomy_items: int = 3
    diverges_at: int | None = None
    fails_at: int | None = None


class FakeTrainer:
    """Counts steps. The drift of its one layer is the learning rate summed over the steps, so that runs can be told
    apart and a resumed one can be compared with one that was never interrupted.
    """

    def __init__(
        self, settings: Settings, tensors: dict[str, Any] | None, costs: Costs, take: Callable[[float], None]
    ) -> None:
        self.settings, self.competitors = settings, TWINS
        self.costs, self._take = costs, take
        self.step_count = self.images_seen = 0
        self.walked = self.drawing_seconds = 0.0
        self.device_name = "CPU"
        self.units = kept_units(settings.model.hidden_layers, settings.model.width)
        self.hypers: list[HyperParams] = []
        self.measured: list[tuple[int, bool]] = []
        if tensors is not None:
            self.step_count = int(tensors["step"])
            self.walked = float(tensors["walked"])

    @property
    def is_finished(self) -> bool:
        return self.costs.diverges_at is not None and self.step_count >= self.costs.diverges_at

    @property
    def health(self) -> tuple[Health, ...]:
        if self.is_finished:
            return tuple(Health(Condition.DIVERGED, self.step_count, layer, "weights") for layer in (1, 2))
        return (Health(), Health())

    @property
    def is_due(self) -> bool:
        return self.step_count <= 3 or self.step_count % 1000 == 0

    def step(self, hyper: HyperParams) -> None:
        if self.step_count == self.costs.fails_at:
            raise ZeroDivisionError("a fault of our own")
        self._take(self.costs.step)
        self.hypers.append(hyper)
        self.step_count += 1
        self.walked += hyper.learning_rate

    def measure(self, is_scheduled: bool, with_accuracy: bool = True) -> Point:
        self._take(self.costs.measure if with_accuracy else self.costs.light_measure)
        self.measured.append((self.step_count, is_scheduled))
        layers, units = self.units.shape
        shapes = measure_shapes(len(TWINS), layers, units)
        values: dict[str, Any] = {name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}
        values |= {"step": self.step_count, "images": 60 * self.step_count, "is_scheduled": is_scheduled}
        values["net_displacement"] = np.full((len(TWINS), layers), self.walked, np.float32)
        if not with_accuracy:
            values["accuracy"] = np.full(len(TWINS), np.nan, np.float32)
        return Point(**values)

    def measure_batch_accuracy(self, is_wanted: bool) -> None:
        self.is_batch_accuracy_wanted = is_wanted

    def gradients(self) -> Gradients:
        self._take(self.costs.gradients)
        k, w = len(TWINS), self.settings.model.hidden_layers + 1
        return Gradients(
            self.step_count,
            edges=np.tile(np.linspace(-1, 1, GRADIENT_BINS + 1), (w, 1)),
            counts=np.ones((k, w, GRADIENT_BINS)),
            standardised_counts=np.ones((k, w, GRADIENT_BINS)),
            std=np.ones((k, w)),
            excess_kurtosis=np.zeros((k, w)),
            tail_ratio=np.ones((k, w)),
            norm=np.ones((k, w)),
            weight_norm=np.ones((k, w)),
            radial=np.ones((k, w)),
        )

    @property
    def is_shift_due(self) -> bool:
        return self.step_count % 25 == 0

    @property
    def is_smoothness_due(self) -> bool:
        return self.step_count % 50 == 0

    def shift(self, hyper: HyperParams | None = None) -> Shift:
        self._take(self.costs.shift)
        one = np.ones((len(TWINS), self.settings.model.hidden_layers + 1))
        return Shift(self.step_count, one, one, one)

    def smoothness(self, hyper: HyperParams | None = None) -> Smoothness:
        self._take(self.costs.shift)
        one, many = np.ones(len(TWINS)), np.ones((len(TWINS), len(STEP_SIZES)))
        return Smoothness(self.step_count, one, one, many, many, many)

    def contour(self, directions: Directions, side: int = 3) -> Iterator[Contour]:
        return self._contours(directions, side, self.step_count)

    def _contours(self, directions: Directions, side: int, step: int) -> Iterator[Contour]:
        grid = np.linspace(-1, 1, side)
        count = self.costs.contour_items
        for item in range(1, count + 1):
            self._take(self.costs.contour_item)
            self.drawing_seconds += self.costs.contour_item
            loss = np.full((len(TWINS), side, side), 1.0 if item == count else np.nan)
            path = np.zeros((len(TWINS), 1, 2))
            yield Contour(step, directions, 512, grid, grid, loss, np.array([step]), path, np.ones(len(TWINS)))

    def landscape(self, config: LandscapeConfig, earlier: Walk | None = None) -> Iterator[Landscape]:
        return self._landscapes(config, [] if earlier is None else earlier.steps, self.step_count)

    def _landscapes(self, config: LandscapeConfig, earlier_steps: list[int], step: int) -> Iterator[Landscape]:
        count = self.costs.landscape_items
        for item in range(1, count + 1):
            self._take(self.costs.landscape_item)
            self.drawing_seconds += self.costs.landscape_item
            yield Landscape(
                step,
                config,
                config.directions,
                config.statistics,
                item / count,
                loss=np.full((len(TWINS), 1, 3, 3), 1.0 if item == count else np.nan),
                earlier_steps=np.array(earlier_steps, float),
            )

    @property
    def is_sharpness_due(self) -> bool:
        return self.step_count <= 2 or self.step_count % 100 == 0

    def sharpness(self, hyper: HyperParams | None = None) -> Iterator[Sharpness]:
        return self._sharpnesses(self.step_count)

    def _sharpnesses(self, step: int) -> Iterator[Sharpness]:
        for _ in range(self.costs.landscape_items):
            self._take(self.costs.landscape_item)
            yield Sharpness(step, *np.ones((3, len(TWINS))))

    def anatomy(self, config: AnatomyConfig) -> Iterator[Anatomy]:
        return self._anatomies(no_anatomy(config, self.step_count, ""))  # of the step of this call

    def _anatomies(self, nothing: Anatomy) -> Iterator[Anatomy]:
        for item in range(1, self.costs.anatomy_items + 1):
            self._take(self.costs.anatomy_item)
            yield replace(nothing, done=item / self.costs.anatomy_items)

    def walk(self) -> Walk:
        return Walk([0, self.step_count], ("plain", "bn"), torch.zeros(2, 2, 1))

    def checkpoint(self) -> dict[str, Any]:
        import torch

        return {"step": torch.tensor(self.step_count), "walked": torch.tensor(self.walked, dtype=torch.float64)}


class Workbench:
    """Builds fake trainers and keeps them; given as `build`."""

    def __init__(self, costs: Costs | None = None, take: Callable[[float], None] = time.sleep) -> None:
        self.costs, self.take = costs or Costs(), take
        self.trainers: list[FakeTrainer] = []

    def __call__(self, settings: Settings, tensors: dict[str, Any] | None = None) -> Any:
        trainer = FakeTrainer(settings, tensors, self.costs, self.take)
        self.trainers.append(trainer)
        return trainer

    def measure_study(self, config: UntrainedConfig) -> Iterator[Untrained]:
        """Ten items, with nothing in them but how far they are."""
        nothing: Any = np.zeros(0)
        for item in range(1, 11):
            self.take(self.costs.untrained_item)
            arrays = dict.fromkeys((one.name for one in fields(Untrained)), nothing)
            yield Untrained(**arrays | {"config": config, "done": item / 10, "gradients": None})

    @property
    def newest(self) -> FakeTrainer:
        return self.trainers[-1]


class _Line:
    """The line to a host, which can be cut."""

    def __init__(self, slices: Slices) -> None:
        self.slices, self.is_cut = slices, False
        self._host = Host(slices)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._host, name)

        async def ask(*args: Any) -> Any:
            if self.is_cut:
                raise OSError("the line is cut")
            answer = await method(*args)
            if self.is_cut:
                raise OSError("the line was cut meanwhile")
            return answer

        return ask


class Sweeper:
    """Trains the cells of sweeps: at once, or when `gate` is opened; those that are told so kill their worker."""

    def __init__(self) -> None:
        self.batches: list[tuple[SweepCell, ...]] = []
        self.poisonous: dict[SweepCell, Exception] = {}
        self.most_at_once = self._now = 0
        self.is_open = True

    async def __call__(
        self, key: str, config: SweepConfig, cells: tuple[SweepCell, ...]
    ) -> tuple[CellResult, ...] | None:
        self.batches.append(cells)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(0.002)
            while not self.is_open and key not in worker_cells._stopped:
                await asyncio.sleep(0.002)
            if key in worker_cells._stopped:
                return None
            for cell in cells:
                if cell in self.poisonous:
                    raise self.poisonous[cell]
            return tuple(self.result(config, cell) for cell in cells)
        finally:
            self._now -= 1

    @staticmethod
    def result(config: SweepConfig, cell: SweepCell) -> CellResult:
        k = len(config.competitors)
        accuracy = np.full(k, (cell.row + cell.column + cell.seed) / 100)
        over = np.tile(accuracy[:, None], len(MOMENTS))
        return CellResult(cell, np.full(k, Outcome.TRAINED, np.uint8), np.full(k, np.nan), accuracy, over)


@dataclass
class FakeCluster:
    """Hosts with fake trainers, in this process."""

    workers: int = 1
    bench: Workbench = field(default_factory=Workbench)
    starts: int = 0
    is_down: bool = False
    sweeper: "Sweeper" = field(default_factory=lambda: Sweeper())

    def __post_init__(self) -> None:
        self.lines: dict[str, _Line] = {}
        self._numbers = 0

    async def start(self) -> None:
        self.starts += 1
        self.is_down = False
        for _ in range(self.workers):
            self.add_worker()

    def add_worker(self) -> str:
        self._numbers += 1
        address = f"fake://{self._numbers}"
        self.lines[address] = _Line(Slices(self.bench, measure_study=self.bench.measure_study))
        return address

    def kill(self, address: str) -> None:
        line = self.lines.pop(address)
        line.is_cut = True
        line.slices.close()

    async def hosts(self) -> dict[str, Host]:
        if self.is_down:
            raise EngineError("The fake cluster is down.")
        return dict(self.lines)  # type: ignore[arg-type]  # a line answers as its host does

    async def train_cells(
        self, key: str, config: SweepConfig, cells: tuple[SweepCell, ...]
    ) -> tuple[CellResult, ...] | None:
        return await self.sweeper(key, config, cells)

    async def close(self) -> None:
        for address in list(self.lines):
            self.kill(address)


def eventually(claim: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a claim holds; fail if it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
