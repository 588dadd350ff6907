"""Experiments of several short runs: they find what the same runs find alone, and what SCIENCE says comes out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from bnviz import data, training
from bnviz.config import LEARNING_RATES, TRAINING_SETS, TRIALS, Experiment, TrialsConfig
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.changed_images import changed
from bnviz.records import AMOUNTS, CHANGES, MOMENTS, Trials
from bnviz.training import run_trials
from bnviz.training.trainer import Trainer
from tests.measure.test_activations import reference_of

PLAIN, BN, LAYER, GROUP, WEIGHT, RENORM = range(6)
DROPOUT, BN_DROPOUT = 2, 3  # of the experiment with dropout
TWO = 1  # the condition of two images a batch


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return data.load()


@pytest.fixture(scope="module")
def short(mnist: Mnist) -> list[Trials]:
    """All items of a short experiment with two seeds."""
    config = replace(TRIALS[Experiment.MINI_BATCHES], steps=100, seeds=2)
    return list(run_trials(config, mnist))


def test_a_run_within_an_experiment_is_the_same_run_alone(mnist: Mnist, short: list[Trials]) -> None:
    config = short[-1].config
    condition = config.conditions[1]
    alone = training.train(condition.with_seed(1), config.steps, config.competitors, mnist)
    np.testing.assert_allclose(short[-1].accuracy[:, 1, 1, -1], alone.history.accuracy[-1], atol=1e-7)


def test_the_same_experiment_gives_the_same_numbers(mnist: Mnist, short: list[Trials]) -> None:
    *_, again = run_trials(short[-1].config, mnist)
    np.testing.assert_array_equal(again.accuracy, short[-1].accuracy)
    np.testing.assert_array_equal(again.batch_accuracy, short[-1].batch_accuracy)


def test_items_fill_in_more_and_more_one_seed_after_the_other(short: list[Trials]) -> None:
    shares = [one.done for one in short]
    assert all(a <= b for a, b in pairwise(shares))
    assert shares[-1] == 1
    known = [int(np.isfinite(one.accuracy).sum()) for one in short]
    assert all(a <= b for a, b in pairwise(known))
    assert known[-1] == short[-1].accuracy.size
    half = next(one for one in short if np.isfinite(one.diverged_step[:, :, 0]).all())
    assert np.isnan(half.accuracy[:, 1:, 1]).all()


def test_an_item_is_not_changed_by_later_work(short: list[Trials]) -> None:
    assert np.isnan(short[0].accuracy[:, 1:]).all()


def test_networks_that_never_look_at_the_batch_have_no_gap(short: list[Trials]) -> None:
    for k in (PLAIN, LAYER):
        np.testing.assert_allclose(short[-1].batch_accuracy[k], short[-1].accuracy[k, :, :, -1], atol=3e-4)


def test_the_moments_begin_at_step_0_from_the_same_weights(short: list[Trials]) -> None:
    assert (MOMENTS[0], MOMENTS[-1]) == (0, 1)
    start = short[-1].accuracy[..., 0]
    assert np.isfinite(start).all()
    assert np.ptp(start, axis=1).max() == 0  # all conditions begin alike


@pytest.fixture(scope="module")
def small_batches(mnist: Mnist) -> Trials:
    """SCIENCE, section 5: ReLU, learning rate 0.05; shorter than there, and of the smallest batch sizes."""
    config = TrialsConfig(Experiment.BATCH_SIZE, steps=700, seeds=1, learning_rate=0.05)
    last = None
    for item in run_trials(config, mnist):
        last = item
        if np.isfinite(item.diverged_step[:, :4]).all():
            break
    assert last is not None
    return last


def test_a_batch_of_two_hurts_bn_and_no_network_that_normalizes_each_image(small_batches: Trials) -> None:
    accuracy = small_batches.accuracy[:, TWO, 0, -1]
    assert accuracy[BN] < 0.6
    assert min(accuracy[LAYER], accuracy[GROUP]) > accuracy[BN] + 0.1


def test_a_batch_of_one_teaches_bn_next_to_nothing_and_others_something(small_batches: Trials) -> None:
    accuracy = small_batches.accuracy[:, 0, 0, -1]
    assert accuracy[BN] < 0.2
    assert min(accuracy[[PLAIN, LAYER, GROUP, WEIGHT]]) > accuracy[BN] + 0.15


def test_at_eight_images_a_batch_bn_has_caught_up(small_batches: Trials) -> None:
    accuracy = small_batches.accuracy[:, 3, 0, -1]
    assert accuracy[BN] > accuracy[LAYER] - 0.05


@pytest.fixture(scope="module")
def shifted(mnist: Mnist) -> Trials:
    config = replace(TRIALS[Experiment.TEST_TIME], steps=600, seeds=1)
    *_, last = run_trials(config, mnist)
    return last


def test_statistics_of_their_own_undo_a_change_of_contrast_and_frozen_ones_do_not(shifted: Trials) -> None:
    inverted = shifted.changed_accuracy[BN, 0, CHANGES.index("inverted")]  # [a, 2]
    quarter = AMOUNTS.shape[1] // 4
    assert inverted[quarter, 1] == pytest.approx(inverted[0, 1], abs=0.01)
    assert inverted[quarter, 0] < inverted[0, 0] - 0.2


def test_networks_without_running_statistics_do_not_know_the_difference(shifted: Trials) -> None:
    for k in (0, 2):
        np.testing.assert_allclose(shifted.changed_accuracy[k, ..., 0], shifted.changed_accuracy[k, ..., 1], atol=2e-3)


def test_the_digits_shown_are_the_first_test_image_changed(shifted: Trials, mnist: Mnist) -> None:
    image = mnist.test_images[:1].float() / 255
    for c, change in enumerate(CHANGES):
        for a, amount in enumerate(AMOUNTS[c]):
            expected = changed(image, change, float(amount)).view(28, 28)
            assert torch.equal(torch.from_numpy(shifted.changed_digits[c, a]).float(), expected)


def test_the_spread_at_step_0_is_that_of_the_inputs_to_the_nonlinearity(short: list[Trials]) -> None:
    spread = short[-1].spread[:, 0, 0, 0]  # [k, l]
    np.testing.assert_allclose(spread[BN], 1.0, atol=0.01)  # by construction, but for eps and dead units
    assert np.isfinite(short[-1].spread).all()


def test_a_network_that_diverges_says_when_and_has_no_accuracy(mnist: Mnist) -> None:
    config = replace(TRIALS[Experiment.MINI_BATCHES], steps=100, seeds=1, learning_rate=30.0)
    *_, last = run_trials(config, mnist)
    failed = last.diverged_step[:, 0, 0] > 0
    assert failed[PLAIN]
    assert np.isnan(last.accuracy[failed, 0, 0, -1]).all()
    assert np.isnan(last.spread[failed, 0, 0, 1]).all()


@pytest.fixture(scope="module")
def initialized(mnist: Mnist) -> Trials:
    """Ten ReLU layers, a fifth of the steps and one seed: BN, and LSUV, orthogonal, He and Glorot weights without."""
    config = replace(TRIALS[Experiment.INITIALIZATION], steps=100, seeds=1)
    *_, last = run_trials(config, mnist)
    return last


def test_at_step_0_lsuv_gives_every_layer_the_spread_that_bn_gives_it(initialized: Trials) -> None:
    bn, lsuv, orthogonal, he, glorot = initialized.spread[:, 0, 0, 0]  # [k, l]
    np.testing.assert_allclose(bn, 1, atol=0.05)
    np.testing.assert_allclose(lsuv, 1, atol=0.15)  # on other images than those that it was made with
    assert (he > 0.3).all()
    assert (he < 4).all()
    for shrinking in (orthogonal, glorot):
        assert (np.diff(shrinking) < 0).all()
        assert shrinking[-1] < 0.1


def test_all_learning_rates_begin_with_the_same_spread(initialized: Trials) -> None:
    assert np.ptp(initialized.spread[:, :, 0, 0], axis=1).max() == 0


def test_after_training_bn_has_kept_the_spread_up_to_gamma_at_every_rate(initialized: Trials) -> None:
    kept = initialized.spread[0, :, 0, 1]
    assert np.abs(np.log(kept)).max() < np.log(3)
    without = initialized.spread[1:, :4, 0, 1]  # at 1 some have diverged
    assert np.nanmax(np.abs(np.log(without))) > np.log(3)


def test_at_learning_rate_1_bn_alone_learns(initialized: Trials) -> None:
    accuracy = initialized.accuracy[:, LEARNING_RATES.index(1.0), 0, -1]
    assert accuracy[0] > 0.7
    assert not (accuracy[1:] > 0.5).any()  # diverged, or at chance


def test_at_a_small_learning_rate_he_and_lsuv_do_without_bn(initialized: Trials) -> None:
    accuracy = initialized.accuracy[:, LEARNING_RATES.index(0.03), 0, -1]
    bn, lsuv, orthogonal, he, _ = accuracy
    assert min(lsuv, he) > bn - 0.15
    assert min(lsuv, he) > orthogonal + 0.2


@pytest.fixture(scope="module")
def fitted(mnist: Mnist) -> Trials:
    config = replace(TRIALS[Experiment.DROPOUT], steps=300, seeds=1)
    *_, last = run_trials(config, mnist)
    return last


@pytest.mark.parametrize("count", [500, 20_000])
def test_training_accuracy_is_that_of_pytorchs_networks_in_evaluation_mode(
    mnist: Mnist, fitted: Trials, count: int
) -> None:
    x = TRAINING_SETS.index(count)
    condition = fitted.config.conditions[x]
    trainer = Trainer(condition.with_seed(0), mnist, fitted.config.competitors)
    for _ in range(condition.steps):
        trainer.step(condition.settings.hyper)
    images, labels = (one[:: 1 if count == 500 else 3] for one in trainer.training_set)
    for k, one in enumerate(fitted.config.competitors):
        net = reference_of(trainer._stack, k, condition.settings.model, one.normalization).eval()
        share = float((net(images).argmax(1) == labels).double().mean())
        assert fitted.training_accuracy[k, x, 0] == pytest.approx(share, abs=4 / len(labels))


def test_no_more_than_10000_training_images_are_tried(
    mnist: Mnist, fitted: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(
        "bnviz.training.moments.TestAccuracy",
        lambda model, images, labels, **more: tried.append(len(images)) or TestAccuracy(model, images, labels, **more),
    )
    config = replace(fitted.config, steps=100)
    for item in run_trials(config, mnist):
        if np.isfinite(item.diverged_step[:, :2]).all():
            break
    assert sum(tried[:5]) == 10_000  # test images
    assert sum(tried[5:10]) == 500
    assert sum(tried[10:15]) == 1000


@pytest.mark.parametrize(("count", "every"), [(500, 1), (10_000, 1), (20_000, 3), (30_000, 3), (60_000, 7)])
def test_images_from_even_places_are_tried_as_often_as_from_odd_ones(count: int, every: int) -> None:
    """MNIST's two sources alternate: an even distance would try one of them alone."""
    places = torch.arange(count)
    chosen, labels = training.trials._spaced(places, places)
    assert torch.equal(chosen, places[::every])
    assert torch.equal(labels, chosen)
    assert len(chosen) <= 10_000
    assert float((chosen % 2).double().mean()) == pytest.approx(0.5, abs=1e-3)


def test_the_more_training_images_the_smaller_the_gap(fitted: Trials) -> None:
    gap = fitted.training_accuracy[:, :, 0] - fitted.accuracy[:, :, 0, -1]
    few, some, many = (gap[:, TRAINING_SETS.index(count)] for count in (500, 5000, 60_000))
    assert (few > some + 0.03).all()
    assert (some > many).all()
    assert (np.abs(many) < 0.025).all()


def test_few_images_are_known_by_heart_and_many_are_not_least_of_all_with_dropout(fitted: Trials) -> None:
    fit = fitted.training_accuracy[:, :, 0]
    assert (fit[:, TRAINING_SETS.index(500)] > 0.97).all()
    many = fit[:, TRAINING_SETS.index(60_000)]
    assert many[DROPOUT] < many[PLAIN] - 0.02
    assert many[BN_DROPOUT] < many[BN] - 0.02


def test_training_images_are_not_tried_where_no_page_asks(short: list[Trials], initialized: Trials) -> None:
    assert np.isnan(short[-1].training_accuracy).all()
    assert np.isnan(initialized.training_accuracy).all()
