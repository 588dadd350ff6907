"""The page inside BN: the walk phase by phase, identity, scale, the naive gradient, running averages, inference."""

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import Nonlinearity, View
from bnviz.figures import FIGURES, resolve
from bnviz.figures.anatomy_identity import identity_of, recovered
from bnviz.figures.anatomy_parts import phases_of, tex, unit_of
from bnviz.figures.anatomy_walk import density_of
from bnviz.figures.numbers import number
from bnviz.live.formulas import mathml, with_formulas
from bnviz.live.frames import pack
from bnviz.records import ANATOMY_CHARTS, QUANTILE_LEVELS, STAGES, Anatomy, Run, no_anatomy
from tests.figures import made_up_runs as made_up

NOTHING = no_anatomy(made_up.anatomy(1).config, 1, "No network with BN is compared: choose one.")


def run_with(now: Anatomy | None, **settings: Any) -> Run:
    run = made_up.a_run(60).replace(anatomy=now)
    return run.replace(settings=run.settings.replace(**settings)) if settings else run


def drawn(name: str, now: Anatomy | None, view: View | None = None, **settings: Any) -> dict[str, Any]:
    spec = FIGURES[name](run_with(now, **settings), view or View())
    go.Figure(resolve(spec))
    pack(with_formulas(spec))
    return spec


def begun() -> Anatomy:
    """As the first item of a measurement has it: the walk, and nothing else."""
    now = made_up.anatomy(240)
    names = ("scale_loss", "scale_output", "scale_gradient", "naive_bias", "naive_loss", "stream_mean")
    names += ("stream_variance", "running_mean", "running_variance", "population_mean", "population_variance")
    unknown = {name: np.full_like(getattr(now, name), np.nan) for name in (*names, "accuracy", "differences")}
    return replace(now, done=0.1, folded_difference=float("nan"), **unknown)


def images(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one.get("xaxis") == "x2" and "customdata" in one]


def words(spec: dict[str, Any]) -> str:
    return " ".join(one["text"] for one in spec["layout"]["annotations"])


@pytest.mark.parametrize("name", ANATOMY_CHARTS)
def test_every_state_is_a_valid_figure_with_words(name: str) -> None:
    small = made_up.anatomy(0, made_up.anatomy(0).config.replace(images=2))
    for now in (None, NOTHING, begun(), made_up.anatomy(240), made_up.anatomy(240, is_before=False), small):
        for phase in range(1, 10) if name == "anatomy-walk" else (1,):  # the others have no phases
            spec = drawn(name, now, View(anatomy_phase=phase, unit=5, gamma=2.0, beta=-1.0, weight_factor=3.0))
            meta = spec["layout"]["meta"]
            assert meta["alt"]
            assert not re.search(r"\b(nan|inf)\b", f"{meta['finding']} {meta['alt']} {words(spec)}".lower())


def test_what_is_not_there_is_said_in_its_own_words() -> None:
    assert "No network with BN" in words(drawn("anatomy-walk", NOTHING))
    assert "Being measured" in words(drawn("anatomy-walk", None))


@pytest.mark.parametrize("is_before", [True, False])
def test_the_walk_shows_each_image_where_it_was_and_where_it_goes(is_before: bool) -> None:
    now = made_up.anatomy(240, is_before=is_before)
    for place, phase in enumerate(phases_of(now), start=1):
        spec = drawn("anatomy-walk", now, View(anatomy_phase=place, unit=3))
        unit = unit_of(now, View(unit=3))
        shown = images(spec)
        np.testing.assert_array_equal(shown[-1]["y"], unit.value(phase.after))
        if phase.before != phase.after:
            np.testing.assert_array_equal(shown[0]["y"], unit.value(phase.before))
        low, high = spec["layout"]["yaxis"]["autorangeoptions"].values()
        assert low <= unit.value(phase.after).min() <= unit.value(phase.after).max() <= high


def test_the_phases_lead_from_each_other_without_a_gap() -> None:
    for is_before in (True, False):
        phases = phases_of(made_up.anatomy(1, is_before=is_before))
        forward = [one for one in phases if not one.is_backward]
        for one, following in itertools.pairwise(forward):
            start = {one.after, "x" if is_before and one.after == "pre_activation" else one.after}
            assert following.before in start
        assert phases[-1].after == "d_x"


