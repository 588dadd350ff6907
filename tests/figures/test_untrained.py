"""What the six charts of two untrained networks show, against the record."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import WITH_NOISE, Connections, Nonlinearity, UntrainedConfig, View
from bnviz.figures import Spec, for_export, resolve
from bnviz.figures import untrained as figures
from bnviz.figures.untrained_depth import WIDE_GROWTH, growth_factors
from bnviz.figures.untrained_loss import last_usable_step
from bnviz.figures.untrained_parts import Scale, compact, depth_ticks, log_scale, tick_text
from bnviz.records import RELATIVE_STEPS, SINGULAR_LEVELS, Badge, Run, Untrained
from tests.figures import made_up_runs as made_up

FIGURES: dict[str, Callable[[Run, View], Spec]] = {
    "untrained-histogram": figures.untrained_histogram,
    "untrained-gradients": figures.untrained_gradients,
    "untrained-activations": figures.untrained_activations,
    "untrained-predictions": figures.untrained_predictions,
    "untrained-jacobian": figures.untrained_jacobian,
    "untrained-loss": figures.untrained_loss,
}
OVER_DEPTH = ("untrained-gradients", "untrained-activations", "untrained-predictions", "untrained-jacobian")
TEXTS = Path(__file__).resolve().parents[2] / "assets" / "texts"


@cache
def untrained_of(config: UntrainedConfig | None = None, overflow_layer: int = 0, done: float = 1.0) -> Untrained:
    """Made up once: its histograms take their time. Nothing may write into its arrays."""
    return made_up.untrained(config, overflow_layer=overflow_layer, done=done)


def run_with(untrained: Untrained | None, **more: Any) -> Run:
    return made_up.a_run(5).replace(study=untrained, **more)


def unfinished(done: float = 0.3) -> Untrained:
    """Half of the layers have outputs, and every other Jacobian and step size is measured; no gradient is."""
    whole = untrained_of(done=done)
    depth = whole.config.depth

    def known(values: np.ndarray, where: slice) -> np.ndarray:
        result = np.full(values.shape, np.nan)
        result[:, where] = values[:, where]
        return result

    return replace(
        whole,
        activation_mean=known(whole.activation_mean, slice(depth // 2)),
        activation_std=known(whole.activation_std, slice(depth // 2)),
        top_class_share=known(whole.top_class_share, slice(depth // 2)),
        gradient_norm=np.full_like(whole.gradient_norm, np.nan),
        gradients=None,
        singular_values=known(whole.singular_values, slice(None, None, 2)),
        relative_loss=known(whole.relative_loss, slice(None, None, 2)),
    )


def nothing_yet() -> Untrained:
    whole = untrained_of(done=0.05)
    empty = {
        name: np.full_like(getattr(whole, name), np.nan)
        for name in (
            "activation_mean", "activation_std", "top_class_share", "gradient_norm", "loss", "singular_values",
            "relative_loss",
        )
    }  # fmt: skip
    return replace(whole, gradients=None, **empty)


def not_finite() -> Untrained:
    """Everything is measured and neither network has a finite number."""
    whole = nothing_yet()
    return replace(whole, done=1.0, overflow_layer=np.array([1, 2]), relative_loss=np.full((2, 37), np.inf))


RECORDS: dict[str, Untrained | None] = {
    "depth 1": untrained_of(UntrainedConfig(depth=1)),
    "depth 2": untrained_of(UntrainedConfig(depth=2)),
    "depth 3": untrained_of(UntrainedConfig(depth=3)),
    "depth 20": untrained_of(UntrainedConfig(depth=20)),
    "depth 100": untrained_of(UntrainedConfig(depth=100)),
    "residual": untrained_of(UntrainedConfig(connections=Connections.RESIDUAL)),
    "overflow": untrained_of(overflow_layer=5),
    "overflow in the output": untrained_of(UntrainedConfig(depth=5), overflow_layer=6),
    "overflow at once": untrained_of(overflow_layer=5, done=0.3),
    "unfinished": unfinished(),
    "nothing yet": nothing_yet(),
    "not finite": not_finite(),
    "none": None,
}


def plain(value: Any) -> Any:
    """Arrays as lists, NaN as None, as they travel."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        assert value.dtype.name in {"float32", "float64"}
        return [None if math.isnan(one) else one for one in value.ravel().tolist()]
    return value


