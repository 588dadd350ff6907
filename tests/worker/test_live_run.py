"""A run turns orders into steps and measurements: with a fake trainer and a clock that only its work moves."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from bnviz.config import AnatomyConfig, Directions, HyperParams, LandscapeConfig, Measure, Settings, UntrainedConfig
from bnviz.records import Anatomy, Intervention, Landscape, Phase, Update
from bnviz.worker.host import Orders
from bnviz.worker.live_run import LiveRun
from tests.fake_worker import SMALL, Costs, FakeClock, FakeTrainer, Workbench


class Worker:
    """One run and the thread that it would have to itself."""

    def __init__(self, costs: Costs | None = None, **orders: object) -> None:
        self.clock = FakeClock()
        self.bench = Workbench(costs, self.clock.pass_)
        self.run = LiveRun(
            Orders(0, SMALL, **orders),  # type: ignore[arg-type]
            self.bench,
            clock=self.clock,
            measure_study=self.bench.measure_study,
        )
        self.version = 0
        self.updates: list[Update] = []

    def work(self, seconds: float, crowd: int = 1) -> None:
        """Serve the run for some time, slice after slice, and fetch its news after each."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            if self.run.due_at() <= self.clock.now:
                self.run.slice(min(self.clock.now + 0.025, end), lambda: False, crowd)
            elif self.run.is_drawing:
                self.run.draw(min(self.clock.now + 0.025, end), lambda: False)
            else:
                self.clock.now = min(max(self.run.due_at(), self.clock.now), end)
            self.fetch()

    def fetch(self) -> None:
        update = self.run.outbox.since(self.version)
        if update is not None:
            self.version = update.version
            self.updates.append(update)

    def order(self, **changes: object) -> None:
        self.run.obey(replace(self.run.orders, **changes))  # type: ignore[arg-type]

    def set(self, **hyper: float) -> None:
        self.order(settings=self.run.orders.settings.replace(**hyper))

    @property
    def steps(self) -> list[int]:
        return [point.step for update in self.updates for point in update.points]

    @property
    def gradient_steps(self) -> list[int]:
        return [one.step for update in self.updates for one in update.gradients]

    @property
    def status(self):  # type: ignore[no-untyped-def]
        return self.run.outbox.status

    def newest(self, field: str) -> object:
        values = [getattr(update, field) for update in self.updates]
        return next((value for value in reversed(values) if value is not None), None)


def test_a_paused_run_is_measured_at_step_0_and_takes_no_step() -> None:
    worker = Worker()
    worker.work(1)
    assert worker.steps == [0]
    assert worker.bench.newest.step_count == 0
    assert worker.gradient_steps == [0]
    assert worker.status.phase is Phase.PAUSED


def test_a_resting_run_wants_no_time() -> None:
    worker = Worker()
    worker.work(1)
    assert worker.run.due_at() == float("inf")


def test_a_playing_run_is_measured_four_times_a_second_and_twice_with_its_test_accuracy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeTrainer, "is_due", False)  # beside the schedule
    worker = Worker(is_playing=True)
    worker.work(0.5)
    worker.updates.clear()
    worker.work(10)
    points = [point for update in worker.updates for point in update.points]
    assert len(points) >= 40
    assert 20 <= sum(np.isfinite(point.accuracy).any() for point in points) <= 25


def test_a_run_that_comes_to_rest_ends_with_its_test_accuracy() -> None:
    worker = Worker(is_playing=True)
    for _ in range(8):  # wherever in its rhythm it is
        worker.work(0.31)
        worker.order(is_playing=False)
        worker.work(0.1)
        last = [point for update in worker.updates for point in update.points][-1]
        assert last.step == worker.bench.newest.step_count
        assert np.isfinite(last.accuracy).all()
        worker.order(is_playing=True)


def test_scheduled_steps_are_measured_as_scheduled() -> None:
    worker = Worker(is_playing=True)
    worker.work(3)
    scheduled = [step for step, is_scheduled in worker.bench.newest.measured if is_scheduled]
    assert scheduled == [0, 1, 2, 3, 1000, 2000]


