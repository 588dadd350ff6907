"""Charts of the paper's Figure 1: what they draw is what was recorded, and a live run stands over it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import FIGURE_ONE_STEPS, GRIDS, TWINS, FigureOneConfig, UpdateRule, View, recorded_configs
from bnviz.figures import FIGURES, resolve, sentence
from bnviz.figures.figure_one_tuned import MOMENTS, best_of, envelope
from bnviz.figures.figure_one_words import grown, steps_to
from bnviz.records import FIGURE_ONE_CHARTS, FigureOne, Health, Replica, Run
from bnviz.records.status import Condition
from tests.figures.made_up_figure_one import STEPS, a_live_run, a_recorded_run, a_replica, a_study
from tests.figures.test_every_figure import without_arrays

STUDY = a_study()
NOT_RUNNING = ("figure-one-rates", "figure-one-tuned", "figure-one-optimizers")


def spec_of(name: str, run: Run | None = None, **view: Any) -> dict[str, Any]:
    return FIGURES[name](run or a_recorded_run(STUDY), View(**view))


def traces(spec: dict[str, Any], name: str, mode: str = "lines") -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one["name"] == name and one["mode"] == mode]


def with_steps(plain: float | None, bn: float | None) -> Run:
    """A recording in which each network is at 95 % from a step on, or never; the seeds alike."""
    study = a_study()
    assert study.shown is not None

    def changed(one: Replica) -> Replica:
        accuracy = np.full_like(one.accuracy, 0.5)
        for k, step in enumerate((plain, bn)):
            if step is not None:
                accuracy[one.step >= step, k] = 0.95
        return replace(one, accuracy=accuracy)

    return a_recorded_run(FigureOne(study.config, tuple(map(changed, study.replicas)), changed(study.shown)))


@pytest.mark.parametrize("config", list(recorded_configs())[::3], ids=lambda one: one.name)
@pytest.mark.parametrize("name", FIGURE_ONE_CHARTS)
def test_every_chart_of_every_recording_is_a_valid_figure(name: str, config: FigureOneConfig) -> None:
    study = a_study(config)
    for run in (a_recorded_run(study), a_live_run(study)):
        for view in (View(), View(step=1000, layer=1, unit=99, is_whole_range=True)):
            spec = FIGURES[name](run, view)
            go.Figure(resolve(spec, "dark"))
            text = json.dumps(without_arrays(spec), allow_nan=False)
            assert "@" not in json.dumps(without_arrays(resolve(spec, "light")))
            assert spec["layout"]["meta"]["alt"]
            assert "nan" not in text.lower().split()


@pytest.mark.parametrize("name", FIGURE_ONE_CHARTS)
def test_without_a_recording_a_chart_says_so_and_what_to_do(name: str) -> None:
    empty = replace(a_study(only=0), notice="The recording is missing: record it again.")
    spec = spec_of(name, a_recorded_run(empty))
    (note,) = [one for one in spec["layout"]["annotations"] if one["name"] == "note"]
    assert note["text"] == "There is no recording of this run here."
    assert "record it again" in spec["layout"]["meta"]["finding"]
    assert FIGURES[name](a_recorded_run(STUDY).replace(study=None), View())["layout"]["meta"]["finding"] == ""


@pytest.mark.parametrize("only", [1, 7])
@pytest.mark.parametrize("name", FIGURE_ONE_CHARTS)
def test_what_could_be_read_is_drawn_where_other_recordings_are_lacking(name: str, only: int) -> None:
    study = a_study(next(iter(recorded_configs())), only=only)
    go.Figure(resolve(spec_of(name, a_recorded_run(study)), "light"))


def test_accuracy_draws_the_chosen_seed_and_the_band_of_all() -> None:
    spec = spec_of("figure-one-accuracy")
    shown = a_replica(FigureOneConfig())
    seeds = [a_replica(one) for one in FigureOneConfig().replicas]
    assert len(seeds) == 3
    for k, one in enumerate(TWINS):
        (line,) = traces(spec, one.label)
        np.testing.assert_array_equal(line["x"], STEPS)
        np.testing.assert_allclose(line["y"], 100 * shown.accuracy[:, k])
        least, most = traces(spec, f"{one.label}, seeds")
        np.testing.assert_allclose(least["y"], 100 * np.min([each.accuracy[:, k] for each in seeds], axis=0))
        np.testing.assert_allclose(most["y"], 100 * np.max([each.accuracy[:, k] for each in seeds], axis=0))
        assert most["fill"] == "tonexty"


def test_accuracy_begins_where_the_papers_axis_does_unless_that_hides_a_network() -> None:
    ends = lambda spec: list(spec["layout"]["yaxis"]["autorangeoptions"].values())  # noqa: E731
    assert ends(spec_of("figure-one-accuracy")) == [70, 100]
    assert ends(spec_of("figure-one-accuracy", is_whole_range=True)) == [0, 100]
    hidden = spec_of("figure-one-accuracy", a_recorded_run(a_study(final=(0.11, 0.98))))
    assert ends(hidden) == [0, 100]
    assert hidden["layout"]["meta"]["instead"] == {"is_whole_range": True}  # which the switch shows as pressed
    assert "instead" not in spec_of("figure-one-accuracy")["layout"]["meta"]


def test_a_live_run_is_drawn_over_its_recording() -> None:
    run = a_live_run(STUDY, points=40)
    for name, series in (("figure-one-accuracy", TWINS[1].label), ("figure-one-bands", "50 %")):
        spec = spec_of(name, run)
        recorded, live = traces(spec, f"recorded, {series}"), traces(spec, series)
        assert len(recorded) == len(live) > 0
        assert all(one["opacity"] < 1 for one in recorded)
        assert len(recorded[0]["x"]) == len(STEPS)
        assert live[0]["x"][-1] == STEPS[39]
        assert spec["layout"]["meta"]["badge"] == "measured"
        assert "Faint: the recording" in spec["layout"]["meta"]["how"]


@pytest.mark.parametrize("name", ["figure-one-accuracy", "figure-one-bands"])
def test_a_live_run_has_its_own_numbers_as_far_as_it_has_come_and_the_recorded_ones_are_named_so(name: str) -> None:
    run = a_live_run(STUDY, points=40)
    own = run.replace(history=replace(run.history, accuracy=run.history.accuracy * 0 + np.float32(0.5)))
    finding = lambda step: spec_of(name, own, step=step)["layout"]["meta"]["finding"]  # noqa: E731
    now, before, beyond = finding(-1), finding(int(STEPS[20])), finding(int(STEPS[60]))
    assert now.startswith(f"At step {STEPS[39]:,.0f}: ")
    assert before.startswith(f"At step {STEPS[20]:,.0f}: ")
    assert beyond.startswith(f"Recorded, at step {STEPS[60]:,.0f}: ")
    if name == "figure-one-accuracy":
        assert "50.0" in now
        assert "50.0" in before
        assert "50.0" not in beyond
    assert spec_of("figure-one-bands", own)["layout"]["meta"]["scrub"]["end"] == "the end of the recording"


@pytest.mark.parametrize("name", NOT_RUNNING)
def test_what_is_recorded_alone_is_marked_so_beside_a_live_run(name: str) -> None:
    spec = spec_of(name, a_live_run(STUDY))
    assert spec["layout"]["meta"]["badge"] == "recorded"
    assert str(spec["data"]) == str(spec_of(name)["data"])


def test_bands_are_those_of_the_layer_and_the_unit_nearest_to_the_one_asked_for() -> None:
    shown = STUDY.shown
    assert shown is not None
    assert shown.bands is not None
    spec = spec_of("figure-one-bands", layer=2, unit=50)
    index = int(np.argmin(np.abs(shown.units[1] - 50)))
    assert f"unit {shown.units[1, index]} of layer 2" in spec["layout"]["title"]["text"]
    for k in range(len(TWINS)):
        for level, share in enumerate(("15 %", "50 %", "85 %")):
            line = traces(spec, share)[k]
            np.testing.assert_array_equal(line["y"], shown.bands[:, k, 1, index, level].astype(np.float32))
    ends = [spec["layout"][axis]["autorangeoptions"] for axis in ("yaxis", "yaxis2")]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ["figure-one-accuracy", "figure-one-bands"])
def test_the_slider_goes_through_the_recorded_steps_and_both_charts_show_where_it_stands(name: str) -> None:
    whole, at_step = spec_of(name), spec_of(name, step=1000)
    for spec in (spec_of("figure-one-bands"), spec_of("figure-one-bands", step=1000)):
        assert spec["layout"]["meta"]["scrub"]["values"] == [int(step) for step in STEPS]
    assert not [one for one in whole["layout"]["shapes"] if one["name"] == "step"]
    marked = {one["x0"] for one in at_step["layout"]["shapes"] if one["name"] == "step"}
    (step,) = marked
    assert step == STEPS[np.argmin(np.abs(STEPS - 1000))]
    assert f"step {step:,.0f}" in at_step["layout"]["meta"]["finding"]


def test_every_learning_rate_has_its_line_and_the_chosen_one_is_the_widest() -> None:
    spec = spec_of("figure-one-rates")
    for rate in GRIDS[UpdateRule.SGD].rates:
        lines = traces(spec, f"learning rate {rate:g}")
        assert [line["xaxis"] for line in lines] == ["x", "x2"]
        for k, line in enumerate(lines):
            np.testing.assert_allclose(line["y"], 100 * a_replica(FigureOneConfig(learning_rate=rate)).accuracy[:, k])
    widths = {one["name"]: one["line"]["width"] for one in spec["data"] if one["mode"] == "lines"}
    assert max(widths, key=lambda one: widths[one]) == f"learning rate {FigureOneConfig().learning_rate:g}"


def test_best_tuned_is_the_best_median_over_all_rates_and_scales() -> None:
    for steps in MOMENTS:
        for k in range(len(TWINS)):
            candidates = {}
            for rate in GRIDS[UpdateRule.SGD].rates:
                for scale in GRIDS[UpdateRule.SGD].scales:
                    values = []
                    for seed in GRIDS[UpdateRule.SGD].seeds:
                        one = a_replica(FigureOneConfig(UpdateRule.SGD, rate, scale, seed))
                        values.append(one.accuracy[one.step <= steps, k][-1])
                    candidates[rate, scale] = np.median(values)
            best = best_of(STUDY, UpdateRule.SGD, k, steps)
            assert best is not None
            assert best.accuracy == pytest.approx(max(candidates.values()))
            assert candidates[best.rate, best.scale] == pytest.approx(best.accuracy)


def test_a_network_that_diverged_is_nobodys_best() -> None:
    def ended(one: Replica) -> Replica:
        accuracy = one.accuracy.copy()
        if one.config.learning_rate == 10:
            accuracy[50:, 1] = np.nan
        return replace(one, accuracy=accuracy, health=(Health(), Health(Condition.DIVERGED, 40, 2, "weights")))

    study = FigureOne(STUDY.config, tuple(map(ended, STUDY.replicas)), STUDY.shown)
    best = best_of(study, UpdateRule.SGD, 1, FIGURE_ONE_STEPS)
    assert best is not None
    assert best.rate < 10
    for name in FIGURE_ONE_CHARTS:
        go.Figure(resolve(spec_of(name, a_recorded_run(study)), "light"))


def test_the_envelope_is_the_best_of_all_rates_at_each_step() -> None:
    for rule in UpdateRule:
        rates = GRIDS[rule].rates
        for k in range(len(TWINS)):
            all_rates = [a_replica(FigureOneConfig(rule, rate, 0.1, 0)).accuracy[:, k] for rate in rates]
            np.testing.assert_array_equal(envelope(STUDY, rule, 0.1, 0, k, STEPS), np.max(all_rates, axis=0))


# --- the verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "bn", "told"),
    [
        (3000, 1000, "times as many without"),
        (1000, 3000, "times as many with."),
        (1000, 1000, "about the same"),
        (None, 1000, "**never** {plain} without"),
        (1000, None, "**never** {bn} with it"),
        (None, None, "Neither network reaches 90"),
    ],
)
def test_the_verdict_on_speed_says_who_is_faster_whoever_it_is(
    plain: float | None, bn: float | None, told: str
) -> None:
    assert told in sentence(with_steps(plain, bn), View())


def test_the_steps_to_a_mark_are_the_first_measured_ones() -> None:
    run = with_steps(3000, None)
    assert run.figure_one is not None
    assert run.figure_one.shown is not None
    reached = STEPS[STEPS >= 3000][0]
    assert steps_to(run.figure_one.shown) == [reached, None]


@pytest.mark.parametrize(
    ("final", "told"),
    [
        ((0.97, 0.98), "1.00 points more with BN"),
        ((0.98, 0.97), "1.00 points more without BN"),
        ((0.98, 0.981), "as good as equal"),
    ],
)
def test_the_verdict_on_the_end_says_who_is_higher_and_by_how_much(final: tuple[float, float], told: str) -> None:
    study = a_study(FigureOneConfig(learning_rate=2.0), final=final)  # which has come to its end by then
    text = sentence(a_recorded_run(study), View()).replace("\N{NO-BREAK SPACE}", " ")
    assert told in text


def test_the_sentence_says_how_the_unit_that_is_looked_at_spreads() -> None:
    text = sentence(a_recorded_run(STUDY), View(layer=2, unit=50))
    assert "The inputs of unit 50 in layer 2 end 1.5 times as wide as they began with BN, 1.5 times without." in text


def test_a_network_whose_inputs_are_gone_at_the_end_has_no_width() -> None:
    bands = np.array([[[-1, 0, 1], [-2, 0, 2]], [[np.nan] * 3, [-5, 0, 5]]], np.float32)  # [m, k, 3]
    assert grown(TWINS, bands) == "2.5 times as wide as they began with BN"
    bands[1, 1] = np.nan
    assert grown(TWINS, bands) == ""


def test_a_live_run_says_whether_it_comes_to_what_was_recorded() -> None:
    run = a_live_run(STUDY, points=40)
    assert "40 of 40 test accuracies" in sentence(run, View())
    accuracy = run.history.accuracy.copy()
    accuracy[7] += 0.01
    other = run.replace(history=replace(run.history, accuracy=accuracy))
    assert "39 of 40 test accuracies" in sentence(other, View())


def test_a_run_in_the_lab_has_the_labs_sentence() -> None:
    run = a_live_run(STUDY)
    assert "recorded ones" not in sentence(run.replace(study=None), View())
