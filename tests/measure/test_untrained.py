"""Untrained networks against torch's own modules and autograd, and against the figures of SCIENCE, section 3."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz.config import Connections, Initialization, ModelConfig, Nonlinearity, UntrainedConfig
from bnviz.errors import ConfigError
from bnviz.measure.untrained import measure_untrained
from bnviz.models import initial_weights
from bnviz.records import RELATIVE_STEPS, SINGULAR_LEVELS, Floats, Gradients, Untrained

STANDARD, BN = 0, 1
MODULES: Final = {
    Nonlinearity.SIGMOID: nn.Sigmoid(),
    Nonlinearity.TANH: nn.Tanh(),
    Nonlinearity.RELU: nn.ReLU(),
    Nonlinearity.LEAKY_RELU: nn.LeakyReLU(),
    Nonlinearity.GELU: nn.GELU(),
    Nonlinearity.IDENTITY: nn.Identity(),
}
SMALL: Final = UntrainedConfig(depth=4, width=12, seed=3)


class Reference(nn.Module):
    """The same network of torch's own modules, in float64, with the weights that a trained one would start from."""

    def __init__(self, config: UntrainedConfig, has_bn: bool) -> None:
        super().__init__()
        shared = {name: getattr(config, name) for name in ("width", "initialization", "init_scale", "seed")}
        weights = initial_weights(ModelConfig(hidden_layers=config.depth, **shared))
        self.linears = nn.ModuleList(nn.Linear(*w.T.shape, bias=not has_bn) for w in weights[:-1])
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.width) if has_bn else nn.Identity() for _ in weights[:-1])
        self.output = nn.Linear(config.width, 10)
        self.g = MODULES[config.nonlinearity]
        self.is_residual = config.connections is Connections.RESIDUAL
        self.double().train()
        for linear, weight in zip([*self.linears, self.output], weights, strict=True):
            linear.weight.data = weight.double()
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)

    @property
    def weights(self) -> list[nn.Parameter]:
        return [linear.weight for linear in (*self.linears, self.output)]

    def block(self, layer: int, u: Tensor) -> Tensor:
        outputs = self.g(self.norms[layer - 1](self.linears[layer - 1](u)))
        return u + outputs if self.is_residual and layer > 1 else outputs

    def hidden(self, images: Tensor) -> list[Tensor]:
        """Outputs of every hidden layer."""
        outputs = [self.block(1, images)]
        for layer in range(2, len(self.linears) + 1):
            outputs.append(self.block(layer, outputs[-1]))
        return outputs

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.output(self.hidden(images)[-1]), labels)


@pytest.fixture(scope="module")
def batch(test_set) -> tuple[Tensor, Tensor]:
    """128 images and labels."""
    return test_set[0][:128], test_set[1][:128]


def whole(config: UntrainedConfig, images: Tensor, labels: Tensor) -> Untrained:
    *_, last = measure_untrained(config, images, labels)
    return last


def until_gradients(config: UntrainedConfig, images: Tensor, labels: Tensor) -> Untrained:
    """The first item that has them: what comes later is never computed."""
    return next(item for item in measure_untrained(config, images, labels) if item.gradients is not None)


def gradients_of(item: Untrained) -> Gradients:
    assert item.gradients is not None
    return item.gradients


def settings(connections: Connections) -> Iterator[UntrainedConfig]:
    return (
        UntrainedConfig(connections=connections, nonlinearity=g, depth=4, width=20, init_scale=1.3, seed=5)
        for g in Nonlinearity
    )


