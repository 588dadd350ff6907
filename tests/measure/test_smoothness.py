"""Smoothness along the gradient: a quadratic's closed form, PyTorch's own gradients, and what the literature found."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from bnviz import data
from bnviz.config import HyperParams, Initialization, Nonlinearity, Settings
from bnviz.data import Batches
from bnviz.measure.smoothness import along_gradient
from bnviz.records import STEP_SIZES, Smoothness
from bnviz.training import Trainer
from tests.models import reference

torch.set_num_threads(1)
SIZES = np.array(STEP_SIZES)
RELU = Settings().replace(
    nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0, learning_rate=0.1
)


@pytest.fixture(scope="module")
def mnist():
    return data.load()


class Quadratic:
    """L(w) = w^T H w / 2 of two networks, in place of a rehearsal."""

    def __init__(self, hessians: torch.Tensor) -> None:
        self.hessians = hessians  # [K, P, P]
        count, numbers, _ = hessians.shape
        self.batch = SimpleNamespace(loss=torch.zeros(count, dtype=hessians.dtype))
        self.gradient = SimpleNamespace(flat=torch.zeros(count, numbers, dtype=hessians.dtype))
        self.after = SimpleNamespace(parameters=SimpleNamespace(flat=torch.zeros_like(self.gradient.flat)))

    def differentiate(self, stack) -> None:  # type: ignore[no-untyped-def]
        w = stack.parameters.flat
        self.gradient.flat.copy_(torch.einsum("kij,kj->ki", self.hessians, w))
        torch.sum(w * self.gradient.flat / 2, dim=1, out=self.batch.loss)


def test_on_a_quadratic_it_is_the_closed_form() -> None:
    """g = H w; L(w - a g) = L - a |g|^2 + a^2 g^T H g / 2; g - g(w - a g) = a H g; beta = |H g| / |g| at every a."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    hessians, w = root @ root.transpose(1, 2), torch.randn(2, 5, generator=generator, dtype=torch.float64)
    rates = torch.tensor([[0.3], [0.05]], dtype=torch.float64)
    stack = SimpleNamespace(parameters=SimpleNamespace(flat=w), rates=lambda rate: rates)
    found = along_gradient(stack, Quadratic(hessians), HyperParams())  # type: ignore[arg-type]
    for k in range(2):
        h, a = hessians[k].numpy(), SIZES * rates[k].item()
        g = h @ w[k].numpy()
        loss = w[k].numpy() @ g / 2
        np.testing.assert_allclose(found.loss[k], loss)
        np.testing.assert_allclose(found.loss_along[k], loss - a * (g @ g) + a**2 * (g @ h @ g) / 2)
        np.testing.assert_allclose(found.gradient_change[k], a * np.linalg.norm(h @ g))
        np.testing.assert_allclose(found.beta[k], np.linalg.norm(h @ g) / np.linalg.norm(g))


@pytest.mark.parametrize("changes", [{"width": 30}, {"architecture": "convolutional", "width": 10}])
def test_it_is_measured_on_the_mini_batch_that_comes_next_with_respect_to_all_parameters(mnist, changes) -> None:
    settings = Settings().replace(hidden_layers=2, learning_rate=0.7, **changes)
    trainer = Trainer(settings, mnist)
    for _ in range(4):
        trainer.step(settings.hyper)
    found, state = trainer.smoothness(), trainer.checkpoint()
    batches = Batches(settings.model.seed)
    for _ in range(4):
        batches.take(60)
    index = batches.take(60)
    images, _ = mnist.inputs(settings.model.input_form, torch.device("cpu"))
    labels, _ = mnist.labels(torch.device("cpu"))
    for k, one in enumerate(trainer.competitors):
        weights = [state[f"{one.name}/weight.{layer}"].T for layer in (1, 2, 3)]
        net = reference.network(settings.model, one.normalization, weights, torch.float32)
        for name, value in reference.numbers(net).items():
            if name.startswith("weight"):
                continue  # it has them
            value.copy_(state[f"{one.name}/{name}"])
        loss, along, change, beta = reference_smoothness(net, images[index], labels[index], 0.7)
        assert found.loss[k] == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(found.loss_along[k], along, rtol=1e-4)
        np.testing.assert_allclose(found.gradient_change[k], change, rtol=1e-3)
        np.testing.assert_allclose(found.beta[k], beta, rtol=1e-3)


def reference_smoothness(net: nn.Sequential, images, labels, rate: float):
    """By autograd, one step size after the other."""
    parameters = list(net.parameters())
    start = [p.detach().clone() for p in parameters]
    loss = nn.functional.cross_entropy(net(images), labels)
    gradient = torch.autograd.grad(loss, parameters)
    norm = torch.cat([g.flatten() for g in gradient]).norm().item()
    along, change = [], []
    for size in STEP_SIZES:
        with torch.no_grad():
            for p, w, g in zip(parameters, start, gradient, strict=True):
                p.copy_(w - size * rate * g)
        moved = nn.functional.cross_entropy(net(images), labels)
        there = torch.autograd.grad(moved, parameters)
        along.append(moved.item())
        change.append(torch.cat([(a - b).flatten() for a, b in zip(gradient, there, strict=True)]).norm().item())
    return loss.item(), along, change, np.array(change) / (SIZES * rate * norm)


def measured(settings: Settings, steps: range, mnist) -> list[Smoothness]:
    trainer, found = Trainer(settings, mnist), []
    for step in range(steps.stop):
        if step in steps:
            found.append(trainer.smoothness())
        trainer.step(settings.hyper)
    return found


def medians(found: list[Smoothness]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss range over the step sizes, largest gradient change and largest beta, medians over the steps: [k] each."""
    span = [one.loss_along.max(axis=1) - one.loss_along.min(axis=1) for one in found]
    change = [one.gradient_change.max(axis=1) for one in found]
    beta = [one.beta.max(axis=1) for one in found]
    return np.median(span, axis=0), np.median(change, axis=0), np.median(beta, axis=0)


def test_with_bn_the_relu_network_is_smoother_once_it_has_trained(mnist) -> None:
    """SCIENCE, section 2, steps 200 to 600: loss range .33 to .12, gradient change 4.5 to 1.5, beta 10.8 to 8.7."""
    span, change, beta = medians(measured(RELU, range(200, 600, 10), mnist))
    assert 1.6 < span[0] / span[1] < 5
    assert 1.8 < change[0] / change[1] < 5
    assert 0.9 < beta[0] / beta[1] < 2
    assert span[0] == pytest.approx(0.33, rel=0.4)
    assert change[1] == pytest.approx(1.5, rel=0.4)


def test_with_bn_the_gradient_of_a_deep_relu_network_changes_more_at_the_start(mnist) -> None:
    """SCIENCE, section 2: at steps 0 to 5 of ReLU-10 the gradient change is larger with BN, 3.6 to 12.3."""
    _, change, _ = medians(measured(RELU.replace(hidden_layers=10), range(6), mnist))
    assert change[1] > 1.5 * change[0]


def test_a_loss_that_overflows_is_infinite_and_not_nan(mnist) -> None:
    settings = RELU.replace(hidden_layers=10, init_scale=3.0, learning_rate=30.0)
    found = Trainer(settings, mnist).smoothness()
    assert not np.isnan(found.loss_along).any()
    assert np.isinf(found.loss_along[0]).any()
