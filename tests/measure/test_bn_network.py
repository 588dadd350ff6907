"""The network as a function is PyTorch's, with either statistics and from any layer on."""

import pytest
import torch

from bnviz.config import BnPlacement, Nonlinearity
from bnviz.measure.bn_network import BnNetwork, moments
from tests.measure.networks_with_bn import images_and_labels, pytorchs, stack_with_bn

EXACT = {"rtol": 0, "atol": 1e-11}


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
def test_its_logits_are_pytorchs_in_training_and_in_evaluation_mode(nonlinearity, placement) -> None:
    stack = stack_with_bn(nonlinearity=nonlinearity, bn_placement=placement)
    network, net, (images, _) = BnNetwork.of(stack), pytorchs(stack), images_and_labels(20)
    torch.testing.assert_close(network.onwards(0, images, network.running), net.eval()(images), **EXACT)
    torch.testing.assert_close(network.onwards(0, images), net.train()(images), **EXACT)


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_up_to_a_layer_and_from_there_on_is_the_whole_way(layer) -> None:
    network, (images, _) = BnNetwork.of(stack_with_bn()), images_and_labels(20)
    for statistics in (None, network.running):
        u = network.up_to(layer, images, statistics)
        whole = network.onwards(0, images, statistics)
        torch.testing.assert_close(network.onwards(layer, u, statistics), whole, rtol=0, atol=0)


def test_each_of_several_batches_has_statistics_of_its_own() -> None:
    network, (images, _) = BnNetwork.of(stack_with_bn()), images_and_labels(60)
    together = network.onwards(0, images.view(3, 20, 784))
    for one, batch in zip(together, images.split(20), strict=True):
        torch.testing.assert_close(one, network.onwards(0, batch), **EXACT)


def test_moments_are_the_mean_and_the_biased_variance() -> None:
    x = images_and_labels(7)[0][:, :5] * 3 + 40
    mean, variance = moments(x)
    torch.testing.assert_close(mean[0], x.mean(0), **EXACT)
    torch.testing.assert_close(variance[0], x.var(0, correction=0), **EXACT)
