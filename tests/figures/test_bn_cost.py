"""Charts and sentence of what BN costs: ratios of times of the same repetition, and their spread."""

from typing import Any

import numpy as np
import pytest

from bnviz.config import BATCHES_TIMED, SHAPES, WIDTHS_TIMED, View
from bnviz.figures import FIGURES, sentence
from bnviz.records import LOOPS, Cost
from bnviz.ui.charts import COST_CHARTS
from tests.figures.made_up_cousins import cost_of, run_with
from tests.figures.test_trials import is_sound

STATES = {
    "whole": cost_of(),
    "nothing": cost_of(known=0),
    "one place": cost_of(known=1),
    "half": cost_of(known=12),
    "three": cost_of(repetitions=3),
}


def spec_of(cost: Cost, name: str) -> dict[str, Any]:
    return FIGURES[name](run_with(cost), View())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", COST_CHARTS)
def test_every_chart_is_a_valid_figure_however_much_is_timed(name: str, state: str) -> None:
    assert is_sound(spec_of(STATES[state], name))


@pytest.mark.parametrize("name", COST_CHARTS)
def test_a_run_without_times_says_that_they_are_being_taken(name: str) -> None:
    run = run_with(cost_of()).replace(study=None)
    (one,) = [note for note in FIGURES[name](run, View())["layout"]["annotations"] if note["name"] == "note"]
    assert one["text"] == "Timing networks with BN and without."


def test_a_line_is_the_median_ratio_of_times_of_the_same_repetition() -> None:
    cost = cost_of()
    spec = spec_of(cost, "bn-cost")
    panels = [(a, e) for a in range(len(SHAPES)) for e in range(len(LOOPS))]
    for panel, (a, e) in enumerate(panels):
        axis = "x" if panel == 0 else f"x{panel + 1}"
        for b, batch in enumerate(BATCHES_TIMED):
            (line,) = [one for one in spec["data"] if one["name"] == f"batch {batch}" and one["xaxis"] == axis]
            ratio = cost.milliseconds[a, :, b, e, 1] / cost.milliseconds[a, :, b, e, 0]
            np.testing.assert_allclose(line["y"], np.median(ratio, axis=1))
            np.testing.assert_allclose(line["error_y"]["array"], np.quantile(ratio, 0.75, axis=1) - line["y"])
            np.testing.assert_allclose(line["error_y"]["arrayminus"], line["y"] - np.quantile(ratio, 0.25, axis=1))
            assert len(line["x"]) == len(WIDTHS_TIMED[SHAPES[a]])


def test_batch_sizes_are_told_apart_by_their_dashes() -> None:
    spec = spec_of(cost_of(), "bn-cost")
    dashes = {one["name"]: one["line"].get("dash") for one in spec["data"] if one["name"].startswith("batch")}
    assert len(set(dashes.values())) == len(BATCHES_TIMED)


def test_the_sentence_has_the_range_in_each_loop_and_on_what_it_was_timed() -> None:
    cost = cost_of()
    text = sentence(run_with(cost), View())
    middle = np.median(cost.ratio, axis=4)
    for e in range(len(LOOPS)):
        assert f"× {middle[:, :, :, e].min():.2f} to {middle[:, :, :, e].max():.2f}" in text
    assert "on a CPU, one thread" in text
    assert "5 repetitions" in text
    assert "takes so far" in sentence(run_with(cost_of(known=2)), View())
    assert sentence(run_with(cost_of(known=0)), View()) == "Timing networks with BN and without."


def test_the_times_are_those_at_a_batch_of_60() -> None:
    cost = cost_of()
    spec = spec_of(cost, "bn-cost-time")
    (line,) = [one for one in spec["data"] if one["name"] == "with BN" and one["xaxis"] == "x2"]
    np.testing.assert_allclose(line["y"], np.median(cost.milliseconds[0, :, 1, 1, 1], axis=1))
