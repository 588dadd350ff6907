"""What is asked of a host and when: with hosts that only take notes, on the event loop of the test."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from bnviz.records import Phase, Status, Update
from bnviz.runs.awake import Awake, Place
from bnviz.runs.exchange import BREATH_SECONDS, LEAD_SECONDS, PATIENCE_SECONDS, Exchange
from bnviz.runs.hub import Hub
from bnviz.worker.host import Checkpoint, Host, Orders
from tests.fake_worker import SMALL

CHECKPOINT = Checkpoint(0, 40, b"weights")


def update(version: int, step: int) -> Update:
    return Update(version, Status(Phase.PLAYING, 0, step, 0.0, "CPU", ()))


class NotedHost:
    """Answers as a host of one run that plays."""

    def __init__(self, checkpoint_seconds: float = 0.0) -> None:
        self.breaths: list[float] = []
        self._checkpoint_seconds = checkpoint_seconds

    async def poll(self, since: Mapping[str, int], patience: float = 0.0, breath: float = 0.0) -> dict[str, Update]:
        self.breaths.append(breath)
        await asyncio.sleep(0.01)
        return {run_id: update(version + 1, step=50) for run_id, version in since.items()}

    async def checkpoint(self, run_id: str, since: int) -> tuple[Checkpoint, tuple[Update, ...]]:
        await asyncio.sleep(self._checkpoint_seconds)
        return CHECKPOINT, (update(since + 2, step=40),)


class Scene:
    """An exchange, and one run that plays on one host."""

    def __init__(self, host: NotedHost) -> None:
        self.hub, self.host = Hub(), host
        self.hub.open("a", SMALL, update(0, step=1).status)
        self.place = Place("here", cast("Host", host))
        self.awake = Awake("a", "me", Orders(0, SMALL, is_playing=True), place=self.place, is_placed=True)
        self.awake.changed_at = self.awake.fetched_at = asyncio.get_running_loop().time()
        self.exchange = Exchange(self.hub, {"a": self.awake}, _lost, lambda awake, fault: None)

    async def goes_on(self, seconds: float, *tasks: str) -> None:
        """Have the exchange poll, keep, or both for a while."""
        going = [asyncio.create_task(getattr(self.exchange, name)(self.place)) for name in tasks]
        await asyncio.sleep(seconds)
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


def _lost(place: Place) -> None:
    place.is_lost = True


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ([0.2], 0.2 - LEAD_SECONDS),
        ([0.2, 0.12], 0.12 - LEAD_SECONDS),
        ([0.001], BREATH_SECONDS),
        ([2.0], PATIENCE_SECONDS),
        ([None], BREATH_SECONDS),  # a script, say, which keeps no beat
    ],
)
def test_a_host_is_asked_when_the_first_watcher_is_due_a_frame(beats: list[float | None], expected: float) -> None:
    async def scene() -> list[float]:
        one = Scene(NotedHost())
        watching = [one.hub.watching("a", **_beat(beat)) for beat in beats]
        for context in watching:
            context.__enter__()
        await one.goes_on(0.1, "poll")
        return one.host.breaths

    breaths = asyncio.run(scene())
    assert len(breaths) > 1
    assert breaths == pytest.approx([expected] * len(breaths), abs=0.01)


def _beat(seconds: float | None) -> dict[str, Callable[[float], float]]:
    return {} if seconds is None else {"next_at": lambda after: after - LEAD_SECONDS + seconds}


def test_a_checkpoint_counts_from_when_all_that_was_measured_up_to_it_has_come() -> None:
    async def scene() -> None:
        one = Scene(NotedHost())
        one.awake.fetched_at = float("-inf")  # due
        await one.goes_on(0.05, "keep")
        assert one.awake.checkpoint is None
        one.exchange.apply(one.awake, [update(1, step=20)])
        assert one.awake.checkpoint is None
        one.exchange.apply(one.awake, [update(2, step=50)])
        assert one.awake.checkpoint == CHECKPOINT

    asyncio.run(scene())


def test_polls_go_on_while_a_checkpoint_is_fetched() -> None:
    async def scene() -> int:
        one = Scene(NotedHost(checkpoint_seconds=10.0))
        one.awake.fetched_at = float("-inf")
        with one.hub.watching("a"):
            await one.goes_on(0.2, "keep", "poll")
        assert one.hub.status("a").step == 50
        return len(one.host.breaths)

    assert asyncio.run(scene()) > 5


def test_a_checkpoint_of_a_run_that_has_been_taken_off_meanwhile_is_none_of_its_own() -> None:
    async def scene() -> Any:
        one = Scene(NotedHost(checkpoint_seconds=0.02))
        one.awake.fetched_at = float("-inf")
        going = asyncio.create_task(one.exchange.keep(one.place))
        await asyncio.sleep(0.01)
        one.awake.place = None
        await asyncio.sleep(0.05)
        going.cancel()
        return one.awake.ahead

    assert asyncio.run(scene()) is None
