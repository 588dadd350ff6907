"""What each chart shows, against the record."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.config import Axis, View
from bnviz.figures import FIGURES, density
from bnviz.figures.bands import shown_unit
from bnviz.figures.density import densities, mass_below
from bnviz.figures.numbers import nice_range
from bnviz.records import (
    MEASURES,
    QUANTILE_LEVELS,
    Condition,
    Floats,
    Health,
    History,
    Intervention,
    Run,
    ghost_of,
)
from tests.figures import made_up_runs as made_up

LEARNING_RATE = Intervention(600, "learning_rate", 0.5, 2.0)


def traces(spec: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if all(one.get(key) == value for key, value in fields.items())]


def annotations(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in spec["layout"]["annotations"] if one["name"] == name]


def ends(axis: dict[str, Any]) -> tuple[float, float]:
    return axis["autorangeoptions"]["clipmin"], axis["autorangeoptions"]["clipmax"]


# --- accuracy and loss ------------------------------------------------------------------------------------------------


def test_the_accuracy_passes_over_points_that_were_measured_without_it() -> None:
    run = made_up.a_run(60, has_ghost=True)
    accuracy = run.history.accuracy.copy()
    accuracy[1::2] = np.nan
    light = run.replace(history=replace(run.history, accuracy=accuracy))
    lines = [one for one in traces(FIGURES["accuracy"](light, View()), mode="lines") if "earlier" not in one["name"]]
    for k, one in enumerate(lines):
        assert one["x"].tolist() == run.history.step[::2].tolist()
        assert one["y"] == pytest.approx(100 * run.history.accuracy[::2, k])
    assert len(lines) == 2


def test_lines_are_the_record() -> None:
    run = made_up.a_run(60)
    for name, values in (("accuracy", 100 * run.history.accuracy), ("loss", run.history.loss)):
        for k, label in enumerate(("without BN", "with BN")):
            (line,) = traces(FIGURES[name](run, View()), name=label, mode="lines")
            first = 0 if name == "accuracy" else 1  # no loss before the first step
            np.testing.assert_allclose(line["y"], values[first:, k], rtol=1e-6)
            np.testing.assert_array_equal(line["x"], run.history.step[first:])


def test_accuracy_shows_all_of_0_to_100_per_cent() -> None:
    assert ends(FIGURES["accuracy"](made_up.a_run(60), View())["layout"]["yaxis"]) == (0, 100)


@given(st.integers(0, 50), st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_the_loss_axis_holds_every_loss_between_round_ends(seed: int, points: int) -> None:
    run = made_up.a_run(points, seed=seed)
    axis = FIGURES["loss"](run, View())["layout"]["yaxis"]
    low, high = ends(axis)
    assert axis["type"] == "log"
    assert low <= np.nanmin(run.history.loss) <= np.nanmax(run.history.loss) <= high
    assert f"{low:e}"[0] in "125"
    assert f"{high:e}"[0] in "125"


def test_end_labels_name_value_and_network_and_stand_at_the_data() -> None:
    run = made_up.a_run(60)
    for name, height in (("accuracy", 100 * run.history.accuracy[-1]), ("loss", np.log10(run.history.loss[-1]))):
        labels = annotations(FIGURES[name](run, View()), "end-label")
        assert [one["y"] for one in labels] == pytest.approx(height.tolist(), rel=1e-5)
        assert all(one["x"] == pytest.approx(1500) for one in labels)
        assert "without BN" in labels[0]["text"]
        assert "@plain" in labels[0]["text"]
        assert "with BN" in labels[1]["text"]
        assert "@bn" in labels[1]["text"]
    newest = annotations(FIGURES["accuracy"](run, View()), "end-label")[1]["text"]
    assert f"{100 * run.history.accuracy[-1, 1]:.1f}" in newest


def test_a_diverged_competitor_ends_in_a_cross_and_its_label_names_the_step() -> None:
    run = made_up.a_run(60, stopped_at=20, health=(made_up.diverged(500), Health()))
    last = run.history.step[19]
    for name in ("accuracy", "loss"):
        spec = FIGURES[name](run, View())
        (cross,) = [trace for trace in traces(spec, mode="markers") if trace.get("marker", {}).get("symbol") == "x"]
        assert cross["x"] == [last]
        (line,) = traces(spec, name="without BN", mode="lines")
        assert np.isfinite(line["y"]).all()
        assert line["x"][-1] == last
        text = annotations(spec, "end-label")[0]["text"]
        assert "diverged" in text
        assert "step 500" in text


def test_a_stalled_competitor_says_so_at_its_end() -> None:
    run = made_up.a_run(60, health=(made_up.stalled(200), Health()))
    texts = [one["text"] for one in annotations(FIGURES["accuracy"](run, View()), "end-label")]
    assert ["stalled" in text for text in texts] == [True, False]


def test_a_network_that_explodes_does_not_flatten_the_other() -> None:
    run = made_up.a_run(60, stopped_at=20, health=(made_up.diverged(500), Health()))
    history = run.history
    exploded = {}
    for name in ("loss", "bands", "quantiles", "net_displacement"):
        array = getattr(history, name).copy()
        array[15:20, 0] = 1e30
        exploded[name] = array
    run = run.replace(history=replace(history, **exploded))
    for name, most in (("loss", 50), ("drift-bands", 20), ("density", 20), ("drift-distance", 20)):
        low, high = ends(FIGURES[name](run, View())["layout"]["yaxis"])
        assert max(abs(low), abs(high)) <= most, name


# --- ghosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accuracy", "loss", "drift-distance"])
def test_a_ghost_is_thin_faint_beneath_and_named(name: str) -> None:
    spec = FIGURES[name](made_up.a_run(60, layers=1, has_ghost=True), View())
    ghosts = [trace for trace in spec["data"] if trace["name"].startswith("earlier")]
    assert [ghost["line"]["color"] for ghost in ghosts] == ["@plain", "@bn"]
    assert {(ghost["opacity"], ghost["line"]["width"]) for ghost in ghosts} == {(0.55, 1.25)}
    assert spec["data"][: len(ghosts)] == ghosts  # drawn first
    (label,) = annotations(spec, "ghost-label")
    assert "earlier" in label["text"]
    assert 0 <= label["x"] <= 1
    assert 0 <= label["y"] <= 1


def test_a_longer_ghost_is_followed_in_round_steps_ahead_of_the_run() -> None:
    ghost = ghost_of(made_up.a_history(200, 3, steps=2000), "earlier run, lr 0.1")
    seen = []
    for steps in (3, 30, 100, 170, 500, 1500, 3000):
        run = made_up.a_run(20, steps=steps).replace(ghost=ghost)
        spec = FIGURES["accuracy"](run, View())
        end = ends(spec["layout"]["xaxis"])[1]
        assert end >= steps
        assert max(trace["x"][-1] for trace in spec["data"] if trace["name"].startswith("earlier")) <= end
        seen.append(end)
    assert seen == [50, 50, 200, 500, 1000, 2000, 3000]


def test_the_ghost_label_keeps_clear_of_every_line() -> None:
    run = made_up.a_run(120, has_ghost=True)
    spec = FIGURES["accuracy"](run, View())
    (label,) = annotations(spec, "ghost-label")
    for trace in traces(spec, mode="lines"):
        near = np.abs(trace["x"] / 1500 - label["x"]) < 0.1
        assert np.abs(trace["y"][near] / 100 - label["y"]).min() > 0.03


# --- interventions ----------------------------------------------------------------------------------------------------


def test_an_intervention_says_what_changed() -> None:
    (label,) = annotations(FIGURES["loss"](made_up.a_run(60, interventions=(LEARNING_RATE,)), View()), "intervention")
    assert label["text"] == "lr 0.5 → 2"
    assert label["x"] == pytest.approx(600)


def test_many_interventions_keep_their_lines_and_only_labels_that_have_room() -> None:
    dragged = [(600, 0.5, 0.7), (604, 0.7, 1.0), (608, 1.0, 2.0)]
    changes = tuple(Intervention(step, "learning_rate", old, new) for step, old, new in dragged)
    late = (Intervention(1380, "batch_size", 60, 8), Intervention(1480, "momentum", 0, 0.9))
    spec = FIGURES["accuracy"](made_up.a_run(60, interventions=changes + late), View())
    assert [shape["x0"] for shape in spec["layout"]["shapes"]] == pytest.approx([600, 604, 608, 1380, 1480])
    assert [label["text"] for label in annotations(spec, "intervention")] == ["lr 0.5 → 2", "momentum 0 → 0.9"]


def test_over_compute_time_each_network_meets_an_intervention_at_its_own_moment() -> None:
    run = made_up.a_run(61, interventions=(LEARNING_RATE,))
    shapes = FIGURES["accuracy"](run, View(axis=Axis.COMPUTE))["layout"]["shapes"]
    assert [shape["line"]["color"] for shape in shapes] == ["@plain", "@bn"]
    assert [shape["x0"] for shape in shapes] == pytest.approx([600 * 0.5e-3, 600 * 0.9e-3])


# --- bands ------------------------------------------------------------------------------------------------------------


def test_bands_are_the_percentiles_of_the_record() -> None:
    run = made_up.a_run(60)
    spec = FIGURES["drift-bands"](run, View(layer=2, unit=99))
    index = run.history.units[1].tolist().index(99)
    for k, axis in enumerate(("x", "x2")):
        for level, name in enumerate(("15 %", "50 %", "85 %")):
            (line,) = traces(spec, name=name, xaxis=axis)
            np.testing.assert_array_equal(line["y"], run.history.bands[:, k, 1, index, level])
    assert spec["layout"]["title"]["text"] == "Input of unit 99, layer 2"


def test_the_space_between_the_outer_percentiles_is_filled_in_the_networks_colour() -> None:
    spec = FIGURES["drift-bands"](made_up.a_run(60), View())
    below, fill, *_ = traces(spec, xaxis="x2")  # Plotly fills to the trace before
    assert (below["name"], fill["name"], fill["fill"], fill["fillcolor"]) == ("15 %", "85 %", "tonexty", "@bn/0.16")


@pytest.mark.parametrize(("asked", "shown"), [(0, 0), (50, 50), (511, 99)])
def test_the_nearest_kept_unit_is_shown(asked: int, shown: int) -> None:
    run = made_up.a_run(5)
    index, unit = shown_unit(run, View(unit=asked).within(run.settings.model))
    assert abs(unit - shown) <= 1
    assert run.history.units[0, index] == unit


# --- density ----------------------------------------------------------------------------------------------------------


def normal_quantiles(mean: float, deviation: float) -> Floats:
    """Independent of the code under test: sorted draws, as a worker measures them."""
    draws = np.random.default_rng(0).normal(mean, deviation, 200_000)
    return np.quantile(draws, QUANTILE_LEVELS)[None]


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (-3, 0.5), (2, 4)])
def test_the_density_of_a_gaussian_is_a_gaussian(mean: float, deviation: float) -> None:
    edges = np.linspace(mean - 5 * deviation, mean + 5 * deviation, 101)
    (column,) = densities(normal_quantiles(mean, deviation), edges)
    centres = (edges[1:] + edges[:-1]) / 2
    gaussian = np.exp(-(((centres - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    assert np.sum(column * np.diff(edges)) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(column * deviation, gaussian * deviation, atol=0.02)


def test_a_window_of_the_density_holds_its_share_of_the_mass() -> None:
    edges = np.linspace(0, 1, 21)  # from the mean to one standard deviation above: 34.1 %
    (column,) = densities(normal_quantiles(0, 1), edges)
    assert np.sum(column * np.diff(edges)) == pytest.approx(0.3413, abs=0.003)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=len(QUANTILE_LEVELS), max_size=len(QUANTILE_LEVELS)))
@settings(max_examples=40, deadline=None)
def test_a_density_is_never_negative_and_never_more_than_all(values: list[float]) -> None:
    quantiles = np.sort(np.array([values]))
    below = mass_below(quantiles, np.linspace(-1.1e6, 1.1e6, 400))
    assert np.diff(below, axis=1).min() >= -1e-9
    assert below[0, 0] == 0
    assert below[0, -1] == 1


def test_the_distribution_function_passes_through_the_quantiles() -> None:
    quantiles = normal_quantiles(0, 1)
    np.testing.assert_allclose(mass_below(quantiles, quantiles[0]), QUANTILE_LEVELS[None], atol=1e-5)


def test_a_constant_input_has_all_its_mass_in_one_cell() -> None:
    edges = np.linspace(-1, 1, 21)
    (column,) = densities(np.full((1, len(QUANTILE_LEVELS)), 0.32), edges)
    assert np.flatnonzero(column).tolist() == [13]
    assert column[13] * 0.1 == pytest.approx(1)


def test_a_growing_run_has_the_heat_map_that_it_would_have_if_it_were_drawn_for_the_first_time(monkeypatch) -> None:
    remembering = density._REMEMBERED
    whole = [made_up.a_run(500, seed=seed) for seed in (0, 1)]
    for points in (1, 2, 60, 61, 100, 129, 130, 300, 499, 500, 100):
        for run in whole:  # in turn
            run = run.replace(history=first_points(run.history, points))
            monkeypatch.setattr(density, "_REMEMBERED", remembering)
            drawn = traces(FIGURES["density"](run, View()), type="heatmap")
            monkeypatch.setattr(density, "_REMEMBERED", density._Remembered())
            for one, fresh in zip(drawn, traces(FIGURES["density"](run, View()), type="heatmap"), strict=True):
                assert np.array_equal(one["z"], fresh["z"], equal_nan=True)
                assert np.array_equal(one["x"], fresh["x"])


def first_points(history: History, count: int) -> History:
    return replace(history, **{name: getattr(history, name)[:count] for name in MEASURES})


def test_heat_maps_hold_true_densities_at_most_128_columns_and_stop_with_their_network() -> None:
    run = made_up.a_run(500, stopped_at=250, health=(made_up.diverged(700), Health()))
    plain, bn = traces(FIGURES["density"](run, View()), type="heatmap")
    assert bn["z"].shape == (len(bn["y"]), len(bn["x"])) == (72, 126)
    assert plain["x"][-1] <= run.history.step[249]
    assert bn["x"][-1] == 1500
    height = float(bn["y"][1] - bn["y"][0])
    assert (bn["z"].sum(axis=0) * height).min() > 0.9
    assert (bn["z"].sum(axis=0) * height).max() < 1 + 1e-5


# --- drift ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_path", [False, True])
@pytest.mark.parametrize("is_standardised", [False, True])
def test_drift_shows_the_measure_asked_for_layer_by_layer(is_path: bool, is_standardised: bool) -> None:
    run = made_up.a_run(60)
    spec = FIGURES["drift-distance"](run, View(is_path=is_path, is_standardised=is_standardised))
    name = ("standardised_" if is_standardised else "") + ("path_length" if is_path else "net_displacement")
    for layer, axis in enumerate(("x", "x2", "x3")):
        for k, label in enumerate(("without BN", "with BN")):
            (line,) = traces(spec, name=label, mode="lines", xaxis=axis)
            np.testing.assert_array_equal(line["y"], getattr(run.history, name)[:, k, layer])
    assert [one["text"] for one in annotations(spec, "panel-heading")] == ["layer 1", "layer 2", "layer 3"]
    assert ("standardised" in spec["layout"]["title"]["text"]) == is_standardised
    assert ("path" in spec["layout"]["title"]["text"]) == is_path


def test_many_layers_become_the_chosen_one_over_time_and_all_of_them_over_depth() -> None:
    run = made_up.a_run(60, layers=20)
    spec = FIGURES["drift-distance"](run, View(layer=12))
    (over_time,) = traces(spec, name="with BN", mode="lines")
    np.testing.assert_array_equal(over_time["y"], run.history.net_displacement[:, 1, 11])
    (over_depth,) = traces(spec, name="with BN", mode="lines+markers")
    np.testing.assert_allclose(over_depth["y"], run.history.net_displacement[-1, 1])
    assert over_depth["x"].tolist() == list(range(1, 21))
    assert spec["layout"]["meta"]["time_axes"] == ["xaxis"]


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_standardised", [False, True])
def test_gradients_show_counts_at_step_0_and_now(is_standardised: bool) -> None:
    run = made_up.a_run(60)
    spec = FIGURES["gradient-histogram"](run, View(layer=2, is_gradient_standardised=is_standardised))
    for panel, gradients in (("x", run.gradients_at_start), ("x2", run.gradients_now)):
        assert gradients is not None
        counts = gradients.standardised_counts if is_standardised else gradients.counts
        for k, label in enumerate(("without BN", "with BN")):
            (outline,) = traces(spec, name=label, xaxis=panel)
            np.testing.assert_array_equal(outline["customdata"], counts[k, 1])
            np.testing.assert_array_equal(outline["y"], np.maximum(counts[k, 1], 0.5))
    assert [one["text"] for one in annotations(spec, "panel-heading")] == ["step 0", "step 1,500"]
    assert spec["layout"]["yaxis"]["type"] == "log"
    low, high = ends(spec["layout"]["xaxis"])
    assert low == -high


# --- contour ----------------------------------------------------------------------------------------------------------


def test_contours_hold_the_loss_and_say_how_much_of_the_path_they_hold() -> None:
    run = made_up.a_run(60)
    assert run.contour is not None
    spec = FIGURES["loss-contour"](run, View())
    for k, plane in enumerate(traces(spec, type="contour")):
        np.testing.assert_allclose(10 ** plane["z"], run.contour.loss[k], rtol=1e-5)
        np.testing.assert_array_equal(plane["customdata"], run.contour.loss[k])
    assert "90\N{NO-BREAK SPACE}% of the path without BN, 88" in spec["layout"]["meta"]["finding"]
    assert "batch statistics" in spec["layout"]["meta"]["finding"]


def test_what_is_not_finite_on_a_plane_is_shown_as_such() -> None:
    run = made_up.a_run(60)
    assert run.contour is not None
    loss = run.contour.loss.copy()
    loss[0, 3, 5], loss[0, 4, 5] = np.inf, np.nan
    spec = FIGURES["loss-contour"](run.replace(contour=replace(run.contour, loss=loss)), View())
    (overflow,) = traces(spec, name="overflow")
    assert np.argwhere(overflow["z"] == 1).tolist() == [[3, 5]]
    assert np.isnan(overflow["z"][4, 5])  # not computed yet, which is something else
    assert "overflows at 1 point without BN" in spec["layout"]["meta"]["finding"]
    plane = traces(spec, type="contour")[0]
    assert np.argwhere(np.isnan(plane["z"])).tolist() == [[3, 5], [4, 5]]


def test_the_path_ends_at_the_present_weights() -> None:
    run = made_up.a_run(60, interventions=(LEARNING_RATE,))
    assert run.contour is not None
    spec = FIGURES["loss-contour"](run, View())
    walk = next(trace for trace in traces(spec, name="with BN", mode="lines") if "customdata" in trace)
    np.testing.assert_allclose([walk["x"], walk["y"]], run.contour.path[1].T)
    assert {one["text"] for one in annotations(spec, "path-label")} == {"start", "now"}
    diamonds = [trace for trace in spec["data"] if trace.get("marker", {}).get("symbol") == "diamond"]
    assert len(diamonds) == 2


# --- health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 3, 20])
def test_health_shows_the_newest_share_and_ratio_of_every_layer(layers: int) -> None:
    run = made_up.a_run(60, layers=layers)
    spec = FIGURES["health"](run, View())
    for k, label in enumerate(("without BN", "with BN")):
        (shares,) = traces(spec, name=label, yaxis="y")
        (ratios,) = traces(spec, name=label, yaxis="y2")
        np.testing.assert_allclose(shares["y"], 100 * run.history.saturated[-1, k])
        np.testing.assert_allclose(ratios["y"], run.history.update_ratio[-1, k])
        assert len(ratios["x"]) == layers + 1


def test_dead_units_appear_when_there_are_any() -> None:
    run = made_up.a_run(60)
    assert not [
        one for one in FIGURES["health"](run, View())["data"] if one.get("marker", {}).get("symbol") == "x-thin"
    ]
    dead = run.history.dead.copy()
    dead[-1, 0, 2] = 0.25
    spec = FIGURES["health"](run.replace(history=replace(run.history, dead=dead)), View())
    (cross,) = crosses(spec)
    assert (cross["x"].tolist(), cross["y"].tolist()) == ([3.0], [25.0])
    assert "dead units: 8" in spec["layout"]["meta"]["finding"]


def crosses(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one.get("marker", {}).get("symbol") == "x-thin"]


# --- axes -------------------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
@settings(max_examples=40, deadline=None)
def test_nice_ranges_hold_what_they_are_given(low: float, width: float) -> None:
    bottom, top = nice_range(low, low + width)
    slack = 1e-6 * max(abs(low), width, 1)
    assert bottom <= low + slack
    assert top >= low + width - slack
    assert bottom < top


def test_growing_data_move_an_axis_seldom_and_never_back() -> None:
    """Over 1,500 steps, drawn every 10."""
    whole: Run = made_up.a_run(150)
    seen: list[tuple[float, float]] = []
    for points in range(2, 151):
        history = made_up.a_history(150, 3)
        cut = {name: getattr(history, name)[:points] for name in vars(history) if name not in ("competitors", "units")}
        spec = FIGURES["drift-bands"](whole.replace(history=replace(history, **cut)), View())
        seen.append(ends(spec["layout"]["yaxis"]))
    changes = [(a, b) for a, b in pairwise(seen) if a != b]
    assert len(changes) <= 8
    assert all(b[0] <= a[0] and b[1] >= a[1] for a, b in changes)


def test_a_condition_without_a_step_is_still_drawn() -> None:
    run = made_up.a_run(30, health=(Health(Condition.DIVERGED), Health(Condition.STALLED)))
    for figure in FIGURES.values():
        assert figure(run, View())["data"]
