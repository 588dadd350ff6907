"""Planes through the networks' weights: what spans them, and where the paths lie on them.

Shapes: K = networks, F = numbers of a state (`models.states_of`): weight matrices first, then biases, gamma and beta,
then running statistics; p = points of the path.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import NOW, Directions, LandscapeConfig, Statistics, WeightPoint
from bnviz.errors import ConfigError
from bnviz.measure.weight_path import Walk
from bnviz.models import Activations, Collect, Parameters, Stack
from bnviz.models.normalizations import NORMALIZATIONS
from bnviz.records import Floats

MARGIN: Final = 0.25  # of the path's extent, shown beyond it on either side
SMALLEST_REACH: Final = 0.05  # norms of the weights
FLATTEST: Final = 1e-5  # a triangle whose height is less than this share of its base is taken for a line
_LI_EPS: Final = 1e-10


@dataclass(frozen=True)
class Plane:
    """origin + alpha first + beta second, of each network.

    Attributes:
        directions: which kind they are; random where there is no path yet.
        statistics: what BN takes; running statistics where the plane has none to interpolate between.
        origin, first, second: [K, F].
        path: [p, K, 2] in units of the directions.
        share: [K] of the path's squared length that lies in the plane; NaN where there is no path.
        points: [3, 2], those that the plane was laid through; NaN for other planes.
        zero_units: [K] units whose incoming weights are all 0: their share of a random direction is 0.
    """

    directions: Directions
    statistics: Statistics
    origin: Tensor
    first: Tensor
    second: Tensor
    path: Floats
    share: Floats
    points: Floats
    zero_units: Floats


def plane_of(
    config: LandscapeConfig,
    stack: Stack,
    walk: Walk,
    batch: Activations | None,
    earlier: Walk | None = None,
) -> Plane:
    """The plane that a landscape is to show.

    Args:
        config: what is asked for.
        stack: the networks as they are now, in the order of `walk.names`.
        walk: their path up to now.
        batch: the images that the gradient is taken on, filled; of no other plane is it needed.
        earlier: of the run before this one.

    Raises:
        ConfigError: the three points make no plane, one of them is not there, or the gradient is 0.
    """
    if config.directions is Directions.POINTS:
        return _through_points(config, stack, walk, earlier)
    directions = config.directions
    states = walk.states
    matrices = stack.parameters.flat_weights.shape[1]
    steps_back = states[:, :, :matrices] - states[-1, :, :matrices]
    zero_units: Floats = np.zeros(len(stack))
    if directions is Directions.PATHS and bool(steps_back.any()):
        pair = path_directions(steps_back)
        norm = states[-1, :, :matrices].norm(dim=1, keepdim=True)
        first, second = (direction * norm for direction in pair)
    else:
        zero_units = _zero_units(stack.parameters)
        first, second = filter_normalised_directions(stack.parameters, config.seed)
        if directions is Directions.GRADIENT:
            assert batch is not None
            first, second = gradient_directions(stack, batch, second)
        else:
            directions = Directions.RANDOM
    coordinates, share = _project(steps_back, first, second)
    plane = Plane(
        directions,
        Statistics.RUNNING if config.statistics is Statistics.INTERPOLATED else config.statistics,
        states[-1],
        _as_states(first, states.shape[2]),
        _as_states(second, states.shape[2]),
        coordinates,
        share,
        np.full((3, 2), np.nan),
        zero_units,
    )
    is_interpolated = config.statistics is Statistics.INTERPOLATED and directions is Directions.PATHS
    return _with_interpolated_statistics(plane, stack, states) if is_interpolated else plane


def _as_states(directions: Tensor, length: int) -> Tensor:
    """Directions of weight matrices as directions of states: everything else stays. [K, ...] to [K, F]"""
    return torch.nn.functional.pad(directions, (0, length - directions.shape[1]))


# --- the two leading directions of the paths --------------------------------------------------------------------------


def path_directions(steps_back: Tensor) -> tuple[Tensor, Tensor]:
    """The two leading principal components of all networks' paths together: one vector each, orthonormal.

    Each path counts the same, however long it is. Rows are theta_i - theta_now, not centred, as in Li et al. 2018.
    """
    length = steps_back.square().sum(dim=(0, 2), keepdim=True).sqrt()
    rows = (steps_back / length.clamp(min=torch.finfo(length.dtype).tiny)).flatten(0, 1)  # [p K, ...]
    _, vectors = torch.linalg.eigh((rows @ rows.T).double())
    leading = vectors[:, [-1, -2]].T.to(rows.dtype) @ rows  # [2, ...]
    first = leading[0] / leading[0].norm()
    second = leading[1] - (leading[1] @ first) * first
    if second.norm() <= 1e-6 * leading[0].norm():  # both paths lie on one line: any second direction will do
        second = torch.randn(second.shape, generator=torch.Generator().manual_seed(0)).to(first)
        second = second - (second @ first) * first
    second = second / second.norm()
    start = steps_back[0].sum(dim=0)  # an eigenvector's sign is arbitrary: let the path come from the left, from below
    return _from_negative(first, start), _from_negative(second, start)


def _from_negative(direction: Tensor, start: Tensor) -> Tensor:
    return -direction if float(start @ direction) > 0 else direction


def _with_interpolated_statistics(plane: Plane, stack: Stack, states: Tensor) -> Plane:
    """The running statistics follow the path: their changes as linear functions of its coordinates, least squares."""
    begin = stack.parameters.flat.shape[1]
    changes = (states[:, :, begin:] - states[-1, :, begin:]).transpose(0, 1)  # [K, p, R]
    coordinates = torch.from_numpy(plane.path).to(states).transpose(0, 1)  # [K, p, 2]
    slopes = torch.linalg.pinv(coordinates.double()).to(states) @ changes  # [K, 2, R]
    first, second = plane.first.clone(), plane.second.clone()
    first[:, begin:], second[:, begin:] = slopes.unbind(1)
    return replace(plane, statistics=Statistics.INTERPOLATED, first=first, second=second)


# --- random directions, and the gradient ------------------------------------------------------------------------------


def filter_normalised_directions(like: Parameters, seed: int) -> tuple[Tensor, Tensor]:
    """Gaussian directions, one draw for all networks, scaled filter by filter to the norm of its weights.

    A filter is the weights into one unit: d <- d ||w|| / (||d|| + 1e-10). Weight matrices alone, with their padding:
    biases, gamma and beta stay. Source: Li et al. 2018, Section 4.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second = (_filter_normalised(like, generator) for _ in range(2))
    return first, second


