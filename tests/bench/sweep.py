"""Sweeps: how fast their cells train, how they scale with workers, and what live runs notice of one.

    python -m tests.bench.sweep [--part plain|scale|live] [--steps 500]     # about three minutes, on an idle machine

plain: 64 cells of the 3 x 100 networks, two networks each, batch 60, through the engine and all it measures, against a
plain PyTorch loop over the same networks in as many processes as there are cores. scale: the same sweep on one worker
and on two. live: how soon a live setting is in force and a run's first coarse loss contour is there, while a sweep
fills every worker. Writes tests/bench/results/sweep.json.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from bnviz import data
from bnviz.config import RATE_AND_SCALE, HyperParams, Normalization, Settings, SweepAxis, SweepConfig
from bnviz.records import Sweep, SweepPhase
from bnviz.runs.engine import Engine
from bnviz.training.bare import bare_network
from tests.bench.engine import set_latencies, spread, until
from tests.bench.training import CPU, bare_steps

RESULTS = Path(__file__).parent / "results" / "sweep.json"
ME = "me"
PLAIN_CELLS = 8  # of the plain loop's, in each process: its speed does not depend on how many there are
CONTOURS = 10


def the_sweep(steps: int) -> SweepConfig:
    return SweepConfig(RATE_AND_SCALE.y, RATE_AND_SCALE.x, Settings(), steps=steps, seeds=1)


def plain(steps: int, barrier: Any, results: Any) -> None:
    """One process: each cell's two networks, one after the other, each with its own optimizer and mini-batches."""
    torch.set_num_threads(1)
    config, mnist = the_sweep(steps), data.load()
    mnist.inputs(config.base.model.input_form, CPU)
    barrier.wait()
    begun = time.perf_counter()
    for cell in config.cells[:PLAIN_CELLS]:
        settings = config.settings_of(cell)
        for one in config.competitors:
            net = bare_network(settings.model, one.normalization is Normalization.BATCH)
            step = bare_steps(settings, mnist, [net], [settings.hyper.learning_rate], CPU)
            for _ in range(steps):
                step()
            with torch.inference_mode():
                net.eval()(mnist.inputs(settings.model.input_form, CPU)[1]).argmax(1)
    results.put(2 * PLAIN_CELLS * steps / (time.perf_counter() - begun))


def plain_rate(steps: int) -> float:
    """Networks' steps a second of a process a core, together."""
    context, count = multiprocessing.get_context("spawn"), os.cpu_count() or 1
    barrier, results = context.Barrier(count), context.Queue()
    workers = [context.Process(target=plain, args=(steps, barrier, results), daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    found = sum(results.get(timeout=600) for _ in workers)
    for worker in workers:
        worker.join(30)
    return float(found)


def engine_with(home: str, workers: int) -> Engine:
    """Started, all of its workers warm."""
    engine = Engine(Path(home), workers=workers)
    engine.start()
    begun = time.monotonic()
    until(lambda: engine._dispatcher is not None and len(engine._dispatcher._places) == workers, begun)
    warming = SweepConfig(
        SweepAxis("init_scale", (0.1,)), SweepAxis("batch_size", tuple(range(50, 50 + workers))), steps=10, seeds=1
    )
    run(engine, warming)
    return engine


def sweep_of(engine: Engine, sweep_id: str) -> Sweep:
    sweep = engine.hub.get(sweep_id).sweep
    assert sweep is not None
    return sweep


def run(engine: Engine, sweep: SweepConfig) -> float:
    """Seconds from its start to its end."""
    begun = time.monotonic()
    sweep_id = engine.start_sweep(ME, sweep)
    return until(lambda: sweep_of(engine, sweep_id).status.phase is SweepPhase.FINISHED, begun) / 1000


def sweep_rate(steps: int, workers: int) -> float:
    with tempfile.TemporaryDirectory() as home:
        engine = engine_with(home, workers)
        seconds = run(engine, the_sweep(steps))
        engine.close()
    return 2 * len(the_sweep(steps).cells) * steps / seconds


def live_beside_a_sweep() -> dict[str, Any]:
    """What one live run notices while a sweep fills every worker; and the sweep's own speed meanwhile."""
    with tempfile.TemporaryDirectory() as home:
        engine = engine_with(home, os.cpu_count() or 1)
        sweep_id = engine.start_sweep("other", the_sweep(5000))
        run_id = engine.create(ME, Settings(), is_playing=True)
        with engine.hub.watching(run_id):
            until(lambda: engine.hub.status(run_id).step > 100, time.monotonic())
            sets = set_latencies(engine, run_id)
            coarse = [first_contour(engine) for _ in range(CONTOURS)]
        speed = sweep_of(engine, sweep_id).status.steps_per_second
        engine.close()
    return {
        "set to in force, ms": spread(sets),
        "first coarse contour, ms": {"median": statistics.median(coarse), "worst": max(coarse)},
        "networks' steps a second of the sweep meanwhile": speed,
    }


def first_contour(engine: Engine) -> float:
    """From the pause of a new run to the first of its contour, ms."""
    run_id = engine.create(ME, Settings(), is_playing=True)
    with engine.hub.watching(run_id):
        until(lambda: engine.hub.status(run_id).step > 20, time.monotonic())
        engine.set(run_id, ME, HyperParams(learning_rate=0.2))
        before = engine.hub.get(run_id).contour
        begun = time.monotonic()
        engine.pause(run_id, ME)
        found = until(lambda: engine.hub.get(run_id).contour is not before, begun)
    engine.stop(run_id, ME)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["plain", "scale", "live"], default="")
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"cores": os.cpu_count(), "torch": torch.__version__}
    if arguments.part in ("", "plain", "scale"):
        rates = {"sweep": sweep_rate(arguments.steps, os.cpu_count() or 1)}
        if arguments.part != "scale":
            rates["plain loop"] = plain_rate(arguments.steps)
            result["sweep / plain loop, target 1.6"] = rates["sweep"] / rates["plain loop"]
        if arguments.part != "plain":
            rates["one worker"] = sweep_rate(arguments.steps, 1)
            result["all workers / one, target 1.6"] = rates["sweep"] / rates["one worker"]
        result["networks' steps a second"] = rates
    if arguments.part in ("", "live"):
        result["live"] = live_beside_a_sweep()
    text = json.dumps(result, indent=1)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
