"""Record what the pages show before anybody has pressed or moved anything.

    python -m assets.recorded.record [name ...]

About twenty minutes on one CPU core, most of it for the paper's cousins and the experiments on where BN fails. The same
torch version and machine class give the same numbers bit by bit, but for times.
"""

import datetime
import platform
import shutil
import sys
from collections import deque
from pathlib import Path

import torch

from bnviz import training
from bnviz.config import (
    TRIALS,
    WITH_NOISE,
    AnatomyConfig,
    CostConfig,
    CousinsConfig,
    DepthConfig,
    LandscapeConfig,
    LinearUnitConfig,
    Measure,
    Settings,
    StudyConfig,
    UntrainedConfig,
    networks_of,
)
from bnviz.records import Badge, Run, Study
from bnviz.runs.recorded import empty_run, run_id_of
from bnviz.runs.store import save_run
from bnviz.worker.workshop import measure_study

FOLDER = Path(__file__).resolve().parent
FOUR = Settings().replace(networks=networks_of(WITH_NOISE))
LAB_MEASURES = [Measure.GRADIENTS, Measure.SHARPNESS, Measure.BATCH_ACCURACY]
RECORDINGS = {
    "lab": (Settings(), 1500, LAB_MEASURES, LandscapeConfig(), AnatomyConfig()),
    "shift": (FOUR, 1000, [Measure.SHIFT, Measure.SMOOTHNESS], None, None),
}
STUDIES: dict[str, StudyConfig] = {
    "linear-unit": LinearUnitConfig(),
    "untrained": UntrainedConfig(),
    "limits-depth": DepthConfig(),
    "paper-cousins": CousinsConfig(),
    "paper-cousins-tenth": CousinsConfig(learning_rate=0.003),
    "paper-cost": CostConfig(),
} | {f"limits-{experiment}": trials for experiment, trials in TRIALS.items()}


def main() -> None:
    torch.set_num_threads(1)
    for name, (settings, steps, measures, landscape, anatomy) in RECORDINGS.items():
        if not is_wanted(name):
            continue
        run = training.train(settings, steps, measures=measures, landscape=landscape, anatomy=anatomy)
        save(run, name)
        newest = run.history.accuracy[-1]
        accuracies = ", ".join(f"{one.label} {share:.1%}" for one, share in zip(run.competitors, newest, strict=True))
        print(f"{name}: {steps} steps, {len(run.history)} points: {accuracies}")
    for name, config in STUDIES.items():
        if is_wanted(name):
            save(empty_run(name).replace(study=measured(config)), name)
            print(f"{name}: measured")


def is_wanted(name: str) -> bool:
    """Whether a recording is to be made anew: all of them unless some are named."""
    return name in sys.argv[1:] or not sys.argv[1:]


def measured(config: StudyConfig) -> Study:
    """A study as it stands once all of it is measured."""
    return deque(measure_study(config), maxlen=1)[0]


def save(run: Run, name: str) -> None:
    """Write a recording in place of the one before."""
    origin = f"{datetime.date.today().isoformat()}, torch {torch.__version__}, {platform.machine()} CPU, one thread"
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    save_run(run.replace(run_id=run_id_of(name), badge=Badge.RECORDED, origin=origin), FOLDER / name)


if __name__ == "__main__":
    main()
