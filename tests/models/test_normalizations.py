"""Each normalization against PyTorch's own where there is one, against its formula where there is none."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bnviz.config import BnPlacement, HyperParams, Initialization, ModelConfig, Normalization
from bnviz.measure.accuracy import TestAccuracy
from bnviz.models import Collect, Stack, initial_weights, make_optimizer
from bnviz.models.normalizations import EPS, NORMALIZATIONS
from tests.models import reference
from tests.models.test_stack import fill, images_and_labels, largest_difference, make_stack, take_step

UNITS, GROUPS = 20, 4
PER_IMAGE = (Normalization.LAYER, Normalization.GROUP)
GENERAL = (*PER_IMAGE, Normalization.BATCH, Normalization.RENORMALIZATION, Normalization.DECORRELATED)


class Layer:
    """One normalization between random x and dl/dy, in float64: what it makes of them."""

    def __init__(self, normalization: Normalization, batch: int, units=UNITS, groups=GROUPS, seed=0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        mixing = draw(units, units)
        self.x, self.g, self.gamma, self.beta = (
            3 * draw(batch, units) @ mixing + 1,
            draw(batch, units),
            draw(units),
            draw(units),
        )
        self.stack = Stack(ModelConfig(width=units, hidden_layers=1, groups=groups), [normalization], torch.float64)
        self.pair = NORMALIZATIONS[normalization]
        self.memory = self.stack.activations(batch).hidden[0].parts[0].memory
        self.numbers = self.stack._numbers[0][0]
        self.numbers.gamma[0, 0, :units], self.numbers.beta[0, 0, :units] = self.gamma, self.beta
        self.units = units

    def run(self) -> "Layer":
        pad = self.memory.normalized.shape[2] - self.units
        y, dx = (nn.functional.pad(values, (0, pad))[None] for values in (self.x, self.g))
        self.pair.forward(y, y, self.numbers, self.memory)
        self.pair.backward(dx, self.numbers, self.memory)
        assert not dx[:, :, self.units :].any(), "the padding has a gradient"
        self.y, self.dx = y[0, :, : self.units], dx[0, :, : self.units]
        kept = (self.memory.mean_d_gamma, self.memory.mean_d_beta)
        self.d_gamma, self.d_beta = (len(self.x) * each[0, 0, : self.units] for each in kept)
        self.normalized = self.memory.normalized[0, :, : self.units]
        return self

    def assert_equals(self, module: nn.Module) -> None:
        """Output and gradients of a module with the same gamma and beta."""
        x = self.x.clone().requires_grad_()
        with torch.no_grad():
            module.weight.copy_(self.gamma)
            module.bias.copy_(self.beta)
        y = module(x)
        y.backward(self.g)
        for mine, its in (
            (self.y, y),
            (self.dx, x.grad),
            (self.d_gamma, module.weight.grad),
            (self.d_beta, module.bias.grad),
        ):
            torch.testing.assert_close(mine, its, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch", [1, 2, 60])
def test_layer_norm_equals_pytorchs(batch: int) -> None:
    Layer(Normalization.LAYER, batch).run().assert_equals(nn.LayerNorm(UNITS, dtype=torch.float64))


@pytest.mark.parametrize("groups", [1, 2, 5, 10])
@pytest.mark.parametrize("batch", [1, 2, 60])
def test_group_norm_equals_pytorchs(batch: int, groups: int) -> None:
    layer = Layer(Normalization.GROUP, batch, groups=groups).run()
    layer.assert_equals(nn.GroupNorm(groups, UNITS, dtype=torch.float64))


def test_batch_norm_equals_pytorchs() -> None:
    Layer(Normalization.BATCH, 60).run().assert_equals(nn.BatchNorm1d(UNITS, dtype=torch.float64))


@pytest.mark.parametrize(("r_max", "d_max"), [(1.0, 0.0), (1.5, 0.5), (3.0, 5.0), (10.0, 20.0)])
def test_batch_renormalization_is_algorithm_1(r_max: float, d_max: float) -> None:
    layer = Layer(Normalization.RENORMALIZATION, 60)
    layer.stack.limit(HyperParams(r_max=r_max, d_max=d_max))
    layer.stack.running.mul_(7.0).add_(0.5)
    module = reference.Renormalized(UNITS, dtype=torch.float64)
    module.r_max, module.d_max = r_max, d_max
    module.running_mean.copy_(layer.stack.running[0, 0, 0, 0, :UNITS])
    module.running_var.copy_(layer.stack.running[0, 1, 0, 0, :UNITS])
    layer.run().assert_equals(module)


def test_batch_renormalization_is_batch_norm_at_limits_of_1_and_0_to_the_last_bit() -> None:
    renormalized, plain = Layer(Normalization.RENORMALIZATION, 60), Layer(Normalization.BATCH, 60).run()
    renormalized.stack.running.add_(3.0)
    renormalized.stack.limit(HyperParams(r_max=1.0, d_max=0.0))
    renormalized.run()
    for name in ("y", "dx", "d_gamma", "d_beta"):
        assert torch.equal(getattr(renormalized, name), getattr(plain, name)), name


def test_without_clips_batch_renormalization_trains_on_what_inference_gives() -> None:
    layer = Layer(Normalization.RENORMALIZATION, 60)
    layer.stack.limits.copy_(torch.tensor([1e9, 1e9]))
    mean, variance = layer.stack.running[0, :, 0, 0, :UNITS]
    expected = layer.gamma * (layer.x - mean) / torch.sqrt(variance + EPS) + layer.beta
    torch.testing.assert_close(layer.run().y, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("batch", "groups"), [(60, 4), (60, 1), (21, 1), (6, 4)])
def test_decorrelated_bn_is_zca_whitening_and_has_autograds_gradient(batch: int, groups: int) -> None:
    module = reference.Whitened(UNITS, groups).double()
    layer = Layer(Normalization.DECORRELATED, batch, groups=groups).run()
    if batch < 60:  # nearly singular: Newton's iteration itself has few digits there
        torch.testing.assert_close(layer.y, module_output(module, layer), rtol=1e-5, atol=1e-5)
    else:
        layer.assert_equals(module)


def module_output(module: nn.Module, layer: Layer) -> Tensor:
    with torch.no_grad():
        module.weight.copy_(layer.gamma)
        module.bias.copy_(layer.beta)
        return module(layer.x)


def test_whitened_groups_have_a_covariance_of_one_but_for_eps() -> None:
    """(S_0 + eps)^(-1/2) S_0 (S_0 + eps)^(-1/2) = 1 - eps S^(-1)."""
    layer = Layer(Normalization.DECORRELATED, 200).run()
    for columns, raw in zip(layer.normalized.split(UNITS // GROUPS, 1), layer.x.split(UNITS // GROUPS, 1), strict=True):
        identity = torch.eye(UNITS // GROUPS, dtype=torch.float64)
        shrunk = EPS * torch.linalg.inv(torch.cov(raw.T, correction=0) + EPS * identity)
        torch.testing.assert_close(columns.mean(0), torch.zeros_like(columns[0]), rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.cov(columns.T, correction=0), identity - shrunk, rtol=0, atol=1e-10)
        torch.testing.assert_close(torch.cov(columns.T, correction=0), identity, rtol=0, atol=1e-3)


def test_zca_turns_nothing_its_matrix_is_symmetric() -> None:
    layer = Layer(Normalization.DECORRELATED, 200, groups=1).run()
    centred = layer.x - layer.x.mean(0)
    matrix = torch.linalg.lstsq(centred, layer.normalized).solution
    torch.testing.assert_close(matrix, matrix.T, rtol=1e-8, atol=1e-8)


def test_whitening_groups_of_one_unit_is_batch_norm() -> None:
    whitened, plain = Layer(Normalization.DECORRELATED, 60, groups=UNITS).run(), Layer(Normalization.BATCH, 60).run()
    for name in ("y", "dx", "d_gamma", "d_beta"):
        torch.testing.assert_close(getattr(whitened, name), getattr(plain, name), rtol=1e-9, atol=1e-9)


def test_dead_units_and_equal_ones_have_finite_gradients_through_whitening() -> None:
    layer = Layer(Normalization.DECORRELATED, 60, groups=1)
    layer.x[:, :3] = 2.0  # three units that say nothing: an eigenvalue of eps, three times
    layer.x[:, 3] = layer.x[:, 4]
    layer.run()
    assert layer.dx.isfinite().all()
    assert layer.normalized[:, :3].abs().max() < 1e-6


# --- properties of SCIENCE, sections 1 and 5 --------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", [one for one in GENERAL if one not in PER_IMAGE])
def test_a_gradient_through_statistics_of_the_batch_has_no_mean_over_it(normalization: Normalization) -> None:
    layer = Layer(normalization, 60).run()
    assert layer.dx.abs().max() > 1e-3
    assert layer.dx.sum(0).abs().max() < 1e-10


@pytest.mark.parametrize("normalization", PER_IMAGE)
def test_a_gradient_through_statistics_of_an_image_has_no_mean_over_each_group_of_units(normalization) -> None:
    layer = Layer(normalization, 60).run()
    groups = 1 if normalization is Normalization.LAYER else GROUPS
    assert layer.dx.view(60, groups, -1).sum(2).abs().max() < 1e-10
    assert layer.dx.sum(0).abs().max() > 1e-3


def test_of_two_images_only_the_sign_survives_batch_norm() -> None:
    """xh = ±1 / sqrt(1 + 4 eps / (x_1 - x_2)²)."""
    layer = Layer(Normalization.BATCH, 2).run()
    difference = layer.x[0] - layer.x[1]
    expected = difference.sign() / torch.sqrt(1 + 4 * EPS / difference**2)
    torch.testing.assert_close(layer.normalized, torch.stack([expected, -expected]), rtol=1e-10, atol=1e-10)
    assert (layer.normalized.abs() > 0.99).all()


def test_of_one_image_nothing_survives_batch_norm() -> None:
    layer = Layer(Normalization.BATCH, 1).run()
    assert not layer.normalized.any()
    assert torch.equal(layer.y[0], layer.beta)
    assert not layer.dx.any()
    assert torch.equal(layer.d_beta, layer.g[0])


def test_a_batch_of_one_moves_the_running_mean_and_leaves_the_running_variance() -> None:
    stack = make_stack(ModelConfig(hidden_layers=2), [Normalization.BATCH, Normalization.RENORMALIZATION])
    batch = fill(stack.activations(1), *images_and_labels(1, 0))
    stack.forward(batch)
    stack.update_running(batch, 0.1)
    torch.testing.assert_close(stack.running[:, 0], 0.1 * batch.statistics[:, 0])
    assert (stack.running[:, 1] == 1).all()
    assert stack.running[:, 0].any()


@pytest.mark.parametrize("normalization", PER_IMAGE)
def test_an_image_is_normalized_the_same_whatever_the_batch(normalization: Normalization) -> None:
    layer = Layer(normalization, 60)
    whole = layer.run().y.clone()
    alone = Layer(normalization, 1)
    alone.numbers.gamma.copy_(layer.numbers.gamma)
    alone.numbers.beta.copy_(layer.numbers.beta)
    for row in (0, 59):
        alone.x = layer.x[row : row + 1]
        torch.testing.assert_close(alone.run().y[0], whole[row], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("normalization", [*GENERAL, Normalization.WEIGHT])
def test_after_five_steps_the_folded_network_equals_the_references_in_evaluation_mode(normalization, placement) -> None:
    model = ModelConfig(
        bn_placement=placement, nonlinearity="relu", width=UNITS, initialization=Initialization.HE, init_scale=1.0
    )
    if placement is BnPlacement.AFTER and normalization is Normalization.DECORRELATED:
        model = replace(model, nonlinearity="tanh")  # no dead units, whose directions are no function of the data
    stack, hyper = make_stack(model, [normalization]), HyperParams(learning_rate=0.05)
    net, rule = reference.network(model, normalization, initial_weights(model), torch.float64), make_optimizer(stack)
    for number in range(5):
        images, labels = images_and_labels(40, number)
        take_step(stack, rule, fill(stack.activations(40), images, labels), hyper)
        reference.step(net, reference.optimizer(net, model.optimizer, hyper), images, labels)
    assert largest_difference(stack.named(0), reference.numbers(net)) < 1e-6
    images, labels = images_and_labels(300, 99)
    with torch.no_grad():
        expected = net.eval()(images)
    measuring = TestAccuracy(stack.model, images, labels)
    folded = stack.folded()
    logits = measuring._logits(stack, folded, images, None)[0].T
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    share = (expected.argmax(1) == labels).double().mean()
    assert measuring.measure(stack)[0] == pytest.approx(float(share))


# --- weight normalization ---------------------------------------------------------------------------------------------


def test_with_weight_norm_the_network_starts_as_the_same_function() -> None:
    stack = make_stack(ModelConfig(), [Normalization.NONE, Normalization.WEIGHT])
    batch = fill(stack.activations(60), *images_and_labels(60, 0))
    stack.forward(batch)
    torch.testing.assert_close(batch.logits[0], batch.logits[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("factor", [0.1, 2.0])
def test_scaling_v_changes_nothing_but_its_gradients_scale_and_the_gradient_is_orthogonal_to_it(factor: float) -> None:
    stack = make_stack(ModelConfig(hidden_layers=2), [Normalization.WEIGHT])
    batch, collect = (
        fill(stack.activations(60), *images_and_labels(60, 0)),
        Collect(stack.parameters.empty_like(), stack.groups),
    )
    found = []
    for _ in range(2):
        stack.forward(batch)
        stack.loss(batch)
        loss = batch.loss.clone()
        stack.backward(batch, collect)
        gradient, v = collect.gradient.weights[0][0].clone(), stack.parameters.weights[0][0]
        cosine = (gradient * v).sum(0) / (gradient.norm(dim=0) * v.norm(dim=0))
        assert cosine.abs().max() < 1e-10
        found.append((loss, gradient))
        v.mul_(factor)
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-12, atol=0)
    torch.testing.assert_close(found[1][1], found[0][1] / factor, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("hyper", [HyperParams(), HyperParams(weight_decay=0.01), HyperParams(momentum=0.9)])
def test_what_the_last_step_changed_can_be_told_with_weight_norm_too(hyper: HyperParams) -> None:
    stack = make_stack(ModelConfig(), [Normalization.WEIGHT, Normalization.NONE])
    rule, batch = make_optimizer(stack), fill(stack.activations(60), *images_and_labels(60, 0))
    for _ in range(2):
        before = stack.parameters.clone()
        take_step(stack, rule, batch, hyper)
    for now, then, told in zip(
        stack.parameters.weights, before.weights, rule.weight_change(stack, batch).weights, strict=True
    ):
        torch.testing.assert_close(told, now - then, rtol=1e-9, atol=1e-14)


def test_some_of_the_networks_keep_their_statistics_and_limits() -> None:
    kinds = [Normalization.BATCH, Normalization.RENORMALIZATION, Normalization.DECORRELATED]
    stack = make_stack(ModelConfig(), kinds)
    stack.limit(HyperParams(r_max=1.5, d_max=0.5))
    stack.running.add_(torch.rand_like(stack.running))
    stack.covariance.add_(torch.rand_like(stack.covariance))
    chosen = stack.only([2, 1])
    assert torch.equal(chosen.limits, stack.limits)
    for name, value in stack.named(2).items():
        assert torch.equal(chosen.named(0)[name], value), name
    assert "running_cov.1" in chosen.named(0)
    assert torch.equal(chosen.named(1)["running_var.1"], stack.named(1)["running_var.1"])
