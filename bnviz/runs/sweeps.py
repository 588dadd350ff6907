"""Sweeps under way: batches of cells handed to the workers, one at a time each, and what comes in kept and shown.

All of it belongs to the engine's event loop. A worker that ends under a batch is nobody's fault at first: its cells are
tried again one by one, and only a cell that was there three times has failed, with that reason.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from bnviz.config import SweepCell, SweepConfig, batches
from bnviz.config.sweep import run_seconds
from bnviz.errors import BnvizError, EngineError, RunError
from bnviz.records import (
    CellFailure,
    CellResult,
    Outcome,
    Sweep,
    SweepPhase,
    Update,
    cells_in,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
    with_training,
)
from bnviz.runs.awake import Limits
from bnviz.runs.cluster import Cluster, WorkerEndedError
from bnviz.runs.hub import Hub
from bnviz.runs.sweep_run import run_of, status_of
from bnviz.runs.sweep_store import SweepStore
from bnviz.worker.host import Host

MOST_ENDS: Final = 3  # of workers under one cell, after which it has failed
WINDOW_SECONDS: Final = 30.0  # over which the speed is taken
CLOSE_SECONDS: Final = 5.0  # for what is being written down
_KILLED: Final = "The worker that trained it ended {} times."

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Going:
    """A sweep that is under way or may go on."""

    sweep: Sweep
    owner: str
    queue: deque[tuple[SweepCell, ...]] = field(default_factory=deque)
    ends: Counter[SweepCell] = field(default_factory=Counter)  # of workers under each cell
    come_in: deque[tuple[float, int, float]] = field(default_factory=deque)  # when, networks' steps, estimated seconds
    unsaved: list[CellResult | CellFailure] = field(default_factory=list)
    notice: str = ""

    @property
    def is_running(self) -> bool:
        return self.sweep.status.phase is SweepPhase.RUNNING


@dataclass(eq=False)
class _Flight:
    """A batch on a worker."""

    going: _Going
    cells: tuple[SweepCell, ...]
    token: str


class Sweeps:
    """Every method belongs to the engine's event loop.

    Args:
        spawn: runs a task by itself.
        server_name: of one web server among several, which the ids of its sweeps name.
    """

    def __init__(
        self,
        cluster: Cluster,
        hub: Hub,
        store: SweepStore,
        limits: Limits,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        server_name: str = "",
    ) -> None:
        self._server_name = server_name
        self._cluster, self._hub, self._store, self._limits, self._spawn = cluster, hub, store, limits, spawn
        self._going: dict[str, _Going] = {}
        self._owners: dict[str, str] = {}
        self._hosts: dict[str, Host] = {}
        self._flights: set[_Flight] = set()  # no more than there are workers
        self._coming_in: set[asyncio.Task[None]] = set()  # results that are being written down
        self._turn = 0  # which sweep is served next
        self._disk = asyncio.Lock()
        self._is_closing = False

    async def begin(self) -> None:
        """Learn of the sweeps that are there."""
        self._owners = await asyncio.to_thread(self._store.owners) | self._owners

    def know(self, hosts: Mapping[str, Host]) -> None:
        """Take note of which workers there are now, and use them."""
        self._hosts = dict(hosts)
        self._fill()

    async def close(self) -> None:
        """Stop; what has come in is on disk, and nothing is written any more."""
        self._is_closing = True
        for flight in self._flights:
            flight.going.queue.clear()
        if self._coming_in:
            await asyncio.wait(self._coming_in, timeout=CLOSE_SECONDS)

    # --- commands -----------------------------------------------------------------------------------------------------

    async def start(self, owner: str, config: SweepConfig) -> str:
        """A new sweep of this visitor's; its id is unguessable: whoever has it may watch."""
        self._check_limits(owner)
        whose = f"{self._server_name}-" if self._server_name else ""
        sweep = nothing_swept(f"sweep-{whose}{secrets.token_urlsafe(16)}", config)
        going = _Going(sweep, owner, deque(batches(config, config.cells)))
        try:
            await asyncio.to_thread(self._store.begin, sweep, owner)
        except RunError as error:
            going.notice = error.text
        self._owners[sweep.sweep_id] = owner
        self._going[sweep.sweep_id] = going
        self._hub.put(run_of(sweep))
        self._fill()
        return sweep.sweep_id

    async def pause(self, sweep_id: str, owner: str) -> None:
        """Stop training; cells under way begin again with `resume`."""
        await self._halt(await self._own(sweep_id, owner), SweepPhase.PAUSED)

    async def cancel(self, sweep_id: str, owner: str) -> None:
        """Stop for good; what has come in stays."""
        going = await self._own(sweep_id, owner)
        await self._halt(going, SweepPhase.CANCELLED)
        self._let_rest(going)

    async def resume(self, sweep_id: str, owner: str) -> None:
        """Go on with what has not come in."""
        going = await self._own(sweep_id, owner)
        if going.is_running:
            return
        await self._go_on(going, cells_in(going.sweep, Outcome.WAITING, Outcome.TRAINING))

    async def retry(self, sweep_id: str, owner: str) -> None:
        """Train the cells that failed once more, each by itself, and what is left besides."""
        going = await self._own(sweep_id, owner)
        failed = cells_in(going.sweep, Outcome.FAILED)
        going.sweep = with_training(going.sweep, failed, is_training=False)
        for cell in failed:
            del going.ends[cell]
        if going.is_running:
            going.queue.extend((cell,) for cell in failed)
            self._tell(going)
            self._fill()
        else:
            await self._go_on(going, cells_in(going.sweep, Outcome.WAITING, Outcome.TRAINING))

    async def sweeps_of(self, owner: str) -> list[str]:
        """The ids of a visitor's sweeps, the newest last."""
        return [sweep_id for sweep_id, whose in self._owners.items() if whose == owner]

    async def owner_of(self, sweep_id: str) -> str:
        """Empty for one that nobody has, such as a recording."""
        return self._owners.get(sweep_id, "")

    async def _own(self, sweep_id: str, owner: str) -> _Going:
        """This visitor's sweep, read from disk if it is at rest there."""
        if sweep_id not in self._owners:
            raise RunError("There is no such sweep here: the link may be incomplete, or the sweep was deleted.")
        if self._owners[sweep_id] != owner:
            raise RunError("This sweep is somebody else's: you can watch it, or start your own with the same settings.")
        if sweep_id not in self._going:
            saved = await asyncio.to_thread(self._store.load, sweep_id)
            self._going.setdefault(sweep_id, _Going(saved.sweep, owner))
        return self._going[sweep_id]

    def _check_limits(self, owner: str, but: _Going | None = None) -> None:
        running = [one for one in self._going.values() if one.is_running and one is not but]
        own = sum(one.owner == owner for one in running)
        if own >= self._limits.sweeps_an_owner:
            raise RunError(
                f"You have {own} sweeps going, and {self._limits.sweeps_an_owner} is the most: pause or cancel one."
            )
        if len(running) >= self._limits.sweeps:
            raise RunError(f"{len(running)} sweeps are going here, and that is the most: try again later.")

    async def _go_on(self, going: _Going, cells: Sequence[SweepCell]) -> None:
        self._check_limits(going.owner, but=going)
        going.queue = deque(batches(going.sweep.config, cells))
        going.come_in.clear()
        going.sweep = with_status(going.sweep, SweepPhase.RUNNING)
        self._end_if_over(going)
        await self._note_phase(going)
        self._fill()

    def _let_rest(self, going: _Going) -> None:
        """Keep a sweep on disk alone, unless its owner has had it go on while the disk was written to."""
        if not going.is_running and self._going.get(going.sweep.sweep_id) is going:
            self._going.pop(going.sweep.sweep_id, None)

    async def _halt(self, going: _Going, phase: SweepPhase) -> None:
        going.queue.clear()
        going.sweep = with_training(going.sweep, cells_in(going.sweep, Outcome.TRAINING), is_training=False)
        going.sweep = with_status(going.sweep, phase, steps_per_second=0.0, seconds_left=float("nan"))
        for flight in [one for one in self._flights if one.going is going]:
            for host in self._hosts.values():  # whichever has it
                self._spawn(self._stop(host, flight.token))
        await self._note_phase(going)

    @staticmethod
    async def _stop(host: Host, token: str) -> None:
        try:
            await host.stop_batch(token)
        except OSError:
            logger.debug("A worker had gone before its batch could be stopped")

    # --- batches ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Hand out as many batches as there are workers, sweep by sweep in turn."""
        while len(self._flights) < len(self._hosts) and not self._is_closing and (going := self._next()) is not None:
            cells = self._still_to_come(going, going.queue.popleft())
            if not cells:
                continue
            flight = _Flight(going, cells, f"bnviz-batch-{secrets.token_hex(8)}")
            self._flights.add(flight)
            going.sweep = with_training(going.sweep, cells, is_training=True)
            self._tell(going)
            self._spawn(self._fly(flight))

    @staticmethod
    def _still_to_come(going: _Going, cells: Sequence[SweepCell]) -> tuple[SweepCell, ...]:
        """Those of these cells that did not come in after all, from a batch that was stopped too late."""
        outcome = going.sweep.outcome[0]
        return tuple(one for one in cells if outcome[one.row, one.column, one.seed] == Outcome.WAITING)

    def _next(self) -> _Going | None:
        waiting = [one for one in self._going.values() if one.is_running and one.queue]
        if not waiting:
            return None
        self._turn += 1
        return waiting[self._turn % len(waiting)]

    async def _fly(self, flight: _Flight) -> None:
        """Have one batch trained, and take in what comes of it."""
        going, cells = flight.going, flight.cells
        come: Sequence[CellResult | CellFailure] = ()
        try:
            results = await self._cluster.train_cells(going.sweep.config, cells, flight.token)
        except WorkerEndedError:
            come = self._after_an_end(going, cells)
        except EngineError as error:
            logger.warning("%s", error.text)
            come = self._after_an_error(going, cells, error.text)
        except BnvizError as error:
            come = [CellFailure(cell, error.text) for cell in cells]
        except OSError:  # the cluster is gone, not the cells' fault
            self._again(going, [cells])
        else:
            come = results
        finally:
            self._flights.discard(flight)
        coming_in = asyncio.create_task(self._take_in(going, come))
        self._coming_in.add(coming_in)
        coming_in.add_done_callback(self._coming_in.discard)
        await asyncio.shield(coming_in)
        self._fill()

    def _after_an_end(self, going: _Going, cells: Sequence[SweepCell]) -> list[CellFailure]:
        """The worker ended under these cells: each is tried again by itself, until it was there too often."""
        going.ends.update(cells)
        failed = [cell for cell in cells if going.ends[cell] >= MOST_ENDS]
        self._again(going, [(cell,) for cell in cells if cell not in failed])
        return [CellFailure(cell, _KILLED.format(MOST_ENDS)) for cell in failed]

    def _after_an_error(self, going: _Going, cells: Sequence[SweepCell], text: str) -> list[CellFailure]:
        """Something failed: one cell alone is to blame, of several each is tried by itself."""
        if len(cells) == 1:
            return [CellFailure(cells[0], text)]
        self._again(going, [(cell,) for cell in cells])
        return []

    def _again(self, going: _Going, parts: Iterable[tuple[SweepCell, ...]]) -> None:
        """Put cells back at the front of the queue; once the sweep is halted, whoever resumes it queues them."""
        parts = list(parts)
        if going.is_running:
            going.queue.extendleft(reversed(parts))
            going.sweep = with_training(going.sweep, [cell for part in parts for cell in part], is_training=False)
            self._tell(going)

    async def _take_in(self, going: _Going, come: Sequence[CellResult | CellFailure]) -> None:
        if not come or going.sweep.status.phase is SweepPhase.CANCELLED:
            return
        going.sweep = with_results(going.sweep, [one for one in come if isinstance(one, CellResult)])
        going.sweep = with_failures(going.sweep, [one for one in come if isinstance(one, CellFailure)])
        self._note_speed(going, [one.cell for one in come])
        was_running = going.is_running
        self._end_if_over(going)
        has_ended = was_running and not going.is_running  # by this batch, not by one that comes in while this is saved
        self._tell(going)
        await self._save(going, come)
        if has_ended:
            await self._note_phase(going)
            self._let_rest(going)

    def _end_if_over(self, going: _Going) -> None:
        status = going.sweep.status
        if status.runs_done == status.runs_all and going.is_running:
            going.sweep = with_status(going.sweep, SweepPhase.FINISHED, steps_per_second=0.0, seconds_left=float("nan"))

    def _note_speed(self, going: _Going, cells: Collection[SweepCell]) -> None:
        config, now = going.sweep.config, time.monotonic()
        steps = len(cells) * config.steps * len(config.competitors)
        going.come_in.append((now, steps, _estimate(config, cells)))
        while len(going.come_in) > 2 and now - going.come_in[0][0] > WINDOW_SECONDS:
            going.come_in.popleft()
        seconds = now - going.come_in[0][0]
        if seconds <= 0:
            return
        counted = list(going.come_in)[1:]  # what came in after the window began
        speed = sum(one[1] for one in counted) / seconds
        pace = sum(one[2] for one in counted) / seconds
        left = _estimate(config, cells_in(going.sweep, Outcome.WAITING, Outcome.TRAINING))
        phase = going.sweep.status.phase
        going.sweep = with_status(going.sweep, phase, steps_per_second=speed, seconds_left=left / max(pace, 1e-9))

    # --- showing and keeping ------------------------------------------------------------------------------------------

    def _tell(self, going: _Going) -> None:
        sweep = with_status(going.sweep, going.sweep.status.phase, notice=going.notice)
        self._hub.apply(sweep.sweep_id, Update(version=0, status=status_of(sweep), study=sweep))

    async def _note_phase(self, going: _Going) -> None:
        self._tell(going)
        await self._keep(going, lambda: self._store.set_phase(going.sweep, going.owner))

    async def _save(self, going: _Going, come: Sequence[CellResult | CellFailure]) -> None:
        going.unsaved.extend(come)
        await self._keep(going, partial(self._append, going))

    def _append(self, going: _Going) -> None:
        """What is not on disk yet, that of an earlier try included; one at a time."""
        unsaved = list(going.unsaved)
        self._store.append(going.sweep.sweep_id, unsaved)
        del going.unsaved[: len(unsaved)]

    async def _keep(self, going: _Going, write: Callable[[], None]) -> None:
        """Write to disk; a disk that does not take it is a notice, and the sweep goes on."""
        try:
            async with self._disk:
                await asyncio.to_thread(write)
        except RunError as error:
            notice = error.text
        else:
            notice = ""
        if notice != going.notice:
            going.notice = notice
            self._tell(going)


def _estimate(config: SweepConfig, cells: Collection[SweepCell]) -> float:
    """Seconds of one core."""
    seconds: float = sum(run_seconds(config.settings_of(cell), config.steps) for cell in cells)
    return seconds
