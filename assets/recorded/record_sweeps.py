"""Record the sweeps that the page of sweeps shows at first, in this process and on one core.

python -m assets.recorded.record_sweeps [NAME ...]        # some ten minutes; resumable: what is whole is left alone
"""

import platform
import sys
import time
from datetime import date

import torch

from bnviz import data
from bnviz.config import SWEEPS, batches
from bnviz.records import SweepPhase, nothing_swept, with_results, with_status
from bnviz.runs.recorded import FOLDER
from bnviz.runs.sweep_store import save_sweep
from bnviz.training import train_cells


def record(name: str) -> None:
    """Train every cell of a preset and write what came of it."""
    config, folder, begun = SWEEPS[name], FOLDER / f"sweep-{name}", time.perf_counter()
    sweep = nothing_swept("recorded", config)
    parts = list(batches(config, config.cells))
    for turn, cells in enumerate(parts, start=1):
        *_, results = train_cells(config, cells, data.load())
        sweep = with_results(sweep, results)
        seconds = time.perf_counter() - begun
        left = seconds / turn * (len(parts) - turn)
        print(f"\r{name}: {turn} of {len(parts)} batches, {seconds:.0f} s, {left:.0f} s left ", end="", flush=True)
    save_sweep(with_status(sweep, SweepPhase.FINISHED), folder)
    origin = f"{date.today()}, torch {torch.__version__}, {platform.machine()}, CPU"
    (folder / "origin.txt").write_text(origin + "\n", "utf-8")
    print()


def main() -> None:
    torch.set_num_threads(1)
    for name in sys.argv[1:] or SWEEPS:
        if not (FOLDER / f"sweep-{name}" / "origin.txt").exists():
            record(name)


if __name__ == "__main__":
    main()
