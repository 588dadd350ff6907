"""The paper's Figure 1, run live: 50,000 steps through the engine against a bare PyTorch loop of the same two networks.

    python -m tests.bench.paper [--steps 50000]          # about two minutes, on an otherwise idle machine

Both take turns, one thread each; the engine's run is played, watched and measured as the page does it, and pauses by
itself at the end of each turn. What counts is the ratio, with a target of 0.9. Prints it and writes
tests/bench/results/paper.json.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from bnviz import data
from bnviz.config import FIGURE_ONE_STEPS, Directions, FigureOneConfig
from bnviz.records import FIGURE_ONE_CHARTS, Phase
from bnviz.runs.engine import Engine
from tests.bench.engine import until
from tests.bench.training import bare_loop

RESULTS = Path(__file__).resolve().parent / "results" / "paper.json"
ME = "me"
TARGET = 0.9
TURNS = 20
REST_SECONDS = 2.0  # after a pause the engine measures and draws once more, which is nobody's turn


def play_to(engine: Engine, run_id: str, step: int) -> float:
    """Have a run play up to a step; seconds from the command to its pause."""
    begun = time.monotonic()
    engine.play(run_id, ME, step)

    def is_there() -> bool:
        status = engine.hub.status(run_id)
        return status.step >= step and status.phase is Phase.PAUSED

    return until(is_there, begun) / 1000


def steps_taken(step: Callable[[], object], count: int) -> float:
    """Seconds that so many steps take in this process."""
    begun = time.monotonic()
    for _ in range(count):
        step()
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=FIGURE_ONE_STEPS, help="of each of the two (default: the paper's)")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    settings = FigureOneConfig().settings
    bare, turn = bare_loop(settings, data.load()), max(steps // TURNS, 1)
    seconds = {"live": 0.0, "bare": 0.0}
    with tempfile.TemporaryDirectory() as home:
        engine = Engine(Path(home), workers=1)
        engine.start()
        run_id = engine.create(ME, settings)
        engine.set_contour(run_id, ME, Directions.PATHS, None)  # as the page has it
        with engine.hub.watching(run_id, charts=lambda: FIGURE_ONE_CHARTS):
            until(lambda: len(engine.hub.get(run_id).history) > 0, time.monotonic())
            time.sleep(REST_SECONDS)
            steps_taken(bare, 50)  # warm, as the engine is
            for done in range(turn, steps + 1, turn):
                seconds["live"] += play_to(engine, run_id, done)
                time.sleep(REST_SECONDS)
                seconds["bare"] += steps_taken(bare, turn)
            points = len(engine.hub.get(run_id).history)
        engine.close()
    taken = steps // turn * turn
    speeds = {way: taken / each for way, each in seconds.items()}
    results = {
        "steps": taken,
        "points measured": points,
        "live, steps a second": speeds["live"],
        "bare loop, steps a second": speeds["bare"],
        "live against bare": speeds["live"] / speeds["bare"],
        "target": TARGET,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
