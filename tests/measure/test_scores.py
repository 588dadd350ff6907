"""Accuracy and loss on any images, against the same networks as `nn.Sequential`."""

import numpy as np
import pytest
import torch
from torch import nn

from bnviz.config import BnPlacement, ModelConfig, Normalization, Statistics
from bnviz.measure.accuracy import scores
from bnviz.models import Stack
from tests.models import reference


def as_modules(stack: Stack, network: int) -> nn.Sequential:
    """One of a stack's networks with BN or without any, its numbers copied."""
    named = stack.named(network)
    weights = [named[f"weight.{layer}"].T for layer in range(1, stack.model.hidden_layers + 2)]
    net = reference.network(stack.model, stack.normalizations[network], weights, torch.float64)
    with torch.no_grad():
        for name, value in reference.numbers(net).items():
            value.copy_(named[name])
    return net


@pytest.mark.parametrize("count", [7, 2500])
@pytest.mark.parametrize("placement", BnPlacement)
def test_running_and_batch_statistics_give_what_the_modules_give(trained, test_set, placement, count) -> None:
    stack = trained(ModelConfig(width=20, hidden_layers=2, bn_placement=placement))
    images, labels = (one[-count:] for one in test_set)
    running, batch = (scores(stack, images, labels, one) for one in (Statistics.RUNNING, Statistics.BATCH))
    for network in range(2):
        net = as_modules(stack, network)
        with torch.no_grad():
            logits = net.eval()(images.double())
            assert_scores(running, network, logits, labels)
            parts = torch.tensor_split(images.double(), -(-count // 1000))
            assert_scores(batch, network, torch.cat([net.train()(part) for part in parts]), labels)
    assert running.loss[0] == pytest.approx(batch.loss[0], rel=1e-5)  # without BN there are none
    assert running.loss[1] != pytest.approx(batch.loss[1], rel=1e-3)


def assert_scores(found, network: int, logits: torch.Tensor, labels: torch.Tensor) -> None:
    assert found.loss[network] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-4)
    share = (logits.argmax(1) == labels).double().mean().item()
    assert found.accuracy[network] == pytest.approx(share, abs=1.5 / len(labels))  # a tie in float32 may fall otherwise


@pytest.mark.parametrize("statistics", [Statistics.RUNNING, Statistics.BATCH])
def test_dropout_and_noise_are_left_out(test_set, statistics) -> None:
    images, labels = (one[:500] for one in test_set)
    kinds = (Normalization.BATCH, Normalization.BATCH, Normalization.NOISY_BATCH)
    stack = Stack(ModelConfig(width=20), kinds, has_dropout=(False, True, False))
    stack.set_weights([torch.randn(b, a, generator=torch.Generator().manual_seed(1)) / 5 for a, b in SHAPES])
    found = scores(stack, images, labels, statistics)
    np.testing.assert_allclose(found.loss, found.loss[0], rtol=1e-6)


SHAPES = ((784, 20), (20, 20), (20, 20), (20, 10))


@pytest.mark.parametrize("statistics", [Statistics.RUNNING, Statistics.BATCH])
def test_a_network_whose_loss_is_not_finite_has_no_scores_and_the_other_has_its_own(
    trained, test_set, statistics
) -> None:
    stack = trained(ModelConfig(width=20, hidden_layers=2))
    whole = scores(stack, *test_set, statistics)
    stack.parameters.weights[1][0].fill_(torch.nan)
    found = scores(stack, *test_set, statistics)
    assert np.isnan([found.accuracy[0], found.loss[0]]).all()
    assert (found.accuracy[1], found.loss[1]) == (whole.accuracy[1], whole.loss[1])
