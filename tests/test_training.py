"""Lock-step training: reproducible, undisturbed by measuring, and with the paper's outcome on MNIST."""

import time
from dataclasses import fields, replace
from itertools import count, pairwise

import numpy as np
import pytest
import torch

from bnviz import data
from bnviz.config import (
    BN,
    PLAIN,
    TWINS,
    WITH_NOISE,
    AnatomyConfig,
    Directions,
    HyperParams,
    LandscapeConfig,
    ModelConfig,
    Network,
    Sampling,
    Settings,
    Statistics,
    networks_of,
)
from bnviz.data import Batches
from bnviz.errors import ConfigError, DataError
from bnviz.measure.condition import WINDOW
from bnviz.records import MEASURES, Badge, Condition, Phase, Point, measure_shapes
from bnviz.training import Trainer, is_scheduled, train
from bnviz.worker import checkpoints

torch.set_num_threads(1)
NOISY = networks_of(WITH_NOISE)
SMALL = Settings(ModelConfig(width=33, hidden_layers=2))
STILL = HyperParams(learning_rate=0.001)


@pytest.fixture(scope="module")
def mnist():
    return data.load()


@pytest.fixture
def trainer(mnist):
    return Trainer(SMALL, mnist)


def run(trainer: Trainer, steps: int, *hyper: HyperParams) -> Trainer:
    """So many steps, the settings given taking turns."""
    for step in range(steps):
        trainer.step(hyper[step % len(hyper)] if hyper else trainer.settings.hyper)
    return trainer


def assert_same_state(a: Trainer, b: Trainer, without: tuple[str, ...] = ()) -> None:
    """Bitwise, for everything a checkpoint holds but the names that contain one of `without`."""
    first, second = a.checkpoint(), b.checkpoint()
    assert first.keys() == second.keys()
    for name in first:
        if not any(part in name for part in without):
            assert torch.equal(first[name].nan_to_num(), second[name].nan_to_num()), name


def assert_same_point(a: Point, b: Point) -> None:
    for one in fields(Point):
        assert np.array_equal(getattr(a, one.name), getattr(b, one.name), equal_nan=True), one.name


# --- the twins --------------------------------------------------------------------------------------------------------


def test_the_twins_start_from_the_same_weights(trainer):
    tensors = trainer.checkpoint()
    for layer in (1, 2, 3):
        assert torch.equal(tensors[f"plain/weight.{layer}"], tensors[f"bn/weight.{layer}"])
        assert tensors[f"plain/weight.{layer}"].any()
    for layer in (1, 2):
        assert (tensors[f"bn/gamma.{layer}"] == 1).all()
        assert not tensors[f"bn/beta.{layer}"].any()
        assert not tensors[f"plain/bias.{layer}"].any()


def test_two_equal_competitors_stay_equal_because_they_are_fed_the_same_batches(mnist):
    twice = Trainer(SMALL, mnist, [PLAIN, BN, replace(PLAIN, name="again"), replace(BN, name="bn again")])
    tensors = run(twice, 10).checkpoint()
    for layer in (1, 2, 3):
        assert torch.equal(tensors[f"plain/weight.{layer}"], tensors[f"again/weight.{layer}"])
        assert torch.equal(tensors[f"bn/weight.{layer}"], tensors[f"bn again/weight.{layer}"])


def test_each_twin_trains_alone_as_beside_the_other_bit_for_bit(mnist):
    both = run(Trainer(SMALL, mnist), 10).checkpoint()
    for competitor in TWINS:
        alone = run(Trainer(SMALL, mnist, [competitor]), 10).checkpoint()
        for name, value in alone.items():
            if name.startswith(f"{competitor.name}/") and "drift" not in name:
                assert torch.equal(value, both[name]), name


def test_a_live_change_acts_at_the_next_step_on_both(trainer, mnist):
    run(trainer, 5)
    before = trainer.checkpoint()
    trainer.step(replace(SMALL.hyper, learning_rate=0.001, batch_size=17))
    assert trainer.settings.hyper.learning_rate == 0.001
    assert trainer.images_seen == 5 * 60 + 17
    after, unchanged = trainer.checkpoint(), run(Trainer(SMALL, mnist), 6).checkpoint()
    for name in ("plain/weight.1", "bn/weight.1"):
        small, large = (after[name] - before[name]).norm(), (unchanged[name] - before[name]).norm()
        assert 0 < small < large / 50


def test_a_live_change_that_costs_too_much_is_refused_before_the_step(mnist):
    trainer = Trainer(Settings(ModelConfig(hidden_layers=3, width=512)), mnist)
    with pytest.raises(ConfigError, match="momentum"):
        trainer.step(HyperParams(momentum=0.9))
    assert trainer.step_count == 0


def test_a_device_that_is_not_there_is_refused_with_a_remedy(mnist):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ConfigError, match="choose cpu or auto"):
        Trainer(SMALL.replace(device="cuda"), mnist)
    assert Trainer(SMALL.replace(device="cpu"), mnist).device_name == "CPU"


OWN = (  # what a competitor may have of its own, as the settings of a run
    {"learning_rate": 2.0},
    {"learning_rate": 0.003, "init_scale": 0.5},
    {"initialization": "he", "init_scale": 1.0, "learning_rate": 0.1},
    {"seed": 7},
)


