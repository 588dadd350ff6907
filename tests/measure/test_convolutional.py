"""What is measured of a convolutional network, against PyTorch's own modules and autograd."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz.config import AnatomyConfig, BnPlacement, HyperParams, LandscapeConfig, ModelConfig, Normalization, Settings
from bnviz.errors import ConfigError
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.activations import Probe, probe_rows
from bnviz.measure.anatomy import KEPT_VALUES, anatomy
from bnviz.measure.gradients import probe_gradients
from bnviz.measure.sharpness import Hessian
from bnviz.models import Stack, initial_weights
from bnviz.records import GRADIENTS, STAGES, STREAM_BATCHES, Anatomy
from bnviz.runs.flat import arrays_of, record_from
from bnviz.training import train
from tests.measure.networks_with_bn import images_and_labels, pytorchs, stack_with_bn
from tests.measure.test_activations import reference_of
from tests.models import reference

torch.set_num_threads(1)
MAPS = {"architecture": "convolutional", "hidden_layers": 2, "width": 12}
EXACT = {"rtol": 1e-9, "atol": 1e-11}
SIDES = (12, 4)


def trained_twins(trained, **changes) -> Stack:
    return trained(ModelConfig(**MAPS, **changes), steps=10)


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", BnPlacement)
def test_accuracy_at_inference_and_with_batch_statistics_is_pytorchs(trained, test_set, placement) -> None:
    images, labels = (part[:1000] for part in test_set)
    stack = trained_twins(trained, bn_placement=placement)
    measuring = TestAccuracy(stack.model, images, labels)
    at_inference, with_batch = measuring.measure(stack), measuring.measure_with_batch_statistics(stack)
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference_of(stack, k, stack.model, normalization)
        with torch.no_grad():
            right = (net.eval()(images).argmax(1) == labels).double().mean().item()
            answers = torch.cat([net.train()(part).argmax(1) for part in images.split(200)])
        assert at_inference[k] == pytest.approx(right, abs=0.002)  # ties within rounding
        assert with_batch[k] == pytest.approx((answers == labels).double().mean().item(), abs=0.002)


def test_the_probe_takes_one_position_an_image_drawn_from_the_seed_and_always_the_same(trained, test_set) -> None:
    stack = trained_twins(trained)
    rows = probe_rows(stack.model, 512)
    for some, side in zip(rows, SIDES, strict=True):
        assert torch.equal(some // side**2, torch.arange(512))
        assert len((some % side**2).unique()) == side**2 if side == 4 else len((some % side**2).unique()) > 100
    assert all(map(torch.equal, rows, probe_rows(stack.model, 512)))
    assert not torch.equal(rows[0], probe_rows(ModelConfig(**MAPS, seed=1), 512)[0])

    inputs = Probe(test_set[0][:512], test_set[1][:512]).sorted_inputs(stack)
    assert inputs.shape == (2, 2, 12, 512)
    net = reference_of(stack, 1, stack.model, Normalization.BATCH).train()
    with torch.no_grad():
        z = net[:3](test_set[0][:512]).permute(0, 2, 3, 1).flatten(0, 2)  # BN's output, channels last
    np.testing.assert_allclose(inputs[1, 0], z[rows[0]].T.sort().values, atol=1e-4)


def test_gradients_on_the_probe_are_autograds(trained, test_set) -> None:
    images, labels = test_set[0][:128], test_set[1][:128]
    stack = trained_twins(trained)
    found = probe_gradients(stack, Probe(images, labels))
    for k, normalization in enumerate((Normalization.NONE, Normalization.BATCH)):
        net = reference_of(stack, k, stack.model, normalization).train()
        nn.functional.cross_entropy(net(images), labels).backward()
        for layer in range(3):
            gradient = reference.gradients(net)[f"weight.{layer + 1}"]
            assert found[k].values[layer] == pytest.approx(gradient.flatten().numpy(), abs=2e-6)
            assert found[k].norm[layer] == pytest.approx(gradient.norm().item(), rel=1e-3)
    assert (found[1].radial[:2] < 1e-3).all()  # no gradient along a filter before BN


@pytest.mark.parametrize("normalization", [Normalization.NONE, Normalization.BATCH, Normalization.GROUP])
def test_a_product_with_the_hessian_is_the_gradients_change_along_the_vector(normalization) -> None:
    model = ModelConfig(**MAPS, nonlinearity="tanh", initialization="he", init_scale=1.0)
    stack = Stack(model, [normalization], torch.float64)
    stack.set_weights(initial_weights(model))
    images, labels = images_and_labels(6)
    hessian = Hessian(stack, 0, images, labels)
    vector = torch.randn(len(hessian), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size, there = 1e-5, []
    names = [name for name in stack.parameters.named(0) if not (name.startswith(("gamma", "beta", "bias")))]
    parts = vector.split([stack.parameters.named(0)[name].numel() for name in names] + [
        len(vector) - sum(stack.parameters.named(0)[name].numel() for name in names)
    ])  # fmt: skip
    weights_only = torch.cat([*parts[:-1], torch.zeros_like(parts[-1])])
    for sign in (1, -1):
        moved = stack.only([0])
        for name, part in zip(names, parts, strict=False):
            moved.parameters.named(0)[name].add_(part.view_as(moved.parameters.named(0)[name]), alpha=sign * size)
        there.append(Hessian(moved, 0, images, labels)._gradient.detach())
    expected = (there[0] - there[1]) / (2 * size)
    torch.testing.assert_close(hessian(weights_only), expected, rtol=1e-5, atol=1e-6)


def test_a_whole_run_is_measured_everywhere() -> None:
    """Smoothness and shift are compared with autograd's beside the fully connected networks' own tests."""
    settings = Settings().replace(**MAPS, networks=["none", "batch", "layer"], nonlinearity="relu", learning_rate=0.1)
    run = train(
        settings, 6, measures=("shift", "smoothness", "sharpness", "gradients", "batch_accuracy"),
        landscape=LandscapeConfig(resolution=11, images=60, batches=1, statistics="running"),
        anatomy=AnatomyConfig(layer=3, images=10),
    )  # fmt: skip
    assert np.isfinite(run.history.accuracy[-1]).all()
    assert np.isfinite(run.history.batch_accuracy[-1]).all()
    assert run.history.bands.shape[2:] == (2, 12, 3)
    assert np.isfinite(run.shift[-1].cosine).all()
    assert np.isfinite(run.smoothness[-1].beta).all()
    assert np.isfinite(run.sharpness[-1].eigenvalue).all()
    assert run.contour is not None
    assert run.contour.images == 64
    assert np.isfinite(run.contour.loss).all()
    assert run.landscape is not None
    assert run.landscape.done == 1
    assert run.anatomy is not None
    assert (run.anatomy.layer, run.anatomy.done, run.anatomy.m) == (2, 1, 160)


def test_a_gradient_of_maps_that_would_fill_the_memory_is_refused_with_the_remedy() -> None:
    settings = Settings().replace(**MAPS)
    landscape = LandscapeConfig(directions="gradient", resolution=11, images=1000, batches=1)
    run = train(settings, 1, landscape=landscape)
    assert run.landscape is not None
    assert "at most 512 images" in run.landscape.problem
    with pytest.raises(ConfigError):
        Settings().replace(**{**MAPS, "hidden_layers": 3})


# --- the walk through BN ----------------------------------------------------------------------------------------------


@lru_cache
def sets() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return *images_and_labels(300, 1), *images_and_labels(400, 2)


@lru_cache
def walked(placement: BnPlacement, layer: int, images: int = 10) -> tuple[Stack, Anatomy]:
    stack = stack_with_bn(**MAPS, bn_placement=placement, nonlinearity="tanh")
    *_, record = anatomy(AnatomyConfig(layer=layer, images=images), stack, "bn", 5, *sets())
    return stack, record


walks = pytest.mark.parametrize(("placement", "layer"), [(p, layer) for p in BnPlacement for layer in (1, 2)])


@walks
def test_ours_and_batchnorm2ds_differ_by_rounding_alone(placement, layer) -> None:
    _, record = walked(placement, layer)
    assert (record.differences < 1e-11).all()
    assert record.folded_difference < 1e-11


@walks
def test_values_and_gradients_are_those_of_batchnorm2d_and_autograd_at_a_sample_of_positions(placement, layer) -> None:
    stack, record = walked(placement, layer)
    images, labels = (part[:10] for part in sets()[:2])
    net, seen = pytorchs(stack), {}
    bn = reference.of_kind(net, nn.BatchNorm2d)[layer - 1]

    def keep(module, inputs, output):
        seen.update(x=inputs[0], y=output)
        inputs[0].retain_grad()
        output.retain_grad()

    bn.register_forward_hook(keep)
    nn.functional.cross_entropy(net(images), labels).backward()
    rows = {name: value.permute(0, 2, 3, 1).flatten(0, 2) for name, value in seen.items()}
    gradients = {f"d_{name}": value.grad.permute(0, 2, 3, 1).flatten(0, 2) for name, value in seen.items()}
    x, y = (rows[name].detach() for name in "xy")
    m = 10 * SIDES[layer - 1] ** 2
    assert (record.m, record.positions, len(x)) == (m, SIDES[layer - 1] ** 2, m)
    assert len(record.labels) == min(m, KEPT_VALUES)
    np.testing.assert_allclose(record.mean, x.mean(0), **EXACT)
    np.testing.assert_allclose(record.variance, x.var(0, correction=0), **EXACT)
    np.testing.assert_allclose(record.d_gamma, bn.weight.grad, **EXACT)
    np.testing.assert_allclose(record.d_beta, bn.bias.grad, **EXACT)
    for name, expected in {"x": x, "y": y, **gradients}.items():
        index = (*STAGES, *GRADIENTS).index(name)
        np.testing.assert_allclose(record.moments[index, 0], expected.mean(0), **EXACT)
        np.testing.assert_allclose(record.moments[index, 1], expected.std(0, correction=0), **EXACT)
        kept = record.values[STAGES.index(name)] if name in STAGES else record.gradients[GRADIENTS.index(name)]
        nearest = (torch.from_numpy(kept)[:, None] - expected[None]).abs().amax(-1).min(dim=1)
        assert nearest.values.max() < 1e-11  # each kept row is one of the rows
        assert (labels[nearest.indices // record.positions].numpy() == record.labels).mean() > 0.5


@walks
def test_the_gradient_loses_its_mean_and_its_part_along_the_normalized_values(placement, layer) -> None:
    _, record = walked(placement, layer)
    size = record.m * record.moments[(*STAGES, *GRADIENTS).index("d_x"), 1]
    assert (np.abs(record.sums[0]) < 1e-11 * size).all()
    assert (np.abs(record.sums[1]) < 1e-3 * size).all()  # eps


@walks
def test_running_averages_are_batchnorm2ds_with_m_prime_over_m_prime_minus_one(placement, layer) -> None:
    stack, record = walked(placement, layer)
    net = pytorchs(stack)
    bn = reference.of_kind(net, nn.BatchNorm2d)[layer - 1]
    bn.reset_running_stats()
    images = sets()[0]
    with torch.no_grad():
        for batch in range(1, 1 + STREAM_BATCHES):
            start = batch % 30 * 10
            net(images[start : start + 10])
    np.testing.assert_allclose(record.running_mean[-1], bn.running_mean, **EXACT)
    np.testing.assert_allclose(record.running_variance[-1], bn.running_var, **EXACT)


@walks
def test_the_populations_statistics_are_those_of_all_positions_of_all_images(placement, layer) -> None:
    stack, record = walked(placement, layer)
    net = pytorchs(stack)
    bns = reference.of_kind(net, nn.BatchNorm2d)
    for bn in bns:
        bn.momentum = 1.0
    with torch.no_grad():
        net(sets()[0])  # each layer with its own statistics already
    bn, m = bns[layer - 1], 300 * record.positions
    assert record.population_images == 300
    np.testing.assert_allclose(record.population_mean, bn.running_mean, **EXACT)
    np.testing.assert_allclose(record.population_variance, bn.running_var * (m - 1) / m, **EXACT)


@pytest.mark.parametrize("placement", BnPlacement)
def test_accuracies_are_those_of_pytorchs_network_with_each_kind_of_statistics(placement) -> None:
    stack, record = walked(placement, 1)
    _, _, images, labels = sets()
    measuring = TestAccuracy(stack.model, images, labels)
    assert record.accuracy[0] == pytest.approx(measuring.measure_with_batch_statistics(stack)[0], abs=1e-6)
    assert record.accuracy[1] == pytest.approx(measuring.measure(stack)[0], abs=1e-6)
    assert np.isfinite(record.accuracy[2])


def test_scaled_weights_leave_the_loss_and_shrink_the_gradient() -> None:
    _, record = walked(BnPlacement.BEFORE, 1)
    assert np.ptp(record.scale_loss[0]) < 1e-2 * record.scale_loss[0].mean()
    np.testing.assert_allclose(record.scale_gradient[0, -1], 0.1, rtol=0.05)
    assert np.ptp(record.naive_loss[0]) < 1e-9
    assert (np.abs(record.naive_bias[1]) < 1e-9).all()


def test_where_few_values_are_all_are_kept() -> None:
    _, record = walked(BnPlacement.BEFORE, 2, images=4)
    assert record.m == len(record.labels) == 64
    np.testing.assert_allclose(record.values[STAGES.index("x")].mean(0), record.mean, **EXACT)


def test_a_batch_of_one_image_trains_with_bn() -> None:
    settings = Settings(ModelConfig(**MAPS), HyperParams(batch_size=1)).replace(
        learning_rate=0.05, nonlinearity="relu", init_scale=0.1
    )
    run = train(settings, 3)
    assert np.isfinite(run.history.loss[-1]).all()
    assert (run.history.update_ratio[-1, 1] > 0).all()  # also below BN, where a fully connected network stands still


def test_a_saved_walk_keeps_what_is_of_all_values_and_one_from_before_has_none() -> None:
    _, record = walked(BnPlacement.BEFORE, 1)
    arrays = arrays_of(record, "anatomy")
    again = record_from(Anatomy, "anatomy", arrays, config=record.config)
    assert (again.positions, again.m) == (144, 1440)
    np.testing.assert_array_equal(again.moments, record.moments)
    old = {name: array for name, array in arrays.items() if name.split(".")[1] not in ("positions", "moments", "sums")}
    before = record_from(Anatomy, "anatomy", old, config=record.config)
    assert (before.positions, before.moments, before.sums, before.m) == (1, None, None, len(record.labels))
