"""The networks as plain functions, against the stack's written-out loss and gradient."""

import pytest
import torch
from torch import Tensor

from bnviz.config import BnPlacement, Initialization, ModelConfig, Nonlinearity, Normalization
from bnviz.models import Collect, Stack, initial_weights
from bnviz.models.by_autograd import NonlinearityByAutograd, NormalizationByAutograd
from bnviz.models.functional import cross_entropy
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import NORMALIZATIONS
from tests.models.test_stack import images_and_labels


def a_model(**changes) -> ModelConfig:
    return ModelConfig(width=20, hidden_layers=3, initialization=Initialization.HE, init_scale=1.0, **changes)


def both(model: ModelConfig, normalization: Normalization) -> list[tuple[float, dict[str, Tensor]]]:
    """Loss and gradient by name, of the stack and of the function; every parameter is at a place of its own."""
    stack = Stack(model, [normalization], torch.float64)
    stack.set_weights(initial_weights(model))
    generator = torch.Generator().manual_seed(1)
    for name, value in stack.parameters.named(0).items():
        if not name.startswith("weight"):
            value.add_(torch.randn(value.shape, generator=generator, dtype=torch.float64), alpha=0.3)
    stack.running.mul_(0.7).add_(0.1)
    images, labels = images_and_labels(17, 0)
    batch, gradient = stack.activations(17), stack.parameters.empty_like()
    batch.fill(images, labels)
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))
    leaves = {name: value.clone().requires_grad_() for name, value in stack.parameters.named(0).items()}
    loss = cross_entropy(model, normalization, stack.named(0) | leaves, images, labels, stack.limits)
    loss.backward()
    found = {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}
    return [(batch.loss.item(), gradient.named(0)), (loss.item(), found)]


def assert_alike(model: ModelConfig, normalization: Normalization) -> None:
    (loss, gradient), (found_loss, found) = both(model, normalization)
    assert found_loss == pytest.approx(loss, rel=1e-12)
    for name, expected in gradient.items():
        torch.testing.assert_close(found[name], expected, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("normalization", Normalization)
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
def test_loss_and_gradient_are_those_of_the_stack(nonlinearity, placement, normalization) -> None:
    assert_alike(a_model(nonlinearity=nonlinearity, bn_placement=placement), normalization)


class Softplus(NonlinearityByAutograd):
    def value(self, z: Tensor) -> Tensor:
        return torch.nn.functional.softplus(z)


class Centred(NormalizationByAutograd):
    def value(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return gamma * (x - x.mean(dim=1, keepdim=True)) + beta


def test_so_they_are_for_parts_that_know_their_value_alone(monkeypatch) -> None:
    monkeypatch.setitem(NONLINEARITIES, Nonlinearity.TANH, Softplus())
    monkeypatch.setitem(NORMALIZATIONS, Normalization.BATCH, Centred())
    assert_alike(a_model(nonlinearity=Nonlinearity.TANH), Normalization.BATCH)
