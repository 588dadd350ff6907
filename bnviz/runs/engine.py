"""The engine: the one way in to training, for pages and sockets of any thread.

A thread of its own runs an event loop with the Dask client; what is asked here is carried out there, in order for each
run. A command returns once it is in force, or after a moment where that takes longer: what came of it is in the hub.
"""

import asyncio
import contextlib
import logging
import math
import os
import re
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import UnionType
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
    sweep_from_json,
    sweep_to_json,
)
from bnviz.errors import ConfigError, EngineError
from bnviz.records import Run
from bnviz.runs.awake import Limits
from bnviz.runs.cluster import Cluster, DaskCluster
from bnviz.runs.dispatcher import Change, Dispatcher
from bnviz.runs.hub import Hub
from bnviz.runs.readiness import Readiness
from bnviz.runs.store import Store
from bnviz.runs.summary import Summary
from bnviz.runs.sweep_run import run_of
from bnviz.runs.sweep_store import SWEEP_ID, SweepStore
from bnviz.worker.host import Orders as Orders  # of `orders_of`, for the pages

SCHEDULER_VARIABLE: Final = "BNVIZ_SCHEDULER"
NAME_VARIABLE: Final = "BNVIZ_SERVER_NAME"
IN_FORCE_SECONDS: Final = 0.3  # a command is waited for this long
ANSWER_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 15.0
LAST_SECONDS: Final = 3.0
MOST_STEPS: Final = 1000  # of one `step`
SPEEDS: Final = (0.1, 1000.0)  # steps a second in slow motion
LEAST_CONTOUR_SECONDS: Final = 1.0

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

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
        self._name = _server_name(os.environ.get(NAME_VARIABLE, ""))
        self._store, self._sweep_store = Store(home), SweepStore(home)
        self.hub = Hub(self._load)
        self.limits = limits or Limits()
        self._cluster = cluster or DaskCluster(scheduler or os.environ.get(SCHEDULER_VARIABLE) or None, workers)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._dispatcher: Dispatcher | None = None

    def _load(self, run_id: str) -> Run:
        if SWEEP_ID.fullmatch(run_id):
            return run_of(self._sweep_store.load(run_id).sweep)
        return self._store.load(run_id).run

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start, and return at once: runs created before `is_ready` wait for their places."""
        if self._thread is not None:
            return
        self._loop = asyncio.new_event_loop()
        stores = (self._store, self._sweep_store)
        self._dispatcher = Dispatcher(self._cluster, self.hub, *stores, self.limits, self._name)
        self._thread = threading.Thread(target=self._run_loop, args=(self._loop,), name="bnviz-engine", daemon=True)
        self._thread.start()
        self._main = asyncio.run_coroutine_threadsafe(self._dispatcher.run(), self._loop)

    @staticmethod
    def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        left = asyncio.all_tasks(loop)  # such as the one that is reaching the cluster and lets go of it again
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=LAST_SECONDS))

    @property
    def is_ready(self) -> bool:
        """Whether there is a worker to train on."""
        return self._dispatcher is not None and self._dispatcher.is_ready

    def health(self) -> Readiness:
        """How the scheduler and the workers are; answers at once, whatever they do."""
        dispatcher = self._dispatcher
        return Readiness() if dispatcher is None else dispatcher.readiness()

    def close(self) -> None:
        """Save every run and end every process started here."""
        loop, thread, dispatcher = self._loop, self._thread, self._dispatcher
        if loop is None or thread is None or dispatcher is None:
            return
        self._loop = self._thread = self._dispatcher = None
        self._main.cancel()
        try:
            asyncio.run_coroutine_threadsafe(dispatcher.close(), loop).result(CLOSE_SECONDS)
        except Exception:
            logger.exception("The engine did not close cleanly")
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()

    # --- commands -----------------------------------------------------------------------------------------------------

    def create(
        self,
        owner: str,
        settings: Settings,
        is_playing: bool = False,
        measures: Iterable[Measure] = (),
        until_step: int | None = None,
    ) -> str:
        """A new run at step 0; its id is unguessable: whoever has it may watch.

        See `measure` for the measures, `play` for the last step.
        """
        orders = Orders(
            0,
            _checked(settings),
            _of(bool, is_playing),
            until_step=_last_step(until_step),
            measures=_measures(measures),
        )
        return self._answer(self._running.create(_of(str, owner), orders))

    def play(self, run_id: str, owner: str, until_step: int | None = None) -> None:
        """Train, and pause at a step; None: go on until somebody pauses it."""
        last = _last_step(until_step)
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=True, until_step=last))

    def pause(self, run_id: str, owner: str) -> None:
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=False))

    def step(self, run_id: str, owner: str, count: int) -> None:
        """Pause, `count` steps further on."""
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_STEPS:
            raise ConfigError(f"{_short(count)} steps at once: choose a whole number from 1 to {MOST_STEPS}.")
        self._command(run_id, owner, lambda orders: replace(orders, is_playing=False), steps=count)

    def set(self, run_id: str, owner: str, hyper: HyperParams) -> None:
        """Change the live settings: in force from the next step on, for all competitors at once."""
        _of(HyperParams, hyper)
        self._command(
            run_id, owner, lambda orders: replace(orders, settings=_checked(replace(orders.settings, hyper=hyper)))
        )

    def restart(
        self,
        run_id: str,
        owner: str,
        settings: Settings,
        is_playing: bool | None = None,
        until_step: int | None = None,
    ) -> None:
        """The next generation of a run, from step 0, playing or not as it was unless `is_playing` says.

        A run of more than 50 steps stays as its ghost. See `play` for the last step.
        """
        settings, last = _checked(settings), _last_step(until_step)
        if is_playing is not None:
            _of(bool, is_playing)
        self._command(
            run_id,
            owner,
            lambda orders: replace(
                orders,
                generation=orders.generation + 1,
                settings=settings,
                is_playing=orders.is_playing if is_playing is None else is_playing,
                until_step=last,
                is_on_cpu=False,
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
        chosen = _one_of(Directions, directions)

        def change(orders: Orders) -> Orders:
            unseen = orders.unseen - {"contour"}
            return replace(orders, directions=chosen, contour_seconds=every_seconds, unseen=unseen)

        self._command(run_id, owner, change)

    def draw_landscape(
        self, run_id: str, owner: str, landscape: LandscapeConfig, every_seconds: float | None = 10.0
    ) -> None:
        """Draw this loss landscape now, and anew that often while the run plays; None: only when asked."""
        if every_seconds is not None:
            _check_number(every_seconds, "seconds between landscapes", LEAST_CONTOUR_SECONDS, math.inf)
        checked = replace(_of(LandscapeConfig, landscape))  # none gets past the bounds that the widgets have

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
        checked = replace(_of(AnatomyConfig, anatomy))  # none gets past the bounds that the widgets have
        self._command(
            run_id,
            owner,
            lambda orders: replace(
                orders, anatomy=checked, unseen=orders.unseen - {"anatomy"}, anatomy_count=orders.anatomy_count + 1
            ),
        )

    def measure(self, run_id: str, owner: str, measures: Iterable[Measure]) -> None:
        """Measure these as well, from now on: what a run measures only where somebody looks at it."""
        wanted = _measures(measures)
        self._command(run_id, owner, lambda orders: replace(orders, measures=orders.measures | wanted))

    def measure_study(self, run_id: str, owner: str, study: StudyConfig) -> None:
        """Measure a study beside the run, in place of any other."""
        checked: StudyConfig = replace(_of(StudyConfig, study))  # none gets past the bounds that the widgets have
        self._command(run_id, owner, lambda orders: replace(orders, study=checked))

    def stop_study(self, run_id: str, owner: str) -> None:
        """Measure no more of it; what is measured stays."""
        self._command(run_id, owner, lambda orders: replace(orders, study=None))

    def dismiss_ghost(self, run_id: str, owner: str) -> None:
        self._answer(self._running.dismiss_ghost(_of(str, run_id), _of(str, owner)))

    def stop(self, run_id: str, owner: str) -> None:
        """Free the worker; the run stays on disk, and the next command brings it back."""
        self._answer(self._running.stop(_of(str, run_id), _of(str, owner)))

    def runs_of(self, owner: str) -> list[str]:
        """The ids of a visitor's runs, those on disk included, the newest last."""
        return self._answer(self._running.runs_of(_of(str, owner)))

    def summaries(self, owner: str) -> list[Summary]:
        """A visitor's runs, those on disk included, the newest first; none of them is read or woken for it."""
        return self._answer(self._running.summaries(owner))

    def delete(self, run_id: str, owner: str) -> None:
        """Remove a run for good, from disk, worker and memory."""
        self._answer(self._running.delete(run_id, owner))

    def offer_controls(self, run_id: str, owner: str) -> str:
        """A code for `take_controls`: good once, for an hour, and until there is a newer one."""
        return self._answer(self._running.offer_controls(run_id, owner))

    def take_controls(self, run_id: str, newcomer: str, code: str) -> None:
        """Make whoever brings the code the owner; who was it watches from then on."""
        self._answer(self._running.take_controls(run_id, newcomer, code))

    def checkpoint(self, run_id: str) -> bytes | None:
        """Weights, optimizer and all else to go on from, as a safetensors file; None before the networks exist.

        For whoever may watch the run.
        """
        return self._answer(self._running.checkpoint(run_id))

    def owner_of(self, run_id: str) -> str:
        return self._answer(self._running.owner_of(_of(str, run_id)))

    def orders_of(self, run_id: str) -> Orders | None:
        """What is wanted of a run, from the moment it is commanded; what came of it is in the hub. None if asleep."""
        return self._answer(self._running.orders_of(_of(str, run_id)))

    # --- sweeps -------------------------------------------------------------------------------------------------------

    def start_sweep(self, owner: str, sweep: SweepConfig) -> str:
        """A new sweep, which begins at once; whoever has its id, which cannot be guessed, may watch it in the hub."""
        return self._answer(self._running.sweeps.start(owner, sweep_from_json(sweep_to_json(sweep))))

    def pause_sweep(self, sweep_id: str, owner: str) -> None:
        """Stop training; cells under way begin again with `resume_sweep`."""
        self._answer(self._running.sweeps.pause(sweep_id, owner))

    def resume_sweep(self, sweep_id: str, owner: str) -> None:
        """Go on with what has not come in, also after the server has ended."""
        self._answer(self._running.sweeps.resume(sweep_id, owner))

    def cancel_sweep(self, sweep_id: str, owner: str) -> None:
        """Stop for good; what has come in stays."""
        self._answer(self._running.sweeps.cancel(sweep_id, owner))

    def retry_sweep(self, sweep_id: str, owner: str) -> None:
        """Train the cells that failed once more."""
        self._answer(self._running.sweeps.retry(sweep_id, owner))

    def sweeps_of(self, owner: str) -> list[str]:
        """The ids of a visitor's sweeps, those on disk included, the newest last."""
        return self._answer(self._running.sweeps.sweeps_of(owner))

    def owner_of_sweep(self, sweep_id: str) -> str:
        """Empty for one that nobody has, such as a recording."""
        return self._answer(self._running.sweeps.owner_of(sweep_id))

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
        future = self._submit(self._running.command(_of(str, run_id), _of(str, owner), change, steps))
        # One that takes longer goes on by itself; what comes of it is in the hub.
        with contextlib.suppress(TimeoutError):
            future.result(IN_FORCE_SECONDS)


