"""The training thread of a worker: it interleaves many runs in short slices and carries out their orders in between.

Live runs come first, the one that has had the least time before the others; loss contours get what they leave, and a
small share where they leave nothing.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from bnviz.errors import BnvizError, EngineError, RunError
from bnviz.records import Update
from bnviz.worker.host import Checkpoint, Orders
from bnviz.worker.live_run import Build, LiveRun
from bnviz.worker.pictures import Clock, MeasureStudy, nothing_studied

SLICE_SECONDS: Final = 0.025
ROUND_SECONDS: Final = 0.1  # of slices, in which every run has its turn: with many of them slices are shorter
STEP_SECONDS: Final = 0.001  # of a slice that is over after one step
OVERDUE_SECONDS: Final = 0.2  # after which a run takes a step whatever time it has used: its page would stand still
MOST_CREDIT_SECONDS: Final = 0.1  # a run that rested gets ahead of the others by no more than this
DRAWING_SHARE: Final = 0.2  # of a run's time, for its pictures while live runs want all of the thread
AWAITED_SHARE: Final = 0.45  # the same where somebody waits for one
MOST_DEBT_SECONDS: Final = 1.0  # an item of a picture may take longer than its slice: training gets it back
PATIENCE_SECONDS: Final = 30.0  # without a poll for this long nobody listens, and training rests

T = TypeVar("T")

logger = logging.getLogger(__name__)


def _nothing_to_warm() -> str:
    return ""


class Slices:
    """Owns the runs of one worker and the one thread that trains them.

    `call` is the way in, from any thread; `place`, `obey`, `step`, `checkpoint` and `drop` happen on the thread itself.

    Args:
        build: makes a trainer.
        warm: called once on the thread before anything else; returns the device's name.
        clock: seconds, for tests.
        measure_study: measures a study, a little more at each item.
    """

    def __init__(
        self,
        build: Build,
        warm: Callable[[], str] = _nothing_to_warm,
        clock: Clock = time.monotonic,
        measure_study: MeasureStudy = nothing_studied,
    ) -> None:
        self.device_name = ""
        self._measure_study = measure_study
        self._build, self._warm, self._clock = build, warm, clock
        self._runs: dict[str, LiveRun] = {}
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._has_news = threading.Condition()
        self._is_closing = False
        self.on_news: Callable[[], None] = lambda: None  # called on the thread when a run has something to tell
        self._turn = 0.0  # the least time that a run may claim to have used
        self._drawing_turn = 0.0  # the same of pictures
        self._drawing_credit = 0.0
        self._polled_at = clock()
        self._thread = threading.Thread(target=self._work, name="bnviz-training", daemon=True)

    # --- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ask the thread to end; it does so within a slice."""
        with self._has_news:
            self._is_closing = True
            self._has_news.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; whether it came."""
        if threading.current_thread() is not self._thread:  # which may be the one to drop the last reference to a host
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Have the thread call a function before its next slice."""
        future: Future[T] = Future()
        with self._has_news:
            if self._is_closing:
                raise EngineError("This worker is closing: try again in a moment.")
            self._calls.append((function, future))
            self._has_news.notify()
        return future

    def poll(self, since_versions: Mapping[str, int]) -> dict[str, Update]:
        self._polled_at = self._clock()
        updates = {}
        for run_id, version in since_versions.items():
            run = self._runs.get(run_id)
            update = run.outbox.since(version) if run is not None else None
            if update is not None:
                updates[run_id] = update
        return updates

    def has_news(self, since_versions: Mapping[str, int]) -> bool:
        """Whether any of these runs has something to tell that is worth it by itself."""
        runs = ((self._runs.get(run_id), version) for run_id, version in since_versions.items())
        return any(run is not None and run.outbox.has_news_since(version) for run, version in runs)

    @property
    def is_busy(self) -> bool:
        """Whether an order waits or a run wants a slice now."""
        now = self._clock()
        runs = list(self._runs.values())
        return bool(self._calls) or any(
            run.is_drawing or (run.due_at() <= now and self._may_train(run, now)) for run in runs
        )

    def run_ids(self) -> list[str]:
        return list(self._runs)

    # --- orders, on the thread ----------------------------------------------------------------------------------------

    def place(self, run_id: str, orders: Orders, blob: bytes | None = None) -> tuple[Update, ...]:
        run = LiveRun(orders, self._build, blob, self._clock, lambda: self.on_news(), self._measure_study)
        run.used_seconds = self._turn
        self._runs[run_id] = run
        self._polled_at = self._clock()
        return _updates(run, 0)

    def obey(self, run_id: str, orders: Orders, since: int) -> tuple[Update, ...]:
        run = self._run(run_id)
        if orders.generation == run.orders.generation:
            run.obey(orders)
            return _updates(run, since)
        last_words = _updates(run, since)
        run.obey(orders)
        return last_words + _updates(run, last_words[-1].version if last_words else since)

    def step(self, run_id: str, count: int, since: int) -> tuple[Update, ...]:
        run = self._run(run_id)
        run.step(count)
        return _updates(run, since)

    def checkpoint(self, run_id: str, since: int) -> tuple[Checkpoint | None, tuple[Update, ...]]:
        run = self._run(run_id)
        return run.checkpoint(), _updates(run, since)

    def drop(self, run_id: str) -> None:
        self._runs.pop(run_id, None)

    def _run(self, run_id: str) -> LiveRun:
        if run_id not in self._runs:
            raise RunError("This run is not on its worker any more: press Play to bring it back.")
        return self._runs[run_id]

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self.device_name = self._warm()
        except BnvizError as error:
            logger.error("The worker could not be warmed: %s", error.text)  # each run says so again, to its visitor
        except Exception:
            logger.exception("The worker could not be warmed")
        while not self._is_closing:
            self.answer_calls()
            if not self.serve():
                self._wait()
        self._refuse_calls()

    def answer_calls(self) -> None:
        """Carry out what `call` was given."""
        while self._calls:
            function, future = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except Exception as error:  # the caller's to handle
                future.set_exception(error)

    def _refuse_calls(self) -> None:
        while self._calls:
            self._calls.popleft()[1].set_exception(EngineError("This worker is closing: try again in a moment."))

    def _is_interrupted(self) -> bool:
        return bool(self._calls) or self._is_closing

    def serve(self) -> bool:
        """Give one slice to whoever is next; whether anybody wanted one."""
        begun = self._clock()
        live = [run for run in self._runs.values() if run.due_at() <= begun and self._may_train(run, begun)]
        drawing = [run for run in self._runs.values() if run.is_drawing]
        is_urgent = any(run.is_picture_urgent for run in drawing)  # training gets back what it takes now
        if drawing and (not live or is_urgent or self._drawing_credit > 0):
            self._draw(self._next_to_draw(drawing), begun)
        elif live:
            self._train(*self._next_of(live, begun), begun)
        return bool(drawing or live)

    def _may_train(self, run: LiveRun, now: float) -> bool:
        return not run.is_training or now - self._polled_at < PATIENCE_SECONDS

    def _next_of(self, live: list[LiveRun], now: float) -> tuple[LiveRun, float]:
        """Who trains next, and for how many seconds: the one that has had the least time.

        What was dear (a measurement, a picture) is paid for by resting until the others have had as much. With many
        others that is long, so that a run which has rested for a while takes a single step in between.
        """
        for run in live:
            run.used_seconds = max(run.used_seconds, self._turn - MOST_CREDIT_SECONDS)
        run, waiting = min(live, key=_used_seconds), min(live, key=_served_at)
        self._turn = max(self._turn, run.used_seconds)
        if now - waiting.served_at > OVERDUE_SECONDS:
            return waiting, STEP_SECONDS
        return run, min(SLICE_SECONDS, ROUND_SECONDS / len(live))

    def _next_to_draw(self, drawing: list[LiveRun]) -> LiveRun:
        """What somebody waits for goes first; else the one that has been drawn for the least time."""
        for run in drawing:
            run.drawn_seconds = max(run.drawn_seconds, self._drawing_turn - MOST_CREDIT_SECONDS)
        urgent = [run for run in drawing if run.is_picture_urgent]
        run = min(urgent or drawing, key=lambda run: (not run.is_picture_awaited, run.drawn_seconds))
        self._drawing_turn = max(self._drawing_turn, run.drawn_seconds)
        return run

    def _train(self, run: LiveRun, seconds: float, begun: float) -> None:
        crowd = sum(other.is_training for other in self._runs.values())
        self._guard(run, lambda: run.slice(begun + seconds, self._is_interrupted, crowd))
        run.served_at = self._clock()
        used, share = run.served_at - begun, self._drawing_share
        run.used_seconds += used
        self._drawing_credit = min(self._drawing_credit + used * share / (1 - share), SLICE_SECONDS)

    def _draw(self, run: LiveRun, begun: float) -> None:
        self._guard(run, lambda: run.draw(begun + SLICE_SECONDS, self._is_interrupted))
        used = self._clock() - begun
        run.used_seconds += used  # its own training gives way, not that of others
        run.drawn_seconds += used
        self._drawing_credit = max(self._drawing_credit - used, -MOST_DEBT_SECONDS)

    @property
    def _drawing_share(self) -> float:
        """Of the thread: each run that draws takes it out of its own equal share."""
        busy = [run for run in self._runs.values() if run.is_training or run.is_drawing]
        parts = (AWAITED_SHARE if run.is_picture_awaited else DRAWING_SHARE for run in busy if run.is_drawing)
        return sum(parts) / max(len(busy), 1)

    def _guard(self, run: LiveRun, work: Callable[[], None]) -> None:
        """A run that fails is paused with a notice; the others go on."""
        try:
            work()
        except BnvizError as error:
            run.fail(error.text)
        except Exception as error:
            logger.exception("A run failed at step %d with %s", run.step_count, run.orders)
            if not run.orders.is_on_cpu and (fault := _gpu_fault(error)) is not None:
                run.lose_device(fault)
                return
            run.fail(f"This run failed at step {run.step_count}; the server's log says why. Reset it to start again.")

    def _wait(self) -> None:
        """Sleep until an order arrives or a run in slow motion is due."""
        with self._has_news:
            if not self._calls and not self._is_closing:
                now = self._clock()
                due = min((run.due_at() for run in self._runs.values() if self._may_train(run, now)), default=now + 1)
                self._has_news.wait(min(max(due - now, 0.0), 1.0))


def _gpu_fault(error: Exception) -> str | None:
    from bnviz.training import gpu_fault

    return gpu_fault(error)


def _used_seconds(run: LiveRun) -> float:
    return run.used_seconds


def _served_at(run: LiveRun) -> float:
    return run.served_at


def _updates(run: LiveRun, since: int) -> tuple[Update, ...]:
    update = run.outbox.since(since)
    return () if update is None else (update,)