@pytest.mark.parametrize("hyper", [{}, {"momentum": 0.9, "weight_decay": 1e-3}, {"optimizer": "adam"}])
def test_a_competitor_with_settings_of_its_own_trains_as_in_a_run_with_these_bit_for_bit(mnist, hyper):
    settings = SMALL.replace(learning_rate=0.01, **hyper)
    cells = [replace(twin, name=f"{twin.name} {i}", **own) for i, own in enumerate(OWN) for twin in TWINS]
    together = run(Trainer(settings, mnist, cells), 5).checkpoint()
    for i, own in enumerate(OWN):
        in_a_run = Trainer(settings.replace(**own), mnist)
        if "seed" in own:  # there the seed orders the images as well
            in_a_run._batches = Batches(settings.model.seed)
        expected = run(in_a_run, 5).checkpoint()
        for twin in TWINS:
            for layer in (1, 2, 3):
                mine = together[f"{twin.name} {i}/weight.{layer}"]
                assert torch.equal(mine, expected[f"{twin.name}/weight.{layer}"]), (own, layer)


def test_a_competitors_own_settings_have_the_bounds_of_the_runs(mnist):
    with pytest.raises(ConfigError, match="Learning rate = 31"):
        replace(PLAIN, learning_rate=31)
    with pytest.raises(ConfigError, match="Initialization = 'zeros'"):
        replace(PLAIN, initialization="zeros")


# --- reproducible -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_reset_reproduces_the_run_bit_for_bit(mnist, optimizer):
    settings = SMALL.replace(optimizer=optimizer, momentum=0.9, learning_rate=0.01, weight_decay=1e-4)
    first = run(Trainer(settings, mnist), 8)
    torch.manual_seed(123)
    torch.rand(7)
    assert_same_state(first, run(Trainer(settings, mnist), 8))


@pytest.mark.parametrize(
    "changes",
    [{}, {"networks": NOISY}, {"networks": NOISY, "optimizer": "adam", "learning_rate": 0.01}],
)
def test_measuring_never_changes_training(mnist, changes):
    settings = SMALL.replace(**changes)
    watched, blind = Trainer(settings, mnist, clock=count().__next__), Trainer(settings, mnist)
    for step in range(12):
        watched.measure(is_scheduled=True)
        watched.gradients()
        surfaces = watched.contour(Directions.PATHS, side=11)
        next(surfaces)
        watched.shift()
        watched.smoothness()
        hyper = replace(settings.hyper, batch_size=60 if step % 3 else 20)
        watched.step(hyper)
        blind.step(hyper)
        list(surfaces)
    assert_same_state(watched, blind, without=("drift", "sum", "means", "compute_time"))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_resumed_run_goes_on_bit_for_bit_and_measures_the_same(mnist, optimizer, momentum):
    settings = SMALL.replace(optimizer=optimizer, momentum=momentum, learning_rate=0.01)
    straight = Trainer(settings, mnist)
    for _ in range(5):
        straight.step(settings.hyper)
        straight.measure(is_scheduled=True)
    straight.step(settings.hyper)
    resumed = Trainer.resume(settings, mnist, straight.checkpoint())
    assert_same_state(straight, resumed)
    assert_same_point(straight.measure(is_scheduled=False), resumed.measure(is_scheduled=False))
    for trainer in (straight, resumed):
        run(trainer, 5, settings.hyper, replace(settings.hyper, batch_size=16))
    assert_same_state(straight, resumed)
    assert_same_point(straight.measure(is_scheduled=True), resumed.measure(is_scheduled=True))


def test_a_checkpoint_is_not_the_live_weights(trainer):
    tensors = trainer.checkpoint()
    kept = {name: value.clone() for name, value in tensors.items()}
    run(trainer, 3)
    assert all(torch.equal(tensors[name].nan_to_num(), kept[name].nan_to_num()) for name in tensors)


def test_a_checkpoint_of_other_settings_is_refused(mnist, trainer):
    with pytest.raises(DataError, match="does not fit these settings"):
        Trainer.resume(SMALL.replace(width=20), mnist, trainer.checkpoint())
    with pytest.raises(DataError, match="does not fit these settings"):
        Trainer.resume(SMALL, mnist, {})


# --- measuring --------------------------------------------------------------------------------------------------------


def test_the_schedule_is_every_step_to_20_then_about_30_a_decade():
    scheduled = [step for step in range(20_001) if is_scheduled(step)]
    assert scheduled[:22] == [*range(21), 22]
    assert len([step for step in scheduled if 20 < step <= 200]) == 30
    assert len([step for step in scheduled if 2000 < step <= 20_000]) == 30
    assert all(later > earlier for earlier, later in pairwise(scheduled))
    assert {200, 2000, 20_000} <= set(scheduled)


def test_a_point_has_every_measure_in_its_shape(trainer):
    run(trainer, 3)
    point = trainer.measure(is_scheduled=True)
    for name, shape in measure_shapes(2, 2, 33).items():
        assert np.shape(getattr(point, name)) == shape, name
        assert np.isfinite(getattr(point, name)).all() or name == "batch_accuracy", name
    assert set(MEASURES) == set(measure_shapes(2, 2, 33))


def test_with_noise_there_is_test_accuracy_with_batch_statistics_too(mnist):
    noisy = run(Trainer(Settings().replace(networks=NOISY), mnist), 250).measure(is_scheduled=True)
    assert np.isfinite(noisy.batch_accuracy).all()
    assert np.isnan(run(Trainer(SMALL, mnist), 3).measure(is_scheduled=True).batch_accuracy).all()
    np.testing.assert_allclose(noisy.batch_accuracy[[0, 3]], noisy.accuracy[[0, 3]], atol=1e-3)  # without BN: the same
    assert noisy.batch_accuracy[2] > 0.8


