"""Record the run that the lab shows before anybody has pressed Play.

    python -m assets.recorded.record

About ten seconds on one CPU core. The same torch version and machine class give the same numbers bit by bit.
"""

import datetime
import platform
import shutil
from pathlib import Path

import torch

from bnviz import training
from bnviz.config import Settings
from bnviz.records import Badge
from bnviz.runs.recorded import RUN_ID
from bnviz.runs.store import save_run

FOLDER = Path(__file__).resolve().parent
STEPS = 1500


def main() -> None:
    torch.set_num_threads(1)
    run = training.train(Settings(), STEPS)
    origin = f"{datetime.date.today().isoformat()}, torch {torch.__version__}, {platform.machine()} CPU, one thread"
    target = FOLDER / "lab"
    shutil.rmtree(target, ignore_errors=True)
    save_run(run.replace(run_id=RUN_ID, badge=Badge.RECORDED, origin=origin), target)
    accuracies = ", ".join(
        f"{one.label} {accuracy:.1%}" for one, accuracy in zip(run.competitors, run.history.accuracy[-1], strict=True)
    )
    print(f"{STEPS} steps, {len(run.history)} points: {accuracies}")


if __name__ == "__main__":
    main()
