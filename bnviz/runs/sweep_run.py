"""A sweep as a run that carries it, so that whoever watches runs can watch sweeps; drafts, which nobody has started."""

import hashlib
from typing import Final

from bnviz.config import SweepConfig, lineup, sweep_to_query
from bnviz.records import (
    Badge,
    Health,
    HistoryBuilder,
    Phase,
    Run,
    Status,
    Sweep,
    SweepPhase,
    kept_units,
    nothing_swept,
)
from bnviz.runs.hub import Hub

_PHASES: Final = {
    SweepPhase.RUNNING: Phase.PLAYING,
    SweepPhase.PAUSED: Phase.PAUSED,
    SweepPhase.INTERRUPTED: Phase.PAUSED,
    SweepPhase.CANCELLED: Phase.ASLEEP,  # on disk alone: not kept in memory when nobody watches
    SweepPhase.FINISHED: Phase.ASLEEP,
}


def run_of(sweep: Sweep, badge: Badge = Badge.MEASURED, origin: str = "") -> Run:
    """The run of this sweep's id that trains nothing itself."""
    model = sweep.config.base.model
    history = HistoryBuilder(lineup(model), kept_units(model.hidden_layers, model.width)).history()
    return Run(sweep.sweep_id, sweep.config.base, status_of(sweep), history, study=sweep, badge=badge, origin=origin)


def status_of(sweep: Sweep) -> Status:
    """What the carrying run is said to do."""
    healths = tuple(Health() for _ in sweep.config.competitors)
    return Status(_PHASES[sweep.status.phase], 0, 0, 0.0, "", healths, sweep.status.notice)


def draft_run(hub: Hub, config: SweepConfig) -> Run:
    """The empty map of a sweep that nobody has started; every visitor's draft of it is the same."""
    text = "&".join(f"{key}={value}" for key, value in sorted(sweep_to_query(config).items()))
    draft = nothing_swept(f"draft-{hashlib.sha256(text.encode()).hexdigest()[:32]}", config, SweepPhase.CANCELLED)
    hub.put(run_of(draft, Badge.NOTHING))
    return hub.get(draft.sweep_id)