def named(spec: Spec, name: str) -> list[dict[str, Any]]:
    return [one for one in spec["layout"]["annotations"] if one["name"] == name]


def lines(spec: Spec, label: str, panel: str = "") -> list[dict[str, Any]]:
    return [
        one
        for one in spec["data"]
        if one["name"] == label and "lines" in one["mode"] and one.get("xaxis", "x") == f"x{panel}"
    ]


def finding(name: str, untrained: Untrained, view: View | None = None) -> str:
    text: str = FIGURES[name](run_with(untrained), view or View())["layout"]["meta"]["finding"]
    return text


def ends(axis: dict[str, Any]) -> tuple[float, float]:
    return axis["autorangeoptions"]["clipmin"], axis["autorangeoptions"]["clipmax"]


# --- what holds for all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", FIGURES)
def test_every_spec_of_every_record_is_a_valid_figure(name: str, record: str) -> None:
    spec = FIGURES[name](run_with(RECORDS[record]), View(untrained_layer=101))
    go.Figure(for_export(spec, "dark"))
    text = json.dumps(plain(spec), allow_nan=False)
    assert "@" not in json.dumps(plain(resolve(spec)))
    meta = spec["layout"]["meta"]
    assert meta["chart"] == name
    assert meta["alt"]
    assert meta["how"].endswith("BN with that batch’s statistics.")
    assert "128 training images, before any training" in meta["how"]
    assert all("nan" not in re.findall(r"[a-z]+", said.lower()) for said in (text, meta["alt"], meta["finding"]))
    assert all("inf" not in re.findall(r"[a-z]+", said.lower()) for said in (meta["alt"], meta["finding"]))


@pytest.mark.parametrize("badge", Badge)
@pytest.mark.parametrize("name", FIGURES)
def test_the_badge_is_that_of_the_run_that_carries_them(name: str, badge: Badge) -> None:
    spec = FIGURES[name](run_with(untrained_of(), badge=badge), View())
    assert spec["layout"]["meta"]["badge"] == str(badge)


@pytest.mark.parametrize("name", FIGURES)
def test_what_became_of_the_runs_own_networks_changes_nothing(name: str) -> None:
    untrained = untrained_of()
    four = made_up.a_run(5, competitors=WITH_NOISE, has_gradients=False, has_contour=False)
    diverged = made_up.a_run(5, stopped_at=2, health=(made_up.diverged(3), made_up.stalled(3)))
    specs = [FIGURES[name](run.replace(study=untrained), View()) for run in (made_up.a_run(5), four, diverged)]
    first, *others = [json.dumps(plain(spec)) for spec in specs]
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", FIGURES)
def test_before_anything_is_measured_a_chart_says_so_and_names_the_networks(name: str) -> None:
    for untrained in (None, nothing_yet()):
        spec = FIGURES[name](run_with(untrained), View())
        (note,) = named(spec, "note")
        assert note["text"] == "Measuring two untrained networks."
        assert spec["layout"]["meta"]["finding"] == ""
        assert {one["name"] for one in spec["data"]} == {"axis-ends"}
    shown = for_export(FIGURES[name](run_with(None), View()))["layout"]["title"]["subtitle"]["text"]
    assert "without BN" in shown


@pytest.mark.parametrize("name", FIGURES)
def test_unfinished_work_is_drawn_as_far_as_it_goes_and_the_alternative_says_how_far(name: str) -> None:
    spec = FIGURES[name](run_with(unfinished()), View())
    assert "30 per cent of the work is done." in spec["layout"]["meta"]["alt"]
    drawn = [one for one in spec["data"] if one["name"] != "axis-ends"]
    is_waiting = bool(named(spec, "note"))
    assert is_waiting == (name in ("untrained-histogram", "untrained-gradients"))
    assert bool(drawn) != is_waiting
    assert all(np.isfinite(one["y"]).all() for one in drawn)


@pytest.mark.parametrize("name", FIGURES)
def test_the_zoom_is_kept_until_other_networks_are_measured(name: str) -> None:
    revision = FIGURES[name](run_with(untrained_of()), View())["layout"]["uirevision"]
    assert FIGURES[name](run_with(unfinished()), View())["layout"]["uirevision"] == revision
    changes: list[dict[str, Any]] = [
        {"width": 50},
        {"seed": 1},
        {"nonlinearity": Nonlinearity.TANH},
        {"init_scale": 2.0},
    ]
    for change in changes:
        other = replace(untrained_of(), config=replace(UntrainedConfig(), **change))
        assert FIGURES[name](run_with(other), View())["layout"]["uirevision"] != revision


