"""The engine carries out what owners ask, keeps what it has, and survives the loss of its workers.

With hosts in this process and trainers that only count; tests/runs/test_embedded.py has the real ones.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bnviz.config import (
    AnatomyConfig,
    Device,
    Directions,
    HyperParams,
    LandscapeConfig,
    Measure,
    Settings,
    SweepConfig,
    UntrainedConfig,
)
from bnviz.errors import BnvizError, ConfigError, EngineError, RunError
from bnviz.records import Phase
from bnviz.runs import archive
from bnviz.runs import engine as engine_module
from bnviz.runs.awake import Limits
from bnviz.runs.engine import Engine
from bnviz.runs.store import Store
from tests.fake_worker import SMALL, Costs, FakeCluster, FakeTrainer, Workbench, eventually

ME, YOU = "me", "you"
FAST = Costs(step=0.0005, measure=0.001, gradients=0.0005, contour_item=0.0005)
Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Started engines over fake clusters, closed after the test; all of them share one home."""
    with ExitStack() as stack:

        def made(cluster: FakeCluster | None = None, **limits: float) -> Engine:
            cluster = cluster or FakeCluster(bench=Workbench(FAST))
            engine = Engine(tmp_path, cluster=cluster, limits=Limits(**limits))  # type: ignore[arg-type]
            stack.callback(engine.close)
            engine.start()
            return engine

        yield made


@pytest.fixture
def engine(make: Make) -> Engine:
    engine = make()
    eventually(lambda: engine.is_ready)
    return engine


def step_of(engine: Engine, run_id: str) -> int:
    return engine.hub.status(run_id).step


def phase_of(engine: Engine, run_id: str) -> Phase:
    return engine.hub.status(run_id).phase


def play(engine: Engine, steps: int = 60, owner: str = ME) -> str:
    """A new run that has taken some steps, and plays on."""
    run_id = engine.create(owner, SMALL, is_playing=True)
    eventually(lambda: step_of(engine, run_id) >= steps)
    return run_id


def is_at_rest(engine: Engine, run_id: str) -> bool:
    """Whether a run that was told to pause has stopped for good, with its last step measured.

    Its status of a moment ago may agree with its history of that moment while steps are still under way.
    """
    seen = engine.hub.get(run_id)
    time.sleep(0.3)
    now = engine.hub.get(run_id)
    return seen.status.step == now.status.step == now.history.step[-1]


