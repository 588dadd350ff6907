"""What one run has to tell the engine, kept until the engine has asked for what came after it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from bnviz.records import SERIES, Phase, Status, Update

SERIAL: Final = ("points", *SERIES)  # fields of Update that tell all that was measured, not only the newest


def _nobody() -> None:
    """Who is told of news as long as nobody listens."""


class Outbox:
    """Written by the training thread, read by the worker's event loop: the only state that the two share.

    Args:
        on_news: called, on the training thread, with all news that are worth telling by themselves: not a status that
            says only how far the run is, nor, while it plays, what will go with its next point.
    """

    def __init__(self, status: Status, on_news: Callable[[], None] = _nobody) -> None:
        self._lock = threading.Lock()
        self._on_news = on_news
        self._version = self._news_version = 1
        self._status = status
        self._series: dict[str, deque[tuple[int, Any]]] = {name: deque() for name in SERIAL}
        self._newest: dict[str, tuple[int, Any]] = {}  # the other fields of Update, by name

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
            self._version += 1
            self._newest.update({name: (self._version, value) for name, value in news.items()})
            is_news = self._is_news(news)
        if is_news:
            self._on_news()

    def add(self, **measured: Any) -> None:
        """Add a record to each series named, such as `points`."""
        with self._lock:
            self._version += 1
            for name, record in measured.items():
                self._series[name].append((self._version, record))
            is_news = self._is_news(measured)
        if is_news:
            self._on_news()

    def _is_news(self, fields: Iterable[str]) -> bool:
        """Note whether these fields of the present version are worth telling by themselves; with the lock held."""
        is_news = "points" in fields or self._status.phase is not Phase.PLAYING
        if is_news:
            self._news_version = self._version
        return is_news

    def begin(self, status: Status, **news: Any) -> None:
        """Start a new generation with its first news: what the one before had to tell is gone."""
        with self._lock:
            self._news_version = self._version = self._version + 1
            for series in self._series.values():
                series.clear()
            self._newest = {name: (self._version, value) for name, value in news.items()}
            self._status = status
        self._on_news()

    def has_news_since(self, version: int) -> bool:
        """Whether there is something to tell that is worth it by itself."""
        return self._news_version > version

    def since(self, version: int) -> Update | None:
        """All that came after a version, which is thereby known to have arrived; None if nothing did."""
        with self._lock:
            if self._version <= version:
                return None
            fields = {name: value for name, (at, value) in self._newest.items() if at > version}
            for name, series in self._series.items():
                while series and series[0][0] <= version:
                    series.popleft()
                if series:
                    fields[name] = tuple(record for _, record in series)
            return Update(version=self._version, status=self._status, **fields)
