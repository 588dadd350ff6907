"""Sweeps on disk: a folder each, its configuration written once, its cells appended one line each as they come in.

A line is whole or it is not there: what a kill or a full disk has torn off the end is left out, and its cell is trained
again. Plain JSON; nothing is ever unpickled.
"""

import contextlib
import json
import logging
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bnviz.config import SweepCell, SweepConfig, sweep_from_json, sweep_to_json
from bnviz.errors import ConfigError, RunError
from bnviz.records import (
    MOMENTS,
    CellFailure,
    CellResult,
    Floats,
    Outcome,
    Sweep,
    SweepPhase,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
)
from bnviz.runs.store import default_home

SWEEP_ID: Final = re.compile(r"sweep-[A-Za-z0-9_-]{16,64}")  # also: never a path
_MANIFEST: Final = "sweep.json"
_CELLS: Final = "cells.jsonl"
_COME: Final = (Outcome.TRAINED, Outcome.STALLED, Outcome.DIVERGED)
_NOT_KEPT: Final = (
    "This sweep could not be saved ({}): it goes on, but when the server ends, what is not saved is lost. Free some "
    "space, or set BNVIZ_HOME to a folder with room."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedSweep:
    """A sweep on disk, and whose it is."""

    sweep: Sweep
    owner: str


class SweepStore:
    """The sweeps under one home folder."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or default_home()) / "sweeps"

    def begin(self, sweep: Sweep, owner: str) -> None:
        """A new folder; `RunError` if the disk does not take it."""
        self._write(sweep, owner)

    def set_phase(self, sweep: Sweep, owner: str) -> None:
        """Note what a sweep is doing, in place of what it did."""
        self._write(sweep, owner)

    def append(self, sweep_id: str, come: Iterable[CellResult | CellFailure]) -> None:
        """Add what has come in; `RunError` if the disk does not take it."""
        lines = "".join(json.dumps(_to_json(one), allow_nan=False) + "\n" for one in come)
        try:
            with (self.folder / sweep_id / _CELLS).open("a", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
        except OSError as error:
            raise RunError(_NOT_KEPT.format(error.strerror or "the disk refuses it")) from None

    def load(self, sweep_id: str) -> SavedSweep:
        """A sweep as far as it came; one that was running is interrupted. `RunError` if there is none."""
        if not SWEEP_ID.fullmatch(sweep_id) or not (self.folder / sweep_id / _MANIFEST).is_file():
            raise RunError("There is no such sweep here: the link may be incomplete, or the sweep was deleted.")
        try:
            return load_sweep(self.folder / sweep_id, sweep_id)
        except (OSError, ValueError, KeyError, TypeError, ConfigError):
            logger.exception("The sweep in %s cannot be read", self.folder / sweep_id)
            raise RunError(
                "This sweep cannot be read: its files are damaged. Start it again from its settings."
            ) from None

    def owners(self) -> dict[str, str]:
        """Whose every sweep is, the oldest first; damaged ones are left out."""
        owners = {}
        for manifest in sorted(self.folder.glob(f"*/{_MANIFEST}"), key=lambda path: path.parent.stat().st_ctime_ns):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                owners[manifest.parent.name] = str(json.loads(manifest.read_text("utf-8"))["owner"])
        return owners

    def _write(self, sweep: Sweep, owner: str) -> None:
        folder = self.folder / sweep.sweep_id
        manifest = {"owner": owner, "phase": sweep.status.phase, "config": sweep_to_json(sweep.config)}
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = folder / f"{_MANIFEST}-partial"
            partial.write_text(json.dumps(manifest, indent=1), "utf-8")
            os.replace(partial, folder / _MANIFEST)
        except OSError as error:
            raise RunError(_NOT_KEPT.format(error.strerror or "the disk refuses it")) from None


def load_sweep(folder: Path, sweep_id: str) -> SavedSweep:
    """The sweep that a folder holds, whatever the folder's name."""
    manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
    config, phase = sweep_from_json(manifest["config"]), SweepPhase(manifest["phase"])
    sweep = nothing_swept(sweep_id, config, phase)
    results, failures = _read(folder / _CELLS, config)
    sweep = with_failures(with_results(sweep, results.values()), failures.values())
    if phase is SweepPhase.RUNNING:
        is_whole = sweep.status.runs_done == sweep.status.runs_all
        sweep = with_status(sweep, SweepPhase.FINISHED if is_whole else SweepPhase.INTERRUPTED)
    return SavedSweep(sweep, str(manifest["owner"]))


def save_sweep(sweep: Sweep, folder: Path) -> None:
    """Write a whole sweep without its owner, for `assets/recorded`."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"owner": "", "phase": sweep.status.phase, "config": sweep_to_json(sweep.config)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    lines = (json.dumps(_to_json(one), allow_nan=False) + "\n" for one in results_of(sweep))
    (folder / _CELLS).write_text("".join(lines), "utf-8")


def results_of(sweep: Sweep) -> list[CellResult]:
    """The runs of a sweep that have come in, in its order."""
    results = []
    for cell in sweep.config.cells:
        place = (slice(None), cell.row, cell.column, cell.seed)
        outcome = sweep.outcome[place].astype(np.int64)
        if outcome[0] in _COME:
            over_steps = sweep.accuracy_over_steps[place]
            results.append(CellResult(cell, outcome, sweep.since_step[place], sweep.accuracy[place], over_steps))
    return results


# --- one line a cell --------------------------------------------------------------------------------------------------


def _read(path: Path, config: SweepConfig) -> tuple[dict[SweepCell, CellResult], dict[SweepCell, CellFailure]]:
    """What the lines say, the last of each cell; one that is torn or of another sweep says nothing."""
    results: dict[SweepCell, CellResult] = {}
    failures: dict[SweepCell, CellFailure] = {}
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            one = _from_json(json.loads(line), len(config.competitors))
        except (ValueError, KeyError, TypeError, IndexError):
            logger.warning("A line of %s cannot be read: its cell will be trained again", path)
            continue
        if one.cell not in config:
            continue
        results.pop(one.cell, None)
        failures.pop(one.cell, None)
        if isinstance(one, CellResult):
            results[one.cell] = one
        else:
            failures[one.cell] = one
    return results, failures


def _to_json(one: CellResult | CellFailure) -> dict[str, Any]:
    values: dict[str, Any] = {"cell": [one.cell.row, one.cell.column, one.cell.seed]}
    if isinstance(one, CellFailure):
        return values | {"reason": one.reason}
    arrays = {name: getattr(one, name) for name in ("since_step", "accuracy", "accuracy_over_steps")}
    return values | {"outcome": [int(each) for each in one.outcome]} | {k: _listed(v) for k, v in arrays.items()}


def _listed(values: Floats) -> list[Any]:
    """JSON has no NaN: null stands for it."""
    if values.ndim > 1:
        return [_listed(row) for row in values]
    return [float(value) if math.isfinite(value) else None for value in values]


def _from_json(values: Mapping[str, Any], networks: int) -> CellResult | CellFailure:
    cell = SweepCell(*map(int, values["cell"]))
    if "reason" in values:
        return CellFailure(cell, str(values["reason"]))
    outcome = np.array([int(Outcome(one)) for one in values["outcome"]])
    since, accuracy, over_steps = (
        np.array(values[name], dtype=np.float64) for name in ("since_step", "accuracy", "accuracy_over_steps")
    )
    shapes = (outcome.shape, since.shape, accuracy.shape, over_steps.shape)
    if shapes != ((networks,), (networks,), (networks,), (networks, len(MOMENTS))):
        raise ValueError(f"of shapes {shapes}")
    return CellResult(cell, outcome, since, accuracy, over_steps)
