"""The archive: the runs on disk, where every change of one waits for the one before."""

import asyncio
import time
from dataclasses import replace
from typing import Final

from bnviz.errors import RunError
from bnviz.runs.awake import Awake, Limits
from bnviz.runs.hub import Hub
from bnviz.runs.register import Register
from bnviz.runs.store import Saved, Store
from bnviz.runs.summary import Entry

REST_SECONDS: Final = 1.0  # between two saves of a run that does not train: what has changed is on disk soon
APPEND_SECONDS: Final = 1.5  # between two records in its journal, at least: at every second look of a run that trains
AGAIN_SECONDS: Final = 10.0  # after a disk that did not take it


class Archive:
    """Belongs to the engine's event loop; the disk itself is waited for in threads.

    Its history goes to disk as it is measured, in a journal; all of a run, with its checkpoint, every now and then.
    """

    def __init__(self, store: Store, hub: Hub, register: Register, limits: Limits) -> None:
        self._store, self._hub, self._register, self._limits = store, hub, register, limits
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Take note of what is there, and clear away what was left half done."""
        self._register.take_in(await asyncio.to_thread(self._store.catalogue))
        await asyncio.to_thread(self._store.sweep)

    async def load(self, run_id: str) -> Saved:
        return await asyncio.to_thread(self._store.load, run_id)

    # --- a run that trains --------------------------------------------------------------------------------------------

    def is_due(self, awake: Awake) -> bool:
        """Whether all of a run should be written down again."""
        rest = self._limits.save_seconds if awake.orders.is_playing else min(self._limits.save_seconds, REST_SECONDS)
        is_new = self._hub.version(awake.run_id) != awake.saved_version
        return awake.is_placed and is_new and time.monotonic() - awake.saved_at > rest and not awake.lock.locked()

    def is_growing(self, awake: Awake) -> bool:
        """Whether its journal, once begun, is due for what it has gained since."""
        if time.monotonic() - awake.appended_at <= APPEND_SECONDS:
            return False
        is_new = self._hub.version(awake.run_id) != awake.appended_version
        return is_new and not awake.is_appending and self._store.is_growing(awake.run_id)

    async def append(self, awake: Awake) -> None:
        """Add what a run has gained to its journal; whatever goes wrong, the save that comes next tries all of it."""
        awake.is_appending, awake.appended_at = True, time.monotonic()
        async with self._lock:
            awake.is_appending = False
            if awake.is_gone or not self._store.is_growing(awake.run_id):
                return
            version, (_, news) = self._hub.version(awake.run_id), self._hub.take_news(awake.run_id)
            if news is not None:
                try:
                    await asyncio.to_thread(self._store.append, awake.run_id, news)
                except RunError as error:
                    self._not_taken(awake, error)
                else:
                    awake.appended_version = version
                return
            self._hub.lose_news(awake.run_id)
        await self.write(awake)  # it has been restarted, say

    async def write(self, awake: Awake) -> bool:
        """Write a run to disk; a disk that does not take it is a notice on the run, and the training goes on."""
        async with self._lock:
            if awake.is_gone:
                return False
            version, (run, news) = self._hub.version(awake.run_id), self._hub.take_news(awake.run_id)
            checkpoint, entry = awake.checkpoint, self._register.of(awake.run_id)
            if checkpoint is not None and checkpoint.generation != run.status.generation:
                checkpoint = None
            awake.saved_at = time.monotonic()
            saved = Saved(run, entry.owner, checkpoint, awake.orders.measures, entry.summary.created, entry.offer)
            try:
                await asyncio.to_thread(self._store.save, saved, news)
            except RunError as error:
                self._not_taken(awake, error)
                return False
        awake.saved_version = awake.appended_version = version
        self._register.note(run)
        if awake.disk_notice and self._hub.status(awake.run_id).notice == awake.disk_notice:
            self._hub.set_notice(awake.run_id, "")
        awake.disk_notice = ""
        return True

    def _not_taken(self, awake: Awake, error: RunError) -> None:
        """The disk has not taken a run: say so, and try again after a while."""
        awake.disk_notice = error.text
        if not self._store.is_growing(awake.run_id):
            self._hub.lose_news(awake.run_id)
        self._hub.set_notice(awake.run_id, error.text)
        awake.saved_at = time.monotonic() + AGAIN_SECONDS

    # --- any run ------------------------------------------------------------------------------------------------------

    async def dismiss_ghost(self, run_id: str) -> None:
        """Of a run that is asleep."""
        saved = await self.load(run_id)
        async with self._lock:
            await asyncio.to_thread(self._store.save, replace(saved, run=saved.run.replace(ghost=None)))

    async def retitle(self, run_id: str, entry: Entry) -> None:
        """Change whose a run is or to whom it is offered, on disk first: what is told is so after a restart too."""
        async with self._lock:
            before = self._register.of(run_id)
            await asyncio.to_thread(self._store.retitle, run_id, entry.owner, entry.offer)
            if self._register.of(run_id) is before:
                self._register.retitle(run_id, entry)

    async def delete(self, run_id: str, awake: Awake | None) -> None:
        """Remove a run from disk, register and hub; one that the disk does not let go stays as it was.

        If it is `awake`, its lock is held, and it is gone from then on.
        """
        async with self._lock:
            await asyncio.to_thread(self._store.delete, run_id)
            self._register.forget(run_id)
            self._hub.forget(run_id)
            if awake is not None:
                awake.is_gone = True
