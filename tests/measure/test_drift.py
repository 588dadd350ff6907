"""Drift distances against their definitions (SCIENCE, section 6)."""

from itertools import permutations

import numpy as np
import pytest

from bnviz.measure.drift import STD_FLOOR, Drift, standardised, wasserstein

RANDOM = np.random.default_rng(0)


def samples(*shape: int) -> np.ndarray:
    return np.sort(RANDOM.normal(size=shape), axis=-1)


def test_w1_is_the_cheapest_way_to_carry_one_sample_to_the_other():
    a, b = samples(6), samples(6)
    cheapest = min(np.abs(a - b[list(order)]).mean() for order in permutations(range(6)))
    assert wasserstein(a, b) == pytest.approx(cheapest)


def test_w1_is_the_shift_of_a_shifted_sample_and_at_least_the_shift_of_the_mean():
    a, b = samples(512), samples(512)
    assert wasserstein(a, a + 0.7) == pytest.approx(0.7)
    assert wasserstein(a, 3 * b) >= abs(a.mean() - 3 * b.mean())


def test_standardised_w1_is_free_of_scale_until_the_floor():
    a, b = samples(512), samples(512) + 1
    distance = standardised(wasserstein(a, b), a.std(), b.std())
    assert distance == pytest.approx(wasserstein(a, b) / np.sqrt((a.var() + b.var()) / 2))
    assert standardised(wasserstein(9 * a, 9 * b), 9 * a.std(), 9 * b.std()) == pytest.approx(distance)
    assert standardised(np.float64(0.1), 1e-9, 1e-9) == pytest.approx(0.1 / STD_FLOOR)


def test_net_displacement_forgets_the_way_and_path_length_adds_it_up():
    start = samples(2, 3, 4, 512)
    drift = Drift(start)
    for shift in (0.5, -0.25, 0.0):
        drift.advance(start + shift)
    assert drift.net(start + 0.0)[0] == pytest.approx(np.zeros((2, 3)))
    assert drift.path[0] == pytest.approx(np.full((2, 3), 0.5 + 0.75 + 0.25))
    spread = 1 / start.std(axis=-1)
    assert drift.path[1] == pytest.approx(1.5 * spread.mean(axis=-1))


def test_a_network_drifts_alike_without_the_others_and_after_a_resume():
    start, middle, now = samples(3, 2, 4, 64), samples(3, 2, 4, 64), samples(3, 2, 4, 64)
    drift = Drift(start)
    drift.advance(middle)
    alone, resumed = drift.only([2]), Drift(start)
    resumed.resume(drift.previous, drift.path)
    drift.advance(now)
    resumed.advance(now)
    alone.advance(now[[2]])
    assert np.array_equal(alone.path, drift.path[:, [2]])
    assert np.array_equal(alone.net(now[[2]]), drift.net(now)[:, [2]])
    assert np.array_equal(resumed.path, drift.path)
