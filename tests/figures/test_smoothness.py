"""Smoothness along the gradient as a chart, against the record."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz.config import TWINS, WITH_NOISE, Axis, Competitor, View
from bnviz.figures.shift import running_median, window_of
from bnviz.figures.smoothness import smoothness
from bnviz.records import Health, Run, Smoothness
from tests.figures import made_up_runs as made_up
from tests.figures.test_shift import a_run, is_valid, lines, shown, texts_of

FOUR = WITH_NOISE


def with_records(run: Run, change: Any) -> Run:
    return run.replace(smoothness=tuple(change(one) for one in run.smoothness))


def ends(axis: dict[str, Any]) -> tuple[float, float]:
    return axis["autorangeoptions"]["clipmin"], axis["autorangeoptions"]["clipmax"]


@pytest.mark.parametrize("layers", [1, 3, 20])
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
def test_every_spec_is_a_valid_figure(layers: int, competitors: tuple[Competitor, ...]) -> None:
    for points in (0, 1, 2, 60, 500):
        is_valid(smoothness(a_run(points, layers, competitors), View()))


def test_without_measurements_there_are_axes_and_a_note_and_no_finding() -> None:
    spec = smoothness(a_run(has_shift=False), View())
    assert {trace["name"] for trace in spec["data"]} == {"axis-ends"}
    assert spec["layout"]["meta"]["finding"] == ""
    assert texts_of(spec, "note") == ["Not measured yet."]


def test_the_panels_are_loss_gradient_change_and_beta() -> None:
    spec = smoothness(a_run(), View())
    assert texts_of(spec, "panel-heading") == ["loss, nats", "gradient change", "effective β"]
    assert all(spec["layout"][f"yaxis{number}"]["type"] == "log" for number in ("", "2", "3"))


def test_a_ribbon_reaches_from_the_lowest_to_the_highest_value_over_the_step_sizes() -> None:
    run = a_run(200, competitors=TWINS)
    window = window_of(len(run.smoothness))
    spec = smoothness(run, View())
    for axis, field in (("y", "loss_along"), ("y2", "gradient_change")):
        along = np.array([getattr(one, field) for one in run.smoothness])
        for k, one in enumerate(TWINS):
            drawn = shown(spec, yaxis=axis, mode="lines", line={"color": f"@{one.name}", "width": 1.25})
            (low,) = [line for line in drawn if line["name"] == "lowest"]
            (high,) = [line for line in drawn if line["name"] != "lowest"]
            np.testing.assert_allclose(low["y"], running_median(along[:, k].min(axis=1), window))
            np.testing.assert_allclose(high["y"], running_median(along[:, k].max(axis=1), window))


def test_beta_is_the_highest_over_the_step_sizes() -> None:
    run = a_run(200, competitors=TWINS)
    spec = smoothness(run, View())
    for k, one in enumerate(TWINS):
        (line,) = [each for each in shown(spec, yaxis="y3", mode="lines") if each["line"]["color"] == f"@{one.name}"]
        highest = np.array([each.beta[k].max() for each in run.smoothness])
        np.testing.assert_allclose(line["y"], running_median(highest, window_of(len(highest))))


def test_only_the_twins_ribbons_are_filled() -> None:
    filled = [trace for trace in smoothness(a_run(), View())["data"] if trace.get("fill") == "tonexty"]
    assert [trace["fillcolor"].split("/")[0] for trace in filled] == ["@plain", "@bn"] * 2


def test_which_step_sizes_are_meant_is_said() -> None:
    how = smoothness(a_run(), View())["layout"]["meta"]["how"]
    assert "0.5, 1, 2, 4 × the learning rate" in how
    assert "a = 0 not included" in how


def test_an_infinite_loss_is_drawn_at_the_axis_end_and_stretches_no_axis() -> None:
    def overflow(one: Smoothness) -> Smoothness:
        if one.step < 700:
            return one
        loss, change, beta = one.loss_along.copy(), one.gradient_change.copy(), one.beta.copy()
        loss[0, 2:], change[0, 3], beta[0, 3] = np.inf, np.inf, np.inf
        return replace(one, loss_along=loss, gradient_change=change, beta=beta)

    run = a_run(200, competitors=TWINS)
    spec = smoothness(with_records(run, overflow), View())
    is_valid(spec)
    usual = smoothness(run, View())["layout"]
    for number in ("", "2", "3"):
        low, high = ends(spec["layout"][f"yaxis{number}"])
        assert high <= 2 * ends(usual[f"yaxis{number}"])[1]
        drawn = [line for line in shown(spec, yaxis=f"y{number}", mode="lines") if line["line"]["color"] == "@plain"]
        assert max(float(line["y"][-1]) for line in drawn) == high
        assert all(low <= line["y"].min() for line in drawn)


def test_everything_infinite_gives_no_finding_in_numbers() -> None:
    run = with_records(a_run(competitors=TWINS), lambda one: replace(one, loss_along=np.full((2, 4), np.inf)))
    spec = smoothness(run, View())
    is_valid(spec)
    assert "loss range" not in spec["layout"]["meta"]["finding"]


def test_a_stopped_competitor_ends_where_it_stopped() -> None:
    def stop(one: Smoothness) -> Smoothness:
        if one.step < 500:
            return one
        gone = {name: getattr(one, name).copy() for name in ("loss_along", "gradient_change", "beta", "loss")}
        for array in gone.values():
            array[0] = np.nan
        return replace(one, **gone)

    run = a_run(200, health=(made_up.diverged(500), Health(), Health(), Health()))
    spec = smoothness(with_records(run, stop), View())
    is_valid(spec)
    last = max(one.step for one in run.smoothness if one.step < 500)
    of_plain = [line for line in lines(spec) if line["line"]["color"] == "@plain"]
    assert {float(line["x"][-1]) for line in of_plain} == {last}
    (cross,) = [one for one in shown(spec, mode="markers") if one["marker"].get("symbol") == "x"]
    assert list(cross["x"]) == [last]


def test_the_finding_tells_the_ratio_of_each_measure() -> None:
    def known(one: Smoothness) -> Smoothness:
        return replace(
            one,
            loss_along=np.array([[1.0, 1.5, 2.0, 4.0], [0.5, 0.6, 0.8, 1.5]]),
            gradient_change=np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0]]),
            beta=np.array([[1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 2.0]]),
        )

    run = with_records(a_run(competitors=TWINS), known)
    assert smoothness(run, View())["layout"]["meta"]["finding"] == (
        "with BN relative to without BN: loss range ÷ 3.0, gradient change × 2.0, β × 1.0 (median of 15 measurements)"
    )


def test_over_compute_time_each_competitor_has_its_own_x() -> None:
    run = a_run(competitors=TWINS)
    spec = smoothness(run, View(axis=Axis.COMPUTE))
    steps = np.array([one.step for one in run.smoothness])
    for k, one in enumerate(TWINS):
        (line,) = [each for each in shown(spec, yaxis="y3", mode="lines") if each["line"]["color"] == f"@{one.name}"]
        expected = np.interp(steps, run.history.step, run.history.compute_seconds[:, k])
        np.testing.assert_allclose(line["x"], expected)
