"""What one run has to tell the engine, kept until the engine has asked for what came after it."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from bnviz.records import Point, Status, Update


def _nobody() -> None:
    """Who is told of news as long as nobody listens."""


class Outbox:
    """Written by the training thread, read by the worker's event loop: the only state that the two share.

    Args:
        on_news: called, on the training thread, with all news but a status that says only how far the run is.
    """

    def __init__(self, status: Status, on_news: Callable[[], None] = _nobody) -> None:
        self._lock = threading.Lock()
        self._on_news = on_news
        self._version = self._news_version = 1
        self._status = status
        self._points: deque[tuple[int, Point]] = deque()
        self._newest: dict[str, tuple[int, Any]] = {}  # fields of Update other than the points, by name

    @property
    def status(self) -> Status:
        return self._status

    def report(self, status: Status) -> None:
        """Replace the status; it is news if it differs."""
        with self._lock:
            if status == self._status:
                return
            is_news = (status.phase, status.health) != (self._status.phase, self._status.health)
            self._status = status
            self._version += 1
            self._news_version = self._version if is_news else self._news_version
        if is_news:
            self._on_news()

    def tell(self, **news: Any) -> None:
        """Set fields of the next `Update`, such as `contour`; a newer value replaces one not yet fetched."""
        with self._lock:
            self._news_version = self._version = self._version + 1
            self._newest.update({name: (self._version, value) for name, value in news.items()})
        self._on_news()

    def add(self, point: Point) -> None:
        with self._lock:
            self._news_version = self._version = self._version + 1
            self._points.append((self._version, point))
        self._on_news()

    def begin(self, status: Status, **news: Any) -> None:
        """Start a new generation with its first news: what the one before had to tell is gone."""
        with self._lock:
            self._news_version = self._version = self._version + 1
            self._points.clear()
            self._newest = {name: (self._version, value) for name, value in news.items()}
            self._status = status
        self._on_news()

    def has_news_since(self, version: int) -> bool:
        """Whether there is more to tell than how far the run is."""
        return self._news_version > version

    def since(self, version: int) -> Update | None:
        """All that came after a version, which is thereby known to have arrived; None if nothing did."""
        with self._lock:
            if self._version <= version:
                return None
            while self._points and self._points[0][0] <= version:
                self._points.popleft()
            fields = {name: value for name, (at, value) in self._newest.items() if at > version}
            points = tuple(point for _, point in self._points)
            return Update(version=self._version, status=self._status, points=points, **fields)
