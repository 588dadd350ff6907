"""A batch of a sweep gives way to live runs, keeps a small share, and stops when it is told to."""

import asyncio
from collections.abc import Iterator

import pytest

from bnviz.config import Settings
from bnviz.records import CellResult
from bnviz.worker.host import Host, Orders
from bnviz.worker.slices import Slices
from bnviz.worker.sweep_task import LOOK_SECONDS, MOST_WAIT_SECONDS, SHARE, trained
from tests.fake_worker import SMALL, FakeClock, Workbench, eventually


class FakeHost:
    """Busy until a moment; stopped from one on."""

    def __init__(self, clock: FakeClock, busy_until: float = 0.0, stopped_from: float = float("inf")) -> None:
        self.clock, self.busy_until, self.stopped_from = clock, busy_until, stopped_from

    @property
    def is_busy(self) -> bool:
        return self.clock() < self.busy_until

    def is_stopped(self, token: str) -> bool:
        return token == "mine" and self.clock() >= self.stopped_from


def items(clock: FakeClock, count: int, seconds: float = 0.02) -> Iterator[tuple[CellResult, ...]]:
    for number in range(count):
        clock.pass_(seconds)
        yield ("whole",) if number == count - 1 else ()  # type: ignore[misc]


def run(clock: FakeClock, host: FakeHost, count: int = 100, seconds: float = 0.02) -> object:
    return trained(items(clock, count, seconds), [host], "mine", clock, clock.pass_)  # type: ignore[list-item]


def test_without_live_work_it_never_waits() -> None:
    clock = FakeClock()
    begun = clock()
    assert run(clock, FakeHost(clock)) == ("whole",)
    assert clock() - begun == pytest.approx(100 * 0.02)


def test_beside_live_work_it_takes_its_share_and_no_more() -> None:
    clock = FakeClock()
    begun = clock()
    run(clock, FakeHost(clock, busy_until=float("inf")))
    assert 100 * 0.02 / (clock() - begun) == pytest.approx(SHARE, rel=0.1)


def test_it_goes_on_as_soon_as_live_work_is_done() -> None:
    clock = FakeClock()
    begun = clock()
    run(clock, FakeHost(clock, busy_until=begun + 0.1))
    assert clock() - begun <= 100 * 0.02 + 0.1 + 2 * LOOK_SECONDS


def test_a_long_item_is_not_waited_for_as_long_in_turn() -> None:
    clock = FakeClock()
    begun = clock()
    run(clock, FakeHost(clock, busy_until=float("inf")), count=1, seconds=5.0)
    assert clock() - begun == pytest.approx(5.0 + MOST_WAIT_SECONDS, abs=2 * LOOK_SECONDS)


def test_one_that_is_stopped_ends_at_the_next_item_without_results() -> None:
    clock = FakeClock()
    begun = clock()
    assert run(clock, FakeHost(clock, stopped_from=begun + 0.5)) == ()
    assert clock() - begun == pytest.approx(0.5, abs=0.03)


def test_a_host_is_stopped_for_the_batch_that_it_was_told_of_alone() -> None:
    host = Host(Slices(Workbench()))
    asyncio.run(host.stop_batch("mine"))
    assert host.is_stopped("mine")
    assert not host.is_stopped("another")


def test_a_host_is_busy_while_a_run_of_its_own_plays() -> None:
    slices = Slices(Workbench())
    host = Host(slices)
    assert not host.is_busy
    settings: Settings = SMALL
    asyncio.run(host.place("run", Orders(0, settings, is_playing=True)))
    eventually(lambda: host.is_busy)
    asyncio.run(host.obey("run", Orders(0, settings, is_playing=False), 0))
    eventually(lambda: not host.is_busy)
    slices.close()
