"""Snapshots of the way through weight space."""

import torch

from bnviz.measure.weight_path import Walk, WeightPath


def test_snapshots_stay_within_their_number_the_first_and_the_newest_always():
    path = WeightPath(torch.zeros(2, 3), most=10)
    for step in range(1, 2000):
        path.add(step, torch.full((2, 3), float(step)))
    steps, points = path.until(2000, torch.full((2, 3), 2000.0))
    assert len(steps) == 11
    assert steps[0] == 0
    assert steps[-2:] == [1999, 2000]
    assert points[:, 0, 0].tolist() == steps
    assert path.only([1]).until(2000, torch.zeros(1, 3))[0] == steps


def test_the_nearest_kept_step_stands_for_one_that_is_not_kept():
    walk = Walk([0, 10, 100], ("plain",), torch.zeros(3, 1, 1))
    assert [walk.nearest(step) for step in (0, 4, 6, 80, 10**6)] == [0, 0, 1, 2, 2]


def test_the_ends_of_a_walk_are_its_first_and_its_last_point():
    walk = Walk([0, 10, 100], ("plain",), torch.arange(3.0).view(3, 1, 1))
    assert walk.ends.steps == [0, 100]
    assert walk.ends.states.flatten().tolist() == [0, 2]