def test_noisy_bn_trains_almost_as_bn_does_and_the_noise_alone_does_not_stop_the_other(mnist):
    """SCIENCE, section 2: after 1,000 steps at 0.1, .49 to .53 without BN, .91 with it, .91 with noise as well."""
    trainer = Trainer(Settings().replace(networks=NOISY, learning_rate=0.1), mnist)
    accuracy = run(trainer, 1000).measure(is_scheduled=True).accuracy
    plain, bn, noisy, noise = accuracy
    assert 0.35 < plain < 0.75
    assert bn > 0.88
    assert noisy > 0.86
    assert 0.4 < noise < 0.85


def test_ten_layers_deep_noisy_bn_is_misled_by_its_running_statistics_and_not_by_the_batchs(mnist):
    """SCIENCE, section 2: ReLU-10 at .03, .84 to .91 at inference against .93 with the statistics of the batch."""
    settings = Settings().replace(
        networks=NOISY,
        nonlinearity="relu",
        initialization="he",
        init_scale=1.0,
        hidden_layers=10,
        learning_rate=0.03,
    )
    point = run(Trainer(settings, mnist), 1000).measure(is_scheduled=True)
    noisy = 2
    assert point.batch_accuracy[noisy] > 0.91
    assert point.accuracy[noisy] < point.batch_accuracy[noisy] - 0.01


def test_train_accuracy_is_the_mean_over_the_mini_batches_since_the_point_before(trainer):
    run(trainer, 4)
    first = trainer.measure(is_scheduled=True)
    hits = 240 * first.train_accuracy
    np.testing.assert_allclose(hits, hits.round(), atol=1e-3)  # of 240 images a whole number
    run(trainer, 300)
    trainer.measure(is_scheduled=True)
    run(trainer, 60)
    later = trainer.measure(is_scheduled=True)
    np.testing.assert_allclose(later.train_accuracy, later.accuracy, atol=0.1)  # and nothing of before


def test_noise_that_was_changed_meanwhile_does_not_move_where_the_drift_began(mnist):
    settings = SMALL.replace(networks=NOISY)
    straight = Trainer(settings, mnist)
    louder = replace(settings.hyper, noise_mean=2.0)
    run(straight, 5)
    run(straight, 5, louder)
    resumed = Trainer.resume(straight.settings, mnist, straight.checkpoint())
    assert_same_point(straight.measure(is_scheduled=True), resumed.measure(is_scheduled=True))


def test_step_0_has_no_loss_and_no_update_yet_and_has_not_drifted(trainer):
    point = trainer.measure(is_scheduled=True)
    assert (point.step, point.images) == (0, 0)
    assert np.isnan(point.loss).all()
    assert np.isnan(point.update_ratio).all()
    assert not point.net_displacement.any()
    assert not point.path_length.any()


def test_a_scheduled_point_measured_again_with_its_accuracy_stays_one_and_walks_no_further(mnist):
    trainer, once = run(Trainer(SMALL, mnist), 5), run(Trainer(SMALL, mnist), 5)
    for one in (trainer, once):
        one.measure(is_scheduled=True, with_accuracy=False)
        run(one, 3)
    first = trainer.measure(is_scheduled=True, with_accuracy=False)
    again = trainer.measure(is_scheduled=False)
    assert again.is_scheduled
    assert np.isfinite(again.accuracy).all()
    np.testing.assert_array_equal(again.path_length, first.path_length)
    assert_same_point(again, once.measure(is_scheduled=True))


def test_late_in_a_run_the_loss_is_a_mean_over_its_last_twentieth_however_close_the_points(mnist):
    trainer = run(Trainer(SMALL, mnist), 400)
    trainer.measure(is_scheduled=False)
    run(trainer, 40)
    wide = trainer.measure(is_scheduled=False).loss
    trainer.step(SMALL.hyper)
    one_later = trainer.measure(is_scheduled=False).loss
    assert np.abs(one_later - wide).max() < 0.02  # a single mini-batch of 60 scatters by several tenths
    assert not np.array_equal(one_later, wide)


def test_a_checkpoint_of_an_earlier_version_goes_on_and_begins_its_means_anew(mnist):
    trainer = run(Trainer(SMALL, mnist), 30)
    tensors = trainer.checkpoint()
    for name in ("means", "noise_at_start"):
        del tensors[name]
    tensors |= {"loss_sum": torch.zeros(2), "loss_steps": torch.zeros(()), "mean_loss": torch.zeros(2)}
    resumed = run(Trainer.resume(SMALL, mnist, tensors), 5)
    assert_same_state(run(trainer, 5), resumed, without=("means",))
    assert np.isfinite(resumed.measure(is_scheduled=True).loss).all()


def test_loss_is_the_mean_over_the_mini_batches_since_the_point_before(mnist):
    losses = []
    single = Trainer(SMALL, mnist)
    for _ in range(6):
        single.step(STILL)
        losses.append(single.measure(is_scheduled=False).loss)
    trainer = run(Trainer(SMALL, mnist), 2, STILL)
    assert trainer.measure(is_scheduled=False).loss == pytest.approx(np.mean(losses[:2], axis=0))
    run(trainer, 4, STILL)
    assert trainer.measure(is_scheduled=False).loss == pytest.approx(np.mean(losses[2:], axis=0))


