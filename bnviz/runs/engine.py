"""The engine: the one way in to training, for pages and sockets of any thread.

A thread of its own runs an event loop with the Dask client; what is asked here is carried out there, in order for each
run. A command returns once it is in force, or after a moment where that takes longer: what came of it is in the hub.
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from bnviz import config
from bnviz.config import (
    AnatomyConfig,
    Directions,
    HyperParams,
    LandscapeConfig,
    Measure,
    Settings,
    StudyConfig,
    SweepConfig,
    check_landscape,
    lineup,
)
from bnviz.errors import ConfigError, EngineError
from bnviz.records import Run, Sweep
from bnviz.runs.awake import Limits
from bnviz.runs.cluster import Cluster, DaskCluster
from bnviz.runs.dispatcher import Change, Dispatcher
from bnviz.runs.hub import Hub
from bnviz.runs.store import Store
from bnviz.runs.sweep_store import SweepStore
from bnviz.runs.sweeps import Sweeps
from bnviz.worker.host import Orders as Orders  # of `orders_of`, for the pages

SCHEDULER_VARIABLE: Final = "BNVIZ_SCHEDULER"
IN_FORCE_SECONDS: Final = 0.3  # a command is waited for this long
ANSWER_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 15.0
MOST_STEPS: Final = 1000  # of one `step`
SPEEDS: Final = (0.1, 1000.0)  # steps a second in slow motion
LEAST_CONTOUR_SECONDS: Final = 1.0

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Engine:
    """Runs and their owners, over an embedded cluster or a running one.

    Every method is synchronous, may be called from any thread, and raises nothing but `BnvizError`.

    Args:
        home: where runs are kept; default BNVIZ_HOME or the platform's folder for application data.
        scheduler: address of a running Dask scheduler; default BNVIZ_SCHEDULER, or else an embedded cluster.
        workers: of the embedded cluster; default one a core, or one a GPU.
        limits: how many runs there may be, and for how long.
        cluster: in place of a Dask cluster, for tests.
    """

    def __init__(
        self,
        home: Path | None = None,
        scheduler: str | None = None,
        workers: int | None = None,
        *,
        limits: Limits | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self._store = Store(home)
        self._sweep_store = SweepStore(home)
        self.hub = Hub(self._load)
        self.limits = limits or Limits()
        self._cluster = cluster or DaskCluster(scheduler or os.environ.get(SCHEDULER_VARIABLE) or None, workers)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._dispatcher: Dispatcher | None = None
        self._sweeps: Sweeps | None = None

    def _load(self, run_id: str) -> Run:
        return self._store.load(run_id).run

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start, and return at once: runs created before `is_ready` wait for their places."""
        if self._thread is not None:
            return
        self._loop = asyncio.new_event_loop()
        self._dispatcher = dispatcher = Dispatcher(self._cluster, self.hub, self._store, self.limits)
        self._sweeps = Sweeps(self._cluster, self._sweep_store, self.limits, lambda: dispatcher.hosts)
        self._thread = threading.Thread(target=self._run_loop, args=(self._loop,), name="bnviz-engine", daemon=True)
        self._thread.start()
        self._main = asyncio.run_coroutine_threadsafe(self._dispatcher.run(), self._loop)
        asyncio.run_coroutine_threadsafe(self._sweeps.run(), self._loop)

    @staticmethod
    def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    @property
    def is_ready(self) -> bool:
        """Whether there is a worker to train on."""
        return self._dispatcher is not None and self._dispatcher.is_ready

    def close(self) -> None:
        """Save every run and end every process started here."""
        loop, thread, dispatcher, sweeps = self._loop, self._thread, self._dispatcher, self._sweeps
        if loop is None or thread is None or dispatcher is None or sweeps is None:
            return
        self._loop = self._thread = self._dispatcher = self._sweeps = None
        self._main.cancel()
        try:
            asyncio.run_coroutine_threadsafe(sweeps.close(), loop).result(CLOSE_SECONDS)
            asyncio.run_coroutine_threadsafe(dispatcher.close(), loop).result(CLOSE_SECONDS)
        except Exception:
            logger.exception("The engine did not close cleanly")
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()

    # --- commands -----------------------------------------------------------------------------------------------------

    def create(self, owner: str, settings: Settings, is_playing: bool = False, measures: Iterable[Measure] = ()) -> str:
        """A new run at step 0; its id is unguessable: whoever has it may watch. See `measure` for the measures."""
        orders = Orders(0, _checked(settings), is_playing, measures=frozenset(Measure(one) for one in measures))
        return self._answer(self._running.create(owner, orders))

    def play(self, run_id: str, owner: str) -> None:
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=True))

    def pause(self, run_id: str, owner: str) -> None:
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=False))

    def step(self, run_id: str, owner: str, count: int) -> None:
        """Pause, `count` steps further on."""
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_STEPS:
            raise ConfigError(f"{count!r} steps at once: choose a whole number from 1 to {MOST_STEPS}.")
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=False), steps=count)

    def set(self, run_id: str, owner: str, hyper: HyperParams) -> None:
        """Change the live settings: in force from the next step on, for all competitors at once."""
        self._command(
            run_id, owner, lambda orders: replace(orders, settings=_checked(replace(orders.settings, hyper=hyper)))
        )

    def restart(self, run_id: str, owner: str, settings: Settings, is_playing: bool | None = None) -> None:
        """The next generation of a run, from step 0, playing or not as it was unless `is_playing` says.

        A run of more than 50 steps stays as its ghost.
        """
        settings = _checked(settings)
        self._command(
            run_id,
            owner,
            lambda orders: replace(
                orders,
                generation=orders.generation + 1,
                settings=settings,
                is_playing=orders.is_playing if is_playing is None else is_playing,
            ),
        )

    def set_speed(self, run_id: str, owner: str, steps_per_second: float | None) -> None:
        """Slow motion; None is as fast as it goes."""
        if steps_per_second is not None:
            low, high = SPEEDS
            _check_number(steps_per_second, "steps a second", low, high)
        self._command(run_id, owner, lambda orders: replace(orders, steps_per_second=steps_per_second))

    def set_contour(self, run_id: str, owner: str, directions: Directions, every_seconds: float | None) -> None:
        """What the loss contour shows, and how often it is drawn anew while playing; None: only on pause."""
        if every_seconds is not None:
            _check_number(every_seconds, "seconds between contours", LEAST_CONTOUR_SECONDS, math.inf)
        chosen = Directions(directions)
        self._command(run_id, owner, lambda orders: replace(orders, directions=chosen, contour_seconds=every_seconds))

    def draw_landscape(
        self, run_id: str, owner: str, landscape: LandscapeConfig, every_seconds: float | None = 10.0
    ) -> None:
        """Draw this loss landscape now, and anew that often while the run plays; None: only when asked."""
        if every_seconds is not None:
            _check_number(every_seconds, "seconds between landscapes", LEAST_CONTOUR_SECONDS, math.inf)
        checked = replace(landscape)  # none gets past the bounds that the widgets have

        def change(orders: Orders) -> Orders:
            check_landscape(checked, orders.settings.model, len(lineup(orders.settings.model)))
            return replace(
                orders,
                landscape=checked,
                unseen=orders.unseen - {"landscape"},
                landscape_count=orders.landscape_count + 1,
                landscape_seconds=every_seconds,
            )

        self._command(run_id, owner, change)

    def stop_landscape(self, run_id: str, owner: str) -> None:
        """Leave the landscape as far as it is drawn, and draw none until asked."""
        self._command(run_id, owner, lambda orders: replace(orders, landscape=None))

    def measure_anatomy(self, run_id: str, owner: str, anatomy: AnatomyConfig) -> None:
        """Walk this mini-batch through this BN layer now, and anew from time to time while the run plays."""
        checked = replace(anatomy)  # none gets past the bounds that the widgets have
        self._command(
            run_id,
            owner,
            lambda orders: replace(
                orders, anatomy=checked, unseen=orders.unseen - {"anatomy"}, anatomy_count=orders.anatomy_count + 1
            ),
        )

    def measure(self, run_id: str, owner: str, measures: Iterable[Measure]) -> None:
        """Measure these as well, from now on: what a run measures only where somebody looks at it."""
        wanted = frozenset(Measure(one) for one in measures)
        self._command(run_id, owner, lambda orders: replace(orders, measures=orders.measures | wanted))

    def measure_study(self, run_id: str, owner: str, study: StudyConfig) -> None:
        """Measure a study beside the run, in place of any other."""
        checked = replace(study)  # none gets past the bounds that the widgets have
        self._command(run_id, owner, lambda orders: replace(orders, study=checked))

    def dismiss_ghost(self, run_id: str, owner: str) -> None:
        self._answer(self._running.dismiss_ghost(run_id, owner))

    def stop(self, run_id: str, owner: str) -> None:
        """Free the worker; the run stays on disk, and the next command brings it back."""
        self._answer(self._running.stop(run_id, owner))

    def runs_of(self, owner: str) -> list[str]:
        """The ids of a visitor's runs, those on disk included, the newest last."""
        return self._answer(self._running.runs_of(owner))

    def owner_of(self, run_id: str) -> str:
        return self._answer(self._running.owner_of(run_id))

    def orders_of(self, run_id: str) -> Orders | None:
        """What is wanted of a run, from the moment it is commanded; what came of it is in the hub. None if asleep."""
        return self._answer(self._running.orders_of(run_id))

    # --- sweeps -------------------------------------------------------------------------------------------------------

    def start_sweep(self, owner: str, sweep: SweepConfig) -> str:
        """A new sweep, running; its id is unguessable: whoever has it may watch, and finds it again."""
        return self._answer(self._running_sweeps.start(owner, replace(sweep)))  # none gets past the bounds

    def pause_sweep(self, sweep_id: str, owner: str) -> None:
        """Stop what is under way, within an item's time; `resume_sweep` computes it again and goes on."""
        self._answer(self._running_sweeps.pause(sweep_id, owner))

    def resume_sweep(self, sweep_id: str, owner: str) -> None:
        """Go on after a pause, or after the server has ended."""
        self._answer(self._running_sweeps.resume(sweep_id, owner))

    def cancel_sweep(self, sweep_id: str, owner: str) -> None:
        """Stop for good; what has come in stays."""
        self._answer(self._running_sweeps.cancel(sweep_id, owner))

    def retry_sweep(self, sweep_id: str, owner: str) -> None:
        """Compute the failed cells once more."""
        self._answer(self._running_sweeps.retry(sweep_id, owner))

    def sweep(self, sweep_id: str) -> Sweep:
        """A sweep as it is now, frozen: a newer one is another object. Costs nothing while it is in memory."""
        return self._running_sweeps.get(sweep_id)

    def sweeps_of(self, owner: str) -> list[str]:
        """The ids of a visitor's sweeps, those on disk included, the newest last."""
        return self._answer(self._running_sweeps.sweeps_of(owner))

    def owner_of_sweep(self, sweep_id: str) -> str:
        return self._answer(self._running_sweeps.owner_of(sweep_id))

    @property
    def _running_sweeps(self) -> Sweeps:
        if self._sweeps is None:
            raise EngineError("Training has not been started on this server, or it is closing: reload the page.")
        return self._sweeps

    # --- across the threads -------------------------------------------------------------------------------------------

    @property
    def _running(self) -> Dispatcher:
        if self._dispatcher is None:
            raise EngineError("Training has not been started on this server, or it is closing: reload the page.")
        return self._dispatcher

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        loop = self._loop
        if loop is None:
            work.close()
            raise EngineError("Training is closing on this server: reload the page.")
        return asyncio.run_coroutine_threadsafe(work, loop)

    def _answer(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._submit(work).result(ANSWER_SECONDS)
        except TimeoutError:
            raise EngineError(f"Training did not answer within {ANSWER_SECONDS:.0f} s: try again.") from None

    def _command(self, run_id: str, owner: str, change: Change, steps: int = 0) -> None:
        future = self._submit(self._running.command(run_id, owner, change, steps))
        # One that takes longer goes on by itself; what comes of it is in the hub.
        with contextlib.suppress(TimeoutError):
            future.result(IN_FORCE_SECONDS)


def _checked(settings: Settings) -> Settings:
    """The settings, checked again: none gets past the bounds that the widgets have."""
    return config.from_json(config.to_json(settings))


def _check_number(value: float, what: str, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise ConfigError(f"{value!r} {what}: choose a number from {low:g} to {high:g}.")


_the_engine: Engine | None = None
_the_lock = threading.Lock()


def engine() -> Engine:
    """The process's one engine, made when it is first asked for; `start` it in the server's lifespan."""
    global _the_engine
    with _the_lock:
        if _the_engine is None:
            _the_engine = Engine()
        return _the_engine


def use_engine(one: Engine | None) -> None:
    """Have `engine()` give another one, for tests; None forgets the present one."""
    global _the_engine
    with _the_lock:
        _the_engine = one
