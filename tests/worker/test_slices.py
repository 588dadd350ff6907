"""One thread serves many runs fairly, live ones before pictures, and survives whatever a run does."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest

from bnviz.config import LandscapeConfig, Settings
from bnviz.errors import EngineError, RunError
from bnviz.records import Phase, Status
from bnviz.worker.host import Orders
from bnviz.worker.slices import OVERDUE_SECONDS, PATIENCE_SECONDS, ROUND_SECONDS, Slices
from tests.fake_worker import SMALL, Costs, FakeClock, FakeTrainer, Workbench, eventually


class Bench(Workbench):
    """A workbench whose runs differ in cost, by their seeds."""

    def __init__(self, clock: FakeClock, by_seed: dict[int, Costs]) -> None:
        super().__init__(take=clock.pass_)
        self.by_seed = by_seed

    def __call__(self, settings: Settings, tensors: dict[str, Any] | None = None) -> Any:
        costs = self.by_seed.get(settings.model.seed, self.costs)
        self.trainers.append(FakeTrainer(settings, tensors, costs, self.take))
        return self.newest

    def of(self, seed: int) -> FakeTrainer:
        return next(trainer for trainer in self.trainers if trainer.settings.model.seed == seed)


class Thread:
    """A worker's thread, driven by the test on a clock that only its work moves."""

    def __init__(self, **by_seed: Costs) -> None:
        self.clock = FakeClock()
        self.bench = Bench(self.clock, {int(name.removeprefix("seed")): costs for name, costs in by_seed.items()})
        self.slices = Slices(self.bench, clock=self.clock)

    def place(self, seed: int, **orders: object) -> None:
        self.slices.place(str(seed), self.orders(seed, **orders))

    def orders(self, seed: int, **orders: object) -> Orders:
        return Orders(0, SMALL.replace(seed=seed), **orders)  # type: ignore[arg-type]

    def obey(self, seed: int, **orders: object) -> None:
        self.slices.obey(str(seed), self.orders(seed, **orders), 0)

    def work(self, seconds: float, is_polled: bool = True) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            if is_polled:
                self.slices.poll({})
            self.slices.answer_calls()
            if not self.slices.serve():
                self.clock.pass_(0.01)

    def status(self, seed: int) -> Status:
        return self.slices.poll({str(seed): 0})[str(seed)].status


def test_playing_runs_share_the_time_equally_whatever_their_steps_cost() -> None:
    thread = Thread(seed1=Costs(step=0.001), seed2=Costs(step=0.04))
    thread.place(1, is_playing=True)
    thread.place(2, is_playing=True)
    thread.work(40)
    cheap, dear = thread.bench.of(1), thread.bench.of(2)
    assert cheap.step_count * 0.001 == pytest.approx(dear.step_count * 0.04, rel=0.15)


def test_thirty_runs_all_advance_within_a_second() -> None:
    thread = Thread()
    for seed in range(30):
        thread.place(seed, is_playing=True)
    thread.work(10)
    before = [thread.bench.of(seed).step_count for seed in range(30)]
    thread.work(1.5)
    assert all(thread.bench.of(seed).step_count > before[seed] for seed in range(30))


def test_with_many_runs_their_slices_are_shorter_so_that_each_has_its_turn_within_a_quarter_of_a_second() -> None:
    thread = Thread()
    for seed in range(20):
        thread.place(seed, is_playing=True)
    thread.work(10)
    turns: dict[int, list[float]] = {seed: [] for seed in range(20)}
    end = thread.clock.now + 3
    while thread.clock.now < end:
        steps = {seed: thread.status(seed).step for seed in turns}
        thread.slices.poll({})
        thread.slices.serve()
        for seed, before in steps.items():
            if thread.status(seed).step != before:
                turns[seed].append(thread.clock.now)
    gaps = [later - earlier for times in turns.values() for earlier, later in pairwise(times)]
    assert statistics.median(gaps) < 1.25 * ROUND_SECONDS


def test_a_run_that_pays_for_something_dear_takes_a_step_now_and_then_meanwhile() -> None:
    thread = Thread(seed1=Costs(gradients=0.2))
    for seed in range(1, 17):
        thread.place(seed, is_playing=True)
    thread.work(20)
    dear, gaps, last = thread.bench.of(1), [], thread.clock.now
    step, end = dear.step_count, thread.clock.now + 10
    while thread.clock.now < end:
        thread.slices.poll({})
        thread.slices.serve()
        if dear.step_count != step:
            gaps.append(thread.clock.now - last)
            step, last = dear.step_count, thread.clock.now
    assert max(gaps) < 2 * OVERDUE_SECONDS + 0.2  # it is paid for with sixteen times as much


