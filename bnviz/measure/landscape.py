"""The loss on a plane through the networks' current weights, and the path walked so far on that plane.

Biases, gamma and beta stay as they are; BN takes the statistics of the fixed batch, since frozen running statistics are
wrong away from the current weights (SCIENCE, section 4).

Shapes: K = networks, P = weights of one network, p = points of the path, g = grid points a side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import Directions
from bnviz.models import Parameters, Stack
from bnviz.records import Floats

PATH_BYTES: Final = 16_000_000  # for the snapshots of all networks of a run
FEWEST_SNAPSHOTS: Final = 4
MARGIN: Final = 0.25  # of the path's extent, shown beyond it on either side
SMALLEST_REACH: Final = 0.05  # filter norms
WEIGHTS_AN_ITEM: Final = 80_000  # hidden weights multiplied between two items: a few ms
_LI_EPS: Final = 1e-10


def weight_vectors(parameters: Parameters) -> Tensor:
    """The weight matrices of each network as one vector: [K, P]."""
    return torch.cat([weight.flatten(1) for weight in parameters.weights], dim=1)


def parameters_from(vectors: Tensor, like: Parameters) -> Parameters:
    """The inverse of `weight_vectors`: vectors [K, P] as weight matrices, everything else 0."""
    parameters = like.empty_like()
    sizes = [weight[0].numel() for weight in like.weights]
    for weight, part in zip(parameters.weights, torch.split(vectors, sizes, dim=1), strict=True):
        weight.copy_(part.view(weight.shape))
    return parameters


class WeightPath:
    """Snapshots of the weights along the run, within a byte budget; the first one always stays.

    When full, the inner snapshot that leaves the smallest hole is dropped, on a linear and a logarithmic axis of steps
    together.
    """

    def __init__(self, start: Tensor, most: int | None = None) -> None:
        fitting = PATH_BYTES // (start.numel() * start.element_size())
        self.most = most if most is not None else max(FEWEST_SNAPSHOTS, fitting)
        self._steps = [0]
        self._vectors = [start]

    def add(self, step: int, vectors: Tensor) -> None:
        """vectors: [K, P], not to be written to afterwards."""
        if step <= self._steps[-1]:
            return
        self._steps.append(step)
        self._vectors.append(vectors)
        if len(self._steps) > self.most:
            steps = np.array(self._steps, float)
            hole = (steps[2:] - steps[:-2]) / steps[-1]
            hole += np.log((steps[2:] + 1) / (steps[:-2] + 1)) / np.log(steps[-1] + 1)
            dropped = 1 + int(np.argmin(hole))
            del self._steps[dropped], self._vectors[dropped]

    def until(self, step: int, now: Tensor) -> tuple[list[int], Tensor]:
        """The snapshots and the present: steps [p] and weights [p, K, P]."""
        earlier = [index for index, kept in enumerate(self._steps) if kept < step]
        steps = [*(self._steps[index] for index in earlier), step]
        return steps, torch.stack([*(self._vectors[index] for index in earlier), now])

    def only(self, networks: Sequence[int]) -> "WeightPath":
        """The path of some of the networks."""
        chosen = WeightPath(self._vectors[0][list(networks)], self.most)
        chosen._steps = list(self._steps)
        chosen._vectors = [vectors[list(networks)] for vectors in self._vectors]
        return chosen


@dataclass(frozen=True)
class Plane:
    """Two directions for each network, and the path on them.

    Attributes:
        directions: which kind they are; random where there is no path yet.
        first, second: [K, P].
        path: [p, K, 2] in units of the directions, ending at (0, 0).
        share: [K] of the path's squared length that lies in the plane.
    """

    directions: Directions
    first: Tensor
    second: Tensor
    path: Floats
    share: Floats


def plane(walk: Tensor, like: Parameters, directions: Directions, seed: int) -> Plane:
    """The plane through the present weights, the last of `walk` [p, K, P]."""
    now = walk[-1]
    steps_back = walk - now  # [p, K, P]
    if directions is Directions.PATHS and bool(steps_back.any()):
        first, second = path_directions(steps_back)
        norm = now.norm(dim=1, keepdim=True)  # [K, 1]
        first, second = first * norm, second * norm
    else:
        directions = Directions.RANDOM
        first, second = filter_normalised_directions(like, seed)
    coordinates, share = _project(steps_back, first, second)
    return Plane(directions, first, second, coordinates, share)


def path_directions(steps_back: Tensor) -> tuple[Tensor, Tensor]:
    """The two leading principal components of all networks' paths together: [P] each, orthonormal.

    Each path counts the same, however long it is. Rows are theta_i - theta_now, not centred, as in Li et al. 2018.
    """
    length = steps_back.square().sum(dim=(0, 2), keepdim=True).sqrt()
    rows = (steps_back / length.clamp(min=torch.finfo(length.dtype).tiny)).flatten(0, 1)  # [p K, P]
    _, vectors = torch.linalg.eigh((rows @ rows.T).double())
    leading = vectors[:, [-1, -2]].T.to(rows.dtype) @ rows  # [2, P]
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


def filter_normalised_directions(like: Parameters, seed: int) -> tuple[Tensor, Tensor]:
    """Gaussian directions, one draw for all networks, scaled filter by filter to the norm of its weights.

    A filter is the weights into one unit: d <- d ||w|| / (||d|| + 1e-10). Source: Li et al. 2018, Section 4.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second = (_filter_normalised(like, generator) for _ in range(2))
    return first, second


