"""Gradient histograms and moments against NumPy's and autograd's."""

import numpy as np
import pytest
import torch
from torch import nn

from bnviz.config import HyperParams, ModelConfig, Normalization
from bnviz.measure.activations import Probe
from bnviz.measure.gradients import NetworkGradient, gradient_record, norms_of, probe_gradients, update_ratios
from bnviz.models import make_optimizer
from bnviz.records import GRADIENT_BINS, STANDARDISED_EDGES
from tests.measure.test_activations import reference_of
from tests.models import reference

RANDOM = np.random.default_rng(0)


def test_the_gradients_are_autograds_on_the_probe_and_nothing_is_changed_by_taking_them(trained, test_set):
    images, labels = test_set[0][:128], test_set[1][:128]
    model = ModelConfig(width=20)
    stack = trained(model)
    before = stack.parameters.flat.clone(), stack.running.clone()
    found = probe_gradients(stack, Probe(images, labels))
    assert torch.equal(stack.parameters.flat, before[0])
    assert torch.equal(stack.running, before[1])
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference_of(stack, k, model, normalization).train()
        nn.functional.cross_entropy(net(images), labels).backward()
        for layer in range(4):
            gradient = reference.gradients(net)[f"weight.{layer + 1}"]
            weight = reference.numbers(net)[f"weight.{layer + 1}"]
            assert found[k].values[layer] == pytest.approx(gradient.flatten().numpy(), abs=1e-6)
            assert found[k].norm[layer] == pytest.approx(gradient.norm().item(), rel=1e-3)
            assert found[k].weight_norm[layer] == pytest.approx(weight.norm().item(), rel=1e-5)
            along = sum(abs((weight[:, j] @ gradient[:, j]).item()) for j in range(weight.shape[1]))
            whole = sum((weight[:, j].norm() * gradient[:, j].norm()).item() for j in range(weight.shape[1]))
            assert found[k].radial[layer] == pytest.approx(along / whole, abs=1e-3)


def test_with_bn_no_gradient_points_along_the_weights_of_its_layer_and_without_it_does(trained, test_set):
    """<W_j, g_j> = 0, since BN's output does not depend on the scale of W_j. SCIENCE, section 1.3."""
    plain, bn = probe_gradients(trained(ModelConfig(), steps=20), Probe(test_set[0][:128], test_set[1][:128]))
    assert (bn.radial[:3] < 1e-3).all()
    assert (plain.radial[:3] > 1e-2).all()
    assert bn.radial[3] > 1e-2  # nothing is normalized after the output layer


def test_gradients_too_small_to_be_squared_in_float32_have_norms_all_the_same():
    tiny, weights = torch.full((1, 4, 3), 1e-30), torch.ones(1, 4, 3)
    norm, weight_norm, radial = norms_of(tiny, weights).flatten().tolist()
    assert (norm, weight_norm, radial) == pytest.approx((1e-30 * 12**0.5, 12**0.5, 1.0))


def of(*values):
    """One network's gradient of as many weight matrices, without their norms."""
    nothing = np.full(len(values), np.nan)
    return NetworkGradient(list(values), nothing, nothing, nothing)


def test_histograms_are_numpys_on_edges_that_both_share():
    gradients = [[RANDOM.normal(size=5000) * scale] for scale in (1, 3)]
    record = gradient_record(7, [of(*one) for one in gradients], matrices=1)
    largest = max(np.abs(g).max() for (g,) in gradients)
    assert record.step == 7
    assert record.edges[0] == pytest.approx(np.linspace(-largest, largest, GRADIENT_BINS + 1))
    for k, (g,) in enumerate(gradients):
        edges = record.edges[0] * (1 + 1e-12)  # the largest value itself is inside
        assert np.abs(record.counts[k, 0] - np.histogram(g, edges)[0]).sum() <= 2
        expected = np.histogram(g / g.std(), STANDARDISED_EDGES)[0]
        assert np.abs(record.standardised_counts[k, 0] - expected).sum() <= 2


def test_moments_are_those_of_known_distributions():
    normal, laplace = RANDOM.normal(size=400_000), RANDOM.laplace(size=400_000)
    record = gradient_record(0, [of(2 * normal), of(laplace)], matrices=1)
    assert record.std[:, 0] == pytest.approx([2, 2**0.5], rel=0.01)
    assert record.excess_kurtosis[:, 0] == pytest.approx([0, 3], abs=0.2)
    # |normal|: q99.9 = 3.2905, q50 = 0.6745; |laplace|: ln 1000 / ln 2
    assert record.tail_ratio[:, 0] == pytest.approx([3.2905 / 0.6745, np.log(1000) / np.log(2)], rel=0.03)


def test_values_beyond_the_standardised_edges_are_counted_in_the_outermost_bins():
    values = np.concatenate([np.zeros(1000), [1.0]])
    record = gradient_record(0, [of(values)], matrices=1)
    assert record.standardised_counts[0, 0, -1] == 1
    assert record.standardised_counts.sum() == 1001


def test_one_that_has_stopped_has_no_counts_and_one_without_gradient_has_no_shape():
    record = gradient_record(0, [None, of(np.zeros(10)), of(np.array([1.0, np.inf, np.nan]))], matrices=1)
    assert record.counts.sum(axis=-1)[:, 0].tolist() == [0, 10, 1]
    assert np.isnan(record.std[0, 0])
    assert record.std[1:, 0].tolist() == [0, 0]
    assert np.isnan(record.excess_kurtosis).all()
    assert np.isfinite(gradient_record(0, [None], matrices=2).edges).all()


def test_the_update_ratio_is_the_norm_of_the_change_over_the_norm_before(trained, test_set):
    stack = trained(ModelConfig(), steps=2)
    rule, batch = make_optimizer(stack), stack.activations(60)
    batch.fill(test_set[0][:60], test_set[1][:60])
    stack.forward(batch)
    stack.loss(batch)
    before = stack.parameters.clone()
    rule.step(stack, batch, HyperParams())
    found = update_ratios(stack, rule.weight_change(stack, batch))
    for layer in range(4):
        change = stack.parameters.weights[layer] - before.weights[layer]
        expected = change.norm(dim=(1, 2)) / before.weights[layer].norm(dim=(1, 2))
        assert found[:, layer] == pytest.approx(expected.numpy(), rel=1e-3)
