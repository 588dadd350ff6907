"""The plane, the path on it, and the loss over it."""

import numpy as np
import pytest
import torch

from bnviz.config import Directions, ModelConfig
from bnviz.measure import landscape
from bnviz.measure.landscape import Plane, WeightPath, weight_vectors


def walk_of(stacks) -> torch.Tensor:
    return torch.stack([weight_vectors(stack.parameters) for stack in stacks])


@pytest.fixture
def walk(trained):
    """The twins after 0, 5, 10 and 20 steps: [4, 2, P], and the last stack."""
    stacks = [trained(ModelConfig(), steps) for steps in (0, 5, 10, 20)]
    return walk_of(stacks), stacks[-1]


def test_weight_vectors_and_back_keep_every_weight(trained):
    parameters = trained(ModelConfig(width=17), steps=1).parameters
    back = landscape.parameters_from(weight_vectors(parameters), parameters)
    assert all(torch.equal(a, b) for a, b in zip(back.weights, parameters.weights, strict=True))
    assert not any(vector.any() for vector in (*back.biases, *back.gammas, *back.betas))


def test_path_directions_are_the_leading_principal_components_of_both_paths_together(walk):
    points, _ = walk
    back = points - points[-1]
    first, second = landscape.path_directions(back)
    rows = torch.cat([back[:, k] / back[:, k].norm() for k in range(2)]).double()
    _, _, expected = torch.linalg.svd(rows, full_matrices=False)
    assert abs(float(first.double() @ expected[0])) == pytest.approx(1, abs=1e-4)
    assert abs(float(second.double() @ expected[1])) == pytest.approx(1, abs=1e-4)
    assert abs(float(first @ second)) < 1e-4


def test_the_path_ends_at_the_origin_and_a_path_within_a_plane_is_held_whole(walk):
    points, stack = walk
    plane = landscape.plane(points, stack.parameters, Directions.PATHS, seed=0)
    assert plane.path.shape == (4, 2, 2)
    assert plane.path[-1] == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    assert (plane.share > 0.5).all()
    assert (plane.share <= 1 + 1e-9).all()
    one_line = torch.stack([points[0], points[0] + 0.3 * (points[-1] - points[0]), points[-1]])
    line = landscape.plane(one_line, stack.parameters, Directions.PATHS, seed=0)
    assert line.share == pytest.approx([1, 1], abs=1e-4)


def test_a_point_of_the_path_lies_where_its_coordinates_say(walk):
    points, stack = walk
    two = points[[0, -1]]
    plane = landscape.plane(two, stack.parameters, Directions.PATHS, seed=0)
    for k in range(2):
        alpha, beta = plane.path[0, k]
        rebuilt = two[-1, k] + alpha * plane.first[k] + beta * plane.second[k]
        assert torch.allclose(rebuilt.float(), two[0, k], atol=1e-4)


def test_random_directions_have_each_filters_own_norm_and_one_draw_for_both(walk):
    _, stack = walk
    first, second = landscape.filter_normalised_directions(stack.parameters, seed=3)
    direction = landscape.parameters_from(first, stack.parameters)
    for d, w in zip(direction.weights, stack.parameters.weights, strict=True):
        assert torch.allclose(d.norm(dim=1), w.norm(dim=1), rtol=1e-4)
        unit = d / d.norm(dim=1, keepdim=True)
        assert torch.allclose(unit[0], unit[1], atol=1e-5)
    assert not torch.allclose(first, second)
    assert torch.equal(first, landscape.filter_normalised_directions(stack.parameters, seed=3)[0])


def test_without_a_path_the_directions_are_random_and_say_so(trained):
    stack = trained(ModelConfig(), steps=0)
    plane = landscape.plane(walk_of([stack]), stack.parameters, Directions.PATHS, seed=0)
    assert plane.directions is Directions.RANDOM
    assert np.isnan(plane.share).all()


@pytest.mark.parametrize("directions", Directions)
def test_the_surface_is_the_loss_at_the_moved_weights(walk, test_set, directions):
    points, stack = walk
    images, labels = test_set[0][:512], test_set[1][:512]
    plane = landscape.plane(points, stack.parameters, directions, seed=0)
    alpha, beta = landscape.grid(plane.path, plane.directions, 5)
    *_, surface = landscape.losses(stack.only([0, 1]), images, labels, plane, alpha, beta)
    for row, column in ((0, 0), (2, 3), (4, 1)):
        moved = moved_stack(stack, plane, alpha[column], beta[row])
        batch = moved.activations(512)
        batch.fill(images, labels)
        moved.forward(batch)
        moved.loss(batch)
        assert surface[:, row, column] == pytest.approx(batch.loss.numpy(), rel=1e-3)


def moved_stack(stack, plane: Plane, alpha: float, beta: float):
    moved = stack.only([0, 1])
    vectors = weight_vectors(stack.parameters) + alpha * plane.first + beta * plane.second
    target = landscape.parameters_from(vectors, stack.parameters)
    for mine, theirs in zip(moved.parameters.weights, target.weights, strict=True):
        mine.copy_(theirs)
    return moved


def test_an_overflowing_loss_is_infinite_and_only_what_is_computed_is_a_number(walk, test_set):
    points, stack = walk
    plane = landscape.plane(points, stack.parameters, Directions.RANDOM, seed=0)
    far = np.linspace(-1e38, 1e38, 5)
    surfaces = landscape.losses(stack.only([0, 1]), test_set[0][:64], test_set[1][:64], plane, far, far)
    first = next(surfaces).copy()
    assert np.isnan(first).any()
    *_, last = surfaces
    assert not np.isnan(last).any()
    assert np.isinf(last).any()


def test_the_grid_holds_every_path_with_a_margin():
    path = np.array([[[-0.6, 0.2], [-0.3, -0.1]], [[0.0, 0.0], [0.0, 0.0]]])
    alpha, beta = landscape.grid(path, Directions.PATHS, 21)
    assert alpha[[0, -1]] == pytest.approx([-0.75, 0.15])
    assert beta[[0, -1]] == pytest.approx([-0.175, 0.275])
    alpha, _ = landscape.grid(path, Directions.RANDOM, 21)
    assert alpha[[0, -1]].tolist() == [-1, 1]


@pytest.mark.parametrize("side", [1, 2, 5, 21])
def test_coarse_first_visits_every_point_once_every_fourth_before_the_others(side):
    order = list(landscape.coarse_first(side))
    assert sorted(order) == [(row, column) for row in range(side) for column in range(side)]
    coarse = [place for place in order if place[0] % 4 == 0 and place[1] % 4 == 0]
    assert order[: len(coarse)] == coarse


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
