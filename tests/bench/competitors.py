"""What more networks cost: the twins against three and four networks with other normalizations, in lock-step.

    python -m tests.bench.competitors [--steps 1000]

3 x 100 sigmoids at batch 60, one thread, the processor's seconds. The ways take turns of a hundred steps, and what
counts is the median of the ratios of neighbouring turns. Target: none, batch, layer and group cost at most 2.2 times
what the twins do. Writes tests/bench/results/competitors.json.
"""

import argparse
import json
import platform
import statistics
from pathlib import Path

import torch

from bnviz import data
from bnviz.config import Settings
from bnviz.data import Mnist
from tests.bench.training import Step, engine, seconds_of

RESULTS = Path(__file__).parent / "results" / "competitors.json"
TURN_STEPS = 100
TARGET = 2.2
LINEUPS = {
    "twins": ("none", "batch"),
    "none, batch, layer": ("none", "batch", "layer"),
    "none, batch, layer, group": ("none", "batch", "layer", "group"),
    "none, batch, weight, renormalization": ("none", "batch", "weight", "renormalization"),
    "none, batch, decorrelated": ("none", "batch", "decorrelated"),
}


def compare(mnist: Mnist, steps: int) -> dict[str, dict[str, float]]:
    """Milliseconds a step, and the ratio to the twins."""
    ways: dict[str, Step] = {
        name: engine(Settings().replace(networks=networks), mnist) for name, networks in LINEUPS.items()
    }
    for step in ways.values():
        seconds_of(step, 20)
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(1, steps // TURN_STEPS)):
        for name, step in ways.items():
            turns[name].append(seconds_of(step, TURN_STEPS))
    return {
        name: {
            "ms a step": 1000 * statistics.median(taken) / TURN_STEPS,
            "times the twins": statistics.median(a / b for a, b in zip(taken, turns["twins"], strict=True)),
        }
        for name, taken in turns.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = compare(data.load(), arguments.steps)
    for name, values in found.items():
        target = f"   target: at most {TARGET}" if name.endswith("layer, group") else ""
        print(f"{name:<38} {values['ms a step']:7.3f} ms {values['times the twins']:7.2f} times{target}")
    result = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__, "ways": found}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
