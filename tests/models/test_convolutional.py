"""Convolutional networks against `Conv2d`, `BatchNorm2d` and the others, with autograd; alone and beside each other."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import nn

from bnviz.config import (
    Architecture,
    BnPlacement,
    HyperParams,
    Initialization,
    ModelConfig,
    Nonlinearity,
    Normalization,
    Optimizer,
    Statistics,
)
from bnviz.measure.accuracy import TestAccuracy
from bnviz.models import Collect, Combinations, Noise, Stack, initial_weights, make_optimizer, states_of
from bnviz.models.functional import cross_entropy
from bnviz.models.patches import Flattening, Unfolding, flattened, patches
from tests.models import reference
from tests.models.test_combinations import as_modules
from tests.models.test_stack import fill, images_and_labels, largest_difference, make_stack, take_step

CLEAN = tuple(one for one in Normalization if one not in (Normalization.NOISY_BATCH, Normalization.NOISE))
IMAGES = 9


def a_model(**changes) -> ModelConfig:
    of = {"width": 12, "nonlinearity": Nonlinearity.TANH, "initialization": Initialization.HE, "init_scale": 1.0}
    return ModelConfig(architecture=Architecture.CONVOLUTIONAL, hidden_layers=2, **of | changes)


def moved(stack: Stack) -> Stack:
    """With biases, gammas, betas and running statistics away from where they start."""
    generator = torch.Generator().manual_seed(2)
    for vectors in (stack.parameters.gammas, stack.parameters.betas, stack.parameters.biases):
        for vector in vectors:
            n = 10 if vector is stack.parameters.biases[-1] else stack.model.width
            vector[:, :, :n] += 0.3 * torch.randn(1, 1, n, generator=generator).to(vector)
    stack.running.add_(torch.rand(stack.running.shape, generator=generator).to(stack.running))
    return stack


def pytorchs(stack: Stack, network: int) -> nn.Sequential:
    """The same network in PyTorch's own words, with the same numbers."""
    weights = [weight[network].T for weight in stack.parameters.weights]
    net = reference.network(stack.model, stack.normalizations[network], weights, torch.float64)
    named = stack.named(network)
    with torch.no_grad():
        for name, value in reference.numbers(net).items():
            if not name.startswith("weight"):
                value.copy_(named[name])
    return net


# --- patches ----------------------------------------------------------------------------------------------------------


def maps(side: int, channels: int = 3, networks: int = 2, images: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(side)
    return torch.randn(networks, images * side**2, channels, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("side", [28, 12, 13, 7, 5])
def test_patches_times_a_matrix_are_pytorchs_strided_convolution(side) -> None:
    rows, weight = maps(side), torch.randn(6, 3, 5, 5, dtype=torch.float64)
    ours = patches(rows, side) @ weight.permute(2, 3, 1, 0).reshape(-1, 6)
    for one, found in zip(rows, ours, strict=True):
        theirs = nn.functional.conv2d(one.view(4, side, side, 3).permute(0, 3, 1, 2), weight, stride=2)
        torch.testing.assert_close(found, theirs.permute(0, 2, 3, 1).reshape(-1, 6), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "function"), [(Unfolding, patches), (Flattening, flattened)])
@pytest.mark.parametrize("side", [12, 13, 5])
def test_gathering_and_scattering_are_the_function_and_its_gradient_by_autograd(kind, function, side) -> None:
    rows = maps(side)
    padded, d_padded = torch.full((2, 2, rows.shape[1], 8), torch.nan, dtype=torch.float64)
    padded[..., :3] = rows
    link = kind(padded[..., :3], d_padded[..., :3], side)
    link.gather()
    leaf = rows.clone().requires_grad_()
    expected = function(leaf, side)
    assert torch.equal(link.rows, expected)
    link.d_rows.copy_(torch.randn_like(link.rows))
    link.scatter()
    (gradient,) = torch.autograd.grad(expected, leaf, link.d_rows.clone())
    torch.testing.assert_close(d_padded[..., :3], gradient, rtol=1e-12, atol=1e-12)
    assert d_padded[..., 3:].isnan().all()  # the padding is left alone


# --- forward, backward, training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", CLEAN)
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", [Nonlinearity.SIGMOID, Nonlinearity.RELU, Nonlinearity.GELU])
def test_loss_and_gradients_are_autograds_through_pytorchs_modules(nonlinearity, placement, normalization) -> None:
    model = a_model(nonlinearity=nonlinearity, bn_placement=placement)
    stack = moved(make_stack(model, [normalization]))
    batch = fill(stack.activations(IMAGES), *images_and_labels(IMAGES, 0))
    net = pytorchs(stack, 0)
    output = net(batch.images)
    loss = nn.functional.cross_entropy(output, batch.labels)
    loss.backward()
    collect = Collect(stack.parameters.empty_like(), stack.groups)
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, collect)
    assert batch.loss.item() == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(batch.logits[0], output.detach(), rtol=1e-10, atol=1e-10)
    # The reference's own inverse root is less exact.
    tolerance = 1e-8 if normalization is Normalization.DECORRELATED else 1e-10
    assert largest_difference(collect.gradient.named(0), reference.gradients(net)) < tolerance


