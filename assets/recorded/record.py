"""Record what the pages show before anybody has pressed or moved anything.

    python -m assets.recorded.record [--again] [--processes N] [NAME ...]

About 40 minutes on two cores for all of it. Resumable: what is there is left alone unless --again says otherwise. The
same torch version and machine class give the same numbers bit by bit, but for times.
"""

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from assets.recorded.origin import origin
from assets.recorded.pieces import Piece, Tell, in_place_of, run
from bnviz import data, training
from bnviz.config import (
    FIGURE_ONE_STEPS,
    GRIDS,
    SWEEPS,
    TRIALS,
    WITH_NOISE,
    AnatomyConfig,
    CostConfig,
    CousinsConfig,
    DepthConfig,
    FigureOneConfig,
    LandscapeConfig,
    LinearUnitConfig,
    Measure,
    Settings,
    StudyConfig,
    SweepConfig,
    TrialsConfig,
    UntrainedConfig,
    UpdateRule,
    batches,
    cost_seconds,
    cousins_seconds,
    networks_of,
    recorded_configs,
    sweep_seconds,
    trials_seconds,
)
from bnviz.records import Badge, Run, SweepPhase, nothing_swept, with_results, with_status
from bnviz.runs.figure_one import file_of, save_replica
from bnviz.runs.recorded import empty_run, run_id_of
from bnviz.runs.store import save_run
from bnviz.runs.sweep_store import save_sweep
from bnviz.training import train_cells, train_replicas
from bnviz.worker.workshop import measure_study

FOLDER: Final = Path(__file__).resolve().parent
SECONDS_A_STEP: Final = 0.0004  # of one network of Figure 1, ten of them in a stack, with its measurements
SHORT_SECONDS: Final = 20.0  # of what is not worth an estimate


# --- runs of the lab --------------------------------------------------------------------------------------------------

FOUR: Final = Settings().replace(networks=networks_of(WITH_NOISE))
LAB_MEASURES: Final = [Measure.GRADIENTS, Measure.SHARPNESS, Measure.BATCH_ACCURACY]


def lab_run(name: str, make: Callable[[], Run]) -> list[Piece]:
    return [Piece(name, SHORT_SECONDS, (FOLDER / name / "settings.json",), partial(_train_run, name, make))]


def _train_run(name: str, make: Callable[[], Run], tell: Tell) -> None:
    _save(make(), name)


_LAB: Final = partial(
    training.train, Settings(), 1500, measures=LAB_MEASURES, landscape=LandscapeConfig(), anatomy=AnatomyConfig()
)
_SHIFT: Final = partial(training.train, FOUR, 1000, measures=[Measure.SHIFT, Measure.SMOOTHNESS])


# --- studies ----------------------------------------------------------------------------------------------------------

STUDIES: Final[dict[str, StudyConfig]] = {
    "linear-unit": LinearUnitConfig(),
    "untrained": UntrainedConfig(),
    "limits-depth": DepthConfig(),
    "paper-cousins": CousinsConfig(),
    "paper-cousins-tenth": CousinsConfig(learning_rate=0.003),
    "paper-cost": CostConfig(),
} | {f"limits-{experiment}": trials for experiment, trials in TRIALS.items()}


def study(name: str) -> list[Piece]:
    config = STUDIES[name]
    return [Piece(name, _seconds(config), (FOLDER / name / "settings.json",), partial(_measure, name, config))]


def _seconds(config: StudyConfig) -> float:
    match config:
        case CousinsConfig():
            return cousins_seconds(config)
        case TrialsConfig():
            return trials_seconds(config)
        case CostConfig():
            return cost_seconds(config)
    return SHORT_SECONDS


def _measure(name: str, config: StudyConfig, tell: Tell) -> None:
    for measured in measure_study(config):
        tell(measured.done)
    _save(empty_run(name).replace(study=measured), name)


def _save(run: Run, name: str) -> None:
    with in_place_of(FOLDER / name) as new:
        save_run(run.replace(run_id=run_id_of(name), badge=Badge.RECORDED, origin=origin()), new)


# --- sweeps -----------------------------------------------------------------------------------------------------------


def sweep(name: str) -> list[Piece]:
    config, folder = SWEEPS[name], FOLDER / f"sweep-{name}"
    return [Piece(folder.name, sweep_seconds(config), (folder / "origin.txt",), partial(_sweep, config, folder))]


def _sweep(config: SweepConfig, folder: Path, tell: Tell) -> None:
    swept, parts = nothing_swept("recorded", config), list(batches(config, config.cells))
    for turn, cells in enumerate(parts, start=1):
        *_, results = train_cells(config, cells, data.load())
        swept = with_results(swept, results)
        tell(turn / len(parts))
    with in_place_of(folder) as new:
        save_sweep(with_status(swept, SweepPhase.FINISHED), new)
        (new / "origin.txt").write_text(f"{origin()}\n", "utf-8")


# --- Figure 1 ---------------------------------------------------------------------------------------------------------


def figure_one(folder: Path = FOLDER / "figure-one", steps: int = FIGURE_ONE_STEPS) -> list[Piece]:
    """Runs of one update rule, scale and seed are one computation."""
    pieces = []
    for rule in UpdateRule:
        grid = GRIDS[rule]
        for scale, seed in itertools.product(grid.scales, grid.seeds):
            configs = [one for one in recorded_configs(rule) if (one.init_scale, one.seed) == (scale, seed)]
            name = f"figure-one {rule}, scale {scale:g}, seed {seed}"
            files = tuple(file_of(folder, one) for one in configs)
            work = 2 * steps * len(configs) * SECONDS_A_STEP
            pieces.append(Piece(name, work, files, partial(_train_replicas, folder, configs, steps)))
    return pieces


def _train_replicas(folder: Path, configs: Sequence[FigureOneConfig], steps: int, tell: Tell) -> None:
    for one in train_replicas(configs, data.load(), steps, lambda step: tell(step / steps)):
        save_replica(folder, replace(one, origin=origin()))


RECORDINGS: Final[dict[str, Callable[[], Iterable[Piece]]]] = {
    "lab": partial(lab_run, "lab", _LAB),
    "shift": partial(lab_run, "shift", _SHIFT),
    **{name: partial(study, name) for name in STUDIES},
    **{f"sweep-{name}": partial(sweep, name) for name in SWEEPS},
    "figure-one": figure_one,
}


def main(arguments: Sequence[str] | None = None) -> None:
    run(RECORDINGS, "python -m assets.recorded.record", "Record what the pages show at first.", arguments)


if __name__ == "__main__":
    sys.exit(main())