def test_measuring_in_a_crowd_leaves_four_fifths_of_the_time_for_training() -> None:
    worker = Worker(Costs(step=0.01, measure=0.2, light_measure=0.2, gradients=0), is_playing=True)
    worker.work(5, crowd=10)
    begun = len(worker.bench.newest.measured)
    worker.work(30, crowd=10)
    unscheduled = [one for one in worker.bench.newest.measured[begun:] if not one[1]]
    assert 0 < len(unscheduled) <= 4  # 10 runs x 0.2 s every 10 s


@pytest.mark.parametrize("pace", [0.5, 5, 200])
def test_slow_motion_keeps_its_pace(pace: float) -> None:
    worker = Worker(is_playing=True, steps_per_second=pace)
    worker.work(20)
    assert worker.bench.newest.step_count == pytest.approx(20 * pace, rel=0.1, abs=1)


def test_slow_motion_does_not_make_up_for_lost_time() -> None:
    worker = Worker(is_playing=True, steps_per_second=10)
    worker.work(1)
    before = worker.bench.newest.step_count
    worker.clock.pass_(30)
    worker.work(1)
    assert worker.bench.newest.step_count - before <= 13


def test_stepping_takes_exactly_so_many_steps_and_measures_at_the_last() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(10)
    worker.run.step(100)
    worker.work(2)
    assert worker.bench.newest.step_count == worker.status.step == 110
    assert worker.steps[-1] == 110
    assert worker.status.phase is Phase.PAUSED


def test_stepping_pauses_a_playing_run() -> None:
    worker = Worker(is_playing=True)
    worker.work(1)
    before = worker.bench.newest.step_count
    worker.run.step(1)
    worker.work(1)
    assert worker.bench.newest.step_count == before + 1


def test_stepping_takes_no_notice_of_slow_motion() -> None:
    worker = Worker(steps_per_second=0.1)
    worker.work(0.5)
    worker.run.step(100)
    worker.work(1)
    assert worker.bench.newest.step_count == 100


def test_after_a_pause_every_chart_ends_at_the_present_step() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.777)
    worker.order(is_playing=False)
    worker.work(1)
    step = worker.status.step
    assert worker.steps[-1] == step
    assert worker.gradient_steps[-1] == step
    contour = worker.newest("contour")
    assert contour.step == step  # type: ignore[attr-defined]
    assert np.isfinite(contour.loss).all()  # type: ignore[attr-defined]


def test_an_unfinished_contour_is_published_on_the_way() -> None:
    worker = Worker(Costs(contour_item=0.02), is_playing=True)
    worker.work(0.5)
    worker.order(is_playing=False)
    worker.work(1)
    contours = [update.contour for update in worker.updates if update.contour is not None]
    assert np.isnan(contours[0].loss).all()
    assert np.isfinite(contours[-1].loss).all()
    assert len(contours) < 5  # a few times a second, however often there is a little more


def test_contours_are_drawn_at_the_chosen_cadence_while_playing() -> None:
    worker = Worker(is_playing=True, contour_seconds=5.0)
    draw_all(worker, 21)
    steps = sorted({update.contour.step for update in worker.updates if update.contour is not None})
    assert len(steps) == 4  # at 1, 6, 11 and 16 s, each a little later for the time it takes


def test_without_a_cadence_no_contour_is_drawn_while_playing() -> None:
    worker = Worker(is_playing=True, contour_seconds=None)
    draw_all(worker, 10)
    assert worker.newest("contour") is None


def test_a_refreshed_contour_is_told_only_when_it_is_whole() -> None:
    worker = Worker(Costs(contour_item=0.05), is_playing=True, contour_seconds=1.0)
    draw_all(worker, 30)
    losses = [update.contour.loss for update in worker.updates if update.contour is not None]
    first_whole = next(index for index, loss in enumerate(losses) if np.isfinite(loss).all())
    assert first_whole > 0
    assert len(losses) > first_whole + 1
    assert all(np.isfinite(loss).all() for loss in losses[first_whole:])


def test_a_contour_that_takes_long_is_drawn_less_often_than_asked() -> None:
    worker = Worker(Costs(contour_item=0.05), is_playing=True, contour_seconds=1.0)  # ten items: half a second
    draw_all(worker, 31)
    steps = {update.contour.step for update in worker.updates if update.contour is not None}
    assert len(steps) == 6  # one in five seconds: a tenth of the time


def draw_all(worker: Worker, seconds: float) -> None:
    """Serve a playing run, and its contour in between."""
    end = worker.clock.now + seconds
    while worker.clock.now < end:
        worker.work(0.1)
        if worker.run.is_drawing:
            worker.run.draw(worker.clock.now + 0.1, lambda: False)