@pytest.mark.parametrize("normalization", CLEAN)
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("optimizer", Optimizer)
def test_steps_and_running_statistics_are_pytorchs_also_with_momentum_and_decay(
    optimizer, placement, normalization
) -> None:
    model = a_model(bn_placement=placement, optimizer=optimizer)
    stack, weights = make_stack(model, [normalization]), initial_weights(model)
    net = reference.network(model, normalization, weights, torch.float64)
    hypers = [HyperParams(learning_rate=0.05), HyperParams(learning_rate=0.02, momentum=0.5, weight_decay=0.01)]
    hyper = hypers[1] if optimizer is Optimizer.ADAM else None
    rule, theirs = make_optimizer(stack), reference.optimizer(net, optimizer, hyper or hypers[0])
    for number in range(4):
        now = hyper or hypers[number // 2]
        if hyper is None and number == 2:
            theirs = reference.optimizer(net, optimizer, now)
        images, labels = images_and_labels(IMAGES, number)
        take_step(stack, rule, fill(stack.activations(IMAGES), images, labels), now)
        reference.step(net, theirs, images, labels)
    tolerance = 1e-7 if normalization is Normalization.DECORRELATED else 1e-10
    assert largest_difference(stack.named(0), reference.numbers(net)) < tolerance


@pytest.mark.parametrize("normalization", CLEAN)
@pytest.mark.parametrize("placement", BnPlacement)
def test_folded_it_gives_the_logits_of_pytorchs_modules_in_evaluation_mode(placement, normalization) -> None:
    stack = moved(make_stack(a_model(bn_placement=placement), [normalization]))
    if normalization is Normalization.DECORRELATED:
        noise = 0.3 * torch.randn_like(stack.covariance)
        stack.covariance.add_(noise @ noise.mT)
    images, labels = images_and_labels(30, 3)
    logits = TestAccuracy(stack.model, images, labels)._logits(stack, stack.folded(), images, None)[0].T
    with torch.no_grad():
        expected = pytorchs(stack, 0).eval()(images)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)


def test_the_folded_convolution_is_the_one_that_pytorch_fuses() -> None:
    stack = moved(make_stack(a_model(), [Normalization.BATCH]))
    net = pytorchs(stack, 0).eval()
    fused = torch.nn.utils.fusion.fuse_conv_bn_eval(net[1], net[2])
    folded = stack.folded().named(0)
    expected = fused.weight.permute(2, 3, 1, 0).reshape(25, -1).detach()
    torch.testing.assert_close(folded["weight.1"], expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(folded["bias.1"], fused.bias.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("placement", BnPlacement)
def test_bns_batch_are_all_positions_of_all_images_so_one_image_is_enough(placement) -> None:
    """Mean and variance of a feature map over m' = 144 and 16 values, and m'/(m' - 1) in the running variance."""
    stack = make_stack(a_model(bn_placement=placement), [Normalization.BATCH])
    batch = fill(stack.activations(1), *images_and_labels(1, 0))
    assert batch.rows == [144, 16]
    take_step(stack, make_optimizer(stack), batch, HyperParams(learning_rate=0.0 + 0.001, bn_momentum=1.0))
    net = reference.network(stack.model, Normalization.BATCH, initial_weights(stack.model), torch.float64)
    for module in reference.of_kind(net, nn.BatchNorm2d):
        module.momentum = 1.0
    net(batch.images)
    for layer, module in enumerate(reference.of_kind(net, nn.BatchNorm2d), start=1):
        torch.testing.assert_close(stack.named(0)[f"running_var.{layer}"], module.running_var, rtol=1e-10, atol=1e-12)


def test_noise_has_one_mean_and_factor_a_feature_map_and_a_draw_for_every_value() -> None:
    model = a_model(width=32)
    stack = make_stack(model, [Normalization.NOISY_BATCH])
    batch = stack.activations(40)
    assert batch.noise is not None
    assert [one.shape for one in batch.noise] == [(2, 1, 40 * 144, 32), (2, 1, 40 * 16, 32)]
    Noise(0).draw(batch.noise, 0, HyperParams())
    for _, shifts in batch.noise:
        of_map = shifts.mean(dim=1)
        assert (shifts - of_map[:, None]).abs().max() < 0.1 + 0.02
        assert 0.15 < of_map.std() < 0.4


@pytest.mark.parametrize("normalization", Normalization)
@pytest.mark.parametrize("placement", BnPlacement)
def test_as_a_plain_function_it_has_the_same_loss_and_gradient(placement, normalization) -> None:
    model = a_model(bn_placement=placement)
    stack = moved(make_stack(model, [normalization]))
    batch = fill(stack.activations(IMAGES), *images_and_labels(IMAGES, 0))
    gradient = stack.parameters.empty_like()
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))
    leaves = {name: value.clone().requires_grad_() for name, value in stack.parameters.named(0).items()}
    numbers = stack.named(0) | leaves
    loss = cross_entropy(model, normalization, numbers, batch.images, batch.labels, stack.limits)
    loss.backward()
    assert loss.item() == pytest.approx(batch.loss.item(), rel=1e-12)
    for name, expected in gradient.named(0).items():
        found = torch.zeros_like(expected) if leaves[name].grad is None else leaves[name].grad
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-11, msg=name)


