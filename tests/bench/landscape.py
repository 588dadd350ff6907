"""How fast a loss landscape is drawn, against two other ways, and what a visitor and a run notice of it.

    python -m tests.bench.landscape [--turns 3]     # about two minutes, on an otherwise idle machine

First, on one thread and in turns: a 41 x 41 grid of both 3 x 100 networks on 1,000 images, BN with their statistics, as
the page draws it; point by point, with a copy of the network at each point; and by the package loss-landscapes, with
its `model` normalization (its `filter` normalization divides by zero on networks with BN). Then on an engine with one
worker that trains: from asking to the first coarse picture, and the speed of training meanwhile.

Writes tests/bench/results/landscape.json.
"""

import argparse
import contextlib
import copy
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import loss_landscapes
import loss_landscapes.metrics
import numpy as np
import torch
from torch import nn

from bnviz import data
from bnviz.config import Directions, LandscapeConfig, Settings
from bnviz.measure.landscape import draw
from bnviz.measure.planes import plane_of
from bnviz.models import Stack
from bnviz.records import Landscape
from bnviz.runs.engine import Engine
from bnviz.training import Trainer
from tests.models import reference

RESULTS = Path(__file__).parent / "results" / "landscape.json"
ME = "me"
SIDE, IMAGES, STEPS = 41, 1000, 300
COARSE = 8  # every so many-th point is in the first coarse picture
ASKS, BLOCK_SECONDS = 8, 6.0


class Ways:
    """The same networks, images and grid, drawn in three ways."""

    def __init__(self) -> None:
        trainer = Trainer(Settings(), data.load())
        for _ in range(STEPS):
            trainer.step(trainer.settings.hyper)
        self.stack: Stack = trainer._stack
        self.walk = trainer.walk()
        self.images, self.labels = trainer._images[:IMAGES], trainer._labels[:IMAGES]
        self.config = LandscapeConfig(Directions.RANDOM, resolution=SIDE, images=IMAGES, batches=1)
        batch = self.stack.activations(IMAGES)
        batch.fill(self.images, self.labels)
        self.plane = plane_of(self.config, self.stack, self.walk, batch)
        self.modules = [self._as_modules(k) for k in range(len(self.stack))]

    def _as_modules(self, k: int) -> nn.Sequential:
        weights = [weight[k].T for weight in self.stack.parameters.weights]
        net = reference.network(self.stack.model, self.stack.normalizations[k], weights, torch.float32)
        named = self.stack.named(k)
        with torch.no_grad():
            for name, value in reference.numbers(net).items():
                value.copy_(named[name])
        return net.train()

    def ours(self) -> np.ndarray:
        *_, picture = draw(self.config, self.plane, self.stack, self.walk, self.images, self.labels, has_cuts=False)
        return picture.loss[:, 0]

    def point_by_point(self) -> np.ndarray:
        """A copy of the network at each point, its weight matrices moved."""
        grid = np.linspace(-1, 1, SIDE)
        surfaces = np.empty((len(self.stack), SIDE, SIDE))
        for k, net in enumerate(self.modules):
            pairs = zip(*(self._matrices(each, k) for each in (self.plane.first, self.plane.second)), strict=True)
            directions = list(pairs)
            for row, beta in enumerate(grid):
                for column, alpha in enumerate(grid):
                    moved = copy.deepcopy(net)
                    with torch.no_grad():
                        for linear, (u, v) in zip(reference.of_kind(moved, nn.Linear), directions, strict=True):
                            linear.weight.add_(alpha * u + beta * v)
                        loss = nn.functional.cross_entropy(moved(self.images), self.labels)
                    surfaces[k, row, column] = loss.item()
        return surfaces

    def _matrices(self, direction: torch.Tensor, k: int) -> list[torch.Tensor]:
        parameters = self.stack.parameters.empty_like()
        parameters.flat.copy_(direction[:, : parameters.flat.shape[1]])
        return [weight[k].T.contiguous() for weight in parameters.weights]

    def package(self) -> None:
        """Directions of its own, so that its time alone can be compared."""
        metric = loss_landscapes.metrics.Loss(nn.functional.cross_entropy, self.images, self.labels)
        for net in self.modules:
            with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
                loss_landscapes.random_plane(
                    copy.deepcopy(net), metric, distance=1, steps=SIDE, normalization="model", deepcopy_model=True
                )


