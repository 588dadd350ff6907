"""The hub: the newest records of every run, put together from what the workers tell, for whoever watches."""

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final

from bnviz.config import SETTINGS, Settings, lineup, text_of
from bnviz.errors import RunError
from bnviz.records import (
    MEASURES,
    SERIES,
    History,
    HistoryBuilder,
    Phase,
    Run,
    Status,
    Update,
    appended,
    ghost_of,
    kept_units,
)

LEAST_GHOST_STEPS: Final = 50  # a ghost is a run of more steps than this
MOST_NEWS: Final = 1000  # updates that wait to be written; beyond them the whole run is
IDLE_SECONDS: Final = 60.0  # a sleeping run that nobody has asked for this long leaves the memory

Load = Callable[[str], Run]


def _load_nothing(run_id: str) -> Run:
    raise RunError("There is no such run here: the link is not complete, or the run was deleted.")


def _nobody() -> None:
    """Who is woken where somebody counts but does not wait."""


def _at_once(after: float) -> float:
    """When the next news are wanted by somebody who keeps no beat."""
    return after


def _no_charts() -> Collection[str]:
    """What is looked at where somebody counts but does not look."""
    return ()


@dataclass(eq=False)
class _Watching:
    """One who watches: called when something is new, and asked which charts it has in sight and when it wants more."""

    wake: Callable[[], None]
    charts: Callable[[], Collection[str]]
    next_at: Callable[[float], float]


@dataclass
class _Entry:
    """One run: a growing history, and a `Run` whose own history may be older until somebody asks."""

    run: Run
    builder: HistoryBuilder
    version: int
    status: Status  # as the worker told it
    notice: str = ""  # the engine's own, which stands before the worker's
    is_history_new: bool = False
    is_recorded: bool = False
    watchers: list[_Watching] = field(default_factory=list)
    unwatched_since: float = 0.0
    used_at: float = 0.0
    news: list[Update] | None = None  # since it was written last; None: the whole of it is to be written


