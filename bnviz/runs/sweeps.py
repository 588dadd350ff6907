"""Sweeps on the near side: they are started, paused, retried and kept, and their batches handed to the cluster.

All of it belongs to the engine's event loop, but for `get`, which any thread may call: what it gives is frozen. No more
batches are under way than there are hosts, so that a worker that dies takes nothing along that it has not begun.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bnviz.config import SweepCell, SweepConfig, batches
from bnviz.config.sweep import run_seconds
from bnviz.errors import BnvizError, EngineError, RunError
from bnviz.records import (
    CellFailure,
    CellResult,
    Outcome,
    Sweep,
    SweepPhase,
    cells_in,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
    with_training,
)
from bnviz.runs.awake import Limits
from bnviz.runs.cluster import Cluster, WorkerKilledError
from bnviz.runs.sweep_store import SweepStore
from bnviz.worker.host import Host

MOST_DEATHS: Final = 3  # of workers under one cell
LOOK_SECONDS: Final = 0.5  # between two looks for workers that have come
AGAIN_SECONDS: Final = 1.0  # after a cluster that is gone
SPEED_SECONDS: Final = 20.0
MOST_KEPT: Final = 50  # in memory that do not run
STOP_SECONDS: Final = 10.0

Batch = tuple[SweepCell, ...]
UNFINISHED: Final = (SweepPhase.RUNNING, SweepPhase.PAUSED)

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Known:
    """A sweep in memory."""

    sweep: Sweep
    owner: str
    queue: deque[Batch] = field(default_factory=deque)
    flights: dict[str, Batch] = field(default_factory=dict)
    deaths: Counter[SweepCell] = field(default_factory=Counter)
    arrivals: deque[tuple[float, float, float]] = field(default_factory=deque)  # when, steps, estimated seconds
    since: float = 0.0  # when it began to run

    @property
    def is_running(self) -> bool:
        return self.sweep.status.phase is SweepPhase.RUNNING


class Sweeps:
    """All sweeps of a server.

    Args:
        hosts: those there are now.
    """

    def __init__(
        self, cluster: Cluster, store: SweepStore, limits: Limits, hosts: Callable[[], Sequence[Host]]
    ) -> None:
        self._cluster, self._store, self._limits, self._hosts = cluster, store, limits, hosts
        self._known: dict[str, _Known] = {}
        self._owners: dict[str, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._nudge = asyncio.Event()
        self._rests_until = 0.0
        self._is_closing = False

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hand batches to the cluster as workers are free, until cancelled."""
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]  # there is one
        self._owners = await asyncio.to_thread(self._store.owners) | self._owners
        while not self._is_closing:
            try:
                self._fill()
            except Exception:
                logger.exception("Sweeps failed")
            self._nudge.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # `wait_for` swallows a cancellation at the wrong moment
                    await self._nudge.wait()

    async def close(self) -> None:
        """Let go of what is under way: on disk it is interrupted."""
        self._is_closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def get(self, sweep_id: str) -> Sweep:
        """A sweep as it is now, from any thread; `RunError` if there is none."""
        known = self._known.get(sweep_id)
        return known.sweep if known is not None else self._store.load(sweep_id).sweep

    async def start(self, owner: str, config: SweepConfig) -> str:
        self._check_room(owner)
        sweep_id = secrets.token_urlsafe(16)
        known = _Known(nothing_swept(sweep_id, config), owner)
        await asyncio.to_thread(self._store.save, known.sweep, owner)
        self._owners[sweep_id] = owner
        self._keep(known)
        self._run(known)
        return sweep_id

    async def pause(self, sweep_id: str, owner: str) -> None:
        """What is under way stops at once and is computed again later: some seconds of work."""
        known = await self._own(sweep_id, owner)
        if known.is_running:
            await self._halt(known, SweepPhase.PAUSED)

    async def cancel(self, sweep_id: str, owner: str) -> None:
        known = await self._own(sweep_id, owner)
        if known.sweep.status.phase is not SweepPhase.FINISHED:
            await self._halt(known, SweepPhase.CANCELLED)

    async def resume(self, sweep_id: str, owner: str) -> None:
        known = await self._own(sweep_id, owner)
        if known.sweep.status.phase is SweepPhase.CANCELLED:
            raise RunError("This sweep was cancelled: start it again from its settings.")
        if not known.is_running:
            if known.sweep.status.phase is not SweepPhase.PAUSED:  # else it has its room
                self._check_room(owner)
            self._run(known)
            await self._save(known)

    async def retry(self, sweep_id: str, owner: str) -> None:
        """Compute the failed cells once more, each alone."""
        known = await self._own(sweep_id, owner)
        failed = cells_in(known.sweep, Outcome.FAILED)
        if not failed:
            return
        if known.sweep.status.phase not in UNFINISHED:
            self._check_room(owner)
        known.sweep = with_training(known.sweep, failed, is_training=False)
        for cell in failed:
            del known.deaths[cell]
        known.queue.extend((cell,) for cell in failed)
        if not known.is_running:
            self._run(known)
        await self._save(known)
        self._nudge.set()

    async def sweeps_of(self, owner: str) -> list[str]:
        return [sweep_id for sweep_id, whose in self._owners.items() if whose == owner]

    async def owner_of(self, sweep_id: str) -> str:
        if sweep_id not in self._owners:
            raise RunError("There is no such sweep here: the link may be incomplete, or the sweep was deleted.")
        return self._owners[sweep_id]

    # --- small steps --------------------------------------------------------------------------------------------------

    async def _own(self, sweep_id: str, owner: str) -> _Known:
        if await self.owner_of(sweep_id) != owner:
            raise RunError("This sweep is somebody else's: you can watch it, or start your own with the same settings.")
        if sweep_id not in self._known:
            saved = await asyncio.to_thread(self._store.load, sweep_id)
            if sweep_id not in self._known:
                self._keep(_Known(saved.sweep, saved.owner))
        return self._known[sweep_id]

    def _keep(self, known: _Known) -> None:
        """Have a sweep in memory; the oldest ones that rest go."""
        self._known[known.sweep.sweep_id] = known
        resting = [
            key for key, one in self._known.items() if not one.is_running and not one.flights and one is not known
        ]
        for key in resting[: max(len(resting) - MOST_KEPT, 0)]:
            del self._known[key]

    def _check_room(self, owner: str) -> None:
        going = [known for known in self._known.values() if known.sweep.status.phase in UNFINISHED]
        own = sum(known.owner == owner for known in going)
        if own >= self._limits.sweeps_an_owner:
            raise RunError(
                f"You have {own} sweeps going or paused, and {self._limits.sweeps_an_owner} is the most: cancel one or "
                "wait for its end."
            )
        if len(going) >= self._limits.sweeps_in_all:
            raise RunError(
                f"{len(going)} sweeps are going or paused here, and {self._limits.sweeps_in_all} is the most: try "
                "again later."
            )

    def _run(self, known: _Known) -> None:
        """Queue what is neither done nor under way."""
        queued = {cell for batch in known.queue for cell in batch}
        waiting = [cell for cell in cells_in(known.sweep, Outcome.WAITING) if cell not in queued]
        whole = [cell for cell in waiting if not known.deaths[cell]]
        known.queue.extend(batches(known.sweep.config, whole))
        known.queue.extend((cell,) for cell in waiting if known.deaths[cell])
        known.arrivals.clear()
        known.since = time.monotonic()
        self._show(known, SweepPhase.RUNNING)
        self._nudge.set()

    async def _halt(self, known: _Known, phase: SweepPhase) -> None:
        known.queue.clear()
        self._show(known, phase)
        keys = tuple(known.flights)
        for host in self._hosts():
            with contextlib.suppress(Exception):  # of a worker that is ending: its tasks end with it
                async with asyncio.timeout(STOP_SECONDS):
                    await host.stop_cells(keys)
        await self._save(known)

    async def _save(self, known: _Known) -> None:
        await asyncio.to_thread(self._store.save, known.sweep, known.owner)

    def _show(self, known: _Known, phase: SweepPhase) -> None:
        """The status of a sweep in this phase."""
        steps_per_second, seconds_left, notice = 0.0, float("nan"), ""
        if phase is SweepPhase.RUNNING:
            steps_per_second, seconds_left = self._speed(known)
            notice = "" if self._hosts() else "Waiting for a worker."
        known.sweep = with_status(
            known.sweep, phase, steps_per_second=steps_per_second, seconds_left=seconds_left, notice=notice
        )

    def _speed(self, known: _Known) -> tuple[float, float]:
        """Networks' steps a second, and the seconds left at the pace of the estimates."""
        now = time.monotonic()
        begun = known.since
        while known.arrivals and known.arrivals[0][0] < now - SPEED_SECONDS and len(known.arrivals) > 1:
            begun = max(begun, known.arrivals.popleft()[0])
            known.since = begun
        elapsed = now - begun
        if not known.arrivals or elapsed <= 0:
            return 0.0, float("nan")
        steps = sum(one for _, one, _ in known.arrivals) / elapsed
        pace = sum(one for _, _, one in known.arrivals) / elapsed
        left = _estimate(known.sweep.config, cells_in(known.sweep, Outcome.WAITING, Outcome.TRAINING))
        return steps, left / pace if pace > 0 else float("nan")

    # --- batches ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give every worker a batch, of the sweep that has the fewest under way."""
        if time.monotonic() < self._rests_until:
            return
        free = len(self._hosts()) - sum(len(known.flights) for known in self._known.values())
        while free > 0:
            ready = [known for known in self._known.values() if known.is_running and known.queue]
            if not ready:
                break
            known = min(ready, key=lambda one: len(one.flights))
            self._launch(known, known.queue.popleft())
            free -= 1

    def _launch(self, known: _Known, batch: Batch) -> None:
        key = f"bnviz-cells-{secrets.token_hex(8)}"
        known.flights[key] = batch
        known.sweep = with_training(known.sweep, batch, is_training=True)
        self._show(known, SweepPhase.RUNNING)
        self._spawn(self._fly(known, key, batch))

    async def _fly(self, known: _Known, key: str, batch: Batch) -> None:
        """One batch, to whatever end."""
        failure = ""
        try:
            results = await self._cluster.train_cells(key, known.sweep.config, batch)
            await self._take(known, batch, results)
        except WorkerKilledError as error:
            self._count_deaths(known, batch, error.deaths)
            failure = f"It ended its worker {MOST_DEATHS} times: too large for this machine's memory, perhaps."
        except EngineError as error:
            logger.warning("Cells wait for a worker: %s", error.text)
            self._rests_until = time.monotonic() + AGAIN_SECONDS
        except BnvizError as error:
            known.deaths.update({cell: MOST_DEATHS if len(batch) == 1 else 1 for cell in batch})
            failure = error.text
        finally:
            known.flights.pop(key, None)
        await self._settle(known, batch, failure)
        self._nudge.set()

    def _count_deaths(self, known: _Known, batch: Batch, deaths: int) -> None:
        """Of several cells nobody knows which one it was: one each, however often Dask has tried."""
        known.deaths.update({cell: deaths if len(batch) == 1 else 1 for cell in batch})

    async def _take(self, known: _Known, batch: Batch, results: Sequence[CellResult] | None) -> None:
        if results is None:
            return
        known.sweep = with_results(known.sweep, results)
        steps = sum(_steps_taken(one, known.sweep.config.steps) for one in results)
        known.arrivals.append((time.monotonic(), steps, _estimate(known.sweep.config, batch)))
        await self._append(known, results)

    async def _settle(self, known: _Known, batch: Batch, failure: str) -> None:
        """What has not come in fails, or waits: alone, once it is under suspicion."""
        under_way = set(cells_in(known.sweep, Outcome.TRAINING))
        left = [cell for cell in batch if cell in under_way]
        failed = [CellFailure(cell, failure) for cell in left if known.deaths[cell] >= MOST_DEATHS]
        again = [cell for cell in left if known.deaths[cell] < MOST_DEATHS]
        known.sweep = with_training(known.sweep, again, is_training=False)
        if failed:
            known.sweep = with_failures(known.sweep, failed)
            await self._append(known, failed)
        if known.is_running and again:
            suspected = [(cell,) for cell in again if known.deaths[cell]]
            known.queue.extend(suspected)  # last: the others are not to suffer
            known.queue.extendleft(batches(known.sweep.config, [one for one in again if not known.deaths[one]]))
        if known.is_running:
            is_over = known.sweep.status.runs_done == known.sweep.status.runs_all
            self._show(known, SweepPhase.FINISHED if is_over else SweepPhase.RUNNING)
            if is_over:
                await self._save(known)

    async def _append(self, known: _Known, records: Sequence[CellResult] | Sequence[CellFailure]) -> None:
        try:
            await asyncio.to_thread(self._store.append, known.sweep.sweep_id, records)
        except RunError as error:
            logger.warning("%s", error.text)
            known.sweep = with_status(known.sweep, known.sweep.status.phase, notice=error.text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that is cancelled may never have begun

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BnvizError as error:
            logger.warning("%s", error.text)
        except Exception:
            logger.exception("A sweep failed")


def _steps_taken(result: CellResult, steps: int) -> float:
    """By all networks of a run: one that diverged took no more."""
    return float(np.where(result.outcome == Outcome.DIVERGED, result.since_step, steps).sum())


def _estimate(config: SweepConfig, cells: Iterable[SweepCell]) -> float:
    return sum(run_seconds(config.settings_of(cell), config.steps) for cell in cells)
