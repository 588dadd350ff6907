"""Record the runs that the pages show before anybody has pressed Play.

    python -m assets.recorded.record

About half a minute on one CPU core. The same torch version and machine class give the same numbers bit by bit.
"""

import datetime
import platform
import shutil
from pathlib import Path

import torch

from bnviz import training
from bnviz.config import WITH_NOISE, LandscapeConfig, Measure, Settings, networks_of
from bnviz.records import Badge
from bnviz.runs.recorded import run_id_of
from bnviz.runs.store import save_run

FOLDER = Path(__file__).resolve().parent
RECORDINGS = {
    "lab": (Settings(), 1500, [Measure.GRADIENTS, Measure.SHARPNESS], LandscapeConfig()),
    "shift": (Settings().replace(networks=networks_of(WITH_NOISE)), 1000, [Measure.SHIFT, Measure.SMOOTHNESS], None),
}


def main() -> None:
    torch.set_num_threads(1)
    origin = f"{datetime.date.today().isoformat()}, torch {torch.__version__}, {platform.machine()} CPU, one thread"
    for name, (settings, steps, measures, landscape) in RECORDINGS.items():
        run = training.train(settings, steps, measures=measures, landscape=landscape)
        target = FOLDER / name
        shutil.rmtree(target, ignore_errors=True)
        save_run(run.replace(run_id=run_id_of(name), badge=Badge.RECORDED, origin=origin), target)
        newest = run.history.accuracy[-1]
        accuracies = ", ".join(f"{one.label} {share:.1%}" for one, share in zip(run.competitors, newest, strict=True))
        print(f"{name}: {steps} steps, {len(run.history)} points: {accuracies}")


if __name__ == "__main__":
    main()
