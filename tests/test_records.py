"""Histories: thinned, never truncated; the same points leave the same history."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.config import TWINS
from bnviz.records import GHOST_MEASURES, HistoryBuilder, Point, ghost_of, kept_units, measure_shapes

LAYERS, WIDTH = 2, 5


def point(step: int, is_scheduled: bool = True) -> Point:
    units = kept_units(LAYERS, WIDTH)
    arrays = {
        name: np.full(shape, step, np.float64)
        for name, shape in measure_shapes(len(TWINS), LAYERS, units.shape[1]).items()
        if shape
    }
    return Point(step=step, images=60 * step, is_scheduled=is_scheduled, **arrays)


def builder(most: int = 500) -> HistoryBuilder:
    return HistoryBuilder(TWINS, kept_units(LAYERS, WIDTH), most)


def test_a_history_stacks_its_points() -> None:
    growing = builder()
    for step in (0, 1, 5):
        growing.append(point(step))
    history = growing.history()
    assert history.step.tolist() == [0, 1, 5]
    assert history.bands.shape == (3, 2, LAYERS, WIDTH, 3)
    assert np.all(history.bands[2] == 5)
    assert history.layers == LAYERS


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 2000), min_size=1, max_size=300))
def test_a_full_history_keeps_both_ends_and_drops_only_between_them(gaps: list[int]) -> None:
    steps = np.concatenate([[0], np.cumsum(gaps)])
    growing = builder(most=40)
    for step in steps:
        growing.append(point(int(step)))
    kept = growing.history().step
    assert len(kept) == min(len(steps), 40)
    assert kept[0] == 0
    assert kept[-1] == steps[-1]
    assert np.all(np.diff(kept) > 0)
    assert set(kept) <= set(steps.tolist())


def test_early_steps_survive_a_long_run_and_late_ones_stay_dense() -> None:
    growing = builder(most=500)
    for step in [*range(21), *range(25, 200_000, 100)]:
        growing.append(point(step))
    kept = growing.history().step
    assert len(kept) == 500
    assert np.sum(kept <= 20) >= 15
    assert np.max(np.diff(kept)) <= 200_000 / 500 * 3


def test_points_without_a_test_accuracy_go_first() -> None:
    growing = builder(most=30)
    for step in range(0, 200, 4):
        growing.append(point(step))
        growing.append(dataclasses.replace(point(step + 2), accuracy=np.full(2, np.nan)))
    history = growing.history()
    assert history.has_accuracy[:-1].all()
    assert (len(history), history.step[-1]) == (30, 198)


def test_the_same_points_leave_the_same_history_also_after_a_resume() -> None:
    whole, first = builder(most=30), builder(most=30)
    for step in range(0, 400, 3):
        whole.append(point(step))
    for step in range(0, 201, 3):
        first.append(point(step))
    second = HistoryBuilder.resume(first.history(), most=30)
    for step in range(201, 400, 3):
        second.append(point(step))
    for one in dataclasses.fields(whole.history()):
        np.testing.assert_array_equal(getattr(whole.history(), one.name), getattr(second.history(), one.name))


def test_a_point_at_the_last_step_replaces_it_and_one_before_it_is_refused() -> None:
    growing = builder()
    growing.append(point(3))
    growing.append(dataclasses.replace(point(3), images=7))
    assert len(growing) == 1
    assert growing.history().images.tolist() == [7]
    with pytest.raises(ValueError, match="step 2 follows 3"):
        growing.append(point(2))


def test_a_frozen_history_does_not_change_when_the_run_goes_on() -> None:
    growing = builder(most=5)
    for step in range(5):
        growing.append(point(step))
    before = growing.history()
    steps = before.step.copy()
    for step in range(5, 30):
        growing.append(point(step))
    np.testing.assert_array_equal(before.step, steps)
    with pytest.raises(ValueError, match="read-only"):
        before.step[0] = 1


def test_steps_beyond_float32_stay_exact() -> None:
    growing = builder()
    growing.append(point(2**24 + 1))
    assert growing.history().step[0] == 2**24 + 1


def test_all_units_of_a_narrow_layer_are_kept_and_64_of_a_wide_one() -> None:
    assert kept_units(2, 10).tolist() == [list(range(10))] * 2
    wide = kept_units(1, 512)[0]
    assert len(wide) == 64
    assert (wide[0], wide[-1]) == (0, 511)
    assert np.all(np.diff(wide) > 0)


def test_a_ghost_holds_the_lines_of_the_run_before() -> None:
    growing = builder()
    for step in range(60):
        growing.append(point(step))
    history = growing.history()
    ghost = ghost_of(history, "earlier run, lr 0.1")
    for name in GHOST_MEASURES:
        np.testing.assert_array_equal(getattr(ghost, name), getattr(history, name))
