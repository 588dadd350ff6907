"""A run from its folder, as this version keeps it and as earlier ones did."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnviz.config import AnatomyConfig, Measure
from bnviz.records import Anatomy, Run
from bnviz.runs.flat import record_from
from bnviz.runs.hub import grown
from bnviz.runs.store import journal
from bnviz.runs.store.arrays import with_arrays
from bnviz.runs.store.disk import reading
from bnviz.runs.store.manifest import (
    COMPACT_SCHEMA,
    MANIFEST,
    SCHEMA_VERSION,
    Saved,
    offer_from,
    run_without_arrays,
)
from bnviz.runs.store.pictures import study_from
from bnviz.worker.host import Checkpoint

Arrays = Mapping[str, NDArray[Any]]


def load_run(folder: Path) -> Run:
    """The run that a folder holds; `RunError` names the file that is missing or damaged, and the remedy."""
    return load_saved(folder).run


def load_saved(folder: Path) -> Saved:
    """The same with whose it is and where it can go on from."""
    with reading(folder / MANIFEST) as path:
        manifest = json.loads(path.read_text("utf-8"))
        if manifest["schema"] not in (COMPACT_SCHEMA, SCHEMA_VERSION):
            raise ValueError(f"schema {manifest['schema']!r}, where this bnviz reads up to {SCHEMA_VERSION}")
        is_compact = manifest["schema"] == COMPACT_SCHEMA
        names = {kind: Path(name).name for kind, name in manifest["files"].items()}
        run, offer = run_without_arrays(manifest), offer_from(manifest)
        created = float(manifest.get("created") or path.stat().st_mtime)
        measures = frozenset(Measure(one) for one in manifest.get("measures", ()))
        history_path = folder / names["history"]
    pictures: Arrays = {}
    if "pictures" in names:
        with reading(folder / names["pictures"]) as path:
            pictures = _arrays(path)
    with reading(history_path) as path:
        arrays, updates = (_arrays(path), []) if is_compact else journal.read(path)
        run = grown(_with(run, {**pictures, **arrays}, manifest), updates)
    return Saved(run, str(manifest["owner"]), _checkpoint(folder, manifest, names), measures, created, offer)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _with(run: Run, arrays: Arrays, manifest: Mapping[str, Any]) -> Run:
    run = with_arrays(run, arrays, manifest["ghost"], manifest.get("landscape"))
    if (anatomy := manifest.get("anatomy")) is not None:
        run = run.replace(anatomy=record_from(Anatomy, "anatomy", arrays, config=AnatomyConfig(**anatomy)))
    if (study := manifest.get("study")) is not None:
        run = run.replace(study=study_from(study, arrays))
    return run


def _checkpoint(folder: Path, manifest: Mapping[str, Any], names: Mapping[str, str]) -> Checkpoint | None:
    if manifest["checkpoint"] is None:
        return None
    with reading(folder / MANIFEST):
        path = folder / names["checkpoint"]
        generation, step = map(int, manifest["checkpoint"])
    with reading(path):
        return Checkpoint(generation, step, path.read_bytes())
