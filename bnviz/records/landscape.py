"""The loss on a plane through the networks' weights, and along two straight lines.

Shapes: k = competitors, s = batches, g = grid points a side, p = points of a path, c = points of a cut.
"""

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Final

import numpy as np

from bnviz.config import Directions, LandscapeConfig, Statistics
from bnviz.records.arrays import Floats

START_TO_NOW: Final = 0  # in `Landscape.cut_loss`: each network's own line from its initial to its present weights
LANDSCAPE_CHARTS: Final = ("landscape", "landscape-cut", "landscape-batches")  # those that show one
TWIN_TO_TWIN: Final = 1  # the line from the first competitor's present weights to the second one's


def _nothing(*shape: int) -> Floats:
    return np.full(shape, np.nan)


@dataclass(frozen=True, eq=False)
class Landscape:
    """A 2-D slice through the loss of every competitor: same batches, same grid, same directions where one draw serves.

    Coordinates are in norms of the present weights, except on the plane through three points, where the first of them
    is (0, 0) and the second one (1, 0). NaN where not computed yet, inf where the loss overflows.

    Attributes:
        config: what was asked for.
        directions, statistics: what it was measured with: random directions where there is no path yet, running
            statistics where the plane has none to interpolate between.
        done: share of the work, in [0, 1].
        problem: why there is no picture; everything else is empty then.
        share: of each path's squared length that lies in the plane, in [0, 1].
        points: of a plane through three points, in its coordinates; NaN otherwise.
        zero_units: units of each competitor with no weight but 0, which filter-normalised directions do not move.
        earlier_steps, earlier_networks: at which, and of whom, weights of the run before this one are kept, to choose
            points from.
    """

    step: int
    config: LandscapeConfig
    directions: Directions
    statistics: Statistics
    done: float
    problem: str = ""
    images: int = 0  # in each batch
    earlier_networks: tuple[str, ...] = ()
    alpha: Floats = field(default_factory=lambda: np.empty(0))  # [g]
    beta: Floats = field(default_factory=lambda: np.empty(0))  # [g]
    loss: Floats = field(default_factory=lambda: _nothing(0, 0, 0, 0))  # [k, s, g_beta, g_alpha] nats
    path_steps: Floats = field(default_factory=lambda: np.empty(0))  # [p]
    path: Floats = field(default_factory=lambda: _nothing(0, 0, 2))  # [k, p, 2]
    share: Floats = field(default_factory=lambda: np.empty(0))  # [k]
    points: Floats = field(default_factory=lambda: _nothing(3, 2))
    zero_units: Floats = field(default_factory=lambda: np.empty(0))  # [k]
    cut_alpha: Floats = field(default_factory=lambda: np.empty(0))  # [c] 0 at a line's beginning, 1 at its end
    cut_loss: Floats = field(default_factory=lambda: _nothing(2, 0, 0, 0))  # [2, k, s, c] nats
    earlier_steps: Floats = field(default_factory=lambda: np.empty(0))  # [q]

    def kept(self) -> "Landscape":
        """Itself with arrays that nothing changes any more."""
        return replace(self, loss=self.loss.copy(), cut_loss=self.cut_loss.copy())

    @property
    def mean_loss(self) -> Floats:
        """Over the batches: NaN where one of them is not computed yet. [k, g_beta, g_alpha]"""
        mean: Floats = self.loss.mean(axis=1)
        return mean


# Its fields that are arrays; the others say what they are of.
LANDSCAPE_ARRAYS: Final = tuple(one.name for one in fields(Landscape) if one.default_factory is not MISSING)
