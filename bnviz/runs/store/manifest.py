"""What of a run is no array, as JSON, and back: `settings.json`, which names the other files of its folder."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from bnviz import config
from bnviz.config import Competitor, Measure, Normalization
from bnviz.records import Badge, Condition, Health, History, Intervention, Phase, Run, Status, measure_shapes
from bnviz.runs.store.pictures import kept_anatomy, kept_landscape, kept_study, landscape_to_json, study_to_json
from bnviz.runs.summary import Entry, Offer, Summary, newest_accuracy
from bnviz.worker.host import Checkpoint

COMPACT_SCHEMA: Final = 1  # all arrays in one `.npz`: recordings, and every run saved by an earlier version
SCHEMA_VERSION: Final = 2  # a journal, and an `.npz` of pictures
MANIFEST: Final = "settings.json"


@dataclass(frozen=True)
class Saved:
    """A run on disk: its records, whose it is, where it can go on from, and what is measured besides.

    Attributes:
        created: seconds since 1970.
        offer: of its controls to somebody else; None: there is none.
    """

    run: Run
    owner: str
    checkpoint: Checkpoint | None
    measures: frozenset[Measure] = frozenset()
    created: float = 0.0
    offer: Offer | None = None


def manifest_of(saved: Saved, names: Mapping[str, str], schema: int = SCHEMA_VERSION) -> dict[str, Any]:
    """A run as JSON; `names` are those of its other files."""
    run, checkpoint = saved.run, saved.checkpoint
    return {
        "schema": schema,
        "run_id": run.run_id,
        "owner": saved.owner,
        "offer": offer_to_json(saved.offer),
        "created": saved.created,
        "changed": time.time(),
        "accuracy": [accuracy if math.isfinite(accuracy) else None for accuracy in newest_accuracy(run)],
        "is_study": run.is_study,
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


def offer_to_json(offer: Offer | None) -> list[Any] | None:
    return None if offer is None else [offer.digest, offer.expires]


def offer_from(manifest: Mapping[str, Any]) -> Offer | None:
    if (values := manifest.get("offer")) is None:
        return None
    digest, expires = values
    return Offer(str(digest), float(expires))


def entry_from(manifest: Mapping[str, Any], run_id: str, written: float) -> Entry:
    """What the catalogue says of a run that is not awake; `written`, in seconds since 1970, where an old file does not.

    Raises:
        ValueError, KeyError, TypeError, ConfigError: the manifest makes no sense.
    """
    status = status_from(manifest["status"])
    accuracy = manifest.get("accuracy") or [None] * len(manifest["competitors"])
    summary = Summary(
        run_id,
        config.from_json(manifest["settings"]),
        asleep(status),
        tuple(float("nan") if one is None else float(one) for one in accuracy),
        float(manifest.get("created") or written),
        float(manifest.get("changed") or written),
        bool(manifest.get("is_study")),
    )
    return Entry(str(manifest["owner"]), summary, offer_from(manifest))


def asleep(status: Status) -> Status:
    """The status of a run that is on disk alone."""
    return replace(status, phase=Phase.ASLEEP, steps_per_second=0.0, place_in_queue=None)


def run_without_arrays(manifest: Mapping[str, Any]) -> Run:
    """The run that a manifest tells of, with an empty history."""
    competitors = tuple(_competitor(one) for one in manifest["competitors"])
    return Run(
        run_id=str(manifest["run_id"]),
        settings=config.from_json(manifest["settings"]),
        status=status_from(manifest["status"]),
        history=_empty_history(competitors),
        interventions=tuple(Intervention(**one) for one in manifest["interventions"]),
        badge=Badge(manifest["badge"]),
        origin=str(manifest["origin"]),
    )


def _competitor(values: Mapping[str, Any]) -> Competitor:
    return Competitor(**{**values, "normalization": Normalization(values["normalization"])})


def status_from(values: Mapping[str, Any]) -> Status:
    health = tuple(Health(**{**one, "condition": Condition(one["condition"])}) for one in values["health"])
    return Status(**{**values, "phase": Phase(values["phase"]), "health": health})


def _empty_history(competitors: tuple[Competitor, ...]) -> History:
    shapes = measure_shapes(len(competitors), layers=1, units=1)
    arrays = {name: np.empty((0, *shape)) for name, shape in shapes.items()}
    return History(competitors, np.zeros((1, 1), np.int64), **arrays)  # type: ignore[arg-type]  # bool among them
