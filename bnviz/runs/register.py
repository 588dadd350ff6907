"""The register: whose every run is, awake or asleep, what a list tells of it, and how its controls change hands."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from bnviz.errors import RunError
from bnviz.records import Run
from bnviz.runs.hub import Hub
from bnviz.runs.store.manifest import asleep
from bnviz.runs.summary import Entry, Offer, Summary, newest_accuracy, summary_of

OFFER_SECONDS: Final = 3600.0  # for which a link that hands over the controls is good


class Register:
    """Belongs to the engine's event loop, and does no work on the disk itself.

    Args:
        hub: where the runs are that are in memory.
        now: seconds since 1970, for tests.
    """

    def __init__(self, hub: Hub, now: Callable[[], float] = time.time) -> None:
        self._hub, self._now = hub, now
        self._entries: dict[str, Entry] = {}

    def take_in(self, catalogue: Mapping[str, Entry]) -> None:
        """The runs on disk; of one that is known already nothing changes."""
        self._entries = {**catalogue, **self._entries}

    def add(self, run: Run, owner: str) -> None:
        """A new run."""
        self._entries[run.run_id] = Entry(owner, summary_of(run, self._now(), self._now()))

    def note(self, run: Run) -> None:
        """A run has been written down as it is now."""
        if (entry := self._entries.get(run.run_id)) is not None:
            summary = summary_of(run, entry.summary.created, self._now())
            self._entries[run.run_id] = replace(entry, summary=summary)

    def forget(self, run_id: str) -> None:
        self._entries.pop(run_id, None)

    def of(self, run_id: str) -> Entry:
        """`RunError` if there is no such run, or nobody owns it."""
        if run_id not in self._entries:
            self._hub.get(run_id)  # says that there is no such run
            raise RunError("A recorded run has no owner: press Play to start your own.")
        return self._entries[run_id]

    def check_owner(self, run_id: str, owner: str) -> None:
        if self.of(run_id).owner != owner:
            raise RunError("This run is somebody else's: you can watch it, or start your own with the same settings.")

    def ids_of(self, owner: str) -> list[str]:
        return [run_id for run_id, entry in self._entries.items() if entry.owner == owner]

    def summaries_of(self, owner: str) -> list[Summary]:
        """A visitor's runs, the newest first; those in memory as they are now."""
        found = [self._fresh(self._entries[run_id].summary) for run_id in self.ids_of(owner)]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def _fresh(self, kept: Summary) -> Summary:
        run = self._hub.peek(kept.run_id)
        if run is None:
            return replace(kept, status=asleep(kept.status))
        is_asked = bool(len(run.history))  # what is kept knows more than a history that nobody has asked for yet
        accuracy = newest_accuracy(run) if is_asked else kept.accuracy
        return replace(
            kept, settings=run.settings, status=run.status, accuracy=accuracy, is_study=kept.is_study or run.is_study
        )

    # --- handing over -------------------------------------------------------------------------------------------------

    def offered(self, run_id: str, owner: str) -> tuple[str, Entry]:
        """A code that makes whoever brings it the owner, once and for an hour; it takes the place of any other."""
        self.check_owner(run_id, owner)
        code = secrets.token_urlsafe(24)
        offer = Offer(_digest(code), self._now() + OFFER_SECONDS)
        return code, replace(self._entries[run_id], offer=offer)

    def accepted(self, run_id: str, newcomer: str, code: str) -> Entry:
        """The entry with its new owner; `RunError` says why a code is none (any more)."""
        entry = self.of(run_id)
        if entry.owner == newcomer:
            raise RunError("You steer this run already: this link hands over its controls to whoever else opens it.")
        offer = entry.offer
        if offer is None or not hmac.compare_digest(offer.digest, _digest(code)):
            raise RunError(
                "This link does not hand over the controls: it was used already, or its run's owner has made a newer "
                "one. Ask for another; you can watch meanwhile."
            )
        if self._now() > offer.expires:
            raise RunError("This link handed over the controls for an hour, which is over: ask the run's owner again.")
        return replace(entry, owner=newcomer, offer=None)

    def retitle(self, run_id: str, entry: Entry) -> None:
        """An entry that `offered` or `accepted` has made is in force from now on."""
        self._entries[run_id] = replace(self._entries[run_id], owner=entry.owner, offer=entry.offer)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
