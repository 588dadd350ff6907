"""Cells of sweeps give way to live work on the training thread, and yet they get on."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bnviz.config import RATE_AND_SCALE
from bnviz.errors import BnvizError, EngineError
from bnviz.worker import cells
from bnviz.worker.host import Orders
from bnviz.worker.slices import Slices
from tests.fake_worker import SMALL, FakeClock, Workbench, eventually


class Thread:
    """A training thread whose items take ten milliseconds and which is idle when told so."""

    def __init__(self, clock: FakeClock, is_idle: bool) -> None:
        self.clock, self.is_idle = clock, Idle(clock, is_idle)

    def call(self, function: Any) -> Any:
        self.clock.pass_(0.01)
        done: Any = type("Done", (), {"result": lambda _: found})()
        found = function()
        return done


class Idle:
    def __init__(self, clock: FakeClock, is_set: bool) -> None:
        self._clock, self._is_set = clock, is_set

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> None:
        self._clock.pass_(seconds)


def work(items: int) -> Iterator[Any]:
    yield from [()] * items
    yield ("results",)


@pytest.mark.parametrize(("is_idle", "low", "high"), [(True, 0.9, 1.001), (False, 0.05, 0.1001)])
def test_a_cell_has_all_of_an_idle_thread_and_a_tenth_of_one_that_live_runs_want(
    is_idle: bool, low: float, high: float
) -> None:
    clock = FakeClock()
    begun = clock()
    slices: Any = Thread(clock, is_idle)
    assert cells.give_way(work(100), slices, lambda: False, clock) == ("results",)
    assert low <= 102 * 0.01 / (clock() - begun) <= high


def test_a_cell_stops_at_its_flag_within_an_item() -> None:
    clock, taken = FakeClock(), []

    def watched() -> Iterator[Any]:
        for item in work(100):
            taken.append(item)
            yield item

    slices: Any = Thread(clock, is_idle=True)
    assert cells.give_way(watched(), slices, lambda: len(taken) >= 3, clock) is None
    assert len(taken) == 3


def test_the_work_of_a_cell_is_done_on_the_training_thread() -> None:
    slices, names = Slices(Workbench()), set()

    def work_() -> Iterator[Any]:
        for _ in range(3):
            names.add(threading.current_thread().name)
            yield ()

    slices.start()
    cells.give_way(work_(), slices, lambda: False)
    slices.close()
    assert names == {"bnviz-training"}


def test_a_thread_is_idle_only_while_no_live_run_wants_it() -> None:
    slices = Slices(Workbench())
    slices.start()
    assert slices.is_idle.wait(10)
    slices.call(lambda: slices.place("run", Orders(0, SMALL, is_playing=True))).result()
    eventually(lambda: not slices.is_idle.is_set())
    slices.call(lambda: slices.obey("run", Orders(0, SMALL, is_playing=False), 0)).result()
    eventually(slices.is_idle.is_set)
    slices.close()


def test_only_errors_for_visitors_leave_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="no host yet"):
        cells.train_cells("key", RATE_AND_SCALE, RATE_AND_SCALE.cells[:1])
    slices = Slices(Workbench())
    slices.start()
    monkeypatch.setattr(cells, "_offered", [slices])
    monkeypatch.setattr(cells, "_work", lambda *_: iter(lambda: 1 / 0, 1))
    with pytest.raises(BnvizError, match="server's log says why") as found:
        cells.train_cells("key", RATE_AND_SCALE, RATE_AND_SCALE.cells[:1])
    assert found.value.__cause__ is found.value.__context__ is None
    slices.close()
