"""The sharpness as a chart, against the record."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz.config import TWINS, WITH_NOISE, Axis, Competitor, Optimizer, View
from bnviz.figures.sharpness import sharpness
from bnviz.records import Health, Intervention, Run, Sharpness
from tests.figures import made_up_runs as made_up
from tests.figures.test_shift import a_run, is_valid, lines, notes, shown, texts_of

FOUR = WITH_NOISE
FASTER = Intervention(600, "learning_rate", 0.5, 2.0)


def with_curvatures(run: Run, change: Any) -> Run:
    """The run with `change(step)` as the curvatures, [k]."""
    return run.replace(
        sharpness=tuple(replace(one, eigenvalue=np.array(change(one.step), float)) for one in run.sharpness)
    )


def with_settings(run: Run, **changes: Any) -> Run:
    return run.replace(settings=run.settings.replace(**changes))


def limits(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in lines(spec) if one["line"].get("dash") == "dot"]


def curves(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """With a dot at every measurement: straight pieces between them are not measured."""
    return shown(spec, mode="lines+markers")


def meta(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["layout"]["meta"]


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
def test_every_spec_is_a_valid_figure(optimizer: Optimizer, competitors: tuple[Competitor, ...]) -> None:
    for points in (0, 1, 2, 60, 500):
        run = a_run(points, competitors=competitors, interventions=(FASTER,))
        for momentum in (0.0, 0.9):
            is_valid(sharpness(with_settings(run, optimizer=optimizer, momentum=momentum), View()))


def test_without_measurements_there_are_axes_and_a_note_and_no_finding() -> None:
    for points in (0, 60):
        spec = sharpness(a_run(points, has_shift=False), View())
        assert {trace["name"] for trace in spec["data"]} == {"axis-ends"}
        assert meta(spec)["finding"] == ""
        assert texts_of(spec, "note") == ["Not measured yet."]


def test_every_measurement_is_drawn_in_its_networks_colour() -> None:
    run = a_run(200, competitors=FOUR)
    spec = sharpness(run, View())
    assert spec["layout"]["yaxis"]["type"] == "log"
    for k, one in enumerate(FOUR):
        (drawn,) = [each for each in curves(spec) if each["line"]["color"] == f"@{one.name}"]
        np.testing.assert_array_equal(drawn["x"], [each.step for each in run.sharpness])
        np.testing.assert_allclose(drawn["y"], [each.eigenvalue[k] for each in run.sharpness])
        assert any(one.label in text for text in texts_of(spec, "end-label"))


def test_over_compute_time_each_competitor_has_its_own_x() -> None:
    run = a_run(competitors=TWINS)
    spec = sharpness(run, View(axis=Axis.COMPUTE))
    for k, one in enumerate(TWINS):
        (drawn,) = [each for each in curves(spec) if each["line"]["color"] == f"@{one.name}"]
        steps = [each.step for each in run.sharpness]
        np.testing.assert_allclose(
            drawn["x"], np.interp(steps, run.history.step, run.history.compute_seconds[:, k])
        )  # fmt: skip


def test_what_has_no_logarithm_is_not_drawn() -> None:
    run = with_curvatures(a_run(competitors=TWINS), lambda step: [0.0 if step > 700 else 2.0, -1.0])
    spec = sharpness(run, View())
    is_valid(spec)
    (drawn,) = curves(spec)
    assert drawn["line"]["color"] == "@plain"
    assert drawn["x"][-1] <= 700


def test_a_stopped_competitor_ends_where_it_stopped() -> None:
    run = a_run(200, competitors=TWINS, health=(made_up.diverged(500), Health()))
    spec = sharpness(with_curvatures(run, lambda step: [2.0 if step < 500 else np.nan, 1.0]), View())
    is_valid(spec)
    last = max(one.step for one in run.sharpness if one.step < 500)
    (cross,) = [one for one in shown(spec, mode="markers") if one["marker"].get("symbol") == "x"]
    assert list(cross["x"]) == [last]


# --- the learning rate's line -----------------------------------------------------------------------------------------


def test_competitors_that_share_their_learning_rate_share_one_line_at_2_over_it() -> None:
    spec = sharpness(a_run(competitors=FOUR), View())
    (limit,) = limits(spec)
    assert limit["name"] == "2 / learning rate"
    assert limit["line"]["color"] == "@muted"
    assert set(limit["y"]) == {4.0}
    assert (limit["x"][0], limit["x"][-1]) == (0, 1500)
    assert any("4.0" in text and "learning rate" in text for text in texts_of(spec, "end-label"))


def test_the_line_is_a_staircase_that_steps_where_the_visitor_changed_the_rate() -> None:
    changes = (FASTER, Intervention(900, "batch_size", 60, 120), Intervention(1000, "learning_rate", 2.0, 1.0))
    (limit,) = limits(sharpness(a_run(interventions=changes), View()))
    assert limit["line"]["shape"] == "hv"
    assert list(zip(limit["x"], limit["y"], strict=True)) == [(0, 4), (600, 1), (1000, 2), (1500, 2)]


def test_a_competitor_with_a_rate_of_its_own_has_a_line_of_its_own() -> None:
    own = (TWINS[0], replace(TWINS[1], learning_rate=1.0))
    spec = sharpness(a_run(competitors=own, interventions=(FASTER,)), View())
    found = {limit["line"]["color"]: list(limit["y"]) for limit in limits(spec)}
    assert found == {"@plain": [4, 1, 1], "@bn": [2, 2, 2]}


def test_with_momentum_the_line_is_higher_and_says_so() -> None:
    changes = (Intervention(600, "momentum", 0.0, 0.9),)
    spec = sharpness(with_settings(a_run(interventions=changes), momentum=0.9), View())
    (limit,) = limits(spec)
    assert limit["name"] == "(2 + 2β) / learning rate"
    np.testing.assert_allclose(limit["y"], [4, 7.6, 7.6])
    assert "(2 + 2β) / learning rate, β the momentum" in meta(spec)["how"]


def test_with_adam_there_is_no_line_and_it_is_said_why() -> None:
    spec = sharpness(with_settings(a_run(), optimizer=Optimizer.ADAM, momentum=0.9), View())
    assert not limits(spec)
    assert "not of Adam" in meta(spec)["how"]
    assert not any("learning rate" in text for text in (*texts_of(spec, "end-label"), meta(spec)["finding"]))


def test_a_line_far_beyond_the_curves_leaves_them_their_room_and_is_named_at_the_edge() -> None:
    def ends(spec: dict[str, Any]) -> list[float]:
        return list(spec["layout"]["yaxis"]["autorangeoptions"].values())

    slow = sharpness(with_settings(a_run(), learning_rate=0.001), View())
    assert not limits(slow)
    assert ends(slow)[1] < 20
    assert any("↑ 2,000" in text for text in texts_of(slow, "end-label"))
    near = sharpness(with_settings(a_run(), learning_rate=0.1), View())
    assert ends(near)[1] >= 20
    assert len(limits(near)) == 1


# --- what is said -----------------------------------------------------------------------------------------------------


def said(change: Any, run: Run | None = None) -> str:
    return str(meta(sharpness(with_curvatures(run or a_run(competitors=TWINS), change), View()))["finding"])


def test_the_finding_tells_the_ratio_and_since_when_the_line_is_exceeded() -> None:
    run = a_run(competitors=TWINS)
    since = min(one.step for one in run.sharpness if one.step >= 700)
    assert said(lambda step: [6.0 if step >= 700 else 2.0, 1.0]).endswith(
        f"above 2 / learning rate since step {since} without BN, never with it"
    )
    assert said(lambda step: [2.0, 1.0]).startswith("with BN relative to without BN: ÷ 2.0 (median of 20 measurements)")


def test_a_line_that_was_exceeded_for_a_while_is_told_with_the_last_step_of_it() -> None:
    assert said(lambda step: [6.0 if step == 0 else 2.0, 5.0]).endswith(
        "above 2 / learning rate last at step 0 without BN, since step 0 with it"
    )


def test_the_line_that_counts_is_the_one_at_the_learning_rate_of_the_measurement() -> None:
    run = a_run(competitors=TWINS, interventions=(FASTER,))
    later = [replace(one, learning_rate=np.full(2, 2.0)) if one.step > 600 else one for one in run.sharpness]
    first = min(one.step for one in later if one.step > 600)
    found = said(lambda step: [3.0, 0.5], run.replace(sharpness=tuple(later)))
    assert found.endswith(f"above 2 / learning rate since step {first} without BN, never with it")


def test_what_was_never_measured_is_not_told() -> None:
    assert said(lambda step: [np.nan, 1.0]) == "above 2 / learning rate never with BN"
    assert said(lambda step: [np.nan, np.nan]) == ""


def test_the_text_alternative_and_the_line_below_tell_values_limit_and_residual() -> None:
    spec = sharpness(with_curvatures(a_run(competitors=TWINS), lambda step: [2.0, 1.0]), View())
    assert "without BN 2.0, with BN 1.0, 2 / learning rate 4.0" in meta(spec)["alt"]
    assert "residual at most" in meta(spec)["how"]


def test_events_are_marked_and_named() -> None:
    spec = sharpness(a_run(interventions=(FASTER,)), View())
    assert [shape["x0"] for shape in spec["layout"]["shapes"]] == [600]
    assert [one["text"] for one in notes(spec, "intervention")] == ["lr 0.5 → 2"]


def test_a_single_measurement_is_a_figure_with_a_finding() -> None:
    run = a_run(competitors=TWINS)
    one: Sharpness = run.sharpness[0]
    spec = sharpness(run.replace(sharpness=(one,)), View())
    is_valid(spec)
    assert "(median of 1 measurement)" in meta(spec)["finding"]
