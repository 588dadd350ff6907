"""What the probe says of the inputs to the nonlinearities."""

import numpy as np
import pytest
import torch
from torch import nn

from bnviz.config import BnPlacement, ModelConfig, Nonlinearity, Normalization
from bnviz.measure.activations import Probe, at_levels, bands, dead, pooled, quantiles, saturated
from bnviz.records import BAND_LEVELS, QUANTILE_LEVELS, kept_units
from tests.models import reference


@pytest.fixture
def probe(test_set):
    images, labels = test_set
    return Probe(images[:512], labels[:512])


@pytest.mark.parametrize("placement", BnPlacement)
def test_the_probe_sees_what_enters_each_nonlinearity_with_batch_statistics(trained, probe, placement):
    model = ModelConfig(bn_placement=placement, width=20)
    stack = trained(model)
    inputs = probe.sorted_inputs(stack)
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference_of(stack, k, model, normalization)
        for layer, values in enumerate(inputs_to_sigmoids(net.train(), probe.images)):
            expected = np.sort(values.numpy().T, axis=-1)
            assert inputs[k, layer] == pytest.approx(expected, abs=2e-5)


def inputs_to_sigmoids(net, images) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    for nonlinearity in reference.of_kind(net, nn.Sigmoid):
        nonlinearity.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    net(images)
    return seen


def reference_of(stack, k, model, normalization):
    """PyTorch's network with the stack's present numbers."""
    named = stack.named(k)
    weights = [named[f"weight.{layer}"].T for layer in range(1, model.hidden_layers + 2)]
    net = reference.network(model, normalization, weights, torch.float32)
    with torch.no_grad():
        for name, value in reference.numbers(net).items():
            value.copy_(named[name])
    return net


def test_running_statistics_and_weights_stay_untouched(trained, probe):
    stack = trained(ModelConfig())
    before = stack.parameters.flat.clone(), stack.running.clone()
    probe.sorted_inputs(stack)
    assert torch.equal(stack.parameters.flat, before[0])
    assert torch.equal(stack.running, before[1])


def test_bands_and_quantiles_are_numpys(trained, probe):
    model = ModelConfig(width=100)
    inputs, units = probe.sorted_inputs(trained(model)), kept_units(3, 100)
    expected = np.quantile(inputs, BAND_LEVELS, axis=-1)[:, :, 1][:, :, units[1]]
    assert bands(inputs, units)[:, 1] == pytest.approx(np.moveaxis(expected, 0, -1), abs=1e-5)
    expected = np.quantile(inputs.reshape(2, 3, -1), QUANTILE_LEVELS, axis=-1)
    assert quantiles(pooled(inputs)) == pytest.approx(np.moveaxis(expected, 0, -1), abs=1e-5)
    assert at_levels(np.array([1.0, 2.0, 4.0]), (0.0, 0.25, 1.0)) == pytest.approx([1, 1.5, 4])


def test_saturated_counts_the_outputs_at_the_flat_ends():
    def share(nonlinearity, *inputs):
        return saturated(np.array(inputs, np.float32).reshape(1, 1, -1), ModelConfig(nonlinearity=nonlinearity)).item()

    assert share(Nonlinearity.SIGMOID, -9, -2.8, 0, 2.8, 3) == pytest.approx(0.4)
    assert share(Nonlinearity.TANH, -9, -1.4, 0, 1.4, 1.5) == pytest.approx(0.4)
    assert share(Nonlinearity.RELU, -1, -1, 0, 0, 1) == pytest.approx(0.8)  # at exactly 0 ReLU passes no gradient
    assert share(Nonlinearity.GELU, -9, -0.3, 0, 1, 9) == pytest.approx(0.2)
    assert share(Nonlinearity.IDENTITY, -9, 9) == 0
    assert np.isnan(share(Nonlinearity.SIGMOID, 0, np.nan))


def test_a_unit_is_dead_when_it_says_the_same_of_every_image():
    inputs = np.array([[-3.0, -2, -1], [-1, 0, 2], [0.5, 0.5, 0.5], [-9, -9, 9]], np.float32).reshape(1, 1, 4, 3)
    assert dead(inputs, ModelConfig(nonlinearity=Nonlinearity.RELU)).item() == pytest.approx(0.5)
    assert dead(inputs, ModelConfig(nonlinearity=Nonlinearity.SIGMOID)).item() == pytest.approx(0.25)
