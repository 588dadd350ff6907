"""The loss on a plane through the networks' weights and along straight lines, coarse first, a few points at a time.

On fixed batches, each with a surface of its own; BN takes the statistics of the batch or running ones, as is asked for
(SCIENCE, section 4: frozen statistics are wrong away from the weights that they belong to).

Shapes: K = networks, F = numbers of a state (`models.states_of`), s = batches, g = grid points a side, c = points of a
cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import BN, CUT_POINTS, PLAIN, LandscapeConfig, Statistics
from bnviz.measure.planes import Plane, grid, has_statistics, with_statistics
from bnviz.measure.weight_path import Walk
from bnviz.models import Combinations, Stack
from bnviz.records import START_TO_NOW, TWIN_TO_TWIN, Floats, Ints

COARSEST: Final = 5  # intervals a side, at most, at first
LEAST_STRIDE: Final = 4  # at first
CUT_ENDS: Final = (-0.25, 1.25)  # Goodfellow et al. 2015 and a quarter beyond


@dataclass
class Picture:
    """What there is of a landscape so far: its arrays grow.

    NaN where not computed yet, inf where the loss overflows.
    """

    plane: Plane
    alpha: Floats  # [g]
    beta: Floats  # [g]
    loss: Floats  # [K, s, g_beta, g_alpha]
    cut_loss: Floats  # [2, K, s, c]
    lines: tuple[int, ...]  # those that there are
    cut_alpha: Floats = field(default_factory=lambda: np.linspace(*CUT_ENDS, CUT_POINTS))  # [c]

    @property
    def done(self) -> float:
        """Share of the points that are computed."""
        wanted = (self.loss, self.cut_loss[list(self.lines)])
        return float(sum((~np.isnan(one)).sum() for one in wanted) / sum(one.size for one in wanted))


@dataclass(frozen=True)
class _Task:
    """Points of one batch: on the plane at (rows, columns), or along one of the lines."""

    batch: int
    line: int | None = None
    rows: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    columns: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def draw(
    config: LandscapeConfig,
    plane: Plane,
    stack: Stack,
    walk: Walk,
    images: Tensor,
    labels: Tensor,
    has_cuts: bool = True,
) -> Iterator[Picture]:
    """The same picture again and again, a few ms further each time; the first time it is empty.

    Args:
        config: grid, images and batches.
        plane: through the networks of the stack.
        stack: the networks as they are now, in the order of `walk.names`.
        walk: their path.
        images: of the training set, [count, 784]; batch j is the j-th block of `config.images` of them.
        labels: theirs, [count].
        has_cuts: whether the two lines are wanted too.
    """
    lines = _lines(stack, walk, config.statistics) if has_cuts else {}
    alpha, beta = grid(plane, config.resolution, config.span)
    shape = (len(stack), config.batches)
    picture = Picture(
        plane,
        alpha,
        beta,
        np.full((*shape, len(beta), len(alpha)), np.nan, np.float32),
        np.full((2, *shape, CUT_POINTS), np.nan, np.float32),
        tuple(lines),
    )
    yield picture
    surfaces = [torch.stack([each[k] for each in (plane.origin, plane.first, plane.second)]) for k in range(len(stack))]
    for task in _tasks(config, lines):
        rows = slice(task.batch * config.images, (task.batch + 1) * config.images)
        # A plane may have no statistics to interpolate between; a line has its ends'.
        vectors, statistics = (
            (surfaces, plane.statistics) if task.line is None else (lines[task.line], config.statistics)
        )
        for network, basis in enumerate(vectors):
            along = Combinations(stack, network, basis, images[rows], labels[rows], statistics)
            for _ in _fill(picture, task, network, along):
                yield picture


def _tasks(config: LandscapeConfig, lines: dict[int, list[Tensor]]) -> Iterator[_Task]:
    """The first batch coarse, the lines, the other batches coarse; then finer and finer, the first batch first."""
    first, *others = [_Task(0, None, rows, columns) for rows, columns in coarse_first(config.resolution)]
    batches = range(config.batches)
    yield first
    yield from (_Task(0, line) for line in lines)
    yield from (_Task(batch, None, first.rows, first.columns) for batch in batches[1:])
    yield from others
    for batch in batches[1:]:
        yield from (_Task(batch, line) for line in lines)
        yield from (_Task(batch, None, level.rows, level.columns) for level in others)


def _fill(picture: Picture, task: _Task, network: int, along: Combinations) -> Iterator[None]:
    """Compute the points of a task for one network, as many at once as are fastest."""
    if task.line is None:
        alpha, beta = picture.alpha[task.columns], picture.beta[task.rows]
        coefficients = np.stack([np.ones_like(alpha), alpha, beta], axis=1)
    else:
        coefficients = np.stack([1 - picture.cut_alpha, picture.cut_alpha], axis=1)
    for start in range(0, len(coefficients), along.points_at_once):
        part = slice(start, start + along.points_at_once)
        losses = along.losses(torch.from_numpy(coefficients[part])).cpu().numpy()
        if task.line is None:
            picture.loss[network, task.batch, task.rows[part], task.columns[part]] = losses
        else:
            picture.cut_loss[task.line, network, task.batch, part] = losses
        yield


def coarse_first(side: int) -> list[tuple[Ints, Ints]]:
    """All (rows, columns) of a square grid in levels, each twice as fine as the one before and without its points."""
    stride = LEAST_STRIDE
    while (side - 1) / stride > COARSEST:
        stride *= 2
    is_taken = np.zeros((side, side), bool)
    levels = []
    while stride >= 1:
        is_level = np.zeros_like(is_taken)
        is_level[::stride, ::stride] = True
        levels.append(np.nonzero(is_level & ~is_taken))
        is_taken |= is_level
        stride //= 2
    return [(rows, columns) for rows, columns in levels if len(rows)]


def _lines(stack: Stack, walk: Walk, statistics: Statistics) -> dict[int, list[Tensor]]:
    """Beginning and end of the two lines for each network, [K] of [2, F]; those that are there.

    Parameters all differ along a line. Running statistics do where they are to be interpolated and both ends have some;
    else they are the present ones of the network that is looked at.
    """
    is_interpolated = statistics is Statistics.INTERPOLATED
    lines: dict[int, tuple[Tensor, Tensor]] = {}
    if len(walk.steps) > 1:
        starts = walk.states[0].clone()
        if not is_interpolated:
            parameters = stack.parameters.flat.shape[1]
            starts[:, parameters:] = walk.states[-1, :, parameters:]
        lines[START_TO_NOW] = (starts, walk.states[-1])
    if walk.names[:2] == (PLAIN.name, BN.name):
        first, second = (
            with_statistics(walk.states[-1, place], stack, walk, is_interpolated and has_statistics(name, stack, walk))
            for place, name in enumerate(walk.names[:2])
        )
        lines[TWIN_TO_TWIN] = (first, second)
    return {line: list(torch.stack(ends, dim=1)) for line, ends in lines.items()}