def test_other_directions_redraw_the_contour_of_a_resting_run() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)
    worker.order(is_playing=False)
    worker.work(1)
    worker.order(directions=Directions.RANDOM)
    worker.work(1)
    assert worker.newest("contour").directions is Directions.RANDOM  # type: ignore[attr-defined]


# --- the loss landscape -----------------------------------------------------------------------------------------------

LANDSCAPE = LandscapeConfig()


def landscapes_of(worker: Worker) -> list[Landscape]:
    return [update.landscape for update in worker.updates if update.landscape is not None]


def test_without_a_wish_no_landscape_is_drawn() -> None:
    worker = Worker(is_playing=True)
    draw_all(worker, 15)
    assert landscapes_of(worker) == []


def test_a_landscape_that_is_asked_for_is_drawn_coarse_first_at_the_present_step() -> None:
    worker = Worker(Costs(landscape_item=0.05), is_playing=True)
    worker.work(0.5)
    asked_at = worker.status.step
    worker.order(landscape=LANDSCAPE, landscape_count=1)
    draw_all(worker, 3)
    found = landscapes_of(worker)
    whole = next(index for index, one in enumerate(found) if one.done == 1)
    assert whole > 0
    assert {one.step for one in found[: whole + 1]} == {asked_at}


def test_before_the_networks_exist_the_wish_waits_for_them() -> None:
    worker = Worker(landscape=LANDSCAPE, landscape_count=1)
    worker.work(1)
    assert landscapes_of(worker)[-1].done == 1


def test_another_wish_replaces_an_unfinished_landscape_and_is_shown_coarse_again() -> None:
    worker = Worker(Costs(landscape_item=0.1), landscape=LANDSCAPE)
    worker.work(0.4)
    worker.order(landscape=LANDSCAPE.replace(seed=7), landscape_count=1)
    worker.work(3)
    seeds = [one.config.seed for one in landscapes_of(worker)]
    assert seeds == sorted(seeds)
    assert landscapes_of(worker)[-1].done == 1
    assert any(one.done < 1 for one in landscapes_of(worker) if one.config.seed == 7)


def test_a_cancelled_landscape_stays_as_it_is_and_the_run_goes_on() -> None:
    worker = Worker(Costs(landscape_item=0.1), is_playing=True, landscape=LANDSCAPE)
    draw_all(worker, 0.6)
    worker.order(landscape=None)
    worker.fetch()
    count, step = len(landscapes_of(worker)), worker.status.step
    draw_all(worker, 20)
    assert count > 0
    assert len(landscapes_of(worker)) == count
    assert worker.status.step > step + 1000


def test_while_a_run_goes_on_its_landscape_is_refreshed_and_only_whole_ones_replace_a_whole_one() -> None:
    worker = Worker(Costs(landscape_item=0.05), is_playing=True, landscape_seconds=2.0)
    worker.work(40)
    worker.order(landscape=LANDSCAPE)
    draw_all(worker, 20)
    found = landscapes_of(worker)
    first_whole = next(index for index, one in enumerate(found) if one.done == 1)
    assert all(one.done == 1 for one in found[first_whole:])
    assert 4 <= len(found) - first_whole <= 10
    assert len({one.step for one in found}) == len(found) - first_whole


def test_while_the_step_doubles_an_old_landscape_gives_way_to_a_coarse_new_one() -> None:
    worker = Worker(Costs(landscape_item=0.05), is_playing=True, landscape=LANDSCAPE, landscape_seconds=60.0)
    draw_all(worker, 12)
    found = landscapes_of(worker)
    steps = sorted({one.step for one in found})
    assert len(steps) > 3
    assert all(later >= 2 * step for step, later in itertools.pairwise(steps))
    assert all(next(one for one in found if one.step == step).done < 1 for step in steps)


def test_a_picture_that_fails_is_left_with_a_word_on_it_and_the_run_goes_on() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)

    def failing(config: LandscapeConfig, earlier: object = None) -> Iterator[Landscape]:
        yield Landscape(1, config, config.directions, config.statistics, 0.1)
        raise ZeroDivisionError("a fault of our own")

    worker.bench.newest.landscape = failing  # type: ignore[method-assign, assignment]
    worker.order(landscape=LANDSCAPE, landscape_seconds=None)
    step = worker.status.step
    draw_all(worker, 2)
    assert "This picture failed" in landscapes_of(worker)[-1].problem
    assert worker.status.notice == ""
    assert worker.status.step > step + 100


