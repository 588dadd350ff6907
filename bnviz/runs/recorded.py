"""The recordings of the first minute: drawn before the visitor has pressed or moved anything."""

import logging
from collections.abc import Collection
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from bnviz.config import (
    FIGURE_ONE_STEPS,
    SWEEPS,
    TWINS,
    FigureOneConfig,
    Settings,
    SweepConfig,
    figure_one_of,
    recorded_configs,
)
from bnviz.errors import BnvizError, DataError
from bnviz.records import (
    FIGURE_ONE_CHARTS,
    Badge,
    FigureOne,
    Health,
    HistoryBuilder,
    Phase,
    Replica,
    Run,
    Status,
    kept_units,
)
from bnviz.runs.figure_one import load_replica
from bnviz.runs.hub import Hub
from bnviz.runs.store import load_run
from bnviz.runs.sweep_run import run_of
from bnviz.runs.sweep_store import load_sweep

_log = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "recorded"
FIGURE_ONE: Final = "figure-one"  # the folder of the runs of the paper's Figure 1


def run_id_of(name: str) -> str:
    """The id of a recorded run, such as "recorded-lab"."""
    return f"recorded-{name}"


def recorded_run(hub: Hub, name: str = "lab") -> Run:
    """A recorded run, from the hub once it is there; an empty one that says so if its files are damaged."""
    try:
        return hub.get(run_id_of(name))
    except BnvizError:
        hub.add_recorded(_load(name))
        return hub.get(run_id_of(name))


def recorded_figure_one(hub: Hub, config: FigureOneConfig) -> Run:
    """A recorded run of the paper's Figure 1, with all the others beside it.

    Where its file is damaged it is an empty one that says so.
    """
    run_id = run_id_of(f"figure-one-{config.name}")
    try:
        return hub.get(run_id)
    except BnvizError:
        hub.add_recorded(_figure_one_run(run_id, config))
        return hub.get(run_id)


def _figure_one_run(run_id: str, config: FigureOneConfig) -> Run:
    study = figure_one(config)
    shown = study.shown
    health = shown.health if shown is not None else tuple(Health() for _ in TWINS)
    status = Status(Phase.PAUSED, 0, FIGURE_ONE_STEPS if shown is not None else 0, 0.0, "", health, study.notice)
    run = empty_run(run_id).replace(run_id=run_id, settings=config.settings, status=status, study=study)
    return run.replace(origin=shown.origin if shown is not None else study.notice)


def with_recording(run: Run, charts: Collection[str]) -> Run:
    """A run with what is recorded of its very settings beside it, where one of these charts shows that."""
    if run.study is not None or set(FIGURE_ONE_CHARTS).isdisjoint(charts):
        return run
    config = _recorded_with(run.settings)
    return run if config is None else run.replace(study=figure_one(config))


_recorded_with = lru_cache(maxsize=256)(figure_one_of)


@cache
def figure_one(config: FigureOneConfig) -> FigureOne:
    """What is recorded of the paper's Figure 1, the bands of one run among it: read once, whoever looks at it."""
    curves, notices = _figure_one_curves()
    try:
        return FigureOne(config, curves, load_replica(FOLDER / FIGURE_ONE, config, with_bands=True), notices)
    except DataError as error:
        return FigureOne(config, curves, None, error.text)


@cache
def _figure_one_curves() -> tuple[tuple[Replica, ...], str]:
    """The curves of all runs that can be read, and what is to be said of the others."""
    curves, texts = [], []
    for config in recorded_configs():
        try:
            curves.append(load_replica(FOLDER / FIGURE_ONE, config))
        except DataError as error:
            texts.append(error.text)
    if texts:
        _log.warning("%d of the recordings in %s are missing or damaged", len(texts), FOLDER / FIGURE_ONE)
    more = f" {len(texts) - 1} more recordings are, too." if len(texts) > 1 else ""
    return tuple(curves), texts[0] + more if texts else ""


def recorded_sweep(hub: Hub, config: SweepConfig) -> Run | None:
    """The recording of this very sweep, if there is one that can be read."""
    for name, preset in SWEEPS.items():
        if preset == config:
            return _recorded_sweep(hub, f"sweep-{name}")
    return None


def _recorded_sweep(hub: Hub, name: str) -> Run | None:
    try:
        return hub.get(run_id_of(name))
    except BnvizError:
        pass
    try:
        sweep = load_sweep(FOLDER / name, run_id_of(name)).sweep
        origin = (FOLDER / name / "origin.txt").read_text("utf-8").strip()
    except (OSError, ValueError, KeyError, TypeError, BnvizError):
        _log.warning("The recorded sweep in assets/recorded/%s is missing or damaged", name)
        return None
    hub.add_recorded(run_of(sweep, Badge.RECORDED, origin))
    return hub.get(run_id_of(name))


def _load(name: str) -> Run:
    try:
        run = load_run(FOLDER / name)
    except BnvizError as error:
        _log.warning("%s", error.text)
        return empty_run(
            name,
            f"The recorded run in assets/recorded/{name} is missing or damaged: restore it from the repository, or "
            f"record it again (python -m assets.recorded.record --again {name}). Your own run needs none.",
        )
    return run.replace(run_id=run_id_of(name), badge=Badge.RECORDED)


def empty_run(name: str, notice: str = "") -> Run:
    """A recording of nothing yet."""
    settings = Settings()
    units = kept_units(settings.model.hidden_layers, settings.model.width)
    history = HistoryBuilder(TWINS, units).history()
    status = Status(Phase.PAUSED, 0, 0, 0.0, "", tuple(Health() for _ in TWINS), notice)
    return Run(run_id_of(name), settings, status, history, badge=Badge.RECORDED, origin=notice)