@pytest.mark.parametrize(
    ("placement", "statistics"),
    list(product(BnPlacement, (Statistics.BATCH, Statistics.RUNNING, Statistics.INTERPOLATED))),
)
def test_the_loss_at_a_combination_of_states_is_that_of_pytorchs_modules_there(placement, statistics) -> None:
    stack = moved(make_stack(a_model(bn_placement=placement), tuple(Normalization)))
    noise = 0.3 * torch.randn_like(stack.covariance)
    stack.covariance.add_(noise @ noise.mT)
    images, labels = images_and_labels(IMAGES, 0)
    states = states_of(stack)
    coefficients = torch.tensor([[1.0, 0.0], [0.7, 0.3]], dtype=torch.float64)
    for network in range(len(stack)):
        vectors = torch.stack([states[network], states[network] * 1.3])
        along = Combinations(stack, network, vectors, images, labels, statistics)
        for c, loss in zip(coefficients, along.losses(coefficients), strict=True):
            net = as_modules(stack, network, c @ vectors).train(statistics is Statistics.BATCH)
            with torch.no_grad():
                expected = nn.functional.cross_entropy(net(images), labels)
            assert float(loss) == pytest.approx(float(expected), rel=1e-8)


# --- beside each other ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [10, 16, 20, 32, 50])
@pytest.mark.parametrize("placement", BnPlacement)
def test_a_network_alone_is_the_same_bit_for_bit_as_beside_others(placement, width) -> None:
    model = a_model(width=width, bn_placement=placement, groups=2, nonlinearity=Nonlinearity.RELU)
    hyper = HyperParams(learning_rate=0.05)
    images, labels = images_and_labels(13, 0, torch.float32)
    together = make_stack(model, tuple(Normalization), torch.float32)
    alone = [make_stack(model, [one], torch.float32) for one in Normalization]
    batches = [stack.activations(13) for stack in (together, *alone)]
    rules = [make_optimizer(stack) for stack in (together, *alone)]
    for step in range(3):
        for stack, batch, rule in zip((together, *alone), batches, rules, strict=True):
            if batch.noise is not None:
                Noise(0).draw(batch.noise, step, hyper)
            take_step(stack, rule, fill(batch, images, labels), hyper)
    for k, stack in enumerate(alone):
        for name, value in stack.named(0).items():
            assert torch.equal(value, together.named(k)[name]), (stack.normalizations, name)


# --- initial weights --------------------------------------------------------------------------------------------------


def test_initial_weights_have_the_fans_that_pytorch_counts() -> None:
    model = a_model(width=64)
    for number, (layer, shape) in enumerate(
        zip(model.layers, [(64, 1, 5, 5), (64, 64, 5, 5), (10, 1024)], strict=True)
    ):
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        assert (layer.n_in, layer.fan_out) == (fan_in, fan_out)
        for scheme, variance in ((Initialization.HE, 2 / fan_in), (Initialization.GLOROT, 2 / (fan_in + fan_out))):
            weight = initial_weights(replace(model, initialization=scheme))[number]
            assert weight.shape == (shape[0], fan_in)
            assert weight.square().mean().item() == pytest.approx(variance, rel=0.1)
