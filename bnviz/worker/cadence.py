"""When to measure again, and how fast a run goes: small clockwork without a clock of its own."""

import math
from collections import deque
from typing import Final

MOST_SHARE: Final = 0.2  # of the time of the training thread, for measurements that are not on the schedule

SHARE_SECONDS: Final = 3.0


class Cadence:
    """Asks for a measurement at an interval, and less often where measuring would eat the training.

    Args:
        seconds: the interval, from start to start.
        most_share: of the time of the training thread.
    """

    def __init__(self, seconds: float, most_share: float = MOST_SHARE) -> None:
        self._seconds, self._most_share = seconds, most_share
        self._next = float("-inf")

    def is_due(self, now: float) -> bool:
        return now >= self._next

    def measured(self, begun: float, ended: float, crowd: int) -> None:
        """A measurement was taken while `crowd` runs shared the thread."""
        self._next = begun + max(self._seconds, (ended - begun) * max(crowd, 1) / self._most_share)


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


class Share:
    """What share of a run's time on the thread goes into measuring, over about the last seconds of that time."""

    def __init__(self) -> None:
        self._all = self._measuring = 0.0

    def add(self, seconds: float, measuring: float) -> None:
        """A slice of time, and how much of it was measuring."""
        fading = math.exp(-seconds / SHARE_SECONDS)
        self._all = self._all * fading + seconds
        self._measuring = self._measuring * fading + measuring

    def read(self) -> float:
        """In [0, 1]; 0 before there was any time."""
        return self._measuring / self._all if self._all > 0 else 0.0
