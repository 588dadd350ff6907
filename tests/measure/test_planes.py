"""What spans the plane, and where the path lies on it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bnviz.config import Directions, LandscapeConfig, ModelConfig, Statistics, WeightPoint
from bnviz.errors import ConfigError
from bnviz.measure import planes
from bnviz.measure.planes import Plane, plane_of
from bnviz.measure.weight_path import Walk
from bnviz.models import states_of

NAMES = ("plain", "bn")


def walk_of(stacks, steps=None) -> Walk:
    states = torch.stack([states_of(stack) for stack in stacks])
    return Walk(list(steps or range(len(stacks))), NAMES, states)


@pytest.fixture
def walk(trained):
    """The twins after 0, 5, 10 and 20 steps, and the last stack."""
    stacks = [trained(ModelConfig(), steps) for steps in (0, 5, 10, 20)]
    return walk_of(stacks, (0, 5, 10, 20)), stacks[-1]


@pytest.fixture
def make(walk, test_set):
    """A function: the plane of a configuration, or of changes to the default one."""

    def plane(config: LandscapeConfig | None = None, path: Walk | None = None, earlier: Walk | None = None, **changes):
        config = (config or LandscapeConfig()).replace(**changes)
        batch = walk[1].activations(256)
        batch.fill(test_set[0][:256], test_set[1][:256])
        return plane_of(config, walk[1], path or walk[0], batch, earlier)

    return plane


def weights_of(directions: torch.Tensor, stack):
    """The part of states that training's weight matrices are, as matrices by layer."""
    parameters = stack.parameters.empty_like()
    parameters.flat.copy_(directions[:, : parameters.flat.shape[1]])
    return parameters.weights


def at(plane: Plane, k: int, alpha: float, beta: float) -> torch.Tensor:
    return plane.origin[k] + alpha * plane.first[k] + beta * plane.second[k]


def test_path_directions_are_the_leading_principal_components_of_both_paths_together(walk):
    states, stack = walk[0].states, walk[1]
    matrices = stack.parameters.flat_weights.shape[1]
    back = (states - states[-1])[:, :, :matrices]
    first, second = planes.path_directions(back)
    rows = torch.cat([back[:, k] / back[:, k].norm() for k in range(2)]).double()
    _, _, expected = torch.linalg.svd(rows, full_matrices=False)
    assert abs(float(first.double() @ expected[0])) == pytest.approx(1, abs=1e-4)
    assert abs(float(second.double() @ expected[1])) == pytest.approx(1, abs=1e-4)
    assert abs(float(first @ second)) < 1e-4


def test_the_path_ends_at_the_origin_and_a_path_within_a_plane_is_held_whole(walk, make):
    plane = make()
    assert plane.directions is Directions.PATHS
    assert plane.path.shape == (4, 2, 2)
    assert plane.path[-1] == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    assert (plane.share > 0.5).all()
    assert (plane.share <= 1 + 1e-6).all()
    states = walk[0].states
    one_line = torch.stack([states[0], states[0] + 0.3 * (states[-1] - states[0]), states[-1]])
    assert make(path=Walk([0, 1, 2], NAMES, one_line)).share == pytest.approx([1, 1], abs=1e-4)


def test_the_share_of_the_path_in_the_plane_is_the_explained_variance_of_its_two_components(walk, make):
    """With one network alone the plane's share is the ratio that a singular value decomposition gives."""
    states, stack = walk[0].states, walk[1]
    one = stack.only([1])
    batch = one.activations(8)
    plane = plane_of(LandscapeConfig(), one, Walk(walk[0].steps, ("bn",), states[:, 1:]), batch)
    matrices = one.parameters.flat_weights.shape[1]
    back = (states[:, 1, :matrices] - states[-1, 1, :matrices]).double()
    variances = torch.linalg.svdvals(back).square()
    assert plane.share[0] == pytest.approx(float(variances[:2].sum() / variances.sum()), rel=1e-4)


def test_a_point_of_the_path_lies_where_its_coordinates_say(walk, make):
    """On the plane of a path of two points nothing is left out."""
    two = Walk([0, 20], NAMES, walk[0].states[[0, -1]])
    plane, matrices = make(path=two), walk[1].parameters.flat_weights.shape[1]
    for k in range(2):
        found = at(plane, k, *plane.path[0, k])
        assert torch.allclose(found[:matrices], two.states[0, k, :matrices], atol=1e-4)


@pytest.mark.parametrize("directions", [Directions.PATHS, Directions.RANDOM, Directions.GRADIENT])
def test_biases_gamma_beta_and_frozen_statistics_stay_as_they_are(walk, make, directions):
    plane, matrices = make(directions=directions), walk[1].parameters.flat_weights.shape[1]
    assert not plane.first[:, matrices:].any()
    assert not plane.second[:, matrices:].any()
    assert torch.equal(plane.origin, walk[0].states[-1])