def test_a_landscape_rests_while_nobody_looks_and_goes_on_when_somebody_does() -> None:
    worker = Worker(Costs(landscape_item=0.05), is_playing=True, landscape=LANDSCAPE, landscape_seconds=1.0)
    draw_all(worker, 0.3)
    worker.order(unseen=frozenset({"landscape"}))
    worker.fetch()
    count = len(landscapes_of(worker))
    draw_all(worker, 10)
    assert len(landscapes_of(worker)) == count
    worker.order(unseen=frozenset())
    draw_all(worker, 2)
    assert landscapes_of(worker)[-1].done == 1
    assert landscapes_of(worker)[-1].step > 1000


def test_one_that_is_not_to_be_refreshed_stays_at_its_step() -> None:
    worker = Worker(is_playing=True, landscape=LANDSCAPE, landscape_seconds=None)
    draw_all(worker, 20)
    worker.order(is_playing=False)
    worker.work(1)
    assert len({one.step for one in landscapes_of(worker)}) == 1


# --- the walk through a BN layer --------------------------------------------------------------------------------------

ANATOMY = AnatomyConfig()


def anatomies_of(worker: Worker) -> list[Anatomy]:
    return [update.anatomy for update in worker.updates if update.anatomy is not None]


def test_a_walk_that_is_asked_for_is_measured_at_the_present_step_and_anew_when_the_run_rests() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)
    worker.order(anatomy=ANATOMY)
    asked_at = worker.status.step
    draw_all(worker, 1)
    assert {one.step for one in anatomies_of(worker)} == {asked_at}
    assert anatomies_of(worker)[-1].done == 1
    worker.order(is_playing=False)
    worker.work(1)
    assert anatomies_of(worker)[-1].step == worker.status.step > asked_at


def test_while_a_run_plays_a_walk_stays_long_enough_to_be_followed() -> None:
    worker = Worker(is_playing=True, anatomy=ANATOMY)
    draw_all(worker, 35)
    steps = sorted({one.step for one in anatomies_of(worker)})
    assert 4 <= len(steps) <= 7
    assert max(steps) > 20_000


def test_another_layer_is_measured_at_once_although_nothing_else_is_new() -> None:
    worker = Worker(anatomy=ANATOMY)
    worker.work(1)
    worker.order(anatomy=ANATOMY.replace(layer=1))
    worker.work(1)
    assert anatomies_of(worker)[-1].config.layer == 1
    assert anatomies_of(worker)[-1].done == 1


def test_a_walk_that_fails_says_so_and_the_run_goes_on() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)

    def failing(config: AnatomyConfig) -> Iterator[Anatomy]:
        yield from ()
        raise ZeroDivisionError("a fault of our own")

    worker.bench.newest.anatomy = failing  # type: ignore[method-assign, assignment]
    step = worker.status.step
    worker.order(anatomy=ANATOMY)
    draw_all(worker, 2)
    assert "This picture failed" in anatomies_of(worker)[-1].problem
    assert worker.status.step > step + 100


def test_after_a_pause_the_landscape_shows_the_present_step() -> None:
    worker = Worker(is_playing=True, landscape=LANDSCAPE)
    worker.work(0.5)
    worker.order(is_playing=False)
    worker.work(1)
    assert landscapes_of(worker)[-1].step == worker.status.step
    assert landscapes_of(worker)[-1].done == 1


def test_after_a_restart_the_run_before_can_be_gone_back_to_if_its_networks_are_of_the_same_sizes() -> None:
    worker = Worker(landscape=LANDSCAPE)
    worker.run.step(80)
    worker.work(2)
    settings = worker.run.orders.settings
    worker.order(generation=1, settings=settings.replace(seed=5))
    worker.work(1)
    assert landscapes_of(worker)[-1].earlier_steps.tolist() == [0, 80]
    worker.order(generation=2, settings=settings.replace(seed=6))  # nothing was trained in between
    worker.work(1)
    assert landscapes_of(worker)[-1].earlier_steps.tolist() == [0, 80]
    worker.order(generation=3, settings=settings.replace(width=20))
    worker.work(1)
    assert landscapes_of(worker)[-1].earlier_steps.tolist() == []