def _filter_normalised(like: Parameters, generator: torch.Generator) -> Tensor:
    direction = like.empty_like()
    for d, w in zip(direction.weights, like.weights, strict=True):
        gaussian = torch.randn(w.shape[1:], generator=generator, dtype=torch.float64).to(w)
        d.copy_(gaussian * w.norm(dim=1, keepdim=True) / (gaussian.norm(dim=0) + _LI_EPS))
    return direction.flat_weights


def _zero_units(parameters: Parameters) -> Floats:
    counts = sum((weight == 0).all(dim=1).sum(dim=1) for weight in parameters.weights)
    assert isinstance(counts, Tensor)
    return counts.double().cpu().numpy()


def gradient_directions(stack: Stack, batch: Activations, other: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the loss on the batch, BN with its statistics, and what of `other` is orthogonal to it.

    With respect to the weight matrices, each as long as the weights are. [K, ...] each
    """
    gradient = stack.parameters.empty_like()
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))
    first, norm = gradient.flat_weights, stack.parameters.flat_weights.norm(dim=1, keepdim=True)
    length = first.norm(dim=1, keepdim=True)
    if not bool((length > 0).all()) or not bool(length.isfinite().all()):
        raise ConfigError(
            "The gradient is 0 or not finite here, so it has no direction: choose another plane, or reset the run."
        )
    first = first / length
    second = other - (other * first).sum(dim=1, keepdim=True) * first
    return first * norm, second * (norm / second.norm(dim=1, keepdim=True))


# --- through three points ---------------------------------------------------------------------------------------------


def _through_points(config: LandscapeConfig, stack: Stack, walk: Walk, earlier: Walk | None) -> Plane:
    """The first point is (0, 0), the second (1, 0); all parameters differ from point to point.

    Distances count parameters alone; running statistics go along where they are to be interpolated.
    """
    a, b, c = (_state_at(point, walk, earlier) for point in config.points)
    parameters = stack.parameters.flat.shape[1]
    base, side = (b - a)[:parameters].double(), (c - a)[:parameters].double()
    along = float(side @ base / (base @ base)) if base.any() else 0.0
    height = (side - along * base).norm()
    if not bool(base.isfinite().all()) or not bool(side.isfinite().all()):
        raise ConfigError("The weights at these points are too large to lay a plane through: choose others.")
    if not base.any() or not side.any() or float(height) <= FLATTEST * float(base.norm()):
        raise ConfigError(
            f"{', '.join(map(str, config.points))}: these points lie on one line or coincide, so they span no plane. "
            "Choose three that differ."
        )
    scale = float(base.norm()) / float(height)
    networks = len(stack)
    is_interpolated = config.statistics is Statistics.INTERPOLATED
    a, b, c = (
        with_statistics(state, stack, walk, is_own=is_interpolated and has_statistics(point.network, stack, walk))
        for state, point in zip((a, b, c), config.points, strict=True)
    )
    origin, first = a, b - a
    second = (c - a - along * first) * scale
    states = walk.states[:, :, :parameters]
    coordinates, _ = _project(states - origin[:, :parameters], first[:, :parameters], second[:, :parameters])
    _, share = _project(states - states[-1], first[:, :parameters], second[:, :parameters])
    points = np.array([[0, 0], [1, 0], [along, 1 / scale]])
    zero_units = np.zeros(networks)
    return Plane(config.directions, config.statistics, origin, first, second, coordinates, share, points, zero_units)


def has_statistics(network: str, stack: Stack, walk: Walk) -> bool:
    """Whether a network, by its name, has running statistics: one without BN has none to interpolate."""
    if network not in walk.names:
        return False
    return NORMALIZATIONS[stack.normalizations[walk.names.index(network)]].has_statistics


def with_statistics(state: Tensor, stack: Stack, walk: Walk, is_own: bool) -> Tensor:
    """One state for each network, with its own running statistics or with each network's present ones. [K, F]"""
    states = state.expand(len(stack), -1).clone()
    if not is_own:
        parameters = stack.parameters.flat.shape[1]
        states[:, parameters:] = walk.states[-1, :, parameters:]
    return states


def _state_at(point: WeightPoint, walk: Walk, earlier: Walk | None) -> Tensor:
    """A copy of one state. [F]"""
    of = earlier if point.is_earlier else walk
    if of is None or point.network not in of.names:
        whose = "an earlier run of networks of the same sizes" if point.is_earlier else "this run"
        raise ConfigError(
            f"{point}: {whose} has no weights of this network to lay a plane through. Choose another point."
        )
    index = len(of.steps) - 1 if point.step == NOW else of.nearest(point.step)
    return of.states[index, of.names.index(point.network)]


# --- the path on a plane ----------------------------------------------------------------------------------------------


def _project(steps: Tensor, first: Tensor, second: Tensor) -> tuple[Floats, Floats]:
    """Least-squares coordinates of points [p, K, ...]: [p, K, 2], and the share of their squared length they hold [K].

    In float64 sums of float32 products: a path of many numbers would not fit into memory twice as wide.
    """
    basis = torch.stack([first, second], dim=2)  # [K, ..., 2]
    gram = (basis.transpose(1, 2) @ basis).double()
    gram = gram + torch.eye(2).to(gram) * torch.finfo(torch.float64).tiny
    products = torch.einsum("pkf,kfd->kpd", steps, basis).double()
    coordinates = torch.linalg.solve(gram, products.transpose(1, 2)).transpose(1, 2)  # [K, p, 2]
    held = torch.einsum("kpi,kij,kpj->k", coordinates, gram, coordinates)
    whole = steps.square().sum(dim=(0, 2)).double()
    share = torch.where(whole > 0, held / whole, torch.nan)
    return coordinates.transpose(0, 1).cpu().numpy(), share.cpu().numpy()


def grid(plane: Plane, side: int, span: float = 1.0) -> tuple[Floats, Floats]:
    """alpha and beta [g] each: [-span, span], or wide enough for what lies on the plane and a margin, times span."""
    if plane.directions in (Directions.RANDOM, Directions.GRADIENT):
        return np.linspace(-span, span, side), np.linspace(-span, span, side)
    shown = plane.points if plane.directions is Directions.POINTS else plane.path.reshape(-1, 2)
    low, high = shown.min(axis=0), shown.max(axis=0)
    reach = np.maximum(high - low, SMALLEST_REACH)
    middle, half = (low + high) / 2, (high - low + 2 * MARGIN * reach) / 2 * span
    ends = zip(middle - half, middle + half, strict=True)
    alpha, beta = (np.linspace(begin, end, side) for begin, end in ends)
    return alpha, beta
