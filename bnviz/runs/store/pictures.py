"""What is measured beside the history: which of it is kept, and its parts that are no arrays."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from numpy.typing import NDArray

from bnviz import config
from bnviz.config import (
    CostConfig,
    CousinsConfig,
    DepthConfig,
    Directions,
    LinearUnitConfig,
    Statistics,
    TrialsConfig,
    UntrainedConfig,
)
from bnviz.records import (
    LANDSCAPE_ARRAYS,
    Anatomy,
    Badge,
    Cost,
    Cousins,
    Depth,
    Landscape,
    LinearUnit,
    Run,
    Study,
    Trials,
    Untrained,
)
from bnviz.runs.flat import record_from

STUDIES: Final = {
    "linear-unit": (LinearUnit, LinearUnitConfig),
    "untrained": (Untrained, UntrainedConfig),
    "trials": (Trials, TrialsConfig),
    "depth": (Depth, DepthConfig),
    "cousins": (Cousins, CousinsConfig),
    "cost": (Cost, CostConfig),
}


def kept_landscape(run: Run) -> Landscape | None:
    """Its landscape, if that is whole."""
    landscape = run.landscape
    return landscape if landscape is not None and landscape.done == 1 and not landscape.problem else None


def landscape_to_json(landscape: Landscape) -> dict[str, Any]:
    """What of it is no array."""
    others = {one.name: getattr(landscape, one.name) for one in fields(landscape) if one.name not in LANDSCAPE_ARRAYS}
    return others | {"config": config.landscape_to_json(landscape.config)}


def landscape_from(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Landscape:
    kept = {
        "config": config.landscape_from_json(values["config"]),
        "directions": Directions(values["directions"]),
        "statistics": Statistics(values["statistics"]),
        "earlier_networks": tuple(values.get("earlier_networks", ())),
    }
    return Landscape(**{**values, **kept, **{name: arrays[f"landscape.{name}"] for name in LANDSCAPE_ARRAYS}})


def kept_anatomy(run: Run) -> Anatomy | None:
    """Its walk through a BN layer, if that is whole."""
    anatomy = run.anatomy
    return anatomy if anatomy is not None and anatomy.done == 1 and not anatomy.problem else None


def kept_study(run: Run) -> Study | None:
    """What a recording shows of something that does not train; a visitor's own is measured again in a second."""
    return run.study if run.badge is Badge.RECORDED else None


def study_to_json(study: Study) -> dict[str, Any]:
    kind = next(kind for kind, (record, _) in STUDIES.items() if isinstance(study, record))
    return {"kind": kind, "config": asdict(study.config)}


def study_from(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Study:
    kind, config_kind = STUDIES[values["kind"]]
    return record_from(kind, "study", arrays, config=config_kind(**values["config"]))