@pytest.mark.parametrize("connections", Connections)
def test_activations_loss_and_gradients_are_those_of_torchs_own_modules(connections, batch):
    images, labels = batch
    for config in settings(connections):
        item = until_gradients(config, images, labels)
        for k, has_bn in enumerate((False, True)):
            net = Reference(config, has_bn)
            hidden = [u.detach() for u in net.hidden(images.double())]
            assert item.activation_mean[k] == pytest.approx([float(u.mean()) for u in hidden], rel=1e-4, abs=1e-6)
            assert item.activation_std[k] == pytest.approx([float(u.std(correction=0)) for u in hidden], rel=1e-4)
            for u, share in zip(hidden, item.top_class_share[k], strict=True):
                answers = net.output(u).argmax(dim=1).bincount(minlength=10)
                assert share == pytest.approx(float(answers.max()) / 128, abs=1.5 / 128)  # one near tie may fall anyhow
            loss = net.loss(images.double(), labels)
            loss.backward()
            assert item.loss[k] == pytest.approx(loss.item(), rel=1e-5)
            check_gradients(item, k, net)


def check_gradients(item: Untrained, k: int, net: Reference) -> None:
    found = gradients_of(item)
    for w, weight in enumerate(net.weights):
        gradient, matrix = weight.grad.numpy(), weight.detach().numpy()
        norm = np.linalg.norm(gradient)
        assert item.gradient_norm[k, w] == pytest.approx(norm, rel=1e-3)
        assert found.norm[k, w] == item.gradient_norm[k, w]
        assert found.weight_norm[k, w] == pytest.approx(np.linalg.norm(matrix), rel=1e-5)
        along = abs((gradient * matrix).sum(axis=1)).sum()
        across = (np.linalg.norm(gradient, axis=1) * np.linalg.norm(matrix, axis=1)).sum()
        assert found.radial[k, w] == pytest.approx(along / across, abs=1e-4)
        assert found.std[k, w] == pytest.approx(gradient.std(), rel=1e-3)
        z = (gradient - gradient.mean()) / gradient.std()
        assert found.excess_kurtosis[k, w] == pytest.approx((z**4).mean() - 3, abs=0.01, rel=1e-3)
        expected, _ = np.histogram(gradient, found.edges[w])
        assert abs(found.counts[k, w] - expected).sum() <= 4  # float32 may put a value on the other side of an edge


def test_the_networks_start_from_the_weights_of_a_trained_one_of_the_same_sizes(batch):
    for scheme in Initialization:
        same = {"nonlinearity": Nonlinearity.TANH, "width": 20, "initialization": scheme, "init_scale": 0.7, "seed": 9}
        config, model = UntrainedConfig(Connections.PLAIN, depth=2, **same), ModelConfig(hidden_layers=2, **same)
        expected = [float(w.double().norm()) for w in initial_weights(model, batch[0])]
        for norms in gradients_of(until_gradients(config, *batch)).weight_norm:
            assert norms == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("connections", Connections)
@pytest.mark.parametrize("g", [Nonlinearity.TANH, Nonlinearity.RELU])
def test_singular_values_are_those_of_one_images_own_jacobian_through_the_batch_statistics_too(connections, g, batch):
    images, labels = batch[0][:16], batch[1][:16]  # few, so that an image's own share in the statistics is large
    config = UntrainedConfig(connections=connections, nonlinearity=g, depth=4, width=12, seed=3)
    item = whole(config, images, labels)
    assert item.jacobian_layers.tolist() == [2, 3, 4]
    for k, has_bn in enumerate((False, True)):
        net = Reference(config, has_bn)
        hidden = net.hidden(images.double())
        for j, layer in enumerate(item.jacobian_layers.tolist()):
            values = [one_image_singular_values(net, layer, hidden[layer - 2].detach(), image) for image in range(4)]
            expected = np.quantile(np.stack(values), SINGULAR_LEVELS)
            assert item.singular_values[k, j] == pytest.approx(expected, abs=1e-4)


def one_image_singular_values(net: Reference, layer: int, inputs: Tensor, image: int) -> Floats:
    def outputs(own: Tensor) -> Tensor:
        return net.block(layer, torch.cat([inputs[:image], own[None], inputs[image + 1 :]]))[image]

    jacobian = torch.autograd.functional.jacobian(outputs, inputs[image])
    return np.linalg.svd(jacobian.numpy(), compute_uv=False)


