"""A run as arrays by name, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from bnviz.config import Directions
from bnviz.records import (
    GHOST_MEASURES,
    LANDSCAPE_ARRAYS,
    MEASURES,
    SERIES,
    Contour,
    Ghost,
    Gradients,
    History,
    Run,
    Sharpness,
    Shift,
    Smoothness,
    measure_shapes,
)
from bnviz.runs.flat import arrays_of
from bnviz.runs.store.pictures import kept_anatomy, kept_landscape, kept_study, landscape_from

YOUNGER: Final = ("train_accuracy", "batch_accuracy")  # measures that a run saved by an earlier version lacks
SERIES_KINDS: Final[Mapping[str, type[Any]]] = {
    "gradients": Gradients,
    "shift": Shift,
    "smoothness": Smoothness,
    "sharpness": Sharpness,
}

T = TypeVar("T")


def history_arrays(run: Run) -> dict[str, Any]:
    """Every array that grows with a run, and its ghost's, by a name such as "history.loss"."""
    arrays: dict[str, Any] = {f"history.{name}": getattr(run.history, name) for name in ("units", *MEASURES)}
    for name in SERIES:
        if records := getattr(run, name):
            arrays |= {
                f"{name}.{one.name}": np.stack([getattr(record, one.name) for record in records])
                for one in fields(records[0])
            }
    if run.ghost is not None:
        arrays |= {f"ghost.{name}": getattr(run.ghost, name) for name in GHOST_MEASURES}
    return arrays


def picture_arrays(run: Run) -> dict[str, Any]:
    """Those that are measured anew each time, such as "contour.loss"; numbers and names are arrays without dimensions.

    Empty where nothing is kept.
    """
    arrays: dict[str, Any] = {}
    if run.contour is not None:
        arrays |= {f"contour.{one.name}": np.asarray(getattr(run.contour, one.name)) for one in fields(run.contour)}
    if (landscape := kept_landscape(run)) is not None:
        arrays |= {f"landscape.{name}": getattr(landscape, name) for name in LANDSCAPE_ARRAYS}
    if (anatomy := kept_anatomy(run)) is not None:
        arrays |= arrays_of(anatomy, "anatomy")
    if (study := kept_study(run)) is not None:
        arrays |= arrays_of(study, "study")
    return arrays


def with_arrays(
    run: Run, arrays: Mapping[str, NDArray[Any]], ghost_label: str | None, landscape: Mapping[str, Any] | None
) -> Run:
    """A run with the arrays that `history_arrays` and `picture_arrays` have made of it."""
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
        contour=_record(Contour, "contour", arrays),
        landscape=None if landscape is None else landscape_from(landscape, arrays),
        ghost=ghost,
        **{name: series_from(kind, name, arrays) for name, kind in SERIES_KINDS.items()},
    )


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


def series_from(kind: type[T], name: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[T, ...]:
    """The records of one series, each a row of every array."""
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    columns = [arrays[f"{name}.{one}"] for one in names if f"{name}.{one}" in arrays]
    if len(columns) < len(names):  # not measured, or by an earlier version that measured less
        return ()
    rows = zip(*columns, strict=True)
    return tuple(kind(**dict(zip(names, row, strict=True)) | {"step": int(row[names.index("step")])}) for row in rows)