def _server_name(name: str) -> str:
    """The name of one web server among several, which the ids of its runs begin with: a proxy reads it in a link."""
    if name and not re.fullmatch(r"[a-z0-9]{1,16}", name):
        raise ConfigError(f"{NAME_VARIABLE} = {name!r}: choose at most 16 small letters and digits, such as web1.")
    return name


def _checked(settings: Settings) -> Settings:
    """The settings, checked again: none gets past the bounds that the widgets have."""
    _of(Settings, settings)
    return config.from_json(config.to_json(settings))


def _of(kind: type[T] | UnionType, value: Any) -> T:
    """A value that is what it should be; `ConfigError` if it is not."""
    if not isinstance(value, kind):
        raise ConfigError(f"{_short(value)} is not what is asked for: give a {getattr(kind, '__name__', kind)}.")
    return value


def _one_of(kind: type[E], value: Any) -> E:
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{_short(value)}: choose one of {', '.join(kind)}.") from None


def _last_step(step: int | None) -> int | None:
    """A step up to which a run may play."""
    if step is not None and (isinstance(step, bool) or not isinstance(step, int) or step < 1):
        raise ConfigError(f"Playing up to step {_short(step)}: choose a whole number from 1 on.")
    return step


def _measures(values: Iterable[Measure]) -> frozenset[Measure]:
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise ConfigError(f"{_short(values)} is no list of measures: choose of {', '.join(Measure)}.")
    return frozenset(_one_of(Measure, one) for one in values)


def _short(value: Any) -> str:
    """A value as an error quotes it: whatever it is, in one line of bounded length."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_number(value: float, what: str, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise ConfigError(f"{_short(value)} {what}: choose a number from {low:g} to {high:g}.")


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
