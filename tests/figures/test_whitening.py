"""What the charts of a linear unit show, against the record that was measured for them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from bnviz.config import NEWEST, LinearUnitConfig, RateRule, Treatment, View
from bnviz.figures import Spec, for_export, resolve, tokens, whitening
from bnviz.figures.whitening_descent import contour_levels, contour_of, leaves_at
from bnviz.figures.whitening_parts import SHAPES, few_ticks
from bnviz.measure.linear_unit import measure_linear_unit
from bnviz.records import TREATMENTS, Badge, LinearUnit, Run
from tests.figures import made_up_runs as made_up
from tests.figures.test_every_figure import arrays, contrast, named, without_arrays

RAW, CENTRED, SCALED, STANDARDISED, WHITENED = range(5)
FIGURES: dict[str, Callable[[Run, View], Spec]] = {
    "whitening-inputs": whitening.whitening_inputs,
    "whitening-descent": whitening.whitening_descent,
    "whitening-loss": whitening.whitening_loss,
    "whitening-spectrum": whitening.whitening_spectrum,
}
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (300, 20))).to(torch.uint8)
DIVERGING: dict[str, Any] = {"rate_rule": RateRule.SHARED, "learning_rate": 0.01}


@cache
def unit_of(**changes: Any) -> LinearUnit:
    """Nothing may write into its arrays."""
    *_, last = measure_linear_unit(LinearUnitConfig(**changes), PIXELS, 127)
    return last


def first_item() -> LinearUnit:
    """SGD's steps and the spectrum are still to come."""
    whole = unit_of()
    unknown = {name: np.full(5, np.nan) for name in ("rank", "condition_number", "largest_rate")}
    eigenvalues = np.full_like(whole.spectrum.eigenvalues, np.nan)
    spectrum = replace(whole.spectrum, done=0.2, varying_pixels=0, eigenvalues=eigenvalues, **unknown)
    return replace(whole, done=0.1, sgd_steps=np.full(5, np.nan), spectrum=spectrum)


RECORDS: dict[str, LinearUnit | None] = {
    "default": unit_of(),
    "textbook": unit_of(correlation=0.0),
    "one rate, raw diverges": unit_of(**DIVERGING),
    "all diverge": unit_of(rate_multiple=2.0, steps=500),
    "overflow": unit_of(rate_rule=RateRule.SHARED, learning_rate=5.0, mean_1=100.0, mean_2=-100.0, steps=500),
    "best": unit_of(rate_rule=RateRule.BEST),
    "at the limit": unit_of(rate_multiple=1.0),
    "batch of one": unit_of(batch_size=1),
    "slow": unit_of(rate_rule=RateRule.SHARED, learning_rate=1e-5),
    "extreme": unit_of(mean_1=100.0, mean_2=100.0, std_1=0.1, std_2=100.0, correlation=-0.99, start_1=-2.0),
    "small": unit_of(samples=20, batch_size=20, steps=10, start_1=0.01, start_2=0.0),
    "first item": first_item(),
    "none": None,
}


def run_with(unit: LinearUnit | None, **more: Any) -> Run:
    return made_up.a_run(5).replace(study=unit, **more)


def meta_of(name: str, unit: LinearUnit, view: View | None = None) -> dict[str, Any]:
    meta: dict[str, Any] = FIGURES[name](run_with(unit), view or View())["layout"]["meta"]
    return meta


def traces(spec: Spec, name: str, panel: int = 0) -> list[dict[str, Any]]:
    axis = f"x{panel + 1 if panel else ''}"
    return [one for one in spec["data"] if one["name"] == name and one.get("xaxis", "x") == axis]


# --- what holds for all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", FIGURES)
def test_every_spec_of_every_record_is_a_valid_figure(name: str, record: str) -> None:
    for view in (View(), View(descent_step=0), View(descent_step=7)):
        spec = FIGURES[name](run_with(RECORDS[record]), view)
        go.Figure(resolve(spec, "dark"))
        go.Figure(for_export(spec))
        text = json.dumps(without_arrays(spec), allow_nan=False)
        assert "@" not in json.dumps(without_arrays(resolve(spec)))
        assert {array.dtype.name for array in arrays(spec)} <= {"float32", "float64"}
        meta = spec["layout"]["meta"]
        assert meta["chart"] == name
        assert meta["badge"] == str(Badge.MEASURED)
        assert meta["alt"]
        assert meta["how"].endswith(".")
        for words in (text, meta["alt"], meta["finding"]):
            assert not re.search(r"\b(nan|inf)\b", words.lower())


