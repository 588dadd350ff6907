"""Charts of experiments of several runs and of deep networks: what they draw is what the record holds."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import BATCH_SIZES, LEARNING_RATES, TRAINING_SETS, TRIALS, Experiment, View
from bnviz.figures import FIGURES, resolve, sentence
from bnviz.figures.depth_growth import WIDE_GROWTH, growth_factors
from bnviz.figures.numbers import percent
from bnviz.records import AMOUNTS, Depth, Trials
from bnviz.ui.charts import LIMITS_CHARTS
from tests.figures.made_up_trials import a_depth, a_run_with, a_trials
from tests.figures.test_every_figure import without_arrays

STUDIES: dict[str, Trials | Depth] = {str(one): a_trials(one) for one in TRIALS} | {"depth": a_depth()}
DRAWN = [(part, name) for part in STUDIES for name in LIMITS_CHARTS[part]]
UNFINISHED = {
    "nothing": lambda one: a_trials(one, known=0),
    "one run": lambda one: a_trials(one, known=1),
    "a seed": lambda one: a_trials(one, known=len(TRIALS[one].conditions)),
    "one seed in all": lambda one: a_trials(one, seeds=1),
    "a network that diverged": lambda one: a_trials(one, diverged=(0, 0)),
}


def spec_of(study: Trials | Depth, name: str, **view: Any) -> dict[str, Any]:
    return FIGURES[name](a_run_with(study), View(**view))


def traces(spec: dict[str, Any], name: str, mode: str = "lines+markers") -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one["name"] == name and one.get("mode") == mode]


def is_sound(spec: dict[str, Any]) -> bool:
    go.Figure(resolve(spec, "dark"))
    text = json.dumps(without_arrays(spec), allow_nan=False)
    meta = spec["layout"]["meta"]
    return "@" not in json.dumps(without_arrays(resolve(spec, "light"))) and meta["alt"] and "nan" not in text.lower()


@pytest.mark.parametrize(("part", "name"), DRAWN)
def test_every_chart_of_a_whole_experiment_is_a_valid_figure(part: str, name: str) -> None:
    for trial in (0, 1, 20):
        assert is_sound(spec_of(STUDIES[part], name, trial=trial))


@pytest.mark.parametrize("state", UNFINISHED)
@pytest.mark.parametrize("experiment", list(TRIALS))
def test_every_chart_of_an_unfinished_experiment_is_a_valid_figure(experiment: Experiment, state: str) -> None:
    study = UNFINISHED[state](experiment)
    for name in LIMITS_CHARTS[experiment]:
        assert is_sound(spec_of(study, name))
    text = sentence(a_run_with(study), View())
    assert text.endswith((".", ":"))
    assert "nan" not in text.lower()


@pytest.mark.parametrize(("part", "name"), DRAWN)
def test_a_run_without_an_experiment_says_that_it_is_being_measured(part: str, name: str) -> None:
    run = a_run_with(STUDIES[part]).replace(study=None)
    (one,) = [note for note in FIGURES[name](run, View())["layout"]["annotations"] if note["name"] == "note"]
    assert one["text"].endswith(".")


def test_the_summary_draws_the_median_error_of_every_network_at_every_condition() -> None:
    trials = a_trials(Experiment.BATCH_SIZE)
    spec = spec_of(trials, "trials-summary")
    for k, one in enumerate(trials.config.competitors):
        (line,) = traces(spec, one.label)
        np.testing.assert_allclose(line["customdata"], 100 * (1 - np.median(trials.accuracy[k, :, :, -1], axis=1)))
        np.testing.assert_array_equal(line["x"], np.arange(len(BATCH_SIZES)))
    assert spec["layout"]["xaxis"]["ticktext"] == ["1", "4", "16", "64", "256"]
    assert spec["layout"]["xaxis"]["tickvals"] == [0, 2, 4, 6, 8]


def test_the_summary_draws_every_seed_of_its_own() -> None:
    trials = a_trials(Experiment.BATCH_SIZE)
    (marks,) = traces(spec_of(trials, "trials-summary"), "with BN, each seed", "markers")
    assert len(marks["y"]) == trials.accuracy.shape[1] * trials.config.seeds


def test_the_curves_are_those_of_the_condition_that_is_looked_at() -> None:
    trials = a_trials(Experiment.BATCH_SIZE)
    for at in (0, 4):
        spec = spec_of(trials, "trials-curves", trial=at)
        (line,) = traces(spec, "LayerNorm")
        np.testing.assert_allclose(line["customdata"], 100 * (1 - np.median(trials.accuracy[2, at], axis=0)))
        assert f"Batch size {BATCH_SIZES[at]}," in spec["layout"]["meta"]["finding"]
    assert spec["layout"]["uirevision"] != spec_of(trials, "trials-curves", trial=0)["layout"]["uirevision"]


def test_a_network_that_diverged_ends_where_it_did() -> None:
    trials = a_trials(Experiment.BATCH_SIZE, diverged=(0, 2))
    (line,) = traces(spec_of(trials, "trials-curves", trial=2), "without BN")
    assert len(line["x"]) == 4


def test_the_gap_is_between_running_and_own_statistics() -> None:
    trials = a_trials(Experiment.MINI_BATCHES)
    spec = spec_of(trials, "trials-gap")
    pairs = [one for one in traces(spec, "with BN", "lines") if one["xaxis"] == "x2"]
    (line,) = pairs
    expected = [np.median(trials.accuracy[1, 1, :, -1]), np.median(trials.batch_accuracy[1, 1])]
    np.testing.assert_allclose(line["x"], 100 * (1 - np.array(expected)))


def test_changed_images_are_drawn_with_both_statistics_where_a_network_has_both() -> None:
    trials = a_trials(Experiment.TEST_TIME)
    spec = spec_of(trials, "trials-change")
    assert len(traces(spec, "with BN, own statistics")) == 3
    assert not traces(spec, "LayerNorm, own statistics")
    (noisy,) = [one for one in traces(spec, "with BN") if one["xaxis"] == "x2"]
    np.testing.assert_allclose(noisy["customdata"], 100 * np.median(trials.changed_accuracy[1, :, 1, :, 0], axis=0))
    np.testing.assert_allclose(noisy["x"], AMOUNTS[1])


def test_the_digits_stand_in_rows_by_change_and_columns_by_amount() -> None:
    trials = a_trials(Experiment.TEST_TIME)
    (sheet,) = [one for one in spec_of(trials, "trials-digits")["data"] if one["type"] == "heatmap"]
    np.testing.assert_allclose(sheet["z"][31:59, 62:90], trials.changed_digits[1, 2], rtol=1e-6)


def test_the_spread_is_drawn_layer_by_layer_at_step_0_and_at_the_end_of_the_rate_that_is_looked_at() -> None:
    trials = a_trials(Experiment.INITIALIZATION)
    for at in (0, 3):
        spec = spec_of(trials, "trials-spread", trial=at)
        for moment, axis in enumerate(("x", "x2")):
            (line,) = [one for one in traces(spec, "LSUV, no BN") if one["xaxis"] == axis]
            np.testing.assert_allclose(line["customdata"], np.median(trials.spread[1, at, :, moment], axis=0))
            np.testing.assert_array_equal(line["x"], np.arange(1, 11))
        assert f"Learning rate {LEARNING_RATES[at]:g}," in spec["layout"]["meta"]["finding"]
        assert {shape["y0"] for shape in spec["layout"]["shapes"]} == {1.0}
    assert spec["layout"]["uirevision"] != spec_of(trials, "trials-spread", trial=0)["layout"]["uirevision"]


@pytest.mark.parametrize("name", ["trials-spread", "trials-summary", "trials-curves"])
def test_a_network_that_diverged_is_named_and_its_end_is_not_drawn(name: str) -> None:
    last = len(LEARNING_RATES) - 1
    spec = spec_of(a_trials(Experiment.INITIALIZATION, diverged=(1, last)), name, trial=last)
    assert "Diverged: at 1 LSUV." in spec["layout"]["meta"]["finding"]
    assert "Diverged: at 1 LSUV." in spec["layout"]["meta"]["alt"]
    labels = [one["text"] for one in spec["layout"]["annotations"] if one["name"] == "end-label"]
    assert [text for text in labels if "diverged" in text] == [
        text for text in labels if "LSUV" in text and "× diverged" in text
    ]
    assert sum("diverged" in text for text in labels) == 1
    others = spec_of(a_trials(Experiment.INITIALIZATION, diverged=(1, last)), name, trial=0)
    if name != "trials-summary":
        assert "iverged" not in others["layout"]["meta"]["finding"]


@pytest.mark.parametrize("name", ["trials-summary", "trials-fit"])
def test_while_conditions_are_still_to_come_the_newest_value_stands_at_a_lines_end(name: str) -> None:
    trials = a_trials(Experiment.DROPOUT, seeds=1, known=2)
    labels = [one["text"] for one in spec_of(trials, name)["layout"]["annotations"] if one["name"] == "end-label"]
    assert labels
    assert not [text for text in labels if "–" in text]
    measured = trials.training_accuracy if name == "trials-fit" else trials.accuracy[..., -1]
    assert any(percent(1 - float(measured[0, 1, 0])) in text for text in labels)


def test_where_some_seeds_diverged_the_others_are_drawn_and_it_is_said_of_how_many() -> None:
    trials = a_trials(Experiment.INITIALIZATION, diverged=(3, 2))
    trials.diverged_step[3, 2, 1:] = 0
    trials.accuracy[3, 2, 1:] = 0.8
    spec = spec_of(trials, "trials-curves", trial=2)
    assert "Diverged: at 0.1 He (1 of 3 seeds)." in spec["layout"]["meta"]["finding"]
    (line,) = traces(spec, "He, no BN")
    assert line["customdata"][-1] == pytest.approx(20)
    assert not [one for one in spec["layout"]["annotations"] if "× diverged" in one["text"]]


def test_the_fit_is_the_training_error_and_beside_it_the_gap_to_the_test_error() -> None:
    trials = a_trials(Experiment.DROPOUT)
    spec = spec_of(trials, "trials-fit")
    for k, one in enumerate(trials.config.competitors):
        fit, gap = (next(t for t in traces(spec, one.label) if t["xaxis"] == axis) for axis in ("x", "x2"))
        np.testing.assert_allclose(fit["customdata"], 100 * (1 - np.median(trials.training_accuracy[k], axis=1)))
        gaps = 100 * (trials.training_accuracy[k] - trials.accuracy[k, :, :, -1])
        np.testing.assert_allclose(gap["y"], np.median(gaps, axis=1))
        np.testing.assert_array_equal(gap["x"], np.arange(len(TRAINING_SETS)))


def test_an_error_of_nothing_lies_on_the_lower_edge_and_is_called_nothing() -> None:
    trials = a_trials(Experiment.DROPOUT)
    trials.training_accuracy[:] = 1.0
    spec = spec_of(trials, "trials-fit")
    (line,) = [one for one in traces(spec, "with BN") if one["xaxis"] == "x"]
    assert set(line["y"]) == {0.1}
    labels = [one["text"] for one in spec["layout"]["annotations"] if one["name"] == "end-label"]
    assert sum(f">{percent(0.0)}<" in text for text in labels) == len(trials.config.competitors)


def test_the_sentence_on_initializations_takes_each_network_at_its_own_best_rate() -> None:
    trials = a_trials(Experiment.INITIALIZATION, diverged=(1, 4))
    trials.accuracy[0, 2, :, -1] = 0.987
    text = sentence(a_run_with(trials), View())
    assert f"{{bn}} **{percent(0.987)}** with BN (0.1)" in text
    assert f"{percent(float(np.median(trials.accuracy[1, 3, :, -1])))}** LSUV (0.3)" in text
    assert "each at its best rate" in text
    assert "Diverged: at 1 LSUV." in text
    early = sentence(a_run_with(a_trials(Experiment.INITIALIZATION, known=2)), View())
    assert "each at the best rate so far" in early


def test_the_sentence_on_dropout_has_the_fewest_images_and_the_most() -> None:
    trials = a_trials(Experiment.DROPOUT)
    text = sentence(a_run_with(trials), View())
    assert f"500 images: {{plain}} **{percent(float(np.median(trials.accuracy[0, 0, :, -1])))}**" in text
    assert f"{{bndropout}} **{percent(float(np.median(trials.accuracy[3, 0, :, -1])))}** both." in text
    assert f"{{bndropout}} **{percent(float(np.median(trials.accuracy[3, -1, :, -1])))}**." in text
    early = sentence(a_run_with(a_trials(Experiment.DROPOUT, known=1)), View())
    assert "60,000" not in early


def test_the_growth_a_layer_is_the_geometric_mean() -> None:
    np.testing.assert_allclose(growth_factors(a_depth()), [[1.0, 1.46], [2.5, 1.1]])


def test_deep_gradients_are_multiples_of_the_last_layers_beside_the_wide_limit() -> None:
    spec = spec_of(a_depth(), "depth-gradients")
    plain, residual = (next(one for one in traces(spec, "with BN") if one["xaxis"] == axis) for axis in ("x", "x2"))
    np.testing.assert_allclose(plain["customdata"], 1.46 ** np.arange(29, -1, -1))
    assert residual["customdata"][-1] == 1
    (limit,) = traces(spec, "wide limit", "lines")
    np.testing.assert_allclose(limit["y"], WIDE_GROWTH ** np.arange(29, -1, -1))
    assert "× 1.46" in spec["layout"]["meta"]["finding"]


def test_half_measured_networks_draw_what_there_is() -> None:
    spec = spec_of(a_depth(is_whole=False), "depth-gradients")
    assert is_sound(spec)
    assert {one["xaxis"] for one in traces(spec, "with BN")} == {"x"}


@pytest.mark.parametrize("part", STUDIES)
def test_the_sentence_has_numbers_of_the_record_in_it(part: str) -> None:
    study = STUDIES[part]
    text = sentence(a_run_with(study), View())
    assert text.count("**") % 2 == 0
    if isinstance(study, Trials) and study.config.experiment is Experiment.BATCH_SIZE:
        assert percent(float(np.median(study.accuracy[1, 1, :, -1]))) in text
    assert re.search(r"\d", text)


def test_another_seed_changes_what_is_said() -> None:
    trials = a_trials(Experiment.BATCH_SIZE)
    moved = replace(trials, accuracy=trials.accuracy - 0.05)
    before, after = (sentence(a_run_with(one), View()) for one in (trials, moved))
    assert before != after
