"""What of a run is no array, as JSON, and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bnviz import config
from bnviz.config import Competitor, Measure, Normalization
from bnviz.records import Badge, Condition, Health, History, Intervention, Phase, Run, Status, measure_shapes
from bnviz.runs.store.pictures import kept_anatomy, kept_landscape, kept_study, landscape_to_json, study_to_json
from bnviz.worker.host import Checkpoint

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "settings.json"


@dataclass(frozen=True)
class Saved:
    """A run on disk: its records, whose it is, where it can go on from, and what is measured besides."""

    run: Run
    owner: str
    checkpoint: Checkpoint | None
    measures: frozenset[Measure] = frozenset()


def manifest_of(saved: Saved, names: Mapping[str, str]) -> dict[str, Any]:
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
        "landscape": None if (landscape := kept_landscape(run)) is None else landscape_to_json(landscape),
        "anatomy": None if (anatomy := kept_anatomy(run)) is None else asdict(anatomy.config),
        "study": None if (study := kept_study(run)) is None else study_to_json(study),
        "badge": run.badge,
        "origin": run.origin,
    }


def run_without_arrays(manifest: Mapping[str, Any]) -> Run:
    competitors = tuple(_competitor(one) for one in manifest["competitors"])
    return Run(
        run_id=str(manifest["run_id"]),
        settings=config.from_json(manifest["settings"]),
        status=_status(manifest["status"]),
        history=empty_history(competitors),
        interventions=tuple(Intervention(**one) for one in manifest["interventions"]),
        badge=Badge(manifest["badge"]),
        origin=str(manifest["origin"]),
    )


def _competitor(values: Mapping[str, Any]) -> Competitor:
    return Competitor(**{**values, "normalization": Normalization(values["normalization"])})


def _status(values: Mapping[str, Any]) -> Status:
    health = tuple(Health(**{**one, "condition": Condition(one["condition"])}) for one in values["health"])
    return Status(**{**values, "phase": Phase(values["phase"]), "health": health})


def empty_history(competitors: tuple[Competitor, ...]) -> History:
    shapes = measure_shapes(len(competitors), layers=1, units=1)
    arrays = {name: np.empty((0, *shape)) for name, shape in shapes.items()}
    return History(competitors, np.zeros((1, 1), np.int64), **arrays)  # type: ignore[arg-type]  # bool among them
