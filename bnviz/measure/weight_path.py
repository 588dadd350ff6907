"""The way the networks have gone through weight space: snapshots of their states, within a byte budget.

Shapes: K = networks, F = numbers of a state (`models.states_of`), p = points of the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

PATH_BYTES: Final = 24_000_000  # for the snapshots of all networks of a run
FEWEST_SNAPSHOTS: Final = 4


@dataclass(frozen=True)
class Walk:
    """States of some networks at some steps.

    Attributes:
        steps: in order. [p]
        names: of the networks.
        states: [p, K, F].
    """

    steps: list[int]
    names: tuple[str, ...]
    states: Tensor

    def nearest(self, step: int) -> int:
        """The index of the kept step that is nearest to this one."""
        return min(range(len(self.steps)), key=lambda index: abs(self.steps[index] - step))

    @property
    def ends(self) -> "Walk":
        """Its first and its last point alone."""
        return Walk([self.steps[0], self.steps[-1]], self.names, self.states[[0, -1]])


class WeightPath:
    """Snapshots of the states along the run, within a byte budget; the first one always stays.

    When full, the inner snapshot that leaves the smallest hole is dropped, on a linear and a logarithmic axis of steps
    together.
    """

    def __init__(self, start: Tensor, most: int | None = None) -> None:
        fitting = PATH_BYTES // (start.numel() * start.element_size())
        self.most = most if most is not None else max(FEWEST_SNAPSHOTS, fitting)
        self._steps = [0]
        self._vectors = [start]

    def add(self, step: int, vectors: Tensor) -> None:
        """vectors: [K, F], not to be written to afterwards."""
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
        """The snapshots and the present: steps [p] and states [p, K, F]."""
        earlier = [index for index, kept in enumerate(self._steps) if kept < step]
        steps = [*(self._steps[index] for index in earlier), step]
        return steps, torch.stack([*(self._vectors[index] for index in earlier), now])

    def only(self, networks: Sequence[int]) -> "WeightPath":
        """The path of some of the networks."""
        chosen = WeightPath(self._vectors[0][list(networks)], self.most)
        chosen._steps = list(self._steps)
        chosen._vectors = [vectors[list(networks)] for vectors in self._vectors]
        return chosen