def test_only_scheduled_points_lengthen_the_path(mnist):
    often, seldom = Trainer(SMALL, mnist), Trainer(SMALL, mnist)
    for step in range(9):
        for trainer in (often, seldom):
            trainer.step(SMALL.hyper)
        if step % 3 == 2:
            often.measure(is_scheduled=True)
            seldom.measure(is_scheduled=True)
        else:
            often.measure(is_scheduled=False)
    a, b = often.measure(is_scheduled=True), seldom.measure(is_scheduled=True)
    assert np.array_equal(a.path_length, b.path_length)
    assert (a.path_length >= a.net_displacement - 1e-6).all()


def test_measuring_twice_at_a_step_gives_the_same_point_and_stays_scheduled(trainer):
    run(trainer, 2)
    point = trainer.measure(is_scheduled=True)
    assert trainer.measure(is_scheduled=False) is point
    assert trainer.measure(is_scheduled=True) is point


def test_a_light_point_lacks_the_test_accuracy_alone_and_is_made_whole_when_asked(trainer):
    run(trainer, 3)
    light, whole = trainer.measure(is_scheduled=False, with_accuracy=False), trainer.measure(is_scheduled=False)
    assert np.isnan(light.accuracy).all()
    assert np.isfinite(whole.accuracy).all()
    assert trainer.measure(is_scheduled=False, with_accuracy=False) is whole
    assert_same_point(light, replace(whole, accuracy=light.accuracy))


def test_compute_seconds_are_each_competitors_own_steps_at_the_clocks_pace(mnist):
    ticks = count()  # one second a look: a step alone takes exactly 1
    trainer = Trainer(SMALL, mnist, clock=lambda: float(next(ticks)))
    trainer.measure(is_scheduled=True)
    run(trainer, 4)
    assert trainer.measure(is_scheduled=True).compute_seconds.tolist() == [4, 4]
    run(trainer, 3)
    assert trainer.measure(is_scheduled=False).compute_seconds.tolist() == [7, 7]
    assert Trainer(SMALL, mnist).measure(is_scheduled=True).compute_seconds.tolist() == [0, 0]


def test_gradients_are_recorded_for_every_weight_matrix(trainer):
    record = run(trainer, 2).gradients()
    assert record.step == 2
    assert record.counts.sum(axis=-1).tolist() == [[784 * 33, 33 * 33, 330]] * 2
    assert (record.std > 0).all()


@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("directions", Directions)
def test_a_network_about_to_overflow_is_left_out_of_the_picture_and_the_other_is_drawn(mnist, directions, statistics):
    trainer = run(Trainer(SMALL, mnist), 3)
    trainer._stack.parameters.weights[0][0].mul_(1e25)
    points = ("bn@0", "bn@now", "bn@2") if directions is Directions.POINTS else LandscapeConfig().points
    config = LandscapeConfig(directions, statistics, resolution=11, images=20, batches=1, points=points)
    trainer.measure(is_scheduled=True)
    *_, landscape = trainer.landscape(config)
    if not landscape.problem:  # three points of so short a path may lie on one line
        assert np.isnan(landscape.loss[0]).all()
        assert np.isfinite(landscape.loss[1]).all()
        assert landscape.done == 1
    *_, contour = trainer.contour(Directions.PATHS, side=11)
    assert np.isfinite(contour.loss[1]).all()


def test_where_all_are_about_to_overflow_the_picture_says_so(mnist):
    trainer = run(Trainer(SMALL, mnist), 3)
    trainer._stack.parameters.weights[0].mul_(1e25)
    (landscape,) = trainer.landscape(LandscapeConfig())
    assert "about to overflow" in landscape.problem
    assert list(trainer.contour(Directions.PATHS, side=11)) == []


@pytest.mark.parametrize("directions", Directions)
def test_a_contour_grows_to_a_whole_one_of_the_step_it_was_asked_at(trainer, directions):
    for _ in range(4):
        trainer.step(SMALL.hyper)
        trainer.measure(is_scheduled=True)
    quiet = list(trainer.contour(directions, side=11))
    disturbed = []
    for contour in trainer.contour(directions, side=11):
        disturbed.append(contour)
        trainer.step(SMALL.hyper)
    for contours in (quiet, disturbed):
        missing = [int(np.isnan(contour.loss).sum()) for contour in contours]
        assert missing == sorted(missing, reverse=True)
        assert missing[-1] == 0
        assert contours[-1].step == 4
        assert contours[-1].directions is directions
    assert np.array_equal(quiet[-1].loss, disturbed[-1].loss)
    assert quiet[-1].path_steps.tolist() == [0, 1, 2, 3, 4]
    assert quiet[-1].path.shape == (2, 5, 2)


# --- conditions -------------------------------------------------------------------------------------------------------

FRAGILE = Settings(ModelConfig(nonlinearity="relu", width=33, hidden_layers=2), HyperParams(learning_rate=5))


def until_stopped(trainer: Trainer, index: int, hyper: HyperParams, most: int = 400) -> Trainer:
    while trainer.health[index].condition is not Condition.DIVERGED and trainer.step_count < most:
        trainer.step(hyper)
    return trainer


def test_a_diverged_competitor_stops_is_named_and_the_other_goes_on_as_if_alone(mnist):
    hyper = HyperParams(learning_rate=30)
    settings = FRAGILE.replace(initialization="he", init_scale=10.0, hidden_layers=4)
    trainer = until_stopped(Trainer(settings, mnist), 0, hyper)
    health = trainer.health[0]
    assert health.condition is Condition.DIVERGED
    assert health.since_step in (trainer.step_count, trainer.step_count - 1)
    assert 1 <= health.layer <= 5
    assert health.what in ("inputs", "gradient", "weights", "loss")
    assert trainer.health[1].condition is not Condition.DIVERGED
    stopped = trainer.checkpoint()
    run(trainer, 5, hyper)
    alone = run(Trainer(settings, mnist, [BN]), trainer.step_count, hyper).checkpoint()
    now = trainer.checkpoint()
    for name in now:
        if name.startswith("plain/"):
            assert torch.equal(now[name], stopped[name]) or "drift" in name, name
        if name.startswith("bn/weight"):
            assert torch.equal(now[name], alone[name]), name


