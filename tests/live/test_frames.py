"""Frames: what goes in comes out, in types and places that a browser can use as they are."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bnviz.config import Settings
from bnviz.live.frames import ALIGNMENT, DTYPES, PackedChart, decode, encode, join, pack
from bnviz.live.header import summary

names = st.text("abcdefgh-", min_size=1, max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
typed_arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda dtype: hnp.arrays(DTYPES[dtype], hnp.array_shapes(max_dims=3, min_side=0, max_side=7))
)
values = st.recursive(
    scalars | texts | typed_arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)
specs = st.fixed_dictionaries(
    {"data": st.lists(st.dictionaries(names, values, max_size=3), max_size=3), "layout": values}
)


def assert_same(left: object, right: object) -> None:
    if isinstance(left, np.ndarray):
        assert isinstance(right, np.ndarray)
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, dict):
        assert isinstance(right, dict)
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list):
        assert isinstance(right, list)
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right


@given(st.dictionaries(names, texts | scalars), st.dictionaries(names, specs, max_size=3))
def test_decode_returns_what_was_encoded(header: dict[str, object], charts: dict[str, dict[str, object]]) -> None:
    got_header, got_charts = decode(encode(header, charts))
    assert got_header == header
    assert_same(charts, got_charts)


@given(st.dictionaries(names, specs, max_size=3))
def test_every_array_begins_at_a_multiple_of_its_alignment_in_the_message(charts: dict[str, dict[str, object]]) -> None:
    frame = encode({}, charts)
    length = int.from_bytes(frame[4:8], "little")
    assert (8 + length) % ALIGNMENT == 0
    text = json.loads(frame[8 : 8 + length])
    assert all(base % ALIGNMENT == 0 for base in text["bases"].values())

    def offsets(value: object) -> list[int]:
        if isinstance(value, dict):
            if value.keys() == {"$"}:
                return [value["$"][0]]
            return [offset for one in value.values() for offset in offsets(one)]
        return [offset for one in value for offset in offsets(one)] if isinstance(value, list) else []

    assert all(offset % ALIGNMENT == 0 for offset in offsets(text["charts"]))


def test_nan_and_infinity_travel_inside_arrays() -> None:
    y = np.array([1, np.nan, np.inf, -np.inf], np.float32)
    _, charts = decode(encode({}, {"loss": {"data": [{"y": y}], "layout": {}}}))
    np.testing.assert_array_equal(charts["loss"]["data"][0]["y"], y)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_outside_arrays_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({}, {"loss": {"data": [], "layout": {"range": [0, bad]}}})
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"speed": bad}, {})


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.arange(5), "int32"),
        (np.array([2**40]), "float64"),
        (np.array([2**40], np.uint64), "float64"),
        (np.ones(3, np.float16), "float32"),
        (np.arange(4, dtype=">f4"), "float32"),
        (np.arange(12.0).reshape(3, 4).T, "float64"),
        (np.arange(12, dtype=np.float32)[::3], "float32"),
    ],
)
def test_arrays_become_the_types_that_a_browser_has(array: NDArray[np.generic], dtype: str) -> None:
    _, charts = decode(encode({}, {"a": {"data": [{"x": array}], "layout": {}}}))
    got = charts["a"]["data"][0]["x"]
    assert got.dtype.name == dtype
    np.testing.assert_array_equal(got, array)


def test_numpy_scalars_and_arrays_of_text_become_json() -> None:
    spec = {"data": [{"name": np.array(["a", "b"]), "size": np.float32(2.5), "count": np.int64(3)}], "layout": {}}
    _, charts = decode(encode({}, {"a": spec}))
    assert charts["a"]["data"][0] == {"name": ["a", "b"], "size": 2.5, "count": 3}


def test_what_no_browser_understands_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        encode({}, {"a": {"data": [{"x": object()}], "layout": {}}})
    with pytest.raises(TypeError, match="complex128"):
        encode({}, {"a": {"data": [{"x": np.ones(2, complex)}], "layout": {}}})


def test_a_joined_frame_equals_one_encoded_at_once() -> None:
    specs = {
        "a": {"data": [{"x": np.arange(3.0)}], "layout": {"title": "ä"}},
        "b": {"data": [{"z": np.arange(6, dtype=np.uint8).reshape(2, 3)}], "layout": {}},
    }
    assert join({"step": 1}, {name: pack(spec) for name, spec in specs.items()}) == encode({"step": 1}, specs)


def test_packed_charts_differ_by_text_and_by_numbers() -> None:
    def packed(title: str, x: float) -> PackedChart:
        return pack({"data": [{"x": np.array([x])}], "layout": {"title": title}})

    assert packed("loss", 1.0) == packed("loss", 1.0)
    assert len({packed("loss", 1.0), packed("Loss", 1.0), packed("loss", 2.0)}) == 3


def test_an_array_that_several_lines_share_is_packed_once() -> None:
    x = np.arange(10.0)
    shared, own = ({"data": [{"x": x}, {"x": other}], "layout": {}} for other in (x, x.copy()))
    assert len(pack(shared).data) == len(pack(own).data) / 2 == 80
    assert_same(decode(encode({}, {"a": shared}))[1]["a"], own)


@pytest.mark.parametrize("frame", [b"", b"BNV0" + bytes(8), b"BNV1\xff\x00\x00\x00{}"])
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match="a frame"):
        decode(frame)


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ("none,batch", "BN before the nonlinearity"),
        ("none,layer", "normalization before the nonlinearity"),
        ("none,noise", "noise before the nonlinearity"),
    ],
)
def test_the_summary_says_what_stands_before_the_nonlinearity(networks: str, said: str) -> None:
    assert f", {said}, " in summary(Settings().replace(networks=tuple(networks.split(","))))


def test_the_summary_says_nothing_of_a_place_where_nothing_has_one() -> None:
    assert "the nonlinearity" not in summary(Settings().replace(networks=("none", "weight")))
