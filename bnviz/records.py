"""Frozen results as NumPy arrays: the seam between the workers, which write them, and the figures, which read them.

Shapes: m = points in time, k = competitors, l = hidden layers, w = weight matrices (l + 1), u = units kept a layer,
q = quantile levels, b = bins, g = grid points a side, p = points of a path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import Competitor, Directions, Settings

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

MOST_POINTS: Final = 500
MOST_UNITS: Final = 64
BAND_LEVELS: Final = (0.15, 0.50, 0.85)  # Ioffe & Szegedy 2015, Fig. 1(b, c)

# Levels at which the whole distribution of a layer's inputs is kept: every 1/48, and finer in both tails. [q]
QUANTILE_LEVELS: Final[Floats] = np.unique(
    np.concatenate([np.linspace(0, 1, 49), [0.001, 0.005, 0.01, 0.99, 0.995, 0.999]])
)

GRADIENT_BINS: Final = 81
# Edges of the standardised gradient histogram, in standard deviations; the outer bins take what lies beyond. [b + 1]
STANDARDISED_EDGES: Final[Floats] = np.linspace(-12.15, 12.15, GRADIENT_BINS + 1)


class Badge(StrEnum):
    """Where the data of a chart come from."""

    MEASURED = "measured"
    RECORDED = "recorded"
    ILLUSTRATION = "illustration"


class Condition(StrEnum):
    """How one competitor fares."""

    TRAINING = "training"
    STALLED = "stalled"  # chance accuracy over 200 steps
    DIVERGED = "diverged"  # a non-finite loss; the competitor stopped


class Phase(StrEnum):
    """What a run is doing."""

    QUEUED = "queued"
    PLAYING = "playing"
    PAUSED = "paused"
    STOPPED = "stopped"  # every competitor diverged: nothing left to step
    ASLEEP = "asleep"  # only on disk; its link brings it back


@dataclass(frozen=True)
class Health:
    """The condition of one competitor, and where and when it began.

    Attributes:
        since_step: the step at which the condition began, None while training.
        layer: for a diverged competitor the weight layer (1 .. w) whose values went non-finite first, else None.
        what: what went first there: "inputs", "gradient", "weights" or "loss"; empty while training.
    """

    condition: Condition = Condition.TRAINING
    since_step: int | None = None
    layer: int | None = None
    what: str = ""


@dataclass(frozen=True)
class Intervention:
    """A live setting changed by its visitor: in force from the step after `step` on."""

    step: int
    name: str  # a name in config.SETTINGS
    old: float
    new: float


@dataclass(frozen=True)
class Point:
    """Everything measured at one step. A competitor that has stopped has NaN from then on.

    Layer measures are taken on the fixed probe of 512 test images, BN with the statistics of that batch (N_BN^tr),
    at the input to each hidden layer's nonlinearity.
    """

    step: int
    images: int  # seen so far by each competitor
    is_scheduled: bool  # on the fixed schedule of steps; only these lengthen the drift path
    compute_seconds: Floats  # [k] each competitor's own forward, backward and update, so far
    loss: Floats  # [k] training loss in nats, mean over the mini-batches since the point before
    accuracy: Floats  # [k] on the 10,000 test images, running statistics, in [0, 1]; all NaN where not measured
    bands: Floats  # [k, l, u, 3] BAND_LEVELS over the probe, of each unit kept
    quantiles: Floats  # [k, l, q] QUANTILE_LEVELS over the probe and all units
    net_displacement: Floats  # [k, l] W1(0, t), mean over units
    path_length: Floats  # [k, l] sum of W1 between successive scheduled points, mean over units
    standardised_net_displacement: Floats  # [k, l]
    standardised_path_length: Floats  # [k, l]
    saturated: Floats  # [k, l] share of outputs at the flat ends of the nonlinearity
    dead: Floats  # [k, l] share of units whose output does not vary over the probe
    update_ratio: Floats  # [k, w] ||W_t - W_(t-1)|| / ||W_(t-1)|| of the last step; NaN at step 0


@dataclass(frozen=True)
class History:
    """The points of a run, stacked over time: [m] leads every array of `Point`."""

    competitors: tuple[Competitor, ...]
    units: Ints  # [l, u] which units of each layer are kept
    step: Floats
    images: Floats
    is_scheduled: NDArray[np.bool_]
    compute_seconds: Floats  # [m, k]
    loss: Floats  # [m, k]
    accuracy: Floats  # [m, k]
    bands: Floats  # [m, k, l, u, 3]
    quantiles: Floats  # [m, k, l, q]
    net_displacement: Floats  # [m, k, l]
    path_length: Floats  # [m, k, l]
    standardised_net_displacement: Floats  # [m, k, l]
    standardised_path_length: Floats  # [m, k, l]
    saturated: Floats  # [m, k, l]
    dead: Floats  # [m, k, l]
    update_ratio: Floats  # [m, k, w]

    def __len__(self) -> int:
        return len(self.step)

    def first(self, points: int) -> "History":
        """The history as it was with so many points."""
        if points >= len(self):
            return self
        return replace(self, **{name: getattr(self, name)[:points] for name in MEASURES})

    @property
    def layers(self) -> int:
        return int(self.units.shape[0])

    @property
    def has_accuracy(self) -> NDArray[np.bool_]:
        """At which points test accuracy was measured. [m]"""
        return has_any(self.accuracy)


def has_any(values: Floats) -> NDArray[np.bool_]:
    """Which rows hold a finite value. [m, k] to [m]"""
    return np.asarray(np.isfinite(values).any(axis=1))


MEASURES: Final = tuple(one.name for one in fields(Point))  # the fields that a History stacks
_FLOAT64: Final = frozenset({"step", "images", "compute_seconds"})  # float32 is exact only to 2^24


def measure_shapes(competitors: int, layers: int, units: int) -> dict[str, tuple[int, ...]]:
    """The shape of every measure at one point, by name."""
    k, l, w = competitors, layers, layers + 1  # noqa: E741
    per_layer = dict.fromkeys(
        (
            "net_displacement",
            "path_length",
            "standardised_net_displacement",
            "standardised_path_length",
            "saturated",
            "dead",
        ),
        (k, l),
    )
    return per_layer | {
        "step": (), "images": (), "is_scheduled": (), "compute_seconds": (k,), "loss": (k,), "accuracy": (k,),
        "bands": (k, l, units, len(BAND_LEVELS)), "quantiles": (k, l, len(QUANTILE_LEVELS)), "update_ratio": (k, w),
    }  # fmt: skip


class HistoryBuilder:
    """A growing history that thins itself: at most `most` points, the early ones never lost.

    When full it drops the inner point that leaves the smallest hole on a linear and a logarithmic step axis together,
    those without a test accuracy first: the same points in the same order leave the same history, in a worker and in
    the server alike.
    """

    def __init__(self, competitors: Sequence[Competitor], units: Ints, most: int = MOST_POINTS) -> None:
        self.competitors, self.units, self.most = tuple(competitors), units, most
        layers, kept = units.shape
        self._length = 0
        self._is_shared = False  # with a history that was given out: what it holds must not change any more
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.empty((most + 1, *shape), _dtype(name))
            for name, shape in measure_shapes(len(self.competitors), layers, kept).items()
        }

    def __len__(self) -> int:
        return self._length

    def append(self, point: Point) -> None:
        """Add a point whose step is not before the last one; a point at the last step replaces it."""
        if self._length and point.step < self._arrays["step"][self._length - 1]:
            raise ValueError(f"step {point.step} follows {self._arrays['step'][self._length - 1]:.0f}")
        if self._length and point.step == self._arrays["step"][self._length - 1]:
            self._own()
            self._length -= 1
        for name, array in self._arrays.items():
            array[self._length] = getattr(point, name)
        self._length += 1
        if self._length > self.most:
            self._drop(self._least_missed())

    def _least_missed(self) -> int:
        step = self._arrays["step"][: self._length]
        hole = (step[2:] - step[:-2]) / step[-1] + np.log((step[2:] + 1) / (step[:-2] + 1)) / np.log(step[-1] + 1)
        is_light = np.isnan(self._arrays["accuracy"][1 : self._length - 1]).all(axis=1)
        return 1 + int(np.argmin(np.where(is_light, hole, np.inf) if is_light.any() else hole))

    def _own(self) -> None:
        """Make sure that what has been given out stays as it is."""
        if self._is_shared:
            self._arrays = {name: array.copy() for name, array in self._arrays.items()}
            self._is_shared = False

    def _drop(self, index: int) -> None:
        self._own()
        for array in self._arrays.values():
            array[index : self._length - 1] = array[index + 1 : self._length]
        self._length -= 1

    def history(self) -> History:
        """What is kept so far, frozen: it does not change when the run goes on."""
        self._is_shared = True
        arrays = {name: array[: self._length] for name, array in self._arrays.items()}
        for array in arrays.values():
            array.flags.writeable = False
        return History(self.competitors, self.units, **arrays)

    @classmethod
    def resume(cls, history: History, most: int = MOST_POINTS) -> "HistoryBuilder":
        """A builder that goes on from a history."""
        builder = cls(history.competitors, history.units, most)
        builder._length = len(history)
        for name, array in builder._arrays.items():
            array[: len(history)] = getattr(history, name)
        return builder


def _dtype(name: str) -> type:
    if name == "is_scheduled":
        return np.bool_
    return np.float64 if name in _FLOAT64 else np.float32


@dataclass(frozen=True, eq=False)  # one is equal to itself alone: it is measured anew or the same
class Gradients:
    """Gradient of every weight matrix on the first 128 probe images, BN with that batch's statistics, at one step."""

    step: int
    edges: Floats  # [w, b + 1] shared by the competitors, symmetric about 0, reaching the largest of their gradients
    counts: Floats  # [k, w, b]
    standardised_counts: Floats  # [k, w, b] of gradient / its std, over STANDARDISED_EDGES
    std: Floats  # [k, w]
    excess_kurtosis: Floats  # [k, w] mean(z^4) - 3
    tail_ratio: Floats  # [k, w] q99.9(|g|) / q50(|g|)