def test_all_phases_of_one_direction_share_their_axis() -> None:
    now = made_up.anatomy(240)
    ends = [
        tuple(drawn("anatomy-walk", now, View(anatomy_phase=place))["layout"]["yaxis"]["autorangeoptions"].values())
        for place in range(1, 10)
    ]
    assert len(set(ends[:5])) == len(set(ends[5:])) == 1


@pytest.mark.parametrize("nonlinearity", list(Nonlinearity))
def test_every_formula_is_one_that_browsers_draw_and_has_this_batchs_numbers(nonlinearity: Nonlinearity) -> None:
    now = made_up.anatomy(240)
    unit = unit_of(now, View())
    for phase in phases_of(now):
        for formula in phase.formulas(unit, nonlinearity):
            assert mathml(formula).startswith("<math")
            assert "nan" not in formula
    moments = phases_of(now)[1].formulas(unit, nonlinearity)
    assert f"{unit.of('mean'):.3g}" in moments[0]
    assert f"{unit.of('variance'):.3g}" in moments[1]


def test_a_density_holds_all_of_the_distribution() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    quantiles = np.quantile(values, QUANTILE_LEVELS)
    edges = np.linspace(values.min(), values.max(), 41)
    density = density_of(quantiles, edges)
    assert density.sum() == pytest.approx(1)
    expected = np.histogram(values, edges)[0] / len(values)
    assert np.abs(density - expected).max() < 0.01


def test_a_distribution_of_one_value_is_one_bin() -> None:
    density = density_of(np.zeros(len(QUANTILE_LEVELS)), np.linspace(-1, 1, 20))
    assert density.max() == pytest.approx(1)


def test_the_recovered_identity_is_the_identity() -> None:
    now = made_up.anatomy(240)
    unit = unit_of(now, View(unit=2))
    gamma, beta = identity_of(unit)
    np.testing.assert_allclose(recovered(unit, gamma, beta), unit.value("x"), atol=1e-12)
    said = drawn("anatomy-identity", now, View(unit=2, gamma=gamma, beta=beta))["layout"]["meta"]["finding"]
    assert "the output is the input" in said
    said = drawn("anatomy-identity", now, View(unit=2, gamma=gamma, beta=beta + 0.5))["layout"]["meta"]["finding"]
    assert "0.50 away from the input" in said


def test_the_factor_that_is_looked_at_is_marked_and_told() -> None:
    spec = drawn("anatomy-scale", made_up.anatomy(240), View(weight_factor=2.0))
    assert spec["layout"]["meta"]["finding"].startswith("a = 2: ")
    (mark,) = [one for one in spec["layout"]["shapes"] if one["name"] == "factor"]
    assert 10 ** mark["x0"] == pytest.approx(2, rel=0.01)
    assert "the gradient × 0.50" in spec["layout"]["meta"]["finding"]


def test_the_naive_bias_and_the_loss_that_does_not_move_are_told() -> None:
    now = made_up.anatomy(240)
    said = drawn("anatomy-naive", now)["layout"]["meta"]["finding"]
    assert "the loss moved by 0 nats" in said


def test_the_correction_of_the_variance_is_told_with_the_populations() -> None:
    now = made_up.anatomy(240)
    said = drawn("anatomy-stream", now)["layout"]["meta"]["finding"]
    assert "times m/(m − 1)" in said
    assert "of 10,000 images" in said


def test_inference_tells_what_running_averages_cost() -> None:
    said = drawn("anatomy-inference", made_up.anatomy(240))["layout"]["meta"]["finding"]
    assert said.startswith("against batch statistics: −1.00 percentage points with running averages, +")


# --- what is drawn, against the record --------------------------------------------------------------------------------

NOW = made_up.anatomy(240)
AT_3 = View(unit=3)


def named(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one.get("name") == name]


def formulas(name: str, view: View = AT_3) -> str:
    return " ".join(drawn(name, NOW, view)["layout"]["meta"]["formulas"])