def test_a_run_that_comes_to_others_that_were_all_overdue_does_not_keep_them_waiting() -> None:
    costs = Costs(step=2 * OVERDUE_SECONDS)
    thread = Thread(seed1=costs, seed2=costs)
    thread.place(1, is_playing=True)
    thread.place(2, is_playing=True)
    thread.work(40)
    costs.step = 0.001
    thread.place(3, is_playing=True)
    thread.work(1)
    before = thread.bench.of(1).step_count
    thread.work(3)
    assert thread.bench.of(1).step_count - before > 500  # of the 1,000 that are its share


def test_a_run_that_rested_does_not_keep_the_others_waiting() -> None:
    thread = Thread()
    thread.place(1, is_playing=True)
    thread.place(2)
    thread.work(60)
    before = thread.bench.of(1).step_count
    thread.slices.obey("2", Orders(0, SMALL.replace(seed=2), is_playing=True), 0)
    thread.work(1)
    assert thread.bench.of(1).step_count - before > 300


def test_slow_motion_is_on_time_beside_a_run_at_full_speed() -> None:
    thread = Thread()
    thread.place(1, is_playing=True)
    thread.place(2, is_playing=True, steps_per_second=5.0)
    thread.work(20)
    assert thread.bench.of(2).step_count == pytest.approx(100, abs=6)


def test_pictures_take_a_small_share_while_a_live_run_wants_all_of_it() -> None:
    thread = Thread(seed2=Costs(contour_items=10**6))
    thread.place(2)
    thread.work(0.1)
    thread.slices.step("2", 1, 0)
    thread.work(1)
    alone = thread.bench.of(2).drawing_seconds
    thread.place(1, is_playing=True)
    thread.work(5)
    before = thread.bench.of(2).drawing_seconds
    thread.work(20)
    assert alone > 0.9
    assert 0.05 < (thread.bench.of(2).drawing_seconds - before) / 20 < 0.25


def test_while_somebody_waits_for_a_picture_training_keeps_at_least_half_of_the_thread() -> None:
    thread = Thread(seed1=Costs(landscape_items=10**6))
    thread.place(1, is_playing=True)
    thread.work(2)
    before = thread.bench.of(1).step_count
    thread.work(10)
    alone = thread.bench.of(1).step_count - before
    thread.obey(1, is_playing=True, landscape=LandscapeConfig(), landscape_count=1)
    before = thread.bench.of(1).step_count
    thread.work(10)
    assert 0.45 < (thread.bench.of(1).step_count - before) / alone < 0.65
    assert thread.bench.of(1).drawing_seconds > 3


def test_pictures_of_several_visitors_take_turns_and_so_do_their_runs() -> None:
    costs = Costs(landscape_items=10**6)
    thread = Thread(seed1=costs, seed2=costs, seed3=costs)
    for seed in (1, 2):
        thread.place(seed, is_playing=True, landscape=LandscapeConfig())
    thread.place(3, landscape=LandscapeConfig())
    thread.work(30)
    steps = [thread.bench.of(seed).step_count for seed in (1, 2)]
    drawing = [thread.bench.of(seed).drawing_seconds for seed in (1, 2, 3)]
    assert min(steps) / max(steps) > 0.9
    assert drawing == pytest.approx([5, 5, 5], abs=1)  # each half of a third of the time


def test_a_picture_slows_its_own_run_and_hardly_that_of_another_visitor() -> None:
    thread = Thread(seed1=Costs(landscape_items=10**6))
    for seed in (1, 2):
        thread.place(seed, is_playing=True)
    thread.work(10)
    before = [thread.bench.of(seed).step_count for seed in (1, 2)]
    thread.obey(1, is_playing=True, landscape=LandscapeConfig(), landscape_count=1)
    thread.work(10)
    mine, other = (thread.bench.of(seed).step_count - count for seed, count in zip((1, 2), before, strict=True))
    assert other / before[1] > 0.9
    assert mine / before[0] > 0.25  # half of its half, less what measuring takes however slow it is