class Hub:
    """Thread-safe. The engine writes; pages and sockets read, from any thread and any event loop.

    Args:
        load: reads a sleeping run from disk, `RunError` if there is none.
        clock: seconds, for tests.
    """

    def __init__(self, load: Load = _load_nothing, clock: Callable[[], float] = time.monotonic) -> None:
        self._load, self._clock = load, clock
        self._lock = threading.RLock()
        self._entries: dict[str, _Entry] = {}
        self._versions = itertools.count(1)  # over all runs, so that one dropped and loaded again is newer

    # --- for whoever watches ------------------------------------------------------------------------------------------

    def get(self, run_id: str) -> Run:
        """The newest records of a run: the same object until something is new. `RunError` if there is none."""
        with self._locked(run_id) as entry:
            if entry.is_history_new:
                entry.run = entry.run.replace(history=entry.builder.history())
                entry.is_history_new = False
            return entry.run

    def version(self, run_id: str) -> int:
        """Grows whenever a run has something new."""
        with self._locked(run_id) as entry:
            return entry.version

    @contextlib.contextmanager
    def watching(
        self,
        run_id: str,
        wake: Callable[[], None] = _nobody,
        charts: Callable[[], Collection[str]] = _no_charts,
        next_at: Callable[[float], float] = _at_once,
    ) -> Iterator[None]:
        """Count as a watcher for as long as the context lasts: a run that nobody watches pauses after a while.

        `wake` is called, on the thread that brings it, whenever the run has something new; `charts` says what is looked
        at just then, and `next_at` when after a time the next news are wanted.
        """
        one = _Watching(wake, charts, next_at)
        with self._locked(run_id) as entry:
            entry.watchers.append(one)
        try:
            yield
        finally:
            with self._lock:
                entry.watchers.remove(one)
                entry.unwatched_since = entry.used_at = self._clock()

    def add_recorded(self, run: Run) -> None:
        """Keep a recorded run in memory, under its own id."""
        self.put(run)
        with self._lock:
            self._entries[run.run_id].is_recorded = True

    # --- for the engine -----------------------------------------------------------------------------------------------

    def open(self, run_id: str, settings: Settings, status: Status) -> None:
        """A new run without history."""
        self.put(Run(run_id, settings, status, _no_history(settings)))

    def put(self, run: Run) -> None:
        """A run with all its records, such as one from disk."""
        with self._lock:
            builder = HistoryBuilder.resume(run.history)
            entry = _Entry(run, builder, next(self._versions), run.status)
            entry.unwatched_since = entry.used_at = self._clock()
            self._entries.setdefault(run.run_id, entry)

    def apply(self, run_id: str, update: Update) -> None:
        """Add what a worker has told; a newer generation makes a ghost of the one before."""
        with self._locked(run_id) as entry:
            if update.status.generation < entry.run.status.generation:
                return
            if update.status.generation > entry.run.status.generation:
                self._restart(entry, update.settings or entry.run.settings)
            if update.units is not None and not len(entry.builder):
                entry.builder = HistoryBuilder(entry.run.competitors, update.units)
                entry.is_history_new = True
                entry.news = None
            for point in update.points:
                entry.builder.append(point)
                entry.is_history_new = True
            self._note(entry, update)
            self._change(entry, status=update.status, **_news(update), **_longer(entry.run, update))

    def rewind(self, run_id: str, step: int) -> None:
        """Forget what was measured after a step: the run goes on from there. -1 forgets all of it."""
        with self._locked(run_id) as entry:
            entry.builder = HistoryBuilder.resume(_until(entry.builder.history(), step))
            entry.is_history_new = True
            series = {name: tuple(one for one in getattr(entry.run, name) if one.step <= step) for name in SERIES}
            kept = tuple(one for one in entry.run.interventions if one.step <= step)
            entry.news = None
            self._change(entry, interventions=kept, **series)

    def status(self, run_id: str) -> Status:
        with self._locked(run_id) as entry:
            return entry.run.status

    def set_status(self, run_id: str, status: Status, settings: Settings) -> None:
        """The status and the settings of a run that is on no worker."""
        with self._locked(run_id) as entry:
            if entry.run.status != status or entry.run.settings != settings:
                self.apply(run_id, Update(version=0, status=status, settings=settings))

    def set_notice(self, run_id: str, notice: str) -> None:
        """A sentence of the engine's own, in place of the worker's; empty takes it away."""
        with self._locked(run_id) as entry:
            if entry.notice != notice:
                entry.notice = notice
                self._change(entry)

    def dismiss_ghost(self, run_id: str) -> None:
        with self._locked(run_id) as entry:
            entry.news = None
            self._change(entry, ghost=None)

    def take_news(self, run_id: str) -> tuple[Run, Update | None]:
        """A run as it is now, and what it has gained since this was asked last; None if that is more than an update.

        Such as a restart: whoever writes a run down then writes all of it.
        """
        with self._locked(run_id) as entry:
            run, news = self.get(run_id), entry.news
            entry.news = []
            return run, None if news is None else _together(run, news)

    def lose_news(self, run_id: str) -> None:
        """What was taken last has not been written: the next to be written is the whole run."""
        with self._lock:
            if run_id in self._entries:
                self._entries[run_id].news = None

    def peek(self, run_id: str) -> Run | None:
        """A run that is in memory, and nothing read for it from disk; its history may lack the newest points."""
        with self._lock:
            entry = self._entries.get(run_id)
            return None if entry is None else entry.run

    def forget(self, run_id: str) -> None:
        """Take a run out of memory, however many watch it."""
        with self._lock:
            entry = self._entries.pop(run_id, None)
        if entry is not None:
            _wake_all(entry)

    def unwatched_seconds(self, run_id: str) -> float:
        """For how long nobody has watched a run; 0 while somebody does."""
        with self._lock:
            entry = self._entries.get(run_id)
            return 0.0 if entry is None or entry.watchers else self._clock() - entry.unwatched_since

    def wanted_at(self, run_id: str, after: float) -> float:
        """When somebody next wants news of a run, on the monotonic clock, after `after`; infinity if nobody watches."""
        return min((one.next_at(after) for one in self._watchers_of(run_id)), default=math.inf)

    def is_looked_at(self, run_id: str, charts: Collection[str]) -> bool:
        """Whether somebody has one of these charts in sight."""
        return any(not set(charts).isdisjoint(one.charts()) for one in self._watchers_of(run_id))

    def drop_idle(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Take sleeping runs that nobody watches out of memory; they stay on disk."""
        now = self._clock()
        with self._lock:
            for run_id, entry in list(self._entries.items()):
                is_asleep = entry.run.status.phase is Phase.ASLEEP and not entry.is_recorded
                if is_asleep and not entry.watchers and now - entry.used_at > idle_seconds:
                    del self._entries[run_id]

    def __len__(self) -> int:
        return len(self._entries)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _watchers_of(self, run_id: str) -> list[_Watching]:
        """Who watches a run now; nothing is read from disk for that."""
        with self._lock:
            entry = self._entries.get(run_id)
            return list(entry.watchers) if entry is not None else []

    @contextlib.contextmanager
    def _locked(self, run_id: str) -> Iterator[_Entry]:
        """The entry of a run with the lock held; a sleeping run is read from disk first, without the lock."""
        if run_id not in self._entries:
            self.put(self._load(run_id))
        with self._lock:
            entry = self._entries[run_id]
            entry.used_at = self._clock()
            yield entry

    @staticmethod
    def _note(entry: _Entry, update: Update) -> None:
        """Keep an update for whoever writes the run down."""
        if entry.news is not None:
            entry.news.append(update)
            is_more = update.ghost is not None or update.is_ghost_dismissed
            if is_more or len(entry.news) > MOST_NEWS:  # nobody writes it down
                entry.news = None

    def _restart(self, entry: _Entry, settings: Settings) -> None:
        run = entry.run
        entry.news = None
        ghost = run.ghost
        if entry.status.step > LEAST_GHOST_STEPS:
            ghost = ghost_of(entry.builder.history(), ghost_label(run.settings, settings))
        entry.builder = HistoryBuilder.resume(_no_history(settings))
        entry.is_history_new = True
        entry.run = run.replace(
            settings=settings,
            interventions=(),
            gradients=(),
            shift=(),
            smoothness=(),
            sharpness=(),
            contour=None,
            landscape=None,
            anatomy=None,
            ghost=ghost,
        )

    def _change(self, entry: _Entry, **changes: Any) -> None:
        entry.status = changes.pop("status", entry.status)
        status = replace(entry.status, notice=entry.notice or entry.status.notice)
        entry.run = entry.run.replace(status=status, **changes)
        entry.version = next(self._versions)
        _wake_all(entry)


def _wake_all(entry: _Entry) -> None:
    for one in entry.watchers:
        with contextlib.suppress(RuntimeError):  # its event loop has been closed
            one.wake()


def _together(run: Run, updates: Sequence[Update]) -> Update:
    """Several updates as one, with the state that they have led to."""
    series: dict[str, Any] = {
        name: tuple(chain.from_iterable(getattr(one, name) for one in updates)) for name in ("points", *SERIES)
    }
    return Update(0, run.status, settings=run.settings, interventions=run.interventions, **series)


def grown(run: Run, updates: Iterable[Update]) -> Run:
    """A run and what was measured after it, as the hub puts them together."""
    builder = HistoryBuilder.resume(run.history)
    for update in updates:
        for point in update.points:
            builder.append(point)
        run = run.replace(status=update.status, **_news(update), **_longer(run, update))
    return run.replace(history=builder.history())


def _news(update: Update) -> dict[str, Any]:
    """The fields of a `Run` that an update replaces."""
    names = ("settings", "interventions", "contour", "landscape", "anatomy", "study", "ghost")
    news = {name: value for name in names if (value := getattr(update, name)) is not None}
    return news | ({"ghost": None} if update.is_ghost_dismissed else {})


def _longer(run: Run, update: Update) -> dict[str, Any]:
    """The series of a `Run` that an update adds to."""
    series: dict[str, Any] = {}
    for name, most in SERIES.items():
        for record in getattr(update, name):
            series[name] = appended(series.get(name, getattr(run, name)), record, most)
    return series


def _no_history(settings: Settings) -> History:
    return HistoryBuilder(
        lineup(settings.model), kept_units(settings.model.hidden_layers, settings.model.width)
    ).history()


def _until(history: History, step: int) -> History:
    """The points up to a step, it included."""
    kept = history.step <= step
    return replace(history, **{name: getattr(history, name)[kept] for name in MEASURES})


def ghost_label(old: Settings, new: Settings) -> str:
    """What was different in the run before: "earlier run, lr 0.1"; at most three settings are named."""
    named = [f"{one.key} {_text(old.get(one.name))}" for one in SETTINGS if old.get(one.name) != new.get(one.name)]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return ", ".join(["earlier run", *named[:3]]) + more


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else text_of(value)
