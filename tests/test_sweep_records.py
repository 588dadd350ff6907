"""A sweep's record: what has come in, medians and spreads over it, the best cells, and what is counted."""

import numpy as np
import pytest

from bnviz.config import RATE_AND_SCALE, SweepAxis, SweepCell, SweepConfig
from bnviz.records import (
    MOMENTS,
    CellFailure,
    CellResult,
    Outcome,
    Sweep,
    SweepPhase,
    cells_in,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
    with_training,
)

MAP = SweepConfig(
    y=SweepAxis("init_scale", (0.01, 0.1)), x=SweepAxis("learning_rate", (0.1, 1.0, 10.0)), steps=100, seeds=3
)


def result(row: int, column: int, seed: int, *accuracy: float, outcome: Outcome = Outcome.TRAINED) -> CellResult:
    """Of both networks; the second always trained."""
    return CellResult(
        SweepCell(row, column, seed),
        np.array([outcome, Outcome.TRAINED]),
        np.array([np.nan if outcome is Outcome.TRAINED else 7.0, np.nan]),
        np.array(accuracy),
        np.full((2, len(MOMENTS)), 0.5),
    )


def swept(*results: CellResult) -> Sweep:
    return with_results(nothing_swept("id", MAP), results)


def test_a_sweep_is_whole_when_all_has_come_in_and_nothing_has_failed() -> None:
    cells = MAP.cells
    missing_one = swept(*(result(one.row, one.column, one.seed, 0.5, 0.6) for one in cells[:-1]))
    assert not missing_one.is_whole
    last = cells[-1]
    assert with_results(missing_one, [result(last.row, last.column, last.seed, 0.5, 0.6)]).is_whole
    with_failure = with_failures(missing_one, [CellFailure(last, "why")])
    assert with_failure.done == 1
    assert not with_failure.is_whole


def test_before_anything_has_come_in_there_is_no_best_cell_and_no_median() -> None:
    sweep = nothing_swept("id", MAP)
    assert sweep.best_cell(0) is None
    assert np.isnan(sweep.median).all()
    assert np.isnan(sweep.spread).all()
    assert sweep.usable(0, "learning_rate") == ()
    assert (sweep.status.cells_done, sweep.status.cells_all, sweep.status.runs_all) == (0, 6, 18)


def test_median_and_spread_are_over_the_seeds_that_have_come_in() -> None:
    sweep = swept(result(0, 1, 0, 0.2, 0.9), result(0, 1, 2, 0.6, 0.8))
    assert sweep.median[:, 0, 1] == pytest.approx([0.4, 0.85])
    assert sweep.spread[:, :, 0, 1] == pytest.approx(np.array([[0.2, 0.8], [0.6, 0.9]]))
    assert np.isnan(sweep.median[:, 1, 1]).all()


def test_a_network_that_diverged_has_no_accuracy_but_counts_in_the_median() -> None:
    sweep = swept(
        result(0, 0, 0, np.nan, 0.9, outcome=Outcome.DIVERGED),
        result(0, 0, 1, np.nan, 0.9, outcome=Outcome.DIVERGED),
        result(0, 0, 2, 0.95, 0.9),
    )
    assert sweep.median[0, 0, 0] == 0
    assert sweep.share_of(Outcome.DIVERGED)[:, 0, 0] == pytest.approx([2 / 3, 0])
    assert np.isnan(sweep.accuracy[0, 0, 0, :2]).all()
    assert sweep.since_step[0, 0, 0].tolist()[:2] == [7, 7]


def test_each_network_has_its_own_best_cell() -> None:
    sweep = swept(result(0, 0, 0, 0.3, 0.7), result(1, 2, 0, 0.9, 0.6), result(0, 1, 0, 0.5, 0.95))
    assert [sweep.best_cell(k) for k in range(2)] == [(1, 2), (0, 1)]


def test_usable_are_the_rates_at_which_some_scale_reaches_four_fifths() -> None:
    sweep = swept(
        result(0, 0, 0, 0.81, 0.7), result(1, 1, 0, 0.9, 0.7), result(0, 1, 0, 0.1, 0.7), result(0, 2, 0, 0.8, 0.9)
    )
    assert sweep.usable(0, "learning_rate") == (0.1, 1.0)
    assert sweep.usable(0, "init_scale") == (0.01, 0.1)
    assert sweep.usable(1, "learning_rate") == (10.0,)
    with pytest.raises(ValueError, match="width"):
        sweep.usable(0, "width")


def test_a_cell_is_done_when_all_its_seeds_are_and_failed_with_its_first() -> None:
    sweep = swept(*(result(0, 0, seed, 0.5, 0.5) for seed in range(3)), result(0, 1, 0, 0.5, 0.5))
    assert (sweep.status.cells_done, sweep.status.runs_done) == (1, 4)
    sweep = with_failures(sweep, [CellFailure(SweepCell(0, 1, 1), "why")])
    assert (sweep.status.cells_done, sweep.status.cells_failed, sweep.status.runs_done) == (1, 1, 5)
    assert sweep.failures == (CellFailure(SweepCell(0, 1, 1), "why"),)


def test_a_failed_run_that_is_tried_again_has_failed_no_more() -> None:
    cell = SweepCell(0, 1, 1)
    failed = with_failures(nothing_swept("id", MAP), [CellFailure(cell, "why")])
    again = with_training(failed, [cell], is_training=True)
    assert again.failures == ()
    assert cells_in(again, Outcome.TRAINING) == [cell]
    assert with_results(failed, [result(0, 1, 1, 0.5, 0.5)]).failures == ()
    assert len(with_failures(failed, [CellFailure(cell, "again")]).failures) == 1


def test_a_record_that_was_given_out_does_not_change() -> None:
    before = nothing_swept("id", MAP)
    with_results(before, [result(0, 0, 0, 0.5, 0.5)])
    with_training(before, MAP.cells, is_training=True)
    assert not before.outcome.any()
    assert np.isnan(before.accuracy).all()


def test_a_phase_is_set_with_what_else_is_known_of_it() -> None:
    sweep = with_status(nothing_swept("id", RATE_AND_SCALE), SweepPhase.PAUSED, notice="why")
    assert (sweep.status.phase, sweep.status.notice) == (SweepPhase.PAUSED, "why")
    assert sweep.steps.tolist() == [round(1000 * share) for share in MOMENTS]
