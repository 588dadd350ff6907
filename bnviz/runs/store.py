"""The store: a folder a run on disk, with its settings, history and last checkpoint.

`settings.json` is written last and names the files that belong to it, so a folder is either as before or as after a
save, whatever interrupts it. Arrays are plain `.npz`; nothing is ever unpickled.
"""

import contextlib
import json
import os
import re
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import platformdirs
from numpy.typing import NDArray

from bnviz import config
from bnviz.config import (
    AnatomyConfig,
    Competitor,
    DepthConfig,
    Directions,
    LinearUnitConfig,
    Measure,
    Normalization,
    Statistics,
    TrialsConfig,
    UntrainedConfig,
)
from bnviz.errors import ConfigError, RunError
from bnviz.records import (
    GHOST_MEASURES,
    LANDSCAPE_ARRAYS,
    MEASURES,
    SERIES,
    Anatomy,
    Badge,
    Condition,
    Contour,
    Depth,
    Ghost,
    Gradients,
    Health,
    History,
    Intervention,
    Landscape,
    LinearUnit,
    Phase,
    Run,
    Sharpness,
    Shift,
    Smoothness,
    Status,
    Study,
    Trials,
    Untrained,
    measure_shapes,
)
from bnviz.runs.flat import arrays_of, record_from
from bnviz.worker.host import Checkpoint

HOME_VARIABLE: Final = "BNVIZ_HOME"
SCHEMA_VERSION: Final = 1
MANIFEST: Final = "settings.json"
YOUNGER: Final = ("train_accuracy", "batch_accuracy")  # measures that a run saved by an earlier version lacks
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")  # also: never a path

STUDIES: Final = {
    "linear-unit": (LinearUnit, LinearUnitConfig),
    "untrained": (Untrained, UntrainedConfig),
    "trials": (Trials, TrialsConfig),
    "depth": (Depth, DepthConfig),
}

T = TypeVar("T")


