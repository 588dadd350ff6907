"""Which plotly.js a page draws with: all of it where there are surfaces, else the bundle that is ready sooner."""

import ast
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

import bnviz.figures
from bnviz.figures import FIGURES, SOLID
from bnviz.live import library
from bnviz.live.library import ALL, CARTESIAN, library_for


@pytest.fixture(autouse=True)
def _looked_at_anew() -> Iterator[None]:
    library.has_bundle.cache_clear()
    yield
    library.has_bundle.cache_clear()


def test_only_a_page_with_surfaces_needs_all_of_it() -> None:
    assert set(FIGURES) >= SOLID
    assert library_for(["accuracy", "loss"]) == library_for(set(FIGURES) - SOLID) == CARTESIAN
    assert library_for(["landscape", "landscape-cut"]) == ALL


# What the bundle draws, and what else a spec says the type of.
TRACES = {
    "bar", "box", "contour", "heatmap", "histogram", "histogram2d", "histogram2dcontour", "image", "pie", "scatter",
    "scatterternary", "violin",
}  # fmt: skip
OTHERS = {"category", "circle", "data", "date", "line", "linear", "log", "path", "percent", "rect"}
FLAT = sorted(one for one in Path(bnviz.figures.__file__).parent.glob("*.py") if one.stem != "landscape_surface")


@pytest.mark.parametrize("file", FLAT, ids=lambda one: one.stem)
def test_a_chart_that_does_not_ask_for_all_of_it_draws_what_the_bundle_knows(file: Path) -> None:
    """A new kind of trace, such as scatterpolar, has its chart named in SOLID."""
    entries = [
        value.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "type" and isinstance(value, ast.Constant)
    ]
    assert set(entries) <= TRACES | OTHERS


def test_the_bundle_has_the_version_of_the_installed_package() -> None:
    assert library.plotly_version() > "4"
    assert library.has_bundle(), "assets/plotly holds another version: README.md says how to get the bundle of this one"
    text = gzip.decompress(library.compressed(CARTESIAN))
    assert len(text) < len(gzip.decompress(library.compressed(ALL))) / 3


OLDER = gzip.compress(b"/**\n* plotly.js (cartesian - minified) v1.0.0")


@pytest.mark.parametrize(
    "content", [None, b"damaged", OLDER, OLDER[:20]], ids=["none", "damaged", "older", "cut short"]
)
def test_without_a_bundle_of_this_version_all_of_it_is_used(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.js.gz"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setattr(library, "BUNDLE", bundle)
    assert library_for(["accuracy"]) == ALL