@dataclass(frozen=True, eq=False)
class Contour:
    """The loss on a plane through each competitor's current weights: a 2-D slice, same directions for all of them.

    One fixed batch of `images` training images; BN with that batch's statistics; biases, gamma, beta stay as they are.
    """

    step: int
    directions: Directions
    images: int
    alpha: Floats  # [g] along the first direction, in filter norms (norms of the current weights' rows)
    beta: Floats  # [g]
    loss: Floats  # [k, g_beta, g_alpha] nats; NaN where not computed yet, inf where it overflows
    path_steps: Floats  # [p]
    path: Floats  # [k, p, 2] the walk so far in (alpha, beta), ending at (0, 0)
    share: Floats  # [k] share of the path's squared length that lies in the plane, in [0, 1]


@dataclass(frozen=True)
class Ghost:
    """The owner's run before this one, kept faint behind the new lines."""

    label: str  # what differed, such as "earlier run, lr 0.1"
    step: Floats  # [m]
    images: Floats  # [m]
    compute_seconds: Floats  # [m, k]
    loss: Floats  # [m, k]
    accuracy: Floats  # [m, k]
    net_displacement: Floats  # [m, k, l]
    path_length: Floats  # [m, k, l]
    standardised_net_displacement: Floats  # [m, k, l]
    standardised_path_length: Floats  # [m, k, l]


