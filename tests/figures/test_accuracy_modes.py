"""Accuracy in training and at inference as a chart, against the record."""

from dataclasses import replace

import numpy as np
import pytest

from bnviz.config import COMPETITORS, TWINS, WITH_NOISE, Competitor, Normalization, View
from bnviz.figures.accuracy_modes import accuracy_modes
from bnviz.records import Health, Run
from tests.figures import made_up_runs as made_up
from tests.figures.test_shift import a_run, is_valid, shown, texts_of

FOUR = WITH_NOISE


def with_newest(run: Run, **shares: list[float]) -> Run:
    """The same run with these values at its newest point."""
    changed = {name: getattr(run.history, name).copy() for name in shares}
    for name, values in shares.items():
        changed[name][-1] = values
    return run.replace(history=replace(run.history, **changed))


@pytest.mark.parametrize("layers", [1, 3, 20])
@pytest.mark.parametrize("competitors", [TWINS, FOUR])
def test_every_spec_is_a_valid_figure(layers: int, competitors: tuple[Competitor, ...]) -> None:
    for points in (0, 1, 2, 60):
        is_valid(accuracy_modes(a_run(points, layers, competitors), View()))


def test_without_data_there_are_axes_and_no_finding() -> None:
    spec = accuracy_modes(a_run(0), View())
    assert {trace["name"] for trace in spec["data"]} == {"axis-ends"}
    assert spec["layout"]["meta"]["finding"] == ""


def test_each_panel_shows_the_record_of_its_mode() -> None:
    run = a_run()
    spec = accuracy_modes(run, View())
    fields = ("train_accuracy", "accuracy", "batch_accuracy")
    for axis, field, first in zip(("y", "y2", "y3"), fields, (1, 0, 0), strict=True):  # nothing is trained at step 0
        for k, line in enumerate(shown(spec, yaxis=axis, mode="lines")):
            np.testing.assert_allclose(line["y"], 100 * getattr(run.history, field)[first:, k], rtol=1e-6)
            np.testing.assert_array_equal(line["x"], run.history.step[first:])


def test_the_headings_name_the_modes() -> None:
    headings = [text.replace("<br>", " ") for text in texts_of(accuracy_modes(a_run(), View()), "panel-heading")]
    assert headings == ["training mini-batches", "test, running statistics", "test, batch statistics"]


def test_the_panels_share_their_axes() -> None:
    layout = accuracy_modes(a_run(), View())["layout"]
    for number in ("", "2", "3"):
        assert layout[f"yaxis{number}"]["autorangeoptions"] == {"clipmin": 0, "clipmax": 100}
    assert [layout[name].get("matches") for name in ("xaxis2", "xaxis3", "yaxis2", "yaxis3")] == ["x", "x", "y", "y"]


def test_points_without_a_test_accuracy_are_passed_over() -> None:
    run = a_run()
    accuracy = run.history.accuracy.copy()
    accuracy[1::2] = np.nan
    spec = accuracy_modes(run.replace(history=replace(run.history, accuracy=accuracy)), View())
    for line in shown(spec, yaxis="y2", mode="lines"):
        np.testing.assert_array_equal(line["x"], run.history.step[::2])


def test_where_batch_statistics_were_not_measured_the_last_panel_says_so() -> None:
    spec = accuracy_modes(a_run(competitors=TWINS), View())
    assert not shown(spec, yaxis="y3", mode="lines")
    assert "not measured" in texts_of(spec, "note")[0]
    assert spec["layout"]["meta"]["finding"] == ""


def test_the_finding_is_what_running_statistics_cost_those_that_have_some() -> None:
    run = with_newest(a_run(), accuracy=[0.9, 0.93, 0.84, 0.8], batch_accuracy=[0.9, 0.93, 0.93, 0.8])
    assert accuracy_modes(run, View())["layout"]["meta"]["finding"].replace("\N{NO-BREAK SPACE}", " ") == (
        "test accuracy with running instead of batch statistics: ±0.0 points with BN, −9.0 points with noisy BN"
    )


def test_no_loser_is_written_into_the_finding() -> None:
    run = with_newest(a_run(), accuracy=[0.9, 0.95, 0.93, 0.8], batch_accuracy=[0.9, 0.93, 0.93, 0.8])
    finding = accuracy_modes(run, View())["layout"]["meta"]["finding"]
    assert "+2.0\N{NO-BREAK SPACE}points with BN" in finding


def test_a_stopped_competitor_ends_in_a_cross_in_every_panel() -> None:
    health = (made_up.diverged(500), Health(), Health(), Health())
    spec = accuracy_modes(a_run(health=health, stopped_at=20), View())
    is_valid(spec)
    crosses = [one for one in shown(spec, mode="markers") if one["marker"].get("symbol") == "x"]
    assert [one["yaxis"] for one in crosses] == ["y", "y2", "y3"]
    assert "diverged" in next(text for text in texts_of(spec, "end-label") if "without BN" in text)


def test_every_network_with_running_statistics_is_told_what_they_cost_and_no_other() -> None:
    names = (Normalization.NONE, Normalization.RENORMALIZATION, Normalization.DECORRELATED, Normalization.LAYER)
    four = tuple(COMPETITORS[one] for one in names)
    run = with_newest(a_run(60, 3, four), accuracy=[0.9] * 4, batch_accuracy=[0.9] * 4)
    finding = accuracy_modes(run, View())["layout"]["meta"]["finding"]
    assert "with Batch Renorm" in finding
    assert "with decorrelated BN" in finding
    assert "without BN" not in finding
    assert "LayerNorm" not in finding
