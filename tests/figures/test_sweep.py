"""Charts of a sweep: what they draw is what the record holds, as far as it has come in."""

from typing import Any

import numpy as np
import pytest

from bnviz.config import RATE_AND_SCALE, SWEEPS, SweepAxis, SweepCell, SweepConfig, View
from bnviz.figures import FIGURES, sentence
from bnviz.figures.numbers import percent
from bnviz.figures.sweep_best import range_text
from bnviz.figures.sweep_map import depth_of
from bnviz.records import (
    CellFailure,
    CellResult,
    Outcome,
    Sweep,
    SweepPhase,
    nothing_swept,
    with_failures,
    with_results,
)
from bnviz.ui.charts import SWEEP_CHARTS
from tests.figures.made_up_sweeps import a_run_with_sweep, a_sweep
from tests.figures.test_trials import is_sound

FOUR = SweepConfig(base=RATE_AND_SCALE.base.replace(networks=("none", "batch", "layer", "group")), seeds=1)
SWEPT = {name: a_sweep(config) for name, config in SWEEPS.items()} | {
    "nothing yet": a_sweep(known=0),
    "one run": a_sweep(known=1),
    "in the second seed": a_sweep(known=70),
    "four networks": a_sweep(FOUR),
    "one cell": a_sweep(SweepConfig(y=SweepAxis("width", (50,)), x=SweepAxis("hidden_layers", (2,)), seeds=1)),
}


def spec_of(sweep: Sweep, name: str) -> dict[str, Any]:
    return FIGURES[name](a_run_with_sweep(sweep), View())


def maps(sweep: Sweep) -> list[dict[str, Any]]:
    """The coloured layer of every network."""
    return [one for one in spec_of(sweep, "sweep-map")["data"] if "coloraxis" in one]


def a_result(sweep: Sweep, cell: SweepCell, accuracy: list[float], outcome: list[int]) -> CellResult:
    over_steps = np.repeat(np.array(accuracy)[:, None], len(sweep.steps), axis=1)
    return CellResult(cell, np.array(outcome), np.full(len(outcome), np.nan), np.array(accuracy), over_steps)


@pytest.mark.parametrize("name", SWEEP_CHARTS)
@pytest.mark.parametrize("state", SWEPT)
def test_every_chart_of_a_sweep_is_a_valid_figure_however_much_has_come_in(state: str, name: str) -> None:
    assert is_sound(spec_of(SWEPT[state], name))


@pytest.mark.parametrize("state", SWEPT)
def test_the_sentence_ends_as_sentences_do(state: str) -> None:
    text = sentence(a_run_with_sweep(SWEPT[state]), View())
    assert text.endswith(".")
    assert "nan" not in text.lower()


def test_the_map_shows_the_median_over_seeds_in_colour_and_in_figures() -> None:
    sweep = a_sweep()
    for k, one in enumerate(maps(sweep)):
        expected = np.where(sweep.share_of(Outcome.DIVERGED)[k] > 0.5, np.nan, depth_of(sweep.median[k]))
        np.testing.assert_allclose(one["z"], expected)
        row, column = 4, 2
        assert one["text"][row][column] == f"{100 * np.median(sweep.accuracy[k, row, column]):.0f}"


def test_diverged_and_stalled_cells_have_marks_of_their_own() -> None:
    sweep = a_sweep()
    without, with_bn = maps(sweep)
    assert without["text"][7][7] == "×"  # the largest scale and rate
    assert np.isnan(without["z"][7][7])
    assert "–" in {text for row in without["text"] for text in row}
    assert {"×", "–"}.isdisjoint(text for row in with_bn["text"] for text in row)


def test_a_cell_that_has_not_come_in_is_empty_and_one_that_failed_is_marked() -> None:
    sweep = a_sweep(known=1)
    failed = with_failures(sweep, [CellFailure(SweepCell(0, 1, seed), "its worker ended") for seed in range(3)])
    first, _ = maps(failed)
    assert first["text"][0][:3] == [f"{100 * sweep.accuracy[0, 0, 0, 0]:.0f}", "!", ""]
    assert "could not be computed" in first["customdata"][0][1]
    assert "to come" in first["customdata"][0][2]


def test_a_cell_says_how_many_of_its_seeds_diverged() -> None:
    sweep = nothing_swept("made-up-sweep-0000", RATE_AND_SCALE)
    fates = [(0.9, Outcome.TRAINED), (np.nan, Outcome.DIVERGED), (0.8, Outcome.TRAINED)]
    results = [
        a_result(sweep, SweepCell(2, 3, seed), [score, 0.9], [fate, 2]) for seed, (score, fate) in enumerate(fates)
    ]
    (first, _) = maps(with_results(sweep, results))
    assert first["text"][2][3] == "80"  # the median of 0, 80 and 90 %
    assert "diverged from 1 of 3" in first["customdata"][2][3]
    assert f"{percent(0)} to {percent(0.9)} over 3 seeds" in first["customdata"][2][3]