def compare(turns: int) -> dict[str, float]:
    """Seconds of each way, medians; ratios within a turn; the largest difference from the point-by-point losses."""
    ways = Ways()
    works: dict[str, Callable[[], Any]] = {
        "ours": ways.ours,
        "point by point": ways.point_by_point,
        "loss-landscapes": ways.package,
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    kept: dict[str, Any] = {}
    for _ in range(turns):
        for name, work in works.items():
            begun = time.perf_counter()
            kept[name] = work()
            seconds[name].append(time.perf_counter() - begun)
    found = {f"{name}, s": statistics.median(values) for name, values in seconds.items()}
    for name in ("point by point", "loss-landscapes"):
        ratios = [other / ours for other, ours in zip(seconds[name], seconds["ours"], strict=True)]
        found[f"times as fast as {name}"] = statistics.median(ratios)
    reference_losses = kept["point by point"]
    found["largest relative difference"] = float(np.max(np.abs(kept["ours"] / reference_losses - 1)))
    return found


def live() -> dict[str, float]:
    """What a visitor waits and what a run loses, on an engine with one worker."""
    with tempfile.TemporaryDirectory() as home:
        engine = Engine(Path(home), workers=1)
        engine.start()
        try:
            run_id = engine.create(ME, Settings(), is_playing=True)
            with engine.hub.watching(run_id, charts=lambda: ["landscape"]):
                _wait(lambda: engine.hub.status(run_id).step > 2000)
                waits = [_until_coarse(engine, run_id, seed) for seed in range(ASKS)]
                alone = _speed(engine, run_id)
                heavy = LandscapeConfig(resolution=101)
                engine.draw_landscape(run_id, ME, heavy, None)
                meanwhile = _speed(engine, run_id)
                landscape = engine.hub.get(run_id).landscape
                assert landscape is not None
                assert landscape.done < 1, "drawn before the speed was known"
        finally:
            engine.close()
    return {
        "first coarse picture, ms, median": 1000 * statistics.median(waits),
        "first coarse picture, ms, worst": 1000 * max(waits),
        "speed of training while one is drawn": meanwhile / alone,
    }


def _until_coarse(engine: Engine, run_id: str, seed: int) -> float:
    """Seconds from asking to the hub's having every point of the coarsest grid, of both networks."""
    config = LandscapeConfig(seed=seed)  # the default plane and grid; the seed makes it another wish
    begun = time.monotonic()
    engine.draw_landscape(run_id, ME, config, None)
    _wait(lambda: _is_coarse(engine.hub.get(run_id).landscape, config))
    seconds = time.monotonic() - begun
    _wait(lambda: (one := engine.hub.get(run_id).landscape) is not None and one.config == config and one.done == 1)
    return seconds


def _is_coarse(landscape: Landscape | None, config: LandscapeConfig) -> bool:
    if landscape is None or landscape.config != config or not landscape.loss.size:
        return False
    return bool(np.isfinite(landscape.loss[:, 0, ::COARSE, ::COARSE]).all())


def _speed(engine: Engine, run_id: str) -> float:
    """Steps a second over some seconds."""
    time.sleep(0.5)
    step, begun = engine.hub.status(run_id).step, time.monotonic()
    time.sleep(BLOCK_SECONDS)
    return (engine.hub.status(run_id).step - step) / (time.monotonic() - begun)


def _wait(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


TARGETS = {
    "times as fast as point by point": "at least 3",
    "times as fast as loss-landscapes": "at least 3",
    "largest relative difference": "at most 1e-5",
    "first coarse picture, ms, median": "at most 300",
    "speed of training while one is drawn": "at least 0.5",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    result = compare(turns) | live()
    for name, value in result.items():
        print(f"  {name:<40} {value:12.6g}" + (f"   target: {TARGETS[name]}" if name in TARGETS else ""))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
