"""The loss over the plane and along the lines: coarse first, each point that of a straightforward reference."""

import numpy as np
import pytest
import torch
from torch import nn

from bnviz.config import CUT_POINTS, Directions, LandscapeConfig, ModelConfig, Statistics
from bnviz.measure import landscape
from bnviz.measure.landscape import draw
from bnviz.measure.planes import plane_of
from bnviz.measure.weight_path import Walk
from bnviz.models import states_of
from bnviz.records import START_TO_NOW, TWIN_TO_TWIN
from tests.models.test_combinations import as_modules

SIDE = 11


@pytest.fixture(scope="module")
def walked(request):
    """Filled once by the first test that needs it: the twins after 0, 10 and 30 steps, and the last stack."""
    return {}


@pytest.fixture
def walk(walked, trained):
    if not walked:
        model = ModelConfig(width=30, nonlinearity="relu", initialization="he", init_scale=1.0)
        stacks = [trained(model, steps) for steps in (0, 10, 30)]
        walked["walk"] = Walk([0, 10, 30], ("plain", "bn"), torch.stack([states_of(stack) for stack in stacks]))
        walked["stack"] = stacks[-1]
    return walked["walk"], walked["stack"]


def pictures(walk, test_set, config: LandscapeConfig):
    path, stack = walk
    batch = stack.activations(config.images)
    batch.fill(test_set[0][: config.images], test_set[1][: config.images])
    plane = plane_of(config, stack, path, batch)
    return draw(config, plane, stack, path, *test_set)


def whole(walk, test_set, **config):
    config = LandscapeConfig(**({"resolution": SIDE, "images": 50, "batches": 2} | config))
    *_, picture = pictures(walk, test_set, config)
    return picture


def loss_of(stack, k, state, images, labels, statistics) -> float:
    """In float64, as PyTorch's modules compute it."""
    net = as_modules(stack, k, state.double()).train(statistics is Statistics.BATCH)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(net(images.double()), labels))


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("directions", Directions)
def test_every_point_of_every_plane_and_policy_is_the_loss_of_a_straightforward_reference(
    walk, test_set, directions, statistics
):
    picture = whole(walk, test_set, directions=directions, statistics=statistics)
    plane, stack = picture.plane, walk[1]
    for batch, row, column in ((0, 0, 0), (0, 5, 5), (1, 7, 2), (1, 10, 10)):
        rows = slice(50 * batch, 50 * (batch + 1))
        for k in range(2):
            state = plane.origin[k] + picture.alpha[column] * plane.first[k] + picture.beta[row] * plane.second[k]
            expected = loss_of(stack, k, state, test_set[0][rows], test_set[1][rows], plane.statistics)
            assert picture.loss[k, batch, row, column] == pytest.approx(expected, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("statistics", Statistics)
def test_the_lines_go_from_start_to_now_and_from_twin_to_twin(walk, test_set, statistics):
    picture = whole(walk, test_set, statistics=statistics, directions=Directions.RANDOM)
    (path, stack), parameters = walk, walk[1].parameters.flat.shape[1]
    assert picture.cut_alpha[[0, -1]].tolist() == [-0.25, 1.25]
    for index in (0, 10, 30, 50, 60):
        alpha = picture.cut_alpha[index]
        for k in range(2):
            ends = {START_TO_NOW: (path.states[0, k], path.states[-1, k]), TWIN_TO_TWIN: path.states[-1]}
            for line, (start, end) in ends.items():
                start = start.clone()
                if line == TWIN_TO_TWIN:  # the network without BN has no statistics of its own
                    start[parameters:] = path.states[-1, k, parameters:]
                state = start + alpha * (end - start)
                if statistics is Statistics.RUNNING:
                    state[parameters:] = path.states[-1, k, parameters:]
                expected = loss_of(stack, k, state, test_set[0][:50], test_set[1][:50], statistics)
                assert picture.cut_loss[line, k, 0, index] == pytest.approx(expected, rel=2e-4, abs=1e-5)


def test_before_the_first_step_there_is_no_line_from_the_start(walk, test_set):
    path, stack = walk
    still = Walk([0], path.names, path.states[-1:])
    *_, picture = pictures((still, stack), test_set, LandscapeConfig(resolution=SIDE, images=20, batches=1))
    assert np.isnan(picture.cut_loss[START_TO_NOW]).all()
    assert np.isfinite(picture.cut_loss[TWIN_TO_TWIN]).all()
    assert picture.done == 1


def test_the_centre_of_a_plane_is_the_loss_now_on_each_batch(walk, test_set):
    picture = whole(walk, test_set, directions=Directions.RANDOM, batches=4)
    stack = walk[1]
    for batch in range(4):
        rows = slice(50 * batch, 50 * (batch + 1))
        buffers = stack.activations(50)
        buffers.fill(test_set[0][rows], test_set[1][rows])
        stack.forward(buffers)
        stack.loss(buffers)
        assert picture.loss[:, batch, 5, 5] == pytest.approx(buffers.loss.numpy(), rel=1e-4)


def test_a_picture_is_coarse_first_then_sharpens_and_is_whole_at_the_end(walk, test_set):
    config = LandscapeConfig(resolution=21, images=20, batches=3)
    known, done = [], []
    for picture in pictures(walk, test_set, config):
        known.append(np.isfinite(picture.loss).sum(axis=(0, 2, 3)).tolist())
        done.append(picture.done)
    assert known[0] == [0, 0, 0]
    assert known[-1] == [2 * 21 * 21] * 3
    assert done == sorted(done)
    assert done[-1] == 1
    coarse = 2 * 6 * 6
    first_coarse = next(one for one in known if one[0] >= coarse)
    assert first_coarse[1:] == [0, 0]  # the first batch is looked at first
    first_finer = next(one for one in known if one[0] > coarse)
    assert first_finer[1:] == [coarse, coarse]


@pytest.mark.parametrize("side", [11, 21, 41, 61, 101])
def test_the_levels_visit_every_point_once_the_coarsest_is_small_and_has_the_corners_nearly(side):
    levels = landscape.coarse_first(side)
    visited = [(row, column) for rows, columns in levels for row, column in zip(rows, columns, strict=True)]
    assert sorted(visited) == [(row, column) for row in range(side) for column in range(side)]
    assert len(levels[0][0]) <= 36
    assert [len(rows) for rows, _ in levels] == sorted(len(rows) for rows, _ in levels)


def test_an_overflowing_loss_is_infinite_and_no_warning(walk, test_set):
    path, stack = walk
    huge = Walk(path.steps, path.names, path.states * 1e15)
    large = stack.only([0, 1])
    large.parameters.flat.mul_(1e15)
    *_, picture = pictures((huge, large), test_set, LandscapeConfig(resolution=SIDE, images=20, batches=1))
    assert np.isinf(picture.loss).any()
    assert not np.isnan(picture.loss).any()
    assert picture.done == 1


def test_the_networks_are_left_as_they_are(walk, test_set):
    stack = walk[1]
    before = states_of(stack)
    whole(walk, test_set, directions=Directions.GRADIENT)
    assert torch.equal(states_of(stack), before)


def test_a_line_has_so_many_points(walk, test_set):
    assert whole(walk, test_set).cut_loss.shape == (2, 2, 2, CUT_POINTS)