# --- sharpness --------------------------------------------------------------------------------------------------------


def sharpness_steps(worker: Worker) -> list[int]:
    return [one.step for update in worker.updates for one in update.sharpness]


def test_sharpness_is_measured_in_order_at_the_steps_at_which_it_fell_due_while_training_goes_on() -> None:
    worker = Worker(Costs(landscape_item=0.002), is_playing=True, measures=frozenset({Measure.SHARPNESS}))
    draw_all(worker, 3)
    steps = sharpness_steps(worker)
    assert steps[:4] == [0, 1, 2, 100]
    assert steps == sorted(steps)
    assert all(step <= 2 or step % 100 == 0 for step in steps)


def test_sharpness_that_takes_too_long_is_measured_less_often_and_always_at_rest() -> None:
    worker = Worker(Costs(landscape_item=0.05), is_playing=True, measures=frozenset({Measure.SHARPNESS}))
    draw_all(worker, 5)
    assert 0 < len(sharpness_steps(worker)) < worker.status.step / 100
    worker.order(is_playing=False)
    worker.work(20)
    assert sharpness_steps(worker)[-1] == worker.status.step


def test_however_often_a_run_comes_to_rest_only_so_many_wait_and_the_last_is_measured() -> None:
    worker = Worker(Costs(landscape_item=1.0), measures=frozenset({Measure.SHARPNESS}))
    for _ in range(40):
        worker.run.step(1)
        worker.run.slice(worker.clock.now + 0.025, lambda: False, 1)
    assert len(worker.run._pictures._sharpness) <= 8
    worker.work(200)
    assert sharpness_steps(worker)[-1] == worker.status.step == 40


def test_where_nobody_asks_for_sharpness_it_is_not_measured() -> None:
    worker = Worker(is_playing=True)
    draw_all(worker, 3)
    assert sharpness_steps(worker) == []


def test_after_a_restart_the_sharpness_is_that_of_the_new_networks() -> None:
    worker = Worker(Costs(landscape_item=0.05), measures=frozenset({Measure.SHARPNESS}))
    worker.run.step(150)
    worker.work(1)
    worker.order(generation=1)
    worker.updates.clear()
    worker.work(3)
    assert sharpness_steps(worker) == [0]


def test_a_new_hyper_parameter_is_in_force_at_the_next_step_and_recorded() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(7)
    worker.work(0.5)
    worker.set(learning_rate=2.0)
    worker.run.step(1)
    worker.work(0.5)
    assert [hyper.learning_rate for hyper in worker.bench.newest.hypers] == [0.5] * 7 + [2.0]
    assert worker.newest("interventions") == (Intervention(7, "learning_rate", 0.5, 2.0),)


def test_changes_at_one_step_are_recorded_as_one() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(7)
    worker.work(0.5)
    for rate in (1.0, 2.0, 3.0):
        worker.set(learning_rate=rate)
    worker.set(batch_size=32)
    worker.fetch()
    assert worker.newest("interventions") == (
        Intervention(7, "learning_rate", 0.5, 3.0),
        Intervention(7, "batch_size", 60, 32),
    )


def test_a_change_taken_back_before_the_next_step_is_none() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(7)
    worker.work(0.5)
    worker.set(learning_rate=1.0)
    worker.set(learning_rate=0.5)
    worker.fetch()
    assert worker.newest("interventions") == ()


def test_a_slice_ends_when_an_order_arrives() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)
    before, answers = worker.bench.newest.step_count, iter([False, True])
    worker.run.slice(worker.clock.now + 10, lambda: next(answers), 1)
    assert worker.bench.newest.step_count == before + 1


def test_a_run_whose_competitors_have_all_diverged_stops_and_says_where() -> None:
    worker = Worker(Costs(diverges_at=42), is_playing=True)
    worker.work(3)
    assert worker.status.phase is Phase.STOPPED
    assert worker.bench.newest.step_count == 42
    assert worker.steps[-1] == 42
    assert "without BN at step 42, first seen in the weights of layer 1" in worker.status.notice
    assert "with BN at step 42, first seen in the weights of the output layer" in worker.status.notice
    worker.order(is_playing=True)
    worker.run.step(5)
    worker.work(1)
    assert worker.bench.newest.step_count == 42


