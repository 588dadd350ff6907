"""One number a weight matrix: over time and over depth, against the record."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import TWINS, WITH_NOISE, Axis, BnPlacement, View
from bnviz.figures import resolve
from bnviz.figures.layer_measures import gradient_norm, scale_invariance, update_ratio, weight_norm
from bnviz.records import Health, Intervention, Run
from tests.figures import made_up_runs as made_up
from tests.figures.test_every_figure import arrays, without_arrays
from tests.figures.test_gradient_steps import annotations, stopped, traces

FIGURES = {
    "gradient-norm": gradient_norm,
    "update-ratio": update_ratio,
    "weight-norm": weight_norm,
    "scale-invariance": scale_invariance,
}
OF_GRADIENTS = {"gradient-norm": "norm", "weight-norm": "weight_norm", "scale-invariance": "radial"}
FOUR = WITH_NOISE


@cache  # drawing the gradients of twenty layers takes seconds
def a_run(layers: int, competitors: Any) -> Run:
    return made_up.a_run(12, layers, competitors=competitors, has_contour=False)


def a_diverged_run(layers: int = 3, competitors: Any = TWINS) -> Run:
    """The first competitor has stopped after the second record of gradients, and its history as well."""
    run = a_run(layers, competitors)
    health = (made_up.diverged(300), *[Health()] * (len(competitors) - 1))
    return run.replace(
        history=made_up.stop(run.history, 0, 3),
        status=replace(run.status, health=health),
        gradients=(*run.gradients[:2], *(stopped(one, 0) for one in run.gradients[2:])),
    )


def with_values(run: Run, field: str, values: Any) -> Run:
    """The same run with these numbers in its records of gradients. values: [m, k, w]"""
    changes: list[dict[str, Any]] = [{field: np.array(value, np.float64)} for value in values]
    return run.replace(gradients=tuple(replace(one, **v) for one, v in zip(run.gradients, changes, strict=False)))


def over_time(spec: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = traces(spec, name=label, mode="lines")
    return found


def over_depth(spec: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = traces(spec, name=label, mode="lines+markers")
    return found


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
@pytest.mark.parametrize("layers", [1, 3, 20])
def test_every_run_gives_a_valid_figure(name: str, competitors: Any, layers: int) -> None:
    run, nothing = a_run(layers, competitors), made_up.a_run(0, layers, competitors=competitors, has_gradients=False)
    first = run.replace(gradients=run.gradients[:1])
    for one in (run, a_diverged_run(layers, competitors), nothing, first):
        for view in (View(layer=2), View(layer=20, axis=Axis.COMPUTE)):
            spec = FIGURES[name](one, view)
            go.Figure(resolve(spec, "dark"))
            text = json.dumps(without_arrays(spec), allow_nan=False)
            assert "@" not in json.dumps(without_arrays(resolve(spec, "light")))
            assert {array.dtype.name for array in arrays(spec)} <= {"float32", "float64", "uint8"}
            meta = spec["layout"]["meta"]
            assert (meta["chart"], meta["time_axes"]) == (name, ["xaxis"])
            assert meta["how"].endswith(".")
            assert all("nan" not in words.lower().split() for words in (text, meta["alt"], meta["finding"]))


@pytest.mark.parametrize("name", FIGURES)
def test_before_anything_is_measured_the_chart_says_so(name: str) -> None:
    spec = FIGURES[name](made_up.a_run(0, has_gradients=False), View())
    assert all(trace["name"] == "axis-ends" for trace in spec["data"])
    assert annotations(spec, "note") == ["Nothing is measured yet."]
    assert spec["layout"]["meta"]["finding"] == ""


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_lines_and_profiles_are_the_record(name: str) -> None:
    run = made_up.a_run(60)
    spec = FIGURES[name](run, View(layer=2))
    values = np.stack([getattr(one, OF_GRADIENTS[name]) for one in run.gradients])
    for k, label in enumerate(("without BN", "with BN")):
        np.testing.assert_allclose(over_time(spec, label)["y"], values[:, k, 1])
        np.testing.assert_array_equal(over_time(spec, label)["x"], [one.step for one in run.gradients])
        np.testing.assert_allclose(over_depth(spec, label)["y"], values[-1, k])
        assert over_depth(spec, label)["x"].tolist() == [1, 2, 3, 4]
    assert annotations(spec, "panel-heading") == ["layer 2", "all layers"]
    assert spec["layout"]["xaxis2"]["ticktext"] == ["1", "2", "3", "out"]


def test_the_update_ratio_is_that_of_every_point_beside_a_line_at_a_thousandth() -> None:
    run = made_up.a_run(60)
    spec = update_ratio(run, View(layer=1))
    np.testing.assert_allclose(over_time(spec, "with BN")["y"], run.history.update_ratio[1:, 1, 0])
    np.testing.assert_allclose(over_depth(spec, "with BN")["y"], run.history.update_ratio[-1, 1])
    references = [one for one in spec["layout"]["shapes"] if one["name"] == "reference"]
    assert [(one["y0"], one["y1"]) for one in references] == [(1e-3, 1e-3)] * 2
    axis = spec["layout"]["yaxis"]
    assert axis["ticktext"][axis["tickvals"].index(1e-3)] == "10⁻³"


@pytest.mark.parametrize("name", FIGURES)
def test_the_axis_over_time_is_the_one_asked_for(name: str) -> None:
    run = made_up.a_run(61)
    for axis, ends in ((Axis.STEPS, (1500, 1500)), (Axis.IMAGES, (90_000, 90_000)), (Axis.COMPUTE, (0.75, 1.35))):
        spec = FIGURES[name](run, View(axis=axis))
        newest = [over_time(spec, label)["x"][-1] for label in ("without BN", "with BN")]
        assert newest == pytest.approx(ends)
        assert annotations(spec, "x-unit") == [spec["layout"]["meta"]["x"]]


def test_a_record_between_two_points_lies_between_them() -> None:
    run = made_up.a_run(61)
    records = tuple(replace(run.gradients[0], step=step) for step in (0, 10, 1490))
    spec = gradient_norm(run.replace(gradients=records), View(axis=Axis.IMAGES))
    assert over_time(spec, "with BN")["x"] == pytest.approx([0, 600, 89_400])


@pytest.mark.parametrize("name", FIGURES)
def test_an_intervention_marks_the_panel_over_time(name: str) -> None:
    run = made_up.a_run(60, interventions=(Intervention(600, "learning_rate", 0.5, 2.0),))
    (line,) = [one for one in FIGURES[name](run, View())["layout"]["shapes"] if one["name"] == "intervention"]
    assert (line["x0"], line["xref"]) == (600, "x")


@pytest.mark.parametrize("name", FIGURES)
def test_a_diverged_competitor_ends_in_a_cross_and_keeps_its_last_profile(name: str) -> None:
    run = a_diverged_run()
    spec = FIGURES[name](run, View())
    (cross,) = [one for one in traces(spec, mode="markers") if one["marker"].get("symbol") == "x"]
    assert cross["x"][0] < 500
    assert np.isfinite(over_depth(spec, "without BN")["y"]).all()
    assert any("×" in text and "without BN" in text for text in annotations(spec, "end-label"))


def test_known_norms_give_these_words() -> None:
    run = with_values(made_up.a_run(60), "norm", [[[0.2, 9, 0.1, 9], [0.3, 9, 0.6, 9]]] * 3)
    meta = gradient_norm(run, View(layer=3))["layout"]["meta"]
    assert meta["finding"] == "layer 3: 0.10 without BN, 0.60 with it; layer 1 ÷ layer 3: 2.0 without BN, 0.50 with it"
    assert "without BN: layer 1 0.20, layer 2 9.0, layer 3 0.10, the output layer 9.0" in meta["alt"]


def test_growth_is_told_in_per_cent_since_the_first_record() -> None:
    weights = np.full((3, 2, 4), 10.0)
    weights[-1, 0, 2], weights[-1, 1, 2] = 11.2, 10.3
    run = with_values(made_up.a_run(60), "weight_norm", weights)
    finding = weight_norm(run, View(layer=3))["layout"]["meta"]["finding"]
    assert finding == "layer 3 grew by 12\xa0% without BN, 3.0\xa0% with it since step 0"
    weights[-1, 0, 2] = 9.0
    shrunk = weight_norm(with_values(run, "weight_norm", weights), View(layer=3))["layout"]["meta"]["finding"]
    assert shrunk == "layer 3: −10\xa0% without BN, +3.0\xa0% with it since step 0"


def test_scale_invariance_tells_of_the_output_layer_and_stands_on_an_axis_from_a_hundred_millionth_to_one() -> None:
    run = with_values(made_up.a_run(60), "radial", [[[0.1, 0.1, 0.1, 0.3], [1e-12, 3e-7, 2e-6, 0.2]]] * 3)
    spec = scale_invariance(run, View(layer=3))
    finding = "layer 3: 0.10 without BN, 2.0×10⁻⁶ with it; output layer, no BN after it: 0.30 without BN, 0.20 with it"
    assert spec["layout"]["meta"]["finding"] == finding
    assert spec["layout"]["yaxis"]["autorangeoptions"] == {"clipmin": 1e-8, "clipmax": 1.0}
    profile = over_depth(spec, "with BN")
    np.testing.assert_allclose(profile["y"], [1e-8, 3e-7, 2e-6, 0.2])
    np.testing.assert_allclose(profile["customdata"], [1e-12, 3e-7, 2e-6, 0.2])


def test_scale_invariance_is_not_claimed_where_bn_follows_the_nonlinearity() -> None:
    run = made_up.a_run(60)
    run = run.replace(settings=run.settings.replace(bn_placement=BnPlacement.AFTER))
    assert "BN follows the nonlinearity" in scale_invariance(run, View())["layout"]["meta"]["finding"]


def test_what_cannot_be_measured_any_more_is_not_shown_as_if_it_were() -> None:
    values = np.full((3, 2, 4), 0.1)
    values[2:, 0, 1] = np.inf  # of gradients too small for 32-bit numbers
    run = with_values(made_up.a_run(60), "radial", values)
    spec = scale_invariance(run, View(layer=2))
    assert over_time(spec, "without BN")["x"].tolist() == [0, run.gradients[1].step]
    assert np.isnan(over_depth(spec, "without BN")["y"]).tolist() == [False, True, False, False]
    assert "without BN" not in spec["layout"]["meta"]["finding"].split(";")[0]


def test_gradients_many_orders_apart_lie_at_the_foot_of_the_axis_which_says_so() -> None:
    values = np.full((3, 2, 4), 0.5)
    values[:, 0, :] = [0, 1e-25, 1e-3, 0.1]
    spec = gradient_norm(with_values(made_up.a_run(60), "norm", values), View(layer=1))
    axis = spec["layout"]["yaxis"]
    low = axis["autorangeoptions"]["clipmin"]
    assert low == pytest.approx(1e-13)
    assert axis["ticktext"][0] == "≤ 10⁻¹³"
    assert over_depth(spec, "without BN")["y"][:2] == pytest.approx([low, low])
    assert over_time(spec, "without BN")["customdata"].tolist() == [0, 0, 0]


def test_four_competitors_have_their_symbol_at_every_value() -> None:
    run = made_up.a_run(60, competitors=FOUR, has_contour=False)
    values = [text for text in annotations(gradient_norm(run, View()), "end-label") if "<b>" in text]
    assert len(values) == 4
    assert all(symbol in text for symbol, text in zip("■●◆▲", values, strict=True))