def test_what_is_measured_of_a_diverged_competitor_is_nan_and_the_other_is_measured_on(mnist):
    hyper = HyperParams(learning_rate=30)
    settings = FRAGILE.replace(initialization="he", init_scale=10.0, hidden_layers=4)
    trainer = Trainer(settings, mnist)
    trainer.measure(is_scheduled=True)
    run(until_stopped(trainer, 0, hyper), 3, hyper)
    point = trainer.measure(is_scheduled=True)
    for name in set(MEASURES) - {"step", "images", "is_scheduled", "batch_accuracy"}:
        assert np.isnan(getattr(point, name)[0]).all(), name
        assert not np.isnan(getattr(point, name)[1]).all(), name
    *_, contour = trainer.contour(Directions.PATHS, side=11)
    assert np.isnan(contour.loss[0]).all()
    assert not np.isnan(contour.loss[1]).any()
    assert trainer.gradients().counts[0].sum() == 0
    resumed = Trainer.resume(settings, mnist, trainer.checkpoint())
    assert_same_state(run(trainer, 3, hyper), run(resumed, 3, hyper))
    assert resumed.health == trainer.health


def test_when_all_have_diverged_nothing_is_left_to_step(mnist):
    trainer = Trainer(
        settings := FRAGILE.replace(initialization="he", init_scale=10.0, hidden_layers=4), mnist, [PLAIN]
    )
    until_stopped(trainer, 0, HyperParams(learning_rate=30))
    assert trainer.is_finished
    steps = trainer.step_count
    trainer.step(HyperParams())
    assert trainer.step_count == steps
    assert np.isnan(trainer.measure(is_scheduled=True).accuracy).all()
    assert Trainer.resume(settings, mnist, trainer.checkpoint(), [PLAIN]).is_finished
    assert list(trainer.contour(Directions.PATHS, side=11)) == []
    (landscape,) = trainer.landscape(LandscapeConfig())
    assert "every network has diverged" in landscape.problem.lower()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_relu_dragged_from_learning_rate_01_to_5_fails_without_bn(mnist, seed):
    trainer = run(
        Trainer(Settings(ModelConfig(nonlinearity="relu", seed=seed)), mnist), 100, HyperParams(learning_rate=0.1)
    )
    assert trainer.health[0].condition is Condition.TRAINING
    run(trainer, WINDOW + 50, HyperParams(learning_rate=5))
    assert trainer.health[0].condition in (Condition.STALLED, Condition.DIVERGED)
    assert trainer.health[0].since_step >= 50


def test_a_stalled_network_is_named_since_its_first_step_at_chance_and_can_recover(mnist):
    trainer = Trainer(Settings(ModelConfig(width=33, hidden_layers=3, init_scale=0.01)), mnist)
    run(trainer, WINDOW - 1, HyperParams(learning_rate=0.1))
    assert [health.condition for health in trainer.health] == [Condition.TRAINING] * 2
    run(trainer, 1, HyperParams(learning_rate=0.1))
    stalled, fine = trainer.health
    assert (stalled.condition, stalled.since_step) == (Condition.STALLED, 0)
    assert fine.condition is Condition.TRAINING
    hyper = HyperParams(learning_rate=5)
    while trainer.health[0].condition is Condition.STALLED and trainer.step_count < 3000:
        trainer.step(hyper)
    assert trainer.health[0].condition is Condition.TRAINING
    assert trainer.health[0].since_step is None


# --- the package without the app --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_train_returns_a_whole_run(mnist):
    points = []
    result = train(SMALL, steps=25, mnist=mnist, on_point=points.append)
    assert result.history.step.tolist() == [*range(21), 22, 23, 25]
    assert [point.step for point in points] == result.history.step.tolist()
    assert result.history.is_scheduled.tolist() == [True] * 23 + [True] * is_scheduled(25) + [False] * (
        not is_scheduled(25)
    )
    assert result.status.phase is Phase.PAUSED
    assert result.badge is Badge.MEASURED
    assert (result.gradients_at_start.step, result.gradients_now.step, result.contour.step) == (0, 25, 25)
    assert (np.diff(result.history.compute_seconds, axis=0) > 0).all()


# --- what must come out (SCIENCE, sections 1.5 and 6: one seed or a few there, so the margins are generous) -----------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("init_scale", "learning_rate", "steps", "plain", "bn"),
    [
        (0.1, 0.1, 250, (0.08, 0.25), (0.82, 0.92)),
        (0.1, 0.5, 250, (0.30, 0.65), (0.85, 0.93)),
        (0.1, 0.5, 1000, (0.84, 0.92), (0.88, 0.95)),
        (0.01, 0.1, 250, (0.08, 0.15), (0.80, 0.92)),
        (0.01, 2.0, 1000, (0.25, 0.55), (0.88, 0.95)),
    ],
)
def test_test_accuracies_are_those_of_the_table(mnist, init_scale, learning_rate, steps, plain, bn):
    settings = Settings(ModelConfig(init_scale=init_scale), HyperParams(learning_rate=learning_rate))
    found = run(Trainer(settings, mnist), steps).measure(is_scheduled=True).accuracy
    for accuracy, (low, high) in zip(found, (plain, bn), strict=True):
        assert low <= accuracy <= high


