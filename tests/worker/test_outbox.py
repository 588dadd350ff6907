"""What a run has to tell arrives, once it has happened and until it is known to have arrived."""

from dataclasses import replace

import pytest

from bnviz.records import Phase, Point, Status
from bnviz.worker.outbox import Outbox
from tests.fake_worker import SMALL, FakeClock, Workbench

STATUS = Status(Phase.PAUSED, 0, 0, 0.0, "CPU", ())


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(STATUS)


def point(step: int) -> Point:
    trainer = Workbench(take=FakeClock().pass_)(SMALL)
    trainer.step_count = step
    return trainer.measure(is_scheduled=True)


def test_a_new_outbox_tells_its_status(outbox: Outbox) -> None:
    update = outbox.since(0)
    assert update is not None
    assert update.status == STATUS


def test_news_is_told_until_it_has_arrived_and_then_no_more(outbox: Outbox) -> None:
    outbox.add(points=point(1))
    first, again = outbox.since(0), outbox.since(0)
    assert first is not None
    assert again is not None
    assert [p.step for p in first.points] == [p.step for p in again.points] == [1]
    assert outbox.since(first.version) is None


def test_only_what_came_after_a_version_is_told(outbox: Outbox) -> None:
    outbox.add(points=point(1))
    outbox.tell(interventions=())
    first = outbox.since(0)
    assert first is not None
    outbox.add(points=point(2))
    second = outbox.since(first.version)
    assert second is not None
    assert [p.step for p in second.points] == [2]
    assert second.interventions is None


def test_a_newer_value_takes_the_place_of_one_not_fetched(outbox: Outbox) -> None:
    outbox.tell(settings=SMALL)
    outbox.tell(settings=SMALL.replace(seed=7))
    update = outbox.since(0)
    assert update is not None
    assert update.settings == SMALL.replace(seed=7)


def test_an_unchanged_status_is_no_news(outbox: Outbox) -> None:
    version = outbox.since(0).version  # type: ignore[union-attr]
    outbox.report(replace(STATUS))
    assert outbox.since(version) is None
    outbox.report(replace(STATUS, step=1))
    assert outbox.since(version) is not None


def test_a_new_generation_forgets_what_the_old_one_had_to_tell(outbox: Outbox) -> None:
    outbox.add(points=point(5))
    outbox.tell(settings=SMALL)
    outbox.begin(replace(STATUS, generation=1), interventions=())
    update = outbox.since(0)
    assert update is not None
    assert (update.status.generation, update.points, update.settings) == (1, (), None)
    assert update.interventions == ()


def test_a_measurement_and_another_phase_ring_and_a_step_further_does_not() -> None:
    rung: list[int] = []
    outbox = Outbox(STATUS, lambda: rung.append(1))
    version = outbox.since(0).version  # type: ignore[union-attr]
    outbox.report(replace(STATUS, step=1, steps_per_second=800.0))
    assert (rung, outbox.has_news_since(version)) == ([], False)
    outbox.add(points=point(1))
    outbox.tell(settings=SMALL)
    outbox.report(replace(STATUS, phase=Phase.PLAYING))
    assert (len(rung), outbox.has_news_since(version)) == (3, True)
    newest = outbox.since(version).version  # type: ignore[union-attr]
    outbox.report(replace(STATUS, phase=Phase.PLAYING, step=2))
    assert not outbox.has_news_since(newest)


def test_while_a_run_plays_all_else_waits_for_its_next_point() -> None:
    rung: list[int] = []
    outbox = Outbox(replace(STATUS, phase=Phase.PLAYING), lambda: rung.append(1))
    version = outbox.since(0).version  # type: ignore[union-attr]
    outbox.tell(settings=SMALL)
    outbox.add(shift=None)
    assert (rung, outbox.has_news_since(version)) == ([], False)
    outbox.add(points=point(1))
    assert (rung, outbox.has_news_since(version)) == ([1], True)
    update = outbox.since(version)
    assert update is not None
    assert (update.settings, len(update.shift), len(update.points)) == (SMALL, 1, 1)
