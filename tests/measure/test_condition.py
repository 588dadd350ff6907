"""Stalled and not finite: when, and where it began."""

import math

import pytest
import torch

from bnviz.config import HyperParams, ModelConfig, Nonlinearity
from bnviz.measure.condition import (
    COMMONEST_DIGIT,
    WINDOW,
    Cause,
    ChanceWatch,
    first_not_finite,
    health_from_tensor,
    health_to_tensor,
)
from bnviz.models import make_optimizer
from bnviz.records import Condition, Health


def watched(hits_of_step, images: int = 60) -> ChanceWatch:
    watch = ChanceWatch()
    for hits in hits_of_step:
        watch.add(hits, images)
    return watch


def test_always_naming_the_commonest_digit_for_200_steps_is_chance():
    assert watched([60 * COMMONEST_DIGIT] * WINDOW).is_at_chance
    assert not watched([60 * COMMONEST_DIGIT] * (WINDOW - 1)).is_at_chance


def test_an_eighth_correct_is_better_than_chance_over_12000_images_but_not_over_400():
    assert not watched([60 / 8] * WINDOW).is_at_chance
    assert watched([2 / 8] * WINDOW, images=2).is_at_chance


def test_only_the_last_200_steps_count_so_a_network_can_recover_and_stall_again():
    watch = watched([0] * 1000)
    assert watch.is_at_chance
    for _ in range(100):
        watch.add(30, 60)
    assert not watch.is_at_chance
    for _ in range(WINDOW):
        watch.add(6, 60)
    assert watch.is_at_chance


def test_a_restored_watch_goes_on_alike():
    watch, again = watched([3, 9] * 150), ChanceWatch()
    again.restore(watch.state())
    for hits in [8] * 150:
        watch.add(hits, 60)
        again.add(hits, 60)
        assert watch.is_at_chance == again.is_at_chance


@pytest.mark.parametrize(
    "health", [Health(), Health(Condition.STALLED, 40), Health(Condition.DIVERGED, 0, 3, "gradient")]
)
def test_health_survives_as_a_tensor(health):
    assert health_from_tensor(health_to_tensor(health)) == health


@pytest.fixture
def after_a_step(trained, test_set):
    """A stack, the batch its last step left, and the next batch on which forward and loss have not run."""
    stack = trained(ModelConfig(nonlinearity=Nonlinearity.RELU), steps=1)
    rule, last, batch = make_optimizer(stack), stack.activations(60), stack.activations(60)
    for each in (last, batch):
        each.fill(test_set[0][:60], test_set[1][:60])
    stack.forward(last)
    stack.loss(last)
    rule.step(stack, last, HyperParams(learning_rate=0.1))
    return stack, last, batch


def cause(stack, batch, last) -> Cause:
    stack.forward(batch)
    stack.loss(batch)
    assert not math.isfinite(batch.loss[0])
    return first_not_finite(stack, 0, batch, last)


def test_overflow_on_the_way_forward_is_the_inputs_of_the_first_layer_it_reaches(after_a_step):
    stack, last, batch = after_a_step
    stack.parameters.weights[1][0].mul_(1e30)
    stack.parameters.weights[2][0].mul_(1e30)
    assert cause(stack, batch, last) == Cause(3, "inputs", was_step_before=False)


def test_finite_logits_with_a_loss_that_is_not_are_the_loss(after_a_step):
    stack, last, batch = after_a_step
    stack.parameters.biases[-1][0, 0, :10] = torch.tensor([3e38] + [-3e38] * 9)
    assert cause(stack, batch, last) == Cause(4, "loss", was_step_before=False)


def test_broken_weights_are_the_weights_also_where_one_batch_serves_every_step(after_a_step):
    stack, last, _ = after_a_step
    stack.parameters.weights[1][0, 3, 3] = torch.nan
    assert cause(stack, last, last) == Cause(2, "weights", was_step_before=True)


def test_broken_weights_are_the_last_step_and_the_gradient_if_it_was_broken_too(after_a_step):
    stack, last, batch = after_a_step
    stack.parameters.weights[0][0, 3, 3] = torch.inf
    stack.parameters.weights[2][0, 3, 3] = torch.inf
    assert cause(stack, batch, last) == Cause(3, "weights", was_step_before=True)
    last.deltas[0][0, 0, 0] = torch.nan
    last.deltas[1][0, 0, 0] = torch.inf
    assert cause(stack, batch, last) == Cause(2, "gradient", was_step_before=True)
    assert cause(stack, batch, None) == Cause(3, "weights", was_step_before=True)