def saved_step(home: Path, run_id: str) -> int:
    """The step of the checkpoint on disk; 0 without one."""
    store = Store(home)
    if run_id not in store.catalogue():
        return 0
    checkpoint = store.load(run_id).checkpoint
    return 0 if checkpoint is None else checkpoint.step


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_new_run_is_measured_at_step_0(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    eventually(lambda: len(engine.hub.get(run_id).history) == 1)
    assert phase_of(engine, run_id) is Phase.PAUSED
    assert engine.hub.get(run_id).gradients_at_start is not None


def test_what_is_asked_to_be_measured_is_measured_and_kept(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    engine.measure(run_id, ME, [Measure.SHIFT])
    engine.measure(run_id, ME, [Measure.SMOOTHNESS])
    eventually(lambda: len(engine.hub.get(run_id).shift) > 2 and len(engine.hub.get(run_id).smoothness) > 1)
    run = engine.hub.get(run_id)
    assert [one.step for one in run.shift] == sorted({one.step for one in run.shift})
    engine.restart(run_id, ME, SMALL, is_playing=False)
    eventually(lambda: step_of(engine, run_id) == 0 and len(engine.hub.get(run_id).history) == 1)
    assert all(one.step == 0 for one in engine.hub.get(run_id).shift)


def test_untrained_networks_are_measured_beside_a_run(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    engine.measure_study(run_id, ME, UntrainedConfig(depth=5))
    eventually(lambda: engine.hub.get(run_id).study is not None and engine.hub.get(run_id).study.done == 1)
    assert engine.hub.get(run_id).study.config.depth == 5
    with pytest.raises(BnvizError):
        engine.measure_study(run_id, "somebody else", UntrainedConfig())


def test_a_study_that_is_stopped_keeps_what_is_measured_and_can_be_asked_for_again(make: Make) -> None:
    engine = make(FakeCluster(bench=Workbench(replace(FAST, untrained_item=0.3))))  # ten items
    run_id, wanted = engine.create(ME, SMALL), UntrainedConfig(depth=5)
    engine.measure_study(run_id, ME, wanted)
    eventually(lambda: engine.hub.get(run_id).study is not None)
    engine.stop_study(run_id, ME)
    time.sleep(0.5)  # the item that was under way
    done = engine.hub.get(run_id).study.done
    assert done < 1
    time.sleep(0.5)
    assert engine.hub.get(run_id).study.done == done
    engine.measure_study(run_id, ME, wanted)
    eventually(lambda: engine.hub.get(run_id).study.done != done)


def test_ids_cannot_be_guessed(engine: Engine) -> None:
    ids = {engine.create(owner, SMALL) for owner in "abcdefgh"}
    assert len(ids) == 8
    assert all(len(run_id) >= 22 for run_id in ids)


def test_the_runs_and_sweeps_of_a_named_server_say_so_in_their_ids(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_SERVER_NAME", "web1")
    engine = make()
    run_id = engine.create(ME, SMALL)
    assert run_id.startswith("web1-")
    sweep_id = engine.start_sweep(ME, SweepConfig(steps=10, seeds=1))
    assert sweep_id.startswith("sweep-web1-")
    engine.stop(run_id, ME)
    another = make()
    assert another.hub.get(run_id).run_id == run_id  # an id that the store takes
    assert another.hub.get(sweep_id).run_id == sweep_id


@pytest.mark.parametrize("name", ["Web1", "web-1", "../x", "a" * 17, "web1 "])
def test_a_name_that_no_link_should_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("BNVIZ_SERVER_NAME", name)
    with pytest.raises(ConfigError, match="BNVIZ_SERVER_NAME"):
        Engine(tmp_path, cluster=FakeCluster())


def test_a_command_is_in_force_when_it_returns(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    eventually(lambda: phase_of(engine, run_id) is Phase.PAUSED)
    engine.play(run_id, ME)
    assert phase_of(engine, run_id) is Phase.PLAYING
    engine.set(run_id, ME, HyperParams(learning_rate=2.0))
    assert engine.hub.get(run_id).settings.hyper.learning_rate == 2.0
    engine.pause(run_id, ME)
    assert phase_of(engine, run_id) is Phase.PAUSED
    engine.restart(run_id, ME, SMALL.replace(seed=3))
    assert engine.hub.get(run_id).settings.model.seed == 3
    assert engine.hub.status(run_id).generation == 1


def test_commands_that_come_before_the_cluster_take_effect_when_it_is_there(make: Make) -> None:
    cluster = FakeCluster(workers=0, bench=Workbench(FAST))
    engine = make(cluster)
    run_id = engine.create(ME, SMALL)
    engine.set(run_id, ME, HyperParams(learning_rate=3.0))
    engine.step(run_id, ME, 5)
    assert phase_of(engine, run_id) is Phase.QUEUED
    cluster.add_worker()
    eventually(lambda: step_of(engine, run_id) == 5)
    assert cluster.bench.newest.hypers == [HyperParams(learning_rate=3.0)] * 5


def test_steps_add_up(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    for count in (1, 10, 100):
        engine.step(run_id, ME, count)
    eventually(lambda: engine.hub.get(run_id).history.step[-1:].tolist() == [111])
    assert phase_of(engine, run_id) is Phase.PAUSED


def test_after_a_pause_the_charts_end_at_the_present_step(engine: Engine) -> None:
    run_id = play(engine)
    engine.pause(run_id, ME)
    eventually(lambda: engine.hub.get(run_id).history.step[-1] == step_of(engine, run_id))
    eventually(lambda: (contour := engine.hub.get(run_id).contour) is not None and contour.loss[0, 0, 0] == 1)


def test_slow_motion_is_slow(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    engine.set_speed(run_id, ME, 10.0)
    engine.play(run_id, ME)
    time.sleep(1.0)
    engine.pause(run_id, ME)
    assert 1 <= step_of(engine, run_id) <= 15


def test_a_restart_keeps_every_point_of_the_run_before_as_its_ghost(engine: Engine) -> None:
    run_id = play(engine, steps=80)
    engine.pause(run_id, ME)
    eventually(lambda: is_at_rest(engine, run_id))
    before = engine.hub.get(run_id)
    engine.restart(run_id, ME, SMALL.replace(init_scale=0.01))
    ghost = engine.hub.get(run_id).ghost
    assert ghost is not None
    assert ghost.label == "earlier run, scale 0.1"
    assert ghost.step.tolist() == before.history.step.tolist()
    engine.dismiss_ghost(run_id, ME)
    assert engine.hub.get(run_id).ghost is None


@pytest.mark.parametrize("is_playing", [True, False])
def test_a_restart_plays_on_or_rests_as_before(engine: Engine, is_playing: bool) -> None:
    run_id = play(engine)
    if not is_playing:
        engine.pause(run_id, ME)
    engine.restart(run_id, ME, SMALL)
    eventually(lambda: len(engine.hub.get(run_id).history) > 0)
    assert (phase_of(engine, run_id) is Phase.PLAYING) == is_playing


def test_the_loss_contour_shows_what_was_asked_for(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    engine.set_contour(run_id, ME, Directions.RANDOM, 1.0)
    engine.play(run_id, ME)
    eventually(lambda: (contour := engine.hub.get(run_id).contour) is not None and contour.directions == "random")


def test_a_landscape_is_drawn_when_asked_for_and_left_when_cancelled(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    engine.draw_landscape(run_id, ME, LandscapeConfig(seed=3))
    eventually(lambda: (one := engine.hub.get(run_id).landscape) is not None and one.done == 1)
    assert engine.hub.get(run_id).landscape.config.seed == 3  # type: ignore[union-attr]
    engine.stop_landscape(run_id, ME)
    assert engine.orders_of(run_id).landscape is None  # type: ignore[union-attr]
    engine.restart(run_id, ME, SMALL)
    eventually(lambda: engine.hub.get(run_id).landscape is None)


def test_a_batch_is_walked_through_a_layer_when_asked_for(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    engine.measure_anatomy(run_id, ME, AnatomyConfig(layer=2))
    eventually(lambda: (one := engine.hub.get(run_id).anatomy) is not None and one.done == 1)
    assert engine.hub.get(run_id).anatomy.config.layer == 2  # type: ignore[union-attr]
    engine.restart(run_id, ME, SMALL)
    eventually(lambda: engine.hub.get(run_id).anatomy is not None and engine.hub.get(run_id).status.generation == 1)


def test_a_landscape_that_would_take_too_long_is_refused_and_the_run_untouched(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL.replace(hidden_layers=10, width=200))
    with pytest.raises(ConfigError, match="more than 60: choose a lower resolution"):
        engine.draw_landscape(run_id, ME, LandscapeConfig(resolution=101, images=2000, batches=8))
    with pytest.raises(ConfigError, match="seconds between landscapes"):
        engine.draw_landscape(run_id, ME, LandscapeConfig(), 0.1)
    orders = engine.orders_of(run_id)
    assert orders is not None
    assert orders.landscape is None


def test_a_landscape_that_nobody_looks_at_rests_until_somebody_does_again(make: Make) -> None:
    engine = make(picture_seconds=0.5)
    run_id = engine.create(ME, SMALL, is_playing=True)
    in_sight = ["landscape-cut"]
    with engine.hub.watching(run_id, charts=lambda: in_sight):
        engine.draw_landscape(run_id, ME, LandscapeConfig(), 1.0)
        time.sleep(2.5)
        is_seen = lambda: "landscape" not in engine.orders_of(run_id).unseen  # type: ignore[union-attr]  # noqa: E731
        assert is_seen()
        in_sight[:] = ["accuracy"]
        eventually(lambda: not is_seen())
        time.sleep(0.3)
        step = engine.hub.get(run_id).landscape.step  # type: ignore[union-attr]
        time.sleep(1.5)
        assert engine.hub.get(run_id).landscape.step == step  # type: ignore[union-attr]
        in_sight[:] = ["landscape"]
        eventually(lambda: engine.hub.get(run_id).landscape.step > step)  # type: ignore[union-attr]
        assert engine.orders_of(run_id).is_playing  # type: ignore[union-attr]


def test_a_contour_that_nobody_looks_at_is_not_drawn_anew_until_somebody_does(make: Make) -> None:
    engine = make(picture_seconds=0.5)
    run_id = engine.create(ME, SMALL, is_playing=True)
    engine.set_contour(run_id, ME, Directions.PATHS, 1.0)
    in_sight = ["loss-contour"]
    with engine.hub.watching(run_id, charts=lambda: in_sight):
        eventually(lambda: engine.hub.get(run_id).contour is not None)
        in_sight[:] = ["accuracy"]
        eventually(lambda: "contour" in engine.orders_of(run_id).unseen)  # type: ignore[union-attr]
        time.sleep(0.5)
        step = engine.hub.get(run_id).contour.step  # type: ignore[union-attr]
        time.sleep(2.5)
        assert engine.hub.get(run_id).contour.step == step  # type: ignore[union-attr]
        in_sight[:] = ["loss-contour"]
        eventually(lambda: engine.hub.get(run_id).contour.step > step)  # type: ignore[union-attr]


def test_a_run_that_diverges_stops_and_says_where(make: Make) -> None:
    engine = make(FakeCluster(bench=Workbench(Costs(step=0.0005, measure=0.001, diverges_at=70))))
    run_id = engine.create(ME, SMALL, is_playing=True)
    eventually(lambda: phase_of(engine, run_id) is Phase.STOPPED)
    assert "at step 70" in engine.hub.status(run_id).notice


# --- what is refused --------------------------------------------------------------------------------------------------


def commands(engine: Engine, run_id: str, owner: str) -> list[Callable[[], None]]:
    return [
        lambda: engine.play(run_id, owner),
        lambda: engine.pause(run_id, owner),
        lambda: engine.step(run_id, owner, 1),
        lambda: engine.set(run_id, owner, HyperParams()),
        lambda: engine.restart(run_id, owner, SMALL),
        lambda: engine.set_speed(run_id, owner, 1.0),
        lambda: engine.dismiss_ghost(run_id, owner),
        lambda: engine.set_contour(run_id, owner, Directions.PATHS, None),
        lambda: engine.draw_landscape(run_id, owner, LandscapeConfig()),
        lambda: engine.stop_landscape(run_id, owner),
        lambda: engine.measure_anatomy(run_id, owner, AnatomyConfig()),
        lambda: engine.measure(run_id, owner, [Measure.SHIFT]),
        lambda: engine.measure_study(run_id, owner, UntrainedConfig()),
        lambda: engine.stop_study(run_id, owner),
        lambda: engine.stop(run_id, owner),
    ]


def test_only_its_owner_commands_a_run_and_no_error_names_the_owner(engine: Engine) -> None:
    run_id = engine.create("the-owners-secret", SMALL)
    for command in commands(engine, run_id, YOU):
        with pytest.raises(RunError, match="somebody else's") as caught:
            command()
        assert "the-owners-secret" not in caught.value.text


def test_a_run_that_does_not_exist_is_said_so(engine: Engine) -> None:
    for command in commands(engine, "there-is-no-such-run", ME):
        with pytest.raises(RunError, match="no such run"):
            command()


@pytest.mark.parametrize("count", [0, -1, 1001, 1.5, True, "10"])
def test_steps_out_of_bounds_are_refused(engine: Engine, count: int) -> None:
    with pytest.raises(ConfigError, match="1 to 1000"):
        engine.step(engine.create(ME, SMALL), ME, count)


@pytest.mark.parametrize("step", [0, -1, True, 1.5, "all"])
def test_last_steps_out_of_bounds_are_refused(engine: Engine, step: int) -> None:
    run_id = engine.create(ME, SMALL)
    for refused in (
        lambda: engine.create(ME, SMALL, until_step=step),
        lambda: engine.play(run_id, ME, step),
        lambda: engine.restart(run_id, ME, SMALL, until_step=step),
    ):
        with pytest.raises(ConfigError, match="whole number from 1"):
            refused()


def test_a_run_plays_up_to_its_last_step_and_a_plain_play_goes_on(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True, until_step=200)
    eventually(lambda: step_of(engine, run_id) == 200 and phase_of(engine, run_id) is Phase.PAUSED)
    engine.play(run_id, ME, 260)
    eventually(lambda: step_of(engine, run_id) == 260 and phase_of(engine, run_id) is Phase.PAUSED)
    engine.restart(run_id, ME, SMALL, is_playing=True, until_step=90)
    eventually(lambda: step_of(engine, run_id) == 90 and phase_of(engine, run_id) is Phase.PAUSED)
    engine.play(run_id, ME)
    eventually(lambda: step_of(engine, run_id) > 300)


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf"), True, "fast"])
def test_speeds_out_of_bounds_are_refused(engine: Engine, speed: float) -> None:
    with pytest.raises(ConfigError, match=r"0\.1 to 1000"):
        engine.set_speed(engine.create(ME, SMALL), ME, speed)


def test_settings_made_around_their_checks_are_refused(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL)
    wild = HyperParams()
    object.__setattr__(wild, "learning_rate", 1e9)
    with pytest.raises(ConfigError, match="Learning rate"):
        engine.set(run_id, ME, wild)
    settings = Settings()
    object.__setattr__(settings, "hyper", wild)
    with pytest.raises(ConfigError, match="Learning rate"):
        engine.create(ME, settings)


def test_a_live_change_that_would_cost_too_much_is_refused(engine: Engine) -> None:
    run_id = engine.create(ME, Settings().replace(hidden_layers=6, width=128))
    with pytest.raises(ConfigError, match="ms a step"):
        engine.set(run_id, ME, HyperParams(batch_size=1024))


def test_an_engine_that_was_not_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not been started"):
        Engine(tmp_path, cluster=FakeCluster()).create(ME, SMALL)


def test_a_closed_engine_says_so(make: Make) -> None:
    engine = make()
    engine.close()
    with pytest.raises(EngineError, match="closing"):
        engine.create(ME, SMALL)
    engine.close()


# --- caps and the queue -----------------------------------------------------------------------------------------------


def test_one_run_too_many_of_a_visitor_is_refused(make: Make) -> None:
    engine = make(runs_an_owner=2)
    for _ in range(2):
        engine.create(ME, SMALL, is_playing=True)
    with pytest.raises(RunError, match="You have 2 runs going, and 2 is the most: stop one"):
        engine.create(ME, SMALL)
    engine.create(YOU, SMALL)
    engine.stop(engine.runs_of(ME)[0], ME)
    engine.create(ME, SMALL)


def test_a_visitors_resting_run_sleeps_to_make_room_for_a_new_one(make: Make) -> None:
    engine = make(runs_an_owner=1)
    resting = engine.create(ME, SMALL)
    eventually(lambda: len(engine.hub.get(resting).history) == 1)
    time.sleep(1.1)
    engine.create(ME, SMALL)
    eventually(lambda: phase_of(engine, resting) is Phase.ASLEEP)


def test_a_full_house_queues_and_says_the_place(make: Make) -> None:
    engine = make(runs_a_worker=1)
    first = play(engine, owner="a")
    second, third = engine.create("b", SMALL, is_playing=True), engine.create("c", SMALL)
    eventually(lambda: engine.hub.status(third).place_in_queue == 2)
    assert engine.hub.status(second).place_in_queue == 1
    assert "All 1 places are taken" in engine.hub.status(third).notice
    engine.stop(first, "a")
    eventually(lambda: phase_of(engine, second) is Phase.PLAYING)
    eventually(lambda: engine.hub.status(third).place_in_queue == 1)


def test_a_queue_that_is_too_long_is_refused(make: Make) -> None:
    engine = make(FakeCluster(workers=0), runs_waiting=2)
    for owner in "ab":
        engine.create(owner, SMALL)
    with pytest.raises(RunError, match="2 runs wait"):
        engine.create("c", SMALL)


def test_runs_spread_over_the_workers(make: Make) -> None:
    cluster = FakeCluster(workers=2, bench=Workbench(FAST))
    engine = make(cluster)
    runs = [play(engine, 1, owner) for owner in "abcd"]
    counts = [len(line.slices.run_ids()) for line in cluster.lines.values()]
    assert counts == [2, 2]
    assert len(runs) == 4


def test_runs_move_to_a_worker_that_comes_late_and_train_on_as_if_nothing_had_been(make: Make) -> None:
    cluster = FakeCluster(workers=1, bench=Workbench(FAST))
    engine = make(cluster)
    runs = [play(engine, 100, owner) for owner in "abcd"]
    cluster.add_worker()
    eventually(lambda: [len(line.slices.run_ids()) for line in cluster.lines.values()] == [2, 2])
    at = {run_id: step_of(engine, run_id) for run_id in runs}
    eventually(lambda: all(step_of(engine, run_id) > at[run_id] + 100 for run_id in runs))
    for run_id in runs:
        history = engine.hub.get(run_id).history
        assert (history.step[1:] > history.step[:-1]).all()
        assert history.net_displacement[-1, 0, 0] == pytest.approx(0.5 * history.step[-1])


def test_runs_of_workers_with_as_much_to_do_stay_where_they_are(make: Make) -> None:
    cluster = FakeCluster(workers=2, bench=Workbench(FAST))
    engine = make(cluster)
    for owner in "abc":
        play(engine, 1, owner)
    held = [set(line.slices.run_ids()) for line in cluster.lines.values()]
    time.sleep(2.5)  # the work is looked at every second
    assert [set(line.slices.run_ids()) for line in cluster.lines.values()] == held


def test_a_run_that_has_failed_does_not_begin_again_because_a_chart_is_scrolled_out_of_sight(make: Make) -> None:
    engine = make(FakeCluster(bench=Workbench(replace(FAST, fails_at=100))), picture_seconds=0.2)
    run_id = engine.create(ME, SMALL, is_playing=True)
    in_sight = ["loss-contour"]
    with engine.hub.watching(run_id, charts=lambda: in_sight):
        eventually(lambda: "failed" in engine.hub.status(run_id).notice)
        in_sight[:] = ["accuracy"]
        eventually(lambda: "contour" in engine.orders_of(run_id).unseen)  # type: ignore[union-attr]
        assert not engine.orders_of(run_id).is_playing  # type: ignore[union-attr]
        assert "failed" in engine.hub.status(run_id).notice


# --- watched, paused, asleep ------------------------------------------------------------------------------------------


def test_a_run_that_nobody_watches_pauses_and_later_leaves_its_worker(make: Make) -> None:
    engine = make(pause_seconds=0.3, sleep_seconds=3.0)
    run_id = play(engine)
    with engine.hub.watching(run_id):
        time.sleep(0.9)
        assert phase_of(engine, run_id) is Phase.PLAYING
    eventually(lambda: phase_of(engine, run_id) is Phase.PAUSED)
    assert "nobody was watching" in engine.hub.status(run_id).notice
    eventually(lambda: phase_of(engine, run_id) is Phase.ASLEEP)
    assert step_of(engine, run_id) >= 60


def test_a_sleeping_run_goes_on_where_it_was(engine: Engine) -> None:
    run_id = play(engine)
    engine.stop(run_id, ME)
    asleep = engine.hub.get(run_id)
    assert asleep.status.phase is Phase.ASLEEP
    engine.step(run_id, ME, 1)
    eventually(lambda: phase_of(engine, run_id) is Phase.PAUSED)
    eventually(lambda: engine.hub.get(run_id).history.step[-1] > asleep.status.step)  # its waking is a point as well
    run = engine.hub.get(run_id)
    assert run.status.step >= asleep.status.step + 1
    walked = run.history.net_displacement[-1, 0, 0]
    assert walked == pytest.approx(0.5 * run.history.step[-1])


def test_a_run_of_an_engine_that_has_ended_comes_back_by_its_link(make: Make) -> None:
    first = make()
    run_id = play(first)
    first.set(run_id, ME, HyperParams(learning_rate=0.25))
    time.sleep(0.2)
    first.close()
    ended = first.hub.status(run_id).step

    second = make()
    watched = second.hub.get(run_id)
    assert (watched.status.phase, watched.status.step) == (Phase.ASLEEP, ended)
    assert [one.new for one in watched.interventions] == [0.25]
    eventually(lambda: second.runs_of(ME) == [run_id])
    assert second.owner_of(run_id) == ME
    second.play(run_id, ME)
    eventually(lambda: second.hub.status(run_id).step > ended + 20)
    assert len(second.hub.get(run_id).interventions) == 1


def test_runs_are_on_disk_while_they_play(make: Make, tmp_path: Path) -> None:
    engine = make(save_seconds=0.5)
    run_id = play(engine)
    eventually(lambda: saved_step(tmp_path, run_id) > 0)
    before = saved_step(tmp_path, run_id)
    eventually(lambda: saved_step(tmp_path, run_id) > before)


def test_a_disk_that_takes_nothing_does_not_stop_the_training(make: Make, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    engine = make(save_seconds=0.5)
    run_id = engine.create(ME, SMALL, is_playing=True)
    eventually(lambda: "could not be saved" in engine.hub.status(run_id).notice)
    before = step_of(engine, run_id)
    eventually(lambda: step_of(engine, run_id) > before + 100)


def test_the_notice_of_a_full_disk_goes_with_it_and_nothing_is_missing_then(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "AGAIN_SECONDS", 1.0)
    (tmp_path / "runs").write_text("a file where a folder should be")
    engine = make(save_seconds=0.2)
    run_id = play(engine)
    eventually(lambda: "could not be saved" in engine.hub.status(run_id).notice)
    assert str(tmp_path) not in engine.hub.status(run_id).notice
    assert engine.checkpoint(run_id)  # downloads work
    (tmp_path / "runs").unlink()
    eventually(lambda: saved_step(tmp_path, run_id) > 0, seconds=60)
    eventually(lambda: engine.hub.status(run_id).notice == "")
    assert Store(tmp_path).load(run_id).run.history.step[0] == 0


def test_between_two_checkpoints_the_history_is_on_disk_all_the_same(make: Make, tmp_path: Path) -> None:
    engine = make(save_seconds=600)
    run_id = play(engine)
    eventually(lambda: run_id in Store(tmp_path).catalogue())
    saved = saved_step(tmp_path, run_id)
    reached = step_of(engine, run_id)
    eventually(lambda: Store(tmp_path).load(run_id).run.history.step[-1] >= reached)
    assert saved_step(tmp_path, run_id) == saved


def test_a_deleted_run_is_gone_for_everybody_and_stays_so(make: Make, tmp_path: Path) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster, save_seconds=0.2)
    run_id = play(engine)
    eventually(lambda: run_id in Store(tmp_path).catalogue())
    with pytest.raises(RunError, match="somebody else's"):
        engine.delete(run_id, YOU)
    engine.delete(run_id, ME)
    assert engine.runs_of(ME) == []
    for ask in (engine.hub.get, engine.owner_of, lambda run_id: engine.play(run_id, ME)):
        with pytest.raises(RunError, match="no such run"):
            ask(run_id)
    (line,) = cluster.lines.values()
    eventually(lambda: line.slices.run_ids() == [])
    time.sleep(1.5)  # a save that was under way would bring it back
    assert not list((tmp_path / "runs").iterdir())


def test_a_run_that_the_disk_does_not_let_go_stays_whole(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = play(engine)
    eventually(lambda: run_id in Store(tmp_path).catalogue())

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as read_only:
        read_only.setattr("bnviz.runs.store.folder.os.replace", refuse)
        with pytest.raises(RunError, match=r"could not be deleted .*Read-only"):
            engine.delete(run_id, ME)
    before = step_of(engine, run_id)
    eventually(lambda: step_of(engine, run_id) > before)


def test_the_controls_are_handed_over_once_and_for_good(make: Make, tmp_path: Path) -> None:
    engine = make(save_seconds=0.2)
    run_id = play(engine)
    eventually(lambda: run_id in Store(tmp_path).catalogue())
    with pytest.raises(RunError, match="somebody else's"):
        engine.offer_controls(run_id, YOU)
    older, code = engine.offer_controls(run_id, ME), engine.offer_controls(run_id, ME)
    files = [path.read_bytes() for path in (tmp_path / "runs" / run_id).iterdir()]
    assert not any(code.encode() in content for content in files)
    for wrong in ("", "guessed", older):
        with pytest.raises(RunError, match="used already, or"):
            engine.take_controls(run_id, YOU, wrong)
    with pytest.raises(RunError, match="You steer this run already"):
        engine.take_controls(run_id, ME, code)
    engine.close()
    second = make()
    eventually(lambda: second.runs_of(ME) == [run_id])
    second.take_controls(run_id, YOU, code)  # an offer outlives the server
    with pytest.raises(RunError, match="somebody else's"):
        second.play(run_id, ME)
    second.play(run_id, YOU)
    with pytest.raises(RunError, match="used already, or"):
        second.take_controls(run_id, "a third", code)
    second.close()
    third = make()
    eventually(lambda: third.runs_of(YOU) == [run_id])
    assert third.runs_of(ME) == []


def test_an_offer_ends_after_an_hour(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = play(engine)
    code = engine.offer_controls(run_id, ME)
    register = engine._running._register
    monkeypatch.setattr(register, "_now", lambda: time.time() + 3601)
    with pytest.raises(RunError, match="for an hour, which is over"):
        engine.take_controls(run_id, YOU, code)
    assert engine.owner_of(run_id) == ME


def test_a_dismissed_ghost_of_a_sleeping_run_stays_away(engine: Engine, tmp_path: Path) -> None:
    run_id = play(engine)
    engine.restart(run_id, ME, SMALL)
    engine.stop(run_id, ME)
    assert Store(tmp_path).load(run_id).run.ghost is not None
    engine.dismiss_ghost(run_id, ME)
    assert Store(tmp_path).load(run_id).run.ghost is None


# --- workers that end -------------------------------------------------------------------------------------------------


def test_a_run_whose_worker_ends_goes_on_elsewhere_from_its_checkpoint(make: Make, tmp_path: Path) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster, save_seconds=60)
    run_id = play(engine)
    eventually(lambda: saved_step(tmp_path, run_id) > 0)
    at = saved_step(tmp_path, run_id)
    eventually(lambda: engine.hub.get(run_id).history.step[-1] > at + 50)
    cluster.kill(next(iter(cluster.lines)))
    eventually(lambda: phase_of(engine, run_id) is Phase.QUEUED)
    lost = engine.hub.get(run_id).history.step[-1]
    cluster.add_worker()
    eventually(lambda: engine.hub.get(run_id).history.step[-1] > lost)
    resumed = cluster.bench.newest
    begun = resumed.step_count - len(resumed.hypers)
    assert at <= begun
    assert begun > 0
    history = engine.hub.get(run_id).history
    assert (history.step[1:] > history.step[:-1]).all()
    assert history.net_displacement[-1, 0, 0] == pytest.approx(0.5 * history.step[-1])


def test_checkpoints_come_to_the_engine_although_nothing_is_saved(make: Make, tmp_path: Path) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster, save_seconds=3600)
    run_id = play(engine)
    eventually(lambda: saved_step(tmp_path, run_id) > 0)
    for _ in range(2):  # each checkpoint takes the place of the one before
        begun = started_at(cluster.bench.newest)
        eventually(lambda begun=begun: step_of(engine, run_id) > begun + 5000)  # type: ignore[misc]
        killed = step_of(engine, run_id)
        cluster.kill(next(iter(cluster.lines)))
        eventually(lambda: phase_of(engine, run_id) is Phase.QUEUED)
        cluster.add_worker()
        eventually(lambda killed=killed: step_of(engine, run_id) > killed)  # type: ignore[misc]
        assert started_at(cluster.bench.newest) > begun


def started_at(trainer: FakeTrainer) -> int:
    """The step that a trainer was built at."""
    return trainer.step_count - len(trainer.hypers)


def test_steps_that_are_done_again_are_shown_once(make: Make) -> None:
    cluster = FakeCluster(workers=2, bench=Workbench(FAST))
    engine = make(cluster)
    run_id = play(engine, 4000)  # long enough for a checkpoint
    line = next(address for address, one in cluster.lines.items() if one.slices.run_ids())
    cluster.kill(line)
    lost = step_of(engine, run_id)
    eventually(lambda: engine.hub.get(run_id).history.step[-1] > lost + 500)
    run = engine.hub.get(run_id)
    assert (run.history.step[1:] > run.history.step[:-1]).all()
    assert run.history.net_displacement[-1, 0, 0] == pytest.approx(0.5 * run.history.step[-1])
    steps = [one.step for one in run.gradients]
    assert steps == sorted(set(steps))


# --- GPUs that fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [(torch.OutOfMemoryError, "no memory left"), (torch.AcceleratorError, "not answer"), (RuntimeError, "not answer")],
)
def test_a_run_whose_gpu_fails_goes_on_on_the_cpu_and_says_so(
    make: Make, fault: type[RuntimeError], words: str
) -> None:
    costs = replace(FAST, gpu_fails_at=3000, gpu_fault=fault)
    cluster = FakeCluster(bench=Workbench(costs))
    engine = make(cluster)
    run_id = engine.create(ME, SMALL, is_playing=True)
    other = engine.create(ME, SMALL.replace(device=Device.CPU), is_playing=True)
    eventually(lambda: step_of(engine, run_id) > 3500)
    assert words in engine.hub.status(run_id).notice
    assert "goes on on the CPU, from its last checkpoint" in engine.hub.status(run_id).notice
    assert phase_of(engine, run_id) is Phase.PLAYING
    assert started_at(cluster.bench.newest) > 0
    assert engine.hub.get(run_id).settings.model.device is SMALL.model.device  # what the visitor chose
    history = engine.hub.get(run_id).history
    assert (history.step[1:] > history.step[:-1]).all()
    assert history.net_displacement[-1, 0, 0] == pytest.approx(0.5 * history.step[-1])
    eventually(lambda: step_of(engine, other) > 3500)  # which shares the worker and knows nothing of it
    assert engine.hub.status(other).notice == ""


def test_a_gpu_that_fails_at_the_first_step_leaves_a_run_that_trains(make: Make) -> None:
    engine = make(FakeCluster(bench=Workbench(replace(FAST, gpu_fails_at=0))))
    run_id = engine.create(ME, SMALL, is_playing=True)
    eventually(lambda: step_of(engine, run_id) > 50)
    assert engine.hub.get(run_id).history.step[0] == 0


def test_a_restart_tries_the_gpu_again(make: Make) -> None:
    cluster = FakeCluster(bench=Workbench(replace(FAST, gpu_fails_at=70)))
    engine = make(cluster)
    run_id = play(engine, 100)
    cluster.bench.costs.gpu_fails_at = None
    engine.restart(run_id, ME, SMALL)
    eventually(lambda: engine.hub.status(run_id).generation == 1 and step_of(engine, run_id) > 100)
    assert cluster.bench.newest.settings.model.device is SMALL.model.device
    assert engine.hub.status(run_id).notice == ""


# --- workers that end, and what was asked meanwhile -------------------------------------------------------------------


def test_what_was_asked_while_a_run_had_no_worker_is_done_on_the_next(make: Make, tmp_path: Path) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster, save_seconds=0.5)
    run_id = play(engine)
    eventually(lambda: saved_step(tmp_path, run_id) > 0)
    cluster.kill(next(iter(cluster.lines)))
    engine.set(run_id, ME, HyperParams(learning_rate=4.0))
    cluster.add_worker()
    eventually(lambda: any(one.new == 4.0 for one in engine.hub.get(run_id).interventions))
    assert engine.hub.get(run_id).settings.hyper.learning_rate == 4.0


def test_a_restart_while_a_run_has_no_worker_keeps_its_ghost(make: Make) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster)
    run_id = play(engine, steps=100)
    cluster.kill(next(iter(cluster.lines)))
    eventually(lambda: phase_of(engine, run_id) is Phase.QUEUED)
    engine.restart(run_id, ME, SMALL.replace(seed=1))
    cluster.add_worker()
    eventually(lambda: phase_of(engine, run_id) is Phase.PLAYING)
    run = engine.hub.get(run_id)
    assert run.ghost is not None
    assert (run.ghost.label, run.status.generation) == ("earlier run, seed 0", 1)
    eventually(lambda: engine.hub.get(run_id).history.step[:2].tolist() == [0, 1])


def test_a_run_that_outlives_three_workers_is_paused(make: Make) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster)
    run_id = play(engine)
    for _ in range(3):
        cluster.kill(next(iter(cluster.lines)))
        eventually(lambda: phase_of(engine, run_id) is Phase.QUEUED)
        cluster.add_worker()
        eventually(lambda: phase_of(engine, run_id) is not Phase.QUEUED)
    assert phase_of(engine, run_id) is Phase.PAUSED
    assert "ended several times" in engine.hub.status(run_id).notice


def test_a_cluster_that_ends_is_started_again(make: Make) -> None:
    cluster = FakeCluster(bench=Workbench(FAST))
    engine = make(cluster)
    run_id = play(engine)
    cluster.is_down = True
    eventually(lambda: cluster.starts == 2)
    eventually(lambda: phase_of(engine, run_id) is Phase.PLAYING)


# --- the one engine of a process --------------------------------------------------------------------------------------


def test_a_process_has_one_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BNVIZ_HOME", str(tmp_path))
    engine_module.use_engine(None)
    try:
        assert engine_module.engine() is engine_module.engine()
        assert not engine_module.engine().is_ready
        other = Engine(tmp_path, cluster=FakeCluster())
        engine_module.use_engine(other)
        assert engine_module.engine() is other
    finally:
        engine_module.use_engine(None)


def test_every_error_of_the_engine_is_a_bnviz_error() -> None:
    assert issubclass(EngineError, BnvizError)
