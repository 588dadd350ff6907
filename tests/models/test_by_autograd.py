"""What has no backward of its own trains through autograd as PyTorch's own does, behind the same interface."""

import pytest
import torch
from torch import Tensor, nn

from bnviz.config import BnPlacement, HyperParams, ModelConfig, Nonlinearity, Normalization
from bnviz.models import Collect, Stack, activations, initial_weights, make_optimizer, stack
from bnviz.models.by_autograd import NonlinearityByAutograd, NormalizationByAutograd
from bnviz.models.normalizations import EPS
from tests.models import reference
from tests.models.test_stack import fill, images_and_labels, largest_difference


class Silu(NonlinearityByAutograd):
    def value(self, z: Tensor) -> Tensor:
        return z * torch.sigmoid(z)


class PlainlyBatchNorm(NormalizationByAutograd):
    drops_bias_before_it = True

    def value(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        return gamma * centred / (centred.square().mean(1, keepdim=True) + EPS).sqrt() + beta


def gradients(model: ModelConfig, images: Tensor, labels: Tensor) -> tuple[Stack, Collect]:
    networks = Stack(model, [Normalization.NONE, Normalization.BATCH], torch.float64)
    networks.set_weights(initial_weights(model))
    batch = fill(networks.activations(len(images)), images, labels)
    collect = Collect(networks.parameters.empty_like(), networks.groups)
    networks.forward(batch)
    networks.loss(batch)
    networks.backward(batch, collect)
    return networks, collect


@pytest.mark.parametrize("placement", BnPlacement)
def test_a_nonlinearity_without_a_backward_has_pytorchs_gradients(monkeypatch, placement):
    monkeypatch.setitem(stack.NONLINEARITIES, Nonlinearity.GELU, Silu())
    monkeypatch.setitem(reference.NONLINEARITIES, Nonlinearity.GELU, nn.SiLU)
    model = ModelConfig(nonlinearity="gelu", bn_placement=placement, width=21)
    images, labels = images_and_labels(17, 0)
    _, collect = gradients(model, images, labels)
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference.network(model, normalization, initial_weights(model), torch.float64)
        nn.functional.cross_entropy(net(images), labels).backward()
        assert largest_difference(collect.gradient.named(k), reference.gradients(net)) < 1e-10


@pytest.mark.parametrize("placement", BnPlacement)
def test_a_normalization_without_a_backward_has_the_gradients_of_the_one_written_out(monkeypatch, placement):
    model, (images, labels) = ModelConfig(bn_placement=placement, width=21), images_and_labels(17, 0)
    _, written_out = gradients(model, images, labels)
    monkeypatch.setitem(activations.NORMALIZATIONS, Normalization.BATCH, PlainlyBatchNorm())
    _, differentiated = gradients(model, images, labels)
    for k in (0, 1):
        assert largest_difference(differentiated.gradient.named(k), written_out.gradient.named(k)) < 1e-10
    assert differentiated.gradient.named(1)["gamma.2"].any()


def test_it_trains_within_a_step_that_autograd_does_not_watch(monkeypatch):
    monkeypatch.setitem(activations.NORMALIZATIONS, Normalization.BATCH, PlainlyBatchNorm())
    monkeypatch.setitem(stack.NONLINEARITIES, Nonlinearity.GELU, Silu())
    model, (images, labels) = ModelConfig(nonlinearity="gelu", width=21), images_and_labels(17, 0)
    networks, _ = gradients(model, images, labels)
    rule, batch = make_optimizer(networks), fill(networks.activations(17), images, labels)
    losses = []
    with torch.inference_mode():
        for _ in range(30):
            networks.forward(batch)
            networks.loss(batch)
            rule.step(networks, batch, HyperParams())
            losses.append(batch.loss.clone())
    assert (losses[-1] < 0.9 * losses[0]).all()
