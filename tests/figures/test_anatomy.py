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
from bnviz.figures.anatomy_parts import phases_of, unit_of
from bnviz.figures.anatomy_walk import density_of
from bnviz.live.formulas import mathml, with_formulas
from bnviz.live.frames import pack
from bnviz.records import ANATOMY_CHARTS, QUANTILE_LEVELS, Anatomy, Run, no_anatomy
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
