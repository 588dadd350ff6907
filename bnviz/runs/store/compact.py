"""A run's records alone, in as few bytes as they take: for the recordings that come with the project."""

import json
import secrets
from pathlib import Path

import numpy as np

from bnviz.records import Run
from bnviz.runs.store.arrays import history_arrays, picture_arrays
from bnviz.runs.store.disk import replace_whole, writing
from bnviz.runs.store.manifest import COMPACT_SCHEMA, MANIFEST, Saved, manifest_of


def save_run(run: Run, folder: Path) -> None:
    """Write a run's records, compressed: no owner, no checkpoint. A recording that was there before is replaced."""
    tag = f"{run.status.generation}-{run.status.step}-{secrets.token_hex(3)}"
    name = f"history-{tag}.npz"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            np.savez_compressed(file, **(history_arrays(run) | picture_arrays(run)))
        manifest = manifest_of(Saved(run, "", None), {"history": name}, COMPACT_SCHEMA)
        replace_whole(folder / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode(), tag)
        for path in folder.glob("history-*.npz"):
            if path.name != name:
                path.unlink(missing_ok=True)
