"""Networks of a sweep, each at the cells that suit it best.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import BN, SweepAxis
from bnviz.figures.numbers import percent
from bnviz.figures.rulings import points_between
from bnviz.records import Floats, Sweep

ALIKE_POINTS: Final = 0.005  # of accuracy: half of 1 %


def place_of(sweep: Sweep, name: str = BN.name) -> int:
    """Of a network, by its name."""
    return [one.name for one in sweep.config.competitors].index(name)


def side_of(sweep: Sweep, setting: str) -> tuple[SweepAxis, int]:
    """A side of the map by its setting, and which axis of [y, x] it is."""
    sides = (sweep.config.y, sweep.config.x)
    at = [side.setting for side in sides].index(setting)
    return sides[at], at


def cells_at(sweep: Sweep, setting: str, value: Any) -> Sequence[tuple[int, int]]:
    """The cells at this value of a side; all of them where the sweep has no such side."""
    if setting not in (sweep.config.y.setting, sweep.config.x.setting):
        return sweep.config.places
    axis, at = side_of(sweep, setting)
    return [place for place in sweep.config.places if axis.values[place[at]] == value]


def best_cell(sweep: Sweep, name: str, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The one of these cells where a network's median is largest, the first of equals."""
    k = place_of(sweep, name)
    return max(places, key=lambda place: float(np.nan_to_num(sweep.median[k][place])))


def best_of(sweep: Sweep, name: str, places: Sequence[tuple[int, int]]) -> Floats:
    """The accuracy of every seed at that cell. [s]"""
    seeds: Floats = np.nan_to_num(sweep.score[place_of(sweep, name)][best_cell(sweep, name, places)])
    return seeds


def side_between(one: Floats, other: Floats) -> int:
    """1 where the first is larger from every seed, and its median by half a point or more; -1 the other way. [s]"""
    gap = float(np.median(one) - np.median(other))
    if abs(gap) <= ALIKE_POINTS or not (np.sign(one - other) == np.sign(gap)).all():
        return 0
    return 1 if gap > 0 else -1


@dataclass(frozen=True)
class Against:
    """Two networks, each at its best cell.

    Attributes:
        side: which of them is better, as in `ruling_of`.
        one, other: their median accuracies, in [0, 1].
    """

    side: int
    one: float
    other: float

    @property
    def points(self) -> float:
        return points_between(self.one, self.other)

    @property
    def texts(self) -> tuple[str, str]:
        return percent(self.one), percent(self.other)


def against(sweep: Sweep, one: str, other: str, places: Sequence[tuple[int, int]]) -> Against:
    first, second = (best_of(sweep, name, places) for name in (one, other))
    return Against(side_between(first, second), float(np.median(first)), float(np.median(second)))