def test_an_orthogonal_linear_network_without_bn_has_no_singular_value_but_1(batch):
    config = UntrainedConfig(
        depth=6, width=20, nonlinearity=Nonlinearity.IDENTITY, initialization=Initialization.ORTHOGONAL
    )
    item = whole(config, *batch)
    assert item.singular_values[STANDARD] == pytest.approx(np.ones((5, len(SINGULAR_LEVELS))), abs=1e-5)
    assert (item.singular_values[BN, :, -1] > 1.1).all()


def test_jacobians_are_taken_of_at_most_16_layers_from_the_second_to_the_last(batch):
    assert whole(UntrainedConfig(depth=1, width=10), *batch).singular_values.shape == (2, 0, len(SINGULAR_LEVELS))
    assert whole(UntrainedConfig(depth=2, width=10), *batch).jacobian_layers.tolist() == [2]
    layers = next(measure_untrained(UntrainedConfig(depth=50, width=10), *batch)).jacobian_layers
    assert len(layers) == 16
    assert layers[[0, -1]].tolist() == [2, 50]
    assert set(np.diff(layers)) <= {3, 4}


@pytest.mark.parametrize("connections", Connections)
def test_the_relative_loss_is_that_of_modules_whose_parameters_were_moved_by_hand(connections, batch):
    images, labels = batch
    config = UntrainedConfig(connections=connections, nonlinearity=Nonlinearity.TANH, depth=3, width=20, seed=2)
    item = whole(config, images, labels)
    for k, has_bn in enumerate((False, True)):
        for a in range(0, len(RELATIVE_STEPS), 5):
            net = Reference(config, has_bn)
            before = net.loss(images.double(), labels)
            before.backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= RELATIVE_STEPS[a] * parameter.grad
            expected = float((net.loss(images.double(), labels) / before).detach())
            assert item.relative_loss[k, a] == pytest.approx(expected, rel=2e-3)


def test_an_overflow_is_reported_with_its_layer_and_leaves_the_other_network_alone(batch):
    config = UntrainedConfig(depth=50, width=32, init_scale=10)
    item = whole(config, *batch)
    layer = first_layer_beyond_float32(config, batch[0])
    assert item.overflow_layer.tolist() == [layer, 0]
    assert 30 < layer < 50
    for measured in (item.activation_mean, item.activation_std):
        assert np.isfinite(measured[STANDARD, : layer - 1]).all()
        assert np.isnan(measured[STANDARD, layer - 1 :]).all()
    assert np.isfinite(item.top_class_share[STANDARD, : layer - 2]).all()
    assert np.isnan(item.top_class_share[STANDARD, layer - 1 :]).all()
    assert np.isnan(item.loss[STANDARD])
    assert np.isnan(item.gradient_norm[STANDARD]).all()
    assert np.isnan(item.relative_loss[STANDARD]).all()
    gradients = gradients_of(item)
    assert gradients.counts[STANDARD].sum() == 0
    assert np.isnan(gradients.std[STANDARD]).all()
    assert np.isfinite(gradients.weight_norm).all()
    for measured in (item.activation_mean, item.activation_std, item.top_class_share, item.gradient_norm, item.loss):
        assert np.isfinite(measured[BN]).all()
    assert gradients.counts[BN].sum(axis=1).tolist() == [784 * 32, *[32 * 32] * 49, 320]
    assert np.isfinite(item.singular_values[BN]).all()


@pytest.mark.parametrize("g", [Nonlinearity.LEAKY_RELU, Nonlinearity.IDENTITY, Nonlinearity.GELU])
def test_from_the_layer_that_overflows_on_nothing_is_known_of_the_jacobian(g, batch):
    """Though that of a linear layer is W whatever comes in."""
    item = whole(UntrainedConfig(depth=50, width=16, init_scale=10, nonlinearity=g), *batch)
    assert 16 < item.overflow_layer[STANDARD] < 50
    overflown = item.jacobian_layers >= item.overflow_layer[STANDARD]
    assert np.isnan(item.singular_values[STANDARD][overflown]).all()
    assert np.isfinite(item.singular_values[STANDARD][~overflown]).all()


