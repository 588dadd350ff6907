"""The journal of a run: its history in one file that only grows, each record with its length and its sum.

A record is (length, CRC-32) and so many bytes: the length of a JSON text, the text, and the numbers of the arrays that
the text lists, one after the other. The first record holds all that there was when the file was begun, every later one
what was measured since. A record that ends in the middle, or whose sum is another, is where a process was killed or the
disk was full: it and whatever follows are left out, and all before it is whole. Nothing is ever unpickled.
"""

import json
import logging
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz import config
from bnviz.records import MEASURES, SERIES, Intervention, Point, Run, Update
from bnviz.runs.store.arrays import SERIES_KINDS, history_arrays, series_from
from bnviz.runs.store.manifest import status_from

Arrays = Mapping[str, NDArray[Any]]

_MAGIC: Final = b"bnviz journal 2\n"
_FRAME: Final = struct.Struct("<II")  # bytes of what follows, and their CRC-32
_TEXT: Final = struct.Struct("<I")  # bytes of the JSON text
_KINDS: Final = frozenset({"<f4", "<f8", "<i8", "|b1"})
_WHOLE: Final = ("step", "images")  # of a `Point`, whole where it has left the worker

_log = logging.getLogger(__name__)


def begin(path: Path, run: Run) -> int:
    """A journal whose first record is all of a run's history; how many bytes it has. `OSError` from a full disk."""
    content = _MAGIC + _framed({"generation": run.status.generation}, history_arrays(run))
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return len(content)


def append(path: Path, size: int, update: Update) -> int:
    """One more record after the first `size` bytes, which are all that is good of the file; how many it has now.

    After an `OSError` the first `size` bytes are still what they were.
    """
    content = _framed(_state(update), _arrays(update))
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(content)
    return size + len(content)


def read(path: Path) -> tuple[Arrays, Sequence[Update]]:
    """The arrays of the first record, and the updates that followed it.

    Raises:
        ValueError, KeyError, TypeError: it is no journal, or its first record is damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise ValueError("no journal of bnviz")
    records = _records(content, path.name)
    first = next(records, None)
    if first is None:
        raise ValueError("its first record is damaged")
    text, arrays = first
    updates = [_update(*record) for record in records]
    return arrays, [update for update in updates if update.status.generation == text["generation"]]


# --- records ----------------------------------------------------------------------------------------------------------


def _framed(text: Mapping[str, Any], arrays: Arrays) -> bytes:
    # float32 from a GPU's host or a worker of another byte order would have another name: one of the few we read.
    plain = {
        name: np.ascontiguousarray(array, np.dtype(array.dtype).newbyteorder("<")) for name, array in arrays.items()
    }
    listed = {name: [array.dtype.str, array.shape] for name, array in plain.items()}
    written = json.dumps({**text, "arrays": listed}, allow_nan=False).encode()
    body = b"".join([_TEXT.pack(len(written)), written, *(array.tobytes() for array in plain.values())])
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _records(content: bytes, name: str) -> Iterator[tuple[dict[str, Any], Arrays]]:
    """Every whole record, up to the first that is not."""
    at = len(_MAGIC)
    while at < len(content):
        if at + _FRAME.size > len(content):
            break
        length, checksum = _FRAME.unpack_from(content, at)
        body = content[at + _FRAME.size : at + _FRAME.size + length]
        if length == 0 or len(body) < length or zlib.crc32(body) != checksum:  # the sum of nothing is 0
            break
        yield _parsed(body)
        at += _FRAME.size + length
    if at < len(content):
        _log.warning("%s ends in a record that is not whole: its last %d bytes are left out", name, len(content) - at)


def _parsed(body: bytes) -> tuple[dict[str, Any], Arrays]:
    (length,) = _TEXT.unpack_from(body)
    at = _TEXT.size + length
    text = json.loads(body[_TEXT.size : at])
    arrays = {}
    for name, (kind, shape) in text.pop("arrays").items():
        if kind not in _KINDS:
            raise ValueError(f"{name} is of kind {kind!r}")
        count = math.prod(shape)
        arrays[name] = np.frombuffer(body, kind, count, at).reshape(shape)
        at += count * np.dtype(kind).itemsize
    return text, arrays


# --- updates ----------------------------------------------------------------------------------------------------------


def _state(update: Update) -> dict[str, Any]:
    """What of an update is no array."""
    assert update.settings is not None
    assert update.interventions is not None
    return {
        "status": asdict(update.status),
        "settings": config.to_json(update.settings),
        "interventions": [asdict(one) for one in update.interventions],
    }


def _arrays(update: Update) -> dict[str, NDArray[Any]]:
    """Every array of an update, those of its points and of its records stacked."""
    arrays: dict[str, NDArray[Any]] = {}
    if update.points:
        arrays |= {f"points.{name}": _stacked(update.points, name) for name in MEASURES}
    for series in SERIES:
        if records := getattr(update, series):
            arrays |= {f"{series}.{one.name}": _stacked(records, one.name) for one in fields(records[0])}
    return arrays


def _stacked(records: Sequence[Any], name: str) -> NDArray[Any]:
    return np.stack([np.asarray(getattr(record, name)) for record in records])


def _update(text: Mapping[str, Any], arrays: Arrays) -> Update:
    series: dict[str, Any] = {name: series_from(kind, name, arrays) for name, kind in SERIES_KINDS.items()}
    return Update(
        version=0,
        status=status_from(text["status"]),
        points=_points(arrays),
        settings=config.from_json(text["settings"]),
        interventions=tuple(Intervention(**one) for one in text["interventions"]),
        **series,
    )


def _points(arrays: Arrays) -> tuple[Point, ...]:
    if "points.step" not in arrays:
        return ()
    columns = [arrays[f"points.{name}"] for name in MEASURES]
    points = []
    for row in zip(*columns, strict=True):
        values = dict(zip(MEASURES, row, strict=True))
        whole = {name: int(values[name]) for name in _WHOLE} | {"is_scheduled": bool(values["is_scheduled"])}
        points.append(Point(**values | whole))
    return tuple(points)
