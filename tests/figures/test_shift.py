"""Internal covariate shift as a chart, against the record."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import BN, PLAIN, TWINS, WITH_NOISE, Axis, Competitor, ShiftMeasure, View
from bnviz.figures import resolve
from bnviz.figures.shift import covariate_shift, running_median, window_of
from bnviz.records import Health, Intervention, Run, Shift
from tests.figures import made_up_runs as made_up
from tests.figures.test_every_figure import without_arrays

FOUR = WITH_NOISE


def a_run(points: int = 60, layers: int = 3, competitors: tuple[Competitor, ...] = FOUR, **options: Any) -> Run:
    given: dict[str, Any] = {"health": (Health(),) * len(competitors), "has_shift": True} | options
    return made_up.a_run(points, layers, competitors=competitors, **given)


def shown(spec: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if all(one.get(key) == value for key, value in fields.items())]


def lines(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return shown(spec, mode="lines")


def notes(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in spec["layout"]["annotations"] if one["name"] == name]


def texts_of(spec: dict[str, Any], name: str) -> list[str]:
    return [one["text"] for one in notes(spec, name)]


def is_valid(spec: dict[str, Any]) -> None:
    """What test_every_figure asks of every chart."""
    for theme in ("light", "dark"):
        go.Figure(resolve(spec, theme))
    text = json.dumps(without_arrays(spec), allow_nan=False)
    meta = spec["layout"]["meta"]
    assert meta["alt"].endswith(".")
    assert meta["how"].endswith(".")
    assert all("nan" not in words.lower().split() for words in (text, meta["alt"], meta["finding"]))


def stopped(shift: Shift, step: int, k: int = 0) -> Shift:
    """The record of a competitor that stopped at a step: NaN from then on."""
    if shift.step < step:
        return shift
    fields = {name: getattr(shift, name).copy() for name in ("change", "relative", "cosine")}
    for array in fields.values():
        array[k] = np.nan
    return replace(shift, **fields)


@pytest.mark.parametrize("measure", list(ShiftMeasure))
@pytest.mark.parametrize("layers", [1, 3, 20])
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
def test_every_spec_is_a_valid_figure(measure: ShiftMeasure, layers: int, competitors: tuple[Competitor, ...]) -> None:
    for points in (0, 1, 2, 60):
        is_valid(covariate_shift(a_run(points, layers, competitors), View(shift_measure=measure)))


def test_without_measurements_there_are_axes_and_a_note_and_no_finding() -> None:
    for points in (0, 60):
        spec = covariate_shift(a_run(points, has_shift=False), View())
        assert {trace["name"] for trace in spec["data"]} == {"axis-ends"}
        assert len(spec["layout"]["meta"]["time_axes"]) == 3
        assert spec["layout"]["meta"]["finding"] == ""
        assert texts_of(spec, "note") == ["Not measured yet."]


@pytest.mark.parametrize(
    ("layers", "headings"),
    [
        (1, ["layer 2, output"]),
        (3, ["layer 2", "layer 3", "layer 4, output"]),
        (20, ["layer 2", "layer 8", "layer 15", "layer 21, output"]),
    ],
)
def test_panels_begin_with_layer_2_and_end_with_the_output_layer(layers: int, headings: list[str]) -> None:
    spec = covariate_shift(a_run(layers=layers), View())
    assert texts_of(spec, "panel-heading") == headings
    assert "Layer 1" in spec["layout"]["meta"]["how"]


@pytest.mark.parametrize("measure", list(ShiftMeasure))
def test_dots_are_the_record_of_the_measure_asked_for(measure: ShiftMeasure) -> None:
    run = a_run()
    spec = covariate_shift(run, View(shift_measure=measure))
    dots = [one for one in shown(spec, mode="markers") if one["name"].startswith("single steps")]
    assert len(dots) == 3 * 4
    for panel in range(3):
        for k in range(4):
            one = dots[4 * panel + k]
            np.testing.assert_array_equal(one["x"], [shift.step for shift in run.shift])
            np.testing.assert_allclose(one["y"], [getattr(shift, measure)[k, panel + 1] for shift in run.shift])


def test_the_line_is_the_median_of_the_nearest_measurements() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 1, 40)
    medians = running_median(values, 5)
    for at in range(40):
        nearest = min(max(at - 2, 0), 35)
        assert medians[at] == np.median(values[nearest : nearest + 5])


def test_the_median_passes_over_what_is_not_finite() -> None:
    values = np.array([1.0, np.nan, 3.0, 2.0, np.inf, np.nan])
    medians = running_median(values, 3)
    np.testing.assert_array_equal(medians, [2, np.nan, 2, 2, np.nan, np.nan])
    assert np.isnan(running_median(np.full(4, np.nan), 3)).all()


@pytest.mark.parametrize(("measurements", "window"), [(0, 1), (1, 1), (2, 1), (3, 3), (30, 3), (60, 7), (500, 15)])
def test_the_window_of_the_median_grows_with_the_run_and_is_odd(measurements: int, window: int) -> None:
    assert window_of(measurements) == window


def test_norms_have_a_logarithmic_axis_and_the_cosine_a_linear_one() -> None:
    run = a_run()
    for measure in (ShiftMeasure.CHANGE, ShiftMeasure.RELATIVE):
        assert covariate_shift(run, View(shift_measure=measure))["layout"]["yaxis"]["type"] == "log"
    axis = covariate_shift(run, View(shift_measure=ShiftMeasure.COSINE))["layout"]["yaxis"]
    assert "type" not in axis
    assert axis["autorangeoptions"] == {"clipmin": 0.0, "clipmax": 1.0}


def test_a_cosine_below_0_has_its_place() -> None:
    run = a_run()
    turned = replace(run.shift[3], cosine=-run.shift[3].cosine)
    spec = covariate_shift(run.replace(shift=(*run.shift[:3], turned)), View(shift_measure=ShiftMeasure.COSINE))
    assert spec["layout"]["yaxis"]["autorangeoptions"] == {"clipmin": -1.0, "clipmax": 1.0}


def test_panels_share_their_axes() -> None:
    layout = covariate_shift(a_run(), View())["layout"]
    for number in ("2", "3"):
        for name in ("xaxis", "yaxis"):
            assert layout[name + number]["matches"] == name[0]
            assert layout[name + number]["autorangeoptions"] == layout[name]["autorangeoptions"]


def test_a_stopped_competitor_ends_in_a_cross_where_it_stopped() -> None:
    run = a_run(health=(made_up.diverged(500), Health(), Health(), Health()))
    run = run.replace(shift=tuple(stopped(one, 500) for one in run.shift))
    spec = covariate_shift(run, View())
    is_valid(spec)
    last = max(one.step for one in run.shift if one.step < 500)
    crosses = [one for one in shown(spec, mode="markers") if one["marker"].get("symbol") == "x"]
    assert [list(one["x"]) for one in crosses] == [[last]] * 3
    assert "×" in next(text for text in texts_of(spec, "end-label") if "without BN" in text)


def test_values_that_overflow_stretch_no_axis_and_break_no_chart() -> None:
    run = a_run()
    blown = replace(run.shift[5], change=np.full((4, 4), np.inf), relative=np.full((4, 4), 1e30))
    with_overflow = run.replace(shift=(*run.shift[:5], blown, *run.shift[6:]))
    for measure in ShiftMeasure:
        spec, usual = (covariate_shift(one, View(shift_measure=measure)) for one in (with_overflow, run))
        is_valid(spec)
        high = spec["layout"]["yaxis"]["autorangeoptions"]["clipmax"]
        assert high <= 20 * usual["layout"]["yaxis"]["autorangeoptions"]["clipmax"]


def test_a_shift_of_0_has_no_place_on_a_logarithmic_axis() -> None:
    run = a_run(competitors=TWINS)
    still = tuple(replace(one, change=one.change * np.array([[0.0], [1.0]])) for one in run.shift)
    spec = covariate_shift(run.replace(shift=still), View())
    is_valid(spec)
    assert {one["name"] for one in lines(spec)} == {"with BN"}


def test_the_axis_over_time_is_the_one_asked_for() -> None:
    run = a_run()
    factors = {Axis.STEPS: 1.0, Axis.IMAGES: 60.0, Axis.COMPUTE: 0.5e-3}
    for axis, factor in factors.items():
        spec = covariate_shift(run, View(axis=axis))
        line = lines(spec)[0]
        np.testing.assert_allclose(line["x"], factor * np.array([one.step for one in run.shift]), rtol=1e-6)
        assert spec["layout"]["meta"]["x"] == texts_of(spec, "x-unit")[0]


def test_an_intervention_marks_every_panel() -> None:
    run = a_run(interventions=(Intervention(600, "learning_rate", 0.5, 2.0),))
    marks = [one for one in covariate_shift(run, View())["layout"]["shapes"] if one["name"] == "intervention"]
    assert {one["xref"] for one in marks} == {"x", "x2", "x3"}
    assert {one["x0"] for one in marks} == {600.0}


def test_the_last_panel_names_every_network_beside_its_line() -> None:
    labels = notes(covariate_shift(a_run(), View()), "end-label")
    assert {one["xref"] for one in labels} == {"x3"}
    assert ["@" + one.name in label["text"] for one, label in zip(FOUR, labels, strict=True)] == [True] * 4


def test_the_finding_is_the_ratio_in_each_layer_of_this_run() -> None:
    run = a_run(competitors=TWINS)
    change = np.array([[0.0, 1.0, 1.0, 1.0], [0.0, 3.0, 0.25, 1.0]])
    run = run.replace(shift=tuple(replace(one, change=change) for one in run.shift))
    finding = covariate_shift(run, View())["layout"]["meta"]["finding"]
    assert finding == (
        "‖G − G′‖ with BN ÷ without BN: × 3.0 in layer 2, ÷ 4.0 in layer 3, × 1.0 in the output layer "
        "(median of 30 measurements)"
    )


def test_the_finding_follows_the_labels() -> None:
    run = a_run(competitors=TWINS)
    finding = covariate_shift(run, View())["layout"]["meta"]["finding"]
    swapped = run.replace(history=replace(run.history, competitors=(BN, PLAIN)))
    other = covariate_shift(swapped, View())["layout"]["meta"]["finding"]
    assert other.split("BN: ")[1] == finding.split("BN: ")[1].translate(str.maketrans("×÷", "÷×"))