@pytest.mark.slow
def test_inputs_drift_far_without_bn_and_little_with_it(mnist):
    trainer = Trainer(Settings(), mnist)
    trainer.measure(is_scheduled=True)
    point = run(trainer, 1000).measure(is_scheduled=True)
    assert point.net_displacement == pytest.approx(np.array([[1.54, 0.95, 1.15], [0.13, 0.14, 0.39]]), rel=0.25)
    expected = np.array([[1.06, 1.31, 1.57], [0.13, 0.13, 0.32]])
    assert point.standardised_net_displacement == pytest.approx(expected, rel=0.25)


@pytest.mark.slow
def test_a_stalled_network_does_not_drift_though_it_does_not_train_either(mnist):
    settings = Settings(ModelConfig(init_scale=0.01), HyperParams(learning_rate=0.1))
    trainer = Trainer(settings, mnist)
    trainer.measure(is_scheduled=True)
    point = run(trainer, 1000).measure(is_scheduled=True)
    assert (point.net_displacement[0, :2] < 0.05).all()
    assert point.accuracy[0] < 0.15
    assert point.net_displacement[1] == pytest.approx([0.11, 0.12, 0.28], rel=0.35)
    assert point.accuracy[1] > 0.8


# --- other normalizations ---------------------------------------------------------------------------------------------

LINEUPS = [
    (("layer", "group", "weight", "renormalization"), {}),
    (("none", "decorrelated"), {}),
    (("weight", "decorrelated", "noisy_batch"), {"optimizer": "adam", "learning_rate": 0.01, "bn_placement": "after"}),
    (("batch", "weight", "renormalization", "decorrelated"), {"momentum": 0.5}),
    (("none", "batch", "dropout", "batch_dropout"), {"training_images": 500}),
    (("layer", "batch_dropout", "lsuv", "glorot"), {"bn_placement": "after", "momentum": 0.5}),
    (("none", "lsuv", "orthogonal", "he"), {"optimizer": "adam", "learning_rate": 0.01, "initialization": "lsuv"}),
    (("none", "batch", "layer", "decorrelated"), {"architecture": "convolutional", "hidden_layers": 2, "width": 15}),
    (
        ("group", "weight", "noisy_batch", "noise"),
        {"architecture": "convolutional", "hidden_layers": 2, "width": 15, "momentum": 0.5},
    ),
    (("none", "batch", "batch_dropout", "lsuv"), {"architecture": "convolutional", "hidden_layers": 2, "width": 15}),
]


@pytest.mark.parametrize(("networks", "changes"), LINEUPS)
def test_with_every_normalization_a_resumed_run_goes_on_bit_for_bit_and_measuring_changes_nothing(
    mnist, networks, changes
):
    settings = SMALL.replace(networks=networks, groups=3, **changes)
    straight, watched = Trainer(settings, mnist), Trainer(settings, mnist)
    run(straight, 12)
    run(watched, 6)
    watched.measure(is_scheduled=True)
    watched.gradients()
    watched.shift()
    watched.smoothness()
    list(watched.sharpness())
    list(watched.landscape(LandscapeConfig(resolution=11, images=60)))
    resumed = Trainer.resume(settings, mnist, watched.checkpoint())
    run(resumed, 6)
    run(watched, 6)
    expected = straight.checkpoint()
    for other in (resumed, watched):
        found = other.checkpoint()
        for name, value in expected.items():
            if name.split("/")[-1] not in ("drift_path", "drift_previous", "compute_time", "means"):
                assert torch.equal(value.nan_to_num(), found[name].nan_to_num()), name
    assert any("running_cov" in name for name in expected) is ("decorrelated" in networks)


@pytest.mark.parametrize("sampling", list(Sampling))
@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("adam", 0.9)])
def test_a_checkpoint_file_has_all_that_every_network_needs_to_go_on_bit_for_bit(mnist, optimizer, momentum, sampling):
    """Through the bytes on disk, over the end of an epoch, with settings that were changed before and are after."""
    changes = {"optimizer": optimizer, "momentum": momentum, "sampling": sampling, "learning_rate": 0.01}
    for networks in batched(Network, 4):
        settings = SMALL.replace(networks=networks, groups=3, training_images=1000, batch_size=100, **changes)
        later = replace(settings.hyper, batch_size=50, dropout=0.2, noise_mean=1.0, r_max=1.5, bn_momentum=0.3)
        straight = run(Trainer(settings, mnist), 2, settings.hyper, later)
        blob = checkpoints.encode(straight.checkpoint(), checkpoints.Progress(settings.replace(), (), -1))
        resumed = Trainer.resume(straight.settings, mnist, checkpoints.decode(blob)[0])
        for trainer in (straight, resumed):
            run(trainer, 6, later, settings.hyper, later)
        assert_same_state(straight, resumed)


def batched(values, size):
    """So many of them at a time."""
    values = list(values)
    return [values[at : at + size] for at in range(0, len(values), size)]