def test_a_restart_begins_again_at_step_0_with_nothing_left_of_the_old_run() -> None:
    worker = Worker(is_playing=True)
    worker.work(1)
    worker.set(learning_rate=1.0)
    worker.work(0.1)
    worker.updates.clear()
    worker.order(generation=1, settings=SMALL.replace(seed=5), is_playing=False)
    worker.work(1)
    assert len(worker.bench.trainers) == 2
    assert worker.steps == [0]
    assert worker.status.generation == 1
    assert worker.newest("interventions") == ()
    assert worker.newest("settings") == SMALL.replace(seed=5)
    assert worker.newest("contour") is None


def test_a_speed_is_reported_while_playing_and_none_after() -> None:
    worker = Worker(is_playing=True)
    worker.work(3)
    assert worker.status.steps_per_second == pytest.approx(950, rel=0.1)
    worker.order(is_playing=False)
    worker.work(0.5)
    assert worker.status.steps_per_second == 0


def resumed(worker: Worker, change: Callable[[Settings], Settings] = lambda settings: settings) -> Worker:
    """Another worker that goes on from a checkpoint of this one."""
    checkpoint = worker.run.checkpoint()
    assert checkpoint is not None
    other = Worker()
    orders = replace(worker.run.orders, settings=change(worker.run.orders.settings))
    other.run = LiveRun(orders, other.bench, checkpoint.blob, other.clock)
    return other


def test_a_resumed_run_goes_on_as_if_it_had_not_been_interrupted() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.set(learning_rate=0.3)
    worker.run.step(123)
    worker.work(1)
    other = resumed(worker)
    for one in (worker, other):
        one.run.step(77)
        one.work(1)
    assert other.bench.newest.step_count == 200
    assert other.bench.newest.walked == worker.bench.newest.walked
    assert other.run.orders.settings.hyper == HyperParams(learning_rate=0.3)


def test_a_resumed_run_keeps_its_interventions_and_does_not_measure_twice() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(3)
    worker.work(0.5)
    worker.set(learning_rate=0.3)
    other = resumed(worker)
    other.work(1)
    assert other.newest("interventions") == (Intervention(3, "learning_rate", 0.5, 0.3),)
    assert other.steps == []


def test_what_was_changed_while_a_run_had_no_worker_is_an_intervention() -> None:
    worker = Worker()
    worker.work(0.5)
    worker.run.step(9)
    worker.work(0.5)
    other = resumed(worker, lambda settings: settings.replace(momentum=0.9))
    other.work(1)
    assert other.newest("interventions") == (Intervention(9, "momentum", 0.0, 0.9),)


def test_a_failed_run_rests_until_it_is_played_again() -> None:
    worker = Worker(is_playing=True)
    worker.work(0.5)
    worker.run.fail("Something went wrong.")
    assert worker.run.due_at() == float("inf")
    assert (worker.status.phase, worker.status.notice) == (Phase.PAUSED, "Something went wrong.")
    worker.order(is_playing=True)
    worker.work(0.5)
    assert (worker.status.phase, worker.status.notice) == (Phase.PLAYING, "")


def test_a_change_before_the_first_step_is_no_intervention() -> None:
    worker = Worker()
    worker.work(1)
    worker.order(settings=SMALL.replace(learning_rate=2.0))
    worker.work(1)
    assert worker.newest("interventions") in (None, ())


# --- what is measured only where somebody asks ------------------------------------------------------------------------


def test_shift_and_smoothness_are_not_measured_unless_asked_for() -> None:
    worker = Worker(is_playing=True)
    worker.work(1)
    assert not any(update.shift or update.smoothness for update in worker.updates)


def test_asked_for_they_are_measured_at_the_same_steps_however_fast_the_machine_is() -> None:
    seen = []
    for step in (0.001, 0.004):
        worker = Worker(Costs(step=step), is_playing=True, measures=frozenset({Measure.SHIFT, Measure.SMOOTHNESS}))
        worker.work(2)
        seen.append([one.step for update in worker.updates for one in update.shift])
        smooth = [one.step for update in worker.updates for one in update.smoothness]
        assert smooth == list(range(0, smooth[-1] + 1, 50))
    fast, slow = seen
    assert fast[: len(slow)] == slow == list(range(0, slow[-1] + 1, 25))


