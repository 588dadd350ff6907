"""Frame encoding: a header and the specs of some charts as one binary message, and back.

A frame is `b"BNV1"`, the length of its JSON as uint32 (little-endian), the JSON (UTF-8, padded with spaces to a
multiple of 8), then the arrays' bytes, each padded to 8, so that a browser can view them in place. In the JSON an array
is `{"$": [offset, dtype, shape]}`; an offset counts from its chart's `bases[chart]`, itself an offset into the bytes.
That makes a chart's part of a frame the same for everybody who watches: it is packed once and joined into any frame.

The JSON is strict: a NaN travels only inside an array.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Spec = dict[str, Any]
"""A plain Plotly figure: {"data": [...], "layout": {...}}, its arrays in NumPy."""

MAGIC: Final = b"BNV1"
ALIGNMENT: Final = 8  # bytes; the widest number is a float64

# What a typed array of JavaScript holds as it is, by the name that it has in a frame.
DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "bool": np.dtype("?"),
}
_NAMES: Final = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class PackedChart:
    """One chart's spec as it stands in a frame; a browser that holds an equal one needs it no second time.

    Attributes:
        text: its JSON.
        data: the bytes of its arrays, a multiple of `ALIGNMENT` long.
    """

    text: bytes
    data: bytes


def pack(spec: Spec) -> PackedChart:
    """The spec of one chart, ready to be joined into any number of frames.

    Raises:
        ValueError: a NaN or an infinity outside an array.
        TypeError: a value that neither JSON nor a typed array holds.
    """
    arrays = _Arrays()
    text = _dumps(spec, default=arrays.add)
    return PackedChart(text, b"".join(arrays.parts))


def join(header: Mapping[str, Any], charts: Mapping[str, PackedChart]) -> bytes:
    """A frame of a header (plain JSON values) and packed charts."""
    bases, end = {}, 0
    for name, chart in charts.items():
        bases[name] = end
        end += len(chart.data)
    head = _dumps(dict(header) | {"bases": bases})
    body = b",".join(_dumps(name) + b":" + chart.text for name, chart in charts.items())
    text = head[:-1] + b',"charts":{' + body + b"}}"
    text += b" " * (-len(text) % ALIGNMENT)
    return b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *(chart.data for chart in charts.values())])


def encode(header: Mapping[str, Any], specs: Mapping[str, Spec]) -> bytes:
    """A frame of a header (plain JSON values) and the specs of some charts."""
    return join(header, {name: pack(spec) for name, spec in specs.items()})


def decode(frame: bytes) -> tuple[dict[str, Any], dict[str, Spec]]:
    """Header and specs of a frame, as `encode` was given them.

    Raises:
        ValueError: not a frame, or one cut short.
    """
    if frame[:4] != MAGIC:
        raise ValueError(f"a frame begins with {MAGIC!r}, not with {frame[:4]!r}")
    length = int.from_bytes(frame[4:8], "little")
    if len(frame) < 8 + length:
        raise ValueError(f"a frame with {length} bytes of JSON has {len(frame)} bytes in all")
    header = json.loads(frame[8 : 8 + length])
    charts, bases = header.pop("charts"), header.pop("bases")
    data = memoryview(frame)[8 + length :]
    return header, {name: _unpack(spec, data[bases[name] :]) for name, spec in charts.items()}


class _Arrays:
    """The arrays of one chart, in the order in which the JSON encoder meets them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._end = 0
        self._placed: dict[int, dict[str, Any]] = {}  # by identity: lines over time share their x

    def add(self, value: Any) -> Any:
        """What stands in the JSON for a value that JSON does not know."""
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a chart holds JSON values and arrays, not {type(value).__name__}")
        if (placed := self._placed.get(id(value))) is not None:
            return placed
        if value.ndim == 0 or value.dtype.kind == "U":
            return value.tolist()
        array = np.ascontiguousarray(_browser_typed(value))
        data = array.tobytes()
        placed = self._placed[id(value)] = {"$": [self._end, _NAMES[array.dtype], array.shape]}
        padding = -len(data) % ALIGNMENT
        self.parts += [data, b"\0" * padding]
        self._end += len(data) + padding
        return placed


def _browser_typed(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in a type that JavaScript has: no 64-bit integers (as Plotly reads them), no float16."""
    if array.dtype in _NAMES:
        return array
    if array.dtype.kind in "iu":
        fits = array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31)
        return array.astype(DTYPES["int32" if fits else "float64"])
    if array.dtype.kind == "f":
        return array.astype(DTYPES["float32" if array.dtype.itemsize <= 4 else "float64"])
    raise TypeError(f"a browser has no array of {array.dtype}")


def _unpack(value: Any, data: memoryview) -> Any:
    if isinstance(value, list):
        return [_unpack(one, data) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$"}:
        offset, dtype, shape = value["$"]
        count = int(np.prod(shape))
        return np.frombuffer(data, DTYPES[dtype], count, offset).reshape(shape) if count else np.empty(shape, dtype)
    return {key: _unpack(one, data) for key, one in value.items()}


def _dumps(value: Any, **options: Any) -> bytes:
    # Specs are trees, and to make sure of it takes an eighth of the time.
    text = json.dumps(
        value, check_circular=False, allow_nan=False, ensure_ascii=False, separators=(",", ":"), **options
    )
    return text.encode("utf-8", "replace")