@pytest.mark.parametrize(("networks", "changes"), LINEUPS)
def test_every_measure_of_every_normalization_is_a_number(mnist, networks, changes):
    trainer = Trainer(SMALL.replace(networks=networks, groups=3, **changes), mnist, clock=time.perf_counter)
    run(trainer, 8)
    point = trainer.measure(is_scheduled=True)
    for name in ("accuracy", "bands", "quantiles", "net_displacement", "dead", "update_ratio", "compute_seconds"):
        assert np.isfinite(getattr(point, name)).all(), name
    assert (point.compute_seconds > 0).all()
    assert np.isfinite(trainer.gradients().std).all()
    assert np.isfinite(trainer.shift().change).all()
    assert np.isfinite(trainer.smoothness().beta).all()
    *_, sharpest = trainer.sharpness()
    assert np.isfinite(sharpest.eigenvalue).all()
    for statistics in Statistics:
        *_, whole = trainer.landscape(LandscapeConfig(resolution=11, images=60, statistics=statistics))
        assert np.isfinite(whole.loss).all()


def test_what_is_measured_again_later_knows_the_statistics_and_limits_of_then(mnist):
    """Batch Renormalization trains on its running statistics: copies that measure must follow them."""
    settings = SMALL.replace(networks=("batch", "renormalization"))
    trainer = run(Trainer(settings, mnist), 5)
    trainer.smoothness()
    trainer.shift()
    tighter = replace(settings.hyper, r_max=1.5, d_max=0.5, learning_rate=0.1)
    run(trainer, 10, tighter)
    fresh = Trainer.resume(trainer.settings, mnist, trainer.checkpoint())
    np.testing.assert_array_equal(trainer.smoothness().gradient_change, fresh.smoothness().gradient_change)
    np.testing.assert_array_equal(trainer.shift().change, fresh.shift().change)


def test_new_limits_take_effect_at_the_next_step_on_batch_renormalization_alone(mnist):
    settings = SMALL.replace(networks=("batch", "renormalization"))
    wide, tight = (replace(settings.hyper, learning_rate=0.1, r_max=r_max, d_max=0.0) for r_max in (3.0, 1.0))
    both = [run(Trainer(settings, mnist), 3, hyper).checkpoint() for hyper in (wide, tight)]
    assert torch.equal(both[0]["bn/weight.1"], both[1]["bn/weight.1"])
    assert not torch.equal(both[0]["renorm/weight.1"], both[1]["renorm/weight.1"])
    assert torch.equal(both[1]["bn/weight.1"], both[1]["renorm/weight.1"])  # with 1 and 0 it is BN


def test_networks_without_statistics_of_the_batch_have_one_landscape_whatever_the_statistics(mnist):
    trainer = run(Trainer(SMALL.replace(networks=("none", "batch", "layer", "weight")), mnist), 8)
    found = []
    for statistics in (Statistics.BATCH, Statistics.RUNNING):
        *_, whole = trainer.landscape(
            LandscapeConfig(Directions.RANDOM, resolution=11, images=60, statistics=statistics)
        )
        found.append(whole.loss)
    for k in (0, 2, 3):
        np.testing.assert_array_equal(found[0][k], found[1][k])
    assert (found[0][1] != found[1][1]).any()


def test_a_whitening_network_that_diverges_stops_and_the_others_go_on(mnist):
    trainer = Trainer(SMALL.replace(networks=("none", "decorrelated"), groups=3), mnist)
    run(trainer, 3)
    trainer.measure(is_scheduled=True)
    trainer._stack.parameters.weights[1][1].fill_(float("nan"))
    run(trainer, 3)
    assert [health.condition for health in trainer.health] == [Condition.TRAINING, Condition.DIVERGED]
    *_, whole = trainer.landscape(LandscapeConfig(resolution=11, images=60))
    assert np.isfinite(whole.loss[0]).all()
    resumed = Trainer.resume(trainer.settings, mnist, trainer.checkpoint())
    assert torch.equal(resumed.checkpoint()["plain/weight.1"], trainer.checkpoint()["plain/weight.1"])


def test_layer_and_group_norm_have_no_gap_between_training_and_inference(mnist):
    """Test accuracy in batches of a thousand, as they train, is that of each image by itself: batch norm's is not."""
    trainer = run(
        Trainer(Settings().replace(networks=("batch", "layer", "group", "weight"), bn_momentum=0.01), mnist), 30
    )
    accuracy = trainer._instruments._accuracy
    inference, training = accuracy.measure(trainer._stack), accuracy.measure_with_batch_statistics(trainer._stack)
    np.testing.assert_allclose(inference[1:], training[1:], atol=2e-4)  # of rounding, in 10,000 images
    assert training[0] > inference[0] + 0.05


@pytest.mark.parametrize(
    ("batch", "low", "high"),
    [  # of SCIENCE, section 5, in the order none, batch, layer, group; the ranges there and a margin
        (2, (0.72, 0.22, 0.63, 0.63), (0.92, 0.50, 0.92, 0.92)),
        (4, (0.85, 0.80, 0.85, 0.85), (0.94, 0.90, 0.94, 0.94)),
        (8, (0.87, 0.89, 0.89, 0.88), (0.94, 0.945, 0.945, 0.945)),
        (60, (0.93, 0.945, 0.94, 0.938), (0.955, 0.967, 0.964, 0.962)),
    ],
)
def test_the_smaller_the_batch_the_more_batch_norm_alone_suffers(mnist, batch, low, high):
    settings = Settings().replace(
        networks=("none", "batch", "layer", "group"),
        nonlinearity="relu",
        initialization="he",
        init_scale=1.0,
        learning_rate=0.05,
        batch_size=batch,
    )
    runs = [run(Trainer(settings.replace(seed=seed), mnist), 1500) for seed in range(3)]
    accuracy = np.mean([one.measure(is_scheduled=True).accuracy for one in runs], axis=0)
    assert (accuracy > low).all(), accuracy
    assert (accuracy < high).all(), accuracy
    if batch == 2:
        assert accuracy[1] < accuracy[[0, 2, 3]].min() - 0.2