def test_random_directions_have_each_filters_own_norm_and_one_draw_for_both(walk, make):
    stack, plane = walk[1], make(directions=Directions.RANDOM, seed=3)
    for d, w in zip(weights_of(plane.first, stack), stack.parameters.weights, strict=True):
        assert torch.allclose(d.norm(dim=1), w.norm(dim=1), rtol=1e-4)
        unit = d / d.norm(dim=1, keepdim=True)
        assert torch.allclose(unit[0], unit[1], atol=1e-5)
    assert not torch.allclose(plane.first, plane.second)
    assert torch.equal(plane.first, make(directions=Directions.RANDOM, seed=3).first)
    assert not torch.allclose(plane.first, make(directions=Directions.RANDOM, seed=4).first)


def test_a_unit_without_weights_is_counted_and_not_moved(walk, test_set):
    stack = walk[1].only([0, 1])
    stack.parameters.weights[1][0, :, [2, 5]] = 0
    batch = stack.activations(8)
    plane = plane_of(LandscapeConfig(directions="random"), stack, walk_of([stack]), batch)
    assert plane.zero_units.tolist() == [2, 0]
    moved = weights_of(plane.first, stack)[1]
    assert not moved[0, :, [2, 5]].any()
    assert torch.isfinite(moved).all()
    assert (moved[0].norm(dim=0) > 0).sum() == 98


def test_without_a_path_the_directions_are_random_and_say_so(trained, make, walk):
    plane = make(path=Walk([0], NAMES, walk[0].states[-1:]))
    assert plane.directions is Directions.RANDOM
    assert np.isnan(plane.share).all()


def test_the_gradient_plane_is_spanned_by_autograds_gradient_and_an_orthogonal_direction(walk, make, test_set):
    stack, plane = walk[1], make(directions=Directions.GRADIENT)
    images, labels = test_set[0][:256], test_set[1][:256]
    matrices = stack.parameters.flat_weights.shape[1]
    for k in range(2):
        weights = [w[k].clone().requires_grad_() for w in stack.parameters.weights]
        u = images
        for layer, weight in enumerate(weights[:-1]):
            z = u @ weight
            if k == 1:
                z = (z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt()
                z = z * stack.parameters.gammas[layer][k, 0, :100] + stack.parameters.betas[layer][k, 0, :100]
            else:
                z = z + stack.parameters.biases[layer][k, 0, :100]
            u = torch.sigmoid(z)
        logits = u @ weights[-1] + stack.parameters.biases[-1][k, 0, :10]
        gradient = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels), weights)
        expected = torch.cat([g.flatten() for g in gradient])
        found = torch.cat([w[k].flatten() for w in weights_of(plane.first, stack)])
        assert float(found @ expected / found.norm() / expected.norm()) == pytest.approx(1, abs=1e-4)
        first, second = plane.first[k, :matrices], plane.second[k, :matrices]
        length = float(stack.parameters.flat_weights[k].norm())
        assert float(first @ second) / length**2 == pytest.approx(0, abs=1e-5)
        assert float(first.norm()) == pytest.approx(length, rel=1e-4)
        assert float(second.norm()) == pytest.approx(length, rel=1e-4)


def test_a_gradient_that_is_zero_spans_no_plane(walk, test_set):
    stack = walk[1].only([0, 1])
    stack.parameters.flat.zero_()
    stack.parameters.biases[-1][:, :, 0] = 1e4  # sure of one class, and right
    batch = stack.activations(8)
    batch.fill(test_set[0][:8], torch.zeros(8, dtype=torch.int64))
    with pytest.raises(ConfigError, match="gradient is 0"):
        plane_of(LandscapeConfig(directions="gradient"), stack, walk_of([stack]), batch)


# --- through three points ---------------------------------------------------------------------------------------------

POINTS = (WeightPoint("plain", 0), WeightPoint("plain"), WeightPoint("bn"))


@pytest.mark.parametrize("statistics", Statistics)
def test_the_corners_of_a_plane_through_three_points_are_those_points(walk, make, statistics):
    plane = make(directions=Directions.POINTS, points=POINTS, statistics=statistics)
    states, parameters = walk[0].states, walk[1].parameters.flat.shape[1]
    assert plane.points[:2].tolist() == [[0, 0], [1, 0]]
    corners = (states[0, 0], states[-1, 0], bn := states[-1, 1])
    for state, (alpha, beta) in zip(corners, plane.points, strict=True):
        for k in range(2):
            found = at(plane, k, alpha, beta)
            assert torch.allclose(found[:parameters], state[:parameters], atol=1e-4)
            is_own = statistics is Statistics.INTERPOLATED and state is bn
            running = state if is_own else states[-1, k]  # a network without BN has none of its own
            assert torch.allclose(found[parameters:], running[parameters:], atol=1e-4)