def test_only_the_histogram_depends_on_the_view() -> None:
    run = run_with(untrained_of())
    for name, figure in FIGURES.items():
        one, other = (json.dumps(plain(figure(run, View(untrained_layer=layer)))) for layer in (3, 4))
        assert (one == other) == (name != "untrained-histogram")


@pytest.mark.parametrize("name", FIGURES)
def test_every_chart_has_an_explanation_with_its_source(name: str) -> None:
    text = (TEXTS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    for part in ("**What it is.**", "**How it is measured.**", "**What to look for.**", "**Source.**"):
        assert part in text


# --- overflow ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_an_overflow_is_said_in_the_chart_its_finding_and_its_alternative(name: str) -> None:
    spec = FIGURES[name](run_with(untrained_of(overflow_layer=5)), View())
    shown = " ".join(re.sub(r"<[^>]+>", " ", one["text"]) for one in spec["layout"]["annotations"])
    assert "without BN overflows from layer 5" in re.sub(r"\s+", " ", shown)
    assert "without BN overflows from layer 5" in spec["layout"]["meta"]["finding"]
    assert "overflows from layer 5" in spec["layout"]["meta"]["alt"]
    assert not named(spec, "note")


@pytest.mark.parametrize("name", OVER_DEPTH)
def test_an_overflow_is_marked_at_its_layer_in_the_networks_colour(name: str) -> None:
    spec = FIGURES[name](run_with(untrained_of(overflow_layer=5)), View())
    marks = [one for one in spec["layout"]["shapes"] if one["name"] == "overflow"]
    assert len(marks) == (2 if name == "untrained-activations" else 1)
    assert {(one["x0"], one["x1"], one["line"]["color"]) for one in marks} == {(5.0, 5.0, "@plain")}


def test_an_overflow_in_the_output_layer_is_called_that_and_stays_on_the_axis() -> None:
    untrained = untrained_of(UntrainedConfig(depth=5), overflow_layer=6)
    for name in OVER_DEPTH:
        spec = FIGURES[name](run_with(untrained), View())
        assert "without BN overflows in the output layer" in spec["layout"]["meta"]["finding"]
        for one in spec["layout"]["shapes"]:
            if one["name"] == "overflow":
                low, high = ends(spec["layout"][one["xref"].replace("x", "xaxis")])
                assert low <= one["x0"] <= high


def test_no_words_above_a_plot_run_into_its_headings() -> None:
    both = replace(untrained_of(overflow_layer=5), overflow_layer=np.array([5, 7]))
    for untrained, rows in ((untrained_of(), 0), (untrained_of(overflow_layer=5), 1), (both, 2)):
        spec = FIGURES["untrained-activations"](run_with(untrained), View())
        words, headings = named(spec, "overflow"), named(spec, "panel-heading")
        assert len(words) == rows
        assert all(heading["yshift"] >= word["yshift"] + 17 for heading in headings for word in words)
        assert spec["layout"]["margin"]["t"] == 22 + 17 * rows


def test_singular_values_after_the_overflow_are_not_shown() -> None:
    untrained = replace(untrained_of(), overflow_layer=np.array([8, 0]))
    spec = FIGURES["untrained-jacobian"](run_with(untrained), View())
    (median,) = lines(spec, "50 %")
    assert median["x"].max() < 8
    (median,) = lines(spec, "50 %", "2")
    assert median["x"].max() == 20


# --- histogram --------------------------------------------------------------------------------------------------------


def test_the_histogram_holds_the_counts_of_the_chosen_layer_on_one_axis_and_standardised() -> None:
    untrained = untrained_of()
    assert untrained.gradients is not None
    spec = FIGURES["untrained-histogram"](run_with(untrained), View(untrained_layer=7))
    for panel, counts in (("", untrained.gradients.counts), ("2", untrained.gradients.standardised_counts)):
        for k, label in enumerate(("without BN", "with BN")):
            (outline,) = lines(spec, label, panel)
            np.testing.assert_array_equal(outline["customdata"], counts[k, 6])
    assert [one["text"] for one in named(spec, "panel-heading")] == ["same axis", "in standard deviations"]
    assert spec["layout"]["yaxis2"]["matches"] == "y"
    assert ends(spec["layout"]["yaxis"]) == ends(spec["layout"]["yaxis2"])
    assert spec["layout"]["title"]["text"] == "Gradient of layer 7’s weights"


@pytest.mark.parametrize(
    ("asked", "shown"), [(0, "layer 1"), (20, "layer 20"), (21, "the output layer"), (99, "the output layer")]
)
def test_the_nearest_layer_that_there_is_is_shown(asked: int, shown: str) -> None:
    spec = FIGURES["untrained-histogram"](run_with(untrained_of()), View(untrained_layer=asked))
    assert spec["layout"]["title"]["text"] == f"Gradient of {shown}’s weights"


def test_the_histogram_tells_the_moments_of_each_network() -> None:
    untrained = untrained_of()
    assert untrained.gradients is not None
    moments = replace(
        untrained.gradients,
        std=np.tile([[0.0039], [0.0090]], (1, 21)),
        excess_kurtosis=np.tile([[31.2], [0.4]], (1, 21)),
        tail_ratio=np.tile([[12.1], [5.2]], (1, 21)),
    )
    changed = replace(untrained, gradients=moments)
    assert finding("untrained-histogram", changed) == (
        "standard deviation 0.0039 without BN, 0.0090 with it; excess kurtosis 31 without BN, 0.40 with it"
    )
    (key,) = named(FIGURES["untrained-histogram"](run_with(changed), View()), "key")
    assert "without BN<br>std. dev. 0.0039<br>excess kurtosis 31<br>tail ratio 12" in key["text"]


def test_the_dotted_curve_is_a_gaussian_of_as_many_entries() -> None:
    untrained = untrained_of()
    assert untrained.gradients is not None
    (curve,) = lines(FIGURES["untrained-histogram"](run_with(untrained), View()), "Gaussian", "2")
    width = 24.3 / 81
    assert np.trapezoid(curve["y"], curve["x"]) / width == pytest.approx(10_000, rel=0.01)


# --- gradient norms ---------------------------------------------------------------------------------------------------


def test_a_known_growth_per_layer_gives_that_factor() -> None:
    layers = np.arange(1, 22)
    norms = np.stack([0.3 * 0.5 ** (21.0 - layers), 0.8 * 1.22 ** (21.0 - layers)])
    norms[:, 0] *= 7  # the first matrix has another number of inputs, the last one of outputs
    norms[:, -1] *= 5
    assert growth_factors(norms) == pytest.approx([0.5, 1.22])
    untrained = replace(untrained_of(), gradient_norm=norms)
    assert finding("untrained-gradients", untrained) == "toward the input × 0.500 a layer without BN, × 1.22 with it"


@pytest.mark.parametrize("depth", [1, 2])
def test_too_few_layers_have_no_growth(depth: int) -> None:
    assert np.isnan(growth_factors(untrained_of(UntrainedConfig(depth=depth)).gradient_norm)).all()


def test_the_wide_limit_is_that_of_yang_et_al_and_starts_at_the_last_hidden_layer_with_bn() -> None:
    assert pytest.approx(1.467, abs=5e-4) == WIDE_GROWTH**2
    untrained = untrained_of()
    (limit,) = lines(FIGURES["untrained-gradients"](run_with(untrained), View()), "wide limit")
    assert limit["x"].tolist() == list(range(2, 21))
    assert limit["y"][-1] == pytest.approx(untrained.gradient_norm[1, 19])
    assert limit["y"][:-1] / limit["y"][1:] == pytest.approx(WIDE_GROWTH)


@pytest.mark.parametrize(
    "change", [{"connections": Connections.RESIDUAL}, {"nonlinearity": Nonlinearity.TANH}, {"depth": 2}]
)
def test_where_the_theory_says_nothing_there_is_no_wide_limit(change: dict[str, Any]) -> None:
    spec = FIGURES["untrained-gradients"](run_with(untrained_of(replace(UntrainedConfig(), **change))), View())
    assert not lines(spec, "wide limit")
    assert not named(spec, "reference")


def test_a_gradient_of_nothing_lies_at_the_lower_end_of_the_axis_and_says_so_on_hovering() -> None:
    norms = untrained_of().gradient_norm.copy()
    norms[0, :3] = 0
    spec = FIGURES["untrained-gradients"](run_with(replace(untrained_of(), gradient_norm=norms)), View())
    (line,) = lines(spec, "without BN")
    assert set(line["y"][:3]) == {ends(spec["layout"]["yaxis"])[0]}
    assert line["customdata"][:3].tolist() == [0, 0, 0]


# --- outputs and answers ----------------------------------------------------------------------------------------------


def test_mean_and_spread_share_their_axes() -> None:
    untrained = replace(untrained_of(), activation_mean=-untrained_of().activation_mean)
    spec = FIGURES["untrained-activations"](run_with(untrained), View())
    for k, label in enumerate(("without BN", "with BN")):
        np.testing.assert_allclose(lines(spec, label)[0]["y"], np.abs(untrained.activation_mean[k]))
        np.testing.assert_allclose(lines(spec, label, "2")[0]["y"], untrained.activation_std[k])
    layout = spec["layout"]
    assert (layout["xaxis2"]["matches"], layout["yaxis2"]["matches"]) == ("x", "y")
    assert ends(layout["yaxis"]) == ends(layout["yaxis2"])
    assert {layout["yaxis"]["type"], layout["yaxis2"]["type"]} == {"log"}
    assert layout["meta"]["finding"] == "standard deviation at layer 20: 1.2 without BN, 0.6 with it"


def test_a_mean_of_nearly_nothing_does_not_stretch_the_axis() -> None:
    mean = untrained_of().activation_mean.copy()
    mean[1] = 1e-10
    spec = FIGURES["untrained-activations"](run_with(replace(untrained_of(), activation_mean=mean)), View())
    assert ends(spec["layout"]["yaxis"])[0] > 1e-4


def test_shares_are_per_cent_of_all_beside_an_even_one() -> None:
    untrained = untrained_of()
    spec = FIGURES["untrained-predictions"](run_with(untrained), View())
    assert ends(spec["layout"]["yaxis"]) == (0, 100)
    (line,) = lines(spec, "without BN")
    np.testing.assert_allclose(line["y"], 100 * untrained.top_class_share[0])
    (even,) = [one for one in spec["layout"]["shapes"] if one["name"] == "reference"]
    assert (even["y0"], even["y1"]) == (10, 10)
    assert (
        spec["layout"]["meta"]["finding"]
        == "at layer 20: 76\N{NO-BREAK SPACE}% without BN, 30\N{NO-BREAK SPACE}% with it"
    )


# --- Jacobian ---------------------------------------------------------------------------------------------------------


def test_the_bands_are_the_quantiles_of_the_record_on_one_axis_around_1() -> None:
    untrained = untrained_of()
    spec = FIGURES["untrained-jacobian"](run_with(untrained), View())
    for k, panel in enumerate(("", "2")):
        for level, name in enumerate(("min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")):
            (line,) = lines(spec, name, panel)
            np.testing.assert_array_equal(line["customdata"], untrained.singular_values[k, :, level])
            np.testing.assert_array_equal(line["x"], untrained.jacobian_layers)
        filled = [one["name"] for one in spec["data"] if one.get("fill") and one["xaxis"] == f"x{panel}"]
        assert filled == ["95 %", "75 %"]
    assert len(SINGULAR_LEVELS) == 7
    assert ends(spec["layout"]["yaxis"]) == ends(spec["layout"]["yaxis2"])
    assert spec["layout"]["yaxis2"]["matches"] == "y"
    assert [one["y0"] for one in spec["layout"]["shapes"] if one["name"] == "reference"] == [1, 1]


def test_singular_values_of_nothing_are_drawn_at_an_end_of_the_axis_that_is_called_0() -> None:
    values = untrained_of().singular_values.copy()
    values[:, :, :3] = 1e-8
    untrained = replace(untrained_of(), singular_values=values)
    spec = FIGURES["untrained-jacobian"](run_with(untrained), View())
    low, _ = ends(spec["layout"]["yaxis"])
    assert set(lines(spec, "25 %")[0]["y"]) == {low}
    assert spec["layout"]["yaxis"]["tickvals"][0] == low
    assert spec["layout"]["yaxis"]["ticktext"][0] == "0"
    assert finding("untrained-jacobian", untrained).startswith("the middle half at layer 20: 0 to 1.")
    assert "≤ 25 %" in [one["text"] for one in named(spec, "end-label")]


def test_one_hidden_layer_has_no_jacobian_and_the_chart_says_why() -> None:
    spec = FIGURES["untrained-jacobian"](run_with(untrained_of(UntrainedConfig(depth=1))), View())
    (note,) = named(spec, "note")
    assert note["text"] == "This takes two hidden layers or more."


def test_a_single_jacobian_still_has_a_band() -> None:
    spec = FIGURES["untrained-jacobian"](run_with(untrained_of(UntrainedConfig(depth=2))), View())
    (median,) = lines(spec, "50 %")
    assert median["x"].tolist() == [1.7, 2.3]


# --- loss along the gradient ------------------------------------------------------------------------------------------


def test_the_last_usable_step_is_the_one_before_the_first_divergence() -> None:
    ratios = np.ones(37)
    assert last_usable_step(ratios) == math.inf
    ratios[24:] = [2e3, *[1.0] * 11, np.inf]  # it may come back; the first time counts
    assert last_usable_step(ratios) == pytest.approx(RELATIVE_STEPS[23])
    ratios[23] = np.nan  # not measured yet
    assert last_usable_step(ratios) == pytest.approx(RELATIVE_STEPS[22])
    ratios[0] = np.inf
    assert math.isnan(last_usable_step(ratios))


def test_the_finding_tells_each_networks_last_usable_step() -> None:
    relative = np.ones((2, 37))
    relative[0, 25:] = 5e3
    changed = replace(untrained_of(), relative_loss=relative)
    assert RELATIVE_STEPS[24] == pytest.approx(10)
    assert finding("untrained-loss", changed) == "below 10³ up to a = 10 without BN, at every a with it"
    relative[0] = 5e3
    assert finding("untrained-loss", changed) == "below 10³ at no a without BN, at every a with it"


def test_an_overflow_leaves_the_axis_at_the_top_where_the_marker_stands() -> None:
    relative = np.ones((2, 37))
    relative[0, 20:] = np.inf
    spec = FIGURES["untrained-loss"](run_with(replace(untrained_of(), relative_loss=relative)), View())
    _, high = ends(spec["layout"]["yaxis"])
    assert high == 1e6
    (line,) = lines(spec, "without BN")
    assert (line["y"][20:] > high).all()
    (marker,) = [one for one in spec["data"] if one["name"] == "without BN" and one["mode"] == "markers"]
    assert marker["y"].tolist() == [high]
    assert RELATIVE_STEPS[19] < marker["x"][0] < RELATIVE_STEPS[20]
    assert any("over 10⁶" in one["text"] for one in named(spec, "end-label"))


def test_the_line_of_divergence_is_always_on_the_axis() -> None:
    spec = FIGURES["untrained-loss"](run_with(replace(untrained_of(), relative_loss=np.ones((2, 37)))), View())
    low, high = ends(spec["layout"]["yaxis"])
    (mark,) = [one for one in spec["layout"]["shapes"] if one["name"] == "reference"]
    assert low < mark["y0"] == 1e3 < high


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [3, 5])
@pytest.mark.parametrize("last", range(2, 102))
def test_depth_ticks_are_few_and_hold_both_ends(last: int, most: int) -> None:
    ticks = depth_ticks(1, last, most)
    assert (ticks[0], ticks[-1]) == (1, last)
    assert len(ticks) <= most + 2
    assert min(np.diff(ticks)) >= (last - 1) / (2.5 * most) or last <= most


@pytest.mark.parametrize(
    ("tick", "text"),
    [(1, "1"), (0.05, "0.05"), (1e4, "10,000"), (1e6, "10⁶"), (2e5, "2×10⁵"), (1e-7, "10⁻⁷"), (1e38, "10³⁸")],
)
def test_ticks_fit_beside_an_axis(tick: float, text: str) -> None:
    assert tick_text(tick) == text


def test_large_numbers_become_short() -> None:
    assert [compact(value) for value in (0.0039, 31.2, 9999, 157_280, 1e38)] == [
        "0.0039",
        "31",
        "9,999",
        "1.6×10⁵",
        "1.0×10³⁸",
    ]


def test_a_logarithmic_scale_holds_its_values_and_is_never_narrow() -> None:
    for values in ([1e-40, 1e38], [0.5], [0.0, 3.0], [0.5, 0.6], [math.nan]):
        scale = log_scale(np.array(values))
        known = [value for value in values if value > 0]
        assert all(scale.low <= value <= scale.high for value in known)
        assert scale.high >= 9.9 * scale.low
        assert all(0 <= scale.place(value) <= 1 for value in known)
    assert Scale(0, 100, is_log=False).place(25) == 0.25
