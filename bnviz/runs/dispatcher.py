"""The asynchronous heart of the engine: it wakes runs, gives them places and tends them.

All of it belongs to one event loop. A run is *awake* while a worker holds it or it waits for a place; otherwise it is
asleep, on disk alone, until its owner asks something of it.
"""

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Final

from bnviz.config import lineup
from bnviz.errors import BnvizError, ConfigError, EngineError, RunError
from bnviz.records import PICTURE_CHARTS, Health, Phase, Status
from bnviz.runs.archive import Archive
from bnviz.runs.awake import Awake, HostLostError, Limits, Place
from bnviz.runs.cluster import Cluster
from bnviz.runs.exchange import Exchange
from bnviz.runs.hub import Hub
from bnviz.runs.placement import Placement
from bnviz.runs.readiness import Readiness
from bnviz.runs.register import Register
from bnviz.runs.store import Store
from bnviz.runs.summary import Summary
from bnviz.runs.sweep_store import SweepStore
from bnviz.runs.sweeps import Sweeps
from bnviz.worker.host import Host, Orders

TEND_SECONDS: Final = 1.0
START_SECONDS: Final = 0.1  # between two looks for the first worker
LOOK_SECONDS: Final = 4.0  # between two looks for more; of one that has gone the polls tell at once
CLOSE_SECONDS: Final = 5.0
MOST_LOSSES: Final = 3
SILENCE_SECONDS: Final = 5.0  # of a worker that has been asked and has not answered

Change = Callable[[Orders], Orders]

logger = logging.getLogger(__name__)


