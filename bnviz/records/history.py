"""The points of a run over time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import Competitor
from bnviz.records.arrays import BAND_LEVELS, QUANTILE_LEVELS, Floats, Ints
from bnviz.records.kept import MOST_POINTS, holes


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
    loss: Floats  # [k] training loss in nats, mean since the point before and at least over the last 1/20 of the run
    train_accuracy: Floats  # [k] in [0, 1], mean over the same mini-batches
    accuracy: Floats  # [k] on the 10,000 test images, running statistics, in [0, 1]; all NaN where not measured
    batch_accuracy: Floats  # [k] the same with the statistics of each 1,000 test images; NaN in a run without noise
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
    train_accuracy: Floats  # [m, k]
    accuracy: Floats  # [m, k]
    batch_accuracy: Floats  # [m, k]
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

    @cached_property
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
        "step": (), "images": (), "is_scheduled": (), "compute_seconds": (k,), "loss": (k,),
        "train_accuracy": (k,), "accuracy": (k,), "batch_accuracy": (k,),
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
        hole = holes(step)
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