def formulas_of_phase(title: str, nonlinearity: Nonlinearity = Nonlinearity.SIGMOID) -> str:
    (phase,) = [one for one in phases_of(NOW) if one.title == title]
    return " ".join(phase.formulas(unit_of(NOW, AT_3), nonlinearity))


def end_texts(spec: dict[str, Any], panel: str = "") -> list[dict[str, Any]]:
    notes = spec["layout"]["annotations"]
    return [one for one in notes if one["name"] == "end-label" and one["yref"] == f"y{panel}"]


def test_the_unit_that_is_asked_for_is_shown_and_else_the_nearest_that_is_kept() -> None:
    assert unit_of(NOW, View(unit=3)).number == 3
    assert unit_of(replace(NOW, units=3 * np.arange(16)), View(unit=10)).number == 9


def test_the_identity_chart_has_x_across_y_up_and_the_line_on_which_they_are_equal() -> None:
    spec = drawn("anatomy-identity", NOW, View(unit=3, gamma=2.0, beta=-1.0))
    unit = unit_of(NOW, AT_3)
    (shown,), (line,) = named(spec, "images"), named(spec, "identity")
    np.testing.assert_array_equal(shown["x"], unit.value("x"))
    np.testing.assert_allclose(shown["y"], 2 * unit.value("normalized") - 1)
    np.testing.assert_array_equal(shown["customdata"], NOW.labels)
    assert line["x"] == line["y"]
    gamma, beta = identity_of(unit)
    told = formulas("anatomy-identity")
    assert rf"\epsilon}} = {gamma:.3g}" in told
    assert rf"\mathcal B}} = {beta:.3g}" in told


def test_the_walk_joins_each_image_with_itself_and_hovers_its_own_digit_and_values() -> None:
    place = next(at for at, one in enumerate(phases_of(NOW), start=1) if one.title == "scale and shift")
    spec, unit = drawn("anatomy-walk", NOW, View(unit=3, anatomy_phase=place)), unit_of(NOW, AT_3)
    before, after = unit.value("normalized"), unit.value("y")
    (lines,) = named(spec, "images")
    ends = lines["y"].reshape(-1, 3)
    np.testing.assert_array_equal(ends[:, :2], np.stack([before, after], axis=1))
    for dots in images(spec):
        np.testing.assert_array_equal(dots["customdata"], np.stack([NOW.labels, before, after], axis=1))
    assert spec["layout"]["xaxis2"]["ticktext"] == ["x̂", "y"]
    scrub = spec["layout"]["meta"]["scrub"]
    assert scrub["value"] == place
    assert scrub["names"][place - 1] == "scale and shift"


def test_the_layers_distribution_is_grey_before_the_phase_and_filled_after_it_and_fits_its_panel() -> None:
    place = next(at for at, one in enumerate(phases_of(NOW), start=1) if one.title == "scale and shift")
    spec = drawn("anatomy-walk", NOW, View(anatomy_phase=place))
    before, after = (next(one for one in named(spec, name) if one.get("yaxis") == "y") for name in ("normalized", "y"))
    assert ("fill" in before, "fill" in after) == (False, True)
    low, high = spec["layout"]["yaxis"]["autorangeoptions"].values()
    edges = np.linspace(low, high, len(after["x"]) + 1)
    for shown, stage in ((before, "normalized"), (after, "y")):
        found = np.histogram(NOW.values[STAGES.index(stage)], edges)[0] / NOW.values[0].size
        np.testing.assert_allclose(shown["x"], found, atol=0.02)
        assert max(shown["x"]) <= spec["layout"]["xaxis"]["autorangeoptions"]["clipmax"]


def test_mean_and_standard_deviation_are_marked_where_they_lie_and_close_ones_share_a_label() -> None:
    spec, x = drawn("anatomy-walk", NOW, View(unit=3, anatomy_phase=2)), unit_of(NOW, AT_3).value("x")
    heights = sorted(one["y"][0] for one in named(spec, "moments"))
    np.testing.assert_allclose(heights, [x.mean() - x.std(), x.mean(), x.mean() + x.std()])
    narrow = NOW.values.copy()
    narrow[:2, :, 3] = 1 + 1e-3 * narrow[:2, :, 3]
    spec = drawn("anatomy-walk", replace(NOW, values=narrow), View(unit=3, anatomy_phase=2))
    assert len([one for one in spec["layout"]["annotations"] if one["name"] == "moment"]) == 1


