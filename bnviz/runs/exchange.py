"""What is asked of the hosts, and how the news that they bring reaches the hub.

What is asked of one run's host goes in order, under the run's lock; a poll brings the news of many runs at once, and
what it brings of a run is passed on only if no command has brought it meanwhile.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar

from bnviz.errors import BnvizError
from bnviz.records import Update
from bnviz.runs.awake import Ahead, Awake, HostLostError, Place
from bnviz.runs.hub import Hub

PATIENCE_SECONDS: Final = 0.25  # a host with nothing measured answers all the same: the step count goes on
BREATH_SECONDS: Final = 0.05  # between two polls at least, however much there is to tell and to how many
LEAD_SECONDS: Final = 0.015  # from a poll's end to the beat of the frame that shows its news
IDLE_SECONDS: Final = 1.0
EMPTY_SECONDS: Final = 30.0  # of a host without runs: the first that comes nudges
ACTIVE_SECONDS: Final = 3.0  # after a change a run is polled as often as a playing one for this long
ANSWER_SECONDS: Final = 30.0
# Between two checkpoints of a run that trains: a run whose worker ends does at most two seconds of steps again.
FETCH_SECONDS: Final = 1.5
KEEP_SECONDS: Final = (0.1, 0.5)  # between two looks for a checkpoint that is due: a run may begin to train

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Exchange:
    """Belongs to the engine's event loop.

    Args:
        hub: where the news go.
        awake: the runs there are, by id.
        lose: called, any number of times, with a place whose host does not answer.
        fall_back: called with a run whose device failed it, and how.
    """

    def __init__(
        self,
        hub: Hub,
        awake: Mapping[str, Awake],
        lose: Callable[[Place], None],
        fall_back: Callable[[Awake, str], None],
    ) -> None:
        self._hub, self._awake, self._lose, self._fall_back = hub, awake, lose, fall_back

    async def ask(self, place: Place, answer: Awaitable[T]) -> T:
        """A host's answer; a host that gives none is lost."""
        asked_at = time.monotonic()
        place.asked_at.append(asked_at)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except BnvizError:
            raise
        except Exception as error:
            if not place.is_lost:
                logger.warning("The worker at %s does not answer (%s)", place.address, error or type(error).__name__)
            self._lose(place)
            raise HostLostError from None
        finally:
            place.asked_at.remove(asked_at)

    async def tell(self, awake: Awake) -> None:
        """Bring the newest orders to a run's host, with the run's lock held; a run without one is told later."""
        place = awake.place
        if place is None or not awake.is_placed:
            return
        orders = awake.orders
        if awake.told is not orders:
            updates = await self.ask(place, place.host.obey(awake.run_id, orders, awake.since))
            awake.told = orders
            self.apply(awake, updates)
        if awake.steps_due:
            steps, awake.steps_due = awake.steps_due, 0
            self.apply(awake, await self.ask(place, place.host.step(awake.run_id, steps, awake.since)))
        place.nudge.set()

    async def poll(self, place: Place) -> None:
        """Fetch what is new on a host, for as long as there is the host."""
        try:
            while not place.is_lost:
                asked = {awake.run_id: awake.since for awake in self.on(place) if not awake.lock.locked()}
                is_watched = self._is_watched(place)
                if asked:
                    waits = (PATIENCE_SECONDS, self._breath(place)) if is_watched else (0.0, 0.0)
                    with contextlib.suppress(BnvizError):
                        self._take(place, asked, await self.ask(place, place.host.poll(asked, *waits)))
                if not asked or not is_watched:
                    await self._rest(place)
        finally:
            self._lose(place)  # a host without its poller would train unheard

    def _breath(self, place: Place) -> float:
        """Seconds until just before somebody is due a frame: what is fetched earlier nobody would see."""
        after = time.monotonic() + LEAD_SECONDS
        wanted_at = min(self._hub.wanted_at(awake.run_id, after) for awake in self.on(place))
        return min(max(wanted_at - after, BREATH_SECONDS), PATIENCE_SECONDS)

    async def _rest(self, place: Place) -> None:
        """Wait until the next poll: shortly if somebody watches something change."""
        if self._is_watched(place):
            await asyncio.sleep(BREATH_SECONDS)
        else:
            place.nudge.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS if self.on(place) else EMPTY_SECONDS):
                    await place.nudge.wait()

    def _is_watched(self, place: Place) -> bool:
        """Whether somebody waits for something from this host."""
        return any(self._is_active(awake) or self._is_awaited(awake) for awake in self.on(place))

    def _take(self, place: Place, asked: dict[str, int], updates: dict[str, Update]) -> None:
        """Pass on what a poll brought, unless a command has brought it meanwhile."""
        for run_id, update in updates.items():
            awake = self._awake.get(run_id)
            if awake and awake.place is place and awake.since == asked[run_id] and not awake.lock.locked():
                self.apply(awake, (update,))

    def apply(self, awake: Awake, updates: Iterable[Update]) -> None:
        for update in updates:
            self._hub.apply(awake.run_id, update)
            awake.since = update.version
            awake.changed_at = time.monotonic()
            self._catch_up(awake)
            if update.points:
                awake.measured_generation = update.status.generation
            if update.device_fault is not None:
                self._fall_back(awake, update.device_fault)

    def on(self, place: Place) -> list[Awake]:
        return [awake for awake in self._awake.values() if awake.place is place and awake.is_placed]

    def _is_active(self, awake: Awake) -> bool:
        """Whether somebody watches it change."""
        is_watched = self._hub.unwatched_seconds(awake.run_id) < ACTIVE_SECONDS
        return is_watched and time.monotonic() - awake.changed_at < ACTIVE_SECONDS

    def _is_awaited(self, awake: Awake) -> bool:
        """Whether the first point of a run, or of a restarted one, is about to come."""
        is_recent = time.monotonic() - awake.changed_at < ACTIVE_SECONDS
        return is_recent and awake.measured_generation != awake.orders.generation

    async def keep(self, place: Place) -> None:
        """Fetch the checkpoints of a host's runs while they train, one after the other, as long as there is the host.

        They stay in memory: how often a run is written to disk is another matter.
        """
        try:
            while not place.is_lost:
                due = min(self.on(place), key=self._fetch_due_at, default=None)
                wait = math.inf if due is None else self._fetch_due_at(due) - time.monotonic()
                if due is None or wait > 0:
                    least, most = KEEP_SECONDS
                    await asyncio.sleep(min(max(wait, least), most if self.on(place) else IDLE_SECONDS))
                    continue
                with contextlib.suppress(BnvizError):  # it has been dropped meanwhile
                    await self._fetch_ahead(due, place)
                await asyncio.sleep(due.fetch_seconds)
        finally:
            self._lose(place)  # a host without its keeper would train unkept

    def _fetch_due_at(self, awake: Awake) -> float:
        """When a run will have trained for long enough since its checkpoint; infinity if it has not trained since."""
        checkpoint = awake.checkpoint if awake.ahead is None else awake.ahead.checkpoint
        status = self._hub.status(awake.run_id)
        if awake.lock.locked() or status.step == 0:
            return math.inf
        if checkpoint is not None and (checkpoint.generation, checkpoint.step) == (status.generation, status.step):
            return math.inf
        return awake.fetched_at + FETCH_SECONDS

    async def _fetch_ahead(self, awake: Awake, place: Place) -> None:
        """Get a run's checkpoint, which counts from when a poll has brought the news up to it.

        The polls go on meanwhile: a frame that misses its beat would be seen.
        """
        since, awake.fetched_at = awake.since, time.monotonic()
        checkpoint, updates = await self.ask(place, place.host.checkpoint(awake.run_id, since))
        awake.fetch_seconds = time.monotonic() - awake.fetched_at
        if checkpoint is not None and awake.place is place:
            awake.ahead = Ahead(checkpoint, updates[-1].version if updates else since)
            self._catch_up(awake)
            place.nudge.set()

    @staticmethod
    def _catch_up(awake: Awake) -> None:
        """Let the checkpoint that was fetched ahead count, if all that was measured up to it has come."""
        if awake.ahead is not None and awake.ahead.version <= awake.since:
            awake.checkpoint, awake.ahead = awake.ahead.checkpoint, None

    async def fetch(self, awake: Awake) -> None:
        """Get a run's checkpoint, and its news up to it, with the run's lock held."""
        if awake.place is None or not awake.is_placed:
            return
        awake.fetched_at = time.monotonic()
        answer = awake.place.host.checkpoint(awake.run_id, awake.since)
        checkpoint, updates = await self.ask(awake.place, answer)
        awake.fetch_seconds = time.monotonic() - awake.fetched_at
        self.apply(awake, updates)
        awake.checkpoint, awake.ahead = checkpoint or awake.checkpoint, None
