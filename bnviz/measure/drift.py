"""How far the distribution of each unit's inputs has moved: Wasserstein-1 distance, net and along the path.

Source: SCIENCE, section 6. On a fixed probe the distance of two samples of equal size is the mean gap between their
sorted values, so there is no binning and no sampling floor.

Shapes: K = networks, l = hidden layers, n = units, m = probe images.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bnviz.records import Floats

STD_FLOOR: Final = 0.05  # without it a unit that hardly varies would have a standardised distance in the hundreds


def wasserstein(a: Floats, b: Floats) -> Floats:
    """W1 of samples sorted along the last axis, in the inputs' own units: [..., m] and [..., m] to [...]."""
    distance: Floats = np.abs(a - b).mean(axis=-1)
    return distance


def standardised(distance: Floats, std_a: Floats, std_b: Floats) -> Floats:
    """W1 / sqrt((s_a² + s_b²) / 2), the divisor at least `STD_FLOOR`: scale-free."""
    pooled_std = np.sqrt((std_a**2 + std_b**2) / 2)
    result: Floats = distance / np.maximum(pooled_std, STD_FLOOR)
    return result


class Drift:
    """Net displacement W1(0, t) and path length, the sum of W1 between successive scheduled points; means over units.

    Attributes:
        previous: [K, l, n, m] sorted inputs at the last scheduled point.
        path: [2, K, l], plain and standardised length so far.
    """

    def __init__(self, start: Floats) -> None:
        self._start, self._start_std = start, start.std(axis=-1)
        self.previous, self._previous_std = self._start, self._start_std
        self.path: Floats = np.zeros((2, *start.shape[:2]))

    def net(self, now: Floats) -> Floats:
        """Plain and standardised net displacement: [2, K, l]."""
        return self._distances(self._start, self._start_std, now, now.std(axis=-1))

    def advance(self, now: Floats) -> None:
        """Lengthen the path to here."""
        std = now.std(axis=-1)
        self.path = self.path + self._distances(self.previous, self._previous_std, now, std)
        self.previous, self._previous_std = now, std

    def resume(self, previous: Floats, path: Floats) -> None:
        """Go on from the last scheduled point of an earlier process."""
        self.previous, self._previous_std, self.path = previous, previous.std(axis=-1), path

    def only(self, networks: Sequence[int]) -> "Drift":
        """The drift of some of the networks."""
        kept = list(networks)
        chosen = Drift(self._start[kept])
        chosen.resume(self.previous[kept], self.path[:, kept])
        return chosen

    @staticmethod
    def _distances(a: Floats, std_a: Floats, b: Floats, std_b: Floats) -> Floats:
        plain = wasserstein(a, b)
        return np.stack([plain.mean(axis=-1), standardised(plain, std_a, std_b).mean(axis=-1)])
