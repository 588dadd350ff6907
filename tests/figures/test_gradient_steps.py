"""Histograms of gradients at any step that was kept, against the record."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.config import TWINS, WITH_NOISE, View
from bnviz.config.view import NEWEST
from bnviz.figures import resolve
from bnviz.figures.gradient_bins import rebinned, size
from bnviz.figures.gradient_layers import MOST_PANELS, gradient_layers, panels_of
from bnviz.figures.gradient_steps import MOST_LINES, MOST_RIDGES, gradient_steps
from bnviz.records import Gradients, Health, Run
from tests.figures import made_up_runs as made_up
from tests.figures.test_every_figure import arrays, without_arrays

FIGURES = {"gradient-layers": gradient_layers, "gradient-steps": gradient_steps}
FOUR = WITH_NOISE


def traces(spec: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if all(one.get(key) == value for key, value in fields.items())]


def annotations(spec: dict[str, Any], name: str) -> list[str]:
    return [one["text"] for one in spec["layout"]["annotations"] if one["name"] == name]


@cache  # drawing the gradients of twenty layers takes seconds
def a_run(layers: int, competitors: Any) -> Run:
    run = made_up.a_run(5, layers, competitors=competitors, has_contour=False)
    return run.replace(gradients=run.gradients[:4])


def a_run_with_steps(steps: Any, layers: int = 3, competitors: Any = TWINS) -> Run:
    records = tuple(made_up.gradients(int(one), layers, seed, len(competitors)) for seed, one in enumerate(steps))
    return made_up.a_run(60, layers, competitors=competitors, has_gradients=False).replace(gradients=records)


def stopped(one: Gradients, k: int) -> Gradients:
    """As a worker records a competitor that has diverged."""
    changes = {}
    for name in vars(one):
        value = getattr(one, name)
        if name not in ("step", "edges"):
            changes[name] = value.astype(np.float64)
            changes[name][k] = 0 if "counts" in name else np.nan
    return replace(one, **changes)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
@pytest.mark.parametrize("layers", [1, 3, 20])
def test_every_run_gives_a_valid_figure(name: str, competitors: Any, layers: int) -> None:
    run = a_run(layers, competitors)
    ended = run.replace(gradients=(run.gradients[0], *(stopped(one, 0) for one in run.gradients[1:])))
    diverged = ended.replace(status=replace(run.status, health=(made_up.diverged(30), *[Health()] * 3)))
    every = ended.replace(gradients=tuple(stopped(stopped(one, 0), 1) for one in run.gradients))
    for one in (run, diverged, every, run.replace(gradients=run.gradients[:1]), run.replace(gradients=())):
        for view in (View(layer=2), View(is_offset=False, is_gradient_standardised=True, step=700)):
            spec = FIGURES[name](one, view)
            go.Figure(resolve(spec, "dark"))
            text = json.dumps(without_arrays(spec), allow_nan=False)
            assert "@" not in json.dumps(without_arrays(resolve(spec, "light")))
            assert {array.dtype.name for array in arrays(spec)} <= {"float32", "float64", "uint8"}
            assert all(np.isfinite(array).all() for array in arrays(spec))
            meta = spec["layout"]["meta"]
            assert meta["chart"] == name
            assert meta["how"].endswith(".")
            assert all("nan" not in words.lower().split() for words in (text, meta["alt"], meta["finding"]))


@pytest.mark.parametrize("figure", FIGURES.values())
def test_before_anything_is_measured_the_chart_says_so(figure: Any) -> None:
    spec = figure(made_up.a_run(0, has_gradients=False), View())
    assert all(trace["name"] == "axis-ends" for trace in spec["data"])
    assert annotations(spec, "note") == ["The gradients are not measured yet."]
    meta = spec["layout"]["meta"]
    assert meta["finding"] == ""
    assert "scrub" not in meta


@pytest.mark.parametrize("figure", FIGURES.values())
@pytest.mark.parametrize(("asked", "shown"), [(0, 0), (NEWEST, 1500), (49, 0), (51, 100), (130, 100), (9999, 1500)])
def test_the_nearest_kept_step_is_shown(figure: Any, asked: int, shown: int) -> None:
    run = a_run_with_steps([0, 100, 1000, 1500])
    meta = figure(run, View(step=asked))["layout"]["meta"]
    assert meta["scrub"]["values"] == [0, 100, 1000, 1500]
    assert meta["scrub"]["value"] == shown
    assert f"{shown:,}" in meta["finding"]


@pytest.mark.parametrize("figure", FIGURES.values())
def test_moving_through_the_steps_keeps_the_zoom(figure: Any) -> None:
    run = a_run_with_steps([0, 100, 1000])
    early, late = (figure(run, View(step=step))["layout"]["uirevision"] for step in (0, 1000))
    assert early == late
    assert figure(run, View(is_gradient_standardised=True))["layout"]["uirevision"] != late


@pytest.mark.parametrize("figure", FIGURES.values())
@pytest.mark.parametrize("is_offset", [False, True])
def test_panels_share_their_axes(figure: Any, is_offset: bool) -> None:
    layout = figure(a_run_with_steps([0, 100], competitors=FOUR), View(is_offset=is_offset))["layout"]
    axes = {key: axis for key, axis in layout.items() if key[1:5] == "axis"}
    assert len(axes) == 8
    for key, axis in axes.items():
        assert axis["autorangeoptions"] == axes[f"{key[0]}axis"]["autorangeoptions"]
        assert key in ("xaxis", "yaxis") or axis["matches"] == key[0]


# --- every layer at one step ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_standardised", [False, True])
def test_each_panel_holds_the_counts_of_its_weight_matrix(is_standardised: bool) -> None:
    run = a_run_with_steps([0, 100, 1000])
    spec = gradient_layers(run, View(step=100, is_gradient_standardised=is_standardised))
    record = run.gradients[1]
    counts = record.standardised_counts if is_standardised else record.counts
    for w, panel in enumerate(("x", "x2", "x3", "x4")):
        for k, label in enumerate(("without BN", "with BN")):
            (outline,) = traces(spec, name=label, xaxis=panel, mode="lines")
            np.testing.assert_array_equal(outline["customdata"], counts[k, w])
    assert annotations(spec, "panel-heading") == ["layer 1", "layer 2", "<b>layer 3</b>", "output"]


def test_symbols_mark_the_smallest_and_the_largest_gradient() -> None:
    run = a_run_with_steps([0])
    for k, (label, symbol) in enumerate((("without BN", "square"), ("with BN", "circle"))):
        (ends,) = traces(gradient_layers(run, View()), name=label, xaxis="x2", mode="markers")
        full = np.flatnonzero(run.gradients[0].counts[k, 1])
        edges = run.gradients[0].edges[1]
        np.testing.assert_allclose(ends["x"], [(edges[b] + edges[b + 1]) / 2 for b in full[[0, -1]]], rtol=1e-5)
        assert ends["marker"]["symbol"] == symbol


@given(st.integers(1, 21), st.integers(1, 20))
@settings(max_examples=80, deadline=None)
def test_at_most_eight_panels_with_the_first_the_chosen_and_the_output_layer(matrices: int, layer: int) -> None:
    layer = min(layer, max(matrices - 1, 1))
    shown = panels_of(matrices, layer)
    assert shown == sorted(set(shown))
    assert len(shown) == min(matrices, MOST_PANELS)
    assert {0, layer - 1, matrices - 1} <= set(shown)


def test_a_competitor_that_has_stopped_has_no_outline_and_its_name_says_why() -> None:
    run = a_run_with_steps([0, 100])
    run = run.replace(
        gradients=(run.gradients[0], stopped(run.gradients[1], 0)),
        status=replace(run.status, health=(made_up.diverged(50), Health())),
    )
    now = gradient_layers(run, View())
    assert not traces(now, name="without BN")
    assert traces(now, name="with BN")
    assert "diverged" in annotations(now, "key")[0]
    assert traces(gradient_layers(run, View(step=0)), name="without BN")


# --- one layer over steps ---------------------------------------------------------------------------------------------


def rows(spec: dict[str, Any], panel: str = "x") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in traces(spec, xaxis=panel) if one["name"] != "axis-ends"}


def test_ridges_stand_one_behind_the_other_and_hold_the_counts() -> None:
    run = a_run_with_steps([0, 100, 1000])
    spec = gradient_steps(run, View(layer=2))
    for k, panel in enumerate(("x", "x2")):
        lines = rows(spec, panel)
        assert [lines[f"step {one}"]["y"][0] for one in ("0", "100", "1,000")] == [2, 1, 0]
        for record in run.gradients:
            line = lines[f"step {record.step:,}"]
            assert np.sum(line["customdata"]) == pytest.approx(record.counts[k, 1].sum(), rel=1e-3)
            assert np.all(np.diff(line["x"]) >= 0)


def test_overlaid_lines_are_the_counts_on_a_logarithmic_axis() -> None:
    spec = gradient_steps(a_run_with_steps([0, 100, 1000]), View(layer=2, is_offset=False))
    assert spec["layout"]["yaxis"]["type"] == "log"
    for line in rows(spec).values():
        np.testing.assert_allclose(line["y"], np.maximum(line["customdata"], 0.5))


@pytest.mark.parametrize("is_offset", [False, True])
def test_the_step_shown_is_drawn_heavier_and_on_top(is_offset: bool) -> None:
    spec = gradient_steps(a_run_with_steps([0, 100, 1000]), View(step=100, is_offset=is_offset))
    widths = {name: line["line"]["width"] for name, line in rows(spec).items()}
    assert list(widths)[-1] == "step 100"
    assert widths["step 100"] > widths["step 0"] == widths["step 1,000"]
    strength = {name: float(line["line"]["color"].split("/")[1]) for name, line in rows(spec).items()}
    assert strength["step 0"] < strength["step 1,000"] <= strength["step 100"] == 1


@pytest.mark.parametrize("is_offset", [False, True])
def test_of_many_steps_some_are_drawn_with_the_first_the_newest_and_the_one_shown(is_offset: bool) -> None:
    run = a_run_with_steps(np.arange(0, 7500, 50), layers=1)
    names = list(rows(gradient_steps(run, View(layer=1, step=4950, is_offset=is_offset))))
    assert MOST_LINES - 5 <= len(names) <= (MOST_RIDGES[1] if is_offset else MOST_LINES)
    assert {"step 0", "step 4,950", "step 7,450"} <= set(names)


def test_a_growing_run_keeps_most_of_its_lines() -> None:
    run = a_run_with_steps(np.arange(0, 7500, 50), layers=1)
    before = set(rows(gradient_steps(run.replace(gradients=run.gradients[:100]), View(layer=1))))
    after = set(rows(gradient_steps(run.replace(gradients=run.gradients[:101]), View(layer=1))))
    assert len(before - after) <= 1


def test_the_finding_compares_the_step_shown_with_the_first() -> None:
    run = a_run_with_steps([0, 500])
    std = np.full((2, 4), 0.002)
    std[1] = 0.0041
    first, last = replace(run.gradients[0], std=std), replace(run.gradients[1], std=std / 2)
    run = run.replace(gradients=(first, last))
    finding = gradient_steps(run, View())["layout"]["meta"]["finding"]
    expected = "standard deviation 0.0020 → 0.0010 without BN, 0.0041 → 0.0020 with it"
    assert finding in (
        f"from step 0 to 500, {expected}",
        f"from step 0 to 500, {expected.replace('0.0020 with', '0.0021 with')}",
    )
    at_first = gradient_steps(run, View(step=0))["layout"]["meta"]["finding"]
    assert at_first == "step 0, standard deviation 0.0020 without BN, 0.0041 with it"


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=40), st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_other_bins_hold_the_same_counts(counts: list[int], bins: int) -> None:
    edges = np.linspace(-1, 1, len(counts) + 1)
    spread = rebinned(np.array(counts), edges, np.linspace(-2, 2, bins + 1))
    assert spread.sum() == pytest.approx(sum(counts))
    np.testing.assert_allclose(rebinned(np.array(counts), edges, edges), counts, atol=1e-9)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0008, "0.00080"), (0.0997, "0.10"), (0.0052, "0.0052"), (0, "0"), (2e-7, "2.0×10⁻⁷"), (0.00099999, "0.0010")],
)
def test_sizes_have_two_digits(value: float, text: str) -> None:
    assert size(value) == text