def test_asked_for_by_a_run_at_rest_they_are_measured_at_its_step() -> None:
    worker = Worker()
    worker.work(1)
    worker.run.step(7)
    worker.work(1)
    worker.order(measures=frozenset({Measure.SHIFT}))
    worker.work(1)
    assert [one.step for update in worker.updates for one in update.shift] == [7]
    worker.work(1)
    assert worker.run.due_at() == float("inf")


def test_gradients_asked_for_are_measured_at_every_scheduled_step() -> None:
    worker = Worker(is_playing=True, measures=frozenset({Measure.GRADIENTS}))
    worker.work(2.5)
    assert {0, 1, 2, 3, 1000, 2000} <= set(worker.gradient_steps)


def test_the_share_of_measuring_is_told() -> None:
    worker = Worker(Costs(measure=0.02, shift=0.025), is_playing=True)
    worker.work(3)
    before = worker.status.measuring
    assert 0.05 < before < 0.25
    worker.order(measures=frozenset({Measure.SHIFT}))
    worker.work(6)
    assert worker.status.measuring == pytest.approx(before * 0.5 + 0.5, abs=0.1)
    worker.order(is_playing=False)
    assert worker.status.measuring == 0


def done(worker: Worker) -> list[tuple[int, float]]:
    """Depth and progress of every telling of untrained networks."""
    told = [update.study for update in worker.updates if update.study is not None]
    return [(one.config.depth, one.done) for one in told]


def test_untrained_networks_are_measured_while_the_run_rests_and_told_when_they_are_done() -> None:
    worker = Worker(study=UntrainedConfig(depth=3))
    worker.work(2)
    assert done(worker)[-1] == (3, 1.0)
    assert not worker.run.is_drawing


def test_others_asked_for_take_the_place_of_those_under_way() -> None:
    worker = Worker(Costs(untrained_item=0.02), study=UntrainedConfig(depth=3))
    worker.work(0.1)
    worker.order(study=UntrainedConfig(depth=4))
    worker.work(1)
    assert (3, 1.0) not in done(worker)
    assert done(worker)[-1] == (4, 1.0)


def test_a_restart_does_not_disturb_untrained_networks() -> None:
    worker = Worker(Costs(untrained_item=0.02), study=UntrainedConfig(depth=3))
    worker.work(0.1)
    worker.order(generation=1)
    worker.work(1)
    assert done(worker)[-1] == (3, 1.0)


# --- up to a step -----------------------------------------------------------------------------------------------------


def test_a_run_that_plays_up_to_a_step_pauses_there_and_is_measured() -> None:
    worker = Worker(is_playing=True, until_step=137)
    worker.work(5)
    assert worker.bench.newest.step_count == 137
    assert worker.status.phase is Phase.PAUSED
    assert worker.steps[-1] == 137


def test_play_at_its_last_step_takes_no_further_one_until_it_may_go_on() -> None:
    worker = Worker(is_playing=True, until_step=30)
    worker.work(5)
    worker.order(is_playing=True)
    worker.work(1)
    assert worker.bench.newest.step_count == 30
    worker.order(is_playing=True, until_step=None)
    worker.work(1)
    assert worker.bench.newest.step_count > 30


def test_steps_that_are_asked_for_go_beyond_it() -> None:
    worker = Worker(is_playing=True, until_step=30)
    worker.work(5)
    worker.run.step(10)
    worker.work(1)
    assert worker.bench.newest.step_count == 40


def test_a_run_that_was_saved_at_its_last_step_stays_there() -> None:
    worker = Worker(is_playing=True, until_step=30)
    worker.work(5)
    checkpoint = worker.run.checkpoint()
    assert checkpoint is not None
    again = LiveRun(replace(worker.run.orders, is_playing=True), worker.bench, checkpoint.blob, worker.clock)
    for _ in range(20):
        if again.due_at() <= worker.clock.now:
            again.slice(worker.clock.now + 0.025, lambda: False, 1)
    assert again.step_count == 30
    assert again.outbox.status.phase is Phase.PAUSED


def test_a_run_goes_on_from_a_pause_and_still_ends_there() -> None:
    worker = Worker(Costs(step=0.01), is_playing=True, until_step=100)
    worker.work(0.3)
    worker.order(is_playing=False)
    worker.work(0.3)
    assert 0 < worker.bench.newest.step_count < 100
    worker.order(is_playing=True)
    worker.work(5)
    assert worker.bench.newest.step_count == 100