def first_layer_beyond_float32(config: UntrainedConfig, images: Tensor) -> int:
    generator = torch.Generator().manual_seed(config.seed)
    u, n_in = images.double(), 784
    for layer in range(1, config.depth + 1):
        gaussian = torch.randn(config.width, n_in, generator=generator).double()
        u, n_in = torch.relu(u @ gaussian.T * config.init_scale * (2 / n_in) ** 0.5), config.width
        if float(u.max()) > torch.finfo(torch.float32).max:
            return layer
    return 0


def test_with_bn_the_scale_of_the_hidden_weights_changes_nothing_of_the_activations(batch):
    one, ten = (next(measure_untrained(UntrainedConfig(depth=8, init_scale=s), *batch)) for s in (1, 10))
    assert ten.activation_std[BN] == pytest.approx(one.activation_std[BN], rel=1e-2)
    assert ten.activation_std[STANDARD] == pytest.approx(
        one.activation_std[STANDARD] * 10.0 ** np.arange(1, 9), rel=1e-4
    )


def test_the_last_item_is_whole_and_the_earlier_ones_are_parts_of_it(batch):
    items = list(measure_untrained(UntrainedConfig(), *batch))
    done = np.array([item.done for item in items])
    assert (np.diff(done) > 0).all()
    assert done[-1] == 1
    assert np.diff(done).max() < 0.1
    last = items[-1]
    assert not has_holes(last)
    assert last.gradients is not None
    assert has_holes(items[0])
    for item in items[:-1]:
        for mine, final in zip(arrays_of(item), arrays_of(last), strict=True):
            is_there = ~np.isnan(mine)
            assert np.array_equal(mine[is_there], final[is_there])
        assert item.gradients is None or item.gradients is last.gradients


def arrays_of(item: Untrained) -> list[Floats]:
    values = [getattr(item, one.name) for one in fields(Untrained)]
    return [value for value in values if isinstance(value, np.ndarray)]


def has_holes(item: Untrained) -> bool:
    return any(np.isnan(array).any() for array in arrays_of(item))


def test_activations_and_gradients_come_first_then_some_layers_then_some_step_sizes(batch):
    items = list(measure_untrained(UntrainedConfig(depth=50), *batch))
    assert np.isfinite(items[0].activation_std).any()
    for item in items:
        if np.isfinite(item.singular_values).any():
            assert item.gradients is not None
        if np.isfinite(item.relative_loss).any():
            assert np.isfinite(item.singular_values).all()
    known = [set(np.flatnonzero(~np.isnan(item.relative_loss[STANDARD]))) for item in items]
    coarse = set(range(0, len(RELATIVE_STEPS), 4))
    assert all(steps <= coarse or steps >= coarse for steps in known)


def test_the_same_arguments_give_the_same_items_and_torchs_random_numbers_are_left_alone(batch):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = whole(SMALL, *batch)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    with torch.inference_mode():  # as where the networks train
        again = whole(SMALL, *batch)
    for mine, other in zip(arrays_of(first), arrays_of(again), strict=True):
        assert np.array_equal(mine, other)
    for one in fields(Gradients):
        assert np.array_equal(getattr(first.gradients, one.name), getattr(again.gradients, one.name))
    assert torch.is_grad_enabled()


def test_between_two_items_neither_inference_mode_nor_gradients_are_switched_for_the_caller(batch):
    with torch.inference_mode():
        for _ in measure_untrained(SMALL, *batch):
            assert torch.is_inference_mode_enabled()
            assert not torch.is_grad_enabled()


def test_a_hundred_layers_of_a_hundred_are_measured_but_not_of_512():
    assert UntrainedConfig(depth=100, width=100).depth == 100
    with pytest.raises(ConfigError, match="choose fewer layers"):
        UntrainedConfig(depth=100, width=512)


# SCIENCE, section 3: "Must show at initialisation" and "Relative loss". Its output layer has a standard deviation of
# 0.1, ours the scheme's own (0.14 at a width of 100), so that gradients are 1.4 times as large and ratios stay.

SEEDS: Final = range(5)