def default_home() -> Path:
    """BNVIZ_HOME, or the platform's own folder for a user's application data."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("bnviz", appauthor=False))


@dataclass(frozen=True)
class Saved:
    """A run on disk: its records, whose it is, where it can go on from, and what is measured besides."""

    run: Run
    owner: str
    checkpoint: Checkpoint | None
    measures: frozenset[Measure] = frozenset()


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
            (np.savez_compressed if is_compressed else np.savez)(file, **_arrays(saved.run))
        if saved.checkpoint is not None:
            (folder / names["checkpoint"]).write_bytes(saved.checkpoint.blob)
        partial = folder / f"{MANIFEST}-{tag}"
        partial.write_text(json.dumps(_manifest(saved, names), indent=1, allow_nan=False), "utf-8")
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


def _manifest(saved: Saved, names: Mapping[str, str]) -> dict[str, Any]:
    run, checkpoint = saved.run, saved.checkpoint
    return {
        "schema": SCHEMA_VERSION,
        "run_id": run.run_id,
        "owner": saved.owner,
        "measures": sorted(saved.measures),
        "files": dict(names),
        "checkpoint": None if checkpoint is None else [checkpoint.generation, checkpoint.step],
        "settings": config.to_json(run.settings),
        "status": asdict(run.status),
        "competitors": [asdict(competitor) for competitor in run.competitors],
        "interventions": [asdict(intervention) for intervention in run.interventions],
        "ghost": None if run.ghost is None else run.ghost.label,
        "landscape": None if (landscape := _kept_landscape(run)) is None else _landscape_to_json(landscape),
        "anatomy": None if (anatomy := _kept_anatomy(run)) is None else asdict(anatomy.config),
        "study": None if (study := _kept_study(run)) is None else _study_to_json(study),
        "badge": run.badge,
        "origin": run.origin,
    }


def _arrays(run: Run) -> dict[str, Any]:
    """Every array of a run by a name such as "contour.loss"; numbers and names become arrays without dimensions."""
    arrays = {f"history.{name}": getattr(run.history, name) for name in ("units", *MEASURES)}
    if run.contour is not None:
        arrays |= {f"contour.{one.name}": np.asarray(getattr(run.contour, one.name)) for one in fields(run.contour)}
    if (landscape := _kept_landscape(run)) is not None:
        arrays |= {f"landscape.{name}": getattr(landscape, name) for name in LANDSCAPE_ARRAYS}
    if (anatomy := _kept_anatomy(run)) is not None:
        arrays |= arrays_of(anatomy, "anatomy")
    if (study := _kept_study(run)) is not None:
        arrays |= arrays_of(study, "study")
    for name in SERIES:
        if records := getattr(run, name):
            arrays |= {
                f"{name}.{one.name}": np.stack([getattr(record, one.name) for record in records])
                for one in fields(records[0])
            }
    if run.ghost is not None:
        arrays |= {f"ghost.{name}": getattr(run.ghost, name) for name in GHOST_MEASURES}
    return arrays


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(folder: Path) -> Saved:
    with _reading(folder / MANIFEST) as path:
        manifest = json.loads(path.read_text("utf-8"))
        if manifest["schema"] != SCHEMA_VERSION:
            raise ValueError(f"schema {manifest['schema']!r}, where this bnviz reads {SCHEMA_VERSION}")
        history_path = folder / Path(manifest["files"]["history"]).name
        run = _run_without_arrays(manifest)
    with _reading(history_path) as path, path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
        run = _with_arrays(run, loaded, manifest["ghost"], manifest.get("landscape"))
        if (anatomy := manifest.get("anatomy")) is not None:
            run = run.replace(anatomy=record_from(Anatomy, "anatomy", loaded, config=AnatomyConfig(**anatomy)))
        if (study := manifest.get("study")) is not None:
            run = run.replace(study=_study_from(study, loaded))
    measures = frozenset(Measure(one) for one in manifest.get("measures", ()))
    return Saved(run, str(manifest["owner"]), _checkpoint(folder, manifest), measures)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Turn whatever a damaged file causes into one error that names the file and the remedy."""
    try:
        yield path
    except FileNotFoundError:
        raise RunError(f"{path} is missing: restore it from a copy, or start a new run.") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, ConfigError) as error:
        reason = error.text if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        raise RunError(f"{path} cannot be read ({reason}): restore it from a copy, or start a new run.") from None


def _run_without_arrays(manifest: Mapping[str, Any]) -> Run:
    competitors = tuple(_competitor(one) for one in manifest["competitors"])
    return Run(
        run_id=str(manifest["run_id"]),
        settings=config.from_json(manifest["settings"]),
        status=_status(manifest["status"]),
        history=_empty_history(competitors),
        interventions=tuple(Intervention(**one) for one in manifest["interventions"]),
        badge=Badge(manifest["badge"]),
        origin=str(manifest["origin"]),
    )


def _competitor(values: Mapping[str, Any]) -> Competitor:
    return Competitor(**{**values, "normalization": Normalization(values["normalization"])})


def _status(values: Mapping[str, Any]) -> Status:
    health = tuple(Health(**{**one, "condition": Condition(one["condition"])}) for one in values["health"])
    return Status(**{**values, "phase": Phase(values["phase"]), "health": health})


def _empty_history(competitors: tuple[Competitor, ...]) -> History:
    shapes = measure_shapes(len(competitors), layers=1, units=1)
    arrays = {name: np.empty((0, *shape)) for name, shape in shapes.items()}
    return History(competitors, np.zeros((1, 1), np.int64), **arrays)  # type: ignore[arg-type]  # bool among them