def test_a_frame_marks_the_best_cell_of_each_network() -> None:
    sweep = a_sweep()
    frames = [one for one in spec_of(sweep, "sweep-map")["layout"]["shapes"] if one["name"] == "best"]
    places = [(round(one["y0"] + 0.5), round(one["x0"] + 0.5)) for one in frames]
    assert places == [sweep.best_cell(0), sweep.best_cell(1)]
    assert [one["xref"] for one in frames] == ["x", "x2"]


def test_the_curves_are_those_of_each_networks_own_best_cell() -> None:
    sweep = a_sweep()
    spec = spec_of(sweep, "sweep-best")
    for k, one in enumerate(sweep.config.competitors):
        (line,) = [trace for trace in spec["data"] if trace["name"] == one.label]
        row, column = sweep.best_cell(k)
        expected = 100 * (1 - np.median(sweep.accuracy_over_steps[k, row, column], axis=0))
        np.testing.assert_allclose(line["customdata"], expected)
        np.testing.assert_array_equal(line["x"], sweep.steps)
        faint = [trace for trace in spec["data"] if trace["name"] == f"{one.label}, each seed"]
        assert len(faint) == sweep.config.seeds


def test_a_range_is_best_tuned_over_the_other_side() -> None:
    sweep = a_sweep()
    spec = spec_of(sweep, "sweep-ranges")
    for k, one in enumerate(sweep.config.competitors):
        rates, scales = [trace for trace in spec["data"] if trace["name"] == one.label]
        np.testing.assert_allclose(rates["customdata"], 100 * (1 - sweep.median[k].max(axis=0)))
        np.testing.assert_allclose(scales["customdata"], 100 * (1 - sweep.median[k].max(axis=1)))


def test_the_usable_range_names_its_ends_and_its_factor() -> None:
    config = SweepConfig(y=SweepAxis("width", (50, 100)), x=SweepAxis("learning_rate", (0.1, 1.0, 10.0)), seeds=1)
    sweep = nothing_swept("made-up-sweep-0000", config)
    scores = {0: (0.2, 0.9, 0.3), 1: (0.9, 0.95, 0.9)}
    for column in range(3):
        for row in range(2):  # the first row is worse: it does not count
            accuracy = [scores[k][column] - 0.15 * (1 - row) for k in range(2)]
            sweep = with_results(sweep, [a_result(sweep, SweepCell(row, column, 0), accuracy, [2, 2])])
    assert range_text(sweep, config.x) == "Usable learning rates: 1 without BN, 0.1 to 10 (a factor of 100) with it"


def test_a_hole_in_the_usable_range_is_not_spanned() -> None:
    config = SweepConfig(y=SweepAxis("width", (50,)), x=SweepAxis("learning_rate", (0.1, 1.0, 10.0)), seeds=1)
    sweep = nothing_swept("made-up-sweep-0000", config)
    for column, score in enumerate((0.9, 0.3, 0.9)):
        sweep = with_results(sweep, [a_result(sweep, SweepCell(0, column, 0), [0.1, score], [2, 2])])
    assert range_text(sweep, config.x) == "Usable learning rates: none without BN, 0.1, 10 with it"


def test_before_any_cell_the_sentence_says_whether_the_sweep_has_begun() -> None:
    draft = nothing_swept("draft", RATE_AND_SCALE, SweepPhase.CANCELLED)
    assert sentence(a_run_with_sweep(draft), View()).startswith("Start the sweep")
    assert sentence(a_run_with_sweep(a_sweep(known=0)), View()).startswith("The sweep has begun")


def test_the_sentence_tells_each_networks_best_and_where() -> None:
    sweep = a_sweep()
    text = sentence(a_run_with_sweep(sweep), View())
    row, column = sweep.best_cell(1)
    rate, scale = sweep.config.x.values[column], sweep.config.y.values[row]
    best = percent(float(np.median(sweep.accuracy[1, row, column])))
    assert f"{{bn}} **{best}** with BN (learning rate {rate:g}, initial scale {scale:g})" in text
    assert text.index("{bn}") < text.index("{plain}")


def test_four_networks_stand_beside_each_other_on_one_scale() -> None:
    sweep = a_sweep(FOUR)
    assert [one["name"] for one in maps(sweep)] == [one.label for one in FOUR.competitors]
    assert len({one["coloraxis"] for one in maps(sweep)}) == 1
