"""A record as arrays by name, and back: what holds numbers, arrays and other records."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, cast, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def arrays_of(record: Any, part: str) -> dict[str, Any]:
    """Every number of a record and of the records in it by a name such as "study.spectrum.rank".

    Its `config` is left out: settings are text.
    """
    arrays: dict[str, Any] = {}
    for one in fields(record):
        name, value = f"{part}.{one.name}", getattr(record, one.name)
        if one.name == "config" or value is None:
            continue
        arrays |= arrays_of(value, name) if is_dataclass(value) else {name: np.asarray(value)}
    return arrays


def record_from(kind: type[T], part: str, arrays: Mapping[str, NDArray[Any]], **given: Any) -> T:
    """The record of which `arrays_of` made these arrays; what no array tells is given, or has a default."""
    values = dict(given)
    has_default = {one.name for one in fields(cast(Any, kind)) if one.default is not MISSING}
    for name, hint in get_type_hints(kind).items():
        if name not in given and not (name in has_default and f"{part}.{name}" not in arrays):
            values[name] = _value(hint, f"{part}.{name}", arrays)
    return kind(**values)


def _value(hint: Any, name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    record = next((one for one in (hint, *get_args(hint)) if isinstance(one, type) and is_dataclass(one)), None)
    if record is None:
        array = arrays[name]
        return array.item() if array.ndim == 0 else array
    is_there = any(key.startswith(f"{name}.") for key in arrays)
    return record_from(record, name, arrays) if is_there else None