def over_seeds(batch: tuple[Tensor, Tensor], **values) -> list[Untrained]:
    return [until_gradients(UntrainedConfig(seed=seed, **values), *batch) for seed in SEEDS]


def middle(items: list[Untrained], name: str) -> Floats:
    """A moment of the middle weight matrix's gradient: [seeds, k]."""
    return np.array([getattr(gradients_of(item), name)[:, item.config.depth // 2] for item in items])


@pytest.mark.parametrize(("connections", "depth"), [("plain", 3), ("plain", 10), ("residual", 20)])
def test_gradients_are_heavy_tailed_without_bn_and_nearly_normal_with_it(connections, depth, batch):
    kurtosis = middle(over_seeds(batch, connections=connections, depth=depth), "excess_kurtosis")
    assert (kurtosis[:, STANDARD] > 4).all()
    assert (abs(kurtosis[:, BN]) < 3).all()
    assert (kurtosis[:, STANDARD] > 3 * kurtosis[:, BN]).all()


def test_only_residual_networks_have_far_larger_gradients_without_bn(batch):
    residual = middle(over_seeds(batch, connections="residual", depth=20), "std")
    assert (residual[:, STANDARD] > 100 * residual[:, BN]).all()
    plain = middle(over_seeds(batch, depth=3), "std")
    assert (plain[:, BN] > plain[:, STANDARD]).all()
    deeper = middle(over_seeds(batch, depth=10), "std")  # a single seed may turn it round
    assert np.median(deeper[:, BN]) > np.median(deeper[:, STANDARD])


def test_gradients_of_deep_sigmoid_networks_vanish_without_bn_only(batch):
    for item in over_seeds(batch, depth=10, nonlinearity="sigmoid"):
        std = gradients_of(item).std
        second_to_last_hidden = std[:, 1] / std[:, 9]
        assert second_to_last_hidden[STANDARD] < 1e-3
        assert 0.3 < second_to_last_hidden[BN] < 3


def test_without_bn_a_deep_network_gives_most_images_the_same_answer(batch):
    plain = np.median([item.top_class_share[:, -1] for item in over_seeds(batch, depth=20)], axis=0)
    assert plain[STANDARD] > 0.7
    assert plain[BN] < 0.6
    residual = np.array([item.top_class_share[:, -1] for item in over_seeds(batch, depth=20, connections="residual")])
    assert (residual[:, STANDARD] > 0.98).all()


def test_with_bn_squared_gradients_grow_by_pi_over_pi_minus_1_a_layer_toward_the_input(test_set):
    """Yang et al. 2019: 1.467 for wide ReLU networks, less for tanh (1.178) and the sigmoid (1.034)."""
    images, labels = test_set[0][:256], test_set[1][:256]
    growth = {}
    for g in ("relu", "tanh", "sigmoid"):
        item = until_gradients(UntrainedConfig(depth=20, width=256, nonlinearity=g), images, labels)
        growth[g] = (item.gradient_norm[:, 3] / item.gradient_norm[:, 17]) ** (2 / 14)
    assert 1.4 < growth["relu"][BN] < 1.53
    assert 0.85 < growth["relu"][STANDARD] < 1.15
    assert 1.1 < growth["tanh"][BN] < 1.25
    assert 1.0 < growth["sigmoid"][BN] < 1.08


def test_a_step_that_bn_tolerates_makes_the_other_networks_loss_diverge(batch):
    at_10, at_100 = np.flatnonzero(np.isclose(RELATIVE_STEPS, 10)), np.flatnonzero(np.isclose(RELATIVE_STEPS, 100))
    for seed in range(2):
        shallow = whole(UntrainedConfig(depth=3, seed=seed), *batch).relative_loss
        deep = whole(UntrainedConfig(depth=10, seed=seed), *batch).relative_loss
        assert shallow[STANDARD, at_10] > 10
        assert shallow[BN, at_10] < 10
        assert deep[STANDARD, at_10] > 1e2
        assert deep[BN, at_10] < 10
        assert deep[STANDARD, at_100] > 1e8
        assert deep[BN, at_100] < 1e3