def test_the_differences_from_pytorch_are_told_each_by_its_name() -> None:
    now = replace(NOW, differences=np.array([1e-7, 3e-7, 2e-7, 1e-7, 4e-7, 5e-7]))
    said = drawn("anatomy-walk", now)["layout"]["meta"]["finding"]
    assert "forward 10⁻⁷, backward 3×10⁻⁷, running statistics 5×10⁻⁷" in said


def test_every_phase_leads_where_the_equations_of_the_paper_lead() -> None:
    assert [(one.before, one.after) for one in phases_of(NOW)] == [
        ("pre_activation", "pre_activation"), ("x", "x"), ("x", "normalized"), ("normalized", "y"), ("y", "output"),
        ("d_output", "d_y"), ("d_y", "d_normalized"), ("d_normalized", "d_normalized"), ("d_normalized", "d_x"),
    ]  # fmt: skip


def test_the_formulas_are_the_papers_with_this_units_numbers() -> None:
    unit = unit_of(NOW, AT_3)
    x, normalized, y, d_x = (unit.value(name) for name in ("x", "normalized", "y", "d_x"))
    assert formulas_of_phase("normalize").endswith(f"= {normalized[0]:.3g}")
    assert rf"\hat x_1 = \frac{{{x[0]:.3g} - " in formulas_of_phase("normalize")
    assert f"g({y[0]:.3g})" in formulas_of_phase("nonlinearity")
    back = formulas_of_phase("back to x̂, γ and β")
    sum_ = r"\sum_i \frac{\partial \ell}{\partial y_i}"
    assert rf"\partial \gamma}} = {sum_} \hat x_i = {tex(unit.of('d_gamma'))}" in back
    assert rf"\partial \beta}} = {sum_} = {tex(unit.of('d_beta'))}" in back
    moments = formulas_of_phase("back to mean and variance")
    assert r"\tfrac{-1}{2} (\sigma_{\mathcal B}^2 + \epsilon)^{-3/2}" in moments
    assert r"\frac{-1}{\sqrt{\sigma_{\mathcal B}^2 + \epsilon}} = " + tex(unit.of("d_mean")) in moments
    last = formulas_of_phase("back to x")
    assert r"\frac{2 (x_i - \mu_{\mathcal B})}{m}" in last
    assert last.endswith(rf"\hat x_i = {tex(float((d_x * normalized).sum()), 1)}")
    for nonlinearity, derivative in (
        (Nonlinearity.SIGMOID, r"g(y)\,(1 - g(y))"),
        (Nonlinearity.TANH, r"1 - \tanh^2 y"),
        (Nonlinearity.RELU, r"1 \text{ where } y > 0, \text{ else } 0"),
        (Nonlinearity.GELU, r"\Phi(y) + y\,\varphi(y)"),
    ):
        assert formulas_of_phase("back through the nonlinearity", nonlinearity).count(rf"g'(y) = {derivative}") == 1


def test_loss_and_gradient_over_a_are_drawn_with_the_statistics_that_they_say() -> None:
    spec = drawn("anatomy-scale", NOW, View(weight_factor=2.0))
    for place, name in enumerate(("batch statistics", "running statistics")):
        loss, gradient = named(spec, name)
        np.testing.assert_allclose(loss["customdata"], NOW.scale_loss[place])
        np.testing.assert_allclose(gradient["customdata"], NOW.scale_gradient[place])
    assert r"\frac{1}{a} \cdot" in formulas("anatomy-scale")
    said = spec["layout"]["meta"]["finding"]
    assert "outputs move by 10⁻⁵ s.d." in said
    assert "the loss 0.400 → 0.400; with running statistics the loss 0.400 → 0.8" in said


