"""Experiments of several short runs: they find what the same runs find alone, and what SCIENCE says comes out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from bnviz import data, training
from bnviz.config import TRIALS, Experiment, TrialsConfig
from bnviz.data import Mnist
from bnviz.measure.changed_images import changed
from bnviz.records import AMOUNTS, CHANGES, MOMENTS, Trials
from bnviz.training import run_trials

PLAIN, BN, LAYER, GROUP, WEIGHT, RENORM = range(6)
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