def test_lengths_and_angles_on_a_plane_through_three_points_are_those_of_weight_space(walk, make):
    plane = make(directions=Directions.POINTS, points=POINTS)
    states = walk[0].states[:, :, : walk[1].parameters.flat.shape[1]].double()
    a, b, c = states[0, 0], states[-1, 0], states[-1, 1]
    unit = float((b - a).norm())
    assert float(np.hypot(*plane.points[2])) == pytest.approx(float((c - a).norm()) / unit, rel=1e-4)
    assert float(np.hypot(*(plane.points[2] - [1, 0]))) == pytest.approx(float((c - b).norm()) / unit, rel=1e-4)
    assert plane.path[0, 0] == pytest.approx([0, 0], abs=1e-4)
    assert plane.path[-1, 0] == pytest.approx([1, 0], abs=1e-4)
    assert plane.path[-1, 1] == pytest.approx(plane.points[2], abs=1e-4)


def test_a_point_of_an_earlier_run_is_where_that_run_ended(walk, make):
    ended = walk[0].states * 1.5
    earlier = Walk([0, 300], NAMES, ended[[0, -1]])
    points = (*POINTS[:2], WeightPoint("bn", is_earlier=True))
    plane = make(directions=Directions.POINTS, points=points, earlier=earlier)
    parameters = walk[1].parameters.flat.shape[1]
    assert torch.allclose(at(plane, 1, *plane.points[2])[:parameters], ended[-1, 1, :parameters], atol=1e-4)


@pytest.mark.parametrize(
    "points",
    [
        ("plain@0", "plain@0", "bn@now"),
        ("plain@now", "bn@now", "plain@20"),
        ("bn@now", "plain@now", "plain@now"),
        ("plain@0", "bn@0", "bn@now"),  # both start from the same weights; only gamma and beta differ, not yet
    ],
)
def test_points_that_coincide_span_no_plane(make, points):
    with pytest.raises(ConfigError, match="span no plane"):
        make(directions=Directions.POINTS, points=points)


def test_three_points_on_one_line_span_no_plane(walk, make):
    states = walk[0].states
    line = torch.stack([states[0], (states[0] + states[-1]) / 2, states[-1]])
    with pytest.raises(ConfigError, match="one line"):
        make(directions="points", points=("bn@0", "bn@1", "bn@2"), path=Walk([0, 1, 2], NAMES, line))


@pytest.mark.parametrize(("point", "whose"), [("noisy@0", "this run"), ("earlier-bn@now", "an earlier run")])
def test_a_point_that_is_not_there_is_named(make, point, whose):
    with pytest.raises(ConfigError, match=f"{point}: {whose}"):
        make(directions="points", points=(point, "plain@0", "plain@now"))


# --- interpolated statistics ------------------------------------------------------------------------------------------


def test_interpolated_statistics_on_the_plane_of_the_paths_are_those_of_its_points(walk, make):
    """With three points of the path, the last of them the origin, two linear functions pass through all."""
    three = Walk([0, 5, 20], NAMES, walk[0].states[[0, 1, -1]])
    plane, parameters = make(path=three, statistics="interpolated"), walk[1].parameters.flat.shape[1]
    assert plane.statistics is Statistics.INTERPOLATED
    for place in range(3):
        for k in range(2):
            found = at(plane, k, *plane.path[place, k])[parameters:]
            assert torch.allclose(found, three.states[place, k, parameters:], atol=2e-3)


@pytest.mark.parametrize("directions", [Directions.RANDOM, Directions.GRADIENT])
def test_where_nothing_lies_to_interpolate_between_the_running_statistics_are_taken(make, directions):
    plane = make(directions=directions, statistics="interpolated")
    assert plane.statistics is Statistics.RUNNING


# --- the grid ---------------------------------------------------------------------------------------------------------


def test_the_grid_holds_every_path_with_a_margin(make):
    path = np.array([[[-0.6, 0.2], [-0.3, -0.1]], [[0.0, 0.0], [0.0, 0.0]]])
    plane = replace(make(), path=path)
    alpha, beta = planes.grid(plane, 21)
    assert alpha[[0, -1]] == pytest.approx([-0.75, 0.15])
    assert beta[[0, -1]] == pytest.approx([-0.175, 0.275])
    wide, _ = planes.grid(plane, 21, span=2)
    assert wide[[0, -1]] == pytest.approx([-1.2, 0.6])


def test_around_random_directions_the_grid_reaches_as_far_as_the_weights_are_long(make):
    alpha, beta = planes.grid(make(directions="random"), 11)
    assert alpha[[0, -1]].tolist() == beta[[0, -1]].tolist() == [-1, 1]
    assert planes.grid(make(directions="gradient"), 11, span=0.2)[0][[0, -1]] == pytest.approx([-0.2, 0.2])
