"""The short recorded run of the first minute: drawn before the visitor has pressed anything."""

import logging
from pathlib import Path
from typing import Final

from bnviz.config import TWINS, Settings
from bnviz.errors import BnvizError
from bnviz.records import Badge, Health, HistoryBuilder, Phase, Run, Status, kept_units
from bnviz.runs.hub import Hub
from bnviz.runs.store import load_run

_log = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "recorded" / "lab"
RUN_ID: Final = "recorded-lab"


def recorded_run(hub: Hub) -> Run:
    """The recorded run, from the hub once it is there; an empty one that says so if its files are damaged."""
    try:
        return hub.get(RUN_ID)
    except BnvizError:
        hub.add_recorded(_load())
        return hub.get(RUN_ID)


def _load() -> Run:
    try:
        run = load_run(FOLDER)
    except BnvizError as error:
        _log.warning("%s", error.text)
        return _empty(
            "The recorded run in assets/recorded/lab is missing or damaged: restore it from the repository, or record "
            "it again (python -m assets.recorded.record). Press Play: your own run needs no recording."
        )
    return run.replace(run_id=RUN_ID, badge=Badge.RECORDED)


def _empty(notice: str) -> Run:
    settings = Settings()
    units = kept_units(settings.model.hidden_layers, settings.model.width)
    history = HistoryBuilder(TWINS, units).history()
    status = Status(Phase.PAUSED, 0, 0, 0.0, "", tuple(Health() for _ in TWINS), notice)
    return Run(RUN_ID, settings, status, history, badge=Badge.RECORDED, origin=notice)