@pytest.mark.parametrize("name", FIGURES)
def test_a_recorded_unit_is_said_to_be_recorded(name: str) -> None:
    spec = FIGURES[name](run_with(unit_of(), badge=Badge.RECORDED), View())
    assert spec["layout"]["meta"]["badge"] == "recorded"


@pytest.mark.parametrize("name", FIGURES)
def test_another_study_is_not_drawn_as_a_linear_unit(name: str) -> None:
    spec = FIGURES[name](made_up.a_run(5, has_untrained=True), View())
    assert named(spec, "note")[0]["text"] == "Measuring a linear unit."
    assert spec["layout"]["meta"]["finding"] == ""


@pytest.mark.parametrize("name", FIGURES)
def test_a_zoom_lasts_until_the_unit_is_another(name: str) -> None:
    revision = FIGURES[name](run_with(unit_of()), View())["layout"]["uirevision"]
    assert FIGURES[name](run_with(first_item()), View(descent_step=3))["layout"]["uirevision"] == revision
    assert FIGURES[name](run_with(unit_of(correlation=0.0)), View())["layout"]["uirevision"] != revision


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_treatment_has_a_colour_and_a_shape_of_its_own(theme: str) -> None:
    colours = tokens()[theme]
    assert len({colours[one] for one in TREATMENTS}) == len({SHAPES[one] for one in TREATMENTS}) == 5
    assert "plain" not in TREATMENTS
    for one in TREATMENTS:
        assert contrast(colours[one], colours["page"]) >= 3
        assert colours[one] != colours["plain"]


@pytest.mark.parametrize("name", ["whitening-inputs", "whitening-descent"])
def test_five_panels_are_named_and_have_a_place_on_a_phone(name: str) -> None:
    spec = FIGURES[name](run_with(unit_of()), View())
    texts = [note["text"] for note in named(spec, "panel-heading")]
    assert [str(one) in text for one, text in zip(TREATMENTS, texts, strict=True)] == [True] * 5
    places = spec["layout"]["meta"]["narrow"]["domains"]
    boxes = [(places[f"xaxis{n}"], places[f"yaxis{n}"]) for n in ("", "2", "3", "4", "5")]
    assert all(0 <= low < high <= 1 for box in boxes for low, high in box)
    for i, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:i]:
            assert x[0] > other_x[1] or x[1] < other_x[0] or y[0] > other_y[1] or y[1] < other_y[0]


def test_ticks_are_few_and_hold_the_origin() -> None:
    for reach in np.logspace(-2, 3, 60):
        ticks = few_ticks(0.0, float(reach))
        assert 0 in ticks
        assert 3 <= len(ticks) <= 5
        assert max(ticks) < reach


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_inputs_say_how_many_gradients_have_one_sign_and_that_standardising_does_not_decorrelate() -> None:
    finding = meta_of("whitening-inputs", unit_of())["finding"]
    assert finding == (
        "single gradients whose components have the same sign: 98\N{NO-BREAK SPACE}% raw, 87\N{NO-BREAK SPACE}% "
        "standardised, 46\N{NO-BREAK SPACE}% whitened; standardising, as BN does, leaves the correlation at 0.90"
    )
    headings = [
        note["text"] for note in named(FIGURES["whitening-inputs"](run_with(unit_of()), View()), "panel-heading")
    ]
    assert "correlation 0.90" in headings[STANDARDISED]
    assert re.search(r"correlation 0\b(?!\.)", headings[WHITENED])


def test_both_axes_of_a_panel_have_one_unit_and_hold_the_sample_and_the_origin() -> None:
    layout = FIGURES["whitening-inputs"](run_with(unit_of()), View())["layout"]
    for t, number in enumerate(("", "2", "3", "4", "5")):
        x, y = layout[f"xaxis{number}"], layout[f"yaxis{number}"]
        assert y["scaleanchor"] == f"x{number}"
        for axis, values in ((x, unit_of().inputs[t, :, 0]), (y, unit_of().inputs[t, :, 1])):
            assert axis["range"][0] <= min(values.min(), 0)
            assert axis["range"][1] >= max(values.max(), 0)
        assert np.ptp(x["range"]) == pytest.approx(np.ptp(y["range"]))


