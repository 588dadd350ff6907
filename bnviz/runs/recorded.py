"""The recordings of the first minute: drawn before the visitor has pressed or moved anything."""

import logging
from pathlib import Path
from typing import Final

from bnviz.config import SWEEPS, TWINS, Settings, SweepConfig
from bnviz.errors import BnvizError
from bnviz.records import Badge, Health, HistoryBuilder, Phase, Run, Status, kept_units
from bnviz.runs.hub import Hub
from bnviz.runs.store import load_run
from bnviz.runs.sweep_run import run_of
from bnviz.runs.sweep_store import load_sweep

_log = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "recorded"


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
            "record it again (python -m assets.recorded.record). Your own run needs none.",
        )
    return run.replace(run_id=run_id_of(name), badge=Badge.RECORDED)


def empty_run(name: str, notice: str = "") -> Run:
    """A recording of nothing yet."""
    settings = Settings()
    units = kept_units(settings.model.hidden_layers, settings.model.width)
    history = HistoryBuilder(TWINS, units).history()
    status = Status(Phase.PAUSED, 0, 0, 0.0, "", tuple(Health() for _ in TWINS), notice)
    return Run(run_id_of(name), settings, status, history, badge=Badge.RECORDED, origin=notice)