def test_with_one_image_a_batch_batch_norm_stays_at_chance_and_the_others_learn(mnist):
    settings = Settings().replace(
        networks=("none", "batch", "layer"), nonlinearity="relu", initialization="he", init_scale=1.0,
        learning_rate=0.01, batch_size=1,
    )  # fmt: skip
    trainer = run(Trainer(settings, mnist), 3000)
    none, batch, layer = trainer.measure(is_scheduled=True).accuracy
    assert trainer.health[1].condition is Condition.STALLED
    assert batch < 0.2
    assert min(none, layer) > 0.6


def test_batches_of_two_classes_cost_batch_norm_its_accuracy_at_inference_and_the_others_nothing(mnist):
    """SCIENCE, section 5: after 1,500 steps .86 to .88 with BN, .95 with LayerNorm and without."""
    settings = Settings().replace(
        networks=("none", "batch", "layer"), nonlinearity="relu", initialization="he", init_scale=1.0,
        learning_rate=0.1, sampling="two_classes",
    )  # fmt: skip
    runs = [run(Trainer(settings.replace(seed=seed), mnist), 1500) for seed in range(2)]
    none, batch, layer = np.mean([one.measure(is_scheduled=True).accuracy for one in runs], axis=0)
    assert min(none, layer) > 0.92
    assert 0.75 < batch < min(none, layer) - 0.03


# --- dropout, starts of one's own, smaller training sets --------------------------------------------------------------

WITH_DROPOUT = ("none", "batch", "dropout", "batch_dropout")


def test_the_twins_train_beside_networks_with_dropout_as_they_do_alone_bit_for_bit(mnist):
    alone, beside = (run(Trainer(s, mnist), 10).checkpoint() for s in (SMALL, SMALL.replace(networks=WITH_DROPOUT)))
    for name, value in alone.items():
        if name.startswith(("plain/", "bn/")):
            assert torch.equal(value, beside[name]), name
    assert not torch.equal(beside["plain/weight.2"], beside["dropout/weight.2"])
    assert not torch.equal(beside["bn/weight.2"], beside["bndropout/weight.2"])


def test_with_p_0_networks_with_dropout_train_as_their_twins_without(mnist):
    tensors = run(Trainer(SMALL.replace(networks=WITH_DROPOUT, dropout=0.0), mnist), 10).checkpoint()
    for layer in (1, 2, 3):
        assert torch.equal(tensors[f"plain/weight.{layer}"], tensors[f"dropout/weight.{layer}"])
        assert torch.equal(tensors[f"bn/weight.{layer}"], tensors[f"bndropout/weight.{layer}"])


def test_the_probes_see_dropout_and_the_test_accuracy_does_not(mnist):
    trainer = Trainer(SMALL.replace(networks=("batch", "batch_dropout")), mnist)
    point = trainer.measure(is_scheduled=True)
    assert point.accuracy[0] == point.accuracy[1]
    assert not np.array_equal(point.quantiles[0, 1], point.quantiles[1, 1])
    np.testing.assert_array_equal(point.quantiles[0, 0], point.quantiles[1, 0])  # the images are whole


def test_a_dropout_that_was_changed_meanwhile_does_not_move_where_the_drift_began(mnist):
    straight = Trainer(SMALL.replace(networks=WITH_DROPOUT), mnist)
    run(straight, 5)
    run(straight, 5, replace(SMALL.hyper, dropout=0.2))
    resumed = Trainer.resume(straight.settings, mnist, straight.checkpoint())
    assert_same_point(straight.measure(is_scheduled=True), resumed.measure(is_scheduled=True))


def test_networks_start_from_their_own_weights_and_those_of_one_scheme_from_the_same(mnist):
    settings = SMALL.replace(networks=("none", "batch", "lsuv", "he"), initialization="lsuv", init_scale=1.0)
    tensors = Trainer(settings, mnist).checkpoint()
    for layer in (1, 2, 3):
        first = tensors[f"plain/weight.{layer}"]
        assert torch.equal(first, tensors[f"bn/weight.{layer}"])
        assert torch.equal(first, tensors[f"lsuv/weight.{layer}"])
        assert not torch.equal(first, tensors[f"he/weight.{layer}"])


@pytest.mark.parametrize("sampling", Sampling)
def test_only_the_first_training_images_are_trained_on(mnist, sampling):
    settings = SMALL.replace(training_images=100, sampling=sampling, batch_size=10)
    others = mnist.train_images.clone()
    others[100:] = others[100:].flip(0)
    twin = type(mnist)(others, mnist.train_labels, mnist.test_images, mnist.test_labels)
    assert_same_state(run(Trainer(settings, mnist), 25), run(Trainer(settings, twin), 25))
    more = settings.replace(training_images=200)
    weights = [run(Trainer(more, each), 25).checkpoint()["bn/weight.1"] for each in (mnist, twin)]
    assert not torch.equal(*weights)


def test_with_100_training_images_everything_can_be_measured(mnist):
    trainer = run(Trainer(SMALL.replace(training_images=100), mnist), 5)
    *_, picture = trainer.landscape(LandscapeConfig(resolution=11))
    assert np.isfinite(picture.loss).all()
    assert picture.images == 50  # of each of the two batches
    *_, contour = trainer.contour(Directions.PATHS)
    assert contour.images == 100
    *_, sharpest = trainer.sharpness()
    assert np.isfinite(sharpest.eigenvalue).all()
    *_, walked = trainer.anatomy(AnatomyConfig(images=256))
    assert not walked.problem