class Dispatcher:
    """Carries out commands on runs. Every method belongs to the engine's event loop."""

    def __init__(
        self, cluster: Cluster, hub: Hub, store: Store, sweep_store: SweepStore, limits: Limits, name: str = ""
    ) -> None:
        self._name = name
        self._cluster, self._hub, self._limits = cluster, hub, limits
        self._awake: dict[str, Awake] = {}
        self._exchange = Exchange(hub, self._awake, self._lose, self._fall_back)
        self._queue: list[Awake] = []
        self._places: dict[str, Place] = {}
        self._register = Register(hub)
        self._archive = Archive(store, hub, self._register, limits)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._trouble = "Training is starting."
        self.sweeps = Sweeps(cluster, hub, sweep_store, limits, self._spawn, name)
        self._scheduler = "starting"

    @property
    def is_ready(self) -> bool:
        return bool(self._places)

    def readiness(self) -> Readiness:
        """How the cluster is, as far as it is known now; from any thread, without waiting for anything."""
        places, now = list(self._places.values()), time.monotonic()
        alive = [place for place in places if now - place.silent_since < SILENCE_SECONDS]
        holds = [awake.place for awake in list(self._awake.values())]
        return Readiness(
            scheduler=self._scheduler,
            workers=len(places),
            workers_alive=len(alive),
            runs=tuple(holds.count(place) for place in alive),
            runs_waiting=len(self._queue),
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the cluster up, its hosts known and its runs tended, until cancelled."""
        await self._archive.open()
        await self.sweeps.begin()
        while True:
            try:
                await self._cluster.start()
                looked_at = float("-inf")
                while True:
                    if not self._places or time.monotonic() - looked_at >= LOOK_SECONDS:
                        self._know(await self._cluster.hosts())
                        self._scheduler = "ok"
                        looked_at = time.monotonic()
                    self._tend()
                    await asyncio.sleep(TEND_SECONDS if self._places else START_SECONDS)
            except (EngineError, ConfigError) as error:
                if error.text != self._trouble:  # a cluster may be away for long
                    logger.error("%s", error.text)
                self._trouble, self._scheduler = error.text, "unreachable"
                await self._forget_cluster()
            except Exception:
                logger.exception("The engine failed with its cluster")
                self._trouble, self._scheduler = "Training cannot be reached: the server's log says why.", "unreachable"
                await self._forget_cluster()
            await asyncio.sleep(TEND_SECONDS)

    async def _forget_cluster(self) -> None:
        """Let go of a cluster that has failed; its runs wait for the next one."""
        self._know({})
        await self._cluster.close()

    async def close(self) -> None:
        """Save every run, and end."""
        self._queue.clear()
        await self.sweeps.close()
        sleeping = [asyncio.create_task(self._sleep(awake)) for awake in self._awake.values()]
        if sleeping:
            await asyncio.wait(sleeping, timeout=CLOSE_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cluster.close()

    # --- commands -----------------------------------------------------------------------------------------------------

    async def create(self, owner: str, orders: Orders) -> str:
        settings = orders.settings
        self._make_room_for(owner)
        if len(self._queue) >= self._limits.runs_waiting:
            raise RunError(f"The lab is full, and {len(self._queue)} runs wait for a place already: try again later.")
        run_id = secrets.token_urlsafe(16)
        if self._name:
            run_id = f"{self._name}-{run_id}"
        awake = Awake(run_id, owner, orders)
        status = Status(Phase.QUEUED, 0, 0, 0.0, "", tuple(Health() for _ in lineup(settings.model)), self._trouble)
        self._hub.open(run_id, settings, status)
        self._register.add(self._hub.get(run_id), owner)
        self._take_in(awake)
        return run_id

    async def command(self, run_id: str, owner: str, change: Change, steps: int = 0) -> None:
        """Change what is wanted of a run, and have its host take some steps."""
        while True:
            awake = await self._wake(run_id, owner)
            awake.orders = change(awake.orders)
            awake.steps_due += steps
            self._hub.set_notice(run_id, "")
            async with awake.lock:
                if awake.is_gone:  # it fell asleep while this waited: wake it, and again
                    continue
                if not awake.is_placed:
                    old = self._hub.status(run_id)
                    self._show(awake, Phase.QUEUED, old.notice, old.place_in_queue)
                try:
                    await self._exchange.tell(awake)
                except HostLostError:
                    pass  # its next host will be told
                except BnvizError as error:
                    self._hub.set_notice(run_id, error.text)  # the caller may have gone on
                    raise
            return

    async def stop(self, run_id: str, owner: str) -> None:
        self._register.check_owner(run_id, owner)
        if run_id in self._awake:
            await self._sleep(self._awake[run_id])

    async def dismiss_ghost(self, run_id: str, owner: str) -> None:
        self._register.check_owner(run_id, owner)
        self._hub.dismiss_ghost(run_id)
        if run_id not in self._awake:
            await self._archive.dismiss_ghost(run_id)

    async def delete(self, run_id: str, owner: str) -> None:
        """Remove a run from disk, worker and memory; one that the disk does not let go stays as it was."""
        self._register.check_owner(run_id, owner)
        awake = self._awake.get(run_id)
        async with contextlib.AsyncExitStack() as held:
            if awake is not None:
                await held.enter_async_context(awake.lock)
            await self._archive.delete(run_id, awake)
            if awake is not None and self._awake.get(run_id) is awake:
                await self._leave(awake)
        self._fill_places()

    async def offer_controls(self, run_id: str, owner: str) -> str:
        code, entry = self._register.offered(run_id, owner)
        await self._archive.retitle(run_id, entry)
        return code

    async def take_controls(self, run_id: str, newcomer: str, code: str) -> None:
        await self._archive.retitle(run_id, self._register.accepted(run_id, newcomer, code))
        if run_id in self._awake:
            self._awake[run_id].owner = newcomer
        self._hub.set_notice(run_id, "The controls of this run have been handed over.")

    async def checkpoint(self, run_id: str) -> bytes | None:
        """A run's newest checkpoint, as the bytes of a safetensors file; None before there is one."""
        self._register.of(run_id)
        awake = self._awake.get(run_id)
        if awake is None:
            checkpoint = (await self._archive.load(run_id)).checkpoint
        else:
            async with awake.lock:
                await self._exchange.fetch(awake)
            checkpoint = awake.checkpoint
        return None if checkpoint is None else bytes(checkpoint.blob)

    async def runs_of(self, owner: str) -> list[str]:
        return self._register.ids_of(owner)

    async def summaries(self, owner: str) -> list[Summary]:
        return self._register.summaries_of(owner)

    async def orders_of(self, run_id: str) -> Orders | None:
        return self._awake[run_id].orders if run_id in self._awake else None

    async def owner_of(self, run_id: str) -> str:
        return self._register.of(run_id).owner

    # --- waking and sleeping ------------------------------------------------------------------------------------------

    async def _wake(self, run_id: str, owner: str) -> Awake:
        self._register.check_owner(run_id, owner)
        if run_id not in self._awake:
            saved = await self._archive.load(run_id)
            if run_id not in self._awake:  # nobody was faster
                self._make_room_for(owner)
                self._hub.put(saved.run)
                orders = Orders(saved.run.status.generation, saved.run.settings, measures=saved.measures)
                self._take_in(Awake(run_id, owner, orders, saved.checkpoint))
        return self._awake[run_id]

    def _take_in(self, awake: Awake) -> None:
        self._awake[awake.run_id] = awake
        self._queue.append(awake)
        self._fill_places()

    def _make_room_for(self, owner: str) -> None:
        """Refuse a visitor one run too many, unless another of theirs can sleep."""
        own = [awake for awake in self._awake.values() if awake.owner == owner]
        if len(own) < self._limits.runs_an_owner:
            return
        if not self._put_one_to_sleep(own):
            raise RunError(
                f"You have {len(own)} runs going, and {self._limits.runs_an_owner} is the most: stop one of them first."
            )

    def _put_one_to_sleep(self, among: Iterable[Awake]) -> bool:
        """Let the run sleep that rests and has been unwatched the longest; whether there was one."""
        resting = [
            awake
            for awake in among
            if awake.is_placed and not awake.orders.is_playing and self._hub.unwatched_seconds(awake.run_id) > 1
        ]
        if not resting:
            return False
        self._spawn(self._sleep(max(resting, key=lambda awake: self._hub.unwatched_seconds(awake.run_id))))
        return True

    async def _sleep(self, awake: Awake) -> None:
        """Save a run and let its worker forget it; a run that cannot be saved stays where it is, paused."""
        async with awake.lock:
            if awake.is_gone:
                return
            awake.orders = replace(awake.orders, is_playing=False)
            with contextlib.suppress(HostLostError, BnvizError):
                await self._exchange.tell(awake)
                await self._exchange.fetch(awake)
            self._hub.lose_news(awake.run_id)  # all of it: a short journal is read the fastest
            if not await self._archive.write(awake):
                return
            await self._leave(awake)
        self._show(awake, Phase.ASLEEP, self._hub.status(awake.run_id).notice)
        self._fill_places()

    async def _leave(self, awake: Awake) -> None:
        """Have a run's worker forget it, with the run's lock held."""
        awake.is_gone = True
        del self._awake[awake.run_id]
        if awake in self._queue:
            self._queue.remove(awake)
        if awake.is_placed and awake.place is not None:
            with contextlib.suppress(HostLostError, BnvizError):
                await self._exchange.ask(awake.place, awake.place.host.drop(awake.run_id))
        awake.place = None

    # --- places -------------------------------------------------------------------------------------------------------

    def _know(self, hosts: dict[str, Host]) -> None:
        """Take note of which hosts there are now."""
        for address in set(self._places) - set(hosts):
            self._lose(self._places[address])
        for address in set(hosts) - set(self._places):
            place = self._places[address] = Place(address, hosts[address])
            place.poller = self._spawn(self._exchange.poll(place))
            place.keeper = self._spawn(self._exchange.keep(place))
            self._spawn(self._await_warmth(place))
        if hosts:
            self._trouble = ""
        self._fill_places()
        self.sweeps.know(hosts)

    async def _await_warmth(self, place: Place) -> None:
        with contextlib.suppress(Exception):  # of a worker that ends: its poll tells
            await place.host.ready()
            place.is_warm = True

    def _lose(self, place: Place) -> None:
        """A worker is gone: its runs go first in the queue, from their last checkpoints."""
        if place.is_lost:
            return
        place.is_lost = True
        self._places.pop(place.address, None)
        place.nudge.set()
        for awake in [awake for awake in self._awake.values() if awake.place is place]:
            _unplace(awake)
            awake.losses += 1
            self._queue.insert(0, awake)
        self._fill_places()

    def _fall_back(self, awake: Awake, fault: str) -> None:
        self._spawn(self._go_on_on_cpu(awake, awake.orders.generation, fault))

    async def _go_on_on_cpu(self, awake: Awake, generation: int, fault: str) -> None:
        """Have a run whose GPU failed it go on from its last checkpoint, wherever there is a place for it."""
        async with awake.lock:
            place, orders = awake.place, awake.orders
            if awake.is_gone or place is None or orders.is_on_cpu or orders.generation != generation:
                return
            awake.orders = replace(awake.orders, is_on_cpu=True)
            await self._take_off(awake, place)
            self._hub.set_notice(awake.run_id, f"{fault}: this run goes on on the CPU, from its last checkpoint.")
        self._fill_places()

    async def _take_off(self, awake: Awake, place: Place) -> None:
        """Have a place let go of a run, which then waits for another, first of all; with the run's lock held."""
        await self._exchange.ask(place, place.host.drop(awake.run_id))
        if awake.place is place:  # else the place was lost meanwhile, and the run waits already
            _unplace(awake)
            self._queue.insert(0, awake)

    async def _move(self, awake: Awake) -> None:
        """Have a run go on elsewhere, from where it is now."""
        async with awake.lock:
            place = awake.place
            if awake.is_gone or place is None or not awake.is_placed:
                return
            await self._exchange.fetch(awake)
            if self._trains(awake) and not awake.steps_due:  # still, after what the lock was waited for
                await self._take_off(awake, place)
        self._fill_places()

    def _fill_places(self) -> None:
        """Give the waiting runs the least loaded places, and tell the others where they stand."""
        while self._queue and (place := self._freest_place()) is not None:
            awake = self._queue.pop(0)
            awake.place = place
            self._spawn(self._place(awake, place))
        capacity = self._limits.runs_a_worker * len(self._places)
        for number, awake in enumerate(self._queue, start=1):
            notice = self._trouble
            if capacity:
                notice = f"All {capacity} places are taken: this run is number {number} in the queue."
            self._show(awake, Phase.QUEUED, notice, number)
        if self._queue and self._places:
            self._put_one_to_sleep(self._awake.values())

    def _freest_place(self) -> Place | None:
        return self._placement().freest()

    def _placement(self) -> Placement:
        return Placement(self._places.values(), self._awake.values(), self._trains, self._limits.runs_a_worker)

    def _trains(self, awake: Awake) -> bool:
        """Whether a run trains now or is about to."""
        return awake.orders.is_playing and self._hub.status(awake.run_id).phase in (Phase.QUEUED, Phase.PLAYING)

    async def _place(self, awake: Awake, place: Place) -> None:
        async with awake.lock:
            if awake.is_gone or awake.place is not place:
                return
            if awake.losses >= MOST_LOSSES:
                awake.orders, awake.losses = replace(awake.orders, is_playing=False), 0
                self._hub.set_notice(awake.run_id, "This run's worker ended several times, so it is paused.")
            checkpoint = awake.checkpoint
            if checkpoint is not None and checkpoint.generation != awake.orders.generation:
                checkpoint = awake.checkpoint = None
            orders = awake.orders
            self._hub.rewind(awake.run_id, -1 if checkpoint is None else checkpoint.step)
            blob = None if checkpoint is None else bytes(checkpoint.blob)
            try:
                updates = await self._exchange.ask(place, place.host.place(awake.run_id, orders, blob))
            except BnvizError as error:
                logger.error("A run could not be placed: %s", error.text)
                self._lose(place)
                return
            awake.is_placed, awake.told, awake.since = True, orders, 0
            self._exchange.apply(awake, updates)
            with contextlib.suppress(BnvizError):
                await self._exchange.tell(awake)

    # --- tending ------------------------------------------------------------------------------------------------------

    def _tend(self) -> None:
        """Pause and put to sleep what nobody watches, and save what has changed."""
        self._hub.drop_idle()
        if (moving := self._placement().run_to_move(time.monotonic())) is not None:
            self._spawn(self._move(moving))
        for awake in self._awake.values():
            unwatched = self._hub.unwatched_seconds(awake.run_id)
            if unwatched > self._limits.sleep_seconds:
                self._spawn(self._sleep(awake))
            elif unwatched > self._limits.pause_seconds and self._is_playing(awake):
                self._spawn(self._pause(awake, "Paused, because nobody was watching: Play goes on."))
            elif (unseen := self._unseen(awake)) != awake.orders.unseen:
                self._spawn(self._tell_unseen(awake, unseen))
            elif self._archive.is_due(awake):
                self._spawn(self._save(awake))
            elif self._archive.is_growing(awake):
                self._spawn(self._archive.append(awake))

    def _is_playing(self, awake: Awake) -> bool:
        return awake.orders.is_playing and self._hub.status(awake.run_id).phase is Phase.PLAYING

    async def _pause(self, awake: Awake, notice: str) -> None:
        awake.orders = replace(awake.orders, is_playing=False)
        self._hub.set_notice(awake.run_id, notice)
        async with awake.lock:
            await self._exchange.tell(awake)

    def _unseen(self, awake: Awake) -> frozenset[str]:
        """Pictures that nobody has looked at lately: they need not be drawn again and again."""
        now, unseen = time.monotonic(), set()
        for name, charts in PICTURE_CHARTS.items():
            if getattr(awake.orders, name, name) is None:  # every run has a contour
                continue
            count = getattr(awake.orders, f"{name}_count", 0)
            if count != awake.seen_count.get(name, 0) or self._hub.is_looked_at(awake.run_id, charts):
                awake.seen_at[name], awake.seen_count[name] = now, count
            if now - awake.seen_at.get(name, -math.inf) > self._limits.picture_seconds:
                unseen.add(name)
        if self._hub.unwatched_seconds(awake.run_id):  # a script's, say, which reads the newest contour at the end
            unseen.discard("contour")
        return frozenset(unseen)

    async def _tell_unseen(self, awake: Awake, unseen: frozenset[str]) -> None:
        async with awake.lock:
            is_playing = awake.orders.is_playing
            if awake.told is awake.orders:  # what has failed or come to its end meanwhile does not begin again by this
                is_playing = self._trains(awake)
            awake.orders = replace(awake.orders, unseen=unseen, is_playing=is_playing)
            await self._exchange.tell(awake)

    async def _save(self, awake: Awake) -> None:
        """Write a run down with its newest checkpoint."""
        async with awake.lock:
            if awake.is_gone:
                return
            await self._exchange.fetch(awake)
        await self._archive.write(awake)

    # --- small things -------------------------------------------------------------------------------------------------

    def _show(self, awake: Awake, phase: Phase, notice: str = "", number: int | None = None) -> None:
        """The status of a run that is on no host."""
        old, orders = self._hub.status(awake.run_id), awake.orders
        new = replace(old, phase=phase, steps_per_second=0.0, notice=notice, place_in_queue=number)
        if orders.generation != old.generation:
            new = replace(
                new, generation=orders.generation, step=0, health=tuple(Health() for _ in lineup(orders.settings.model))
            )
        self._hub.set_status(awake.run_id, new, orders.settings)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a task on its own; what goes wrong in it is in the log and nowhere else."""
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # which a task that was cancelled at once has never begun
        return task

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except HostLostError:
            pass  # its runs have been queued again
        except BnvizError as error:
            logger.warning("%s", error.text)
        except Exception:
            logger.exception("The engine failed in %s", work)


def _unplace(awake: Awake) -> None:
    """No host holds this run, and none has been told of it."""
    awake.place, awake.is_placed, awake.told, awake.since, awake.ahead = None, False, None, 0, None
