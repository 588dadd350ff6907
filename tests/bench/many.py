"""Many networks at once: stacks of 8 and 32 in one process a core, against plain PyTorch loops over as many networks.

    python -m tests.bench.many [--seconds 4]        # about two minutes, on an otherwise idle machine
    python -m tests.bench.many --device cuda        # one process: the twins and 256 networks, replayed as CUDA graphs

Networks differ in normalization, initialization scale and learning rate, as the cells of a sweep do. The two ways take
turns, each in every process at once; what counts are the ratios of networks' steps a second. Writes
tests/bench/results/many.json.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch

from bnviz import data
from bnviz.config import TWINS, Competitor, Normalization, Settings
from bnviz.training import Trainer
from bnviz.training.bare import bare_network
from tests.bench.training import bare_steps

RESULTS = Path(__file__).parent / "results" / "many.json"
TURNS = 5
RATES, SCALES = (0.03, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0), (0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
PACE = 20  # steps between two looks at the clock


def cells(count: int) -> list[Competitor]:
    """The first so many cells of a learning rate x initialization scale map, BN and none."""
    grid = product(SCALES, RATES, range(4), TWINS)
    networks = [
        Competitor(f"{twin.name} {i}", twin.label, twin.normalization, learning_rate=rate, init_scale=scale, seed=seed)
        for i, (scale, rate, seed, twin) in enumerate(islice(grid, count))
    ]
    return sorted(networks, key=lambda one: one.normalization)  # neighbours of one kind are computed together


def stacked(networks: list[Competitor], device: str) -> Callable[[], None]:
    trainer = Trainer(Settings().replace(device=device), data.load(), networks)
    return lambda: trainer.step(trainer.settings.hyper)


def plain_loop(networks: list[Competitor], device: str) -> Callable[[], None]:
    """Each network with its own optimizer, in turn, on the same mini-batches."""
    settings, where = Settings(), torch.device(device)
    nets = [bare_network(settings.model, one.normalization is Normalization.BATCH).to(where) for one in networks]
    rates = [float(one.learning_rate or settings.hyper.learning_rate) for one in networks]
    return bare_steps(settings, data.load(), nets, rates, where)


WAYS = {"stacked": stacked, "plain loop": plain_loop}


def rate_of(step: Callable[[], None], seconds: float, device: str) -> float:
    """Steps a second, over at least so many seconds."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    steps, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for _ in range(PACE):
            step()
        steps += PACE
        wait()
    return steps / (time.perf_counter() - begun)


def work(count: int, seconds: float, device: str, barrier: Any, results: Any) -> None:
    """One process: both ways in turns, begun together with the other processes."""
    torch.set_num_threads(1)
    networks = cells(count)
    ways = {name: make(networks, device) for name, make in WAYS.items()}
    for step in ways.values():
        rate_of(step, 0.5, device)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, step in ways.items():
            barrier.wait()
            found[name].append(count * rate_of(step, seconds, device))
    results.put(found)


def compare(count: int, seconds: float, processes: int, device: str) -> dict[str, float]:
    """Networks' steps a second of all processes together, by way, and the median of their ratios by turn."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    arguments = (count, seconds, device, barrier, results)
    workers = [context.Process(target=work, args=arguments, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join(30)
    sums = {name: [sum(turn) for turn in zip(*(one[name] for one in found), strict=True)] for name in WAYS}
    rates = {f"{name}, networks' steps/s": statistics.median(turns) for name, turns in sums.items()}
    ratios = [a / b for a, b in zip(sums["stacked"], sums["plain loop"], strict=True)]
    return rates | {"stacked / plain loop": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    is_cuda = arguments.device == "cuda"
    processes, counts = (1, (2, 256)) if is_cuda else (os.cpu_count() or 1, (2, 8, 32))
    result: dict[str, Any] = {"processes": processes, "device": arguments.device, "torch": torch.__version__}
    for count in counts:
        result[f"K = {count}"] = found = compare(count, arguments.seconds, processes, arguments.device)
        print(f"{count} networks of 3 x 100 a process, {processes} processes, {arguments.device}")
        for name, value in found.items():
            print(f"  {name:<34} {value:12,.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
