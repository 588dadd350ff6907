"""Training loss and accuracy between two points: means over enough mini-batches to be told from noise."""

from collections import deque
from typing import Final

import numpy as np

from bnviz.records import Floats

LEAST_SHARE: Final = 1 / 20  # of the run's steps: points may lie a few steps apart, and so few batches scatter widely
MOST_MARKS: Final = 1000


class Means:
    """Mean loss and accuracy of each competitor over the steps since the point before, and at least over the last
    twentieth of the run.

    Args:
        count: competitors.
    """

    def __init__(self, count: int) -> None:
        self._totals: Floats = np.zeros((2, count))
        self._steps = 0
        self._marks: deque[tuple[int, Floats]] = deque([(0, self._totals.copy())], maxlen=MOST_MARKS)

    def step(self) -> None:
        self._steps += 1

    def add(self, k: int, loss: float, accuracy: float) -> None:
        """Of one competitor's mini-batch."""
        self._totals[:, k] += loss, accuracy

    def read(self) -> Floats:
        """[2, k], at a point; NaN before the first step."""
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= self._steps * (1 - LEAST_SHARE):
            marks.popleft()
        since, totals = marks[0]
        if self._steps > marks[-1][0]:
            marks.append((self._steps, self._totals.copy()))
        with np.errstate(invalid="ignore"):
            means: Floats = (self._totals - totals) / (self._steps - since)
        return means

    def state(self) -> Floats:
        """[n, 1 + 2 k], for `restore`: the marks, and last the present."""
        marks = [*self._marks, (self._steps, self._totals)]
        return np.array([[steps, *totals.flat] for steps, totals in marks], np.float64)

    def restore(self, state: Floats) -> None:
        shape = self._totals.shape
        marks = [(int(row[0]), row[1:].reshape(shape).copy()) for row in state]
        (self._steps, self._totals) = marks.pop()
        self._marks = deque(marks, maxlen=MOST_MARKS)
