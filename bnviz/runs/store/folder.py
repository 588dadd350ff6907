"""The store: a folder a run on disk, with its settings, history and last checkpoint.

`settings.json` is written last and names the files that belong to it, so a folder is either as before or as after a
save, whatever interrupts it. Arrays are plain `.npz`; nothing is ever unpickled.
"""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bnviz.config import AnatomyConfig, Measure
from bnviz.errors import RunError
from bnviz.records import Anatomy, Phase, Run
from bnviz.runs.flat import record_from
from bnviz.runs.store.arrays import arrays_by_name, with_arrays
from bnviz.runs.store.disk import HOME_VARIABLE, default_home, reading
from bnviz.runs.store.manifest import MANIFEST, SCHEMA_VERSION, Saved, manifest_of, run_without_arrays
from bnviz.runs.store.pictures import study_from
from bnviz.worker.host import Checkpoint

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")  # also: never a path


class Store:
    """The runs under one home folder."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or default_home()) / "runs"

    def save(self, saved: Saved) -> None:
        """Write a run; `RunError` if the disk does not take it."""
        _write(saved, self.folder / saved.run.run_id, is_compressed=False)

    def load(self, run_id: str) -> Saved:
        """A run as it was saved last, asleep; `RunError` if there is none or it is damaged."""
        folder = self.folder / run_id
        if not _RUN_ID.fullmatch(run_id) or not (folder / MANIFEST).is_file():
            raise RunError("There is no such run here: the link may be incomplete, or the run was deleted.")
        try:
            saved = _read(folder)
        except RunError:
            saved = _read(folder)  # a save may have replaced the files that the first reading was told of
        status = replace(saved.run.status, phase=Phase.ASLEEP, steps_per_second=0.0, place_in_queue=None)
        return replace(saved, run=saved.run.replace(run_id=run_id, status=status))

    def owners(self) -> dict[str, str]:
        """Whose every run is; damaged ones are left out, `load` says what is wrong with them."""
        owners = {}
        for manifest in sorted(self.folder.glob(f"*/{MANIFEST}")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                owners[manifest.parent.name] = str(json.loads(manifest.read_text("utf-8"))["owner"])
        return owners


def save_run(run: Run, folder: Path) -> None:
    """Write a run's records, compressed, for `assets/recorded` and downloads: no owner, no checkpoint."""
    _write(Saved(run, "", None), folder, is_compressed=True)


def load_run(folder: Path) -> Run:
    """The run that a folder holds; `RunError` names the file that is missing or damaged, and the remedy."""
    return _read(folder).run


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(saved: Saved, folder: Path, is_compressed: bool) -> None:
    tag = f"{saved.run.status.generation}-{saved.run.status.step}-{secrets.token_hex(3)}"
    names = {"history": f"history-{tag}.npz"}
    if saved.checkpoint is not None:
        names["checkpoint"] = f"checkpoint-{tag}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / names["history"]).open("wb") as file:
            (np.savez_compressed if is_compressed else np.savez)(file, **arrays_by_name(saved.run))
        if saved.checkpoint is not None:
            (folder / names["checkpoint"]).write_bytes(saved.checkpoint.blob)
        partial = folder / f"{MANIFEST}-{tag}"
        partial.write_text(json.dumps(manifest_of(saved, names), indent=1, allow_nan=False), "utf-8")
        os.replace(partial, folder / MANIFEST)
        _remove_all_but(folder, {MANIFEST, *names.values()})
    except OSError as error:
        with contextlib.suppress(OSError):
            _remove_new(folder, tag)
        raise RunError(
            f"The run could not be saved in {folder} ({error.strerror or error}). Training goes on, but when the "
            f"server ends, what is not saved is lost: free some space, or set {HOME_VARIABLE} to a folder with room."
        ) from None


def _remove_all_but(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names and path.name.startswith(("history-", "checkpoint-", f"{MANIFEST}-")):
            with contextlib.suppress(OSError):  # on Windows, while somebody reads it: the next save removes it
                path.unlink(missing_ok=True)


def _remove_new(folder: Path, tag: str) -> None:
    for path in folder.glob(f"*-{tag}*"):
        path.unlink(missing_ok=True)


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(folder: Path) -> Saved:
    with reading(folder / MANIFEST) as path:
        manifest = json.loads(path.read_text("utf-8"))
        if manifest["schema"] != SCHEMA_VERSION:
            raise ValueError(f"schema {manifest['schema']!r}, where this bnviz reads {SCHEMA_VERSION}")
        history_path = folder / Path(manifest["files"]["history"]).name
        run = run_without_arrays(manifest)
    with reading(history_path) as path, path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
        run = with_arrays(run, loaded, manifest["ghost"], manifest.get("landscape"))
        if (anatomy := manifest.get("anatomy")) is not None:
            run = run.replace(anatomy=record_from(Anatomy, "anatomy", loaded, config=AnatomyConfig(**anatomy)))
        if (study := manifest.get("study")) is not None:
            run = run.replace(study=study_from(study, loaded))
    measures = frozenset(Measure(one) for one in manifest.get("measures", ()))
    return Saved(run, str(manifest["owner"]), checkpoint(folder, manifest), measures)


def checkpoint(folder: Path, manifest: Mapping[str, Any]) -> Checkpoint | None:
    if manifest["checkpoint"] is None:
        return None
    with reading(folder / MANIFEST):
        path = folder / Path(manifest["files"]["checkpoint"]).name
        generation, step = map(int, manifest["checkpoint"])
    with reading(path):
        return Checkpoint(generation, step, path.read_bytes())