def test_a_picture_that_was_just_asked_for_does_not_wait_for_its_share_and_training_gets_the_time_back() -> None:
    thread = Thread(seed1=Costs(landscape_items=10**6))
    thread.place(1, is_playing=True)
    thread.work(5)
    thread.obey(1, is_playing=True, landscape=LandscapeConfig(), landscape_count=1)
    before = thread.bench.of(1).step_count
    thread.work(0.15)
    assert thread.bench.of(1).drawing_seconds > 0.12
    thread.work(3)
    assert 0.4 < thread.bench.of(1).drawing_seconds / 3.15 < 0.5
    assert thread.bench.of(1).step_count > before


def test_a_failing_run_is_paused_with_a_notice_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    thread = Thread(seed1=Costs(fails_at=50))
    thread.place(1, is_playing=True)
    thread.place(2, is_playing=True)
    thread.work(2)
    assert thread.status(1).phase is Phase.PAUSED
    assert "failed at step 50" in thread.status(1).notice
    assert thread.status(2).phase is Phase.PLAYING
    assert thread.bench.of(2).step_count > 1000
    assert "ZeroDivisionError" in caplog.text


def test_training_rests_while_nobody_asks_for_news() -> None:
    thread = Thread()
    thread.place(1, is_playing=True)
    thread.work(PATIENCE_SECONDS + 5, is_polled=False)
    before = thread.bench.of(1).step_count
    thread.work(60, is_polled=False)
    assert thread.bench.of(1).step_count == before
    thread.work(1)
    assert thread.bench.of(1).step_count > before


def test_restarting_tells_the_last_news_of_the_old_generation_first() -> None:
    thread = Thread()
    thread.place(1, is_playing=True)
    thread.work(1)
    updates = thread.slices.obey("1", Orders(1, SMALL.replace(seed=1)), 0)
    assert [update.status.generation for update in updates] == [0, 1]
    assert [point.step for point in updates[0].points][:4] == [0, 1, 2, 3]
    assert updates[1].points == ()


def test_an_order_for_a_run_that_is_not_here_says_so() -> None:
    with pytest.raises(RunError, match="not on its worker"):
        Thread().slices.obey("nobody", Orders(0, SMALL), 0)


# --- with the real thread ---------------------------------------------------------------------------------------------


@pytest.fixture
def slices() -> Iterator[Slices]:
    slices = Slices(Workbench(Costs(step=0.0005, measure=0.001)))
    slices.start()
    yield slices
    slices.close()
    assert slices.join(5)


def test_calls_are_carried_out_while_a_run_plays(slices: Slices) -> None:
    slices.call(lambda: slices.place("a", Orders(0, SMALL, is_playing=True))).result(5)
    waits = []
    for _ in range(20):
        begun = time.monotonic()
        slices.call(lambda: None).result(5)
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[10] < 0.2


def test_a_paused_run_wakes_the_sleeping_thread_when_it_plays(slices: Slices) -> None:
    slices.call(lambda: slices.place("a", Orders(0, SMALL))).result(5)
    time.sleep(0.1)
    slices.call(lambda: slices.obey("a", Orders(0, SMALL, is_playing=True), 0)).result(5)
    eventually(lambda: slices.poll({"a": 0})["a"].status.step > 10)


def test_a_dropped_run_is_forgotten(slices: Slices) -> None:
    slices.call(lambda: slices.place("a", Orders(0, SMALL, is_playing=True))).result(5)
    slices.call(lambda: slices.drop("a")).result(5)
    assert slices.run_ids() == []
    assert slices.poll({"a": 0}) == {}


def test_an_error_in_a_call_is_its_callers(slices: Slices) -> None:
    future: Future[None] = slices.call(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        future.result(5)
    assert slices.call(lambda: 7).result(5) == 7


def test_a_worker_that_cannot_be_warmed_still_answers(caplog: pytest.LogCaptureFixture) -> None:
    def no_data() -> str:
        raise RunError("The data are damaged.")

    slices = Slices(Workbench(), warm=no_data)
    slices.start()
    assert slices.call(lambda: 7).result(5) == 7
    slices.close()
    assert slices.join(5)
    assert "The data are damaged." in caplog.text


def test_a_closed_worker_refuses_calls() -> None:
    slices = Slices(Workbench())
    slices.start()
    slices.close()
    assert slices.join(5)
    with pytest.raises(EngineError, match="closing"):
        slices.call(lambda: None)
