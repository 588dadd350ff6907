"""The noise of Santurkar et al.'s Algorithm 1: its distribution, its place, its gradient; nothing else moves."""

import pytest
import torch
from torch import nn

from bnviz.config import BnPlacement, HyperParams, ModelConfig, Normalization
from bnviz.models import Batch, Collect, Noise, Stack, initial_weights
from tests.models import reference

PAPER = HyperParams()
LAYERS, IMAGES, UNITS = 3, 4000, 256


def drawn(hyper: HyperParams = PAPER, seed: int = 0, step: int = 0, batch: Batch = Batch.TRAINING) -> torch.Tensor:
    noise = torch.zeros(2, LAYERS, 1, IMAGES, UNITS)
    Noise(seed).draw(noise.unbind(1), step, hyper, batch)
    return noise[:, :, 0]  # [2, l, b, n]


def test_the_constants_by_default_are_the_papers() -> None:
    constants = (PAPER.noise_mean, PAPER.noise_scale, PAPER.noise_mean_spread, PAPER.noise_scale_spread)
    assert constants == (0.5, 1.25, 0.1, 0.1)


def test_each_units_mean_is_uniform_within_n_mu_and_each_value_uniform_within_r_mu_of_it() -> None:
    shifts = drawn()[1]
    of_unit = shifts.mean(dim=1)  # [l, n]
    assert of_unit.abs().max() < 0.5 + 0.01
    assert of_unit.std() == pytest.approx(0.5 / 3**0.5, rel=0.1)
    within = shifts - of_unit[:, None]
    assert within.abs().max() < 0.1 + 0.01
    assert within.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_each_units_factor_is_uniform_from_1_to_n_sigma_and_each_value_normal_about_it() -> None:
    factors = drawn()[0]
    of_unit = factors.mean(dim=1)
    assert 1 - 0.01 < of_unit.min() < of_unit.max() < 1.25 + 0.01
    assert of_unit.mean() == pytest.approx(1.125, abs=0.01)
    within = factors - of_unit[:, None]
    assert within.std() == pytest.approx(0.1, rel=0.02)
    assert (within / within.std()).pow(4).mean() == pytest.approx(3, rel=0.05)  # a normal's fourth moment


def test_other_constants_are_followed() -> None:
    none = drawn(HyperParams(noise_mean=0, noise_scale=1, noise_mean_spread=0, noise_scale_spread=0))
    assert (none[0] == 1).all()
    assert not none[1].any()
    wide = drawn(HyperParams(noise_mean=2, noise_scale=3))
    assert wide[1].mean(dim=1).std() == pytest.approx(2 / 3**0.5, rel=0.1)
    assert wide[0].mean() == pytest.approx(2, abs=0.05)


def test_it_is_drawn_afresh_at_every_step_and_the_same_again_for_the_same_step() -> None:
    assert torch.equal(drawn(step=7), drawn(step=7))
    first = drawn()
    for other in (drawn(step=1), drawn(seed=1), drawn(batch=Batch.PROBE)):
        assert (first != other).float().mean() > 0.99


def test_torchs_own_random_numbers_are_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    drawn()
    assert torch.equal(before, torch.get_rng_state())


class Noisy(nn.Module):
    """The noise as a module of its own."""

    def __init__(self, factors: torch.Tensor, shifts: torch.Tensor) -> None:
        super().__init__()
        self.factors, self.shifts = factors, shifts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factors * x + self.shifts


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize(
    ("noisy", "clean"), [(Normalization.NOISY_BATCH, Normalization.BATCH), (Normalization.NOISE, Normalization.NONE)]
)
def test_it_acts_where_bn_does_and_the_gradient_goes_through_it_as_autograd_says(
    noisy: Normalization, clean: Normalization, placement: BnPlacement
) -> None:
    model = ModelConfig(width=20, hidden_layers=2, bn_placement=placement)
    stack = Stack(model, [noisy], dtype=torch.float64)
    weights = initial_weights(model)
    stack.set_weights(weights)
    batch = stack.activations(30)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(30, 784, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (30,), generator=generator)
    batch.fill(images, labels)
    assert batch.noise is not None
    Noise(3).draw(batch.noise, 5, PAPER)
    gradient = stack.parameters.empty_like()
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))

    net = with_noise(
        reference.network(model, clean, weights, torch.float64),
        torch.stack(batch.noise, dim=1)[:, :, 0, :, :20],
        placement,
    )
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    assert batch.loss[0].item() == pytest.approx(loss.item(), rel=1e-12)
    for name, expected in reference.gradients(net).items():
        torch.testing.assert_close(gradient.named(0)[name], expected, rtol=1e-9, atol=1e-12)


def with_noise(net: nn.Sequential, noise: torch.Tensor, placement: BnPlacement) -> nn.Sequential:
    """The noise where BN stands: just before the nonlinearity, or after it and after BN. noise: [2, l, b, n]"""
    has_bn = bool(reference.of_kind(net, nn.BatchNorm1d))
    last = nn.BatchNorm1d if placement is BnPlacement.AFTER and has_bn else nn.Sigmoid
    modules: list[nn.Module] = []
    layers = iter(noise.unbind(1))
    for module in net:
        if not isinstance(module, last):
            modules.append(module)
        elif placement is BnPlacement.BEFORE:
            modules += [Noisy(*next(layers)), module]
        else:
            modules += [module, Noisy(*next(layers))]
    return nn.Sequential(*modules)


def test_networks_without_noise_beside_noisy_ones_are_as_they_are_alone() -> None:
    model = ModelConfig(width=20, hidden_layers=2)
    alone = Stack(model, [Normalization.NONE, Normalization.BATCH])
    beside = Stack(model, [Normalization.NONE, Normalization.BATCH, Normalization.NOISY_BATCH, Normalization.NOISE])
    losses = []
    for stack in (alone, beside):
        stack.set_weights(initial_weights(model))
        batch = stack.activations(8)
        batch.fill(torch.rand(8, 784, generator=torch.Generator().manual_seed(0)), torch.arange(8))
        if batch.noise is not None:
            Noise(0).draw(batch.noise, 0, PAPER)
        stack.forward(batch)
        stack.loss(batch)
        losses.append(batch.loss[:2].clone())
    assert torch.equal(*losses)