# --- descent ----------------------------------------------------------------------------------------------------------


def test_contours_lie_where_the_loss_is_what_they_say() -> None:
    unit = unit_of()
    start = np.array(unit.config.start)
    for hessian in unit.hessian:
        for level in (-2.0, 0.0, 1.5):
            points = contour_of(hessian, start, level)
            ratio = np.einsum("pi,ij,pj->p", points, hessian, points) / (start @ hessian @ start)
            np.testing.assert_allclose(ratio, 10**level, rtol=1e-6)


def test_the_contour_at_the_starts_loss_passes_through_the_start() -> None:
    points = contour_of(np.diag([4.0, 1.0]), np.array([1.0, 2.0]), 0.0)
    assert points[:, 0].max() == pytest.approx(np.sqrt(8 / 4), rel=1e-3)
    assert points[:, 1].max() == pytest.approx(np.sqrt(8), rel=1e-3)


def test_the_outermost_contour_holds_every_panel_whole() -> None:
    unit = unit_of()
    top = contour_levels(unit, 1.3)[-1]
    start, corner = np.array(unit.config.start), np.array([1.3, 1.3])
    for hessian in unit.hessian:
        for sign in (1, -1):
            place = corner * [1, sign]
            assert place @ hessian @ place <= 10**top * (start @ hessian @ start) * (1 + 1e-9)


def test_panels_share_axes_and_draw_both_paths_up_to_the_step_looked_at() -> None:
    unit = unit_of()
    spec = FIGURES["whitening-descent"](run_with(unit), View(descent_step=7))
    for t in range(5):
        (gd,), (sgd,) = traces(spec, "gradient descent", t), traces(spec, "SGD", t)
        np.testing.assert_array_equal(np.stack([gd["x"], gd["y"]], axis=1), unit.gd_path[t, :8])
        np.testing.assert_array_equal(np.stack([sgd["x"], sgd["y"]], axis=1), unit.sgd_path[t, :8])
    ranges = {tuple(axis["range"]) for key, axis in spec["layout"].items() if re.fullmatch(r"[xy]axis\d*", key)}
    assert len(ranges) == 1
    scrub = spec["layout"]["meta"]["scrub"]
    assert (scrub["field"], scrub["value"], scrub["newest"]) == ("descent_step", 7, NEWEST)
    assert scrub["values"] == list(range(101))
    assert "step 7" in spec["layout"]["title"]["text"]


def test_headings_carry_condition_number_limit_and_steps() -> None:
    unit = unit_of(correlation=0.0)
    texts = [note["text"] for note in named(FIGURES["whitening-descent"](run_with(unit), View()), "panel-heading")]
    assert f"κ {unit.condition_number[RAW]:.0f}" in texts[RAW]
    assert f"stable below {unit.largest_rate[CENTRED]:.3f}" in texts[CENTRED]
    assert f"{unit.gd_steps[SCALED]:.0f} steps" in texts[SCALED]
    assert "κ 1<" in texts[WHITENED]
    assert (
        "1 step<"
        in named(FIGURES["whitening-descent"](run_with(unit_of(rate_rule=RateRule.BEST)), View()), "panel-heading")[
            WHITENED
        ]["text"]
    )


def test_a_diverging_path_is_cut_where_it_leaves_its_panel_and_says_so() -> None:
    unit = unit_of(rate_multiple=1.05)
    spec = FIGURES["whitening-descent"](run_with(unit), View())
    reach = spec["layout"]["xaxis"]["range"][1]
    left = leaves_at(unit.gd_path[STANDARDISED], reach)
    assert left is not None
    (gd,) = traces(spec, "gradient descent", STANDARDISED)
    assert len(gd["x"]) == left + 1
    labels = [note["text"] for note in named(spec, "stop-label")]
    assert len(labels) == 5
    assert f"leaves at step {left}" in labels[STANDARDISED]
    headings = [note["text"] for note in named(spec, "panel-heading")]
    assert all("diverges" in text for text in headings)
    early = FIGURES["whitening-descent"](run_with(unit), View(descent_step=left - 1))
    assert len(named(early, "stop-label")) < 5


