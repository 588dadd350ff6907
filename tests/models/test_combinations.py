"""The loss at many weights is the loss of PyTorch's own modules at each of them."""

from itertools import product

import pytest
import torch
from torch import nn

from bnviz.config import BnPlacement, ModelConfig, Nonlinearity, Normalization, Statistics
from bnviz.models import Combinations, Stack, initial_weights, states_of
from tests.models import reference

KINDS = tuple(Normalization)


def a_stack(model: ModelConfig, kinds=KINDS) -> Stack:
    """With all that training changes away from where it starts."""
    stack = Stack(model, kinds, torch.float64)
    stack.set_weights(initial_weights(model))
    torch.manual_seed(0)
    for vectors in (stack.parameters.gammas, stack.parameters.betas, stack.parameters.biases):
        for vector in vectors:
            vector.add_(0.3 * torch.randn_like(vector))
    stack.running.add_(torch.rand_like(stack.running))
    noise = 0.3 * torch.randn_like(stack.covariance)
    stack.covariance.add_(noise @ noise.mT)
    return stack


def as_modules(stack: Stack, network: int, state: torch.Tensor) -> nn.Sequential:
    """The network that a state describes, in PyTorch's own words."""
    moved = stack.only(range(len(stack)))
    parameters = moved.parameters.flat.shape[1]
    moved.parameters.flat[network] = state[:parameters]
    end = parameters + moved.running[:, :, network].numel()
    running = state[parameters:end].view(moved.running[:, :, network].shape).clone()
    running[:, 1] = running[:, 1].exp() - 1e-5
    moved.running[:, :, network] = running
    logarithms = state[end:].view(moved.covariance[:, network].shape)
    moved.covariance[:, network] = torch.linalg.matrix_exp(logarithms) - 1e-5 * torch.eye(logarithms.shape[-1])
    net = reference.network(
        stack.model,
        stack.normalizations[network],
        [w.T for w in (moved.parameters.weights[layer][network] for layer in range(len(moved.parameters.weights)))],
        torch.float64,
    )
    named = moved.named(network)
    for name, value in reference.numbers(net).items():
        value.copy_(named[name])
    return net


@pytest.fixture(scope="module")
def batch():
    torch.manual_seed(1)
    return (torch.rand(40, 784, dtype=torch.float64) < 0.2).double(), torch.randint(10, (40,))


@pytest.mark.parametrize(
    ("nonlinearity", "placement", "statistics"),
    list(product(Nonlinearity, BnPlacement, (Statistics.BATCH, Statistics.RUNNING, Statistics.INTERPOLATED))),
)
def test_each_loss_is_that_of_pytorchs_modules_with_the_combined_state(nonlinearity, placement, statistics, batch):
    model = ModelConfig(width=12, hidden_layers=2, nonlinearity=nonlinearity, bn_placement=placement)
    stack, (images, labels) = a_stack(model), batch
    states = states_of(stack)
    coefficients = torch.tensor([[1.0, 0.0], [0.7, 0.3], [0.2, 1.1]], dtype=torch.float64)
    for network in range(len(stack)):
        vectors = torch.stack([states[network], states[network] * 1.3])
        along = Combinations(stack, network, vectors, images, labels, statistics)
        for c, loss in zip(coefficients, along.losses(coefficients), strict=True):
            net = as_modules(stack, network, c @ vectors)
            net.train(statistics is Statistics.BATCH)
            with torch.no_grad():
                expected = nn.functional.cross_entropy(net(images), labels)
            assert float(loss) == pytest.approx(float(expected), rel=1e-9)


def test_the_present_state_has_the_loss_that_the_stack_measures(batch):
    images, labels = batch
    stack = a_stack(ModelConfig(width=33, hidden_layers=3), KINDS[:2])
    buffers = stack.activations(len(images))
    buffers.fill(images, labels)
    stack.forward(buffers)
    stack.loss(buffers)
    for network, state in enumerate(states_of(stack)):
        along = Combinations(stack, network, state[None], images, labels, Statistics.BATCH)
        assert float(along.losses(torch.ones(1, 1))) == pytest.approx(float(buffers.loss[network]), rel=1e-9)


def test_how_many_points_are_computed_at_once_changes_no_loss(batch):
    images, labels = batch
    stack = a_stack(ModelConfig(width=20))
    vectors = states_of(stack)[:2]
    coefficients = torch.rand(7, 2)
    along = Combinations(stack, 1, vectors, images, labels, Statistics.BATCH)
    together = along.losses(coefficients)
    apart = torch.cat([along.losses(one[None]) for one in coefficients])
    assert torch.allclose(together, apart, rtol=1e-12)


def test_a_loss_that_overflows_is_infinite(batch):
    images, labels = batch
    stack = Stack(ModelConfig(nonlinearity="relu"), KINDS[:1])
    stack.set_weights(initial_weights(stack.model))
    along = Combinations(stack, 0, states_of(stack), images.float(), labels, Statistics.BATCH)
    finite, infinite = along.losses(torch.tensor([[1.0], [1e30]]))
    assert torch.isfinite(finite)
    assert infinite == torch.inf


def test_between_and_beyond_two_states_the_variance_is_positive_and_their_geometric_interpolation():
    stack = a_stack(ModelConfig(width=10), KINDS[1:2])
    other = stack.only([0])
    other.running[:, 1].mul_(1e-3)
    parameters = stack.parameters.flat.shape[1]
    one, two = states_of(stack)[0, parameters:], states_of(other)[0, parameters:]
    for alpha in (-0.25, 0.5, 1.25):
        log_variance = ((1 - alpha) * one + alpha * two).view(stack.model.hidden_layers, 2, -1)[:, 1, :10]
        first, second = (each.running[:, 1, 0, 0, :10] + 1e-5 for each in (stack, other))
        assert torch.allclose(log_variance.exp(), first ** (1 - alpha) * second**alpha)


def test_neither_images_nor_weights_of_many_points_fill_more_than_a_cache():
    for width, images in ((512, 2), (512, 2000), (100, 2), (100, 512), (10, 2)):
        stack = Stack(ModelConfig(width=width), KINDS[:1])
        along = Combinations(
            stack, 0, states_of(stack), torch.zeros(images, 784), torch.zeros(images).long(), Statistics.BATCH
        )
        assert along.points_at_once == 1 or along.points_at_once * width * max(width, images) <= 500_000