def _with_arrays(
    run: Run, arrays: Mapping[str, NDArray[Any]], ghost_label: str | None, landscape: Mapping[str, Any] | None
) -> Run:
    units, competitors = arrays["history.units"], run.competitors
    measures = {name: arrays[f"history.{name}"] for name in MEASURES if f"history.{name}" in arrays}
    nothing = np.full_like(measures["loss"], np.nan)
    measures |= {name: nothing for name in YOUNGER if name not in measures}
    history = History(competitors, units, **measures)
    _check_shapes(history)
    ghost = None
    if ghost_label is not None:
        ghost = Ghost(str(ghost_label), **{name: arrays[f"ghost.{name}"] for name in GHOST_MEASURES})
    return run.replace(
        history=history,
        gradients=_series(Gradients, "gradients", arrays),
        shift=_series(Shift, "shift", arrays),
        smoothness=_series(Smoothness, "smoothness", arrays),
        sharpness=_series(Sharpness, "sharpness", arrays),
        contour=_record(Contour, "contour", arrays),
        landscape=None if landscape is None else _landscape_from(landscape, arrays),
        ghost=ghost,
    )


def _kept_landscape(run: Run) -> Landscape | None:
    """Its landscape, if that is whole."""
    landscape = run.landscape
    return landscape if landscape is not None and landscape.done == 1 and not landscape.problem else None


def _landscape_to_json(landscape: Landscape) -> dict[str, Any]:
    """What of it is no array."""
    others = {one.name: getattr(landscape, one.name) for one in fields(landscape) if one.name not in LANDSCAPE_ARRAYS}
    return others | {"config": config.landscape_to_json(landscape.config)}


def _landscape_from(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Landscape:
    kept = {
        "config": config.landscape_from_json(values["config"]),
        "directions": Directions(values["directions"]),
        "statistics": Statistics(values["statistics"]),
        "earlier_networks": tuple(values.get("earlier_networks", ())),
    }
    return Landscape(**{**values, **kept, **{name: arrays[f"landscape.{name}"] for name in LANDSCAPE_ARRAYS}})


def _kept_anatomy(run: Run) -> Anatomy | None:
    """Its walk through a BN layer, if that is whole."""
    anatomy = run.anatomy
    return anatomy if anatomy is not None and anatomy.done == 1 and not anatomy.problem else None


def _kept_study(run: Run) -> Study | None:
    """What a recording shows of something that does not train; a visitor's own is measured again in a second."""
    return run.study if run.badge is Badge.RECORDED else None


def _study_to_json(study: Study) -> dict[str, Any]:
    kind = next(kind for kind, (record, _) in STUDIES.items() if isinstance(study, record))
    return {"kind": kind, "config": asdict(study.config)}


def _study_from(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Study:
    kind, config_kind = STUDIES[values["kind"]]
    return record_from(kind, "study", arrays, config=config_kind(**values["config"]))


def _check_shapes(history: History) -> None:
    for name, shape in measure_shapes(len(history.competitors), *history.units.shape).items():
        found = getattr(history, name).shape
        if found != (len(history), *shape):
            raise ValueError(f"{name} has shape {found}, not {(len(history), *shape)}")


def _record(kind: type[T], part: str, arrays: Mapping[str, NDArray[Any]]) -> T | None:
    """A record from its arrays; those without dimensions become the numbers and names that they were."""
    values: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]  # both kinds are dataclasses
        if (array := arrays.get(f"{part}.{one.name}")) is not None:
            values[one.name] = array.item() if array.ndim == 0 else array
    if not values:
        return None
    if "directions" in values:
        values["directions"] = Directions(values["directions"])
    return kind(**values)


def _series(kind: type[T], name: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[T, ...]:
    """The records of one series, each a row of every array."""
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    columns = [arrays[f"{name}.{one}"] for one in names if f"{name}.{one}" in arrays]
    if len(columns) < len(names):  # not measured, or by an earlier version that measured less
        return ()
    rows = zip(*columns, strict=True)
    return tuple(kind(**dict(zip(names, row, strict=True)) | {"step": int(row[names.index("step")])}) for row in rows)


def _checkpoint(folder: Path, manifest: Mapping[str, Any]) -> Checkpoint | None:
    if manifest["checkpoint"] is None:
        return None
    with _reading(folder / MANIFEST):
        path = folder / Path(manifest["files"]["checkpoint"]).name
        generation, step = map(int, manifest["checkpoint"])
    with _reading(path):
        return Checkpoint(generation, step, path.read_bytes())