GHOST_MEASURES: Final = tuple(one.name for one in fields(Ghost) if one.name != "label")


def ghost_of(history: History, label: str) -> Ghost:
    """What stays of a run when the next one begins."""
    return Ghost(label, **{name: getattr(history, name) for name in GHOST_MEASURES})


@dataclass(frozen=True)
class Status:
    """What a run is doing now: small, and fresh at every poll.

    Attributes:
        generation: counts the restarts of a run; a new generation starts with an empty history.
        steps_per_second: over the last second of playing; 0 while paused.
        device: such as "CPU" or the GPU's name.
        notice: one sentence for the visitor, such as why the run stopped; empty if there is none.
        place_in_queue: 1 for the next to be placed; None unless queued.
    """

    phase: Phase
    generation: int
    step: int
    steps_per_second: float
    device: str
    health: tuple[Health, ...]  # one a competitor
    notice: str = ""
    place_in_queue: int | None = None


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
    gradients_at_start: Gradients | None = None
    gradients_now: Gradients | None = None
    contour: Contour | None = None
    ghost: Ghost | None = None
    is_ghost_dismissed: bool = False


@dataclass(frozen=True)
class Run:
    """All that is known of one run: what figures draw and what a folder on disk holds."""

    run_id: str
    settings: Settings
    status: Status
    history: History
    interventions: tuple[Intervention, ...] = ()
    gradients_at_start: Gradients | None = None
    gradients_now: Gradients | None = None
    contour: Contour | None = None
    ghost: Ghost | None = None
    badge: Badge = Badge.MEASURED
    origin: str = ""  # of a recorded run: date, torch version and machine class

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        return self.history.competitors

    def replace(self, **changes: Any) -> "Run":
        return replace(self, **changes)


def kept_units(layers: int, width: int) -> Ints:
    """The units whose bands are kept: all of them up to `MOST_UNITS`, else evenly sampled. [l, u]"""
    count = min(width, MOST_UNITS)
    units = np.unique(np.linspace(0, width - 1, count).round().astype(np.int64))
    return np.tile(units, (layers, 1))
