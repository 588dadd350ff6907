"""Test accuracy is that of PyTorch's networks in evaluation mode."""

import pytest
import torch

from bnviz.config import BnPlacement, ModelConfig, Normalization
from bnviz.measure.accuracy import TestAccuracy
from tests.measure.test_activations import reference_of


@pytest.mark.parametrize("placement", BnPlacement)
def test_it_is_the_share_that_pytorchs_networks_in_evaluation_mode_get_right(trained, test_set, placement):
    images, labels = test_set
    model = ModelConfig(bn_placement=placement, width=33)
    stack = trained(model)
    measured = TestAccuracy(stack.model, images, labels).measure(stack)
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference_of(stack, k, model, normalization).eval()
        right = (net(images).argmax(1) == labels).sum().item()
        assert measured[k] * 10_000 == pytest.approx(right, abs=3)  # ties within rounding


def test_it_leaves_the_networks_alone_and_serves_fewer_of_them_afterwards(trained, test_set):
    stack, accuracy = trained(ModelConfig()), TestAccuracy(ModelConfig(), *test_set)
    before = stack.parameters.flat.clone()
    both = accuracy.measure(stack)
    assert torch.equal(stack.parameters.flat, before)
    assert accuracy.measure(stack.only([1])) == both[1]


def test_a_network_that_is_not_finite_has_none(trained, test_set):
    stack = trained(ModelConfig())
    untouched = TestAccuracy(ModelConfig(), *test_set).measure(stack)[1]
    stack.parameters.weights[1][0, 0, 0] = torch.nan
    measured = TestAccuracy(ModelConfig(), *test_set).measure(stack)
    assert measured[0] != measured[0]
    assert measured[1] == untouched
    assert Normalization.BATCH is stack.normalizations[1]