def test_each_gradients_bias_and_loss_are_drawn_told_and_labelled_as_its_own() -> None:
    losses = np.stack([np.linspace(0.4, 0.41, 101), np.full(101, 0.4)])
    now = replace(NOW, naive_loss=losses)
    spec, grown = drawn("anatomy-naive", now, AT_3), now.naive_bias[0, -1, 3]
    (bias, loss), (whole_bias, _) = named(spec, "naive gradient"), named(spec, "whole gradient")
    np.testing.assert_array_equal(bias["y"], now.naive_bias[0, :, 3])
    np.testing.assert_array_equal(whole_bias["y"], now.naive_bias[1, :, 3])
    np.testing.assert_array_equal(loss["y"], losses[0])
    assert {one["text"]: one["y"] for one in end_texts(spec)} == {"naive<br>gradient": grown, "whole<br>gradient": 0}
    said = spec["layout"]["meta"]["finding"]
    assert f"at {number(grown)} by the naive gradient, at 0 by the whole one; the loss moved by 0.01 nats" in said
    assert formulas("anatomy-naive").endswith(rf"\eta = 0.1, \; b_{{100}} = {tex(grown)}")


def test_the_stream_draws_batches_running_average_and_population_of_the_unit() -> None:
    spec = drawn("anatomy-stream", NOW, AT_3)
    for panel, kind in enumerate(("mean", "variance")):
        own, running = named(spec, "each batch")[panel], named(spec, "running")[panel]
        np.testing.assert_array_equal(own["y"], getattr(NOW, f"stream_{kind}")[:, 3])
        np.testing.assert_array_equal(running["y"], getattr(NOW, f"running_{kind}")[:, 3])
        assert (own["x"][0], running["x"][0], own["x"][-1], running["x"][-1]) == (1, 0, 100, 100)
        population = [one for one in spec["layout"]["shapes"] if one["name"] == "population"][panel]
        assert population["y0"] == population["y1"] == getattr(NOW, f"population_{kind}")[3]
    told = formulas("anatomy-stream")
    assert r"\leftarrow (1 - p)\, \text{E}[x] + p\, \mu_{\mathcal B}" in told
    assert r"\leftarrow (1 - p)\, \mathrm{Var}[x] + p\, \frac{m}{m - 1} \sigma_{\mathcal B}^2" in told
    assert r"\frac{60}{59}" in told
    mean = float(NOW.stream_variance[:, 3].mean())
    assert f"{number(mean, 3)}, times m/(m − 1) {number(mean * 60 / 59, 3)}" in spec["layout"]["meta"]["finding"]


def test_only_the_last_panel_of_the_stream_names_its_lines_beside_their_values() -> None:
    spec = drawn("anatomy-stream", NOW)
    assert not any("running" in one["text"] or "population" in one["text"] for one in end_texts(spec))
    assert sorted(one["text"].split("<br>")[0].split()[-1] for one in end_texts(spec, "2")) == ["population", "running"]


def test_each_kind_of_statistics_stands_beside_its_own_accuracy() -> None:
    spec = drawn("anatomy-inference", NOW)
    axis = spec["layout"]["yaxis"]
    kinds = dict(zip(axis["tickvals"], axis["ticktext"], strict=True))
    expected = {"each batch’s": 94.0, "running": 93.0, "population’s": 94.1}
    for name, share in expected.items():
        (dot,) = named(spec, name)
        assert kinds[dot["y"][0]] == name
        assert dot["x"][0] == pytest.approx(share)
    texts = {kinds[one["y"]]: one for one in spec["layout"]["annotations"] if one["name"] == "accuracy"}
    assert {name: one["text"] for name, one in texts.items()} == {
        "each batch’s": "94.00\xa0%", "running": "93.00\xa0%", "population’s": "94.10\xa0%",
    }  # fmt: skip
    scale, shift = NOW.folded_scale[3], NOW.folded_shift[3]
    sign = "+" if shift >= 0 else "-"
    assert formulas("anatomy-inference").endswith(rf"y = {tex(scale)}\, x {sign} {tex(abs(shift))}")


def test_before_the_first_step_it_says_what_to_press() -> None:
    run = run_with(None)
    run = run.replace(status=replace(run.status, step=0))
    assert "Press Play" in words(FIGURES["anatomy-walk"](run, View()))