def _filter_normalised(like: Parameters, generator: torch.Generator) -> Tensor:
    direction = like.empty_like()
    for d, w in zip(direction.weights, like.weights, strict=True):
        gaussian = torch.randn(w.shape[1:], generator=generator, dtype=torch.float64).to(w)
        d.copy_(gaussian * w.norm(dim=1, keepdim=True) / (gaussian.norm(dim=0) + _LI_EPS))
    return weight_vectors(direction)


def _project(steps_back: Tensor, first: Tensor, second: Tensor) -> tuple[Floats, Floats]:
    """Least-squares coordinates of the path [p, K, 2] and the share of its squared length they hold [K]."""
    basis = torch.stack([first, second], dim=2).double()  # [K, P, 2]
    rows = steps_back.transpose(0, 1).double()  # [K, p, P]
    gram = basis.transpose(1, 2) @ basis
    gram = gram + torch.eye(2).to(gram) * torch.finfo(torch.float64).tiny
    coordinates = torch.linalg.solve(gram, (rows @ basis).transpose(1, 2)).transpose(1, 2)  # [K, p, 2]
    held = (coordinates @ basis.transpose(1, 2)).square().sum(dim=(1, 2))
    whole = rows.square().sum(dim=(1, 2))
    share = torch.where(whole > 0, held / whole, torch.nan)
    return coordinates.transpose(0, 1).cpu().numpy(), share.cpu().numpy()


def grid(path: Floats, directions: Directions, side: int) -> tuple[Floats, Floats]:
    """alpha and beta [g] each: [-1, 1] for random directions, else wide enough for every path and a margin."""
    if directions is Directions.RANDOM:
        return np.linspace(-1, 1, side), np.linspace(-1, 1, side)
    low, high = path.min(axis=(0, 1)), path.max(axis=(0, 1))
    reach = np.maximum(high - low, SMALLEST_REACH)
    low, high = low - MARGIN * reach, high + MARGIN * reach
    return np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)


def coarse_first(side: int) -> Iterator[tuple[int, int]]:
    """All (row, column) of a square grid: every fourth, then every second, then the others."""
    seen: set[tuple[int, int]] = set()
    for stride in (4, 2, 1):
        for row in range(0, side, stride):
            for column in range(0, side, stride):
                if (row, column) not in seen:
                    seen.add((row, column))
                    yield row, column


def losses(stack: Stack, images: Tensor, labels: Tensor, plane: Plane, alpha: Floats, beta: Floats) -> Iterator[Floats]:
    """The loss of every network over the grid, a few points further at each item: [K, g_beta, g_alpha].

    NaN where not computed yet, inf where it overflows. `stack` is changed: give it a copy. For a fixed batch the first
    layer is linear in (alpha, beta), so three products serve all: X (W + alpha U + beta V) = XW + alpha XU + beta XV.
    """
    batch = stack.activations(len(images))
    batch.fill(images, labels)
    centre = stack.parameters.clone()
    first, second = (parameters_from(d, centre) for d in (plane.first, plane.second))
    x_w, x_u, x_v = (torch.bmm(batch.inputs[0], each.weights[0]) for each in (centre, first, second))
    surface = np.full((len(stack), len(beta), len(alpha)), np.nan)
    points_an_item = max(1, WEIGHTS_AN_ITEM // (len(stack) * stack.model.hidden_layers * stack.model.width**2))
    for count, (row, column) in enumerate(coarse_first(len(alpha)), start=1):
        a, b = float(alpha[column]), float(beta[row])
        torch.add(x_w, x_u, alpha=a, out=batch.products[0]).add_(x_v, alpha=b)
        later = torch.add(
            centre.flat_later_weights, first.flat_later_weights, alpha=a, out=stack.parameters.flat_later_weights
        )
        later.add_(second.flat_later_weights, alpha=b)
        stack.forward_from_first_product(batch)
        stack.loss(batch)
        surface[:, row, column] = np.nan_to_num(batch.loss.cpu().numpy(), nan=np.inf, posinf=np.inf)
        if count % points_an_item == 0:
            yield surface
    yield surface
