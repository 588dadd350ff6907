"""Sweeps on disk: a folder each, with its settings and one line for every run as it comes in.

A line that was cut off when the server ended is left out, and the run is computed again; nothing is ever unpickled.
"""

import contextlib
import json
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
    Outcome,
    Sweep,
    SweepPhase,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
)
from bnviz.runs.store import HOME_VARIABLE, default_home

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "settings.json"
RESULTS: Final = "results.jsonl"
_SWEEP_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")  # also: never a path


@dataclass(frozen=True)
class SavedSweep:
    """A sweep on disk, and whose it is."""

    sweep: Sweep
    owner: str


class SweepStore:
    """The sweeps under one home folder. Every method raises `RunError` if the disk does not take or give it."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or default_home()) / "sweeps"

    def save(self, sweep: Sweep, owner: str) -> None:
        """Write what a sweep is and its phase; `append` writes what has come in."""
        folder = self.folder / sweep.sweep_id
        manifest = {
            "schema": SCHEMA_VERSION,
            "owner": owner,
            "phase": sweep.status.phase,
            "config": sweep_to_json(sweep.config),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = folder / f"{MANIFEST}-new"
            partial.write_text(json.dumps(manifest, indent=1, allow_nan=False), "utf-8")
            os.replace(partial, folder / MANIFEST)
        except OSError as error:
            raise _not_saved(folder, error) from None

    def append(self, sweep_id: str, records: Iterable[CellResult | CellFailure]) -> None:
        """Add runs that have come in or failed; of one run the last line counts."""
        path = self.folder / sweep_id / RESULTS
        lines = "".join(json.dumps(_to_json(one), allow_nan=False) + "\n" for one in records)
        try:
            with path.open("ab") as file:
                if file.tell() and not _ends_a_line(path):
                    file.write(b"\n")  # the server ended in the middle of a line
                file.write(lines.encode())
        except OSError as error:
            raise _not_saved(path.parent, error) from None

    def load(self, sweep_id: str) -> SavedSweep:
        """A sweep as far as it has come in; one that ran is interrupted."""
        folder = self.folder / sweep_id
        if not _SWEEP_ID.fullmatch(sweep_id) or not (folder / MANIFEST).is_file():
            raise RunError("There is no such sweep here: the link may be incomplete, or the sweep was deleted.")
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            if manifest["schema"] != SCHEMA_VERSION:
                raise ValueError(f"schema {manifest['schema']!r}, where this bnviz reads {SCHEMA_VERSION}")
            owner, phase = str(manifest["owner"]), SweepPhase(manifest["phase"])
            sweep = nothing_swept(sweep_id, sweep_from_json(manifest["config"]))
            sweep = _with_lines(sweep, folder / RESULTS)
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            reason = error.text if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
            raise RunError(f"This sweep cannot be read ({reason}): start it again.") from None
        return SavedSweep(with_status(sweep, _after_a_restart(sweep, phase)), owner)

    def owners(self) -> dict[str, str]:
        """Whose every sweep is, the newest last; damaged ones are left out, `load` says what is wrong with them."""
        owners = {}
        with contextlib.suppress(OSError):
            for manifest in sorted(self.folder.glob(f"*/{MANIFEST}"), key=lambda path: path.parent.stat().st_ctime):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    owners[manifest.parent.name] = str(json.loads(manifest.read_text("utf-8"))["owner"])
        return owners


def _not_saved(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"The sweep could not be saved ({error.strerror or error}): free some space, or set {HOME_VARIABLE} to a "
        "folder with room."
    )


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _after_a_restart(sweep: Sweep, phase: SweepPhase) -> SweepPhase:
    if phase is SweepPhase.CANCELLED:
        return phase
    if sweep.status.runs_done == sweep.status.runs_all:
        return SweepPhase.FINISHED
    return SweepPhase.PAUSED if phase is SweepPhase.PAUSED else SweepPhase.INTERRUPTED


# --- lines ------------------------------------------------------------------------------------------------------------


def _to_json(one: CellResult | CellFailure) -> dict[str, Any]:
    cell = [one.cell.row, one.cell.column, one.cell.seed]
    if isinstance(one, CellFailure):
        return {"cell": cell, "failure": one.reason}
    return {
        "cell": cell,
        "outcome": [int(value) for value in one.outcome],
        "since_step": _without_nan(one.since_step),
        "accuracy": _without_nan(one.accuracy),
        "accuracy_over_steps": [_without_nan(row) for row in one.accuracy_over_steps],
    }


def _without_nan(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _with_lines(sweep: Sweep, path: Path) -> Sweep:
    """What has come in; a line that is damaged, or is none of this sweep, is left out."""
    if not path.exists():
        return sweep
    newest: dict[SweepCell, CellResult | CellFailure] = {}
    for line in path.read_text("utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            one = _from_json(json.loads(line), sweep.config)
            newest[one.cell] = one
    results = [one for one in newest.values() if isinstance(one, CellResult)]
    failures = [one for one in newest.values() if isinstance(one, CellFailure)]
    return with_failures(with_results(sweep, results), failures)


def _from_json(values: Mapping[str, Any], config: SweepConfig) -> CellResult | CellFailure:
    row, column, seed = values["cell"]
    cell = SweepCell(int(row), int(column), int(seed))
    if cell not in config:
        raise ValueError("is no cell of this sweep")
    if "failure" in values:
        return CellFailure(cell, str(values["failure"]))
    outcome = np.array([Outcome(value) for value in values["outcome"]], np.uint8)
    since, accuracy, over = (
        np.array(values[name], float) for name in ("since_step", "accuracy", "accuracy_over_steps")
    )
    k = len(config.competitors)
    shapes = [one.shape for one in (outcome, since, accuracy, over)]
    if shapes != [(k,), (k,), (k,), (k, len(MOMENTS))] or not np.isin(outcome, (2, 3, 4)).all():
        raise ValueError("is not whole")
    return CellResult(cell, outcome, since, accuracy, over)
