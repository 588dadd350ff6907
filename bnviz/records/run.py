"""A run as a whole, and the deltas by which a worker tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, Settings
from bnviz.records.anatomy import ANATOMY_CHARTS, Anatomy
from bnviz.records.arrays import Ints
from bnviz.records.cost import Cost
from bnviz.records.cousins import Cousins
from bnviz.records.depth import Depth
from bnviz.records.figure_one import FigureOne
from bnviz.records.history import History, Point
from bnviz.records.landscape import LANDSCAPE_CHARTS, Landscape
from bnviz.records.linear_unit import LinearUnit
from bnviz.records.measures import Contour, Ghost, Gradients
from bnviz.records.sharpness import Sharpness
from bnviz.records.shift import Shift, Smoothness
from bnviz.records.status import Badge, Intervention, Status
from bnviz.records.sweep import Sweep
from bnviz.records.trials import Trials
from bnviz.records.untrained import Untrained

Study = Untrained | LinearUnit | Trials | Depth | Sweep | Cousins | Cost | FigureOne
"""What is measured beside the run that carries it: its `config`, and how much is `done`."""

# The measures that are kept as whole records, each of its own step, and how many of them at most.
SERIES: Final[Mapping[str, int]] = {"gradients": 150, "shift": 500, "smoothness": 500, "sharpness": 500}
# What is measured again and again only while one of its charts is in sight.
PICTURE_CHARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "landscape": LANDSCAPE_CHARTS,
    "anatomy": ANATOMY_CHARTS,
    "contour": ("loss-contour",),
}


@dataclass(frozen=True)
class Update:
    """What a worker has measured of one run since it was asked last: the deltas that the hub adds to a `Run`.

    `settings`, `units`, `interventions` and `ghost` are those of `status.generation`; None means unchanged.
    """

    version: int  # to ask from next time
    status: Status
    points: tuple[Point, ...] = ()
    settings: Settings | None = None
    units: Ints | None = None  # given with the first points of a generation
    interventions: tuple[Intervention, ...] | None = None
    gradients: tuple[Gradients, ...] = ()
    shift: tuple[Shift, ...] = ()
    smoothness: tuple[Smoothness, ...] = ()
    sharpness: tuple[Sharpness, ...] = ()
    contour: Contour | None = None
    landscape: Landscape | None = None
    anatomy: Anatomy | None = None
    study: Study | None = None
    ghost: Ghost | None = None
    is_ghost_dismissed: bool = False
    device_fault: str | None = None  # why it cannot go on with the device that it had


@dataclass(frozen=True)
class Run:
    """All that is known of one run: what figures draw and what a folder on disk holds."""

    run_id: str
    settings: Settings
    status: Status
    history: History
    interventions: tuple[Intervention, ...] = ()
    gradients: tuple[Gradients, ...] = ()
    shift: tuple[Shift, ...] = ()
    smoothness: tuple[Smoothness, ...] = ()
    sharpness: tuple[Sharpness, ...] = ()
    contour: Contour | None = None
    landscape: Landscape | None = None
    anatomy: Anatomy | None = None
    study: Study | None = None  # has nothing to do with this run's networks; not kept on disk
    ghost: Ghost | None = None
    badge: Badge = Badge.MEASURED
    origin: str = ""  # of a recorded run: date, torch version and machine class

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        return self.history.competitors

    @property
    def gradients_at_start(self) -> Gradients | None:
        return self.gradients[0] if self.gradients and self.gradients[0].step == 0 else None

    @property
    def gradients_now(self) -> Gradients | None:
        return self.gradients[-1] if self.gradients else None

    @property
    def until_accuracy(self) -> "Run":
        """The run up to its newest test accuracy, for charts that need not follow every point between two of them."""
        measured = np.flatnonzero(self.history.has_accuracy)
        history = self.history.first(int(measured[-1]) + 1 if measured.size else 1)
        last = history.step[-1] if len(history) else 0
        return self.replace(
            history=history,
            shift=tuple(one for one in self.shift if one.step <= last),
            smoothness=tuple(one for one in self.smoothness if one.step <= last),
            sharpness=tuple(one for one in self.sharpness if one.step <= last),
        )

    @property
    def is_study(self) -> bool:
        """Whether this run does nothing but carry the measurements of a study, which is not of its own networks."""
        return self.study is not None and self.figure_one is None and self.status.step == 0

    @property
    def untrained(self) -> Untrained | None:
        """The study, if it is about untrained networks."""
        return self.study if isinstance(self.study, Untrained) else None

    @property
    def linear_unit(self) -> LinearUnit | None:
        """The study, if it is about a linear unit."""
        return self.study if isinstance(self.study, LinearUnit) else None

    @property
    def trials(self) -> Trials | None:
        """The study, if it is an experiment of several runs."""
        return self.study if isinstance(self.study, Trials) else None

    @property
    def depth(self) -> Depth | None:
        """The study, if it is about plain and residual networks of many layers."""
        return self.study if isinstance(self.study, Depth) else None

    @property
    def cousins(self) -> Cousins | None:
        """The study, if it is about the paper's scaled-down cousins."""
        return self.study if isinstance(self.study, Cousins) else None

    @property
    def cost(self) -> Cost | None:
        """The study, if it is about the time that a step takes."""
        return self.study if isinstance(self.study, Cost) else None

    @property
    def sweep(self) -> Sweep | None:
        """The study, if it is a sweep."""
        return self.study if isinstance(self.study, Sweep) else None

    @property
    def figure_one(self) -> FigureOne | None:
        """The recordings beside this run, if it is one of those of the paper's Figure 1 or is compared with them."""
        return self.study if isinstance(self.study, FigureOne) else None

    def replace(self, **changes: Any) -> "Run":
        return replace(self, **changes)
