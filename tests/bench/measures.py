"""What the measures cost that run only where a page asks for them: covariate shift and smoothness.

    python -m tests.bench.measures [--turns 9]      # about a minute, on an otherwise idle machine

A 4-layer network (3 x 100 and the output), covariate shift every 25 steps and smoothness at four step sizes every 50,
against the same training without: two trainers take turns on one thread, so what counts is the share of the throughput
that is left. Writes tests/bench/results/measures.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from bnviz import data
from bnviz.config import TWINS, WITH_NOISE, Settings, networks_of
from bnviz.training import DENSE_STEPS, Trainer

RESULTS = Path(__file__).parent / "results" / "measures.json"
BLOCK = 200  # steps a turn, a multiple of both intervals


def plain(trainer: Trainer) -> None:
    for _ in range(BLOCK):
        trainer.step(trainer.settings.hyper)


def with_shift(trainer: Trainer) -> None:
    _measured(trainer, has_shift=True, has_smoothness=False)


def with_smoothness(trainer: Trainer) -> None:
    _measured(trainer, has_shift=False, has_smoothness=True)


def with_both(trainer: Trainer) -> None:
    _measured(trainer, has_shift=True, has_smoothness=True)


def _measured(trainer: Trainer, has_shift: bool, has_smoothness: bool) -> None:
    for _ in range(BLOCK):
        trainer.step(trainer.settings.hyper)
        if has_shift and trainer.is_shift_due:
            trainer.shift()
        if has_smoothness and trainer.is_smoothness_due:
            trainer.smoothness()


WAYS: dict[str, Callable[[Trainer], None]] = {
    "covariate shift": with_shift,
    "smoothness": with_smoothness,
    "both": with_both,
}


def compare(settings: Settings, turns: int) -> dict[str, float]:
    """Share of the throughput left with each way, medians over the turns, and the bare steps a second."""
    ways = {"bare": plain, **WAYS}
    trainers = {name: Trainer(settings, data.load()) for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way(trainers[name])
            if turn:  # the first also measures every one of the first steps
                seconds[name].append(time.process_time() - begun)
    found = {"steps/s": BLOCK / statistics.median(seconds["bare"])}
    for name in WAYS:
        ratios = [bare / way for bare, way in zip(seconds["bare"], seconds[name], strict=True)]
        found[f"throughput left with {name}"] = statistics.median(ratios)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    assert BLOCK > DENSE_STEPS
    result = {}
    for name_of_both, competitors in {"twins": TWINS, "noisy": WITH_NOISE}.items():
        settings = Settings().replace(networks=networks_of(competitors))
        result[name_of_both] = found = compare(settings, turns)
        print(name_of_both)
        for name, value in found.items():
            print(f"  {name:<38} {value:8.2f}" + ("   target: at least 0.75" if name.endswith("both") else ""))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
