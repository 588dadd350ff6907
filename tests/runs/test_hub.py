"""The hub has the newest records of every run for every thread and event loop, and forgets nothing that is watched."""

import asyncio
import threading

import numpy as np
import pytest

from bnviz.config import Settings
from bnviz.errors import RunError
from bnviz.records import Badge, Intervention, Phase, Point, Run, Status, Update, kept_units
from bnviz.runs.hub import Hub, ghost_label
from tests.fake_worker import SMALL, FakeClock, Workbench
from tests.figures import made_up_runs as made_up

UNITS = kept_units(1, 10)


def status(step: int = 0, generation: int = 0, phase: Phase = Phase.PLAYING, notice: str = "") -> Status:
    return Status(phase, generation, step, 0.0, "CPU", (), notice)


def point(step: int) -> Point:
    trainer = Workbench(take=FakeClock().pass_)(SMALL)
    trainer.step_count = step
    return trainer.measure(is_scheduled=True)


def points(*steps: int) -> tuple[Point, ...]:
    return tuple(map(point, steps))


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.open("a", SMALL, status())
    return hub


def test_a_new_run_has_an_empty_history(hub: Hub) -> None:
    assert len(hub.get("a").history) == 0
    assert hub.get("a").settings == SMALL


def test_points_add_up_in_order(hub: Hub) -> None:
    hub.apply("a", Update(1, status(1), points(0, 1), units=UNITS))
    hub.apply("a", Update(2, status(5), points(5)))
    assert hub.get("a").history.step.tolist() == [0, 1, 5]
    assert hub.get("a").status.step == 5


def test_what_an_update_leaves_out_stays_as_it_was(hub: Hub) -> None:
    interventions = (Intervention(1, "learning_rate", 0.5, 1.0),)
    hub.apply("a", Update(1, status(1), interventions=interventions))
    hub.apply("a", Update(2, status(2)))
    assert hub.get("a").interventions == interventions


def test_the_record_is_the_same_object_until_something_is_new(hub: Hub) -> None:
    hub.apply("a", Update(1, status(1), points(0)))
    first = hub.get("a")
    assert hub.get("a") is first
    hub.apply("a", Update(2, status(2)))
    assert hub.get("a") is not first
    assert hub.get("a").history is first.history


def test_a_record_once_given_never_changes(hub: Hub) -> None:
    hub.apply("a", Update(1, status(1), points(0, 1)))
    before = hub.get("a")
    hub.apply("a", Update(2, status(9), points(2, 9)))
    assert before.history.step.tolist() == [0, 1]
    assert before.status.step == 1


def test_a_newer_generation_begins_empty_and_makes_a_ghost_of_a_long_run(hub: Hub) -> None:
    hub.apply("a", Update(1, status(51), points(0, 51)))
    hub.apply("a", Update(2, status(0, 1), settings=SMALL.replace(learning_rate=0.1)))
    run = hub.get("a")
    assert len(run.history) == 0
    assert run.ghost is not None
    assert run.ghost.step.tolist() == [0, 51]
    assert run.ghost.label == "earlier run, lr 0.5"
    assert run.settings == SMALL.replace(learning_rate=0.1)


def test_the_sharpness_adds_up_and_a_newer_generation_begins_without(hub: Hub) -> None:
    hub.apply("a", Update(1, status(1), points(0, 1), sharpness=(made_up.sharpness(0),)))
    hub.apply("a", Update(2, status(9), sharpness=(made_up.sharpness(2),)))
    assert [one.step for one in hub.get("a").sharpness] == [0, 2]
    assert [one.step for one in hub.get("a").until_accuracy.sharpness] == [0]
    hub.apply("a", Update(3, status(0, 1)))
    assert hub.get("a").sharpness == ()


def test_a_run_of_50_steps_or_less_leaves_the_ghost_before_it(hub: Hub) -> None:
    hub.apply("a", Update(1, status(60), points(60)))
    hub.apply("a", Update(2, status(0, 1)))
    hub.apply("a", Update(3, status(50, 1), points(50)))
    hub.apply("a", Update(4, status(0, 2)))
    ghost = hub.get("a").ghost
    assert ghost is not None
    assert ghost.step.tolist() == [60]


def test_a_restart_with_another_depth_has_room_for_its_layers(hub: Hub) -> None:
    deeper = SMALL.replace(hidden_layers=4)
    hub.apply("a", Update(1, status(1, 1), settings=deeper))
    assert hub.get("a").history.layers == 4


def test_news_of_an_older_generation_is_ignored(hub: Hub) -> None:
    hub.apply("a", Update(1, status(0, 2)))
    hub.apply("a", Update(2, status(9, 1), points(9)))
    assert len(hub.get("a").history) == 0
    assert hub.get("a").status.generation == 2


def test_a_dismissed_ghost_is_gone(hub: Hub) -> None:
    hub.apply("a", Update(1, status(60), points(60)))
    hub.apply("a", Update(2, status(0, 1)))
    hub.dismiss_ghost("a")
    assert hub.get("a").ghost is None


def test_a_run_that_goes_on_from_a_checkpoint_forgets_what_came_after_it(hub: Hub) -> None:
    changes = tuple(Intervention(step, "momentum", 0, 0.5) for step in (3, 8))
    hub.apply("a", Update(1, status(9), points(0, 3, 5, 9), interventions=changes))
    hub.rewind("a", 5)
    assert hub.get("a").history.step.tolist() == [0, 3, 5]
    assert [one.step for one in hub.get("a").interventions] == [3]
    hub.apply("a", Update(1, status(6), points(6)))
    assert hub.get("a").history.step.tolist() == [0, 3, 5, 6]


