"""When to measure again, and how fast a run goes: small clockwork without a clock of its own."""

from collections import deque
from typing import Final

MOST_SHARE: Final = 0.2  # of the time of the training thread, for measurements that are not on the schedule


class Cadence:
    """Asks for a measurement at an interval, and less often where measuring would eat the training."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = float("-inf")

    def is_due(self, now: float) -> bool:
        return now >= self._next

    def measured(self, begun: float, ended: float, crowd: int) -> None:
        """A measurement was taken while `crowd` runs shared the thread."""
        self._next = begun + max(self._seconds, (ended - begun) * max(crowd, 1) / MOST_SHARE)


class Speedometer:
    """Steps a second, over the last second."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def read(self, now: float, step: int) -> float:
        """Take a reading; the mean speed since the oldest one that is at most about a second old."""
        self._readings.append((now, step))
        while len(self._readings) > 2 and self._readings[1][0] <= now - 1.0:
            self._readings.popleft()
        then, first = self._readings[0]
        return (step - first) / (now - then) if now > then else 0.0

    def reset(self) -> None:
        self._readings.clear()