def test_the_finding_tells_of_the_zigzag_or_of_the_divergence() -> None:
    zigzag = meta_of("whitening-descent", unit_of())["finding"]
    assert zigzag == (
        "steps to 0.01 % of the start’s loss: 2,530 raw, 45 standardised, 21 whitened; raw overshoots the valley at "
        "every step, keeping 80\N{NO-BREAK SPACE}% of its distance"
    )
    diverging = meta_of("whitening-descent", unit_of(**DIVERGING))["finding"]
    assert diverging.startswith("beyond 2/λ_max, diverging: raw; steps to")
    assert "raw," not in diverging.split(";")[1]
    assert "overshoots" not in meta_of("whitening-descent", unit_of(rate_multiple=0.4))["finding"]


def test_the_start_can_be_dragged_within_its_bounds() -> None:
    drag = meta_of("whitening-descent", unit_of())["drag"]
    assert drag == {"fields": ["start_1", "start_2"], "value": [-0.6, 1.0], "low": -2, "high": 2}
    LinearUnitConfig(**dict(zip(drag["fields"], [drag["low"], drag["high"]], strict=True)))


# --- loss and spectrum ------------------------------------------------------------------------------------------------


def test_loss_lines_are_the_records_and_their_labels_count_both_descents_steps() -> None:
    unit = unit_of()
    spec = FIGURES["whitening-loss"](run_with(unit), View(descent_step=30))
    (line,) = traces(spec, "standardised, gradient descent")
    np.testing.assert_array_equal(line["customdata"], unit.gd_loss[STANDARDISED])
    label = named(spec, "end-label")[RAW]["text"]
    assert "<b>2,530</b>, SGD " in label
    (shown,) = [shape for shape in spec["layout"]["shapes"] if shape["name"] == "shown-step"]
    assert shown["x0"] == shown["x1"] == 30


def test_what_diverges_leaves_the_loss_chart_at_the_top() -> None:
    unit = unit_of(**DIVERGING)
    spec = FIGURES["whitening-loss"](run_with(unit), View())
    (line,) = traces(spec, "raw, gradient descent")
    assert np.nanmax(line["y"]) > spec["layout"]["yaxis"]["autorangeoptions"]["clipmax"]
    assert "<b>diverges</b>" in named(spec, "end-label")[RAW]["text"]
    assert spec["layout"]["meta"]["finding"].startswith("diverging: raw; after 100 steps: ")


def test_the_spectrum_is_drawn_up_to_its_rank_and_says_its_condition_numbers() -> None:
    spectrum = unit_of().spectrum
    spec = FIGURES["whitening-spectrum"](run_with(unit_of()), View())
    for t, one in enumerate(TREATMENTS):
        (line,) = traces(spec, str(one))
        np.testing.assert_allclose(line["y"], spectrum.eigenvalues[t, : int(spectrum.rank[t])], rtol=1e-6)
    labels = [note["text"] for note in named(spec, "end-label")]
    assert "κ 1<" in labels[WHITENED]
    assert f"{spectrum.condition_number[RAW]:.0f} raw" in spec["layout"]["meta"]["finding"]


def test_a_spectrum_on_its_way_says_how_far_it_is() -> None:
    spec = FIGURES["whitening-spectrum"](run_with(first_item()), View())
    assert "20 % done" in named(spec, "note")[0]["text"]
    assert spec["layout"]["meta"]["finding"] == ""


# --- the sentence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS)
def test_the_sentence_is_text_for_every_record(record: str) -> None:
    text = whitening.whitening_sentence(run_with(RECORDS[record]), View())
    assert text.endswith(".")
    assert text.count("**") % 2 == 0
    assert not re.search(r"\b(nan|inf)\b", text.lower())


def test_the_sentence_says_what_bn_leaves_and_whitening_takes() -> None:
    text = whitening.whitening_sentence(run_with(unit_of()), View())
    assert text == (
        "Condition number **4,044** raw, **20** standardised, as BN does, **1** whitened. At 0.9 times each one’s "
        "largest stable rate, steps to 0.01 % of the start’s loss: **2,530** raw, **45** standardised, **21** whitened."
    )
    assert "diverging: raw." in whitening.whitening_sentence(run_with(unit_of(**DIVERGING)), View())


def test_treatments_are_named_as_the_field_does() -> None:
    assert [str(one) for one in Treatment] == ["raw", "centred", "scaled", "standardised", "whitened"]