def test_the_engines_notice_stands_before_the_workers_until_it_is_taken_away(hub: Hub) -> None:
    hub.set_notice("a", "the disk is full")
    hub.apply("a", Update(1, status(1, notice="it diverged")))
    assert hub.get("a").status.notice == "the disk is full"
    hub.set_notice("a", "")
    assert hub.get("a").status.notice == "it diverged"


def test_an_unknown_run_is_an_error_that_a_visitor_understands(hub: Hub) -> None:
    with pytest.raises(RunError, match="no such run"):
        hub.get("b")


def test_the_version_grows_with_every_change_and_with_nothing_else(hub: Hub) -> None:
    first = hub.version("a")
    hub.get("a")
    assert hub.version("a") == first
    hub.apply("a", Update(1, status(1)))
    assert hub.version("a") > first
    second = hub.version("a")
    hub.set_status("a", hub.status("a"), SMALL)
    assert hub.version("a") == second


def test_every_watcher_is_woken_by_whatever_is_new_until_it_stops_watching(hub: Hub) -> None:
    woken: list[int] = []
    with hub.watching("a", lambda: woken.append(1)), hub.watching("a", lambda: woken.append(2)):
        assert woken == []
        hub.apply("a", Update(1, status(1)))
        assert woken == [1, 2]
    hub.apply("a", Update(2, status(2)))
    assert woken == [1, 2]


def test_a_watcher_may_ask_what_is_new_from_where_it_is_woken(hub: Hub) -> None:
    steps: list[int] = []
    with hub.watching("a", lambda: steps.append(hub.get("a").status.step)):
        hub.apply("a", Update(1, status(7)))
    assert steps == [7]


def test_a_watcher_whose_event_loop_is_gone_harms_nobody(hub: Hub) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    woken: list[bool] = []
    with (
        hub.watching("a", lambda: loop.call_soon_threadsafe(print)),  # type: ignore[func-returns-value, arg-type]
        hub.watching("a", lambda: woken.append(True)),
    ):
        hub.apply("a", Update(1, status(1)))
    assert woken == [True]


def test_a_run_is_unwatched_from_the_end_of_its_last_watcher() -> None:
    clock = FakeClock()
    hub = Hub(clock=clock)
    hub.open("a", SMALL, status())
    clock.pass_(7)
    assert hub.unwatched_seconds("a") == 7
    with hub.watching("a"):
        with hub.watching("a"):
            assert hub.unwatched_seconds("a") == 0
        clock.pass_(7)
        assert hub.unwatched_seconds("a") == 0
    clock.pass_(3)
    assert hub.unwatched_seconds("a") == 3


def sleeping_run(run_id: str) -> Run:
    hub = Hub()
    hub.open(run_id, SMALL, status(phase=Phase.ASLEEP))
    return hub.get(run_id)


def test_news_are_wanted_when_the_first_watcher_has_its_beat(hub: Hub) -> None:
    assert hub.wanted_at("a", 5.0) == hub.wanted_at("unknown", 5.0) == float("inf")
    with hub.watching("a", next_at=lambda after: after + 2), hub.watching("a", next_at=lambda after: after + 1):
        assert hub.wanted_at("a", 5.0) == 6.0
        with hub.watching("a"):  # keeps no beat
            assert hub.wanted_at("a", 5.0) == 5.0


def test_a_sleeping_run_is_read_from_disk_once_and_dropped_when_nobody_cares() -> None:
    reads: list[str] = []

    def load(run_id: str) -> Run:
        reads.append(run_id)
        return sleeping_run(run_id)

    clock = FakeClock()
    hub = Hub(load, clock)
    hub.get("a")
    version = hub.version("a")
    assert reads == ["a"]
    with hub.watching("a"):
        clock.pass_(600)
        hub.drop_idle(60)
        assert len(hub) == 1
    clock.pass_(59)
    hub.drop_idle(60)
    assert len(hub) == 1
    clock.pass_(2)
    hub.drop_idle(60)
    assert len(hub) == 0
    assert hub.version("a") > version
    assert reads == ["a", "a"]


def test_running_and_recorded_runs_are_never_dropped(hub: Hub) -> None:
    recorded = sleeping_run("recorded").replace(badge=Badge.RECORDED)
    hub.add_recorded(recorded)
    hub.drop_idle(-1)
    assert len(hub) == 2
    assert hub.get("recorded") is recorded


def test_a_label_names_what_was_different() -> None:
    old = Settings()
    assert ghost_label(old, old) == "earlier run"
    assert ghost_label(old, old.replace(nonlinearity="relu", learning_rate=0.1)) == "earlier run, lr 0.5, g sigmoid"
    many = old.replace(learning_rate=1.0, batch_size=32, momentum=0.9, seed=4, width=50)
    assert ghost_label(old, many) == "earlier run, lr 0.5, batch 60, momentum 0 and 2 more"


def test_many_threads_may_read_while_one_writes(hub: Hub) -> None:
    faults: list[Exception] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                run = hub.get("a")
                steps = run.history.step
                assert np.array_equal(steps, np.arange(len(steps)))
                assert run.history.accuracy.shape == (len(steps), len(run.competitors))
            except Exception as error:
                faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for step in range(200):
        hub.apply("a", Update(step, status(step), points(step)))
    is_over.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert len(hub.get("a").history) == 200


def test_memory_is_bounded_however_long_a_run_is(hub: Hub) -> None:
    for step in range(1200):
        hub.apply("a", Update(step, status(step), points(step)))
    assert len(hub.get("a").history) <= 500
    assert hub.get("a").history.step[:5].tolist() == [0, 1, 2, 3, 4]
    assert hub.get("a").history.step[-1] == 1199
